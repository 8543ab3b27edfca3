//! Tables over listed resources. Such a table is a struct whose columns are paths into the object, and it declares the
//! resource:
//!
//! ```ignore
//! #[derive(Debug, Default, Table)]
//! #[table(name = "kubernetes_service_accounts", env = Kubernetes, stream)]
//! #[resource("v1/serviceaccounts", namespaced)]
//! pub struct ServiceAccount {
//!     #[column(flatten)]
//!     meta: ObjectMeta,
//!     // ...
//! }
//!
//! impl Resource for ServiceAccount {}
//!
//! listed!(ServiceAccount);
//! ```
//!
//! The calls follow from the table's specification: its resource, its columns `cluster`, `label_selector` and
//! `field_selector`, the column at `metadata.namespace`, and those that are fields of the API's selectors
//! (`#[column(index(field))]`). So they are the same for a table that is known only at run time.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use indago_table::json::{self, Shape, steps};
use indago_table::row::{LoadAsync, Part, Row};
use indago_table::{
    AnyScan, ColumnSpec, Error, KeyValue, Kind, ResourceSpec, Result, Scan, ScanContext, TableSpec, Timestamp,
};
use serde_json::Value as Document;

use crate::call::get_object;
use crate::clusters::{Cluster, Kubernetes};
use crate::metadata::{CONTROLLER, TOP_CONTROLLER, set_controller};
use crate::namespaces;
use crate::pages::{List, PAGE_SIZE, Page, Pager, SharedPages, Task};
use crate::versions::served;
use crate::watch;

/// A table over the objects of one resource.
pub trait Resource: LoadAsync + Row<Env = Kubernetes> {
    /// The paths that [`documents`](Resource::documents) reads, whichever columns are wanted.
    const ALWAYS: &'static [&'static str] = &[];
    /// Names that [`documents`](Resource::documents) adds to a document, each with the place in the object that its
    /// value comes from. `{}` is the rest of a column's path.
    const DERIVED: Derived = &[];

    /// Columns whose sources read other columns of the row.
    const INPUTS: Inputs = &[];

    /// The documents behind an object's rows, one per row, and an error for each malformed part.
    fn documents(object: Document) -> Vec<Result<Document>> {
        vec![Ok(object)]
    }
}

/// Columns with sources, each with the columns that its source reads.
pub type Inputs = &'static [(&'static str, &'static [&'static str])];

/// Names that are added to a document, each with the places in the object that its value is made of.
pub type Derived = &'static [(&'static str, &'static [&'static str])];

/// Whether the objects of a resource hold values that must be neither held nor columns of a discovered table.
pub(crate) fn is_secret(group: &str, name: &str) -> bool {
    group.is_empty() && name == "secrets"
}

/// Path of a resource's list, of one namespace or of all.
pub(crate) fn list_path(resource: &ResourceSpec, namespace: Option<&str>) -> String {
    let ResourceSpec { group_version, name, .. } = resource;
    let root = if group_version.contains('/') { "/apis" } else { "/api" };
    match namespace {
        Some(namespace) => format!("{root}/{group_version}/namespaces/{namespace}/{name}"),
        None => format!("{root}/{group_version}/{name}"),
    }
}

/// One LIST: a cluster's objects, or those of one namespace, name or selector.
#[derive(Debug, Clone)]
pub struct Listing {
    list: List,
    /// The namespace, if it is limited to one.
    namespace: Option<Arc<str>>,
    /// The selectors that the query states.
    label_selector: Option<String>,
    field_selector: Option<String>,
    /// Whether its rows are in memory, and a watch keeps them current.
    is_held: bool,
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let List { cluster, path, label_selector, field_selector, .. } = &self.list;
        match cluster.manifests() {
            Some(set) => write!(f, "{}READ {}", cluster.label(), set.path().display())?,
            None if self.is_held => write!(f, "{}WATCH {path}", cluster.label())?,
            None => return write!(f, "{}GET {}", cluster.label(), self.list),
        }
        let selectors = [label_selector, field_selector].into_iter().filter(|selector| !selector.is_empty());
        selectors.into_iter().try_for_each(|selector| write!(f, " {selector}"))
    }
}

impl Part for Listing {
    fn known(&self, column: &str) -> Option<String> {
        self.cluster().known(column)
    }
}

/// Implements the common parts of a [`Resource`].
macro_rules! listed {
    ($row:ident) => {
        impl $crate::resource::Listed for $row {
            #[allow(clippy::needless_update, reason = "a row can have no other columns")]
            fn of(origin: &$crate::resource::Listing) -> Self {
                $row { meta: $crate::metadata::Metadata::of(origin), ..Self::default() }
            }
        }

        impl indago_table::RowStream for $row {
            type Part = $crate::resource::Listing;

            fn parts(scan: &indago_table::Scan<Self>) -> indago_table::Result<Vec<Self::Part>> {
                Ok($crate::resource::listings(scan))
            }

            fn rows<'a>(
                scan: &'a indago_table::Scan<Self>,
                part: &'a Self::Part,
            ) -> impl futures::Stream<Item = indago_table::Result<Self>> + Send + 'a {
                $crate::resource::rows(scan, part)
            }
        }
    };
}
pub(crate) use listed;

/// What `listed!` implements.
pub trait Listed: Resource {
    /// A row with only its origin.
    fn of(origin: &Listing) -> Self;
}

impl Listing {
    /// All objects of a resource in a cluster, or those of one namespace.
    pub(crate) fn of(
        cluster: &Arc<Cluster>,
        resource: &ResourceSpec,
        namespace: Option<&str>,
        is_cached: bool,
        needs: &str,
    ) -> Self {
        let list = List {
            cluster: cluster.clone(),
            path: list_path(resource, namespace),
            label_selector: String::new(),
            field_selector: String::new(),
            page_size: PAGE_SIZE,
            is_cached,
            needs: needs.into(),
        };
        Listing {
            list,
            namespace: namespace.map(Arc::from),
            label_selector: None,
            field_selector: None,
            is_held: false,
        }
    }

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.list.cluster
    }

    /// Whether it is read from its API server, not from files or from memory.
    pub(crate) fn is_on_server(&self) -> bool {
        self.cluster().manifests().is_none() && !self.is_held
    }

    pub(crate) fn namespace(&self) -> Option<Arc<str>> {
        self.namespace.clone()
    }

    /// The same list of one namespace.
    fn in_namespace(mut self, resource: &ResourceSpec, namespace: &str) -> Self {
        // Its version may be an older one than that of the resource.
        let name = format!("/{}", resource.name);
        let version = self.list.path.strip_suffix(&name).unwrap_or_default();
        self.list.path = format!("{version}/namespaces/{namespace}{name}");
        self.namespace = Some(namespace.into());
        self
    }

    /// The same list in another version of its group.
    pub(crate) fn in_version(mut self, resource: &ResourceSpec, group_version: &str) -> Self {
        let resource = ResourceSpec::new(group_version.to_owned(), resource.name.clone(), resource.is_namespaced);
        self.list.path = list_path(&resource, self.namespace.as_deref());
        self
    }

    /// The request for its first page.
    pub(crate) fn request(&self) -> String {
        self.list.to_string()
    }

    pub(crate) fn label_selector(&self) -> Option<String> {
        self.label_selector.clone()
    }

    pub(crate) fn field_selector(&self) -> Option<String> {
        self.field_selector.clone()
    }

    /// The same list, of the objects that have this value in a field.
    pub(crate) fn narrowed(mut self, field: &str, value: &str) -> Self {
        let separator = if self.list.field_selector.is_empty() { "" } else { "," };
        // A backslash escapes special characters of a field selector.
        let value = value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
        self.list.field_selector += &format!("{separator}{field}={value}");
        self
    }
}

