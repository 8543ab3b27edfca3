//! Packs and the daemon, driven as an operator drives them.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::{indago, signal, wait_for};

fn pack_run(path: &Path, more: &[&str]) -> (i32, Vec<Value>, String) {
    let output =
        indago().args(["pack", "run"]).arg(path).args(["--format", "ndjson"]).args(more).output().expect("runs");
    let out = String::from_utf8_lossy(&output.stdout);
    let rows = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (output.status.code().unwrap_or(-1), rows, String::from_utf8_lossy(&output.stderr).into_owned())
}

const PACK: &str = r#"// A pack with everything that packs have.
{
  # Where it applies.
  "platform": "posix",
  "discovery": ["SELECT pid FROM processes WHERE pid = 1"],
  "queries": {
    "first": {"query": "SELECT pid \
                FROM processes \
                WHERE pid = 1;", "interval": "60"},
    "broken": {"query": "SELECT nothing FROM processes", "interval": 60},
    "elsewhere": {"query": "SELECT * FROM registry", "interval": 60, "platform": "windows"},
    "last": {"query": "SELECT 1 AS a UNION ALL SELECT 2", "interval": 60}
  }
}
"#;

#[test]
fn an_osquery_pack_runs_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("some.conf");
    std::fs::write(&file, PACK).expect("written");
    let (code, rows, _) = pack_run(&file, &[]);
    assert_eq!(code, 1, "one query is broken");
    let status: Vec<(&str, &str, u64)> = rows
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().expect("text");
            (text("query"), text("status"), row["rows"].as_u64().expect("a number"))
        })
        .collect();
    assert_eq!(status, [("first", "ok", 1), ("broken", "failed", 0), ("elsewhere", "skipped", 0), ("last", "ok", 2)]);
    assert_eq!(rows[2]["message"], "the query is for windows; this is linux");
    assert!(rows[1]["message"].as_str().is_some_and(|message| message.contains("nothing")), "{}", rows[1]);
    let (code, rows, _) = pack_run(&file, &["--query", "last"]);
    assert_eq!((code, rows.len()), (0, 1));
    let (code, _, errors) = pack_run(&file, &["--query", "lsat"]);
    assert_eq!(code, 2);
    assert!(errors.contains("did you mean `last`?"), "{errors}");
    let (code, rows, _) = pack_run(&file, &["--query", "last", "--rows"]);
    assert_eq!((code, rows.len()), (0, 2));
}

#[test]
fn a_pack_of_ours_runs_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("pack.toml", "description = \"A pack.\"\n");
    write("one.sql", "-- about: One process.\n-- interval: 10m\nSELECT pid FROM processes WHERE pid = 1");
    let (code, rows, errors) = pack_run(folder.path(), &[]);
    assert_eq!((code, rows.len()), (0, 1), "{errors}");
    assert_eq!((&rows[0]["query"], &rows[0]["rows"]), (&Value::from("one"), &Value::from(1)));
    write("two.sql", "-- about: x\n-- intervall: 1m\nSELECT 1");
    let (code, _, errors) = pack_run(folder.path(), &[]);
    assert_eq!(code, 2);
    assert!(errors.contains("two.sql:2: unknown key `intervall` in the header; did you mean `interval`?"), "{errors}");
}

#[test]
fn what_is_no_pack_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("broken.conf");
    std::fs::write(&file, "{\n  \"queries\": {\n    \"a\": {\"query\": \"SELECT 1\",}\n  }\n}\n").expect("written");
    let (code, _, errors) = pack_run(&file, &[]);
    assert_eq!(code, 2);
    assert!(errors.contains("broken.conf:3: not valid JSON: trailing comma"), "{errors}");
    let (code, _, errors) = pack_run(&folder.path().join("none.conf"), &[]);
    assert_eq!(code, 2);
    assert!(errors.contains("No such file"), "{errors}");
}

struct Daemon {
    child: Child,
    folder: tempfile::TempDir,
}

