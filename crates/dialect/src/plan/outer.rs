//! Subqueries in a plan, and the columns of outer queries that they use.

use datafusion::{
    common::{Column, DFSchema, Result, TableReference, tree_node::TreeNodeRecursion},
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery},
};

use super::walk::{any_part, each_own_expr, each_part};

/// The plan without helper columns.
pub(super) fn only(plan: LogicalPlan, columns: Vec<Column>) -> Result<LogicalPlan> {
    if plan.schema().fields().len() == columns.len() {
        return Ok(plan);
    }
    LogicalPlanBuilder::from(plan).project(columns.into_iter().map(Expr::Column))?.build()
}

/// The dependent plan of a lateral item and its alias.
pub(super) fn lateral(plan: &LogicalPlan) -> Option<(&LogicalPlan, Option<TableReference>)> {
    match plan {
        LogicalPlan::Subquery(subquery) => Some((&subquery.subquery, None)),
        LogicalPlan::SubqueryAlias(aliased) => match aliased.input.as_ref() {
            LogicalPlan::Subquery(subquery) => Some((&subquery.subquery, Some(aliased.alias.clone()))),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn subquery_of(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(subquery) => Some(subquery),
        Expr::Exists(exists) => Some(&exists.subquery),
        Expr::InSubquery(inner) => Some(&inner.subquery),
        _ => None,
    }
}

pub(super) fn has_subquery(expr: &Expr) -> bool {
    any_part(expr, &|expr| subquery_of(expr).is_some()).unwrap_or(false)
}

/// The columns of a relation that an expression uses, also in its subqueries.
pub(super) fn columns_of(expr: &Expr, schema: &DFSchema) -> Result<Vec<Column>> {
    let mut found: Vec<Column> = expr.column_refs().into_iter().cloned().collect();
    each_part(expr, &mut |expr| {
        if let Some(subquery) = subquery_of(expr) {
            found.extend(depends_on(&subquery.subquery, schema)?);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// All outer columns that a plan uses, also in its subqueries, and that nothing inside it provides.
pub(super) fn outer_columns(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let mut found = Vec::new();
    collect_outer(plan, &mut found)?;
    Ok(found)
}

fn collect_outer(plan: &LogicalPlan, found: &mut Vec<Column>) -> Result<()> {
    let mut add = |column: &Column| {
        if !found.contains(column) {
            found.push(column.clone());
        }
    };
    each_own_expr(plan, &mut |expr| {
        each_part(expr, &mut |expr| {
            if let Expr::OuterReferenceColumn(_, column) = expr {
                add(column);
            }
            if let Some(subquery) = subquery_of(expr) {
                for column in outer_columns(&subquery.subquery)? {
                    let inside = plan.inputs().iter().any(|input| input.schema().has_column(&column));
                    if !inside {
                        add(&column);
                    }
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    for input in plan.inputs() {
        collect_outer(input, found)?;
    }
    Ok(())
}

/// The outer columns of a plan that belong to a relation.
pub(super) fn depends_on(plan: &LogicalPlan, outer: &DFSchema) -> Result<Vec<Column>> {
    Ok(outer_columns(plan)?.into_iter().filter(|column| outer.has_column(column)).collect())
}