/// Most LISTs per namespace for single names, nodes and so on. For more, it is listed once and filtered.
const MOST_SELECTED: usize = 16;

/// The LISTs that a scan needs.
pub(crate) fn listings(scan: &AnyScan<Kubernetes>) -> Vec<Listing> {
    let resource = scan.spec().resource.as_ref().expect("a listed table declares its resource");
    listings_of(scan, scan.env().origins(scan), resource)
}

/// The LISTs of a resource in some clusters, which may serve different versions of it.
pub(crate) fn listings_of(
    scan: &AnyScan<Kubernetes>,
    clusters: Vec<Arc<Cluster>>,
    resource: &ResourceSpec,
) -> Vec<Listing> {
    let spec = scan.spec();
    let needs: Arc<str> = match spec.needs.first() {
        Some(needs) => (*needs).into(),
        None => format!("list {}", resource.name).into(),
    };
    // The cache returns all objects, whatever the limit.
    let is_cached = scan.env().reads_cache() && scan.limit().is_none();
    let whole = |cluster: Arc<Cluster>| {
        let mut listing = Listing::of(&cluster, resource, None, is_cached, &needs);
        listing.list.page_size = scan.limit().unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE);
        listing
    };
    let mut listings: Vec<Listing> = clusters.into_iter().map(whole).collect();
    let asked = |name: &str| keys(scan, spec.column(name)?);
    if let Some(selectors) = asked("label_selector") {
        listings = combined(&listings, &selectors, |listing, selector| {
            listing.list.label_selector = selector.to_owned();
            listing.label_selector = Some(selector.to_owned());
        });
    }
    if let Some(selectors) = asked("field_selector") {
        listings = combined(&listings, &selectors, |listing, selector| {
            listing.list.field_selector = selector.to_owned();
            listing.field_selector = Some(selector.to_owned());
        });
    }
    // The driver compares the other keys with the rows of files.
    let (files, mut listings): (Vec<_>, Vec<_>) =
        listings.into_iter().partition(|listing| listing.cluster().manifests().is_some());
    let is_namespace_key = |column: &ColumnSpec| column.index && column.path.as_deref() == Some("metadata.namespace");
    if let Some(column) = spec.columns.iter().position(is_namespace_key).filter(|_| resource.is_namespaced)
        && let Some(mut namespaces) = keys(scan, column)
    {
        namespaces.retain(|name| is_namespace(name) || scan.context().is_open(spec, column));
        listings = combined(&listings, &namespaces, |listing, namespace| {
            listing.list.path = list_path(resource, Some(namespace));
            listing.namespace = Some(namespace.into());
        });
    }
    let mut selected = 1;
    for (position, column) in spec.columns.iter().enumerate().filter(|(_, column)| column.field) {
        let (Some(values), Some(path)) = (keys(scan, position), &column.path) else { continue };
        if values.len() * selected <= MOST_SELECTED {
            selected *= values.len().max(1);
            listings = combined(&listings, &values, |listing, value| *listing = listing.clone().narrowed(path, value));
        }
    }
    let shape = crate::shape_of_scan(scan);
    listings.iter_mut().for_each(|listing| listing.is_held = watch::is_held(scan, &listing.list, &shape));
    [listings, files].concat()
}

/// Every combination of listing and value.
fn combined(listings: &[Listing], values: &[String], set: impl Fn(&mut Listing, &str)) -> Vec<Listing> {
    let each = listings.iter().flat_map(|listing| values.iter().map(move |value| (listing.clone(), value)));
    each.map(|(mut listing, value)| {
        set(&mut listing, value);
        listing
    })
    .collect()
}

/// The distinct keys of a column.
pub(crate) fn keys(scan: &AnyScan<Kubernetes>, column: usize) -> Option<Vec<String>> {
    let keys = scan.context().constraints.keys(column)?;
    let mut seen = HashSet::new();
    Some(keys.iter().filter_map(String::from_scalar).filter(|key| seen.insert(key.clone())).collect())
}

/// Whether a namespace can have that name. Any other one would change the URL's meaning.
pub(crate) fn is_namespace(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 63 && name.bytes().all(is_plain)
}

/// Pages that are parsed concurrently, each on its own thread: fetching must not wait for parsing.
const PARSED_AT_ONCE: usize = 2;

/// The rows of a listing.
pub(crate) fn rows<T: Listed>(scan: &Scan<T>, listing: &Listing) -> impl Stream<Item = Result<T>> + Send + use<T> {
    // Columns to fill: those that the query wants, and those that are compared with keys.
    let mut columns = scan.wanted().to_vec();
    for column in scan.context().constraints.0.keys() {
        columns[*column] = true;
    }
    add_inputs_of::<T>(&mut columns);
    let (shape, scan_of_row, origin) = (shape::<T>(&columns), scan.clone(), listing.clone());
    let place = format!("cluster={}", listing.cluster().name);
    if listing.list.is_cached && listing.is_on_server() {
        let old = "the rows are those of the API server's watch cache: they can be older than the query";
        scan.report(&place, &Error::Absent(format!("{old} (`reads` is \"cached\")")));
    }
    let row = move |document: &Document| {
        let mut row = Box::new(T::of(&origin));
        scan_of_row.fill(&mut row, document, &columns, &place);
        row
    };
    let (scan, listing) = (AnyScan::clone(scan), listing.clone());
    let (shape, row) = (Arc::new(shape), Box::new(row));
    Reader { scan, listing, shape, documents: T::documents, row, refusal: Refusal::Reported }.rows()
}

/// The rows of a listing of a table that is known only at run time. Its first columns are those of `T`.
pub(crate) fn rows_of<T: Listed, R: Send + 'static>(
    scan: AnyScan<Kubernetes>,
    listing: Listing,
    shape: Shape,
    row: impl Fn(&Document) -> Box<R> + Send + Sync + 'static,
) -> impl Stream<Item = Result<R>> + Send {
    let (shape, row) = (Arc::new(shape), Box::new(row));
    Reader { scan, listing, shape, documents: T::documents, row, refusal: Refusal::Reported }.rows()
}

/// The objects of a resource of one cluster, for data that is made of several resources: the value of each object, made
/// from the parts in `shape`. Constraints, conditions and the limit of the scan do not apply. If the user may read only
/// some namespaces, the last result is the refusal.
pub(crate) fn objects<R: Send + 'static, F: Fn(&Document) -> R + Send + Sync + 'static>(
    scan: &AnyScan<Kubernetes>,
    cluster: &Arc<Cluster>,
    resource: &ResourceSpec,
    needs: &'static str,
    shape: Shape,
    value: F,
) -> impl Stream<Item = Result<R>> + Send + use<R, F> {
    // No table has the name of this source, so nothing is shared: the caller caches the values.
    let listing = Listing::of(cluster, resource, None, scan.env().reads_cache(), needs);
    objects_of(scan, listing, resource, list_path(resource, None).into(), shape, Refusal::Last, value)
}

