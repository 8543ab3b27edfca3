//! SQL over tables, in both dialects: clauses that the planner would drop, one moment, names, times.

use std::time::{Duration, SystemTime};

use indago_engine::{Code, Dialect, Engine, NAME_METADATA};

use crate::support::{fixture_host, host_engine, rows, texts};

const BOTH: [Dialect; 2] = [Dialect::Osquery, Dialect::DataFusion];

async fn engine(dialect: Dialect) -> Engine {
    let host = fixture_host("plain").with_clock(SystemTime::UNIX_EPOCH + Duration::from_micros(1_612_325_106_789_012));
    host_engine(&host).clock(host).dialect(dialect).build().await.expect("it builds")
}

/// A clause that sqlparser reads and DataFusion drops leaves wrong rows.
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
    ];
    let mut wrong = Vec::new();
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for (clause, sql) in refused {
            match engine.query(sql).await {
                Err(error) if error.code() == Code::Unsupported && error.to_string().contains(clause) => {}
                // Where it does not parse: the dialect of osquery has names where some of these clauses stand.
                Err(error) if dialect == Dialect::Osquery && error.code() == Code::Parse => {}
                Err(error) => wrong.push(format!("{dialect:?} {sql}: {error}")),
                Ok(query) => wrong.push(format!("{dialect:?} {sql}: planned, as {:?}", query.rewritten())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the planner itself refuses.
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

/// Named windows that DataFusion would leave out: the dialect of osquery writes them out, the other refuses them.
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

/// All clocks of a query show the moment that its tables see.
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
    // Beside columns, where nothing is constant, and in views.
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

/// No two columns of a result have one name, in its schema and so in every format.
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
    // Result logs of packs tell what was written.
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

/// Columns of times count microseconds, which reach further than nanoseconds do.
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

/// A cast of a key is not the key: what a cast loses does not reach the table as one.
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
