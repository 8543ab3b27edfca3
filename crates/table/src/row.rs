//! The traits of a row type: [`Rows`] for blocking tables, [`RowParts`] for blocking tables in parts, [`RowStream`] for
//! tables that are fetched page by page.

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

/// The system that tables read: a machine, the clusters of a kubeconfig, the accounts of a profile file.
///
/// One value serves all tables of an environment. It has clients and settings, and is cheap to clone.
pub trait Environment: Clone + Send + Sync + 'static {
    /// The environment's name in documentation: `host`, `kubernetes`.
    const NAME: &'static str;

    /// The environment for one scan, so that its reads are counted and can be cancelled.
    fn for_scan(&self, _meter: &Arc<Meter>) -> Self {
        self.clone()
    }
}

/// A row type; `#[derive(Table)]` implements it.
pub trait Row: Default + Send + Sync + 'static {
    /// The environment of the table.
    type Env: Environment;
    /// The specification of the table.
    const SPEC: &'static Spec;

    /// Appends a column's value to its builder.
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder);
    /// The value of an indexed column as a key.
    fn key(&self, column: usize) -> Option<Scalar>;
    /// Bytes that the values of the columns own elsewhere.
    fn bytes(&self) -> usize;
    /// Fills the wanted columns that are paths into a JSON document. Returns the columns whose values do not fit.
    #[must_use = "report the values that do not fit; see `Scan::fill`"]
    fn fill(&mut self, document: &serde_json::Value, wanted: &[bool]) -> Vec<Misfit>;
}

/// A row without its type, as the drivers see it. Every row type implements it, and so does the row of a table that is
/// known only at run time.
pub trait AnyRow: Any + Send + Sync {
    /// Appends a column's value to its builder.
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder);
    /// The value of an indexed column as a key.
    fn key(&self, column: usize) -> Option<Scalar>;
    /// Bytes of the row, by which the drivers limit how many they hold. A row with large values elsewhere counts them.
    fn bytes(&self) -> usize {
        size_of_val(self)
    }
}

impl<T: Row> AnyRow for T {
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder) {
        Row::append(self, column, builder);
    }

    fn key(&self, column: usize) -> Option<Scalar> {
        Row::key(self, column)
    }

    fn bytes(&self) -> usize {
        size_of::<T>() + Row::bytes(self)
    }
}

/// A row as its table's row type.
fn own<T: Row>(row: &mut dyn AnyRow) -> &mut T {
    let row: &mut dyn Any = row;
    row.downcast_mut().expect("a table's sources run on its own rows")
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

/// A row in a batch of a source.
pub struct Loading<'a, R: ?Sized> {
    row: &'a mut R,
    outcome: &'a mut Result<()>,
}

impl<'a, R: ?Sized> Loading<'a, R> {
    /// A row, and the place for its outcome.
    pub(crate) fn new(row: &'a mut R, outcome: &'a mut Result<()>) -> Self {
        Loading { row, outcome }
    }

    /// Records that the source could not be read for this row. The other rows of the batch are not affected.
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

/// The same batch with a part of each row.
fn parts<'a, R: ?Sized, P>(rows: &'a mut [Loading<'_, R>], part: impl Fn(&mut R) -> &mut P) -> Vec<Loading<'a, P>> {
    rows.iter_mut().map(|Loading { row, outcome }| Loading { row: part(row), outcome }).collect()
}

/// A value of a JSON document that its column cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit {
    /// The column's position.
    pub column: usize,
    /// The type of the value: `a text`, `a list`.
    pub found: &'static str,
}

/// Columns that several tables share, included as a field with `#[column(flatten)]`. `#[derive(Columns)]` implements
/// it.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a group of columns", label = "give it `#[derive(Columns)]`")]
pub trait Columns: Default + Send + Sync + 'static {
    /// The columns. Their paths start at the path of the table's field, and their sources are those of the group.
    const COLUMNS: &'static [ColumnSpec];
    /// The sources of the columns.
    const SOURCES: &'static [SourceSpec];
    /// Positions of the columns of which the table needs at least one constraint.
    const REQUIRED: &'static [usize];

    /// Appends a column's value to its builder.
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder);
    /// The value of an indexed column as a key.
    fn key(&self, column: usize) -> Option<Scalar>;
    /// Bytes that the values of the columns own elsewhere.
    fn bytes(&self) -> usize;
    /// Fills the wanted columns that are paths into the group's part of a JSON document, as [`Row::fill`] does.
    fn fill(&mut self, document: &serde_json::Value, wanted: &[bool]) -> Vec<Misfit>;
}

