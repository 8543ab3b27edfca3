//! Lookups by the keys and patterns of joins, and cached reads: the rows are those of SQLite, and no table is read
//! twice for a key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indago_engine::{Code, Dialect, Engine, EngineBuilder, Limits, QueryOptions};
use indago_table::Pattern;
use indago_table::prelude::*;
use parking_lot::Mutex;

use crate::support::{fixture_host, hosts_engine, rows, rows_of_sqlite, texts};

/// The reads of the tables.
#[derive(Debug, Clone, Default)]
struct Lab(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    readings: BTreeMap<&'static str, usize>,
    patterns: Vec<String>,
    details: Vec<i64>,
}

impl Environment for Lab {
    const NAME: &'static str = "lookups";
}

impl Lab {
    fn engine(&self) -> EngineBuilder {
        Engine::builder()
            .tables(indago_table::tables![self; Number, Known, Word, Place, KnownPlace, Wanted, Node, Dear])
    }

    fn read(&self, table: &'static str) {
        *self.0.lock().readings.entry(table).or_default() += 1;
    }

    fn take(&self) -> Asked {
        std::mem::take(&mut *self.0.lock())
    }
}

/// Numbers that other types may not represent.
const NUMBERS: [i64; 12] =
    [0, 7, -7, 70, 1 << 53, (1 << 53) + 1, (1 << 53) + 2, 1 << 60, (1 << 60) + 1, i64::MAX, i64::MAX - 1, i64::MIN];

/// Numbers that need a key.
#[derive(Debug, Default, Table)]
#[table(name = "numbers", env = Lab)]
struct Number {
    /// The number.
    #[column(required)]
    n: i64,
}

impl Rows for Number {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let keys = scan.keys(Self::N).unwrap_or_default();
        scan.env().read("numbers");
        Ok(NUMBERS.into_iter().filter(move |n| keys.contains(n)).map(|n| Number { n }))
    }
}

/// The same numbers, without required keys.
#[derive(Debug, Default, Table)]
#[table(name = "known", env = Lab, rows = 10)]
struct Known {
    /// The number.
    n: i64,
}

impl Rows for Known {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(NUMBERS.into_iter().map(|n| Known { n }))
    }
}

const WORDS: [(Option<&str>, Option<f64>); 14] = [
    (Some("7"), Some(7.0)),
    (Some("007"), Some(7.5)),
    (Some(" 7 "), Some(-7.0)),
    (Some("7.0"), Some(9_007_199_254_740_992.0)),
    (Some("7e0"), Some(1_152_921_504_606_846_976.0)),
    (Some("70"), Some(9_223_372_036_854_775_807.0)),
    (Some("+7"), Some(-9_223_372_036_854_775_808.0)),
    (Some("-7"), Some(1e300)),
    (Some("x"), Some(0.0)),
    (Some(""), Some(-0.0)),
    (Some("9223372036854775807"), None),
    (Some("9223372036854775808"), Some(1e19)),
    (Some("9007199254740993"), Some(0.5)),
    (None, None),
];

/// Texts and real numbers that look like numbers.
#[derive(Debug, Default, Table)]
#[table(name = "words", env = Lab, rows = 10)]
struct Word {
    /// The text.
    word: Option<String>,
    /// The number.
    number: Option<f64>,
}

impl Rows for Word {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(WORDS.into_iter().map(|(word, number)| Word { word: word.map(str::to_owned), number }))
    }
}

const PLACES: [(&str, &str, i64); 7] = [
    ("/etc/passwd", "/etc", 1),
    ("/etc/group", "/etc", 2),
    ("/etc/ssh/config", "/etc/ssh", 3),
    ("/tmp/100%", "/tmp", 4),
    ("/tmp/100x", "/tmp", 5),
    ("/tmp/Mixed", "/tmp", 6),
    ("/tmp/a_b", "/tmp", 7),
];

