//! ORDER BY a column that an alias hides: `SELECT lower(path) AS path FROM file ORDER BY file.path`.
//!
//! DataFusion adds the sort keys to the selected columns. Then two columns have the same name, or DataFusion takes the
//! alias for the column. In these cases the sort key becomes a separate column, which an outer query drops.

use sqlparser::{
    ast::{Expr, Ident, OrderByKind, Query, SelectItem, SetExpr},
    tokenizer::Span,
};

use super::bind::Output;
use crate::{
    build::{self, exact, integer},
    walk::any_expr,
};

const SORTED: &str = "__sorted";

/// Sorts a rewritten SELECT in an outer query if it has to.
pub(crate) fn sort_outside(query: &mut Query, outputs: &[Output]) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let Some(OrderByKind::Expressions(terms)) = query.order_by.as_mut().map(|order| &mut order.kind) else { return };
    let aliased: Option<Vec<(&str, &Expr)>> = select
        .projection
        .iter()
        .filter_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } => Some(Some((alias.value.as_str(), expr))),
            SelectItem::UnnamedExpr(_) => None,
            _ => Some(None),
        })
        .collect();
    let Some(aliased) = aliased else { return };
    let distinct_names = outputs.iter().enumerate().all(|(at, one)| outputs[..at].iter().all(|it| it.name != one.name));
    let is_output = |term: &Expr| match term {
        Expr::Identifier(ident) => aliased.iter().any(|(alias, _)| *alias == ident.value),
        term => integer(term).is_some(),
    };
    let is_hidden = |term: &Expr| !is_output(term) && mentions_hidden(term, &aliased);
    if select.distinct.is_some()
        || !distinct_names
        || outputs.len() != select.projection.len()
        || !terms.iter().any(|term| is_hidden(&term.expr))
    {
        return;
    }
    let places: Vec<bool> = terms.iter().map(|term| !is_output(&term.expr)).collect();
    for (at, (term, _)) in terms.iter_mut().zip(places).enumerate().filter(|(_, (_, is_place))| *is_place) {
        let alias = exact(format!("{SORTED}_{at}"), Span::empty());
        let expr = std::mem::replace(&mut term.expr, Expr::Identifier(alias.clone()));
        select.projection.push(SelectItem::ExprWithAlias { expr, alias });
    }
    let name = |output: &Output| SelectItem::UnnamedExpr(Expr::Identifier(exact(output.name.clone(), Span::empty())));
    let inner = build::query(std::mem::replace(&mut *query.body, build::empty_body()));
    let sorted = build::derived(inner, build::table_alias(Ident::new(SORTED)));
    *query.body = SetExpr::Select(Box::new(build::select(outputs.iter().map(name).collect(), sorted)));
}

/// Whether a term refers to a column that has the name of an alias and is not the alias's expression.
fn mentions_hidden(term: &Expr, aliased: &[(&str, &Expr)]) -> bool {
    any_expr(term, &|expr| {
        let name = match expr {
            Expr::Identifier(ident) => Some(&ident.value),
            Expr::CompoundIdentifier(parts) => parts.last().map(|last| &last.value),
            _ => None,
        };
        name.is_some_and(|name| aliased.iter().any(|(alias, item)| alias == name && *item != expr))
    })
}
