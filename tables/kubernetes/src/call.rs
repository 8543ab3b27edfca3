//! One GET request to an API server, and the meaning of each kind of response.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::GzDecoder;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use indago_table::error::retry_after;
use indago_table::json::Shape;
use indago_table::{AnyScan, Error, Held, Result};
use kube::client::Body;
use rustls::CertificateError;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

use crate::clusters::{Cluster, Kubernetes};
use crate::protobuf::{self, Decoded, Decoder, ObjectKind};

/// What identifies the program to servers.
const AGENT: &str = concat!("indago/", env!("CARGO_PKG_VERSION"));

/// The form in which a list is requested.
#[derive(Debug, Clone)]
pub(crate) enum Encoding {
    Json,
    /// Objects in protobuf, of which the shape is wanted.
    Objects(ObjectKind, Arc<Shape>),
    /// Only the metadata of objects of any kind, in protobuf.
    Metadata(Arc<Shape>),
}

impl Encoding {
    /// The forms that are accepted. A server that has none of them returns JSON.
    fn accept(&self) -> &'static str {
        match self {
            Encoding::Json => "application/json",
            Encoding::Objects(..) => "application/vnd.kubernetes.protobuf,application/json",
            Encoding::Metadata(_) => {
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,\
                 application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
            }
        }
    }

    fn decoder(&self) -> Option<Decoder> {
        match self {
            Encoding::Json => None,
            Encoding::Objects(kind, shape) => Some(Decoder::new(*kind, shape.clone())),
            Encoding::Metadata(shape) => Some(Decoder::new(ObjectKind::METADATA, shape.clone())),
        }
    }
}

/// A response that is not a failure.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The requested document, and the memory charged for it.
    Body(Bytes, Held),
    /// The path does not exist.
    Missing(String),
    /// The server no longer knows the position in a list at which this call continues. It may return another one.
    Expired(Option<String>),
}

/// Sends a GET request for a path. If the server refuses, the error names the permission `needs`.
pub(crate) async fn get(scan: &AnyScan<Kubernetes>, cluster: &Cluster, path: &str, needs: &str) -> Result<Answer> {
    get_list(scan, cluster, path, needs, &Encoding::Json, &|_| ()).await.map(|(answer, _)| answer)
}

/// Like [`get`], for a list in some encoding. If the response was in protobuf, it has been decoded, and has only the
/// wanted shape.
///
/// `arriving` is called with the JSON text of the response received so far, as it grows.
pub(crate) async fn get_list(
    scan: &AnyScan<Kubernetes>,
    cluster: &Cluster,
    path: &str,
    needs: &str,
    encoding: &Encoding,
    arriving: &(impl Fn(&[u8]) + Sync),
) -> Result<(Answer, Option<Decoded>)> {
    let client = cluster.client(scan).await?;
    let what = format!("GET {path}");
    let request = Request { scan, cluster, path, needs, encoding };
    let answer = scan.call(&cluster.name, &what, || request.attempt(&client, arriving)).await;
    match answer {
        Err(Error::Denied { what, needs: None }) => {
            cluster.forget().await;
            Err(Error::Denied { what: cluster.explain_refusal(what), needs: None })
        }
        answer => answer,
    }
}

/// One object, in a shape; [`Error::Gone`] if it is absent.
pub(crate) async fn get_object(
    scan: &AnyScan<Kubernetes>,
    cluster: &Cluster,
    path: &str,
    needs: &str,
    shape: &Shape,
) -> Result<serde_json::Value> {
    match get(scan, cluster, path, needs).await? {
        Answer::Body(text, _held) => shape.parse(&text),
        Answer::Missing(message) => Err(Error::Gone(message)),
        Answer::Expired(_) => Err(Error::Malformed(format!("GET {path} was answered like an expired page of a list"))),
    }
}

struct Request<'a> {
    scan: &'a AnyScan<Kubernetes>,
    cluster: &'a Cluster,
    path: &'a str,
    needs: &'a str,
    encoding: &'a Encoding,
}

