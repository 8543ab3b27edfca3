//! A table over a resource that is known only at run time.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::builder::ArrayBuilder;
use futures::TryStreamExt;
use indago_table::driver::{self, AsyncSources, BoxRow};
use indago_table::json::{self, FromJson, Shape};
use indago_table::prelude::*;
use indago_table::row::Part;
use indago_table::scan::BoxFuture;
use indago_table::{
    AnyRow, AnyScan, ColumnSpec, Kind, Misfit, Reading, ResourceSpec, Scalar, ScanContext, Sink, Slice, Table,
    TableSpec, Value,
};
use serde_json::Value as Document;

use super::openapi::Field;
use crate::clusters::{Cluster, Kubernetes};
use crate::metadata::{ClusterMeta, ObjectMeta};
use crate::resource::{self, Listed, Listing, Resource, listed, listings_of, rows_of};

/// What objects of a cluster have in common, whatever their resource.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_cluster_objects", env = Kubernetes, stream)]
pub(super) struct ClusterObject {
    #[column(flatten)]
    meta: ClusterMeta,
}

/// What objects in namespaces have in common, whatever their resource.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_objects", env = Kubernetes, stream)]
pub(super) struct NamespacedObject {
    #[column(flatten)]
    meta: ObjectMeta,
}

impl Resource for ClusterObject {}
listed!(ClusterObject);

impl Resource for NamespacedObject {}
listed!(NamespacedObject);

/// The table of a resource. Its first columns are those of `T`; the others are fields of its objects.
pub(super) struct Resources<T> {
    spec: Arc<TableSpec>,
    env: Kubernetes,
    /// The fields of the columns behind those of `T`.
    fields: Arc<[Field]>,
    presence: HashMap<Arc<str>, Presence>,
    row: PhantomData<fn() -> T>,
}

/// How a cluster serves the table's resource.
#[derive(Debug, Clone)]
pub(super) struct Presence {
    /// The resource, or why there are no rows.
    pub(super) resource: Result<ResourceSpec>,
    /// Why its fields are not known.
    pub(super) untyped: Option<Error>,
}

impl<T> fmt::Debug for Resources<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resources").field("table", &self.spec.name).finish_non_exhaustive()
    }
}

impl<T: Listed> Table for Resources<T> {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let scan = AnyScan::new(&self.spec, context.clone(), &self.env);
        let mut slices = Vec::new();
        for cluster in self.env.origins(&scan) {
            let label = cluster.label().trim_end().to_owned();
            let Some(presence) = self.presence.get(&cluster.name) else {
                let error = Error::Unsupported("the cluster was added while the query was planned".to_owned());
                slices.extend(failed(&scan, label, cluster, error)?);
                continue;
            };
            match &presence.resource {
                Ok(resource) => {
                    if let Some(error) = &presence.untyped {
                        scan.report(&label, error);
                    }
                    for listing in listings_of(&scan, vec![cluster], resource) {
                        slices.extend(slice(
                            &scan,
                            listing.to_string(),
                            |column| listing.known(column),
                            || self.read(&scan, &listing),
                        )?);
                    }
                }
                Err(error) => slices.extend(failed(&scan, label, cluster, error.clone())?),
            }
        }
        Ok(slices)
    }

    fn checks_filters(&self) -> bool {
        true
    }
}

/// A slice of a cluster that has no rows.
fn failed(scan: &AnyScan<Kubernetes>, label: String, cluster: Arc<Cluster>, error: Error) -> Result<Option<Slice>> {
    let read = move |_: Box<dyn Sink>| -> BoxFuture<'static, Result<()>> { Box::pin(async { Err(error) }) };
    slice(scan, label, |column| cluster.known(column), || Reading::Async(Box::new(read)))
}

