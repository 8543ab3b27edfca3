//! What can go wrong while a table reads its source.

use std::io;
use std::time::Duration;

use crate::value::Timestamp;

/// The outcome of a reading that brought no value.
///
/// The variants are the engine's whole vocabulary of failure: each decides what the rows, the warnings and the retries
/// of a scan look like, so a table maps its client's errors onto them and does nothing else about failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It vanished while being read: a process exited, a pod was deleted. Gives no row and no warning.
    #[error("{0} is gone")]
    Gone(String),
    /// The caller may not read it. The columns are NULL, or the slice is missing, and one warning names the permission.
    #[error("{what}: permission denied{}", needs_suffix(.needs))]
    Denied {
        /// What could not be read.
        what: String,
        /// The permission that would have allowed it, where it is known.
        needs: Option<String>,
    },
    /// The system does not have it: no such socket, API group or kernel interface.
    #[error("{0}")]
    Unsupported(String),
    /// It was read, and is not what it should be.
    #[error("{0}")]
    Malformed(String),
    /// A line of a file is not what it should be.
    #[error("{file}, line {line}: {what}")]
    BadLine {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The endpoint asked to be left alone for a while; worth another attempt.
    #[error("{what}: throttled{}", wait_suffix(.retry_after))]
    Throttled {
        /// The call that was refused.
        what: String,
        /// How long the endpoint asked to wait.
        retry_after: Option<Duration>,
    },
    /// The endpoint failed in a way that may pass: a 5xx answer, a reset connection; worth another attempt.
    #[error("{0}")]
    Unavailable(String),
    /// No answer in time.
    #[error("{what}: no answer within {limit:?}")]
    TimedOut {
        /// The call that was given up.
        what: String,
        /// The limit that it ran into.
        limit: Duration,
    },
    /// Input or output failed.
    #[error("{what}: {message}")]
    Io {
        /// What was being read.
        what: String,
        /// The system's words.
        message: String,
    },
    /// The query's memory does not suffice. It fails the query.
    #[error("{0}")]
    OutOfMemory(String),
    /// The query was cancelled while the scan ran.
    #[error("cancelled")]
    Cancelled,
}

/// Result of a reading.
pub type Result<T, E = Error> = std::result::Result<T, E>;

fn needs_suffix(needs: &Option<String>) -> String {
    needs.as_ref().map(|needs| format!(" (needs {needs})")).unwrap_or_default()
}

fn wait_suffix(asked: &Option<Duration>) -> String {
    let asked = asked.filter(|asked| !asked.is_zero());
    asked.map(|asked| format!(", asks to wait {asked:?}")).unwrap_or_default()
}

/// How long a `Retry-After` header asks to wait: it says so in seconds, or by the time when to come back.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = chrono::DateTime::parse_from_rfc2822(header).ok()?;
    Some(Duration::from_secs(u64::try_from(until.timestamp() - now.seconds()).unwrap_or(0)))
}

impl Error {
    /// A [`Denied`](Error::Denied) without a known permission.
    pub fn denied(what: impl Into<String>) -> Self {
        Error::Denied { what: what.into(), needs: None }
    }

    /// An input or output error on something that has a name.
    pub fn io(what: impl Into<String>, error: &io::Error) -> Self {
        let what = what.into();
        match error.kind() {
            // A path that leads through a file or round in a circle, or that is too long for any, leads to nothing.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
                Error::Gone(what)
            }
            _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => Error::Gone(what),
            io::ErrorKind::PermissionDenied => Error::denied(what),
            _ if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Error::Gone(what),
            _ => Error::Io { what, message: error.to_string() },
        }
    }

    /// Whether another attempt could succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Throttled { .. } | Error::Unavailable(_) | Error::TimedOut { .. })
    }

    /// Whether the whole query ends with it, whatever else could still be read.
    pub fn ends_query(&self) -> bool {
        matches!(self, Error::Cancelled | Error::OutOfMemory(_))
    }

    /// How long the endpoint asked to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Throttled { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Puts a permission or a name on an error, where the caller knows more than the reader did.
pub trait ErrorContext<T> {
    /// Names the permission that a [`Denied`](Error::Denied) lacked.
    fn needs(self, permission: &str) -> Result<T>;
    /// Turns [`Gone`](Error::Gone) into `None`: for what may well be absent.
    fn if_present(self) -> Result<Option<T>>;
}

impl<T> ErrorContext<T> for Result<T> {
    fn needs(self, permission: &str) -> Result<T> {
        self.map_err(|error| match error {
            Error::Denied { what, .. } => Error::Denied { what, needs: Some(permission.to_owned()) },
            other => other,
        })
    }

    fn if_present(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Error::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_until_a_time() {
        let now = Timestamp(784_111_777_000_000);
        for (header, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(header, now), seconds.map(Duration::from_secs), "{header}");
        }
    }

    #[test]
    fn who_is_throttled_hears_for_how_long() {
        let throttled = |retry_after| Error::Throttled { what: "GET /x".into(), retry_after }.to_string();
        assert_eq!(throttled(None), "GET /x: throttled");
        assert_eq!(throttled(Some(Duration::ZERO)), "GET /x: throttled");
        assert_eq!(throttled(Some(Duration::from_secs(3600))), "GET /x: throttled, asks to wait 3600s");
    }
}
