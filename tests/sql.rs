//! SQL over tables, in both dialects: clauses that the planner would ignore, the query's timestamp, names, times.

use std::time::{Duration, SystemTime};

use indago_engine::{Code, Dialect, Engine, NAME_METADATA};

use crate::support::{fixture_host, host_engine, rows, texts};

const BOTH: [Dialect; 2] = [Dialect::Osquery, Dialect::DataFusion];

async fn engine(dialect: Dialect) -> Engine {
    let host = fixture_host("plain").with_clock(SystemTime::UNIX_EPOCH + Duration::from_micros(1_612_325_106_789_012));
    host_engine(&host).clock(host).dialect(dialect).build().await.expect("it builds")
}

/// A clause that sqlparser accepts and DataFusion ignores produces wrong rows.
#[tokio::test]
async fn a_clause_is_done_or_refused() {
    let refused = [
        ("FOR UPDATE", "SELECT uid FROM users FOR UPDATE"),
        ("FOR UPDATE", "SELECT uid FROM (SELECT uid FROM users FOR SHARE) AS a"),
        ("FOR XML", "SELECT uid FROM users FOR XML AUTO"),
        ("FOR XML", "SELECT uid FROM users FOR JSON AUTO"),
        ("FOR XML", "SELECT uid FROM users FOR BROWSE"),
        ("SETTINGS", "SELECT uid FROM users SETTINGS max_threads = 1"),
        ("FORMAT", "SELECT uid FROM users FORMAT JSON"),
        ("INTO", "SELECT uid INTO copied FROM users"),
        ("PREWHERE", "SELECT uid FROM users PREWHERE uid = 0"),
        ("PREWHERE", "EXPLAIN SELECT uid FROM users PREWHERE uid = 0"),
        ("PREWHERE", "WITH a AS (SELECT uid FROM users PREWHERE uid = 0) SELECT * FROM a"),
        ("PREWHERE", "SELECT (SELECT max(uid) FROM users PREWHERE uid = 0)"),
        ("PREWHERE", "SELECT 1 UNION ALL SELECT uid FROM users PREWHERE uid = 0"),
        ("CONNECT BY", "SELECT uid FROM users START WITH uid = 0 CONNECT BY PRIOR uid = gid"),
        ("CONNECT BY", "SELECT uid FROM users CONNECT BY uid = gid"),
        ("WITH ROLLUP", "SELECT uid, count(*) FROM users GROUP BY uid WITH ROLLUP"),
        ("WITH ROLLUP", "SELECT uid, count(*) FROM users GROUP BY uid WITH CUBE"),
        ("WITH ROLLUP", "SELECT uid, count(*) FROM users GROUP BY uid WITH TOTALS"),
        ("WITH ROLLUP", "SELECT uid, count(*) FROM users GROUP BY ALL WITH TOTALS"),
        ("TABLESAMPLE", "SELECT uid FROM users TABLESAMPLE (10 PERCENT)"),
        ("TABLESAMPLE", "SELECT uid FROM users AS u TABLESAMPLE BERNOULLI (10)"),
        ("TABLESAMPLE", "SELECT uid FROM (SELECT uid FROM users) AS u TABLESAMPLE (10 ROWS)"),
        ("TABLESAMPLE", "SELECT uid FROM users SAMPLE 0.1"),
        ("a table hint", "SELECT uid FROM users WITH (NOLOCK)"),
        ("PARTITION", "SELECT uid FROM users PARTITION (p0)"),
        ("WITH ORDINALITY", "SELECT * FROM users WITH ORDINALITY"),
        ("GLOBAL JOIN", "SELECT a.uid FROM users AS a GLOBAL JOIN users AS b ON a.uid = b.uid"),
        ("a type in a list", "SELECT a FROM (SELECT uid FROM users) AS u (a int)"),
        ("OVER after", "SELECT upper(username) OVER () FROM users"),
        ("FILTER after", "SELECT upper(username) FILTER (WHERE uid > 0) FROM users"),
        ("FILTER after", "SELECT row_number() FILTER (WHERE uid > 0) OVER (ORDER BY uid) FROM users"),
        ("DISTINCT in", "SELECT upper(DISTINCT username) FROM users"),
        ("ORDER BY in", "SELECT upper(username ORDER BY uid) FROM users"),
        ("WITHIN GROUP", "SELECT upper(username) WITHIN GROUP (ORDER BY uid) FROM users"),
        ("IGNORE NULLS", "SELECT upper(username) IGNORE NULLS FROM users"),
        ("a list of parameters", "SELECT approx_percentile_cont(0.5)(uid) FROM users"),
        ("FROM without SELECT", "FROM users"),
        ("FROM without SELECT", "SELECT * FROM (FROM users) AS u"),
        ("SELECT without columns", "SELECT FROM users"),
        ("ILIKE after", "SELECT * ILIKE 'u%' FROM users"),
        ("TRIM", "SELECT trim(username, 'r', 't') FROM users"),
        ("a qualified name", "SELECT * FROM generate_series.other(1, 3)"),
        ("an order in AGGREGATE", "SELECT uid FROM users |> AGGREGATE count(*) GROUP BY uid DESC"),
    ];
    let mut wrong = Vec::new();
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for (clause, sql) in refused {
            match engine.query(sql).await {
                Err(error) if error.code() == Code::Unsupported && error.to_string().contains(clause) => {}
                // It does not parse: in osquery's dialect, some of these clauses are names.
                Err(error) if dialect == Dialect::Osquery && error.code() == Code::Parse => {}
                Err(error) => wrong.push(format!("{dialect:?} {sql}: {error}")),
                Ok(query) => wrong.push(format!("{dialect:?} {sql}: planned, as {:?}", query.rewritten())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Clauses that the planner itself refuses.
#[tokio::test]
async fn the_planner_refuses_the_other_clauses() {
    let refused = [
        "SELECT TOP 1 uid FROM users",
        "SELECT uid FROM users FETCH FIRST 1 ROWS WITH TIES",
        "SELECT uid FROM users FETCH FIRST 1 ROW ONLY",
        "SELECT uid FROM users LIMIT 1 BY uid",
        "SELECT uid FROM users CLUSTER BY uid",
        "SELECT uid FROM users SORT BY uid",
        "SELECT uid FROM users LATERAL VIEW explode(array(1)) v AS x",
        "SELECT uid FROM users ORDER BY uid WITH FILL FROM 0 TO 10",
        "SELECT uid FROM users ORDER BY uid INTERPOLATE (uid AS uid + 1)",
        "SELECT * RENAME (uid AS id) FROM users",
        "SELECT * FROM users PIVOT (count(uid) FOR gid IN (0, 1))",
        "SELECT * FROM users UNPIVOT (v FOR n IN (uid, gid))",
        "SELECT * FROM users MATCH_RECOGNIZE (MEASURES 1 AS one PATTERN (a) DEFINE a AS uid = 0)",
        "SELECT uid FROM users NATURAL ASOF JOIN users",
        "SELECT group_concat(username ON OVERFLOW ERROR) FROM users",
        "SELECT string_agg(username, ',' LIMIT 1) FROM users",
        "SELECT array_agg(uid HAVING MAX gid) FROM users",
        "SELECT uid FROM users CROSS APPLY users AS b",
        "SELECT CAST(uid AS TEXT FORMAT 'x') FROM users",
        "SELECT uid FROM users |> TABLESAMPLE BERNOULLI (10 PERCENT)",
        "SELECT sum(uid) OVER nosuch FROM users",
        "SELECT uid FROM users WINDOW w AS (ORDER BY uid) ORDER BY sum(uid) OVER nosuch",
    ];
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for sql in refused {
            let query = engine.query(sql).await;
            assert!(
                query.is_err(),
                "{dialect:?} {sql}: planned, as {:?}",
                query.map(|query| query.rewritten().map(str::to_owned))
            );
        }
    }
}

/// Named windows that DataFusion would ignore: osquery's dialect expands them, the other refuses them.
#[tokio::test]
async fn named_windows_are_written_out_or_refused() {
    let sqls = [
        "SELECT uid FROM users WINDOW w AS (ORDER BY uid) ORDER BY sum(uid) OVER w DESC, uid",
        "SELECT uid, sum(uid) OVER (w ROWS 1 PRECEDING) AS s FROM users WINDOW w AS (ORDER BY uid) ORDER BY uid",
    ];
    let (osquery, plain) = (engine(Dialect::Osquery).await, engine(Dialect::DataFusion).await);
    for sql in sqls {
        assert!(!rows(&osquery, sql).await.is_empty(), "{sql}");
        assert_eq!(plain.query(sql).await.expect_err(sql).code(), Code::Unsupported, "{sql}");
    }
    let sql = "SELECT uid, row_number() OVER (ORDER BY uid) AS r FROM users QUALIFY r = 1";
    assert_eq!(rows(&plain, sql).await, [["0", "1"]]);
}

/// All clock functions of a query return the timestamp that its tables see.
#[tokio::test]
async fn a_query_has_one_moment() {
    let osquery = engine(Dialect::Osquery).await;
    let expected = [
        ("datetime('now')", "2021-02-03 04:05:06"),
        ("datetime()", "2021-02-03 04:05:06"),
        ("datetime('now', 'subsec')", "2021-02-03 04:05:06.789"),
        ("date('now')", "2021-02-03"),
        ("time('now')", "04:05:06"),
        ("unixepoch()", "1612325106"),
        ("unixepoch('now')", "1612325106"),
        ("strftime('%s', 'now')", "1612325106"),
        ("strftime('%Y-%m-%d %H:%M:%f', 'now')", "2021-02-03 04:05:06.789"),
        ("round(julianday('now'), 3)", "2459248.67"),
        ("timediff('now', '2021-02-03')", "+0000-00-00 04:05:06.789"),
        ("CURRENT_TIMESTAMP", "2021-02-03 04:05:06"),
        ("current_date", "2021-02-03"),
        ("CURRENT_TIME", "04:05:06"),
        ("(SELECT unix_time FROM time)", "1612325106"),
        ("(SELECT datetime FROM time)", "2021-02-03T04:05:06Z"),
        ("now() = (SELECT moment FROM time)", "1"),
        ("to_unixtime(now())", "1612325106"),
        ("date_part('year', current_date())", "2021"),
    ];
    for (expression, value) in expected {
        assert_eq!(rows(&osquery, &format!("SELECT {expression}")).await, [[value]], "{expression}");
    }
    // Next to columns, where nothing is constant, and in views.
    let sql = "SELECT DISTINCT datetime('now', (uid * 0) || ' days') FROM users";
    assert_eq!(rows(&osquery, sql).await, [["2021-02-03 04:05:06"]]);
    osquery.query("CREATE VIEW clock AS SELECT datetime('now') AS a, now() AS b").await.expect("a view");
    assert_eq!(
        rows(&osquery, "SELECT a, b = (SELECT moment FROM time) FROM clock").await,
        [["2021-02-03 04:05:06", "1"]]
    );
    let plain = engine(Dialect::DataFusion).await;
    let sql = "SELECT now() = moment, current_timestamp = moment, current_date, current_time FROM time";
    assert_eq!(rows(&plain, sql).await, [["true", "true", "2021-02-03", "04:05:06.789012"]]);
}

/// Result columns have distinct names, in the schema and so in every format.
#[tokio::test]
async fn result_columns_have_names_of_their_own() {
    let cases: [(&str, &[&str]); 9] = [
        ("SELECT uid, uid FROM users", &["uid", "uid:1"]),
        ("SELECT uid, uid, uid FROM users", &["uid", "uid:1", "uid:2"]),
        ("SELECT a.uid, b.uid FROM users AS a JOIN users AS b ON a.uid = b.uid", &["uid", "uid:1"]),
        ("SELECT uid AS b, 1 AS \"b:1\", gid AS b FROM users", &["b", "b:1", "b:2"]),
        ("SELECT uid AS b, gid AS b, 1 AS \"b:1\" FROM users", &["b", "b:2", "b:1"]),
        ("SELECT uid AS \"b:1\", gid AS \"b:1\" FROM users", &["b:1", "b:2"]),
        ("SELECT 1, 1", &["1", "1:1"]),
        ("SELECT count(*), count(*) FROM users", &["count(*)", "count(*):1"]),
        ("SELECT uid FROM users UNION SELECT gid FROM users", &["uid"]),
    ];
    let osquery = engine(Dialect::Osquery).await;
    for (sql, names) in cases {
        let query = osquery.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let schema = query.schema();
        assert_eq!(schema.fields().iter().map(|field| field.name()).collect::<Vec<_>>(), names, "{sql}");
        for batch in query.collect().await.expect(sql) {
            assert_eq!(batch.schema(), schema, "{sql}");
        }
    }
    // Result logs of packs use the names as written.
    for (sql, written) in [
        ("SELECT uid, uid FROM users", [None, Some("uid")]),
        ("SELECT a.uid, b.uid FROM users AS a, users AS b", [None, Some("uid")]),
        ("SELECT uid AS b, gid AS \"b:1\" FROM users", [None, None]),
        ("SELECT uid AS b, gid AS b FROM users", [None, Some("b")]),
    ] {
        let schema = osquery.query(sql).await.expect(sql).schema();
        let names = schema.fields().iter().map(|field| field.metadata().get(NAME_METADATA).map(String::as_str));
        assert_eq!(names.collect::<Vec<_>>(), written, "{sql}");
    }
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for sql in [
            "SELECT * FROM users AS a JOIN users AS b ON a.uid = b.uid",
            "SELECT a.*, b.* FROM users AS a, users AS b",
            "SELECT a.uid, b.uid FROM users AS a, users AS b",
        ] {
            let schema = engine.query(sql).await.expect(sql).schema();
            let mut names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
            assert!(names.iter().any(|name| *name == "uid") && names.iter().any(|name| *name == "uid:1"), "{names:?}");
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count, "{dialect:?} {sql}");
        }
    }
}

#[tokio::test]
async fn distinct_rows_of_windows_under_a_limit() {
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for (sql, expected) in [
            (
                "WITH w(env) AS (VALUES ('a'),('b'),('a')) SELECT DISTINCT env, count(*) OVER (PARTITION BY env) AS n FROM w LIMIT 30",
                vec![vec!["a", "2"], vec!["b", "1"]],
            ),
            (
                "WITH w(env, x) AS (VALUES ('a', 1),('b', 2),('a', 1)) SELECT DISTINCT env, sum(x) OVER (PARTITION BY env) AS s, rank() OVER (ORDER BY env) AS r FROM w LIMIT 5",
                vec![vec!["a", "2", "1"], vec!["b", "2", "3"]],
            ),
            (
                "SELECT DISTINCT u, n FROM (SELECT 1 AS u, count(*) OVER (PARTITION BY gid) AS n FROM users) LIMIT 7 OFFSET 100",
                vec![],
            ),
        ] {
            assert_eq!(rows(&engine, sql).await, expected, "{dialect:?} {sql}");
        }
    }
}

