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
            Error::Gone(_) | Error::Cancelled | Error::OutOfMemory(_) => None,
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
    pub fn of(table: &str, origin: &str, error: &Error) -> Option<Self> {
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

/// Lines that a merged warning names one by one.
const MOST_LINES: usize = 8;

/// Adds the line that a message names to those of another that is the same otherwise: `line 3` becomes `lines 3, 7`.
fn merge_lines(known: &mut String, other: &str) {
    let (Some((before, lines, after)), Some((other_before, line, other_after))) = (lines_of(known), lines_of(other))
    else {
        return;
    };
    let before = before.trim_end_matches("line ").trim_end_matches("lines ");
    let is_same = before == other_before.trim_end_matches("line ").trim_end_matches("lines ") && after == other_after;
    let count = lines.split(", ").count();
    if !is_same || lines.split(", ").any(|known| known == line) {
        return;
    }
    *known = match count < MOST_LINES {
        true => format!("{before}lines {lines}, {line}{after}"),
        false => format!("{before}lines {lines} and others{after}"),
    };
}

/// A message up to the numbers behind `line ` or `lines `, the numbers, and the rest.
fn lines_of(message: &str) -> Option<(&str, &str, &str)> {
    let start = ["line ", "lines "].iter().find_map(|word| Some(message.find(word)? + word.len()))?;
    let (before, rest) = message.split_at(start);
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',' && c != ' ').unwrap_or(rest.len());
    let lines = rest[..end].trim_end_matches([' ', ',']);
    lines.starts_with(|c: char| c.is_ascii_digit()).then(|| (before, lines, &rest[lines.len()..]))
}

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
            merge_lines(&mut known.message, &warning.message);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(messages: &[&str]) -> Vec<String> {
        let diagnostics = Diagnostics::default();
        for message in messages {
            diagnostics.add(Warning {
                table: "users".to_owned(),
                origin: String::new(),
                outcome: Outcome::Malformed,
                message: (*message).to_owned(),
                needs: None,
                count: 1,
            });
        }
        diagnostics.warnings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn merged_warnings_name_all_their_lines() {
        let line = |number: usize| format!("/etc/passwd, line {number}: not an account");
        let lines: Vec<String> = [3, 5, 17, 5].map(line).to_vec();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(merged(&lines), ["users: /etc/passwd, lines 3, 5, 17: not an account [4 times]"]);
        let many: Vec<String> = (1..=20).map(line).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let expected = "users: /etc/passwd, lines 1, 2, 3, 4, 5, 6, 7, 8 and others: not an account [20 times]";
        assert_eq!(merged(&many), [expected]);
    }

    #[test]
    fn other_messages_stay_as_they_are() {
        for (messages, expected) in [
            (["line 1 of a: odd", "line 2 of a: odd"], "users: lines 1, 2 of a: odd [2 times]"),
            (["line 1 of a: odd", "line 2 of b: odd"], "users: line 1 of a: odd [2 times]"),
            (["online: odd", "offline: odd"], "users: online: odd [2 times]"),
            (["no line here", "no line here"], "users: no line here [2 times]"),
        ] {
            assert_eq!(merged(&messages), [expected]);
        }
    }
}
