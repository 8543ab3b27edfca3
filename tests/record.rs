//! `indago record` and the recorder of the daemon, as an operator runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use futures::StreamExt;
use indago::store::{Archive, Interval, Piece, Read, Span, coverage};
use serde_json::Value;

use crate::cli::{indago, signal, wait_for};
use crate::daemon::exchange;
use crate::support::replace;

/// A host whose users a test changes, and a configuration that records them.
struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new(record: &str) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(folder.path().join("root/etc")).expect("created");
        let text = format!("[host]\nroots = [\"root\"]\n[record]\ndir = \"recorded\"\nwriter = \"here\"\n{record}");
        std::fs::write(folder.path().join("indago.toml"), text).expect("written");
        Host { folder }
    }

    fn recorded(&self) -> PathBuf {
        self.folder.path().join("recorded")
    }

    /// Replaces the users: their names and descriptions.
    fn users<'a>(&self, users: impl IntoIterator<Item = (&'a str, String)>) {
        let line = |(number, (name, about)): (usize, (&str, String))| {
            format!("{name}:x:{}:{0}:{about}:/home/{name}:/bin/sh\n", 1000 + number)
        };
        let text: String = users.into_iter().enumerate().map(line).collect();
        replace(&self.folder.path().join("root/etc/passwd"), &text);
    }

    fn record(&self, more: &[&str]) -> Command {
        let mut command = indago();
        command.arg("record").arg("--config").arg(self.folder.path().join("indago.toml")).args(more);
        command
    }

    /// One reading: the row of each table in the report.
    fn once(&self) -> BTreeMap<String, Value> {
        let output = self.record(&["--once", "--json"]).output().expect("indago runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a report");
        rows.into_iter().map(|row| (row["table"].as_str().unwrap_or_default().to_owned(), row)).collect()
    }
}

fn counts(row: &Value) -> [i64; 4] {
    ["rows", "added", "modified", "ended"].map(|column| row[column].as_i64().unwrap_or(-1))
}

/// A version of a row: id, start, end and the value of a column.
type Version = (i64, i64, Option<i64>, String);

/// All versions of a table, ordered by row and start.
async fn versions(dir: &Path, table: &str, column: &str) -> Vec<Version> {
    let archive = Archive::open(&dir.display().to_string()).await.expect("a store");
    let Some(snapshot) = archive.snapshot(table).await.expect("a table") else { return Vec::new() };
    let mut pieces = snapshot.read(Read::new(Span::Between { from: None, to: None }, vec![column.to_owned()]));
    let mut versions = Vec::new();
    while let Some(piece) = pieces.next().await {
        let Piece::Rows(batch) = piece.expect("read") else { panic!("a damaged file") };
        let array = |name: &str| -> ArrayRef { batch.column_by_name(name).expect("a column").clone() };
        let (ids, from, to, values) = (array("row_id"), array("valid_from"), array("valid_to"), array(column));
        let time = |times: &ArrayRef, row: usize| {
            let times = times.as_primitive::<TimestampMicrosecondType>();
            (!times.is_null(row)).then(|| times.value(row))
        };
        for row in 0..batch.num_rows() {
            let id = ids.as_primitive::<Int64Type>().value(row);
            let value = datafusion::arrow::util::display::array_value_to_string(&values, row).expect("text");
            versions.push((id, time(&from, row).expect("a start"), time(&to, row), value));
        }
    }
    versions.sort();
    versions
}

/// Each row has one version after the other, and neighbours differ.
fn assert_consistent(versions: &[Version]) {
    for pair in versions.windows(2) {
        let ((id, _, to, value), (next, from, _, other)) = (&pair[0], &pair[1]);
        if id == next {
            assert!(to.is_some_and(|to| to <= *from), "two versions at once: {pair:?}");
            assert!(value != other || to.is_some_and(|to| to < *from), "a version twice: {pair:?}");
        }
    }
    for (_, from, to, _) in versions {
        assert!(to.is_none_or(|to| to > *from), "{versions:?}");
    }
}

