//! Tables of events, and consumers that read each event once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow_array::builder::{ArrayBuilder, Int64Builder, StringViewBuilder};
use futures::StreamExt;
use indago::packs::{PackQuery, Status};
use indago_engine::{Code, Engine, EngineBuilder, QueryOptions};
use indago_table::prelude::*;
use indago_table::scan::BoxFuture;
use indago_table::{AnyRow, ColumnSpec, EventLimits, EventSource, Events, Kind, Scalar, TableSpec};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::support::texts;

/// A source that emits the events that a test sends.
#[derive(Debug)]
struct Feed {
    rings: Mutex<mpsc::UnboundedReceiver<(i64, &'static str, oneshot::Sender<()>)>>,
    started: Arc<AtomicUsize>,
    /// Reports that the source was stopped.
    ended: mpsc::UnboundedSender<()>,
}

/// The test's side of the source.
struct Bell {
    rings: mpsc::UnboundedSender<(i64, &'static str, oneshot::Sender<()>)>,
    started: Arc<AtomicUsize>,
    ended: mpsc::UnboundedReceiver<()>,
}

impl Bell {
    fn new() -> (Feed, Bell) {
        let (rings, heard) = mpsc::unbounded_channel();
        let (ends, ended) = mpsc::unbounded_channel();
        let started = Arc::<AtomicUsize>::default();
        let feed = Feed { rings: Mutex::new(heard), started: started.clone(), ended: ends };
        (feed, Bell { rings, started, ended })
    }

    /// Rings, and waits until the source has emitted the events.
    async fn ring(&self, doors: impl IntoIterator<Item = (i64, &'static str)>) {
        for (door, who) in doors {
            let (heard, is_heard) = oneshot::channel();
            self.rings.send((door, who, heard)).expect("the source is running");
            is_heard.await.expect("it listens");
        }
    }

    fn started(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }
}

struct Ring(i64, &'static str);

impl AnyRow for Ring {
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder) {
        let builder = builder.as_any_mut();
        match column {
            0 => builder.downcast_mut::<Int64Builder>().expect("door").append_value(self.0),
            _ => builder.downcast_mut::<StringViewBuilder>().expect("who").append_value(self.1),
        }
    }

    fn key(&self, column: usize) -> Option<Scalar> {
        (column == 0).then_some(Scalar::Integer(self.0))
    }
}

impl EventSource for Feed {
    fn spec(&self) -> TableSpec {
        let mut door = ColumnSpec::new("door", Kind::BigInt, "The door.");
        door.index = true;
        TableSpec::new("rings", "house", "Who rang at a door.", vec![door, ColumnSpec::new("who", Kind::Text, "Who.")])
    }

    fn listen<'a>(&'a self, events: &'a Events) -> BoxFuture<'a, Result<()>> {
        struct Listens<'a>(&'a Feed);
        impl Drop for Listens<'_> {
            fn drop(&mut self) {
                let _ = self.0.ended.send(());
            }
        }
        Box::pin(async move {
            let _listens = Listens(self);
            self.started.fetch_add(1, Ordering::Relaxed);
            let mut rings = self.rings.lock().await;
            while let Some((door, who, heard)) = rings.recv().await {
                events.emit(Ring(door, who), 0);
                let _ = heard.send(());
            }
            Ok(())
        })
    }
}

/// Doors, the last of which cannot be opened.
#[derive(Debug, Default, Table)]
#[table(name = "doors", rows = 3)]
struct Door {
    /// Its number.
    id: i64,
    /// Whether it opens.
    #[column(source = opens)]
    opens: Option<bool>,
}

impl Rows for Door {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok((1..=3).map(|id| Door { id, opens: None }))
    }
}

impl Door {
    fn opens(&mut self, _sys: &Sys) -> Result<()> {
        self.opens = Some(true);
        if self.id == 3 { Err(Error::denied("door 3")) } else { Ok(()) }
    }
}

const FIVE: [(i64, &str); 5] = [(1, "ann"), (2, "bob"), (1, "cat"), (3, "dan"), (2, "eve")];

fn builder(feed: Feed, rows: usize) -> EngineBuilder {
    let limits = EventLimits { rows, ..EventLimits::default() };
    Engine::builder().table(Door::table(&Sys::live())).events(feed, limits)
}

