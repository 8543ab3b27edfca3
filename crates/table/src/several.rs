//! One table over several like it: the same one of several machines, with a column that says which.

use std::fmt;
use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;

use crate::error::Result;
use crate::scan::{BoxFuture, Constraints, RowFilter, Scalar, ScanContext};
use crate::spec::{ColumnSpec, Kind, TableSpec, Text};
use crate::table::{Reading, Sink, Slice, Table, TableRef};

/// A table whose rows are those of several tables with the same columns, and whose last column says which one each row
/// comes from. It is hidden and a key: only the tables that are asked for are read.
pub struct Several {
    spec: TableSpec,
    parts: Vec<(Arc<str>, TableRef)>,
    checks_filters: bool,
}

impl fmt::Debug for Several {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Several").field(&self.spec.name).field(&self.parts.len()).finish()
    }
}

impl Several {
    /// The table over `parts`, each under its origin; `None` without any.
    pub fn of(column: &'static str, description: &'static str, parts: Vec<(Arc<str>, TableRef)>) -> Option<Self> {
        let mut spec = parts.first()?.1.spec().clone();
        let mut origin = ColumnSpec::new(column, Kind::Text, description);
        (origin.nullable, origin.index, origin.slice) = (false, true, true);
        (origin.hidden, origin.added) = (true, true);
        spec.columns.to_mut().push(origin);
        if !spec.identity.is_empty() {
            spec.identity.to_mut().push(Text::Borrowed(column));
        }
        let checks_filters = parts.iter().all(|(_, part)| part.checks_filters());
        Some(Several { spec, parts, checks_filters })
    }

    /// Position of the column that says where a row comes from.
    fn origin(&self) -> usize {
        self.spec.columns.len() - 1
    }

    /// What a part is asked: the same, without the column that it does not have.
    fn context(&self, whole: &ScanContext, origin: &Arc<str>) -> ScanContext {
        let position = self.origin();
        let filter = |filter: &Arc<dyn RowFilter>| -> Arc<dyn RowFilter> {
            match filter.columns().split_last() {
                Some((last, others)) if *last == position => Arc::new(WithOrigin {
                    columns: others.to_vec(),
                    stamp: self.stamp(origin, filter.columns()),
                    filter: filter.clone(),
                }),
                _ => filter.clone(),
            }
        };
        let constraints = match whole.constraints.0.contains_key(&position) {
            true => {
                let mut constraints = whole.constraints.0.clone();
                constraints.remove(&position);
                Arc::new(Constraints(constraints))
            }
            false => whole.constraints.clone(),
        };
        ScanContext {
            columns: whole.columns.iter().copied().filter(|column| *column != position).collect(),
            constraints,
            filters: whole.filters.iter().map(filter).collect(),
            within: (self.parts.len() > 1).then(|| whole.slice_name(origin).into()),
            ..whole.clone()
        }
    }

    fn stamp(&self, origin: &Arc<str>, columns: &[usize]) -> Stamp {
        let schema = self.spec.schema().project(columns).expect("wanted columns are columns of the table");
        Stamp { origin: origin.clone(), schema: Arc::new(schema) }
    }
}

impl Table for Several {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let asked = context.constraints.keys(self.origin());
        let is_asked = |origin: &Arc<str>| {
            asked.is_none_or(|keys| keys.iter().any(|key| matches!(key, Scalar::Text(text) if **text == **origin)))
        };
        let mut slices = Vec::new();
        for (origin, part) in self.parts.iter().filter(|(origin, _)| is_asked(origin)) {
            let course = Course {
                stamp: context.columns.contains(&self.origin()).then(|| self.stamp(origin, &context.columns)),
                column: self.spec.columns[self.origin()].name.to_string(),
                origin: origin.clone(),
            };
            let parts = part.slices(&self.context(context, origin))?;
            slices.extend(parts.into_iter().map(|slice| course.clone().led(slice)));
        }
        Ok(slices)
    }

    fn checks_filters(&self) -> bool {
        self.checks_filters
    }
}

/// What happens to the slices of one part.
#[derive(Clone)]
struct Course {
    stamp: Option<Stamp>,
    column: String,
    origin: Arc<str>,
}

impl Course {
    fn led(self, mut slice: Slice) -> Slice {
        slice.known.insert(self.column.clone(), self.origin.to_string());
        let reading = match (slice.reading, self.stamp.clone()) {
            (Reading::Finding(find), _) => {
                Reading::Finding(Box::new(move |found| find(&mut |slice| found(self.clone().led(slice)))))
            }
            (reading, None) => reading,
            (Reading::Blocking(read), Some(stamp)) => {
                Reading::Blocking(Box::new(move |sink| read(&mut Stamped { stamp, sink })))
            }
            (Reading::Async(read), Some(stamp)) => {
                Reading::Async(Box::new(move |sink| read(Box::new(Stamped { stamp, sink }))))
            }
        };
        Slice { reading, ..slice }
    }
}

/// Adds the origin to batches, as their last column.
#[derive(Debug, Clone)]
struct Stamp {
    origin: Arc<str>,
    schema: SchemaRef,
}

impl Stamp {
    fn on(&self, batch: &RecordBatch) -> RecordBatch {
        let rows = batch.num_rows();
        let mut origins = StringViewBuilder::with_capacity(rows).with_deduplicate_strings();
        (0..rows).for_each(|_| origins.append_value(&self.origin));
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(origins.finish()) as ArrayRef);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .expect("a batch of the part's columns")
    }
}

struct Stamped<S> {
    stamp: Stamp,
    sink: S,
}

impl<S: Sink> Sink for Stamped<S> {
    fn blocking_send(&mut self, batch: RecordBatch) -> bool {
        self.sink.blocking_send(self.stamp.on(&batch))
    }

    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
        self.sink.send(self.stamp.on(&batch))
    }
}

/// A condition that looks at the origin, too.
#[derive(Debug)]
struct WithOrigin {
    columns: Vec<usize>,
    stamp: Stamp,
    filter: Arc<dyn RowFilter>,
}

impl RowFilter for WithOrigin {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn keep(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        self.filter.keep(&self.stamp.on(rows))
    }
}
