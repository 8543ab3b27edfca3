//! Tables that are computed from several lists of a cluster.
//!
//! Such a table names its lists in [`Derived::INPUTS`], and their resources in `reads`. The lists are shared: a query
//! that also reads `kubernetes_pods` lists the pods once.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use futures::TryStreamExt;
use indago_table::json::{Shape, size};
use indago_table::prelude::*;
use indago_table::row::Part;
use indago_table::{AnyScan, Held, ResourceSpec};
use serde_json::Value as Document;

use crate::clusters::{Cluster, Kubernetes};
use crate::resource::{Listing, Refusal, cluster_uid, is_namespace, keys, objects_of};

/// A list that a table reads.
#[derive(Debug)]
pub(crate) struct Input {
    /// Name of the resource.
    pub(crate) resource: &'static str,
    /// The groups and versions in which servers serve it, the preferred one first.
    pub(crate) versions: &'static [&'static str],
    pub(crate) is_namespaced: bool,
    /// The permission to list it.
    pub(crate) needs: &'static str,
    /// The parts of an object that the table needs.
    pub(crate) paths: &'static [&'static str],
}

/// A table that is computed from several lists.
pub(crate) trait Derived: Row<Env = Kubernetes> {
    const INPUTS: &'static [Input];
}

impl Input {
    fn shape(&self) -> Shape {
        self.paths.iter().fold(Shape::default().with("metadata.uid").with("kind"), |shape, path| shape.with(path))
    }

    fn spec(&self) -> ResourceSpec {
        let (newest, older) = self.versions.split_first().expect("an input has a version");
        let spec = ResourceSpec::new(*newest, self.resource, self.is_namespaced);
        if older.is_empty() { spec } else { spec.or_older(older) }
    }
}

/// The parts of a resource's objects that a table needs.
pub(crate) fn shape_of(inputs: &[Input], resource: &str) -> Option<Shape> {
    inputs.iter().find(|input| input.resource == resource).map(Input::shape)
}

/// Where the rows of a table come from.
#[derive(Debug, Default, Clone, Columns)]
#[columns(env = Kubernetes, stream)]
pub(crate) struct Origin {
    /// Context in the kubeconfig.
    #[column(slice)]
    pub(crate) cluster: Arc<str>,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// ID of the cluster: the UID of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
}

impl Origin {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        Origin { cluster: cluster.name.clone(), cluster_name: cluster.cluster_name.clone(), cluster_uid: None }
    }

    async fn cluster_uid(&mut self, scan: &AnyScan<Kubernetes>) -> Result<()> {
        self.cluster_uid = cluster_uid(scan, &self.cluster).await?;
        Ok(())
    }
}

/// One cluster of a scan or some of its namespaces, or one set of manifests.
#[derive(Debug)]
pub struct Lists {
    cluster: Arc<Cluster>,
    inputs: &'static [Input],
    /// The namespaces whose objects are read, if not all.
    namespaces: Option<Vec<String>>,
    /// Whether the lists are read from the watch cache.
    is_cached: bool,
}

impl fmt::Display for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(set) = self.cluster.manifests() {
            return write!(f, "{}READ {}", self.cluster.label(), set.path().display());
        }
        write!(f, "{}GET", self.cluster.label())?;
        let mut listings = self.inputs.iter().flat_map(|input| self.listings(input));
        listings.try_for_each(|listing| write!(f, " {}", listing.request()))
    }
}

impl Part for Lists {
    fn known(&self, column: &str) -> Option<String> {
        self.cluster.known(column)
    }
}

/// The clusters of a scan. If the table has the column `namespace_column`, its keys choose what is listed.
pub(crate) fn parts<T: Derived>(scan: &Scan<T>, namespace_column: Option<&str>) -> Vec<Lists> {
    let column = namespace_column.and_then(|name| T::SPEC.column(name));
    let namespaces = column.and_then(|column| {
        let mut namespaces = keys(scan, column)?;
        namespaces.retain(|name| is_namespace(name) || scan.context().is_open(T::SPEC, column));
        Some(namespaces)
    });
    let is_cached = scan.env().reads_cache();
    let part = |cluster: Arc<Cluster>| {
        // The driver compares the keys with the rows of files.
        let namespaces = namespaces.clone().filter(|_| cluster.manifests().is_none());
        Lists { cluster, inputs: T::INPUTS, namespaces, is_cached }
    };
    scan.env().origins(scan).into_iter().map(part).collect()
}

/// What a table keeps of a list, charged to the query's memory.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    items: Vec<T>,
    _held: Held,
}

impl<T> Deref for Listed<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> IntoIterator for Listed<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Listed { items: Vec::new(), _held: Held::default() }
    }
}

impl Lists {
    pub(crate) fn origin(&self) -> Origin {
        Origin::of(&self.cluster)
    }

    /// The place of an object in warnings.
    pub(crate) fn place(&self) -> String {
        self.cluster.label().trim_end().to_owned()
    }

    fn listings(&self, input: &Input) -> Vec<Listing> {
        let listing = |namespace| Listing::of(&self.cluster, &input.spec(), namespace, self.is_cached, input.needs);
        match &self.namespaces {
            Some(namespaces) if input.is_namespaced => namespaces.iter().map(|name| listing(Some(name))).collect(),
            _ => vec![listing(None)],
        }
    }

    /// What `each` makes of the objects of a resource, in the first version that the server serves.
    pub(crate) async fn read<T: Send>(
        &self,
        scan: &AnyScan<Kubernetes>,
        resource: &str,
        mut each: impl FnMut(Document) -> Option<T> + Send,
    ) -> Result<Listed<T>> {
        let input = self.inputs.iter().find(|input| input.resource == resource).expect("a list that the table names");
        // Errors of the cluster itself must not look like a version that it does not serve.
        if self.cluster.manifests().is_none() {
            self.cluster.client(scan).await?;
        }
        let mut list = Listed { items: Vec::new(), _held: scan.meter().hold(0)? };
        for listing in self.listings(input) {
            let (spec, reads) = (input.spec(), input.resource.into());
            let (shape, refusal) = (input.shape(), Refusal::Reported);
            let objects = objects_of(scan, listing, &spec, reads, shape, refusal, Document::clone);
            let mut objects = std::pin::pin!(objects);
            while let Some(object) = objects.try_next().await? {
                list._held.add(size(&object) + size_of::<T>())?;
                list.items.extend(each(object));
            }
        }
        Ok(list)
    }

    /// Like [`read`](Lists::read), for a resource that clusters need not have. A list that fails is reported, and the
    /// other lists still have their rows.
    pub(crate) async fn read_if_served<T: Send>(
        &self,
        scan: &AnyScan<Kubernetes>,
        resource: &str,
        each: impl FnMut(Document) -> Option<T> + Send,
    ) -> Result<Listed<T>> {
        match self.read(scan, resource, each).await {
            Err(Error::Absent(_) | Error::Unsupported(_)) => Ok(Listed::default()),
            Err(error @ (Error::Cancelled | Error::OutOfMemory(_))) => Err(error),
            Err(error) => {
                scan.report(format!("{}{resource}", self.cluster.label()), &error);
                Ok(Listed::default())
            }
            listed => listed,
        }
    }
}

/// A text in a document; the empty text if there is none.
pub(crate) fn text(document: &Document) -> String {
    document.as_str().unwrap_or_default().to_owned()
}
