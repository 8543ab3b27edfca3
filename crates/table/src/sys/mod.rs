//! The only access of tables to the machine.
//!
//! Tables read files, links, directories, the clock and the user through [`Sys`], never through `std::fs`. So any
//! directory can be used as a host, reads are counted, and a cancelled scan stops at its next read. The files under a
//! root are untrusted: only regular files are opened, links stay inside, and sizes are limited.
#![allow(clippy::disallowed_methods, reason = "the lint directs tables to this module")]

mod folder;
#[cfg(target_os = "linux")]
mod inside;
#[cfg(not(target_os = "linux"))]
#[path = "by_text.rs"]
mod inside;
mod run;
mod trust;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

pub use folder::{Entry, Folder, Stat};
use inside::Last;
pub use run::Program;
use rustix::fs::{FileType as Kind, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::row::Environment;
use crate::scan::Meter;
use crate::value::Timestamp;

/// The time of the machine's wall clock.
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Default limit for the size of a file that is read.
pub const MOST_BYTES: u64 = 64 << 20;

/// Limit for the length of a line.
const LONGEST_LINE: u64 = 1 << 20;

/// A file that is read at once is charged to the query's memory during the read, in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// A machine: its files under a root directory, its clock, the current user, and its environment variables.
///
/// There are three kinds: the machine that the program runs on, with the program's own root; that machine with another
/// root, for example in a container with the host's root at `/host`; and a directory of files without a kernel.
#[derive(Debug, Clone)]
pub struct Sys {
    machine: Arc<Machine>,
    meter: Arc<Meter>,
}

#[derive(Debug, Clone)]
struct Machine {
    root: Root,
    /// Where the running kernel describes the machine's processes; `None` if the machine is not running.
    procfs: Option<PathBuf>,
    clock: Option<SystemTime>,
    variables: Option<HashMap<String, String>>,
}

#[derive(Debug, Clone)]
enum Root {
    /// The program's own root.
    Own,
    /// A directory of the program's file system, opened again for each read: a disk may be mounted later.
    Folder(PathBuf),
    /// A handle of a directory, with its path for messages.
    Held(Arc<OwnedFd>, PathBuf),
}

impl Root {
    /// Its path for messages.
    fn name(&self) -> &Path {
        match self {
            Root::Own => Path::new("/"),
            Root::Folder(name) | Root::Held(_, name) => name,
        }
    }
}

/// The target of a path of the machine.
enum Reached {
    /// An equivalent path of this process.
    Path(PathBuf),
    /// A handle.
    Held(OwnedFd),
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
        Sys::from_machine(Root::Own, Some(PathBuf::from("/proc")))
    }

    /// The machine whose files are under a directory: a mounted disk, a copy, a fixture.
    ///
    /// Anything that only the running kernel knows (system calls about this process or its sockets) is unsupported
    /// there.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Sys::from_machine(Root::Folder(root.into()), None)
    }

    /// The machine with its root at a directory. For `/` it is this machine. It is this machine under another root if
    /// the running kernel describes its processes in `proc` below the directory, or if the directory is the root of its
    /// first process (a pod with the host's root mounted). Otherwise it is a directory of files.
    pub fn of_root(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        if root == Path::new("/") {
            return Sys::live();
        }
        let procfs = inside::procfs_of(&root);
        Sys::from_machine(Root::Folder(root), procfs)
    }

    fn from_machine(root: Root, procfs: Option<PathBuf>) -> Self {
        let variables = match root {
            Root::Own => None,
            _ => Some(HashMap::new()),
        };
        Sys { machine: Arc::new(Machine { root, procfs, clock: None, variables }), meter: Arc::default() }
    }

    fn with_machine(&self, machine: Machine) -> Self {
        Sys { machine: Arc::new(machine), meter: self.meter.clone() }
    }

    /// The same machine with its clock stopped at a point in time.
    #[must_use]
    pub fn with_clock(&self, now: SystemTime) -> Self {
        self.with_machine(Machine { clock: Some(now), ..(*self.machine).clone() })
    }

    /// The same machine with other environment variables.
    #[must_use]
    pub fn with_variables<K: Into<String>, V: Into<String>>(&self, all: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = all.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.with_machine(Machine { variables: Some(variables), ..(*self.machine).clone() })
    }

    /// The machine whose files are under a directory of this one, such as a container's root. The directory is opened
    /// now, inside this machine's root, and held. The new machine shares this one's counters and cancel flag.
    pub fn below(&self, folder: impl AsRef<Path>) -> Result<Self> {
        let path = folder.as_ref();
        let held = self.ask(path, || match self.reach(path, Last::Followed)? {
            Reached::Path(path) => inside::folder(&path),
            Reached::Held(found) => match kind_of(&found)? {
                Kind::Directory => Ok(found),
                _ => Err(Errno::NOTDIR.into()),
            },
        })?;
        let root = Root::Held(Arc::new(held), self.path(path));
        Ok(self.with_machine(Machine { root, procfs: None, ..(*self.machine).clone() }))
    }

    /// The machine's root directory, as a name; `/` for the program's own root.
    pub fn root_name(&self) -> Arc<str> {
        self.machine.root.name().display().to_string().into()
    }

    /// Whether this is the machine that the program runs on, with the program's own root. Its files, programs and
    /// environment variables are then the program's.
    pub fn is_live(&self) -> bool {
        matches!(self.machine.root, Root::Own)
    }

    /// Whether the machine's kernel is the running one, under any root. System calls then apply to it, and `/proc`
    /// belongs to it.
    pub fn has_live_kernel(&self) -> bool {
        self.machine.procfs.is_some()
    }

    /// The error for something that the kernel would show if this host had it: on the running machine it is absent,
    /// but a directory of files may have been collected without it.
    pub fn absent(&self, what: impl Into<String>) -> Error {
        if self.has_live_kernel() { Error::Absent(what.into()) } else { Error::Unsupported(what.into()) }
    }

    /// Fails with [`Error::Unsupported`] unless [`has_live_kernel`](Sys::has_live_kernel).
    pub fn require_live(&self, what: &str) -> Result<()> {
        if self.has_live_kernel() {
            return Ok(());
        }
        let root = self.machine.root.name().display();
        Err(Error::Unsupported(format!("{what} can be read only on the running machine, not from files under {root}")))
    }

    /// The directory of `/proc` that describes the machine itself: of this process, or of the host's first process if
    /// this process is in other namespaces than the host.
    pub fn own_process(&self) -> &'static str {
        if self.has_live_kernel() && !self.is_live() { "/proc/1" } else { "/proc/self" }
    }

    /// The counters and the cancel flag of the scan.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Fails if the query was cancelled; for long work between reads.
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

    /// The user's home directory.
    pub fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").map(PathBuf::from)
    }

    /// The current directory.
    pub fn current_dir(&self) -> Result<PathBuf> {
        if !self.is_live() {
            return Ok(PathBuf::from("/"));
        }
        std::env::current_dir().map_err(|error| Error::io("the current directory", &error))
    }

    /// The ID of the user.
    pub fn uid(&self) -> i64 {
        rustix::process::geteuid().as_raw().into()
    }

    /// Clock ticks per second, the unit of processor times in `/proc`.
    pub fn clock_ticks(&self) -> i64 {
        rustix::param::clock_ticks_per_second() as i64
    }

    /// Text from arbitrary bytes. Each byte that is not UTF-8 becomes U+FFFD; the scan then reports the columns that
    /// show it.
    pub fn text(&self, bytes: &[u8]) -> String {
        match String::from_utf8_lossy(bytes) {
            std::borrow::Cow::Borrowed(text) => text.to_owned(),
            std::borrow::Cow::Owned(text) => {
                self.meter.note_lossy();
                text
            }
        }
    }

    /// A path or name, converted like [`text`](Sys::text).
    pub fn path_text(&self, path: impl AsRef<OsStr>) -> String {
        self.text(path.as_ref().as_encoded_bytes())
    }

    /// The path on this machine for a path of the described machine, as a name. Do not open it: links under another
    /// root lead elsewhere.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        if self.is_live() {
            return path.to_owned();
        }
        let root = self.machine.root.name();
        let mut inside = root.to_owned();
        for part in path.components() {
            match part {
                Component::Normal(name) => inside.push(name),
                Component::ParentDir if inside != root => {
                    inside.pop();
                }
                _ => {}
            }
        }
        inside
    }

    /// Counts a system call, and adds the path to its error.
    fn ask<T>(&self, path: &Path, question: impl FnOnce() -> io::Result<T>) -> Result<T> {
        self.check_cancelled()?;
        self.meter.add_calls(1);
        question().map_err(|error| Error::io(path.display().to_string(), &error))
    }

    /// The path in this process for a path below `/proc` of a running machine.
    fn in_procfs(&self, path: &Path) -> Option<PathBuf> {
        let procfs = self.machine.procfs.as_ref()?;
        let below = path.strip_prefix("/proc").ok()?;
        let goes_up = below.components().any(|part| part == Component::ParentDir);
        (!goes_up).then(|| procfs.join(below))
    }

    fn reach(&self, path: &Path, last: Last) -> io::Result<Reached> {
        if !self.is_live()
            && let Some(path) = self.in_procfs(path)
        {
            return Ok(Reached::Path(path));
        }
        let found = match &self.machine.root {
            Root::Own => return Ok(Reached::Path(path.to_owned())),
            Root::Folder(folder) => inside::find(inside::folder(folder)?.as_fd(), path, last),
            Root::Held(folder, _) => inside::find(folder.as_fd(), path, last),
        };
        found.map(Reached::Held)
    }

    /// A regular file, open for reading. Each read is counted, and fails once the query was cancelled. Any other kind
    /// of file is [`Error::Malformed`], because opening it could block or have side effects.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<SysFile> {
        let path = path.as_ref();
        let file = self.ask(path, || {
            // The kernel's own files are opened directly, but never through a link that leaves `/proc`.
            if let Some(file) = self.in_procfs(path).and_then(|path| inside::open_plain(&path).ok()) {
                return Ok(Ok(file));
            }
            match self.reach(path, Last::Followed)? {
                Reached::Path(own) => reopen(path, &inside::hold(&own)?),
                Reached::Held(found) => reopen(path, &found),
            }
        })??;
        Ok(SysFile { file, meter: self.meter.clone() })
    }

    /// A block device of the running machine, open for reading. Fails for any other kind of file.
    pub fn open_block_device(&self, path: impl AsRef<Path>) -> Result<SysFile> {
        self.open_device(path.as_ref(), Kind::BlockDevice, None)
    }

    /// A character device of the running machine with this major number, open for reading. Only drivers whose devices
    /// neither block nor change when they are opened and read belong here.
    pub fn open_character_device(&self, path: impl AsRef<Path>, major: u32) -> Result<SysFile> {
        self.open_device(path.as_ref(), Kind::CharacterDevice, Some(major))
    }

    fn open_device(&self, path: &Path, kind: Kind, major: Option<u32>) -> Result<SysFile> {
        self.require_live("devices")?;
        let file = self.ask(path, || {
            let held = match self.reach(path, Last::Followed)? {
                Reached::Path(own) => inside::hold(&own)?,
                Reached::Held(found) => found,
            };
            let found = rustix::fs::fstat(&held)?;
            let is_of_driver = major.is_none_or(|major| rustix::fs::major(found.st_rdev) == major);
            match Kind::from_raw_mode(found.st_mode) {
                found if found == kind && is_of_driver => Ok(Ok(inside::reopen(&held)?)),
                found if found == kind => {
                    let what = format!("{} is a device of another driver than expected", path.display());
                    Ok(Err(Error::Malformed(what)))
                }
                found => {
                    let what = format!("{} is {}, not {}", path.display(), kind_name(found), kind_name(kind));
                    Ok(Err(Error::Malformed(what)))
                }
            }
        })??;
        Ok(SysFile { file, meter: self.meter.clone() })
    }

    /// A unix socket, found inside the root and held, for connecting.
    pub fn unix_socket(&self, path: impl AsRef<Path>) -> Result<UnixSocket> {
        let path = path.as_ref();
        let found = self.hold(path)?;
        let kind = kind_of(&found).map_err(|error| Error::io(path.display().to_string(), &error))?;
        if kind != Kind::Socket {
            return Err(Error::Malformed(format!("{} is {}, not a socket", path.display(), kind_name(kind))));
        }
        Ok(UnixSocket(found))
    }

    /// The contents of a file of at most [`MOST_BYTES`].
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>> {
        self.read_at_most(path, MOST_BYTES)
    }

    /// The contents of a file of at most `limit` bytes; a larger one is [`Error::Malformed`].
    pub fn read_at_most(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
        let path = path.as_ref();
        let mut bytes = Vec::new();
        self.open(path)?.read_rest(path, &mut bytes, limit)?;
        Ok(bytes)
    }

    /// The contents of a file of at most [`MOST_BYTES`]. The buffer is cleared first.
    pub fn read_into(&self, path: impl AsRef<Path>, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.clear();
        self.open(path.as_ref())?.read_rest(path.as_ref(), bytes, MOST_BYTES)
    }

    /// The contents of a file of at most [`MOST_BYTES`], converted like [`text`](Sys::text).
    pub fn read_text(&self, path: impl AsRef<Path>) -> Result<String> {
        String::from_utf8(self.read(path)?).or_else(|error| Ok(self.text(error.as_bytes())))
    }

    /// Reads a file of any size line by line, without line ends.
    pub fn lines(&self, path: impl AsRef<Path>, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let path = path.as_ref();
        let mut file = BufReader::with_capacity(64 << 10, self.open(path)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
            match read.map_err(|error| self.read_error(path, &error))? as u64 {
                0 => return Ok(()),
                LONGEST_LINE if line.last() != Some(&b'\n') => {
                    return Err(is_longer(&format!("a line of {}", path.display()), LONGEST_LINE));
                }
                _ => each(line.strip_suffix(b"\n").unwrap_or(&line))?,
            }
        }
    }

    /// The error of a read from an open file.
    pub fn read_error(&self, path: &Path, error: &io::Error) -> Error {
        read_error(&self.meter, path, error)
    }

    /// The target of a symbolic link.
    pub fn read_link(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        let path = path.as_ref();
        self.ask(path, || match self.reach(path, Last::Itself)? {
            Reached::Path(path) => fs::read_link(path),
            Reached::Held(found) => inside::link(found),
        })
    }

    /// The path on the machine with all links resolved.
    pub fn canonicalize(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        let path = path.as_ref();
        self.ask(path, || {
            let found = match self.reach(path, Last::Followed)? {
                Reached::Path(path) => return fs::canonicalize(path),
                Reached::Held(found) => fs::read_link(own_path(&found))?,
            };
            let root = match &self.machine.root {
                Root::Held(root, _) => fs::read_link(own_path(root))?,
                other => fs::canonicalize(other.name())?,
            };
            Ok(found.strip_prefix(root).map_or(found.clone(), |below| Path::new("/").join(below)))
        })
    }

    /// Names in a directory, in no order. Any error fails the call.
    pub fn read_dir(&self, path: impl AsRef<Path>) -> Result<Vec<OsString>> {
        let (names, error) = self.read_dir_partly(path)?;
        error.map_or(Ok(names), Err)
    }

    /// Names in a directory, in no order, up to the first error.
    pub fn read_dir_partly(&self, path: impl AsRef<Path>) -> Result<(Vec<OsString>, Option<Error>)> {
        let entries = self.dir(path.as_ref())?;
        Ok(up_to_error(path.as_ref(), entries.map(|entry| Ok(Some(entry?.file_name())))))
    }

    /// Names in a directory with their kinds, without following links, in no order. Needs one call for the directory.
    pub fn entries(&self, path: impl AsRef<Path>) -> Result<Vec<(OsString, FileType)>> {
        let entries = self.dir(path.as_ref())?.map(|entry| {
            let entry = entry?;
            match entry.file_type() {
                Ok(kind) => Ok(Some((entry.file_name(), kind))),
                // It was removed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        });
        let (entries, error) = up_to_error(path.as_ref(), entries);
        error.map_or(Ok(entries), Err)
    }

    fn dir(&self, path: &Path) -> Result<fs::ReadDir> {
        self.ask(path, || match self.reach(path, Last::Followed)? {
            Reached::Path(path) => fs::read_dir(path),
            Reached::Held(found) => fs::read_dir(own_path(&found)),
        })
    }

    /// Metadata of a file; follows links.
    pub fn metadata(&self, path: impl AsRef<Path>) -> Result<Metadata> {
        let path = path.as_ref();
        self.ask(path, || match self.reach(path, Last::Followed)? {
            Reached::Path(path) => fs::metadata(path),
            Reached::Held(found) => File::from(found).metadata(),
        })
    }

    /// Metadata of a file or link.
    pub fn symlink_metadata(&self, path: impl AsRef<Path>) -> Result<Metadata> {
        let path = path.as_ref();
        self.ask(path, || match self.reach(path, Last::Itself)? {
            Reached::Path(path) => fs::symlink_metadata(path),
            Reached::Held(found) => File::from(found).metadata(),
        })
    }

    /// Whether a file exists.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.symlink_metadata(path).is_ok()
    }

    /// A file or directory, found inside the root and held as a handle, for system calls that take a descriptor.
    pub fn hold(&self, path: impl AsRef<Path>) -> Result<OwnedFd> {
        let path = path.as_ref();
        self.ask(path, || match self.reach(path, Last::Followed)? {
            Reached::Path(path) => inside::hold(&path),
            Reached::Held(found) => Ok(found),
        })
    }

    /// A directory of `/proc` for one process. On a running machine it is held from its first use on, so all reads
    /// through it belong to one process. They return [`Error::Gone`] when that process has ended, even if its ID is
    /// used again.
    pub fn process_folder(&self, path: impl Into<PathBuf>) -> ProcessFolder {
        ProcessFolder { sys: self.clone(), path: path.into(), is_held: self.has_live_kernel(), held: OnceLock::new() }
    }

    /// Which other user can write or replace the target of a path, and how to fix that; `None` if only the current user
    /// and root can. Otherwise the file's contents must not decide which programs run.
    pub fn other_writer(&self, path: impl AsRef<Path>) -> Result<Option<String>> {
        let path = path.as_ref();
        if !self.is_live() {
            let (path, root) = (path.display(), self.machine.root.name().display());
            return Ok(Some(format!("{path} is under {root}, not on the machine that Indago runs on")));
        }
        self.ask(path, || trust::other_writer(path, rustix::process::geteuid().as_raw()))
    }

    /// A text of at most `limit` bytes, like [`read_at_most`](Sys::read_at_most), and the reason why the programs in it
    /// must not run: [`other_writer`](Sys::other_writer).
    pub fn read_with_writer(&self, path: impl AsRef<Path>, limit: u64) -> Result<(String, Option<String>)> {
        let path = path.as_ref();
        // Checked first, so that nobody can replace the file between the check and the open.
        let writer = self.other_writer(path).unwrap_or_else(|error| Some(error.to_string()));
        Ok((String::from_utf8_lossy(&self.read_at_most(path, limit)?).into_owned(), writer))
    }

    /// Runs a program of this machine and returns its output. The program is refused if another user could have written
    /// it. It is stopped if its output is too large, it runs too long, or the query is cancelled.
    pub fn run(&self, program: &Program) -> Result<Output> {
        if !self.is_live() {
            let (name, root) = (&program.name, self.machine.root.name().display());
            let what = format!("{name} is a program of this machine and cannot read the files under {root}");
            return Err(Error::Unsupported(what));
        }
        self.check_cancelled()?;
        self.meter.add_calls(1);
        program.run(self)
    }

    /// Runs a program of the machine that Indago runs on for files of this machine, under any root. Its last arguments
    /// are paths of the held files. They lead to the same files even if a name is replaced meanwhile, and to no others.
    pub fn run_for(&self, files: &[OwnedFd], program: &Program) -> Result<Output> {
        let mut program = program.clone();
        let folder = format!("/proc/{}/fd", std::process::id());
        program.arguments.extend(files.iter().map(|file| format!("{folder}/{}", file.as_raw_fd())));
        Sys { meter: self.meter.clone(), ..Sys::live() }.run(&program)
    }

    /// The output of a program that succeeds; otherwise an error with its message.
    pub fn print(&self, program: &Program) -> Result<Vec<u8>> {
        program.output(self.run(program)?)
    }

    /// This machine, for work on another thread that stops when the guard is dropped.
    pub fn until_dropped(&self) -> (Sys, StopOnDrop) {
        let sys = self.for_scan(&Arc::new(Meter::child(&self.meter)));
        let stop = StopOnDrop(sys.meter.clone());
        (sys, stop)
    }
}

/// Stops the work of a [`Sys`]; see [`Sys::until_dropped`].
#[derive(Debug)]
pub struct StopOnDrop(Arc<Meter>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A path of this process for a handle.
fn own_path(found: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", found.as_raw_fd()))
}

/// Opens a handle for reading if it is a regular file.
fn reopen(path: &Path, found: &OwnedFd) -> io::Result<Result<File>> {
    let kind = kind_of(found)?;
    if kind != Kind::RegularFile {
        let what = format!("{} is {}, not a regular file", path.display(), kind_name(kind));
        return Ok(Err(Error::Malformed(what)));
    }
    match inside::reopen(found) {
        Ok(file) => Ok(Ok(file)),
        // The held file exists, so the missing one is `/proc`, which it is opened through.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = "cannot be opened: /proc is not mounted where this program runs".to_owned();
            Ok(Err(Error::Io { what: path.display().to_string(), message }))
        }
        Err(error) => Err(error),
    }
}

fn kind_of(found: &OwnedFd) -> io::Result<Kind> {
    Ok(Kind::from_raw_mode(rustix::fs::fstat(found)?.st_mode))
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::RegularFile => "a regular file",
        Kind::Directory => "a directory",
        Kind::Symlink => "a link",
        Kind::Fifo => "a FIFO",
        Kind::Socket => "a socket",
        Kind::CharacterDevice => "a character device",
        Kind::BlockDevice => "a block device",
        Kind::Unknown => "a special file",
    }
}

