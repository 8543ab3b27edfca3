//! Expressions: each SQLite construct becomes one that DataFusion plans with the same result.

use std::collections::HashMap;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, Ident, ObjectName, Query, SelectItem, SetExpr, Subscript,
    TrimWhereField, UnaryOperator, Value, WindowType,
};

use super::{
    bind::{Bindings, Scope},
    error::{DialectError, Result},
    group::{self, is_constant, mentions_columns},
    kind::{self, is_boolean, is_comparison},
    rewriter::Rewriter,
    row,
    walk::{self, Step},
    window::complete_window,
};
use crate::{
    build::{
        self, aggregate_call, arguments, binary, bool_to_int, call, exact, integer, literal_text, negate, number,
        string, take, unwrapped, value,
    },
    class::Class,
    collation::Collation,
    functions,
    walk::any_expr_of,
};

impl Rewriter<'_> {
    /// Rewrites an expression whose value is used: a comparison returns 0 or 1.
    pub(crate) fn value(&mut self, expr: &mut Expr, scope: &Scope<'_>) -> Result<()> {
        let taken = take(expr);
        let rewritten = self.expr(taken, scope)?;
        *expr = as_value(rewritten);
        Ok(())
    }

    /// Rewrites an expression that is used only as a condition.
    pub(crate) fn truth(&mut self, expr: &mut Expr, scope: &Scope<'_>) -> Result<()> {
        let taken = take(expr);
        let rewritten = self.expr(taken, scope)?;
        *expr = as_truth(rewritten, &self.bound);
        Ok(())
    }

    /// Rewrites a condition that filters rows: WHERE, ON, HAVING.
    pub(crate) fn choice(&mut self, expr: &mut Expr, scope: &Scope<'_>) -> Result<()> {
        let before = std::mem::replace(&mut self.choosing, true);
        let outcome = self.truth(expr, scope);
        self.choosing = before;
        outcome
    }

    fn boxed_value(&mut self, mut expr: Box<Expr>, scope: &Scope<'_>) -> Result<Box<Expr>> {
        self.value(&mut expr, scope)?;
        Ok(expr)
    }

    /// Rewrites an expression; a comparison stays a comparison.
    pub(crate) fn expr(&mut self, expr: Expr, scope: &Scope<'_>) -> Result<Expr> {
        if let Some(width) = row::width(&expr)? {
            return self.row_comparison(expr, width, scope);
        }
        self.plain_expr(expr, scope)
    }

    /// Rewrites an expression that does not compare row values with subqueries.
    fn plain_expr(&mut self, expr: Expr, scope: &Scope<'_>) -> Result<Expr> {
        match expr {
            Expr::Identifier(ident) => self.identifier(ident, scope),
            Expr::CompoundIdentifier(parts) => Ok(self.compound(parts, scope)),
            Expr::Value(literal) => Ok(Expr::Value(self::literal(literal))),
            Expr::Nested(inner) => {
                let inner = self.expr(*inner, scope)?;
                Ok(match inner {
                    Expr::Nested(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) => inner,
                    inner => Expr::Nested(Box::new(inner)),
                })
            }
            Expr::BinaryOp { .. } => self.chain(expr, scope),
            Expr::UnaryOp { op, expr } => self.unary(op, expr, scope),
            Expr::IsNotDistinctFrom(left, right) => self.is(left, "IS", right, scope),
            Expr::IsDistinctFrom(left, right) => self.is(left, "IS NOT", right, scope),
            Expr::IsNull(inner) => Ok(Expr::IsNull(self.boxed_value(inner, scope)?)),
            Expr::IsNotNull(inner) => Ok(Expr::IsNotNull(self.boxed_value(inner, scope)?)),
            Expr::IsTrue(mut inner) => {
                self.truth(&mut inner, scope)?;
                Ok(Expr::IsTrue(inner))
            }
            Expr::IsNotTrue(mut inner) => {
                self.truth(&mut inner, scope)?;
                Ok(Expr::IsNotTrue(inner))
            }
            Expr::IsFalse(mut inner) => {
                self.truth(&mut inner, scope)?;
                Ok(Expr::IsFalse(inner))
            }
            Expr::IsNotFalse(mut inner) => {
                self.truth(&mut inner, scope)?;
                Ok(Expr::IsNotFalse(inner))
            }
            Expr::InList { expr, list, negated } => self.in_list(expr, list, negated, scope),
            Expr::InSubquery { expr, subquery, negated } if is_plain_values(&subquery) => {
                let list = match *subquery.body {
                    SetExpr::Values(values) => values.rows.into_iter().flat_map(|row| row.content).collect(),
                    _ => Vec::new(),
                };
                self.in_list(expr, list, negated, scope)
            }
            Expr::InSubquery { expr, mut subquery, negated } => {
                if let Expr::Tuple(parts) = unwrapped(&expr) {
                    return self.row_in_subquery(parts.clone(), subquery, negated, scope);
                }
                let expr = self.boxed_value(expr, scope)?;
                self.query(&mut subquery, Some(scope))?;
                Ok(Expr::InSubquery { expr, subquery, negated })
            }
            Expr::Between { expr, negated, low, high } => self.between(expr, negated, low, high, scope),
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                let escape = escape_char.map(Expr::Value);
                self.like(expr, pattern, escape, negated, scope)
            }
            Expr::RLike { negated, expr, pattern, regexp: true } => {
                let expr = *self.boxed_value(expr, scope)?;
                let pattern = *self.boxed_value(pattern, scope)?;
                let matched = call("truth", vec![call("regexp", vec![pattern, expr])]);
                Ok(negate(negated, matched))
            }
            Expr::Case { case_token, end_token, operand, conditions, else_result } => {
                let mut conditions = conditions;
                let mut else_result = else_result;
                for when in &mut conditions {
                    if let Some(operand) = &operand {
                        let wanted = take(&mut when.condition);
                        when.condition = binary((**operand).clone(), BinaryOperator::Eq, wanted);
                    }
                    self.truth(&mut when.condition, scope)?;
                    self.value(&mut when.result, scope)?;
                }
                if let Some(otherwise) = &mut else_result {
                    self.value(otherwise, scope)?;
                }
                let otherwise = else_result.as_ref().map_or(Some(Class::Null), |expr| kind::of(expr, &self.bound));
                let wanted =
                    conditions.iter().map(|when| kind::of(&when.result, &self.bound)).fold(otherwise, Class::together);
                for when in &mut conditions {
                    kind::convert(&mut when.result, wanted, &self.bound);
                }
                if let Some(otherwise) = &mut else_result {
                    kind::convert(otherwise, wanted, &self.bound);
                }
                let many = conditions.len() > MANY_WHENS;
                let case = Expr::Case { case_token, end_token, operand: None, conditions, else_result };
                Ok(if many { call("likely", vec![case]) } else { case })
            }
            Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None } => {
                let expr = self.boxed_value(expr, scope)?;
                Ok(match functions::cast(&data_type.to_string()) {
                    Some("as_number") if is_text_literal(&expr) => {
                        let text = literal_text(&expr).unwrap_or_default();
                        let number = match crate::value::text_to_number(&text) {
                            crate::value::Value::Real(real) if real.fract() == 0.0 && real.abs() < 9e15 => {
                                (real as i64).to_string()
                            }
                            crate::value::Value::Real(real) => format!("{real:e}"),
                            other => other.as_int().unwrap_or(0).to_string(),
                        };
                        call("as_number", vec![self.expr(signed_number(&number), scope)?])
                    }
                    Some(function) => call(function, vec![*expr]),
                    None => Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None },
                })
            }
            Expr::Cast { kind, expr, data_type, array, format } => {
                let expr = Box::new(self.expr(*expr, scope)?);
                Ok(Expr::Cast { kind, expr, data_type, array, format })
            }
            Expr::Collate { expr, collation } => collated(*self.boxed_value(expr, scope)?, &collation),
            Expr::Function(function) => self.function(function, scope),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let mut args = vec![*expr];
                args.push(substring_from.map_or_else(|| number("1"), |from| *from));
                args.extend(substring_for.map(|length| *length));
                self.expr(call("substr", args), scope)
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    _ => "trim",
                };
                let mut args = vec![*expr];
                args.extend(trim_what.map(|what| *what));
                args.extend(trim_characters.unwrap_or_default());
                self.expr(call(name, args), scope)
            }
            Expr::Ceil { expr, field } => match field {
                sqlparser::ast::CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) => {
                    self.expr(call("ceil", vec![*expr]), scope)
                }
                field => Ok(Expr::Ceil { expr: self.boxed_value(expr, scope)?, field }),
            },
            Expr::Floor { expr, field } => match field {
                sqlparser::ast::CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) => {
                    self.expr(call("floor", vec![*expr]), scope)
                }
                field => Ok(Expr::Floor { expr: self.boxed_value(expr, scope)?, field }),
            },
            Expr::Subquery(subquery) => self.scalar_subquery(subquery, scope),
            Expr::Exists { mut subquery, negated } => {
                self.query(&mut subquery, Some(scope))?;
                // Neither an order nor a limit of one or more changes whether there is a row.
                subquery.order_by = None;
                if let Some(sqlparser::ast::LimitClause::LimitOffset { limit: Some(limit), offset: None, .. }) =
                    &subquery.limit_clause
                    && integer(limit).is_some_and(|limit| limit > 0)
                {
                    subquery.limit_clause = None;
                }
                Ok(Expr::Exists { subquery, negated })
            }
            Expr::Tuple(mut parts) => {
                for part in &mut parts {
                    self.value(part, scope)?;
                }
                Ok(Expr::Tuple(parts))
            }
            Expr::CompoundFieldAccess { root, access_chain } => self.field_access(*root, access_chain, scope),
            other => {
                let mut other = other;
                self.elsewhere(&mut other, scope)?;
                Ok(other)
            }
        }
    }

    /// `labels['app']`, optionally qualified by its relation. The qualifier before the dot is not a column.
    fn field_access(&mut self, root: Expr, mut chain: Vec<AccessExpr>, scope: &Scope<'_>) -> Result<Expr> {
        let relation = match (&root, chain.first()) {
            (Expr::Identifier(relation), Some(AccessExpr::Dot(Expr::Identifier(column))))
                if self.names_relation(&relation.value, scope) =>
            {
                Some(vec![relation.clone(), column.clone()])
            }
            _ => None,
        };
        let root = match relation {
            Some(parts) => {
                chain.remove(0);
                self.compound(parts, scope)
            }
            None => self.expr(root, scope)?,
        };
        for access in &mut chain {
            if let AccessExpr::Subscript(Subscript::Index { index }) = access {
                self.value(index, scope)?;
            }
        }
        Ok(Expr::CompoundFieldAccess { root: Box::new(root), access_chain: chain })
    }

    /// Names inside constructs that only DataFusion has.
    fn elsewhere(&mut self, expr: &mut Expr, scope: &Scope<'_>) -> Result<()> {
        walk::edit(expr, &mut |step, expr, _| {
            if step == Step::After
                && let Expr::Identifier(_) | Expr::CompoundIdentifier(_) = expr
            {
                *expr = self.expr(take(expr), scope)?;
            }
            Ok(())
        })
    }

    /// A chain of binary operators that nests to the left, taken apart without recursion.
    fn chain(&mut self, expr: Expr, scope: &Scope<'_>) -> Result<Expr> {
        let mut steps = Vec::new();
        let mut current = expr;
        while let Expr::BinaryOp { left, op, right } = current {
            if !steps.is_empty() && row::is_one(&left, &op, &right) {
                current = Expr::BinaryOp { left, op, right };
                break;
            }
            let spread = if is_comparison(&op) { spreading_collation(&left) } else { None };
            steps.push((op, right, spread));
            current = *left;
        }
        let mut steps = steps.into_iter().rev().peekable();
        let mut left = self.expr(current, scope)?;
        while let Some((op, right, spread)) = steps.next() {
            if let Some(collation) = spread {
                left = collated(as_value(left), &collation)?;
            }
            if matches!(op, BinaryOperator::And | BinaryOperator::Or) {
                // A chain of one connective becomes a balanced tree.
                let mut own = vec![*right];
                while let Some((_, right, _)) = steps.next_if(|(next, ..)| *next == op) {
                    own.push(*right);
                }
                let mut terms = vec![as_truth(left, &self.bound)];
                for mut term in self.likes_together(own, &op, scope) {
                    self.truth(&mut term, scope)?;
                    terms.push(term);
                }
                left = balanced(terms, &op);
                continue;
            }
            if let (Expr::Tuple(_), Expr::Tuple(_)) = (unwrapped(&left), unwrapped(&right))
                && is_comparison(&op)
            {
                let right = self.expr(*right, scope)?;
                left = rows(&left, &op, &right);
                continue;
            }
            let mut right = right;
            if is_comparison(&op) {
                spread_collation(&mut right);
            }
            let right = *self.boxed_value(right, scope)?;
            left = self.compared(as_value(left), op, right);
        }
        Ok(left)
    }

    fn is(&mut self, mut left: Box<Expr>, op: &str, mut right: Box<Expr>, scope: &Scope<'_>) -> Result<Expr> {
        if let (Expr::Tuple(_), Expr::Tuple(_)) = (unwrapped(&left), unwrapped(&right)) {
            let (left, right) = (self.expr(*left, scope)?, self.expr(*right, scope)?);
            return Ok(rows(&left, &BinaryOperator::Custom(op.to_owned()), &right));
        }
        spread_collation(&mut left);
        spread_collation(&mut right);
        let left = *self.boxed_value(left, scope)?;
        let right = *self.boxed_value(right, scope)?;
        Ok(self.compared(left, BinaryOperator::Custom(op.to_owned()), right))
    }

    /// `left op right`
    fn compared(&mut self, left: Expr, op: BinaryOperator, right: Expr) -> Expr {
        if is_comparison(&op) {
            self.note_mismatch(&left, &op, &right);
        }
        binary(left, op, right)
    }

    fn unary(&mut self, op: UnaryOperator, expr: Box<Expr>, scope: &Scope<'_>) -> Result<Expr> {
        match op {
            UnaryOperator::Not => {
                let mut expr = expr;
                self.truth(&mut expr, scope)?;
                Ok(Expr::UnaryOp { op, expr })
            }
            UnaryOperator::Minus => {
                if let Expr::Value(literal) = unwrapped(&expr)
                    && let Value::Number(text, _) = &literal.value
                {
                    // The smallest integer cannot be negated.
                    let text = if text == "9223372036854775808" { text.clone() } else { plain_number(text) };
                    return Ok(Expr::UnaryOp { op, expr: Box::new(number(text)) });
                }
                let expr = *self.boxed_value(expr, scope)?;
                Ok(Expr::Nested(Box::new(binary(number("0"), BinaryOperator::Minus, expr))))
            }
            // An expression that is more than a column name has no affinity.
            UnaryOperator::Plus => Ok(match *self.boxed_value(expr, scope)? {
                column @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => call("likely", vec![column]),
                other => other,
            }),
            UnaryOperator::BitwiseNot => {
                let expr = *self.boxed_value(expr, scope)?;
                let minus_one = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number("1")) };
                let whole = call("as_integer", vec![expr]);
                Ok(Expr::Nested(Box::new(binary(minus_one, BinaryOperator::Minus, whole))))
            }
            other => Ok(Expr::UnaryOp { op: other, expr: self.boxed_value(expr, scope)? }),
        }
    }

    fn in_list(&mut self, expr: Box<Expr>, mut list: Vec<Expr>, negated: bool, scope: &Scope<'_>) -> Result<Expr> {
        if let Expr::Tuple(_) = unwrapped(&expr) {
            let left = self.expr(*expr, scope)?;
            let mut any = Vec::new();
            for item in list {
                let item = self.expr(item, scope)?;
                any.push(Expr::Nested(Box::new(rows(&left, &BinaryOperator::Eq, &item))));
            }
            if any.is_empty() {
                return Ok(value(Value::Boolean(negated)));
            }
            return Ok(negate(negated, balanced(any, &BinaryOperator::Or)));
        }
        let mut expr = expr;
        spread_collation(&mut expr);
        let expr = self.boxed_value(expr, scope)?;
        if list.is_empty() {
            return Ok(value(Value::Boolean(negated)));
        }
        for item in &mut list {
            self.value(item, scope)?;
            if !negated {
                self.note_mismatch(&expr, &BinaryOperator::Eq, item);
            }
        }
        Ok(Expr::InList { expr, list, negated })
    }

    fn between(
        &mut self,
        expr: Box<Expr>,
        negated: bool,
        low: Box<Expr>,
        high: Box<Expr>,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let mut expr = expr;
        spread_collation(&mut expr);
        let expr = self.boxed_value(expr, scope)?;
        let low = self.boxed_value(low, scope)?;
        let high = self.boxed_value(high, scope)?;
        self.note_mismatch(&expr, &BinaryOperator::GtEq, &low);
        self.note_mismatch(&expr, &BinaryOperator::LtEq, &high);
        let class = kind::of(&expr, &self.bound);
        let number = |class: Option<Class>| matches!(class, Some(Class::Int | Class::Real));
        let fits = |other: &Expr| {
            let other = kind::of(other, &self.bound);
            other.is_some() && (other == class || (number(other) && number(class)))
        };
        if fits(&low) && fits(&high) || matches!(*expr, Expr::Subquery(_)) {
            return Ok(Expr::Between { expr, negated, low, high });
        }
        let above = binary((*expr).clone(), BinaryOperator::GtEq, *low);
        let below = binary(*expr, BinaryOperator::LtEq, *high);
        let inside = binary(above, BinaryOperator::And, below);
        Ok(negate(negated, inside))
    }

    fn like(
        &mut self,
        expr: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Expr>,
        negated: bool,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let expr = self.boxed_value(expr, scope)?;
        let pattern = self.boxed_value(pattern, scope)?;
        let escape_char = match &escape {
            None => None,
            Some(Expr::Value(escape)) if escape.value == Value::Null => return Ok(value(Value::Null)),
            Some(escape) => {
                let text = literal_text(escape).unwrap_or_default();
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => Some(c),
                    _ => {
                        let span = sqlparser::ast::Spanned::span(escape);
                        return Err(DialectError::new("ESCAPE expression must be a single character", span));
                    }
                }
            }
        };
        if let Some(text) = literal_text(&pattern) {
            // DataFusion turns `%%` into `%`, and tables of files distinguish them. It does not look into the function.
            if text.is_ascii()
                && !text.contains("%%")
                && let Some(text) = arrow_pattern(&text, escape_char)
            {
                return Ok(Expr::ILike {
                    negated,
                    any: false,
                    expr,
                    pattern: Box::new(string(text)),
                    escape_char: None,
                });
            }
        } else if escape.is_none() && !mentions_columns(&pattern) {
            // It is constant by the time of execution: in SQLite the backslash has no special meaning.
            let plain = call("replace", vec![*pattern, string("\\"), string("\\\\")]);
            return Ok(Expr::ILike { negated, any: false, expr, pattern: Box::new(plain), escape_char: None });
        }
        let mut args = vec![*pattern, *expr];
        args.extend(escape_char.map(|c| string(c.to_string())));
        Ok(negate(negated, call("truth", vec![call("like", args)])))
    }

    fn row_in_subquery(
        &mut self,
        parts: Vec<Expr>,
        mut subquery: Box<Query>,
        negated: bool,
        scope: &Scope<'_>,
    ) -> Result<Expr> {
        let columns = self.query(&mut subquery, Some(scope))?;
        let Some(columns) = columns.filter(|columns| columns.len() == parts.len()) else {
            let span = sqlparser::ast::Spanned::span(&*subquery);
            return Err(DialectError::new(
                format!("the subquery must have {} columns, as many as the left side", parts.len()),
                span,
            ));
        };
        let alias = "__in_rows";
        let mut conditions = Vec::new();
        for (mut part, column) in parts.into_iter().zip(columns) {
            self.value(&mut part, scope)?;
            self.bound.qualify(&mut part, scope);
            let span = sqlparser::tokenizer::Span::empty();
            let own = Expr::CompoundIdentifier(vec![exact(alias, span), exact(column.name, span)]);
            conditions.push(binary(part, BinaryOperator::Eq, own));
        }
        let rows = build::derived(*subquery, build::table_alias(Ident::new(alias)));
        let mut select = build::select(vec![SelectItem::UnnamedExpr(number("1"))], rows);
        select.selection = Some(balanced(conditions, &BinaryOperator::And));
        Ok(Expr::Exists { subquery: Box::new(build::select_query(select)), negated })
    }

    /// A scalar subquery returns its first row and ignores the others.
    pub(crate) fn scalar_subquery(&mut self, mut subquery: Box<Query>, scope: &Scope<'_>) -> Result<Expr> {
        self.query(&mut subquery, Some(scope))?;
        let single = match subquery.body.as_ref() {
            SetExpr::Select(select) => group::is_aggregated(select) && !group::is_grouped(select),
            _ => false,
        };
        if single {
            subquery.order_by = None;
            return Ok(Expr::Subquery(subquery));
        }
        let no_limit = subquery.limit_clause.is_none();
        if any_expr_of(&subquery, &|expr| self.bound.reaches(expr, scope)) {
            let one = match &subquery.limit_clause {
                None => true,
                Some(sqlparser::ast::LimitClause::LimitOffset { limit: Some(limit), offset: None, .. }) => {
                    integer(limit) == Some(1)
                }
                _ => false,
            };
            if one
                && let SetExpr::Select(select) = subquery.body.as_mut()
                && !group::is_grouped(select)
                && !group::is_aggregated(select)
            {
                let order = match subquery.order_by.take().map(|order| order.kind) {
                    Some(sqlparser::ast::OrderByKind::Expressions(order)) => order,
                    _ => Vec::new(),
                };
                subquery.limit_clause = None;
                select.distinct = None;
                if let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
                    select.projection.as_mut_slice()
                {
                    let inner = take(item);
                    *item = group::first_value(inner, order, None);
                }
            }
        } else if no_limit {
            subquery.limit_clause = Some(build::limit("1"));
        }
        Ok(Expr::Subquery(subquery))
    }

    fn function(&mut self, mut function: Function, scope: &Scope<'_>) -> Result<Expr> {
        let name = match function.name.0.as_slice() {
            [part] => part.as_ident().map(|ident| ident.value.to_ascii_lowercase()).unwrap_or_default(),
            _ => String::new(),
        };
        match name.as_str() {
            "current_timestamp" if function.args == FunctionArguments::None => {
                return Ok(call("datetime", vec![string("now")]));
            }
            "current_date" if function.args == FunctionArguments::None => return Ok(call("date", vec![string("now")])),
            "current_time" if function.args == FunctionArguments::None => return Ok(call("time", vec![string("now")])),
            _ => {}
        }
        if function.over.is_none() && NEED_WINDOW.contains(&name.as_str()) {
            let span = sqlparser::ast::Spanned::span(&function.name);
            return Err(DialectError::new(format!("{name}() needs OVER: it is a window function"), span));
        }
        let ours = is_ours(&name);
        if let FunctionArguments::Subquery(query) = &mut function.args {
            self.query(query, Some(scope))?;
        }
        let mut plain = Vec::new();
        let mut only_plain = true;
        let mut distinct = false;
        if let FunctionArguments::List(list) = &mut function.args {
            distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
            for arg in &mut list.args {
                match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
                    | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. } => {
                        let taken = take(expr);
                        let json = JSON_MAKERS.contains(&&*name).then(|| gives_json(&taken)).flatten();
                        let mut rewritten = self.expr(taken, scope)?;
                        if let Some(json) = json {
                            rewritten = as_json(rewritten, json);
                        }
                        let literal_truth =
                            matches!(&rewritten, Expr::Value(literal) if matches!(literal.value, Value::Boolean(_)));
                        *expr = if ours || !literal_truth { as_value(rewritten) } else { rewritten };
                    }
                    _ => {}
                }
                match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => plain.push(expr.clone()),
                    _ => only_plain = false,
                }
            }
            for clause in &mut list.clauses {
                if let FunctionArgumentClause::OrderBy(order) = clause {
                    for term in order {
                        self.order_term(&mut term.expr, scope)?;
                    }
                }
            }
            if name == "count" && list.args.is_empty() {
                list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
                only_plain = false;
            }
        }
        if let Some(filter) = &mut function.filter {
            self.truth(filter, scope)?;
        }
        if let Some(WindowType::NamedWindow(name)) = &function.over {
            function.over = Some(WindowType::WindowSpec(build::window(Some(name.clone()), Vec::new())));
        }
        if let Some(WindowType::WindowSpec(window)) = &mut function.over {
            complete_window(window, &scope.windows)?;
            for expr in &mut window.partition_by {
                self.order_term(expr, scope)?;
            }
            for term in &mut window.order_by {
                self.order_term(&mut term.expr, scope)?;
            }
        }
        if !only_plain {
            return Ok(Expr::Function(function));
        }
        if let Some(spec) = functions::aggregates().iter().find(|spec| spec.is_called(&name)) {
            let known = match (spec.name, plain.as_slice()) {
                ("sum" | "avg", [arg]) => {
                    matches!(kind::of(arg, &self.bound), Some(Class::Int | Class::Real | Class::Other))
                }
                _ => false,
            };
            if !known && let Some(expanded) = (spec.expand)(&function, plain) {
                return Ok(expanded);
            }
            return Ok(Expr::Function(function));
        }
        match (name.as_str(), plain.len()) {
            ("max" | "min", 2..) if !distinct && function.over.is_none() && function.filter.is_none() => {
                let name = if name == "max" { "scalar_max" } else { "scalar_min" };
                return Ok(call(name, plain));
            }
            ("lag" | "lead", 3) if !is_constant(&plain[2]) => return Ok(with_default(&function, &name, plain)),
            ("char", _) | ("if", _) | ("like", _) | ("glob", _) | ("replace", _) => return Ok(call(&name, plain)),
            _ => {}
        }
        if self.choosing
            && let Some(lenient) = functions::in_condition(&name)
        {
            return Ok(call(lenient, plain));
        }
        Ok(Expr::Function(function))
    }

    /// `x LIKE 'a' OR x LIKE 'b'`, also with NOT and AND, over an expression that is more than a column: it is planned
    /// and evaluated once. LIKEs over a column are unchanged, because tables use them.
    fn likes_together(&self, terms: Vec<Expr>, op: &BinaryOperator, scope: &Scope<'_>) -> Vec<Expr> {
        if terms.len() < MANY_LIKES {
            return terms;
        }
        let negated = *op == BinaryOperator::And;
        let keys: Vec<Option<String>> = terms.iter().map(|term| self.like_subject(term, negated, scope)).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for key in keys.iter().flatten() {
            *counts.entry(key).or_default() += 1;
        }
        let mut calls: HashMap<&str, usize> = HashMap::new();
        let mut out: Vec<Expr> = Vec::with_capacity(terms.len());
        for (term, key) in terms.into_iter().zip(&keys) {
            let Some(key) = key.as_deref().filter(|key| counts[key] >= MANY_LIKES) else {
                out.push(term);
                continue;
            };
            let (Some((subject, pattern)), place) = (like_parts(term, negated), calls.get(key)) else { continue };
            match place.and_then(|&at| out.get_mut(at)) {
                Some(Expr::Function(function)) => {
                    if let FunctionArguments::List(list) = &mut function.args {
                        list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(pattern)));
                    }
                }
                _ => {
                    calls.insert(key, out.len());
                    out.push(call("like_any", vec![subject, pattern]));
                }
            }
        }
        for &at in calls.values() {
            let matched = call("truth", vec![take(&mut out[at])]);
            out[at] = negate(negated, matched);
        }
        out
    }

    /// The operand of a LIKE with a plain pattern, or of its negation: the text of an expression that is more than a
    /// column.
    fn like_subject(&self, term: &Expr, negated: bool, scope: &Scope<'_>) -> Option<String> {
        let (subject, pattern) = match unwrapped(term) {
            Expr::Like { negated: own, any: false, expr, pattern, escape_char: None } if *own == negated => {
                (expr, pattern)
            }
            Expr::UnaryOp { op: UnaryOperator::Not, expr } if negated => match unwrapped(expr) {
                Expr::Like { negated: false, any: false, expr, pattern, escape_char: None } => (expr, pattern),
                _ => return None,
            },
            _ => return None,
        };
        if !is_text_literal(pattern) {
            return None;
        }
        let costs =
            |expr: &Expr| matches!(unwrapped(expr), Expr::Function(_) | Expr::BinaryOp { .. } | Expr::Case { .. });
        let subject = unwrapped(subject);
        let worth = match subject {
            Expr::Identifier(ident) => self.is_alias_of(&ident.value, scope, costs),
            other => costs(other),
        };
        worth.then(|| subject.to_string())
    }

    /// A term of ORDER BY inside a function or window.
    pub(crate) fn order_term(&mut self, expr: &mut Expr, scope: &Scope<'_>) -> Result<()> {
        self.value(expr, scope)?;
        sort_key(expr);
        Ok(())
    }
}

