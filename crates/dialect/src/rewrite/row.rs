//! Row values from subqueries: `(a, b) = (SELECT x, y ...)`.

use sqlparser::{
    ast::{
        BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, Query, SelectItem, SetExpr, Spanned, Value,
    },
    tokenizer::Span,
};

use super::{
    bind::Scope,
    error::{DialectError, Result},
    group,
    kind::is_comparison,
    rewriter::Rewriter,
};
use crate::build::{self, exact, number, unwrapped, value};

impl Rewriter<'_> {
    /// A comparison of row values, some of which are subqueries. Each returns its first row, or a row of NULLs:
    /// `(SELECT (a, b) = (x, y) FROM one LEFT JOIN (SELECT ... LIMIT 1) AS row (x, y))`.
    pub(crate) fn row_comparison(&mut self, mut expr: Expr, width: usize, scope: &Scope<'_>) -> Result<Expr> {
        if group::has_aggregate(&expr) || group::has_window(&expr) {
            let why = "an aggregate can be compared with a subquery's row only in an outer SELECT";
            return Err(DialectError::new(format!("row value misused: {why}"), expr.span()));
        }
        let mut joins = Vec::new();
        for operand in operands(&mut expr) {
            if !matches!(unwrapped(operand), Expr::Subquery(_)) {
                continue;
            }
            self.unnamed += 1;
            let name = exact(format!("row {}", self.unnamed), Span::empty());
            let columns: Vec<_> = (1..=width).map(|at| exact(format!("value {at}"), Span::empty())).collect();
            let parts = columns.iter().map(|column| Expr::CompoundIdentifier(vec![name.clone(), column.clone()]));
            let mut subquery = std::mem::replace(operand, Expr::Tuple(parts.collect()));
            while let Expr::Nested(inner) = subquery {
                subquery = *inner;
            }
            let Expr::Subquery(query) = subquery else { continue };
            let relation = build::derived(first_row(*query), build::table_alias_with(name, columns));
            let always = JoinConstraint::On(value(Value::Boolean(true)));
            joins.push(Join { relation, global: false, join_operator: JoinOperator::LeftOuter(always) });
        }
        let one = build::query(build::values(vec![vec![number("1")]]));
        let one = build::derived(one, build::table_alias(Ident::new("one")));
        let mut select = build::select(vec![SelectItem::UnnamedExpr(expr)], one);
        for from in &mut select.from {
            from.joins = std::mem::take(&mut joins);
        }
        let query = build::select_query(select);
        self.scalar_subquery(Box::new(query), scope)
    }
}

/// The query limited to its first row.
fn first_row(mut query: Query) -> Query {
    if query.limit_clause.is_some() {
        let limited = build::derived(query, build::table_alias(Ident::new("limited")));
        query = build::select_query(build::select(vec![build::star()], limited));
    }
    query.limit_clause = Some(build::limit("1"));
    query
}

/// The number of values in the rows that an expression compares, if one of them is a subquery.
pub(crate) fn width(expr: &Expr) -> Result<Option<usize>> {
    let parts: Vec<&Expr> = match expr {
        Expr::BinaryOp { left, op, right } if is_comparison(op) => vec![left, right],
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => vec![left, right],
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        Expr::InList { expr, list, .. } => std::iter::once(&**expr).chain(list).collect(),
        Expr::InSubquery { expr, .. } => vec![expr],
        _ => return Ok(None),
    };
    let widths = || parts.iter().filter_map(|part| values(part));
    let Some(width) = widths().find(|width| *width > 1) else { return Ok(None) };
    if let Some(other) = widths().find(|other| *other != width) {
        let message = format!("row value misused: {width} values are compared with {other}");
        return Err(DialectError::new(message, expr.span()));
    }
    Ok(parts.iter().any(|part| matches!(unwrapped(part), Expr::Subquery(_))).then_some(width))
}

/// Whether a comparison compares row values.
pub(crate) fn is_one(left: &Expr, op: &BinaryOperator, right: &Expr) -> bool {
    is_comparison(op) && [left, right].into_iter().any(|part| values(part).is_some_and(|width| width > 1))
}

/// The operands of an expression's comparison, except the rows of `IN (SELECT ...)`.
fn operands(expr: &mut Expr) -> Vec<&mut Expr> {
    match expr {
        Expr::BinaryOp { left, right, .. }
        | Expr::IsDistinctFrom(left, right)
        | Expr::IsNotDistinctFrom(left, right) => vec![left, right],
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        Expr::InList { expr, list, .. } => std::iter::once(&mut **expr).chain(list).collect(),
        Expr::InSubquery { expr, .. } => vec![expr],
        _ => Vec::new(),
    }
}

/// The number of values that an expression returns; `None` if its text does not show it.
fn values(expr: &Expr) -> Option<usize> {
    match unwrapped(expr) {
        Expr::Tuple(parts) => Some(parts.len()),
        Expr::Subquery(query) => columns(&query.body),
        _ => Some(1),
    }
}

fn columns(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => {
            let is_one =
                |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
            select.projection.iter().all(is_one).then_some(select.projection.len())
        }
        SetExpr::Query(query) => columns(&query.body),
        SetExpr::SetOperation { left, .. } => columns(left),
        SetExpr::Values(values) => values.rows.first().map(|row| row.content.len()),
        _ => None,
    }
}
