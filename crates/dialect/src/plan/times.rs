//! Comparisons of times. DataFusion compares in the finer unit of both sides, which is nanoseconds for every literal,
//! and those end in 2262. It also reads a text that states its zone as local time of the column's zone. Here a text
//! becomes a time of the column's own type, and a constant of a finer unit is compared in the column's unit.

use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};
use datafusion::{
    common::{DFSchema, JoinConstraint, Result, ScalarValue, config::ConfigOptions, tree_node::Transformed},
    logical_expr::{
        Between, BinaryExpr, Cast, Expr, ExprSchemable, Join, LogicalPlan, LogicalPlanBuilder, Operator, Subquery,
        TryCast,
        expr::{InList, InSubquery},
        expr_rewriter::NamePreserver,
        lit,
        utils::merge_schema,
    },
    optimizer::AnalyzerRule,
};

use super::{
    operand::{binary, cast, literal_text},
    walk::{any_node, exprs_up, own_exprs, plans_up},
};

/// Compares times in the unit and zone of the column, before DataFusion's own type coercion.
#[derive(Debug)]
pub(crate) struct TimeRule;

impl AnalyzerRule for TimeRule {
    fn name(&self) -> &str {
        "compared_times"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        if !any_node(&plan, &|node| Ok(has_times(node)))? {
            return Ok(plan);
        }
        plans_up(plan, &mut |plan| {
            let inputs = plan.inputs();
            if !inputs.iter().any(|input| has_times(input)) {
                return Ok(Transformed::no(plan));
            }
            let schema = Arc::new(merge_schema(&inputs));
            if let LogicalPlan::Join(join) = plan {
                return conditions(join, &schema);
            }
            let preserver = NamePreserver::new(&plan);
            own_exprs(plan, &mut |expr| {
                let name = preserver.save(&expr);
                let rewritten = exprs_up(expr, &mut |expr| rewrite(expr, &schema))?;
                Ok(rewritten.update_data(|expr| name.restore(expr)))
            })
        })
        .map(|changed| changed.data)
    }
}

/// A join with its conditions; those of `USING`, `EXCEPT` and `INTERSECT` are pairs of columns.
fn conditions(mut join: Join, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
    let mut changed = false;
    for (left, right) in &mut join.on {
        changed |= exactly(&mut [left, right], schema);
    }
    if changed {
        join.join_constraint = JoinConstraint::On;
    }
    let plan = own_exprs(LogicalPlan::Join(join), &mut |expr| exprs_up(expr, &mut |expr| rewrite(expr, schema)))?;
    Ok(Transformed::new_transformed(plan.data, changed || plan.transformed))
}

fn has_times(plan: &LogicalPlan) -> bool {
    plan.schema().fields().iter().any(|field| matches!(field.data_type(), DataType::Timestamp(..)))
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { mut left, op, mut right }) if compares(op) => {
            let changed = fit(&mut left, &mut [&mut right], schema)
                || fit(&mut right, &mut [&mut left], schema)
                || exactly(&mut [&mut left, &mut right], schema);
            Transformed::new_transformed(Expr::BinaryExpr(BinaryExpr { left, op, right }), changed)
        }
        Expr::Between(Between { mut expr, negated, mut low, mut high }) => {
            let changed = fit(&mut expr, &mut [&mut low, &mut high], schema)
                | exactly(&mut [&mut expr, &mut low, &mut high], schema);
            Transformed::new_transformed(Expr::Between(Between { expr, negated, low, high }), changed)
        }
        Expr::InList(InList { mut expr, mut list, negated }) => {
            let changed = fit(&mut expr, &mut list.iter_mut().collect::<Vec<_>>(), schema)
                | exactly(&mut std::iter::once(&mut *expr).chain(&mut list).collect::<Vec<_>>(), schema);
            Transformed::new_transformed(Expr::InList(InList { expr, list, negated }), changed)
        }
        Expr::InSubquery(inner) => in_subquery(inner, schema)?,
        other => Transformed::no(other),
    })
}

fn in_subquery(InSubquery { mut expr, subquery, negated }: InSubquery, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (relation, field) = subquery.subquery.schema().qualified_field(0);
    let mut column = Expr::from((relation, field));
    let kinds = vec![expr.get_type(schema).ok(), Some(field.data_type().clone())];
    if !as_counts(&mut [&mut expr, &mut column], kinds) {
        return Ok(Transformed::no(Expr::InSubquery(InSubquery { expr, subquery, negated })));
    }
    let column = column.alias("__counted");
    let Subquery { subquery, outer_ref_columns, spans } = subquery;
    let subquery = Arc::new(LogicalPlanBuilder::from(subquery).project(vec![column])?.build()?);
    let subquery = Subquery { subquery, outer_ref_columns, spans };
    Ok(Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated })))
}

fn compares(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Converts constants to the type of the time that they are compared with; true if anything changed.
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
                // Outside the range of nanoseconds; the range of microseconds is larger.
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

/// Converts times in different units to numbers that count the finest unit and have the range of the coarsest; true if
/// they are such times.
fn exactly(times: &mut [&mut Expr], schema: &DFSchema) -> bool {
    let kinds = times.iter().map(|time| time.get_type(schema).ok()).collect();
    as_counts(times, kinds)
}

/// The same for times with known types.
fn as_counts(times: &mut [&mut Expr], kinds: Vec<Option<DataType>>) -> bool {
    let kinds: Option<Vec<(TimeUnit, Option<Arc<str>>)>> = kinds
        .into_iter()
        .map(|kind| match kind {
            Some(DataType::Timestamp(unit, zone)) => Some((unit, zone)),
            _ => None,
        })
        .collect();
    let Some(kinds) = kinds else { return false };
    let finest = kinds.iter().map(|(unit, _)| per_second(*unit)).max().unwrap_or(1);
    if kinds.iter().all(|(unit, _)| per_second(*unit) == finest) {
        return false;
    }
    // A time without a zone is a local time in the other side's zone.
    let zone = kinds.iter().find_map(|(_, zone)| zone.clone());
    for (time, (unit, own)) in times.iter_mut().zip(kinds) {
        let in_zone = if own.is_none() && zone.is_some() {
            cast(time.clone(), DataType::Timestamp(unit, zone.clone()))
        } else {
            time.clone()
        };
        let count = cast(cast(in_zone, DataType::Int64), DataType::Decimal128(19, 0));
        let factor = ScalarValue::Decimal128(Some(i128::from(finest / per_second(unit))), 10, 0);
        **time = binary(count, Operator::Multiply, lit(factor));
    }
    true
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The text of a time as written, also as `TIMESTAMP '..'`.
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

/// Whether the precision of a text fits the unit.
fn is_whole(text: &ScalarValue, unit: TimeUnit) -> bool {
    let per_unit = 1_000_000_000 / per_second(unit);
    match text.cast_to(&DataType::Timestamp(TimeUnit::Nanosecond, None)) {
        Ok(ScalarValue::TimestampNanosecond(Some(nanoseconds), _)) => nanoseconds % per_unit == 0,
        _ => true,
    }
}