/// Files by path, directory, or patterns of them.
#[derive(Debug, Default, Table)]
#[table(name = "places", env = Lab, require_any(path, folder))]
struct Place {
    /// The path.
    #[column(index, pattern)]
    path: String,
    /// The directory.
    #[column(index, pattern)]
    folder: String,
    /// Its number.
    n: i64,
}

impl Rows for Place {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let lab = scan.env();
        lab.read("places");
        let (paths, folders) = (scan.keys(Self::PATH), scan.keys(Self::FOLDER));
        let (like, folder_like) = (scan.patterns(Self::PATH).to_vec(), scan.patterns(Self::FOLDER).to_vec());
        lab.0.lock().patterns.extend(like.iter().chain(&folder_like).map(|pattern| pattern.like.clone()));
        let rows = PLACES.map(|(path, folder, n)| Place { path: path.into(), folder: folder.into(), n });
        Ok(rows.into_iter().filter(move |row| {
            paths.as_ref().is_none_or(|paths| paths.contains(&row.path))
                && folders.as_ref().is_none_or(|folders| folders.contains(&row.folder))
                && like.iter().all(|pattern| is_like(&row.path, pattern))
                && folder_like.iter().all(|pattern| is_like(&row.folder, pattern))
        }))
    }
}

/// Matches a pattern as tables do, without escapes.
fn is_like(text: &str, pattern: &Pattern) -> bool {
    fn rest(text: &[char], pattern: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['%', after @ ..] => (0..=text.len()).any(|skipped| rest(&text[skipped..], after)),
            ['_', after @ ..] => !text.is_empty() && rest(&text[1..], after),
            [one, after @ ..] => text.first() == Some(one) && rest(&text[1..], after),
        }
    }
    let characters = |text: &str| -> Vec<char> {
        if pattern.ignore_case { text.to_lowercase().chars().collect() } else { text.chars().collect() }
    };
    rest(&characters(text), &characters(&pattern.like))
}

/// The same files, without required keys.
#[derive(Debug, Default, Table)]
#[table(name = "known_places", env = Lab, rows = 10)]
struct KnownPlace {
    /// The path.
    path: String,
    /// The directory.
    folder: String,
    /// Its number.
    n: i64,
}

impl Rows for KnownPlace {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(PLACES.into_iter().map(|(path, folder, n)| KnownPlace { path: path.into(), folder: folder.into(), n }))
    }
}

const WANTED: [(Option<&str>, Option<&str>, i64); 11] = [
    (Some("/etc/%"), Some("/etc/"), 1),
    (Some("/etc/p%"), Some("/etc/p"), 2),
    (Some("/etc/%"), Some("/etc/"), 3),
    (Some("/tmp/100%"), Some("/tmp/100%"), 4),
    (Some("/TMP/mixed"), Some("/TMP/"), 5),
    (Some("/tmp/a_b"), Some("/tmp/a"), 6),
    (Some("/none/%"), Some("/none"), 7),
    (Some("%"), Some(""), 8),
    (Some("/tmp/1\\0%"), Some("/tmp/1\\"), 9),
    (None, None, 10),
    (Some("/tmp/???x"), Some("/tmp/*"), 11),
];

/// Patterns.
#[derive(Debug, Default, Table)]
#[table(name = "wanted", env = Lab, rows = 10)]
struct Wanted {
    /// The pattern.
    pattern: Option<String>,
    /// The start of a path.
    prefix: Option<String>,
    /// Its number.
    id: i64,
}

impl Rows for Wanted {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Ok(WANTED.into_iter().map(move |(pattern, prefix, id)| Wanted {
            pattern: own(pattern),
            prefix: own(prefix),
            id,
        }))
    }
}

/// A chain: each node except the first has a predecessor.
#[derive(Debug, Default, Table)]
#[table(name = "nodes", env = Lab, rows = 20)]
struct Node {
    /// The node.
    id: i64,
    /// The predecessor.
    before: Option<i64>,
}

impl Rows for Node {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        scan.env().read("nodes");
        Ok((0..20).map(|id| Node { id, before: (id > 0).then_some(id - 1) }))
    }
}

