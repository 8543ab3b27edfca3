//! The past of tables: rows as they were, their versions and changes, and what was not recorded.

mod catalog;
mod changes;
mod computed;
mod coverage;
mod filter;
mod history;
mod scan;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indago_table::{CatalogRef, ColumnSpec, Error, FunctionRef, Kind, Past, Result, TableRef, TableSpec};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::archive::{Archive, Snapshot};
use crate::recorder::{self, COVERAGE, Interval};

/// How long the recorded intervals are used before they are read again. A join reads a table for many batches of keys.
const FRESH: Duration = Duration::from_secs(1);

/// The recorded tables of a directory or bucket, next to live tables.
pub struct Recorded {
    location: String,
    /// Opened at the first use, so that live tables need no archive.
    archive: OnceCell<Archive>,
    /// The live tables.
    known: Mutex<BTreeMap<String, Arc<TableSpec>>>,
    intervals: tokio::sync::Mutex<Option<(Instant, Arc<Vec<Interval>>)>>,
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorded").field(&self.location).finish()
    }
}

impl Recorded {
    /// The recorded tables of a path or URL, which is opened at the first query of the past.
    pub fn at(location: impl Into<String>) -> Arc<Self> {
        Arc::new(Recorded::new(location.into(), OnceCell::new()))
    }

