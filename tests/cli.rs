//! The command line as scripts use it: commands, exit codes, standard output and standard error.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

/// The `indago` program next to this test's binary. Builds it if it is missing or older than a source file.
pub(crate) fn indago() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(PROGRAM.get_or_init(program));
    command.env_remove("INDAGO_CONFIG").env_remove("INDAGO_LOG").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("INDAGO_BIN") {
        return named.into();
    }
    let own = std::env::current_exe().expect("a test has a path");
    let folder = own.parent().and_then(Path::parent).expect("a test stands in target/<profile>/deps");
    let program = folder.join("indago");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace");
    let built = program.metadata().and_then(|metadata| metadata.modified()).ok();
    let newest = ["crates", "tables"].iter().map(|folder| newest(&root.join(folder))).max().flatten();
    if built.is_none() || built < newest {
        // `--workspace` builds with the features of the tests, so that nothing is built twice.
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.current_dir(root).args(["build", "--workspace", "--bin", "indago"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "`cargo build --bin indago` failed");
    }
    program
}

/// Modification time of the newest source file under a directory.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let time = |path: PathBuf| {
        if path.is_dir() {
            return newest(&path);
        }
        let source = path.extension().is_some_and(|extension| extension == "rs" || extension == "toml");
        source.then(|| path.metadata().and_then(|metadata| metadata.modified()).ok()).flatten()
    };
    entries.filter_map(|entry| time(entry.path())).max()
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {:?}\n{}", self.out, self.err))
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn run(arguments: &[&str]) -> Ran {
    ran(indago().args(arguments).output().expect("indago runs"))
}

pub(crate) fn run_with_input(arguments: &[&str], input: &str) -> Ran {
    let mut child = indago()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("indago runs");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
    ran(child.wait_with_output().expect("indago ends"))
}

pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// The exit status of a child, or `None` if it is still running after the time; then it is killed.
pub(crate) fn wait_for(child: &mut Child, most: Duration) -> Option<i32> {
    let began = Instant::now();
    while began.elapsed() < most {
        if let Some(status) = child.try_wait().expect("a child can be asked") {
            return Some(status.code().unwrap_or(-1));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

#[test]
fn rows_go_to_stdout_and_nothing_else_does() {
    let ran = run(&["query", "SELECT 1 AS one, 'a' AS letter, NULL AS nothing", "--stats"]).expect(0);
    assert_eq!(ran.out, "[\n  {\"one\":1,\"letter\":\"a\",\"nothing\":null}\n]\n");
    assert!(ran.err.contains("1 row in "), "{}", ran.err);
}

#[test]
fn the_rewritten_sql_is_shown_on_request() {
    let sql = "SELECT username FROM users WHERE 1 IS NOT 'a' GROUP BY uid LIMIT 0";
    assert_eq!(run(&["query", sql]).expect(0).err, "");
    let ran = run(&["query", "--rewritten", sql]).expect(0);
    assert!(ran.err.starts_with("SELECT") && ran.err.trim() != sql, "{}", ran.err);
    let explained = run(&["query", "--format", "ndjson", &format!("EXPLAIN VERBOSE {sql}")]).expect(0).out;
    let first = explained.lines().next().expect("a row");
    assert!(first.contains("rewriting of the SQL") && first.contains("SELECT"), "{first}");
    assert!(!first.contains("EXPLAIN"), "{first}");
}

#[test]
fn every_format() {
    let sql = "SELECT 1 AS a, 'x,\"y' AS b";
    for (format, expected) in [
        ("json", "[\n  {\"a\":1,\"b\":\"x,\\\"y\"}\n]\n"),
        ("ndjson", "{\"a\":1,\"b\":\"x,\\\"y\"}\n"),
        ("csv", "a,b\n1,\"x,\"\"y\"\n"),
        ("line", "a = 1\nb = x,\"y\n"),
        ("markdown", "| a | b |\n| ---: | --- |\n| 1 | x,\"y |\n"),
        ("table", "┌───┬──────┐\n│ a │ b    │\n├───┼──────┤\n│ 1 │ x,\"y │\n└───┴──────┘\n"),
    ] {
        assert_eq!(run(&["query", sql, "--format", format]).expect(0).out, expected, "{format}");
    }
}

#[test]
fn sql_from_an_argument_a_file_and_standard_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("two.sql");
    std::fs::write(&file, "-- two; statements\nSELECT 1 AS a;\nSELECT ';' AS b").expect("written");
    let expected = "{\"a\":1}\n{\"b\":\";\"}\n";
    let path = file.to_str().expect("UTF-8");
    assert_eq!(run(&["query", "--format", "ndjson", "-f", path]).expect(0).out, expected);
    assert_eq!(
        run_with_input(&["query", "--format", "ndjson"], "SELECT 1 AS a; SELECT ';' AS b;").expect(0).out,
        expected
    );
    assert_eq!(
        run_with_input(&["query", "--format", "ndjson", "-f", "-"], "SELECT 1 AS a; SELECT ';' AS b").expect(0).out,
        expected
    );
    assert_eq!(run_with_input(&[], "SELECT 1 AS a").expect(0).out, "[\n  {\"a\":1}\n]\n");
}

#[test]
fn exit_codes() {
    // 1: the query failed; the statements after it do not run.
    let ran = run(&["query", "SELECT 1 AS a; SELECT * FROM proceses; SELECT 2 AS b"]).expect(1);
    assert!(ran.out.contains("\"a\":1") && !ran.out.contains("\"b\""), "{}", ran.out);
    // 2: usage or configuration.
    for arguments in [
        &["query"] as &[&str],
        &["nonsense"],
        &["query", "--format", "xml", "SELECT 1"],
        &["query", "--timeout", "soon", "SELECT 1"],
        &["query", "-f", "/none.sql"],
        &["query", "--config", "/none.toml", "SELECT 1"],
        &["query", "--store", "/none", "SELECT 1"],
        &["capture"],
    ] {
        let ran = run(arguments).expect(2);
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{arguments:?}: {} {}", ran.out, ran.err);
    }
    assert!(run(&["--help"]).expect(0).out.contains("query"));
    assert!(run(&["--version"]).expect(0).out.starts_with("indago "));
}

#[test]
fn errors_have_a_place_and_a_help() {
    let ran = run(&["query", "SELECT *\nFROM proceses"]).expect(1);
    assert!(ran.out.is_empty());
    assert!(ran.err.contains(" --> 2:6\n"), "{}", ran.err);
    assert!(ran.err.contains("^^^^^^^^"), "{}", ran.err);
    assert!(ran.err.contains("processes"), "{}", ran.err);
    let ran = run(&["query", "SELECT pid FROM processes WHER pid = 1 AND"]).expect(1);
    assert!(ran.err.starts_with("error[") && ran.err.contains('^'), "{}", ran.err);
    let ran = run(&["query", "SELECT pod FROM processes"]).expect(1);
    assert!(ran.err.contains("pid"), "{}", ran.err);
}

#[test]
fn a_malformed_configuration_says_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("indago.toml");
    std::fs::write(&file, "[limits]\nmemry = \"1GB\"\n").expect("written");
    let path = file.to_str().expect("UTF-8");
    let expected = format!("error: {path}:2:1: unknown key `limits.memry`; did you mean `memory`?");
    for ran in [
        run(&["query", "--config", path, "SELECT 1"]),
        ran(indago().env("INDAGO_CONFIG", path).args(["query", "SELECT 1"]).output().expect("runs")),
        ran(indago().current_dir(folder.path()).args(["tables", "--config", "indago.toml"]).output().expect("runs")),
    ] {
        let ran = ran.expect(2);
        assert!(ran.err.contains(expected.trim_start_matches("error: ").trim_start_matches(path)), "{}", ran.err);
    }
    std::fs::write(&file, "[views]\nv = \"SELECT 42 AS answer\"\n").expect("written");
    assert_eq!(run(&["query", "--config", path, "SELECT * FROM v"]).expect(0).json()[0]["answer"], 42);
}

/// A user who looks into an intruder's directory must not run what the intruder left there.
#[test]
fn the_folder_one_stands_in_is_not_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let here = |arguments: &[&str]| {
        ran(indago().current_dir(folder.path()).env("HOME", folder.path()).args(arguments).output().expect("runs"))
    };
    let ran_mark = folder.path().join("ran");
    let user = format!(
        r#"{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: touch, args: ["{}"], interactiveMode: Never}}}}"#,
        ran_mark.display()
    );
    let clusters = r#"[{name: c, cluster: {server: "http://127.0.0.1:1"}}]"#;
    let contexts = "[{name: c, context: {cluster: c, user: u}}]";
    write(
        "kubeconfig",
        &format!(
            "{{current-context: c, contexts: {contexts}, clusters: {clusters}, users: [{{name: u, user: {user}}}]}}"
        ),
    );
    write(
        "indago.toml",
        "[kubernetes]\nkubeconfig = \"kubeconfig\"\n[limits]\nretries = 0\n[views]\nv = \"SELECT 42 AS answer\"\n",
    );
    let ran = here(&["query", "SELECT name FROM kubernetes_namespaces"]).expect(0);
    assert!(!ran_mark.exists(), "a program of the directory ran");
    let note = "note: ./indago.toml was not read; use it with `--config indago.toml` if you trust this directory\n";
    assert_eq!(ran.err.matches("indago.toml was not read").count(), 1, "{}", ran.err);
    assert!(ran.err.starts_with(note), "{}", ran.err);
    here(&["query", "SELECT * FROM v"]).expect(1);
    // Naming the file uses it, without a note.
    let ran = here(&["query", "--config", "indago.toml", "SELECT * FROM v"]).expect(0);
    assert_eq!((&ran.json()[0]["answer"], ran.err.as_str()), (&42.into(), ""));
    // A FIFO or a broken file there is not opened.
    std::fs::remove_file(folder.path().join("indago.toml")).expect("removed");
    assert!(Command::new("mkfifo").arg(folder.path().join("indago.toml")).status().expect("mkfifo runs").success());
    assert!(here(&["query", "SELECT 1"]).expect(0).err.starts_with("note: "));
    let refused = here(&["query", "--config", "indago.toml", "SELECT 1"]).expect(2);
    assert!(refused.err.contains("indago.toml: it is not a regular file"), "{}", refused.err);
}

