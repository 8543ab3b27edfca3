//! The daemon, as an operator runs it: checks, reloads, systemd, metrics, its own tables.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::{indago, signal, wait_for};
use crate::packs::{Daemon, configure, of};

/// Runs `indago daemon` to its end, which a valid configuration reaches only with `--check`.
fn daemon_of(config: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let output = indago().args(["daemon", "--config"]).arg(config).args(more).output().expect("indago runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_lists_every_problem_and_runs_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write(
        "p.conf",
        "{\n\"queries\": {\n\"good\": {\"query\": \"SELECT 1\"},\n\"bad\": {\"query\": \"SELECT x FROM time\"}}}",
    );
    write("d.conf", r#"{"discovery": ["SELECT 1 FROM no_table"], "queries": {"q": {"query": "SELECT 1"}}}"#);
    write("w.conf", r#"{"platform": "windows", "queries": {"q": {"query": "SELECT 1 FROM registry"}}}"#);
    configure(
        &folder,
        "[packs]\np = \"p.conf\"\nd = \"d.conf\"\nw = \"w.conf\"\nmissing = \"missing.conf\"\n\
         [schedule.good]\nquery = \"SELECT pid FROM processes\"\n\
         [schedule.keyless]\nquery = \"SELECT * FROM hash\"\n\
         [schedule.unbound]\nquery = \"SELECT $x\"\n\
         [schedule.view]\nquery = \"CREATE VIEW v AS SELECT 1 AS n\"\n\
         [schedule.of_view]\nquery = \"SELECT n FROM v\"\n\
         [schedule.file]\nfile = \"none.sql\"\n",
    );
    let config = folder.path().join("indago.toml");
    let (code, out, errors) = daemon_of(&config, &["--check"]);
    assert_eq!(code, Some(2), "{out}{errors}");
    for expected in [
        "error: schedule.file: cannot read ",
        "error: packs.missing: cannot read ",
        "error: keyless ([schedule.keyless]): ",
        "error: unbound ([schedule.unbound]): parameter `$x` has no value",
        "error: view ([schedule.view]): the statement has no result to log; define a view in `[views]`",
        "error: of_view ([schedule.of_view]): no table `v`",
        "p.conf:4)): no column `x`",
        "error: pack d (a discovery query in ",
    ] {
        assert_eq!(errors.matches(expected).count(), 1, "{expected}: {errors}");
    }
    assert_eq!(errors.lines().count(), 8, "{errors}");
    assert!(out.contains("not scheduled: pack w: the pack is for windows; this is linux"), "{out}");
    assert!(out.contains("queries that can run: 2; problems: 8\nresults are appended to "), "{out}");
    configure(&folder, "[packs]\nw = \"w.conf\"\n[schedule.good]\nquery = \"SELECT pid FROM processes\"\n");
    let (code, out, errors) = daemon_of(&config, &["--check"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("queries that can run: 1; problems: 0\nresults are appended to "), "{out}");
    let written: Vec<_> = ["results.log", "status.log", "state.redb"].map(|name| folder.path().join(name)).into();
    assert!(written.iter().all(|file| !file.exists()));
}

#[test]
fn a_mistyped_path_is_an_error_and_nothing_is_created() {
    for (key, daemon) in [
        ("daemon.state", "results = \"results.log\"\nstate = \"typo/state.redb\""),
        ("daemon.results", "results = \"typo/results.log\"\nstate = \"state.redb\""),
        ("daemon.status", "results = \"results.log\"\nstate = \"state.redb\"\nstatus = \"typo/status.log\""),
        ("daemon.metrics", "results = \"results.log\"\nstate = \"state.redb\"\nmetrics = \"unix:/typo/m.sock\""),
        ("packs.p", "results = \"results.log\"\nstate = \"state.redb\"\n[packs]\np = \"typo/p.conf\""),
    ] {
        let folder = tempfile::tempdir().expect("a directory");
        let config = folder.path().join("indago.toml");
        std::fs::write(&config, format!("[daemon]\n{daemon}\n[schedule.q]\nquery = \"SELECT 1\"\n")).expect("written");
        for more in [&["--check"][..], &[]] {
            let (code, _, errors) = daemon_of(&config, more);
            assert_eq!(code, Some(2), "{errors}");
            assert!(errors.contains(&format!("error: {key}: ")) && errors.contains("typo"), "{errors}");
        }
        let created: Vec<_> =
            std::fs::read_dir(folder.path()).expect("read").flatten().map(|file| file.file_name()).collect();
        assert_eq!(created, ["indago.toml"], "{key}");
    }
}

#[test]
fn a_reload_keeps_the_state_of_queries_and_a_broken_configuration_changes_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    let watched = folder.path().join("watched");
    std::fs::create_dir(&watched).expect("created");
    std::fs::write(watched.join("one"), "1").expect("written");
    let files = format!(
        "[schedule.files]\ninterval = 1\n\
         query = \"SELECT filename FROM file WHERE directory = '{}' AND filename != '.'\"\n",
        watched.display()
    );
    let daily = "[schedule.daily]\nquery = \"SELECT 1 AS n\"\ninterval = \"1d\"\n";
    let gone = "[schedule.gone]\nquery = \"SELECT 2 AS n\"\ninterval = 1\n";
    let write = |folder: &tempfile::TempDir, more: &str| configure(folder, &format!("splay = 0\n{files}{daily}{more}"));
    write(&folder, gone);
    let daemon = Daemon::start(folder);
    daemon.until("results.log", |lines| ["files", "daily", "gone"].iter().all(|name| of(lines, name).len() == 1));

    // A query is added and one is removed.
    write(&daemon.folder, "[schedule.added]\nquery = \"SELECT 3 AS n\"\ninterval = 1\n");
    signal(&daemon.child, "HUP");
    daemon.until_told("reloaded the configuration: 3 queries scheduled");
    daemon.until("results.log", |lines| of(lines, "added").len() == 1);
    std::fs::write(watched.join("two"), "2").expect("written");
    let lines = daemon.until("results.log", |lines| of(lines, "files").len() >= 2);
    let change = of(&lines, "files")[1];
    assert_eq!((&change["counter"], &change["columns"]["filename"]), (&1.into(), &"two".into()), "{lines:#?}");
    assert_eq!(of(&lines, "daily").len(), 1, "it is not due, and its result did not change");

    // A broken configuration, in three ways, is reported and not used.
    let config = daemon.folder.path().join("indago.toml");
    for (broken, expected) in [
        ("[schedule.added]\nquery = \n".to_owned(), "indago.toml:"),
        (format!("{gone}[packs]\np = \"none.conf\"\n"), "packs.p: cannot read "),
        (format!("{gone}[schedule.bad]\nquery = \"SELECT x FROM time\"\n"), "bad ([schedule.bad]): "),
    ] {
        write(&daemon.folder, &broken);
        signal(&daemon.child, "HUP");
        let told = daemon.until_told(expected);
        let line = told.iter().rfind(|line| line["severity"] == 2).expect("an error");
        let message = line["message"].as_str().expect("text");
        assert!(message.starts_with("the new configuration is not used: ") && message.contains(expected), "{message}");
    }
    let text = std::fs::read_to_string(&config).expect("read").replace("state.redb", "other.redb");
    std::fs::write(&config, text.replace("SELECT x FROM", "SELECT * FROM")).expect("written");
    signal(&daemon.child, "HUP");
    daemon.until_told("daemon.state: the state file cannot change while the daemon runs; restart it");
    std::fs::write(watched.join("three"), "3").expect("written");
    let lines = daemon.until("results.log", |lines| of(lines, "files").len() >= 3);
    assert_eq!(of(&lines, "files")[2]["counter"], 2);
    assert!(of(&lines, "bad").is_empty());

    // The removed query is new when it comes back; the others are not.
    write(&daemon.folder, gone);
    signal(&daemon.child, "HUP");
    let lines = daemon.until("results.log", |lines| of(lines, "gone").len() == 2);
    assert_eq!(of(&lines, "gone")[1]["counter"], 0);
    let folder = daemon.stop();
    let daemon = Daemon::start(folder);
    std::fs::write(watched.join("four"), "4").expect("written");
    let lines = daemon.until("results.log", |lines| of(lines, "files").len() >= 4);
    assert_eq!(of(&lines, "files")[3]["counter"], 3);
    assert_eq!((of(&lines, "daily").len(), of(&lines, "gone").len()), (1, 2));
    daemon.stop();
}

#[test]
fn lines_on_standard_error_have_times() {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::write(
        folder.path().join("indago.toml"),
        "[daemon]\nresults = \"results.log\"\nstate = \"state.redb\"\n[schedule.q]\nquery = \"SELECT 1 AS n\"\n\
         [schedule.bad]\nquery = \"SELECT x FROM time\"\n",
    )
    .expect("written");
    let child = indago()
        .args(["daemon", "--config"])
        .arg(folder.path().join("indago.toml"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("indago runs");
    let mut daemon = Daemon { child, folder };
    daemon.until("results.log", |lines| of(lines, "q").len() == 1);
    signal(&daemon.child, "TERM");
    assert_eq!(wait_for(&mut daemon.child, Duration::from_secs(15)), Some(0));
    let mut text = String::new();
    daemon.child.stderr.take().expect("a pipe").read_to_string(&mut text).expect("text");
    assert!(
        text.contains("Z error: not scheduled: bad ([schedule.bad]): ") && text.contains("Z info: stopped"),
        "{text}"
    );
    for line in text.lines() {
        let time: Vec<&str> = line.split(['-', 'T', ':', 'Z']).take(6).collect();
        assert!(time.len() == 6 && time.iter().all(|part| part.parse::<u32>().is_ok()), "{line}");
    }
}

#[test]
fn the_tables_of_the_schedule_show_runs() {
    let folder = tempfile::tempdir().expect("a directory");
    configure(
        &folder,
        "splay = 0\n[schedule.three]\nquery = \"SELECT value FROM generate_series(1, 3)\"\ninterval = \"1h\"\n\
         [schedule.late]\nquery = \"SELECT count(*) FROM generate_series(1, 100000000000) WHERE value % 7 = 4\"\n\
         timeout = \"100ms\"\ninterval = \"1h\"\n\
         [schedule.engine]\nquery = \"SELECT * FROM engine_schedule\"\nsnapshot = true\ninterval = 1\n\
         [schedule.osquery]\nquery = \"SELECT * FROM osquery_schedule\"\nsnapshot = true\ninterval = 1\n",
    );
    let daemon = Daemon::start(folder);
    let row = |lines: &[Value], table: &str, name: &str| -> Option<Value> {
        let line = of(lines, table).last().copied()?.clone();
        line["snapshot"].as_array()?.iter().find(|row| row["name"] == name).cloned()
    };
    let failed = |lines: &[Value]| {
        ["engine", "osquery"].iter().all(|table| {
            row(lines, table, "late").is_some_and(|row| row["failures"] == "1")
                && row(lines, table, "three").is_some_and(|row| row["last_rows"] == "3")
        })
    };
    let lines = daemon.until("results.log", failed);
    let three = row(&lines, "engine", "three").expect("a row");
    assert_eq!(
        (&three["status"], &three["runs"], &three["interval"]),
        (&"waiting".into(), &"1".into(), &"3600".into())
    );
    assert!(three["next_run"].as_str() > three["last_run"].as_str(), "{three}");
    assert_eq!((&three["last_error"], &three["last_missing"], &three["pack"]), (&"".into(), &"".into(), &"".into()));
    let late = row(&lines, "engine", "late").expect("a row");
    assert!(late["last_error"].as_str().is_some_and(|error| error.contains("100ms")), "{late}");
    let own = row(&lines, "engine", "engine").expect("a row");
    assert_eq!(own["status"], "running");
    let three = row(&lines, "osquery", "three").expect("a row");
    let number = |key: &str| three[key].as_str().and_then(|text| text.parse::<i64>().ok()).expect("a number");
    assert_eq!(number("next_execution"), number("last_executed") + 3600);
    assert!(number("last_memory") >= 0 && number("average_memory") == number("last_memory"));
    daemon.stop();
}

/// Reads messages until one contains a text.
fn receive(socket: &UnixDatagram, wanted: &str) -> String {
    let mut buffer = [0; 4096];
    let began = Instant::now();
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("no `{wanted}`: {error}"));
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if message.contains(wanted) {
            return message;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "no `{wanted}`, but {message}");
    }
}

#[test]
fn systemd_is_notified() {
    let own = tempfile::tempdir().expect("a directory");
    let path = own.path().join("notify");
    let name = format!("indago-test-{}", std::process::id());
    let addresses = [
        (path.display().to_string(), SocketAddr::from_pathname(&path).expect("an address")),
        (format!("@{name}"), SocketAddr::from_abstract_name(&name).expect("an address")),
    ];
    for (variable, address) in addresses {
        let socket = UnixDatagram::bind_addr(&address).expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        let folder = tempfile::tempdir().expect("a directory");
        configure(&folder, "[schedule.q]\nquery = \"SELECT 1 AS n\"\ninterval = \"1h\"\n");
        let daemon = Daemon::start_with(folder, &[("NOTIFY_SOCKET", &variable), ("WATCHDOG_USEC", "100000")]);
        assert_eq!(receive(&socket, "READY=1"), "READY=1\nSTATUS=1 query scheduled\n");
        for _ in 0..3 {
            receive(&socket, "WATCHDOG=1");
        }
        signal(&daemon.child, "HUP");
        let message = receive(&socket, "RELOADING=1");
        let time = message.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(time.is_some_and(|time| time.parse::<u64>().is_ok()), "{message}");
        receive(&socket, "READY=1\nSTATUS=1 query scheduled\n");
        std::fs::write(daemon.folder.path().join("indago.toml"), "[daemo]\n").expect("written");
        signal(&daemon.child, "HUP");
        receive(&socket, "READY=1\nSTATUS=1 query scheduled; the last reload failed\n");
        signal(&daemon.child, "TERM");
        receive(&socket, "STOPPING=1");
        daemon.until_told("stopped");
    }
}

/// Sends bytes, and returns everything that comes back until the server closes the connection.
pub(crate) fn exchange(mut stream: impl Read + Write, request: &[u8]) -> String {
    // The server may close a connection that it refuses before it reads the request.
    let _ = stream.write_all(request);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8_lossy(&response).into_owned()
}

/// Checks that a text is in Prometheus' format by its conventions, and returns its samples.
fn samples(text: &str) -> Vec<(&str, f64)> {
    let mut samples = Vec::new();
    let mut known = ("", "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a name and its help");
            assert!(help.ends_with('.') && !text.contains(&format!("# TYPE {name} {name}")), "{line}");
            known = (name, "");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and its type");
            assert_eq!(name, known.0, "HELP stands before TYPE");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(["counter", "gauge"].contains(&kind), "{line}");
            known = (name, kind);
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            let name = series.split('{').next().unwrap_or(series);
            assert!(name == known.0 && !known.1.is_empty(), "{line}");
            assert!(name.starts_with("indago_") && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            samples.push((series, value.parse().unwrap_or_else(|_| panic!("{line}"))));
        }
    }
    samples
}

#[test]
fn metrics_are_served_on_a_unix_socket() {
    let folder = tempfile::tempdir().expect("a directory");
    let socket = folder.path().join("metrics.sock");
    let metrics = format!("metrics = \"unix:{}\"\nsplay = 0\n", socket.display());
    let schedule = "[schedule.q]\nquery = \"SELECT value FROM generate_series(1, 3)\"\ninterval = \"1h\"\n\
                    [schedule.'a \"b\\']\nquery = \"SELECT 1 AS n\"\ninterval = \"1h\"\n";
    configure(&folder, &format!("{metrics}{schedule}"));
    let daemon = Daemon::start(folder);
    let names = ["q", "a \"b\\"];
    daemon.until("results.log", |lines| names.iter().all(|name| !of(lines, name).is_empty()));
    let connect = || UnixStream::connect(&socket).expect("it listens");
    let get = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    let scrape = || {
        let response = exchange(connect(), get);
        let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert!(head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{head}");
        body.to_owned()
    };
    // The rows are in the log shortly before the state shows the run.
    let began = Instant::now();
    let body = loop {
        let body = scrape();
        if samples(&body).contains(&("indago_query_last_rows{query=\"q\"}", 3.0)) {
            break body;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{body}");
    };
    let found = samples(&body);
    for expected in [
        ("indago_queries", 2.0),
        ("indago_queries_invalid", 0.0),
        ("indago_config_last_reload_successful", 1.0),
        ("indago_query_runs_total{query=\"q\"}", 1.0),
        ("indago_query_failures_total{query=\"a \\\"b\\\\\"}", 0.0),
    ] {
        assert!(found.contains(&expected), "{expected:?}: {body}");
    }
    let value = |name: &str| found.iter().find(|(series, _)| *series == name).map(|(_, value)| *value);
    let (last, next) = (
        value("indago_query_last_run_timestamp_seconds{query=\"q\"}"),
        value("indago_query_next_run_timestamp_seconds{query=\"q\"}"),
    );
    assert_eq!(next.expect("a time") - last.expect("a time"), 3600.0);

    // Requests that are not a scrape: wrong, endless and idle ones.
    assert!(exchange(connect(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(exchange(connect(), b"DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(exchange(connect(), b"\0\xff\r\n\r\n").starts_with("HTTP/1.1 400"));
    let large = [b"GET /metrics HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    assert!(!exchange(connect(), &large).contains("200 OK"));
    let idle: Vec<UnixStream> = (0..8).map(|_| connect()).collect();
    assert_eq!(exchange(connect(), get), "", "more connections than are served are closed");
    drop(idle);
    let began = Instant::now();
    while !exchange(connect(), get).contains("200 OK") {
        assert!(began.elapsed() < Duration::from_secs(30), "it serves again after the connections are closed");
    }

    // A removed socket is made again, and a file in its place is not touched.
    std::fs::remove_file(&socket).expect("removed");
    signal(&daemon.child, "HUP");
    daemon.until_told("reloaded the configuration: 2 queries scheduled");
    scrape();

    // A failed reload shows.
    std::fs::write(daemon.folder.path().join("indago.toml"), "[daemo]\n").expect("written");
    signal(&daemon.child, "HUP");
    daemon.until_told("the new configuration is not used: ");
    assert!(samples(&scrape()).contains(&("indago_config_last_reload_successful", 0.0)));
    assert!(samples(&scrape()).contains(&("indago_config_reload_failures_total", 1.0)));
    // A second daemon does not take over the socket.
    let other = tempfile::tempdir().expect("a directory");
    configure(&other, &format!("{metrics}{schedule}"));
    let (code, _, errors) = daemon_of(&other.path().join("indago.toml"), &[]);
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("daemon.metrics: cannot listen on unix:") && errors.contains("another process"),
        "{errors}"
    );
    daemon.stop();
}

#[test]
fn metrics_are_served_on_a_loopback_address_only() {
    let folder = tempfile::tempdir().expect("a directory");
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let schedule = "[schedule.q]\nquery = \"SELECT 1 AS n\"\n";
    configure(&folder, &format!("metrics = \"{free}\"\n{schedule}"));
    let daemon = Daemon::start(folder);
    daemon.until_told("started");
    let stream = std::net::TcpStream::connect(free).expect("it listens");
    let response = exchange(stream, b"GET /metrics HTTP/1.0\r\n\r\n");
    assert!(response.contains("\nindago_queries 1\n"), "{response}");
    // A reload can stop serving them.
    configure(&daemon.folder, schedule);
    signal(&daemon.child, "HUP");
    daemon.until_told("reloaded");
    assert!(std::net::TcpStream::connect(free).is_err());
    let folder = daemon.stop();
    configure(&folder, &format!("metrics = \"0.0.0.0:9105\"\n{schedule}"));
    let (code, _, errors) = daemon_of(&folder.path().join("indago.toml"), &["--check"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("daemon.metrics") && errors.contains("can be reached from other machines"), "{errors}");
}

/// The configurations of the Debian package and of the manifests for Kubernetes.
#[test]
fn the_installed_configurations_are_valid() {
    let install = crate::support::root().join("docs/install");
    for name in ["indago.toml", "kubernetes-node.yaml", "kubernetes-cluster.yaml"] {
        let text = std::fs::read_to_string(install.join(name)).expect("a file of this project");
        let config: String = match text.split_once("  indago.toml: |\n") {
            Some((_, rest)) => {
                let lines = rest.lines().map_while(|line| line.strip_prefix("    "));
                lines.map(|line| format!("{line}\n")).collect()
            }
            None => text,
        };
        assert!(config.matches("[schedule.").count() >= 2, "{name}: {config}");
        let folder = tempfile::tempdir().expect("a directory");
        let here = folder.path().display().to_string();
        let directories = ["/var/log/indago", "/var/lib/indago", "/run/indago"];
        let config = directories.iter().fold(config, |config, directory| config.replace(directory, &here));
        let file = folder.path().join("indago.toml");
        std::fs::write(&file, config).expect("written");
        let (code, out, errors) = daemon_of(&file, &["--check"]);
        assert_eq!(code, Some(0), "{name}: {out}{errors}");
    }
}
