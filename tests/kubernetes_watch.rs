//! Watches of Kubernetes resources: on a real API server through a proxy that cuts, delays and expires them, and on a
//! generated server with many pods.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use indago::environments::{Kubernetes, KubernetesChange, KubernetesOp, KubernetesSettings};
use indago_engine::{Engine, Limits};
use indago_table::Sys;
use indago_testkit::beds::generated::KubeServer;
use indago_testkit::beds::{Effect, Fault, KubeApi, Rule};

use crate::support::texts;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn clusters(kubeconfig: &Path, settings: KubernetesSettings) -> Kubernetes {
    Kubernetes::new(&Sys::live(), KubernetesSettings { kubeconfig: Some(kubeconfig.to_owned()), ..settings })
}

async fn engine(clusters: &Kubernetes) -> Engine {
    let builder = Engine::builder().tables(indago_tables_kubernetes::tables(clusters)).limits(Limits::default());
    builder.event_sources(indago_tables_kubernetes::event_sources(clusters)).build().await.expect("an engine")
}

async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = texts(&query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}")));
    rows.into_iter().map(|row| row.join(" ")).collect()
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("in time: {what}"));
}

/// The state of one resource after its changes, from nothing: versions by name.
#[derive(Default)]
struct Replay {
    state: BTreeMap<String, String>,
    ops: BTreeMap<&'static str, usize>,
    /// Changes that do not follow from the state: without a gap there are none.
    wrong: Vec<String>,
}

impl Replay {
    fn apply(&mut self, change: &KubernetesChange) {
        *self.ops.entry(change.op.name()).or_default() += 1;
        let (name, version) = (change.name.clone(), change.resource_version.clone());
        let fits = match change.op {
            KubernetesOp::Added => self.state.insert(name, version).is_none(),
            KubernetesOp::Modified => self.state.insert(name, version).is_some(),
            KubernetesOp::Deleted => self.state.remove(&name).is_some(),
            _ => change.reason.is_some(),
        };
        if !fits {
            self.wrong.push(format!("{change:?}"));
        }
    }
}

/// Names and versions of the config maps as the server has them.
fn listed(api: &KubeApi) -> BTreeMap<String, String> {
    let template = "jsonpath={range .items[*]}{.metadata.name} {.metadata.resourceVersion}{\"\\n\"}{end}";
    let text = api.kubectl(&["get", "configmaps", "-n", "churn", "-o", template]).expect("kubectl");
    let pair = |line: &str| line.split_once(' ').map(|(name, version)| (name.to_owned(), version.to_owned()));
    text.lines().filter_map(pair).collect()
}

/// Faults after which the server still has the changes.
fn cuts() -> Vec<Effect> {
    vec![
        Effect::Truncate(20_000),
        Effect::Truncate(70_001),
        Effect::Truncate(33_333),
        Effect::Slow(Duration::from_millis(20), 20_000),
        Effect::Truncate(1),
        Effect::Truncate(45_000),
        Effect::status(503),
        Effect::Truncate(150_000),
        Effect::Reset,
    ]
}

/// These faults, one per watch, again and again.
fn each_watch(proxy: &Fault, effects: Vec<Effect>) {
    proxy.clear_rules();
    proxy.clear_requests();
    for effect in effects.into_iter().cycle().take(1000) {
        proxy.rule(Rule::new(effect).query("watch=1").path("/configmaps").first(1));
    }
}

/// `INDAGO_CHURN=60x500` runs for 60 seconds with 500 changes per second.
fn churn() -> (u32, u32) {
    let given = std::env::var("INDAGO_CHURN").ok();
    let parsed = given.as_deref().and_then(|text| text.split_once('x'));
    parsed.map_or((12, 300), |(seconds, rate)| {
        (seconds.parse().expect("seconds"), rate.parse().expect("changes per second"))
    })
}

