//! A reflector: a list of a resource, and a watch that keeps the objects current in memory.
//!
//! It lists the resource and watches it from the list's version on. A watch that ends is resumed after the last version
//! that it sent. If the server no longer has the changes after that version, which it states as 410, the reflector
//! records a gap, lists again, and emits the difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{Either, select};
use http::header::ACCEPT;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use indago_table::json;
use indago_table::{AnyScan, Error, Gate, ResourceSpec, Result, ScanContext, TableSpec, Timestamp};
use kube::client::Body;
use parking_lot::Mutex;
use rand::RngExt;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::Instant;

use super::change::Change;
use super::lines::{Event, Lines};
use super::selector::Selector;
use super::store::{Applied, Snapshot, Store, Wanted, kind_of_list};
use crate::call::{Answer, get, refusal, transport_error};
use crate::clusters::{Cluster, Kubernetes};
use crate::pages::{List, PAGE_SIZE, Pager, encoded};
use crate::resource::list_path;

/// Rows from memory are at most this old.
pub(super) const MOST_AGE: Duration = Duration::from_secs(1);
/// A reflector that no query has read for this time stops.
pub(super) const IDLE: Duration = Duration::from_secs(600);
/// A new watch first sends what happened since its start. If it sends nothing for this time, it is current. A watch
/// that never pauses is taken as current after [`MOST_AGE`], as soon as nothing is left to read.
const SETTLE: Duration = Duration::from_millis(100);
/// Range of the time after which a server ends a watch, in seconds.
const WATCH_SECONDS: std::ops::Range<u32> = 300..600;
/// Largest delay before a watch that worked is resumed.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Delay after several failures in a row.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How far a reflector is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// It lists.
    Listing,
    /// The store has been current, and the watch keeps it so.
    Watching,
    /// The last attempt failed. There will be others.
    Failed,
    /// It has ended, because no query read it for long.
    Idle,
    /// It has ended, for a reason that will last.
    Ended(Error),
}

/// How current a store is.
#[derive(Debug, Clone)]
struct Currency {
    phase: Phase,
    /// Whether the watch waits for events, and nothing was left to read.
    is_live: bool,
    /// When it was last current.
    at: Instant,
}

#[derive(Debug)]
pub(super) struct Reflector {
    pub(super) cluster: Arc<Cluster>,
    path: String,
    /// The program's own clusters, without watches.
    env: Kubernetes,
    gate: Arc<dyn Gate>,
    /// Whether it runs without being read.
    is_pinned: AtomicBool,
    /// Whether the cluster's server can send a list as the start of a watch.
    can_stream: Arc<AtomicBool>,
    wanted: Mutex<Wanted>,
    /// Tells that more is wanted.
    grown: Notify,
    store: Mutex<Store>,
    currency: watch::Sender<Currency>,
    last_read: Mutex<Instant>,
    changes: broadcast::Sender<Arc<Change>>,
    group_version: Arc<str>,
    name: Arc<str>,
}

/// What a reflector needs, apart from its resource.
pub(super) struct Parts {
    pub(super) env: Kubernetes,
    pub(super) gate: Arc<dyn Gate>,
    pub(super) can_stream: Arc<AtomicBool>,
    pub(super) store: Store,
    pub(super) changes: broadcast::Sender<Arc<Change>>,
}

/// Why a watch ended.
enum End {
    /// The server ended it, or the connection broke.
    Cut,
    /// More parts of the objects are wanted.
    Grown,
    /// The server does not have the changes after the last version any more.
    Expired(String),
    /// The server does not serve the resource.
    Missing(String),
    /// The server cannot send a list as the start of a watch.
    NoStream,
    /// No query has read it for long.
    Idle,
    /// It cannot be resumed.
    Failed(Error),
}

