//! The scheduler loop: waits for the next due query, runs it, and processes its result.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indago::config::{Config, state_dir};
use indago::futures::future::BoxFuture;
use indago::futures::{FutureExt, Stream, StreamExt};
use indago::packs::log::{self, Stamp, Values};
use indago::packs::schedule::{Rows, Scheduled, next_run, prepared, settle};
use indago::packs::{
    NOT_IN_USE, Pack, PackError, QueryState, Report, ScheduleEntry, ScheduleTable, State, Status as Outcome, discover,
    run as run_query,
};
use indago::{Code, Engine, QueryOptions, Taken};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::appender::Appender;
use crate::error::{DaemonError, Result};
use crate::host;
use crate::metrics::{self, Metrics, Shown};
use crate::notify::Notify;
use crate::plan::{Invalid, Plan, PlannedPack};
use crate::record::Recording;
use crate::reported::Reported;
use crate::status::{Status, unix_time};

/// Time between runs of a pack's discovery queries.
const DISCOVERY_REFRESH: Duration = Duration::from_secs(3600);

/// Time after which discovery queries run again if they could not read everything.
const DISCOVERY_RETRY: Duration = Duration::from_secs(60);

/// Longest sleep. Limits the delay after the clock is changed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Time that cancelled queries have to end.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Most slices that the state of a query lists as missing.
const MOST_MISSING: usize = 10;

/// Status of a query that is running.
pub(crate) const RUNNING: &str = "running";

/// A request to a running daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Stop.
    Stop,
    /// Read the configuration again.
    Reload,
}

type Read = dyn Fn() -> Result<Config, String> + Send + Sync;
type Open = dyn Fn(Config, ScheduleTable) -> BoxFuture<'static, Result<Engine, String>> + Send + Sync;

/// How the daemon gets its configuration and the engine for it.
pub struct Source {
    read: Box<Read>,
    open: Box<Open>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

impl Source {
    /// Reads the configuration with a function, at the start and for each reload.
    pub fn new(read: impl Fn() -> Result<Config, String> + Send + Sync + 'static) -> Self {
        let open = |mut config: Config, table: ScheduleTable| {
            // Results are logged, and values of secrets must not be.
            config.kubernetes.secret_values = false;
            let opened = async move {
                let builder = indago::builder(&config).map_err(|error| error.to_string())?;
                let engine = Box::pin(builder.tables(table.tables()).build()).await;
                engine.map_err(|error| error.to_string())
            };
            opened.boxed()
        };
        Self { read: Box::new(read), open: Box::new(open) }
    }

    #[cfg(test)]
    fn of(config: &Config, engine: &Engine) -> Arc<Self> {
        let (config, engine) = (config.clone(), engine.clone());
        let open = move |_: Config, _: ScheduleTable| std::future::ready(Ok(engine.clone())).boxed();
        Arc::new(Self { read: Box::new(move || Ok(config.clone())), open: Box::new(open) })
    }

