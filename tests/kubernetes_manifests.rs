//! Tables over manifests, alone and next to a real cluster.

use std::path::{Path, PathBuf};

use indago_engine::{Engine, EngineBuilder, Outcome, Warning};
use indago_table::Sys;
use indago_tables_kubernetes::{Kubernetes, Settings, catalogs, tables};
use indago_testkit::beds::KubeApi;

use crate::support::texts;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kubernetes/manifests")
}

async fn engine(sys: &Sys, settings: Settings) -> Engine {
    let clusters = Kubernetes::new(sys, settings);
    let builder = Engine::builder().tables(tables(&clusters));
    catalogs(&clusters).into_iter().fold(builder, EngineBuilder::catalog).build().await.expect("an engine")
}

async fn ask(engine: &Engine, sql: &str) -> (Vec<String>, Vec<Warning>) {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    (texts(&batches).into_iter().map(|row| row.join(" ")).collect(), query.warnings())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Files of a machine without a kubeconfig, read as a directory.
#[test]
fn files_are_read_as_a_cluster_is() {
    let root = tempfile::tempdir().expect("a directory");
    let status = std::process::Command::new("cp").arg("-r").arg(fixture()).arg(root.path().join("deploy")).status();
    assert!(status.expect("cp runs").success());
    runtime().block_on(async {
        let settings = Settings { manifests: vec!["/deploy/".into()], ..Settings::default() };
        let engine = engine(&Sys::at(root.path()), settings).await;
        let pods = "SELECT cluster, namespace, name, source_path, source_line FROM kubernetes_pods ORDER BY name";
        let (rows, warnings) = ask(&engine, pods).await;
        assert_eq!(
            rows,
            [
                "manifests:deploy db inner /deploy/base/list.json 6",
                "manifests:deploy  other /deploy/base/app.yaml 30",
                "manifests:deploy shop web /deploy/base/app.yaml 10",
            ]
        );
        let told: Vec<_> = warnings.iter().map(|it| (it.origin.as_str(), it.outcome)).collect();
        assert_eq!(
            told,
            [
                ("/deploy/base/kustomization.yaml", Outcome::Unsupported),
                ("/deploy/chart", Outcome::Unsupported),
                ("/deploy/overlays/prod/kustomization.yaml", Outcome::Unsupported),
                ("/deploy/base/app.yaml:28", Outcome::Malformed),
                ("/deploy/overlays/prod/values.yml:1", Outcome::Malformed),
            ],
            "{warnings:?}"
        );
        let one = async |sql: &str| ask(&engine, sql).await.0.join("|");
        // Constraints apply as with an API server.
        assert_eq!(one("SELECT name FROM kubernetes_pods WHERE namespace = 'shop'").await, "web");
        assert_eq!(one("SELECT name FROM kubernetes_pods WHERE name IN ('web', 'inner', 'x') ORDER BY 1").await, "inner|web");
        assert_eq!(one("SELECT name FROM kubernetes_pods WHERE label_selector = 'app in (web, db),tier'").await, "web");
        assert_eq!(one("SELECT name FROM kubernetes_pods WHERE label_selector = '!tier' ORDER BY 1").await, "inner|other");
        assert_eq!(one("SELECT name FROM kubernetes_pods WHERE field_selector = 'metadata.namespace!=shop' ORDER BY 1").await, "inner|other");
        let (none, warnings) = ask(&engine, "SELECT name FROM kubernetes_pods WHERE label_selector = 'a b'").await;
        assert!(none.is_empty() && warnings.iter().any(|it| it.message.contains("`a b` is not a requirement")), "{warnings:?}");
        // The rest of the tables, and several tables of one query.
        assert_eq!(one("SELECT p.name, c.name, c.image FROM kubernetes_pods p JOIN kubernetes_pod_containers c ON c.pod_uid = p.uid AND c.pod_name = p.name WHERE c.privileged").await, "web main registry.example.com/web:1.2");
        assert_eq!(one("SELECT name, source_line, annotations['note'], cluster_uid FROM kubernetes_pods WHERE labels['app'] = 'web'").await, "web 10 0644 NULL");
        assert_eq!(one("SELECT name, deployment_replicas FROM kubernetes_deployments").await, "web 5");
        assert_eq!(one("SELECT name, source_line FROM kubernetes_service_accounts ORDER BY 1").await, "listed 5|web 3");
        // Resources without a table: by a definition among the files, or as they are.
        assert_eq!(one("SELECT name, weight, source_line FROM kubernetes_oxen").await, "blue 9007199254740993 14");
        assert_eq!(one("SELECT namespace, name, json_extract(spec, '$.minAvailable') FROM kubernetes_poddisruptionbudgets").await, "shop web 50%");
        assert_eq!(one("SELECT name FROM kubernetes_oxen_farm_example_com").await, "blue");
        let (names, _) = engine.found_names().await;
        let names: Vec<_> = names.into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["kubernetes_customresourcedefinitions", "kubernetes_oxen"]);
        // A table that is not about listed resources has nothing to do with files.
        let (none, warnings) = ask(&engine, "SELECT name FROM kubernetes_api_resources").await;
        assert!(none.is_empty() && warnings[0].message.starts_with("no cluster is configured"), "{warnings:?}");
        let plan = one("EXPLAIN SELECT name FROM kubernetes_pods WHERE namespace = 'shop'").await;
        assert!(plan.contains("cluster=manifests:deploy READ /deploy/"), "{plan}");
    });
}

#[test]
fn one_query_compares_what_runs_with_what_is_about_to() {
    let api = KubeApi::start().expect("an API server");
    let spec = "{replicas: 2, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}";
    let deployment =
        format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: default}}\nspec: {spec}\n");
    api.apply(&deployment).expect("a deployment");
    runtime().block_on(async {
        let settings = Settings {
            kubeconfig: Some(api.kubeconfig("admin")),
            contexts: vec!["*".to_owned()],
            manifests: vec![fixture().join("overlays/prod/patch.yaml"), fixture().join("custom.yaml"), "/absent".into()],
            ..Settings::default()
        };
        let engine = engine(&Sys::live(), settings).await;
        let sql = "SELECT f.cluster, r.cluster, r.deployment_replicas, f.deployment_replicas FROM kubernetes_deployments r
            JOIN kubernetes_deployments f ON f.name = r.name AND f.deployment_replicas <> r.deployment_replicas
            WHERE r.cluster = 'admin@bed' AND f.cluster LIKE 'manifests:%'";
        let (rows, warnings) = ask(&engine, sql).await;
        assert_eq!(rows, ["manifests:patch.yaml admin@bed 2 5"]);
        assert!(warnings.iter().all(|it| it.message.contains("/absent does not exist")), "{warnings:?}");
        // The cluster has the schema of a resource that the files have objects of.
        let (rows, warnings) =
            ask(&engine, "SELECT name, max_unavailable, min_available FROM kubernetes_poddisruptionbudgets WHERE cluster = 'manifests:custom.yaml'").await;
        assert_eq!((rows, warnings.len()), (vec!["web NULL 50%".to_owned()], 0), "{warnings:?}");
        let (rows, warnings) = ask(&engine, "SELECT name FROM kubernetes_oxen WHERE cluster <> 'manifests:absent'").await;
        assert_eq!(rows, ["blue"]);
        assert!(warnings.len() == 1 && warnings[0].is_note(), "{warnings:?}");
    });
}
