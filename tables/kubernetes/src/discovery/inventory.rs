//! What a cluster serves, as one query sees it. What is kept for the next query is used only if it is still correct:
//!
//! - The server confirms aggregated discovery documents and the OpenAPI 2 document by their validators (`ETag`), in
//!   each query.
//! - The name of a group's OpenAPI 3 document contains the hash of its content.
//! - Older servers have a discovery document per group and version, without validators. A resource that they listed
//!   less than [`FRESH`] ago is used again. All documents are read if one is missing among them. If it was removed in
//!   the meantime, the cluster's own response reports it.

use std::collections::HashMap;
use std::sync::Arc;

use indago_table::{AnyScan, Error, Result, Timestamp};
use parking_lot::Mutex;
use serde_json::Value as Document;

use super::api::{self, GroupVersion, ROOTS, Root, Served};
use super::fetch::{Fetched, fetch};
use super::openapi::{self, Described};
use crate::clusters::{Cluster, Kubernetes};

/// How long a resource of an old server is used without another look.
const FRESH: i64 = 30_000_000;

/// What is known about a cluster across queries.
#[derive(Debug, Default)]
pub(crate) struct Known {
    resources: tokio::sync::Mutex<Resources>,
    described: Mutex<HashMap<(String, String), Versioned<Described>>>,
}

/// A value, and the validator of the document that it is from.
type Versioned<T> = (String, Arc<T>);

#[derive(Debug, Default)]
struct Resources {
    latest: Option<Arc<Inventory>>,
    /// The aggregated documents, by their path.
    roots: HashMap<&'static str, (String, Half)>,
}

/// What one aggregated document lists.
type Half = (Vec<Served>, Vec<(String, Error)>);

/// The resources of a cluster.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// By preference within each group.
    pub(crate) resources: Vec<Served>,
    /// Groups in a version whose resources are unknown, or perhaps out of date.
    pub(crate) unknown: Vec<(String, Error)>,
    read_at: Timestamp,
    /// Whether the server confirms what did not change.
    is_confirmed: bool,
}

