//! Resolves names. Nothing else in the rewrite does.

use std::cell::Cell;

use sqlparser::{
    ast::{Expr, Ident, ObjectName, ObjectNamePart, SelectItem},
    tokenizer::Span,
};

use super::{
    bind::{Bound, Meaning, Output, Relation, Scope, is_made, is_main, named},
    error::{DialectError, Result},
    group,
    rewriter::{Cte, Rewriter},
    walk::{self, Part},
};
use crate::build::{self, call, exact, integer, string};

impl Rewriter<'_> {
    /// The scope of a SELECT before its FROM is read.
    pub(crate) fn scope<'p>(&mut self, outer: Option<&'p Scope<'p>>) -> Scope<'p> {
        self.scopes += 1;
        Scope {
            number: self.scopes,
            relations: Vec::new(),
            merged: Vec::new(),
            aliases: Vec::new(),
            aliases_visible: Cell::new(false),
            sorting: Cell::new(false),
            grouped: Cell::new(false),
            expanding: Cell::new(false),
            reach: self.ctes.len(),
            windows: Vec::new(),
            outer,
        }
    }

    /// Adds a relation to a SELECT.
    pub(crate) fn add_relation(&mut self, scope: &mut Scope<'_>, relation: Relation) {
        scope.relations.push(self.bound.relations.len());
        self.bound.relations.push(relation);
    }

    /// Whether a bare name is an alias of this SELECT whose expression is one.
    pub(crate) fn is_alias_of(&self, name: &str, scope: &Scope<'_>, is_one: impl Fn(&Expr) -> bool) -> bool {
        matches!(self.bound.search(scope, None, name), Some(Meaning::Alias(owner)) if owner.number == scope.number)
            && scope.alias(name).is_some_and(|(_, expr)| is_one(expr))
    }

    /// Binds a name without a qualifier.
    pub(crate) fn identifier(&mut self, ident: Ident, scope: &Scope<'_>) -> Result<Expr> {
        if is_made(&ident) {
            return Ok(Expr::Identifier(ident));
        }
        match self.bound.search(scope, None, &ident.value) {
            Some(Meaning::Alias(owner)) if owner.number == scope.number => self.own_alias(&ident, scope),
            Some(Meaning::Alias(owner)) => self.outer_alias(&ident, owner, scope),
            Some(Meaning::Column { id, shared }) => {
                let name = self.bound.column(id).map(|own| own.name.clone()).unwrap_or_default();
                let mut column = named(name, &ident);
                self.bound.bind(&mut column, Bound::Column(id));
                // Qualified if DataFusion would find two columns, or an alias first; and in a nested query, so that no
                // inner column of the same name matches.
                let among_aliases = (scope.aliases_visible.get() && !scope.sorting.get()) || scope.expanding.get();
                let hidden = || among_aliases && scope.alias(&ident.value).is_some();
                let is_plain = scope.owns(id) && !shared && !hidden();
                Ok(if is_plain { Expr::Identifier(column) } else { self.bound.with_relation(id, column) })
            }
            found @ (Some(Meaning::Perhaps) | None) => {
                // A quoted text that is unlikely to be a column name is a string, even if not all columns are known.
                let unlikely = ident.value.is_empty() || ident.value.contains(|c: char| "%/ .\\*".contains(c));
                if ident.quote_style == Some('"') && (found.is_none() || unlikely) {
                    return Ok(string(ident.value));
                }
                Ok(match ident.value.to_ascii_lowercase().as_str() {
                    "current_timestamp" if ident.quote_style.is_none() => call("datetime", vec![string("now")]),
                    "current_date" if ident.quote_style.is_none() => call("date", vec![string("now")]),
                    "current_time" if ident.quote_style.is_none() => call("time", vec![string("now")]),
                    _ => {
                        let mut ident = ident;
                        if found.is_some() {
                            self.bound.bind(&mut ident, Bound::Perhaps);
                        }
                        Expr::Identifier(ident)
                    }
                })
            }
        }
    }

    /// Binds a name with a qualifier.
    pub(crate) fn compound(&mut self, mut parts: Vec<Ident>, scope: &Scope<'_>) -> Expr {
        if let [.., relation, column] = parts.as_mut_slice()
            && !is_made(column)
        {
            match self.bound.search(scope, Some(&relation.value), &column.value) {
                Some(Meaning::Column { id, .. }) => {
                    let name = self.bound.column(id).map(|own| own.name.clone()).unwrap_or_default();
                    *column = named(name, column);
                    *relation = named(self.bound.relation(id.relation).name.clone(), relation);
                    self.bound.bind(column, Bound::Column(id));
                    if let [schema, _, _] = parts.as_slice()
                        && is_main(schema)
                    {
                        parts.remove(0);
                    }
                }
                Some(Meaning::Perhaps) => self.bound.bind(column, Bound::Perhaps),
                Some(Meaning::Alias(_)) | None => {}
            }
        }
        Expr::CompoundIdentifier(parts)
    }

    /// Binds the columns of USING.
    pub(crate) fn using(&self, columns: &mut [ObjectName], scope: &Scope<'_>) {
        for column in columns {
            if let [ObjectNamePart::Identifier(ident)] = column.0.as_mut_slice()
                && let Some((id, _)) = self.bound.find_here(scope, None, &ident.value)
                && let Some(own) = self.bound.column(id)
            {
                *ident = named(own.name.clone(), ident);
            }
        }
    }

    /// Whether a relation in this or an outer scope has the name.
    pub(crate) fn names_relation(&self, name: &str, scope: &Scope<'_>) -> bool {
        scope.outwards().any(|scope| self.bound.relations(scope).any(|known| known.is_called(name)))
    }

    /// The expression of an alias, in its own SELECT.
    fn own_alias(&mut self, ident: &Ident, scope: &Scope<'_>) -> Result<Expr> {
        let aliased =
            scope.alias(&ident.value).map_or_else(|| Expr::Identifier(ident.clone()), |(_, expr)| expr.clone());
        let visible = scope.aliases_visible.replace(false);
        let expanding = scope.expanding.replace(true);
        let rewritten = self.expr(aliased, scope);
        scope.aliases_visible.set(visible);
        scope.expanding.set(expanding);
        Ok(match rewritten? {
            simple @ (Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Value(_)
            | Expr::Function(_)
            | Expr::Nested(_)) => simple,
            other => Expr::Nested(Box::new(other)),
        })
    }

    /// The expression of an alias of an outer SELECT. It is resolved in the alias's own scope, and its columns are
    /// qualified. If an inner table or common table expression has one of their names, all relations get distinct
    /// names.
    fn outer_alias(&mut self, ident: &Ident, owner: &Scope<'_>, scope: &Scope<'_>) -> Result<Expr> {
        let nearer = self.ctes.split_off(owner.reach.min(self.ctes.len()));
        let outcome = self.own_alias(ident, owner).map(|mut rewritten| {
            self.bound.qualify(&mut rewritten, owner);
            rewritten
        });
        let captured = outcome.as_ref().is_ok_and(|rewritten| self.is_captured(rewritten, scope, owner, &nearer));
        self.ctes.extend(nearer);
        let rewritten = outcome?;
        let refuse = |why: &str| {
            Err(DialectError::new(format!("the subquery cannot use the alias `{}`: {why}", ident.value), ident.span))
        };
        if owner.grouped.get()
            && !group::has_window(&rewritten)
            && group::has_aggregate(&rewritten)
            && let Some((alias, _)) = owner.alias(&ident.value)
        {
            // The plan carries it to the place that evaluates the subquery.
            let mut alias = exact(alias.clone(), ident.span);
            self.bound.bind(&mut alias, Bound::Alias(owner.number));
            return Ok(Expr::Identifier(alias));
        }
        if group::has_aggregate(&rewritten) || group::has_window(&rewritten) {
            return refuse("it stands for an aggregate or a window function");
        }
        if captured && self.apart {
            return refuse("one of its own tables has the same name as a table that the alias stands for");
        }
        self.captured |= captured;
        Ok(Expr::Nested(Box::new(rewritten)))
    }

    /// A term of ORDER BY: a lone alias refers to the column of the result, and an ordinal is unchanged.
    pub(crate) fn order_by(&mut self, expr: &mut Expr, scope: &Scope<'_>) -> Result<()> {
        if integer(expr).is_some() && matches!(expr, Expr::Value(_)) {
            return Ok(());
        }
        if let Expr::Identifier(ident) = &*expr
            && let Some((alias, _)) = scope.alias(&ident.value)
        {
            *expr = Expr::Identifier(exact(alias.clone(), ident.span));
            return Ok(());
        }
        if let Expr::Collate { expr: inner, .. } = &mut *expr
            && let Expr::Identifier(ident) = &**inner
            && let Some((_, item)) = scope.alias(&ident.value)
        {
            **inner = Expr::Nested(Box::new(item.clone()));
        }
        self.order_term(expr, scope)
    }

    /// Whether an expression of `owner` would have another meaning in `scope`, which is further in.
    fn is_captured(&self, expr: &Expr, scope: &Scope<'_>, owner: &Scope<'_>, nearer: &[Cte]) -> bool {
        let between = || scope.outwards().take_while(|scope| scope.number != owner.number);
        let is_relation =
            |part: &Ident| between().flat_map(|scope| self.bound.relations(scope)).any(|own| own.name == part.value);
        let is_cte = |name: &ObjectName| nearer.iter().any(|cte| cte.given.eq_ignore_ascii_case(&name.to_string()));
        walk::any(expr, &mut |part, _| match part {
            Part::Expr(Expr::CompoundIdentifier(parts)) => parts.iter().rev().skip(1).any(is_relation),
            Part::Expr(_) => false,
            Part::Relation(name) => is_cte(name),
        })
    }
}

