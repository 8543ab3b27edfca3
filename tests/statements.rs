//! No statement and no plan changes anything, however it reaches the engine: only reads, `EXPLAIN` and a session's
//! views run. Every kind that the parser and DataFusion know is tested; a new kind does not compile until it is listed
//! here.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use arrow_array::Int64Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::view::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{
    ColumnarValue, DdlStatement, Distinct, LogicalPlan, LogicalPlanBuilder, Statement as PlanStatement, SubqueryAlias,
    Volatility, create_udf,
};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::{
    DuckDbDialect, GenericDialect, HiveDialect, MySqlDialect, PostgreSqlDialect, SnowflakeDialect,
};
use datafusion::sql::sqlparser::parser::Parser;
use indago_engine::{Code, Dialect, Engine, Limits, QueryOptions};

use crate::support::{rows, texts};

/// An example of each kind of an enum.
macro_rules! kinds {
    ($examples:ident, $kind_of:ident, $enum:ident: $($kind:ident: $sql:literal,)*) => {
        const $examples: &[(&str, &str)] = &[$((stringify!($kind), $sql),)*];

        fn $kind_of(statement: &$enum) -> &'static str {
            match statement {
                $($enum::$kind { .. } => stringify!($kind),)*
            }
        }
    };
}

kinds! { STATEMENTS, kind_of_statement, Statement:
    Analyze: "ANALYZE TABLE t",
    Set: "SET a = 1",
    Truncate: "TRUNCATE TABLE t",
    Msck: "MSCK REPAIR TABLE t",
    Query: "SELECT 1 AS a",
    Insert: "INSERT INTO t VALUES (1)",
    Install: "INSTALL httpfs",
    Load: "LOAD httpfs",
    Directory: "INSERT OVERWRITE DIRECTORY 'FOLDER/x' SELECT 1",
    Case: "CASE 1 WHEN 1 THEN SELECT 1; END CASE",
    If: "IF 1 = 1 THEN SELECT 1; END IF",
    While: "WHILE 1 = 1 BEGIN SELECT 1; END",
    Raise: "RAISE USING MESSAGE = 'x'",
    Call: "CALL f(1)",
    Copy: "COPY t TO 'FOLDER/x'",
    CopyIntoSnowflake: "COPY INTO t FROM @stage",
    Open: "OPEN c",
    Close: "CLOSE c",
    Update: "UPDATE t SET a = 1",
    Delete: "DELETE FROM t",
    CreateView: "CREATE VIEW v AS SELECT 1 AS a",
    CreateTable: "CREATE TABLE t AS SELECT 1 AS a",
    CreateVirtualTable: "CREATE VIRTUAL TABLE t USING m(a)",
    CreateIndex: "CREATE INDEX i ON t (a)",
    CreateRole: "CREATE ROLE r",
    CreateSecret: "CREATE SECRET s (TYPE s3)",
    CreateServer: "CREATE SERVER s FOREIGN DATA WRAPPER w",
    CreatePolicy: "CREATE POLICY p ON t",
    CreateConnector: "CREATE CONNECTOR c TYPE 'mysql'",
    CreateOperator: "CREATE OPERATOR + (FUNCTION = f, LEFTARG = INT, RIGHTARG = INT)",
    CreateOperatorFamily: "CREATE OPERATOR FAMILY f USING btree",
    CreateOperatorClass: "CREATE OPERATOR CLASS c FOR TYPE INT USING btree AS OPERATOR 1 <",
    AlterTable: "ALTER TABLE t ADD COLUMN b INT",
    AlterSchema: "ALTER SCHEMA s RENAME TO r",
    AlterIndex: "ALTER INDEX i RENAME TO j",
    AlterView: "ALTER VIEW v AS SELECT 1",
    AlterFunction: "ALTER FUNCTION f(INT) RENAME TO g",
    AlterType: "ALTER TYPE t RENAME TO u",
    AlterCollation: "ALTER COLLATION c RENAME TO d",
    AlterOperator: "ALTER OPERATOR + (INT, INT) OWNER TO CURRENT_USER",
    AlterOperatorFamily: "ALTER OPERATOR FAMILY f USING btree RENAME TO g",
    AlterOperatorClass: "ALTER OPERATOR CLASS c USING btree RENAME TO d",
    AlterRole: "ALTER ROLE r RENAME TO q",
    AlterPolicy: "ALTER POLICY p ON t RENAME TO q",
    AlterConnector: "ALTER CONNECTOR c SET URL 'x'",
    AlterSession: "ALTER SESSION SET A = 1",
    AttachDatabase: "ATTACH DATABASE 'x.db' AS x",
    AttachDuckDBDatabase: "ATTACH 'x.db'",
    DetachDuckDBDatabase: "DETACH x",
    Drop: "DROP TABLE t",
    DropFunction: "DROP FUNCTION f",
    DropDomain: "DROP DOMAIN d",
    DropProcedure: "DROP PROCEDURE p",
    DropSecret: "DROP SECRET s",
    DropPolicy: "DROP POLICY p ON t",
    DropConnector: "DROP CONNECTOR c",
    Declare: "DECLARE c CURSOR FOR SELECT 1",
    CreateExtension: "CREATE EXTENSION e",
    CreateCollation: "CREATE COLLATION c FROM \"C\"",
    DropExtension: "DROP EXTENSION e",
    DropOperator: "DROP OPERATOR + (INT, INT)",
    DropOperatorFamily: "DROP OPERATOR FAMILY f USING btree",
    DropOperatorClass: "DROP OPERATOR CLASS c USING btree",
    Fetch: "FETCH NEXT IN c",
    Flush: "FLUSH TABLES",
    Discard: "DISCARD ALL",
    ShowFunctions: "SHOW FUNCTIONS",
    ShowVariable: "SHOW datafusion.execution.batch_size",
    ShowStatus: "SHOW STATUS",
    ShowVariables: "SHOW VARIABLES",
    ShowCreate: "SHOW CREATE TABLE t",
    ShowColumns: "SHOW COLUMNS FROM t",
    ShowCatalogs: "SHOW CATALOGS",
    ShowDatabases: "SHOW DATABASES",
    ShowProcessList: "SHOW PROCESSLIST",
    ShowSchemas: "SHOW SCHEMAS",
    ShowCharset: "SHOW CHARSET",
    ShowObjects: "SHOW OBJECTS",
    ShowTables: "SHOW TABLES",
    ShowViews: "SHOW VIEWS",
    ShowCollation: "SHOW COLLATION",
    Use: "USE d",
    StartTransaction: "START TRANSACTION",
    Comment: "COMMENT ON TABLE t IS 'x'",
    Commit: "COMMIT",
    Rollback: "ROLLBACK",
    CreateSchema: "CREATE SCHEMA s",
    CreateDatabase: "CREATE DATABASE d",
    CreateFunction: "CREATE FUNCTION f(INT) RETURNS INT RETURN $1",
    CreateTrigger: "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    DropTrigger: "DROP TRIGGER g ON t",
    CreateProcedure: "CREATE PROCEDURE p AS BEGIN SELECT 1; END",
    CreateMacro: "CREATE MACRO m(a) AS a",
    CreateStage: "CREATE STAGE s",
    Assert: "ASSERT 1 = 1",
    Grant: "GRANT SELECT ON t TO u",
    Deny: "DENY SELECT ON t TO u",
    Revoke: "REVOKE SELECT ON t FROM u",
    Deallocate: "DEALLOCATE p",
    Execute: "EXECUTE p",
    Prepare: "PREPARE p AS SELECT 1",
    Kill: "KILL 1",
    ExplainTable: "DESCRIBE t",
    Explain: "EXPLAIN SELECT 1",
    Savepoint: "SAVEPOINT s",
    ReleaseSavepoint: "RELEASE SAVEPOINT s",
    Merge: "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
    Cache: "CACHE TABLE t",
    UNCache: "UNCACHE TABLE t",
    CreateSequence: "CREATE SEQUENCE s",
    CreateDomain: "CREATE DOMAIN d AS INT",
    CreateType: "CREATE TYPE t AS (a INT)",
    Pragma: "PRAGMA journal_mode = 1",
    Lock: "LOCK TABLE t",
    LockTables: "LOCK TABLES t READ",
    UnlockTables: "UNLOCK TABLES",
    Unload: "UNLOAD (SELECT 1) TO 'FOLDER/x'",
    OptimizeTable: "OPTIMIZE TABLE t",
    LISTEN: "LISTEN c",
    UNLISTEN: "UNLISTEN c",
    NOTIFY: "NOTIFY c",
    LoadData: "LOAD DATA INPATH 'FOLDER/x' INTO TABLE t",
    RenameTable: "RENAME TABLE t TO u",
    List: "LIST @stage",
    Remove: "REMOVE @stage",
    RaisError: "RAISERROR('x', 16, 1)",
    Throw: "THROW",
    Print: "PRINT 'x'",
    WaitFor: "WAITFOR DELAY '00:00:01'",
    Return: "RETURN 1",
    ExportData: "EXPORT DATA OPTIONS(uri = 'x') AS SELECT 1",
    CreateUser: "CREATE USER u",
    AlterUser: "ALTER USER u SET a = 'x'",
    Vacuum: "VACUUM t",
    Reset: "RESET ALL",
}

