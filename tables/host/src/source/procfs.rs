//! `/proc/<pid>`: the list of processes, and the files that describe one.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use indago_table::namespace_inode;
use indago_table::prelude::*;
use indago_table::sys::ProcessFolder;

/// Rows that may wait together if each holds a descriptor. A process may open 1024 by default, for all its queries.
pub(crate) const TOGETHER: usize = 32;

/// Most bytes read from one file about a process. The kernel starts no program with more than 6 MiB of arguments and
/// variables, but a process can declare any part of its memory as these.
const MOST_BYTES_OF_PROCESS: u64 = 8 << 20;

/// The capability that is needed to inspect other users' processes.
pub(crate) const PTRACE: &str = "CAP_SYS_PTRACE";

/// IDs of all processes, ascending. A `/proc` without any is an error: it is not mounted. If the kernel hides processes
/// from the caller, that is reported.
pub(crate) fn pids(sys: &Sys, report: impl Fn(&str, &Error)) -> Result<Vec<i64>> {
    let names = required(sys.read_dir("/proc"))?;
    let pids = names.iter().filter_map(|name| number(name.as_encoded_bytes()));
    let mut pids: Vec<i64> = pids.filter(|pid| *pid > 0).collect();
    pids.sort_unstable();
    match pids.first() {
        None => Err(Error::Unsupported("/proc has no processes; it is not mounted".to_owned())),
        // Every PID namespace has a process 1.
        Some(first) if *first > 1 && sys.has_live_kernel() => {
            let what = "/proc, whose mount option hidepid hides other users' processes".to_owned();
            report("processes", &Error::Denied { what, needs: Some(PTRACE.to_owned()) });
            Ok(pids)
        }
        Some(_) => Ok(pids),
    }
}

/// The processes that a scan reads: those of its keys that exist, or all.
pub(crate) fn asked(sys: &Sys, keys: Option<Vec<i64>>, report: impl Fn(&str, &Error)) -> Result<Vec<i64>> {
    let Some(mut keys) = keys else { return pids(sys, report) };
    keys.retain(|pid| *pid > 0);
    keys.sort_unstable();
    keys.dedup();
    let wanted = keys.len();
    keys.retain(|pid| is_process(sys, *pid));
    // Missing keys are normal, unless `/proc` itself is the problem: then `pids` returns the error.
    if keys.len() < wanted && !sys.exists("/proc/1") {
        pids(sys, report)?;
    }
    Ok(keys)
}

/// Whether such a process exists. The kernel also accepts the ID of a thread, although it never lists it.
fn is_process(sys: &Sys, pid: i64) -> bool {
    match status(&folder(sys, pid).for_one_file()) {
        Ok(status) => status.thread_group.is_none_or(|leader| leader == pid),
        Err(Error::Gone(_)) => false,
        Err(_) => true,
    }
}

/// The directory of one process. Everything read through it belongs to that process, even if its ID is reused.
pub(crate) fn folder(sys: &Sys, pid: i64) -> ProcessFolder {
    sys.process_folder(format!("/proc/{pid}"))
}

/// Turns `Gone` into an error that is reported, for files that every machine has.
pub(crate) fn required<T>(outcome: Result<T>) -> Result<T> {
    outcome.map_err(|error| match error {
        Error::Gone(what) => Error::Unsupported(format!("{what} does not exist")),
        other => other,
    })
}

/// [`required`] for a process's file: the process may be gone itself.
pub(crate) fn required_of<T>(folder: &ProcessFolder, outcome: Result<T>) -> Result<T> {
    match outcome {
        Err(Error::Gone(what)) if !folder.is_alive() => Err(Error::Gone(what)),
        outcome => required(outcome),
    }
}

/// Passes the bytes of a small file to `take`. One open, one read, one close: `/proc` returns a file in one read if the
/// buffer is large enough, so only a full buffer needs another read.
pub(crate) fn with_bytes<T>(folder: &ProcessFolder, name: &str, take: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    let mut buffer = [0; 4096];
    let mut whole = Vec::new();
    let mut read = || {
        let mut file = folder.open(name)?;
        let length = file.read(&mut buffer).map_err(|error| folder.read_error(name, &error))?;
        if length == buffer.len() {
            whole.extend(buffer);
            file.read_rest(&folder.path().join(name), &mut whole, MOST_BYTES_OF_PROCESS)?;
        }
        Ok(length)
    };
    let length = match read() {
        // The file exists, but its subject does not: a kernel thread has no variables.
        Err(Error::Gone(what)) if folder.metadata(name).is_ok() => return Err(Error::Gone(what)),
        outcome => required_of(folder, outcome)?,
    };
    let bytes = if whole.is_empty() { &buffer[..length] } else { &whole };
    note_lossy(folder.sys(), bytes);
    take(bytes)
}

