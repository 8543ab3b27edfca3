//! The shell on a terminal, and what the command line shows to people.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::{Ran, indago, ran, run, run_with_input};

/// Types a text into `indago` on a terminal of 30 lines and 100 columns, and returns the screen's text. The text comes at
/// once, so that most of it waits while statements run.
fn typed(home: &Path, pager: Option<&str>, arguments: &str, text: &str) -> String {
    let program = indago();
    let line = format!("stty rows 30 cols 100; exec '{}' {arguments}", program.get_program().to_string_lossy());
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env("HOME", home).env("TERM", "xterm").env("NO_COLOR", "1");
    command.env_remove("XDG_DATA_HOME").env_remove("INDAGO_CONFIG").env_remove("PAGER");
    if let Some(pager) = pager {
        command.env("PAGER", pager);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script(1) runs");
    let mut stdin = child.stdin.take().expect("piped");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(format!("{text}.quit\r").as_bytes()));
        child.wait_with_output().expect("the shell ends")
    });
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn every_statement_of_a_paste_runs() {
    let many = 200;
    let text: String = (0..many).map(|row| format!("SELECT 'row ' ||\r  {row} || '.' AS text;\r")).collect();
    let screen = typed(home().path(), None, "--no-pager", &text);
    let missing: Vec<i32> = (0..many).filter(|row| !screen.contains(&format!("│ row {row}. "))).collect();
    assert!(missing.is_empty(), "{missing:?} of\n{screen}");
    assert!(screen.contains("   ...> "), "{screen}");
}

#[test]
fn a_bracketed_paste_is_read_line_by_line() {
    let paste = "\x1b[200~.mode csv\rSELECT 1 + 1 AS a;\r.strict\rSELECT 'fo' ||\r 'ur' AS b;\x1b[201~\r";
    let screen = typed(home().path(), None, "--no-pager", paste);
    for expected in ["a\n2\n", "strict is off", "b\nfour\n"] {
        assert!(screen.contains(expected), "{expected}:\n{screen}");
    }
}

#[test]
fn input_during_a_query_is_not_lost() {
    let long = "SELECT count(*) AS n FROM generate_series(1, 300000) WHERE value % 7 = 3;\r";
    let next = "SELECT 'af' || 'ter' AS text;\rselect 'and ' ||\r 'later' AS text;\r";
    let screen = typed(home().path(), None, "", &format!("{long}{next}"));
    for expected in ["│ 42857 │", "│ after │", "│ and later │"] {
        assert!(screen.contains(expected), "{expected}:\n{screen}");
    }
}

#[test]
fn commands_of_other_shells_work() {
    let screen = typed(home().path(), None, "--no-pager", "\\d\r\\d users\rhelp\r\\?\rSELECT 1\rexit\r;\r.show\r");
    for expected in [
        "listening_ports  ",
        "users (host)",
        ".tables [WORD]",
        "end the statement with `;`",
        "│ exit │",
        "config    none",
    ] {
        assert!(screen.contains(expected), "{expected}:\n{screen}");
    }
    let screen = typed(home().path(), None, "", "exit\rSELECT 'not ' || 'run';\r");
    assert!(!screen.contains("not run"), "{screen}");
}

#[test]
fn long_results_go_to_the_pager() {
    let text = "SELECT value FROM generate_series(1, 100);\rSELECT 'short' AS s;\r.pager off\rSELECT value + 1000 AS v FROM generate_series(1, 100);\r";
    let screen = typed(home().path(), Some("sed s/^/paged:/"), "", text);
    for expected in ["paged:│     1 │", "paged:│   100 │", "\n│ short │", "\n│ 1100 │"] {
        assert!(screen.contains(expected), "{expected}:\n{screen}");
    }
    assert!(!screen.contains("paged:│ 1100"), "{screen}");
    // The user leaves the pager before the end; the shell goes on.
    let text = "SELECT value FROM generate_series(1, 1000000);\rSELECT 'and' || ' on' AS s;\r";
    let screen = typed(home().path(), Some("head -3"), "", text);
    assert!(screen.contains("│ and on │"), "{screen}");
    let screen =
        typed(home().path(), Some("sed s/^/paged:/"), "--no-pager", "SELECT value FROM generate_series(1, 100);\r");
    assert!(screen.contains("\n│   100 │") && !screen.contains("paged:"), "{screen}");
}

