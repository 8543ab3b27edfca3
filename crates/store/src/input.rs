//! The bytes of a Parquet file, as the Parquet reader gets them.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use indago_table::{Environment, Error, Meter, Result, Sys};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parking_lot::Mutex;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

/// Bytes at the end of an object that are read first: its metadata and most of its page index.
const END: u64 = 64 << 10;

/// The place of a Parquet file.
#[derive(Clone)]
pub(crate) enum Contents {
    File(PathBuf),
    Memory(String, Bytes),
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contents::File(path) => write!(f, "{}", path.display()),
            Contents::Memory(name, _) => write!(f, "{name}.parquet (embedded)"),
        }
    }
}

impl Contents {
    /// The table that the file is named after.
    pub(crate) fn table(&self) -> Option<Cow<'_, str>> {
        match self {
            Contents::File(path) => path.file_stem().map(|name| name.to_string_lossy()),
            Contents::Memory(name, _) => Some(name.into()),
        }
    }
}

/// An open Parquet file. Clones can read it concurrently: each read states its position.
#[derive(Clone)]
pub(crate) struct Input {
    source: Source,
    length: u64,
    /// Counts the bytes that are read.
    meter: Arc<Meter>,
}

#[derive(Clone)]
enum Source {
    File(Arc<File>),
    Memory(Bytes),
    Object(Arc<Object>),
}

/// An object of an object store. It is read in a blocking thread.
pub(crate) struct Object {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    pub(crate) runtime: Handle,
    /// Parts that were read ahead, by their position.
    ahead: Mutex<Vec<(u64, Bytes)>>,
    /// Why the object store could not be read. The Parquet reader's own error does not distinguish this from damage.
    failure: Mutex<Option<object_store::Error>>,
}

impl Object {
    /// The bytes from a position on that were read ahead.
    fn ahead(&self, start: u64) -> Option<Bytes> {
        let ahead = self.ahead.lock();
        let rest = |(from, bytes): &(u64, Bytes)| {
            let at = usize::try_from(start.checked_sub(*from)?).ok()?;
            (at < bytes.len()).then(|| bytes.slice(at..))
        };
        ahead.iter().filter_map(rest).max_by_key(Bytes::len)
    }

    fn has(&self, range: &Range<u64>) -> bool {
        self.ahead(range.start).is_some_and(|bytes| bytes.len() as u64 >= range.end - range.start)
    }

    fn failed(&self, error: object_store::Error) -> io::Error {
        let message = io::Error::other(error.to_string());
        self.failure.lock().get_or_insert(error);
        message
    }

    /// Some bytes at a position.
    fn read(&self, start: u64, length: u64, meter: &Meter) -> io::Result<Bytes> {
        if let Some(bytes) = self.ahead(start).filter(|bytes| bytes.len() as u64 >= length) {
            return Ok(bytes.slice(..length as usize));
        }
        let read = self.runtime.block_on(self.store.get_range(&self.path, start..start + length));
        let bytes = read.map_err(|error| self.failed(error))?;
        meter.add_bytes(bytes.len() as u64);
        meter.add_calls(1);
        Ok(bytes)
    }
}

impl Input {
    /// An object of a known length.
    pub(crate) fn of_object(
        store: Arc<dyn ObjectStore>,
        path: Path,
        runtime: Handle,
        length: u64,
        meter: &Arc<Meter>,
    ) -> Self {
        let object = Object { store, path, runtime, ahead: Mutex::default(), failure: Mutex::default() };
        Input { source: Source::Object(Arc::new(object)), length, meter: meter.clone() }
    }

    /// Reads the end of an object, which has its metadata.
    pub(crate) fn read_end(&self) -> io::Result<()> {
        self.read_ahead(std::slice::from_ref(&(self.length.saturating_sub(END)..self.length)))
    }

    /// Reads parts of an object with as few requests as its store needs. They replace the parts that were read before.
    pub(crate) fn read_ahead(&self, ranges: &[Range<u64>]) -> io::Result<()> {
        let Source::Object(object) = &self.source else { return Ok(()) };
        if self.meter.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        // A damaged file may state any position.
        if ranges.iter().any(|range| range.start > range.end || range.end > self.length) {
            return Err(io::Error::other("parts of it are not in the file"));
        }
        if ranges.iter().all(|range| object.has(range)) {
            return Ok(());
        }
        let read = object.runtime.block_on(object.store.get_ranges(&object.path, ranges));
        let read = read.map_err(|error| object.failed(error))?;
        self.meter.add_bytes(read.iter().map(|bytes| bytes.len() as u64).sum());
        self.meter.add_calls(1);
        let parts = ranges.iter().map(|range| range.start).zip(read).collect();
        *object.ahead.lock() = parts;
        Ok(())
    }

    /// Why the object store could not be read, if that is the cause of an error.
    pub(crate) fn failure(&self) -> Option<object_store::Error> {
        let Source::Object(object) = &self.source else { return None };
        object.failure.lock().take()
    }

    /// Opens a regular file.
    pub(crate) fn open(contents: &Contents, meter: &Arc<Meter>) -> Result<Self> {
        let (source, length) = match contents {
            Contents::File(path) => {
                let failed = |error| Error::io(path.display().to_string(), &error);
                let file = Sys::live().for_scan(meter).open(path)?;
                let file = file.as_file().try_clone().map_err(failed)?;
                let length = file.metadata().map_err(failed)?.len();
                (Source::File(Arc::new(file)), length)
            }
            Contents::Memory(_, bytes) => (Source::Memory(bytes.clone()), bytes.len() as u64),
        };
        Ok(Input { source, length, meter: meter.clone() })
    }

    /// Reads some bytes at a position; none at the end.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        if self.meter.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let count = match &self.source {
            Source::File(file) => file.read_at(buffer, position)?,
            Source::Memory(bytes) => {
                let start = usize::try_from(position).map_or(bytes.len(), |start| start.min(bytes.len()));
                (&bytes[start..]).read(buffer)?
            }
            Source::Object(object) => {
                let left = self.length.saturating_sub(position);
                // The reader of a page header requests more than it needs.
                let bytes = match object.ahead(position) {
                    Some(bytes) => bytes,
                    None => object.read(position, left.min(buffer.len() as u64), &self.meter)?,
                };
                let count = bytes.len().min(buffer.len());
                buffer[..count].copy_from_slice(&bytes[..count]);
                return Ok(count);
            }
        };
        self.meter.add_bytes(count as u64);
        Ok(count)
    }

    fn from(&self, start: u64) -> Rest {
        Rest { input: self.clone(), position: start }
    }
}

/// The bytes of a file from a position.
pub(crate) struct Rest {
    input: Input,
    position: u64,
}

impl Read for Rest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Length for Input {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Input {
    type T = BufReader<Rest>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        // The Parquet reader reads the headers of pages this way, and their contents with `get_bytes`.
        Ok(BufReader::with_capacity(1 << 10, self.from(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        // A damaged file may state any length. No memory is allocated for bytes that the file does not have.
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} are not in the file")));
        }
        if let Source::Object(object) = &self.source {
            return Ok(object.read(start, length as u64, &self.meter)?);
        }
        let mut bytes = vec![0; length];
        self.from(start).read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}
