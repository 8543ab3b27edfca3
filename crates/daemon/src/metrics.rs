//! Metrics in Prometheus' text format, on a Unix socket or a loopback address.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use indago::config::Listen;
use indago::packs::{QueryState, ScheduleEntry, ScheduleTable};
use indago::store::{Progress, TableProgress};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::error::{DaemonError, Result};
use crate::status::unix_time;

/// Connections that are served concurrently. Others are closed.
const MOST_CONNECTIONS: usize = 8;

/// Size of a request's head, which includes its headers.
const LARGEST_REQUEST: usize = 8 << 10;

/// Time that a connection has.
const LONGEST_CONNECTION: Duration = Duration::from_secs(10);

/// What the metrics show.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) table: ScheduleTable,
    /// When the daemon started, in Unix seconds.
    pub(crate) started: i64,
    /// Requests to read the configuration again.
    pub(crate) reloads: AtomicU64,
    pub(crate) failed_reloads: AtomicU64,
    /// When the configuration in use was read, in Unix seconds.
    pub(crate) configured: AtomicI64,
    /// Whether the last attempt to read the configuration failed.
    pub(crate) is_outdated: AtomicBool,
    /// Number of queries that cannot be planned.
    pub(crate) invalid: AtomicU64,
    /// The readings of the recorder.
    recorder: Mutex<Option<Progress>>,
}

impl Shown {
    pub(crate) fn new(table: ScheduleTable) -> Self {
        let started = unix_time();
        Self {
            table,
            started,
            reloads: AtomicU64::new(0),
            failed_reloads: AtomicU64::new(0),
            configured: AtomicI64::new(started),
            is_outdated: AtomicBool::new(false),
            invalid: AtomicU64::new(0),
            recorder: Mutex::default(),
        }
    }

    /// Shows the readings of a recorder, or none.
    pub(crate) fn set_recorder(&self, recorder: Option<Progress>) {
        *self.recorder.lock().unwrap_or_else(PoisonError::into_inner) = recorder;
    }

    fn recorder(&self) -> Option<Progress> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A server of metrics. Dropping it stops the server.
#[derive(Debug)]
pub(crate) struct Metrics {
    task: JoinHandle<()>,
    pub(crate) address: Listen,
    /// Device and inode of the Unix socket.
    own: Option<(u64, u64)>,
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.task.abort();
        // Anything else at its path now belongs to somebody else.
        if let Listen::Unix(path) = &self.address
            && self.is_reachable()
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Metrics {
    /// Listens on an address.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn serve(address: &Listen, shown: Arc<Shown>) -> Result<Self> {
        let wrong =
            |error: std::io::Error| DaemonError::Metrics { address: address.clone(), reason: error.to_string() };
        let mut own = None;
        let task = match address {
            Listen::Unix(path) => {
                let listener = unix_listener(path).map_err(wrong)?;
                // The listener holds its inode, so no other file has this number.
                own = identity(path);
                tokio::spawn(admit_all(
                    move |context| listener.poll_accept(context).map_ok(|(stream, _)| stream),
                    shown,
                ))
            }
            Listen::Loopback(address) => {
                let listener = std::net::TcpListener::bind(address).map_err(wrong)?;
                listener.set_nonblocking(true).map_err(wrong)?;
                let listener = TcpListener::from_std(listener).map_err(wrong)?;
                tokio::spawn(admit_all(
                    move |context| listener.poll_accept(context).map_ok(|(stream, _)| stream),
                    shown,
                ))
            }
        };
        Ok(Self { task, address: address.clone(), own })
    }

