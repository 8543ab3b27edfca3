//! A generated Kubernetes API: many pods, fast, the same on every run.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use http::{Response, StatusCode};
use tokio::sync::mpsc::UnboundedSender;

use crate::beds::custom::CustomResources;
use crate::beds::kube_api::kubeconfig_of;
use crate::beds::server::{Outcome, Server, full, growing};
use crate::error::{Context, Result};
use crate::install;

/// Options of [`KubeServer::with`].
#[derive(Debug, Clone, Default)]
pub struct KubeServerOptions {
    /// Number of pods.
    pub pods: usize,
    /// The first request that continues after this many pods gets 410 `Expired`, once.
    pub expire_after: Option<usize>,
    /// Custom resources, if any.
    pub custom: Option<CustomResources>,
}

/// Plain HTTP on loopback: `/version`, `/api`, `/apis`, `/api/v1`, `/readyz`, pods (all, by namespace, one), namespaces,
/// nodes and [`CustomResources`].
/// Pod `i` is `app-{i%97}-7d9c6b8f5-{i:05}` in namespace `load-{i%20}` on node `node-{i%50}`, about 7 KB, with the same
/// special cases as [`KubeApi::load_pods`](crate::beds::KubeApi::load_pods). Lists support `limit`, `continue` and
/// `fieldSelector` on `metadata.name`, `metadata.namespace` and `spec.nodeName`. Pods can be watched, from any version or
/// with `sendInitialEvents`; a watch gets the changes that [`KubeServer::set_phase`] makes from then on.
#[derive(Debug)]
pub struct KubeServer {
    server: Server,
    shared: Arc<Shared>,
    folder: tempfile::TempDir,
}

#[derive(Debug)]
struct Shared {
    pods: Mutex<Vec<Bytes>>,
    /// The version of the last change.
    version: AtomicUsize,
    watches: Mutex<Watches>,
    expire_after: Option<usize>,
    expired: AtomicUsize,
    requests: AtomicUsize,
    pages: AtomicUsize,
    custom: Option<CustomResources>,
    /// Paths of the requests to a server with custom resources.
    paths: Mutex<Vec<String>>,
}

/// The open watches, and the changes with their versions.
#[derive(Debug, Default)]
struct Watches {
    senders: Vec<UnboundedSender<Bytes>>,
    changes: Vec<(usize, Bytes)>,
}

impl KubeServer {
    /// Starts a server with this many pods.
    pub fn start(pods: usize) -> Result<KubeServer> {
        KubeServer::with(KubeServerOptions { pods, ..KubeServerOptions::default() })
    }

