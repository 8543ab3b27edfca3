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
    let tables = engine.tables();
    let format = setup::format(arguments.format);
    let mut out = Output;
    match &arguments.name {
        None => {
            let specs: Vec<_> = tables.iter().map(|table| table.spec()).collect();
            listing::write_tables(&specs, format, Style::of_stdout(), &mut out)?;
        }
        Some(name) => {
            let found = tables.iter().find(|table| table.spec().name.eq_ignore_ascii_case(name));
            let Some(table) = found else {
                let known = tables.iter().map(|table| table.spec().name.as_ref());
                let hint = indago::config::closest(name, known).map(|name| format!("; did you mean `{name}`?"));
                let hint = hint.unwrap_or_else(|| "; `indago tables` lists them".into());
                return Err(Error::usage(anyhow::anyhow!("there is no table `{}`{hint}", visible(name))));
            };
            listing::write_table(table.spec(), format, Style::of_stdout(), &mut out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
