//! Comparisons of numbers with texts that say nothing about the values.

use super::harness::{Both, tables};
use crate::{Dialect, parse, rewrite};

#[test]
fn a_number_is_compared_with_text_that_is_none() {
    let both = Both::new(&tables());
    let found = |sql: &str| -> Vec<String> {
        let parsed = parse(sql, Dialect::Osquery).expect(sql).remove(0);
        let mismatches = rewrite(parsed, &both.names).expect(sql).mismatches;
        mismatches.into_iter().map(|own| format!("{}.{} {:?}", own.relation, own.column, own.text)).collect()
    };
    for (sql, expected) in [
        ("SELECT id FROM t WHERE a > '2020-01-01'", r#"t.a Literal("2020-01-01")"#),
        ("SELECT id FROM t AS x WHERE 'abc' = x.A", r#"x.a Literal("abc")"#),
        ("SELECT id FROM t WHERE r BETWEEN 1 AND ('b')", r#"t.r Literal("b")"#),
        ("SELECT a IN (1, 'b') FROM t", r#"t.a Literal("b")"#),
        ("SELECT a AS z FROM t WHERE z IS 'b'", r#"t.a Literal("b")"#),
        ("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE a < \"zz\")", r#"t.a Literal("zz")"#),
        ("WITH c AS (SELECT a AS z FROM t) SELECT z FROM c WHERE z > current_timestamp", r#"c.z Time("datetime")"#),
        ("SELECT id FROM t WHERE CASE a WHEN 'b' THEN 1 END", r#"t.a Literal("b")"#),
    ] {
        assert_eq!(found(sql), [expected], "{sql}");
    }
    for sql in [
        "SELECT id FROM t WHERE a <> 'b' OR a IS NOT 'b' OR a NOT IN ('b')",
        "SELECT id FROM t WHERE a > '12' OR a = ' 1.5 ' OR r < '1e3'",
        "SELECT id FROM t WHERE s > '2020-01-01' OR a + 1 > 'b' OR 1 = 'b'",
    ] {
        assert!(found(sql).is_empty(), "{sql}: {:?}", found(sql));
    }
}
