//! Opens files: only regular files of a limited size, and only if no other user can have written them.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use indago_table::Sys;
use rustix::fs::OFlags;

/// Largest file that a configuration, a pack or a query is read from.
const LARGEST: u64 = 4 << 20;

/// Reads a text file. Fails if it is not a regular file of at most 4 MiB.
pub fn read_text(file: &Path) -> Result<String, String> {
    text_of(&open(file)?)
}

/// Reads a text file that only the reader and root can write or replace, because it decides which files are read and
/// which programs run.
pub(crate) fn read_trusted(file: &Path) -> Result<String, ReadError> {
    let writer = Sys::live().other_writer(file).unwrap_or_else(|error| Some(error.to_string()));
    let text = read_text(file).map_err(ReadError::Unreadable)?;
    writer.map_or(Ok(text), |why| Err(ReadError::Untrusted(why)))
}

/// Why a file is not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The file cannot be read.
    Unreadable(String),
    /// Another user can write it.
    Untrusted(String),
}

/// Opens a regular file; a FIFO does not block, a device is not read.
fn open(file: &Path) -> Result<File, String> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(file).map_err(|error| error.to_string())?;
    let metadata = opened.metadata().map_err(|error| error.to_string())?;
    if metadata.is_dir() {
        return Err("it is a directory; name a file".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    Ok(opened)
}

fn text_of(file: &File) -> Result<String, String> {
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err("it is larger than 4 MiB".to_owned());
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("not UTF-8 text (byte {} is not)", error.utf8_error().valid_up_to() + 1))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    /// A file in its own directory.
    fn file(folder: &Path) -> PathBuf {
        let file = folder.join("indago.toml");
        std::fs::write(&file, "x").expect("written");
        file
    }

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("changed mode");
    }

    fn refused(path: &Path) -> String {
        match read_trusted(path) {
            Err(ReadError::Untrusted(reason)) => reason,
            other => panic!("{}: {other:?}", path.display()),
        }
    }

    #[test]
    fn what_others_can_write_or_replace_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(folder.path());
        assert_eq!(read_trusted(&file).expect("only we can write it"), "x");
        for (path, others, own) in [(&*file, 0o666, 0o644), (folder.path(), 0o777, 0o755)] {
            mode(path, others);
            let reason = refused(&file);
            let advice = format!("{} (mode {others:04o}); `chmod go-w {0}`", path.display());
            assert!(reason.ends_with(&advice), "{reason}");
            mode(path, own);
            read_trusted(&file).expect("others may read it");
        }
    }

    #[test]
    fn only_regular_files_of_a_sane_size_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs");
        assert!(made.success());
        assert_eq!(read_text(&fifo).expect_err("a FIFO"), "it is not a regular file");
        assert_eq!(read_text(Path::new("/dev/zero")).expect_err("a device"), "it is not a regular file");
        assert_eq!(read_text(folder.path()).expect_err("a folder"), "it is a directory; name a file");
        let large = folder.path().join("large");
        File::create(&large).and_then(|file| file.set_len(LARGEST + 1)).expect("a sparse file");
        assert_eq!(read_text(&large).expect_err("large"), "it is larger than 4 MiB");
        std::fs::write(&large, b"a\xff").expect("written");
        assert_eq!(read_text(&large).expect_err("not text"), "not UTF-8 text (byte 2 is not)");
        assert!(read_text(&folder.path().join("none")).expect_err("absent").contains("No such file"));
    }
}
