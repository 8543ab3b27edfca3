//! A table with its row type erased, as engines hold it; and the drivers that turn rows into Arrow batches.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow_array::builder::ArrayBuilder;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use futures_util::future::FutureExt;
use futures_util::stream::StreamExt;

use crate::error::{Error, Result};
use crate::row::{Row, RowStream, Rows};
use crate::scan::{BoxFuture, Scan, ScanContext};
use crate::spec::TableSpec;
use crate::value;

/// A table, whatever its row type.
pub trait Table: fmt::Debug + Send + Sync + 'static {
    /// What the table says of itself.
    fn spec(&self) -> &TableSpec;
    /// The independent parts of a scan. Reads nothing yet.
    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>>;
}

/// A shared table.
pub type TableRef = Arc<dyn Table>;

/// An independent part of a scan.
pub struct Slice {
    /// What it reads: a cluster, an account and region; empty where a table has one part.
    pub label: String,
    /// How to read it.
    pub reading: Reading,
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slice").field(&self.label).finish()
    }
}

/// Reads a slice on a thread where blocking is allowed.
pub type BlockingRead = Box<dyn FnOnce(&mut dyn Sink) -> Result<()> + Send>;
/// Reads a slice as a task.
pub type AsyncRead = Box<dyn FnOnce(Box<dyn Sink>) -> BoxFuture<'static, Result<()>> + Send>;

/// How a slice is read.
pub enum Reading {
    /// On a thread where blocking is allowed.
    Blocking(BlockingRead),
    /// As a task.
    Async(AsyncRead),
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reading::Blocking(_) => "Blocking",
            Reading::Async(_) => "Async",
        })
    }
}

/// Where batches go. Both methods wait while the reader is behind, and answer `false` when nobody reads any more.
pub trait Sink: Send {
    /// Sends from a thread that may block.
    fn blocking_send(&mut self, batch: RecordBatch) -> bool;
    /// Sends from a task.
    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool>;
}

/// A table over a row type that blocks.
pub struct Blocking<T: Row> {
    env: T::Env,
    row: PhantomData<fn() -> T>,
}

/// A table over a row type that streams.
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
over_rows!(Streaming);

impl<T: Rows> Table for Blocking<T> {
    fn spec(&self) -> &TableSpec {
        T::SPEC
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let scan = Scan::<T>::new(context.clone(), &self.env);
        let read = move |sink: &mut dyn Sink| read_rows(&scan, sink);
        Ok(vec![Slice { label: String::new(), reading: Reading::Blocking(Box::new(read)) }])
    }
}

impl<T: RowStream> Table for Streaming<T> {
    fn spec(&self) -> &TableSpec {
        T::SPEC
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let scan = Scan::<T>::new(context.clone(), &self.env);
        let slice = |part: T::Part| {
            let scan = scan.clone();
            Slice {
                label: part.to_string(),
                reading: Reading::Async(Box::new(move |sink| {
                    Box::pin(async move { read_stream(&scan, &part, sink).await })
                })),
            }
        };
        Ok(T::parts(&scan)?.into_iter().map(slice).collect())
    }
}

/// Rows on their way into a batch: one builder for each wanted column.
struct Batcher<'a, T: Row> {
    scan: &'a Scan<T>,
    schema: SchemaRef,
    builders: Vec<(usize, Box<dyn ArrayBuilder>)>,
    rows: usize,
    since: Instant,
}

/// A batch that is older than this is sent as it is, so that slow sources show their rows.
const PATIENCE: Duration = Duration::from_millis(50);

impl<'a, T: Row> Batcher<'a, T> {
    fn new(scan: &'a Scan<T>) -> Self {
        let columns = &scan.context().columns;
        let builder = |column: &usize| (*column, value::builder(&T::SPEC.columns[*column].kind, 64));
        let schema = T::SPEC.schema().project(columns).expect("wanted columns are columns of the table");
        let builders = columns.iter().map(builder).collect();
        Batcher { scan, schema: Arc::new(schema), builders, rows: 0, since: Instant::now() }
    }

    fn push(&mut self, row: &T) {
        if self.rows == 0 {
            self.since = Instant::now();
        }
        for (column, builder) in &mut self.builders {
            row.append(*column, builder.as_mut());
        }
        self.rows += 1;
    }

    fn is_due(&self) -> bool {
        self.rows >= self.scan.context().batch_size || (self.rows % 16 == 1 && self.since.elapsed() > PATIENCE)
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let arrays: Vec<ArrayRef> = self.builders.iter_mut().map(|(_, builder)| builder.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::Malformed(format!("rows do not fit the table's schema: {error}")))?;
        self.scan.meter().add_rows(self.rows as u64);
        self.rows = 0;
        Ok(Some(batch))
    }
}

