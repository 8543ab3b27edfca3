//! Tables that are found when a query names them.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::scan::{self, BoxFuture, Gate, Meter, OpenGate};
use crate::table::TableRef;
use crate::value::Timestamp;

/// Tables that are not known when an engine is built: the resources that a cluster defines, the directories of a store.
///
/// If a query names a table that the engine does not have, the engine looks the name up in its catalogs: once per
/// query, all catalogs and names concurrently, within the query's timeout. The engine caches no result across queries;
/// a slow catalog should have its own cache.
pub trait Catalog: fmt::Debug + Send + Sync + 'static {
    /// The catalog's name in errors and lists: `kubernetes`, `history`.
    fn name(&self) -> &str;

    /// The table with a name; `None` if there is none. The name is as in the query: in lowercase unless it is quoted,
    /// and with its schema unless that is the engine's: `widgets`, `history.widgets`.
    ///
    /// The table's [`TableSpec`](crate::TableSpec) must have the same name.
    ///
    /// An error fails the queries that name a table which no other catalog has.
    fn table<'a>(&'a self, name: &'a str, context: &'a CatalogContext) -> BoxFuture<'a, Result<Option<TableRef>>>;

    /// The names of all its tables, for lists and suggestions. Creates no tables.
    fn names<'a>(&'a self, context: &'a CatalogContext) -> BoxFuture<'a, Result<Vec<String>>>;
}

/// A shared catalog.
pub type CatalogRef = Arc<dyn Catalog>;

/// What an engine provides to a catalog for a lookup.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CatalogContext {
    /// Limits of API calls.
    pub gate: Arc<dyn Gate>,
    /// Counters and the cancel flag.
    pub meter: Arc<Meter>,
    /// The timestamp of the query.
    pub moment: Timestamp,
}

impl CatalogContext {
    /// A lookup with an engine's limits.
    pub fn new(gate: Arc<dyn Gate>, moment: Timestamp) -> Self {
        CatalogContext { gate, meter: Arc::default(), moment }
    }

    /// Makes one API call within the engine's limits, like [`Scan::call`](crate::Scan::call).
    pub async fn call<R, F, Fut>(&self, endpoint: &str, what: &str, attempt: F) -> Result<R>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        scan::call(&*self.gate, &self.meter, || Ok(()), endpoint, what, attempt).await
    }
}

/// Outside any engine, at the current time.
impl Default for CatalogContext {
    fn default() -> Self {
        CatalogContext::new(Arc::new(OpenGate), Timestamp::from(crate::sys::wall_clock()))
    }
}
