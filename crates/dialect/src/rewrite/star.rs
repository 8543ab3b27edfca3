//! `*` in a SELECT list, also in DataFusion's own SQL: hidden columns stay out.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use sqlparser::ast::{
    ExcludeSelectItem, JoinConstraint, ObjectName, ObjectNamePart, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TableWithJoins, VisitorMut, WildcardAdditionalOptions, With,
};
use sqlparser::tokenizer::Span;

use super::{
    bind::{Column, ColumnId, Relation, Scope},
    rewriter::{Cte, Rewriter},
    select::{ItemName, constraint_of, lowered, relation_of},
};
use crate::{
    build::exact,
    names::Names,
    walk::{visit_mut, visit_query_mut},
};

impl Rewriter<'_> {
    /// Expands `*` if there are hidden columns, or always. In DataFusion's own SQL (`plain`), USING and NATURAL are left
    /// to DataFusion, and tables of different schemas may have one name.
    pub(crate) fn expand(
        &mut self,
        select: &mut Select,
        names: Vec<ItemName>,
        scope: &Scope<'_>,
        always: bool,
        plain: bool,
    ) -> Vec<ItemName> {
        let columns = self.bound.relations(scope).filter_map(|relation| relation.columns.as_ref()).flatten();
        let hidden: Vec<&str> = columns.filter(|column| column.hidden).map(|column| &*column.name).collect();
        if (!always && hidden.is_empty()) || !select.projection.iter().any(is_wildcard) {
            return names;
        }
        let except = exclude(&hidden);
        let knows_all = self.bound.relations(scope).all(|relation| relation.columns.is_some());
        let is_plain_join = !plain && knows_all || !select.from.iter().any(joins_by_name);
        let shares_name = |number: &usize| {
            let name = &self.bound.relation(*number).name;
            plain && self.bound.relations(scope).filter(|other| other.name == *name).count() > 1
        };
        let shared: Vec<usize> = scope.relations.iter().copied().filter(shares_name).collect();
        let mut projection = Vec::new();
        let mut expanded = Vec::new();
        for (item, name) in std::mem::take(&mut select.projection).into_iter().zip(names) {
            let is_wanted = |relation: &Relation| match &item {
                SelectItem::Wildcard(options) => is_untouched(options),
                SelectItem::QualifiedWildcard(kind, options) => is_untouched(options) && is_of(kind, relation),
                _ => false,
            };
            let numbers: Vec<usize> =
                scope.relations.iter().copied().filter(|number| is_wanted(self.bound.relation(*number))).collect();
            let relations = || numbers.iter().map(|number| self.bound.relation(*number));
            let knows = relations().all(|relation| relation.columns.is_some());
            let is_bare = matches!(item, SelectItem::Wildcard(_));
            if numbers.is_empty() || !knows && (except.is_none() || !is_bare) {
                projection.push(item);
                expanded.push(name);
                continue;
            }
            let excluding = |except| WildcardAdditionalOptions { opt_exclude: except, ..Default::default() };
            let nameless = relations().any(|relation| !knows && relation.name.is_empty());
            if is_bare && (!is_plain_join || nameless) {
                projection.push(SelectItem::Wildcard(excluding(except.clone())));
                expanded.push(name);
                continue;
            }
            let has =
                |relation: &Relation, name: &str| relation.column(name).is_some_and(|own| !own.hidden && !own.yields);
            let is_shown = |column: &Column| {
                let yields = column.yields && relations().any(|other| has(other, &column.name));
                !(column.hidden || yields || (is_bare && column.merged))
            };
            let mut shown: Vec<Result<ColumnId, Box<SelectItem>>> = Vec::new();
            for &number in &numbers {
                let relation = self.bound.relation(number);
                match &relation.columns {
                    Some(columns) if !shared.contains(&number) => {
                        let own = columns.iter().enumerate().filter(|(_, column)| is_shown(column));
                        shown.extend(own.map(|(place, _)| Ok(ColumnId { relation: number, place })));
                    }
                    columns => {
                        let hidden = columns.iter().flatten().filter(|column| column.hidden);
                        let hidden: Vec<&str> = hidden.map(|column| &*column.name).collect();
                        shown.push(Err(Box::new(all_of(relation, excluding(exclude(&hidden))))));
                    }
                }
            }
            for one in shown {
                let (item, name) = match one {
                    Ok(id) => (self.bound.qualified(id).map(SelectItem::UnnamedExpr), ItemName::Star),
                    Err(all) => (Some(*all), ItemName::Own),
                };
                expanded.extend(item.is_some().then_some(name));
                projection.extend(item);
            }
        }
        select.projection = projection;
        expanded
    }

    /// The relations of FROM in DataFusion's own SQL.
    fn plain_from(&mut self, from: &TableWithJoins, scope: &mut Scope<'_>) {
        for factor in std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)) {
            let (name, mut columns) = match factor {
                TableFactor::NestedJoin { table_with_joins, alias: None } => {
                    self.plain_from(table_with_joins, scope);
                    continue;
                }
                TableFactor::Table { name, args: None, .. } => {
                    let columns = if self.cte(name).is_some() { None } else { self.table_columns(&mut name.clone()) };
                    (name.0.last().and_then(ObjectNamePart::as_ident).map(lowered), columns)
                }
                _ => (None, None),
            };
            let alias = match factor {
                TableFactor::Table { alias, .. }
                | TableFactor::Derived { alias, .. }
                | TableFactor::Function { alias, .. } => alias.as_ref().map(|alias| lowered(&alias.name)),
                _ => None,
            };
            columns.iter_mut().flatten().for_each(|column| column.yields = false);
            let mut relation = Relation::new(alias.or(name).unwrap_or_default(), columns);
            if let TableFactor::Table { name, alias, .. } = factor {
                relation = relation.at(name, alias.as_ref());
            }
            self.add_relation(scope, relation);
        }
    }
}

