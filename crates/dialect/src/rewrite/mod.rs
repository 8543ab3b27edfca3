//! Rewrites SQLite's statement as one that DataFusion can plan, on the parsed tree.
//!
//! [`query`] handles queries and compound SELECTs, [`select`] one SELECT, [`expr`] its expressions. [`scope`] resolves
//! names, [`group`] chooses the row of bare columns under GROUP BY, and [`kind`] determines types before planning.

mod error;
mod expr;
mod group;
mod kind;
mod ordered;
mod ordinal;
mod query;
mod rewriter;
mod row;
mod schema;
mod scope;
mod select;
mod sorted;
mod walk;
mod window;

use datafusion::sql::parser::Statement;

use crate::{
    names::Names,
    parser::{Dialect, Parsed, with_stack},
};
pub use error::DialectError;
use rewriter::Rewriter;
pub use schema::lists_tables;

/// Rewrites a parsed statement so that DataFusion returns SQLite's result. With [`Dialect::DataFusion`], nothing
/// changes.
pub fn rewrite(parsed: Parsed, names: &dyn Names) -> std::result::Result<Statement, DialectError> {
    let Parsed { mut statement, items, dialect, depth, .. } = parsed;
    if dialect == Dialect::DataFusion {
        return Ok(statement);
    }
    with_stack(depth, move || {
        let again = statement.clone();
        let mut rewriter = Rewriter::new(names, items.clone(), false);
        rewriter.statement(&mut statement)?;
        if rewriter.captured {
            statement = again;
            Rewriter::new(names, items, true).statement(&mut statement)?;
        }
        Ok(statement)
    })
}
