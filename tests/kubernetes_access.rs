//! Effective access compared with a real API server: with its SubjectAccessReviews, and with real requests.
//!
//! `INDAGO_RBAC_SEED` chooses other roles and questions, `INDAGO_RBAC_QUESTIONS` their number.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use datafusion::arrow::util::display::array_value_to_string;
use futures::{StreamExt, stream};
use indago_engine::{Engine, Limits, QueryOptions};
use indago_table::Sys;
use indago_tables_kubernetes::{Kubernetes, Settings};
use indago_testkit::beds::{KubeApi, KubeApiOptions};
use serde_json::{Value, json};

use crate::support::Dice;

/// One to `most` different ones.
fn some<'a>(dice: &mut Dice, of: &[&'a str], most: usize) -> Vec<&'a str> {
    let count = 1 + dice.below(most);
    let chosen: BTreeSet<&str> = (0..count).map(|_| dice.pick(of)).collect();
    chosen.into_iter().collect()
}

const NAMESPACES: [&str; 4] = ["n1", "n2", "kube-system", "default"];
const VERBS: [&str; 16] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "bind",
    "escalate",
    "impersonate",
    "use",
    "*",
    "GET",
    "approve",
    "custom",
];
const GROUPS: [&str; 7] = ["", "", "apps", "rbac.authorization.k8s.io", "batch", "example.com", "*"];
const RULE_RESOURCES: [&str; 24] = [
    "pods",
    "pods/log",
    "pods/exec",
    "pods/*",
    "pods/status",
    "*/scale",
    "*/log",
    "*/*",
    "*",
    "deployments",
    "deployments/scale",
    "secrets",
    "configmaps",
    "nodes",
    "nodes/proxy",
    "namespaces",
    "roles",
    "clusterroles",
    "users",
    "serviceaccounts",
    "serviceaccounts/token",
    "Pods",
    "widgets",
    "jobs",
];
const RESOURCES: [&str; 18] = [
    "pods",
    "pods",
    "deployments",
    "secrets",
    "configmaps",
    "nodes",
    "namespaces",
    "roles",
    "clusterroles",
    "users",
    "serviceaccounts",
    "Pods",
    "widgets",
    "jobs",
    "*",
    "pods/log",
    "events",
    "services",
];
const SUBRESOURCES: [&str; 10] = ["", "", "", "log", "scale", "exec", "status", "proxy", "*", "token"];
const NAMES: [&str; 7] = ["a", "b", "web", "*", "A", "web-0", "n1"];
const URLS: [&str; 16] = [
    "/healthz",
    "/healthz/",
    "/healthz/a",
    "/health",
    "/healthza",
    "/metrics",
    "/metrics/a/b",
    "/",
    "/api",
    "/api/v1",
    "/apis/apps",
    "/version",
    "*",
    "/logs/",
    "/openapi/v2",
    "/livez",
];
const RULE_URLS: [&str; 10] =
    ["/healthz", "/healthz/*", "/health*", "/metrics/**", "*", "/api/*", "/a*", "/logs", "/*/a", "/version"];
const USERS: [&str; 14] = [
    "u0",
    "u1",
    "u2",
    "u3",
    "u4",
    "U0",
    "admin",
    "system:anonymous",
    "system:kube-scheduler",
    "system:kube-controller-manager",
    "system:serviceaccount:n1:bot",
    "system:serviceaccount:n2:bot",
    "system:serviceaccount:kube-system:default",
    "system:serviceaccount:kube-system:generic-garbage-collector",
];
const GROUPS_OF_USERS: [&str; 12] = [
    "g0",
    "g1",
    "g2",
    "u0",
    "system:authenticated",
    "system:unauthenticated",
    "system:serviceaccounts",
    "system:serviceaccounts:n1",
    "system:serviceaccounts:n2",
    "system:masters",
    "system:monitoring",
    "system:nodes",
];

fn rule(dice: &mut Dice, is_cluster: bool) -> Value {
    if is_cluster && dice.one_in(4) {
        return json!({"verbs": some(dice, &["get", "head", "post", "*"], 2), "nonResourceURLs": some(dice, &RULE_URLS, 3)});
    }
    let mut rule = json!({
        "verbs": some(dice, &VERBS, 4), "apiGroups": some(dice, &GROUPS, 2), "resources": some(dice, &RULE_RESOURCES, 4),
    });
    if dice.one_in(3) {
        rule["resourceNames"] = json!(some(dice, &NAMES, 3));
    }
    rule
}

