//! Audit logs that API servers write to files: one event in JSON per line, in rotated files, packed or not.
//!
//! The stage timestamp of an event is the time at which the server wrote it, so a log is in its order, apart from
//! events that were written concurrently. Times prune files and their beginnings and ends. The modification time of a
//! file does not, because any user who may write the file can set it.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use indago_table::AnyScan;
use indago_table::json::{self, FromJson, Shape};
use indago_table::prelude::*;
use indago_table::row::Part;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::resource::keys;

/// Most files that the patterns of a configuration may name.
const MOST_FILES: usize = 10_000;
/// Longest line. An event with the request and the response of the largest object is smaller.
const LONGEST_LINE: u64 = 16 << 20;
/// By how much the times of neighbouring events may be out of order.
const SLACK: i64 = 300_000_000;
/// A part of a file that is not worth another search.
const SMALL: u64 = 1 << 20;

/// A file of an audit log.
#[derive(Debug, Clone)]
pub struct LogFile {
    path: PathBuf,
    name: String,
}

impl fmt::Display for LogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Part for LogFile {
    fn known(&self, column: &str) -> Option<String> {
        (column == "path").then(|| self.name.clone())
    }
}

/// The files that the configuration names, and that the keys of the column `path` allow.
pub(crate) fn files(scan: &AnyScan<Kubernetes>) -> Result<Vec<LogFile>> {
    let patterns = scan.env().audit_logs();
    if patterns.is_empty() {
        let message = "no audit log is configured: name its files in the setting `audit_logs` of `[kubernetes]`";
        return Err(Error::Unsupported(message.to_owned()));
    }
    let sys = scan.env().logs(scan);
    let mut paths = Vec::new();
    for pattern in patterns {
        let found = expand(&sys, pattern, |problem| scan.report(pattern.display().to_string(), problem))?;
        if found.is_empty() {
            scan.report(pattern.display().to_string(), &Error::Unsupported("no file has such a name".to_owned()));
        }
        paths.extend(found);
    }
    paths.sort();
    paths.dedup();
    let mut files: Vec<_> = paths.into_iter().map(|path| LogFile { name: sys.path_text(&path), path }).collect();
    if let Some(keys) = scan.spec().column("path").and_then(|column| keys(scan, column)) {
        files.retain(|file| keys.contains(&file.name));
    }
    Ok(files)
}

