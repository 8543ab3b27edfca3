//! One SELECT: its relations, its aliases, its columns.

use sqlparser::{
    ast::{
        self, AccessExpr, Distinct, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName,
        ObjectNamePart, OrderByExpr, Select, SelectItem, SelectItemQualifiedWildcardKind, TableAlias, TableFactor,
        TableWithJoins,
    },
    tokenizer::Span,
};

use super::{
    bind::{Bindings, Bound, Column, Output, Relation, Scope, is_main, named},
    error::{DialectError, Result},
    expr::sort_key,
    group::{self, is_constant},
    kind,
    ordered::PLACE,
    ordinal::check_ordinal,
    rewriter::Rewriter,
    window::named_windows,
};
use crate::{
    build::{self, arguments, exact, integer, literal_text, number, take, unwrapped},
    class::Class,
    names::{NamedColumn, distinct},
    walk::any_expr,
};

impl Rewriter<'_> {
    pub(crate) fn select(
        &mut self,
        select: &mut Select,
        order: Option<&mut Vec<OrderByExpr>>,
        outer: Option<&Scope<'_>>,
    ) -> Result<Option<Vec<Output>>> {
        let items = std::mem::take(&mut self.items);
        let choosing = std::mem::take(&mut self.choosing);
        // The names of the user's own items, before any rewriting.
        let names = item_names(select, &items);
        self.keep_order(select);
        let mut scope = self.scope(outer);
        scope.windows = named_windows(select)?;
        scope.aliases = select
            .projection
            .iter()
            .filter_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } => Some((alias.value.clone(), expr.clone())),
                _ => None,
            })
            .collect();
        self.from(select, &mut scope)?;
        let mut no_order = Vec::new();
        let order = order.unwrap_or(&mut no_order);
        let grouping = group::is_grouped(select) || group::is_aggregated(select);
        let sorts_by_collation = order.iter().any(|term| matches!(unwrapped(&term.expr), Expr::Collate { .. }));
        self.name_relations(select, &scope);
        let names = self.expand(
            select,
            names,
            &scope,
            self.apart
                || sorts_by_collation
                || grouping
                || outer.is_some()
                || items.is_empty()
                || select.projection.len() > 1
                || !scope.merged.is_empty(),
            false,
        );
        let ordinals: Vec<Option<Expr>> = select
            .projection
            .iter()
            .map(|item| match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr.clone()),
                _ => None,
            })
            .collect();

        // ON and WHERE.
        scope.aliases_visible.set(true);
        for from in &mut select.from {
            for join in &mut from.joins {
                self.join_condition(join, &scope)?;
            }
        }
        if let Some(selection) = &mut select.selection {
            self.choice(selection, &scope)?;
            self.filter_keys(selection);
        }
        // GROUP BY.
        let mut groups = Vec::new();
        if let GroupByExpr::All(modifiers) = &mut select.group_by {
            let modifiers = std::mem::take(modifiers);
            let items = ordinals.iter().flatten();
            let divides = |item: &&Expr| !group::has_aggregate(item) && !group::has_window(item) && !is_constant(item);
            select.group_by = GroupByExpr::Expressions(items.filter(divides).cloned().collect(), modifiers);
        }
        if let GroupByExpr::Expressions(list, _) = &mut select.group_by {
            for expr in list.iter_mut() {
                if let Some(at) = integer(expr) {
                    match usize::try_from(at).ok().and_then(|at| ordinals.get(at.wrapping_sub(1))) {
                        Some(Some(item)) => *expr = item.clone(),
                        Some(None) => {}
                        None => {
                            let span = ast::Spanned::span(expr);
                            let message =
                                format!("GROUP BY term out of range - should be between 1 and {}", ordinals.len());
                            return Err(DialectError::new(message, span));
                        }
                    }
                    scope.aliases_visible.set(false);
                }
                self.value(expr, &scope)?;
                scope.aliases_visible.set(true);
                sort_key(expr);
                groups.extend(group::grouped(expr).map(|expr| group::canonical(expr, &self.bound)));
            }
            // A number would now be an ordinal, and so would an expression that folds to one.
            for expr in list.iter_mut() {
                if integer(expr).is_some() || is_constant(expr) {
                    *expr = build::string("");
                }
            }
            if list.len() > 1 || list.first().is_some_and(|expr| !matches!(expr, Expr::Value(_))) {
                // A constant does not divide a group further.
                let constants = list.iter().filter(|expr| matches!(expr, Expr::Value(_))).count();
                if constants < list.len() {
                    list.retain(|expr| !matches!(expr, Expr::Value(_)));
                }
            }
        }
        scope.grouped.set(true);
        if let Some(having) = &mut select.having {
            self.choice(having, &scope)?;
        }
        scope.grouped.set(false);
        if let Some(qualify) = &mut select.qualify {
            self.truth(qualify, &scope)?;
        }
        // The SELECT list does not see aliases.
        scope.aliases_visible.set(false);
        for item in &mut select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    self.value(expr, &scope)?;
                    // It affects the result only if duplicate rows are removed.
                    if select.distinct.is_none() {
                        strip_collation(expr);
                    }
                }
                _ => {}
            }
        }
        // Each function got its window.
        select.named_window.clear();
        scope.aliases_visible.set(true);
        scope.sorting.set(true);
        for (at, term) in order.iter_mut().enumerate() {
            let is_counted = select
                .projection
                .iter()
                .all(|item| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }));
            check_ordinal(at, &term.expr, is_counted.then_some(ordinals.len()))?;
            if let Expr::Collate { expr: inner, .. } = &mut term.expr
                && let Some(Some(item)) =
                    integer(inner).and_then(|at| usize::try_from(at).ok()).and_then(|at| ordinals.get(at - 1))
            {
                **inner = item.clone();
            }
            self.order_by(&mut term.expr, &scope)?;
        }
        scope.aliases_visible.set(false);

        let outputs: Vec<String> = scope.aliases.iter().map(|(alias, _)| alias.clone()).collect();
        let aggregated = !groups.is_empty()
            || group::is_aggregated(select)
            || order.iter().any(|term| group::has_aggregate(&term.expr));
        self.distinct_order(select, order, &mut groups, aggregated, &outputs);
        if aggregated || !groups.is_empty() {
            bare_columns(select, order, &groups, &outputs, &self.bound, &scope);
        }
        self.choosing = choosing;
        Ok(name_outputs(select, names, &self.bound, &scope, outer.is_none() && !items.is_empty()))
    }

    /// SELECT DISTINCT with an ORDER BY that is not selected: it becomes a GROUP BY of the selected items.
    fn distinct_order(
        &self,
        select: &mut Select,
        order: &[OrderByExpr],
        groups: &mut Vec<Expr>,
        aggregated: bool,
        outputs: &[String],
    ) {
        if !matches!(select.distinct, Some(Distinct::Distinct)) || aggregated || order.is_empty() {
            return;
        }
        let mut selected = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    selected.push((expr.clone(), group::canonical(expr, &self.bound)));
                }
                _ => return,
            }
        }
        let covered = order.iter().all(|term| {
            integer(&term.expr).is_some()
                || matches!(&term.expr, Expr::Identifier(ident) if outputs.contains(&ident.value))
                || selected.iter().any(|(_, own)| *own == group::canonical(&term.expr, &self.bound))
        });
        if covered {
            return;
        }
        select.distinct = None;
        *groups = selected.iter().map(|(_, canonical)| canonical.clone()).collect();
        let list = selected.into_iter().map(|(expr, _)| expr).collect();
        select.group_by = GroupByExpr::Expressions(list, Vec::new());
    }

    fn join_condition(&mut self, join: &mut Join, scope: &Scope<'_>) -> Result<()> {
        if let JoinOperator::CrossJoin(JoinConstraint::On(_) | JoinConstraint::Using(_)) = &join.join_operator {
            let JoinOperator::CrossJoin(constraint) =
                std::mem::replace(&mut join.join_operator, JoinOperator::CrossJoin(JoinConstraint::None))
            else {
                return Ok(());
            };
            join.join_operator = JoinOperator::Inner(constraint);
        }
        match &mut join.join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => {
                if *constraint == JoinConstraint::None {
                    join.join_operator = JoinOperator::CrossJoin(JoinConstraint::None);
                    return Ok(());
                }
                self.constraint(constraint, scope)
            }
            JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint) => {
                if *constraint == JoinConstraint::None {
                    *constraint = JoinConstraint::On(build::value(ast::Value::Boolean(true)));
                }
                self.constraint(constraint, scope)
            }
            JoinOperator::Semi(constraint)
            | JoinOperator::LeftSemi(constraint)
            | JoinOperator::RightSemi(constraint)
            | JoinOperator::Anti(constraint)
            | JoinOperator::LeftAnti(constraint)
            | JoinOperator::RightAnti(constraint) => self.constraint(constraint, scope),
            _ => Ok(()),
        }
    }

    fn constraint(&mut self, constraint: &mut JoinConstraint, scope: &Scope<'_>) -> Result<()> {
        match constraint {
            JoinConstraint::On(condition) => {
                self.choice(condition, scope)?;
                self.filter_keys(condition);
                Ok(())
            }
            JoinConstraint::Using(columns) => {
                self.using(columns, scope);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Marks `number = text` among the conditions joined by AND, so that it stays a join key.
    fn filter_keys(&self, condition: &mut Expr) {
        match condition {
            Expr::Nested(inner) => self.filter_keys(inner),
            Expr::BinaryOp { left, op: ast::BinaryOperator::And, right } => {
                self.filter_keys(left);
                self.filter_keys(right);
            }
            Expr::BinaryOp { left, op: op @ ast::BinaryOperator::Eq, right } => {
                let column = |expr: &Expr| matches!(unwrapped(expr), Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                if column(left) && column(right) {
                    let mixed = matches!(
                        (kind::of(left, &self.bound), kind::of(right, &self.bound)),
                        (Some(Class::Int | Class::Real), Some(Class::Text))
                            | (Some(Class::Text), Some(Class::Int | Class::Real))
                    );
                    if mixed {
                        *op = ast::BinaryOperator::Custom("FILTER =".to_owned());
                    }
                }
            }
            _ => {}
        }
    }

    /// Handles FROM, left to right.
    fn from(&mut self, select: &mut Select, scope: &mut Scope<'_>) -> Result<()> {
        // A comma binds as tightly as JOIN: in `a, b LEFT JOIN c ON c.x = a.x`, the condition may refer to `a`.
        if select.from.len() > 1 && select.from[1..].iter().any(|from| !from.joins.is_empty()) {
            let mut all = std::mem::take(&mut select.from).into_iter();
            if let Some(mut first) = all.next() {
                for next in all {
                    let join_operator = JoinOperator::CrossJoin(JoinConstraint::None);
                    first.joins.push(Join { relation: next.relation, global: false, join_operator });
                    first.joins.extend(next.joins);
                }
                select.from = vec![first];
            }
        }
        for from in &mut select.from {
            self.joined(from, scope)?;
        }
        Ok(())
    }

    fn joined(&mut self, from: &mut TableWithJoins, scope: &mut Scope<'_>) -> Result<()> {
        self.relation(&mut from.relation, scope)?;
        for join in &mut from.joins {
            let before = scope.relations.len();
            self.relation(&mut join.relation, scope)?;
            let constraint = constraint_of(&join.join_operator);
            let names: Vec<String> = match constraint {
                Some(JoinConstraint::Using(columns)) => columns
                    .iter()
                    .filter_map(|column| column.0.last().and_then(ObjectNamePart::as_ident))
                    .map(|ident| ident.value.clone())
                    .collect(),
                Some(JoinConstraint::Natural) => {
                    let (left, right) = scope.relations.split_at(before);
                    let visible = |relations: &[usize]| -> Vec<String> {
                        relations
                            .iter()
                            .filter_map(|number| self.bound.relation(*number).columns.as_ref())
                            .flatten()
                            .filter(|column| !column.hidden && !column.yields)
                            .map(|column| column.name.clone())
                            .collect()
                    };
                    let left = visible(left);
                    let is_left = |name: &String| left.iter().any(|own| own.eq_ignore_ascii_case(name));
                    visible(right).into_iter().filter(is_left).collect()
                }
                _ => Vec::new(),
            };
            let keeps_left = matches!(
                &join.join_operator,
                JoinOperator::Join(_)
                    | JoinOperator::Inner(_)
                    | JoinOperator::CrossJoin(_)
                    | JoinOperator::Left(_)
                    | JoinOperator::LeftOuter(_)
            );
            let by_name = matches!(constraint, Some(JoinConstraint::Using(_) | JoinConstraint::Natural));
            if keeps_left
                && by_name
                && let Some(condition) = self.equal_columns(&names, scope, before)
            {
                set_constraint(&mut join.join_operator, condition);
            }
            for name in names {
                for number in &scope.relations[before..] {
                    for column in self.bound.relation_mut(*number).columns.iter_mut().flatten() {
                        if column.name.eq_ignore_ascii_case(&name) {
                            column.merged = true;
                        }
                    }
                }
                if keeps_left {
                    scope.merged.push(name);
                }
            }
        }
        Ok(())
    }

    fn relation(&mut self, factor: &mut TableFactor, scope: &mut Scope<'_>) -> Result<()> {
        self.named_relation(factor, scope)?;
        let alias = match factor {
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. } => alias,
            _ => return Ok(()),
        };
        // If not all columns are known, the user's names are left to DataFusion.
        if let Some(&number) = scope.relations.last()
            && self.bound.relation(number).columns.is_some()
            && let Some(own) = self.own_name(&self.bound.relation(number).name.clone())
        {
            let name = exact(own.clone(), Span::empty());
            match alias {
                Some(alias) => alias.name = name,
                None => *alias = Some(build::table_alias(name)),
            }
            self.bound.relation_mut(number).name = own;
        }
        Ok(())
    }

    fn named_relation(&mut self, factor: &mut TableFactor, scope: &mut Scope<'_>) -> Result<()> {
        match factor {
            TableFactor::Table { name, alias, args, .. } => {
                let mut from_main = false;
                if let [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(table)] = name.0.as_slice()
                    && is_main(schema)
                    && self.names.columns(&table.value.to_ascii_lowercase()).is_some()
                {
                    name.0.remove(0);
                    from_main = true;
                    self.captured |= self.cte(name).is_some();
                }
                let cte = if from_main { None } else { self.cte(name).cloned() };
                let is_cte = cte.is_some();
                let argument = match args.as_ref().map(|args| args.args.as_slice()) {
                    Some([ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument))]) => literal_text(argument),
                    _ => None,
                };
                let known = folded(name);
                if !is_cte && let Some((own, columns)) = self.schema_relation(&known, argument.as_deref(), alias) {
                    let relation = alias.as_ref().map_or(known, |alias| alias.name.value.to_ascii_lowercase());
                    *factor = own;
                    self.add_relation(scope, Relation::new(relation, Some(columns)));
                    return Ok(());
                }
                if let Some(args) = args {
                    // An item that refers to the items before it is lateral.
                    let mut lateral = false;
                    let may_refer = self.bound.relations(scope).any(|relation| relation.columns.is_none());
                    scope.aliases_visible.set(true);
                    for arg in &mut args.args {
                        if let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) = arg {
                            self.value(expr, scope)?;
                            self.bound.qualify(expr, scope);
                            let refers = |expr: &Expr| match self.bound.of(expr) {
                                Some(Bound::Perhaps) => may_refer,
                                _ => self.bound.reaches(expr, scope),
                            };
                            lateral |= any_expr(expr, &refers);
                        }
                    }
                    scope.aliases_visible.set(false);
                    let known = folded(name);
                    let is_json = known == "json_each" || known == "json_tree";
                    let relation = aliased(known, alias, is_json.then(json_columns));
                    if is_json {
                        *factor = TableFactor::Function {
                            lateral,
                            name: name.clone(),
                            args: std::mem::take(&mut args.args),
                            with_ordinality: false,
                            alias: alias.take(),
                        };
                    }
                    self.add_relation(scope, relation);
                    return Ok(());
                }
                // Also sets the name to the one that DataFusion uses.
                let columns = match &cte {
                    Some(cte) => {
                        if let Some(ObjectNamePart::Identifier(ident)) = name.0.last_mut() {
                            *ident = named(cte.name.clone(), ident);
                        }
                        cte.columns.clone().map(|columns| columns.into_iter().map(visible).collect())
                    }
                    None => self.table_columns(name),
                };
                let own = match name.0.last() {
                    Some(ObjectNamePart::Identifier(ident)) => lowered(ident),
                    _ => folded(name),
                };
                if let Some(cte) = cte
                    && self.apart
                {
                    let name_as_written = || build::table_alias(exact(own.clone(), Span::empty()));
                    alias.get_or_insert_with(name_as_written);
                    *name = vec![exact(cte.given, Span::empty())].into();
                }
                let relation = aliased(own, alias, columns).at(name, alias.as_ref());
                self.add_relation(scope, relation);
                Ok(())
            }
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                let columns = if *lateral {
                    self.query(subquery, Some(scope))?
                } else {
                    // Nested, but sees only the scope around the SELECT.
                    let shield = self.scope(scope.outer);
                    self.query(subquery, Some(&shield))?
                };
                let columns = columns.map(|columns| columns.into_iter().map(visible).collect());
                if alias.is_none() {
                    // Without a name, DataFusion cannot distinguish its columns from those of a subquery that becomes a
                    // join.
                    self.unnamed += 1;
                    let name = exact(format!("subquery {}", self.unnamed), Span::empty());
                    *alias = Some(build::table_alias(name));
                }
                self.add_relation(scope, aliased(String::new(), alias, columns));
                Ok(())
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                self.joined(table_with_joins, scope)?;
                for join in &mut table_with_joins.joins {
                    self.join_condition(join, scope)?;
                }
                Ok(())
            }
            TableFactor::Function { name, alias, .. } => {
                let relation = aliased(name.to_string().to_ascii_lowercase(), alias, None);
                self.add_relation(scope, relation);
                Ok(())
            }
            TableFactor::UNNEST { alias, array_exprs, .. } => {
                for expr in array_exprs {
                    self.value(expr, scope)?;
                }
                self.add_relation(scope, aliased(String::new(), alias, None));
                Ok(())
            }
            _ => {
                self.add_relation(scope, Relation::new(String::new(), None));
                Ok(())
            }
        }
    }

    /// Sets the relation in `relation.*` to its name in DataFusion.
    fn name_relations(&self, select: &mut Select, scope: &Scope<'_>) {
        for item in &mut select.projection {
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
                && let Some(ObjectNamePart::Identifier(ident)) = name.0.last_mut()
                && let Some(relation) = self.bound.relations(scope).find(|relation| relation.is_called(&ident.value))
                && relation.name != lowered(ident)
            {
                *ident = exact(relation.name.clone(), ident.span);
            }
        }
    }

    /// The columns of a table or view; the name is set to that of the catalog.
    pub(super) fn table_columns(&self, name: &mut ObjectName) -> Option<Vec<Column>> {
        let parts: Vec<String> = name
            .0
            .iter()
            .map(|part| match part {
                ObjectNamePart::Identifier(ident) if ident.quote_style.is_some() => ident.value.clone(),
                ObjectNamePart::Identifier(ident) => ident.value.to_ascii_lowercase(),
                other => other.to_string(),
            })
            .collect();
        let known = self.names.columns(&parts.join("."));
        let columns = match known {
            Some(columns) => columns,
            None => {
                // Quoted names match in any case, as in SQLite.
                let lower = parts.join(".").to_ascii_lowercase();
                let columns = self.names.columns(&lower)?;
                for part in &mut name.0 {
                    if let ObjectNamePart::Identifier(ident) = part {
                        ident.value = ident.value.to_ascii_lowercase();
                    }
                }
                columns
            }
        };
        let known = |NamedColumn { name, data_type, hidden, yields, .. }| Column {
            hidden,
            yields,
            ..Column::new(name, data_type.as_ref().map(Class::of))
        };
        Some(columns.into_iter().map(known).collect())
    }

    /// The condition that USING or NATURAL stands for, with each column of the left side from the first relation that
    /// has it. DataFusion's own USING reports a name as ambiguous if several relations on the left have it, and its
    /// NATURAL sees hidden columns. `None` if the condition cannot be expressed.
    fn equal_columns(&mut self, names: &[String], scope: &Scope<'_>, before: usize) -> Option<JoinConstraint> {
        if self.bound.relations(scope).any(|relation| relation.columns.is_none() || relation.name.is_empty()) {
            return None;
        }
        let (left, right) = scope.relations.split_at(before);
        let mut all: Option<Expr> = None;
        for name in names {
            let [left, right] = [left, right].map(|side| self.bound.find_in(side, None, name).map(|(id, _)| id));
            let [left, right] = [self.bound.qualified(left?)?, self.bound.qualified(right?)?];
            let own = build::binary(left, ast::BinaryOperator::Eq, right);
            all = Some(match all {
                Some(before) => build::binary(before, ast::BinaryOperator::And, own),
                None => own,
            });
        }
        // NATURAL without a common name keeps every pair.
        Some(JoinConstraint::On(all.unwrap_or_else(|| build::value(ast::Value::Boolean(true)))))
    }
}

