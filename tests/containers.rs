//! The container tables on recorded runtimes, on faulty sockets, and on real runtimes.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use indago_engine::{Engine, Limits, Outcome, Warning};
use indago_table::Sys;
use indago_tables_registry::{ContainerRuntime, Containers, Environments, Kubernetes, KubernetesSettings, all};
use indago_testkit::beds::{Cluster, Containerd, Docker, Podman};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/containers").join(name)
}

/// Responses of a recorded runtime: a body for each path.
#[derive(Clone)]
struct Recording {
    server: String,
    routes: HashMap<String, String>,
}

impl Recording {
    fn load(name: &str) -> Self {
        let text = std::fs::read_to_string(fixture(name)).expect("a recording");
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let routes = document["routes"].as_object().expect("routes");
        let server = document["server"].as_str().expect("a name").to_owned();
        Recording { server, routes: routes.iter().map(|(path, body)| (path.clone(), body.to_string())).collect() }
    }

    /// The response to a request. Filters are ignored: the tables must not rely on them.
    fn answer(&self, target: &str) -> Vec<u8> {
        let target = percent_encoding::percent_decode_str(target).decode_utf8_lossy();
        let path = target.split('?').next().unwrap_or_default();
        match self.routes.get(&*target).or_else(|| self.routes.get(path)) {
            Some(body) => http("200 OK", &self.server, body),
            None => http("404 Not Found", &self.server, "{\"message\":\"no such container\"}"),
        }
    }
}

fn http(status: &str, server: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nServer: {server}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// Serves a socket until the test ends. Each connection is one request, which `answer` responds to.
fn serve(socket: &Path, answer: impl Fn(&str, &mut UnixStream) + Clone + Send + 'static) {
    let listener = UnixListener::bind(socket).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), answer) = (stream, answer.clone()) else { return };
            std::thread::spawn(move || {
                let mut request = vec![0; 65536];
                let read = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                answer(request.split(' ').nth(1).unwrap_or_default(), &mut stream);
            });
        }
    });
}

fn serve_recording(folder: &Path, name: &str) -> ContainerRuntime {
    let (socket, recording) = (folder.join(format!("{name}.sock")), Recording::load(&format!("{name}.json")));
    serve(&socket, move |target, stream| drop(stream.write_all(&recording.answer(target))));
    // A path under the fixture host's root, where the environment searches for it.
    ContainerRuntime::docker(&socket.to_string_lossy())
}

fn serve_bytes(folder: &Path, name: &str, bytes: &'static [u8]) -> PathBuf {
    let socket = folder.join(format!("{name}.sock"));
    serve(&socket, move |_, stream| drop(stream.write_all(bytes)));
    socket
}

async fn engine(sys: &Sys, runtimes: Vec<ContainerRuntime>) -> Engine {
    let containers = Some(Containers::with_runtimes(sys, runtimes));
    let limits = Limits { call_timeout: Duration::from_secs(2), retries: 1, ..Limits::default() };
    let tables = all(&Environments { containers, ..Environments::default() });
    Engine::builder().tables(tables).limits(limits).build().await.expect("an engine")
}

type Answer = (Vec<Vec<String>>, Vec<Warning>);

async fn ask(engine: &Engine, sql: &str) -> Result<Answer, indago_engine::Error> {
    let query = engine.query(sql).await?;
    let batches = query.collect().await?;
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).expect("a column"));
        let columns: Vec<_> = columns.collect();
        for row in 0..batch.num_rows() {
            rows.push(columns.iter().map(|column| column.value(row).to_string()).collect());
        }
    }
    Ok((rows, query.warnings()))
}

