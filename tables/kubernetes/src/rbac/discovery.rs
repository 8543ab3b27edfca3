//! The resources of a cluster, read once per query: which names exist, in which group, with which verbs. For manifests
//! they are those of Kubernetes itself and of the files, without verbs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::StreamExt;
use indago_table::row::{Row, RowStream};
use indago_table::{AnyScan, Error, Result, Scan, ScanContext};

use crate::clusters::Kubernetes;
use crate::kubernetes_api_resources::{ApiResource, Discovery};

/// A resource or subresource, in whichever versions it is served.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Resource {
    pub(crate) group: Arc<str>,
    /// With its subresource: `pods/log`.
    pub(crate) name: Arc<str>,
    pub(crate) is_namespaced: bool,
    /// Verbs of all versions, in alphabetical order.
    pub(crate) verbs: Vec<Arc<str>>,
}

impl Resource {
    pub(crate) fn subresource(&self) -> &str {
        self.name.split_once('/').map_or("", |(_, subresource)| subresource)
    }
}

/// API group and plural name of a resource.
type GroupAndName = (Arc<str>, Arc<str>);

/// The resources of a cluster.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    all: Vec<Resource>,
    by_name: HashMap<GroupAndName, usize>,
    /// Group and plural name of each other name of a resource, in the order in which kubectl prefers them.
    names: HashMap<String, Vec<GroupAndName>>,
}

/// Verbs and resources that the API server checks and does not serve: group, resource and verbs.
const CHECKED: [(&str, &str, &[&str]); 8] = [
    ("", "groups", &["impersonate"]),
    ("", "serviceaccounts", &["impersonate"]),
    ("", "users", &["impersonate"]),
    ("authentication.k8s.io", "uids", &["impersonate"]),
    ("authentication.k8s.io", "userextras", &["impersonate"]),
    ("certificates.k8s.io", "signers", &["approve", "attest", "sign"]),
    ("rbac.authorization.k8s.io", "clusterroles", &["bind", "escalate"]),
    ("rbac.authorization.k8s.io", "roles", &["bind", "escalate"]),
];

impl Resources {
    /// From the rows of the discovery, in its order: groups by priority, each with its preferred version first.
    pub(crate) fn new(rows: impl IntoIterator<Item = ApiResource>) -> Self {
        let mut found: BTreeMap<(Arc<str>, Arc<str>), Resource> = BTreeMap::new();
        let mut names: HashMap<String, Vec<(bool, GroupAndName)>> = HashMap::new();
        let mut preferred: HashMap<Arc<str>, Arc<str>> = HashMap::new();
        for row in rows {
            let name: Arc<str> = row.name.as_str().into();
            let key = (row.group.clone(), name.clone());
            let resource = found.entry(key).or_insert_with(|| Resource {
                group: row.group.clone(),
                name: name.clone(),
                is_namespaced: row.namespaced,
                verbs: Vec::new(),
            });
            resource.verbs.extend(row.verbs.iter().map(|verb| Arc::from(verb.as_str())));
            let first = preferred.entry(row.group.clone()).or_insert_with(|| row.group_version.clone());
            let is_preferred = *first == row.group_version;
            if name.contains('/') {
                continue;
            }
            let singular = if row.singular_name.is_empty() { row.kind.to_lowercase() } else { row.singular_name };
            for other in [row.name, singular].into_iter().chain(row.short_names) {
                let of_name = names.entry(other).or_default();
                if !of_name.iter().any(|(_, (group, plural))| *group == row.group && *plural == name) {
                    of_name.push((is_preferred, (row.group.clone(), name.clone())));
                }
            }
        }
        for (group, name, verbs) in CHECKED {
            let (group, name): (Arc<str>, Arc<str>) = (group.into(), name.into());
            let resource = found.entry((group.clone(), name.clone()));
            let new = || Resource { group, name, is_namespaced: false, verbs: Vec::new() };
            resource.or_insert_with(new).verbs.extend(verbs.iter().map(|verb| Arc::from(*verb)));
        }
        let policies = |((_, name), _): &(&(Arc<str>, Arc<str>), &mut Resource)| &**name == "podsecuritypolicies";
        for (_, resource) in found.iter_mut().filter(policies) {
            resource.verbs.push("use".into());
        }
        let mut all: Vec<Resource> = found.into_values().collect();
        for resource in &mut all {
            resource.verbs.sort();
            resource.verbs.dedup();
        }
        let by_name =
            |(position, resource): (usize, &Resource)| ((resource.group.clone(), resource.name.clone()), position);
        let by_name = all.iter().enumerate().map(by_name).collect();
        let in_order = |(name, mut found): (String, Vec<(bool, GroupAndName)>)| {
            // Like kubectl: a name of a preferred version comes before names of other versions.
            found.sort_by_key(|(is_preferred, ..)| !is_preferred);
            (name, found.into_iter().map(|(_, names)| names).collect())
        };
        let names = names.into_iter().map(in_order).collect();
        Resources { all, by_name, names }
    }

