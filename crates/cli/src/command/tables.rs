//! `indago tables`

use std::process::ExitCode;

use indago_shell::listing::{self, Tables};

use crate::arguments::{self, Common};
use crate::exit::{Error, Result};
use crate::output::Output;
use crate::setup;

pub(crate) async fn run(common: &Common, arguments: arguments::Tables) -> Result {
    let style = arguments.output.style()?;
    let config = setup::config(common, None)?;
    let engine = setup::engine(&config).await?;
    if let Some(path) = &arguments.permissions {
        return super::permissions::run(&engine, path).await;
    }
    let format = arguments.output.chosen();
    let mut out = Output;
    match &arguments.name {
        None => {
            let (found, missing) = engine.found_names().await;
            indago_shell::print_warnings(&missing);
            Tables::of(&engine, found).write(format, style, &mut out)?;
        }
        Some(name) => {
            let Some(table) = engine.find_table(name).await.map_err(Error::usage)? else {
                let (found, missing) = engine.found_names().await;
                indago_shell::print_warnings(&missing);
                let mentioning = Tables::of(&engine, found).mentioning(name);
                if mentioning.is_empty() {
                    // A misspelt name, or one of another program, has a suggestion.
                    let error = engine.no_table(name);
                    let help = error.help().filter(|help| !help.contains("indago tables WORD"));
                    let message = match help {
                        Some(help) => format!("{error}; {help}"),
                        None => Tables::none(name),
                    };
                    return Err(Error::usage(anyhow::anyhow!(message)));
                }
                mentioning.write(format, style, &mut out)?;
                return Ok(ExitCode::SUCCESS);
            };
            listing::write_table(table.spec(), format.unwrap_or_default(), style, &mut out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
