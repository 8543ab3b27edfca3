//! `journal`: one row per entry of systemd's journal.

use std::process::Output;

use indago_table::prelude::*;
use indago_table::sys::Program;
use serde_json::Value;

use crate::source::procfs::note_lossy;

/// Entries of systemd's journal, from the newest to the oldest, as `journalctl` prints them.
///
/// A condition on `received_time` and values of `unit` and `boot_id` limit what is read. Without a lower bound of `received_time`, at most
/// the newest 100,000 entries are read, and a warning reports that there may be more. A user who is not in the group
/// `systemd-journal` or `adm` sees only the entries of their own processes.
#[derive(Debug, Default, Table)]
#[table(name = "journal", platforms("linux"), rows = 100_000, identity(cursor))]
#[example(
    "Errors of the last hour.",
    "SELECT received_time, unit, identifier, message FROM journal WHERE received_time > now() - INTERVAL '1 hour' AND priority <= 3"
)]
#[example(
    "The last messages of a unit.",
    "SELECT received_time, message FROM journal WHERE unit = 'ssh.service' LIMIT 20"
)]
pub struct JournalEntry {
    /// When the journal received it.
    #[column(range)]
    received_time: Option<Timestamp>,
    /// Unit of the process that wrote it; NULL if it has none.
    #[column(index)]
    unit: Option<String>,
    /// Program that wrote it, as it names itself.
    identifier: Option<String>,
    /// ID of the process that wrote it.
    pid: Option<i64>,
    /// User ID of the process that wrote it.
    uid: Option<i64>,
    /// Importance: 0 emergency, 1 alert, 2 critical, 3 error, 4 warning, 5 notice, 6 information, 7 debugging.
    priority: Option<i64>,
    /// Message.
    message: Option<String>,
    /// Path of the program that wrote it.
    executable: Option<String>,
    /// Command line of the process that wrote it.
    command_line: Option<String>,
    /// How it reached the journal: `syslog`, `journal`, `stdout`, `kernel`, `audit` or `driver`.
    transport: Option<String>,
    /// Name of the host.
    hostname: Option<String>,
    /// ID of the boot, without hyphens.
    #[column(index)]
    boot_id: Option<String>,
    /// Position in the journal, which identifies the entry.
    cursor: Option<String>,
    /// All fields of the entry, in JSON.
    fields: String,
}

/// Most entries that are read if the query does not bound the time.
const MOST_ENTRIES: usize = 100_000;
/// Largest output.
const MOST_BYTES: u64 = 512 << 20;
const GROUP: &str = "the group systemd-journal";

