//! The problems that each query has, so that a lasting one is logged once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::status::Status;

/// The problems that the status log last reported, by query.
#[derive(Debug, Default)]
pub(crate) struct Reported(Mutex<HashMap<String, Problems>>);

#[derive(Debug, Default)]
struct Problems {
    warnings: BTreeSet<String>,
    error: Option<String>,
}

impl Reported {
    /// Logs the warnings of a run that succeeded: those that its last run did not have, and the end of the others.
    pub(crate) fn succeeded(&self, status: &Status, name: &str, warnings: BTreeSet<String>) {
        self.with(name, |known| {
            if let Some(error) = known.error.take() {
                status.info(&format!("{name}: succeeded again after: {error}"));
            }
            for ended in known.warnings.difference(&warnings) {
                status.info(&format!("{name}: no longer: {ended}"));
            }
            for new in warnings.difference(&known.warnings) {
                status.warn(&format!("{name}: {new}"));
            }
            known.warnings = warnings;
        });
    }

    /// Logs why a run failed, unless its last run failed for the same reason.
    pub(crate) fn failed(&self, status: &Status, name: &str, warnings: BTreeSet<String>, error: &str) {
        self.with(name, |known| {
            for new in warnings.difference(&known.warnings) {
                status.warn(&format!("{name}: {new}"));
            }
            // The earlier warnings may still apply: this run did not get far enough to show.
            known.warnings.extend(warnings);
            if known.error.as_deref() != Some(error) {
                status.error(&format!("{name}: {error}"));
                known.error = Some(error.to_owned());
            }
        });
    }

    /// Forgets the queries for which the function returns false.
    pub(crate) fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| keep(name));
    }

    fn with(&self, name: &str, work: impl FnOnce(&mut Problems)) {
        work(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(warnings: &[&str]) -> BTreeSet<String> {
        warnings.iter().map(|warning| (*warning).to_owned()).collect()
    }

    #[test]
    fn a_lasting_problem_is_logged_once_and_when_it_changes() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("status.log");
        let status = Status::new(Some(&file), "host").expect("a log");
        let reported = Reported::default();
        let mut seen = 0;
        let mut logged = || -> Vec<String> {
            let text = std::fs::read_to_string(&file).expect("read");
            let lines = text.lines().skip(seen).map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
                line["message"].as_str().expect("text").to_owned()
            });
            let lines: Vec<String> = lines.collect();
            seen += lines.len();
            lines
        };
        for _ in 0..3 {
            reported.succeeded(&status, "q", set(&["a", "b"]));
        }
        assert_eq!(logged(), ["q: a", "q: b"]);
        reported.succeeded(&status, "other", set(&["a"]));
        assert_eq!(logged(), ["other: a"]);
        reported.succeeded(&status, "q", set(&["b", "c"]));
        assert_eq!(logged(), ["q: no longer: a", "q: c"]);
        for _ in 0..3 {
            reported.failed(&status, "q", set(&["c"]), "timeout");
        }
        assert_eq!(logged(), ["q: timeout"]);
        reported.failed(&status, "q", set(&[]), "no memory");
        assert_eq!(logged(), ["q: no memory"]);
        reported.succeeded(&status, "q", set(&[]));
        assert_eq!(logged(), ["q: succeeded again after: no memory", "q: no longer: b", "q: no longer: c"]);
        reported.failed(&status, "q", set(&[]), "no memory");
        reported.retain(|name| name != "q");
        reported.failed(&status, "q", set(&[]), "no memory");
        assert_eq!(logged(), ["q: no memory", "q: no memory"]);
    }
}
