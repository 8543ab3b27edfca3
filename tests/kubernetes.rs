//! The Kubernetes tables on a real API server, on a generated one, and on one that misbehaves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use datafusion::arrow::util::display::array_value_to_string;
use indago_engine::{Engine, Limits, Outcome, Warning};
use indago_table::Sys;
use indago_tables_kubernetes::{Kubernetes, Settings};
use indago_testkit::beds::generated::{KubeServer, KubeServerOptions};
use indago_testkit::beds::{Effect, Fault, KubeApi, Rule};

const ESTATE: &str = include_str!("fixtures/kubernetes/estate.yaml");

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kubernetes").join(name)
}

/// An API server with the estate in it.
pub(crate) fn estate() -> KubeApi {
    let api = KubeApi::start().expect("an API server");
    api.apply(ESTATE).expect("the estate fits");
    let (path, status) = ("/api/v1/namespaces/shop/pods/priv/status", fixture("priv-status.json"));
    api.kubectl(&["replace", "--raw", path, "-f", &status.to_string_lossy()]).expect("the status fits");
    api
}

/// The clusters of these kubeconfig files, in all their contexts.
pub(crate) async fn engine(kubeconfig: impl AsRef<Path>, limits: Limits) -> Engine {
    let settings = Settings { kubeconfig: Some(kubeconfig.as_ref().to_owned()), contexts: vec!["*".to_owned()] };
    let tables = indago_tables_kubernetes::tables(&Kubernetes::new(&Sys::live(), settings));
    Engine::builder().tables(tables).limits(limits).build().await.expect("an engine")
}

/// Rows as texts, their columns separated by spaces, and what was missing.
async fn ask(engine: &Engine, sql: &str) -> (Vec<String>, Vec<Warning>) {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).expect("a value"));
            rows.push(cells.collect::<Vec<_>>().join(" "));
        }
    }
    (rows, query.warnings())
}

/// Rows where nothing may be missing.
async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let (rows, warnings) = ask(engine, sql).await;
    assert!(warnings.is_empty(), "{sql}: {warnings:?}");
    rows
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

#[test]
fn what_kubectl_lists_is_in_the_tables() {
    let api = estate();
    let lists = [
        ("kubernetes_namespaces", "namespaces", ""),
        ("kubernetes_nodes", "nodes", ""),
        ("kubernetes_pods", "pods", ""),
        ("kubernetes_service_accounts", "serviceaccounts", ""),
        ("kubernetes_deployments", "deployments", ""),
        ("kubernetes_role_policy_rules", "roles", ".rules[*]"),
        ("kubernetes_cluster_role_policy_rules", "clusterroles", ".rules[*]"),
        ("kubernetes_role_binding_subjects", "rolebindings", ".subjects[*]"),
        ("kubernetes_cluster_role_binding_subjects", "clusterrolebindings", ".subjects[*]"),
    ];
    runtime().block_on(async {
        let engine = engine(api.kubeconfig("admin"), Limits::default()).await;
        for (table, resource, inner) in lists {
            let template = format!("jsonpath={{range .items[*]{inner}}}x{{end}}");
            let listed = api.kubectl(&["get", resource, "-A", "-o", &template]).expect("kubectl").len();
            let counted = rows(&engine, &format!("SELECT count(*) FROM {table}")).await;
            assert_eq!(counted, [listed.to_string()], "{table}");
            let whole = rows(&engine, &format!("SELECT * FROM {table}")).await;
            assert_eq!(whole.len(), listed, "{table}");
        }
        let resources = rows(&engine, "SELECT name FROM kubernetes_api_resources WHERE name NOT LIKE '%/%'").await;
        let listed = api.kubectl(&["api-resources", "--no-headers"]).expect("kubectl").lines().count();
        assert!(resources.len() >= listed, "{} resources, kubectl knows {listed}", resources.len());
    });
}

