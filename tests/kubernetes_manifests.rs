//! Tables over manifests, alone and next to a real cluster.

use std::path::{Path, PathBuf};

use indago_engine::{Engine, EngineBuilder, Outcome};
use indago_table::Sys;
use indago_tables_kubernetes::{Kubernetes, Settings, catalogs, tables};
use indago_testkit::beds::KubeApi;

use crate::kubernetes::runtime;
use crate::support::ask;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kubernetes/manifests")
}

async fn engine(sys: &Sys, settings: Settings) -> Engine {
    let clusters = Kubernetes::new(sys, settings);
    let builder = Engine::builder().tables(tables(&clusters));
    catalogs(&clusters).into_iter().fold(builder, EngineBuilder::catalog).build().await.expect("an engine")
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

/// Roles, bindings, workloads and what exposes them, as `helm template` writes them: some without a namespace.
const RELEASE: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: all}}]}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: part, labels: {to: all}}
rules: [{verbs: [get], apiGroups: [""], resources: [secrets, nodes]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: runner}
rules: [{verbs: ["*"], apiGroups: [apps], resources: [deployments]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: runners}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: runner}
subjects: [{kind: ServiceAccount, name: bot}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: all}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: admins}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      hostPID: true
      serviceAccountName: bot
      containers: [{name: c, image: "registry.example.com/web:1", ports: [{containerPort: 80, hostPort: 8080}]}]
---
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: i}]}}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: broken, namespace: shop}
spec: {template: 7}
---
apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, image: "busybox"}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 443, targetPort: 8443}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: inject}
webhooks: [{name: i.example.com, clientConfig: {url: "https://x"}, rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [pods]}]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: aws-auth, namespace: kube-system}
data: {mapRoles: "- {rolearn: 'arn:aws:iam::1:role/ops', username: ops, groups: ['system:masters']}"}
"#;

#[test]
fn what_is_about_to_be_granted_and_to_run_is_seen_before() {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::write(folder.path().join("release.yaml"), RELEASE).expect("a file");
    runtime().block_on(async {
        let settings = Settings {
            manifests: vec![folder.path().join("release.yaml")],
            kubeconfig: Some("/absent".into()),
            ..Settings::default()
        };
        let clusters = Kubernetes::new(&Sys::live(), settings);
        let functions = indago_tables_kubernetes::functions(&clusters);
        let builder = Engine::builder().tables(tables(&clusters)).functions(functions);
        let engine = builder.build().await.expect("an engine");
        let ask = async |sql: &str| {
            let (rows, mut warnings) = ask(&engine, sql).await;
            // The kubeconfig does not exist, which does not hide the files.
            warnings.retain(|it| !it.message.contains("this kubeconfig does not exist"));
            (rows, warnings)
        };
        let files = "cluster = 'manifests:release.yaml'";
        let absent = "bindings name roles that are not in the manifests, so what they grant is unknown: ClusterRole cluster-admin";
        for (sql, expected) in [
            (
                "SELECT subject, verb, api_group, resource, namespace, binding_name, role_name, usable FROM kubernetes_access
                 WHERE FILES ORDER BY subject, resource",
                &[
                    "system:serviceaccount::bot *  apps deployments  runners runner true",
                    "user:eve get  nodes shop readers all false",
                    "user:eve get  secrets shop readers all true",
                ][..],
            ),
            ("SELECT count(*) FROM kubernetes_access_expanded WHERE FILES", &["3"]),
            (
                "SELECT subject_name, namespace, role_name FROM kubernetes_who_can WHERE FILES AND verb = 'get' AND resource = 'secrets'",
                &["eve shop all"],
            ),
        ] {
            let (rows, warnings) = ask(&sql.replace("FILES", files)).await;
            let rows: Vec<String> = rows.iter().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            let expected: Vec<String> =
                expected.iter().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            assert_eq!(rows, expected, "{sql}");
            assert!(warnings.len() == 1 && warnings[0].message == absent, "{warnings:?}");
        }
        // What a role outside of the files grants is unknown.
        let can = |verb: &str, namespace: &str| {
            format!("SELECT kubernetes_can_i('user:eve', '{verb}', 'secrets', '{namespace}', NULL, 'manifests:release.yaml')")
        };
        assert_eq!(ask(&can("get", "shop")).await.0, ["true"]);
        assert_eq!(ask(&can("list", "shop")).await.0, ["NULL"]);
        let can = "SELECT kubernetes_can_request('user:eve', 'get', 'nodes', 'shop', NULL, 'manifests:release.yaml')";
        assert_eq!(ask(can).await.0, ["NULL"], "nodes are in no namespace");

        let (rows, warnings) = ask(&format!(
            "SELECT kind, name, level, baseline_violations, service_account_name, source_line
             FROM kubernetes_workload_pod_security WHERE {files} ORDER BY kind"
        ))
        .await;
        assert_eq!(
            rows,
            [
                "CronJob nightly baseline [] NULL 47",
                "Deployment web privileged [Host Namespaces, Host Ports] bot 36",
                "Pod lone baseline [] NULL 57",
            ]
        );
        let told: Vec<_> = warnings.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(told, ["StatefulSet shop/broken: skipped: it has no specification of a pod"]);
        let one = async |sql: &str| ask(sql).await.0.join("|");
        let sql = "SELECT kind FROM kubernetes_workload_pod_security WHERE kind IN ('Pod', 'DaemonSet') AND namespace = 'shop'";
        assert_eq!(one(sql).await, "Pod");
        assert_eq!(one("SELECT registry, repository FROM kubernetes_images").await, "docker.io library/busybox");
        let sql = "SELECT pod_name, isolated, policies FROM kubernetes_network_reachability WHERE direction = 'ingress'";
        assert_eq!(one(sql).await, "lone true [closed]");
        let sql = "SELECT type, name, port, pod_name FROM kubernetes_exposures WHERE type = 'LoadBalancer'";
        assert_eq!(one(sql).await, "LoadBalancer web 443 lone");
        let sql = "SELECT type, configuration, name, resources, cluster_uid FROM kubernetes_webhooks";
        assert_eq!(one(sql).await, "mutating inject i.example.com [pods] NULL");
        assert_eq!(one("SELECT arn, groups FROM kubernetes_aws_auth").await, "arn:aws:iam::1:role/ops [system:masters]");
    });
}
