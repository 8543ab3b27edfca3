//! The slices that a run could not read completely, and the rows that belong to them.

use std::collections::BTreeMap;

use indago_engine::{Coverage, Lineage, Query};
use serde_json::Value;

use crate::log::{escaped, written_name};

/// The slices that a run did not read completely. Their rows are not compared with other runs: a missing row was not
/// removed, and a present row may be incomplete.
#[derive(Debug, Clone, Default)]
pub struct Unread(Vec<Slice>);

#[derive(Debug, Clone)]
struct Slice {
    /// The slice, and why it was not read.
    reason: String,
    /// For each scan of the table: columns of the result and the values that they have in rows of this slice.
    scans: Vec<Vec<(String, String)>>,
}

impl Unread {
    /// The slices that a query could not read completely, except those that would be incomplete on every attempt.
    pub fn of(query: &Query) -> Self {
        let missing: Vec<Coverage> = query.coverage().into_iter().filter(Coverage::may_change).collect();
        if missing.is_empty() {
            return Self::default();
        }
        let lineage = query.lineage();
        // If several columns have one name, result lines have the last one.
        let schema = query.schema();
        let names: BTreeMap<&str, usize> =
            schema.fields().iter().enumerate().map(|(index, field)| (written_name(field), index)).collect();
        let slice = |coverage: Coverage| Slice {
            scans: lineage
                .iter()
                .filter(|scan| scan.table == coverage.table)
                .map(|scan| in_result(scan, &coverage, &names))
                .collect(),
            reason: reason(&coverage),
        };
        Self(missing.into_iter().map(slice).collect())
    }

    /// Whether everything was read completely.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The incomplete slices, and why.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|slice| slice.reason.as_str())
    }

    /// Whether a row, as JSON, may belong to an incomplete slice.
    pub fn holds(&self, row: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let columns: BTreeMap<String, Value> = serde_json::from_str(row).unwrap_or_default();
        // A missing value, as after an outer join, matches any slice.
        let differs = |(column, value): &(String, String)| match columns.get(column) {
            Some(Value::String(text)) => !text.is_empty() && text != value,
            Some(number @ Value::Number(_)) => {
                let shown = number.to_string();
                shown != *value
            }
            _ => false,
        };
        let concerns =
            |slice: &Slice| slice.scans.is_empty() || slice.scans.iter().any(|scan| !scan.iter().any(differs));
        self.0.iter().any(concerns)
    }

    #[cfg(test)]
    pub(crate) fn of_slice(columns: &[(&str, &str)]) -> Self {
        let columns = columns.iter().map(|(column, value)| ((*column).to_owned(), (*value).to_owned())).collect();
        Self(vec![Slice { reason: String::new(), scans: vec![columns] }])
    }
}

/// The result columns that show the shared values of a slice's rows.
fn in_result(scan: &Lineage, coverage: &Coverage, names: &BTreeMap<&str, usize>) -> Vec<(String, String)> {
    let mut columns = Vec::new();
    for (column, value) in &coverage.known {
        let places = scan.columns.get(column).into_iter().flatten();
        let shown = places.filter_map(|place| names.iter().find(|(_, index)| *index == place));
        columns.extend(shown.map(|(name, _)| ((*name).to_owned(), escaped(value).into_owned())));
    }
    columns
}

fn reason(coverage: &Coverage) -> String {
    let slice = if coverage.slice.is_empty() { String::new() } else { format!(" ({})", coverage.slice) };
    let why = coverage.problem.as_ref().map(|problem| format!(": {}", problem.message)).unwrap_or_default();
    format!("{}{slice}{why}", coverage.table)
}
