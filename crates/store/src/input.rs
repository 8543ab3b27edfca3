//! The bytes of a Parquet file, as the Parquet reader gets them.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use indago_table::{Environment, Error, Meter, Result, Sys};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

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
}

impl Input {
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
        let mut bytes = vec![0; length];
        self.from(start).read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}
