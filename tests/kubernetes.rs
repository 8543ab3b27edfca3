//! The Kubernetes tables on a real API server, on a generated one, and on a faulty one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::array_value_to_string;
use indago_engine::{Code, Completeness, Engine, Limits, Outcome, Warning};
use indago_table::json::steps;
use indago_table::{ColumnSpec, Kind, ResourceSpec, Sys, TableSpec};
use indago_tables_kubernetes::{Kubernetes, Reads, Settings};
use indago_testkit::beds::generated::{KubeServer, KubeServerOptions};
use indago_testkit::beds::{Effect, Fault, KubeApi, Rule, Upstream};
use serde_json::Value;

const ESTATE: &str = include_str!("fixtures/kubernetes/estate.yaml");
const RESOURCES: &str = include_str!("fixtures/kubernetes/resources.yaml");
const TEMPLATE: &str = include_str!("fixtures/kubernetes/template.json");

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kubernetes").join(name)
}

/// An API server with the estate, and one object of each resource that has a table.
pub(crate) fn estate() -> KubeApi {
    let api = KubeApi::start().expect("an API server");
    api.apply(ESTATE).expect("the estate fits");
    let (path, status) = ("/api/v1/namespaces/shop/pods/priv/status", fixture("priv-status.json"));
    api.kubectl(&["replace", "--raw", path, "-f", &status.to_string_lossy()]).expect("the status fits");
    let template = |policy: &str| TEMPLATE.replace("RESTART", policy).replace('\n', " ");
    let mut resources = RESOURCES.replace("TEMPLATE_ALWAYS", &template("Always"));
    resources = resources.replace("TEMPLATE_NEVER", &template("Never"));
    for (version, older, kind, resource) in [
        ("batch/v1", "batch/v1beta1", "CronJob", "cronjobs"),
        ("policy/v1", "policy/v1beta1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ] {
        if !is_served(&api, version, resource) {
            let of = |version: &str| format!("apiVersion: {version}\nkind: {kind}\n");
            resources = resources.replace(&of(version), &of(older));
        }
    }
    api.apply(&resources).expect("the resources fit");
    if is_served(&api, "policy/v1beta1", "podsecuritypolicies") {
        api.apply(include_str!("fixtures/kubernetes/policies.yaml")).expect("the policies fit");
    }
    api
}

fn is_served(api: &KubeApi, version: &str, resource: &str) -> bool {
    let served = api.kubectl(&["get", "--raw", &format!("/apis/{version}")]);
    served.is_ok_and(|served| served.contains(&format!("\"{resource}\"")))
}

/// The clusters of these kubeconfig files, in all their contexts.
pub(crate) async fn engine(kubeconfig: impl AsRef<Path>, limits: Limits) -> Engine {
    let settings = Settings {
        kubeconfig: Some(kubeconfig.as_ref().to_owned()),
        contexts: vec!["*".to_owned()],
        ..Settings::default()
    };
    let tables = indago_tables_kubernetes::tables(&Kubernetes::new(&Sys::live(), settings));
    Engine::builder().tables(tables).limits(limits).build().await.expect("an engine")
}

/// Rows as texts, their columns separated by spaces, and the warnings.
pub(crate) async fn ask(engine: &Engine, sql: &str) -> (Vec<String>, Vec<Warning>) {
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

/// Rows of a query that must have no warnings.
pub(crate) async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let (rows, warnings) = ask(engine, sql).await;
    assert!(warnings.is_empty(), "{sql}: {warnings:?}");
    rows
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Where an object has the parts that each have a row, and the name of the part in the paths of the columns.
fn parts_of(table: &str) -> Option<(Vec<(&'static str, &'static str)>, &'static str)> {
    let containers = |spec: &'static str| match spec {
        "spec" => vec![
            ("spec.initContainers", "init"),
            ("spec.containers", "container"),
            ("spec.ephemeralContainers", "ephemeral"),
        ],
        "template.spec" => vec![("template.spec.initContainers", "init"), ("template.spec.containers", "container")],
        _ => vec![("spec.template.spec.initContainers", "init"), ("spec.template.spec.containers", "container")],
    };
    Some(match table {
        "kubernetes_pod_containers" => (containers("spec"), "container"),
        "kubernetes_pod_template_containers" => (containers("template.spec"), "container"),
        table if table.ends_with("_containers") => (containers("spec.template.spec"), "container"),
        "kubernetes_pod_volumes" => (vec![("spec.volumes", "")], "volume"),
        "kubernetes_pod_templates_volumes" => (vec![("template.spec.volumes", "")], "volume"),
        table if table.ends_with("_volumes") && table != "kubernetes_persistent_volumes" => {
            (vec![("spec.template.spec.volumes", "")], "volume")
        }
        "kubernetes_role_policy_rules" | "kubernetes_cluster_role_policy_rules" => (vec![("rules", "")], "rule"),
        "kubernetes_role_binding_subjects" | "kubernetes_cluster_role_binding_subjects" => {
            (vec![("subjects", "")], "subject")
        }
        "kubernetes_mutating_webhooks" | "kubernetes_validating_webhooks" => (vec![("webhooks", "")], "webhook"),
        "kubernetes_csi_node_drivers" => (vec![("spec.drivers", "")], "driver"),
        "kubernetes_limit_ranges" => (vec![("spec.limits", "")], "limit"),
        "kubernetes_endpoint_subsets" => (vec![("subsets", "")], "subset"),
        "kubernetes_component_statuses" => (vec![("conditions", "")], "condition"),
        "kubernetes_network_policies" => (vec![("spec.ingress", "Ingress"), ("spec.egress", "Egress")], "rule"),
        _ => return None,
    })
}

/// A value in an object; a step `*` collects from all elements of a list.
fn value_at(object: &Value, steps: &[String]) -> Value {
    let Some((step, rest)) = steps.split_first() else { return object.clone() };
    match object {
        Value::Array(all) if step == "*" => {
            all.iter().map(|one| value_at(one, rest)).filter(|value| !value.is_null()).collect()
        }
        other => other.get(step).map_or(Value::Null, |value| value_at(value, rest)),
    }
}

/// The documents that the paths of a table's columns start from, from kubectl's object.
fn documents(table: &str, object: &Value) -> Vec<Value> {
    let Some((lists, name)) = parts_of(table) else { return vec![object.clone()] };
    let mut documents = Vec::new();
    for (list, kind) in lists {
        let steps: Vec<String> = list.split('.').map(str::to_owned).collect();
        for (position, part) in value_at(object, &steps).as_array().into_iter().flatten().enumerate() {
            let mut document = object.clone();
            document[name] = part.clone();
            match table {
                "kubernetes_network_policies" => {
                    let peers = if kind == "Ingress" { &part["from"] } else { &part["to"] };
                    document[name]["peers"] = peers.clone();
                    document[name]["type"] = kind.into();
                    document[name]["number"] = (position + 1).into();
                }
                _ if kind.is_empty() => {}
                _ => document[name]["kind"] = kind.into(),
            }
            documents.push(document);
        }
    }
    if table == "kubernetes_network_policies" {
        for direction in object["spec"]["policyTypes"].as_array().into_iter().flatten() {
            let list = direction.as_str().expect("a text").to_lowercase();
            if object["spec"][&list].as_array().is_none_or(Vec::is_empty) {
                let mut document = object.clone();
                document[name] = serde_json::json!({"type": direction});
                documents.push(document);
            }
        }
    }
    documents
}

/// kubectl's value as a column of a kind and nullability shows it, in JSON.
fn as_column(value: &Value, kind: &Kind, nullable: bool) -> Value {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if value.is_null() {
        return match kind {
            _ if nullable => Value::Null,
            Kind::Boolean => false.into(),
            Kind::BigInt => 0.into(),
            Kind::TextList | Kind::BigIntList => Value::Array(Vec::new()),
            Kind::TextMap => serde_json::json!({}),
            _ => "".into(),
        };
    }
    match kind {
        Kind::Text => text(value).into(),
        Kind::Timestamp => {
            let time = chrono::DateTime::parse_from_rfc3339(value.as_str().expect("a time")).expect("a time");
            time.timestamp_micros().into()
        }
        Kind::TextMap => {
            let pairs = value.as_object().expect("an object").iter();
            Value::Object(pairs.map(|(key, value)| (key.clone(), text(value).into())).collect())
        }
        _ => value.clone(),
    }
}

/// The cells of a column, in JSON.
fn cells(array: &dyn Array) -> Vec<Value> {
    let cell = |row: usize| -> Value {
        if array.is_null(row) {
            return Value::Null;
        }
        match array.data_type() {
            DataType::Boolean => array.as_boolean().value(row).into(),
            DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
            DataType::Timestamp(..) => array.as_primitive::<TimestampMicrosecondType>().value(row).into(),
            DataType::List(_) => cells(&array.as_list::<i32>().value(row)).into(),
            DataType::Map(..) => {
                let pairs = array.as_map().value(row);
                let keys = cells(pairs.column(0)).into_iter().map(|key| key.as_str().expect("a key").to_owned());
                Value::Object(keys.zip(cells(pairs.column(1))).collect())
            }
            _ => array_value_to_string(array, row).expect("a text").into(),
        }
    };
    (0..array.len()).map(cell).collect()
}

/// A value with the members of its objects in order, without nulls: JSON has `"creationTimestamp": null` in templates, and
/// protobuf has nothing.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(ordered).collect(),
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members: BTreeMap<_, _> = members.map(|(name, value)| (name.clone(), ordered(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}

/// Columns that are computed from the value at their path, which unit tests and the tables' `.slt` files cover.
const COMPUTED: &[&str] = &[
    "condition_status",
    "env_secrets",
    "projected_tokens",
    "keys",
    "binary_keys",
    "sizes",
    "request_bytes",
    "capacity_bytes",
];

/// The columns of a table that are in kubectl's object, at their declared path.
fn compared(spec: &TableSpec) -> Vec<&ColumnSpec> {
    let is_computed = |column: &ColumnSpec, path: &str| {
        COMPUTED.contains(&&*column.name)
            || column.name.ends_with("_millicores")
            || column.name.ends_with("_bytes")
            || path.contains("derived.")
            // The effective settings of a container, not its own.
            || path.starts_with("container.securityContext.")
            || path.starts_with("containerStatus.")
            || ["controller.", "kubeletUid"].iter().any(|start| path.starts_with(start))
            || spec.name == "kubernetes_events" && ["time", "count", "eventType"].contains(&path)
            || spec.name == "kubernetes_secrets" && path == "metadata.annotations"
            || path == "subject.namespace"
    };
    let columns = spec.columns.iter().filter(|column| column.source.is_none());
    columns.filter(|column| column.path.as_deref().is_some_and(|path| !is_computed(column, path))).collect()
}

/// kubectl's list of a table's resource, in the version that the table reads.
fn listed(api: &KubeApi, resource: &ResourceSpec) -> Vec<Value> {
    let versions = [&resource.group_version].into_iter().chain(&resource.older);
    let mut served = versions.map(|version| match version.split_once('/') {
        None => resource.name.to_string(),
        Some((group, version)) => format!("{}.{version}.{group}", resource.name),
    });
    let list = served.find_map(|name| api.kubectl(&["get", &name, "-A", "-o", "json"]).ok());
    let Some(list) = list else {
        assert!(resource.is_optional, "the server serves no {}", resource.name);
        return Vec::new();
    };
    let mut list: Value = serde_json::from_str(&list).expect("JSON");
    list["items"].as_array_mut().map(std::mem::take).unwrap_or_default()
}

/// Sets the status of objects that no controller of this bed reports.
fn set_statuses(api: &KubeApi) {
    let all: Value = serde_json::from_str(include_str!("fixtures/kubernetes/statuses.json")).expect("JSON");
    for of in all.as_array().expect("a list") {
        let (resource, name) = (of["resource"].as_str().expect("a resource"), of["name"].as_str().expect("a name"));
        let patch = serde_json::json!({"status": of["status"]}).to_string();
        let patch = ["patch", resource, name, "-n", "lab", "--subresource=status", "--type=merge", "-p", &patch];
        api.kubectl(&patch).unwrap_or_else(|error| panic!("{resource} {name}: {error}"));
    }
}

/// Tables over one list whose rows are not parts of its objects.
const DERIVED: [&str; 3] = ["kubernetes_images", "kubernetes_pod_security", "kubernetes_pod_security_violations"];

/// Every column of every table compared with `kubectl get -o json`, through the column's path.
#[test]
fn what_kubectl_lists_is_in_the_tables() {
    let api = estate();
    set_statuses(&api);
    let uid =
        api.kubectl(&["get", "replicaset", "lab-1", "-n", "lab", "-o", "jsonpath={.metadata.uid}"]).expect("a uid");
    api.apply(&include_str!("fixtures/kubernetes/volumes.yaml").replace("OWNER", &uid)).expect("the pod fits");
    runtime().block_on(async {
        let engine = engine(api.kubeconfig("admin"), Limits::default()).await;
        let (mut columns, mut filled, mut wrong) = (0, 0, Vec::new());
        for table in engine.tables() {
            let spec = table.spec();
            // `kubernetes_derived` tests the tables with computed rows.
            let Some(resource) = spec.resource.as_ref().filter(|_| !DERIVED.contains(&&*spec.name)) else { continue };
            let objects = listed(&api, resource);
            let compared = compared(spec);
            let document = |document: &Value| -> BTreeMap<String, Value> {
                let of = |column: &&ColumnSpec| {
                    let path = column.path.as_deref().expect("it has a path");
                    let value = as_column(&value_at(document, &steps(path)), &column.kind, column.nullable);
                    (column.name.to_string(), value)
                };
                compared.iter().map(of).collect()
            };
            let mut expected: Vec<_> =
                objects.iter().flat_map(|object| documents(&spec.name, object)).map(|one| document(&one)).collect();
            assert!(!expected.is_empty() || resource.is_optional, "{}: no object to compare", spec.name);

            let names: Vec<String> = compared.iter().map(|column| format!("\"{}\"", column.name)).collect();
            let query =
                engine.query(&format!("SELECT {} FROM {}", names.join(", "), spec.name)).await.expect("a query");
            let batches = query.collect().await.expect("rows");
            let absences = query.warnings();
            assert!(absences.is_empty() || resource.is_optional && expected.is_empty(), "{}: {absences:?}", spec.name);
            let mut found = Vec::new();
            for batch in &batches {
                let mut rows = vec![BTreeMap::new(); batch.num_rows()];
                for (column, array) in compared.iter().zip(batch.columns()) {
                    for (row, mut cell) in rows.iter_mut().zip(cells(array)) {
                        if let (Kind::Json, Some(text)) = (&column.kind, cell.as_str()) {
                            cell = serde_json::from_str(text).expect("JSON");
                        }
                        row.insert(column.name.to_string(), cell);
                    }
                }
                found.extend(rows);
            }
            let key = |row: &BTreeMap<String, Value>| {
                row.iter().map(|(name, value)| (name.clone(), ordered(value).to_string())).collect::<Vec<_>>()
            };
            expected.sort_by_key(key);
            found.sort_by_key(key);
            assert_eq!(found.len(), expected.len(), "{}", spec.name);
            for (found, expected) in found.iter().zip(&expected) {
                for (name, value) in expected {
                    if ordered(&found[name]) != ordered(value) {
                        wrong.push(format!("{}.{name} is {}, for kubectl {value}", spec.name, found[name]));
                    }
                }
            }
            let is_filled =
                |name: &str| expected.iter().any(|row| !matches!(&row[name], Value::Null) && row[name] != "");
            columns += compared.len();
            filled += compared.iter().filter(|column| is_filled(&column.name)).count();
            // All other columns are read too.
            let all = rows(&engine, &format!("SELECT * FROM {}", spec.name)).await;
            assert_eq!(all.len(), expected.len(), "{}", spec.name);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(columns > 2000 && filled * 2 > columns, "{filled} of {columns} columns have a value");

        let resources = rows(&engine, "SELECT name FROM kubernetes_api_resources WHERE name NOT LIKE '%/%'").await;
        let listed = api.kubectl(&["api-resources", "--no-headers"]).expect("kubectl").lines().count();
        assert!(resources.len() >= listed, "{} resources, kubectl knows {listed}", resources.len());
        let version = rows(&engine, "SELECT git_version, git_commit, platform FROM kubernetes_info").await;
        let expected: Value =
            serde_json::from_str(&api.kubectl(&["get", "--raw", "/version"]).expect("kubectl")).expect("JSON");
        let text = |name: &str| expected[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(version, [format!("{} {} {}", text("gitVersion"), text("gitCommit"), text("platform"))]);

        let top =
            "SELECT owner_name, top_controller_kind, top_controller_name FROM kubernetes_pods WHERE name = 'volumes'";
        assert_eq!(rows(&engine, top).await, ["lab-1 Deployment lab"]);
    });
}

/// Values of secrets need the setting and a query that names their column.
#[test]
fn values_of_secrets_are_shown_only_on_request() {
    let api = estate();
    runtime().block_on(async {
        let sql = "SELECT name, keys, sizes, data FROM kubernetes_secrets WHERE namespace = 'lab' AND name = 'db'";
        let (hidden, warnings) = ask(&engine(api.kubeconfig("admin"), Limits::default()).await, sql).await;
        assert_eq!(hidden, ["db [password, user] {password: 7, user: 5} "]);
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert_eq!(
            (warning.outcome, warning.needs.as_deref()),
            (Outcome::Denied, Some("the setting kubernetes.secret_values"))
        );

        let settings =
            Settings { kubeconfig: Some(api.kubeconfig("admin")), secret_values: true, ..Settings::default() };
        let tables = indago_tables_kubernetes::tables(&Kubernetes::new(&Sys::live(), settings));
        let engine = Engine::builder().tables(tables).build().await.expect("an engine");
        assert_eq!(
            rows(&engine, sql).await,
            ["db [password, user] {password: 7, user: 5} {password: hunter2, user: admin}"]
        );
        let all = rows(&engine, "SELECT * FROM kubernetes_secrets WHERE namespace = 'lab'").await.join("\n");
        assert!(all.contains("team-a") && !all.contains("hunter2") && !all.contains("aHVudGVyMg"), "{all}");
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

        // Only the denied column is missing.
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

/// Lists are requested in the cheapest form that the server has. Rows do not depend on the form.
#[test]
fn lists_are_requested_in_their_cheapest_form() {
    let api = estate();
    let proxy = Fault::kube(&api).expect("a proxy");
    let kubeconfig = proxy.kubeconfig("admin").expect("a kubeconfig");
    let (metadata, protobuf) = ("as=PartialObjectMetadataList", "application/vnd.kubernetes.protobuf");
    runtime().block_on(async {
        let engine = engine(&kubeconfig, Limits::default()).await;
        for (sql, has_metadata) in [
            ("SELECT namespace, count(*) FROM kubernetes_pods GROUP BY 1", true),
            ("SELECT name, labels, creation_timestamp FROM kubernetes_service_accounts", true),
            ("SELECT uid, phase FROM kubernetes_pods", false),
            ("SELECT name FROM kubernetes_pods WHERE namespace = 'shop' AND NOT host_network", false),
            // Two tables share one list of all that they need.
            ("SELECT p.name FROM kubernetes_pods p JOIN kubernetes_pod_containers c ON c.pod_uid = p.uid", false),
        ] {
            rows(&engine, sql).await;
            let [request] = &proxy.requests()[..] else { panic!("{sql}: {:?}", proxy.requests()) };
            proxy.clear_requests();
            let accept = request.accept.as_deref().expect("a form");
            assert_eq!(accept.contains(metadata), has_metadata, "{sql}: {accept}");
            assert!(accept.starts_with(protobuf) && accept.ends_with(",application/json"), "{sql}: {accept}");
            assert_eq!(request.user_agent.as_deref(), Some(concat!("indago/", env!("CARGO_PKG_VERSION"))));
        }
        // A server without these forms answers with JSON.
        for table in ["pods", "pod_containers", "nodes", "deployments", "cluster_role_policy_rules", "service_accounts"]
        {
            let table = format!("kubernetes_{table}");
            let resource = engine.table(&table).expect("a table").spec().resource.clone().expect("a resource");
            let root = if resource.group_version.contains('/') { "/apis" } else { "/api" };
            let list = api.kubectl(&["get", "--raw", &format!("{root}/{}/{}", resource.group_version, resource.name)]);
            let list = list.expect("a list");
            for columns in ["*", "uid, name, labels, annotations, creation_timestamp"] {
                let sql = format!("SELECT {columns} FROM {table}");
                proxy.clear_rules();
                let mut of_protobuf = rows(&engine, &sql).await;
                let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                proxy.rule(Rule::new(Effect::Status { code: 200, headers, body: list.clone() }).path(&resource.name));
                let mut of_json = rows(&engine, &sql).await;
                of_protobuf.sort();
                of_json.sort();
                assert_eq!(of_protobuf, of_json, "{sql}");
            }
        }
    });
}

/// `reads = "cached"` reads the watch cache at once, and coverage says that its rows can be old.
#[test]
fn cached_reads_say_that_rows_can_be_old() {
    let api = estate();
    let proxy = Fault::kube(&api).expect("a proxy");
    let settings = Settings {
        kubeconfig: Some(proxy.kubeconfig("admin").expect("a kubeconfig")),
        reads: Reads::Cached,
        ..Settings::default()
    };
    let tables = indago_tables_kubernetes::tables(&Kubernetes::new(&Sys::live(), settings));
    runtime().block_on(async {
        let engine = Engine::builder().tables(tables).build().await.expect("an engine");
        let asked = || -> Vec<String> {
            let urls = proxy.requests().iter().map(|request| format!("{}?{}", request.path, request.query)).collect();
            proxy.clear_requests();
            urls
        };
        let query = engine.query("SELECT name FROM kubernetes_pods WHERE namespace = 'shop'").await.expect("a query");
        let found: usize = query.collect().await.expect("rows").iter().map(|batch| batch.num_rows()).sum();
        assert_eq!((found, asked()), (1, vec!["/api/v1/namespaces/shop/pods?resourceVersion=0".to_owned()]));
        let [coverage] = &query.coverage()[..] else { panic!("{:?}", query.coverage()) };
        assert_eq!(coverage.completeness, Completeness::Complete);
        let note = coverage.problem.as_ref().expect("a note");
        assert!(note.is_note() && note.message.contains("can be older than the query"), "{note}");
        // The cache ignores limits.
        ask(&engine, "SELECT name FROM kubernetes_pods LIMIT 1").await;
        assert_eq!(asked(), ["/api/v1/pods?limit=1"]);
    });
}

/// A service account with the role that the program prints for a query can run it, and with less it cannot.
#[test]
fn the_printed_role_is_exactly_enough() {
    let api = estate();
    let folder = tempfile::tempdir().expect("a folder");
    let queries = [
        (
            "pods",
            "CREATE VIEW v AS SELECT name, namespace FROM kubernetes_pods; SELECT name FROM v WHERE namespace = 'shop'",
        ),
        ("uid", "SELECT name, cluster_uid FROM kubernetes_service_accounts"),
        (
            "roles",
            "SELECT r.name FROM kubernetes_role_policy_rules r, kubernetes_cluster_role_binding_subjects b, kubernetes_nodes",
        ),
        ("none", "SELECT name FROM kubernetes_api_resources"),
    ];
    for (name, sql) in queries {
        let file = folder.path().join(format!("{name}.sql"));
        std::fs::write(&file, sql).expect("written");
        let config = folder.path().join("indago.toml");
        std::fs::write(&config, "").expect("written");
        let run = |arguments: &[&str], kubeconfig: &Path| {
            let mut program = crate::cli::indago();
            program.env("KUBECONFIG", kubeconfig).arg("--config").arg(&config).args(arguments);
            crate::cli::ran(program.output().expect("the program"))
        };
        let path = file.to_string_lossy();
        let role = run(&["tables", "--permissions", &path], &api.kubeconfig("nobody")).expect(0).out;
        api.apply(&role).expect("a role");
        let rules: serde_json::Value = serde_json::from_str(
            &api.kubectl(&["get", "clusterrole", &format!("indago-{name}"), "-o", "json"]).expect("the role"),
        )
        .expect("JSON");
        let rules = rules["rules"].as_array().cloned().unwrap_or_default();
        api.kubectl(&["create", "serviceaccount", name, "-n", "shop"]).expect("an account");
        let account = format!("--serviceaccount=shop:{name}");
        api.kubectl(&["create", "clusterrolebinding", name, &format!("--clusterrole=indago-{name}"), &account])
            .expect("a binding");
        let kubeconfig = api.kubeconfig_by_token("shop", name, 3600).expect("a token");
        let strict = ["query", "--strict", "--format", "csv", "-f", &path];
        // The server's authorizer sees a change a little later.
        let ends = |code: i32| {
            let mut runs = (0..50).map(|_| run(&strict, &kubeconfig));
            runs.find(|ran| ran.code == code).unwrap_or_else(|| panic!("{name} never ends with {code}: {role}"))
        };
        let ran = ends(0);
        assert!(ran.out.lines().count() > 1, "{name}: {}", ran.out);
        // Without any one of its rights, something is missing.
        for rule in 0..rules.len() {
            for resource in rules[rule]["resources"].as_array().expect("resources") {
                let mut fewer = rules.clone();
                let resources = fewer[rule]["resources"].as_array_mut().expect("resources");
                resources.retain(|other| other != resource);
                if resources.is_empty() {
                    fewer.remove(rule);
                }
                let patch = serde_json::json!({ "rules": fewer }).to_string();
                api.kubectl(&["patch", "clusterrole", &format!("indago-{name}"), "--type=merge", "-p", &patch])
                    .expect("a patch");
                ends(3);
            }
        }
        let expected = match name {
            "pods" => 1,
            "uid" => 2,
            "roles" => 3,
            _ => 0,
        };
        let granted: usize = rules.iter().map(|rule| rule["resources"].as_array().map_or(0, Vec::len)).sum();
        assert_eq!(granted, expected, "{role}");
    }
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
        (Effect::Truncate(40), Some((Outcome::Io, "cut off"))),
        (Effect::Reset, Some((Outcome::Io, ""))),
        (Effect::Hang, Some((Outcome::Io, "no response within"))),
        (Effect::Delay(Duration::from_millis(300)), None),
    ];
    let runtime = runtime();
    for (effect, expected) in cases {
        // The proxy has its own runtime, so it lives outside ours.
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
            // The rest of the cluster is unaffected.
            assert_eq!(rows(&engine, "SELECT name FROM kubernetes_nodes").await, ["node-a"], "{words}");
        });
    }
}

/// A page is charged while it arrives and until its rows are read. A huge page ends the query, not the process.
#[test]
fn a_page_that_does_not_fit_into_memory_ends_the_query() {
    let api = estate();
    let proxy = Fault::kube(&api).expect("a proxy");
    let huge = "x".repeat(32 << 20);
    let pods =
        format!(r#"{{"kind":"PodList","metadata":{{}},"items":[{{"metadata":{{"name":"{huge}","uid":"u"}}}}]}}"#);
    proxy.rule(Rule::new(Effect::Garbage(pods.into_bytes())).path("/pods"));
    runtime().block_on(async {
        let kubeconfig = proxy.kubeconfig("admin").expect("a kubeconfig");
        for (sql, is_enough) in [
            ("SELECT count(*) FROM kubernetes_pods", [(16 << 20, false), (256 << 20, true)]),
            // A page that two scans share.
            (
                "SELECT count(*) FROM kubernetes_pods p JOIN kubernetes_pod_containers c ON c.pod_uid = p.uid",
                [(16 << 20, false), (256 << 20, true)],
            ),
        ] {
            for (memory, is_enough) in is_enough {
                let engine = engine(&kubeconfig, Limits { memory, ..Limits::default() }).await;
                let outcome = engine.query(sql).await.expect("a query").collect().await;
                match outcome {
                    Ok(_) => assert!(is_enough, "{sql} with {memory}"),
                    Err(error) => {
                        assert!(!is_enough && error.code() == Code::Memory, "{sql} with {memory}: {error}");
                    }
                }
            }
        }
    });
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
    // The server knows the user, but the user lacks permissions.
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
        // The scan does not wait for an hour.
        for (table, told) in [
            ("kubernetes_service_accounts", ": throttled, retry after 3600s"),
            (
                "kubernetes_cluster_role_policy_rules",
                "the API server responds with 503 Service Unavailable: throttled, retry after ",
            ),
        ] {
            let start = std::time::Instant::now();
            let (seen, warnings) = ask(&engine, &format!("SELECT name FROM {table}")).await;
            assert!(seen.is_empty() && start.elapsed() < Duration::from_secs(10), "{seen:?} {:?}", start.elapsed());
            let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
            assert!(warning.outcome == Outcome::Io && warning.message.contains(told), "{warning}");
        }
        // A call that times out is tried twice, however many retries are configured.
        proxy.clear_rules();
        proxy.rule(Rule::new(Effect::Hang).path("/pods"));
        let limits = Limits { call_timeout: Duration::from_secs(1), ..Limits::default() };
        let engine = self::engine(proxy.kubeconfig("admin").expect("a kubeconfig"), limits).await;
        let start = std::time::Instant::now();
        let (_, warnings) = ask(&engine, "SELECT name FROM kubernetes_pods").await;
        assert!(warnings[0].message.contains("no response within 1s"), "{warnings:?}");
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
           {{name: plug, context: {{cluster: s, user: p}}}}, {{name: lost, context: {{cluster: absent, user: u}}}}],
         clusters: [{{name: g, cluster: {{server: '{}'}}}}, {{name: b, cluster: {{server: 'http://127.0.0.1:1'}}}},
           {{name: s, cluster: {{server: 'https://127.0.0.1:1'}}}}],
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
        // Conditions on the cluster exclude the others.
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
    let server =
        KubeServer::with(KubeServerOptions { pods: 3_000, expire_after: Some(1_000), ..KubeServerOptions::default() })
            .expect("a server");
    runtime().block_on(async {
        let engine = engine(server.kubeconfig(), Limits::default()).await;
        assert_eq!(rows(&engine, "SELECT count(*), count(DISTINCT uid) FROM kubernetes_pods").await, ["3000 3000"]);
    });
}

/// Certificates of servers, made by openssl in a directory: `NAME.crt` and `NAME.key`.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let run = std::process::Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
        let output = run.expect("openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!("req -x509 {key} -subj /CN=authority -keyout authority.key -out authority.crt"));
    openssl(&format!(
        "req -x509 {key} -subj /CN=own -addext {names} -addext basicConstraints=critical,CA:TRUE -keyout own.key -out own.crt"
    ));
    openssl(&format!("req {key} -subj /CN=leaf -keyout leaf.key -out leaf.csr"));
    std::fs::write(folder.join("leaf.ext"), names).expect("written");
    openssl(
        "x509 -req -in leaf.csr -CA authority.crt -CAkey authority.key -set_serial 7 -extfile leaf.ext -out leaf.crt",
    );
}

/// A server with one pod, `one`, with TLS and that certificate, or without TLS.
fn server_of_one_pod(certificate: Option<&Path>) -> Fault {
    let server = match certificate {
        Some(certificate) => Fault::start_tls(Upstream::Nowhere, certificate, &certificate.with_extension("key")),
        None => Fault::start(Upstream::Nowhere),
    };
    let server = server.expect("a server");
    let body = r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"one"}}]}"#;
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    server.rule(Rule::new(Effect::Status { code: 200, headers, body: body.to_owned() }).path("/pods"));
    server
}

/// The pods of a kubeconfig's current context, read by the program with these variables.
fn pods(kubeconfig: &Path, variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let settings = Settings { kubeconfig: Some(kubeconfig.to_owned()), ..Settings::default() };
    let sys = Sys::live().with_variables(variables.iter().copied());
    let tables = indago_tables_kubernetes::tables(&Kubernetes::new(&sys, settings));
    runtime().block_on(async {
        let limits = Limits { retries: 1, ..Limits::default() };
        let engine = Engine::builder().tables(tables).limits(limits).build().await.expect("an engine");
        let (rows, warnings) = ask(&engine, "SELECT name FROM kubernetes_pods").await;
        (rows, warnings.iter().map(ToString::to_string).collect())
    })
}

/// A kubeconfig with one context in a directory: fields of its cluster in addition to `server`, and fields of its user.
fn kubeconfig(folder: &Path, server: &str, cluster: &str, user: &str) -> PathBuf {
    let path = folder.join("config");
    let text = format!(
        "{{current-context: c, contexts: [{{name: c, context: {{cluster: c, user: u}}}}],
          clusters: [{{name: c, cluster: {{server: '{server}'{cluster}}}}}], users: [{{name: u, user: {{{user}}}}}]}}"
    );
    std::fs::write(&path, text).expect("written");
    path
}