/// The same for a listing, which is shared with the scans that read the source `reads`.
pub(crate) fn objects_of<R: Send + 'static, F: Fn(&Document) -> R + Send + Sync + 'static>(
    scan: &AnyScan<Kubernetes>,
    listing: Listing,
    resource: &ResourceSpec,
    reads: Cow<'static, str>,
    shape: Shape,
    refusal: Refusal,
    value: F,
) -> impl Stream<Item = Result<R>> + Send + use<R, F> {
    let scan = scan_of(scan, resource, reads);
    let shape = shape.with("metadata.uid").with("kind");
    let row = Box::new(move |document: &Document| Box::new(value(document)));
    let shape = Arc::new(shape);
    Reader { scan, listing, shape, documents: |object| vec![Ok(object)], row, refusal }.rows().boxed()
}

/// The scan as one of a resource, without constraints.
fn scan_of(scan: &AnyScan<Kubernetes>, resource: &ResourceSpec, reads: Cow<'static, str>) -> AnyScan<Kubernetes> {
    let spec = scan.spec();
    let mut spec = TableSpec::new(spec.name.clone(), spec.environment.clone(), spec.description.clone(), Vec::new());
    spec.reads = reads;
    spec.resource = Some(resource.clone());
    let context = ScanContext {
        columns: Arc::new([]),
        constraints: Arc::default(),
        joined: Arc::new([]),
        filters: Arc::new([]),
        limit: None,
        ..scan.context().clone()
    };
    AnyScan::new(&Arc::new(spec), context, scan.env())
}

/// A number that changes with the objects in memory that [`objects`] returns, and when they were last known to be
/// current. `None` if [`objects`] would request them from the server.
pub(crate) fn state_of_objects(
    scan: &AnyScan<Kubernetes>,
    cluster: &Arc<Cluster>,
    resource: &ResourceSpec,
    needs: &'static str,
    shape: Shape,
) -> Option<(u64, Timestamp)> {
    let listing = Listing::of(cluster, resource, None, scan.env().reads_cache(), needs);
    let scan = scan_of(scan, resource, list_path(resource, None).into());
    watch::state(&scan, &listing.list, &shape.with("metadata.uid").with("kind"))
}

/// What happens to the refusal to list all namespaces, after the objects of those that the user may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is reported.
    Reported,
    /// It is the last result, for data that must be complete.
    Last,
}

/// The pages of a listing. If the user may not list all namespaces, they are the pages of those that the user may read.
fn pages<'a>(
    scan: &'a AnyScan<Kubernetes>,
    listing: &'a Listing,
    shape: &'a Arc<Shape>,
    at_end: Refusal,
) -> impl Stream<Item = Result<Page>> + Send + 'a {
    async_stream::try_stream! {
        let resource = scan.spec().resource.as_ref().expect("a listed table declares its resource");
        let is_divisible = resource.is_namespaced && listing.namespace.is_none() && listing.is_on_server();
        let mut refusal = None;
        {
            let mut whole = std::pin::pin!(pages_of(scan, listing, shape));
            while let Some(page) = whole.next().await {
                match page {
                    Err(Error::Denied { what, needs: Some(needs) }) if is_divisible => refusal = Some((what, needs)),
                    page => yield page?,
                }
            }
        }
        let Some((what, needs)) = refusal else { return };
        let (readable, others) = match namespaces::readable(scan, listing.cluster(), resource).await {
            Err(error) if !error.ends_query() => {
                scan.report(format!("cluster={}, namespaces", listing.cluster().name), &error);
                Default::default()
            }
            found => found?,
        };
        for namespace in &readable {
            let part = listing.clone().in_namespace(resource, namespace);
            let mut part = std::pin::pin!(pages_of(scan, &part, shape));
            while let Some(page) = part.next().await {
                match page {
                    // The right was taken away in the meantime.
                    Err(error @ Error::Denied { .. }) => {
                        scan.report(format!("cluster={}, namespace={namespace}", listing.cluster().name), &error);
                    }
                    page => yield page?,
                }
            }
        }
        let what = match readable.as_slice() {
            [] => what,
            read => format!("only the namespaces {} are read, and {others} others are not: {what}", read.join(", ")),
        };
        let refusal = Error::Denied { what, needs: Some(needs) };
        if readable.is_empty() || at_end == Refusal::Last {
            Err::<(), _>(refusal)?;
        } else {
            scan.report(format!("cluster={}", listing.cluster().name), &refusal);
        }
    }
}

/// The pages of one list: its own, or those that all scans of the query share.
fn pages_of<'a>(
    scan: &'a AnyScan<Kubernetes>,
    listing: &'a Listing,
    shape: &'a Arc<Shape>,
) -> impl Stream<Item = Result<Page>> + Send + 'a {
    async_stream::try_stream! {
        let List { cluster, label_selector, field_selector, .. } = &listing.list;
        if let Some(set) = cluster.manifests() {
            let resource = scan.spec().resource.as_ref().expect("a listed table declares its resource");
            yield set.page(scan, &cluster.name, resource, label_selector, field_selector).await?;
        } else if let Some(rows) = held(scan, listing, shape).await?.as_ref() {
            rows.date(scan);
            let mut number = 0;
            while let Some(page) = rows.page(number, scan)? {
                yield page;
                number += 1;
            }
        } else if scan.is_shared() {
            let list = List { page_size: PAGE_SIZE, ..listing.list.clone() };
            // It charges each page that it fetches.
            let read = async { Ok((SharedPages::new(list.clone(), shared_shape(scan)), 0)) };
            let shared = scan.cached(&shared_key(&list), read).await?;
            let mut number = 0;
            while let Some(page) = shared.page(number, scan).await? {
                yield page;
                number += 1;
            }
        } else {
            let mut pager = Pager::new(listing.list.clone(), shape);
            while let Some(page) = pager.next(scan).await? {
                yield page;
            }
        }
    }
}

/// The rows of a listing from memory, the same for all scans of the query; `None` if they must be listed.
async fn held(scan: &AnyScan<Kubernetes>, listing: &Listing, shape: &Shape) -> Result<Arc<Option<watch::Rows>>> {
    let Listing { list, namespace, .. } = listing;
    if !scan.is_shared() {
        return Ok(Arc::new(watch::rows(scan, list, namespace.as_deref(), shape).await));
    }
    let list = List { page_size: PAGE_SIZE, ..list.clone() };
    let read = async {
        let rows = watch::rows(scan, &list, namespace.as_deref(), &shared_shape(scan)).await;
        let size = rows.as_ref().map_or(0, watch::Rows::size);
        Ok((rows, size))
    };
    scan.cached(&format!("{} in memory", shared_key(&list)), read).await
}

fn shared_key(list: &List) -> String {
    format!("kubernetes {} {list}", list.cluster.name)
}

/// The parts of an object that all scans of the query need together.
pub(crate) fn shared_shape(scan: &AnyScan<Kubernetes>) -> Shape {
    let mut together = Shape::default();
    scan.readers().iter().for_each(|reader| together.extend(&shape_of_reader(scan, reader)));
    together
}

/// The parts of an object that a reader of the scan's source needs; all for a table that is not known here.
pub(crate) fn shape_of_reader(scan: &AnyScan<Kubernetes>, reader: &indago_table::Reader) -> Shape {
    let spec = scan.spec();
    let of_known = crate::shape_of(reader, &spec.reads);
    let of_own = || (reader.table == spec.name).then(|| shape_of_columns(spec, &reader.columns)).flatten();
    of_known.or_else(of_own).unwrap_or_else(Shape::whole)
}

