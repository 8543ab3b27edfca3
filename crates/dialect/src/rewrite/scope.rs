//! What a name refers to at its position: a column of this SELECT's relations, its aliases, then the outer SELECTs.

use std::cell::Cell;

use sqlparser::ast::{Expr, Ident, WindowSpec};

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

/// One relation of FROM.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    /// The name that qualifies its columns in DataFusion.
    pub(crate) name: String,
    /// The name that the user gave it, in lowercase.
    pub(crate) user: String,
    /// `None` if the columns are not known.
    pub(crate) columns: Option<Vec<Column>>,
}

impl Relation {
    pub(crate) fn new(name: String, columns: Option<Vec<Column>>) -> Self {
        Self { user: name.clone(), name, columns }
    }

    /// Whether this is its name, as the user wrote it or as it was rewritten.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.user.eq_ignore_ascii_case(name)
    }

    /// Its column with that name, in any case.
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
    /// Whether aliases are visible at this point.
    pub(crate) aliases_visible: Cell<bool>,
    /// Whether this is ORDER BY, where DataFusion cannot distinguish a column from an alias of the same name.
    pub(crate) sorting: Cell<bool>,
    /// Whether this is HAVING, where an alias of an aggregate is a value of the group.
    pub(crate) grouped: Cell<bool>,
    /// Whether this is the inside of an alias, at a position where DataFusion sees aliases, too.
    pub(crate) expanding: Cell<bool>,
    /// The number of common table expressions in scope.
    pub(crate) reach: usize,
    /// The windows of the WINDOW clause, as the user wrote them.
    pub(crate) windows: Vec<(String, WindowSpec)>,
    pub(crate) outer: Option<&'p Scope<'p>>,
    /// Whether a nested query referred to this scope.
    pub(crate) reached: Cell<bool>,
    /// Whether a lookup found one of this SELECT's own columns, or may have.
    pub(crate) mentioned: Cell<bool>,
    /// Whether an expression of this SELECT referred to an outer one.
    pub(crate) correlated: Cell<bool>,
}

/// What a bare name refers to.
pub(crate) enum Meaning<'s> {
    Column(Found),
    /// An alias of this SELECT.
    Alias(&'s Scope<'s>),
}

/// The result of looking up a name.
pub(crate) enum Found {
    /// A column of this SELECT.
    Column {
        relation: usize,
        name: String,
        kind: Option<Class>,
        /// Whether DataFusion would find its bare name in another relation, too.
        shared: bool,
        yields: bool,
    },
    /// A column of an outer SELECT.
    Outer {
        relation: String,
        name: String,
        kind: Option<Class>,
    },
    /// Nothing, but there are relations with unknown columns.
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
            grouped: Cell::new(false),
            expanding: Cell::new(false),
            reach: 0,
            windows: Vec::new(),
            outer,
            reached: Cell::new(false),
            mentioned: Cell::new(false),
            correlated: Cell::new(false),
        }
    }

    /// Looks up a column, in this SELECT and then the outer ones.
    pub(crate) fn find(&self, relation: Option<&str>, column: &str) -> Found {
        match self.search(relation, column, false) {
            Meaning::Column(found) => found,
            Meaning::Alias(_) => Found::Nothing,
        }
    }

    /// What a bare name refers to: from the inside out, and in each SELECT a column comes before an alias.
    pub(crate) fn resolve(&self, name: &str) -> Meaning<'_> {
        self.search(None, name, true)
    }

    fn search(&self, relation: Option<&str>, column: &str, aliases: bool) -> Meaning<'_> {
        let mut yielding = None;
        for here in self.outwards() {
            match here.find_here(relation, column) {
                found @ Found::Column { yields: false, .. } => {
                    return Meaning::Column(self.seen_from_here(here, found));
                }
                found @ Found::Column { .. } if yielding.is_none() => yielding = Some((here, found)),
                _ => {}
            }
            if aliases && here.alias_visible(column) {
                return Meaning::Alias(here);
            }
            let may_have =
                |known: &Relation| known.columns.is_none() && relation.is_none_or(|name| known.is_called(name));
            if here.relations.iter().any(may_have) {
                here.mentioned.set(true);
                if yielding.is_none() {
                    return Meaning::Column(Found::Perhaps);
                }
                break;
            }
        }
        Meaning::Column(yielding.map_or(Found::Nothing, |(here, found)| self.seen_from_here(here, found)))
    }

    /// This scope and the outer ones.
    pub(crate) fn outwards(&self) -> impl Iterator<Item = &Scope<'p>> {
        std::iter::successors(Some(self), |scope| scope.outer)
    }

    /// Notes that an expression here refers to an outer scope.
    pub(crate) fn refers_to(&self, owner: &Scope<'_>) {
        for scope in self.outwards().take_while(|scope| !std::ptr::addr_eq(*scope, owner)) {
            scope.correlated.set(true);
        }
        owner.reached.set(true);
    }

    /// A column of `owner` as seen from this scope.
    fn seen_from_here(&self, owner: &Scope<'_>, found: Found) -> Found {
        match found {
            Found::Column { relation, name, kind, .. } if !std::ptr::addr_eq(self, owner) => {
                self.refers_to(owner);
                let relation = owner.relations.get(relation).map(|known| known.name.clone()).unwrap_or_default();
                Found::Outer { relation, name, kind }
            }
            found => found,
        }
    }

    /// Looks up a column of this SELECT: the first that does not yield, otherwise the first.
    pub(crate) fn find_here(&self, relation: Option<&str>, column: &str) -> Found {
        let mut found: Option<(usize, &Column)> = None;
        let mut shared = false;
        for (at, known) in self.relations.iter().enumerate() {
            if relation.is_some_and(|name| !known.is_called(name)) {
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

    /// Whether a relation in this or an outer scope has the name.
    pub(crate) fn names_relation(&self, name: &str) -> bool {
        self.outwards().any(|scope| scope.relations.iter().any(|known| known.is_called(name)))
    }

    fn alias_visible(&self, name: &str) -> bool {
        self.aliases_visible.get() && self.alias(name).is_some()
    }

    /// The user's expression for an alias.
    pub(crate) fn alias(&self, name: &str) -> Option<&Expr> {
        self.aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, expr)| expr)
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

/// Qualifies every column of this SELECT, for use in a query one level further in. Columns in nested queries need no
/// change: those of this SELECT are already qualified, and others do not belong to it.
pub(crate) fn qualify(expr: &mut Expr, scope: &Scope<'_>) {
    edit_at(Step::After, expr, &mut |expr, own| {
        if own
            && let Expr::Identifier(ident) = expr
            && let Found::Column { relation, name, .. } = scope.find_here(None, &ident.value)
            && let Some(relation) = scope.relations.get(relation)
            && !relation.name.is_empty()
        {
            *expr = Expr::CompoundIdentifier(vec![exact(relation.name.clone(), ident.span), named(name, ident)]);
        }
    });
}