kinds! { DDL, kind_of_ddl, DdlStatement:
    CreateExternalTable: "CREATE EXTERNAL TABLE n (a INT) STORED AS CSV LOCATION 'FOLDER/new.csv'",
    CreateMemoryTable: "CREATE TABLE n AS SELECT 1 AS a",
    CreateView: "CREATE VIEW n AS SELECT 1 AS a",
    CreateCatalogSchema: "CREATE SCHEMA n",
    CreateCatalog: "CREATE DATABASE n",
    CreateIndex: "CREATE INDEX n ON t (a)",
    DropTable: "DROP TABLE t",
    DropView: "DROP VIEW t",
    DropCatalogSchema: "DROP SCHEMA n",
    CreateFunction: "CREATE FUNCTION n(INT) RETURNS INT RETURN $1",
    DropFunction: "DROP FUNCTION n",
}

kinds! { PLAN_STATEMENTS, kind_of_plan_statement, PlanStatement:
    TransactionStart: "START TRANSACTION",
    TransactionEnd: "COMMIT",
    SetVariable: "SET datafusion.execution.batch_size = 7",
    ResetVariable: "RESET datafusion.execution.batch_size",
    Prepare: "PREPARE n AS SELECT 1",
    Execute: "EXECUTE n",
    Deallocate: "DEALLOCATE n",
}

