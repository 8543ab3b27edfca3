//! Packs and the daemon, as an operator uses them.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use indago_testkit::beds::generated::KubeServer;
use indago_testkit::beds::{Effect, Fault, Rule};
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
    "missing": {"query": "SELECT * FROM process_events", "interval": 60},
    "last": {"query": "SELECT 1 AS a UNION ALL SELECT 2", "interval": 60}
  }
}
"#;

#[test]
fn an_osquery_pack_runs_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("some.conf");
    std::fs::write(&file, PACK).expect("written");
    let (code, rows, errors) = pack_run(&file, &[]);
    assert_eq!(code, 1, "one query is broken");
    let totals = errors.lines().last().unwrap_or_default();
    assert!(totals.starts_with("4 queries run, 3 rows, 2 failed, 0 incomplete, 1 skipped, in "), "{errors}");
    let status: Vec<(&str, &str, u64)> = rows
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().expect("text");
            (text("query"), text("status"), row["rows"].as_u64().expect("a number"))
        })
        .collect();
    assert_eq!(
        status,
        [
            ("first", "ok", 1),
            ("broken", "failed", 0),
            ("elsewhere", "skipped", 0),
            ("missing", "failed", 0),
            ("last", "ok", 2)
        ]
    );
    let missing = rows[3]["message"].as_str().expect("a message");
    assert!(missing.contains("osquery has a table `"), "{missing}");
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
    assert!(
        errors.contains("two.sql:2:4: unknown key `intervall` in the header; did you mean `interval`?"),
        "{errors}"
    );
}

#[test]
fn what_is_no_pack_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("broken.conf");
    std::fs::write(&file, "{\n  \"queries\": {\n    \"a\": {\"query\": \"SELECT 1\",}\n  }\n}\n").expect("written");
    let (code, _, errors) = pack_run(&file, &[]);
    assert_eq!(code, 2);
    assert!(errors.contains("broken.conf:3:31: not valid JSON: trailing comma; remove the comma"), "{errors}");
    let (code, _, errors) = pack_run(&folder.path().join("none.conf"), &[]);
    assert_eq!(code, 2);
    assert!(errors.contains("No such file"), "{errors}");
}

pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) folder: tempfile::TempDir,
}

impl Daemon {
    pub(crate) fn start(folder: tempfile::TempDir) -> Self {
        Self::start_with(folder, &[])
    }

    /// Starts it with environment variables.
    pub(crate) fn start_with(folder: tempfile::TempDir, environment: &[(&str, &str)]) -> Self {
        let child = indago()
            .args(["daemon", "--config"])
            .arg(folder.path().join("indago.toml"))
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("indago runs");
        Self { child, folder }
    }

    pub(crate) fn read(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// Waits until the lines of a file meet a condition.
    #[track_caller]
    pub(crate) fn until(&self, file: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
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

    /// Waits until the status log contains a text.
    #[track_caller]
    pub(crate) fn until_told(&self, text: &str) -> Vec<Value> {
        self.until("status.log", |lines| {
            lines.iter().any(|line| line["message"].as_str().is_some_and(|message| message.contains(text)))
        })
    }

    /// Kills it, as the kernel does when memory is exhausted.
    fn kill(mut self) -> tempfile::TempDir {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        self.folder
    }

    /// Stops it with SIGTERM, and returns its directory.
    pub(crate) fn stop(mut self) -> tempfile::TempDir {
        signal(&self.child, "TERM");
        assert_eq!(wait_for(&mut self.child, Duration::from_secs(15)), Some(0), "a clean stop");
        self.folder
    }
}

pub(crate) fn of<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
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
        // Without serde_json's `preserve_order`, keys are sorted on parsing; the text itself must be right.
        let text = std::fs::read_to_string(daemon.folder.path().join("results.log")).expect("read");
        let line = text.lines().find(|line| line.contains("\"files\"")).expect("a line");
        let places: Vec<_> = expected.iter().map(|key| line.find(&format!("\"{key}\":"))).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{line}");
    }
    assert_eq!(of(&lines, "all")[0]["snapshot"], serde_json::json!([{"a": "1"}, {"a": "2"}]));

