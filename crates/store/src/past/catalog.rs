//! Catalogs: versions and changes under schemas of their own, and tables of other catalogs with a past.

use std::sync::Arc;

use indago_table::scan::BoxFuture;
use indago_table::{Catalog, CatalogContext, CatalogRef, Period, Result, TableRef, TableSpec};

use super::changes::ChangesTable;
use super::history::HistoryTable;
use super::table::PastTable;
use super::{Recorded, stored_name};

/// What the tables of a catalog show of recorded tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Versions of rows.
    History,
    /// Changes of rows.
    Changes,
    /// The newest rows.
    Newest,
}

/// A catalog of recorded tables.
#[derive(Debug)]
pub(super) struct Stored {
    recorded: Arc<Recorded>,
    kind: Kind,
    /// The schema of its tables; empty for the engine's own.
    schema: String,
    /// The start of their names.
    prefix: String,
}

impl Stored {
    pub(super) fn new(recorded: Arc<Recorded>, kind: Kind, schema: &str) -> Self {
        let prefix = if schema.is_empty() { String::new() } else { format!("{schema}.") };
        Stored { recorded, kind, schema: schema.to_owned(), prefix }
    }
}

impl Catalog for Stored {
    fn name(&self) -> &str {
        if self.schema.is_empty() { "recorded" } else { &self.schema }
    }

    fn table<'a>(&'a self, name: &'a str, _context: &'a CatalogContext) -> BoxFuture<'a, Result<Option<TableRef>>> {
        Box::pin(async move {
            let Some(name) = name.strip_prefix(&self.prefix) else { return Ok(None) };
            let Some(own) = self.recorded.spec(name).await? else { return Ok(None) };
            let recorded = self.recorded.clone();
            // In place of the live table, there is only what was recorded.
            if self.kind == Kind::Newest && recorded.snapshot(stored_name(&own)).await?.is_none() {
                return Ok(None);
            }
            let table: TableRef = match self.kind {
                Kind::History => Arc::new(HistoryTable::new(recorded, &own, Period::default())),
                Kind::Changes => Arc::new(ChangesTable::new(recorded, &own)),
                Kind::Newest => {
                    let mut own = TableSpec::clone(&own);
                    if !self.prefix.is_empty() {
                        own.alias_of = Some(own.name.clone());
                        own.name = format!("{}{name}", self.prefix).into();
                    }
                    Arc::new(PastTable::stored(recorded, &own))
                }
            };
            Ok(Some(table))
        })
    }

    fn names<'a>(&'a self, _context: &'a CatalogContext) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let names = self.recorded.stored_names().await?;
            Ok(names.into_iter().map(|name| format!("{}{name}", self.prefix)).collect())
        })
    }
}

/// A catalog of live tables, which have a past.
#[derive(Debug)]
pub(super) struct Live {
    recorded: Arc<Recorded>,
    inner: CatalogRef,
}

impl Live {
    pub(super) fn new(recorded: Arc<Recorded>, inner: CatalogRef) -> Self {
        Live { recorded, inner }
    }
}

impl Catalog for Live {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn table<'a>(&'a self, name: &'a str, context: &'a CatalogContext) -> BoxFuture<'a, Result<Option<TableRef>>> {
        Box::pin(async move {
            let found = self.inner.table(name, context).await?;
            Ok(found.map(|table| self.recorded.with_past(table)))
        })
    }

    fn names<'a>(&'a self, context: &'a CatalogContext) -> BoxFuture<'a, Result<Vec<String>>> {
        self.inner.names(context)
    }
}
