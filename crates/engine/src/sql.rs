//! SQL text: splitting statements, and hidden columns in `*`.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TableWithJoins, VisitorMut, WildcardAdditionalOptions, With,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use indago_dialect::{visit_mut, visit_query_mut};

use crate::diagnostic::offset;

/// One statement of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The statement, without its semicolon.
    pub sql: String,
    /// Where it starts in the text, in bytes.
    pub offset: usize,
}

/// The statements of a text, split at semicolons outside quotes and comments.
pub(crate) fn split(text: &str) -> Vec<Statement> {
    let mut ends = Vec::new();
    if let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).with_unescape(false).tokenize_with_location() {
        for token in tokens {
            if token.token == Token::SemiColon
                && let Some(at) = offset(text, token.span.start.line, token.span.start.column)
            {
                ends.push(at);
            }
        }
    }
    ends.push(text.len());
    let mut statements = Vec::new();
    let mut start = 0;
    for end in ends {
        let piece = &text[start..end];
        let sql = piece.trim();
        if !is_blank(sql) {
            statements
                .push(Statement { sql: sql.to_owned(), offset: start + (piece.len() - piece.trim_start().len()) });
        }
        start = (end + 1).min(text.len());
    }
    statements
}

/// Whether a text has only space and comments.
fn is_blank(sql: &str) -> bool {
    match Tokenizer::new(&GenericDialect {}, sql).tokenize() {
        Ok(tokens) => tokens.iter().all(|token| matches!(token, Token::Whitespace(_))),
        Err(_) => false,
    }
}

/// Whether a text ends with a semicolon outside quotes and comments, so a shell runs it immediately.
pub(crate) fn is_complete(text: &str) -> bool {
    match Tokenizer::new(&GenericDialect {}, text).tokenize() {
        Ok(tokens) => {
            tokens.iter().rev().find(|token| !matches!(token, Token::Whitespace(_))) == Some(&Token::SemiColon)
        }
        // An open quote or comment.
        Err(_) => false,
    }
}

/// Names of columns that `*` omits, by table name.
pub(crate) trait HiddenColumns {
    fn hidden(&self, table: &str) -> Vec<String>;
}

/// Makes `*` omit hidden columns.
pub(crate) fn expand_wildcards(statement: &mut Parsed, columns: &dyn HiddenColumns) {
    if let Some(statement) = inner_mut(statement) {
        let _ = visit_mut(statement, &mut Wildcards { columns, ctes: Vec::new(), open: Vec::new() });
    }
}

/// The SQL statement, also below EXPLAIN; `None` for a statement of DataFusion's own.
pub(crate) fn inner(statement: &Parsed) -> Option<&ast::Statement> {
    match statement {
        Parsed::Statement(statement) => Some(statement),
        Parsed::Explain(explain) => inner(&explain.statement),
        _ => None,
    }
}

/// Like [`inner`].
pub(crate) fn inner_mut(statement: &mut Parsed) -> Option<&mut ast::Statement> {
    match statement {
        Parsed::Statement(statement) => Some(statement),
        Parsed::Explain(explain) => inner_mut(&mut explain.statement),
        _ => None,
    }
}

struct Wildcards<'a> {
    columns: &'a dyn HiddenColumns,
    /// The names of common table expressions in scope. Each hides the table of its name.
    ctes: Vec<String>,
    /// For each query that is being visited: its WITH, and the number of names in scope before it.
    open: Vec<(Option<With>, usize)>,
}

impl VisitorMut for Wildcards<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let before = self.ctes.len();
        // Otherwise the visitor would visit the WITH with all its names in scope.
        let mut with = query.with.take();
        if let Some(with) = &mut with {
            self.in_with(with)?;
        }
        self.open.push((with, before));
        self.in_set(&mut query.body);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some((with, before)) = self.open.pop() {
            query.with = with;
            self.ctes.truncate(before);
        }
        ControlFlow::Continue(())
    }
}

