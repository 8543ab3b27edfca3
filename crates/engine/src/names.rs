//! Resolves the names of one query: tables of the engine, views of the session, and tables of catalogs.
//!
//! A query's names are looked up once, before it is planned. Nothing is cached for the next query, so a table of a
//! catalog may appear, change and vanish between queries. A view over such tables is stored as text and planned with
//! each query that reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use arrow_schema::FieldRef;
use async_trait::async_trait;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
    SchemaProvider, TableProvider,
};
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableType};
use futures::stream::{self, FuturesUnordered, StreamExt};
use indago_dialect::NamedColumn;
use indago_table::{CatalogContext, CatalogRef, ColumnSpec, Error as TableError, Past, TableRef, Timestamp, Warning};
use parking_lot::Mutex;

use crate::diagnostic::{self, Code, Error, Result};
use crate::functions;
use crate::past::{self, Scans, Time};
use crate::provider::Provider;
use crate::registry::{CatalogView, Registry};
use crate::state::EngineState;
use crate::table_functions::Called;
use crate::translate::{Names, translate};
use crate::verify::{Moved, Name, Named};

/// The most names that are looked up in catalogs concurrently.
const AT_ONCE: usize = 32;

/// A table of a catalog, for lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundName {
    /// The table.
    pub name: String,
    /// Its catalog.
    pub catalog: String,
}

/// Lookups in catalogs that have no result yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenLookups(Arc<Mutex<BTreeSet<String>>>);

impl OpenLookups {
    /// Waits for a lookup. If the wait is cancelled, the lookup stays in the list: the timeout error names it.
    async fn on<T>(&self, catalog: &CatalogRef, what: &str, answer: impl Future<Output = T>) -> T {
        self.0.lock().insert(question(catalog, what));
        let answer = answer.await;
        self.0.lock().remove(&question(catalog, what));
        answer
    }

    /// Removes the lookups of a name, after one catalog has found it.
    fn settle(&self, catalogs: &[CatalogRef], what: &str) {
        let mut lookups = self.0.lock();
        catalogs.iter().for_each(|catalog| _ = lookups.remove(&question(catalog, what)));
    }

    /// The first lookup without a result.
    pub(crate) fn first(&self) -> Option<String> {
        self.0.lock().first().cloned()
    }
}

fn question(catalog: &CatalogRef, what: &str) -> String {
    format!("catalog `{}` about {what}", catalog.name())
}

/// A catalog that could not be searched.
pub(crate) struct Unsearched {
    catalog: String,
    error: TableError,
}

/// The table of a name in any of the catalogs. They are searched concurrently, and the first table found is used. So a
/// catalog that fails or does not respond matters only for names that no other catalog has.
async fn search(
    catalogs: &[CatalogRef],
    name: &str,
    context: &CatalogContext,
    lookups: &OpenLookups,
) -> Result<Option<TableRef>, Unsearched> {
    let what = format!("table `{name}`");
    let search = |catalog: &CatalogRef| {
        let (catalog, what) = (catalog.clone(), what.clone());
        async move { (lookups.on(&catalog, &what, catalog.table(name, context)).await, catalog) }
    };
    let mut found: FuturesUnordered<_> = catalogs.iter().map(search).collect();
    let mut failed = None;
    while let Some((table, catalog)) = found.next().await {
        match table {
            Ok(Some(table)) => {
                lookups.settle(catalogs, &what);
                return Ok(Some(table));
            }
            Ok(None) => {}
            Err(error) => failed = failed.or(Some(Unsearched { catalog: catalog.name().to_owned(), error })),
        }
    }
    failed.map_or(Ok(None), Err)
}