fn is_longer(what: &str, limit: u64) -> Error {
    Error::Malformed(format!("{what} is larger than the limit of {}", size(limit)))
}

fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        bytes => format!("{bytes} bytes"),
    }
}

fn read_error(meter: &Meter, path: &Path, error: &io::Error) -> Error {
    if meter.is_cancelled() { Error::Cancelled } else { Error::io(path.display().to_string(), error) }
}

/// The items before an error, and the error. A `None` is skipped.
fn up_to_error<T>(path: &Path, entries: impl Iterator<Item = io::Result<Option<T>>>) -> (Vec<T>, Option<Error>) {
    let mut good = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => good.extend(entry),
            Err(error) => return (good, Some(Error::io(path.display().to_string(), &error))),
        }
    }
    (good, None)
}

/// A held unix socket of a [`Sys`].
#[derive(Debug)]
pub struct UnixSocket(OwnedFd);

impl UnixSocket {
    /// A path of this process to connect to; valid while this value lives.
    pub fn path(&self) -> PathBuf {
        own_path(&self.0)
    }
}

/// A folder of `/proc` that describes one process; see [`Sys::process_folder`].
#[derive(Debug)]
pub struct ProcessFolder {
    sys: Sys,
    path: PathBuf,
    is_held: bool,
    held: OnceLock<OwnedFd>,
}

