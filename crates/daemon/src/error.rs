//! Errors that prevent the daemon from running.

use std::path::PathBuf;

/// Result of a daemon operation.
pub type Result<T, E = DaemonError> = std::result::Result<T, E>;

/// Why a daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A pack or the state file cannot be used.
    #[error(transparent)]
    Pack(#[from] indago::packs::PackError),
    /// A file with a scheduled query's SQL cannot be read.
    #[error("schedule.{name}: cannot read {}: {reason}", file.display())]
    QueryFile {
        /// The scheduled query.
        name: String,
        /// The file.
        file: PathBuf,
        /// The system's error.
        reason: String,
    },
    /// Two queries have one name and would share their state.
    #[error("two queries are named `{name}`: {first}, and {second}; rename one")]
    SameName {
        /// The name.
        name: String,
        /// Where the first one is defined.
        first: String,
        /// Where the second one is defined.
        second: String,
    },
    /// Nothing is scheduled.
    #[error(
        "nothing is scheduled; add `[schedule.<name>]` with a query, or `[packs]` with a pack, to the configuration"
    )]
    Empty,
    /// A log cannot be written.
    #[error("cannot write {}: {reason}", file.display())]
    Log {
        /// The file.
        file: PathBuf,
        /// The system's error.
        reason: String,
    },
}
