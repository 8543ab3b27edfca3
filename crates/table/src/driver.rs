//! The drivers: from rows to Arrow batches, with as few readings as the query allows.
//!
//! A row comes with the columns that were free. Where a query has conditions, the driver runs the sources that a condition
//! looks at, evaluates it on a chunk of rows, and goes on with those that are left, from the condition that needs the
//! fewest sources to the one that needs most. The sources of all other wanted columns run last, for the rows that will
//! be given.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow_array::builder::ArrayBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use futures_core::Stream;
use futures_util::future::FutureExt;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::error::{Error, Result};
use crate::row::{Load, Row, RowStream};
use crate::scan::{RowFilter, Scalar, Scan};
use crate::table::Sink;
use crate::value;

/// A batch that is older than this is sent as it is, so that slow sources show their rows.
const PATIENCE: Duration = Duration::from_millis(50);

/// Rows that a condition is evaluated on together, at the most.
pub(crate) const CHUNK: usize = 1024;

/// Rows that a condition is evaluated on together where few are asked for, so that not many more are read.
const SMALL_CHUNK: usize = 16;

/// What happens to a row between its table and its batch.
struct Course<T: Row> {
    admission: Admission,
    /// Conditions, each with the sources that run for it.
    steps: Vec<Step>,
    /// Sources that run for the rows which meet all conditions.
    last: Vec<usize>,
    row: std::marker::PhantomData<fn() -> T>,
}

struct Step {
    sources: Vec<usize>,
    filter: Arc<dyn RowFilter>,
    schema: SchemaRef,
}

impl<T: Row> Course<T> {
    fn of(scan: &Scan<T>) -> Self {
        let context = scan.context();
        let sources = |columns: &[usize]| -> Vec<usize> {
            let needed = |source: &usize| columns.iter().any(|c| T::SPEC.columns[*c].source == Some(*source));
            (0..T::SPEC.sources.len()).filter(needed).collect()
        };
        let mut filters: Vec<_> = context.filters.iter().map(|filter| (sources(filter.columns()), filter)).collect();
        let mut run: Vec<usize> = Vec::new();
        let mut steps = Vec::with_capacity(filters.len());
        while !filters.is_empty() {
            filters.iter_mut().for_each(|(sources, _)| sources.retain(|source| !run.contains(source)));
            // The first one of those that cost least: conditions as cheap keep the order they were written in.
            let (cheapest, _) =
                filters.iter().enumerate().min_by_key(|(_, (sources, _))| sources.len()).expect("there is one left");
            let (sources, filter) = filters.remove(cheapest);
            run.extend(&sources);
            let schema = T::SPEC.schema().project(filter.columns()).expect("conditions look at columns of the table");
            steps.push(Step { sources, filter: filter.clone(), schema: Arc::new(schema) });
        }
        let mut last = sources(&context.columns);
        last.retain(|source| !run.contains(source));
        Course { admission: Admission::of(scan), steps, last, row: std::marker::PhantomData }
    }

    /// How many rows to evaluate conditions on together.
    fn chunk(&self, scan: &Scan<T>) -> usize {
        match (self.steps.is_empty(), scan.context().limit) {
            (true, _) => 1,
            (false, Some(limit)) => limit.clamp(SMALL_CHUNK, CHUNK),
            (false, None) => CHUNK,
        }
    }
}

impl Step {
    /// Keeps the rows that meet the condition.
    fn sift<T: Row, R: Borrow<T>>(&self, rows: &mut Vec<R>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let column = |position: &usize| -> ArrayRef {
            let mut builder = value::builder(&T::SPEC.columns[*position].kind, rows.len());
            rows.iter().for_each(|row| row.borrow().append(*position, builder.as_mut()));
            builder.finish()
        };
        let arrays = self.filter.columns().iter().map(column).collect();
        let kept = self.filter.keep(&batch(&self.schema, arrays, rows.len())?)?;
        let mut position = 0;
        rows.retain(|_| {
            let keep = kept.is_valid(position) && kept.value(position);
            position += 1;
            keep
        });
        Ok(())
    }
}

