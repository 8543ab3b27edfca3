//! Queries as of a past point in time.

use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, Int64Builder, StringViewBuilder};
use indago::store::{Store, capture};
use indago_engine::{Code, Engine, QueryOptions};
use indago_engine::{Dialect, Error};
use indago_table::driver::{self, BoxRow, Sources};
use indago_table::prelude::*;
use indago_table::{
    AnyRow, ColumnSpec, Kind, Past, Period, Reading, Scalar, ScanContext, Sink, Slice, Table, TableSpec,
};
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

    fn versions(&self, period: Period) -> Option<TableRef> {
        let column = |name| ColumnSpec::new(name, Kind::BigInt, "A second.");
        let mut columns = vec![column("valid_from"), column("valid_to")];
        columns.extend(self.spec.columns.iter().cloned());
        columns.iter_mut().for_each(|column| column.index = false);
        let spec = TableSpec::new(format!("history.{}", self.spec.name), "house", "Who held doors.", columns);
        Some(Arc::new(Holdings { spec, period }))
    }
}

/// The versions of `doors` in a period.
#[derive(Debug, Clone)]
struct Holdings {
    spec: TableSpec,
    period: Period,
}

struct Holding(i64, &'static str, i64, i64);

impl AnyRow for Holding {
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder) {
        let builder = builder.as_any_mut();
        let mut number = |value: Option<i64>| {
            builder.downcast_mut::<Int64Builder>().expect("a number").append_option(value);
        };
        match column {
            0 => number(Some(self.2)),
            1 => number(self.3.checked_add(1)),
            2 => number(Some(self.0)),
            _ => builder.downcast_mut::<StringViewBuilder>().expect("holder").append_value(self.1),
        }
    }

    fn key(&self, _column: usize) -> Option<Scalar> {
        None
    }
}

impl Sources for Holdings {
    fn load(&self, _row: &mut dyn AnyRow, _source: usize) -> Result<()> {
        Ok(())
    }
}

