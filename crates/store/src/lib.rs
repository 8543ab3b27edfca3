//! Reads and writes captured rows as Parquet.
//!
//! A store is a directory with one Parquet file per table, named after it. [`capture`] writes such files from an
//! engine. [`Store`] reads them as tables, so the same query runs on yesterday's evidence and on the live system. Any
//! Parquet file works: its columns are the table's.

#![warn(missing_docs)]

mod archive;
mod capture;
mod conditions;
mod diff;
mod files;
mod input;
mod missing;
mod past;
mod prune;
mod recorder;
mod scan;
mod schema;
mod table;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use indago_table::TableRef;

pub use archive::{
    Archive, Break, Changes, Compacted, End, Piece, Read, Retained, Retention, Snapshot, Span, Verified, Writer,
};
pub use capture::{Captured, Report, capture, file_properties, has_files, tables_to_capture};
pub use diff::{Difference, diff, tables_of};
pub use files::Files;
pub use missing::of_query;
pub use past::Recorded;
pub use recorder::{How, Interval, Progress, Recorder, Settings, TableProgress, TableReading, coverage, is_recorded};
pub use schema::Schema;
pub use table::CAPTURED_AT;

use input::Contents;
use table::StoredTable;

/// A table with a second name in osquery that no live table has, and that name. Live tables have their own
/// ([`TableSpec::alias_of`](indago_table::TableSpec::alias_of)).
const SECOND_NAME: (&str, &str) = ("syslog_events", "syslog");

/// Why a store could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory or a file in it cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The directory has no Parquet file.
    #[error(
        "{0}: no table in this directory; a store has one file TABLE.parquet per table, as written by `indago capture`"
    )]
    Empty(PathBuf),
    /// The directory to capture into already has tables.
    #[error(
        "{0}: this directory already has tables, and a capture has one timestamp; use another directory, or remove them"
    )]
    NotEmpty(PathBuf),
    /// Another capture to the directory is running, or was stopped.
    #[error("{0}: another capture is being written here; if none is running, remove this directory")]
    Unfinished(PathBuf),
    /// A Parquet file could not be written.
    #[error("{path}: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The writer's error.
        source: parquet::errors::ParquetError,
    },
    /// The rows of a table are larger than the engine's memory limit.
    #[error("{table}: comparing its rows needs more than the memory limit of {} MB", .limit >> 20)]
    Memory {
        /// The table.
        table: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Two states of a table could not be compared.
    #[error("{table}: cannot compare: {source}")]
    Compare {
        /// The table.
        table: String,
        /// Arrow's error.
        source: arrow_schema::ArrowError,
    },
    /// A store cannot have this name.
    #[error(
        "`{0}` cannot name a store: use lowercase letters, digits and `_`, and not a schema of the engine such as `main`"
    )]
    SchemaName(String),
    /// A table to capture does not exist.
    #[error("no table `{0}` to capture; `indago tables` lists all tables")]
    UnknownTable(String),
    /// A keyed table without known keys.
    #[error("table `{0}` needs constraints on its key columns and cannot be captured")]
    Keyed(String),
    /// Another recorder is running.
    #[error(
        "{location}: another recorder records here as `{writer}`; stop it, or give this one another name with `[record] \
         writer`"
    )]
    Recording {
        /// The directory or URL.
        location: String,
        /// The name.
        writer: String,
    },
    /// The location of recorded tables is not one that this program understands.
    #[error("{location}: {why}")]
    Location {
        /// The path or URL.
        location: String,
        /// What is wrong with it.
        why: String,
    },
    /// An object of recorded tables cannot be read or written.
    #[error("{path}: {source}")]
    Object {
        /// The object.
        path: String,
        /// The object store's error.
        source: object_store::Error,
    },
    /// An object of recorded tables does not have the expected content.
    #[error("{path}: {why}")]
    Archive {
        /// The object.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Recorded tables of a newer version of this program.
    #[error("{path}: recorded in format {found} by a newer version of Indago; this one reads up to {known}; update it")]
    Newer {
        /// The table.
        path: String,
        /// Its format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// Another recorder writes with the same name.
    #[error(
        "{table}: another recorder records this table as `{writer}`; stop it, or give this one another name with \
         `[record] writer`"
    )]
    OtherWriter {
        /// The table.
        table: String,
        /// The name.
        writer: String,
    },
    /// A write that failed has arrived all the same.
    #[error(
        "{table}: an earlier write of `{writer}` was complete although its response was lost; read its open versions \
         again"
    )]
    Unsettled {
        /// The table.
        table: String,
        /// The writer.
        writer: String,
    },
    /// The rows could not be read.
    #[error("{table}: {source}")]
    Query {
        /// The table.
        table: String,
        /// The engine's error.
        source: indago_engine::Error,
    },
}

