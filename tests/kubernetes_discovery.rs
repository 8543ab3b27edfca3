//! Resources that a cluster serves as tables, on a real API server and on a generated one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use indago_engine::{Code, Engine, Outcome, Warning};
use indago_table::{Kind, Sys};
use indago_tables_kubernetes::{Kubernetes, Settings, catalogs, tables};
use indago_testkit::beds::generated::{KubeServer, KubeServerOptions};
use indago_testkit::beds::{CustomGroup, CustomResources, KubeApi};
use serde_json::{Value, json};

use crate::support::ask;

const CRDS: &str = include_str!("fixtures/kubernetes/crds.yaml");
const WIDGETS: &str = include_str!("fixtures/kubernetes/widgets.yaml");

async fn engine(kubeconfig: impl AsRef<Path>) -> Engine {
    engine_of(Settings {
        kubeconfig: Some(kubeconfig.as_ref().to_owned()),
        contexts: vec!["*".to_owned()],
        ..Settings::default()
    })
    .await
}

async fn engine_of(settings: Settings) -> Engine {
    let clusters = Kubernetes::new(&Sys::live(), settings);
    let builder = Engine::builder().tables(tables(&clusters));
    let builder = catalogs(&clusters).into_iter().fold(builder, indago_engine::EngineBuilder::catalog);
    builder.build().await.expect("an engine")
}

/// Rows of a query that must have no warnings.
async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let (rows, warnings) = ask(engine, sql).await;
    assert!(warnings.is_empty(), "{sql}: {warnings:?}");
    rows
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A value of a column as JSON.
fn cell(column: &ArrayRef, row: usize, kind: &Kind) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match kind {
        Kind::Boolean => json!(column.as_boolean().value(row)),
        Kind::BigInt => json!(column.as_primitive::<Int64Type>().value(row)),
        Kind::Double => json!(column.as_primitive::<Float64Type>().value(row)),
        Kind::Text => json!(column.as_string_view().value(row)),
        Kind::Json => serde_json::from_str(column.as_string_view().value(row)).expect("JSON"),
        Kind::Timestamp => json!(column.as_primitive::<TimestampMicrosecondType>().value(row)),
        Kind::TextList => column.as_list::<i32>().value(row).as_string::<i32>().iter().collect::<Vec<_>>().into(),
        Kind::BigIntList => {
            json!(column.as_list::<i32>().value(row).as_primitive::<Int64Type>().iter().collect::<Vec<_>>())
        }
        Kind::TextMap => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
            Value::Object(
                keys.iter().zip(values).map(|(key, value)| (key.expect("a key").to_owned(), json!(value))).collect(),
            )
        }
        other => panic!("no column is {}", other.name()),
    }
}

/// The value that a column should have.
fn expected(value: &Value, kind: &Kind) -> Value {
    match (kind, value) {
        (_, Value::Null) => Value::Null,
        (Kind::Text, Value::Number(_) | Value::Bool(_)) => json!(value.to_string()),
        (Kind::Timestamp, value) => {
            let time = chrono::DateTime::parse_from_rfc3339(value.as_str().expect("a time")).expect("a time");
            json!(time.timestamp_micros())
        }
        (Kind::Double, value) => json!(value.as_f64()),
        (_, value) => value.clone(),
    }
}

/// Compares each column of a discovered table that has a path with what kubectl prints. Returns the number of values
/// that are not null.
async fn compare(engine: &Engine, api: &KubeApi, table: &str, resource: &str) -> usize {
    let listed = api.kubectl(&["get", resource, "-A", "-o", "json"]).expect("kubectl");
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let by_uid: BTreeMap<&str, &Value> = listed["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|object| (object["metadata"]["uid"].as_str().expect("a uid"), object))
        .collect();
    let found = engine.find_table(table).await.expect("a lookup").unwrap_or_else(|| panic!("{table}"));
    let (batches, warnings) = {
        let query = engine.query(&format!("SELECT * FROM {table}")).await.expect("it plans");
        (query.collect().await.expect("it runs"), query.warnings())
    };
    assert!(warnings.is_empty(), "{table}: {warnings:?}");
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), by_uid.len(), "{table}");
    let mut values = 0;
    for batch in &batches {
        let uids = batch.column_by_name("uid").expect("a uid");
        for row in 0..batch.num_rows() {
            let object = by_uid[uids.as_string_view().value(row)];
            for column in found.spec().columns.iter().filter(|column| !column.hidden) {
                let Some(path) = column.path.as_deref() else { continue };
                let steps = indago_table::json::steps(path);
                // Empty texts, maps and lists of the common columns stand for absent ones.
                let is_common = steps[0] == "metadata";
                let at = steps.iter().fold(object, |value, step| &value[step]);
                let of_column = cell(batch.column_by_name(&column.name).expect("a column"), row, &column.kind);
                let mut wanted = expected(at, &column.kind);
                if is_common && wanted.is_null() && !column.nullable {
                    wanted = of_column.clone();
                    let is_empty = [json!(""), json!({}), json!([])].contains(&wanted);
                    assert!(is_empty, "{table}.{}: {wanted}", column.name);
                }
                assert_eq!(of_column, wanted, "{table}.{} of {}", column.name, object["metadata"]["name"]);
                values += usize::from(!of_column.is_null());
            }
        }
    }
    values
}

