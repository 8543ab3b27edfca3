//! `osquery_schedule`: the queries that a daemon runs.

use std::sync::{Arc, Mutex, PoisonError};

use indago_table::prelude::*;

use crate::schedule::Scheduled;
use crate::state::QueryState;

/// The queries that a daemon runs, with their statistics. The daemon fills it, and the table reads it.
#[derive(Debug, Clone, Default)]
pub struct ScheduleTable(Arc<Mutex<Vec<ScheduledQuery>>>);

impl Environment for ScheduleTable {
    const NAME: &'static str = "daemon";
}

impl ScheduleTable {
    /// The table.
    pub fn table(&self) -> TableRef {
        ScheduledQuery::table(self)
    }

    /// Sets the statistics of a query, by its position in the schedule.
    pub fn set(&self, place: usize, scheduled: &Scheduled, state: &QueryState) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let row = ScheduledQuery {
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
            failures: whole(state.failures),
            incomplete: whole(state.incomplete),
            ..ScheduledQuery::default()
        };
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() <= place {
            rows.resize_with(place + 1, ScheduledQuery::default);
        }
        rows[place] = row;
    }
}

/// Scheduled queries of the daemon that runs this query.
#[derive(Debug, Clone, Default, Table)]
#[table(name = "osquery_schedule", env = ScheduleTable, rows = 20)]
#[example(
    "Queries with incomplete runs.",
    "SELECT name, incomplete, executions FROM osquery_schedule WHERE incomplete > 0"
)]
struct ScheduledQuery {
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
    /// NULL, like `user_time`.
    average_memory: Option<i64>,
    /// NULL, like `user_time`.
    last_memory: Option<i64>,
    /// Number of failed runs.
    #[column(added)]
    failures: i64,
    /// Number of runs that could not read everything. Rows of what they could not read stayed as they were.
    #[column(added)]
    incomplete: i64,
}

impl Rows for ScheduledQuery {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(scan.env().0.lock().unwrap_or_else(PoisonError::into_inner).clone().into_iter())
    }
}
