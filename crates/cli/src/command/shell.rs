//! `indago shell`, and `indago` alone

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use indago::QueryOptions;
use indago::config::Config;
use indago_shell::{Format, Settings, Shell, Style};
use tokio::runtime::Runtime;

use crate::arguments::{self, Common};
use crate::exit::{FAILED, Result};
use crate::output::Output;
use crate::setup;

pub(crate) fn run(runtime: &Runtime, common: &Common, arguments: arguments::Shell) -> Result {
    let config = setup::config(common, Some(&arguments.limits))?;
    let engine = runtime.block_on(Box::pin(setup::engine_with_files(&config)))?;
    engine.set_as_of(arguments.past.as_of);
    let interactive = io::stdin().is_terminal();
    let default = if io::stdout().is_terminal() { Format::Table } else { Format::Json };
    let settings = Settings {
        format: arguments.output.chosen().unwrap_or(default),
        listing: arguments.output.chosen(),
        options: QueryOptions { strict: config.sql.strict, ..QueryOptions::default() },
        timer: interactive,
        pager: !arguments.no_pager,
        origin: origin(&config),
        ..Settings::default()
    };
    let shell = Shell::new(engine, runtime.handle().clone(), settings, Style::of_stdout(), Output);
    if interactive {
        shell.interact()?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if shell.run_lines(io::stdin().lock())? { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// What the engine of a configuration reads, for `.show`.
fn origin(config: &Config) -> Vec<(&'static str, String)> {
    let path =
        |path: &Option<PathBuf>, none: &str| path.as_ref().map_or(none.to_owned(), |path| path.display().to_string());
    let main = [
        ("config", path(&config.file, "none; the defaults apply")),
        ("store", path(&config.store.dir, "none; tables are live")),
    ];
    let schemas = config.stores.iter().map(|(schema, dir)| ("schema", format!("{schema}: {}", dir.display())));
    main.into_iter().chain(schemas).collect()
}
