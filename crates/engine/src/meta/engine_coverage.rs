//! `engine_coverage`: how much of each slice the last query read.

use indago_table::prelude::*;

use super::{Itself, last_query};

/// How much of each slice of each table the last query of this session read: a cluster, an account and region, a repository, a host.
/// Queries of the engine's own tables do not count as the last.
#[derive(Debug, Default, Table)]
#[table(name = "engine_coverage", env = Itself, timeless, rows = 10)]
#[example(
    "Slices that were not read to their end.",
    "SELECT table_name, slice, completeness, message FROM engine_coverage WHERE completeness <> 'complete'"
)]
pub(crate) struct EngineCoverage {
    /// The table that was read.
    table_name: String,
    /// The slice of it, as warnings and `EXPLAIN` name it; empty for a table that has only one.
    slice: String,
    /// What all rows of the slice have in common, by column: `cluster`, `region`, `repo`.
    known: Map,
    /// `complete`: it was read to its end, and nothing is missing. `partial`: some of its rows or columns are missing, or
    /// the query needed no more rows. `failed`: its reading ended with an error, and its rows, or the rest of them, are
    /// missing.
    completeness: String,
    /// When its reading began.
    moment: Timestamp,
    /// Rows that it gave.
    rows: i64,
    /// What part of the slice is missing, such as a source of columns; NULL if nothing is.
    origin: Option<String>,
    /// `denied`, `unsupported`, `malformed`, `io` or `missing`; NULL if nothing is missing.
    outcome: Option<String>,
    /// The first error, in its own words; NULL if nothing is missing.
    message: Option<String>,
    /// The permission that would have helped; NULL where it is not known.
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
