//! Users with rights in some namespaces only, on a real API server.

use std::path::Path;

use indago_engine::{Engine, Outcome, Warning};
use indago_table::Sys;
use indago_tables_kubernetes::{Kubernetes, Settings, functions, tables};
use indago_testkit::beds::{Fault, KubeApi};

use crate::kubernetes::runtime;
use crate::support::ask;

/// Pat may read two of three namespaces, and Sam also the names of all.
const OBJECTS: &str = r#"
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: one}}
- {apiVersion: v1, kind: Namespace, metadata: {name: two}}
- {apiVersion: v1, kind: Namespace, metadata: {name: dark}}
- {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: one}, spec: {containers: [{name: c, image: i}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: b, namespace: two}, spec: {hostPID: true, containers: [{name: c, image: i}]}}
- {apiVersion: v1, kind: Pod, metadata: {name: x, namespace: dark}, spec: {containers: [{name: c, image: i}]}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: two}
  spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRole
  metadata: {name: reader}
  rules:
  - {apiGroups: ["", apps], resources: [pods, deployments], verbs: [get, list]}
  - {apiGroups: [rbac.authorization.k8s.io], resources: [roles, rolebindings], verbs: [list]}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRole
  metadata: {name: 'it''s"; DROP TABLE x, y=z; --'}
  rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRole
  metadata: {name: namer}
  rules: [{apiGroups: [""], resources: [namespaces], verbs: [list]}]
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRoleBinding
  metadata: {name: namers}
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: namer}
  subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: sam}]
- apiVersion: rbac.authorization.k8s.io/v1
  kind: RoleBinding
  metadata: {name: readers, namespace: one}
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
  subjects:
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: pat}
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: sam}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: RoleBinding
  metadata: {name: readers, namespace: two}
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
  subjects:
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: pat}
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: sam}
"#;

async fn engine(kubeconfig: &Path, namespaces: &[&str], watch: Option<bool>) -> Engine {
    let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
    let kubeconfig = Some(kubeconfig.to_owned());
    let clusters = Kubernetes::new(&Sys::live(), Settings { kubeconfig, namespaces, watch, ..Settings::default() });
    let builder = Engine::builder().tables(tables(&clusters)).functions(functions(&clusters));
    builder.build().await.expect("an engine")
}

#[test]
fn a_user_of_some_namespaces_reads_these_and_is_told_of_the_others() {
    let api = KubeApi::start().expect("an API server");
    api.apply(OBJECTS).expect("the objects");
    let proxy = Fault::kube(&api).expect("a proxy");
    runtime().block_on(async {
        let pods = "SELECT namespace, name FROM kubernetes_pods ORDER BY 1, 2";
        let refused = |warnings: &[Warning], part: &str| {
            let [warning] = warnings else { panic!("{warnings:?}") };
            assert_eq!((warning.outcome, warning.needs.as_deref()), (Outcome::Denied, Some("list pods")));
            assert!(warning.message.contains(part), "{warning:?}");
        };
        let of = |user: &str| api.kubeconfig_by_certificate(user, 1).expect("a certificate");

        // Without names of namespaces, the refusal is all there is.
        let (rows, warnings) = ask(&engine(&of("pat"), &[], None).await, pods).await;
        assert!(rows.is_empty(), "{rows:?}");
        refused(&warnings, "pods is forbidden");

        // Those that the configuration names, with watches and without.
        for watch in [None, Some(true)] {
            let pat = engine(&of("pat"), &["two", "one", "dark", "absent", "../x"], watch).await;
            let (rows, warnings) = ask(&pat, pods).await;
            assert_eq!(rows, ["one a", "two b"]);
            refused(&warnings, "only the namespaces one, two are read, and 2 others are not");
            let (coverage, _) = ask(&pat, "SELECT completeness FROM engine_coverage").await;
            assert_eq!(coverage, ["partial"]);
            // A named namespace needs no review, and several tables of one list read it once.
            let (rows, warnings) = ask(&pat, "SELECT name FROM kubernetes_pods WHERE namespace = 'two'").await;
            assert_eq!((rows, warnings.len()), (vec!["b".to_owned()], 0), "{warnings:?}");
            let both = "SELECT p.name, c.name FROM kubernetes_pods p JOIN kubernetes_pod_containers c ON c.pod_uid = p.uid ORDER BY 1";
            assert_eq!(ask(&pat, both).await.0, ["a c", "b c"]);
        }

        // All namespaces, if the user may list them. The reviews are made once per query.
        let sam = engine(&of("sam"), &[], None).await;
        let (rows, warnings) = ask(&sam, pods).await;
        assert_eq!(rows, ["one a", "two b"]);
        refused(&warnings, "only the namespaces one, two are read, and");
        // Tables of several lists have the rows of what may be read.
        let sql = "SELECT kind, namespace, name, level FROM kubernetes_workload_pod_security ORDER BY 1, 2, 3";
        let (rows, warnings) = ask(&sam, sql).await;
        assert_eq!(rows, ["Deployment two web baseline", "Pod one a baseline", "Pod two b privileged"]);
        assert!(!warnings.is_empty() && warnings.iter().all(|it| it.outcome == Outcome::Denied), "{warnings:?}");
        // What is granted where Sam may not look is unknown, not refused.
        let can = "SELECT kubernetes_can_i('user:pat', 'list', 'pods.', 'dark')";
        assert_eq!(ask(&sam, can).await.0, ["NULL"]);
        let who = "SELECT count(*) FROM kubernetes_access WHERE binding_name = 'readers'";
        let (rows, warnings) = ask(&sam, who).await;
        // The cluster role itself may not be read.
        assert_eq!(rows, ["0"]);
        assert!(warnings.iter().any(|it| it.needs.as_deref() == Some("list clusterroles")), "{warnings:?}");

        let kubeconfig = proxy.kubeconfig("viewer").expect("a kubeconfig");
        let viewer = engine(&kubeconfig, &["one"], None).await;
        proxy.clear_requests();
        let (rows, warnings) = ask(&viewer, pods).await;
        assert!(rows.len() >= 3 && warnings.is_empty(), "{rows:?} {warnings:?}");
        assert_eq!(proxy.count("selfsubjectrulesreviews"), 0, "a user who may list everything is not reviewed");

        // Namespaces that are being deleted or do not exist, and names that look like SQL, are data.
        api.kubectl(&["delete", "namespace", "dark", "--wait=false"]).expect("a deletion");
        let admin = engine(&api.kubeconfig("admin"), &[], None).await;
        for (sql, expected) in [
            ("SELECT name FROM kubernetes_namespaces WHERE phase = 'Terminating'", &["dark"][..]),
            ("SELECT name FROM kubernetes_pods WHERE namespace = 'dark'", &["x"]),
            ("SELECT name FROM kubernetes_pods WHERE namespace = 'gone'", &[]),
            (
                "SELECT name FROM kubernetes_cluster_role_policy_rules WHERE name = 'it''s\"; DROP TABLE x, y=z; --'",
                &["it's\"; DROP TABLE x, y=z; --"],
            ),
            ("SELECT count(*) FROM kubernetes_cluster_role_policy_rules WHERE name LIKE '%DROP TABLE%'", &["1"]),
        ] {
            let (rows, warnings) = ask(&admin, sql).await;
            assert_eq!(rows, expected, "{sql}");
            assert!(warnings.is_empty(), "{sql}: {warnings:?}");
        }
    });
}
