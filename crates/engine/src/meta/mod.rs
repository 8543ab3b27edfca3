//! Tables about the engine itself.

use std::sync::{Arc, Weak};

use indago_table::{Environment, Events, Row, Scan, TableRef};

use crate::state::{EngineState, LastQuery, Summary};

mod engine_columns;
mod engine_coverage;
mod engine_scans;
mod engine_tables;
mod engine_warnings;
mod osquery_events;
mod osquery_registry;

/// The environment of these tables.
pub(crate) const ENVIRONMENT: &str = "engine";

/// The engine, as its own tables see it.
#[derive(Debug, Clone)]
pub(crate) struct Itself(Weak<EngineState>);

impl Environment for Itself {
    const NAME: &'static str = ENVIRONMENT;
}

impl Itself {
    fn tables(&self) -> Vec<TableRef> {
        self.0.upgrade().map(|shared| shared.tables.lock().clone()).unwrap_or_default()
    }

    /// The event tables, each with whether the engine listens to its source.
    fn events(&self) -> Vec<(Arc<Events>, bool)> {
        self.0.upgrade().map(|shared| shared.listeners.states()).unwrap_or_default()
    }
}

/// Summary of the last query in a scan's session.
fn last_query<T: Row>(scan: &Scan<T>) -> Arc<Summary> {
    scan.context().query.session::<LastQuery>().map(|last| last.get()).unwrap_or_default()
}

pub(crate) fn tables(shared: &Arc<EngineState>) -> Vec<TableRef> {
    let engine = &Itself(Arc::downgrade(shared));
    indago_table::tables![engine;
        engine_columns::EngineColumn,
        engine_coverage::EngineCoverage,
        engine_scans::EngineScan,
        engine_tables::EngineTable,
        engine_warnings::EngineWarning,
        osquery_events::OsqueryEvents,
        osquery_registry::OsqueryRegistry,
    ]
}
