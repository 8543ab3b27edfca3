//! `indago daemon`

use std::process::ExitCode;

use indago::packs::ScheduleTable;
use tokio::runtime::{Handle, Runtime};

use crate::arguments::Common;
use crate::exit::{Error, Result};
use crate::{interrupt, setup};

pub(crate) fn run(queries: &Runtime, common: &Common) -> Result {
    // The loop has its own runtime, so it receives signals even while queries keep all workers busy.
    let schedule = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    schedule.block_on(Box::pin(daemon(queries.handle(), common)))
}

async fn daemon(queries: &Handle, common: &Common) -> Result {
    let told = interrupt::told()?;
    let config = setup::config(common, None)?;
    let table = ScheduleTable::default();
    let builder = indago::builder(&config).map_err(Error::usage)?;
    let engine = builder.table(table.table()).build().await.map_err(Error::usage)?;
    match Box::pin(indago_daemon::run(engine, &config, table, queries, told)).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Error::usage(error)),
    }
}