#[test]
fn a_configuration_that_others_can_write_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("indago.toml");
    std::fs::write(&file, "[views]\nv = \"SELECT 42 AS answer\"\n").expect("written");
    let mode = |path: &Path, mode: u32| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(path, permissions).expect("changed mode");
    };
    let asked = || run(&["query", "--config", file.to_str().expect("UTF-8"), "SELECT * FROM v"]);
    asked().expect(0);
    mode(&file, 0o646);
    let ran = asked().expect(2);
    assert!(ran.err.contains("is refused, because other users can write"), "{}", ran.err);
    assert!(ran.err.contains(&format!("`chmod go-w {}`", file.display())), "{}", ran.err);
    let named = indago().env("INDAGO_CONFIG", &file).args(["query", "SELECT 1"]).output().expect("runs");
    assert_eq!(named.status.code(), Some(2));
    mode(&file, 0o644);
    mode(folder.path(), 0o777);
    let ran = asked().expect(2);
    assert!(ran.err.contains(&format!("users can write its directory {}", folder.path().display())), "{}", ran.err);
    mode(folder.path(), 0o1777);
    asked().expect(0);
    mode(folder.path(), 0o755);
    asked().expect(0);
}

#[test]
fn two_results_of_markdown_are_two_tables() {
    let (sql, first, second) = ("SELECT 1 AS a; SELECT 2 AS b", "| a |\n| ---: |\n| 1 |\n", "| b |\n| ---: |\n| 2 |\n");
    let expected = format!("{first}\n{second}");
    assert_eq!(run(&["query", "--format", "markdown", sql]).expect(0).out, expected);
    let script = "SELECT 1 AS a;\n.timer on\nSELECT 2 AS b;\n";
    assert_eq!(run_with_input(&["shell", "--format", "markdown"], script).expect(0).out, expected);
}

#[test]
fn lists_of_the_shell_are_text_in_a_pipe() {
    let lists = ".tables users\n.schema users\n.functions split\n.help .read\n.show\n";
    let ran = run_with_input(&["shell"], lists).expect(0);
    for line in ["users  ", "users (host)", "split(", ".read FILE", "pager     none: this is not a terminal"] {
        assert!(ran.out.lines().any(|shown| shown.starts_with(line)), "{line}: {}", ran.out);
    }
    assert!(!ran.out.contains('{'), "{}", ran.out);
    let ran = run_with_input(&["shell"], &format!(".mode json\n{}", lists.lines().next().expect("a line"))).expect(0);
    let listed = ran.json();
    let names: Vec<&str> = listed.as_array().expect("a list").iter().map(name_of).collect();
    // The table of that name comes first, then those with the word in their name, then the others.
    assert_eq!(names[..2], ["users", "logged_in_users"], "{names:?}");
    let ran = run_with_input(&["shell", "--json"], ".functions read_csv").expect(0);
    assert_eq!(ran.json()[0]["signature"], "read_csv(path [, delimiter])");
    assert!(run(&["functions"]).expect(0).out.lines().any(|line| line.starts_with("read_parquet(path)")));
}

#[test]
fn the_report_of_a_capture_is_for_programs_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("captured");
    let out = out.to_str().expect("UTF-8");
    let ran = run(&["capture", "--out", out, "time", "--csv"]).expect(0);
    assert!(ran.out.starts_with("table,rows,added,modified,ended,time_ms,warnings\ntime,1,1,0,0,"), "{}", ran.out);
    let ran = run(&["capture", "--parquet", "--out", &format!("{out}-files"), "time", "--csv"]).expect(0);
    assert!(ran.out.starts_with("table,rows,bytes,time_ms,warnings,file\ntime,1,"), "{}", ran.out);
}

#[test]
fn tables_are_listed_and_described() {
    let tables = run(&["tables", "--format", "json"]).expect(0).json();
    let tables = tables.as_array().expect("an array");
    let processes = tables.iter().find(|table| table["name"] == "processes").expect("a table");
    assert_eq!(processes["environment"], "host");
    let pid = processes["columns"].as_array().expect("columns").iter().find(|column| column["name"] == "pid");
    let pid = pid.expect("a column");
    assert_eq!((&pid["type"], &pid["key"], &pid["hidden"]), (&"BIGINT".into(), &"index".into(), &false.into()));
    assert!(pid["description"].as_str().is_some_and(|text| !text.is_empty()) && pid["needs"].is_array());
    assert!(processes["examples"][0]["sql"].is_string() && processes["description"].is_string());
    let described = run(&["tables", "processes", "--format", "table"]).expect(0).out;
    assert!(described.contains("pid") && described.contains("BIGINT"), "{described}");
    let wrong = run(&["tables", "proceses"]).expect(2);
    assert!(wrong.err.contains("did you mean `processes`?"), "{}", wrong.err);
    assert!(run(&["tables", "--format", "csv"]).expect(0).out.starts_with("name,environment,columns,description\n"));
    let functions = run(&["functions", "--format", "json"]).expect(0).json();
    assert!(functions.as_array().expect("an array").iter().any(|function| function["name"] == "split"));
}

