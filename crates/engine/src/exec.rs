//! The leaf of a plan: one scan of one table.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
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
use indago_table::{Constraints, Error as TableError, Meter, Reading, Scalar, ScanContext, Sink, TableRef};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::constraints;
use crate::lookup_join::cache;
use crate::shared::SharedReading;
use crate::state::{QueryState, ScanRecord, Shared};

/// A scan of one table: which columns, under which constraints.
#[derive(Debug, Clone)]
pub(crate) struct ScanExec {
    pub(crate) engine: Arc<Shared>,
    pub(crate) table: TableRef,
    /// Wanted columns, in output order.
    pub(crate) columns: Vec<usize>,
    pub(crate) constraints: Arc<Constraints>,
    pub(crate) limit: Option<usize>,
    /// The keys come from a lookup join when it runs.
    pub(crate) binding: Option<Binding>,
    /// The keys that a lookup join brought.
    keys: Vec<(usize, Arc<Vec<Scalar>>)>,
    /// Another scan of the plan wants the same rows.
    pub(crate) shared: Option<Arc<SharedReading>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// Marks a scan whose keys a lookup join brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The scan's number in its plan.
    pub(crate) leaf: usize,
    /// Columns that will have keys.
    pub(crate) columns: Vec<usize>,
}

impl ScanExec {
    pub(crate) fn new(
        engine: Arc<Shared>,
        table: TableRef,
        columns: Vec<usize>,
        constraints: Constraints,
        limit: Option<usize>,
        binding: Option<Binding>,
    ) -> Result<Self> {
        let schema = Arc::new(table.spec().schema().project(&columns)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(ScanExec {
            engine,
            table,
            columns,
            constraints: Arc::new(constraints),
            limit,
            binding,
            keys: Vec::new(),
            shared: None,
            schema,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// The same scan with the keys that a lookup join brings.
    pub(crate) fn with_keys(&self, keys: Vec<(usize, Arc<Vec<Scalar>>)>) -> Self {
        ScanExec { keys, metrics: ExecutionPlanMetricsSet::new(), ..self.clone() }
    }

    /// The same scan, reading together with others.
    pub(crate) fn with_shared(&self, shared: Arc<SharedReading>) -> Self {
        ScanExec { shared: Some(shared), ..self.clone() }
    }

    /// What reads the scan's rows: asks for `columns` under `constraints`.
    pub(crate) fn reading(
        &self,
        state: &QueryState,
        record: Arc<ScanRecord>,
        columns: &[usize],
        constraints: Arc<Constraints>,
    ) -> SendableRecordBatchStream {
        let mut ascending = columns.to_vec();
        ascending.sort_unstable();
        ascending.dedup();
        let context = self.context(state, &record, &ascending, constraints);
        let order: Vec<usize> = columns.iter().map(|c| ascending.binary_search(c).expect("the same columns")).collect();
        let rows = read(self.engine.limits.slices, &self.table, context, record, state);
        let schema = Arc::new(self.table.spec().schema().project(columns).expect("columns of the table"));
        let in_order = rows.map(move |batch| Ok(batch?.project(&order)?));
        Box::pin(RecordBatchStreamAdapter::new(schema, in_order))
    }

    fn context(
        &self,
        state: &QueryState,
        record: &ScanRecord,
        columns: &[usize],
        constraints: Arc<Constraints>,
    ) -> ScanContext {
        ScanContext {
            columns: columns.into(),
            constraints,
            limit: self.limit,
            batch_size: self.engine.limits.batch_size,
            meter: Arc::new(Meter::child(&record.meter)),
            gate: self.engine.gate.clone(),
            query: state.scope.clone(),
            given: Arc::default(),
        }
    }

    /// The calls that the scan would make, for `EXPLAIN`: labels of its parts.
    fn parts(&self) -> Vec<String> {
        let state = self.engine.start_query();
        let record = state.record("", String::new(), "explain");
        let context = self.context(&state, &record, &self.columns, self.constraints.clone());
        let slices = self.table.slices(&context).unwrap_or_default();
        slices.into_iter().map(|slice| slice.label).filter(|label| !label.is_empty()).collect()
    }

    fn estimated_rows(&self) -> usize {
        let spec = self.table.spec();
        let keys = self.constraints.0.values().filter_map(|constraint| constraint.keys.as_ref()).map(|k| k.len()).min();
        let typical = usize::try_from(spec.typical_rows).unwrap_or(usize::MAX);
        let rows = keys.map_or(typical, |keys| keys.min(typical));
        self.limit.map_or(rows, |limit| rows.min(limit))
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = self.table.spec();
        let names: Vec<&str> = self.columns.iter().map(|column| spec.columns[*column].name.as_ref()).collect();
        let (open, between) = match form {
            DisplayFormatType::TreeRender => ("", "\n"),
            _ => ("ScanExec: ", ", "),
        };
        write!(f, "{open}table={}{between}columns=[{}]", spec.name, names.join(", "))?;
        if !self.constraints.is_empty() {
            write!(f, "{between}pushed=[{}]", constraints::describe(spec, &self.constraints))?;
        }
        if let Some(binding) = &self.binding {
            let keys: Vec<&str> = binding.columns.iter().map(|column| spec.columns[*column].name.as_ref()).collect();
            write!(f, "{between}keys_from_join=[{}]", keys.join(", "))?;
        }
        if let Some(limit) = self.limit {
            write!(f, "{between}limit={limit}")?;
        }
        if self.shared.is_some() {
            write!(f, "{between}shared_reading")?;
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
        let state = context.session_config().get_extension::<QueryState>().unwrap_or_else(|| self.engine.start_query());
        let spec = self.table.spec();
        let stream = match (&self.binding, &self.shared) {
            (Some(binding), _) => {
                if self.keys.is_empty() {
                    return internal_err!("the scan of {} waits for keys that no join brings", spec.name);
                }
                cache::read(self, binding, &self.keys, state)?
            }
            (None, Some(shared)) => shared.stream(self, &state, &context)?,
            (None, None) => {
                let described = constraints::describe(spec, &self.constraints);
                let record = state.record(&spec.name, described, "scan");
                self.reading(&state, record, &self.columns, self.constraints.clone())
            }
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
        statistics.total_byte_size = Precision::Inexact(rows.saturating_mul(64 * self.columns.len().max(1)));
        Ok(Arc::new(statistics))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        if self.binding.is_some() {
            return None;
        }
        Some(Arc::new(ScanExec { limit, ..self.clone() }))
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }
}

/// Reads all slices of a scan concurrently. A slice that fails becomes a warning; the others go on.
pub(crate) fn read(
    at_once: usize,
    table: &TableRef,
    context: ScanContext,
    record: Arc<ScanRecord>,
    state: &QueryState,
) -> impl Stream<Item = Result<RecordBatch>> + Send + use<> {
    let (sender, receiver) = mpsc::channel(2);
    let mut tasks = JoinSet::new();
    let meter = context.meter.clone();
    let report = Report { table: table.spec().name.to_string(), scope: state.scope.clone() };
    match table.slices(&context) {
        Err(error) => report.add("", &error),
        Ok(slices) => {
            let places = Arc::new(Semaphore::new(at_once.max(1)));
            for slice in slices {
                let sink = ChannelSink(sender.clone());
                let (record, report, places) = (record.clone(), report.clone(), places.clone());
                tasks.spawn(async move {
                    let _place = places.acquire().await.expect("the semaphore is never closed");
                    record.start_slice();
                    let outcome = match slice.reading {
                        Reading::Async(read) => read(Box::new(sink)).await,
                        Reading::Blocking(read) => {
                            let mut sink = sink;
                            match tokio::task::spawn_blocking(move || read(&mut sink)).await {
                                Ok(outcome) => outcome,
                                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                                Err(_) => Err(TableError::Cancelled),
                            }
                        }
                    };
                    record.end_slice();
                    if let Err(error) = outcome {
                        report.add(&slice.label, &error);
                    }
                });
            }
        }
    }
    Rows { receiver, tasks, record, meter }
}

#[derive(Clone)]
struct Report {
    table: String,
    scope: Arc<indago_table::QueryScope>,
}

impl Report {
    fn add(&self, origin: &str, error: &TableError) {
        self.scope.diagnostics().report(&self.table, origin, error);
    }
}

/// The batches of a scan; dropping it stops the scan.
struct Rows {
    receiver: mpsc::Receiver<RecordBatch>,
    tasks: JoinSet<()>,
    record: Arc<ScanRecord>,
    meter: Arc<Meter>,
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.receiver.poll_recv(context) {
            Poll::Ready(Some(batch)) => return Poll::Ready(Some(Ok(batch))),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => {}
        }
        // All senders are gone. A task that panicked must not look like the end of the rows.
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

struct ChannelSink(mpsc::Sender<RecordBatch>);

impl Sink for ChannelSink {
    fn blocking_send(&mut self, batch: RecordBatch) -> bool {
        self.0.blocking_send(batch).is_ok()
    }

    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.0.send(batch).await.is_ok() })
    }
}
