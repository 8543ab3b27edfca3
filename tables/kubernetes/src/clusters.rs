//! [`Kubernetes`]: the clusters that the tables read, and how to reach each of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use indago_table::{AnyScan, Environment, Error, Gate, Result, Sys, Timestamp};
use k8s_openapi::jiff::Timestamp as Expiry;
use serde::Deserialize;

use crate::connection::{Established, MOST_BYTES, Target, read_file};
use crate::discovery::Known;
use crate::expiry;
use crate::kubeconfig::{self, Kubeconfig, Origin};
use crate::manifests::{self, Manifests};
use crate::rbac::read::KnownPolicy;
use crate::resource::keys;
use crate::watch::{Changes, Watches};

/// The Kubernetes clusters that tables read: contexts of a kubeconfig, the cluster that the program runs in, or an
/// embedder's clients.
///
/// Creating one reads and calls nothing. A context that cannot be used fails alone, when a scan reads it.
#[derive(Clone)]
pub struct Kubernetes(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    /// The machine with the kubeconfig.
    sys: Sys,
    /// The machine that the program runs on.
    own: Sys,
    /// The machine with the audit logs.
    logs: Sys,
    /// `None`: only an embedder's clients.
    settings: Option<Settings>,
    given: Vec<Arc<Cluster>>,
    /// Sets of manifests.
    manifests: Vec<Arc<Cluster>>,
    configured: Arc<Mutex<Configured>>,
    watches: Arc<Watches>,
}

/// Which clusters of the user's configuration are read, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Kubeconfig file. Default: the files in `$KUBECONFIG`, otherwise `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Contexts to read, by name. `"*"` means all of them, `"in-cluster"` the cluster that the program runs in.
    /// Default: the current context; without a kubeconfig, the cluster that the program runs in.
    pub contexts: Vec<String>,
    /// Namespaces to read if the user may not list a resource of all namespaces. Default: all that the user may list,
    /// or else those of the contexts.
    pub namespaces: Vec<String>,
    /// Files and directories of manifests. The tables over resources read each of them like a cluster.
    pub manifests: Vec<PathBuf>,
    /// Files of API servers' audit logs, rotated and packed ones included. `*` and `?` match within a name.
    pub audit_logs: Vec<PathBuf>,
    /// Whether queries may read the values of secrets.
    pub secret_values: bool,
    /// Where API servers read lists.
    pub reads: Reads,
    /// Whether queries read resources from memory that watches keep current. Default: after an engine with these
    /// clusters has begun to listen to events.
    pub watch: Option<bool>,
    /// Resources to watch from the start, with all of their content: `v1/pods`, `apps/v1/deployments`. They are watched
    /// while an engine listens to events.
    pub watch_resources: Vec<String>,
    /// Memory limit of all watched objects, in bytes.
    pub watch_memory: usize,
}

/// The current context, and 256 MiB for watched objects.
impl Default for Settings {
    fn default() -> Self {
        Settings {
            kubeconfig: None,
            contexts: Vec::new(),
            namespaces: Vec::new(),
            manifests: Vec::new(),
            audit_logs: Vec::new(),
            secret_values: false,
            reads: Reads::default(),
            watch: None,
            watch_resources: Vec::new(),
            watch_memory: 256 << 20,
        }
    }
}

/// Where an API server reads the objects of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reads {
    /// From etcd, or from its watch cache if that is as recent: servers from 1.31 on do so by themselves.
    #[default]
    Consistent,
    /// From its watch cache. That is cheaper for older servers, but objects can be older than the query.
    Cached,
}

/// Name of the cluster that the program runs in.
const IN_CLUSTER: &str = "in-cluster";
/// Start of the message if there is neither a kubeconfig nor a cluster around the program.
const NONE_CONFIGURED: &str = "no cluster is configured";
/// Stands for all contexts.
const ALL: &str = "*";

impl Environment for Kubernetes {
    const NAME: &'static str = "kubernetes";
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubernetes").field("settings", &self.0.settings).field("given", &self.0.given).finish()
    }
}

impl Kubernetes {
    /// The clusters that a machine's user has configured.
    pub fn new(sys: &Sys, settings: Settings) -> Self {
        // The host that is read does not affect which machine the program runs on.
        let own = if sys.is_live() { sys.clone() } else { Sys::live() };
        let watches = Watches::new(settings.watch, &settings.watch_resources, settings.watch_memory);
        Kubernetes::from_parts(sys.clone(), own, Some(settings), watches)
    }

    /// One cluster, with the caller's client. [`and_client`](Kubernetes::and_client) adds more.
    pub fn with_client(name: &str, client: kube::Client) -> Self {
        let watches = Watches::new(None, &[], Settings::default().watch_memory);
        Kubernetes::from_parts(Sys::live(), Sys::live(), None, watches).and_client(name, client)
    }

