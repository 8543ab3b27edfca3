//! `engine_warnings`: warnings of the last query.

use indago_table::prelude::*;

use super::{Itself, last_query};

/// Data that the last query of this session could not read. Queries of the engine's own tables do not count.
#[derive(Debug, Default, Table)]
#[table(name = "engine_warnings", env = Itself, timeless, rows = 10)]
#[example("What was missing, and what would help.", "SELECT table_name, origin, message, needs FROM engine_warnings")]
pub(crate) struct EngineWarning {
    /// The table that was read.
    table_name: String,
    /// The part that is missing: a source of columns, a cluster, an account and region, a repository.
    origin: String,
    /// `denied`, `unsupported`, `malformed`, `io` or `missing`.
    outcome: String,
    /// The first error.
    message: String,
    /// The missing permission; NULL if it is not known.
    needs: Option<String>,
    /// Number of rows or slices affected.
    count: i64,
}

impl Rows for EngineWarning {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let warnings = last_query(scan).warnings.clone();
        Ok(warnings.into_iter().map(|warning| EngineWarning {
            table_name: warning.table,
            origin: warning.origin,
            outcome: warning.outcome.name().to_owned(),
            message: warning.message,
            needs: warning.needs,
            count: i64::try_from(warning.count).unwrap_or(i64::MAX),
        }))
    }
}
