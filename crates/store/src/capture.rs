//! Writes tables' rows as Parquet.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_cast::cast;
use arrow_schema::DataType;
use futures::StreamExt;
use indago_engine::{Engine, Query, TableRef, TableSpec, Warning};
use indago_table::{ColumnSpec, KeyEffect};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use tokio::sync::{mpsc, oneshot};

use crate::missing::{CAPTURED_KEYS, CapturedKeys};
use crate::table::{CAPTURED_AT, CAPTURED_COLUMN};
use crate::{Error, Result};

/// Keys for capturing keyed tables, from other tables: table, column, and the query for its keys.
const KEYS: &[(&str, &str, &str)] = &[
    ("file", "path", "SELECT DISTINCT path FROM processes WHERE path <> ''"),
    ("hash", "path", "SELECT DISTINCT path FROM processes WHERE path <> ''"),
    ("docker_container_processes", "id", "SELECT DISTINCT id FROM docker_containers"),
];

/// Environments of tables about the program itself and its own files, and of the attack graph, which is computed from other
/// tables. They are neither captured nor compared unless they are named.
const OF_THE_PROGRAM: [&str; 5] = ["daemon", "engine", "indago", "reach", "vulnerabilities"];

pub(crate) fn is_of_the_program(table: &TableRef) -> bool {
    OF_THE_PROGRAM.contains(&&*table.spec().environment)
}

/// The column of users' files, and the table of users. Without a key, a live table has the files of the caller only.
const USER: (&str, &str) = ("uid", "users");

/// Rows of a row group. Groups are read concurrently, and skipped by their statistics.
const GROUP: usize = 128 << 10;

/// The directory in which the files of a capture are written before it is complete.
const PARTIAL: &str = ".capture.partial";

/// Result of a capture.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// One entry per table, in the order of writing.
    pub tables: Vec<Captured>,
    /// Tables that were not named, and are not captured because they need constraints on their key columns.
    pub skipped: Vec<String>,
}

/// One captured table.
#[derive(Debug, Clone)]
pub struct Captured {
    /// The table.
    pub table: String,
    /// Its file.
    pub path: PathBuf,
    /// Rows written.
    pub rows: u64,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Time to read and write it.
    pub elapsed: Duration,
    /// Warnings about its rows.
    pub warnings: Vec<Warning>,
}

/// Writes tables to a directory, one Parquet file per table. Each file has the time of the capture, what was missing,
/// and for a keyed table the keys that were looked up.
///
/// Without names: every table without required keys, and keyed tables for the keys that other tables mention. Tables of
/// users' files have those of all users. A directory holds one capture; one that already has tables is refused. Files
/// get their names when all of them are complete, so a full disk leaves none behind.
pub async fn capture(engine: &Engine, tables: &[String], folder: &Path) -> Result<Report> {
    let (statements, skipped) = statements(engine, tables).await?;
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    fs::create_dir_all(folder).map_err(io(folder))?;
    if has_files(folder)? {
        return Err(Error::NotEmpty(folder.to_owned()));
    }
    let partial = Partial::new(folder)?;
    let moment = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let mut report = Report { tables: Vec::new(), skipped };
    for (table, select) in statements {
        report.tables.push(capture_one(engine, &table, &select, &moment, &partial.0).await?);
    }
    for table in &mut report.tables {
        let path = folder.join(format!("{}.parquet", table.table));
        fs::rename(&table.path, &path).map_err(io(&path))?;
        table.path = path;
    }
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder))?;
    Ok(report)
}

/// The directory of files that are being written. On drop, it is removed with its contents.
struct Partial(PathBuf);