/// The files that match a pattern: `*` and `?` match within a name.
fn expand(sys: &Sys, pattern: &Path, report: impl Fn(&Error)) -> Result<Vec<PathBuf>> {
    let mut paths = vec![PathBuf::new()];
    for part in pattern {
        let part_text = part.as_encoded_bytes();
        if !part_text.contains(&b'*') && !part_text.contains(&b'?') {
            paths.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let mut found = Vec::new();
        for path in &paths {
            match sys.read_dir(path) {
                Ok(names) => {
                    let names = names.into_iter().filter(|name| matches(part_text, name.as_encoded_bytes()));
                    found.extend(names.map(|name| path.join(name)));
                }
                Err(Error::Gone(_)) => {}
                Err(error @ Error::Cancelled) => return Err(error),
                Err(error) => report(&error),
            }
        }
        if found.len() > MOST_FILES {
            report(&Error::Malformed(format!("more than {MOST_FILES} files match; the others were skipped")));
            found.sort();
            found.truncate(MOST_FILES);
        }
        paths = found;
    }
    paths.retain(|path| sys.exists(path));
    Ok(paths)
}

/// Whether a name matches a pattern, in time proportional to the product of their lengths at most.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut position, mut star) = (0, 0, None);
    while position < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, position));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[position] => (at, position) = (at + 1, position + 1),
            _ => match star {
                Some((behind, from)) => {
                    star = Some((behind, from + 1));
                    (at, position) = (behind, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// The times of the events that a query wants, both ends inclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Period {
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
}

impl Period {
    fn is_after(&self, time: Timestamp) -> bool {
        self.from.is_some_and(|from| time.0 < from.0.saturating_sub(SLACK))
    }

    fn is_before(&self, time: Timestamp) -> bool {
        self.to.is_some_and(|to| time.0 > to.0.saturating_add(SLACK))
    }
}

/// An event, and where it stands.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) document: Document,
    /// The line, from 1; `None` if the lines before it were not read.
    pub(crate) line: Option<i64>,
}

/// Reads the events of a file one by one.
pub(crate) struct Events {
    scan: AnyScan<Kubernetes>,
    sys: Sys,
    file: LogFile,
    reader: Box<dyn BufRead + Send>,
    shape: Shape,
    period: Period,
    /// Where reading began. It is not the first line unless it is 0.
    start: u64,
    lines: u64,
    text: Vec<u8>,
    has_ended: bool,
}

/// Opens a file for the events of a period; `None` if it has none. With `lines`, the lines are counted from the first
/// one.
pub(crate) fn events(
    scan: &AnyScan<Kubernetes>,
    file: LogFile,
    shape: Shape,
    period: Period,
    lines: bool,
) -> Result<Option<Events>> {
    if rotated_at(&file.name).is_some_and(|time| period.is_after(time)) {
        return Ok(None);
    }
    let sys = scan.env().logs(scan);
    let shape = shape.with("kind").with("apiVersion").with("stageTimestamp");
    let open = sys.open(&file.path)?;
    let mut magic = [0; 2];
    let read = open.read_at(&mut magic, 0).map_err(|error| sys.read_error(&file.path, &error))?;
    let mut start = 0;
    let reader: Box<dyn BufRead + Send> = if read == 2 && magic == [0x1f, 0x8b] {
        let packed = BufReader::with_capacity(64 << 10, open);
        Box::new(BufReader::with_capacity(256 << 10, MultiGzDecoder::new(packed)))
    } else {
        let length = open.metadata().map_err(|error| sys.read_error(&file.path, &error))?.len();
        let plain = Plain { open: &open, length };
        match plain.first(0) {
            Ok(Some((_, time))) if period.is_before(time) => return Ok(None),
            Err(error) => return Err(sys.read_error(&file.path, &error)),
            Ok(_) => {}
        }
        let found = plain.start(&period).map_err(|error| sys.read_error(&file.path, &error))?;
        if !lines {
            start = found;
        }
        Box::new(BufReader::with_capacity(256 << 10, At { open, position: start }))
    };
    let scan = scan.clone();
    let (text, has_ended) = (Vec::new(), false);
    Ok(Some(Events { scan, sys, file, reader, shape, period, start, lines: 0, text, has_ended }))
}

/// The time in the name of a rotated file, in UTC. All its events are older.
fn rotated_at(path: &str) -> Option<Timestamp> {
    let name = path.rsplit('/').next()?;
    // `audit-2026-11-30T15-12-16.123.log`
    let at = name.char_indices().map(|(at, _)| &name[at..]).find(|rest| {
        rest.len() > 24
            && rest.starts_with('-')
            && rest.bytes().zip(b"-dddd-dd-ddTdd-dd-dd.ddd.").all(|(byte, form)| match form {
                b'd' => byte.is_ascii_digit(),
                form => byte == *form,
            })
    })?;
    let (date, time) = (at.get(1..11)?, at.get(12..24)?);
    Timestamp::from_json(&format!("{date}T{}Z", time.replacen('-', ":", 2)).into())
}

/// An open file, read from a position on.
struct At {
    open: indago_table::sys::SysFile,
    position: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.open.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// A file that is not packed, in which times can be searched.
struct Plain<'a> {
    open: &'a indago_table::sys::SysFile,
    length: u64,
}

impl Plain<'_> {
    /// The first event that begins at a position or behind it: its position and time.
    fn first(&self, position: u64) -> io::Result<Option<(u64, Timestamp)>> {
        let mut piece = vec![0; 64 << 10];
        let mut line = Vec::new();
        // A position within a line: its rest is skipped.
        let mut is_within = position > 0;
        let (mut at, mut line_start) = (position.saturating_sub(1), position);
        while at < self.length {
            let read = self.open.read_at(&mut piece, at)?;
            if read == 0 {
                break;
            }
            for part in piece[..read].split_inclusive(|byte| *byte == b'\n') {
                at += part.len() as u64;
                if !is_within {
                    line.extend_from_slice(part);
                }
                if part.ends_with(b"\n") {
                    if let Some(time) = time_of(&line) {
                        return Ok(Some((line_start, time)));
                    }
                    line.clear();
                    (is_within, line_start) = (false, at);
                }
            }
            if line.len() as u64 > LONGEST_LINE {
                line.clear();
                is_within = true;
            }
        }
        Ok(time_of(&line).map(|time| (line_start, time)))
    }

    /// A position at the start of a line, before which no event is of the period.
    fn start(&self, period: &Period) -> io::Result<u64> {
        let (mut start, mut end) = (0, self.length);
        while period.from.is_some() && end - start > SMALL {
            let middle = start + (end - start) / 2;
            match self.first(middle)? {
                Some((position, time)) if period.is_after(time) => start = position.max(middle),
                _ => end = middle,
            }
        }
        Ok(start)
    }
}