/// Statements that write, in addition to one of each kind.
const WRITES: [&str; 12] = [
    "COPY (SELECT 1 AS a) TO 'FOLDER/x.csv' STORED AS CSV",
    "COPY (SELECT 1 AS a) TO 'FOLDER/x.json'",
    "COPY (SELECT 1 AS a) TO 'FOLDER/x.parquet' STORED AS PARQUET",
    "COPY (SELECT 1 AS a) TO 'FOLDER/x.arrow' STORED AS ARROW",
    "CREATE EXTERNAL TABLE n (a INT) STORED AS CSV LOCATION 'FOLDER/new.csv'",
    "CREATE UNBOUNDED EXTERNAL TABLE n (a INT) STORED AS CSV LOCATION 'FOLDER/new.csv'",
    "RESET datafusion.execution.batch_size",
    "SET datafusion.runtime.memory_limit = '1K'",
    "SELECT 1 AS a INTO n",
    "SELECT 1 AS a INTO n UNION ALL SELECT 2",
    "CREATE OR REPLACE TABLE t AS SELECT 2 AS a",
    "DROP TABLE IF EXISTS t",
];

/// Ways to nest a statement in another; the last two do more than read, whatever they contain.
const AROUND: [&str; 11] = [
    "@",
    "EXPLAIN @",
    "EXPLAIN ANALYZE @",
    "EXPLAIN VERBOSE @",
    "EXPLAIN ANALYZE VERBOSE @",
    "EXPLAIN ANALYZE SELECT * FROM (@) AS c",
    "CREATE VIEW w AS @",
    "WITH c AS (@) SELECT * FROM c",
    "SELECT * FROM (@) AS c WHERE EXISTS (@)",
    "PREPARE q AS @",
    "EXPLAIN ANALYZE CREATE VIEW w AS @",
];

/// Whether a statement of a kind runs, alone or nested in another.
fn may_run(kind: &str, around: &str) -> bool {
    let only_reads = !around.starts_with("PREPARE") && !around.contains("ANALYZE CREATE");
    match kind {
        "Query" => only_reads,
        "CreateView" | "Explain" | "ExplainTable" | "ShowColumns" | "ShowCreate" | "ShowTables" => around == "@",
        _ => false,
    }
}

/// Whether a statement of a kind only shows something, wherever it is nested.
fn only_shows(kind: &str) -> bool {
    ["Explain", "ExplainTable", "ShowColumns", "ShowCreate", "ShowTables"].contains(&kind)
}

async fn engine(dialect: Dialect) -> Engine {
    Engine::builder().dialect(dialect).view("t", "SELECT 1 AS a").build().await.expect("an engine")
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    entries.map(|entry| entry.expect("it is readable").file_name().to_string_lossy().into_owned()).collect()
}