impl Rows for JournalEntry {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        sys.require_live("the journal")?;
        let mut arguments: Vec<String> =
            ["--output=json", "--all", "--no-pager", "--quiet", "--reverse"].map(str::to_owned).to_vec();
        let (from, to) = scan.range(Self::RECEIVED_TIME);
        // Bounds are whole seconds. The engine checks the time again.
        arguments.extend(from.map(|from| format!("--since=@{}", from.seconds())));
        arguments.extend(to.map(|to| format!("--until=@{}", to.seconds().saturating_add(1))));
        if let Some(units) = scan.keys(Self::UNIT) {
            arguments.extend(units.iter().map(|unit| format!("_SYSTEMD_UNIT={unit}")));
        }
        if let Some(boots) = scan.keys(Self::BOOT_ID) {
            arguments.extend(boots.iter().map(|boot| format!("_BOOT_ID={boot}")));
        }
        let most = scan.limit().unwrap_or(MOST_ENTRIES);
        let is_bounded = from.is_some();
        if !is_bounded {
            arguments.push(format!("--lines={most}"));
        }
        let variables = vec![("LC_ALL".to_owned(), "C".to_owned())];
        let program = Program {
            arguments,
            variables,
            most_bytes: MOST_BYTES,
            ..Program::new("`journalctl`", "/usr/bin/journalctl")
        };
        if sys.metadata(&program.command).is_err() {
            return Err(Error::Unsupported("`journalctl` is not installed (/usr/bin/journalctl)".to_owned()));
        }
        let Output { status, stdout, stderr } = sys.run(&program)?;
        let complaint = String::from_utf8_lossy(&stderr);
        if complaint.contains("insufficient permissions") || complaint.contains("not seeing messages") {
            scan.report("entries", &Error::Denied { what: "the journal".to_owned(), needs: Some(GROUP.to_owned()) });
        } else if !status.success() && stdout.is_empty() && !complaint.trim().is_empty() {
            let message = format!("failed ({status}): {}", complaint.trim().chars().take(300).collect::<String>());
            return Err(Error::Io { what: program.name, message });
        }
        note_lossy(sys, &stdout);
        let held = scan.meter().hold(stdout.len())?;
        if !is_bounded && scan.limit().is_none() && memchr::memchr_iter(b'\n', &stdout).count() >= most {
            let what = format!("only the newest {most} entries were read; add a condition `received_time > ..`");
            scan.report("entries", &Error::Unsupported(what));
        }
        let mut at = 0;
        let mut line = 0;
        Ok(std::iter::from_fn(move || {
            let _until_the_last_row = &held;
            loop {
                let rest = stdout.get(at..).filter(|rest| !rest.is_empty())?;
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                at += end + 1;
                line += 1;
                if rest[..end].is_empty() {
                    continue;
                }
                match parse(&rest[..end]) {
                    Some(entry) => return Some(entry),
                    None => {
                        let (file, what) = ("`journalctl`".to_owned(), "not an entry".to_owned());
                        scan.report("entries", &Error::BadLine { file, line, what });
                    }
                }
            }
        }))
    }
}

fn parse(line: &[u8]) -> Option<JournalEntry> {
    let text = String::from_utf8_lossy(line);
    let Value::Object(fields) = serde_json::from_str(&text).ok()? else { return None };
    let text_of = |name: &str| fields.get(name).and_then(shown);
    let number = |name: &str| text_of(name)?.parse().ok();
    Some(JournalEntry {
        received_time: number("__REALTIME_TIMESTAMP").map(Timestamp),
        unit: text_of("_SYSTEMD_UNIT"),
        identifier: text_of("SYSLOG_IDENTIFIER"),
        pid: number("_PID"),
        uid: number("_UID"),
        priority: number("PRIORITY"),
        message: text_of("MESSAGE"),
        executable: text_of("_EXE"),
        command_line: text_of("_CMDLINE"),
        transport: text_of("_TRANSPORT"),
        hostname: text_of("_HOSTNAME"),
        boot_id: text_of("_BOOT_ID"),
        cursor: text_of("__CURSOR"),
        fields: text.into_owned(),
    })
}

/// The text of a field: the first value if it is repeated. A value that is not text is a list of bytes.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            let bytes: Option<Vec<u8>> =
                items.iter().map(|item| item.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect();
            match bytes {
                Some(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
                None => items.first().and_then(shown),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_entries() {
        let line = br#"{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1796040000000001","_PID":"7","_UID":"0","PRIORITY":"6","MESSAGE":[104,105,255],"_SYSTEMD_UNIT":["a.service","b.service"],"SYSLOG_IDENTIFIER":"x","_BOOT_ID":"00ff"}"#;
        let entry = parse(line).expect("an entry");
        assert_eq!(
            (entry.received_time, entry.pid, entry.priority),
            (Some(Timestamp(1_796_040_000_000_001)), Some(7), Some(6))
        );
        assert_eq!((entry.message.as_deref(), entry.unit.as_deref()), (Some("hi\u{fffd}"), Some("a.service")));
        for end in 0..line.len() {
            assert!(parse(&line[..end]).is_none(), "cut at {end}");
            let mut changed = line.to_vec();
            changed[end] ^= 0x81;
            let _ = parse(&changed);
        }
    }
}
