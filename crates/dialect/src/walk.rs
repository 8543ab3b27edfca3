//! Walks over parsed SQL. sqlparser compiles a walk over its entire tree for each type of visitor. Here all visitors
//! share one walk that reads and one that changes.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, ObjectName, Query, Select, Statement, TableFactor, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};

/// A visitor and what it broke off with.
struct Kept<'v, V, B> {
    visitor: &'v mut V,
    found: Option<B>,
}

impl<V, B> Kept<'_, V, B> {
    fn keep(&mut self, flow: ControlFlow<B>) -> ControlFlow<()> {
        flow.map_break(|found| self.found = Some(found))
    }

    fn flow(self) -> ControlFlow<B> {
        self.found.map_or(ControlFlow::Continue(()), ControlFlow::Break)
    }
}

/// Declares a visitor that stands for those of all types.
macro_rules! any_visitor {
    ($any:ident, $visitor:ident, $($pre:ident $post:ident $node:ty),+) => {
        struct $any<'v>(&'v mut dyn $visitor<Break = ()>);

        impl $visitor for $any<'_> {
            type Break = ();

            $(
                fn $pre(&mut self, node: $node) -> ControlFlow<()> {
                    self.0.$pre(node)
                }

                fn $post(&mut self, node: $node) -> ControlFlow<()> {
                    self.0.$post(node)
                }
            )+
        }

        impl<V: $visitor> $visitor for Kept<'_, V, V::Break> {
            type Break = ();

            $(
                fn $pre(&mut self, node: $node) -> ControlFlow<()> {
                    let flow = self.visitor.$pre(node);
                    self.keep(flow)
                }

                fn $post(&mut self, node: $node) -> ControlFlow<()> {
                    let flow = self.visitor.$post(node);
                    self.keep(flow)
                }
            )+
        }
    };
}

any_visitor!(
    Reader,
    Visitor,
    pre_visit_query post_visit_query &Query,
    pre_visit_select post_visit_select &Select,
    pre_visit_relation post_visit_relation &ObjectName,
    pre_visit_table_factor post_visit_table_factor &TableFactor,
    pre_visit_expr post_visit_expr &Expr,
    pre_visit_statement post_visit_statement &Statement,
    pre_visit_value post_visit_value &ValueWithSpan
);

any_visitor!(
    Editor,
    VisitorMut,
    pre_visit_query post_visit_query &mut Query,
    pre_visit_select post_visit_select &mut Select,
    pre_visit_relation post_visit_relation &mut ObjectName,
    pre_visit_table_factor post_visit_table_factor &mut TableFactor,
    pre_visit_expr post_visit_expr &mut Expr,
    pre_visit_statement post_visit_statement &mut Statement,
    pre_visit_value post_visit_value &mut ValueWithSpan
);

#[inline(never)]
fn read_statement(statement: &Statement, visitor: &mut dyn Visitor<Break = ()>) -> ControlFlow<()> {
    statement.visit(&mut Reader(visitor))
}

#[inline(never)]
fn read_expr(expr: &Expr, visitor: &mut dyn Visitor<Break = ()>) -> ControlFlow<()> {
    expr.visit(&mut Reader(visitor))
}

#[inline(never)]
fn read_query(query: &Query, visitor: &mut dyn Visitor<Break = ()>) -> ControlFlow<()> {
    query.visit(&mut Reader(visitor))
}

#[inline(never)]
fn edit_statement(statement: &mut Statement, visitor: &mut dyn VisitorMut<Break = ()>) -> ControlFlow<()> {
    VisitMut::visit(statement, &mut Editor(visitor))
}

#[inline(never)]
fn edit_query(query: &mut Query, visitor: &mut dyn VisitorMut<Break = ()>) -> ControlFlow<()> {
    VisitMut::visit(query, &mut Editor(visitor))
}

#[inline(never)]
fn edit_expr(expr: &mut Expr, visitor: &mut dyn VisitorMut<Break = ()>) -> ControlFlow<()> {
    VisitMut::visit(expr, &mut Editor(visitor))
}

/// Visits a statement. Use this and the functions below in place of `Visit::visit`: they need no code of their own.
pub fn visit<V: Visitor>(statement: &Statement, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = Kept { visitor, found: None };
    let _ = read_statement(statement, &mut kept);
    kept.flow()
}

/// Visits an expression.
pub(crate) fn visit_expr<V: Visitor>(expr: &Expr, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = Kept { visitor, found: None };
    let _ = read_expr(expr, &mut kept);
    kept.flow()
}

/// Visits a statement and may change it.
pub fn visit_mut<V: VisitorMut>(statement: &mut Statement, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = Kept { visitor, found: None };
    let _ = edit_statement(statement, &mut kept);
    kept.flow()
}

/// Visits a query and may change it.
pub fn visit_query_mut<V: VisitorMut>(query: &mut Query, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = Kept { visitor, found: None };
    let _ = edit_query(query, &mut kept);
    kept.flow()
}

/// Visits an expression and may change it.
pub(crate) fn visit_expr_mut<V: VisitorMut>(expr: &mut Expr, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = Kept { visitor, found: None };
    let _ = edit_expr(expr, &mut kept);
    kept.flow()
}

struct Finder<'f>(&'f dyn Fn(&Expr) -> bool);

impl Visitor for Finder<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if (self.0)(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Whether an expression or one of its parts is one, nested queries included.
pub fn any_expr(expr: &Expr, is_one: &dyn Fn(&Expr) -> bool) -> bool {
    read_expr(expr, &mut Finder(is_one)).is_break()
}

/// Whether an expression of a query is one, nested queries included.
pub(crate) fn any_expr_of(query: &Query, is_one: &dyn Fn(&Expr) -> bool) -> bool {
    read_query(query, &mut Finder(is_one)).is_break()
}