impl ProcessFolder {
    /// The same directory without a handle, for reading a single file, which always belongs to one process.
    #[must_use]
    pub fn for_one_file(self) -> Self {
        ProcessFolder { is_held: false, ..self }
    }

    /// The machine that the process runs on.
    pub fn sys(&self) -> &Sys {
        &self.sys
    }

    /// Its path on the machine.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The handle of the directory; `None` if paths suffice: for a single file, and on a machine that is not running.
    fn held(&self) -> Result<Option<&OwnedFd>> {
        if let Some(held) = self.held.get() {
            return Ok(Some(held));
        }
        let Some(own) = self.sys.in_procfs(&self.path).filter(|_| self.is_held) else { return Ok(None) };
        let held = self.sys.ask(&self.path, || inside::folder(&own))?;
        Ok(Some(self.held.get_or_init(|| held)))
    }

    /// A file in it, open for reading; links are not followed.
    pub fn open(&self, name: &str) -> Result<SysFile> {
        let path = self.path.join(name);
        let Some(folder) = self.held()? else { return self.sys.open(path) };
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = || Ok(File::from(rustix::fs::openat(folder, name, flags, Mode::empty())?));
        Ok(SysFile { file: self.sys.ask(&path, open)?, meter: self.sys.meter.clone() })
    }

