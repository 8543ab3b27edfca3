//! Rewrites SQLite's statement as one that DataFusion can plan, on the parsed tree.
//!
//! [`select`] handles one SELECT, [`expr`] its expressions, [`scope`] resolves names, [`group`] chooses the row of bare
//! columns under GROUP BY, and [`kind`] determines types before planning.

pub(crate) mod build;
mod expr;
mod group;
mod kind;
mod ordered;
mod row;
mod schema;
mod scope;
mod select;
mod sorted;

use datafusion::sql::parser::Statement;
use sqlparser::{
    ast::{self, Expr, LimitClause, Offset, OrderByKind, Query, SetExpr, Value},
    tokenizer::Span,
};

use crate::{Dialect, Names, Parsed, parser::with_stack};
pub(crate) use expr::{cast_function, negate};
pub use schema::lists_tables;
use scope::{Output, Scope};
pub(crate) use select::select_all_from;

/// Why a statement cannot have SQLite's meaning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DialectError {
    /// What is wrong.
    pub message: String,
    /// The line, from 1; 0 if the position is not known.
    pub line: usize,
    /// The column in characters, from 1; 0 if the position is not known.
    pub column: usize,
}

impl DialectError {
    pub(crate) fn new(message: impl Into<String>, span: Span) -> Self {
        Self { message: message.into(), line: span.start.line as usize, column: span.start.column as usize }
    }
}

pub(crate) type Result<T> = std::result::Result<T, DialectError>;

/// Rewrites a parsed statement so that DataFusion returns SQLite's result. With [`Dialect::DataFusion`], nothing
/// changes.
pub fn rewrite(parsed: Parsed, names: &dyn Names) -> std::result::Result<Statement, DialectError> {
    let Parsed { mut statement, items, dialect, depth, .. } = parsed;
    if dialect == Dialect::DataFusion {
        return Ok(statement);
    }
    with_stack(depth, move || {
        let again = statement.clone();
        let mut rewriter = Rewriter::new(names, items.clone(), false);
        rewriter.statement(&mut statement)?;
        if rewriter.captured {
            statement = again;
            Rewriter::new(names, items, true).statement(&mut statement)?;
        }
        Ok(statement)
    })
}

/// A common table expression in scope.
#[derive(Clone, Debug)]
struct Cte {
    name: String,
    /// The name that DataFusion uses for it.
    given: String,
    /// `None` while its query is being rewritten: a recursive one refers to itself in this state.
    columns: Option<Vec<Output>>,
    /// Whether this is its own definition, which DataFusion does not see as one yet.
    open: bool,
}

pub(crate) struct Rewriter<'n> {
    names: &'n dyn Names,
    ctes: Vec<Cte>,
    /// The user's text of the items of the outermost SELECT, until that SELECT is reached.
    items: Vec<String>,
    /// The number of subqueries in FROM that had no name and got one.
    unnamed: usize,
    /// Whether this is a condition that filters rows.
    choosing: bool,
    /// Whether every relation and common table expression gets a distinct name.
    apart: bool,
    /// The number of names given so far.
    given: usize,
    /// Whether a name was moved into a scope in which an inner relation has it, too.
    captured: bool,
}

impl<'n> Rewriter<'n> {
    fn new(names: &'n dyn Names, items: Vec<String>, apart: bool) -> Self {
        let (ctes, choosing, captured) = (Vec::new(), false, false);
        Self { names, ctes, items, unnamed: 0, choosing, apart, given: 0, captured }
    }

    /// A name that nothing else has, if distinct names are needed.
    fn own_name(&mut self, name: &str) -> Option<String> {
        self.apart.then(|| {
            self.given += 1;
            format!("{name}:{}", self.given)
        })
    }

    /// The common table expression that a name in FROM refers to.
    fn cte(&self, name: &ast::ObjectName) -> Option<&Cte> {
        let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() else { return None };
        self.ctes.iter().rev().find(|cte| cte.name.eq_ignore_ascii_case(&ident.value))
    }

