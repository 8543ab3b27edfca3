//! Tables whose rows depend on a key: joins and subqueries return the rows that SQLite returns from all of them, and a
//! condition that passes no key has a warning.

use std::sync::Arc;

use indago_engine::{Code, Engine, EngineBuilder, Limits};
use indago_table::Pattern;
use indago_table::prelude::*;
use parking_lot::Mutex;

use crate::support::{rows_of_sqlite, texts};

/// The reads of the tables: name of the table, and keys.
#[derive(Debug, Clone, Default)]
struct Lab(Arc<Mutex<Vec<String>>>);

impl Environment for Lab {
    const NAME: &'static str = "key_effects";
}

impl Lab {
    fn engine(&self) -> EngineBuilder {
        // Small batches, so that one query looks up its keys in several batches.
        let limits = Limits { batch_size: 2, ..Limits::default() };
        let tables = indago_table::tables![self; Account, OtherAccount, Document, Commit, Change];
        Engine::builder().limits(limits).tables(tables).tables(indago_table::tables![&Outside; Process])
    }
}

/// Another environment.
#[derive(Debug, Clone, Default)]
struct Outside;

impl Environment for Outside {
    const NAME: &'static str = "outside";
}

const PROCESSES: [(i64, i64, &str, &str); 5] =
    [(0, 1, "/a", "one"), (1, 11, "/b", "two"), (2, 22, "/a", "lost"), (3, 1, "/c", "two"), (4, 40, "/b", "none")];

/// Processes.
#[derive(Debug, Default, Table)]
#[table(name = "process", env = Outside, rows = 10000)]
struct Process {
    /// The process.
    pid: i64,
    /// Its user.
    uid: i64,
    /// Its program.
    path: String,
    /// The commit that it was built from.
    built_from: String,
}

impl Rows for Process {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(PROCESSES.into_iter().map(|(pid, uid, path, built_from)| Process {
            pid,
            uid,
            path: path.into(),
            built_from: built_from.into(),
        }))
    }
}

/// Users 1 and 2 of the host, 11 and 12 of process 1, and so on up to process 3.
fn accounts(pids: Option<Vec<i64>>) -> impl Iterator<Item = (i64, i64)> {
    let mut pids = pids.unwrap_or_else(|| vec![0]);
    pids.sort_unstable();
    pids.dedup();
    let pids = pids.into_iter().filter(|pid| (0..4).contains(pid));
    pids.flat_map(|pid| [1, 2].map(|uid| (pid * 10 + uid, pid)))
}

macro_rules! accounts {
    ($row:ident, $name:literal) => {
        /// Users of the host, or of the namespace of a process.
        #[derive(Debug, Default, Table)]
        #[table(name = $name, env = Lab, rows = 2)]
        struct $row {
            /// The user.
            #[column(index)]
            uid: i64,
            /// The process; 0 is the host.
            #[column(slice, selects, hidden)]
            seen_by: i64,
        }

        impl Rows for $row {
            fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
                let pids = scan.keys(Self::SEEN_BY);
                scan.env().0.lock().push(format!("{} {pids:?}", $name));
                let uids = scan.keys(Self::UID);
                let rows = accounts(pids).map(|(uid, seen_by)| $row { uid, seen_by });
                Ok(rows.filter(move |row| uids.as_ref().is_none_or(|uids| uids.contains(&row.uid))))
            }
        }
    };
}
accounts!(Account, "accounts");
accounts!(OtherAccount, "other_accounts");

/// Files by path, as a process sees them.
#[derive(Debug, Default, Table)]
#[table(name = "documents", env = Lab)]
struct Document {
    /// The path.
    #[column(required, pattern)]
    path: String,
    /// The process; 0 is the host.
    #[column(slice, selects, hidden)]
    seen_by: i64,
    /// Its contents.
    content: String,
}

const PATHS: [&str; 3] = ["/a", "/b", "/c"];

impl Rows for Document {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let (paths, patterns) = (scan.keys(Self::PATH), scan.patterns(Self::PATH).to_vec());
        let pids = scan.keys(Self::SEEN_BY).unwrap_or_else(|| vec![0]);
        scan.env().0.lock().push(format!("documents {paths:?} {pids:?}"));
        let is_like = |path: &str, pattern: &Pattern| match pattern.like.split_once('%') {
            Some((start, _)) => path.starts_with(start),
            None => path == pattern.like,
        };
        let pids = pids.into_iter().filter(|pid| (0..4).contains(pid));
        let rows = pids.flat_map(|seen_by| PATHS.map(|path| (path, seen_by)));
        let rows = rows.filter(move |(path, _)| {
            paths.as_ref().is_none_or(|paths| paths.contains(&(*path).to_owned()))
                && patterns.iter().all(|pattern| is_like(path, pattern))
        });
        Ok(rows.map(|(path, seen_by)| Document { path: path.into(), seen_by, content: format!("{path}{seen_by}") }))
    }
}