#[test]
fn real_rows_of_this_machine() {
    let own = std::process::id();
    let rows = run(&["query", &format!("SELECT pid, name FROM processes WHERE pid = {own}")]).expect(0).json();
    assert_eq!(rows.as_array().expect("an array").len(), 1);
    assert_eq!(rows[0]["pid"], own);
    // Columns are in the query's order, including duplicates.
    let text = run(&["query", "--format", "ndjson", "SELECT 2 AS b, 1 AS a, 3 AS b"]).expect(0).out;
    assert_eq!(text, "{\"b\":2,\"a\":1,\"b:1\":3}\n");
}

/// Runs a line of shell with `$indago` as the program, and returns its exit code.
fn shell_code(line: &str) -> Option<i32> {
    let program = PathBuf::from(indago().get_program());
    let script = format!("indago='{}'; {line}", program.display());
    Command::new("bash")
        .args(["-o", "pipefail", "-c", &script])
        .stdin(Stdio::null())
        .status()
        .expect("bash runs")
        .code()
}

#[test]
fn what_cannot_be_written_is_a_failure_only_for_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = folder.path().join("some.conf");
    let queries = r#"{"queries": {"a": {"query": "SELECT 1"}, "w": {"query": "SELECT 2", "platform": "windows"}}}"#;
    std::fs::write(&pack, queries).expect("written");
    let pack = pack.display();
    for (line, code) in [
        // Standard error cannot be written.
        ("$indago query -f nope.sql 2>/dev/full", 2),
        ("$indago query 'SELECT nope' 2>/dev/full", 1),
        ("$indago query --stats --rewritten 'SELECT \"a\" AS b' >/dev/null 2>/dev/full", 0),
        ("$indago demo --format json >/dev/null 2>/dev/full", 0),
        ("INDAGO_LOG=debug $indago query 'SELECT 1' >/dev/null 2>/dev/full", 0),
        ("INDAGO_LOG=== $indago query 'SELECT 1' >/dev/null 2>/dev/full", 0),
        ("printf '.show\n.help\n.help .read\n.mode\n.version\n.timer\n' | $indago shell 2>/dev/full", 0),
        (&format!("$indago pack run {pack} --rows --format json 2>/dev/full | head -1 >/dev/null"), 0),
        // Standard output cannot be written.
        ("$indago query 'SELECT 1' >/dev/full 2>/dev/null", 1),
        ("$indago query 'SELECT 1' >&- 2>/dev/null", 1),
        ("$indago tables >&- 2>/dev/null", 1),
        ("$indago --version >/dev/full 2>/dev/null", 1),
        ("$indago --help >&- 2>/dev/null", 1),
        ("$indago --version | true", 0),
        ("$indago query 'SELECT 1' >/dev/null", 0),
        ("$indago query 'SELECT 1' 1<>/dev/null", 0),
    ] {
        assert_eq!(shell_code(line), Some(code), "{line}");
    }
}

/// Returns rows, and then fails.
const BREAKS: &str = "SELECT value, abs(-9223372036854775808 + (value < 200000)) AS a FROM generate_series(1, 200000)";

#[test]
fn output_is_ended_where_rows_end_in_an_error() {
    let ran = run(&["query", "--format", "json", BREAKS]).expect(1);
    assert!(ran.err.starts_with("error["), "{}", ran.err);
    assert!(!ran.json().as_array().expect("an array").is_empty());
    let script = format!(".mode json\n{BREAKS};\n.mode csv\nSELECT 1 AS a;\n");
    let ran = run_with_input(&["shell"], &script).expect(1);
    assert!(ran.out.ends_with("}\n]\na\n1\n"), "{}", &ran.out[ran.out.len().saturating_sub(200)..]);
}

