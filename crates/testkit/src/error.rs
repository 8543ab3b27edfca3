//! Errors of beds.

use std::io;
use std::path::PathBuf;

/// A failure of a bed, an installation step or a fixture.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A bed's processes did not become ready; `logs` has their last lines.
    #[error("bed {bed} did not start: {reason}\n{logs}")]
    Start { bed: &'static str, reason: String, logs: String },
    /// A program ran and failed.
    #[error("{command} failed ({status}):\n{output}")]
    Command { command: String, status: String, output: String },
    /// A file or process operation failed.
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    /// Programs that could not be installed.
    #[error("{folder} has no {missing}", folder = folder.display())]
    Missing { folder: PathBuf, missing: String },
    /// Any other error, as text.
    #[error("{0}")]
    Other(String),
}

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Adds a description to an I/O error.
pub(crate) trait Context<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { what: what(), source })
    }
}