fn time_of(line: &[u8]) -> Option<Timestamp> {
    Timestamp::from_json(&json::find(line, &["stageTimestamp"])?)
}

impl Events {
    fn report(&mut self, what: String) {
        let line = self.lines + self.lines_before();
        self.scan.report(&self.file.name, &Error::BadLine { file: self.file.name.clone(), line, what });
    }

    /// The number of lines before those that were read. Only a warning needs it.
    fn lines_before(&self) -> u64 {
        let mut lines = 0;
        let count = || -> Result<()> {
            let mut rest = BufReader::with_capacity(256 << 10, self.sys.open(&self.file.path)?.take(self.start));
            loop {
                let piece = rest.fill_buf().map_err(|error| self.sys.read_error(&self.file.path, &error))?;
                if piece.is_empty() {
                    return Ok(());
                }
                lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
                let length = piece.len();
                rest.consume(length);
            }
        };
        let mut count = count;
        // A wrong number in a warning is better than no warning.
        if self.start > 0
            && let Err(error) = count()
        {
            tracing::debug!(%error, file = self.file.name, "the lines of an audit log were not counted");
        }
        lines
    }

    /// Reads a line; false at the end of the file. A line that is too long is reported and skipped.
    fn read_line(&mut self) -> Result<bool> {
        self.text.clear();
        let failed = |error: &io::Error| self.sys.read_error(&self.file.path, error);
        let read = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.text);
        let read = read.map_err(|error| failed(&error))? as u64;
        if read < LONGEST_LINE || self.text.ends_with(b"\n") {
            self.lines += u64::from(read > 0);
            return Ok(read > 0);
        }
        loop {
            let piece = self.reader.fill_buf().map_err(|error| failed(&error))?;
            let end = piece.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(piece.len(), |end| end + 1);
            self.reader.consume(length);
            if end.is_some() || length == 0 {
                break;
            }
        }
        self.lines += 1;
        self.text.clear();
        self.report(format!("it is longer than {} MiB; it was skipped", LONGEST_LINE >> 20));
        Ok(true)
    }

    fn next_event(&mut self) -> Result<Option<Event>> {
        while !self.has_ended && self.read_line()? {
            let line = self.text.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let document = match self.shape.parse(line) {
                Ok(document) if is_event(&document) => document,
                Ok(_) => {
                    self.report("it is not an audit event".to_owned());
                    continue;
                }
                Err(error) => {
                    self.report(error.to_string());
                    continue;
                }
            };
            if let Some(time) = Timestamp::from_json(&document["stageTimestamp"]) {
                if self.period.is_after(time) {
                    continue;
                }
                if self.period.is_before(time) {
                    break;
                }
            }
            let line = (self.start == 0).then(|| i64::try_from(self.lines).unwrap_or(i64::MAX));
            return Ok(Some(Event { document, line }));
        }
        self.has_ended = true;
        Ok(None)
    }
}

