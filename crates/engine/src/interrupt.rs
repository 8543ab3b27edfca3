//! Makes a plan stop soon after its query was cancelled. DataFusion alone would continue: a join can compare billions
//! of pairs between two batches.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

use crate::state::QueryState;

/// The plan with joins that yield regularly, and whose filters fail once the query is cancelled.
pub(crate) fn interruptible(plan: Arc<dyn ExecutionPlan>, state: &Arc<QueryState>) -> Result<Arc<dyn ExecutionPlan>> {
    let watched = |filter: &JoinFilter| {
        let expr = Watched { expr: filter.expression().clone(), state: state.clone() };
        JoinFilter::new(Arc::new(expr), filter.column_indices().to_vec(), filter.schema().clone())
    };
    let plan = plan.transform_up(|node| {
        let join: Arc<dyn ExecutionPlan> = if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
            let builder = NestedLoopJoinExecBuilder::new(join.left().clone(), join.right().clone(), *join.join_type())
                .with_projection_ref(join.projection().clone())
                .with_filter(join.filter().map(watched));
            Arc::new(builder.build()?)
        } else if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            match join.filter().map(watched) {
                Some(filter) => join.builder().with_filter(Some(filter)).build_exec()?,
                None => node,
            }
        } else if node.is::<CrossJoinExec>() {
            node
        } else {
            return Ok(Transformed::no(node));
        };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(join))))
    })?;
    Ok(plan.data)
}

/// A condition that fails once its query is cancelled.
#[derive(Debug)]
struct Watched {
    expr: Arc<dyn PhysicalExpr>,
    state: Arc<QueryState>,
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.expr.eq(&other.expr) && Arc::ptr_eq(&self.state, &other.state)
    }
}

impl Eq for Watched {}

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expr.hash(state);
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl PhysicalExpr for Watched {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.expr.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.state.is_cancelled() {
            return exec_err!("the query was cancelled");
        }
        self.expr.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.expr]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let Ok([expr]) = <[Arc<dyn PhysicalExpr>; 1]>::try_from(children) else {
            return internal_err!("a watched condition is one expression");
        };
        Ok(Arc::new(Watched { expr, state: self.state.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt_sql(f)
    }
}