fn subject(dice: &mut Dice, is_cluster: bool) -> Value {
    match dice.below(3) {
        0 => json!({"kind": "User", "name": dice.pick(&USERS), "apiGroup": "rbac.authorization.k8s.io"}),
        1 => {
            json!({"kind": "Group", "name": dice.pick(&GROUPS_OF_USERS[..9]), "apiGroup": "rbac.authorization.k8s.io"})
        }
        _ => {
            let mut account = json!({"kind": "ServiceAccount", "name": dice.pick(&["bot", "default", "other"])});
            if is_cluster || dice.one_in(2) {
                account["namespace"] = dice.pick(&NAMESPACES).into();
            }
            account
        }
    }
}

/// Roles, aggregating roles and bindings, as objects to apply.
fn objects(dice: &mut Dice) -> Vec<Value> {
    let api = "rbac.authorization.k8s.io/v1";
    let mut objects = Vec::new();
    for namespace in ["n1", "n2"] {
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    }
    for number in 0..50 {
        let count = dice.below(5);
        let rules: Vec<Value> = (0..count).map(|_| rule(dice, true)).collect();
        let mut labels = json!({});
        if dice.one_in(2) {
            labels[format!("example.com/to-{}", dice.below(4))] = "true".into();
        }
        if dice.one_in(8) {
            // They come into roles of the bootstrap policy.
            labels["rbac.authorization.k8s.io/aggregate-to-view"] = "true".into();
        }
        let metadata = json!({"name": format!("c{number}"), "labels": labels});
        objects.push(json!({"apiVersion": api, "kind": "ClusterRole", "metadata": metadata, "rules": rules}));
    }
    for number in 0..4 {
        // A chain: each aggregates the next one, too.
        let labels = json!({format!("example.com/to-{}", number + 1): "true"});
        let selectors = json!([
            {"matchLabels": {format!("example.com/to-{number}"): "true"}},
            {"matchExpressions": [{"key": format!("example.com/to-{number}"), "operator": "In", "values": ["yes", "true"]}]},
        ]);
        objects.push(json!({
            "apiVersion": api, "kind": "ClusterRole", "metadata": {"name": format!("aggregate{number}"), "labels": labels},
            "aggregationRule": {"clusterRoleSelectors": selectors}, "rules": [],
        }));
    }
    for namespace in ["n1", "n2"] {
        for number in 0..15 {
            let count = dice.below(4);
            let rules: Vec<Value> = (0..count).map(|_| rule(dice, false)).collect();
            let metadata = json!({"name": format!("r{number}"), "namespace": namespace});
            objects.push(json!({"apiVersion": api, "kind": "Role", "metadata": metadata, "rules": rules}));
        }
    }
    let cluster_role = |dice: &mut Dice| match dice.below(10) {
        0 => "nosuch".to_owned(),
        1 => dice.pick(&["admin", "edit", "view", "system:discovery", "system:node-problem-detector"]).to_owned(),
        2 => format!("aggregate{}", dice.below(4)),
        _ => format!("c{}", dice.below(50)),
    };
    for number in 0..120 {
        let is_cluster = number % 3 == 0;
        let count = 1 + dice.below(3);
        let subjects: Vec<Value> = (0..count).map(|_| subject(dice, is_cluster)).collect();
        let (kind, name) = match !is_cluster && dice.one_in(2) {
            true => ("Role", format!("r{}", dice.below(17))),
            false => ("ClusterRole", cluster_role(dice)),
        };
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
        let mut metadata = json!({"name": format!("b{number}")});
        if !is_cluster {
            metadata["namespace"] = dice.pick(&["n1", "n2"]).into();
        }
        let kind = if is_cluster { "ClusterRoleBinding" } else { "RoleBinding" };
        objects.push(
            json!({"apiVersion": api, "kind": kind, "metadata": metadata, "roleRef": role, "subjects": subjects}),
        );
    }
    objects
}

/// The `spec` of a review.
fn question(dice: &mut Dice) -> Value {
    let mut spec = json!({});
    if !dice.one_in(4) {
        spec["user"] = dice.pick(&USERS).into();
    }
    if spec["user"].is_null() || dice.one_in(2) {
        let most = if dice.one_in(20) { GROUPS_OF_USERS.len() } else { 9 };
        spec["groups"] = json!(some(dice, &GROUPS_OF_USERS[..most], 3));
    }
    if dice.one_in(5) {
        spec["nonResourceAttributes"] =
            json!({"path": dice.pick(&URLS), "verb": dice.pick(&["get", "head", "post", "*"])});
        return spec;
    }
    let mut attributes = json!({
        "verb": dice.pick(&VERBS), "group": dice.pick(&GROUPS), "resource": dice.pick(&RESOURCES),
        "subresource": dice.pick(&SUBRESOURCES),
    });
    if !dice.one_in(3) {
        attributes["namespace"] = dice.pick(&NAMESPACES).into();
    }
    if dice.one_in(2) {
        attributes["name"] = dice.pick(&NAMES).into();
    }
    if dice.one_in(10) {
        attributes["version"] = dice.pick(&["v1", "*"]).into();
    }
    spec["resourceAttributes"] = attributes;
    spec
}