fn batch(schema: &SchemaRef, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), arrays, &options)
        .map_err(|error| Error::Malformed(format!("rows do not fit the table's schema: {error}")))
}

/// The keys that rows are checked against. Tables answer keys exactly; this makes it so where several columns are
/// constrained and the table used only one.
struct Admission(Vec<(usize, HashSet<Scalar>)>);

impl Admission {
    fn of<T: Row>(scan: &Scan<T>) -> Self {
        let keys = scan.context().constraints.0.iter().filter_map(|(column, constraint)| {
            let keys = constraint.keys.as_ref()?;
            Some((*column, keys.iter().map(|key| T::SPEC.columns[*column].as_key(key.clone())).collect()))
        });
        Admission(keys.collect())
    }

    fn admits<T: Row>(&self, row: &T) -> bool {
        self.0.iter().all(|(column, keys)| {
            row.key(*column).is_some_and(|value| keys.contains(&T::SPEC.columns[*column].as_key(value)))
        })
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
        self.rows >= self.scan.context().batch_size || (self.rows % 16 == 1 && self.is_old())
    }

    fn is_old(&self) -> bool {
        self.rows > 0 && self.since.elapsed() > PATIENCE
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let arrays: Vec<ArrayRef> = self.builders.iter_mut().map(|(_, builder)| builder.finish()).collect();
        if self.scan.meter().is_lossy() {
            for ((column, _), array) in self.builders.iter().zip(&arrays) {
                report_lossy(self.scan, *column, array);
            }
        }
        let batch = batch(&self.schema, arrays, self.rows)?;
        self.scan.meter().add_rows(self.rows as u64);
        self.rows = 0;
        Ok(Some(batch))
    }
}

/// Reports the values of a column that show U+FFFD, in a scan that met bytes which are not UTF-8.
fn report_lossy<T: Row>(scan: &Scan<T>, column: usize, array: &ArrayRef) {
    let report = |text: &str| {
        if text.contains(char::REPLACEMENT_CHARACTER) {
            let message = format!("`{text}` is not UTF-8: U+FFFD stands for what is not text");
            scan.report(&T::SPEC.columns[column].name, &Error::Malformed(message));
        }
    };
    let texts = |array: &ArrayRef| {
        array.as_string_opt::<i32>().into_iter().flatten().flatten().for_each(report);
    };
    if let Some(values) = array.as_string_view_opt() {
        values.iter().flatten().for_each(report);
    } else if let Some(lists) = array.as_list_opt::<i32>() {
        texts(lists.values());
    } else if let Some(maps) = array.as_map_opt() {
        texts(maps.keys());
        texts(maps.values());
    }
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
        Err(error @ (Error::Cancelled | Error::OutOfMemory(_))) => Err(error),
        Err(error) => {
            scan.report(T::SPEC.sources[source].name, &error);
            Ok(true)
        }
    }
}

