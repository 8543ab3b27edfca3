//! `indago tables`

use std::process::ExitCode;

use indago::Engine;
use indago_shell::Style;
use indago_shell::listing::{self, Tables};

use crate::arguments::{self, Common};
use crate::exit::{Error, Result};
use crate::output::Output;
use crate::setup;

pub(crate) async fn run(common: &Common, arguments: arguments::Tables) -> Result {
    let config = setup::config(common, None)?;
    let engine = setup::engine(&config).await?;
    let format = arguments.output.chosen();
    let mut out = Output;
    match &arguments.name {
        None => {
            let (found, missing) = engine.found_names().await;
            indago_shell::print_warnings(&missing);
            Tables::of(&engine, found).write(format, Style::of_stdout(), &mut out)?;
        }
        Some(name) => {
            let Some(table) = engine.find_table(name).await.map_err(Error::usage)? else {
                return Err(Error::usage(no_table(&engine, name)));
            };
            listing::write_table(table.spec(), format.unwrap_or_default(), Style::of_stdout(), &mut out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The error for a name that no table has, with the tables that mention it.
fn no_table(engine: &Engine, name: &str) -> anyhow::Error {
    let error = engine.no_table(name);
    let mentioning = Tables::of(engine, Vec::new()).mentioning(name);
    let mentioning = match mentioning.names().as_slice() {
        [] => String::new(),
        names => format!("; tables that mention `{name}`: {}", names.join(", ")),
    };
    let help = error.help().filter(|_| mentioning.is_empty()).map(|help| format!("; {help}"));
    anyhow::anyhow!("{error}{mentioning}{}", help.unwrap_or_default())
}
