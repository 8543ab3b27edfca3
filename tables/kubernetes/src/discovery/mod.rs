//! Every resource that a cluster serves is a table that exists when a query names it: `kubernetes_<plural>`, or
//! `kubernetes_<plural>_<group>` if several groups have that plural.

pub(crate) mod api;
mod columns;
mod fetch;
mod inventory;
pub(crate) mod openapi;
mod table;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::future::{Either, join_all, select};
use indago_table::scan::BoxFuture;
use indago_table::{
    AnyScan, Catalog, CatalogContext, Error, Meter, QueryScope, ResourceSpec, Result, ScanContext, TableRef, TableSpec,
};

use self::api::Served;
pub(crate) use self::inventory::Known;
use self::inventory::{Inventory, described, resources};
use self::openapi::{Described, Field};
use self::table::{ClusterObject, NamespacedObject, Presence, Resources};
use crate::clusters::{Cluster, Kubernetes};
use crate::resource::{self, Listed};

/// The tables of the resources that the clusters serve.
///
/// A resource that one of our own tables lists has that table under its short name.
#[derive(Debug)]
pub struct Discovered {
    clusters: Kubernetes,
    /// Our own tables, with the group and plural of the resource that they list.
    own: HashMap<String, Option<Resource>>,
}

/// A resource in any version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Resource {
    group: String,
    plural: String,
}

impl Resource {
    fn of(served: &Served) -> Self {
        Resource { group: served.group.clone(), plural: served.plural.clone() }
    }

    fn short_name(&self) -> String {
        format!("{PREFIX}{}", columns::plain(&self.plural))
    }

    /// The name that no resource of another group has. The core group has no name of its own.
    fn long_name(&self) -> String {
        match self.group.as_str() {
            "" => self.short_name(),
            group => format!("{}_{}", self.short_name(), columns::plain(group)),
        }
    }

    /// Whether its objects must not be read as they are: the values of secrets are not columns.
    fn is_secret(&self) -> bool {
        resource::is_secret(&self.group, &self.plural)
    }
}

const PREFIX: &str = "kubernetes_";

/// How long a list of names waits for a cluster. A name that a query misspells must not wait for one that is down.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

impl Catalog for Discovered {
    fn name(&self) -> &str {
        "kubernetes"
    }

    fn table<'a>(&'a self, name: &'a str, context: &'a CatalogContext) -> BoxFuture<'a, Result<Option<TableRef>>> {
        Box::pin(async move {
            if !name.starts_with(PREFIX) || self.own.contains_key(name) {
                return Ok(None);
            }
            self.find(name, &self.scan(context)).await
        })
    }

    fn names<'a>(&'a self, context: &'a CatalogContext) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(self.list(context))
    }
}

impl Discovered {
    pub(crate) fn new(clusters: &Kubernetes, own: &[TableRef]) -> Self {
        let listed = |table: &TableRef| {
            let spec = table.spec();
            let resource = spec.resource.as_ref().map(|resource| Resource {
                group: api::split(&resource.group_version).0.to_owned(),
                plural: resource.name.to_string(),
            });
            (spec.name.to_string(), resource)
        };
        Discovered { clusters: clusters.clone(), own: own.iter().map(listed).collect() }
    }

    /// A scan of no table, for the calls of a lookup.
    fn scan(&self, context: &CatalogContext) -> AnyScan<Kubernetes> {
        let spec = Arc::new(TableSpec::new("kubernetes", "kubernetes", "", Vec::new()));
        let scope = ScanContext {
            meter: Arc::new(Meter::child(&context.meter)),
            gate: context.gate.clone(),
            query: Arc::new(QueryScope::new(context.moment)),
            ..ScanContext::new([])
        };
        AnyScan::new(&spec, scope, &self.clusters)
    }

    async fn list(&self, context: &CatalogContext) -> Result<Vec<String>> {
        let scan = self.scan(context);
        let read = async |cluster: Arc<Cluster>| {
            let limit = scan.context().gate.sleep(PATIENCE);
            match select(Box::pin(resources(&scan, &cluster, |_| false)), limit).await {
                Either::Left((inventory, _)) => inventory,
                Either::Right(_) => Err(Error::TimedOut { what: cluster.label(), limit: PATIENCE }),
            }
        };
        let inventories = join_all(self.clusters.origins(&scan).into_iter().map(read)).await;
        let (mut all, mut failed, mut is_read) = (BTreeSet::new(), None, false);
        for inventory in inventories {
            match inventory {
                Ok(inventory) => {
                    is_read = true;
                    all.extend(inventory.resources.iter().map(Resource::of));
                }
                Err(Error::Unsupported(_)) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) if !is_read => Err(error),
            _ => Ok(self.names(&all)),
        }
    }

