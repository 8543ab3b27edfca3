//! An HTTP/1 server on its own thread, for the beds written in Rust.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_rustls::TlsAcceptor;

use crate::error::{Context, Error, Result};

/// Body of a response; an error in it cuts the connection.
pub(crate) type Answer = UnsyncBoxBody<Bytes, std::io::Error>;

/// The handler's decision.
pub(crate) enum Outcome {
    /// Send this response.
    Answer(http::Response<Answer>),
    /// Reset the connection.
    Reset,
}

/// A runtime that closes all its sockets when it is dropped.
pub(crate) struct Server {
    _runtime: Stop,
    address: SocketAddr,
    is_tls: bool,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish()
    }
}

impl Server {
    /// Passes every accepted connection to `serve`.
    pub(crate) fn tcp<F, S>(serve: S) -> Result<Server>
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let what = || "cannot start a server".to_owned();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().thread_name("testkit-server").build();
        let runtime = runtime.context(what)?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).context(what)?;
        let address = listener.local_addr().context(what)?;
        runtime.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        stream.set_nodelay(true).ok();
                        tokio::spawn(serve(stream));
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        Ok(Server { _runtime: Stop(Some(runtime)), address, is_tls: false })
    }

    /// Passes every request to `handle`; over TLS if there is a certificate.
    pub(crate) fn http<F, H>(tls: Option<TlsAcceptor>, handle: H) -> Result<Server>
    where
        H: Fn(http::Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let handle = Arc::new(handle);
        let is_tls = tls.is_some();
        let server = Server::tcp(move |stream| {
            let (handle, tls) = (Arc::clone(&handle), tls.clone());
            async move {
                let Ok(stream) = stream.into_std() else { return };
                let Ok(twin) = stream.try_clone() else { return };
                let Ok(stream) = TcpStream::from_std(stream) else { return };
                match tls {
                    None => serve(stream, &twin, &*handle).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, &twin, &*handle).await;
                        }
                    }
                }
            }
        })?;
        Ok(Server { is_tls, ..server })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.address)
    }
}

/// A runtime that is stopped with its server.
struct Stop(Option<Runtime>);

impl Drop for Stop {
    fn drop(&mut self) {
        // On another thread, because a test may drop a server within its own runtime. The tasks end where they wait, so
        // this takes no time. Detached threads that end at this moment would crash (see `indago_table::spawn_detached`).
        if let Some(runtime) = self.0.take() {
            thread::spawn(move || drop(runtime)).join().ok();
        }
    }
}

/// The certificates of a PEM file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    all.map_err(|error| Error::Other(format!("cannot use {}: {error}", path.display())))
}

/// A server's certificate and key, in PEM files.
pub(crate) fn tls(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let what = |error| Error::Other(format!("cannot use {}: {error}", certificate.display()));
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| what(error.to_string()))?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    Ok(TlsAcceptor::from(Arc::new(config.map_err(|error| what(error.to_string()))?)))
}

async fn serve<S, F, H>(stream: S, twin: &std::net::TcpStream, handle: &H)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(http::Request<Incoming>) -> F,
    F: Future<Output = Outcome>,
{
    let service = service_fn(|request| {
        let answer = handle(request);
        async move {
            match answer.await {
                Outcome::Answer(answer) => Ok(answer),
                Outcome::Reset => {
                    // Closing a socket that may not linger sends RST.
                    rustix::net::sockopt::set_socket_linger(twin, Some(Duration::ZERO)).ok();
                    Err(std::io::Error::other("reset"))
                }
            }
        }
    });
    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
}

pub(crate) fn full(data: impl Into<Bytes>) -> Answer {
    Full::new(data.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// A body with these bytes, after which the connection breaks.
pub(crate) fn cut(data: Bytes) -> Answer {
    Cut { data: Some(data), wait: None }.boxed_unsync()
}

/// Another body, of which only some bytes are passed on before the connection breaks, each part with a delay.
pub(crate) fn passing(body: Incoming, keep: usize, lag: Duration) -> Answer {
    Passing { body, left: keep, lag, waits: None }.boxed_unsync()
}

struct Passing {
    body: Incoming,
    /// Bytes until the connection breaks.
    left: usize,
    lag: Duration,
    /// A part that waits; `None` for the end.
    waits: Option<(Pin<Box<tokio::time::Sleep>>, Option<Bytes>)>,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        loop {
            if let Some((time, data)) = &mut self.waits {
                task::ready!(time.as_mut().poll(context));
                let data = data.take();
                self.waits = None;
                let broken = || std::io::Error::other("cut off");
                return Poll::Ready(Some(data.map(Frame::data).ok_or_else(broken)));
            }
            if self.left == 0 {
                // An immediate error would keep hyper from sending the bytes.
                self.waits = Some((Box::pin(tokio::time::sleep(Duration::from_millis(50))), None));
                continue;
            }
            let frame = task::ready!(Pin::new(&mut self.body).poll_frame(context));
            let mut data = match frame {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(std::io::Error::other(error)))),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            data.truncate(self.left);
            self.left -= data.len();
            if self.lag.is_zero() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            self.waits = Some((Box::pin(tokio::time::sleep(self.lag)), Some(data)));
        }
    }
}

/// A body of these parts, and then of those that arrive. It ends with its sender.
pub(crate) fn growing(parts: Vec<Bytes>, later: UnboundedReceiver<Bytes>) -> Answer {
    Growing { parts: parts.into_iter(), later }.boxed_unsync()
}

struct Growing {
    parts: std::vec::IntoIter<Bytes>,
    later: UnboundedReceiver<Bytes>,
}

impl Body for Growing {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        match self.parts.next() {
            Some(part) => Poll::Ready(Some(Ok(Frame::data(part)))),
            None => self.later.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part)))),
        }
    }
}

struct Cut {
    data: Option<Bytes>,
    wait: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Body for Cut {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        // An immediate error would keep hyper from sending the bytes.
        let wait = self.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(50))));
        task::ready!(wait.as_mut().poll(context));
        Poll::Ready(Some(Err(std::io::Error::other("cut off"))))
    }
}