    /// Sets `watch`, `watch_resources` and `watch_memory` of [`Settings`], for clusters with the caller's clients.
    #[must_use]
    pub fn watching(self, settings: &Settings) -> Self {
        let watches = Watches::new(settings.watch, &settings.watch_resources, settings.watch_memory);
        Kubernetes(Arc::new(Inner { watches, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// The changes of all watched resources from now on. The resources are those that queries read, if watching is on,
    /// and `watch_resources`. The watches run in an engine: call its `start_events` after this. Objects that exist when
    /// the watch of a resource begins come first, as added.
    pub fn changes(&self) -> Changes {
        let own = self.0.own.clone();
        self.0.watches.changes(move || own.now())
    }

    /// The watches of these clusters.
    pub(crate) fn watches(&self) -> &Arc<Watches> {
        &self.0.watches
    }

    /// One of the clusters, without watches.
    pub(crate) fn only(&self, cluster: &Arc<Cluster>) -> Self {
        let given = vec![cluster.clone()];
        let env = Kubernetes::from_parts(self.0.sys.clone(), self.0.own.clone(), None, Watches::off());
        Kubernetes(Arc::new(Inner { given, ..Arc::unwrap_or_clone(env.0) }))
    }

    /// Turns watching on, and watches the configured resources.
    pub(crate) fn start_watching(&self, gate: &Arc<dyn Gate>) {
        let clusters: Vec<_> = self.all().0.into_iter().filter(|cluster| cluster.is_usable()).collect();
        self.0.watches.start(self, &clusters, gate);
    }

    /// Adds a cluster.
    #[must_use]
    pub fn and_client(self, name: &str, client: kube::Client) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.given.push(Arc::new(Cluster::new(name, name, Access::Client(client))));
        Kubernetes(Arc::new(inner))
    }

    /// Reads the audit logs of this machine instead of the one with the kubeconfig.
    #[must_use]
    pub fn with_logs_of(self, sys: &Sys) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.logs = sys.clone();
        Kubernetes(Arc::new(inner))
    }

    fn from_parts(sys: Sys, own: Sys, settings: Option<Settings>, watches: Arc<Watches>) -> Self {
        let paths = settings.as_ref().map(|settings| settings.manifests.as_slice()).unwrap_or_default();
        let set = |(name, set): (String, Manifests)| Arc::new(Cluster::new(&name, &name, Access::Manifests(set)));
        let manifests = manifests::sets(&sys, paths).into_iter().map(set).collect();
        Kubernetes(Arc::new(Inner {
            logs: sys.clone(),
            sys,
            own,
            settings,
            given: Vec::new(),
            manifests,
            configured: Arc::default(),
            watches,
        }))
    }

    /// The clusters that a scan reads: all, or those that its keys of the column `cluster` name. Entries that are
    /// misconfigured are included as clusters that fail, whatever the keys, because their names are unknown.
    ///
    /// If the query names a cluster that does not exist, the scan reports it, once.
    pub(crate) fn clusters(&self, scan: &AnyScan<Kubernetes>) -> Vec<Arc<Cluster>> {
        let (all, others) = self.all();
        selected(scan, all, &others)
    }

    /// The origins that a scan of a listed resource reads: clusters, and sets of manifests. If there are sets, no
    /// cluster needs to be configured.
    pub(crate) fn origins(&self, scan: &AnyScan<Kubernetes>) -> Vec<Arc<Cluster>> {
        let (all, others) = self.all_origins();
        selected(scan, all, &others)
    }

    fn all_origins(&self) -> (Vec<Arc<Cluster>>, Vec<String>) {
        let (mut all, others) = self.all();
        if !self.0.manifests.is_empty() {
            all.retain(|cluster| !cluster.is_unconfigured());
        }
        all.extend(self.0.manifests.iter().cloned());
        (all, others)
    }

    /// Whether an origin is a cluster, not a set of manifests.
    pub(crate) fn is_cluster(&self, name: &str) -> bool {
        !self.0.manifests.iter().any(|set| *set.name == *name)
    }

    /// Whether queries may read the values of secrets.
    pub(crate) fn has_secret_values(&self) -> bool {
        self.0.settings.as_ref().is_some_and(|settings| settings.secret_values)
    }

    /// Whether lists are read from the watch cache of API servers.
    pub(crate) fn reads_cache(&self) -> bool {
        self.0.settings.as_ref().is_some_and(|settings| settings.reads == Reads::Cached)
    }

    /// Namespaces to read if the user may not list a resource of all namespaces.
    pub(crate) fn namespaces(&self) -> &[String] {
        self.0.settings.as_ref().map_or(&[], |settings| &settings.namespaces)
    }

    /// The machine with the audit logs, for one scan.
    pub(crate) fn logs(&self, scan: &AnyScan<Kubernetes>) -> Sys {
        self.0.logs.for_scan(scan.meter())
    }

    /// Patterns of the audit logs' files.
    pub(crate) fn audit_logs(&self) -> &[PathBuf] {
        self.0.settings.as_ref().map_or(&[], |settings| &settings.audit_logs)
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.own.now()
    }

    /// A cluster by name.
    pub(crate) fn cluster(&self, name: &str) -> Option<Arc<Cluster>> {
        self.all().0.into_iter().chain(self.0.manifests.iter().cloned()).find(|cluster| *cluster.name == *name)
    }

    /// All origins that are read, and the one that a question without a cluster means: the only cluster, or else that
    /// of the current context. Without clusters it is the only set of manifests.
    pub(crate) fn origins_and_default(&self) -> (Vec<Arc<Cluster>>, Option<Arc<Cluster>>) {
        let all = self.all_origins().0;
        let (clusters, sets): (Vec<_>, Vec<_>) = all.iter().partition(|origin| origin.manifests().is_none());
        let meant = if clusters.is_empty() { sets } else { clusters };
        let default = match meant.as_slice() {
            [only] => Some(Arc::clone(only)),
            several => {
                let configured = self.0.configured.lock().unwrap_or_else(PoisonError::into_inner);
                let current = configured.current.as_deref();
                several.iter().find(|cluster| Some(&*cluster.name) == current).map(|cluster| Arc::clone(cluster))
            }
        };
        (all, default)
    }

    /// All clusters that are read, and the contexts that are not.
    fn all(&self) -> (Vec<Arc<Cluster>>, Vec<String>) {
        let mut all = self.0.given.clone();
        let Some(settings) = &self.0.settings else { return (all, Vec::new()) };
        let mut configured = self.0.configured.lock().unwrap_or_else(PoisonError::into_inner);
        configured.refresh(&self.0.sys, &self.0.own, settings);
        all.extend(configured.clusters.iter().cloned());
        (all, configured.others.clone())
    }
}

/// The origins among these that a scan reads.
fn selected(scan: &AnyScan<Kubernetes>, mut all: Vec<Arc<Cluster>>, others: &[String]) -> Vec<Arc<Cluster>> {
    let column = scan.spec().column("cluster");
    let Some((column, asked)) = column.and_then(|column| Some((column, keys(scan, column)?))) else { return all };
    scan.context().report_absent(scan.spec(), column, |name| {
        let known: Vec<&str> = all.iter().map(|cluster| &*cluster.name).collect();
        if known.contains(&name) {
            None
        } else if others.iter().any(|other| other == name) {
            let hint = "is in the kubeconfig, but is not one of the contexts that are read";
            Some(format!("context `{name}` {hint}; see the setting `contexts`"))
        } else if all.iter().any(|cluster| cluster.is_nameless()) {
            None
        } else {
            let known: Vec<&str> = known.into_iter().chain(others.iter().map(String::as_str)).collect();
            Some(format!("there is no context `{name}`; there are: {}", known.join(", ")))
        }
    });
    if !scan.context().is_open(scan.spec(), column) {
        all.retain(|cluster| cluster.is_nameless() || asked.iter().any(|name| **name == *cluster.name));
    }
    all
}

/// The configuration as last read. A new reading is compared with it, so unchanged clusters keep their clients.
#[derive(Default)]
struct Configured {
    files: Option<Vec<File>>,
    clusters: Vec<Arc<Cluster>>,
    /// Contexts that exist but are not selected.
    others: Vec<String>,
    /// The current context.
    current: Option<String>,
}

/// A kubeconfig file and its text.
type File = (Origin, Result<String>);

impl Configured {
    fn refresh(&mut self, sys: &Sys, own: &Sys, settings: &Settings) {
        let files: Vec<_> = paths(sys, settings)
            .into_iter()
            .filter_map(|path| match read(sys, &path) {
                Err(Error::Gone(_)) if settings.kubeconfig.is_some() => {
                    let absent = Error::Unsupported("this kubeconfig does not exist".to_owned());
                    Some((Origin { path, distrust: None }, Err(absent)))
                }
                // Like kubectl: a listed file that does not exist is not an error.
                Err(Error::Gone(_)) => None,
                Err(error) => Some((Origin { path, distrust: None }, Err(error))),
                Ok((distrust, text)) => Some((Origin { path, distrust }, Ok(text))),
            })
            .collect();
        if self.files.as_ref() == Some(&files) {
            return;
        }
        (self.clusters, self.others, self.current) = configure(sys, own, settings, &files);
        self.files = Some(files);
    }
}

/// The text of a kubeconfig file, and why the programs and credential files that it names must not be used.
fn read(sys: &Sys, path: &Path) -> Result<(Option<String>, String)> {
    let (text, writer) = sys.read_with_writer(path, MOST_BYTES)?;
    Ok((writer.map(|why| format!("the kubeconfig {} is not trusted: {why}", path.display())), text))
}

/// Path of the user's kubeconfig.
fn paths(sys: &Sys, settings: &Settings) -> Vec<PathBuf> {
    if let Some(path) = &settings.kubeconfig {
        return vec![path.clone()];
    }
    let listed = sys.variable("KUBECONFIG").unwrap_or_default();
    let listed: Vec<_> = listed.split(':').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    if listed.is_empty() { sys.home().map(|home| home.join(".kube/config")).into_iter().collect() } else { listed }
}

/// The selected clusters, the names of the other contexts, and the current context.
fn configure(
    sys: &Sys,
    own: &Sys,
    settings: &Settings,
    files: &[File],
) -> (Vec<Arc<Cluster>>, Vec<String>, Option<String>) {
    let mut clusters = Vec::new();
    let mut merged = Kubeconfig::default();
    for (origin, text) in files {
        let added = text.clone().and_then(|text| merged.add(origin.clone(), &text));
        if let Err(error) = added {
            clusters.push(Cluster::broken(&origin.path, error));
        }
    }

    let contexts: Vec<String> = merged.contexts.iter().map(|context| context.name.clone()).collect();
    let is_in_cluster = own.variable("KUBERNETES_SERVICE_HOST").is_some_and(|host| !host.is_empty());
    let mut wanted: Vec<String> = Vec::new();
    for name in &settings.contexts {
        let names = if name == ALL { contexts.clone() } else { vec![name.clone()] };
        wanted.extend(names.into_iter().filter(|name| !wanted.contains(name)).collect::<Vec<_>>());
    }
    if settings.contexts.is_empty() {
        wanted.extend(merged.current_context.clone());
        if wanted.is_empty() && clusters.is_empty() && contexts.is_empty() && is_in_cluster {
            wanted.push(IN_CLUSTER.to_owned());
        }
    }
    let all_are_wanted = settings.contexts.iter().any(|name| name == ALL);
    for (origin, why) in &merged.nameless {
        if all_are_wanted {
            clusters.push(Cluster::broken(&origin.path, Error::Malformed(why.clone())));
        } else {
            tracing::warn!(file = %origin.path.display(), why, "an entry of the kubeconfig is ignored");
        }
    }

    for name in &wanted {
        let (cluster_name, access) = match merged.contexts.iter().find(|context| context.name == *name) {
            Some(context) => match target(&merged, context, sys, own) {
                Ok((cluster_name, target)) => (cluster_name, Access::Context(Box::new(target))),
                Err(why) => (name.clone(), Access::Broken(Error::Malformed(why))),
            },
            None if name == IN_CLUSTER => (name.clone(), in_cluster(own).unwrap_or_else(Access::Broken)),
            None => {
                let why = match contexts.as_slice() {
                    [] => format!("no kubeconfig has a context `{name}`"),
                    contexts => format!("the kubeconfig has no context `{name}`; it has: {}", contexts.join(", ")),
                };
                (name.clone(), Access::Broken(Error::Malformed(why)))
            }
        };
        clusters.push(Cluster::new(name, &cluster_name, access));
    }
    if clusters.is_empty() {
        let message = if contexts.is_empty() {
            let what = if files.is_empty() { "there is no kubeconfig" } else { "the kubeconfig has no context" };
            format!("{NONE_CONFIGURED}: {what}, and the program does not run in a cluster")
        } else {
            let contexts = contexts.join(", ");
            format!("the kubeconfig has no current context; choose some with the setting `contexts`: {contexts}")
        };
        let path = files.first().map_or(Path::new("kubeconfig"), |(origin, _)| &origin.path);
        clusters.push(Cluster::broken(path, Error::Unsupported(message)));
    }
    let others = contexts.into_iter().filter(|name| !wanted.contains(name)).collect();
    (clusters.into_iter().map(Arc::new).collect(), others, merged.current_context)
}

/// How to reach a context's cluster, with the cluster's name; or what is wrong with it.
fn target(
    merged: &Kubeconfig,
    context: &kubeconfig::Entry<kubeconfig::Context>,
    sys: &Sys,
    own: &Sys,
) -> Result<(String, Target), String> {
    let (name, file) = (&context.name, context.origin.path.display());
    let value = context.value.as_ref().map_err(|why| format!("context `{name}`: {why}"))?;
    let cluster_name = value.cluster.clone().unwrap_or_default();
    let cluster =
        merged.clusters.iter().find(|cluster| cluster.name == cluster_name).ok_or_else(|| {
            match cluster_name.as_str() {
                "" => format!("{file}: the context `{name}` names no cluster"),
                absent => format!("{file}: the context `{name}` names the cluster `{absent}`, which does not exist"),
            }
        })?;
    let twice = |what: &str, name: &str, file: &Path| {
        format!(
            "{} has several entries for the {what} `{name}`: the first one is used; remove the others",
            file.display()
        )
    };
    let mut warnings = Vec::new();
    if context.has_rival {
        warnings.push(twice("context", name, &context.origin.path));
    }
    if cluster.has_rival {
        warnings.push(twice("cluster", &cluster_name, &cluster.origin.path));
    }
    let cluster = cluster.value.clone().map_err(|why| format!("cluster `{cluster_name}`: {why}"))?;
    let user_name = value.user.clone().unwrap_or_default();
    // Like kubectl: a user that does not exist means an anonymous request. The server may refuse it.
    let user = merged.users.iter().find(|user| user.name == user_name);
    if let Some(user) = user.filter(|user| user.has_rival) {
        warnings.push(twice("user", &user_name, &user.origin.path));
    }
    let distrust = user.and_then(|user| user.origin.distrust.clone());
    let user = user.map(|user| user.value.clone()).transpose().map_err(|why| format!("user `{user_name}`: {why}"))?;
    let absent_user = (user.is_none() && !user_name.is_empty()).then_some(user_name);
    let user = user.unwrap_or_default();
    let others = merged.contexts.iter().filter_map(|other| other.value.as_ref().ok());
    let same = others.filter(|other| (&other.cluster, &other.user) == (&value.cluster, &value.user));
    let namespaces = same.filter_map(|other| other.namespace.clone()).collect();
    let (files, own) = (sys.clone(), own.clone());
    Ok((cluster_name, Target { cluster, user, absent_user, namespaces, files, own, warnings, distrust }))
}

/// Where Kubernetes mounts a pod's own credentials.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The cluster that the program runs in. Its directory and variables are the program's own, whichever host is read.
fn in_cluster(own: &Sys) -> Result<Access> {
    let variable = |name: &str| {
        let value = own.variable(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| Error::Unsupported(format!("the program does not run in a cluster: {name} is not set")))
    };
    let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let file = |name: &str| Some(Path::new(SERVICE_ACCOUNT).join(name));
    let authority = kubeconfig::Material { file: file("ca.crt"), data: None };
    let server = Some(format!("https://{host}:{port}"));
    let namespace = file("namespace").and_then(|file| own.read_at_most(&file, MOST_BYTES).ok());
    let namespace = namespace.and_then(|text| String::from_utf8(text).ok()).map(|text| text.trim().to_owned());
    Ok(Access::Context(Box::new(Target {
        cluster: kubeconfig::Cluster { server, authority, ..kubeconfig::Cluster::default() },
        user: kubeconfig::User { token_file: file("token"), ..kubeconfig::User::default() },
        absent_user: None,
        namespaces: namespace.into_iter().collect(),
        files: own.clone(),
        own: own.clone(),
        warnings: Vec::new(),
        distrust: None,
    })))
}

/// One cluster.
pub(crate) struct Cluster {
    /// Name of the context; the tables' `cluster` column.
    pub(crate) name: Arc<str>,
    /// Name of the cluster in the kubeconfig.
    pub(crate) cluster_name: Arc<str>,
    access: Access,
    client: tokio::sync::Mutex<Option<Connected>>,
    /// Whether responses arrive slowly, so that compressing them pays.
    is_slow: AtomicBool,
    /// What its API server serves.
    pub(crate) known_api: Known,
    /// Its policy, as last made of watched roles and bindings.
    pub(crate) known_policy: KnownPolicy,
}

/// A response of at least this many bytes shows how fast a connection is.
const MEASURED_BYTES: usize = 128 << 10;
/// Bytes per second from which on compression does not pay: a server of version 1.20 compressed 55 MB of lists per
/// second, on a processor that others need.
const FAST: f64 = 10e6;

/// Whether a response arrived so slowly that compressing the next ones pays.
fn is_slow(bytes: usize, elapsed: Duration) -> bool {
    bytes as f64 / elapsed.as_secs_f64() < FAST
}

/// How to reach a cluster.
enum Access {
    Client(kube::Client),
    Context(Box<Target>),
    Broken(Error),
    /// Files in place of an API server.
    Manifests(Manifests),
}

/// A client, and the runtime of its background task: a client cannot outlive that runtime.
struct Connected {
    established: Established,
    runtime: tokio::runtime::Id,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Cluster {
    fn new(name: &str, cluster_name: &str, access: Access) -> Self {
        Cluster {
            name: name.into(),
            cluster_name: cluster_name.into(),
            access,
            client: tokio::sync::Mutex::default(),
            is_slow: AtomicBool::new(false),
            known_api: Known::default(),
            known_policy: KnownPolicy::default(),
        }
    }

    /// Placeholder for clusters that a kubeconfig might have named.
    fn broken(file: &Path, error: Error) -> Self {
        Cluster::new(&file.display().to_string(), "", Access::Broken(error))
    }

    fn is_usable(&self) -> bool {
        !matches!(self.access, Access::Broken(_))
    }

    /// Why it stands for clusters that are not known, if it does.
    pub(crate) fn broken_by(&self) -> Option<&Error> {
        match &self.access {
            Access::Broken(error) => Some(error),
            _ => None,
        }
    }

    /// The set of manifests that it is, if it is one.
    pub(crate) fn manifests(&self) -> Option<&Manifests> {
        match &self.access {
            Access::Manifests(set) => Some(set),
            _ => None,
        }
    }

    /// Namespaces that the kubeconfig names for its user.
    pub(crate) fn namespaces(&self) -> &[String] {
        match &self.access {
            Access::Context(target) => &target.namespaces,
            Access::Client(_) | Access::Broken(_) | Access::Manifests(_) => &[],
        }
    }

    /// Whether it only reports that no cluster is configured.
    fn is_unconfigured(&self) -> bool {
        matches!(&self.access, Access::Broken(Error::Unsupported(why)) if why.starts_with(NONE_CONFIGURED))
    }

    fn is_nameless(&self) -> bool {
        self.cluster_name.is_empty()
    }

    /// The value that all rows of the cluster have in a column.
    pub(crate) fn known(&self, column: &str) -> Option<String> {
        match column {
            _ if self.is_nameless() => None,
            "cluster" => Some(self.name.to_string()),
            "cluster_name" => Some(self.cluster_name.to_string()),
            _ => None,
        }
    }

    /// Prefix of the label of a scan's slice.
    pub(crate) fn label(&self) -> String {
        if self.is_nameless() { format!("{}: ", self.name) } else { format!("cluster={} ", self.name) }
    }

    /// The cluster's client, created on first use.
    pub(crate) async fn client(&self, scan: &AnyScan<Kubernetes>) -> Result<kube::Client> {
        let target = match &self.access {
            Access::Client(client) => return Ok(client.clone()),
            Access::Broken(error) => return Err(error.clone()),
            Access::Manifests(_) => {
                return Err(Error::Unsupported(format!("{} are files, without an API server", self.name)));
            }
            Access::Context(target) => target,
        };
        // Shared within the query, so a credentials plug-in that fails or hangs does so once per query.
        let key = format!("kubernetes client {}", self.name);
        let client = async {
            let established = self.established(target, scan.context().gate.as_ref(), scan.env().now()).await?;
            for warning in established.warnings {
                scan.report(self.label().trim_end(), &Error::Unsupported(warning));
            }
            // It is a handle of connections, not data.
            Ok((established.client, size_of::<kube::Client>()))
        };
        Ok(kube::Client::clone(&*scan.cached(&key, client).await?))
    }

    async fn established(&self, target: &Target, gate: &dyn Gate, now: Timestamp) -> Result<Established> {
        let mut slot = self.client.lock().await;
        let runtime = tokio::runtime::Handle::current().id();
        if let Some(Connected { established, .. }) = slot.as_ref().filter(|connected| {
            let until = connected.established.until;
            connected.runtime == runtime && until.is_none_or(|until| until.as_second() > now.seconds())
        }) {
            return Ok(established.clone());
        }
        *slot = None;
        let limit = gate.call_timeout();
        let established = match select(Box::pin(target.connect()), gate.sleep(limit)).await {
            Either::Left((established, _)) => established.map_err(|error| in_context(&self.name, error))?,
            Either::Right(_) => return Err(Error::TimedOut { what: "credentials".to_owned(), limit }),
        };
        *slot = Some(Connected { established: established.clone(), runtime });
        Ok(established)
    }

    /// Why credentials were refused: they have expired, if they contain their expiry, otherwise they may have.
    pub(crate) fn explain_refusal(&self, refusal: String) -> String {
        let Access::Context(target) = &self.access else { return refusal };
        if let Some(user) = &target.absent_user {
            return format!("{refusal}: the kubeconfig has no user `{user}`, so the request was anonymous");
        }
        let now = target.own.now().seconds();
        let expired = expiries(target).into_iter().find(|(_, expiry)| expiry.as_second() <= now);
        match expired {
            Some((what, expiry)) => format!("{refusal}: the {what} expired at {expiry}; sign in again, or renew it"),
            None => format!("{refusal}: they may be wrong or expired"),
        }
    }

    /// Whether compressed responses should be requested.
    pub(crate) fn is_slow(&self) -> bool {
        self.is_slow.load(Ordering::Relaxed)
    }

    /// Learns from the arrival of a response how fast the connection is.
    pub(crate) fn measure(&self, bytes: usize, elapsed: Duration) {
        let may_compress = match &self.access {
            Access::Context(target) => target.may_compress(),
            Access::Client(_) | Access::Broken(_) | Access::Manifests(_) => true,
        };
        if bytes >= MEASURED_BYTES && may_compress && is_slow(bytes, elapsed) {
            self.is_slow.store(true, Ordering::Relaxed);
        }
    }

    /// Drops the client, so that the next query fetches new credentials.
    pub(crate) async fn forget(&self) {
        *self.client.lock().await = None;
    }
}

/// When the credentials in the kubeconfig, or in files that it names, expire.
fn expiries(target: &Target) -> Vec<(&'static str, Expiry)> {
    let Target { user, files, .. } = target;
    let in_file = |path: &Option<PathBuf>| read_file(files, path.as_ref()?, "").ok();
    let certificate = user.certificate.data.clone().or_else(|| in_file(&user.certificate.file));
    let certificate = certificate.and_then(|pem| expiry::of_certificate(&pem));
    let token = in_file(&user.token_file).map(|token| String::from_utf8_lossy(&token).into_owned());
    let token = token.or_else(|| user.token.clone()).and_then(|token| expiry::of_token(token.trim()));
    let certificate = certificate.map(|expiry| ("client certificate", expiry));
    certificate.into_iter().chain(token.map(|expiry| ("token", expiry))).collect()
}

/// An error in a context of the kubeconfig, with the context's name.
fn in_context(name: &str, error: Error) -> Error {
    match error {
        Error::Malformed(why) => Error::Malformed(format!("context `{name}`: {why}")),
        Error::Unsupported(why) => Error::Unsupported(format!("context `{name}`: {why}")),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"
apiVersion: v1
kind: Config
current-context: one
clusters: [{name: big, cluster: {server: "http://127.0.0.1:1", certificate-authority: pki/ca.crt}}]
users: [{name: me, user: {tokenFile: /abs/token}}]
contexts: [{name: one, context: {cluster: big, user: me}}, {name: two, context: {cluster: big, user: me}}]
"#;

    fn tell(cluster: &Arc<Cluster>) -> String {
        match &cluster.access {
            Access::Manifests(set) => format!("{}: {}", cluster.name, set.path().display()),
            Access::Client(_) => format!("{}: client", cluster.name),
            Access::Context(_) => format!("{}: context of {}", cluster.name, cluster.cluster_name),
            Access::Broken(error) => format!("{}: {error}", cluster.name),
        }
    }

    /// The clusters that a machine with these files in `/k` is configured for, as `name: how`, and the other contexts.
    /// The program runs on a machine with the same variables.
    fn configured(
        files: &[(&str, &str)],
        settings: Settings,
        variables: &[(&str, &str)],
    ) -> (Vec<String>, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        let sys = Sys::at(root.path());
        std::fs::create_dir(root.path().join("k")).unwrap();
        std::os::unix::fs::symlink("/k/absent", root.path().join("k/dangling")).unwrap();
        for (name, text) in files {
            std::fs::write(root.path().join("k").join(name), text).unwrap();
        }
        let sys = sys.with_variables(variables.iter().copied());
        let mut configured = Configured::default();
        configured.refresh(&sys, &sys, &settings);
        (configured.clusters.iter().map(tell).collect(), configured.others)
    }

    fn contexts(names: &[&str]) -> Settings {
        Settings { contexts: names.iter().map(|name| (*name).to_owned()).collect(), ..Settings::default() }
    }

    #[test]
    fn the_configured_contexts_are_read() {
        let from = [("KUBECONFIG", "/k/a")];
        let (clusters, others) = configured(&[("a", TWO)], Settings::default(), &from);
        assert_eq!((clusters, others), (vec!["one: context of big".to_owned()], vec!["two".to_owned()]));
        let (clusters, _) = configured(&[("a", TWO)], contexts(&["*", "one"]), &from);
        assert_eq!(clusters, ["one: context of big", "two: context of big"]);
        let (clusters, _) = configured(&[("a", TWO)], contexts(&["two", "three"]), &from);
        assert_eq!(clusters, ["two: context of big", "three: the kubeconfig has no context `three`; it has: one, two"]);
    }

    #[test]
    fn a_broken_file_hides_no_other() {
        let from = [("KUBECONFIG", "/k/a:/k/absent::/k/dangling:/k/b")];
        let (clusters, _) = configured(&[("a", "contexts: [{name"), ("b", TWO)], Settings::default(), &from);
        assert!(clusters[0].starts_with("/k/a: not a kubeconfig: "), "{clusters:?}");
        assert_eq!(clusters[1..], ["one: context of big"]);
        for garbage in ["\u{0}\u{1}", "[1, 2]", "contexts: 7"] {
            let (clusters, _) = configured(&[("a", garbage)], Settings::default(), &from);
            assert!(clusters[0].starts_with("/k/a: not a kubeconfig: "), "{clusters:?}");
        }
    }

    #[test]
    fn a_bad_context_hides_no_other() {
        let from = [("KUBECONFIG", "/k/a")];
        let bad = ", {name: a}, {name: b, context: {user: me}}, {name: c, context: {cluster: absent}},
            {name: d, context: {cluster: [7]}}, {name: e, context: {cluster: big, user: absent}}, {context: {cluster: big}}, 8]";
        let text = format!("{}{bad}", TWO.trim_end().trim_end_matches(']'));
        let (clusters, others) = configured(&[("a", &text)], Settings::default(), &from);
        assert_eq!(clusters, ["one: context of big"]);
        assert_eq!(others, ["two", "a", "b", "c", "d", "e"]);
        let (clusters, _) = configured(&[("a", &text)], contexts(&["*"]), &from);
        assert_eq!(
            clusters,
            [
                "/k/a: contexts[7] has no name",
                "/k/a: contexts[8]: it is a number, not a mapping",
                "one: context of big",
                "two: context of big",
                "a: /k/a: the context `a` names no cluster",
                "b: /k/a: the context `b` names no cluster",
                "c: /k/a: the context `c` names the cluster `absent`, which does not exist",
                "d: context `d`: /k/a: `cluster` is a list, not a text",
                "e: context of big",
            ]
        );
    }

    #[test]
    fn no_configuration_says_so() {
        let none = "no cluster is configured: there is no kubeconfig, and the program does not run in a cluster";
        let (clusters, _) = configured(&[], Settings::default(), &[("HOME", "/home/me")]);
        assert_eq!(clusters, [format!("kubeconfig: {none}")]);
        let in_cluster = [("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("KUBERNETES_SERVICE_PORT", "443")];
        let (clusters, _) = configured(&[], Settings::default(), &in_cluster);
        assert_eq!(clusters, ["in-cluster: context of in-cluster"]);
        let (clusters, _) = configured(&[], contexts(&["in-cluster"]), &in_cluster[..1]);
        let absent = "the program does not run in a cluster: KUBERNETES_SERVICE_PORT is not set";
        assert_eq!(clusters, [format!("in-cluster: {absent}")]);
        let (clusters, _) = configured(&[("a", "{}")], Settings::default(), &[("KUBECONFIG", "/k/a")]);
        assert_eq!(
            clusters,
            [format!("/k/a: {}", none.replace("there is no kubeconfig", "the kubeconfig has no context"))]
        );
        let settings = Settings { kubeconfig: Some("/k/absent".into()), ..Settings::default() };
        let (clusters, _) = configured(&[], settings, &in_cluster);
        assert_eq!(clusters, ["/k/absent: this kubeconfig does not exist"]);
        let (clusters, _) = configured(
            &[("a", &TWO.replace("current-context: one", ""))],
            Settings::default(),
            &[("KUBECONFIG", "/k/a")],
        );
        let hint = "the kubeconfig has no current context; choose some with the setting `contexts`: one, two";
        assert_eq!(clusters, [format!("/k/a: {hint}")]);
    }

    #[test]
    fn the_programs_own_cluster_is_found_whatever_host_is_read() {
        let (host, pod) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let variables = [("KUBERNETES_SERVICE_HOST", "fd00::1"), ("KUBERNETES_SERVICE_PORT", "6443")];
        let own = Sys::at(pod.path()).with_variables(variables);
        for (root, token) in [(host.path(), "the host's"), (pod.path(), "the pod's")] {
            std::fs::create_dir_all(root.join(&SERVICE_ACCOUNT[1..])).unwrap();
            std::fs::write(root.join(&SERVICE_ACCOUNT[1..]).join("token"), token).unwrap();
        }
        let mut configured = Configured::default();
        configured.refresh(&Sys::at(host.path()), &own, &Settings::default());
        let Access::Context(target) = &configured.clusters[0].access else { panic!("{:?}", configured.clusters) };
        assert_eq!(target.cluster.server.as_deref(), Some("https://[fd00::1]:6443"));
        let token = read_file(&target.files, target.user.token_file.as_ref().unwrap(), "token");
        assert_eq!(token, Ok(b"the pod's".to_vec()));
    }

    #[test]
    fn what_did_not_change_keeps_its_clients() {
        let root = tempfile::tempdir().unwrap();
        let sys = Sys::at(root.path()).with_variables([("KUBECONFIG", "/a")]);
        std::fs::write(root.path().join("a"), TWO).unwrap();
        let mut configured = Configured::default();
        configured.refresh(&sys, &sys, &Settings::default());
        let first = configured.clusters[0].clone();
        configured.refresh(&sys, &sys, &Settings::default());
        assert!(Arc::ptr_eq(&first, &configured.clusters[0]));
        std::fs::write(root.path().join("a"), TWO.replace("current-context: one", "current-context: two")).unwrap();
        configured.refresh(&sys, &sys, &Settings::default());
        assert_eq!(&*configured.clusters[0].name, "two");
    }

    /// Why the plug-in of a kubeconfig at that path is not run.
    fn refusal(sys: &Sys, path: &Path) -> Option<String> {
        let mut configured = Configured::default();
        let settings =
            Settings { kubeconfig: Some(path.to_owned()), contexts: vec!["c".to_owned()], ..Settings::default() };
        configured.refresh(sys, &Sys::live(), &settings);
        let Access::Context(target) = &configured.clusters[0].access else {
            panic!("{:?}", tell(&configured.clusters[0]))
        };
        target.distrust.clone()
    }

    #[test]
    fn plug_ins_are_run_only_from_a_kubeconfig_of_ones_own() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, EXEC.replace("COMMAND", "ls").replace("ARGUMENTS", "[]")).unwrap();
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        for good in [0o600, 0o644, 0o400] {
            mode(good);
            assert_eq!(refusal(&Sys::live(), &path), None, "{good:o}");
        }
        let told = |why: Option<String>, what: &str| {
            let why = why.unwrap_or_default();
            let expected = format!("the kubeconfig {} is not trusted: {what}", path.display());
            assert!(why.starts_with(&expected), "{why}");
        };
        mode(0o664);
        told(refusal(&Sys::live(), &path), &format!("other users can write {} (mode 0664)", path.display()));
        mode(0o600);
        let of_folder = |mode| std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        of_folder(0o777);
        told(refusal(&Sys::live(), &path), "other users can write its directory ");
        of_folder(0o700);
        let why = refusal(&Sys::at(folder.path()), Path::new("/config")).unwrap();
        assert!(why.starts_with("the kubeconfig /config is not trusted: /config is under "), "{why}");
    }

    #[tokio::test]
    async fn files_are_sent_only_where_nobody_else_could_name_them() {
        let mut kubeconfig = Kubeconfig::default();
        let origin = Origin { path: "/c".into(), distrust: Some("others can write it".to_owned()) };
        kubeconfig.add(origin, &TWO.replace("http:", "https:")).unwrap();
        let (_, target) = target(&kubeconfig, &kubeconfig.contexts[0], &Sys::live(), &Sys::live()).unwrap();
        let error = target.connect().await.err().unwrap().to_string();
        assert_eq!(error, "`tokenFile` /abs/token is not read: others can write it");
    }

    const EXEC: &str = "{contexts: [{name: c, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: 'SERVER'}}],
        users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: COMMAND, args: ARGUMENTS, provideClusterInfo: true}}}]}";

    /// The connection of a user with a plug-in.
    async fn connected(server: &str, command: &str, arguments: &str) -> Result<Established> {
        let text = EXEC.replace("SERVER", server).replace("COMMAND", command).replace("ARGUMENTS", arguments);
        let mut kubeconfig = Kubeconfig::default();
        kubeconfig.add(Origin { path: "/c".into(), distrust: None }, &text).unwrap();
        let (_, target) = target(&kubeconfig, &kubeconfig.contexts[0], &Sys::live(), &Sys::live()).unwrap();
        target.connect().await
    }

    #[tokio::test]
    async fn a_plug_in_that_fails_says_why() {
        let shell = |script: &str| ("sh", format!("[-c, '{script}']"));
        let cases = [
            (shell("echo token has expired >&2; exit 3"), "`sh`: failed (exit status: 3): token has expired"),
            (("/absent/plug-in", "[]".to_owned()), "`/absent/plug-in`: cannot be run: /absent/plug-in does not exist"),
            (("absent-plug-in", "[]".to_owned()), "`absent-plug-in` is in no directory of PATH; install it"),
            (("echo", "[garbage]".to_owned()), "`echo`: printed no ExecCredential with a `status`"),
            (("echo", "['{status: {}}']".to_owned()), "`echo`: printed neither a token nor a certificate"),
            (("echo", "['{status: {clientKeyData: x}}']".to_owned()), "`echo`: printed only one of"),
            (
                ("echo", "['{status: {token: x, expirationTimestamp: soon}}']".to_owned()),
                "`echo`: printed the expirationTimestamp `soon`",
            ),
            (shell("exec cat /dev/zero"), "`sh` prints more than 1 MiB"),
        ];
        for ((command, arguments), expected) in cases {
            let error = connected("https://127.0.0.1:1", command, &arguments).await.err().unwrap().to_string();
            assert!(error.starts_with(&format!("credentials plug-in {expected}")), "{error}");
        }
    }

    #[tokio::test]
    async fn a_plug_in_that_is_given_up_ends_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let held = folder.path().join("held");
        // The read end reports end of file when no process holds the other end any more.
        rustix::fs::mknodat(rustix::fs::CWD, &held, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let script = format!("[-c, 'sleep 1000 > {0} & echo up > {0}; wait']", held.display());
        let connecting = tokio::spawn(async move { connected("https://127.0.0.1:1", "sh", &script).await.err() });
        let reading = tokio::task::spawn_blocking(move || {
            let mut file = std::fs::File::open(&held).unwrap();
            let mut first = [0; 3];
            std::io::Read::read_exact(&mut file, &mut first).unwrap();
            (file, first)
        });
        let (mut file, first) = reading.await.unwrap();
        assert_eq!(&first, b"up\n");
        connecting.abort();
        let rest = tokio::task::spawn_blocking(move || std::io::Read::read_to_end(&mut file, &mut Vec::new()).unwrap());
        assert_eq!(rest.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn no_plug_in_runs_for_a_server_without_tls() {
        let folder = tempfile::tempdir().unwrap();
        let ran = folder.path().join("ran");
        for server in ["http://127.0.0.1:1", "127.0.0.1:1", "HTTP://127.0.0.1:1"] {
            let established = connected(server, "touch", &format!("['{}']", ran.display())).await.unwrap();
            assert!(established.warnings[0].contains("are not sent and no plug-in is run"), "{server}");
            assert!(!ran.exists(), "{server}");
        }
    }
}
