//! Queries: common table expressions, compound SELECTs, VALUES, LIMIT.

use datafusion::sql::parser::{CopyToSource, Statement};
use sqlparser::{
    ast::{self, Expr, LimitClause, Offset, OrderByKind, Query, SetExpr},
    tokenizer::Span,
};

use super::{
    bind::{Output, Scope, named},
    error::{DialectError, Result},
    kind, ordered,
    ordinal::check_ordinal,
    resolve::compound_order,
    rewriter::{Cte, Rewriter},
    sorted,
};
use crate::{build, class::Class};

impl Rewriter<'_> {
    pub(super) fn statement(&mut self, statement: &mut Statement) -> Result<()> {
        match statement {
            Statement::Statement(statement) => self.sql_statement(statement),
            Statement::Explain(explain) => self.statement(&mut explain.statement),
            Statement::CopyTo(copy) => {
                if let CopyToSource::Query(query) = &mut copy.source {
                    self.items.clear();
                    self.query(query, None)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn sql_statement(&mut self, statement: &mut ast::Statement) -> Result<()> {
        match statement {
            ast::Statement::Query(query) => self.query(query, None).map(drop),
            ast::Statement::Explain { statement, .. } => self.sql_statement(statement),
            ast::Statement::CreateView(view) => self.query(&mut view.query, None).map(drop),
            ast::Statement::CreateTable(table) => match &mut table.query {
                Some(query) => self.query(query, None).map(drop),
                None => Ok(()),
            },
            ast::Statement::Insert(insert) => match &mut insert.source {
                Some(query) => self.query(query, None).map(drop),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Rewrites a query and returns its columns.
    pub(crate) fn query(&mut self, query: &mut Query, outer: Option<&Scope<'_>>) -> Result<Option<Vec<Output>>> {
        let reach = self.ctes.len();
        let order_shows = query.with.is_some() && ordered::order_shows(query);
        if let Some(with) = &mut query.with {
            let items = std::mem::take(&mut self.items);
            for cte in &mut with.cte_tables {
                if with.recursive {
                    limit_outside(cte);
                }
                let name = cte.alias.name.value.to_ascii_lowercase();
                if self.ctes[reach..].iter().any(|known| known.name == name) {
                    return Err(DialectError::new(format!("duplicate WITH table name: {name}"), cte.alias.name.span));
                }
                // DataFusion refuses a repeated name, also in nested queries.
                self.captured |= self.ctes.iter().any(|known| known.name == name && !known.open);
                let given = match self.own_name(&name) {
                    Some(own) => {
                        cte.alias.name = build::exact(own.clone(), cte.alias.name.span);
                        own
                    }
                    None => {
                        cte.alias.name = named(name.clone(), &cte.alias.name);
                        name.clone()
                    }
                };
                // DataFusion also uses the column names as written.
                for column in &mut cte.alias.columns {
                    column.name = named(column.name.value.clone(), &column.name);
                }
                let declared: Vec<Output> =
                    cte.alias.columns.iter().map(|column| Output::unknown(column.name.value.clone())).collect();
                let open = |columns| Cte { name: name.clone(), given: given.clone(), columns, open: true };
                if with.recursive {
                    let columns = match self.recursive_columns(&open, &cte.query, &declared, outer) {
                        Some((seed, columns)) => {
                            if let SetExpr::SetOperation { left, .. } = &mut *cte.query.body {
                                widen_seed(left, &seed, &columns);
                            }
                            Some(columns)
                        }
                        None => (!declared.is_empty()).then(|| declared.clone()),
                    };
                    self.ctes.push(open(columns));
                }
                let is_numbered = order_shows && !with.recursive && declared.is_empty();
                let plain = is_numbered.then(|| cte.query.clone()).filter(|_| ordered::number_rows(&mut cte.query));
                let mut columns = self.query(&mut cte.query, outer)?;
                if let (Some(plain), None) = (plain, &columns) {
                    // The hidden column is hidden only if all columns are known.
                    cte.query = plain;
                    columns = self.query(&mut cte.query, outer)?;
                }
                let columns = match columns {
                    Some(columns) if declared.len() == columns.len() => Some(
                        columns
                            .into_iter()
                            .zip(declared)
                            .map(|(column, own)| Output { name: own.name, ..column })
                            .collect(),
                    ),
                    Some(columns) if declared.is_empty() => Some(columns),
                    _ if declared.is_empty() => None,
                    _ => Some(declared),
                };
                if with.recursive {
                    self.ctes.pop();
                }
                self.ctes.push(Cte { open: false, ..open(columns) });
            }
            self.items = items;
        }
        let columns = self.body(query, outer)?;
        limits(query, |expr| self.constant(expr, outer))?;
        self.ctes.truncate(reach);
        Ok(columns)
    }

    /// The columns of a recursive common table expression's seed, and the types that they need to hold the rows of all
    /// steps; `None` if they are unknown.
    fn recursive_columns(
        &mut self,
        open: &dyn Fn(Option<Vec<Output>>) -> Cte,
        query: &Query,
        declared: &[Output],
        outer: Option<&Scope<'_>>,
    ) -> Option<(Vec<Output>, Vec<Output>)> {
        let named = |columns: Vec<Output>| -> Vec<Output> {
            match declared.len() == columns.len() {
                true => columns
                    .into_iter()
                    .zip(declared)
                    .map(|(column, own)| Output { name: own.name.clone(), ..column })
                    .collect(),
                false => columns,
            }
        };
        let SetExpr::SetOperation { left, .. } = &*query.body else { return None };
        let seed = self.set_expr(&mut left.clone(), outer).ok()??;
        if !declared.is_empty() && declared.len() != seed.len() {
            return None;
        }
        let mut columns = named(seed.clone());
        // A type only widens: from NULL to integers, reals and text.
        for _ in 0..4 {
            self.ctes.push(open(Some(columns.clone())));
            let whole = self.query(&mut query.clone(), outer);
            self.ctes.pop();
            let widened = named(whole.ok()??);
            if widened.len() != columns.len() {
                return None;
            }
            if widened.iter().zip(&columns).all(|(new, old)| new.kind == old.kind) {
                return Some((seed, columns));
            }
            columns = widened;
        }
        None
    }

    fn body(&mut self, query: &mut Query, outer: Option<&Scope<'_>>) -> Result<Option<Vec<Output>>> {
        let body = std::mem::replace(&mut *query.body, build::empty_body());
        match body {
            SetExpr::Select(mut select) => {
                let mut order = match &mut query.order_by {
                    Some(order_by) => match &mut order_by.kind {
                        OrderByKind::Expressions(list) => Some(std::mem::take(list)),
                        OrderByKind::All(_) => None,
                    },
                    None => None,
                };
                let outcome = self.select(&mut select, order.as_mut(), outer);
                if let (Some(order_by), Some(order)) = (&mut query.order_by, order) {
                    order_by.kind = OrderByKind::Expressions(order);
                }
                *query.body = SetExpr::Select(select);
                if let Ok(Some(outputs)) = &outcome {
                    sorted::sort_outside(query, outputs);
                }
                outcome
            }
            other => {
                let mut other = other;
                let outcome = self.set_expr(&mut other, outer);
                *query.body = other;
                let columns = outcome?;
                if let (Some(order_by), Some(columns)) = (&mut query.order_by, &columns)
                    && let OrderByKind::Expressions(list) = &mut order_by.kind
                {
                    for (at, term) in list.iter_mut().enumerate() {
                        check_ordinal(at, &term.expr, Some(columns.len()))?;
                        compound_order(&mut term.expr, columns);
                    }
                }
                Ok(columns)
            }
        }
    }

    fn set_expr(&mut self, body: &mut SetExpr, outer: Option<&Scope<'_>>) -> Result<Option<Vec<Output>>> {
        match body {
            SetExpr::Select(select) => self.select(select, None, outer),
            SetExpr::Query(query) => self.query(query, outer),
            SetExpr::SetOperation { .. } => self.set_operation(body, outer),
            SetExpr::Values(values) => {
                let scope = self.scope(outer);
                let mut kinds: Vec<Option<Class>> = Vec::new();
                for (row, values) in values.rows.iter_mut().enumerate() {
                    for (at, value) in values.content.iter_mut().enumerate() {
                        self.value(value, &scope)?;
                        let kind = kind::of(value, &self.bound);
                        if row == 0 {
                            kinds.push(kind);
                        } else if let Some(known) = kinds.get_mut(at) {
                            *known = Class::together(*known, kind);
                        }
                    }
                }
                for values in &mut values.rows {
                    for (value, kind) in values.content.iter_mut().zip(&kinds) {
                        kind::convert(value, *kind, &self.bound);
                    }
                }
                let columns = kinds.into_iter().enumerate();
                Ok(Some(
                    columns.map(|(at, kind)| Output { kind, ..Output::unknown(format!("column{}", at + 1)) }).collect(),
                ))
            }
            SetExpr::Table(_) | SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Ok(None)
            }
        }
    }

    /// A chain of UNIONs, taken apart from the left without recursion.
    fn set_operation(&mut self, body: &mut SetExpr, outer: Option<&Scope<'_>>) -> Result<Option<Vec<Output>>> {
        let mut chain = Vec::new();
        let mut current = std::mem::replace(body, build::empty_body());
        while let SetExpr::SetOperation { left, op, set_quantifier, mut right } = current {
            // In the parser INTERSECT binds tighter; in SQLite all set operators associate from left to right.
            while let SetExpr::SetOperation { left, op, set_quantifier, right: last } = *right {
                chain.push((op, set_quantifier, last));
                right = left;
            }
            chain.push((op, set_quantifier, right));
            current = *left;
        }
        let mut columns = self.set_expr(&mut current, outer)?;
        let mut members = vec![(true, columns.clone())];
        for (op, _, right) in chain.iter_mut().rev() {
            // EXCEPT and INTERSECT only compare with their member's rows and return none of them.
            members.push((*op == ast::SetOperator::Union, self.set_expr(right, outer)?));
        }
        if let Some(columns) = &mut columns {
            let kind = |member: &Option<Vec<Output>>, at: usize| member.as_ref()?.get(at)?.kind;
            // A column that is text in one member that returns rows and a number in another becomes text in all.
            let mut converted = Vec::with_capacity(columns.len());
            for (at, column) in columns.iter_mut().enumerate() {
                let shown = || members.iter().filter(|(gives_rows, _)| *gives_rows).map(|(_, own)| kind(own, at));
                column.kind = shown().reduce(Class::together).flatten();
                converted.push(shown().any(|own| kind::conversion(own, column.kind) == Some("as_text")));
            }
            for (member, (gives_rows, own)) in std::iter::once(&mut current)
                .chain(chain.iter_mut().rev().map(|(_, _, right)| &mut **right))
                .zip(&members)
            {
                let Some(own) = own else { continue };
                for (at, (wanted, own)) in columns.iter().zip(own).enumerate() {
                    let converts = *gives_rows || converted[at];
                    let convert = || kind::conversion(own.kind, wanted.kind).filter(|_| converts);
                    if let Some(function) = kind::conversion_of_null(own.kind, wanted.kind).or_else(convert) {
                        convert_item(member, at, &own.name, function);
                    }
                }
            }
        }
        for (op, set_quantifier, right) in chain.into_iter().rev() {
            current = SetExpr::SetOperation { left: Box::new(current), op, set_quantifier, right };
        }
        *body = current;
        Ok(columns)
    }

    /// An expression without columns, such as that of LIMIT.
    fn constant(&mut self, expr: &mut Expr, outer: Option<&Scope<'_>>) -> Result<()> {
        let scope = self.scope(outer);
        self.value(expr, &scope)
    }
}

/// Gives the seed of a recursion the final types of its columns: DataFusion casts all later rows to the seed's types.
fn widen_seed(seed: &mut SetExpr, own: &[Output], columns: &[Output]) {
    for (at, (own, column)) in own.iter().zip(columns).enumerate() {
        let function =
            kind::conversion_of_null(own.kind, column.kind).or_else(|| kind::conversion(own.kind, column.kind));
        let Some(function) = function else { continue };
        convert_item(seed, at, &own.name, function);
    }
}

/// `WITH RECURSIVE c AS (... LIMIT n)` stops after n rows: the limit is moved around the recursion, where DataFusion
/// stops as well.
fn limit_outside(cte: &mut ast::Cte) {
    if cte.query.limit_clause.is_none() || !matches!(*cte.query.body, SetExpr::SetOperation { .. }) {
        return;
    }
    let limit = cte.query.limit_clause.take();
    let mut inner = cte.clone();
    inner.query.limit_clause = None;
    let mut outer = build::select_all_from(vec![cte.alias.name.clone()].into());
    outer.limit_clause = limit;
    outer.with = Some(ast::With {
        with_token: ast::helpers::attached_token::AttachedToken::empty(),
        recursive: true,
        cte_tables: vec![inner],
    });
    *cte.query = outer;
}

/// Wraps one item of a member of a compound SELECT; its name stays.
fn convert_item(member: &mut SetExpr, at: usize, name: &str, function: &str) {
    match member {
        SetExpr::Select(select) => {
            if let Some(item @ (ast::SelectItem::UnnamedExpr(_) | ast::SelectItem::ExprWithAlias { .. })) =
                select.projection.get_mut(at)
            {
                let wildcard = build::star();
                *item = match std::mem::replace(item, wildcard) {
                    ast::SelectItem::UnnamedExpr(expr) => ast::SelectItem::ExprWithAlias {
                        expr: build::call(function, vec![expr]),
                        alias: build::exact(name, Span::empty()),
                    },
                    ast::SelectItem::ExprWithAlias { expr, alias } => {
                        ast::SelectItem::ExprWithAlias { expr: build::call(function, vec![expr]), alias }
                    }
                    other => other,
                };
            }
        }
        SetExpr::Query(query) => convert_item(&mut query.body, at, name, function),
        SetExpr::Values(values) => {
            for row in &mut values.rows {
                if let Some(value) = row.content.get_mut(at) {
                    let inner = build::take(value);
                    *value = build::call(function, vec![inner]);
                }
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            convert_item(left, at, name, function);
            convert_item(right, at, name, function);
        }
        SetExpr::Table(_) => {}
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {}
    }
}

/// A negative LIMIT means no limit; a negative OFFSET means 0.
fn limits(query: &mut Query, mut rewrite: impl FnMut(&mut Expr) -> Result<()>) -> Result<()> {
    let Some(clause) = &mut query.limit_clause else { return Ok(()) };
    let (mut limit, mut offset) =
        match std::mem::replace(clause, LimitClause::LimitOffset { limit: None, offset: None, limit_by: Vec::new() }) {
            LimitClause::LimitOffset { limit, offset, limit_by } if limit_by.is_empty() => (limit, offset),
            LimitClause::OffsetCommaLimit { offset, limit } => {
                (Some(limit), Some(Offset { value: offset, rows: ast::OffsetRows::None }))
            }
            other => {
                *clause = other;
                return Ok(());
            }
        };
    if let Some(expr) = &mut limit {
        rewrite(expr)?;
        if let Some(count) = build::literal_text(expr).and_then(|text| text.parse::<i64>().ok()) {
            *expr = build::number(count.unsigned_abs().to_string());
            if count < 0 {
                limit = None;
            }
        }
    }
    if limit.as_ref().is_some_and(|limit| build::integer(limit).is_some_and(|limit| limit < 0)) {
        limit = None;
    }
    if let Some(from) = &mut offset {
        rewrite(&mut from.value)?;
        if build::integer(&from.value).is_some_and(|from| from < 0) {
            offset = None;
        }
    }
    query.limit_clause = if limit.is_none() && offset.is_none() {
        None
    } else {
        Some(LimitClause::LimitOffset { limit, offset, limit_by: Vec::new() })
    };
    Ok(())
}
