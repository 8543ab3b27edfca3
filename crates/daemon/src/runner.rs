//! The scheduler loop: waits for the next due query, runs it, and processes its result.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indago::config::Config;
use indago::futures::{FutureExt, Stream, StreamExt};
use indago::packs::log::{self, Stamp, Values};
use indago::packs::schedule::{Rows, Scheduled, next_run, prepared, settle};
use indago::packs::{
    Pack, PackError, QueryState, Report, ScheduleTable, State, Status as Outcome, discover, run as run_query,
};
use indago::{Code, Engine, QueryOptions, Taken};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::appender::Appender;
use crate::error::Result;
use crate::host;
use crate::plan::{Plan, PlannedPack};
use crate::status::{Status, unix_time};

/// Time between runs of a pack's discovery queries.
const DISCOVERY_REFRESH: Duration = Duration::from_secs(3600);

/// Time after which discovery queries run again if they could not read everything.
const DISCOVERY_RETRY: Duration = Duration::from_secs(60);

/// Longest sleep. Limits the delay after the clock is changed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Time that cancelled queries have to end.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A request to a running daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Stop.
    Stop,
    /// Read the configuration again, which the daemon does not do while it runs.
    Reload,
}

struct Shared {
    engine: Engine,
    state: State,
    results: Appender,
    status: Status,
    table: ScheduleTable,
    host: String,
    epoch: u64,
    numerics: bool,
    strict: bool,
    timeout: Duration,
}

struct Entry {
    scheduled: Arc<Scheduled>,
    state: QueryState,
    due: u64,
    running: bool,
    /// Index of the pack whose discovery queries decide whether it runs.
    pack: Option<usize>,
}

struct Discovery {
    pack: Arc<Pack>,
    /// State of its discovery queries, which may kill the daemon like other queries.
    state: QueryState,
    applies: bool,
    /// Whether discovery has completed since the start.
    has_answered: bool,
    /// When discovery runs next; immediately if `None`.
    next: Option<Instant>,
    is_asking: bool,
}

/// A task that ended.
enum Ended {
    /// A run of the query at this index of the schedule, with its new state.
    Turn(usize, QueryState),
    /// The discovery of the pack at this index, with the reason if the pack does not apply.
    Discovery(usize, Result<Option<String>, PackError>),
}