fn client(api: &KubeApi) -> kube::Client {
    let mut config = kube::Config::new(api.url().parse().expect("an address"));
    config.accept_invalid_certs = true;
    config.auth_info.token = Some(api.token("admin").into());
    kube::Client::try_from(config).expect("a client")
}

/// Reviews that are in flight at the same time.
const CONCURRENT: usize = 48;

/// The server's answers.
async fn reviews(client: &kube::Client, specs: &[Value]) -> Vec<bool> {
    let review = |spec: &Value| {
        let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec});
        let request = http::Request::post("/apis/authorization.k8s.io/v1/subjectaccessreviews")
            .header("content-type", "application/json")
            .body(body.to_string().into_bytes())
            .expect("a request");
        let client = client.clone();
        async move {
            let answer: Value = client.request(request).await.unwrap_or_else(|error| panic!("{body}: {error}"));
            answer["status"]["allowed"].as_bool().expect("an answer")
        }
    };
    stream::iter(specs.iter().map(review)).buffered(CONCURRENT).collect().await
}

async fn engine(api: &KubeApi) -> Engine {
    let settings = Settings { kubeconfig: Some(api.kubeconfig("admin")), ..Settings::default() };
    let kubernetes = Kubernetes::new(&Sys::live(), settings);
    let builder = Engine::builder().tables(indago_tables_kubernetes::tables(&kubernetes));
    let builder = builder.functions(indago_tables_kubernetes::functions(&kubernetes));
    builder.limits(Limits::default()).build().await.expect("an engine")
}

/// Rows as texts, NULL as `NULL`. The only warnings are notes.
async fn rows(engine: &Engine, sql: &str, parameters: &[(&str, String)]) -> Vec<Vec<String>> {
    let options =
        parameters.iter().fold(QueryOptions::default(), |options, (name, value)| options.bind(name, value.clone()));
    let query = engine.query_with(sql, options).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let warnings: Vec<_> = query.warnings().into_iter().filter(|warning| !warning.is_note()).collect();
    assert!(warnings.is_empty(), "{sql}: {warnings:?}");
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cell = |column: &datafusion::arrow::array::ArrayRef| match column.is_null(row) {
                true => "NULL".to_owned(),
                false => array_value_to_string(column, row).expect("a value"),
            };
            rows.push(batch.columns().iter().map(cell).collect());
        }
    }
    rows
}

/// Our answers to reviews, each a row of one query.
async fn answers(engine: &Engine, specs: &[Value]) -> Vec<String> {
    let mut answers = Vec::new();
    for some in specs.chunks(5000) {
        let sql = "SELECT kubernetes_can_i(value) FROM json_each($specs) ORDER BY CAST(key AS BIGINT)";
        let parameters = [("specs", json!(some).to_string())];
        answers.extend(rows(engine, sql, &parameters).await.into_iter().flatten());
    }
    answers
}

/// Waits until the controller has written the rules of aggregating roles.
fn wait_for_aggregation(api: &KubeApi) {
    let count = || {
        let template = r#"jsonpath={range .items[?(@.aggregationRule)]}{.metadata.name}{range .rules[*]}{.verbs}{.resources}{end}{"\n"}{end}"#;
        api.kubectl(&["get", "clusterroles", "-o", template]).expect("kubectl")
    };
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let mut before = String::new();
    loop {
        let now = count();
        let is_full = now
            .lines()
            .filter(|line| line.starts_with("view") || line.starts_with("admin"))
            .all(|line| line.contains("pods"));
        if is_full && now == before {
            return;
        }
        assert!(std::time::Instant::now() < end, "the controller wrote no rules:\n{now}");
        before = now;
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
}

/// Fails with the differing answers, both of them.
fn assert_agree(specs: &[Value], server: &[bool], ours: &[String]) {
    assert_eq!((specs.len(), specs.len()), (server.len(), ours.len()));
    let compared = specs.iter().zip(server).zip(ours);
    let differing = compared.filter(|((_, server), ours)| server.to_string() != **ours);
    let told = differing.map(|((spec, server), ours)| format!("{spec}: the server says {server}, we say {ours}"));
    let told: Vec<String> = told.collect();
    assert!(told.is_empty(), "{} of {} differ: {:#?}", told.len(), specs.len(), &told[..told.len().min(20)]);
}

fn attributes(verb: &str, group: &str, combined: &str, name: &str, namespace: &str) -> Value {
    let (resource, subresource) = combined.split_once('/').unwrap_or((combined, ""));
    json!({"verb": verb, "group": group, "resource": resource, "subresource": subresource, "name": name, "namespace": namespace})
}

/// A subject alone, as the spec of a review.
fn alone(kind: &str, name: &str, namespace: &str) -> Value {
    match kind {
        "Group" => json!({"groups": [name]}),
        "User" => json!({"user": name}),
        _ => json!({"user": format!("system:serviceaccount:{namespace}:{name}")}),
    }
}

#[test]
fn access_is_what_the_server_decides() {
    let mut dice = Dice::seeded("INDAGO_RBAC_SEED");
    let api = KubeApi::with(KubeApiOptions { controllers: true, ..KubeApiOptions::default() }).expect("an API server");
    let manifest = json!({"apiVersion": "v1", "kind": "List", "items": objects(&mut dice)});
    api.apply(&manifest.to_string()).expect("the objects are valid");
    wait_for_aggregation(&api);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (engine, client) = (engine(&api).await, client(&api));
        reviews_agree(&engine, &client, &mut dice).await;
        subjects_of_a_right_are_those_that_have_it(&engine, &client, &mut dice).await;
        expanded_rights_exist(&engine, &client, &mut dice).await;
        requests_are_allowed_as_predicted(&engine, &client, &mut dice).await;
        rights_are_rows(&engine).await;
        calls_work_everywhere(&engine).await;
    });
}

