//! Predicates that tables apply must stay recognisable: a bare column on one side.

use super::harness::{Both, tables};

async fn plan(both: &Both, sql: &str) -> String {
    let parsed = crate::parse(sql, crate::Dialect::Osquery).expect("parses").remove(0);
    let statement = crate::rewrite(parsed, &both.names).expect("rewrites").statement;
    let state = both.context.state();
    let plan = state.statement_to_plan(statement).await.expect("plans");
    state.optimize(&plan).expect("optimizes").display_indent().to_string()
}

#[tokio::test(flavor = "current_thread")]
async fn predicates_stay_plain() {
    let both = Both::new(&tables());
    for (sql, kept) in [
        ("SELECT name FROM processes WHERE pid = 100", "processes.pid = Int64(100)"),
        ("SELECT name FROM processes WHERE pid = '100'", "processes.pid = Int64(100)"),
        ("SELECT name FROM processes WHERE path LIKE '/usr/%'", "processes.path ILIKE Utf8"),
        ("SELECT name FROM processes WHERE path = \"/usr/bin/bash\"", "processes.path = Utf8View(\"/usr/bin/bash\")"),
        (
            "SELECT name FROM processes WHERE pid IN (1, '2', 3, 4, 5)",
            "processes.pid IN ([Int64(1), Int64(2), Int64(3), Int64(4), Int64(5)])",
        ),
        ("SELECT name FROM processes WHERE pid IN (1, 2)", "processes.pid = Int64(1) OR processes.pid = Int64(2)"),
        ("SELECT p.name FROM processes p LEFT JOIN hash h ON h.path = p.path", "p.path = h.path"),
        ("SELECT p.name FROM processes p JOIN users USING (uid)", "p.uid = users.uid"),
        ("SELECT p.name FROM processes p, users u WHERE p.uid = u.uid AND u.username = 'ann'", "p.uid = u.uid"),
        ("SELECT name FROM processes WHERE start_time > 1700000000 + 60", "processes.start_time > Int64(1700000060)"),
        (
            "SELECT name FROM processes WHERE start_time > strftime('%s', '2024-01-01') - 60",
            "processes.start_time > Int64(1704067140)",
        ),
        ("SELECT name AS n FROM processes WHERE n = 'bash'", "processes.name = Utf8View(\"bash\")"),
    ] {
        let plan = plan(&both, sql).await;
        assert!(plan.contains(kept), "{sql}\n  does not contain `{kept}`:\n{plan}");
    }
    // `now` is one point in time, known when the statement is planned.
    let plan = plan(&both, "SELECT name FROM processes WHERE start_time > strftime('%s', 'now') - 60").await;
    assert!(plan.contains("processes.start_time > Int64("), "{plan}");
}

#[tokio::test(flavor = "current_thread")]
async fn bare_columns_come_from_one_row() {
    let both = Both::new(&tables());
    let rows = both.ask("SELECT state, pid, name, path FROM processes GROUP BY state").await.expect("runs");
    for row in rows {
        let pid = row[1].clone().unwrap_or_default();
        let whole = both.ask(&format!("SELECT state, pid, name, path FROM processes WHERE pid = {pid}")).await;
        assert_eq!(whole, Ok(vec![row]));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_depends_on_rows_is_asked_of_those_that_are_left() {
    let both = Both::new(&tables());
    let item = "LATERAL (SELECT md5 FROM hash WHERE hash.path = p.path) h";
    let md5 = "SELECT h.md5 FROM processes p";
    for sql in [
        format!("{md5}, {item} WHERE p.pid = 100"),
        format!("{md5} JOIN {item} ON p.pid = 100"),
        format!("{md5} LEFT JOIN {item} ON true WHERE p.pid = 100"),
        format!("{md5}, {item}, users u WHERE u.uid = p.uid AND p.pid = 100"),
        format!("{md5} JOIN users u USING (uid), {item} WHERE p.pid = 100 AND h.md5 > ''"),
        format!("SELECT u.uid, x.md5 FROM users u JOIN ({md5}, {item} WHERE p.pid = 100) x ON true"),
        "SELECT (SELECT count(*) FROM hash WHERE hash.path = p.path AND hash.directory <> p.name) FROM processes p WHERE pid = 100"
            .to_owned(),
    ] {
        let plan = plan(&both, &sql).await;
        let readings = plan.matches("TableScan: processes").count();
        let narrowed = plan.matches("Filter: processes.pid = Int64(100)").count()
            + plan.matches("Filter: p.pid = Int64(100)").count()
            + plan.matches("full_filters=[processes.pid = Int64(100)]").count();
        assert!(readings > 1 && readings == narrowed, "{sql}\n{plan}");
    }
    // A side that may be filled with NULLs is scanned unchanged.
    for (lateral, plain) in [
        (
            format!("SELECT p.pid, h.md5 FROM processes p LEFT JOIN {item} ON p.pid = 100"),
            "SELECT p.pid, h.md5 FROM processes p LEFT JOIN hash h ON h.path = p.path AND p.pid = 100",
        ),
        (
            format!("SELECT u.uid, x.md5 FROM users u LEFT JOIN ({md5}, {item} WHERE p.pid = 100) x ON u.uid = 0"),
            "SELECT u.uid, h.md5 FROM users u LEFT JOIN (processes p JOIN hash h ON h.path = p.path AND p.pid = 100) ON u.uid = 0",
        ),
        (
            format!("SELECT p.pid, h.md5 FROM processes p LEFT JOIN {item} ON true WHERE h.md5 IS NULL AND p.pid > 1"),
            "SELECT p.pid, h.md5 FROM processes p LEFT JOIN hash h ON h.path = p.path WHERE h.md5 IS NULL AND p.pid > 1",
        ),
        (
            format!(
                "SELECT u.uid, p.pid FROM processes p JOIN {item} ON true RIGHT JOIN users u ON u.uid = p.uid WHERE u.uid < 5"
            ),
            "SELECT u.uid, p.pid FROM users u LEFT JOIN (processes p JOIN hash h ON h.path = p.path) ON u.uid = p.uid WHERE u.uid < 5",
        ),
        (
            format!("SELECT p.pid, h.md5 FROM processes p, {item} WHERE p.pid > 1 AND p.uid + length(h.md5) > 0"),
            "SELECT p.pid, h.md5 FROM processes p, hash h WHERE h.path = p.path AND p.pid > 1 AND p.uid + length(h.md5) > 0",
        ),
    ] {
        let mut given = both.ask(&lateral).await.expect(&lateral);
        let mut expected = both.ask_sqlite(plain).expect(plain);
        given.sort();
        expected.sort();
        assert_eq!(given, expected, "{lateral}");
    }
}