/// `lag` and `lead` with a default that is not a constant, which DataFusion does not support: the default is used if
/// there is no such row.
fn with_default(function: &Function, name: &str, mut args: Vec<Expr>) -> Expr {
    let default = args.pop().unwrap_or_else(|| value(Value::Null));
    let mut of_one = args.clone();
    of_one[0] = number("1");
    let there = aggregate_call(function, name, of_one);
    let found = aggregate_call(function, name, args);
    call("iif", vec![Expr::IsNull(Box::new(there)), default, found])
}

/// `x COLLATE name` as a sort key is the key of the collation.
pub(crate) fn sort_key(expr: &mut Expr) {
    if let Expr::Function(function) = expr
        && function.name.to_string() == "collate"
    {
        *function = match call("collation_key", arguments(function)) {
            Expr::Function(function) => function,
            _ => return,
        };
    }
}

/// Whether SQLite or osquery has a function with this name.
fn is_ours(name: &str) -> bool {
    matches!(name, "max" | "min" | "count" | "first_value" | "last_value" | "nth_value" | "lag" | "lead" | "ntile")
        || functions::SCALARS.iter().any(|spec| spec.is_called(name))
        || functions::aggregates().iter().any(|spec| spec.is_called(name))
}

/// A comparison as 0 or 1.
pub(crate) fn as_value(expr: Expr) -> Expr {
    match expr {
        Expr::Value(literal) => match literal.value {
            Value::Boolean(truth) => number(if truth { "1" } else { "0" }),
            _ => Expr::Value(literal),
        },
        Expr::Exists { subquery, negated } => match exists_value(&subquery, negated) {
            Some(counted) => bool_to_int(counted),
            None => bool_to_int(Expr::Exists { subquery, negated }),
        },
        expr if is_boolean(&expr) => bool_to_int(expr),
        expr => expr,
    }
}

