//! The engine: tables, functions and views, and queries over them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{AggregateUDF, DdlStatement, LogicalPlan, PlanType, ScalarUDF, StringifiedPlan};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::FutureExt as _;
use indago_dialect::{Dialect, Interrupt};
use indago_table::{Reader, Sys, TableRef, Warning};

use crate::clauses::{function_kind, unsupported_clause};
use crate::diagnostic::{Code, Error, Result, Span};
use crate::exec::ScanExec;
use crate::limits::Limits;
use crate::memory::{Kept, QueryMemory};
use crate::meta;
use crate::planner::{self, Planner};
use crate::planning::{self, Planning};
use crate::provider::Provider;
use crate::query::{Query, QueryOptions, distinct_columns, with_names};
use crate::session::{self, Session};
use crate::sql::{self, HiddenColumns, Statement};
use crate::state::{LastQuery, Shared};
use crate::threads::Threads;
use crate::verify;

/// Tables, functions and views, and queries over them. Cheap to clone; two engines in one process do not meet.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    context: SessionContext,
    tables: Vec<TableRef>,
    dialect: Dialect,
    elsewhere: &'static [(&'static str, &'static str)],
    planning: Arc<Planning>,
    /// What this session's last query did.
    last: Arc<LastQuery>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("tables", &self.0.tables.len()).finish_non_exhaustive()
    }
}

/// Builds an [`Engine`].
#[derive(Debug, Default)]
pub struct EngineBuilder {
    tables: Vec<TableRef>,
    limits: Limits,
    dialect: Dialect,
    clock: Option<Sys>,
    elsewhere: &'static [(&'static str, &'static str)],
    views: Vec<(String, String)>,
    functions: Vec<ScalarUDF>,
    aggregates: Vec<AggregateUDF>,
}

impl EngineBuilder {
    /// Adds a table. A later table of the same name replaces the earlier one.
    #[must_use]
    pub fn table(mut self, table: TableRef) -> Self {
        self.tables.push(table);
        self
    }

    /// Adds tables.
    #[must_use]
    pub fn tables(mut self, tables: impl IntoIterator<Item = TableRef>) -> Self {
        self.tables.extend(tables);
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the dialect of queries; the osquery superset unless told otherwise.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets the machine whose clock says when a query is.
    #[must_use]
    pub fn clock(mut self, clock: Sys) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Names of tables that exist on other systems only, with these systems: an error about one says so.
    #[must_use]
    pub fn elsewhere(mut self, tables: &'static [(&'static str, &'static str)]) -> Self {
        self.elsewhere = tables;
        self
    }

    /// Adds a view: a name for a query.
    #[must_use]
    pub fn view(mut self, name: impl Into<String>, sql: impl Into<String>) -> Self {
        self.views.push((name.into(), sql.into()));
        self
    }

    /// Adds a scalar function.
    #[must_use]
    pub fn udf(mut self, function: ScalarUDF) -> Self {
        self.functions.push(function);
        self
    }

    /// Adds an aggregate function.
    #[must_use]
    pub fn udaf(mut self, function: AggregateUDF) -> Self {
        self.aggregates.push(function);
        self
    }

    /// Builds the engine.
    pub async fn build(self) -> Result<Engine> {
        let clock = self.clock.unwrap_or_default();
        let shared = Arc::new(Shared::new(self.limits.clone(), clock));
        let mut tables: Vec<TableRef> = meta::tables(&shared);
        for table in self.tables {
            tables.retain(|known| known.spec().name != table.spec().name);
            tables.push(table);
        }
        tables.sort_by(|a, b| a.spec().name.cmp(&b.spec().name));
        *shared.tables.lock() = tables.clone();

        let mut config = SessionConfig::new()
            .with_target_partitions(self.limits.partitions.max(1))
            .with_batch_size(self.limits.batch_size)
            .with_information_schema(true);
        let options = config.options_mut();
        options.sql_parser.collect_spans = true;
        // A scalar subquery as a join lets it bring keys to a keyed table.
        options.optimizer.enable_physical_uncorrelated_scalar_subquery = false;
        let builder = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_query_planner(Arc::new(Planner { limits: self.limits }))
            .with_physical_optimizer_rule(Arc::new(ShareReadings));
        let builder = match self.dialect {
            Dialect::Osquery => indago_dialect::install(builder),
            Dialect::DataFusion => indago_dialect::install_plain(builder),
        };
        let builder = planning::interruptible(session::without_files(builder));
        let context = SessionContext::new_with_state(builder.build());
        for table in &tables {
            let provider = Arc::new(Provider::new(shared.clone(), table.clone()));
            context.register_table(bare(&table.spec().name), provider).map_err(|error| internal(&error))?;
        }
        for function in self.functions {
            context.register_udf(function);
        }
        for function in self.aggregates {
            context.register_udaf(function);
        }
        let engine = Engine(Arc::new(Inner {
            shared,
            context,
            tables,
            dialect: self.dialect,
            elsewhere: self.elsewhere,
            planning: Arc::default(),
            last: Arc::default(),
        }));
        for (name, sql) in self.views {
            engine.clone().add_view(name.clone(), sql.clone()).await.map_err(|error| {
                Error::new(error.code(), format!("view `{name}`: {error}")).at(error.span()).in_sql(&sql)
            })?;
        }
        Ok(engine)
    }
}

fn bare(name: &str) -> datafusion::common::TableReference {
    datafusion::common::TableReference::bare(name.to_owned())
}

fn internal(error: &DataFusionError) -> Error {
    Error::new(Code::Plan, error.strip_backtrace())
}

impl Engine {
    /// Starts an engine.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Plans one statement.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn query(&self, sql: &str) -> Result<Query> {
        self.query_with(sql, QueryOptions::default()).await
    }