/// The resources of a cluster. An older reading is used if `is_enough` accepts it.
pub(crate) async fn resources(
    scan: &AnyScan<Kubernetes>,
    cluster: &Cluster,
    is_enough: impl Fn(&[Served]) -> bool,
) -> Result<Arc<Inventory>> {
    let now = scan.moment();
    if let Some(set) = cluster.manifests() {
        let resources = set.set(scan, &cluster.name).await?.resources();
        return Ok(Arc::new(Inventory { resources, unknown: Vec::new(), read_at: now, is_confirmed: true }));
    }
    let mut known = cluster.known_api.resources.lock().await;
    if let Some(latest) = &known.latest {
        let age = now.0.saturating_sub(latest.read_at.0);
        let is_fresh = !latest.is_confirmed && (0..FRESH).contains(&age) && is_enough(&latest.resources);
        // The tables of one query are looked up concurrently.
        if age == 0 || is_fresh {
            return Ok(latest.clone());
        }
    }
    let (mut resources, mut unknown, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for path in ROOTS {
        let validator = known.roots.get(path).map(|(validator, _)| validator.clone());
        let half = match api::root(scan, cluster, path, true, validator.as_deref()).await? {
            Root::Unchanged => known.roots.get(path).map(|(_, half)| half.clone()).unwrap_or_default(),
            Root::Aggregated { versions, validator } => {
                let half = halved(versions);
                match validator {
                    Some(validator) => drop(known.roots.insert(path, (validator, half.clone()))),
                    None => drop(known.roots.remove(path)),
                }
                half
            }
            Root::Plain(versions) => {
                known.roots.remove(path);
                names.extend(versions);
                continue;
            }
        };
        resources.extend(half.0);
        unknown.extend(half.1);
    }
    let is_confirmed = names.is_empty();
    if !is_confirmed {
        let half = halved(api::each(scan, cluster, names).await);
        resources.extend(half.0);
        unknown.extend(half.1);
    }
    let inventory = Arc::new(Inventory { resources, unknown, read_at: now, is_confirmed });
    known.latest = Some(inventory.clone());
    Ok(inventory)
}

fn halved(versions: Vec<GroupVersion>) -> Half {
    let served = api::served(&versions);
    // A version that was removed in the meantime is not unknown.
    let unknown = versions.into_iter().filter_map(|version| match version.problem {
        None | Some(Error::Gone(_)) => None,
        Some(error) => Some((version.name, error)),
    });
    (served, unknown.collect())
}

/// The fields of a resource, or why they are unknown.
pub(crate) async fn described(
    scan: &AnyScan<Kubernetes>,
    cluster: &Cluster,
    resource: &Served,
) -> Result<Arc<Described>> {
    let (v3, v2) = (Document3::find(scan, cluster, resource).await?, "/openapi/v2");
    let key = (resource.group_version(), resource.kind.clone());
    let known = cluster.known_api.described.lock().get(&key).cloned();
    if let (Some(Document3 { path, is_hashed: true }), Some((validator, described))) = (&v3, &known)
        && path == validator
    {
        return Ok(described.clone());
    }
    let read =
        async |path: &str, validator: Option<&str>| fetch(scan, cluster, path, "application/json", validator).await;
    let fetched = match &v3 {
        Some(Document3 { path, .. }) => read(path, None).await?,
        // Only this document has a validator of its own.
        None => read(v2, known.as_ref().map(|(validator, _)| validator.as_str())).await?,
    };
    let (text, validator) = match (fetched, known) {
        (Fetched::Unchanged, Some((_, described))) => return Ok(described),
        (Fetched::Body(text, validator), _) => (text, validator),
        (Fetched::Unchanged | Fetched::Missing(_), _) => {
            return Err(Error::Unsupported("the server publishes no OpenAPI document".to_owned()));
        }
    };
    let resource = resource.clone();
    // It can have many megabytes.
    let parsed = tokio::task::spawn_blocking(move || openapi::described(&text, &resource).map(|it| (it, resource)));
    let (described, resource) = parsed.await.map_err(|_| Error::Cancelled)??;
    let Some(described) = described else {
        let name = format!("{} {}", resource.group_version(), resource.kind);
        return Err(Error::Unsupported(format!("the server's OpenAPI document has no schema of {name}")));
    };
    let described = Arc::new(described);
    let validator = match v3 {
        Some(Document3 { path, is_hashed }) => is_hashed.then_some(path),
        None => validator,
    };
    let mut all = cluster.known_api.described.lock();
    match validator {
        Some(validator) => {
            if all.len() >= MOST_DESCRIBED {
                all.clear();
            }
            all.insert(key, (validator, described.clone()));
        }
        None => drop(all.remove(&key)),
    }
    Ok(described)
}

/// Most resources whose fields are kept for later queries.
const MOST_DESCRIBED: usize = 1000;

/// The OpenAPI 3 document of a group in a version.
struct Document3 {
    path: String,
    /// Whether the path changes with the content.
    is_hashed: bool,
}

impl Document3 {
    /// The path of the document by the server's index; `None` if the server has none.
    async fn find(scan: &AnyScan<Kubernetes>, cluster: &Cluster, resource: &Served) -> Result<Option<Self>> {
        let path = "/openapi/v3";
        let Fetched::Body(text, _) = fetch(scan, cluster, path, "application/json", None).await? else {
            return Ok(None);
        };
        let index: Document = serde_json::from_slice(&text)
            .map_err(|error| Error::Malformed(format!("GET {path}: not the JSON that was expected: {error}")))?;
        let name = api::path(&resource.group_version());
        let entry = &index["paths"][name.trim_start_matches('/')];
        if entry.is_null() {
            return Ok(None);
        }
        let url = entry["serverRelativeURL"].as_str().unwrap_or_default();
        let own = format!("{path}{name}");
        let hash = url.strip_prefix(&own).and_then(|rest| rest.strip_prefix("?hash="));
        let is_plain = |hash: &str| !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Ok(Some(match hash.filter(|hash| is_plain(hash)) {
            Some(hash) => Document3 { path: format!("{own}?hash={hash}"), is_hashed: true },
            None => Document3 { path: own, is_hashed: false },
        }))
    }
}
