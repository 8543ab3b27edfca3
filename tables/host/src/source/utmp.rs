//! `utmp` and `wtmp`: records of logins, of a fixed size.

use std::path::Path;

use indago_table::prelude::*;

use super::procfs::note_lossy;

/// Size of a record of glibc on all 64-bit machines but those that pad it: 32-bit times.
const SIZE: usize = 384;

/// `USER_PROCESS`: a session of a user.
pub(crate) const USER_PROCESS: i64 = 7;
/// `DEAD_PROCESS`: the end of a session.
pub(crate) const DEAD_PROCESS: i64 = 8;

/// One record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: i64,
    pub(crate) pid: i64,
    pub(crate) line: String,
    pub(crate) user: String,
    pub(crate) host: String,
    /// Seconds since 1970.
    pub(crate) time: i64,
}

/// The records of a file, in its order. An incomplete record at the end is reported.
pub(crate) fn records(sys: &Sys, path: &Path, report: &dyn Fn(&Error)) -> Result<impl Iterator<Item = Record> + use<>> {
    let bytes = sys.read(path)?;
    let held = sys.meter().hold(bytes.len())?;
    let rest = bytes.len() % SIZE;
    if rest > 0 {
        let what = format!("{} ends with {rest} bytes that are not a complete record", path.display());
        report(&Error::Malformed(what));
    }
    for record in bytes.chunks_exact(SIZE) {
        [LINE, USER, HOST].into_iter().for_each(|field| note_lossy(sys, until_nul(&record[field])));
    }
    Ok((0..bytes.len() / SIZE).map(move |number| {
        let _until_the_last_record = &held;
        parse(&bytes[number * SIZE..][..SIZE])
    }))
}

const LINE: std::ops::Range<usize> = 8..40;
const USER: std::ops::Range<usize> = 44..76;
const HOST: std::ops::Range<usize> = 76..332;

/// A record of exactly its size.
fn parse(record: &[u8]) -> Record {
    let number = |at: usize| record.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    let text = |range| String::from_utf8_lossy(until_nul(&record[range])).into_owned();
    Record {
        kind: i16::from_ne_bytes([record[0], record[1]]).into(),
        pid: number(4).unwrap_or_default().into(),
        line: text(LINE),
        user: text(USER),
        host: text(HOST),
        // Unsigned: the format counts until 2106.
        time: i64::from(number(340).unwrap_or_default() as u32),
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    /// A record as the C library writes it.
    pub(crate) fn record(kind: i16, pid: i32, [line, user, host]: [&str; 3], time: u32) -> Vec<u8> {
        let mut record = vec![0; SIZE];
        record[..2].copy_from_slice(&kind.to_ne_bytes());
        record[4..8].copy_from_slice(&pid.to_ne_bytes());
        record[8..8 + line.len()].copy_from_slice(line.as_bytes());
        record[44..44 + user.len()].copy_from_slice(user.as_bytes());
        record[76..76 + host.len()].copy_from_slice(host.as_bytes());
        record[340..344].copy_from_slice(&time.to_ne_bytes());
        record
    }

    #[test]
    fn records_are_read_and_a_rest_is_counted() {
        let mut bytes = record(7, 4711, ["pts/0", "ada", "192.0.2.1"], 1_700_000_000);
        bytes.extend(record(8, -1, [&"l".repeat(32), &"u".repeat(32), &"h".repeat(256)], u32::MAX));
        bytes.extend([1, 2, 3]);
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join("utmp"), &bytes).expect("a file");
        let reported = std::cell::RefCell::new(Vec::new());
        let report = |error: &Error| reported.borrow_mut().push(error.to_string());
        let records = records(&Sys::at(folder.path()), Path::new("/utmp"), &report).expect("it is read");
        let records: Vec<Record> = records.collect();
        assert_eq!(reported.take(), ["/utmp ends with 3 bytes that are not a complete record"]);
        let [login, end] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((login.kind, login.pid, login.time), (USER_PROCESS, 4711, 1_700_000_000));
        assert_eq!((login.line.as_str(), login.user.as_str(), login.host.as_str()), ("pts/0", "ada", "192.0.2.1"));
        assert_eq!((end.kind, end.pid, end.time), (DEAD_PROCESS, -1, 4_294_967_295));
        assert_eq!((end.line.len(), end.user.len(), end.host.len()), (32, 32, 256), "full fields have no NUL");
        damaged(&bytes, |bytes| bytes.chunks_exact(SIZE).map(parse).count());
    }
}