/// The data files that no entry of the table's log has.
fn orphans(table: &Path) -> Vec<PathBuf> {
    let mut known = BTreeSet::new();
    for entry in std::fs::read_dir(table.join("_delta_log")).expect("a log").flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(entry.path()).expect("read");
            for action in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                for kind in ["add", "remove"] {
                    if let Some(path) = action[kind]["path"].as_str() {
                        known.insert(percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned());
                    }
                }
            }
        }
    }
    let mut orphans = Vec::new();
    let mut folders = vec![table.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("listed").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(table).expect("below the table").display().to_string();
            if path.is_dir() && name != "_delta_log" {
                folders.push(path);
            } else if path.is_file() && !known.contains(&name) {
                orphans.push(path);
            }
        }
    }
    orphans
}

/// A recorder that runs in the foreground. Its lines are read as they come.
struct Running {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("indago runs");
        let errors = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Running { child, lines }
    }

    /// The lines until one contains a text.
    fn until(&self, text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if line.contains(text) => return seen,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no line has `{text}`: {seen:?}"),
            }
        }
    }
}

const FAST: &str = "compact = \"300ms\"\nretain = \"0s\"\n\
                    [recording.users]\ntables = [\"users\", \"user_groups\"]\nevery = \"20ms\"\n";

/// What the recorder reports as written is written, exactly once, whenever it is killed.
#[tokio::test]
async fn nothing_is_lost_or_doubled_at_200_random_kills() {
    let host = Host::new(FAST);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let (mut acknowledged, mut change) = (0, 0);
    for _ in 0..200 {
        let mut running = Running::start(&mut host.record(&[]));
        // Most kills are while it records, some during the start.
        if next(4) > 0 {
            running.until("recording 2 tables into");
        }
        let deadline = Instant::now() + Duration::from_millis(next(1200));
        while Instant::now() < deadline {
            change += 1;
            host.users([("ann", format!("change {change}")), ("bob", format!("change {}", change / 3))]);
            std::thread::sleep(Duration::from_millis(5 + next(40)));
        }
        running.child.kill().and_then(|()| running.child.wait()).expect("killed");
        for line in running.lines.iter() {
            assert!(!line.contains("not recorded"), "{line}");
            if let Some(counts) = line.strip_prefix("users: ") {
                let numbers: Vec<u64> = counts.split_whitespace().filter_map(|word| word.parse().ok()).collect();
                acknowledged += numbers[0] + numbers[1];
            }
        }
    }
    let report = host.once();
    assert_eq!(counts(&report["users"])[0], 2, "{report:?}");
    assert_eq!(counts(&host.once()["users"]), [2, 0, 0, 0], "a start after the last one finds nothing to do");
    let all = versions(&host.recorded(), "users", "description").await;
    assert_consistent(&all);
    assert!(acknowledged > 20, "it recorded: {acknowledged}");
    assert!(all.len() as u64 >= acknowledged, "{} versions, {acknowledged} acknowledged", all.len());
    let last: Vec<&str> = all.iter().filter(|version| version.2.is_none()).map(|version| &*version.3).collect();
    assert_eq!(
        BTreeSet::from_iter(last),
        BTreeSet::from([&*format!("change {change}"), &*format!("change {}", change / 3)])
    );
    let archive = Archive::open(&host.recorded().display().to_string()).await.expect("a store");
    let verified = archive.verify().await.expect("verified");
    assert!(verified.breaks.is_empty(), "{:?}", verified.breaks);
    assert!(orphans(&host.recorded().join("users")).is_empty());
    let staged = std::fs::read_dir(host.recorded().join(".staged")).into_iter().flatten().count();
    assert_eq!(staged, 0, "files that were being written");
    eprintln!("{} versions, {acknowledged} of them acknowledged", all.len());
}

