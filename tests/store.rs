//! Captures, and stores that read them.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray,
};
use datafusion::parquet::arrow::ArrowWriter;
use indago::store::{Error, Store, capture};
use indago_engine::{Engine, Outcome, QueryOptions};
use indago_table::{Completeness, Sys};
use indago_tables_registry::{Environments, all};
use indago_testkit::fixture::{Host, Proc};

use crate::support::{fixture_host, host_engine, rows};

fn known() -> Vec<indago_table::TableRef> {
    all(&Environments::of(&Sys::at("/nonexistent")))
}

async fn stored(folder: &std::path::Path) -> Engine {
    let store = Store::open(folder, &known()).expect("the store opens");
    Engine::builder().tables(store.into_tables()).build().await.expect("the engine builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_answers_as_the_live_tables_did() {
    let live = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    let folder = tempfile::tempdir().expect("a folder");
    let tables: Vec<String> = ["processes", "users", "groups", "mounts", "file"].map(str::to_owned).into();
    let report = capture(&live, &tables, folder.path()).await.expect("the capture succeeds");
    assert_eq!(report.tables.len(), 5);
    let stored = stored(folder.path()).await;
    for sql in [
        "SELECT * FROM processes",
        "SELECT pid, name FROM processes WHERE pid = 1",
        "SELECT u.username, g.groupname FROM users u JOIN groups g ON g.gid = u.gid",
        "SELECT p.name, u.username FROM processes p LEFT JOIN users u ON u.uid = p.uid",
        "SELECT count(*) FROM mounts",
    ] {
        assert_eq!(rows(&stored, sql).await, rows(&live, sql).await, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_captured_from_a_store_stay_as_old_as_they_are() {
    use std::os::unix::fs::PermissionsExt as _;
    let live = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    let (first, second) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let tables = ["users".to_owned()];
    let written = capture(&live, &tables, first.path()).await.expect("the capture succeeds");
    let mode = fs::metadata(&written.tables[0].path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "rows may contain data that only root may read");
    capture(&stored(first.path()).await, &tables, second.path()).await.expect("the capture succeeds");
    let description = |engine: &Engine| engine.table("users").expect("a table").spec().description.to_string();
    let (before, after) = (description(&stored(first.path()).await), description(&stored(second.path()).await));
    assert!(before.contains("Captured at 2"), "{before}");
    assert_eq!(before, after);
    let captured_at = |engine: &Engine| engine.table("users").expect("a table").spec().captured_at.clone();
    assert_eq!(captured_at(&live), None);
    let moment = captured_at(&self::stored(second.path()).await).expect("it was captured");
    assert!(before.ends_with(&format!("Captured at {moment}.")), "{before}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_a_warning_about_its_table_alone() {
    let live = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    let folder = tempfile::tempdir().expect("a folder");
    capture(&live, &["users".to_owned(), "groups".to_owned()], folder.path()).await.expect("the capture succeeds");
    let damaged = folder.path().join("users.parquet");
    let bytes = fs::read(&damaged).expect("it was written");
    fs::write(&damaged, &bytes[..bytes.len() / 2]).expect("half of the file");
    let stored = stored(folder.path()).await;
    assert!(!rows(&stored, "SELECT groupname FROM groups").await.is_empty());
    let query = stored.query("SELECT username FROM users").await.expect("the columns are those of the live table");
    assert!(query.collect().await.expect("no rows").is_empty());
    let warnings = query.warnings();
    assert_eq!(warnings[0].outcome, Outcome::Malformed);
    assert!(warnings[0].message.contains("users.parquet"), "{}", warnings[0].message);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_is_no_store() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(Store::open(folder.path(), &[]), Err(Error::Empty(_))));
}

/// On a full disk, the capture fails with the file's name, and leaves no partial table.
#[test]
fn a_full_disk_leaves_no_half_table() {
    crate::support::needs_root();
    let binary = std::path::PathBuf::from(crate::cli::indago().get_program());
    let script = format!(
        "set -e; d=$(mktemp -d); mount -t tmpfs -o size=16k none $d; set +e; \
         {} capture --parquet --out $d engine_columns process_envs users groups; echo rc=$?; ls -A $d",
        binary.display()
    );
    let output = Command::new("unshare").args(["-m", "sh", "-c", &script]).output().expect("unshare runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("rc=1"), "{out}\n{err}");
    assert!(err.contains("No space left on device"), "{err}");
    assert!(!out.contains(".partial"), "{out}");
}

/// A query over a store: its number of rows, its warnings, and whether it fails when strict.
async fn told(engine: &Engine, sql: &str) -> (usize, Vec<String>, bool) {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let given = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let strict = QueryOptions { strict: true, ..QueryOptions::default() };
    let strict = engine.query_with(sql, strict).await.expect("it plans").collect().await;
    let told = query.warnings().iter().map(ToString::to_string).collect();
    (given.iter().map(|batch| batch.num_rows()).sum(), told, strict.is_err())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_says_what_was_missing_when_it_was_captured() {
    let root = tempfile::tempdir().expect("a folder");
    fs::create_dir(root.path().join("etc")).expect("made");
    fs::write(root.path().join("etc/group"), "root:x:0:\n").expect("written");
    let tables = all(&Environments::of(&Sys::at(root.path())));
    let live = Engine::builder().tables(tables).build().await.expect("the engine builds");
    let folder = tempfile::tempdir().expect("a folder");
    let report = capture(&live, &["users".to_owned(), "groups".to_owned()], folder.path()).await.expect("captured");
    assert!(!report.tables[0].warnings.is_empty());
    let stored = stored(folder.path()).await;
    for sql in ["SELECT username FROM users", "SELECT groupname FROM groups"] {
        assert_eq!(told(&stored, sql).await, told(&live, sql).await, "{sql}");
    }
    assert!(told(&stored, "SELECT username FROM users").await.2);
    let query = stored.query("SELECT username FROM users").await.expect("it plans");
    query.collect().await.expect("no rows");
    let coverage = query.coverage();
    assert!(coverage.iter().any(|slice| slice.completeness != Completeness::Complete), "{coverage:?}");
    // A capture of the store keeps the warnings.
    let second = tempfile::tempdir().expect("a folder");
    capture(&stored, &["users".to_owned()], second.path()).await.expect("captured");
    let again = self::stored(second.path()).await;
    assert!(told(&again, "SELECT username FROM users").await.2);
}

/// Values that a source could not read are missing only for queries that read its columns.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_warns_of_missing_values_if_a_query_reads_them() {
    let host = Host::new().process(Proc::new(7, "job").exe("/bin/job")).remove("proc/7/status").folder("proc/7/status");
    let tables = all(&Environments::of(&Sys::at(host.root())));
    let live = Engine::builder().tables(tables).build().await.expect("the engine builds");
    let folder = tempfile::tempdir().expect("a folder");
    let report = capture(&live, &["processes".to_owned()], folder.path()).await.expect("captured");
    let lacking: Vec<&str> = report.tables[0].warnings.iter().map(|warning| warning.origin.as_str()).collect();
    assert!(lacking.contains(&"status"), "{lacking:?}");
    let stored = stored(folder.path()).await;
    let (rows, warnings, fails) = told(&stored, "SELECT pid, path FROM processes WHERE pid = 7").await;
    assert_eq!((rows, warnings, fails), (1, Vec::new(), false));
    for sql in ["SELECT pid, uid FROM processes", "SELECT pid FROM processes WHERE uid IS NULL"] {
        let (_, warnings, fails) = told(&stored, sql).await;
        assert!(fails && warnings[0].starts_with("processes (status): "), "{sql}: {warnings:?}");
    }
}

/// A file of `query --parquet` is also a capture.
#[test]
fn a_file_of_a_querys_rows_says_what_is_missing_from_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let (root, rows) = (folder.path().join("root/etc"), folder.path().join("rows"));
    fs::create_dir_all(&root).and_then(|()| fs::create_dir(&rows)).expect("folders");
    fs::write(root.join("passwd"), "root:x:0:0::/root:/bin/sh\nhalf:x\nother\n").expect("written");
    let settings = folder.path().join("indago.toml");
    fs::write(&settings, "[host]\nroots = [\"root\"]\n").expect("written");
    let run = |arguments: &[&str]| {
        let output = crate::cli::indago().arg("--config").arg(&settings).args(arguments).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let file = rows.join("users.parquet");
    let written = run(&["query", "SELECT * FROM users", "--parquet", file.to_str().expect("UTF-8")]);
    assert!(written.0 == Some(0) && written.1.contains("/etc/passwd, lines 2, 3: not an account"), "{written:?}");
    let stored = run(&["query", "--store", rows.to_str().expect("UTF-8"), "--strict", "SELECT username FROM users"]);
    assert!(stored.0 == Some(3) && stored.1.contains("/etc/passwd, lines 2, 3: not an account"), "{stored:?}");
}

/// Hidden key columns are parameters of the live table, so rows for other keys were not captured.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_not_captured_is_not_answered_by_no_rows() {
    let live = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    let folder = tempfile::tempdir().expect("a folder");
    capture(&live, &["users".to_owned(), "processes".to_owned()], folder.path()).await.expect("captured");
    let stored = stored(folder.path()).await;
    for sql in [
        "SELECT username FROM users",
        "SELECT username FROM users WHERE include_remote = 0 AND pid_with_namespace = 0",
        "SELECT pid_with_namespace, include_remote, username FROM users WHERE uid = 0",
        "SELECT p.pid, u.username FROM processes p JOIN users u ON u.uid = p.uid AND u.pid_with_namespace = 0",
    ] {
        let (given, warnings, fails) = told(&stored, sql).await;
        assert!(given > 0 && warnings.is_empty() && !fails, "{sql}: {given} {warnings:?}");
        assert_eq!(rows(&stored, sql).await, rows(&live, sql).await, "{sql}");
    }
    for (sql, expected) in [
        ("SELECT username FROM users WHERE include_remote = 1", "include_remote = '1' was not captured"),
        ("SELECT username FROM users WHERE pid_with_namespace IN (7, 8)", "pid_with_namespace = '7' and 1 more"),
        ("SELECT username FROM users WHERE pid_with_namespace IN (NULL, 7)", "pid_with_namespace = '7'"),
        ("SELECT username FROM users WHERE pid_with_namespace IN (7, NULL)", "pid_with_namespace = '7'"),
        ("SELECT username FROM users WHERE host_root = '/mnt/disk'", "host_root = '/mnt/disk' was not captured"),
    ] {
        let (given, warnings, fails) = told(&stored, sql).await;
        assert!(given == 0 && fails && warnings.iter().any(|told| told.contains(expected)), "{sql}: {warnings:?}");
    }
    let (given, warnings, fails) = told(&stored, "SELECT username FROM users WHERE include_remote IN (0, 1)").await;
    assert!(given > 0 && fails && warnings[0].contains("include_remote = '1' was not captured"), "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_not_captured_is_not_absent() {
    let live = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    let folder = tempfile::tempdir().expect("a folder");
    capture(&live, &["file".to_owned(), "processes".to_owned()], folder.path()).await.expect("captured");
    let stored = stored(folder.path()).await;
    let paths = rows(&stored, "SELECT DISTINCT path FROM processes WHERE path <> ''").await;
    assert!(!paths.is_empty());
    let (_, warnings, fails) =
        told(&stored, "SELECT p.pid, f.size FROM processes p JOIN file f ON f.path = p.path").await;
    assert!(warnings.is_empty() && !fails, "{warnings:?}");
    let sql = "SELECT size FROM file WHERE path = '/etc/passwd'";
    let (given, warnings, fails) = told(&stored, sql).await;
    assert!(given == 0 && fails && warnings[0].contains("path = '/etc/passwd' was not captured"), "{warnings:?}");
    let sql = "SELECT size FROM file WHERE path IN ('/etc/passwd', '/etc/shadow', (SELECT max(path) FROM processes))";
    assert!(told(&stored, sql).await.2);
    let (given, warnings, fails) = told(&stored, "SELECT * FROM file").await;
    assert!(fails && warnings[0].contains("were captured"), "{given} {warnings:?}");
}

/// Without a key, a live table of users' files has those of the caller only.
#[test]
fn the_files_of_all_users_are_captured() {
    crate::support::needs_root();
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for user in ["root", "ada", "bob"] {
        fs::create_dir(at(user)).expect("a folder");
    }
    fs::write(at("root/.bash_history"), "as root\n").expect("a file");
    fs::write(at("ada/.bash_history"), "as ada\n").expect("a file");
    let entry = |name: &str, uid: u32| format!("{name}:x:{uid}:{uid}::{}:/bin/bash\n", at(name).display());
    fs::write(at("passwd"), [entry("root", 0), entry("ada", 1000), entry("bob", 1001)].concat()).expect("a file");
    let run = |arguments: &[&str]| {
        let script = "mount --bind passwd /etc/passwd && exec \"$@\"";
        let mut command = std::process::Command::new("unshare");
        command.args(["-m", "--propagation", "private", "bash", "-c", script, "-"]).current_dir(folder.path());
        command.arg(crate::cli::indago().get_program()).args(arguments).env_remove("INDAGO_CONFIG");
        let output = command.output().expect("unshare runs");
        assert!(output.status.success() || arguments[0] == "diff", "{}", String::from_utf8_lossy(&output.stderr));
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"))
    };
    let [_, told] = run(&["capture", "--parquet", "--out", "taken", "shell_history", "python_packages"]);
    assert!(!told.contains("current user"), "{told}");
    let ask = |sql: &str| run(&["query", "--store", "taken", "--format", "csv", sql]);
    let all = ask("SELECT uid, command FROM shell_history ORDER BY uid");
    assert_eq!(all, ["uid,command\n0,as root\n1000,as ada\n", ""].map(str::to_owned));
    // A user without a history was captured, an unknown one was not.
    assert_eq!(ask("SELECT command FROM shell_history WHERE uid IN (1000, 1001)")[1], "");
    let [rows, told] = ask("SELECT uid FROM shell_history WHERE uid = 4242");
    assert!(rows == "uid\n" && told.contains("uid = '4242' was not captured"), "{rows}{told}");
    let [compared, told] = run(&["diff", "--table", "shell_history", "taken", "now"]);
    assert!(compared == "[]\n" && !told.contains("current user"), "{compared}{told}");
    fs::write(at("ada/.bash_history"), "as ada\nmore\n").expect("a file");
    let [compared, told] = run(&["diff", "--table", "shell_history", "--format", "csv", "taken", "now"]);
    let [_, row] = compared.lines().collect::<Vec<_>>()[..] else { panic!("{compared}{told}") };
    assert!(row.starts_with("added,,1000,") && row.contains(",more,"), "{compared}{told}");
    // Recorded tables have them, too.
    let [_, told] = run(&["capture", "--out", "recorded", "shell_history"]);
    assert!(!told.contains("current user"), "{told}");
    let sql = "SELECT uid, command FROM shell_history ORDER BY uid, command";
    let [rows, told] = run(&["query", "--store", "recorded", "--format", "csv", sql]);
    assert!(rows == "uid,command\n0,as root\n1000,as ada\n1000,more\n" && told.is_empty(), "{rows}{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_holds_one_capture() {
    let live = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    let folder = tempfile::tempdir().expect("a folder");
    let tables = ["users".to_owned(), "groups".to_owned(), "users".to_owned()];
    let report = capture(&live, &tables, folder.path()).await.expect("the capture succeeds");
    assert_eq!(report.tables.len(), 2);
    let moments: std::collections::BTreeSet<String> = ["users", "groups"]
        .map(|table| {
            let stored = Store::open(folder.path(), &known()).expect("it opens").into_tables();
            let table = stored.iter().find(|other| other.spec().name == table).expect("a table");
            table.spec().description.lines().last().unwrap_or_default().to_owned()
        })
        .into();
    assert_eq!(moments.len(), 1, "{moments:?}");
    let before = fs::read(folder.path().join("users.parquet")).expect("it is there");
    let second = capture(&live, &["mounts".to_owned()], folder.path()).await;
    assert!(matches!(second, Err(Error::NotEmpty(_))), "{second:?}");
    assert_eq!(fs::read(folder.path().join("users.parquet")).expect("it is there"), before);
    let names: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    // A capture that fails leaves nothing. One that was interrupted is reported by name.
    let other = tempfile::tempdir().expect("a folder");
    let keyed = capture(&live, &["users".to_owned(), "curl".to_owned()], other.path()).await;
    assert!(keyed.is_err() && fs::read_dir(other.path()).expect("a folder").next().is_none());
    fs::create_dir(other.path().join(".capture.partial")).expect("made");
    let stopped = capture(&live, &["users".to_owned()], other.path()).await;
    assert!(matches!(stopped, Err(Error::Unfinished(_))), "{stopped:?}");
}

/// A Parquet file with one column, `at`.
fn write_times(folder: &std::path::Path, table: &str, array: ArrayRef) {
    let batch = RecordBatch::try_from_iter([("at", array)]).expect("a batch");
    let file = fs::File::create(folder.join(format!("{table}.parquet"))).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_is_the_same_in_every_zone_and_unit() {
    let folder = tempfile::tempdir().expect("a folder");
    // 2024-01-01T00:00:00Z, and the value that other programs write for the end of time.
    let (moment, end) = (1_704_067_200_i64, 253_402_300_799_i64);
    let zones = [None, Some("UTC"), Some("Europe/Berlin"), Some("+05:30"), Some("America/New_York")];
    let mut tables = Vec::new();
    for (position, zone) in zones.into_iter().enumerate() {
        let mut write = |unit: &str, array: ArrayRef| {
            let table = format!("t_{unit}_{position}");
            write_times(folder.path(), &table, array);
            tables.push(table);
        };
        let zone = zone.map(std::sync::Arc::<str>::from);
        let times = |scale: i64| vec![Some(moment * scale), Some(end * scale), None];
        write("ms", Arc::new(TimestampMillisecondArray::from(times(1000)).with_timezone_opt(zone.clone())));
        write("us", Arc::new(TimestampMicrosecondArray::from(times(1_000_000)).with_timezone_opt(zone.clone())));
        let times = vec![Some(moment * 1_000_000_000), Some(i64::MAX), None];
        write("ns", Arc::new(TimestampNanosecondArray::from(times).with_timezone_opt(zone)));
    }
    let stored = stored(folder.path()).await;
    for table in tables {
        for (condition, count) in [
            ("at = TIMESTAMP '2024-01-01T00:00:00Z'", "1"),
            ("at = '2024-01-01T00:00:00Z'", "1"),
            ("at > TIMESTAMP '2024-01-01T00:00:00Z'", "1"),
            ("at < TIMESTAMP '2024-01-01T00:00:00Z'", "0"),
            ("at <= TIMESTAMP '2024-01-01 00:00:00'", "1"),
            ("at IS NULL", "1"),
            ("unixepoch(at) = 1704067200", "1"),
        ] {
            let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
            assert_eq!(rows(&stored, &sql).await, [[count]], "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_and_odd_files_cost_nobody_else_anything() {
    let live = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    let captured = tempfile::tempdir().expect("a folder");
    capture(&live, &["users".to_owned(), "groups".to_owned()], captured.path()).await.expect("captured");
    let whole = fs::read(captured.path().join("users.parquet")).expect("it is there");
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(captured.path().join("groups.parquet"), folder.path().join("groups.parquet")).expect("copied");
    let made = Command::new("mkfifo").arg(folder.path().join("processes.parquet")).status().expect("mkfifo runs");
    assert!(made.success());
    fs::create_dir(folder.path().join("mounts.parquet")).expect("made");
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("uptime.parquet")).expect("a link");
    let mut seed = 7_u64;
    for turn in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..1 + turn % 3 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Most errors are possible near the end of the file.
            let length = bytes.len();
            let from = if turn % 2 == 0 { 0 } else { length.saturating_sub(3000) };
            let at = from + (seed >> 33) as usize % (length - from);
            bytes[at] ^= (seed >> 20) as u8 | 1;
        }
        fs::write(folder.path().join("users.parquet"), bytes).expect("written");
        let stored = stored(folder.path()).await;
        // It must not panic.
        if let Ok(query) = stored.query("SELECT * FROM users").await {
            let _ = query.collect().await;
        }
        if turn == 0 {
            for (table, why) in [("processes", "FIFO"), ("mounts", "directory"), ("uptime", "not a regular file")] {
                let (given, warnings, fails) = told(&stored, &format!("SELECT * FROM {table}")).await;
                assert!(given == 0 && fails && warnings[0].contains(why), "{table}: {warnings:?}");
            }
        }
        if turn % 100 == 0 {
            assert!(!rows(&stored, "SELECT groupname FROM groups").await.is_empty());
        }
    }
}

/// NaN is greater than any number, as in PostgreSQL. Statistics of row groups exclude it, so no row group with a NaN
/// may be skipped by them.
#[tokio::test(flavor = "multi_thread")]
async fn rows_with_nan_are_not_skipped() {
    let folder = tempfile::tempdir().expect("a folder");
    let batch = |n: Vec<i64>, x: Vec<f64>| {
        let columns: Vec<(&str, ArrayRef)> =
            vec![("n", Arc::new(Int64Array::from(n))), ("x", Arc::new(Float64Array::from(x)))];
        RecordBatch::try_from_iter(columns).expect("a batch")
    };
    let first = batch(vec![1, 2], vec![0.5, f64::NAN]);
    let file = fs::File::create(folder.path().join("numbers.parquet")).expect("a file");
    let mut writer = ArrowWriter::try_new(file, first.schema(), None).expect("a writer");
    for group in [first, batch(vec![3], vec![f64::NAN]), batch(vec![4, 5], vec![2.0, 0.1])] {
        writer.write(&group).expect("rows");
        writer.flush().expect("a row group");
    }
    writer.close().expect("the file is written");
    let engine = stored(folder.path()).await;
    for (condition, expected) in [
        ("x > 1", "2 3 4"),
        ("NOT x > 1", "1 5"),
        ("x <> 0.5", "2 3 4 5"),
        ("x >= 0.1", "1 2 3 4 5"),
        ("x BETWEEN 0 AND 1", "1 5"),
        ("x = 2", "4"),
    ] {
        let sql = format!("SELECT n FROM numbers WHERE {condition} ORDER BY n");
        assert_eq!(rows(&engine, &sql).await.concat().join(" "), expected, "{sql}");
    }
}