const COMMITS: [(&str, &str); 3] = [("one", "a"), ("two", "a"), ("lost", "b")];

/// Commits. `lost` is found by its hash only.
#[derive(Debug, Default, Table)]
#[table(name = "commits", env = Lab, rows = 20)]
struct Commit {
    /// Its hash.
    #[column(index, extends)]
    hash: String,
    /// Its author.
    author: String,
}

impl Rows for Commit {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let hashes = scan.keys(Self::HASH);
        scan.env().0.lock().push(format!("commits {hashes:?}"));
        let rows = COMMITS.into_iter().filter(move |(hash, _)| match &hashes {
            Some(hashes) => hashes.contains(&(*hash).to_owned()),
            None => *hash != "lost",
        });
        Ok(rows.map(|(hash, author)| Commit { hash: hash.into(), author: author.into() }))
    }
}

/// Changes of commits. Those of `lost` are found by its hash only.
#[derive(Debug, Default, Table)]
#[table(name = "changes", env = Lab, rows = 20)]
struct Change {
    /// Hash of the commit.
    #[column(index, extends)]
    hash: String,
    /// The file.
    path: String,
}

impl Rows for Change {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let hashes = scan.keys(Self::HASH);
        scan.env().0.lock().push(format!("changes {hashes:?}"));
        let rows = COMMITS.into_iter().filter(move |(hash, _)| match &hashes {
            Some(hashes) => hashes.contains(&(*hash).to_owned()),
            None => *hash != "lost",
        });
        Ok(rows.map(|(hash, _)| Change { hash: hash.into(), path: format!("src/{hash}") }))
    }
}

/// All rows of the tables for any key.
fn sqlite() -> rusqlite::Connection {
    let db = rusqlite::Connection::open_in_memory().expect("SQLite is linked");
    db.execute_batch(
        "CREATE TABLE process (pid BIGINT, uid BIGINT, path TEXT, built_from TEXT);
         CREATE TABLE accounts (uid BIGINT, seen_by BIGINT); CREATE TABLE other_accounts (uid BIGINT, seen_by BIGINT);
         CREATE TABLE documents (path TEXT, seen_by BIGINT, content TEXT);
         CREATE TABLE commits (hash TEXT, author TEXT); CREATE TABLE changes (hash TEXT, path TEXT);",
    )
    .expect("the tables are new");
    for row in PROCESSES {
        db.execute("INSERT INTO process VALUES (?, ?, ?, ?)", row).expect("a row");
    }
    for row in accounts(Some(vec![0, 1, 2, 3])) {
        db.execute("INSERT INTO accounts VALUES (?, ?)", row).expect("a row");
        db.execute("INSERT INTO other_accounts VALUES (?, ?)", row).expect("a row");
    }
    for (path, seen_by) in PATHS.into_iter().flat_map(|path| [0, 1, 2, 3].map(|pid| (path, pid))) {
        let row = (path, seen_by, format!("{path}{seen_by}"));
        db.execute("INSERT INTO documents VALUES (?, ?, ?)", row).expect("a row");
    }
    for (hash, author) in COMMITS {
        db.execute("INSERT INTO commits VALUES (?, ?)", (hash, author)).expect("a row");
        db.execute("INSERT INTO changes VALUES (?, ?)", (hash, format!("src/{hash}"))).expect("a row");
    }
    db
}

/// The sorted rows of a query, and its warnings.
async fn run(engine: &Engine, sql: &str) -> (Vec<Vec<String>>, Vec<String>) {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut rows = texts(&query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}")));
    rows.sort();
    (rows, query.warnings().iter().map(|warning| format!("{} {}", warning.table, warning.origin)).collect())
}

