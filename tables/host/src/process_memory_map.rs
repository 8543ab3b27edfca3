//! `process_memory_map`: one row per part of a process's memory.

use indago_table::prelude::*;

use crate::source::maps;
use crate::source::procfs::{self, text};

/// Memory of processes: mapped programs and libraries, heap, stacks and shared memory.
///
/// Paths are as the kernel shows them: that of a deleted file ends in ` (deleted)`, and a line break is `\012`.
#[derive(Debug, Default, Table)]
#[table(name = "process_memory_map", platforms("linux"), rows = 20000, needs("CAP_SYS_PTRACE"), identity(pid, start))]
#[example(
    "Memory of a process that is writable and executable.",
    "SELECT start, \"end\", permissions, path FROM process_memory_map WHERE pid = 1 AND permissions LIKE 'rwx%'"
)]
#[example(
    "Processes that use a library.",
    "SELECT DISTINCT pid, path FROM process_memory_map WHERE path LIKE '%/libcrypto.so%'"
)]
pub struct ProcessMemoryMapping {
    /// Process ID.
    #[column(index)]
    pid: i64,
    /// First address, in hexadecimal with `0x`.
    start: String,
    /// Address after the last one, in hexadecimal with `0x`.
    end: String,
    /// `r`, `w` and `x`, or `-`; then `p` for private or `s` for shared.
    permissions: String,
    /// Position of the first byte in the mapped file; -1 if it does not fit.
    offset: i64,
    /// Device of the file, major and minor number in hexadecimal.
    device: String,
    /// Inode of the file; 0 if no file is mapped.
    inode: i64,
    /// Path of the file, or a name such as `[heap]`; empty for other memory.
    path: String,
    /// Whether the path is a name, not that of a file: 1 or 0.
    pseudo: i64,
}

impl Rows for ProcessMemoryMapping {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        let pids = procfs::asked(scan.sys(), scan.keys(Self::PID), report)?;
        Ok(pids.into_iter().flat_map(move |pid| {
            let folder = procfs::folder(scan.sys(), pid).for_one_file();
            let lines = procfs::lines(&folder, "maps");
            let lines = lines.map_err(|error| scan.report("maps", &error)).into_iter().flatten();
            lines.filter_map(move |line| {
                let row = line.and_then(|line| {
                    let mapping = maps::parse(&line).map(|mapping| row(pid, mapping));
                    mapping.ok_or_else(|| maps::bad_line(pid, &line))
                });
                row.map_err(|error| scan.report("maps", &error)).ok()
            })
        }))
    }
}

fn row(pid: i64, mapping: maps::Mapping<'_>) -> ProcessMemoryMapping {
    let address = |digits: &[u8]| format!("0x{}", text(digits));
    ProcessMemoryMapping {
        pid,
        start: address(mapping.start),
        end: address(mapping.end),
        permissions: text(mapping.permissions),
        offset: maps::hexadecimal(mapping.offset).and_then(|offset| i64::try_from(offset).ok()).unwrap_or(-1),
        device: text(mapping.device),
        inode: mapping.inode,
        pseudo: i64::from(mapping.inode == 0 && !mapping.path.is_empty()),
        path: text(mapping.path),
    }
}