/// Sources that the wanted columns need, in the table's order.
fn wanted_sources<T: Row>(scan: &Scan<T>) -> Vec<usize> {
    let needed = |source: &usize| scan.context().columns.iter().any(|c| T::SPEC.columns[*c].source == Some(*source));
    (0..T::SPEC.sources.len()).filter(needed).collect()
}

/// Whether the row is one of those asked for. Tables answer keys exactly; this makes it so where several columns are
/// constrained and the table used only one.
fn is_admitted<T: Row>(scan: &Scan<T>, row: &T) -> bool {
    scan.context().constraints.0.iter().all(|(column, constraint)| match &constraint.keys {
        Some(keys) => row.key(*column).is_some_and(|value| keys.contains(&value)),
        None => true,
    })
}

/// Takes a place in the scan's limit; `false` when there is none left.
fn claim<T: Row>(scan: &Scan<T>) -> bool {
    match scan.context().limit {
        Some(limit) => scan.context().given.fetch_add(1, Ordering::Relaxed) < limit,
        None => true,
    }
}

/// What becomes of a row after one of its sources was read.
fn keeps_row<T: Row>(scan: &Scan<T>, source: usize, outcome: Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(Error::Gone(_)) => Ok(false),
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(error) => {
            scan.report(T::SPEC.sources[source].name, &error);
            Ok(true)
        }
    }
}

fn read_rows<T: Rows>(scan: &Scan<T>, sink: &mut dyn Sink) -> Result<()> {
    let sources = wanted_sources(scan);
    let mut batcher = Batcher::new(scan);
    'rows: for mut row in T::rows(scan)? {
        if scan.meter().is_cancelled() {
            return Err(Error::Cancelled);
        }
        if !is_admitted(scan, &row) {
            continue;
        }
        for source in &sources {
            let outcome = row.load(*source, scan.env());
            if !keeps_row(scan, *source, outcome)? {
                continue 'rows;
            }
        }
        if !claim(scan) {
            break;
        }
        batcher.push(&row);
        if batcher.is_due() || scan.context().is_satisfied() {
            if let Some(batch) = batcher.take()?
                && !sink.blocking_send(batch)
            {
                return Ok(());
            }
            if scan.context().is_satisfied() {
                break;
            }
        }
    }
    if let Some(batch) = batcher.take()? {
        sink.blocking_send(batch);
    }
    if scan.meter().is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}

async fn read_stream<T: RowStream>(scan: &Scan<T>, part: &T::Part, mut sink: Box<dyn Sink>) -> Result<()> {
    let sources = wanted_sources(scan);
    let mut batcher = Batcher::new(scan);
    let load = async |row: Result<T>| -> Result<Option<T>> {
        let mut row = row?;
        if !is_admitted(scan, &row) {
            return Ok(None);
        }
        for source in &sources {
            let outcome = row.load(*source, scan).await;
            if !keeps_row(scan, *source, outcome)? {
                return Ok(None);
            }
        }
        Ok(Some(row))
    };
    let at_once = if sources.is_empty() { 1 } else { scan.context().gate.concurrency() };
    let mut rows = std::pin::pin!(T::rows(scan, part).map(load).buffered(at_once));
    loop {
        let next = match rows.next().now_or_never() {
            Some(next) => next,
            None => {
                // Nothing is ready: what there is goes out, so that the first page shows while the second is fetched.
                if let Some(batch) = batcher.take()?
                    && !sink.send(batch).await
                {
                    return Ok(());
                }
                rows.next().await
            }
        };
        let row = match next {
            None => break,
            Some(Ok(None)) => continue,
            Some(Ok(Some(row))) => row,
            Some(Err(error)) => {
                if let Some(batch) = batcher.take()? {
                    sink.send(batch).await;
                }
                return Err(error);
            }
        };
        if !claim(scan) {
            break;
        }
        batcher.push(&row);
        let satisfied = scan.context().is_satisfied();
        if (batcher.is_due() || satisfied)
            && let Some(batch) = batcher.take()?
            && !sink.send(batch).await
        {
            return Ok(());
        }
        if satisfied {
            break;
        }
        if scan.meter().is_cancelled() {
            return Err(Error::Cancelled);
        }
    }
    if let Some(batch) = batcher.take()? {
        sink.send(batch).await;
    }
    Ok(())
}
