//! Opening files: regular ones of a bounded size, and only those that nobody else could have written.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{OFlags, StatVfsMountFlags, fstatvfs, statvfs};

/// Largest file that a configuration, a pack or a query is read from.
const LARGEST: u64 = 4 << 20;

/// Reads a text file. Anything but a regular file of at most 4 MiB is an error that says why.
pub fn read_text(file: &Path) -> Result<String, String> {
    text_of(&open(file)?.0)
}

/// Reads a text file that nobody but the reader and root can write or replace: what it says decides which files are read
/// and which programs run.
pub(crate) fn read_trusted(file: &Path) -> Result<String, ReadError> {
    // Links are followed once, here; the folders on the way are then looked at from the root down, so that whatever was
    // checked cannot be replaced any more.
    let real = file.canonicalize().map_err(|error| ReadError::Unreadable(error.to_string()))?;
    let reader = rustix::process::geteuid().as_raw();
    for folder in real.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
        let metadata = folder.symlink_metadata().map_err(|error| ReadError::Unreadable(error.to_string()))?;
        let read_only = || statvfs(folder).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY));
        check(&metadata, reader, read_only).map_err(|fault| ReadError::untrusted("its folder ", folder, &fault))?;
    }
    let (opened, metadata) = open(&real).map_err(ReadError::Unreadable)?;
    let read_only = || fstatvfs(&opened).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY));
    check(&metadata, reader, read_only).map_err(|fault| ReadError::untrusted("", &real, &fault))?;
    text_of(&opened).map_err(ReadError::Unreadable)
}

/// Why a file is not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It cannot be read.
    Unreadable(String),
    /// Somebody else can write it.
    Untrusted(String),
}

impl ReadError {
    fn untrusted(what: &str, path: &Path, fault: &Fault) -> Self {
        let path = path.display();
        Self::Untrusted(match fault {
            Fault::Owner(owner) => format!(
                "{what}{path} belongs to user {owner}, who is neither you nor root; use a copy of your own, or `chown` it"
            ),
            Fault::Mode(mode) => format!("other users can write {what}{path} (mode {mode:04o}); `chmod go-w {path}`"),
        })
    }
}

/// Who else can write it.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Owner(u32),
    Mode(u32),
}

/// Whether only the reader and root can write a file, or replace what is in a folder.
fn check(metadata: &Metadata, reader: u32, read_only: impl Fn() -> bool) -> Result<(), Fault> {
    if metadata.uid() != 0 && metadata.uid() != reader {
        return Err(Fault::Owner(metadata.uid()));
    }
    let mode = metadata.mode() & 0o7777;
    // In a folder such as /tmp only the owner of a file can replace it. Bits of an ACL show up as those of the group.
    let is_sticky = metadata.is_dir() && mode & 0o1000 != 0;
    if mode & 0o022 != 0 && !is_sticky && !read_only() { Err(Fault::Mode(mode)) } else { Ok(()) }
}

/// Opens a regular file; a FIFO does not block, a device is not read.
fn open(file: &Path) -> Result<(File, Metadata), String> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(file).map_err(|error| error.to_string())?;
    let metadata = opened.metadata().map_err(|error| error.to_string())?;
    if metadata.is_dir() {
        return Err("it is a folder; name a file".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    Ok((opened, metadata))
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

    /// A file of one's own in a folder of one's own.
    fn file(folder: &Path) -> PathBuf {
        let file = folder.join("indago.toml");
        std::fs::write(&file, "x").expect("written");
        file
    }

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    }

    fn refused(path: &Path) -> String {
        match read_trusted(path) {
            Err(ReadError::Untrusted(reason)) => reason,
            other => panic!("{}: {other:?}", path.display()),
        }
    }

    #[test]
    fn what_others_can_write_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(folder.path());
        assert_eq!(read_trusted(&file).expect("it is ours"), "x");
        for others in [0o620, 0o602, 0o666] {
            mode(&file, others);
            let reason = refused(&file);
            let advice = format!("`chmod go-w {}`", file.display());
            assert!(reason.contains(&format!("mode {others:04o}")) && reason.contains(&advice), "{reason}");
        }
        mode(&file, 0o644);
        read_trusted(&file).expect("others may read it");
    }

    #[test]
    fn what_others_can_replace_is_refused() {
        let outer = tempfile::tempdir().expect("a folder");
        let inner = outer.path().join("inner");
        std::fs::create_dir(&inner).expect("created");
        let file = file(&inner);
        for folder in [&inner, outer.path()] {
            for others in [0o777, 0o770, 0o730] {
                mode(folder, others);
                let reason = refused(&file);
                assert!(reason.contains(&format!("its folder {} (mode {others:04o})", folder.display())), "{reason}");
            }
            mode(folder, 0o1777);
            read_trusted(&file).expect("with the sticky bit nobody else replaces it");
            mode(folder, 0o755);
        }
    }

    #[test]
    fn a_link_leads_to_the_file_that_counts() {
        let trusted = tempfile::tempdir().expect("a folder");
        let open = tempfile::tempdir().expect("a folder");
        let (good, link) = (file(trusted.path()), open.path().join("link.toml"));
        std::os::unix::fs::symlink(&good, &link).expect("created");
        mode(open.path(), 0o777);
        assert_eq!(read_trusted(&link).expect("the file itself is ours"), "x");
        let (bad, link) = (file(open.path()), trusted.path().join("link.toml"));
        std::os::unix::fs::symlink(&bad, &link).expect("created");
        assert!(refused(&link).contains(&open.path().display().to_string()));
    }

    #[test]
    fn owners_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let metadata = file(folder.path()).metadata().expect("there");
        let own = metadata.uid();
        assert_eq!(check(&metadata, own, || false), Ok(()));
        let expected = if own == 0 { Ok(()) } else { Err(Fault::Owner(own)) };
        assert_eq!(check(&metadata, own + 1, || false), expected, "root is trusted, another user is not");
        let reason = match ReadError::untrusted("", Path::new("/c.toml"), &Fault::Owner(1000)) {
            ReadError::Untrusted(reason) | ReadError::Unreadable(reason) => reason,
        };
        assert!(reason.starts_with("/c.toml belongs to user 1000, who is neither you nor root"), "{reason}");
    }

    #[test]
    fn nobody_writes_on_a_read_only_mount() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(folder.path());
        mode(&file, 0o666);
        let metadata = file.metadata().expect("there");
        assert_eq!(check(&metadata, metadata.uid(), || true), Ok(()));
        assert_eq!(check(&metadata, metadata.uid(), || false), Err(Fault::Mode(0o666)));
    }

    #[test]
    fn only_regular_files_of_a_sane_size_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs");
        assert!(made.success());
        assert_eq!(read_text(&fifo).expect_err("a FIFO"), "it is not a regular file");
        assert_eq!(read_text(Path::new("/dev/zero")).expect_err("a device"), "it is not a regular file");
        assert_eq!(read_text(folder.path()).expect_err("a folder"), "it is a folder; name a file");
        let large = folder.path().join("large");
        File::create(&large).and_then(|file| file.set_len(LARGEST + 1)).expect("a file of holes");
        assert_eq!(read_text(&large).expect_err("large"), "it is larger than 4 MiB");
        std::fs::write(&large, b"a\xff").expect("written");
        assert_eq!(read_text(&large).expect_err("not text"), "not UTF-8 text (byte 2 is not)");
        assert!(read_text(&folder.path().join("none")).expect_err("absent").contains("No such file"));
    }
}