impl Reflector {
    pub(super) fn new(cluster: Arc<Cluster>, resource: &ResourceSpec, wanted: Wanted, parts: Parts) -> Arc<Self> {
        let Parts { env, gate, can_stream, store, changes } = parts;
        let currency = Currency { phase: Phase::Listing, is_live: false, at: Instant::now() };
        Arc::new(Reflector {
            cluster,
            path: list_path(resource, None),
            env,
            gate,
            is_pinned: AtomicBool::new(false),
            can_stream,
            wanted: Mutex::new(wanted),
            grown: Notify::new(),
            store: Mutex::new(store),
            currency: watch::Sender::new(currency),
            last_read: Mutex::new(Instant::now()),
            changes,
            group_version: resource.group_version.as_ref().into(),
            name: resource.name.as_ref().into(),
        })
    }

    /// Keeps it running without being read.
    pub(super) fn pin(&self) {
        self.is_pinned.store(true, Ordering::Relaxed);
    }

    pub(super) fn phase(&self) -> Phase {
        self.currency.borrow().phase.clone()
    }

    /// Age of the objects in memory, if they have these parts and are current.
    pub(super) fn age(&self, wanted: &Wanted) -> Option<Duration> {
        let currency = self.currency.borrow().clone();
        let age = if currency.is_live { Duration::ZERO } else { currency.at.elapsed() };
        (currency.phase == Phase::Watching && age <= MOST_AGE && self.store.lock().has(wanted)).then_some(age)
    }

    /// Asks for more parts of the objects, if it does not have them.
    pub(super) fn want(&self, wanted: &Wanted) {
        *self.last_read.lock() = Instant::now();
        let mut all = self.wanted.lock();
        if !all.covers(wanted) {
            all.extend(wanted);
            drop(all);
            self.grown.notify_one();
        }
    }

    /// Waits for the end of a list. Returns `None` if the objects in memory are not current then.
    pub(super) async fn wait(&self, wanted: &Wanted) -> Option<Duration> {
        let mut currency = self.currency.subscribe();
        loop {
            if let Some(age) = self.age(wanted) {
                return Some(age);
            }
            if !matches!(currency.borrow_and_update().phase, Phase::Listing) {
                return None;
            }
            currency.changed().await.ok()?;
        }
    }

    pub(super) fn select(&self, namespace: Option<&str>, selector: &Selector) -> Snapshot {
        self.store.lock().select(namespace, selector)
    }

    /// A number that changes with the objects in memory.
    pub(super) fn state(&self) -> u64 {
        self.store.lock().state()
    }

