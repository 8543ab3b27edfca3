use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use futures::StreamExt;
use indago_table::scan::BoxFuture;
use indago_table::{Permit, RowStream, Scan, ScanContext};
use serde_json::{Value as Document, json};
use tokio::sync::Notify;

use super::*;
use crate::Settings;
use crate::kubernetes_pods::Pod;
use crate::testing::{self, Answer};

/// A gate with a clock and short delays.
#[derive(Debug)]
struct Timed;

impl Gate for Timed {
    fn enter<'a>(&'a self, _endpoint: &'a str) -> BoxFuture<'a, Permit> {
        Box::pin(async { Box::new(()) as Permit })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn call_timeout(&self) -> Duration {
        Duration::from_secs(20)
    }

    fn backoff(&self, _attempt: u32) -> Option<Duration> {
        Some(Duration::from_millis(20))
    }

    fn concurrency(&self) -> usize {
        8
    }
}

fn pod(name: &str, version: u32, phase: &str) -> Document {
    json!({
        "metadata": {"namespace": "a", "name": name, "uid": name, "resourceVersion": version.to_string(),
            "labels": {"app": name}},
        "status": {"phase": phase},
    })
}

fn page(version: u32, pods: &[Document]) -> Answer {
    testing::json(200, json!({"kind": "PodList", "metadata": {"resourceVersion": version.to_string()}, "items": pods}))
}

fn lines(events: &[(&str, Document)]) -> String {
    events.iter().map(|(kind, object)| format!("{}\n", json!({"type": kind, "object": object}))).collect()
}

/// A watch that sends these events and then those in `later`, and ends then; without later ones it never ends.
fn watch(events: &[(&str, Document)], later: Option<BoxFuture<'static, std::io::Result<Bytes>>>) -> Answer {
    let rest = later.unwrap_or_else(|| Box::pin(std::future::pending()));
    Answer { rest: Some(rest), ..testing::json(200, lines(events)) }
}

/// A cluster that has no streaming lists; the other requests have these responses.
fn cluster(
    answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> (Kubernetes, Arc<std::sync::Mutex<Vec<String>>>) {
    let (env, asked) = testing::cluster(move |path| match path.contains("sendInitialEvents") {
        // Asked before a watch is resumed.
        false if path.ends_with("?limit=1") => page(1000, &[]),
        true => testing::json(422, json!({"kind": "Status", "code": 422, "message": "sendInitialEvents is forbidden"})),
        false => answer(path),
    });
    (env.watching(&Settings { watch: Some(true), ..Settings::default() }), asked)
}

fn scan(env: &Kubernetes, keys: &[(&str, &str)]) -> Scan<Pod> {
    use indago_table::{Constraints, Row};
    let column = |name: &str| Pod::SPEC.column(name).unwrap();
    let constraints = keys.iter().map(|(name, key)| (column(name), testing::constraint(&[key]))).collect();
    let context = ScanContext {
        gate: Arc::new(Timed),
        constraints: Arc::new(Constraints(constraints)),
        ..ScanContext::new([column("name"), column("phase")])
    };
    Scan::new(context, env)
}

/// Names and phases of the pods, and the label of the slice.
async fn pods(env: &Kubernetes, keys: &[(&str, &str)]) -> (Vec<String>, String) {
    let scan = scan(env, keys);
    let label = Pod::parts(&scan).unwrap()[0].to_string();
    let (rows, end) = testing::rows(&scan).await;
    end.unwrap();
    let told = |row: Pod| {
        let mut told = arrow_array::builder::StringViewBuilder::new();
        for column in scan.context().columns.iter() {
            indago_table::AnyRow::append(&row, *column, &mut told);
        }
        told.finish().iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join(" ")
    };
    (rows.into_iter().map(told).collect(), label)
}

/// Repeats a query until it has this result from memory.
async fn until(env: &Kubernetes, expected: &[&str]) {
    let wait = async {
        loop {
            let (rows, label) = pods(env, &[]).await;
            if rows == expected && label.contains("WATCH") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("{expected:?} are not seen"));
}

/// The next changes as text.
async fn told(changes: &mut Changes, many: usize) -> Vec<String> {
    let next = changes.take(many).map(|change| {
        let Change { op, name, resource_version, changed, reason, .. } = &*change;
        let reason = reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{} {name} {resource_version} {changed:?}{reason}", op.name())
    });
    tokio::time::timeout(Duration::from_secs(20), next.collect()).await.expect("the changes arrive")
}

#[tokio::test]
async fn a_watched_list_is_read_from_memory() {
    let changed = Arc::new(Notify::new());
    let change = changed.clone();
    let (env, asked) = cluster(move |path| {
        if !path.contains("watch=1") {
            return page(5, &[pod("p", 3, "Running"), pod("q", 4, "Pending")]);
        }
        let change = change.clone();
        watch(
            &[],
            Some(Box::pin(async move {
                change.notified().await;
                let events = [
                    ("MODIFIED", pod("q", 7, "Running")),
                    ("ADDED", pod("r", 8, "Failed")),
                    ("DELETED", pod("p", 9, "Running")),
                ];
                Ok(lines(&events).into())
            })),
        )
    });
    let mut changes = env.changes();
    let (rows, label) = pods(&env, &[]).await;
    assert_eq!(
        (rows, label.as_str()),
        (vec!["p Running".to_owned(), "q Pending".to_owned()], "cluster=c GET /api/v1/pods?limit=500")
    );
    let first = asked.lock().unwrap().clone();
    assert_eq!(first.len(), 3, "{first:?}");
    assert!(first[0].contains("sendInitialEvents=true&resourceVersionMatch=NotOlderThan"), "{first:?}");
    assert!(first[0].contains("allowWatchBookmarks=true&timeoutSeconds="), "{first:?}");
    assert_eq!(first[1], "/api/v1/pods?limit=500");
    assert!(first[2].ends_with("&resourceVersion=5"), "{first:?}");

    // Keys and selectors are applied in memory.
    for (keys, expected) in [
        (vec![], vec!["p Running", "q Pending"]),
        (vec![("namespace", "a")], vec!["p Running", "q Pending"]),
        (vec![("namespace", "b")], vec![]),
        (vec![("name", "q")], vec!["q Pending"]),
        (vec![("phase", "Running")], vec!["p Running"]),
        (vec![("field_selector", "metadata.name!=p")], vec!["q Pending"]),
    ] {
        let (rows, label) = pods(&env, &keys).await;
        assert_eq!(rows, expected, "{keys:?}");
        assert!(label.starts_with("cluster=c WATCH /api/v1/"), "{label}");
    }
    assert_eq!(asked.lock().unwrap().len(), 3, "no call");

    changed.notify_one();
    // The watch ends after these, and the next one sends nothing.
    let expected = [
        "added p 3 [] (first list)",
        "added q 4 [] (first list)",
        r#"modified q 7 ["status.phase"]"#,
        "added r 8 []",
        "deleted p 9 []",
    ];
    assert_eq!(told(&mut changes, 5).await, expected);
    until(&env, &["q Running", "r Failed"]).await;
    let is_resumed = async {
        while asked.lock().unwrap().len() < 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_resumed).await.expect("the watch is resumed");
    let resumed = asked.lock().unwrap()[3..5].to_vec();
    assert_eq!(resumed[0], "/api/v1/pods?limit=1");
    assert!(resumed[1].ends_with("&resourceVersion=9"), "{resumed:?}");
}

#[tokio::test]
async fn more_columns_are_listed_once() {
    let (env, asked) = cluster(|path| match path.contains("watch=1") {
        false => page(5, &[pod("p", 3, "Running"), pod("q", 4, "Pending")]),
        true => watch(&[], None),
    });
    until(&env, &["p Running", "q Pending"]).await;
    // Labels are not in memory. A query of a selector does not wait for them.
    let (rows, label) = pods(&env, &[("label_selector", "app notin (q)")]).await;
    assert_eq!(rows.len(), 2, "the server, which ignores selectors, was asked: {label}");
    until(&env, &["p Running", "q Pending"]).await;
    let before = asked.lock().unwrap().len();
    let (rows, label) = pods(&env, &[("label_selector", "app notin (q)")]).await;
    assert_eq!((rows, label.as_str()), (vec!["p Running".to_owned()], "cluster=c WATCH /api/v1/pods app notin (q)"));
    assert_eq!(asked.lock().unwrap().len(), before);
    let lists = asked.lock().unwrap().iter().filter(|path| path.ends_with("pods?limit=500")).count();
    assert_eq!(lists, 2);
    // What the server would refuse, it is asked.
    let (_, label) = pods(&env, &[("label_selector", "a in ()")]).await;
    assert!(label.contains("GET"), "{label}");
}

#[tokio::test]
async fn an_expired_watch_is_a_gap_and_the_difference() {
    for form in ["event", "status"] {
        let (lists, watches) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (env, _asked) = cluster(move |path| {
            if !path.contains("watch=1") {
                return match lists.fetch_add(1, SeqCst) {
                    0 => page(5, &[pod("p", 3, "Running"), pod("q", 4, "Pending"), pod("s", 4, "Running")]),
                    _ => page(20, &[pod("q", 12, "Running"), pod("r", 15, "Running"), pod("s", 4, "Running")]),
                };
            }
            let status = json!({"kind": "Status", "code": 410, "message": "too old resource version: 5 (9)"});
            match (watches.fetch_add(1, SeqCst), form) {
                (0, "event") => watch(&[("ERROR", status)], Some(Box::pin(std::future::ready(Ok(Bytes::new()))))),
                (0, _) => testing::json(410, status),
                _ => watch(&[], None),
            }
        });
        let mut changes = env.changes();
        until(&env, &["q Running", "r Running", "s Running"]).await;
        let told = told(&mut changes, 7).await;
        assert!(told[3].starts_with("gap   [] (the server no longer has the changes: "), "{told:?}");
        let expected = [
            r#"modified q 12 ["status.phase"] (difference after a gap)"#,
            "added r 15 [] (difference after a gap)",
            "deleted p 3 [] (difference after a gap)",
        ];
        assert_eq!(told[4..], expected, "{form}");
    }
}

/// As after etcd was restored: a watch from a version in the future is silent.
#[tokio::test]
async fn a_server_that_went_back_is_listed_again() {
    let (lists, watches) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (env, _asked) = testing::cluster(move |path| match path {
        path if path.contains("sendInitialEvents") => testing::json(400, "{}"),
        path if path.ends_with("?limit=1") => page(3, &[]),
        path if path.contains("watch=1") => match watches.fetch_add(1, SeqCst) {
            0 => watch(&[("MODIFIED", pod("p", 7, "Failed"))], Some(Box::pin(std::future::ready(Ok(Bytes::new()))))),
            _ => watch(&[], None),
        },
        _ if lists.fetch_add(1, SeqCst) == 0 => page(5, &[pod("p", 3, "Running")]),
        _ => page(4, &[pod("p", 2, "Running")]),
    });
    let env = env.watching(&Settings { watch: Some(true), ..Settings::default() });
    let mut changes = env.changes();
    until(&env, &["p Running"]).await;
    let told = told(&mut changes, 4).await;
    assert!(told[2].contains("its data is older than the last change, 7"), "{told:?}");
    assert_eq!(told[3], r#"modified p 2 ["status.phase"] (difference after a gap)"#);
    until(&env, &["p Running"]).await;
}

#[tokio::test]
async fn a_list_can_be_the_start_of_a_watch() {
    let opened = AtomicUsize::new(0);
    let (env, asked) = testing::cluster(move |path| {
        if path.ends_with("?limit=1") {
            return page(11, &[]);
        }
        assert!(path.contains("watch=1"), "{path}");
        let bookmark = |version: &str, ends: bool| {
            let annotations = if ends { json!({"k8s.io/initial-events-end": "true"}) } else { json!({}) };
            ("BOOKMARK", json!({"kind": "Pod", "metadata": {"resourceVersion": version, "annotations": annotations}}))
        };
        match opened.fetch_add(1, SeqCst) {
            // The first one breaks before its list has ended.
            0 => watch(&[("ADDED", pod("p", 3, "Running"))], Some(Box::pin(std::future::ready(Ok(Bytes::new()))))),
            1 => {
                let mut q = pod("q", 2, "Pending");
                q["kind"] = "Pod".into();
                let events =
                    [("ADDED", pod("p", 3, "Running")), ("ADDED", q), bookmark("9", true), bookmark("11", false)];
                watch(&events, Some(Box::pin(std::future::ready(Ok(Bytes::new())))))
            }
            _ => watch(&[], None),
        }
    });
    let env = env.watching(&Settings { watch: Some(true), ..Settings::default() });
    let mut changes = env.changes();
    until(&env, &["p Running", "q Pending"]).await;
    assert_eq!(
        told(&mut changes, 2).await,
        ["added p 3 [] (first list)", "added q 2 [] (difference after a list that failed)"]
    );
    while asked.lock().unwrap().len() < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let asked = asked.lock().unwrap();
    assert!(asked[3].ends_with("&resourceVersion=11"), "the bookmark is the position: {asked:?}");
}

/// As a 1.20 server deletes a CRD: an event for each object, a clean end, then 404 in plain text.
#[tokio::test]
async fn a_resource_that_is_no_longer_served_has_no_objects() {
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = gone.clone();
    let (env, _asked) = cluster(move |path| {
        if gone.load(SeqCst) {
            return Answer {
                headers: vec![("content-type", "text/plain")],
                ..testing::json(404, "404 page not found")
            };
        }
        if !path.contains("watch=1") {
            return page(5, &[pod("p", 3, "Running"), pod("q", 4, "Running")]);
        }
        let gone = gone.clone();
        watch(
            &[],
            Some(Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                gone.store(true, SeqCst);
                Ok(lines(&[("DELETED", pod("p", 7, "Running"))]).into())
            })),
        )
    });
    let mut changes = env.changes();
    until(&env, &["p Running", "q Running"]).await;
    let told = told(&mut changes, 5).await;
    assert_eq!(told[2], "deleted p 7 []");
    assert!(told[3].starts_with("gap   [] (the server no longer serves the resource"), "{told:?}");
    assert_eq!(told[4], "deleted q 4 [] (the server no longer serves the resource)");
    assert!(is_gone.load(SeqCst));
    // A query now gets the server's response.
    let (_, end) = testing::rows(&scan(&env, &[])).await;
    assert!(matches!(&end, Err(Error::Unsupported(why)) if why.contains("does not serve")), "{end:?}");
}

#[tokio::test]
async fn rows_that_may_be_stale_are_listed() {
    let connected = Arc::new(AtomicBool::new(true));
    let cut = Arc::new(Notify::new());
    let (is_connected, cuts) = (connected.clone(), cut.clone());
    let (env, asked) = cluster(move |path| match path.contains("watch=1") {
        false => page(5, &[pod("p", 3, "Running")]),
        true if !is_connected.load(SeqCst) => testing::json(503, "{}"),
        true => {
            let cuts = cuts.clone();
            watch(
                &[],
                Some(Box::pin(async move {
                    cuts.notified().await;
                    Err(std::io::Error::other("reset"))
                })),
            )
        }
    });
    until(&env, &["p Running"]).await;
    connected.store(false, SeqCst);
    cut.notify_one();
    tokio::time::sleep(reflector::MOST_AGE + Duration::from_millis(200)).await;
    let before = asked.lock().unwrap().iter().filter(|path| path.ends_with("limit=500")).count();
    let (rows, label) = pods(&env, &[]).await;
    assert_eq!((rows.len(), label.as_str()), (1, "cluster=c GET /api/v1/pods?limit=500"));
    let lists = asked.lock().unwrap().iter().filter(|path| path.ends_with("limit=500")).count();
    assert_eq!(lists, before + 1);
    connected.store(true, SeqCst);
    until(&env, &["p Running"]).await;
}

#[tokio::test]
async fn what_cannot_be_watched_is_listed() {
    // Too large for the memory: a note says so.
    let (env, _asked) = cluster(|path| match path.contains("watch=1") {
        false => page(5, &(0..50).map(|i| pod(&format!("p{i:02}"), 3, "Running")).collect::<Vec<_>>()),
        true => watch(&[], None),
    });
    let env = env.watching(&Settings { watch: Some(true), watch_memory: 4000, ..Settings::default() });
    for _ in 0..2 {
        assert_eq!(pods(&env, &[]).await.0.len(), 50);
    }
    let scan = scan(&env, &[]);
    assert_eq!(testing::rows(&scan).await.0.len(), 50);
    let notes: Vec<_> = scan.context().query.diagnostics().warnings().iter().map(ToString::to_string).collect();
    let expected = "pods are listed by each query: the watched objects exceed 0 MiB (`watch_memory`)";
    assert!(notes.len() == 1 && notes[0].contains(expected), "{notes:?}");

    // A list with a malformed item: each query reports it.
    let (env, _asked) = cluster(|path| match path.contains("watch=1") {
        false => page(5, &[pod("p", 3, "Running"), json!(7)]),
        true => watch(&[], None),
    });
    for _ in 0..2 {
        let scan = super::tests::scan(&env, &[]);
        assert_eq!(testing::rows(&scan).await.0.len(), 1);
        assert_eq!(scan.context().query.diagnostics().warnings().len(), 1);
    }

    // Without permission: the query has the server's answer.
    let (env, asked) = cluster(|_| testing::json(403, json!({"kind": "Status", "message": "pods is forbidden"})));
    for _ in 0..2 {
        let (rows, end) = testing::rows(&super::tests::scan(&env, &[])).await;
        assert!(rows.is_empty() && matches!(end, Err(Error::Denied { .. })));
    }
    assert!(asked.lock().unwrap().len() <= 7, "it is not asked again and again");
}

#[test]
fn configured_resources_are_parsed() {
    for (text, group_version, name) in [("v1/pods", "v1", "pods"), ("apps/v1/deployments", "apps/v1", "deployments")] {
        let resource = resource_of(text).unwrap();
        assert_eq!((resource.group_version.as_ref(), resource.name.as_ref()), (group_version, name));
    }
    for text in ["pods", "", "a/b/c/d", "v1/", "/v1/pods", "v1/pods?x", "../v1/pods"] {
        assert_eq!(resource_of(text), Err(text.to_owned()));
    }
}
