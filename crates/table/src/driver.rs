//! The drivers: turn rows into Arrow batches with as few reads as the query allows.
//!
//! A driver sees rows as [`AnyRow`] and their table as its [`TableSpec`]. So derived row types and tables that are
//! known only at run time (resources that a cluster defines, recorded history) use the same driver, with sources,
//! conditions and limits.
//!
//! A table returns rows with the cheap columns filled. For each condition, the driver runs the sources that it needs,
//! evaluates it on a chunk of rows, and keeps the rows that pass. It starts with the condition whose sources cost
//! least. The sources of the other wanted columns run last, for the remaining rows.

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
use crate::row::{AnyRow, Loading};
use crate::scan::{BoxFuture, RowFilter, Scalar, ScanContext};
use crate::spec::TableSpec;
use crate::table::Sink;
use crate::value;

/// A batch older than this is sent even if it is not full, so that rows of slow sources appear.
const PATIENCE: Duration = Duration::from_millis(50);

/// Rows of this many bytes are passed on even if they are few: a value can have megabytes, and what a driver holds is
/// not charged to the query's memory yet.
const BATCH_BYTES: usize = 8 << 20;

/// Most rows that a condition is evaluated on together.
pub(crate) const CHUNK: usize = 1024;

/// Rows that a condition is evaluated on together under a small limit, so that few extra rows are read.
const SMALL_CHUNK: usize = 16;

/// A row of any table.
pub type BoxRow = Box<dyn AnyRow>;

/// The sources of a blocking table.
pub trait Sources {
    /// Runs a source that fills its columns of a row.
    fn load(&self, row: &mut dyn AnyRow, source: usize) -> Result<()>;
    /// Runs a source in batches ([`SourceSpec::batch`](crate::SourceSpec::batch)), which fills its columns of several
    /// rows. An error applies to every row.
    fn load_many(&self, rows: &mut [Loading<'_, dyn AnyRow>], source: usize) -> Result<()> {
        for row in rows {
            if let Err(error) = self.load(&mut **row, source) {
                row.fail(error);
            }
        }
        Ok(())
    }
}

/// The sources of a streaming table.
pub trait AsyncSources: Sync {
    /// Runs a source that fills its columns of a row.
    fn load<'a>(&'a self, row: &'a mut dyn AnyRow, source: usize) -> BoxFuture<'a, Result<()>>;
    /// Runs a source in batches ([`SourceSpec::batch`](crate::SourceSpec::batch)), which fills its columns of several
    /// rows. An error applies to every row.
    fn load_many<'a>(&'a self, rows: &'a mut [Loading<'_, dyn AnyRow>], source: usize) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for row in rows {
                if let Err(error) = self.load(&mut **row, source).await {
                    row.fail(error);
                }
            }
            Ok(())
        })
    }
}

/// The table and context of one scan.
#[derive(Debug, Clone, Copy)]
struct TableScan<'a> {
    spec: &'a TableSpec,
    context: &'a ScanContext,
}

impl TableScan<'_> {
    fn report(&self, origin: &str, error: &Error) {
        self.context.report(&self.spec.name, origin, error);
    }

    fn is_cancelled(&self) -> bool {
        self.context.meter.is_cancelled()
    }

    /// Counts a row against the scan's limit; `false` if the limit is reached.
    fn claim(&self) -> bool {
        match self.context.limit {
            Some(limit) => self.context.given.fetch_add(1, Ordering::Relaxed) < limit,
            None => true,
        }
    }

    /// Whether to keep a row after one of its sources ran.
    fn keeps_row(&self, source: usize, outcome: Result<()>) -> Result<bool> {
        match outcome {
            Ok(()) => Ok(true),
            Err(Error::Gone(_)) => Ok(false),
            Err(error) if error.ends_query() => Err(error),
            Err(error) => {
                self.report(self.spec.sources[source].name, &error);
                Ok(true)
            }
        }
    }

    /// The same for several rows.
    fn keep_rows(&self, source: usize, rows: &mut Vec<BoxRow>, outcomes: Vec<Result<()>>) -> Result<()> {
        let kept = outcomes.into_iter().map(|outcome| self.keeps_row(source, outcome));
        let mut kept = kept.collect::<Result<Vec<bool>>>()?.into_iter();
        rows.retain(|_| kept.next().expect("each row has an outcome"));
        Ok(())
    }
}

/// The steps of a row between its table and its batch.
struct RowPlan {
    admission: Admission,
    /// Conditions, each with the sources that run for it.
    steps: Vec<Step>,
    /// Sources that run for the rows that meet all conditions.
    last: ToLoad,
}

/// Sources that run for the same rows.
#[derive(Default)]
struct ToLoad {
    row_by_row: Vec<usize>,
    /// Sources that run for several rows per call, with the size of a batch.
    in_batches: Vec<(usize, usize)>,
}