#[test]
fn a_servers_own_certificate_is_authority_enough() {
    let folder = tempfile::tempdir().expect("a folder");
    certificates(folder.path());
    let told = |server: &Fault, host: &str, cluster: &str| {
        let url = server.url().replace("127.0.0.1", host);
        pods(&kubeconfig(folder.path(), &url, cluster, "token: t"), &[])
    };
    for (certificate, authorities) in [("own", ["own", "own"]), ("leaf", ["leaf", "authority"])] {
        let server = server_of_one_pod(Some(&folder.path().join(format!("{certificate}.crt"))));
        for authority in authorities {
            let cluster = format!(", certificate-authority: {authority}.crt");
            assert_eq!(
                told(&server, "127.0.0.1", &cluster),
                (vec!["one".to_owned()], vec![]),
                "{certificate} {authority}"
            );
        }
        assert!(server.requests().iter().all(|request| request.authorization.as_deref() == Some("Bearer t")));
        let asked = server.requests().len();
        for (host, cluster, part) in [
            ("127.0.0.1", ", certificate-authority: authority.crt, tls-server-name: other", "not valid for name"),
            ("127.0.0.1", ", certificate-authority: ../absent.crt", "absent.crt does not exist"),
            ("127.0.0.1", ", certificate-authority: leaf.ext", "`certificate-authority` contains no certificate"),
            ("127.0.0.1", ", certificate-authority: own.crt, insecure-skip-tls-verify: true", "remove one"),
            ("127.0.0.1", "", "`certificate-authority`"),
        ] {
            let cluster =
                if certificate == "own" { cluster.replace("authority.crt", "own.crt") } else { cluster.to_owned() };
            let (rows, warnings) = told(&server, host, &cluster);
            assert!(rows.is_empty() && warnings.len() == 1 && warnings[0].contains(part), "{cluster}: {warnings:?}");
        }
        assert_eq!(server.requests().len(), asked);
        assert_eq!(told(&server, "127.0.0.1", ", insecure-skip-tls-verify: true").0, ["one"]);
    }
}