/// The condition of a join that shows the columns of both sides.
pub(super) fn constraint_of(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}

fn set_constraint(operator: &mut JoinOperator, new: JoinConstraint) {
    if let JoinOperator::Join(constraint)
    | JoinOperator::Inner(constraint)
    | JoinOperator::CrossJoin(constraint)
    | JoinOperator::Left(constraint)
    | JoinOperator::LeftOuter(constraint) = operator
    {
        *constraint = new;
    }
}

fn json_columns() -> Vec<Column> {
    [
        ("key", Class::Text),
        ("value", Class::Text),
        ("type", Class::Text),
        ("atom", Class::Text),
        ("id", Class::Int),
        ("parent", Class::Int),
        ("fullkey", Class::Text),
        ("path", Class::Text),
    ]
    .map(|(name, kind)| Column::new(name, Some(kind)))
    .into()
}

fn visible(output: Output) -> Column {
    let Output { name, kind, yields } = output;
    Column { hidden: name == PLACE, yields, ..Column::new(name, kind) }
}

/// A name in lowercase and without quotes.
fn folded(name: &ObjectName) -> String {
    let part = |part: &ObjectNamePart| match part {
        ObjectNamePart::Identifier(ident) => ident.value.to_ascii_lowercase(),
        other => other.to_string().to_ascii_lowercase(),
    };
    name.0.iter().map(part).collect::<Vec<_>>().join(".")
}