async fn reviews_agree(engine: &Engine, client: &kube::Client, dice: &mut Dice) {
    let count = std::env::var("INDAGO_RBAC_QUESTIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000);
    let specs: Vec<Value> = (0..count).map(|_| question(dice)).collect();
    let start = std::time::Instant::now();
    let server = reviews(client, &specs).await;
    let (of_server, start) = (start.elapsed(), std::time::Instant::now());
    let ours = answers(engine, &specs).await;
    let yes = server.iter().filter(|allowed| **allowed).count();
    eprintln!("{count} reviews, {yes} allowed: the server {of_server:?}, we {:?}", start.elapsed());
    assert!(yes > count / 20 && yes < count / 2, "{yes} of {count}: the questions say little");
    assert_agree(&specs, &server, &ours);
}

/// `kubernetes_who_can` has exactly the subjects that a review allows by themselves.
async fn subjects_of_a_right_are_those_that_have_it(engine: &Engine, client: &kube::Client, dice: &mut Dice) {
    let mut specs = Vec::new();
    let mut ours = Vec::new();
    for number in 0..60 {
        let verb = dice.pick(&VERBS);
        let (resource, attributes) = if number % 6 == 0 {
            let path = dice.pick(&URLS[..12]);
            (path.to_owned(), json!({"nonResourceAttributes": {"path": path, "verb": verb}}))
        } else {
            let (group, combined) =
                (dice.pick(&GROUPS), dice.pick(&["pods", "pods/log", "deployments/scale", "secrets", "nodes"]));
            let (base, subresource) = combined.split_once('/').unwrap_or((combined, ""));
            let separator = if subresource.is_empty() { "" } else { "/" };
            let resource = format!("{base}.{group}{separator}{subresource}");
            (resource, json!({"resourceAttributes": attributes(verb, group, combined, "web", "n1")}))
        };
        let is_url = resource.starts_with('/');
        let keys = if is_url { "" } else { " AND namespace = 'n1' AND resource_name = 'web'" };
        let sql = format!(
            "SELECT DISTINCT subject_kind, subject_name, coalesce(subject_namespace, '') FROM kubernetes_who_can \
             WHERE verb = '{verb}' AND resource = '{resource}'{keys}"
        );
        let found: BTreeSet<Vec<String>> = rows(engine, &sql, &[]).await.into_iter().collect();
        let users = USERS.iter().filter(|user| !user.starts_with("system:serviceaccount:"));
        let accounts = ["n1", "n2"]
            .iter()
            .flat_map(|namespace| ["bot", "default", "other"].map(|name| ("ServiceAccount", name, *namespace)));
        let groups = GROUPS_OF_USERS.iter().map(|group| ("Group", *group, ""));
        for (kind, name, namespace) in users.map(|user| ("User", *user, "")).chain(groups).chain(accounts) {
            let mut spec = alone(kind, name, namespace);
            spec.as_object_mut().expect("an object").extend(attributes.as_object().expect("an object").clone());
            specs.push(spec);
            let is_listed = |kind: &str, name: &str, namespace: &str| {
                found.contains(&vec![kind.to_owned(), name.to_owned(), namespace.to_owned()])
            };
            // A service account can also be bound by its user name.
            let by_name =
                kind == "ServiceAccount" && is_listed("User", &format!("system:serviceaccount:{namespace}:{name}"), "");
            ours.push((is_listed(kind, name, namespace) || by_name).to_string());
        }
    }
    let server = reviews(client, &specs).await;
    assert_agree(&specs, &server, &ours);
}

/// Each row of the expanded table is a right that a review confirms, and no right of served resources is missing.
async fn expanded_rights_exist(engine: &Engine, client: &kube::Client, dice: &mut Dice) {
    let sql = "SELECT subject_kind, subject_name, coalesce(subject_namespace, ''), verb, api_group, \
               resource || coalesce('/' || subresource, ''), resource_name, namespace \
               FROM kubernetes_access_expanded WHERE non_resource_url IS NULL";
    let all = rows(engine, sql, &[]).await;
    let mut specs = Vec::new();
    let empty = |text: &String| if text == "NULL" { String::new() } else { text.clone() };
    for _ in 0..2000 {
        let row = &all[dice.below(all.len())];
        let mut spec = alone(&row[0], &row[1], &row[2]);
        spec["resourceAttributes"] = attributes(&row[3], &row[4], &row[5], &empty(&row[6]), &empty(&row[7]));
        specs.push(spec);
    }
    let mut ours = vec!["true".to_owned(); specs.len()];
    // By subject, verb, group and resource.
    let mut rights: BTreeMap<Vec<&str>, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for row in &all {
        let key = row[..6].iter().map(String::as_str).collect();
        rights.entry(key).or_default().insert((&row[6], &row[7]));
    }
    let served = rows(engine, "SELECT \"group\", name, unnest(verbs) FROM kubernetes_api_resources", &[]).await;
    for _ in 0..2000 {
        let [group, resource, verb] = &served[dice.below(served.len())][..] else { panic!("three columns") };
        let (kind, name) = match dice.one_in(2) {
            true => ("User", USERS[dice.below(10)]),
            false => ("Group", dice.pick(&GROUPS_OF_USERS)),
        };
        let found = rights.get(&vec![kind, name, "", verb.as_str(), group.as_str(), resource.as_str()]);
        let is_there = found.is_some_and(|found| {
            found.iter().any(|(name, namespace)| *name == "NULL" && ["NULL", "n1"].contains(namespace))
        });
        let mut spec = alone(kind, name, "");
        spec["resourceAttributes"] = attributes(verb, group, resource, "", "n1");
        specs.push(spec);
        ours.push(is_there.to_string());
    }
    let server = reviews(client, &specs).await;
    assert_agree(&specs, &server, &ours);
}

/// The path and method of a real request; `None` if there is none of that kind.
fn request(verb: &str, group: &str, combined: &str, namespace: &str, name: &str) -> Option<(&'static str, String)> {
    let (resource, subresource) = combined.split_once('/').unwrap_or((combined, ""));
    let is_namespaced = !matches!(resource, "nodes" | "namespaces" | "persistentvolumes");
    let mut path = if group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{group}/v1") };
    if is_namespaced && !namespace.is_empty() {
        write!(path, "/namespaces/{namespace}").expect("a text");
    }
    write!(path, "/{resource}").expect("a text");
    let of_object = matches!(verb, "get" | "update" | "patch" | "delete");
    if of_object && (name.is_empty() || (is_namespaced && namespace.is_empty())) {
        return None;
    }
    if of_object || !subresource.is_empty() {
        write!(path, "/{name}").expect("a text");
        if !subresource.is_empty() {
            write!(path, "/{subresource}").expect("a text");
        }
    } else if verb == "create" && is_namespaced && namespace.is_empty() {
        return None;
    }
    let (method, query) = match verb {
        "get" => ("GET", String::new()),
        "list" if !name.is_empty() => ("GET", format!("?fieldSelector=metadata.name%3D{name}")),
        "list" => ("GET", String::new()),
        "create" => ("POST", "?dryRun=All".to_owned()),
        "update" => ("PUT", "?dryRun=All".to_owned()),
        "patch" => ("PATCH", "?dryRun=All".to_owned()),
        "delete" | "deletecollection" => ("DELETE", "?dryRun=All".to_owned()),
        _ => return None,
    };
    Some((method, path + &query))
}

/// `kubernetes_can_request` agrees with requests that the server authorizes, by an impersonated user.
async fn requests_are_allowed_as_predicted(engine: &Engine, client: &kube::Client, dice: &mut Dice) {
    let mut asked = Vec::new();
    let mut sent = Vec::new();
    while asked.len() < 1500 {
        let subject =
            dice.pick(&["u0", "u1", "u2", "u3", "u4", "system:serviceaccount:n1:bot", "system:serviceaccount:n2:bot"]);
        let verb = dice.pick(&["get", "list", "create", "update", "patch", "delete", "deletecollection"]);
        let (group, combined) = [
            ("", "pods"),
            ("", "pods/log"),
            ("", "secrets"),
            ("", "configmaps"),
            ("", "nodes"),
            ("", "namespaces"),
            ("", "persistentvolumes"),
            ("apps", "deployments"),
            ("apps", "deployments/scale"),
            ("", "namespaces/status"),
        ][dice.below(10)];
        if combined.contains('/') && !matches!(verb, "get" | "update" | "patch") {
            continue;
        }
        let namespace = dice.pick(&["", "n1", "n1", "n2"]);
        let name = if combined.starts_with("namespaces") {
            dice.pick(&["n1", "n2"])
        } else {
            dice.pick(&["", "a", "b", "web"])
        };
        let Some((method, path)) = request(verb, group, combined, namespace, name) else { continue };
        let (resource, subresource) = combined.split_once('/').unwrap_or((combined, ""));
        let text = if subresource.is_empty() {
            format!("{resource}.{group}")
        } else {
            format!("{resource}.{group}/{subresource}")
        };
        asked.push(json!({"subject": subject, "verb": verb, "resource": text, "namespace": namespace, "name": name}));
        sent.push((subject, method, path));
    }
    let send = |(subject, method, path): &(&str, &str, String)| {
        let kind = if *method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let mut request = http::Request::builder()
            .method(*method)
            .uri(path)
            .header("content-type", kind)
            .header("impersonate-user", *subject);
        // Impersonation without a group adds these by itself.
        if let Some((namespace, _)) =
            subject.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'))
        {
            for group in ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")] {
                request = request.header("impersonate-group", group);
            }
        }
        let body = if matches!(*method, "GET" | "DELETE") { Vec::new() } else { b"{}".to_vec() };
        let request = request.header("impersonate-group", "system:authenticated").body(body).expect("a request");
        let client = client.clone();
        async move {
            match client.request_text(request).await {
                Ok(_) => true,
                Err(kube::Error::Api(status)) => !(status.code == 403 && status.message.contains(" cannot ")),
                // An answer that is not an object, such as a log.
                Err(error) => panic!("{error}"),
            }
        }
    };
    let server: Vec<bool> = stream::iter(sent.iter().map(send)).buffered(CONCURRENT).collect().await;
    let sql = "SELECT kubernetes_can_request(value->>'subject', value->>'verb', value->>'resource', value->>'namespace', value->>'name') \
               FROM json_each($asked) ORDER BY CAST(key AS BIGINT)";
    let ours: Vec<String> =
        rows(engine, sql, &[("asked", json!(asked).to_string())]).await.into_iter().flatten().collect();
    let yes = server.iter().filter(|allowed| **allowed).count();
    eprintln!("{} requests, {yes} allowed", sent.len());
    assert!(yes > 50, "{yes} requests are allowed: they say little");
    assert_agree(&asked, &server, &ours);
}

