//! Tables as a SQL engine.
//!
//! The engine is handed a list of tables and knows none. It plans SQL with DataFusion, asks each table for as little as
//! a query needs, drives keyed tables by the keys of the others, holds queries to their limits, and says what was
//! missing from the rows.

mod catalog;
mod diagnostic;
mod engine;
mod exec;
mod gate;
mod limits;
mod lookup_join;
mod meta;
mod provider;
mod query;
mod shared;

pub use diagnostic::{Code, Error, Result, Span};
pub use engine::{Engine, EngineBuilder};
pub use indago_dialect::Dialect;
pub use indago_table::{Outcome, TableRef, TableSpec, Warning};
pub use limits::Limits;
pub use query::{BatchStream, Query, QueryOptions, ScanStats};
