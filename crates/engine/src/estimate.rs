//! Estimated selectivity of conditions, and rows of a table. A wrong estimate makes a query slower, never wrong.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, Like};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use indago_table::{Constraints, TableSpec};

/// Estimated fraction of rows that equal a value or match a pattern. Also used for conditions of unknown selectivity.
pub(crate) const EQUAL: f64 = 0.2;
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
pub(crate) fn rows_under(spec: &TableSpec, constraints: &Constraints) -> f64 {
    let typical = spec.typical_rows as f64;
    let keys = constraints.0.values().filter_map(|constraint| constraint.keys.as_ref()).map(|keys| keys.len()).min();
    keys.map_or(typical, |keys| (keys as f64).min(typical))
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
