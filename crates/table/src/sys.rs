//! The only door from a table to the machine.
//!
//! Tables read files, links, folders, the clock and the user through [`Sys`], never through `std::fs`: so any folder
//! can stand in for a host, what is read is counted, and a cancelled scan stops at its next read.
#![allow(clippy::disallowed_methods, reason = "this is the door that the lint sends tables through")]

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::row::Environment;
use crate::scan::Meter;
use crate::value::Timestamp;

/// The time of the machine's wall clock.
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// A machine: its files under a root folder, its clock, the user that asks, and its environment variables.
#[derive(Debug, Clone)]
pub struct Sys {
    machine: Arc<Machine>,
    meter: Arc<Meter>,
}

#[derive(Debug, Clone)]
struct Machine {
    root: PathBuf,
    is_live: bool,
    clock: Option<SystemTime>,
    variables: Option<HashMap<String, String>>,
}

impl Environment for Sys {
    const NAME: &'static str = "host";

    fn for_scan(&self, meter: &Arc<Meter>) -> Self {
        Sys { machine: self.machine.clone(), meter: meter.clone() }
    }
}

impl Default for Sys {
    fn default() -> Self {
        Sys::live()
    }
}

impl Sys {
    /// This machine.
    pub fn live() -> Self {
        Sys::from_machine(Machine { root: PathBuf::from("/"), is_live: true, clock: None, variables: None })
    }