#[tokio::test]
async fn keys_of_joins_and_subqueries_select_rows() {
    let (lab, db) = (Lab::default(), sqlite());
    let engine = lab.engine().build().await.expect("an engine");
    for sql in [
        // One key.
        "SELECT p.pid, a.uid FROM process p JOIN accounts a ON a.seen_by = p.pid",
        "SELECT p.pid, a.uid FROM accounts a JOIN process p ON a.seen_by = p.pid",
        "SELECT p.pid, a.uid FROM process p, accounts a WHERE p.pid = a.seen_by AND p.pid > 0",
        "SELECT p.pid, a.uid FROM process p LEFT JOIN accounts a ON a.seen_by = p.pid",
        "SELECT p.pid, a.uid FROM accounts a RIGHT JOIN process p ON a.seen_by = p.pid",
        "SELECT p.pid, a.uid FROM process p JOIN accounts a ON a.seen_by = p.pid AND a.uid = p.uid",
        "SELECT p.pid, a.uid FROM process p LEFT JOIN accounts a ON a.seen_by = p.pid AND a.uid = p.uid",
        "SELECT p.pid FROM process p WHERE EXISTS (SELECT 1 FROM accounts a WHERE a.seen_by = p.pid AND a.uid = p.uid)",
        "SELECT p.pid FROM process p WHERE NOT EXISTS (SELECT 1 FROM accounts a WHERE a.seen_by = p.pid)",
        "SELECT p.pid FROM process p WHERE p.pid IN (SELECT seen_by FROM accounts)",
        "SELECT uid FROM accounts WHERE seen_by IN (SELECT pid FROM process WHERE pid <> 2)",
        "SELECT uid FROM accounts WHERE seen_by = (SELECT max(pid) FROM process WHERE pid < 4)",
        "SELECT uid FROM accounts WHERE seen_by IN (1, 3)",
        "SELECT uid FROM accounts WHERE seen_by = 1 OR seen_by IN (SELECT pid FROM process WHERE pid > 2)",
        "SELECT p.pid, (SELECT count(*) FROM accounts a WHERE a.seen_by = p.pid) AS many FROM process p",
        "SELECT p.pid, a.many FROM process p JOIN (SELECT seen_by, count(*) AS many FROM accounts GROUP BY seen_by) a \
         ON a.seen_by = p.pid",
        "WITH seen AS (SELECT uid, seen_by AS pid FROM accounts) SELECT p.pid, s.uid, t.uid FROM process p \
         JOIN seen s ON s.pid = p.pid JOIN seen t ON t.pid = p.pid",
        "SELECT p.pid, u.uid FROM process p JOIN (SELECT uid, seen_by FROM accounts UNION ALL \
         SELECT uid + 100, seen_by FROM other_accounts) u ON u.seen_by = p.pid",
        "SELECT p.pid, a.uid, b.uid FROM process p JOIN accounts a ON a.seen_by = p.pid \
         JOIN other_accounts b ON b.seen_by = a.seen_by AND b.uid = a.uid",
        "SELECT p.pid, a.uid FROM process p JOIN accounts a ON CAST(a.seen_by AS TEXT) = CAST(p.pid AS TEXT)",
        "SELECT p.pid, a.uid FROM process p JOIN accounts a ON a.seen_by = p.pid ORDER BY p.pid, a.uid LIMIT 3",
        // A key that the table needs, and one that selects.
        "SELECT p.pid, d.content FROM process p JOIN documents d ON d.path = p.path AND d.seen_by = p.pid",
        "SELECT p.pid, d.content FROM documents d JOIN process p ON d.seen_by = p.pid AND d.path = p.path",
        "SELECT p.pid, d.content FROM process p LEFT JOIN documents d ON d.path = p.path AND d.seen_by = p.pid",
        "SELECT p.pid, d.content FROM process p JOIN documents d ON d.path LIKE p.path || '%' AND d.seen_by = p.pid",
        "SELECT p.pid, d.content FROM process p JOIN documents d ON d.path = p.path WHERE d.seen_by = p.pid",
        "SELECT p.pid, d.content FROM process p JOIN documents d ON d.seen_by = p.pid WHERE d.path = '/a'",
        "SELECT p.pid, d.content FROM process p JOIN documents d ON d.path = p.path WHERE d.seen_by IN (1, 2)",
        "SELECT p.pid, d.content FROM process p JOIN documents d ON d.seen_by = p.pid WHERE d.path LIKE '/%'",
        "SELECT p.pid FROM process p WHERE EXISTS \
         (SELECT 1 FROM documents d WHERE d.path = p.path AND d.seen_by = p.pid)",
        "SELECT p.pid, d.content, e.content FROM process p JOIN documents d ON d.path = p.path AND d.seen_by = p.pid \
         JOIN documents e ON e.path = d.path AND e.seen_by = d.seen_by",
        "SELECT p.pid, a.uid, d.content FROM process p JOIN accounts a ON a.seen_by = p.pid AND a.uid = p.uid \
         JOIN documents d ON d.path = p.path AND d.seen_by = a.seen_by",
        // Keys of one scan from two joins.
        "SELECT d.content FROM process p CROSS JOIN process q JOIN documents d ON d.path = q.path AND d.seen_by = p.pid",
        "SELECT d.content FROM process p JOIN documents d ON d.path = p.path JOIN process q ON q.pid = d.seen_by",
        "SELECT d.content FROM process q JOIN documents d ON q.pid = d.seen_by JOIN process p ON d.path = p.path",
        "SELECT d.content, q.pid FROM process p JOIN documents d ON d.path LIKE p.path || '%' \
         LEFT JOIN process r ON r.path = d.content JOIN process q ON q.pid = d.seen_by AND q.uid > 1",
        "SELECT q.pid, d.content FROM process q LEFT JOIN (SELECT d.seen_by, d.content FROM process p \
         JOIN documents d ON d.path = p.path) d ON d.seen_by = q.pid",
        "SELECT q.pid FROM process q WHERE NOT EXISTS \
         (SELECT 1 FROM process p JOIN documents d ON d.path = p.path WHERE d.seen_by = q.pid)",
        "SELECT d.content, a.uid FROM process p JOIN documents d ON d.path = p.path JOIN accounts a ON a.seen_by = d.seen_by \
         JOIN process q ON q.pid = d.seen_by",
        "SELECT a.uid, b.uid FROM accounts a JOIN other_accounts b ON a.seen_by = b.seen_by AND a.uid = b.uid \
         JOIN process q ON q.pid = a.seen_by",
        // A key that adds rows.
        "SELECT p.pid, c.author FROM process p JOIN commits c ON c.hash = p.built_from",
        "SELECT p.pid, c.author FROM commits c JOIN process p ON c.hash = p.built_from",
        "SELECT p.pid, c.author FROM process p LEFT JOIN commits c ON c.hash = p.built_from",
        "SELECT author FROM commits WHERE hash IN (SELECT built_from FROM process)",
        "SELECT p.pid, h.path FROM process p JOIN commits c ON c.hash = p.built_from JOIN changes h ON h.hash = c.hash",
        "SELECT v.column1, c.author FROM (VALUES ('lost'), ('one')) v JOIN commits c ON c.hash = v.column1",
        "SELECT h.path FROM commits c JOIN changes h ON h.hash = c.hash WHERE c.hash = 'lost'",
    ] {
        let (rows, warnings) = run(&engine, sql).await;
        assert_eq!(rows, rows_of_sqlite(&db, sql), "{sql}");
        assert!(warnings.is_empty(), "{sql}: {warnings:?}");
    }
}

