//! Planning: operators get SQLite's meaning once the types of both sides are known.

mod analyzer;
mod arithmetic;
mod compare;
mod dependent;
mod grouped;
mod left;
mod narrow;
pub(crate) mod optimizer;
pub(crate) mod pushdown;
mod relation;
pub(crate) mod search;
mod similar;
mod single;
mod standard;
mod strict;
mod times;

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};
use datafusion::{
    common::{Column, DFSchema, ExprSchema, Result, ScalarValue},
    logical_expr::{
        Cast, Expr, ExprSchemable, LogicalPlan, Operator, binary_expr,
        expr::ScalarFunction,
        lit,
        planner::{ExprPlanner, PlannerResult, RawBinaryExpr, TypePlanner},
        simplify::{ExprSimplifyResult, SimplifyContext},
    },
};
use sqlparser::ast::{self, BinaryOperator};

pub(crate) use analyzer::AffinityRule;
pub(crate) use dependent::DependentRule;
pub(crate) use left::LeftOfInRule;
pub(crate) use relation::TableFunctions;
pub(crate) use standard::StandardRule;
pub use strict::StrictFunctions;
pub(crate) use times::TimeRule;

use crate::{
    collation::Collation,
    functions::{call, scalar::Class},
};

/// The metadata key in a column's Arrow field that names its collation: `nocase`, `version` and so on.
///
/// A table's schema carries it to comparisons and sorts. Comparisons with a key column are still pushed down: the
/// engine passes keys by the column's collation.
pub const COLLATION_METADATA: &str = "indago.collation";

/// The metadata key for a column of reals whose whole values are integers, such as arithmetic on text.
pub const NUMBER_METADATA: &str = "indago.number";

/// The value under that key.
pub(crate) const MIXED: &str = "mixed";

/// A value of such a column as text: `6` and `2.5`.
pub fn mixed_to_text(number: f64) -> String {
    match whole(number) {
        Some(integer) => integer.to_string(),
        None => crate::value::real_to_text(number),
    }
}

/// The integer for a whole number of such a column.
pub(crate) fn whole(number: f64) -> Option<i64> {
    // Beyond 2^53, several integers share one double.
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// Whether a field is such a column.
pub(crate) fn is_mixed(field: &Field) -> bool {
    field.metadata().get(NUMBER_METADATA).is_some_and(|kind| kind == MIXED)
}

/// Marks a text column whose values may stand for numbers, such as `json_each.value`.
pub(crate) const DYNAMIC_METADATA: &str = "indago.dynamic";

/// Plans SQLite's binary operators.
#[derive(Debug)]
pub(crate) struct OperatorPlanner;

impl ExprPlanner for OperatorPlanner {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let planned = match &op {
            BinaryOperator::Custom(name) if name == "->" || name == "->>" => {
                let function = if name == "->" { "json_arrow" } else { "json_arrow_text" };
                Some(call(function, vec![left.clone(), right.clone()]))
            }
            BinaryOperator::Arrow => Some(call("json_arrow", vec![left.clone(), right.clone()])),
            BinaryOperator::LongArrow => Some(call("json_arrow_text", vec![left.clone(), right.clone()])),
            _ => match compare::operator(&op) {
                Some(operator) => compare::plan(operator, &left, &right, schema),
                None => arithmetic::plan(&op, &left, &right, schema),
            },
        };
        Ok(match planned {
            Some(planned) => PlannerResult::Planned(planned),
            None => PlannerResult::Original(RawBinaryExpr { op, left, right }),
        })
    }
}

/// `INTEGER` is 64 bits wide here.
#[derive(Debug)]
pub(crate) struct WideTypes;

