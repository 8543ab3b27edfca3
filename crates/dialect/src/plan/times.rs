//! Comparisons of times. DataFusion compares in the finer unit of both sides, nanoseconds for all that is written, and those
//! end in 2262; and it takes a text that states its zone for local time of the column's zone. Here a text becomes a time of
//! the column's own type, and a constant of a finer unit is compared in the column's.

use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};
use datafusion::{
    common::{
        DFSchema, Result, ScalarValue,
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{
        Between, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, TryCast, expr::InList,
        expr_rewriter::NamePreserver, lit, utils::merge_schema,
    },
    optimizer::AnalyzerRule,
};

use super::{cast, literal_text, search::any_node};

/// Compares times in the unit and zone of the column, before DataFusion's own type coercion.
#[derive(Debug)]
pub(crate) struct TimeRule;

impl AnalyzerRule for TimeRule {
    fn name(&self) -> &str {
        "compared_times"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        if !any_node(&plan, |node| Ok(has_times(node)))? {
            return Ok(plan);
        }
        plan.transform_up_with_subqueries(|plan| {
            let inputs = plan.inputs();
            if !inputs.iter().any(|input| has_times(input)) {
                return Ok(Transformed::no(plan));
            }
            let schema = Arc::new(merge_schema(&inputs));
            let preserver = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = preserver.save(&expr);
                let rewritten = expr.transform_up(|expr| Ok(rewrite(expr, &schema)))?;
                Ok(rewritten.update_data(|expr| name.restore(expr)))
            })
        })
        .map(|changed| changed.data)
    }
}

fn has_times(plan: &LogicalPlan) -> bool {
    plan.schema().fields().iter().any(|field| matches!(field.data_type(), DataType::Timestamp(..)))
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { mut left, op, mut right }) if compares(op) => {
            let changed = fit(&mut left, &mut [&mut right], schema) || fit(&mut right, &mut [&mut left], schema);
            Transformed::new_transformed(Expr::BinaryExpr(BinaryExpr { left, op, right }), changed)
        }
        Expr::Between(Between { mut expr, negated, mut low, mut high }) => {
            let changed = fit(&mut expr, &mut [&mut low, &mut high], schema);
            Transformed::new_transformed(Expr::Between(Between { expr, negated, low, high }), changed)
        }
        Expr::InList(InList { mut expr, mut list, negated }) => {
            let changed = fit(&mut expr, &mut list.iter_mut().collect::<Vec<_>>(), schema);
            Transformed::new_transformed(Expr::InList(InList { expr, list, negated }), changed)
        }
        other => Transformed::no(other),
    }
}

fn compares(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Gives constants the type of the time that they are compared with; true if anything changed.
fn fit(time: &mut Expr, others: &mut [&mut Expr], schema: &DFSchema) -> bool {
    if !time.any_column_refs() {
        return false;
    }
    let Ok(DataType::Timestamp(unit, zone)) = time.get_type(schema) else { return false };
    let own = DataType::Timestamp(unit, zone.clone());
    let mut changed = false;
    for other in others {
        let written = written(other).map(|text| ScalarValue::Utf8View(Some(text.to_owned())));
        match written {
            Some(text) => match text.cast_to(&own) {
                Ok(value) if is_whole(&text, unit) => **other = lit(value),
                Ok(_) => continue,
                // Beyond what nanoseconds reach: microseconds reach further.
                Err(_) => match text.cast_to(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone())) {
                    Ok(value) if unit == TimeUnit::Nanosecond => {
                        *time = cast(time.clone(), value.data_type());
                        **other = lit(value);
                        return true;
                    }
                    _ => continue,
                },
            },
            None => match other.get_type(schema) {
                Ok(DataType::Timestamp(finer, zone)) if finer > unit && !other.any_column_refs() => {
                    **other = cast(other.clone(), DataType::Timestamp(unit, zone));
                }
                _ => continue,
            },
        }
        changed = true;
    }
    changed
}

/// The text of a time as it was written, also as `TIMESTAMP '..'`.
fn written(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })
            if matches!(field.data_type(), DataType::Timestamp(_, None)) =>
        {
            literal_text(expr)
        }
        expr => literal_text(expr),
    }
}

/// Whether a text states no finer part than the unit has.
fn is_whole(text: &ScalarValue, unit: TimeUnit) -> bool {
    let per_unit = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1000,
        TimeUnit::Nanosecond => 1,
    };
    match text.cast_to(&DataType::Timestamp(TimeUnit::Nanosecond, None)) {
        Ok(ScalarValue::TimestampNanosecond(Some(nanoseconds), _)) => nanoseconds % per_unit == 0,
        _ => true,
    }
}
