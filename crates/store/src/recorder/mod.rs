//! Records tables: reads them again and again, and stores what is different.

mod board;
mod clock;
mod coverage;
mod hash;
mod live;
mod plan;
mod redact;
mod unit;

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use indago_config::{Record, Recording};
use indago_engine::{Engine, QueryOptions};
use parking_lot::Mutex;
use regex::Regex;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub(crate) use board::COVERAGE;
pub use board::{coverage, is_recorded};
pub use coverage::{How, Interval};
pub use unit::TableReading;

use crate::archive::{Archive, Retention};
use crate::{Error, Result};
use board::{BEAT, Board};
use clock::Clock;
use plan::{Plan, plans};
use unit::{Common, Unit};

/// Tables that are read at the same time.
const CONCURRENCY: usize = 4;

/// Time between looks for changes of watched tables. Changes in this time cause one reading.
const LOOK: Duration = Duration::from_secs(1);

/// Settings of a recorder.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The section `[record]`.
    pub record: Record,
    /// The sections `[recording.<name>]`; without any, the tables of the host, its containers, clusters and accounts.
    pub recording: BTreeMap<String, Recording>,
}

/// Records tables of an engine into a store.
#[derive(Debug)]
pub struct Recorder {
    common: Arc<Common>,
    board: Arc<Board>,
    units: Vec<Unit>,
    problems: Vec<String>,
    progress: Progress,
}

/// The last reading of each table, and sums.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<BTreeMap<String, TableProgress>>>);

/// The readings of a table.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TableProgress {
    /// Number of readings.
    pub readings: u64,
    /// Number of readings that failed.
    pub failures: u64,
    /// Versions of rows that were written.
    pub versions: u64,
    /// The last reading.
    pub last: TableReading,
}

impl Progress {
    /// The tables that were read, by name.
    pub fn tables(&self) -> BTreeMap<String, TableProgress> {
        self.0.lock().clone()
    }

    fn add(&self, recorded: &TableReading) {
        let mut tables = self.0.lock();
        let table = tables.entry(recorded.table.clone()).or_default();
        table.readings += 1;
        table.failures += u64::from(recorded.failure.is_some());
        table.versions += recorded.added + recorded.modified;
        table.last = recorded.clone();
    }
}

impl Recorder {
    /// Prepares to record. A table that cannot be recorded is one of the [`problems`](Self::problems).
    ///
    /// # Errors
    /// Another recorder uses the same name in the same store, or the store cannot be read.
    pub async fn open(engine: Engine, archive: Archive, settings: &Settings) -> Result<Self> {
        let (plans, problems) = Box::pin(plans(&engine, settings)).await;
        Self::of_plans(engine, archive, &settings.record, plans, problems).await
    }

