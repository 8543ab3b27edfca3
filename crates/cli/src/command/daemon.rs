//! `indago daemon`

use std::process::ExitCode;

use crate::arguments::Common;
use crate::exit::{Error, Result};
use crate::{interrupt, setup};

pub(crate) async fn run(common: &Common) -> Result {
    let config = setup::config(common, None)?;
    let engine = setup::engine(&config).await?;
    match Box::pin(indago_daemon::run(engine, &config, interrupt::told_to_stop())).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Error::usage(error)),
    }
}
