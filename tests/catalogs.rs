//! Tables of catalogs, which are found when a query names them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arrow_array::builder::{ArrayBuilder, Int64Builder, StringViewBuilder};
use futures::FutureExt;
use indago_engine::{Code, Dialect, Engine, EngineBuilder, QueryOptions};
use indago_table::driver::{self, BoxRow, Sources};
use indago_table::prelude::*;
use indago_table::scan::BoxFuture;
use indago_table::{
    AnyRow, Catalog, CatalogContext, ColumnSpec, Kind, Reading, Scalar, ScanContext, Sink, Slice, Table, TableSpec,
};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use crate::support::{rows, texts};

/// A table that is created at run time: an id, a name, and a hidden weight.
#[derive(Debug, Clone)]
struct Made {
    spec: TableSpec,
    rows: Arc<[(i64, &'static str)]>,
}

impl Made {
    fn new(name: &str, rows: &[(i64, &'static str)]) -> Self {
        let column = |name: &'static str, kind| ColumnSpec::new(name, kind, "");
        let mut columns = vec![column("id", Kind::BigInt), column("name", Kind::Text), column("weight", Kind::BigInt)];
        (columns[0].index, columns[2].hidden, columns[2].volatile) = (true, true, true);
        let spec = TableSpec::new(name.to_owned(), "made", "Things of a kind.", columns);
        Made { spec, rows: rows.into() }
    }

    /// The same table, which needs a constraint on its id.
    fn keyed(mut self) -> Self {
        self.spec.require_any = vec![0].into();
        self
    }
}

struct MadeRow(i64, &'static str);

impl AnyRow for MadeRow {
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder) {
        let builder = builder.as_any_mut();
        match column {
            0 => builder.downcast_mut::<Int64Builder>().expect("id").append_value(self.0),
            1 => builder.downcast_mut::<StringViewBuilder>().expect("name").append_value(self.1),
            _ => builder.downcast_mut::<Int64Builder>().expect("weight").append_value(self.0 * 10),
        }
    }

    fn key(&self, column: usize) -> Option<Scalar> {
        (column == 0).then_some(Scalar::Integer(self.0))
    }
}

impl Sources for Made {
    fn load(&self, _row: &mut dyn AnyRow, _source: usize) -> Result<()> {
        Ok(())
    }
}

impl Table for Made {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let (table, context) = (self.clone(), context.clone());
        let read = move |sink: &mut dyn Sink| {
            assert!(table.spec.require_any.is_empty() || context.constraints.keys(0).is_some(), "it has keys");
            let mut rows = table.rows.iter().map(|(id, name)| Box::new(MadeRow(*id, name)) as BoxRow);
            driver::read_rows(&table.spec, &context, &mut rows, &table, 16, sink)
        };
        Ok(vec![Slice::new("", Reading::Blocking(Box::new(read)))])
    }

    fn checks_filters(&self) -> bool {
        true
    }
}

/// Behaviour of a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Manner {
    #[default]
    Answers,
    Fails,
    Hangs,
}

/// A catalog that counts its lookups.
#[derive(Debug)]
struct Cellar {
    name: &'static str,
    tables: Mutex<BTreeMap<String, TableRef>>,
    manner: watch::Sender<Manner>,
    asked: Mutex<Vec<String>>,
    listed: Mutex<usize>,
    /// Receives each lookup that was cancelled.
    dropped: mpsc::UnboundedSender<()>,
}

impl Cellar {
    fn new(name: &'static str, tables: impl IntoIterator<Item = Made>) -> (Arc<Self>, mpsc::UnboundedReceiver<()>) {
        let (dropped, drops) = mpsc::unbounded_channel();
        let cellar = Cellar {
            name,
            tables: Mutex::default(),
            manner: watch::channel(Manner::default()).0,
            asked: Mutex::default(),
            listed: Mutex::default(),
            dropped,
        };
        tables.into_iter().for_each(|table| cellar.put(table));
        (Arc::new(cellar), drops)
    }

    fn put(&self, table: Made) {
        self.tables.lock().insert(table.spec.name.to_string(), Arc::new(table));
    }

    /// Lookups since the last call.
    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock());
        asked.sort();
        asked
    }

