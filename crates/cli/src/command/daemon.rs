//! `indago daemon`

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use indago_daemon::{DaemonError, Source};
use indago_shell::{say, visible};
use tokio::runtime::{Handle, Runtime};

use crate::arguments::{Common, Daemon};
use crate::exit::{self, Error, Result};
use crate::output::Output;
use crate::{interrupt, setup};

pub(crate) fn run(queries: &Runtime, common: Common, options: &Daemon) -> Result {
    let source = Source::new(move || setup::config(&common, None).map_err(|error| error.to_string()));
    if options.check {
        return queries.block_on(Box::pin(check(&source)));
    }
    // The loop has its own runtime, so it receives signals even while queries keep all workers busy.
    let schedule = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    schedule.block_on(Box::pin(daemon(queries.handle(), source)))
}

async fn daemon(queries: &Handle, source: Source) -> Result {
    let told = interrupt::told()?;
    match Box::pin(indago_daemon::run(Arc::new(source), queries, told)).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(DaemonError::Several(errors)) => Ok(report(&errors)),
        Err(error) => Err(Error::usage(error)),
    }
}

async fn check(source: &Source) -> Result {
    let checked = Box::pin(indago_daemon::check(source)).await;
    for skipped in &checked.skipped {
        writeln!(Output, "not scheduled: {}", visible(skipped))?;
    }
    writeln!(Output, "queries that can run: {}; problems: {}", checked.queries, checked.errors.len())?;
    if let Some(results) = &checked.results {
        writeln!(Output, "results are appended to {}", visible(&results.to_string_lossy()))?;
    }
    Output.flush()?;
    Ok(if checked.errors.is_empty() { ExitCode::SUCCESS } else { report(&checked.errors) })
}

fn report(errors: &[DaemonError]) -> ExitCode {
    for error in errors {
        say(format_args!("error: {}", visible(&error.to_string())));
    }
    ExitCode::from(exit::USAGE)
}
