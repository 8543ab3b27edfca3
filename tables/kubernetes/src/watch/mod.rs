//! Watches: resources in memory that the API server keeps current, and their changes.
//!
//! A reflector starts when a query first reads a resource, and holds the parts of its objects that queries read. Later
//! queries read the memory and make no call. If it is not current, queries list, as without a watch.

mod change;
mod lines;
mod reflector;
mod selector;
mod store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use indago_table::json::Shape;
use indago_table::{AnyScan, Error, Gate, ResourceSpec, Result, Timestamp};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

pub use self::change::{Change, Changes, Op};
use self::reflector::{Parts, Phase, Reflector};
use self::selector::Selector;
use self::store::{Budget, Snapshot, Store, Wanted};
use crate::clusters::{Cluster, Kubernetes};
use crate::discovery::api::split;
use crate::pages::{List, Page};
use crate::resource;

/// Changes that a slow reader may lag behind. If it lags further, it gets a gap.
const MOST_CHANGES: usize = 8192;
/// Objects in a page of rows from memory.
const PAGE: usize = 1000;

/// The reflectors of an environment.
#[derive(Debug)]
pub(crate) struct Watches {
    /// Resources to watch from the start.
    resources: Vec<Result<ResourceSpec, String>>,
    /// Whether queries start and read reflectors.
    is_on: AtomicBool,
    /// Whether listening to changes turns it on.
    may_turn_on: bool,
    reflectors: Mutex<HashMap<(Arc<str>, String), Running>>,
    budget: Arc<Budget>,
    /// Whether each cluster can send a list as the start of a watch, as far as known.
    streams: Mutex<HashMap<Arc<str>, Arc<AtomicBool>>>,
    changes: broadcast::Sender<Arc<Change>>,
}

/// A reflector and its task, which stops when this is dropped.
#[derive(Debug)]
struct Running {
    reflector: Arc<Reflector>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watches {
    pub(crate) fn new(watch: Option<bool>, resources: &[String], memory: usize) -> Arc<Self> {
        Arc::new(Watches {
            resources: resources.iter().map(|text| resource_of(text)).collect(),
            is_on: AtomicBool::new(watch == Some(true)),
            may_turn_on: watch != Some(false),
            reflectors: Mutex::default(),
            budget: Arc::new(Budget::new(memory)),
            streams: Mutex::default(),
            changes: broadcast::Sender::new(MOST_CHANGES),
        })
    }

    /// No watches.
    pub(crate) fn off() -> Arc<Self> {
        Watches::new(Some(false), &[], 0)
    }

    /// Whether there can be changes.
    pub(crate) fn may_watch(&self) -> bool {
        self.may_turn_on
    }

    pub(crate) fn changes(&self, now: impl Fn() -> Timestamp + Send + 'static) -> Changes {
        Changes::new(self.changes.subscribe(), now)
    }

    /// The reflector of a resource, started unless it is running.
    fn reflector(
        &self,
        env: &Kubernetes,
        cluster: &Arc<Cluster>,
        resource: &ResourceSpec,
        wanted: &Wanted,
        gate: &Arc<dyn Gate>,
    ) -> Arc<Reflector> {
        let key = (cluster.name.clone(), format!("{}/{}", resource.group_version, resource.name));
        let mut reflectors = self.reflectors.lock();
        if let Some(Running { reflector, task }) = reflectors.get(&key)
            && Arc::ptr_eq(&reflector.cluster, cluster)
            && reflector.ended().map_or(!task.is_finished(), |ended| ended < reflector::IDLE)
        {
            reflector.want(wanted);
            return reflector.clone();
        }
        let can_stream =
            self.streams.lock().entry(cluster.name.clone()).or_insert_with(|| Arc::new(true.into())).clone();
        let is_secret = resource::is_secret(split(&resource.group_version).0, &resource.name);
        let parts = Parts {
            env: env.only(cluster),
            gate: gate.clone(),
            can_stream,
            store: Store::new(self.budget.clone(), is_secret),
            changes: self.changes.clone(),
        };
        let reflector = Reflector::new(cluster.clone(), resource, wanted.clone(), parts);
        let task = tokio::spawn(reflector.clone().run());
        reflectors.insert(key, Running { reflector: reflector.clone(), task });
        reflector
    }

    /// The reflector of a resource, if there is one.
    fn running(&self, cluster: &Arc<Cluster>, resource: &ResourceSpec) -> Option<Arc<Reflector>> {
        let key = (cluster.name.clone(), format!("{}/{}", resource.group_version, resource.name));
        let reflectors = self.reflectors.lock();
        let reflector = &reflectors.get(&key)?.reflector;
        Arc::ptr_eq(&reflector.cluster, cluster).then(|| reflector.clone())
    }

    /// Turns watching on, and starts the reflectors of the configured resources.
    pub(crate) fn start(&self, env: &Kubernetes, clusters: &[Arc<Cluster>], gate: &Arc<dyn Gate>) {
        self.is_on.store(self.may_turn_on, Ordering::Relaxed);
        for cluster in clusters {
            for resource in self.resources.iter().flatten() {
                self.reflector(env, cluster, resource, &Wanted::whole(), gate).pin();
            }
        }
    }

    /// Configured resources that are malformed.
    pub(crate) fn malformed(&self) -> impl Iterator<Item = &String> {
        self.resources.iter().filter_map(|resource| resource.as_ref().err())
    }
}

/// A resource from its text, `apps/v1/deployments`.
fn resource_of(text: &str) -> Result<ResourceSpec, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let is_part =
        |part: &&str| part.starts_with(|first: char| first.is_ascii_alphanumeric()) && part.bytes().all(is_inner);
    let [.., name] = parts.as_slice() else { return Err(text.to_owned()) };
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(is_part) {
        return Err(text.to_owned());
    }
    let group_version = text[..text.len() - name.len() - 1].to_owned();
    // A list of all namespaces has the same path for both.
    Ok(ResourceSpec::new(group_version, (*name).to_owned(), true))
}