impl ToLoad {
    fn of(spec: &TableSpec, sources: Vec<usize>) -> Self {
        let mut all = ToLoad::default();
        for source in sources {
            match spec.sources[source].batch {
                None => all.row_by_row.push(source),
                Some(rows) => all.in_batches.push((source, rows.max(1))),
            }
        }
        all
    }

    fn is_empty(&self) -> bool {
        self.row_by_row.is_empty() && self.in_batches.is_empty()
    }

    /// Number of rows to run them together for in a streaming table: `few`, or as many batches as are loaded
    /// concurrently.
    fn together(&self, few: usize, at_once: usize) -> usize {
        match self.batch() {
            None => few,
            Some(batch) if self.row_by_row.is_empty() => few.max(batch.saturating_mul(at_once)),
            Some(batch) => few.max(batch),
        }
    }

    /// Rows of the largest batch; `None` if all sources run row by row.
    fn batch(&self) -> Option<usize> {
        self.in_batches.iter().map(|(_, rows)| *rows).max()
    }
}

struct Step {
    sources: ToLoad,
    filter: Arc<dyn RowFilter>,
    schema: SchemaRef,
}

impl RowPlan {
    fn of(scan: TableScan<'_>) -> Self {
        let TableScan { spec, context } = scan;
        let sources = |columns: &[usize]| -> Vec<usize> {
            let needed = |source: &usize| columns.iter().any(|c| spec.columns[*c].source == Some(*source));
            (0..spec.sources.len()).filter(needed).collect()
        };
        let cost = |sources: &[usize]| sources.iter().map(|source| u64::from(spec.sources[*source].cost)).sum::<u64>();
        let mut filters: Vec<_> = context.filters.iter().map(|filter| (sources(filter.columns()), filter)).collect();
        let mut run: Vec<usize> = Vec::new();
        let mut steps = Vec::with_capacity(filters.len());
        while !filters.is_empty() {
            filters.iter_mut().for_each(|(sources, _)| sources.retain(|source| !run.contains(source)));
            // The first of the cheapest: conditions of equal cost keep their order.
            let (cheapest, _) =
                filters.iter().enumerate().min_by_key(|(_, (sources, _))| cost(sources)).expect("there is one left");
            let (sources, filter) = filters.remove(cheapest);
            run.extend(&sources);
            let schema = spec.schema().project(filter.columns()).expect("conditions look at columns of the table");
            steps.push(Step { sources: ToLoad::of(spec, sources), filter: filter.clone(), schema: Arc::new(schema) });
        }
        let mut last = sources(&context.columns);
        last.retain(|source| !run.contains(source));
        RowPlan { admission: Admission::of(scan), steps, last: ToLoad::of(spec, last) }
    }

    /// Number of rows to evaluate conditions on together; without conditions, to load together.
    fn chunk(&self, context: &ScanContext) -> usize {
        match (self.steps.is_empty(), context.limit) {
            (true, _) => self.last_together(context),
            (false, Some(limit)) => limit.clamp(SMALL_CHUNK, CHUNK),
            (false, None) => CHUNK,
        }
    }

    /// Number of rows for which a blocking table runs the last sources before it returns one: no more than the query
    /// needs, and more than one only if a source runs in batches.
    fn last_together(&self, context: &ScanContext) -> usize {
        let batch = self.last.batch().unwrap_or(1);
        context.left().map_or(batch, |left| left.clamp(1, batch))
    }
}