/// Rows with a detail that costs a read each.
#[derive(Debug, Default, Table)]
#[table(name = "dear", env = Lab, rows = 100)]
struct Dear {
    /// Its number.
    id: i64,
    /// Its kind.
    kind: String,
    /// The expensive detail.
    #[column(source = detail)]
    detail: Option<i64>,
}

impl Rows for Dear {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        scan.env().read("dear");
        let kind = |id: i64| ["a", "b", "c", "d"][id as usize % 4].to_owned();
        Ok((0..100).map(move |id| Dear { id, kind: kind(id), detail: None }))
    }
}

impl Dear {
    fn detail(&mut self, lab: &Lab) -> Result<()> {
        lab.0.lock().details.push(self.id);
        self.detail = Some(self.id * 10);
        Ok(())
    }
}

/// The tables without required keys, in SQLite.
fn sqlite() -> rusqlite::Connection {
    let db = rusqlite::Connection::open_in_memory().expect("SQLite is linked");
    let create = "CREATE TABLE numbers (n BIGINT); CREATE TABLE words (word TEXT, number DOUBLE);
        CREATE TABLE places (path TEXT, folder TEXT, n BIGINT); CREATE TABLE wanted (pattern TEXT, prefix TEXT, id BIGINT);";
    db.execute_batch(create).expect("the tables are new");
    for n in NUMBERS {
        db.execute("INSERT INTO numbers VALUES (?)", [n]).expect("a row");
    }
    for row in WORDS {
        db.execute("INSERT INTO words VALUES (?, ?)", row).expect("a row");
    }
    for row in PLACES {
        db.execute("INSERT INTO places VALUES (?, ?, ?)", row).expect("a row");
    }
    for row in WANTED {
        db.execute("INSERT INTO wanted VALUES (?, ?, ?)", row).expect("a row");
    }
    db
}

#[tokio::test]
async fn keys_through_conversions_find_what_sqlite_finds() {
    let (lab, db) = (Lab::default(), sqlite());
    let engine = lab.engine().build().await.expect("an engine");
    for on in [
        "n.n = w.word",
        "w.word = n.n",
        "n.n = w.number",
        "n.n = CAST(w.word AS INTEGER)",
        "n.n = CAST(w.number AS INTEGER)",
        "n.n = w.number + 0",
        "n.n = w.word + 0",
        "n.n = w.word || ''",
        "n.n = abs(w.number)",
        "n.n IN (w.word)",
    ] {
        for join in ["JOIN", "LEFT JOIN"] {
            let sql = format!("SELECT w.word, n.n FROM words w {join} numbers n ON {on}");
            // The dialect compares integers with reals as reals, even where that is inexact.
            let expected = match on.contains("w.number") || on.contains("+ 0") {
                true => rows(&engine, &sql.replace("numbers n", "known n")).await,
                false => rows_of_sqlite(&db, &sql),
            };
            // Functions of a text, which no table supports as keys, are refused rather than returning partial results.
            let may_be_refused = ["|| ''", "abs(", "IN ("].iter().any(|part| on.contains(part));
            match engine.query(&sql).await {
                Err(error) if may_be_refused => assert_eq!(error.code(), Code::KeyRequired, "{sql}: {error}"),
                _ => assert_eq!(rows(&engine, &sql).await, expected, "{sql}"),
            }
        }
    }
    for sql in [
        "SELECT n FROM numbers WHERE n IN (SELECT word FROM words)",
        "SELECT word FROM words w WHERE NOT EXISTS (SELECT 1 FROM numbers n WHERE n.n = w.word)",
    ] {
        match engine.query(sql).await {
            Ok(_) => assert_eq!(rows(&engine, sql).await, rows_of_sqlite(&db, sql), "{sql}"),
            Err(error) => assert_eq!(error.code(), Code::KeyRequired, "{sql}: {error}"),
        }
    }
}

