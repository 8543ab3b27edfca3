//! The engine: tables, functions and views, and queries over them.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use datafusion::catalog::view::ViewTable;
use datafusion::common::{DFSchema, DataFusionError, TableReference};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{
    AggregateUDF, DdlStatement, EmptyRelation, Expr, LogicalPlan, PlanType, ScalarUDF, StringifiedPlan,
};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use indago_dialect::{Dialect, Interrupt, NoNames, Rewritten, SystemTime};
use indago_table::{
    CallCount, CatalogRef, Error as TableError, EventLimits, EventSource, Events, FunctionRef, Period, Reader, Sys,
    TableRef, Timestamp, Warning,
};
use parking_lot::Mutex;

use crate::absent::{Absent, WhyAbsent};
use crate::clauses::{function_kind, unsupported_clause};
use crate::diagnostic::{self, Code, Error, Result};
use crate::exec::scans;
use crate::functions::{self, FunctionInfo};
use crate::limits::Limits;
use crate::listings;
use crate::memory::{Kept, QueryMemory};
use crate::meta;
use crate::names::{self, FoundName, Known, OpenLookups};
use crate::parameters::{self, Parameters};
use crate::past::{self, Scans, Time};
use crate::planner::{self, Planner};
use crate::planning::{self, Planning};
use crate::point_in_time;
use crate::provider::Provider;
use crate::query::{Query, QueryOptions, distinct_columns};
use crate::reading::{self, Calls, Read};
use crate::registry::{CatalogView, Registry};
use crate::session::{self, Session};
use crate::sql::{self, Statement};
use crate::state::{EngineState, LastQuery, QueryState};
use crate::table_functions::{self, TableFunctions};
use crate::times;
use crate::translate;
use crate::typos;
use crate::verify::{self, Named};

/// Tables, functions and views, and queries over them. Cheap to clone. Two engines in one process are independent.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    registry: Arc<Registry>,
    planning: Arc<Planning>,
    /// Summary of this session's last query.
    last: Arc<LastQuery>,
    /// Views of the user that could not be planned.
    view_errors: Arc<Mutex<Vec<(String, Error)>>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("tables", &self.0.registry.tables().len()).finish_non_exhaustive()
    }
}

/// A view to add.
#[derive(Debug)]
struct View {
    name: String,
    sql: String,
    may_fail: bool,
}

/// What replaces the tables of event sources.
#[derive(Default)]
struct EventTables(Option<Box<dyn Fn(TableRef) -> TableRef + Send + Sync>>);

impl fmt::Debug for EventTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventTables")
    }
}

impl EventTables {
    fn replace(&self, table: TableRef) -> TableRef {
        match &self.0 {
            Some(replace) => replace(table),
            None => table,
        }
    }
}

/// Builds an [`Engine`].
#[derive(Debug, Default)]
pub struct EngineBuilder {
    tables: Vec<TableRef>,
    catalogs: Vec<CatalogRef>,
    events: Vec<(Box<dyn EventSource>, EventLimits)>,
    event_tables: EventTables,
    limits: Limits,
    dialect: Dialect,
    clock: Option<Sys>,
    absent: WhyAbsent,
    views: Vec<View>,
    table_functions: Option<Arc<dyn TableFunctions>>,
    functions: Vec<ScalarUDF>,
    reading: Vec<FunctionRef>,
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

    /// Adds a catalog: tables that are found when a query names them. The engine's own tables come first.
    #[must_use]
    pub fn catalog(mut self, catalog: CatalogRef) -> Self {
        self.catalogs.push(catalog);
        self
    }

    /// Adds a table of events, with a buffer of this size.
    #[must_use]
    pub fn events(mut self, source: impl EventSource, limits: EventLimits) -> Self {
        self.events.push((Box::new(source), limits));
        self
    }

    /// Adds tables of events, each with a buffer of the default size.
    #[must_use]
    pub fn event_sources(mut self, sources: impl IntoIterator<Item = Box<dyn EventSource>>) -> Self {
        self.events.extend(sources.into_iter().map(|source| (source, EventLimits::default())));
        self
    }