    pub(crate) fn all(&self) -> &[Resource] {
        &self.all
    }

    /// Group and plural name of a resource that is named as for kubectl: by its plural, singular or short name.
    pub(crate) fn resolve(&self, name: &str) -> Option<(&Arc<str>, &Arc<str>)> {
        let found = self.names.get(&name.to_lowercase())?;
        let full = found.iter().find(|(_, plural)| **plural == *name.to_lowercase());
        full.or(found.first()).map(|(group, plural)| (group, plural))
    }

    /// Group and plural name of a resource. One that the server does not serve is reported once, and is in the core
    /// group under the name as given, as for kubectl.
    pub(crate) fn resolve_or_report(
        &self,
        scan: &AnyScan<Kubernetes>,
        cluster: &str,
        name: &str,
    ) -> (Arc<str>, Arc<str>) {
        if let Some((group, plural)) = self.resolve(name) {
            return (group.clone(), plural.clone());
        }
        // These exist only for impersonation.
        let is_virtual = CHECKED.iter().any(|(group, checked, _)| group.is_empty() && *checked == name);
        if !is_virtual && scan.context().query.is_first(&format!("kubernetes resource {cluster} {name}")) {
            let why = format!("the server has no resource `{name}`: the core group is assumed");
            scan.report(format!("cluster={cluster}"), &Error::Unsupported(why));
        }
        ("".into(), name.into())
    }

    /// Whether objects of a resource belong to namespaces; `None` if the server does not serve it.
    pub(crate) fn is_namespaced(&self, group: &str, resource: &str) -> Option<bool> {
        let found = self.by_name.get(&(group.into(), resource.into()))?;
        Some(self.all[*found].is_namespaced)
    }

    fn size(&self) -> usize {
        let of = |resource: &Resource| size_of::<Resource>() * 3 + 32 * resource.verbs.len() + 200;
        self.all.iter().map(of).sum()
    }
}

/// The resources of a cluster, read once per query.
pub(crate) async fn resources(scan: &AnyScan<Kubernetes>, cluster: &str) -> Result<Arc<Resources>> {
    let key = format!("kubernetes resources {cluster}");
    let read = async {
        let Some(cluster) = scan.env().cluster(cluster) else {
            return Err(Error::Unsupported(format!("cluster `{cluster}` is no longer configured")));
        };
        if let Some(set) = cluster.manifests() {
            let resources = set.set(scan, &cluster.name).await?.known_resources();
            let resources = Resources::new(resources.iter().map(ApiResource::of_files));
            let size = resources.size();
            return Ok((resources, size));
        }
        if scan.as_of().is_some() {
            let resources = Resources::new(recorded(scan, &cluster.name).await?);
            let size = resources.size();
            return Ok((resources, size));
        }
        let context = ScanContext {
            meter: scan.meter().clone(),
            gate: scan.context().gate.clone(),
            query: scan.context().query.clone(),
            slice: scan.context().slice.clone(),
            ..ScanContext::new(0..ApiResource::SPEC.columns.len())
        };
        let scan = Scan::<ApiResource>::new(context, scan.env());
        let discovery = Discovery::of(&cluster);
        let mut rows = std::pin::pin!(ApiResource::rows(&scan, &discovery));
        let mut found = Vec::new();
        while let Some(row) = rows.next().await {
            found.push(row?);
        }
        let resources = Resources::new(found);
        let size = resources.size();
        Ok((resources, size))
    };
    scan.cached(&key, read).await
}

