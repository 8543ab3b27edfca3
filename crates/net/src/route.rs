//! Routes to a server: direct or through a proxy, with or without TLS.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::PROXY_AUTHORIZATION;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use hyper::body::Body;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector, HttpInfo};
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use indago_table::{Error, Result};
use percent_encoding::percent_decode_str;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tower::ServiceExt as _;

const SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

/// Default timeout of one attempt to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Default time after which a connection to a peer that has vanished fails.
const PEER_TIMEOUT: Duration = Duration::from_secs(60);

/// Unanswered probes after which TCP considers a peer vanished.
const PROBES: u32 = 2;

/// A route to a server.
#[derive(Debug)]
pub struct Route {
    /// Whether the server uses TLS.
    pub is_https: bool,
    /// TLS settings for the server, and for a proxy with TLS.
    pub tls: Option<ClientConfig>,
    /// The name that the server's certificate must have, if it differs from the address.
    pub server_name: Option<ServerName<'static>>,
    /// The proxy, with its user name and password.
    pub proxy: Option<Uri>,
    /// Timeout of one attempt to connect.
    pub connect_timeout: Duration,
    /// Time after which a connection fails if the peer has vanished: no data arrives, and it does not answer probes.
    pub peer_timeout: Duration,
    /// Limits of its connections.
    pub limits: Limits,
}

/// Limits of connections to a server that is not trusted.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Whether an address may be sent a request. Default: every one.
    pub is_allowed: Option<fn(IpAddr) -> bool>,
    /// How many bytes a server may still send. The owner may change it. Default: any number.
    pub bytes: Option<Arc<AtomicU64>>,
}

/// Sends a request.
pub type Sender<B> = Box<dyn Fn(Request<B>) -> ResponseFuture + Send + Sync>;

impl Route {
    /// A route without a proxy and without TLS settings.
    pub fn new(is_https: bool) -> Self {
        Route {
            is_https,
            tls: None,
            server_name: None,
            proxy: None,
            connect_timeout: CONNECT_TIMEOUT,
            peer_timeout: PEER_TIMEOUT,
            limits: Limits::default(),
        }
    }

    /// A function that sends requests on this route.
    pub fn sender<B>(self) -> Result<Sender<B>>
    where
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Route { is_https, tls, server_name, proxy, connect_timeout, peer_timeout, limits } = self;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(connect_timeout));
        // A connection on which a response arrives over minutes must not outlive its server unnoticed.
        let probe = peer_timeout / (PROBES + 1);
        http.set_keepalive(Some(probe));
        http.set_keepalive_interval(Some(probe));
        http.set_keepalive_retries(Some(PROBES));
        let Some(tls) = tls else {
            return Ok(match proxy {
                None => over(http, None, limits),
                Some(proxy) if is_socks(&proxy) => over(socks(&proxy, http)?, None, limits),
                Some(proxy) => over(Forward { inner: http, proxy: plain(&proxy)? }, basic_of(&proxy)?, limits),
            });
        };
        let to_proxy = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
        let to_proxy = to_proxy.wrap_connector(http.clone());
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let to_server = match server_name {
            Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)),
            None => builder,
        };
        let to_server = to_server.enable_http1();
        Ok(match proxy {
            None => over(to_server.wrap_connector(http), None, limits),
            Some(proxy) if is_socks(&proxy) => over(to_server.wrap_connector(socks(&proxy, http)?), None, limits),
            Some(proxy) if !is_https => {
                over(Forward { inner: to_proxy, proxy: plain(&proxy)? }, basic_of(&proxy)?, limits)
            }
            Some(proxy) => {
                let tunnel = Tunnel::new(plain(&proxy)?, to_proxy);
                let tunnel = match basic_of(&proxy)? {
                    Some(user) => tunnel.with_auth(user),
                    None => tunnel,
                };
                over(to_server.wrap_connector(tunnel), None, limits)
            }
        })
    }
}

fn over<C, B>(connector: C, proxy_user: Option<HeaderValue>, limits: Limits) -> Sender<B>
where
    C: tower::Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Unpin + Send + 'static,
    C::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    C::Future: Unpin + Send + 'static,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connector = connector.map_response(move |connection| Limited::new(connection, limits.clone()));
    let client: Client<_, B> = Client::builder(TokioExecutor::new()).build(connector);
    let headers: HeaderMap = proxy_user.map(|user| (PROXY_AUTHORIZATION, user)).into_iter().collect();
    Box::new(move |mut request| {
        request.headers_mut().extend(headers.clone());
        client.request(request)
    })
}