/// A name in the case that DataFusion converts it to.
pub(super) fn lowered(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() }
}

fn aliased(name: String, alias: &mut Option<TableAlias>, mut columns: Option<Vec<Column>>) -> Relation {
    let Some(alias) = alias else { return Relation::new(name, columns) };
    let own = alias.name.value.to_ascii_lowercase();
    // Aliases match in any case, so all are written in lowercase.
    alias.name.value.clone_from(&own);
    if alias.name.quote_style.is_some_and(|quote| quote != '"') {
        alias.name.quote_style = Some('"');
    }
    if let Some(columns) = &mut columns {
        for (column, renamed) in columns.iter_mut().zip(&alias.columns) {
            column.name.clone_from(&lowered(&renamed.name));
        }
    } else if !alias.columns.is_empty() {
        columns = Some(alias.columns.iter().map(|column| Column::new(lowered(&column.name), None)).collect());
    }
    Relation::new(own, columns)
}

/// The user's name for each item: its alias, otherwise its text (`None` for a plain column).
#[derive(Clone)]
pub(super) enum ItemName {
    /// The item is a column, or stands for several.
    Own,
    /// It is one of the items that a `*` stands for.
    Star,
    Alias(Ident),
    Text(String),
}

fn item_names(select: &Select, items: &[String]) -> Vec<ItemName> {
    let texts = (items.len() == select.projection.len()).then_some(items);
    select
        .projection
        .iter()
        .enumerate()
        .map(|(at, item)| match item {
            SelectItem::ExprWithAlias { alias, .. } => ItemName::Alias(alias.clone()),
            SelectItem::UnnamedExpr(expr) if is_column(expr) => ItemName::Own,
            SelectItem::UnnamedExpr(expr) => match texts.and_then(|texts| texts.get(at)) {
                Some(text) => ItemName::Text(text.clone()),
                None => ItemName::Text(expr.to_string()),
            },
            _ => ItemName::Own,
        })
        .collect()
}