/// Plans a statement and runs it to its end.
async fn run(engine: &Engine, sql: &str) -> Result<(), Code> {
    let query = engine.query(sql).await.map_err(|error| error.code())?;
    query.collect().await.map(drop).map_err(|error| error.code())
}

#[test]
fn each_kind_of_statement_has_an_example() {
    let parsed = |sql: &str| {
        let dialects: [&dyn datafusion::sql::sqlparser::dialect::Dialect; 6] = [
            &GenericDialect {},
            &PostgreSqlDialect {},
            &MySqlDialect {},
            &SnowflakeDialect,
            &DuckDbDialect {},
            &HiveDialect {},
        ];
        let kinds = dialects.map(|dialect| match Parser::parse_sql(dialect, sql).as_deref() {
            Ok([one]) => kind_of_statement(one),
            _ => "",
        });
        kinds.to_vec()
    };
    for (kind, sql) in STATEMENTS {
        assert!(parsed(sql).contains(kind), "{sql} is not a {kind}");
    }
}

#[tokio::test]
async fn only_reading_runs_in_whatever_it_is_hidden() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_str().expect("a plain path");
    let writes = WRITES.iter().map(|sql| ("write", *sql));
    for dialect in [Dialect::Osquery, Dialect::DataFusion] {
        for (kind, sql) in STATEMENTS.iter().copied().chain(writes.clone()) {
            let engine = engine(dialect).await;
            for around in AROUND {
                let sql = around.replace('@', sql).replace("FOLDER", place);
                let outcome = run(&engine, &sql).await;
                if may_run(kind, around) {
                    assert_eq!(outcome, Ok(()), "{dialect:?}: {sql}");
                } else if outcome.is_ok() {
                    assert!(only_shows(kind), "{dialect:?}: {sql}");
                } else {
                    let code = outcome.expect_err(&sql);
                    // Nested in another statement, it may parse as the name of a table.
                    let is_refused =
                        matches!(code, Code::Unsupported | Code::Parse | Code::Plan) || around.contains("(@)");
                    assert!(is_refused, "{dialect:?}: {sql}: {code}");
                }
                assert_eq!(rows(&engine, "SELECT a FROM t").await, [["1"]], "after {sql}");
                let gone = engine.query("SELECT * FROM n").await.expect_err("nothing created it");
                assert_eq!(gone.code(), Code::UnknownTable, "after {sql}");
            }
        }
    }
    assert_eq!(files(folder.path()), [""; 0]);
}

#[tokio::test]
async fn a_view_of_the_builder_only_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_str().expect("a plain path");
    for sql in WRITES.iter().chain(STATEMENTS.iter().map(|(_, sql)| sql)).filter(|sql| !sql.starts_with("SHOW")) {
        let sql = sql.replace("FOLDER", place);
        let built = Engine::builder().view("w", sql.clone()).build().await;
        if let Ok(engine) = built {
            assert!(sql.starts_with("SELECT 1 AS a") || sql.starts_with("EXPLAIN") || sql.starts_with("DESC"), "{sql}");
            let _ = run(&engine, "SELECT * FROM w").await;
        }
    }
    assert_eq!(files(folder.path()), [""; 0]);
}

#[tokio::test]
async fn the_session_handed_out_only_reads_and_is_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_str().expect("a plain path");
    let engine = engine(Dialect::Osquery).await;
    let run = async |sql: &str| -> Result<usize, DataFusionError> {
        let batches = engine.session().sql(&sql.replace("FOLDER", place)).await?.collect().await?;
        Ok(batches.iter().map(|batch| batch.num_rows()).sum())
    };
    assert_eq!(run("SELECT a FROM t").await.expect("it reads"), 1);
    assert_eq!(run("CREATE VIEW w AS SELECT a FROM t").await.expect("a view of its own"), 0);
    for (kind, sql) in STATEMENTS {
        for around in AROUND {
            if !may_run(kind, around) && !sql.starts_with("SHOW") && !sql.starts_with("DESC") {
                let sql = around.replace('@', sql);
                assert!(run(&sql).await.is_err(), "{sql}");
            }
        }
    }
    for sql in WRITES {
        for around in AROUND {
            let sql = around.replace('@', sql);
            assert!(run(&sql).await.is_err(), "{sql}");
        }
    }
    assert_eq!(files(folder.path()), [""; 0]);
    // Objects that are registered or set in other ways stay in that session.
    let session = engine.session();
    session.deregister_table("t").expect("its own");
    session.sql("CREATE VIEW mine AS SELECT 2 AS a").await.expect("its own");
    assert_eq!(rows(&engine, "SELECT a FROM t").await, [["1"]]);
    for name in ["w", "mine"] {
        assert!(engine.query(&format!("SELECT * FROM {name}")).await.is_err(), "{name}");
    }
}

