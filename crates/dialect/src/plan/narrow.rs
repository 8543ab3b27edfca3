//! Conditions on the rows that a dependent FROM item is evaluated for move below it: DataFusion pushes filters down
//! later, when the item already has its own copy of the rows.

use std::sync::Arc;

use datafusion::{
    common::{JoinType, Result, tree_node::Transformed},
    logical_expr::{
        Expr, Filter, Join, LogicalPlan,
        utils::{conjunction, split_conjunction},
    },
};

use super::{
    outer::{has_subquery, lateral},
    walk::{any_node, plans_down},
};

/// The plan with such conditions moved to the rows.
pub(super) fn narrowed(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !has_lateral(&plan)? {
        return Ok(plan);
    }
    plans_down(plan, &mut |plan| match plan {
        LogicalPlan::Filter(filter) => match filter.input.as_ref() {
            LogicalPlan::Join(join) => above(&filter, join),
            _ => Ok(Transformed::no(LogicalPlan::Filter(filter))),
        },
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner && join.filter.is_some() => within(join),
        other => Ok(Transformed::no(other)),
    })
    .map(|changed| changed.data)
}

fn has_lateral(plan: &LogicalPlan) -> Result<bool> {
    any_node(plan, &|node| Ok(matches!(node, LogicalPlan::Join(join) if lateral(&join.right).is_some())))
}

/// A filter above a join: conditions on one side move to it, unless the join fills that side with NULLs.
fn above(filter: &Filter, join: &Join) -> Result<Transformed<LogicalPlan>> {
    let into_left = matches!(join.join_type, JoinType::Inner | JoinType::Left);
    let into_right = matches!(join.join_type, JoinType::Inner | JoinType::Right);
    let conditions = split_conjunction(&filter.predicate).into_iter().cloned().collect();
    let sides = Sides::of(conditions, join, into_left, into_right)?;
    if sides.left.is_empty() && sides.right.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Filter(filter.clone())));
    }
    let joined = sides.join(join.clone(), join.filter.clone())?;
    Ok(Transformed::yes(filtered(joined, sides.rest)?))
}

/// The condition of an inner join.
fn within(join: Join) -> Result<Transformed<LogicalPlan>> {
    let conditions = join.filter.iter().flat_map(split_conjunction).cloned().collect();
    let sides = Sides::of(conditions, &join, true, true)?;
    if sides.left.is_empty() && sides.right.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let rest = conjunction(sides.rest.iter().cloned());
    Ok(Transformed::yes(sides.join(join, rest)?))
}

/// Conditions by the side of a join that they refer to.
#[derive(Default)]
struct Sides {
    left: Vec<Expr>,
    right: Vec<Expr>,
    rest: Vec<Expr>,
}

impl Sides {
    fn of(conditions: Vec<Expr>, join: &Join, into_left: bool, into_right: bool) -> Result<Self> {
        let mut sides = Self::default();
        // The dependent side takes no filter: it is not an independent plan yet.
        let into_right = into_right && lateral(&join.right).is_none();
        let narrows = lateral(&join.right).is_some() || has_lateral(&join.left)? || has_lateral(&join.right)?;
        for condition in conditions {
            let columns = condition.column_refs();
            let movable = narrows
                && !columns.is_empty()
                && !has_subquery(&condition)
                && !condition.contains_outer()
                && !condition.is_volatile();
            let only = |own: &LogicalPlan, other: &LogicalPlan| {
                columns.iter().all(|column| own.schema().has_column(column) && !other.schema().has_column(column))
            };
            let side = if movable && into_left && only(&join.left, &join.right) {
                &mut sides.left
            } else if movable && into_right && only(&join.right, &join.left) {
                &mut sides.right
            } else {
                &mut sides.rest
            };
            side.push(condition);
        }
        Ok(sides)
    }

    /// The join over the sides with their conditions.
    fn join(&self, join: Join, filter: Option<Expr>) -> Result<LogicalPlan> {
        Ok(LogicalPlan::Join(Join::try_new(
            Arc::new(filtered(Arc::unwrap_or_clone(join.left), self.left.clone())?),
            Arc::new(filtered(Arc::unwrap_or_clone(join.right), self.right.clone())?),
            join.on,
            filter,
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?))
    }
}

/// The rows of a plan that pass all of some conditions.
pub(super) fn filtered(plan: LogicalPlan, conditions: Vec<Expr>) -> Result<LogicalPlan> {
    match conjunction(conditions) {
        Some(predicate) => Ok(LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(plan))?)),
        None => Ok(plan),
    }
}