/// The resources of a past time, as they were recorded.
async fn recorded(scan: &AnyScan<Kubernetes>, cluster: &str) -> Result<Vec<ApiResource>> {
    const TABLE: &str = "kubernetes_api_resources";
    let columns =
        ["cluster", "name", "singular_name", "namespaced", "group", "kind", "verbs", "short_names", "group_version"];
    let context = scan.context();
    let rows = match &context.past {
        Some(past) => past.rows(TABLE, &columns, context).await?.documents,
        None => Vec::new(),
    };
    let rows: Vec<ApiResource> = rows.iter().filter(|row| row["cluster"] == cluster).map(ApiResource::of_row).collect();
    if rows.is_empty() {
        let why = format!("the resources of the server at this time are unknown, because `{TABLE}` was not recorded");
        return Err(Error::Unsupported(why));
    }
    Ok(rows)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn row(group_version: &str, name: &str, kind: &str, namespaced: bool, short_names: &[&str]) -> ApiResource {
        let group = group_version.split_once('/').map_or("", |(group, _)| group);
        let mut row = ApiResource::default();
        (row.name, row.kind, row.namespaced) = (name.to_owned(), kind.to_owned(), namespaced);
        (row.group, row.group_version) = (group.into(), group_version.into());
        row.verbs = vec!["list".to_owned(), "get".to_owned()];
        row.short_names = short_names.iter().map(|name| (*name).to_owned()).collect();
        row
    }

    pub(crate) fn some() -> Resources {
        Resources::new([
            row("v1", "pods", "Pod", true, &["po"]),
            row("v1", "pods/log", "Pod", true, &[]),
            row("v1", "namespaces", "Namespace", false, &["ns"]),
            row("v1", "nodes", "Node", false, &["no"]),
            row("v1", "events", "Event", true, &["ev"]),
            row("events.k8s.io/v1", "events", "Event", true, &["ev"]),
            row("apps/v1", "deployments", "Deployment", true, &["deploy"]),
            row("extensions/v1", "other", "Other", true, &[]),
            row("extensions/v1beta1", "ingresses", "Ingress", true, &["ing"]),
            row("networking.k8s.io/v1", "ingresses", "Ingress", true, &["ing"]),
            row("metrics.k8s.io/v1", "pods", "PodMetrics", true, &[]),
        ])
    }

    #[test]
    fn a_name_is_resolved_as_kubectl_does() {
        let resources = some();
        for (name, expected) in [
            ("pods", Some(("", "pods"))),
            ("pod", Some(("", "pods"))),
            ("po", Some(("", "pods"))),
            ("Pods", Some(("", "pods"))),
            ("events", Some(("", "events"))),
            ("deploy", Some(("apps", "deployments"))),
            // The first group serves it only in a version that is not its preferred one.
            ("ingresses", Some(("networking.k8s.io", "ingresses"))),
            ("podmetrics", Some(("metrics.k8s.io", "pods"))),
            ("users", None),
            ("pods/log", None),
            ("", None),
        ] {
            assert_eq!(resources.resolve(name).map(|(group, name)| (&**group, &**name)), expected, "{name}");
        }
        assert_eq!(resources.is_namespaced("", "pods"), Some(true));
        assert_eq!(resources.is_namespaced("", "nodes"), Some(false));
        assert_eq!(resources.is_namespaced("x", "nodes"), None);
    }
}