/// Numbers of the descriptors of a process, ascending.
pub(crate) fn descriptors(folder: &ProcessFolder) -> Result<Vec<i64>> {
    let names = required_of(folder, folder.read_dir("fd").needs(PTRACE))?;
    let mut descriptors: Vec<i64> = names.iter().filter_map(|name| number(name.as_encoded_bytes())).collect();
    descriptors.sort_unstable();
    Ok(descriptors)
}

/// Longest line that is read from a file about a process: a path, escaped, and what stands before it.
const LONGEST_LINE: u64 = 64 << 10;

/// The lines of a file that may be long, without their ends. They are read as they are taken.
pub(crate) fn lines(folder: &ProcessFolder, name: &str) -> Result<impl Iterator<Item = Result<Vec<u8>>> + use<>> {
    let file = required_of(folder, folder.open(name).needs(PTRACE))?;
    let (sys, path) = (folder.sys().clone(), folder.path().join(name));
    let mut file = BufReader::with_capacity(16 << 10, file);
    let mut is_done = false;
    Ok(std::iter::from_fn(move || {
        let mut line = Vec::new();
        if is_done {
            return None;
        }
        match file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
            }
            Ok(length) if length as u64 == LONGEST_LINE => {
                is_done = true;
                return Some(Err(Error::Malformed(format!("{} has a line that is too long", path.display()))));
            }
            Ok(_) => {}
            Err(error) => {
                is_done = true;
                return Some(Err(sys.read_error(&path, &error)));
            }
        }
        note_lossy(&sys, &line);
        Some(Ok(line))
    }))
}

/// Notes that columns may show text that was not UTF-8.
pub(crate) fn note_lossy(sys: &Sys, bytes: &[u8]) {
    if std::str::from_utf8(bytes).is_err() {
        sys.meter().note_lossy();
    }
}

/// Text from any bytes: anything that is not UTF-8 becomes U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> String {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    }
}

/// A decimal number, without anything after it.
pub(crate) fn number(bytes: &[u8]) -> Option<i64> {
    let (digits, sign) = match bytes.split_first()? {
        (b'-', digits) => (digits, -1),
        _ => (bytes, 1),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(sign * value)
}

/// `/proc/<pid>/stat`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) name: String,
    pub(crate) state: char,
    pub(crate) parent: i64,
    pub(crate) group: i64,
    pub(crate) session: i64,
    pub(crate) terminal: i64,
    pub(crate) flags: i64,
    pub(crate) user_ticks: i64,
    pub(crate) system_ticks: i64,
    pub(crate) nice: i64,
    pub(crate) threads: i64,
    pub(crate) start_ticks: i64,
}

pub(crate) fn stat(folder: &ProcessFolder) -> Result<Stat> {
    with_bytes(folder, "stat", |bytes| {
        let path = folder.path().display();
        parse_stat(bytes).ok_or_else(|| Error::Malformed(format!("{path}/stat is malformed")))
    })
}

fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    // A name may contain blanks and parentheses, so it ends at the last parenthesis.
    let open = memchr::memchr(b'(', bytes)?;
    let close = memchr::memrchr(b')', bytes)?;
    let name = text(bytes.get(open + 1..close)?);
    let mut fields = bytes.get(close + 1..)?.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let state = char::from(*fields.next()?.first()?);
    let mut stat = Stat { name, state, ..Stat::default() };
    // The manual counts fields from 1; the state is the third. Field 23 shows that field 22 is complete.
    for position in 4..=23 {
        let field = fields.next()?;
        let place = match position {
            4 => &mut stat.parent,
            5 => &mut stat.group,
            6 => &mut stat.session,
            7 => &mut stat.terminal,
            9 => &mut stat.flags,
            14 => &mut stat.user_ticks,
            15 => &mut stat.system_ticks,
            19 => &mut stat.nice,
            20 => &mut stat.threads,
            22 => &mut stat.start_ticks,
            _ => continue,
        };
        // An unsigned number beyond our range saturates.
        *place = number(field).or_else(|| field.iter().all(u8::is_ascii_digit).then_some(i64::MAX))?;
    }
    Some(stat)
}

