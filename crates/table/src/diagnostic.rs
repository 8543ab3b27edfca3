//! Warnings: data that a query could not read.

use std::fmt;

use parking_lot::Mutex;

use crate::error::Error;

/// Why data is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The user has no permission to read it.
    Denied,
    /// The system does not have it.
    Unsupported,
    /// The machine does not have what the table shows, so nothing is missing.
    Absent,
    /// It is malformed.
    Malformed,
    /// Reading failed, or took too long.
    Io,
    /// The file, directory or endpoint of the rows does not exist.
    Missing,
}

impl Outcome {
    /// The outcome of an error; `None` for errors that are not reported.
    pub fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Gone(_) | Error::Cancelled => None,
            Error::Denied { .. } => Some(Outcome::Denied),
            Error::Unsupported(_) => Some(Outcome::Unsupported),
            Error::Absent(_) => Some(Outcome::Absent),
            Error::Malformed(_) | Error::BadLine { .. } => Some(Outcome::Malformed),
            // It ends the query, unless a table reports it as the error of one part.
            Error::OutOfMemory(_) => Some(Outcome::Io),
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
            Outcome::Absent => "absent",
            Outcome::Malformed => "malformed",
            Outcome::Io => "io",
            Outcome::Missing => "missing",
        }
    }

    /// Whether another attempt would probably fail in the same way until somebody changes something.
    pub fn is_standing(self) -> bool {
        matches!(self, Outcome::Denied | Outcome::Unsupported | Outcome::Absent | Outcome::Malformed)
    }
}

/// Data that is missing from a query's rows, with a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The table that was read.
    pub table: String,
    /// Part of the table: a source, a cluster, an account and region, a repository.
    pub origin: String,
    /// Why it is missing.
    pub outcome: Outcome,
    /// Message of the first error.
    pub message: String,
    /// The missing permission, if known.
    pub needs: Option<String>,
    /// Number of affected rows or parts.
    pub count: u64,
    /// The affected lines of a file, which the message also names.
    pub lines: Option<Lines>,
}

/// Malformed lines of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// The file.
    pub file: String,
    /// Numbers of the first lines, from 1.
    pub numbers: Vec<u64>,
    /// Whether more lines are affected.
    pub has_more: bool,
    /// What is wrong with the lines.
    pub what: String,
}

/// Line numbers that a warning lists.
const MOST_LINES: usize = 8;

impl Lines {
    fn add(&mut self, other: &Lines) {
        for line in &other.numbers {
            match self.numbers.contains(line) {
                true => {}
                false if self.numbers.len() < MOST_LINES => self.numbers.push(*line),
                false => self.has_more = true,
            }
        }
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lines { file, numbers, has_more, what } = self;
        let plural = if numbers.len() > 1 { "s" } else { "" };
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        write!(f, "{file}, line{plural} {}{}: {what}", numbers.join(", "), if *has_more { " and others" } else { "" })
    }
}

impl Warning {
    /// Whether it reports only that there is nothing to read, so that no row is missing.
    pub fn is_note(&self) -> bool {
        self.outcome == Outcome::Absent
    }

    /// Whether another warning is the same for the same part.
    pub fn is_like(&self, other: &Warning) -> bool {
        let of =
            |warning: &Warning| (warning.table.clone(), warning.origin.clone(), warning.outcome, warning.needs.clone());
        of(self) == of(other)
    }

    /// The warning for an error in a part of a table; `None` for an error that is not reported.
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
            lines: match error {
                Error::BadLine { file, line, what } => {
                    let (file, what) = (file.clone(), what.clone());
                    Some(Lines { file, numbers: vec![*line], has_more: false, what })
                }
                _ => None,
            },
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

/// The warnings of one query; equal ones are counted.
#[derive(Debug, Default)]
pub struct Diagnostics(Mutex<Vec<Warning>>);

/// Most different warnings of one query; further ones are counted in the last.
const MOST_WARNINGS: usize = 1000;

impl Diagnostics {
    /// Adds a warning, or increases the count of the same warning for the same table and origin.
    pub fn add(&self, warning: Warning) {
        let mut warnings = self.0.lock();
        if let Some(known) = warnings.iter_mut().find(|other| other.is_like(&warning)) {
            known.count += warning.count;
            if let (Some(known_lines), Some(lines)) = (&mut known.lines, &warning.lines)
                && (&known_lines.file, &known_lines.what) == (&lines.file, &lines.what)
            {
                known_lines.add(lines);
                known.message = known_lines.to_string();
            }
        } else if warnings.len() < MOST_WARNINGS {
            tracing::debug!(table = warning.table, origin = warning.origin, message = warning.message, "warning");
            warnings.push(warning);
        } else if let Some(last) = warnings.last_mut() {
            last.count += warning.count;
        }
    }

    /// All warnings so far.
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

    fn merged(errors: impl IntoIterator<Item = Error>) -> Vec<String> {
        let diagnostics = Diagnostics::default();
        for error in errors {
            diagnostics.add(Warning::of("users", "", &error).expect("it is reported"));
        }
        diagnostics.warnings().iter().map(ToString::to_string).collect()
    }

    fn bad(file: &str, line: u64) -> Error {
        Error::BadLine { file: file.to_owned(), line, what: "not an account".to_owned() }
    }

    #[test]
    fn merged_warnings_name_all_their_lines() {
        let lines = [3, 5, 17, 5].map(|line| bad("/etc/passwd", line));
        assert_eq!(merged(lines), ["users: /etc/passwd, lines 3, 5, 17: not an account [4 times]"]);
        let expected = "users: /etc/passwd, lines 1, 2, 3, 4, 5, 6, 7, 8 and others: not an account [20 times]";
        assert_eq!(merged((1..=20).map(|line| bad("/etc/passwd", line))), [expected]);
        assert_eq!(merged([bad("a", 1), bad("b", 2)]), ["users: a, line 1: not an account [2 times]"]);
    }

    #[test]
    fn numbers_in_messages_stay_as_they_are() {
        let text = |text: &str| Error::Malformed(text.to_owned());
        let odd = ["line 1 of a: odd", "line 2 of a: odd"].map(text);
        assert_eq!(merged(odd), ["users: line 1 of a: odd [2 times]"]);
        assert_eq!(
            merged([text("a, line 1: not an account"), bad("a", 2)]),
            ["users: a, line 1: not an account [2 times]"]
        );
    }
}