#[test]
fn no_credentials_go_out_without_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server_of_one_pod(None);
    let host_and_port = server.address().to_string();
    let ran = folder.path().join("ran");
    let plug_in =
        format!("exec: {{apiVersion: client.authentication.k8s.io/v1, command: touch, args: ['{}']}}", ran.display());
    for user in ["token: t", "username: joe, password: pw", "tokenFile: absent", "client-certificate: absent", &plug_in]
    {
        for url in [server.url(), host_and_port.clone()] {
            let (rows, warnings) = pods(&kubeconfig(folder.path(), &url, "", user), &[]);
            assert_eq!(rows, ["one"], "{url} {user}");
            assert_eq!(warnings.len(), 1, "{url} {user}: {warnings:?}");
            assert!(
                warnings[0].contains("are not sent and no plug-in is run, because `server` is http://"),
                "{warnings:?}"
            );
        }
    }
    assert!(server.requests().iter().all(|request| request.authorization.is_none()), "{:?}", server.requests());
    assert!(!ran.exists());
    // There is nothing to withhold, so there is no warning.
    let none = "token: '', client-certificate: '', tokenFile: '', username: ''";
    assert_eq!(pods(&kubeconfig(folder.path(), &host_and_port, "", none), &[]), (vec!["one".to_owned()], vec![]));
}

