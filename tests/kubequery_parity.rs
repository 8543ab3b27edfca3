//! kubequery's tables and ours: the same columns, with its types or richer ones.
//!
//! `fixtures/kubequery_columns.tsv` has one line for each column of kubequery: table, column, type.

use std::collections::BTreeMap;

use indago_table::Kind;

/// Types of our columns for a type of kubequery, which has JSON as text, flags as integers and times as seconds.
fn is_as_rich(theirs: &str, ours: &Kind) -> bool {
    match theirs {
        "TEXT" => matches!(
            ours,
            Kind::Text | Kind::Json | Kind::TextList | Kind::BigIntList | Kind::TextMap | Kind::Timestamp
        ),
        "INTEGER" => matches!(ours, Kind::BigInt | Kind::Boolean),
        "BIGINT" => matches!(ours, Kind::BigInt | Kind::Timestamp),
        _ => false,
    }
}

#[test]
fn tables_have_kubequerys_columns() {
    let ours: BTreeMap<String, _> =
        crate::registry::tables().into_iter().map(|table| (table.spec().name.to_string(), table)).collect();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for line in include_str!("fixtures/kubequery_columns.tsv").lines() {
        let [table, name, kind] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        compared += 1;
        let Some(spec) = ours.get(table).map(|table| table.spec()) else {
            wrong.push(format!("{table} does not exist"));
            continue;
        };
        match spec.column(name).map(|position| &spec.columns[position]) {
            None => wrong.push(format!("{table}.{name} does not exist")),
            Some(column) if column.hidden => wrong.push(format!("{table}.{name} is hidden")),
            Some(column) if !is_as_rich(kind, &column.kind) => {
                wrong.push(format!("{table}.{name} is {:?} for {kind}", column.kind));
            }
            Some(_) => {}
        }
    }
    wrong.dedup();
    assert!(compared > 1900 && wrong.is_empty(), "{}", wrong.join("\n"));
}