    /// Replaces the tables of event sources, for example by tables that also have the events of the past.
    #[must_use]
    pub fn event_tables(mut self, replace: impl Fn(TableRef) -> TableRef + Send + Sync + 'static) -> Self {
        self.event_tables = EventTables(Some(Box::new(replace)));
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the dialect of queries. The default is the osquery superset.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets the machine whose clock gives the time of a query.
    #[must_use]
    pub fn clock(mut self, clock: Sys) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets the function that tells why a table that users know from elsewhere does not exist. It is called for names of
    /// missing tables, and the error reports what it returns.
    #[must_use]
    pub fn absent(mut self, why: impl Fn(&str) -> Option<Absent> + Send + Sync + 'static) -> Self {
        self.absent = WhyAbsent::new(why);
        self
    }

    /// Adds a view: a name for a query. A view over tables that only a catalog can have is planned when it is read, so
    /// an error in it is an error of the queries that read it.
    #[must_use]
    pub fn view(mut self, name: impl Into<String>, sql: impl Into<String>) -> Self {
        self.views.push(View { name: name.into(), sql: sql.into(), may_fail: false });
        self
    }

    /// Adds a view of a user. An error in it is an error of the queries that read it, and one of
    /// [`Engine::view_errors`].
    #[must_use]
    pub fn view_of_user(mut self, name: impl Into<String>, sql: impl Into<String>) -> Self {
        self.views.push(View { name: name.into(), sql: sql.into(), may_fail: true });
        self
    }

    /// Adds functions in FROM, such as those that read local files. An engine has none by default, and its queries then
    /// read nothing but its tables.
    #[must_use]
    pub fn table_functions(mut self, functions: impl TableFunctions) -> Self {
        let functions: Arc<dyn TableFunctions> = Arc::new(functions);
        self.table_functions = Some(match self.table_functions.take() {
            Some(known) => Arc::new(table_functions::Both(known, functions)),
            None => functions,
        });
        self
    }

    /// Adds a scalar function.
    #[must_use]
    pub fn udf(mut self, function: ScalarUDF) -> Self {
        self.functions.push(function);
        self
    }

    /// Adds scalar functions that read an environment.
    #[must_use]
    pub fn functions(mut self, functions: impl IntoIterator<Item = FunctionRef>) -> Self {
        self.reading.extend(functions);
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
        let events: Vec<_> =
            self.events.into_iter().map(|(source, limits)| Events::new(source, limits, &clock)).collect();
        let shared = Arc::new(EngineState::new(self.limits.clone(), clock, self.catalogs.into(), events));
        let mut tables: Vec<TableRef> = meta::tables(&shared);
        let events = shared.listeners.tables().map(|table| self.event_tables.replace(Arc::new(table.clone())));
        for table in self.tables.into_iter().chain(events) {
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
        // As a join, a scalar subquery can pass keys to a keyed table.
        options.optimizer.enable_physical_uncorrelated_scalar_subquery = false;
        let builder = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_query_planner(Arc::new(Planner { limits: self.limits }))
            .with_physical_optimizer_rule(Arc::new(ShareScans));
        let builder = match self.dialect {
            Dialect::Osquery => indago_dialect::install(builder),
            Dialect::DataFusion => indago_dialect::install_plain(builder),
        };
        let builder = planning::interruptible(session::without_files(builder));
        let context = SessionContext::new_with_state(builder.build());
        for table in &tables {
            let provider = Arc::new(Provider::new(shared.clone(), table.clone()));
            context
                .register_table(TableReference::bare(&*table.spec().name), provider)
                .map_err(|error| internal(&error))?;
        }
        for function in self.functions.into_iter().chain(self.reading.iter().map(reading::udf)) {
            context.register_udf(indago_dialect::guarded(function));
        }
        for function in self.aggregates {
            context.register_udaf(function);
        }
        let engine = Engine(Arc::new(Inner {
            registry: Arc::new(Registry::new(
                shared,
                context,
                tables,
                self.absent,
                self.dialect,
                self.table_functions,
                self.reading,
            )),
            planning: Arc::default(),
            last: Arc::default(),
            view_errors: Arc::default(),
        }));
        for View { name, sql, may_fail } in self.views {
            match engine.clone().add_view(name.clone(), sql.clone()).await.map_err(|error| error.in_view(&name)) {
                // It is planned again by each query that reads it.
                Err(error) if may_fail => {
                    engine.0.registry.add_catalog_view(&name, CatalogView { sql: sql.into(), many: 0 });
                    engine.0.view_errors.lock().push((name, error));
                }
                added => added?,
            }
        }
        Ok(engine)
    }
}

fn internal(error: &DataFusionError) -> Error {
    Error::new(Code::Plan, error.strip_backtrace())
}

/// The warning for a condition on a column that needs keys, if the condition gives none.
fn without_key(column: &str) -> TableError {
    TableError::Unsupported(format!(
        "only the default rows were read: the condition on `{column}` gives no values to select other rows; compare \
        the column with `=` or `IN`, or with `=` in an inner join"
    ))
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

    /// Plans one statement with options. The timeout starts here.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn query_with(&self, sql: &str, options: QueryOptions) -> Result<Query> {
        let memory = QueryMemory::new(options.memory.unwrap_or(self.limits().memory));
        let interrupt = self.state().interrupt().with_memory(memory.clone());
        let limit = options.timeout.or(self.limits().timeout);
        // Boxed, so callers of this method do not compile the planning again.
        let started = Instant::now();
        let lookups = OpenLookups::default();
        let plan = self.clone().plan(sql.to_owned(), interrupt.clone(), lookups.clone(), options.clone()).boxed();
        let planned = self.0.planning.run(limit, interrupt.clone(), plan).await;
        let planned = planned.map_err(|error| match (error.code(), limit) {
            (Code::Timeout, Some(limit)) if lookups.first().is_some() => Error::unanswered(limit, lookups.first()),
            _ => error,
        })?;
        // EXPLAIN ANALYZE does not return the events, so it must not consume them.
        let takes = !matches!(planned.logical, LogicalPlan::Analyze(_));
        let consumer = options.consumer.clone().filter(|_| takes);
        let max_calls = options.max_calls.or(self.limits().max_calls);
        let calls = options.calls.clone().unwrap_or_else(|| Arc::new(CallCount::new(max_calls)));
        let state = self.state().start_query(interrupt, Some(self.0.last.clone()), memory, consumer, calls);
        for warning in planned.warnings {
            state.scope.diagnostics().add(warning);
        }
        state.reads_tables.fetch_or(!planned.calls.functions.is_empty(), Ordering::Relaxed);
        let mut tables: Vec<TableRef> = Vec::new();
        let mut shared = HashSet::new();
        scans(&planned.physical, &mut |scan| {
            let spec = scan.table().spec();
            if !tables.iter().any(|table| Arc::ptr_eq(table, scan.table())) {
                tables.push(scan.table().clone());
            }
            for column in scan.without_key.iter() {
                let name = &spec.columns[*column].name;
                state.scope.report(&spec.name, Some(name), name, &without_key(name));
            }
            state.reads_tables.fetch_or(spec.environment != meta::ENVIRONMENT, Ordering::Relaxed);
            // Scans that read together count as one reader.
            let (identity, request) = scan.shared_request();
            if identity.is_none_or(|identity| shared.insert(identity)) {
                let reader = Reader { table: spec.name.to_string(), columns: request.needs(), as_of: request.as_of };
                for source in spec.reads.split_ascii_whitespace() {
                    state.scope.add_reader(source, reader.clone());
                }
            }
        });
        let context = self.task_context(&state)?;
        Ok(Query {
            registry: self.0.registry.clone(),
            sql: sql.to_owned(),
            schema: distinct_columns(&planned.physical.schema(), &planned.written.aliases),
            rewritten: planned.written.rewritten,
            logical: planned.logical,
            plan: planned.physical,
            tables,
            context,
            state,
            calls: planned.calls,
            options,
            planned_in: started.elapsed(),
        })
    }

    /// The statements of a text, split at semicolons outside quotes and comments.
    pub fn split(&self, text: &str) -> Result<Vec<Statement>> {
        Ok(sql::split(text))
    }

    /// The names of the parameters in a text's statements; none if the text does not parse.
    pub fn parameters(&self, sql: &str) -> BTreeSet<String> {
        let statements = indago_dialect::parse(sql, self.dialect()).unwrap_or_default();
        statements.iter().flat_map(|statement| parameters::names(&statement.statement)).collect()
    }

    /// Whether a text ends with a complete statement, which a shell runs immediately.
    pub fn is_complete(&self, text: &str) -> bool {
        sql::is_complete(text)
    }

    /// The tables, by name, without those of catalogs.
    pub fn tables(&self) -> Vec<TableRef> {
        self.0.registry.tables().to_vec()
    }

    /// One of these tables. [`Engine::find_table`] searches the catalogs, too.
    pub fn table(&self, name: &str) -> Option<TableRef> {
        self.0.registry.table(name)
    }

    /// The error for a table that does not exist: why, or which name was probably meant.
    pub fn no_table(&self, name: &str) -> Error {
        let registry = &self.0.registry;
        diagnostic::no_table(name, registry.why_absent(name), &registry.table_names())
    }

    /// The functions, by name.
    pub fn functions(&self) -> Vec<FunctionInfo> {
        functions::of(&self.0.registry)
    }

    /// The views of the session, each with its SQL if that is known.
    pub fn views(&self) -> Vec<(String, Option<String>)> {
        self.0.registry.views()
    }

    /// The views of the user that could not be planned when the engine was built, each with its error.
    pub fn view_errors(&self) -> Vec<(String, Error)> {
        self.0.view_errors.lock().clone()
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.state().limits
    }

    fn state(&self) -> &EngineState {
        &self.0.registry.engine
    }

    #[cfg(test)]
    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.0.registry
    }