/// A collation is not visible in a result.
fn strip_collation(expr: &mut Expr) {
    if let Expr::Function(function) = &*expr
        && function.name.to_string() == "collate"
        && let Some(inner) = arguments(function).into_iter().next()
    {
        *expr = inner;
    }
}

fn bare_columns(
    select: &mut Select,
    order: &mut [OrderByExpr],
    groups: &[Expr],
    outputs: &[String],
    bound: &Bindings,
    scope: &Scope<'_>,
) {
    let row = {
        let list = select.projection.iter().filter_map(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
            _ => None,
        });
        group::row(list.chain(select.having.as_ref()).chain(order.iter().map(|term| &term.expr)))
    };
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            group::wrap_bare(expr, groups, &row, &[], bound, scope);
        }
    }
    if let Some(having) = &mut select.having {
        group::wrap_bare(having, groups, &row, &[], bound, scope);
    }
    for term in order {
        if !matches!(term.expr, Expr::Value(_)) {
            group::wrap_bare(&mut term.expr, groups, &row, outputs, bound, scope);
            // A repeated item is referred to by its position.
            let place = select.projection.iter().position(|item| match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => *expr == term.expr,
                _ => false,
            });
            match place {
                Some(place) => term.expr = number((place + 1).to_string()),
                None => group::qualify_arguments(&mut term.expr, bound, scope),
            }
        }
    }
}

