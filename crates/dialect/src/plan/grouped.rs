//! Subqueries above GROUP BY, or next to an aggregate, that use columns which are not grouped. SQLite takes these
//! columns from the same row of the group as bare columns. Here the aggregate carries them up under their names.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, Result,
        tree_node::{Transformed, TreeNodeRecursion},
    },
    functions_aggregate::first_last::first_value_udaf,
    logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, expr::AggregateFunction},
};

use super::{
    outer::{only, outer_columns, subquery_of},
    walk::{each_own_expr, each_part, plans_down},
};
use crate::functions::row_of_group;

/// The plan, with aggregates that carry the columns used by subqueries above them.
pub(super) fn carried(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = plans_down(plan, &mut |plan| {
        let Some(aggregate) = aggregate_below(&plan) else { return Ok(Transformed::no(plan)) };
        let mut missing = Vec::new();
        missing_below(&plan, aggregate, &|column| item_of(&plan, column), &mut missing)?;
        if missing.is_empty() {
            return Ok(Transformed::no(plan));
        }
        let columns = plan.schema().columns();
        Ok(Transformed::yes(only(widened(&plan, &missing)?, columns)?))
    });
    changed.map(|changed| changed.data)
}

/// The input of a node whose subqueries are evaluated for the rows of an aggregate.
fn below(plan: &LogicalPlan) -> Option<&LogicalPlan> {
    match plan {
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Window(_) => {
            plan.inputs().first().copied()
        }
        _ => None,
    }
}

/// The aggregate under a node, with only filters, sorts and windows between them.
fn aggregate_below(plan: &LogicalPlan) -> Option<&Aggregate> {
    match below(plan)? {
        LogicalPlan::Aggregate(aggregate) => Some(aggregate),
        LogicalPlan::Projection(_) => None,
        other => aggregate_below(other),
    }
}

/// A column that subqueries use and the aggregate does not have.
struct Missing {
    column: Column,
    /// The item of the SELECT list with its name; `None` for a column of the aggregate's input.
    item: Option<Expr>,
}

/// The expression of an alias, over the rows of the aggregate.
fn item_of(plan: &LogicalPlan, column: &Column) -> Option<Expr> {
    let LogicalPlan::Projection(projection) = plan else { return None };
    projection.expr.iter().find_map(|item| match item {
        Expr::Alias(alias) if column.relation.is_none() && alias.name == column.name => Some((*alias.expr).clone()),
        _ => None,
    })
}

/// The columns used by subqueries between a node and the aggregate.
fn missing_below(
    plan: &LogicalPlan,
    aggregate: &Aggregate,
    item_of: &dyn Fn(&Column) -> Option<Expr>,
    missing: &mut Vec<Missing>,
) -> Result<()> {
    let Some(input) = below(plan) else { return Ok(()) };
    each_own_expr(plan, &mut |expr| {
        each_part(expr, &mut |expr| {
            let Some(subquery) = subquery_of(expr) else { return Ok(TreeNodeRecursion::Continue) };
            for column in outer_columns(&subquery.subquery)? {
                if aggregate.schema.has_column(&column) || missing.iter().any(|known| known.column == column) {
                    continue;
                }
                let is_below = aggregate.input.schema().has_column(&column);
                let item = if is_below { None } else { item_of(&column) };
                if is_below || item.is_some() {
                    missing.push(Missing { column, item });
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    missing_below(input, aggregate, item_of, missing)
}

/// The same nodes over an aggregate that has the columns.
fn widened(plan: &LogicalPlan, missing: &[Missing]) -> Result<LogicalPlan> {
    match (plan, below(plan)) {
        (LogicalPlan::Aggregate(aggregate), _) => carrying(aggregate, missing),
        (plan, Some(input)) => plan.with_new_exprs(plan.expressions(), vec![widened(input, missing)?]),
        (plan, None) => Ok(plan.clone()),
    }
}

fn carrying(aggregate: &Aggregate, missing: &[Missing]) -> Result<LogicalPlan> {
    let own = aggregate.schema.columns();
    let (order, filter) = row(aggregate);
    let mut found = aggregate.aggr_expr.clone();
    for (at, Missing { column, item }) in missing.iter().enumerate() {
        if item.is_some() {
            continue;
        }
        let first = AggregateFunction::new_udf(
            first_value_udaf(),
            vec![Expr::Column(column.clone())],
            false,
            filter.clone(),
            order.clone(),
            None,
        );
        found.push(Expr::AggregateFunction(first).alias(carried_name(at)));
    }
    let wider = Aggregate::try_new(Arc::clone(&aggregate.input), aggregate.group_expr.clone(), found)?;
    let mut items: Vec<Expr> = own.into_iter().map(Expr::Column).collect();
    for (at, Missing { column, item }) in missing.iter().enumerate() {
        let first = item.clone().unwrap_or_else(|| Expr::Column(Column::new_unqualified(carried_name(at))));
        items.push(first.alias_qualified(column.relation.clone(), &column.name));
    }
    LogicalPlanBuilder::from(LogicalPlan::Aggregate(wider)).project(items)?.build()
}

fn carried_name(at: usize) -> String {
    format!("__carried_{at}")
}

/// The row of each group that columns come from, as an order and a filter of `first_value`.
fn row(aggregate: &Aggregate) -> (Vec<SortExpr>, Option<Box<Expr>>) {
    let calls = aggregate.aggr_expr.iter().filter_map(|expr| match expr {
        Expr::AggregateFunction(function) => Some((function.func.name(), &function.params)),
        _ => None,
    });
    let Some((ascending, params)) = row_of_group(calls) else { return (Vec::new(), None) };
    let args = params.args.iter().filter(|arg| !arg.column_refs().is_empty());
    (args.map(|arg| arg.clone().sort(ascending, false)).collect(), params.filter.clone())
}
