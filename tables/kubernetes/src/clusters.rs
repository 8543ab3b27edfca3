//! [`Kubernetes`]: the clusters that the tables read, and how each is reached.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use indago_table::scan::Column;
use indago_table::{Environment, Error, Gate, Result, Scan, Sys, Timestamp, row::Row};
use k8s_openapi::jiff::Timestamp as Expiry;
use kube::client::AuthError;
use kube::config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig};
use serde::Deserialize;

use crate::expiry;

/// The Kubernetes clusters that tables read: contexts of a kubeconfig, the cluster that the program runs in, or clients
/// that an embedder hands in.
///
/// Making one reads and calls nothing. A context that cannot be used fails alone, when a scan comes to it.
#[derive(Clone)]
pub struct Kubernetes(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    sys: Sys,
    /// `None`: only clusters that were handed in.
    settings: Option<Settings>,
    given: Vec<Arc<Cluster>>,
    configured: Arc<Mutex<Configured>>,
}

/// Which clusters of the user's configuration are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Kubeconfig file; default: the files in `$KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Contexts to read, by name; `"*"` is all of them, `"in-cluster"` the cluster that the program runs in. Default:
    /// the current context; without a kubeconfig, the cluster that the program runs in.
    pub contexts: Vec<String>,
}

/// Name of the cluster that the program runs in.
const IN_CLUSTER: &str = "in-cluster";
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
        Kubernetes::from_parts(sys.clone(), Some(settings))
    }

    /// One cluster, through a client of the caller's; [`and_client`](Kubernetes::and_client) adds more.
    pub fn with_client(name: &str, client: kube::Client) -> Self {
        Kubernetes::from_parts(Sys::live(), None).and_client(name, client)
    }

    /// The same clusters and one more.
    #[must_use]
    pub fn and_client(self, name: &str, client: kube::Client) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.given.push(Arc::new(Cluster::new(name, name, Access::Client(client))));
        Kubernetes(Arc::new(inner))
    }

    fn from_parts(sys: Sys, settings: Option<Settings>) -> Self {
        Kubernetes(Arc::new(Inner { sys, settings, given: Vec::new(), configured: Arc::default() }))
    }

    /// The clusters a scan reads: all, or those that its keys name. What could not be configured is among them, as a
    /// cluster that fails, whatever the names: nobody knows what it would have been called.
    ///
    /// A cluster that the query names and that is not there is said, once.
    pub(crate) fn clusters<T: Row<Env = Kubernetes>>(
        &self,
        scan: &Scan<T>,
        column: Column<T, String, true, false, false>,
    ) -> Vec<Arc<Cluster>> {
        let (mut all, others) = self.all();
        if let Some(named) = scan.named_keys(column) {
            let known: Vec<&str> = all.iter().map(|cluster| &*cluster.name).collect();
            for name in named.iter().filter(|name| !known.contains(&name.as_str())) {
                let message = if others.contains(name) {
                    let hint = "is in the kubeconfig, but not among the contexts that are read";
                    format!("context `{name}` {hint}; see the setting `contexts`")
                } else if all.iter().any(|cluster| cluster.is_nameless()) {
                    continue;
                } else {
                    let known: Vec<&str> = known.iter().copied().chain(others.iter().map(String::as_str)).collect();
                    format!("there is no context `{name}`; there are: {}", known.join(", "))
                };
                scan.report(format!("cluster={name}"), &Error::Unsupported(message));
            }
        }
        if !scan.context().is_open(T::SPEC, column.position()) {
            all.retain(|cluster| cluster.is_nameless() || scan.admits(column, &cluster.name.to_string()));
        }
        all
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.sys.now()
    }

    /// A cluster by name.
    pub(crate) fn cluster(&self, name: &str) -> Option<Arc<Cluster>> {
        self.all().0.into_iter().find(|cluster| *cluster.name == *name)
    }

    /// All clusters that are read, and the contexts that are not.
    fn all(&self) -> (Vec<Arc<Cluster>>, Vec<String>) {
        let mut all = self.0.given.clone();
        let Some(settings) = &self.0.settings else { return (all, Vec::new()) };
        let mut configured = self.0.configured.lock().unwrap_or_else(PoisonError::into_inner);
        configured.refresh(&self.0.sys, settings);
        all.extend(configured.clusters.iter().cloned());
        (all, configured.others.clone())
    }
}

/// The user's configuration as it was last read; read again, it is compared, so that clients live on.
#[derive(Default)]
struct Configured {
    files: Option<Vec<(PathBuf, Result<String>)>>,
    clusters: Vec<Arc<Cluster>>,
    /// Contexts that are there and not asked for.
    others: Vec<String>,
}