/// Runs the schedule of a configuration until `told` yields a stop or ends. Running queries then have `grace` to finish;
/// the others are cancelled.
///
/// Queries run on `workers`, and the loop on the caller's runtime. If that is a separate runtime, the loop stays
/// responsive while queries keep all workers busy. `table` shows the statistics of the queries, if the engine has it.
pub async fn run(
    engine: Engine,
    config: &Config,
    table: ScheduleTable,
    workers: &Handle,
    told: impl Stream<Item = Told>,
) -> Result<()> {
    let daemon = &config.daemon;
    let host = host::identifier(daemon.host_identifier.as_deref());
    let plan = Plan::read(config, &host)?;
    let shared = Arc::new(Shared {
        engine,
        state: State::open(&daemon.state)?,
        results: Appender::new(&daemon.results, true)?,
        status: Status::new(daemon.status.as_deref(), &host)?,
        table,
        host,
        epoch: daemon.epoch,
        numerics: daemon.numerics,
        strict: config.sql.strict,
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
        let state = shared.state.query(&discovery_name(&pack))?.unwrap_or_default();
        packs.push(Discovery {
            pack: Arc::new(pack),
            state,
            applies: false,
            has_answered: false,
            next: None,
            is_asking: false,
        });
    }
    let discoveries: Vec<String> = packs.iter().map(|discovery| discovery_name(&discovery.pack)).collect();
    let names = entries.iter().map(|entry| entry.scheduled.name.as_str()).chain(discoveries.iter().map(String::as_str));
    shared.state.keep_only(&names.collect::<Vec<_>>())?;
    let now = unix_time().max(0) as u64;
    let suspects = entries.iter_mut().map(|entry| Suspect {
        name: &entry.scheduled.name,
        sql: &entry.scheduled.query.sql,
        may_be_denied: entry.scheduled.query.may_be_denied(),
        state: &mut entry.state,
    });
    let sql: Vec<String> = packs.iter().map(|discovery| discovery_sql(&discovery.pack)).collect();
    let asked = packs.iter_mut().zip(&discoveries).zip(&sql).map(|((discovery, name), sql)| Suspect {
        name,
        sql,
        may_be_denied: true,
        state: &mut discovery.state,
    });
    deny(&shared.status, suspects.chain(asked).collect(), now, daemon.denylist.0.as_secs());
    for (discovery, name) in packs.iter_mut().zip(&discoveries) {
        shared.state.remember(name, &discovery.state, None)?;
        let denied = discovery.state.denied_until.map(|until| Duration::from_secs(until.saturating_sub(now)));
        discovery.next = denied.map(|denied| Instant::now() + denied);
    }
    for (place, entry) in entries.iter_mut().enumerate() {
        // The interval with splay is stored even if the query never runs.
        shared.state.remember(&entry.scheduled.name, &entry.state, None)?;
        shared.table.set(place, &entry.scheduled, &entry.state);
        entry.due = next_run(&entry.state, now).max(entry.state.denied_until.unwrap_or(0));
    }
    shared.engine.start_events();
    shared.status.info(&format!("started with {} queries", entries.len()));

    let mut told = pin!(told);
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
            // A query that may have killed the daemon runs alone. If it kills the daemon again, the cause is known.
            let waits = entries[index].state.is_suspect && !running.is_empty();
            if waits || running.len() >= daemon.concurrency || one_runs_alone(&entries, &packs) {
                break;
            }
            if let Some(pack) = entries[index].pack {
                if packs[pack].is_outdated() {
                    if packs[pack].state.is_suspect && !running.is_empty() {
                        break;
                    }
                    // The loop wakes when discovery ends.
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
            running.spawn_on(turn(shared, scheduled, state, index), workers);
        }
        let pause = if running.len() >= daemon.concurrency { LONGEST_SLEEP } else { until(next) };
        tokio::select! {
            biased;
            told = told.next() => match told {
                Some(Told::Reload) => shared.status.info("the configuration is read only at the start: restart the daemon"),
                Some(Told::Stop) | None => break,
            },
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
        let turns = entries.iter().filter(|entry| entry.running).map(|entry| entry.scheduled.name.clone());
        let asked = packs.iter().filter(|discovery| discovery.is_asking);
        let asked = asked.map(|discovery| discovery_name(&discovery.pack));
        let cancelled: Vec<String> = turns.chain(asked).collect();
        for name in &cancelled {
            shared.status.warn(&format!("{name}: cancelled because the daemon stops"));
        }
        // A query that is busy between two awaits cannot be cancelled; it ends with the process.
        running.abort_all();
        let ended = async { while running.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WAIT, ended).await;
        for name in &cancelled {
            // It did not kill the daemon, so its mark is removed.
            if let Err(error) = shared.state.ended(name) {
                shared.status.error(&format!("{name}: {error}"));
            }
        }
    }
    // The daemon's event consumers end with it, even if the engine does not.
    entries.iter().for_each(|entry| shared.engine.forget_consumer(&entry.scheduled.name));
    shared.status.info("stopped");
    Ok(())
}

fn entry(shared: &Shared, scheduled: Scheduled, pack: Option<usize>, splay: u32) -> Result<Entry> {
    let state = prepared(shared.state.query(&scheduled.name)?, &scheduled.query, splay);
    Ok(Entry { scheduled: Arc::new(scheduled), state, due: 0, running: false, pack })
}

/// Name of a pack's discovery queries in the state file.
fn discovery_name(pack: &Pack) -> String {
    format!("discovery of the pack {}", pack.name)
}

fn discovery_sql(pack: &Pack) -> String {
    pack.discovery.join(";\n")
}

/// A query that may have killed the daemon.
struct Suspect<'a> {
    name: &'a str,
    sql: &'a str,
    may_be_denied: bool,
    state: &'a mut QueryState,
}

/// Skips the query that was running when the daemon was killed. If several were running, each runs alone once.
fn deny(status: &Status, suspects: Vec<Suspect<'_>>, now: u64, seconds: u64) {
    let killers = suspects.iter().filter(|suspect| suspect.state.is_running).count();
    for Suspect { name, sql, may_be_denied, state } in suspects {
        let may_be_denied = may_be_denied && seconds > 0;
        if std::mem::take(&mut state.is_running) {
            state.is_suspect = killers > 1 && may_be_denied;
            state.denied_until = (killers == 1 && may_be_denied).then_some(now + seconds);
            let what = match (may_be_denied, killers) {
                (false, _) => "it runs again, because its denylisting is disabled".to_owned(),
                (true, 1) => format!("it is skipped for {seconds} s, or until its SQL changes"),
                (true, _) => "so were other queries; its next run is alone".to_owned(),
            };
            status.warn(&format!("{name}: was running when the daemon was killed; {what}"));
        }
        let Some(until) = state.denied_until else { continue };
        if until <= now || state.sql != sql || !may_be_denied {
            status.info(&format!("{name}: is no longer skipped"));
            state.denied_until = None;
        } else {
            // If the clock was set back, the query must not be skipped for longer than configured.
            state.denied_until = Some(until.min(now + seconds));
        }
    }
}

/// Whether a query that may have killed the daemon is running. Nothing else starts then.
fn one_runs_alone(entries: &[Entry], packs: &[Discovery]) -> bool {
    entries.iter().any(|entry| entry.running && entry.state.is_suspect)
        || packs.iter().any(|discovery| discovery.is_asking && discovery.state.is_suspect)
}

/// Time until the start of a Unix second.
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
        Ok(Ended::Discovery(index, answer)) => {
            packs[index].settle(shared, answer);
            if !packs[index].applies {
                // The pack's queries no longer read events. If the pack applies again, they are new consumers.
                let of_pack = entries.iter().filter(|entry| entry.pack == Some(index) && !entry.running);
                of_pack.for_each(|entry| shared.engine.forget_consumer(&entry.scheduled.name));
            }
        }
        Ok(Ended::Turn(index, state)) => {
            let entry = &mut entries[index];
            entry.state = state;
            entry.running = false;
            shared.table.set(index, &entry.scheduled, &entry.state);
            let last = entry.state.last_run.unwrap_or(0);
            entry.due = (last + entry.state.splayed.max(1)).max(unix_time().max(0) as u64);
        }
        Err(error) if error.is_cancelled() => {}
        Err(error) => shared.status.error(&format!("a task ended abnormally: {error}")),
    }
}