#[test]
fn what_another_attempt_cannot_change_is_not_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    certificates(folder.path());
    let server = server_of_one_pod(Some(&folder.path().join("own.crt")));
    let trust = ", certificate-authority: own.crt";
    for (name, text) in [("good", "from file\n"), ("empty", "\n"), ("odd", "a\nb")] {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let empty = "token: t, client-certificate: '', client-key: '', tokenFile: '', username: '', as: ''";
    for (user, header) in [("tokenFile: good", "Bearer from file"), (empty, "Bearer t")] {
        let cluster = format!("{trust}, certificate-authority-data: '', proxy-url: '', tls-server-name: ''");
        server.clear_requests();
        let told = pods(&kubeconfig(folder.path(), &server.url(), &cluster, user), &[]);
        assert_eq!(told, (vec!["one".to_owned()], vec![]), "{user}");
        let sent: Vec<_> = server.requests().into_iter().map(|request| request.authorization).collect();
        assert_eq!(sent, [Some(header.to_owned())], "{user}");
    }
    server.clear_requests();
    let plain = server_of_one_pod(None);
    for (url, user, part) in [
        (server.url(), "tokenFile: odd", "the token contains a character that cannot be sent"),
        (server.url(), "tokenFile: empty", "empty is empty"),
        (server.url(), "tokenFile: absent", "absent does not exist"),
        (server.url(), "client-certificate: own.crt", "but no `client-key`"),
        (server.url(), "client-certificate: own.crt, client-key: good", "`client-key` contains no private key in PEM"),
        (server.url().replace("https", "ftp"), "token: t", "has the scheme `ftp`"),
        (format!("{}0", server.url()), "token: t", "has a port that is not a number"),
        (plain.url().replace("http", "https"), "token: t", "does not speak TLS on this port"),
        (server.url().replace("https", "http"), "", "does `server` want https://"),
    ] {
        let (rows, warnings) = pods(&kubeconfig(folder.path(), &url, trust, user), &[]);
        assert!(rows.is_empty() && warnings.len() == 1 && warnings[0].contains(part), "{url} {user}: {warnings:?}");
    }
    assert!(server.requests().is_empty() && plain.requests().is_empty());
    for (code, part) in
        [(401, "does not accept the credentials"), (403, "pods is forbidden"), (400, "400"), (404, "does not serve")]
    {
        server.clear_rules();
        server.rule(Rule::new(Effect::kube_status(code, "", "pods is forbidden")));
        server.clear_requests();
        let (rows, warnings) = pods(&kubeconfig(folder.path(), &server.url(), trust, "token: t"), &[]);
        assert!(rows.is_empty() && warnings.len() == 1 && warnings[0].contains(part), "{code}: {warnings:?}");
        // After a refusal of all namespaces, the server is asked which ones the user may read.
        assert_eq!(server.requests().len(), if code == 403 { 2 } else { 1 }, "{code}");
    }
}