async fn house(rows: usize) -> (Engine, Bell) {
    let (feed, bell) = Bell::new();
    let engine = builder(feed, rows).build().await.expect("the engine builds");
    engine.start_events();
    (engine, bell)
}

fn of(consumer: &str) -> QueryOptions {
    QueryOptions::default().consumer(consumer)
}

/// The first column of a query's rows, and its warnings.
async fn ask(engine: &Engine, sql: &str, options: QueryOptions) -> (Vec<String>, Vec<String>) {
    let query = engine.query_with(sql, options).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = texts(&query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}")));
    (rows.into_iter().map(|row| row[0].clone()).collect(), query.warnings().iter().map(ToString::to_string).collect())
}

async fn rows(engine: &Engine, sql: &str, options: QueryOptions) -> Vec<String> {
    let (rows, warnings) = ask(engine, sql, options).await;
    assert_eq!(warnings, Vec::<String>::new(), "{sql}");
    rows
}

const ALL: &str = "SELECT who FROM rings";

#[tokio::test(flavor = "multi_thread")]
async fn events_are_a_table_like_any_other() {
    let (engine, bell) = house(100).await;
    bell.ring(FIVE).await;
    let plain = QueryOptions::default;
    for (sql, expected) in [
        (ALL, "ann bob cat dan eve"),
        ("SELECT who FROM rings WHERE door = 2", "bob eve"),
        ("SELECT who FROM rings WHERE door IN (1, 3) AND who <> 'cat'", "ann dan"),
        ("SELECT who FROM rings LIMIT 2", "ann bob"),
        ("SELECT who FROM rings WHERE eid > 3", "dan eve"),
        ("SELECT max(eid) FROM rings", "5"),
        ("SELECT count(*) FROM rings", "5"),
        ("SELECT b.who FROM rings a JOIN rings b ON b.door = a.door AND b.eid > a.eid ORDER BY b.eid", "cat eve"),
        ("SELECT r.who FROM doors d JOIN rings r ON r.door = d.id WHERE d.id = 3", "dan"),
        ("SELECT who FROM (SELECT * FROM rings) AS r ORDER BY who DESC LIMIT 1", "eve"),
    ] {
        // A query without a consumer reads all events, each time.
        for _ in 0..2 {
            assert_eq!(rows(&engine, sql, plain()).await.join(" "), expected, "{sql}");
        }
        let consumer = of(sql);
        assert_eq!(rows(&engine, sql, consumer.clone()).await.join(" "), expected, "{sql}");
    }
    let columns = engine.query("SELECT * FROM rings").await.expect("it plans").schema();
    assert_eq!(columns.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["door", "who"]);
    assert_eq!(bell.started(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_reads_each_event_once() {
    let (engine, bell) = house(100).await;
    bell.ring(FIVE).await;
    assert_eq!(rows(&engine, ALL, of("one")).await, ["ann", "bob", "cat", "dan", "eve"]);
    assert_eq!(rows(&engine, ALL, of("one")).await, Vec::<String>::new());
    bell.ring([(1, "fay"), (2, "gus")]).await;
    assert_eq!(rows(&engine, "SELECT who FROM rings WHERE door = 2", of("one")).await, ["gus"]);
    assert_eq!(rows(&engine, ALL, of("one")).await, Vec::<String>::new(), "a filter skips events");
    assert_eq!(rows(&engine, ALL, of("late")).await.len(), 7);
    assert_eq!(rows(&engine, "SELECT count(*) FROM rings", QueryOptions::default()).await, ["7"]);
    // A self-join reads the same events on both sides.
    bell.ring([(7, "hal"), (7, "ida")]).await;
    let pairs = "SELECT a.who || b.who FROM rings a JOIN rings b ON a.door = b.door ORDER BY 1";
    assert_eq!(rows(&engine, pairs, of("one")).await, ["halhal", "halida", "idahal", "idaida"]);
    assert_eq!(rows(&engine, pairs, of("one")).await, Vec::<String>::new());
    // A join without matching rows returns nothing.
    bell.ring([(8, "joe")]).await;
    let none = "SELECT r.who FROM (SELECT id FROM doors WHERE id > 9) d JOIN rings r ON r.door = d.id";
    assert_eq!(rows(&engine, none, of("one")).await, Vec::<String>::new());
    engine.forget_consumer("one");
    assert_eq!(rows(&engine, ALL, of("one")).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_query_that_does_not_end_well_come_again() {
    let (engine, bell) = house(100).await;
    bell.ring(FIVE).await;
    let consumer = || of("one");
    // The query is cancelled, before and after its first batch.
    let query = engine.query_with(ALL, consumer()).await.expect("it plans");
    drop(query.stream());
    let mut stream = query.stream();
    assert!(stream.next().await.expect("an answer").is_err(), "a query runs once");
    let query = engine.query_with(ALL, consumer()).await.expect("it plans");
    let mut stream = query.stream();
    stream.next().await.expect("a batch").expect("rows");
    drop(stream);
    // The query fails while it runs: by its memory limit, by a condition, or because it is strict and rows are missing.
    let small = QueryOptions { memory: Some(1), ..consumer() };
    let joined = "SELECT a.who FROM rings a JOIN rings b ON a.door = b.door";
    let query = engine.query_with(joined, small).await.expect("it plans");
    assert_eq!(query.collect().await.expect_err("a byte is not enough").code(), Code::Memory);
    let strict = QueryOptions { strict: true, ..consumer() };
    let partial = "SELECT r.who FROM rings r JOIN doors d ON d.id = r.door WHERE d.opens IS NOT NULL OR d.id = 3";
    let query = engine.query_with(partial, strict).await.expect("it plans");
    assert_eq!(query.collect().await.expect_err("a door is missing").code(), Code::Incomplete);
    // EXPLAIN returns no events.
    ask(&engine, "EXPLAIN ANALYZE SELECT who FROM rings", consumer()).await;
    ask(&engine, "EXPLAIN SELECT who FROM rings", consumer()).await;
    assert_eq!(rows(&engine, ALL, consumer()).await.len(), 5);

    // A caller that stores the rows advances the cursor itself, when they are stored.
    bell.ring([(1, "fay")]).await;
    let query = engine.query_with(ALL, consumer().hold()).await.expect("it plans");
    query.taken().advance();
    assert_eq!(query.collect().await.expect("rows").len(), 1);
    assert_eq!(rows(&engine, ALL, consumer().hold()).await, ["fay"]);
    query.taken().advance();
    assert_eq!(rows(&engine, ALL, consumer()).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_loses_no_event() {
    let (engine, bell) = house(10_000).await;
    bell.ring(FIVE).await;
    let two = "SELECT who FROM rings WHERE who <> 'bob' LIMIT 2";
    let taken: Vec<_> = [rows(&engine, two, of("a")).await, rows(&engine, two, of("a")).await].concat();
    assert_eq!(taken, ["ann", "cat", "dan", "eve"]);
    assert_eq!(rows(&engine, two, of("a")).await, Vec::<String>::new());
    let inner = "SELECT r.who FROM (SELECT * FROM rings LIMIT 3) r JOIN doors d ON d.id = r.door";
    let taken = [rows(&engine, inner, of("b")).await, rows(&engine, inner, of("b")).await].concat();
    assert_eq!(taken.len(), 5);
    // A query that sorts has read all events.
    assert_eq!(rows(&engine, "SELECT who FROM rings ORDER BY who DESC LIMIT 1", of("c")).await, ["eve"]);
    assert_eq!(rows(&engine, ALL, of("c")).await, Vec::<String>::new());
    // A query that ends before it has read all events has a warning.
    bell.ring((0..5000).map(|_| (1, "mob"))).await;
    let early = "SELECT r.who FROM doors d, rings r WHERE d.id < r.door + 5 LIMIT 1";
    let (seen, warnings) = ask(&engine, early, of("d")).await;
    assert_eq!((seen.len(), warnings.len()), (1, 1), "{warnings:?}");
    assert!(warnings[0].contains("put a LIMIT over a join into a subquery over the events"), "{warnings:?}");
    assert_eq!(rows(&engine, ALL, of("d")).await.len(), 5005);
    let none = ask(&engine, early, QueryOptions::default()).await.1;
    assert_eq!(none, Vec::<String>::new(), "no cursor is involved");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_consumer_missed_is_a_warning() {
    let (engine, bell) = house(3).await;
    assert_eq!(rows(&engine, ALL, of("a")).await, Vec::<String>::new());
    bell.ring(FIVE).await;
    let expected = "rings (buffer): 2 events were dropped before this query read them: the buffer is limited to 3";
    let strict = QueryOptions { strict: true, ..of("a") };
    let query = engine.query_with(ALL, strict.clone()).await.expect("it plans");
    let error = query.collect().await.expect_err("two are missing");
    assert!(error.code() == Code::Incomplete && error.to_string().contains(expected), "{error}");
    let coverage = query.coverage();
    assert_eq!(coverage[0].completeness, indago_engine::Completeness::Partial);
    assert_eq!(rows(&engine, ALL, strict).await, ["cat", "dan", "eve"], "dropped events are reported once");
    bell.ring(FIVE).await;
    let (seen, warnings) = ask(&engine, ALL, of("a")).await;
    assert!(seen.len() == 3 && warnings[0].starts_with(expected), "{warnings:?}");
    assert_eq!(rows(&engine, ALL, of("b")).await.len(), 3, "a new consumer missed nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_listened_to_from_the_first_query_until_the_engine_goes() {
    let (feed, mut bell) = Bell::new();
    let engine = builder(feed, 100).build().await.expect("the engine builds");
    engine.query("EXPLAIN SELECT * FROM rings").await.expect("it plans").collect().await.expect("it runs");
    assert_eq!(bell.started(), 0, "no query has read it");
    let (none, warnings) = ask(&engine, ALL, QueryOptions::default()).await;
    assert!(none.is_empty() && warnings[0].contains("the event source was not running"), "{warnings:?}");
    bell.ring(FIVE).await;
    assert_eq!(rows(&engine, ALL, of("a")).await.len(), 5);
    assert_eq!(bell.started(), 1);

    engine.stop_events();
    bell.ended.recv().await.expect("it stops");
    engine.start_events();
    bell.ring([(1, "fay")]).await;
    assert_eq!(bell.started(), 2);
    let (seen, warnings) = ask(&engine, ALL, of("a")).await;
    assert!(seen == ["fay"] && warnings[0].contains("the event source was stopped"), "{warnings:?}");

    let other = engine.fork();
    assert_eq!(rows(&other, ALL, of("a")).await, Vec::<String>::new(), "sessions share cursors");
    drop(engine);
    assert!(bell.ended.try_recv().is_err());
    drop(other);
    bell.ended.recv().await.expect("the source stops with the engine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_of_a_pack_is_a_consumer() {
    let (engine, bell) = house(100).await;
    bell.ring(FIVE).await;
    let query = |name: &str| PackQuery::new(name, ALL);
    let run = async |name: &str, options: QueryOptions| {
        let mut rows = 0;
        let report = indago::packs::run(&engine, &query(name), &options, |batch| rows += batch.num_rows()).await;
        assert!(matches!(report.status, Status::Ok), "{report:?}");
        assert!(report.reads_events);
        (rows, report.taken.expect("it ran"))
    };
    assert_eq!(run("a", QueryOptions::default()).await.0, 5);
    assert_eq!(run("a", QueryOptions::default()).await.0, 0);
    let (rows, taken) = run("b", QueryOptions::default().hold()).await;
    assert_eq!((rows, run("b", QueryOptions::default().hold()).await.0), (5, 5), "nothing has confirmed them");
    taken.advance();
    assert_eq!(run("b", QueryOptions::default()).await.0, 0);
    assert_eq!(run("c", of("b")).await.0, 0, "the options name the consumer");
    assert_eq!(run("c", QueryOptions { timeout: Some(Duration::from_secs(60)), ..QueryOptions::default() }).await.0, 5);
}

#[tokio::test]
async fn osquery_events_shows_sources_and_consumers() {
    let (engine, bell) = house(3).await;
    let shown = async |engine: &Engine| {
        let query = engine.query("SELECT name, type, subscriptions, events, active FROM osquery_events ORDER BY type");
        texts(&query.await.expect("a plan").collect().await.expect("rows"))
    };
    // One event has started the source.
    assert_eq!(shown(&engine).await, [["rings", "publisher", "0", "1", "1"], ["rings", "subscriber", "0", "1", "1"]]);
    bell.ring(FIVE).await;
    rows(&engine, "SELECT door FROM rings", of("one")).await;
    let expected = [["rings", "publisher", "1", "6", "1"], ["rings", "subscriber", "1", "6", "1"]];
    assert_eq!(shown(&engine).await, expected, "events that were dropped count too");
    engine.stop_events();
    assert_eq!(shown(&engine).await[0], ["rings", "publisher", "1", "6", "0"]);
}