/// Timestamps are in microseconds, which have a larger range than nanoseconds.
#[tokio::test]
async fn times_beyond_nanoseconds_compare() {
    let far = "(SELECT arrow_cast('9999-12-31T00:00:00Z', 'Timestamp(Microsecond, Some(\"UTC\"))') AS m FROM users WHERE uid = 33)";
    let berlin = "(SELECT arrow_cast('2024-01-01T00:00:00Z', 'Timestamp(Microsecond, Some(\"Europe/Berlin\"))') AS m FROM users WHERE uid = 33)";
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for (sql, count) in [
            ("SELECT count(*) FROM time WHERE moment < TIMESTAMP '9999-12-31'".to_owned(), "1"),
            ("SELECT count(*) FROM time WHERE moment < '9999-12-31T00:00:00Z'".to_owned(), "1"),
            ("SELECT count(*) FROM time WHERE moment > '0001-01-01'".to_owned(), "1"),
            ("SELECT count(*) FROM time WHERE moment BETWEEN '0001-01-01' AND TIMESTAMP '9999-12-31'".to_owned(), "1"),
            ("SELECT count(*) FROM time WHERE moment IN ('9999-12-31', '2021-02-03T04:05:06.789012Z')".to_owned(), "1"),
            ("SELECT count(*) FROM time WHERE moment = '2021-02-03T04:05:06.789012Z'".to_owned(), "1"),
            ("SELECT count(*) FROM time WHERE moment = '2021-02-03T05:05:06.789012+01:00'".to_owned(), "1"),
            ("SELECT count(*) FROM time WHERE moment <= now() AND moment >= now()".to_owned(), "1"),
            (format!("SELECT count(*) FROM {far} AS f WHERE m > now()"), "1"),
            (format!("SELECT count(*) FROM {far} AS f WHERE m > TIMESTAMP '2024-01-01' AND m <> '2024-01-01'"), "1"),
            (format!("SELECT count(*) FROM {far} AS f JOIN time AS t ON f.m > t.moment"), "1"),
            (format!("SELECT count(*) FROM {berlin} AS f WHERE m = TIMESTAMP '2024-01-01T00:00:00Z'"), "1"),
            (
                format!(
                    "SELECT count(*) FROM {berlin} AS f WHERE m = '2024-01-01T00:00:00Z' AND m IN ('2024-01-01T01:00:00+01:00')"
                ),
                "1",
            ),
        ] {
            assert_eq!(rows(&engine, &sql).await, [[count]], "{dialect:?} {sql}");
        }
    }
}