/// DataFusion compares an integer with a real as reals, so several integers may equal one real.
#[tokio::test]
async fn keys_are_what_the_comparison_says_in_datafusions_dialect_too() {
    let lab = Lab::default();
    let engine = lab.engine().dialect(Dialect::DataFusion).build().await.expect("an engine");
    for on in ["n.n = w.number", "n.n = w.number * 2", "CAST(n.n AS DOUBLE) = w.number", "CAST(n.n AS TEXT) = w.word"] {
        let sql = |table: &str| format!("SELECT w.number, w.word, n.n FROM words w JOIN {table} n ON {on}");
        let found = rows(&engine, &sql("numbers")).await;
        assert_eq!(found, rows(&engine, &sql("known")).await, "{on}");
        assert!(!found.is_empty(), "{on}");
    }
}

#[tokio::test]
async fn each_pattern_of_a_join_is_a_key() {
    let (lab, db) = (Lab::default(), sqlite());
    let engine = lab.engine().build().await.expect("an engine");
    for sql in [
        "SELECT w.id, p.n FROM wanted w JOIN places p ON p.path LIKE w.pattern",
        "SELECT w.id, p.n FROM places p JOIN wanted w ON p.path LIKE w.pattern",
        "SELECT w.id, p.n FROM wanted w LEFT JOIN places p ON p.path LIKE w.pattern",
        "SELECT w.id, p.n FROM places p RIGHT JOIN wanted w ON p.path LIKE w.pattern",
        "SELECT w.id, p.n FROM wanted w, places p WHERE p.path LIKE w.pattern AND p.n > 2",
        "SELECT w.id, p.n FROM wanted w JOIN places p ON p.path LIKE w.prefix || '%'",
        "SELECT w.id, p.n FROM wanted w JOIN places p ON p.folder LIKE w.prefix || '%' AND p.n <> 3",
        "SELECT w.id, p.n FROM wanted w JOIN places p ON p.path GLOB w.pattern",
        "SELECT w.id, p.n FROM wanted w JOIN places p ON p.path GLOB w.prefix || '*'",
        "SELECT w.id, p.n FROM wanted w JOIN places p ON p.path LIKE w.pattern AND p.folder = '/etc'",
        "SELECT w.id, p.n FROM wanted w JOIN places p ON p.path LIKE w.pattern OR p.path = w.prefix",
        "SELECT w.id, p.n, q.n FROM wanted w JOIN places p ON p.path LIKE w.pattern JOIN places q ON q.folder = p.folder",
        "SELECT p.n, q.n FROM wanted w JOIN places p ON p.path LIKE w.pattern JOIN places q ON q.path LIKE p.folder || '%'",
        "SELECT w.id FROM wanted w WHERE EXISTS (SELECT 1 FROM places p WHERE p.path LIKE w.pattern)",
        "SELECT w.id FROM wanted w WHERE NOT EXISTS (SELECT 1 FROM places p WHERE p.path LIKE w.pattern)",
        "SELECT p.n FROM places p WHERE EXISTS (SELECT 1 FROM wanted w WHERE p.path LIKE w.pattern)",
        "SELECT w.id, d.many FROM wanted w JOIN (SELECT path, count(*) AS many FROM places GROUP BY path) d \
         ON d.path LIKE w.pattern",
        "SELECT w.id, p.n FROM wanted w JOIN places p ON p.path LIKE w.pattern ORDER BY w.id, p.n LIMIT 3",
        "SELECT count(*) FROM (SELECT w.id, p.n FROM wanted w JOIN places p ON p.path LIKE w.pattern LIMIT 5)",
    ] {
        assert_eq!(rows(&engine, sql).await, rows_of_sqlite(&db, sql), "{sql}");
    }
    lab.take();
    rows(&engine, "SELECT w.id, p.n FROM wanted w JOIN places p ON p.path LIKE w.pattern").await;
    let mut asked = lab.take().patterns;
    asked.sort();
    let mut distinct: Vec<&str> = WANTED.iter().filter_map(|(pattern, ..)| *pattern).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(asked, distinct, "each pattern is read once");
    // In DataFusion's dialect, patterns are case-sensitive, and a backslash escapes.
    let engine = lab.engine().dialect(Dialect::DataFusion).build().await.expect("an engine");
    for on in ["p.path LIKE w.pattern", "p.path ILIKE w.pattern", "p.path LIKE concat(w.prefix, '%')"] {
        let sql = |table: &str| format!("SELECT w.id, p.n FROM wanted w JOIN {table} p ON {on}");
        assert_eq!(rows(&engine, &sql("places")).await, rows(&engine, &sql("known_places")).await, "{on}");
    }
}

