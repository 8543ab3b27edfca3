//! `indago tables`

use std::process::ExitCode;

use indago_shell::Style;
use indago_shell::listing::{self, Tables};

use crate::arguments::{self, Common};
use crate::exit::{Error, Result};
use crate::output::Output;
use crate::setup;

pub(crate) async fn run(common: &Common, arguments: arguments::Tables) -> Result {
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
            Tables::of(&engine, found).write(format, Style::of_stdout(), &mut out)?;
        }
        Some(name) => {
            let Some(table) = engine.find_table(name).await.map_err(Error::usage)? else {
                let mentioning = Tables::of(&engine, Vec::new()).mentioning(name);
                if mentioning.is_empty() {
                    let error = engine.no_table(name);
                    let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
                    return Err(Error::usage(anyhow::anyhow!("{error}{help}")));
                }
                mentioning.write(format, Style::of_stdout(), &mut out)?;
                return Ok(ExitCode::SUCCESS);
            };
            listing::write_table(table.spec(), format.unwrap_or_default(), Style::of_stdout(), &mut out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
