//! An object store that fails.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens from the operation with a number on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The process was killed: nothing happens any more.
    Killed,
    /// The operation happens, its response is lost, and nothing happens any more.
    KilledAfter,
    /// One operation fails.
    Once,
    /// One operation happens, and its response is lost.
    LostOnce,
    /// Writes fail: the disk is full.
    Full,
    /// Every operation takes so many milliseconds.
    Slow(u64),
}

#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    fault: Fault,
    at: u64,
    pub(crate) count: AtomicU64,
    pub(crate) reads: AtomicU64,
    /// Which operations are throttled: none (0), all (1), or every second one (2).
    pub(crate) throttled: AtomicU64,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, fault: Fault, at: u64) -> Arc<Self> {
        Arc::new(Faulty {
            inner,
            fault,
            at,
            count: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
        })
    }

    /// Runs an operation. `Ok(true)`: its response is lost.
    async fn before(&self, is_write: bool) -> Result<bool> {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let failed = |text: &'static str| Error::Generic { store: "faulty", source: text.into() };
        if self.is_throttled(number) {
            return Err(failed("503 Slow Down"));
        }
        match self.fault {
            Fault::Slow(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
            Fault::Killed if number >= self.at => return Err(failed("killed")),
            Fault::KilledAfter if number == self.at => return Ok(true),
            Fault::KilledAfter if number > self.at => return Err(failed("killed")),
            Fault::Once if number == self.at => return Err(failed("throttled")),
            Fault::LostOnce if number == self.at => return Ok(true),
            Fault::Full if number >= self.at && is_write => {
                let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
                return Err(Error::Generic { store: "faulty", source: source.into() });
            }
            _ => {}
        }
        Ok(false)
    }

    fn is_throttled(&self, number: u64) -> bool {
        match self.throttled.load(Ordering::SeqCst) {
            0 => false,
            1 => true,
            every => number.is_multiple_of(every),
        }
    }

    /// Counts an operation whose result is a stream. Returns whether it fails.
    fn fails(&self) -> bool {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            _ if self.is_throttled(number) => true,
            Fault::Killed | Fault::KilledAfter => number >= self.at,
            Fault::Once => number == self.at,
            _ => false,
        }
    }

    fn after<T>(is_lost: bool, result: Result<T>) -> Result<T> {
        match is_lost {
            true => Err(Error::Generic { store: "faulty", source: "the response is lost".into() }),
            false => result,
        }
    }
}

fn failed_stream<T: Send + 'static>() -> BoxStream<'static, Result<T>> {
    futures::stream::once(async { Err(Error::Generic { store: "faulty", source: "killed".into() }) }).boxed()
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let is_lost = self.before(true).await?;
        Self::after(is_lost, self.inner.put_opts(location, payload, options).await)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let is_lost = self.before(false).await?;
        self.reads.fetch_add(1, Ordering::SeqCst);
        Self::after(is_lost, self.inner.get_opts(location, options).await)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let is_lost = self.before(false).await?;
        self.reads.fetch_add(1, Ordering::SeqCst);
        Self::after(is_lost, self.inner.get_ranges(location, ranges).await)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        // Deletions are counted when the stream is made: each of ours has one object.
        match self.fails() {
            true => failed_stream(),
            false => self.inner.delete_stream(locations),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fails() {
            true => failed_stream(),
            false => self.inner.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let is_lost = self.before(false).await?;
        Self::after(is_lost, self.inner.list_with_delimiter(prefix).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