    /// A table of the engine or of a catalog. A catalog is searched on each call.
    pub async fn find_table(&self, name: &str) -> Result<Option<TableRef>> {
        names::find_table(&self.0.registry, name).await
    }

    /// The names of all tables of catalogs, and warnings about catalogs that could not list theirs.
    pub async fn found_names(&self) -> (Vec<FoundName>, Vec<Warning>) {
        names::found_names(&self.0.registry).await
    }

    /// The dialect of queries.
    pub fn dialect(&self) -> Dialect {
        self.0.registry.dialect
    }

    /// The warnings of the last query.
    pub fn warnings(&self) -> Vec<Warning> {
        self.0.last.get().warnings.clone()
    }

    /// Starts listening to the sources of all event tables now, before the first query of each.
    pub fn start_events(&self) {
        self.state().listeners.start_all();
    }

    /// Stops listening until an event table is queried or [`Engine::start_events`] is called. Each consumer gets a
    /// warning.
    pub fn stop_events(&self) {
        self.state().listeners.stop_all();
    }

    /// Removes the cursors of a consumer of events that is no longer used.
    pub fn forget_consumer(&self, consumer: &str) {
        self.state().listeners.tables().for_each(|table| table.forget(consumer));
    }

    /// Makes all queries of this session read tables as they were at this time, unless they have a time of their own; the
    /// same as `SET indago.as_of`. `None` is the present.
    pub fn set_as_of(&self, moment: Option<Timestamp>) {
        *self.0.registry.as_of.lock() = moment;
    }

