//! A table with its row type erased, as engines hold it.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::RecordBatch;
use futures_util::TryStreamExt;

use crate::driver::{self, BoxRow};
use crate::error::Result;
use crate::row::{Load, Part, Row, RowParts, RowStream, Rows};
use crate::scan::{BoxFuture, Scan, ScanContext};
use crate::spec::{ColumnSpec, TableSpec};
use crate::value::Period;

/// A table of any row type.
pub trait Table: fmt::Debug + Send + Sync + 'static {
    /// The specification of the table.
    fn spec(&self) -> &TableSpec;
    /// The slices of a scan. Reads nothing yet.
    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>>;
    /// Whether all returned rows meet [`ScanContext::filters`]. If not, the caller checks them.
    fn checks_filters(&self) -> bool {
        false
    }
    /// The versions of its rows that existed in a period; `None` for a table that keeps none.
    fn versions(&self, _period: Period) -> Option<TableRef> {
        None
    }
    /// The period whose versions it has, if it is limited to one. Plans show it.
    fn period(&self) -> Option<Period> {
        None
    }
}

/// A shared table.
pub type TableRef = Arc<dyn Table>;

/// A table with another specification, such as another name.
#[derive(Debug)]
struct Specified {
    spec: TableSpec,
    table: TableRef,
}

/// The same table with another specification. The columns must be the same.
pub fn with_spec(table: TableRef, spec: TableSpec) -> TableRef {
    Arc::new(Specified { spec, table })
}

impl Table for Specified {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        self.table.slices(context)
    }

    fn checks_filters(&self) -> bool {
        self.table.checks_filters()
    }

    fn versions(&self, period: Period) -> Option<TableRef> {
        self.table.versions(period)
    }

    fn period(&self) -> Option<Period> {
        self.table.period()
    }
}

/// An independent part of a scan.
pub struct Slice {
    /// Its name: a cluster, an account and region; empty for a table with one part.
    pub label: String,
    /// Values that all of its rows share, by column, if known before they are read.
    pub known: BTreeMap<String, String>,
    /// How to read it.
    pub reading: Reading,
}

impl Slice {
    /// A slice without known values.
    pub fn new(label: impl Into<String>, reading: Reading) -> Self {
        Slice { label: label.into(), known: BTreeMap::new(), reading }
    }

    /// The label of a slice for a part of a row type's table, and the known values of its rows.
    fn described<T: Row>(context: &ScanContext, part: &impl Part) -> (String, BTreeMap<String, String>) {
        let known = |column: &ColumnSpec| Some((column.name.to_string(), part.known(&column.name)?));
        (context.slice_name(&part.to_string()), T::SPEC.columns.iter().filter_map(known).collect())
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slice").field(&self.label).finish()
    }
}

/// Reads a slice on a thread that may block.
pub type BlockingRead = Box<dyn FnOnce(&mut dyn Sink) -> Result<()> + Send>;
/// Reads a slice as a task.
pub type AsyncRead = Box<dyn FnOnce(Box<dyn Sink>) -> BoxFuture<'static, Result<()>> + Send>;

/// Finds slices on a thread that may block, and passes each one on as soon as it is found. The callback returns `false`
/// if no more are needed.
pub type FindSlices = Box<dyn FnOnce(&mut dyn FnMut(Slice) -> bool) -> Result<()> + Send>;

/// How a slice is read.
pub enum Reading {
    /// On a thread that may block.
    Blocking(BlockingRead),
    /// As a task.
    Async(AsyncRead),
    /// It consists of slices that are found with blocking calls.
    Finding(FindSlices),
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reading::Blocking(_) => "Blocking",
            Reading::Async(_) => "Async",
            Reading::Finding(_) => "Finding",
        })
    }
}

/// The receiver of batches. Both methods wait while the consumer is behind, and return `false` when the consumer has
/// stopped.
pub trait Sink: Send {
    /// Sends from a thread that may block.
    fn blocking_send(&mut self, batch: RecordBatch) -> bool;
    /// Sends from a task.
    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool>;
}

impl<S: Sink + ?Sized> Sink for &mut S {
    fn blocking_send(&mut self, batch: RecordBatch) -> bool {
        (**self).blocking_send(batch)
    }

    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
        (**self).send(batch)
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn blocking_send(&mut self, batch: RecordBatch) -> bool {
        (**self).blocking_send(batch)
    }

    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
        (**self).send(batch)
    }
}

