//! What all scans of the past do: read pieces of the archive, apply conditions, report damage, and send the rows.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::ArrowError;
use futures::StreamExt;
use futures::stream::BoxStream;
use indago_table::{Completeness, Error, Outcome, Result, RowFilter, ScanContext, Sink, TableSpec, Warning};

use crate::archive::{Piece, Read, Snapshot, Span};
use crate::conditions::Conditions;

use super::Recorded;

/// One scan of a table of the past.
pub(super) struct Scan {
    pub(super) recorded: Arc<Recorded>,
    pub(super) spec: Arc<TableSpec>,
    pub(super) context: ScanContext,
    /// The name of its slice.
    pub(super) label: String,
    pub(super) conditions: Conditions,
}

impl Scan {
    pub(super) fn new(
        recorded: &Arc<Recorded>,
        spec: &Arc<TableSpec>,
        context: &ScanContext,
        further: Vec<Arc<dyn RowFilter>>,
    ) -> Result<Self> {
        let conditions = Conditions::new(&spec.schema(), context, further).map_err(|error| malformed(&error))?;
        let label = context.slice_name("");
        let context = ScanContext { slice: Some(label.clone().into()), ..context.clone() };
        Ok(Scan { recorded: recorded.clone(), spec: spec.clone(), label, context, conditions })
    }

    /// The conditions, with the keys.
    pub(super) fn filters(&self) -> impl Iterator<Item = &Arc<dyn RowFilter>> {
        self.conditions.filters.iter().map(|(filter, _)| filter)
    }

    /// Reads versions of the rows of `own`, the recorded table: some of the version columns (`None`: all), then these
    /// columns. Only conditions on the recorded table prune.
    pub(super) fn read(
        &self,
        snapshot: &Snapshot,
        own: &TableSpec,
        span: Span,
        version: Option<&[&str]>,
        columns: &[usize],
        filters: Vec<Arc<dyn RowFilter>>,
    ) -> BoxStream<'static, Result<Piece>> {
        let columns = columns.iter().map(|column| own.columns[*column].name.to_string()).collect();
        let recorded = self.recorded.clone();
        let (schema, meter) = (Some(own.schema()), Some(self.context.meter.clone()));
        let batch_size = self.context.batch_size;
        let version_columns = version.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let read = Read { version_columns, schema, filters, batch_size, meter, ..Read::new(span, columns) };
        let pieces = snapshot.read(read);
        pieces.map(move |piece| piece.map_err(|error| recorded.failed(&error))).boxed()
    }

    /// The rows of a piece. A damaged file is reported.
    pub(super) fn rows(&self, piece: Piece) -> Result<Option<RecordBatch>> {
        if self.context.meter.is_cancelled() {
            return Err(Error::Cancelled);
        }
        match piece {
            Piece::Rows(rows) => Ok(Some(rows)),
            Piece::Damaged { file, error, from, to } => {
                let time = |time: Option<indago_table::Timestamp>, open: &str| {
                    time.map_or(open.to_owned(), |time| time.to_string())
                };
                let (from, to) = (time(from, "the start"), time(to, "now"));
                let message = format!("{file} is damaged, so rows from {from} to {to} may be missing: {error}");
                self.warn(Outcome::Malformed, "", message, Completeness::Partial);
                Ok(None)
            }
            Piece::Misfit { file, column, message, rows: count } => {
                let warning = Warning {
                    table: self.spec.name.to_string(),
                    origin: format!("{file}, {column}"),
                    outcome: Outcome::Malformed,
                    message,
                    needs: None,
                    count: count.max(1),
                    lines: None,
                };
                self.context.query.add(&self.label, Completeness::Partial, warning);
                Ok(None)
            }
        }
    }

    /// Reports what is missing, once in a query.
    pub(super) fn warn(&self, outcome: Outcome, origin: &str, message: String, how: Completeness) {
        let table = self.spec.name.to_string();
        if self.context.query.is_first(&format!("past of {table} {origin} {message}")) {
            let origin = origin.to_owned();
            let warning = Warning { table, origin, outcome, message, needs: None, count: 1, lines: None };
            self.context.query.add(&self.label, how, warning);
        }
    }

    /// Sends rows that have the needed columns: those that meet the conditions, up to the limit.
    pub(super) async fn send(&self, columns: Vec<ArrayRef>, rows: usize, sink: &mut dyn Sink) -> Result<()> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.conditions.schema.clone(), columns, &options);
        let batch = batch.map_err(|error| malformed(&error))?;
        let batch = self.conditions.met(batch, &self.context, |error| malformed(&error))?;
        let is_wanted = batch.num_rows() == 0 || sink.send(batch).await;
        match is_wanted && !self.context.is_satisfied() {
            true => Ok(()),
            false => Err(Error::Cancelled),
        }
    }
}

pub(super) fn malformed(error: &ArrowError) -> Error {
    Error::Malformed(format!("recorded rows: {error}"))
}
