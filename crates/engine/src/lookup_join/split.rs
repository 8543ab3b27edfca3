//! Splits plans with a choice of keys that no single scan or join can pass to a keyed table. Each part has one kind of
//! key, and no row is in two parts.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchemaRef, Result, ScalarValue};
use datafusion::logical_expr::utils::{conjunction, disjunction, split_binary, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, Expr, Filter, Join, JoinType, LogicalPlan, Operator, Projection, Union, lit,
};
use datafusion::optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerContext};
use indago_dialect::{StrictFunctions, plans_down};

use crate::constraints::{is_choice, looks_like};

/// The most nodes to split. Each part contains a copy of everything below the node.
const MOST: usize = 64;

/// The plan with its choices split into unions of parts; `None` if there is nothing to split.
pub(crate) fn apart(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let mut taken_apart = 0;
    let split = plans_down(plan.clone(), &mut |node| {
        let parts = match &node {
            _ if taken_apart == MOST => None,
            LogicalPlan::Filter(filter) => match of_filter(filter)? {
                Some(parts) => Some(parts),
                None => of_outer_join(filter)?,
            },
            LogicalPlan::Join(join) => of_join(join)?,
            _ => None,
        };
        taken_apart += usize::from(parts.is_some());
        Ok(parts.map_or_else(|| Transformed::no(node), Transformed::yes))
    })?;
    if !split.transformed {
        return Ok(None);
    }
    let sink_filters = Optimizer::with_rules(vec![
        Arc::new(SimplifyExpressions::new()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(StrictFunctions),
        Arc::new(PushDownFilter::new()),
    ]);
    sink_filters.optimize(split.data, &OptimizerContext::new(), |_, _| {}).map(Some)
}

/// Splits `key = x OR key IN (SELECT ..)`: rows in the first subquery, rows in the second but not in the first, and so
/// on. The last part is rows in no subquery that meet the rest of the `OR`.
fn of_filter(filter: &Filter) -> Result<Option<LogicalPlan>> {
    let conditions = split_conjunction(&filter.predicate);
    let mut marks = Vec::new();
    let Some((choice, terms, source)) =
        conditions.iter().copied().filter(|condition| is_choice(condition)).find_map(|choice| {
            let terms = split_binary(choice, Operator::Or);
            let source = unmarked(&filter.input, &terms, &mut marks);
            (!marks.is_empty()).then_some((choice, terms, source))
        })
    else {
        return Ok(None);
    };
    let schema = filter.input.schema();
    let marked = |plan: LogicalPlan, position: Option<usize>| as_marked(plan, schema, &marks, position);
    let with = |join: &Join, left: LogicalPlan, join_type: JoinType| {
        let schema = left.schema().clone();
        LogicalPlan::Join(Join { left: Arc::new(left), join_type, schema, ..join.clone() })
    };
    let mut parts = Vec::new();
    let mut left = source.clone();
    for (position, join) in marks.iter().enumerate() {
        parts.push(Arc::new(marked(with(join, left.clone(), JoinType::LeftSemi), Some(position))?));
        left = with(join, left, JoinType::LeftAnti);
    }
    let plain = terms.into_iter().filter(|term| !marks.iter().any(|join| is_mark(join, term))).cloned();
    if let Some(plain) = disjunction(plain) {
        let rest = marked(left, None)?;
        parts.push(Arc::new(LogicalPlan::Filter(Filter::try_new(plain, Arc::new(rest))?)));
    }
    let union = LogicalPlan::Union(Union { inputs: parts, schema: schema.clone() });
    let others = conditions.iter().filter(|condition| **condition != choice).map(|condition| (*condition).clone());
    Ok(Some(match conjunction(others) {
        Some(others) => LogicalPlan::Filter(Filter::try_new(others, Arc::new(union))?),
        None => union,
    }))
}

/// Splits `key = x OR key LIKE (SELECT ..)`, where the subquery is joined to every row: the pairs that meet the
/// condition, and the rows that meet it without a match.
fn of_outer_join(filter: &Filter) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::Join(join) = filter.input.as_ref() else { return Ok(None) };
    let is_plain = join.join_type == JoinType::Left && join.on.is_empty() && join.filter.is_none();
    let asks_partner = |condition: &&Expr| {
        is_choice(condition) && condition.column_refs().iter().any(|column| join.right.schema().has_column(column))
    };
    if !is_plain || !split_conjunction(&filter.predicate).iter().any(asks_partner) {
        return Ok(None);
    }
    let predicate = &filter.predicate;
    let pairs = Join { join_type: JoinType::Inner, filter: Some(predicate.clone()), ..join.clone() };
    let alone = Join { join_type: JoinType::LeftAnti, schema: join.left.schema().clone(), ..join.clone() };
    let alone = with_nulls(LogicalPlan::Join(alone), join)?;
    let alone = Filter::try_new(predicate.clone(), Arc::new(alone))?;
    let inputs = vec![Arc::new(LogicalPlan::Join(pairs)), Arc::new(LogicalPlan::Filter(alone))];
    Ok(Some(LogicalPlan::Union(Union { inputs, schema: join.schema.clone() })))
}

