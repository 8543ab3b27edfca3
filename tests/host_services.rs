//! systemd's units, timers and journal compared with systemd's own tools, on a running systemd and on unit files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use indago_table::Sys;
use indago_testkit::beds::Systemd;
use serde_json::Value;

use crate::support::{host_engine, rows};

fn bed() -> &'static Systemd {
    static BED: OnceLock<Systemd> = OnceLock::new();
    crate::support::needs_root();
    BED.get_or_init(|| Systemd::start().expect("systemd starts"))
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("nsenter runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Rows of a query of a command of the bed that runs the program.
fn queried(mut command: Command, sql: &str) -> Vec<Value> {
    command.args(["query", "--strict", "--format", "ndjson", sql]);
    let lines = output(command.current_dir("/").env_remove("INDAGO_CONFIG"));
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn query(sql: &str) -> Vec<Value> {
    queried(bed().command(crate::cli::indago().get_program()), sql)
}

fn query_as_nobody(sql: &str) -> Vec<Value> {
    let mut command = bed().command("bash");
    command.args(["-c", crate::support::AS_NOBODY]).arg(crate::cli::indago().get_program());
    queried(command, sql)
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().map_or_else(|| value[key].to_string(), str::to_owned)
}

/// The properties that `systemctl show` prints, by unit.
fn shown(properties: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let printed = output(bed().command("systemctl").args(["show", "--all", "-p", &format!("Id,{properties}"), "*"]));
    let unit = |block: &str| {
        let pairs = block.lines().filter_map(|line| line.split_once('='));
        let unit: BTreeMap<String, String> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        (unit["Id"].clone(), unit)
    };
    printed.split("\n\n").filter(|block| block.contains("Id=")).map(unit).collect()
}

#[test]
fn units_are_those_of_systemctl() {
    let sql = "SELECT id, load_state, active_state, sub_state, description, unit_file_state, following, job_id, \
               fragment_path, user, source_path, drop_in_paths FROM systemd_units";
    let own = query(sql);
    let listed = output(bed().command("systemctl").args(["list-units", "--all", "--output=json"]));
    let listed: Vec<Value> = serde_json::from_str(&listed).expect("JSON");
    let theirs: BTreeSet<String> = listed
        .iter()
        // `list-units` leaves out units that follow the state of another.
        .map(|unit| ["unit", "load", "active", "sub", "description"].map(|key| text(unit, key)).join("|"))
        .collect();
    let state = ["id", "load_state", "active_state", "sub_state", "description"];
    let ours: BTreeSet<String> = own
        .iter()
        .filter(|unit| text(unit, "following").is_empty())
        .map(|unit| state.map(|key| text(unit, key)).join("|"))
        .collect();
    assert_eq!(ours, theirs);
    let properties = shown("FragmentPath,SourcePath,UnitFileState,User,DropInPaths");
    assert!(own.len() > 50, "{}", own.len());
    for unit in &own {
        let id = text(unit, "id");
        let Some(properties) = properties.get(&id) else { panic!("{id} is not shown") };
        let property = |name: &str| properties.get(name).cloned().unwrap_or_default();
        assert_eq!(text(unit, "fragment_path"), property("FragmentPath"), "{id}");
        assert_eq!(text(unit, "source_path"), property("SourcePath"), "{id}");
        assert_eq!(text(unit, "unit_file_state"), property("UnitFileState"), "{id}");
        assert_eq!(text(unit, "user"), property("User"), "{id}");
        let drop_ins: Vec<String> = property("DropInPaths").split_whitespace().map(str::to_owned).collect();
        assert_eq!(unit["drop_in_paths"], Value::from(drop_ins), "{id}");
    }
    let service = own.iter().find(|unit| unit["id"] == "indago-a.service").expect("the bed's service");
    assert_eq!((text(service, "user"), text(service, "sub_state")), ("nobody".into(), "running".into()));
}

#[test]
fn an_ordinary_user_reads_units_over_the_system_bus() {
    let sql = "SELECT id, active_state, fragment_path, user, exec_start FROM systemd_units WHERE id LIKE 'indago-%'";
    let sort = |mut rows: Vec<Value>| {
        rows.sort_by_key(|row| text(row, "id"));
        rows
    };
    let of_root = sort(query(sql));
    assert_eq!(sort(query_as_nobody(sql)), of_root);
    let commands: Vec<_> = of_root.iter().map(|row| (text(row, "id"), text(row, "exec_start"))).collect();
    assert!(commands.contains(&("indago-a.service".into(), "/bin/sh -c exec sleep infinity".into())), "{commands:?}");
    assert!(commands.contains(&("indago-b.timer".into(), "null".into())), "{commands:?}");
    let failed = query("SELECT id FROM systemd_units WHERE active_state = 'failed' AND id LIKE 'indago-%'");
    assert_eq!(failed.iter().map(|row| text(row, "id")).collect::<Vec<_>>(), ["indago-d.service"]);
}

#[test]
fn units_of_a_machine_under_another_root_come_from_its_systemd() {
    let root = format!("/proc/{}/root", bed().pid());
    let machine = Sys::of_root(&root);
    assert!(machine.has_live_kernel());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let sql = "SELECT active_state, fragment_path, user FROM systemd_units WHERE id = 'indago-a.service'";
    let found = runtime.block_on(async {
        let engine = host_engine(&machine).build().await.expect("an engine");
        rows(&engine, sql).await
    });
    assert_eq!(found, [["active", "/run/systemd/system/indago-a.service", "nobody"]]);
}

#[test]
fn timers_are_those_of_systemctl() {
    let own = query("SELECT * FROM systemd_timers");
    let listed = output(bed().command("systemctl").args(["list-timers", "--all", "--output=json"]));
    let listed: Vec<Value> = serde_json::from_str(&listed).expect("JSON");
    let theirs: BTreeSet<String> =
        listed.iter().map(|timer| ["unit", "activates"].map(|key| text(timer, key)).join(" ")).collect();
    let ours: BTreeSet<String> =
        own.iter().map(|timer| ["name", "activates"].map(|key| text(timer, key)).join(" ")).collect();
    assert_eq!(ours, theirs);
    let timer = |name: &str| own.iter().find(|timer| timer["name"] == name).expect("a timer");
    let daily = timer("indago-b.timer");
    assert_eq!(daily["calendar"], Value::from(vec!["*-*-* 00:00:00"]));
    assert_eq!((&daily["is_persistent"], text(daily, "unit_file_state")), (&Value::from(true), "enabled".to_owned()));
    assert!(text(daily, "next_elapse").contains("T00:00:00"), "{daily}");
    let next = listed.iter().find(|timer| timer["unit"] == "indago-b.timer").map(|timer| timer["next"].clone());
    let micros = chrono::DateTime::parse_from_rfc3339(&text(daily, "next_elapse")).map(|time| time.timestamp_micros());
    assert_eq!(next, micros.ok().map(Value::from));
    assert_eq!(timer("indago-e.timer")["intervals"], Value::from(vec!["OnBootUSec=36000000000"]));
}

#[test]
fn entries_are_those_of_the_journal() {
    output(bed().command("logger").args(["-t", "indago-test", "-p", "user.err", "one \"message\"\nof two lines"]));
    output(bed().command("journalctl").arg("--sync"));
    let sql = "SELECT cursor, message, identifier, priority, uid, unit, boot_id FROM journal \
               WHERE received_time > now() - INTERVAL '1 day' AND identifier = 'indago-test'";
    let own = query(sql);
    let theirs = output(bed().command("journalctl").args(["--output=json", "--all", "-t", "indago-test"]));
    let theirs: Vec<Value> = theirs.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(own.len(), theirs.len());
    for (own, entry) in own.iter().rev().zip(&theirs) {
        let keys = [
            ("cursor", "__CURSOR"),
            ("message", "MESSAGE"),
            ("identifier", "SYSLOG_IDENTIFIER"),
            ("priority", "PRIORITY"),
            ("uid", "_UID"),
            ("boot_id", "_BOOT_ID"),
        ];
        for (column, field) in keys {
            assert_eq!(text(own, column), text(entry, field), "{column}");
        }
    }
    let all =
        output(bed().command("journalctl").args(["--output=json", "_SYSTEMD_UNIT=indago-d.service"])).lines().count();
    let of_unit = query("SELECT count(*) AS entries FROM journal WHERE unit = 'indago-d.service'");
    assert_eq!(of_unit[0]["entries"].as_u64(), Some(all as u64));
    assert!(all > 0);
    let newest = query("SELECT cursor FROM journal LIMIT 3");
    let last = output(bed().command("journalctl").args(["--output=json", "--lines=1000000"]));
    let cursors: Vec<String> =
        last.lines().map(|line| text(&serde_json::from_str(line).expect("JSON"), "__CURSOR")).collect();
    assert_eq!(newest.len(), 3);
    assert!(newest.iter().all(|row| cursors.contains(&text(row, "cursor"))));
}

/// A host with unit files of every state.
fn unit_files(root: &Path) {
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    let link = |path: &str, target: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        symlink(target, path).expect("a link");
    };
    let install = "[Unit]\nDescription=D\n[Service]\nExecStart=/bin/x\n[Install]\nWantedBy=multi-user.target\n";
    let system = "usr/lib/systemd/system";
    for name in ["enabled", "disabled", "wanted-by-distribution", "hidden", "in-runtime", "has-alias"] {
        write(&format!("{system}/{name}.service"), install);
    }
    write(&format!("{system}/static.service"), "[Service]\nExecStart=/bin/x\n");
    write(&format!("{system}/indirect.service"), "[Service]\nExecStart=/bin/x\n[Install]\nAlso=other.socket\n");
    write(&format!("{system}/other.socket"), "[Socket]\nListenStream=/x\n[Install]\nWantedBy=sockets.target\n");
    write(&format!("{system}/template@.service"), install);
    write(&format!("{system}/empty.service"), "");
    for (name, more) in [
        ("declares-alias.service", "Alias=declared.service"),
        ("declares-another.service", "Alias=another.service"),
        ("default@.service", "DefaultInstance=main"),
        ("not-default@.service", "DefaultInstance=main"),
        ("whole@.service", ""),
        ("renamed.service", ""),
    ] {
        write(&format!("{system}/{name}"), &format!("{install}{more}\n"));
    }
    link("etc/systemd/system/declared.service", "/usr/lib/systemd/system/declares-alias.service");
    link("etc/systemd/system/undeclared.service", "/usr/lib/systemd/system/declares-another.service");
    for (name, target) in
        [("default@main", "default@"), ("not-default@x", "not-default@"), ("whole@", "whole@"), ("other", "renamed")]
    {
        link(
            &format!("etc/systemd/system/multi-user.target.wants/{name}.service"),
            &format!("/usr/lib/systemd/system/{target}.service"),
        );
    }
    write(&format!("{system}/multi-user.target"), "[Unit]\nDescription=T\n");
    write(
        &format!("{system}/daily.timer"),
        "[Timer]\nOnCalendar=daily\nOnCalendar=Mon *-*-* 03:00\nOnBootSec=15min\nPersistent=yes\n[Install]\nWantedBy=timers.target\n",
    );
    write(
        "etc/systemd/system/hidden.service",
        "[Unit]\nDescription=Replaced\n[Service]\nUser=eve\nExecStart=\nExecStart=/tmp/.x\n",
    );
    write("etc/systemd/system/hidden.service.d/10.conf", "[Service]\nExecStart=\nExecStart=/tmp/.y -l \\\n 4444\n");
    write("opt/linked.service", install);
    link("etc/systemd/system/multi-user.target.wants/enabled.service", "/usr/lib/systemd/system/enabled.service");
    link(
        "etc/systemd/system/multi-user.target.wants/template@one.service",
        "/usr/lib/systemd/system/template@.service",
    );
    link(
        "usr/lib/systemd/system/multi-user.target.wants/wanted-by-distribution.service",
        "../wanted-by-distribution.service",
    );
    link("run/systemd/system/multi-user.target.wants/in-runtime.service", "/usr/lib/systemd/system/in-runtime.service");
    link("etc/systemd/system/masked.service", "/dev/null");
    link("run/systemd/system/masked-now.service", "/dev/null");
    link("etc/systemd/system/linked.service", "/opt/linked.service");
    link("etc/systemd/system/alias.service", "/usr/lib/systemd/system/has-alias.service");
    link("usr/lib/systemd/system/own-alias.service", "static.service");
}

fn of_files(root: &Path, sql: &str) -> Vec<Vec<String>> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let engine = host_engine(&Sys::at(root)).build().await.expect("an engine");
        rows(&engine, sql).await
    })
}