/// A slice, unless the query's conditions exclude all of its rows.
fn slice(
    scan: &AnyScan<Kubernetes>,
    label: String,
    known: impl Fn(&str) -> Option<String>,
    reading: impl FnOnce() -> Reading,
) -> Result<Option<Slice>> {
    if !scan.admits_part(&known)? {
        return Ok(None);
    }
    let known = |column: &ColumnSpec| Some((column.name.to_string(), known(&column.name)?));
    let known = scan.spec().columns.iter().filter_map(known).collect();
    Ok(Some(Slice { label: scan.context().slice_name(&label), known, reading: reading() }))
}

impl<T: Listed> Resources<T> {
    pub(super) fn new(
        spec: TableSpec,
        env: &Kubernetes,
        fields: Vec<Field>,
        presence: HashMap<Arc<str>, Presence>,
    ) -> Self {
        Resources { spec: Arc::new(spec), env: env.clone(), fields: fields.into(), presence, row: PhantomData }
    }

    fn read(&self, scan: &AnyScan<Kubernetes>, listing: &Listing) -> Reading {
        let scan = scan.in_slice(&listing.to_string());
        let rows = Rows::<T> {
            scan: scan.clone(),
            listing: listing.clone(),
            columns: filled(&scan),
            fields: self.fields.clone(),
            row: PhantomData,
        };
        let read = move |sink: Box<dyn Sink>| -> BoxFuture<'static, Result<()>> {
            Box::pin(async move {
                let (shape, listing) = (rows.shape(), rows.listing.clone());
                let rows = rows_of::<T, _>(scan.clone(), listing, shape, move |document| rows.row(document));
                let rows = Box::pin(rows.map_ok(|row| Box::new(row) as BoxRow));
                let sources = Sources(common::<T>(&scan));
                driver::read_stream(scan.spec(), scan.context(), rows, &sources, sink).await
            })
        };
        Reading::Async(Box::new(read))
    }
}

/// The columns to fill: those that the query wants, and those that are compared with keys.
fn filled(scan: &AnyScan<Kubernetes>) -> Vec<bool> {
    let mut columns = scan.wanted().to_vec();
    scan.context().constraints.0.keys().for_each(|column| columns[*column] = true);
    columns
}

/// The same scan as one of the columns of `T` alone, for their sources.
fn common<T: Listed>(scan: &AnyScan<Kubernetes>) -> Scan<T> {
    let columns = scan.context().columns.iter().copied().filter(|column| *column < T::SPEC.columns.len()).collect();
    Scan::new(ScanContext { columns, filters: Arc::new([]), ..scan.context().clone() }, scan.env())
}

/// Makes rows of the objects of one listing.
struct Rows<T> {
    scan: AnyScan<Kubernetes>,
    listing: Listing,
    /// Which columns are filled.
    columns: Vec<bool>,
    fields: Arc<[Field]>,
    row: PhantomData<fn() -> T>,
}

impl<T: Listed> Rows<T> {
    fn own(&self) -> (&[bool], &[bool]) {
        self.columns.split_at(T::SPEC.columns.len())
    }

    /// The parts of an object that are read.
    fn shape(&self) -> Shape {
        let (common, own) = self.own();
        let mut shape = resource::shape::<T>(common);
        let wanted = self.fields.iter().zip(own).filter(|(_, wanted)| **wanted);
        wanted.for_each(|(field, _)| shape.add(&field.path));
        shape
    }

    fn row(&self, document: &Document) -> Box<Object<T>> {
        let (common, own) = self.own();
        let mut row = Object { common: T::of(&self.listing), cells: Vec::with_capacity(own.len()) };
        let mut misfits = row.common.fill(document, common);
        for (position, (field, wanted)) in self.fields.iter().zip(own).enumerate() {
            let mut cell = Cell::null(&field.kind);
            let found = if *wanted { value_at(document, &field.path) } else { Ok(&Document::Null) };
            let misfit = match found {
                Ok(value) => cell.fill(value),
                Err(obstacle) => Some(obstacle),
            };
            misfits.extend(misfit.map(|found| Misfit { column: T::SPEC.columns.len() + position, found }));
            row.cells.push(cell);
        }
        for Misfit { column, found } in misfits {
            let column = &self.scan.spec().columns[column];
            let path = column.path.as_deref().unwrap_or_default();
            let message = format!("`{path}` holds {found}, which does not fit the column");
            let origin = format!("cluster={}, {}", self.listing.cluster().name, column.name);
            self.scan.report(origin, &Error::Malformed(message));
        }
        Box::new(row)
    }
}

