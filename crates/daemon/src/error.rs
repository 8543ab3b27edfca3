//! What keeps a daemon from running.

use std::path::PathBuf;

/// Result of the daemon's work.
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
        /// What the system said.
        reason: String,
    },
    /// Two queries would share one memory of their rows.
    #[error("two queries are named `{name}`: {first}, and {second}; rename one")]
    SameName {
        /// The name.
        name: String,
        /// Where it is given first.
        first: String,
        /// Where it is given again.
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
        /// What the system said.
        reason: String,
    },
}
