//! Events that end a query early: its timeout, its reader, enough rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use indago_engine::{Code, Engine, Query, QueryOptions};
use indago_table::prelude::*;

use crate::support::rows;

/// Long enough for anything that ends.
const LONG: Duration = Duration::from_secs(20);

/// Queries that compute or sleep much longer than the test: conditions that are evaluated on billions of pairs and
/// never true.
const BUSY: [&str; 5] = [
    "SELECT a.value FROM generate_series(1, 100000) a, generate_series(1, 100000) b WHERE a.value + b.value = -7",
    "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b WHERE a.value || b.value LIKE 'x%'",
    "SELECT a.value FROM generate_series(1, 200000) a JOIN generate_series(1, 200000) b \
     ON a.value % 2 = b.value % 2 AND a.value + b.value < 0",
    "SELECT sleep(60)",
    "SELECT a.value FROM generate_series(1, 100000) a LEFT JOIN generate_series(1, 100000) b ON a.value * b.value < 0",
];

#[test]
fn a_time_limit_ends_a_plan_that_computes() {
    for sql in BUSY {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async {
            let engine = Engine::builder().build().await.expect("the engine builds");
            let options = QueryOptions { timeout: Some(Duration::from_millis(200)), ..QueryOptions::default() };
            let query = engine.query_with(sql, options).await.expect("it plans");
            let outcome = tokio::time::timeout(LONG, query.collect()).await.expect("the timeout applies");
            assert_eq!(outcome.expect_err("there are too many pairs").code(), Code::Timeout, "{sql}");
        });
        // The computation stops, too: the runtime waits for its threads.
        let (sender, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(runtime);
            sender.send(())
        });
        ended.recv_timeout(LONG).unwrap_or_else(|_| panic!("it goes on computing: {sql}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_runs_once() {
    let engine = Engine::builder().build().await.expect("the engine builds");
    let query: Query = engine.query("SELECT 1").await.expect("it plans");
    query.collect().await.expect("it runs");
    let error = query.collect().await.expect_err("its warnings and statistics are those of one run");
    assert!(error.to_string().contains("the query has already run"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_change_nothing() {
    let engine = Sides::default().engine().await;
    for sql in [
        "CREATE TABLE t AS SELECT * FROM sides",
        "CREATE TABLE t (a INTEGER)",
        "DROP TABLE sides",
        "DROP SCHEMA public CASCADE",
        "CREATE SCHEMA s",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/hostname'",
        "SET datafusion.execution.batch_size = 1",
        "INSERT INTO sides VALUES ('x', 1)",
        "DELETE FROM sides",
        "CREATE VIEW sides AS SELECT 1",
        "CREATE OR REPLACE VIEW sides AS SELECT 1",
    ] {
        let error = engine.query(sql).await.expect_err(sql);
        assert!(matches!(error.code(), Code::Unsupported | Code::Plan), "{sql}: {error}");
    }
    engine.query("CREATE VIEW quick AS SELECT n FROM sides WHERE side = 'quick'").await.expect("a view is a name");
    assert_eq!(rows(&engine, "SELECT n FROM quick LIMIT 2").await.len(), 2);
    engine.query("DROP VIEW quick").await.expect("it is there");
}

/// Two slices: one returns rows, the other never responds.
#[derive(Debug, Default, Table)]
#[table(name = "sides", env = Sides, stream, rows = 1000)]
struct Side {
    /// The slice.
    #[column(index)]
    side: String,
    /// The row's number.
    n: i64,
}

/// Counts the reads.
#[derive(Debug, Clone, Default)]
struct Sides(Arc<AtomicUsize>);

impl Environment for Sides {
    const NAME: &'static str = "sides";
}

impl Sides {
    async fn engine(&self) -> Engine {
        let tables = indago_table::tables![self; Side, Square];
        Engine::builder().tables(tables).build().await.expect("the engine builds")
    }
}

impl RowStream for Side {
    type Part = String;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Self::Part>> {
        Ok(scan.keys(Self::SIDE).unwrap_or_else(|| vec!["quick".to_owned(), "never".to_owned()]))
    }

    fn rows<'a>(_scan: &'a Scan<Self>, part: &'a Self::Part) -> impl futures::Stream<Item = Result<Self>> + Send + 'a {
        match part.as_str() {
            "quick" => futures::stream::iter((0..1000).map(|n| Ok(Side { side: part.clone(), n }))).boxed(),
            _ => futures::stream::pending().boxed(),
        }
    }
}

/// The square of a key.
#[derive(Debug, Default, Table)]
#[table(name = "squares", env = Sides)]
struct Square {
    /// The number.
    #[column(required)]
    n: i64,
    /// Its square.
    square: i64,
}

impl Rows for Square {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let keys = scan.keys(Self::N).unwrap_or_default();
        scan.env().0.fetch_add(keys.len(), Ordering::Relaxed);
        Ok(keys.into_iter().map(|n| Square { n, square: n * n }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_enough_wait_for_no_other_slice() {
    let engine = Sides::default().engine().await;
    for sql in [
        "SELECT n FROM sides LIMIT 4",
        "SELECT n FROM sides WHERE n >= 0 LIMIT 4",
        "SELECT s.n FROM sides s JOIN squares q ON q.n = s.n LIMIT 4",
    ] {
        let options = QueryOptions { strict: true, ..QueryOptions::default() };
        let query = engine.query_with(sql, options).await.expect("it plans");
        let batches = tokio::time::timeout(LONG, query.collect()).await.expect("it ends").expect("it runs");
        assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 4, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_over_a_lookup_join_asks_for_few_keys() {
    for (sql, most) in [
        ("SELECT q.square FROM sides s JOIN squares q ON q.n = s.n WHERE s.side = 'quick' LIMIT 1", 16),
        ("SELECT s.n FROM sides s LEFT JOIN squares q ON q.n = s.n WHERE s.side = 'quick' LIMIT 20", 20),
        ("SELECT s.n FROM sides s WHERE s.side = 'quick' AND s.n IN (SELECT n FROM squares) LIMIT 1", 16),
        // The first row that counts comes after some that do not: 16, then 64 keys.
        (
            "SELECT q.n FROM sides s JOIN squares q ON q.n = s.n AND q.square + s.n > 900 WHERE s.side = 'quick' LIMIT 1",
            80,
        ),
    ] {
        let sides = Sides::default();
        let engine = sides.engine().await;
        let found = rows(&engine, sql).await;
        assert!(!found.is_empty(), "{sql}");
        let asked = sides.0.load(Ordering::Relaxed);
        assert!((1..=most).contains(&asked), "{sql}: {asked} keys");
    }
    let sides = Sides::default();
    let all =
        rows(&sides.engine().await, "SELECT q.n FROM sides s JOIN squares q ON q.n = s.n WHERE s.side = 'quick'").await;
    assert_eq!((all.len(), sides.0.load(Ordering::Relaxed)), (1000, 1000));
}
