//! Bare columns under GROUP BY or next to an aggregate: SQLite takes all of them from one row of the group; if the only
//! aggregate is `min()` or `max()`, from the row that holds its value.

use std::{collections::HashSet, ops::ControlFlow, sync::LazyLock};

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, GroupByExpr, Ident,
    OrderByExpr, OrderByOptions, Select, SelectItem, Value, Visit, VisitMut, Visitor, VisitorMut,
};

use super::scope::{Found, Scope, qualify};
use crate::{
    build::{self, arguments, take, unwrapped},
    functions,
};

static AGGREGATES: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let mut names: HashSet<String> = datafusion::functions_aggregate::all_default_aggregate_functions()
        .iter()
        .flat_map(|function| std::iter::once(function.name().to_owned()).chain(function.aliases().iter().cloned()))
        .collect();
    names.extend(["group_concat", "total", "json_group_array", "json_group_object", "carve"].map(str::to_owned));
    names
});

/// Whether a call is an aggregate and not a window function.
fn is_aggregate(function: &Function) -> bool {
    if function.over.is_some() || function.name.0.len() != 1 {
        return false;
    }
    let name = function.name.to_string().to_ascii_lowercase();
    match name.as_str() {
        "min" | "max" => arguments(function).len() < 2,
        _ => AGGREGATES.contains(&name),
    }
}

/// Whether an expression contains an aggregate of its own SELECT.
pub(crate) fn has_aggregate(expr: &Expr) -> bool {
    calls(expr, is_aggregate)
}

/// Whether an expression has the same value for every row.
pub(crate) fn is_constant(expr: &Expr) -> bool {
    let volatile = expr.to_string().to_ascii_lowercase().contains("random");
    !volatile && !has_aggregate(expr) && !mentions_columns(expr)
}

pub(crate) fn mentions_columns(expr: &Expr) -> bool {
    sqlparser::ast::visit_expressions(expr, |expr| match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_) | Expr::CompoundFieldAccess { .. } => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Whether an expression contains a window function of its own SELECT.
pub(crate) fn has_window(expr: &Expr) -> bool {
    calls(expr, |function| function.over.is_some())
}

/// Whether an expression calls such a function, ignoring subqueries.
fn calls(expr: &Expr, is_wanted: fn(&Function) -> bool) -> bool {
    struct Finder {
        depth: usize,
        is_wanted: fn(&Function) -> bool,
    }
    impl Visitor for Finder {
        type Break = ();

        fn pre_visit_query(&mut self, _: &sqlparser::ast::Query) -> ControlFlow<()> {
            self.depth += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &sqlparser::ast::Query) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if self.depth == 0 && (self.is_wanted)(function) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Finder { depth: 0, is_wanted }).is_break()
}

/// Whether a SELECT has GROUP BY.
pub(crate) fn is_grouped(select: &Select) -> bool {
    match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(list, modifiers) => !list.is_empty() || !modifiers.is_empty(),
    }
}

/// The expressions that a term of GROUP BY groups by: itself, or those in ROLLUP, CUBE and GROUPING SETS.
pub(crate) fn grouped(term: &Expr) -> impl Iterator<Item = &Expr> {
    let (one, lists): (&[Expr], &[Vec<Expr>]) = match term {
        Expr::Rollup(lists) | Expr::Cube(lists) | Expr::GroupingSets(lists) => (&[], lists),
        one => (std::slice::from_ref(one), &[]),
    };
    one.iter().chain(lists.iter().flatten())
}

/// Whether a SELECT has an aggregate in its list or in HAVING.
pub(crate) fn is_aggregated(select: &Select) -> bool {
    select.having.as_ref().is_some_and(has_aggregate)
        || select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => has_aggregate(expr),
            _ => false,
        })
}