impl Wildcards<'_> {
    /// Only a recursive definition sees its own name. In any other, the name still refers to the table.
    fn in_with(&mut self, with: &mut With) -> ControlFlow<()> {
        for cte in &mut with.cte_tables {
            let name = cte.alias.name.value.to_lowercase();
            let names_itself = with.recursive && matches!(*cte.query.body, SetExpr::SetOperation { .. });
            if names_itself {
                self.ctes.push(name.clone());
            }
            visit_query_mut(&mut cte.query, self)?;
            if !names_itself {
                self.ctes.push(name);
            }
        }
        ControlFlow::Continue(())
    }

    /// The hidden columns of the table that a name in FROM refers to.
    fn hidden(&self, name: &ObjectName) -> Vec<String> {
        match last(name) {
            Some(table) if name.0.len() == 1 && self.ctes.contains(&table) => Vec::new(),
            Some(table) => self.columns.hidden(&table),
            None => Vec::new(),
        }
    }

    fn in_set(&self, set: &mut SetExpr) {
        match set {
            SetExpr::Select(select) => self.in_select(select),
            SetExpr::SetOperation { left, right, .. } => {
                self.in_set(left);
                self.in_set(right);
            }
            _ => {}
        }
    }

    fn in_select(&self, select: &mut Select) {
        let relations: Vec<(ObjectName, Vec<String>)> =
            select.from.iter().flat_map(|from| self.relations(from)).collect();
        if relations.iter().all(|(_, hidden)| hidden.is_empty()) {
            return;
        }
        let is_plain_join = select.from.iter().flat_map(|from| &from.joins).all(|join| {
            !matches!(constraint(&join.join_operator), Some(JoinConstraint::Using(_) | JoinConstraint::Natural))
        });
        let knows_all = relations.iter().all(|(name, _)| !name.0.is_empty());
        let items = std::mem::take(&mut select.projection);
        for item in items {
            match item {
                SelectItem::Wildcard(options) if is_untouched(&options) && is_plain_join && knows_all => {
                    for (name, hidden) in &relations {
                        let kind = SelectItemQualifiedWildcardKind::ObjectName(name.clone());
                        let options = WildcardAdditionalOptions { opt_exclude: exclude(hidden), ..options.clone() };
                        select.projection.push(SelectItem::QualifiedWildcard(kind, options));
                    }
                }
                SelectItem::Wildcard(options) if is_untouched(&options) => {
                    let mut hidden: Vec<String> = relations.iter().flat_map(|(_, hidden)| hidden.clone()).collect();
                    hidden.sort();
                    hidden.dedup();
                    let options = WildcardAdditionalOptions { opt_exclude: exclude(&hidden), ..options };
                    select.projection.push(SelectItem::Wildcard(options));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
                    if is_untouched(&options) =>
                {
                    let same = |(relation, _): &&(ObjectName, Vec<String>)| last(relation) == last(&name);
                    let hidden = relations.iter().find(same).map(|(_, hidden)| hidden.clone()).unwrap_or_default();
                    let options = WildcardAdditionalOptions { opt_exclude: exclude(&hidden), ..options };
                    select.projection.push(SelectItem::QualifiedWildcard(
                        SelectItemQualifiedWildcardKind::ObjectName(name),
                        options,
                    ));
                }
                other => select.projection.push(other),
            }
        }
    }

    fn relations(&self, from: &TableWithJoins) -> Vec<(ObjectName, Vec<String>)> {
        let factors = std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation));
        factors.flat_map(|factor| self.relation(factor)).collect()
    }

    fn relation(&self, factor: &TableFactor) -> Vec<(ObjectName, Vec<String>)> {
        let named = |alias: &Option<datafusion::sql::sqlparser::ast::TableAlias>| match alias {
            Some(alias) => ObjectName::from(vec![alias.name.clone()]),
            None => ObjectName(Vec::new()),
        };
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let visible_as = if alias.is_some() { named(alias) } else { name.clone() };
                vec![(visible_as, self.hidden(name))]
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.relations(table_with_joins),
            TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => vec![(named(alias), Vec::new())],
            _ => vec![(ObjectName(Vec::new()), Vec::new())],
        }
    }
}

fn last(name: &ObjectName) -> Option<String> {
    name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.to_lowercase())
}

fn is_untouched(options: &WildcardAdditionalOptions) -> bool {
    options.opt_exclude.is_none() && options.opt_except.is_none() && options.opt_replace.is_none()
}

fn exclude(hidden: &[String]) -> Option<ExcludeSelectItem> {
    if hidden.is_empty() {
        return None;
    }
    let names = hidden.iter().map(|name| ObjectName::from(vec![Ident::with_quote('"', name)])).collect();
    Some(ExcludeSelectItem::Multiple(names))
}

fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint) => Some(constraint),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_split_at_semicolons_outside_quotes_and_comments() {
        let text = "SELECT ';' -- ; no\n; /* ; */ SELECT 2 ;; -- end\n";
        let sqls: Vec<String> = split(text).into_iter().map(|statement| statement.sql).collect();
        assert_eq!(sqls, ["SELECT ';' -- ; no", "/* ; */ SELECT 2"]);
    }

    struct OneHidden;

    impl HiddenColumns for OneHidden {
        fn hidden(&self, table: &str) -> Vec<String> {
            if table == "users" { vec!["root".to_owned()] } else { Vec::new() }
        }
    }

    fn expanded(sql: &str) -> String {
        let mut statements = datafusion::sql::parser::DFParser::parse_sql(sql).expect("the statement parses");
        let mut statement = statements.pop_front().expect("there is a statement");
        expand_wildcards(&mut statement, &OneHidden);
        statement.to_string()
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
        ] {
            assert_eq!(expanded(unchanged), unchanged);
        }
    }

    #[test]
    fn outside_the_reach_of_a_cte_its_name_is_the_table() {
        let star = "users.* EXCLUDE (\"root\")";
        for (sql, expected) in [
            (
                "WITH users AS (SELECT * FROM users WHERE uid = 0) SELECT * FROM users",
                format!("WITH users AS (SELECT {star} FROM users WHERE uid = 0) SELECT * FROM users"),
            ),
            (
                "SELECT * FROM (WITH users AS (SELECT 1 AS a) SELECT * FROM users) AS c, users",
                format!("SELECT c.*, {star} FROM (WITH users AS (SELECT 1 AS a) SELECT * FROM users) AS c, users"),
            ),
            (
                "WITH b AS (SELECT * FROM users), users AS (SELECT 1 AS a) SELECT * FROM b, users",
                format!("WITH b AS (SELECT {star} FROM users), users AS (SELECT 1 AS a) SELECT * FROM b, users"),
            ),
            (
                "WITH RECURSIVE users AS (SELECT * FROM users) SELECT * FROM users",
                format!("WITH RECURSIVE users AS (SELECT {star} FROM users) SELECT * FROM users"),
            ),
        ] {
            assert_eq!(expanded(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_statement_is_complete_at_its_semicolon() {
        assert!(is_complete("SELECT 1; -- done"));
        assert!(!is_complete("SELECT 1"));
        assert!(!is_complete("SELECT ';"));
        assert!(!is_complete("SELECT 1 /* ; "));
    }
}