    /// Reads the configuration, opens its engine and plans its queries. Uses the running engine if its configuration
    /// did not change, because that engine holds unread events.
    async fn load(&self, table: ScheduleTable, running: Option<(Config, Engine)>) -> Result<Loaded> {
        let config = (self.read)().map_err(DaemonError::Config)?;
        let host = host::identifier(config.daemon.host_identifier.as_deref());
        let (mut plan, mut errors) = Plan::read(&config, &host);
        errors.extend(missing_directories(&config));
        DaemonError::all(errors)?;
        table.configure(&config);
        let engine = match running {
            Some((known, engine)) if of_the_engine(&known) == of_the_engine(&config) => engine,
            _ => (self.open)(config.clone(), table).await.map_err(DaemonError::Config)?,
        };
        let invalid = plan.remove_invalid(&engine, config.daemon.timeout.0).await;
        Ok(Loaded { config, host, plan, engine, invalid })
    }
}

/// The settings of a configuration that its engine depends on.
fn of_the_engine(config: &Config) -> Config {
    Config { daemon: Default::default(), schedule: Default::default(), packs: Default::default(), ..config.clone() }
}

/// A configuration that was read completely.
struct Loaded {
    config: Config,
    host: String,
    plan: Plan,
    engine: Engine,
    invalid: Vec<Invalid>,
}

/// The result of checking a configuration.
#[derive(Debug)]
pub struct Checked {
    /// Number of queries that can run.
    pub queries: usize,
    /// Queries and packs that do not apply to this host, with the reason.
    pub skipped: Vec<String>,
    /// The file that results are appended to; `None` if the configuration could not be read.
    pub results: Option<PathBuf>,
    /// Everything that is wrong.
    pub errors: Vec<DaemonError>,
}

/// Reads a configuration with its packs and plans every query. Runs nothing and writes nothing.
pub async fn check(source: &Source) -> Checked {
    let table = ScheduleTable::default();
    let config = match (source.read)() {
        Ok(config) => config,
        Err(error) => {
            let errors = vec![DaemonError::Config(error)];
            return Checked { queries: 0, skipped: Vec::new(), results: None, errors };
        }
    };
    let host = host::identifier(config.daemon.host_identifier.as_deref());
    let (mut plan, mut errors) = Plan::read(&config, &host);
    errors.extend(missing_directories(&config));
    match (source.open)(config.clone(), table).await {
        Ok(engine) => {
            let invalid = plan.remove_invalid(&engine, config.daemon.timeout.0).await;
            errors.extend(invalid.into_iter().map(|invalid| invalid.error));
        }
        Err(error) => errors.push(DaemonError::Config(error)),
    }
    let results = Some(config.daemon.results);
    Checked { queries: plan.count(), skipped: plan.skipped, results, errors }
}

/// The files of a configuration whose directory does not exist. The default directory is created at the start.
fn missing_directories(config: &Config) -> Vec<DaemonError> {
    let daemon = &config.daemon;
    let metrics = metrics::socket(daemon.metrics.as_ref());
    let files = [
        ("results", Some(&daemon.results)),
        ("state", Some(&daemon.state)),
        ("status", daemon.status.as_ref()),
        ("metrics", metrics.as_ref()),
    ];
    let missing = files.into_iter().filter_map(|(key, file)| {
        let file = file?;
        let directory = directory(file);
        (!directory.is_dir() && directory != state_dir()).then(|| DaemonError::Directory {
            key,
            file: file.clone(),
            directory: directory.to_owned(),
        })
    });
    missing.collect()
}

fn directory(file: &Path) -> &Path {
    file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Creates the default directory of state and results, if the configuration uses it.
fn create_default_directory(config: &Config) -> Result<()> {
    let default = state_dir();
    for file in [&config.daemon.results, &config.daemon.state] {
        if directory(file) == default {
            std::fs::create_dir_all(&default)
                .map_err(|error| DaemonError::Log { file: default.clone(), reason: error.to_string() })?;
        }
    }
    Ok(())
}

/// What the runs of queries share, for one version of the configuration.
struct Shared {
    engine: Engine,
    state: Arc<State>,
    results: Appender,
    status: Arc<Status>,
    reported: Arc<Reported>,
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
    /// A run of this query, with its new state.
    Turn(String, QueryState),
    /// The discovery of this pack, with the reason if the pack does not apply.
    Discovery(String, Result<Option<String>, PackError>),
}

/// Runs the schedule of a configuration until `told` yields a stop or ends. Running queries then have `grace` to
/// finish; the others are cancelled.
///
/// Queries run on `workers`, and the loop on the caller's runtime. If that is a separate runtime, the loop stays
/// responsive while queries keep all workers busy.
pub async fn run(source: Arc<Source>, workers: &Handle, told: impl Stream<Item = Told>) -> Result<()> {
    let mut daemon = Daemon::start(source, workers.clone()).await?;
    let mut told = pin!(told);
    loop {
        let pause = daemon.start_due().min(daemon.notify.watchdog());
        tokio::select! {
            biased;
            told = told.next() => match told {
                Some(Told::Reload) => daemon.reload(),
                Some(Told::Stop) | None => break,
            },
            Some(loaded) = daemon.loading.join_next() => daemon.reloaded(loaded),
            Some(ended) = daemon.running.join_next() => daemon.ended(ended),
            () = tokio::time::sleep(pause) => {}
        }
    }
    daemon.stop().await;
    Ok(())
}

struct Daemon {
    source: Arc<Source>,
    workers: Handle,
    config: Config,
    shared: Arc<Shared>,
    entries: Vec<Entry>,
    packs: Vec<Discovery>,
    running: JoinSet<Ended>,
    /// The configuration that is being read, if the daemon is reloading.
    loading: JoinSet<Result<Loaded>>,
    /// Whether a reload was requested while another one was in progress.
    reload_again: bool,
    /// Name and SQL of the queries of this configuration that cannot be planned.
    invalid: HashSet<(String, String)>,
    notify: Notify,
    shown: Arc<Shown>,
    metrics: Option<Metrics>,
    recording: Option<Recording>,
}

impl Daemon {
    async fn start(source: Arc<Source>, workers: Handle) -> Result<Self> {
        let table = ScheduleTable::default();
        let loaded = source.load(table.clone(), None).await?;
        create_default_directory(&loaded.config)?;
        let state = Arc::new(State::open(&loaded.config.daemon.state)?);
        let shown = Arc::new(Shown::new(table.clone()));
        let metrics = loaded.config.daemon.metrics.as_ref();
        let metrics = metrics.map(|address| Metrics::serve(address, shown.clone())).transpose()?;
        let shared = shared_of(&loaded, state, Arc::default(), table)?;
        let mut daemon = Self {
            source,
            workers,
            config: loaded.config,
            shared: Arc::new(shared),
            entries: Vec::new(),
            packs: Vec::new(),
            running: JoinSet::new(),
            loading: JoinSet::new(),
            reload_again: false,
            invalid: HashSet::new(),
            notify: Notify::default(),
            shown,
            metrics,
            recording: None,
        };
        match Notify::from_environment() {
            Ok(notify) => daemon.notify = notify,
            Err(error) => daemon.shared.status.warn(&format!("cannot notify the service manager: {error}")),
        }
        daemon.schedule(loaded.plan, loaded.invalid)?;
        daemon.deny()?;
        daemon.shared.engine.start_events();
        daemon.record();
        let results = daemon.config.daemon.results.display();
        daemon.shared.status.info(&format!("started: {}; results are appended to {results}", daemon.summary()));
        daemon.notify.ready(&daemon.summary());
        Ok(daemon)
    }

    /// Starts the recorder of the configuration.
    fn record(&mut self) {
        let (engine, status) = (&self.shared.engine, self.shared.status.clone());
        self.recording =
            Recording::start(self.recording.take(), &self.config, engine, status, self.shown.clone(), &self.workers);
    }

    fn summary(&self) -> String {
        let count = |count: usize| match count {
            1 => "1 query".to_owned(),
            count => format!("{count} queries"),
        };
        let invalid = match self.invalid.len() {
            0 => String::new(),
            invalid => format!(", {} cannot be planned", count(invalid)),
        };
        format!("{} scheduled{invalid}", count(self.entries.len()))
    }

    /// Replaces the schedule. Queries and packs that were scheduled before keep their state.
    fn schedule(&mut self, plan: Plan, invalid: Vec<Invalid>) -> Result<()> {
        let splay = self.config.daemon.splay;
        let discoveries = plan.packs.iter().map(|planned| discovery_name(&planned.pack.name));
        let queries = plan.queries.iter().chain(plan.packs.iter().flat_map(|planned| &planned.queries));
        let mut stored = HashMap::new();
        for name in queries.map(|scheduled| scheduled.name.clone()).chain(discoveries) {
            if let Some(state) = self.shared.state.query(&name)? {
                stored.insert(name, state);
            }
        }
        // Nothing below fails, so the schedule is replaced completely or not at all.
        let mut known: HashMap<String, Entry> =
            self.entries.drain(..).map(|entry| (entry.scheduled.name.clone(), entry)).collect();
        let mut known_packs: HashMap<String, Discovery> =
            self.packs.drain(..).map(|discovery| (discovery.pack.name.clone(), discovery)).collect();
        for skipped in &plan.skipped {
            self.shared.status.info(&format!("not scheduled: {skipped}"));
        }
        for Invalid { error, .. } in &invalid {
            self.shared.status.error(&format!("not scheduled: {error}"));
        }
        self.shown.invalid.store(invalid.len() as u64, Ordering::Relaxed);
        self.invalid = names_of(&invalid);
        let now = unix_time().max(0) as u64;
        let mut add = |scheduled: Scheduled, pack: Option<usize>| {
            let (state, running) = match known.remove(&scheduled.name) {
                Some(entry) => (Some(entry.state), entry.running),
                None => (stored.get(&scheduled.name).cloned(), false),
            };
            let state = prepared(state, &scheduled.query, splay);
            let due = next_run(&state, now).max(state.denied_until.unwrap_or(0));
            Entry { scheduled: Arc::new(scheduled), state, due, running, pack }
        };
        self.entries.extend(plan.queries.into_iter().map(|scheduled| add(scheduled, None)));
        for PlannedPack { pack, queries } in plan.packs {
            self.entries.extend(queries.into_iter().map(|scheduled| add(scheduled, Some(self.packs.len()))));
            let discovery = match known_packs.remove(&pack.name) {
                Some(known) if known.pack.discovery == pack.discovery => Discovery { pack: Arc::new(pack), ..known },
                // Changed discovery queries decide anew; until then, the pack stays as it was.
                known => Discovery {
                    state: stored.get(&discovery_name(&pack.name)).cloned().unwrap_or_default(),
                    applies: known.as_ref().is_some_and(|known| known.applies),
                    has_answered: false,
                    next: None,
                    is_asking: known.is_some_and(|known| known.is_asking),
                    pack: Arc::new(pack),
                },
            };
            self.packs.push(discovery);
        }
        for entry in known.values() {
            self.shared.engine.forget_consumer(&entry.scheduled.name);
        }
        let names = self.names();
        self.shared.reported.retain(|name| names.contains(name));
        self.shared.table.retain(|name| names.contains(name));
        (0..self.entries.len()).for_each(|index| self.publish(index));
        Ok(())
    }

    /// The names of everything that has state.
    fn names(&self) -> HashSet<String> {
        let discoveries = self.packs.iter().map(|discovery| discovery_name(&discovery.pack.name));
        // A query that cannot be planned now may be planned by another version of the program.
        let invalid = self.invalid.iter().map(|(name, _)| name.clone());
        self.entries.iter().map(|entry| entry.scheduled.name.clone()).chain(discoveries).chain(invalid).collect()
    }

    /// Stores the state of the queries that wait, and deletes the state of queries that are no longer scheduled.
    fn store(&self) -> Result<()> {
        self.shared.state.keep_only(&self.names().iter().map(String::as_str).collect::<Vec<_>>())?;
        for entry in self.entries.iter().filter(|entry| !entry.running) {
            // The interval with splay is stored even if the query never runs.
            self.shared.state.remember(&entry.scheduled.name, &entry.state, None)?;
        }
        Ok(())
    }

    /// Skips the queries that were running when the daemon was killed.
    fn deny(&mut self) -> Result<()> {
        let now = unix_time().max(0) as u64;
        let names: Vec<String> = self.packs.iter().map(|discovery| discovery_name(&discovery.pack.name)).collect();
        let sql: Vec<String> = self.packs.iter().map(|discovery| discovery_sql(&discovery.pack)).collect();
        let queries = self.entries.iter_mut().map(|entry| Suspect {
            name: &entry.scheduled.name,
            sql: &entry.scheduled.query.sql,
            may_be_denied: entry.scheduled.query.may_be_denied(),
            state: &mut entry.state,
        });
        let discoveries = self.packs.iter_mut().zip(&names).zip(&sql).map(|((discovery, name), sql)| Suspect {
            name,
            sql,
            may_be_denied: true,
            state: &mut discovery.state,
        });
        let suspects = queries.chain(discoveries).collect();
        deny(&self.shared.status, suspects, now, self.config.daemon.denylist.0.as_secs());
        for (discovery, name) in self.packs.iter_mut().zip(&names) {
            self.shared.state.remember(name, &discovery.state, None)?;
            let denied = discovery.state.denied_until.map(|until| Duration::from_secs(until.saturating_sub(now)));
            discovery.next = denied.map(|denied| Instant::now() + denied);
        }
        for index in 0..self.entries.len() {
            let entry = &mut self.entries[index];
            entry.due = next_run(&entry.state, now).max(entry.state.denied_until.unwrap_or(0));
            self.publish(index);
        }
        self.store()
    }

    /// Shows a query's statistics in the tables.
    fn publish(&self, index: usize) {
        let entry = &self.entries[index];
        let unused = entry.pack.map(|pack| &self.packs[pack]).is_some_and(|pack| pack.has_answered && !pack.applies);
        let status = match entry {
            Entry { running: true, .. } => RUNNING,
            Entry { state: QueryState { denied_until: Some(_), .. }, .. } => "denylisted",
            _ if unused => NOT_IN_USE,
            _ => "waiting",
        };
        self.shared.table.set(ScheduleEntry {
            scheduled: entry.scheduled.clone(),
            state: entry.state.clone(),
            status,
            next_run: (status != NOT_IN_USE).then_some(entry.due),
        });
    }

    /// Starts the queries that are due. Returns the time until the next one is.
    fn start_due(&mut self) -> Duration {
        let now = unix_time().max(0) as u64;
        let mut next = now + LONGEST_SLEEP.as_secs();
        let mut order: Vec<usize> = (0..self.entries.len()).filter(|index| !self.entries[*index].running).collect();
        order.sort_by_key(|index| self.entries[*index].due);
        for index in order {
            let due = self.entries[index].due;
            if due > now {
                next = next.min(due);
                break;
            }
            // A query that may have killed the daemon runs alone. If it kills the daemon again, the cause is known.
            let waits = self.entries[index].state.is_suspect && !self.running.is_empty();
            if waits || self.is_full() || one_runs_alone(&self.entries, &self.packs) {
                break;
            }
            if let Some(pack) = self.entries[index].pack {
                if self.packs[pack].is_outdated() {
                    if self.packs[pack].state.is_suspect && !self.running.is_empty() {
                        break;
                    }
                    // The loop wakes when discovery ends.
                    if !std::mem::replace(&mut self.packs[pack].is_asking, true) {
                        let asked = ask(self.shared.clone(), self.packs[pack].pack.clone());
                        self.running.spawn_on(asked, &self.workers);
                    }
                    continue;
                }
                if !self.packs[pack].applies {
                    let entry = &mut self.entries[index];
                    entry.due = now + entry.state.splayed.max(1);
                    next = next.min(entry.due);
                    continue;
                }
            }
            let entry = &mut self.entries[index];
            entry.running = true;
            let turn = turn(self.shared.clone(), entry.scheduled.clone(), entry.state.clone());
            self.running.spawn_on(turn, &self.workers);
            self.publish(index);
        }
        if self.is_full() { LONGEST_SLEEP } else { until(next) }
    }

    fn is_full(&self) -> bool {
        self.running.len() >= self.config.daemon.concurrency
    }

    /// Processes a task that ended.
    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        match ended {
            Ok(Ended::Discovery(name, answer)) => {
                let Some(pack) = self.packs.iter().position(|discovery| discovery.pack.name == name) else { return };
                self.packs[pack].settle(&self.shared, answer);
                for index in 0..self.entries.len() {
                    let entry = &self.entries[index];
                    if entry.pack != Some(pack) {
                        continue;
                    }
                    if !self.packs[pack].applies && !entry.running {
                        // The pack's queries no longer read events. If the pack applies again, they are new consumers.
                        self.shared.engine.forget_consumer(&entry.scheduled.name);
                    }
                    self.publish(index);
                }
            }
            Ok(Ended::Turn(name, state)) => {
                let Some(index) = self.entries.iter().position(|entry| entry.scheduled.name == name) else {
                    // A reload removed the query while it ran.
                    self.shared.engine.forget_consumer(&name);
                    if let Err(error) = self.shared.state.forget(&name) {
                        self.shared.status.error(&format!("{name}: {error}"));
                    }
                    return;
                };
                let splay = self.config.daemon.splay;
                let entry = &mut self.entries[index];
                // A reload may have changed the interval while the query ran.
                entry.state = prepared(Some(state), &entry.scheduled.query, splay);
                entry.running = false;
                let last = entry.state.last_run.unwrap_or(0);
                entry.due = (last + entry.state.splayed.max(1)).max(unix_time().max(0) as u64);
                self.publish(index);
            }
            Err(error) if error.is_cancelled() => {}
            Err(error) => self.shared.status.error(&format!("a task ended abnormally: {error}")),
        }
    }

    /// Starts to read the configuration again.
    fn reload(&mut self) {
        if !self.loading.is_empty() {
            self.reload_again = true;
            return;
        }
        self.shown.reloads.fetch_add(1, Ordering::Relaxed);
        self.notify.reloading();
        let (source, table) = (self.source.clone(), self.shared.table.clone());
        let running = Some((self.config.clone(), self.shared.engine.clone()));
        let load = async move { Box::pin(source.load(table, running)).await };
        self.loading.spawn_on(load, &self.workers);
    }

    /// Uses the configuration that was read, or reports what is wrong with it and continues with the present one.
    fn reloaded(&mut self, loaded: Result<Result<Loaded>, tokio::task::JoinError>) {
        let done = match loaded {
            Ok(loaded) => loaded.and_then(|loaded| self.replace(loaded)),
            Err(error) => Err(DaemonError::Config(format!("reading it ended abnormally: {error}"))),
        };
        self.shown.is_outdated.store(done.is_err(), Ordering::Relaxed);
        match done {
            Ok(()) => {
                self.shown.configured.store(unix_time(), Ordering::Relaxed);
                self.shared.status.info(&format!("reloaded the configuration: {}", self.summary()));
                self.notify.ready(&self.summary());
            }
            Err(error) => {
                self.shown.failed_reloads.fetch_add(1, Ordering::Relaxed);
                let errors = match error {
                    DaemonError::Several(errors) => errors,
                    error => vec![error],
                };
                for error in errors {
                    self.shared.status.error(&format!("the new configuration is not used: {error}"));
                }
                self.notify.ready(&format!("{}; the last reload failed", self.summary()));
            }
        }
        if std::mem::take(&mut self.reload_again) {
            self.reload();
        }
    }

    fn replace(&mut self, loaded: Loaded) -> Result<()> {
        if loaded.config.daemon.state != self.config.daemon.state {
            return Err(DaemonError::StateFile);
        }
        // A query that could not be planned before, such as one for a table that does not exist here, stays skipped.
        if names_of(&loaded.invalid).difference(&self.invalid).next().is_some() {
            return DaemonError::all(loaded.invalid.into_iter().map(|invalid| invalid.error).collect());
        }
        let old = self.shared.clone();
        let is_recorded_anew = of_the_engine(&loaded.config) != of_the_engine(&self.config);
        create_default_directory(&loaded.config)?;
        let shared = shared_of(&loaded, old.state.clone(), old.reported.clone(), old.table.clone())?;
        let address = loaded.config.daemon.metrics.as_ref();
        let current = self.metrics.as_ref().filter(|metrics| metrics.is_reachable());
        if address != current.map(|metrics| &metrics.address) {
            self.metrics = address.map(|address| Metrics::serve(address, self.shown.clone())).transpose()?;
        }
        self.shared = Arc::new(shared);
        self.config = loaded.config;
        // An engine that is already used continues to listen; a new one starts.
        self.shared.engine.start_events();
        self.schedule(loaded.plan, loaded.invalid)?;
        if is_recorded_anew {
            self.record();
        }
        if let Err(error) = self.store() {
            self.shared.status.error(&error.to_string());
        }
        Ok(())
    }

    async fn stop(&mut self) {
        self.shared.status.info("stopping");
        self.notify.stopping();
        self.loading.abort_all();
        if let Some(recording) = self.recording.take() {
            recording.stop(self.config.daemon.grace.0).await;
        }
        let grace = tokio::time::sleep(self.config.daemon.grace.0);
        let mut grace = pin!(grace);
        loop {
            tokio::select! {
                ended = self.running.join_next() => match ended {
                    Some(ended) => self.ended(ended),
                    None => break,
                },
                () = &mut grace => {
                    self.cancel().await;
                    break;
                }
            }
        }
        // The daemon's event consumers end with it, even if the engine does not.
        self.entries.iter().for_each(|entry| self.shared.engine.forget_consumer(&entry.scheduled.name));
        self.shared.status.info("stopped");
    }

    async fn cancel(&mut self) {
        let turns = self.entries.iter().filter(|entry| entry.running).map(|entry| entry.scheduled.name.clone());
        let asked = self.packs.iter().filter(|discovery| discovery.is_asking);
        let asked = asked.map(|discovery| discovery_name(&discovery.pack.name));
        let cancelled: Vec<String> = turns.chain(asked).collect();
        for name in &cancelled {
            self.shared.status.warn(&format!("{name}: cancelled because the daemon stops"));
        }
        // A query that is busy between two awaits cannot be cancelled; it ends with the process.
        self.running.abort_all();
        let ended = async { while self.running.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WAIT, ended).await;
        for name in &cancelled {
            // It did not kill the daemon, so its mark is removed.
            if let Err(error) = self.shared.state.ended(name) {
                self.shared.status.error(&format!("{name}: {error}"));
            }
        }
    }
}

fn names_of(invalid: &[Invalid]) -> HashSet<(String, String)> {
    let name = |invalid: &Invalid| match &invalid.error {
        DaemonError::Invalid { name, .. } => name.clone(),
        error => error.to_string(),
    };
    invalid.iter().map(|invalid| (name(invalid), invalid.sql.clone())).collect()
}

fn shared_of(loaded: &Loaded, state: Arc<State>, reported: Arc<Reported>, table: ScheduleTable) -> Result<Shared> {
    let daemon = &loaded.config.daemon;
    Ok(Shared {
        engine: loaded.engine.clone(),
        state,
        results: Appender::new(&daemon.results, true)?,
        status: Arc::new(Status::new(daemon.status.as_deref(), &loaded.host)?),
        reported,
        table,
        host: loaded.host.clone(),
        epoch: daemon.epoch,
        numerics: daemon.numerics,
        strict: loaded.config.sql.strict,
        timeout: daemon.timeout.0,
    })
}

/// Name of a pack's discovery queries in the state file.
fn discovery_name(pack: &str) -> String {
    format!("discovery of the pack {pack}")
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

/// Turns a panic into an error, so that its task does not stay "running" forever.
async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        format!("it panicked, which is a bug in Indago: {text}")
    })
}

