//! The leaf of a plan: one scan of one table.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_schema::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use futures::{StreamExt, TryStreamExt};
use indago_table::{Constraints, TableRef};

use crate::condition::{self, Condition};
use crate::constraints;
use crate::estimate;
use crate::key_cache::KeyValues;
use crate::lookup;
use crate::reader::TableReader;
use crate::request::{Binding, Request};
use crate::shared::SharedScan;
use crate::state::{EngineState, QueryState};

/// A scan of one table.
#[derive(Debug, Clone)]
pub(crate) struct ScanExec {
    pub(crate) reader: TableReader,
    pub(crate) request: Request,
    /// Set if a lookup join passes the keys at run time.
    pub(crate) binding: Option<Binding>,
    /// Columns with conditions that need keys and have none.
    pub(crate) without_key: Arc<[usize]>,
    /// The keys that a lookup join passed.
    keys: Option<Arc<[KeyValues]>>,
    /// The request for each key that covers all lookups of the plan on these columns.
    lookup: Option<Arc<Request>>,
    /// The shared scan, if several places of the plan read the same rows.
    pub(crate) shared: Option<Arc<SharedScan>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ScanExec {
    pub(crate) fn new(
        engine: Arc<EngineState>,
        table: TableRef,
        request: Request,
        binding: Option<Binding>,
    ) -> Result<Self> {
        let schema = Arc::new(table.spec().schema().project(&request.columns)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let joined = binding.iter().flat_map(Binding::all_columns).collect();
        Ok(ScanExec {
            reader: TableReader { engine, table, joined },
            request,
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

    pub(crate) fn table(&self) -> &TableRef {
        &self.reader.table
    }

    /// Sets the columns with conditions that need keys and have none.
    pub(crate) fn with_columns_without_key(self, without_key: Arc<[usize]>) -> Self {
        ScanExec { without_key, ..self }
    }

    /// The same scan with keys from a lookup join.
    pub(crate) fn with_keys(&self, keys: Arc<[KeyValues]>) -> Self {
        ScanExec { keys: Some(keys), metrics: ExecutionPlanMetricsSet::new(), ..self.clone() }
    }

    /// The same scan under constraints: keys of columns that another join passes. A row of each combination of their
    /// values may be read; that join drops the wrong ones.
    pub(crate) fn with_constraints(&self, columns: &[usize], keys: &[KeyValues]) -> Self {
        let mut constraints = Constraints::clone(&self.request.constraints);
        for (position, column) in columns.iter().enumerate() {
            constraints::add_keys(&mut constraints, *column, keys.iter().map(|key| key[position].clone()));
        }
        let request = Request { constraints: Arc::new(constraints), ..self.request.clone() };
        ScanExec { request, metrics: ExecutionPlanMetricsSet::new(), ..self.clone() }
    }

    /// The same scan as part of a shared scan.
    pub(crate) fn with_shared(&self, shared: Arc<SharedScan>) -> Self {
        ScanExec { shared: Some(shared), ..self.clone() }
    }

    /// The same scan with a request that covers several lookups.
    pub(crate) fn with_lookup(&self, lookup: Arc<Request>) -> Self {
        ScanExec { lookup: Some(lookup), ..self.clone() }
    }

    /// The request that is really sent, and the identity of the shared scan or shared lookup, if there is one.
    pub(crate) fn shared_request(&self) -> (Option<usize>, &Request) {
        match (&self.shared, &self.lookup) {
            (Some(shared), _) => (Some(Arc::as_ptr(shared).addr()), shared.request()),
            (None, Some(lookup)) => (Some(Arc::as_ptr(lookup).addr()), lookup),
            (None, None) => (None, &self.request),
        }
    }

    pub(crate) fn estimated_rows(&self) -> usize {
        let constrained = estimate::rows_under(self.table().spec(), &self.request.constraints);
        let rows = constrained * estimate::left_by(self.request.conditions.iter().map(Condition::selectivity));
        let rows = rows.ceil().min(usize::MAX as f64) as usize;
        self.request.limit.map_or(rows, |limit| rows.min(limit))
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

impl DisplayAs for ScanExec {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = self.table().spec();
        let names: Vec<&str> = self.request.columns.iter().map(|column| spec.columns[*column].name.as_ref()).collect();
        let (open, between) = match form {
            DisplayFormatType::TreeRender => ("", "\n"),
            _ => ("ScanExec: ", ", "),
        };
        write!(f, "{open}table={}{between}columns=[{}]", spec.name, names.join(", "))?;
        if let Some(moment) = self.request.as_of {
            write!(f, "{between}as_of={moment}")?;
        }
        if let Some(period) = self.table().period() {
            write!(f, "{between}period=[{period}]")?;
        }
        if !self.request.constraints.is_empty() {
            write!(f, "{between}pushed=[{}]", constraints::describe(spec, &self.request.constraints))?;
        }
        if !self.request.conditions.is_empty() {
            write!(f, "{between}filter=[{}]", condition::describe(&self.request.conditions))?;
        }
        if let Some(binding) = &self.binding {
            let keys: Vec<&str> = binding.all_columns().map(|column| spec.columns[column].name.as_ref()).collect();
            write!(f, "{between}keys_from_join=[{}]", keys.join(", "))?;
        }
        if let Some(limit) = self.request.limit {
            write!(f, "{between}limit={limit}")?;
        }
        if self.shared.is_some() {
            write!(f, "{between}shared_scan")?;
        }
        let calls = self.calls().line();
        if !calls.is_empty() {
            write!(f, "{between}calls=[{calls}]")?;
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
        let state =
            context.session_config().get_extension::<QueryState>().unwrap_or_else(|| self.reader.engine.start_alone());
        let spec = self.table().spec();
        // What was recorded is not consumed.
        let reads_events = (spec.events && self.request.as_of.is_none()).then(|| state.clone());
        let stream = match (&self.binding, &self.shared) {
            (Some(binding), _) => {
                let Some(keys) = &self.keys else {
                    return internal_err!("the scan of {} needs keys that no join passes", spec.name);
                };
                lookup::read(&self.reader, &self.request, self.lookup.as_ref(), binding, keys, state, &context)?
            }
            (None, Some(shared)) => {
                state.keep(shared);
                shared.stream(&self.request, self.schema.clone(), |request| {
                    let record = self.reader.record(&state, request, "shared");
                    let memory = MemoryConsumer::new(format!("rows of {}", spec.name)).register(context.memory_pool());
                    (self.reader.read(&state, record, request), memory)
                })
            }
            (None, None) => {
                let record = self.reader.record(&state, &self.request, "scan");
                self.reader.read(&state, record, &self.request)
            }
        };
        let stream = match reads_events {
            // If alternatives share a limit, it does not show how far each alternative was read.
            Some(state) => {
                noting_its_end(stream, state, self.request.limit.filter(|_| self.request.alternatives.is_empty()))
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
        statistics.total_byte_size = Precision::Inexact(rows.saturating_mul(64 * self.request.columns.len().max(1)));
        Ok(Arc::new(statistics))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        if self.binding.is_some() {
            return None;
        }
        let request = Request { limit, ..self.request.clone() };
        Some(Arc::new(ScanExec { request, ..self.clone() }))
    }

    fn fetch(&self) -> Option<usize> {
        self.request.limit
    }
}

/// Calls `found` with each scan of a plan.
pub(crate) fn scans(plan: &Arc<dyn ExecutionPlan>, found: &mut impl FnMut(&ScanExec)) {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        found(scan);
    }
    for child in plan.children() {
        scans(child, found);
    }
}
