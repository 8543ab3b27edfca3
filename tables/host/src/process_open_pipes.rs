//! `process_open_pipes`: one row per pair of ends of a pipe.

use std::collections::HashMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::Arc;

use indago_table::namespace_inode;
use indago_table::prelude::*;

use crate::process_open_files::access;
use crate::source::procfs::{self, PTRACE};

/// Pipes between processes: each descriptor of a pipe, with each descriptor that is another end of it.
///
/// The ends of a pipe are a descriptor that reads and one that writes. An end without another one that can be seen has
/// one row, whose partner is NULL.
#[derive(Debug, Default, Table)]
#[table(
    name = "process_open_pipes",
    platforms("linux"),
    rows = 500,
    needs("CAP_SYS_PTRACE"),
    identity(pid, fd, partner_pid, partner_fd)
)]
#[example(
    "Which processes write to which.",
    "SELECT DISTINCT w.name AS writer, r.name AS reader FROM process_open_pipes AS p JOIN processes AS w ON w.pid = p.pid JOIN processes AS r ON r.pid = p.partner_pid WHERE p.mode = 'w'"
)]
pub struct ProcessOpenPipe {
    /// Process ID.
    pid: i64,
    /// Number of the descriptor.
    fd: i64,
    /// How it was opened: `r`, `w` or `rw`.
    mode: Option<String>,
    /// Inode of the pipe.
    inode: i64,
    /// `anonymous` for a pipe of a program, `named` for a FIFO with a path.
    r#type: String,
    /// Process with another end of the pipe.
    partner_pid: Option<i64>,
    /// Number of that process's descriptor.
    partner_fd: Option<i64>,
    /// How that descriptor was opened.
    partner_mode: Option<String>,
}

/// One descriptor of a pipe.
#[derive(Debug, Clone, Copy)]
struct End {
    pid: i64,
    fd: i64,
    mode: Option<&'static str>,
    pipe: Pipe,
}

/// Identifies a pipe. Inodes of named ones are unique only within their device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Pipe {
    device: Option<u64>,
    inode: u64,
}

impl Rows for ProcessOpenPipe {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        let mut held = scan.meter().hold(0)?;
        let mut ends = Vec::new();
        for pid in procfs::asked(scan.sys(), None, report)? {
            if let Err(error) = ends_of(scan.sys(), pid, &mut ends, report) {
                scan.report("descriptors", &error);
            }
            // The vector, the map of positions, and its lists.
            held.cover(ends.capacity() * (size_of::<End>() + 4 * size_of::<usize>()))?;
        }
        let mut of_pipe: HashMap<Pipe, Vec<usize>> = HashMap::new();
        for (position, end) in ends.iter().enumerate() {
            of_pipe.entry(end.pipe).or_default().push(position);
        }
        let ends = Arc::new(ends);
        Ok((0..ends.len()).flat_map(move |position| {
            let _until_the_last_row = &held;
            let end = ends[position];
            let all = of_pipe.get(&end.pipe).map_or(&[][..], Vec::as_slice).to_vec();
            let partners = all.into_iter().filter_map({
                let ends = ends.clone();
                move |other| Some(ends[other]).filter(|partner| other != position && is_partner(end, *partner))
            });
            let mut partners = partners.peekable();
            let alone = partners.peek().is_none().then(|| row(end, None));
            partners.map(move |partner| row(end, Some(partner))).chain(alone)
        }))
    }
}

/// Whether what one end writes can be read at the other.
fn is_partner(end: End, other: End) -> bool {
    !matches!((end.mode, other.mode), (Some("r"), Some("r")) | (Some("w"), Some("w")))
}

fn row(end: End, partner: Option<End>) -> ProcessOpenPipe {
    let kind = if end.pipe.device.is_some() { "named" } else { "anonymous" };
    ProcessOpenPipe {
        pid: end.pid,
        fd: end.fd,
        mode: end.mode.map(str::to_owned),
        inode: i64::try_from(end.pipe.inode).unwrap_or(i64::MAX),
        r#type: kind.to_owned(),
        partner_pid: partner.map(|partner| partner.pid),
        partner_fd: partner.map(|partner| partner.fd),
        partner_mode: partner.and_then(|partner| partner.mode).map(str::to_owned),
    }
}

fn ends_of(sys: &Sys, pid: i64, ends: &mut Vec<End>, report: impl Fn(&str, &Error)) -> Result<()> {
    let folder = procfs::folder(sys, pid);
    for fd in procfs::descriptors(&folder)? {
        let pipe = (|| {
            let target = folder.read_link(&format!("fd/{fd}")).needs(PTRACE)?;
            if target.as_os_str().as_encoded_bytes().starts_with(b"pipe:[") {
                let inode = namespace_inode(&target).and_then(|inode| inode.parse().ok());
                return Ok(inode.map(|inode| Pipe { device: None, inode }));
            }
            if !target.is_absolute() || !sys.has_live_kernel() {
                return Ok(None);
            }
            let found = folder.metadata(format!("fd/{fd}")).needs(PTRACE)?;
            let is_fifo = found.file_type().is_fifo();
            Ok(is_fifo.then(|| Pipe { device: Some(found.dev()), inode: found.ino() }))
        })();
        let pipe = match pipe {
            Ok(Some(pipe)) => pipe,
            Ok(None) => continue,
            Err(error) => {
                report("descriptors", &error);
                continue;
            }
        };
        let mode = procfs::with_bytes(&folder, &format!("fdinfo/{fd}"), |bytes| {
            let mut lines = bytes.split(|byte| *byte == b'\n');
            Ok(lines.find_map(|line| access(line.strip_prefix(b"flags:")?.trim_ascii())))
        });
        let mode = mode.unwrap_or_else(|error| {
            report("mode", &error);
            None
        });
        ends.push(End { pid, fd, mode, pipe });
    }
    Ok(())
}
