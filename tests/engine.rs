//! What the engine promises, on tables made for the purpose.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use indago_engine::{Code, Engine, EngineBuilder, QueryOptions};
use indago_table::prelude::*;
use parking_lot::Mutex;

use crate::support::{rows, texts};

/// Counts what tables are asked.
#[derive(Debug, Clone, Default)]
struct Lab(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    lookups: Mutex<Vec<Vec<i64>>>,
    whole_readings: AtomicUsize,
    sources: AtomicUsize,
    endless_stopped: AtomicBool,
    endless_given: AtomicUsize,
}

impl Environment for Lab {
    const NAME: &'static str = "lab";
}

impl Lab {
    fn engine(&self) -> EngineBuilder {
        Engine::builder().tables(indago_table::tables![self;
            Thing, Keyed, Endless, Failing, Sparse, Denied
        ])
    }

    /// Keys that `keyed` was asked for, with repetitions.
    fn keys(&self) -> Vec<i64> {
        let mut keys: Vec<i64> = self.0.lookups.lock().iter().flatten().copied().collect();
        keys.sort_unstable();
        keys
    }
}

/// Things with a key that points at `keyed`, twice each; the last has none.
#[derive(Debug, Default, Table)]
#[table(name = "things", env = Lab, rows = 10)]
struct Thing {
    /// Its number.
    #[column(index)]
    id: i64,
    /// What it points at.
    target: Option<i64>,
    /// A name that costs a reading.
    #[column(source = name)]
    name: Option<String>,
}

impl Rows for Thing {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        scan.env().0.whole_readings.fetch_add(1, Ordering::Relaxed);
        let things = (0..10).map(|id| Thing { id, target: (id < 9).then_some(id / 2), name: None });
        Ok(things.collect::<Vec<_>>().into_iter())
    }
}

impl Thing {
    fn name(&mut self, lab: &Lab) -> Result<()> {
        lab.0.sources.fetch_add(1, Ordering::Relaxed);
        self.name = Some(format!("thing {}", self.id));
        Ok(())
    }
}

/// Answers only when asked about a key. Odd keys are absent.
#[derive(Debug, Default, Table)]
#[table(name = "keyed", env = Lab)]
struct Keyed {
    /// The key.
    #[column(required)]
    key: i64,
    /// Its square.
    square: i64,
}

impl Rows for Keyed {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let keys = scan.keys(Self::KEY).unwrap_or_default();
        scan.env().0.lookups.lock().push(keys.clone());
        // Uneven, so that lookups that run together end apart.
        let slow = |key: &i64| std::thread::sleep(Duration::from_millis(5 * (*key).unsigned_abs()));
        Ok(keys.into_iter().inspect(slow).filter(|key| key % 2 == 0).map(|key| Keyed { key, square: key * key }))
    }
}

/// Rows without end.
#[derive(Debug, Default, Table)]
#[table(name = "endless", env = Lab)]
struct Endless {
    /// The row's number.
    n: i64,
}

impl Rows for Endless {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        struct Stops(Lab);
        impl Drop for Stops {
            fn drop(&mut self) {
                self.0.0.endless_stopped.store(true, Ordering::Relaxed);
            }
        }
        let stops = Stops(scan.env().clone());
        Ok((0..).map(move |n| {
            stops.0.0.endless_given.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_micros(50));
            Endless { n }
        }))
    }
}

/// Two parts, one of which fails.
#[derive(Debug, Default, Table)]
#[table(name = "failing", env = Lab, stream)]
struct Failing {
    /// The part.
    part: String,
}

impl RowStream for Failing {
    type Part = &'static str;

    fn parts(_scan: &Scan<Self>) -> Result<Vec<Self::Part>> {
        Ok(vec!["good", "bad"])
    }

    fn rows<'a>(_scan: &'a Scan<Self>, part: &'a Self::Part) -> impl futures::Stream<Item = Result<Self>> + Send + 'a {
        futures::stream::iter(
            match *part {
                "good" => Ok(Failing { part: (*part).to_owned() }),
                _ => Err(Error::Malformed("the bad part is broken".to_owned())),
            }
            .map_or_else(|error| vec![Err(error)], |row| vec![Ok(row)]),
        )
    }
}

