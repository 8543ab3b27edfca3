//! Estimated row counts for the planner. A wrong estimate makes a query slower, never wrong.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, Like};
use datafusion::logical_expr::{BinaryExpr, Expr, FetchType, Join, JoinType, LogicalPlan, Operator};
use indago_table::{Constraints, TableSpec};

use crate::constraints;
use crate::lookup_join::bind::our_scan;
use crate::lookup_join::node::{LookupJoin, Side};

/// Estimated rows of a relation that is not one of our tables.
const UNKNOWN_ROWS: f64 = 1000.0;
/// Estimated rows that a recursion finds for each row that it starts with: ancestors, members of groups.
const RECURSION: f64 = 10.0;
/// Estimated fraction of rows that equal a value or match a pattern. Also used for conditions of unknown selectivity.
const EQUAL: f64 = 0.2;
/// Estimated fraction of rows on one side of a bound.
const BOUNDED: f64 = 0.4;
/// Estimated fraction of rows that differ from a value, or are not NULL.
const DIFFERENT: f64 = 0.9;
/// The lowest estimate for several conditions together, because conditions are not independent.
const LEAST: f64 = 0.02;

/// Estimated fraction of rows that meet a condition.
pub(crate) fn selectivity(condition: &Expr) -> f64 {
    let unless = |negated: bool| if negated { DIFFERENT } else { EQUAL };
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And => (selectivity(left) * selectivity(right)).max(LEAST),
            Operator::Or => (selectivity(left) + selectivity(right)).min(DIFFERENT),
            // A function used as a condition.
            Operator::NotEq if matches!(right.as_ref(), Expr::Literal(ScalarValue::Int64(Some(0)), _)) => {
                match left.as_ref() {
                    Expr::ScalarFunction(_) => EQUAL,
                    _ => DIFFERENT,
                }
            }
            Operator::NotEq | Operator::IsDistinctFrom => DIFFERENT,
            Operator::Gt | Operator::GtEq | Operator::Lt | Operator::LtEq => BOUNDED,
            _ => EQUAL,
        },
        Expr::Not(inner) => (1.0 - selectivity(inner)).max(EQUAL),
        Expr::Like(Like { negated, .. }) | Expr::InList(InList { negated, .. }) => unless(*negated),
        Expr::IsNotNull(_) => DIFFERENT,
        Expr::Between(between) if !between.negated => BOUNDED,
        _ => EQUAL,
    }
}

/// Estimated fraction of rows that meet several conditions.
pub(crate) fn left_by(selectivities: impl IntoIterator<Item = f64>) -> f64 {
    selectivities.into_iter().product::<f64>().max(LEAST)
}

/// Estimated rows of a table under constraints.
pub(crate) fn answered(spec: &TableSpec, constraints: &Constraints) -> f64 {
    let typical = spec.typical_rows as f64;
    let keys = constraints.0.values().filter_map(|constraint| constraint.keys.as_ref()).map(|keys| keys.len()).min();
    keys.map_or(typical, |keys| (keys as f64).min(typical))
}

/// Estimated rows of a plan.
pub(crate) fn rows(plan: &LogicalPlan) -> f64 {
    if let Some((scan, provider)) = our_scan(plan) {
        let spec = provider.table.spec();
        let keys_of_join = provider.binding.is_some().then_some(EQUAL);
        let conditions = constraints::unanswered(spec, &scan.filters).map(selectivity).chain(keys_of_join);
        let rows = answered(spec, &constraints::of(spec, &scan.filters)) * left_by(conditions);
        return scan.fetch.map_or(rows, |limit| rows.min(limit as f64));
    }
    match plan {
        LogicalPlan::TableScan(scan) => scan.fetch.map_or(UNKNOWN_ROWS, |limit| limit as f64),
        LogicalPlan::Filter(filter) => rows(&filter.input) * selectivity(&filter.predicate),
        LogicalPlan::Limit(limit) => {
            let most = match limit.get_fetch_type() {
                Ok(FetchType::Literal(Some(most))) => most as f64,
                _ => f64::MAX,
            };
            rows(&limit.input).min(most)
        }
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => 1.0,
        LogicalPlan::Aggregate(aggregate) => rows(&aggregate.input) * 0.5,
        LogicalPlan::Join(join) => rows_of_join(join),
        LogicalPlan::Extension(extension) => match extension.node.as_any().downcast_ref::<LookupJoin>() {
            Some(lookup) => match lookup.side {
                Side::Right => rows(&lookup.join.left),
                Side::Left => rows(&lookup.join.right),
            },
            None => UNKNOWN_ROWS,
        },
        LogicalPlan::RecursiveQuery(recursive) => rows(&recursive.static_term) * RECURSION,
        LogicalPlan::Values(values) => values.values.len() as f64,
        LogicalPlan::EmptyRelation(_) => 1.0,
        other => {
            let inputs = other.inputs();
            if inputs.is_empty() { UNKNOWN_ROWS } else { inputs.into_iter().map(rows).sum() }
        }
    }
}

fn rows_of_join(join: &Join) -> f64 {
    let (left, right) = (rows(&join.left), rows(&join.right));
    match join.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left,
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => right,
        _ if join.on.is_empty() => left * right,
        _ => left.max(right),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn conditions_that_tell_rows_apart_leave_few() {
        let different = col("a").not_eq(lit(1));
        let equal = col("a").eq(lit(1));
        let three = |condition: &Expr| left_by([condition; 3].map(selectivity));
        assert!(three(&different) > 0.7);
        assert_eq!(three(&equal), LEAST);
        for broad in [
            col("a").not_like(lit("x%")),
            col("a").in_list(vec![lit(1), lit(2)], true),
            col("a").is_not_null(),
            !equal.clone(),
            different.clone().or(equal.clone()),
        ] {
            assert!(selectivity(&broad) >= 0.8, "{broad}");
        }
        for narrow in [col("a").like(lit("x%")), col("a").in_list(vec![lit(1)], false), different.and(equal)] {
            assert!(selectivity(&narrow) <= EQUAL, "{narrow}");
        }
    }
}
