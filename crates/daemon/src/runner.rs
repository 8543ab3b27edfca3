//! The loop: waits for the next query that is due, runs it, and settles its result.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indago::config::Config;
use indago::packs::log::{self, Stamp};
use indago::packs::schedule::{Scheduled, next_run, prepared, settle};
use indago::packs::{QueryState, State, Status as Ended, discover, run as run_query};
use indago::{Engine, QueryOptions};
use tokio::task::JoinSet;

use crate::appender::Appender;
use crate::error::{DaemonError, Result};
use crate::host;
use crate::plan::{Plan, PlannedPack};
use crate::status::{Status, unix_time};

/// How often discovery queries are asked again.
const DISCOVERY_REFRESH: Duration = Duration::from_secs(3600);

/// Longest sleep, so that a clock that is set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

struct Shared {
    engine: Engine,
    state: State,
    results: Appender,
    status: Status,
    host: String,
    epoch: u64,
    numerics: bool,
    timeout: Duration,
}

struct Entry {
    scheduled: Arc<Scheduled>,
    state: QueryState,
    due: u64,
    running: bool,
    /// Index of the pack whose discovery decides.
    pack: Option<usize>,
}

struct Discovery {
    planned: PlannedPack,
    applies: bool,
    asked: Option<Instant>,
}

/// Runs the schedule of a configuration until `stop` is ready; then lets running queries finish for a while, cancels the rest,
/// and answers.
pub async fn run(engine: Engine, config: &Config, stop: impl Future<Output = ()>) -> Result<()> {
    let daemon = &config.daemon;
    let host = host::identifier(daemon.host_identifier.as_deref());
    let mut plan = Plan::read(config, &host)?;
    let shared = Arc::new(Shared {
        engine,
        state: State::open(&daemon.state)?,
        results: Appender::new(&daemon.results)?,
        status: Status::new(daemon.status.as_deref(), &host)?,
        host,
        epoch: daemon.epoch,
        numerics: daemon.numerics,
        timeout: daemon.timeout.0,
    });
    for skipped in &plan.skipped {
        shared.status.info(&format!("not scheduled: {skipped}"));
    }
    let mut packs: Vec<Discovery> =
        plan.packs.drain(..).map(|planned| Discovery { planned, applies: false, asked: None }).collect();
    let mut entries = Vec::new();
    for scheduled in plan.queries {
        entries.push(entry(&shared, scheduled, None, daemon.splay)?);
    }
    for (index, pack) in packs.iter_mut().enumerate() {
        for scheduled in pack.planned.queries.drain(..) {
            entries.push(entry(&shared, scheduled, Some(index), daemon.splay)?);
        }
    }
    let names: Vec<&str> = entries.iter().map(|entry| entry.scheduled.name.as_str()).collect();
    shared.state.keep_only(&names)?;
    shared.status.info(&format!("started with {} queries", entries.len()));

    let mut stop = pin!(stop);
    let mut running: JoinSet<(usize, QueryState)> = JoinSet::new();
    loop {
        let now = unix_time().max(0) as u64;
        let mut next = now + LONGEST_SLEEP.as_secs();
        let mut order: Vec<usize> = (0..entries.len()).filter(|index| !entries[*index].running).collect();
        order.sort_by_key(|index| entries[*index].due);
        for index in order {
            let due = entries[index].due;
            if due > now {
                next = next.min(due);
                break;
            }
            if running.len() >= daemon.concurrency {
                break;
            }
            if let Some(pack) = entries[index].pack {
                refresh(&shared, &mut packs[pack]).await;
                if !packs[pack].applies {
                    entries[index].due = now + entries[index].state.splayed.max(1);
                    next = next.min(entries[index].due);
                    continue;
                }
            }
            entries[index].running = true;
            let (shared, scheduled, state) =
                (shared.clone(), entries[index].scheduled.clone(), entries[index].state.clone());
            running.spawn(async move { (index, turn(shared, scheduled, state).await) });
        }
        let pause = if running.len() >= daemon.concurrency { LONGEST_SLEEP } else { until(next) };
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = running.join_next() => settle_turn(&shared, &mut entries, ended),
            () = tokio::time::sleep(pause) => {}
        }
    }
    shared.status.info("stopping");
    let finish = async {
        while let Some(ended) = running.join_next().await {
            settle_turn(&shared, &mut entries, ended);
        }
    };
    if tokio::time::timeout(daemon.grace.0, finish).await.is_err() {
        for entry in entries.iter().filter(|entry| entry.running) {
            shared.status.warn(&format!("{}: cancelled, the daemon stops", entry.scheduled.name));
        }
        running.shutdown().await;
    }
    shared.status.info("stopped");
    Ok(())
}

fn entry(shared: &Shared, scheduled: Scheduled, pack: Option<usize>, splay: u32) -> Result<Entry> {
    let state = prepared(shared.state.query(&scheduled.name)?, &scheduled.query, splay);
    // The interval that was chosen is kept even if the query never comes to run.
    shared.state.remember(&scheduled.name, &state, None)?;
    let due = next_run(&state, unix_time().max(0) as u64);
    Ok(Entry { scheduled: Arc::new(scheduled), state, due, running: false, pack })
}