#[test]
fn a_watch_loses_nothing_that_the_server_still_has() {
    let api = Arc::new(KubeApi::start().expect("an API server"));
    api.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: churn}").expect("a namespace");
    let proxy = Fault::kube(&api).expect("a proxy");
    let kubeconfig = proxy.kubeconfig("admin").expect("a kubeconfig");
    runtime().block_on(async {
        let settings =
            KubernetesSettings { watch_resources: vec!["v1/configmaps".to_owned()], ..KubernetesSettings::default() };
        let clusters = clusters(&kubeconfig, settings);
        let mut changes = clusters.changes().filter(|change| {
            let is_ours = change.namespace == "churn" || change.op == KubernetesOp::Gap;
            std::future::ready(is_ours)
        });
        let engine = engine(&clusters).await;
        engine.start_events();
        let mut replay = Replay::default();
        let mut follow = |replay: &mut Replay| {
            while let Some(Some(change)) = changes.next().now_or_never() {
                replay.apply(&change);
            }
        };
        let (seconds, rate) = churn();
        let expired = [Effect::kube_status(410, "Expired", "too old"), Effect::watch_expired()];
        // First only cuts and delays: each change is in the log. Then the server's history is lost again and again.
        for (seconds, effects) in
            [(seconds.div_ceil(3), cuts()), (seconds, cuts().into_iter().chain(expired).collect())]
        {
            let has_gaps = effects.len() > cuts().len();
            each_watch(&proxy, effects);
            let began = replay.ops.clone();
            let api_of_writers = api.clone();
            let making = tokio::task::spawn_blocking(move || api_of_writers.churn(seconds, rate));
            while !making.is_finished() {
                follow(&mut replay);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let made = making.await.expect("no panic").expect("changes");
            let expected = listed(&api);
            let ended = Instant::now();
            until("the log reaches the state", async || {
                follow(&mut replay);
                replay.state == expected
            })
            .await;
            let count = |op: &str| replay.ops.get(op).unwrap_or(&0) - began.get(op).unwrap_or(&0);
            let logged = count("added") + count("modified") + count("deleted");
            let (gaps, watches) = (count("gap"), proxy.count("watch=1"));
            let late = ended.elapsed();
            eprintln!("{seconds} s: {made} changes, {logged} logged, {gaps} gaps, {watches} watches, {late:?} behind");
            assert_eq!(replay.wrong, Vec::<String>::new());
            assert!(watches > 1, "the watch was cut: {watches}");
            if has_gaps {
                assert!(gaps > 0 && logged <= made);
            } else {
                assert_eq!((gaps, logged), (0, made));
            }
        }

        // The table has the same changes, if its buffer has room for them.
        if replay.ops.values().sum::<usize>() < 40_000 {
            let expected: Vec<_> = replay.ops.iter().map(|(op, many)| format!("{op} {many}")).collect();
            let of_ours = "namespace = 'churn' OR op = 'gap'";
            let sql = format!("SELECT op, count(*) FROM kubernetes_changes WHERE {of_ours} GROUP BY op ORDER BY op");
            until(&sql, async || rows(&engine, &sql).await == expected).await;
        }
        let sql = "SELECT DISTINCT kind, resource, group_version, json_extract(after, '$.\"data.who\"') IS NULL \
                   FROM kubernetes_changes WHERE op = 'modified' AND namespace = 'churn'";
        assert_eq!(rows(&engine, sql).await, ["ConfigMap configmaps v1 1"], "a writer changes its own objects only");
    });
}

#[test]
fn a_query_of_a_watched_table_makes_no_call_and_sees_changes() {
    let api = crate::kubernetes::estate();
    let proxy = Fault::kube(&api).expect("a proxy");
    let kubeconfig = proxy.kubeconfig("admin").expect("a kubeconfig");
    runtime().block_on(async {
        let settings = KubernetesSettings { watch: Some(true), ..KubernetesSettings::default() };
        let watched = engine(&clusters(&kubeconfig, settings)).await;
        let plain = engine(&clusters(&kubeconfig, KubernetesSettings::default())).await;
        // Each query has the same rows with and without the watch. The first ones list all that is wanted.
        let queries = [
            "SELECT * FROM kubernetes_pods ORDER BY uid",
            "SELECT * FROM kubernetes_pod_containers ORDER BY pod_uid, name",
            "SELECT name, labels FROM kubernetes_pods WHERE label_selector = 'app in (priv,web)' ORDER BY name",
            "SELECT name FROM kubernetes_pods WHERE label_selector = '!app' ORDER BY name",
            "SELECT name FROM kubernetes_pods WHERE phase = 'Running' ORDER BY name",
            "SELECT name FROM kubernetes_pods WHERE field_selector = 'spec.nodeName!=node-a' ORDER BY name",
            "SELECT name FROM kubernetes_pods WHERE namespace = 'shop' AND name = 'priv'",
            "SELECT p.name, c.name FROM kubernetes_pods p JOIN kubernetes_pod_containers c ON c.pod_uid = p.uid ORDER BY 1, 2",
            "SELECT * FROM kubernetes_nodes ORDER BY uid",
            "SELECT * FROM kubernetes_role_binding_subjects ORDER BY uid, subject_name",
        ];
        let count_gets = || proxy.requests().iter().filter(|request| !request.query.contains("watch=1")).count();
        for sql in queries {
            let expected = rows(&plain, sql).await;
            until(sql, async || {
                let seen = rows(&watched, sql).await;
                assert_eq!(seen, expected, "{sql}");
                rows(&watched, &format!("EXPLAIN {sql}")).await.concat().contains("WATCH")
            })
            .await;
            proxy.clear_requests();
            assert_eq!(rows(&watched, sql).await, expected, "{sql}");
            let without_uid = proxy.requests().iter().filter(|request| !request.path.ends_with("/kube-system")).count();
            assert_eq!(without_uid, 0, "{sql}: {:?}", proxy.requests());
            let coverage = rows(&watched, "SELECT slice, completeness FROM engine_coverage").await;
            assert!(coverage.iter().all(|line| line.contains("WATCH") && line.ends_with(" complete")), "{coverage:?}");
        }
        // A change is seen within a second.
        for round in 0..5 {
            let label = format!("round=r{round}");
            api.kubectl(&["label", "pod", "-n", "shop", "priv", "--overwrite", &label]).expect("a label");
            proxy.clear_requests();
            let began = Instant::now();
            let sql = format!("SELECT name FROM kubernetes_pods WHERE labels['round'] = 'r{round}'");
            until(&sql, async || rows(&watched, &sql).await == ["priv"]).await;
            eprintln!("a change of the real server is seen after {:?}", began.elapsed());
            assert_eq!(count_gets(), 0, "{:?}", proxy.requests());
        }
        // The policy that is kept follows its roles and bindings.
        let sql = "SELECT subject_name FROM kubernetes_who_can
            WHERE verb = 'get' AND resource = 'secrets.' AND namespace = 'shop' AND subject_name = 'zoe'";
        for _ in 0..2 {
            until("nobody", async || rows(&watched, sql).await.is_empty()).await;
            let bind = ["create", "rolebinding", "zoe", "-n", "shop", "--clusterrole=cluster-admin", "--user=zoe"];
            api.kubectl(&bind).expect("a binding");
            until(sql, async || rows(&watched, sql).await == ["zoe"]).await;
            proxy.clear_requests();
            assert_eq!(rows(&watched, sql).await, ["zoe"]);
            assert_eq!(count_gets(), 0, "{:?}", proxy.requests());
            api.kubectl(&["delete", "rolebinding", "zoe", "-n", "shop"]).expect("no binding");
        }
        until("nobody", async || rows(&watched, sql).await.is_empty()).await;
    });
}

