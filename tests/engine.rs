//! The engine's promises, on tables that count their reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow_array::{Int64Array, RecordBatch};
use futures::StreamExt;
use indago_engine::{Code, Dialect, Engine, EngineBuilder, Limits, QueryOptions};
use indago_table::prelude::*;
use indago_table::{ColumnSpec, Kind, Reading, ScanContext, Sink, Slice, Table, TableSpec};
use parking_lot::Mutex;

use crate::support::{rows, texts};

/// Counts the reads of the tables.
#[derive(Debug, Clone, Default)]
struct Lab(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    lookups: Mutex<Vec<Vec<i64>>>,
    cased_lookups: Mutex<Vec<Vec<NoCase>>>,
    whole_readings: AtomicUsize,
    sources: AtomicUsize,
    /// How often each source ran.
    runs: Mutex<BTreeMap<&'static str, usize>>,
    /// Parts that are being read now, and the highest number so far.
    parts: Mutex<(usize, usize)>,
    endless_stopped: AtomicBool,
    call_stopped: AtomicBool,
    call_started: AtomicBool,
    endless_given: AtomicUsize,
}

impl Environment for Lab {
    const NAME: &'static str = "lab";
}

impl Lab {
    fn engine(&self) -> EngineBuilder {
        Engine::builder().tables(indago_table::tables![self;
            Thing, Keyed, Endless, Failing, Sparse, Denied, Cased, Mention, Costly, CostlyStream, InParts, Stuck,
            Entry, KnownEntry, Member
        ])
    }

    /// Records that a source ran.
    fn ran(&self, source: &'static str) {
        *self.0.runs.lock().entry(source).or_default() += 1;
    }

    /// Runs of each source since the last call.
    fn runs(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut *self.0.runs.lock())
    }

    /// Keys that `keyed` was read for, with repetitions.
    fn keys(&self) -> Vec<i64> {
        let mut keys: Vec<i64> = self.0.lookups.lock().iter().flatten().copied().collect();
        keys.sort_unstable();
        keys
    }
}

/// Things with a key of `keyed`, twice each; the last has none.
#[derive(Debug, Default, Table)]
#[table(name = "things", env = Lab, rows = 10)]
struct Thing {
    /// Its number.
    #[column(index)]
    id: i64,
    /// The key of `keyed`.
    target: Option<i64>,
    /// A name that costs a read.
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

/// Needs a constraint on its key. Odd keys are absent.
#[derive(Debug, Default, Table)]
#[table(name = "keyed", env = Lab)]
struct Keyed {
    /// The key.
    #[column(required)]
    key: i64,
    /// Its square.
    square: i64,
    /// Its cube, which costs a read.
    #[column(source = cube)]
    cube: Option<i64>,
}

impl Rows for Keyed {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let keys = scan.keys(Self::KEY).unwrap_or_default();
        scan.env().0.lookups.lock().push(keys.clone());
        // Uneven, so that concurrent lookups end at different times.
        let slow = |key: &i64| std::thread::sleep(Duration::from_millis(5 * (*key).unsigned_abs()));
        Ok(keys.into_iter().inspect(slow).filter(|key| key % 2 == 0).map(|key| Keyed {
            key,
            square: key * key,
            cube: None,
        }))
    }
}

impl Keyed {
    fn cube(&mut self, lab: &Lab) -> Result<()> {
        lab.ran("cube");
        self.cube = Some(self.key.pow(3));
        Ok(())
    }
}

/// An infinite number of rows.
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

/// Sets a flag on drop.
struct Flag(Lab, fn(&Counts) -> &AtomicBool);

impl Drop for Flag {
    fn drop(&mut self) {
        self.1(&self.0.0).store(true, Ordering::Relaxed);
    }
}

/// Rows of an endpoint that never responds.
#[derive(Debug, Default, Table)]
#[table(name = "stuck", env = Lab, stream)]
struct Stuck {
    /// The row's number.
    n: i64,
}

impl RowStream for Stuck {
    type Part = &'static str;