impl Configured {
    fn refresh(&mut self, sys: &Sys, settings: &Settings) {
        let files: Vec<_> = paths(sys, settings)
            .into_iter()
            .map(|path| {
                let text = sys.read_text(&path);
                (path, text)
            })
            // As kubectl does: a file that is listed and not there is no error.
            .filter(|(_, text)| settings.kubeconfig.is_some() || !matches!(text, Err(Error::Gone(_))))
            .collect();
        if self.files.as_ref() == Some(&files) {
            return;
        }
        (self.clusters, self.others) = configure(sys, settings, &files);
        self.files = Some(files);
    }
}

/// Where the user's kubeconfig is.
fn paths(sys: &Sys, settings: &Settings) -> Vec<PathBuf> {
    if let Some(path) = &settings.kubeconfig {
        return vec![path.clone()];
    }
    let listed = sys.variable("KUBECONFIG").unwrap_or_default();
    let listed: Vec<_> = listed.split(':').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    if listed.is_empty() { sys.home().map(|home| home.join(".kube/config")).into_iter().collect() } else { listed }
}

/// The clusters that are asked for, and the names of the other contexts.
fn configure(sys: &Sys, settings: &Settings, files: &[(PathBuf, Result<String>)]) -> (Vec<Arc<Cluster>>, Vec<String>) {
    let mut clusters = Vec::new();
    let mut merged = Kubeconfig::default();
    for (path, text) in files {
        let outcome = text.clone().and_then(|text| {
            let parsed = Kubeconfig::from_yaml(&text).and_then(|mut parsed| {
                settle_paths(sys, path, &mut parsed);
                merged.clone().merge(parsed)
            });
            parsed.map_err(|error| Error::Malformed(format!("not a kubeconfig: {error}")))
        });
        match outcome {
            Ok(with_this) => merged = with_this,
            Err(Error::Gone(_)) => {
                clusters.push(Cluster::broken(path, Error::Unsupported("there is no such kubeconfig".to_owned())));
            }
            Err(error) => clusters.push(Cluster::broken(path, error)),
        }
    }

    let contexts: Vec<String> = merged.contexts.iter().map(|context| context.name.clone()).collect();
    let is_in_cluster = sys.variable("KUBERNETES_SERVICE_HOST").is_some();
    let mut wanted: Vec<String> = Vec::new();
    for name in &settings.contexts {
        let names = if name == ALL { contexts.clone() } else { vec![name.clone()] };
        wanted.extend(names.into_iter().filter(|name| !wanted.contains(name)).collect::<Vec<_>>());
    }
    if settings.contexts.is_empty() {
        let current = merged.current_context.iter().filter(|name| !name.is_empty()).cloned();
        wanted.extend(current);
        if wanted.is_empty() && clusters.is_empty() && contexts.is_empty() && is_in_cluster {
            wanted.push(IN_CLUSTER.to_owned());
        }
    }

    let merged = Arc::new(merged);
    for name in &wanted {
        let context = merged.contexts.iter().find(|context| context.name == *name);
        let cluster_name = context.and_then(|context| context.context.as_ref()).map(|context| context.cluster.as_str());
        let access = match cluster_name {
            Some(_) => Access::Context(merged.clone()),
            None if name == IN_CLUSTER => Access::InCluster,
            None => Access::Broken(Error::Malformed(match contexts.as_slice() {
                [] => format!("no kubeconfig has a context `{name}`"),
                contexts => format!("the kubeconfig has no context `{name}`; it has: {}", contexts.join(", ")),
            })),
        };
        clusters.push(Cluster::new(name, cluster_name.unwrap_or(name), access));
    }
    if clusters.is_empty() {
        let message = if contexts.is_empty() {
            "no cluster is configured: there is no kubeconfig, and the program does not run in a cluster".to_owned()
        } else {
            let contexts = contexts.join(", ");
            format!("the kubeconfig has no current context; choose some with the setting `contexts`: {contexts}")
        };
        let path = files.first().map_or(Path::new("kubeconfig"), |(path, _)| path);
        clusters.push(Cluster::broken(path, Error::Unsupported(message)));
    }
    let others = contexts.into_iter().filter(|name| !wanted.contains(name)).collect();
    (clusters.into_iter().map(Arc::new).collect(), others)
}