/// Keys select what a filter selects, and rows of a subject include those of its groups.
async fn rights_are_rows(engine: &Engine) {
    for table in ["kubernetes_access", "kubernetes_access_expanded"] {
        for condition in [
            "verb = 'get'",
            "subject_kind = 'ServiceAccount' AND subject_name = 'bot'",
            "subject_namespace = 'n1'",
            "namespace = 'n2' AND resource = 'pods'",
            "subresource = 'scale'",
            "non_resource_url = '/healthz'",
            "resource_name IN ('a', 'web') AND api_group = ''",
            "binding_name = 'b3' OR role_name = 'c7'",
        ] {
            let by = |sql: &str| format!("SELECT count(*), count(DISTINCT subject || verb) FROM {table} WHERE {sql}");
            let hidden = condition.replace(" = ", " || '' = ").replace(" IN ", " || '' IN ");
            assert_eq!(
                rows(engine, &by(condition), &[]).await,
                rows(engine, &by(&hidden), &[]).await,
                "{table}: {condition}"
            );
        }
    }
    let sql =
        "SELECT DISTINCT subject FROM kubernetes_access WHERE applies_to = 'system:serviceaccount:n1:bot' ORDER BY 1";
    let subjects: Vec<String> = rows(engine, sql, &[]).await.into_iter().flatten().collect();
    let known = [
        "group:system:authenticated",
        "group:system:serviceaccounts",
        "group:system:serviceaccounts:n1",
        "system:serviceaccount:n1:bot",
        "user:system:serviceaccount:n1:bot",
    ];
    assert!(subjects.iter().all(|subject| known.contains(&subject.as_str())), "{subjects:?}");
    assert!(subjects.contains(&"group:system:authenticated".to_owned()), "{subjects:?}");
    let masters =
        "SELECT count(*) FROM kubernetes_access WHERE subject = 'group:system:masters' AND binding_name IS NULL";
    assert_eq!(rows(engine, masters, &[]).await, [["2"]]);
}

