//! The tables and views of one session of an engine, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{Result, TableReference};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableType};
use datafusion::prelude::SessionContext;
use futures::FutureExt as _;
use indago_dialect::Dialect;
use indago_table::{FunctionRef, TableRef, Timestamp, closest};
use parking_lot::Mutex;

use crate::absent::{Absent, WhyAbsent};
use crate::state::EngineState;
use crate::table_functions::TableFunctions;

/// The tables and views of one session.
pub(crate) struct Registry {
    pub(crate) engine: Arc<EngineState>,
    pub(crate) context: SessionContext,
    /// The engine's tables, by name.
    tables: Vec<TableRef>,
    absent: WhyAbsent,
    pub(crate) dialect: Dialect,
    /// Functions in FROM that the engine's builder added.
    pub(crate) table_functions: Option<Arc<dyn TableFunctions>>,
    /// Scalar functions that read.
    pub(crate) functions: Vec<FunctionRef>,
    /// Views over tables of catalogs.
    catalog_views: Mutex<BTreeMap<String, CatalogView>>,
    /// The past time that the session's queries read.
    pub(crate) as_of: Mutex<Option<Timestamp>>,
}

/// A view over tables of catalogs.
#[derive(Debug, Clone)]
pub(crate) struct CatalogView {
    /// Its query, or the statement that creates it.
    pub(crate) sql: Arc<str>,
    /// The number of tables that it reads.
    pub(crate) many: usize,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("tables", &self.tables.len()).finish_non_exhaustive()
    }
}

fn bare(name: &str) -> TableReference {
    TableReference::bare(name.to_owned())
}

impl Registry {
    pub(crate) fn new(
        engine: Arc<EngineState>,
        context: SessionContext,
        tables: Vec<TableRef>,
        absent: WhyAbsent,
        dialect: Dialect,
        table_functions: Option<Arc<dyn TableFunctions>>,
        functions: Vec<FunctionRef>,
    ) -> Self {
        let catalog_views = Mutex::default();
        let as_of = Mutex::default();
        Registry { engine, context, tables, absent, dialect, table_functions, functions, catalog_views, as_of }
    }

    /// The same tables and views in another session.
    pub(crate) fn fork(&self, context: SessionContext) -> Self {
        let catalog_views = Mutex::new(self.catalog_views.lock().clone());
        Registry {
            engine: self.engine.clone(),
            context,
            tables: self.tables.clone(),
            absent: self.absent.clone(),
            dialect: self.dialect,
            table_functions: self.table_functions.clone(),
            functions: self.functions.clone(),
            catalog_views,
            as_of: Mutex::new(*self.as_of.lock()),
        }
    }

    /// DataFusion's current state.
    pub(crate) fn state(&self) -> SessionState {
        self.context.state()
    }

    /// The engine's tables, by name.
    pub(crate) fn tables(&self) -> &[TableRef] {
        &self.tables
    }

    /// One of the engine's tables.
    pub(crate) fn table(&self, name: &str) -> Option<TableRef> {
        self.tables.iter().find(|table| table.spec().name == name).cloned()
    }

    /// The table name that is most similar to a misspelt one.
    pub(crate) fn nearest_table(&self, name: &str) -> Option<String> {
        let names = self.table_names();
        closest(name, names.iter().map(String::as_str)).map(str::to_owned)
    }

    /// The columns of a table as a short list shows them: without hidden ones, and those that most tables of its
    /// environment have last. Other columns stay as they are.
    pub(crate) fn arranged(&self, columns: Vec<String>) -> Vec<String> {
        let has_them = |table: &&TableRef| table.spec().columns.iter().map(|column| &*column.name).eq(columns.iter());
        let Some(table) = self.tables.iter().find(has_them) else { return columns };
        let spec = table.spec();
        let others: Vec<_> = self
            .tables
            .iter()
            .map(|table| table.spec())
            .filter(|other| other.environment == spec.environment)
            .collect();
        let is_common = |name: &str| {
            let having = others.iter().filter(|other| other.column(name).is_some()).count();
            others.len() > 2 && having * 2 > others.len()
        };
        let visible = spec.columns.iter().filter(|column| !column.hidden).map(|column| column.name.to_string());
        let (common, mut own): (Vec<String>, Vec<String>) = visible.partition(|name| is_common(name));
        own.extend(common);
        own
    }

    /// Why a table does not exist, if that is known.
    pub(crate) fn why_absent(&self, table: &str) -> Option<Absent> {
        self.absent.of(&table.to_lowercase())
    }

    /// The views of the session, each with its SQL if that is known.
    pub(crate) fn views(&self) -> Vec<(String, Option<String>)> {
        let over_catalogs = self.catalog_views.lock();
        let over_catalogs = over_catalogs.iter().map(|(name, view)| (name.clone(), Some(view.sql.to_string())));
        let names = self.table_names().into_iter().filter(|name| self.table(name).is_none());
        let views = names.filter_map(|name| {
            let provider = self.provider(&name)?;
            let sql = provider.get_table_definition().map(ToOwned::to_owned);
            (provider.table_type() == TableType::View).then_some((name, sql))
        });
        let views: BTreeMap<String, Option<String>> = views.chain(over_catalogs).collect();
        views.into_iter().collect()
    }

    /// A view over tables of catalogs.
    pub(crate) fn catalog_view(&self, name: &str) -> Option<CatalogView> {
        self.catalog_views.lock().get(name).cloned()
    }

    /// The names of such views.
    pub(crate) fn catalog_views(&self) -> Vec<String> {
        self.catalog_views.lock().keys().cloned().collect()
    }

    pub(crate) fn add_catalog_view(&self, name: &str, view: CatalogView) {
        self.catalog_views.lock().insert(name.to_owned(), view);
    }

    /// Removes a view over tables of catalogs. Returns whether there was one.
    pub(crate) fn remove_catalog_view(&self, name: &str) -> bool {
        self.catalog_views.lock().remove(name).is_some()
    }

    pub(crate) fn register(&self, name: &str, table: Arc<dyn TableProvider>) -> Result<()> {
        self.context.register_table(bare(name), table).map(drop)
    }

    pub(crate) fn deregister(&self, name: &str) -> Result<()> {
        self.context.deregister_table(bare(name)).map(drop)
    }

    /// The names of the catalog and the schema that the engine's tables are in.
    pub(crate) fn defaults(&self) -> (String, String) {
        let state = self.context.state_ref();
        let state = state.read();
        let defaults = &state.config_options().catalog;
        (defaults.default_catalog.clone(), defaults.default_schema.clone())
    }

    fn schema(&self) -> Option<Arc<dyn SchemaProvider>> {
        let (catalog, schema) = self.defaults();
        self.context.catalog(&catalog)?.schema(&schema)
    }

    /// The names of all tables and views of the session.
    pub(crate) fn table_names(&self) -> Vec<String> {
        self.schema().map(|schema| schema.table_names()).unwrap_or_default()
    }

    /// The session's table or view of a name. Only schemas that answer without waiting are used; others are left to
    /// DataFusion.
    pub(crate) fn provider(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        self.schema()?.table(name).now_or_never()?.ok()?
    }

    /// The plan of a view.
    pub(crate) fn view_plan(&self, name: &str) -> Option<LogicalPlan> {
        let provider = self.provider(name)?;
        provider.get_logical_plan().map(std::borrow::Cow::into_owned)
    }
}
