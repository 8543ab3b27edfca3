//! Properties of every table.

use std::collections::{BTreeMap, BTreeSet};

use indago_engine::Engine;
use indago_table::{Sys, TableRef};
use indago_tables_registry::{Environments, all};

use crate::support::{fixture_host, host_engine, root, rows};

pub(crate) fn tables() -> Vec<TableRef> {
    all(&Environments::of(&Sys::at("/nonexistent")))
}

fn is_snake_case(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn names_are_snake_case_and_unique() {
    let mut seen = BTreeSet::new();
    for table in tables() {
        let spec = table.spec();
        assert!(is_snake_case(&spec.name), "{}", spec.name);
        assert!(seen.insert(spec.name.to_string()), "two tables are called {}", spec.name);
        let mut columns = BTreeSet::new();
        for column in spec.columns.iter() {
            assert!(is_snake_case(&column.name), "{}.{}", spec.name, column.name);
            assert!(columns.insert(&column.name), "{} has two columns {}", spec.name, column.name);
        }
    }
}

#[test]
fn a_table_stands_in_the_file_of_its_name() {
    for table in tables() {
        let spec = table.spec();
        let stem = root().join("tables").join(spec.environment.as_ref()).join("src").join(spec.name.as_ref());
        // slt.rs checks that its `.slt` exists and runs.
        let file = stem.with_extension("rs");
        assert!(file.is_file(), "{} is missing", file.display());
    }
}

#[test]
fn documentation_is_sentences() {
    for table in tables() {
        let spec = table.spec();
        let ends = |text: &str| text.trim_end().ends_with(['.', '`', ')', ':']);
        assert!(ends(&spec.description), "{}: {:?}", spec.name, spec.description);
        for column in spec.columns.iter() {
            assert!(ends(&column.description), "{}.{}: {:?}", spec.name, column.name, column.description);
        }
        assert!(!spec.examples.is_empty(), "{} has no example", spec.name);
    }
}

/// The same column name has the same type within an environment. Peers of different environments disagree (osquery's
/// `uid` is a number, Kubernetes' a text), and each environment keeps its peer's type.
#[test]
fn same_column_name_same_type() {
    let mut types: BTreeMap<(String, String), (String, String)> = BTreeMap::new();
    let mut differing = Vec::new();
    for table in tables() {
        let spec = table.spec();
        // Docker's tables keep osquery's types, unlike the containers table.
        let family = if spec.name.starts_with("docker_") { "docker" } else { spec.environment.as_ref() };
        for column in spec.columns.iter() {
            let kind = column.kind.name();
            let key = (family.to_owned(), column.name.to_string());
            match types.get(&key) {
                Some((other, table)) if *other != kind => {
                    differing
                        .push(format!("{}.{} is {kind}, {table}.{} is {other}", spec.name, column.name, column.name));
                }
                Some(_) => {}
                None => {
                    types.insert(key, (kind, spec.name.to_string()));
                }
            }
        }
    }
    let known = known_differences();
    let unknown: Vec<_> = differing.iter().filter(|line| !known.iter().any(|known| line.starts_with(known))).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// Tables whose peer gives a column a different type than the environment's other tables, with the reason.
fn known_differences() -> Vec<&'static str> {
    include_str!("fixtures/type_differences.txt").lines().filter(|line| !line.starts_with('#')).collect()
}

/// The columns that identify a row exist and are not volatile. Differences and history rely on that.
#[test]
fn what_identifies_a_row_lasts() {
    for table in tables() {
        let spec = table.spec();
        for name in spec.identity.iter() {
            let column = spec.column(name).unwrap_or_else(|| panic!("{}: no column {name}", spec.name));
            assert!(!spec.columns[column].volatile, "{}.{name} is volatile", spec.name);
        }
        let names: BTreeSet<_> = spec.identity.iter().collect();
        assert_eq!(names.len(), spec.identity.len(), "{}: a repeated column", spec.name);
    }
}

/// No two rows of a fixture host have the same identity.
#[tokio::test(flavor = "multi_thread")]
async fn what_identifies_a_row_tells_it_from_all_others() {
    let engine = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    for table in whole(&engine).await.iter().filter(|table| !table.spec().identity.is_empty()) {
        let spec = table.spec();
        let identity = spec.identity.join(", ");
        let sql = format!("SELECT {identity}, count(*) FROM {} GROUP BY {identity} HAVING count(*) > 1", spec.name);
        assert_eq!(rows(&engine, &sql).await, Vec::<Vec<String>>::new(), "{sql}");
    }
}

/// Exactly the columns that osquery's table of the same name lacks are marked as added.
#[test]
fn columns_beside_osquerys_are_marked() {
    let osquery: BTreeSet<(&str, &str)> = include_str!("fixtures/osquery_columns.tsv")
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(table, rest)| (table, rest.split('\t').next().unwrap_or(rest)))
        .collect();
    for table in tables() {
        let spec = table.spec();
        let is_osquerys = osquery.iter().any(|(table, _)| *table == spec.name);
        for column in spec.columns.iter() {
            // Keys that many tables have are also marked on tables that osquery lacks.
            let is_compared = is_osquerys
                || column.hidden && ["pid_with_namespace", "container_id", "host_root"].contains(&&*column.name);
            let is_added = is_compared && !osquery.contains(&(&*spec.name, &*column.name));
            assert_eq!(column.added, is_added, "{}.{}: `added` in its #[column(..)]", spec.name, column.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_run() {
    // Without clusters, accounts and runtimes: an example must still plan and run, and report what is missing.
    let sys = Sys::at(root().join("tests/fixtures/hosts/plain"));
    let engine = Engine::builder().tables(all(&Environments::of(&sys))).build().await.expect("the engine builds");
    for table in engine.tables() {
        for example in table.spec().examples.iter() {
            let query = engine.query(example.sql).await;
            let query = query.unwrap_or_else(|error| panic!("{}: {}: {error}", table.spec().name, example.sql));
            query.collect().await.unwrap_or_else(|error| panic!("{}: {}: {error}", table.spec().name, example.sql));
        }
    }
}

/// Host tables that a fixture can read without keys.
async fn whole(engine: &Engine) -> Vec<TableRef> {
    let mut whole = Vec::new();
    for table in engine.tables() {
        let spec = table.spec();
        if spec.environment == "host" && !spec.is_keyed() {
            whole.push(table);
        }
    }
    whole
}

#[tokio::test(flavor = "multi_thread")]
async fn each_column_alone_is_that_column_of_all() {
    let engine = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    for table in whole(&engine).await {
        let spec = table.spec();
        let names: Vec<String> = spec.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let all = engine.query(&format!("SELECT {} FROM {}", names.join(", "), spec.name)).await.expect("it plans");
        let all = crate::support::texts(&all.collect().await.expect("it runs"));
        for (position, name) in names.iter().enumerate() {
            // Volatile columns cannot be compared.
            if ["time", "uptime"].contains(&spec.name.as_ref()) {
                continue;
            }
            let mut expected: Vec<Vec<String>> = all.iter().map(|row| vec![row[position].clone()]).collect();
            expected.sort();
            let alone = rows(&engine, &format!("SELECT {name} FROM {}", spec.name)).await;
            assert_eq!(alone, expected, "{}.{name}", spec.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pushdown_is_the_filter() {
    let engine = host_engine(&fixture_host("plain")).build().await.expect("the engine builds");
    let mut compared = 0;
    for table in whole(&engine).await {
        let spec = table.spec();
        if ["time", "uptime"].contains(&spec.name.as_ref()) {
            continue;
        }
        for column in spec.columns.iter().filter(|column| column.index && !column.hidden) {
            let name = &column.name;
            let values = rows(&engine, &format!("SELECT DISTINCT {name} FROM {}", spec.name)).await;
            for value in values.iter().flatten().filter(|value| *value != "NULL").take(3) {
                let literal = match column.kind {
                    indago_table::Kind::BigInt => value.clone(),
                    _ => format!("'{}'", value.replace('\'', "''")),
                };
                let pushed = rows(&engine, &format!("SELECT * FROM {} WHERE {name} = {literal}", spec.name)).await;
                // COALESCE prevents the filter's pushdown.
                let sql = format!(
                    "SELECT * FROM {} WHERE coalesce({name}, {literal}) = {literal} AND {name} IS NOT NULL",
                    spec.name
                );
                assert_eq!(pushed, rows(&engine, &sql).await, "{}.{name} = {literal}", spec.name);
                assert!(!pushed.is_empty(), "{}.{name} = {literal} returns no row", spec.name);
                compared += 1;
            }
            let absent = match column.kind {
                indago_table::Kind::BigInt => "987654321".to_owned(),
                _ => "'no such key'".to_owned(),
            };
            let none = rows(&engine, &format!("SELECT * FROM {} WHERE {name} = {absent}", spec.name)).await;
            assert!(none.is_empty(), "{}.{name} = {absent} gives {none:?}", spec.name);
        }
    }
    assert!(compared > 5, "only {compared} keys were compared");
}

/// The permissions that the Kubernetes tables need, as rules of a ClusterRole.
fn cluster_role() -> String {
    let mut verbs: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    let group = |version: &str| version.split_once('/').map_or("", |(group, _)| group).to_owned();
    let listed = tables();
    let listed = listed.iter().filter_map(|table| table.spec().resource.as_ref());
    let groups: BTreeMap<_, _> = listed.map(|listed| (listed.name.to_string(), group(&listed.group_version))).collect();
    for table in tables().iter().filter(|table| table.spec().environment == "kubernetes") {
        let spec = table.spec();
        let mut need = |group: &str, resource: &str, verb: &'static str| {
            verbs.entry((group.to_owned(), resource.to_owned())).or_default().insert(verb);
        };
        if let Some(resource) = &spec.resource {
            let group = resource.group_version.split_once('/').map_or("", |(group, _)| group);
            need(group, &resource.name, "list");
        }
        // A table over several resources names them, with their groups unless another table lists them.
        let several = spec.needs.iter().filter(|_| spec.resource.is_none());
        for resource in several.filter_map(|needs| needs.strip_prefix("list ")) {
            let (resource, group) = match resource.split_once('.') {
                Some((resource, group)) => (resource, group.to_owned()),
                None => (resource, groups.get(resource).cloned().unwrap_or_default()),
            };
            need(&group, resource, "list");
        }
        for needs in spec.columns.iter().flat_map(|column| column.needs.iter()) {
            match needs.split_once(' ') {
                // A core resource; others would need a group here.
                Some(("get", resource)) if !resource.contains(['.', ' ']) => need("", resource, "get"),
                // Another table lists it.
                Some(("list", resource)) => need(&groups[resource], resource, "list"),
                // Every authenticated user has the role system:discovery.
                Some(("get", paths)) if paths.starts_with("/api ") => {}
                _ => panic!("{}: `{needs}` is not a permission that this test knows", spec.name),
            }
        }
    }
    let mut rules: BTreeMap<(String, Vec<&str>), Vec<String>> = BTreeMap::new();
    // The right to list secrets includes their values. Who wants `kubernetes_secrets` adds it.
    verbs.retain(|(_, resource), _| resource != "secrets");
    // Without `watch`, each query lists.
    for verbs in verbs.values_mut().filter(|verbs| verbs.contains("list")) {
        verbs.insert("watch");
    }
    for ((group, resource), verbs) in verbs {
        rules.entry((group, verbs.into_iter().collect())).or_default().push(resource);
    }
    let rule = |((group, verbs), resources): (&(String, Vec<&str>), &Vec<String>)| {
        format!("  - apiGroups: [{group:?}]\n    resources: {resources:?}\n    verbs: {verbs:?}\n")
    };
    rules.iter().map(rule).collect()
}

#[test]
fn the_cluster_role_allows_what_the_tables_read_and_nothing_else() {
    let file = root().join("docs/install/kubernetes-cluster.yaml");
    let text = std::fs::read_to_string(&file).expect("the manifest");
    let (_, rest) = text.split_once("  # rules: begin\n").expect("the first mark");
    let (rules, _) = rest.split_once("  # rules: end\n").expect("the last mark");
    let expected = cluster_role();
    assert!(expected.contains("\"pods\"") && expected.contains("rbac.authorization.k8s.io"), "{expected}");
    assert_eq!(rules, expected, "write this between the marks in {}:\n{expected}", file.display());
}

/// The declared joins name columns of the tables, and columns that are joined have one type.
#[test]
fn declared_joins_are_over_columns_of_one_type() {
    use indago_table::{Kind, TableSpec};
    use indago_tables_registry::links::{Change, KINDS, LINKED, MENTIONS};
    let tables = tables();
    let spec = |name: &str| -> &TableSpec {
        tables.iter().find(|table| table.spec().name == name).unwrap_or_else(|| panic!("no table {name}")).spec()
    };
    let kind = |table: &str, column: &str| {
        let spec = spec(table);
        spec.columns[spec.column(column).unwrap_or_else(|| panic!("no column {table}.{column}"))].kind.clone()
    };
    let mut kinds: BTreeMap<(&str, usize), (String, Kind)> = BTreeMap::new();
    for mention in MENTIONS {
        for (at, expression) in mention.columns.iter().enumerate() {
            // A map's values and parts of texts are texts.
            let of_column = match *expression {
                "NULL" | "writer" => continue,
                _ if expression.contains(['[', '(']) => {
                    let words =
                        expression.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
                    assert!(words.clone().any(|word| spec(mention.table).column(word).is_some()), "{mention:?}");
                    Kind::Text
                }
                column => kind(mention.table, column),
            };
            let place = format!("{}.{expression}", mention.table);
            let (first, known) = kinds.entry((mention.kind, at)).or_insert((place.clone(), of_column.clone()));
            assert_eq!(*known, of_column, "{first} and {place} are joined");
        }
    }
    assert_eq!(kinds.keys().map(|(kind, _)| *kind).collect::<BTreeSet<_>>().len(), KINDS.len());
    for linked in LINKED {
        for column in linked.names.iter().chain(linked.facts) {
            kind(linked.table, column);
        }
        if let Change::Life(column) | Change::Event(column) | Change::Call(column) = linked.change
            && !column.is_empty()
        {
            assert_eq!(kind(linked.table, column), Kind::Timestamp, "{}.{column}", linked.table);
        }
    }
}

/// Every condition and expression of the declared joins is SQL over its table.
#[tokio::test(flavor = "multi_thread")]
async fn declared_joins_are_sql() {
    use indago_tables_registry::links::MENTIONS;
    let engine = Engine::builder().tables(tables()).build().await.expect("the engine builds");
    for mention in MENTIONS {
        let columns = mention.columns.join(", ").replace("writer", "NULL");
        let when = if mention.when.is_empty() { String::new() } else { format!(" WHERE {}", mention.when) };
        let sql = format!("SELECT {columns} FROM {}{when}", mention.table);
        if let Err(error) = engine.query(&sql).await {
            panic!("{sql}: {error}");
        }
    }
}