/// A row with a column that nobody may read.
#[derive(Debug, Default, Table)]
#[table(name = "denied", env = Lab)]
struct Denied {
    /// The row's number.
    n: i64,
    /// What may not be read.
    #[column(source = secret, needs = "lab:Read")]
    secret: Option<String>,
}

impl Rows for Denied {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok((0..3).map(|n| Denied { n, secret: None }))
    }
}

impl Denied {
    fn secret(&mut self, _lab: &Lab) -> Result<()> {
        Err(Error::denied("the secret")).needs("lab:Read")
    }
}

/// Rows of which every second one vanishes while it is read.
#[derive(Debug, Default, Table)]
#[table(name = "sparse", env = Lab)]
struct Sparse {
    /// The row's number.
    n: i64,
    /// What is still there.
    #[column(source = detail)]
    detail: Option<i64>,
    /// Not for everybody.
    #[column(hidden)]
    internal: i64,
}

impl Rows for Sparse {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok((0..4).map(|n| Sparse { n, detail: None, internal: n }))
    }
}

impl Sparse {
    fn detail(&mut self, _lab: &Lab) -> Result<()> {
        if self.n % 2 == 1 {
            return Err(Error::Gone(format!("row {}", self.n)));
        }
        self.detail = Some(self.n);
        Ok(())
    }
}

