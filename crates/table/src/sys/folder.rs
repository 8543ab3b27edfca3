//! Open directories: their entries are read without looking up a path again.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rustix::fs::FileType as Kind;

use super::{Sys, inside};
use crate::error::Result;

/// An open directory of a [`Sys`]. Anything read through it is in that directory, even if its name is replaced.
#[derive(Debug)]
pub struct Folder {
    sys: Sys,
    path: PathBuf,
    held: OwnedFd,
}

/// An entry of a directory: its name, and its kind as far as the directory lists it. A link is a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// Its kind; `None` if the file system does not list kinds.
    pub kind: Option<Kind>,
}

impl Sys {
    /// Opens a directory for reading its entries; follows links.
    pub fn folder(&self, path: impl AsRef<Path>) -> Result<Folder> {
        let path = path.as_ref();
        let held = self.hold(path)?;
        let held = self.ask(path, || inside::readable(held.as_fd(), OsStr::new(".")))?;
        Ok(Folder { sys: self.clone(), path: path.to_owned(), held })
    }

    /// Facts of a file or link.
    pub fn stat(&self, path: impl AsRef<Path>) -> Result<Stat> {
        Ok(Stat::from(&self.symlink_metadata(path)?))
    }
}

impl Folder {
    /// Its path on the machine.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its entries, in no order, up to the first error.
    pub fn entries(&self) -> Result<(Vec<Entry>, Option<crate::Error>)> {
        let mut entries = Vec::new();
        self.sys.check_cancelled()?;
        self.sys.meter().add_calls(1);
        let outcome = inside::entries(self.held.as_fd(), |name, kind| entries.push(Entry { name, kind }));
        Ok((entries, outcome.err().map(|error| crate::Error::io(self.path.display().to_string(), &error))))
    }

    /// Opens a directory in it. A link is not followed: it is not a directory.
    pub fn folder(&self, name: &OsStr) -> Result<Folder> {
        let path = self.path.join(name);
        let held = self.sys.ask(&path, || inside::readable(self.held.as_fd(), name))?;
        Ok(Folder { sys: self.sys.clone(), path, held })
    }

    /// Facts of an entry; of a link itself.
    pub fn stat(&self, name: &OsStr) -> Result<Stat> {
        self.sys.check_cancelled()?;
        self.sys.meter().add_calls(1);
        let found = inside::stat_at(self.held.as_fd(), name);
        found.map_err(|error| crate::Error::io(self.path.join(name).display().to_string(), &error))
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }
}

/// Facts of a file that the file system keeps. Times are seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stat {
    /// Kind and permission bits.
    pub mode: u32,
    /// Inode number.
    pub inode: u64,
    /// Number of hard links.
    pub links: u64,
    /// ID of the owning user.
    pub uid: u32,
    /// ID of the owning group.
    pub gid: u32,
    /// The device that a device file represents.
    pub device: u64,
    /// Size in bytes.
    pub size: u64,
    /// Block size for input and output.
    pub block_size: u64,
    /// Allocated storage, in blocks of 512 bytes.
    pub blocks: u64,
    /// Last access.
    pub accessed: i64,
    /// Last change of content.
    pub modified: i64,
    /// Last change of content, owner, mode or name.
    pub changed: i64,
    /// Creation, if the file system records it.
    pub created: Option<i64>,
}

impl Stat {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        Kind::from_raw_mode(self.mode as rustix::fs::RawMode)
    }
}

impl From<&Metadata> for Stat {
    fn from(metadata: &Metadata) -> Self {
        let seconds = |time: std::time::SystemTime| match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
        };
        Stat {
            mode: metadata.mode(),
            inode: metadata.ino(),
            links: metadata.nlink(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            device: metadata.rdev(),
            size: metadata.size(),
            block_size: metadata.blksize(),
            blocks: metadata.blocks(),
            accessed: metadata.atime(),
            modified: metadata.mtime(),
            changed: metadata.ctime(),
            created: metadata.created().ok().map(seconds),
        }
    }
}

#[cfg(target_os = "linux")]
impl From<rustix::fs::Statx> for Stat {
    fn from(found: rustix::fs::Statx) -> Self {
        let has_birth = found.stx_mask & rustix::fs::StatxFlags::BTIME.bits() != 0;
        Stat {
            mode: found.stx_mode.into(),
            inode: found.stx_ino,
            links: found.stx_nlink.into(),
            uid: found.stx_uid,
            gid: found.stx_gid,
            device: rustix::fs::makedev(found.stx_rdev_major, found.stx_rdev_minor),
            size: found.stx_size,
            block_size: found.stx_blksize.into(),
            blocks: found.stx_blocks,
            accessed: found.stx_atime.tv_sec,
            modified: found.stx_mtime.tv_sec,
            changed: found.stx_ctime.tv_sec,
            created: has_birth.then_some(found.stx_btime.tv_sec),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::disallowed_methods, reason = "tests make their own files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::error::Error;

    #[test]
    fn an_open_directory_stays_the_same_and_its_links_are_not_followed() {
        let outer = std::env::temp_dir().join(format!("indago-folder-{}", std::process::id()));
        fs::create_dir_all(outer.join("root/a/b")).expect("created");
        fs::write(outer.join("root/a/file"), "four").expect("written");
        symlink("../..", outer.join("root/a/up")).expect("a link");
        symlink("/a", outer.join("root/own")).expect("a link");
        let sys = Sys::at(outer.join("root"));
        for path in ["/a", "/own", "own/."] {
            let folder = sys.folder(path).expect("it exists");
            let (mut entries, error) = folder.entries().expect("it is read");
            entries.sort_by(|left, right| left.name.cmp(&right.name));
            let kinds: Vec<_> = entries.iter().map(|entry| (entry.name.to_str(), entry.kind)).collect();
            assert_eq!(error, None);
            let kind = |name, kind| (Some(name), Some(kind));
            let all = [kind("b", Kind::Directory), kind("file", Kind::RegularFile), kind("up", Kind::Symlink)];
            assert_eq!(kinds, all, "{path}");
            assert_eq!(folder.entries().map(|(again, _)| again.len()), Ok(3), "it can be read again");
        }
        let folder = sys.folder("/a").expect("it exists");
        for name in ["b", "file", "up"] {
            let by_path = Stat::from(&fs::symlink_metadata(outer.join("root/a").join(name)).expect("it exists"));
            assert_eq!(folder.stat(OsStr::new(name)), Ok(by_path));
            assert_eq!(sys.stat(format!("/a/{name}")), Ok(by_path));
        }
        assert_eq!(folder.folder(OsStr::new("b")).map(|inner| inner.path().to_owned()), Ok("/a/b".into()));
        for name in ["up", "file", "none"] {
            assert!(matches!(folder.folder(OsStr::new(name)), Err(Error::Gone(_))), "{name}");
        }
        fs::rename(outer.join("root/a"), outer.join("root/moved")).expect("renamed");
        assert_eq!(folder.stat(OsStr::new("file")).map(|stat| stat.size), Ok(4));
        assert!(
            matches!(sys.folder("/a"), Err(Error::Gone(_))) && matches!(sys.folder("/moved/file"), Err(Error::Gone(_)))
        );
        fs::remove_dir_all(&outer).expect("our own folder");
    }
}
