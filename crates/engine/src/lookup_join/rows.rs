//! Estimated rows of a plan. A wrong estimate makes a query slower, never wrong.

use datafusion::logical_expr::{FetchType, Join, JoinType, LogicalPlan};

use crate::constraints;
use crate::estimate::{EQUAL, left_by, rows_under, selectivity};
use crate::lookup_join::node::{LookupJoin, Side};
use crate::provider::our_scan;

/// Estimated rows of a relation that is not one of our tables.
const UNKNOWN_ROWS: f64 = 1000.0;
/// Estimated rows that a recursion finds for each row that it starts with: ancestors, members of groups.
const RECURSION: f64 = 10.0;

/// Estimated rows of a plan.
pub(crate) fn rows(plan: &LogicalPlan) -> f64 {
    if let Some((scan, provider)) = our_scan(plan) {
        let spec = provider.table.spec();
        let keys_of_join = provider.binding.is_some().then_some(EQUAL);
        let conditions = constraints::unanswered(spec, &scan.filters).map(selectivity).chain(keys_of_join);
        let rows = rows_under(spec, &constraints::of(spec, &scan.filters)) * left_by(conditions);
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
