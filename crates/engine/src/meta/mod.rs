//! Tables about the engine itself.

use std::sync::{Arc, Weak};

use indago_table::{Environment, TableRef};

use crate::state::{QueryState, Shared};

mod engine_columns;
mod engine_scans;
mod engine_tables;
mod engine_warnings;

/// The environment of these tables.
pub(crate) const ENVIRONMENT: &str = "engine";

/// The engine, as its own tables see it.
#[derive(Debug, Clone)]
pub(crate) struct Itself(Weak<Shared>);

impl Environment for Itself {
    const NAME: &'static str = ENVIRONMENT;
}

impl Itself {
    fn tables(&self) -> Vec<TableRef> {
        self.0.upgrade().map(|shared| shared.tables.lock().clone()).unwrap_or_default()
    }

    fn last_query(&self) -> Option<Arc<QueryState>> {
        self.0.upgrade()?.last.lock().clone()
    }
}

pub(crate) fn tables(shared: &Arc<Shared>) -> Vec<TableRef> {
    let engine = &Itself(Arc::downgrade(shared));
    indago_table::tables![engine;
        engine_columns::EngineColumn,
        engine_scans::EngineScan,
        engine_tables::EngineTable,
        engine_warnings::EngineWarning,
    ]
}
