//! The daemon: runs a schedule of queries, compares their results, and appends what changed to a log.
//!
//! Queries run concurrently under a limit, each under its own timeout. One that fails says so in the status log and runs
//! again at its next turn; the others do not notice. A result is on the disk before it is remembered, so that a crash between
//! the two repeats a line rather than losing one. A query that kills the daemon is left out for a while.

// They panic where standard error or output can't be written.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod appender;
mod error;
mod host;
mod plan;
mod runner;
mod status;

pub use error::{DaemonError, Result};
pub use plan::{Plan, PlannedPack};
pub use runner::{Told, run};
