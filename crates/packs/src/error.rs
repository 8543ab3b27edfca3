//! Errors of packs, their state and their logs.

use std::path::PathBuf;

/// Result of working with packs.
pub type Result<T, E = PackError> = std::result::Result<T, E>;

/// Why a pack, its state or its log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {reason}", file.display())]
    Read {
        /// The file or folder.
        file: PathBuf,
        /// The system's error.
        reason: String,
    },
    /// A file is malformed.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong, and what is valid.
        message: String,
    },
    /// The pack has no query with this name.
    #[error("the pack {pack} has no query `{query}`{}", suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    UnknownQuery {
        /// The pack.
        pack: String,
        /// The name.
        query: String,
        /// The name that the user probably meant.
        suggestion: Option<String>,
    },
    /// The state file cannot be used.
    #[error("the state file {}: {reason}", file.display())]
    State {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A log cannot be written.
    #[error("cannot write {}: {reason}", file.display())]
    Log {
        /// The file.
        file: PathBuf,
        /// The system's error.
        reason: String,
    },
    /// A query failed.
    #[error(transparent)]
    Query(#[from] indago_engine::Error),
    /// A discovery query returned no row but could not read everything.
    #[error("the query returned no row, but could not read {reason}: {sql}")]
    Undecided {
        /// The query.
        sql: String,
        /// What could not be read.
        reason: String,
    },
    /// Rows cannot be written as JSON.
    #[error("cannot write the rows as JSON: {0}")]
    Rows(String),
}
