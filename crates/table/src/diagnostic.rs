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
    /// The lines of a file that it happened to; the message names them, too.
    pub lines: Option<Lines>,
}

/// Lines of a file that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// The file.
    pub file: String,
    /// The first lines, counted from 1.
    pub numbers: Vec<u64>,
    /// Whether there are more.
    pub has_more: bool,
    /// What is wrong with them.
    pub what: String,
}

/// Lines that a warning names one by one.
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
    /// Whether another one says the same of the same part.
    pub fn is_like(&self, other: &Warning) -> bool {
        let of =
            |warning: &Warning| (warning.table.clone(), warning.origin.clone(), warning.outcome, warning.needs.clone());
        of(self) == of(other)
    }

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

/// The warnings of one query, alike ones counted.
#[derive(Debug, Default)]
pub struct Diagnostics(Mutex<Vec<Warning>>);

/// Different warnings kept for one query; more are counted into the last.
const MOST_WARNINGS: usize = 1000;

impl Diagnostics {
    /// Adds a warning, or counts it into one that says the same of the same table and origin.
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
