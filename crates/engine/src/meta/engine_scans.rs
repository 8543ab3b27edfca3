//! `engine_scans`: statistics of the last query's scans.

use indago_table::prelude::*;

use super::{Itself, last_query};

/// Statistics of the scans of this session's last query. Queries of the engine's own tables do not count.
#[derive(Debug, Default, Table)]
#[table(name = "engine_scans", env = Itself, timeless, rows = 10)]
#[example("What the last query cost.", "SELECT table_name, constraints, rows, calls, elapsed_ms FROM engine_scans")]
pub(crate) struct EngineScan {
    /// The table that was read.
    table_name: String,
    /// Constraints that the table applied; empty if it read all rows.
    constraints: String,
    /// Conditions that were checked on the rows; empty if there were none.
    filter: String,
    /// `scan`, `lookup` (by keys of a join) or `shared` (read once for several places of the plan).
    how: String,
    /// Slices read: clusters, accounts and regions, repositories. For a lookup, they count once for each read.
    slices: i64,
    /// Rows read.
    rows: i64,
    /// Bytes read.
    bytes: i64,
    /// Files opened, directories listed and requests sent.
    calls: i64,
    /// Time during which the scan was reading, in milliseconds.
    #[column(volatile)]
    elapsed_ms: f64,
}

impl Rows for EngineScan {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let scans = last_query(scan).scans.clone();
        Ok(scans.into_iter().map(move |stats| EngineScan {
            table_name: stats.table,
            constraints: stats.constraints,
            filter: stats.filter,
            how: stats.how.to_owned(),
            slices: stats.slices as i64,
            rows: count(stats.rows),
            bytes: count(stats.bytes),
            calls: count(stats.calls),
            elapsed_ms: stats.elapsed.as_secs_f64() * 1000.0,
        }))
    }
}
