//! Scans of one query, and queries of one engine, cannot deadlock.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use indago_engine::{Code, Engine, Limits, QueryOptions};
use indago_table::prelude::*;
use indago_table::tables;
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::support::rows;

/// The endpoint of the tables' calls.
#[derive(Debug, Clone, Default)]
struct Endpoint {
    /// Names of the shared scans that were made.
    read: Arc<Mutex<Vec<String>>>,
}

impl Environment for Endpoint {
    const NAME: &'static str = "endpoint";
}

/// Rows of a list, each with a detail that takes a call.
#[derive(Debug, Default, Table)]
#[table(name = "listed", env = Endpoint, stream, rows = 300)]
struct Listed {
    /// The row's number.
    n: i64,
    /// Whether the call was made.
    #[column(source = detail)]
    detail: Option<i64>,
}

/// The same rows, looked up by key with overlapping calls.
#[derive(Debug, Default, Table)]
#[table(name = "asked", env = Endpoint, stream, rows = 300)]
struct Asked {
    /// The row's number.
    n: i64,
    /// The kind of the row.
    kind: i64,
}

const ROWS: i64 = 300;

/// A call that takes a few turns of the runtime.
async fn call<T: indago_table::Row>(scan: &Scan<T>) -> Result<()> {
    scan.call("the only place", "GET /", || async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        Ok(())
    })
    .await
}

impl RowStream for Listed {
    type Part = &'static str;

