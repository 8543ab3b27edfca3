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
        Sys::from_machine(Machine {
            root: root.into(),
            is_live: false,
            clock: None,
            variables: Some(HashMap::new()),
        })
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
        Err(Error::Unsupported(format!("{what} can be asked of the running machine only, not of the files under {root}")))
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

    /// Bytes in a memory page.
    pub fn page_size(&self) -> i64 {
        rustix::param::page_size() as i64
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
        let outcome = if self.machine.is_live { read(path) } else { read(&self.path(path)) };
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
        self.reach(path.as_ref(), |path| fs::read_link(path))
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

    /// What the file system says of a file, links followed.
    pub fn metadata(&self, path: impl AsRef<Path>) -> Result<Metadata> {
        self.reach(path.as_ref(), |path| fs::metadata(path))
    }

    /// What the file system says of a file or link.
    pub fn symlink_metadata(&self, path: impl AsRef<Path>) -> Result<Metadata> {
        self.reach(path.as_ref(), |path| fs::symlink_metadata(path))
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