/// The parts of an object that these columns need, for a table that is known only at run time. `None` if one of them is
/// the entire object.
fn shape_of_columns(spec: &TableSpec, columns: &[usize]) -> Option<Shape> {
    let mut wanted = vec![false; spec.columns.len()];
    columns.iter().for_each(|column| wanted[*column] = true);
    let is_object = |column: &ColumnSpec| column.kind == Kind::Json && column.path.is_none() && column.source.is_none();
    if spec.columns.iter().zip(&wanted).any(|(column, wanted)| *wanted && is_object(column)) {
        return None;
    }
    add_inputs(spec, TOP_CONTROLLER, &mut wanted);
    Some(shape_of(&spec.columns, &wanted, &[], &[]))
}

/// A page's rows, each with the uid of its object.
type PageRows<R> = Vec<(Option<u128>, Box<R>)>;

/// Makes rows from pages: those of a row type, or of a table that is known only at run time.
pub(crate) struct Reader<R> {
    scan: AnyScan<Kubernetes>,
    listing: Listing,
    /// The parts of an object that are read.
    shape: Arc<Shape>,
    /// The documents behind an object's rows.
    documents: fn(Document) -> Vec<Result<Document>>,
    /// The row of a document.
    row: MakeRow<R>,
    refusal: Refusal,
}

type MakeRow<R> = Box<dyn Fn(&Document) -> Box<R> + Send + Sync>;

impl<R: Send + 'static> Reader<R> {
    fn rows(self) -> impl Stream<Item = Result<R>> + Send {
        async_stream::try_stream! {
            let mut reader = self;
            reader.listing = served(&reader.scan, reader.listing).await?;
            let reader = Arc::new(reader);
            let read = |page: Result<Page>| {
                let reader = reader.clone();
                async move {
                    let page = page?;
                    Task::spawn(async move { Ok((reader.read(&page)?, page)) }).await
                }
            };
            // With a limit, the rows of one page may be enough.
            let at_once = if reader.scan.limit().is_some() { 1 } else { PARSED_AT_ONCE };
            let mut pages = std::pin::pin!(pages(&reader.scan, &reader.listing, &reader.shape, reader.refusal).map(read).buffered(at_once));
            // UIDs of the objects so far, if more pages may follow: a list that expired can return them again.
            let mut seen = HashSet::new();
            while let Some(page) = pages.next().await {
                let (rows, Page { has_next, held: _held, .. }): (PageRows<R>, Page) = page?;
                let uids: Vec<u128> = if has_next { rows.iter().filter_map(|(uid, _)| *uid).collect() } else { Vec::new() };
                for (uid, row) in rows {
                    if uid.is_none_or(|uid| !seen.contains(&uid)) {
                        yield *row;
                    }
                }
                if reader.scan.is_done() {
                    break;
                }
                seen.extend(uids);
            }
        }
    }

    fn read(&self, page: &Page) -> Result<PageRows<R>> {
        let mut rows = Vec::new();
        let report = |error: &Error| self.scan.report(format!("cluster={}", self.listing.cluster().name), error);
        page.skipped.iter().for_each(report);
        let listed = json::find(&page.text, &["kind"]);
        let listed = listed.as_ref().and_then(|kind| kind.as_str()?.strip_suffix("List")).unwrap_or_default();
        let outer = Shape::default().with("kind");
        let around = self.shape.parse_list(&page.text, "items", &outer, |object| {
            let mut object = match object.and_then(|object| of_kind(object, listed)) {
                Ok(object) => object,
                Err(error) => return report(&error),
            };
            set_controller::<()>(&mut object).into_iter().filter_map(Result::err).for_each(|error| report(&error));
            let uid = object["metadata"]["uid"].as_str().map(number);
            for document in (self.documents)(object) {
                match document {
                    Ok(document) => rows.push((uid, (self.row)(&document))),
                    Err(error) => report(&error),
                }
            }
        })?;
        match around["kind"].as_str() {
            Some(kind) if kind.ends_with("List") => Ok(rows),
            kind => {
                Err(Error::Malformed(format!("the response is not a list: its kind is {}", kind.unwrap_or("absent"))))
            }
        }
    }
}

/// Checks an item of a list of objects of one kind. An item may lack a kind.
fn of_kind(item: Document, listed: &str) -> Result<Document> {
    let why = match &item {
        Document::Object(object) if !object.get("metadata").is_some_and(Document::is_object) => {
            "it has no metadata".to_owned()
        }
        Document::Object(object) => match object.get("kind") {
            None | Some(Document::Null) => return Ok(item),
            Some(kind) if kind == listed => return Ok(item),
            Some(kind) => format!("its kind is {kind}, not \"{listed}\""),
        },
        other => format!("it is {}", json::kind(other)),
    };
    Err(Error::Malformed(format!("skipped an item of the list: {why}")))
}

/// The parts of an object that the columns of a row type need.
pub(crate) fn shape<T: Resource>(columns: &[bool]) -> Shape {
    let mut columns = columns.to_vec();
    add_inputs_of::<T>(&mut columns);
    shape_of(&T::SPEC.columns, &columns, T::ALWAYS, T::DERIVED)
}

/// Adds the columns that the sources of wanted columns read.
fn add_inputs_of<T: Resource>(columns: &mut [bool]) {
    add_inputs(T::SPEC, TOP_CONTROLLER, columns);
    add_inputs(T::SPEC, T::INPUTS, columns);
}

fn add_inputs(spec: &TableSpec, inputs: Inputs, columns: &mut [bool]) {
    let at = |name: &str| spec.column(name);
    for (column, inputs) in inputs {
        if at(column).is_some_and(|column| columns[column]) {
            inputs.iter().filter_map(|input| at(input)).for_each(|input| columns[input] = true);
        }
    }
}

/// The parts of an object that the wanted columns need, if `documents` always reads some parts of it and adds names.
fn shape_of(columns: &[ColumnSpec], wanted: &[bool], always: &[&str], derived: Derived) -> Shape {
    let mut shape = Shape::of_columns(columns, wanted).with("metadata.uid").with("kind");
    always.iter().for_each(|path| shape.add(&steps(path)));
    let wanted = columns.iter().zip(wanted).filter(|(_, wanted)| **wanted);
    for path in wanted.filter_map(|(column, _)| column.path.as_deref()) {
        for (name, places) in derived.iter().chain(CONTROLLER) {
            let Some(rest) = path.strip_prefix(name) else { continue };
            if !rest.is_empty() && !rest.starts_with('.') {
                continue;
            }
            for place in *places {
                let place = place.replace(".{}", rest);
                shape.add(&steps(&place));
            }
        }
    }
    shape
}

/// A UID as a number. It has all 128 bits of a UUID, so different UUIDs are different numbers.
fn number(uid: &str) -> u128 {
    uid.bytes().filter(|byte| *byte != b'-').fold(0, |number: u128, byte| match (byte as char).to_digit(16) {
        Some(digit) => number << 4 | u128::from(digit),
        None => number.wrapping_mul(0x100_0000_01b3) ^ u128::from(byte),
    })
}

/// One document per element of a list in the object, at a path: the object, with the element under a separate name. An
/// element that is not an object is an error.
pub(crate) fn each(mut object: Document, list: &str, name: &str) -> Vec<Result<Document>> {
    let mut steps = list.split('.');
    let last = steps.next_back().unwrap_or_default();
    let holder = steps.try_fold(&mut object, |object, step| object.get_mut(step));
    let found = holder.and_then(|holder| holder.as_object_mut()?.remove(last)).unwrap_or_default();
    let errors = misfits(&found, list);
    let Document::Array(elements) = found else { return errors };
    let with = |element| {
        let mut document = object.clone();
        document[name] = element;
        Ok(document)
    };
    elements.into_iter().filter(Document::is_object).map(with).chain(errors).collect()
}