    /// The machine whose files lie under a folder: a mounted disk, a host root inside a container, a fixture.
    ///
    /// What only the running kernel can tell (system calls about this process or its sockets) is unsupported there.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Sys::from_machine(Machine { root: root.into(), is_live: false, clock: None, variables: Some(HashMap::new()) })
    }

    fn from_machine(machine: Machine) -> Self {
        Sys { machine: Arc::new(machine), meter: Arc::default() }
    }

    /// The same machine with its clock stopped at a moment.
    #[must_use]
    pub fn with_clock(&self, now: SystemTime) -> Self {
        Sys::from_machine(Machine { clock: Some(now), ..(*self.machine).clone() })
    }

    /// The same machine with other environment variables.
    #[must_use]
    pub fn with_variables<K: Into<String>, V: Into<String>>(&self, all: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = all.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Sys::from_machine(Machine { variables: Some(variables), ..(*self.machine).clone() })
    }

    /// The machine whose files lie under a folder of this one: a container's root, say. Counts with this one, and stops
    /// with it.
    #[must_use]
    pub fn below(&self, folder: impl AsRef<Path>) -> Self {
        let machine = Machine { root: self.path(folder), is_live: false, ..(*self.machine).clone() };
        Sys { machine: Arc::new(machine), meter: self.meter.clone() }
    }

    /// The folder that the machine's files lie under, as a name for it; `/` for the running one.
    pub fn root_name(&self) -> Arc<str> {
        self.machine.root.display().to_string().into()
    }

    /// Whether this is the machine that the program runs on, so that system calls speak of the same one as the files.
    pub fn is_live(&self) -> bool {
        self.machine.is_live
    }

    /// Fails with [`Error::Unsupported`] unless [`is_live`](Sys::is_live).
    pub fn require_live(&self, what: &str) -> Result<()> {
        if self.is_live() {
            return Ok(());
        }
        let root = self.machine.root.display();
        Err(Error::Unsupported(format!(
            "{what} can be asked of the running machine only, not of the files under {root}"
        )))
    }

    /// The counters and the cancel flag of the scan that reads.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Fails once the query was cancelled: for long work between two reads.
    pub fn check_cancelled(&self) -> Result<()> {
        if self.meter.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        self.machine.clock.unwrap_or_else(SystemTime::now).into()
    }

    /// An environment variable.
    pub fn variable(&self, name: &str) -> Option<String> {
        match &self.machine.variables {
            Some(variables) => variables.get(name).cloned(),
            None => std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()),
        }
    }

    /// The home folder of the user that asks.
    pub fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").map(PathBuf::from)
    }

    /// The current folder.
    pub fn current_dir(&self) -> Result<PathBuf> {
        if !self.is_live() {
            return Ok(PathBuf::from("/"));
        }
        std::env::current_dir().map_err(|error| Error::io("the current folder", &error))
    }

    /// The user that asks.
    pub fn uid(&self) -> i64 {
        rustix::process::geteuid().as_raw().into()
    }

    /// Clock ticks in a second, the unit of processor times in `/proc`.
    pub fn clock_ticks(&self) -> i64 {
        rustix::param::clock_ticks_per_second() as i64
    }

    /// Where a path of the machine lies on this one.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        if self.machine.is_live {
            return path.to_owned();
        }
        let mut inside = self.machine.root.clone();
        for part in path.components() {
            match part {
                std::path::Component::Normal(name) => inside.push(name),
                std::path::Component::ParentDir if inside != self.machine.root => {
                    inside.pop();
                }
                _ => {}
            }
        }
        inside
    }

    fn reach<T>(&self, path: &Path, read: impl FnOnce(&Path) -> io::Result<T>) -> Result<T> {
        self.check_cancelled()?;
        self.meter.add_calls(1);
        let outcome = match self.machine.is_live {
            true => read(path),
            false => below::open(&self.machine.root, path, below::FOLLOW).and_then(|found| match found {
                Some(found) => read(&below::path(&found)),
                None => read(&self.path(path)),
            }),
        };
        outcome.map_err(|error| Error::io(path.display().to_string(), &error))
    }

    /// Like [`reach`](Sys::reach), for what is said of a link and not of what it points to.
    fn reach_link<T>(
        &self,
        path: &Path,
        read: impl FnOnce(&Path) -> io::Result<T>,
        read_below: impl FnOnce(below::Found) -> io::Result<T>,
    ) -> Result<T> {
        self.check_cancelled()?;
        self.meter.add_calls(1);
        let outcome = match self.machine.is_live {
            true => read(path),
            false => below::open(&self.machine.root, path, below::LINK).and_then(|found| match found {
                Some(found) => read_below(found),
                None => read(&self.path(path)),
            }),
        };
        outcome.map_err(|error| Error::io(path.display().to_string(), &error))
    }

    /// A file, open for reading; each read counts, and fails once the query was cancelled.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<SysFile> {
        let path = path.as_ref();
        let file = self.reach(path, |path| File::open(path))?;
        Ok(SysFile { file, meter: self.meter.clone() })
    }

    /// A whole file.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_into(path, &mut bytes)?;
        Ok(bytes)
    }

    /// A whole file, into a buffer that is emptied first.
    pub fn read_into(&self, path: impl AsRef<Path>, bytes: &mut Vec<u8>) -> Result<()> {
        let path = path.as_ref();
        bytes.clear();
        let mut file = self.open(path)?;
        file.read_to_end(bytes).map_err(|error| self.read_error(path, &error))?;
        Ok(())
    }

    /// A whole file as text; bytes that are no UTF-8 become U+FFFD.
    pub fn read_text(&self, path: impl AsRef<Path>) -> Result<String> {
        Ok(match String::from_utf8(self.read(path)?) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// What an error while reading an open file means.
    pub fn read_error(&self, path: &Path, error: &io::Error) -> Error {
        if self.meter.is_cancelled() { Error::Cancelled } else { Error::io(path.display().to_string(), error) }
    }

    /// Where a symbolic link points.
    pub fn read_link(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        self.reach_link(path.as_ref(), |path| fs::read_link(path), below::read_link)
    }

    /// The path with all links resolved, as the machine sees it.
    pub fn canonicalize(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        let inside = self.reach(path.as_ref(), |path| fs::canonicalize(path))?;
        if self.machine.is_live {
            return Ok(inside);
        }
        let below = |root: &Path| inside.strip_prefix(root).map(|rest| Path::new("/").join(rest)).ok();
        let real_root = fs::canonicalize(&self.machine.root).ok();
        Ok(real_root.as_deref().and_then(below).unwrap_or(inside.clone()))
    }

    /// Names in a folder, in no order.
    pub fn read_dir(&self, path: impl AsRef<Path>) -> Result<Vec<OsString>> {
        let entries = self.reach(path.as_ref(), |path| fs::read_dir(path))?;
        Ok(entries.filter_map(io::Result::ok).map(|entry| entry.file_name()).collect())
    }

    /// Names in a folder with what kind of file each is, links not followed, in no order: one call for the folder.
    pub fn entries(&self, path: impl AsRef<Path>) -> Result<Vec<(OsString, fs::FileType)>> {
        let entries = self.reach(path.as_ref(), |path| fs::read_dir(path))?;
        Ok(entries
            .filter_map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))).ok())
            .collect())
    }

    /// What the file system says of a file, links followed.
    pub fn metadata(&self, path: impl AsRef<Path>) -> Result<Metadata> {
        self.reach(path.as_ref(), |path| fs::metadata(path))
    }

    /// What the file system says of a file or link.
    pub fn symlink_metadata(&self, path: impl AsRef<Path>) -> Result<Metadata> {
        self.reach_link(path.as_ref(), |path| fs::symlink_metadata(path), below::metadata)
    }

    /// Whether something is there.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.symlink_metadata(path).is_ok()
    }

    /// Runs a program of this machine and gives what it printed.
    pub fn run(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Result<Output> {
        let program = program.as_ref();
        self.require_live(&program.to_string_lossy())?;
        self.check_cancelled()?;
        self.meter.add_calls(1);
        let outcome = Command::new(program).args(arguments).output();
        outcome.map_err(|error| Error::io(program.to_string_lossy(), &error))
    }
}