    /// The names of tables for some resources: the short one, unless it is that of another.
    fn names(&self, all: &BTreeSet<Resource>) -> Vec<String> {
        let mut by_name: BTreeMap<String, Vec<&Resource>> = BTreeMap::new();
        for resource in all.iter().filter(|resource| !resource.is_secret()) {
            by_name.entry(resource.short_name()).or_default().push(resource);
        }
        let mut names = Vec::new();
        for (short, resources) in by_name {
            let own = self.own.get(&short);
            let is_alone = resources.len() == 1 && own.is_none();
            for resource in resources {
                if self.is_own(resource) {
                    continue;
                }
                let name = if is_alone { short.clone() } else { resource.long_name() };
                names.extend((!self.own.contains_key(&name)).then_some(name));
            }
        }
        names
    }

    /// Whether one of our own tables has the objects of a resource, perhaps with other underscores in its name.
    fn is_own(&self, resource: &Resource) -> bool {
        let letters = |name: &str| name.replace('_', "");
        let is_same = |name: &str| letters(name) == letters(&resource.short_name());
        self.own.iter().any(|(name, listed)| listed.as_ref() == Some(resource) && is_same(name))
    }

    async fn find(&self, name: &str, scan: &AnyScan<Kubernetes>) -> Result<Option<TableRef>> {
        let clusters = self.clusters.origins(scan);
        let has = |resources: &[Served]| resources.iter().map(Resource::of).any(|it| is_named(&it, name));
        let read = async |cluster: &Arc<Cluster>| resources(scan, cluster, has).await;
        let inventories = join_all(clusters.iter().map(read)).await;
        let served = inventories.iter().flatten().flat_map(|inventory| &inventory.resources);
        let all: BTreeSet<Resource> = served.map(Resource::of).filter(|resource| is_named(resource, name)).collect();
        let Some(resource) = chosen(name, &all)? else {
            return missing(&clusters, &inventories).map_or(Ok(None), Err);
        };
        let presences = clusters.iter().zip(&inventories).map(|(cluster, inventory)| async {
            let (presence, described) = present(scan, cluster, inventory, resource).await;
            (cluster.name.clone(), presence, described)
        });
        let presences = join_all(presences).await;
        Ok(Some(self.table(name, resource, presences)))
    }

    fn table(
        &self,
        name: &str,
        resource: &Resource,
        presences: Vec<(Arc<str>, Presence, Option<Arc<Described>>)>,
    ) -> TableRef {
        let described: Vec<_> = presences.iter().filter_map(|(_, _, described)| described.as_deref()).collect();
        let untyped = openapi::of_schema(&serde_json::Value::Null);
        let Described { description, mut fields } =
            if described.is_empty() { untyped } else { columns::union(described.iter().copied()) };
        // A server that has the resource but does not publish its schema may refuse a selector.
        let is_selectable = presences.iter().all(|(name, presence, described)| {
            described.is_some() || presence.resource.is_err() || !self.clusters.is_cluster(name)
        });
        // Files do not tell whether the objects of a resource belong to namespaces. Clusters do.
        let specs = |of_cluster: bool| {
            let of = presences.iter().filter(move |(name, ..)| self.clusters.is_cluster(name) == of_cluster);
            of.filter_map(|(_, presence, _)| presence.resource.as_ref().ok()).collect::<Vec<_>>()
        };
        let specs = [specs(true), specs(false)].into_iter().find(|specs| !specs.is_empty()).unwrap_or_default();
        let is_namespaced = specs.iter().any(|spec| spec.is_namespaced);
        let is_served = |spec: &&ResourceSpec| {
            api::is_group_version(&spec.group_version) && api::split(&spec.group_version).0 == resource.group
        };
        let first = specs.into_iter().find(is_served).cloned();
        let of_kind = format!("Objects `{}` of Kubernetes clusters.", first.as_ref().map_or("", |spec| &*spec.name));
        let description = format!("{of_kind} {description}");
        fields.iter_mut().for_each(|field| field.is_selectable &= is_selectable);
        let presence = presences.into_iter().map(|(cluster, presence, _)| (cluster, presence)).collect();
        let parts = Parts { name: name.to_owned(), description, resource, first, fields, presence };
        if is_namespaced { parts.table::<NamespacedObject>(self) } else { parts.table::<ClusterObject>(self) }
    }
}