/// The elements of a list in a document.
pub(crate) fn elements(list: &Document) -> impl Iterator<Item = &Document> {
    list.as_array().into_iter().flatten()
}

/// Errors for a list of objects at `path`: one per element that is not an object, or one if it is not a list. Null is
/// an empty list.
pub(crate) fn misfits<T>(list: &Document, path: &str) -> Vec<Result<T>> {
    let error = |found: &Document, wanted: &str| {
        Err(Error::Malformed(format!("`{path}` holds {} instead of {wanted}", json::kind(found))))
    };
    match list {
        Document::Null => Vec::new(),
        Document::Array(elements) => {
            elements.iter().filter(|element| !element.is_object()).map(|element| error(element, "an object")).collect()
        }
        other => vec![error(other, "a list")],
    }
}

/// The UID of a cluster: that of its namespace `kube-system`, which exists as long as the cluster. Read once per query.
/// Files have none.
pub(crate) async fn cluster_uid(scan: &AnyScan<Kubernetes>, name: &str) -> Result<Option<String>> {
    // A table that is computed as of a past time makes no calls.
    if !scan.env().is_cluster(name) || scan.as_of().is_some() {
        return Ok(None);
    }
    let key = format!("kubernetes uid {name}");
    let uid = scan.cached(&key, async {
        let Some(cluster) = scan.env().cluster(name) else {
            return Err(Error::Unsupported(format!("cluster `{name}` is no longer configured")));
        };
        let shape = Shape::default().with("metadata.uid");
        let path = "/api/v1/namespaces/kube-system";
        // A cluster without that namespace has no UID, but its objects still exist.
        match get_object(scan, &cluster, path, "get namespaces", &shape).await {
            Err(Error::Gone(message)) => Err(Error::Unsupported(format!("{}has no uid: {message}", cluster.label()))),
            Err(Error::Denied { what, needs }) => {
                Err(Error::Denied { what: format!("{}{what}", cluster.label()), needs })
            }
            Err(error) => Err(error),
            Ok(namespace) => match namespace["metadata"]["uid"].as_str() {
                Some(uid) => Ok((uid.to_owned(), uid.len())),
                None => Err(Error::Malformed(format!("GET {path}: the response has no UID"))),
            },
        }
    });
    uid.await.map(|uid| Some(String::clone(&uid)))
}

#[cfg(test)]
mod tests {
    use indago_table::prelude::*;
    use indago_table::{Reader, ScanContext};
    use serde_json::json;

    use super::*;
    use crate::metadata::ObjectMeta;
    use crate::testing;

    /// A thing.
    #[derive(Debug, Default, Table)]
    #[table(name = "things", env = Kubernetes, stream)]
    #[resource("x/v1/things", namespaced)]
    struct Thing {
        #[column(flatten)]
        meta: ObjectMeta,
        /// What it is for.
        #[column(path = "spec.purpose")]
        purpose: Option<String>,
    }

    impl Resource for Thing {}

    listed!(Thing);

    const NAME: usize = Thing::META.at(ObjectMeta::NAME).position();
    const NAMESPACE: usize = Thing::META.at(ObjectMeta::NAMESPACE).position();
    const CLUSTER: usize = Thing::META.at(ObjectMeta::CLUSTER).position();
    const LABELS: usize = Thing::META.at(ObjectMeta::LABEL_SELECTOR).position();
    const FIELDS: usize = Thing::META.at(ObjectMeta::FIELD_SELECTOR).position();

    /// A page with these things, continued by a token or not.
    fn page(names: &[&str], token: &str) -> testing::Answer {
        let items: Vec<_> = names.iter().map(|name| json!({"metadata": {"name": name, "uid": name}})).collect();
        testing::json(200, json!({"kind": "ThingList", "metadata": {"continue": token}, "items": items}))
    }

    fn names(rows: &[Thing]) -> Vec<&str> {
        rows.iter().map(|row| row.meta.name.as_str()).collect()
    }