#[test]
fn the_pager_in_force_is_shown() {
    for (pager, expected) in [
        (Some("sed s/a/a/"), "pager     sed s/a/a/\n"),
        (Some("cat"), "pager     none: $PAGER is `cat`\n"),
        (Some("no-such-pager -x"), "pager     none: $PAGER is `no-such-pager -x`, which is not installed\n"),
    ] {
        let screen = typed(home().path(), pager, "", ".show\r");
        assert!(screen.contains(expected), "{expected}:\n{screen}");
    }
    // A pager that is not installed costs neither rows nor a message for each result.
    let screen = typed(home().path(), Some("no-such-pager"), "", "SELECT value FROM generate_series(1, 100);\r");
    assert!(screen.contains("│   100 │") && !screen.contains("cannot run"), "{screen}");
}

#[test]
fn help_fits_a_narrow_terminal() {
    let screen = typed(home().path(), None, "--no-pager", ".help\r");
    let begin = screen.find("SQL ends with").expect("the help");
    let help = &screen[begin..screen[begin..].find("indago> ").map_or(screen.len(), |end| begin + end)];
    assert!(help.lines().all(|line| line.chars().count() <= 100) && help.contains(".quit"), "{help}");
}

#[test]
fn errors_on_a_terminal_are_marked_as_errors() {
    let screen = typed(home().path(), None, "", "SELECT * FROM proceses;\r");
    assert!(screen.contains("error[unknown_table]"), "{screen}");
}

fn explained(sql: &str) -> String {
    run(&["query", "--format", "table", sql]).expect(0).out
}

#[test]
fn explain_is_a_tree_for_people() {
    let plan =
        explained("EXPLAIN SELECT p.pid, h.md5 FROM processes p JOIN hash h ON h.path = p.path WHERE p.name = 'x'");
    for line in [
        "└─ LookupJoinExec: type=Inner, ",
        "   ├─ scan processes: about ",
        "   │       filter: name = 'x'",
        "   └─ scan hash: about ",
        "           keys from the join: path (about ",
        "Estimate: about ",
    ] {
        assert!(plan.lines().any(|shown| shown.starts_with(line)), "{line}\n{plan}");
    }
    assert!(plan.contains("no calls") && !plan.contains("\\n") && !plan.contains("CooperativeExec"), "{plan}");
    let plan = explained("explain query plan SELECT name, mfa_enabled, groups FROM aws_iam_user");
    for line in [
        "call: default/global iam:ListUsers",
        "call: + iam:ListMFADevices for each row (about 100 calls)",
        "call: + iam:ListGroupsForUser for each row (about 100 calls)",
    ] {
        assert!(plan.contains(line), "{line}\n{plan}");
    }
    assert!(plan.contains("about 100 rows, about 201 calls"), "{plan}");
    // Programs get the rows of DataFusion, with all calls too.
    let rows = run(&["query", "--json", "EXPLAIN SELECT mfa_enabled FROM aws_iam_user"]).expect(0).json();
    let text = rows[1]["plan"].as_str().expect("a plan");
    assert!(text.contains("iam:ListUsers; + iam:ListMFADevices for each row (about 100 calls)]"), "{text}");
    let plan = explained("EXPLAIN ANALYZE SELECT 1 AS a");
    assert!(plan.starts_with("Plan with Metrics\n") && !plan.contains("\\n"), "{plan}");
    let error = run(&["query", "--format", "table", "EXPLAIN SELECT nope FROM time"]).expect(1);
    assert!(error.err.contains("no column `nope`"), "{}", error.err);
}

#[test]
fn a_table_in_a_pipe_has_every_value_in_full() {
    let sql = "SELECT value, CASE WHEN value = 6000 THEN printf('%.*c', 300, 'x') ELSE 'y' END AS text \
               FROM generate_series(1, 9000)";
    let table = explained(sql);
    assert!(table.contains(&format!("│ {} │", "x".repeat(300))));
    assert_eq!(table.lines().count(), 9000 + 4);
    assert!(table.lines().last().is_some_and(|line| line.starts_with('└')), "no lower border");
}