    // A change is a difference. A failing query stops nothing else.
    std::fs::rename(watched.join("one"), watched.join("two")).expect("renamed");
    let lines = daemon.until("results.log", |lines| of(lines, "files").len() >= 3);
    let files = of(&lines, "files");
    let seen: Vec<(&Value, &Value, &Value)> =
        files.iter().map(|line| (&line["action"], &line["columns"]["filename"], &line["counter"])).collect();
    assert_eq!(
        seen[1..3],
        [(&"removed".into(), &"one".into(), &1.into()), (&"added".into(), &"two".into(), &1.into())]
    );
    let status = daemon.until_told("not scheduled: broken ([schedule.broken]): ");
    assert!(status.iter().all(|line| line["hostIdentifier"] == "test-host" && line["severity"].is_number()));

    // After a stop, a change and a start, only the change is logged.
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

/// Writes the configuration of a daemon that stops quickly; `more` starts with further settings of the daemon.
pub(crate) fn configure(folder: &tempfile::TempDir, more: &str) {
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
    assert!(status.contains("slow: cancelled because the daemon stops") && status.contains("stopped"), "{status}");
}

/// A function that blocks its thread, in more queries than there are workers.
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

/// Two clusters, each with a proxy, and a kubeconfig of both in a directory.
struct Clusters {
    _servers: [KubeServer; 2],
    a: Fault,
    b: Fault,
}

impl Clusters {
    fn start(folder: &Path) -> Self {
        let servers = [KubeServer::start(3).expect("a server"), KubeServer::start(2).expect("a server")];
        let [a, b] = [0, 1].map(|number: usize| Fault::http(servers[number].url()).expect("a proxy"));
        let cluster = |name: &str, url: &str| format!(r#"{{name: {name}, cluster: {{server: "{url}"}}}}"#);
        let context = |name: &str| format!("{{name: {name}, context: {{cluster: {name}, user: u}}}}");
        let kubeconfig = format!(
            "{{current-context: a, clusters: [{}, {}], contexts: [{}, {}], users: [{{name: u, user: {{}}}}]}}",
            cluster("a", &a.url()),
            cluster("b", &b.url()),
            context("a"),
            context("b")
        );
        std::fs::write(folder.join("kubeconfig"), kubeconfig).expect("written");
        Self { _servers: servers, a, b }
    }
}

const CLUSTERS: &str = r#"
[kubernetes]
kubeconfig = "kubeconfig"
contexts = ["a", "b"]
# Rows from memory would hide an outage that only new connections see.
watch = false
[limits]
retries = 0
"#;

/// Queries over both clusters: some whose rows identify the cluster, and some whose rows do not.
const OVER_CLUSTERS: &str = r#"
[schedule.pods]
query = "SELECT cluster, name FROM kubernetes_pods"
interval = 1
[schedule.joined]
query = "SELECT p.cluster AS c, p.name, n.name AS node FROM kubernetes_pods p LEFT JOIN kubernetes_nodes n ON n.cluster = p.cluster AND n.name = p.node_name"
interval = 1
[schedule.total]
query = "SELECT count(*) AS n FROM kubernetes_pods"
interval = 1
[schedule.counts]
query = "SELECT cluster, count(*) AS n FROM kubernetes_pods GROUP BY cluster"
interval = 1
[schedule.schedule]
query = "SELECT name, executions, incomplete, output_size, wall_time, (user_time/executions) AS avg_user_time, average_memory, last_executed, denylisted FROM osquery_schedule"
interval = 1
snapshot = true
"#;

/// Number of incomplete runs of a query, from the daemon's own table.
fn incomplete(lines: &[Value], name: &str) -> u64 {
    let last = of(lines, "schedule").last().and_then(|line| line["snapshot"].as_array().cloned()).unwrap_or_default();
    let row = last.iter().find(|row| row["name"] == name);
    row.and_then(|row| row["incomplete"].as_str()).and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn executions(lines: &[Value], name: &str) -> u64 {
    let last = of(lines, "schedule").last().and_then(|line| line["snapshot"].as_array().cloned()).unwrap_or_default();
    let row = last.iter().find(|row| row["name"] == name);
    row.and_then(|row| row["executions"].as_str()).and_then(|count| count.parse().ok()).unwrap_or(0)
}

const NAMES: [&str; 4] = ["pods", "joined", "total", "counts"];

#[test]
fn an_outage_removes_nothing_and_the_other_parts_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let clusters = Clusters::start(folder.path());
    configure(&folder, &format!("splay = 0\n{CLUSTERS}{OVER_CLUSTERS}"));
    let daemon = Daemon::start(folder);
    let lines = daemon.until("results.log", |lines| NAMES.iter().all(|name| !of(lines, name).is_empty()));
    let count = |lines: &[Value], name: &str| of(lines, name).len();
    let first: Vec<usize> = NAMES.iter().map(|name| count(&lines, name)).collect();
    assert_eq!(first, [5, 5, 1, 2]);

    // Cluster b becomes unreachable: every query runs twice without it, and logs nothing.
    clusters.b.rule(Rule::new(Effect::Reset));
    let lines = daemon.until("results.log", |lines| NAMES.iter().all(|name| incomplete(lines, name) >= 2));
    let during: Vec<usize> = NAMES.iter().map(|name| count(&lines, name)).collect();
    assert_eq!(during, first, "{lines:#?}");
    let told = daemon.until_told("pods: incomplete, 2 rows were not compared: kubernetes_pods (");
    assert!(told.iter().any(|line| line["message"].as_str().is_some_and(|text| text.starts_with("total: incomplete"))));
    // Each query ran at least twice without the cluster, and its warning is logged once.
    let of_pods = |line: &&Value| line["message"].as_str().is_some_and(|text| text.starts_with("pods: incomplete"));
    assert_eq!(told.iter().filter(of_pods).count(), 1, "{told:#?}");

    // Meanwhile a pod of cluster a is deleted. Its rows identify the cluster, so they are logged; counts over both
    // clusters wait.
    let gone = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[]}"#;
    clusters.a.rule(Rule::new(Effect::Garbage(gone.as_bytes().to_vec())).path("/pods"));
    let lines = daemon.until("results.log", |lines| count(lines, "joined") >= 8 && count(lines, "pods") >= 8);
    for (name, column) in [("pods", "cluster"), ("joined", "c")] {
        let removed = &of(&lines, name)[5..];
        assert!(
            removed.iter().all(|line| line["action"] == "removed" && line["columns"][column] == "a"),
            "{removed:#?}"
        );
    }
    let lines = daemon.until("results.log", |lines| count(lines, "counts") >= 3);
    let counts = of(&lines, "counts")[2];
    assert_eq!((&counts["action"], &counts["columns"]["cluster"]), (&"removed".into(), &"a".into()));
    assert_eq!(count(&lines, "total"), 1, "{lines:#?}");