impl Request<'_> {
    async fn attempt(
        &self,
        client: &kube::Client,
        arriving: &(impl Fn(&[u8]) + Sync),
    ) -> Result<(Answer, Option<Decoded>)> {
        let Request { scan, path, .. } = self;
        let mut request = http::Request::get(*path).header(ACCEPT, self.encoding.accept()).header(USER_AGENT, AGENT);
        if self.cluster.is_slow() {
            request = request.header(ACCEPT_ENCODING, "gzip");
        }
        let request = request.body(Body::empty());
        let request = request.map_err(|error| Error::Malformed(format!("GET {path}: {error}")))?;
        let response = client.send(request).await.map_err(transport_error)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let header = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        if status.is_redirection() {
            let to = header(LOCATION).unwrap_or("nowhere");
            return Err(Error::Malformed(format!("the server redirects to {to}: is its address correct?")));
        }
        let kind = header(CONTENT_TYPE).unwrap_or("application/json");
        let is_protobuf = kind.contains("protobuf");
        let decoder = self.encoding.decoder().filter(|_| is_protobuf && status == StatusCode::OK);
        let mut received = Received { decoder, ..Received::default() };
        let held = self.receive(response, &mut received, arriving).await?;
        if let Some(decoder) = received.decoder {
            let (text, decoded) = decoder.finish()?;
            return Ok((Answer::Body(text.into(), held), Some(decoded)));
        }
        let text = received.text;
        if status == StatusCode::OK {
            let is_cut_off = || text.trim_ascii_start().starts_with(b"{") && !text.trim_ascii_end().ends_with(b"}");
            return match kind {
                kind if !kind.contains("json") => {
                    Err(Error::Malformed(format!("the response is {kind} instead of JSON: {}", excerpt(&text))))
                }
                // The parser finds all other errors. This one is retried.
                _ if is_cut_off() => {
                    Err(Error::Unavailable("the response is cut off: it is not a complete JSON object".to_owned()))
                }
                _ => Ok((Answer::Body(text.into(), held), None)),
            };
        }
        let text = if is_protobuf { protobuf::status(&text).unwrap_or(text) } else { text };
        let retry_after = header(RETRY_AFTER).and_then(|header| retry_after(header, scan.env().now()));
        refusal(status, &text, retry_after, self.needs).map(|answer| (answer, None))
    }

    /// Reads a response's body to its end; returns the memory charged for it.
    async fn receive(
        &self,
        response: Response<Body>,
        received: &mut Received,
        arriving: &(impl Fn(&[u8]) + Sync),
    ) -> Result<Held> {
        let (parts, mut body) = response.into_parts();
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let length = header(http::header::CONTENT_LENGTH).and_then(|length| length.parse().ok()).unwrap_or(0);
        if header(CONTENT_ENCODING).is_some_and(|encoding| encoding.eq_ignore_ascii_case("gzip")) {
            received.gzip = Some(GzDecoder::new(Vec::new()));
        } else if received.decoder.is_none() {
            received.text.reserve(usize::min(length, 16 << 20));
        }
        let mut held = self.scan.meter().hold(received.size())?;
        let cut_off = |error: String| Error::Unavailable(format!("the response is cut off: {error}"));
        let (start, mut bytes) = (self.scan.env().now(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| cut_off(innermost(&error)))?;
            if let Some(data) = frame.data_ref() {
                for piece in data.chunks(PIECE) {
                    received.push(piece)?;
                    held.cover(received.size())?;
                }
                self.scan.meter().add_bytes(data.len() as u64);
                bytes += data.len();
                arriving(received.text());
            }
            if received.text().len() > MOST_BYTES {
                return Err(Error::Malformed(format!("the response is larger than {} MiB", MOST_BYTES >> 20)));
            }
        }
        if let Some(gzip) = received.gzip.take() {
            let rest = gzip.finish().map_err(|error| cut_off(error.to_string()))?;
            received.add(&rest)?;
        }
        let elapsed = self.scan.env().now().0 - start.0;
        self.cluster.measure(bytes, Duration::from_micros(elapsed.try_into().unwrap_or(0)));
        Ok(held)
    }
}

/// Largest response body, as JSON. A page of 500 objects of one megabyte each, the most that etcd stores, is smaller.
const MOST_BYTES: usize = 512 << 20;
/// Bytes that are decompressed at once. gzip makes at most a thousand times as many of them.
const PIECE: usize = 16 << 10;

/// A response's body as it arrives.
#[derive(Default)]
struct Received {
    gzip: Option<GzDecoder<Vec<u8>>>,
    decoder: Option<Decoder>,
    /// The body, if it is not decoded.
    text: Vec<u8>,
}