/// Waits until the server publishes the schemas of its custom resources.
fn wait_for_schemas(api: &KubeApi, names: &[&str]) {
    for _ in 0..150 {
        let document = api.kubectl(&["get", "--raw", "/openapi/v2"]).expect("OpenAPI");
        if names.iter().all(|name| document.contains(name)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("the server does not publish {names:?}");
}

/// Definitions of custom resources in ten groups.
fn many(count: usize) -> String {
    let definition = |i: usize| {
        let (group, spec) = (
            format!("g{}.many.example.com", i % 10),
            json!({"type": "object", "properties": {"size": {"type": "integer"}}}),
        );
        let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}});
        let version = json!({"name": "v1", "served": true, "storage": true, "schema": schema});
        let names = json!({"plural": format!("thing{i}s"), "kind": format!("Thing{i}")});
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("thing{i}s.{group}")},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
        })
    };
    (0..count).map(|i| format!("---\n{}\n", definition(i))).collect()
}

#[test]
fn every_resource_of_a_real_server_is_a_table() {
    let api = KubeApi::start().expect("an API server");
    api.apply(CRDS).expect("the definitions");
    wait_for_schemas(
        &api,
        &["com.example.acme.v1.Widget", "com.example.beta.v2.Widget", "com.example.acme.v1.LooseEnd"],
    );
    api.apply(WIDGETS).expect("the objects");
    runtime().block_on(async {
        let engine = engine(api.kubeconfig("admin")).await;
        // Every column, compared with kubectl.
        for (table, resource, values) in [
            ("kubernetes_widgets_acme_example_com", "widgets.acme.example.com", 45),
            ("kubernetes_widgets_beta_example_com", "widgets.beta.example.com", 4),
            ("kubernetes_loose_ends", "loose-ends.acme.example.com", 5),
            ("kubernetes_clusterroles", "clusterroles", 200),
            ("kubernetes_apiservices", "apiservices", 100),
            ("kubernetes_prioritylevelconfigurations_flowcontrol_apiserver_k8s_io", "prioritylevelconfigurations", 20),
            ("kubernetes_configmaps", "configmaps", 4),
            ("kubernetes_customresourcedefinitions", "customresourcedefinitions", 20),
        ] {
            let compared = compare(&engine, &api, table, resource).await;
            assert!(compared >= values, "{table}: {compared} values");
        }
        // The types of columns.
        let table = engine.find_table("kubernetes_widgets_acme_example_com").await.expect("it").expect("a table");
        let kind = |name: &str| {
            let column = table.spec().columns.iter().find(|column| column.name == name);
            column.map_or_else(|| panic!("{name}"), |column| column.kind.name())
        };
        for (name, wanted) in [
            ("dns_names", "TEXT[]"),
            ("replicas", "BIGINT"),
            ("serial", "BIGINT"),
            ("ratio", "DOUBLE"),
            ("enabled", "BOOLEAN"),
            ("port", "TEXT"),
            ("not_after", "TIMESTAMP"),
            ("parameters", "MAP(TEXT, TEXT)"),
            ("weights", "BIGINT[]"),
            ("spec_labels", "MAP(TEXT, TEXT)"),
            ("cluster_ip", "TEXT"),
            ("external_ips", "TEXT[]"),
            ("spec_name", "TEXT"),
            ("spec_name_2", "TEXT"),
            ("deep", "JSON"),
            ("anything", "JSON"),
            ("raw", "JSON"),
            ("select", "TEXT"),
            ("dotted_name", "TEXT"),
            ("quo_te", "TEXT"),
            ("status_phase", "TEXT"),
            ("status_observed_generation", "BIGINT"),
        ] {
            assert_eq!(kind(name), wanted, "{name}");
        }
        let one = async |sql: &str| rows(&engine, sql).await.join("|");
        let widgets = "kubernetes_widgets_acme_example_com";
        assert_eq!(one(&format!("SELECT name FROM {widgets} WHERE namespace = 'kube-system'")).await, "partial");
        assert_eq!(one(&format!("SELECT name FROM {widgets} WHERE label_selector = 'app in (web)'")).await, "full");
        assert_eq!(
            one(&format!("SELECT spec_name, \"select\", parameters['a'] FROM {widgets} WHERE name = 'full'")).await,
            "inner from 1"
        );
        assert_eq!(
            one(&format!("SELECT json_extract(deep, '$.one.two.three[0].four') FROM {widgets} WHERE deep IS NOT NULL"))
                .await,
            "x"
        );
        assert_eq!(one("SELECT json_extract(object, '$.other.kept') FROM kubernetes_loose_ends").await, "1");
        assert_eq!(one(&format!("SELECT count(*) FROM {widgets} w JOIN {widgets} o ON w.uid = o.uid")).await, "3");
        let uid = one(&format!("SELECT DISTINCT cluster_uid FROM {widgets}")).await;
        assert_eq!(uid, one("SELECT uid FROM kubernetes_namespaces WHERE name = 'kube-system'").await);
        // Values of secrets are columns of no discovered table.
        let secrets = engine.find_table("kubernetes_secrets").await.expect("a lookup").expect("a table");
        assert!(secrets.spec().columns.iter().all(|column| column.name != "data" || column.secret));

        let error = engine.query("SELECT * FROM kubernetes_widgets").await.expect_err("an ambiguous name");
        assert!(
            error.to_string().contains("widgets.acme.example.com, widgets.beta.example.com; name one of them"),
            "{error}"
        );
        let error = engine.query("SELECT * FROM kubernetes_gizmos").await.expect_err("an unknown name");
        assert_eq!(error.code(), Code::UnknownTable, "{error}");

        // All that kubectl lists can be listed, by the long name.
        let resources = api.kubectl(&["api-resources", "--verbs=list", "--no-headers", "-o", "name"]).expect("kubectl");
        for resource in resources.lines().filter(|resource| *resource != "secrets") {
            let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
            let table = format!("kubernetes_{}_{}", plural, group).replace(['.', '-'], "_");
            let listed = api.kubectl(&["get", resource, "-A", "-o", "name"]).expect("kubectl").lines().count();
            let counted = one(&format!("SELECT count(*) FROM {}", table.trim_end_matches('_'))).await;
            assert_eq!(counted, listed.to_string(), "{resource}");
        }

        // Somebody without rights for the objects still gets their table.
        let denied = self::engine(api.kubeconfig("nobody")).await;
        let (none, warnings) = ask(&denied, "SELECT name FROM kubernetes_loose_ends").await;
        assert!(none.is_empty() && warnings[0].needs.as_deref() == Some("list loose-ends"), "{warnings:?}");
    });

    // Three hundred more, in ten groups; the schema of none of them is needed to list their names.
    api.apply(&many(300)).expect("the definitions");
    api.kubectl(&["wait", "--for=condition=established", "crd", "--all", "--timeout=600s"]).expect("established");
    runtime().block_on(async {
        let engine = engine(api.kubeconfig("admin")).await;
        let (names, warnings) = engine.found_names().await;
        assert!(warnings.is_empty(), "{warnings:?}");
        let things = names.iter().filter(|found| found.name.starts_with("kubernetes_thing")).count();
        assert_eq!(things, 300);
        assert!(
            rows(&engine, "SELECT name FROM kubernetes_api_resources WHERE name = 'thing299s'").await == ["thing299s"]
        );
        // Its schema may not be published yet.
        assert_eq!(ask(&engine, "SELECT count(*) FROM kubernetes_thing299s").await.0, ["0"]);
    });
}

