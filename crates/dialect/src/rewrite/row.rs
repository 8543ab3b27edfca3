//! Row values from subqueries: `(a, b) = (SELECT x, y ...)`.

use sqlparser::{
    ast::{
        self, BinaryOperator, Expr, Join, JoinConstraint, JoinOperator, Query, SelectItem, SetExpr, Spanned,
        TableAlias, TableAliasColumnDef, TableFactor, Value,
    },
    tokenizer::Span,
};

use super::{
    DialectError, Result, Rewriter,
    build::{exact, number, unwrapped, value},
    group,
    kind::is_comparison,
    scope::Scope,
    select::select_one_from,
};

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
            let columns = columns.into_iter().map(|name| TableAliasColumnDef { name, data_type: None });
            let alias = TableAlias { explicit: true, name, columns: columns.collect(), at: None };
            let subquery = Box::new(first_row(*query));
            let relation = TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None };
            let always = JoinConstraint::On(value(Value::Boolean(true)));
            joins.push(Join { relation, global: false, join_operator: JoinOperator::LeftOuter(always) });
        }
        let mut one = super::empty_query();
        let rows = vec![ast::Parens::with_empty_span(vec![number("1")])];
        one.body = Box::new(SetExpr::Values(ast::Values { explicit_row: false, value_keyword: false, rows }));
        let mut query = select_one_from(one, "one", number("1"));
        if let SetExpr::Select(select) = query.body.as_mut() {
            select.selection = None;
            select.projection = vec![SelectItem::UnnamedExpr(expr)];
            if let Some(from) = select.from.first_mut() {
                from.joins = joins;
            }
        }
        self.scalar_subquery(Box::new(query), scope)
    }
}

/// The query limited to its first row.
fn first_row(mut query: Query) -> Query {
    if query.limit_clause.is_some() {
        let mut all = select_one_from(query, "limited", number("1"));
        if let SetExpr::Select(select) = all.body.as_mut() {
            select.selection = None;
            select.projection = vec![SelectItem::Wildcard(ast::WildcardAdditionalOptions::default())];
        }
        query = all;
    }
    let limit = Some(number("1"));
    query.limit_clause = Some(ast::LimitClause::LimitOffset { limit, offset: None, limit_by: Vec::new() });
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