    /// The target of a link in it.
    pub fn read_link(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let Some(folder) = self.held()? else { return self.sys.read_link(path) };
        self.sys.ask(&path, || inside::link_at(folder, name))
    }

    /// Passes the links in a directory of it to `each`, with their targets, in no order. The directory is opened once and
    /// not through the folder's handle, so this is the fastest way to read many links.
    pub fn links(&self, name: &str, mut each: impl FnMut(&str, Result<PathBuf>)) -> Result<()> {
        let path = self.path.join(name);
        let Some(own) = self.sys.in_procfs(&path) else {
            for (link, kind) in self.sys.entries(&path)? {
                if let Some(link) = link.to_str().filter(|_| kind.is_symlink()) {
                    each(link, self.sys.read_link(path.join(link)));
                }
            }
            return Ok(());
        };
        let pass = |link: &str, target: io::Result<PathBuf>| {
            self.sys.meter.add_calls(1);
            each(link, target.map_err(|error| Error::io(path.join(link).display().to_string(), &error)));
        };
        self.sys.ask(&path, || inside::links(&own, pass))
    }

    /// Names in a directory of it, in no order.
    pub fn read_dir(&self, name: &str) -> Result<Vec<OsString>> {
        let path = self.path.join(name);
        let Some(folder) = self.held()? else { return self.sys.read_dir(path) };
        let entries = self.sys.ask(&path, || fs::read_dir(own_path(folder).join(name)))?;
        let (names, error) = up_to_error(&path, entries.map(|entry| Ok(Some(entry?.file_name()))));
        error.map_or(Ok(names), Err)
    }

