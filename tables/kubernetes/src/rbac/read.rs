//! Reads the policy of a cluster, once per query.

use std::sync::Arc;

use futures::StreamExt;
use futures::future::join_all;
use indago_table::json::Shape;
use indago_table::{AnyScan, Error, ResourceSpec, Result};

use super::objects::{self, Kind, Parsed, Rules};
use super::policy::Policy;
use crate::clusters::{Cluster, Kubernetes};
use crate::resource;

const GROUP_VERSION: &str = "rbac.authorization.k8s.io/v1";

/// The policy of a cluster. The first scan of a query reads it for all.
///
/// A list that cannot be read is reported, and the policy is incomplete. It is an error if nothing can be read.
pub(crate) async fn policy(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>) -> Result<Arc<Policy>> {
    let key = format!("kubernetes policy {}", cluster.name);
    let read = async {
        let (policy, behind) = read(scan, cluster).await?;
        if !behind.is_empty() {
            // The API server decides by the stored rules, and so does the policy.
            let why = format!(
                "cluster roles that lack rules that they aggregate, so the server does not apply these rules; no \
                 controller-manager may be running: {}",
                some(&behind)
            );
            scan.report(format!("{}, aggregation", origin(cluster)), &Error::Absent(why));
        }
        let size = objects::size(&policy);
        Ok((policy, size))
    };
    scan.cached(&key, read).await
}

/// Reports once per query that other authorizers are not covered.
pub(crate) fn report_other_authorizers(scan: &AnyScan<Kubernetes>, cluster: &Cluster) {
    if scan.context().query.is_first(&format!("kubernetes authorizers {}", cluster.name)) {
        let why = "only RBAC is covered: what Node, webhook and other authorizers allow is not included";
        // Warnings of one origin are merged.
        scan.report(format!("{}, authorizers", origin(cluster)), &Error::Absent(why.to_owned()));
    }
}

/// The first names of a list, and the number of the others.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        others => format!("{shown} and {others} more"),
    }
}

pub(crate) fn origin(cluster: &Cluster) -> String {
    format!("cluster={}", cluster.name)
}

async fn read(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>) -> Result<(Policy, Vec<String>)> {
    cluster.client(scan).await?;
    let (first, others) = Kind::ALL.split_first().expect("there are four kinds");
    let first = list(scan, cluster, *first).await;
    // A cluster that cannot be reached costs its timeout once.
    if let Err(error) = &first
        && !matches!(error, Error::Denied { .. })
    {
        return Err(error.clone());
    }
    let others = join_all(others.iter().map(|kind| list(scan, cluster, *kind))).await;
    let mut parsed = Vec::new();
    let mut errors = Vec::new();
    for list in std::iter::once(first).chain(others) {
        match list {
            Ok(objects) => parsed.extend(objects),
            Err(error) if error.ends_query() => return Err(error),
            Err(error) => errors.push(error),
        }
    }
    if errors.len() == Kind::ALL.len() {
        return Err(errors.swap_remove(0));
    }
    for problem in parsed.iter().flat_map(|parsed| &parsed.problems) {
        scan.report(origin(cluster), &Error::Malformed(problem.clone()));
    }
    let (mut policy, behind) = objects::policy(parsed, Rules::Stored);
    for error in errors {
        policy.is_incomplete = true;
        scan.report(origin(cluster), &error);
    }
    Ok((policy, behind))
}

async fn list(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>, kind: Kind) -> Result<Vec<Parsed>> {
    let resource = ResourceSpec::new(GROUP_VERSION, kind.resource(), true);
    let shape = kind.paths().iter().fold(Shape::default(), |shape, path| shape.with(path));
    let parse = move |object: &serde_json::Value| objects::parse(kind, object);
    let objects = resource::objects(scan, cluster, &resource, kind.needs(), shape, parse);
    let mut objects = std::pin::pin!(objects);
    let mut parsed = Vec::new();
    while let Some(object) = objects.next().await {
        parsed.push(object.map_err(|error| match error {
            Error::Gone(what) => Error::Unsupported(format!("the server has no RBAC: {what} does not exist")),
            other => other,
        })?);
    }
    Ok(parsed)
}
