//! Errors that prevent the daemon from running.

use std::path::PathBuf;

use indago::config::Listen;

/// Result of a daemon operation.
pub type Result<T, E = DaemonError> = std::result::Result<T, E>;

/// Why a daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration cannot be read, or its engine cannot be built.
    #[error("{0}")]
    Config(String),
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] indago::packs::PackError),
    /// A scheduled pack cannot be read.
    #[error("packs.{name}: {error}")]
    Pack {
        /// The key in the configuration.
        name: String,
        /// Why not.
        error: indago::packs::PackError,
    },
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
        "nothing is scheduled; add `[schedule.<name>]` with a query, `[packs]` with a pack, or `[record]` with `enabled = \
         true`, to the configuration"
    )]
    Empty,
    /// A query that the engine cannot plan.
    #[error("{name} ({place}): {reason}")]
    Invalid {
        /// The query.
        name: String,
        /// Where it is defined.
        place: String,
        /// Why not, and what to write.
        reason: String,
    },
    /// The directory of a file does not exist. The daemon does not create it, because the path may be mistyped.
    #[error(
        "daemon.{key}: the directory {} of {} does not exist; create it, or correct the path",
        directory.display(), file.display()
    )]
    Directory {
        /// The key in the configuration.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// Its directory.
        directory: PathBuf,
    },
    /// A log cannot be written.
    #[error("cannot write {}: {reason}", file.display())]
    Log {
        /// The file.
        file: PathBuf,
        /// The system's error.
        reason: String,
    },
    /// The address for metrics cannot be used.
    #[error("daemon.metrics: cannot listen on {address}: {reason}")]
    Metrics {
        /// The address.
        address: Listen,
        /// Why not.
        reason: String,
    },
    /// A new configuration names another state file.
    #[error("daemon.state: the state file cannot change while the daemon runs; restart it")]
    StateFile,
    /// Several errors.
    #[error("{} (and {} more: run `indago daemon --check`)", .0[0], .0.len() - 1)]
    Several(Vec<DaemonError>),
}

impl DaemonError {
    /// All of these errors as one; `Ok` if there is none.
    pub(crate) fn all(mut errors: Vec<DaemonError>) -> Result<()> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(DaemonError::Several(errors)),
        }
    }
}