/// The address of the server that sent a response.
pub fn address_of<B>(response: &Response<B>) -> Option<IpAddr> {
    response.extensions().get::<HttpInfo>().map(|info| info.remote_addr().ip())
}

/// Parses the address of a proxy. The caller prepends its source to an error. The text may contain a password, so
/// errors do not repeat it.
pub fn proxy(text: &str) -> Result<Uri, String> {
    let uri: Option<Uri> = text.parse().ok();
    let uri = uri.filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    let uri = uri.ok_or("is not a proxy URL: write it as http://HOST:PORT")?;
    match uri.scheme_str() {
        Some(scheme) if SCHEMES.contains(&scheme) => Ok(uri),
        Some(scheme) => Err(format!("has the scheme `{scheme}`: it must be http, https or socks5")),
        None => Err("has no scheme: write it as http://HOST:PORT".to_owned()),
    }
}

/// Whether an address uses TLS.
pub fn is_tls(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

/// An address without its user name and password.
pub fn plain(uri: &Uri) -> Result<Uri> {
    let mut parts = uri.clone().into_parts();
    let bare = |authority: Authority| {
        let text = authority.as_str();
        text.rsplit_once('@').map_or(text, |(_, host)| host).parse::<Authority>()
    };
    let unfit = |_| Error::Malformed("the address has no host".to_owned());
    parts.authority = parts.authority.map(bare).transpose().map_err(unfit)?;
    Uri::from_parts(parts).map_err(|error| Error::Malformed(error.to_string()))
}

fn is_socks(proxy: &Uri) -> bool {
    proxy.scheme_str().is_some_and(|scheme| scheme.starts_with("socks5"))
}

fn socks(proxy: &Uri, connector: HttpConnector) -> Result<SocksV5<HttpConnector>> {
    let socks = SocksV5::new(plain(proxy)?, connector);
    Ok(match user_of(proxy) {
        Some((name, password)) => socks.with_auth(name, password),
        None => socks,
    })
}

/// The user name and password in an address.
fn user_of(uri: &Uri) -> Option<(String, String)> {
    let (user, _) = uri.authority()?.as_str().rsplit_once('@')?;
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    Some((unescaped(name), unescaped(password)))
}

/// The user name and password in an address, as the value of a header.
pub fn basic_of(uri: &Uri) -> Result<Option<HeaderValue>> {
    user_of(uri).map(|(name, password)| basic(&name, &password)).transpose()
}

/// A user name and password as the value of a header.
pub fn basic(name: &str, password: &str) -> Result<HeaderValue> {
    secret(format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))), "the user name")
}

/// The value of a header that is never shown.
pub fn secret(value: String, what: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| Error::Malformed(format!("{what} contains a character that cannot be sent, such as a newline")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A text with its percent escapes decoded; invalid escapes stay.
fn unescaped(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Connects to a proxy that forwards plain HTTP requests, which contain the complete address.
#[derive(Clone)]
struct Forward<C> {
    inner: C,
    proxy: Uri,
}

/// A connection to such a proxy.
struct Forwarding<T>(T);

impl<C: tower::Service<Uri>> tower::Service<Uri> for Forward<C>
where
    C::Future: Send + 'static,
{
    type Response = Forwarding<C::Response>;
    type Error = C::Error;
    type Future = futures::future::MapOk<C::Future, fn(C::Response) -> Forwarding<C::Response>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        futures::TryFutureExt::map_ok(self.inner.call(self.proxy.clone()), Forwarding)
    }
}

impl<T: Connection> Connection for Forwarding<T> {
    fn connected(&self) -> Connected {
        self.0.connected().proxy(true)
    }
}

impl<T: Read + Unpin> Read for Forwarding<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl<T: Write + Unpin> Write for Forwarding<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.0).poll_write(context, from));
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// A connection with limits.
struct Limited<T> {
    inner: T,
    /// The server's address, if it is not allowed.
    refused: Option<IpAddr>,
    bytes: Option<Arc<AtomicU64>>,
}

impl<T: Connection> Limited<T> {
    fn new(inner: T, limits: Limits) -> Self {
        let mut extensions = http::Extensions::new();
        inner.connected().get_extras(&mut extensions);
        let address = extensions.get::<HttpInfo>().map(|info| info.remote_addr().ip());
        let refused = address.filter(|address| limits.is_allowed.is_some_and(|is_allowed| !is_allowed(*address)));
        Limited { inner, refused, bytes: limits.bytes }
    }
}