fn as_truth(expr: Expr, bound: &Bindings) -> Expr {
    if is_boolean(&expr) {
        return expr;
    }
    if let Some(number) = integer(&expr) {
        return value(Value::Boolean(number != 0));
    }
    match kind::of(&expr, bound) {
        Some(Class::Bool) => expr,
        Some(Class::Int) if !matches!(expr, Expr::Value(_)) => binary(expr, BinaryOperator::NotEq, number("0")),
        _ => call("truth", vec![expr]),
    }
}

fn is_text_literal(expr: &Expr) -> bool {
    matches!(unwrapped(expr), Expr::Value(literal) if matches!(literal.value, Value::SingleQuotedString(_)))
}

fn is_plain_values(query: &Query) -> bool {
    query.with.is_none()
        && query.limit_clause.is_none()
        && matches!(query.body.as_ref(), SetExpr::Values(values) if values.rows.iter().all(|row| row.content.len() == 1))
}

/// A number that may be negative.
fn signed_number(text: &str) -> Expr {
    match text.strip_prefix('-') {
        Some(text) => Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number(text)) },
        None => number(text),
    }
}

/// EXISTS whose value is used becomes a count, which DataFusion can plan anywhere.
fn exists_value(subquery: &Query, negated: bool) -> Option<Expr> {
    let SetExpr::Select(select) = subquery.body.as_ref() else { return None };
    let plain = subquery.limit_clause.is_none()
        && subquery.with.is_none()
        && !group::is_grouped(select)
        && !group::is_aggregated(select)
        && select.having.is_none()
        && select.qualify.is_none();
    if !plain {
        return None;
    }
    let mut counted = subquery.clone();
    if let SetExpr::Select(select) = counted.body.as_mut() {
        select.distinct = None;
        // A distinct name: the SELECT around it may count, too.
        let alias = exact("__exists", sqlparser::tokenizer::Span::empty());
        select.projection = vec![SelectItem::ExprWithAlias { expr: call("count", vec![number("1")]), alias }];
    }
    let op = if negated { BinaryOperator::Eq } else { BinaryOperator::Gt };
    Some(binary(Expr::Subquery(Box::new(counted)), op, number("0")))
}

