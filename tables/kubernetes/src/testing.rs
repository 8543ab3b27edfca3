//! An API server for unit tests: a client whose requests a function answers.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use http::{Request, Response};
use indago_table::{ColumnConstraint, Constraints, Result, RowStream, Scalar, Scan, ScanContext, row::Row};
use kube::client::Body;

use crate::Kubernetes;

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
        let mut stream = std::pin::pin!(T::rows(scan, &part));
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
