//! External query packs: `INDAGO_PACKS` is a directory of pack files, `INDAGO_SCHEMA` a table of osquery's columns.
//! Without them the test checks nothing.

use std::{fs, time::Instant};

use super::{
    corpus::arranged,
    harness::{Both, Cell, Table},
};
use crate::{Dialect, parse, rewrite};

fn schema(path: &str) -> Vec<Table> {
    let text = fs::read_to_string(path).expect("schema");
    let mut tables: Vec<Table> = Vec::new();
    for line in text.lines().skip(1) {
        let parts: Vec<&str> = line.split('\t').collect();
        let [table, column, kind, options, ..] = parts.as_slice() else { continue };
        if tables.last().is_none_or(|last| last.name != *table) {
            tables.push(Table { name: (*table).to_owned(), columns: Vec::new(), rows: Vec::new() });
        }
        let collation = options.split(',').find_map(|option| option.strip_prefix("collate="));
        let declaration = match collation {
            Some(collation) => format!("{kind} {}", collation.to_uppercase()),
            None => (*kind).to_owned(),
        };
        if let Some(last) = tables.last_mut() {
            last.columns.push(((*column).to_owned(), declaration));
        }
    }
    let texts = ["", "/usr/bin/bash", "/tmp/x", "abc", "root", "1", "0", "/etc/passwd", "1.2.3", "yes"];
    let ints = [0, 1, 2, 100, -1, 1_700_000_000];
    for (at, table) in tables.iter_mut().enumerate() {
        for row in 0..5_usize {
            let cells = table.columns.iter().enumerate().map(|(column, (_, kind))| {
                let pick = at * 7 + row * 3 + column * 5;
                match kind.split(' ').next().unwrap_or_default() {
                    "TEXT" => Cell::Text(texts[pick % texts.len()].to_owned()),
                    "DOUBLE" => Cell::Real(ints[pick % ints.len()] as f64 / 2.0),
                    _ if pick % 11 == 0 => Cell::Null,
                    _ => Cell::Int(ints[pick % ints.len()]),
                }
            });
            let cells = cells.collect();
            table.rows.push(cells);
        }
    }
    tables
}

/// Pack files allow whole-line comments, and a backslash continues a line.
fn pack(text: &str) -> serde_json::Value {
    let mut joined = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let start = line.trim_start();
        if start.starts_with("//") || start.starts_with('#') {
            continue;
        }
        let mut line = line.to_owned();
        while line.ends_with('\\') {
            line.pop();
            line.push_str(lines.next().unwrap_or_default().trim_start());
        }
        joined.push_str(&line);
        joined.push('\n');
    }
    serde_json::from_str(&joined).expect("pack is JSON")
}

fn for_linux(platform: Option<&str>) -> bool {
    platform.is_none_or(|platform| {
        platform.is_empty()
            || platform
                .split(',')
                .any(|name| matches!(name.trim(), "linux" | "posix" | "all" | "any" | "ubuntu" | "centos"))
    })
}

#[tokio::test(flavor = "current_thread")]
async fn packs_run_and_give_sqlites_answers() {
    let (Ok(packs), Ok(tsv)) = (std::env::var("INDAGO_PACKS"), std::env::var("INDAGO_SCHEMA")) else { return };
    let both = Both::new(&schema(&tsv));
    let (mut count, mut skipped, mut rejected) = (0, 0, 0);
    let mut wrong = Vec::new();
    let mut slowest = (0_u128, String::new());
    for file in fs::read_dir(packs).expect("packs").filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        if file.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        let pack = pack(&fs::read_to_string(&file).expect("pack"));
        let pack_platform = pack.get("platform").and_then(|platform| platform.as_str()).map(str::to_owned);
        let queries = pack.get("queries").and_then(|queries| queries.as_object()).expect("queries");
        for (name, query) in queries {
            let sql = query.get("query").and_then(|sql| sql.as_str()).expect("query");
            let platform = query.get("platform").and_then(|platform| platform.as_str());
            if !for_linux(platform) || !for_linux(pack_platform.as_deref()) {
                skipped += 1;
                continue;
            }
            let expected = both.ask_sqlite(sql.trim_end().trim_end_matches(';'));
            let began = Instant::now();
            let parsed =
                parse(sql, Dialect::Osquery).map(|mut statements| rewrite(statements.remove(0), &both.names).is_ok());
            let took = began.elapsed().as_micros();
            if took > slowest.0 {
                slowest = (took, name.clone());
            }
            drop(parsed);
            let given = both.ask(sql).await;
            count += 1;
            let same = match (&expected, &given) {
                (Ok(expected), Ok(given)) => arranged(sql, expected.clone()) == arranged(sql, given.clone()),
                (Err(reason), _) => {
                    rejected += 1;
                    println!("{name}: SQLite says {reason}; here {:?}", given.as_ref().map(Vec::len));
                    true
                }
                (Ok(_), Err(_)) => false,
            };
            if !same {
                wrong.push(format!(
                    "{name}: {sql}\n  SQLite: {expected:?}\n  here:   {given:?}\n  as: {:?}",
                    both.plan_text(sql)
                ));
            }
        }
    }
    println!(
        "packs: {count} queries for this platform, {skipped} for others, {rejected} rejected by SQLite, {} wrong; slowest parse and rewrite {slowest:?} µs",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
