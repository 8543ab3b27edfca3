//! DataFusion's session over an engine's tables, for features that the engine itself does not offer.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use futures::FutureExt as _;

use crate::clauses::{function_kind, unsupported_clause};
use crate::diagnostic::{Code, Error};
use crate::names::{self, CatalogSchema};
use crate::state::EngineState;
use crate::verify;

/// A DataFusion session over the current tables, views and functions of an engine.
///
/// Changes to it (settings, registered or dropped tables) do not affect the engine or its other sessions. Its plans can
/// only read, however they are created.
#[derive(Clone)]
pub struct Session(SessionContext);

impl Session {
    /// A separate session over the tables of another session and of the engine's catalogs.
    pub(crate) fn over(context: &SessionContext, engine: &Arc<EngineState>) -> Self {
        let state = context.state();
        let own = |known: Arc<dyn SchemaProvider>| {
            let tables = MemorySchemaProvider::new();
            for name in known.table_names() {
                // Catalogs in memory answer without waiting.
                if let Some(Ok(Some(table))) = known.table(&name).now_or_never() {
                    tables.register_table(name, table).expect("the names of a schema are distinct");
                }
            }
            CatalogSchema {
                base: Arc::new(tables),
                tables: BTreeMap::new(),
                names: BTreeMap::new(),
                search: Some(engine.clone()),
            }
        };
        let catalogs = names::over(&state, own);
        let state = SessionStateBuilder::new_from_existing(state).with_catalog_list(catalogs).build();
        Session(SessionContext::new_with_state(state))
    }

    /// Plans a statement in DataFusion's SQL. It may read, or create or drop a view of this session.
    pub async fn sql(&self, sql: &str) -> Result<DataFrame> {
        let state = self.0.state();
        let statement = state.sql_to_statement(sql, &state.config_options().sql_parser.dialect)?;
        let own = |error: Error| DataFusionError::External(Box::new(error));
        let kind = |name: &str| function_kind(&state, name);
        if let Some(clause) = unsupported_clause(&statement, false, &kind) {
            return Err(own(Error::new(Code::Unsupported, format!("{clause} is not supported"))));
        }
        verify::statement(&statement).map_err(own)?;
        let plan = state.statement_to_plan(statement).await?;
        verify::plan_of_statement(&plan)?;
        self.0.execute_logical_plan(plan).await
    }
}

impl Deref for Session {
    type Target = SessionContext;

    fn deref(&self) -> &SessionContext {
        &self.0
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.0.session_id()).finish_non_exhaustive()
    }
}

/// Removes file formats and table factories, so a session can neither write files nor create tables from them.
pub(crate) fn without_files(builder: SessionStateBuilder) -> SessionStateBuilder {
    builder.with_file_formats(Vec::new()).with_table_factories(HashMap::new())
}