/// The function is an expression like any other.
async fn calls_work_everywhere(engine: &Engine) {
    let one = |sql: &'static str| async move { rows(engine, sql, &[]).await };
    assert_eq!(one("SELECT kubernetes_can_i('group:system:masters', 'delete', 'nodes', NULL)").await, [["true"]]);
    let nobody = "SELECT kubernetes_can_i('{\"user\": \"x\", \"resourceAttributes\": {\"verb\": \"delete\", \"resource\": \"nodes\"}}')";
    assert_eq!(one(nobody).await, [["false"]]);
    assert_eq!(one("SELECT kubernetes_can_i('user:nobody', 'get', '/version', NULL)").await, [["true"]]);
    assert_eq!(one("SELECT kubernetes_can_i(NULL, 'get', 'pods', NULL)").await, [["NULL"]]);
    // The group is found by the plural, singular and short name.
    let groups = "SELECT DISTINCT api_group FROM kubernetes_who_can WHERE verb = 'get' AND resource IN ('deployments', 'deploy', 'deployment')";
    assert_eq!(one(groups).await, [["apps"]]);
    // In conditions, of a scan and of a join, in sorting, grouping, CASE and aggregates.
    let accounts = "SELECT count(*) FROM kubernetes_service_accounts";
    let all: usize = one(accounts).await[0][0].parse().expect("a number");
    for (condition, expected) in [
        ("kubernetes_can_i('group:system:masters', 'get', 'pods', namespace)", all),
        ("NOT kubernetes_can_i('group:system:masters', 'get', 'pods', namespace, name)", 0),
        ("kubernetes_can_i('system:serviceaccount:' || namespace || ':' || name, 'get', '/version', '')", all),
    ] {
        let counted = rows(engine, &format!("{accounts} WHERE {condition}"), &[]).await;
        assert_eq!(counted, [[expected.to_string()]], "{condition}");
    }
    let join = "SELECT count(*) > 0 FROM kubernetes_namespaces n JOIN kubernetes_service_accounts a \
                ON kubernetes_can_i('group:system:masters', 'get', 'pods', n.name) AND n.name = a.namespace";
    assert_eq!(one(join).await, [["1"]]);
    let sorted = "SELECT kubernetes_can_i('group:' || 'system:masters', 'get', 'pods', name) AS can, count(*) > 0, \
                  max(CASE WHEN kubernetes_can_i('group:system:masters', 'get', 'pods', name) THEN 1 ELSE 0 END) \
                  FROM kubernetes_namespaces GROUP BY 1 ORDER BY kubernetes_can_i('user:a', 'get', 'pods', NULL), 1 LIMIT 1";
    assert_eq!(one(sorted).await, [["true", "1", "1"]]);
    // What is malformed is NULL, with a warning that names it; other rows have their values.
    let sql = "SELECT kubernetes_can_i(value) FROM json_each('[\"x\", {\"user\": \"a\", \"nonResourceAttributes\": {\"path\": \"/no\", \"verb\": \"get\"}}, {}]')";
    let query = engine.query(sql).await.expect("it is planned");
    let batches = query.collect().await.expect("it runs");
    let values: Vec<Option<bool>> = batches
        .iter()
        .flat_map(|batch| {
            let values = datafusion::arrow::array::AsArray::as_boolean(batch.column(0));
            values.iter().collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(values, [None, Some(false), None]);
    let told: Vec<String> =
        query.warnings().iter().filter(|warning| !warning.is_note()).map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|told| told.contains("it needs `user` or `groups`")), "{told:?}");
    let wrong = engine.query("SELECT kubernetes_can_i('a', 'b', 'c')").await.expect_err("three arguments");
    assert!(wrong.to_string().contains("kubernetes_can_i"), "{wrong}");
    // The policy is read once per query, for the function and the tables.
    let both = "SELECT count(*) FROM kubernetes_access a WHERE verb = 'get' AND kubernetes_can_i(a.subject, 'get', 'pods.', 'n1') IS NOT NULL \
                AND EXISTS (SELECT 1 FROM kubernetes_who_can w WHERE w.verb = 'get' AND w.resource = 'pods.' AND w.subject_name = a.subject_name)";
    one(both).await;
    let calls = one("SELECT sum(calls) FROM engine_scans WHERE table_name IN ('kubernetes_access', 'kubernetes_who_can', 'kubernetes_can_i')").await;
    assert_eq!(calls, [["4"]]);
}

