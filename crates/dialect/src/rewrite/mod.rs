//! Rewrites SQLite's statement as one that DataFusion can plan, on the parsed tree.
//!
//! [`query`] handles queries and compound SELECTs, [`select`] one SELECT, [`expr`] its expressions. [`resolve`] binds
//! names to the identities of [`bind`], [`star`] expands `*`, [`group`] chooses the row of bare columns under GROUP BY,
//! and [`kind`] determines types before planning.

mod bind;
mod error;
mod expr;
mod group;
mod kind;
mod mismatch;
mod ordered;
mod ordinal;
mod query;
mod resolve;
mod rewriter;
mod row;
mod schema;
mod select;
mod sorted;
mod star;
mod walk;
mod window;

use datafusion::sql::parser::Statement;

use crate::{
    names::Names,
    parser::{Dialect, Parsed, with_stack},
};
pub use error::DialectError;
use rewriter::Rewriter;
pub use rewriter::{ComparedText, Mismatch};
pub use schema::lists_tables;

/// A rewritten statement.
#[derive(Clone, Debug)]
pub struct Rewritten {
    /// The statement that DataFusion plans.
    pub statement: Statement,
    /// Its comparisons that say nothing about the values.
    pub mismatches: Vec<Mismatch>,
}

/// Rewrites a parsed statement so that DataFusion returns SQLite's result. With [`Dialect::DataFusion`],
/// only `*` changes: it omits hidden columns.
pub fn rewrite(parsed: Parsed, names: &dyn Names) -> std::result::Result<Rewritten, DialectError> {
    let Parsed { mut statement, items, dialect, depth, .. } = parsed;
    if dialect == Dialect::DataFusion {
        star::in_plain_sql(&mut statement, names);
        return Ok(Rewritten { statement, mismatches: Vec::new() });
    }
    with_stack(depth, move || {
        let again = statement.clone();
        let mut rewriter = Rewriter::new(names, items.clone(), false);
        rewriter.statement(&mut statement)?;
        if rewriter.captured {
            statement = again;
            rewriter = Rewriter::new(names, items, true);
            rewriter.statement(&mut statement)?;
        }
        Ok(Rewritten { statement, mismatches: rewriter.mismatches })
    })
}