fn balanced(mut terms: Vec<Expr>, op: &BinaryOperator) -> Expr {
    if terms.len() <= 8 {
        let mut terms = terms.into_iter();
        let first = terms.next().unwrap_or_else(|| value(Value::Boolean(true)));
        return terms.fold(first, |left, right| binary(left, op.clone(), grouped(right, op)));
    }
    let right = terms.split_off(terms.len() / 2);
    let left = balanced(terms, op);
    let right = balanced(right, op);
    binary(left, op.clone(), Expr::Nested(Box::new(right)))
}

/// A COLLATE anywhere in an operand applies to the comparison.
fn spread_collation(expr: &mut Expr) {
    if let Some(collation) = spreading_collation(expr) {
        *expr = Expr::Collate { expr: Box::new(take(expr)), collation };
    }
}

fn spreading_collation(expr: &Expr) -> Option<ObjectName> {
    if matches!(unwrapped(expr), Expr::Collate { .. }) { None } else { collation_within(expr) }
}

/// A rewritten expression with its collation.
fn collated(expr: Expr, collation: &ObjectName) -> Result<Expr> {
    let name = collation.to_string().trim_matches(['"', '\'', '`']).to_ascii_lowercase();
    if Collation::named(&name).is_none() {
        let span = collation.0.first().and_then(|part| part.as_ident()).map(|ident| ident.span);
        let message = format!("no such collation sequence: {collation}");
        return Err(DialectError::new(message, span.unwrap_or(sqlparser::tokenizer::Span::empty())));
    }
    Ok(call("collate", vec![expr, string(name)]))
}

