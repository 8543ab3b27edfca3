//! One GET request to an API server, and the meaning of each kind of response.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use indago_table::error::retry_after;
use indago_table::json::Shape;
use indago_table::{AnyScan, Error, Held, Meter, Result};
use kube::client::Body;
use rustls::CertificateError;
use serde::Deserialize;
use std::time::Duration;

use crate::clusters::{Cluster, Kubernetes};

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
///
/// `arriving` is called with the text of the response received so far, as it grows.
pub(crate) async fn get(
    scan: &AnyScan<Kubernetes>,
    cluster: &Cluster,
    path: &str,
    needs: &str,
    arriving: &(impl Fn(&[u8]) + Sync),
) -> Result<Answer> {
    let client = cluster.client(scan).await?;
    let what = format!("GET {path}");
    let answer = scan.call(&cluster.name, &what, || attempt(scan, &client, path, needs, arriving)).await;
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
    match get(scan, cluster, path, needs, &|_| ()).await? {
        Answer::Body(text, _held) => shape.parse(&text),
        Answer::Missing(message) => Err(Error::Gone(message)),
        Answer::Expired(_) => Err(Error::Malformed(format!("GET {path} was answered like an expired page of a list"))),
    }
}

async fn attempt(
    scan: &AnyScan<Kubernetes>,
    client: &kube::Client,
    path: &str,
    needs: &str,
    arriving: &(impl Fn(&[u8]) + Sync),
) -> Result<Answer> {
    let meter = scan.meter();
    let request = http::Request::get(path).header(ACCEPT, "application/json").body(Body::empty());
    let request = request.map_err(|error| Error::Malformed(format!("GET {path}: {error}")))?;
    let response = client.send(request).await.map_err(transport_error)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let header = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    if status.is_redirection() {
        let to = header(LOCATION).unwrap_or("nowhere");
        return Err(Error::Malformed(format!("the server redirects to {to}: is its address correct?")));
    }
    let (text, held) = whole_body(response, meter, arriving).await?;
    if status == StatusCode::OK {
        return match header(CONTENT_TYPE) {
            Some(kind) if !kind.contains("json") => {
                Err(Error::Malformed(format!("the response is {kind} instead of JSON: {}", excerpt(&text))))
            }
            // The parser finds all other errors. This one is retried.
            _ if text.trim_ascii_start().starts_with(b"{") && !text.trim_ascii_end().ends_with(b"}") => {
                Err(Error::Unavailable("the response is cut off: it is not a complete JSON object".to_owned()))
            }
            _ => Ok(Answer::Body(text, held)),
        };
    }
    let retry_after = header(RETRY_AFTER).and_then(|header| retry_after(header, scan.env().now()));
    refusal(status, &text, retry_after, needs)
}

/// Largest response body. A page of 500 objects of one megabyte each, the most that etcd stores, is smaller.
const MOST_BYTES: usize = 512 << 20;

async fn whole_body(
    response: Response<Body>,
    meter: &Meter,
    arriving: &(impl Fn(&[u8]) + Sync),
) -> Result<(Bytes, Held)> {
    let length = response.headers().get(http::header::CONTENT_LENGTH);
    let length: Option<usize> = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let mut body = response.into_body();
    let mut text = Vec::with_capacity(length.unwrap_or(0).min(16 << 20));
    let mut held = meter.hold(text.capacity())?;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Error::Unavailable(format!("the response is cut off: {}", innermost(&error))))?;
        if let Some(data) = frame.data_ref() {
            text.extend_from_slice(data);
            held.cover(text.capacity())?;
            meter.add_bytes(data.len() as u64);
            arriving(&text);
        }
        if text.len() > MOST_BYTES {
            return Err(Error::Malformed(format!("the response is larger than {} MiB", MOST_BYTES >> 20)));
        }
    }
    Ok((text.into(), held))
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
}