/// Unit files and their states by `systemctl`, without the units that systemd itself has in every root.
fn listed_files(root: &Path) -> Vec<Vec<String>> {
    crate::support::needs_root();
    indago_testkit::install::apt(&["systemd"]).expect("systemctl is installed");
    let mut command = Command::new("systemctl");
    command.arg(format!("--root={}", root.display())).args(["list-unit-files", "--output=json"]);
    let listed: Vec<Value> = serde_json::from_str(&output(&mut command)).expect("JSON");
    let mut listed: Vec<Vec<String>> =
        listed.iter().map(|unit| vec![text(unit, "unit_file"), text(unit, "state")]).collect();
    listed.sort();
    listed
}

#[test]
fn unit_files_have_the_states_of_systemctl() {
    let root = tempfile::tempdir().expect("a folder");
    unit_files(root.path());
    let own = of_files(root.path(), "SELECT id, unit_file_state FROM systemd_units");
    assert_eq!(own, listed_files(root.path()));
    assert!(own.len() > 15);
    let changed = of_files(
        root.path(),
        "SELECT fragment_path, user, description, exec_start, array_to_string(drop_in_paths, ' ') FROM systemd_units WHERE id = 'hidden.service'",
    );
    let drop_in = "/etc/systemd/system/hidden.service.d/10.conf";
    assert_eq!(changed, [["/etc/systemd/system/hidden.service", "eve", "Replaced", "/tmp/.y -l  4444", drop_in]]);
    let timers = of_files(
        root.path(),
        "SELECT name, activates, array_to_string(calendar, ';'), array_to_string(intervals, ';'), is_persistent FROM systemd_timers",
    );
    assert_eq!(timers, [["daily.timer", "daily.service", "daily;Mon *-*-* 03:00", "OnBootSec=15min", "true"]]);
}

#[test]
fn unit_files_of_this_machine_have_the_states_of_systemctl() {
    assert_eq!(of_files(Path::new("/"), "SELECT id, unit_file_state FROM systemd_units"), listed_files(Path::new("/")));
}

#[test]
fn state_that_files_lack_is_null_and_reported_once() {
    let root = tempfile::tempdir().expect("a folder");
    unit_files(root.path());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let engine = host_engine(&Sys::at(root.path())).build().await.expect("an engine");
        let query = engine.query("SELECT active_state FROM systemd_units GROUP BY 1").await.expect("a plan");
        let batches = query.collect().await.expect("rows");
        assert_eq!(crate::support::texts(&batches), [["NULL"]]);
        let warnings = query.warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].to_string().contains("only on the running machine"), "{}", warnings[0]);
    });
}
