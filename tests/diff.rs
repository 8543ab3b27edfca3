//! Several captures next to each other: stores as schemas, the time of a capture in SQL, `indago diff`.

use std::fs;
use std::path::Path;

use indago::capture;
use indago::store::{Difference, Error, Store, diff, tables_of};
use indago_engine::{Engine, EngineBuilder};
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
    assert!(err.contains("2 tables compared, 1 are equal"), "{err}");
    let (code, found, _) = ndjson(&["diff", "--config", settings, &path("a"), "now", "--table", "users"]);
    let shown: Vec<String> = found.iter().map(|row| format!("{} {}", row["change"], row["username"])).collect();
    assert_eq!(code, 1);
    assert_eq!(shown, ["\"removed\" \"joe\"", "\"added\" \"ann\"", "\"before\" \"root\"", "\"after\" \"root\""]);
    assert_eq!(found[2]["differs"], "shell");
    assert_eq!(ndjson(&["diff", "--config", settings, &path("b"), "now"]).0, 0);
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
