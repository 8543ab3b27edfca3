//! A table as DataFusion sees it. The project's only `impl TableProvider`: each one costs seconds of compile time.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use indago_table::{Constraints, TableRef};

use crate::constraints::{self, Answer};
use crate::exec::{Binding, ScanExec};
use crate::state::Shared;

/// A table in an engine; in a plan, also which of the plan's scans it is and which keys a join brings it.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) engine: Arc<Shared>,
    pub(crate) table: TableRef,
    pub(crate) leaf: Option<usize>,
    pub(crate) binding: Option<Binding>,
    pub(crate) schema: SchemaRef,
}

impl Provider {
    pub(crate) fn new(engine: Arc<Shared>, table: TableRef) -> Self {
        let schema = table.spec().schema();
        Provider { engine, table, leaf: None, binding: None, schema }
    }

    fn plan(
        &self,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let constraints = constraints::of(self.table.spec(), filters);
        let scan =
            ScanExec::new(self.engine.clone(), self.table.clone(), columns, constraints, limit, self.binding.clone())?;
        Ok(Arc::new(scan))
    }
}

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.plan(projection, filters, limit)
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let spec = self.table.spec();
        let answer = |filter: &&Expr| match constraints::add(spec, filter, &mut Constraints::default()) {
            Answer::Exact => TableProviderFilterPushDown::Exact,
            Answer::Hint => TableProviderFilterPushDown::Inexact,
            Answer::None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(answer).collect())
    }
}
