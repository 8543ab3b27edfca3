//! Runs a lookup join.
//!
//! For each batch of the driving side, the looked-up side reads the distinct keys in chunks, several concurrently.
//! DataFusion's own hash join then joins the rows to the batch, so join types, further conditions and NULLs have their
//! usual meaning.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, JoinType, NullEquality, Result, ScalarValue, internal_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExprRef};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, reset_plan_states};
use datafusion::physical_plan::joins::utils::{JoinFilter, build_join_schema};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties, PhysicalExpr, PlanProperties,
    execute_stream,
};
use futures::{StreamExt, TryStreamExt, stream};
use indago_table::{ColumnSpec, Kind, Scalar};
use tokio::time::Instant;

use crate::constraints::{self, Form};
use crate::exec::ScanExec;
use crate::interrupt::interruptible;
use crate::key_cache::KeyValues;
use crate::lookup_join::node::{Key, Side};
use crate::state::QueryState;

/// The source of a scan's keys, as physical expressions.
pub(crate) type PhysicalKey = Key<PhysicalExprRef>;

/// A lookup join without its inputs.
#[derive(Debug, Clone)]
pub(crate) struct LookupSpec {
    pub(crate) side: Side,
    pub(crate) keys: Vec<PhysicalKey>,
    pub(crate) on: Vec<(PhysicalExprRef, PhysicalExprRef)>,
    pub(crate) filter: Option<JoinFilter>,
    pub(crate) join_type: JoinType,
    pub(crate) null_equality: NullEquality,
    /// The most keys in one lookup.
    pub(crate) batch: usize,
    /// Concurrent lookups.
    pub(crate) concurrency: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct LookupJoinExec {
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    spec: Arc<LookupSpec>,
    /// The number of rows that are enough.
    fetch: Option<usize>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// Under a limit: the number of driving rows whose keys are looked up first. If the result has too few rows, the number
/// is multiplied by `MORE` each time.
const FIRST: usize = 16;
const MORE: usize = 4;

/// How long a lookup waits for more driving rows. A row that came waits no longer than this.
const GATHERED_FOR: Duration = Duration::from_millis(10);

impl LookupJoinExec {
    pub(crate) fn new(left: Arc<dyn ExecutionPlan>, right: Arc<dyn ExecutionPlan>, spec: Arc<LookupSpec>) -> Self {
        let (schema, _) = build_join_schema(&left.schema(), &right.schema(), &spec.join_type);
        let schema = Arc::new(schema);
        let driving = if spec.side == Side::Right { &left } else { &right };
        let partitioning = if spec.must_collect() { 1 } else { driving.output_partitioning().partition_count() };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            datafusion::physical_plan::Partitioning::UnknownPartitioning(partitioning),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        LookupJoinExec {
            left,
            right,
            spec,
            fetch: None,
            schema,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The looked-up side. Its scans are read again for each batch of keys.
    pub(crate) fn looked_up(&self) -> &Arc<dyn ExecutionPlan> {
        if self.spec.side == Side::Right { &self.right } else { &self.left }
    }

    pub(crate) fn driving(&self) -> &Arc<dyn ExecutionPlan> {
        if self.spec.side == Side::Right { &self.left } else { &self.right }
    }
}

impl LookupSpec {
    /// A semi join that returns rows of the looked-up side needs all keys at once, or it would return rows twice.
    fn must_collect(&self) -> bool {
        matches!((self.side, self.join_type), (Side::Left, JoinType::LeftSemi) | (Side::Right, JoinType::RightSemi))
    }

    /// Whether driving rows without a match are not in the result.
    fn needs_partner(&self) -> bool {
        matches!(self.join_type, JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi)
    }

    /// The distinct keys of a batch for each of the looked-up scans.
    fn distinct_keys(&self, batch: &RecordBatch) -> Result<Vec<(&PhysicalKey, Vec<KeyValues>)>> {
        self.keys.iter().map(|key| Ok((key, distinct_keys(key, batch)?))).collect()
    }

    /// The most driving rows that are looked up together. Limited for patterns, because a table is read once per
    /// pattern.
    fn most_rows(&self) -> usize {
        let has_patterns = self.keys.iter().any(|key| key.pattern.is_some());
        if has_patterns && !self.must_collect() { self.batch.max(1) } else { usize::MAX }
    }

    /// The rows of the looked-up side for a batch's keys. They are charged to `memory`.
    async fn look_up(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        batch: &RecordBatch,
        context: &Arc<TaskContext>,
        memory: &MemoryReservation,
    ) -> Result<Vec<RecordBatch>> {
        let keys = self.distinct_keys(batch)?;
        if keys.iter().any(|(key, distinct)| distinct.is_empty() && !key.is_in_union) {
            return Ok(Vec::new());
        }
        // The scan with most keys is read in chunks, and the others get all their keys each time. Keys of a scan in a
        // UNION are not chunked, because the other inputs of the UNION would be read for every chunk. Patterns are not
        // chunked, because a row may match patterns in several chunks.
        let is_alone = |key: &PhysicalKey| !key.is_in_union && key.pattern.is_none();
        let alone = (0..keys.len()).filter(|position| is_alone(keys[*position].0));
        let widest = alone.max_by_key(|position| keys[*position].1.len());
        let chunks: Vec<&[KeyValues]> = match widest {
            Some(widest) => {
                let wanted = &keys[widest].1;
                wanted.chunks(wanted.len().div_ceil(self.concurrency.max(1)).clamp(1, self.batch.max(1))).collect()
            }
            None => vec![&[]],
        };
        let lookups = chunks.into_iter().map(|chunk| {
            let chunked: Vec<(&PhysicalKey, Arc<[KeyValues]>)> = keys
                .iter()
                .enumerate()
                .map(|(position, (key, all))| {
                    let keys = if Some(position) == widest { chunk } else { all.as_slice() };
                    (*key, keys.into())
                })
                .collect();
            let bound = bind_keys(plan, &chunked);
            let context = context.clone();
            async move {
                let mut rows = execute_stream(bound?, context)?;
                let mut found = Vec::new();
                while let Some(batch) = rows.next().await {
                    let batch = batch?;
                    memory.try_grow(batch.get_array_memory_size())?;
                    found.push(batch);
                }
                Ok::<_, DataFusionError>(found)
            }
        });
        let lookups: Vec<_> = lookups.collect();
        let found: Vec<Vec<RecordBatch>> =
            stream::iter(lookups).buffered(self.concurrency.max(1)).try_collect().await?;
        Ok(found.into_iter().flatten().filter(|batch| batch.num_rows() > 0).collect())
    }

    /// Joins driving rows to the rows that were found for their keys.
    fn join(
        &self,
        driving: RecordBatch,
        driving_schema: &SchemaRef,
        found: Vec<RecordBatch>,
        found_schema: &SchemaRef,
        context: &Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let driving = MemorySourceConfig::try_new_exec(&[vec![driving]], driving_schema.clone(), None)?;
        let found = MemorySourceConfig::try_new_exec(&[found], found_schema.clone(), None)?;
        let (left, right) = match self.side {
            Side::Right => (driving, found),
            Side::Left => (found, driving),
        };
        let join: Arc<dyn ExecutionPlan> = if self.on.is_empty() {
            Arc::new(NestedLoopJoinExec::try_new(left, right, self.filter.clone(), &self.join_type, None)?)
        } else {
            Arc::new(HashJoinExec::try_new(
                left,
                right,
                self.on.clone(),
                self.filter.clone(),
                &self.join_type,
                None,
                PartitionMode::CollectLeft,
                self.null_equality,
                false,
            )?)
        };
        let join = match context.session_config().get_extension::<QueryState>() {
            Some(state) => interruptible(join, &state)?,
            None => join,
        };
        execute_stream(join, context.clone())
    }
}

/// The distinct keys of a batch of the driving side. A row with a NULL has no key.
fn distinct_keys(key: &PhysicalKey, batch: &RecordBatch) -> Result<Vec<KeyValues>> {
    let columns = key.columns.iter().map(|column| column.driving.evaluate(batch)?.into_array(batch.num_rows()));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let (mut seen, mut known) = (HashSet::new(), HashSet::new());
    let mut distinct = Vec::new();
    for row in (0..batch.num_rows()).filter(|row| columns.iter().all(|values| values.is_valid(*row))) {
        let values = columns.iter().map(|values| ScalarValue::try_from_array(values, row));
        let values: Vec<ScalarValue> = values.collect::<Result<_>>()?;
        if seen.contains(&values) {
            continue;
        }
        let mut keys: Vec<Vec<Scalar>> = vec![Vec::new()];
        for (position, (value, column)) in values.iter().zip(&key.columns).enumerate() {
            let of_column = match key.pattern.filter(|_| position == 0) {
                Some(form) => as_pattern(value, form).into_iter().collect(),
                None => as_keys(value, &column.spec),
            };
            let with = |key: &Vec<Scalar>, value: &Scalar| key.iter().chain([value]).cloned().collect();
            keys = keys.iter().flat_map(|key| of_column.iter().map(move |value| with(key, value))).collect();
        }
        distinct.extend(keys.into_iter().map(KeyValues::from).filter(|key| known.insert(key.clone())));
        seen.insert(values);
    }
    Ok(distinct)
}

/// The keys of the looked-up column that may equal a driving value. There may be too many; the join drops their rows.
/// This reverses casts that DataFusion put on the looked-up column: an integer column that is compared as text gets
/// integers as keys.
fn as_keys(value: &ScalarValue, column: &ColumnSpec) -> Vec<Scalar> {
    let keys = match (constraints::scalar(value, &column.kind), value, &column.kind) {
        (Some(key), ..) => vec![key],
        (None, ScalarValue::Float64(Some(real)), Kind::BigInt) => integers_like(*real),
        (None, value, kind) => {
            let cast = value.cast_to(&kind.data_type()).ok();
            cast.and_then(|cast| constraints::scalar(&cast, kind)).into_iter().collect()
        }
    };
    keys.into_iter().map(|key| column.as_key(key)).collect()
}

/// The integers that equal a real number when they are converted to one. Beyond 2^53 there are several.
fn integers_like(real: f64) -> Vec<Scalar> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if real.fract() != 0.0 || real.abs() > EXACT * 2048.0 {
        return Vec::new();
    }
    let exact = real as i128;
    if real.abs() < EXACT {
        return vec![Scalar::Integer(real as i64)];
    }
    let (below, above) = (real.next_down() as i128, real.next_up() as i128);
    let integers = i128::midpoint(below, exact)..=i128::midpoint(exact, above);
    integers.filter_map(|integer| i64::try_from(integer).ok()).map(Scalar::Integer).collect()
}

/// A driving value as a pattern of the looked-up column.
fn as_pattern(value: &ScalarValue, form: Form) -> Option<Scalar> {
    let text = value.cast_to(&DataType::Utf8).ok()?;
    text.try_as_str().flatten().map(|text| Scalar::Text(form.like(text)))
}

/// The plan with its scans reading only these keys, ready to run (again).
fn bind_keys(
    plan: &Arc<dyn ExecutionPlan>,
    keys: &[(&PhysicalKey, Arc<[KeyValues]>)],
) -> Result<Arc<dyn ExecutionPlan>> {
    let bound = plan.clone().transform_up(|node| {
        let Some(scan) = node.downcast_ref::<ScanExec>() else { return Ok(Transformed::no(node)) };
        let Some(binding) = &scan.binding else { return Ok(Transformed::no(node)) };
        let Some((key, keys)) = keys.iter().find(|(key, _)| key.leaf == binding.leaf) else {
            return Ok(Transformed::no(node));
        };
        let scan: Arc<dyn ExecutionPlan> = Arc::new(match key.is_further {
            true => scan.with_constraints(&key.positions(), keys),
            false => scan.with_keys(keys.clone()),
        });
        Ok(Transformed::yes(scan))
    })?;
    reset_plan_states(bound.data)
}

impl DisplayAs for LookupJoinExec {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on: Vec<String> = self.spec.on.iter().map(|(left, right)| format!("{left} = {right}")).collect();
        let between = if form == DisplayFormatType::TreeRender { "\n" } else { ", " };
        if form != DisplayFormatType::TreeRender {
            write!(f, "LookupJoinExec: ")?;
        }
        write!(f, "type={}{between}on=[{}]", self.spec.join_type, on.join(", "))?;
        if let Some(filter) = &self.spec.filter {
            write!(f, "{between}filter={}", filter.expression())?;
        }
        let columns = self.spec.keys.iter().flat_map(|key| &key.columns);
        let keys: Vec<String> = columns.map(|column| column.driving.to_string()).collect();
        write!(f, "{between}keys=[{}]{between}side={:?}", keys.join(", "), self.spec.side)?;
        match self.fetch {
            Some(fetch) => write!(f, "{between}limit={fetch}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for LookupJoinExec {
    fn name(&self) -> &str {
        "LookupJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.left, &self.right]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        let driving = if self.spec.must_collect() {
            Distribution::SinglePartition
        } else {
            Distribution::UnspecifiedDistribution
        };
        match self.spec.side {
            Side::Right => vec![driving, Distribution::SinglePartition],
            Side::Left => vec![Distribution::SinglePartition, driving],
        }
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false, false]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false, false]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for (left, right) in &self.spec.on {
            for expr in [left, right] {
                if f(expr)? == TreeNodeRecursion::Stop {
                    return Ok(TreeNodeRecursion::Stop);
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([left, right]) = <[Arc<dyn ExecutionPlan>; 2]>::try_from(children) else {
            return internal_err!("a lookup join has two inputs");
        };
        Ok(Arc::new(LookupJoinExec { fetch: self.fetch, ..LookupJoinExec::new(left, right, self.spec.clone()) }))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        // With several partitions, each would have its own limit.
        let is_one = self.properties.partitioning.partition_count() == 1;
        is_one.then(|| Arc::new(LookupJoinExec { fetch: limit, ..self.clone() }) as Arc<dyn ExecutionPlan>)
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let driving_schema = self.driving().schema();
        let mut driving = self.driving().execute(partition, context.clone())?;
        let looked_up = self.looked_up().clone();
        let looked_up_schema = looked_up.schema();
        let spec = self.spec.clone();
        let lookups = MetricBuilder::new(&self.metrics).counter("looked_up_rows", partition);
        let rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        let memory = MemoryConsumer::new("LookupJoinExec").register(context.memory_pool());
        let mut left = self.fetch;
        let most = spec.most_rows();
        let enough = context.session_config().batch_size();
        let mut step = match left {
            Some(left) if !spec.must_collect() => left.max(FIRST),
            _ => usize::MAX,
        };
        let joined = async_stream::try_stream! {
            let mut is_complete = false;
            while left != Some(0) && !is_complete {
                let mut batches = Vec::new();
                if spec.must_collect() {
                    while let Some(batch) = driving.next().await {
                        let batch = batch?;
                        memory.try_grow(batch.get_array_memory_size())?;
                        batches.push(batch);
                    }
                } else if let Some(batch) = driving.next().await {
                    let mut rows = batch.as_ref().map_or(0, RecordBatch::num_rows);
                    batches.push(batch?);
                    // One lookup for batches that come in quick succession: a recursive query returns one row each.
                    let end = Instant::now() + GATHERED_FOR;
                    while rows < step.min(most).min(enough)
                        && !is_complete
                        && let Ok(next) = tokio::time::timeout_at(end, driving.next()).await
                    {
                        match next {
                            Some(batch) => {
                                let batch = batch?;
                                rows += batch.num_rows();
                                batches.push(batch);
                            }
                            None => is_complete = true,
                        }
                    }
                }
                if batches.is_empty() {
                    break;
                }
                let batch = arrow_select::concat::concat_batches(&driving_schema, &batches)?;
                let mut start = 0;
                while start < batch.num_rows() && left != Some(0) {
                    let part = batch.slice(start, step.min(most).min(batch.num_rows() - start));
                    start += part.num_rows();
                    step = step.saturating_mul(MORE);
                    let held = memory.size();
                    let found = spec.look_up(&looked_up, &part, &context, &memory).await?;
                    lookups.add(found.iter().map(RecordBatch::num_rows).sum());
                    if found.is_empty() && spec.needs_partner() {
                        memory.resize(held);
                        continue;
                    }
                    let mut result = spec.join(part, &driving_schema, found, &looked_up_schema, &context)?;
                    while left != Some(0) && let Some(batch) = result.next().await {
                        let batch = batch?;
                        let batch = batch.slice(0, left.unwrap_or(usize::MAX).min(batch.num_rows()));
                        left = left.map(|left| left - batch.num_rows());
                        rows.add(batch.num_rows());
                        yield batch;
                    }
                    memory.resize(held);
                }
            }
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), joined)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
