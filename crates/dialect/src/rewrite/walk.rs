//! Searches and changes expressions of the parsed tree.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, ObjectName, Query, Visitor, VisitorMut};

use super::error::{DialectError, Result};
use crate::walk::{visit_expr, visit_expr_mut};

/// What a walk finds.
#[derive(Clone, Copy)]
pub(super) enum Part<'e> {
    /// An expression, before its parts.
    Expr(&'e Expr),
    /// A relation's name.
    Relation(&'e ObjectName),
}

/// When a walk comes to an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Before,
    After,
}

struct Finder<'f> {
    depth: usize,
    is_one: &'f mut dyn FnMut(Part<'_>, bool) -> bool,
}

impl Finder<'_> {
    fn meet(&mut self, part: Part<'_>) -> ControlFlow<()> {
        if (self.is_one)(part, self.depth == 0) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Visitor for Finder<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.meet(Part::Relation(relation))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.meet(Part::Expr(expr))
    }
}

/// Whether a part of an expression is one. `is_one` also learns whether the part is outside of nested queries.
pub(super) fn any(expr: &Expr, is_one: &mut dyn FnMut(Part<'_>, bool) -> bool) -> bool {
    visit_expr(expr, &mut Finder { depth: 0, is_one }).is_break()
}

/// Whether an expression or one of its parts is one, outside of nested queries.
pub(super) fn any_own_expr(expr: &Expr, is_one: &mut dyn FnMut(&Expr) -> bool) -> bool {
    any(expr, &mut |part, own| matches!(part, Part::Expr(expr) if own && is_one(expr)))
}

struct Editor<'f> {
    depth: usize,
    edit: &'f mut dyn FnMut(Step, &mut Expr, bool) -> Result<()>,
}

impl Editor<'_> {
    fn meet(&mut self, step: Step, expr: &mut Expr) -> ControlFlow<DialectError> {
        match (self.edit)(step, expr, self.depth == 0) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl VisitorMut for Editor<'_> {
    type Break = DialectError;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<DialectError> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<DialectError> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DialectError> {
        self.meet(Step::Before, expr)
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<DialectError> {
        self.meet(Step::After, expr)
    }
}

/// Changes an expression and its parts; `edit` sees each before and after its own parts. It also learns whether the expression is outside of
/// nested queries.
pub(super) fn edit(tree: &mut Expr, edit: &mut dyn FnMut(Step, &mut Expr, bool) -> Result<()>) -> Result<()> {
    match visit_expr_mut(tree, &mut Editor { depth: 0, edit }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Changes an expression and its parts at one step.
pub(super) fn edit_at(at: Step, tree: &mut Expr, change: &mut dyn FnMut(&mut Expr, bool)) {
    let mut change = |step, expr: &mut Expr, own| {
        if step == at {
            change(expr, own);
        }
        Ok(())
    };
    edit(tree, &mut change).unwrap_or_default();
}
