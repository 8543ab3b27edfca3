//! A proxy that simulates faults of networks and services.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::beds::kube_api::{KubeApi, kubeconfig};
use crate::beds::server::{Outcome, Server, certificates, cut, full, passing, tls};
use crate::error::{Context, Error, Result};
use crate::install;

/// The server for requests that no rule handles.
#[derive(Debug, Clone)]
pub enum Upstream {
    /// A plain HTTP server, `http://HOST:PORT`.
    Http(String),
    /// A Kubernetes API server over TLS: address and authority. The caller's bearer token is passed on.
    Kube(String, PathBuf),
    /// No server: responds 404.
    Nowhere,
}

/// The effect of a rule on a request.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Waits, then passes the request on.
    Delay(Duration),
    /// Responds with this, without calling the upstream.
    Status { code: u16, headers: Vec<(String, String)>, body: String },
    /// Passes the request on, and cuts the connection after this many bytes of the body.
    Truncate(usize),
    /// Passes the request on, and each part of a watch's response after this time; cuts the connection after this many bytes.
    Slow(Duration, usize),
    /// 200 with this body.
    Garbage(Vec<u8>),
    /// Closes the connection with RST.
    Reset,
    /// Never responds.
    Hang,
}

impl Effect {
    /// This status with an empty body.
    pub fn status(code: u16) -> Effect {
        Effect::Status { code, headers: vec![], body: String::new() }
    }

    /// 429 with a `Retry-After` of this many seconds.
    pub fn too_many_requests(retry_after: u32) -> Effect {
        let headers = vec![("retry-after".into(), retry_after.to_string())];
        Effect::Status { code: 429, headers, body: "too many requests".into() }
    }

    /// AWS's throttling error in its query protocol (IAM, STS).
    pub fn aws_throttling() -> Effect {
        Effect::aws_error(400, "Throttling", "Rate exceeded")
    }

    /// An error of AWS's query protocol (IAM, STS).
    pub fn aws_error(code: u16, name: &str, message: &str) -> Effect {
        let body = format!(
            "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>{name}</Code>\
             <Message>{message}</Message></Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
        );
        Effect::Status { code, headers: vec![("content-type".into(), "text/xml".into())], body }
    }

    /// An error of EC2's protocol, such as `RequestLimitExceeded` with 503.
    pub fn ec2_error(code: u16, name: &str, message: &str) -> Effect {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>{name}</Code><Message>{message}</Message>\
             </Error></Errors><RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"
        );
        Effect::Status { code, headers: vec![("content-type".into(), "text/xml".into())], body }
    }

    /// A watch that begins and then ends with the error 410, as if its version was too old.
    pub fn watch_expired() -> Effect {
        let status = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}"#;
        Effect::Garbage(format!("{{\"type\":\"ERROR\",\"object\":{status}}}\n").into_bytes())
    }

    /// A Kubernetes `Status`, such as 410 `Expired`, 403 `Forbidden`, 429 `TooManyRequests`.
    pub fn kube_status(code: u16, reason: &str, message: &str) -> Effect {
        let body = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        });
        Effect::Status {
            code,
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.to_string(),
        }
    }
}

/// The requests to match, and the effect. All conditions must hold; the first rule that matches acts.
#[derive(Debug, Clone)]
pub struct Rule {
    effect: Effect,
    method: Option<String>,
    path: Option<String>,
    query: Option<String>,
    body: Option<String>,
    target: Option<String>,
    skip: usize,
    first: usize,
}

impl Rule {
    /// A rule for every request, until it is narrowed.
    pub fn new(effect: Effect) -> Rule {
        Rule { effect, method: None, path: None, query: None, body: None, target: None, skip: 0, first: usize::MAX }
    }

    /// Only this method.
    pub fn method(self, method: &str) -> Rule {
        Rule { method: Some(method.into()), ..self }
    }

    /// Only paths that contain this.
    pub fn path(self, part: &str) -> Rule {
        Rule { path: Some(part.into()), ..self }
    }

    /// Only queries that contain this.
    pub fn query(self, part: &str) -> Rule {
        Rule { query: Some(part.into()), ..self }
    }

    /// Only bodies that contain this: `Action=ListUsers`.
    pub fn body(self, part: &str) -> Rule {
        Rule { body: Some(part.into()), ..self }
    }

    /// Only calls of an AWS service with this in the header `X-Amz-Target`: `.ListTrails`.
    pub fn target(self, part: &str) -> Rule {
        Rule { target: Some(part.into()), ..self }
    }

    /// Only the first `count` matching requests (after those that are skipped).
    pub fn first(self, count: usize) -> Rule {
        Rule { first: count, ..self }
    }

    /// Lets the first `count` matching requests pass.
    pub fn skip(self, count: usize) -> Rule {
        Rule { skip: count, ..self }
    }