/// ORDER BY after a compound SELECT refers to its columns.
pub(super) fn compound_order(expr: &mut Expr, columns: &[Output]) {
    match expr {
        Expr::Identifier(ident) => {
            if let Some(column) = columns.iter().find(|column| column.name.eq_ignore_ascii_case(&ident.value)) {
                *ident = build::exact(column.name.clone(), ident.span);
            }
        }
        Expr::Collate { expr: inner, collation } => {
            let name = collation.to_string().to_ascii_lowercase();
            let mut inner = build::take(inner);
            let place = build::integer(&inner).and_then(|at| usize::try_from(at).ok()).and_then(|at| at.checked_sub(1));
            if let Some(column) = place.and_then(|at| columns.get(at)) {
                inner = Expr::Identifier(build::exact(column.name.clone(), Span::empty()));
            }
            compound_order(&mut inner, columns);
            *expr = build::call("collation_key", vec![inner, build::string(name)]);
        }
        Expr::Nested(inner) => compound_order(inner, columns),
        _ => {}
    }
}

/// The item of a SELECT list that a term of ORDER BY names by its alias.
pub(super) fn aliased_item<'s>(items: &'s [SelectItem], term: &Expr) -> Option<&'s Expr> {
    let Expr::Identifier(name) = term else { return None };
    items.iter().find_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case(&name.value) => Some(expr),
        _ => None,
    })
}
