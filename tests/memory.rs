//! The memory that a query is charged for is the memory that it holds: the pool compared with the allocator.
//!
//! A separate binary, because its allocator counts the memory of all threads.
#![allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use indago_engine::{Code, Dialect, Engine, Limits};
use indago_table::prelude::*;
use indago_table::tables;

/// The system's allocator, with counters for the current and the largest amount of memory.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grew(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: all memory comes from the system's allocator, with the requested layout.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grew(layout.size());
        // SAFETY: the caller's guarantee is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `alloc` above, which is the system's, allocated the block.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Rows with texts of about a hundred bytes.
#[derive(Debug, Default, Table)]
#[table(name = "events", rows = 100000)]
struct Event {
    /// The row's number.
    n: i64,
    /// One of a thousand hosts.
    host: String,
    /// A message; all are different.
    message: String,
}

/// Details of events, by number.
#[derive(Debug, Default, Table)]
#[table(name = "details", rows = 100000)]
struct Detail {
    /// The event's number.
    #[column(required)]
    n: i64,
    /// The details.
    text: String,
}

/// Documents that are fetched once, and shared by all scans.
#[derive(Debug, Default, Table)]
#[table(name = "documents", stream, rows = 100000)]
struct Document {
    /// The row's number.
    n: i64,
    /// The contents.
    text: String,
}

const ROWS: i64 = 200_000;

fn text(n: i64) -> String {
    format!("{n:010} something happened that takes about a hundred bytes to tell, which is what an event takes")
}

impl Rows for Event {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok((0..ROWS).map(|n| Event { n, host: format!("host-number-{:04}", n % 1000), message: text(n) }))
    }
}

impl Rows for Detail {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let keys = scan.keys(Self::N).unwrap_or_default();
        Ok(keys.into_iter().map(|n| Detail { n, text: text(n) }))
    }
}

impl RowStream for Document {
    type Part = &'static str;

