//! What the planners need to know of an operand: its class, affinity and collation.

use arrow_schema::DataType;
use datafusion::{
    common::{Column, DFSchema, ExprSchema, ScalarValue},
    logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, Operator, binary_expr, expr::ScalarFunction, lit},
};

use crate::{
    class::Class,
    collation::Collation,
    marks::{COLLATION_METADATA, DYNAMIC_METADATA},
};

/// The storage class of an expression; `None` while its type is unknown.
pub(super) fn class(expr: &Expr, schema: &dyn ExprSchema) -> Option<Class> {
    expr.get_type(schema).ok().map(|kind| Class::of(&kind))
}

/// Whether the operand has an affinity: columns and casts do, other expressions do not.
pub(super) fn has_affinity(expr: &Expr) -> bool {
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
pub(super) fn is_column(expr: &Expr) -> bool {
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
pub(super) fn is_dynamic(expr: &Expr, schema: &DFSchema) -> bool {
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
pub(super) fn collation(expr: &Expr, schema: &DFSchema) -> Option<(Collation, bool)> {
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
pub(super) fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// True unless one of the operands is NULL.
pub(super) fn constant_unless_null(truth: bool, operands: &[&Expr]) -> Expr {
    let null = Expr::Literal(ScalarValue::Boolean(None), None);
    let operands = operands.iter().filter(|operand| !matches!(operand, Expr::Literal(value, _) if !value.is_null()));
    let missing = operands.map(|operand| (*operand).clone().is_null()).reduce(Expr::or);
    match (missing, truth) {
        (None, truth) => lit(truth),
        (Some(missing), true) => Expr::or(Expr::Not(Box::new(missing)), null),
        (Some(missing), false) => Expr::and(missing, null),
    }
}

pub(super) fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    binary_expr(left, operator, right)
}

pub(super) fn cast(expr: Expr, to: DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), to))
}

/// A boolean as 0 or 1.
pub(super) fn as_int_if_bool(expr: Expr, class: Class) -> Expr {
    if class == Class::Bool { cast(expr, DataType::Int64) } else { expr }
}

/// The function that an expression calls.
pub(super) fn called(expr: &Expr) -> Option<&ScalarFunction> {
    match expr {
        Expr::ScalarFunction(function) => Some(function),
        Expr::Alias(alias) => called(&alias.expr),
        _ => None,
    }
}
