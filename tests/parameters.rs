//! Parameters of statements: typed by their use, and never part of the SQL text.

use indago_engine::{Code, Dialect, Engine, QueryOptions};

use crate::support::{fixture_host, host_engine, rows, texts};

const BOTH: [Dialect; 2] = [Dialect::Osquery, Dialect::DataFusion];

async fn engine(dialect: Dialect) -> Engine {
    host_engine(&fixture_host("plain")).dialect(dialect).build().await.expect("it builds")
}

fn bound(values: &[(&str, &str)]) -> QueryOptions {
    values.iter().fold(QueryOptions::default(), |options, (name, value)| options.bind(name, *value))
}

/// The sorted rows, and the constraints of each scan.
async fn answer(engine: &Engine, sql: &str, options: QueryOptions) -> (Vec<Vec<String>>, Vec<String>) {
    let query = engine.query_with(sql, options).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut rows = texts(&batches);
    rows.sort();
    (rows, query.scans().into_iter().map(|scan| format!("{} {}", scan.table, scan.constraints)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn text_counts_as_what_it_is_compared_with() {
    let statements = [
        ("SELECT username FROM users WHERE uid = $uid", "SELECT username FROM users WHERE uid = 0"),
        ("SELECT username FROM users WHERE $uid = uid", "SELECT username FROM users WHERE 0 = uid"),
        ("SELECT username FROM users WHERE uid IN (1, $uid)", "SELECT username FROM users WHERE uid IN (1, 0)"),
        (
            "SELECT username FROM users WHERE uid BETWEEN $uid AND 1",
            "SELECT username FROM users WHERE uid BETWEEN 0 AND 1",
        ),
        ("SELECT username FROM users WHERE uid + 1 > $uid", "SELECT username FROM users WHERE uid + 1 > 0"),
        (
            "SELECT username FROM users WHERE length(username) > $uid",
            "SELECT username FROM users WHERE length(username) > 0",
        ),
        (
            "SELECT shell FROM users GROUP BY shell HAVING count(*) > $uid",
            "SELECT shell FROM users GROUP BY shell HAVING count(*) > 0",
        ),
        (
            "SELECT u.username FROM users u JOIN users v ON u.uid = v.uid AND v.uid = $uid",
            "SELECT u.username FROM users u JOIN users v ON u.uid = v.uid AND v.uid = 0",
        ),
        (
            "SELECT username FROM users ORDER BY uid LIMIT 1 OFFSET $uid",
            "SELECT username FROM users ORDER BY uid LIMIT 1 OFFSET 0",
        ),
        (
            "SELECT CASE $uid WHEN 1 THEN 'one' WHEN 0 THEN 'zero' END AS a",
            "SELECT CASE 0 WHEN 1 THEN 'one' WHEN 0 THEN 'zero' END AS a",
        ),
        ("SELECT CASE 0 WHEN $uid THEN 'zero' END AS a", "SELECT CASE 0 WHEN 0 THEN 'zero' END AS a"),
        (
            "SELECT username FROM users WHERE CASE length(shell) - length(shell) WHEN $uid THEN uid < 2 END",
            "SELECT username FROM users WHERE CASE length(shell) - length(shell) WHEN 0 THEN uid < 2 END",
        ),
        ("SELECT uid FROM users WHERE username = $uid", "SELECT uid FROM users WHERE username = '0'"),
        (
            "SELECT uid FROM users WHERE username LIKE $uid || '%'",
            "SELECT uid FROM users WHERE username LIKE '0' || '%'",
        ),
        (
            "SELECT CASE WHEN uid = $uid THEN 'zero' ELSE 'other' END AS a FROM users",
            "SELECT CASE WHEN uid = 0 THEN 'zero' ELSE 'other' END AS a FROM users",
        ),
        (
            "WITH a AS (SELECT * FROM users WHERE uid = $uid) SELECT username FROM a",
            "WITH a AS (SELECT * FROM users WHERE uid = 0) SELECT username FROM a",
        ),
        (
            "SELECT username FROM users WHERE uid = (SELECT min(uid) FROM users WHERE uid >= $uid)",
            "SELECT username FROM users WHERE uid = (SELECT min(uid) FROM users WHERE uid >= 0)",
        ),
    ];
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for (with_parameter, with_number) in statements {
            let expected = answer(&engine, with_number, QueryOptions::default()).await;
            assert_eq!(answer(&engine, with_parameter, bound(&[("uid", "0")])).await, expected, "{with_parameter}");
            if !with_number.contains("'0'") {
                let number = QueryOptions::default().bind("uid", 0_i64);
                assert_eq!(answer(&engine, with_parameter, number).await, expected, "{with_parameter}");
            }
        }
    }
}

/// As with `$x = 5`, in each place where SQLite compares.
#[tokio::test(flavor = "multi_thread")]
async fn text_counts_as_a_number_in_row_values_and_after_a_sign() {
    let engine = engine(Dialect::Osquery).await;
    for (sql, expected) in [
        ("SELECT $x = 5", "1"),
        ("SELECT ($x, 1) = (5, 1)", "1"),
        ("SELECT (5, 1) = ($x, 1)", "1"),
        ("SELECT ($x, 1) < (6, 0)", "1"),
        ("SELECT ((1, $x)) = ((1, 6))", "0"),
        ("SELECT ($x, 1) IN ((4, 1), (5, 1))", "1"),
        ("SELECT ($x, 1) IS (5, 1)", "1"),
        ("SELECT +$x = 5", "1"),
        ("SELECT 5 < +$x", "0"),
        ("SELECT +$x = '5'", "1"),
        ("SELECT +($x) BETWEEN 5 AND 6", "1"),
        ("SELECT typeof(+$x)", "text"),
        ("SELECT CASE +$x WHEN 5 THEN 'five' END", "five"),
        ("SELECT CASE $x WHEN '5' THEN 'five' END", "five"),
        ("SELECT $x IN ('a', 5)", "1"),
    ] {
        assert_eq!(answer(&engine, sql, bound(&[("x", "5")])).await.0, [[expected]], "{sql}");
    }
}

/// The frame's rows and the escape character of SQLite.
#[tokio::test(flavor = "multi_thread")]
async fn parameters_stand_in_frames_and_after_escape() {
    for dialect in BOTH {
        let engine = engine(dialect).await;
        let frames = [
            "SELECT sum(a) OVER (ORDER BY a ROWS BETWEEN $x PRECEDING AND CURRENT ROW) FROM (VALUES (1), (2), (4)) AS t (a)",
            "SELECT sum(a) OVER (ORDER BY a ROWS $x PRECEDING) FROM (VALUES (1), (2), (4)) AS t (a)",
            "SELECT sum(a) OVER w FROM (VALUES (1), (2), (4)) AS t (a) WINDOW w AS (ORDER BY a ROWS $x PRECEDING)",
        ];
        for sql in frames {
            for options in [bound(&[("x", "1")]), QueryOptions::default().bind("x", 1_i64)] {
                assert_eq!(answer(&engine, sql, options).await.0, [["1"], ["3"], ["6"]], "{sql}");
            }
            let error = engine.query_with(sql, bound(&[("x", "all")])).await.expect_err(sql);
            assert_eq!((error.code(), error.to_string().contains("`all`")), (Code::Parameter, true), "{error}");
        }
        let sql = r"SELECT CASE WHEN 'a%b' LIKE 'a\%b' ESCAPE $x THEN 'yes' ELSE 'no' END";
        assert_eq!(answer(&engine, sql, bound(&[("x", r"\")])).await.0, [["yes"]]);
        let error = engine.query_with(sql, QueryOptions::default().bind("x", 1.5)).await.expect_err(sql);
        assert!(error.to_string().contains("ESCAPE needs a single character"), "{error}");
    }
    let engine = engine(Dialect::Osquery).await;
    // DataFusion's own SQL has no other escape character.
    let sql = "SELECT 'a%b' LIKE 'a!%b' ESCAPE $x";
    assert_eq!(answer(&engine, sql, bound(&[("x", "!")])).await.0, [["1"]]);
    assert_eq!(answer(&engine, sql, bound(&[("x", "?")])).await.0, [["0"]]);
    let sql = "SELECT 'a1b' LIKE 'a11b' ESCAPE $x";
    assert_eq!(answer(&engine, sql, QueryOptions::default().bind("x", 1_i64)).await.0, [["1"]]);
    assert!(engine.query_with(sql, bound(&[("x", "ab")])).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_is_a_key_of_its_table() {
    for dialect in BOTH {
        let engine = engine(dialect).await;
        let (rows, scans) =
            answer(&engine, "SELECT size FROM file WHERE path = $path", bound(&[("path", "/etc/passwd")])).await;
        assert_eq!((rows.len(), scans.as_slice()), (1, ["file path = '/etc/passwd'".to_owned()].as_slice()));
        let sql = "SELECT f.size FROM users u JOIN file f ON f.path = $folder || '/passwd' WHERE u.uid = $uid";
        let (rows, _) = answer(&engine, sql, bound(&[("folder", "/etc"), ("uid", "1")])).await;
        assert_eq!(rows.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_cannot_change_the_statement() {
    for dialect in BOTH {
        let engine = engine(dialect).await;
        for value in ["' OR 1 = 1 --", "root'; DROP VIEW a", "\"", "$uid", "?", "a\\'b", "\u{0}"] {
            let (rows, _) = answer(&engine, "SELECT $value AS a", bound(&[("value", value)])).await;
            assert_eq!(rows, [[value]]);
            let sql = "SELECT username FROM users WHERE username = $value";
            assert!(answer(&engine, sql, bound(&[("value", value)])).await.0.is_empty(), "{value}");
        }
        let typed = QueryOptions::default()
            .bind("i", i64::MIN)
            .bind("r", -1.5)
            .bind("b", true)
            .bind("n", None::<i64>)
            .bind("t", "x");
        let (rows, _) =
            answer(&engine, "SELECT $i AS i, $r AS r, coalesce($n, 'none') AS n, $t AS t WHERE $b", typed).await;
        assert_eq!(rows, [["-9223372036854775808", "-1.5", "none", "x"]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_written_as_in_sqlite() {
    let engine = engine(Dialect::Osquery).await;
    let options = bound(&[("1", "a"), ("2", "b"), ("5", "e"), ("6", "f"), ("x", "x")]);
    let sql = "SELECT ? AS a, ?2 AS b, ?5 AS c, ? AS d, :x AS e, $x AS f";
    let (rows, _) = answer(&engine, sql, options).await;
    assert_eq!(rows, [["a", "b", "e", "f", "x", "x"]]);
    let names: Vec<String> = engine.parameters("SELECT $b; SELECT :a, ?").into_iter().collect();
    assert_eq!(names, ["1", "a", "b"]);
    // The column has the name that the user wrote.
    let query = engine.query_with("SELECT $x", bound(&[("x", "1")])).await.expect("it plans");
    assert_eq!(query.schema().field(0).name(), "$x");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_and_parameters_must_match() {
    for dialect in BOTH {
        let engine = engine(dialect).await;
        let failed = async |sql: &str, values: &[(&str, &str)]| {
            let error = engine.query_with(sql, bound(values)).await.expect_err(sql);
            assert_eq!(error.code(), Code::Parameter, "{sql}: {error}");
            (error.to_string(), error.span().map(|span| sql[span.start..span.end].to_owned()))
        };
        let (message, place) = failed("SELECT 1 FROM users WHERE uid = $uid", &[]).await;
        assert!(message.contains("`$uid` has no value"), "{message}");
        assert_eq!(place.as_deref(), Some("$uid"));
        let (message, _) = failed("SELECT 1 FROM users WHERE uid = $uid", &[("uid", "0"), ("udi", "0")]).await;
        assert!(message.contains("no parameter `udi`"), "{message}");
        let (message, _) = failed("EXPLAIN SELECT 1 FROM users WHERE uid = $uid", &[]).await;
        assert!(message.contains("`$uid` has no value"), "{message}");
        let (message, _) = failed("SELECT uid FROM users LIMIT $n", &[("n", "many")]).await;
        assert!(message.contains("need an integer") && message.contains("`many`"), "{message}");
        let (message, _) = failed("CREATE VIEW a AS SELECT $x AS x", &[("x", "1")]).await;
        assert!(message.contains("a view cannot have parameters"), "{message}");
        for (sql, wrong) in [
            ("SELECT ?18446744073709551615, ?", "?18446744073709551615"),
            ("SELECT ?99999999999999999999", "?99999999999999999999"),
            ("SELECT 1, ?32767", "?32767"),
            ("SELECT ?0", "?0"),
            ("SELECT ?00", "?00"),
        ] {
            let (message, place) = failed(sql, &[]).await;
            assert!(message.contains("is not between ?1 and ?32766"), "{message}");
            assert_eq!(place.as_deref(), Some(wrong));
        }
        let (message, _) = failed("SELECT ?32766", &[]).await;
        assert!(message.contains("has no value"), "{message}");
        assert_eq!(rows(&engine, "SELECT '$x' AS a").await, [["$x"]]);
    }
}
