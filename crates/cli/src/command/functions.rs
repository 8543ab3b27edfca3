//! `indago functions`

use std::process::ExitCode;

use indago_shell::listing;

use crate::arguments::{Common, Functions};
use crate::exit::{Error, Result};
use crate::output::Output;
use crate::setup;

pub(crate) async fn run(common: &Common, arguments: Functions) -> Result {
    let style = arguments.output.style()?;
    let config = setup::config(common, None)?;
    let engine = setup::engine_with_files(&config).await?;
    let format = arguments.output.chosen();
    let mut functions = engine.functions();
    listing::functions_like(&mut functions, &arguments.word.unwrap_or_default())
        .map_err(|error| Error::usage(anyhow::anyhow!(error)))?;
    listing::write_functions(&functions, format, style, &mut Output)?;
    Ok(ExitCode::SUCCESS)
}