impl TypePlanner for WideTypes {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> Result<Option<FieldRef>> {
        let wide = match sql_type {
            ast::DataType::Int(_)
            | ast::DataType::Integer(_)
            | ast::DataType::BigInt(_)
            | ast::DataType::Unspecified => DataType::Int64,
            ast::DataType::Blob(_) => DataType::Binary,
            ast::DataType::Text => DataType::Utf8View,
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", wide, true))))
    }
}

/// The storage class of an expression; `None` while its type is unknown.
pub(crate) fn class(expr: &Expr, schema: &dyn ExprSchema) -> Option<Class> {
    expr.get_type(schema).ok().map(|kind| Class::of(&kind))
}

/// Whether the operand has an affinity: columns and casts do, other expressions do not.
pub(crate) fn has_affinity(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::OuterReferenceColumn(..) | Expr::Cast(_) | Expr::TryCast(_) => true,
        Expr::Alias(alias) => has_affinity(&alias.expr),
        Expr::AggregateFunction(_) => bare_column(expr).is_some(),
        Expr::ScalarFunction(function) => {
            // A value of a map counts as a column.
            matches!(
                function.name(),
                "as_text" | "as_integer" | "as_real" | "exact_integer" | "exact_real" | "get_field"
            ) || (function.name() == "collate" && function.args.first().is_some_and(has_affinity))
        }
        Expr::ScalarSubquery(subquery) => match subquery.subquery.as_ref() {
            LogicalPlan::Projection(projection) => projection.expr.first().is_some_and(has_affinity),
            LogicalPlan::Limit(limit) => match limit.input.as_ref() {
                LogicalPlan::Projection(projection) => projection.expr.first().is_some_and(has_affinity),
                _ => true,
            },
            _ => true,
        },
        _ => false,
    }
}

/// Whether an operand is a column, of this query or an outer one.
pub(crate) fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(_) | Expr::OuterReferenceColumn(..))
}

/// The column in `first_value(column)`, which a bare column under GROUP BY became.
fn bare_column(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::AggregateFunction(function) if function.func.name() == "first_value" => {
            function.params.args.first().filter(|column| matches!(column, Expr::Column(_)))
        }
        _ => None,
    }
}

/// Whether a text may stand for a number because its kind is known only at run time.
pub(crate) fn is_dynamic(expr: &Expr, schema: &DFSchema) -> bool {
    let mixed =
        |part: &Expr| !matches!(class(part, schema), Some(Class::Text | Class::Null)) || is_dynamic(part, schema);
    match expr {
        Expr::ScalarFunction(function) => match (function.name(), function.args.as_slice()) {
            ("json_extract" | "json_arrow_text" | "mixed_text", _) => true,
            ("coalesce" | "ifnull" | "scalar_max" | "scalar_min", args) | ("iif", [_, args @ ..]) => {
                args.iter().any(mixed)
            }
            _ => false,
        },
        Expr::Alias(alias) => is_dynamic(&alias.expr, schema),
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
            results.into_iter().any(|result| mixed(result))
        }
        Expr::Column(column) => {
            schema.field_from_column(column).is_ok_and(|field| field.metadata().contains_key(DYNAMIC_METADATA))
        }
        _ => false,
    }
}

/// The collation of an operand: from `COLLATE`, otherwise from the column's field.
pub(crate) fn collation(expr: &Expr, schema: &DFSchema) -> Option<(Collation, bool)> {
    match expr {
        Expr::ScalarFunction(function) if function.name() == "collate" => match function.args.get(1) {
            Some(Expr::Literal(name, _)) => {
                name.try_as_str().flatten().and_then(Collation::named).map(|collation| (collation, true))
            }
            _ => None,
        },
        // `+column` keeps the column's collation.
        Expr::ScalarFunction(function) if function.name() == "likely" => collation(function.args.first()?, schema),
        Expr::Alias(alias) => collation(&alias.expr, schema),
        Expr::Column(column) => column_collation(column, schema).map(|collation| (collation, false)),
        Expr::OuterReferenceColumn(field, _) => field
            .metadata()
            .get(COLLATION_METADATA)
            .and_then(|name| Collation::named(name))
            .map(|collation| (collation, false)),
        Expr::AggregateFunction(_) => bare_column(expr).and_then(|column| collation(column, schema)),
        _ => None,
    }
}

fn column_collation(column: &Column, schema: &DFSchema) -> Option<Collation> {
    let field = schema.field_from_column(column).ok()?;
    field.metadata().get(COLLATION_METADATA).and_then(|name| Collation::named(name))
}