/// Rows, their columns separated by blanks, sorted. The query must have no warnings.
async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let (rows, warnings) = ask(engine, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert!(warnings.is_empty(), "{sql}: {warnings:?}");
    let mut rows: Vec<String> = rows.into_iter().map(|row| row.join(" ")).collect();
    rows.sort();
    rows
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// An engine over recorded runtimes, with their sockets in a directory.
pub(crate) async fn recorded(folder: &Path) -> Engine {
    // The host's files are the fixture's; the sockets are next to them.
    let host = folder.join("host");
    copy(&fixture("host"), &host);
    let sockets = host.join("s");
    std::fs::create_dir(&sockets).expect("a folder");
    for name in ["docker-20.10", "podman-4.3"] {
        serve_recording(&sockets, name);
    }
    let runtimes = ["/s/docker-20.10.sock", "/s/podman-4.3.sock"].map(ContainerRuntime::docker);
    engine(&Sys::at(&host), runtimes.to_vec()).await
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

#[test]
fn sockets_that_misbehave_are_warnings_and_the_others_still_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let good = serve_recording(folder, "docker-20.10");
    let (slow, dead) = (folder.join("slow.sock"), folder.join("dead.sock"));
    serve(&slow, |_, _| std::thread::sleep(Duration::from_secs(30)));
    drop(UnixListener::bind(&dead).expect("a socket"));
    let bad = [
        (slow, Outcome::Io),
        (dead, Outcome::Io),
        (folder.join("absent.sock"), Outcome::Io),
        (serve_bytes(folder, "ssh", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), Outcome::Malformed),
        (
            serve_bytes(folder, "page", b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>"),
            Outcome::Malformed,
        ),
        (serve_bytes(folder, "other", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), Outcome::Malformed),
        (serve_bytes(folder, "object", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), Outcome::Malformed),
        (
            serve_bytes(folder, "odd", b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n[null, 1, \"x\", {\"Id\": 5}]"),
            Outcome::Malformed,
        ),
        (serve_bytes(folder, "cut", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[{"), Outcome::Io),
        (serve_bytes(folder, "refused", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), Outcome::Denied),
        (serve_bytes(folder, "broken", b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"), Outcome::Io),
    ];
    runtime().block_on(async {
        for kind in [ContainerRuntime::docker, ContainerRuntime::containerd] {
            let runtimes: Vec<_> =
                bad.iter().map(|(path, _)| kind(&path.to_string_lossy())).chain([good.clone()]).collect();
            let engine = engine(&Sys::live(), runtimes).await;
            let (rows, warnings) =
                ask(&engine, "SELECT name FROM containers WHERE state = 'running'").await.expect("rows");
            assert_eq!(rows.len(), 2);
            assert_eq!(warnings.len(), bad.len(), "{warnings:#?}");
            if kind("x").kind != good.kind {
                continue;
            }
            for (path, outcome) in &bad {
                let about = |warning: &&Warning| warning.origin.contains(&*path.to_string_lossy());
                let warning = warnings.iter().find(about).unwrap_or_else(|| panic!("{path:?}: {warnings:#?}"));
                assert_eq!(warning.outcome, *outcome, "{warning}");
            }
        }
    });
}

#[test]
fn a_container_that_vanishes_between_list_and_details_gives_no_row_and_no_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recording = Recording::load("docker-20.10.json");
    recording.routes.retain(|path, _| !path.starts_with("/containers/acdb"));
    let socket = folder.path().join("s.sock");
    serve(&socket, move |target, stream| drop(stream.write_all(&recording.answer(target))));
    runtime().block_on(async {
        let engine = engine(&Sys::live(), vec![ContainerRuntime::docker(&socket.to_string_lossy())]).await;
        assert_eq!(rows(&engine, "SELECT name FROM containers").await, ["dcreated", "dexited", "dpriv", "dweb"]);
        assert_eq!(
            rows(&engine, "SELECT name, exit_code FROM containers").await,
            ["dcreated NULL", "dexited 1", "dpriv NULL"]
        );
    });
}

#[test]
fn details_are_asked_for_only_by_queries_that_want_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, recording) = (folder.path().join("s.sock"), Recording::load("docker-20.10.json"));
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let log = asked.clone();
    serve(&socket, move |target, stream| {
        log.lock().expect("unpoisoned").push(target.to_owned());
        drop(stream.write_all(&recording.answer(target)));
    });
    let asked = || std::mem::take(&mut *asked.lock().expect("unpoisoned"));
    runtime().block_on(async {
        let engine = engine(&Sys::live(), vec![ContainerRuntime::docker(&socket.to_string_lossy())]).await;
        rows(&engine, "SELECT id FROM containers").await;
        assert_eq!(asked(), ["/containers/json?all=1"]);
        rows(&engine, "SELECT id, pid FROM containers").await;
        assert_eq!(asked().len(), 1 + 4);
        let dweb = "acdb5d7cdf1c0690e5079cd9931a9aa07873ae3f49181ac2472fa0596289f3a3";
        rows(&engine, &format!("SELECT pid FROM containers WHERE id = '{dweb}'")).await;
        let calls = asked();
        assert_eq!(calls.len(), 2, "{calls:?}");
        assert!(calls[0].contains(dweb) && calls[1] == format!("/containers/{dweb}/json"), "{calls:?}");
        rows(&engine, "SELECT id FROM containers WHERE runtime = 'containerd'").await;
        rows(&engine, "SELECT id FROM docker_containers WHERE id = 'not an id'").await;
        assert_eq!(asked(), Vec::<String>::new());
    });
}

#[test]
fn processes_of_a_paused_container_are_captured() {
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, id) = (folder.path().join("s.sock"), "a".repeat(64));
    let mut process = vec!["42"; 19];
    process.push("sleep 9");
    let routes = [
        ("/containers/json".to_owned(), serde_json::json!([{"Id": id, "Names": ["/a"], "State": "paused"}])),
        (format!("/containers/{id}/top"), serde_json::json!({"Processes": [process]})),
    ];
    let routes = routes.into_iter().map(|(path, body)| (path, body.to_string())).collect();
    let recording = Recording { server: "Docker".to_owned(), routes };
    serve(&socket, move |target, stream| drop(stream.write_all(&recording.answer(target))));
    runtime().block_on(async {
        let engine = engine(&Sys::live(), vec![ContainerRuntime::docker(&socket.to_string_lossy())]).await;
        let tables = ["docker_container_processes".to_owned()];
        let report = indago::capture(&engine, &tables, folder.path()).await.expect("the capture succeeds");
        assert_eq!((report.tables[0].rows, report.tables[0].warnings.len()), (1, 0));
    });
}

#[test]
fn a_volume_that_is_a_folder_of_the_host_is_a_host_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("s.sock");
    let container = |id: char, mounts: &str| {
        let id = id.to_string().repeat(64);
        format!(r#"{{"Id": "{id}", "Names": ["/{}"], "State": "running", "Mounts": [{mounts}]}}"#, &id[..1])
    };
    let volume = |name: &str, driver: &str| {
        format!(
            r#"{{"Type": "volume", "Name": "{name}", "Source": "/v/{name}", "Driver": "{driver}", "Destination": "/e"}}"#
        )
    };
    let bind = r#"{"Type": "bind", "Source": "/srv", "Destination": "/s"}"#;
    let (evil, plain) = (volume("evil", "local"), volume("plain", "local"));
    let (gone, plugin) = (volume("gone", "local"), volume("far", "nfs-plugin"));
    let list = [
        container('a', &format!("{bind},{evil},{plain}")),
        container('b', &evil),
        container('c', &format!("{plain},{gone},{plugin}")),
    ];
    let answers = HashMap::from([
        ("/containers/json".to_owned(), format!("[{}]", list.join(","))),
        ("/volumes/evil".to_owned(), r#"{"Options": {"type": "none", "o": "ro,bind", "device": "/etc"}}"#.to_owned()),
        ("/volumes/plain".to_owned(), r#"{"Options": null}"#.to_owned()),
    ]);
    let recording = Recording { server: "Docker".to_owned(), routes: answers };
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let log = asked.clone();
    serve(&socket, move |target, stream| {
        log.lock().expect("unpoisoned").push(target.to_owned());
        drop(stream.write_all(&recording.answer(target)));
    });
    let asked = || {
        let mut targets = std::mem::take(&mut *asked.lock().expect("unpoisoned"));
        targets.sort();
        targets
    };
    runtime().block_on(async {
        let engine = engine(&Sys::live(), vec![ContainerRuntime::docker(&socket.to_string_lossy())]).await;
        rows(&engine, "SELECT name, mounts FROM containers").await;
        assert_eq!(asked(), ["/containers/json?all=1"]);
        let found = rows(&engine, "SELECT name, host_paths FROM containers").await;
        assert_eq!(found, ["a [/srv, /etc]", "b [/etc]", "c []"]);
        let expected = ["/containers/json?all=1", "/volumes/evil", "/volumes/gone", "/volumes/plain"];
        assert_eq!(asked(), expected, "each volume once");
    });
}

/// Serves JSON documents; a container without a document is gone.
fn serve_documents(socket: &Path, server: &str, routes: impl IntoIterator<Item = (String, serde_json::Value)>) {
    let routes = routes.into_iter().map(|(path, body)| (path, body.to_string())).collect();
    let recording = Recording { server: server.to_owned(), routes };
    serve(socket, move |target, stream| drop(stream.write_all(&recording.answer(target))));
}

#[test]
fn what_engines_tell_in_words_of_their_own_is_read_as_it_is_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("s.sock");
    let id = |digit: &str| digit.repeat(64);
    let image = |digit: &str| format!("sha256:{}", id(digit));
    let never = -62_135_596_800_i64;
    serve_documents(
        &socket,
        "Docker",
        [
            (
                "/containers/json".to_owned(),
                serde_json::json!([
                    // Its tag has moved to another image; a link is its name; it has no creation time.
                    {"Id": id("a"), "Names": ["/web/db", "/db"], "Image": image("1"), "ImageID": image("1"),
                     "Created": never, "State": "running", "Labels": null},
                    {"Id": id("b"), "Names": ["/web"], "Image": "web:1", "ImageID": image("2"), "Created": 1_700_000_000,
                     "State": "running"},
                ]),
            ),
            (
                format!("/containers/{}/json", id("a")),
                serde_json::json!({
                    "HostConfig": {"NetworkMode": format!("container:{}", id("b")), "PidMode": "", "IpcMode": "private",
                                   "CapAdd": ["net_admin", "CAP_CHOWN", "cap_net_admin"]},
                    "Config": {"Image": "db:1", "Env": ["A=1", "A=2", "B", "C="]},
                }),
            ),
            (
                format!("/containers/{}/json", id("b")),
                serde_json::json!({
                    "HostConfig": {"NetworkMode": "host", "PidMode": "host", "IpcMode": "host", "CapAdd": ["all", "KILL"]},
                    "Config": {"Image": "web:1", "Env": null},
                }),
            ),
            (
                "/images/json".to_owned(),
                serde_json::json!([
                    {"Id": image("1"), "Created": never, "Size": 1, "RepoTags": ["<none>:<none>"],
                     "RepoDigests": ["<none>@<none>"]},
                    {"Id": image("2"), "Created": 1_700_000_000, "Size": 2, "RepoTags": ["web:1", "web:2"], "RepoDigests": null},
                    {"Id": image("3"), "Created": 0, "Size": 3, "RepoTags": [], "RepoDigests": ["web@sha256:00"]},
                ]),
            ),
        ],
    );
    runtime().block_on(async {
        let engine = engine(&Sys::live(), vec![ContainerRuntime::docker(&socket.to_string_lossy())]).await;
        for (sql, expected) in [
            (
                "SELECT name, image, created_at, image_digest FROM containers",
                vec!["db db:1 NULL NULL", "web web:1 2023-11-14T22:13:20Z NULL"],
            ),
            ("SELECT name FROM containers WHERE image = 'db:1'", vec!["db"]),
            ("SELECT name, image, created FROM docker_containers", vec!["/db db:1 NULL", "/web web:1 1700000000"]),
            (
                "SELECT name, uses_host_network, uses_host_pid, uses_host_ipc FROM containers",
                vec!["db true false false", "web true true true"],
            ),
            ("SELECT name, added_capabilities FROM containers", vec!["db [CAP_NET_ADMIN]", "web [ALL]"]),
            (
                "SELECT environment['A'], environment['B'], environment['C'] = '' FROM containers WHERE name = 'db'",
                vec!["2 NULL 1"],
            ),
            (
                "SELECT size_bytes, tags, created FROM docker_images",
                vec!["1  NULL", "2 web:1,web:2 1700000000", "3  0"],
            ),
        ] {
            assert_eq!(rows(&engine, sql).await, expected, "{sql}");
        }
    });
}

#[test]
fn the_kernel_tells_whether_podman_gave_the_host_s_ipc_namespace() {
    let folder = tempfile::tempdir().expect("a folder");
    let id = |digit: char| digit.to_string().repeat(64);
    let (mut list, mut routes) = (Vec::new(), Vec::new());
    for (digit, pid, mode) in [
        ('a', 7, "shareable"),
        ('b', 8, "shareable"),
        ('c', 0, "shareable"),
        ('d', 9, "private"),
        ('e', 10, "shareable"),
    ] {
        list.push(serde_json::json!({"Id": id(digit), "Names": [format!("/{digit}")], "State": "running"}));
        let details = serde_json::json!({"State": {"Pid": pid}, "HostConfig": {"IpcMode": mode}});
        routes.push((format!("/containers/{}/json", id(digit)), details));
    }
    routes.push(("/containers/json".to_owned(), list.into()));
    // Process 10 belongs to a container of another machine.
    for (pid, cgroup, namespace) in
        [("self", String::new(), 1), ("7", id('a'), 1), ("8", id('b'), 2), ("10", id('f'), 1)]
    {
        let process = folder.path().join(format!("proc/{pid}"));
        std::fs::create_dir_all(process.join("ns")).expect("a folder");
        std::fs::write(process.join("cgroup"), format!("0::/libpod_parent/libpod-{cgroup}\n")).expect("a file");
        std::os::unix::fs::symlink(format!("ipc:[{namespace}]"), process.join("ns/ipc")).expect("a link");
    }
    serve_documents(&folder.path().join("s.sock"), "Libpod/4.3.1 (linux)", routes);
    runtime().block_on(async {
        let engine = engine(&Sys::at(folder.path()), vec![ContainerRuntime::docker("/s.sock")]).await;
        let found = rows(&engine, "SELECT name, uses_host_ipc FROM containers").await;
        assert_eq!(found, ["a true", "b false", "c NULL", "d false", "e NULL"]);
    });
}

#[test]
fn one_container_that_fails_costs_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let id = |digit: char| digit.to_string().repeat(64);
    let containers: Vec<_> = "abcd"
        .chars()
        .map(|digit| serde_json::json!({"Id": id(digit), "Names": [format!("/{digit}")], "State": "running"}))
        .collect();
    let list = serde_json::json!(containers).to_string();
    let process = |pid: &'static str| {
        let mut fields = vec![pid; 19];
        fields.push("sleep 9");
        fields
    };
    let top = serde_json::json!({"Processes": [process("7"), ["7", "cut"], "7 sleep", process("8")]}).to_string();
    let details = serde_json::json!({"State": {"Status": "running", "Pid": 7}}).to_string();
    let answer = move |target: &str| {
        let path = target.split('?').next().unwrap_or_default();
        let (status, body) = match path.strip_prefix("/containers/").and_then(|rest| rest.split_once('/')) {
            None => ("200 OK", list.as_str()),
            Some((id, "json")) if id.starts_with('c') || id.starts_with('d') => ("200 OK", details.as_str()),
            Some((id, "top")) if id.starts_with('c') => ("200 OK", top.as_str()),
            // Podman's response for a container that has ended.
            Some((id, "top")) if id.starts_with('d') => ("200 OK", ""),
            Some((id, what)) if id.starts_with('b') => {
                (if what == "top" { "409 Conflict" } else { "404 Not Found" }, "{}")
            }
            Some(_) => ("500 Internal Server Error", "{\"message\":\"no storage\"}"),
        };
        http(status, "Docker", body)
    };
    let socket = folder.path().join("s.sock");
    serve(&socket, move |target, stream| drop(stream.write_all(&answer(target))));
    runtime().block_on(async {
        let engine = engine(&Sys::live(), vec![ContainerRuntime::docker(&socket.to_string_lossy())]).await;
        let said = |warnings: &[Warning]| {
            let mut said: Vec<_> = warnings.iter().map(|warning| (warning.outcome, warning.count)).collect();
            said.sort_by_key(|(_, count)| *count);
            said
        };
        let (mut found, warnings) = ask(&engine, "SELECT name, pid FROM containers").await.expect("rows");
        found.sort();
        assert_eq!(found, [["a", "NULL"], ["c", "7"], ["d", "7"]]);
        assert_eq!(said(&warnings), [(Outcome::Io, 1)], "{warnings:?}");
        let sql = "SELECT c.name, p.pid FROM docker_containers c JOIN docker_container_processes p ON p.id = c.id";
        let (mut found, warnings) = ask(&engine, sql).await.expect("rows");
        found.sort();
        assert_eq!(found, [["/c", "7"], ["/c", "8"]]);
        let outcomes: Vec<_> = warnings.iter().map(|warning| warning.outcome).collect();
        assert!(outcomes.contains(&Outcome::Io) && outcomes.contains(&Outcome::Malformed), "{warnings:?}");
    });
}

#[test]
fn a_socket_of_another_user_is_reported_and_not_asked() {
    crate::support::needs_root();
    let folder = tempfile::tempdir().expect("a folder");
    let user = folder.path().join("run/user/12345");
    std::fs::create_dir_all(user.join("podman")).expect("a folder");
    let socket = user.join("podman/podman.sock");
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let was_asked = asked.clone();
    serve(&socket, move |_, _| was_asked.store(true, std::sync::atomic::Ordering::Relaxed));
    for path in [&user, &socket] {
        std::os::unix::fs::chown(path, Some(12345), None).expect("root may");
    }
    runtime().block_on(async {
        let containers = Some(Containers::discover(&Sys::at(folder.path())));
        let tables = all(&Environments { containers, ..Environments::default() });
        let engine = Engine::builder().tables(tables).build().await.expect("an engine");
        for table in ["containers", "docker_containers"] {
            let (rows, warnings) = ask(&engine, &format!("SELECT * FROM {table}")).await.expect("no rows");
            assert_eq!(rows.len(), 0, "{table}");
            let about = |warning: &&Warning| warning.origin == "unix:///run/user/12345/podman/podman.sock";
            let warning = warnings.iter().find(about).unwrap_or_else(|| panic!("{table}: {warnings:?}"));
            assert!(
                warning.message.contains("user 12345") && warning.message.contains("containers.sockets"),
                "{warning}"
            );
        }
    });
    assert!(!asked.load(std::sync::atomic::Ordering::Relaxed), "another user's socket was called");
}

#[test]
fn a_machine_without_runtimes_has_no_rows_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    runtime().block_on(async {
        let containers = Some(Containers::discover(&Sys::at(folder.path())));
        let tables = all(&Environments { containers, ..Environments::default() });
        let engine = Engine::builder().tables(tables).build().await.expect("an engine");
        for table in ["containers", "docker_containers", "docker_images"] {
            let (rows, warnings) = ask(&engine, &format!("SELECT * FROM {table}")).await.expect("no rows");
            assert_eq!((rows.len(), warnings.len()), (0, 1), "{table}");
            // As `runtime_socket_access`: this machine has none.
            assert_eq!(warnings[0].outcome, Outcome::Absent, "{table}");
            let message = &warnings[0].message;
            assert!(message.contains("/var/run/docker.sock") && message.contains("containers.sockets"), "{message}");
        }
    });
}

#[test]
fn dockerd_is_told_as_its_own_client_tells_it() {
    let docker = Docker::start().expect("dockerd");
    docker
        .run(&["--name", "web", "--label", "app=web", "-e", "TOKEN=x", "-v", "/etc:/e:ro", "localhost/bb:1"])
        .expect("runs");
    docker
        .docker(&["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/etc", "bound"])
        .expect("is created");
    let mounts = ["-v", "/:/host", "-v", "bound:/bound", "-v", "own:/own"];
    let privileged = ["--name", "priv", "--privileged", "--pid=host", "--network=host"];
    docker.run(&[&privileged[..], &mounts, &["localhost/bb:1"]].concat()).expect("runs");
    docker.docker(&["create", "--name", "new", "localhost/bb:1"]).expect("is created");
    let oracle = |template: &str| {
        let ids = docker.docker(&["ps", "-aq", "--no-trunc"]).expect("ids");
        let words: Vec<&str> = ["inspect", "-f", template].into_iter().chain(ids.lines()).collect();
        let mut lines: Vec<String> = docker.docker(&words).expect("inspect").lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    runtime().block_on(async {
        let engine = engine(&Sys::live(), vec![ContainerRuntime::docker(&docker.socket().to_string_lossy())]).await;
        let sql = "SELECT id, name, state, coalesce(pid, 0), is_privileged, uses_host_pid FROM containers";
        let template = "{{.Id}} {{slice .Name 1}} {{.State.Status}} {{.State.Pid}} {{.HostConfig.Privileged}} {{eq .HostConfig.PidMode \"host\"}}";
        assert_eq!(rows(&engine, sql).await, oracle(template));
        let sql = "SELECT id, name, pid, privileged, started_at FROM docker_containers";
        let template = "{{.Id}} {{.Name}} {{.State.Pid}} {{if .HostConfig.Privileged}}1{{else}}0{{end}} {{.State.StartedAt}}";
        assert_eq!(rows(&engine, sql).await, oracle(template));
        let sql = "SELECT name, array_length(host_paths) FROM containers WHERE array_has(host_paths, '/etc')";
        assert_eq!(rows(&engine, sql).await, ["priv 2", "web 1"]);
        // Three ways to the first process of a container.
        let sql = "SELECT c.name FROM containers c JOIN container_processes p ON p.container_id = c.id AND p.pid = c.pid \
                   JOIN docker_container_processes d ON d.id = c.id AND d.pid = c.pid WHERE d.name = 'sleep'";
        assert_eq!(rows(&engine, sql).await, ["priv", "web"]);
        let sql = "SELECT n.net_namespace IS NOT NULL, m.destination, l.value FROM docker_containers n \
                   JOIN docker_container_mounts m ON m.id = n.id JOIN docker_container_labels l ON l.id = n.id WHERE l.key = 'app'";
        assert_eq!(rows(&engine, sql).await, ["1 /e web"]);
        // A name that moves to another image twice leaves a container without it, and an image without a name.
        docker.docker(&["tag", "localhost/bb:1", "moved:1"]).expect("is tagged");
        let own = ["--name", "moved", "--ipc=host", "--cap-add=net_admin", "--cap-add=CHOWN", "-e", "A=1", "moved:1"];
        docker.run(&own).expect("runs");
        docker.run(&["--name", "joined", "--network=container:priv", "localhost/bb:1"]).expect("runs");
        for _ in 0..2 {
            docker.docker(&["commit", "moved", "moved:1"]).expect("an image");
        }
        let sql = "SELECT image, uses_host_ipc, added_capabilities, environment['A'] FROM containers WHERE name = 'moved'";
        assert_eq!(rows(&engine, sql).await, ["moved:1 true [CAP_NET_ADMIN] 1"]);
        assert_eq!(rows(&engine, "SELECT image FROM docker_containers WHERE name = '/moved'").await, ["moved:1"]);
        let sql = "SELECT uses_host_network FROM containers WHERE name = 'joined'";
        assert_eq!(rows(&engine, sql).await, ["true"]);
        assert_eq!(rows(&engine, "SELECT tags FROM docker_images").await, ["", "localhost/bb:1", "moved:1"]);
    });
}

#[test]
fn podman_is_told_beside_docker() {
    let podman = Podman::start().expect("podman");
    let id = podman.run(&["--name", "web", "--label", "app=web", "localhost/bb:1"]).expect("runs");
    podman.run(&["--name", "priv", "--privileged", "--pid=host", "localhost/bb:1"]).expect("runs");
    runtime().block_on(async {
        let runtimes = vec![ContainerRuntime::docker(&podman.socket().to_string_lossy())];
        let containers = Some(Containers::with_runtimes(&Sys::live(), runtimes));
        let environments = Environments { hosts: vec![Sys::live()], containers, ..Environments::default() };
        let engine = Engine::builder().tables(all(&environments)).build().await.expect("an engine");
        let sql = "SELECT runtime, name, state, is_privileged, uses_host_pid FROM containers";
        assert_eq!(rows(&engine, sql).await, ["podman priv running true true", "podman web running false false"]);
        assert_eq!(rows(&engine, "SELECT labels['app'] FROM containers WHERE name = 'web'").await, ["web"]);
        // In the host's namespace, Podman counts every process of the machine as the container's.
        let sql = "SELECT c.name, count(*) FROM docker_containers c JOIN docker_container_processes p ON p.id = c.id GROUP BY c.name";
        assert_eq!(rows(&engine, sql).await, ["/priv 1", "/web 1"]);
        let sql = format!("SELECT runtime FROM container_processes WHERE container_id = '{id}'");
        assert_eq!(rows(&engine, &sql).await, ["podman"]);
        // The container's own files and processes, by its ID: through its first process, without the runtime.
        let inside = podman.podman(&["exec", "web", "stat", "-c", "%s %i", "/etc/hosts"]).expect("stat");
        let sql = "SELECT f.size, f.inode FROM containers c JOIN file f ON f.container_id = c.id \
                   WHERE c.name = 'web' AND f.path = '/etc/hosts'";
        assert_eq!(rows(&engine, sql).await, [inside.trim()]);
        let sql = format!("SELECT name, container_id FROM processes WHERE container_id = '{id}'");
        assert_eq!(rows(&engine, &sql).await, [format!("sleep {id}")]);
        let sql = format!(
            "SELECT DISTINCT p.name, o.container_id FROM process_open_files o JOIN processes p USING (pid) \
             WHERE o.container_id = '{id}'"
        );
        assert_eq!(rows(&engine, &sql).await, [format!("sleep {id}")]);
        podman.run(&["--name", "ipc", "--ipc=host", "--cap-add=net_admin", "-e", "A=1", "localhost/bb:1"]).expect("runs");
        let sql = "SELECT name, uses_host_ipc, added_capabilities, environment['A'] FROM containers WHERE name <> 'priv'";
        assert_eq!(rows(&engine, sql).await, ["ipc true [CAP_NET_ADMIN] 1", "web false [] NULL"]);
        podman.podman(&["stop", "-t", "0", "ipc"]).expect("stops");
        assert_eq!(rows(&engine, "SELECT uses_host_ipc FROM containers WHERE name = 'ipc'").await, ["NULL"]);
    });
}

#[test]
fn containerd_is_told_namespace_by_namespace() {
    let containerd = Containerd::start().expect("containerd");
    containerd.run_ctr("web").expect("runs");
    containerd.ctr(&["-n", "shop", "images", "ls"]).expect("a namespace");
    runtime().block_on(async {
        let runtime = ContainerRuntime::containerd(&containerd.socket().to_string_lossy());
        let engine = engine(&Sys::live(), vec![runtime]).await;
        let sql = "SELECT id, namespace, state, command, pid > 0, is_privileged FROM containers";
        assert_eq!(rows(&engine, sql).await, ["web default running /bin/sleep 100000 1 false"]);
        assert_eq!(
            rows(&engine, "SELECT id FROM containers WHERE namespace = 'default' AND id = 'web'").await,
            ["web"]
        );
        for nothing in ["namespace = 'shop'", "namespace = 'a b'", "id = 'x\"'", "runtime = 'docker'"] {
            assert_eq!(
                rows(&engine, &format!("SELECT id FROM containers WHERE {nothing}")).await,
                Vec::<String>::new(),
                "{nothing}"
            );
        }
        let sql = "SELECT image_digest LIKE 'sha256:%', cgroup_path IS NOT NULL FROM containers";
        assert_eq!(rows(&engine, sql).await, ["1 1"]);
    });
}

#[test]
fn processes_containers_and_pods_of_a_cluster_belong_together() {
    let cluster = Cluster::start().expect("a cluster");
    let manifest = r#"
apiVersion: v1
kind: Pod
metadata: {name: watch, namespace: shop}
spec: {containers: [{name: w, image: "localhost/bb:1", imagePullPolicy: Never, command: [sleep, "100000"]}]}
"#;
    cluster.static_pod("shop", "watch", manifest).expect("a static pod runs");
    cluster.wait_ready().expect("its pods run");
    let uid = cluster.kubectl(&["get", "pod", "priv", "-n", "shop", "-o", "jsonpath={.metadata.uid}"]).expect("a pod");
    let ids = cluster
        .kubectl(&[
            "get",
            "pods",
            "-A",
            "-o",
            "jsonpath={range .items[*].status.containerStatuses[*]}{.containerID}{\"\\n\"}{end}",
        ])
        .expect("containers");
    let mut ids: Vec<&str> = ids.lines().filter_map(|id| id.strip_prefix("containerd://")).collect();
    ids.sort_unstable();
    runtime().block_on(async {
        let runtime = ContainerRuntime::containerd(&cluster.containerd_socket().to_string_lossy());
        let engine = engine(&Sys::live(), vec![runtime.clone()]).await;
        assert_eq!(rows(&engine, "SELECT id FROM containers WHERE NOT is_sandbox").await, ids);
        let sql = format!(
            "SELECT pod_namespace, pod_name, name, is_privileged, uses_host_pid, uses_host_network, host_paths[1] \
             FROM containers WHERE pod_uid = '{uid}' AND NOT is_sandbox"
        );
        assert_eq!(rows(&engine, &sql).await, ["shop priv c true true true /"]);
        let sql = format!(
            "SELECT DISTINCT c.name FROM container_processes p JOIN containers c ON c.id = p.container_id AND c.pid = p.pid \
             WHERE p.pod_uid = '{uid}' AND c.sandbox_id IS NOT NULL"
        );
        assert_eq!(rows(&engine, &sql).await, ["c"]);
        // The kubelet's name of a static pod differs from the API's.
        let settings = KubernetesSettings {
            kubeconfig: Some(cluster.kubeconfig("admin")),
            contexts: vec!["*".to_owned()],
            ..KubernetesSettings::default()
        };
        let tables = all(&Environments {
            containers: Some(Containers::with_runtimes(&Sys::live(), vec![runtime])),
            kubernetes: Some(Kubernetes::new(&Sys::live(), settings)),
            ..Environments::default()
        });
        let engine = Engine::builder().tables(tables).build().await.expect("an engine");
        let sql = "SELECT DISTINCT k.name, k.uid <> k.kubelet_uid FROM container_processes p \
                   JOIN kubernetes_pods k ON k.kubelet_uid = p.pod_uid WHERE k.name IN ('watch-localhost', 'priv')";
        assert_eq!(rows(&engine, sql).await, ["priv 0", "watch-localhost 1"]);
        let sql = "SELECT c.name, k.pod_name FROM containers c JOIN kubernetes_pod_containers k \
                   ON k.kubelet_uid = c.pod_uid AND k.container_id = c.id WHERE k.name = 'w'";
        assert_eq!(rows(&engine, sql).await, ["w watch-localhost"]);
    });
}