/// A key from a subquery is combined with others in an OR; a subquery without a row gives no key.
#[tokio::test]
async fn keys_of_scalar_subqueries_stand_in_an_or() {
    let (lab, db) = (Lab::default(), sqlite());
    let engine = lab.engine().build().await.expect("an engine");
    for sql in [
        "SELECT n FROM places WHERE path LIKE (SELECT pattern FROM wanted WHERE 0)",
        "SELECT n FROM places WHERE path GLOB (SELECT pattern FROM wanted WHERE 0)",
        "SELECT n FROM places WHERE path = (SELECT pattern FROM wanted WHERE 0)",
        "SELECT n FROM places WHERE path IN (SELECT pattern FROM wanted WHERE 0)",
        "SELECT n FROM places WHERE path = (SELECT pattern FROM wanted WHERE id = 1000)",
        "SELECT n FROM places WHERE path LIKE (SELECT pattern FROM wanted WHERE id = 1000)",
        "SELECT n FROM places WHERE path LIKE NULL OR path = '/etc/passwd'",
        "SELECT n FROM places WHERE path LIKE NULL AND n > 1",
        "SELECT n FROM places WHERE path = '/etc/passwd' OR path LIKE (SELECT '/tmp/%')",
        "SELECT n FROM places WHERE path = '/etc/passwd' OR path LIKE (SELECT pattern FROM wanted WHERE 0)",
        "SELECT n FROM places WHERE path = '/etc/passwd' OR path LIKE (SELECT pattern FROM wanted WHERE id = 1000)",
        "SELECT n FROM places WHERE path = '/etc/passwd' OR path GLOB (SELECT '/tmp/1*')",
        "SELECT n FROM places WHERE path = '/etc/passwd' OR path = (SELECT '/etc/group')",
        "SELECT n FROM places WHERE path = '/etc/passwd' OR path = (SELECT '/etc/passwd')",
        "SELECT n FROM places WHERE path = '/etc/passwd' OR path IN (SELECT '/etc/group')",
        "SELECT n FROM places WHERE path LIKE '/tmp/%' OR path = (SELECT '/tmp/a_b')",
        "SELECT n FROM places WHERE (path = '/etc/passwd' OR path LIKE (SELECT '/tmp/1%')) AND n > 4",
        "SELECT n FROM places WHERE folder = '/etc' AND (n = 1 OR path LIKE (SELECT '/etc/g%'))",
        "SELECT w.id, p.n FROM wanted w JOIN places p ON p.path = '/etc/passwd' OR p.path LIKE w.pattern",
        "SELECT w.id, p.n FROM wanted w LEFT JOIN places p ON p.path = '/etc/passwd' OR p.path LIKE w.pattern",
        "SELECT w.id FROM wanted w WHERE NOT EXISTS (SELECT 1 FROM places p WHERE p.n > 6 AND (p.path = '/x' OR p.path LIKE w.pattern))",
    ] {
        assert_eq!(rows(&engine, sql).await, rows_of_sqlite(&db, sql), "{sql}");
    }
    lab.take();
    rows(&engine, "SELECT n FROM places WHERE path LIKE NULL").await;
    rows(&engine, "SELECT n FROM numbers WHERE n = (SELECT 7 WHERE 0)").await;
    assert!(lab.take().readings.is_empty(), "no table is asked for rows that cannot be");
    for sql in [
        "SELECT n FROM places WHERE n = 1 OR path LIKE (SELECT '/tmp/%')",
        "SELECT n FROM places WHERE path = '/etc/passwd' OR n = (SELECT 1)",
        // Two scalar subqueries in one OR, and one combined with another condition in its branch, are not split yet.
        "SELECT n FROM places WHERE path = '/etc/passwd' OR (path LIKE (SELECT '/tmp/%') AND n < 6)",
        "SELECT n FROM places WHERE path LIKE (SELECT '/etc/%') OR path LIKE (SELECT '/tmp/1%')",
    ] {
        assert_eq!(engine.query(sql).await.expect_err(sql).code(), Code::KeyRequired, "{sql}");
    }
}