#[test]
fn a_plug_in_gives_credentials_where_nobody_else_can_name_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    certificates(folder.path());
    let server = server_of_one_pod(Some(&folder.path().join("own.crt")));
    let plug_in = folder.path().join("plug-in");
    let heard = folder.path().join("heard");
    let script = format!(
        "#!/bin/sh\nprintf %s \"$KUBERNETES_EXEC_INFO\" > {}\necho '{{\"status\": {{\"token\": \"'$WHO-$1'\"}}}}'\n",
        heard.display()
    );
    std::fs::write(&plug_in, script).expect("written");
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    mode(&plug_in, 0o755);
    let user = "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plug-in, args: [x], env: [{name: WHO, value: me}], provideClusterInfo: true}";
    let path = kubeconfig(folder.path(), &server.url(), ", certificate-authority: own.crt", user);
    mode(&path, 0o600);
    assert_eq!(pods(&path, &[]), (vec!["one".to_owned()], vec![]));
    assert_eq!(server.requests()[0].authorization.as_deref(), Some("Bearer me-x"));
    let heard_of = std::fs::read_to_string(&heard).expect("the plug-in ran");
    assert!(heard_of.contains(&format!("\"server\":\"{}\"", server.url())), "{heard_of}");
    assert!(
        heard_of.contains("\"certificate-authority-data\":\"LS0t") && heard_of.contains("\"interactive\":false"),
        "{heard_of}"
    );
    std::fs::remove_file(&heard).expect("changed mode");

    // Others can write it, so its contents may be theirs.
    mode(&path, 0o666);
    let (rows, warnings) = pods(&path, &[]);
    assert!(rows.is_empty() && warnings.len() == 1, "{warnings:?}");
    assert!(
        warnings[0].contains("is not run: the kubeconfig") && warnings[0].contains("other users can write "),
        "{warnings:?}"
    );
    mode(&path, 0o600);

    // Others can write the program itself.
    mode(&plug_in, 0o757);
    let (rows, warnings) = pods(&path, &[]);
    assert!(rows.is_empty() && warnings.len() == 1, "{warnings:?}");
    let refusal = format!("plug-in` is not run: other users can write {} (mode 0757)", plug_in.display());
    assert!(warnings[0].contains(&refusal), "{warnings:?}");
    mode(&plug_in, 0o755);

    // For a host of files, the file belongs to another machine.
    let settings = Settings { kubeconfig: Some("/config".into()), ..Settings::default() };
    let tables = indago_tables_kubernetes::tables(&Kubernetes::new(&Sys::at(folder.path()), settings));
    runtime().block_on(async {
        let engine = Engine::builder().tables(tables).build().await.expect("an engine");
        let (rows, warnings) = ask(&engine, "SELECT name FROM kubernetes_pods").await;
        assert!(rows.is_empty() && warnings.len() == 1, "{warnings:?}");
        assert!(
            warnings[0].message.contains("is not run: the kubeconfig /config is not trusted: /config is under "),
            "{warnings:?}"
        );
    });
    assert!(!heard.exists());
}