#[test]
fn errors_are_placed_in_the_whole_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("some.sql");
    let sql = "-- one\nSELECT 1 AS a;\n\n-- two\nSELECT 2,\n  nope\nFROM time;\n";
    std::fs::write(&file, sql).expect("written");
    let path = file.to_str().expect("UTF-8");
    let in_file = format!("{path}:6:3");
    for (ran, place) in [
        (run(&["query", "-f", path]), in_file.as_str()),
        (run_with_input(&["query"], sql), "<stdin>:6:3"),
        (run_with_input(&["query", "-"], sql), "<stdin>:6:3"),
        (run_with_input(&["shell"], sql), "<stdin>:6:3"),
        (run_with_input(&["shell"], &format!(".read {path}\n")), in_file.as_str()),
        (run(&["query", sql]), "6:3"),
    ] {
        let ran = ran.expect(1);
        assert!(ran.err.contains(&format!("--> {place}\n")) && ran.err.contains("6 |   nope"), "{place}: {}", ran.err);
    }
    // Errors without a place in the SQL, and of commands.
    let ran = run_with_input(&["shell"], "\n\nSELECT 1;\n\n.tabels\n").expect(1);
    assert!(ran.err.contains("error: <stdin>:5: no command `.tabels`; did you mean `.tables`?"), "{}", ran.err);
    let ran = run_with_input(&["shell"], &format!("\n.read {path}.none\n")).expect(1);
    assert!(ran.err.contains("error: <stdin>:2: cannot read "), "{}", ran.err);
    // Queries of a pack.
    std::fs::write(folder.path().join("pack.toml"), "").expect("written");
    std::fs::write(&file, "-- about: x\n\nSELECT 2,\n  nope\nFROM time\n").expect("written");
    let pack = folder.path().to_str().expect("UTF-8");
    let ran = run(&["pack", "run", pack, "--json"]).expect(1);
    let message = ran.json()[0]["message"].as_str().expect("a message").to_owned();
    assert!(message.starts_with(&format!("{path}:4:3: unknown_column: no column `nope`")), "{message}");
    let ran = run(&["pack", "run", pack, "--rows"]).expect(1);
    assert!(ran.err.contains(&format!("--> {path}:4:3\n")), "{}", ran.err);
    assert_eq!(run(&["query", "--format", "csv", "-- about: x\nSELECT 1 AS a"]).expect(0).out, "a\n1\n");
    assert!(run(&["query", "--formt", "csv", "SELECT 1"]).expect(2).err.contains("--formt"));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = indago()
        .args(["query", "--format", "ndjson", "SELECT value FROM generate_series(1, 5000000)"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("indago runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let mut first = String::new();
    lines.read_line(&mut first).expect("a line");
    assert!(first.starts_with('{'), "{first}");
    drop(lines);
    assert_eq!(wait_for(&mut child, Duration::from_secs(20)), Some(0));
    let mut errors = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut errors).expect("read");
    assert_eq!(errors, "");
}

/// Runs longer than any test waits, with little memory.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 100000000000) WHERE value % 7 = 3";

#[test]
fn ctrl_c_cancels_at_once() {
    let mut child =
        indago().args(["query", ENDLESS]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("indago runs");
    std::thread::sleep(Duration::from_millis(700));
    let began = Instant::now();
    signal(&child, "INT");
    let code = wait_for(&mut child, Duration::from_secs(5));
    // The promise is 100 ms; a test machine may be busy.
    assert!(began.elapsed() < Duration::from_millis(600), "{:?}", began.elapsed());
    assert_eq!(code, Some(130));
}

#[test]
fn a_timeout_fails_the_query() {
    let began = Instant::now();
    let ran = run(&["query", "--timeout", "300ms", ENDLESS]).expect(1);
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(ran.err.starts_with("error[timeout]"), "{}", ran.err);
}

#[test]
fn strict_fails_when_something_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nothing listens on port 1.
    let kubeconfig = r#"
apiVersion: v1
kind: Config
current-context: gone
contexts: [{name: gone, context: {cluster: gone, user: nobody}}]
clusters: [{name: gone, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: nobody, user: {}}]
"#;
    std::fs::write(folder.path().join("kubeconfig"), kubeconfig).expect("written");
    let file = folder.path().join("indago.toml");
    std::fs::write(&file, "[kubernetes]\nkubeconfig = \"kubeconfig\"\n[limits]\nretries = 0\n").expect("written");
    let path = file.to_str().expect("UTF-8");
    let sql = "SELECT name FROM kubernetes_namespaces";
    let lenient = run(&["query", "--config", path, sql]).expect(0);
    assert_eq!(lenient.out, "[]\n");
    assert!(lenient.err.starts_with("warning: kubernetes_namespaces"), "{}", lenient.err);
    let strict = run(&["query", "--config", path, "--strict", sql]).expect(3);
    assert!(strict.err.contains("error[incomplete]"), "{}", strict.err);
}

#[test]
fn captured_tables_answer_the_same_queries() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    let store = store.to_str().expect("UTF-8");
    let sql = "SELECT uid, username FROM users ORDER BY uid, username";
    let live = run(&["query", sql]).expect(0).out;
    for kind in [&[][..], &["--parquet"]] {
        let store = format!("{store}{}", kind.len());
        let capture = |out: &str, tables: &[&str]| run(&[&["capture", "--out", out], kind, tables].concat());
        let captured = capture(&store, &["users", "uptime"]).expect(0).json();
        assert_eq!((&captured[0]["table"], &captured[1]["table"]), (&"users".into(), &"uptime".into()));
        assert_eq!(run(&["query", "--store", &store, "--strict", sql]).expect(0).out, live);
        let unknown = capture(&format!("{store}-2"), &["nothing"]).expect(2);
        assert!(unknown.err.contains("no table `nothing` to capture"), "{}", unknown.err);
        assert!(capture(&format!("{store}-2"), &["yara"]).expect(2).err.contains("needs constraints"));
        capture(&format!("{store}-2"), &["file"]).expect(0);
        let times = run(&["query", "--store", &store, "SELECT DISTINCT captured_at FROM users"]).expect(0).json();
        assert!(times[0]["captured_at"].as_str().is_some_and(|time| time.starts_with("20")), "{times}");
        assert!(
            run(&["query", "--store", &store, "SELECT * FROM users LIMIT 1"]).expect(0).json()[0]["captured_at"]
                .is_null()
        );
        let differs = run(&["diff", &store, "now", "--table", "users"]).expect(0);
        assert_eq!(differs.out.trim(), "[]", "{}", differs.err);
        // A keyed table has the keys that other tables mention, and needs none.
        let files = run(&["query", "--store", &format!("{store}-2"), "SELECT count(*) AS n FROM file"]).expect(0);
        assert!(files.json()[0]["n"].as_i64().is_some_and(|rows| rows > 0) && !files.err.is_empty(), "{}", files.err);
        let other = "SELECT size FROM file WHERE path = '/etc/no such file'";
        let other = run(&["query", "--store", &format!("{store}-2"), "--strict", other]).expect(3);
        assert!(other.err.contains("/etc/no such file"), "{}", other.err);
    }
    // Another capture is another reading, except into a directory of files.
    let again = run(&["capture", "--out", &format!("{store}0"), "users"]).expect(0).json();
    assert_eq!((&again[0]["added"], &again[0]["ended"]), (&0.into(), &0.into()), "{again}");
    let readings = "SELECT count(*) AS n FROM coverage WHERE table_name = 'users'";
    assert_eq!(run(&["query", "--store", &format!("{store}0"), readings]).expect(0).json()[0]["n"], 2);
    for kind in [&[][..], &["--parquet"]] {
        let refused = run(&[&["capture", "--out", &format!("{store}1"), "time"], kind].concat()).expect(1);
        assert!(refused.err.contains("use another directory"), "{}", refused.err);
    }
    let refused = run(&["capture", "--out", &format!("{store}0"), "--parquet", "time"]).expect(2);
    assert!(refused.err.contains("leave it out"), "{}", refused.err);
    // Files become recorded tables, with the time that they have.
    let recorded = folder.path().join("recorded");
    let recorded = recorded.to_str().expect("UTF-8");
    let files = format!("{store}1");
    run(&["capture", "--store", &files, "--out", recorded]).expect(0);
    let time = "SELECT DISTINCT captured_at FROM users";
    let time = |store: &str| run(&["query", "--store", store, time]).expect(0).out;
    assert_eq!(time(recorded), time(&files));
    assert_eq!(run(&["query", "--store", recorded, sql]).expect(0).out, live);
    let copy = run(&["capture", "--store", recorded, "--out", &format!("{recorded}-2")]).expect(2);
    assert!(copy.err.contains("copy the directory"), "{}", copy.err);
}

