//! Joins that keep rows without a partner, under a condition that those rows never meet: `like(pattern, path)` is NULL
//! if the pattern is NULL. DataFusion knows this for its own operators, but not for our functions.

use std::sync::Arc;

use datafusion::{
    common::{JoinType, Result, tree_node::Transformed},
    logical_expr::{BinaryExpr, Expr, Filter, Join, LogicalPlan, Operator, utils::split_conjunction},
    optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule, eliminate_outer_join::eliminate_outer},
};

use super::operand::called;

/// Makes such joins inner joins.
#[derive(Debug)]
pub struct StrictFunctions;

impl OptimizerRule for StrictFunctions {
    fn name(&self) -> &str {
        "strict_functions"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(Filter { predicate, input, .. }) = &plan else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Join(join) = input.as_ref() else { return Ok(Transformed::no(plan)) };
        let needed: Vec<&Expr> = split_conjunction(predicate).into_iter().flat_map(needed).collect();
        let needs = |side: &LogicalPlan| {
            needed.iter().any(|expr| matches!(expr, Expr::Column(column) if side.schema().has_column(column)))
        };
        let join_type = match join.join_type {
            JoinType::Left | JoinType::Right | JoinType::Full => {
                eliminate_outer(join.join_type, needs(&join.left), needs(&join.right))
            }
            other => other,
        };
        if join_type == join.join_type {
            return Ok(Transformed::no(plan));
        }
        let joined = LogicalPlan::Join(Join { join_type, ..join.clone() });
        Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate.clone(), Arc::new(joined))?)))
    }
}

/// The values that must not be NULL for a condition to hold.
fn needed(condition: &Expr) -> Vec<&Expr> {
    match condition {
        // As a condition: the function returns 1 or 0.
        Expr::BinaryExpr(BinaryExpr { left, op, .. }) if *op == Operator::NotEq || *op == Operator::Eq => needed(left),
        condition => match called(condition) {
            Some(function) if matches!(function.name(), "like" | "glob" | "regexp") => function.args.iter().collect(),
            Some(function) if function.name() == "truth" => function.args.iter().flat_map(needed).collect(),
            _ => Vec::new(),
        },
    }
}