/// Groups whose documents lie.
fn odd() -> Vec<(String, CustomGroup)> {
    let kind = |kind: &str| json!([{"group": "odd.example.com", "version": "v1", "kind": kind}]);
    let resource = |plural: &str, kind: &str| json!({"resource": plural, "responseKind": {"kind": kind}, "scope": "Cluster", "verbs": ["get", "list"]});
    let spec = json!({"type": "object", "properties": {
        "self": {"$ref": "#/components/schemas/Loop"}, "Name": {"type": "string"}, "name": {"type": "string"}, "NAME": {"type": "string"},
        "a; DROP TABLE x": {"type": "string"}, "": {"type": "string"}, "count": {"type": "integer"},
    }});
    let schemas = json!({
        "Loop": {"$ref": "#/components/schemas/Loop"},
        "Odd": {"type": "object", "properties": {"spec": spec}, "x-kubernetes-group-version-kind": kind("Odd")},
        "Self": {"$ref": "#/components/schemas/Self", "x-kubernetes-group-version-kind": kind("Selfish")},
        "Pick": {
            "type": "object", "x-kubernetes-group-version-kind": kind("Pick"),
            "properties": {"spec": {"type": "object", "properties": {"color": {"type": "string"}, "size": {"type": "string"}}}},
            "x-kubernetes-selectable-fields": [{"fieldPath": "spec.color"}, {"fieldPath": 7}],
        },
    });
    let list = |kind: &str, spec: Value| {
        let item = json!({"metadata": {"name": "o", "uid": "u"}, "spec": spec});
        json!({"kind": format!("{kind}List"), "metadata": {}, "items": [item, 7, {"metadata": {"name": "p", "uid": "v"}, "spec": [1]}]})
    };
    let spec =
        json!({"Name": "x", "name": "y", "NAME": "z", "count": "many", "self": {"self": {}}, "a; DROP TABLE x": "!"});
    let objects = [
        ("odds", list("Odd", spec)),
        ("bares", list("Bare", json!({"free": [1]}))),
        ("selfishes", list("Selfish", json!({"a": 1}))),
        ("picks", list("Pick", json!({"color": "red", "size": "s"}))),
    ];
    let resources = json!([
        resource("odds", "Odd"), resource("bares", "Bare"), resource("selfishes", "Selfish"), resource("picks", "Pick"), resource("../../pods", "Up"),
        resource("x; DROP TABLE y", "Sql"), resource("", "None"), 5, {"resource": "kindless", "verbs": ["list"]},
        {"resource": "writeonly", "responseKind": {"kind": "W"}, "verbs": ["create"]},
    ]);
    let group = CustomGroup {
        resources,
        schemas: Some(schemas),
        objects: objects.map(|(plural, list)| (plural.to_owned(), list)).into(),
        ..CustomGroup::default()
    };
    let stale = CustomGroup { is_stale: true, resources: json!([]), ..CustomGroup::default() };
    vec![("odd.example.com".to_owned(), group), ("stale.example.com".to_owned(), stale)]
}