/// `first_value(expr ORDER BY order)`
pub(crate) fn first_value(expr: Expr, order: Vec<OrderByExpr>, filter: Option<Box<Expr>>) -> Expr {
    let mut call = build::call("first_value", vec![expr]);
    if let Expr::Function(function) = &mut call {
        function.filter = filter;
        if let FunctionArguments::List(list) = &mut function.args
            && !order.is_empty()
        {
            list.clauses.push(FunctionArgumentClause::OrderBy(order));
        }
    }
    call
}

/// The row of its group that bare columns come from.
pub(crate) struct Row {
    order: Vec<OrderByExpr>,
    filter: Option<Box<Expr>>,
}

/// Determines the row of a SELECT's groups from all its rewritten expressions.
pub(crate) fn row<'e>(exprs: impl Iterator<Item = &'e Expr>) -> Row {
    struct Extremes {
        depth: usize,
        found: Vec<Function>,
    }
    impl Visitor for Extremes {
        type Break = ();

        fn pre_visit_query(&mut self, _: &sqlparser::ast::Query) -> ControlFlow<()> {
            self.depth += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &sqlparser::ast::Query) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Expr::Function(function) = expr
                && self.depth == 0
                && is_aggregate(function)
                && !self.found.contains(function)
            {
                self.found.push(function.clone());
            }
            ControlFlow::Continue(())
        }
    }
    let mut extremes = Extremes { depth: 0, found: Vec::new() };
    for expr in exprs {
        let _ = expr.visit(&mut extremes);
    }
    let calls = extremes.found.iter().map(|function| (function.name.to_string(), function));
    let Some((ascending, only)) = functions::row_of_group(calls) else {
        return Row { order: Vec::new(), filter: None };
    };
    let options = OrderByOptions { asc: Some(ascending), nulls_first: Some(false) };
    // The largest of equal values is in every row, and a number would be an ordinal.
    let order = arguments(only)
        .into_iter()
        .filter(|expr| !is_constant(expr))
        .map(|expr| OrderByExpr { expr, options, with_fill: None })
        .collect();
    Row { order, filter: only.filter.clone() }
}