/// Plans that contain another plan.
fn hidden(plan: &LogicalPlan) -> Vec<(&'static str, LogicalPlan)> {
    let arc = Arc::new(plan.clone());
    let read = || LogicalPlanBuilder::empty(true);
    let build = |builder: Result<LogicalPlanBuilder, DataFusionError>| builder.and_then(LogicalPlanBuilder::build).ok();
    let mut analyze = match LogicalPlanBuilder::empty(true).explain(false, true).and_then(LogicalPlanBuilder::build) {
        Ok(LogicalPlan::Analyze(analyze)) => analyze,
        other => panic!("{other:?}"),
    };
    analyze.input = arc.clone();
    let within = datafusion::logical_expr::exists(arc.clone());
    let plans = [
        ("plain", Some(plan.clone())),
        ("explain", build(LogicalPlanBuilder::from(plan.clone()).explain(false, false))),
        ("explain verbose", build(LogicalPlanBuilder::from(plan.clone()).explain(true, false))),
        ("explain analyze", build(LogicalPlanBuilder::from(plan.clone()).explain(false, true))),
        ("analyze", Some(LogicalPlan::Analyze(analyze))),
        ("alias", SubqueryAlias::try_new(arc.clone(), "x").map(LogicalPlan::SubqueryAlias).ok()),
        ("distinct", Some(LogicalPlan::Distinct(Distinct::All(arc.clone())))),
        ("limit", build(LogicalPlanBuilder::from(plan.clone()).limit(0, Some(1)))),
        ("join", build(read().cross_join(plan.clone()))),
        ("exists", build(read().filter(within))),
    ];
    plans.into_iter().filter_map(|(name, plan)| Some((name, plan?))).collect()
}

#[tokio::test]
async fn no_plan_that_acts_is_planned() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_str().expect("a plain path");
    let engine = engine(Dialect::Osquery).await;
    let other = SessionContext::new();
    other.sql("CREATE TABLE t (a INT) AS VALUES (1)").await.expect("DataFusion's own session writes");
    let plan = async |sql: &str| {
        let sql = sql.replace("FOLDER", place);
        other.state().create_logical_plan(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    };
    let mut plans = Vec::new();
    for (kind, sql) in DDL {
        let plan = plan(sql).await;
        assert!(matches!(&plan, LogicalPlan::Ddl(ddl) if kind_of_ddl(ddl) == *kind), "{sql}");
        plans.push(plan);
    }
    for (kind, sql) in PLAN_STATEMENTS {
        let plan = plan(sql).await;
        assert!(matches!(&plan, LogicalPlan::Statement(of) if kind_of_plan_statement(of) == *kind), "{sql}");
        plans.push(plan);
    }
    for sql in ["INSERT INTO t VALUES (2)", "UPDATE t SET a = 2", "DELETE FROM t", "TRUNCATE TABLE t"] {
        let plan = plan(sql).await;
        assert!(matches!(plan, LogicalPlan::Dml(_)), "{sql}");
        plans.push(plan);
    }
    for sql in &WRITES[..4] {
        plans.push(plan(sql).await);
    }
    for plan in &plans {
        let hidden = hidden(plan);
        assert!(hidden.len() > 6, "few ways to nest {}", plan.display());
        for (name, hidden) in hidden {
            let session = engine.session();
            let planned = session.state().create_physical_plan(&hidden).await;
            let error = planned.expect_err(name).strip_backtrace();
            // DataFusion itself refuses some subqueries first.
            assert!(error.contains("Indago only reads") || name == "exists", "{name} of {}: {error}", plan.display());
            if !matches!(hidden, LogicalPlan::Ddl(_) | LogicalPlan::Statement(_)) {
                let done = async { session.execute_logical_plan(hidden).await?.collect().await };
                assert!(done.await.is_err(), "{name} of {}", plan.display());
            }
        }
        let session = engine.session();
        let view = ViewTable::new(plan.clone(), None);
        session.register_table("acts", Arc::new(view)).expect("a name of its own");
        let done = async { session.sql("SELECT count(*) FROM acts").await?.collect().await };
        assert!(done.await.is_err(), "a view of {}", plan.display());
    }
    assert_eq!(files(folder.path()), [""; 0]);
}