/// The relation of `relation.*`.
pub(super) fn relation_of(kind: &SelectItemQualifiedWildcardKind) -> Option<&str> {
    match kind {
        SelectItemQualifiedWildcardKind::ObjectName(name) => Some(&name.0.last()?.as_ident()?.value),
        SelectItemQualifiedWildcardKind::Expr(_) => None,
    }
}

/// Gives each item its name in SQLite; if that is not possible, distinct names.
fn name_outputs(
    select: &mut Select,
    names: Vec<ItemName>,
    bound: &Bindings,
    scope: &Scope<'_>,
    outermost: bool,
) -> Option<Vec<Output>> {
    let mut outputs: Option<Vec<Output>> = Some(Vec::new());
    // The items that are one column each: their names, and their positions among items and outputs.
    let mut shown_names: Vec<String> = Vec::new();
    let mut places: Vec<(usize, usize)> = Vec::new();
    for (at, (item, name)) in select.projection.iter_mut().zip(names).enumerate() {
        let (expr, alias) = match std::mem::replace(item, build::star()) {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias)),
            other => {
                match &other {
                    SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                        let wanted = match &other {
                            SelectItem::QualifiedWildcard(kind, _) => relation_of(kind),
                            _ => None,
                        };
                        for relation in bound.relations(scope) {
                            if wanted.is_some_and(|wanted| !relation.is_called(wanted)) {
                                continue;
                            }
                            match (&mut outputs, &relation.columns) {
                                (Some(outputs), Some(columns)) => {
                                    outputs.extend(columns.iter().filter(|column| !column.merged).map(|column| {
                                        Output { name: column.name.clone(), kind: column.kind, yields: column.yields }
                                    }))
                                }
                                _ => outputs = None,
                            }
                        }
                    }
                    _ => outputs = None,
                }
                *item = other;
                continue;
            }
        };
        let kind = kind::of(&expr, bound);
        let column = column_name(&expr, bound, scope);
        let yields = matches!(name, ItemName::Star)
            && bound.column_of(&expr).and_then(|id| bound.column(id)).is_some_and(|own| own.yields);
        let (shown, needs_alias) = match (&name, column) {
            (ItemName::Alias(alias), _) => (alias.value.clone(), true),
            (ItemName::Own | ItemName::Star, Some(column)) => (column, false),
            (ItemName::Text(text), Some(column)) if text.starts_with(['"', '`', '[']) || *text == column => {
                (column, false)
            }
            (ItemName::Text(text), _) => (text.clone(), true),
            (ItemName::Own | ItemName::Star, None) => (plain_name(&expr, alias.as_ref()), true),
        };
        *item = match (needs_alias, alias) {
            (true, Some(alias)) => SelectItem::ExprWithAlias { expr, alias: exact(shown.clone(), alias.span) },
            (true, None) => SelectItem::ExprWithAlias { expr, alias: exact(shown.clone(), Span::empty()) },
            (false, _) => SelectItem::UnnamedExpr(expr),
        };
        places.push((at, outputs.as_ref().map_or(0, Vec::len)));
        if let Some(outputs) = &mut outputs {
            outputs.push(Output { name: shown.clone(), kind, yields });
        }
        shown_names.push(shown);
    }
    // In SQLite, an outer query finds a column in any case.
    let unique = distinct(&shown_names, !outermost);
    for ((name, (item, output)), shown) in unique.into_iter().zip(places).zip(shown_names) {
        if name == shown {
            continue;
        }
        if let Some(outputs) = &mut outputs {
            outputs[output].name.clone_from(&name);
        }
        let alias = exact(name, Span::empty());
        match &mut select.projection[item] {
            SelectItem::ExprWithAlias { alias: own, .. } => *own = alias,
            item => {
                if let SelectItem::UnnamedExpr(expr) = item {
                    *item = SelectItem::ExprWithAlias { expr: take(expr), alias };
                }
            }
        }
    }
    outputs
}

