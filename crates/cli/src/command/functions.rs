//! `indago functions`

use std::process::ExitCode;

use indago_shell::{Style, listing};

use crate::arguments::{Common, Functions};
use crate::exit::Result;
use crate::output::Output;
use crate::setup;

pub(crate) async fn run(common: &Common, arguments: Functions) -> Result {
    let config = setup::config(common, None)?;
    let engine = setup::engine(&config).await?;
    let format = arguments.output.chosen();
    listing::write_functions(&engine.functions(), format, Style::of_stdout(), &mut Output)?;
    Ok(ExitCode::SUCCESS)
}
