//! `engine_columns`: one row per column of each table.

use indago_table::prelude::*;

use super::Itself;

/// All columns of all tables, hidden ones included.
#[derive(Debug, Default, Table)]
#[table(name = "engine_columns", env = Itself, timeless, rows = 2000, identity(table_name, name))]
#[example(
    "Columns that need a permission.",
    "SELECT table_name, name, needs FROM engine_columns WHERE cardinality(needs) > 0"
)]
pub(crate) struct EngineColumn {
    /// The table.
    #[column(index)]
    table_name: String,
    /// Name in SQL.
    #[column(index)]
    name: String,
    /// Position in the table, from zero.
    position: i64,
    /// Type of its values.
    r#type: String,
    /// How filters on it are pushed down to the table: `required`, `selects`, `extends`, `index`, `pattern` or `range`;
    /// NULL if they are not.
    key: Option<String>,
    /// Whether `SELECT *` omits it.
    hidden: bool,
    /// Description.
    description: String,
    /// Permissions without which it is NULL.
    needs: Vec<String>,
}

impl Rows for EngineColumn {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(scan.env().tables().into_iter().flat_map(|table| {
            let spec = table.spec();
            let column = |(position, column): (usize, &indago_table::ColumnSpec)| EngineColumn {
                table_name: spec.name.to_string(),
                name: column.name.to_string(),
                position: position as i64,
                r#type: column.kind.name(),
                key: spec.key_name(position).map(str::to_owned),
                hidden: column.hidden,
                description: column.description.to_string(),
                needs: column.needs.iter().map(ToString::to_string).collect(),
            };
            spec.columns.iter().enumerate().map(column).collect::<Vec<_>>()
        }))
    }
}