    async fn answer(&self) -> Result<()> {
        struct Question<'a>(&'a Cellar, bool);
        impl Drop for Question<'_> {
            fn drop(&mut self) {
                if !self.1 {
                    let _ = self.0.dropped.send(());
                }
            }
        }
        let mut question = Question(self, false);
        let mut manner = self.manner.subscribe();
        let manner = *manner.wait_for(|manner| *manner != Manner::Hangs).await.expect("the catalog is there");
        question.1 = true;
        match manner {
            Manner::Fails => Err(Error::Unavailable("connection refused".to_owned())),
            _ => Ok(()),
        }
    }
}

impl Catalog for Cellar {
    fn name(&self) -> &str {
        self.name
    }

    fn table<'a>(&'a self, name: &'a str, _context: &'a CatalogContext) -> BoxFuture<'a, Result<Option<TableRef>>> {
        self.asked.lock().push(name.to_owned());
        Box::pin(async move { self.answer().await.map(|()| self.tables.lock().get(name).cloned()) })
    }

    fn names<'a>(&'a self, _context: &'a CatalogContext) -> BoxFuture<'a, Result<Vec<String>>> {
        *self.listed.lock() += 1;
        Box::pin(async move { self.answer().await.map(|()| self.tables.lock().keys().cloned().collect()) })
    }
}

const WIDGETS: [(i64, &str); 4] = [(1, "one"), (2, "two"), (3, "three"), (4, "four")];

fn own_table() -> TableRef {
    Arc::new(Made::new("own", &[(2, "b"), (3, "c")]))
}

fn builder() -> EngineBuilder {
    Engine::builder().table(own_table())
}

async fn engine_with(cellar: &Arc<Cellar>) -> Engine {
    builder().catalog(cellar.clone()).build().await.expect("the engine builds")
}

