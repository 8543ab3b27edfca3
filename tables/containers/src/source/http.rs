//! One HTTP request over a runtime's socket.
//!
//! Each request has its own connection, which lives in the request's future. Dropping the future ends it at once,
//! without a task that remains.

use std::time::Duration;

use futures::future::{Either, select};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use indago_table::{Error, Held, Meter, Result, Sys, error};

use crate::runtime::Endpoint;

/// A successful response.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The server's name, from its header.
    pub(crate) server: String,
    pub(crate) body: Vec<u8>,
    /// The memory charged for it.
    _held: Held,
}

/// Limit in bytes of a response. A list of 20,000 containers is far below it.
const MOST_BYTES: usize = 256 << 20;

/// Sends a GET request to an endpoint. Any status but success becomes an error.
pub(crate) async fn get(sys: &Sys, endpoint: &Endpoint, path: &str) -> Result<Answer> {
    let stream = endpoint.connect(sys).await?;
    let broken = |error: hyper::Error| transport_error(endpoint, &error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = hyper::Request::get(path)
        .header("Host", "localhost")
        .header("Accept", "application/json")
        .header("Connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Error::Malformed(format!("{path:?} is not a valid request path: {error}")))?;
    let exchange = std::pin::pin!(async move {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let (server, retry_after) = (header("Server").unwrap_or_default(), header("Retry-After"));
        let (body, held) = collect(endpoint, response, sys.meter()).await?;
        if status.is_success() {
            sys.meter().add_bytes(body.len() as u64);
            if is_cut_off(&body) {
                return Err(Error::Unavailable(format!("{endpoint}: the response is cut off")));
            }
            return Ok(Answer { server, body, _held: held });
        }
        let retry_after = retry_after.and_then(|header| error::retry_after(&header, sys.now()));
        Err(status_error(endpoint, path, status, retry_after, &body))
    });
    match select(exchange, std::pin::pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        // The connection has ended; its response must still be taken.
        Either::Right((_, exchange)) => exchange.await,
    }
}

/// Whether a text starts as a JSON object or list but does not end as one. The parser finds all other errors.
fn is_cut_off(body: &[u8]) -> bool {
    match body.trim_ascii() {
        [b'{', .., end] => *end != b'}',
        [b'[', .., end] => *end != b']',
        [b'{' | b'['] => true,
        _ => false,
    }
}

async fn collect(endpoint: &Endpoint, response: Response<Incoming>, meter: &Meter) -> Result<(Vec<u8>, Held)> {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    let mut held = meter.hold(0)?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| transport_error(endpoint, &error))?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > MOST_BYTES {
                return Err(Error::Malformed(format!("{endpoint}: the response is longer than {MOST_BYTES} bytes")));
            }
            bytes.extend_from_slice(data);
            held.cover(bytes.capacity())?;
        }
    }
    Ok((bytes, held))
}

fn transport_error(endpoint: &Endpoint, error: &hyper::Error) -> Error {
    if error.is_parse() {
        return Error::Malformed(format!("{endpoint} does not speak HTTP: {error}"));
    }
    Error::Unavailable(format!("{endpoint}: {error}"))
}

fn status_error(
    endpoint: &Endpoint,
    path: &str,
    status: StatusCode,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Error {
    let path = path.split('?').next().unwrap_or_default();
    let message = serde_json::from_slice::<serde_json::Value>(body)
        .ok()
        .and_then(|body| Some(body.get("message")?.as_str()?.to_owned()))
        .unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(200)]).trim().to_owned());
    let what = format!("{endpoint}{path}");
    match status.as_u16() {
        401 | 403 => Error::Denied { what, needs: Some(format!("GET {path} at the runtime's API")) },
        // 409: the container has ended since it was listed.
        404 | 409 => Error::Gone(what),
        429 => Error::Throttled { what, retry_after },
        503 if retry_after.is_some() => Error::Throttled { what: format!("{what}: {status}: {message}"), retry_after },
        500.. => Error::Unavailable(format!("{what}: {status}: {message}")),
        _ => Error::Malformed(format!("{what}: {status}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// Gets `/x` from a server that responds to any request with these bytes.
    fn get_from(answer: &'static [u8]) -> Result<Answer> {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("s.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer);
        });
        let outcome = block_on(async { get(&Sys::live(), &Endpoint::Unix(path), "/x").await });
        server.join().expect("the server ends");
        outcome
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(future)
    }

    #[test]
    fn an_answer_comes_with_its_length_in_chunks_or_until_the_end() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nServer: Libpod/4.3.1 (linux)\r\nContent-Length: 2\r\n\r\n[]"[..],
            b"HTTP/1.1 200 OK\r\nServer: Libpod/4.3.1 (linux)\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nServer: Libpod/4.3.1 (linux)\r\n\r\n[]",
        ] {
            let answer = get_from(answer).expect("a response");
            assert_eq!((answer.server.as_str(), answer.body.as_slice()), ("Libpod/4.3.1 (linux)", &b"[]"[..]));
        }
    }

    #[test]
    fn each_failure_is_the_error_that_stands_for_it() {
        let error = |answer| get_from(answer).expect_err("an error");
        assert!(matches!(error(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), Error::Gone(_)));
        assert!(matches!(error(b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"), Error::Gone(_)));
        assert!(matches!(error(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), Error::Denied { .. }));
        assert!(matches!(error(b"SSH-2.0-OpenSSH_9.2\r\n"), Error::Malformed(_)));
        assert!(matches!(error(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00"), Error::Malformed(_)));
        assert!(matches!(error(b""), Error::Unavailable(_)));
        assert!(matches!(error(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[{"), Error::Unavailable(_)));
        assert!(matches!(error(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[{}"), Error::Unavailable(_)));
        for answer in [
            &b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"[..],
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
        ] {
            assert_eq!(error(answer).retry_after(), Some(Duration::from_secs(7)));
        }
        let refused = error(b"HTTP/1.1 500 X\r\nContent-Length: 34\r\n\r\n{\"message\":\"no storage, it seems\"}\n");
        assert!(matches!(&refused, Error::Unavailable(text) if text.ends_with("no storage, it seems")), "{refused}");
    }

    #[test]
    fn a_socket_that_is_not_there_or_that_nobody_serves_is_said_so() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("s.sock");
        let get =
            || block_on(async { get(&Sys::live(), &Endpoint::Unix(path.clone()), "/x").await.expect_err("no server") });
        assert!(get().to_string().ends_with("no such socket"));
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
        assert!(get().to_string().ends_with("connection refused"));
    }
}