    /// Metadata of a file in it; follows links.
    pub fn metadata(&self, name: impl AsRef<Path>) -> Result<Metadata> {
        let path = self.path.join(&name);
        let Some(folder) = self.held()? else { return self.sys.metadata(path) };
        self.sys.ask(&path, || fs::metadata(own_path(folder).join(&name)))
    }

    /// Whether the process still exists. In a directory of files, it always does.
    pub fn is_alive(&self) -> bool {
        match self.held() {
            Ok(Some(_)) => self.metadata("stat").is_ok(),
            Ok(None) => self.sys.exists(&self.path),
            Err(_) => false,
        }
    }

    /// The error of a read from an open file in it.
    pub fn read_error(&self, name: &str, error: &io::Error) -> Error {
        self.sys.read_error(&self.path.join(name), error)
    }
}

/// An open file of a [`Sys`].
#[derive(Debug)]
pub struct SysFile {
    file: File,
    meter: Arc<Meter>,
}

impl SysFile {
    /// Metadata of the open file.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// The open file itself.
    pub fn as_file(&self) -> &File {
        &self.file
    }

    /// Reads at a position until the buffer is full or the file ends; returns the number of bytes.
    pub fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            if self.meter.is_cancelled() {
                return Err(io::Error::other("cancelled"));
            }
            let at = position.checked_add(done as u64).ok_or(io::ErrorKind::InvalidInput)?;
            match self.file.read_at(rest, at) {
                Ok(0) => break,
                Ok(length) => done += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.meter.add_bytes(done as u64);
        Ok(done)
    }

