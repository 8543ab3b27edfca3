//! Scans of a stored table: read the row groups that may have wanted rows, several concurrently.

use std::collections::HashSet;
use std::fmt;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray, new_null_array,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::filter::filter_record_batch;
use indago_table::{
    Completeness, Error, Outcome, Reading, Result, RowFilter, Scalar, ScanContext, Sink, Slice, Warning,
};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use crate::conditions::Conditions;
use crate::input::{Contents, Input};
use crate::missing::{CapturedKeys, Missing};
use crate::prune::Pruning;
use crate::table::{CAPTURED_COLUMN, StoredTable, as_stored, moment};

/// The slice of a scan. It opens the file once and finds the parts of the file to read.
pub(crate) fn slice(stored: &StoredTable, context: &ScanContext) -> Result<Slice> {
    let label = context.slice_name(&stored.label);
    let scan = Arc::new(Stored::new(stored, context, label.clone())?);
    let find = move |found: &mut dyn FnMut(Slice) -> bool| scan.find(found);
    Ok(Slice::new(label, Reading::Finding(Box::new(find))))
}

/// A scan of a stored table.
struct Stored {
    table: String,
    contents: Contents,
    label: String,
    /// The time of the capture, in microseconds since 1970.
    captured_at: Option<i64>,
    missing: Arc<[Missing]>,
    /// The keys that the rows were captured for, and the position of their column.
    captured_keys: Option<(Arc<CapturedKeys>, usize)>,
    /// Hidden key columns.
    parameters: Vec<(usize, String)>,
    /// All columns of the table.
    whole: SchemaRef,
    conditions: Conditions,
    context: ScanContext,
}

/// An open file, with its metadata, and again with its page index if that may help.
#[derive(Clone)]
struct Opened {
    input: Input,
    metadata: ArrowReaderMetadata,
    indexed: Option<ArrowReaderMetadata>,
}

impl Stored {
    fn new(stored: &StoredTable, context: &ScanContext, label: String) -> Result<Self> {
        let spec = &stored.spec;
        let whole = spec.schema();
        let conditions = Conditions::new(&whole, context, Vec::new());
        let conditions = conditions.map_err(|error| malformed(&stored.contents, &error))?;
        Ok(Stored {
            table: spec.name.to_string(),
            contents: stored.contents.clone(),
            label,
            captured_at: spec.captured_at.as_deref().and_then(moment),
            missing: stored.missing.clone(),
            captured_keys: stored
                .captured_keys
                .as_ref()
                .and_then(|keys| Some((keys.clone(), spec.column(&keys.column)?))),
            parameters: stored.parameters.iter().map(|at| (*at, spec.columns[*at].name.to_string())).collect(),
            whole,
            conditions,
            context: context.clone(),
        })
    }

    /// Finds the parts of the file, as slices with the label of this one: to a reader they are one slice.
    fn find(self: Arc<Self>, found: &mut dyn FnMut(Slice) -> bool) -> Result<()> {
        let Stored { table, contents, missing, context, conditions, .. } = &*self;
        for (at, missing) in missing.iter().enumerate() {
            // A join reads the table once per batch of keys; report the missing data once.
            if missing.is_of(conditions.schema.fields().iter().map(|field| field.name().as_str()))
                && context.query.is_first(&format!("what {contents} lacks as {table}: {at}"))
            {
                missing.tell_slice(table, &context.query);
                context.query.add(&missing.slice, missing.completeness, missing.warning.clone());
            }
        }
        let mut keys: Vec<Keys> = Vec::new();
        keys.extend(
            self.captured_keys.as_ref().and_then(|(captured, position)| self.captured_for(captured, *position)),
        );
        keys.extend(self.parameters.iter().filter_map(|(position, column)| {
            let wanted = self.keys(*position)?;
            Some(Keys { column: column.clone(), unseen: wanted.clone(), wanted })
        }));
        let filters: &[Arc<dyn RowFilter>] = if keys.is_empty() { &context.filters } else { &[] };
        let (opened, mut groups) = self.guarded(|| {
            let input = Input::open(contents, &context.meter)?;
            let metadata = ArrowReaderMetadata::load(&input, ArrowReaderOptions::new());
            let metadata = metadata.map_err(|error| self.failed(&error))?;
            let pruning = Pruning { file: &metadata, table: &self.whole, filters };
            let groups = pruning.groups();
            let indexed = if groups.is_empty() { None } else { pruning.with_page_index(&input) };
            Ok((Opened { input, metadata, indexed }, groups))
        })?;
        let mut parts = thread::available_parallelism().map_or(1, NonZero::get).min(groups.len());
        if !keys.is_empty() {
            // The keys without a row are known when all rows have been read.
            parts = 1;
        } else if let Some(limit) = context.limit.filter(|_| filters.is_empty()) {
            // The first row groups have enough rows.
            let rows = |group: &usize| opened.metadata.metadata().row_group(*group).num_rows();
            let mut before = 0_i64;
            groups.retain(|group| {
                let is_needed = usize::try_from(before).is_ok_and(|before| before < limit);
                before = before.saturating_add(rows(group).max(0));
                is_needed
            });
            parts = parts.min(groups.len());
        }
        let parts = parts.max(1);
        let mut keys = Some(keys);
        for part in 0..parts {
            let groups = groups[part * groups.len() / parts..(part + 1) * groups.len() / parts].to_vec();
            let (scan, opened, mut keys) = (self.clone(), opened.clone(), keys.take().unwrap_or_default());
            let read = move |sink: &mut dyn Sink| scan.guarded(|| scan.read(opened, groups, &mut keys, sink));
            if !found(Slice::new(self.label.clone(), Reading::Blocking(Box::new(read)))) {
                break;
            }
        }
        Ok(())
    }

