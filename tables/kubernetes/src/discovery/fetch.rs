//! GET requests for documents that describe an API: discovery and OpenAPI. A document that did not change since it was
//! last read is not sent again.

use bytes::Bytes;
use http::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use indago_table::{AnyScan, Error, Result};
use kube::client::Body;

use crate::call::{Answer, refusal, transport_error};
use crate::clusters::{Cluster, Kubernetes};

/// The permission that discovery needs. Every user has it unless an administrator removed it.
const NEEDS: &str = "get /api, /apis and /openapi, as system:discovery may";

/// Largest document. The OpenAPI document of a server with 2,000 custom resources has 40 MB.
const MOST_BYTES: usize = 256 << 20;

/// A response.
#[derive(Debug)]
pub(super) enum Fetched {
    /// The document, and its validator if the server sent one.
    Body(Bytes, Option<String>),
    /// It is still the document of the given validator.
    Unchanged,
    /// The path does not exist.
    Missing(String),
}

/// Requests a document. `known` is the validator of a document that the caller still has.
pub(super) async fn fetch(
    scan: &AnyScan<Kubernetes>,
    cluster: &Cluster,
    path: &str,
    accept: &str,
    known: Option<&str>,
) -> Result<Fetched> {
    let client = cluster.client(scan).await?;
    let what = format!("GET {path}");
    let answer = scan.call(&cluster.name, &what, || attempt(scan, &client, path, accept, known)).await;
    match answer {
        Err(Error::Denied { what, needs: None }) => {
            cluster.forget().await;
            Err(Error::Denied { what: cluster.explain_refusal(what), needs: None })
        }
        answer => answer,
    }
}

async fn attempt(
    scan: &AnyScan<Kubernetes>,
    client: &kube::Client,
    path: &str,
    accept: &str,
    known: Option<&str>,
) -> Result<Fetched> {
    let mut request = http::Request::get(path).header(ACCEPT, accept);
    if let Some(known) = known {
        request = request.header(IF_NONE_MATCH, known);
    }
    let request = request.body(Body::empty()).map_err(|error| Error::Malformed(format!("GET {path}: {error}")))?;
    let response = client.send(request).await.map_err(transport_error)?;
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED && known.is_some() {
        return Ok(Fetched::Unchanged);
    }
    // The header of a request must be able to hold it again.
    let validator = |value: &HeaderValue| Some(value.to_str().ok()?.to_owned()).filter(|text| text.len() <= 1024);
    let validator = response.headers().get(ETAG).and_then(validator);
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Error::Malformed(format!("GET {path}: the response is larger than {} MiB", MOST_BYTES >> 20))
        } else {
            Error::Unavailable(format!("GET {path}: the response is cut off: {error}"))
        }
    })?;
    let text = body.to_bytes();
    scan.meter().add_bytes(text.len() as u64);
    if status == StatusCode::OK {
        return Ok(Fetched::Body(text, validator));
    }
    match refusal(status, &text, None, NEEDS)? {
        Answer::Missing(message) => Ok(Fetched::Missing(message)),
        Answer::Body(..) | Answer::Expired(_) => {
            Err(Error::Malformed(format!("GET {path}: the API server responds with {status}")))
        }
    }
}