/// A proxy that forwards every connection to one server, and the requests that it received.
fn proxy(to: std::net::SocketAddr) -> (std::net::SocketAddr, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, log) =
        (listener.local_addr().expect("an address"), std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default());
    let seen = log.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(mut client), seen) = (client, seen.clone()) else { return };
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") {
                    if client.read_exact(&mut byte).is_err() {
                        return;
                    }
                    head.push(byte[0]);
                }
                seen.lock().expect("unpoisoned").push(String::from_utf8_lossy(&head).into_owned());
                let mut server = std::net::TcpStream::connect(to).expect("the server");
                if head.starts_with(b"CONNECT ") {
                    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("written");
                } else {
                    server.write_all(&head).expect("written");
                }
                let (mut from, mut to) = (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                std::io::copy(&mut server, &mut client).ok();
            });
        }
    });
    (address, log)
}

#[test]
fn a_proxy_is_used_where_kubectl_uses_it() {
    let folder = tempfile::tempdir().expect("a folder");
    certificates(folder.path());
    let (server, plain) = (server_of_one_pod(Some(&folder.path().join("own.crt"))), server_of_one_pod(None));
    let (proxied, plainly_proxied) = (proxy(server.address()), proxy(plain.address()));
    let url = format!("http://joe:p%40w@{}", proxied.0);
    let plain_url = format!("http://{}", plainly_proxied.0);
    let trust = ", certificate-authority: own.crt, tls-server-name: localhost";
    let with_url = format!("{trust}, proxy-url: '{url}'");
    // No name of this domain resolves, so rows have come through the proxy.
    let (remote, local) = ("https://api.example.test:6443", server.url());
    for (address, cluster, variables, is_proxied) in [
        (remote, trust, vec![("HTTPS_PROXY", &*url)], true),
        (remote, trust, vec![("https_proxy", &*url), ("no_proxy", "other.test,10.0.0.0/8,127.0.0.1")], true),
        (remote, trust, vec![("HTTPS_PROXY", &*url), ("NO_PROXY", "other.test, .example.test")], false),
        (remote, trust, vec![("HTTPS_PROXY", &*url), ("NO_PROXY", "api.example.test:6443")], false),
        (remote, trust, vec![("HTTPS_PROXY", &*url), ("NO_PROXY", "api.example.test:443")], true),
        (remote, trust, vec![("HTTPS_PROXY", &*url), ("NO_PROXY", "*")], false),
        (remote, trust, vec![("HTTP_PROXY", &*url)], false),
        (remote, &*with_url, vec![("NO_PROXY", "*")], true),
        (remote, &*with_url, vec![("HTTPS_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "api.example.test")], true),
        (&*local, &*with_url, vec![("NO_PROXY", "127.0.0.1")], true),
        (&*local, trust, vec![("HTTPS_PROXY", "http://127.0.0.1:1")], false),
    ] {
        let (rows, warnings) = pods(&kubeconfig(folder.path(), address, cluster, "token: t"), &variables);
        let came = std::mem::take(&mut *proxied.1.lock().expect("unpoisoned"));
        assert_eq!(came.is_empty(), !is_proxied, "{address} {variables:?}: {came:?} {warnings:?}");
        assert_eq!(rows.is_empty(), !is_proxied && address == remote, "{address} {variables:?}: {warnings:?}");
        for head in came {
            let host = address.trim_start_matches("https://");
            assert!(head.starts_with(&format!("CONNECT {host} HTTP/1.1\r\n")), "{head}");
            assert!(head.contains("Proxy-Authorization: Basic am9lOnBAdw=="), "{head}");
        }
    }
    for (address, cluster, variables) in [
        ("http://api.example.test", "", vec![("HTTP_PROXY", &*plain_url)]),
        ("api.example.test:80", "", vec![("http_proxy", &*plain_url), ("NO_PROXY", "api.example.test:443")]),
        ("http://127.0.0.1", &*format!(", proxy-url: '{plain_url}'"), vec![("NO_PROXY", "*")]),
    ] {
        let told = pods(&kubeconfig(folder.path(), address, cluster, ""), &variables);
        assert_eq!(told, (vec!["one".to_owned()], vec![]), "{address}");
        let came = std::mem::take(&mut *plainly_proxied.1.lock().expect("unpoisoned"));
        let host = address.trim_start_matches("http://").trim_end_matches(":80");
        assert!(
            came[0].starts_with(&format!("GET http://{host}")) && came[0].contains("/api/v1/pods?limit=500 HTTP/1.1"),
            "{came:?}"
        );
    }
    let (_, warnings) = pods(&kubeconfig(folder.path(), remote, ", proxy-url: '127.0.0.1:1'", ""), &[]);
    assert!(warnings.len() == 1 && warnings[0].contains("`proxy-url` has no scheme"), "{warnings:?}");
}

#[test]
fn a_bad_context_costs_no_good_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server_of_one_pod(None);
    let path = folder.path().join("config");
    let write = |contexts: &str, users: &str| {
        let text = format!(
            "{{current-context: good, preferences: null, clusters: [{{name: c, cluster: {{server: '{}'}}}}, null],
              contexts: [{{name: good, context: {{cluster: c, user: u}}}}{contexts}], users: [{{name: u, user: {{}}}}{users}]}}",
            server.url(),
        );
        std::fs::write(&path, text).expect("written");
    };
    for (contexts, users) in [
        (", {name: bad, context: {user: u}}", ""),
        (", {name: bad, context: {cluster: , user: }}", ""),
        (", {name: bad, context: }, {context: {cluster: c}}, 7", ""),
        (", {name: bad, context: {cluster: 7}}", ""),
        ("", ", {name: b, user: {exec: {apiVersion: v1, command: x, provideClusterInfo: null}}}"),
        ("", ", {name: b, user: {auth-provider: {config: null, name: gcp}}}"),
        ("", ", {name: b, user: {token: 7}}, {name: 7}, [x]"),
    ] {
        write(contexts, users);
        assert_eq!(pods(&path, &[]), (vec!["one".to_owned()], vec![]), "{contexts} {users}");
    }
    // Of two entries with one name, the first counts, with a warning.
    write(", {name: good, context: {cluster: other}}", "");
    let (rows, warnings) = pods(&path, &[]);
    assert_eq!(rows, ["one"]);
    let told = "has several entries for the context `good`: the first one is used; remove the others";
    assert!(warnings.len() == 1 && warnings[0].ends_with(told), "{warnings:?}");
    // A named context that cannot be read is missing, alone.
    write(
        ", {name: bad, context: {user: u}}, {name: worse, context: {cluster: c, user: b}}",
        ", {name: b, user: {token: 7}}",
    );
    runtime().block_on(async {
        let engine = engine(&path, Limits::default()).await;
        let (rows, warnings) = ask(&engine, "SELECT cluster, name FROM kubernetes_pods").await;
        assert_eq!(rows, ["good one"]);
        let mut told: Vec<_> = warnings.iter().map(|warning| warning.message.clone()).collect();
        told.sort();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].ends_with("config: the context `bad` names no cluster"), "{told:?}");
        assert!(
            told[1].contains("user `b`: ") && told[1].ends_with("`token` is a number, not a text: put it in quotes"),
            "{told:?}"
        );
    });
}