/// What a table is made of.
struct Parts<'a> {
    name: String,
    description: String,
    resource: &'a Resource,
    first: Option<ResourceSpec>,
    fields: Vec<Field>,
    presence: HashMap<Arc<str>, Presence>,
}

impl Parts<'_> {
    fn table<T: Listed>(self, catalog: &Discovered) -> TableRef {
        let mut columns = T::SPEC.columns.to_vec();
        columns.extend(columns::columns(&T::SPEC.columns, &self.fields));
        let mut spec = TableSpec::new(self.name, "kubernetes", self.description, columns);
        spec.sources = T::SPEC.sources.clone();
        spec.reads = format!("{}.{}", self.resource.plural, self.resource.group).into();
        spec.identity = vec!["uid".into()].into();
        spec.resource = self.first;
        Arc::new(Resources::<T>::new(spec, &catalog.clusters, self.fields, self.presence))
    }
}

/// Whether a resource can have a table of that name.
fn is_named(resource: &Resource, name: &str) -> bool {
    !resource.is_secret() && (resource.short_name() == name || resource.long_name() == name)
}

/// The resource of a name among those that can have it. A long name is never the short one of another resource, and a
/// short name is that of the core group if it has the resource.
fn chosen<'a>(name: &str, all: &'a BTreeSet<Resource>) -> Result<Option<&'a Resource>> {
    let long: Vec<_> = all.iter().filter(|it| !it.group.is_empty() && it.long_name() == name).collect();
    let short: Vec<_> = all.iter().filter(|it| it.short_name() == name).collect();
    let core: Vec<_> = short.iter().copied().filter(|it| it.group.is_empty()).collect();
    let candidates = [long, core, short].into_iter().find(|candidates| !candidates.is_empty()).unwrap_or_default();
    match candidates.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        several => {
            let names: BTreeSet<_> = several.iter().map(|resource| resource.long_name()).collect();
            let resources: Vec<_> = several.iter().map(|it| format!("{}.{}", it.plural, it.group)).collect();
            let names: Vec<_> = names.into_iter().filter(|long| long != name).collect();
            let hint =
                if names.is_empty() { String::new() } else { format!("; name one of them: {}", names.join(", ")) };
            Err(Error::Unsupported(format!("`{name}` means several resources: {}{hint}", resources.join(", "))))
        }
    }
}

/// Why a resource that no cluster lists may still exist.
fn missing(clusters: &[Arc<Cluster>], inventories: &[Result<Arc<Inventory>>]) -> Option<Error> {
    // Clusters that are not configured have no resources.
    let failed = clusters.iter().zip(inventories).find_map(|(cluster, inventory)| match inventory {
        Err(Error::Unsupported(_)) => None,
        Err(error) => Some(of_cluster(cluster, error)),
        Ok(inventory) => {
            let (version, error) = inventory.unknown.first()?;
            Some(of_cluster(cluster, &Error::Unavailable(format!("{version}: {error}"))))
        }
    })?;
    Some(failed)
}

fn of_cluster(cluster: &Cluster, error: &Error) -> Error {
    let label = cluster.label();
    match error {
        Error::Denied { what, needs } => Error::Denied { what: format!("{label}{what}"), needs: needs.clone() },
        Error::Malformed(what) => Error::Malformed(format!("{label}{what}")),
        Error::Cancelled => Error::Cancelled,
        other => Error::Unavailable(format!("{label}{other}")),
    }
}