/// The names of all tables of the catalogs, and a warning for each catalog that cannot list them.
async fn list(
    catalogs: &[CatalogRef],
    context: &CatalogContext,
    lookups: &OpenLookups,
) -> (BTreeSet<FoundName>, Vec<Warning>) {
    let list = async |catalog: &CatalogRef| lookups.on(catalog, "its tables", catalog.names(context)).await;
    let lists = futures::future::join_all(catalogs.iter().map(list)).await;
    let (mut found, mut warnings) = (BTreeSet::new(), Vec::new());
    for (catalog, names) in catalogs.iter().zip(lists) {
        let catalog = catalog.name();
        match names {
            Ok(names) => {
                found.extend(names.into_iter().map(|name| FoundName { name, catalog: catalog.to_owned() }));
            }
            Err(error) => warnings.extend(unlisted(catalog, &error)),
        }
    }
    (found, warnings)
}

fn unlisted(catalog: &str, error: &TableError) -> Option<Warning> {
    let warning = Warning::of(catalog, "names of its tables", error);
    warning.or_else(|| Warning::of(catalog, "names of its tables", &TableError::Unavailable(error.to_string())))
}

/// The names of a query that are resolved.
pub(crate) struct Known {
    registry: Arc<Registry>,
    context: CatalogContext,
    lookups: OpenLookups,
    /// Tables of catalogs.
    found: BTreeMap<String, TableRef>,
    /// Tables of functions that the query calls in FROM.
    pub(crate) called: Vec<Called>,
    /// Tables with `FOR SYSTEM_TIME`, by the names that stand for them, and the time that is read.
    moved: BTreeMap<String, (TableRef, Option<Timestamp>)>,
    /// Views over these tables.
    views: BTreeMap<String, Arc<dyn TableProvider>>,
    /// Views that are being planned.
    open: Vec<String>,
    /// Names that were looked up in catalogs.
    looked_up: BTreeSet<String>,
    /// The names of all tables of catalogs, once they are needed.
    listed: Option<BTreeSet<String>>,
    /// Warnings about catalogs.
    pub(crate) warnings: Vec<Warning>,
}

impl Known {
    /// The names of the engine and its session, without catalogs.
    pub(crate) fn of(registry: &Arc<Registry>, moment: Timestamp, lookups: OpenLookups) -> Self {
        Known {
            registry: registry.clone(),
            context: CatalogContext::new(registry.engine.gate.clone(), moment),
            lookups,
            found: BTreeMap::new(),
            called: Vec::new(),
            moved: BTreeMap::new(),
            views: BTreeMap::new(),
            open: Vec::new(),
            looked_up: BTreeSet::new(),
            listed: None,
            warnings: Vec::new(),
        }
    }

    fn catalogs(&self) -> Arc<[CatalogRef]> {
        self.registry.engine.catalogs.clone()
    }

    /// Whether the query uses tables of catalogs, of functions in FROM, or with `FOR SYSTEM_TIME`.
    pub(crate) fn uses_catalogs(&self) -> bool {
        !self.found.is_empty() || !self.called.is_empty() || !self.views.is_empty() || !self.moved.is_empty()
    }

    /// The name as it is looked up: without the default catalog and schema.
    fn own(&self, name: &Name) -> String {
        let (default_catalog, default_schema) = self.registry.defaults();
        let parts = match name.0.as_slice() {
            [catalog, rest @ ..] if rest.len() == 2 && *catalog == default_catalog => rest,
            parts => parts,
        };
        match parts {
            [schema, table] if *schema == default_schema || schema == "main" => table.clone(),
            parts => parts.join("."),
        }
    }

    /// The names that neither the engine nor the session has, and that need catalogs.
    pub(crate) fn unknown(&self, named: &Named) -> Vec<String> {
        let is_known = |name: &str| self.registry.table(name).is_some() || self.registry.provider(name).is_some();
        let names = named.tables.iter().map(|name| self.own(name));
        names.filter(|name| !forms(name).any(|form| is_known(&form))).collect()
    }

