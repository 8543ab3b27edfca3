//! Errors of wrong statements, as users read them: what is wrong, where, and what to do.

use indago::Files;
use indago_engine::Engine;

use crate::support::{fixture_host, host_engine, rows};

/// Mistakes that users make, and statements that other databases have.
const WRONG: &[&str] = &[
    "SELCT 1",
    "SELECT * FORM processes",
    "SELECT pid name path, FROM processes",
    "SELECT pid, FROM processes",
    "SELECT pid FROM processes WERE pid = 1",
    "SELECT pid FROM processes WHERE pid = 1 ORDR BY pid",
    "SELECT pid FROM processes GROUP pid",
    "SELECT pid FROM processes ORDER pid",
    "SELECT pid FROM processes p JION users u ON u.uid = p.uid",
    "SELECT pid FROM processes LIMT 5",
    "SELECT pid FROM processes WHERE name = 'x",
    "SELECT pid FROM processes WHERE (pid = 1",
    "SELECT pid FROM processes WHERE pid = 1)",
    "SELECT count(* FROM processes",
    "SELECT upper() FROM processes",
    "SELECT upper('a','b')",
    "SELECT substr('a')",
    "SELECT uid FROM processes p, users u",
    "SELECT x.pid FROM processes p",
    "SELECT processes.pid FROM processes p",
    "SELECT 1 UNION SELECT 1, 2",
    "SELECT 1, 2 EXCEPT SELECT 1",
    "SELECT pid FROM processes UNION SELECT pid, name FROM processes",
    "SELECT sum(name, pid) FROM processes",
    "SELECT max() FROM processes",
    "SELECT * FROM read_cvs('x')",
    "SELECT read_csv('x')",
    "SELECT nofunc(1)",
    "SELECT uper('a')",
    "SELECT * FROM proceses",
    "SELECT nmae FROM processes",
    "SELECT * FROM file",
    "INSERT INTO processes VALUES (1)",
    "DELETE FROM processes",
    "UPDATE processes SET pid = 1",
    "DROP TABLE processes",
    "CREATE TABLE x (a int)",
    "SHOW TABLES",
    "DESCRIBE processes",
    "SHOW COLUMNS FROM processes",
    "SHOW FUNCTIONS",
    "SHOW ALL",
    "USE foo",
    "SET x = 1",
    "PRAGMA table_info(processes)",
    "SELECT * FROM processes WHERE pid = (SELECT pid, name FROM processes)",
    "SELECT * FROM processes WHERE pid IN (SELECT pid, name FROM processes)",
    "SELECT pid, count(*) FROM processes HAVING",
    "SELECT CASE WHEN 1 THEN 2",
    "SELECT pid FROM processes p JOIN users u",
    "SELECT pid FROM processes p LEFT JOIN users u",
    "SELECT * FROM processes NATURAL JOIN",
    "SELECT * FROM (SELECT 1",
    "SELECT * FROM processes ORDER BY 99",
    "SELECT * FROM processes GROUP BY 99",
    "SELECT sum(count(*)) FROM processes",
    "SELECT pid FROM processes WHERE count(*) > 1",
    "SELECT row_number() FROM processes",
    "SELECT lag(pid) FROM processes",
    "SELECT pid FROM processes WHERE row_number() OVER () > 1",
    "SELECT cast(pid AS foo) FROM processes",
    "SELECT pid::foo FROM processes",
    "SELECT * FROM processes LIMIT 'a'",
    "SELECT * FROM processes LIMIT -5",
    "SELECT * FROM processes LIMIT pid",
    "SELECT * FROM processes OFFSET 'x'",
    "VALUES (1), (1,2)",
    "WITH a AS (SELECT 1) SELECT * FROM b",
    "WITH a AS SELECT 1 SELECT * FROM a",
    "SELECT a.* FROM processes",
    "SELECT * EXCEPT (foo) FROM processes",
    r#"SELECT json_extract('{"a":1}')"#,
    r#"SELECT json_extract('{"a":1}', '$[')"#,
    "SELECT json_extract('{a', '$.a')",
    "SELECT * FROM json_each()",
    "SELECT * FROM generate_series()",
    "SELECT * FROM generate_series('a')",
    "SELECT date('x','y','z'), strftime()",
    "SELECT regexp('(', 'a')",
    "SELECT 'a' REGEXP '('",
    "SELECT * FROM processes JOIN users USING (foo)",
    "SELECT * FROM processes JOIN users USING (pid)",
    "SELECT interval '1 day' + 1",
    "SELECT pid[1] FROM processes",
    "SELECT name.x FROM processes",
    "SELECT annotations['a'] FROM processes",
    "SELECT $1",
    "SELECT :a",
    "SELECT ?",
    "SELECT 1 +",
    "SELECT * FROM processes WHERE",
    "SELECT",
    "FROM processes",
    "SELECT * processes",
    "SELECT pid, name FROM processes, WHERE pid = 1",
    r#"SELECT "pid FROM processes"#,
    "SELECT `pid` FROM processes",
    "SELECT [pid] FROM processes",
    "SELECT TOP 5 * FROM processes",
    "SELECT pid FROM processes WHERE name == 'x' AND",
    "SELECT pid FROM processes WHERE name LIKE",
    "SELECT pid FROM processes WHERE pid BETWEEN 1",
    "SELECT pid FROM processes WHERE pid IN ()",
    "SELECT pid FROM processes WHERE pid IN 1,2",
    "SELECT pid FROM processes WHERE pid = 1 and and uid = 2",
    "SELECT pid FROM processes WHERE pid => 1",
    "SELECT pid FROM processes WHERE pid =! 1",
    "SELECT distinct on pid FROM processes",
    "SELECT pid FROM a.b.c.d",
    "SELECT pid FROM foo.processes",
    r#"SELECT pid FROM "my table""#,
    "SELECT * FROM 'processes'",
    "SELECT date_trunc('day', now()) , date_trunc(1)",
    "SELECT now(1)",
    "SELECT coalesce()",
    "SELECT nullif(1)",
    "SELECT iif(1)",
    "SELECT array_agg(pid, name) FROM processes",
    "SELECT group_concat() FROM processes",
    "SELECT count(pid, name) FROM processes",
    "SELECT count(DISTINCT pid, name) FROM processes",
    "SELECT array_length(1)",
    "SELECT unnest(1)",
    "SELECT map_keys(1)",
    "SELECT to_timestamp('foo')",
    "SELECT 1/0, 9223372036854775807 + 1",
    "SELECT CAST('x' AS TIMESTAMP)",
    "SELECT pid FROM processes WHERE start_time > '2020-01-01'",
    "SELECT ntile('a') OVER () FROM processes",
    "SELECT sum(pid) OVER (ORDER name) FROM processes",
    "SELECT sum(pid) OVER w FROM processes",
    "SELECT avg(name) FROM processes",
    "SELECT percentile_cont(0.5) FROM processes",
    "SELECT approx_distinct() FROM processes",
    "SELECT abs('x','y')",
    "SELECT concat()",
    "SELECT lower(1,2)",
    "SELECT split('a')",
    "SELECT version_compare('1')",
    "SELECT inet_aton()",
    "SELECT printf()",
    "SELECT * FROM processes AS OF '2020'",
    "EXPLAIN",
    "EXPLAIN SELCT 1",
    "ATTACH 'x' AS y",
    "BEGIN",
    "COMMIT",
    "VACUUM",
    "GRANT ALL ON x TO y",
    "hello",
    "42",
    "select * from processes where pid = '1' limit 1 union select 1",
    "SELECT * FROM processes ORDER BY foo",
    "SELECT pid AS a FROM processes GROUP BY b",
    "SELECT a FROM (SELECT pid AS a, uid AS a FROM processes)",
    "SELECT * FROM (VALUES (1,2)) t(a)",
    "SELECT * FROM (SELECT 1,2) AS t(a,b,c)",
    "SELECT exists(SELECT 1",
    "SELECT 'a' || ",
    "SELECT 0x",
    "SELECT 1e",
    "SELECT X'0G'",
    "SELECT 'it's'",
    "SELECT * FROM processes WHERE name = “sh”",
    "SELECT pid FROM processes WHERE name = 'a' OR 'b'",
    "CREATE VIEW v AS SELECT foo FROM processes",
    "CREATE VIEW v SELECT 1",
    "DROP VIEW nov",
];

