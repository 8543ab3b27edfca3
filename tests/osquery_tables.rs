//! osquery's tables about the program itself: `osquery_info`, `osquery_flags`, `osquery_schedule`, ...

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::cli::run;
use crate::packs::{Daemon, configure, of};

fn rows(config: Option<&Path>, sql: &str) -> Vec<Value> {
    let mut arguments = vec!["query", "--strict", "--format", "json"];
    let config = config.map(|config| config.display().to_string());
    if let Some(config) = &config {
        arguments.extend(["--config", config]);
    }
    arguments.push(sql);
    run(&arguments).expect(0).json().as_array().cloned().expect("an array")
}

fn configured(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write(
        "p.conf",
        r#"{"version": "5.0.0", "shard": 100, "queries": {"users": {"query": "SELECT 1", "interval": 60}}}"#,
    );
    write("w.conf", r#"{"platform": "windows", "queries": {"q": {"query": "SELECT 1 FROM registry"}}}"#);
    write("indago.toml", text);
    folder
}

const CONFIG: &str = "[limits]\nmemory = \"512 MiB\"\n[packs]\np = \"p.conf\"\nw = \"w.conf\"\n[schedule.own]\nquery = \"SELECT 2\"\ninterval = \"5m\"\n";

#[test]
fn the_program_describes_itself() {
    let found = rows(None, "SELECT * FROM osquery_info");
    let [info] = found.as_slice() else { panic!("{found:?}") };
    let version = run(&["--version"]).expect(0).out;
    assert!(version.contains(info["version"].as_str().expect("text")), "{version}");
    let columns = ["config_valid", "watcher", "platform_mask"].map(|name| info[name].as_i64());
    assert_eq!(columns, [Some(1), Some(-1), Some(9)]);
    assert!(info["pid"].as_i64().is_some_and(|pid| pid > 1) && info["start_time"].as_i64() > Some(1_700_000_000));
    let again = rows(None, "SELECT instance_id, config_hash, uuid FROM osquery_info");
    for name in ["instance_id", "config_hash", "uuid"] {
        assert_eq!(again[0][name], info[name], "{name} stays the same");
    }
    let machine = rows(None, "SELECT uuid FROM system_info");
    assert_eq!(machine[0]["uuid"], info["uuid"]);
    let folder = configured(CONFIG);
    let other = rows(Some(&folder.path().join("indago.toml")), "SELECT config_hash FROM osquery_info");
    assert_ne!(other[0]["config_hash"], info["config_hash"], "another configuration");
    let extensions = rows(None, "SELECT name, version, type FROM osquery_extensions");
    assert_eq!((extensions.len(), &extensions[0]["name"]), (1, &Value::from("core")));
}

#[test]
fn the_process_of_a_query_can_be_joined() {
    let found = rows(None, "SELECT p.name FROM osquery_info i JOIN processes p ON p.pid = i.pid");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["name"], "indago");
}

#[test]
fn flags_are_the_settings_in_use() {
    let folder = configured(CONFIG);
    let found = rows(Some(&folder.path().join("indago.toml")), "SELECT * FROM osquery_flags");
    let changed: Vec<&str> = found
        .iter()
        .filter(|flag| flag["value"] != flag["default_value"])
        .filter_map(|flag| flag["name"].as_str())
        .collect();
    // `--strict` sets the first one.
    assert_eq!(changed, ["sql.strict", "limits.memory"]);
    let names: BTreeSet<&str> = found.iter().filter_map(|flag| flag["name"].as_str()).collect();
    for name in ["sql.dialect", "host.roots", "daemon.concurrency", "store.dir"] {
        assert!(names.contains(name), "{name}");
    }
    assert_eq!(names.len(), found.len());
}

#[test]
fn the_registry_has_every_table() {
    let sql = "SELECT name FROM engine_tables EXCEPT SELECT name FROM osquery_registry WHERE registry = 'table'";
    assert_eq!(rows(None, sql), Vec::<Value>::new());
    let count = "SELECT (SELECT count(*) FROM engine_tables) - (SELECT count(*) FROM osquery_registry) AS more";
    assert_eq!(rows(None, count)[0]["more"], 0);
}

#[test]
fn the_schedule_outside_of_a_daemon_is_that_of_the_configuration() {
    assert_eq!(rows(None, "SELECT name FROM osquery_schedule"), Vec::<Value>::new());
    assert_eq!(rows(None, "SELECT name FROM osquery_packs"), Vec::<Value>::new());
    let folder = configured(CONFIG);
    let config = folder.path().join("indago.toml");
    let found = rows(Some(&config), "SELECT name, query, interval, executions FROM osquery_schedule ORDER BY name");
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            r#"{"name":"own","query":"SELECT 2","interval":300,"executions":0}"#,
            r#"{"name":"pack_p_users","query":"SELECT 1","interval":60,"executions":0}"#,
            r#"{"name":"pack_w_q","query":"SELECT 1 FROM registry","interval":3600,"executions":0}"#,
        ]
    );
    let packs = rows(Some(&config), "SELECT name, platform, version, shard, active FROM osquery_packs ORDER BY name");
    let shown: Vec<String> = packs.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            r#"{"name":"p","platform":"","version":"5.0.0","shard":100,"active":1}"#,
            r#"{"name":"w","platform":"windows","version":"","shard":0,"active":0}"#,
        ]
    );
    std::fs::remove_file(folder.path().join("p.conf")).expect("our own file");
    let ran = run(&["query", "--config", &config.display().to_string(), "SELECT name FROM osquery_packs"]).expect(0);
    assert!(ran.out.contains('w') && ran.err.contains("p.conf"), "{}{}", ran.out, ran.err);
}

#[test]
fn packs_inside_the_daemon_follow_their_discovery() {
    let folder = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let pack = |discovery: &str| {
        format!(r#"{{"discovery": ["{discovery}"], "queries": {{"q": {{"query": "SELECT 1", "interval": 1}}}}}}"#)
    };
    write("yes.conf", &pack("SELECT 1"));
    write("no.conf", &pack("SELECT 1 WHERE 1 = 0"));
    configure(
        &folder,
        "splay = 0\n[packs]\nyes = \"yes.conf\"\nno = \"no.conf\"\n[schedule.packs]\n\
         query = \"SELECT name, active FROM osquery_packs\"\nsnapshot = true\ninterval = 1\n",
    );
    let daemon = Daemon::start(folder);
    let is_known = |lines: &[Value]| {
        let last = of(lines, "packs").last().map(|line| line["snapshot"].clone()).unwrap_or_default();
        let active = |name: &str| {
            let rows = last.as_array().map(Vec::as_slice).unwrap_or_default();
            rows.iter().find(|row| row["name"] == name).map(|row| row["active"].clone())
        };
        active("yes") == Some("1".into()) && active("no") == Some("0".into())
    };
    daemon.until("results.log", is_known);
    daemon.stop();
}
