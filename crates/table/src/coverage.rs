//! How much of each slice of a table a query has read.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use crate::diagnostic::Warning;
use crate::value::Timestamp;

/// The outcome of reading a slice, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Completeness {
    /// Read to its end, with nothing missing.
    Complete,
    /// Some of its rows or columns are missing: they could not be read, or the query needed no more rows.
    Partial,
    /// Its scan ended with an error: the slice's rows, or the rest of them, are missing.
    Failed,
}

impl Completeness {
    /// Its name in `engine_coverage`.
    pub fn name(self) -> &'static str {
        match self {
            Completeness::Complete => "complete",
            Completeness::Partial => "partial",
            Completeness::Failed => "failed",
        }
    }
}

/// How much of one slice of a table was read. If a slice is scanned several times, once per batch of a join's keys, it
/// counts once, with the worst outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// The table.
    pub table: String,
    /// The slice, as in warnings and `EXPLAIN`: a cluster, an account and region, a repository; empty for a table with
    /// one slice.
    pub slice: String,
    /// Values that all rows of the slice share, by column: `cluster`, `region`, `repo`.
    pub known: BTreeMap<String, String>,
    /// The outcome.
    pub completeness: Completeness,
    /// Start of the first scan. If a table had the rows in memory: when they were last known to be current.
    pub moment: Timestamp,
    /// Returned rows.
    pub rows: u64,
    /// The worst warning: what is missing, and why. `None` for a slice that is partial only because the query needed no
    /// more rows.
    pub problem: Option<Warning>,
}

impl Coverage {
    fn new(table: &str, slice: &str, moment: Timestamp) -> Self {
        Coverage {
            table: table.to_owned(),
            slice: slice.to_owned(),
            known: BTreeMap::new(),
            completeness: Completeness::Complete,
            moment,
            rows: 0,
            problem: None,
        }
    }

    /// Whether another attempt could find missing rows: the slice failed, or part of it did for a temporary reason.
    pub fn may_change(&self) -> bool {
        self.completeness == Completeness::Failed
            || self.problem.as_ref().is_some_and(|problem| !problem.outcome.is_standing())
    }

    fn suffer(&mut self, completeness: Completeness, problem: Warning) {
        let is_worse = match &self.problem {
            None => true,
            Some(known) => {
                (completeness, !problem.outcome.is_standing()) > (self.completeness, !known.outcome.is_standing())
            }
        };
        if is_worse {
            self.problem = Some(problem);
        }
        self.completeness = self.completeness.max(completeness);
    }
}

/// The coverage of a running query.
#[derive(Debug, Default)]
pub(crate) struct Covered(Mutex<Slices>);

#[derive(Debug, Default)]
struct Slices {
    all: Vec<Entry>,
    by_name: HashMap<(String, String), usize>,
}

#[derive(Debug)]
struct Entry {
    coverage: Coverage,
    /// Scans that have started and not ended.
    open: usize,
}

impl Covered {
    fn with(&self, table: &str, slice: &str, moment: Timestamp, change: impl FnOnce(&mut Entry)) {
        let mut slices = self.0.lock();
        let Slices { all, by_name } = &mut *slices;
        let position = *by_name.entry((table.to_owned(), slice.to_owned())).or_insert_with(|| {
            all.push(Entry { coverage: Coverage::new(table, slice, moment), open: 0 });
            all.len() - 1
        });
        change(&mut all[position]);
    }

    pub(crate) fn begin(&self, table: &str, slice: &str, known: &BTreeMap<String, String>, moment: Timestamp) {
        self.with(table, slice, moment, |entry| {
            entry.open += 1;
            entry.coverage.known.extend(known.iter().map(|(column, value)| (column.clone(), value.clone())));
        });
    }

    pub(crate) fn end(&self, table: &str, slice: &str, rows: u64, moment: Timestamp) {
        self.with(table, slice, moment, |entry| {
            entry.open = entry.open.saturating_sub(1);
            entry.coverage.rows += rows;
        });
    }

    /// Counts the rows of a scan that ended early because the query needed no more rows.
    pub(crate) fn add_rows(&self, table: &str, slice: &str, rows: u64, moment: Timestamp) {
        self.with(table, slice, moment, |entry| entry.coverage.rows += rows);
    }

    /// Records that rows are from this point in time.
    pub(crate) fn date(&self, table: &str, slice: &str, moment: Timestamp) {
        self.with(table, slice, moment, |entry| entry.coverage.moment = entry.coverage.moment.min(moment));
    }

    pub(crate) fn suffer(&self, table: &str, slice: &str, moment: Timestamp, how: Completeness, problem: Warning) {
        self.with(table, slice, moment, |entry| entry.coverage.suffer(how, problem));
    }

    pub(crate) fn all(&self) -> Vec<Coverage> {
        let shown = |entry: &Entry| {
            let mut coverage = entry.coverage.clone();
            if entry.open > 0 {
                coverage.completeness = coverage.completeness.max(Completeness::Partial);
            }
            coverage
        };
        self.0.lock().all.iter().map(shown).collect()
    }
}
