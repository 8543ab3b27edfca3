//! Errors of rewriting, with a position in the user's text.

use sqlparser::tokenizer::Span;

/// Why a statement cannot have SQLite's meaning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DialectError {
    /// What is wrong.
    pub message: String,
    /// The line, from 1; 0 if the position is not known.
    pub line: usize,
    /// The column in characters, from 1; 0 if the position is not known.
    pub column: usize,
}

impl DialectError {
    pub(crate) fn new(message: impl Into<String>, span: Span) -> Self {
        Self { message: message.into(), line: span.start.line as usize, column: span.start.column as usize }
    }
}

pub(crate) type Result<T> = std::result::Result<T, DialectError>;
