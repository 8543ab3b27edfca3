//! Appends lines to a file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::{DaemonError, Result};

/// Opens the file again for each write, so it follows log rotation. Writes are serialized.
#[derive(Debug)]
pub(crate) struct Appender {
    file: PathBuf,
    /// Whether a write waits until its lines are on disk.
    durable: bool,
    turn: Mutex<()>,
}

impl Appender {
    /// Fails if the file cannot be written.
    pub(crate) fn new(file: &Path, durable: bool) -> Result<Self> {
        let appender = Self { file: file.to_owned(), durable, turn: Mutex::new(()) };
        appender.open()?;
        Ok(appender)
    }

    fn wrong(file: &Path, error: &std::io::Error) -> DaemonError {
        DaemonError::Log { file: file.to_owned(), reason: error.to_string() }
    }

    fn open(&self) -> Result<File> {
        use std::os::unix::fs::OpenOptionsExt;
        // Rows may contain data that only root may read.
        let options = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.file);
        options.map_err(|error| Self::wrong(&self.file, &error))
    }

    /// Appends complete lines: all of them or none.
    pub(crate) fn append(&self, lines: &[u8]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = self.open()?;
        let length = file.metadata().map_err(|error| Self::wrong(&self.file, &error))?.len();
        file.write_all(lines).map_err(|error| {
            // If the disk is full, a partial line must not stay: the next line would continue it.
            let _ = file.set_len(length);
            Self::wrong(&self.file, &error)
        })?;
        if self.durable {
            self.sync(&file, length == 0).map_err(|error| Self::wrong(&self.file, &error))
        } else {
            Ok(())
        }
    }

    /// Waits until the lines, and the directory entry of a new file, are on disk.
    fn sync(&self, file: &File, new: bool) -> std::io::Result<()> {
        match file.sync_data() {
            // Pipes and devices cannot be synced.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => return Ok(()),
            done => done?,
        }
        if new {
            let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_and_notices_rotation() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("log/results.log");
        assert!(Appender::new(&file, true).is_err(), "the directory may be mistyped");
        std::fs::create_dir(folder.path().join("log")).expect("created");
        let appender = Appender::new(&file, true).expect("created");
        appender.append(b"one\n").expect("written");
        std::fs::rename(&file, folder.path().join("log/results.log.1")).expect("rotated");
        appender.append(b"two\n").expect("written");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), "two\n");
        let blocked = folder.path().join("log/results.log.1/under-a-file");
        assert!(Appender::new(&blocked, true).expect_err("not a directory").to_string().starts_with("cannot write "));
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let full = Path::new("/dev/full");
        if full.exists() {
            let appender = Appender { file: full.to_owned(), durable: true, turn: Mutex::new(()) };
            assert!(appender.append(b"one\n").is_err());
        }
    }

    #[test]
    fn what_cannot_be_synced_is_written_all_the_same() {
        let appender = Appender { file: "/dev/null".into(), durable: true, turn: Mutex::new(()) };
        appender.append(b"one\n").expect("a device takes it");
    }
}
