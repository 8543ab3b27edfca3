//! Errors, positions and limits of parsing and rewriting.

use super::{
    corpus::arranged,
    harness::{Both, tables},
};
use crate::{Dialect, NoNames, parse, rewrite};

#[test]
fn statements_keep_their_place() {
    let sql = " SELECT 1 ;\n\n/* two */ SELECT 'a;b'; -- end\n;";
    let statements = parse(sql, Dialect::Osquery).expect("parses");
    let texts: Vec<&str> = statements.iter().map(|statement| &sql[statement.span.clone()]).collect();
    assert_eq!(texts, ["SELECT 1", "SELECT 'a;b'"]);
    assert!(parse("", Dialect::Osquery).expect("nothing").is_empty());
    assert!(parse(" ; -- x\n ;", Dialect::Osquery).expect("nothing").is_empty());
}

#[test]
fn a_comment_may_end_with_the_text() {
    let sql = "SELECT 1 /* and so on */ + 2 /* to the end";
    let statements = parse(sql, Dialect::Osquery).expect("parses");
    assert_eq!(&sql[statements[0].span.clone()], "SELECT 1 /* and so on */ + 2");
    assert!(parse("/*", Dialect::Osquery).expect("nothing").is_empty());
    assert!(parse(sql, Dialect::DataFusion).is_err());
}

#[test]
fn errors_point_at_the_text() {
    for (sql, line, column) in [
        ("SELECT a FROM", 1, 14),
        ("SELECT\n  a b c", 2, 7),
        ("SELECT 'open", 1, 8),
        ("SELECT ünï FROM t WHERE )", 1, 25),
        ("SELECT 1;\nSELEC 2", 2, 1),
        ("SELECT a MATCH 'x' FROM t", 1, 10),
        ("SELECT a,\n CASE WHEN 1 THEN 2 FROM t", 2, 2),
    ] {
        let error = parse(sql, Dialect::Osquery).expect_err(sql);
        assert_eq!((error.line, error.column), (line, column), "{sql}: {error}");
        assert!(error.offset <= sql.len());
    }
}

#[test]
fn a_window_function_needs_its_window() {
    let both = Both::new(&tables());
    let statement = parse("SELECT id,\n row_number() FROM t", Dialect::Osquery).expect("parses").remove(0);
    let error = rewrite(statement, &both.names).expect_err("a window function without OVER fails");
    assert_eq!(error.to_string(), "row_number() needs OVER: it is a window function");
    assert_eq!((error.line, error.column), (2, 2));
}