/// Runs sources for a row; `false` where it turns out to be gone.
fn load<T: Load>(scan: &Scan<T>, row: &mut T, sources: &[usize]) -> Result<bool> {
    for source in sources {
        let outcome = row.load(*source, scan.env());
        if !keeps_row(scan, *source, outcome)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads rows that come from blocking calls.
pub(crate) fn read_rows<T: Load>(
    scan: &Scan<T>,
    mut rows: impl Iterator<Item = T>,
    together: usize,
    sink: &mut dyn Sink,
) -> Result<()> {
    let course = Course::of(scan);
    let size = course.chunk(scan).min(together);
    let first = course.steps.first().map_or(&[][..], |step| &step.sources);
    let mut batcher = Batcher::new(scan);
    let mut chunk: Vec<T> = Vec::new();
    let mut is_over = false;
    while !is_over {
        let since = (size > 1).then(Instant::now);
        while chunk.len() < size {
            if scan.meter().is_cancelled() {
                return Err(Error::Cancelled);
            }
            let Some(mut row) = rows.next() else {
                is_over = true;
                break;
            };
            if !course.admission.admits(&row) {
                continue;
            }
            if load(scan, &mut row, first)? {
                chunk.push(row);
            }
            if chunk.len() % 16 == 1 && since.is_some_and(|since| since.elapsed() > PATIENCE) {
                break;
            }
        }
        for (position, step) in course.steps.iter().enumerate() {
            if position > 0 && !step.sources.is_empty() {
                let mut present = Vec::with_capacity(chunk.len());
                for mut row in chunk.drain(..) {
                    if load(scan, &mut row, &step.sources)? {
                        present.push(row);
                    }
                }
                chunk = present;
            }
            step.sift::<T, T>(&mut chunk)?;
        }
        for mut row in chunk.drain(..) {
            if !load(scan, &mut row, &course.last)? {
                continue;
            }
            if !claim(scan) {
                is_over = true;
                break;
            }
            batcher.push(&row);
            let is_satisfied = scan.context().is_satisfied();
            if (batcher.is_due() || is_satisfied)
                && let Some(batch) = batcher.take()?
                && !sink.blocking_send(batch)
            {
                return Ok(());
            }
            if is_satisfied {
                is_over = true;
                break;
            }
        }
        if size > 1
            && batcher.is_old()
            && let Some(batch) = batcher.take()?
            && !sink.blocking_send(batch)
        {
            return Ok(());
        }
    }
    if let Some(batch) = batcher.take()? {
        sink.blocking_send(batch);
    }
    if scan.meter().is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}

/// The rows of a stream, on their way into the driver. A row can be kilobytes: it is moved once.
///
/// A stream in the middle of a call may hold what another scan of the query waits for: a place at the endpoint, a page
/// that both read. So it is polled whenever the driver waits for anything, until it gives a row or ends.
struct Source<'a, T> {
    rows: Pin<Box<dyn Stream<Item = Result<Box<T>>> + Send + 'a>>,
    state: SourceState<T>,
}

enum SourceState<T> {
    /// It has given its last row to the driver, and does nothing.
    Resting,
    /// It is in the middle of something.
    Busy,
    /// It has a row, or an error, that the driver has not taken yet.
    Ready(Result<Box<T>>),
    Ended,
}

impl<T> Source<'_, T> {
    fn poll(&mut self, context: &mut Context<'_>) {
        self.state = match self.rows.as_mut().poll_next(context) {
            Poll::Ready(Some(row)) => SourceState::Ready(row),
            Poll::Ready(None) => SourceState::Ended,
            Poll::Pending => SourceState::Busy,
        };
    }

    /// Adds the rows that are ready to `chunk`, `most` at the most; an error ends them and is returned. Waits for the first
    /// one, unless `chunk` has rows.
    fn poll_gather(&mut self, context: &mut Context<'_>, chunk: &mut Vec<Box<T>>, most: usize) -> Poll<Option<Error>> {
        while chunk.len() < most {
            match std::mem::replace(&mut self.state, SourceState::Resting) {
                SourceState::Ready(Ok(row)) => chunk.push(row),
                SourceState::Ready(Err(error)) => {
                    self.state = SourceState::Ended;
                    return Poll::Ready(Some(error));
                }
                SourceState::Ended => {
                    self.state = SourceState::Ended;
                    break;
                }
                SourceState::Resting | SourceState::Busy => {
                    self.poll(context);
                    if matches!(self.state, SourceState::Busy) {
                        return if chunk.is_empty() { Poll::Pending } else { Poll::Ready(None) };
                    }
                }
            }
        }
        Poll::Ready(None)
    }

    /// Waits for some work, and polls the stream beside it while it is in the middle of something.
    async fn beside<W: Future>(&mut self, work: W) -> W::Output {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|context| {
            if matches!(self.state, SourceState::Busy) {
                self.poll(context);
            }
            work.as_mut().poll(context)
        })
        .await
    }
}