/// The text of a literal.
pub(crate) fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// True unless one of the operands is NULL.
pub(crate) fn constant_unless_null(truth: bool, operands: &[&Expr]) -> Expr {
    let null = Expr::Literal(ScalarValue::Boolean(None), None);
    let operands = operands.iter().filter(|operand| !matches!(operand, Expr::Literal(value, _) if !value.is_null()));
    let missing = operands.map(|operand| (*operand).clone().is_null()).reduce(Expr::or);
    match (missing, truth) {
        (None, truth) => lit(truth),
        (Some(missing), true) => Expr::or(Expr::Not(Box::new(missing)), null),
        (Some(missing), false) => Expr::and(missing, null),
    }
}

pub(crate) fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    binary_expr(left, operator, right)
}

pub(crate) fn cast(expr: Expr, to: DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), to))
}

/// A boolean as 0 or 1.
pub(crate) fn as_int_if_bool(expr: Expr, class: Class) -> Expr {
    if class == Class::Bool { cast(expr, DataType::Int64) } else { expr }
}

fn the_one(mut args: Vec<Expr>) -> Expr {
    args.pop().unwrap_or_default()
}

/// `as_text`, unless the value is text already; integers are cast natively.
pub(crate) fn simplify_as_text(args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
    let kind = args[0].get_type(info.schema())?;
    Ok(match Class::of(&kind) {
        Class::Text if kind == DataType::Utf8View => ExprSimplifyResult::Simplified(the_one(args)),
        Class::Text | Class::Int => ExprSimplifyResult::Simplified(cast(the_one(args), DataType::Utf8View)),
        _ => ExprSimplifyResult::Original(args),
    })
}

/// `as_integer`, unless the value is an integer.
pub(crate) fn simplify_as_integer(args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
    let kind = args[0].get_type(info.schema())?;
    Ok(match Class::of(&kind) {
        _ if kind == DataType::Int64 => ExprSimplifyResult::Simplified(the_one(args)),
        Class::Bool => ExprSimplifyResult::Simplified(cast(the_one(args), DataType::Int64)),
        _ => ExprSimplifyResult::Original(args),
    })
}

/// `as_number`, unless the value is a number.
pub(crate) fn simplify_as_number(args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
    let kind = args[0].get_type(info.schema())?;
    Ok(match kind {
        DataType::Int64 | DataType::Float64 => ExprSimplifyResult::Simplified(the_one(args)),
        kind if kind.is_integer() || kind == DataType::Boolean => {
            ExprSimplifyResult::Simplified(cast(the_one(args), DataType::Int64))
        }
        _ => ExprSimplifyResult::Original(args),
    })
}

/// A comparison with a NULL is NULL.
pub(crate) fn simplify_strict(args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
    let has_null = args.iter().any(|arg| matches!(arg, Expr::Literal(value, _) if value.is_null()));
    Ok(match has_null {
        true => ExprSimplifyResult::Simplified(Expr::Literal(ScalarValue::Int64(None), None)),
        false => ExprSimplifyResult::Original(args),
    })
}

/// `truth`, unless the value is a boolean; a number is compared with 0.
pub(crate) fn simplify_truth(args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
    let kind = args[0].get_type(info.schema())?;
    Ok(match Class::of(&kind) {
        Class::Bool => ExprSimplifyResult::Simplified(the_one(args)),
        Class::Null => ExprSimplifyResult::Simplified(Expr::Literal(ScalarValue::Boolean(None), None)),
        Class::Int if kind == DataType::Int64 => {
            ExprSimplifyResult::Simplified(binary(the_one(args), Operator::NotEq, lit(0_i64)))
        }
        Class::Real if kind == DataType::Float64 => {
            ExprSimplifyResult::Simplified(binary(the_one(args), Operator::NotEq, lit(0.0_f64)))
        }
        _ => ExprSimplifyResult::Original(args),
    })
}

/// The function that an expression calls.
pub(crate) fn called(expr: &Expr) -> Option<&ScalarFunction> {
    match expr {
        Expr::ScalarFunction(function) => Some(function),
        Expr::Alias(alias) => called(&alias.expr),
        _ => None,
    }
}