fn is_event(document: &Document) -> bool {
    let version = document["apiVersion"].as_str().unwrap_or_default();
    document["kind"] == "Event" && version.starts_with("audit.k8s.io/")
}

impl Iterator for Events {
    type Item = Event;

    /// A file that cannot be read further is reported.
    fn next(&mut self) -> Option<Event> {
        match self.next_event() {
            Ok(event) => event,
            Err(error) => {
                self.has_ended = true;
                self.scan.report(&self.file.name, &error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use indago_table::{ColumnConstraint, Constraints, Scalar, Scan, ScanContext};
    use serde_json::json;

    use super::*;
    use crate::clusters::Settings;
    use crate::kubernetes_audit_events::AuditEvent;

    /// An event of a second of the year 2026.
    fn line(second: i64) -> String {
        let time = Timestamp::from_seconds(1_767_225_600 + second).to_string();
        let event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": format!("{second}"),
            "stage": "ResponseComplete",
            "stageTimestamp": time, "requestReceivedTimestamp": time, "user": {"username": "u"}, "verb": "get",
            "requestURI": "/", "pad": "x".repeat(900),
        });
        format!("{event}\n")
    }

    fn time(second: i64) -> Scalar {
        Scalar::Timestamp((1_767_225_600 + second) * 1_000_000)
    }

    /// The seconds of the events in a period, the bytes that were read, and the warnings.
    fn read(folder: &Path, from: Option<i64>, to: Option<i64>) -> (Vec<i64>, u64, Vec<String>) {
        let settings = Settings { audit_logs: vec!["/logs/audit*.log*".into()], ..Settings::default() };
        let env = Kubernetes::new(&Sys::at(folder), settings);
        let constraint = ColumnConstraint { from: from.map(time), to: to.map(time), ..ColumnConstraint::default() };
        let constraints = Constraints([(AuditEvent::STAGE_TIMESTAMP.position(), constraint)].into());
        let columns = [AuditEvent::AUDIT_ID.position(), AuditEvent::STAGE_TIMESTAMP.position()];
        let context = ScanContext { constraints: Arc::new(constraints), ..ScanContext::new(columns) };
        let scan: Scan<AuditEvent> = Scan::new(context, &env);
        let mut seconds = Vec::new();
        for file in AuditEvent::parts(&scan).unwrap() {
            for row in AuditEvent::rows(&scan, file).unwrap() {
                seconds.push(row.audit_id().parse().unwrap());
            }
        }
        seconds.sort_unstable();
        let warnings = scan.context().query.diagnostics().warnings();
        (seconds, scan.meter().bytes(), warnings.iter().map(ToString::to_string).collect())
    }

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join("logs").join(name), content).unwrap();
        }
        folder
    }

    fn packed(text: &str) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn rotated_and_packed_files_are_read_and_others_are_not() {
        let text = |seconds: std::ops::Range<i64>| seconds.map(line).collect::<String>();
        let folder = folder(&[
            ("audit-2026-01-01T00-00-10.000.log.gz", &packed(&text(0..10))),
            ("audit-2026-01-01T00-00-20.000.log", text(10..20).as_bytes()),
            ("audit.log", text(20..30).as_bytes()),
            ("other.log", text(30..40).as_bytes()),
        ]);
        let (seconds, _, warnings) = read(folder.path(), None, None);
        assert_eq!((seconds, warnings), ((0..30).collect(), vec![]));
    }

    #[test]
    fn a_period_skips_files_and_parts_of_files() {
        let text = |seconds: std::ops::Range<i64>| seconds.map(line).collect::<String>();
        let hour = 3600;
        let (first, second) = (text(0..3 * hour), text(3 * hour..6 * hour));
        let folder = folder(&[
            ("audit-2026-01-01T03-00-00.000.log.gz", &packed(&first)),
            ("audit-2026-01-01T06-00-00.000.log", second.as_bytes()),
            ("audit.log", text(6 * hour..9 * hour).as_bytes()),
        ]);
        let of = |from: Option<i64>, to: Option<i64>| {
            let (mut seconds, bytes, warnings) = read(folder.path(), from, to);
            assert_eq!(warnings, Vec::<String>::new());
            seconds.retain(|second| from.is_none_or(|from| *second >= from) && to.is_none_or(|to| *second <= to));
            (seconds.len(), bytes)
        };
        let (all, whole) = of(None, None);
        assert_eq!(all, 9 * 3600);
        // The last minute: the end of one file.
        let (some, bytes) = of(Some(9 * hour - 60), None);
        assert_eq!(some, 60);
        assert!(bytes < whole / 5, "{bytes} of {whole}");
        // A minute in the second file: its part until then, and nothing of the file before it.
        let (some, bytes) = of(Some(4 * hour), Some(4 * hour + 59));
        assert_eq!(some, 60);
        assert!(bytes < whole / 5, "{bytes} of {whole}");
        // Before the first event, and behind the last one.
        assert_eq!(of(None, Some(-hour)).0, 0);
        assert_eq!(of(Some(20 * hour), None).0, 0);
    }

    #[test]
    fn a_malformed_line_is_a_warning_with_its_number() {
        let text = [
            line(1),
            "{\"kind\": \"Event\",\n".to_owned(),
            "\n".to_owned(),
            "{\"kind\":\"Pod\"}\n".to_owned(),
            line(2),
            "{".to_owned(),
        ];
        let folder = folder(&[("audit.log", text.concat().as_bytes())]);
        let (seconds, _, warnings) = read(folder.path(), None, None);
        assert_eq!(seconds, [1, 2]);
        // Equal outcomes of a file are one warning.
        let [told] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(told.contains("/logs/audit.log, line 2: ") && told.ends_with("[3 times]"), "{told}");
    }

    #[test]
    fn a_damaged_packed_file_has_the_rows_before_the_damage() {
        let whole = packed(&(0..2000).map(line).collect::<String>());
        let folder = folder(&[("audit.log.gz", &whole[..whole.len() / 2])]);
        let (seconds, _, warnings) = read(folder.path(), None, None);
        assert!(!seconds.is_empty() && seconds.len() < 2000);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }

    #[test]
    fn a_line_that_is_too_long_costs_itself_only() {
        let long = format!("{{\"kind\":\"{}\"}}\n", "x".repeat(17 << 20));
        let folder = folder(&[("audit.log", [line(1), long, line(2)].concat().as_bytes())]);
        let (seconds, _, warnings) = read(folder.path(), None, None);
        assert_eq!(seconds, [1, 2]);
        assert!(warnings[0].contains("longer than 16 MiB"), "{warnings:?}");
    }

    #[test]
    fn the_time_of_a_rotated_file_is_in_its_name() {
        let at = |name: &str| rotated_at(name).map(|time| time.to_string());
        assert_eq!(at("/var/log/audit-2026-11-30T15-12-16.123.log").as_deref(), Some("2026-11-30T15:12:16.123Z"));
        assert_eq!(at("a-2026-b-2026-11-30T15-12-16.123.log.gz").as_deref(), Some("2026-11-30T15:12:16.123Z"));
        for name in [
            "audit.log",
            "audit-2026-11-30.log",
            "audit-2026-13-30T15-12-16.123.log",
            "/x-2026-11-30T15-12-16.123.d/audit.log",
        ] {
            assert_eq!(at(name), None, "{name}");
        }
    }

    #[test]
    fn names_match_patterns() {
        for (pattern, name, expected) in [
            ("audit*.log*", "audit.log", true),
            ("audit*.log*", "audit-1.log.gz", true),
            ("audit*.log*", "xaudit.log", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbx", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