/// The value at a path; null if it is absent. An error is the type of the value that blocks the path.
fn value_at<'a>(document: &'a Document, path: &[String]) -> Result<&'a Document, &'static str> {
    static NOTHING: Document = Document::Null;
    let mut value = document;
    for step in path {
        value = match value {
            Document::Null => return Ok(value),
            Document::Object(members) => members.get(step).unwrap_or(&NOTHING),
            other => return Err(json::kind(other)),
        };
    }
    Ok(value)
}

/// A row of the table of a resource.
struct Object<T> {
    common: T,
    cells: Vec<Cell>,
}

impl<T: Listed> AnyRow for Object<T> {
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder) {
        match column.checked_sub(T::SPEC.columns.len()) {
            Some(own) => self.cells[own].append(builder),
            None => Row::append(&self.common, column, builder),
        }
    }

    fn key(&self, column: usize) -> Option<Scalar> {
        match column.checked_sub(T::SPEC.columns.len()) {
            // Field selectors select only by texts.
            Some(own) => match &self.cells[own] {
                Cell::Text(Some(text)) => Some(Scalar::Text(text.clone())),
                _ => None,
            },
            None => Row::key(&self.common, column),
        }
    }
}

/// The sources of the common columns.
struct Sources<T: Listed>(Scan<T>);

impl<T: Listed> AsyncSources for Sources<T> {
    fn load<'a>(&'a self, row: &'a mut dyn AnyRow, source: usize) -> BoxFuture<'a, Result<()>> {
        let row: &mut dyn Any = row;
        let row: &mut Object<T> = row.downcast_mut().expect("the sources run on the table's own rows");
        row.common.load(source, &self.0)
    }
}

macro_rules! cells {
    ($($kind:ident($rust:ty)),* $(,)?) => {
        /// A value of a column.
        enum Cell {
            $($kind(Option<$rust>),)*
        }

        impl Cell {
            /// NULL in a column of a kind.
            fn null(kind: &Kind) -> Self {
                match kind {
                    $(Kind::$kind => Cell::$kind(None),)*
                    other => unreachable!("no field is {}", other.name()),
                }
            }

            /// Sets the value; returns the type of a value, or of an element, that does not fit.
            fn fill(&mut self, value: &Document) -> Option<&'static str> {
                match self {
                    $(Cell::$kind(cell) => set(cell, value),)*
                }
            }

            fn append(&self, builder: &mut dyn ArrayBuilder) {
                match self {
                    $(Cell::$kind(cell) => Value::append(cell, builder),)*
                }
            }
        }
    };
}

cells! {
    Boolean(bool),
    BigInt(i64),
    Double(f64),
    Text(String),
    Json(Json),
    Timestamp(Timestamp),
    TextList(Vec<String>),
    BigIntList(Vec<i64>),
    TextMap(Map),
}

fn set<V: FromJson>(cell: &mut Option<V>, value: &Document) -> Option<&'static str> {
    match V::from_json(value) {
        Some(fits) => {
            *cell = Some(fits);
            V::misfit(value)
        }
        None if value.is_null() => None,
        None => Some(json::kind(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_of_the_common_columns_runs_in_batches() {
        // `Sources` runs them row by row.
        let sources = [&ClusterObject::SPEC.sources, &NamespacedObject::SPEC.sources];
        assert!(sources.into_iter().flat_map(|of| of.iter()).all(|source| source.batch.is_none()));
    }
}