async fn engine(lab: &Lab) -> Engine {
    lab.engine().build().await.expect("the engine builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_looks_up_each_distinct_key_once() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    let all = rows(&engine, "SELECT t.id, k.square FROM things t LEFT JOIN keyed k ON k.key = t.target").await;
    assert_eq!(all.len(), 10);
    let found: Vec<_> =
        all.iter().filter(|row| row[1] != "NULL").map(|row| (row[0].as_str(), row[1].as_str())).collect();
    assert_eq!(found, [("0", "0"), ("1", "0"), ("4", "4"), ("5", "4"), ("8", "16")]);
    assert_eq!(lab.keys(), [0, 1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_keep_the_meaning_of_every_join() {
    let cases: &[(&str, &[&str])] = &[
        ("SELECT t.id FROM things t JOIN keyed k ON k.key = t.target", &["0", "1", "4", "5", "8"]),
        ("SELECT t.id FROM keyed k JOIN things t ON k.key = t.target", &["0", "1", "4", "5", "8"]),
        (
            "SELECT t.id FROM keyed k RIGHT JOIN things t ON k.key = t.target WHERE k.key IS NULL",
            &["2", "3", "6", "7", "9"],
        ),
        ("SELECT id FROM things WHERE target IN (SELECT key FROM keyed)", &["0", "1", "4", "5", "8"]),
        (
            "SELECT id FROM things t WHERE EXISTS (SELECT 1 FROM keyed k WHERE k.key = t.target AND k.square > 3)",
            &["4", "5", "8"],
        ),
        (
            "SELECT id FROM things t WHERE NOT EXISTS (SELECT 1 FROM keyed k WHERE k.key = t.target)",
            &["2", "3", "6", "7", "9"],
        ),
        ("SELECT key FROM keyed WHERE key IN (SELECT target FROM things)", &["0", "2", "4"]),
        ("SELECT key FROM keyed WHERE key IN (2, 3, 4)", &["2", "4"]),
        (
            "SELECT t.id FROM things t LEFT JOIN keyed k ON k.key = t.target AND k.square > 3 WHERE k.key IS NOT NULL",
            &["4", "5", "8"],
        ),
        (
            "WITH x AS (SELECT * FROM keyed) SELECT t.id FROM things t JOIN x ON x.key = t.target WHERE t.id > 4",
            &["5", "8"],
        ),
        (
            "SELECT a.key FROM keyed a JOIN keyed b ON a.key = b.key JOIN things t ON t.target = b.key WHERE t.id = 4",
            &["2"],
        ),
        (
            "SELECT t.id FROM keyed a, keyed b, things t WHERE a.key = b.key AND b.key = t.target AND t.id > 3",
            &["4", "5", "8"],
        ),
        ("SELECT max(k.square) FROM things t JOIN (SELECT key, square FROM keyed) k ON k.key = t.target", &["16"]),
        (
            "SELECT t.id FROM things t JOIN (SELECT key, count(*) c FROM keyed GROUP BY key) k ON k.key = t.target WHERE t.id < 2",
            &["0", "1"],
        ),
        (
            "SELECT b.id FROM things a JOIN (SELECT t.id, k.key FROM things t JOIN keyed k ON k.key = t.target) b ON b.id = a.id WHERE a.id = 4",
            &["4"],
        ),
        ("SELECT square FROM keyed WHERE key = (SELECT max(target) FROM things)", &["16"]),
    ];
    for (sql, expected) in cases {
        let lab = Lab::default();
        let engine = engine(&lab).await;
        let got: Vec<String> = rows(&engine, sql).await.into_iter().map(|mut row| row.remove(0)).collect();
        assert_eq!(got, *expected, "{sql}");
        let keys = lab.keys();
        let distinct: BTreeSet<_> = keys.iter().collect();
        if !sql.contains("keyed b") {
            assert_eq!(keys.len(), distinct.len(), "{sql} asked for a key twice: {keys:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_the_query_fails_at_planning() {
    let engine = engine(&Lab::default()).await;
    for sql in [
        "SELECT * FROM keyed",
        "SELECT * FROM keyed WHERE square = 4",
        "SELECT * FROM keyed k LEFT JOIN things t ON k.key = t.target",
        "SELECT * FROM things t JOIN keyed k ON k.square = t.id",
    ] {
        let error = engine.query(sql).await.expect_err(sql);
        assert_eq!(error.code(), Code::KeyRequired, "{sql}: {error}");
        assert!(error.to_string().contains("`keyed`") && error.to_string().contains("`key`"), "{error}");
        assert!(error.help().is_some_and(|help| help.contains("WHERE key =")), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_runs_only_for_columns_that_are_wanted() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    rows(&engine, "SELECT id FROM things").await;
    assert_eq!(lab.0.sources.load(Ordering::Relaxed), 0);
    rows(&engine, "SELECT name FROM things WHERE id IN (3, 4)").await;
    assert_eq!(lab.0.sources.load(Ordering::Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reading_serves_a_self_join() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    let pairs = rows(&engine, "SELECT a.id, b.name FROM things a JOIN things b ON a.target = b.target").await;
    assert_eq!(pairs.len(), 17);
    assert_eq!(lab.0.whole_readings.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_stops_the_scan() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    assert_eq!(rows(&engine, "SELECT n FROM endless LIMIT 10").await.len(), 10);
    assert!(lab.0.endless_given.load(Ordering::Relaxed) < 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_stream_stops_the_scan() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    let query = engine.query("SELECT n FROM endless").await.expect("it plans");
    let mut stream = query.stream();
    stream.next().await.expect("a batch").expect("rows");
    drop(stream);
    let dropped = Instant::now();
    while !lab.0.endless_stopped.load(Ordering::Relaxed) {
        assert!(dropped.elapsed() < Duration::from_secs(10), "the scan goes on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_ends_the_query() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    let options = QueryOptions { timeout: Some(Duration::from_millis(200)), ..QueryOptions::default() };
    let query = engine.query_with("SELECT max(n) FROM endless", options).await.expect("it plans");
    let error = query.collect().await.expect_err("it never ends by itself");
    assert_eq!(error.code(), Code::Timeout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_limit_ends_the_query() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    let options =
        QueryOptions { memory: Some(200_000), timeout: Some(Duration::from_secs(60)), ..QueryOptions::default() };
    let sql = "SELECT a.n FROM endless a JOIN endless b ON a.n = b.n";
    let query = engine.query_with(sql, options).await.expect("it plans");
    let error = query.collect().await.expect_err("it needs more than it may have");
    assert_eq!(error.code(), Code::Memory, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_is_a_warning_and_strict_makes_it_an_error() {
    let engine = engine(&Lab::default()).await;
    let query = engine.query("SELECT part FROM failing").await.expect("it plans");
    assert_eq!(texts(&query.collect().await.expect("it runs")), [["good"]]);
    let warnings = query.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!((warnings[0].table.as_str(), warnings[0].origin.as_str()), ("failing", "bad"));
    let shown = rows(&engine, "SELECT table_name, origin, outcome FROM engine_warnings").await;
    assert_eq!(shown, [["failing", "bad", "malformed"]]);

    let options = QueryOptions { strict: true, ..QueryOptions::default() };
    let query = engine.query_with("SELECT part FROM failing", options).await.expect("it plans");
    assert_eq!(query.collect().await.expect_err("strict").code(), Code::Incomplete);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_null_with_one_counted_warning() {
    let engine = engine(&Lab::default()).await;
    let query = engine.query("SELECT n, secret FROM denied").await.expect("it plans");
    let batches = query.collect().await.expect("it runs");
    assert_eq!(texts(&batches), [["0", "NULL"], ["1", "NULL"], ["2", "NULL"]]);
    let warnings = query.warnings();
    assert_eq!(warnings.len(), 1);
    assert_eq!((warnings[0].count, warnings[0].needs.as_deref()), (3, Some("lab:Read")));
    let query = engine.query("SELECT n FROM denied").await.expect("it plans");
    query.collect().await.expect("it runs");
    assert!(query.warnings().is_empty(), "nobody asked for the secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanishes_gives_no_row_and_hidden_columns_stay_out() {
    let engine = engine(&Lab::default()).await;
    let query = engine.query("SELECT * FROM sparse").await.expect("it plans");
    assert_eq!(texts(&query.collect().await.expect("it runs")), [["0", "0"], ["2", "2"]]);
    assert!(query.warnings().is_empty());
    assert_eq!(rows(&engine, "SELECT internal FROM sparse").await.len(), 4);
    assert_eq!(rows(&engine, "SELECT s.*, t.id FROM sparse s JOIN things t ON t.id = s.n").await[0].len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_where_and_what_to_do() {
    let engine = engine(&Lab::default()).await;
    let error = engine.query("SELECT nme FROM things").await.expect_err("no such column");
    assert_eq!((error.code(), error.help()), (Code::UnknownColumn, Some("did you mean `name`?")));
    assert_eq!(error.span().map(|span| (span.start, span.end)), Some((7, 10)));
    let error = engine.query("SELECT * FROM thing").await.expect_err("no such table");
    assert_eq!((error.code(), error.help()), (Code::UnknownTable, Some("did you mean `things`?")));
    let error = engine.query("SELECT FROM WHERE").await.expect_err("no SQL");
    assert_eq!(error.code(), Code::Parse);
    assert!(error.span().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_what_would_be_asked() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    let sql = "EXPLAIN SELECT t.id, k.square FROM things t LEFT JOIN keyed k ON k.key = t.target WHERE t.id IN (4, 5)";
    let plan = rows(&engine, sql).await.concat().join("\n");
    for shown in ["LookupJoinExec", "keys_from_join=[key]", "pushed=[id IN (4, 5)]"] {
        assert!(plan.contains(shown), "{shown} is not in {plan}");
    }
    let calls = rows(&engine, "EXPLAIN SELECT part FROM failing").await.concat().join("\n");
    assert!(calls.contains("calls=[good; bad]"), "{calls}");
    assert_eq!(lab.keys(), [0; 0], "EXPLAIN reads nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_engines_do_not_meet() {
    let (one, two) = (engine(&Lab::default()).await, engine(&Lab::default()).await);
    rows(&one, "SELECT part FROM failing").await;
    assert_eq!(one.warnings().len(), 1);
    assert!(two.warnings().is_empty());
}