/// Makes `*` omit hidden columns in DataFusion's own SQL.
pub(super) fn in_plain_sql(statement: &mut Statement, names: &dyn Names) {
    match statement {
        Statement::Statement(statement) => {
            let mut stars = Stars { rewriter: Rewriter::new(names, Vec::new(), false), open: Vec::new() };
            let _ = visit_mut(statement, &mut stars);
        }
        Statement::Explain(explain) => in_plain_sql(&mut explain.statement, names),
        _ => {}
    }
}

struct Stars<'n> {
    rewriter: Rewriter<'n>,
    /// For each query that is being visited: its WITH, and the number of names in scope before it.
    open: Vec<(Option<With>, usize)>,
}

impl VisitorMut for Stars<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let before = self.rewriter.ctes.len();
        // Otherwise the visitor would visit the WITH with all its names in scope.
        let mut with = query.with.take();
        if let Some(With { recursive, cte_tables, .. }) = &mut with {
            cte_tables.iter_mut().try_for_each(|cte| self.in_cte(*recursive, cte))?;
        }
        self.open.push((with, before));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some((with, before)) = self.open.pop() {
            query.with = with;
            self.rewriter.ctes.truncate(before);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if select.projection.iter().any(is_wildcard) {
            let mut scope = self.rewriter.scope(None);
            for from in &select.from {
                self.rewriter.plain_from(from, &mut scope);
            }
            let names = vec![ItemName::Own; select.projection.len()];
            self.rewriter.expand(select, names, &scope, false, true);
        }
        ControlFlow::Continue(())
    }
}

impl Stars<'_> {
    /// Only a recursive definition sees its own name. In any other, the name still refers to the table.
    fn in_cte(&mut self, recursive: bool, cte: &mut sqlparser::ast::Cte) -> ControlFlow<()> {
        let name = cte.alias.name.value.to_lowercase();
        let known = Cte { given: name.clone(), name, columns: None, open: false };
        let names_itself = recursive && matches!(*cte.query.body, SetExpr::SetOperation { .. });
        let (before, after) = if names_itself { (Some(known), None) } else { (None, Some(known)) };
        self.rewriter.ctes.extend(before);
        visit_query_mut(&mut cte.query, self)?;
        self.rewriter.ctes.extend(after);
        ControlFlow::Continue(())
    }
}

fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

/// Whether the columns of `kind.*` are those of a relation.
fn is_of(kind: &SelectItemQualifiedWildcardKind, relation: &Relation) -> bool {
    match (kind, &relation.path) {
        (SelectItemQualifiedWildcardKind::ObjectName(name), Some(path)) if name.0.len() == path.0.len() => {
            name.to_string().eq_ignore_ascii_case(&path.to_string())
        }
        _ => relation_of(kind).is_some_and(|name| relation.is_called(name)),
    }
}

/// `relation.*`
fn all_of(relation: &Relation, options: WildcardAdditionalOptions) -> SelectItem {
    let short = || ObjectName::from(vec![exact(relation.name.clone(), Span::empty())]);
    let name = relation.path.clone().unwrap_or_else(short);
    SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
}

fn is_untouched(options: &WildcardAdditionalOptions) -> bool {
    options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_ilike.is_none()
}