/// Makes the paths in a kubeconfig, which are relative to its folder, paths of this process.
fn settle_paths(sys: &Sys, file: &Path, config: &mut Kubeconfig) {
    let folder = file.parent().unwrap_or(Path::new(""));
    let settle = |path: &mut Option<String>| {
        if let Some(path) = path {
            *path = sys.path(folder.join(&*path)).to_string_lossy().into_owned();
        }
    };
    for cluster in config.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        settle(&mut cluster.certificate_authority);
    }
    for user in config.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        settle(&mut user.client_certificate);
        settle(&mut user.client_key);
        settle(&mut user.token_file);
        if let Some(exec) = &mut user.exec {
            // Scans run in the background, several at once: a plug-in must not take the terminal from the shell.
            if exec.interactive_mode != Some(ExecInteractiveMode::Always) {
                exec.interactive_mode = Some(ExecInteractiveMode::Never);
            }
            if exec.command.as_ref().is_some_and(|command| command.contains('/')) {
                settle(&mut exec.command);
            }
        }
    }
}

/// One cluster.
pub(crate) struct Cluster {
    /// Name of the context; what the tables' `cluster` column says.
    pub(crate) name: Arc<str>,
    /// Name of the cluster in the kubeconfig.
    pub(crate) cluster_name: Arc<str>,
    access: Access,
    client: tokio::sync::Mutex<Option<Connected>>,
}

/// How a cluster is reached.
enum Access {
    Client(kube::Client),
    Context(Arc<Kubeconfig>),
    InCluster,
    Broken(Error),
}