/// The first COLLATE in an expression, ignoring subqueries.
fn collation_within(expr: &Expr) -> Option<ObjectName> {
    match expr {
        Expr::Collate { collation, .. } => Some(collation.clone()),
        Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::Trim { expr: inner, .. }
        | Expr::Substring { expr: inner, .. }
        | Expr::InSubquery { expr: inner, .. } => collation_within(inner),
        Expr::BinaryOp { left, right, .. }
        | Expr::IsDistinctFrom(left, right)
        | Expr::IsNotDistinctFrom(left, right)
        | Expr::Like { expr: left, pattern: right, .. } => collation_within(left).or_else(|| collation_within(right)),
        Expr::Between { expr, low, high, .. } => [expr, low, high].into_iter().find_map(|part| collation_within(part)),
        Expr::InList { expr, list, .. } => collation_within(expr).or_else(|| list.iter().find_map(collation_within)),
        Expr::Case { operand, conditions, else_result, .. } => {
            let parts = conditions.iter().flat_map(|when| [&when.condition, &when.result]);
            operand.as_deref().into_iter().chain(parts).chain(else_result.as_deref()).find_map(collation_within)
        }
        Expr::Function(function) => match &function.args {
            FunctionArguments::List(list) => list.args.iter().find_map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => collation_within(expr),
                _ => None,
            }),
            _ => None,
        },
        _ => None,
    }
}