/// A key that selects rows is not enough for a table that needs another one.
#[tokio::test]
async fn a_key_that_selects_does_not_replace_a_required_one() {
    let engine = Lab::default().engine().build().await.expect("an engine");
    let sql = "SELECT d.content FROM process p JOIN (SELECT e.path, d.seen_by, d.content FROM documents e \
               CROSS JOIN documents d) d ON d.path = p.path AND d.seen_by = p.pid";
    let error = engine.query(sql).await.expect_err("nothing gives paths of `d`");
    assert_eq!(error.code(), Code::KeyRequired, "{error}");
}

/// Keys that a second join passes restrict what the first one looks up.
#[tokio::test]
async fn keys_of_two_joins_are_read_together() {
    let lab = Lab::default();
    let engine = lab.engine().limits(Limits::default()).build().await.expect("an engine");
    let sql = "SELECT d.content FROM process p JOIN documents d ON d.path = p.path \
               JOIN process q ON q.pid = d.seen_by WHERE p.pid = 0 AND q.uid > 10 AND q.uid < 30";
    let plan = run(&engine, &format!("EXPLAIN {sql}")).await.0.concat().join("\n");
    assert!(plan.contains("keys_from_join=[path, seen_by]"), "{plan}");
    lab.0.lock().clear();
    assert_eq!(run(&engine, sql).await.0.concat(), ["/a1", "/a2"]);
    let mut reads = std::mem::take(&mut *lab.0.lock());
    reads.sort();
    assert_eq!(reads, ["documents Some([\"/a\"]) [1]", "documents Some([\"/a\"]) [2]"]);
}

