//! What a name means where it stands: columns of the relations of this SELECT, its aliases, then the SELECTs around it.

use std::cell::Cell;

use sqlparser::ast::{Expr, WindowSpec};

use super::kind::Class;

/// One column of a query's result.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) kind: Option<Class>,
    /// See [`NamedColumn::yields`](crate::NamedColumn::yields).
    pub(crate) yields: bool,
}

impl Output {
    pub(crate) fn unknown(name: String) -> Self {
        Self { name, kind: None, yields: false }
    }
}

/// One column of a relation.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Option<Class>,
    pub(crate) hidden: bool,
    /// See [`NamedColumn::yields`](crate::NamedColumn::yields).
    pub(crate) yields: bool,
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

impl Relation {
    /// Its column of that name, in any case.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        let columns = self.columns.as_ref()?;
        let exact = columns.iter().find(|own| own.name == name);
        exact.or_else(|| columns.iter().find(|own| own.name.eq_ignore_ascii_case(name)))
    }
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
        /// Whether DataFusion would find its bare name in another relation too.
        shared: bool,
        yields: bool,
    },
    /// A column of a SELECT around this one.
    Outer {
        relation: String,
        name: String,
        kind: Option<Class>,
        yields: bool,
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
        let here = match self.find_here(relation, column) {
            Found::Nothing | Found::Perhaps => None,
            found @ Found::Column { yields: true, .. } => Some(found),
            found => return found,
        };
        let open_here = self
            .relations
            .iter()
            .any(|known| known.columns.is_none() && relation.is_none_or(|name| known.name.eq_ignore_ascii_case(name)));
        if open_here && here.is_none() {
            self.mentioned.set(true);
            return Found::Perhaps;
        }
        match self.outer.map(|outer| (outer, outer.find(relation, column))) {
            None => here.unwrap_or(Found::Nothing),
            Some((outer, found)) => match found {
                Found::Column { yields: true, .. }
                | Found::Outer { yields: true, .. }
                | Found::Perhaps
                | Found::Nothing
                    if here.is_some() =>
                {
                    here.unwrap_or(found)
                }
                Found::Column { relation, name, kind, yields, .. } => {
                    outer.reached.set(true);
                    self.correlated.set(true);
                    let relation = outer.relations.get(relation).map(|known| known.name.clone()).unwrap_or_default();
                    Found::Outer { relation, name, kind, yields }
                }
                found @ Found::Outer { .. } => {
                    self.correlated.set(true);
                    found
                }
                other => other,
            },
        }
    }

    /// Looks a column up among those of this SELECT: the first that has not to yield, else the first.
    pub(crate) fn find_here(&self, relation: Option<&str>, column: &str) -> Found {
        let mut found: Option<(usize, &Column)> = None;
        let mut shared = false;
        for (at, known) in self.relations.iter().enumerate() {
            if relation.is_some_and(|name| !known.name.eq_ignore_ascii_case(name)) {
                continue;
            }
            let Some(own) = known.column(column) else { continue };
            match found {
                None => found = Some((at, own)),
                Some((_, first)) => {
                    shared |= first.yields != own.yields;
                    if first.yields && !own.yields {
                        found = Some((at, own));
                    }
                }
            }
        }
        let Some((at, own)) = found else { return Found::Nothing };
        self.mentioned.set(true);
        if relation.is_none() {
            shared |= self.merged.iter().any(|name| name.eq_ignore_ascii_case(column));
        }
        Found::Column {
            relation: at,
            name: own.name.clone(),
            kind: own.kind,
            shared,
            yields: own.yields && relation.is_none(),
        }
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