impl Daemon {
    fn start(folder: tempfile::TempDir) -> Self {
        let child = indago()
            .args(["daemon", "--config"])
            .arg(folder.path().join("indago.toml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("indago runs");
        Self { child, folder }
    }

    fn read(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// Waits until the lines of a file are as wanted.
    #[track_caller]
    fn until(&self, file: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let lines = self.read(file);
            if wanted(&lines) {
                return lines;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{file}: {lines:#?}\n{:#?}", self.read("status.log"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops by SIGTERM, and gives the folder back.
    fn stop(mut self) -> tempfile::TempDir {
        signal(&self.child, "TERM");
        assert_eq!(wait_for(&mut self.child, Duration::from_secs(15)), Some(0), "a clean stop");
        self.folder
    }
}

fn of<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["name"] == name).collect()
}

#[test]
fn a_schedule_logs_what_changes_and_survives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let watched = folder.path().join("watched");
    std::fs::create_dir(&watched).expect("created");
    std::fs::write(watched.join("one"), "1").expect("written");
    std::fs::write(
        folder.path().join("extra.conf"),
        r#"{"queries": {"q": {"query": "SELECT 5 AS n", "interval": 1}}}"#,
    )
    .expect("written");
    let config = format!(
        r#"
        [daemon]
        results = "results.log"
        status = "status.log"
        state = "state.redb"
        host_identifier = "test-host"
        splay = 0
        [packs]
        extra = "extra.conf"
        [schedule.files]
        query = "SELECT filename FROM file WHERE directory = '{}' AND filename != '.'"
        interval = 1
        [schedule.broken]
        query = "SELECT nothing FROM nowhere"
        interval = 1
        [schedule.all]
        query = "SELECT 1 AS a UNION ALL SELECT 2 AS a ORDER BY a"
        interval = 1
        snapshot = true
        "#,
        watched.display()
    );
    std::fs::write(folder.path().join("indago.toml"), config).expect("written");

    let daemon = Daemon::start(folder);
    let lines = daemon
        .until("results.log", |lines| ["files", "all", "pack_extra_q"].iter().all(|name| !of(lines, name).is_empty()));
    let first = of(&lines, "files")[0];
    assert_eq!(first["hostIdentifier"], "test-host");
    assert_eq!((&first["counter"], &first["epoch"], &first["numerics"]), (&0.into(), &0.into(), &false.into()));
    assert_eq!((&first["action"], &first["columns"]["filename"]), (&"added".into(), &"one".into()));
    let keys: Vec<&str> = first.as_object().expect("an object").keys().map(String::as_str).collect();
    let expected =
        ["name", "hostIdentifier", "calendarTime", "unixTime", "epoch", "counter", "numerics", "columns", "action"];
    if keys != expected {
        // Without serde_json's `preserve_order` the keys come sorted; the text itself must be right all the same.
        let text = std::fs::read_to_string(daemon.folder.path().join("results.log")).expect("read");
        let line = text.lines().find(|line| line.contains("\"files\"")).expect("a line");
        let places: Vec<_> = expected.iter().map(|key| line.find(&format!("\"{key}\":"))).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{line}");
    }
    assert_eq!(of(&lines, "all")[0]["snapshot"], serde_json::json!([{"a": "1"}, {"a": "2"}]));

    // A change is a difference; a query that fails stops nothing.
    std::fs::rename(watched.join("one"), watched.join("two")).expect("renamed");
    let lines = daemon.until("results.log", |lines| of(lines, "files").len() >= 3);
    let files = of(&lines, "files");
    let seen: Vec<(&Value, &Value, &Value)> =
        files.iter().map(|line| (&line["action"], &line["columns"]["filename"], &line["counter"])).collect();
    assert_eq!(
        seen[1..3],
        [(&"removed".into(), &"one".into(), &1.into()), (&"added".into(), &"two".into(), &1.into())]
    );
    let status = daemon.until("status.log", |lines| {
        lines.iter().any(|line| line["message"].as_str().is_some_and(|message| message.starts_with("broken: ")))
    });
    assert!(status.iter().all(|line| line["hostIdentifier"] == "test-host" && line["severity"].is_number()));

    // Stopped, something changes, started again: only the change is logged.
    let folder = daemon.stop();
    let before = std::fs::read_to_string(folder.path().join("results.log")).expect("read").lines().count();
    std::fs::write(watched.join("three"), "3").expect("written");
    let daemon = Daemon::start(folder);
    let lines = daemon.until("results.log", |lines| {
        of(&lines[before..], "files").iter().any(|line| line["columns"]["filename"] == "three")
    });
    let after = of(&lines[before..], "files");
    assert_eq!(after.len(), 1, "{after:#?}");
    assert_eq!((&after[0]["action"], &after[0]["counter"]), (&"added".into(), &2.into()));
    assert!(of(&lines[before..], "pack_extra_q").is_empty(), "nothing changed in it");
    daemon.stop();
}

/// Writes the configuration of a daemon that is quick to stop; `more` begins with further settings of it.
fn configure(folder: &tempfile::TempDir, more: &str) {
    let daemon =
        "[daemon]\nresults = \"results.log\"\nstatus = \"status.log\"\nstate = \"state.redb\"\ngrace = \"100ms\"\n";
    std::fs::write(folder.path().join("indago.toml"), format!("{daemon}{more}")).expect("written");
}

#[test]
fn a_running_query_does_not_keep_the_daemon() {
    let folder = tempfile::tempdir().expect("a folder");
    configure(
        &folder,
        r#"
        [schedule.slow]
        query = "SELECT count(*) FROM generate_series(1, 100000000000) WHERE value % 7 = 3"
        [schedule.late]
        query = "SELECT count(*) FROM generate_series(1, 100000000000) WHERE value % 7 = 4"
        timeout = "200ms"
        "#,
    );
    let daemon = Daemon::start(folder);
    let says = |lines: &[Value], text: &str| {
        lines.iter().any(|line| line["message"].as_str().is_some_and(|message| message.contains(text)))
    };
    daemon.until("status.log", |lines| says(lines, "late: "));
    let began = Instant::now();
    let folder = daemon.stop();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let status = std::fs::read_to_string(folder.path().join("status.log")).expect("read");
    assert!(status.contains("slow: cancelled, the daemon stops") && status.contains("stopped"), "{status}");
}

/// A function that holds its thread, on more queries than there are workers.
const BUSY: &str = "SELECT sleep(20)";

#[test]
fn a_daemon_stops_while_its_queries_keep_every_worker_busy() {
    let folder = tempfile::tempdir().expect("a folder");
    let schedule: String =
        (0..16).map(|number| format!("[schedule.busy{number}]\nquery = \"{BUSY} + {number}\"\n")).collect();
    configure(&folder, &format!("concurrency = 16\n{schedule}"));
    let daemon = Daemon::start(folder);
    daemon.until("status.log", |lines| !lines.is_empty());
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    daemon.stop();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn a_slow_discovery_holds_up_nobody_and_ends_with_the_daemon() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let slow = "SELECT count(*) AS n FROM generate_series(1, 100000000000) WHERE value % 7 = 3";
    write(
        "slow.conf",
        &format!(r#"{{"discovery": ["{slow}"], "queries": {{"q": {{"query": "SELECT 1 AS a", "interval": 1}}}}}}"#),
    );
    write("fast.conf", r#"{"discovery": ["SELECT 1"], "queries": {"q": {"query": "SELECT 2 AS a", "interval": 1}}}"#);
    configure(
        &folder,
        r#"
        [packs]
        slow = "slow.conf"
        fast = "fast.conf"
        [schedule.other]
        query = "SELECT 3 AS a"
        interval = 1
        "#,
    );
    let daemon = Daemon::start(folder);
    let lines =
        daemon.until("results.log", |lines| ["other", "pack_fast_q"].iter().all(|name| !of(lines, name).is_empty()));
    assert!(of(&lines, "pack_slow_q").is_empty());
    let began = Instant::now();
    daemon.stop();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn two_scheduled_queries_of_one_name_are_a_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("a.conf", r#"{"queries": {"q": {"query": "SELECT 1", "interval": 1}}}"#);
    write("indago.toml", "[packs]\na = \"a.conf\"\n[schedule.pack_a_q]\nquery = \"SELECT 2\"\n");
    let output = indago().args(["daemon", "--config"]).arg(folder.path().join("indago.toml")).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("[schedule.pack_a_q], and query `q` of `a` in [packs]"), "{errors}");
}

#[test]
fn a_daemon_with_nothing_to_do_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("indago.toml");
    std::fs::write(&config, "[daemon]\nconcurrency = 1\n").expect("written");
    let output = indago().args(["daemon", "--config"]).arg(&config).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing is scheduled"));
}