const PAST: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: past-reader}
rules:
- {apiGroups: [""], resources: [pods, pods/log], verbs: [get, list]}
- {apiGroups: [apps], resources: [deployments], resourceNames: [web], verbs: ["*"]}
- {nonResourceURLs: [/metrics], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: past-secrets, namespace: default}
rules:
- {apiGroups: [""], resources: [secrets], verbs: [get]}
- {apiGroups: [""], resources: [secrets], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: past-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: past-reader}
subjects:
- {kind: User, name: eve, apiGroup: rbac.authorization.k8s.io}
- {kind: ServiceAccount, name: bot, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: past-secrets, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: past-secrets}
subjects:
- {kind: ServiceAccount, name: bot}
"#;

/// Effective access as of a past time is that of the roles and bindings which were recorded, and the cluster is not called.
#[test]
fn access_of_the_past_is_computed_from_what_was_recorded() {
    let api = KubeApi::start().expect("an API server");
    api.apply(PAST).expect("applied");
    let folder = tempfile::tempdir().expect("a directory");
    let config = folder.path().join("indago.toml");
    // The server's own file goes with it.
    std::fs::copy(api.kubeconfig("admin"), folder.path().join("kubeconfig")).expect("copied");
    let text = format!(
        "[host]\nenabled = false\n[containers]\nenabled = false\n[aws]\nenabled = false\n[git]\nenabled = false\n\
         [kubernetes]\nkubeconfig = {:?}\n[record]\ndir = \"recorded\"\nwriter = \"here\"\n\
         [recording.access]\ntables = [\"kubernetes_*role*\", \"kubernetes_api_resources\"]\n",
        folder.path().join("kubeconfig")
    );
    std::fs::write(&config, text).expect("written");
    let run = |arguments: &[&str]| {
        let output = crate::cli::indago().arg("--config").arg(&config).args(arguments).output().expect("indago runs");
        crate::cli::ran(output)
    };
    run(&["record", "--once", "--json"]).expect(0);
    let newest = "SELECT max(end_time) AS t FROM coverage WHERE table_name = 'kubernetes_api_resources'";
    let time = run(&["query", newest]).expect(0).json()[0]["t"].as_str().expect("a time").to_owned();
    let access = "SELECT cluster, subject_kind, subject_name, namespace, verb, api_group, resource, subresource, resource_name, \
                  non_resource_url, binding_name, role_name FROM kubernetes_access \
                  WHERE binding_name LIKE 'past-%' ORDER BY 2, 3, 5, 6, 7, 8, 9, 10, 11";
    let expanded = access.replace("kubernetes_access ", "kubernetes_access_expanded ");
    let who = "SELECT subject_kind, subject_name, binding_name FROM kubernetes_who_can \
               WHERE verb = 'get' AND resource = 'secrets' AND namespace = 'default' ORDER BY 1, 2, 3";
    let can = "SELECT kubernetes_can_i('system:serviceaccount:default:bot', 'get', 'secrets', 'default') AS secrets, \
               kubernetes_can_i('user:eve', 'list', 'po', 'default') AS pods, \
               kubernetes_can_i('user:eve', 'get', 'secrets', 'default') AS no, \
               kubernetes_can_request('user:eve', 'delete', 'deployments.apps', 'default', 'web') AS web";
    let queries = [access, &expanded, who, can];
    let live: Vec<Value> = queries.iter().map(|sql| run(&["query", "--strict", sql]).expect(0).json()).collect();
    assert!(live[0].as_array().is_some_and(|rows| rows.len() > 10), "{}", live[0]);
    assert_eq!(live[3], json!([{"secrets": true, "pods": true, "no": false, "web": true}]));
    // The intruder's rights are taken away, and then there is no cluster.
    api.kubectl(&["delete", "clusterrolebinding", "past-reader"]).expect("deleted");
    api.kubectl(&["delete", "role", "past-secrets", "--namespace", "default"]).expect("deleted");
    let now = run(&["query", can]).expect(0).json();
    assert_eq!(now, json!([{"secrets": false, "pods": false, "no": false, "web": false}]));
    drop(api);
    for (sql, expected) in queries.iter().zip(&live) {
        let past = run(&["query", "--strict", "--as-of", &time, sql]).expect(0);
        assert_eq!(past.json(), *expected, "{sql}: {}", past.err);
    }
    let of_table =
        access.replace("FROM kubernetes_access", &format!("FROM kubernetes_access FOR SYSTEM_TIME AS OF '{time}'"));
    assert_eq!(run(&["query", &of_table]).expect(0).json(), live[0]);
    // Before the first reading, nothing is known: a right that was not recorded is not denied.
    let before = run(&["query", "--as-of", "2020-01-01", can]).expect(0);
    assert_eq!(before.json(), json!([{"secrets": null, "pods": null, "no": null, "web": null}]), "{}", before.err);
    assert!(before.err.contains("the first complete reading is at"), "{}", before.err);
}