/// The plan below the mark joins of an `OR`. Adds these joins to `marks`, the topmost first.
fn unmarked<'a>(plan: &'a LogicalPlan, terms: &[&Expr], marks: &mut Vec<&'a Join>) -> &'a LogicalPlan {
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(_));
    let joined = match plan {
        LogicalPlan::Projection(projection) if projection.expr.iter().all(is_column) => projection.input.as_ref(),
        joined => joined,
    };
    match joined {
        LogicalPlan::Join(join)
            if join.join_type == JoinType::LeftMark
                && !join.null_aware
                && terms.iter().any(|term| is_mark(join, term)) =>
        {
            marks.push(join);
            unmarked(&join.left, terms, marks)
        }
        _ => plan,
    }
}

/// Whether an expression is the mark column of a join, which is its last column.
fn is_mark(join: &Join, expr: &Expr) -> bool {
    let mark = join.schema.fields().len() - 1;
    matches!(expr, Expr::Column(column) if join.schema.index_of_column(column).is_ok_and(|index| index == mark))
}

/// Adds the mark columns to a plan: one of them true, or none.
fn as_marked(plan: LogicalPlan, schema: &DFSchemaRef, marks: &[&Join], set: Option<usize>) -> Result<LogicalPlan> {
    let columns = schema.columns().into_iter().map(|column| {
        let column = Expr::Column(column);
        let Some(mark) = marks.iter().position(|join| is_mark(join, &column)) else { return column };
        let (relation, name) = column.qualified_name();
        lit(set == Some(mark)).alias_qualified(relation, name)
    });
    let projection = Projection::try_new_with_schema(columns.collect(), Arc::new(plan), schema.clone())?;
    Ok(LogicalPlan::Projection(projection))
}

/// Splits `JOIN .. ON key = a OR key = b`: pairs that meet the first equality, pairs that meet the second but not the
/// first, and so on. An outer join also has a part with the rows that meet none. `EXISTS` and `NOT EXISTS` are split in
/// the same way.
fn of_join(join: &Join) -> Result<Option<LogicalPlan>> {
    use JoinType::{Inner, Left, LeftAnti, LeftSemi};
    let (Inner | Left | LeftSemi | LeftAnti, true, Some(filter)) = (join.join_type, join.on.is_empty(), &join.filter)
    else {
        return Ok(None);
    };
    let conditions = split_conjunction(filter);
    for choice in conditions.iter().copied().filter(|condition| is_choice(condition)) {
        let branches = split_binary(choice, Operator::Or);
        let others: Vec<&Expr> = conditions.iter().copied().filter(|condition| *condition != choice).collect();
        let joins: Option<Vec<Join>> = branches.iter().map(|branch| of_branch(join, branch, &others)).collect();
        let Some(joins) = joins else { continue };
        return parts_of_join(join, &branches, joins).map(Some);
    }
    Ok(None)
}