async fn error(engine: &Engine, sql: &str) -> indago_engine::Error {
    engine.query(sql).await.err().unwrap_or_else(|| panic!("{sql} plans"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_a_catalog_is_a_table_like_any_other() {
    let gears = Made::new("gears", &[(2, "cog"), (4, "wheel"), (9, "belt")]).keyed();
    let odd = Made::new("Odd", &[(7, "seven")]);
    let past = Made::new("past.widgets", &[(1, "once")]);
    let (cellar, _) = Cellar::new("cellar", [Made::new("widgets", &WIDGETS), gears, odd, past]);
    let engine = engine_with(&cellar).await;
    let all = [["1", "one"], ["2", "two"], ["3", "three"], ["4", "four"]];
    for sql in [
        "SELECT * FROM widgets ORDER BY id",
        "SELECT * FROM WIDGETS ORDER BY id",
        "SELECT * FROM \"widgets\" ORDER BY id",
        "SELECT id, name FROM \"WidGets\" ORDER BY id",
        "SELECT w.* FROM main.widgets AS w ORDER BY id",
        "SELECT id, name FROM datafusion.public.widgets ORDER BY id",
        "SELECT id, name FROM public.widgets ORDER BY id",
        "SELECT * FROM public.widgets ORDER BY id",
        "SELECT widgets.* FROM datafusion.public.widgets ORDER BY id",
        "SELECT public.widgets.* FROM public.widgets ORDER BY id",
    ] {
        let batches = engine.query(sql).await.expect(sql).collect().await.expect(sql);
        assert_eq!(texts(&batches), all, "{sql}");
    }
    let one = async |sql: &str| rows(&engine, sql).await.concat();
    assert_eq!(one("SELECT id FROM \"Odd\"").await, ["7"]);
    assert_eq!(one("SELECT name FROM past.widgets").await, ["once"]);
    assert_eq!(one("SELECT weight FROM widgets WHERE id = 3 AND name <> 'x'").await, ["30"]);
    assert_eq!(rows(&engine, "SELECT id FROM widgets LIMIT 2").await.len(), 2);
    assert_eq!(one("SELECT name FROM gears WHERE id IN (4, 5)").await, ["wheel"]);
    assert_eq!(
        rows(&engine, "SELECT w.name, g.name FROM widgets w JOIN gears g ON g.id = w.id JOIN own o ON o.id = w.id")
            .await,
        [["two", "cog"]]
    );
    assert_eq!(error(&engine, "SELECT * FROM gears").await.code(), Code::KeyRequired);
    assert_eq!(error(&engine, "SELECT nam FROM widgets").await.help(), Some("did you mean `name`?"));
    let plan = one("EXPLAIN SELECT name FROM widgets WHERE id = 2 AND name LIKE 't%'").await.concat();
    assert!(plan.contains("table=widgets") && plan.contains("pushed=[id = 2]") && plan.contains("filter="), "{plan}");
    // Two scans of one table are one scan.
    let query = engine.query("SELECT a.id FROM widgets a JOIN widgets b ON a.name = b.name").await.expect("it plans");
    query.collect().await.expect("it runs");
    assert_eq!(query.scans().len(), 1);
    // A consumer that compares rows knows the volatile columns.
    let query = engine.query("SELECT weight AS w FROM widgets").await.expect("it plans");
    assert_eq!(query.lineage()[0].columns["weight"], BTreeSet::from([0]));
    assert!(query.tables()[0].spec().columns[2].volatile);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_about_tables_covers_those_of_catalogs() {
    let (cellar, _) = Cellar::new("cellar", [Made::new("widgets", &WIDGETS), Made::new("gadgets", &[])]);
    let engine = engine_with(&cellar).await;
    let info = [["0", "id", "BIGINT", "0", "", "0"], ["1", "name", "TEXT", "0", "", "0"]];
    for sql in ["PRAGMA table_info(widgets)", "SELECT * FROM pragma_table_info('widgets')"] {
        assert_eq!(rows(&engine, sql).await, info, "{sql}");
    }
    assert_eq!(*cellar.listed.lock(), 0, "no list was requested");
    cellar.asked();
    let listed =
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name LIKE '%dgets'";
    assert_eq!(rows(&engine, listed).await.concat(), ["gadgets", "widgets"]);
    assert_eq!(cellar.asked(), Vec::<String>::new(), "a list makes no table");
    let columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'widgets'";
    assert_eq!(rows(&engine, columns).await.concat(), ["id", "name", "weight"]);
    assert_eq!(cellar.asked(), ["widgets"]);
    assert_eq!(
        rows(&engine, "SELECT name, sql FROM sqlite_master WHERE name IN ('widgets') OR name = 'own'").await,
        [
            ["own", "CREATE TABLE own(`id` BIGINT, `name` TEXT, `weight` BIGINT)"],
            ["widgets", "CREATE TABLE widgets(`id` BIGINT, `name` TEXT, `weight` BIGINT)"]
        ]
    );
    assert_eq!(rows(&engine, "SELECT sql FROM sqlite_master WHERE name LIKE 'gadg%'").await, [["NULL"]]);
    let described = rows(&engine, "DESCRIBE widgets").await;
    assert_eq!(described.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["id", "name", "weight"]);

    let found = engine.find_table("widgets").await.expect("it answers").expect("it is there");
    assert_eq!(found.spec().columns.len(), 3);
    assert!(engine.find_table("OWN").await.expect("it answers").is_some());
    assert!(engine.find_table("nothing").await.expect("it answers").is_none());
    let (names, missing) = engine.found_names().await;
    assert_eq!(names.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["gadgets", "widgets"]);
    assert!(missing.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_asked_for_once_a_query_wherever_it_stands() {
    let (cellar, _) = Cellar::new("cellar", ["a", "b", "c"].map(|name| Made::new(name, &WIDGETS)));
    let engine = engine_with(&cellar).await;
    for (sql, asked) in [
        ("SELECT 1", ""),
        ("SELECT * FROM own", ""),
        ("SELECT * FROM a, a AS x JOIN a AS y ON x.id = y.id", "a"),
        ("SELECT id FROM own WHERE id IN (SELECT id FROM a) AND EXISTS (SELECT 1 FROM b WHERE b.id = own.id)", "a b"),
        ("SELECT (SELECT max(id) FROM a), (SELECT max(x.id) FROM (SELECT * FROM b) AS x)", "a b"),
        ("SELECT id FROM a UNION SELECT id FROM b EXCEPT SELECT id FROM (SELECT id FROM c LIMIT 1) AS d", "a b c"),
        ("WITH a AS (SELECT 1 AS id) SELECT * FROM a", ""),
        ("WITH A AS (SELECT * FROM b) SELECT * FROM a JOIN \"a\" AS x ON a.id = x.id", "b"),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", "a"),
        ("WITH x AS (SELECT * FROM a), a AS (SELECT 1 AS id) SELECT * FROM x, a", "a"),
        ("WITH x AS (WITH a AS (SELECT * FROM b) SELECT * FROM a) SELECT * FROM x, c", "b c"),
        ("WITH RECURSIVE a AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM a WHERE id < 3) SELECT * FROM a", ""),
        ("SELECT * FROM (WITH a AS (SELECT 1 AS id) SELECT * FROM a) AS x", ""),
        ("SELECT count(*) FROM own JOIN LATERAL (SELECT * FROM a WHERE a.id = own.id) AS x ON true", "a"),
        ("SELECT value FROM generate_series(1, 3)", ""),
        ("SELECT value FROM json_each('[1]')", ""),
        ("EXPLAIN SELECT * FROM a", "a"),
        ("EXPLAIN ANALYZE SELECT * FROM a", "a"),
        ("SELECT * FROM main.a, public.b, datafusion.public.c", "a b c"),
    ] {
        let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(cellar.asked().join(" "), asked, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_fails_fails_only_queries_that_need_it() {
    let (down, _) = Cellar::new("down", [Made::new("widgets", &WIDGETS)]);
    let (up, _) = Cellar::new("up", [Made::new("gears", &WIDGETS)]);
    let engine = builder().catalog(down.clone()).catalog(up).build().await.expect("the engine builds");
    for manner in [Manner::Fails, Manner::Hangs] {
        down.manner.send_replace(manner);
        assert_eq!(rows(&engine, "SELECT count(*) FROM own").await, [["2"]]);
        assert_eq!(rows(&engine, "SELECT count(*) FROM gears").await, [["4"]], "another catalog has it");
    }
    down.manner.send_replace(Manner::Fails);
    let sql = "SELECT w.id FROM own JOIN widgets w ON w.id = own.id";
    let failed = error(&engine, sql).await;
    assert_eq!(failed.code(), Code::Catalog);
    assert_eq!(
        failed.to_string(),
        "no table `widgets` found, and catalog `down` could not be searched: connection refused"
    );
    assert_eq!(failed.help(), Some("retry when the catalog is reachable"));
    assert_eq!(failed.span().map(|span| &sql[span.start..span.end]), Some("widgets"));
    assert_eq!(error(&engine, "SELECT * FROM owm").await.help(), Some("did you mean `own`?"));

    let query =
        engine.query("SELECT count(*) FROM information_schema.tables WHERE table_name IN ('own', 'gears')").await;
    let query = query.expect("it plans");
    assert_eq!(texts(&query.collect().await.expect("it runs")), [["2"]]);
    let warnings: Vec<String> = query.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["down (names of its tables): connection refused"]);
    assert_eq!(engine.found_names().await.1.len(), 1);

    down.manner.send_replace(Manner::Answers);
    assert_eq!(rows(&engine, sql).await.concat(), ["2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_is_waited_for_as_long_as_the_query_may_take() {
    let (cellar, mut drops) = Cellar::new("cellar", [Made::new("widgets", &WIDGETS)]);
    let engine = engine_with(&cellar).await;
    cellar.manner.send_replace(Manner::Hangs);
    let limited = QueryOptions { timeout: Some(Duration::from_millis(100)), ..QueryOptions::default() };
    let failed = engine.query_with("SELECT * FROM widgets", limited).await.expect_err("nobody answers");
    assert_eq!(failed.code(), Code::Timeout);
    assert_eq!(failed.to_string(), "no response within 100ms from catalog `cellar` about table `widgets`");
    drops.recv().await.expect("the lookup was cancelled");

    // Cancelling the query cancels the lookup; all planning threads are free again.
    for _ in 0..200 {
        let asked = cellar.asked.lock().len();
        let mut query = engine.query("SELECT * FROM widgets").boxed();
        while cellar.asked.lock().len() == asked {
            assert!((&mut query).now_or_never().is_none(), "nobody answers");
            tokio::task::yield_now().await;
        }
        drop(query);
        drops.recv().await.expect("the lookup was cancelled");
    }

    // A slow result is used.
    let mut query = engine.query("SELECT count(*) FROM widgets").boxed();
    assert!((&mut query).now_or_never().is_none());
    assert_eq!(rows(&engine, "SELECT count(*) FROM own").await, [["2"]], "other queries continue");
    cellar.manner.send_replace(Manner::Answers);
    let batches = query.await.expect("it plans").collect().await.expect("it runs");
    assert_eq!(texts(&batches), [["4"]]);
}

/// A catalog whose answer was not needed is not what a query waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_names_the_question_that_was_open() {
    let (silent, _) = Cellar::new("silent", [Made::new("widgets", &WIDGETS)]);
    let (up, _) = Cellar::new("up", [Made::new("gears", &WIDGETS)]);
    let engine = builder().catalog(silent.clone()).catalog(up).build().await.expect("the engine builds");
    silent.manner.send_replace(Manner::Hangs);
    let limited = QueryOptions { timeout: Some(Duration::from_millis(100)), ..QueryOptions::default() };
    let failed = engine.query_with("SELECT * FROM gears, widgets", limited).await.expect_err("nobody answers");
    assert_eq!(failed.to_string(), "no response within 100ms from catalog `silent` about table `widgets`");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_change_and_vanish_between_queries() {
    let (cellar, _) = Cellar::new("cellar", [Made::new("widgets", &WIDGETS)]);
    let engine = engine_with(&cellar).await;
    let view = "CREATE VIEW many AS SELECT count(*) AS many FROM widgets";
    assert_eq!(rows(&engine, view).await.len(), 0);
    assert_eq!(rows(&engine, "CREATE VIEW twice AS SELECT 2 * many AS twice FROM many").await.len(), 0);
    let many = async |engine: &Engine| rows(engine, "SELECT (SELECT many FROM many), twice FROM twice").await.concat();
    assert_eq!(many(&engine).await, ["4", "8"]);
    let other = engine.fork();

    cellar.put(Made::new("widgets", &WIDGETS[..1]));
    assert_eq!(rows(&engine, "SELECT name FROM widgets").await, [["one"]]);
    assert_eq!(many(&engine).await, ["1", "2"], "a view has the timestamp of its query");
    assert_eq!(many(&other).await, ["1", "2"]);
    let listed = "SELECT table_name, table_type FROM information_schema.tables WHERE table_name IN ('many', 'widgets')";
    assert_eq!(rows(&engine, listed).await, [["many", "VIEW"], ["widgets", "BASE TABLE"]]);

    // Tables that a query looked up are dropped with it.
    let held: Weak<dyn Table> = Arc::downgrade(&cellar.tables.lock()["widgets"]);
    cellar.tables.lock().clear();
    assert!(held.upgrade().is_none(), "nothing outlives its query");
    let gone = error(&engine, "SELECT name FROM widgets").await;
    assert_eq!((gone.code(), gone.to_string()), (Code::UnknownTable, "no table `widgets`".to_owned()));
    let gone = error(&engine, "SELECT * FROM twice").await;
    assert_eq!(gone.code(), Code::UnknownTable);
    assert_eq!(gone.to_string(), "view `twice`: view `many`: no table `widgets`");

    // Views are replaced and dropped; each session has its own.
    assert_eq!(error(&engine, view).await.code(), Code::UnknownTable);
    cellar.put(Made::new("widgets", &WIDGETS[..2]));
    assert!(error(&engine, view).await.to_string().contains("a view `many` already exists"));
    rows(&engine, "CREATE OR REPLACE VIEW many AS SELECT 7 AS many").await;
    assert_eq!(
        (many(&engine).await, many(&other).await),
        (vec!["7".into(), "14".into()], vec!["2".into(), "4".into()])
    );
    rows(&engine, "CREATE OR REPLACE VIEW many AS SELECT id AS many FROM widgets LIMIT 1").await;
    rows(&engine, "DROP VIEW twice").await;
    assert_eq!(error(&engine, "SELECT * FROM twice").await.code(), Code::UnknownTable);
    rows(&other, "CREATE OR REPLACE VIEW many AS SELECT twice AS many FROM twice").await;
    let circle = error(&other, "SELECT * FROM many").await;
    assert!(circle.to_string().contains("view `many` reads itself"), "{circle}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_with_views_over_a_catalog_starts_without_it() {
    let (cellar, _) = Cellar::new("cellar", [Made::new("widgets", &WIDGETS)]);
    cellar.manner.send_replace(Manner::Hangs);
    let engine = builder()
        .catalog(cellar.clone())
        .view("heavy", "SELECT name FROM widgets WHERE weight > 20")
        .view("heavier", "SELECT name FROM heavy WHERE name LIKE 'f%'")
        .view("plain", "SELECT id FROM own")
        .build()
        .await
        .expect("no catalog is needed");
    assert_eq!(rows(&engine, "SELECT * FROM plain").await.len(), 2);
    cellar.manner.send_replace(Manner::Answers);
    assert_eq!(rows(&engine, "SELECT * FROM heavier").await, [["four"]]);
    let broken = builder().catalog(cellar.clone()).view("bad", "SELECT FROM WHERE").build().await;
    assert!(broken.expect_err("it is not SQL").to_string().starts_with("view `bad`: "));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_meant_may_be_a_table_of_a_catalog() {
    let (cellar, _) = Cellar::new("cellar", [Made::new("widgets", &WIDGETS)]);
    for dialect in [Dialect::Osquery, Dialect::DataFusion] {
        let engine = builder().dialect(dialect).catalog(cellar.clone()).build().await.expect("the engine builds");
        let misspelt = error(&engine, "SELECT * FROM widgest").await;
        assert_eq!((misspelt.code(), misspelt.help()), (Code::UnknownTable, Some("did you mean `widgets`?")));
        assert_eq!(error(&engine, "SELECT * FROM owns").await.help(), Some("did you mean `own`?"));
        assert_eq!(rows(&engine, "SELECT count(*) FROM widgets").await, [["4"]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_datafusion_asks_too() {
    let (cellar, _) = Cellar::new("cellar", [Made::new("widgets", &WIDGETS)]);
    let session = engine_with(&cellar).await.session();
    let frame =
        session.sql("SELECT w.name FROM widgets w JOIN own ON own.id = w.id ORDER BY 1").await.expect("it plans");
    assert_eq!(texts(&frame.collect().await.expect("it runs")).concat(), ["three", "two"]);
    cellar.manner.send_replace(Manner::Fails);
    let failed = session.sql("SELECT * FROM widgets").await.expect_err("the catalog is down");
    assert!(failed.to_string().contains("catalog `cellar` could not be searched"), "{failed}");
    assert!(session.sql("SELECT * FROM own").await.is_ok());
}
