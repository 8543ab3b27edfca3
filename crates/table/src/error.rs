//! Errors of a table while it reads its source.

use std::io;
use std::time::Duration;

use crate::sys::Sys;
use crate::value::Timestamp;

/// The outcome of a read that returned no value.
///
/// These variants are all failures that the engine distinguishes. Each determines the rows, warnings and retries of a
/// scan. So a table maps its client's errors to them, and does nothing else about failures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It was removed during the read: a process exited, a pod was deleted. Produces no row and no warning.
    #[error("{0} is gone")]
    Gone(String),
    /// The user has no permission. The columns are NULL, or the slice is missing, and one warning names the permission.
    #[error("{what}: permission denied{}", needs_suffix(.needs))]
    Denied {
        /// What could not be read.
        what: String,
        /// The missing permission, if known.
        needs: Option<String>,
    },
    /// The system does not have it: for example the socket, API group or kernel interface is missing.
    #[error("{0}")]
    Unsupported(String),
    /// This machine does not have it: hardware, a service, a database of packages. There are no rows, and nothing is
    /// missing; a note reports it.
    #[error("{0}")]
    Absent(String),
    /// The data is malformed.
    #[error("{0}")]
    Malformed(String),
    /// A line of a file is malformed.
    #[error("{file}, line {line}: {what}")]
    BadLine {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with the line.
        what: String,
    },
    /// The endpoint limits the rate of calls; the call can be retried.
    #[error("{what}: throttled{}", wait_suffix(.retry_after))]
    Throttled {
        /// The rejected call.
        what: String,
        /// The requested delay.
        retry_after: Option<Duration>,
    },
    /// The endpoint failed temporarily: a 5xx response, a reset connection; the call can be retried.
    #[error("{0}")]
    Unavailable(String),
    /// No response before the timeout.
    #[error("{what}: no response within {limit:?}")]
    TimedOut {
        /// The call.
        what: String,
        /// The timeout.
        limit: Duration,
    },
    /// Input or output failed.
    #[error("{what}: {message}")]
    Io {
        /// What was being read.
        what: String,
        /// The system's error message.
        message: String,
    },
    /// The query's memory limit is exceeded. The query fails.
    #[error("{0}")]
    OutOfMemory(String),
    /// The query was cancelled while the scan ran.
    #[error("cancelled")]
    Cancelled,
}

/// Result of a read.
pub type Result<T, E = Error> = std::result::Result<T, E>;

fn needs_suffix(needs: &Option<String>) -> String {
    needs.as_ref().map(|needs| format!(" (needs {needs})")).unwrap_or_default()
}

fn wait_suffix(asked: &Option<Duration>) -> String {
    let asked = asked.filter(|asked| !asked.is_zero());
    asked.map(|asked| format!(", retry after {asked:?}")).unwrap_or_default()
}

/// The delay of a `Retry-After` header, which is in seconds or a point in time.
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

    /// An input or output error, with the name of its object.
    pub fn io(what: impl Into<String>, error: &io::Error) -> Self {
        let what = what.into();
        match error.kind() {
            // A path through a file, a cycle of links, or a path that is too long: nothing exists there.
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

    /// Whether it ends the entire query, even if other data could still be read.
    pub fn ends_query(&self) -> bool {
        matches!(self, Error::Cancelled | Error::OutOfMemory(_))
    }

    /// The delay that the endpoint requested before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Throttled { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Adds a permission or a name to an error, where the caller knows more than the reader.
pub trait ErrorContext<T> {
    /// Names the missing permission of a [`Denied`](Error::Denied).
    fn needs(self, permission: &str) -> Result<T>;
    /// Turns [`Gone`](Error::Gone) into `None`, for objects that may be absent.
    fn if_present(self) -> Result<Option<T>>;
}

impl<T> ErrorContext<T> for Result<T> {
    fn needs(self, permission: &str) -> Result<T> {
        self.map_err(|error| match error {
            // A sandbox may refuse root, too.
            Error::Denied { what, .. } if permission == "root" && Sys::live().uid() == 0 => {
                Error::Denied { what, needs: None }
            }
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
        assert_eq!(throttled(Some(Duration::from_secs(3600))), "GET /x: throttled, retry after 3600s");
    }
}
