//! `process_deleted_files`: one row per process and deleted file that it runs or maps.

use std::collections::BTreeMap;

use indago_table::prelude::*;

use crate::source::maps::{self, DELETED};
use crate::source::procfs::{self, text};

/// Deleted or replaced programs and libraries that processes still run.
///
/// After an update they mean that a process must be restarted. Without one they can be malware that removed its file.
/// Deleted files that a process only holds open are in `process_open_files`.
#[derive(Debug, Default, Table)]
#[table(
    name = "process_deleted_files",
    platforms("linux"),
    rows = 50,
    needs("CAP_SYS_PTRACE"),
    identity(pid, path, device, inode)
)]
#[example(
    "Processes whose program was deleted.",
    "SELECT pid, name, d.path FROM process_deleted_files AS d JOIN processes USING (pid) WHERE is_program"
)]
#[example(
    "Programs that run only from memory.",
    "SELECT pid, path FROM process_deleted_files WHERE is_memory AND is_executable"
)]
pub struct ProcessDeletedFile {
    /// Process ID.
    #[column(index)]
    pid: i64,
    /// Path that the file had, without the kernel's mark.
    path: String,
    /// Device of the file, major and minor number in hexadecimal.
    device: String,
    /// Inode of the file.
    inode: i64,
    /// Whether the process runs it as its program.
    is_program: bool,
    /// Whether any part of it is mapped as code.
    is_executable: bool,
    /// Whether it never had a path: shared memory, or a file of `memfd_create`.
    is_memory: bool,
    /// Bytes that are mapped.
    mapped_size: i64,
}

impl Rows for ProcessDeletedFile {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        let pids = procfs::asked(scan.sys(), scan.keys(Self::PID), report)?;
        Ok(pids.into_iter().flat_map(move |pid| {
            files(scan.sys(), pid, report).unwrap_or_else(|error| {
                scan.report("maps", &error);
                Vec::new()
            })
        }))
    }
}

fn files(sys: &Sys, pid: i64, report: impl Fn(&str, &Error)) -> Result<Vec<ProcessDeletedFile>> {
    let folder = procfs::folder(sys, pid);
    let program = procfs::link(&folder, "exe").unwrap_or_else(|error| {
        report("exe", &error);
        None
    });
    let program = program.map(|path| path.into_os_string().into_encoded_bytes());
    let mut files: BTreeMap<(Vec<u8>, Vec<u8>, i64), ProcessDeletedFile> = BTreeMap::new();
    for line in procfs::lines(&folder, "maps")? {
        // Rows found before an error stay.
        let line = match line {
            Ok(line) => line,
            Err(error) if error.ends_query() => return Err(error),
            Err(error) => {
                report("maps", &error);
                break;
            }
        };
        let Some(mapping) = maps::parse(&line) else {
            report("maps", &maps::bad_line(pid, &line));
            continue;
        };
        let Some(path) = mapping.path.strip_suffix(DELETED).filter(|_| mapping.inode != 0) else { continue };
        // A file's own name can end this way.
        if sys.has_live_kernel() && is_file(&folder, mapping) {
            continue;
        }
        let key = (path.to_vec(), mapping.device.to_vec(), mapping.inode);
        let file = files.entry(key).or_insert_with(|| ProcessDeletedFile {
            pid,
            path: text(path),
            device: text(mapping.device),
            inode: mapping.inode,
            is_program: program.as_deref() == Some(mapping.path),
            is_memory: is_memory(path),
            ..ProcessDeletedFile::default()
        });
        file.is_executable |= mapping.permissions.get(2) == Some(&b'x');
        let size = maps::hexadecimal(mapping.end).zip(maps::hexadecimal(mapping.start));
        let size = size.and_then(|(end, start)| i64::try_from(end.checked_sub(start)?).ok()).unwrap_or(0);
        file.mapped_size = file.mapped_size.saturating_add(size);
    }
    Ok(files.into_values().collect())
}

/// Whether the complete path, with the suffix, is the mapped file as the process sees it.
fn is_file(folder: &indago_table::sys::ProcessFolder, mapping: maps::Mapping<'_>) -> bool {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;
    let inside = [OsStr::new("root"), OsStr::from_bytes(mapping.path)].join(OsStr::new(""));
    let inode = folder.metadata(inside).ok().and_then(|found| i64::try_from(found.ino()).ok());
    inode == Some(mapping.inode)
}

fn is_memory(path: &[u8]) -> bool {
    [&b"/memfd:"[..], b"/dev/zero", b"/SYSV", b"/dev/shm/"].iter().any(|prefix| path.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_lines_are_reported_and_the_others_have_rows() {
        let root = tempfile::tempdir().expect("a directory");
        let folder = root.path().join("proc/7");
        std::fs::create_dir_all(&folder).expect("a directory");
        let line = |name: &str| format!("1000-3000 r-xp 00000000 08:01 5 /opt/{name} (deleted)\n");
        let maps = format!("{}garbage\n{}{}", line("a"), line("b"), "x".repeat(1 << 20));
        std::fs::write(folder.join("maps"), maps).expect("a file");
        let reported = std::cell::RefCell::new(Vec::new());
        let report = |_: &str, error: &Error| reported.borrow_mut().push(error.to_string());
        let found = files(&Sys::at(root.path()), 7, report).expect("readable");
        let found: Vec<_> = found.iter().map(|file| (&*file.path, file.mapped_size)).collect();
        assert_eq!(found, [("/opt/a", 0x2000), ("/opt/b", 0x2000)]);
        let expected = ["/proc/7/maps has a malformed line: garbage", "/proc/7/maps has a line that is too long"];
        assert_eq!(reported.take(), expected);
    }
}
