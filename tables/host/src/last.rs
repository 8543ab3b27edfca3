//! `last`: one row per login and logout in `/var/log/wtmp` and its rotated files.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::source::texts::Texts;
use crate::source::utmp::{self, DEAD_PROCESS, Record, USER_PROCESS};

/// Logins and logouts, oldest file first, from `/var/log/wtmp` and the files that it was rotated to.
///
/// As in osquery's table, rows are of the types 7 and 8, unless the query constrains `type`: `type = 2` finds the
/// starts of the machine. Compressed rotations are not read.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "last", platforms("linux"), rows = 500, identity(file, username, tty, pid, r#type, time), namespaces)]
#[example(
    "The latest logins from other hosts.",
    "SELECT username, host, time FROM last WHERE type = 7 AND host != '' ORDER BY time DESC LIMIT 10"
)]
pub struct Last {
    /// Login name; empty for a logout.
    username: String,
    /// Terminal.
    tty: String,
    /// Process that led the session.
    pid: i64,
    /// Type of the record: 7 (a login) or 8 (a logout); 1 (a change of the runlevel) and 2 (a start of the machine)
    /// only if the query constrains this column.
    #[column(index, extends)]
    r#type: i64,
    /// Name of the type: `user-process`, `dead-process`, `run-level`, `boot-time`, ...
    type_name: String,
    /// Time of the record, in seconds since 1970.
    time: i64,
    /// Remote host of the session, or the kernel's version for a start of the machine.
    host: String,
    /// File with the record.
    #[column(added)]
    file: String,
}

const DIRECTORY: &str = "/var/log";

impl Rows for Last {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let kinds = scan.keys(Self::TYPE).unwrap_or_else(|| vec![USER_PROCESS, DEAD_PROCESS]);
        let report = |error: &Error| scan.report("wtmp", error);
        let texts = Texts::new(scan.sys(), &report);
        let names = texts.got(scan.sys().read_dir(DIRECTORY)).unwrap_or_default();
        let names = names.iter().filter_map(|name| name.to_str());
        let mut rotations: Vec<_> = names.filter_map(|name| Some((rotation(name)?, name))).collect();
        rotations.sort_unstable_by(|one, other| other.cmp(one));
        if rotations.is_empty() {
            let what = "no record of logins (/var/log/wtmp does not exist; wtmpdb's database is not read)";
            return Err(Error::Absent(what.to_owned()));
        }
        let paths = rotations.into_iter().map(|(_, name)| Path::new(DIRECTORY).join(name));
        let readable: Vec<PathBuf> = paths
            .filter(|path| {
                let is_compressed =
                    path.extension().is_some_and(|end| ["gz", "xz", "bz2", "zst"].iter().any(|x| end == *x));
                if is_compressed {
                    report(&Error::Unsupported(format!("{} is compressed and was skipped", path.display())));
                }
                !is_compressed
            })
            .collect();
        let records = readable.into_iter().flat_map(move |path| {
            let read = utmp::records(scan.sys(), &path, &|error| scan.report("wtmp", error));
            let records = read.map_err(|error| scan.report("wtmp", &error));
            records.into_iter().flatten().map(move |record| (path.clone(), record))
        });
        let records = records.filter(move |(_, record)| kinds.contains(&record.kind));
        Ok(records.map(|(path, record)| row(record, path.display().to_string())))
    }
}

/// The age of a file of `wtmp`, by its name: 0 for the present one, then `wtmp.1`, `wtmp-20240301`, ...
fn rotation(name: &str) -> Option<u64> {
    let rest = name.strip_prefix("wtmp")?;
    if rest.is_empty() {
        return Some(0);
    }
    let number = rest.strip_prefix(['.', '-'])?.split('.').next()?;
    let number: u64 = number.parse().ok()?;
    // A date: the older, the smaller.
    Some(if rest.starts_with('-') { 100_000_000_u64.saturating_sub(number).max(1) } else { number })
}

fn row(record: Record, file: String) -> Last {
    let names = [
        "empty",
        "run-level",
        "boot-time",
        "new-time",
        "old-time",
        "init-process",
        "login-process",
        "user-process",
        "dead-process",
        "accounting",
    ];
    let name = usize::try_from(record.kind).ok().and_then(|kind| names.get(kind).copied());
    Last {
        username: record.user,
        tty: record.line,
        pid: record.pid,
        r#type: record.kind,
        type_name: name.unwrap_or_default().to_owned(),
        time: record.time,
        host: record.host,
        file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_are_ordered_by_age() {
        let mut names = ["wtmp", "wtmp.1", "wtmp.10", "wtmp.2.gz", "wtmp-20240301", "wtmp-20230301", "wtmpdb", "wtmp."];
        names.sort_by_key(|name| rotation(name));
        let expected = ["wtmpdb", "wtmp.", "wtmp", "wtmp.1", "wtmp.2.gz", "wtmp.10", "wtmp-20240301", "wtmp-20230301"];
        assert_eq!(names, expected);
        assert_eq!(rotation("btmp"), None);
    }
}