    /// The past time that the queries of this session read.
    pub fn as_of(&self) -> Option<Timestamp> {
        *self.0.registry.as_of.lock()
    }

    /// The engine for another session: the same tables, functions, limits and rate limits, and a copy of the current
    /// views. Views created in it are its own, and so is the last query in `engine_warnings`, `engine_scans` and
    /// `engine_coverage`.
    #[must_use]
    pub fn fork(&self) -> Engine {
        let engine = &*self.0;
        Engine(Arc::new(Inner {
            registry: Arc::new(engine.registry.fork((*self.session()).clone())),
            planning: engine.planning.clone(),
            last: Arc::default(),
            view_errors: engine.view_errors.clone(),
        }))
    }

    /// A separate DataFusion session over the current tables, views and functions, for anything that the engine does
    /// not offer. Other names in a statement are looked up in the catalogs. It has no views over tables of catalogs.
    pub fn session(&self) -> Session {
        Session::over(&self.0.registry.context, &self.0.registry.engine)
    }

    async fn add_view(self, name: String, sql: String) -> Result<()> {
        let engine = self.clone();
        let plan = async move { engine.view(&name, sql).await }.boxed();
        self.0.planning.run(self.limits().timeout, Interrupt::default(), plan).await
    }

    async fn view(&self, name: &str, sql: String) -> Result<()> {
        let mut known = Known::of(&self.0.registry, self.state().clock.now(), OpenLookups::default());
        let (parsed, named) = self.parse(&sql, &Parameters::new())?;
        let is_of_catalogs = !self.state().catalogs.is_empty() && !known.unknown(&named).is_empty();
        let calls = || table_functions::calls(&parsed.statement, self.0.registry.table_functions.as_ref());
        if is_of_catalogs || !named.moved.is_empty() || calls() {
            // It is planned when a query reads it, so the engine can start without the catalog or file, and `-2 hours` is
            // before that query.
            self.0.registry.add_catalog_view(name, CatalogView { sql: sql.into(), many: named.many });
            return Ok(());
        }
        let (logical, _) = self.logical_plan(&sql, &Parameters::new(), &mut known).await?;
        verify::plan(&logical).map_err(|error| self.error(&error, &sql))?;
        let view = ViewTable::new(logical, Some(sql.clone()));
        self.0.registry.register(name, Arc::new(view)).map_err(|error| self.error(&error, &sql))
    }

