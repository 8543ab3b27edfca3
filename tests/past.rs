//! Queries as of a past point in time.

use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, Int64Builder, StringViewBuilder};
use indago::store::{Store, capture};
use indago_engine::{Code, Engine, QueryOptions};
use indago_table::driver::{self, BoxRow, Sources};
use indago_table::prelude::*;
use indago_table::{AnyRow, ColumnSpec, Kind, Past, Reading, Scalar, ScanContext, Sink, Slice, Table, TableSpec};
use parking_lot::Mutex;

use crate::support::texts;

type Asked = Arc<Mutex<Vec<(Option<i64>, usize)>>>;

/// The holder of each door, by second: a table with a past. `door` is a key.
#[derive(Debug, Clone)]
struct Doors {
    spec: TableSpec,
    /// The point in time and the keys of each read.
    asked: Asked,
}

/// Door, holder, first and last second.
const HELD: [(i64, &str, i64, i64); 5] =
    [(1, "ann", 0, 10), (1, "bob", 11, i64::MAX), (2, "ann", 5, 20), (2, "eve", 21, i64::MAX), (3, "eve", 15, 18)];

impl Doors {
    fn new(name: &'static str, is_keyed: bool) -> Self {
        let mut door = ColumnSpec::new("door", Kind::BigInt, "The door.");
        door.index = true;
        let holder = ColumnSpec::new("holder", Kind::Text, "Who holds it.");
        let mut spec = TableSpec::new(name, "house", "Doors.", vec![door, holder]).with_past(Past::Kept);
        spec.require_any = if is_keyed { vec![0].into() } else { vec![].into() };
        Doors { spec, asked: Arc::default() }
    }

    fn asked(&self) -> Vec<(Option<i64>, usize)> {
        std::mem::take(&mut *self.asked.lock())
    }
}

struct Held(i64, &'static str);

impl AnyRow for Held {
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder) {
        let builder = builder.as_any_mut();
        match column {
            0 => builder.downcast_mut::<Int64Builder>().expect("door").append_value(self.0),
            _ => builder.downcast_mut::<StringViewBuilder>().expect("holder").append_value(self.1),
        }
    }

    fn key(&self, column: usize) -> Option<Scalar> {
        (column == 0).then_some(Scalar::Integer(self.0))
    }
}

impl Sources for Doors {
    fn load(&self, _row: &mut dyn AnyRow, _source: usize) -> Result<()> {
        Ok(())
    }
}

impl Table for Doors {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let (table, context) = (self.clone(), context.clone());
        let read = move |sink: &mut dyn Sink| {
            let second = context.as_of.map(Timestamp::seconds);
            let keys = context.constraints.keys(0).map_or(0, |keys| keys.len());
            table.asked.lock().push((second, keys));
            let at = second.unwrap_or(i64::MAX);
            let mut rows = HELD.iter().filter(|(_, _, from, to)| (*from..=*to).contains(&at));
            let mut rows = rows.by_ref().map(|(door, holder, ..)| Box::new(Held(*door, holder)) as BoxRow);
            driver::read_rows(&table.spec, &context, &mut rows, &table, 16, sink)
        };
        Ok(vec![Slice::new("", Reading::Blocking(Box::new(read)))])
    }

    fn checks_filters(&self) -> bool {
        true
    }
}

/// Data that is known only for the present.
#[derive(Debug, Default, Table)]
#[table(name = "weather", rows = 1)]
struct Weather {
    /// Whether it rains.
    rain: bool,
}

impl Rows for Weather {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::once(Weather { rain: true }))
    }
}

fn second(second: i64) -> QueryOptions {
    QueryOptions::default().as_of(Timestamp::from_seconds(second))
}

async fn rows(engine: &Engine, sql: &str, options: QueryOptions) -> Vec<Vec<String>> {
    let query = engine.query_with(sql, options).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut rows = texts(&query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}")));
    rows.sort();
    rows
}

