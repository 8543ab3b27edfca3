//! A file that is read at positions, for databases and archives of any size.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use indago_table::prelude::*;
use indago_table::sys::SysFile;

/// Most bytes of one value in a database or archive.
pub(crate) const MOST_OF_VALUE: u64 = 64 << 20;

/// An open file of known length.
#[derive(Debug)]
pub(crate) struct Positioned {
    sys: Sys,
    file: SysFile,
    pub(crate) path: String,
    pub(crate) length: u64,
}

impl Positioned {
    pub(crate) fn open(sys: &Sys, path: impl AsRef<Path>) -> Result<Self> {
        let file = sys.open(&path)?;
        let path = path.as_ref().display().to_string();
        let metadata = file.metadata().map_err(|error| Error::io(&*path, &error))?;
        Ok(Positioned { sys: sys.clone(), file, path, length: metadata.len() })
    }

    /// Bytes at a position. A range that is not in the file is malformed, and nothing is allocated for it.
    pub(crate) fn read(&self, at: u64, count: u64) -> Result<Vec<u8>> {
        self.sys.check_cancelled()?;
        if count > MOST_OF_VALUE || at.checked_add(count).is_none_or(|end| end > self.length) {
            return Err(self.malformed(format_args!("{count} bytes at {at} are not in the file")));
        }
        let mut bytes = vec![0; count as usize];
        self.file.as_file().read_exact_at(&mut bytes, at).map_err(|error| Error::io(&*self.path, &error))?;
        self.sys.meter().add_bytes(count);
        Ok(bytes)
    }

    /// An error with the file's name.
    pub(crate) fn malformed(&self, what: impl std::fmt::Display) -> Error {
        Error::Malformed(format!("{}: {what}", self.path))
    }
}

/// A big-endian number of up to four bytes.
pub(crate) fn be(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// A little-endian number of up to four bytes.
pub(crate) fn le(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}
