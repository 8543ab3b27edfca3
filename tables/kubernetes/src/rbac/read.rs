//! Reads the policy of a cluster, once per query.

use std::sync::Arc;

use futures::StreamExt;
use futures::future::join_all;
use indago_table::json::{Shape, size};
use indago_table::{AnyScan, Error, PastRows, PastTableRows, ResourceSpec, Result, ScanContext, Timestamp};
use parking_lot::Mutex;

use super::objects::{self, Kind, Made, Parsed, Rules};
use super::policy::Policy;
use crate::clusters::{Cluster, Kubernetes};
use crate::resource;

const GROUP_VERSION: &str = "rbac.authorization.k8s.io/v1";

/// The policy of a cluster, across queries: it is made again when watched roles and bindings change.
pub(crate) type KnownPolicy = Mutex<Option<([u64; 4], Arc<Read>)>>;

/// A policy, and what each query over it reports.
#[derive(Debug)]
pub(crate) struct Read {
    policy: Arc<Policy>,
    reports: Vec<(String, Error)>,
    /// Whether all lists were read.
    is_whole: bool,
}

/// The policy of a cluster. The first scan of a query reads it for all.
///
/// A list that cannot be read is reported, and the policy is incomplete. It is an error if nothing can be read.
pub(crate) async fn policy(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>) -> Result<Arc<Policy>> {
    let key = format!("kubernetes policy {}", cluster.name);
    let read = async {
        let read = match scan.as_of() {
            Some(_) => Arc::new(recorded(scan, cluster).await?),
            None => current(scan, cluster).await?,
        };
        for (origin, error) in &read.reports {
            scan.report(origin, error);
        }
        let size = objects::size(&read.policy);
        Ok((read.policy.clone(), size))
    };
    scan.cached(&key, read).await.map(|policy| Arc::clone(&*policy))
}

/// The policy of the present.
async fn current(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>) -> Result<Arc<Read>> {
    let state = state(scan, cluster);
    let known = cluster.known_policy.lock().clone();
    Ok(match (state, known) {
        (Some((state, moment)), Some((of, read))) if state == of => {
            scan.context().date(&scan.spec().name, moment);
            read
        }
        (state, _) => {
            let read = Arc::new(read(scan, cluster).await?);
            if let Some((state, _)) = state.filter(|_| read.is_whole) {
                *cluster.known_policy.lock() = Some((state, read.clone()));
            }
            read
        }
    })
}

/// The policy of a past time, from what was recorded of the tables of rules and subjects. A role without rules and a
/// binding without subjects have no rows, and grant nothing.
async fn recorded(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>) -> Result<Read> {
    let context = scan.context();
    let Some(past) = &context.past else {
        return Err(Error::Unsupported("the roles and bindings of the past were not recorded".to_owned()));
    };
    if let Some(error) = cluster.broken_by() {
        return Err(error.clone());
    }
    // The rows of all clusters are in the same tables.
    let tables = scan.cached("kubernetes recorded policies", recorded_rows(past, context)).await?;
    let (mut parsed, mut is_whole) = (Vec::new(), true);
    for (kind, rows) in tables.iter() {
        is_whole &= !rows.is_incomplete;
        let objects = objects::of_rows(*kind, &rows.documents, &cluster.name);
        parsed.extend(objects.map(|object| objects::parse(*kind, &object, false)));
    }
    let of_object = |problem: &String| (origin(cluster), Error::Malformed(problem.clone()));
    let mut reports: Vec<_> = parsed.iter().flat_map(|parsed| &parsed.problems).map(of_object).collect();
    let Made { mut policy, .. } = objects::policy(parsed, Rules::Stored);
    // Each cluster has roles of its own.
    is_whole &= !policy.roles().is_empty();
    policy.is_incomplete |= !is_whole;
    if !is_whole {
        let why = "roles and bindings were not recorded completely at this time, so rights may be missing";
        reports.push((origin(cluster), Error::Unsupported(why.to_owned())));
    }
    Ok(Read { policy: Arc::new(policy), reports, is_whole })
}

/// The recorded rows of the tables of rules and subjects, and their size.
async fn recorded_rows(past: &Arc<dyn PastRows>, context: &ScanContext) -> Result<(Vec<(Kind, PastTableRows)>, usize)> {
    let (mut tables, mut held) = (Vec::new(), 0);
    for kind in Kind::ALL {
        let (table, _, fields) = kind.rows();
        let own = ["cluster", "uid", "namespace", "name", "role_kind", "role_name"];
        let columns: Vec<&str> = own.into_iter().chain(fields.iter().map(|(column, _)| *column)).collect();
        let rows = past.rows(table, &columns, context).await?;
        held += rows.documents.iter().map(size).sum::<usize>();
        tables.push((kind, rows));
    }
    Ok((tables, held))
}

