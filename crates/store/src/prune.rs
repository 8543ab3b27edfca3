//! Which row groups and pages of a Parquet file may have rows that a query wants, by the statistics in the file.
//!
//! A column without usable statistics excludes nothing. See ADR 0013 for what is not usable, and why.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Schema, SchemaRef};
use indago_table::RowFilter;
use indago_table::scan::{ColumnStatistics, RowGroups};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};

use crate::input::Input;
use crate::table::{as_stored, wide};

/// The conditions of a scan, and a file's metadata.
pub(crate) struct Pruning<'a> {
    pub(crate) file: &'a ArrowReaderMetadata,
    /// All columns of the table.
    pub(crate) table: &'a SchemaRef,
    pub(crate) filters: &'a [Arc<dyn RowFilter>],
}

impl<'a> Pruning<'a> {
    /// The row groups to read.
    pub(crate) fn groups(&self) -> Vec<usize> {
        let all: Vec<usize> = (0..self.file.metadata().num_row_groups()).collect();
        // Statistics of a damaged file may cause a panic in the Parquet reader.
        let left = catch_unwind(AssertUnwindSafe(|| {
            let mut left = all.clone();
            for filter in self.filters {
                if let Some(may_keep) = self.of_groups(&**filter, &left) {
                    let mut may_keep = may_keep.into_iter();
                    left.retain(|_| may_keep.next().unwrap_or(true));
                }
            }
            left
        }));
        left.unwrap_or(all)
    }

    fn of_groups(&self, filter: &dyn RowFilter, groups: &[usize]) -> Option<Vec<bool>> {
        let all = self.file.metadata().row_groups();
        let metadata = || groups.iter().map(|group| &all[*group]);
        let rows = metadata().map(|group| u64::try_from(group.num_rows()).ok()).collect::<Option<Vec<_>>>()?;
        let columns = filter.columns().iter().map(|column| {
            let (converter, wanted) = self.column(*column)?;
            let position = converter.parquet_column_index()?;
            let statistics = || metadata().filter_map(|group| group.column(position).statistics());
            // Old writers ordered texts and unsigned numbers as if they were signed.
            if statistics().any(|statistics| statistics.is_min_max_deprecated()) {
                return None;
            }
            Some(ColumnStatistics {
                minima: values(&converter.row_group_mins(metadata()).ok()?, wanted)?,
                maxima: values(&converter.row_group_maxes(metadata()).ok()?, wanted)?,
                nulls: converter.row_group_null_counts(metadata()).ok()?,
            })
        });
        filter.may_keep(&RowGroups { rows, columns: columns.collect() })
    }

    /// The file's metadata with its page index, if it may help.
    pub(crate) fn with_page_index(&self, input: &Input) -> Option<ArrowReaderMetadata> {
        let is_indexed = |filter: &Arc<dyn RowFilter>| {
            let [column] = filter.columns() else { return false };
            let position = self.column(*column).and_then(|(converter, _)| converter.parquet_column_index());
            let mut groups = self.file.metadata().row_groups().iter();
            position.is_some_and(|at| groups.any(|group| group.column(at).column_index_offset().is_some()))
        };
        if !self.filters.iter().any(is_indexed) {
            return None;
        }
        let read = || {
            let metadata = self.file.metadata().as_ref().clone();
            let reader = ParquetMetaDataReader::new_with_metadata(metadata);
            let mut reader = reader.with_page_index_policy(PageIndexPolicy::Optional);
            reader.read_page_indexes(input).ok()?;
            ArrowReaderMetadata::try_new(reader.finish().ok()?.into(), ArrowReaderOptions::new()).ok()
        };
        // A damaged index must not cost the rows.
        catch_unwind(AssertUnwindSafe(read)).ok()?
    }

    /// The rows to read of some row groups, by their pages; `None` for all rows.
    pub(crate) fn rows(&self, groups: &[usize]) -> Option<RowSelection> {
        let select = || {
            let own = self.filters.iter().filter_map(|filter| self.of_pages(&**filter, groups));
            own.reduce(|rows, own| rows.intersection(&own))
        };
        catch_unwind(AssertUnwindSafe(select)).ok()?
    }

    /// Pages of different columns have different rows, so a condition on several columns selects none.
    fn of_pages(&self, filter: &dyn RowFilter, groups: &[usize]) -> Option<RowSelection> {
        let [column] = filter.columns() else { return None };
        let (converter, wanted) = self.column(*column)?;
        let metadata = self.file.metadata();
        let (index, offsets) = (metadata.column_index()?, metadata.offset_index()?);
        let rows = converter.data_page_row_counts(offsets, metadata.row_groups(), groups).ok()??;
        let rows: Vec<u64> = rows.values().to_vec();
        let statistics = ColumnStatistics {
            minima: values(&converter.data_page_mins(index, offsets, groups).ok()?, wanted)?,
            maxima: values(&converter.data_page_maxes(index, offsets, groups).ok()?, wanted)?,
            nulls: converter.data_page_null_counts(index, offsets, groups).ok()?,
        };
        let may_keep = filter.may_keep(&RowGroups { rows: rows.clone(), columns: vec![Some(statistics)] })?;
        let in_groups = groups.iter().map(|group| metadata.row_group(*group).num_rows()).sum::<i64>();
        let is_complete = u64::try_from(in_groups) == Ok(rows.iter().sum()) && may_keep.len() == rows.len();
        let selector = |(rows, may_keep): (&u64, bool)| {
            let rows = usize::try_from(*rows).ok()?;
            Some(if may_keep { RowSelector::select(rows) } else { RowSelector::skip(rows) })
        };
        let selectors: Option<Vec<RowSelector>> = rows.iter().zip(may_keep).map(selector).collect();
        selectors.filter(|_| is_complete).map(RowSelection::from)
    }

    /// The statistics of a column, and its type in the table; `None` unless its values have the same order in both.
    ///
    /// NaN is greater than every number, and not part of the statistics.
    fn column(&self, position: usize) -> Option<(StatisticsConverter<'a>, &'a DataType)> {
        let wanted = self.table.fields().get(position)?;
        let schema: &Schema = self.file.schema();
        let stored = schema.field_with_name(wanted.name()).ok()?.data_type();
        let has_own_type = *stored == *wanted.data_type() || wide(stored) == *wanted.data_type();
        if !has_own_type || stored.is_floating() || stored.is_nested() {
            return None;
        }
        let converter = StatisticsConverter::try_new(wanted.name(), schema, self.file.parquet_schema()).ok()?;
        // A group without the number may have NULLs.
        Some((converter.with_missing_null_counts_as_zero(false), wanted.data_type()))
    }
}

/// Statistics as values of the table; `None` if one of them does not fit.
fn values(array: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    let mut fits = true;
    let values = as_stored(array, wanted, |_, _| fits = false).ok()?;
    fits.then_some(values)
}
