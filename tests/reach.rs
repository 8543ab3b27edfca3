//! The attack graph over manifests and a real API server, its functions, and the queries of its guide.

use std::path::Path;

use indago::{Code, Engine, QueryOptions};
use indago_table::Warning;
use indago_testkit::beds::KubeApi;

use crate::cli::indago;
use crate::kubernetes::runtime;
use crate::support::{ask, root, sql_blocks};

const FIXTURE: &str = include_str!("fixtures/kubernetes/reach.yaml");
const CLUSTER: &str = "manifests:reach.yaml";

/// The engine of a configuration for Kubernetes alone.
async fn engine(folder: &Path, kubernetes: &str) -> Engine {
    let others = ["host", "containers", "aws", "git"].map(|name| format!("[{name}]\nenabled = false\n")).concat();
    let file = folder.join("indago.toml");
    std::fs::write(&file, format!("{others}[kubernetes]\n{kubernetes}\n")).expect("written");
    let config = indago::config::Config::read(&file).expect("a configuration");
    indago::open(&config).await.expect("an engine")
}

/// The engine over the fixture.
async fn over_manifests(folder: &Path) -> Engine {
    let manifests = folder.join("reach.yaml");
    std::fs::write(&manifests, FIXTURE).expect("written");
    let absent = folder.join("absent");
    engine(folder, &format!("kubeconfig = {absent:?}\nmanifests = [{manifests:?}]")).await
}

/// Rows, and the warnings that are not about the kubeconfig. Manifests have no server, so no warning is about its version.
async fn rows(engine: &Engine, sql: &str) -> (Vec<String>, Vec<Warning>) {
    let (rows, mut warnings) = ask(engine, sql).await;
    warnings.retain(|it| it.table == "kubernetes_info" || !it.message.contains("kubeconfig"));
    (rows, warnings)
}

#[test]
fn a_planted_path_is_found_and_explained() {
    let folder = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let engine = over_manifests(folder.path()).await;
        let one = async |sql: &str| rows(&engine, &sql.replace("CLUSTER", CLUSTER)).await;

        let sql = "SELECT step, from_kind, kind, to_key, other_kinds FROM attack_paths('Endpoint', 'critical') WHERE path = 1 ORDER BY step";
        let (steps, warnings) = one(sql).await;
        let expected = [
            "1 Endpoint ENDPOINT_EXPLOIT container/CLUSTER/shop/web/web []",
            "2 Container IDENTITY_ASSUME identity/CLUSTER/ServiceAccount/shop/web []",
            "3 Identity PERMISSION_DISCOVER permission_set/CLUSTER/ops/support::support []",
            "4 PermissionSet POD_EXEC pod/CLUSTER/ops/agent []",
            "5 Pod CONTAINER_ATTACH container/CLUSTER/ops/agent/agent []",
            "6 Container CE_PRIV_MOUNT node/CLUSTER/control [CE_NSENTER, CE_MODULE_LOAD, CE_SYS_PTRACE]",
        ];
        assert_eq!(steps, expected.map(|step| step.replace("CLUSTER", CLUSTER)), "{warnings:?}");
        assert!(warnings.is_empty(), "{warnings:?}");

        // Each step has the change that removes it.
        let sql = "SELECT breaks FROM attack_paths('endpoint/CLUSTER/shop/web-1/web/TCP/8080', 'node/CLUSTER/control') WHERE path = 1 ORDER BY step";
        assert_eq!(
            one(sql).await.0,
            [
                "remove the pod shop/web from the services with the port 8080",
                "set automountServiceAccountToken: false in the pod shop/web",
                "remove ServiceAccount shop/web from the RoleBinding ops/support",
                "remove the right to create or get pods/exec from rule 1 of the ClusterRole support",
                "remove the container agent from the pod ops/agent",
                "set privileged: false in the container agent of the pod ops/agent",
            ]
        );
        // A shorter limit cuts the path; KubeHound does not follow the binding of another namespace.
        assert!(one("SELECT * FROM attack_paths('Endpoint', 'critical', 5)").await.0.is_empty());
        let sql = "SELECT model FROM graph_edges WHERE kind = 'PERMISSION_DISCOVER' AND to_key LIKE '%support::support'";
        assert_eq!(one(sql).await.0, ["correct"]);

        let sql = "SELECT distance, cost, kind, via_kind, critical FROM attack_reach('container/CLUSTER/shop/web/web') ORDER BY distance, key";
        let (reached, _) = one(sql).await;
        assert_eq!(reached[0], "0 0 Container NULL false");
        assert!(reached.contains(&"5 3 Node CE_PRIV_MOUNT true".to_owned()), "{reached:?}");
        // What runs as another user, without a token, reaches nothing.
        let sql = "SELECT key FROM attack_reach('container/CLUSTER/shop/quiet/quiet')";
        assert_eq!(one(sql).await.0, [format!("container/{CLUSTER}/shop/quiet/quiet")]);
    });
}