#[test]
fn names_of_columns_are_unique_in_every_format() {
    let join = "SELECT * FROM (SELECT 1 AS a, 2 AS b) x JOIN (SELECT 3 AS a, 4 AS b) y ON true";
    for (sql, names) in [("SELECT 1 AS a, 2 AS a, 3 AS a", "a,a:1,a:2"), (join, "a,b,a:1,b:1")] {
        assert_eq!(run(&["query", "--csv", sql]).expect(0).out.lines().next(), Some(names));
        let rows = run(&["query", "--json", sql]).expect(0).json();
        let keys: Vec<&str> = names.split(',').collect();
        let row = rows[0].as_object().expect("an object");
        assert_eq!(row.len(), keys.len());
        assert!(keys.iter().all(|key| row.contains_key(*key)), "{row:?}");
        for format in ["ndjson", "table", "line", "markdown"] {
            let out = run(&["query", "--format", format, sql]).expect(0).out;
            assert!(keys.iter().all(|key| out.contains(key)), "{format}: {out}");
        }
    }
}

#[test]
fn sql_needs_no_command() {
    assert_eq!(run(&["SELECT 1 AS a"]).expect(0).out, "[\n  {\"a\":1}\n]\n");
    assert_eq!(run(&["--csv", "SELECT 1 AS a"]).expect(0).out, "a\n1\n");
    assert_eq!(run(&["query", "SELECT 1 AS a", "--csv"]).expect(0).out, "a\n1\n");
    assert!(run(&["tabels"]).expect(2).err.contains("'tables'"));
    assert!(run(&["SELECT", "1"]).expect(2).err.contains("quote it"));
}

#[test]
fn separated_values_as_in_osquery() {
    let sql = "SELECT 1 AS a, 'x;y' AS b";
    for (options, expected) in [
        (&["--list"] as &[&str], "a|b\n1|x;y\n"),
        (&["--separator", ";"], "a;b\n1;\"x;y\"\n"),
        (&["--csv", "--header=false"], "1,x;y\n"),
        (&["--list", "--separator", "\\t", "--header"], "a\tb\n1\tx;y\n"),
    ] {
        assert_eq!(run(&[&[sql], options].concat()).expect(0).out, expected, "{options:?}");
    }
    let refused = run(&[sql, "--json", "--separator", ";"]).expect(2);
    assert!(refused.err.contains("--separator is for the formats csv and list, not for json"), "{}", refused.err);
    assert!(run(&[sql, "--separator", "ab"]).expect(2).err.contains("`ab` cannot separate values"));
    let script = ".mode list\n.headers OFF\n.separator \";\"\nSELECT 1 AS a, 2 AS b;\n.headers on\nSELECT 3 AS c;\n";
    assert_eq!(run_with_input(&["shell"], script).expect(0).out, "1;2\nc\n3\n");
}

#[test]
fn files_of_rows_can_go_to_standard_output() {
    for (option, magic) in [("--parquet", b"PAR1" as &[u8]), ("--arrow", b"ARROW1")] {
        let output = indago().args(["SELECT 1 AS a", option, "-"]).output().expect("indago runs");
        assert!(output.status.success() && output.stdout.starts_with(magic), "{option}");
        assert!(output.stdout.ends_with(magic), "{option}");
        run(&["SELECT 1 AS a", option, "-", "--csv"]).expect(2);
    }
    run(&["SELECT 1 AS a", "--parquet", "-", "--arrow", "-"]).expect(2);
}