async fn house() -> (Engine, Doors, Doors) {
    let (doors, locks) = (Doors::new("doors", false), Doors::new("locks", true));
    let builder = Engine::builder().table(Arc::new(doors.clone())).table(Arc::new(locks.clone()));
    let builder =
        builder.table(Weather::table(&Sys::live())).view("of_eve", "SELECT door FROM doors WHERE holder = 'eve'");
    let engine =
        builder.view("damp", "SELECT e.door FROM of_eve e, weather w").build().await.expect("the engine builds");
    (engine, doors, locks)
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_with_a_past_are_read_as_they_were() {
    let (engine, doors, locks) = house().await;
    let all = "SELECT door, holder FROM doors";
    assert_eq!(rows(&engine, all, QueryOptions::default()).await, [["1", "bob"], ["2", "eve"]]);
    assert_eq!(rows(&engine, all, second(7)).await, [["1", "ann"], ["2", "ann"]]);
    assert_eq!(rows(&engine, all, second(16)).await, [["1", "bob"], ["2", "ann"], ["3", "eve"]]);
    assert_eq!(doors.asked(), [(None, 0), (Some(7), 0), (Some(16), 0)]);
    for (sql, expected) in [
        ("SELECT door FROM of_eve", "3"),
        ("SELECT holder FROM doors WHERE door IN (SELECT door FROM of_eve)", "eve"),
        ("SELECT (SELECT count(*) FROM doors)", "3"),
        (
            "WITH d AS (SELECT * FROM doors) SELECT a.holder FROM d a JOIN d b ON a.door = b.door AND b.holder = 'ann'",
            "ann",
        ),
        ("SELECT l.holder FROM (VALUES (2)) v(n) JOIN locks l ON l.door = v.n", "ann"),
        ("SELECT holder FROM locks WHERE door = 3", "eve"),
        ("SELECT max(door) FROM doors GROUP BY holder HAVING holder = 'ann'", "2"),
        ("SELECT holder FROM doors WHERE door = 1 UNION ALL SELECT holder FROM doors WHERE door = 9", "bob"),
    ] {
        assert_eq!(rows(&engine, sql, second(16)).await.concat(), [expected], "{sql}");
        let asked = [doors.asked(), locks.asked()].concat();
        assert!(!asked.is_empty() && asked.iter().all(|(moment, _)| *moment == Some(16)), "{sql}: {asked:?}");
    }
    // Equal scans of the same point in time are one scan.
    rows(&engine, "SELECT a.door FROM doors a JOIN doors b ON a.holder = b.holder", second(16)).await;
    assert_eq!(doors.asked(), [(Some(16), 0)]);
    let plan = rows(&engine, "EXPLAIN SELECT door FROM doors WHERE door = 1", second(16)).await.concat().concat();
    assert!(plan.contains("as_of=1970-01-01T00:00:16Z"), "{plan}");
    let scans = rows(&engine, "SELECT door FROM doors WHERE door = 1", second(16)).await;
    assert_eq!(scans, [["1"]]);
    let told = rows(&engine, "SELECT constraints FROM engine_scans", QueryOptions::default()).await;
    assert_eq!(told.concat(), ["door = 1 as of 1970-01-01T00:00:16Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tables_move() {
    let (engine, ..) = house().await;
    for sql in [
        "SELECT now() > TIMESTAMP '2020-01-01T00:00:00Z'",
        "SELECT datetime('now') > '2020-01-01'",
        "SELECT count(*) = 9 FROM engine_tables WHERE environment <> 'house' OR name = 'doors'",
        "SELECT value = 2 FROM json_each('[2]')",
        "SELECT count(*) = 3 FROM generate_series(1, 3)",
        "SELECT count(*) = 1 FROM information_schema.tables WHERE table_name = 'weather'",
        "SELECT door = 1 FROM doors, (VALUES (1)) v(n) WHERE door = v.n",
    ] {
        let answer = rows(&engine, sql, second(16)).await.concat();
        assert!(matches!(answer.as_slice(), [one] if one == "true" || one == "1"), "{sql}: {answer:?}");
    }
    let failed =
        engine.query_with("SELECT * FROM doors", second(i64::MAX / 2_000_000)).await.expect_err("a time in the future");
    assert_eq!((failed.code(), failed.help()), (Code::Plan, Some("use a timestamp in the past")));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_without_a_past_are_named_before_anything_is_read() {
    let (engine, doors, _) = house().await;
    let failed = async |sql: &str| {
        let error = engine.query_with(sql, second(16)).await.err().unwrap_or_else(|| panic!("{sql} plans"));
        assert_eq!(error.code(), Code::NoPast, "{sql}");
        assert!(error.help().is_some());
        error.to_string()
    };
    let one = "no past data for table `weather`: only the present can be read";
    for sql in [
        "SELECT * FROM weather",
        "SELECT * FROM doors, weather",
        "SELECT door FROM damp",
        "SELECT door FROM doors WHERE EXISTS (SELECT 1 FROM weather WHERE rain)",
        "WITH w AS (SELECT rain FROM weather) SELECT door FROM doors UNION SELECT 1 FROM w",
        "EXPLAIN SELECT * FROM damp",
    ] {
        assert_eq!(failed(sql).await, one, "{sql}");
    }
    assert_eq!(doors.asked(), [], "nothing was read");
    // The error lists all such tables. A view may be used as of a past time; it then has the time of the query.
    rows(&engine, "CREATE VIEW wet AS SELECT rain FROM weather", second(16)).await;
    assert_eq!(rows(&engine, "SELECT * FROM wet", QueryOptions::default()).await, [["true"]]);
    assert_eq!(failed("SELECT * FROM wet").await, one);

    // A store has one timestamp, too.
    let folder = tempfile::tempdir().expect("a folder");
    let tables = ["doors".to_owned(), "weather".to_owned()];
    capture(&engine, &tables, folder.path()).await.expect("it is written");
    let known: Vec<TableRef> = engine.tables();
    let stored = Engine::builder().tables(Store::open(folder.path(), &known).expect("it opens").into_tables());
    let stored = stored.build().await.expect("the engine builds");
    let failed = stored.query_with("SELECT * FROM doors, weather", second(16)).await.expect_err("it has no past");
    assert_eq!(failed.to_string(), "no past data for tables `doors`, `weather`: only the present can be read");
}
