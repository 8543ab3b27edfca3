//! An HTTP/1 server on a thread of its own, for the beds that are Rust.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::error::{Context, Result};

/// Body of every answer; an error in it breaks the connection off.
pub(crate) type Answer = UnsyncBoxBody<Bytes, std::io::Error>;

/// What the handler wants done.
pub(crate) enum Outcome {
    /// Send this.
    Answer(http::Response<Answer>),
    /// Reset the connection.
    Reset,
}

/// A runtime whose end closes every socket on it.
pub(crate) struct Server {
    runtime: Option<Runtime>,
    address: SocketAddr,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish()
    }
}

impl Server {
    /// Hands every accepted connection to `serve`.
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
        Ok(Server { runtime: Some(runtime), address })
    }

    /// Answers every request with `handle`.
    pub(crate) fn http<F, H>(handle: H) -> Result<Server>
    where
        H: Fn(http::Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let handle = Arc::new(handle);
        Server::tcp(move |stream| {
            let handle = Arc::clone(&handle);
            async move {
                let Ok(stream) = stream.into_std() else { return };
                let Ok(twin) = stream.try_clone() else { return };
                let Ok(stream) = TcpStream::from_std(stream) else { return };
                let service = service_fn(|request| {
                    let answer = handle(request);
                    let twin = &twin;
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
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Does not block, so that a test may drop a server within its own runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) fn full(data: impl Into<Bytes>) -> Answer {
    Full::new(data.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// These bytes, then the connection breaks.
pub(crate) fn cut(data: Bytes) -> Answer {
    Cut { data: Some(data), wait: None }.boxed_unsync()
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
        // An error right away would keep hyper from sending what it has.
        let wait = self.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(50))));
        task::ready!(wait.as_mut().poll(context));
        Poll::Ready(Some(Err(std::io::Error::other("cut off"))))
    }
}