impl Table for Holdings {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let (table, context) = (self.clone(), context.clone());
        let read = move |sink: &mut dyn Sink| {
            let Period { from, to } = table.period;
            let existed = |from_second: i64, to_second: i64| {
                from.is_none_or(|from| to_second.saturating_add(1).saturating_mul(1_000_000) > from.0)
                    && to.is_none_or(|to| from_second * 1_000_000 < to.0)
            };
            let held = HELD.iter().filter(|(_, _, from, to)| existed(*from, *to));
            let mut rows = held.map(|(door, holder, from, to)| Box::new(Holding(*door, holder, *from, *to)) as BoxRow);
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
    house_in(Dialect::default()).await
}

async fn house_in(dialect: Dialect) -> (Engine, Doors, Doors) {
    let (doors, locks) = (Doors::new("doors", false), Doors::new("locks", true));
    let builder = Engine::builder().dialect(dialect).table(Arc::new(doors.clone())).table(Arc::new(locks.clone()));
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

#[tokio::test(flavor = "multi_thread")]
async fn tables_have_times_of_their_own() {
    for dialect in [Dialect::Osquery, Dialect::DataFusion] {
        let (engine, doors, locks) = house_in(dialect).await;
        let now = QueryOptions::default;
        for (sql, expected, seconds) in [
            ("SELECT holder FROM doors FOR SYSTEM_TIME AS OF '1970-01-01 00:00:16' WHERE door = 3", "eve", vec![16]),
            (
                "SELECT d.holder FROM doors FOR SYSTEM_TIME AS OF '1970-01-01T00:00:07Z' AS d WHERE d.door = 2",
                "ann",
                vec![7],
            ),
            (
                "SELECT d.holder FROM doors FOR SYSTEM_TIME AS OF TIMESTAMP '1970-01-01 00:00:07' d WHERE d.door = 2",
                "ann",
                vec![7],
            ),
            (
                "SELECT doors.holder FROM doors FOR SYSTEM_TIME AS OF '1970-01-01 01:00:07+01:00' WHERE doors.door = 2",
                "ann",
                vec![7],
            ),
            // Two times and the present.
            (
                "SELECT a.holder || b.holder || c.holder FROM doors FOR SYSTEM_TIME AS OF '1970-01-01 00:00:07' a, \
                 doors FOR SYSTEM_TIME AS OF '1970-01-01 00:00:16' b JOIN doors c ON c.door = b.door \
                 WHERE a.door = b.door AND b.door = 1",
                "annbobbob",
                vec![-1, 7, 16],
            ),
            // Equal scalar subqueries at two times.
            (
                "SELECT (SELECT count(*) FROM doors FOR SYSTEM_TIME AS OF '1970-01-01 00:00:03') * 100 + \
                 (SELECT count(*) FROM doors FOR SYSTEM_TIME AS OF '1970-01-01 00:00:16') * 10 + \
                 (SELECT count(*) FROM doors)",
                "132",
                vec![-1, 3, 16],
            ),
            (
                "SELECT a.holder FROM doors FOR SYSTEM_TIME AS OF '1970-01-01 00:00:16' a \
                 JOIN doors FOR SYSTEM_TIME AS OF '1970-01-01 00:00:16' b ON a.door = b.door AND b.door = 3",
                "eve",
                vec![16],
            ),
            // Views, next to their tables at other times.
            (
                "SELECT v.door * 10 + w.door FROM of_eve FOR SYSTEM_TIME AS OF '1970-01-01 00:00:16' v, of_eve w \
                 WHERE EXISTS (SELECT 1 FROM doors WHERE holder = 'bob')",
                "32",
                vec![-1, 16],
            ),
            (
                "WITH d AS (SELECT * FROM doors FOR SYSTEM_TIME AS OF '1970-01-01 00:00:16') SELECT holder FROM d WHERE door = 3",
                "eve",
                vec![16],
            ),
            // Keys from a join.
            (
                "SELECT l.holder FROM (VALUES (2)) v(n) JOIN locks FOR SYSTEM_TIME AS OF '1970-01-01 00:00:07' l ON l.door = v.n",
                "ann",
                vec![7],
            ),
            ("SELECT count(*) FROM doors FOR SYSTEM_TIME AS OF now() - INTERVAL '1 day'", "2", vec![]),
            ("SELECT count(*) FROM doors FOR SYSTEM_TIME AS OF '-2 hours'", "2", vec![]),
            ("SELECT count(*) FROM doors FOR SYSTEM_TIME AS OF 16", "3", vec![16]),
        ] {
            let shown = format!("{dialect:?}: {sql}");
            assert_eq!(rows(&engine, sql, now()).await.concat(), [expected], "{shown}");
            let mut asked: Vec<i64> =
                [doors.asked(), locks.asked()].concat().into_iter().map(|(second, _)| second.unwrap_or(-1)).collect();
            asked.sort_unstable();
            asked.dedup();
            assert!(seconds.is_empty() || asked == seconds, "{shown}: {asked:?}");
        }
        let at = now().bind("at", "1970-01-01 00:00:07");
        let of_parameter = "SELECT holder FROM doors FOR SYSTEM_TIME AS OF $at WHERE door = 2";
        assert_eq!(rows(&engine, of_parameter, at).await.concat(), ["ann"]);
        // A time of a table's own wins over that of the query.
        let both =
            "SELECT (SELECT count(*) FROM doors) AS a, (SELECT count(*) FROM doors FOR SYSTEM_TIME AS OF 3) AS b";
        assert_eq!(rows(&engine, both, second(16)).await.concat(), ["3", "1"]);
        // A view keeps `-2 hours`, not the time at which it was created; a view over it can be read at another time only if it
        // has none of its own.
        rows(&engine, "CREATE VIEW lately AS SELECT holder FROM doors FOR SYSTEM_TIME AS OF '-2 hours'", now()).await;
        doors.asked();
        assert_eq!(rows(&engine, "SELECT count(*) FROM lately", second(16)).await.concat(), ["2"]);
        let [(Some(asked), _)] = doors.asked()[..] else { panic!("one scan") };
        assert!(asked > 1_000_000_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_a_period_are_rows() {
    for dialect in [Dialect::Osquery, Dialect::DataFusion] {
        let (engine, ..) = house_in(dialect).await;
        let all = "SELECT h.door, h.holder, h.valid_from, h.valid_to FROM doors FOR SYSTEM_TIME";
        for (period, expected) in [
            ("FROM 0 TO 5", vec!["1 ann 0 11"]),
            ("FROM 0 TO 6", vec!["1 ann 0 11", "2 ann 5 21"]),
            ("BETWEEN 0 AND 5", vec!["1 ann 0 11", "2 ann 5 21"]),
            ("BETWEEN 11 AND '1970-01-01 00:00:12'", vec!["1 bob 11 NULL", "2 ann 5 21"]),
            ("FROM '1970-01-01 00:00:21' TO now()", vec!["1 bob 11 NULL", "2 eve 21 NULL"]),
            ("ALL", vec!["1 ann 0 11", "1 bob 11 NULL", "2 ann 5 21", "2 eve 21 NULL", "3 eve 15 19"]),
        ] {
            let found = rows(&engine, &format!("{all} {period} h"), QueryOptions::default()).await;
            let found: Vec<String> = found.iter().map(|row| row.join(" ")).collect();
            assert_eq!(found, expected, "{dialect:?} {period}");
        }
        let joined = "SELECT count(*) FROM doors FOR SYSTEM_TIME ALL a JOIN doors FOR SYSTEM_TIME FROM 0 TO 5 AS b ON a.door = b.door";
        assert_eq!(rows(&engine, joined, QueryOptions::default()).await.concat(), ["2"]);
    }
}

/// Everything that a version of a table cannot stand at, and times that are none.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_cannot_be_read_is_refused() {
    for dialect in [Dialect::Osquery, Dialect::DataFusion] {
        let (engine, doors, _) = house_in(dialect).await;
        for (sql, expected) in [
            ("SELECT * FROM weather FOR SYSTEM_TIME AS OF 16", "no past data for table `weather`"),
            ("SELECT * FROM damp FOR SYSTEM_TIME AS OF 16", "no past data for table `weather`"),
            ("SELECT * FROM weather FOR SYSTEM_TIME ALL", "no past data for table `weather`"),
            ("SELECT * FROM engine_tables FOR SYSTEM_TIME AS OF 16", "`engine_tables` does not depend on time"),
            ("SELECT * FROM information_schema.tables FOR SYSTEM_TIME AS OF 16", "no past data"),
            ("SELECT * FROM of_eve FOR SYSTEM_TIME FROM 1 TO 2", "`of_eve` is a view"),
            ("WITH d AS (SELECT 1 AS a) SELECT * FROM d FOR SYSTEM_TIME AS OF 16", "`d` is a WITH name"),
            ("SELECT * FROM dors FOR SYSTEM_TIME AS OF 16", "no table `dors`"),
            ("SELECT * FROM doors d FOR SYSTEM_TIME AS OF 16", "directly after the name of a table"),
            ("SELECT * FROM (SELECT * FROM doors) FOR SYSTEM_TIME AS OF 16", "directly after the name of a table"),
            ("SELECT * FROM generate_series(1, 2) FOR SYSTEM_TIME AS OF 16", "directly after the name of a table"),
            ("SELECT * FROM generate_series FOR SYSTEM_TIME AS OF 16 (1, 2)", "cannot follow a function"),
            ("SELECT door FOR SYSTEM_TIME AS OF 16 FROM doors", "directly after the name of a table"),
            ("SELECT * FROM doors WHERE door FOR SYSTEM_TIME AS OF 16 = 1", "directly after the name of a table"),
            ("SELECT * FROM doors FOR SYSTEM_TIME AS OF 16 FOR SYSTEM_TIME AS OF 17", "one FOR SYSTEM_TIME"),
            ("EXPLAIN SELECT * FROM weather FOR SYSTEM_TIME AS OF 16", "no past data for table `weather`"),
            ("SELECT 1 WHERE EXISTS (SELECT 1 FROM weather FOR SYSTEM_TIME AS OF 16)", "no past data"),
            ("SELECT * FROM doors FOR SYSTEM_TIME AS OF door", "`door` is not a constant"),
            ("SELECT * FROM doors FOR SYSTEM_TIME AS OF (SELECT max(door) FROM doors)", "is not a constant"),
            ("SELECT * FROM doors FOR SYSTEM_TIME AS OF random()", "is not a constant"),
            ("SELECT * FROM doors FOR SYSTEM_TIME AS OF NULL", "NULL is not a point in time"),
            ("SELECT * FROM doors FOR SYSTEM_TIME AS OF 1.5", "is not a point in time"),
            ("SELECT * FROM doors FOR SYSTEM_TIME AS OF 'then'", "'then' is not a point in time"),
            ("SELECT * FROM doors FOR SYSTEM_TIME AS OF '9999-01-01'", "in the future"),
            ("SELECT * FROM doors FOR SYSTEM_TIME FROM 5 TO 5", "the period is empty"),
            ("SELECT * FROM doors FOR SYSTEM_TIME BETWEEN 6 AND 5", "the period is empty"),
            ("SELECT * FROM doors FOR SYSTEM_TIME AS OF", "expected"),
            ("SELECT * FROM doors FOR SYSTEM_TIME FROM 1", "expected"),
            ("SELECT * FROM doors FOR SYSTEM_TIME CONTAINED IN (1, 2)", ""),
            ("SET indago.as_of = 'then'", "'then' is not a point in time"),
            ("SET indago.as_off = '1970-01-01'", "`SET` is not supported"),
            ("EXPLAIN SET indago.as_of = '1970-01-01'", ""),
            ("RESET indago.as_off", "`RESET` is not supported"),
        ] {
            let error: Error = match engine.query_with(sql, QueryOptions::default()).await {
                Ok(_) => panic!("{dialect:?}: {sql} is planned"),
                Err(error) => error,
            };
            assert!(error.to_string().contains(expected), "{dialect:?}: {sql}: {error}");
        }
        assert_eq!(doors.asked(), [], "nothing was read");
        assert_eq!(engine.as_of(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_a_time() {
    let (engine, doors, _) = house().await;
    let other = engine.fork();
    let count =
        async |engine: &Engine| rows(engine, "SELECT count(*) FROM doors", QueryOptions::default()).await.concat();
    let set = async |sql: &str| assert!(rows(&engine, sql, QueryOptions::default()).await.is_empty(), "{sql}");
    set("SET indago.as_of = '1970-01-01 00:00:16'").await;
    assert_eq!(engine.as_of(), Some(Timestamp::from_seconds(16)));
    assert_eq!(
        (count(&engine).await, count(&other).await, count(&engine.fork()).await),
        (vec!["3".into()], vec!["2".into()], vec!["3".into()])
    );
    // The options of a query win.
    assert_eq!(rows(&engine, "SELECT count(*) FROM doors", second(3)).await.concat(), ["1"]);
    let error = engine.query("SELECT * FROM weather").await.expect_err("it has no past");
    assert_eq!(error.code(), Code::NoPast);
    set("SET indago.as_of = now() - INTERVAL '1 hour'").await;
    assert!(engine.as_of().is_some_and(|time| time.seconds() > 1_000_000_000));
    set("RESET indago.as_of").await;
    assert_eq!(count(&engine).await, ["2"]);
    set("SET indago.as_of = 16").await;
    set("SET indago.as_of = DEFAULT").await;
    assert_eq!(engine.as_of(), None);
    // Scheduled queries share a session.
    let scheduled = engine.query_with("SET indago.as_of = 16", QueryOptions::default().consumer("a")).await;
    assert_eq!(scheduled.expect_err("refused").code(), Code::Unsupported);
    doors.asked();
}
