//! `engine_coverage`: how much of each slice the last query read.

use indago_table::prelude::*;

use super::{Itself, last_query};

/// How much of each slice the last query of this session read. A slice is a cluster, an account and region, a
/// repository or a host. Queries of the engine's own tables do not count.
#[derive(Debug, Default, Table)]
#[table(name = "engine_coverage", env = Itself, timeless, rows = 10)]
#[example(
    "Slices that were not read completely.",
    "SELECT table_name, slice, completeness, message FROM engine_coverage WHERE completeness <> 'complete'"
)]
pub(crate) struct EngineCoverage {
    /// The table that was read.
    table_name: String,
    /// The slice, as named in warnings and `EXPLAIN`; empty for a table that has only one.
    slice: String,
    /// Values that all rows of the slice share, by column: `cluster`, `region`, `repo`.
    known: Map,
    /// `complete`: the slice was read completely. `partial`: some rows or columns are missing, or the query needed no
    /// more rows. `failed`: the scan of the slice ended with an error, and all or the remaining rows are missing.
    completeness: String,
    /// When its scan began.
    moment: Timestamp,
    /// Rows read.
    rows: i64,
    /// The part of the slice that is missing, such as a source of columns; NULL if nothing is missing.
    origin: Option<String>,
    /// `denied`, `unsupported`, `malformed`, `io` or `missing`; NULL if nothing is missing.
    outcome: Option<String>,
    /// The first error; NULL if nothing is missing.
    message: Option<String>,
    /// The missing permission; NULL if it is not known.
    needs: Option<String>,
}

impl Rows for EngineCoverage {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let coverage = last_query(scan).coverage.clone();
        Ok(coverage.into_iter().map(|slice| {
            let (origin, outcome, message, needs) = match slice.problem {
                Some(problem) => {
                    let outcome = problem.outcome.name().to_owned();
                    (Some(problem.origin), Some(outcome), Some(problem.message), problem.needs)
                }
                None => (None, None, None, None),
            };
            EngineCoverage {
                table_name: slice.table,
                slice: slice.slice,
                known: slice.known.into_iter().collect(),
                completeness: slice.completeness.name().to_owned(),
                moment: slice.moment,
                rows: i64::try_from(slice.rows).unwrap_or(i64::MAX),
                origin,
                outcome,
                message,
                needs,
            }
        }))
    }
}