impl Partial {
    fn new(folder: &Path) -> Result<Self> {
        let path = folder.join(PARTIAL);
        match fs::create_dir(&path) {
            Ok(()) => Ok(Partial(path)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Error::Unfinished(path)),
            Err(source) => Err(Error::Io { path, source }),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Best effort: if the removal matters, the capture has already failed.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The query for a table, and its key column and the query for the keys if it is keyed.
struct Select {
    sql: String,
    keys: Option<(&'static str, &'static str)>,
    /// Whether to read the files of all users.
    of_users: bool,
}

/// The tables that a capture of these tables has; without names, of all that need no keys, and of keyed ones whose keys
/// other tables mention. Then the tables that were not named and are left out.
///
/// # Errors
/// A table that is named does not exist, or needs keys that are not known.
pub async fn tables_to_capture(engine: &Engine, tables: &[String]) -> Result<(Vec<String>, Vec<String>)> {
    let (statements, skipped) = statements(engine, tables).await?;
    let own_name = |name: &String| {
        // A second name of a table is the same table.
        let first = engine.table(name).and_then(|table| table.spec().alias_of.clone());
        first.map_or_else(|| name.clone(), |first| first.into_owned())
    };
    let mut names: Vec<String> = Vec::with_capacity(statements.len());
    for name in statements.iter().map(|(name, _)| own_name(name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok((names, skipped))
}

/// Whether a directory has Parquet files. One that does not exist has none.
///
/// # Errors
/// The directory cannot be read.
pub fn has_files(folder: &Path) -> Result<bool> {
    let failed = |source| Error::Io { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        if entry.map_err(failed)?.path().extension().is_some_and(|extension| extension == "parquet") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The query for each table, and the tables without one.
async fn statements(engine: &Engine, tables: &[String]) -> Result<(Vec<(String, Select)>, Vec<String>)> {
    let statement = |table: &TableRef| -> Option<(String, Select)> {
        let spec = table.spec();
        let name = spec.name.to_string();
        let sql = select_all(engine, spec);
        if !spec.is_keyed() {
            return Some((name, Select { sql, keys: None, of_users: has_files_of_users(engine, spec) }));
        }
        let (column, keys) = captured_keys(&name)?;
        Some((name, Select { sql, keys: Some((column, keys)), of_users: false }))
    };
    if tables.is_empty() {
        let (mut all, mut skipped) = (Vec::new(), Vec::new());
        // A store has the second names of its tables without a file of their own.
        let is_captured = |table: &&TableRef| !is_of_the_program(table) && table.spec().alias_of.is_none();
        for table in engine.tables().iter().filter(is_captured) {
            match statement(table) {
                Some(select) => all.push(select),
                None => skipped.push(table.spec().name.to_string()),
            }
        }
        return Ok((all, skipped));
    }
    let mut all: Vec<(String, Select)> = Vec::new();
    for name in tables {
        let failed = |source| Error::Query { table: name.clone(), source };
        let table = engine.find_table(name).await.map_err(failed)?.ok_or_else(|| Error::UnknownTable(name.clone()))?;
        let (name, select) = statement(&table).ok_or_else(|| Error::Keyed(name.clone()))?;
        if !all.iter().any(|(known, _)| *known == name) {
            all.push((name, select));
        }
    }
    Ok((all, Vec::new()))
}

/// The key column of a keyed table and the query for the keys that other tables mention, if it is known.
pub(crate) fn captured_keys(table: &str) -> Option<(&'static str, &'static str)> {
    KEYS.iter().find(|(keyed, ..)| *keyed == table).map(|(_, column, keys)| (*column, *keys))
}

/// Whether a live table returns the files of all users only for their keys.
pub(crate) fn has_files_of_users(engine: &Engine, spec: &TableSpec) -> bool {
    let (column, users) = USER;
    let key = spec.column(column).map(|position| &spec.columns[position]);
    spec.captured_at.is_none()
        && key.is_some_and(|column| column.key_effect != KeyEffect::Filters)
        && engine.table(users).is_some_and(|users| users.spec().environment == spec.environment)
}

/// The query for all columns of a table, hidden ones included, secret ones excluded.
pub(crate) fn select_all(engine: &Engine, spec: &TableSpec) -> String {
    // The time of a capture is in its metadata.
    let is_data = |column: &&ColumnSpec| !column.secret && (!column.hidden || column.name != CAPTURED_COLUMN);
    let columns = spec.columns.iter().filter(is_data).map(|column| quoted(&column.name));
    format!("SELECT {} FROM {}", columns.collect::<Vec<_>>().join(", "), relation(engine, &spec.name))
}

/// A query for the files of all users, and their numbers.
pub(crate) async fn with_users(engine: &Engine, table: &str, sql: &str) -> Result<(String, Vec<String>)> {
    let (column, users) = USER;
    let keys = keys_of(engine, table, &format!("SELECT DISTINCT {column} FROM {users}")).await?;
    let list = if keys.is_empty() { "NULL".to_owned() } else { keys.join(", ") };
    Ok((format!("{sql} WHERE {} IN ({list})", quoted(column)), keys))
}

/// The query for all rows of a table that needs no key.
pub(crate) async fn select_rows(engine: &Engine, spec: &TableSpec) -> Result<String> {
    let sql = select_all(engine, spec);
    match has_files_of_users(engine, spec) {
        true => Ok(with_users(engine, &spec.name, &sql).await?.0),
        false => Ok(sql),
    }
}

/// A table in FROM. A catalog's table has its schema in its name. Other names may contain dots.
pub(crate) fn relation(engine: &Engine, name: &str) -> String {
    match name.split_once('.') {
        Some((schema, table)) if engine.table(name).is_none() => format!("{}.{}", quoted(schema), quoted(table)),
        _ => quoted(name),
    }
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A query, for some keys only.
pub(crate) fn with_keys(sql: &str, column: &str, keys: &[String]) -> String {
    let texts: Vec<String> = keys.iter().map(|key| format!("'{}'", key.replace('\'', "''"))).collect();
    // An IN list needs an element.
    let list = if texts.is_empty() { "''".to_owned() } else { texts.join(", ") };
    format!("{sql} WHERE {} IN ({list})", quoted(column))
}

/// The distinct keys that a query returns.
pub(crate) async fn keys_of(engine: &Engine, table: &str, sql: &str) -> Result<Vec<String>> {
    let failed = |source| Error::Query { table: table.to_owned(), source };
    let batches = engine.query(sql).await.map_err(failed)?.collect().await.map_err(failed)?;
    let mut keys = Vec::new();
    for batch in &batches {
        let texts = cast(batch.column(0), &DataType::Utf8View);
        let texts = texts.map_err(|source| Error::Compare { table: table.to_owned(), source })?;
        keys.extend(texts.as_string_view().iter().flatten().map(str::to_owned));
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

async fn capture_one(engine: &Engine, table: &str, select: &Select, moment: &str, folder: &Path) -> Result<Captured> {
    let started = std::time::Instant::now();
    let failed = |source| Error::Query { table: table.to_owned(), source };
    let known = engine.table(table);
    let (mut sql, mut captured_keys) = (select.sql.clone(), None);
    if let Some((column, query)) = select.keys {
        let keys = keys_of(engine, table, query).await?;
        sql = with_keys(&sql, column, &keys);
        captured_keys = Some(CapturedKeys { column: column.to_owned(), keys, are_all: false });
    } else if select.of_users {
        let keys;
        (sql, keys) = with_users(engine, table, &sql).await?;
        captured_keys = Some(CapturedKeys { column: USER.0.to_owned(), keys, are_all: true });
    }
    // A table of a store keeps the time of its own capture.
    let moment = known.as_ref().and_then(|known| known.spec().captured_at.as_deref()).unwrap_or(moment).to_owned();
    let query = engine.query(&sql).await.map_err(failed)?;
    let path = folder.join(format!("{table}.parquet"));
    let rows = write(&query, table, properties_of(moment, captured_keys.as_ref()), &path).await?;
    let bytes = fs::metadata(&path).map_err(|source| Error::Io { path: path.clone(), source })?.len();
    let (table, warnings) = (table.to_owned(), query.warnings());
    Ok(Captured { table, path, rows, bytes, elapsed: started.elapsed(), warnings })
}

/// Settings of a file with a query's rows: compressed, with the current time as the time of the capture. The metadata
/// of [`of_query`](crate::of_query) follows the rows.
pub fn file_properties() -> WriterProperties {
    properties_of(chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true), None)
}

fn properties_of(captured_at: String, captured_keys: Option<&CapturedKeys>) -> WriterProperties {
    let mut pairs = vec![
        KeyValue::new(CAPTURED_AT.to_owned(), captured_at),
        KeyValue::new("indago.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    pairs.extend(captured_keys.map(|captured_keys| KeyValue::new(CAPTURED_KEYS.to_owned(), captured_keys.to_text())));
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(GROUP))
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(pairs))
        .build()
}

/// Streams a query's rows to a file.
async fn write(query: &Query, table: &str, properties: WriterProperties, path: &Path) -> Result<u64> {
    let (sender, mut receiver) = mpsc::channel::<RecordBatch>(2);
    let (missing, what_is_missing) = oneshot::channel::<KeyValue>();
    let schema = query.schema();
    let path = path.to_owned();
    let writer = tokio::task::spawn_blocking(move || -> Result<u64> {
        let failed = |source| Error::Parquet { path: path.clone(), source };
        // Rows may contain data that only root may read.
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let file = file.map_err(|source| Error::Io { path: path.clone(), source })?;
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(failed)?;
        let mut rows = 0;
        while let Some(batch) = receiver.blocking_recv() {
            rows += batch.num_rows() as u64;
            writer.write(&batch).map_err(failed)?;
        }
        // Known only after all rows have arrived.
        if let Ok(missing) = what_is_missing.blocking_recv() {
            writer.append_key_value_metadata(missing);
        }
        let file = writer.into_inner().map_err(failed)?;
        file.sync_all().map_err(|source| Error::Io { path: path.clone(), source })?;
        Ok(rows)
    });
    let mut batches = query.stream();
    let mut outcome = Ok(());
    while let Some(batch) = batches.next().await {
        match batch {
            // If the writer has ended, it reports its own error.
            Ok(batch) => {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Err(source) => {
                outcome = Err(Error::Query { table: table.to_owned(), source });
                break;
            }
        }
    }
    drop(sender);
    // If the writer has ended, it reports its own error.
    let _ = missing.send(crate::missing::missing(query));
    let rows = match writer.await {
        Ok(rows) => rows,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    outcome?;
    rows
}
