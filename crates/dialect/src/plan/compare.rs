//! Comparisons by SQLite's affinity and collation. If both sides have the same type, the plain operator stays, so
//! pushdown recognises it.

use std::cmp::Ordering;

use arrow_schema::DataType;
use datafusion::{
    common::{DFSchema, ScalarValue, tree_node::Transformed},
    logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, lit},
};
use sqlparser::ast::BinaryOperator;

use super::operand::{
    as_int_if_bool, binary, called, cast, class, collation, constant_unless_null, has_affinity, is_column, is_dynamic,
    literal_text,
};
use crate::{
    class::Class,
    collation::Collation,
    functions::call,
    value::{Value, exact_number, real_to_text},
};

/// The comparison for an operator of the parsed tree.
pub(super) fn operator(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        BinaryOperator::Custom(name) => match name.as_str() {
            "IS" => Operator::IsNotDistinctFrom,
            "IS NOT" => Operator::IsDistinctFrom,
            _ => return None,
        },
        _ => return None,
    })
}

/// The comparison by SQLite's rules; `None` leaves it to DataFusion.
pub(super) fn plan(operator: Operator, left: &Expr, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    let (left_class, right_class) = match (class(left, schema), class(right, schema)) {
        (Some(left), Some(right)) => (left, right),
        // A custom operator must not reach DataFusion.
        _ if matches!(operator, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom) => {
            return Some(binary(left.clone(), operator, right.clone()));
        }
        _ => return None,
    };
    Some(comparison(operator, left, left_class, right, right_class, schema))
}

pub(super) fn comparison(
    operator: Operator,
    left: &Expr,
    left_class: Class,
    right: &Expr,
    right_class: Class,
    schema: &DFSchema,
) -> Expr {
    // `2 = id` becomes `id = 2`: DataFusion treats the two as a contradiction if both occur together.
    if let Some(swapped) = operator.swap()
        && left.column_refs().is_empty()
        && !right.column_refs().is_empty()
    {
        return comparison(swapped, right, right_class, left, left_class, schema);
    }
    let plain = || binary(left.clone(), operator, right.clone());
    match (left_class, right_class) {
        (Class::Other, _) | (_, Class::Other) | (Class::Null, _) | (_, Class::Null) | (Class::Bool, Class::Bool) => {
            plain()
        }
        (Class::Bool, Class::Int) => boolean(left, operator, right).unwrap_or_else(plain),
        (Class::Int, Class::Bool) => operator
            .swap()
            .and_then(|swapped| boolean(right, swapped, left))
            .unwrap_or_else(|| binary(left.clone(), operator, cast(right.clone(), DataType::Int64))),
        (Class::Text, Class::Text) => text(operator, left, right, schema),
        (Class::Blob, Class::Blob) => plain(),
        (l, r) if l.is_number() && r.is_number() => {
            numbers(operator, as_int_if_bool(left.clone(), l), as_int_if_bool(right.clone(), r), schema)
        }
        (number, Class::Text) if number.is_number() => number_with_text(operator, left, number, right, schema),
        (Class::Text, number) if number.is_number() => match operator.swap() {
            Some(swapped) => number_with_text(swapped, right, number, left, schema),
            // IS and IS NOT are their own mirror images.
            None => number_with_text(operator, right, number, left, schema),
        },
        // Numbers sort before text, text before bytes.
        (l, r) => ordered(operator, left, right, rank(l) < rank(r)),
    }
}

fn rank(class: Class) -> u8 {
    match class {
        Class::Blob => 2,
        Class::Text => 1,
        _ => 0,
    }
}

/// Compares two numbers. DataFusion converts an integer that is compared with a double, and beyond 2^53 many integers
/// become the same double.
fn numbers(operator: Operator, left: Expr, right: Expr, schema: &DFSchema) -> Expr {
    let is_double = |expr: &Expr| expr.get_type(schema).is_ok_and(|kind| kind.is_floating());
    let is_integer = |expr: &Expr| expr.get_type(schema).is_ok_and(|kind| kind.is_integer());
    if is_integer(&left) && is_double(&right) {
        integer_with_double(operator, &left, &right)
    } else if is_double(&left) && is_integer(&right) {
        integer_with_double(operator.swap().unwrap_or(operator), &right, &left)
    } else {
        binary(left, operator, right)
    }
}

