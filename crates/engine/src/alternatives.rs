//! Scans with alternative constraints (`OR`): the table is read for each alternative in turn, and no row is returned
//! twice.

use std::collections::HashSet;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::{Stream, StreamExt};
use indago_table::ScanContext;

/// The rows of several alternatives. A row that equals a row of an earlier alternative in the constrained columns
/// (given by position in the batches) is dropped; equal rows of one alternative are kept. The remembered rows are
/// charged to the query's memory.
pub(crate) fn in_turn<R>(
    readings: Vec<ScanContext>,
    start: impl Fn(ScanContext) -> R + Send,
    told_apart_by: Vec<usize>,
    memory: MemoryReservation,
) -> impl Stream<Item = Result<RecordBatch>> + Send
where
    R: Stream<Item = Result<RecordBatch>> + Send + Unpin,
{
    async_stream::try_stream! {
        let mut earlier: HashSet<OwnedRow> = HashSet::new();
        let mut converter: Option<RowConverter> = None;
        let mut readings = readings.into_iter();
        while let Some(context) = readings.next() {
            let mut own = HashSet::new();
            let mut rows = start(context);
            while let Some(batch) = rows.next().await {
                let batch = batch?;
                let looked_at = batch.project(&told_apart_by)?;
                let converter = match &mut converter {
                    Some(converter) => converter,
                    None => converter.insert(converter_of(&looked_at)?),
                };
                let looked_at = converter.convert_columns(looked_at.columns())?;
                let is_new: Vec<bool> = looked_at.iter().map(|row| !earlier.contains(&row.owned())).collect();
                if readings.len() > 0 {
                    let before = own.len();
                    own.extend(looked_at.iter().map(|row| row.owned()));
                    let row = looked_at.size() / looked_at.num_rows().max(1);
                    memory.try_grow((own.len() - before) * (row + size_of::<OwnedRow>()))?;
                }
                yield filter_record_batch(&batch, &BooleanArray::from(is_new))?;
            }
            earlier.extend(own);
        }
    }
}

fn converter_of(batch: &RecordBatch) -> Result<RowConverter> {
    let fields = batch.columns().iter().map(|column| SortField::new(column.data_type().clone()));
    Ok(RowConverter::new(fields.collect())?)
}
