//! From an optimised logical plan to a physical one: binds lookup joins and shares equal scans.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, JoinSide, Result, internal_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{EmptyRelation, Expr, Join, LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use futures::future::BoxFuture;
use indago_dialect::plans_up;
use indago_table::Timestamp;

use crate::condition;
use crate::constraints::is_never;
use crate::exec::ScanExec;
use crate::limits::Limits;
use crate::lookup_join::bind;
use crate::lookup_join::exec::{LookupJoinExec, LookupSpec};
use crate::lookup_join::node::{LookupJoin, Side};
use crate::planning;
use crate::request::Request;
use crate::shared::SharedScan;
use crate::verify;

/// Plans queries over our tables.
#[derive(Debug)]
pub(crate) struct Planner {
    pub(crate) limits: Limits,
}

// Both traits are implemented without `#[async_trait]`, as in `provider`: it saves seconds of compile time.
impl QueryPlanner for Planner {
    fn create_physical_plan<'a, 'b, 'c, 'f>(
        &'a self,
        plan: &'b LogicalPlan,
        session: &'c dyn Session,
    ) -> BoxFuture<'f, Result<Arc<dyn ExecutionPlan>>>
    where
        'a: 'f,
        'b: 'f,
        'c: 'f,
    {
        physical_plan(&self.limits, plan, session)
    }
}

fn physical_plan<'a>(
    limits: &'a Limits,
    plan: &'a LogicalPlan,
    session: &'a dyn Session,
) -> BoxFuture<'a, Result<Arc<dyn ExecutionPlan>>> {
    Box::pin(async move {
        verify::plan(plan)?;
        planning::check(session.config_options())?;
        let plan = without_empty_scans(indago_dialect::with_shared_constants(plan.clone())?)?;
        let bound = bind::bind(&plan)?;
        let lookups = Arc::new(LookupPlanner { limits: limits.clone() });
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![lookups]);
        planner.create_physical_plan(&bound, session).await
    })
}

/// The plan without scans whose filters no row can meet, so their tables are not read.
fn without_empty_scans(plan: LogicalPlan) -> Result<LogicalPlan> {
    let emptied = plans_up(plan, &mut |node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        if !scan.filters.iter().flat_map(split_conjunction).any(is_never) {
            return Ok(Transformed::no(node));
        }
        let schema = scan.projected_schema.clone();
        Ok(Transformed::yes(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema })))
    })?;
    Ok(emptied.data)
}

struct LookupPlanner {
    limits: Limits,
}

impl ExtensionPlanner for LookupPlanner {
    fn plan_extension<'a, 'b, 'c, 'd, 'e, 'g, 'h, 'i, 'f>(
        &'a self,
        planner: &'b dyn PhysicalPlanner,
        node: &'c dyn UserDefinedLogicalNode,
        _logical_inputs: &'d [&'e LogicalPlan],
        physical_inputs: &'g [Arc<dyn ExecutionPlan>],
        session: &'h dyn Session,
        context: &'i PhysicalPlanningContext,
    ) -> BoxFuture<'f, Result<Option<Arc<dyn ExecutionPlan>>>>
    where
        'a: 'f,
        'b: 'f,
        'c: 'f,
        'd: 'f,
        'e: 'f,
        'g: 'f,
        'h: 'f,
        'i: 'f,
    {
        ready(self.plan(planner, node, physical_inputs, session, context))
    }
}

type Planned = Result<Option<Arc<dyn ExecutionPlan>>>;

fn ready(plan: Planned) -> BoxFuture<'static, Planned> {
    Box::pin(std::future::ready(plan))
}

