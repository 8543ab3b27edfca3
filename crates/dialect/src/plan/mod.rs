//! Planning: operators get SQLite's meaning once the types of both sides are known.

mod analyzer;
mod arithmetic;
mod compare;
mod dependent;
mod grouped;
mod left;
mod narrow;
mod operand;
mod operators;
pub(crate) mod optimizer;
mod outer;
pub(crate) mod pushdown;
mod relation;
mod similar;
mod single;
mod standard;
mod strict;
mod times;
pub(crate) mod walk;

pub(crate) use analyzer::AffinityRule;
pub(crate) use dependent::DependentRule;
pub(crate) use left::LeftOfInRule;
pub(crate) use operators::{OperatorPlanner, WideTypes};
pub(crate) use relation::TableFunctions;
pub(crate) use standard::StandardRule;
pub use strict::StrictFunctions;
pub(crate) use times::TimeRule;
