//! Files below a directory that is a machine's root. All links, absolute ones too, stay inside it as with `chroot`, so
//! a container's files cannot lead a reader to the host's.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, RawDir, ResolveFlags, SeekFrom, StatxFlags, fstat, fstatfs,
    open, openat, openat2, readlinkat, seek, stat, statx,
};
use rustix::io::Errno;

/// Whether a link at the end of a path is followed, or opened itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Followed,
    Itself,
}

/// Flags for opening the end of a path as a handle, without reading it.
fn flags(last: Last) -> OFlags {
    OFlags::PATH | OFlags::CLOEXEC | if last == Last::Itself { OFlags::NOFOLLOW } else { OFlags::empty() }
}

/// Opens a directory of this process as a handle.
pub(super) fn folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens the target of a path of this process as a handle.
pub(super) fn hold(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, flags(Last::Followed), Mode::empty())?)
}

/// Opens a regular file of this process for reading. Fails if the path leads through a magic link.
pub(super) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let found = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?;
    match FileType::from_raw_mode(fstat(&found)?.st_mode) {
        FileType::RegularFile => Ok(File::from(found)),
        _ => Err(Errno::INVAL.into()),
    }
}

/// The directory where the running kernel describes the processes of the machine with its root at `root`; `None` if it
/// is not the root of a running machine. A copy of a `procfs` is not accepted, because only the kernel can provide one.
pub(super) fn procfs_of(root: &Path) -> Option<PathBuf> {
    let below = root.join("proc");
    let held = open(&below, flags(Last::Itself) | OFlags::DIRECTORY, Mode::empty()).ok();
    if held.and_then(|held| fstatfs(&held).ok()).is_some_and(|found| found.f_type == PROC_SUPER_MAGIC) {
        return Some(below);
    }
    // The host's root may be mounted without its submounts.
    let (found, of_first) = (stat(root).ok()?, stat("/proc/1/root/").ok()?);
    let is_of_first = (found.st_dev, found.st_ino) == (of_first.st_dev, of_first.st_ino);
    is_of_first.then(|| PathBuf::from("/proc"))
}

/// Opens a handle for reading.
pub(super) fn reopen(found: &OwnedFd) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(File::from(open(super::own_path(found), flags, Mode::empty())?))
}

/// Attempts for a path while another process renames directories in it.
const ATTEMPTS: usize = 16;

/// Finds the target of a path inside a root.
pub(super) fn find(root: BorrowedFd<'_>, path: &Path, last: Last) -> io::Result<OwnedFd> {
    for _ in 0..ATTEMPTS {
        match openat2(root, path, flags(last), Mode::empty(), ResolveFlags::IN_ROOT) {
            Ok(found) => return Ok(found),
            // Kernels before 5.6 do not have the call, and old seccomp filters of containers refuse unknown calls.
            Err(Errno::NOSYS | Errno::PERM) => return walk(root, path, last),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::AGAIN.into())
}

/// Most links in one path, the same as the kernel's limit.
const MOST_LINKS: usize = 40;

/// [`find`] in steps of one name each; no step follows a link.
fn walk(root: BorrowedFd<'_>, path: &Path, last: Last) -> io::Result<OwnedFd> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let names_folder = bytes.ends_with(b"/") || bytes.ends_with(b"/.");
    if bytes.is_empty() {
        return Err(Errno::NOENT.into());
    }
    let mut left: VecDeque<OsString> = names(path);
    // The directories from the root to the current step.
    let mut above = vec![root.try_clone_to_owned()?];
    let mut links = 0;
    while let Some(name) = left.pop_front() {
        if name == ".." {
            above.truncate((above.len() - 1).max(1));
            continue;
        }
        let here = above.last().unwrap_or_else(|| unreachable!("the root is never removed"));
        let found = openat(here, &name, flags(Last::Itself), Mode::empty())?;
        let kind = FileType::from_raw_mode(fstat(&found)?.st_mode);
        let is_last = left.is_empty() && !names_folder;
        if kind == FileType::Symlink && !(is_last && last == Last::Itself) {
            links += 1;
            if links > MOST_LINKS {
                return Err(Errno::LOOP.into());
            }
            let target = link(&found)?;
            if target.is_absolute() {
                above.truncate(1);
            }
            for name in names(&target).into_iter().rev() {
                left.push_front(name);
            }
            continue;
        }
        if kind != FileType::Directory && !is_last {
            return Err(Errno::NOTDIR.into());
        }
        above.push(found);
    }
    above.pop().ok_or_else(|| Errno::NOENT.into())
}

fn names(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    names.map(|part| part.as_os_str().to_owned()).collect()
}

/// The target of a link that is held.
pub(super) fn link(found: impl AsFd) -> io::Result<PathBuf> {
    link_at(found, "").map_err(|error| match error.kind() {
        // It was found, so it exists and is not a link.
        io::ErrorKind::NotFound => Errno::INVAL.into(),
        _ => error,
    })
}

/// The target of a link in a directory.
pub(super) fn link_at(folder: impl AsFd, name: &str) -> io::Result<PathBuf> {
    Ok(PathBuf::from(OsString::from_vec(readlinkat(folder, name, Vec::new())?.into_bytes())))
}

/// Opens a directory in another one for reading its entries, or that one itself (`.`).
pub(super) fn readable(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::empty())?)
}