#[test]
fn lists_are_for_people_by_default() {
    let list = run(&["tables"]).expect(0).out;
    let ports = list.lines().find(|line| line.starts_with("listening_ports ")).expect("a line of the table");
    let words: Vec<&str> = ports.split_whitespace().collect();
    assert!(words[1] == "host" && words.len() > 3, "{ports}");
    assert!(!list.contains(['{', '│']), "{list}");
    assert!(run(&["tables", "users"]).expect(0).out.starts_with("users (host)\n"));
    assert!(run(&["functions"]).expect(0).out.lines().any(|line| line.starts_with("split(")));
    assert!(run(&["tables", "--json"]).expect(0).json().as_array().is_some_and(|tables| tables.len() > 30));
    let found = run(&["tables", "socket"]).expect(0).out;
    assert!(found.starts_with("process_open_sockets ") && found.contains("\nlistening_ports "), "{found}");
    let none = run(&["tables", "nothing_like_it"]).expect(2).err;
    assert!(none.contains("no table or view mentions `nothing_like_it`"), "{none}");
    assert!(script(".tables nothing_like_it\n").expect(1).err.contains("no table or view mentions `nothing_like_it`"));
    assert!(run(&["functions", "nothing_like_it"]).expect(2).err.contains("no function has `nothing_like_it`"));
    // A value that is a command's name, a dot-command as an argument, and patterns.
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("capture");
    let capture = capture.to_str().expect("UTF-8");
    run(&["capture", "--out", capture, "time"]).expect(0);
    let stored =
        ran(indago().current_dir(&folder).args(["--store", "capture", "SELECT 1 AS a"]).output().expect("runs"));
    assert_eq!(stored.expect(0).json()[0]["a"], 1);
    let listed = run(&[".tables users"]).expect(0).out;
    assert!(listed.starts_with("users ") && listed.contains("\nlogged_in_users "), "{listed}");
    let pods = run(&["tables", "kube*pods"]).expect(0).out;
    assert_eq!(pods.lines().count(), 1, "{pods}");
    // A description ends with its sentence.
    let cut: Vec<&str> = list.lines().filter(|line| line.contains("  host  ") && !line.ends_with('.')).collect();
    assert!(cut.is_empty(), "{cut:?}");
}

/// Runs lines in the shell, without a terminal.
fn script(lines: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lines");
    std::fs::write(&file, lines).expect("written");
    let input = std::fs::File::open(&file).expect("opened");
    ran(indago().args(["shell", "--format", "table"]).stdin(input).output().expect("indago runs"))
}

#[test]
fn the_shell_searches_tables() {
    let found = script("CREATE VIEW shells AS SELECT * FROM users WHERE shell <> '';\n.tables shells\n").expect(0).out;
    let view = found.lines().find(|line| line.starts_with("shells ")).expect("the view");
    assert!(view.contains("  view  ") && view.contains("SELECT"), "{view}");
    // Names first; then columns and descriptions.
    let found = script(".tables socket\n").expect(0).out;
    assert!(found.starts_with("process_open_sockets "), "{found}");
    assert!(found.contains("\nlistening_ports ") && !found.contains("\nusers "), "{found}");
    assert!(script(".tables SHA256\n").expect(0).out.contains("hash "));
}

