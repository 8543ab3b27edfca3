//! Tables that are found when a query names them.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::scan::{self, BoxFuture, Gate, Meter, OpenGate};
use crate::table::TableRef;
use crate::value::Timestamp;

/// Tables that are not known when an engine is built: the resources that a cluster defines, the folders of a store.
///
/// An engine asks its catalogs about each name of a query that none of its own tables has, once a query, all catalogs and
/// names at the same time, within the query's time limit. It keeps no answer for the next query: a catalog that is slow to
/// answer keeps its own.
pub trait Catalog: fmt::Debug + Send + Sync + 'static {
    /// What errors and lists call it: `kubernetes`, `history`.
    fn name(&self) -> &str;

    /// The table of a name; `None` if there is none. The name comes as the query writes it, without upper case unless it
    /// is quoted, and with its schema if that is not the engine's own: `widgets`, `history.widgets`.
    ///
    /// The table's [`TableSpec`](crate::TableSpec) has the same name.
    ///
    /// An error fails the queries that name a table which no other catalog has.
    fn table<'a>(&'a self, name: &'a str, asking: &'a Asking) -> BoxFuture<'a, Result<Option<TableRef>>>;

    /// The names of all its tables, for lists and suggestions: no table is made for it.
    fn names<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Vec<String>>>;
}

/// A shared catalog.
pub type CatalogRef = Arc<dyn Catalog>;

/// What an engine lends to a catalog that it asks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Asking {
    /// Pacing of API calls.
    pub gate: Arc<dyn Gate>,
    /// Counters, and the flag that says to stop.
    pub meter: Arc<Meter>,
    /// The moment of the query.
    pub moment: Timestamp,
}

impl Asking {
    /// What to ask with, under an engine's pacing.
    pub fn new(gate: Arc<dyn Gate>, moment: Timestamp) -> Self {
        Asking { gate, meter: Arc::default(), moment }
    }

    /// Makes one API call under the engine's limits, as [`Scan::call`](crate::Scan::call) does.
    pub async fn call<R, F, Fut>(&self, endpoint: &str, what: &str, attempt: F) -> Result<R>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        scan::call(&*self.gate, &self.meter, endpoint, what, attempt).await
    }
}

/// Outside any engine, at the present moment.
impl Default for Asking {
    fn default() -> Self {
        Asking::new(Arc::new(OpenGate), Timestamp::from(crate::sys::wall_clock()))
    }
}