    /// Whether clients can still reach it: its Unix socket is still at its path.
    pub(crate) fn is_reachable(&self) -> bool {
        match &self.address {
            Listen::Unix(path) => self.own.is_some() && identity(path) == self.own,
            Listen::Loopback(_) => true,
        }
    }
}

/// Device and inode of a file; of a link, not of its target.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// A listener on a socket that its owner and group can use. A socket of a daemon that was killed is replaced.
fn unix_listener(path: &Path) -> std::io::Result<UnixListener> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket {
        match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            _ => return Err(std::io::Error::other("another process listens on it")),
        }
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o660))?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Serves connections. Closes those that are too many.
async fn admit_all<S>(mut accept: impl FnMut(&mut Context<'_>) -> Poll<std::io::Result<S>>, shown: Arc<Shown>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(stream) = poll_fn(&mut accept).await else {
            // Without free file descriptors, every attempt fails at once.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        if let Ok(slot) = slots.clone().try_acquire_owned() {
            tokio::spawn(serve(stream, slot, shown.clone()));
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, _slot: OwnedSemaphorePermit, shown: Arc<Shown>) {
    let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(respond(&request, &shown))));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).max_buf_size(LARGEST_REQUEST).keep_alive(false);
    // A connection that ends early concerns only its client.
    let _ = tokio::time::timeout(LONGEST_CONNECTION, http.serve_connection(TokioIo::new(stream), service)).await;
}

