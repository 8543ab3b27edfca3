//! `indago tables`

use std::process::ExitCode;

use indago_shell::{Style, listing, visible};

use crate::arguments::{Common, Tables};
use crate::exit::{Error, Result};
use crate::output::Output;
use crate::setup;

pub(crate) async fn run(common: &Common, arguments: Tables) -> Result {
    let config = setup::config(common, None)?;
    let engine = setup::engine(&config).await?;
    let format = setup::format(arguments.format);
    let mut out = Output;
    match &arguments.name {
        None => {
            let tables = engine.tables();
            let specs: Vec<_> = tables.iter().map(|table| table.spec()).collect();
            let (found, missing) = engine.found_names().await;
            indago_shell::print_warnings(&missing);
            listing::write_tables(&specs, &found, format, Style::of_stdout(), &mut out)?;
        }
        Some(name) => {
            let Some(table) = engine.find_table(name).await.map_err(Error::usage)? else {
                let hint = engine.nearest_table(name).map(|name| format!("; did you mean `{name}`?"));
                let hint = hint.unwrap_or_else(|| "; `indago tables` lists them".into());
                return Err(Error::usage(anyhow::anyhow!("there is no table `{}`{hint}", visible(name))));
            };
            listing::write_table(table.spec(), format, Style::of_stdout(), &mut out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