    fn parts(_scan: &Scan<Self>) -> Result<Vec<Self::Part>> {
        Ok(vec!["all"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _part: &'a Self::Part) -> impl futures::Stream<Item = Result<Self>> + Send + 'a {
        // Pages of ten rows, one call each.
        let pages = futures::stream::iter(0..ROWS / 10).then(move |page| async move {
            call(scan).await?;
            Ok(futures::stream::iter((page * 10..(page + 1) * 10).map(|n| Ok(Listed { n, detail: None }))))
        });
        futures::TryStreamExt::try_flatten(pages)
    }
}

impl Listed {
    async fn detail(&mut self, scan: &Scan<Self>) -> Result<()> {
        call(scan).await?;
        self.detail = Some(self.n);
        Ok(())
    }
}

impl RowStream for Asked {
    type Part = &'static str;

    fn parts(_scan: &Scan<Self>) -> Result<Vec<Self::Part>> {
        Ok(vec!["all"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _part: &'a Self::Part) -> impl futures::Stream<Item = Result<Self>> + Send + 'a {
        let keys: Vec<i64> = (0..ROWS).collect();
        scan.in_rounds(keys, move |n| async move {
            let read = scan.env().read.clone();
            // Both tables share this read.
            let base = scan.cached("base", async {
                call(scan).await?;
                read.lock().push("base".to_owned());
                Ok((0_i64, 0))
            });
            let base = *base.await?;
            call(scan).await?;
            Ok(Asked { n: base + n, kind: n % 3 })
        })
    }
}

/// An engine with batches of a few rows, so that every channel of a plan is full soon, and with one permit for all
/// calls.
async fn engine() -> (Engine, Endpoint) {
    let endpoint = Endpoint::default();
    let limits = Limits {
        batch_size: 8,
        calls_per_endpoint: 1,
        calls_per_second: 0.0,
        timeout: Some(Duration::from_secs(60)),
        ..Limits::default()
    };
    let engine = Engine::builder().tables(tables![&endpoint; Listed, Asked]).limits(limits);
    (engine.build().await.expect("the engine builds"), endpoint)
}

/// A join reads one side to its end before it reads the other. A scan that waits for it must not hold the only permit
/// of the endpoint. The timeout turns a deadlock into an error.
#[tokio::test(flavor = "multi_thread")]
async fn scans_that_wait_for_their_join_hold_no_place_at_an_endpoint() {
    let (engine, _) = engine().await;
    let count = |sql: &'static str| {
        let engine = engine.clone();
        async move { rows(&engine, sql).await }
    };
    for (sql, expected) in [
        ("SELECT count(*) FROM listed a JOIN asked b ON a.n = b.n WHERE a.detail >= 0", ROWS),
        ("SELECT count(*) FROM asked a JOIN listed b ON a.n = b.n WHERE b.detail >= 0", ROWS),
        ("SELECT count(*) FROM listed a JOIN listed b ON a.n = b.n WHERE a.detail >= 0 AND b.n >= 0", ROWS),
        ("SELECT count(*) FROM listed a LEFT JOIN asked b ON a.n = b.n AND b.kind = 1 WHERE a.detail >= 0", ROWS),
        ("SELECT count(*) FROM listed a RIGHT JOIN asked b ON a.n = b.n AND a.detail > 9", ROWS),
        ("SELECT count(*) FROM listed a FULL JOIN asked b ON a.n = b.n AND a.detail > 9", ROWS + 10),
        ("SELECT count(*) FROM listed WHERE detail IN (SELECT n FROM asked WHERE kind = 0)", 100),
        (
            "SELECT count(*) FROM listed a WHERE detail >= 0 AND NOT EXISTS (SELECT 1 FROM asked b WHERE b.n = a.n AND b.kind = 0)",
            200,
        ),
        ("SELECT count(*) FROM (SELECT detail FROM listed UNION ALL SELECT n FROM asked)", 2 * ROWS),
        ("SELECT (SELECT count(detail) FROM listed) + (SELECT count(*) FROM asked WHERE kind = 0)", 400),
        ("SELECT count(*) FROM (SELECT a.n FROM listed a JOIN asked b ON a.n = b.n WHERE a.detail >= 0 LIMIT 20)", 20),
        ("SELECT count(*) FROM (SELECT detail FROM listed LIMIT 20) a JOIN asked b ON a.detail = b.n", 20),
        ("SELECT count(*) FROM listed a JOIN (SELECT n FROM asked LIMIT 20) b ON a.detail = b.n", 20),
        (
            "SELECT count(*) FROM listed a JOIN asked b ON a.n = b.n JOIN listed c ON c.detail = b.n JOIN asked d ON d.n = c.n AND d.kind = 2",
            100,
        ),
    ] {
        assert_eq!(count(sql).await, [[expected.to_string()]], "{sql}");
    }
}

/// A query that needs more calls than it may make fails, and makes no further ones. `listed` needs 30 calls for its rows and
/// 300 for their details.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_makes_no_more_calls_than_it_may() {
    let (engine, _) = engine().await;
    for (sql, needed) in [
        ("SELECT n FROM listed", 30),
        ("SELECT count(*) FROM listed", 30),
        ("SELECT count(detail) FROM listed", 330),
        ("SELECT count(*) FROM listed a JOIN asked b ON a.n = b.n", 331),
        ("SELECT n FROM listed UNION ALL SELECT kind FROM asked", 331),
        ("SELECT 1 WHERE EXISTS (SELECT detail FROM listed WHERE detail < 0)", 330),
    ] {
        for most in [0, 1, needed - 1, needed, needed + 1] {
            let options = QueryOptions { max_calls: Some(most), ..QueryOptions::default() };
            let query = engine.query_with(sql, options).await.expect("it plans");
            let outcome: Result<Vec<_>, _> = query.stream().try_collect().await;
            let made: u64 = query.scans().iter().map(|scan| scan.calls).sum();
            assert!(made <= most, "{sql}: {made} calls of {most}");
            match outcome {
                Ok(_) => assert!(most >= needed, "{sql}: {most} calls are not enough"),
                Err(error) => {
                    assert!(most < needed, "{sql}: {most} calls are enough: {error}");
                    assert_eq!(error.code(), Code::Calls, "{sql}: {error}");
                }
            }
            assert!(query.warnings().is_empty(), "{sql}: {:?}", query.warnings());
        }
    }
    let plan = engine.query("SELECT count(detail) FROM listed").await.expect("it plans");
    assert!(plan.estimated_calls() >= 300, "{}", plan.plan_tree());
}

/// Twenty concurrent queries with one permit; some of them are dropped while they run.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_query_holds_up_no_other() {
    let (engine, _) = engine().await;
    let sql = "SELECT a.n FROM listed a JOIN asked b ON a.n = b.n WHERE a.detail >= 0";
    let all = (0..20_usize).map(|number| {
        let engine = engine.clone();
        tokio::spawn(async move {
            let query = engine.query(sql).await.expect("it plans");
            let mut stream = query.stream();
            let mut count = 0;
            while let Some(batch) = stream.next().await {
                count += batch.expect("it runs").num_rows();
                if number % 3 == 0 && count > number {
                    return None;
                }
            }
            Some(count)
        })
    });
    for outcome in futures::future::join_all(all).await {
        let count = outcome.expect("no panic");
        assert!(count.is_none_or(|count| count == ROWS as usize), "{count:?}");
    }
}

/// The end of one scan must not affect another through their shared read.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_reading_outlives_the_scan_that_began_it() {
    let (engine, endpoint) = engine().await;
    let sql = "SELECT count(*) FROM (SELECT n FROM asked LIMIT 1) UNION ALL SELECT count(*) FROM asked WHERE kind >= 0";
    assert_eq!(rows(&engine, sql).await, [["1"], ["300"]]);
    assert!(endpoint.read.lock().len() <= 2, "{:?}", endpoint.read);
}

/// Numbers that are read by blocking calls.
#[derive(Debug, Default, Table)]
#[table(name = "numbers", rows = 400)]
struct Number {
    /// The number.
    n: i64,
}

impl Rows for Number {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok((0..400).map(|n| Number { n }))
    }
}

/// More queries than any pool has threads: none holds a thread while it waits for another.
#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_queries_at_once_end() {
    let limits = Limits { batch_size: 16, ..Limits::default() };
    let engine =
        Engine::builder().tables(tables![&Sys::live(); Number]).limits(limits).build().await.expect("it builds");
    // Each reads more than its channels hold, twice, and is started before any result is read.
    let sql = "SELECT a.n FROM numbers a JOIN numbers b ON a.n = b.n + 1 WHERE b.n >= 0";
    let mut streams = Vec::new();
    for _ in 0..2000 {
        streams.push(engine.query(sql).await.expect("it plans").stream());
    }
    let count = |mut stream: indago_engine::BatchStream| async move {
        let mut count = 0;
        while let Some(batch) = stream.next().await {
            count += batch.expect("it runs").num_rows();
        }
        count
    };
    // The last one first, because results may be read in any order.
    let reading = async {
        for stream in streams.drain(1000..).rev() {
            assert_eq!(count(stream).await, 399);
        }
        assert_eq!(futures::future::join_all(streams.drain(..).map(count)).await, vec![399; 1000]);
    };
    timeout(Duration::from_secs(300), reading).await.expect("they end");
}