    /// The only statement of a text, and the names in it.
    fn parse(&self, sql: &str, parameters: &Parameters) -> Result<(indago_dialect::Parsed, Named)> {
        let mut parsed = indago_dialect::parse(sql, self.dialect())
            .map_err(|error| typos::parse_error(&error, sql, self.dialect()))?;
        let mut statement = match (parsed.pop(), parsed.is_empty()) {
            (Some(statement), true) => statement,
            (None, _) => return Err(Error::new(Code::Parse, "no statement").in_sql(sql)),
            (Some(_), false) => {
                let error = Error::new(Code::Parse, "more than one statement").in_sql(sql);
                return Err(error.with_help("run one statement at a time"));
            }
        };
        let completes_windows = self.dialect() == Dialect::Osquery;
        let unsupported = {
            // A copy of the state would copy the names of all functions.
            let state = self.0.registry.context.state_ref();
            let state = state.read();
            unsupported_clause(&statement.statement, completes_windows, &|name| function_kind(&state, name))
        };
        if let Some(clause) = unsupported {
            let help = match clause.contains(" without ") {
                true => "write `SELECT * FROM ..`",
                false => "remove it, and write its meaning in WHERE, GROUP BY or a subquery",
            };
            let error = Error::new(Code::Unsupported, format!("{clause} is not supported"));
            return Err(error.with_help(help).in_sql(sql));
        }
        verify::statement(&statement.statement).map_err(|error| error.in_sql(sql))?;
        let mut described = None;
        if self.dialect() == Dialect::Osquery
            && let Some(listing) = listings::listing(&statement.statement).map_err(|error| error.in_sql(sql))?
        {
            let mut parsed = indago_dialect::parse(&listing.sql, self.dialect())
                .map_err(|error| typos::parse_error(&error, &listing.sql, self.dialect()))?;
            statement = parsed.pop().expect("a listing is one statement");
            described = listing.table;
        }
        parameters::bind(&mut statement.statement, parameters, self.dialect(), sql)?;
        let of_view = |name: &str| match self.0.registry.catalog_view(name) {
            Some(view) => Some(view.many),
            None => self.0.registry.view_plan(name).as_ref().map(verify::tables_of),
        };
        let named = verify::relations(&mut statement.statement, &of_view).map_err(|error| error.in_sql(sql))?;
        Ok((statement, Named { described, ..named }))
    }

