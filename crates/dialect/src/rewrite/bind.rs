//! What each name of a statement stands for.
//!
//! A name is resolved once, where its expression enters the rewrite (`resolve.rs`): to a column of a relation, to an
//! alias, or to a text. The tree has no room for such an identity, so [`Bindings`] holds it under the name's position
//! in the text; rewriting keeps positions. Everything after that looks identities up: types, equal expressions, bare
//! columns, names of results.

use std::{cell::Cell, collections::HashMap};

use sqlparser::{
    ast::{Expr, Ident, ObjectName, TableAlias, WindowSpec},
    tokenizer::{Location, Span},
};

use super::walk::{Step, edit_at};
use crate::{build::exact, class::Class};

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
    /// Skipped by a bare `*`, because USING or NATURAL merged it into a column to the left.
    pub(crate) merged: bool,
}

impl Column {
    pub(crate) fn new(name: impl Into<String>, kind: Option<Class>) -> Self {
        Self { name: name.into(), kind, hidden: false, yields: false, merged: false }
    }
}

/// One occurrence of a relation in FROM.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    /// The name that qualifies its columns in DataFusion.
    pub(crate) name: String,
    /// The name that the user gave it, in lowercase.
    pub(crate) user: String,
    /// `None` if the columns are not known.
    pub(crate) columns: Option<Vec<Column>>,
    /// Its name with its schema, if FROM has that and no alias.
    pub(crate) path: Option<ObjectName>,
}

impl Relation {
    pub(crate) fn new(name: String, columns: Option<Vec<Column>>) -> Self {
        Self { user: name.clone(), name, columns, path: None }
    }

    /// A relation that FROM names with this name and alias.
    pub(crate) fn at(self, name: &ObjectName, alias: Option<&TableAlias>) -> Self {
        Self { path: (name.0.len() > 1 && alias.is_none()).then(|| name.clone()), ..self }
    }

    /// Whether this is its name, as the user wrote it or as it was rewritten.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.user.eq_ignore_ascii_case(name)
    }

    /// The place of its column with that name, in any case.
    fn place(&self, name: &str) -> Option<usize> {
        let columns = self.columns.as_ref()?;
        let exact = columns.iter().position(|own| own.name == name);
        exact.or_else(|| columns.iter().position(|own| own.name.eq_ignore_ascii_case(name)))
    }

    /// Its column with that name, in any case.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.as_ref()?.get(self.place(name)?)
    }
}

/// The identity of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnId {
    /// The relation's number in [`Bindings`].
    pub(crate) relation: usize,
    /// The column's place in the relation.
    pub(crate) place: usize,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    Column(ColumnId),
    /// An alias of the SELECT with that number, which the plan carries into a subquery.
    Alias(usize),
    /// Perhaps a column of a relation with unknown columns.
    Perhaps,
}

/// The relations of a statement, and what its names stand for.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    pub(super) relations: Vec<Relation>,
    names: HashMap<Location, Bound>,
    /// The number of positions given to names that are not in the text.
    made: u64,
}

impl Bindings {
    pub(crate) fn relation(&self, number: usize) -> &Relation {
        &self.relations[number]
    }

    pub(crate) fn relation_mut(&mut self, number: usize) -> &mut Relation {
        &mut self.relations[number]
    }

