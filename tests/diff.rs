//! Several captures next to each other: stores as schemas, the time of a capture in SQL, `indago diff`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use indago::capture;
use indago::store::{Difference, Error, Store, diff, tables_of};
use indago_engine::{Engine, EngineBuilder, Limits};
use indago_table::prelude::*;
use indago_table::{Completeness, Outcome, TableRef, Warning};

use crate::support::{fixture_host, host_engine, rows, texts};

/// Things in two zones, of which one may be unreachable.
#[derive(Debug, Default, Table)]
#[table(name = "things", env = Zones, parts, identity(zone, id))]
struct Thing {
    /// The zone.
    #[column(index, slice)]
    zone: String,
    /// The number.
    id: i64,
    /// The name.
    name: Option<String>,
    /// A counter.
    #[column(volatile)]
    used: i64,
}

#[derive(Debug, Clone)]
struct Zones {
    rows: &'static [(&'static str, i64, &'static str)],
    used: i64,
    unreachable: &'static str,
}

impl Environment for Zones {
    const NAME: &'static str = "zones";
}

#[derive(Debug, Clone)]
struct Zone(&'static str);

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl indago_table::Part for Zone {
    fn known(&self, column: &str) -> Option<String> {
        (column == "zone").then(|| self.0.to_owned())
    }
}

impl RowParts for Thing {
    type Part = Zone;

    fn parts(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Zone>> {
        Ok([Zone("east"), Zone("west")].into_iter())
    }

    fn rows(scan: &Scan<Self>, part: Zone) -> Result<impl Iterator<Item = Self>> {
        let Zones { rows, used, unreachable } = scan.env().clone();
        if part.0 == unreachable {
            return Err(indago_table::Error::Unavailable("no response".to_owned()));
        }
        let own = rows.iter().filter(move |(zone, ..)| *zone == part.0);
        Ok(own.map(move |(zone, id, name)| Thing {
            zone: (*zone).to_owned(),
            id: *id,
            name: Some((*name).to_owned()),
            used,
        }))
    }
}

const BEFORE: &[(&str, i64, &str)] = &[("east", 1, "a"), ("east", 2, "b"), ("west", 1, "c"), ("west", 2, "d")];
const AFTER: &[(&str, i64, &str)] = &[("east", 1, "a"), ("east", 3, "e"), ("west", 1, "z"), ("west", 2, "d")];

fn things(rows: &'static [(&'static str, i64, &'static str)], used: i64, unreachable: &'static str) -> EngineBuilder {
    Engine::builder().table(Thing::table(&Zones { rows, used, unreachable }))
}

async fn built(builder: EngineBuilder) -> Engine {
    builder.build().await.expect("it builds")
}

/// The engine over a capture of all tables of another.
async fn captured(live: EngineBuilder, folder: &Path) -> Engine {
    let live = built(live).await;
    capture(&live, &[], folder).await.expect("captured");
    let store = Store::open(folder, &live.tables()).expect("it opens");
    built(Engine::builder().tables(store.into_tables())).await
}

async fn things_differ(before: &Engine, after: &Engine) -> Difference {
    diff(before, after, "things", true).await.expect("compared")
}

fn counts(difference: &Difference) -> [u64; 4] {
    [difference.added, difference.removed, difference.changed, difference.unread]
}

fn shown(difference: &Difference) -> Vec<String> {
    let rows = texts(difference.rows.as_slice());
    rows.into_iter().map(|row| row.join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_compared_by_their_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = captured(things(BEFORE, 1, ""), &folder.path().join("a")).await;
    let after = captured(things(AFTER, 2, ""), &folder.path().join("b")).await;
    let found = things_differ(&before, &after).await;
    assert_eq!((counts(&found), found.key.as_slice()), ([1, 1, 1, 0], ["zone".to_owned(), "id".to_owned()].as_slice()));
    assert_eq!((found.before, found.after, found.is_incomplete()), (4, 4, false));
    let expected = ["removed NULL east 2 b", "added NULL east 3 e", "before name west 1 c", "after name west 1 z"];
    assert_eq!(shown(&found), expected);
    assert!(!things_differ(&before, &before).await.differs());
    // A capture with now.
    let now = built(things(AFTER, 3, "")).await;
    assert_eq!(counts(&things_differ(&before, &now).await), [1, 1, 1, 0]);
    assert!(!things_differ(&after, &now).await.differs());
    assert_eq!(tables_of([&before]).into_iter().collect::<Vec<_>>(), ["things"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_slice_that_was_not_read_are_not_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = captured(things(BEFORE, 1, ""), &folder.path().join("a")).await;
    let after = captured(things(AFTER, 1, "west"), &folder.path().join("b")).await;
    let found = things_differ(&before, &after).await;
    assert_eq!((counts(&found), found.is_incomplete()), ([1, 1, 0, 2], true));
    assert!(found.warnings.iter().any(|warning| warning.message.contains("no response")), "{:?}", found.warnings);
    // Nor are they added, the other way round and in a live table.
    assert_eq!(counts(&things_differ(&after, &before).await), [1, 1, 0, 2]);
    let now = built(things(AFTER, 1, "east")).await;
    assert_eq!(counts(&things_differ(&before, &now).await), [0, 0, 1, 2]);
    // A capture of an earlier version does not say which rows a slice has: any row may be one of them.
    let coverage = {
        let query = after.query("SELECT * FROM things").await.expect("it plans");
        query.collect().await.expect("it runs");
        query.coverage()
    };
    let west = coverage.iter().find(|slice| slice.completeness == Completeness::Failed).expect("west");
    assert_eq!(west.known.get("zone").map(String::as_str), Some("west"));
    assert_eq!(west.problem.as_ref().map(|problem: &Warning| problem.outcome), Some(Outcome::Io));
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_are_schemas_next_to_live_tables() {
    let live = host_engine(&fixture_host("plain"));
    let known: Vec<TableRef> = built(host_engine(&fixture_host("plain"))).await.tables();
    let folder = tempfile::tempdir().expect("a folder");
    let first = built(host_engine(&fixture_host("plain"))).await;
    for day in ["monday", "tuesday"] {
        capture(&first, &["users".to_owned(), "file".to_owned()], &folder.path().join(day)).await.expect("captured");
    }
    let schema = |day: &str| Store::open_as(day, &folder.path().join(day), &known).expect("it opens");
    let live = live.catalog(std::sync::Arc::new(schema("monday"))).catalog(std::sync::Arc::new(schema("tuesday")));
    let engine = built(live).await;
    let all = rows(&engine, "SELECT username FROM users").await;
    assert_eq!(rows(&engine, "SELECT username FROM monday.users").await, all);
    let sql = "SELECT count(*) FROM monday.users a JOIN tuesday.users b USING (username) JOIN users c USING (username) \
               WHERE a.captured_at < b.captured_at";
    assert_eq!(rows(&engine, sql).await, [[all.len().to_string()]]);
    // The time of the capture is a hidden column, and not one of the live table.
    let query = engine.query("SELECT * FROM monday.users").await.expect("it plans");
    assert!(query.schema().field_with_name("captured_at").is_err());
    let moments = rows(&engine, "SELECT DISTINCT captured_at FROM tuesday.users").await;
    assert!(moments.len() == 1 && moments[0][0].starts_with("20"), "{moments:?}");
    assert!(engine.query("SELECT captured_at FROM users").await.is_err());
    let error = engine.query("SELECT * FROM wednesday.users").await.expect_err("no such schema");
    assert!(error.to_string().contains("users"), "{error}");
    for name in ["main", "Monday", "a-b", "", "1a"] {
        let refused = Store::open_as(name, &folder.path().join("monday"), &known);
        assert!(matches!(refused, Err(Error::SchemaName(_))), "{name}");
    }
}

/// Writes a Parquet file as another program would.
fn write(folder: &Path, file: &str, columns: Vec<(&str, ArrayRef)>) {
    fs::create_dir_all(folder).expect("made");
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = fs::File::create(folder.join(file)).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("the file is written");
}

fn texts_of<'a>(all: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(all))
}

async fn opened(folder: &Path) -> EngineBuilder {
    Engine::builder().tables(Store::open(folder, &[]).expect("it opens").into_tables())
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_columns_may_have_any_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    for (side, value) in [(&a, "old"), (&b, "new")] {
        write(side, "v1.2 \"x\".parquet", vec![("change", texts_of(["same"])), ("differs", texts_of([value]))]);
    }
    let (before, after) = (built(opened(&a).await).await, built(opened(&b).await).await);
    let found = diff(&before, &after, "v1.2 \"x\"", true).await.expect("compared");
    let schema = found.rows.as_ref().expect("rows").schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["change", "differs", "change:1", "differs:1"]);
    assert_eq!(shown(&found), ["added NULL same new", "removed NULL same old"]);
    // A table of a schema, and one with a dot in its name, can be captured.
    let schema = Store::open_as("monday", &a, &[]).expect("it opens");
    let live = built(Engine::builder().catalog(Arc::new(schema))).await;
    for (engine, name) in [(&live, "monday.v1.2 \"x\""), (&before, "v1.2 \"x\"")] {
        let to = folder.path().join("c");
        let report = capture(engine, &[name.to_owned()], &to).await.expect("captured");
        assert_eq!(report.tables[0].rows, 1);
        fs::remove_dir_all(to).expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_in_the_order_of_their_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    const MANY: &[(&str, i64, &str)] = &[("east", 10, "a"), ("east", 9, "b"), ("east", 100, "c"), ("west", 1, "d")];
    const FEW: &[(&str, i64, &str)] = &[("east", 100, "z"), ("east", 11, "e"), ("west", 1, "d")];
    let before = captured(things(MANY, 1, ""), &folder.path().join("a")).await;
    let after = built(things(FEW, 2, "")).await;
    let expected = [
        "removed NULL east 9 b",
        "removed NULL east 10 a",
        "added NULL east 11 e",
        "before name east 100 c",
        "after name east 100 z",
    ];
    for _ in 0..3 {
        assert_eq!(shown(&things_differ(&before, &after).await), expected);
    }
}

/// Workers of a kernel.
#[derive(Debug, Default, Table)]
#[table(name = "workers", env = Names, identity(id))]
struct Worker {
    /// The number.
    id: i64,
    /// The name.
    #[column(volatile = "kworker/")]
    name: String,
}

#[derive(Debug, Clone)]
struct Names([&'static str; 4]);

impl Environment for Names {
    const NAME: &'static str = "names";
}

impl Rows for Worker {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok((1..).zip(scan.env().0).map(|(id, name)| Worker { id, name: name.to_owned() }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_change_by_themselves_are_no_difference() {
    let engine = async |names| built(Engine::builder().table(Worker::table(&Names(names)))).await;
    let before = engine(["kworker/0:1-events", "kworker/1:0", "kworker/2", "sh"]).await;
    let after = engine(["kworker/0:1-mm_percpu_wq", "kworker/1:0+acpi", "miner", "bash"]).await;
    let found = diff(&before, &after, "workers", true).await.expect("compared");
    let expected = ["before name 3 kworker/2", "after name 3 miner", "before name 4 sh", "after name 4 bash"];
    assert_eq!(shown(&found), expected);
    let known = built(host_engine(&fixture_host("plain"))).await;
    let processes = known.table("processes").expect("there").spec().clone();
    let column = |name: &str| processes.columns[processes.column(name).expect("there")].clone();
    assert!(column("threads").volatile && !column("name").volatile);
    assert_eq!(column("name").volatile_prefix.as_deref(), Some("kworker/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_stays_within_the_memory_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let value = "x".repeat(1000);
    for side in ["a", "b"] {
        let side = folder.path().join(side);
        write(&side, "large.parquet", vec![("text", texts_of((0..3000).map(|_| value.as_str())))]);
        write(&side, "small.parquet", vec![("text", texts_of(["x"]))]);
    }
    let limited = async |side: &str| {
        let limits = Limits { memory: 8 << 20, ..Limits::default() };
        built(opened(&folder.path().join(side)).await.limits(limits)).await
    };
    let (before, after) = (limited("a").await, limited("b").await);
    let error = diff(&before, &after, "large", false).await.expect_err("too large");
    assert!(matches!(&error, Error::Memory { table, limit } if table == "large" && *limit == 8 << 20), "{error}");
    assert!(!diff(&before, &after, "small", false).await.expect("compared").differs());
    // The command skips the table, and compares the others.
    write(&folder.path().join("b"), "small.parquet", vec![("text", texts_of(["y"]))]);
    let path = |side: &str| folder.path().join(side).display().to_string();
    let (code, found, err) = ndjson(&["diff", &path("a"), &path("b"), "--memory", "8MiB"]);
    assert_eq!((code, found.len()), (1, 2), "{found:?} {err}");
    assert_eq!((&found[0]["table"], &found[1]["table"]), (&"large".into(), &"small".into()));
    assert!(found[0]["skipped"].as_str().is_some_and(|why| why.contains("memory limit of 8 MB")), "{found:?}");
    assert!(found[1]["skipped"].is_null() && found[1]["added"] == 1, "{found:?}");
    assert_eq!(ndjson(&["diff", &path("a"), &path("b"), "--memory", "8MiB", "--table", "large"]).0, 2);
    assert_eq!(ndjson(&["diff", &path("a"), &path("b"), "--table", "large"]).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_lists_the_keyed_tables_that_it_leaves_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = built(host_engine(&fixture_host("plain"))).await.tables();
    let (keyed, plain): (Vec<_>, Vec<_>) = all.into_iter().partition(|table| table.spec().is_keyed());
    let names = |tables: &[TableRef]| tables.iter().map(|table| table.spec().name.to_string()).collect::<Vec<_>>();
    let plain = plain.into_iter().filter(|table| ["users", "processes"].contains(&&*table.spec().name));
    let engine = built(Engine::builder().tables(keyed.clone()).tables(plain)).await;
    let report = capture(&engine, &[], folder.path()).await.expect("captured");
    let captured: Vec<String> = report.tables.iter().map(|table| table.table.clone()).collect();
    // A second name has the rows of its table.
    let expected = names(&keyed).into_iter().filter(|name| !captured.contains(name) && name != "yara");
    let expected: Vec<String> = expected.collect();
    assert!(captured.contains(&"hash".to_owned()) && !expected.is_empty(), "{captured:?}");
    assert_eq!(report.skipped.iter().collect::<BTreeSet<_>>(), expected.iter().collect());
}

fn ndjson(arguments: &[&str]) -> (i32, Vec<serde_json::Value>, String) {
    let output = crate::cli::indago().args(arguments).args(["--format", "ndjson"]).output().expect("it runs");
    let out = String::from_utf8_lossy(&output.stdout);
    let rows = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (output.status.code().unwrap_or(-1), rows, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_command_compares_captures_of_a_changed_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("etc")).expect("made");
    let settings = folder.path().join("indago.toml");
    fs::write(&settings, format!("[host]\nroots = [{root:?}]\n")).expect("written");
    let settings = settings.to_str().expect("UTF-8");
    let passwd = |text: &str| fs::write(root.join("etc/passwd"), text).expect("written");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let keep = |name: &str| {
        let arguments = ["capture", "--config", settings, "--out", &path(name), "users", "groups"];
        let output = crate::cli::indago().args(arguments).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    fs::write(root.join("etc/group"), "root:x:0:\n").expect("written");
    passwd("root:x:0:0::/root:/bin/sh\njoe:x:7:7::/home/joe:/bin/sh\n");
    keep("a");
    passwd("root:x:0:0::/root:/bin/bash\nann:x:8:8::/home/ann:/bin/sh\n");
    keep("b");
    let (code, found, err) = ndjson(&["diff", "--config", settings, &path("a"), &path("b")]);
    assert_eq!((code, found.len()), (1, 1), "{found:?} {err}");
    let of = |key: &str| found[0][key].as_u64();
    assert_eq!(found[0]["table"], "users");
    assert_eq!((of("added"), of("removed"), of("changed")), (Some(1), Some(1), Some(1)), "{found:?}");
    assert!(err.contains("2 tables compared, 1 equal\n"), "{err}");
    let (code, found, _) = ndjson(&["diff", "--config", settings, &path("a"), "now", "--table", "users"]);
    let shown: Vec<String> = found.iter().map(|row| format!("{} {}", row["change"], row["username"])).collect();
    assert_eq!(code, 1);
    assert_eq!(shown, ["\"before\" \"root\"", "\"after\" \"root\"", "\"removed\" \"joe\"", "\"added\" \"ann\""]);
    assert_eq!(found[0]["differs"], "shell");
    assert_eq!(ndjson(&["diff", "--config", settings, &path("b"), "now"]).0, 0);
    // A table that only one side has is not compared.
    let users = ["capture", "--config", settings, "--out", &path("c"), "users"];
    assert!(crate::cli::indago().args(users).output().expect("it runs").status.success());
    let (code, found, err) = ndjson(&["diff", &path("b"), &path("c")]);
    assert_eq!((code, found.len()), (2, 1), "{found:?} {err}");
    assert!(err.contains("1 table compared, 1 equal; 1 not compared"), "{err}");
    for arguments in [["now", "now"], ["now", "/none"], [path("a").as_str(), "/none"]] {
        assert_eq!(ndjson(&["diff", "--config", settings, arguments[0], arguments[1]]).0, 2, "{arguments:?}");
    }
    let (code, ..) = ndjson(&["diff", &path("a"), &path("b"), "--table", "none"]);
    assert_eq!(code, 2);
    let stores = [format!("a={}", path("a")), format!("b={}", path("b"))];
    let sql = "SELECT username FROM b.users WHERE username NOT IN (SELECT username FROM a.users)";
    let (code, found, err) = ndjson(&["query", "--store", &stores[0], "--store", &stores[1], sql]);
    assert!(code == 0 && found.len() == 1 && found[0]["username"] == "ann", "{found:?} {err}");
    let (code, ..) = ndjson(&["query", "--store", &stores[0], "--store", &stores[0], sql]);
    assert_eq!(code, 2);
    let (code, found, err) =
        ndjson(&["query", "--store", &path("a"), "--store", &stores[1], "SELECT count(*) AS n FROM users"]);
    assert!(code == 0 && found[0]["n"] == 2, "{found:?} {err}");
}
