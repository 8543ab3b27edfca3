//! Runs queries of packs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use futures::StreamExt;
use indago_engine::{Engine, Query, QueryOptions, Taken, Warning};

use crate::error::{PackError, Result};
use crate::log::written_name;
use crate::pack::{Pack, PackQuery};
use crate::platform::PLATFORM;
use crate::unread::Unread;

/// Outcome of one query.
#[derive(Debug)]
pub struct Report {
    /// Name of the query.
    pub query: String,
    /// Whether it ran, and how it ended.
    pub status: Status,
    /// Number of rows.
    pub rows: u64,
    /// Run time.
    pub elapsed: Duration,
    /// Peak memory that counted against the query's limit, in bytes.
    pub memory: usize,
    /// Warnings.
    pub warnings: Vec<Warning>,
    /// Slices that were not read completely.
    pub unread: Unread,
    /// Volatile columns of the result: those that show a volatile column of a table.
    pub volatile: BTreeSet<String>,
    /// Whether the query reads a table of events.
    pub reads_events: bool,
    /// The events that it consumed; `None` if it did not run.
    pub taken: Option<Taken>,
}

impl Report {
    /// The report of a query that has not run.
    pub fn new(query: &str, status: Status) -> Self {
        Self {
            query: query.to_owned(),
            status,
            rows: 0,
            elapsed: Duration::ZERO,
            memory: 0,
            warnings: Vec::new(),
            unread: Unread::default(),
            volatile: BTreeSet::new(),
            reads_events: false,
            taken: None,
        }
    }
}

/// Whether a table of another program holds events, by osquery's naming. Kubernetes' events are ordinary objects.
pub fn is_event_table(table: &str) -> bool {
    table.ends_with("_events") && !table.starts_with("kubernetes_")
}

/// How a query ended.
#[derive(Debug)]
pub enum Status {
    /// It ran to its end.
    Ok,
    /// It does not apply to this host.
    Skipped(String),
    /// It failed.
    Failed(indago_engine::Error),
}

impl Status {
    /// The status as one word.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Skipped(_) => "skipped",
            Status::Failed(_) => "failed",
        }
    }
}

/// Runs one query and passes on its batches as they arrive. It reads events as the consumer that the options name, by
/// default under its own name.
pub async fn run(
    engine: &Engine,
    query: &PackQuery,
    options: &QueryOptions,
    mut on_batch: impl FnMut(RecordBatch),
) -> Report {
    let began = Instant::now();
    let mut report = Report::new(&query.name, Status::Ok);
    if let Some(reason) = query.mismatch(PLATFORM) {
        report.status = Status::Skipped(reason);
        return report;
    }
    let consumer = options.consumer.clone().or_else(|| Some(query.name.clone()));
    let options = QueryOptions { timeout: query.timeout.or(options.timeout), consumer, ..options.clone() };
    match engine.query_with(&query.sql, options).await {
        Err(error) => report.status = Status::Failed(error),
        Ok(running) => {
            let mut batches = running.stream();
            while let Some(batch) = batches.next().await {
                match batch {
                    Ok(batch) => {
                        report.rows += batch.num_rows() as u64;
                        on_batch(batch);
                    }
                    Err(error) => {
                        report.status = Status::Failed(error);
                        break;
                    }
                }
            }
            report.memory = running.peak_memory();
            report.warnings = running.warnings();
            report.unread = Unread::of(&running);
            report.volatile = volatile(&running);
            let tables = || running.tables().iter().map(|table| table.spec());
            report.reads_events = tables().any(|spec| spec.events || is_event_table(&spec.name));
            report.taken = Some(running.taken());
        }
    }
    report.elapsed = began.elapsed();
    report
}

/// The result columns that show a volatile column of a table and no other value.
fn volatile(query: &Query) -> BTreeSet<String> {
    let (mut volatile, mut lasting) = (BTreeSet::new(), BTreeSet::new());
    for scan in query.lineage() {
        let table = query.tables().iter().map(|table| table.spec()).find(|spec| spec.name == scan.table);
        let Some(spec) = table else { continue };
        for (name, places) in scan.columns {
            let is_volatile = spec.column(&name).is_some_and(|column| spec.columns[column].volatile);
            if is_volatile { &mut volatile } else { &mut lasting }.extend(places);
        }
    }
    let schema = query.schema();
    volatile.difference(&lasting).map(|place| written_name(schema.field(*place)).to_owned()).collect()
}

/// Why a pack does not apply to this host: its platform, its version, or a discovery query that returned no row. If a
/// discovery query returned no row but could not read everything, that is an error.
pub async fn discover(engine: &Engine, pack: &Pack, options: &QueryOptions) -> Result<Option<String>> {
    if let Some(reason) = pack.mismatch(PLATFORM) {
        return Ok(Some(reason));
    }
    for sql in &pack.discovery {
        let query = engine.query_with(sql, options.clone()).await?;
        let mut batches = query.stream();
        let mut found = false;
        while let Some(batch) = batches.next().await.transpose()? {
            if batch.num_rows() > 0 {
                found = true;
                break;
            }
        }
        if let Some(reason) = (!found).then(|| Unread::of(&query)).as_ref().and_then(|unread| unread.reasons().next()) {
            return Err(PackError::Undecided { sql: sql.clone(), reason: reason.to_owned() });
        }
        if !found {
            return Ok(Some(format!("the discovery query returned no row: {sql}")));
        }
    }
    Ok(None)
}
