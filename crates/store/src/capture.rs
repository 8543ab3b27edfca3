//! Writes tables' rows as Parquet.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow_array::RecordBatch;
use futures::StreamExt;
use indago_engine::{Engine, Query, Warning};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use tokio::sync::mpsc;

use crate::table::{CAPTURED_AT, captured_at};
use crate::{Error, Result};

/// Where the keys of keyed tables come from, when such a table is captured: what the other tables mention.
const KEYS: &[(&str, &str)] = &[
    ("file", "path IN (SELECT path FROM processes WHERE path <> '')"),
    ("hash", "path IN (SELECT path FROM processes WHERE path <> '')"),
    ("docker_container_processes", "id IN (SELECT id FROM docker_containers)"),
];

/// What a capture wrote.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// One entry a table, in the order of writing.
    pub tables: Vec<Captured>,
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
    /// How long it took.
    pub elapsed: Duration,
    /// What is missing from the rows.
    pub warnings: Vec<Warning>,
}

/// Writes the rows of tables into a folder, one Parquet file a table, each with the moment at which it was read.
///
/// No names: every table that can be read whole, and keyed ones for the keys that other tables mention. A file appears
/// under its name only when it is complete, so that a full disk leaves no half table behind.
pub async fn capture(engine: &Engine, tables: &[String], folder: &Path) -> Result<Report> {
    fs::create_dir_all(folder).map_err(|source| Error::Io { path: folder.to_owned(), source })?;
    let mut report = Report::default();
    for (table, sql) in statements(engine, tables)? {
        report.tables.push(capture_one(engine, &table, &sql, folder).await?);
    }
    Ok(report)
}

/// The query for each table.
fn statements(engine: &Engine, tables: &[String]) -> Result<Vec<(String, String)>> {
    let statement = |name: &str| -> Result<Option<String>> {
        let table = engine.table(name).ok_or_else(|| Error::UnknownTable(name.to_owned()))?;
        let spec = table.spec();
        let columns: Vec<String> = spec.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let select = format!("SELECT {} FROM \"{name}\"", columns.join(", "));
        if !spec.is_keyed() {
            return Ok(Some(select));
        }
        let keys = KEYS.iter().find(|(table, _)| *table == name).map(|(_, keys)| keys);
        Ok(keys.map(|keys| format!("{select} WHERE {keys}")))
    };
    if tables.is_empty() {
        let mut all = Vec::new();
        for table in engine.tables() {
            let name = table.spec().name.to_string();
            if table.spec().environment == "engine" {
                continue;
            }
            if let Some(sql) = statement(&name)? {
                all.push((name, sql));
            }
        }
        return Ok(all);
    }
    let named = |name: &String| match statement(name)? {
        Some(sql) => Ok((name.clone(), sql)),
        None => Err(Error::Keyed(name.clone())),
    };
    tables.iter().map(named).collect()
}

async fn capture_one(engine: &Engine, table: &str, sql: &str, folder: &Path) -> Result<Captured> {
    let started = std::time::Instant::now();
    let failed = |source| Error::Query { table: table.to_owned(), source };
    // Rows of a store are as old as their capture.
    let known = engine.table(table);
    let properties = match known.as_ref().and_then(|known| captured_at(known.spec())) {
        Some(moment) => properties_of(moment.to_owned()),
        None => file_properties(),
    };
    let query = engine.query(sql).await.map_err(failed)?;
    let path = folder.join(format!("{table}.parquet"));
    let partial = folder.join(format!(".{table}.parquet.partial"));
    let written = write(&query, table, properties, &partial).await;
    let rows = match written {
        Ok(rows) => rows,
        Err(error) => {
            // Best effort: the error that matters is the one that stopped the capture.
            let _ = fs::remove_file(&partial);
            return Err(error);
        }
    };
    let io = |source| Error::Io { path: path.clone(), source };
    fs::rename(&partial, &path).map_err(io)?;
    let bytes = fs::metadata(&path).map_err(io)?.len();
    Ok(Captured {
        table: table.to_owned(),
        path: path.clone(),
        rows,
        bytes,
        elapsed: started.elapsed(),
        warnings: query.warnings(),
    })
}

/// How files of captured rows are written: compressed, with the present moment as that of the capture.
pub fn file_properties() -> WriterProperties {
    properties_of(chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}

fn properties_of(captured_at: String) -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![
            KeyValue::new(CAPTURED_AT.to_owned(), captured_at),
            KeyValue::new("indago.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]))
        .build()
}

/// Streams a query's rows into a file.
async fn write(query: &Query, table: &str, properties: WriterProperties, path: &Path) -> Result<u64> {
    let (sender, mut receiver) = mpsc::channel::<RecordBatch>(2);
    let schema = query.schema();
    let path = path.to_owned();
    let writer = tokio::task::spawn_blocking(move || -> Result<u64> {
        let failed = |source| Error::Parquet { path: path.clone(), source };
        // Rows may hold what only root may read.
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let file = file.map_err(|source| Error::Io { path: path.clone(), source })?;
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(failed)?;
        let mut rows = 0;
        while let Some(batch) = receiver.blocking_recv() {
            rows += batch.num_rows() as u64;
            writer.write(&batch).map_err(failed)?;
        }
        let file = writer.into_inner().map_err(failed)?;
        file.sync_all().map_err(|source| Error::Io { path: path.clone(), source })?;
        Ok(rows)
    });
    let mut batches = query.stream();
    let mut outcome = Ok(());
    while let Some(batch) = batches.next().await {
        match batch {
            // A writer that is gone has its own error to tell.
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
    let rows = match writer.await {
        Ok(rows) => rows,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    outcome?;
    rows
}
