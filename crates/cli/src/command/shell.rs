//! `indago shell`, and `indago` alone

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use indago::QueryOptions;
use indago_shell::{Format, Settings, Shell, Style};
use tokio::runtime::Runtime;

use crate::arguments::{self, Common};
use crate::exit::{FAILED, Result};
use crate::output::Output;
use crate::setup;

pub(crate) fn run(runtime: &Runtime, common: &Common, arguments: arguments::Shell) -> Result {
    let config = setup::config(common, Some(&arguments.limits))?;
    let engine = runtime.block_on(Box::pin(setup::engine_with_files(&config)))?;
    let interactive = io::stdin().is_terminal();
    let default = if io::stdout().is_terminal() { Format::Table } else { Format::Json };
    let settings = Settings {
        format: arguments.format.unwrap_or(default),
        options: QueryOptions { strict: config.sql.strict, ..QueryOptions::default() },
        timer: interactive,
        ..Settings::default()
    };
    let shell = Shell::new(engine, runtime.handle().clone(), settings, Style::of_stdout(), Output);
    if interactive {
        shell.interact()?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if shell.run_lines(io::stdin().lock())? { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}