/// The IDs of a user or group: real, effective, saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) real: i64,
    pub(crate) effective: i64,
    pub(crate) saved: i64,
}

/// `/proc/<pid>/status`; lines that the kernel does not write are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) name: Option<String>,
    pub(crate) state: Option<char>,
    pub(crate) parent: Option<i64>,
    pub(crate) threads: Option<i64>,
    pub(crate) virtual_bytes: Option<i64>,
    pub(crate) resident_bytes: Option<i64>,
    pub(crate) thread_group: Option<i64>,
    pub(crate) tracer: Option<i64>,
    pub(crate) user: Option<Identity>,
    pub(crate) group: Option<Identity>,
    pub(crate) innermost_pid: Option<i64>,
    pub(crate) capabilities: Option<String>,
    pub(crate) no_new_privileges: Option<i64>,
    pub(crate) seccomp: Option<i64>,
}

pub(crate) fn status(folder: &ProcessFolder) -> Result<Status> {
    with_bytes(folder, "status", |bytes| Ok(parse_status(bytes)))
}

fn parse_status(bytes: &[u8]) -> Status {
    let mut status = Status::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let value = line[colon + 1..].trim_ascii();
        match &line[..colon] {
            b"Name" => status.name = line.get(colon + 2..).map(unescaped),
            b"State" => status.state = value.first().copied().map(char::from),
            b"PPid" => status.parent = number(value),
            b"Threads" => status.threads = number(value),
            b"VmSize" => status.virtual_bytes = kibibytes(value),
            b"VmRSS" => status.resident_bytes = kibibytes(value),
            b"Tgid" => status.thread_group = number(value),
            b"TracerPid" => status.tracer = number(value),
            b"Uid" => status.user = identity(value),
            b"Gid" => status.group = identity(value),
            b"NSpid" => status.innermost_pid = value.rsplit(u8::is_ascii_whitespace).next().and_then(number),
            b"CapEff" => status.capabilities = Some(text(value)),
            b"NoNewPrivs" => status.no_new_privileges = number(value),
            b"Seccomp" => status.seccomp = number(value),
            _ => {}
        }
    }
    status
}

/// The name as `stat` and `comm` show it. Only `status` escapes a backslash, and a line break as `\n`.
fn unescaped(name: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.iter();
    while let Some(byte) = rest.next() {
        match (byte, rest.as_slice().first()) {
            (b'\\', Some(b'\\')) => bytes.push(b'\\'),
            (b'\\', Some(b'n')) => bytes.push(b'\n'),
            _ => {
                bytes.push(*byte);
                continue;
            }
        }
        rest.next();
    }
    text(&bytes)
}

fn kibibytes(value: &[u8]) -> Option<i64> {
    number(value.strip_suffix(b" kB")?)?.checked_mul(1024)
}

fn identity(value: &[u8]) -> Option<Identity> {
    let mut numbers = value.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty()).map(number);
    Some(Identity { real: numbers.next()??, effective: numbers.next()??, saved: numbers.next()?? })
}

/// `/proc/<pid>/io`: bytes read from storage and bytes written to it, without those that a truncation discarded before
/// they were written.
pub(crate) fn io(folder: &ProcessFolder) -> Result<(i64, i64)> {
    with_bytes(folder, "io", |bytes| {
        let value = |key: &[u8]| {
            let mut lines = bytes.split(|byte| *byte == b'\n');
            lines.find_map(|line| number(line.strip_prefix(key)?.trim_ascii()))
        };
        let cancelled = value(b"cancelled_write_bytes:").unwrap_or(0);
        let both = value(b"read_bytes:").zip(value(b"write_bytes:").map(|written: i64| written - cancelled));
        both.ok_or_else(|| Error::Malformed(format!("{}/io has no byte counts", folder.path().display())))
    })
}