/// The state of the four lists in memory, and when they were last known to be current.
fn state(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>) -> Option<([u64; 4], Timestamp)> {
    let mut states = [0; 4];
    let mut oldest = Timestamp(i64::MAX);
    for (state, kind) in states.iter_mut().zip(Kind::ALL) {
        let (resource, shape) = listed(kind);
        let (of_list, moment) = resource::state_of_objects(scan, cluster, &resource, kind.needs(), shape)?;
        (*state, oldest) = (of_list, oldest.min(moment));
    }
    Some((states, oldest))
}

/// Reports once per query that other authorizers are not covered.
pub(crate) fn report_other_authorizers(scan: &AnyScan<Kubernetes>, cluster: &Cluster) {
    let is_first = || scan.context().query.is_first(&format!("kubernetes authorizers {}", cluster.name));
    // Files have no authorizer.
    if cluster.manifests().is_none() && is_first() {
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

async fn read(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>) -> Result<Read> {
    let rules = match cluster.manifests() {
        Some(_) => Rules::Computed,
        None => {
            cluster.client(scan).await?;
            Rules::Stored
        }
    };
    let (first, others) = Kind::ALL.split_first().expect("there are four kinds");
    let first = list(scan, cluster, *first).await;
    // A cluster that cannot be reached costs its timeout once.
    if let (_, Some(error)) = &first
        && !matches!(error, Error::Denied { .. })
    {
        return Err(error.clone());
    }
    let others = join_all(others.iter().map(|kind| list(scan, cluster, *kind))).await;
    let mut parsed = Vec::new();
    let mut errors = Vec::new();
    for (objects, error) in std::iter::once(first).chain(others) {
        parsed.extend(objects);
        match error {
            Some(error) if error.ends_query() => return Err(error),
            error => errors.extend(error),
        }
    }
    if errors.len() == Kind::ALL.len() && parsed.is_empty() {
        return Err(errors.swap_remove(0));
    }
    let of_object = |problem: &String| (origin(cluster), Error::Malformed(problem.clone()));
    let mut reports: Vec<_> = parsed.iter().flat_map(|parsed| &parsed.problems).map(of_object).collect();
    let Made { mut policy, behind, absent } = objects::policy(parsed, rules);
    let is_whole = errors.is_empty();
    policy.is_incomplete |= !is_whole;
    reports.extend(errors.into_iter().map(|error| (origin(cluster), error)));
    if !absent.is_empty() && rules == Rules::Computed {
        policy.is_incomplete = true;
        let why = format!(
            "bindings name roles that are not in the manifests, so what they grant is unknown: {}",
            some(&absent)
        );
        reports.push((format!("{}, roles", origin(cluster)), Error::Unsupported(why)));
    }
    if !behind.is_empty() {
        // The API server decides by the stored rules, and so does the policy.
        let why = format!(
            "cluster roles that lack rules that they aggregate, so the server does not apply these rules; no \
             controller-manager may be running: {}",
            some(&behind)
        );
        reports.push((format!("{}, aggregation", origin(cluster)), Error::Absent(why)));
    }
    Ok(Read { policy: Arc::new(policy), reports, is_whole })
}

/// The resource of a kind, and the parts of its objects.
fn listed(kind: Kind) -> (ResourceSpec, Shape) {
    let resource = ResourceSpec::new(GROUP_VERSION, kind.resource(), kind.is_namespaced());
    (resource, kind.paths().iter().fold(Shape::default(), |shape, path| shape.with(path)))
}

/// The objects of a kind, and why others are missing.
async fn list(scan: &AnyScan<Kubernetes>, cluster: &Arc<Cluster>, kind: Kind) -> (Vec<Parsed>, Option<Error>) {
    let (resource, shape) = listed(kind);
    let is_of_file = cluster.manifests().is_some();
    let parse = move |object: &serde_json::Value| objects::parse(kind, object, is_of_file);
    let objects = resource::objects(scan, cluster, &resource, kind.needs(), shape, parse);
    let mut objects = std::pin::pin!(objects);
    let mut parsed = Vec::new();
    while let Some(object) = objects.next().await {
        match object {
            Ok(object) => parsed.push(object),
            Err(Error::Gone(what)) => {
                return (parsed, Some(Error::Unsupported(format!("the server has no RBAC: {what} does not exist"))));
            }
            Err(error) => return (parsed, Some(error)),
        }
    }
    (parsed, None)
}
