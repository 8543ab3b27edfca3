//! What a table implements: [`Rows`] for what blocks, [`RowParts`] for what blocks and falls into parts, [`RowStream`] for
//! what is fetched page by page.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow_array::builder::ArrayBuilder;
use futures_core::Stream;

use crate::driver;
use crate::driver::{AsyncSources, Sources};
use crate::error::Result;
use crate::scan::{BoxFuture, Meter, Scalar, Scan};
use crate::spec::{ColumnSpec, Spec};

/// What tables read from: a machine, the clusters of a kubeconfig, the accounts of a profile file.
///
/// One value serves all tables of an environment. It holds clients and settings, and is cheap to clone.
pub trait Environment: Clone + Send + Sync + 'static {
    /// The environment's name in documentation: `host`, `kubernetes`.
    const NAME: &'static str;

    /// The environment as one scan sees it, so that what it reads is counted and can be cancelled.
    fn for_scan(&self, _meter: &Arc<Meter>) -> Self {
        self.clone()
    }
}

/// A row type; `#[derive(Table)]` implements it.
pub trait Row: Default + Send + Sync + 'static {
    /// What the table reads from.
    type Env: Environment;
    /// What the table says of itself.
    const SPEC: &'static Spec;

    /// Appends a column's value to the builder of that column.
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder);
    /// An indexed column's value as a key.
    fn key(&self, column: usize) -> Option<Scalar>;
    /// Fills the wanted columns that are paths into a JSON document, and says which of them it could not fill with what
    /// stands there.
    #[must_use = "what does not fit is reported; see `Scan::fill`"]
    fn fill(&mut self, document: &serde_json::Value, wanted: &[bool]) -> Vec<Misfit>;
}

/// A row whatever its type: what the drivers need of it. Each row type is one; so is whatever a table that is known only
/// at run time makes its rows of.
pub trait AnyRow: Any + Send + Sync {
    /// Appends a column's value to the builder of that column.
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder);
    /// An indexed column's value as a key.
    fn key(&self, column: usize) -> Option<Scalar>;
}

impl<T: Row> AnyRow for T {
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder) {
        Row::append(self, column, builder);
    }

    fn key(&self, column: usize) -> Option<Scalar> {
        Row::key(self, column)
    }
}

/// A row as what its table made it.
fn own<T: Row>(row: &mut dyn AnyRow) -> &mut T {
    let row: &mut dyn Any = row;
    row.downcast_mut().expect("a table's sources are asked about its own rows")
}

impl<T: Load> Sources for Scan<T> {
    fn load(&self, row: &mut dyn AnyRow, source: usize) -> Result<()> {
        own::<T>(row).load(source, self.env())
    }
}

impl<T: LoadAsync> AsyncSources for Scan<T> {
    fn load<'a>(&'a self, row: &'a mut dyn AnyRow, source: usize) -> BoxFuture<'a, Result<()>> {
        own::<T>(row).load(source, self)
    }
}

/// A value of a JSON document that its column cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit {
    /// The column's position.
    pub column: usize,
    /// What stands there: `a text`, `a list`.
    pub found: &'static str,
}

/// Columns that several tables have, each as a field with `#[column(flatten)]`; `#[derive(Columns)]` implements it.
#[diagnostic::on_unimplemented(message = "`{Self}` is no group of columns", label = "give it `#[derive(Columns)]`")]
pub trait Columns: Default + Send + Sync + 'static {
    /// The columns. Their paths start where the table says.
    const COLUMNS: &'static [ColumnSpec];

    /// Appends a column's value to the builder of that column.
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder);
    /// Fills the wanted columns that are paths into the group's part of a JSON document, as [`Row::fill`] does.
    fn fill(&mut self, document: &serde_json::Value, wanted: &[bool]) -> Vec<Misfit>;
}

/// Sources of a blocking table; `#[derive(Table)]` implements it.
pub trait Load: Row {
    /// Runs one source, which fills its columns.
    fn load(&mut self, source: usize, env: &Self::Env) -> Result<()>;
}

/// Sources of a streaming table; `#[derive(Table)]` implements it.
pub trait LoadAsync: Row {
    /// Runs one source, which fills its columns.
    fn load<'a>(&'a mut self, source: usize, scan: &'a Scan<Self>) -> BoxFuture<'a, Result<()>>;
}

/// A table whose rows come from blocking calls: files, system calls, libraries.
///
/// Runs on a thread where blocking is allowed. The iterator is lazy: it is dropped as soon as the query has its rows.
/// The row is given with the columns that came for free; sources fill the others, if anybody asked.
pub trait Rows: Load {
    /// Rows that may wait together for a condition to be evaluated: few where each holds a descriptor.
    const TOGETHER: usize = driver::CHUNK;

    /// The rows that the scan's keys admit, or all.
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>>;
}

/// One independent part of a scan: a repository, a cluster, an account in a region.
pub trait Part: fmt::Display {
    /// What all rows of the part have in a text column, where that is known before any of them is read. A part whose
    /// rows the query's conditions on such columns exclude is not read.
    fn known(&self, _column: &str) -> Option<String> {
        None
    }
}

impl Part for &'static str {}
impl Part for String {}
impl Part for i64 {}

/// A table whose rows come from blocking calls about several things that can be read each by itself: repositories,
/// machines.
///
/// The engine reads several parts at the same time, each like a table of [`Rows`]; a part that fails is missing from the
/// result with a warning, and the others still come.
pub trait RowParts: Load {
    /// One independent part of a scan; its display form is what warnings call it.
    type Part: Part + Send + 'static;

    /// The parts that the scan's constraints leave. The iterator is lazy: it may search while parts that it found are
    /// already read.
    fn parts(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self::Part>>;
    /// The rows of one part that the scan's keys admit, or all.
    fn rows(scan: &Scan<Self>, part: Self::Part) -> Result<impl Iterator<Item = Self>>;
}

/// A table whose rows come from asynchronous calls: APIs, paged.
///
/// The scan falls into independent parts (a cluster, an account in a region), which the engine reads concurrently;
/// a part that fails is missing from the result with a warning, and the others still come.
pub trait RowStream: LoadAsync {
    /// One independent part of a scan; its display form is what warnings and `EXPLAIN` call it.
    type Part: Part + Send + Sync + 'static;

    /// The parts that the scan's constraints leave. Makes no calls: `EXPLAIN` asks too.
    fn parts(scan: &Scan<Self>) -> Result<Vec<Self::Part>>;
    /// The rows of one part; each page is fetched when the rows before it are used up.
    fn rows<'a>(scan: &'a Scan<Self>, part: &'a Self::Part) -> impl Stream<Item = Result<Self>> + Send + 'a;
}