    #[tokio::test]
    async fn pages_are_read_to_their_end() {
        let (env, asked) = testing::cluster(|path| match path {
            "/apis/x/v1/things?limit=500" => page(&["a", "b"], "t/1="),
            "/apis/x/v1/things?limit=500&continue=t/1=" => page(&[], "t2"),
            "/apis/x/v1/things?limit=500&continue=t2" => page(&["c"], ""),
            other => panic!("{other}"),
        });
        let (rows, end) = testing::rows(&testing::scan::<Thing>(&env, &[], None)).await;
        assert_eq!((names(&rows), end), (vec!["a", "b", "c"], Ok(())));
        assert_eq!(
            (&*rows[0].meta.cluster, &*rows[0].meta.cluster_name, &rows[0].meta.label_selector),
            ("c", "c", &None)
        );
        assert_eq!(asked.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_page_is_asked_for_while_the_one_before_arrives() {
        let is_asked = Arc::new(tokio::sync::Notify::new());
        let (env, _) = testing::cluster(move |path| {
            if path.contains("continue=") {
                is_asked.notify_one();
                return page(&["b"], "");
            }
            let is_asked = is_asked.clone();
            let rest = async move {
                is_asked.notified().await;
                Ok(r#""items":[{"metadata":{"name":"a"}}]}"#.into())
            };
            let start = testing::json(200, r#"{"kind":"ThingList","metadata":{"continue":"more"},"#);
            testing::Answer { rest: Some(Box::pin(rest)), ..start }
        });
        let scan = testing::scan::<Thing>(&env, &[], None);
        let read = tokio::time::timeout(std::time::Duration::from_secs(20), testing::rows(&scan)).await;
        let (rows, end) = read.expect("the second page is requested before the first one has arrived");
        assert_eq!((names(&rows), end), (vec!["a", "b"], Ok(())));
    }

    #[tokio::test]
    async fn a_limit_makes_pages_small_and_fetches_none_ahead() {
        let (env, asked) = testing::cluster(|_| page(&["a", "b"], "more"));
        let scan = testing::scan::<Thing>(&env, &[], Some(2));
        let parts = Thing::parts(&scan).unwrap();
        assert_eq!(parts[0].to_string(), "cluster=c GET /apis/x/v1/things?limit=2");
        scan.context().given.fetch_add(2, std::sync::atomic::Ordering::Relaxed);
        let (rows, _) = testing::rows(&scan).await;
        assert_eq!((rows.len(), asked.lock().unwrap().len()), (2, 1));
    }

    #[tokio::test]
    async fn what_does_not_fit_its_column_is_said_once() {
        let (env, _) = testing::cluster(|_| {
            let items = json!([
                {"metadata": {"name": 5, "uid": "a"}},
                {"metadata": {"name": ["x"], "namespace": {}, "uid": "b"}},
                {"metadata": {"name": {}, "namespace": null, "uid": "c"}},
                {"metadata": "x"},
                7,
            ]);
            testing::json(200, json!({"kind": "ThingList", "metadata": {}, "items": items}))
        });
        let scan = testing::scan::<Thing>(&env, &[], None);
        let (rows, end) = testing::rows(&scan).await;
        assert_eq!((names(&rows), end), (vec!["5", "", ""], Ok(())));
        let warnings: Vec<_> = scan.context().query.diagnostics().warnings().iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            [
                "things (cluster=c, name): `metadata.name` holds a list, which does not fit the column [2 times]",
                "things (cluster=c, namespace): `metadata.namespace` holds an object, which does not fit the column",
                "things (cluster=c): skipped an item of the list: it has no metadata [2 times]",
            ]
        );
    }

    #[tokio::test]
    async fn a_cluster_that_is_not_there_is_said_where_the_query_names_it() {
        let (env, asked) = testing::cluster(|_| page(&["a"], ""));
        let named = testing::scan::<Thing>(&env, &[(CLUSTER, &["c", "nosuch"])], None);
        assert_eq!(names(&testing::rows(&named).await.0), ["a"]);
        let warnings = |scan: &Scan<Thing>| -> Vec<String> {
            scan.context().query.diagnostics().warnings().iter().map(ToString::to_string).collect()
        };
        assert_eq!(warnings(&named), ["things (cluster=nosuch): there is no context `nosuch`; there are: c"]);
        let of_join = ScanContext { joined: [CLUSTER].into(), ..named.context().clone() };
        let of_join = Scan::<Thing>::new(ScanContext { query: ScanContext::new([]).query, ..of_join }, &env);
        assert_eq!(names(&testing::rows(&of_join).await.0), ["a"]);
        assert!(warnings(&of_join).is_empty());
        assert_eq!(asked.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn keys_that_a_join_will_bring_stand_open_in_the_calls() {
        let (env, _) = testing::cluster(|_| page(&[], ""));
        for (joined, expected) in [
            (&[NAMESPACE][..], "cluster=c GET /apis/x/v1/namespaces/$namespace/things?limit=500"),
            (&[CLUSTER, NAME], "cluster=c GET /apis/x/v1/things?limit=500&fieldSelector=metadata.name=$name"),
        ] {
            let context = ScanContext { joined: joined.into(), ..ScanContext::new([NAME]) };
            let open = Scan::<Thing>::new(context.with_open_keys(Thing::SPEC).unwrap(), &env);
            let calls: Vec<_> = Thing::parts(&open).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(calls, [expected]);
        }
    }

    #[tokio::test]
    async fn an_expired_list_goes_on_where_the_server_says() {
        let (env, _) = testing::cluster(|path| match path.rsplit_once("continue=").map(|(_, token)| token) {
            None => page(&["a", "b"], "old"),
            Some("old") => testing::json(410, json!({"kind": "Status", "metadata": {"continue": "new"}})),
            Some(_) => page(&["c"], ""),
        });
        let (rows, end) = testing::rows(&testing::scan::<Thing>(&env, &[], None)).await;
        assert_eq!((names(&rows), end), (vec!["a", "b", "c"], Ok(())));
    }

    #[tokio::test]
    async fn an_expired_list_is_read_again_without_repeating_rows() {
        let starts = std::sync::atomic::AtomicUsize::new(0);
        let (env, _) = testing::cluster(move |path| match path.rsplit_once("continue=").map(|(_, token)| token) {
            None if starts.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 => page(&["a", "b"], "old"),
            None => page(&["b", "c"], "new"),
            Some("old") => testing::json(410, "{}"),
            Some(_) => page(&["c", "d"], ""),
        });
        let (rows, end) = testing::rows(&testing::scan::<Thing>(&env, &[], None)).await;
        assert_eq!((names(&rows), end), (vec!["a", "b", "c", "d"], Ok(())));
    }

    #[tokio::test]
    async fn a_list_that_keeps_expiring_says_that_its_end_is_missing() {
        let (env, _) = testing::cluster(|path| match path.contains("continue=") {
            false => page(&["a"], "old"),
            true => testing::json(410, "{}"),
        });
        let (rows, end) = testing::rows(&testing::scan::<Thing>(&env, &[], None)).await;
        assert_eq!(names(&rows), ["a"]);
        assert_eq!(end.unwrap_err().to_string(), "the list expired twice while it was read: its end is missing");
    }

    #[tokio::test]
    async fn each_way_to_fail_has_its_outcome() {
        let html =
            testing::Answer { headers: vec![("content-type", "text/html")], ..testing::json(200, "<html> login") };
        let redirect = testing::Answer { headers: vec![("location", "https://sso")], ..testing::json(302, "") };
        let reset = std::future::ready(Err(std::io::Error::other("connection reset")));
        let start = testing::json(200, r#"{"kind":"ThingList","items":[{"#);
        let breaks = testing::Answer { rest: Some(Box::pin(reset)), ..start };
        let cases = [
            (html, "Malformed(\"the response is text/html instead of JSON: <html> login\")"),
            (redirect, "Malformed(\"the server redirects to https://sso: is its address correct?\")"),
            (breaks, "Unavailable(\"the response is cut off: connection reset\")"),
            (
                testing::json(200, r#"{"kind":"ThingList","items":[{"metadata":"#),
                "Unavailable(\"the response is cut off: it is not a complete JSON object\")",
            ),
            (
                testing::json(200, r#"{"kind":"ThingList","items":[{"metadata":{}}"#),
                "Malformed(\"not the JSON that was expected: EOF",
            ),
            (testing::json(200, "\u{0}garbage"), "Malformed(\"not the JSON that was expected: "),
            (testing::json(200, "{}"), "Malformed(\"the response is not a list: its kind is absent\")"),
            (testing::json(200, "[]"), "Malformed(\"not the JSON that was expected: "),
            (
                testing::json(200, r#"{"kind":"Status"}"#),
                "Malformed(\"the response is not a list: its kind is Status\")",
            ),
            (testing::json(403, r#"{"message":"no"}"#), "Denied { what: \"no\", needs: Some(\"list things\") }"),
            (
                testing::json(404, "404 page not found"),
                "Unsupported(\"the cluster does not serve /apis/x/v1/things: 404 page not found\")",
            ),
            (testing::json(503, "<html>"), "Unavailable(\"the API server responds with 503 (<html>)\")"),
        ];
        for (answer, expected) in cases {
            let answer = std::sync::Mutex::new(Some(answer));
            // Nor may the user list namespaces.
            let next = || testing::json(403, "{}");
            let (env, _) = testing::cluster(move |_| answer.lock().unwrap().take().unwrap_or_else(next));
            let (rows, end) = testing::rows(&testing::scan::<Thing>(&env, &[], None)).await;
            let error = format!("{:?}", end.unwrap_err());
            assert!(rows.is_empty() && error.starts_with(expected), "{error}\n{expected}");
        }
    }

    #[tokio::test]
    async fn items_that_are_no_objects_are_no_rows() {
        let (env, _) = testing::cluster(|_| {
            let named = r#"{"metadata":{"name":"a"}},{"kind":"Thing","metadata":{"name":"b"}}"#;
            let broken = r#"{"metadata":{"name":"\ud800"}},{"metadata":{"uid":1e999}}"#;
            let other = r#"{"kind":"Secret","metadata":{"name":"s"}},{"kind":7,"metadata":{"name":"n"}}"#;
            let items = format!(r#"[1,null,"x",[],{{}},{other},{{"metadata":7}},{broken},{named}]"#);
            testing::json(200, format!(r#"{{"items":{items},"kind":"ThingList"}}"#))
        });
        let scan = testing::scan::<Thing>(&env, &[], None);
        let (rows, end) = testing::rows(&scan).await;
        assert_eq!((names(&rows), end), (vec!["a", "b"], Ok(())));
        let told = scan.context().query.diagnostics().warnings();
        assert_eq!(told.iter().map(|warning| warning.count).sum::<u64>(), 10, "{told:?}");
        assert!(told[0].message.ends_with("skipped an item of the list: it is a number"), "{told:?}");
        let (env, _) = testing::cluster(|_| testing::json(200, r#"{"kind":"ThingList","items":null}"#));
        assert!(testing::rows(&testing::scan::<Thing>(&env, &[], None)).await.0.is_empty());
    }

    #[tokio::test]
    async fn odd_objects_are_rows() {
        use crate::kubernetes_pods::Pod;
        let pod = |name: &str, spec: Document, status: Document, metadata: Document| {
            let mut pod =
                json!({"metadata": {"name": name, "namespace": "a", "uid": name}, "spec": spec, "status": status});
            for (key, value) in metadata.as_object().into_iter().flatten() {
                pod["metadata"][key] = value.clone();
            }
            pod
        };
        let spec = || json!({"containers": [{"name": "c", "image": "i"}]});
        let items = [
            // More than a server stores.
            pod("large", spec(), json!({"phase": "Running"}), json!({"annotations": {"x": "y".repeat(10 << 20)}})),
            pod("new", spec(), Document::Null, json!({})),
            pod(
                "enum",
                json!({"restartPolicy": "Sometimes", "dnsPolicy": "\u{0}"}),
                json!({"phase": "Unheard"}),
                json!({}),
            ),
            pod(
                "null",
                json!({"containers": null, "volumes": null, "hostPID": null}),
                json!({"conditions": null}),
                json!({"labels": null, "creationTimestamp": null}),
            ),
            // A clock that is wrong.
            pod(
                "skew",
                spec(),
                json!({"startTime": "0001-01-01T00:00:00Z"}),
                json!({"creationTimestamp": "2999-01-01T00:00:00Z", "deletionTimestamp": "1970-01-01T00:00:00Z"}),
            ),
            pod("x'; DROP TABLE y; --", spec(), json!({}), json!({"labels": {"a\"b": "'); --"}})),
        ];
        let list = json!({"kind": "PodList", "metadata": {}, "items": items}).to_string();
        let (env, _) = testing::cluster(move |_| testing::json(200, &list));
        let scan = testing::scan::<Pod>(&env, &[], None);
        let (rows, end) = testing::rows(&scan).await;
        assert_eq!(end, Ok(()));
        let name = Pod::SPEC.column("name").unwrap();
        let names: Vec<_> = rows.iter().filter_map(|row| row.key(name)).map(|key| format!("{key:?}")).collect();
        assert_eq!(names.len(), 6, "{names:?}");
        let warnings = scan.context().query.diagnostics().warnings();
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[tokio::test]
    async fn what_is_asked_of_columns_goes_into_the_url() {
        let (env, _) = testing::cluster(|path| panic!("{path}"));
        let many: Vec<String> = (0..40).map(|i| format!("n{i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        type Asked<'a> = &'a [(usize, &'a [&'a str])];
        let cases: &[(Asked<'_>, &[&str])] = &[
            (
                &[(NAMESPACE, &["web", "db", "web"])],
                &["/apis/x/v1/namespaces/web/things?limit=500", "/apis/x/v1/namespaces/db/things?limit=500"],
            ),
            (&[(NAMESPACE, &["", "../x", "a/b"])], &[]),
            (
                &[(NAMESPACE, &["web"]), (NAME, &["a,b=c"])],
                &[r"/apis/x/v1/namespaces/web/things?limit=500&fieldSelector=metadata.name=a%5C,b%5C=c"],
            ),
            (
                &[(NAME, &["a", "b"])],
                &[
                    "/apis/x/v1/things?limit=500&fieldSelector=metadata.name=a",
                    "/apis/x/v1/things?limit=500&fieldSelector=metadata.name=b",
                ],
            ),
            (&[(NAME, &many)], &["/apis/x/v1/things?limit=500"]),
            (&[(NAME, &[])], &[]),
            (
                &[(LABELS, &["app in (a, b)"]), (FIELDS, &["spec.x!=1"]), (NAME, &["a"])],
                &[
                    "/apis/x/v1/things?limit=500&labelSelector=app%20in%20(a,%20b)&fieldSelector=spec.x!=1,metadata.name=a",
                ],
            ),
            (&[(CLUSTER, &["other"])], &[]),
            (&[(CLUSTER, &["c"])], &["/apis/x/v1/things?limit=500"]),
        ];
        for (keys, expected) in cases {
            let parts = Thing::parts(&testing::scan::<Thing>(&env, keys, None)).unwrap();
            let urls: Vec<_> = parts.iter().map(|part| part.to_string().replace("cluster=c GET ", "")).collect();
            assert_eq!(&urls, expected, "{keys:?}");
        }
    }

    #[tokio::test]
    async fn rows_found_by_a_selector_say_which() {
        let (env, _) = testing::cluster(|_| page(&["a"], ""));
        let (rows, _) = testing::rows(&testing::scan::<Thing>(&env, &[(LABELS, &["app=x", "app"])], None)).await;
        assert_eq!(
            rows.iter().map(|row| row.meta.label_selector.as_deref()).collect::<Vec<_>>(),
            [Some("app=x"), Some("app")]
        );
    }

    #[tokio::test]
    async fn scans_of_one_query_share_a_list() {
        let (env, asked) = testing::cluster(|path| match path.contains("continue") {
            false => page(&["a"], "t"),
            true => page(&["b"], ""),
        });
        let scan = testing::scan::<Thing>(&env, &[], None);
        for _ in 0..2 {
            scan.context()
                .query
                .add_reader("things", Reader { table: "things".to_owned(), columns: vec![NAME], as_of: None });
        }
        let (one, other) = futures::join!(testing::rows(&scan), testing::rows(&scan));
        assert_eq!((names(&one.0), names(&other.0)), (vec!["a", "b"], vec!["a", "b"]));
        assert_eq!(asked.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn of_a_shared_list_only_what_somebody_needs_is_kept() {
        use crate::kubernetes_pod_containers::PodContainer;
        use crate::kubernetes_pods::Pod;
        let pod = |i: usize| {
            let container = json!({"name": "main", "image": format!("image-{i}"), "env": [{"name": "A", "value": "x".repeat(5000)}]});
            json!({
                "metadata": {"name": format!("pod-{i}"), "uid": format!("uid-{i}"), "annotations": {"long": "y".repeat(5000)}},
                "spec": {"containers": [container]}, "status": {"phase": "Running"},
            })
        };
        let list = json!({"kind": "PodList", "metadata": {}, "items": (0..100).map(pod).collect::<Vec<_>>()});
        let (env, asked) = testing::cluster(move |_| testing::json(200, &list));
        let columns = |spec: &indago_table::TableSpec, names: &[&str]| -> Vec<usize> {
            names.iter().map(|name| spec.column(name).unwrap()).collect()
        };
        let (of_pod, of_container) =
            (columns(Pod::SPEC, &["name", "phase"]), columns(PodContainer::SPEC, &["name", "image"]));
        let pods: Scan<Pod> = Scan::new(indago_table::ScanContext::new(of_pod.clone()), &env);
        let query = pods.context().query.clone();
        let context =
            indago_table::ScanContext { query: query.clone(), ..indago_table::ScanContext::new(of_container.clone()) };
        let containers: Scan<PodContainer> = Scan::new(context, &env);
        query.add_reader("pods", Reader { table: Pod::SPEC.name.to_string(), columns: of_pod, as_of: None });
        query.add_reader(
            "pods",
            Reader { table: PodContainer::SPEC.name.to_string(), columns: of_container, as_of: None },
        );

        assert_eq!(testing::rows(&pods).await.0.len(), 100);
        assert_eq!(testing::rows(&containers).await.0.len(), 100);
        assert_eq!(asked.lock().unwrap().len(), 1);
        let key = shared_key(&Pod::parts(&pods).unwrap()[0].list);
        let kept: Arc<SharedPages> =
            pods.cached(&key, async { Err(Error::Gone("nothing was shared".to_owned())) }).await.unwrap();
        let size = kept.size();
        assert!(size > 100 * 50 && size < 100 * 400, "{size} bytes of {}", 100 * 10_000);
    }

    #[tokio::test]
    async fn the_cluster_has_one_uid_a_query() {
        let (env, asked) = testing::cluster(|_| testing::json(200, json!({"metadata": {"uid": "u"}})));
        let scan = testing::scan::<Thing>(&env, &[], None);
        for _ in 0..3 {
            let mut row = Thing::default();
            row.meta.cluster = "c".into();
            row.meta.cluster_uid(&scan).await.unwrap();
            assert_eq!(row.meta.cluster_uid.as_deref(), Some("u"));
        }
        assert_eq!(*asked.lock().unwrap(), ["/api/v1/namespaces/kube-system"]);

        let (env, _) = testing::cluster(|_| testing::json(403, "{}"));
        let mut row = Thing::default();
        row.meta.cluster = "c".into();
        let error = row.meta.cluster_uid(&testing::scan::<Thing>(&env, &[], None)).await.unwrap_err();
        assert_eq!(error, Error::Denied { what: "cluster=c {}".to_owned(), needs: Some("get namespaces".to_owned()) });
    }

    #[tokio::test]
    async fn a_resource_that_is_known_only_at_run_time_is_listed_as_any_other() {
        let column = |name: &'static str, path: Option<&'static str>, field| {
            let mut column = ColumnSpec::new(name, indago_table::Kind::Text, "");
            (column.index, column.path, column.field) = (true, path.map(Into::into), field);
            column
        };
        let columns = vec![
            column("cluster", None, false),
            column("namespace", Some("metadata.namespace"), false),
            column("color", Some("spec.color"), true),
            column("size", Some("spec.size"), false),
        ];
        let mut spec = indago_table::TableSpec::new("gadgets", "kubernetes", "Gadgets.", columns);
        spec.resource = Some(ResourceSpec::new("acme.io/v1", "gadgets", true));
        let spec = Arc::new(spec);
        let (env, asked) = testing::cluster(|_| {
            let item = json!({"metadata": {"uid": "u"}, "spec": {"color": "red", "size": "9", "rest": [1, 2, 3]}});
            testing::json(200, json!({"kind": "GadgetList", "metadata": {}, "items": [item, 7]}))
        });
        let keys = |texts: &[&str]| testing::constraint(texts);
        let constraints = [(1, keys(&["web", "../x"])), (2, keys(&["red"])), (3, keys(&["9"]))];
        let constraints = Arc::new(indago_table::Constraints(constraints.into()));
        let context = ScanContext { constraints, ..ScanContext::new([0, 1, 2]) };
        let scan = AnyScan::new(&spec, context, &env);
        let listings = listings(&scan);
        let path = "/apis/acme.io/v1/namespaces/web/gadgets?limit=500&fieldSelector=spec.color=red";
        assert_eq!(listings.iter().map(ToString::to_string).collect::<Vec<_>>(), [format!("cluster=c GET {path}")]);
        let reader = super::Reader {
            scan: scan.clone(),
            listing: listings[0].clone(),
            shape: Arc::new(shape_of(&spec.columns, scan.wanted(), &[], &[])),
            documents: |object| vec![Ok(object)],
            row: Box::new(|document| Box::new(document.clone())),
            refusal: Refusal::Reported,
        };
        let rows: Vec<_> = reader.rows().collect().await;
        assert_eq!(rows, [Ok(json!({"metadata": {"uid": "u"}, "spec": {"color": "red"}}))]);
        // Of a list that several of its scans share, only what they want is held.
        let shared = |columns: &[usize]| {
            shape_of_reader(&scan, &Reader { table: "gadgets".to_owned(), columns: columns.to_vec(), as_of: None })
        };
        assert_eq!(shared(&[0, 1, 2]), shape_of(&spec.columns, scan.wanted(), &[], &[]));
        assert!(!shared(&[0, 1, 2]).covers(&shared(&[3])) && !shared(&[3]).covers(&Shape::whole()));
        assert_eq!(*asked.lock().unwrap(), [path]);
        let warnings: Vec<_> = scan.context().query.diagnostics().warnings().iter().map(ToString::to_string).collect();
        assert_eq!(warnings, ["gadgets (cluster=c): skipped an item of the list: it is a number"]);
    }

    #[test]
    fn a_list_has_its_path() {
        let path = |group_version: &'static str, name: &'static str, namespace| {
            list_path(&ResourceSpec::new(group_version, name, true), namespace)
        };
        assert_eq!(path("v1", "pods", None), "/api/v1/pods");
        assert_eq!(path("v1", "pods", Some("web")), "/api/v1/namespaces/web/pods");
        assert_eq!(path("apps/v1", "deployments", Some("a")), "/apis/apps/v1/namespaces/a/deployments");
    }

    #[test]
    fn no_key_changes_the_meaning_of_a_url() {
        for name in ["", "..", "a/b", "a?b", "A", "a b", "\u{e9}", &"a".repeat(64)] {
            assert!(!is_namespace(name), "{name}");
        }
        assert!(is_namespace("kube-system"));
    }

    #[test]
    fn uids_are_told_apart() {
        let uids =
            ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c9", "x", "", "not-a-uid"];
        let numbers: HashSet<u128> = uids.iter().map(|uid| number(uid)).collect();
        assert_eq!(numbers.len(), uids.len());
    }

    #[test]
    fn a_list_in_an_object_becomes_documents() {
        let object = serde_json::json!({"metadata": {"name": "r"}, "rules": [{"verbs": ["get"]}, {"verbs": ["list"]}]});
        let documents: Vec<_> = each(object, "rules", "rule").into_iter().map(|it| it.expect("an object")).collect();
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[1], serde_json::json!({"metadata": {"name": "r"}, "rule": {"verbs": ["list"]}}));
        let of = |object: &str| each(serde_json::from_str(object).expect("JSON"), "rules", "rule");
        for object in ["null", "[]", "{}", r#"{"rules":null}"#, r#"{"rules":[]}"#] {
            assert!(of(object).is_empty(), "{object}");
        }
        let told = |object: &str| {
            let told = of(object).into_iter().map(|document| match document {
                Ok(document) => document.to_string(),
                Err(error) => error.to_string(),
            });
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(r#"{"rules":{}}"#), ["`rules` holds an object instead of a list"]);
        assert_eq!(
            told(r#"{"rules":[1, {"a": 1}, "x", {"a": 2}]}"#),
            [
                r#"{"rule":{"a":1}}"#,
                r#"{"rule":{"a":2}}"#,
                "`rules` holds a number instead of an object",
                "`rules` holds a text instead of an object"
            ]
        );
    }
}