    fn matches(&self, request: &Request) -> bool {
        let within = |part: &Option<String>, text: &str| part.as_deref().is_none_or(|part| text.contains(part));
        self.method.as_deref().is_none_or(|method| method == request.method)
            && within(&self.path, &request.path)
            && within(&self.query, &request.query)
            && within(&self.body, &request.body)
            && within(&self.target, request.target.as_deref().unwrap_or_default())
    }

    /// Counts down for a matching request; returns whether the rule acts on it.
    fn hit(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if self.first > 0 {
            self.first -= 1;
            return true;
        }
        false
    }
}

/// A request that the proxy received.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, or `CONNECT` for a raw connection.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Query without the question mark.
    pub query: String,
    /// Body as text.
    pub body: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `Accept`.
    pub accept: Option<String>,
    /// The header `User-Agent`.
    pub user_agent: Option<String>,
    /// The header `X-Amz-Target`.
    pub target: Option<String>,
    /// Whether a rule acted on it.
    pub hit: bool,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    log: Vec<Request>,
}

impl State {
    fn judge(&mut self, mut request: Request) -> Option<Effect> {
        let hit =
            self.rules.iter_mut().find_map(|rule| (rule.matches(&request) && rule.hit()).then(|| rule.effect.clone()));
        request.hit = hit.is_some();
        self.log.push(request);
        hit
    }
}

/// A proxy on a loopback port. Its rules may change while it runs.
#[derive(Debug)]
pub struct Fault {
    server: Server,
    state: Arc<Mutex<State>>,
    folder: tempfile::TempDir,
}

impl Fault {
    /// Starts a proxy without rules: every request passes.
    pub fn start(upstream: Upstream) -> Result<Fault> {
        Fault::serve(upstream, None)
    }

    /// The same over TLS, with a server's certificate and key in PEM files.
    pub fn start_tls(upstream: Upstream, certificate: &Path, key: &Path) -> Result<Fault> {
        Fault::serve(upstream, Some(tls(certificate, key)?))
    }

    fn serve(upstream: Upstream, tls: Option<TlsAcceptor>) -> Result<Fault> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let client = Arc::new(Sender::new(upstream)?);
        let server = Server::http(tls, move |request| {
            let (state, client) = (Arc::clone(&shared), Arc::clone(&client));
            async move { serve(request, &state, &client).await }
        })?;
        Ok(Fault { server, state, folder: folder()? })
    }

    /// Starts a proxy in front of a plain HTTP server, such as [`Moto::url`](crate::beds::Moto::url).
    pub fn http(url: impl Into<String>) -> Result<Fault> {
        Fault::start(Upstream::Http(url.into()))
    }

    /// Starts a proxy in front of an API server bed, with a certificate of the beds' authority; see
    /// [`Fault::kubeconfig`].
    pub fn kube(api: &KubeApi) -> Result<Fault> {
        let at = |name: &str| api.ca().with_file_name(name);
        Fault::start_tls(Upstream::Kube(api.url().into(), api.ca().into()), &at("apiserver.crt"), &at("apiserver.key"))
    }

    /// Starts a proxy in front of any TCP server, byte by byte. Rules see one request per connection, with method
    /// `CONNECT`. The effects `Delay`, `Truncate` (bytes from upstream), `Reset` and `Hang` work; others close the
    /// connection.
    pub fn tcp(upstream: SocketAddr) -> Result<Fault> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = Server::tcp(move |client| {
            let state = Arc::clone(&shared);
            async move { relay(client, upstream, &state).await }
        })?;
        Ok(Fault { server, state, folder: folder()? })
    }

    /// Adds a rule after the existing ones.
    pub fn rule(&self, rule: Rule) -> &Fault {
        self.state().rules.push(rule);
        self
    }

    /// Removes all rules: every request passes.
    pub fn clear_rules(&self) {
        self.state().rules.clear();
    }

    /// Every request since the start or the last [`Fault::clear_requests`].
    pub fn requests(&self) -> Vec<Request> {
        self.state().log.clone()
    }

    /// Number of requests with this text in their path, query or body.
    pub fn count(&self, part: &str) -> usize {
        let has =
            |request: &&Request| [&request.path, &request.query, &request.body].iter().any(|text| text.contains(part));
        self.state().log.iter().filter(has).count()
    }

    /// Clears the list of requests.
    pub fn clear_requests(&self) {
        self.state().log.clear();
    }

    /// `http://127.0.0.1:PORT`, or `https`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// A kubeconfig file for an API server bed through this proxy, as one of the beds' users.
    pub fn kubeconfig(&self, user: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(format!("{user}.conf"));
        let authority = install::pki()?.join("ca.crt");
        install::write(&path, kubeconfig(&self.url(), Some(&authority), &[user]))?;
        Ok(path)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir().context(|| "cannot create a temporary directory".to_owned())
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(request: http::Request<hyper::body::Incoming>, state: &Mutex<State>, client: &Sender) -> Outcome {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else { return Outcome::Reset };
    let header = |name| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let effect = lock(state).judge(Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
        authorization: header(http::header::AUTHORIZATION),
        accept: header(http::header::ACCEPT),
        user_agent: header(http::header::USER_AGENT),
        target: header(http::HeaderName::from_static("x-amz-target")),
        hit: false,
    });
    let (mut keep, mut lag) = (usize::MAX, Duration::ZERO);
    match effect {
        None => {}
        Some(Effect::Delay(time)) => tokio::time::sleep(time).await,
        Some(Effect::Truncate(bytes)) => keep = bytes,
        Some(Effect::Slow(time, bytes)) => (lag, keep) = (time, bytes),
        Some(Effect::Reset) => return Outcome::Reset,
        Some(Effect::Hang) => std::future::pending().await,
        Some(Effect::Garbage(bytes)) => return Outcome::Answer(Response::new(full(bytes))),
        Some(Effect::Status { code, headers, body }) => {
            let mut answer = Response::builder().status(code);
            for (name, value) in headers {
                answer = answer.header(name, value);
            }
            return Outcome::Answer(
                answer.body(full(body)).unwrap_or_else(|error| plain(StatusCode::BAD_GATEWAY, &error.to_string())),
            );
        }
    }
    // The response of a watch has no end, so it is passed on as it arrives.
    let is_watch = parts.uri.query().is_some_and(|query| query.contains("watch="));
    let sent = client.send(http::Request::from_parts(parts, body)).await;
    let (status, mut headers, body) = match sent {
        Ok(Some(answer)) => {
            let (parts, body) = answer.into_parts();
            (parts.status, parts.headers, body)
        }
        Ok(None) => return Outcome::Answer(plain(StatusCode::NOT_FOUND, "nothing here")),
        Err(error) => return Outcome::Answer(plain(StatusCode::BAD_GATEWAY, &error)),
    };
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONNECTION);
    if is_watch {
        let mut answer = Response::new(passing(body, keep, lag));
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        return Outcome::Answer(answer);
    }
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Outcome::Answer(plain(StatusCode::BAD_GATEWAY, &format!("upstream: {error}"))),
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let short = keep < body.len();
    let mut answer = Response::new(if short { cut(body.slice(..keep)) } else { full(body) });
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Outcome::Answer(answer)
}