/// Sources of a blocking table; `#[derive(Table)]` implements it.
pub trait Load: Row {
    /// Runs a source that fills its columns.
    fn load(&mut self, source: usize, env: &Self::Env) -> Result<()>;
    /// Runs a source in batches, which fills its columns of several rows.
    fn load_many(_rows: &mut [Loading<'_, Self>], source: usize, _env: &Self::Env) -> Result<()> {
        unreachable!("source {source} of {} in batches", Self::SPEC.name)
    }
}

/// Sources of a streaming table; `#[derive(Table)]` implements it.
pub trait LoadAsync: Row {
    /// Runs a source that fills its columns.
    fn load<'a>(&'a mut self, source: usize, scan: &'a Scan<Self>) -> BoxFuture<'a, Result<()>>;
    /// Runs a source in batches, which fills its columns of several rows.
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
    label = "set `#[columns(env = ..)]` of the group to the table's environment, without `stream`"
)]
pub trait LoadGroup<E: Environment>: Columns {
    /// Runs a source that fills its columns.
    fn load(&mut self, source: usize, _env: &E) -> Result<()> {
        unreachable!("source {source} of a group without sources")
    }
    /// Runs a source in batches, which fills its columns of several rows.
    fn load_many(_rows: &mut [Loading<'_, Self>], source: usize, _env: &E) -> Result<()> {
        unreachable!("source {source} of a group in batches")
    }
}

/// Sources of a group of columns in a streaming table over `E`; `#[derive(Columns)]` implements it.
#[diagnostic::on_unimplemented(
    message = "the sources of the group `{Self}` cannot serve this table",
    label = "set `#[columns(env = .., stream)]` of the group to the table's environment"
)]
pub trait LoadGroupAsync<E: Environment>: Columns {
    /// Runs a source that fills its columns.
    fn load<'a, T: Row<Env = E>>(&'a mut self, source: usize, _scan: &'a Scan<T>) -> BoxFuture<'a, Result<()>> {
        unreachable!("source {source} of a group without sources")
    }
    /// Runs a source in batches, which fills its columns of several rows.
    fn load_many<'a, T: Row<Env = E>>(
        _rows: &'a mut [Loading<'_, Self>],
        source: usize,
        _scan: &'a Scan<T>,
    ) -> BoxFuture<'a, Result<()>> {
        unreachable!("source {source} of a group in batches")
    }
}

/// Runs a group's source in batches; for the derive macro.
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
/// Runs on a thread that may block. The iterator is lazy: it is dropped as soon as the query has enough rows. A row is
/// returned with its cheap columns filled; sources fill the others if the query wants them.
pub trait Rows: Load {
    /// Most rows that may be held together to evaluate a condition; few if each row holds a descriptor.
    const TOGETHER: usize = driver::CHUNK;

    /// The rows that match the scan's keys, or all rows.
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>>;
}

/// An independent part of a scan: a repository, a cluster, an account in a region.
pub trait Part: fmt::Display {
    /// The value that all rows of the part have in a text column, if it is known before they are read. The scan skips
    /// parts whose values do not meet the query's conditions.
    fn known(&self, _column: &str) -> Option<String> {
        None
    }
}

impl Part for &'static str {}
impl Part for String {}
impl Part for i64 {}

/// A table whose rows come from blocking calls on several objects that can be read independently: repositories,
/// machines.
///
/// The engine reads several parts concurrently, each like a table of [`Rows`]. If a part fails, its rows are missing
/// with a warning, and the other parts are returned.
pub trait RowParts: Load {
    /// An independent part of a scan; its display form is its name in warnings.
    type Part: Part + Send + 'static;

    /// The parts that match the scan's constraints. The iterator is lazy: it may still search while the parts found so
    /// far are read.
    fn parts(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self::Part>>;
    /// The rows of one part that match the scan's keys, or all of them.
    fn rows(scan: &Scan<Self>, part: Self::Part) -> Result<impl Iterator<Item = Self>>;
}

/// A table whose rows come from asynchronous calls of paged APIs.
///
/// A scan has independent parts (a cluster, an account in a region), which the engine reads concurrently. If a part
/// fails, its rows are missing with a warning, and the other parts are returned.
pub trait RowStream: LoadAsync {
    /// An independent part of a scan; its display form is its name in warnings and `EXPLAIN`.
    type Part: Part + Send + Sync + 'static;

    /// The parts that match the scan's constraints. Makes no calls, because `EXPLAIN` calls it too.
    fn parts(scan: &Scan<Self>) -> Result<Vec<Self::Part>>;
    /// The rows of one part. Each page is fetched when the rows before it are consumed.
    fn rows<'a>(scan: &'a Scan<Self>, part: &'a Self::Part) -> impl Stream<Item = Result<Self>> + Send + 'a;
}