/// Result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The tables of a directory of Parquet files.
#[derive(Debug)]
pub struct Store {
    tables: Vec<TableRef>,
}

impl Store {
    /// Opens the files of a directory. Reads their footers. A damaged file becomes a table without rows; queries of it
    /// get a warning.
    ///
    /// The `known` tables provide the columns' documentation and collations and, for files that a capture wrote, which
    /// columns are hidden. osquery's second names of tables (`yara`, `hosts`) work too.
    pub fn open(folder: &Path, known: &[TableRef]) -> Result<Self> {
        Ok(Store { tables: tables(folder, "", known)? })
    }

    /// Opens the files of a directory as tables of a schema: `monday.processes`. The schema is a catalog for
    /// [`EngineBuilder::catalog`](indago_engine::EngineBuilder::catalog), so one engine can have several stores next to
    /// its tables.
    pub fn open_as(schema: &str, folder: &Path, known: &[TableRef]) -> Result<Schema> {
        if !Schema::is_name(schema) {
            return Err(Error::SchemaName(schema.to_owned()));
        }
        Ok(Schema::new(schema, tables(folder, &format!("{schema}."), known)?))
    }

    /// The tables of files that are embedded in the program.
    pub fn embedded(files: &[(&str, &'static [u8])], known: &[TableRef]) -> Result<Self> {
        let table = |(name, bytes): &(&str, &'static [u8])| {
            let name = name.strip_suffix(".parquet").unwrap_or(name);
            table("", name, Contents::Memory(name.to_owned(), Bytes::from_static(bytes)), known)
        };
        Ok(Store { tables: files.iter().map(table).collect() })
    }

    /// The tables.
    pub fn into_tables(self) -> Vec<TableRef> {
        self.tables
    }
}

/// The tables of a directory, with a prefix before their names.
fn tables(folder: &Path, prefix: &str, known: &[TableRef]) -> Result<Vec<TableRef>> {
    let failed = |source| Error::Io { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Error::Empty(folder.to_owned()));
    }
    paths.sort();
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for path in paths {
        if let Some(name) = path.file_stem() {
            files.push((name.to_string_lossy().into_owned(), path));
        }
    }
    let aliases = known.iter().filter_map(|table| Some((table.spec().alias_of.as_deref()?, &*table.spec().name)));
    for (name, second) in aliases.chain([SECOND_NAME]) {
        if !files.iter().any(|(file, _)| file == second)
            && let Some((_, path)) = files.iter().find(|(file, _)| file == name)
        {
            files.push((second.to_owned(), path.clone()));
        }
    }
    Ok(files.into_iter().map(|(name, path)| table(prefix, &name, Contents::File(path), known)).collect())
}

fn table(prefix: &str, name: &str, contents: Contents, known: &[TableRef]) -> TableRef {
    let known = known.iter().find(|table| table.spec().name == name).map(|table| table.spec());
    Arc::new(StoredTable::new(&format!("{prefix}{name}"), contents, known))
}