impl Received {
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(gzip) = &mut self.gzip else { return self.add(bytes) };
        let unfit = |error| Error::Malformed(format!("the response is not the gzip that was expected: {error}"));
        gzip.write_all(bytes).map_err(unfit)?;
        let bytes = std::mem::take(gzip.get_mut());
        self.add(&bytes)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.decoder {
            Some(decoder) => decoder.push(bytes),
            None => {
                self.text.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn text(&self) -> &[u8] {
        self.decoder.as_ref().map_or(&self.text, Decoder::text)
    }

    /// Bytes of memory that it takes.
    fn size(&self) -> usize {
        self.text.capacity() + self.decoder.as_ref().map_or(0, Decoder::size)
    }
}

/// The `Status` object that an API server sends with an error.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    message: String,
    metadata: StatusMetadata,
    details: Option<StatusDetails>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StatusMetadata {
    r#continue: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StatusDetails {
    retry_after_seconds: Option<u64>,
}

/// The meaning of a response other than 200.
pub(crate) fn refusal(code: StatusCode, text: &[u8], retry_after: Option<Duration>, needs: &str) -> Result<Answer> {
    let status: Status = serde_json::from_slice(text).unwrap_or_default();
    let in_details = || status.details.and_then(|details| details.retry_after_seconds).map(Duration::from_secs);
    let retry_after = retry_after.or_else(in_details);
    let message = if status.message.is_empty() { excerpt(text) } else { status.message };
    let numbered = if message.is_empty() { code.to_string() } else { format!("{} ({message})", code.as_u16()) };
    match code {
        StatusCode::NOT_FOUND => Ok(Answer::Missing(message)),
        StatusCode::GONE => Ok(Answer::Expired(status.metadata.r#continue.filter(|token| !token.is_empty()))),
        StatusCode::FORBIDDEN => Err(Error::Denied { what: message, needs: Some(needs.to_owned()) }),
        StatusCode::UNAUTHORIZED => Err(Error::Denied {
            what: format!("the API server does not accept the credentials: {numbered}"),
            needs: None,
        }),
        StatusCode::TOO_MANY_REQUESTS => {
            let what = if message.is_empty() { "the API server".to_owned() } else { message };
            Err(Error::Throttled { what, retry_after })
        }
        code if code.is_server_error() && retry_after.is_some() => {
            Err(Error::Throttled { what: format!("the API server responds with {numbered}"), retry_after })
        }
        StatusCode::REQUEST_TIMEOUT => Err(Error::Unavailable(format!("the API server responds with {numbered}"))),
        code if code.is_server_error() => Err(Error::Unavailable(format!("the API server responds with {numbered}"))),
        _ => Err(Error::Malformed(format!("the API server responds with {numbered}"))),
    }
}

/// The start of an unexpected text, on one line.
fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(400)]);
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let mut line = words.join(" ");
    if let Some((end, _)) = line.char_indices().nth(100) {
        line.truncate(end);
        line.push_str("...");
    }
    line
}

/// The meaning of a missing response. A failure that a retry cannot change is permanent.
pub(crate) fn transport_error(error: kube::Error) -> Error {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = source {
        // Our own error, from before a request was sent.
        if let Some(error) = error.downcast_ref::<Error>() {
            return error.clone();
        }
        // A client that an embedder made may fetch credentials itself.
        if let Some(error) = error.downcast_ref::<kube::client::AuthError>() {
            return Error::Io { what: "credentials".to_owned(), message: error.to_string() };
        }
        if error.is::<http::Error>() || error.is::<http::uri::InvalidUri>() || error.is::<http::uri::InvalidUriParts>()
        {
            return Error::Malformed(format!("the request cannot be sent: {}", innermost(error)));
        }
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            let hint = "does `server` want https:// or another port?";
            return Error::Malformed(format!("the response is not HTTP: {}; {hint}", innermost(error)));
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            let tls = tls_error(io);
            // An unsuitable certificate stays unsuitable; network errors may pass. TLS wraps its errors in these kinds.
            if tls.is_some() || matches!(io.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::Other) {
                let advice = tls.and_then(advice).map(|advice| format!("; {advice}")).unwrap_or_default();
                return Error::Io { what: "TLS".to_owned(), message: format!("{}{advice}", innermost(io)) };
            }
        }
        // The library does not export the type of these errors.
        match error.to_string().strip_prefix("tunnel error: ") {
            Some("proxy authorization required") => {
                let message = "it requires a user name and a password: add them to its URL".to_owned();
                return Error::Io { what: "the proxy to the API server".to_owned(), message };
            }
            Some("unsuccessful") => {
                return Error::Unavailable("the proxy does not connect to the API server".to_owned());
            }
            _ => {}
        }
        source = error.source();
    }
    Error::Unavailable(format!("the API server cannot be reached: {}", innermost(&error)))
}