/// Words of DataFusion, Arrow and the parser that tell a user nothing.
const FOREIGN: [&str; 20] = [
    "Utf8",
    "Int64",
    "Float64",
    "Timestamp(",
    "List(",
    "DataFusion",
    "Arrow",
    "arrow error",
    "EOF",
    "coerc",
    "signature",
    "Error during planning",
    "execution error",
    "internal error",
    "You might need to add",
    "No function matches",
    "unqualified",
    "Candidate",
    "sqltorel",
    "ast node",
];

async fn engine() -> Engine {
    host_engine(&fixture_host("plain")).table_functions(Files).build().await.expect("it builds")
}

/// The error of a statement; `None` if it runs.
async fn failure(engine: &Engine, sql: &str) -> Option<indago_engine::Error> {
    match engine.fork().query(sql).await {
        Ok(query) => query.collect().await.err(),
        Err(error) => Some(error),
    }
}

#[tokio::test]
async fn errors_are_in_our_words() {
    let engine = engine().await;
    let mut text = String::new();
    for sql in WRONG {
        let Some(error) = failure(&engine, sql).await else {
            text.push_str(&format!("{sql}\n  runs\n"));
            continue;
        };
        let help = error.help().unwrap_or_default();
        let place = error.span().map(|span| format!(" at `{}`", &sql[span.start..span.end])).unwrap_or_default();
        text.push_str(&format!("{sql}\n  {}: {error}{place}\n  {help}\n", error.code()));
        assert!(!help.is_empty(), "{sql}: {error}");
        for foreign in FOREIGN {
            assert!(!error.to_string().contains(foreign) && !help.contains(foreign), "{sql}: {error}; {help}");
        }
        assert!(!error.to_string().contains('\n'), "{sql}: {error}");
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn tables_and_columns_are_listed_as_other_databases_do() {
    let engine = engine().await;
    rows(&engine, "CREATE VIEW roots AS SELECT username FROM users WHERE uid = 0").await;
    let listed = rows(&engine, "SHOW TABLES").await;
    let find = |name: &str| listed.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(find("users")[1], "host");
    assert_eq!(find("engine_tables")[1], "engine");
    assert_eq!(find("roots")[1], "view");
    assert_eq!(rows(&engine, "SHOW TABLES LIKE 'root%'").await.len(), 1);
    let columns = rows(&engine, "DESCRIBE users").await;
    let uid = columns.iter().find(|row| row[0] == "uid").expect("a column");
    assert_eq!(uid[..4], ["uid", "BIGINT", "index", "0"]);
    assert_eq!(rows(&engine, "SHOW COLUMNS FROM Users").await, columns);
    assert_eq!(rows(&engine, "SHOW COLUMNS FROM users LIKE 'user%'").await[0][0], "username");
    assert_eq!(rows(&engine, "DESCRIBE roots").await[0][..2], ["username", "TEXT"]);
    let created = rows(&engine, "SHOW CREATE VIEW roots").await;
    assert!(created[0][1].contains("SELECT username FROM users WHERE uid = 0"), "{created:?}");
    for (sql, expected) in [
        ("DESCRIBE user", "no table `user`"),
        ("SHOW COLUMNS FROM nothing", "no table `nothing`"),
        ("SHOW FUNCTIONS", "only `SHOW TABLES` and `SHOW COLUMNS FROM table` are supported"),
        ("SHOW ALL", "only `SHOW TABLES` and `SHOW COLUMNS FROM table` are supported"),
        ("SHOW TABLES WHERE name = 'x'", "SHOW has no WHERE"),
    ] {
        let error = failure(&engine, sql).await.expect(sql);
        assert_eq!(error.to_string(), expected, "{sql}");
        assert!(error.help().is_some(), "{sql}");
    }
}

#[tokio::test]
async fn functions_of_files_are_listed_where_they_exist() {
    let names = |engine: &Engine| -> Vec<String> {
        let tables = engine.functions().into_iter().filter(|function| function.kind == "table");
        tables.map(|function| function.signature).collect()
    };
    let with_files = names(&engine().await);
    for signature in
        ["read_csv(path [, delimiter])", "read_json(path)", "read_parquet(path)", "json_each(json [, path])"]
    {
        assert!(with_files.iter().any(|known| known == signature), "{signature}: {with_files:?}");
    }
    let without = names(&host_engine(&fixture_host("plain")).build().await.expect("it builds"));
    assert!(!without.iter().any(|known| known.starts_with("read_")), "{without:?}");
}
