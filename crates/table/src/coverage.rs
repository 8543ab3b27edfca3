//! How much of each slice of a table a query has read.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use crate::diagnostic::Warning;
use crate::value::Timestamp;

/// How the reading of a slice ended, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Completeness {
    /// It was read to its end, and nothing is missing.
    Complete,
    /// Some of its rows or columns are missing: they could not be read, or the query needed no more rows.
    Partial,
    /// The reading ended with an error: the slice's rows, or the rest of them, are missing.
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

/// How much of one slice of a table was read. A slice that is read several times, once for each batch of a join's keys,
/// counts once, with the worst end that a reading of it had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// The table.
    pub table: String,
    /// The slice, as warnings and `EXPLAIN` name it: a cluster, an account and region, a repository; empty for a table
    /// that has only one.
    pub slice: String,
    /// What all rows of the slice have in common, by column: `cluster`, `region`, `repo`.
    pub known: BTreeMap<String, String>,
    /// How its reading ended.
    pub completeness: Completeness,
    /// When its reading began.
    pub moment: Timestamp,
    /// Rows that it gave.
    pub rows: u64,
    /// What is missing, and why: the worst of its warnings. `None` for a partial slice of which the query needed no more
    /// rows.
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

    /// Whether rows may be missing that another reading could find: the reading failed, or something in it did for a
    /// reason that may pass.
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

/// The coverage of one query, as it grows.
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
    /// Readings that have begun and not ended.
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

    /// Counts rows of a reading that the query needed no more of.
    pub(crate) fn add_rows(&self, table: &str, slice: &str, rows: u64, moment: Timestamp) {
        self.with(table, slice, moment, |entry| entry.coverage.rows += rows);
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