    /// The Parquet reader may panic on damaged files.
    fn guarded<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let outcome = catch_unwind(AssertUnwindSafe(work));
        outcome.unwrap_or_else(|_| Err(malformed(&self.contents, &"the file is damaged")))
    }

    /// The error for a file that cannot be read. A cancelled scan stops in the middle of a read.
    fn failed(&self, error: &dyn fmt::Display) -> Error {
        match self.context.meter.is_cancelled() {
            true => Error::Cancelled,
            false => malformed(&self.contents, error),
        }
    }

    /// The keys of a column that the query names.
    fn keys(&self, position: usize) -> Option<HashSet<String>> {
        Some(self.context.constraints.keys(position)?.iter().filter_map(text).collect())
    }

    /// The keys that a query names, of a table that was captured for some keys; reports the others.
    fn captured_for(&self, captured: &CapturedKeys, position: usize) -> Option<Keys> {
        let column = captured.column.clone();
        let wanted = self.keys(position);
        match &wanted {
            None if captured.are_all => {}
            None => {
                let count = captured.keys.len();
                self.report(format!("only the {count} values of `{column}` that other tables mentioned were captured"));
            }
            Some(wanted) => self.report_uncaptured(&column, wanted.iter().filter(|key| !captured.has(key))),
        }
        Some(Keys { column, wanted: wanted?, unseen: HashSet::new() })
    }

    fn report_uncaptured<'a>(&self, column: &str, keys: impl Iterator<Item = &'a String>) {
        let mut keys: Vec<&String> = keys.collect();
        keys.sort_unstable();
        match (keys.first(), keys.len()) {
            (None, _) => {}
            (Some(key), 1) => self.report(format!("{column} = '{key}' was not captured")),
            (Some(key), count) => self.report(format!("{column} = '{key}' and {} more were not captured", count - 1)),
        }
    }

    fn report(&self, message: String) {
        let (table, outcome) = (self.table.clone(), Outcome::Unsupported);
        let warning = Warning { table, origin: String::new(), outcome, message, needs: None, count: 1, lines: None };
        self.context.query.add(&self.label, Completeness::Partial, warning);
    }

    /// Reads some row groups.
    fn read(&self, opened: Opened, groups: Vec<usize>, keys: &mut [Keys], sink: &mut dyn Sink) -> Result<()> {
        let Stored { contents, conditions, context, .. } = self;
        let selected = opened.indexed.filter(|_| keys.is_empty()).and_then(|indexed| {
            let pruning = Pruning { file: &indexed, table: &self.whole, filters: &context.filters };
            pruning.rows(&groups).map(|rows| (indexed, rows))
        });
        // Without a selection, the reader does without the index, which may be damaged.
        let builder = |metadata| ParquetRecordBatchReaderBuilder::new_with_metadata(opened.input, metadata);
        let builder = match selected {
            Some((indexed, rows)) => builder(indexed).with_row_selection(rows),
            None => builder(opened.metadata),
        };
        let in_file = builder.schema().clone();
        let wanted = conditions.schema.fields().iter().map(|field| field.name());
        let names = wanted.chain(keys.iter().map(|keys| &keys.column));
        let mask =
            ProjectionMask::roots(builder.parquet_schema(), names.filter_map(|name| in_file.index_of(name).ok()));
        let mut builder = builder.with_row_groups(groups).with_projection(mask).with_batch_size(context.batch_size);
        if let Some(limit) = context.limit.filter(|_| keys.is_empty() && conditions.filters.is_empty()) {
            builder = builder.with_limit(limit);
        }
        for batch in builder.build().map_err(|error| self.failed(&error))? {
            if context.meter.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let mut batch = batch.map_err(|error| self.failed(&error))?;
            if !keys.is_empty() {
                batch = with_keys(&batch, keys).map_err(|error| malformed(contents, &error))?;
            }
            let batch = conditions.met(self.batch(&batch)?, context, |error| malformed(contents, &error))?;
            context.meter.add_rows(batch.num_rows() as u64);
            let is_wanted = batch.num_rows() == 0 || sink.blocking_send(batch);
            if !is_wanted || context.is_satisfied() {
                return Err(Error::Cancelled);
            }
        }
        keys.iter().for_each(|keys| self.report_uncaptured(&keys.column, keys.unseen.iter()));
        Ok(())
    }

    /// Rows of the file as rows of the table.
    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let Stored { table, contents, conditions: Conditions { schema, .. }, captured_at, context, .. } = self;
        let arrays = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            Some(array) => as_stored(array, field.data_type(), |message, count| {
                let warning = Warning {
                    table: table.clone(),
                    origin: format!("{contents}, {}", field.name()),
                    outcome: Outcome::Malformed,
                    message,
                    needs: None,
                    count,
                    lines: None,
                };
                context.query.add(&self.label, Completeness::Partial, warning);
            })
            .map_err(|error| malformed(contents, &format!("column `{}`: {error}", field.name()))),
            None if field.name() == CAPTURED_COLUMN && captured_at.is_some() => {
                let moments = std::iter::repeat_n(*captured_at, batch.num_rows());
                let moments: ArrayRef = Arc::new(moments.collect::<TimestampMicrosecondArray>());
                cast(&moments, field.data_type()).map_err(|error| malformed(contents, &error))
            }
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        });
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(|error| malformed(contents, &error))
    }
}