    async fn logical_plan(
        &self,
        sql: &str,
        parameters: &Parameters,
        known: &mut Known,
    ) -> Result<(LogicalPlan, Written)> {
        let (mut statement, named) = self.parse(sql, parameters)?;
        if let Some(setting) = past::setting(&statement.statement) {
            let time = match setting {
                Some(time) => Some(self.time_of(&time, known.now()).await.map_err(|error| error.in_sql(sql))?),
                None => None,
            };
            return Ok((nothing(), Written { as_of: Some(time), ..Written::default() }));
        }
        let functions = self.0.registry.table_functions.as_ref();
        table_functions::replace(&mut statement.statement, functions, sql, &mut known.called)?;
        let views = known.learn(&named).await.map_err(|error| error.in_sql(sql))?;
        if let Some(table) = &named.described
            && indago_dialect::Names::columns(known, table).is_none()
            && !views.iter().any(|(name, _)| name == table)
        {
            let place = diagnostic::place_of_word(sql, table);
            return Err(self.no_table(table).at(place).in_sql(sql));
        }
        for (name, view) in views {
            self.plan_view(name, view, known).await?;
        }
        for moved in &named.moved {
            let place = moved.table.0.last().and_then(|table| diagnostic::place_of_word(sql, table));
            let time = self.time(&moved.time, known.now()).await;
            let done = time.and_then(|time| known.move_table(moved, time));
            done.map_err(|error| error.at(place).in_sql(sql))?;
        }
        let aliases = statement.aliases();
        let before = statement.statement.to_string();
        let Rewritten { statement, mismatches } = indago_dialect::rewrite(statement, known).map_err(|error| {
            let place = crate::diagnostic::offset(sql, error.line as u64, error.column as u64);
            let span = place.map(|start| diagnostic::token_at(sql, start));
            let help = translate::advice(&error.message).map(str::to_owned);
            Error::new(Code::Plan, error.to_string()).with_help_of(help).at(span).in_sql(sql)
        })?;
        known.warnings.extend(times::warnings(mismatches));
        let after = statement.to_string();
        let plan = known.state().statement_to_plan(statement).await.map_err(|error| known.error(&error, sql))?;
        verify::plan_of_statement(&plan).map_err(|error| known.error(&error, sql))?;
        let rewritten = (before != after).then_some(after);
        Ok((plan, Written { rewritten, aliases, many: named.many, as_of: None }))
    }

    /// The time of a `FOR SYSTEM_TIME`.
    async fn time(&self, time: &SystemTime, now: Timestamp) -> Result<Time> {
        let (start, end, is_closed) = match time {
            SystemTime::AsOf(time) => return self.time_of(time, now).await.map(Time::AsOf),
            SystemTime::All => return Ok(Time::In(Period::default())),
            SystemTime::FromTo(start, end) => (start, end, false),
            SystemTime::Between(start, end) => (start, end, true),
        };
        let from = self.time_of(start, now).await?;
        let last = self.time_of(end, now).await?;
        let to = Timestamp(last.0.saturating_add(i64::from(is_closed)));
        if to <= from {
            let error = Error::new(Code::Plan, format!("the period is empty: it ends at {last} and starts at {from}"));
            return Err(error.with_help("write the earlier time first"));
        }
        Ok(Time::In(Period { from: Some(from), to: Some(to) }))
    }

