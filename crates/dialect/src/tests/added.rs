//! Columns that a table has in addition to osquery's do not change any osquery query.

use super::harness::{Both, Cell, tables};

/// The tables, with columns added to `listening_ports` whose names are also names of other columns, aliases and
/// constants.
fn with_added_columns() -> Both {
    let mut tables = tables();
    let added = ["uid", "pretty", "name"];
    let ports = tables.iter_mut().find(|table| table.name == "listening_ports").expect("the table exists");
    ports.columns.extend(added.map(|name| (name.to_owned(), "INTEGER".to_owned())));
    ports.rows.iter_mut().for_each(|row| row.extend(added.map(|_| Cell::Int(-9))));
    let mut both = Both::new(&tables);
    let columns = both.names.0.get_mut("listening_ports").expect("the table exists");
    columns.iter_mut().filter(|column| added.contains(&column.name.as_str())).for_each(|column| column.yields = true);
    both
}

#[tokio::test(flavor = "current_thread")]
async fn added_columns_give_way() {
    let (plain, wide) = (Both::new(&tables()), with_added_columns());
    for sql in [
        "SELECT uid, name, port FROM processes JOIN listening_ports USING (pid) ORDER BY uid, name, port",
        "SELECT uid, name, port FROM listening_ports JOIN processes USING (pid) WHERE uid >= 0 ORDER BY uid, name, port",
        "SELECT uid, count(*) FROM listening_ports l, processes p WHERE l.pid = p.pid GROUP BY uid HAVING uid IS NOT NULL ORDER BY 1",
        "SELECT username, port FROM listening_ports JOIN processes USING (pid) JOIN users USING (uid) ORDER BY 1, 2",
        "SELECT count(*) FROM users NATURAL JOIN listening_ports",
        "SELECT uid, port FROM (SELECT * FROM listening_ports) JOIN processes USING (pid) ORDER BY 1, 2",
        "WITH l AS (SELECT * FROM listening_ports) SELECT uid, port FROM processes JOIN l USING (pid) ORDER BY 1, 2",
        "SELECT uid FROM (SELECT * FROM listening_ports JOIN processes USING (pid)) ORDER BY 1",
        "SELECT name, (SELECT count(*) FROM listening_ports l WHERE l.pid = p.pid AND uid >= 0) FROM processes p ORDER BY 1, 2",
        "SELECT port + 1 AS pretty FROM listening_ports WHERE pretty > 1000 ORDER BY pretty",
        "SELECT lower(address) AS pretty, count(*) FROM listening_ports GROUP BY pretty ORDER BY 1",
        "SELECT port AS name FROM listening_ports WHERE name LIKE '%4%' ORDER BY 1",
    ] {
        let expected = plain.ask_sqlite(sql).expect(sql);
        assert!(!expected.is_empty(), "{sql}");
        assert_eq!(wide.ask(sql).await.as_ref(), Ok(&expected), "{sql}");
    }
    // If nothing else has the name, it refers to the column.
    for (sql, expected) in [
        ("SELECT DISTINCT pretty FROM listening_ports", "-9"),
        ("SELECT DISTINCT l.uid FROM listening_ports l JOIN processes USING (pid)", "-9"),
        ("SELECT DISTINCT uid FROM (SELECT * FROM listening_ports)", "-9"),
        ("SELECT count(*) FROM listening_ports WHERE \"pretty\" = -9 AND uid < 0", "4"),
    ] {
        assert_eq!(wide.ask(sql).await, Ok(vec![vec![Some(expected.to_owned())]]), "{sql}");
    }
}