/// A column as text; NULL if the file does not have it.
fn column_of(batch: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
    match batch.column_by_name(name) {
        Some(array) => cast(array, &DataType::Utf8View),
        None => Ok(new_null_array(&DataType::Utf8View, batch.num_rows())),
    }
}

/// The rows with the keys that a query names. Notes the keys that have rows.
fn with_keys(batch: &RecordBatch, keys: &mut [Keys]) -> Result<RecordBatch, ArrowError> {
    let columns = keys.iter().map(|keys| column_of(batch, &keys.column)).collect::<Result<Vec<_>, _>>()?;
    for (keys, column) in keys.iter_mut().zip(&columns).filter(|(keys, _)| !keys.unseen.is_empty()) {
        column.as_string_view().iter().flatten().for_each(|text| _ = keys.unseen.remove(text));
    }
    let is_wanted = |row: usize| {
        keys.iter().zip(&columns).all(|(keys, column)| {
            let column = column.as_string_view();
            column.is_valid(row) && keys.wanted.contains(column.value(row))
        })
    };
    let wanted = BooleanArray::from_iter((0..batch.num_rows()).map(|row| Some(is_wanted(row))));
    filter_record_batch(batch, &wanted)
}

/// The keys of a column that a query names.
struct Keys {
    column: String,
    wanted: HashSet<String>,
    /// Keys without a row so far. Only a row proves that a key was captured.
    unseen: HashSet<String>,
}

/// A key as the text that a column of this key has.
pub(crate) fn text(key: &Scalar) -> Option<String> {
    match key {
        Scalar::Text(text) => Some(text.clone()),
        Scalar::Integer(number) => Some(number.to_string()),
        Scalar::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

fn malformed(contents: &Contents, error: &dyn fmt::Display) -> Error {
    Error::Malformed(format!("{contents}: {error}"))
}
