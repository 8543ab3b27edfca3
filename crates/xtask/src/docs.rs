//! The reference pages, which Indago itself writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{cargo, root};

/// Hand-written pages.
const BY_HAND: [&str; 1] = ["dialect.md"];

pub(crate) fn run(check: bool) -> Result<()> {
    let fresh = std::env::temp_dir().join(format!("indago-reference-{}", std::process::id()));
    let written =
        crate::run("docs", cargo().args(["run", "--quiet", "--bin", "indago", "--", "reference", "--out"]).arg(&fresh));
    let written = written.and_then(|()| parity(&fresh));
    let outcome = written.and_then(|()| if check { compare(&fresh) } else { replace(&fresh) });
    fs::remove_dir_all(&fresh).ok();
    outcome
}

fn reference() -> PathBuf {
    root().join("docs/reference")
}

/// All generated pages below a directory, by their relative path.
fn pages(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        if !next.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&next).with_context(|| next.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder)?.to_owned();
            if !BY_HAND.iter().any(|page| name == Path::new(page)) {
                pages.insert(name, fs::read(&path)?);
            }
        }
    }
    Ok(pages)
}

fn compare(fresh: &Path) -> Result<()> {
    let (fresh, committed) = (pages(fresh)?, pages(&reference())?);
    let names = fresh.keys().chain(committed.keys());
    let mut stale: Vec<String> =
        names.filter(|name| fresh.get(*name) != committed.get(*name)).map(|name| name.display().to_string()).collect();
    stale.sort();
    stale.dedup();
    if !stale.is_empty() {
        bail!("reference pages are out of date: {}\nrun: cargo xtask docs", stale.join(", "));
    }
    Ok(())
}