    fn parts(_scan: &Scan<Self>) -> Result<Vec<Self::Part>> {
        Ok(vec!["all"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _part: &'a Self::Part) -> impl futures::Stream<Item = Result<Self>> + Send + 'a {
        let read = async {
            let texts: Vec<String> = (0..ROWS).map(text).collect();
            let size = texts.iter().map(|text| text.len() + 24).sum();
            Ok((texts, size))
        };
        let cached = async move {
            let texts = scan.cached("documents", read).await?;
            let row = move |n: usize| Ok(Document { n: n as i64, text: texts[n].clone() });
            Ok(futures::stream::iter((0..ROWS as usize).map(row)))
        };
        futures::TryStreamExt::try_flatten(futures::stream::once(cached))
    }
}

/// Kinds of queries that hold memory: rows for several scans, rows of keys, groups, sorted rows, sides of joins.
const SHAPES: [&str; 20] = [
    "SELECT count(*) FROM events a JOIN events b ON a.n = b.n",
    "SELECT count(*), max(a.message), max(b.message) FROM events a JOIN events b ON a.n = b.n + 1",
    "SELECT a.n FROM events a LEFT JOIN events b ON a.n = b.n + 5 WHERE b.message IS NULL OR b.n > 3",
    "SELECT count(*) FROM events WHERE n IN (SELECT n + 1 FROM events WHERE message > '0000100000')",
    "SELECT count(*) FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.n = a.n AND b.message > '0000100000')",
    "SELECT max(d.text) FROM events e JOIN details d ON d.n = e.n",
    "SELECT count(d.text) FROM events e LEFT JOIN details d ON d.n = e.n",
    "SELECT max(d.text), max(c.text) FROM events e JOIN details d ON d.n = e.n JOIN details c ON c.n = e.n + 1",
    "SELECT count(*) FROM (SELECT message, count(*) AS c FROM events GROUP BY message)",
    "SELECT count(DISTINCT message) FROM events",
    "SELECT count(*) FROM (SELECT DISTINCT message, host FROM events)",
    "SELECT host, max(message) FROM events GROUP BY host",
    "SELECT n, message FROM events ORDER BY message DESC",
    "SELECT n, message FROM events ORDER BY host, n",
    "SELECT sum(r) FROM (SELECT row_number() OVER (ORDER BY message) AS r FROM events)",
    "SELECT count(*) FROM (SELECT message FROM events UNION SELECT message FROM events)",
    "SELECT count(*) FROM (SELECT message FROM events EXCEPT SELECT message FROM events WHERE n > 100000)",
    "SELECT max(a.text) FROM documents a JOIN documents b ON a.n = b.n + 1",
    "SELECT count(*) FROM documents a, (SELECT max(text) AS m FROM documents) b WHERE a.text <= b.m",
    "SELECT (SELECT count(*) FROM documents) + (SELECT count(*) FROM events) + (SELECT count(*) FROM documents WHERE n > 5)",
];

/// Largest allowed ratio of charged to held memory, in either direction.
const TOLERANCE: f64 = 1.5;

/// Other memory: batches in transit, plans, threads.
const ASIDE: f64 = 16e6;

/// The tests count the memory of all threads, so one runs at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_charged_for_what_it_holds() {
    let _alone = ALONE.lock().await;
    let limits = Limits { memory: 2 << 30, ..Limits::default() };
    let tables = tables![&Sys::live(); Event, Detail, Document];
    let engine = Engine::builder().tables(tables).limits(limits).build().await.expect("the engine builds");
    let mut wrong = Vec::new();
    for sql in SHAPES {
        let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let before = HELD.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let mut stream = query.stream();
        while let Some(batch) = stream.next().await {
            batch.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        drop(stream);
        let (held, charged) = ((PEAK.load(Ordering::Relaxed) - before) as f64, query.peak_memory() as f64);
        let ratio = charged / held;
        println!("{:6.1} MB held, {:6.1} MB charged: {ratio:.2}  {sql}", held / 1e6, charged / 1e6);
        let too_little = held - ASIDE > TOLERANCE * charged;
        let too_much = charged > TOLERANCE * held + ASIDE;
        if too_little || too_much {
            wrong.push(format!("{:.1} MB held, {:.1} MB charged: {sql}", held / 1e6, charged / 1e6));
        }
        assert_eq!(query.memory(), 0, "{sql}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What functions would make is far beyond the limit, in one value, in one batch, of constants, step by step.
const TOO_MUCH: [(Dialect, &str); 37] = [
    (Dialect::DataFusion, "SELECT array_length(array_repeat('', 2000000000))"),
    (Dialect::DataFusion, "SELECT length(repeat('a', 500000000))"),
    (Dialect::DataFusion, "SELECT max(length(repeat('a', 1000000 + value))) FROM generate_series(1, 4000)"),
    (Dialect::DataFusion, "SELECT max(length(repeat('a', 1000000000 * value))) FROM generate_series(1, 4)"),
    (Dialect::DataFusion, "SELECT max(length(lpad('a', 1000000 + value, 'b'))) FROM generate_series(1, 4000)"),
    (Dialect::DataFusion, "SELECT max(length(rpad('a', 100000000 + value, 'b'))) FROM generate_series(1, 40)"),
    (
        Dialect::DataFusion,
        "SELECT max(length(replace(x, 'a', repeat('b', 1000) || value))) FROM (SELECT value, repeat('a', 9999 + value) AS x FROM generate_series(1, 400))",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(length(regexp_replace(x, 'a', repeat('b', 1000) || value, 'g'))) FROM (SELECT value, repeat('a', 9999 + value) AS x FROM generate_series(1, 400))",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(length(regexp_replace(x, '(.*)', repeat('$1', 20000)))) FROM (SELECT repeat('a', 9999 + value) AS x FROM generate_series(1, 400))",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(array_length(regexp_match(x, repeat('(a', 100) || repeat(')', 100)))) FROM (SELECT repeat('a', 99999 + value) AS x FROM generate_series(1, 4000))",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(array_length(array_repeat('text' || value, 1000000))) FROM generate_series(1, 400)",
    ),
    (Dialect::DataFusion, "SELECT max(array_length(array_repeat(value, 100000000))) FROM generate_series(1, 4)"),
    (Dialect::DataFusion, "SELECT max(array_length(range(0, 10000000 + value))) FROM generate_series(1, 100)"),
    (
        Dialect::DataFusion,
        "SELECT max(array_length(generate_series(0, 1000000000 + value))) FROM generate_series(1, 4)",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(array_length(generate_series(to_timestamp(value), to_timestamp(100000 + value), INTERVAL '1 microsecond'))) FROM generate_series(1, 4)",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(array_length(array_resize([1], 10000000 + value, 5))) FROM generate_series(1, 100)",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(length(array_to_string(a, repeat('b', 1000)))) FROM (SELECT range(0, 9999 + value) AS a FROM generate_series(1, 100))",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(array_length(array_replace_all(a, 'x', repeat('b', 10000)))) FROM (SELECT array_repeat('x', 9999 + value) AS a FROM generate_series(1, 100))",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(length(concat(x, x, x, x, x, x, x, x, x, x))) FROM (SELECT repeat('a', 10000 + value) AS x FROM generate_series(1, 4000))",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(length(concat_ws(repeat('b', 100000), x, x, x, x, x))) FROM (SELECT repeat('a', value) AS x FROM generate_series(1, 4000))",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(array_length(make_array(x, x, x, x, x, x, x, x, x, x))) FROM (SELECT repeat('a', 10000 + value) AS x FROM generate_series(1, 4000))",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(x) FROM (SELECT repeat('a', 30000000) AS x, value FROM generate_series(1, 4000)) WHERE value > 1",
    ),
    (Dialect::DataFusion, "SELECT length(string_agg(repeat('a', 9999 + value), ',')) FROM generate_series(1, 40000)"),
    (Dialect::DataFusion, "SELECT array_length(array_agg(repeat('a', 9999 + value))) FROM generate_series(1, 40000)"),
    (Dialect::Osquery, "SELECT max(length(repeat('a', 1000000 * (value % 2 + 1)))) FROM generate_series(1, 4000)"),
    (
        Dialect::Osquery,
        "SELECT max(length(replace(hex(zeroblob(5000 + value)), '0', hex(zeroblob(5000))))) FROM generate_series(1, 4000)",
    ),
    (Dialect::Osquery, "SELECT max(length(rpad('a', 1000000 + value, 'b'))) FROM generate_series(1, 4000)"),
    (Dialect::Osquery, "SELECT max(length(printf('%*d', 1000000 + value, 1))) FROM generate_series(1, 4000)"),
    (
        Dialect::Osquery,
        "SELECT max(length(json_array(x, x, x, x, x, x, x, x))) FROM (SELECT repeat('a', 10000 + value) AS x FROM generate_series(1, 4000))",
    ),
    (
        Dialect::Osquery,
        "SELECT max(length(array_to_string(range(0, 1000000 + value), ','))) FROM generate_series(1, 100)",
    ),
    (Dialect::Osquery, "SELECT max(length(to_base64(repeat('a', 100000 + value)))) FROM generate_series(1, 4000)"),
    (Dialect::Osquery, "SELECT length(group_concat(repeat('a', 9999 + value))) FROM generate_series(1, 40000)"),
    (
        Dialect::Osquery,
        "SELECT max(length(json_set('[' || repeat('1,', 1000000 + value) || '1]', '$[0]', 2))) FROM generate_series(1, 4)",
    ),
    (
        Dialect::Osquery,
        "SELECT max(length(json_remove('[' || repeat('{\"a\":1},', 500000 + value) || '1]', '$[0]'))) FROM generate_series(1, 4)",
    ),
    (
        Dialect::Osquery,
        "SELECT count(*) FROM (SELECT '[' || repeat('1,', 1000000 + value) || '1]' AS x FROM generate_series(1, 4)), json_each(x)",
    ),
    (
        Dialect::Osquery,
        "SELECT count(*) FROM (SELECT '{\"' || repeat('k', 100000 + value) || '\":[' || repeat('1,', 10000) || '1]}' AS x FROM generate_series(1, 4)), json_tree(x)",
    ),
    (
        Dialect::DataFusion,
        "SELECT max(array_length(string_to_array(x, NULL))) FROM (SELECT repeat('a', 9999999 + value) AS x FROM generate_series(1, 4))",
    ),
];

/// Long values that fit.
const FITTING: [(Dialect, &str, &str); 10] = [
    (Dialect::DataFusion, "SELECT sum(length(repeat('a', 10000))) FROM generate_series(1, 4000)", "40000000"),
    (Dialect::DataFusion, "SELECT max(length(repeat('a', 1000 + value))) FROM generate_series(1, 4000)", "5000"),
    (Dialect::DataFusion, "SELECT sum(array_length(range(0, value))) FROM generate_series(1, 1000)", "500500"),
    (
        Dialect::Osquery,
        "SELECT count(x) FROM (SELECT repeat('a', 1000000) AS x, value FROM generate_series(1, 4000)) WHERE value > 1",
        "3999",
    ),
    (Dialect::Osquery, "SELECT max(length(repeat('a', 1000 + value))) FROM generate_series(1, 4000)", "5000"),
    (
        Dialect::Osquery,
        "SELECT length(max(x)) FROM (SELECT repeat('a', 1000000) AS x, value FROM generate_series(1, 4000)) WHERE value > 1",
        "1000000",
    ),
    // Documents are read without a tree, which would take far more than the limit.
    (
        Dialect::Osquery,
        "SELECT max(json_valid('[' || repeat('1,', 3000000 + value) || '1]')) FROM generate_series(1, 1)",
        "1",
    ),
    (
        Dialect::Osquery,
        "SELECT max(json_array_length('[' || repeat('1,', 3000000 + value) || '1]')) FROM generate_series(1, 1)",
        "3000002",
    ),
    (
        Dialect::Osquery,
        "SELECT max(json_extract('[' || repeat('1,', 3000000 + value) || '2]', '$[#-1]')) FROM generate_series(1, 1)",
        "2",
    ),
    (
        Dialect::Osquery,
        "SELECT max(json_type('[' || repeat('{\"a\":1},', 600000 + value) || 'null]', '$[0].a')) FROM generate_series(1, 1)",
        "integer",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn functions_make_no_more_than_the_limit() {
    const LIMIT: usize = 64 << 20;
    let _alone = ALONE.lock().await;
    let limits = || Limits { memory: LIMIT, ..Limits::default() };
    let engine = async |dialect| Engine::builder().dialect(dialect).limits(limits()).build().await.expect("it builds");
    let (osquery, plain) = (engine(Dialect::Osquery).await, engine(Dialect::DataFusion).await);
    let mut wrong = Vec::new();
    let statements = TOO_MUCH.iter().map(|(dialect, sql)| (dialect, sql, None));
    let fitting = FITTING.iter().map(|(dialect, sql, answer)| (dialect, sql, Some(*answer)));
    for (dialect, sql, answer) in statements.chain(fitting) {
        let engine = if *dialect == Dialect::Osquery { &osquery } else { &plain };
        let before = HELD.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let outcome = match engine.query(sql).await {
            Ok(query) => query.collect().await,
            Err(error) => Err(error),
        };
        let held = PEAK.load(Ordering::Relaxed) - before;
        let outcome = outcome.map(|batches| {
            let column = batches[0].column(0);
            arrow_cast::display::array_value_to_string(column, 0).expect("a value")
        });
        println!("{:6.1} MB held: {sql}: {outcome:?}", held as f64 / 1e6);
        let is_right = match (&outcome, answer) {
            (Ok(given), Some(answer)) => given == answer,
            (Err(error), None) => error.code() == Code::Memory,
            _ => false,
        };
        // A value exists twice while it is copied to its cache.
        if !is_right || held > 3 * LIMIT {
            wrong.push(format!("{dialect:?} {:.1} MB held: {sql}: {outcome:?}", held as f64 / 1e6));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