/// The join on one branch of the `OR`, if the branch has an equality, a pattern, or a condition on one side only.
fn of_branch(join: &Join, branch: &Expr, others: &[&Expr]) -> Option<Join> {
    let conditions = split_conjunction(branch);
    let pairs: Vec<Option<(Expr, Expr)>> = conditions.iter().map(|condition| pair(join, condition)).collect();
    let on: Vec<(Expr, Expr)> = pairs.iter().flatten().cloned().collect();
    let rest = conditions.into_iter().zip(&pairs).filter(|(_, pair)| pair.is_none()).map(|(condition, _)| condition);
    let filter = conjunction(rest.chain(others.iter().copied()).cloned());
    let of_one_side = |condition: &&Expr| {
        let columns = condition.column_refs();
        let all_of = |side: &LogicalPlan| columns.iter().all(|column| side.schema().has_column(column));
        !columns.is_empty() && (all_of(&join.left) || all_of(&join.right))
    };
    let has_keys = !on.is_empty() || branch_looks_like(branch) || split_conjunction(branch).iter().any(of_one_side);
    has_keys.then(|| Join { on, filter, ..join.clone() })
}

/// Whether a branch has a pattern.
fn branch_looks_like(branch: &Expr) -> bool {
    split_conjunction(branch).into_iter().any(|condition| looks_like(condition).is_some())
}

/// The expressions of an equality between the sides of a join, left side first.
fn pair(join: &Join, condition: &Expr) -> Option<(Expr, Expr)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return None };
    let is_of = |expr: &Expr, side: &LogicalPlan| {
        let columns = expr.column_refs();
        !columns.is_empty() && columns.iter().all(|column| side.schema().has_column(column))
    };
    if is_of(left, &join.left) && is_of(right, &join.right) {
        Some((left.as_ref().clone(), right.as_ref().clone()))
    } else if is_of(right, &join.left) && is_of(left, &join.right) {
        Some((right.as_ref().clone(), left.as_ref().clone()))
    } else {
        None
    }
}

fn parts_of_join(join: &Join, branches: &[&Expr], joins: Vec<Join>) -> Result<LogicalPlan> {
    let mut parts = Vec::new();
    let mut alone = (*join.left).clone();
    for (position, part) in joins.into_iter().enumerate() {
        let left_of = |left: LogicalPlan, join_type: JoinType| {
            let schema = join.left.schema().clone();
            LogicalPlan::Join(Join { left: Arc::new(left), join_type, schema, ..part.clone() })
        };
        match join.join_type {
            JoinType::LeftSemi => parts.push(left_of(alone.clone(), JoinType::LeftSemi)),
            JoinType::Inner | JoinType::Left => {
                let earlier = branches[..position].iter().map(|branch| (*branch).clone().is_not_true());
                let filter = conjunction(part.filter.iter().cloned().chain(earlier));
                parts.push(LogicalPlan::Join(Join { filter, join_type: JoinType::Inner, ..part.clone() }));
            }
            _ => {}
        }
        alone = left_of(alone, JoinType::LeftAnti);
    }
    match join.join_type {
        JoinType::Left => parts.push(with_nulls(alone, join)?),
        JoinType::LeftAnti => return Ok(alone),
        _ => {}
    }
    let inputs = parts.into_iter().map(Arc::new).collect();
    Ok(LogicalPlan::Union(Union { inputs, schema: join.schema.clone() }))
}

/// Rows of a join's left side without a match, extended with NULLs as in an outer join.
fn with_nulls(alone: LogicalPlan, join: &Join) -> Result<LogicalPlan> {
    let left = join.left.schema().fields().len();
    let columns = join.schema.iter().enumerate().map(|(position, (relation, field))| {
        if position < left {
            return Ok(Expr::from((relation, field)));
        }
        let null = Expr::Literal(ScalarValue::try_from(field.data_type())?, None);
        Ok(null.alias_qualified(relation.cloned(), field.name()))
    });
    let columns = columns.collect::<Result<_>>()?;
    Projection::try_new_with_schema(columns, Arc::new(alone), join.schema.clone()).map(LogicalPlan::Projection)
}