/// Functions that require a window.
const NEED_WINDOW: &[&str] = &["row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead"];

/// Functions that put values into JSON, and accept JSON as it is.
const JSON_MAKERS: &[&str] = &[
    "json_array",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_object",
    "json_quote",
    "json_replace",
    "json_set",
];

/// Why an expression is JSON rather than text.
#[derive(Clone, Copy)]
enum GivesJson {
    Always,
    /// `json_extract` returns strings and numbers of JSON as values.
    Extracted,
}

/// Whether SQLite knows that an expression returns JSON.
fn gives_json(expr: &Expr) -> Option<GivesJson> {
    match unwrapped(expr) {
        Expr::BinaryOp { op: BinaryOperator::Arrow, .. } => Some(GivesJson::Always),
        Expr::Function(function) => match function.name.to_string().to_ascii_lowercase().as_str() {
            "json_extract" if arguments(function).len() == 2 => Some(GivesJson::Extracted),
            "json" | "json_array" | "json_extract" | "json_group_array" | "json_group_object" | "json_insert"
            | "json_object" | "json_patch" | "json_quote" | "json_remove" | "json_replace" | "json_set" => {
                Some(GivesJson::Always)
            }
            _ => None,
        },
        _ => None,
    }
}

/// JSON is put into JSON as bytes, which text never is.
fn as_json(expr: Expr, json: GivesJson) -> Expr {
    let inner = match (json, expr) {
        (GivesJson::Extracted, Expr::Function(function)) => call("json_arrow", arguments(&function)),
        (_, expr) => expr,
    };
    call("as_blob", vec![inner])
}