/// The rows of a LIST from memory.
#[derive(Debug)]
pub(crate) struct Rows {
    snapshot: Snapshot,
    /// When they were last known to be current.
    moment: Timestamp,
}

/// What a scan needs of a watched resource.
struct Needs {
    wanted: Wanted,
    selector: Selector,
}

impl Needs {
    /// `None` if the server must answer.
    fn of(scan: &AnyScan<Kubernetes>, list: &List, shape: &Shape) -> Option<(Self, Arc<Watches>)> {
        let watches = scan.env().watches();
        let resource = scan.spec().resource.as_ref()?;
        // A query may read the values of secrets, and memory has only their hashes.
        let is_secret = resource::is_secret(split(&resource.group_version).0, &resource.name);
        if !watches.is_on.load(Ordering::Relaxed) || is_secret || scan.as_of().is_some() {
            return None;
        }
        let selector = Selector::parse(&list.label_selector, &list.field_selector, resource)?;
        let mut shape = shape.clone();
        selector.add_to(&mut shape);
        Some((Needs { wanted: Wanted::of(shape), selector }, watches.clone()))
    }
}

/// A number that changes with the objects of a list in memory, and when they were last known to be current. `None` if
/// the list is not in memory or not current.
pub(crate) fn state(scan: &AnyScan<Kubernetes>, list: &List, shape: &Shape) -> Option<(u64, Timestamp)> {
    let (needs, watches) = Needs::of(scan, list, shape)?;
    let reflector = watches.running(&list.cluster, scan.spec().resource.as_ref()?)?;
    reflector.want(&needs.wanted);
    let age = reflector.age(&needs.wanted)?;
    Some((reflector.state(), before(scan.env().now(), age)))
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)))
}

/// Whether a list is now in memory, for `EXPLAIN`.
pub(crate) fn is_held(scan: &AnyScan<Kubernetes>, list: &List, shape: &Shape) -> bool {
    let is_current = || {
        let (needs, watches) = Needs::of(scan, list, shape)?;
        watches.running(&list.cluster, scan.spec().resource.as_ref()?)?.age(&needs.wanted)
    };
    is_current().is_some()
}

/// The rows of a list from memory; `None` if they must be listed.
///
/// The first query of a resource starts its reflector. It waits for it if it would read the entire list anyway.
pub(crate) async fn rows(
    scan: &AnyScan<Kubernetes>,
    list: &List,
    namespace: Option<&str>,
    shape: &Shape,
) -> Option<Rows> {
    let (needs, watches) = Needs::of(scan, list, shape)?;
    let (env, resource) = (scan.env(), scan.spec().resource.as_ref()?);
    let reflector = watches.reflector(env, &list.cluster, resource, &needs.wanted, &scan.context().gate);
    if let Phase::Ended(Error::OutOfMemory(why)) = reflector.phase() {
        let note = format!("{} are listed by each query: {why}", resource.name);
        scan.report(list.cluster.label().trim_end(), &Error::Absent(note));
    }
    let reads_all = namespace.is_none() && needs.selector.is_empty() && scan.limit().is_none();
    let age = match reflector.age(&needs.wanted) {
        Some(age) => age,
        None if reads_all => reflector.wait(&needs.wanted).await?,
        None => return None,
    };
    let moment = before(env.now(), age);
    Some(Rows { snapshot: reflector.select(namespace, &needs.selector), moment })
}

impl Rows {
    /// Bytes of memory that the query holds.
    pub(crate) fn size(&self) -> usize {
        size_of_val(self.snapshot.texts.as_slice())
    }

    /// Records in the query's coverage how old they are.
    pub(crate) fn date(&self, scan: &AnyScan<Kubernetes>) {
        scan.context().date(&scan.spec().name, self.moment);
    }

    /// A page by number, as a LIST would have it; `None` after the last one.
    pub(crate) fn page(&self, number: usize, scan: &AnyScan<Kubernetes>) -> Result<Option<Page>> {
        let texts = self.snapshot.texts.chunks(PAGE).nth(number);
        let texts = match texts {
            Some(texts) => texts,
            None if number == 0 => &[],
            None => return Ok(None),
        };
        let mut text = format!(r#"{{"kind":"{}List","items":["#, self.snapshot.kind).into_bytes();
        let length = text.len() + texts.iter().map(|text| text.len() + 1).sum::<usize>() + 2;
        let held = scan.meter().hold(length)?;
        text.reserve_exact(length - text.len());
        for (position, object) in texts.iter().enumerate() {
            if position > 0 {
                text.push(b',');
            }
            text.extend_from_slice(object);
        }
        text.extend_from_slice(b"]}");
        // No object can be in two pages.
        Ok(Some(Page {
            text: Bytes::from(text),
            has_next: false,
            held: Arc::new(held),
            skipped: Arc::default(),
            is_in_shape: false,
        }))
    }
}

/// Time after which configured clusters are looked for again.
pub(crate) const LOOK: Duration = Duration::from_secs(30);
