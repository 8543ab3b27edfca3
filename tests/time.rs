//! Tables as they were: recorded by the real program, read by it with `FOR SYSTEM_TIME`, `--as-of` and `.asof`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::cli::{Ran, indago, ran};
use crate::support::replace;

/// A host whose users a test changes, and a configuration that records them.
struct Host {
    folder: tempfile::TempDir,
}

/// The users and their shells at the three readings.
const USERS: [&[(&str, &str)]; 3] = [
    &[("ada", "/bin/bash"), ("eve", "/bin/sh")],
    &[("ada", "/bin/zsh"), ("mallory", "/bin/sh")],
    &[("ada", "/bin/zsh"), ("eve", "/bin/bash"), ("mallory", "/bin/sh")],
];

impl Host {
    /// Records the three states of the users.
    fn new() -> (Self, Vec<String>) {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(folder.path().join("root/etc")).expect("created");
        let text = "[host]\nroots = [\"root\"]\n[containers]\nenabled = false\n[kubernetes]\nenabled = false\n\
                    [aws]\nenabled = false\n[git]\nenabled = false\n[record]\ndir = \"recorded\"\nwriter = \"here\"\n\
                    [recording.users]\ntables = [\"users\"]\n\
                    [recording.hash]\ntables = [\"hash\"]\nkeys = \"SELECT '/etc/passwd' AS path\"\n\
                    [views]\nshells = \"SELECT username, shell FROM users\"\n";
        std::fs::write(folder.path().join("indago.toml"), text).expect("written");
        let host = Host { folder };
        let mut times = Vec::new();
        for users in USERS {
            host.write(users);
            host.run(&["record", "--once", "--json"]).expect(0);
            // The end of the newest reading.
            let newest = "SELECT max(end_time) AS t FROM coverage WHERE table_name = 'users'";
            times.push(host.json(&["query", newest])[0]["t"].as_str().expect("a time").to_owned());
        }
        (host, times)
    }

    fn write(&self, users: &[(&str, &str)]) {
        let line = |(name, shell): &(&str, &str)| {
            let number = 1000 + name.len();
            format!("{name}:x:{number}:{number}:{name}:/home/{name}:{shell}\n")
        };
        let text: String = users.iter().map(line).collect();
        replace(&self.folder.path().join("root/etc/passwd"), &text);
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("indago.toml")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(indago().arg("--config").arg(self.config()).args(arguments).output().expect("indago runs"))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.run(arguments).expect(0).json()
    }

    /// User and shell, in order.
    fn shells(&self, arguments: &[&str]) -> Vec<(String, String)> {
        let rows = self.json(arguments);
        let text = |row: &Value, column: &str| row[column].as_str().unwrap_or_default().to_owned();
        let rows = rows.as_array().expect("rows").iter();
        let mut shells: Vec<_> = rows.map(|row| (text(row, "username"), text(row, "shell"))).collect();
        shells.sort();
        shells
    }
}

fn expected(users: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut users: Vec<_> = users.iter().map(|(name, shell)| ((*name).to_owned(), (*shell).to_owned())).collect();
    users.sort();
    users
}

#[test]
fn the_program_reads_what_it_recorded() {
    let (host, times) = Host::new();
    let all = "SELECT username, shell FROM users";
    for (time, users) in times.iter().zip(USERS) {
        let of_table = format!("SELECT u.username, u.shell FROM users FOR SYSTEM_TIME AS OF '{time}' AS u");
        let plain = of_table.replace("AS u", "u");
        let of_view = format!("SELECT username, shell FROM shells FOR SYSTEM_TIME AS OF '{time}'");
        let of_session = format!("SET indago.as_of = '{time}'; {all}");
        for arguments in [
            vec!["query", &of_table],
            vec!["query", "--dialect", "datafusion", &plain],
            vec!["query", &of_view],
            vec!["query", "--as-of", time, all],
            vec!["query", "--as-of", time, "SELECT * FROM shells"],
            vec![
                "query",
                "--param",
                &format!("t={time}"),
                "SELECT username, shell FROM users FOR SYSTEM_TIME AS OF $t",
            ],
            vec!["--store", &host.folder.path().join("recorded").display().to_string(), "query", "--as-of", time, all],
        ] {
            assert_eq!(host.shells(&arguments), expected(users), "{arguments:?}");
        }
        let several = host.run(&["query", &of_session]).expect(0);
        assert!(several.out.contains(users[0].1), "{}", several.out);
        // In the shell.
        let mut child = indago()
            .arg("--config")
            .arg(host.config())
            .args(["shell", "--format", "csv"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("indago runs");
        let input = format!(".asof {time}\n{all} ORDER BY 1;\n.asof now\nSELECT count(*) AS n FROM users;\n");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
        let shell = ran(child.wait_with_output().expect("it ends")).expect(0);
        let rows: Vec<String> = expected(users).into_iter().map(|(name, shell)| format!("{name},{shell}")).collect();
        assert_eq!(shell.out.trim(), format!("username,shell\n{}\nn\n3", rows.join("\n")), "{}", shell.err);
    }
    // Two times of one table, and the present.
    let joined = format!(
        "SELECT now.username, earlier.shell FROM users AS now JOIN users FOR SYSTEM_TIME AS OF '{}' AS earlier USING (username) \
         WHERE earlier.shell <> now.shell",
        times[0]
    );
    assert_eq!(
        host.shells(&["query", &joined]),
        [("ada".into(), "/bin/bash".into()), ("eve".into(), "/bin/sh".into())]
    );
    // The newest state in place of the live system, and next to it.
    std::fs::remove_file(host.folder.path().join("root/etc/passwd")).expect("removed");
    let store = host.folder.path().join("recorded").display().to_string();
    assert_eq!(host.shells(&["--store", &store, "query", all]), expected(USERS[2]));
    let (beside, named) = (format!("then={store}"), "SELECT username, shell FROM then.users");
    assert_eq!(host.shells(&["--store", &beside, "query", named]), expected(USERS[2]));
    let named = format!("{named} FOR SYSTEM_TIME AS OF '{}'", times[1]);
    assert_eq!(host.shells(&["--store", &beside, "query", &named]), expected(USERS[1]));
}

#[test]
fn versions_and_changes_are_tables() {
    let (host, times) = Host::new();
    let changes = host.json(&[
        "query",
        "SELECT at, op, username, shell, changed, before['shell'] AS was FROM changes.users ORDER BY at, username, op",
    ]);
    let shown = |row: &Value| {
        let at = times.iter().position(|time| row["at"] == *time.as_str()).map_or(-1, |at| at as i64);
        format!("{at} {} {} {} {} {}", row["op"], row["username"], row["shell"], row["changed"], row["was"])
            .replace('"', "")
    };
    let shown: Vec<String> = changes.as_array().expect("rows").iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            "0 added ada /bin/bash null null",
            "0 added eve /bin/sh null null",
            "1 modified ada /bin/zsh [shell] /bin/bash",
            "1 removed eve /bin/sh null null",
            "1 added mallory /bin/sh null null",
            "2 added eve /bin/bash null null",
        ]
    );
    let history = format!(
        "SELECT username, shell FROM users FOR SYSTEM_TIME FROM '{}' TO '{}' WHERE valid_to IS NOT NULL",
        times[0], times[1]
    );
    assert_eq!(host.shells(&["query", &history]), expected(USERS[0]));
    let ever = host.json(&["query", "SELECT count(*) AS n, count(valid_to) AS ended FROM history.users"]);
    assert_eq!((&ever[0]["n"], &ever[0]["ended"]), (&Value::from(5), &Value::from(2)));
    let coverage =
        host.json(&["query", "SELECT DISTINCT table_name, writer, how FROM coverage WHERE gap IS NULL ORDER BY 1"]);
    assert_eq!(coverage[0]["table_name"], "hash");
    assert_eq!(coverage[1]["writer"], "here");
}