#[test]
fn nodes_and_edges_are_tables() {
    let folder = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let engine = over_manifests(folder.path()).await;
        let one = async |sql: &str| rows(&engine, &sql.replace("CLUSTER", CLUSTER)).await.0;
        assert_eq!(
            one("SELECT kind, name, critical_reason FROM graph_nodes WHERE critical").await,
            ["Node control it runs the control plane"]
        );
        let sql = "SELECT kind, key, models FROM graph_nodes WHERE name IN ('quiet', 'eve') AND kind = 'Identity' ORDER BY key";
        assert_eq!(
            one(sql).await,
            [
                format!("Identity identity/{CLUSTER}/ServiceAccount/shop/quiet [correct]"),
                format!("Identity identity/{CLUSTER}/User/eve [correct, kubehound]"),
            ]
        );
        // Pod Security admission of the namespace refuses a pod that controls its node.
        let sql = "SELECT model, count(*) FROM graph_edges WHERE kind = 'POD_CREATE' GROUP BY model";
        assert_eq!(one(sql).await, ["kubehound 2"]);
        // Each row that proves an edge exists.
        let sql = "SELECT DISTINCT json_extract(value, '$.table') AS t, json_extract(value, '$.key') AS k
                   FROM graph_edges, json_each(proof) WHERE model = 'correct' AND kind <> 'ENDPOINT_EXPLOIT'";
        let proofs = one(sql).await;
        assert!(proofs.len() > 5, "{proofs:?}");
        for proof in proofs {
            let (table, key) = proof.split_once(' ').expect("two values");
            // The role has its rules from another one.
            if key.contains("name = 'support'") && table.contains("policy_rules") {
                continue;
            }
            let found = one(&format!("SELECT count(*) FROM {table} WHERE {key}")).await;
            assert_ne!(found, ["0"], "{table}: {key}");
        }
        // Conditions choose; what does not exist has no rows.
        let count = async |condition: &str| one(&format!("SELECT count(*) FROM graph_edges WHERE {condition}")).await;
        assert_eq!(count("cluster = 'other'").await, ["0"]);
        assert_eq!(count("kind = 'NOTHING'").await, ["0"]);
        assert_eq!(count("model = 'other'").await, ["0"]);
        assert_ne!(count("cluster = 'CLUSTER'").await, ["0"]);
        // One kind alone has the same edges as among all.
        for kind in ["CE_NSENTER", "IDENTITY_ASSUME", "POD_EXEC", "POD_ATTACH", "VOLUME_DISCOVER"] {
            let edges = format!("SELECT from_key, to_key, model FROM graph_edges WHERE kind = '{kind}' ORDER BY 1, 2, 3");
            let all = format!("SELECT from_key, to_key, model FROM graph_edges WHERE kind || '' = '{kind}' ORDER BY 1, 2, 3");
            let edges = one(&edges).await;
            assert!(!edges.is_empty(), "{kind}");
            assert_eq!(edges, one(&all).await, "{kind}");
        }
    });
}

#[test]
fn bad_arguments_are_errors_and_unknown_nodes_are_notes() {
    let folder = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let engine = over_manifests(folder.path()).await;
        for (sql, expected) in [
            ("SELECT * FROM attack_paths('Pod')", "write attack_paths(from, to)"),
            ("SELECT * FROM attack_paths('Pod', 'Node', 'x')", "write a number from 1 to 32"),
            ("SELECT * FROM attack_paths('Pod', 'Node', 0)", "write a number from 1 to 32"),
            ("SELECT * FROM attack_reach()", "write attack_reach(from)"),
        ] {
            let error = engine.query(sql).await.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected), "{sql}: {error}");
        }
        let (none, warnings) = rows(&engine, "SELECT * FROM attack_reach('pod/none')").await;
        assert!(none.is_empty());
        assert!(
            warnings.len() == 1 && warnings[0].is_note() && warnings[0].message.contains("pod/none"),
            "{warnings:?}"
        );
    });
}

