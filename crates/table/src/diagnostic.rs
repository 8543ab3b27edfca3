//! What a query could not read.

use std::fmt;

use parking_lot::Mutex;

use crate::error::Error;

/// Why something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The caller may not read it.
    Denied,
    /// The system does not have it.
    Unsupported,
    /// It is not what it should be.
    Malformed,
    /// Reading failed, or took too long.
    Io,
    /// The file, folder or endpoint that the rows come from is not there.
    Missing,
}

impl Outcome {
    /// The outcome that an error is reported as; `None` for what is nobody's fault.
    pub fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Gone(_) | Error::Cancelled => None,
            Error::Denied { .. } => Some(Outcome::Denied),
            Error::Unsupported(_) => Some(Outcome::Unsupported),
            Error::Malformed(_) => Some(Outcome::Malformed),
            Error::Throttled { .. } | Error::Unavailable(_) | Error::TimedOut { .. } | Error::Io { .. } => {
                Some(Outcome::Io)
            }
        }
    }

    /// Its name in `engine_warnings`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Denied => "denied",
            Outcome::Unsupported => "unsupported",
            Outcome::Malformed => "malformed",
            Outcome::Io => "io",
            Outcome::Missing => "missing",
        }
    }

    /// Whether another attempt would most likely end the same way until somebody changes something.
    pub fn is_standing(self) -> bool {
        matches!(self, Outcome::Denied | Outcome::Unsupported | Outcome::Malformed)
    }
}

/// One thing that is missing from a query's rows, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The table that was read.
    pub table: String,
    /// The part of it: a source, a cluster, an account and region, a repository.
    pub origin: String,
    /// Why it is missing.
    pub outcome: Outcome,
    /// The first error, in its own words.
    pub message: String,
    /// The permission that would have helped, where it is known.
    pub needs: Option<String>,
    /// How many rows or parts it happened to.
    pub count: u64,
}

impl Warning {
    /// What an error says about a part of a table; `None` for an error that is nobody's fault.
    pub(crate) fn of(table: &str, origin: &str, error: &Error) -> Option<Self> {
        Some(Warning {
            table: table.to_owned(),
            origin: origin.to_owned(),
            outcome: Outcome::of(error)?,
            message: error.to_string(),
            needs: match error {
                Error::Denied { needs, .. } => needs.clone(),
                _ => None,
            },
            count: 1,
        })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.table)?;
        if !self.origin.is_empty() {
            write!(f, " ({})", self.origin)?;
        }
        write!(f, ": {}", self.message)?;
        if self.count > 1 {
            write!(f, " [{} times]", self.count)?;
        }
        Ok(())
    }
}

/// The warnings of one query, alike ones counted.
#[derive(Debug, Default)]
pub struct Diagnostics(Mutex<Vec<Warning>>);

/// Different warnings kept for one query; more are counted into the last.
const MOST_WARNINGS: usize = 1000;

impl Diagnostics {
    /// Adds a warning, or counts it into one that says the same of the same table and origin.
    pub fn add(&self, warning: Warning) {
        let mut warnings = self.0.lock();
        let alike = |other: &&mut Warning| {
            other.table == warning.table
                && other.origin == warning.origin
                && other.outcome == warning.outcome
                && other.needs == warning.needs
        };
        if let Some(known) = warnings.iter_mut().find(alike) {
            known.count += warning.count;
        } else if warnings.len() < MOST_WARNINGS {
            tracing::debug!(table = warning.table, origin = warning.origin, message = warning.message, "warning");
            warnings.push(warning);
        } else if let Some(last) = warnings.last_mut() {
            last.count += warning.count;
        }
    }

    /// What was gathered so far.
    pub fn warnings(&self) -> Vec<Warning> {
        self.0.lock().clone()
    }

    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}
