//! The loop: waits for the next query that is due, runs it, and settles its result.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indago::config::Config;
use indago::packs::log::{self, Stamp};
use indago::packs::schedule::{Scheduled, next_run, prepared, settle};
use indago::packs::{Pack, PackError, QueryState, State, Status as Outcome, discover, run as run_query};
use indago::{Engine, QueryOptions};
use tokio::runtime::Handle;
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

/// How long queries may take to end that were cancelled.
const LAST_WAIT: Duration = Duration::from_secs(1);

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
    pack: Arc<Pack>,
    applies: bool,
    asked: Option<Instant>,
    is_asking: bool,
}

/// What ended.
enum Ended {
    /// A run of the query at this place of the schedule, and what to remember of it.
    Turn(usize, QueryState),
    /// The discovery queries of the pack at this place, with why it does not apply.
    Discovery(usize, Result<Option<String>, PackError>),
}

/// Runs the schedule of a configuration until `stop` is ready; then lets running queries finish for a while, cancels the rest,
/// and answers.
///
/// Queries run on `workers`. The loop is the caller's: where that has a runtime of its own, it keeps its time and hears
/// `stop` even while queries keep all workers busy.
pub async fn run(engine: Engine, config: &Config, workers: &Handle, stop: impl Future<Output = ()>) -> Result<()> {
    let daemon = &config.daemon;
    let host = host::identifier(daemon.host_identifier.as_deref());
    let plan = Plan::read(config, &host)?;
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
    let mut entries = Vec::new();
    for scheduled in plan.queries {
        entries.push(entry(&shared, scheduled, None, daemon.splay)?);
    }
    let mut packs = Vec::new();
    for PlannedPack { pack, queries } in plan.packs {
        for scheduled in queries {
            entries.push(entry(&shared, scheduled, Some(packs.len()), daemon.splay)?);
        }
        packs.push(Discovery { pack: Arc::new(pack), applies: false, asked: None, is_asking: false });
    }
    let names: Vec<&str> = entries.iter().map(|entry| entry.scheduled.name.as_str()).collect();
    shared.state.keep_only(&names)?;
    shared.status.info(&format!("started with {} queries", entries.len()));

    let mut stop = pin!(stop);
    let mut running: JoinSet<Ended> = JoinSet::new();
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
                if packs[pack].is_outdated() {
                    // The answer wakes the loop.
                    if !std::mem::replace(&mut packs[pack].is_asking, true) {
                        running.spawn_on(ask(shared.clone(), packs[pack].pack.clone(), pack), workers);
                    }
                    continue;
                }
                if !packs[pack].applies {
                    entries[index].due = now + entries[index].state.splayed.max(1);
                    next = next.min(entries[index].due);
                    continue;
                }
            }
            entries[index].running = true;
            let (shared, scheduled, state) =
                (shared.clone(), entries[index].scheduled.clone(), entries[index].state.clone());
            let turn = async move { Ended::Turn(index, turn(shared, scheduled, state).await) };
            running.spawn_on(turn, workers);
        }
        let pause = if running.len() >= daemon.concurrency { LONGEST_SLEEP } else { until(next) };
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = running.join_next() => settle_task(&shared, &mut entries, &mut packs, ended),
            () = tokio::time::sleep(pause) => {}
        }
    }
    shared.status.info("stopping");
    let finish = async {
        while let Some(ended) = running.join_next().await {
            settle_task(&shared, &mut entries, &mut packs, ended);
        }
    };
    if tokio::time::timeout(daemon.grace.0, finish).await.is_err() {
        for entry in entries.iter().filter(|entry| entry.running) {
            shared.status.warn(&format!("{}: cancelled, the daemon stops", entry.scheduled.name));
        }
        // A query that is busy between two awaits can't be stopped: the process ends without it.
        running.abort_all();
        let ended = async { while running.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WAIT, ended).await;
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

fn settle_task(
    shared: &Shared,
    entries: &mut [Entry],
    packs: &mut [Discovery],
    ended: Result<Ended, tokio::task::JoinError>,
) {
    match ended {
        Ok(Ended::Discovery(index, answer)) => packs[index].settle(shared, answer),
        Ok(Ended::Turn(index, state)) => {
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

/// Asks a pack's discovery queries.
async fn ask(shared: Arc<Shared>, pack: Arc<Pack>, index: usize) -> Ended {
    let options = QueryOptions { timeout: Some(shared.timeout), ..QueryOptions::default() };
    Ended::Discovery(index, Box::pin(discover(&shared.engine, &pack, &options)).await)
}

impl Discovery {
    fn is_outdated(&self) -> bool {
        self.asked.is_none_or(|asked| asked.elapsed() >= DISCOVERY_REFRESH)
    }

    fn settle(&mut self, shared: &Shared, answer: Result<Option<String>, PackError>) {
        let name = &self.pack.name;
        let applied = self.asked.is_none() || self.applies;
        self.applies = matches!(answer, Ok(None));
        match answer {
            Ok(Some(reason)) if applied => shared.status.info(&format!("pack {name} does not apply: {reason}")),
            Ok(_) => {}
            Err(error) => shared.status.error(&format!("pack {name}: a discovery query failed: {error}")),
        }
        self.asked = Some(Instant::now());
        self.is_asking = false;
    }
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
        Outcome::Failed(error) => Some(error.to_string()),
        Outcome::Skipped(reason) => Some(reason),
        Outcome::Ok => broken,
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