fn exclude(hidden: &[&str]) -> Option<ExcludeSelectItem> {
    let mut names = hidden.to_vec();
    names.sort_unstable();
    names.dedup();
    let names: Vec<_> = names.into_iter().map(|name| ObjectName::from(vec![exact(name, Span::empty())])).collect();
    (!names.is_empty()).then_some(ExcludeSelectItem::Multiple(names))
}

/// Whether an item of FROM joins by names of columns.
fn joins_by_name(from: &TableWithJoins) -> bool {
    from.joins.iter().any(|join| {
        matches!(constraint_of(&join.join_operator), Some(JoinConstraint::Using(_) | JoinConstraint::Natural))
    })
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;

    use crate::{Dialect, NamedColumn, Names, parse, rewrite};

    /// A table with a hidden column, in any schema.
    struct Users;

    impl Names for Users {
        fn columns(&self, table: &str) -> Option<Vec<NamedColumn>> {
            let hidden = NamedColumn { hidden: true, ..NamedColumn::new("root", DataType::Utf8View) };
            (table.rsplit('.').next() == Some("users")).then(|| vec![NamedColumn::new("uid", DataType::Int64), hidden])
        }
    }

    fn expanded(sql: &str) -> String {
        let parsed = parse(sql, Dialect::DataFusion).expect("the statement parses").remove(0);
        rewrite(parsed, &Users).expect("it is rewritten").statement.to_string()
    }

    #[test]
    fn a_cte_hides_the_table_of_its_name() {
        for unchanged in [
            "WITH users AS (SELECT 1 AS a) SELECT * FROM users",
            "WITH USERS AS (SELECT 1 AS a) SELECT u.* FROM Users AS u",
            "WITH users AS (SELECT 1 AS a) SELECT * FROM (SELECT * FROM users) AS u WHERE a IN (SELECT * FROM users)",
            "WITH users AS (SELECT 1 AS a), b AS (SELECT * FROM users) SELECT * FROM b UNION ALL SELECT * FROM users",
            "WITH users AS (SELECT 1 AS a) SELECT * FROM (WITH b AS (SELECT * FROM users) SELECT * FROM b) AS c",
            "WITH RECURSIVE users AS (SELECT 1 AS a UNION ALL SELECT * FROM users WHERE a < 3) SELECT * FROM users",
            "SELECT * EXCLUDE (uid) FROM users",
        ] {
            assert_eq!(expanded(unchanged), unchanged);
        }
    }

    #[test]
    fn outside_the_reach_of_a_cte_its_name_is_the_table() {
        let (star, no_root) = (r#""users"."uid""#, r#" EXCLUDE ("root")"#);
        for (sql, expected) in [
            ("SELECT * FROM USERS", format!("SELECT {star} FROM USERS")),
            ("EXPLAIN SELECT u.* FROM users AS u", r#"EXPLAIN SELECT "u"."uid" FROM users AS u"#.to_owned()),
            (
                "WITH users AS (SELECT * FROM users WHERE uid = 0) SELECT * FROM users",
                format!("WITH users AS (SELECT {star} FROM users WHERE uid = 0) SELECT * FROM users"),
            ),
            (
                "SELECT * FROM (WITH users AS (SELECT 1 AS a) SELECT * FROM users) AS c, users",
                format!(r#"SELECT "c".*, {star} FROM (WITH users AS (SELECT 1 AS a) SELECT * FROM users) AS c, users"#),
            ),
            (
                "WITH b AS (SELECT * FROM users), users AS (SELECT 1 AS a) SELECT * FROM b, users",
                format!("WITH b AS (SELECT {star} FROM users), users AS (SELECT 1 AS a) SELECT * FROM b, users"),
            ),
            (
                "WITH RECURSIVE users AS (SELECT * FROM users) SELECT * FROM users",
                format!("WITH RECURSIVE users AS (SELECT {star} FROM users) SELECT * FROM users"),
            ),
            (
                "SELECT * FROM users JOIN b USING (uid)",
                r#"SELECT * EXCLUDE ("root") FROM users JOIN b USING(uid)"#.to_owned(),
            ),
            ("SELECT * FROM a.b, users", format!("SELECT a.b.*, {star} FROM a.b, users")),
            ("SELECT a.b.*, users.* FROM a.b, users", format!("SELECT a.b.*, {star} FROM a.b, users")),
            ("SELECT * FROM a.users", format!("SELECT {star} FROM a.users")),
            (
                "SELECT *, b.users.* FROM a.users, b.users, c.d",
                format!(
                    "SELECT a.users.*{no_root}, b.users.*{no_root}, c.d.*, b.users.*{no_root} FROM a.users, b.users, c.d"
                ),
            ),
        ] {
            assert_eq!(expanded(sql), expected, "{sql}");
        }
    }
}
