//! `osquery_schedule`, `engine_schedule` and `osquery_packs`: what a daemon runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indago_config::{Config, Schedule};
use indago_table::prelude::*;

use crate::pack::{Pack, PackQuery};
use crate::platform::PLATFORM;
use crate::schedule::{Scheduled, scheduled_name};
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

/// The queries that a daemon runs, with their statistics. The daemon fills it, and the tables read it. Without a daemon,
/// the tables show what the configuration schedules.
#[derive(Debug, Clone, Default)]
pub struct ScheduleTable(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    /// The daemon's queries, by name; `None` without a daemon.
    queries: Option<BTreeMap<String, ScheduleEntry>>,
    schedule: BTreeMap<String, Schedule>,
    packs: BTreeMap<String, PathBuf>,
}

/// Status of a query without a daemon.
const NOT_RUNNING: &str = "not running";
/// Status of a query whose pack does not apply to the host.
pub const NOT_IN_USE: &str = "not in use";

impl Environment for ScheduleTable {
    const NAME: &'static str = "daemon";
}

impl ScheduleTable {
    /// The tables `osquery_schedule`, `engine_schedule` and `osquery_packs`.
    pub fn tables(&self) -> [TableRef; 3] {
        [OsquerySchedule::table(self), EngineSchedule::table(self), OsqueryPack::table(self)]
    }

    /// Sets the configuration: its queries and packs. Packs are read when a table is.
    pub fn configure(&self, config: &Config) {
        let mut contents = self.lock();
        contents.schedule.clone_from(&config.schedule);
        contents.packs.clone_from(&config.packs);
    }

    /// Sets the statistics of a query.
    pub fn set(&self, entry: ScheduleEntry) {
        self.lock().queries.get_or_insert_default().insert(entry.scheduled.name.clone(), entry);
    }

    /// Removes all queries for which the function returns false.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.lock().queries.get_or_insert_default().retain(|name, _| keep(name));
    }

    /// The daemon's queries, by name.
    pub fn entries(&self) -> Vec<ScheduleEntry> {
        self.lock().queries.iter().flat_map(BTreeMap::values).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configured packs. Those that cannot be read are reported.
    fn packs<T: Row<Env = Self>>(&self, scan: &Scan<T>) -> Vec<Pack> {
        let packs = self.lock().packs.clone();
        let read = |(name, path): (String, PathBuf)| match Pack::load(&path) {
            Ok(pack) => Some(Pack { name, ..pack }),
            Err(error) => {
                scan.report(&name, &Error::Malformed(error.to_string()));
                None
            }
        };
        packs.into_iter().filter_map(read).collect()
    }

    /// The daemon's queries, or those that the configuration schedules.
    fn shown<T: Row<Env = Self>>(&self, scan: &Scan<T>) -> Vec<ScheduleEntry> {
        if self.lock().queries.is_some() {
            return self.entries();
        }
        let schedule = self.lock().schedule.clone();
        let mut entries = Vec::new();
        for (name, schedule) in schedule {
            let sql = match (schedule.query, &schedule.file) {
                (Some(sql), _) => Ok(sql),
                (None, Some(file)) => indago_config::read_text(file),
                (None, None) => Ok(String::new()),
            };
            match sql {
                Ok(sql) => {
                    let query = PackQuery { interval: schedule.interval.0, ..PackQuery::new(&name, sql) };
                    entries.push(configured(name, query, None));
                }
                Err(error) => scan.report(&name, &Error::Malformed(error)),
            }
        }
        for Pack { name: pack, queries, .. } in self.packs(scan) {
            let all = queries.into_iter();
            entries.extend(all.map(|query| configured(scheduled_name(&pack, &query.name), query, Some(pack.clone()))));
        }
        entries
    }
}

fn configured(name: String, query: PackQuery, pack: Option<String>) -> ScheduleEntry {
    let state = QueryState { splayed: query.interval.as_secs(), ..QueryState::default() };
    let scheduled = Arc::new(Scheduled { name, query, pack, place: String::new() });
    ScheduleEntry { scheduled, state, status: NOT_RUNNING, next_run: None }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn time(seconds: Option<u64>) -> Option<Timestamp> {
    seconds.map(|seconds| Timestamp::from_seconds(whole(seconds)))
}

/// Scheduled queries of the daemon that runs this query. Outside of a daemon, those that the configuration schedules,
/// without runs.
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
    /// The same as `denylisted`.
    #[column(added, hidden)]
    blacklisted: i64,
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
        Ok(scan.env().shown(scan).into_iter().map(|ScheduleEntry { scheduled, state, next_run, .. }| Self {
            name: scheduled.name.clone(),
            query: scheduled.query.statement().to_owned(),
            interval: whole(state.splayed),
            executions: whole(state.executions),
            last_executed: whole(state.last_run.unwrap_or(0)),
            denylisted: state.denied_until.is_some().into(),
            blacklisted: state.denied_until.is_some().into(),
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

/// Scheduled queries of the daemon that runs this query, with their last and next run. Outside of a daemon, those that
/// the configuration schedules, without runs.
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
    /// `waiting`, `running`, `denylisted`, `not in use` if the discovery queries of its pack return no row, or
    /// `not running` outside of a daemon.
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
        Ok(scan.env().shown(scan).into_iter().map(|ScheduleEntry { scheduled, state, status, next_run }| Self {
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

/// Packs that the configuration schedules.
#[derive(Debug, Clone, Default, Table)]
#[table(name = "osquery_packs", env = ScheduleTable, rows = 5, identity(name))]
#[example(
    "Packs that do not apply to this host.",
    "SELECT name, platform, version FROM osquery_packs WHERE active = 0"
)]
struct OsqueryPack {
    /// Name.
    name: String,
    /// Platforms that it applies to; empty for all.
    platform: String,
    /// Lowest osquery version with the tables that it needs; empty for any.
    #[column(collate = version)]
    version: String,
    /// Percent of hosts that it runs on; 0 for all.
    shard: i64,
    /// Always 0: results of discovery queries are kept in the state of each pack, not in a cache.
    discovery_cache_hits: i64,
    /// NULL, because runs of discovery queries are not counted.
    discovery_executions: Option<i64>,
    /// 1 if it applies to this host, else 0. Inside the daemon, its discovery queries and its shard count too.
    active: i64,
}

impl Rows for OsqueryPack {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let queries = scan.env().lock().queries.clone();
        let is_used = move |pack: &str| {
            let Some(queries) = &queries else { return true };
            let of_pack = |entry: &&ScheduleEntry| entry.scheduled.pack.as_deref() == Some(pack);
            queries.values().filter(of_pack).any(|entry| entry.status != NOT_IN_USE)
        };
        Ok(scan.env().packs(scan).into_iter().map(move |pack| OsqueryPack {
            active: (pack.mismatch(PLATFORM).is_none() && is_used(&pack.name)).into(),
            platform: pack.platform.unwrap_or_default(),
            version: pack.version.unwrap_or_default(),
            shard: pack.shard.unwrap_or(0).into(),
            discovery_cache_hits: 0,
            discovery_executions: None,
            name: pack.name,
        }))
    }
}
