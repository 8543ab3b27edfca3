//! Captured rows as Parquet, read back as tables.
//!
//! A store is a folder with one Parquet file a table, named after it. [`capture`] writes such files from an engine;
//! [`Store`] gives them back as tables, so that a query of yesterday's evidence is the query of the live system. Any
//! Parquet file will do: its columns are the table's.

#![warn(missing_docs)]

mod capture;
mod missing;
mod table;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use indago_table::TableRef;

pub use capture::{Captured, Report, capture, file_properties};
pub use missing::of_query;
pub use table::CAPTURED_AT;

use table::{Contents, StoredTable};

/// Tables that osquery knows by a second name, and that name.
const SECOND_NAMES: &[(&str, &str)] = &[
    ("augeas", "configurations"),
    ("carbon_black_info", "cb_info"),
    ("etc_hosts", "hosts"),
    ("syslog_events", "syslog"),
    ("yara_file", "yara"),
];

/// Why a store could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder or a file of it can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The folder has no Parquet file.
    #[error(
        "{0}: no table in this folder; a store has one file TABLE.parquet a table, as `indago capture` writes them"
    )]
    Empty(PathBuf),
    /// The folder to capture into holds tables already.
    #[error(
        "{0}: this folder holds tables already, and a capture is of one moment; name another folder, or remove them"
    )]
    NotEmpty(PathBuf),
    /// Another capture into the folder is under way, or was stopped.
    #[error("{0}: another capture is being written there; if none is, remove this folder")]
    Unfinished(PathBuf),
    /// A Parquet file could not be written.
    #[error("{path}: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: parquet::errors::ParquetError,
    },
    /// A table to capture is not there.
    #[error("no table `{0}` to capture; `indago tables` lists all tables")]
    UnknownTable(String),
    /// A keyed table that nothing says the keys of.
    #[error("table `{0}` answers only when asked about something, so that it can't be captured whole")]
    Keyed(String),
    /// The rows could not be read.
    #[error("{table}: {source}")]
    Query {
        /// The table.
        table: String,
        /// What the engine said.
        source: indago_engine::Error,
    },
}

/// Result of a store's call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The tables of a folder of Parquet files.
#[derive(Debug)]
pub struct Store {
    tables: Vec<TableRef>,
}

impl Store {
    /// Opens the files of a folder. Reads their footers; a damaged file is a table whose rows are missing, with a
    /// warning to whoever asks for them.
    ///
    /// What `known` tables say of their columns (documentation, how texts compare) stays true of the stored ones, and in
    /// files that a capture wrote also which are hidden. osquery's second names of tables (`yara`, `hosts`) work too.
    pub fn open(folder: &Path, known: &[TableRef]) -> Result<Self> {
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
        for (name, second) in SECOND_NAMES {
            if !files.iter().any(|(file, _)| file == second)
                && let Some((_, path)) = files.iter().find(|(file, _)| file == name)
            {
                files.push(((*second).to_owned(), path.clone()));
            }
        }
        let tables = files.into_iter().map(|(name, path)| table(&name, Contents::File(path), known));
        Ok(Store { tables: tables.collect() })
    }

    /// The tables of files that the program carries in itself.
    pub fn embedded(files: &[(&str, &'static [u8])], known: &[TableRef]) -> Result<Self> {
        let table = |(name, bytes): &(&str, &'static [u8])| {
            let name = name.strip_suffix(".parquet").unwrap_or(name);
            table(name, Contents::Memory(name.to_owned(), Bytes::from_static(bytes)), known)
        };
        Ok(Store { tables: files.iter().map(table).collect() })
    }

    /// The tables.
    pub fn into_tables(self) -> Vec<TableRef> {
        self.tables
    }
}

fn table(name: &str, contents: Contents, known: &[TableRef]) -> TableRef {
    let known = known.iter().find(|table| table.spec().name == name).map(|table| table.spec());
    Arc::new(StoredTable::new(name, contents, known))
}