/// Turns a panic into an error, so that its task does not stay "running" forever.
async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        format!("it panicked, which is a bug in Indago: {text}")
    })
}

/// Runs a pack's discovery queries.
async fn ask(shared: Arc<Shared>, pack: Arc<Pack>, index: usize) -> Ended {
    let name = discovery_name(&pack);
    let mark = QueryState { sql: discovery_sql(&pack), is_running: true, ..QueryState::default() };
    let options = QueryOptions { timeout: Some(shared.timeout), ..QueryOptions::default() };
    let answer = match remembered(&shared, &name, mark).await {
        Ok(()) => caught(Box::pin(discover(&shared.engine, &pack, &options))).await,
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = unmarked(&shared, &name).await {
        shared.status.error(&format!("pack {}: {error}", pack.name));
    }
    Ended::Discovery(index, answer.unwrap_or_else(|failure| Err(indago::Error::new(Code::Execution, failure).into())))
}

/// Stores the state of a query on disk.
async fn remembered(shared: &Arc<Shared>, name: &str, state: QueryState) -> Result<()> {
    let (shared, name) = (shared.clone(), name.to_owned());
    blocking(move || Ok(shared.state.remember(&name, &state, None)?)).await
}

/// Stores on disk that a query has ended and did not kill the daemon.
async fn unmarked(shared: &Arc<Shared>, name: &str) -> Result<(), String> {
    let (shared, name) = (shared.clone(), name.to_owned());
    let done = caught(blocking(move || Ok(shared.state.ended(&name)?))).await?;
    done.map_err(|error| error.to_string())
}

impl Discovery {
    fn is_outdated(&self) -> bool {
        self.next.is_none_or(|next| next <= Instant::now())
    }

    fn settle(&mut self, shared: &Shared, answer: Result<Option<String>, PackError>) {
        let name = &self.pack.name;
        let applied = !self.has_answered || self.applies;
        self.has_answered = true;
        let mut again = DISCOVERY_REFRESH;
        match answer {
            Ok(reason) => {
                self.applies = reason.is_none();
                if let Some(reason) = reason.filter(|_| applied) {
                    shared.status.info(&format!("pack {name} does not apply: {reason}"));
                }
            }
            // If discovery could not read everything, the pack stays as it was.
            Err(error @ PackError::Undecided { .. }) => {
                shared.status.warn(&format!("pack {name}: discovery: {error}"));
                again = DISCOVERY_RETRY;
            }
            Err(error) => {
                self.applies = false;
                shared.status.error(&format!("pack {name}: a discovery query failed: {error}"));
            }
        }
        self.next = Some(Instant::now() + again);
        self.is_asking = false;
        self.state.is_suspect = false;
    }
}

/// One run of one query: reads its rows, compares and logs them, and stores the state.
async fn turn(shared: Arc<Shared>, scheduled: Arc<Scheduled>, state: QueryState, index: usize) -> Ended {
    let began = unix_time();
    let state = QueryState {
        sql: scheduled.query.sql.clone(),
        last_run: Some(began.max(0) as u64),
        denied_until: None,
        executions: state.executions + 1,
        ..state
    };
    // If the query kills the daemon, this mark identifies it at the next start.
    let mark = QueryState { is_running: true, ..state.clone() };
    let name = &scheduled.name;
    if let Err(error) = remembered(&shared, name, mark).await {
        // Without the mark, a query that kills the daemon would run at every start.
        shared.status.error(&format!("{name}: not run: {error}"));
        return Ended::Turn(index, state);
    }
    let started = Instant::now();
    let ran = caught(Box::pin(rows_of(&shared, &scheduled))).await;
    let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let given: usize = ran.iter().flatten().flat_map(|(_, rows)| rows).map(String::len).sum();
    let state = QueryState {
        is_suspect: false,
        wall_ms: state.wall_ms.saturating_add(took),
        last_wall_ms: took,
        output_bytes: state.output_bytes.saturating_add(given as u64),
        ..state
    };
    let writer = (shared.clone(), scheduled.clone(), state.clone());
    let settled = caught(blocking(move || {
        let (shared, scheduled, state) = writer;
        match ran {
            Ok(Ok((report, rows))) => shared.settle(&scheduled, state, &report, &rows, began),
            Ok(Err(failure)) | Err(failure) => shared.fail(&scheduled, state, &failure),
        }
    }))
    .await;
    let failure = match settled {
        Ok(Ok(state)) => return Ended::Turn(index, state),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic,
    };
    shared.status.error(&format!("{name}: {failure}"));
    // If the mark stayed, the next start would assume that this query killed the daemon.
    if let Err(error) = unmarked(&shared, name).await {
        shared.status.error(&format!("{name}: {error}"));
    }
    Ended::Turn(index, state)
}

/// Runs work that waits for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the runtime cancels it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Runs a query. Returns its rows as they are logged, or why it failed.
async fn rows_of(shared: &Shared, scheduled: &Scheduled) -> Result<(Report, Vec<String>), String> {
    let options = QueryOptions { timeout: Some(shared.timeout), strict: shared.strict, ..QueryOptions::default() };
    // Events are consumed only after they are in the log.
    let options = options.consumer(&scheduled.name).hold();
    let values = Values { numerics: shared.numerics, escaped: !scheduled.query.snapshot };
    let mut rows: Vec<String> = Vec::new();
    let mut broken = None;
    let report =
        Box::pin(run_query(&shared.engine, &scheduled.query, &options, |batch| match log::rows(&batch, values) {
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
    match (&report.status, broken.as_ref()) {
        (Outcome::Failed(error), _) if error.code() != Code::Incomplete => Err(error.to_string()),
        (Outcome::Skipped(reason), _) | (_, Some(reason)) => Err(reason.clone()),
        (Outcome::Ok | Outcome::Failed(_), None) => Ok((report, rows)),
    }
}

impl Shared {
    /// Reports that a query failed, and stores that.
    fn fail(&self, scheduled: &Scheduled, state: QueryState, failure: &str) -> Result<QueryState> {
        self.status.error(&format!("{}: {failure}", scheduled.name));
        let state = QueryState { failures: state.failures + 1, ..state };
        self.state.remember(&scheduled.name, &state, None)?;
        Ok(state)
    }

    /// Logs a result and stores it. A result that could not be logged is not stored, so the next run logs it.
    fn settle(
        &self,
        scheduled: &Scheduled,
        state: QueryState,
        report: &Report,
        rows: &[String],
        began: i64,
    ) -> Result<QueryState> {
        let (name, query) = (&scheduled.name, &scheduled.query);
        let stamp = |counter| Stamp {
            name,
            host_identifier: &self.host,
            unix_time: began,
            epoch: self.epoch,
            counter,
            numerics: self.numerics,
        };
        if let Outcome::Failed(error) = &report.status {
            // With `strict`, an incomplete result is not logged.
            let state = QueryState { incomplete: state.incomplete + 1, ..state };
            return self.fail(scheduled, state, &error.to_string());
        }
        let incomplete = !report.unread.is_empty();
        let state = QueryState { incomplete: state.incomplete + u64::from(incomplete), ..state };
        let kept = if query.snapshot {
            self.results.append(&stamp(0).snapshot(rows))?;
            if incomplete {
                self.say_incomplete(name, report, "rows are missing from its snapshot");
            }
            self.state.remember(name, &state, None)?;
            state
        } else {
            let previous = if state.has_result { self.state.rows(name)? } else { Vec::new() };
            let result =
                Rows { rows, are_events: report.reads_events, unread: &report.unread, volatile: &report.volatile };
            let settled = settle(&state, &previous, query, result, self.epoch);
            if let Some(difference) = &settled.difference {
                self.results.append(&stamp(settled.state.counter).events(difference))?;
            }
            if incomplete {
                let so = match settled.held {
                    1 => "1 row was not compared".to_owned(),
                    held => format!("{held} rows were not compared"),
                };
                self.say_incomplete(name, report, &so);
            }
            self.state.remember(name, &settled.state, Some(&settled.rows))?;
            settled.state
        };
        report.taken.iter().for_each(Taken::advance);
        Ok(kept)
    }

    fn say_incomplete(&self, name: &str, report: &Report, so: &str) {
        let reasons: Vec<&str> = report.unread.reasons().collect();
        self.status.warn(&format!("{name}: incomplete, {so}: {}", reasons.join("; ")));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use indago::arrow::datatypes::DataType;
    use indago::datafusion::common::Result as PlanResult;
    use indago::datafusion::logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    };
    use indago::futures::channel::mpsc;
    use indago::futures::stream;
    use indago::table::scan::BoxFuture;
    use indago::table::{AnyRow, ColumnSpec, EventLimits, EventSource, Events, Kind, TableSpec};

    use super::*;

    /// A function whose planning panics the first time.
    #[derive(Debug, PartialEq, Eq, Hash)]
    struct Fuse(Signature);

    static BLOWN: AtomicBool = AtomicBool::new(false);

    impl ScalarUDFImpl for Fuse {
        fn name(&self) -> &str {
            "fuse"
        }

        fn signature(&self) -> &Signature {
            &self.0
        }

        fn return_type(&self, _: &[DataType]) -> PlanResult<DataType> {
            assert!(BLOWN.swap(true, Ordering::Relaxed), "the fuse is blown");
            Ok(DataType::Int64)
        }

        fn invoke_with_args(&self, _: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
            Ok(ColumnarValue::Scalar(indago::datafusion::common::ScalarValue::Int64(Some(1))))
        }
    }

    fn config(folder: &Path, schedule: &str) -> Config {
        let file = folder.join("indago.toml");
        let daemon = "[daemon]\nresults = \"results.log\"\nstatus = \"status.log\"\nstate = \"state.redb\"\nsplay = 0\ngrace = \"100ms\"\n";
        std::fs::write(&file, format!("{daemon}{schedule}")).expect("written");
        Config::read(&file).expect("valid")
    }

    fn text(folder: &Path, file: &str) -> String {
        std::fs::read_to_string(folder.join(file)).unwrap_or_default()
    }

    /// Runs a daemon until a file in its directory matches, and stops it.
    async fn until_seen(engine: Engine, config: &Config, folder: &Path, file: &str, wanted: impl Fn(&str) -> bool) {
        let (stop, told) = mpsc::unbounded();
        let workers = Handle::current();
        let daemon = run(engine, config, ScheduleTable::default(), &workers, told);
        let watch = async {
            while !wanted(&text(folder, file)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            stop.unbounded_send(Told::Stop).expect("the daemon receives it");
        };
        let (ended, ()) = tokio::join!(
            daemon,
            tokio::time::timeout(Duration::from_secs(60), watch).map(|seen| {
                seen.unwrap_or_else(|_| panic!("{file}: {}\n{}", text(folder, file), text(folder, "status.log")))
            })
        );
        ended.expect("the daemon ran");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_that_panics_runs_again_at_its_next_turn() {
        let folder = tempfile::tempdir().expect("a directory");
        let config = config(folder.path(), "[schedule.q]\nquery = \"SELECT fuse() AS n\"\ninterval = 1\n");
        let fuse = ScalarUDF::from(Fuse(Signature::nullary(Volatility::Volatile)));
        let engine = Engine::builder().udf(fuse).build().await.expect("an engine");
        until_seen(engine, &config, folder.path(), "results.log", |lines| lines.contains(r#""n":"1""#)).await;
        let status = text(folder.path(), "status.log");
        assert!(status.contains("q: ") && status.contains("the fuse is blown"), "{status}");
    }

    #[tokio::test]
    async fn a_panic_of_the_daemons_own_work_is_an_error() {
        assert_eq!(caught(async { 1 }).await, Ok(1));
        let told = caught(async { panic!("at the disco") }).await.map(|(): ()| ()).expect_err("it panics");
        assert!(told.contains("panicked") && told.ends_with("at the disco"), "{told}");
        let told = caught(blocking(|| -> Result<()> { panic!("in a thread") })).await;
        assert!(told.is_err_and(|told| told.ends_with("in a thread")));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_to_reload_is_answered_and_ends_nothing() {
        let folder = tempfile::tempdir().expect("a directory");
        let config = config(folder.path(), "[schedule.q]\nquery = \"SELECT 1 AS n\"\n");
        let engine = Engine::builder().build().await.expect("an engine");
        let told = stream::iter([Told::Reload, Told::Reload]).chain(stream::once(async { Told::Stop }));
        run(engine, &config, ScheduleTable::default(), &Handle::current(), told).await.expect("the daemon ran");
        let status = text(folder.path(), "status.log");
        assert_eq!(status.matches("the configuration is read only at the start").count(), 2, "{status}");
        assert!(status.contains("stopped"), "{status}");
    }

    /// Leaves the state of a daemon that was killed while queries ran.
    fn killed(config: &Config, running: &[(&str, &str)]) {
        let state = State::open(&config.daemon.state).expect("a state file");
        for (name, sql) in running {
            let query = QueryState { sql: (*sql).into(), is_running: true, last_run: Some(1), ..QueryState::default() };
            state.remember(name, &query, None).expect("written");
        }
    }

    fn state_of(config: &Config, name: &str) -> QueryState {
        State::open(&config.daemon.state).and_then(|state| state.query(name)).expect("readable").expect("known")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_that_killed_the_daemon_is_left_out() {
        let folder = tempfile::tempdir().expect("a directory");
        let schedule = "[schedule.killer]\nquery = \"SELECT 1 AS n\"\n[schedule.other]\nquery = \"SELECT 2 AS n\"\n";
        let plain = config(folder.path(), schedule);
        killed(&plain, &[("killer", "SELECT 1 AS n")]);
        let engine = Engine::builder().build().await.expect("an engine");
        until_seen(engine.clone(), &plain, folder.path(), "results.log", |lines| lines.contains("\"other\"")).await;
        assert!(!text(folder.path(), "results.log").contains("\"killer\""));
        let status = text(folder.path(), "status.log");
        assert!(
            status.contains("killer: was running when the daemon was killed; it is skipped for 86400 s"),
            "{status}"
        );
        let denied = state_of(&plain, "killer").denied_until.expect("denied");
        assert!(denied > unix_time() as u64 + 86_000, "{denied}");
        // The denylist period expires.
        let state = State::open(&plain.daemon.state).expect("a state file");
        let expired = QueryState { denied_until: Some(2), ..state.query("killer").expect("read").expect("known") };
        state.remember("killer", &expired, None).expect("written");
        drop(state);
        until_seen(engine.clone(), &plain, folder.path(), "results.log", |lines| lines.contains("\"killer\"")).await;
        assert_eq!(state_of(&plain, "killer").denied_until, None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn some_queries_are_never_left_out() {
        for (sql, more, left_out) in [
            ("SELECT 1 AS n", "denylist = false\n", false),
            ("SELECT 1 AS n -- FROM process_events", "", false),
            // The SQL differs from the SQL that killed the daemon.
            ("SELECT 1 AS m", "", false),
            ("SELECT 1 AS n", "", true),
        ] {
            let folder = tempfile::tempdir().expect("a directory");
            let schedule =
                format!("[schedule.killer]\nquery = \"{sql}\"\n{more}[schedule.other]\nquery = \"SELECT 2\"\n");
            let config = config(folder.path(), &schedule);
            let ran = if sql.ends_with('m') { "SELECT 1 AS n" } else { sql };
            killed(&config, &[("killer", ran)]);
            let engine = Engine::builder().build().await.expect("an engine");
            let name = if left_out { "\"other\"" } else { "\"killer\"" };
            until_seen(engine, &config, folder.path(), "results.log", |lines| lines.contains(name)).await;
            assert_eq!(state_of(&config, "killer").denied_until.is_some(), left_out, "{sql} {more}");
        }
    }

    /// Discovery queries run at the start, so one that kills the daemon would kill it at every start.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_discovery_query_that_killed_the_daemon_is_left_out() {
        let folder = tempfile::tempdir().expect("a directory");
        let pack = r#"{"discovery": ["SELECT 1"], "queries": {"q": {"query": "SELECT 3 AS n", "interval": 1}}}"#;
        std::fs::write(folder.path().join("p.conf"), pack).expect("written");
        let schedule = "[packs]\np = \"p.conf\"\n[schedule.other]\nquery = \"SELECT unix_time FROM (SELECT 1 AS unix_time)\"\ninterval = 1\nsnapshot = true\n";
        let config = config(folder.path(), schedule);
        killed(&config, &[("discovery of the pack p", "SELECT 1")]);
        let engine = Engine::builder().build().await.expect("an engine");
        let twice = |lines: &str| lines.matches("\"other\"").count() >= 2;
        until_seen(engine.clone(), &config, folder.path(), "results.log", twice).await;
        assert!(!text(folder.path(), "results.log").contains("pack_p_q"));
        // Changed SQL runs.
        std::fs::write(folder.path().join("p.conf"), pack.replace("SELECT 1", "SELECT 2")).expect("written");
        until_seen(engine, &config, folder.path(), "results.log", |lines| lines.contains("pack_p_q")).await;
        assert!(!state_of(&config, "discovery of the pack p").is_running);
    }

    /// If several queries were running, each runs alone to find the one that killed the daemon.
    #[tokio::test(flavor = "multi_thread")]
    async fn of_several_suspects_each_runs_alone() {
        let folder = tempfile::tempdir().expect("a directory");
        let schedule = "[schedule.a]\nquery = \"SELECT 1 AS n\"\n[schedule.b]\nquery = \"SELECT 2 AS n\"\n";
        let config = config(folder.path(), schedule);
        killed(&config, &[("a", "SELECT 1 AS n"), ("b", "SELECT 2 AS n")]);
        let engine = Engine::builder().build().await.expect("an engine");
        let both = |lines: &str| lines.contains("\"a\"") && lines.contains("\"b\"");
        until_seen(engine, &config, folder.path(), "results.log", both).await;
        let status = text(folder.path(), "status.log");
        assert_eq!(status.matches("so were other queries; its next run is alone").count(), 2, "{status}");
        for name in ["a", "b"] {
            let state = state_of(&config, name);
            assert!(!state.is_suspect && !state.is_running && state.denied_until.is_none(), "{state:?}");
        }
    }

    /// A source that emits one event when it starts.
    #[derive(Debug)]
    struct Bell(Arc<tokio::sync::Notify>);

    struct Ring;

    impl AnyRow for Ring {
        fn append(&self, _: usize, builder: &mut dyn indago::arrow::array::ArrayBuilder) {
            let builder = builder.as_any_mut().downcast_mut::<indago::arrow::array::Int64Builder>();
            builder.expect("whole numbers").append_value(1);
        }

        fn key(&self, _: usize) -> Option<indago::table::Scalar> {
            None
        }
    }

    impl EventSource for Bell {
        fn spec(&self) -> TableSpec {
            let column = ColumnSpec::new("door", Kind::BigInt, "The door.");
            TableSpec::new("rings", "house", "Rings at a door.", vec![column])
        }

        fn listen<'a>(&'a self, events: &'a Events) -> BoxFuture<'a, indago::table::Result<()>> {
            Box::pin(async move {
                events.emit(Ring, 0);
                self.0.notify_one();
                std::future::pending().await
            })
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn events_are_listened_for_from_the_start_and_consumers_are_forgotten_at_the_end() {
        let folder = tempfile::tempdir().expect("a directory");
        let rung = Arc::<tokio::sync::Notify>::default();
        let engine =
            Engine::builder().events(Bell(rung.clone()), EventLimits::default()).build().await.expect("an engine");
        // The query is not due for a day.
        let config = config(folder.path(), "[schedule.q]\nquery = \"SELECT door FROM rings\"\ninterval = \"1d\"\n");
        let state = State::open(&config.daemon.state).expect("a state file");
        let ran = QueryState {
            last_run: Some(unix_time() as u64),
            splayed: 86_400,
            sql: "SELECT door FROM rings".into(),
            ..QueryState::default()
        };
        state.remember("q", &ran, None).expect("written");
        drop(state);
        let count = async |options: QueryOptions| {
            let query = engine.query_with("SELECT door FROM rings", options).await.expect("a query");
            query.collect().await.expect("rows").iter().map(|batch| batch.num_rows()).sum::<usize>()
        };
        let seen = async {
            let (stop, told) = mpsc::unbounded();
            let workers = Handle::current();
            let daemon = run(engine.clone(), &config, ScheduleTable::default(), &workers, told);
            let watch = async {
                rung.notified().await;
                assert_eq!(count(QueryOptions::default().consumer("q")).await, 1, "an event from before the query");
                assert_eq!(count(QueryOptions::default().consumer("q")).await, 0, "it was taken");
                stop.unbounded_send(Told::Stop).expect("the daemon receives it");
            };
            let (ended, ()) = tokio::join!(daemon, watch);
            ended.expect("the daemon ran");
        };
        tokio::time::timeout(Duration::from_secs(60), seen).await.expect("in time");
        assert_eq!(count(QueryOptions::default().consumer("q")).await, 1, "the consumer is new again");
    }

    async fn shared(config: &Config, results: &Path) -> Shared {
        Shared {
            engine: Engine::builder().build().await.expect("an engine"),
            state: State::open(&config.daemon.state).expect("a state file"),
            results: Appender::new(results, true).expect("a log"),
            status: Status::new(config.daemon.status.as_deref(), "host").expect("a log"),
            table: ScheduleTable::default(),
            host: "host".into(),
            epoch: 0,
            numerics: false,
            strict: false,
            timeout: Duration::from_secs(60),
        }
    }

    /// A query whose result cannot be logged is still recorded as ended.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_result_that_cannot_be_logged_leaves_no_mark() {
        let folder = tempfile::tempdir().expect("a directory");
        let config = config(folder.path(), "[schedule.q]\nquery = \"SELECT 1\"\n");
        let logs = folder.path().join("logs");
        let shared = Arc::new(shared(&config, &logs.join("results.log")).await);
        std::fs::remove_dir_all(&logs).expect("removed");
        let query = indago::packs::PackQuery::new("q", "SELECT 1 AS n");
        let scheduled = Arc::new(Scheduled { name: "q".into(), query });
        tokio::spawn(turn(shared.clone(), scheduled, QueryState::default(), 0)).await.expect("it ended");
        let state = shared.state.query("q").expect("readable").expect("known");
        assert!(!state.is_running && state.executions == 1, "{state:?}");
        let status = text(folder.path(), "status.log");
        assert!(status.contains("q: cannot write "), "{status}");
    }

    /// A query is marked as running on disk before it runs.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_is_marked_before_it_runs() {
        let folder = tempfile::tempdir().expect("a directory");
        let config = config(folder.path(), "[schedule.q]\nquery = \"SELECT 1\"\n");
        let shared = Arc::new(shared(&config, &config.daemon.results).await);
        let query = indago::packs::PackQuery::new("q", "SELECT sleep(60)");
        let scheduled = Arc::new(Scheduled { name: "q".into(), query });
        let running = tokio::spawn(turn(shared.clone(), scheduled, QueryState::default(), 0));
        let marked = async {
            while !shared.state.query("q").expect("readable").is_some_and(|state| state.is_running) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), marked).await.expect("a mark");
        let state = shared.state.query("q").expect("readable").expect("known");
        assert!(state.last_run.is_some() && state.sql == "SELECT sleep(60)", "{state:?}");
        // The daemon stops: the query must not count as one that killed it.
        running.abort();
        shared.state.ended("q").expect("written");
        assert!(!shared.state.query("q").expect("readable").expect("known").is_running);
    }
}