#[test]
fn each_user_sees_what_is_theirs_and_hears_of_the_rest() {
    let api = estate();
    runtime().block_on(async {
        let engine = engine(api.kubeconfig_all(), Limits::default()).await;
        let (seen, warnings) =
            ask(&engine, "SELECT cluster, name FROM kubernetes_pods WHERE namespace = 'shop' ORDER BY cluster").await;
        assert_eq!(seen, ["admin@bed priv", "auditor@bed priv", "tenant@bed priv", "viewer@bed priv"]);
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert_eq!((warning.outcome, warning.needs.as_deref()), (Outcome::Denied, Some("list pods")));
        assert!(warning.message.contains(r#"User "nobody" cannot list resource "pods""#), "{warning}");

        // Only the column that may not be read is missing.
        let sql = "SELECT name, cluster_uid FROM kubernetes_pods WHERE cluster = 'tenant@bed' AND namespace = 'shop'";
        let (seen, warnings) = ask(&engine, sql).await;
        assert_eq!(seen, ["priv "]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0].needs.as_deref(), Some("get namespaces"));
    });
}

#[test]
fn keys_and_joins_ask_for_no_more_than_they_need() {
    let api = estate();
    let proxy = Fault::kube(&api).expect("a proxy");
    let kubeconfig = proxy.kubeconfig("admin").expect("a kubeconfig");
    runtime().block_on(async {
        let engine = engine(kubeconfig, Limits::default()).await;
        let asked = || -> Vec<String> {
            let requests = proxy.requests().iter().map(|request| format!("{}?{}", request.path, request.query)).collect();
            proxy.clear_requests();
            requests
        };
        for (sql, expected, urls) in [
            ("SELECT name FROM kubernetes_pods WHERE namespace = 'shop'", vec!["priv"], vec!["/api/v1/namespaces/shop/pods?limit=500"]),
            ("SELECT name FROM kubernetes_pods WHERE phase = 'Running' AND namespace = 'shop'", vec!["priv"],
             vec!["/api/v1/namespaces/shop/pods?limit=500&fieldSelector=status.phase=Running"]),
            ("SELECT name FROM kubernetes_pods WHERE cluster <> 'admin@bed'", vec![], vec![]),
            ("SELECT p.name, c.name FROM kubernetes_pods p JOIN kubernetes_pod_containers c ON c.pod_uid = p.uid WHERE c.privileged",
             vec!["priv c"], vec!["/api/v1/pods?limit=500"]),
        ] {
            assert_eq!(rows(&engine, sql).await, expected, "{sql}");
            assert_eq!(asked(), urls, "{sql}");
        }
        let (none, warnings) = ask(&engine, "SELECT name FROM kubernetes_pods WHERE cluster = 'elsewhere'").await;
        let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        let absent = "there is no context `elsewhere`; there are: admin@bed";
        assert_eq!((none, told), (vec![], vec![format!("kubernetes_pods (cluster=elsewhere): {absent}")]));
        assert!(asked().is_empty());
    });
}

#[test]
fn a_server_that_misbehaves_costs_its_own_rows_only() {
    let api = estate();
    let limits = || Limits { call_timeout: Duration::from_secs(2), retries: 2, ..Limits::default() };
    let cases = [
        (
            Effect::kube_status(401, "Unauthorized", "Unauthorized"),
            Some((Outcome::Denied, "does not accept the credentials")),
        ),
        (Effect::kube_status(403, "Forbidden", "pods is forbidden"), Some((Outcome::Denied, "list pods"))),
        (Effect::status(503), Some((Outcome::Io, "503"))),
        (Effect::Garbage(b"\x00\xff garbage".to_vec()), Some((Outcome::Malformed, ""))),
        (Effect::Garbage(b"<html>login</html>".to_vec()), Some((Outcome::Malformed, ""))),
        (Effect::Truncate(40), Some((Outcome::Io, "breaks off"))),
        (Effect::Reset, Some((Outcome::Io, ""))),
        (Effect::Hang, Some((Outcome::Io, "no answer within"))),
        (Effect::Delay(Duration::from_millis(300)), None),
    ];
    let runtime = runtime();
    for (effect, expected) in cases {
        // The proxy has a runtime of its own, so it lives outside of ours.
        let proxy = Fault::kube(&api).expect("a proxy");
        let words = format!("{effect:?}");
        proxy.rule(Rule::new(effect).path("/pods"));
        runtime.block_on(async {
            let engine = engine(proxy.kubeconfig("admin").expect("a kubeconfig"), limits()).await;
            let (pods, warnings) = ask(&engine, "SELECT name FROM kubernetes_pods WHERE namespace = 'shop'").await;
            match expected {
                None => assert_eq!((pods, warnings), (vec!["priv".to_owned()], vec![]), "{words}"),
                Some((outcome, part)) => {
                    let [warning] = warnings.as_slice() else { panic!("{words}: {warnings:?}") };
                    assert!(pods.is_empty(), "{words}");
                    assert_eq!(warning.outcome, outcome, "{words}: {warning}");
                    assert!(warning.to_string().contains(part), "{words}: {warning}");
                }
            }
            // The rest of the cluster is as it was.
            assert_eq!(rows(&engine, "SELECT name FROM kubernetes_nodes").await, ["node-a"], "{words}");
        });
    }
}

#[test]
fn credentials_that_have_expired_are_said_to_have() {
    let api = estate();
    let sql = "SELECT name FROM kubernetes_pods WHERE namespace = 'shop'";
    let seen = |kubeconfig: PathBuf| {
        runtime().block_on(async { ask(&engine(kubeconfig, Limits::default()).await, sql).await })
    };
    let by_certificate = |days| api.kubeconfig_by_certificate("admin", days).expect("a certificate");
    assert_eq!(seen(by_certificate(1)), (vec!["priv".to_owned()], vec![]));
    let by_token = |seconds| api.kubeconfig_by_token("shop", "deployer", seconds).expect("a token");
    let (_, warnings) = seen(by_token(600));
    // The server knows who asks: it is what may be seen that is wanting.
    assert!(warnings.iter().all(|warning| warning.needs.as_deref() == Some("list pods")), "{warnings:?}");

    for (kubeconfig, what) in [(by_certificate(-1), "client certificate"), (by_token(-600), "token")] {
        let (pods, warnings) = seen(kubeconfig);
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(pods.is_empty());
        assert_eq!((warning.outcome, warning.needs.as_deref()), (Outcome::Denied, None));
        let said = format!("the {what} expired at 20");
        assert!(warning.message.contains(&said) && warning.message.contains("sign in again"), "{warning}");
    }
}

#[test]
fn a_server_that_asks_for_patience_gets_it() {
    let api = estate();
    let proxy = Fault::kube(&api).expect("a proxy");
    proxy.rule(Rule::new(Effect::too_many_requests(1)).path("/pods").first(1));
    let later = |header: &str| Effect::Status {
        code: 503,
        headers: vec![("retry-after".to_owned(), header.to_owned())],
        body: String::new(),
    };
    proxy.rule(Rule::new(Effect::status(503)).path("/nodes").first(1));
    proxy.rule(Rule::new(later("1")).path("/deployments").first(1));
    proxy.rule(Rule::new(later("Fri, 31 Dec 2100 23:59:59 GMT")).path("/clusterroles"));
    proxy.rule(Rule::new(Effect::too_many_requests(3600)).path("/serviceaccounts"));
    runtime().block_on(async {
        let engine = engine(proxy.kubeconfig("admin").expect("a kubeconfig"), Limits::default()).await;
        let start = std::time::Instant::now();
        assert_eq!(rows(&engine, "SELECT name FROM kubernetes_pods WHERE namespace = 'shop'").await, ["priv"]);
        assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
        assert_eq!(rows(&engine, "SELECT name FROM kubernetes_nodes").await, ["node-a"]);
        let start = std::time::Instant::now();
        rows(&engine, "SELECT name FROM kubernetes_deployments").await;
        assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
        // Nobody waits for an hour.
        for (table, told) in [
            ("kubernetes_service_accounts", ": throttled, asks to wait 3600s"),
            (
                "kubernetes_cluster_role_policy_rules",
                "the API server answers 503 Service Unavailable: throttled, asks to wait ",
            ),
        ] {
            let start = std::time::Instant::now();
            let (seen, warnings) = ask(&engine, &format!("SELECT name FROM {table}")).await;
            assert!(seen.is_empty() && start.elapsed() < Duration::from_secs(10), "{seen:?} {:?}", start.elapsed());
            let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
            assert!(warning.outcome == Outcome::Io && warning.message.contains(told), "{warning}");
        }
        // Silence is waited for twice, however many tries there may be.
        proxy.clear_rules();
        proxy.rule(Rule::new(Effect::Hang).path("/pods"));
        let limits = Limits { call_timeout: Duration::from_secs(1), ..Limits::default() };
        let engine = self::engine(proxy.kubeconfig("admin").expect("a kubeconfig"), limits).await;
        let start = std::time::Instant::now();
        let (_, warnings) = ask(&engine, "SELECT name FROM kubernetes_pods").await;
        assert!(warnings[0].message.contains("no answer within 1s"), "{warnings:?}");
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    });
}

#[test]
fn values_of_the_wrong_kind_are_warnings_of_their_columns() {
    let api = estate();
    let proxy = Fault::kube(&api).expect("a proxy");
    let pod = r#"{"metadata":{"name":5,"labels":"x"},"spec":[]}"#;
    let body = format!(r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{}},"items":[{pod},{pod}]}}"#);
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    proxy.rule(Rule::new(Effect::Status { code: 200, headers, body }).path("/pods"));
    runtime().block_on(async {
        let engine = engine(proxy.kubeconfig("admin").expect("a kubeconfig"), Limits::default()).await;
        let (seen, warnings) = ask(&engine, "SELECT name, node_name, phase FROM kubernetes_pods").await;
        assert_eq!(seen, ["5  ", "5  "]);
        let node_name = "kubernetes_pods (cluster=admin@bed, node_name): `spec.nodeName` holds a list";
        let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told, [format!("{node_name}, which does not fit the column [2 times]")]);
        let (_, warnings) = ask(&engine, "SELECT labels FROM kubernetes_pods").await;
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert_eq!((warning.outcome, warning.count), (Outcome::Malformed, 2), "{warning}");
        assert!(warning.message.starts_with("`metadata.labels` holds a text"), "{warning}");
    });
}