/// Bytes of a list of entries that are read at once.
const ENTRIES: usize = 32 << 10;

/// Passes the entries of an open directory to a function, without `.` and `..`.
pub(super) fn entries(folder: BorrowedFd<'_>, mut each: impl FnMut(OsString, Option<FileType>)) -> io::Result<()> {
    seek(folder, SeekFrom::Start(0))?;
    let mut buffer = Vec::with_capacity(ENTRIES);
    let mut list = RawDir::new(folder, buffer.spare_capacity_mut());
    while let Some(entry) = list.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            let kind = Some(entry.file_type()).filter(|kind| *kind != FileType::Unknown);
            each(OsString::from_vec(name.to_owned()), kind);
        }
    }
    Ok(())
}

/// Passes the links in a directory of this process to `each`, with their targets. One open for all of them.
pub(super) fn links(path: &Path, mut each: impl FnMut(&str, io::Result<PathBuf>)) -> io::Result<()> {
    let folder = readable(CWD, path.as_os_str())?;
    entries(folder.as_fd(), |name, _| {
        if let Some(name) = name.to_str() {
            each(name, link_at(&folder, name));
        }
    })
}

/// Facts of an entry of a directory; of a link itself.
pub(super) fn stat_at(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<super::Stat> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    match statx(folder, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, wanted) {
        Ok(found) => Ok(found.into()),
        // Old seccomp filters of containers refuse unknown calls.
        Err(Errno::NOSYS | Errno::PERM) => {
            let found = openat(folder, name, flags(Last::Itself), Mode::empty())?;
            Ok(super::Stat::from(&File::from(found).metadata()?))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make their own files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    /// The kernel's lookup and ours find the same, and neither leaves the root.
    #[test]
    fn the_fallback_finds_what_the_kernel_finds() {
        let outer = std::env::temp_dir().join(format!("indago-inside-{}", std::process::id()));
        let root = outer.join("root");
        fs::create_dir_all(root.join("etc/deep")).expect("a folder");
        fs::create_dir_all(root.join("run")).expect("a folder");
        fs::write(outer.join("secret"), "outside").expect("a file");
        for file in ["etc/own", "etc/deep/file", "run/sock", "secret"] {
            fs::write(root.join(file), file).expect("a file");
        }
        for (target, name) in [
            ("/etc/own", "absolute"),
            ("../../../../secret", "etc/upwards"),
            ("/../../secret", "escape"),
            ("/etc", "folder"),
            ("../run", "etc/run"),
            ("a", "b"),
            ("b", "a"),
            ("nothing", "dangling"),
            ("etc/own", "etc-own"),
            ("folder/deep/../own", "twice"),
        ] {
            symlink(target, root.join(name)).expect("a link");
        }
        let held = folder(&root).expect("the root");
        let seen = |found: io::Result<OwnedFd>| {
            let raw = |error: io::Error| error.raw_os_error();
            found.map_err(raw).map(|found| fs::File::from(found).metadata().expect("it is held").ino())
        };
        for path in [
            "",
            "/",
            ".",
            "..",
            "/..",
            "etc",
            "/etc/",
            "/etc/own",
            "/etc/own/",
            "/etc/own/x",
            "/absolute",
            "/absolute/",
            "/etc/upwards",
            "/escape",
            "/folder",
            "/folder/",
            "/folder/deep/file",
            "/etc/run/sock",
            "/a",
            "/b/x",
            "/dangling",
            "/etc-own",
            "/twice",
            "/../../secret",
            "/etc/../../secret",
            "/none/x",
            "/etc/deep/../../run",
            "/folder/../run/sock",
            "/etc/run/../etc/own",
            "/etc/own/.",
            "/etc/.",
        ] {
            for last in [Last::Followed, Last::Itself] {
                let kernel = seen(find(held.as_fd(), Path::new(path), last));
                assert_eq!(seen(walk(held.as_fd(), Path::new(path), last)), kernel, "{path}, {last:?}");
            }
        }
        let inside = |path: &str| seen(walk(held.as_fd(), Path::new(path), Last::Followed));
        let secret = fs::metadata(root.join("secret")).expect("inside").ino();
        assert_eq!((inside("/escape"), inside("/etc/upwards")), (Ok(secret), Ok(secret)));
        fs::remove_dir_all(&outer).expect("our own folder");
    }
}
