//! HTTP requests to the servers that a query names, within limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::{AUTHORIZATION, HOST, LOCATION, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use indago_net::{Limits, Route, Trust, address_of, basic_of, client_config, plain};
use indago_table::prelude::*;
use indago_table::{Held, Meter};
use url::{Host, Url};

/// Limit in bytes of a response.
const MOST_BYTES: usize = 8 << 20;

/// Limit in bytes of what precedes the body: the header, and interim responses such as `100 Continue`.
const MOST_BEFORE_BODY: u64 = 1 << 20;

/// Most redirects that are followed.
const MOST_REDIRECTS: usize = 10;

/// A request without a body.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Timeout of the request with its redirects.
    pub(crate) time: Duration,
    pub(crate) follows_redirects: bool,
}

impl Ask {
    /// A GET request that follows no redirect.
    pub(crate) fn get(url: impl Into<String>, time: Duration) -> Self {
        Ask { method: Method::GET, url: url.into(), headers: Vec::new(), time, follows_redirects: false }
    }

    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Microseconds from the request to the end of the response.
    pub(crate) microseconds: i64,
    /// The memory charged for it.
    _held: Held,
}

/// Sends a request once. A response with any status is an answer.
pub(crate) async fn send(sys: &Sys, ask: &Ask) -> Result<Answer> {
    let start = sys.now();
    let exchange = async {
        let mut url = parse(&ask.url)?;
        let limit = if ask.follows_redirects { MOST_REDIRECTS } else { 0 };
        let mut is_allowed: Option<fn(IpAddr) -> bool> = None;
        for followed in 0..=limit {
            let response = once(&url, ask, is_allowed).await?;
            let target = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
            let Some(target) = target.filter(|_| ask.follows_redirects) else {
                let status = response.status().as_u16();
                let (body, held) = collect(&ask.url, response.into_body(), sys.meter()).await?;
                return Ok((status, body, held));
            };
            let target = String::from_utf8_lossy(target.as_bytes()).into_owned();
            if !address_of(&response).is_some_and(is_inner) {
                is_allowed = Some(|address| !is_inner(address));
            }
            url = redirected(&url, &target, is_allowed.is_none())?;
            if followed == limit {
                break;
            }
        }
        Err(Error::Malformed(format!("{}: more than {MOST_REDIRECTS} redirects", ask.url)))
    };
    let late = || Error::TimedOut { what: ask.url.clone(), limit: ask.time };
    let (status, body, held) = tokio::time::timeout(ask.time, exchange).await.map_err(|_| late())??;
    sys.meter().add_bytes(body.len() as u64);
    let microseconds = sys.now().0.saturating_sub(start.0);
    Ok(Answer { status, body, microseconds, _held: held })
}

fn parse(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| Error::Malformed(format!("{text} is not a URL: {error}")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(Error::Malformed(format!("{text} has the scheme `{scheme}`: it must be http or https"))),
    }
}

/// The target of a redirect. A server must not lead requests to addresses that only this machine reaches. The address
/// of a name is checked when it is connected.
fn redirected(from: &Url, target: &str, is_from_inner: bool) -> Result<Url> {
    let bad = |error| Error::Malformed(format!("{from} redirects to {target:?}, which is not a URL: {error}"));
    let to = parse(from.join(target).map_err(bad)?.as_str())?;
    if names_inner(&to) && !is_from_inner {
        return Err(Error::Unsupported(format!(
            "{from} redirects to {to}, an address of a private network; query it itself"
        )));
    }
    Ok(to)
}

/// Whether a URL names the machine itself, its link or a private network.
fn names_inner(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            name == "localhost" || [".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end))
        }
        Some(Host::Ipv4(address)) => is_inner(address.into()),
        Some(Host::Ipv6(address)) => is_inner(address.into()),
        None => false,
    }
}

/// Whether an address is one of the machine itself, its link or a private network.
fn is_inner(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(own) => {
            // Addresses that providers share among customers: 100.64.0.0/10.
            let is_shared = own.octets()[0] == 100 && own.octets()[1] & 0xc0 == 64;
            own.is_loopback() || own.is_private() || own.is_link_local() || own.is_unspecified() || is_shared
        }
        IpAddr::V6(own) => {
            own.is_loopback() || own.is_unique_local() || own.is_unicast_link_local() || own.is_unspecified()
        }
    }
}