/// From this number of WHENs, DataFusion must not look into a CASE: a comparison with it becomes an OR in which each
/// WHEN states that no earlier one holds.
const MANY_WHENS: usize = 60;

/// The number of LIKEs over one expression that become one call.
const MANY_LIKES: usize = 3;

fn like_parts(term: Expr, negated: bool) -> Option<(Expr, Expr)> {
    match term {
        Expr::Nested(inner) => like_parts(*inner, negated),
        Expr::UnaryOp { expr, .. } if negated => like_parts(*expr, negated),
        Expr::Like { expr, pattern, .. } => Some((*expr, *pattern)),
        _ => None,
    }
}

/// Parentheses, if the text would otherwise parse differently.
fn grouped(expr: Expr, op: &BinaryOperator) -> Expr {
    match &expr {
        Expr::BinaryOp { op: own, .. } if matches!(own, BinaryOperator::And | BinaryOperator::Or) && own != op => {
            Expr::Nested(Box::new(expr))
        }
        _ => expr,
    }
}

/// Row values compare part by part.
fn rows(left: &Expr, op: &BinaryOperator, right: &Expr) -> Expr {
    let (Expr::Tuple(left), Expr::Tuple(right)) = (unwrapped(left), unwrapped(right)) else {
        return binary(left.clone(), op.clone(), right.clone());
    };
    let nested = |expr: Expr| Expr::Nested(Box::new(expr));
    let all = |op: BinaryOperator| {
        let pairs = left.iter().zip(right).map(|(l, r)| binary(l.clone(), op.clone(), r.clone())).collect();
        balanced(pairs, &BinaryOperator::And)
    };
    match op {
        BinaryOperator::Eq | BinaryOperator::NotEq => negate(*op == BinaryOperator::NotEq, all(BinaryOperator::Eq)),
        BinaryOperator::Custom(name) => negate(name == "IS NOT", all(BinaryOperator::Custom("IS".to_owned()))),
        _ => {
            let strict = match op {
                BinaryOperator::LtEq => BinaryOperator::Lt,
                BinaryOperator::GtEq => BinaryOperator::Gt,
                other => other.clone(),
            };
            let mut answer: Option<Expr> = None;
            for (l, r) in left.iter().zip(right).rev() {
                answer = Some(match answer {
                    None => binary(l.clone(), op.clone(), r.clone()),
                    Some(rest) => {
                        let equal = binary(l.clone(), BinaryOperator::Eq, r.clone());
                        let then = nested(binary(equal, BinaryOperator::And, rest));
                        nested(binary(binary(l.clone(), strict.clone(), r.clone()), BinaryOperator::Or, then))
                    }
                });
            }
            answer.unwrap_or_else(|| value(Value::Boolean(true)))
        }
    }
}