    // Cluster b is back unchanged: nothing is logged for it, and the total is the current one.
    clusters.b.clear_rules();
    let lines = daemon.until("results.log", |lines| count(lines, "total") >= 3);
    let total: Vec<_> = of(&lines, "total")[1..].iter().map(|line| (&line["action"], &line["columns"]["n"])).collect();
    assert_eq!(total, [(&"removed".into(), &"5".into()), (&"added".into(), &"2".into())]);
    let ran = executions(&lines, "pods");
    let lines = daemon.until("results.log", |lines| executions(lines, "pods") >= ran + 2);
    assert_eq!(count(&lines, "pods"), 8, "{lines:#?}");
    daemon.until_told("pods: no longer: incomplete, ");
    daemon.stop();
}

#[test]
fn with_strict_an_outage_is_an_error_and_no_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    let clusters = Clusters::start(folder.path());
    configure(&folder, &format!("splay = 0\n[sql]\nstrict = true\n{CLUSTERS}{OVER_CLUSTERS}"));
    let daemon = Daemon::start(folder);
    daemon.until("results.log", |lines| NAMES.iter().all(|name| !of(lines, name).is_empty()));
    clusters.b.rule(Rule::new(Effect::Reset));
    let lines = daemon.until("results.log", |lines| NAMES.iter().all(|name| incomplete(lines, name) >= 2));
    let seen: Vec<usize> = NAMES.iter().map(|name| of(&lines, name).len()).collect();
    assert_eq!(seen, [5, 5, 1, 2], "{lines:#?}");
    let status = daemon.until_told("pods: ");
    let error = status
        .iter()
        .find(|line| line["severity"] == 2 && line["message"].as_str().is_some_and(|text| text.starts_with("pods: ")));
    assert!(error.is_some(), "{status:#?}");
    daemon.stop();
}

