//! Simpler expressions for calls whose types are known.

use arrow_schema::DataType;
use datafusion::{
    common::{Result, ScalarValue},
    logical_expr::{
        Cast, Expr, ExprSchemable, Operator, binary_expr, lit,
        simplify::{ExprSimplifyResult, SimplifyContext},
    },
};

use crate::class::Class;

fn the_one(mut args: Vec<Expr>) -> Expr {
    args.pop().unwrap_or_default()
}

/// `as_text`, unless the value is text already; integers are cast natively.
pub(super) fn as_text(args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
    let kind = args[0].get_type(info.schema())?;
    Ok(match Class::of(&kind) {
        Class::Text if kind == DataType::Utf8View => ExprSimplifyResult::Simplified(the_one(args)),
        Class::Text | Class::Int => ExprSimplifyResult::Simplified(cast(the_one(args), DataType::Utf8View)),
        _ => ExprSimplifyResult::Original(args),
    })
}

/// `as_integer`, unless the value is an integer.
pub(super) fn as_integer(args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
    let kind = args[0].get_type(info.schema())?;
    Ok(match Class::of(&kind) {
        _ if kind == DataType::Int64 => ExprSimplifyResult::Simplified(the_one(args)),
        Class::Bool => ExprSimplifyResult::Simplified(cast(the_one(args), DataType::Int64)),
        _ => ExprSimplifyResult::Original(args),
    })
}

/// `as_number`, unless the value is a number.
pub(super) fn as_number(args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
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
pub(super) fn strict(args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
    let has_null = args.iter().any(|arg| matches!(arg, Expr::Literal(value, _) if value.is_null()));
    Ok(match has_null {
        true => ExprSimplifyResult::Simplified(Expr::Literal(ScalarValue::Int64(None), None)),
        false => ExprSimplifyResult::Original(args),
    })
}

/// `truth`, unless the value is a boolean; a number is compared with 0.
pub(super) fn truth(args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
    let kind = args[0].get_type(info.schema())?;
    Ok(match Class::of(&kind) {
        Class::Bool => ExprSimplifyResult::Simplified(the_one(args)),
        Class::Null => ExprSimplifyResult::Simplified(Expr::Literal(ScalarValue::Boolean(None), None)),
        Class::Int if kind == DataType::Int64 => {
            ExprSimplifyResult::Simplified(binary_expr(the_one(args), Operator::NotEq, lit(0_i64)))
        }
        Class::Real if kind == DataType::Float64 => {
            ExprSimplifyResult::Simplified(binary_expr(the_one(args), Operator::NotEq, lit(0.0_f64)))
        }
        _ => ExprSimplifyResult::Original(args),
    })
}

fn cast(expr: Expr, to: DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), to))
}