impl Step {
    /// Keeps the rows that meet the condition.
    fn sift(&self, spec: &TableSpec, rows: &mut Vec<BoxRow>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let column = |position: &usize| -> ArrayRef {
            let mut builder = value::builder(&spec.columns[*position].kind, rows.len());
            rows.iter().for_each(|row| row.append(*position, builder.as_mut()));
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

/// The keys that rows are checked against. Tables apply keys exactly, but may use only one of several constrained
/// columns.
struct Admission(Vec<(usize, HashSet<Scalar>)>);

impl Admission {
    fn of(scan: TableScan<'_>) -> Self {
        let keys = scan.context.constraints.0.iter().filter_map(|(column, constraint)| {
            let keys = constraint.keys.as_ref()?;
            Some((*column, keys.iter().map(|key| scan.spec.columns[*column].as_key(key.clone())).collect()))
        });
        Admission(keys.collect())
    }

    fn admits(&self, spec: &TableSpec, row: &dyn AnyRow) -> bool {
        self.0.iter().all(|(column, keys)| {
            row.key(*column).is_some_and(|value| keys.contains(&spec.columns[*column].as_key(value)))
        })
    }
}

/// Rows of the next batch: one builder per wanted column.
struct Batcher<'a> {
    scan: TableScan<'a>,
    schema: SchemaRef,
    builders: Vec<(usize, Box<dyn ArrayBuilder>)>,
    rows: usize,
    bytes: usize,
    since: Instant,
}

impl<'a> Batcher<'a> {
    fn new(scan: TableScan<'a>) -> Self {
        let columns = &scan.context.columns;
        let builder = |column: &usize| (*column, value::builder(&scan.spec.columns[*column].kind, 64));
        let schema = scan.spec.schema().project(columns).expect("wanted columns are columns of the table");
        let builders = columns.iter().map(builder).collect();
        Batcher { scan, schema: Arc::new(schema), builders, rows: 0, bytes: 0, since: Instant::now() }
    }

    fn push(&mut self, row: &dyn AnyRow) {
        if self.rows == 0 {
            self.since = Instant::now();
        }
        for (column, builder) in &mut self.builders {
            row.append(*column, builder.as_mut());
        }
        self.rows += 1;
        self.bytes += row.bytes();
    }

    fn is_due(&self) -> bool {
        self.rows >= self.scan.context.batch_size || self.bytes >= BATCH_BYTES || (self.rows % 16 == 1 && self.is_old())
    }

    fn is_old(&self) -> bool {
        self.rows > 0 && self.since.elapsed() > PATIENCE
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        // A builder reserves capacity, up to megabytes per column. A cached batch must not hold it.
        let finished = |(_, builder): &mut (usize, Box<dyn ArrayBuilder>)| {
            let mut array = builder.finish();
            array.shrink_to_fit();
            array
        };
        let arrays: Vec<ArrayRef> = self.builders.iter_mut().map(finished).collect();
        if self.scan.context.meter.is_lossy() {
            for ((column, _), array) in self.builders.iter().zip(&arrays) {
                report_lossy(self.scan, *column, array);
            }
        }
        let batch = batch(&self.schema, arrays, self.rows)?;
        self.scan.context.meter.add_rows(self.rows as u64);
        (self.rows, self.bytes) = (0, 0);
        Ok(Some(batch))
    }
}

/// Reports the values of a column that contain U+FFFD, if the scan read bytes that are not UTF-8.
fn report_lossy(scan: TableScan<'_>, column: usize, array: &ArrayRef) {
    let report = |text: &str| {
        if text.contains(char::REPLACEMENT_CHARACTER) {
            let message = format!("`{text}` is not UTF-8; U+FFFD replaces the invalid bytes");
            scan.report(&scan.spec.columns[column].name, &Error::Malformed(message));
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

/// Runs sources for a row; `false` if the row is gone.
fn load(scan: TableScan<'_>, table: &dyn Sources, row: &mut dyn AnyRow, sources: &[usize]) -> Result<bool> {
    for source in sources {
        let outcome = table.load(row, *source);
        if !scan.keeps_row(*source, outcome)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs sources for rows in batches of a size; drops the rows that are gone.
fn load_batches(
    scan: TableScan<'_>,
    table: &dyn Sources,
    rows: &mut Vec<BoxRow>,
    sources: &[(usize, usize)],
) -> Result<()> {
    for (source, size) in sources {
        let mut outcomes = vec![Ok(()); rows.len()];
        for (rows, outcomes) in rows.chunks_mut(*size).zip(outcomes.chunks_mut(*size)) {
            if scan.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if let Err(error) = table.load_many(&mut loading(rows, outcomes), *source) {
                outcomes.fill(Err(error));
            }
        }
        scan.keep_rows(*source, rows, outcomes)?;
    }
    Ok(())
}

fn loading<'a>(rows: &'a mut [BoxRow], outcomes: &'a mut [Result<()>]) -> Vec<Loading<'a, dyn AnyRow>> {
    rows.iter_mut().zip(outcomes).map(|(row, outcome)| Loading::new(&mut **row, outcome)).collect()
}

/// A scan of a blocking table.
struct Reader<'a> {
    scan: TableScan<'a>,
    plan: RowPlan,
    table: &'a dyn Sources,
    /// Rows whose last sources are running.
    ready: Vec<BoxRow>,
    batcher: Batcher<'a>,
    sink: &'a mut dyn Sink,
}

impl Reader<'_> {
    /// Runs the conditions from a position on for rows, then the last sources, and adds those that are left to the
    /// batch. The sources of the first condition have run row by row.
    fn sift(&mut self, rows: &mut Vec<BoxRow>, position: usize) -> Result<()> {
        let Some(step) = self.plan.steps.get(position) else { return self.give(rows) };
        if position == 0 || step.sources.row_by_row.is_empty() {
            return self.sift_loaded(rows, position);
        }
        let mut loaded = Vec::with_capacity(rows.len());
        let mut bytes = 0;
        for mut row in rows.drain(..) {
            if load(self.scan, self.table, &mut *row, &self.plan.steps[position].sources.row_by_row)? {
                bytes += row.bytes();
                loaded.push(row);
            }
            if bytes >= BATCH_BYTES {
                self.sift_loaded(&mut loaded, position)?;
                bytes = 0;
            }
        }
        self.sift_loaded(&mut loaded, position)
    }

    fn sift_loaded(&mut self, rows: &mut Vec<BoxRow>, position: usize) -> Result<()> {
        let step = &self.plan.steps[position];
        load_batches(self.scan, self.table, rows, &step.sources.in_batches)?;
        step.sift(self.scan.spec, rows)?;
        self.sift(rows, position + 1)
    }

    /// Runs the last sources for rows that meet all conditions, and sends batches that are due.
    fn give(&mut self, rows: &mut Vec<BoxRow>) -> Result<()> {
        let context = self.scan.context;
        let mut rows = rows.drain(..);
        while rows.len() > 0 {
            let (most, mut bytes) = (self.plan.last_together(context), 0);
            let mut ready = std::mem::take(&mut self.ready);
            while ready.len() < most
                && bytes < BATCH_BYTES
                && let Some(mut row) = rows.next()
            {
                if load(self.scan, self.table, &mut *row, &self.plan.last.row_by_row)? {
                    bytes += row.bytes();
                    ready.push(row);
                }
            }
            load_batches(self.scan, self.table, &mut ready, &self.plan.last.in_batches)?;
            for row in ready.drain(..) {
                if !self.scan.claim() {
                    self.send()?;
                    return Err(Error::Cancelled);
                }
                self.batcher.push(&*row);
                let is_satisfied = context.is_satisfied();
                if self.batcher.is_due() || is_satisfied {
                    self.send()?;
                }
                if is_satisfied {
                    return Err(Error::Cancelled);
                }
            }
            self.ready = ready;
        }
        Ok(())
    }

    /// Sends the batch, unless it is empty. Fails if the query needs no more rows.
    fn send(&mut self) -> Result<()> {
        let is_over = self.batcher.take()?.is_some_and(|batch| !self.sink.blocking_send(batch));
        if is_over { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// Reads rows from blocking calls. If the query needs no more rows, the scan ends as [`Error::Cancelled`].
///
/// `together` is the number of rows that may be held at a time.
pub fn read_rows(
    spec: &TableSpec,
    context: &ScanContext,
    rows: &mut dyn Iterator<Item = BoxRow>,
    table: &dyn Sources,
    together: usize,
    sink: &mut dyn Sink,
) -> Result<()> {
    let scan = TableScan { spec, context };
    let (plan, batcher) = (RowPlan::of(scan), Batcher::new(scan));
    let mut reader = Reader { scan, plan, table, ready: Vec::new(), batcher, sink };
    let mut chunk = Vec::new();
    let mut is_over = false;
    while !is_over {
        let first = reader.plan.steps.first().map_or(&[][..], |step| &step.sources.row_by_row);
        let size = reader.plan.chunk(context).min(together);
        let since = (size > 1).then(Instant::now);
        let mut bytes = 0;
        while chunk.len() < size && bytes < BATCH_BYTES {
            if scan.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let Some(mut row) = rows.next() else {
                is_over = true;
                break;
            };
            if !reader.plan.admission.admits(spec, &*row) {
                continue;
            }
            if load(scan, table, &mut *row, first)? {
                bytes += row.bytes();
                chunk.push(row);
            }
            if chunk.len() % 16 == 1 && since.is_some_and(|since| since.elapsed() > PATIENCE) {
                break;
            }
        }
        reader.sift(&mut chunk, 0)?;
        if size > 1 && reader.batcher.is_old() {
            reader.send()?;
        }
    }
    if let Some(batch) = reader.batcher.take()? {
        reader.sink.blocking_send(batch);
    }
    if scan.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}

/// The rows of a stream for the driver. A row can be kilobytes, so it is moved only once.
///
/// A stream in the middle of a call may hold something that another scan of the query waits for: a permit of the
/// endpoint, or a page that both read. So the driver polls the stream whenever it waits, until the stream yields a row
/// or ends.
struct Source<'a> {
    rows: RowsOf<'a>,
    state: SourceState,
}

/// Rows of a streaming table.
pub type RowsOf<'a> = Pin<Box<dyn Stream<Item = Result<BoxRow>> + Send + 'a>>;

enum SourceState {
    /// It has yielded its last row to the driver, and is idle.
    Resting,
    /// It is in the middle of a call.
    Busy,
    /// It has a row or an error that the driver has not taken.
    Ready(Result<BoxRow>),
    Ended,
}

impl Source<'_> {
    fn poll(&mut self, context: &mut Context<'_>) {
        self.state = match self.rows.as_mut().poll_next(context) {
            Poll::Ready(Some(row)) => SourceState::Ready(row),
            Poll::Ready(None) => SourceState::Ended,
            Poll::Pending => SourceState::Busy,
        };
    }

    /// Adds the rows that are ready to `chunk`, at most `most`; an error ends them and is returned. Waits for the first
    /// row if `chunk` is empty.
    fn poll_gather(&mut self, context: &mut Context<'_>, chunk: &mut Vec<BoxRow>, most: usize) -> Poll<Option<Error>> {
        let mut bytes = 0;
        while chunk.len() < most && bytes < BATCH_BYTES {
            match std::mem::replace(&mut self.state, SourceState::Resting) {
                SourceState::Ready(Ok(row)) => {
                    bytes += row.bytes();
                    chunk.push(row);
                }
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

    /// Waits for some work, and polls the stream meanwhile if it is in the middle of a call.
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

/// Runs sources for a row; `None` if the row is gone.
fn load_row<'a>(
    scan: TableScan<'a>,
    table: &'a dyn AsyncSources,
    mut row: BoxRow,
    sources: &'a [usize],
) -> BoxFuture<'a, Result<Option<BoxRow>>> {
    Box::pin(async move {
        for source in sources {
            let outcome = table.load(&mut *row, *source).await;
            if !scan.keeps_row(*source, outcome)? {
                return Ok(None);
            }
        }
        Ok(Some(row))
    })
}

/// Runs sources for rows, several concurrently; drops the rows that are gone.
async fn load_async(
    scan: TableScan<'_>,
    table: &dyn AsyncSources,
    mut rows: Vec<BoxRow>,
    sources: &ToLoad,
    at_once: usize,
) -> Result<Vec<BoxRow>> {
    if !sources.row_by_row.is_empty() {
        let loading: Vec<_> = rows.into_iter().map(|row| load_row(scan, table, row, &sources.row_by_row)).collect();
        let loaded: Vec<Option<BoxRow>> = stream::iter(loading).buffered(at_once).try_collect().await?;
        rows = loaded.into_iter().flatten().collect();
    }
    for (source, size) in &sources.in_batches {
        let mut outcomes = vec![Ok(()); rows.len()];
        let batches = rows.chunks_mut(*size).zip(outcomes.chunks_mut(*size));
        let calls: Vec<_> = batches.map(|(rows, outcomes)| load_batch(table, rows, outcomes, *source)).collect();
        stream::iter(calls).buffered(at_once).collect::<Vec<()>>().await;
        scan.keep_rows(*source, &mut rows, outcomes)?;
    }
    if scan.is_cancelled() {
        return Err(Error::Cancelled);
    }
    Ok(rows)
}

/// Runs a source for several rows in one call.
fn load_batch<'a>(
    table: &'a dyn AsyncSources,
    rows: &'a mut [BoxRow],
    outcomes: &'a mut [Result<()>],
    source: usize,
) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        if let Err(error) = table.load_many(&mut loading(rows, outcomes), source).await {
            outcomes.fill(Err(error));
        }
    })
}

/// Sends the last rows. Drops the stream first, so that it holds nothing while they wait for their consumer.
async fn finish(source: Source<'_>, batcher: &mut Batcher<'_>, sink: &mut dyn Sink, end: Result<()>) -> Result<()> {
    drop(source);
    if let Some(batch) = batcher.take()? {
        sink.send(batch).await;
    }
    end
}

/// Reads rows from asynchronous calls. If the query needs no more rows, the scan ends as [`Error::Cancelled`].
pub async fn read_stream(
    spec: &TableSpec,
    context: &ScanContext,
    rows: RowsOf<'_>,
    table: &dyn AsyncSources,
    mut sink: Box<dyn Sink>,
) -> Result<()> {
    let scan = TableScan { spec, context };
    let plan = RowPlan::of(scan);
    let places = context.gate.concurrency().max(1);
    let mut batcher = Batcher::new(scan);
    let mut source = Source { rows, state: SourceState::Resting };
    // Details are loaded for a few rows at a time, so that the first rows do not wait for the details of the last.
    let few = 4 * places;
    let size = match context.limit {
        Some(limit) if plan.steps.is_empty() => limit.clamp(1, CHUNK),
        _ => plan.chunk(context).max(SMALL_CHUNK),
    };
    let cheap = plan.steps.iter().take_while(|step| step.sources.is_empty()).count();
    let (cheap, expensive) = plan.steps.split_at(cheap);
    // With a limit, batches are not larger than the limit, because conditions may drop any number of rows.
    let some_sifted = match context.limit {
        Some(_) => few,
        None => expensive.iter().map(|step| step.sources.together(few, places)).max().unwrap_or(few),
    };
    let some_given = plan.last.together(few, places);
    loop {
        let mut chunk = Vec::new();
        let mut gathered = std::future::poll_fn(|context| source.poll_gather(context, &mut chunk, size)).now_or_never();
        if gathered.is_none()
            && let Some(batch) = batcher.take()?
        {
            // No row is ready, so the current batch is sent: the first page appears while the second is fetched.
            if !source.beside(sink.send(batch)).await {
                return Err(Error::Cancelled);
            }
        }
        if gathered.is_none() {
            gathered = Some(std::future::poll_fn(|context| source.poll_gather(context, &mut chunk, size)).await);
        }
        let failure = gathered.flatten();
        let is_over = chunk.is_empty();
        if scan.is_cancelled() {
            return Err(Error::Cancelled);
        }
        chunk.retain(|row| plan.admission.admits(spec, &**row));
        for step in cheap {
            step.sift(spec, &mut chunk)?;
        }
        let mut chunk = chunk.into_iter();
        while chunk.len() > 0 {
            let some = if expensive.is_empty() { chunk.len() } else { some_sifted };
            let mut rows: Vec<BoxRow> = chunk.by_ref().take(some).collect();
            for step in expensive {
                if !step.sources.is_empty() {
                    rows = source.beside(load_async(scan, table, rows, &step.sources, places)).await?;
                }
                step.sift(spec, &mut rows)?;
            }
            let mut rows = rows.into_iter();
            while rows.len() > 0 {
                let loaded = if plan.last.is_empty() {
                    rows.by_ref().collect()
                } else {
                    let left = context.left().map_or(some_given, |left| left.clamp(1, some_given));
                    let some: Vec<BoxRow> = rows.by_ref().take(left).collect();
                    source.beside(load_async(scan, table, some, &plan.last, places)).await?
                };
                for row in loaded {
                    if !scan.claim() {
                        return finish(source, &mut batcher, &mut *sink, Err(Error::Cancelled)).await;
                    }
                    batcher.push(&*row);
                    let is_satisfied = context.is_satisfied();
                    if (batcher.is_due() || is_satisfied)
                        && let Some(batch) = batcher.take()?
                        && !source.beside(sink.send(batch)).await
                    {
                        return Err(Error::Cancelled);
                    }
                    if is_satisfied {
                        return Err(Error::Cancelled);
                    }
                }
            }
        }
        if is_over || failure.is_some() {
            return finish(source, &mut batcher, &mut *sink, failure.map_or(Ok(()), Err)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use arrow_array::BooleanArray;
    use arrow_array::builder::{Int64Builder, StringViewBuilder};
    use arrow_array::types::Int64Type;
    use serde_json::json;

    use super::*;
    use crate::scan::{ColumnConstraint, Constraints};
    use crate::spec::{ColumnSpec, Kind, SourceSpec};

    /// A table that is known only at run time: documents of a kind, with details from a source.
    struct Documents {
        spec: TableSpec,
        loaded: [AtomicUsize; 2],
        batches: AtomicUsize,
    }

    struct Document(serde_json::Value);

    impl AnyRow for Document {
        fn append(&self, column: usize, builder: &mut dyn ArrayBuilder) {
            let builder = builder.as_any_mut();
            match column {
                0 => builder.downcast_mut::<Int64Builder>().expect("n").append_option(self.0["n"].as_i64()),
                1 => {
                    builder.downcast_mut::<StringViewBuilder>().expect("cheap").append_option(self.0["cheap"].as_str())
                }
                _ => builder.downcast_mut::<StringViewBuilder>().expect("dear").append_option(self.0["dear"].as_str()),
            }
        }

        fn key(&self, column: usize) -> Option<Scalar> {
            (column == 0).then(|| self.0["n"].as_i64().map(Scalar::Integer))?
        }
    }

    impl Documents {
        fn new(batch: Option<usize>) -> Self {
            let column = |name: &'static str, kind, source: Option<usize>| {
                let mut column = ColumnSpec::new(name, kind, "");
                (column.index, column.source) = (source.is_none(), source);
                column
            };
            let columns = vec![
                column("n", Kind::BigInt, None),
                column("cheap", Kind::Text, Some(1)),
                column("dear", Kind::Text, Some(0)),
            ];
            let mut spec = TableSpec::new(format!("kind_{}", 7), "documents", "Documents of a kind.", columns);
            let dear = SourceSpec { batch, ..SourceSpec::new("dear", 100) };
            spec.sources = vec![dear, SourceSpec::new("cheap", 1)].into();
            Documents { spec, loaded: Default::default(), batches: AtomicUsize::default() }
        }

        fn fill(&self, row: &mut dyn AnyRow, source: usize) -> Result<()> {
            self.loaded[source].fetch_add(1, Ordering::Relaxed);
            let row: &mut dyn std::any::Any = row;
            let Document(document) = row.downcast_mut().expect("its own rows");
            match (source, document["n"].as_i64()) {
                (_, Some(4)) => return Err(Error::Gone("4".to_owned())),
                (0, Some(6)) => return Err(Error::denied("6")),
                (0, _) => document["dear"] = json!("details"),
                _ => document["cheap"] = json!(if document["n"].as_i64() < Some(8) { "yes" } else { "no" }),
            }
            Ok(())
        }
    }

    impl Sources for Documents {
        fn load(&self, row: &mut dyn AnyRow, source: usize) -> Result<()> {
            self.fill(row, source)
        }

        fn load_many(&self, rows: &mut [Loading<'_, dyn AnyRow>], source: usize) -> Result<()> {
            self.batches.fetch_add(1, Ordering::Relaxed);
            for row in rows {
                if let Err(error) = self.fill(&mut **row, source) {
                    row.fail(error);
                }
            }
            Ok(())
        }
    }

    impl AsyncSources for Documents {
        fn load<'a>(&'a self, row: &'a mut dyn AnyRow, source: usize) -> BoxFuture<'a, Result<()>> {
            Box::pin(std::future::ready(self.fill(row, source)))
        }

        fn load_many<'a>(
            &'a self,
            rows: &'a mut [Loading<'_, dyn AnyRow>],
            source: usize,
        ) -> BoxFuture<'a, Result<()>> {
            Box::pin(std::future::ready(Sources::load_many(self, rows, source)))
        }
    }

    #[derive(Debug)]
    struct Is(usize, &'static str);

    impl RowFilter for Is {
        fn columns(&self) -> &[usize] {
            std::slice::from_ref(&self.0)
        }

        fn keep(&self, rows: &RecordBatch) -> Result<BooleanArray> {
            Ok(rows.column(0).as_string_view().iter().map(|text| Some(text == Some(self.1))).collect())
        }
    }

    struct Channel(std::sync::mpsc::Sender<RecordBatch>);

    impl Sink for Channel {
        fn blocking_send(&mut self, batch: RecordBatch) -> bool {
            self.0.send(batch).is_ok()
        }

        fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
            Box::pin(std::future::ready(self.0.send(batch).is_ok()))
        }
    }

    /// The numbers of the rows, the number of rows for which the expensive and the cheap source ran, and the number of
    /// batches, from one driver.
    fn read(context: &ScanContext, is_stream: bool, batch: Option<usize>) -> (Vec<i64>, [usize; 2], usize) {
        let table = Documents::new(batch);
        let end = if context.limit.is_some() { Err(Error::Cancelled) } else { Ok(()) };
        let (sender, batches) = std::sync::mpsc::channel();
        let mut documents = (0..10).map(|n| Box::new(Document(json!({"n": n}))) as BoxRow);
        if is_stream {
            let rows = Box::pin(stream::iter(documents.map(Ok)));
            let reading = read_stream(&table.spec, context, rows, &table, Box::new(Channel(sender)));
            assert_eq!(reading.now_or_never().expect("nothing to wait for"), end);
        } else {
            let mut sink = Channel(sender);
            assert_eq!(read_rows(&table.spec, context, &mut documents, &table, CHUNK, &mut sink), end);
        }
        let numbers = |batch: RecordBatch| batch.column(0).as_primitive::<Int64Type>().values().to_vec();
        let loaded = table.loaded.map(AtomicUsize::into_inner);
        (batches.into_iter().flat_map(numbers).collect(), loaded, table.batches.into_inner())
    }

    /// Numbers of rows per batch of a table whose rows grow to this many bytes, and the most bytes that rows had at a
    /// time.
    fn batches_of_large_rows(bytes: usize, filters: &[Arc<dyn RowFilter>], is_stream: bool) -> (Vec<usize>, usize) {
        static HELD: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        struct Large(usize);
        impl AnyRow for Large {
            fn append(&self, _column: usize, builder: &mut dyn ArrayBuilder) {
                let builder = builder.as_any_mut().downcast_mut::<StringViewBuilder>().expect("a text");
                builder.append_value("yes");
            }
            fn key(&self, _column: usize) -> Option<Scalar> {
                None
            }
            fn bytes(&self) -> usize {
                self.0
            }
        }
        impl Drop for Large {
            fn drop(&mut self) {
                HELD.fetch_sub(self.0, Ordering::Relaxed);
            }
        }
        struct Sized(usize);
        impl Sized {
            fn fill(&self, row: &mut dyn AnyRow, source: usize) -> Result<()> {
                let row: &mut dyn std::any::Any = row;
                let Large(size) = row.downcast_mut().expect("its own rows");
                if source == 0 {
                    *size = self.0;
                    MOST.fetch_max(HELD.fetch_add(*size, Ordering::Relaxed) + *size, Ordering::Relaxed);
                }
                Ok(())
            }
        }
        impl Sources for Sized {
            fn load(&self, row: &mut dyn AnyRow, source: usize) -> Result<()> {
                self.fill(row, source)
            }
        }
        impl AsyncSources for Sized {
            fn load<'a>(&'a self, row: &'a mut dyn AnyRow, source: usize) -> BoxFuture<'a, Result<()>> {
                Box::pin(std::future::ready(self.fill(row, source)))
            }
        }
        HELD.store(0, Ordering::Relaxed);
        MOST.store(0, Ordering::Relaxed);
        let (spec, table) = (Documents::new(None).spec, Sized(bytes));
        let context = ScanContext { filters: filters.into(), ..ScanContext::new([2]) };
        let (sender, batches) = std::sync::mpsc::channel();
        let mut rows = (0..2000).map(|_| Box::new(Large(0)) as BoxRow);
        if is_stream {
            let rows = Box::pin(stream::iter(rows.map(Ok)));
            let reading = read_stream(&spec, &context, rows, &table, Box::new(Channel(sender)));
            assert_eq!(reading.now_or_never().expect("nothing to wait for"), Ok(()));
        } else {
            let mut sink = Channel(sender);
            assert_eq!(read_rows(&spec, &context, &mut rows, &table, CHUNK, &mut sink), Ok(()));
        }
        (batches.into_iter().map(|batch| batch.num_rows()).collect(), MOST.load(Ordering::Relaxed))
    }

    #[test]
    fn a_batch_of_large_rows_has_few() {
        let large: Arc<dyn RowFilter> = Arc::new(Is(2, "yes"));
        let small: Arc<dyn RowFilter> = Arc::new(Is(1, "yes"));
        for filters in [vec![], vec![large.clone()], vec![small, large]] {
            for is_stream in [false, true] {
                let (batches, most) = batches_of_large_rows(1 << 20, &filters, is_stream);
                assert_eq!(batches.iter().sum::<usize>(), 2000);
                assert!(batches.iter().all(|rows| *rows <= 8), "{batches:?}");
                // A stream loads the details of a few rows concurrently.
                let limit = if is_stream { 64 } else { 2 * 8 };
                assert!(most <= limit << 20, "{most} bytes with {} conditions", filters.len());
                let (batches, _) = batches_of_large_rows(100, &filters, is_stream);
                assert!(batches.iter().any(|rows| *rows > 8), "{batches:?}");
            }
        }
    }

    #[test]
    fn a_table_known_at_run_time_has_sources_conditions_keys_and_limits() {
        for (is_stream, batch) in [(false, None), (true, None), (false, Some(4)), (true, Some(4)), (true, Some(0))] {
            let read = |context: ScanContext| {
                let (rows, loaded, batches) = read(&context, is_stream, batch);
                assert_eq!(batches, batch.map_or(0, |batch| loaded[0].div_ceil(batch.max(1))));
                let warnings: Vec<_> = context.query.diagnostics().warnings().iter().map(ToString::to_string).collect();
                (rows, loaded, warnings)
            };
            let all: Vec<i64> = (0..10).collect();
            assert_eq!(read(ScanContext::new([0])), (all, [0, 0], vec![]), "no unneeded source runs");
            let denied = vec!["kind_7 (dear): 6: permission denied".to_owned()];
            assert_eq!(read(ScanContext::new([0, 2])), (vec![0, 1, 2, 3, 5, 6, 7, 8, 9], [10, 0], denied.clone()));

            // The cheap condition is evaluated first, in whichever order they are written.
            let filters: [Arc<dyn RowFilter>; 2] = [Arc::new(Is(2, "details")), Arc::new(Is(1, "yes"))];
            let context = ScanContext { filters: filters.into(), ..ScanContext::new([0]) };
            assert_eq!(read(context.clone()).0, [0, 1, 2, 3, 5, 7]);
            let (_, [dear, cheap], warnings) =
                read(ScanContext { query: ScanContext::new([]).query, ..context.clone() });
            assert_eq!((dear, cheap, warnings), (7, 10, denied));

            let keys = ColumnConstraint {
                keys: Some(Arc::new(vec![Scalar::Integer(3), Scalar::Integer(9)])),
                ..ColumnConstraint::default()
            };
            let constraints = Arc::new(Constraints([(0, keys)].into()));
            let keyed = ScanContext { constraints, ..ScanContext::new([0, 1]) };
            assert_eq!(read(keyed), (vec![3, 9], [0, 2], vec![]));
            let few = ScanContext { limit: Some(3), ..ScanContext::new([0, 1]) };
            assert_eq!(read(few), (vec![0, 1, 2], [0, 3], vec![]));
        }
    }
}
