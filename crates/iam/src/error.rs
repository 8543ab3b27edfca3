//! Errors of policies and requests.

/// Why a policy or a request cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text is not JSON, or an object has a key twice.
    #[error("{place}: {why}")]
    Syntax {
        /// The policy or document.
        place: String,
        /// What is wrong, with line and column.
        why: String,
    },
    /// A part of a document does not have the form that it needs.
    #[error("{place}: {why}")]
    Malformed {
        /// The part: `identity_policies[0].Statement[1].Effect`.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// A text is longer than any policy can be.
    #[error("{place}: {bytes} bytes, which is more than the limit of {limit}")]
    TooLarge {
        /// The policy or document.
        place: String,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

/// Result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn malformed(place: &str, why: impl Into<String>) -> Self {
        Error::Malformed { place: cut(place), why: cut(&why.into()) }
    }

    pub(crate) fn syntax(place: &str, why: &serde_json::Error) -> Self {
        Error::Syntax { place: cut(place), why: cut(&why.to_string()) }
    }

    pub(crate) fn too_large(place: &str, bytes: usize, limit: usize) -> Self {
        Error::TooLarge { place: cut(place), bytes, limit }
    }
}

/// The text without its middle if it is long: names and values in messages are those of the document.
fn cut(text: &str) -> String {
    const SHOWN: usize = 300;
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    let start = text.floor_char_boundary(SHOWN / 2);
    let end = text.ceil_char_boundary(text.len() - SHOWN / 2);
    format!("{}..{}", &text[..start], &text[end..])
}