#[test]
fn what_was_not_recorded_is_a_warning_or_an_error() {
    let (host, times) = Host::new();
    let before = host.run(&["query", "--as-of", "2020-01-01", "SELECT username FROM users", "--strict"]).expect(3);
    assert!(before.err.contains("the first complete reading is at"), "{}", before.err);
    let unrecorded = host.run(&["query", "--as-of", &times[0], "SELECT * FROM groups"]).expect(0);
    assert!(unrecorded.err.contains("table `groups` is not recorded"), "{}", unrecorded.err);
    // A key that was recorded, and one that was not.
    let hashes = "SELECT count(*) AS n FROM hash WHERE path IN ('/etc/passwd', '/etc/shadow')";
    let keyed = host.run(&["query", "--as-of", &times[0], hashes, "--strict"]).expect(3);
    assert!(keyed.err.contains("no row with path = '/etc/shadow' was recorded"), "{}", keyed.err);
    // A table of the engine has no past.
    let none = host.run(&["query", "SELECT * FROM engine_tables FOR SYSTEM_TIME AS OF '-1 hour'"]).expect(1);
    assert!(none.err.contains("does not depend on time"), "{}", none.err);
    // Damage costs the rows of one file.
    let data = walk(&host.folder.path().join("recorded/users"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "parquet"));
    std::fs::write(data.expect("a data file"), b"PAR1 but damaged PAR1").expect("written");
    let damaged = host.run(&["query", "--as-of", &times[2], "SELECT username FROM users", "--strict"]).expect(3);
    assert!(damaged.err.contains("is damaged, so rows from"), "{}", damaged.err);
}

fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn plans_of_the_past() {
    let (host, times) = Host::new();
    let mut plans = String::new();
    for sql in [
        "SELECT username FROM users FOR SYSTEM_TIME AS OF 'THEN' AS u WHERE uid = 1003",
        "SELECT a.username FROM users FOR SYSTEM_TIME AS OF 'THEN' a JOIN users b ON a.uid = b.uid",
        "SELECT username, valid_from FROM users FOR SYSTEM_TIME FROM 'THEN' TO 'LATER' WHERE shell = '/bin/sh'",
        "SELECT op, username FROM changes.users WHERE at > 'THEN' AND uid = 1003",
        "SELECT v.username FROM shells FOR SYSTEM_TIME AS OF 'THEN' v",
    ] {
        let sql = format!("EXPLAIN {sql}").replace("THEN", &times[0]).replace("LATER", &times[2]);
        let plan = host.run(&["query", "--format", "table", &sql]).expect(0).out;
        plans.push_str(&format!("{sql}\n{plan}\n"));
    }
    // Times differ from run to run.
    for (time, name) in times.iter().zip(["FIRST", "SECOND", "THIRD"]) {
        plans = plans.replace(time.as_str(), name).replace(time.trim_end_matches('Z'), name);
    }
    let mut parts = plans.split("timestamp ");
    let first = parts.next().unwrap_or_default().to_owned();
    let plans = parts.fold(first, |plans, part| {
        plans + "timestamp " + part.trim_start_matches(|character: char| character.is_ascii_digit())
    });
    insta::assert_snapshot!("plans_of_the_past", plans);
}
