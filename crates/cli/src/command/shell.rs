//! `indago shell`, and `indago` alone

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use indago::config::Config;
use indago::{Engine, QueryOptions};
use indago_shell::{Format, Settings, Shell};
use tokio::runtime::Runtime;

use crate::arguments::{self, Common};
use crate::exit::{Error, FAILED, Result};
use crate::output::Output;
use crate::setup;

pub(crate) fn run(runtime: &Runtime, common: &Common, arguments: arguments::Shell) -> Result {
    let config = setup::config(common, Some(&arguments.limits))?;
    let engine = runtime.block_on(Box::pin(setup::engine_with_files(&config)))?;
    engine.set_as_of(arguments.past.as_of);
    read(shell(runtime, engine, &config, &arguments)?)
}

/// The shell over the embedded data.
pub(crate) fn over_demo(runtime: &Runtime, output: arguments::Output) -> Result {
    let engine = runtime.block_on(Box::pin(indago::demo_engine())).map_err(|error| Error::failed(error.into()))?;
    let arguments = arguments::Shell { output, ..arguments::Shell::default() };
    read(shell(runtime, engine, &Config::default(), &arguments)?)
}

/// A dot-command in place of SQL.
pub(crate) fn run_one(runtime: &Runtime, common: &Common, query: arguments::Query) -> Result {
    let config = setup::config(common, Some(&query.limits))?;
    let engine = runtime.block_on(Box::pin(setup::engine_with_files(&config)))?;
    let arguments = arguments::Shell { output: query.output, ..arguments::Shell::default() };
    let shell = shell(runtime, engine, &config, &arguments)?;
    let ran = shell.run_lines(query.sql.unwrap_or_default().as_bytes())?;
    Ok(if ran { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn shell(runtime: &Runtime, engine: Engine, config: &Config, arguments: &arguments::Shell) -> Result<Shell> {
    let interactive = io::stdin().is_terminal();
    let default = if io::stdout().is_terminal() { Format::Table } else { Format::Json };
    let settings = Settings {
        format: arguments.output.chosen().unwrap_or(default),
        listing: arguments.output.chosen(),
        options: QueryOptions { strict: config.sql.strict, ..QueryOptions::default() },
        timer: interactive,
        pager: !arguments.no_pager,
        origin: origin(config),
        ..Settings::default()
    };
    Ok(Shell::new(engine, runtime.handle().clone(), settings, arguments.output.style()?, Output))
}

fn read(shell: Shell) -> Result {
    if io::stdin().is_terminal() {
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