/// A cast of a key is not the key: a value that the cast changes is not passed to the table.
#[tokio::test]
async fn casts_of_keys_are_exact() {
    let engine = engine(Dialect::Osquery).await;
    for (sql, expected) in [
        ("SELECT count(*) FROM users WHERE uid = CAST('33' AS BIGINT)", "1"),
        ("SELECT count(*) FROM users WHERE uid = CAST('33x' AS BIGINT)", "1"),
        ("SELECT count(*) FROM users WHERE uid = CAST(33.9 AS INT)", "1"),
        ("SELECT count(*) FROM users WHERE CAST(uid AS TEXT) = '33'", "1"),
        ("SELECT count(*) FROM users WHERE CAST(uid AS TEXT) = '033'", "0"),
        ("SELECT count(*) FROM users WHERE CAST(uid AS TEXT) IN ('033', '33', '33.0')", "1"),
        ("SELECT count(*) FROM users WHERE CAST(uid AS REAL) = 33.5", "0"),
        ("SELECT count(*) FROM users WHERE CAST(uid AS REAL) = 33.0", "1"),
        ("SELECT count(*) FROM users WHERE uid = CAST('9223372036854775808' AS INT)", "0"),
        (
            "WITH w(x) AS (VALUES ('00033'), ('33'), ('33.9'), ('33z'), ('z')) SELECT count(*) FROM w JOIN users ON CAST(w.x AS INT) = uid",
            "6",
        ),
        (
            "WITH w(x) AS (VALUES (33.5), (33.0), (33.99)) SELECT count(*) FROM w JOIN users ON CAST(w.x AS INT) = uid",
            "3",
        ),
        ("WITH w(x) AS (VALUES (1e30), (-1e30)) SELECT count(*) FROM w JOIN users ON CAST(w.x AS INT) = uid", "0"),
        (
            "WITH w(x) AS (VALUES ('033'), ('33'), ('33.0')) SELECT count(*) FROM w JOIN users ON CAST(uid AS TEXT) = w.x",
            "1",
        ),
        ("WITH w(x) AS (VALUES ('033'), ('33'), ('33.0'), ('z')) SELECT count(*) FROM w JOIN users ON uid = w.x", "3"),
        (
            "WITH w(x) AS (VALUES ('033'), ('33')) SELECT count(*) FROM users WHERE CAST(uid AS TEXT) IN (SELECT x FROM w)",
            "1",
        ),
        (
            "WITH w(x) AS (VALUES ('/etc/passwd')) SELECT count(*) FROM w JOIN file ON file.path = CAST(w.x AS TEXT)",
            "1",
        ),
    ] {
        let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(texts(&query.collect().await.expect(sql)), [[expected]], "{sql}");
    }
}

