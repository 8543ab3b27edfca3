//! Comparisons by SQLite's affinity and collation. Where both sides have one type the plain operator stays, so pushdown sees it.

use arrow_schema::DataType;
use datafusion::{
    common::{DFSchema, ScalarValue},
    logical_expr::{Expr, Operator, lit},
};
use sqlparser::ast::BinaryOperator;

use super::{
    as_int_if_bool, binary, cast, class, collation, constant_unless_null, has_affinity, is_column, is_dynamic,
    literal_text,
};
use crate::{
    collation::Collation,
    functions::{call, scalar::Class},
    value::{Value, exact_number, real_to_text},
};

/// The comparison an operator of the parsed tree stands for.
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
    // `2 = id` is written `id = 2`: DataFusion takes the two for a contradiction where both come together.
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
            binary(as_int_if_bool(left.clone(), l), operator, as_int_if_bool(right.clone(), r))
        }
        (number, Class::Text) if number.is_number() => number_with_text(operator, left, number, right, schema),
        (Class::Text, number) if number.is_number() => match operator.swap() {
            Some(swapped) => number_with_text(swapped, right, number, left, schema),
            // IS and IS NOT are their own mirror images.
            None => number_with_text(operator, right, number, left, schema),
        },
        // Numbers come before text, text before bytes.
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

/// The answer when the kinds alone decide.
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
    // An explicit COLLATE wins over a column's, the left side over the right.
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
    let distinct = matches!(operator, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom);
    if has_affinity(number) || is_dynamic(text, schema) {
        // The number's affinity makes a number of the text where it wholly is one.
        if let Some(literal) = literal_text(text) {
            return match exact_number(literal) {
                Some(Value::Int(int)) => binary(number.clone(), operator, lit(int)),
                Some(Value::Real(real)) => binary(number.clone(), operator, lit(real)),
                _ => ordered(operator, number, text, true),
            };
        }
        return if distinct {
            let exact = call("exact_real", vec![text.clone()]);
            let same = Expr::or(
                Expr::and(number.clone().is_null(), text.clone().is_null()),
                Expr::and(
                    number.clone().is_not_null(),
                    binary(cast(number.clone(), DataType::Float64), Operator::IsNotDistinctFrom, exact),
                ),
            );
            if operator == Operator::IsNotDistinctFrom { same } else { Expr::Not(Box::new(same)) }
        } else {
            let order = call("compare", vec![number.clone(), text.clone(), lit("numeric")]);
            binary(order, operator, lit(0_i64))
        };
    }
    if has_affinity(text) {
        // The text's affinity makes a text of the number.
        let shown = match number {
            Expr::Literal(ScalarValue::Int64(Some(int)), _) => lit(ScalarValue::Utf8View(Some(int.to_string()))),
            Expr::Literal(ScalarValue::Float64(Some(real)), _) => lit(ScalarValue::Utf8View(Some(real_to_text(*real)))),
            other => call("as_text", vec![other.clone()]),
        };
        return binary(shown, operator, text.clone());
    }
    ordered(operator, number, text, true)
}

/// The join key form of `number = text`: exact, but NULL instead of false for text that is not a number. For filters only.
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
