//! Types, as far as the text and the catalog determine them before planning.

use arrow_schema::DataType;
use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

use super::bind::Bindings;
use crate::{
    build,
    class::Class,
    functions::{self, scalar::Returns},
};

/// The class of a rewritten expression, if it is known.
pub(crate) fn of(expr: &Expr, bound: &Bindings) -> Option<Class> {
    match expr {
        Expr::Nested(inner) => of(inner, bound),
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => {
                Some(if text.bytes().all(|b| b.is_ascii_digit()) { Class::Int } else { Class::Real })
            }
            Value::Null => Some(Class::Null),
            Value::Boolean(_) => Some(Class::Bool),
            Value::SingleQuotedString(_) | Value::EscapedStringLiteral(_) | Value::DollarQuotedString(_) => {
                Some(Class::Text)
            }
            Value::HexStringLiteral(_) => Some(Class::Blob),
            _ => None,
        },
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => bound.column(bound.column_of(expr)?)?.kind,
        Expr::UnaryOp { op: UnaryOperator::Not, .. } => Some(Class::Bool),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => of(expr, bound),
        Expr::BinaryOp { left, op, right } => match op {
            BinaryOperator::BitwiseAnd | BinaryOperator::BitwiseOr => Some(Class::Int),
            op if is_comparison(op) => Some(Class::Bool),
            op => match functions::operator(op)? {
                function @ ("add" | "subtract" | "multiply" | "divide" | "modulo") => {
                    let operands = [of(left, bound)?, of(right, bound)?];
                    if operands.contains(&Class::Null) && !operands.contains(&Class::Other) {
                        return Some(Class::Null);
                    }
                    returned(function, operands.into_iter().map(Some))
                }
                // The types of its operands do not matter.
                function => returned(function, std::iter::empty()),
            },
        },
        Expr::Cast { data_type: sqlparser::ast::DataType::BigInt(_), .. } => Some(Class::Int),
        Expr::Case { conditions, else_result, .. } => {
            let otherwise = else_result.as_ref().map_or(Some(Class::Null), |expr| of(expr, bound));
            conditions.iter().map(|when| of(&when.result, bound)).fold(otherwise, Class::together)
        }
        Expr::Function(function) if function.name.0.len() == 1 => {
            let name = function.name.to_string().to_ascii_lowercase();
            match name.as_str() {
                "count" | "row_number" | "rank" | "dense_rank" | "ntile" => return Some(Class::Int),
                "avg" | "percent_rank" | "cume_dist" => return Some(Class::Real),
                "string_agg" => return Some(Class::Text),
                _ => {}
            }
            returned(&name, build::arguments(function).iter().map(|arg| of(arg, bound)))
        }
        other if is_boolean(other) => Some(Class::Bool),
        _ => None,
    }
}

/// The class that a function of ours returns for arguments of these classes.
fn returned(function: &str, args: impl Iterator<Item = Option<Class>>) -> Option<Class> {
    Some(match functions::named(function)?.returns {
        Returns::Int => Class::Int,
        Returns::Real => Class::Real,
        Returns::Text => Class::Text,
        Returns::Blob => Class::Blob,
        Returns::Bool => Class::Bool,
        Returns::By(rule) => {
            let types: Option<Vec<DataType>> = args.map(|class| class.and_then(Class::data_type)).collect();
            Class::of(&rule(&types?))
        }
    })
}

/// Whether the form of the expression shows that it is true, false or NULL.
pub(crate) fn is_boolean(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_boolean(inner),
        Expr::Value(value) => matches!(value.value, Value::Boolean(_)),
        Expr::BinaryOp { op, .. } => {
            is_comparison(op) || matches!(op, BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Xor)
        }
        Expr::UnaryOp { op: UnaryOperator::Not, .. }
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::InSubquery { .. }
        | Expr::InUnnest { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::SimilarTo { .. }
        | Expr::RLike { .. }
        | Expr::AnyOp { .. }
        | Expr::AllOp { .. }
        | Expr::Exists { .. } => true,
        Expr::Function(function) => function.name.0.len() == 1 && function.name.to_string() == "truth",
        _ => false,
    }
}

pub(crate) fn is_comparison(op: &BinaryOperator) -> bool {
    match op {
        BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::Lt
        | BinaryOperator::LtEq
        | BinaryOperator::Gt
        | BinaryOperator::GtEq => true,
        BinaryOperator::Custom(name) => matches!(name.as_str(), "IS" | "IS NOT" | "FILTER ="),
        _ => false,
    }
}

/// The function that converts one class to the wanted one, if one is needed.
pub(crate) fn conversion(own: Option<Class>, wanted: Option<Class>) -> Option<&'static str> {
    match (own, wanted?) {
        (Some(Class::Text | Class::Null), Class::Text) => None,
        (Some(Class::Other), Class::Text) => None,
        (_, Class::Text) => Some("as_text"),
        (Some(Class::Int | Class::Bool), Class::Real) => Some("as_real"),
        (Some(Class::Bool), Class::Int) => Some("as_integer"),
        _ => None,
    }
}

/// The function that gives a NULL the wanted class.
pub(crate) fn conversion_of_null(own: Option<Class>, wanted: Option<Class>) -> Option<&'static str> {
    match (own?, wanted?) {
        (Class::Null, Class::Int | Class::Bool) => Some("as_integer"),
        (Class::Null, Class::Real) => Some("as_real"),
        (Class::Null, Class::Text) => Some("as_text"),
        (Class::Null, Class::Blob) => Some("as_blob"),
        _ => None,
    }
}

/// Converts an expression to the wanted class.
pub(crate) fn convert(expr: &mut Expr, wanted: Option<Class>, bound: &Bindings) {
    if let Some(function) = conversion(of(expr, bound), wanted) {
        let function = if function == "as_text" { "mixed_text" } else { function };
        *expr = build::call(function, vec![build::take(expr)]);
    }
}