const DOUBLE_ROWS: &str =
    "WITH l(a) AS (VALUES (1), (1), (1), (2), (NULL), (NULL), (4)), r(a) AS (VALUES (1), (1), (NULL), (3))";

/// The same rows as PostgreSQL 15.
#[tokio::test]
async fn set_operations_with_all_count_rows() {
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for (sql, expected) in [
            ("SELECT a FROM l EXCEPT ALL SELECT a FROM r", vec!["1", "2", "4", "NULL"]),
            ("SELECT a FROM l INTERSECT ALL SELECT a FROM r", vec!["1", "1", "NULL"]),
            ("SELECT a FROM r EXCEPT ALL SELECT a FROM l", vec!["3"]),
            ("SELECT a FROM l EXCEPT SELECT a FROM r", vec!["2", "4"]),
            ("SELECT a FROM l INTERSECT SELECT a FROM r", vec!["1", "NULL"]),
            ("SELECT a FROM l EXCEPT ALL SELECT a FROM r EXCEPT ALL SELECT 1", vec!["2", "4", "NULL"]),
            ("SELECT a FROM l EXCEPT ALL SELECT a + 0.0 FROM r", vec!["1", "2", "4", "NULL"]),
            ("SELECT a FROM (SELECT a FROM l EXCEPT ALL SELECT a FROM r) AS x WHERE a > 1", vec!["2", "4"]),
            ("SELECT count(*) FROM l WHERE a IN (SELECT a FROM l EXCEPT ALL SELECT a FROM r)", vec!["5"]),
            ("SELECT count(*) FROM (SELECT a, a + 1 AS b FROM l INTERSECT ALL SELECT a, a + 1 FROM r) AS x", vec!["3"]),
        ] {
            let sql = format!(
                "SELECT coalesce(CAST(a AS VARCHAR), 'NULL') FROM ({DOUBLE_ROWS} {sql}) AS all_rows (a) ORDER BY 1"
            );
            assert_eq!(rows(&engine, &sql).await.concat(), expected, "{dialect:?} {sql}");
        }
    }
}

