//! Constant columns after a table's own: the machine or the mount namespace of the rows.

use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::SchemaRef;

use crate::error::Result;
use crate::scan::{BoxFuture, Constraints, RowFilter, ScanContext};
use crate::spec::{Kind, TableSpec};
use crate::table::{Reading, Sink, Slice};

/// The value of a column in all rows of a slice.
#[derive(Debug, Clone)]
pub(crate) enum Constant {
    Text(Arc<str>),
    Integer(i64),
    Null(Kind),
}

impl Constant {
    fn repeated(&self, rows: usize) -> ArrayRef {
        match self {
            Constant::Text(text) => {
                let mut builder = StringViewBuilder::with_capacity(rows).with_deduplicate_strings();
                (0..rows).for_each(|_| builder.append_value(text));
                Arc::new(builder.finish())
            }
            Constant::Integer(number) => Arc::new(Int64Array::from_value(*number, rows)),
            Constant::Null(kind) => new_null_array(&kind.data_type(), rows),
        }
    }
}

/// The values of a table's last columns in one slice. The inner table does not have these columns: they are removed
/// from its scan and added to its rows.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    schema: SchemaRef,
    /// Position of the first of the columns.
    first: usize,
    values: Arc<[Constant]>,
}

impl Stamp {
    /// The values of the last columns of `spec`, in order.
    pub(crate) fn new(spec: &TableSpec, values: impl Into<Arc<[Constant]>>) -> Self {
        let values = values.into();
        Stamp { schema: spec.schema(), first: spec.columns.len() - values.len(), values }
    }

    /// The scan of the inner table.
    pub(crate) fn inner(&self, whole: &ScanContext) -> ScanContext {
        let filter = |filter: &Arc<dyn RowFilter>| -> Arc<dyn RowFilter> {
            let own = self.own(filter.columns());
            match own.len() == filter.columns().len() {
                true => filter.clone(),
                false => Arc::new(StampedFilter {
                    columns: own.to_vec(),
                    added: self.added(filter.columns()),
                    filter: filter.clone(),
                }),
            }
        };
        let mut constraints = whole.constraints.clone();
        if constraints.0.range(self.first..).next().is_some() {
            let own = constraints.0.range(..self.first);
            constraints = Arc::new(Constraints(own.map(|(column, asked)| (*column, asked.clone())).collect()));
        }
        ScanContext {
            columns: self.own(&whole.columns).into(),
            constraints,
            filters: whole.filters.iter().map(filter).collect(),
            ..whole.clone()
        }
    }

    /// A slice of the inner table with the missing ones of `columns`, the columns of the outer scan.
    pub(crate) fn on_slice(&self, slice: Slice, columns: &[usize]) -> Slice {
        let added = self.added(columns);
        if added.values.is_empty() { slice } else { added.on_slice(slice) }
    }

    /// The columns that the inner table has, ascending.
    fn own<'a>(&self, columns: &'a [usize]) -> &'a [usize] {
        &columns[..columns.partition_point(|column| *column < self.first)]
    }

    fn added(&self, columns: &[usize]) -> Added {
        let stamped = &columns[self.own(columns).len()..];
        let schema = self.schema.project(columns).expect("wanted columns are columns of the table");
        let values = stamped.iter().map(|column| self.values[column - self.first].clone());
        Added { schema: Arc::new(schema), values: values.collect() }
    }
}

/// The columns that are appended to batches.
#[derive(Debug, Clone)]
struct Added {
    schema: SchemaRef,
    values: Arc<[Constant]>,
}

impl Added {
    fn to(&self, batch: &RecordBatch) -> RecordBatch {
        let rows = batch.num_rows();
        let mut columns = batch.columns().to_vec();
        columns.extend(self.values.iter().map(|value| value.repeated(rows)));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .expect("a batch of the table's columns")
    }

    fn on_slice(self, slice: Slice) -> Slice {
        let reading = match slice.reading {
            Reading::Finding(find) => {
                Reading::Finding(Box::new(move |found| find(&mut |slice| found(self.clone().on_slice(slice)))))
            }
            Reading::Blocking(read) => {
                Reading::Blocking(Box::new(move |sink| read(&mut StampedSink { added: self, sink })))
            }
            Reading::Async(read) => {
                Reading::Async(Box::new(move |sink| read(Box::new(StampedSink { added: self, sink }))))
            }
        };
        Slice { reading, ..slice }
    }
}

struct StampedSink<S> {
    added: Added,
    sink: S,
}

impl<S: Sink> Sink for StampedSink<S> {
    fn blocking_send(&mut self, batch: RecordBatch) -> bool {
        self.sink.blocking_send(self.added.to(&batch))
    }

    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
        self.sink.send(self.added.to(&batch))
    }
}

/// A condition that also uses appended columns.
#[derive(Debug)]
struct StampedFilter {
    columns: Vec<usize>,
    added: Added,
    filter: Arc<dyn RowFilter>,
}

impl RowFilter for StampedFilter {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn keep(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        self.filter.keep(&self.added.to(rows))
    }
}