fn plain(status: StatusCode, text: &str) -> Response<crate::beds::server::Answer> {
    let mut answer = Response::new(full(text.to_owned()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer
}

async fn relay(mut client: TcpStream, upstream: SocketAddr, state: &Mutex<State>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let request = Request {
        method: "CONNECT".into(),
        path: String::new(),
        query: String::new(),
        body: String::new(),
        authorization: None,
        accept: None,
        user_agent: None,
        target: None,
        hit: false,
    };
    let effect = lock(state).judge(request);
    let mut keep = u64::MAX;
    match effect {
        None => {}
        Some(Effect::Delay(time)) => tokio::time::sleep(time).await,
        Some(Effect::Truncate(bytes)) => keep = bytes as u64,
        Some(Effect::Hang) => std::future::pending().await,
        Some(Effect::Reset) => {
            rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).ok();
            return;
        }
        Some(Effect::Status { .. } | Effect::Garbage(_) | Effect::Slow(..)) => return,
    }
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let up = async {
        tokio::io::copy(&mut from_client, &mut to_server).await.ok();
        to_server.shutdown().await.ok();
        // Keeps the connection open: the response may still be in transit.
        if keep != u64::MAX {
            std::future::pending::<()>().await;
        }
    };
    let down = async {
        tokio::io::copy(&mut from_server.take(keep), &mut to_client).await.ok();
        to_client.shutdown().await.ok();
    };
    if keep == u64::MAX {
        tokio::join!(up, down);
    } else {
        tokio::select! { () = up => {}, () = down => {} }
    }
}

/// The client for the server behind the proxy.
struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: Option<String>,
}

impl Sender {
    fn new(upstream: Upstream) -> Result<Sender> {
        let (base, ca) = match upstream {
            Upstream::Http(url) => (Some(url), None),
            Upstream::Kube(url, ca) => (Some(url), Some(ca)),
            Upstream::Nowhere => (None, None),
        };
        let mut roots = RootCertStore::empty();
        for certificate in ca.map_or(Ok(vec![]), |ca| certificates(&ca))? {
            roots.add(certificate).map_err(|error| Error::Other(format!("bad authority: {error}")))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(|error| Error::Other(format!("cannot speak TLS: {error}")))?;
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Sender { client, base: base.map(|base| base.trim_end_matches('/').to_owned()) })
    }

    /// The upstream's response; `None` if there is no upstream.
    async fn send(&self, mut request: http::Request<Bytes>) -> Result<Option<Response<Incoming>>, String> {
        let Some(base) = &self.base else { return Ok(None) };
        // The Host header stays the caller's, because signatures cover it.
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("{base}{path}").parse().map_err(|error| format!("bad address: {error}"))?;
        let answer =
            self.client.request(request.map(Full::new)).await.map_err(|error| format!("upstream: {error:?}"))?;
        Ok(Some(answer))
    }
}