#[tokio::test]
async fn one_reading_adds_to_the_store_and_filters_choose_rows() {
    let host = Host::new(
        "[recording.users]\ntables = [\"users\"]\nwithout = [\"shell\"]\n\
         [recording.files]\ntables = [\"file\"]\nwhere = \"path LIKE '/etc/%'\"\n\
         [recording.hashes]\ntables = [\"hash\"]\nkeys = \"SELECT '/etc/passwd' AS path\"\n\
         [recording.wrong]\ntables = [\"user\", \"users\", \"yara\"]\n",
    );
    host.users([("ann", "Ann".to_owned()), ("bob", "Bob".to_owned())]);
    let output = host.record(&["--once", "--json"]).output().expect("indago runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    for expected in [
        "warning: recording.wrong.tables: no table `user`",
        "warning: recording.wrong: `users` is recorded by another group",
        "warning: recording.wrong: `yara` is not recorded: ",
    ] {
        assert!(errors.contains(expected), "{expected}: {errors}");
    }
    assert!(output.status.success(), "{errors}");
    let again = host.once();
    assert_eq!(counts(&again["users"]), [2, 0, 0, 0]);
    assert_eq!(counts(&again["hash"]), [1, 0, 0, 0]);
    host.users([("ann", "Ann Smith".to_owned())]);
    let changed = host.once();
    assert_eq!(counts(&changed["users"]), [1, 0, 1, 1]);
    assert_eq!(counts(&changed["hash"])[2], 1, "{changed:?}");
    let users = versions(&host.recorded(), "users", "description").await;
    assert_consistent(&users);
    let values: BTreeSet<&str> = users.iter().map(|version| &*version.3).collect();
    assert_eq!(values, BTreeSet::from(["Ann", "Ann Smith", "Bob"]));
    let archive = Archive::open(&host.recorded().display().to_string()).await.expect("a store");
    let schema = archive.snapshot("users").await.expect("read").expect("recorded").schema();
    assert!(schema.field_with_name("shell").is_err() && schema.field_with_name("uid").is_ok());
    let intervals = coverage(&archive).await.expect("read");
    let of_users: Vec<&Interval> = intervals.iter().filter(|interval| interval.table == "users").collect();
    assert_eq!(of_users.len(), 3, "each reading is a point in time");
    assert!(of_users.iter().all(|interval| interval.from == interval.to && interval.how.name() == "capture"));
}