    /// Reads the rest into a buffer, up to `limit` bytes in total; `path` is for errors.
    pub fn read_rest(&mut self, path: &Path, bytes: &mut Vec<u8>, limit: u64) -> Result<()> {
        let mut held = self.meter.hold(0)?;
        loop {
            let piece = (limit + 1).saturating_sub(bytes.len() as u64).min(PIECE);
            // The size of a kernel file is reported as 0 or 4096, so only the bytes that were read count.
            let read = self.by_ref().take(piece).read_to_end(bytes);
            let read = read.map_err(|error| read_error(&self.meter, path, &error))? as u64;
            if bytes.len() as u64 > limit {
                return Err(is_longer(&path.display().to_string(), limit));
            }
            if read < PIECE {
                return Ok(());
            }
            held.cover(bytes.capacity())?;
        }
    }
}

impl From<SysFile> for OwnedFd {
    fn from(open: SysFile) -> Self {
        open.file.into()
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

    /// A directory that is removed on drop.
    pub(super) struct Folder(pub(super) PathBuf);

    impl Folder {
        pub(super) fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("indago-{name}-{}", std::process::id()));
            fs::create_dir_all(folder.join("run")).expect("a folder");
            Folder(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn only_regular_files_are_opened_and_nothing_waits() {
        let folder = Folder::new("kinds");
        let fifo = folder.0.join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
        let _socket = std::os::unix::net::UnixListener::bind(folder.0.join("socket")).expect("a socket");
        symlink("fifo", folder.0.join("link")).expect("a link");
        symlink("/dev/zero", folder.0.join("zero")).expect("a link");
        let under = |name: &str| folder.0.join(name).to_str().expect("UTF-8").to_owned();
        let kind = |sys: &Sys, path: &str| match sys.read(path) {
            Err(Error::Malformed(what)) => what.rsplit(" is ").next().map(str::to_owned).unwrap_or_default(),
            other => panic!("{path}: {other:?}"),
        };
        let rooted = Sys::at(&folder.0);
        for (name, words) in [
            ("fifo", "a FIFO, not a regular file"),
            ("link", "a FIFO, not a regular file"),
            ("socket", "a socket, not a regular file"),
            ("run", "a directory, not a regular file"),
        ] {
            assert_eq!(kind(&rooted, &format!("/{name}")), words);
            assert_eq!(kind(&Sys::live(), &under(name)), words);
            assert!(rooted.open(name).is_err() && rooted.read_text(name).is_err());
            assert!(rooted.lines(name, |_| Ok(())).is_err());
        }
        assert_eq!(kind(&Sys::live(), &under("zero")), "a character device, not a regular file");
        assert_eq!(rooted.read("/zero"), Err(Error::Gone("/zero".into())), "not the program's own device");
        // A descriptor of a process is a link out of `/proc`.
        let held = fs::File::options().read(true).write(true).open(&fifo).expect("both ends");
        assert_eq!(kind(&Sys::live(), &format!("/proc/self/fd/{}", held.as_raw_fd())), "a FIFO, not a regular file");
        assert!(matches!(Sys::live().read("/proc/self/task"), Err(Error::Malformed(_))));
        assert!(Sys::live().read("/proc/self/stat").is_ok_and(|bytes| !bytes.is_empty()), "its size is 0");
    }

    #[test]
    fn what_is_read_is_bounded() {
        let folder = Folder::new("bounds");
        let sys = Sys::at(&folder.0);
        let sparse = |name: &str, length: u64| {
            fs::File::create(folder.0.join(name)).and_then(|file| file.set_len(length)).expect("a sparse file");
        };
        sparse("huge", 1 << 40);
        sparse("most", MOST_BYTES);
        fs::write(folder.0.join("lines"), "a\n\nb").expect("a file");
        for outcome in
            [sys.read("huge").map(drop), sys.read_text("huge").map(drop), sys.read_at_most("lines", 3).map(drop)]
        {
            assert!(matches!(&outcome, Err(Error::Malformed(what)) if what.contains("larger than")), "{outcome:?}");
        }
        assert!(matches!(sys.lines("huge", |_| Ok(())), Err(Error::Malformed(_))), "one line without end");
        assert_eq!(sys.read("most").map(|bytes| bytes.len() as u64), Ok(MOST_BYTES));
        assert_eq!(sys.read_at_most("lines", 4), Ok(b"a\n\nb".to_vec()));
        let mut lines = Vec::new();
        let each = |line: &[u8]| {
            lines.push(line.to_vec());
            Ok(())
        };
        sys.lines("lines", each).expect("it is read");
        assert_eq!(lines, [&b"a"[..], b"", b"b"]);
        let read = sys.meter().bytes();
        let mut file = sys.open("huge").expect("it opens");
        assert_eq!(file.read(&mut [0; 4096]).expect("a piece"), 4096);
        assert_eq!(sys.meter().bytes() - read, 4096, "reading in pieces has no limit");
    }

    #[test]
    fn an_error_in_the_middle_of_a_folder_keeps_what_came_before_and_is_an_error() {
        let entries = [Ok(Some(1)), Ok(None), Ok(Some(2)), Err(io::Error::from(Errno::IO)), Ok(Some(3))];
        let (good, error) = up_to_error(Path::new("/x"), entries.into_iter());
        assert_eq!(good, [1, 2]);
        assert!(matches!(error, Some(Error::Io { .. })), "{error:?}");
        assert_eq!(up_to_error(Path::new("/x"), [Ok(Some(1))].into_iter()), (vec![1], None));
    }

    #[test]
    fn a_root_inside_a_root_does_not_leave_it() {
        let folder = Folder::new("nested");
        let root = folder.0.join("host");
        fs::create_dir_all(root.join("layers/1/etc")).expect("a folder");
        fs::create_dir_all(folder.0.join("layers/1")).expect("a folder outside");
        fs::write(root.join("layers/1/etc/passwd"), "inner").expect("a file");
        fs::write(root.join("passwd"), "outer").expect("a file");
        symlink("/layers/1", root.join("current")).expect("a link");
        symlink("../../../../../passwd", root.join("layers/1/etc/up")).expect("a link");
        let host = Sys::at(&root);
        let inner = host.below("/current").expect("it is there");
        assert_eq!(inner.read_text("/etc/passwd").as_deref(), Ok("inner"), "the link is the host's, not the program's");
        assert_eq!(inner.read_text("/etc/up"), Err(Error::Gone("/etc/up".into())));
        assert_eq!(inner.canonicalize("/etc/passwd"), Ok(PathBuf::from("/etc/passwd")));
        assert_eq!(&*inner.root_name(), root.join("current").to_str().expect("UTF-8"));
        let innermost = inner.below("etc").expect("it is there");
        assert_eq!(innermost.read_text("passwd").as_deref(), Ok("inner"));
        assert!(matches!(host.below("/passwd"), Err(Error::Gone(_))), "not a folder");
        assert!(matches!(host.below("/none"), Err(Error::Gone(_))));
        // A held directory does not change.
        fs::rename(root.join("layers"), root.join("moved")).expect("renamed");
        assert_eq!(inner.read_text("/etc/passwd").as_deref(), Ok("inner"));
    }

    #[test]
    fn sockets_are_found_inside_the_root() {
        let folder = Folder::new("sockets");
        symlink("/run", folder.0.join("var-run")).expect("a link");
        let listener = std::os::unix::net::UnixListener::bind(folder.0.join("run/engine")).expect("a socket");
        fs::write(folder.0.join("run/file"), "").expect("a file");
        let sys = Sys::at(&folder.0);
        let socket = sys.unix_socket("/var-run/engine").expect("it is found");
        std::os::unix::net::UnixStream::connect(socket.path()).expect("it listens");
        listener.accept().expect("it was called");
        assert!(matches!(sys.unix_socket("/run/file"), Err(Error::Malformed(_))));
        assert!(matches!(sys.unix_socket("/run/none"), Err(Error::Gone(_))));
        let own = Sys::live().unix_socket(folder.0.join("run/engine")).expect("it is found");
        assert!(std::os::unix::net::UnixStream::connect(own.path()).is_ok());
    }

    #[test]
    fn a_held_process_is_gone_when_it_ended() {
        let mut child = std::process::Command::new("sh");
        child.args(["-c", "echo started; exec sleep 600"]).stdout(std::process::Stdio::piped());
        let mut child = child.spawn().expect("sh starts");
        // Until its first output, it may still close the descriptors that it inherited.
        let mut output = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
        std::io::BufRead::read_line(&mut output, &mut String::new()).expect("it writes");
        let path = format!("/proc/{}", child.id());
        let folder = Sys::live().process_folder(&path);
        let mut open = folder.open("stat").expect("it runs");
        let mut links = Vec::new();
        folder.links("fd", |name, target| links.push((name.to_owned(), target))).expect("it runs");
        links.sort_by(|one, other| one.0.cmp(&other.0));
        let read = |(name, _): &(String, _)| (name.clone(), folder.read_link(&format!("fd/{name}")));
        assert_eq!(links, links.iter().map(read).collect::<Vec<_>>());
        assert!(links.len() >= 3 && links.iter().all(|(_, target)| target.is_ok()), "{links:?}");
        assert!(folder.is_alive() && folder.read_link("exe").is_ok() && folder.read_dir("fd").is_ok());
        child.kill().expect("changed mode");
        child.wait().expect("it ends");
        let is_gone = |outcome: Result<()>| assert!(matches!(outcome, Err(Error::Gone(_))), "{outcome:?}");
        let gone = || {
            is_gone(folder.open("stat").map(drop));
            is_gone(folder.read_link("exe").map(drop));
            is_gone(folder.read_dir("fd").map(drop));
            is_gone(folder.links("fd", |_, _| {}));
            is_gone(folder.metadata("exe").map(drop));
            assert!(!folder.is_alive());
        };
        gone();
        is_gone(open.read_rest(Path::new("stat"), &mut Vec::new(), 1000));
    }

    #[test]
    fn text_that_is_not_utf_8_is_noted() {
        let sys = Sys::live();
        assert_eq!(sys.text("caf\u{e9} \u{fffd}".as_bytes()), "caf\u{e9} \u{fffd}");
        assert_eq!(sys.path_text("caf\u{e9}"), "caf\u{e9}");
        assert!(!sys.meter().is_lossy());
        assert_eq!(sys.text(b"caf\xe9"), "caf\u{fffd}");
        assert!(sys.meter().is_lossy());
    }

    #[test]
    fn a_folder_is_the_running_machine_only_if_the_kernel_says_so() {
        let folder = Folder::new("kernel");
        fs::create_dir_all(folder.0.join("proc/sys/kernel/random")).expect("a folder");
        let id = "proc/sys/kernel/random/boot_id";
        fs::copy(Path::new("/").join(id), folder.0.join(id)).expect("a copy of the kernel's file");
        let copy = Sys::of_root(&folder.0);
        assert!(!copy.has_live_kernel() && !copy.is_live());
        assert!(matches!(copy.require_live("x"), Err(Error::Unsupported(_))));
        assert!(Sys::of_root("/").is_live());
        assert!(matches!(copy.run(&Program::new("`true`", "true")), Err(Error::Unsupported(_))));
        assert_eq!(copy.own_process(), "/proc/self");
    }
}
