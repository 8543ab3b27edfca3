//! Numbers in ORDER BY.

use sqlparser::ast::{Expr, Spanned};

use super::error::{DialectError, Result};
use crate::build::{integer, unwrapped};

/// A number as a term of ORDER BY is the position of an item, also with a collation.
pub(crate) fn check_ordinal(term: usize, expr: &Expr, items: Option<usize>) -> Result<()> {
    let mut expr = unwrapped(expr);
    while let Expr::Collate { expr: inner, .. } = expr {
        expr = unwrapped(inner);
    }
    let Some(at) = integer(expr) else { return Ok(()) };
    if at >= 1 && items.is_none_or(|items| usize::try_from(at).is_ok_and(|at| at <= items)) {
        return Ok(());
    }
    let place = term + 1;
    let suffix = match (place % 100, place % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    let range = items.map(|items| format!(" and {items}")).unwrap_or_default();
    let bound = if range.is_empty() { "should be at least 1" } else { "should be between 1" };
    let message = format!("{place}{suffix} ORDER BY term out of range - {bound}{range}");
    Err(DialectError::new(message, expr.span()))
}
