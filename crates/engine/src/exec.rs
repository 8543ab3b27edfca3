//! The leaf of a plan: one scan of one table.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use futures::{Stream, StreamExt, TryStreamExt};
use indago_table::scan::BoxFuture;
use indago_table::table::FindSlices;
use indago_table::{
    Constraints, Error as TableError, Meter, QueryScope, Reading, RowFilter, ScanContext, Sink, Slice, Sys, TableRef,
    TableSpec, Timestamp,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::alternatives;
use crate::condition::{self, Condition, Failure};
use crate::constraints;
use crate::estimate;
use crate::lookup_join::cache;
use crate::lookup_join::exec::KeyValues;
use crate::shared::SharedReading;
use crate::state::{QueryState, ScanRecord, Shared};
use crate::threads::Threads;

/// A request to a table: the columns, and which rows.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Wanted columns, in output order.
    pub(crate) columns: Vec<usize>,
    /// Constraints that the table applies, exactly or as hints.
    pub(crate) constraints: Arc<Constraints>,
    /// If `constraints` are not enough for a keyed table: the alternatives to read it by. Each includes the
    /// constraints.
    pub(crate) alternatives: Arc<[Constraints]>,
    /// Further conditions that are checked on the rows.
    pub(crate) conditions: Vec<Condition>,
    /// The number of rows that are enough.
    pub(crate) limit: Option<usize>,
    /// The past time whose rows are wanted.
    pub(crate) as_of: Option<Timestamp>,
}

impl Asked {
    /// A request that covers several requests with the same constraints, with `more` columns. Its rows include all of
    /// theirs, and possibly others.
    pub(crate) fn union<'a>(scans: impl IntoIterator<Item = &'a Asked>, more: &[usize]) -> Option<Asked> {
        let scans: Vec<&Asked> = scans.into_iter().collect();
        let (first, others) = scans.split_first()?;
        let is_common = |condition: &&Condition| others.iter().all(|other| other.conditions.contains(condition));
        let mut conditions: Vec<Condition> = first.conditions.iter().filter(is_common).cloned().collect();
        let own = |asked: &&Asked| {
            let own = asked.conditions.iter().filter(|condition| !conditions.contains(condition));
            own.cloned().collect::<Vec<_>>()
        };
        let mut lists: Vec<Vec<Condition>> = scans.iter().map(own).collect();
        lists.dedup();
        if lists.iter().all(|own| !own.is_empty()) {
            conditions.push(Condition::any_of(lists));
        }
        let mut columns: Vec<usize> = scans.iter().flat_map(|asked| &asked.columns).chain(more).copied().collect();
        if scans.iter().any(|asked| asked.conditions != conditions) {
            columns.extend(scans.iter().flat_map(|asked| &asked.conditions).flat_map(Condition::columns));
        }
        columns.sort_unstable();
        columns.dedup();
        Some(Asked { columns, conditions, limit: None, ..(*first).clone() })
    }

    /// The constrained columns.
    fn constrained(&self) -> BTreeSet<usize> {
        self.alternatives
            .iter()
            .chain([&*self.constraints])
            .flat_map(|constraints| constraints.0.keys())
            .copied()
            .collect()
    }

    /// The constraints as text.
    pub(crate) fn described(&self, spec: &TableSpec) -> String {
        let asked = match &*self.alternatives {
            [] => constraints::describe(spec, &self.constraints),
            several => several.iter().map(|one| constraints::describe(spec, one)).collect::<Vec<_>>().join(" OR "),
        };
        match self.as_of {
            Some(moment) if asked.is_empty() => format!("as of {moment}"),
            Some(moment) => format!("{asked} as of {moment}"),
            None => asked,
        }
    }

    /// All columns that a scan for this request reads, ascending.
    pub(crate) fn needs(&self) -> Vec<usize> {
        let checked = self.conditions.iter().flat_map(Condition::columns);
        let mut columns = self.constrained();
        columns.extend(self.columns.iter().chain(checked));
        columns.into_iter().collect()
    }

    /// The rows and columns of this request, from rows of a [`union`](Self::union).
    pub(crate) fn select(&self, union: &Asked, rows: &RecordBatch) -> Result<RecordBatch> {
        let unchecked = if union.conditions == self.conditions { &[] } else { self.conditions.as_slice() };
        let rows = condition::sift(unchecked, &union.columns, rows.clone())?;
        let position = |column: &usize| union.columns.binary_search(column).expect("the union has all columns");
        Ok(rows.project(&self.columns.iter().map(position).collect::<Vec<_>>())?)
    }
}