    /// The names of the recorded tables in a directory; none if it is a directory of something else.
    pub fn names_in(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let recorded = entries.filter(|entry| entry.path().join("_delta_log").is_dir());
        recorded.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// The recorded tables of an archive.
    pub fn open(archive: Archive) -> Arc<Self> {
        Arc::new(Recorded::new(archive.location().to_owned(), OnceCell::new_with(Some(archive))))
    }

    fn new(location: String, archive: OnceCell<Archive>) -> Self {
        Recorded { location, archive, known: Mutex::default(), intervals: tokio::sync::Mutex::default() }
    }

    /// The same table with a past: a query as of a past time reads what was recorded of it. As of a time, a table of
    /// events has all recorded events up to then. Tables that have a past already are returned as they are.
    pub fn with_past(self: &Arc<Self>, live: TableRef) -> TableRef {
        let spec = live.spec();
        if spec.past != Past::Nothing {
            return live;
        }
        self.known.lock().insert(spec.name.to_string(), Arc::new(spec.clone()));
        Arc::new(table::PastTable::of_live(self.clone(), live))
    }

    /// The same for a table that is computed from others. Unless it was recorded itself, a query as of a past time computes it
    /// from what was recorded of the others.
    pub fn with_computed_past(self: &Arc<Self>, live: TableRef) -> TableRef {
        if live.spec().past != Past::Nothing {
            return live;
        }
        self.known.lock().insert(live.spec().name.to_string(), Arc::new(live.spec().clone()));
        Arc::new(table::PastTable::of_computed(self.clone(), live))
    }

    /// A function that also computes from what was recorded.
    pub fn with_past_of_function(self: &Arc<Self>, function: FunctionRef) -> FunctionRef {
        Arc::new(computed::PastFunction::new(self.clone(), function))
    }

    /// The same catalog, whose tables have a past.
    pub fn with_past_of(self: &Arc<Self>, catalog: CatalogRef) -> CatalogRef {
        Arc::new(catalog::Live::new(self.clone(), catalog))
    }

    /// The recorded tables of a directory in place of live tables: their newest state, or their rows as of a time. The
    /// `known` tables provide types and documentation.
    pub fn tables(self: &Arc<Self>, names: &[String], known: &[TableRef]) -> Vec<TableRef> {
        let table = |table: &TableRef| {
            let spec = table.spec();
            let is_stored = names.iter().any(|name| *name == stored_name(spec));
            is_stored.then(|| Arc::new(table::PastTable::stored(self.clone(), spec)) as TableRef)
        };
        self.know(known);
        known.iter().filter_map(table).collect()
    }

    /// The recorded tables as tables of a schema: `monday.processes`.
    pub fn as_schema(self: &Arc<Self>, schema: &str, known: &[TableRef]) -> CatalogRef {
        self.know(known);
        Arc::new(catalog::Stored::new(self.clone(), catalog::Kind::Newest, schema))
    }

    fn know(&self, tables: &[TableRef]) {
        let spec = |table: &TableRef| (table.spec().name.to_string(), Arc::new(table.spec().clone()));
        self.known.lock().extend(tables.iter().map(spec));
    }

    /// The catalogs of versions and changes: `history.TABLE` and `changes.TABLE`.
    pub fn catalogs(self: &Arc<Self>) -> [CatalogRef; 2] {
        let catalog = |kind, schema| Arc::new(catalog::Stored::new(self.clone(), kind, schema)) as CatalogRef;
        [catalog(catalog::Kind::History, "history"), catalog(catalog::Kind::Changes, "changes")]
    }

    /// The catalog of recorded tables that no live table describes.
    pub fn others(self: &Arc<Self>) -> CatalogRef {
        Arc::new(catalog::Stored::new(self.clone(), catalog::Kind::Newest, ""))
    }

    /// The table `coverage`: when tables were recorded, and when not.
    pub fn coverage(self: &Arc<Self>) -> TableRef {
        Arc::new(coverage::CoverageTable::new(self.clone()))
    }

    async fn archive(&self) -> Result<&Archive> {
        let open = || async { Archive::open(&self.location).await.map_err(|error| self.failed(&error)) };
        self.archive.get_or_try_init(open).await
    }

    async fn snapshot(&self, table: &str) -> Result<Option<Snapshot>> {
        self.archive().await?.snapshot(table).await.map_err(|error| self.failed(&error))
    }

    async fn stored_names(&self) -> Result<Vec<String>> {
        let mut names = self.archive().await?.tables().await.map_err(|error| self.failed(&error))?;
        // The recorder's own table is the table `coverage`.
        names.retain(|name| name != COVERAGE);
        Ok(names)
    }

    async fn intervals(&self) -> Result<Arc<Vec<Interval>>> {
        let mut known = self.intervals.lock().await;
        if let Some((read_at, intervals)) = &*known
            && read_at.elapsed() < FRESH
        {
            return Ok(intervals.clone());
        }
        let intervals = recorder::coverage(self.archive().await?).await.map_err(|error| self.failed(&error))?;
        let intervals = Arc::new(intervals);
        *known = Some((Instant::now(), intervals.clone()));
        Ok(intervals)
    }

    fn failed(&self, error: &dyn fmt::Display) -> Error {
        Error::Io { what: format!("recorded tables in {}", self.location), message: error.to_string() }
    }

    /// The specification of a recorded table: that of the live table, or the recorded columns.
    async fn spec(&self, table: &str) -> Result<Option<Arc<TableSpec>>> {
        if let Some(known) = self.known.lock().get(table) {
            return Ok(Some(known.clone()));
        }
        if table == COVERAGE {
            return Ok(None);
        }
        let Some(snapshot) = self.snapshot(table).await? else { return Ok(None) };
        let schema = snapshot.schema();
        let column =
            |field: &arrow_schema::FieldRef| ColumnSpec::new(field.name().clone(), Kind::of(field.data_type()), "");
        let columns = schema.fields().iter().map(column).collect();
        let about = "Recorded rows of a table that this configuration does not have.";
        Ok(Some(Arc::new(TableSpec::new(table.to_owned(), "store", about, columns))))
    }
}

fn column(name: &'static str, kind: Kind, nullable: bool, about: &'static str) -> ColumnSpec {
    let mut column = ColumnSpec::new(name, kind, about);
    column.nullable = nullable;
    column
}

/// The name under which a table is recorded. A second name of a table is not recorded itself.
fn stored_name(spec: &TableSpec) -> &str {
    spec.alias_of.as_deref().unwrap_or(&spec.name)
}
