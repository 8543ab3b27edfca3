//! Walks over plans and expressions. DataFusion compiles a walk over all of its nodes for each type of closure, so all of
//! ours share one type for each kind of walk.

use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, LogicalPlan},
};

type Change<'f, T> = &'f mut dyn FnMut(T) -> Result<Transformed<T>>;
type Look<'f, T> = &'f mut dyn FnMut(&T) -> Result<TreeNodeRecursion>;

/// Changes the nodes of a plan and of its subqueries, inputs first.
pub fn plans_up(plan: LogicalPlan, change: Change<'_, LogicalPlan>) -> Result<Transformed<LogicalPlan>> {
    plan.transform_up_with_subqueries(change)
}

/// Changes the nodes of a plan and of its subqueries, inputs last.
pub fn plans_down(plan: LogicalPlan, change: Change<'_, LogicalPlan>) -> Result<Transformed<LogicalPlan>> {
    plan.transform_down_with_subqueries(change)
}

/// Changes a node's own expressions.
pub(crate) fn own_exprs(node: LogicalPlan, change: Change<'_, Expr>) -> Result<Transformed<LogicalPlan>> {
    node.map_expressions(change)
}

/// Changes an expression and its parts, parts first.
pub(crate) fn exprs_up(expr: Expr, change: Change<'_, Expr>) -> Result<Transformed<Expr>> {
    expr.transform_up(change)
}

/// Looks at the nodes of a plan and of its subqueries.
pub fn each_node(plan: &LogicalPlan, look: Look<'_, LogicalPlan>) -> Result<TreeNodeRecursion> {
    plan.apply_with_subqueries(look)
}

/// Looks at a node's own expressions.
pub(crate) fn each_own_expr(node: &LogicalPlan, look: Look<'_, Expr>) -> Result<TreeNodeRecursion> {
    node.apply_expressions(look)
}

/// Looks at an expression and its parts.
pub(crate) fn each_part(expr: &Expr, look: Look<'_, Expr>) -> Result<TreeNodeRecursion> {
    expr.apply(look)
}

/// Whether a predicate holds for a node of a plan or of its subqueries.
pub(crate) fn any_node(plan: &LogicalPlan, is_one: &dyn Fn(&LogicalPlan) -> Result<bool>) -> Result<bool> {
    let mut found = false;
    each_node(plan, &mut |node| {
        found = is_one(node)?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// Whether a predicate holds for one of a node's own expressions or their parts.
pub(crate) fn any_expr(node: &LogicalPlan, is_one: &dyn Fn(&Expr) -> bool) -> Result<bool> {
    let mut found = false;
    each_own_expr(node, &mut |expr| {
        found = any_part(expr, is_one)?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// Whether a predicate holds for an expression or one of its parts.
pub(crate) fn any_part(expr: &Expr, is_one: &dyn Fn(&Expr) -> bool) -> Result<bool> {
    let mut found = false;
    each_part(expr, &mut |part| {
        found = is_one(part);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