/// A scan of one table.
#[derive(Debug, Clone)]
pub(crate) struct ScanExec {
    pub(crate) engine: Arc<Shared>,
    pub(crate) table: TableRef,
    pub(crate) asked: Asked,
    /// Set if a lookup join passes the keys at run time.
    pub(crate) binding: Option<Binding>,
    /// Columns with conditions that need keys and have none.
    pub(crate) without_key: Arc<[usize]>,
    /// The keys that a lookup join passed.
    keys: Option<Arc<[KeyValues]>>,
    /// The request for each key that covers all lookups of the plan on these columns.
    pub(crate) lookup: Option<Arc<Asked>>,
    /// The shared scan, if several places of the plan read the same rows.
    pub(crate) shared: Option<Arc<SharedReading>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// Marks a scan that gets its keys from a lookup join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The scan's number in its plan.
    pub(crate) leaf: usize,
    /// Columns that get keys.
    pub(crate) columns: Vec<usize>,
    /// Set if the keys of the first column are patterns; whether these ignore case.
    pub(crate) pattern: Option<bool>,
}

impl ScanExec {
    pub(crate) fn new(engine: Arc<Shared>, table: TableRef, asked: Asked, binding: Option<Binding>) -> Result<Self> {
        let schema = Arc::new(table.spec().schema().project(&asked.columns)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(ScanExec {
            engine,
            table,
            asked,
            binding,
            without_key: Arc::default(),
            keys: None,
            lookup: None,
            shared: None,
            schema,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// Sets the columns with conditions that need keys and have none.
    pub(crate) fn with_columns_without_key(self, without_key: Arc<[usize]>) -> Self {
        ScanExec { without_key, ..self }
    }

    /// The same scan with keys from a lookup join.
    pub(crate) fn with_keys(&self, keys: Arc<[KeyValues]>) -> Self {
        ScanExec { keys: Some(keys), metrics: ExecutionPlanMetricsSet::new(), ..self.clone() }
    }

    /// The same scan as part of a shared scan.
    pub(crate) fn with_shared(&self, shared: Arc<SharedReading>) -> Self {
        ScanExec { shared: Some(shared), ..self.clone() }
    }

    /// The same scan with a request that covers several lookups.
    pub(crate) fn with_lookup(&self, lookup: Arc<Asked>) -> Self {
        ScanExec { lookup: Some(lookup), ..self.clone() }
    }

    /// The request that is really sent, and the identity of the shared scan or shared lookup, if there is one.
    pub(crate) fn together(&self) -> (Option<usize>, &Asked) {
        match (&self.shared, &self.lookup) {
            (Some(shared), _) => (Some(Arc::as_ptr(shared).addr()), shared.asked()),
            (None, Some(lookup)) => (Some(Arc::as_ptr(lookup).addr()), lookup),
            (None, None) => (None, &self.asked),
        }
    }

    /// Adds a line to the query's statistics.
    pub(crate) fn record(&self, state: &QueryState, asked: &Asked, how: &'static str) -> Arc<ScanRecord> {
        let spec = self.table.spec();
        state.record(&spec.name, asked.described(spec), condition::describe(&asked.conditions), how)
    }

    /// Reads rows of the table.
    pub(crate) fn reading(
        &self,
        state: &QueryState,
        record: Arc<ScanRecord>,
        asked: &Asked,
    ) -> SendableRecordBatchStream {
        let is_checked = self.table.checks_filters() || asked.conditions.is_empty();
        let mut columns = asked.columns.clone();
        if !is_checked {
            columns.extend(asked.conditions.iter().flat_map(Condition::columns));
        }
        if !asked.alternatives.is_empty() {
            columns.extend(asked.constrained());
        }
        columns.sort_unstable();
        columns.dedup();
        let (filters, failure) = condition::asked(if is_checked { &asked.conditions } else { &[] });
        let limit = asked.limit.filter(|_| !self.table.checks_filters() || !asked.alternatives.is_empty());
        let told_apart_by: Vec<usize> =
            asked.constrained().iter().filter_map(|column| columns.binary_search(column).ok()).collect();
        let (engine, table, scope) = (self.engine.clone(), self.table.clone(), state.scope.clone());
        let contexts = self.contexts(state, &record, &columns, asked, &filters);
        let start = move |context| read(&engine, &table, context, record.clone(), scope.clone(), failure.clone());
        let rows = match <[ScanContext; 1]>::try_from(contexts) {
            Ok([context]) => start(context).boxed(),
            Err(contexts) => {
                alternatives::in_turn(contexts, start, told_apart_by, state.memory("rows of alternatives")).boxed()
            }
        };
        let union = Asked {
            columns,
            conditions: if is_checked { asked.conditions.clone() } else { Vec::new() },
            ..asked.clone()
        };
        let asked = asked.clone();
        let schema = Arc::new(self.table.spec().schema().project(&asked.columns).expect("columns of the table"));
        let selected = rows.map(move |batch| asked.select(&union, &batch?));
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
        asked: &Asked,
        filters: &Arc<[Arc<dyn RowFilter>]>,
    ) -> Vec<ScanContext> {
        let gives_all = self.table.checks_filters() || asked.conditions.is_empty();
        let context = |constraints: Arc<Constraints>| ScanContext {
            columns: columns.into(),
            constraints,
            joined: self.binding.as_ref().map(|binding| binding.columns.as_slice()).unwrap_or_default().into(),
            filters: filters.clone(),
            limit: asked.limit.filter(|_| gives_all),
            batch_size: self.engine.limits.batch_size,
            meter: Arc::new(Meter::child(&record.meter)),
            gate: self.engine.gate.clone(),
            query: state.scope.clone(),
            given: Arc::default(),
            within: None,
            slice: None,
            as_of: asked.as_of,
        };
        match &*asked.alternatives {
            [] => vec![context(asked.constraints.clone())],
            several => several.iter().map(|constraints| context(Arc::new(constraints.clone()))).collect(),
        }
    }

    /// The labels of the slices that the scan would read, for `EXPLAIN`.
    fn parts(&self) -> Vec<String> {
        let state = self.engine.start_alone();
        let record = self.record(&state, &self.asked, "explain");
        let (filters, _) = condition::asked(&self.asked.conditions);
        let contexts = self.contexts(&state, &record, &self.asked.columns, &self.asked, &filters);
        let contexts = contexts.into_iter().filter_map(|context| context.with_open_keys(self.table.spec()));
        let slices = contexts.flat_map(|context| self.table.slices(&context).unwrap_or_default());
        slices.map(|slice| slice.label).filter(|label| !label.is_empty()).collect()
    }

    fn estimated_rows(&self) -> usize {
        let answered = estimate::answered(self.table.spec(), &self.asked.constraints);
        let rows = answered * estimate::left_by(self.asked.conditions.iter().map(Condition::selectivity));
        let rows = rows.ceil().min(usize::MAX as f64) as usize;
        self.asked.limit.map_or(rows, |limit| rows.min(limit))
    }
}

/// A stream of events that counts as unread until it ends or reaches its limit.
fn noting_its_end(
    mut events: SendableRecordBatchStream,
    state: Arc<QueryState>,
    limit: Option<usize>,
) -> SendableRecordBatchStream {
    state.events_unread.fetch_add(1, Ordering::Relaxed);
    let schema = events.schema();
    let noting = async_stream::try_stream! {
        let (mut rows, mut is_unread) = (0, true);
        let mut end = |rows: usize| {
            if std::mem::take(&mut is_unread) {
                state.events_unread.fetch_sub(1, Ordering::Relaxed);
                state.events_cut.fetch_sub(usize::from(rows > 0), Ordering::Relaxed);
            }
        };
        while let Some(batch) = events.next().await {
            let batch = batch?;
            if rows == 0 && batch.num_rows() > 0 {
                state.events_cut.fetch_add(1, Ordering::Relaxed);
            }
            rows += batch.num_rows();
            if limit.is_some_and(|limit| rows >= limit) {
                end(rows);
            }
            yield batch;
        }
        end(rows);
    };
    Box::pin(RecordBatchStreamAdapter::new(schema, noting))
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

impl DisplayAs for ScanExec {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = self.table.spec();
        let names: Vec<&str> = self.asked.columns.iter().map(|column| spec.columns[*column].name.as_ref()).collect();
        let (open, between) = match form {
            DisplayFormatType::TreeRender => ("", "\n"),
            _ => ("ScanExec: ", ", "),
        };
        write!(f, "{open}table={}{between}columns=[{}]", spec.name, names.join(", "))?;
        if let Some(moment) = self.asked.as_of {
            write!(f, "{between}as_of={moment}")?;
        }
        if !self.asked.constraints.is_empty() {
            write!(f, "{between}pushed=[{}]", constraints::describe(spec, &self.asked.constraints))?;
        }
        if !self.asked.conditions.is_empty() {
            write!(f, "{between}filter=[{}]", condition::describe(&self.asked.conditions))?;
        }
        if let Some(binding) = &self.binding {
            let keys: Vec<&str> = binding.columns.iter().map(|column| spec.columns[*column].name.as_ref()).collect();
            write!(f, "{between}keys_from_join=[{}]", keys.join(", "))?;
        }
        if let Some(limit) = self.asked.limit {
            write!(f, "{between}limit={limit}")?;
        }
        if self.shared.is_some() {
            write!(f, "{between}shared_scan")?;
        }
        let parts = self.parts();
        if !parts.is_empty() {
            let shown = parts.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
            let more = if parts.len() > 5 { format!("; +{} more", parts.len() - 5) } else { String::new() };
            write!(f, "{between}calls=[{shown}{more}]")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("a scan has one partition, not {partition}");
        }
        let state = context.session_config().get_extension::<QueryState>().unwrap_or_else(|| self.engine.start_alone());
        let spec = self.table.spec();
        let reads_events = spec.events.then(|| state.clone());
        let stream = match (&self.binding, &self.shared) {
            (Some(binding), _) => {
                let Some(keys) = &self.keys else {
                    return internal_err!("the scan of {} needs keys that no join passes", spec.name);
                };
                cache::read(self, binding, keys, state, &context)?
            }
            (None, Some(shared)) => {
                state.keep(shared);
                shared.stream(self, &state, &context)?
            }
            (None, None) => {
                let record = self.record(&state, &self.asked, "scan");
                self.reading(&state, record, &self.asked)
            }
        };
        let stream = match reads_events {
            // If alternatives share a limit, it does not show how far each alternative was read.
            Some(state) => {
                noting_its_end(stream, state, self.asked.limit.filter(|_| self.asked.alternatives.is_empty()))
            }
            None => stream,
        };
        let rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        let schema = self.schema.clone();
        let counted = stream.inspect_ok(move |batch| rows.add(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, counted)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn partition_statistics(&self, _partition: Option<usize>) -> Result<Arc<Statistics>> {
        let rows = self.estimated_rows();
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Inexact(rows);
        statistics.total_byte_size = Precision::Inexact(rows.saturating_mul(64 * self.asked.columns.len().max(1)));
        Ok(Arc::new(statistics))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        if self.binding.is_some() {
            return None;
        }
        let asked = Asked { limit, ..self.asked.clone() };
        Some(Arc::new(ScanExec { asked, ..self.clone() }))
    }

    fn fetch(&self) -> Option<usize> {
        self.asked.limit
    }
}

/// Reads all slices of a scan concurrently. A slice that fails becomes a warning, and the others continue.
fn read(
    engine: &Shared,
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
            let readers = Readers {
                sender,
                record: record.clone(),
                covered,
                places: Arc::new(Semaphore::new(engine.limits.slices.max(1))),
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
struct Readers {
    sender: mpsc::Sender<RecordBatch>,
    record: Arc<ScanRecord>,
    covered: Covered,
    places: Arc<Semaphore>,
    threads: Arc<Threads>,
    failure: Failure,
    /// Becomes true when the plan first polls for rows.
    is_wanted: watch::Receiver<bool>,
}

impl Readers {
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
                Reading::Async(read) => self.in_place(read(Box::new(sink))).await,
                Reading::Blocking(read) => self.in_place(self.on_thread(move || read(&mut sink))).await,
            };
            if let Err(TableError::OutOfMemory(message)) = &outcome {
                self.failure.lock().get_or_insert_with(|| DataFusionError::ResourcesExhausted(message.clone()));
            }
            self.covered.end(&slice.label, rows.load(Ordering::Relaxed), &outcome);
        })
    }

    async fn in_place(&self, reading: impl Future<Output = Result<(), TableError>>) -> Result<(), TableError> {
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
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
            place = self.threads.eager.acquire() => place.ok(),
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
                drop(self.places.acquire().await.expect("the semaphore is never closed"));
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
