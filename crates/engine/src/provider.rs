//! A table as DataFusion sees it. The project's only `impl TableProvider`: each one costs seconds of compile time.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion::catalog::default_table_source::{DefaultTableSource, source_as_provider};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableScan, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::future::BoxFuture;
use indago_table::{Constraints, TableRef, Timestamp};

use crate::condition::{self, Condition};
use crate::constraints;
use crate::exec::ScanExec;
use crate::request::{Binding, Request};
use crate::state::EngineState;

/// A table of an engine. In a plan, also the number of the scan, and the keys that it gets from a join.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) engine: Arc<EngineState>,
    pub(crate) table: TableRef,
    pub(crate) leaf: Option<usize>,
    pub(crate) binding: Option<Binding>,
    /// Columns with conditions that need keys and have none.
    pub(crate) without_key: Arc<[usize]>,
    /// The past time whose rows are wanted.
    pub(crate) as_of: Option<Timestamp>,
    pub(crate) schema: SchemaRef,
}

impl Provider {
    pub(crate) fn new(engine: Arc<EngineState>, table: TableRef) -> Self {
        let schema = table.spec().schema();
        Provider { engine, table, leaf: None, binding: None, without_key: Arc::default(), as_of: None, schema }
    }

    fn plan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let spec = self.table.spec();
        let unanswered = constraints::unanswered(spec, filters);
        let (mut constraints, mut alternatives) = (constraints::of(spec, filters), Vec::new());
        if self.binding.is_none() {
            match constraints::alternatives(spec, filters).map(<[Constraints; 1]>::try_from) {
                Some(Ok([only])) => constraints = only,
                Some(Err(several)) => alternatives = several,
                None => {}
            }
        }
        let request = Request {
            columns,
            constraints: Arc::new(constraints),
            alternatives: alternatives.into(),
            conditions: unanswered.map(|filter| Condition::new(filter, spec, session)).collect::<Result<_>>()?,
            limit,
            as_of: self.as_of,
        };
        let scan = ScanExec::new(self.engine.clone(), self.table.clone(), request, self.binding.clone())?;
        Ok(Arc::new(scan.with_columns_without_key(self.without_key.clone())))
    }
}

impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    // Without `#[async_trait]`: where a method has bounds between lifetimes, rustc proves anew for each of them that all
    // types within `Expr` are `Sync`, which takes seconds (findings/datafusion-async-trait-compile-time.sh).
    fn scan<'a, 'b, 'c, 'd, 'f>(
        &'a self,
        session: &'b dyn Session,
        projection: Option<&'c Vec<usize>>,
        filters: &'d [Expr],
        limit: Option<usize>,
    ) -> BoxFuture<'f, Result<Arc<dyn ExecutionPlan>>>
    where
        'a: 'f,
        'b: 'f,
        'c: 'f,
        'd: 'f,
    {
        ready(self.plan(session, projection, filters, limit))
    }

    /// The scan checks every filter that its table does not apply, before it reads columns that only the remaining rows
    /// need.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match condition::is_of_row(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }
}

fn ready(plan: Result<Arc<dyn ExecutionPlan>>) -> BoxFuture<'static, Result<Arc<dyn ExecutionPlan>>> {
    Box::pin(std::future::ready(plan))
}

/// A plan node that scans one of our tables, and its provider.
pub(crate) fn our_scan(plan: &LogicalPlan) -> Option<(&TableScan, Provider)> {
    let LogicalPlan::TableScan(scan) = plan else { return None };
    let provider = source_as_provider(&scan.source).ok()?;
    provider.downcast_ref::<Provider>().map(|provider| (scan, provider.clone()))
}

/// The same scan with another provider.
pub(crate) fn with_provider(scan: &TableScan, provider: Provider) -> LogicalPlan {
    let source = Arc::new(DefaultTableSource::new(Arc::new(provider)));
    LogicalPlan::TableScan(TableScan { source, ..scan.clone() })
}