#[test]
fn many_pods_are_read_from_memory() {
    let server = Arc::new(KubeServer::start(20_000).expect("a server"));
    runtime().block_on(async {
        let settings = KubernetesSettings { watch: Some(true), ..KubernetesSettings::default() };
        let engine = engine(&clusters(&server.kubeconfig(), settings)).await;
        let sql = "SELECT namespace, count(*) FROM kubernetes_pods GROUP BY 1 ORDER BY 1";
        let began = Instant::now();
        assert_eq!(rows(&engine, sql).await.len(), 20);
        eprintln!("first query of 20,000 pods: {:?}", began.elapsed());
        let before = server.requests();
        for sql in [sql, "SELECT count(*) FROM kubernetes_pods WHERE namespace = 'load-3'"] {
            let began = Instant::now();
            let seen = rows(&engine, sql).await;
            eprintln!("{sql}: {:?}", began.elapsed());
            assert!(seen.iter().all(|row| row.ends_with("1000")), "{seen:?}");
        }
        assert_eq!(server.requests(), before, "no call");
        server.set_phase(77, "Succeeded");
        let began = Instant::now();
        let sql = "SELECT name FROM kubernetes_pods WHERE upper(phase) = 'SUCCEEDED'";
        until(sql, async || rows(&engine, sql).await.len() == 1).await;
        eprintln!("a change, with a column that was not in memory: {:?}", began.elapsed());
        server.set_phase(78, "Succeeded");
        let began = Instant::now();
        until(sql, async || rows(&engine, sql).await.len() == 2).await;
        eprintln!("a change: {:?}", began.elapsed());
    });
}

/// An address of this machine that can vanish, as a machine that loses its power does.
struct Address(&'static str);

impl Address {
    fn new(address: &'static str) -> Self {
        Address::change("add", address);
        Address(address)
    }

    fn change(how: &str, address: &str) {
        let mut ip = std::process::Command::new("ip");
        crate::support::output(ip.args(["address", how, &format!("{address}/32"), "dev", "lo"]));
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        Address::change("del", self.0);
    }
}

/// A server that vanishes closes no connection. Its watch ends after some seconds, and its rows are no longer current.
#[test]
fn a_server_that_vanishes_is_noticed() {
    crate::support::needs_root();
    let server = KubeServer::start(10).expect("a server");
    let address = Address::new("10.98.76.54");
    let folder = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let listener = tokio::net::TcpListener::bind((address.0, 0)).await.expect("the address");
        let front = listener.local_addr().expect("an address");
        let back = server.url().trim_start_matches("http://").to_owned();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let back = back.clone();
                tokio::spawn(async move {
                    let mut server = tokio::net::TcpStream::connect(back).await.expect("the server");
                    tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
                });
            }
        });
        let text = std::fs::read_to_string(server.kubeconfig()).expect("a kubeconfig");
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, text.replace(&server.url(), &format!("http://{front}"))).expect("a kubeconfig");
        let settings = KubernetesSettings { watch: Some(true), ..KubernetesSettings::default() };
        let engine = engine(&clusters(&kubeconfig, settings)).await;
        let sql = "SELECT name FROM kubernetes_pods";
        let watched = async || rows(&engine, &format!("EXPLAIN {sql}")).await.concat().contains("WATCH");
        until("the watch is current", async || rows(&engine, sql).await.len() == 10 && watched().await).await;
        let began = Instant::now();
        drop(address);
        // Until TCP notices, nothing distinguishes the server from one without changes.
        until("the rows are no longer current", async || !watched().await).await;
        eprintln!("a server that vanished is noticed after {:?}", began.elapsed());
    });
}