impl<T: Connection> Connection for Limited<T> {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}

impl<T: Read + Unpin> Read for Limited<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let Some(bytes) = self.bytes.clone() else { return Pin::new(&mut self.inner).poll_read(context, into) };
        let mut buffer = [0; 8 << 10];
        let length = buffer.len().min(into.remaining());
        let mut read = ReadBuf::new(&mut buffer[..length]);
        ready!(Pin::new(&mut self.inner).poll_read(context, read.unfilled()))?;
        let count = read.filled().len() as u64;
        let taken = bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(count));
        if taken.is_err() {
            return Poll::Ready(Err(std::io::Error::other("the server sends too many bytes before its response")));
        }
        into.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for Limited<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<std::io::Result<usize>> {
        if let Some(address) = self.refused {
            let what = format!("the server has the address {address} in a private network");
            return Poll::Ready(Err(std::io::Error::other(what)));
        }
        Pin::new(&mut self.inner).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::Arc;

    use bytes::Bytes;
    use http_body_util::Empty;
    use rustls::ServerConfig;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{Authorities, Trust, client_config};

    #[tokio::test]
    async fn a_proxy_may_speak_tls_beside_certificates_of_ones_own() {
        let folder = tempfile::tempdir().expect("a directory");
        let make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=proxy \
                    -addext subjectAltName=IP:127.0.0.1 -keyout key -out crt";
        let made = Command::new("sh").args(["-c", make]).current_dir(folder.path()).output().expect("openssl runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let read = |name: &str| std::fs::read(folder.path().join(name)).expect("written");
        let chain = CertificateDer::pem_slice_iter(&read("crt")).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(&read("key")).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
        let config = config.with_no_client_auth().with_single_cert(chain, key).expect("a server");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut stream = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await.expect("TLS");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.expect("a request"));
            }
            stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await.expect("written");
            String::from_utf8(request).expect("a header")
        });
        let trust = Trust::Authorities(Authorities::new(&read("crt"), "`x`").expect("a certificate"));
        let route = Route {
            tls: Some(client_config(&trust, None).expect("a client")),
            proxy: Some(proxy(&format!("https://joe:pw@{address}")).expect("a proxy")),
            ..Route::new(true)
        };
        let send = route.sender().expect("a sender");
        let answer = send(Request::get("https://api.test/").body(Empty::<Bytes>::new()).expect("a request")).await;
        let asked = asked.await.expect("the proxy got the request");
        assert!(asked.starts_with("CONNECT api.test:443 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.to_ascii_lowercase().contains("proxy-authorization: basic am9lonb3"), "{asked}");
        assert!(answer.is_err(), "it does not connect");
    }

    #[tokio::test]
    async fn servers_have_limits() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0];
                if stream.read_exact(&mut request).await.is_ok() {
                    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
                    let _ = stream.write_all(format!("{interim}HTTP/1.1 204 Gone\r\n\r\n").as_bytes()).await;
                }
            }
        });
        let outcome = async |limits: Limits| {
            let send = Route { limits, ..Route::new(false) }.sender().expect("a sender");
            let response = send(Request::get(&url).body(Empty::<Bytes>::new()).expect("a request")).await;
            let response = response.inspect(|response| {
                assert_eq!(address_of(response), Some(IpAddr::from([127, 0, 0, 1])));
            });
            response.map(|response| response.status().as_u16()).map_err(|error| format!("{error:?}"))
        };
        assert_eq!(outcome(Limits::default()).await, Ok(204));
        let bytes = |count| Limits { bytes: Some(Arc::new(AtomicU64::new(count))), ..Limits::default() };
        assert_eq!(outcome(bytes(10_000)).await, Ok(204));
        assert!(outcome(bytes(1000)).await.is_err_and(|error| error.contains("too many bytes")));
        let allowed = |is_allowed| Limits { is_allowed: Some(is_allowed), ..Limits::default() };
        assert_eq!(outcome(allowed(|address| address.is_loopback())).await, Ok(204));
        assert!(outcome(allowed(|_| false)).await.is_err_and(|error| error.contains("127.0.0.1 in a private")));
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        for (text, expected) in
            [("a%41%2", "aA%2"), ("%", "%"), ("%zz%+A", "%zz%+A"), ("%C3%A9", "\u{e9}"), ("%ff", "\u{fffd}")]
        {
            assert_eq!(unescaped(text), expected);
        }
    }
}
