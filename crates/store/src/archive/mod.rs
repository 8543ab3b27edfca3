//! Tables as they were over time: versions of rows in Delta tables, in a directory or an object store.
//!
//! `LOCATION/TABLE/` is a Delta table with one partition per writer. A version of a row has the time from which it was
//! so, the time from which it was no longer so, and the row's number. An open version that ends later is not rewritten:
//! an *end* names it, and compaction folds the end into it. `LOCATION/_state/` has small objects that are replaced.
//!
//! A commit is durable when it returns. The log's order is that of put-if-absent, so any number of writers may share a
//! location. See ADR 0018.

mod columns;
mod compact;
mod file;
mod log;
mod place;
mod read;
#[cfg(test)]
pub(crate) mod tests;
mod verify;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use indago_table::{Meter, RowFilter, TableSpec, Timestamp};
use object_store::path::Path;
use parking_lot::Mutex;

pub use compact::{Compacted, Retained, Retention};
pub use read::Snapshot;
pub use verify::{Break, Verified};
pub use write::Writer;

use log::{FORMAT, Log};
use place::{Place, as_directory, of_directory};

use crate::{Error, Result};

/// The directory of small objects.
pub(crate) const STATE: &str = "_state";
/// The object with the archive's format.
const MARK: &str = "_indago.json";
/// The most bytes of a small object.
const SMALL: u64 = 64 << 20;

/// A directory or bucket with recorded tables.
#[derive(Clone, Debug)]
pub struct Archive {
    place: Place,
    logs: Arc<Mutex<HashMap<String, Arc<Log>>>>,
}

/// A period of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Versions that lived at this time.
    AsOf(Timestamp),
    /// Versions that lived at some time of this period.
    Between {
        /// The start; `None`: no limit.
        from: Option<Timestamp>,
        /// The end; `None`: no limit.
        to: Option<Timestamp>,
    },
}

/// What to read of a snapshot.
#[derive(Debug, Clone)]
pub struct Read {
    /// The versions.
    pub span: Span,
    /// The version columns to return, in their own order; `None`: all of them.
    pub version_columns: Option<Vec<String>>,
    /// The table's columns to return, after the version columns.
    pub columns: Vec<String>,
    /// The table as the reader has it: the types of what is returned, and the positions of filters' columns. `None`:
    /// the table as recorded.
    pub schema: Option<SchemaRef>,
    /// Conditions on the table's columns. They select files, row groups and pages, and then rows.
    pub filters: Vec<Arc<dyn RowFilter>>,
    /// Only this writer's versions.
    pub writer: Option<String>,
    /// Most rows of a batch.
    pub batch_size: usize,
    /// Counts what is read, and cancels it.
    pub meter: Option<Arc<Meter>>,
}

impl Read {
    /// All of the versions of a span, with some of the table's columns.
    pub fn new(span: Span, columns: Vec<String>) -> Self {
        Read {
            span,
            version_columns: None,
            columns,
            schema: None,
            filters: Vec::new(),
            writer: None,
            batch_size: 8192,
            meter: None,
        }
    }
}

/// A part of what is read.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Versions.
    Rows(RecordBatch),
    /// A file that cannot be read to its end.
    Damaged {
        /// The file.
        file: String,
        /// Why.
        error: String,
        /// The first time that its versions lived, if it is known.
        from: Option<Timestamp>,
        /// The last time that its versions lived; `None` if it is unknown, or if some were open.
        to: Option<Timestamp>,
    },
    /// Values that do not fit the type that the reader's table has for them. They are NULL.
    Misfit {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// What does not fit.
        message: String,
        /// Number of rows.
        rows: u64,
    },
}

/// The end of an open version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The row.
    pub row_id: i64,
    /// The start of the version.
    pub valid_from: Timestamp,
    /// The first reading at which it was no longer so.
    pub valid_to: Timestamp,
}

/// What a reading found to be different.
#[derive(Debug, Clone)]
pub struct Changes {
    /// The time of the reading.
    pub read_at: Timestamp,
    /// New versions: `row_id`, `valid_from`, `not_before`, `origin`, then the table's columns.
    pub opened: Vec<RecordBatch>,
    /// Versions that ended.
    pub ended: Vec<End>,
}