    /// Looks up the names of a statement. Returns the views among them that must still be planned.
    pub(crate) async fn learn(&mut self, named: &Named) -> Result<Vec<(String, CatalogView)>> {
        let catalogs = self.catalogs();
        if catalogs.is_empty() && self.registry.catalog_views().is_empty() {
            return Ok(Vec::new());
        }
        let (mut views, mut names) = (Vec::new(), Vec::new());
        for name in self.unknown(named) {
            let view = forms(&name).find_map(|form| Some((self.registry.catalog_view(&form)?, form)));
            match view {
                Some((view, name)) if !self.views.contains_key(&name) => views.push((name, view)),
                Some(_) => {}
                None => names.push(name),
            }
        }
        let mut is_missing = false;
        for (name, answer) in self.look_up(names).await {
            match answer {
                Ok(is_there) => is_missing |= !is_there,
                Err(unsearched) => return Err(self.unsearched(&name, &unsearched)),
            }
        }
        if (is_missing || named.lists) && self.listed.is_none() {
            let (found, warnings) = list(&catalogs, &self.context, &self.lookups).await;
            self.listed = Some(found.into_iter().map(|found| found.name).collect());
            // For a suggestion alone, warnings are not reported.
            if named.lists {
                self.warnings = warnings;
            }
        }
        if named.lists {
            // A query about the columns of tables names these tables in texts.
            let is_listed = |text: &&String| self.listed.as_ref().is_some_and(|listed| listed.contains(*text));
            let mentioned = named.texts.iter().filter(is_listed).cloned().collect();
            for (name, answer) in self.look_up(mentioned).await {
                if let Err(Unsearched { catalog, error }) = answer {
                    self.warnings.extend(Warning::of(&name, &format!("catalog {catalog}"), &error));
                }
            }
        }
        Ok(views)
    }

    /// Looks up names, each once. Returns whether the tables exist.
    async fn look_up(&mut self, names: Vec<String>) -> Vec<(String, Result<bool, Unsearched>)> {
        let names: Vec<String> = names.into_iter().filter(|name| self.looked_up.insert(name.clone())).collect();
        let (catalogs, context, lookups) = (self.catalogs(), &self.context, &self.lookups);
        let look_up = |name: String| {
            let catalogs = catalogs.clone();
            async move {
                let mut answer = Ok(None);
                for form in forms(&name) {
                    answer = search(&catalogs, &form, context, lookups).await.map(|table| Some((form, table?)));
                    if !matches!(answer, Ok(None)) {
                        break;
                    }
                }
                (name, answer)
            }
        };
        let answers: Vec<_> = stream::iter(names).map(look_up).buffered(AT_ONCE).collect().await;
        let keep = |(name, answer): (String, Result<Option<(String, TableRef)>, Unsearched>)| {
            let is_there = answer.map(|found| found.map(|(form, table)| self.found.insert(form, table)).is_some());
            (name, is_there)
        };
        answers.into_iter().map(keep).collect()
    }

    fn unsearched(&self, name: &str, Unsearched { catalog, error }: &Unsearched) -> Error {
        let near = self.registry.nearest_table(name);
        Error::catalog(name, catalog, error, near.as_deref())
    }

    /// Starts planning a view.
    pub(crate) fn open(&mut self, view: &str) -> Result<()> {
        if self.open.iter().any(|open| open == view) {
            return Err(Error::new(Code::Plan, format!("view `{view}` reads itself"))
                .with_help("recreate it over other tables"));
        }
        self.open.push(view.to_owned());
        Ok(())
    }

    /// Ends planning a view.
    pub(crate) fn close(&mut self, view: String, plan: LogicalPlan, sql: &str) {
        self.open.retain(|open| *open != view);
        self.views.insert(view, Arc::new(ViewTable::new(plan, Some(sql.to_owned()))));
    }

    /// A table of the engine or of a catalog.
    fn table(&self, name: &str) -> Option<TableRef> {
        let called = || self.called.iter().find(|call| call.name == name).map(|call| call.table.clone());
        let moved = || self.moved.get(name).map(|(table, _)| table.clone());
        self.registry.table(name).or_else(|| self.found.get(name).cloned()).or_else(called).or_else(moved)
    }