#[test]
fn a_second_recorder_says_so_and_an_interrupt_ends_the_first_well() {
    let host = Host::new("[recording.users]\ntables = [\"users\"]\nevery = \"50ms\"\n");
    host.users([("ann", "Ann".to_owned())]);
    let mut running = Running::start(&mut host.record(&[]));
    running.until("users: 1 added");
    let output = host.record(&["--once"]).output().expect("indago runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("another recorder records here as `here`; stop it"), "{errors}");
    signal(&running.child, "INT");
    assert!(running.child.wait().expect("ended").success());
    assert_eq!(counts(&host.once()["users"]), [1, 0, 0, 0]);
    let state = std::fs::read_to_string(host.recorded().join("_state/recorder-here.json")).expect("a heartbeat");
    assert!(state.contains("\"stopped\":true"), "{state}");
}

/// Changes the users until the recorder prints a line with a text, and returns the number of the last change.
fn change_until(host: &Host, running: &Running, change: &mut u64, text: &str) -> String {
    let began = Instant::now();
    loop {
        *change += 1;
        host.users([("ann", format!("change {change}"))]);
        let wait = Duration::from_millis(100);
        while let Ok(line) = running.lines.recv_timeout(wait) {
            if line.contains(text) {
                return line;
            }
        }
        assert!(began.elapsed() < Duration::from_secs(120), "no line has `{text}`");
    }
}

const USERS: &str = "[recording.users]\ntables = [\"users\"]\nevery = \"50ms\"\n";

#[tokio::test]
async fn a_full_disk_is_a_gap_and_recording_goes_on_when_there_is_space() {
    crate::support::needs_root();
    let host = Host::new(USERS);
    std::fs::create_dir(host.recorded()).expect("created");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(host.recorded()).status();
    assert!(mount.expect("mount runs").success());
    let filler = host.recorded().join("filler");
    let mut running = Running::start(&mut host.record(&[]));
    let mut change = 0;
    change_until(&host, &running, &mut change, "users: 1 added");
    std::fs::write(&filler, vec![0; 2 << 20]).expect_err("the disk is full");
    let line = change_until(&host, &running, &mut change, "users: not recorded: it could not be stored: ");
    assert!(line.contains("No space left on device"), "{line}");
    std::fs::remove_file(&filler).expect("removed");
    change_until(&host, &running, &mut change, "users: 0 added, 1 modified");
    signal(&running.child, "INT");
    assert!(running.child.wait().expect("ended").success());
    let archive = Archive::open(&host.recorded().display().to_string()).await.expect("a store");
    let intervals = coverage(&archive).await.expect("read");
    let versions = versions(&host.recorded(), "users", "description").await;
    let unmounted = Command::new("umount").arg(host.recorded()).status();
    assert!(unmounted.expect("umount runs").success());
    assert_consistent(&versions);
    let gaps: Vec<&str> = intervals.iter().filter_map(|interval| interval.gap.as_deref()).collect();
    assert_eq!(gaps.len(), 1, "{intervals:?}");
    assert!(gaps[0].contains("No space left on device"), "{gaps:?}");
}

#[test]
fn an_object_store_that_refuses_and_throttles_is_survived() {
    use indago_testkit::beds::{Effect, Fault, Moto, Rule};
    let moto = Moto::start().expect("moto");
    moto.seed("import boto3\nboto3.client('s3').create_bucket(Bucket='evidence')").expect("a bucket");
    let fault = Fault::http(moto.url()).expect("a proxy");
    let host = Host::new(USERS);
    let env = || {
        let mut env = moto.env();
        env.retain(|(name, _)| !name.starts_with("AWS_ENDPOINT_URL"));
        env.push(("AWS_ENDPOINT_URL".to_owned(), fault.url()));
        env
    };
    let record = |more: &[&str]| {
        let mut command = host.record(&[&["--dir", "s3://evidence/prod"][..], more].concat());
        command.envs(env());
        command
    };
    let mut running = Running::start(&mut record(&[]));
    let mut change = 0;
    change_until(&host, &running, &mut change, "users: 1 added");
    // Throttled requests are retried.
    fault.rule(Rule::new(Effect::status(503)).method("PUT").first(3));
    change_until(&host, &running, &mut change, "users: 0 added, 1 modified");
    // Refused ones are a gap.
    fault.clear_rules();
    fault.rule(Rule::new(Effect::status(403)).method("PUT").path("users"));
    change_until(&host, &running, &mut change, "users: not recorded: it could not be stored: ");
    fault.clear_rules();
    change_until(&host, &running, &mut change, "users: 0 added, 1 modified");
    signal(&running.child, "INT");
    assert!(running.child.wait().expect("ended").success());
    let output = record(&["--once", "--json"]).output().expect("indago runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(rows[0]["rows"], 1, "{rows:?}");
    assert_eq!(rows[0]["added"], 0, "the row was there: {rows:?}");
}

#[test]
fn the_daemon_records_and_its_metrics_count() {
    let host = Host::new("enabled = true\n[recording.users]\ntables = [\"users\"]\nevery = \"100ms\"\n");
    host.users([("ann", "Ann".to_owned())]);
    let config = host.folder.path().join("indago.toml");
    let socket = host.folder.path().join("metrics.sock");
    let text = std::fs::read_to_string(&config).expect("read");
    let daemon = format!(
        "[daemon]\nresults = \"results.log\"\nstate = \"state.redb\"\nstatus = \"status.log\"\nmetrics = \"unix:{}\"\n",
        socket.display()
    );
    std::fs::write(&config, format!("{daemon}{text}")).expect("written");
    let mut child = indago().args(["daemon", "--config"]).arg(&config).spawn().expect("indago runs");
    // Until the daemon listens there are none.
    let metrics = || match std::os::unix::net::UnixStream::connect(&socket) {
        Ok(stream) => exchange(stream, b"GET /metrics HTTP/1.0\r\n\r\n"),
        Err(_) => String::new(),
    };
    let until = |wanted: &str| {
        let began = Instant::now();
        while !metrics().contains(wanted) {
            assert!(began.elapsed() < Duration::from_secs(60), "no `{wanted}`: {}", metrics());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    until("indago_record_versions_total{table=\"users\"} 1\n");
    host.users([("ann", "Ann Smith".to_owned())]);
    until("indago_record_versions_total{table=\"users\"} 2\n");
    until("indago_record_failures_total{table=\"users\"} 0\n");
    // A reload of the same configuration continues.
    signal(&child, "HUP");
    host.users([("ann", "Ann Jones".to_owned()), ("bob", "Bob".to_owned())]);
    until("indago_record_rows{table=\"users\"} 2\n");
    signal(&child, "TERM");
    assert_eq!(wait_for(&mut child, Duration::from_secs(20)), Some(0));
    let status = std::fs::read_to_string(host.folder.path().join("status.log")).expect("a log");
    assert!(status.contains("recording 1 tables into ") && !status.contains("\"severity\":2"), "{status}");
    assert_eq!(counts(&host.once()["users"]), [2, 0, 0, 0]);
}

/// Resident memory of a process, in kilobytes.
fn resident(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.split_whitespace().next().and_then(|size| size.parse().ok()).expect("a number")
}

/// Queries of the past and of changes while the tables are recorded, compacted and removed. `INDAGO_SOAK` sets the
/// seconds: a minute here, and hours now and then.
#[test]
fn reading_while_recording_needs_no_more_memory_with_time() {
    use std::io::Write as _;
    let seconds = std::env::var("INDAGO_SOAK").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(45_u64);
    let host = Host::new(
        "compact = \"2s\"\nretain = \"1m\"\nretain_size = \"4MB\"\n\
         [recording.users]\ntables = [\"users\", \"user_groups\"]\nevery = \"100ms\"\n",
    );
    let names: Vec<String> = (0..2000).map(|number| format!("user{number:04}")).collect();
    let change = |round: usize| {
        // Each round, ten users change.
        let about = |number: usize| format!("change {}", (round + 200 - 1 - number % 200) / 200);
        host.users(names.iter().enumerate().map(|(number, name)| (name.as_str(), about(number))));
    };
    change(0);
    let mut running = Running::start(&mut host.record(&[]));
    running.until("users: 2000 added");
    let mut shell = indago();
    shell.arg("--config").arg(host.folder.path().join("indago.toml")).args(["shell", "--format", "csv"]);
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut input = shell.stdin.take().expect("a pipe");
    let mut output = BufReader::new(shell.stdout.take().expect("a pipe"));
    let queries = "SELECT count(*) AS n FROM users FOR SYSTEM_TIME AS OF now();\n\
                   SELECT count(*) > 0 AS n FROM changes.users WHERE at > now() - INTERVAL '10 seconds';\n\
                   SELECT count(*) AS n FROM users AS a JOIN users FOR SYSTEM_TIME AS OF '-1 second' AS b USING (uid);\n";
    let (began, mut round, mut sizes) = (Instant::now(), 0, Vec::new());
    let mut counts: Vec<[String; 3]> = Vec::new();
    while began.elapsed() < Duration::from_secs(seconds) {
        round += 1;
        change(round);
        input.write_all(queries.as_bytes()).and_then(|()| input.flush()).expect("it reads");
        let mut answers = [String::new(), String::new(), String::new()];
        for answer in &mut answers {
            let mut line = String::new();
            for _ in 0..2 {
                line.clear();
                output.read_line(&mut line).expect("an answer");
            }
            *answer = line.trim().to_owned();
        }
        counts.push(answers);
        sizes.push((began.elapsed().as_secs_f64(), resident(&running.child), resident(&shell)));
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(input);
    assert!(shell.wait().expect("ended").success());
    signal(&running.child, "INT");
    assert!(running.child.wait().expect("ended").success());
    let wrong: Vec<_> = counts.iter().skip(20).filter(|answers| answers[0] != "2000" || answers[1] == "0").collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:?}", wrong.len(), counts.len());
    // The largest size in the second third of the time, and in the last one.
    let most = |from: f64, to: f64, of: &dyn Fn(&(f64, u64, u64)) -> u64| {
        let within = sizes.iter().filter(|(at, ..)| (from..to).contains(&(at / seconds as f64)));
        within.map(of).max().expect("sizes")
    };
    for (what, of) in [("recorder", (|size| size.1) as fn(&(f64, u64, u64)) -> u64), ("reader", |size| size.2)] {
        let (before, after) = (most(0.33, 0.67, &of), most(0.67, 9.0, &of));
        eprintln!("{what}: {} MB, then {} MB, in {seconds} s and {round} rounds", before >> 10, after >> 10);
        assert!(after < before + before / 10 + (16 << 10), "{what}: {before} KB, then {after} KB");
    }
    assert!(host.recorded().join("users").is_dir());
}