/// A client, and the runtime that its background task lives on: a client does not outlive it.
struct Connected {
    client: kube::Client,
    runtime: tokio::runtime::Id,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How long one attempt to open a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Cluster {
    fn new(name: &str, cluster_name: &str, access: Access) -> Self {
        Cluster { name: name.into(), cluster_name: cluster_name.into(), access, client: tokio::sync::Mutex::default() }
    }

    /// What stands in for clusters that a kubeconfig might have named.
    fn broken(file: &Path, error: Error) -> Self {
        Cluster::new(&file.display().to_string(), "", Access::Broken(error))
    }

    fn is_nameless(&self) -> bool {
        self.cluster_name.is_empty()
    }

    /// What all rows of the cluster have in a column.
    pub(crate) fn known(&self, column: &str) -> Option<String> {
        match column {
            _ if self.is_nameless() => None,
            "cluster" => Some(self.name.to_string()),
            "cluster_name" => Some(self.cluster_name.to_string()),
            _ => None,
        }
    }

    /// What the label of a scan's part begins with.
    pub(crate) fn label(&self) -> String {
        if self.is_nameless() { format!("{}: ", self.name) } else { format!("cluster={} ", self.name) }
    }

    /// The cluster's client, made when it is first asked for.
    pub(crate) async fn client<T: Row<Env = Kubernetes>>(&self, scan: &Scan<T>) -> Result<kube::Client> {
        match &self.access {
            Access::Client(client) => return Ok(client.clone()),
            Access::Broken(error) => return Err(error.clone()),
            Access::Context(_) | Access::InCluster => {}
        }
        // Through the query's shared readings, so that a credentials plug-in which fails or hangs does so once a query.
        let key = format!("kubernetes client {}", self.name);
        let now = scan.env().now();
        let client = scan.shared(&key, self.connected(scan.context().gate.as_ref(), now)).await?;
        Ok(kube::Client::clone(&client))
    }

    async fn connected(&self, gate: &dyn Gate, now: Timestamp) -> Result<kube::Client> {
        let mut slot = self.client.lock().await;
        let runtime = tokio::runtime::Handle::current().id();
        if let Some(connected) = slot.as_ref()
            && connected.runtime == runtime
            && connected.client.valid_until().as_ref().is_none_or(|until| until.as_second() > now.seconds())
        {
            return Ok(connected.client.clone());
        }
        *slot = None;
        let limit = gate.call_timeout();
        let client = match select(Box::pin(self.connect()), gate.sleep(limit)).await {
            Either::Left((client, _)) => client?,
            Either::Right(_) => return Err(Error::TimedOut { what: "credentials".to_owned(), limit }),
        };
        *slot = Some(Connected { client: client.clone(), runtime });
        Ok(client)
    }

    async fn connect(&self) -> Result<kube::Client> {
        let mut config = match &self.access {
            Access::Context(kubeconfig) => {
                let options =
                    KubeConfigOptions { context: Some(self.name.to_string()), ..KubeConfigOptions::default() };
                let config = kube::Config::from_custom_kubeconfig(Kubeconfig::clone(kubeconfig), &options).await;
                config.map_err(|error| Error::Malformed(format!("context `{}`: {error}", self.name)))?
            }
            _ => kube::Config::incluster().map_err(|error| Error::Malformed(error.to_string()))?,
        };
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        if config.cluster_url.scheme() == Some(&http::uri::Scheme::HTTP) {
            // No certificate is ever looked at: without this, the machine's 150 authorities would be read.
            config.root_cert.get_or_insert_default();
        }
        // On a thread of its own: this runs the credentials plug-in and waits for it.
        let client = tokio::task::spawn_blocking(move || kube::Client::try_from(config)).await;
        let client = client.map_err(|error| Error::Io { what: "client".to_owned(), message: error.to_string() })?;
        client.map_err(|error| match error {
            kube::Error::Auth(error) => credentials_error(&error),
            other => Error::Malformed(format!("context `{}`: {other}", self.name)),
        })
    }

    /// Why credentials were refused: that they have expired, if they say so themselves, else that they may have.
    pub(crate) fn explain_refusal(&self, refusal: String) -> String {
        let now = Sys::live().now().seconds();
        let expired = self.expiries().into_iter().find(|(_, expiry)| expiry.as_second() <= now);
        match expired {
            Some((what, expiry)) => format!("{refusal}: the {what} expired at {expiry}; sign in again, or renew it"),
            None => format!("{refusal}: they may be wrong, or have expired"),
        }
    }

    /// When the credentials that stand in the kubeconfig, or in files that it names, expire.
    fn expiries(&self) -> Vec<(&'static str, Expiry)> {
        let Access::Context(kubeconfig) = &self.access else { return Vec::new() };
        let context = kubeconfig.contexts.iter().find(|context| *context.name == *self.name);
        let user = context.and_then(|context| context.context.as_ref()?.user.as_ref());
        let info = kubeconfig.auth_infos.iter().find(|info| Some(&info.name) == user);
        let Some(info) = info.and_then(|info| info.auth_info.as_ref()) else { return Vec::new() };
        // Paths were made paths of this process when the kubeconfig was read.
        let in_file = |path: &Option<String>| Sys::live().read_text(path.as_ref()?).ok();
        let data = info.client_certificate_data.as_deref().and_then(expiry::decoded);
        let certificate = data.map(|data| String::from_utf8_lossy(&data).into_owned());
        let certificate = certificate.or_else(|| in_file(&info.client_certificate));
        // Serialising is the way to a secret that the library offers.
        let token = serde_json::to_value(info).ok().and_then(|info| Some(info.get("token")?.as_str()?.to_owned()));
        let token = token.or_else(|| in_file(&info.token_file));
        let certificate = certificate.and_then(|pem| Some(("client certificate", expiry::of_certificate(&pem)?)));
        let token = token.and_then(|token| Some(("token", expiry::of_token(token.trim())?)));
        certificate.into_iter().chain(token).collect()
    }

    /// Drops the client, so that the next query asks for fresh credentials.
    pub(crate) async fn forget(&self) {
        *self.client.lock().await = None;
    }
}

/// What went wrong on the way to credentials.
pub(crate) fn credentials_error(error: &AuthError) -> Error {
    let message = match error {
        AuthError::AuthExecRun { out, .. } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let said = said.trim();
            format!("failed ({}){}{said}", out.status, if said.is_empty() { "" } else { ": " })
        }
        other => other.to_string(),
    };
    match error {
        AuthError::AuthExecRun { cmd, .. } => {
            // The command as Rust prints it starts with the variables that were set; the program is what tells.
            let program = cmd.split(' ').find(|word| !word.contains('=')).unwrap_or(cmd);
            Error::Io { what: format!("credentials plug-in {}", program.replace('"', "`")), message }
        }
        _ => Error::Io { what: "credentials".to_owned(), message },
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
users: [{name: me, user: {tokenFile: /abs/token, exec: {apiVersion: v1, command: ./bin/login}}}]
contexts: [{name: one, context: {cluster: big, user: me}}, {name: two, context: {cluster: big, user: me}}]
"#;

    /// What a machine with these files in `/k` is configured for: `name: how`, and the other contexts.
    fn configured(
        files: &[(&str, &str)],
        settings: Settings,
        variables: &[(&str, &str)],
    ) -> (Vec<String>, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        let sys = Sys::at(root.path());
        std::fs::create_dir(root.path().join("k")).unwrap();
        for (name, text) in files {
            std::fs::write(root.path().join("k").join(name), text).unwrap();
        }
        let sys = sys.with_variables(variables.iter().copied());
        let mut configured = Configured::default();
        configured.refresh(&sys, &settings);
        let tell = |cluster: &Arc<Cluster>| match &cluster.access {
            Access::Client(_) => format!("{}: client", cluster.name),
            Access::Context(_) => format!("{}: context of {}", cluster.name, cluster.cluster_name),
            Access::InCluster => format!("{}: here", cluster.name),
            Access::Broken(error) => format!("{}: {error}", cluster.name),
        };
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
        let from = [("KUBECONFIG", "/k/a:/k/absent::/k/b")];
        let (clusters, _) = configured(&[("a", "contexts: [{name"), ("b", TWO)], Settings::default(), &from);
        assert!(clusters[0].starts_with("/k/a: not a kubeconfig: "), "{clusters:?}");
        assert_eq!(clusters[1..], ["one: context of big"]);
        for garbage in ["\u{0}\u{1}", "[1, 2]", "contexts: 7"] {
            let (clusters, _) = configured(&[("a", garbage)], Settings::default(), &from);
            assert!(clusters[0].starts_with("/k/a: not a kubeconfig: "), "{clusters:?}");
        }
    }

    #[test]
    fn no_configuration_says_so() {
        let none = "no cluster is configured: there is no kubeconfig, and the program does not run in a cluster";
        let (clusters, _) = configured(&[], Settings::default(), &[("HOME", "/home/me")]);
        assert_eq!(clusters, [format!("kubeconfig: {none}")]);
        let (clusters, _) = configured(&[], Settings::default(), &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]);
        assert_eq!(clusters, ["in-cluster: here"]);
        let settings = Settings { kubeconfig: Some("/k/absent".into()), ..Settings::default() };
        let (clusters, _) = configured(&[], settings, &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]);
        assert_eq!(clusters, ["/k/absent: there is no such kubeconfig"]);
        let (clusters, _) = configured(
            &[("a", &TWO.replace("current-context: one", ""))],
            Settings::default(),
            &[("KUBECONFIG", "/k/a")],
        );
        let hint = "the kubeconfig has no current context; choose some with the setting `contexts`: one, two";
        assert_eq!(clusters, [format!("/k/a: {hint}")]);
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let mut config = Kubeconfig::from_yaml(TWO).unwrap();
        settle_paths(&Sys::live(), Path::new("/home/me/.kube/config"), &mut config);
        let user = config.auth_infos[0].auth_info.as_ref().unwrap();
        let authority = config.clusters[0].cluster.as_ref().unwrap().certificate_authority.as_deref();
        assert_eq!(authority, Some("/home/me/.kube/pki/ca.crt"));
        assert_eq!(user.token_file.as_deref(), Some("/abs/token"));
        assert_eq!(user.exec.as_ref().unwrap().command.as_deref(), Some("/home/me/.kube/./bin/login"));
    }

    #[test]
    fn what_did_not_change_keeps_its_clients() {
        let root = tempfile::tempdir().unwrap();
        let sys = Sys::at(root.path()).with_variables([("KUBECONFIG", "/a")]);
        std::fs::write(root.path().join("a"), TWO).unwrap();
        let mut configured = Configured::default();
        configured.refresh(&sys, &Settings::default());
        let first = configured.clusters[0].clone();
        configured.refresh(&sys, &Settings::default());
        assert!(Arc::ptr_eq(&first, &configured.clusters[0]));
        std::fs::write(root.path().join("a"), TWO.replace("current-context: one", "current-context: two")).unwrap();
        configured.refresh(&sys, &Settings::default());
        assert_eq!(&*configured.clusters[0].name, "two");
    }

    #[tokio::test]
    async fn a_plug_in_that_fails_says_why() {
        let cases = [
            (
                "sh",
                "[-c, 'echo token has expired >&2; exit 3']",
                "credentials plug-in `sh`: failed (exit status: 3): token has expired",
            ),
            ("/absent/plug-in", "[]", "credentials: unable to run auth exec: No such file or directory (os error 2)"),
            ("echo", "[garbage]", "credentials: failed to parse auth exec output: "),
        ];
        for (command, arguments, expected) in cases {
            let text = format!(
                "{{contexts: [{{name: c, context: {{cluster: c, user: u}}}}], clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:1'}}}}],
                  users: [{{name: u, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {command}, args: {arguments}}}}}}}]}}"
            );
            let mut config = Kubeconfig::from_yaml(&text).unwrap();
            settle_paths(&Sys::live(), Path::new("/"), &mut config);
            let error =
                Cluster::new("c", "c", Access::Context(Arc::new(config))).connect().await.err().unwrap().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