/// Wraps the bare columns of an expression. `groups` are the grouping expressions in canonical form.
pub(crate) fn wrap_bare(expr: &mut Expr, groups: &[Expr], row: &Row, outputs: &[String], scope: &Scope<'_>) {
    struct Wrapper<'a, 's> {
        groups: &'a [Expr],
        row: &'a Row,
        outputs: &'a [String],
        scope: &'a Scope<'s>,
        kept: Vec<Expr>,
    }
    impl Wrapper<'_, '_> {
        /// Hides an expression from the visitor until the visitor has passed.
        fn keep(&mut self, expr: &mut Expr) {
            self.kept.push(take(expr));
            *expr = build::value(Value::Placeholder(format!("kept {}", self.kept.len() - 1)));
        }
    }
    impl VisitorMut for Wrapper<'_, '_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if might_match(self.groups, expr) && self.groups.contains(&canonical(expr, self.scope)) {
                self.keep(expr);
                return ControlFlow::Continue(());
            }
            match expr {
                Expr::Function(function) if is_aggregate(function) => self.keep(expr),
                Expr::Subquery(_) | Expr::Exists { .. } => self.keep(expr),
                Expr::InSubquery { expr: inner, .. } => {
                    let mut left = take(inner);
                    wrap_bare(&mut left, self.groups, self.row, self.outputs, self.scope);
                    **inner = left;
                    self.keep(expr);
                }
                Expr::Identifier(ident) => {
                    let output = ident.quote_style.is_some() && self.outputs.contains(&ident.value);
                    if !output && is_own(None, ident, self.scope) {
                        let column = take(expr);
                        *expr = first_value(column, self.row.order.clone(), self.row.filter.clone());
                        self.keep(expr);
                    }
                }
                Expr::CompoundIdentifier(parts) => {
                    let own = match parts.as_slice() {
                        [.., relation, column] => is_own(Some(relation), column, self.scope),
                        _ => false,
                    };
                    if own {
                        let column = take(expr);
                        *expr = first_value(column, self.row.order.clone(), self.row.filter.clone());
                        self.keep(expr);
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Value(literal) = expr
                && let Value::Placeholder(mark) = &literal.value
                && let Some(at) = mark.strip_prefix("kept ").and_then(|at| at.parse::<usize>().ok())
                && let Some(kept) = self.kept.get_mut(at)
            {
                *expr = take(kept);
            }
            ControlFlow::Continue(())
        }
    }
    let mut wrapper = Wrapper { groups, row, outputs, scope, kept: Vec::new() };
    let _ = VisitMut::visit(expr, &mut wrapper);
}

/// Qualifies every column inside an aggregate: in its ORDER BY, DataFusion resolves a bare name as an alias first.
pub(crate) fn qualify_arguments(expr: &mut Expr, scope: &Scope<'_>) {
    let _ = sqlparser::ast::visit_expressions_mut(expr, |expr| {
        if matches!(expr, Expr::Function(function) if is_aggregate(function)) {
            qualify(expr, scope);
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Whether a grouping expression has the same form; a cheap check before the comparison.
fn might_match(groups: &[Expr], expr: &Expr) -> bool {
    let expr = unwrapped(expr);
    let column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    groups.iter().any(|group| match group {
        Expr::CompoundIdentifier(_) => column,
        group => std::mem::discriminant(group) == std::mem::discriminant(expr),
    })
}

fn is_own(relation: Option<&Ident>, column: &Ident, scope: &Scope<'_>) -> bool {
    match scope.find(relation.map(|relation| relation.value.as_str()), &column.value) {
        Found::Column { .. } => true,
        // It is not known to be a column, but it cannot be anything else.
        Found::Perhaps => true,
        Found::Outer { .. } | Found::Nothing => false,
    }
}

/// An expression with qualified columns and without parentheses, for comparisons.
pub(crate) fn canonical(expr: &Expr, scope: &Scope<'_>) -> Expr {
    struct Canon<'a, 's> {
        scope: &'a Scope<'s>,
    }
    impl VisitorMut for Canon<'_, '_> {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            match expr {
                Expr::Nested(inner) => *expr = take(inner),
                Expr::Identifier(ident) => {
                    if let Some(full) = full_name(None, ident, self.scope) {
                        *expr = full;
                    }
                }
                Expr::CompoundIdentifier(parts) => {
                    if let [.., relation, column] = parts.as_slice()
                        && let Some(full) = full_name(Some(relation), column, self.scope)
                    {
                        *expr = full;
                    }
                }
                Expr::Function(function) => {
                    function.name = sqlparser::ast::ObjectName::from(vec![Ident::new(
                        function.name.to_string().to_ascii_lowercase(),
                    )]);
                    if let FunctionArguments::List(list) = &mut function.args {
                        for arg in &mut list.args {
                            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) = arg
                                && matches!(inner, Expr::Nested(_))
                            {
                                *inner = unwrapped(inner).clone();
                            }
                        }
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    match expr {
        // The usual cases, without copying a large tree.
        Expr::Value(_) => expr.clone(),
        _ => {
            let mut copy = expr.clone();
            let _ = VisitMut::visit(&mut copy, &mut Canon { scope });
            copy
        }
    }
}

fn full_name(relation: Option<&Ident>, column: &Ident, scope: &Scope<'_>) -> Option<Expr> {
    let (relation, name) = match scope.find(relation.map(|relation| relation.value.as_str()), &column.value) {
        Found::Column { relation, name, .. } => (scope.relations.get(relation)?.name.clone(), name),
        Found::Outer { relation, name, .. } => (relation, name),
        Found::Perhaps | Found::Nothing => (relation?.value.to_ascii_lowercase(), column.value.to_ascii_lowercase()),
    };
    Some(Expr::CompoundIdentifier(vec![Ident::new(relation), Ident::new(name)]))
}
