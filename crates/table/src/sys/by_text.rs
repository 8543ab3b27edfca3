//! Operating systems other than Linux: only the program's own root can be read.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, open, openat};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Followed,
    Itself,
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "a root other than the program's own needs Linux"))
}

pub(super) fn folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

pub(super) fn hold(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?)
}

pub(super) fn reopen(found: &OwnedFd) -> io::Result<File> {
    Ok(File::from(found.try_clone()?))
}

pub(super) fn open_plain(_path: &Path) -> io::Result<File> {
    unsupported()
}

pub(super) fn procfs_of(_root: &Path) -> Option<PathBuf> {
    None
}

pub(super) fn find(_root: BorrowedFd<'_>, _path: &Path, _last: Last) -> io::Result<OwnedFd> {
    unsupported()
}

pub(super) fn link(_found: impl AsFd) -> io::Result<PathBuf> {
    unsupported()
}

pub(super) fn links(_path: &Path, _each: impl FnMut(&str, io::Result<PathBuf>)) -> io::Result<()> {
    unsupported()
}

pub(super) fn link_at(_folder: impl AsFd, _name: &str) -> io::Result<PathBuf> {
    unsupported()
}

pub(super) fn readable(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::empty())?)
}

pub(super) fn entries(folder: BorrowedFd<'_>, mut each: impl FnMut(OsString, Option<FileType>)) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            let kind = Some(entry.file_type()).filter(|kind| *kind != FileType::Unknown);
            each(OsString::from_vec(name.to_owned()), kind);
        }
    }
    Ok(())
}

pub(super) fn stat_at(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<super::Stat> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(super::Stat::from(&File::from(openat(folder, name, flags, Mode::empty())?).metadata()?))
}