/// None of them reads a file.
#[tokio::test]
async fn the_table_functions_are_known() {
    for dialect in [Dialect::Osquery, Dialect::DataFusion] {
        let engine = engine(dialect).await;
        let state = engine.session().state();
        let mut names: Vec<&str> = state.table_functions().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["generate_series", "range"], "{dialect:?}");
        let error = engine.query("SELECT * FROM '/etc/passwd'").await.expect_err("a file is not a table");
        assert_eq!(error.code(), Code::UnknownTable);
    }
}

/// A view for each level that uses the one before twice.
fn doubled(levels: usize) -> String {
    let mut sql = "WITH a0 AS (SELECT 1 AS x)".to_owned();
    for level in 1..=levels {
        let before = level - 1;
        sql += &format!(", a{level} AS (SELECT l.x FROM a{before} l JOIN a{before} r ON l.x = r.x)");
    }
    sql + &format!(" SELECT x FROM a{levels}")
}

#[tokio::test]
async fn a_plan_that_is_too_large_is_refused() {
    for dialect in [Dialect::Osquery, Dialect::DataFusion] {
        let engine = engine(dialect).await;
        assert_eq!(rows(&engine, &doubled(4)).await, [["1"]]);
        let error = engine.query(&doubled(40)).await.expect_err("2^40 joins");
        assert_eq!(error.code(), Code::Plan);
        assert!(error.to_string().contains("too large"), "{error}");
        // Views as well, each of which is small.
        let mut builder = Engine::builder().dialect(dialect).view("v0", "SELECT 1 AS x");
        for level in 1..=12 {
            let before = level - 1;
            let sql = format!("SELECT l.x FROM v{before} l JOIN v{before} r ON l.x = r.x");
            builder = builder.view(format!("v{level}"), sql);
        }
        let error = builder.build().await.expect_err("4096 joins");
        assert!(error.to_string().contains("too large"), "{error}");
        // Nested deeply, not widely.
        let mut chain = "WITH a0 AS (SELECT 1 AS x)".to_owned();
        for level in 1..=700 {
            chain += &format!(", a{level} AS (SELECT DISTINCT x FROM a{})", level - 1);
        }
        let error = engine.query(&format!("{chain} SELECT x FROM a700")).await.expect_err("700 levels");
        assert!(error.to_string().contains("too large"), "{error}");
    }
}

/// An engine with a function that DataFusion calls during planning, and that does not end before the test tells it.
async fn engine_that_hangs() -> (Engine, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (started, starts) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let hang = move |_: &[ColumnarValue]| {
        started.send(()).expect("the test listens");
        // It also ends if the other side is dropped.
        let _ = released.lock().expect("one call at a time").recv();
        Ok(ColumnarValue::Array(Arc::new(Int64Array::from(vec![1]))))
    };
    let function = create_udf("hang", vec![DataType::Int64], DataType::Int64, Volatility::Immutable, Arc::new(hang));
    let engine = Engine::builder().udf(function).build().await.expect("an engine");
    (engine, starts, release)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_limit_counts_while_a_query_is_planned() {
    let (engine, starts, release) = engine_that_hangs().await;
    let options = QueryOptions { timeout: Some(Duration::from_millis(1)), ..QueryOptions::default() };
    let error = engine.query_with("SELECT hang(1)", options).await.expect_err("it does not end");
    assert_eq!(error.code(), Code::Timeout);
    let _ = starts.try_recv();
    drop(release);
    // The same with the engine's own limit; the engine continues.
    let limits = Limits { timeout: Some(Duration::from_secs(600)), ..Limits::default() };
    let engine = Engine::builder().limits(limits).build().await.expect("an engine");
    let query = engine.query("SELECT 1 AS a").await.expect("it plans");
    assert_eq!(texts(&query.collect().await.expect("it runs")), [["1"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_up_does_not_wait_for_the_planning() {
    let (engine, starts, release) = engine_that_hangs().await;
    let planning = engine.clone();
    let task = tokio::spawn(async move { planning.query("SELECT hang(1)").await.map(drop) });
    let started = tokio::task::spawn_blocking(move || starts.recv());
    started.await.expect("it ends").expect("it is planned");
    task.abort();
    assert!(task.await.expect_err("it was cancelled").is_cancelled());
    assert_eq!(rows(&engine, "SELECT 2 AS a").await, [["2"]]);
    drop(release);
}