    /// Adds a table with `FOR SYSTEM_TIME`, under the name that stands for it.
    pub(crate) fn move_table(&mut self, moved: &Moved, time: Time) -> Result<()> {
        let name = self.own(&moved.table);
        let no_past = || Error::no_past(std::slice::from_ref(&name));
        if let Some(table) = forms(&name).find_map(|form| self.table(&form)) {
            match table.spec().past {
                Past::Kept => {}
                Past::Nothing => return Err(no_past()),
                Past::Timeless => {
                    let message = format!("table `{name}` does not depend on time");
                    return Err(Error::new(Code::NoPast, message).with_help("remove FOR SYSTEM_TIME"));
                }
            }
            let (table, as_of) = match time {
                Time::AsOf(moment) => (table, Some(moment)),
                Time::In(period) => (table.versions(period).ok_or_else(no_past)?, None),
            };
            self.moved.insert(moved.name.clone(), (table, as_of));
            return Ok(());
        }
        let is_about_tables = name.starts_with("information_schema.") || indago_dialect::lists_tables(&name);
        let view = match forms(&name).find_map(|form| self.provider(&form)) {
            Some(provider) => provider.get_logical_plan().map(std::borrow::Cow::into_owned).ok_or_else(no_past)?,
            None if is_about_tables => return Err(no_past()),
            None => {
                let names = indago_dialect::Names::tables(self);
                return Err(diagnostic::no_table(&name, self.registry.why_absent(&name), &names));
            }
        };
        let Time::AsOf(moment) = time else {
            let message = format!("`{name}` is a view, which has no versions of its own");
            let error = Error::new(Code::Unsupported, message);
            return Err(error.with_help("write FOR SYSTEM_TIME after the tables of its query"));
        };
        let functions = &self.registry.functions;
        let view = past::as_of(view, moment, self.context.moment, functions, Scans::OfView);
        let view = view.map_err(|error| self.error(&error, ""))?;
        self.views.insert(moved.name.clone(), Arc::new(ViewTable::new(view, None)));
        Ok(())
    }

    /// The timestamp of the query.
    pub(crate) fn now(&self) -> Timestamp {
        self.context.moment
    }

    fn provider(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        self.views.get(name).cloned().or_else(|| self.registry.provider(name))
    }

    /// The session's state, extended with all resolved names.
    pub(crate) fn state(&self) -> SessionState {
        let mut state = self.registry.state();
        let listed = self.listed.iter().flatten().map(|name| (name.clone(), TableType::Base));
        let views = self.registry.catalog_views().into_iter().map(|name| (name, TableType::View));
        let mut names: BTreeMap<String, TableType> = listed.chain(views).collect();
        if names.is_empty() && !self.uses_catalogs() {
            return state;
        }
        let engine = &self.registry.engine;
        let provider = |table: &TableRef| Arc::new(Provider::new(engine.clone(), table.clone())) as _;
        let mut tables: BTreeMap<String, Arc<dyn TableProvider>> = self.views.clone();
        tables.extend(self.found.iter().map(|(name, table)| (name.clone(), provider(table))));
        tables.extend(self.called.iter().map(|call| (call.name.clone(), provider(&call.table))));
        let moved = |table: &TableRef, as_of| Provider { as_of, ..Provider::new(engine.clone(), table.clone()) };
        tables.extend(
            self.moved.iter().map(|(name, (table, as_of))| (name.clone(), Arc::new(moved(table, *as_of)) as _)),
        );
        names.retain(|name, _| !name.contains('.'));
        let catalogs = over(&state, |base| CatalogSchema { base, tables, names, search: None });
        state.register_catalog_list(catalogs);
        state
    }