/// A table over a blocking row type.
pub struct Blocking<T: Row> {
    env: T::Env,
    row: PhantomData<fn() -> T>,
}

/// A table over a blocking row type with parts.
pub struct Parted<T: Row> {
    env: T::Env,
    row: PhantomData<fn() -> T>,
}

/// A table over a streaming row type.
pub struct Streaming<T: Row> {
    env: T::Env,
    row: PhantomData<fn() -> T>,
}

macro_rules! over_rows {
    ($table:ident) => {
        impl<T: Row> $table<T> {
            /// The table over an environment.
            pub fn new(env: &T::Env) -> Self {
                $table { env: env.clone(), row: PhantomData }
            }
        }

        impl<T: Row> fmt::Debug for $table<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($table)).field(&T::SPEC.name).finish()
            }
        }
    };
}

over_rows!(Blocking);
over_rows!(Parted);
over_rows!(Streaming);

/// Passes the rows of a row type to the driver.
fn read_rows<T: Load>(
    scan: &Scan<T>,
    rows: impl Iterator<Item = T>,
    together: usize,
    sink: &mut dyn Sink,
) -> Result<()> {
    let mut rows = rows.map(|row| Box::new(row) as BoxRow);
    driver::read_rows(T::SPEC, scan.context(), &mut rows, scan, together, sink)
}

/// Passes the stream of a row type to the driver.
fn read_stream<'a, T: RowStream>(
    scan: &'a Scan<T>,
    part: &'a T::Part,
    sink: Box<dyn Sink>,
) -> BoxFuture<'a, Result<()>> {
    fn boxed<T: Row>(row: T) -> BoxRow {
        Box::new(row)
    }
    let rows = Box::pin(T::rows(scan, part).map_ok(boxed::<T>));
    Box::pin(driver::read_stream(T::SPEC, scan.context(), rows, scan, sink))
}

impl<T: Rows> Table for Blocking<T> {
    fn spec(&self) -> &TableSpec {
        T::SPEC
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let scan = Scan::<T>::new(context.clone(), &self.env).in_slice("");
        let read = move |sink: &mut dyn Sink| read_rows(&scan, T::rows(&scan)?, T::TOGETHER, sink);
        Ok(vec![Slice::new(context.slice_name(""), Reading::Blocking(Box::new(read)))])
    }

    fn checks_filters(&self) -> bool {
        true
    }
}

impl<T: RowParts> Table for Parted<T> {
    fn spec(&self) -> &TableSpec {
        T::SPEC
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let scan = Scan::<T>::new(context.clone(), &self.env);
        let find = move |found: &mut dyn FnMut(Slice) -> bool| {
            for part in T::parts(&scan)? {
                if !scan.admits_part(|column| part.known(column))? {
                    continue;
                }
                let part_scan = scan.in_slice(&part.to_string());
                let (label, known) = Slice::described::<T>(scan.context(), &part);
                let rows =
                    move |sink: &mut dyn Sink| read_rows(&part_scan, T::rows(&part_scan, part)?, driver::CHUNK, sink);
                if !found(Slice { label, known, reading: Reading::Blocking(Box::new(rows)) }) {
                    break;
                }
            }
            Ok(())
        };
        Ok(vec![Slice::new(context.slice_name(""), Reading::Finding(Box::new(find)))])
    }

    fn checks_filters(&self) -> bool {
        true
    }
}

impl<T: RowStream> Table for Streaming<T> {
    fn spec(&self) -> &TableSpec {
        T::SPEC
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let scan = Scan::<T>::new(context.clone(), &self.env);
        let slice = |part: T::Part| {
            let part_scan = scan.in_slice(&part.to_string());
            let (label, known) = Slice::described::<T>(context, &part);
            let read = move |sink| Box::pin(async move { read_stream(&part_scan, &part, sink).await }) as _;
            Slice { label, known, reading: Reading::Async(Box::new(read)) }
        };
        let mut slices = Vec::new();
        for part in T::parts(&scan)? {
            if scan.admits_part(|column| part.known(column))? {
                slices.push(slice(part));
            }
        }
        Ok(slices)
    }

    fn checks_filters(&self) -> bool {
        true
    }
}
