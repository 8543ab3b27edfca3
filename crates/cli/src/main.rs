//! The `indago` command: arguments and wiring. The library, the shell and the daemon do the work.

// They panic where standard error or output can't be written.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod arguments;
mod command;
mod exit;
mod interrupt;
mod output;
mod setup;

use std::io::IsTerminal;
use std::process::ExitCode;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os(), std::io::stdin().is_terminal()) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            let _ = error.print();
            return ExitCode::from(exit::USAGE);
        }
        // The user requested the help or the version.
        Err(answer) => {
            let printed = output::check().and_then(|()| answer.print());
            return printed.map_or_else(|error| exit::report(&error.into()), |()| ExitCode::SUCCESS);
        }
    };
    setup::logs();
    let runtime = match setup::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&exit::Error::failed(error.into())),
    };
    let common = arguments.common;
    let result = match arguments.command {
        None if std::io::stdin().is_terminal() => command::shell::run(&runtime, &common, arguments::Shell::default()),
        None => runtime.block_on(Box::pin(command::query::run(&common, arguments::Query::default()))),
        Some(Command::Shell(options)) => command::shell::run(&runtime, &common, options),
        Some(Command::Query(options)) if options.sql.as_deref().is_some_and(|sql| sql.starts_with('.')) => {
            command::shell::run_one(&runtime, &common, options)
        }
        Some(Command::Query(options)) => runtime.block_on(Box::pin(command::query::run(&common, options))),
        Some(Command::Tables(options)) => runtime.block_on(Box::pin(command::tables::run(&common, options))),
        Some(Command::Reference(options)) => runtime.block_on(Box::pin(command::reference::run(options))),
        Some(Command::Functions(options)) => runtime.block_on(Box::pin(command::functions::run(&common, options))),
        Some(Command::Pack(options)) => runtime.block_on(Box::pin(command::pack::run(&common, options))),
        Some(Command::Daemon(options)) => command::daemon::run(&runtime, common, &options),
        Some(Command::Capture(options)) => runtime.block_on(Box::pin(command::capture::run(&common, options))),
        Some(Command::Record(options)) => runtime.block_on(Box::pin(command::record::run(&runtime, &common, options))),
        Some(Command::Check(options)) => runtime.block_on(Box::pin(command::check::run(&common, options))),
        Some(Command::Diff(options)) => runtime.block_on(Box::pin(command::diff::run(&common, options))),
        Some(Command::Verify(options)) => runtime.block_on(Box::pin(command::verify::run(options))),
        Some(Command::Timeline(options)) => runtime.block_on(Box::pin(command::timeline::run(&common, options))),
        Some(Command::Iam(options)) => command::iam::run(options),
        Some(Command::Demo(options)) if options.shell => command::shell::over_demo(&runtime, options.output),
        Some(Command::Demo(options)) => runtime.block_on(Box::pin(command::demo::run(options))),
    };
    // The process ends here, whatever its threads still read.
    std::mem::forget(runtime);
    match result {
        Ok(code) => code,
        Err(error) => exit::report(&error),
    }
}
