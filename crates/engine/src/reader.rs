//! Reads a table at run time: its slices concurrently, its alternatives in turn.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use arrow_array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{Stream, StreamExt};
use indago_table::scan::BoxFuture;
use indago_table::table::FindSlices;
use indago_table::{
    Constraints, Error as TableError, Meter, QueryScope, Reading, RowFilter, ScanContext, Sink, Slice, Sys, TableRef,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::alternatives;
use crate::condition::{self, Condition, Failure};
use crate::record::ScanRecord;
use crate::request::Request;
use crate::state::{EngineState, QueryState};
use crate::threads::Threads;

/// Reads rows of one table.
#[derive(Debug, Clone)]
pub(crate) struct TableReader {
    pub(crate) engine: Arc<EngineState>,
    pub(crate) table: TableRef,
    /// Columns that get keys from a join.
    pub(crate) joined: Arc<[usize]>,
}

impl TableReader {
    /// Adds a line to the query's statistics.
    pub(crate) fn record(&self, state: &QueryState, request: &Request, how: &'static str) -> Arc<ScanRecord> {
        let spec = self.table.spec();
        state.record(&spec.name, request.described(&self.table), condition::describe(&request.conditions), how)
    }

    /// Reads rows of the table.
    pub(crate) fn read(
        &self,
        state: &QueryState,
        record: Arc<ScanRecord>,
        request: &Request,
    ) -> SendableRecordBatchStream {
        let is_checked = self.table.checks_filters() || request.conditions.is_empty();
        let mut columns = request.columns.clone();
        if !is_checked {
            columns.extend(request.conditions.iter().flat_map(Condition::columns));
        }
        if !request.alternatives.is_empty() {
            columns.extend(request.constrained());
        }
        columns.sort_unstable();
        columns.dedup();
        let (filters, failure) = condition::filters(if is_checked { &request.conditions } else { &[] });
        let limit = request.limit.filter(|_| !self.table.checks_filters() || !request.alternatives.is_empty());
        let identifying: Vec<usize> =
            request.constrained().iter().filter_map(|column| columns.binary_search(column).ok()).collect();
        let (engine, table, scope) = (self.engine.clone(), self.table.clone(), state.scope.clone());
        let contexts = self.contexts(state, &record, &columns, request, &filters);
        let start = move |context| read(&engine, &table, context, record.clone(), scope.clone(), failure.clone());
        let rows = match <[ScanContext; 1]>::try_from(contexts) {
            Ok([context]) => start(context).boxed(),
            Err(contexts) => {
                alternatives::in_turn(contexts, start, identifying, state.memory("rows of alternatives")).boxed()
            }
        };
        let union = Request {
            columns,
            conditions: if is_checked { request.conditions.clone() } else { Vec::new() },
            ..request.clone()
        };
        let request = request.clone();
        let schema = Arc::new(self.table.spec().schema().project(&request.columns).expect("columns of the table"));
        let selected = rows.map(move |batch| request.select(&union, &batch?));
        match limit {
            Some(limit) => Box::pin(RecordBatchStreamAdapter::new(schema, first_rows(selected, limit))),
            None => Box::pin(RecordBatchStreamAdapter::new(schema, selected)),
        }
    }

    /// One context per alternative.
    fn contexts(
        &self,
        state: &QueryState,
        record: &ScanRecord,
        columns: &[usize],
        request: &Request,
        filters: &Arc<[Arc<dyn RowFilter>]>,
    ) -> Vec<ScanContext> {
        let gives_all = self.table.checks_filters() || request.conditions.is_empty();
        let context = |constraints: Arc<Constraints>| ScanContext {
            columns: columns.into(),
            constraints,
            joined: self.joined.clone(),
            filters: filters.clone(),
            limit: request.limit.filter(|_| gives_all),
            batch_size: self.engine.limits.batch_size,
            meter: Arc::new(Meter::child(&record.meter)),
            gate: self.engine.gate.clone(),
            query: state.scope.clone(),
            given: Arc::default(),
            within: None,
            slice: None,
            as_of: request.as_of,
            past: None,
        };
        match &*request.alternatives {
            [] => vec![context(request.constraints.clone())],
            several => several.iter().map(|constraints| context(Arc::new(constraints.clone()))).collect(),
        }
    }

    /// The labels of the slices that a request would read, for `EXPLAIN`.
    pub(crate) fn slices(&self, request: &Request) -> Vec<String> {
        let state = self.engine.start_alone();
        let record = self.record(&state, request, "explain");
        let (filters, _) = condition::filters(&request.conditions);
        let contexts = self.contexts(&state, &record, &request.columns, request, &filters);
        let contexts = contexts.into_iter().filter_map(|context| context.with_open_keys(self.table.spec()));
        let slices = contexts.flat_map(|context| self.table.slices(&context).unwrap_or_default());
        slices.map(|slice| slice.label).filter(|label| !label.is_empty()).collect()
    }
}

/// The first `limit` rows of a stream.
fn first_rows(
    rows: impl Stream<Item = Result<RecordBatch>> + Send,
    limit: usize,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    async_stream::try_stream! {
        let mut left = limit;
        let mut rows = std::pin::pin!(rows);
        while left > 0 && let Some(batch) = rows.next().await {
            let batch = batch?;
            let batch = batch.slice(0, batch.num_rows().min(left));
            left -= batch.num_rows();
            yield batch;
        }
    }
}

/// Reads all slices of a scan concurrently. A slice that fails becomes a warning, and the others continue.
fn read(
    engine: &EngineState,
    table: &TableRef,
    context: ScanContext,
    record: Arc<ScanRecord>,
    scope: Arc<QueryScope>,
    failure: Failure,
) -> Rows {
    let (sender, receiver) = mpsc::channel(2);
    let mut tasks = JoinSet::new();
    let (meter, left) = (context.meter.clone(), context.limit);
    let covered = Covered { table: table.spec().name.to_string(), scope, clock: engine.clock.clone() };
    let (wanted, is_wanted) = watch::channel(false);
    match table.slices(&context) {
        Err(error) => covered.end(&context.slice_name(""), 0, &Err(error)),
        Ok(slices) => {
            let readers = SliceReaders {
                sender,
                record: record.clone(),
                covered,
                permits: Arc::new(Semaphore::new(engine.limits.slices.max(1))),
                threads: engine.threads.clone(),
                failure: failure.clone(),
                is_wanted,
            };
            for slice in slices {
                tasks.spawn(readers.clone().read(slice));
            }
        }
    }
    Rows { receiver, tasks, wanted, left, record, meter, failure }
}

/// Reads slices, with a concurrency limit.
#[derive(Clone)]
struct SliceReaders {
    sender: mpsc::Sender<RecordBatch>,
    record: Arc<ScanRecord>,
    covered: Covered,
    permits: Arc<Semaphore>,
    threads: Arc<Threads>,
    failure: Failure,
    /// Becomes true when the plan first polls for rows.
    is_wanted: watch::Receiver<bool>,
}

impl SliceReaders {
    fn read(self, slice: Slice) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // The search for slices is not a slice itself, unless it fails.
            if !matches!(slice.reading, Reading::Finding(_)) {
                self.covered.begin(&slice);
            }
            let rows = Arc::<AtomicU64>::default();
            let mut sink = ChannelSink { sender: self.sender.clone(), rows: rows.clone() };
            let outcome = match slice.reading {
                // It takes no permit: the slices that it finds need one.
                Reading::Finding(find) => match self.find(find).await {
                    Ok(()) => return,
                    failed => failed,
                },
                Reading::Async(read) => self.with_permit(read(Box::new(sink))).await,
                Reading::Blocking(read) => self.with_permit(self.on_thread(move || read(&mut sink))).await,
            };
            if let Err(TableError::OutOfMemory(message)) = &outcome {
                self.failure.lock().get_or_insert_with(|| DataFusionError::ResourcesExhausted(message.clone()));
            }
            self.covered.end(&slice.label, rows.load(Ordering::Relaxed), &outcome);
        })
    }

    async fn with_permit(&self, reading: impl Future<Output = Result<(), TableError>>) -> Result<(), TableError> {
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        self.record.start_slice();
        let outcome = reading.await;
        self.record.end_slice();
        outcome
    }

    /// Runs blocking work. Before the plan polls for rows, it starts only if the engine has spare threads, because a
    /// reader that is ahead of its plan holds its thread while it waits.
    async fn on_thread(
        &self,
        work: impl FnOnce() -> Result<(), TableError> + Send + 'static,
    ) -> Result<(), TableError> {
        let mut is_wanted = self.is_wanted.clone();
        let _early = tokio::select! {
            biased;
            // An error means that the rows were dropped. The work then ends at its first row.
            _ = is_wanted.wait_for(|is_wanted| *is_wanted) => None,
            permit = self.threads.eager.acquire() => permit.ok(),
        };
        match self.threads.read(work).await {
            Ok(outcome) => outcome,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(TableError::Cancelled),
        }
    }

    async fn find(&self, find: FindSlices) -> Result<(), TableError> {
        let (sender, mut found) = mpsc::channel(1);
        self.record.start_search();
        let search = self.on_thread(move || find(&mut |slice| sender.blocking_send(slice).is_ok()));
        let read = async {
            let mut tasks = JoinSet::new();
            while let Some(slice) = found.recv().await {
                // Waiting for a permit here keeps the search from running far ahead.
                drop(self.permits.acquire().await.expect("the semaphore is never closed"));
                tasks.spawn(self.clone().read(slice));
            }
            while let Some(ended) = tasks.join_next().await {
                if let Err(error) = ended
                    && error.is_panic()
                {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
        };
        let (outcome, ()) = futures::join!(search, read);
        self.record.end_slice();
        outcome
    }
}

/// Records how much of each slice of a scan was read.
#[derive(Clone)]
struct Covered {
    table: String,
    scope: Arc<QueryScope>,
    clock: Sys,
}

impl Covered {
    fn begin(&self, slice: &Slice) {
        self.scope.begin_slice(&self.table, slice, self.clock.now());
    }

    fn end(&self, slice: &str, rows: u64, outcome: &Result<(), TableError>) {
        self.scope.end_slice(&self.table, slice, rows, outcome);
    }
}

/// The batches of a scan. Dropping it stops the scan, and so does reaching the limit.
struct Rows {
    receiver: mpsc::Receiver<RecordBatch>,
    tasks: JoinSet<()>,
    /// Tells readers that wait for a thread that the plan polls for rows.
    wanted: watch::Sender<bool>,
    /// Rows left until the limit; `None` for no limit.
    left: Option<usize>,
    record: Arc<ScanRecord>,
    meter: Arc<Meter>,
    failure: Failure,
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left == Some(0) {
            // Slices without rows so far are not needed, and neither are their warnings.
            self.meter.cancel();
            self.tasks.abort_all();
            return Poll::Ready(None);
        }
        if !*self.wanted.borrow() {
            self.wanted.send_replace(true);
        }
        match self.receiver.poll_recv(context) {
            Poll::Ready(Some(batch)) => {
                self.left = self.left.map(|left| left.saturating_sub(batch.num_rows()));
                return Poll::Ready(Some(Ok(batch)));
            }
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => {}
        }
        // All senders are gone. If a condition failed, this is an error and not the end of the rows.
        if let Some(error) = self.failure.lock().take() {
            return Poll::Ready(Some(Err(error)));
        }
        // A task that panicked must not look like the end of the rows.
        loop {
            match self.tasks.poll_join_next(context) {
                Poll::Ready(Some(Err(error))) if error.is_panic() => {
                    let message = format!("table {} panicked: {error}", self.record.table);
                    return Poll::Ready(Some(Err(DataFusionError::Execution(message))));
                }
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.meter.cancel();
    }
}

/// Sends the batches of a slice and counts its rows.
#[derive(Clone)]
struct ChannelSink {
    sender: mpsc::Sender<RecordBatch>,
    rows: Arc<AtomicU64>,
}

impl Sink for ChannelSink {
    fn blocking_send(&mut self, batch: RecordBatch) -> bool {
        self.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        self.sender.blocking_send(batch).is_ok()
    }

    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
        self.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        Box::pin(async move { self.sender.send(batch).await.is_ok() })
    }
}