/// Runs a pack's discovery queries.
async fn ask(shared: Arc<Shared>, pack: Arc<Pack>) -> Ended {
    let name = discovery_name(&pack.name);
    let mark = QueryState { sql: discovery_sql(&pack), is_running: true, ..QueryState::default() };
    let options = QueryOptions { timeout: Some(shared.timeout), ..QueryOptions::default() };
    let answer = match remembered(&shared, &name, mark).await {
        Ok(()) => caught(Box::pin(discover(&shared.engine, &pack, &options))).await,
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = unmarked(&shared, &name).await {
        shared.status.error(&format!("pack {}: {error}", pack.name));
    }
    let answer = answer.unwrap_or_else(|failure| Err(indago::Error::new(Code::Execution, failure).into()));
    Ended::Discovery(pack.name.clone(), answer)
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
        let discovery = discovery_name(name);
        match answer {
            Ok(reason) => {
                shared.reported.succeeded(&shared.status, &discovery, BTreeSet::new());
                self.applies = reason.is_none();
                if let Some(reason) = reason.filter(|_| applied) {
                    shared.status.info(&format!("pack {name} does not apply: {reason}"));
                }
            }
            // If discovery could not read everything, the pack stays as it was.
            Err(error @ PackError::Undecided { .. }) => {
                shared.reported.succeeded(&shared.status, &discovery, BTreeSet::from([error.to_string()]));
                again = DISCOVERY_RETRY;
            }
            Err(error) => {
                self.applies = false;
                shared.reported.failed(&shared.status, &discovery, BTreeSet::new(), &error.to_string());
            }
        }
        self.next = Some(Instant::now() + again);
        self.is_asking = false;
        self.state.is_suspect = false;
    }
}