/// Patterns are passed in chunks no larger than a lookup, and none is passed twice.
#[tokio::test]
async fn many_patterns_are_asked_for_a_part_at_a_time() {
    let lab = Lab::default();
    let limits = Limits { lookup_batch: 2, lookup_concurrency: 2, batch_size: 4, ..Limits::default() };
    let engine = lab.engine().limits(limits).build().await.expect("an engine");
    let db = sqlite();
    for sql in [
        "SELECT w.id, p.n FROM wanted w JOIN places p ON p.path LIKE w.pattern",
        "SELECT w.id, p.n FROM wanted w LEFT JOIN places p ON p.path LIKE w.pattern",
        "SELECT p.n FROM places p WHERE EXISTS (SELECT 1 FROM wanted w WHERE p.path LIKE w.pattern)",
    ] {
        lab.take();
        assert_eq!(rows(&engine, sql).await, rows_of_sqlite(&db, sql), "{sql}");
        let asked = lab.take().patterns;
        assert_eq!(asked.len(), 9, "{sql}: {asked:?}");
    }
}

#[tokio::test]
async fn files_of_a_host_are_found_by_the_patterns_of_a_join() {
    let engine = hosts_engine(vec![fixture_host("plain")]).build().await.expect("an engine");
    let by_literal = rows(&engine, "SELECT path FROM file WHERE path LIKE '/etc/%'").await;
    assert!(by_literal.len() > 1, "{by_literal:?}");
    for sql in [
        "WITH p(pattern) AS (VALUES ('/etc/%'), ('/etc/pass%'), ('/etc/%')) \
         SELECT DISTINCT file.path FROM p JOIN file ON file.path LIKE p.pattern",
        "WITH p(folder) AS (VALUES ('/etc')) SELECT file.path FROM p JOIN file ON file.path LIKE p.folder || '/%'",
        "WITH p(folder) AS (VALUES ('/etc')) SELECT f.path FROM p, file f WHERE f.path LIKE p.folder || '/%'",
    ] {
        assert_eq!(rows(&engine, sql).await, by_literal, "{sql}");
    }
    let hashes = "WITH p(pattern) AS (VALUES ('/etc/pass%')) \
                  SELECT h.path FROM p JOIN file f ON f.path LIKE p.pattern JOIN hash h ON h.path = f.path";
    assert_eq!(rows(&engine, hashes).await, [["/etc/passwd"]]);
}

#[tokio::test]
async fn the_error_says_why_a_join_brings_no_key() {
    let lab = Lab::default();
    let engine = lab.engine().build().await.expect("an engine");
    for (sql, why) in [
        ("SELECT 1 FROM wanted w JOIN places p ON p.n = w.id", "its join has no condition on them"),
        ("SELECT 1 FROM wanted w JOIN places p ON p.path > w.pattern", "p.path > w.pattern"),
        ("SELECT 1 FROM wanted w JOIN places p ON upper(p.path) = w.pattern", "upper(p.path)"),
        ("SELECT 1 FROM wanted w JOIN places p ON p.path NOT LIKE w.pattern", "only `=`, `LIKE` and `GLOB`"),
        ("SELECT 1 FROM wanted w FULL JOIN places p ON p.path = w.pattern", "a FULL JOIN also returns its rows"),
        ("SELECT 1 FROM places p LEFT JOIN wanted w ON p.path = w.pattern", "a LEFT JOIN also returns its rows"),
        ("SELECT 1 FROM places p JOIN places q ON p.path = q.path", "needs keys itself"),
    ] {
        let error = engine.query(sql).await.expect_err(sql);
        assert_eq!(error.code(), Code::KeyRequired, "{sql}");
        let message = error.to_string();
        assert!(message.contains("needs a constraint on `path` or `folder`; "), "{sql}: {message}");
        assert!(message.contains(why), "{sql}: {message}");
    }
}