/// The same results as PostgreSQL 15; `crates/dialect` tests each kind of pattern.
#[tokio::test]
async fn similar_to_matches_whole_texts() {
    let names = "(VALUES ('abc'), ('b'), ('a.c'), ('a%c'), (NULL)) AS t (x)";
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for (condition, expected) in [
            ("x SIMILAR TO 'b'", "b"),
            ("x SIMILAR TO '%(b|c)%'", "a%c a.c abc b"),
            ("x NOT SIMILAR TO '%b%'", "a%c a.c"),
            ("x SIMILAR TO 'a.c'", "a.c"),
            ("x SIMILAR TO 'a#%c' ESCAPE '#'", "a%c"),
            ("x SIMILAR TO replace('a_c', '_', '[.%]')", "a%c a.c"),
            ("x SIMILAR TO NULL", ""),
            ("'b' SIMILAR TO x", "b"),
        ] {
            let sql = format!("SELECT x FROM {names} WHERE {condition} ORDER BY x");
            assert_eq!(rows(&engine, &sql).await.concat().join(" "), expected, "{dialect:?} {sql}");
        }
        let query = engine.query("SELECT x FROM (VALUES ('a'), ('b')) AS t (x) WHERE x SIMILAR TO x || '**'").await;
        let error = match query {
            Ok(query) => query.collect().await.expect_err("no pattern"),
            Err(error) => error,
        };
        assert!(error.to_string().contains("there is nothing to repeat"), "{error}");
    }
}

