//! What can be wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

/// Result of reading a configuration.
pub type Result<T, E = ConfigError> = std::result::Result<T, E>;

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file; `None` for text that was handed in.
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
        /// What the system said.
        reason: String,
    },
    /// Others than the reader and root can write the file, or replace it.
    #[error("the configuration {} is refused, because {reason}", file.display())]
    Untrusted {
        /// The file.
        file: PathBuf,
        /// Who can, and what to do.
        reason: String,
    },
    /// It is not TOML.
    #[error("{place}: not valid TOML: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser said.
        message: String,
    },
    /// A key that does not exist.
    #[error("{place}: unknown {} `{key}`{}", if *.section { "section" } else { "key" }, help(.suggestion, .allowed))]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key, with its section.
        key: String,
        /// Whether a section was expected there.
        section: bool,
        /// The key that was probably meant.
        suggestion: Option<String>,
        /// The keys that exist there.
        allowed: Vec<String>,
    },
    /// A key with a value that it cannot have.
    #[error("{place}: `{key}`: {message}")]
    Value {
        /// Where.
        place: Place,
        /// The key, with its section.
        key: String,
        /// What is wrong, and what would be right.
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