/// A table is read once for each process and all of its paths, not once for each pair.
#[tokio::test]
async fn keys_that_select_together_are_read_together() {
    let lab = Lab::default();
    let engine = lab.engine().limits(Limits::default()).build().await.expect("an engine");
    let sql = "SELECT d.content FROM (VALUES ('/a', 1), ('/b', 1), ('/a', 2), ('/a', 1)) v \
               JOIN documents d ON d.path = v.column1 AND d.seen_by = v.column2";
    let (rows, _) = run(&engine, sql).await;
    assert_eq!(rows.concat(), ["/a1", "/a1", "/a2", "/b1"]);
    let mut asked = std::mem::take(&mut *lab.0.lock());
    asked.sort();
    let one_by_one: usize = asked.iter().map(|asked| asked.matches('/').count()).sum();
    assert_eq!(one_by_one, 3, "each pair is read once: {asked:?}");
    assert!(asked.iter().all(|asked| asked.matches("), ").count() == 0), "{asked:?}");
}

#[tokio::test]
async fn rows_of_the_default_need_no_key_and_no_warning() {
    let lab = Lab::default();
    let engine = lab.engine().build().await.expect("an engine");
    for (sql, expected, reads) in [
        ("SELECT uid FROM accounts", vec!["1", "2"], 1),
        ("SELECT uid FROM accounts WHERE seen_by = 0", vec!["1", "2"], 1),
        ("SELECT seen_by FROM accounts GROUP BY seen_by ORDER BY seen_by", vec!["0"], 1),
        (
            "SELECT a.uid FROM accounts a JOIN other_accounts b ON a.seen_by = b.seen_by AND a.uid = b.uid",
            vec!["1", "2"],
            2,
        ),
        ("SELECT uid FROM accounts WHERE seen_by = 2 OR uid = 1", vec!["1", "21", "22"], 2),
        ("SELECT c.author FROM commits c JOIN changes h ON h.hash = c.hash", vec!["a", "a"], 2),
    ] {
        lab.0.lock().clear();
        let (rows, warnings) = run(&engine, sql).await;
        assert_eq!(
            (rows.concat(), lab.0.lock().len()),
            (expected.iter().map(ToString::to_string).collect(), reads),
            "{sql}"
        );
        assert!(warnings.is_empty(), "{sql}: {warnings:?}");
    }
}

#[tokio::test]
async fn a_condition_that_gives_no_key_has_a_warning() {
    let lab = Lab::default();
    let engine = lab.engine().build().await.expect("an engine");
    for (sql, warning) in [
        ("SELECT uid FROM accounts WHERE seen_by > 0", "accounts seen_by"),
        ("SELECT uid FROM accounts WHERE seen_by <> 0", "accounts seen_by"),
        ("SELECT uid FROM accounts WHERE NOT seen_by = 0", "accounts seen_by"),
        ("SELECT uid FROM accounts WHERE seen_by LIKE '1%'", "accounts seen_by"),
        ("SELECT uid FROM accounts WHERE seen_by + 0 = 1", "accounts seen_by"),
        ("SELECT uid FROM accounts WHERE seen_by BETWEEN 1 AND 2", "accounts seen_by"),
        ("SELECT uid FROM accounts WHERE (seen_by > 1 OR uid = 1)", "accounts seen_by"),
        ("SELECT uid FROM accounts WHERE seen_by NOT IN (SELECT pid FROM process)", "accounts seen_by"),
        ("SELECT seen_by FROM accounts GROUP BY seen_by HAVING seen_by > 0", "accounts seen_by"),
        ("SELECT a.uid FROM process p JOIN accounts a ON a.seen_by + 0 = p.pid", "accounts seen_by"),
        ("SELECT a.uid FROM process p JOIN accounts a ON a.seen_by > p.pid", "accounts seen_by"),
        ("SELECT a.uid FROM process p FULL JOIN accounts a ON a.seen_by = p.pid", "accounts seen_by"),
        ("SELECT a.uid FROM accounts a LEFT JOIN process p ON a.seen_by = p.pid", "accounts seen_by"),
        ("SELECT a.author FROM commits a LEFT JOIN process p ON a.hash = p.built_from", "commits hash"),
        ("SELECT content FROM documents WHERE path = '/a' AND seen_by > 0", "documents seen_by"),
    ] {
        let (_, warnings) = run(&engine, sql).await;
        assert_eq!(warnings, [warning], "{sql}");
    }
}