/// One run of one query: reads its rows, compares and logs them, and stores the state.
async fn turn(shared: Arc<Shared>, scheduled: Arc<Scheduled>, state: QueryState) -> Ended {
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
        return Ended::Turn(name.clone(), state);
    }
    let started = Instant::now();
    let ran = caught(Box::pin(rows_of(&shared, &scheduled))).await;
    let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let bytes: usize = ran.iter().flatten().flat_map(|ran| &ran.rows).map(String::len).sum();
    let (rows, memory) = match &ran {
        Ok(Ok(ran)) => (ran.report.rows, ran.report.memory as u64),
        _ => (0, 0),
    };
    let state = QueryState {
        is_suspect: false,
        last_rows: rows,
        last_memory_bytes: memory,
        memory_bytes: state.memory_bytes.saturating_add(memory),
        wall_ms: state.wall_ms.saturating_add(took),
        last_wall_ms: took,
        output_bytes: state.output_bytes.saturating_add(bytes as u64),
        ..state
    };
    let writer = (shared.clone(), scheduled.clone(), state.clone());
    let settled = caught(blocking(move || {
        let (shared, scheduled, state) = writer;
        match ran {
            Ok(Ok(ran)) => shared.settle(&scheduled, state, &ran, began),
            Ok(Err(Failed { warnings, failure })) => shared.fail(&scheduled, state, warnings, &failure),
            Err(failure) => shared.fail(&scheduled, state, BTreeSet::new(), &failure),
        }
    }))
    .await;
    let failure = match settled {
        Ok(Ok(state)) => return Ended::Turn(name.clone(), state),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic,
    };
    shared.status.error(&format!("{name}: {failure}"));
    // If the mark stayed, the next start would assume that this query killed the daemon.
    if let Err(error) = unmarked(&shared, name).await {
        shared.status.error(&format!("{name}: {error}"));
    }
    Ended::Turn(name.clone(), state)
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

