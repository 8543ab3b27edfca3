//! `logged_in_users`: one row per record of `/run/utmp`, or per session of systemd-logind.

use std::path::Path;

use indago_table::prelude::*;

use crate::source::held::HeldList;
use crate::source::texts::Texts;
use crate::source::utmp::{self, Record};

/// Sessions of users, from `/run/utmp`. On systems that no longer have this file, from the sessions of systemd-logind.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "logged_in_users", platforms("linux"), rows = 5, identity(r#type, tty, pid, time), namespaces)]
#[example("Users that are logged in.", "SELECT user, tty, host, time FROM logged_in_users WHERE type = 'user'")]
pub struct LoggedInUser {
    /// Kind of record: `user` (a session), `login` (a terminal that waits for a login), `init`, `dead` (an ended
    /// session), `boot_time`, `runlevel`, `new_time`, `old_time`, `accounting`, `empty` or `unknown`.
    r#type: String,
    /// Login name.
    user: String,
    /// Terminal.
    tty: String,
    /// Remote host of the session.
    host: String,
    /// Time of the login, in seconds since 1970.
    time: i64,
    /// Process that leads the session.
    pid: i64,
}

impl Rows for LoggedInUser {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |error: &Error| scan.report("sessions", error);
        let texts = Texts::new(scan.sys(), &report);
        for path in ["/run/utmp", "/var/run/utmp"] {
            if let Some(records) = texts.got(utmp::records(scan.sys(), Path::new(path), &report)) {
                // The first process writes its own records: the boot and the runlevel.
                let mut rows = HeldList::new(scan.sys());
                records.filter(|record| record.pid != 1).try_for_each(|record| rows.add(of_record(record)))?;
                return Ok(rows.into_iter());
            }
        }
        let sessions = texts.files_in("/run/systemd/sessions");
        let files = sessions.iter().filter(|path| path.extension().is_none());
        let mut rows = HeldList::new(scan.sys());
        files.filter_map(|path| of_session(&texts.text(path)?)).try_for_each(|row| rows.add(row))?;
        texts.require("no record of sessions (neither /run/utmp nor /run/systemd/sessions exists)")?;
        Ok(rows.into_iter())
    }
}

fn of_record(record: Record) -> LoggedInUser {
    let names =
        ["empty", "runlevel", "boot_time", "new_time", "old_time", "init", "login", "user", "dead", "accounting"];
    let name = usize::try_from(record.kind).ok().and_then(|kind| names.get(kind));
    LoggedInUser {
        r#type: name.unwrap_or(&"unknown").to_string(),
        user: record.user,
        tty: record.line,
        host: record.host,
        time: record.time,
        pid: record.pid,
    }
}

/// A session's file of systemd-logind; `None` for a service's session or that of a login screen.
fn of_session(text: &str) -> Option<LoggedInUser> {
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    };
    if !value("CLASS")?.starts_with("user") {
        return None;
    }
    let number = |name: &str| value(name).and_then(|value| value.parse::<i64>().ok()).unwrap_or_default();
    Some(LoggedInUser {
        r#type: "user".to_owned(),
        user: value("USER").unwrap_or_default(),
        tty: value("TTY").or_else(|| value("DISPLAY")).unwrap_or_default(),
        host: value("REMOTE_HOST").unwrap_or_default(),
        time: number("REALTIME") / 1_000_000,
        pid: number("LEADER"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    #[test]
    fn a_session_of_a_user_has_its_terminal_and_host() {
        let text = "# private\nUID=1000\nUSER=ada\nACTIVE=1\nREMOTE=1\nREMOTE_HOST=192.0.2.1\nCLASS=user\nTTY=pts/0\n\
                    LEADER=4711\nREALTIME=1700000000123456\n";
        let row = of_session(text).expect("a session");
        assert_eq!((row.user.as_str(), row.tty.as_str(), row.host.as_str()), ("ada", "pts/0", "192.0.2.1"));
        assert_eq!((row.time, row.pid), (1_700_000_000, 4711));
        assert_eq!(of_session("USER=gdm\nCLASS=greeter\n"), None);
        assert_eq!(of_session(""), None);
        damaged(text.as_bytes(), |bytes| usize::from(of_session(&String::from_utf8_lossy(bytes)).is_some()));
    }

    #[test]
    fn kinds_have_names() {
        let of_kind = |kind| of_record(Record { kind, ..Record::default() }).r#type;
        let expected = [(0, "empty"), (2, "boot_time"), (6, "login"), (7, "user"), (8, "dead"), (10, "unknown")];
        expected.into_iter().for_each(|(kind, name)| assert_eq!(of_kind(kind), name));
        assert_eq!(of_kind(-1), "unknown");
    }
}