/// Whether an item is a column, perhaps in parentheses, as in `DISTINCT(name)`.
fn is_column(expr: &Expr) -> bool {
    match unwrapped(expr) {
        Expr::Identifier(ident) => ident.quote_style.is_none(),
        Expr::CompoundIdentifier(_) => true,
        _ => false,
    }
}

/// The exact name of a plain column of this SELECT.
fn column_name(expr: &Expr, bound: &Bindings, scope: &Scope<'_>) -> Option<String> {
    let expr = unwrapped(expr);
    match (bound.of(expr)?, expr) {
        (Bound::Column(id), _) if scope.owns(id) => bound.column(id).map(|own| own.name.clone()),
        (Bound::Perhaps, Expr::Identifier(name)) => Some(lowered(name)),
        (Bound::Perhaps, Expr::CompoundIdentifier(parts)) => parts.last().map(lowered),
        _ => None,
    }
}

/// The name of a wrapped column: its own.
fn plain_name(expr: &Expr, alias: Option<&Ident>) -> String {
    if let Some(alias) = alias {
        return alias.value.clone();
    }
    match expr {
        Expr::Identifier(ident) => ident.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().map(|part| part.value.clone()).unwrap_or_default(),
        Expr::Function(function) if function.name.to_string() == "first_value" => {
            arguments(function).first().map(|inner| plain_name(inner, None)).unwrap_or_default()
        }
        Expr::CompoundFieldAccess { root, access_chain } => match access_chain.last() {
            Some(AccessExpr::Dot(Expr::Identifier(ident))) => ident.value.clone(),
            _ => plain_name(root, None),
        },
        other => other.to_string(),
    }
}