/// The NUL-terminated texts of a file: `cmdline`, `environ`.
pub(crate) fn texts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let nothing = bytes.is_empty();
    bytes.split(|byte| *byte == 0).filter(move |_| !nothing)
}

/// Target of a link below `/proc/<pid>`; `None` if the process has none: a kernel thread has no program, and a zombie
/// has no directory.
pub(crate) fn link(folder: &ProcessFolder, name: &str) -> Result<Option<PathBuf>> {
    match folder.read_link(name).needs(PTRACE) {
        Err(Error::Gone(what)) if !folder.is_alive() => Err(Error::Gone(what)),
        outcome => outcome.if_present(),
    }
}

/// A namespace of a process, as its inode number; `None` for a zombie, and if the kernel lacks this kind of namespace.
pub(crate) fn namespace(folder: &ProcessFolder, kind: &str) -> Result<Option<String>> {
    let Some(target) = link(folder, &format!("ns/{kind}"))? else {
        required_of(folder, folder.metadata("ns"))?;
        return Ok(None);
    };
    match namespace_inode(&target) {
        Some(inode) => Ok(Some(inode)),
        None => {
            let (path, target) = (folder.path().display(), target.display());
            Err(Error::Malformed(format!("{path}/ns/{kind} points to {target}, which is not a namespace")))
        }
    }
}

/// The cgroup of a process: in the unified hierarchy if it is in use, else in systemd's named hierarchy, else the
/// longest path.
pub(crate) fn cgroup(folder: &ProcessFolder) -> Result<String> {
    with_bytes(folder, "cgroup", |bytes| match pick_cgroup(bytes) {
        Some(group) => Ok(text(group)),
        None => Err(Error::Malformed(format!("{}/cgroup lists no control group", folder.path().display()))),
    })
}

fn pick_cgroup(bytes: &[u8]) -> Option<&[u8]> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let groups = lines.filter_map(|line| {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let rank = match controllers {
            b"" => 2,
            b"name=systemd" => 1,
            _ => 0,
        };
        // Hybrid machines have every hierarchy; in unused ones the path is `/`.
        Some((path != b"/", rank, path.len(), path))
    });
    groups.max_by_key(|(is_used, rank, length, _)| (*is_used, *rank, *length)).map(|(.., path)| path)
}

/// Boot time, in seconds since 1970.
pub(crate) fn boot_time(sys: &Sys) -> Result<i64> {
    let bytes = required(sys.read("/proc/stat"))?;
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let time = lines.find_map(|line| number(line.strip_prefix(b"btime ")?.trim_ascii()));
    time.ok_or_else(|| Error::Malformed("/proc/stat has no line btime".into()))
}

