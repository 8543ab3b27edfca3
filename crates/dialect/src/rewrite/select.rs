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
    error::{DialectError, Result},
    expr::{is_main, sort_key},
    group::{self, is_constant},
    kind,
    ordered::PLACE,
    ordinal::check_ordinal,
    rewriter::Rewriter,
    scope::{Column, Found, Output, Relation, Scope, named, qualify},
    window::named_windows,
};
use crate::{
    build::{self, arguments, exact, integer, literal_text, number, take, unwrapped},
    class::Class,
    names::distinct,
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
        let mut scope = Scope::empty(outer);
        scope.reach = self.ctes.len();
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
        let names = expand(
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
            self.filter_keys(selection, &scope);
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
                groups.extend(group::grouped(expr).map(|expr| group::canonical(expr, &scope)));
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
        self.distinct_order(select, order, &mut groups, aggregated, &outputs, &scope);
        if aggregated || !groups.is_empty() {
            bare_columns(select, order, &groups, &outputs, &scope);
        }
        self.choosing = choosing;
        Ok(name_outputs(select, names, &scope, outer.is_none() && !items.is_empty()))
    }

    /// SELECT DISTINCT with an ORDER BY that is not selected: it becomes a GROUP BY of the selected items.
    fn distinct_order(
        &self,
        select: &mut Select,
        order: &[OrderByExpr],
        groups: &mut Vec<Expr>,
        aggregated: bool,
        outputs: &[String],
        scope: &Scope<'_>,
    ) {
        if !matches!(select.distinct, Some(Distinct::Distinct)) || aggregated || order.is_empty() {
            return;
        }
        let mut selected = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    selected.push((expr.clone(), group::canonical(expr, scope)));
                }
                _ => return,
            }
        }
        let covered = order.iter().all(|term| {
            integer(&term.expr).is_some()
                || matches!(&term.expr, Expr::Identifier(ident) if outputs.contains(&ident.value))
                || selected.iter().any(|(_, own)| *own == group::canonical(&term.expr, scope))
        });
        if covered {
            return;
        }
        select.distinct = None;
        *groups = selected.iter().map(|(_, canonical)| canonical.clone()).collect();
        let list = selected.into_iter().map(|(expr, _)| expr).collect();
        select.group_by = GroupByExpr::Expressions(list, Vec::new());
    }

    /// A term of ORDER BY: a lone alias refers to the column of the result, and an ordinal is unchanged.
    fn order_by(&mut self, expr: &mut Expr, scope: &Scope<'_>) -> Result<()> {
        if integer(expr).is_some() && matches!(expr, Expr::Value(_)) {
            return Ok(());
        }
        if let Expr::Identifier(ident) = &*expr
            && let Some((alias, _)) = scope.aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(&ident.value))
        {
            *expr = Expr::Identifier(exact(alias.clone(), ident.span));
            return Ok(());
        }
        if let Expr::Collate { expr: inner, .. } = &mut *expr
            && let Expr::Identifier(ident) = &**inner
            && let Some(item) = scope.alias(&ident.value)
        {
            **inner = Expr::Nested(Box::new(item.clone()));
        }
        self.order_term(expr, scope)
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
                self.filter_keys(condition, scope);
                Ok(())
            }
            JoinConstraint::Using(columns) => {
                for column in columns {
                    if let [ObjectNamePart::Identifier(ident)] = column.0.as_mut_slice()
                        && let Found::Column { name, .. } = scope.find_here(None, &ident.value)
                    {
                        *ident = named(name, ident);
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Marks `number = text` among the conditions joined by AND, so that it stays a join key.
    fn filter_keys(&self, condition: &mut Expr, scope: &Scope<'_>) {
        match condition {
            Expr::Nested(inner) => self.filter_keys(inner, scope),
            Expr::BinaryOp { left, op: ast::BinaryOperator::And, right } => {
                self.filter_keys(left, scope);
                self.filter_keys(right, scope);
            }
            Expr::BinaryOp { left, op: op @ ast::BinaryOperator::Eq, right } => {
                let column = |expr: &Expr| matches!(unwrapped(expr), Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                if column(left) && column(right) {
                    let mixed = matches!(
                        (kind::of(left, scope), kind::of(right, scope)),
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
            let constraint = match &join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::CrossJoin(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint) => Some(constraint),
                _ => None,
            };
            let names: Vec<String> = match constraint {
                Some(JoinConstraint::Using(columns)) => columns
                    .iter()
                    .filter_map(|column| column.0.last().and_then(ObjectNamePart::as_ident))
                    .map(|ident| ident.value.clone())
                    .collect(),
                Some(JoinConstraint::Natural) => {
                    let (left, right) = scope.relations.split_at(before);
                    let visible = |relations: &[Relation]| -> Vec<String> {
                        relations
                            .iter()
                            .filter_map(|relation| relation.columns.as_ref())
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
                && let Some(condition) = equal_columns(&names, scope, before)
            {
                set_constraint(&mut join.join_operator, condition);
            }
            for name in names {
                for relation in &mut scope.relations[before..] {
                    for column in relation.columns.iter_mut().flatten() {
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
        if let Some(relation) = scope.relations.last_mut().filter(|relation| relation.columns.is_some())
            && let Some(own) = self.own_name(&relation.name)
        {
            let name = exact(own.clone(), Span::empty());
            match alias {
                Some(alias) => alias.name = name,
                None => *alias = Some(build::table_alias(name)),
            }
            relation.name = own;
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
                    scope.relations.push(Relation::new(relation, Some(columns)));
                    return Ok(());
                }
                if let Some(args) = args {
                    // An item that refers to the items before it is lateral.
                    let before = scope.mentioned.replace(false);
                    scope.aliases_visible.set(true);
                    for arg in &mut args.args {
                        if let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) = arg {
                            self.value(expr, scope)?;
                            qualify(expr, scope);
                        }
                    }
                    scope.aliases_visible.set(false);
                    let lateral = scope.mentioned.replace(before);
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
                    scope.relations.push(relation);
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
                scope.relations.push(aliased(own, alias, columns));
                Ok(())
            }
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                let columns = if *lateral {
                    self.query(subquery, Some(scope))?
                } else {
                    // Nested, but sees only the scope around the SELECT.
                    let shield = Scope::empty(scope.outer);
                    let columns = self.query(subquery, Some(&shield))?;
                    scope.correlated.set(scope.correlated.get() || shield.correlated.get());
                    columns
                };
                let columns = columns.map(|columns| columns.into_iter().map(visible).collect());
                if alias.is_none() {
                    // Without a name, DataFusion cannot distinguish its columns from those of a subquery that becomes a
                    // join.
                    self.unnamed += 1;
                    let name = exact(format!("subquery {}", self.unnamed), Span::empty());
                    *alias = Some(build::table_alias(name));
                }
                scope.relations.push(aliased(String::new(), alias, columns));
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
                scope.relations.push(relation);
                Ok(())
            }
            TableFactor::UNNEST { alias, array_exprs, .. } => {
                for expr in array_exprs {
                    self.value(expr, scope)?;
                }
                scope.relations.push(aliased(String::new(), alias, None));
                Ok(())
            }
            _ => {
                scope.relations.push(Relation::new(String::new(), None));
                Ok(())
            }
        }
    }

    /// The columns of a table or view; the name is set to that of the catalog.
    fn table_columns(&mut self, name: &mut ObjectName) -> Option<Vec<Column>> {
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
        Some(
            columns
                .into_iter()
                .map(|column| Column {
                    kind: column.data_type.as_ref().map(Class::of),
                    name: column.name,
                    hidden: column.hidden,
                    yields: column.yields,
                    merged: false,
                })
                .collect(),
        )
    }
}

/// The condition that USING or NATURAL stands for, with each column of the left side from the first relation that has
/// it. DataFusion's own USING reports a name as ambiguous if several relations on the left have it, and its NATURAL
/// sees hidden columns. `None` if the condition cannot be expressed.
fn equal_columns(names: &[String], scope: &Scope<'_>, before: usize) -> Option<JoinConstraint> {
    if scope.relations.iter().any(|relation| relation.columns.is_none() || relation.name.is_empty()) {
        return None;
    }
    let (left, right) = scope.relations.split_at(before);
    let column = |relations: &[Relation], name: &str| {
        let own = relations.iter().filter_map(|relation| Some((relation, relation.column(name)?)));
        let (relation, own) = own.min_by_key(|(_, column)| column.yields)?;
        let parts = [&relation.name, &own.name].map(|part| exact(part.clone(), Span::empty()));
        Some(Expr::CompoundIdentifier(parts.into()))
    };
    let mut all: Option<Expr> = None;
    for name in names {
        let own = build::binary(column(left, name)?, ast::BinaryOperator::Eq, column(right, name)?);
        all = Some(match all {
            Some(before) => build::binary(before, ast::BinaryOperator::And, own),
            None => own,
        });
    }
    // NATURAL without a common name keeps every pair.
    Some(JoinConstraint::On(all.unwrap_or_else(|| build::value(ast::Value::Boolean(true)))))
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
    .map(|(name, kind)| Column { name: name.to_owned(), kind: Some(kind), hidden: false, yields: false, merged: false })
    .into()
}

fn visible(output: Output) -> Column {
    let Output { name, kind, yields } = output;
    Column { hidden: name == PLACE, name, kind, yields, merged: false }
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
fn lowered(ident: &Ident) -> String {
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
        columns = Some(
            alias
                .columns
                .iter()
                .map(|column| Column {
                    name: lowered(&column.name),
                    kind: None,
                    hidden: false,
                    yields: false,
                    merged: false,
                })
                .collect(),
        );
    }
    Relation::new(own, columns)
}

/// The user's name for each item: its alias, otherwise its text (`None` for a plain column).
#[derive(Clone)]
enum ItemName {
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

/// Expands `*` if DataFusion's own expansion would be wrong: hidden columns, groups, names that repeat in a nested
/// query.
fn expand(select: &mut Select, names: Vec<ItemName>, scope: &Scope<'_>, always: bool) -> Vec<ItemName> {
    let hidden =
        scope.relations.iter().filter_map(|relation| relation.columns.as_ref()).flatten().any(|column| column.hidden);
    for item in &mut select.projection {
        if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
            && let Some(ObjectNamePart::Identifier(ident)) = name.0.last_mut()
            && let Some(relation) = scope.relations.iter().find(|relation| relation.is_called(&ident.value))
            && relation.name != lowered(ident)
        {
            *ident = exact(relation.name.clone(), ident.span);
        }
    }
    let has_wildcard = select
        .projection
        .iter()
        .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    if !has_wildcard || !(always || hidden) {
        return names;
    }
    let plain = |options: &ast::WildcardAdditionalOptions| {
        options.opt_exclude.is_none()
            && options.opt_except.is_none()
            && options.opt_replace.is_none()
            && options.opt_rename.is_none()
            && options.opt_ilike.is_none()
    };
    let mut projection = Vec::new();
    let mut expanded = Vec::new();
    for (item, name) in std::mem::take(&mut select.projection).into_iter().zip(names) {
        let wanted: Option<Option<String>> = match &item {
            SelectItem::Wildcard(options) if plain(options) => Some(None),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(relation), options)
                if plain(options) =>
            {
                relation.0.last().and_then(ObjectNamePart::as_ident).map(|ident| Some(ident.value.clone()))
            }
            _ => None,
        };
        let relations: Vec<&Relation> = match &wanted {
            Some(wanted) => scope
                .relations
                .iter()
                .filter(|relation| wanted.as_ref().is_none_or(|wanted| relation.is_called(wanted)))
                .collect(),
            None => Vec::new(),
        };
        if relations.is_empty() || relations.iter().any(|relation| relation.columns.is_none()) {
            projection.push(item);
            expanded.push(name);
            continue;
        }
        let bare_star = wanted == Some(None);
        let has =
            |relation: &&Relation, name: &str| relation.column(name).is_some_and(|own| !own.hidden && !own.yields);
        for relation in &relations {
            for column in relation.columns.iter().flatten() {
                let yields = column.yields && relations.iter().any(|other| has(other, &column.name));
                if column.hidden || yields || (bare_star && column.merged) {
                    continue;
                }
                let span = Span::empty();
                let column = exact(column.name.clone(), span);
                let expr = if relation.name.is_empty() {
                    Expr::Identifier(column)
                } else {
                    Expr::CompoundIdentifier(vec![exact(relation.name.clone(), span), column])
                };
                projection.push(SelectItem::UnnamedExpr(expr));
                expanded.push(ItemName::Star);
            }
        }
    }
    select.projection = projection;
    expanded
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
            group::wrap_bare(expr, groups, &row, &[], scope);
        }
    }
    if let Some(having) = &mut select.having {
        group::wrap_bare(having, groups, &row, &[], scope);
    }
    for term in order {
        if !matches!(term.expr, Expr::Value(_)) {
            group::wrap_bare(&mut term.expr, groups, &row, outputs, scope);
            // A repeated item is referred to by its position.
            let place = select.projection.iter().position(|item| match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => *expr == term.expr,
                _ => false,
            });
            match place {
                Some(place) => term.expr = number((place + 1).to_string()),
                None => group::qualify_arguments(&mut term.expr, scope),
            }
        }
    }
}

/// Gives each item its name in SQLite; if that is not possible, distinct names.
fn name_outputs(select: &mut Select, names: Vec<ItemName>, scope: &Scope<'_>, outermost: bool) -> Option<Vec<Output>> {
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
                            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(relation), _) => {
                                relation.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.value.clone())
                            }
                            _ => None,
                        };
                        for relation in &scope.relations {
                            if wanted.as_ref().is_some_and(|wanted| !relation.is_called(wanted)) {
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
        let kind = kind::of(&expr, scope);
        let column = column_of(&expr, scope);
        let yields = matches!(name, ItemName::Star)
            && column.as_ref().is_some_and(|(relation, name)| {
                let own = scope.relations.iter().find(|known| known.name == *relation);
                own.and_then(|own| own.column(name)).is_some_and(|own| own.yields)
            });
        let (shown, needs_alias) = match (&name, column) {
            (ItemName::Alias(alias), _) => (alias.value.clone(), true),
            (ItemName::Own | ItemName::Star, Some((_, column))) => (column, false),
            (ItemName::Text(text), Some((_, column))) if text.starts_with(['"', '`', '[']) || *text == column => {
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

/// The relation and exact name of a plain column.
fn column_of(expr: &Expr, scope: &Scope<'_>) -> Option<(String, String)> {
    let expr = unwrapped(expr);
    let found = match expr {
        Expr::Identifier(ident) => scope.find(None, &ident.value),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [.., relation, column] => scope.find(Some(&relation.value), &column.value),
            _ => return None,
        },
        _ => return None,
    };
    match (found, expr) {
        (Found::Column { relation, name, .. }, _) => Some((scope.relations.get(relation)?.name.clone(), name)),
        (Found::Perhaps, Expr::Identifier(ident)) => Some((String::new(), lowered(ident))),
        (Found::Perhaps, Expr::CompoundIdentifier(parts)) => {
            let [.., relation, column] = parts.as_slice() else { return None };
            Some((lowered(relation), lowered(column)))
        }
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