/// Sends a request to one address.
async fn once(url: &Url, ask: &Ask, is_allowed: Option<fn(IpAddr) -> bool>) -> Result<http::Response<Incoming>> {
    let malformed = |error: &dyn std::fmt::Display| Error::Malformed(format!("{url} cannot be requested: {error}"));
    let uri: Uri = url.as_str().parse().map_err(|error: http::uri::InvalidUri| malformed(&error))?;
    let (user, uri) = (basic_of(&uri)?, plain(&uri)?);
    let is_https = url.scheme() == "https";
    let tls = is_https.then(|| client_config(&Trust::Machine, None)).transpose()?;
    let bytes = Arc::new(AtomicU64::new(MOST_BEFORE_BODY));
    let limits = Limits { is_allowed, bytes: Some(bytes.clone()) };
    let send = Route { tls, connect_timeout: ask.time, limits, ..Route::new(is_https) }.sender()?;
    let mut request = Request::builder().method(ask.method.clone()).uri(uri.clone());
    if let Some(authority) = uri.authority() {
        request = request.header(HOST, authority.as_str());
    }
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    if !ask.headers.iter().any(|(name, _)| USER_AGENT == *name) {
        request = request.header(USER_AGENT, AGENT);
    }
    if let Some(user) = user {
        request = request.header(AUTHORIZATION, user);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| malformed(&error))?;
    let response = send(request).await;
    // The body has a limit of its own.
    bytes.store(u64::MAX, Ordering::Relaxed);
    response.map_err(|error| Error::Io { what: url.to_string(), message: causes(&error) })
}

/// The user agent of a request that names no other.
pub(crate) const AGENT: &str = "indago";

async fn collect(what: &str, mut body: Incoming, meter: &Meter) -> Result<(Vec<u8>, Held)> {
    let (mut bytes, mut held) = (Vec::new(), meter.hold(0)?);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::Io { what: what.to_owned(), message: causes(&error) })?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > MOST_BYTES {
            let limit = MOST_BYTES >> 20;
            return Err(Error::Malformed(format!("the response of {what} is larger than the limit of {limit} MiB")));
        }
        bytes.extend_from_slice(data);
        held.cover(bytes.capacity())?;
    }
    Ok((bytes, held))
}

/// An error with its causes, which name the reason.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_do_not_lead_from_outside_into_private_networks() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let outside = url("https://example.org/a/b?c");
        for (target, reached) in [
            ("d", "https://example.org/a/d"),
            ("/d", "https://example.org/d"),
            ("//other.org/d", "https://other.org/d"),
            ("http://8.8.8.8/", "http://8.8.8.8/"),
            ("http://100.128.0.1/", "http://100.128.0.1/"),
        ] {
            assert_eq!(redirected(&outside, target, false).map(String::from), Ok(reached.to_owned()));
        }
        for target in [
            "http://127.0.0.1/",
            "http://localhost:80/",
            "http://169.254.169.254/latest/",
            "http://[::1]/",
            "http://10.1.2.3/",
            "http://[::ffff:127.0.0.1]/",
            "http://[fd00:ec2::254]/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://metadata.google.internal/",
            "http://0.0.0.0/",
            "http://100.64.0.1/",
            "http://100.127.255.255/",
        ] {
            assert!(matches!(redirected(&outside, target, false), Err(Error::Unsupported(_))), "{target}");
            assert!(redirected(&url("http://127.0.0.1:8080/"), target, true).is_ok(), "{target}");
        }
        for target in ["file:///etc/passwd", "ftp://example.org/", "http://"] {
            assert!(matches!(redirected(&outside, target, false), Err(Error::Malformed(_))), "{target}");
        }
    }

    #[tokio::test]
    async fn interim_responses_have_a_limit_and_bodies_another() {
        use std::io::{BufRead, BufReader, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().expect("a handle")).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                let interim = "HTTP/1.1 100 Continue\r\n\r\n";
                let text = match first.as_str() {
                    "GET /many HTTP/1.1" => interim.repeat(100_000),
                    _ => format!("{interim}HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(3 << 20)),
                };
                let _ = stream.write_all(text.as_bytes());
            }
        });
        let get = |path: &str| Ask::get(format!("http://{address}{path}"), Duration::from_secs(60));
        let answer = send(&Sys::live(), &get("/large")).await.expect("a response");
        assert_eq!((answer.status, answer.body.len()), (200, 3 << 20));
        let error = send(&Sys::live(), &get("/many")).await.expect_err("no response").to_string();
        assert!(error.contains("too many bytes before its response"), "{error}");
    }
}
