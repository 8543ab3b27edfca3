//! Scalar functions over an environment: they read through the calls of tables, once per query.

use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringViewArray};

use crate::error::Result;
use crate::scan::{BoxFuture, ScanContext};
use crate::spec::Kind;

/// A scalar function over an environment. Its arguments are texts, and each can be NULL.
///
/// A query that calls it first reads what all of its calls need ([`Function::read`]), and then computes values from that
/// for batches of rows ([`Evaluate::evaluate`]), which makes no calls.
pub trait Function: fmt::Debug + Send + Sync + 'static {
    /// Its name and documentation.
    fn spec(&self) -> &FunctionSpec;

    /// Whether it also reads a past time, [`ScanContext::as_of`].
    fn has_past(&self) -> bool {
        false
    }

    /// Reads what a query's calls of the function need. It runs before the first row of the query, in a scan of the query:
    /// with its limits, warnings and memory.
    ///
    /// An error ends the query. An object that cannot be read is a warning, and values that depend on it are NULL.
    fn read(&self, context: ScanContext, calls: Vec<Call>) -> BoxFuture<'static, Result<Arc<dyn Evaluate>>>;
}

/// A shared function.
pub type FunctionRef = Arc<dyn Function>;

/// The arguments of one call in a query's text.
pub type Call = Vec<Argument>;

/// An argument, as far as it is known before the query has rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// The same text for all rows, or NULL.
    Constant(Option<String>),
    /// A value per row.
    PerRow,
}

/// Computes values from what a function has read.
pub trait Evaluate: Send + Sync {
    /// The values for a batch of rows, in an array of the function's type. All arguments have the same number of rows.
    fn evaluate(&self, arguments: &[StringViewArray]) -> Result<ArrayRef>;
}

/// The specification of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionSpec {
    /// Name in SQL, in lowercase.
    pub name: &'static str,
    /// The environment that it reads.
    pub environment: &'static str,
    /// How it is called.
    pub signature: &'static str,
    /// What it returns; Markdown. The first line is its summary.
    pub description: &'static str,
    /// The numbers of arguments that it takes.
    pub arities: &'static [usize],
    /// Whether its values depend on its arguments only, so that a query as of a past time may call it.
    pub timeless: bool,
    /// Type of its values.
    pub returns: Kind,
}