    pub(crate) fn error(&self, error: &DataFusionError, sql: &str) -> Error {
        let tables = || indago_dialect::Names::tables(self);
        let columns = |table: &str| match self.table(table) {
            Some(table) => table.spec().columns.iter().map(|column| column.name.to_string()).collect(),
            None => Vec::new(),
        };
        let absent = |table: &str| self.registry.why_absent(table);
        let functions = || functions::of(&self.registry);
        let arranged = |columns| self.registry.arranged(columns);
        let names =
            Names { tables: &tables, columns: &columns, functions: &functions, absent: &absent, arranged: &arranged };
        translate(error, sql, &names)
    }
}

/// The possible forms of a name. Quoted names match in any case, as in SQLite.
fn forms(name: &str) -> impl Iterator<Item = String> {
    let lower = name.to_lowercase();
    std::iter::once(name.to_owned()).chain((lower != name).then_some(lower))
}

impl indago_dialect::Names for Known {
    fn columns(&self, table: &str) -> Option<Vec<NamedColumn>> {
        let table = &*self.own(&Name(table.split('.').map(str::to_owned).collect()));
        if let Some(table) = self.table(table) {
            return Some(table.spec().columns.iter().map(named_column).collect());
        }
        // Views, and tables that embedders registered in the session.
        let column = |field: &FieldRef| {
            let mut column = NamedColumn::new(field.name(), field.data_type().clone());
            let collation = field.metadata().get(indago_dialect::COLLATION_METADATA);
            column.collation = collation.and_then(|name| indago_dialect::Collation::named(name)).unwrap_or_default();
            column
        };
        Some(self.provider(table)?.schema().fields().iter().map(column).collect())
    }

    fn tables(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = self.registry.table_names().into_iter().collect();
        names.extend(self.registry.catalog_views());
        names.extend(self.found.keys().cloned());
        names.extend(self.listed.iter().flatten().cloned());
        names.into_iter().collect()
    }
}

fn named_column(column: &ColumnSpec) -> NamedColumn {
    NamedColumn {
        name: column.name.to_string(),
        data_type: Some(column.kind.data_type()),
        collation: column.collation.name().and_then(indago_dialect::Collation::named).unwrap_or_default(),
        hidden: column.hidden,
        yields: column.added,
    }
}

/// A table of the engine or of a catalog.
pub(crate) async fn find_table(registry: &Arc<Registry>, name: &str) -> Result<Option<TableRef>> {
    let named = registry.tables().iter().find(|table| table.spec().name.eq_ignore_ascii_case(name)).cloned();
    let engine = &registry.engine;
    if named.is_some() || engine.catalogs.is_empty() {
        return Ok(named);
    }
    let limit = engine.limits.timeout.unwrap_or(engine.limits.call_timeout);
    let mut known = Known::of(registry, engine.clock.now(), OpenLookups::default());
    let named = Named { tables: [Name(vec![name.to_owned()])].into(), ..Named::default() };
    match tokio::time::timeout(limit, known.learn(&named)).await {
        Ok(learnt) => learnt.map(|_| known.found.into_values().next()),
        Err(_) => Err(Error::unanswered(limit, known.lookups.first())),
    }
}

/// The names of all tables of catalogs, and warnings about catalogs that could not list theirs.
pub(crate) async fn found_names(registry: &Registry) -> (Vec<FoundName>, Vec<Warning>) {
    let engine = &registry.engine;
    let limit = engine.limits.timeout.unwrap_or(engine.limits.call_timeout);
    let context = CatalogContext::new(engine.gate.clone(), engine.clock.now());
    let (mut found, mut warnings) = (BTreeSet::new(), Vec::new());
    let lists = engine.catalogs.iter().map(async |catalog| {
        let lookups = OpenLookups::default();
        let listed = list(std::slice::from_ref(catalog), &context, &lookups);
        tokio::time::timeout(limit, listed).await.unwrap_or_else(|_| {
            let error = TableError::TimedOut { what: "names of its tables".to_owned(), limit };
            (BTreeSet::new(), unlisted(catalog.name(), &error).into_iter().collect())
        })
    });
    for (names, missing) in futures::future::join_all(lists).await {
        found.extend(names);
        warnings.extend(missing);
    }
    found.retain(|found: &FoundName| registry.table(&found.name).is_none());
    (found.into_iter().collect(), warnings)
}

