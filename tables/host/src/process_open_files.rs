//! `process_open_files`: one row per file descriptor of a process.

use std::sync::Arc;

use indago_table::prelude::*;
use indago_table::sys::ProcessFolder;

use crate::source::container::{self, InContainer};
use crate::source::procfs::{self, PTRACE, number};

/// Files that processes hold open, including devices. Sockets are in `process_open_sockets`.
#[derive(Debug, Default, Table)]
#[table(name = "process_open_files", platforms("linux"), rows = 2000, needs("CAP_SYS_PTRACE"), identity(pid, fd))]
#[example(
    "Deleted files that still use space.",
    "SELECT pid, fd, path FROM process_open_files WHERE path LIKE '% (deleted)'"
)]
pub struct ProcessOpenFile {
    /// Process ID.
    #[column(index)]
    pid: i64,
    /// Number of the descriptor.
    fd: i64,
    /// Path of the file as the kernel shows it: that of a deleted file ends in ` (deleted)`.
    path: String,
    /// How it was opened: `r`, `w` or `rw`.
    #[column(added, source = details, needs = "CAP_SYS_PTRACE")]
    access: Option<String>,
    /// Position of the next read or write, in bytes.
    #[column(volatile, added, source = details, needs = "CAP_SYS_PTRACE")]
    offset: Option<i64>,
    #[column(flatten)]
    place: InContainer,
    /// The process's files, shared by its rows.
    #[column(skip)]
    folder: Option<Arc<ProcessFolder>>,
}

impl Rows for ProcessOpenFile {
    /// Each process holds a descriptor.
    const TOGETHER: usize = procfs::TOGETHER;

    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        let pids = container::asked(
            scan.sys(),
            scan.keys(Self::PID),
            scan.keys(Self::PLACE.at(InContainer::CONTAINER_ID)),
            report,
        )?;
        let wants_place = scan.wants(Self::PLACE.at(InContainer::CONTAINER_ID));
        Ok(pids.into_iter().flat_map(move |pid| {
            let place = InContainer::of(scan.sys(), pid, wants_place, report);
            let files = files(scan.sys(), pid, place, report).map_err(|error| scan.report("descriptors", &error));
            files.into_iter().flatten()
        }))
    }
}

/// The open files of a process. A link is read when its row is needed.
fn files(
    sys: &Sys,
    pid: i64,
    place: InContainer,
    report: impl Fn(&str, &Error),
) -> Result<impl Iterator<Item = ProcessOpenFile>> {
    let folder = Arc::new(procfs::folder(sys, pid));
    let descriptors = procfs::descriptors(&folder)?.into_iter();
    Ok(descriptors.filter_map(move |fd| match folder.read_link(&format!("fd/{fd}")).needs(PTRACE) {
        Ok(target) => target.is_absolute().then(|| ProcessOpenFile {
            pid,
            fd,
            path: sys.path_text(target),
            place: place.clone(),
            folder: Some(folder.clone()),
            ..ProcessOpenFile::default()
        }),
        // A descriptor closed in the meantime has no row; `scan.report` drops `Gone`.
        Err(error) => {
            report("descriptors", &error);
            None
        }
    }))
}

impl ProcessOpenFile {
    fn details(&mut self, _sys: &Sys) -> Result<()> {
        let folder = self.folder.clone().expect("each row has its directory");
        let read = |bytes: &[u8]| {
            for line in bytes.split(|byte| *byte == b'\n') {
                if let Some(offset) = line.strip_prefix(b"pos:") {
                    self.offset = number(offset.trim_ascii());
                } else if let Some(flags) = line.strip_prefix(b"flags:") {
                    self.access = access(flags.trim_ascii()).map(str::to_owned);
                }
            }
            Ok(())
        };
        let outcome = procfs::with_bytes(&folder, &format!("fdinfo/{}", self.fd), read).needs(PTRACE);
        match outcome {
            // The descriptor was closed in the meantime; `fdinfo` itself exists.
            Err(Error::Unsupported(what)) if folder.metadata("fdinfo").is_ok() => Err(Error::Gone(what)),
            outcome => outcome,
        }
    }
}

/// Access mode, from the last octal digit of the flags.
pub(crate) fn access(flags: &[u8]) -> Option<&'static str> {
    match flags.last()? {
        b'0' | b'4' => Some("r"),
        b'1' | b'5' => Some("w"),
        b'2' | b'6' => Some("rw"),
        _ => None,
    }
}
