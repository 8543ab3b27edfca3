//! `osquery_schedule`: the queries that a daemon runs.

use std::sync::{Arc, Mutex, PoisonError};

use indago_table::prelude::*;

use crate::schedule::Scheduled;
use crate::state::QueryState;

/// The queries that a daemon runs, and how they fare: what it fills, and the table shows.
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

    /// Says how a query fares, at its place of the schedule.
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

/// The scheduled queries of the daemon that answers.
#[derive(Debug, Clone, Default, Table)]
#[table(name = "osquery_schedule", env = ScheduleTable, rows = 20)]
#[example(
    "Queries that could not read all.",
    "SELECT name, incomplete, executions FROM osquery_schedule WHERE incomplete > 0"
)]
struct ScheduledQuery {
    /// Its name, with the prefix of its pack.
    name: String,
    /// Its SQL.
    query: String,
    /// Seconds from one run to the next, as moved by the splay.
    interval: i64,
    /// How often it ran.
    executions: i64,
    /// When it last began, in Unix seconds; 0 before its first run.
    last_executed: i64,
    /// 1 if it is left out for a while, because it killed the daemon.
    denylisted: i64,
    /// How much its runs gave, in bytes of result lines.
    output_size: i64,
    /// How long its runs took, in seconds.
    wall_time: i64,
    /// How long its runs took, in milliseconds.
    wall_time_ms: i64,
    /// How long its last run took, in milliseconds.
    last_wall_time_ms: i64,
    /// NULL: queries run side by side in one process, and their processor time is not told apart.
    user_time: Option<i64>,
    /// NULL, as `user_time`.
    last_user_time: Option<i64>,
    /// NULL, as `user_time`.
    system_time: Option<i64>,
    /// NULL, as `user_time`.
    last_system_time: Option<i64>,
    /// NULL, as `user_time`.
    average_memory: Option<i64>,
    /// NULL, as `user_time`.
    last_memory: Option<i64>,
    /// How many runs failed.
    #[column(added)]
    failures: i64,
    /// How many runs could not read all: the rows of what they could not read were left as they were.
    #[column(added)]
    incomplete: i64,
}

impl Rows for ScheduledQuery {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(scan.env().0.lock().unwrap_or_else(PoisonError::into_inner).clone().into_iter())
    }
}
