//! The state of rewriting one statement.

use sqlparser::ast;

use super::bind::{Bindings, Output};
use crate::names::Names;

/// A common table expression in scope.
#[derive(Clone, Debug)]
pub(super) struct Cte {
    pub(super) name: String,
    /// The name that DataFusion uses for it.
    pub(super) given: String,
    /// `None` while its query is being rewritten: a recursive one refers to itself in this state.
    pub(super) columns: Option<Vec<Output>>,
    /// Whether this is its own definition, which DataFusion does not see as one yet.
    pub(super) open: bool,
}

/// A comparison whose result is the same for every number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The relation of the column of numbers.
    pub relation: String,
    /// The column.
    pub column: String,
    /// Whether the column has booleans, which are the numbers 0 and 1.
    pub is_boolean: bool,
    /// The text that it is compared with.
    pub text: ComparedText,
}

/// A text that is not a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComparedText {
    /// A literal.
    Literal(String),
    /// The result of this function, which returns a time as text.
    Time(String),
}

pub(crate) struct Rewriter<'n> {
    pub(super) names: &'n dyn Names,
    pub(super) ctes: Vec<Cte>,
    pub(super) bound: Bindings,
    /// The number of scopes so far.
    pub(super) scopes: usize,
    pub(super) mismatches: Vec<Mismatch>,
    /// The user's text of the items of the outermost SELECT, until that SELECT is reached.
    pub(super) items: Vec<String>,
    /// The number of subqueries in FROM that had no name and got one.
    pub(super) unnamed: usize,
    /// Whether this is a condition that filters rows.
    pub(super) choosing: bool,
    /// Whether every relation and common table expression gets a distinct name.
    pub(super) apart: bool,
    /// The number of names given so far.
    pub(super) given: usize,
    /// Whether a name was moved into a scope in which an inner relation has it, too.
    pub(super) captured: bool,
}

impl<'n> Rewriter<'n> {
    pub(super) fn new(names: &'n dyn Names, items: Vec<String>, apart: bool) -> Self {
        let (ctes, choosing, captured) = (Vec::new(), false, false);
        let (bound, mismatches) = (Bindings::default(), Vec::new());
        Self { names, ctes, bound, scopes: 0, mismatches, items, unnamed: 0, choosing, apart, given: 0, captured }
    }

    /// A name that nothing else has, if distinct names are needed.
    pub(super) fn own_name(&mut self, name: &str) -> Option<String> {
        self.apart.then(|| {
            self.given += 1;
            format!("{name}:{}", self.given)
        })
    }

    /// The common table expression that a name in FROM refers to.
    pub(super) fn cte(&self, name: &ast::ObjectName) -> Option<&Cte> {
        let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() else { return None };
        self.ctes.iter().rev().find(|cte| cte.name.eq_ignore_ascii_case(&ident.value))
    }
}
