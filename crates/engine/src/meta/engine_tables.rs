//! `engine_tables`: one row per table.

use indago_table::prelude::*;

use super::Itself;

/// All tables that queries can read, including this one.
#[derive(Debug, Default, Table)]
#[table(name = "engine_tables", env = Itself, timeless, rows = 100, identity(name))]
#[example(
    "Tables of each environment.",
    "SELECT environment, count(*) AS tables FROM engine_tables GROUP BY environment"
)]
pub(crate) struct EngineTable {
    /// Name in SQL.
    #[column(index)]
    name: String,
    /// The environment that it reads: `host`, `containers`, `kubernetes`, `aws`, `git`, `engine`, or an embedder's own.
    environment: String,
    /// Description: what one row is.
    description: String,
    /// Number of columns, hidden ones included.
    columns: i64,
    /// Columns of which one needs a constraint; empty if a query can read all rows.
    required: Vec<String>,
    /// Permissions without which it has no rows.
    needs: Vec<String>,
}

impl Rows for EngineTable {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(scan.env().tables().into_iter().map(|table| {
            let spec = table.spec();
            EngineTable {
                name: spec.name.to_string(),
                environment: spec.environment.to_string(),
                description: spec.description.to_string(),
                columns: spec.columns.len() as i64,
                required: spec.require_any.iter().map(|column| spec.columns[*column].name.to_string()).collect(),
                needs: spec.needs.iter().map(ToString::to_string).collect(),
            }
        }))
    }
}
