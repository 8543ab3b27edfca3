//! Open files, mounts and logins, row by row against the system's tools.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use indago_table::Sys;
use indago_testkit::install::apt;
use serde_json::Value;

use crate::support::{fixture_host, host_engine, rows};

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C.UTF-8").output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn open_files_are_those_of_lsof() {
    apt(&["lsof"]).expect("lsof is installed");
    let folder = tempfile::tempdir().expect("a directory");
    fs::write(folder.path().join("a b"), "one\ntwo\n").expect("written");
    let script = "exec 5<'a b' 6>w 7>>append 8<>both 9<.; printf xyz >&6; read -r line <&5; echo ready; exec sleep 600";
    let mut child = Command::new("bash");
    let child = child.args(["-c", script]).current_dir(&folder).stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = child.stdout(Stdio::piped()).spawn().expect("bash starts");
    let mut ready = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut ready).expect("it starts");
    let pid = child.id();
    let engine = host_engine(&Sys::live()).build().await.expect("an engine");
    let sql = format!("SELECT fd, access, \"offset\", path FROM process_open_files WHERE pid = {pid}");
    let own: BTreeSet<String> = rows(&engine, &sql).await.into_iter().map(|row| row.join(" ")).collect();
    let listed = output("lsof", &["-n", "-P", "-o", "-p", &pid.to_string(), "-Ffaotn"]);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    // A file's fields are lines: `f` begins the next file.
    let mut theirs: BTreeSet<String> = BTreeSet::new();
    for file in listed.split("\nf").skip(1) {
        let field = |letter: char| file.lines().skip(1).find_map(|line| line.strip_prefix(letter)).unwrap_or_default();
        // Programs, libraries and directories that a process uses without a descriptor have names, not numbers.
        let Ok(fd) = file.lines().next().unwrap_or_default().parse::<i64>() else { continue };
        let access = if field('a') == "u" { "rw" } else { field('a') };
        // The table has files, not pipes.
        if ["REG", "DIR", "CHR"].contains(&field('t')) {
            theirs.insert(format!("{fd} {access} {} {}", field('o').trim_start_matches("0t"), field('n')));
        }
    }
    assert!(theirs.len() >= 6, "{listed}");
    assert_eq!(own, theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn mounts_are_those_of_findmnt() {
    let engine = host_engine(&Sys::live()).build().await.expect("an engine");
    // Other tests mount file systems meanwhile.
    for _ in 0..20 {
        let findmnt = || output("findmnt", &["--json", "--list", "--nofsroot", "-o", "TARGET,SOURCE,FSTYPE,OPTIONS"]);
        let before = findmnt();
        let own = rows(&engine, "SELECT path, device, type, flags FROM mounts").await;
        if before != findmnt() {
            continue;
        }
        let listed: Value = serde_json::from_str(&before).expect("JSON");
        let columns = ["target", "source", "fstype", "options"];
        let cell = |mount: &Value, column: &str| mount[column].as_str().unwrap_or_default().to_owned();
        let listed = listed["filesystems"].as_array().expect("a list").iter();
        let mut theirs: Vec<Vec<String>> =
            listed.map(|mount| columns.map(|column| cell(mount, column)).to_vec()).collect();
        theirs.sort();
        assert_eq!(own, theirs);
        return;
    }
    panic!("the mounts changed during each reading");
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_are_those_of_last() {
    let engine = host_engine(&fixture_host("plain")).build().await.expect("an engine");
    let file = crate::support::root().join("tests/fixtures/hosts/plain/var/log/wtmp");
    let listed = output("last", &["-w", "--time-format", "iso", "-f", file.to_str().expect("UTF-8")]);
    let mut theirs: Vec<Vec<String>> = Vec::new();
    for line in listed.lines().take_while(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Starts of the machine are of another type.
        if let [name, tty, host, time, ..] = words[..]
            && name != "reboot"
        {
            let time = chrono::DateTime::parse_from_rfc3339(time).expect("a time").timestamp().to_string();
            theirs.push([name, tty, host, &time].map(str::to_owned).to_vec());
        }
    }
    theirs.sort();
    let sql = "SELECT username, tty, host, time FROM last WHERE type = 7 AND file = '/var/log/wtmp'";
    assert!(!theirs.is_empty(), "{listed}");
    assert_eq!(rows(&engine, sql).await, theirs);
}