#[test]
fn an_unreachable_cluster_hides_no_other() {
    let server = KubeServer::start(30).expect("a server");
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("config");
    let text = format!(
        "{{contexts: [{{name: good, context: {{cluster: g, user: u}}}}, {{name: bad, context: {{cluster: b, user: u}}}},
           {{name: plug, context: {{cluster: g, user: p}}}}, {{name: lost, context: {{cluster: absent, user: u}}}}],
         clusters: [{{name: g, cluster: {{server: '{}'}}}}, {{name: b, cluster: {{server: 'http://127.0.0.1:1'}}}}],
         users: [{{name: u, user: {{}}}}, {{name: p, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: 'false'}}}}}}]}}",
        server.url(),
    );
    std::fs::write(&kubeconfig, text).expect("written");
    runtime().block_on(async {
        let engine = engine(&kubeconfig, Limits { retries: 0, ..Limits::default() }).await;
        let (seen, warnings) = ask(&engine, "SELECT cluster, count(*) FROM kubernetes_pods GROUP BY cluster").await;
        assert_eq!(seen, ["good 30"]);
        let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told.iter().any(|warning| warning.contains("cluster=bad") && warning.contains("cannot be reached")),
            "{told:?}"
        );
        assert!(
            told.iter().any(|warning| warning.contains("cluster=plug") && warning.contains("plug-in `false`")),
            "{told:?}"
        );
        assert!(told.iter().any(|warning| warning.contains("cluster=lost")), "{told:?}");
        // Conditions on the cluster leave others alone.
        for condition in ["cluster LIKE 'g%'", "cluster NOT IN ('bad', 'plug', 'lost')", "upper(cluster) = 'GOOD'"] {
            let sql = format!("SELECT count(*) FROM kubernetes_pods WHERE {condition}");
            assert_eq!(rows(&engine, &sql).await, ["30"], "{condition}");
        }
    });
}

#[test]
fn twenty_thousand_pods_stream() {
    let server = KubeServer::start(20_000).expect("a server");
    runtime().block_on(async {
        let engine = engine(server.kubeconfig(), Limits::default()).await;
        assert_eq!(rows(&engine, "SELECT count(*), count(DISTINCT uid) FROM kubernetes_pods").await, ["20000 20000"]);
        assert_eq!(server.pages(), 40);
        // A limit stops paging.
        assert_eq!(rows(&engine, "SELECT name FROM kubernetes_pods LIMIT 10").await.len(), 10);
        assert_eq!(server.pages(), 41);
    });
}

#[test]
fn a_list_that_expires_is_given_once() {
    let server = KubeServer::with(KubeServerOptions { pods: 3_000, expire_after: Some(1_000) }).expect("a server");
    runtime().block_on(async {
        let engine = engine(server.kubeconfig(), Limits::default()).await;
        assert_eq!(rows(&engine, "SELECT count(*), count(DISTINCT uid) FROM kubernetes_pods").await, ["3000 3000"]);
    });
}
