//! osquery's Linux tables and ours: the same columns, in the same order, with the same types, keys and collations.
//!
//! `fixtures/osquery_columns.tsv` has one line for each column of osquery 5.23: table, column, type, options, and whether
//! it is a table of events.

use std::collections::{BTreeMap, BTreeSet};

use indago::Defaults as _;
use indago_engine::Engine;
use indago_table::{Collation, ColumnSpec, KeyEffect, Kind, Sys, TableRef};
use indago_tables_registry::{Environments, MISSING};

/// A column of osquery.
struct Column {
    name: &'static str,
    kind: &'static str,
    options: BTreeSet<&'static str>,
}

impl Column {
    fn has(&self, option: &str) -> bool {
        self.options.contains(option)
    }

    fn collation(&self) -> Collation {
        match self.options.iter().find_map(|option| option.strip_prefix("collate=")) {
            Some("nocase") => Collation::NoCase,
            Some("version") => Collation::Version,
            Some("version_dpkg") => Collation::VersionDpkg,
            Some("version_rhel") => Collation::VersionRhel,
            Some(other) => panic!("unknown collation {other}"),
            None => Collation::Binary,
        }
    }
}

/// osquery's tables; those of events, of Docker and of LXD are out of scope.
fn osquery() -> BTreeMap<&'static str, Vec<Column>> {
    let mut tables: BTreeMap<&str, Vec<Column>> = BTreeMap::new();
    for line in include_str!("fixtures/osquery_columns.tsv").lines() {
        let [table, name, kind, options, event] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if event == "0" && !table.starts_with("docker_") && !table.starts_with("lxd_") {
            let options = options.split(',').filter(|option| !option.is_empty()).collect();
            tables.entry(table).or_default().push(Column { name, kind, options });
        }
    }
    tables
}

async fn ours() -> BTreeMap<String, TableRef> {
    let engine = Engine::builder().with_environments(&Environments::of(&Sys::at("/nonexistent"))).build().await;
    let tables = engine.expect("the engine builds").tables();
    tables.into_iter().map(|table| (table.spec().name.to_string(), table)).collect()
}

fn kind(column: &Column) -> Kind {
    match column.kind {
        "TEXT" => Kind::Text,
        "DOUBLE" => Kind::Double,
        "INTEGER" | "BIGINT" => Kind::BigInt,
        "UNSIGNED_BIGINT" => Kind::UnsignedBigInt,
        other => panic!("unknown type {other}"),
    }
}

/// How a column differs from osquery's.
fn differences(expected: &Column, column: &ColumnSpec) -> Vec<String> {
    let mut differences = Vec::new();
    if column.kind != kind(expected) {
        differences.push(format!("is {:?}, not {:?}", column.kind, kind(expected)));
    }
    if column.hidden != expected.has("hidden") {
        differences.push(format!("hidden is {}", column.hidden));
    }
    if column.collation != expected.collation() {
        differences.push(format!("compares by {:?}, not {:?}", column.collation, expected.collation()));
    }
    let is_key = ["index", "required", "additional"].iter().any(|option| expected.has(option));
    let takes_keys = column.index || column.pattern || column.range || column.key_effect != KeyEffect::default();
    // A key selects rows by equal text, but versions compare by their order: `1.0` equals `1.00`.
    let is_version = !matches!(column.collation, Collation::Binary | Collation::NoCase);
    if is_key && !takes_keys && !is_version {
        differences.push("takes no keys".to_owned());
    }
    differences
}

#[tokio::test]
async fn tables_have_osquerys_columns() {
    let ours = ours().await;
    let mut wrong = Vec::new();
    for (name, expected) in osquery() {
        let Some(table) = ours.get(name) else { continue };
        let spec = table.spec();
        for column in &expected {
            match spec.column(column.name) {
                None => wrong.push(format!("{name}.{} does not exist", column.name)),
                Some(position) => {
                    let found = differences(column, &spec.columns[position]);
                    wrong.extend(found.into_iter().map(|what| format!("{name}.{} {what}", column.name)));
                }
            }
        }
        let visible = |column: &&Column| !column.has("hidden");
        let expected: Vec<&str> = expected.iter().filter(visible).map(|column| column.name).collect();
        let columns = spec.columns.iter().filter(|column| !column.hidden && !column.added);
        let found: Vec<&str> = columns.map(|column| &*column.name).collect();
        if found != expected {
            wrong.push(format!("{name}: the order is {found:?}, not {expected:?}"));
        }
        let is_keyed = osquery()[name].iter().any(|column| column.has("required"));
        if is_keyed != spec.is_keyed() {
            wrong.push(format!("{name}: needs a key: {}", spec.is_keyed()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Exactly the tables in scope that are not built are listed as missing, so that a query of one gets its own error.
#[tokio::test]
async fn tables_that_are_not_built_are_listed() {
    let (ours, osquery) = (ours().await, osquery());
    let missing: Vec<&str> = osquery.keys().copied().filter(|name| !ours.contains_key(*name)).collect();
    let in_scope = |name: &&str| osquery.contains_key(name);
    let listed: Vec<&str> = MISSING.iter().copied().filter(in_scope).collect();
    assert_eq!(listed, missing);
}