    /// Number of objects in memory and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        self.store.lock().size()
    }

    fn enter(&self, phase: Phase) {
        self.currency.send_modify(|currency| {
            if currency.is_live || matches!(phase, Phase::Ended(_)) {
                currency.at = Instant::now();
            }
            (currency.is_live, currency.phase) = (false, phase);
        });
    }

    /// Notes whether the watch has been read to its end.
    fn set_live(&self, is_live: bool) {
        self.currency.send_if_modified(|currency| {
            if currency.is_live == is_live {
                return false;
            }
            if is_live {
                currency.phase = Phase::Watching;
            }
            (currency.is_live, currency.at) = (is_live, Instant::now());
            is_live
        });
    }

    /// How long ago it ended.
    pub(super) fn ended(&self) -> Option<Duration> {
        let currency = self.currency.borrow();
        matches!(currency.phase, Phase::Ended(_)).then(|| currency.at.elapsed())
    }

    fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// Whether somebody listens to changes.
    fn compares(&self) -> bool {
        self.changes.receiver_count() > 0
    }

    fn emit(&self, applied: Vec<Applied>, reason: Option<&str>) {
        if applied.is_empty() {
            return;
        }
        let kind = self.store.lock().kind().clone();
        for Applied { op, namespace, name, uid, version, changed, before, after } in applied {
            let reason = reason.map(str::to_owned);
            let change = Change {
                op,
                kind: kind.clone(),
                namespace,
                name,
                uid,
                resource_version: version,
                changed,
                before,
                after,
                reason,
                ..self.gap(String::new())
            };
            let _ = self.changes.send(Arc::new(change));
        }
    }

    fn gap(&self, why: String) -> Change {
        Change {
            cluster: self.cluster.name.clone(),
            group_version: self.group_version.clone(),
            resource: self.name.clone(),
            ..Change::gap(self.now(), why)
        }
    }

    fn record_gap(&self, why: String) {
        tracing::info!(cluster = &*self.cluster.name, path = self.path, why, "changes are missing");
        let _ = self.changes.send(Arc::new(self.gap(why)));
    }

    /// A scan outside queries, for one attempt: its calls have the engine's limits.
    fn scan(&self) -> AnyScan<Kubernetes> {
        let spec = TableSpec::new("kubernetes_changes", "kubernetes", "", Vec::new());
        let context = ScanContext { gate: self.gate.clone(), ..ScanContext::new([]) };
        AnyScan::new(&Arc::new(spec), context, &self.env)
    }

    /// Runs until no query has read it for long, or until it fails for a reason that will last.
    pub(super) async fn run(self: Arc<Self>) {
        let _ends = Ends(self.clone());
        let why = self.keep_current().await;
        self.store.lock().clear();
        let idle = || format!("no query read it for {} minutes", IDLE.as_secs() / 60);
        let told = why.as_ref().map_or_else(idle, Error::to_string);
        tracing::info!(cluster = &*self.cluster.name, path = self.path, why = told, "the watch has ended");
        if self.compares() {
            self.record_gap(format!("the watch has ended: {told}"));
        }
        self.enter(why.map_or(Phase::Idle, Phase::Ended));
    }

    /// Lists and watches, again and again. Returns why it stops; `None` because it is idle.
    async fn keep_current(&self) -> Option<Error> {
        // The version after which the watch resumes, and why there is none although there was.
        let (mut position, mut lost) = (None, None);
        let mut failures = 0;
        loop {
            let (began, from) = (Instant::now(), position.clone());
            let end = self.attempt(&mut position, &mut lost).await;
            self.set_live(false);
            let worked = {
                let currency = self.currency.borrow();
                let was_live = currency.phase == Phase::Watching && currency.at > began;
                // Events arrived. A list alone does not count: it is made again and again if each watch expires.
                was_live || from.is_some() && from != position
            };
            failures = if worked { 0 } else { failures + 1 };
            let error = match end {
                End::Idle => return None,
                End::Grown | End::NoStream => {
                    failures = 0;
                    continue;
                }
                End::Cut => None,
                End::Expired(why) => {
                    lost = Some(format!("the server no longer has the changes: {why}"));
                    position = None;
                    self.enter(Phase::Listing);
                    None
                }
                End::Missing(why) => {
                    self.remove_all(&why);
                    position = None;
                    Some(Error::Unsupported(why))
                }
                End::Failed(error @ Error::Malformed(_)) if position.is_some() => {
                    // What is held is incomplete.
                    lost = Some(format!("an event could not be read: {error}"));
                    position = None;
                    Some(error)
                }
                End::Failed(
                    error @ (Error::Malformed(_) | Error::OutOfMemory(_) | Error::Denied { needs: Some(_), .. }),
                ) => return Some(error),
                End::Failed(error) => Some(error),
            };
            // Nobody waits any longer than for two attempts.
            if error.is_some() || failures > 1 {
                tracing::debug!(cluster = &*self.cluster.name, path = self.path, ?error, failures, "the watch failed");
                self.enter(Phase::Failed);
            }
            if self.is_idle() {
                return None;
            }
            let pause = match failures {
                0 | 1 if error.is_none() => FIRST_PAUSE,
                _ => self.gate.backoff(failures.max(1)).unwrap_or(LONGEST_PAUSE),
            };
            let jitter = rand::rng().random_range(0.5..1.0);
            self.gate.sleep(pause.mul_f64(jitter)).await;
        }
    }

    /// The server no longer serves the resource, so there are no objects.
    fn remove_all(&self, why: &str) {
        if self.store.lock().size().0 == 0 {
            return;
        }
        let reason = "the server no longer serves the resource";
        self.record_gap(format!("{reason}: {why}"));
        let removed = {
            let mut store = self.store.lock();
            store.begin(Wanted::default());
            store.sweep(self.compares())
        };
        self.emit(removed, Some(reason));
    }

    fn is_idle(&self) -> bool {
        !self.is_pinned.load(Ordering::Relaxed) && self.last_read.lock().elapsed() >= IDLE
    }

    /// Lists unless there is a position, and watches from there.
    async fn attempt(&self, position: &mut Option<String>, lost: &mut Option<String>) -> End {
        let wanted = self.wanted.lock().clone();
        let is_held = self.store.lock().has(&wanted);
        let outcome = match position {
            Some(version) if is_held => match self.has_gone_back(version).await {
                Ok(true) => return End::Expired(format!("its data is older than the last change, {version}")),
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            },
            Some(_) => self.refill(&wanted).await,
            None if self.can_stream.load(Ordering::Relaxed) => {
                return self.watch(position, lost, Some(&wanted)).await;
            }
            None => self.list(&wanted, lost).await.map(|version| *position = Some(version)),
        };
        match outcome {
            Ok(()) => self.watch(position, lost, None).await,
            Err(Error::Gone(why)) => End::Missing(why),
            Err(error) => End::Failed(error),
        }
    }

    /// Whether the server is at an earlier version than the last event: its data was restored. A watch from a version
    /// in the future would be silent.
    async fn has_gone_back(&self, version: &str) -> Result<bool> {
        let scan = self.scan();
        match get(&scan, &self.cluster, &format!("{}?limit=1", self.path), "").await? {
            Answer::Body(text, _held) => {
                let now = json::find(&text, &["metadata", "resourceVersion"]);
                let now = now.as_ref().and_then(|now| now.as_str()?.parse::<u64>().ok());
                Ok(now.zip(version.parse().ok()).is_some_and(|(now, then)| now < then))
            }
            Answer::Missing(why) => Err(Error::Gone(why)),
            Answer::Expired(_) => Ok(false),
        }
    }

    /// Reads all pages of the resource. Returns the version of the first one: if the list expires while it is read, the
    /// later pages are of later versions, and the watch repeats the changes in between.
    async fn pages(&self, wanted: &Wanted, mut each: impl FnMut(serde_json::Value) -> Result<()>) -> Result<String> {
        let list = List {
            cluster: self.cluster.clone(),
            path: self.path.clone(),
            label_selector: String::new(),
            field_selector: String::new(),
            page_size: PAGE_SIZE,
            is_cached: false,
            needs: "".into(),
        };
        let shape = Arc::new(wanted.shape().clone());
        let (scan, mut pager) = (self.scan(), Pager::new(list, &shape));
        let mut version = None;
        loop {
            let page = match pager.next(&scan).await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(Error::Unsupported(why)) => return Err(Error::Gone(why)),
                Err(error) => return Err(error),
            };
            if version.is_none() {
                version = json::find(&page.text, &["metadata", "resourceVersion"]);
            }
            if let Some(kind) = kind_of_list(&page.text) {
                self.store.lock().set_kind(&kind);
            }
            let mut outcome = Ok(());
            wanted.shape().parse_list(&page.text, "items", &json::Shape::default(), |object| {
                if outcome.is_ok() {
                    outcome = object.and_then(&mut each);
                }
            })?;
            outcome?;
        }
        match version.as_ref().and_then(|version| version.as_str()) {
            Some(version) if !version.is_empty() => Ok(version.to_owned()),
            _ => Err(Error::Malformed(format!("{}: the list has no version", self.path))),
        }
    }

    /// Lists all objects, and emits the difference to those in memory.
    async fn list(&self, wanted: &Wanted, lost: &mut Option<String>) -> Result<String> {
        let began = Instant::now();
        let reason = self.begin_list(wanted, lost);
        let version = self.pages(wanted, |object| {
            let applied = self.store.lock().put(object, self.compares())?;
            self.emit(applied, Some(reason));
            Ok(())
        });
        let version = version.await?;
        self.end_list(reason, began);
        Ok(version)
    }

    fn begin_list(&self, wanted: &Wanted, lost: &mut Option<String>) -> &'static str {
        if self.phase() != Phase::Failed {
            self.enter(Phase::Listing);
        }
        let reason = match lost.take() {
            Some(why) => {
                self.record_gap(why);
                "difference after a gap"
            }
            None if self.store.lock().size().0 > 0 => "difference after a list that failed",
            None => "first list",
        };
        self.store.lock().begin(wanted.clone());
        reason
    }

    fn end_list(&self, reason: &'static str, began: Instant) {
        let removed = self.store.lock().sweep(self.compares());
        self.emit(removed, Some(reason));
        self.currency.send_modify(|currency| currency.at = began);
        let (objects, bytes) = self.size();
        tracing::debug!(cluster = &*self.cluster.name, path = self.path, objects, bytes, "listed");
    }

    /// Lists to add parts to the objects in memory. Changes since the last event are left to the watch.
    async fn refill(&self, wanted: &Wanted) -> Result<()> {
        self.enter(Phase::Listing);
        self.store.lock().begin_refill(wanted.clone());
        self.pages(wanted, |object| self.store.lock().refill(object)).await.map(drop)
    }

    /// Sends a watch's request.
    async fn open(&self, query: &str) -> Result<Response<Body>> {
        let scan = self.scan();
        let client = self.cluster.client(&scan).await?;
        let seconds = rand::rng().random_range(WATCH_SECONDS);
        let url = format!("{}?watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&{query}", self.path);
        let request = http::Request::get(&url).header(ACCEPT, "application/json").body(Body::empty());
        let request = request.map_err(|error| Error::Malformed(format!("GET {url}: {error}")))?;
        // The permit is for the start of the response, because a watch lasts long.
        let _permit = self.gate.enter(&self.cluster.name).await;
        let limit = self.gate.call_timeout();
        match select(Box::pin(client.send(request)), self.gate.sleep(limit)).await {
            Either::Left((response, _)) => response.map_err(transport_error),
            Either::Right(_) => Err(Error::TimedOut { what: format!("GET {url}"), limit }),
        }
    }

    /// Watches from a position, or from a list that the watch itself sends first.
    async fn watch(&self, position: &mut Option<String>, lost: &mut Option<String>, list: Option<&Wanted>) -> End {
        let query = match position {
            Some(version) => format!("resourceVersion={}", encoded(version)),
            None => "sendInitialEvents=true&resourceVersionMatch=NotOlderThan".to_owned(),
        };
        let began = Instant::now();
        let response = match self.open(&query).await {
            Ok(response) => response,
            Err(error) => return Self::broken(error),
        };
        let status = response.status();
        if status != StatusCode::OK {
            let is_unknown = matches!(status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST);
            if list.is_some() && is_unknown {
                self.can_stream.store(false, Ordering::Relaxed);
                return End::NoStream;
            }
            return self.refused(response).await;
        }
        let mut listing = list.map(|wanted| self.begin_list(wanted, lost));
        let wanted = self.wanted_of_store();
        let mut lines = Lines::new(response.into_body());
        let (opened, mut last, mut is_settled) = (Instant::now(), Instant::now(), false);
        let mut look = self.gate.sleep(IDLE / 4);
        loop {
            let line = match lines.ready() {
                Some(line) => line,
                None => {
                    let is_quiet = last.elapsed() >= SETTLE || opened.elapsed() >= MOST_AGE;
                    is_settled |= listing.is_none() && is_quiet;
                    if is_settled {
                        self.set_live(true);
                    }
                    let settles = async {
                        match (is_settled, &listing) {
                            (false, None) => self.gate.sleep(SETTLE.saturating_sub(last.elapsed())).await,
                            _ => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        biased;
                        line = lines.next() => line,
                        () = settles => continue,
                        () = self.grown.notified(), if listing.is_none() => {
                            if !self.store.lock().has(&self.wanted.lock()) {
                                return End::Grown;
                            }
                            continue;
                        }
                        () = &mut look => {
                            if self.is_idle() {
                                return End::Idle;
                            }
                            look = self.gate.sleep(IDLE / 4);
                            continue;
                        }
                    }
                }
            };
            self.set_live(false);
            last = Instant::now();
            let line = match line {
                Ok(Some(line)) => line,
                Ok(None) => return End::Cut,
                Err(error) => return Self::broken(error),
            };
            let applied = match Event::parse(&line, &wanted) {
                Err(error) => return End::Failed(error),
                Ok(None) => continue,
                Ok(Some(Event::Failed { code: 410, message })) => return End::Expired(message),
                Ok(Some(Event::Failed { code, message })) => {
                    tracing::debug!(path = self.path, code, message, "the server ended the watch");
                    return End::Cut;
                }
                Ok(Some(Event::Bookmark { version, ends_list })) => {
                    if let Some(reason) = listing.filter(|_| ends_list) {
                        self.end_list(reason, began);
                        listing = None;
                        is_settled = true;
                        self.set_live(true);
                    }
                    if listing.is_none() && !version.is_empty() {
                        *position = Some(version);
                    }
                    continue;
                }
                Ok(Some(Event::Put(object))) => {
                    let version = version_of(&object);
                    (version, self.store.lock().put(object, self.compares()))
                }
                Ok(Some(Event::Deleted(object))) => {
                    let version = version_of(&object);
                    (version, self.store.lock().remove(object, self.compares()))
                }
            };
            match applied {
                (version, Ok(applied)) => {
                    self.emit(applied, listing);
                    if let (Some(version), None) = (version, listing) {
                        *position = Some(version);
                    }
                }
                (_, Err(error)) => return End::Failed(error),
            }
        }
    }

    /// The parts that the objects in memory have.
    fn wanted_of_store(&self) -> json::Shape {
        self.store.lock().held().shape().clone()
    }

    /// The connection failed.
    fn broken(error: Error) -> End {
        if error.is_transient() { End::Cut } else { End::Failed(error) }
    }

    /// The server refused a watch.
    async fn refused(&self, response: Response<Body>) -> End {
        let status = response.status();
        let mut body = response.into_body();
        let mut text = Vec::new();
        while text.len() < (64 << 10)
            && let Some(Ok(frame)) = body.frame().await
        {
            text.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        }
        match refusal(status, &text, None, "") {
            Ok(Answer::Expired(_)) => End::Expired(String::from_utf8_lossy(&text).chars().take(200).collect()),
            Ok(Answer::Missing(why)) => End::Missing(why),
            Ok(Answer::Body(..)) => End::Cut,
            Err(error) => {
                if let Error::Denied { needs: None, .. } = &error {
                    self.cluster.forget().await;
                }
                End::Failed(error)
            }
        }
    }
}

fn version_of(object: &serde_json::Value) -> Option<String> {
    object["metadata"]["resourceVersion"].as_str().map(str::to_owned)
}

/// Ends the waiting for a reflector whose task is stopped.
struct Ends(Arc<Reflector>);

impl Drop for Ends {
    fn drop(&mut self) {
        if !matches!(self.0.phase(), Phase::Ended(_)) {
            self.0.enter(Phase::Idle);
        }
    }
}