/// `integer operator double`, exactly.
fn integer_with_double(operator: Operator, integer: &Expr, double: &Expr) -> Expr {
    match (integer, double) {
        (_, Expr::Literal(ScalarValue::Float64(Some(number)), _)) => {
            if !(-TWO_TO_63..TWO_TO_63).contains(number) {
                return ordered(operator, integer, double, *number > 0.0);
            }
            let below = number.floor() as i64;
            if number.fract() == 0.0 {
                return binary(integer.clone(), operator, lit(below));
            }
            match operator {
                Operator::Lt | Operator::LtEq => binary(integer.clone(), Operator::LtEq, lit(below)),
                Operator::Gt | Operator::GtEq => binary(integer.clone(), Operator::Gt, lit(below)),
                _ => ordered(operator, integer, double, true),
            }
        }
        (Expr::Literal(ScalarValue::Int64(Some(number)), _), _) => {
            let nearest = *number as f64;
            let is_below = match (nearest as i128).cmp(&i128::from(*number)) {
                // The constant must be on the right, as a table's filter requires.
                Ordering::Equal => {
                    return binary(double.clone(), operator.swap().unwrap_or(operator), integer.clone());
                }
                order => order == Ordering::Less,
            };
            // There is no double between the two.
            match operator {
                Operator::Lt | Operator::LtEq if is_below => binary(double.clone(), Operator::Gt, lit(nearest)),
                Operator::Lt | Operator::LtEq => binary(double.clone(), Operator::GtEq, lit(nearest)),
                Operator::Gt | Operator::GtEq if is_below => binary(double.clone(), Operator::LtEq, lit(nearest)),
                Operator::Gt | Operator::GtEq => binary(double.clone(), Operator::Lt, lit(nearest)),
                _ => ordered(operator, integer, double, true),
            }
        }
        _ => by_order(operator, integer, double, &[]),
    }
}

/// A comparison by the order of two values, with `compare(left, right, how)`.
fn by_order(operator: Operator, left: &Expr, right: &Expr, how: &[&str]) -> Expr {
    let args = [left.clone(), right.clone()].into_iter().chain(how.iter().map(|how| lit(*how)));
    let order = call("compare", args.collect());
    if !matches!(operator, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom) {
        return binary(order, operator, lit(0_i64));
    }
    // The order is NULL if one of them is.
    let same = Expr::or(
        Expr::and(left.clone().is_null(), right.clone().is_null()),
        binary(order, Operator::IsNotDistinctFrom, lit(0_i64)),
    );
    if operator == Operator::IsNotDistinctFrom { same } else { Expr::Not(Box::new(same)) }
}

/// For a condition, where only true counts: `compare(integer, double) = 0` as an equality of integers, which can be a
/// join key.
pub(super) fn as_key(condition: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let key = match &condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right })
            if matches!(right.as_ref(), Expr::Literal(ScalarValue::Int64(Some(0)), _)) =>
        {
            match called(left) {
                Some(function) if function.name() == "compare" => match function.args.as_slice() {
                    [integer, double] if class(integer, schema) == Some(Class::Int) => {
                        Some(binary(integer.clone(), Operator::Eq, call("exact_integer", vec![double.clone()])))
                    }
                    _ => None,
                },
                _ => None,
            }
        }
        _ => None,
    };
    match key {
        Some(key) => Transformed::yes(key),
        None => Transformed::no(condition),
    }
}

/// The smallest double above all 64-bit integers.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// The result if the kinds alone determine it.
fn ordered(operator: Operator, left: &Expr, right: &Expr, left_is_less: bool) -> Expr {
    match operator {
        Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => {
            let both_null = Expr::and(left.clone().is_null(), right.clone().is_null());
            if operator == Operator::IsNotDistinctFrom { both_null } else { Expr::Not(Box::new(both_null)) }
        }
        _ => {
            let truth = match operator {
                Operator::NotEq => true,
                Operator::Lt | Operator::LtEq => left_is_less,
                Operator::Gt | Operator::GtEq => !left_is_less,
                _ => false,
            };
            constant_unless_null(truth, &[left, right])
        }
    }
}