/// How a cluster serves a resource, and its fields.
async fn present(
    scan: &AnyScan<Kubernetes>,
    cluster: &Arc<Cluster>,
    inventory: &Result<Arc<Inventory>>,
    resource: &Resource,
) -> (Presence, Option<Arc<Described>>) {
    let failed = |error| (Presence { resource: Err(error), untyped: None }, None);
    let inventory = match inventory {
        Ok(inventory) => inventory,
        Err(error) => return failed(error.clone()),
    };
    let served = inventory.resources.iter().find(|served| Resource::of(served) == *resource);
    let spec = |served: &Served| ResourceSpec::new(served.group_version(), served.plural.clone(), served.is_namespaced);
    let Resource { group, plural } = resource;
    if let Some(set) = cluster.manifests() {
        let described = match (set.set(scan, &cluster.name).await, served) {
            (Ok(set), Some(served)) => set.described(served),
            (Ok(_), None) => None,
            (Err(error), _) => return failed(error),
        };
        // Files without such objects have no rows.
        let spec = served.map_or_else(|| ResourceSpec::new(group.clone(), plural.clone(), false), spec);
        return (Presence { resource: Ok(spec), untyped: None }, described);
    }
    let Some(served) = served else {
        let unknown = inventory.unknown.iter().find(|(version, _)| api::split(version).0 == *group);
        let name = if group.is_empty() { plural.clone() } else { format!("{plural}.{group}") };
        return failed(match unknown {
            Some((version, error)) => Error::Unavailable(format!("{version}: {error}")),
            None => Error::Absent(format!("the cluster does not serve {name}")),
        });
    };
    let spec = spec(served);
    match described(scan, cluster, served).await {
        Ok(described) => (Presence { resource: Ok(spec), untyped: None }, Some(described)),
        Err(error) => {
            let untyped = Error::Unsupported(format!("the columns of its fields are unknown: {error}"));
            (Presence { resource: Ok(spec), untyped: Some(untyped) }, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> Resource {
        let (plural, group) = text.split_once('.').unwrap_or((text, ""));
        Resource { group: group.to_owned(), plural: plural.to_owned() }
    }

    fn set(all: &[&str]) -> BTreeSet<Resource> {
        all.iter().map(|text| resource(text)).collect()
    }

    #[tokio::test]
    async fn a_short_name_is_that_of_one_resource() {
        let (env, _) = crate::testing::cluster(|path| panic!("{path}"));
        let catalog = Discovered::new(&env, &crate::tables(&env));
        let all = [
            "widgets.acme.io",
            "widgets.beta.io",
            "gadgets.acme.io",
            "events",
            "events.events.k8s.io",
            "secrets",
            "pods",
            "pods.metrics.k8s.io",
            "deployments.apps",
            "serviceaccounts",
            "loose-ends.x.io",
            "gears-x.io",
            "configmaps",
        ];
        assert_eq!(
            catalog.names(&set(&all)),
            [
                "kubernetes_gadgets",
                "kubernetes_gears_x",
                "kubernetes_loose_ends",
                "kubernetes_pods_metrics_k8s_io",
                "kubernetes_widgets_acme_io",
                "kubernetes_widgets_beta_io",
            ]
        );
        let chosen = |name: &str| {
            let named = set(&all).into_iter().filter(|resource| is_named(resource, name)).collect();
            chosen(name, &named).map(|resource| resource.map(|it| format!("{}.{}", it.plural, it.group)))
        };
        let found = |name: &str| chosen(name).unwrap().unwrap_or_default();
        assert_eq!(found("kubernetes_gadgets"), "gadgets.acme.io");
        assert_eq!(found("kubernetes_gadgets_acme_io"), "gadgets.acme.io");
        assert_eq!(found("kubernetes_widgets_beta_io"), "widgets.beta.io");
        assert_eq!(found("kubernetes_deployments_apps"), "deployments.apps");
        assert_eq!(found("kubernetes_events"), "events.");
        assert_eq!(found("kubernetes_nothing"), "");
        assert_eq!(found("kubernetes_secrets"), "");
        let error = chosen("kubernetes_widgets").unwrap_err().to_string();
        let told = "`kubernetes_widgets` means several resources: widgets.acme.io, widgets.beta.io; name one of them: \
            kubernetes_widgets_acme_io, kubernetes_widgets_beta_io";
        assert_eq!(error, told);
        // A long name is not taken by the short name of another resource.
        let hostile = set(&["widgets.acme.io", "widgets-acme-io.evil.io", "a.b-c", "a.b.c"]);
        let named = |name: &str| hostile.iter().filter(|it| is_named(it, name)).cloned().collect::<BTreeSet<_>>();
        let all = named("kubernetes_widgets_acme_io");
        assert_eq!(super::chosen("kubernetes_widgets_acme_io", &all), Ok(Some(&resource("widgets.acme.io"))));
        let error = super::chosen("kubernetes_a_b_c", &named("kubernetes_a_b_c")).unwrap_err().to_string();
        assert_eq!(error, "`kubernetes_a_b_c` means several resources: a.b-c, a.b.c");
    }
}
