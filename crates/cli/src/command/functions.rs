//! `indago functions`

use std::process::ExitCode;

use indago_shell::{Style, listing};

use crate::arguments::{Common, Functions};
use crate::exit::Result;
use crate::output::Output;
use crate::setup;

pub(crate) async fn run(common: &Common, arguments: Functions) -> Result {
    let config = setup::config(common, None)?;
    let engine = setup::engine_with_files(&config).await?;
    let format = arguments.output.chosen();
    let word = arguments.word.unwrap_or_default().to_lowercase();
    let mut functions = engine.functions();
    functions.retain(|function| function.name.contains(&word));
    listing::write_functions(&functions, format, Style::of_stdout(), &mut Output)?;
    Ok(ExitCode::SUCCESS)
}
