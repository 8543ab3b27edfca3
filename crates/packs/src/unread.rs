//! What a run could not read whole, and which of its rows that concerns.

use std::collections::BTreeMap;

use indago_engine::{Coverage, Lineage, Query};
use serde_json::Value;

use crate::log::{escaped, written_name};

/// The parts of tables that a run did not read whole. Their rows are not compared with those of other runs: what is
/// missing was not removed, and what is there may lack something.
#[derive(Debug, Clone, Default)]
pub struct Unread(Vec<Slice>);

#[derive(Debug, Clone)]
struct Slice {
    /// Which it is, and why it was not read.
    reason: String,
    /// For each scan of the table: what the rows that come from the slice have in these columns of the result.
    scans: Vec<Vec<(String, String)>>,
}

impl Unread {
    /// What a query that has run could not read whole, other than what another attempt would lack as well.
    pub fn of(query: &Query) -> Self {
        let missing: Vec<Coverage> = query.coverage().into_iter().filter(Coverage::may_change).collect();
        if missing.is_empty() {
            return Self::default();
        }
        let lineage = query.lineage();
        // Of several columns of one name, result lines have the last.
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

    /// Whether everything was read whole.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was not read whole, and why.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|slice| slice.reason.as_str())
    }

    /// Whether a row, as JSON, may come from a part that was not read whole.
    pub fn holds(&self, row: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let columns: BTreeMap<String, Value> = serde_json::from_str(row).unwrap_or_default();
        // A value that is missing, as after an outer join, tells nothing.
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

/// Where the result of a query shows what all rows of a slice have in common.
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
