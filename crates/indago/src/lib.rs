//! Indago: SQL over hosts, containers, Kubernetes clusters, AWS accounts and git repositories.
//!
//! ```no_run
//! use futures::StreamExt;
//! use indago::Defaults;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = indago::Engine::builder().with_defaults()?.build().await?;
//! let query = engine.query("SELECT name, count(*) AS many FROM processes GROUP BY name").await?;
//! let mut batches = query.stream();
//! while let Some(batch) = batches.next().await {
//!     println!("{} rows", batch?.num_rows());
//! }
//! for warning in query.warnings() {
//!     eprintln!("{warning}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Front ends need only this crate: the shell, the daemon and the command line are built on it.

#![warn(missing_docs)]

mod demo;
mod open;
mod osquery;
mod reach;
mod record;
mod timeline;

pub use datafusion;
pub use datafusion::arrow;
pub use futures;
pub use indago_config as config;
pub use indago_dialect::{Dialect, FunctionDoc};
pub use indago_engine::{
    Absent, BatchStream, Code, Completeness, Coverage, Engine, EngineBuilder, Error, FoundName, FunctionInfo, Limits,
    Outcome, Parameter, Query, QueryOptions, Result, ScanStats, Span, Statement, TableFunction, TableFunctions,
    TableRef, TableSpec, Taken, Warning, point_in_time,
};
pub use indago_iam as iam;
pub use indago_packs as packs;
pub use indago_store as store;
pub use indago_store::{Files, capture};
pub use indago_table as table;
pub use indago_tables_registry as environments;

pub use demo::{demo_engine, demo_queries};
pub use open::{Defaults, OpenError, builder, open};
pub use record::recorder;