    fn parts(_scan: &Scan<Self>) -> Result<Vec<Self::Part>> {
        Ok(vec!["all"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _part: &'a Self::Part) -> impl futures::Stream<Item = Result<Self>> + Send + 'a {
        futures::stream::once(scan.call("nowhere", "GET /", || {
            let lab = scan.env().clone();
            async move {
                lab.0.call_started.store(true, Ordering::Relaxed);
                let _flag = Flag(lab, |counts| &counts.call_stopped);
                std::future::pending().await
            }
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
                _ => Err(Error::Malformed("the bad part failed".to_owned())),
            }
            .map_or_else(|error| vec![Err(error)], |row| vec![Ok(row)]),
        )
    }
}

/// A row with a column that is denied.
#[derive(Debug, Default, Table)]
#[table(name = "denied", env = Lab)]
struct Denied {
    /// The row's number.
    n: i64,
    /// The denied column.
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

/// Rows of which every second one is gone while it is read.
#[derive(Debug, Default, Table)]
#[table(name = "sparse", env = Lab)]
struct Sparse {
    /// The row's number.
    n: i64,
    /// A detail of the remaining rows.
    #[column(source = detail)]
    detail: Option<i64>,
    /// A hidden column.
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

/// Things whose names are in any case and compare without it.
#[derive(Debug, Default, Table)]
#[table(name = "cased", env = Lab, rows = 1000)]
struct Cased {
    /// The name.
    #[column(required, collate = nocase)]
    id: Option<String>,
    /// The row's number.
    n: i64,
}

impl Rows for Cased {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let keys = scan.keys(Self::ID).unwrap_or_default();
        scan.env().0.cased_lookups.lock().push(keys.clone());
        let all = [Some("Ab"), Some("aB"), Some("CD"), Some("xyz"), None];
        let rows = all.into_iter().zip(0..).map(|(id, n)| Cased { id: id.map(str::to_owned), n });
        Ok(rows.filter(move |row| keys.iter().any(|key| row.id.as_deref().is_some_and(|id| key.matches(id)))))
    }
}

/// Names that are compared byte by byte.
#[derive(Debug, Default, Table)]
#[table(name = "mentions", env = Lab, rows = 4)]
struct Mention {
    /// The name.
    word: Option<String>,
}

impl Rows for Mention {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let words = [Some("ab"), Some("AB"), Some("CD"), Some("none"), None];
        Ok(words.into_iter().map(|word| Mention { word: word.map(str::to_owned) }))
    }
}

/// Entries of directories; one path has two rows.
const ENTRIES: [(&str, &str, i64); 8] = [
    ("/a", "/a/one", 1),
    ("/a", "/a/two", 2),
    ("/a", "/a/Three", 3),
    ("/a/b", "/a/b/one", 4),
    ("/a/b", "/a/b/four", 5),
    ("/c", "/c/one", 6),
    ("/c", "/c/one", 7),
    ("/c", "/c/five", 8),
];

/// Needs a constraint on paths or directories. As in `file`, a `%` of a pattern does not match subdirectories.
#[derive(Debug, Default, Table)]
#[table(name = "entries", env = Lab, require_any(path, folder))]
struct Entry {
    /// The path.
    #[column(index, pattern)]
    path: String,
    /// The directory.
    #[column(index, pattern)]
    folder: String,
    /// The row's number.
    n: i64,
}

impl Rows for Entry {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        scan.env().ran("entries");
        let (paths, folders) = (scan.keys(Self::PATH), scan.keys(Self::FOLDER));
        let (path_like, folder_like) = (scan.patterns(Self::PATH).to_vec(), scan.patterns(Self::FOLDER).to_vec());
        let is_like = |text: &str, patterns: &[indago_table::Pattern]| {
            let matches = |pattern: &indago_table::Pattern| {
                let (text, prefix) = (text.to_lowercase(), pattern.prefix().to_lowercase());
                let is_deep = pattern.like.contains("%%");
                text.strip_prefix(&prefix).is_some_and(|rest| is_deep || !rest.contains('/'))
            };
            !patterns.is_empty() && patterns.iter().all(matches)
        };
        let rows = ENTRIES.map(|(folder, path, n)| Entry { path: path.into(), folder: folder.into(), n });
        Ok(rows.into_iter().filter(move |row| match (&paths, &folders) {
            (Some(paths), _) => paths.contains(&row.path),
            (_, Some(folders)) => folders.contains(&row.folder),
            _ => is_like(&row.path, &path_like) || is_like(&row.folder, &folder_like),
        }))
    }
}

/// The same entries and more, without required keys.
#[derive(Debug, Default, Table)]
#[table(name = "known_entries", env = Lab, rows = 10)]
struct KnownEntry {
    /// The path.
    path: String,
    /// The directory.
    folder: String,
    /// The row's number.
    n: i64,
    /// Another path.
    alias: Option<String>,
}

impl Rows for KnownEntry {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let alias = |n: i64| (n % 3 > 0).then(|| ENTRIES[n as usize % 4].1.to_owned());
        let rows = ENTRIES.map(|(folder, path, n)| KnownEntry {
            path: path.into(),
            folder: folder.into(),
            n,
            alias: alias(n),
        });
        Ok(rows.into_iter())
    }
}

/// Many rows that are looked up by a number, or by a zone that they share.
#[derive(Debug, Default, Table)]
#[table(name = "members", env = Lab, rows = 1000)]
struct Member {
    /// The zone.
    #[column(slice)]
    zone: i64,
    /// The number.
    #[column(index)]
    id: i64,
}

impl Rows for Member {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok((0..1000).map(|id| Member { zone: id % 2, id }))
    }
}

/// Rows with columns that cost a read each.
#[derive(Debug, Default, Table)]
#[table(name = "costly", env = Lab, rows = 100)]
struct Costly {
    /// The row's number.
    n: i64,
    /// Cheap.
    #[column(source = label)]
    label: Option<String>,
    /// Expensive.
    #[column(source = detail)]
    detail: Option<i64>,
    /// Also expensive; gone for number 5 and denied for the others.
    #[column(source = secret)]
    secret: Option<i64>,
}

impl Rows for Costly {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok((0..100).map(|n| Costly { n, ..Costly::default() }))
    }
}

impl Costly {
    fn label(&mut self, lab: &Lab) -> Result<()> {
        lab.ran("label");
        self.label = Some(format!("label {}", self.n % 10));
        Ok(())
    }

