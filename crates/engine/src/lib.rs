//! Tables as a SQL engine.
//!
//! The engine receives a list of tables. It plans SQL with DataFusion, reads from each table only what a query needs,
//! looks up the rows of keyed tables by keys from other tables, enforces limits, and reports rows that are missing.

mod absent;
mod alternatives;
mod clauses;
mod condition;
mod constraints;
mod diagnostic;
mod engine;
mod estimate;
mod exec;
mod explain;
mod functions;
mod gate;
mod interrupt;
mod key_cache;
mod limits;
mod lineage;
mod listen;
mod listings;
mod lookup;
mod lookup_join;
mod memory;
mod meta;
mod names;
mod parameters;
mod past;
mod planner;
mod planning;
mod point_in_time;
mod provider;
mod query;
mod reader;
mod reading;
mod record;
mod registry;
mod request;
mod session;
mod shared;
mod sql;
mod state;
mod table_functions;
mod threads;
mod times;
mod translate;
mod typos;
mod verify;

pub use absent::Absent;
pub use diagnostic::{Code, Error, Result, Span};
pub use engine::{Engine, EngineBuilder};
pub use functions::FunctionInfo;
pub use indago_dialect::{Dialect, NUMBER_METADATA, distinct_names, mixed_to_text, real_to_text};
pub use indago_table::{Completeness, Coverage, Outcome, TableRef, TableSpec, Warning};
pub use limits::Limits;
pub use lineage::{Lineage, Whole};
pub use names::FoundName;
pub use parameters::Parameter;
pub use point_in_time::point_in_time;
pub use query::{BatchStream, NAME_METADATA, Query, QueryOptions, Taken};
pub use record::ScanStats;
pub use session::Session;
pub use sql::Statement;
pub use table_functions::{TableFunction, TableFunctions};
