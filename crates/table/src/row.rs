//! What a table implements: [`Rows`] for what blocks, [`RowParts`] for what blocks and falls into parts, [`RowStream`] for
//! what is fetched page by page.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use arrow_array::builder::ArrayBuilder;
use futures_core::Stream;

use crate::driver;
use crate::driver::{AsyncSources, Sources};
use crate::error::{Error, Result};
use crate::scan::{BoxFuture, Meter, Scalar, Scan};
use crate::spec::{ColumnSpec, SourceSpec, Spec};

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

    fn load_many(&self, rows: &mut [Loading<'_, dyn AnyRow>], source: usize) -> Result<()> {
        T::load_many(&mut parts(rows, |row| own::<T>(row)), source, self.env())
    }
}

impl<T: LoadAsync> AsyncSources for Scan<T> {
    fn load<'a>(&'a self, row: &'a mut dyn AnyRow, source: usize) -> BoxFuture<'a, Result<()>> {
        own::<T>(row).load(source, self)
    }

    fn load_many<'a>(&'a self, rows: &'a mut [Loading<'_, dyn AnyRow>], source: usize) -> BoxFuture<'a, Result<()>> {
        let mut rows = parts(rows, |row| own::<T>(row));
        Box::pin(async move { T::load_many(&mut rows, source, self).await })
    }
}

/// A row among those that a source in batches fills at once.
pub struct Loading<'a, R: ?Sized> {
    row: &'a mut R,
    outcome: &'a mut Result<()>,
}

impl<'a, R: ?Sized> Loading<'a, R> {
    /// A row, and where the outcome of its reading goes.
    pub(crate) fn new(row: &'a mut R, outcome: &'a mut Result<()>) -> Self {
        Loading { row, outcome }
    }

    /// Says that the source could not be read for this row; the other rows of the batch are not affected.
    pub fn fail(&mut self, error: Error) {
        *self.outcome = Err(error);
    }
}

impl<R: ?Sized> Deref for Loading<'_, R> {
    type Target = R;

    fn deref(&self) -> &R {
        self.row
    }
}

impl<R: ?Sized> DerefMut for Loading<'_, R> {
    fn deref_mut(&mut self) -> &mut R {
        self.row
    }
}

impl<R: fmt::Debug + ?Sized> fmt::Debug for Loading<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("row", &&*self.row).field("outcome", self.outcome).finish()
    }
}

/// The same batch, as a part of each row.
fn parts<'a, R: ?Sized, P>(rows: &'a mut [Loading<'_, R>], part: impl Fn(&mut R) -> &mut P) -> Vec<Loading<'a, P>> {
    rows.iter_mut().map(|Loading { row, outcome }| Loading { row: part(row), outcome }).collect()
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
#[diagnostic::on_unimplemented(message = "`{Self}` is not a group of columns", label = "give it `#[derive(Columns)]`")]
pub trait Columns: Default + Send + Sync + 'static {
    /// The columns. Their paths start where the table says, and their sources are those of the group.
    const COLUMNS: &'static [ColumnSpec];
    /// The sources of the columns.
    const SOURCES: &'static [SourceSpec];
    /// Positions of the columns of which a table wants at least one to be constrained.
    const REQUIRED: &'static [usize];

    /// Appends a column's value to the builder of that column.
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder);
    /// An indexed column's value as a key.
    fn key(&self, column: usize) -> Option<Scalar>;
    /// Fills the wanted columns that are paths into the group's part of a JSON document, as [`Row::fill`] does.
    fn fill(&mut self, document: &serde_json::Value, wanted: &[bool]) -> Vec<Misfit>;
}

/// Sources of a blocking table; `#[derive(Table)]` implements it.
pub trait Load: Row {
    /// Runs one source, which fills its columns.
    fn load(&mut self, source: usize, env: &Self::Env) -> Result<()>;
    /// Runs a source in batches, which fills its columns of some rows.
    fn load_many(_rows: &mut [Loading<'_, Self>], source: usize, _env: &Self::Env) -> Result<()> {
        unreachable!("source {source} of {} in batches", Self::SPEC.name)
    }
}

/// Sources of a streaming table; `#[derive(Table)]` implements it.
pub trait LoadAsync: Row {
    /// Runs one source, which fills its columns.
    fn load<'a>(&'a mut self, source: usize, scan: &'a Scan<Self>) -> BoxFuture<'a, Result<()>>;
    /// Runs a source in batches, which fills its columns of some rows.
    fn load_many<'a>(
        _rows: &'a mut [Loading<'_, Self>],
        source: usize,
        _scan: &'a Scan<Self>,
    ) -> BoxFuture<'a, Result<()>> {
        unreachable!("source {source} of {} in batches", Self::SPEC.name)
    }
}

/// Sources of a group of columns in a blocking table over `E`; `#[derive(Columns)]` implements it.
#[diagnostic::on_unimplemented(
    message = "the sources of the group `{Self}` cannot serve this table",
    label = "give the group `#[columns(env = ..)]` with the table's environment, and no `stream`"
)]
pub trait LoadGroup<E: Environment>: Columns {
    /// Runs one source, which fills its columns.
    fn load(&mut self, source: usize, _env: &E) -> Result<()> {
        unreachable!("source {source} of a group without sources")
    }
    /// Runs a source in batches, which fills its columns of some rows.
    fn load_many(_rows: &mut [Loading<'_, Self>], source: usize, _env: &E) -> Result<()> {
        unreachable!("source {source} of a group in batches")
    }
}

/// Sources of a group of columns in a streaming table over `E`; `#[derive(Columns)]` implements it.
#[diagnostic::on_unimplemented(
    message = "the sources of the group `{Self}` cannot serve this table",
    label = "give the group `#[columns(env = .., stream)]` with the table's environment"
)]
pub trait LoadGroupAsync<E: Environment>: Columns {
    /// Runs one source, which fills its columns.
    fn load<'a, T: Row<Env = E>>(&'a mut self, source: usize, _scan: &'a Scan<T>) -> BoxFuture<'a, Result<()>> {
        unreachable!("source {source} of a group without sources")
    }
    /// Runs a source in batches, which fills its columns of some rows.
    fn load_many<'a, T: Row<Env = E>>(
        _rows: &'a mut [Loading<'_, Self>],
        source: usize,
        _scan: &'a Scan<T>,
    ) -> BoxFuture<'a, Result<()>> {
        unreachable!("source {source} of a group in batches")
    }
}

/// Runs a source in batches of a group; the derive macro's business.
#[doc(hidden)]
pub fn load_group<R, G: LoadGroup<E>, E: Environment>(
    rows: &mut [Loading<'_, R>],
    group: impl Fn(&mut R) -> &mut G,
    source: usize,
    env: &E,
) -> Result<()> {
    G::load_many(&mut parts(rows, group), source, env)
}

/// The same in a streaming table.
#[doc(hidden)]
pub fn load_group_async<'a, T: Row, G: LoadGroupAsync<T::Env>>(
    rows: &'a mut [Loading<'_, T>],
    group: impl Fn(&mut T) -> &mut G,
    source: usize,
    scan: &'a Scan<T>,
) -> BoxFuture<'a, Result<()>> {
    let mut parts = parts(rows, group);
    Box::pin(async move { G::load_many(&mut parts, source, scan).await })
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
