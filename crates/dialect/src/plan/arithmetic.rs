//! Arithmetic, bitwise operators, concatenation, AND and OR by SQLite's rules.

use arrow_schema::DataType;
use datafusion::{
    common::{DFSchema, ScalarValue},
    logical_expr::{Expr, ExprSchemable, Operator, lit},
};
use sqlparser::ast::BinaryOperator;

use super::{
    compare::{comparison, equal_in_filter},
    operand::{as_int_if_bool, binary, called, class, literal_text},
};
use crate::{
    class::Class,
    functions::{self, call},
    marks::is_mixed,
    value::{Value, text_to_number},
};

/// The operation by SQLite's rules; `None` leaves it to DataFusion.
pub(super) fn plan(op: &BinaryOperator, left: &Expr, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    let (l, r) = (class(left, schema)?, class(right, schema)?);
    if let BinaryOperator::Custom(name) = op
        && name == "FILTER ="
    {
        return Some(filter_equal(left, l, right, r, schema));
    }
    if l == Class::Other || r == Class::Other {
        // DataFusion concatenates lists.
        let is_document = |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Map(..) | DataType::Struct(_)));
        let as_text = *op == BinaryOperator::StringConcat && (is_document(left) || is_document(right));
        return as_text.then(|| call("concatenate", vec![left.clone(), right.clone()]));
    }
    let calls = |left: Expr, right: Expr| functions::operator(op).map(|function| call(function, vec![left, right]));
    match op {
        BinaryOperator::And | BinaryOperator::Or => {
            let operator = if *op == BinaryOperator::And { Operator::And } else { Operator::Or };
            if l == Class::Bool && r == Class::Bool {
                return None;
            }
            Some(binary(truth(left, l), operator, truth(right, r)))
        }
        BinaryOperator::StringConcat => calls(left.clone(), right.clone()),
        BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply => {
            let (left, l) = number(left, l);
            let (right, r) = number(right, r);
            let operator = match op {
                BinaryOperator::Plus => Operator::Plus,
                BinaryOperator::Minus => Operator::Minus,
                _ => Operator::Multiply,
            };
            if l == Class::Null || r == Class::Null {
                return Some(Expr::Literal(ScalarValue::Int64(None), None));
            }
            let open = |expr: &Expr| expr.to_field(schema).is_ok_and(|(_, field)| is_mixed(&field));
            let (left_open, right_open) = (open(&left), open(&right));
            if (l == Class::Real && !left_open) || (r == Class::Real && !right_open) {
                let real = |expr: Expr, open: bool| if open { call("as_real", vec![expr]) } else { expr };
                return Some(binary(real(left, left_open), operator, real(right, right_open)));
            }
            if let (Some(a), Some(b)) = (int_literal(&left), int_literal(&right)) {
                let exact = match op {
                    BinaryOperator::Plus => a.checked_add(b),
                    BinaryOperator::Minus => a.checked_sub(b),
                    _ => a.checked_mul(b),
                };
                let (a, b) = (a as f64, b as f64);
                return Some(match (exact, op) {
                    (Some(exact), _) => lit(exact),
                    (None, BinaryOperator::Plus) => lit(a + b),
                    (None, BinaryOperator::Minus) => lit(a - b),
                    (None, _) => lit(a * b),
                });
            }
            calls(left, right)
        }
        BinaryOperator::Divide | BinaryOperator::Modulo => {
            let (left, l) = number(left, l);
            let (right, r) = number(right, r);
            if l == Class::Null || r == Class::Null {
                return Some(Expr::Literal(ScalarValue::Int64(None), None));
            }
            calls(left, right)
        }
        BinaryOperator::BitwiseAnd => Some(binary(integer(left, l), Operator::BitwiseAnd, integer(right, r))),
        BinaryOperator::BitwiseOr => Some(binary(integer(left, l), Operator::BitwiseOr, integer(right, r))),
        BinaryOperator::PGBitwiseShiftLeft | BinaryOperator::PGBitwiseShiftRight => {
            calls(integer(left, l), integer(right, r))
        }
        _ => None,
    }
}

fn int_literal(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(int), _) => *int,
        _ => None,
    }
}

/// `=` where only true counts, so a text that is not a number may return NULL. Joins on keys of two types stay hash
/// joins.
fn filter_equal(left: &Expr, l: Class, right: &Expr, r: Class, schema: &DFSchema) -> Expr {
    let keyed = match (l, r) {
        (number, Class::Text) if number.is_number() => equal_in_filter(left, number, right),
        (Class::Text, number) if number.is_number() => equal_in_filter(right, number, left),
        _ => None,
    };
    keyed.unwrap_or_else(|| comparison(Operator::Eq, left, l, right, r, schema))
}

pub(super) fn truth(expr: &Expr, class: Class) -> Expr {
    if class == Class::Bool { expr.clone() } else { call("truth", vec![expr.clone()]) }
}

/// The operand for arithmetic, and its class afterwards.
fn number(expr: &Expr, class: Class) -> (Expr, Class) {
    match class {
        Class::Int => match expr {
            Expr::Literal(..) | Expr::Column(_) => (expr.clone(), class),
            _ => (expr.clone(), class),
        },
        Class::Real | Class::Null => (expr.clone(), class),
        Class::Bool => (as_int_if_bool(expr.clone(), class), Class::Int),
        _ => {
            if let Some(text) = literal_text(expr) {
                return match text_to_number(text) {
                    Value::Int(int) => (lit(int), Class::Int),
                    other => (lit(other.as_real().unwrap_or(0.0)), Class::Real),
                };
            }
            if gives_integers(expr) {
                return (call("as_integer", vec![expr.clone()]), Class::Int);
            }
            (call("as_number", vec![expr.clone()]), Class::Real)
        }
    }
}

/// Whether a text is always an integer: `strftime('%s', ...)` and similar.
fn gives_integers(expr: &Expr) -> bool {
    let Some(function) = called(expr) else { return false };
    match (function.name(), function.args.first()) {
        ("strftime", Some(format)) => literal_text(format).is_some_and(|format| {
            matches!(format, "%s" | "%Y" | "%m" | "%d" | "%H" | "%M" | "%S" | "%j" | "%w" | "%W" | "%u" | "%U")
        }),
        ("as_text" | "mixed_text", Some(inner)) => gives_integers(inner),
        _ => false,
    }
}

fn integer(expr: &Expr, class: Class) -> Expr {
    match class {
        Class::Int => expr.clone(),
        Class::Null => Expr::Literal(ScalarValue::Int64(None), None),
        Class::Bool => as_int_if_bool(expr.clone(), class),
        _ => call("as_integer", vec![expr.clone()]),
    }
}
