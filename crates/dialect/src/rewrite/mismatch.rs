//! Comparisons of a column of numbers with a text that is not a number: SQL orders all numbers before all texts, so the
//! result says nothing about the values.

use sqlparser::ast::{BinaryOperator, Expr, Value};

use super::rewriter::{ComparedText, Mismatch, Rewriter};
use crate::{build::unwrapped, class::Class, value::exact_number};

/// Functions of SQLite that return a time as text.
const TIMES: [&str; 3] = ["date", "time", "datetime"];

impl Rewriter<'_> {
    /// Notes a rewritten comparison if it is one. `<>` and IS NOT are true for every number, as the user expects.
    pub(crate) fn note_mismatch(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) {
        if matches!(op, BinaryOperator::NotEq) || matches!(op, BinaryOperator::Custom(name) if name == "IS NOT") {
            return;
        }
        for (number, text) in [(left, right), (right, left)] {
            let Some(text) = text_of(unwrapped(text)) else { continue };
            let Some(id) = self.bound.column_of(unwrapped(number)) else { continue };
            let Some(column) = self.bound.column(id) else { continue };
            let relation = self.bound.relation(id.relation).name.clone();
            let is_boolean = column.kind == Some(Class::Bool);
            let mismatch = Mismatch { relation, column: column.name.clone(), is_boolean, text };
            if matches!(column.kind, Some(Class::Int | Class::Real | Class::Bool))
                && !self.mismatches.contains(&mismatch)
            {
                self.mismatches.push(mismatch);
            }
        }
    }
}

fn text_of(expr: &Expr) -> Option<ComparedText> {
    match expr {
        Expr::Value(literal) => match &literal.value {
            Value::SingleQuotedString(text) if exact_number(text).is_none() => {
                Some(ComparedText::Literal(text.clone()))
            }
            _ => None,
        },
        Expr::Function(function) => {
            let name = function.name.to_string();
            TIMES.contains(&&*name).then_some(ComparedText::Time(name))
        }
        _ => None,
    }
}