/// A scalar subquery must return one row; in osquery's dialect, its first row counts.
#[tokio::test]
async fn a_subquery_for_a_value_gives_one_row() {
    let plain = engine(Dialect::DataFusion).await;
    for sql in [
        "SELECT (SELECT 1 UNION ALL SELECT 2) AS a, 5",
        "SELECT uid FROM users WHERE uid = (SELECT uid FROM users)",
        "SELECT uid FROM users WHERE uid IN (SELECT (SELECT a FROM (VALUES (1), (2)) AS t (a)))",
        "SELECT u.uid FROM users AS u JOIN users AS v ON u.uid = (SELECT gid FROM users)",
        "SELECT count(*) FROM users GROUP BY gid HAVING count(*) < (SELECT uid FROM users)",
        "SELECT path FROM file WHERE path = (SELECT directory FROM users)",
    ] {
        let error = plain.query(sql).await.expect(sql).collect().await.expect_err(sql);
        assert!(error.to_string().contains("returned several rows"), "{sql}: {error}");
    }
    for (sql, expected) in [
        ("SELECT (SELECT 1) + (SELECT max(uid) - max(uid) FROM users)", "1"),
        ("SELECT coalesce((SELECT uid FROM users WHERE uid < 0), -1)", "-1"),
        ("SELECT (SELECT uid FROM users ORDER BY uid LIMIT 1)", "0"),
        ("SELECT length((SELECT username FROM users WHERE uid = 33)) > 0", "true"),
        ("SELECT path FROM file WHERE path = (SELECT directory || '' FROM users WHERE uid = 33)", "/var/www"),
        ("SELECT count(*) FROM users WHERE uid > (SELECT a FROM (VALUES (NULL)) AS t (a))", "0"),
    ] {
        let given = rows(&plain, sql).await.concat();
        assert!(given == [expected] || (given.is_empty() && sql.contains("path")), "{sql}: {given:?}");
    }
    let osquery = engine(Dialect::Osquery).await;
    assert_eq!(rows(&osquery, "SELECT (SELECT 1 UNION ALL SELECT 2) AS a").await, [["1"]]);
}