    fn statement(&mut self, statement: &mut Statement) -> Result<()> {
        match statement {
            Statement::Statement(statement) => self.sql_statement(statement),
            Statement::Explain(explain) => self.statement(&mut explain.statement),
            Statement::CopyTo(copy) => {
                if let datafusion::sql::parser::CopyToSource::Query(query) = &mut copy.source {
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
                        cte.alias.name = expr::named(name.clone(), &cte.alias.name);
                        name.clone()
                    }
                };
                // DataFusion also uses the column names as written.
                for column in &mut cte.alias.columns {
                    column.name = expr::named(column.name.value.clone(), &column.name);
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
        let body = std::mem::replace(&mut *query.body, SetExpr::Values(empty_values()));
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
                        self.compound_order(&mut term.expr, columns);
                    }
                }
                Ok(columns)
            }
        }
    }

    /// ORDER BY after a compound SELECT refers to its columns.
    fn compound_order(&self, expr: &mut Expr, columns: &[Output]) {
        match expr {
            Expr::Identifier(ident) => {
                if let Some(column) = columns.iter().find(|column| column.name.eq_ignore_ascii_case(&ident.value)) {
                    *ident = build::exact(column.name.clone(), ident.span);
                }
            }
            Expr::Collate { expr: inner, collation } => {
                let name = collation.to_string().to_ascii_lowercase();
                let mut inner = std::mem::replace(&mut **inner, build::value(Value::Null));
                let place = integer(&inner).and_then(|at| usize::try_from(at).ok()).and_then(|at| at.checked_sub(1));
                if let Some(column) = place.and_then(|at| columns.get(at)) {
                    inner = Expr::Identifier(build::exact(column.name.clone(), Span::empty()));
                }
                self.compound_order(&mut inner, columns);
                *expr = build::call("collation_key", vec![inner, build::string(name)]);
            }
            Expr::Nested(inner) => self.compound_order(inner, columns),
            _ => {}
        }
    }

    fn set_expr(&mut self, body: &mut SetExpr, outer: Option<&Scope<'_>>) -> Result<Option<Vec<Output>>> {
        match body {
            SetExpr::Select(select) => self.select(select, None, outer),
            SetExpr::Query(query) => self.query(query, outer),
            SetExpr::SetOperation { .. } => self.set_operation(body, outer),
            SetExpr::Values(values) => {
                let scope = Scope::empty(outer);
                let mut kinds: Vec<Option<kind::Class>> = Vec::new();
                for (row, values) in values.rows.iter_mut().enumerate() {
                    for (at, value) in values.content.iter_mut().enumerate() {
                        self.value(value, &scope)?;
                        let kind = kind::of(value, &scope);
                        if row == 0 {
                            kinds.push(kind);
                        } else if let Some(known) = kinds.get_mut(at) {
                            *known = kind::together(*known, kind);
                        }
                    }
                }
                for values in &mut values.rows {
                    for (value, kind) in values.content.iter_mut().zip(&kinds) {
                        kind::convert(value, *kind, &scope);
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
        let mut current = std::mem::replace(body, SetExpr::Values(empty_values()));
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
                column.kind = shown().reduce(kind::together).flatten();
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
        let scope = Scope::empty(outer);
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
    let mut outer = select_all_from(vec![cte.alias.name.clone()].into());
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
                let wildcard = ast::SelectItem::Wildcard(ast::WildcardAdditionalOptions::default());
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
                    let inner = std::mem::replace(value, build::value(Value::Null));
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
        if let Some(count) = expr::literal_text(expr).and_then(|text| text.parse::<i64>().ok()) {
            *expr = build::number(count.unsigned_abs().to_string());
            if count < 0 {
                limit = None;
            }
        }
    }
    if limit.as_ref().is_some_and(|limit| integer(limit).is_some_and(|limit| limit < 0)) {
        limit = None;
    }
    if let Some(from) = &mut offset {
        rewrite(&mut from.value)?;
        if integer(&from.value).is_some_and(|from| from < 0) {
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

/// A number as a term of ORDER BY is the position of an item, also with a collation.
fn check_ordinal(term: usize, expr: &Expr, items: Option<usize>) -> Result<()> {
    let mut expr = build::unwrapped(expr);
    while let Expr::Collate { expr: inner, .. } = expr {
        expr = build::unwrapped(inner);
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
    Err(DialectError::new(message, ast::Spanned::span(expr)))
}

/// The integer that a literal expression holds.
pub(crate) fn integer(expr: &Expr) -> Option<i64> {
    match build::unwrapped(expr) {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => integer(expr).map(i64::wrapping_neg),
        Expr::UnaryOp { op: ast::UnaryOperator::Plus, expr } => integer(expr),
        _ => None,
    }
}

pub(crate) fn empty_values() -> ast::Values {
    ast::Values { explicit_row: false, value_keyword: false, rows: Vec::new() }
}

pub(crate) fn empty_query() -> Query {
    Query {
        with: None,
        body: Box::new(SetExpr::Values(empty_values())),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