/// A run that read its rows.
struct Ran {
    report: Report,
    /// The rows as they are logged.
    rows: Vec<String>,
    warnings: BTreeSet<String>,
}

/// A run that failed.
struct Failed {
    warnings: BTreeSet<String>,
    failure: String,
}

/// Runs a query.
async fn rows_of(shared: &Shared, scheduled: &Scheduled) -> Result<Ran, Failed> {
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
    let warnings = report.warnings.iter().map(|warning| {
        let needs = warning.needs.as_ref().filter(|needs| !warning.message.contains(needs.as_str()));
        let needs = needs.map(|needs| format!(" (needs {needs})")).unwrap_or_default();
        format!("{warning}{needs}")
    });
    let warnings = warnings.collect();
    let failure = match (&report.status, broken) {
        (Outcome::Failed(error), _) if error.code() != Code::Incomplete => error.to_string(),
        (Outcome::Skipped(reason), _) => reason.clone(),
        (_, Some(reason)) => reason,
        (Outcome::Ok | Outcome::Failed(_), None) => return Ok(Ran { report, rows, warnings }),
    };
    Err(Failed { warnings, failure })
}

impl Shared {
    /// Reports that a query failed, and stores that.
    fn fail(
        &self,
        scheduled: &Scheduled,
        state: QueryState,
        warnings: BTreeSet<String>,
        failure: &str,
    ) -> Result<QueryState> {
        self.reported.failed(&self.status, &scheduled.name, warnings, failure);
        let state = QueryState { failures: state.failures + 1, last_error: Some(failure.to_owned()), ..state };
        self.state.remember(&scheduled.name, &state, None)?;
        Ok(state)
    }