impl Archive {
    /// Opens a path or a URL (`s3://`, `gs://`, `az://`, `file://`). Creates nothing, so the location may be empty.
    pub async fn open(location: &str) -> Result<Archive> {
        Self::open_with(location, &[]).await
    }

    /// Opens a path or a URL. Options are those of the object store, by the names that its environment variables have
    /// (`AWS_REGION`, `AZURE_STORAGE_ACCOUNT_KEY`). They come before the environment's.
    pub async fn open_with(location: &str, options: &[(String, String)]) -> Result<Archive> {
        Self::at(Place::with(location, options)?).await
    }

    async fn at(place: Place) -> Result<Archive> {
        let mark = Path::from(MARK);
        if let Some(bytes) = place.get(&mark, SMALL).await? {
            let failed = |why: String| Error::Archive { path: place.shown(&mark), why };
            let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
            let found = value["format"].as_u64().and_then(|format| u32::try_from(format).ok());
            let found = found.ok_or_else(|| failed("it has no format".to_owned()))?;
            if found > FORMAT {
                return Err(Error::Newer { path: place.location.to_string(), found, known: FORMAT });
            }
        }
        Ok(Archive { place, logs: Arc::default() })
    }

    /// The path or URL.
    pub fn location(&self) -> &str {
        &self.place.location
    }

    /// The local directory; `None` for an object store.
    pub(crate) fn directory(&self) -> Option<&std::path::Path> {
        self.place.directory.as_deref()
    }

    /// The recorded tables.
    pub async fn tables(&self) -> Result<Vec<String>> {
        let listed = self.place.store.list_with_delimiter(None).await;
        let listed = listed.map_err(|error| self.place.failed(&Path::default(), error))?;
        let names = listed
            .common_prefixes
            .iter()
            .filter_map(|path| path.parts().next_back().map(|part| part.as_ref().to_owned()));
        let mut tables: Vec<String> =
            names.filter(|name| !name.starts_with(['_', '.'])).filter_map(|name| of_directory(&name)).collect();
        tables.sort_unstable();
        Ok(tables)
    }

    fn log(&self, table: &str) -> Arc<Log> {
        let mut logs = self.logs.lock();
        let log = logs.entry(table.to_owned());
        log.or_insert_with(|| Arc::new(Log::new(self.place.clone(), table))).clone()
    }

    /// A table as it is recorded now; `None` if it is not. Reads only what is new since the last call.
    pub async fn snapshot(&self, table: &str) -> Result<Option<Snapshot>> {
        let log = self.log(table);
        Ok(log.state().await?.map(|state| Snapshot { log, state }))
    }

    /// A writer of some of a table's columns. Creates the table, or adds the columns that are new.
    pub async fn writer(&self, spec: &TableSpec, columns: &[String], writer: &str) -> Result<Writer> {
        self.mark().await?;
        Writer::open(self.log(&spec.name), spec, columns, writer).await
    }

    async fn mark(&self) -> Result<()> {
        let mark = serde_json::json!({ "format": FORMAT }).to_string();
        self.place.create(&Path::from(MARK), mark.into()).await.map(drop)
    }

    /// Replaces a small object, in one step.
    pub async fn put_state(&self, name: &str, bytes: Bytes) -> Result<()> {
        self.place.put(&state_path(name), bytes).await
    }

    /// A small object; `None` if it does not exist.
    pub(crate) async fn state(&self, name: &str) -> Result<Option<Bytes>> {
        self.place.get(&state_path(name), SMALL).await
    }

    /// The small objects whose names start with a text, by name.
    pub async fn states(&self, prefix: &str) -> Result<Vec<(String, Bytes)>> {
        let mut states = Vec::new();
        for object in self.place.list(&Path::from(STATE)).await? {
            let parts = object.location.parts().skip(1).map(|part| of_directory(part.as_ref()));
            let Some(name) = parts.collect::<Option<Vec<_>>>().map(|parts| parts.join("/")) else { continue };
            if name.starts_with(prefix)
                && let Some(bytes) = self.place.get(&object.location, SMALL).await?
            {
                states.push((name, bytes));
            }
        }
        states.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(states)
    }

    /// Checks the SHA-256 of every file and the chain of every log.
    pub async fn verify(&self) -> Result<Verified> {
        verify::verify(self).await
    }
}

fn state_path(name: &str) -> Path {
    name.split('/').fold(Path::from(STATE), |path, part| path.join(as_directory(part)))
}