/// Runs sources for rows, several at once; leaves out those that turn out to be gone.
async fn load_async<T: RowStream>(
    scan: &Scan<T>,
    rows: impl IntoIterator<Item = Box<T>>,
    sources: &[usize],
    at_once: usize,
) -> Result<Vec<Box<T>>> {
    let load = |mut row: Box<T>| async move {
        for source in sources {
            let outcome = row.load(*source, scan).await;
            if !keeps_row(scan, *source, outcome)? {
                return Ok(None);
            }
        }
        Ok(Some(row))
    };
    let loaded: Vec<Option<Box<T>>> = stream::iter(rows.into_iter().map(load)).buffered(at_once).try_collect().await?;
    if scan.meter().is_cancelled() {
        return Err(Error::Cancelled);
    }
    Ok(loaded.into_iter().flatten().collect())
}

/// Reads one part of a table that streams.
pub(crate) async fn read_stream<T: RowStream>(scan: &Scan<T>, part: &T::Part, mut sink: Box<dyn Sink>) -> Result<()> {
    let course = Course::of(scan);
    let places = scan.context().gate.concurrency().max(1);
    let mut batcher = Batcher::new(scan);
    let admission = &course.admission;
    let admitted = |row: Result<T>| {
        std::future::ready(match row {
            Ok(row) => admission.admits(&row).then(|| Ok(Box::new(row))),
            Err(error) => Some(Err(error)),
        })
    };
    let rows = Box::pin(T::rows(scan, part).filter_map(admitted));
    let mut source = Source { rows, state: SourceState::Resting };
    // Detail calls are made for a few rows at a time, so that the first rows need not wait for the last ones' details.
    let few = 4 * places;
    let size = match scan.context().limit {
        Some(limit) if course.steps.is_empty() => limit.clamp(1, CHUNK),
        _ => course.chunk(scan).max(SMALL_CHUNK),
    };
    let cheap = course.steps.iter().take_while(|step| step.sources.is_empty()).count();
    let (cheap, dear) = course.steps.split_at(cheap);
    loop {
        let mut chunk = Vec::new();
        let mut gathered = std::future::poll_fn(|context| source.poll_gather(context, &mut chunk, size)).now_or_never();
        if gathered.is_none()
            && let Some(batch) = batcher.take()?
        {
            // Nothing is ready: what there is goes out, so that the first page shows while the second is fetched.
            if !source.beside(sink.send(batch)).await {
                return Ok(());
            }
        }
        if gathered.is_none() {
            gathered = Some(std::future::poll_fn(|context| source.poll_gather(context, &mut chunk, size)).await);
        }
        let failure = gathered.flatten();
        let is_over = chunk.is_empty();
        if scan.meter().is_cancelled() {
            return Err(Error::Cancelled);
        }
        for step in cheap {
            step.sift::<T, Box<T>>(&mut chunk)?;
        }
        let mut chunk = chunk.into_iter();
        while chunk.len() > 0 {
            let some = if dear.is_empty() { chunk.len() } else { few };
            let mut rows: Vec<Box<T>> = chunk.by_ref().take(some).collect();
            for step in dear {
                if !step.sources.is_empty() {
                    rows = source.beside(load_async(scan, rows, &step.sources, places)).await?;
                }
                step.sift::<T, Box<T>>(&mut rows)?;
            }
            let mut rows = rows.into_iter();
            while rows.len() > 0 {
                let loaded = if course.last.is_empty() {
                    rows.by_ref().collect()
                } else {
                    let left = scan.context().left().map_or(few, |left| left.clamp(1, few));
                    let some: Vec<Box<T>> = rows.by_ref().take(left).collect();
                    source.beside(load_async(scan, some, &course.last, places)).await?
                };
                for row in loaded {
                    if !claim(scan) {
                        if let Some(batch) = batcher.take()? {
                            sink.send(batch).await;
                        }
                        return Ok(());
                    }
                    batcher.push(&*row);
                    let is_satisfied = scan.context().is_satisfied();
                    if (batcher.is_due() || is_satisfied)
                        && let Some(batch) = batcher.take()?
                        && !source.beside(sink.send(batch)).await
                    {
                        return Ok(());
                    }
                    if is_satisfied {
                        return Ok(());
                    }
                }
            }
        }
        if is_over || failure.is_some() {
            if let Some(batch) = batcher.take()? {
                sink.send(batch).await;
            }
            return failure.map_or(Ok(()), Err);
        }
    }
}