#[tokio::test]
async fn a_recursive_query_reads_its_table_once() {
    let lab = Lab::default();
    let engine = lab.engine().build().await.expect("an engine");
    for (sql, expected) in [
        (
            "WITH RECURSIVE c(id) AS (SELECT 0 UNION ALL SELECT n.id FROM c JOIN nodes n ON n.before = c.id) \
             SELECT count(*) FROM c",
            "20",
        ),
        (
            "WITH RECURSIVE c(id) AS (SELECT id FROM nodes WHERE before IS NULL \
             UNION SELECT n.id FROM nodes n JOIN c ON n.before = c.id) SELECT count(*) FROM c",
            "20",
        ),
        (
            "WITH RECURSIVE c(id) AS (SELECT 0 UNION ALL SELECT c.id + 1 FROM c \
             WHERE c.id < (SELECT max(id) FROM nodes)) SELECT count(*) FROM c",
            "20",
        ),
        (
            "WITH RECURSIVE c(id) AS (SELECT 0 UNION ALL SELECT n.id FROM c JOIN \
             (SELECT id, before FROM nodes LIMIT 5) n ON n.before = c.id) SELECT count(*) FROM c",
            "5",
        ),
        (
            "WITH RECURSIVE c(id) AS (SELECT 0 UNION ALL SELECT n.id FROM c, nodes n \
             WHERE n.before = c.id AND EXISTS (SELECT 1 FROM nodes m WHERE m.id = n.id)) SELECT count(*) FROM c",
            "20",
        ),
    ] {
        lab.take();
        assert_eq!(rows(&engine, sql).await, [[expected]], "{sql}");
        let readings = lab.take().readings;
        // The first term and the recursive term may use different keys.
        assert!(readings["nodes"] <= 2, "{sql}: {readings:?}");
    }
}

#[tokio::test]
async fn scans_that_read_together_read_details_of_wanted_rows_only() {
    let lab = Lab::default();
    let engine = lab.engine().build().await.expect("an engine");
    for (sql, wanted, answer) in [
        (
            "SELECT x.n + y.n FROM (SELECT sum(detail) AS n FROM dear WHERE kind = 'a') x, \
             (SELECT sum(detail) AS n FROM dear WHERE kind = 'b') y",
            50,
            "24250",
        ),
        (
            "SELECT sum(n) FROM (SELECT detail AS n FROM dear WHERE kind = 'a' AND id < 40 \
             UNION ALL SELECT detail FROM dear WHERE id > 90)",
            19,
            "10350",
        ),
        (
            "SELECT count(*) FROM dear x JOIN dear y ON y.detail = x.detail WHERE x.kind <> 'a' AND y.kind <> 'a' \
             AND x.id < 10 AND y.id > 5",
            75,
            "3",
        ),
        // One of them reads all rows.
        (
            "SELECT x.n + y.n FROM (SELECT sum(detail) AS n FROM dear WHERE kind = 'a') x, \
             (SELECT sum(detail) AS n FROM dear) y",
            100,
            "61500",
        ),
    ] {
        lab.take();
        assert_eq!(rows(&engine, sql).await, [[answer]], "{sql}");
        let asked = lab.take();
        assert_eq!(asked.readings["dear"], 1, "{sql}");
        assert!(asked.details.len() <= wanted, "{sql}: {} details", asked.details.len());
    }
}