/// The error for a DataFusion error in a session's SQL.
pub(crate) fn error(registry: &Arc<Registry>, error: &DataFusionError, sql: &str) -> Error {
    Known::of(registry, registry.engine.clock.now(), OpenLookups::default()).error(error, sql)
}

/// A session's catalogs with another default schema. Tables of `schema` that have a qualified name are put into schemas
/// of that name.
pub(crate) fn over(
    state: &SessionState,
    schema: impl FnOnce(Arc<dyn SchemaProvider>) -> CatalogSchema,
) -> Arc<dyn CatalogProviderList> {
    let defaults = &state.config_options().catalog;
    let catalog = state.catalog_list().catalog(&defaults.default_catalog);
    let base = catalog.as_ref().and_then(|catalog| catalog.schema(&defaults.default_schema));
    let mut schema = schema(base.unwrap_or_else(|| Arc::new(MemorySchemaProvider::new())));
    let mut others: BTreeMap<String, Arc<MemorySchemaProvider>> = BTreeMap::new();
    schema.tables.retain(|name, table| {
        // The name of a table with FOR SYSTEM_TIME is not qualified.
        let Some((other, name)) = name.split_once('.').filter(|(schema, _)| !schema.contains(' ')) else { return true };
        let other = others.entry(other.to_owned()).or_default();
        other.register_table(name.to_owned(), table.clone()).expect("the names of a schema are distinct");
        false
    });
    let schemas = MemoryCatalogProvider::new();
    let in_memory = "a catalog in memory takes any schema";
    schemas.register_schema(&defaults.default_schema, Arc::new(schema)).expect(in_memory);
    for (name, other) in others {
        schemas.register_schema(&name, other).expect(in_memory);
    }
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(defaults.default_catalog.clone(), Arc::new(schemas));
    Arc::new(catalogs)
}

/// A schema that also has tables of catalogs.
pub(crate) struct CatalogSchema {
    pub(crate) base: Arc<dyn SchemaProvider>,
    /// Tables that are already resolved.
    pub(crate) tables: BTreeMap<String, Arc<dyn TableProvider>>,
    /// Further names for lists.
    pub(crate) names: BTreeMap<String, TableType>,
    /// Look up all other names in the catalogs of this engine.
    pub(crate) search: Option<Arc<EngineState>>,
}

impl fmt::Debug for CatalogSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogSchema").field("tables", &self.tables.keys()).finish_non_exhaustive()
    }
}

#[async_trait]
impl SchemaProvider for CatalogSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = self.base.table_names().into_iter().collect();
        names.extend(self.names.keys().chain(self.tables.keys()).cloned());
        names.into_iter().collect()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        if let Some(known) = self.tables.get(name) {
            return Ok(Some(known.clone()));
        }
        if let Some(own) = self.base.table(name).await? {
            return Ok(Some(own));
        }
        let Some(engine) = &self.search else { return Ok(None) };
        let context = CatalogContext::new(engine.gate.clone(), engine.clock.now());
        match search(&engine.catalogs, name, &context, &OpenLookups::default()).await {
            Ok(table) => Ok(table.map(|table| Arc::new(Provider::new(engine.clone(), table)) as _)),
            Err(Unsearched { catalog, error }) => {
                Err(DataFusionError::External(Box::new(Error::catalog(name, &catalog, &error, None))))
            }
        }
    }

    /// Listing does not create tables.
    async fn table_type(&self, name: &str) -> PlanResult<Option<TableType>> {
        match self.tables.get(name) {
            Some(known) => Ok(Some(known.table_type())),
            None if self.base.table_exist(name) => self.base.table_type(name).await,
            None => Ok(self.names.get(name).copied()),
        }
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        self.base.register_table(name, table)
    }

    fn deregister_table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        self.base.deregister_table(name)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name) || self.base.table_exist(name)
    }
}