impl LookupPlanner {
    fn plan(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Planned {
        let Some(LookupJoin { join, side, keys }) = node.as_any().downcast_ref::<LookupJoin>() else {
            return Ok(None);
        };
        let [left, right] = physical_inputs else { return internal_err!("a lookup join has two inputs") };
        let plan_expr = |expr: &Expr, schema: &DFSchema| planner.create_physical_expr(expr, schema, session, context);
        let (left_schema, right_schema) = (join.left.schema(), join.right.schema());
        let on =
            join.on.iter().map(|(left, right)| Ok((plan_expr(left, left_schema)?, plan_expr(right, right_schema)?)));
        let on = on.collect::<Result<Vec<_>>>()?;
        let driving_schema = match side {
            Side::Right => left_schema,
            Side::Left => right_schema,
        };
        let keys = keys.iter().map(|key| key.try_map(|driving| plan_expr(driving, driving_schema)));
        let spec = LookupSpec {
            side: *side,
            keys: keys.collect::<Result<Vec<_>>>()?,
            on,
            filter: join.filter.as_ref().map(|filter| join_filter(filter, join, &plan_expr)).transpose()?,
            join_type: join.join_type,
            null_equality: join.null_equality,
            batch: self.limits.lookup_batch,
            concurrency: self.limits.lookup_concurrency,
        };
        Ok(Some(Arc::new(LookupJoinExec::new(left.clone(), right.clone(), Arc::new(spec)))))
    }
}

/// Plans an expression over a schema.
type PlanExpr<'a> = dyn Fn(&Expr, &DFSchema) -> Result<PhysicalExprRef> + 'a;

/// A join's further condition, over only the columns that it mentions.
fn join_filter(filter: &Expr, join: &Join, plan_expr: &PlanExpr<'_>) -> Result<JoinFilter> {
    let mut mentioned: Vec<&Column> = filter.column_refs().into_iter().collect();
    mentioned.sort();
    let mut indices = Vec::with_capacity(mentioned.len());
    let mut fields = Vec::with_capacity(mentioned.len());
    for column in mentioned {
        let (schema, side) = match join.left.schema().index_of_column(column) {
            Ok(_) => (join.left.schema(), JoinSide::Left),
            Err(_) => (join.right.schema(), JoinSide::Right),
        };
        let index = schema.index_of_column(column)?;
        let (qualifier, field) = schema.qualified_field(index);
        fields.push((qualifier.cloned(), field.clone()));
        indices.push(ColumnIndex { index, side });
    }
    let schema = DFSchema::new_with_metadata(fields, HashMap::new())?;
    let expression = plan_expr(filter, &schema)?;
    Ok(JoinFilter::new(expression, indices, schema.as_arrow().clone().into()))
}

/// Replaces equal scans by one shared scan, and gives lookups of the same columns one request. A scan below a lookup or
/// in the recursive part of a query runs many times, so it is shared even if it is the only one.
pub(crate) fn share_scans(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let mut groups: HashMap<Identity, Group> = HashMap::new();
    gather(&plan, false, &mut groups);
    let mut shared: HashMap<Identity, Shared> = HashMap::new();
    for (identity, group) in groups {
        let more = identity.keys.as_ref().map(|(columns, _)| columns.as_slice()).unwrap_or_default();
        let Some(union) = Request::union(&group.requests, more) else { continue };
        let union = Request { limit: identity.limit.as_ref().map(|(limit, _)| *limit), ..union };
        let is_read_again = group.repeats || (group.requests.len() > 1 && identity.limit.is_none());
        if identity.keys.is_some() {
            shared.insert(identity, Shared::Lookup(Arc::new(union)));
        } else if is_read_again {
            shared.insert(identity, Shared::Scan(Arc::new(SharedScan::new(union))));
        }
    }
    if shared.is_empty() {
        return Ok(plan);
    }
    plan.transform_up(|node| {
        let of_scan = node.downcast_ref::<ScanExec>().and_then(|scan| Some((scan, shared.get(&Identity::of(scan)?)?)));
        let scan: Arc<dyn ExecutionPlan> = match of_scan {
            Some((scan, Shared::Scan(shared))) => Arc::new(scan.with_shared(shared.clone())),
            Some((scan, Shared::Lookup(union))) => Arc::new(scan.with_lookup(union.clone())),
            None => return Ok(Transformed::no(node)),
        };
        Ok(Transformed::yes(scan))
    })
    .data()
}

/// What equal scans share.
enum Shared {
    /// One scan.
    Scan(Arc<SharedScan>),
    /// One request for each key.
    Lookup(Arc<Request>),
}

/// The properties that equal scans have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Identity {
    /// The address of the table, because two tables may have one name.
    table: usize,
    constraints: String,
    as_of: Option<Timestamp>,
    /// Columns that get keys from a join, and whether these are patterns.
    keys: Option<(Vec<usize>, Option<bool>)>,
    /// The limit, and the conditions on the rows that it counts.
    limit: Option<(usize, String)>,
}

impl Identity {
    /// `None` for a scan that is not shared. A scan with a limit may stop before others have their rows, so only scans
    /// with the same limit and conditions are equal.
    fn of(scan: &ScanExec) -> Option<Self> {
        if scan.request.limit.is_some() && scan.binding.is_some() {
            return None;
        }
        Some(Identity {
            table: Arc::as_ptr(scan.table()).addr(),
            constraints: format!("{:?} {:?}", scan.request.constraints, scan.request.alternatives),
            as_of: scan.request.as_of,
            keys: scan.binding.as_ref().map(|binding| (binding.columns.clone(), binding.pattern)),
            limit: scan.request.limit.map(|limit| (limit, condition::describe(&scan.request.conditions))),
        })
    }
}

#[derive(Default)]
struct Group {
    requests: Vec<Request>,
    repeats: bool,
}

fn gather(plan: &Arc<dyn ExecutionPlan>, repeats: bool, groups: &mut HashMap<Identity, Group>) {
    if let Some(scan) = plan.downcast_ref::<ScanExec>()
        && let Some(identity) = Identity::of(scan)
    {
        let group = groups.entry(identity).or_default();
        group.requests.push(scan.request.clone());
        group.repeats |= repeats;
    }
    let looked_up = plan.downcast_ref::<LookupJoinExec>().map(LookupJoinExec::looked_up);
    let recursive = plan.downcast_ref::<RecursiveQueryExec>().map(RecursiveQueryExec::recursive_term);
    for child in plan.children() {
        let runs_again = [looked_up, recursive].into_iter().flatten().any(|again| Arc::ptr_eq(again, child));
        gather(child, repeats || runs_again, groups);
    }
}
