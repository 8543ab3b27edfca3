//! `engine_scans`: what the last query's scans did.

use indago_table::prelude::*;

use super::{Itself, last_query};

/// What the scans of this session's last query read. Queries of the engine's own tables do not count as the last.
#[derive(Debug, Default, Table)]
#[table(name = "engine_scans", env = Itself, timeless, rows = 10)]
#[example("What the last query cost.", "SELECT table_name, constraints, rows, calls, elapsed_ms FROM engine_scans")]
pub(crate) struct EngineScan {
    /// The table that was read.
    table_name: String,
    /// What was asked of it; empty for all rows.
    constraints: String,
    /// What the engine checked on the rows besides; empty for nothing.
    filter: String,
    /// `scan`, `lookup` (keys brought by a join) or `shared` (read once for several scans).
    how: String,
    /// Independent parts read: clusters, accounts and regions; for a lookup, how often it was asked.
    slices: i64,
    /// Rows that the table gave.
    rows: i64,
    /// Bytes that it read.
    bytes: i64,
    /// Files opened, folders listed, requests sent.
    calls: i64,
    /// From the first reading to the last, in milliseconds.
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
