//! Aggregates that join values see them in the order of the subquery that they read. DataFusion does not keep that
//! order, so it becomes a hidden column of the subquery and an ORDER BY of the aggregate.

use sqlparser::{
    ast::{
        Expr, Function, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, OrderByExpr,
        OrderByKind, OrderByOptions, Query, Select, SelectItem, SetExpr, TableFactor, WindowType,
    },
    tokenizer::Span,
};

use super::{
    resolve::aliased_item,
    rewriter::Rewriter,
    walk::{Step, edit_at},
};
use crate::{
    build::{self, call, exact, integer},
    walk::any_expr_of,
};

/// The hidden column that numbers the rows of an ordered subquery.
pub(crate) const PLACE: &str = "__place";

impl Rewriter<'_> {
    /// Gives order-sensitive aggregates of a SELECT the order of the only subquery it reads.
    pub(crate) fn keep_order(&self, select: &mut Select) {
        let [from] = select.from.as_mut_slice() else { return };
        if !from.joins.is_empty() || !joins_values(&mut select.projection, &mut select.having, false) {
            return;
        }
        if let TableFactor::Table { name, args: None, .. } = &from.relation
            && let Some(cte) = self.cte(name)
            && cte.columns.iter().flatten().any(|column| column.name == PLACE)
        {
            joins_values(&mut select.projection, &mut select.having, true);
        }
        let TableFactor::Derived { subquery, alias, .. } = &mut from.relation else { return };
        let renames = alias.as_ref().is_some_and(|alias| !alias.columns.is_empty());
        if !renames && number_rows(subquery) {
            joins_values(&mut select.projection, &mut select.having, true);
        }
    }
}

/// Whether the items contain aggregates that join values and have no ORDER BY; `give` adds an ORDER BY the hidden
/// column.
fn joins_values(items: &mut [SelectItem], having: &mut Option<Expr>, give: bool) -> bool {
    let mut found = false;
    let exprs = items.iter_mut().filter_map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    });
    for expr in exprs.chain(having) {
        edit_at(Step::Before, expr, &mut |expr, own| {
            if let Expr::Function(function) = expr
                && own
                && function.over.is_none()
                && let Some(list) = unordered(function)
            {
                found = true;
                if give {
                    list.clauses.push(FunctionArgumentClause::OrderBy(vec![OrderByExpr {
                        expr: Expr::Identifier(exact(PLACE, Span::empty())),
                        options: OrderByOptions::default(),
                        with_fill: None,
                    }]));
                }
            }
        });
    }
    found
}

/// The arguments of an aggregate that joins values and has no ORDER BY.
fn unordered(function: &mut Function) -> Option<&mut FunctionArgumentList> {
    let joins = keeps_order(function);
    let FunctionArguments::List(list) = &mut function.args else { return None };
    let states = list.clauses.iter().any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)));
    (joins && !states).then_some(list)
}

/// Whether the result of the function depends on the order of the rows.
fn keeps_order(function: &Function) -> bool {
    let name = function.name.to_string().to_ascii_lowercase();
    matches!(name.as_str(), "group_concat" | "string_agg" | "json_group_array" | "json_group_object" | "array_agg")
}

/// Whether the result of a query may depend on the order of common table expressions.
pub(crate) fn order_shows(query: &Query) -> bool {
    any_expr_of(query, &|expr| matches!(expr, Expr::Function(function) if keeps_order(function)))
}

/// Adds the hidden column to an ordered query; false if it has no order or the order is unknown.
pub(crate) fn number_rows(query: &mut Query) -> bool {
    let Some(OrderByKind::Expressions(order)) = query.order_by.as_ref().map(|order| &order.kind) else { return false };
    let SetExpr::Select(select) = query.body.as_mut() else { return false };
    let mut terms = Vec::new();
    for term in order {
        let mut term = term.clone();
        let item = |at: usize| match select.projection.get(at)? {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr.clone()),
            _ => None,
        };
        if let Some(at) = integer(&term.expr) {
            let Some(expr) = usize::try_from(at).ok().and_then(|at| at.checked_sub(1)).and_then(item) else {
                return false;
            };
            term.expr = expr;
        } else if let Some(expr) = aliased_item(&select.projection, &term.expr) {
            term.expr = expr.clone();
        }
        terms.push(term);
    }
    if select.distinct.is_some() {
        // Numbered in an outer query, by the selected columns.
        let names: Option<Vec<Ident>> = select.projection.iter().map(output).collect();
        let Some(names) = names else { return false };
        for term in &mut terms {
            let place = select.projection.iter().position(|item| match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => *expr == term.expr,
                _ => false,
            });
            let Some(place) = place else { return false };
            term.expr = Expr::Identifier(names[place].clone());
        }
        let inner = query.clone();
        let mut items: Vec<SelectItem> =
            names.into_iter().map(|name| SelectItem::UnnamedExpr(Expr::Identifier(name))).collect();
        items.push(place(terms));
        let ordered = build::derived(inner, build::table_alias(Ident::new("ordered")));
        *query = build::select_query(build::select(items, ordered));
        return true;
    }
    select.projection.push(place(terms));
    true
}

/// The name of a plain item, for use outside of its SELECT.
fn output(item: &SelectItem) -> Option<Ident> {
    let name = match item {
        SelectItem::ExprWithAlias { alias, .. } => alias,
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => ident,
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last()?,
        _ => return None,
    };
    Some(Ident { span: Span::empty(), ..name.clone() })
}

/// `row_number() OVER (ORDER BY terms) AS "__place"`
fn place(terms: Vec<OrderByExpr>) -> SelectItem {
    let mut number = call("row_number", Vec::new());
    if let Expr::Function(function) = &mut number {
        function.over = Some(WindowType::WindowSpec(build::window(None, terms)));
    }
    SelectItem::ExprWithAlias { expr: number, alias: exact(PLACE, Span::empty()) }
}