#[test]
fn a_query_that_was_running_when_the_daemon_was_killed_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let clusters = Clusters::start(folder.path());
    let schedule = "[schedule.killer]\nquery = \"SELECT name FROM kubernetes_pods\"\ninterval = 1\n\
                    [schedule.other]\nquery = \"SELECT unix_time FROM time\"\ninterval = 1\n";
    configure(&folder, &format!("splay = 0\n{CLUSTERS}{schedule}"));
    clusters.a.rule(Rule::new(Effect::Hang));
    let daemon = Daemon::start(folder);
    let began = Instant::now();
    while clusters.a.requests().is_empty() || of(&daemon.read("results.log"), "other").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "no request: {:#?}", daemon.read("status.log"));
        std::thread::sleep(Duration::from_millis(20));
    }
    // The other query is between two runs, or is also a suspect; only the query that hangs is killed each time.
    let folder = daemon.kill();
    clusters.a.clear_rules();
    let before = std::fs::read_to_string(folder.path().join("results.log")).expect("read").lines().count();
    let daemon = Daemon::start(folder);
    daemon.until_told("killer: was running when the daemon was killed");
    let lines = daemon.until("results.log", |lines| of(&lines[before..], "other").len() >= 4);
    let status = std::fs::read_to_string(daemon.folder.path().join("status.log")).expect("read");
    let ran = !of(&lines[before..], "killer").is_empty();
    assert_eq!(ran, status.contains("so were other queries"), "{status}");
    daemon.stop();
}

#[test]
fn a_hangup_does_not_end_the_daemon() {
    let folder = tempfile::tempdir().expect("a folder");
    configure(&folder, "[schedule.q]\nquery = \"SELECT 1 AS n\"\ninterval = 1\n");
    let daemon = Daemon::start(folder);
    daemon.until("results.log", |lines| !lines.is_empty());
    signal(&daemon.child, "HUP");
    daemon.until_told("reloaded the configuration: 1 query scheduled");
    daemon.stop();
}

#[test]
fn new_sql_under_a_name_is_compared_with_the_kept_rows_and_counts_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let configured = |folder: &tempfile::TempDir, sql: &str| {
        configure(folder, "splay = 0\n[packs]\nmain = \"main.conf\"\n");
        let pack = format!(r#"{{"queries": {{"q": {{"query": "{sql}", "interval": 1}}}}}}"#);
        std::fs::write(folder.path().join("main.conf"), pack).expect("written");
    };
    configured(&folder, "SELECT 1 AS n UNION ALL SELECT 2 AS n");
    let daemon = Daemon::start(folder);
    // Queries of a pack named main have no prefix.
    daemon.until("results.log", |lines| of(lines, "q").len() == 2);
    let folder = daemon.stop();
    configured(&folder, "SELECT 2 AS n UNION ALL SELECT 3 AS n");
    let daemon = Daemon::start(folder);
    let lines = daemon.until("results.log", |lines| of(lines, "q").len() >= 4);
    let seen: Vec<_> = of(&lines, "q")
        .iter()
        .map(|line| (line["action"].clone(), line["columns"]["n"].clone(), line["counter"].clone()))
        .collect();
    let line = |action: &str, n: &str, counter: u64| (action.into(), n.into(), counter.into());
    // Removed rows come before added rows.
    assert_eq!(seen[2..], [line("removed", "1", 1), line("added", "3", 1)], "{seen:?}");
    daemon.stop();
}

#[test]
fn differences_are_escaped_and_snapshots_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let sql = "SELECT 'a' || char(10) || 'ä' AS t, 1e20 AS r, NULL AS n, 1 AS b, 2 AS b";
    configure(
        &folder,
        &format!(
            "numerics = true\n[schedule.d]\nquery = \"{sql}\"\n[schedule.s]\nquery = \"{sql}\"\nsnapshot = true\n\
             [schedule.none]\nquery = \"SELECT 1 AS n WHERE 0\"\nsnapshot = true\n"
        ),
    );
    let daemon = Daemon::start(folder);
    let lines = daemon.until("results.log", |lines| ["d", "s", "none"].iter().all(|name| !of(lines, name).is_empty()));
    let difference = &of(&lines, "d")[0]["columns"];
    assert_eq!((&difference["t"], &difference["n"], &difference["b"]), (&"a\\x0Aä".into(), &"".into(), &2.into()));
    let snapshot = &of(&lines, "s")[0]["snapshot"][0];
    assert_eq!((&snapshot["t"], &snapshot["n"], &snapshot["b"]), (&"a\nä".into(), &"".into(), &2.into()));
    let none = of(&lines, "none");
    assert_eq!((none.len(), &none[0]["snapshot"], &none[0]["counter"]), (1, &serde_json::json!([]), &0.into()));
    let text = std::fs::read_to_string(daemon.folder.path().join("results.log")).expect("read");
    let line = text.lines().find(|line| line.contains("\"name\":\"d\"")).expect("a line");
    let places: Vec<_> = ["\"b\":", "\"n\":", "\"r\":", "\"t\":"].iter().map(|key| line.find(key)).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some) && line.matches("\"b\":").count() == 1, "{line}");
    daemon.stop();
}