#[test]
fn messages_start_in_lower_case() {
    for (sql, message) in [
        ("SELECT (1", "expected ), found EOF"),
        ("SELECT a b c FROM t", "expected end of statement, found c"),
        ("SELECT 'open", "unterminated string literal"),
        ("SELECT CASE WHEN 1 THEN 2", "no END for this CASE"),
        ("SELECT CASE a WHEN 1 THEN CASE WHEN 2 THEN 3 END FROM t", "no END for this CASE"),
        ("SELECT * FROM t LIMIT", "expected an expression, found EOF"),
        ("SELECT * FROM t WHERE ORDER BY id", "expected an expression, found ORDER"),
        ("SELECT a + FROM t", "expected an expression, found FROM"),
    ] {
        let error = parse(sql, Dialect::Osquery).expect_err(sql);
        assert!(error.message.starts_with(|c: char| c.is_lowercase()), "{sql}: {}", error.message);
        assert_eq!(error.message, message, "{sql}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_schema_is_told_as_sqlite_tells_it() {
    let both = Both::new(&tables());
    let rows = both.ask("PRAGMA table_info(u)").await.expect("runs");
    let texts: Vec<String> = rows
        .into_iter()
        .map(|row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|"))
        .collect();
    assert_eq!(
        texts,
        ["0|id|BIGINT|0||0", "1|t_id|BIGINT|0||0", "2|s|TEXT|0||0", "3|v|BIGINT|0||0", "4|key|TEXT|0||0"]
    );
    let sql = "SELECT sql FROM sqlite_temp_master WHERE name = 'empty'";
    let rows = both.ask(sql).await.expect("runs");
    assert_eq!(rows, [[Some("CREATE TABLE empty(`id` BIGINT, `s` TEXT, `r` DOUBLE)".to_owned())]]);
    assert_eq!(both.ask("SELECT name FROM pragma_table_info('none')").await, Ok(Vec::new()));
}

#[test]
fn nesting_is_bounded() {
    let run = |sql: String| {
        let began = std::time::Instant::now();
        let head: String = sql.chars().take(40).collect();
        let _timer = scopeguard(move || println!("{:?} {head}", began.elapsed()));
        // The stack of a thread of the async runtime.
        std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(move || {
                parse(&sql, Dialect::Osquery)
                    .map(|statements| statements.into_iter().filter_map(|one| rewrite(one, &NoNames).ok()).count())
            })
            .expect("thread")
            .join()
            .expect("no overflow")
    };
    for deep in [
        format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("SELECT {}1", "- ".repeat(50_000)),
        format!("SELECT {}1", "NOT ".repeat(100_000)),
        format!("SELECT 1{}", " + 1".repeat(100_000)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(100_000)),
        format!("SELECT {}1{}", "(SELECT ".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT {}1{}", "CASE WHEN 1 THEN ".repeat(5_000), " END".repeat(5_000)),
        format!("SELECT {}1{}", "abs(".repeat(300), ")".repeat(300)),
        format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(500), ")".repeat(500)),
        format!("SELECT {}1", "NOT ".repeat(200)),
        format!("SELECT {}1{}", "CASE WHEN 1 THEN ".repeat(119), " END".repeat(119)),
        format!("SELECT * FROM t WHERE {}1{}", "EXISTS (SELECT 1 FROM t WHERE ".repeat(17), ")".repeat(17)),
        format!("SELECT * FROM (SELECT {}1{})", "1 IN (SELECT ".repeat(17), ")".repeat(17)),
        format!("SELECT 1{}", " + on + when".repeat(10_000)),
    ] {
        let error = run(deep).expect_err("too deep");
        assert!(error.message.contains("deep") || error.message.ends_with("found on"), "{error}");
    }
    for fine in [
        format!("SELECT 1{}", " + 1".repeat(240)),
        format!("SELECT 1 WHERE 1{}", " AND 1 = 1".repeat(450)),
        format!("SELECT 1{}", ", 1".repeat(2000)),
        format!("SELECT 1 WHERE 1 IN (1{})", ", 1".repeat(5000)),
        format!("SELECT {}1{}", "(".repeat(30), ")".repeat(30)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(300)),
        format!("SELECT CASE {}ELSE 0 END FROM t", "WHEN a = 1 AND b LIKE 'x' THEN a + 1 ".repeat(1000)),
        format!("SELECT * FROM t WHERE {}1{}", "EXISTS (SELECT 1 FROM t WHERE ".repeat(16), ")".repeat(16)),
        format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(30), ")".repeat(30)),
        format!("SELECT {}", vec!["(SELECT 1)"; 40].join(" + ")),
    ] {
        run(fine).expect("fits");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn long_chains_run() {
    let both = Both::new(&tables());
    let many = (0..400).map(|n| format!("a != {n}")).collect::<Vec<_>>().join(" AND ");
    assert!(both.ask(&format!("SELECT id FROM t WHERE {many}")).await.is_ok());
    let members = format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(250));
    assert_eq!(both.ask(&members).await.map(|rows| rows.len()), Ok(251));
    let whens: String = (0..1000).map(|n| format!("WHEN a = {n} THEN {n} * 2 ")).collect();
    for sql in [format!("SELECT id FROM t WHERE CASE {whens} END = 20"), format!("SELECT CASE {whens} END FROM t")] {
        let given = both.ask(&sql).await.map(|rows| arranged(&sql, rows));
        assert_eq!(given, both.ask_sqlite(&sql).map(|rows| arranged(&sql, rows)));
    }
    let sum = vec!["1"; 240].join(" + ");
    assert_eq!(both.ask(&format!("SELECT {sum}")).await, Ok(vec![vec![Some("240".to_owned())]]));
}

/// Cut, doubled and shuffled text must cause an error or parse, never panic.
#[test]
fn damaged_text_does_not_panic() {
    let both = Both::new(&tables());
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % bound.max(1)
    };
    let cases = super::corpus::cases();
    for case in cases.iter().step_by(3) {
        let mut text: Vec<char> = case.sql.chars().collect();
        for _ in 0..3 {
            if text.is_empty() {
                break;
            }
            match next(4) {
                0 => text.truncate(next(text.len())),
                1 => {
                    text.remove(next(text.len()));
                }
                2 => {
                    let at = next(text.len());
                    let other = text[next(text.len())];
                    text.insert(at, other);
                }
                _ => {
                    let (a, b) = (next(text.len()), next(text.len()));
                    text.swap(a, b);
                }
            }
        }
        let text: String = text.into_iter().collect();
        if let Ok(statements) = parse(&text, Dialect::Osquery) {
            for statement in statements {
                let _ = rewrite(statement, &both.names);
            }
        }
    }
}

#[test]
fn datafusion_dialect_changes_nothing() {
    let sql = "SELECT a, [1, 2] FROM t WHERE s LIKE 'A%'";
    let statement = parse(sql, Dialect::DataFusion).expect("parses").remove(0);
    assert_eq!(rewrite(statement, &NoNames).expect("rewrites").statement.to_string(), sql);
}

#[test]
fn sizeable_statements_are_quick() {
    let names = (0..3000).map(|n| format!("'/usr/lib/name{n}'")).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT name AS n, path FROM processes WHERE n NOT IN ({names}) GROUP BY path");
    assert!(sql.len() > 40_000);
    let both = Both::new(&tables());
    let began = std::time::Instant::now();
    let statement = parse(&sql, Dialect::Osquery).expect("parses").remove(0);
    rewrite(statement, &both.names).expect("rewrites");
    // This corresponds to 50 ms in a release build, which is about ten times faster.
    assert!(began.elapsed().as_millis() < 1000, "40 KB take {:?}", began.elapsed());
}

fn scopeguard(done: impl FnOnce()) -> impl Drop {
    struct Guard<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Guard<F> {
        fn drop(&mut self) {
            if let Some(done) = self.0.take() {
                done();
            }
        }
    }
    Guard(Some(done))
}
