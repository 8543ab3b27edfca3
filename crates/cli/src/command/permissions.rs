//! `indago tables --permissions`: the minimal Kubernetes role for queries.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use indago::packs::{self, Pack};
use indago::{Engine, TableRef, TableSpec};
use indago_shell::{Failure, say};
use serde_json::json;

use super::query::{standard_input, text};
use crate::exit::{self, Error, Result};
use crate::output::Output;

const ENVIRONMENT: &str = "kubernetes";

pub(crate) async fn run(engine: &Engine, path: &Path) -> Result {
    let mut rules = Rules::default();
    let mut code = ExitCode::SUCCESS;
    for (name, sql) in queries(path)? {
        let statements = engine.split(&sql).map_err(|error| Error::failed(Failure::Query(error).into()))?;
        for statement in statements {
            let planned = match engine.query(&statement.sql).await {
                // A view, or a setting, for the next statements.
                Ok(query) if query.tables().is_empty() => query.collect().await.map(|_| None),
                other => other.map(Some),
            };
            match planned {
                Ok(query) => query.into_iter().flat_map(|query| query.needs()).for_each(|need| rules.add(engine, need)),
                Err(error) => {
                    say(format_args!("{name}: {error}"));
                    code = ExitCode::from(exit::FAILED);
                }
            }
        }
    }
    for unknown in &rules.unknown {
        say(format_args!("not in the role, because it is not a right of Kubernetes: {unknown}"));
    }
    let name = path.file_stem().map(|name| name.to_string_lossy()).filter(|name| name != "-");
    Output.write_all(rules.role(name.as_deref().unwrap_or("queries")).as_bytes())?;
    Ok(code)
}

/// The queries of a file or pack, each with its name.
fn queries(path: &Path) -> Result<Vec<(String, String)>> {
    let name = path.display().to_string();
    if path == Path::new("-") {
        return Ok(vec![("standard input".to_owned(), standard_input()?)]);
    }
    if path.extension().is_some_and(|extension| extension == "sql") {
        let bytes =
            std::fs::read(path).map_err(|error| Error::usage(anyhow::anyhow!("cannot read {name}: {error}")))?;
        return Ok(vec![(name.clone(), text(bytes, &name)?)]);
    }
    let pack = Pack::load(path).map_err(Error::usage)?;
    let queries = pack.queries.into_iter().filter(|query| query.mismatch(packs::PLATFORM).is_none());
    Ok(queries.map(|query| (query.name, query.sql)).collect())
}

/// What a role allows.
#[derive(Default)]
struct Rules {
    /// Verbs by API group and resource.
    verbs: BTreeMap<(String, String), BTreeSet<String>>,
    unknown: BTreeSet<String>,
}

impl Rules {
    /// Adds a permission that a table needs: a verb and a resource.
    fn add(&mut self, engine: &Engine, (table, need): (TableRef, &'static str)) {
        if table.spec().environment != ENVIRONMENT {
            return;
        }
        let Some((verb, resource)) = need.split_once(' ').filter(|(_, resource)| !resource.contains(' ')) else {
            self.unknown.insert(need.to_owned());
            return;
        };
        // A table of several resources states their groups.
        let (resource, stated) = resource.split_once('.').map_or((resource, None), |(name, group)| (name, Some(group)));
        let groups = match stated.map(str::to_owned).or_else(|| group(table.spec(), resource)) {
            Some(group) => [group].into(),
            None => engine.tables().iter().filter_map(|table| group(table.spec(), resource)).collect::<BTreeSet<_>>(),
        };
        if groups.is_empty() {
            self.unknown.insert(need.to_owned());
        }
        for group in groups {
            self.verbs.entry((group, resource.to_owned())).or_default().insert(verb.to_owned());
        }
    }

    /// The role, as YAML.
    fn role(&self, name: &str) -> String {
        let mut resources: BTreeMap<(&str, &BTreeSet<String>), Vec<&str>> = BTreeMap::new();
        for ((group, resource), verbs) in &self.verbs {
            resources.entry((group, verbs)).or_default().push(resource);
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name: String = name.chars().map(plain).collect();
        let mut role = format!(
            "# Bind it with a ClusterRoleBinding. With a RoleBinding, queries must name the namespace.\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: indago-{}\n",
            name.trim_matches('-')
        );
        role += if resources.is_empty() { "rules: []\n" } else { "rules:\n" };
        for ((group, verbs), resources) in resources {
            role += &format!(
                "- apiGroups: {}\n  resources: {}\n  verbs: {}\n",
                json!([group]),
                json!(resources),
                json!(verbs)
            );
        }
        role
    }
}

/// The API group of a table's resource, if it has that name.
fn group(spec: &TableSpec, resource: &str) -> Option<String> {
    let of = spec.resource.as_ref().filter(|of| of.name == resource)?;
    Some(of.group_version.split_once('/').map_or("", |(group, _)| group).to_owned())
}
