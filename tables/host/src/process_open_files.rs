//! `process_open_files`: one row per descriptor that a process holds on a file.

use indago_table::prelude::*;

use crate::source::procfs::{self, PTRACE, number};

/// Files that processes hold open, devices included. Sockets have `process_open_sockets`.
#[derive(Debug, Default, Table)]
#[table(name = "process_open_files", platforms("linux"), rows = 2000, needs("CAP_SYS_PTRACE"))]
#[example(
    "Deleted files that still take up space.",
    "SELECT pid, fd, path FROM process_open_files WHERE path LIKE '% (deleted)'"
)]
pub struct ProcessOpenFile {
    /// Process ID.
    #[column(index)]
    pid: i64,
    /// Number of the descriptor.
    fd: i64,
    /// Path of the file, in the words of the kernel: a deleted one ends in ` (deleted)`.
    path: String,
    /// How it was opened: `r`, `w` or `rw`.
    #[column(added, source = details, needs = "CAP_SYS_PTRACE")]
    access: Option<String>,
    /// Position of the next read or write, in bytes.
    #[column(added, source = details, needs = "CAP_SYS_PTRACE")]
    offset: Option<i64>,
}

impl Rows for ProcessOpenFile {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let pids = procfs::asked(scan.sys(), scan.keys(Self::PID))?;
        Ok(pids.into_iter().flat_map(move |pid| {
            files(scan.sys(), pid).unwrap_or_else(|error| {
                scan.report("descriptors", &error);
                Vec::new()
            })
        }))
    }
}

fn files(sys: &Sys, pid: i64) -> Result<Vec<ProcessOpenFile>> {
    let folder = format!("/proc/{pid}/fd");
    let names = sys.read_dir(&folder).needs(PTRACE)?;
    let mut descriptors: Vec<i64> = names.iter().filter_map(|name| number(name.as_encoded_bytes())).collect();
    descriptors.sort_unstable();
    let mut files = Vec::new();
    for fd in descriptors {
        // A descriptor that was closed meanwhile is no row.
        let Some(target) = sys.read_link(format!("{folder}/{fd}")).if_present()? else { continue };
        if target.is_absolute() {
            let path = target.to_string_lossy().into_owned();
            files.push(ProcessOpenFile { pid, fd, path, ..ProcessOpenFile::default() });
        }
    }
    Ok(files)
}

impl ProcessOpenFile {
    fn details(&mut self, sys: &Sys) -> Result<()> {
        let path = format!("/proc/{}/fdinfo/{}", self.pid, self.fd);
        procfs::with_bytes(sys, &path, |bytes| {
            for line in bytes.split(|byte| *byte == b'\n') {
                if let Some(offset) = line.strip_prefix(b"pos:") {
                    self.offset = number(offset.trim_ascii());
                } else if let Some(flags) = line.strip_prefix(b"flags:") {
                    self.access = access(flags.trim_ascii()).map(str::to_owned);
                }
            }
            Ok(())
        })
        .needs(PTRACE)
    }
}

/// What the last octal digit of the flags says.
fn access(flags: &[u8]) -> Option<&'static str> {
    match flags.last()? {
        b'0' | b'4' => Some("r"),
        b'1' | b'5' => Some("w"),
        b'2' | b'6' => Some("rw"),
        _ => None,
    }
}
