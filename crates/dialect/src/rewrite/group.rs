//! Bare columns under GROUP BY or next to an aggregate: SQLite takes all of them from one row of the group; if the only
//! aggregate is `min()` or `max()`, from the row that holds its value.

use std::{collections::HashSet, sync::LazyLock};

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, GroupByExpr, Ident,
    ObjectName, OrderByExpr, OrderByOptions, Select, SelectItem, Value,
};

use super::{
    bind::{Bindings, Bound, Scope},
    walk::{self, Step, any_own_expr, edit_at},
};
use crate::{
    build::{self, arguments, take, unwrapped},
    functions,
    walk::any_expr,
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
    any_expr(expr, &|expr| {
        matches!(
            expr,
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_) | Expr::CompoundFieldAccess { .. }
        )
    })
}

/// Whether an expression contains a window function of its own SELECT.
pub(crate) fn has_window(expr: &Expr) -> bool {
    calls(expr, |function| function.over.is_some())
}

/// Whether an expression calls such a function, ignoring subqueries.
fn calls(expr: &Expr, is_wanted: fn(&Function) -> bool) -> bool {
    any_own_expr(expr, &mut |expr| matches!(expr, Expr::Function(function) if is_wanted(function)))
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
    let mut aggregates: Vec<Function> = Vec::new();
    for expr in exprs {
        any_own_expr(expr, &mut |expr| {
            if let Expr::Function(function) = expr
                && is_aggregate(function)
                && !aggregates.contains(function)
            {
                aggregates.push(function.clone());
            }
            false
        });
    }
    let calls = aggregates.iter().map(|function| (function.name.to_string(), function));
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
pub(crate) fn wrap_bare(
    expr: &mut Expr,
    groups: &[Expr],
    row: &Row,
    outputs: &[String],
    bound: &Bindings,
    scope: &Scope<'_>,
) {
    // Expressions that the walk must not enter, until it has passed them.
    let mut kept: Vec<Expr> = Vec::new();
    let keep = |expr: &mut Expr, kept: &mut Vec<Expr>| {
        kept.push(take(expr));
        *expr = build::value(Value::Placeholder(format!("kept {}", kept.len() - 1)));
    };
    let bare = |expr: &Expr| {
        let is_output = |name: &Ident| name.quote_style.is_some() && outputs.contains(&name.value);
        match bound.of(expr) {
            _ if matches!(expr, Expr::Identifier(name) if is_output(name)) => false,
            Some(Bound::Column(id)) => scope.owns(id),
            // It is not known to be a column, but it cannot be anything else.
            Some(Bound::Perhaps) => true,
            Some(Bound::Alias(_)) | None => false,
        }
    };
    let before = |expr: &mut Expr, kept: &mut Vec<Expr>| {
        if might_match(groups, expr) && groups.contains(&canonical(expr, bound)) {
            return keep(expr, kept);
        }
        match expr {
            Expr::Function(function) if is_aggregate(function) => keep(expr, kept),
            Expr::Subquery(_) | Expr::Exists { .. } => keep(expr, kept),
            Expr::InSubquery { expr: left, .. } => {
                wrap_bare(left, groups, row, outputs, bound, scope);
                keep(expr, kept);
            }
            _ if bare(expr) => {
                *expr = first_value(take(expr), row.order.clone(), row.filter.clone());
                keep(expr, kept);
            }
            _ => {}
        }
    };
    let edited = walk::edit(expr, &mut |step, expr, _| {
        match step {
            Step::Before => before(expr, &mut kept),
            Step::After => {
                if let Expr::Value(literal) = expr
                    && let Value::Placeholder(mark) = &literal.value
                    && let Some(at) = mark.strip_prefix("kept ").and_then(|at| at.parse::<usize>().ok())
                    && let Some(own) = kept.get_mut(at)
                {
                    *expr = take(own);
                }
            }
        }
        Ok(())
    });
    edited.unwrap_or_default();
}

/// Qualifies every column inside an aggregate: in its ORDER BY, DataFusion resolves a bare name as an alias first.
pub(crate) fn qualify_arguments(expr: &mut Expr, bound: &Bindings, scope: &Scope<'_>) {
    edit_at(Step::After, expr, &mut |expr, _| {
        if matches!(expr, Expr::Function(function) if is_aggregate(function)) {
            bound.qualify(expr, scope);
        }
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

/// An expression with qualified columns and without parentheses, for comparisons.
pub(crate) fn canonical(expr: &Expr, bound: &Bindings) -> Expr {
    // The usual case, without copying a large tree.
    if matches!(expr, Expr::Value(_)) {
        return expr.clone();
    }
    let mut copy = expr.clone();
    edit_at(Step::After, &mut copy, &mut |expr, _| match expr {
        Expr::Nested(inner) => *expr = take(inner),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            let known =
                bound.column_of(expr).and_then(|id| Some((&bound.relation(id.relation).name, bound.column(id)?)));
            let full = match (known, &*expr) {
                (Some((relation, column)), _) => [relation.clone(), column.name.clone()],
                (None, Expr::CompoundIdentifier(parts)) => match parts.as_slice() {
                    [.., relation, column] => [relation, column].map(|part| part.value.to_ascii_lowercase()),
                    _ => return,
                },
                _ => return,
            };
            *expr = Expr::CompoundIdentifier(full.map(Ident::new).into());
        }
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            function.name = ObjectName::from(vec![Ident::new(name)]);
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
    });
    copy
}