/// The TLS error in an I/O error, which may be nested in another one. `source` skips the inner error of such an error.
fn tls_error(error: &std::io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| inner.downcast_ref().and_then(tls_error))
}

/// What to do about a TLS error, if known.
fn advice(error: &rustls::Error) -> Option<&'static str> {
    Some(match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "set `certificate-authority` of the cluster to the authority that signed the server's certificate"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "set `server`, or `tls-server-name`, to a name in the certificate",
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the server needs a new certificate, or this machine's clock is wrong"
        }
        rustls::Error::InvalidCertificate(CertificateError::Other(why))
            if why.to_string().contains("CaUsedAsEndEntity") =>
        {
            "the server uses an authority's certificate: set `certificate-authority` of the cluster to that same \
             certificate, or to the authority that signed it"
        }
        rustls::Error::InvalidMessage(_) => {
            "the server does not speak TLS on this port: should `server` begin with http://, or name another port?"
        }
        rustls::Error::AlertReceived(_) => "the server refuses: does it require a client certificate, or another one?",
        _ => return None,
    })
}

/// The innermost error of a chain, which states what happened.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(code: u16, text: &str, retry_after: Option<&str>) -> String {
        let code = StatusCode::from_u16(code).expect("a status code");
        let retry_after = retry_after.and_then(|header| super::retry_after(header, indago_table::Timestamp(0)));
        match refusal(code, text.as_bytes(), retry_after, "list pods") {
            Ok(Answer::Body(..)) => "body".to_owned(),
            Ok(Answer::Missing(message)) => format!("missing: {message}"),
            Ok(Answer::Expired(next)) => format!("expired: {next:?}"),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn each_refusal_has_its_meaning() {
        let cases = [
            (
                403,
                r#"{"message":"pods is forbidden"}"#,
                None,
                r#"Denied { what: "pods is forbidden", needs: Some("list pods") }"#,
            ),
            (
                401,
                r#"{"message":"Unauthorized"}"#,
                None,
                r#"Denied { what: "the API server does not accept the credentials: 401 (Unauthorized)", needs: None }"#,
            ),
            (404, "404 page not found\n", None, "missing: 404 page not found"),
            (410, r#"{"metadata":{"continue":"abc"}}"#, None, r#"expired: Some("abc")"#),
            (410, r#"{"metadata":{"continue":""}}"#, None, "expired: None"),
            (410, "", None, "expired: None"),
            (
                429,
                r#"{"message":"slow","details":{"retryAfterSeconds":7}}"#,
                None,
                r#"Throttled { what: "slow", retry_after: Some(7s) }"#,
            ),
            (429, "", Some("3"), r#"Throttled { what: "the API server", retry_after: Some(3s) }"#),
            (
                429,
                "",
                Some("Thu, 01 Jan 1970 00:01:00 GMT"),
                r#"Throttled { what: "the API server", retry_after: Some(60s) }"#,
            ),
            (
                503,
                "busy",
                Some("5"),
                r#"Throttled { what: "the API server responds with 503 (busy)", retry_after: Some(5s) }"#,
            ),
            (
                503,
                "<html>\n <b>down</b>",
                None,
                r#"Unavailable("the API server responds with 503 (<html> <b>down</b>)")"#,
            ),
            (500, "", None, r#"Unavailable("the API server responds with 500 Internal Server Error")"#),
            (
                400,
                r#"{"message":"bad selector"}"#,
                None,
                r#"Malformed("the API server responds with 400 (bad selector)")"#,
            ),
            (204, "", None, r#"Malformed("the API server responds with 204 No Content")"#),
        ];
        for (code, text, retry_after, expected) in cases {
            assert_eq!(outcome(code, text, retry_after), expected, "{code} {text}");
        }
    }

    #[test]
    fn an_excerpt_is_one_short_line_of_whatever_came() {
        assert_eq!(excerpt(b"  a\n\tb\xff\x00c "), "a b\u{fffd} c");
        assert_eq!(excerpt("\u{e9}".repeat(300).as_bytes()).chars().count(), 103);
    }

    fn compressed(text: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    }

    /// A server whose responses are slow is asked for compressed ones, and they are read like others.
    #[tokio::test]
    async fn compressed_responses_are_requested_where_they_pay_and_read() {
        let text = format!(r#"{{"x": "{}"}}"#, "y".repeat(1 << 20));
        let good = compressed(text.as_bytes());
        let mut broken = good.clone();
        broken[20..40].fill(0xff);
        let cases = [
            (good.clone(), Ok(text.len())),
            (good[..good.len() - 3].to_vec(), Err("the response is cut off")),
            (broken, Err("the response is not the gzip that was expected")),
        ];
        for (body, expected) in cases {
            let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
            let log = asked.clone();
            let service = tower::service_fn(move |request: http::Request<Body>| {
                let encoding = request.headers().get(ACCEPT_ENCODING).map(|value| value.to_str().unwrap().to_owned());
                log.lock().unwrap().push(encoding);
                let response = Response::builder().header(CONTENT_TYPE, "application/json");
                let response = response.header(CONTENT_ENCODING, "gzip").body(Body::from(body.clone()));
                std::future::ready(Ok::<_, std::io::Error>(response.unwrap()))
            });
            let env = Kubernetes::with_client("c", kube::Client::new(service, "default"));
            let scan = crate::testing::scan::<crate::kubernetes_pods::Pod>(&env, &[], None);
            let cluster = env.cluster("c").unwrap();
            let read = || async {
                match get(&scan, &cluster, "/x", "").await {
                    Ok(Answer::Body(text, _)) => Ok(text.len()),
                    other => Err(format!("{other:?}")),
                }
            };
            let outcome = read().await;
            match expected {
                Ok(length) => assert_eq!(outcome, Ok(length)),
                Err(why) => assert!(outcome.clone().is_err_and(|error| error.contains(why)), "{outcome:?}"),
            }
            assert!(asked.lock().unwrap().drain(..).all(|encoding| encoding.is_none()));
            cluster.measure(1 << 20, Duration::from_millis(20));
            assert!(!cluster.is_slow());
            cluster.measure(1 << 20, Duration::from_millis(500));
            read().await.ok();
            assert!(asked.lock().unwrap().iter().all(|encoding| encoding.as_deref() == Some("gzip")));
        }
    }

    /// A server may answer a request for protobuf with JSON, or with an error in protobuf.
    #[tokio::test]
    async fn the_form_of_a_response_is_the_servers_choice() {
        let status = b"k8s\0\x0a\x08\x12\x06Status\x12\x09\x1a\x07no pods".to_vec();
        let list = b"k8s\0\x0a\x09\x12\x07PodList\x12\x0b\x12\x09\x0a\x07\x0a\x01a\x2a\x02u1".to_vec();
        let metadata = b"k8s\0\x0a\x1b\x12\x19PartialObjectMetadataList\x12\x00".to_vec();
        let json = br#"{"kind":"PodList","items":[{"metadata":{"name":"a"}}]}"#.to_vec();
        let protobuf = "application/vnd.kubernetes.protobuf";
        let cases = [
            (200, protobuf, list.clone(), Ok(r#"{"kind":"PodList","items":[{"metadata":{"name":"a","uid":"u1"}}]}"#)),
            (200, "application/json", json, Ok(r#"{"kind":"PodList","items":[{"metadata":{"name":"a"}}]}"#)),
            (200, protobuf, metadata, Err("the response is a list of PartialObjectMetadata objects, not of pod")),
            (200, protobuf, list[..20].to_vec(), Err("the response is cut off")),
            (200, "text/html", list.clone(), Err("the response is text/html instead of JSON")),
            (403, protobuf, status, Err("no pods")),
            (403, protobuf, b"k8s".to_vec(), Err("k8s")),
        ];
        for (code, kind, body, expected) in cases {
            let service = tower::service_fn(move |_: http::Request<Body>| {
                let response = Response::builder().status(code).header(CONTENT_TYPE, kind);
                std::future::ready(Ok::<_, std::io::Error>(response.body(Body::from(body.clone())).unwrap()))
            });
            let env = Kubernetes::with_client("c", kube::Client::new(service, "default"));
            let scan = crate::testing::scan::<crate::kubernetes_pods::Pod>(&env, &[], None);
            let cluster = env.cluster("c").unwrap();
            let shape = Arc::new(Shape::default().with("metadata.name").with("metadata.uid").with("spec"));
            let encoding = Encoding::Objects(ObjectKind::of_resource("v1", "pods").unwrap(), shape);
            let outcome = match get_list(&scan, &cluster, "/x", "list pods", &encoding, &|_| ()).await {
                Ok((Answer::Body(text, _), _)) => Ok(String::from_utf8(text.to_vec()).unwrap()),
                other => Err(format!("{other:?}")),
            };
            match expected {
                Ok(text) => assert_eq!(outcome.as_deref(), Ok(text)),
                Err(why) => assert!(outcome.clone().is_err_and(|error| error.contains(why)), "{outcome:?}"),
            }
        }
    }
}
