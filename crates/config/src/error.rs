//! Errors of a configuration.

use std::fmt;
use std::path::PathBuf;

/// Result of reading a configuration.
pub type Result<T, E = ConfigError> = std::result::Result<T, E>;

/// A position in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file; `None` for text without a file.
    pub file: Option<PathBuf>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}:{}:{}", file.display(), self.line, self.column),
            None => write!(f, "line {}, column {}", self.line, self.column),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {reason}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's error.
        reason: String,
    },
    /// Users other than the reader and root can write or replace the file.
    #[error("the configuration {} is refused, because {reason}", file.display())]
    Untrusted {
        /// The file.
        file: PathBuf,
        /// Which users can, and what to do.
        reason: String,
    },
    /// The file is not valid TOML.
    #[error("{place}: not valid TOML: {message}")]
    Syntax {
        /// The position.
        place: Place,
        /// The parser's message.
        message: String,
    },
    /// A key that does not exist.
    #[error("{place}: unknown {} `{key}`{}", if *.section { "section" } else { "key" }, help(.suggestion, .allowed))]
    UnknownKey {
        /// The position.
        place: Place,
        /// The key, with its section.
        key: String,
        /// Whether a section was expected.
        section: bool,
        /// The key that the user probably meant.
        suggestion: Option<String>,
        /// The keys that are allowed there.
        allowed: Vec<String>,
    },
    /// A key with an invalid value.
    #[error("{place}: `{key}`: {message}")]
    Value {
        /// The position.
        place: Place,
        /// The key, with its section.
        key: String,
        /// What is wrong, and what is valid.
        message: String,
    },
}

fn help(suggestion: &Option<String>, allowed: &[String]) -> String {
    let mut text = String::new();
    if let Some(suggestion) = suggestion {
        text.push_str(&format!("; did you mean `{suggestion}`?"));
    }
    if !allowed.is_empty() {
        text.push_str(&format!("{} allowed here: {}", if text.is_empty() { ";" } else { "" }, allowed.join(", ")));
    }
    text
}
