//! An API server for unit tests: a client whose requests a function answers.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use http::{Request, Response};
use indago_table::{ColumnConstraint, Constraints, Result, RowStream, Scalar, Scan, ScanContext, row::Row};
use kube::client::Body;
use serde_json::{Value as Document, json as document};

use crate::Kubernetes;
use crate::resource::Listed;

/// The function's request and response.
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: String,
    /// The rest of the body, which arrives later.
    pub(crate) rest: Option<BoxFuture<'static, std::io::Result<Bytes>>>,
}

pub(crate) fn json(code: u16, body: impl ToString) -> Answer {
    Answer { code, headers: vec![("content-type", "application/json")], body: body.to_string(), rest: None }
}

/// A cluster named `c`, and the paths that were requested from it.
pub(crate) fn cluster(
    answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> (Kubernetes, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let answer = Arc::new(answer);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (log, answer) = (log.clone(), answer.clone());
        async move {
            let path = request.uri().to_string();
            log.lock().unwrap().push(path.clone());
            let Answer { code, headers, body, rest } = answer(&path);
            let mut response = Response::builder().status(code);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            let first: BoxFuture<_> = Box::pin(std::future::ready(Ok(Bytes::from(body))));
            let frames = futures::stream::iter([first].into_iter().chain(rest)).buffered(1);
            let body = http_body_util::StreamBody::new(frames.map_ok(hyper::body::Frame::data));
            Ok::<_, std::io::Error>(response.body(body).unwrap())
        }
    });
    (Kubernetes::with_client("c", kube::Client::new(service, "default")), asked)
}

/// The discovery of a server that has these lists, by their paths; `None` for a path that is not of discovery.
pub(crate) fn discovery(lists: &Document, path: &str) -> Option<Answer> {
    let rest = path.strip_prefix("/apis")?;
    if rest.is_empty() {
        return Some(json(200, r#"{"kind":"APIGroupList","groups":[]}"#));
    }
    if rest.matches('/').count() != 2 {
        return None;
    }
    let name = |list: &String| Some(document!({"name": list.strip_prefix(path)?.strip_prefix('/')?}));
    let resources: Vec<_> = lists.as_object().into_iter().flatten().filter_map(|(list, _)| name(list)).collect();
    Some(match resources.is_empty() {
        true => json(404, "404 page not found"),
        false => json(200, document!({"kind": "APIResourceList", "resources": resources})),
    })
}

/// A column's keys.
pub(crate) fn constraint(texts: &[&str]) -> ColumnConstraint {
    let keys = texts.iter().map(|text| Scalar::Text((*text).to_owned())).collect();
    ColumnConstraint { keys: Some(Arc::new(keys)), ..ColumnConstraint::default() }
}

/// A scan of all columns.
pub(crate) fn scan<T: Row<Env = Kubernetes>>(
    env: &Kubernetes,
    keys: &[(usize, &[&str])],
    limit: Option<usize>,
) -> Scan<T> {
    let constraints = Constraints(keys.iter().map(|(column, texts)| (*column, constraint(texts))).collect());
    let context = ScanContext::new(0..T::SPEC.columns.len());
    Scan::new(ScanContext { constraints: Arc::new(constraints), limit, ..context }, env)
}

/// The rows of all parts, and the first error.
pub(crate) async fn rows<T: RowStream<Env = Kubernetes>>(scan: &Scan<T>) -> (Vec<T>, Result<()>) {
    let mut rows = Vec::new();
    for part in T::parts(scan).unwrap() {
        let mut stream = Box::pin(T::rows(scan, &part));
        loop {
            match stream.try_next().await {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => break,
                Err(error) => return (rows, Err(error)),
            }
        }
    }
    (rows, Ok(()))
}

/// An object with a value at each path of a table's columns, whatever the path needs.
fn filled<T: Row>(value: &Document) -> Document {
    fn set(place: &mut Document, steps: &[String], value: &Document) {
        let Some((step, rest)) = steps.split_first() else {
            *place = value.clone();
            return;
        };
        if step == "*" {
            if place.as_array().is_none_or(Vec::is_empty) {
                *place = document!([{}]);
            }
            set(&mut place[0], rest, value);
        } else {
            if !place.is_object() {
                *place = document!({});
            }
            set(&mut place[step.as_str()], rest, value);
        }
    }
    let mut object = document!({});
    for path in T::SPEC.columns.iter().filter_map(|column| column.path.as_deref()) {
        set(&mut object, &indago_table::json::steps(path), value);
    }
    object["metadata"]["uid"] = "hostile".into();
    object
}

/// Objects with wrong types, nulls and missing parts cost a table neither the list nor its other objects.
pub(crate) async fn survives_hostile_objects<T: Listed + RowStream<Env = Kubernetes>>() {
    let resource = T::SPEC.resource.clone().expect("it lists a resource");
    let good = document!({"metadata": {"name": "good", "namespace": "a", "uid": "good"}});
    let odd = document!([null, 7, "x", [], {}, {"name": {}}, {"name": null}]);
    let parts = document!({
        "containers": odd, "initContainers": 7, "ephemeralContainers": null, "volumes": odd, "securityContext": 7,
    });
    let around = |spec: &Document| {
        document!({
            "metadata": {"uid": "h", "annotations": 7, "labels": null, "ownerReferences": odd, "finalizers": {}},
            "spec": spec, "template": {"spec": spec},
            "status": {"conditions": odd, "containerStatuses": odd, "phase": "Unheard"},
            "rules": odd, "subjects": odd, "webhooks": odd, "subsets": odd, "conditions": odd, "data": odd,
        })
    };
    let mut objects: Vec<Document> = odd.as_array().expect("a list").iter().map(filled::<T>).collect();
    objects.extend([
        around(&parts),
        around(&document!({"template": {"spec": parts}})),
        around(&document!(null)),
        around(&document!(7)),
    ]);
    objects.extend([document!({"metadata": {"name": "bare"}}), good.clone()]);
    let kind = match resource.name.as_ref() {
        "endpoints" => "endpoints".to_owned(),
        name => match (name.strip_suffix("ies"), name.strip_suffix("ses")) {
            (Some(start), _) => format!("{start}y"),
            (_, Some(start)) => format!("{start}s"),
            _ => name.trim_end_matches('s').to_owned(),
        },
    };
    let list = document!({"kind": format!("{kind}List"), "metadata": {}, "items": objects});
    let served = document!({"kind": "APIResourceList", "resources": [{"name": resource.name}]});
    let discovery = format!("/apis/{}", resource.group_version);
    let (env, _) = cluster(move |path| json(200, if path == discovery { &served } else { &list }));
    let scan = scan::<T>(&env, &[], None);
    let (rows, end) = rows(&scan).await;
    assert_eq!(end, Ok(()), "{}", T::SPEC.name);
    assert!(rows.len() >= T::documents(good).len(), "{}: {} rows", T::SPEC.name, rows.len());
    let warnings = scan.context().query.diagnostics().warnings();
    assert!(!warnings.is_empty(), "{}", T::SPEC.name);
    assert!(warnings.iter().all(|warning| warning.to_string().contains("cluster=c")), "{warnings:?}");
}