    /// Plans one statement, with options of its own. The time limit counts from here.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn query_with(&self, sql: &str, options: QueryOptions) -> Result<Query> {
        let interrupt = self.0.shared.interrupt();
        let limit = options.timeout.or(self.limits().timeout);
        // Of no named type: whoever calls this need not compile the planning anew.
        let started = Instant::now();
        let plan = self.clone().plan(sql.to_owned(), interrupt.clone()).boxed();
        let planned = self.0.planning.run(limit, interrupt.clone(), plan).await?;
        let state = self.0.shared.start_query(interrupt, Some(self.0.last.clone()));
        let mut shared = HashSet::new();
        readings(&planned.physical, &mut |scan| {
            let spec = scan.table.spec();
            state.reads_tables.fetch_or(spec.environment != meta::ENVIRONMENT, Ordering::Relaxed);
            // Scans that read together are one reader.
            let (together, asked) = scan.together();
            if together.is_none_or(|together| shared.insert(together)) {
                state.scope.add_reader(&spec.reads, Reader { table: spec.name.to_string(), columns: asked.needs() });
            }
        });
        let memory = QueryMemory::new(options.memory.unwrap_or(self.limits().memory));
        let context = self.task_context(&state, &memory)?;
        Ok(Query {
            engine: self.clone(),
            sql: sql.to_owned(),
            schema: distinct_columns(&planned.physical.schema(), &planned.written.aliases),
            rewritten: planned.written.rewritten,
            logical: planned.logical,
            plan: planned.physical,
            context,
            state,
            memory,
            options,
            planned_in: started.elapsed(),
        })
    }

    /// The statements of a text, split at semicolons outside quotes and comments.
    pub fn split(&self, text: &str) -> Result<Vec<Statement>> {
        Ok(sql::split(text))
    }

    /// Whether a text ends a statement: what a shell runs at once.
    pub fn is_complete(&self, text: &str) -> bool {
        sql::is_complete(text)
    }

    /// The tables, by name.
    pub fn tables(&self) -> Vec<TableRef> {
        self.0.tables.clone()
    }

    /// One table.
    pub fn table(&self, name: &str) -> Option<TableRef> {
        self.0.tables.iter().find(|table| table.spec().name == name).cloned()
    }

    /// The name that a misspelt table name most likely meant.
    pub fn nearest_table(&self, name: &str) -> Option<String> {
        let names = self.table_names();
        crate::diagnostic::nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.0.shared.limits
    }

    pub(crate) fn threads(&self) -> &Arc<Threads> {
        &self.0.shared.threads
    }

    /// The dialect of queries.
    pub fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// What was missing from the last query's rows.
    pub fn warnings(&self) -> Vec<Warning> {
        self.0.last.get().warnings.clone()
    }

    /// The engine for one more user: the same tables, functions, limits and pacing, and the views that there are now. Views
    /// made in it, and what `engine_warnings`, `engine_scans` and `engine_coverage` show of its last query, are its own.
    #[must_use]
    pub fn fork(&self) -> Engine {
        let engine = &*self.0;
        Engine(Arc::new(Inner {
            shared: engine.shared.clone(),
            context: (*self.session()).clone(),
            tables: engine.tables.clone(),
            dialect: engine.dialect,
            elsewhere: engine.elsewhere,
            planning: engine.planning.clone(),
            last: Arc::default(),
        }))
    }

    /// A DataFusion session of its own over the tables, views and functions that there are now, for anything else.
    pub fn session(&self) -> Session {
        Session::over(&self.0.context)
    }

    /// DataFusion's state, as it is now.
    pub(crate) fn session_state(&self) -> SessionState {
        self.0.context.state()
    }

    async fn add_view(self, name: String, sql: String) -> Result<()> {
        let (engine, text) = (self.clone(), sql.clone());
        let plan = async move { engine.logical_plan(&text).await }.boxed();
        let (logical, _) = self.0.planning.run(self.limits().timeout, Interrupt::default(), plan).await?;
        verify::plan(&logical).map_err(|error| self.error(&error, &sql))?;
        let view = datafusion::catalog::view::ViewTable::new(logical, Some(sql.clone()));
        self.0.context.register_table(bare(&name), Arc::new(view)).map_err(|error| self.error(&error, &sql))?;
        Ok(())
    }

    async fn logical_plan(&self, sql: &str) -> Result<(LogicalPlan, Written)> {
        let mut parsed = indago_dialect::parse(sql, self.0.dialect).map_err(|error| {
            let span = Span { start: error.offset, end: error.offset };
            Error::new(Code::Parse, error.message.clone()).at(Some(span)).in_sql(sql)
        })?;
        let mut statement = match (parsed.pop(), parsed.is_empty()) {
            (Some(statement), true) => statement,
            (None, _) => return Err(Error::new(Code::Parse, "no statement").in_sql(sql)),
            (Some(_), false) => {
                let error = Error::new(Code::Parse, "more than one statement").in_sql(sql);
                return Err(error.with_help("give them one at a time"));
            }
        };
        let state = self.0.context.state();
        let kind = |name: &str| function_kind(&state, name);
        let completes_windows = self.0.dialect == Dialect::Osquery;
        if let Some(clause) = unsupported_clause(&statement.statement, completes_windows, &kind) {
            return Err(Error::new(Code::Unsupported, format!("{clause} is not supported")).in_sql(sql));
        }
        verify::statement(&statement.statement).map_err(|error| error.in_sql(sql))?;
        let of_view = |name: &str| self.view_plan(name).as_ref().map(verify::tables_of);
        verify::relations(&mut statement.statement, &of_view).map_err(|error| error.in_sql(sql))?;
        let aliases = statement.aliases();
        let before = statement.statement.to_string();
        let mut statement = indago_dialect::rewrite(statement, self).map_err(|error| {
            let place = crate::diagnostic::offset(sql, error.line as u64, error.column as u64);
            let span = place.map(|start| Span { start, end: start });
            Error::new(Code::Plan, error.to_string()).at(span).in_sql(sql)
        })?;
        sql::expand_wildcards(&mut statement, self);
        let after = statement.to_string();
        let plan = state.statement_to_plan(statement).await.map_err(|error| self.error(&error, sql))?;
        verify::plan_of_statement(&plan).map_err(|error| self.error(&error, sql))?;
        Ok((plan, Written { rewritten: (before != after).then_some(after), aliases }))
    }

    async fn plan(self, sql: String, interrupt: Interrupt) -> Result<Planned> {
        let sql = sql.as_str();
        let (logical, written) = self.logical_plan(sql).await?;
        let logical = match logical {
            // A view takes effect at once and gives no rows.
            plan @ LogicalPlan::Ddl(DdlStatement::CreateView(_) | DdlStatement::DropView(_)) => {
                if let LogicalPlan::Ddl(DdlStatement::CreateView(view)) = &plan
                    && self.table(view.name.table()).is_some()
                {
                    let error = Error::new(Code::Plan, format!("there is a table `{}`", view.name.table()));
                    return Err(error.with_help("give the view another name").in_sql(sql));
                }
                let done = self.0.context.execute_logical_plan(plan).await;
                done.map_err(|error| self.error(&error, sql))?.logical_plan().clone()
            }
            LogicalPlan::Explain(mut explain) if explain.verbose => {
                let text = written.rewritten.as_deref().map_or(sql, |sql| sql.trim_start_matches("EXPLAIN VERBOSE "));
                let step = PlanType::AnalyzedLogicalPlan { analyzer_name: "rewriting of the SQL".to_owned() };
                explain.stringified_plans.insert(0, StringifiedPlan::new(step, text));
                LogicalPlan::Explain(explain)
            }
            plan => plan,
        };
        let mut state = self.0.context.state();
        interrupt.begin(&mut state);
        let logical = state.optimize(&logical).map_err(|error| self.error(&error, sql))?;
        let physical = state.query_planner().create_physical_plan(&logical, &state).await;
        let physical = physical.map_err(|error| self.error(&error, sql))?;
        Ok(Planned { logical, physical, written })
    }

    /// The context of one query's task: its own memory, and what its scans share.
    fn task_context(
        &self,
        state: &Arc<crate::state::QueryState>,
        memory: &Arc<QueryMemory>,
    ) -> Result<Arc<TaskContext>> {
        let session = self.0.context.state();
        let runtime = RuntimeEnvBuilder::from_runtime_env(session.runtime_env())
            .with_memory_pool(memory.clone())
            .build_arc()
            .map_err(|error| internal(&error))?;
        state.set_pool(runtime.memory_pool.clone());
        state.scope.charge(Kept(state.memory("answers kept for several scans")));
        let config = session.config().clone().with_extension(state.clone());
        let context = TaskContext::from(&session).with_session_config(config).with_runtime(runtime);
        Ok(Arc::new(context))
    }

    pub(crate) fn error(&self, error: &DataFusionError, sql: &str) -> Error {
        with_names(self, |names| Error::from_datafusion(error, sql, names))
    }

    pub(crate) fn table_names(&self) -> Vec<String> {
        let state = self.0.context.state();
        let options = &state.config_options().catalog;
        let schema = self
            .0
            .context
            .catalog(&options.default_catalog)
            .and_then(|catalog| catalog.schema(&options.default_schema));
        schema.map(|schema| schema.table_names()).unwrap_or_default()
    }

    /// The systems that have a table which does not exist here.
    pub(crate) fn systems_with(&self, table: &str) -> Option<&'static str> {
        self.0.elsewhere.iter().find(|(name, _)| *name == table).map(|(_, systems)| *systems)
    }

    /// The columns of what the session knows and we do not: views, and tables that embedders registered there.
    fn view_columns(&self, name: &str) -> Option<Vec<indago_dialect::NamedColumn>> {
        let provider = self.provider(name)?;
        let column = |field: &arrow_schema::FieldRef| {
            let mut column = indago_dialect::NamedColumn::new(field.name(), field.data_type().clone());
            let collation = field.metadata().get(indago_dialect::COLLATION_METADATA);
            column.collation = collation.and_then(|name| indago_dialect::Collation::named(name)).unwrap_or_default();
            column
        };
        Some(provider.schema().fields().iter().map(column).collect())
    }

    /// What the session has under a name. Catalogs in memory answer at once; any other is left to DataFusion.
    fn provider(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        let state = self.0.context.state();
        let options = &state.config_options().catalog;
        let schema = self.0.context.catalog(&options.default_catalog)?.schema(&options.default_schema)?;
        schema.table(name).now_or_never()?.ok()?
    }

    /// The plan of a view.
    fn view_plan(&self, name: &str) -> Option<LogicalPlan> {
        let provider = self.provider(name)?;
        provider.get_logical_plan().map(std::borrow::Cow::into_owned)
    }

    pub(crate) fn column_names(&self, table: &str) -> Vec<String> {
        let spec = self.table(table);
        spec.map(|table| table.spec().columns.iter().map(|column| column.name.to_string()).collect())
            .unwrap_or_default()
    }
}