/// Time until a Unix second begins.
fn until(second: u64) -> Duration {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(second).saturating_sub(now).clamp(Duration::from_millis(10), LONGEST_SLEEP)
}

fn settle_turn(shared: &Shared, entries: &mut [Entry], ended: Result<(usize, QueryState), tokio::task::JoinError>) {
    match ended {
        Ok((index, state)) => {
            let entry = &mut entries[index];
            entry.state = state;
            entry.running = false;
            let last = entry.state.last_run.unwrap_or(0);
            entry.due = (last + entry.state.splayed.max(1)).max(unix_time().max(0) as u64);
        }
        Err(error) if error.is_cancelled() => {}
        Err(error) => shared.status.error(&format!("a query's task ended abnormally: {error}")),
    }
}

/// Asks a pack's discovery queries if that was not done lately.
async fn refresh(shared: &Shared, pack: &mut Discovery) {
    if pack.asked.is_some_and(|asked| asked.elapsed() < DISCOVERY_REFRESH) {
        return;
    }
    let options = QueryOptions { timeout: Some(shared.timeout), ..QueryOptions::default() };
    let name = &pack.planned.pack.name;
    let before = pack.asked.is_some().then_some(pack.applies);
    match discover(&shared.engine, &pack.planned.pack, &options).await {
        Ok(None) => pack.applies = true,
        Ok(Some(reason)) => {
            pack.applies = false;
            if before != Some(false) {
                shared.status.info(&format!("pack {name} does not apply: {reason}"));
            }
        }
        Err(error) => {
            pack.applies = false;
            shared.status.error(&format!("pack {name}: a discovery query failed: {error}"));
        }
    }
    pack.asked = Some(Instant::now());
}

/// One run of one query: its rows, what changed in them, the log, the state.
async fn turn(shared: Arc<Shared>, scheduled: Arc<Scheduled>, state: QueryState) -> QueryState {
    let began = unix_time();
    let options = QueryOptions { timeout: Some(shared.timeout), ..QueryOptions::default() };
    let mut rows: Vec<String> = Vec::new();
    let mut broken = None;
    let numerics = shared.numerics;
    let report =
        Box::pin(run_query(&shared.engine, &scheduled.query, &options, |batch| match log::rows(&batch, numerics) {
            Ok(more) => rows.extend(more),
            Err(error) => broken = Some(error.to_string()),
        }))
        .await;
    let name = &scheduled.name;
    for warning in &report.warnings {
        let needs = warning.needs.as_ref().filter(|needs| !warning.message.contains(needs.as_str()));
        let needs = needs.map(|needs| format!(" (needs {needs})")).unwrap_or_default();
        shared.status.warn(&format!("{name}: {warning}{needs}"));
    }
    let state = QueryState { last_run: Some(began.max(0) as u64), ..state };
    let failure = match report.status {
        Ended::Failed(error) => Some(error.to_string()),
        Ended::Skipped(reason) => Some(reason),
        Ended::Ok => broken,
    };
    let writer = shared.clone();
    let query = scheduled.clone();
    let kept = state.clone();
    let settled = tokio::task::spawn_blocking(move || match failure {
        Some(failure) => {
            writer.status.error(&format!("{}: {failure}", query.name));
            writer.state.remember(&query.name, &kept, None).map_err(DaemonError::from)?;
            Ok(kept)
        }
        None => writer.settle(&query, kept, rows, began),
    })
    .await;
    match settled {
        Ok(Ok(state)) => state,
        Ok(Err(error)) => {
            shared.status.error(&format!("{name}: {error}"));
            state
        }
        Err(error) => {
            shared.status.error(&format!("{name}: {error}"));
            state
        }
    }
}

impl Shared {
    /// Logs a result and remembers it. What could not be logged is not remembered: it is logged next time.
    fn settle(&self, scheduled: &Scheduled, state: QueryState, rows: Vec<String>, began: i64) -> Result<QueryState> {
        let query = &scheduled.query;
        let stamp = |counter| Stamp {
            name: &scheduled.name,
            host_identifier: &self.host,
            unix_time: began,
            epoch: self.epoch,
            counter,
            numerics: self.numerics,
        };
        if query.snapshot {
            self.results.append(&stamp(0).snapshot(&rows))?;
            let state = QueryState { sql: query.sql.clone(), epoch: self.epoch, ..state };
            self.state.remember(&scheduled.name, &state, None)?;
            return Ok(state);
        }
        let previous = if state.has_result { self.state.rows(&scheduled.name)? } else { Vec::new() };
        let settled = settle(&state, &previous, query, &rows, self.epoch);
        if let Some(difference) = &settled.difference {
            self.results.append(&stamp(settled.state.counter).events(difference))?;
        }
        self.state.remember(&scheduled.name, &settled.state, Some(&rows))?;
        Ok(settled.state)
    }
}
