//! The daemon: runs a schedule of queries, compares their results, and appends the changes to a log.
//!
//! Queries run concurrently up to a limit, each with its own timeout. A failed query is reported in the status log and
//! runs again at its next interval; other queries are not affected. A result is written to disk before the state is
//! updated, so a crash between the two repeats a line but loses none. A query that kills the daemon is skipped for some
//! time.

// These macros panic if standard error or output cannot be written.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod appender;
mod error;
mod host;
mod metrics;
mod notify;
mod plan;
mod record;
mod reported;
mod runner;
mod status;

pub use error::{DaemonError, Result};
pub use plan::{Invalid, Plan, PlannedPack};
pub use runner::{Checked, Source, Told, check, run};