fn server(custom: CustomResources) -> KubeServer {
    KubeServer::with(KubeServerOptions { pods: 3, custom: Some(custom), ..KubeServerOptions::default() })
        .expect("a server")
}

#[test]
fn two_thousand_resources_cost_two_requests_until_a_query_names_one() {
    let server = server(CustomResources { count: 2000, groups: odd(), ..CustomResources::default() });
    runtime().block_on(async {
        let engine = engine(server.kubeconfig()).await;
        let (names, warnings) = engine.found_names().await;
        assert_eq!((names.len(), warnings.len()), (2004, 0), "{warnings:?}");
        assert_eq!(server.take_paths(), ["/api", "/apis"]);
        let columns = "SELECT name, typeof(size), size, color FROM kubernetes_thing1234s ORDER BY color";
        assert_eq!(rows(&engine, columns).await, ["blue integer 1234 blue", "red integer 1234 red"]);
        // The group has 34 letters in its hash' stead.
        let document = "/openapi/v3/apis/g34.example.com/v1?hash=ABC15";
        let list = "/apis/g34.example.com/v1/thing1234s?limit=500";
        assert_eq!(server.take_paths(), ["/api", "/apis", "/openapi/v3", document, list]);
        // The server confirms what is known.
        rows(&engine, columns).await;
        assert_eq!(server.take_paths(), ["/api", "/apis", "/openapi/v3", list]);
        assert_eq!(rows(&engine, "SELECT count(*) FROM kubernetes_pods").await, ["3"]);
        assert_eq!(server.take_paths(), ["/api/v1/pods?limit=500"]);

        // The server selects by the fields that a definition declares for that.
        server.take_paths();
        let picked = "SELECT name FROM kubernetes_picks WHERE color = 'red' AND size = 's'";
        assert_eq!(ask(&engine, picked).await.0, ["o"]);
        let paths = server.take_paths();
        let lists: Vec<_> = paths.iter().filter(|path| path.contains("/picks")).map(String::as_str).collect();
        let list = "/apis/odd.example.com/v1/picks?limit=500&fieldSelector=spec.color";
        assert_eq!(lists, [format!("{list}=red")]);

        // Documents that lie.
        let (odds, warnings) = ask(
            &engine,
            "SELECT name, spec_name, spec_name_2, spec_name_3, a_drop_table_x, \"self\", count FROM kubernetes_odds",
        )
        .await;
        assert_eq!(odds, [r#"o y z x ! {"self":{}} NULL"#, "p NULL NULL NULL NULL NULL NULL"]);
        let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        let says = |what: &str| assert!(told.iter().any(|warning| warning.contains(what)), "{what}: {told:?}");
        says("count): `spec.count` holds a text, which does not fit the column");
        says("skipped an item of the list: it is a number");
        says("`spec.name` holds a list, which does not fit the column");
        for (table, kind) in [
            ("kubernetes_bares", "no schema of odd.example.com/v1 Bare"),
            ("kubernetes_selfishes", "references are too long"),
        ] {
            let (seen, warnings) =
                ask(&engine, &format!("SELECT name, json_extract(object, '$.metadata.uid') FROM {table}")).await;
            assert_eq!(seen, ["o u", "p v"], "{table}");
            assert!(warnings.iter().any(|warning| warning.message.contains(kind)), "{table}: {warnings:?}");
        }
        // The resources of a stale group are unknown, not absent.
        let error = engine.query("SELECT * FROM kubernetes_mysteries").await.expect_err("nothing of that name");
        assert_eq!(error.code(), Code::Catalog);
        assert!(error.to_string().contains("stale.example.com/v1: the resources of this API are unknown"), "{error}");
        let (groups, warnings) =
            ask(&engine, "SELECT count(*) FROM kubernetes_api_resources WHERE \"group\" = 'stale.example.com'").await;
        let is_stale =
            |it: &Warning| it.origin.ends_with("GET /apis/stale.example.com/v1") && it.outcome == Outcome::Io;
        assert!(groups == ["0"] && warnings.iter().any(is_stale), "{warnings:?}");
    });
}

#[test]
fn old_and_new_servers_serve_the_same_tables() {
    let old = server(CustomResources { count: 60, is_old: true, ..CustomResources::default() });
    let new = server(CustomResources { count: 45, ..CustomResources::default() });
    let folder = tempfile::tempdir().expect("a directory");
    let kubeconfig: PathBuf = folder.path().join("config");
    let text = json!({
        "clusters": [{"name": "old", "cluster": {"server": old.url()}}, {"name": "new", "cluster": {"server": new.url()}}],
        "contexts": [{"name": "old", "context": {"cluster": "old"}}, {"name": "new", "context": {"cluster": "new"}}],
    });
    std::fs::write(&kubeconfig, text.to_string()).expect("a file");
    runtime().block_on(async {
        let engine = engine(&kubeconfig).await;
        let (names, _) = engine.found_names().await;
        assert_eq!(names.len(), 60);
        let listed = old.take_paths().len();
        assert_eq!(listed, 2 + 1 + 40, "the roots, the core group and 40 others");
        let sql = "SELECT cluster, name, size FROM kubernetes_thing7s ORDER BY cluster, name";
        assert_eq!(rows(&engine, sql).await, ["new blue 7", "new red 7", "old blue 7", "old red 7"]);
        // A list that was read a moment ago has the resource. Its fields are in the document of all groups.
        assert_eq!(old.take_paths(), ["/openapi/v3", "/openapi/v2", "/apis/g7.example.com/v1/thing7s?limit=500"]);
        // Served by one of them: the other has a note.
        let (seen, warnings) = ask(&engine, "SELECT cluster, name FROM kubernetes_thing50s WHERE color = 'red'").await;
        assert_eq!(seen, ["old red"]);
        let [note] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(note.is_note(), "{note:?}");
        assert_eq!(note.message, "the cluster does not serve thing50s.g10.example.com");
        assert_eq!(
            rows(&engine, "SELECT name FROM kubernetes_thing50s WHERE cluster = 'old' AND color = 'red'").await,
            ["red"]
        );
    });
}