/// A session sees its own last query, and not that of another session.
#[tokio::test(flavor = "multi_thread")]
async fn each_session_has_its_own_last_query_and_views() {
    let (engine, _) = engine().await;
    let (one, other) = (engine.fork(), engine.fork());
    rows(&one, "SELECT count(*) FROM asked WHERE kind = 1").await;
    let scans = "SELECT table_name, filter FROM engine_scans";
    assert_eq!(rows(&one, scans).await, [["asked", "kind = 1"]]);
    for session in [&other, &engine] {
        assert_eq!(rows(session, scans).await, Vec::<Vec<String>>::new());
        assert_eq!(rows(session, "SELECT table_name FROM engine_coverage").await, Vec::<Vec<String>>::new());
    }
    rows(&one, "CREATE VIEW mine AS SELECT n FROM asked WHERE n < 3").await;
    assert_eq!(rows(&one, "SELECT count(*) FROM mine").await, [["3"]]);
    for session in [&other, &engine] {
        assert!(session.query("SELECT * FROM mine").await.is_err());
    }
}

/// A finished query caches nothing, however long its handle lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_over_keeps_no_rows() {
    let (engine, endpoint) = engine().await;
    let query = engine.query("SELECT count(*) FROM asked a JOIN asked b ON a.n = b.n").await.expect("it plans");
    let before = Arc::strong_count(&endpoint.read);
    let mut stream = query.stream();
    while let Some(batch) = stream.next().await {
        batch.expect("it runs");
    }
    assert_eq!((query.memory(), Arc::strong_count(&endpoint.read)), (0, before));
    // A dropped query ends at its next step.
    let dropped = engine.query("SELECT * FROM asked a JOIN asked b ON a.n = b.n").await.expect("it plans");
    let mut stream = dropped.stream();
    stream.next().await.expect("there are rows").expect("it runs");
    drop(stream);
    let ended = async {
        while dropped.memory() > 0 || Arc::strong_count(&endpoint.read) > before {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), ended).await.expect("it ends");
}