/// Subqueries pass patterns to a table with required keys, as they pass keys.
#[tokio::test]
async fn a_subquery_gives_a_pattern() {
    let osquery = engine(Dialect::Osquery).await;
    let listed = rows(&osquery, "SELECT path FROM file WHERE path LIKE '/etc/pass%'").await;
    assert!(!listed.is_empty());
    for condition in [
        "path LIKE (SELECT '/etc/pass%')",
        "path GLOB (SELECT '/etc/pass*')",
        "path LIKE (SELECT '/etc/' || 'pass%' FROM users WHERE uid = 0)",
        "path LIKE (SELECT column1 FROM (VALUES ('/etc/pass%'), ('/nowhere/%')))",
        "path LIKE (SELECT '/etc/pass%') AND size >= 0",
        "like((SELECT '/etc/pass%'), path)",
    ] {
        let sql = format!("SELECT path FROM file WHERE {condition}");
        assert_eq!(rows(&osquery, &sql).await, listed, "{sql}");
    }
    let none = "SELECT path FROM file WHERE path LIKE (SELECT username FROM users WHERE uid < 0)";
    assert!(rows(&osquery, none).await.is_empty());
    let plain = engine(Dialect::DataFusion).await;
    assert_eq!(rows(&plain, "SELECT path FROM file WHERE path LIKE (SELECT '/etc/pass%')").await, listed);
}

/// Timestamps in two units compare without overflow.
#[tokio::test]
async fn times_of_two_units_compare() {
    let times = "(SELECT arrow_cast(column1, 'Timestamp(Microsecond, Some(\"UTC\"))') AS us, arrow_cast(column2, 'Timestamp(Nanosecond, Some(\"UTC\"))') AS ns, arrow_cast(column2, 'Timestamp(Second, None)') AS s FROM (VALUES ('9999-12-31T00:00:00Z', '2024-01-01T00:00:00Z'), ('2024-01-01T00:00:00Z', '2024-01-01T00:00:00Z'), ('1969-12-31T23:59:59.5Z', '1969-12-31T23:59:59.500000001Z'), (NULL, '2024-01-01T00:00:00Z')))";
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for (condition, count) in [
            ("us > ns", "1"),
            ("us >= ns", "2"),
            ("us = ns", "1"),
            ("us < ns", "1"),
            ("ns > us", "1"),
            ("us <> ns", "2"),
            ("us IS DISTINCT FROM ns", "3"),
            ("us > s", "2"),
            ("ns BETWEEN us AND us", "1"),
            ("us BETWEEN ns AND ns", "1"),
            ("us IN (ns, ns)", "1"),
            ("us NOT IN (ns, ns)", "2"),
            ("us IN (SELECT x.ns FROM t AS x)", "1"),
            ("NOT us > ns", "2"),
        ] {
            let sql = format!("WITH t AS {times} SELECT count(*) FROM t WHERE {condition}");
            assert_eq!(rows(&engine, &sql).await, [[count]], "{dialect:?} {condition}");
        }
        for sql in [
            "SELECT count(*) FROM t AS a JOIN t AS b ON a.us = b.ns",
            "SELECT count(*) FROM (SELECT us AS k FROM t) AS a JOIN (SELECT ns AS k FROM t) AS b USING (k)",
            "SELECT count(*) FROM (SELECT us AS k FROM t) AS a RIGHT JOIN (SELECT ns AS k FROM t) AS b USING (k)",
            "SELECT 2 + count(*) FROM (SELECT us FROM t INTERSECT SELECT ns FROM t) AS x",
        ] {
            let sql = format!("WITH t AS {times} {sql}");
            let expected = if sql.contains("RIGHT") { "4" } else { "3" };
            assert_eq!(rows(&engine, &sql).await, [[expected]], "{dialect:?} {sql}");
        }
    }
}

