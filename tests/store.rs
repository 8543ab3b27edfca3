//! Captured tables, read back.

use std::fs;
use std::process::Command;

use indago::store::{Error, Store, capture};
use indago_engine::{Engine, Outcome};
use indago_table::Sys;
use indago_tables_registry::{Environments, all};

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
    assert_eq!(mode & 0o777, 0o600, "rows may hold what only root may read");
    capture(&stored(first.path()).await, &tables, second.path()).await.expect("the capture succeeds");
    let description = |engine: &Engine| engine.table("users").expect("a table").spec().description.to_string();
    let (before, after) = (description(&stored(first.path()).await), description(&stored(second.path()).await));
    assert!(before.contains("Captured at 2"), "{before}");
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_a_warning_about_its_table_alone() {
    let live = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    let folder = tempfile::tempdir().expect("a folder");
    capture(&live, &["users".to_owned(), "groups".to_owned()], folder.path()).await.expect("the capture succeeds");
    let damaged = folder.path().join("users.parquet");
    let bytes = fs::read(&damaged).expect("it was written");
    fs::write(&damaged, &bytes[..bytes.len() / 2]).expect("half of it");
    let stored = stored(folder.path()).await;
    assert!(!rows(&stored, "SELECT groupname FROM groups").await.is_empty());
    let query = stored.query("SELECT username FROM users").await.expect("the live table says the columns");
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

/// A full disk: the capture fails with the file's name, and leaves no half table.
#[test]
fn a_full_disk_leaves_no_half_table() {
    let binary = std::path::PathBuf::from(crate::cli::indago().get_program());
    let script = format!(
        "set -e; d=$(mktemp -d); mount -t tmpfs -o size=16k none $d; set +e; \
         {} capture --out $d engine_columns process_envs users groups; echo rc=$?; ls -A $d",
        binary.display()
    );
    let output = Command::new("unshare").args(["-m", "sh", "-c", &script]).output().expect("unshare runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("rc=1"), "{out}\n{err}");
    assert!(err.contains("No space left on device"), "{err}");
    assert!(!out.contains(".partial"), "{out}");
}