/// A boolean column compared with 0 or 1.
fn boolean(column: &Expr, operator: Operator, number: &Expr) -> Option<Expr> {
    match number {
        Expr::Literal(ScalarValue::Int64(Some(number @ (0 | 1))), _) => {
            Some(binary(column.clone(), operator, lit(*number == 1)))
        }
        _ => Some(binary(cast(column.clone(), DataType::Int64), operator, number.clone())),
    }
}

fn text(operator: Operator, left: &Expr, right: &Expr, schema: &DFSchema) -> Expr {
    // An explicit COLLATE wins over a column's collation, and the left side over the right.
    let (l, r) = (collation(left, schema), collation(right, schema));
    let chosen = match (l, r) {
        (Some((collation, true)), _) => Some(collation),
        (_, Some((collation, true))) => Some(collation),
        (Some((collation, _)), _) => Some(collation),
        (None, Some((collation, _))) if !is_column(left) => Some(collation),
        _ => None,
    };
    match chosen {
        None | Some(Collation::Binary) => binary(bare(left), operator, bare(right)),
        Some(collation) => {
            let key = |expr: &Expr| match literal_text(expr) {
                Some(text) => lit(ScalarValue::Utf8View(Some(collation.key(text)))),
                None => call("collation_key", vec![bare(expr), lit(collation.name())]),
            };
            binary(key(left), operator, key(right))
        }
    }
}

/// The operand without its COLLATE mark.
pub(super) fn bare(expr: &Expr) -> Expr {
    match expr {
        Expr::ScalarFunction(function) if function.name() == "collate" => {
            function.args.first().cloned().unwrap_or_else(|| expr.clone())
        }
        _ => expr.clone(),
    }
}

/// `number operator text`.
fn number_with_text(operator: Operator, number: &Expr, number_class: Class, text: &Expr, schema: &DFSchema) -> Expr {
    let number = &as_int_if_bool(number.clone(), number_class);
    if has_affinity(number) || is_dynamic(text, schema) {
        // The number's affinity converts the text to a number if it is one entirely.
        if let Some(literal) = literal_text(text) {
            return match exact_number(literal) {
                Some(Value::Int(int)) => numbers(operator, number.clone(), lit(int), schema),
                Some(Value::Real(real)) => numbers(operator, number.clone(), lit(real), schema),
                _ => ordered(operator, number, text, true),
            };
        }
        return by_order(operator, number, text, &["numeric"]);
    }
    if has_affinity(text) {
        // The text's affinity converts the number to text.
        let shown = match number {
            Expr::Literal(ScalarValue::Int64(Some(int)), _) => lit(ScalarValue::Utf8View(Some(int.to_string()))),
            Expr::Literal(ScalarValue::Float64(Some(real)), _) => lit(ScalarValue::Utf8View(Some(real_to_text(*real)))),
            other => call("as_text", vec![other.clone()]),
        };
        return binary(shown, operator, text.clone());
    }
    ordered(operator, number, text, true)
}

/// The join key form of `number = text`: exact, but NULL instead of false for text that is not a number. Only for
/// filters.
pub(super) fn equal_in_filter(number: &Expr, class: Class, text: &Expr) -> Option<Expr> {
    if !has_affinity(number) || literal_text(text).is_some() {
        return None;
    }
    let exact = match class {
        Class::Int => "exact_integer",
        Class::Real => "exact_real",
        _ => return None,
    };
    Some(binary(number.clone(), Operator::Eq, call(exact, vec![text.clone()])))
}

/// Makes columns of a `USING` comparable as keys: exact, and NULL for a value without an equal on the other side.
/// Returns true if a change was needed.
pub(super) fn equal_columns(left: &mut Expr, left_class: Class, right: &mut Expr, right_class: Class) -> bool {
    let (side, function) = match (left_class, right_class) {
        (Class::Int, Class::Real | Class::Text) => (right, "exact_integer"),
        (Class::Real | Class::Text, Class::Int) => (left, "exact_integer"),
        (Class::Real, Class::Text) => (right, "exact_real"),
        (Class::Text, Class::Real) => (left, "exact_real"),
        _ => return false,
    };
    *side = call(function, vec![side.clone()]);
    true
}