    /// Starts a server.
    pub fn with(options: KubeServerOptions) -> Result<KubeServer> {
        let shared = Arc::new(Shared {
            pods: Mutex::new((0..options.pods).map(pod).collect()),
            version: AtomicUsize::new(1000 + options.pods),
            watches: Mutex::default(),
            expire_after: options.expire_after,
            expired: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            pages: AtomicUsize::new(0),
            custom: options.custom,
            paths: Mutex::default(),
        });
        let state = Arc::clone(&shared);
        let server = Server::http(None, move |request| {
            let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let custom = state.custom(request.uri(), header(ACCEPT), header(IF_NONE_MATCH));
            let answer = custom.unwrap_or_else(|| state.answer(request.uri()));
            async move { Outcome::Answer(answer) }
        })?;
        let folder = tempfile::tempdir().context(|| "cannot create a temporary directory".to_owned())?;
        // Without credentials: clients send none over plain HTTP.
        let anonymous = [("admin".to_owned(), serde_json::json!({}))];
        install::write(&folder.path().join("kubeconfig"), kubeconfig_of(&server.url(), None, &anonymous))?;
        Ok(KubeServer { server, shared, folder })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// A kubeconfig file for this server.
    pub fn kubeconfig(&self) -> std::path::PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Number of requests received.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Changes the phase of a pod, from that of [`pod`]. Each watch gets the change.
    pub fn set_phase(&self, i: usize, phase: &str) {
        let version = self.shared.version.fetch_add(1, Ordering::Relaxed) + 1;
        let text = String::from_utf8_lossy(&pod(i)).into_owned();
        let was = if i.is_multiple_of(50) { "Failed" } else { "Running" };
        let text = text.replace(&format!(r#""phase":"{was}""#), &format!(r#""phase":"{phase}""#));
        let text =
            text.replace(&format!(r#""resourceVersion":"{}""#, 1000 + i), &format!(r#""resourceVersion":"{version}""#));
        self.shared.pods()[i] = Bytes::from(text.clone());
        let event = event("MODIFIED", text.as_bytes());
        let mut watches = self.shared.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.senders.retain(|watch| watch.send(event.clone()).is_ok());
        watches.changes.push((version, event));
    }

    /// Paths of the requests since the last call, of a server with custom resources.
    pub fn take_paths(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.paths.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Number of requests for a page of pods.
    pub fn pages(&self) -> usize {
        self.shared.pages.load(Ordering::Relaxed)
    }
}

/// Namespace of pod `i`.
pub fn pod_namespace(i: usize) -> String {
    format!("load-{}", i % 20)
}

/// Name of pod `i`.
pub fn pod_name(i: usize) -> String {
    format!("app-{}-7d9c6b8f5-{i:05}", i % 97)
}

impl Shared {
    /// The response to a request that custom resources affect.
    fn custom(&self, uri: &http::Uri, accept: &str, known: &str) -> Option<Response<crate::beds::server::Answer>> {
        let custom = self.custom.as_ref()?;
        let path = uri.path_and_query().map_or(uri.path(), http::uri::PathAndQuery::as_str);
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        let (code, body, validator) = custom.answer(uri.path(), accept)?;
        if validator.as_ref().is_some_and(|validator| validator == known) {
            return Some(json(StatusCode::NOT_MODIFIED, ""));
        }
        let mut answer = json(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body);
        if let Some(validator) = validator.and_then(|validator| HeaderValue::try_from(validator).ok()) {
            answer.headers_mut().insert(ETAG, validator);
        }
        Some(answer)
    }

    fn answer(&self, uri: &http::Uri) -> Response<crate::beds::server::Answer> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let parts: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        let query = Query::parse(uri.query().unwrap_or_default());
        match parts[..] {
            ["readyz" | "healthz" | "livez"] => json(StatusCode::OK, "ok"),
            ["version"] => json(
                StatusCode::OK,
                r#"{"major":"1","minor":"33","gitVersion":"v1.33.1","gitCommit":"","gitTreeState":"clean","buildDate":"2026-01-01T00:00:00Z","goVersion":"go1.24","compiler":"gc","platform":"linux/amd64"}"#,
            ),
            ["api"] => {
                json(StatusCode::OK, r#"{"kind":"APIVersions","versions":["v1"],"serverAddressByClientCIDRs":[]}"#)
            }
            ["apis"] => json(StatusCode::OK, r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[]}"#),
            ["api", "v1"] => json(StatusCode::OK, RESOURCES),
            ["api", "v1", "pods"] if query.is_watch => self.watch(&query),
            ["api", "v1", "pods"] => self.list(&query),
            ["api", "v1", "namespaces", namespace, "pods"] => {
                self.list(&Query { namespace: Some(namespace.into()), ..query })
            }
            ["api", "v1", "namespaces", namespace, "pods", name] => {
                let query = Query { namespace: Some(namespace.into()), name: Some(name.into()), ..Query::default() };
                let pods = self.pods();
                match (0..pods.len()).find(|i| query.wants(*i)) {
                    Some(i) => json(StatusCode::OK, pods[i].clone()),
                    None => status(404, "NotFound", &format!("pods \"{name}\" not found")),
                }
            }
            ["api", "v1", "namespaces"] => json(
                StatusCode::OK,
                small("Namespace", (0..20).map(|i| format!("load-{i}")), r#""status":{"phase":"Active"}"#),
            ),
            ["api", "v1", "nodes"] => json(StatusCode::OK, small("Node", (0..50).map(|i| format!("node-{i}")), NODE)),
            _ => status(404, "NotFound", "the server could not find the requested resource"),
        }
    }

    fn pods(&self) -> MutexGuard<'_, Vec<Bytes>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The changes from now on; before them all pods, if the request wants them.
    fn watch(&self, query: &Query) -> Response<crate::beds::server::Answer> {
        let pods = self.pods();
        let (sender, later) = tokio::sync::mpsc::unbounded_channel();
        let mut first = Vec::new();
        if query.sends_initial {
            first.extend(pods.iter().map(|pod| event("ADDED", pod)));
            let version = self.version.load(Ordering::Relaxed);
            let bookmark = format!(
                r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","annotations":{{"k8s.io/initial-events-end":"true"}}}}}}"#
            );
            first.push(event("BOOKMARK", bookmark.as_bytes()));
        }
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = query.version.filter(|_| !query.sends_initial) {
            let missed = watches.changes.iter().filter(|(version, _)| *version > known);
            first.extend(missed.map(|(_, event)| event.clone()));
        }
        watches.senders.push(sender);
        drop(watches);
        let mut answer = Response::new(growing(first, later));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    fn list(&self, query: &Query) -> Response<crate::beds::server::Answer> {
        let pods = self.pods();
        self.pages.fetch_add(1, Ordering::Relaxed);
        let from = query.from.unwrap_or(0);
        if self.expire_after.is_some_and(|limit| from > limit) && self.expired.fetch_add(1, Ordering::Relaxed) == 0 {
            return status(
                410,
                "Expired",
                "The provided continue parameter is too old to display a consistent list result.",
            );
        }
        let limit = query.limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let mut wanted = (from..pods.len()).filter(|i| query.wants(*i));
        let page: Vec<usize> = wanted.by_ref().take(limit).collect();
        let next = wanted.next();
        let mut text = Vec::with_capacity(page.iter().map(|i| pods[*i].len() + 1).sum::<usize>() + 200);
        let version = self.version.load(Ordering::Relaxed);
        let start = format!(r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"{version}""#);
        text.extend_from_slice(start.as_bytes());
        if let Some(next) = next {
            text.extend_from_slice(format!(r#","continue":"{next}""#).as_bytes());
            if !query.selects() {
                text.extend_from_slice(format!(r#","remainingItemCount":{}"#, pods.len() - next).as_bytes());
            }
        }
        text.extend_from_slice(br#"},"items":["#);
        for (place, i) in page.into_iter().enumerate() {
            if place > 0 {
                text.push(b',');
            }
            text.extend_from_slice(&pods[i]);
        }
        text.extend_from_slice(b"]}");
        json(StatusCode::OK, text)
    }
}

#[derive(Debug, Default)]
struct Query {
    limit: Option<usize>,
    from: Option<usize>,
    namespace: Option<String>,
    name: Option<String>,
    node: Option<String>,
    is_watch: bool,
    sends_initial: bool,
    /// The version from which a watch begins.
    version: Option<usize>,
}

impl Query {
    fn parse(text: &str) -> Query {
        let mut query = Query::default();
        for pair in text.split('&') {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("watch", _) => query.is_watch = true,
                ("sendInitialEvents", _) => query.sends_initial = true,
                ("resourceVersion", value) => query.version = value.parse().ok(),
                ("limit", value) => query.limit = value.parse().ok(),
                ("continue", value) => query.from = value.parse().ok(),
                ("fieldSelector", value) => {
                    let value = value.replace("%3D", "=").replace("%3d", "=").replace("%2C", ",").replace("%2c", ",");
                    for field in value.split(',') {
                        match field
                            .split_once('=')
                            .map(|(name, value)| (name, value.trim_start_matches('=').to_owned()))
                        {
                            Some(("metadata.name", value)) => query.name = Some(value),
                            Some(("metadata.namespace", value)) => query.namespace = Some(value),
                            Some(("spec.nodeName", value)) => query.node = Some(value),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        query
    }

    fn wants(&self, i: usize) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == pod_namespace(i))
            && self.name.as_ref().is_none_or(|name| *name == pod_name(i))
            && self.node.as_ref().is_none_or(|node| *node == format!("node-{}", i % 50))
    }

    fn selects(&self) -> bool {
        self.namespace.is_some() || self.name.is_some() || self.node.is_some()
    }
}

/// An event of a watch.
fn event(kind: &str, object: &[u8]) -> Bytes {
    let mut text = format!(r#"{{"type":"{kind}","object":"#).into_bytes();
    text.extend_from_slice(object);
    text.extend_from_slice(b"}\n");
    text.into()
}

fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<crate::beds::server::Answer> {
    let mut answer = Response::new(full(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn status(code: u16, reason: &str, message: &str) -> Response<crate::beds::server::Answer> {
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code,
    });
    json(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body.to_string())
}

const RESOURCES: &str = r#"{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"v1","resources":[
{"name":"namespaces","singularName":"namespace","namespaced":false,"kind":"Namespace","verbs":["get","list"]},
{"name":"nodes","singularName":"node","namespaced":false,"kind":"Node","verbs":["get","list"]},
{"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["get","list","watch"]}]}"#;

const NODE: &str = r#""spec":{},"status":{"capacity":{"cpu":"8","memory":"32Gi","pods":"110"},"conditions":[{"type":"Ready","status":"True"}],"nodeInfo":{"kubeletVersion":"v1.33.1","osImage":"Debian GNU/Linux 12","kernelVersion":"6.1.0","containerRuntimeVersion":"containerd://2.0.0","operatingSystem":"linux","architecture":"amd64","machineID":"","systemUUID":"","bootID":"","kubeProxyVersion":""}}"#;

fn small(kind: &str, names: impl Iterator<Item = String>, rest: &str) -> String {
    let items: Vec<String> = names
        .map(|name| {
            format!(
                r#"{{"metadata":{{"name":"{name}","uid":"{}","creationTimestamp":"2026-01-01T00:00:00Z"}},{rest}}}"#,
                uid(9, name.len())
            )
        })
        .collect();
    format!(
        r#"{{"kind":"{kind}List","apiVersion":"v1","metadata":{{"resourceVersion":"1000"}},"items":[{}]}}"#,
        items.join(",")
    )
}

fn uid(kind: usize, i: usize) -> String {
    format!("{kind:08x}-0000-4000-8000-{i:012x}")
}

/// Pod `i` as JSON. It is built as text, not as a tree of values, so that twenty thousand pods are fast even in a debug
/// build.
fn pod(i: usize) -> Bytes {
    const FIELDS: &str = r#""f:metadata":{"f:annotations":{".":{},"f:checksum/config":{},"f:prometheus.io/scrape":{}},"f:generateName":{},"f:labels":{".":{},"f:app":{},"f:app.kubernetes.io/part-of":{},"f:pod-template-hash":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"OWNER\"}":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"main\"}":{".":{},"f:args":{},"f:env":{".":{},"k:{\"name\":\"DB_URL\"}":{".":{},"f:name":{},"f:value":{}},"k:{\"name\":\"LEVEL\"}":{".":{},"f:name":{},"f:value":{}},"k:{\"name\":\"POD_NAME\"}":{".":{},"f:name":{},"f:valueFrom":{".":{},"f:fieldRef":{}}}},"f:image":{},"f:imagePullPolicy":{},"f:livenessProbe":{".":{},"f:failureThreshold":{},"f:httpGet":{".":{},"f:path":{},"f:port":{},"f:scheme":{}},"f:periodSeconds":{},"f:successThreshold":{},"f:timeoutSeconds":{}},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:name":{},"f:protocol":{}},"k:{\"containerPort\":9090,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:name":{},"f:protocol":{}}},"f:resources":{".":{},"f:limits":{".":{},"f:memory":{}},"f:requests":{".":{},"f:cpu":{},"f:memory":{}}},"f:securityContext":{".":{},"f:allowPrivilegeEscalation":{},"f:capabilities":{".":{},"f:add":{},"f:drop":{}},"f:privileged":{}},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{},"f:volumeMounts":{".":{},"k:{\"mountPath\":\"/etc/app\"}":{".":{},"f:mountPath":{},"f:name":{}},"k:{\"mountPath\":\"/tmp\"}":{".":{},"f:mountPath":{},"f:name":{}}}},"k:{\"name\":\"sidecar\"}":{".":{},"f:args":{},"f:image":{},"f:imagePullPolicy":{},"f:name":{},"f:resources":{".":{},"f:requests":{".":{},"f:cpu":{},"f:memory":{}}},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{}}},"f:dnsPolicy":{},"f:enableServiceLinks":{},"f:nodeName":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:serviceAccount":{},"f:serviceAccountName":{},"f:terminationGracePeriodSeconds":{},"f:volumes":{".":{},"k:{\"name\":\"cfg\"}":{".":{},"f:configMap":{".":{},"f:defaultMode":{},"f:name":{}},"f:name":{}},"k:{\"name\":\"tmp\"}":{".":{},"f:emptyDir":{},"f:name":{}}}}"#;
    let every = |n: usize| i.is_multiple_of(n);
    let (app, owner, when) = (i % 97, uid(2, i % 97), "2026-01-01T00:00:00Z");
    let address = format!("10.{}.{}.{}", i / 65025 % 250, i / 255 % 255, i % 255);
    let mut text = String::with_capacity(7500);
    let mut add = |part: std::fmt::Arguments<'_>| text.write_fmt(part).expect("writing to a string does not fail");
    add(format_args!(
        r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"{}","generateName":"app-{app}-7d9c6b8f5-","namespace":"{}","uid":"{}","resourceVersion":"{}","creationTimestamp":"{when}","#,
        pod_name(i),
        pod_namespace(i),
        uid(1, i),
        1000 + i,
    ));
    add(format_args!(
        r#""labels":{{"app":"app-{app}","app.kubernetes.io/part-of":"sys-{}","pod-template-hash":"7d9c6b8f5"}},"annotations":{{"checksum/config":"{}","prometheus.io/scrape":"true"}},"ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"app-{app}-7d9c6b8f5","uid":"{owner}","controller":true,"blockOwnerDeletion":true}}],"#,
        i % 9,
        "ab".repeat(32),
    ));
    add(format_args!(
        r#""managedFields":[{{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"{when}","fieldsType":"FieldsV1","fieldsV1":{{{}}}}}]}},"#,
        FIELDS.replace("OWNER", &owner),
    ));
    let host_volume =
        if every(199) { r#",{"name":"h","hostPath":{"path":"/var/run/docker.sock","type":""}}"# } else { "" };
    add(format_args!(
        r#""spec":{{"volumes":[{{"name":"cfg","configMap":{{"name":"app-{app}","defaultMode":420}}}},{{"name":"tmp","emptyDir":{{}}}},{{"name":"kube-api-access","projected":{{"sources":[{{"serviceAccountToken":{{"expirationSeconds":3607,"path":"token"}}}},{{"configMap":{{"name":"kube-root-ca.crt","items":[{{"key":"ca.crt","path":"ca.crt"}}]}}}},{{"downwardAPI":{{"items":[{{"path":"namespace","fieldRef":{{"apiVersion":"v1","fieldPath":"metadata.namespace"}}}}]}}}}],"defaultMode":420}}}}{host_volume}],"#,
    ));
    if every(4) {
        add(format_args!(
            r#""initContainers":[{{"name":"init","image":"registry.local/init:{}","command":["sh","-c","true"],"resources":{{}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}}],"#,
            i % 5,
        ));
    }
    add(format_args!(
        r#""containers":[{{"name":"main","image":"registry.local/team-{}/app-{app}:v{}","args":["--port=8080","--log=json"],"ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}},{{"name":"metrics","containerPort":9090,"protocol":"TCP"}}],"env":[{{"name":"POD_NAME","valueFrom":{{"fieldRef":{{"apiVersion":"v1","fieldPath":"metadata.name"}}}}}},{{"name":"DB_URL","value":"postgres://db/app"}},{{"name":"LEVEL","value":"info"}}],"resources":{{"limits":{{"memory":"256Mi"}},"requests":{{"cpu":"10m","memory":"64Mi"}}}},"volumeMounts":[{{"name":"cfg","mountPath":"/etc/app"}},{{"name":"tmp","mountPath":"/tmp"}},{{"name":"kube-api-access","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}}],"#,
        i % 13,
        i % 40,
    ));
    add(format_args!(
        r#""livenessProbe":{{"httpGet":{{"path":"/healthz","port":8080,"scheme":"HTTP"}},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3}},"readinessProbe":{{"httpGet":{{"path":"/ready","port":8080,"scheme":"HTTP"}},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","securityContext":{{"capabilities":{{{}"drop":["ALL"]}},"privileged":{},"allowPrivilegeEscalation":{}}}}},"#,
        if every(173) { r#""add":["SYS_ADMIN"],"# } else { "" },
        every(101),
        every(101) || every(7),
    ));
    add(format_args!(
        r#"{{"name":"sidecar","image":"registry.local/mesh/proxy:1.20","args":["proxy","sidecar"],"resources":{{"requests":{{"cpu":"5m","memory":"32Mi"}}}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"default","serviceAccount":"default","nodeName":"node-{}",{}{}"securityContext":{},"schedulerName":"default-scheduler","tolerations":[{{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}},{{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}],"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}},"#,
        i % 50,
        if every(211) { r#""hostPID":true,"# } else { "" },
        if every(151) { r#""hostNetwork":true,"# } else { "" },
        if every(3) { r#"{"runAsNonRoot":true,"fsGroup":2000}"# } else { "{}" },
    ));
    let conditions: Vec<String> = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        .iter()
        .map(|kind| {
            format!(r#"{{"type":"{kind}","status":"True","lastProbeTime":null,"lastTransitionTime":"{when}"}}"#)
        })
        .collect();
    add(format_args!(
        r#""status":{{"phase":"{}","conditions":[{}],"hostIP":"127.0.0.1","podIP":"{address}","podIPs":[{{"ip":"{address}"}}],"startTime":"{when}","containerStatuses":["#,
        if every(50) { "Failed" } else { "Running" },
        conditions.join(","),
    ));
    for (j, container) in ["main", "sidecar"].iter().enumerate() {
        add(format_args!(
            r#"{}{{"name":"{container}","state":{{"running":{{"startedAt":"{when}"}}}},"lastState":{{}},"ready":true,"restartCount":{},"image":"registry.local/{container}:1","imageID":"registry.local/x@sha256:{:064x}","containerID":"containerd://{:064x}","started":true}}"#,
            if j > 0 { "," } else { "" },
            i % 6,
            app,
            i * 2 + j,
        ));
    }
    add(format_args!(r#"],"qosClass":"Burstable"}}}}"#));
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_realistic() {
        for i in [0, 1, 3, 101, 151, 173, 199, 211] {
            let text = pod(i);
            let value: serde_json::Value = serde_json::from_slice(&text).expect("a pod is JSON");
            assert_eq!(value["metadata"]["name"], pod_name(i));
            assert!((6000..8500).contains(&text.len()), "{} bytes", text.len());
        }
    }

    #[test]
    fn pages_and_expiry() {
        let options = KubeServerOptions { pods: 2500, expire_after: Some(600), ..KubeServerOptions::default() };
        let server = KubeServer::with(options).expect("the server starts");
        let get = |path: &str| {
            let text =
                install::output(std::process::Command::new("curl").arg("-s").arg(format!("{}{path}", server.url())));
            serde_json::from_str::<serde_json::Value>(&text.expect("curl succeeds")).expect("the response is JSON")
        };
        let count = |page: &serde_json::Value| page["items"].as_array().map_or(0, Vec::len);
        let page = get("/api/v1/pods?limit=1000");
        assert_eq!((count(&page), page["metadata"]["continue"].as_str()), (1000, Some("1000")));
        assert_eq!(get("/api/v1/pods?limit=1000&continue=1000")["code"], 410);
        assert_eq!(count(&get("/api/v1/pods?limit=1000&continue=1000")), 1000);
        let page = get("/api/v1/pods?limit=1000&continue=2000");
        assert_eq!((count(&page), page["metadata"]["continue"].as_str()), (500, None));
        assert_eq!(count(&get("/api/v1/namespaces/load-3/pods")), 125);
        assert_eq!(count(&get("/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-7")), 50);
        assert_eq!(
            get(&format!("/api/v1/namespaces/{}/pods/{}", pod_namespace(42), pod_name(42)))["metadata"]["name"],
            pod_name(42)
        );
        assert_eq!(get("/api/v1/namespaces/load-0/pods/none")["reason"], "NotFound");
    }
}