/// The same table is looked up in several places of a plan that wait for each other, with all join types, limits and
/// numbers of partitions. Some queries are dropped after their first rows.
#[tokio::test(flavor = "multi_thread")]
async fn nested_lookups_of_one_table_end() {
    let lab = Lab::default();
    for (seed, partitions) in (0..16).map(|seed: usize| (seed, 1 + seed % 4)) {
        let limits = Limits {
            partitions,
            lookup_batch: 1 + seed % 3,
            lookup_concurrency: 1 + seed % 5,
            batch_size: [1, 2, 3, 64][seed % 4],
            ..Limits::default()
        };
        let engine = lab.engine().limits(limits).build().await.expect("an engine");
        for join in ["JOIN", "LEFT JOIN"] {
            for limit in ["", "LIMIT 1", "LIMIT 7"] {
                let sql = format!(
                    "SELECT a.n, b.n, c.n FROM (SELECT n % 71 AS m FROM known) k \
                     {join} numbers a ON a.n = k.m {join} numbers b ON b.n = a.n \
                     {join} (SELECT x.n FROM numbers x JOIN numbers y ON y.n = x.n) c ON c.n = b.n {limit}"
                );
                let query = engine.query(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                if seed % 3 == 0 {
                    let mut stream = query.stream();
                    drop(futures::StreamExt::next(&mut stream).await);
                } else {
                    query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                }
            }
        }
        for exists in ["EXISTS", "NOT EXISTS"] {
            let sql = format!(
                "SELECT k.n FROM known k WHERE {exists} (SELECT 1 FROM numbers a JOIN numbers b ON b.n = a.n \
                 WHERE a.n = k.n)"
            );
            let expected = if exists == "EXISTS" { NUMBERS.len() } else { 0 };
            assert_eq!(rows(&engine, &sql).await.len(), expected, "{sql}");
        }
    }
}

/// Two keys for one row: one is looked up and cached, the join checks the other.
#[tokio::test]
async fn keys_of_two_columns_are_looked_up_once() {
    let lab = Lab::default();
    let limits = Limits { batch_size: 2, ..Limits::default() };
    let engine = lab.engine().limits(limits).build().await.expect("an engine");
    let sql = "SELECT k.n, p.n FROM (SELECT path, folder, n FROM known_places UNION ALL SELECT path, '/etc', n \
               FROM known_places) k JOIN places p ON p.path = k.path AND p.folder = k.folder";
    let expected = "SELECT k.n, p.n FROM (SELECT path, folder, n FROM places UNION ALL SELECT path, '/etc', n \
                    FROM places) k JOIN places p ON p.path = k.path AND p.folder = k.folder";
    assert_eq!(rows(&engine, sql).await, rows_of_sqlite(&sqlite(), expected));
    let query = engine.query(sql).await.expect("it plans");
    query.collect().await.expect("it runs");
    let found: u64 = query.scans().iter().filter(|scan| scan.how == "lookup").map(|scan| scan.rows).sum();
    assert_eq!(found, PLACES.len() as u64, "each path is read once");
}

#[tokio::test]
async fn a_lookup_that_is_too_large_ends_with_a_memory_error() {
    let lab = Lab::default();
    let engine = lab.engine().build().await.expect("an engine");
    let options = QueryOptions { memory: Some(64), ..QueryOptions::default() };
    for sql in [
        "SELECT a.n FROM known k JOIN numbers a ON a.n = k.n",
        "SELECT p.n FROM wanted w JOIN places p ON p.path LIKE w.pattern",
        "SELECT n FROM places WHERE path = '/etc/passwd' OR folder = '/tmp'",
    ] {
        let query = engine.query_with(sql, options.clone()).await.expect("it plans");
        let error = query.collect().await.expect_err(sql);
        assert_eq!(error.code(), Code::Memory, "{sql}: {error}");
    }
    // Freed at the end of the query.
    let options = QueryOptions { timeout: Some(Duration::from_secs(600)), ..QueryOptions::default() };
    let query =
        engine.query_with("SELECT a.n FROM known k JOIN numbers a ON a.n = k.n", options).await.expect("planned");
    assert_eq!(texts(&query.collect().await.expect("it runs")).len(), NUMBERS.len());
}
