//! `(SELECT ..) IN (SELECT ..)`: DataFusion makes a join of the right side and loses the columns that the left side
//! uses. Here the left side becomes a column first.

use std::sync::Arc;

use datafusion::{
    common::{Column, Result, config::ConfigOptions, tree_node::Transformed},
    logical_expr::{Expr, Filter, LogicalPlan, builder::LogicalPlanBuilder, expr::InSubquery},
    optimizer::AnalyzerRule,
};

use super::{
    outer::has_subquery,
    walk::{any_expr, any_node, any_part, exprs_up, plans_up},
};

/// Computes the left side of IN before the filter that uses it.
#[derive(Debug)]
pub(crate) struct LeftOfInRule;

impl AnalyzerRule for LeftOfInRule {
    fn name(&self) -> &str {
        "left_of_in"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        if !any_node(&plan, &|node| Ok(matches!(node, LogicalPlan::Filter(_)) && any_expr(node, &is_one)?))? {
            return Ok(plan);
        }
        plans_up(plan, &mut |plan| match plan {
            LogicalPlan::Filter(Filter { predicate, input, .. }) if any_part(&predicate, &is_one)? => {
                let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
                let mut left = Vec::new();
                let predicate = exprs_up(predicate, &mut |expr| match expr {
                    Expr::InSubquery(InSubquery { expr, subquery, negated }) if has_subquery(&expr) => {
                        let name = format!("__left_{}", left.len());
                        left.push(expr.alias(&name));
                        let expr = Box::new(Expr::Column(Column::new_unqualified(name)));
                        Ok(Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated })))
                    }
                    other => Ok(Transformed::no(other)),
                })?;
                let worked_out = columns.iter().cloned().chain(left);
                let plan = LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(worked_out)?;
                Ok(Transformed::yes(plan.filter(predicate.data)?.project(columns)?.build()?))
            }
            other => Ok(Transformed::no(other)),
        })
        .map(|changed| changed.data)
    }
}

fn is_one(expr: &Expr) -> bool {
    matches!(expr, Expr::InSubquery(own) if has_subquery(&own.expr))
}
