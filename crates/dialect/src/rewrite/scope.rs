//! What a name means where it stands: columns of the relations of this SELECT, its aliases, then the SELECTs around it.

use std::cell::Cell;

use sqlparser::ast::{Expr, WindowSpec};

use super::kind::Class;

/// One column of a query's result.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) kind: Option<Class>,
}

impl Output {
    pub(crate) fn unknown(name: String) -> Self {
        Self { name, kind: None }
    }
}

/// One column of a relation.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Option<Class>,
    pub(crate) hidden: bool,
    /// Left out of a bare `*`, since USING or NATURAL merged it into one to the left.
    pub(crate) merged: bool,
}

/// One relation of FROM.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    /// The name columns are qualified with, as DataFusion knows it.
    pub(crate) name: String,
    /// `None` when the columns are not known.
    pub(crate) columns: Option<Vec<Column>>,
}

/// What a SELECT can see.
pub(crate) struct Scope<'p> {
    pub(crate) relations: Vec<Relation>,
    /// Names that USING or NATURAL merged into the column of the left side.
    pub(crate) merged: Vec<String>,
    /// The aliases of the SELECT list with the user's expressions.
    pub(crate) aliases: Vec<(String, Expr)>,
    /// Whether aliases may be named at this moment.
    pub(crate) aliases_visible: Cell<bool>,
    /// Whether this is ORDER BY, where DataFusion cannot tell a column from an alias of the same name.
    pub(crate) sorting: Cell<bool>,
    /// The windows of the WINDOW clause, as the user wrote them.
    pub(crate) windows: Vec<(String, WindowSpec)>,
    pub(crate) outer: Option<&'p Scope<'p>>,
    /// Whether something inside referred to this scope from a nested query.
    pub(crate) reached: Cell<bool>,
    /// Whether one of this SELECT's own columns was looked up and found, or may have been.
    pub(crate) mentioned: Cell<bool>,
    /// Whether an expression of this SELECT referred outwards.
    pub(crate) correlated: Cell<bool>,
}

/// What was found under a name.
pub(crate) enum Found {
    /// A column of this SELECT.
    Column {
        relation: usize,
        name: String,
        kind: Option<Class>,
        merged: bool,
    },
    /// A column of a SELECT around this one.
    Outer {
        relation: String,
        name: String,
        kind: Option<Class>,
    },
    /// Nothing, but there are relations whose columns are not known.
    Perhaps,
    Nothing,
}

impl<'p> Scope<'p> {
    pub(crate) fn empty(outer: Option<&'p Scope<'p>>) -> Self {
        Self {
            relations: Vec::new(),
            merged: Vec::new(),
            aliases: Vec::new(),
            aliases_visible: Cell::new(false),
            sorting: Cell::new(false),
            windows: Vec::new(),
            outer,
            reached: Cell::new(false),
            mentioned: Cell::new(false),
            correlated: Cell::new(false),
        }
    }

    /// Looks a column up, here and outwards.
    pub(crate) fn find(&self, relation: Option<&str>, column: &str) -> Found {
        match self.find_here(relation, column) {
            Found::Nothing | Found::Perhaps => {}
            found => return found,
        }
        let open_here = self
            .relations
            .iter()
            .any(|known| known.columns.is_none() && relation.is_none_or(|name| known.name.eq_ignore_ascii_case(name)));
        if open_here {
            self.mentioned.set(true);
            return Found::Perhaps;
        }
        match self.outer {
            None => Found::Nothing,
            Some(outer) => match outer.find(relation, column) {
                Found::Column { relation, name, kind, .. } => {
                    outer.reached.set(true);
                    self.correlated.set(true);
                    let relation = outer.relations.get(relation).map(|known| known.name.clone()).unwrap_or_default();
                    Found::Outer { relation, name, kind }
                }
                found @ Found::Outer { .. } => {
                    self.correlated.set(true);
                    found
                }
                other => other,
            },
        }
    }

    pub(crate) fn find_here(&self, relation: Option<&str>, column: &str) -> Found {
        for (at, known) in self.relations.iter().enumerate() {
            if relation.is_some_and(|name| !known.name.eq_ignore_ascii_case(name)) {
                continue;
            }
            let Some(columns) = &known.columns else { continue };
            let exact = columns.iter().find(|own| own.name == column);
            let found = exact.or_else(|| columns.iter().find(|own| own.name.eq_ignore_ascii_case(column)));
            if let Some(found) = found {
                let merged = relation.is_none() && self.merged.iter().any(|name| name.eq_ignore_ascii_case(column));
                self.mentioned.set(true);
                return Found::Column { relation: at, name: found.name.clone(), kind: found.kind, merged };
            }
        }
        Found::Nothing
    }

    /// Whether a relation here or further out has the name.
    pub(crate) fn names_relation(&self, name: &str) -> bool {
        self.relations.iter().any(|known| known.name.eq_ignore_ascii_case(name))
            || self.outer.is_some_and(|outer| outer.names_relation(name))
    }

    /// The user's expression behind an alias.
    pub(crate) fn alias(&self, name: &str) -> Option<&Expr> {
        self.aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, expr)| expr)
    }
}
