//! The conditions of a scan, and the columns that it reads for them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::filter::filter_record_batch;
use indago_table::{Error, Result, RowFilter, ScanContext};

/// The conditions of a scan, and the columns that it reads.
pub(crate) struct Conditions {
    /// The columns that are wanted or that conditions need, ascending.
    pub(crate) needed: Vec<usize>,
    /// The schema of these columns.
    pub(crate) schema: SchemaRef,
    /// The conditions, with the positions of their columns in `needed`.
    pub(crate) filters: Vec<(Arc<dyn RowFilter>, Vec<usize>)>,
    /// The positions of the wanted columns in `needed`.
    wanted: Vec<usize>,
}

impl Conditions {
    /// Those of a scan of a table with this schema, and further ones.
    pub(crate) fn new(
        table: &SchemaRef,
        context: &ScanContext,
        further: Vec<Arc<dyn RowFilter>>,
    ) -> Result<Self, ArrowError> {
        let filters: Vec<Arc<dyn RowFilter>> = context.filters.iter().cloned().chain(further).collect();
        let columns = filters.iter().flat_map(|filter| filter.columns()).chain(context.columns.iter());
        let needed: Vec<usize> = columns.copied().collect::<BTreeSet<_>>().into_iter().collect();
        let positions = |of: &[usize]| of.iter().filter_map(|column| needed.binary_search(column).ok()).collect();
        Ok(Conditions {
            schema: Arc::new(table.project(&needed)?),
            filters: filters.iter().map(|filter| (filter.clone(), positions(filter.columns()))).collect(),
            wanted: positions(&context.columns),
            needed,
        })
    }

    /// The rows that meet the conditions, up to the limit, with the wanted columns.
    pub(crate) fn met(
        &self,
        mut batch: RecordBatch,
        context: &ScanContext,
        failed: impl Fn(ArrowError) -> Error,
    ) -> Result<RecordBatch> {
        for (filter, columns) in &self.filters {
            let mask = filter.keep(&batch.project(columns).map_err(&failed)?)?;
            batch = filter_record_batch(&batch, &mask).map_err(&failed)?;
        }
        if let Some(limit) = context.limit {
            let given = context.given.fetch_add(batch.num_rows(), Ordering::Relaxed);
            batch = batch.slice(0, limit.saturating_sub(given).min(batch.num_rows()));
        }
        batch.project(&self.wanted).map_err(failed)
    }
}