fn replace(fresh: &Path) -> Result<()> {
    for name in pages(&reference())?.keys() {
        fs::remove_file(reference().join(name))?;
    }
    for (name, text) in pages(fresh)? {
        let path = reference().join(name);
        fs::create_dir_all(path.parent().context("the page has no directory")?)?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// Columns of each of a program's tables.
type Tables<'a> = BTreeMap<&'a str, Vec<&'a str>>;

/// How the tables of another program compare with ours.
#[derive(Default)]
struct Parity {
    /// The lines of a Markdown table.
    rows: String,
    /// Tables that exist here.
    tables: usize,
    /// Columns that exist here, and all.
    columns: usize,
    all_columns: usize,
}

impl Parity {
    /// Compares tables with those of the generated schema.
    fn with<'a>(
        schema: &serde_json::Value,
        theirs: impl Iterator<Item = (&'a str, &'a Vec<&'a str>)>,
    ) -> Result<Parity> {
        let mut ours: BTreeMap<&str, (&str, BTreeSet<&str>)> = BTreeMap::new();
        for table in schema.as_array().context("the schema is not a list")? {
            let name = table["name"].as_str().context("a table has no name")?;
            let columns = table["columns"].as_array().context("a table has no columns")?;
            let environment = table["environment"].as_str().context("a table has no environment")?;
            ours.insert(name, (environment, columns.iter().filter_map(|column| column["name"].as_str()).collect()));
        }
        let mut parity = Parity::default();
        for (name, expected) in theirs {
            let own = ours.get(name);
            let has = |column: &&&str| own.is_some_and(|(_, columns)| columns.contains(**column));
            let found = expected.iter().filter(has).count();
            let missing: Vec<String> =
                expected.iter().filter(|column| !has(column)).map(|name| format!("`{name}`")).collect();
            parity.tables += usize::from(found > 0);
            parity.columns += found;
            parity.all_columns += expected.len();
            let (table, lacks) = match own {
                None => (format!("`{name}`"), "all".to_owned()),
                Some((environment, _)) => (format!("[`{name}`](tables/{environment}/{name}.md)"), missing.join(", ")),
            };
            let added = own.map_or(0, |(_, columns)| columns.iter().filter(|name| !expected.contains(name)).count());
            let _ = writeln!(parity.rows, "| {table} | {found} of {} | {lacks} | {added} |", expected.len());
        }
        Ok(parity)
    }
}

const PARITY_HEAD: &str = "| table | columns | missing | columns of our own |\n|---|---|---|---|";

/// Writes the pages that compare the tables with those of osquery, kubequery and Steampipe, from the generated schema and the lists
/// of their columns.
fn parity(fresh: &Path) -> Result<()> {
    let schema = fs::read(fresh.join("schema.json")).context("the generated schema")?;
    let schema: serde_json::Value = serde_json::from_slice(&schema).context("the generated schema")?;
    let facts = fs::read_to_string(root().join("tests/fixtures/osquery_columns.tsv")).context("osquery's columns")?;
    let mut osquery = Tables::new();
    let mut events: BTreeSet<&str> = BTreeSet::new();
    for line in facts.lines() {
        let [table, column, _, _, event] = line.split('\t').collect::<Vec<_>>()[..] else {
            bail!("not a column: {line}")
        };
        match event {
            "0" => osquery.entry(table).or_default().push(column),
            _ => _ = events.insert(table),
        }
    }
    let is_elsewhere = |name: &str| name.starts_with("docker_") || name.starts_with("lxd_");
    let in_scope = || osquery.iter().map(|(name, columns)| (*name, columns)).filter(|(name, _)| !is_elsewhere(name));
    let Parity { rows, tables, columns, all_columns } = Parity::with(&schema, in_scope())?;
    let list =
        |names: &mut dyn Iterator<Item = &&str>| names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let names: BTreeSet<&str> =
        schema.as_array().into_iter().flatten().filter_map(|table| table["name"].as_str()).collect();
    let elsewhere = list(&mut osquery.keys().filter(|name| is_elsewhere(name) && !names.contains(*name)));
    let of_docker = list(&mut osquery.keys().filter(|name| is_elsewhere(name) && names.contains(*name)));
    let page = format!(
        "# Tables of osquery\n\nosquery 5.23 has {} tables on Linux. Of the {} that are in scope, {tables} exist here, with {columns} \
         of {all_columns} columns.\nNames, order, types, keys and collations are the same; a test compares them.\n\n\
         {PARITY_HEAD}\n{rows}\n\
         Out of scope: tables of events ({}), and those of Docker and LXD ({elsewhere}). The table `containers` covers Docker, and \
         these exist with columns of our own: {of_docker}.\n",
        osquery.len() + events.len(),
        in_scope().count(),
        list(&mut events.iter()),
    );
    fs::write(fresh.join("osquery-parity.md"), page).context("osquery-parity.md")?;

    let facts =
        fs::read_to_string(root().join("tests/fixtures/kubequery_columns.tsv")).context("kubequery's columns")?;
    let mut kubequery = Tables::new();
    for line in facts.lines() {
        let [table, column, _] = line.split('\t').collect::<Vec<_>>()[..] else { bail!("not a column: {line}") };
        kubequery.entry(table).or_default().push(column);
    }
    let all = kubequery.iter().map(|(name, columns)| (*name, columns));
    let Parity { rows, tables, columns, all_columns } = Parity::with(&schema, all)?;
    let page = format!(
        "# Tables of kubequery\n\nkubequery has {} tables. {tables} of them exist here, with {columns} of {all_columns} columns.\n\
         Names are the same; a test compares them. Where kubequery has JSON text, numbers of seconds and 0 or 1, the columns here are \
         lists, maps, JSON, timestamps and booleans.\n\n{PARITY_HEAD}\n{rows}",
        kubequery.len(),
    );
    fs::write(fresh.join("kubequery-parity.md"), page).context("kubequery-parity.md")?;

    let facts =
        fs::read_to_string(root().join("tests/fixtures/steampipe_columns.tsv")).context("Steampipe's columns")?;
    let mut steampipe = Tables::new();
    for line in facts.lines() {
        let [table, column, _] = line.split('\t').collect::<Vec<_>>()[..] else { bail!("not a column: {line}") };
        steampipe.entry(table).or_default().push(column);
    }
    let all = steampipe.iter().map(|(name, columns)| (*name, columns));
    let Parity { rows, tables, columns, all_columns } = Parity::with(&schema, all)?;
    let page = format!(
        "# Tables of Steampipe\n\nThese are Steampipe's AWS tables about identities, accounts, instances, networks, clusters and the \
         resources that they use, {} of its 586.\n{tables} of them exist here, with {columns} of {all_columns} columns. Names are \
         the same; a test compares them. Where Steampipe has\nJSON text for tags and lists of texts, the columns here are maps and \
         lists.\n\nLeft out: the tables of CloudWatch metrics. Columns that only pass a condition to the API are missing: a condition on \
         the column\nthat it is about does the same, such as `image_id IN (..)`, `LIKE`, or a range of times.\n\n{PARITY_HEAD}\n{rows}",
        steampipe.len(),
    );
    fs::write(fresh.join("steampipe-parity.md"), page).context("steampipe-parity.md")
}