    /// The relations of a SELECT.
    pub(crate) fn relations<'b>(&'b self, scope: &'b Scope<'_>) -> impl DoubleEndedIterator<Item = &'b Relation> {
        scope.relations.iter().map(|number| self.relation(*number))
    }

    pub(crate) fn column(&self, id: ColumnId) -> Option<&Column> {
        self.relation(id.relation).columns.as_ref()?.get(id.place)
    }

    /// What a rewritten name stands for; `None` for any other expression.
    pub(crate) fn of(&self, expr: &Expr) -> Option<Bound> {
        let name = match expr {
            Expr::Identifier(name) => name,
            Expr::CompoundIdentifier(parts) => parts.last()?,
            _ => return None,
        };
        self.names.get(&name.span.start).copied()
    }

    /// The column that a rewritten name stands for.
    pub(crate) fn column_of(&self, expr: &Expr) -> Option<ColumnId> {
        match self.of(expr)? {
            Bound::Column(id) => Some(id),
            Bound::Alias(_) | Bound::Perhaps => None,
        }
    }

    /// Whether an expression refers to a SELECT, also from nested queries.
    pub(crate) fn reaches(&self, expr: &Expr, scope: &Scope<'_>) -> bool {
        matches!(self.of(expr), Some(Bound::Column(id)) if scope.owns(id))
            || matches!(self.of(expr), Some(Bound::Alias(number)) if number == scope.number)
    }

    /// Notes what a name stands for. A name that is not in the text gets a position of its own.
    pub(super) fn bind(&mut self, name: &mut Ident, bound: Bound) {
        if name.span == Span::empty() {
            self.made += 1;
            let made = Location { line: 0, column: self.made };
            name.span = Span { start: made, end: made };
        }
        self.names.insert(name.span.start, bound);
    }

    /// A column as DataFusion finds it among those of all relations.
    pub(crate) fn qualified(&mut self, id: ColumnId) -> Option<Expr> {
        let mut name = exact(self.column(id)?.name.clone(), Span::empty());
        self.bind(&mut name, Bound::Column(id));
        Some(self.with_relation(id, name))
    }

    /// The column's name after that of its relation, if it has one.
    pub(super) fn with_relation(&self, id: ColumnId, name: Ident) -> Expr {
        let relation = &self.relation(id.relation).name;
        match relation.is_empty() {
            true => Expr::Identifier(name),
            false => Expr::CompoundIdentifier(vec![exact(relation.clone(), name.span), name]),
        }
    }

    /// Qualifies every column of a SELECT, for use in a query one level further in. Columns in nested queries need no
    /// change: those of this SELECT are already qualified, and others do not belong to it.
    pub(crate) fn qualify(&self, expr: &mut Expr, scope: &Scope<'_>) {
        edit_at(Step::After, expr, &mut |expr, own| {
            if own
                && let Expr::Identifier(name) = expr
                && let Some(Bound::Column(id)) = self.names.get(&name.span.start).copied()
                && scope.owns(id)
            {
                *expr = self.with_relation(id, name.clone());
            }
        });
    }

    /// What a name refers to: from the inside out, and in each SELECT a column comes before an alias.
    pub(super) fn search<'s>(&self, scope: &'s Scope<'s>, relation: Option<&str>, column: &str) -> Option<Meaning<'s>> {
        let mut yielding = None;
        for here in scope.outwards() {
            if let Some((id, shared)) = self.find_here(here, relation, column) {
                let found = Meaning::Column { id, shared };
                if relation.is_some() || self.column(id).is_none_or(|own| !own.yields) {
                    return Some(found);
                }
                yielding = yielding.or(Some(found));
            }
            if relation.is_none() && here.aliases_visible.get() && here.alias(column).is_some() {
                return Some(Meaning::Alias(here));
            }
            let may_have =
                |known: &Relation| known.columns.is_none() && relation.is_none_or(|name| known.is_called(name));
            if self.relations(here).any(may_have) {
                return yielding.or(Some(Meaning::Perhaps));
            }
        }
        yielding
    }

    /// A column of this SELECT: the first that does not yield, otherwise the first. Also whether DataFusion would find
    /// its bare name in another relation, too.
    pub(super) fn find_here(
        &self,
        scope: &Scope<'_>,
        relation: Option<&str>,
        column: &str,
    ) -> Option<(ColumnId, bool)> {
        let is_merged = relation.is_none() && scope.merged.iter().any(|name| name.eq_ignore_ascii_case(column));
        let (id, shared) = self.find_in(&scope.relations, relation, column)?;
        Some((id, shared || is_merged))
    }

    /// [`find_here`](Self::find_here) among these relations.
    pub(crate) fn find_in(
        &self,
        relations: &[usize],
        relation: Option<&str>,
        column: &str,
    ) -> Option<(ColumnId, bool)> {
        let mut found: Option<(ColumnId, bool)> = None;
        let mut shared = false;
        for &number in relations {
            let known = self.relation(number);
            if relation.is_some_and(|name| !known.is_called(name)) {
                continue;
            }
            let Some(place) = known.place(column) else { continue };
            let yields = known.columns.as_ref().is_some_and(|columns| columns[place].yields);
            shared |= found.is_some_and(|(_, first)| first != yields);
            if found.is_none_or(|(_, first)| first && !yields) {
                found = Some((ColumnId { relation: number, place }, yields));
            }
        }
        found.map(|(id, _)| (id, shared))
    }
}

/// What a SELECT can see.
pub(crate) struct Scope<'p> {
    /// Its number in the statement.
    pub(super) number: usize,
    /// The relations of FROM, by number.
    pub(crate) relations: Vec<usize>,
    /// Names that USING or NATURAL merged into the column of the left side.
    pub(crate) merged: Vec<String>,
    /// The aliases of the SELECT list with the user's expressions.
    pub(crate) aliases: Vec<(String, Expr)>,
    /// Whether aliases are visible at this point.
    pub(crate) aliases_visible: Cell<bool>,
    /// Whether this is ORDER BY, where DataFusion cannot distinguish a column from an alias of the same name.
    pub(crate) sorting: Cell<bool>,
    /// Whether this is HAVING, where an alias of an aggregate is a value of the group.
    pub(crate) grouped: Cell<bool>,
    /// Whether this is the inside of an alias, at a position where DataFusion sees aliases, too.
    pub(super) expanding: Cell<bool>,
    /// The number of common table expressions in scope.
    pub(super) reach: usize,
    /// The windows of the WINDOW clause, as the user wrote them.
    pub(crate) windows: Vec<(String, WindowSpec)>,
    pub(crate) outer: Option<&'p Scope<'p>>,
}

/// The result of resolving a name.
#[derive(Clone, Copy)]
pub(super) enum Meaning<'s> {
    Column {
        id: ColumnId,
        shared: bool,
    },
    /// An alias of this SELECT.
    Alias(&'s Scope<'s>),
    Perhaps,
}

impl<'p> Scope<'p> {
    /// Whether a column is one of this SELECT's relations.
    pub(crate) fn owns(&self, id: ColumnId) -> bool {
        self.relations.contains(&id.relation)
    }

    /// This scope and the outer ones.
    pub(super) fn outwards(&self) -> impl Iterator<Item = &Scope<'p>> {
        std::iter::successors(Some(self), |scope| scope.outer)
    }

    /// The user's name and expression for an alias.
    pub(crate) fn alias(&self, name: &str) -> Option<&(String, Expr)> {
        self.aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name))
    }
}

/// The name of a column in the form in which DataFusion finds it.
pub(crate) fn named(name: String, ident: &Ident) -> Ident {
    if ident.quote_style.is_none() && name == name.to_ascii_lowercase() {
        Ident { value: name, quote_style: None, span: ident.span }
    } else {
        exact(name, ident.span)
    }
}

/// Whether a name is bound since it was made: it is not in the text.
pub(super) fn is_made(name: &Ident) -> bool {
    name.span.start.line == 0 && name.span != Span::empty()
}

/// Whether this is the name of SQLite's only schema.
pub(crate) fn is_main(schema: &Ident) -> bool {
    schema.value.eq_ignore_ascii_case("main")
}
