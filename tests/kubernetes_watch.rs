//! Watches of Kubernetes resources: on a real API server through a proxy that cuts, delays and expires them, and on a
//! generated server with many pods.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use indago::environments::{Kubernetes, KubernetesChange, KubernetesOp, KubernetesSettings};
use indago_engine::{Engine, Limits, QueryOptions};
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

/// The faults of the proxy, one per watch: in this order, again and again.
fn faults(watches: usize) -> Vec<Rule> {
    let effects = [
        Effect::Truncate(20_000),
        Effect::Truncate(70_001),
        Effect::kube_status(410, "Expired", "too old resource version"),
        Effect::Truncate(33_333),
        Effect::Delay(Duration::from_millis(700)),
        Effect::watch_expired(),
        Effect::Truncate(1),
        Effect::Lag(Duration::from_millis(20)),
        Effect::status(503),
        Effect::Truncate(150_000),
        Effect::Reset,
    ];
    let each = effects.into_iter().cycle().take(watches);
    // A watch that is only delayed is cut by a later one, because the proxy's rules act on requests: it ends by itself.
    each.map(|effect| Rule::new(effect).query("watch=1").path("/configmaps").first(1)).collect()
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
    let api = KubeApi::start().expect("an API server");
    api.apply("{apiVersion: v1, kind: Namespace, metadata: {name: churn}}").expect("a namespace");
    let proxy = Fault::kube(&api).expect("a proxy");
    let kubeconfig = proxy.kubeconfig("admin").expect("a kubeconfig");
    let runtime = runtime();
    runtime.block_on(async {
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
        let (seconds, rate) = churn();

        // First only cuts and delays: no gap, and each change is in the log.
        let quiet = faults(400).into_iter().filter(|rule| !format!("{rule:?}").contains("410"));
        quiet.for_each(|rule| drop(proxy.rule(rule)));
        let made = tokio::task::block_in_place(|| api.churn(seconds.div_ceil(3), rate)).expect("changes");
        let expected = listed(&api);
        let mut follow = async |replay: &mut Replay| {
            while let Some(Some(change)) = changes.next().now_or_never() {
                replay.apply(&change);
            }
        };
        until("the log reaches the state", async || {
            follow(&mut replay).await;
            replay.state == expected
        })
        .await;
        let count = |op: &str| replay.ops.get(op).copied().unwrap_or(0);
        let watches = proxy.count("configmaps?watch") + proxy.count("watch=1");
        assert_eq!((count("gap"), &replay.wrong), (0, &vec![]), "{:?}", replay.ops);
        assert_eq!(count("added") + count("modified") + count("deleted"), made, "{:?}", replay.ops);
        assert!(watches > 5, "the watch was cut: {watches}");
        eprintln!("{made} changes without a gap, {watches} watches: {:?}", replay.ops);

        // Then the server's history is lost again and again: gaps are recorded, and the state is right.
        proxy.clear_rules();
        proxy.clear_requests();
        faults(2000).into_iter().for_each(|rule| drop(proxy.rule(rule)));
        let began = replay.ops.clone();
        let made = tokio::task::block_in_place(|| api.churn(seconds, rate)).expect("changes");
        let expected = listed(&api);
        until("the log reaches the state", async || {
            follow(&mut replay).await;
            replay.state == expected
        })
        .await;
        let count = |op: &str| replay.ops.get(op).copied().unwrap_or(0) - began.get(op).copied().unwrap_or(0);
        let logged = count("added") + count("modified") + count("deleted");
        assert_eq!(replay.wrong, Vec::<String>::new());
        assert!(count("gap") > 0 && logged <= made, "{:?}", replay.ops);
        eprintln!("{made} changes, {logged} logged, {} gaps, {} watches", count("gap"), proxy.count("watch=1"));

        // The table has the same changes; each consumer sees them once.
        let sql = "SELECT op, count(*) FROM kubernetes_changes WHERE namespace = 'churn' OR op = 'gap' GROUP BY op ORDER BY op";
        let query = engine.query_with(sql, QueryOptions::default().consumer("c")).await.expect("a query");
        let table = texts(&query.collect().await.expect("rows"));
        let all: usize = replay.ops.values().sum();
        if all < 40_000 {
            let expected = replay.ops.iter().map(|(op, many)| vec![(*op).to_owned(), many.to_string()]);
            assert_eq!(table, expected.collect::<Vec<_>>());
        }
        assert_eq!(rows(&engine, "SELECT count(*) FROM kubernetes_changes WHERE op = 'modified' AND changed IS NULL").await, ["0"]);
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
            let began = Instant::now();
            proxy.clear_requests();
            let sql = format!("SELECT name FROM kubernetes_pods WHERE labels['round'] = 'r{round}'");
            until(&sql, async || rows(&watched, &sql).await == ["priv"]).await;
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
            assert_eq!(count_gets(), 0, "{:?}", proxy.requests());
        }
        // A resource of a CRD comes and goes.
        let changes = rows(&watched, "SELECT count(*) FROM kubernetes_changes").await;
        assert_eq!(changes.len(), 1);
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
        let sql = "SELECT name FROM kubernetes_pods WHERE phase = 'Succeeded'";
        until(sql, async || rows(&engine, sql).await.len() == 1).await;
        eprintln!("a change, with a column that was not in memory: {:?}", began.elapsed());
        server.set_phase(78, "Succeeded");
        let began = Instant::now();
        until(sql, async || rows(&engine, sql).await.len() == 2).await;
        eprintln!("a change: {:?}", began.elapsed());
    });
}
