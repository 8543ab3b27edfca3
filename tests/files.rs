//! Local files next to live tables: `read_csv`, `read_json` and `read_parquet`.

use std::fs;
use std::path::Path;

use indago::Files;
use indago_engine::{Code, Dialect, Engine, QueryOptions, TableFunction, TableFunctions};
use indago_table::TableRef;
use indago_tables_registry::{Environments, all};

use crate::support::{fixture_host, host_engine, rows, texts};

async fn engine(dialect: Dialect) -> Engine {
    let builder = host_engine(&fixture_host("plain")).table_functions(Files).dialect(dialect);
    builder.build().await.expect("it builds")
}

fn written(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    path.display().to_string()
}

/// An embedder's own function in FROM.
#[derive(Debug)]
struct Users;

impl TableFunctions for Users {
    fn functions(&self) -> Vec<TableFunction> {
        vec![TableFunction { name: "users_of", signature: "users_of('host')", description: "Users of a host." }]
    }

    fn table(&self, _function: &str, arguments: &[String]) -> indago_table::Result<TableRef> {
        match arguments {
            [host] if host == "plain" => {
                let tables = all(&Environments { hosts: vec![fixture_host("plain")], ..Environments::default() });
                Ok(tables.into_iter().find(|table| table.spec().name == "users").expect("it is there"))
            }
            _ => Err(indago_table::Error::Unsupported("no such host".to_owned())),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_an_embedder_work_in_views() {
    let builder = || Engine::builder().table_functions(Users);
    let view = "SELECT username FROM users_of('plain') WHERE uid = 1000";
    let engine = builder().view("people", view).view("names", "SELECT username FROM people").build();
    let engine = engine.await.expect("it builds");
    assert_eq!(rows(&engine, view).await, [["ada"]]);
    assert_eq!(rows(&engine, "SELECT p.username FROM people p JOIN names USING (username)").await, [["ada"]]);
    // As for files, the call is made when a query reads the view. Errors do not speak of files.
    let engine = builder().view("nobody", "SELECT * FROM users_of('mars')").build().await.expect("it builds");
    assert_eq!(failure(&engine, "SELECT * FROM nobody").await.0, Code::Plan);
    let (code, message) = failure(&engine, "SELECT * FROM users_of('mars')").await;
    assert!(code == Code::Plan && message.contains("users_of: no such host"), "{message}");
    let (_, message) = failure(&engine, "SELECT * FROM users_of(1 + 1)").await;
    assert!(message.contains("needs a quoted text"), "{message}");
}

/// The rows in their order, and the warnings.
async fn read(engine: &Engine, sql: &str) -> (Vec<Vec<String>>, Vec<String>) {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    (texts(&batches), query.warnings().iter().map(ToString::to_string).collect())
}

async fn failure(engine: &Engine, sql: &str) -> (Code, String) {
    match engine.query(sql).await {
        Ok(_) => panic!("{sql} plans"),
        Err(error) => (error.code(), error.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_indicators_join_live_tables() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv = written(folder.path(), "users.csv", "uid,why\n1000,person\n4242,nobody has it\n");
    let json =
        written(folder.path(), "users.json", "{\"name\": \"root\", \"n\": 1}\n{\"name\": \"daemon\", \"n\": 2}\n");
    let paths = written(folder.path(), "paths.csv", "path\n/etc/passwd\n/etc/none\n");
    for dialect in [Dialect::Osquery, Dialect::DataFusion] {
        let engine = engine(dialect).await;
        let sql = format!("SELECT u.username, i.why FROM users u JOIN read_csv('{csv}') i ON i.uid = u.uid");
        assert_eq!(rows(&engine, &sql).await, [["ada", "person"]]);
        let sql = format!("SELECT uid FROM users WHERE username IN (SELECT name FROM read_json('{json}') WHERE n < 2)");
        assert_eq!(rows(&engine, &sql).await, [["0"]]);
        // The file passes keys to a table that needs them.
        let sql = format!("SELECT f.path FROM read_csv('{paths}') AS i JOIN file f ON f.path = i.path");
        assert_eq!(rows(&engine, &sql).await, [["/etc/passwd"]]);
        let sql = format!("SELECT read_csv.why FROM read_csv('{csv}') WHERE uid = 1000");
        assert_eq!(rows(&engine, &sql).await, [["person"]]);
        // One call is one table, also if it is written twice.
        let sql = format!("SELECT count(*) FROM read_csv('{csv}') a JOIN read_csv('{csv}') b ON a.uid = b.uid");
        assert_eq!(rows(&engine, &sql).await, [["2"]]);
        let options = QueryOptions::default().bind("file", csv.as_str());
        let query =
            engine.query_with("SELECT why FROM read_csv($file) WHERE uid = 1000", options).await.expect("it plans");
        assert_eq!(texts(&query.collect().await.expect("it runs")), [["person"]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_is_a_parquet_file() {
    let engine = engine(Dialect::Osquery).await;
    let folder = tempfile::tempdir().expect("a folder");
    for part in ["a", "b"] {
        let to = folder.path().join(part);
        indago::capture(&engine, &["users".to_owned()], &to).await.expect("captured");
        fs::rename(to.join("users.parquet"), folder.path().join(format!("{part}.parquet"))).expect("renamed");
    }
    let one = format!("SELECT username FROM read_parquet('{}')", folder.path().join("a.parquet").display());
    let live = rows(&engine, "SELECT username FROM users").await;
    assert_eq!(rows(&engine, &one).await, live);
    let both = format!("SELECT count(*) FROM read_parquet('{}')", folder.path().join("*.parquet").display());
    assert_eq!(rows(&engine, &both).await, [[(2 * live.len()).to_string()]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_record_costs_nothing_else() {
    let engine = engine(Dialect::Osquery).await;
    let folder = tempfile::tempdir().expect("a folder");
    let csv = b"\xef\xbb\xbfIP,\"n\"\n10.0.0.1,1\n10.0.0.2\n\"10.0.\n0.3\",3,extra\n10.0.0.\xff,4\n";
    let csv = written(folder.path(), "a.csv", csv);
    let (found, warnings) = read(&engine, &format!("SELECT ip, n FROM read_csv('{csv}')")).await;
    let expected = [["10.0.0.1", "1"], ["10.0.0.2", "NULL"], ["10.0.\n0.3", "3"], ["10.0.0.\u{fffd}", "4"]];
    assert_eq!(found, expected);
    let all = warnings.join("\n");
    for expected in ["a.csv, line 3: 1 values, and the header has 2", "a.csv, line 6: not UTF-8"] {
        assert!(all.contains(expected), "{expected}: {all}");
    }
    let json = "{\"a\": 1, \"deep\": {\"b\": [2]}}\n\n{\"a\": }\n[1]\n{\"a\": null, \"deep\": {}}\n{\"a\": 3}\n";
    let json = written(folder.path(), "a.json", json);
    let sql = format!("SELECT a, json_extract(deep, '$.b[0]') FROM read_json('{json}')");
    let (found, warnings) = read(&engine, &sql).await;
    assert_eq!(found, [["1", "2"], ["NULL", "NULL"], ["3", "NULL"]]);
    let all = warnings.join("\n");
    assert!(all.contains("line 3") && all.contains("[2 times]"), "{all}");
    for (name, text) in [("b.json", "[{\"a\": 1}, {\"a\": 2}]"), ("c.json", "{\n \"a\": 1\n}\n{\n \"a\": 2\n}\n")] {
        let file = written(folder.path(), name, text);
        assert_eq!(rows(&engine, &format!("SELECT a FROM read_json('{file}')")).await, [["1"], ["2"]], "{name}");
    }
    let file = written(folder.path(), "codes.tsv", "code\tname\n007\tBond\n008\tBill\n");
    assert_eq!(rows(&engine, &format!("SELECT name FROM read_csv('{file}') WHERE code = '007'")).await, [["Bond"]]);
    let file = written(folder.path(), "semicolons.csv", "a;b\n1;2\n");
    assert_eq!(rows(&engine, &format!("SELECT a + b FROM read_csv('{file}', ';')")).await, [["3"]]);
}

/// The first megabytes decide the types. A later value that does not fit is reported.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_does_not_fit_is_reported_with_its_line() {
    let engine = engine(Dialect::Osquery).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = "n,filler\n".to_owned();
    let filler = "x".repeat(1000);
    for n in 0..17_000 {
        text.push_str(&format!("{n},{filler}\n"));
    }
    text.push_str("many,y\n");
    let file = written(folder.path(), "long.csv", text);
    let (found, warnings) = read(&engine, &format!("SELECT count(*), count(n) FROM read_csv('{file}')")).await;
    assert_eq!(found, [["17001", "17000"]]);
    assert!(warnings.iter().any(|told| told.contains("line 17002: `many` does not fit BIGINT")), "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_regular_files_are_read() {
    let engine = engine(Dialect::Osquery).await;
    let folder = tempfile::tempdir().expect("a folder");
    let fifo = folder.path().join("fifo.csv");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    let empty = written(folder.path(), "empty.csv", "");
    let broken = written(folder.path(), "broken.json", "[{\"a\": 1},\n{\"a\" 2}]");
    let damaged = written(folder.path(), "damaged.parquet", "PAR1");
    let wide = written(folder.path(), "wide.csv", ["a"; 100_000].join(","));
    for (call, expected) in [
        (format!("read_csv('{}')", fifo.display()), "is a FIFO, not a regular file"),
        ("read_csv('/dev/zero')".to_owned(), "not a regular file"),
        (format!("read_csv('{}')", folder.path().display()), "is a directory"),
        (format!("read_csv('{}/none.csv')", folder.path().display()), "none.csv does not exist"),
        (format!("read_csv('{}/*.nothing')", folder.path().display()), "does not exist"),
        (format!("read_csv('{empty}')"), "has no columns"),
        (format!("read_json('{broken}')"), "broken.json, line 2: not JSON"),
        (format!("read_parquet('{damaged}')"), "damaged.parquet"),
        (format!("read_csv('{wide}')"), "more than 4096 columns"),
        ("read_csv()".to_owned(), "wrong number of arguments"),
        ("read_csv('a', 'bc')".to_owned(), "is not one ASCII character"),
    ] {
        let (code, message) = failure(&engine, &format!("SELECT * FROM {call}")).await;
        assert!(code == Code::File && message.contains(expected), "{call}: {code} {message}");
    }
    let (code, message) = failure(&engine, "SELECT u.uid FROM users u, read_csv(u.username)").await;
    assert!(code == Code::Unsupported && message.contains("needs a quoted path"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_read_unless_the_builder_allows_it() {
    let engine = host_engine(&fixture_host("plain")).build().await.expect("it builds");
    for sql in ["SELECT * FROM read_csv('/etc/passwd')", "SELECT (SELECT count(*) FROM read_json('/etc/passwd'))"] {
        let (code, message) = failure(&engine, sql).await;
        assert!(code == Code::Unsupported && message.contains("is not allowed here"), "{code} {message}");
    }
}

/// A view over a file is planned when a query reads it.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_sees_its_file_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("later.csv").display().to_string();
    let builder = host_engine(&fixture_host("plain")).table_functions(Files);
    let engine = builder.view("later", format!("SELECT a FROM read_csv('{path}')")).build().await.expect("it builds");
    let (code, message) = failure(&engine, "SELECT * FROM later").await;
    assert!(code == Code::File && message.contains("later.csv"), "{message}");
    for text in ["a\n1\n", "a,b\n2,x\n"] {
        fs::write(&path, text).expect("written");
        assert_eq!(rows(&engine, "SELECT a FROM later").await, [[&text.lines().nth(1).expect("a line")[..1]]]);
    }
    engine.query(&format!("CREATE VIEW own AS SELECT * FROM read_csv('{path}')")).await.expect("it is created");
    assert_eq!(rows(&engine, "SELECT b FROM own").await, [["x"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wide_and_long_files_are_read_at_once() {
    let engine = engine(Dialect::Osquery).await;
    let folder = tempfile::tempdir().expect("a folder");
    let row = |value: &str| [value; 4000].join(",");
    let wide = written(folder.path(), "wide.csv", format!("{}\n{}\n", row("a"), row("1")));
    assert_eq!(rows(&engine, &format!("SELECT a, a_1, a_3999 FROM read_csv('{wide}')")).await, [["1", "1", "1"]]);
    let values: Vec<String> = (0..60_000).map(|number| format!("{{\"n\": {number}, \"text\": \"abcdef\"}}")).collect();
    let array = written(folder.path(), "array.json", format!("[{}]", values.join(",")));
    assert_eq!(
        rows(&engine, &format!("SELECT count(*), max(n) FROM read_json('{array}')")).await,
        [["60000", "59999"]]
    );
}