fn respond<B>(request: &Request<B>, shown: &Shown) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, text(shown)),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "use GET\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "metrics are at /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A metric of each query: name, type, help, value.
type PerQuery = (&'static str, &'static str, &'static str, fn(&ScheduleEntry) -> Option<f64>);

fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

/// The value of a query that has run.
fn after_a_run(entry: &ScheduleEntry, value: impl Fn(&QueryState) -> f64) -> Option<f64> {
    entry.state.last_run.map(|_| value(&entry.state))
}

const PER_QUERY: [PerQuery; 12] = [
    ("indago_query_runs_total", "counter", "Runs of the query.", |entry| Some(entry.state.executions as f64)),
    ("indago_query_failures_total", "counter", "Runs that failed.", |entry| Some(entry.state.failures as f64)),
    ("indago_query_incomplete_total", "counter", "Runs that could not read everything.", |entry| {
        Some(entry.state.incomplete as f64)
    }),
    ("indago_query_duration_seconds_total", "counter", "Run time of all runs.", |entry| {
        Some(seconds(entry.state.wall_ms))
    }),
    ("indago_query_output_bytes_total", "counter", "Size of all rows.", |entry| Some(entry.state.output_bytes as f64)),
    ("indago_query_last_duration_seconds", "gauge", "Run time of the last run.", |entry| {
        after_a_run(entry, |state| seconds(state.last_wall_ms))
    }),
    ("indago_query_last_rows", "gauge", "Rows of the last run.", |entry| {
        after_a_run(entry, |state| state.last_rows as f64)
    }),
    ("indago_query_last_memory_bytes", "gauge", "Peak memory of the last run.", |entry| {
        after_a_run(entry, |state| state.last_memory_bytes as f64)
    }),
    ("indago_query_last_failed", "gauge", "1 if the last run failed.", |entry| {
        after_a_run(entry, |state| f64::from(u8::from(state.last_error.is_some())))
    }),
    ("indago_query_last_run_timestamp_seconds", "gauge", "Start of the last run.", |entry| {
        after_a_run(entry, |state| state.last_run.unwrap_or(0) as f64)
    }),
    ("indago_query_next_run_timestamp_seconds", "gauge", "Start of the next run.", |entry| {
        entry.next_run.map(|next| next as f64)
    }),
    ("indago_query_denylisted", "gauge", "1 if the query is skipped because it may have killed the daemon.", |entry| {
        Some(f64::from(u8::from(entry.state.denied_until.is_some())))
    }),
];

/// A metric of each recorded table: name, type, help, value.
type PerTable = (&'static str, &'static str, &'static str, fn(&TableProgress) -> f64);

const PER_TABLE: [PerTable; 6] = [
    ("indago_record_readings_total", "counter", "Readings of the table.", |table| table.readings as f64),
    ("indago_record_failures_total", "counter", "Readings that failed.", |table| table.failures as f64),
    ("indago_record_versions_total", "counter", "Versions of rows that were written.", |table| table.versions as f64),
    ("indago_record_rows", "gauge", "Rows of the last reading.", |table| table.last.rows as f64),
    ("indago_record_last_duration_seconds", "gauge", "Time of the last reading.", |table| {
        table.last.elapsed.as_secs_f64()
    }),
    ("indago_record_last_timestamp_seconds", "gauge", "When the table was last read.", |table| {
        table.last.at.map_or(0, |at| at.seconds()) as f64
    }),
];

/// All metrics.
fn text(shown: &Shown) -> String {
    let entries = shown.table.entries();
    let mut out = String::new();
    let head = |out: &mut String, name: &str, kind: &str, help: &str| {
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    };
    let failed = shown.failed_reloads.load(Ordering::Relaxed);
    let running = entries.iter().filter(|entry| entry.status == crate::runner::RUNNING).count();
    let of_the_daemon: [(&str, &str, &str, f64); 7] = [
        ("indago_start_time_seconds", "gauge", "When the daemon started.", shown.started as f64),
        ("indago_queries", "gauge", "Scheduled queries.", entries.len() as f64),
        ("indago_queries_running", "gauge", "Queries that are running.", running as f64),
        (
            "indago_queries_invalid",
            "gauge",
            "Queries that are not scheduled because they cannot be planned.",
            shown.invalid.load(Ordering::Relaxed) as f64,
        ),
        ("indago_config_reload_failures_total", "counter", "Reloads that failed.", failed as f64),
        (
            "indago_config_last_reload_successful",
            "gauge",
            "0 if the last reload failed, so that an earlier configuration is in use.",
            f64::from(u8::from(!shown.is_outdated.load(Ordering::Relaxed))),
        ),
        (
            "indago_config_last_reload_success_timestamp_seconds",
            "gauge",
            "When the configuration in use was read.",
            shown.configured.load(Ordering::Relaxed) as f64,
        ),
    ];
    head(&mut out, "indago_build_info", "gauge", "Version of the program.");
    let _ = writeln!(out, "indago_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    for (name, kind, help, value) in of_the_daemon {
        head(&mut out, name, kind, help);
        let _ = writeln!(out, "{name} {value}");
    }
    head(&mut out, "indago_config_reloads_total", "counter", "Requests to read the configuration again.");
    let _ = writeln!(out, "indago_config_reloads_total {}", shown.reloads.load(Ordering::Relaxed));
    for (name, kind, help, value) in PER_QUERY {
        head(&mut out, name, kind, help);
        for entry in &entries {
            if let Some(value) = value(entry) {
                let _ = writeln!(out, "{name}{{query=\"{}\"}} {value}", label(&entry.scheduled.name));
            }
        }
    }
    let recorded = shown.recorder().map(|recorder| recorder.tables()).unwrap_or_default();
    if !recorded.is_empty() {
        for (name, kind, help, value) in PER_TABLE {
            head(&mut out, name, kind, help);
            for (table, progress) in &recorded {
                let _ = writeln!(out, "{name}{{table=\"{}\"}} {}", label(table), value(progress));
            }
        }
    }
    out
}

/// A label's value, escaped.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The socket of an address, if it is a Unix socket.
pub(crate) fn socket(address: Option<&Listen>) -> Option<PathBuf> {
    match address {
        Some(Listen::Unix(path)) => Some(path.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn only_its_own_socket_is_removed_and_made_again() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("metrics.sock");
        let address = Listen::Unix(path.clone());
        let serve = || Metrics::serve(&address, Arc::new(Shown::new(ScheduleTable::default())));
        let first = serve().expect("a free path");
        assert!(first.is_reachable());
        std::fs::remove_file(&path).expect("removed by an administrator");
        assert!(!first.is_reachable());
        let second = serve().expect("a free path again");
        drop(first);
        assert!(
            second.is_reachable() && UnixStream::connect(&path).is_ok(),
            "the first one leaves the second one's socket"
        );
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "notes").expect("another file");
        drop(second);
        assert_eq!(std::fs::read_to_string(&path).expect("it is still there"), "notes");
        std::fs::remove_file(&path).expect("removed");
        drop(serve().expect("a free path"));
        assert!(!path.exists(), "its own socket is removed");
    }
}