    async fn of_plans(
        engine: Engine,
        archive: Archive,
        record: &Record,
        plans: Vec<Plan>,
        mut problems: Vec<String>,
    ) -> Result<Self> {
        let mut patterns = Vec::new();
        for pattern in &record.redact {
            match Regex::new(pattern) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => problems.push(format!("record.redact: {error}")),
            }
        }
        let writer = record.writer.clone().unwrap_or_else(host_name);
        let board = Board::open(&archive, &writer).await?;
        board.keep_only(&plans.iter().map(Plan::name).collect::<Vec<_>>());
        let patterns: Arc<[Regex]> = patterns.into();
        let unit = |plan: Plan| {
            let tracks = board.tracks(plan.name());
            Unit::new(plan, record.redact_secrets, &patterns, tracks)
        };
        let keep = kept(record, &plans);
        let units = plans.into_iter().map(unit).collect();
        let common = Common { engine, archive, writer, clock: Clock::live(), compact: record.compact.0, keep };
        let (common, board, progress) = (Arc::new(common), Arc::new(board), Progress::default());
        Ok(Recorder { common, board, units, problems, progress })
    }

    /// Tables and settings that cannot be used, with the reasons.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The number of tables.
    pub fn tables(&self) -> usize {
        self.units.len()
    }

    /// The name of this recorder in the store.
    pub fn writer(&self) -> &str {
        &self.common.writer
    }

    /// The readings so far, also while the recorder runs.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Reads each table once. All readings have the time of the start.
    pub async fn once(&mut self, mut told: impl FnMut(&TableReading)) -> Result<()> {
        let now = self.common.clock.now();
        for unit in &mut self.units {
            // A query as of this time has all tables.
            unit.capture = Some(now);
            if unit.plan.how != How::Event {
                unit.plan.how = How::Capture;
            }
            let (recorded, over) = Box::pin(unit.read(&self.common)).await?;
            self.board.set(&recorded.table, unit.tracks(), over);
            self.progress.add(&recorded);
            told(&recorded);
            match unit.tidy(&self.common).await {
                Err(error @ Error::OtherWriter { .. }) => return Err(error),
                Err(error) => tracing::warn!(table = unit.plan.name(), %error, "the table could not be compacted"),
                Ok(()) => {}
            }
        }
        self.board.beat(&self.common, &mut None, true).await
    }

    /// Records until `cancel` completes. `told` gets each reading.
    ///
    /// # Errors
    /// Another recorder has taken over.
    pub async fn run(
        self,
        cancel: impl Future<Output = ()>,
        told: impl Fn(&TableReading) + Send + Sync + 'static,
    ) -> Result<()> {
        let Recorder { common, board, units, progress, .. } = self;
        let told: Arc<dyn Fn(&TableReading) + Send + Sync> = Arc::new(told);
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        let mut wakers: BTreeMap<String, Vec<Arc<Notify>>> = BTreeMap::new();
        let mut tasks: JoinSet<Result<()>> = JoinSet::new();
        if units.iter().any(|unit| matches!(unit.plan.how, How::Watch | How::Event)) {
            common.engine.start_events();
        }
        for unit in units {
            let wake = Arc::new(Notify::new());
            if let Some(resource) = unit.plan.table.spec().resource.as_ref().filter(|_| unit.plan.how == How::Watch) {
                wakers.entry(resource.name.to_string()).or_default().push(wake.clone());
            }
            let (common, board, permits) = (common.clone(), board.clone(), permits.clone());
            let (told, progress) = (told.clone(), progress.clone());
            tasks.spawn(async move { record(unit, &common, &board, &permits, &wake, &progress, &*told).await });
        }
        if !wakers.is_empty() {
            let common = common.clone();
            tasks.spawn(async move { watch(&common, &wakers).await });
        }
        let mut cancel = pin!(cancel);
        let mut intervals = None;
        // The first readings are soon known.
        let mut next = Instant::now() + LOOK;
        let outcome = loop {
            tokio::select! {
                biased;
                () = &mut cancel => break Ok(()),
                Some(ended) = tasks.join_next() => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => break Err(error),
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => {}
                },
                () = tokio::time::sleep_until(next) => {
                    next = Instant::now() + BEAT;
                    match board.beat(&common, &mut intervals, false).await {
                        Err(error @ (Error::Recording { .. } | Error::OtherWriter { .. })) => break Err(error),
                        Err(error) => {
                            intervals = None;
                            tracing::warn!(%error, "the heartbeat could not be written");
                        }
                        Ok(()) => {}
                    }
                }
            }
        };
        tasks.shutdown().await;
        outcome?;
        board.beat(&common, &mut intervals, true).await
    }
}

/// What is kept of the coverage: at least as much as of any table.
fn kept(record: &Record, plans: &[Plan]) -> Retention {
    let ages = plans.iter().map(|plan| plan.retain).collect::<Option<Vec<_>>>();
    let bytes = record.retain_size.map(|size| size.0);
    Retention { age: ages.and_then(|ages| ages.into_iter().max()), bytes, grace: unit::GRACE }
}

/// Reads a table each time it is due or has changed.
async fn record(
    mut unit: Unit,
    common: &Common,
    board: &Board,
    permits: &Semaphore,
    wake: &Notify,
    progress: &Progress,
    told: &(dyn Fn(&TableReading) + Send + Sync),
) -> Result<()> {
    let every = unit.plan.every;
    let mut due = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            () = wake.notified() => {}
        }
        let Ok(_permit) = permits.acquire().await else { return Ok(()) };
        let began = Instant::now();
        let (recorded, over) = Box::pin(unit.read(common)).await?;
        board.set(&recorded.table, unit.tracks(), over);
        progress.add(&recorded);
        told(&recorded);
        match unit.maintain(common).await {
            Err(error @ Error::OtherWriter { .. }) => return Err(error),
            Err(error) => tracing::warn!(table = unit.plan.name(), %error, "the table could not be compacted"),
            Ok(()) => {}
        }
        // A reading that took longer than its interval is followed by the next one at once.
        due = began + every;
    }
}

/// Wakes the tables of resources that have changed.
async fn watch(common: &Common, wakers: &BTreeMap<String, Vec<Arc<Notify>>>) -> Result<()> {
    let consumer = format!("record {} watch", common.writer);
    loop {
        tokio::time::sleep(LOOK).await;
        let options = QueryOptions::default().consumer(&consumer);
        let sql = "SELECT resource FROM kubernetes_changes";
        // Without changes, the tables are read at their intervals.
        let Ok(query) = Box::pin(common.engine.fork().query_with(sql, options)).await else { continue };
        let mut changed: BTreeSet<String> = BTreeSet::new();
        let mut batches = query.stream();
        while let Some(Ok(batch)) = batches.next().await {
            use arrow_array::cast::AsArray;
            let resources = batch.column(0).as_string_view_opt();
            changed.extend(resources.into_iter().flatten().flatten().map(str::to_owned));
        }
        for waker in changed.iter().filter_map(|resource| wakers.get(resource)).flatten() {
            waker.notify_one();
        }
    }
}

fn host_name() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(text.trim()).filter(|name| !name.is_empty()).unwrap_or("localhost").to_owned()
}