/// A file is read as a table only if it has all of the table's rows. Its metadata names the query that it has the rows
/// of.
#[test]
fn a_file_with_the_rows_of_a_query_is_not_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().to_str().expect("UTF-8");
    let file = folder.path().join("users.parquet");
    let save = |sql: &str| run(&["query", sql, "--parquet", file.to_str().expect("UTF-8")]).expect(0);
    let asked = "SELECT count(*) AS n FROM users";
    for sql in [
        "SELECT * FROM users",
        "SELECT * FROM (SELECT * FROM users) ORDER BY uid",
        "WITH all_users AS (SELECT * FROM users WHERE 1) SELECT * FROM all_users",
        "SELECT username, uid FROM users",
    ] {
        save(sql);
        let told = run(&["query", "--strict", "--store", store, asked]).expect(0);
        assert_eq!(
            (told.out.as_str(), told.err.as_str()),
            (run(&["query", asked]).expect(0).out.as_str(), ""),
            "{sql}"
        );
    }
    // Columns that the query left out are not NULL: they are not there.
    assert!(run(&["query", "--store", store, "SELECT shell FROM users"]).expect(1).err.contains("no column `shell`"));
    for sql in [
        "SELECT * FROM users WHERE uid = 0",
        "SELECT * FROM users WHERE username LIKE 'r%'",
        "SELECT * FROM users LIMIT 1",
        "SELECT * FROM users ORDER BY uid LIMIT 1",
        "SELECT DISTINCT * FROM users",
        "SELECT uid AS gid, gid AS uid FROM users",
        "SELECT uid + 0 AS uid FROM users",
        "SELECT u.* FROM users u JOIN groups g ON g.gid = u.gid",
        "SELECT count(*) AS uid FROM users",
        "SELECT * FROM users UNION ALL SELECT * FROM users",
        "SELECT * FROM groups",
    ] {
        save(sql);
        let told = run(&["query", "--store", store, asked]).expect(0);
        assert!(told.err.contains(&format!("its file has the rows of `{sql}`")), "{sql}: {}", told.err);
        run(&["query", "--strict", "--store", store, asked]).expect(3);
    }
    // A file with another name is just the result of a query.
    let own = folder.path().join("administrators.parquet");
    let sql = "SELECT * FROM users WHERE uid = 0";
    run(&["query", sql, "--parquet", own.to_str().expect("UTF-8")]).expect(0);
    run(&["query", "--strict", "--store", store, "SELECT username FROM administrators"]).expect(0);
    // Rows of a store are as old as their capture.
    save("SELECT * FROM users");
    let again = tempfile::tempdir().expect("a folder");
    let copy = again.path().join("users.parquet");
    let copied = ["query", "--store", store, "SELECT * FROM users", "--parquet", copy.to_str().expect("UTF-8")];
    run(&copied).expect(0);
    let captured_at = |folder: &std::path::Path| {
        let tables = indago::store::Store::open(folder, &[]).expect("it opens").into_tables();
        let users = tables.into_iter().find(|table| table.spec().name == "users").expect("a table");
        users.spec().captured_at.clone().expect("a moment").into_owned()
    };
    assert_eq!(captured_at(folder.path()), captured_at(again.path()));
}