    /// Logs a result and stores it. A result that could not be logged is not stored, so the next run logs it.
    fn settle(&self, scheduled: &Scheduled, state: QueryState, ran: &Ran, began: i64) -> Result<QueryState> {
        let Ran { report, rows, warnings } = ran;
        let (name, query) = (&scheduled.name, &scheduled.query);
        let stamp = |counter| Stamp {
            name,
            host_identifier: &self.host,
            unix_time: began,
            epoch: self.epoch,
            counter,
            numerics: self.numerics,
        };
        let missing: Vec<&str> = report.unread.reasons().collect();
        let state = QueryState {
            incomplete: state.incomplete + u64::from(!missing.is_empty()),
            last_missing: (!missing.is_empty()).then(|| missing[..missing.len().min(MOST_MISSING)].join("; ")),
            last_error: None,
            ..state
        };
        if let Outcome::Failed(error) = &report.status {
            // With `strict`, an incomplete result is not logged.
            let incomplete = state.incomplete + u64::from(missing.is_empty());
            return self.fail(scheduled, QueryState { incomplete, ..state }, warnings.clone(), &error.to_string());
        }
        let mut warnings = warnings.clone();
        let (kept, effect) = if query.snapshot {
            self.results.append(&stamp(0).snapshot(rows))?;
            self.state.remember(name, &state, None)?;
            (state, "rows are missing from its snapshot".to_owned())
        } else {
            let previous = if state.has_result { self.state.rows(name)? } else { Vec::new() };
            let result =
                Rows { rows, are_events: report.reads_events, unread: &report.unread, volatile: &report.volatile };
            let settled = settle(&state, &previous, query, result, self.epoch);
            if let Some(difference) = &settled.difference {
                self.results.append(&stamp(settled.state.counter).events(difference))?;
            }
            self.state.remember(name, &settled.state, Some(&settled.rows))?;
            let effect = match settled.held {
                1 => "1 row was not compared".to_owned(),
                held => format!("{held} rows were not compared"),
            };
            (settled.state, effect)
        };
        if !missing.is_empty() {
            warnings.retain(|warning| !missing.contains(&warning.as_str()));
            warnings.insert(format!("incomplete, {effect}: {}", missing.join("; ")));
        }
        self.reported.succeeded(&self.status, name, warnings);
        report.taken.iter().for_each(Taken::advance);
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use indago::arrow::datatypes::DataType;
    use indago::datafusion::common::Result as PlanResult;
    use indago::datafusion::logical_expr::{
        ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    };
    use indago::futures::channel::mpsc;
    use indago::table::scan::BoxFuture;
    use indago::table::{AnyRow, ColumnSpec, EventLimits, EventSource, Events, Kind, TableSpec};

    use super::*;

    /// A function whose planning panics twice: when the daemon checks the query, and at its first run.
    #[derive(Debug, PartialEq, Eq, Hash)]
    struct Fuse(Signature);

    static BLOWN: AtomicUsize = AtomicUsize::new(0);

    impl ScalarUDFImpl for Fuse {
        fn name(&self) -> &str {
            "fuse"
        }

        fn signature(&self) -> &Signature {
            &self.0
        }

        fn return_type(&self, _: &[DataType]) -> PlanResult<DataType> {
            assert!(BLOWN.fetch_add(1, Ordering::Relaxed) >= 2, "the fuse is blown");
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
        let daemon = run(Source::of(config, &engine), &workers, told);
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
        let (more, told) = mpsc::unbounded();
        more.unbounded_send(Told::Reload).expect("the daemon receives it");
        let done = || text(folder.path(), "status.log").contains("reloaded the configuration");
        let watch = async {
            while !done() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            more.unbounded_send(Told::Stop).expect("the daemon receives it");
        };
        let workers = Handle::current();
        let daemon = run(Source::of(&config, &engine), &workers, told);
        let (ended, _) = tokio::join!(daemon, tokio::time::timeout(Duration::from_secs(60), watch));
        ended.expect("the daemon ran");
        let status = text(folder.path(), "status.log");
        assert!(status.contains("reloaded the configuration: 1 query scheduled"), "{status}");
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
            let daemon = run(Source::of(&config, &engine), &workers, told);
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
            state: Arc::new(State::open(&config.daemon.state).expect("a state file")),
            results: Appender::new(results, true).expect("a log"),
            reported: Arc::default(),
            status: Arc::new(Status::new(config.daemon.status.as_deref(), "host").expect("a log")),
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
        std::fs::create_dir(&logs).expect("created");
        let shared = Arc::new(shared(&config, &logs.join("results.log")).await);
        std::fs::remove_dir_all(&logs).expect("removed");
        let query = indago::packs::PackQuery::new("q", "SELECT 1 AS n");
        let scheduled = Arc::new(Scheduled { name: "q".into(), query, pack: None, place: String::new() });
        tokio::spawn(turn(shared.clone(), scheduled, QueryState::default())).await.expect("it ended");
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
        let scheduled = Arc::new(Scheduled { name: "q".into(), query, pack: None, place: String::new() });
        let running = tokio::spawn(turn(shared.clone(), scheduled, QueryState::default()));
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
