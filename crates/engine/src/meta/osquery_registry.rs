//! `osquery_registry`: one row per table.

use indago_table::prelude::*;

use super::Itself;

/// What the engine consists of, in osquery's form: its tables.
///
/// osquery's registry also has the plugins for configuration, logs and queries from a server; these are parts of the
/// daemon here.
#[derive(Debug, Default, Table)]
#[table(name = "osquery_registry", env = Itself, timeless, rows = 100, identity(registry, name))]
#[example("Number of tables.", "SELECT count(*) FROM osquery_registry WHERE registry = 'table' AND active = 1")]
pub(crate) struct OsqueryRegistry {
    /// Kind: `table`.
    registry: String,
    /// Name.
    name: String,
    /// Always 0: no extension owns it.
    owner_uuid: i64,
    /// Always 0: none is hidden from users.
    internal: i64,
    /// Always 1: a table that is disabled does not exist.
    active: i64,
}

impl Rows for OsqueryRegistry {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(scan.env().tables().into_iter().map(|table| OsqueryRegistry {
            registry: "table".to_owned(),
            name: table.spec().name.to_string(),
            owner_uuid: 0,
            internal: 0,
            active: 1,
        }))
    }
}