#[test]
fn files_of_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rows.parquet");
    let path = file.to_str().expect("UTF-8");
    assert_eq!(run(&["query", "SELECT 1 AS a", "--parquet", path]).expect(0).out, "");
    assert_eq!(&std::fs::read(&file).expect("written")[..4], b"PAR1");
    let arrow = folder.path().join("rows.arrow");
    run(&["query", "SELECT 1 AS a", "--arrow", arrow.to_str().expect("UTF-8"), "--format", "csv"]).expect(0);
    assert_eq!(&std::fs::read(&arrow).expect("written")[..6], b"ARROW1");
    run(&["query", "SELECT 1; SELECT 2", "--parquet", path]).expect(2);
    let same = run(&["query", "SELECT 1", "--parquet", path, "--arrow", path]).expect(2);
    assert!(same.err.contains("name the same file"), "{}", same.err);
    // Rows before an error are not a complete table.
    let half = folder.path().join("half.parquet");
    run(&["query", BREAKS, "--parquet", half.to_str().expect("UTF-8")]).expect(1);
    assert!(!half.exists());
    // A query that fails leaves no file.
    let none = folder.path().join("none.parquet");
    run(&["query", "SELECT * FROM nothing", "--parquet", none.to_str().expect("UTF-8")]).expect(1);
    assert!(!none.exists());
    assert!(
        run(&["query", "SELECT 1", "--parquet", "/none/rows.parquet"]).expect(1).err.contains("/none/rows.parquet")
    );
}

#[test]
fn the_shell_reads_scripts() {
    let script =
        ".mode ndjson\nSELECT 1 AS a,\n  2 AS b;\n.nonsense\n.mode csv\nSELECT 3 AS c;\n.quit\nSELECT 4 AS d;\n";
    let ran = run_with_input(&["shell"], script).expect(1);
    assert_eq!(ran.out, "{\"a\":1,\"b\":2}\nc\n3\n");
    assert!(ran.err.contains("<stdin>:4: no command `.nonsense`; `.help` lists them"), "{}", ran.err);
    let ran = run_with_input(&["shell"], ".tables proc\n.schema processes\n.functions split\n.help\n").expect(0);
    assert!(ran.out.contains("processes") && ran.out.contains("split"), "{}", ran.out);
    assert!(ran.out.contains(".schema [TABLE]"), "{}", ran.out);
}

#[test]
fn hostile_text_does_not_reach_the_screen() {
    let sql = "SELECT 'a' || char(27) || '[2Jb' AS x, 'c' || char(0x9b) || 'd' AS y";
    for format in ["table", "line", "markdown", "json", "ndjson"] {
        let out = run(&["query", sql, "--format", format]).expect(0).out;
        assert!(!out.contains('\u{1b}') && !out.contains('\u{9b}'), "{format}: {out:?}");
    }
}

#[test]
fn parameters_of_statements() {
    let sql = "SELECT username FROM users WHERE uid = $uid; SELECT $name AS a";
    let ran = run(&["query", "--format", "ndjson", "--param", "uid=0", "--param", "$name=it's = 1", sql]).expect(0);
    assert_eq!(ran.out, "{\"username\":\"root\"}\n{\"a\":\"it's = 1\"}\n");
    let ran = run(&["query", "--param", "udi=0", "SELECT username FROM users WHERE uid = 0"]).expect(2);
    assert!(ran.err.contains("no statement has a parameter `$udi`"), "{}", ran.err);
    let ran = run(&["query", "--param", "a=0", "--param", "a=1", "SELECT $a"]).expect(2);
    assert!(ran.err.contains("two values"), "{}", ran.err);
    let ran = run(&["query", "SELECT username FROM users WHERE uid = $uid"]).expect(1);
    assert!(ran.err.contains("`$uid` has no value") && ran.err.contains("--param uid=VALUE"), "{}", ran.err);
    let script = ".mode ndjson\n.param set $uid 0\n.param set name 'it''s'\nSELECT username FROM users WHERE uid = $uid;\n\
                  SELECT $name AS a;\n.param list\n.param unset uid\nSELECT 1 WHERE 1 = $uid;\n.param unset none\n";
    let ran = run_with_input(&["shell"], script).expect(1);
    assert_eq!(ran.out, "{\"username\":\"root\"}\n{\"a\":\"it's\"}\n$name 'it''s'\n$uid '0'\n");
    for expected in ["`$uid` has no value", "`none` is not set"] {
        assert!(ran.err.contains(expected), "{expected}: {}", ran.err);
    }
}

#[test]
fn local_files_are_read_by_queries_of_people_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("uids.csv");
    std::fs::write(&file, "uid\n0\n").expect("written");
    let sql = format!("SELECT username FROM users JOIN read_csv('{}') i USING (uid)", file.display());
    assert_eq!(run(&["query", "--format", "ndjson", &sql]).expect(0).out, "{\"username\":\"root\"}\n");
    let script = format!(".mode ndjson\n{sql};\n");
    assert_eq!(run_with_input(&["shell"], &script).expect(0).out, "{\"username\":\"root\"}\n");
    let query = folder.path().join("query.sql");
    std::fs::write(&query, format!("-- about: x\n{sql}\n")).expect("written");
    let ran = run(&["pack", "run", query.to_str().expect("UTF-8"), "--format", "ndjson"]).expect(1);
    assert!(ran.out.contains("`read_csv` is not allowed here"), "{}", ran.out);
}