    /// The point in time that a constant expression has.
    async fn time_of(&self, expr: &ast::Expr, now: Timestamp) -> Result<Timestamp> {
        if let ast::Expr::Value(value) = expr
            && let ast::Value::SingleQuotedString(text) = &value.value
        {
            return point_in_time::point_in_time(text, now);
        }
        let sql = format!("SELECT {expr}");
        let statement = indago_dialect::parse(&sql, self.dialect()).ok().and_then(|mut parsed| parsed.pop());
        let variable = || {
            let error = Error::new(Code::Plan, format!("the point in time `{expr}` is not a constant"));
            error.with_help("write a text such as '2026-11-01 03:00' or '-2 hours', or `now() - INTERVAL '3 days'`")
        };
        let Rewritten { statement, .. } =
            indago_dialect::rewrite(statement.ok_or_else(variable)?, &NoNames).map_err(|_| variable())?;
        let mut state = self.0.registry.state();
        Interrupt::at(now.0).begin(&mut state);
        let plan = state.statement_to_plan(statement).await.map_err(|error| match expr {
            // Probably a text without quotes.
            ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_) => variable(),
            _ => self.error(&error, &sql),
        })?;
        verify::plan(&plan).map_err(|error| self.error(&error, &sql))?;
        let plan = state.optimize(&plan).map_err(|error| self.error(&error, &sql))?;
        match &plan {
            LogicalPlan::Projection(projection) if matches!(*projection.input, LogicalPlan::EmptyRelation(_)) => {
                match projection.expr.as_slice() {
                    [expr] => match expr.clone().unalias() {
                        Expr::Literal(value, _) => point_in_time::of_scalar(&value, now),
                        _ => Err(variable()),
                    },
                    _ => Err(variable()),
                }
            }
            _ => Err(variable()),
        }
    }

    /// Plans a view over tables of catalogs, for one query.
    fn plan_view<'a>(&'a self, name: String, view: CatalogView, known: &'a mut Known) -> BoxFuture<'a, Result<()>> {
        async move {
            known.open(&name)?;
            let (plan, _) =
                self.logical_plan(&view.sql, &Parameters::new(), known).await.map_err(|error| error.in_view(&name))?;
            let plan = match plan {
                LogicalPlan::Ddl(DdlStatement::CreateView(view)) => Arc::unwrap_or_clone(view.input),
                plan => plan,
            };
            known.close(name, plan, &view.sql);
            Ok(())
        }
        .boxed()
    }

    /// Creates or drops a view.
    async fn change_views(&self, plan: LogicalPlan, sql: &str, many: usize, known: &Known) -> Result<LogicalPlan> {
        match &plan {
            LogicalPlan::Ddl(DdlStatement::CreateView(view)) => {
                let name = view.name.table();
                if self.table(name).is_some() {
                    let error = Error::new(Code::Plan, format!("a table `{name}` already exists"));
                    return Err(error.with_help("give the view another name").in_sql(sql));
                }
                let registry = &self.0.registry;
                let is_replaced = registry.catalog_view(name).is_some()
                    || (known.uses_catalogs() && registry.provider(name).is_some());
                if is_replaced {
                    if !view.or_replace {
                        let error = Error::new(Code::Plan, format!("a view `{name}` already exists"));
                        return Err(error.with_help("use `CREATE OR REPLACE VIEW`").in_sql(sql));
                    }
                    registry.remove_catalog_view(name);
                    registry.deregister(name).map_err(|error| self.error(&error, sql))?;
                }
                if known.uses_catalogs() {
                    // Results from catalogs are valid for this statement only, so the view is stored as text.
                    registry.add_catalog_view(name, CatalogView { sql: sql.into(), many });
                    return Ok(nothing());
                }
            }
            LogicalPlan::Ddl(DdlStatement::DropView(view))
                if self.0.registry.remove_catalog_view(view.name.table()) =>
            {
                return Ok(nothing());
            }
            _ => {}
        }
        let done = self.0.registry.context.execute_logical_plan(plan).await;
        Ok(done.map_err(|error| self.error(&error, sql))?.logical_plan().clone())
    }

    async fn plan(
        self,
        sql: String,
        interrupt: Interrupt,
        lookups: OpenLookups,
        options: QueryOptions,
    ) -> Result<Planned> {
        let sql = sql.as_str();
        let mut known = Known::of(&self.0.registry, Timestamp(interrupt.moment()), lookups);
        let (logical, written) = self.logical_plan(sql, &options.parameters, &mut known).await?;
        let logical = match logical {
            // Creating or dropping a view takes effect immediately and returns no rows.
            plan @ LogicalPlan::Ddl(DdlStatement::CreateView(_) | DdlStatement::DropView(_)) => {
                self.change_views(plan, sql, written.many, &known).await?
            }
            LogicalPlan::Explain(mut explain) if explain.verbose => {
                let text = written.rewritten.as_deref().map_or(sql, |sql| sql.trim_start_matches("EXPLAIN VERBOSE "));
                let step = PlanType::AnalyzedLogicalPlan { analyzer_name: "rewriting of the SQL".to_owned() };
                explain.stringified_plans.insert(0, StringifiedPlan::new(step, text));
                LogicalPlan::Explain(explain)
            }
            plan => plan,
        };
        if let Some(moment) = written.as_of {
            if options.consumer.is_some() {
                // A consumer's queries share their session with those of others.
                let error = Error::new(Code::Unsupported, "`SET` and `RESET` are not supported in scheduled queries");
                return Err(error.with_help("write FOR SYSTEM_TIME AS OF after the tables").in_sql(sql));
            }
            self.set_as_of(moment);
        }
        let functions = &self.0.registry.functions;
        let as_of = options.as_of.or_else(|| self.as_of());
        let logical = match as_of {
            Some(moment) => past::as_of(logical, moment, known.now(), functions, Scans::OfQuery)
                .map_err(|error| known.error(&error, sql))?,
            None => logical,
        };
        let mut state = self.0.registry.context.state();
        let read = Read::default();
        read.enter(&mut state);
        interrupt.begin(&mut state);
        let logical = state.optimize(&logical).map_err(|error| known.error(&error, sql))?;
        let calls = Calls::find(&logical, functions, read, as_of).map_err(|error| known.error(&error, sql))?;
        let physical = state.query_planner().create_physical_plan(&logical, &state).await;
        let physical = physical.map_err(|error| known.error(&error, sql))?;
        Ok(Planned { logical, physical, written, calls, warnings: known.warnings })
    }

    /// The context of one query's task: its own memory, and the state that its scans share.
    fn task_context(&self, state: &Arc<QueryState>) -> Result<Arc<TaskContext>> {
        let session = self.0.registry.context.state_ref();
        let session = session.read();
        let runtime = RuntimeEnvBuilder::from_runtime_env(session.runtime_env())
            .with_memory_pool(state.memory.clone())
            .build_arc()
            .map_err(|error| internal(&error))?;
        state.scope.charge(Kept(state.memory("data cached by tables")));
        let config = session.config().clone().with_extension(state.clone());
        let context = TaskContext::from(&*session).with_session_config(config).with_runtime(runtime);
        Ok(Arc::new(context))
    }

    fn error(&self, error: &DataFusionError, sql: &str) -> Error {
        names::error(&self.0.registry, error, sql)
    }
}

/// The plan of a statement that has had its effect.
fn nothing() -> LogicalPlan {
    LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema: Arc::new(DFSchema::empty()) })
}

struct Planned {
    logical: LogicalPlan,
    physical: Arc<dyn ExecutionPlan>,
    written: Written,
    calls: Calls,
    /// Warnings about catalogs that could not list their tables.
    warnings: Vec<Warning>,
}

/// The text of a statement.
#[derive(Default)]
struct Written {
    /// The SQL as rewritten by the dialect, if it differs.
    rewritten: Option<String>,
    /// The column aliases in it.
    aliases: Vec<String>,
    /// How many tables it reads.
    many: usize,
    /// The time that it sets for the session.
    as_of: Option<Option<Timestamp>>,
}

/// The last physical rule: equal scans become one shared scan.
#[derive(Debug)]
struct ShareScans;

impl PhysicalOptimizerRule for ShareScans {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &datafusion::config::ConfigOptions,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        planner::share_scans(plan)
    }

    fn name(&self) -> &str {
        "share_scans"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