    fn detail(&mut self, lab: &Lab) -> Result<()> {
        lab.ran("detail");
        self.detail = Some(self.n * 2);
        Ok(())
    }

    fn secret(&mut self, lab: &Lab) -> Result<()> {
        lab.ran("secret");
        if self.n == 5 { Err(Error::Gone("row 5".to_owned())) } else { Err(Error::denied("the secret")) }
    }
}

/// The same as a stream in two parts.
#[derive(Debug, Default, Table)]
#[table(name = "costly_stream", env = Lab, stream, rows = 100)]
struct CostlyStream {
    /// The row's number.
    n: i64,
    /// Cheap.
    #[column(source = label)]
    label: Option<String>,
    /// Expensive.
    #[column(source = detail)]
    detail: Option<i64>,
    /// Also expensive; gone for number 5 and denied for the others.
    #[column(source = secret)]
    secret: Option<i64>,
}

impl RowStream for CostlyStream {
    type Part = i64;

    fn parts(_scan: &Scan<Self>) -> Result<Vec<Self::Part>> {
        Ok(vec![0, 50])
    }

    fn rows<'a>(_scan: &'a Scan<Self>, part: &'a Self::Part) -> impl futures::Stream<Item = Result<Self>> + Send + 'a {
        futures::stream::iter((*part..*part + 50).map(|n| Ok(CostlyStream { n, ..CostlyStream::default() })))
    }
}

impl CostlyStream {
    async fn label(&mut self, scan: &Scan<Self>) -> Result<()> {
        scan.env().ran("label");
        tokio::task::yield_now().await;
        self.label = Some(format!("label {}", self.n % 10));
        Ok(())
    }

    async fn detail(&mut self, scan: &Scan<Self>) -> Result<()> {
        scan.env().ran("detail");
        self.detail = Some(self.n * 2);
        Ok(())
    }

    async fn secret(&mut self, scan: &Scan<Self>) -> Result<()> {
        scan.env().ran("secret");
        if self.n == 5 { Err(Error::Gone("row 5".to_owned())) } else { Err(Error::denied("the secret")) }
    }
}

/// Two rows of each of six parts; the fourth part cannot be read.
#[derive(Debug, Default, Table)]
#[table(name = "in_parts", env = Lab, parts)]
struct InParts {
    /// The part.
    part: i64,
    /// The row's number.
    n: i64,
}

impl RowParts for InParts {
    type Part = i64;

    fn parts(_scan: &Scan<Self>) -> Result<impl Iterator<Item = i64>> {
        Ok(0..6)
    }

    fn rows(scan: &Scan<Self>, part: i64) -> Result<impl Iterator<Item = Self>> {
        let lab = scan.env().clone();
        {
            let mut parts = lab.0.parts.lock();
            parts.0 += 1;
            parts.1 = parts.1.max(parts.0);
        }
        // Long enough for other parts to start.
        std::thread::sleep(Duration::from_millis(50));
        lab.0.parts.lock().0 -= 1;
        if part == 3 {
            return Err(Error::Malformed("broken".to_owned()));
        }
        Ok((0..2).map(move |n| InParts { part, n }))
    }
}

/// A table that is not a row type: numbers up to a hundred in two slices. It does not support conditions.
#[derive(Debug)]
struct ByHand(TableSpec);

impl ByHand {
    fn new() -> Self {
        let number = |name: &'static str| {
            let mut column = ColumnSpec::new(name, Kind::BigInt, "A number.");
            column.nullable = false;
            column
        };
        ByHand(TableSpec::new("by_hand", "lab", "Numbers.", vec![number("n"), number("tens")]))
    }
}