struct Planned {
    logical: LogicalPlan,
    physical: Arc<dyn ExecutionPlan>,
    written: Written,
}

/// What a statement was written as.
struct Written {
    /// The SQL that the dialect made of it, where it changed anything.
    rewritten: Option<String>,
    /// The names that it gives its columns.
    aliases: Vec<String>,
}

fn readings(plan: &Arc<dyn ExecutionPlan>, found: &mut impl FnMut(&ScanExec)) {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        found(scan);
    }
    for child in plan.children() {
        readings(child, found);
    }
}

impl HiddenColumns for Engine {
    fn hidden(&self, table: &str) -> Vec<String> {
        let Some(table) = self.table(table) else { return Vec::new() };
        let hidden = table.spec().columns.iter().filter(|column| column.hidden);
        hidden.map(|column| column.name.to_string()).collect()
    }
}

impl indago_dialect::Names for Engine {
    fn columns(&self, table: &str) -> Option<Vec<indago_dialect::NamedColumn>> {
        let Some(table) = self.table(table) else { return self.view_columns(table) };
        let column = |column: &indago_table::ColumnSpec| indago_dialect::NamedColumn {
            name: column.name.to_string(),
            data_type: Some(column.kind.data_type()),
            collation: match column.collation {
                indago_table::Collation::Binary => indago_dialect::Collation::Binary,
                indago_table::Collation::NoCase => indago_dialect::Collation::Nocase,
                indago_table::Collation::Version => indago_dialect::Collation::Version,
                indago_table::Collation::VersionDpkg => indago_dialect::Collation::VersionDpkg,
                indago_table::Collation::VersionRhel => indago_dialect::Collation::VersionRhel,
            },
            hidden: column.hidden,
            yields: column.added,
        };
        Some(table.spec().columns.iter().map(column).collect())
    }

    fn tables(&self) -> Vec<String> {
        let mut names = self.table_names();
        names.sort();
        names
    }
}

/// The last physical rule: equal readings become one.
#[derive(Debug)]
struct ShareReadings;

impl PhysicalOptimizerRule for ShareReadings {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &datafusion::config::ConfigOptions,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        planner::share_readings(plan)
    }

    fn name(&self) -> &str {
        "share_readings"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