#[test]
fn errors_say_why_a_table_does_not_exist() {
    let told = |arguments: &[&str]| run(arguments).err;
    let error = told(&["SELECT * FROM process_events"]);
    assert!(error.contains("osquery has a table `process_events`, Indago does not"), "{error}");
    assert!(!error.contains("did you mean"), "{error}");
    assert!(told(&["SELECT * FROM registry"]).contains("osquery has a table `registry` on Windows only"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("indago.toml");
    std::fs::write(&file, "[git]\nenabled = false\n").expect("written");
    let error = told(&["--config", file.to_str().expect("UTF-8"), "SELECT * FROM git_commits"]);
    assert!(error.contains("environment `git`, which is disabled") && error.contains("git.enabled = true"), "{error}");
    let store = folder.path().join("store");
    let store = store.to_str().expect("UTF-8");
    run(&["capture", "--out", store, "time"]).expect(0);
    let error = told(&["--store", store, "SELECT * FROM users"]);
    assert!(error.contains(&format!("the store {store} has no table `users`")), "{error}");
    let error = told(&["SELECT * FROM 'day1/x.parquet'"]);
    assert!(error.contains("no table `day1/x.parquet`") && error.contains("read_parquet('day1/x.parquet')"), "{error}");
    assert!(error.contains("--store"), "{error}");
}

#[test]
fn help_fits_the_error() {
    let told = |sql: &str| run(&[sql]).expect(1).err;
    // Half of the letters are others: no suggestion.
    assert!(!told("SELECT * FROM lost_one").contains("did you mean"));
    for sql in ["INSERT INTO users VALUES (1)", "UPDATE users SET uid = 0", "DELETE FROM users WHERE uid = 0"] {
        let error = told(sql);
        assert!(error.contains("is not supported: Indago only reads") && error.contains("`SELECT`"), "{error}");
    }
    assert!(told("COPY users TO 'x.csv'").contains("--parquet FILE"));
    assert!(told("CREATE TABLE a (b int)").contains("CREATE VIEW name AS SELECT"));
    // Columns of the named table, or of each table.
    let error = told("SELECT h.zzzzzz FROM users u JOIN groups h ON h.gid = u.gid");
    assert!(error.contains("of `h`: gid, ") && !error.contains("shell"), "{error}");
    let error = told("SELECT zzzzzz FROM users u JOIN groups h ON h.gid = u.gid");
    assert!(error.contains("use a column of `u`: uid, ") && error.contains("of `h`: gid, "), "{error}");
    let error = told("SELECT h.shell FROM users u JOIN groups h ON h.gid = u.gid");
    assert!(error.contains("did you mean `u.shell`?"), "{error}");
    for sql in [
        "SELECT path FROM file WHERE path = '/' AND mtime > now()",
        "SELECT path FROM file WHERE path = '/' AND now() > mtime",
    ] {
        let error = told(sql);
        assert!(
            error.contains("a number cannot be compared with a timestamp") && error.contains("unixepoch('now')"),
            "{error}"
        );
    }
    // The text of a time is compared as SQLite does, and a warning tells.
    for sql in
        ["mtime > current_timestamp", "datetime('now') < mtime", "mtime BETWEEN 0 AND datetime(atime, 'unixepoch')"]
    {
        let ran = run(&["--csv", &format!("SELECT path FROM file WHERE path = '/' AND {sql}")]).expect(0);
        let warning = "warning: file (mtime): `mtime` is a number and `datetime(..)` is text";
        assert_eq!(ran.err.matches(warning).count(), 1, "{sql}: {}", ran.err);
    }
    for (sql, warning) in [
        ("mtime > '2020-01-01'", "`mtime` is a number and `'2020-01-01'` is text"),
        ("'2020-01-01 10:00' < mtime", "compare with seconds, as in `unixepoch('2020-01-01 10:00')`"),
        ("mtime BETWEEN 0 AND '2030-01-01'", "`mtime` is a number and `'2030-01-01'` is text"),
        ("size = 'large'", "`size` is a number and `'large'` is text"),
        (
            "size IN (0, 'large')",
            "`size` is a number and `'large'` is text, so the comparison says nothing about the values; compare with a number",
        ),
        ("size + 0 = 1 OR mtime IS 'never'", "`mtime` is a number and `'never'` is text"),
    ] {
        let ran = run(&["--csv", &format!("SELECT path FROM file WHERE path = '/' AND ({sql})")]).expect(0);
        assert_eq!(ran.err.matches("warning: file (").count(), 1, "{sql}: {}", ran.err);
        assert!(ran.err.contains(warning), "{sql}: {}", ran.err);
    }
    let with_parameter = "SELECT path FROM file WHERE path = '/' AND mtime > $x";
    let ran = run(&["query", "--format", "csv", "--param", "x=yesterday", with_parameter]).expect(0);
    assert!(ran.err.contains("`mtime` is a number and `'yesterday'` is text"), "{}", ran.err);
    for sql in ["size <> ''", "size NOT IN ('large')", "mtime > '1000'", "path > '2020-01-01'", "mtime > ' 12 '"] {
        let ran = run(&["--csv", &format!("SELECT path FROM file WHERE path = '/' AND {sql}")]).expect(0);
        assert_eq!(ran.err, "", "{sql}");
    }
    for sql in
        ["mtime > unixepoch('now')", "mtime > strftime('%s', 'now')", "datetime(mtime, 'unixepoch') < datetime('now')"]
    {
        let ran = run(&["--csv", &format!("SELECT path FROM file WHERE path = '/' AND {sql}")]).expect(0);
        assert_eq!(ran.err, "", "{sql}");
    }
}