/// An open file of a [`Sys`].
#[derive(Debug)]
pub struct SysFile {
    file: File,
    meter: Arc<Meter>,
}

impl SysFile {
    /// What the file system says of the open file.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// The open file itself.
    pub fn as_file(&self) -> &File {
        &self.file
    }
}

impl Read for SysFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.meter.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let count = self.file.read(buffer)?;
        self.meter.add_bytes(count as u64);
        Ok(count)
    }
}

/// Files below a folder that stands for a machine's root. Links stay inside, absolute ones too, as `chroot` would have
/// it: a container's files cannot lead a reader out to the host's.
#[cfg(target_os = "linux")]
mod below {
    use std::ffi::OsString;
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::ffi::OsStringExt;
    use std::path::{Path, PathBuf};

    use rustix::fs::{Mode, OFlags, ResolveFlags, open as open_root, openat2, readlinkat};
    use rustix::io::Errno;

    /// What a path leads to, held without being opened for reading.
    pub(super) type Found = OwnedFd;

    pub(super) const FOLLOW: OFlags = OFlags::PATH;
    pub(super) const LINK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW);

    /// Times that a path is tried again while somebody renames folders under it.
    const ATTEMPTS: usize = 16;

    /// Finds what a path leads to; `None` on kernels before 5.6, which cannot keep links inside.
    pub(super) fn open(root: &Path, path: &Path, flags: OFlags) -> io::Result<Option<Found>> {
        let root = open_root(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let flags = flags | OFlags::CLOEXEC;
        for _ in 0..ATTEMPTS {
            match openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
                Ok(found) => return Ok(Some(found)),
                Err(Errno::NOSYS) => return Ok(None),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::AGAIN.into())
    }

    /// A path of this process that leads to what was found.
    pub(super) fn path(found: &Found) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", found.as_raw_fd()))
    }

    pub(super) fn metadata(found: Found) -> io::Result<Metadata> {
        File::from(found).metadata()
    }

    pub(super) fn read_link(found: Found) -> io::Result<PathBuf> {
        match readlinkat(&found, "", Vec::new()) {
            Ok(target) => Ok(PathBuf::from(OsString::from_vec(target.into_bytes()))),
            // It is there, since it was found: it is no link.
            Err(Errno::NOENT) => Err(Errno::INVAL.into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Elsewhere paths are taken by their text.
#[cfg(not(target_os = "linux"))]
mod below {
    use std::convert::Infallible;
    use std::fs::Metadata;
    use std::io;
    use std::path::{Path, PathBuf};

    pub(super) type Found = Infallible;

    pub(super) const FOLLOW: () = ();
    pub(super) const LINK: () = ();

    pub(super) fn open(_root: &Path, _path: &Path, _flags: ()) -> io::Result<Option<Found>> {
        Ok(None)
    }

    pub(super) fn path(found: &Found) -> PathBuf {
        match *found {}
    }

    pub(super) fn metadata(found: Found) -> io::Result<Metadata> {
        match found {}
    }

    pub(super) fn read_link(found: Found) -> io::Result<PathBuf> {
        match found {}
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_stay_inside_the_folder() {
        let folder = std::env::temp_dir().join(format!("indago-sys-{}", std::process::id()));
        fs::create_dir_all(folder.join("etc")).expect("a folder");
        fs::write(folder.join("etc/own"), "own").expect("a file");
        symlink("/etc/own", folder.join("absolute")).expect("a link");
        symlink("../../../../../../etc/own", folder.join("etc/upwards")).expect("a link");
        symlink("/etc/passwd", folder.join("outside")).expect("a link");
        symlink("/etc", folder.join("folder")).expect("a link");
        let sys = Sys::at(&folder);
        for path in ["/etc/own", "/absolute", "/etc/upwards", "etc/own", "/folder/own", "/../etc/own"] {
            assert_eq!(sys.read_text(path).as_deref(), Ok("own"), "{path}");
            assert_eq!(sys.metadata(path).map(|metadata| metadata.len()), Ok(3), "{path}");
            assert_eq!(sys.canonicalize(path), Ok(PathBuf::from("/etc/own")), "{path}");
        }
        assert_eq!(sys.read_text("/outside"), Err(Error::Gone("/outside".into())));
        assert_eq!(sys.read_link("/outside"), Ok(PathBuf::from("/etc/passwd")));
        assert!(sys.read_link("/etc/own").is_err_and(|error| !matches!(error, Error::Gone(_))), "no link");
        assert!(sys.symlink_metadata("/outside").is_ok_and(|metadata| metadata.is_symlink()));
        let mut names = sys.read_dir("/folder").expect("a folder through a link");
        names.sort();
        assert_eq!(names, ["own", "upwards"]);
        fs::remove_dir_all(&folder).expect("our own folder");
    }
}