/// The name of a terminal by its device number; `None` for 0.
pub(crate) fn terminal(device: i64) -> Option<String> {
    if device == 0 {
        return None;
    }
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    Some(match (major, minor) {
        (4, 0..=63) => format!("tty{minor}"),
        (4, _) => format!("ttyS{}", minor - 64),
        (136..=143, _) => format!("pts/{}", (major - 136) * 256 + minor),
        _ => format!("{major}:{minor}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "S 1 2 3 34816 5 4194560 7 8 9 10 11 12 13 14 20 -5 3 0 77 4096 6 18446744073709551615 1";

    #[test]
    fn stat_is_read_by_position() {
        let names = ["init", "a b", "(sd-pam)", "a) S 9 (b", "", "\u{fffd}"];
        for name in names {
            let stat = parse_stat(format!("42 ({name}) {TAIL}").as_bytes()).expect("whole");
            assert_eq!(stat.name, name);
            assert_eq!((stat.state, stat.parent, stat.group, stat.session), ('S', 1, 2, 3));
            assert_eq!((stat.user_ticks, stat.system_ticks), (11, 12));
            assert_eq!((stat.nice, stat.threads, stat.start_ticks), (-5, 3, 77));
            assert_eq!(terminal(stat.terminal).as_deref(), Some("pts/0"));
        }
        let bytes = [b"42 (\xff\xfe) ", TAIL.as_bytes()].concat();
        assert_eq!(parse_stat(&bytes).expect("whole").name, "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_stat_cut_anywhere_is_no_stat() {
        let whole = format!("42 (name) {TAIL}");
        // The last needed field must end.
        let needed = whole.find(" 4096").expect("a field after the last needed one") + " 4".len();
        for end in 0..needed {
            assert_eq!(parse_stat(&whole.as_bytes()[..end]), None, "cut at {end}");
        }
        for noise in ["", ")(", "1 (a) S x", "1 (a)", "(((", "\0\0\0"] {
            assert_eq!(parse_stat(noise.as_bytes()), None, "{noise:?}");
        }
    }

    #[test]
    fn status_takes_the_lines_that_are_there() {
        let status = parse_status(b"Name:\ta: b \nState:\tZ (zombie)\nTgid:\t7\nPPid:\t1\nVmRSS:\t      12 kB\nThreads:\t3\nUid:\t1\t2\t3\t4\nGid:\t5\t6\nNSpid:\t7\t1\nCapEff:\t00ff\n");
        assert_eq!((status.name.as_deref(), status.state), (Some("a: b "), Some('Z')));
        assert_eq!((status.parent, status.threads), (Some(1), Some(3)));
        assert_eq!((status.virtual_bytes, status.resident_bytes), (None, Some(12 << 10)));
        assert_eq!(status.thread_group, Some(7));
        assert_eq!(status.user, Some(Identity { real: 1, effective: 2, saved: 3 }));
        assert_eq!(status.group, None, "cut in the middle");
        assert_eq!(status.innermost_pid, Some(1));
        assert_eq!(status.capabilities.as_deref(), Some("00ff"));
        assert_eq!(parse_status(b"\xff\n:::\nUid\n"), Status::default());
    }

    #[test]
    fn the_name_in_status_is_the_one_in_stat() {
        let names: [&[u8]; 7] = [b"a\\b", b"a\nb", b"\\n", b"\\\\", b"\\", b"tab\tx", b"\\t\xff"];
        for name in names {
            // The same escapes as the kernel's seq_escape_str.
            let escaped: Vec<u8> = name
                .iter()
                .flat_map(|byte| match byte {
                    b'\\' => b"\\\\".to_vec(),
                    b'\n' => b"\\n".to_vec(),
                    byte => vec![*byte],
                })
                .collect();
            let status = parse_status(&[b"Name:\t", &escaped[..], b"\nState:\tS (sleeping)\n"].concat());
            assert_eq!(status.name, Some(text(name)));
        }
    }

    #[test]
    fn numbers_are_exact() {
        for (bytes, value) in [
            (&b"0"[..], Some(0)),
            (b"-7", Some(-7)),
            (b"9223372036854775807", Some(i64::MAX)),
            (b"9223372036854775808", None),
            (b"", None),
            (b"-", None),
            (b"+1", None),
            (b"1 ", None),
            (b"\xff", None),
        ] {
            assert_eq!(number(bytes), value, "{bytes:?}");
        }
    }

    #[test]
    fn the_cgroup_that_says_most_is_taken() {
        for (file, path) in [
            ("0::/system.slice/a.service\n", Some("/system.slice/a.service")),
            ("12:cpu:/docker/abc\n1:name=systemd:/init.scope\n0::/\n", Some("/init.scope")),
            ("12:cpu:/docker/abc\n5:pids:/\n0::/\n", Some("/docker/abc")),
            ("3:cpu:/\n0::/\n", Some("/")),
            ("4:a:/with:colon\n", Some("/with:colon")),
            ("", None),
            ("garbage\n", None),
        ] {
            assert_eq!(pick_cgroup(file.as_bytes()).map(text).as_deref(), path, "{file:?}");
        }
    }

    #[test]
    fn texts_end_in_nul() {
        let split = |bytes: &'static [u8]| texts(bytes).map(text).collect::<Vec<_>>();
        assert_eq!(split(b"a\0b c\0"), ["a", "b c"]);
        assert_eq!(split(b"a\0\0b\0"), ["a", "", "b"]);
        assert_eq!(split(b"cut\0of"), ["cut", "of"]);
        assert_eq!(split(b"\xff\0"), ["\u{fffd}"]);
        assert_eq!(split(b""), [""; 0]);
    }

    #[test]
    fn terminals_have_names() {
        for (device, name) in
            [(0, None), (1025, Some("tty1")), (1088, Some("ttyS0")), (34817, Some("pts/1")), (35072, Some("pts/256"))]
        {
            assert_eq!(terminal(device).as_deref(), name, "{device}");
        }
    }
}