/// Rows of ROLLUP, CUBE and GROUPING SETS, and of GROUP BY ALL, which SQLite does not have.
#[tokio::test]
async fn grouping_sets_and_all_group() {
    let t = "(VALUES (1, 2, 3), (1, 4, 5), (6, 2, 7)) AS t (a, b, c)";
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for (sql, expected) in [
            ("SELECT a, sum(c) FROM T GROUP BY ROLLUP (a)", "1 8|6 7|NULL 15"),
            (
                "SELECT a, b, sum(c) FROM T GROUP BY CUBE (a, b)",
                "1 2 3|1 4 5|1 NULL 8|6 2 7|6 NULL 7|NULL 2 10|NULL 4 5|NULL NULL 15",
            ),
            (
                "SELECT a, b, sum(c) FROM T GROUP BY GROUPING SETS ((a), (b), ())",
                "1 NULL 8|6 NULL 7|NULL 2 10|NULL 4 5|NULL NULL 15",
            ),
            ("SELECT a + 1 AS x, grouping(a) AS g FROM T GROUP BY ROLLUP (a)", "2 0|7 0|NULL 1"),
            ("SELECT a, count(*) FROM T GROUP BY ALL", "1 2|6 1"),
            ("SELECT 2, a, b + 0 AS b, sum(c) FROM T GROUP BY ALL", "2 1 2 3|2 1 4 5|2 6 2 7"),
            ("SELECT sum(c), count(*) FROM T GROUP BY ALL", "15 3"),
        ] {
            let sql = sql.replace("FROM T", &format!("FROM {t}"));
            let mut given: Vec<String> = rows(&engine, &sql).await.iter().map(|row| row.join(" ")).collect();
            given.sort();
            assert_eq!(given.join("|"), expected, "{dialect:?} {sql}");
        }
    }
}

/// An error names a clause, without the parsed tree.
#[tokio::test]
async fn errors_print_no_trees() {
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for (sql, clause) in [
            ("SELECT * FROM (VALUES (1, 2)) AS t (a, b) PIVOT (sum(a) FOR b IN (1))", "PIVOT"),
            ("SELECT * FROM (VALUES (1, 2)) AS t (a, b) UNPIVOT (x FOR y IN (a, b))", "UNPIVOT"),
            ("SELECT * FROM users CROSS APPLY (SELECT 1) AS u", "CROSS APPLY"),
            ("SELECT * FROM users AS a SEMI JOIN users AS b ON a.uid = b.uid", "SEMI"),
            ("SELECT username IS NORMALIZED FROM users", "IS NORMALIZED"),
            ("SELECT username RLIKE 'a' FROM users", "RLIKE"),
            ("SELECT uid FROM users WHERE uid IN UNNEST([1])", "IN UNNEST"),
            ("SELECT convert(username USING utf8) FROM users", "CONVERT"),
            ("SELECT 5 > ALL (SELECT 1 UNION ALL SELECT 2)", ""),
            ("SELECT max(*) FROM users", "`*`"),
        ] {
            let error = match engine.query(sql).await {
                Ok(query) => query.collect().await.expect_err(sql),
                Err(error) => error,
            };
            let text = error.to_string();
            assert!(text.contains(clause) && text.len() < 120 && !text.contains('{'), "{dialect:?} {sql}: {text}");
        }
    }
}
