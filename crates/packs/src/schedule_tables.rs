//! `osquery_schedule` and `engine_schedule`: the queries that a daemon runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use indago_table::prelude::*;

use crate::schedule::Scheduled;
use crate::state::QueryState;

/// A scheduled query and its statistics.
#[derive(Debug, Clone)]
pub struct ScheduleEntry {
    /// The query.
    pub scheduled: Arc<Scheduled>,
    /// Its state.
    pub state: QueryState,
    /// Whether it waits, runs, or is skipped.
    pub status: &'static str,
    /// Start of the next run, in Unix seconds; `None` if none is planned.
    pub next_run: Option<u64>,
}

/// The queries that a daemon runs, with their statistics. The daemon fills it, and the tables read it.
#[derive(Debug, Clone, Default)]
pub struct ScheduleTable(Arc<Mutex<BTreeMap<String, ScheduleEntry>>>);

impl Environment for ScheduleTable {
    const NAME: &'static str = "daemon";
}

impl ScheduleTable {
    /// The tables `osquery_schedule` and `engine_schedule`.
    pub fn tables(&self) -> [TableRef; 2] {
        [OsquerySchedule::table(self), EngineSchedule::table(self)]
    }

    /// Sets the statistics of a query.
    pub fn set(&self, entry: ScheduleEntry) {
        self.lock().insert(entry.scheduled.name.clone(), entry);
    }

    /// Removes all queries for which the function returns false.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.lock().retain(|name, _| keep(name));
    }

    /// The queries, by name.
    pub fn entries(&self) -> Vec<ScheduleEntry> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, ScheduleEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn time(seconds: Option<u64>) -> Option<Timestamp> {
    seconds.map(|seconds| Timestamp::from_seconds(whole(seconds)))
}

/// Scheduled queries of the daemon that runs this query.
#[derive(Debug, Clone, Default, Table)]
#[table(name = "osquery_schedule", env = ScheduleTable, rows = 20)]
#[example(
    "Queries with incomplete runs.",
    "SELECT name, incomplete, executions FROM osquery_schedule WHERE incomplete > 0"
)]
struct OsquerySchedule {
    /// Name, with the prefix of its pack.
    name: String,
    /// The SQL.
    query: String,
    /// Seconds between runs, with splay.
    interval: i64,
    /// Number of runs.
    executions: i64,
    /// Start of the last run, in Unix seconds; 0 before the first run.
    last_executed: i64,
    /// 1 if it is skipped for some time because it was running when the daemon was killed.
    denylisted: i64,
    /// Total size of its result lines, in bytes.
    output_size: i64,
    /// Total run time, in seconds.
    wall_time: i64,
    /// Total run time, in milliseconds.
    wall_time_ms: i64,
    /// Run time of the last run, in milliseconds.
    last_wall_time_ms: i64,
    /// NULL, because queries run concurrently in one process and their CPU time cannot be separated.
    user_time: Option<i64>,
    /// NULL, like `user_time`.
    last_user_time: Option<i64>,
    /// NULL, like `user_time`.
    system_time: Option<i64>,
    /// NULL, like `user_time`.
    last_system_time: Option<i64>,
    /// Average of the peak memory of its runs, in bytes. Only memory that counts against the query's limit.
    average_memory: i64,
    /// Peak memory of the last run, in bytes. Only memory that counts against the query's limit.
    last_memory: i64,
    /// Number of failed runs.
    #[column(added)]
    failures: i64,
    /// Number of runs that could not read everything. Rows of what they could not read stayed as they were.
    #[column(added)]
    incomplete: i64,
    /// Start of the next run, in Unix seconds; NULL if none is planned.
    #[column(added)]
    next_execution: Option<i64>,
    /// Number of rows of the last run.
    #[column(added)]
    last_rows: i64,
}

impl Rows for OsquerySchedule {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(scan.env().entries().into_iter().map(|ScheduleEntry { scheduled, state, next_run, .. }| Self {
            name: scheduled.name.clone(),
            query: scheduled.query.statement().to_owned(),
            interval: whole(state.splayed),
            executions: whole(state.executions),
            last_executed: whole(state.last_run.unwrap_or(0)),
            denylisted: state.denied_until.is_some().into(),
            output_size: whole(state.output_bytes),
            wall_time: whole(state.wall_ms / 1000),
            wall_time_ms: whole(state.wall_ms),
            last_wall_time_ms: whole(state.last_wall_ms),
            average_memory: whole(state.memory_bytes.checked_div(state.executions).unwrap_or(0)),
            last_memory: whole(state.last_memory_bytes),
            failures: whole(state.failures),
            incomplete: whole(state.incomplete),
            next_execution: next_run.map(whole),
            last_rows: whole(state.last_rows),
            ..Self::default()
        }))
    }
}

/// Scheduled queries of the daemon that runs this query, with their last and next run.
#[derive(Debug, Clone, Default, Table)]
#[table(name = "engine_schedule", env = ScheduleTable, rows = 20)]
#[example(
    "Queries whose last run failed.",
    "SELECT name, last_error, next_run FROM engine_schedule WHERE last_error IS NOT NULL"
)]
struct EngineSchedule {
    /// Name, with the prefix of its pack.
    name: String,
    /// Its pack; NULL for a query of the configuration itself.
    pack: Option<String>,
    /// `waiting`, `running`, `denylisted`, or `not in use` if the discovery queries of its pack return no row.
    status: String,
    /// Seconds between runs, as configured.
    interval: i64,
    /// Start of the last run; NULL before the first run.
    last_run: Option<Timestamp>,
    /// Start of the next run; NULL if none is planned.
    next_run: Option<Timestamp>,
    /// Number of rows of the last run.
    last_rows: i64,
    /// Run time of the last run, in milliseconds.
    last_time_ms: i64,
    /// Peak memory of the last run, in bytes. Only memory that counts against the query's limit.
    last_memory: i64,
    /// Why the last run failed; NULL if it did not.
    last_error: Option<String>,
    /// Slices that the last run could not read completely, and why; NULL if it was complete.
    last_missing: Option<String>,
    /// Number of runs.
    runs: i64,
    /// Number of failed runs.
    failures: i64,
    /// Number of incomplete runs.
    incomplete: i64,
    /// Total run time, in milliseconds.
    time_ms: i64,
    /// End of the time for which it is skipped because it was running when the daemon was killed.
    denylisted_until: Option<Timestamp>,
    /// Epoch of its last result.
    epoch: i64,
    /// Counter of its last result.
    counter: i64,
    /// The SQL.
    query: String,
}

impl Rows for EngineSchedule {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(scan.env().entries().into_iter().map(|ScheduleEntry { scheduled, state, status, next_run }| Self {
            name: scheduled.name.clone(),
            pack: scheduled.pack.clone(),
            status: status.to_owned(),
            interval: whole(scheduled.query.interval.as_secs()),
            last_run: time(state.last_run),
            next_run: time(next_run),
            last_rows: whole(state.last_rows),
            last_time_ms: whole(state.last_wall_ms),
            last_memory: whole(state.last_memory_bytes),
            last_error: state.last_error,
            last_missing: state.last_missing,
            runs: whole(state.executions),
            failures: whole(state.failures),
            incomplete: whole(state.incomplete),
            time_ms: whole(state.wall_ms),
            denylisted_until: time(state.denied_until),
            epoch: whole(state.epoch),
            counter: whole(state.counter),
            query: scheduled.query.statement().to_owned(),
        }))
    }
}