fn name_of(table: &Value) -> &str {
    table["name"].as_str().expect("a name")
}

/// The names of the tables of a finding, without the columns in parentheses.
fn names_in(finding: &Value) -> impl Iterator<Item = &str> {
    let names = finding["names"].as_str().expect("names").split(", ");
    names.map(|name| name.split(' ').next().expect("a name"))
}

/// A view that cannot be planned fails only the queries that read it.
#[test]
fn a_view_that_does_not_plan_stops_no_other_query() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("indago.toml");
    let views = "[views]\ngood = \"SELECT 42 AS answer\"\nbad = \"SELECT nope FROM users\"\nworse = \"SELECT FROM\"\n";
    std::fs::write(&file, views).expect("written");
    let file = file.to_str().expect("UTF-8");
    let ran = run(&["--config", file, "SELECT answer FROM good"]).expect(0);
    assert_eq!(ran.json()[0]["answer"], 42);
    for expected in [format!("warning: {file}: views.bad: view `bad`: no column `nope`"), "views.worse: ".to_owned()] {
        assert!(ran.err.contains(&expected), "{expected}: {}", ran.err);
    }
    let error = run(&["--config", file, "SELECT * FROM bad"]).expect(1).err;
    assert!(error.contains("view `bad`: no column `nope`"), "{error}");
    let error = run(&["--config", file, "SELECT * FROM worse"]).expect(1).err;
    assert!(error.contains("error[parse]: view `worse`: "), "{error}");
}

/// Problems of a host are grouped by the permission that is missing.
#[test]
fn check_groups_what_is_missing_by_its_cause() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("etc")).expect("made");
    std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nnonsense\n").expect("written");
    let settings = folder.path().join("indago.toml");
    let disabled = ["containers", "kubernetes", "aws", "git", "vulnerabilities"];
    let disabled = disabled.map(|name| format!("[{name}]\nenabled = false\n")).concat();
    std::fs::write(&settings, format!("[host]\nroots = [{root:?}]\n{disabled}")).expect("written");
    let settings = settings.to_str().expect("UTF-8");
    let ran = run(&["check", "--config", settings, "--format", "json"]).expect(3);
    let Value::Array(findings) = ran.json() else { panic!("{}", ran.out) };
    let found = |table: &str| {
        let is_named = |finding: &&Value| {
            finding["names"]
                .as_str()
                .is_some_and(|names| names.split(", ").any(|name| name.split(' ').next() == Some(table)))
        };
        findings.iter().find(is_named).unwrap_or_else(|| panic!("{table}: {}", ran.out))
    };
    assert_eq!(found("time")["status"], "ok");
    let users = found("users");
    assert_eq!(users["status"], "malformed");
    assert!(users["reason"].as_str().is_some_and(|reason| reason.contains("/etc/passwd, line 2")), "{users}");
    // A directory of files has no kernel, and one line says so for each kind of data.
    assert_eq!(found("interface_addresses")["status"], "unsupported");
    assert!(found("file")["reason"].as_str().is_some_and(|reason| reason.contains("needs a constraint")));
    let of_host = |finding: &Value| {
        ["host", "engine", "daemon", "indago"].contains(&finding["environment"].as_str().unwrap_or_default())
    };
    assert!(findings.iter().all(of_host), "{}", ran.out);
    // Every table is in the report, and is counted once.
    let tables = run(&["tables", "--config", settings, "--json"]).expect(0).json();
    let tables: BTreeSet<&str> = tables.as_array().expect("a list").iter().map(name_of).collect();
    let reported = findings.iter().flat_map(names_in);
    assert_eq!(reported.collect::<BTreeSet<_>>(), tables);
    for finding in &findings {
        assert_eq!(finding["tables"], names_in(finding).collect::<BTreeSet<_>>().len(), "{finding}");
    }
    assert!(ran.err.contains(&format!("{} tables: ", tables.len())), "{}", ran.err);
}

#[test]
fn root_replaces_the_configured_hosts() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = |name: &str, line: &str| {
        let root = folder.path().join(name);
        std::fs::create_dir_all(root.join("etc")).expect("made");
        std::fs::write(root.join("etc/passwd"), line).expect("written");
        root.display().to_string()
    };
    let (one, other) = (root("one", "ann:x:7:7::/:/bin/sh\n"), root("other", "bob:x:8:8::/:/bin/sh\n"));
    let sql = "SELECT username, host_root FROM users ORDER BY uid";
    let ran = run(&["--root", &format!("{one}/"), "--root", &other, "--format", "ndjson", sql]).expect(0);
    let row = |name: &str, root: &str| format!("{{\"username\":\"{name}\",\"host_root\":\"{root}\"}}\n");
    assert_eq!(ran.out, row("ann", &one) + &row("bob", &other));
    let ran = run(&["query", "--root", &format!("{one}/none"), sql]).expect(2);
    assert!(ran.err.contains("--root") && ran.err.contains("there is no such directory"), "{}", ran.err);
    let ran = run(&["query", "--root", &one, "--root", &one, sql]).expect(2);
    assert!(ran.err.contains("twice"), "{}", ran.err);
}