fn literal(mut literal: sqlparser::ast::ValueWithSpan) -> sqlparser::ast::ValueWithSpan {
    match &literal.value {
        Value::Number(text, long) => {
            let plain = plain_number(text);
            literal.value = Value::Number(plain, *long);
        }
        Value::DoubleQuotedString(text) => literal.value = Value::SingleQuotedString(text.clone()),
        // `0x1F` is an integer, `x'1F'` are bytes: the quotes make the length differ.
        Value::HexStringLiteral(digits) => {
            let span = literal.span;
            let width = span.end.column.saturating_sub(span.start.column) as usize;
            if width == digits.len() + 2 {
                let number = u64::from_str_radix(digits, 16).unwrap_or(0) as i64;
                literal.value = Value::Number(number.to_string(), false);
            }
        }
        _ => {}
    }
    literal
}

/// A number beyond 64 bits is a real.
fn plain_number(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<i64>().is_err() {
        return match text.parse::<f64>() {
            Ok(number) => format!("{number:e}"),
            Err(_) => text.to_owned(),
        };
    }
    text.to_owned()
}

/// A LIKE pattern in Arrow's form, which escapes with a backslash; `None` if it cannot match anything.
fn arrow_pattern(pattern: &str, escape: Option<char>) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            let next = chars.next()?;
            if matches!(next, '%' | '_' | '\\') {
                out.push('\\');
            }
            out.push(next);
        } else if c == '\\' {
            out.push_str("\\\\");
        } else {
            out.push(c);
        }
    }
    Some(out)
}