impl Table for ByHand {
    fn spec(&self) -> &TableSpec {
        &self.0
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let schema = Arc::new(self.0.schema().project(&context.columns).expect("columns of the table"));
        let slice = |from: i64| {
            let (schema, context) = (schema.clone(), context.clone());
            let read = move |sink: &mut dyn Sink| {
                let column = |column: &usize| -> arrow_array::ArrayRef {
                    let value = |n: i64| if *column == 0 { n } else { n / 10 };
                    Arc::new(Int64Array::from_iter_values((from..from + 50).map(value)))
                };
                let arrays = context.columns.iter().map(column).collect();
                let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(50));
                sink.blocking_send(RecordBatch::try_new_with_options(schema, arrays, &options).expect("it fits"));
                Ok(())
            };
            Slice::new("", Reading::Blocking(Box::new(read)))
        };
        Ok(vec![slice(0), slice(50)])
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
async fn what_depends_on_rows_is_looked_up_for_those_that_are_left() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    for sql in [
        "SELECT k.square FROM things t, LATERAL (SELECT square FROM keyed WHERE key = t.target) k WHERE t.id = 4",
        "SELECT k.square FROM things t JOIN LATERAL (SELECT square FROM keyed WHERE key = t.target) k ON t.id = 4",
        "SELECT (SELECT max(square) FROM keyed WHERE key = t.target AND square <> t.id) FROM things t WHERE t.id = 4 AND t.id < 9",
    ] {
        lab.0.lookups.lock().clear();
        assert_eq!(rows(&engine, sql).await.concat().len(), 1, "{sql}");
        assert_eq!(lab.keys(), [2], "{sql}");
    }
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
            assert_eq!(keys.len(), distinct.len(), "{sql} read a key twice: {keys:?}");
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
        assert!(error.help().is_some_and(|help| help.contains("key = '...'")), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_or_another_is_as_good_as_one() {
    // Each next to the same query of the table without required keys, and how often the keyed one is read.
    let cases = [
        ("SELECT path, n FROM {} WHERE path = '/a/one' OR folder = '/a/b'", 2),
        ("SELECT path, n FROM {} WHERE path = '/c/one' OR folder = '/c'", 2),
        ("SELECT path, n FROM {} WHERE path = '/a/one' OR path LIKE '/a/%%'", 2),
        ("SELECT n FROM {} WHERE path IN ('/a/one', '/c/one') OR path = '/a/b/one' OR path LIKE '/A/t%'", 2),
        ("SELECT n FROM {} WHERE path LIKE '/a/o%' OR path LIKE '/a/t%' OR path LIKE '/c/%'", 3),
        ("SELECT n FROM {} WHERE (path LIKE '/a/o%' OR path LIKE '/c/%') AND n > 6", 2),
        ("SELECT n FROM {} WHERE (path = '/a/one' AND n = 1) OR (path = '/c/one' AND n > 6)", 1),
        ("SELECT n FROM {} WHERE folder = '/c' OR (n < 5 AND (path = '/a/two' OR folder LIKE '/a/b%'))", 3),
        ("SELECT n FROM {} WHERE path = NULL OR folder = '/c'", 1),
        ("SELECT count(*) FROM {} WHERE path = '/c/one' OR folder LIKE '/%%'", 2),
        ("SELECT n FROM {} e WHERE e.path IS '/c/one'", 1),
        ("SELECT n FROM {} WHERE path GLOB '/a/t*'", 1),
        ("SELECT n FROM {} WHERE path GLOB '/c/[of]*' OR path GLOB '/a/?ne'", 2),
        ("WITH x AS (SELECT * FROM {}) SELECT n FROM x WHERE path = '/a/one' OR folder = '/c'", 2),
        ("SELECT e.n, t.id FROM {} e JOIN things t ON t.id = e.n WHERE e.path = '/a/two' OR e.folder = '/c'", 2),
        ("SELECT t.id, e.n FROM things t LEFT JOIN {} e ON e.n = t.id AND (e.path = '/a/two' OR e.folder = '/c')", 2),
    ];
    for (sql, readings) in cases {
        let lab = Lab::default();
        is_as_if_read_whole(&engine(&lab).await, sql).await;
        assert_eq!(lab.runs().get("entries").copied().unwrap_or_default(), readings, "{sql}");
    }
}

/// A query of the keyed entries returns the rows of the query of the table without required keys.
async fn is_as_if_read_whole(engine: &Engine, sql: &str) {
    let (keyed, whole) = (sql.replace("{}", "entries"), sql.replace("{}", "known_entries"));
    assert_eq!(rows(engine, &keyed).await, rows(engine, &whole).await, "{sql}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_come_from_one_place_or_another() {
    let engine = engine(&Lab::default()).await;
    for sql in [
        "SELECT n FROM {} WHERE path = '/c/one' OR path IN (SELECT path FROM known_entries WHERE n IN (1, 6))",
        "SELECT n FROM {} WHERE path LIKE '/a/%' OR path IN (SELECT path FROM known_entries WHERE n > 3)",
        "SELECT n FROM {} WHERE (path IN (SELECT path FROM known_entries WHERE n < 3) OR folder IN (SELECT folder FROM known_entries WHERE n = 6) OR path = '/a/b/one') AND n <> 7",
        "SELECT v.n, e.n FROM known_entries v JOIN {} e ON e.path = v.path OR e.path = v.alias",
        "SELECT v.n FROM known_entries v WHERE EXISTS (SELECT 1 FROM {} e WHERE e.path = v.alias OR e.folder = v.path || 'x')",
        "SELECT v.n FROM known_entries v WHERE NOT EXISTS (SELECT 1 FROM {} e WHERE (e.path = v.alias AND e.n > 1) OR e.path = v.folder)",
        "SELECT v.n, e.n FROM known_entries v LEFT JOIN {} e ON e.path IN (v.alias, v.path || 'x') AND e.n < 3",
    ] {
        is_as_if_read_whole(&engine, sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_two_patterns_name_comes_once_and_one_that_only_the_second_names_comes() {
    let engine = engine(&Lab::default()).await;
    let numbers = async |condition: &str| {
        let all = rows(&engine, &format!("SELECT n FROM entries WHERE {condition}")).await;
        all.into_iter().map(|mut row| row.remove(0)).collect::<Vec<_>>().join(" ")
    };
    // The first pattern does not match subdirectories, unlike the same pattern on text.
    assert_eq!(numbers("path LIKE '/a/%' OR path LIKE '/a/b/%'").await, "1 2 3 4 5");
    assert_eq!(numbers("path LIKE '/a/%%' OR path LIKE '/a/b/%'").await, "1 2 3 4 5");
    assert_eq!(numbers("path LIKE '/c/%' OR path LIKE '/c/o%' OR folder = '/c'").await, "6 7 8");
    assert_eq!(rows(&engine, "SELECT n FROM entries WHERE path LIKE '/a/%' OR folder = '/c' LIMIT 4").await.len(), 4);
    // A scan that occurs twice in a query is read once, and is not confused with one of other alternatives.
    let twice = "SELECT count(*) FROM entries a JOIN entries b ON a.n = b.n WHERE (a.path = '/a/one' OR a.folder = '/c') AND (b.path = '/a/two' OR b.folder = '/c')";
    assert_eq!(rows(&engine, twice).await, [["3"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_into_every_part_of_a_union_and_below_a_window() {
    let cases = [
        "SELECT v.n, u.n FROM known_entries v JOIN (SELECT path, n FROM {} UNION ALL SELECT path, 0 FROM {}) u ON u.path = v.path",
        "SELECT v.n, u.n FROM known_entries v LEFT JOIN (SELECT path, n FROM {} UNION SELECT alias, n FROM known_entries) u ON u.path = v.path",
        "SELECT v.n FROM known_entries v WHERE v.path IN (SELECT path FROM {} WHERE n > 3 UNION SELECT alias FROM known_entries)",
        "SELECT v.n, u.r FROM known_entries v JOIN (SELECT path, row_number() OVER (PARTITION BY path) r FROM {}) u ON u.path = v.alias",
        "SELECT alias FROM known_entries INTERSECT SELECT path FROM {}",
        "SELECT alias FROM known_entries EXCEPT SELECT path FROM {} WHERE n < 3",
    ];
    for sql in cases {
        let lab = Lab::default();
        let limits = Limits { lookup_batch: 2, ..Limits::default() };
        let engine = lab.engine().limits(limits).build().await.expect("the engine builds");
        is_as_if_read_whole(&engine, sql).await;
    }
    let engine = engine(&Lab::default()).await;
    for sql in [
        "SELECT u.r FROM known_entries v JOIN (SELECT path, row_number() OVER (PARTITION BY n) r FROM entries) u ON u.path = v.path",
        "SELECT u.r FROM known_entries v JOIN (SELECT path, row_number() OVER (ORDER BY path) r FROM entries) u ON u.path = v.path",
        "SELECT 1 FROM known_entries v JOIN (SELECT path FROM entries UNION ALL SELECT 'x' FROM entries) u ON u.path = v.path",
        "SELECT 1 FROM entries WHERE path = '/a/one' OR n = 3",
        "SELECT 1 FROM entries WHERE path IN (SELECT path FROM known_entries) OR n = 3",
    ] {
        let error = engine.query(sql).await.expect_err(sql);
        assert_eq!(error.code(), Code::KeyRequired, "{sql}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_is_said_where_the_table_is_read() {
    let engine = engine(&Lab::default()).await;
    let sql = "SELECT k.key FROM things t, keyed AS k WHERE t.id = 3";
    let error = engine.query(sql).await.expect_err("a missing key");
    assert_eq!(error.span().map(|span| &sql[span.start..span.end]), Some("keyed"));
    assert_eq!(
        error.to_string(),
        "table `keyed` as `k` needs a constraint on `key`; its join has no condition on them"
    );
    assert!(error.help().is_some_and(|help| help.contains("JOIN keyed k ON k.key =")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_goes_by_the_key_that_says_most() {
    let engine = engine(&Lab::default()).await;
    for on in ["m.zone = t.target AND m.id = t.id", "m.id = t.id AND m.zone = t.target"] {
        let sql = format!("SELECT t.id FROM things t JOIN members m ON {on}");
        let plan = rows(&engine, &format!("EXPLAIN {sql}")).await.concat().concat();
        assert!(plan.contains("keys_from_join=[id]"), "{plan}");
        assert_eq!(rows(&engine, &sql).await, [["0"], ["3"]], "{sql}");
    }
    // If the slice is the only key, it still excludes the other slices.
    let plan =
        rows(&engine, "EXPLAIN SELECT 1 FROM things t JOIN members m ON m.zone = t.target").await.concat().concat();
    assert!(plan.contains("keys_from_join=[zone]"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_that_leave_most_rows_make_no_lookups() {
    let engine = engine(&Lab::default()).await;
    let plan = async |sql: &str| rows(&engine, &format!("EXPLAIN {sql}")).await.concat().concat();
    let most = "SELECT 1 FROM costly c JOIN things t ON t.id = c.n WHERE c.n <> 1 AND c.label <> 'x' AND c.label NOT LIKE 'y%'";
    assert!(!plan(most).await.contains("keys_from_join"), "{}", plan(most).await);
    let few = "SELECT 1 FROM costly c JOIN things t ON t.id = c.n WHERE c.n = 1 AND c.label = 'x' AND c.detail = 2";
    assert!(plan(few).await.contains("keys_from_join"), "{}", plan(few).await);
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
        assert!(dropped.elapsed() < Duration::from_secs(10), "the scan continues");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_ends_the_query() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    let options = QueryOptions { timeout: Some(Duration::from_millis(200)), ..QueryOptions::default() };
    let query = engine.query_with("SELECT max(n) FROM endless", options).await.expect("it plans");
    let error = query.collect().await.expect_err("it never ends");
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
    let error = query.collect().await.expect_err("it exceeds its limit");
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
    assert!(query.warnings().is_empty(), "the secret was not read");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanishes_gives_no_row_and_hidden_columns_stay_out() {
    let engine = engine(&Lab::default()).await;
    let query = engine.query("SELECT * FROM sparse").await.expect("it plans");
    assert_eq!(texts(&query.collect().await.expect("it runs")), [["0", "0"], ["2", "2"]]);
    assert!(query.warnings().is_empty());
    assert_eq!(rows(&engine, "SELECT internal FROM sparse").await.len(), 4);
    assert_eq!(rows(&engine, "SELECT s.*, t.id FROM sparse s JOIN things t ON t.id = s.n").await[0].len(), 3);
    let lab = Lab::default();
    let plain = lab.engine().dialect(Dialect::DataFusion).build().await.expect("the engine builds");
    for engine in [&engine, &plain] {
        let cte = "WITH sparse AS (SELECT * FROM sparse WHERE n > 1) SELECT * FROM sparse";
        assert_eq!(rows(engine, cte).await, [["2", "2"]]);
        let cte =
            "WITH sparse AS (SELECT 7 AS a) SELECT * FROM (SELECT s.* FROM sparse s) UNION ALL SELECT * FROM sparse";
        assert_eq!(rows(engine, cte).await, [["7"], ["7"]]);
        let cte = "WITH RECURSIVE sparse AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM (SELECT * FROM sparse) WHERE a < 2) SELECT * FROM sparse";
        assert_eq!(rows(engine, cte).await, [["1"], ["2"]]);
    }
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
    let sql = "EXPLAIN SELECT t.id, k.square FROM things t LEFT JOIN keyed k ON k.key = t.target WHERE t.id IN (4, 5) AND t.name = 'thing 4'";
    let plan = rows(&engine, sql).await.concat().join("\n");
    for shown in ["LookupJoinExec", "keys_from_join=[key]", "pushed=[id IN (4, 5)]", "filter=[name = 'thing 4']"] {
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

#[tokio::test(flavor = "multi_thread")]
async fn keys_compare_as_their_column_does() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("SELECT n FROM cased WHERE id = 'AB'", &["0", "1"], &["ab"]),
        ("SELECT n FROM cased WHERE 'cd' = id", &["2"], &["cd"]),
        ("SELECT n FROM cased WHERE id IN ('AB', 'ab', 'XYZ', NULL)", &["0", "1", "3"], &["ab", "xyz"]),
        ("SELECT n FROM cased WHERE id = 'AB' OR id = 'cD'", &["0", "1", "2"], &["ab", "cd"]),
        ("SELECT n FROM cased WHERE id IN ('ab', 'cd') AND id = 'CD'", &["2"], &["cd"]),
        // A condition that is stricter than the column is checked again.
        ("SELECT n FROM cased WHERE id = 'Ab' COLLATE BINARY", &["0"], &["ab"]),
        ("SELECT n FROM cased WHERE id = 'AB' AND id = 'aB' COLLATE BINARY", &["1"], &["ab"]),
        // The left column's collation decides how two columns compare, as in SQLite.
        ("SELECT c.n FROM mentions m JOIN cased c ON c.id = m.word", &["0", "0", "1", "1", "2"], &["ab", "cd", "none"]),
        ("SELECT c.n FROM mentions m JOIN cased c ON m.word = c.id", &["2"], &["ab", "cd", "none"]),
        (
            "SELECT m.word FROM mentions m LEFT JOIN cased c ON c.id = m.word WHERE c.n IS NULL",
            &["NULL", "none"],
            &["ab", "cd", "none"],
        ),
    ];
    for (sql, expected, asked) in cases {
        let lab = Lab::default();
        let engine = engine(&lab).await;
        let got: Vec<String> = rows(&engine, sql).await.into_iter().map(|mut row| row.remove(0)).collect();
        assert_eq!(got, *expected, "{sql}");
        let mut keys: Vec<_> = lab.0.cased_lookups.lock().iter().flatten().cloned().collect();
        keys.sort();
        assert_eq!(keys.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), *asked, "{sql}");
    }
    // Without SQLite's collations, text compares byte by byte.
    let lab = Lab::default();
    let engine = lab.engine().dialect(Dialect::DataFusion).build().await.expect("the engine builds");
    assert_eq!(rows(&engine, "SELECT n FROM cased WHERE id = 'Ab'").await, [["0"]]);
    assert_eq!(rows(&engine, "SELECT n FROM cased WHERE id IN ('ab', 'CD')").await, [["2"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_that_want_different_columns_look_a_key_up_once() {
    let cases = [
        (
            "SELECT t.id, a.square, b.cube FROM things t LEFT JOIN keyed a ON a.key = t.target LEFT JOIN keyed b ON b.key = t.target WHERE t.id IN (4, 6)",
            vec![vec!["4", "4", "8"], vec!["6", "NULL", "NULL"]],
        ),
        // Also with separate conditions: one read of a key serves both.
        (
            "SELECT t.id, a.square, b.key FROM things t LEFT JOIN keyed a ON a.key = t.target AND a.square > 4 LEFT JOIN keyed b ON b.key = t.target AND b.cube < 64 WHERE t.id IN (4, 8)",
            vec![vec!["4", "NULL", "2"], vec!["8", "16", "NULL"]],
        ),
        (
            "SELECT t.id, (SELECT a.square FROM keyed a WHERE a.key = t.target), b.cube FROM things t JOIN keyed b ON b.key = t.target WHERE t.id = 4",
            vec![vec!["4", "4", "8"]],
        ),
    ];
    for (sql, expected) in cases {
        let lab = Lab::default();
        let engine = engine(&lab).await;
        assert_eq!(rows(&engine, sql).await, expected, "{sql}");
        let keys = lab.keys();
        let distinct: BTreeSet<_> = keys.iter().collect();
        assert_eq!(keys.len(), distinct.len(), "{sql} read a key twice: {keys:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_runs_for_the_rows_that_the_filter_leaves() {
    // A query, its rows, and how often each source runs.
    type Case<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, usize)]);
    let cases: &[Case<'_>] = &[
        // The filter's column first, for all rows; the others for the remaining rows.
        ("SELECT detail FROM {t} WHERE label = 'label 3' AND n < 20", &["26", "6"], &[("label", 20), ("detail", 2)]),
        ("SELECT count(*) FROM {t} WHERE label = 'label 3'", &["10"], &[("label", 100)]),
        ("SELECT n FROM {t} WHERE n > 97", &["98", "99"], &[]),
        // The cheapest condition is evaluated first, wherever it is written.
        ("SELECT label FROM {t} WHERE detail > 20 AND n IN (5, 50)", &["label 0"], &[("detail", 2), ("label", 1)]),
        ("SELECT n FROM {t} WHERE label = detail OR n = 7", &["7"], &[("label", 100), ("detail", 100)]),
        ("SELECT n FROM {t} WHERE NULL = label", &[], &[]),
        // A row that is gone is not returned.
        ("SELECT n FROM {t} WHERE n IN (4, 5) AND secret IS NULL", &["4"], &[("secret", 2)]),
        ("SELECT n, secret FROM {t} WHERE n IN (4, 5)", &["4"], &[("secret", 2)]),
        // The same in joins: each side's filter before its sources.
        (
            "SELECT a.detail FROM {t} a JOIN things b ON b.id = a.n WHERE a.label = 'label 3' AND a.n < 10",
            &["6"],
            &[("label", 10), ("detail", 1)],
        ),
        ("SELECT max(detail) FROM (SELECT * FROM {t} WHERE n < 3) WHERE n > 0", &["4"], &[("detail", 2)]),
    ];
    let lab = Lab::default();
    let engine = engine(&lab).await;
    for table in ["costly", "costly_stream"] {
        for (sql, expected, runs) in cases {
            let sql = sql.replace("{t}", table);
            let got: Vec<String> = rows(&engine, &sql).await.into_iter().map(|mut row| row.remove(0)).collect();
            assert_eq!(got, *expected, "{sql}");
            assert_eq!(lab.runs(), runs.iter().copied().collect(), "{sql}");
        }
        let query = engine.query(&format!("SELECT n, secret FROM {table} WHERE n < 3")).await.expect("it plans");
        query.collect().await.expect("it runs");
        assert_eq!(query.warnings().iter().map(|warning| warning.count).collect::<Vec<_>>(), [3], "remaining rows");
        lab.runs();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_counts_rows_that_the_filter_leaves() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    for table in ["costly", "costly_stream"] {
        let sql = format!("SELECT n, detail FROM {table} WHERE label = 'label 3' LIMIT 3");
        assert_eq!(rows(&engine, &sql).await.len(), 3, "{table}");
        let runs = lab.runs();
        assert!(runs["label"] <= 100 && runs["detail"] <= 10, "{table}: {runs:?}");
        assert_eq!(rows(&engine, &format!("SELECT n FROM {table} WHERE n % 10 = 3 LIMIT 2 OFFSET 9")).await.len(), 1);
    }
    assert_eq!(rows(&engine, "SELECT n FROM endless WHERE n % 40 = 39 LIMIT 2").await, [["39"], ["79"]]);
    assert!(lab.0.endless_given.load(Ordering::Relaxed) < 200, "few more than necessary");
    assert_eq!(rows(&engine, "SELECT n FROM costly WHERE n > 5 LIMIT 0").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_fails_fails_the_query() {
    let lab = Lab::default();
    let engine = lab.engine().dialect(Dialect::DataFusion).build().await.expect("the engine builds");
    for table in ["costly", "costly_stream"] {
        let sql = format!("SELECT n FROM {table} WHERE CAST(label AS BIGINT) = 3");
        let query = engine.query(&sql).await.expect("it plans");
        let error = query.collect().await.expect_err("a label is not a number");
        assert_eq!(error.code(), Code::Execution, "{error}");
        assert!(error.to_string().contains("label 0"), "{error}");
        assert!(query.warnings().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_made_by_hand_needs_to_know_nothing_of_conditions() {
    let engine = Lab::default().engine().table(Arc::new(ByHand::new())).build().await.expect("the engine builds");
    assert_eq!(
        rows(&engine, "SELECT n FROM by_hand WHERE tens = 7 AND n % 2 = 0").await.concat(),
        ["70", "72", "74", "76", "78"]
    );
    assert_eq!(rows(&engine, "SELECT count(*) FROM by_hand WHERE tens IN (1, 2)").await, [["20"]]);
    assert_eq!(rows(&engine, "SELECT n FROM by_hand WHERE tens > 5 LIMIT 3").await.len(), 3);
    assert_eq!(rows(&engine, "SELECT tens FROM by_hand LIMIT 60").await.len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_block_are_read_side_by_side_within_the_limit() {
    for (slices, most) in [(32, 6), (2, 2), (1, 1)] {
        let lab = Lab::default();
        let limits = indago_engine::Limits { slices, ..indago_engine::Limits::default() };
        let engine = lab.engine().limits(limits).build().await.expect("the engine builds");
        let query = engine.query("SELECT part, n FROM in_parts WHERE n = 1").await.expect("it plans");
        let mut got = texts(&query.collect().await.expect("it runs"));
        got.sort();
        assert_eq!(got, [["0", "1"], ["1", "1"], ["2", "1"], ["4", "1"], ["5", "1"]]);
        assert_eq!(lab.0.parts.lock().1, most, "{slices} at once");
        let warnings = query.warnings();
        assert_eq!(warnings.iter().map(|warning| warning.origin.as_str()).collect::<Vec<_>>(), ["3"]);
        assert_eq!(query.scans()[0].slices, 6);
        assert_eq!(rows(&engine, "SELECT part FROM in_parts LIMIT 3").await.len(), 3);
    }
}

/// Waits until a flag is set, at most ten seconds; returns the time.
async fn until(lab: &Lab, flag: fn(&Counts) -> &AtomicBool) -> Duration {
    let start = Instant::now();
    while !flag(&lab.0).load(Ordering::Relaxed) {
        assert!(start.elapsed() < Duration::from_secs(10), "it goes on");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn cancellation_reaches_scans_and_calls_within_a_tenth_of_a_second() {
    // The best of a few attempts, because the machine may be busy.
    let mut best = [Duration::MAX; 3];
    for _ in 0..5 {
        let lab = Lab::default();
        let engine = engine(&lab).await;
        // A filter that drops every row: no batch is sent, so the scan itself must check for cancellation.
        for sql in ["SELECT n FROM endless", "SELECT n FROM endless WHERE n < 0"] {
            lab.0.endless_stopped.store(false, Ordering::Relaxed);
            let query = engine.query(sql).await.expect("it plans");
            let mut stream = query.stream();
            let _ = tokio::time::timeout(Duration::from_millis(80), stream.next()).await;
            drop(stream);
            let took = until(&lab, |counts| &counts.endless_stopped).await;
            let slot = usize::from(sql.contains("WHERE"));
            best[slot] = best[slot].min(took);
        }
        let query = engine.query("SELECT n FROM stuck").await.expect("it plans");
        let mut stream = query.stream();
        let _ = tokio::time::timeout(Duration::from_millis(20), stream.next()).await;
        until(&lab, |counts| &counts.call_started).await;
        drop(stream);
        best[2] = best[2].min(until(&lab, |counts| &counts.call_stopped).await);
    }
    assert!(best.iter().all(|took| *took < Duration::from_millis(100)), "{best:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_ends_a_call_that_gets_no_answer() {
    let lab = Lab::default();
    let engine = engine(&lab).await;
    let options = QueryOptions { timeout: Some(Duration::from_millis(100)), ..QueryOptions::default() };
    let query = engine.query_with("SELECT n FROM stuck", options).await.expect("it plans");
    let error = query.collect().await.expect_err("there is no response");
    assert_eq!(error.code(), Code::Timeout);
    assert!(error.to_string().contains("100ms") && error.help().is_some(), "{error}");
    until(&lab, |counts| &counts.call_stopped).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lookups_and_shared_readings_keep_counts_against_the_memory_limit() {
    let engine = engine(&Lab::default()).await;
    for sql in [
        "SELECT t.id, k.square FROM things t LEFT JOIN keyed k ON k.key = t.target",
        "SELECT a.id, b.name FROM things a JOIN things b ON a.target = b.target",
    ] {
        let options = QueryOptions { memory: Some(100), ..QueryOptions::default() };
        let query = engine.query_with(sql, options).await.expect("it plans");
        let error = query.collect().await.expect_err("a hundred bytes are not enough");
        assert_eq!(error.code(), Code::Memory, "{error}");
        let message = error.to_string();
        assert!(message.contains("keys of keyed") || message.contains("rows of things"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_scans_says_what_was_asked_and_what_was_checked() {
    let engine = engine(&Lab::default()).await;
    rows(
        &engine,
        "SELECT t.id, k.square FROM things t JOIN keyed k ON k.key = t.target WHERE t.id IN (4, 5) AND t.name <> 'x'",
    )
    .await;
    let scans = rows(&engine, "SELECT table_name, how, constraints, filter, rows FROM engine_scans").await;
    assert_eq!(
        scans,
        [["keyed", "lookup", "key = keys of join", "", "1"], ["things", "scan", "id IN (4, 5)", "name <> 'x'", "2"],]
    );
}
