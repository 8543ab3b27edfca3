//! Requests: what a scan reads from a table, and what several scans can read together.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::common::Result;
use indago_table::{Constraints, TableRef, TableSpec, Timestamp};

use crate::condition::{self, Condition};
use crate::constraints;

/// A request to a table: the columns, and which rows.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Wanted columns, in output order.
    pub(crate) columns: Vec<usize>,
    /// Constraints that the table applies, exactly or as hints.
    pub(crate) constraints: Arc<Constraints>,
    /// If `constraints` are not enough for a keyed table: the alternatives to read it by. Each includes the
    /// constraints.
    pub(crate) alternatives: Arc<[Constraints]>,
    /// Further conditions that are checked on the rows.
    pub(crate) conditions: Vec<Condition>,
    /// The number of rows that are enough.
    pub(crate) limit: Option<usize>,
    /// The past time whose rows are wanted.
    pub(crate) as_of: Option<Timestamp>,
}

impl Request {
    /// A request that covers several others with the same constraints, with `more` columns. Its rows include all of
    /// theirs, and possibly others.
    pub(crate) fn union<'a>(requests: impl IntoIterator<Item = &'a Request>, more: &[usize]) -> Option<Request> {
        let requests: Vec<&Request> = requests.into_iter().collect();
        let (first, others) = requests.split_first()?;
        let is_common = |condition: &&Condition| others.iter().all(|other| other.conditions.contains(condition));
        let mut conditions: Vec<Condition> = first.conditions.iter().filter(is_common).cloned().collect();
        let own = |request: &&Request| {
            let own = request.conditions.iter().filter(|condition| !conditions.contains(condition));
            own.cloned().collect::<Vec<_>>()
        };
        let mut lists: Vec<Vec<Condition>> = requests.iter().map(own).collect();
        lists.dedup();
        if lists.iter().all(|own| !own.is_empty()) {
            conditions.push(Condition::any_of(lists));
        }
        let mut columns: Vec<usize> =
            requests.iter().flat_map(|request| &request.columns).chain(more).copied().collect();
        if requests.iter().any(|request| request.conditions != conditions) {
            columns.extend(requests.iter().flat_map(|request| &request.conditions).flat_map(Condition::columns));
        }
        columns.sort_unstable();
        columns.dedup();
        Some(Request { columns, conditions, limit: None, ..(*first).clone() })
    }

    /// The constrained columns.
    pub(crate) fn constrained(&self) -> BTreeSet<usize> {
        self.alternatives
            .iter()
            .chain([&*self.constraints])
            .flat_map(|constraints| constraints.0.keys())
            .copied()
            .collect()
    }

    /// The constraints as text.
    pub(crate) fn constraints_of(&self, spec: &TableSpec) -> String {
        match &*self.alternatives {
            [] => constraints::describe(spec, &self.constraints),
            several => several.iter().map(|one| constraints::describe(spec, one)).collect::<Vec<_>>().join(" OR "),
        }
    }

    /// The constraints and the time of a scan as text.
    pub(crate) fn described(&self, table: &TableRef) -> String {
        let constraints = Some(self.constraints_of(table.spec())).filter(|text| !text.is_empty());
        let as_of = self.as_of.map(|moment| format!("as of {moment}"));
        let period = table.period().map(|period| period.to_string());
        constraints.into_iter().chain(as_of).chain(period).collect::<Vec<_>>().join(" ")
    }

    /// All columns that a scan for this request reads, ascending.
    pub(crate) fn needs(&self) -> Vec<usize> {
        let checked = self.conditions.iter().flat_map(Condition::columns);
        let mut columns = self.constrained();
        columns.extend(self.columns.iter().chain(checked));
        columns.into_iter().collect()
    }

    /// The rows and columns of this request, from rows of a [`union`](Self::union).
    pub(crate) fn select(&self, union: &Request, rows: &RecordBatch) -> Result<RecordBatch> {
        let unchecked = if union.conditions == self.conditions { &[] } else { self.conditions.as_slice() };
        let rows = condition::sift(unchecked, &union.columns, rows.clone())?;
        let position = |column: &usize| union.columns.binary_search(column).expect("the union has all columns");
        Ok(rows.project(&self.columns.iter().map(position).collect::<Vec<_>>())?)
    }
}

/// Marks a scan that gets its keys from a lookup join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The scan's number in its plan.
    pub(crate) leaf: usize,
    /// Columns by which the scan is looked up.
    pub(crate) columns: Vec<usize>,
    /// Columns that get keys from other joins, as constraints.
    pub(crate) further: Vec<usize>,
    /// Set if the keys of the first column are patterns; whether these ignore case.
    pub(crate) pattern: Option<bool>,
}

impl Binding {
    /// All columns that get keys from joins.
    pub(crate) fn all_columns(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().chain(&self.further).copied()
    }
}
