//! The tables of a store under a schema of their own: `monday.processes`.

use std::collections::BTreeMap;

use indago_table::scan::BoxFuture;
use indago_table::{Catalog, CatalogContext, Result, TableRef};

/// Schemas that engines have themselves.
const TAKEN: [&str; 5] = ["main", "public", "temp", "information_schema", "datafusion"];

/// The tables of a store, which queries name with the schema.
#[derive(Debug)]
pub struct Schema {
    name: String,
    /// By name, with the schema.
    tables: BTreeMap<String, TableRef>,
}

impl Schema {
    pub(crate) fn new(name: &str, tables: Vec<TableRef>) -> Self {
        let tables = tables.into_iter().map(|table| (table.spec().name.to_string(), table)).collect();
        Schema { name: name.to_owned(), tables }
    }

    /// Whether a schema may have a name: lowercase letters, digits and `_`, and not a schema of the engine.
    pub fn is_name(name: &str) -> bool {
        let may_start = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        may_start && name.bytes().all(is_plain) && !TAKEN.contains(&name)
    }
}

impl Catalog for Schema {
    fn name(&self) -> &str {
        &self.name
    }

    fn table<'a>(&'a self, name: &'a str, _context: &'a CatalogContext) -> BoxFuture<'a, Result<Option<TableRef>>> {
        Box::pin(std::future::ready(Ok(self.tables.get(name).cloned())))
    }

    fn names<'a>(&'a self, _context: &'a CatalogContext) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(std::future::ready(Ok(self.tables.keys().cloned().collect())))
    }
}