#[test]
fn the_queries_of_the_guide_run() {
    let folder = tempfile::tempdir().expect("a directory");
    runtime().block_on(async {
        let engine = over_manifests(folder.path()).await;
        let page = std::fs::read_to_string(root().join("docs/guide/reach.md")).expect("the page");
        let mut count = 0;
        for sql in sql_blocks(&page) {
            let (found, warnings) = rows(&engine, sql.trim().trim_end_matches(';')).await;
            assert!(!found.is_empty(), "{sql}");
            assert!(warnings.is_empty(), "{sql}: {warnings:?}");
            count += 1;
        }
        assert!(count >= 6, "{count} queries");
    });
}

/// The same objects on a real API server.
#[test]
fn a_cluster_has_the_path() {
    let api = KubeApi::start().expect("an API server");
    let folder = tempfile::tempdir().expect("a directory");
    // No controller writes slices here, so the port of the container is the endpoint.
    // Its admission adds no token, so the pod has the volume that a cluster would add.
    let fixture = FIXTURE.replace(
        "ports: [{containerPort: 8080}]}]",
        "ports: [{containerPort: 8080}], volumeMounts: [{name: kube-api-access-x, mountPath: /token}]}]\n  \
         volumes: [{name: kube-api-access-x, projected: {sources: [{serviceAccountToken: {path: token}}]}}]",
    );
    let objects: Vec<&str> = fixture.split("---\n").filter(|object| !object.contains("kind: EndpointSlice")).collect();
    api.apply(&objects.join("---\n")).expect("the objects fit");
    for (namespace, name) in [("shop", "web"), ("shop", "quiet"), ("ops", "agent")] {
        let patch = r#"{"status":{"phase":"Running"}}"#;
        let arguments = ["patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", patch];
        api.kubectl(&arguments).expect("the status fits");
    }
    runtime().block_on(async {
        let kubeconfig = api.kubeconfig("admin");
        let engine = engine(folder.path(), &format!("kubeconfig = {kubeconfig:?}")).await;
        let sql = "SELECT to_key FROM attack_paths('Endpoint', 'Node') WHERE path = 1 ORDER BY step";
        let (steps, warnings) = rows(&engine, sql).await;
        let edges = rows(&engine, "SELECT kind, from_key, to_key FROM graph_edges WHERE model = 'correct'").await;
        assert_eq!(steps.len(), 6, "{steps:?} {warnings:?} {edges:#?}");
        assert!(steps[5].ends_with("/control"), "{steps:?}");
        // The calls for the lists of the graph are calls of the query.
        let options = QueryOptions { max_calls: Some(2), ..QueryOptions::default() };
        let query = engine.query_with("SELECT count(*) FROM graph_edges", options).await.expect("it plans");
        let error = query.collect().await.expect_err("two calls are not enough");
        assert_eq!(error.code(), Code::Calls, "{error}");
    });
}

/// What was recorded of roles, pods and the others is enough for the graph of that time.
#[test]
fn the_graph_of_a_past_time_is_computed() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = |name: &str| folder.path().join(name);
    let others = ["host", "containers", "aws", "git"].map(|name| format!("[{name}]\nenabled = false\n")).concat();
    let settings = format!(
        "{others}[kubernetes]\nkubeconfig = {:?}\nmanifests = [{:?}]\n[record]\ndir = {:?}\nwriter = \"w\"\n\
         [recording.all]\ntables = [\"kubernetes_*\"]\n",
        path("absent"),
        path("reach.yaml"),
        path("recorded")
    );
    std::fs::write(path("indago.toml"), settings).expect("written");
    std::fs::write(path("reach.yaml"), FIXTURE).expect("written");
    let run = |arguments: &[&str]| {
        let output =
            indago().arg("--config").arg(path("indago.toml")).args(arguments).output().expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    run(&["record", "--once"]);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let moment = chrono::Utc::now().to_rfc3339();
    std::fs::write(path("reach.yaml"), FIXTURE.replace("privileged: true, runAsUser", "runAsUser")).expect("written");
    let sql = "SELECT count(*) AS n FROM graph_edges WHERE model = 'correct' AND kind = 'CE_NSENTER'";
    let count = |more: &[&str]| {
        let arguments: Vec<&str> = ["query", "--format", "csv", sql].iter().chain(more).copied().collect();
        run(&arguments).trim().rsplit('\n').next().map(str::to_owned)
    };
    assert_eq!(count(&[]).as_deref(), Some("0"));
    assert_eq!(count(&["--as-of", &moment]).as_deref(), Some("1"));
}
