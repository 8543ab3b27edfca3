//! The versions of a table's rows: `history.TABLE`, and a table with `FOR SYSTEM_TIME FROM .. TO ..`.

use std::sync::Arc;

use futures::StreamExt;
use indago_engine::distinct_names;
use indago_table::{
    ColumnSpec, KeyEffect, Kind, Lookup, Past, Period, Reading, Result, Scalar, ScanContext, Sink, Slice, Table,
    TableSpec, Timestamp,
};

use crate::archive::{Snapshot, Span};

use super::filter::Shifted;
use super::scan::Scan;
use super::{Recorded, coverage, stored_name};

/// The columns of a version, as the archive has them.
const VERSION: [(&str, &str); 6] = [
    ("valid_from", "First reading at which the row was so."),
    ("valid_to", "First reading at which the row was no longer so. NULL: it is still so."),
    (
        "not_before",
        "The last reading before `valid_from`, at which the row was not so. NULL for the first reading of its slice.",
    ),
    ("origin", "The slice that the row was read from, as in `coverage`."),
    ("writer", "The recorder that wrote the row."),
    ("row_id", "Number of the row: its versions have the same."),
];

/// The columns of versions.
fn version_columns() -> Vec<ColumnSpec> {
    let schema = Snapshot::version_schema();
    let column = |(field, (name, about)): (&arrow_schema::FieldRef, (&'static str, &'static str))| {
        let mut column = ColumnSpec::new(name, Kind::of(field.data_type()), about);
        column.nullable = field.is_nullable();
        column.range = matches!(name, "valid_from" | "valid_to");
        column.hidden = matches!(name, "writer" | "row_id");
        column
    };
    schema.fields().iter().zip(VERSION).map(column).collect()
}

/// A table that is made from the versions of another's rows: its columns are before or after those of the other, which
/// may have names of their own.
pub(super) fn spec_around(
    schema: &str,
    own: &TableSpec,
    before: Vec<ColumnSpec>,
    after: Vec<ColumnSpec>,
    about: &str,
) -> TableSpec {
    let names = before.iter().chain(&after).chain(own.columns.iter()).map(|column| column.name.as_ref());
    let distinct = distinct_names(&names.collect::<Vec<_>>());
    let own_columns = own.columns.iter().zip(&distinct[before.len() + after.len()..]).map(|(column, name)| {
        let mut column = column.clone();
        column.name = name.clone().into();
        (column.nullable, column.source) = (true, None);
        (column.index, column.pattern, column.range) = (false, false, false);
        column.key_effect = KeyEffect::default();
        column.needs = Vec::new().into();
        column
    });
    let columns = before.into_iter().chain(own_columns).chain(after).collect();
    let about = format!("{about} of `{}`. {}", own.name, own.description);
    let mut spec = TableSpec::new(format!("{schema}.{}", own.name), own.environment.clone(), about, columns);
    spec.typical_rows = own.typical_rows.saturating_mul(10);
    spec.lookup = Lookup::WholeSource;
    spec.with_past(Past::Timeless)
}

/// The versions of a table's rows.
#[derive(Debug)]
pub(super) struct HistoryTable {
    recorded: Arc<Recorded>,
    own: Arc<TableSpec>,
    spec: Arc<TableSpec>,
    period: Period,
}

impl HistoryTable {
    /// The versions that existed in a period.
    pub(super) fn new(recorded: Arc<Recorded>, own: &Arc<TableSpec>, period: Period) -> Self {
        let about = "Every recorded version of the rows";
        let spec = spec_around("history", own, version_columns(), Vec::new(), about);
        HistoryTable { recorded, own: own.clone(), spec: Arc::new(spec), period }
    }
}

impl Table for HistoryTable {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let scan = Scan::new(&self.recorded, &self.spec, context, Vec::new())?;
        let (own, label) = (self.own.clone(), scan.label.clone());
        // `valid_to > a` and `valid_from <= b`.
        let asked = Period { from: bound(context, 1, false), to: bound(context, 0, true).map(after) };
        let period = Period { from: self.period.from.max(asked.from), to: earlier(self.period.to, asked.to) };
        let read =
            move |mut sink: Box<dyn Sink>| Box::pin(async move { read(&scan, &own, period, &mut *sink).await }) as _;
        Ok(vec![Slice::new(label, Reading::Async(Box::new(read)))])
    }

    fn checks_filters(&self) -> bool {
        true
    }

    fn period(&self) -> Option<Period> {
        Some(self.period).filter(|period| *period != Period::default())
    }
}

/// The lower or upper bound that a scan puts on a column of times.
pub(super) fn bound(context: &ScanContext, column: usize, is_upper: bool) -> Option<Timestamp> {
    let constraint = context.constraints.0.get(&column)?;
    match if is_upper { &constraint.to } else { &constraint.from } {
        Some(Scalar::Timestamp(time)) => Some(Timestamp(*time)),
        _ => None,
    }
}

pub(super) fn after(time: Timestamp) -> Timestamp {
    Timestamp(time.0.saturating_add(1))
}

pub(super) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The versions that existed in a period, for the archive, which includes both ends.
pub(super) fn span(period: Period) -> Span {
    Span::Between { from: period.from, to: period.to.map(|to| Timestamp(to.0.saturating_sub(1))) }
}

async fn read(scan: &Scan, own: &TableSpec, period: Period, sink: &mut dyn Sink) -> Result<()> {
    let stored = stored_name(own);
    coverage::tell_period(scan, stored, &scan.recorded.intervals().await?, period);
    let Some(snapshot) = scan.recorded.snapshot(stored).await? else { return Ok(()) };
    let versions = VERSION.len();
    let columns: Vec<usize> = scan.conditions.needed.iter().filter_map(|column| column.checked_sub(versions)).collect();
    let filters = scan.filters().filter_map(|filter| Shifted::by(filter, versions, scan.spec.columns.len()));
    let mut pieces = scan.read(&snapshot, own, span(period), None, &columns, filters.collect());
    while let Some(piece) = pieces.next().await {
        let Some(rows) = scan.rows(piece?)? else { continue };
        // The own columns that are needed come last, in the same order.
        let (mut first, mut at) = (versions, Vec::with_capacity(scan.conditions.needed.len()));
        for column in &scan.conditions.needed {
            if *column < versions {
                at.push(*column);
            } else {
                at.push(first);
                first += 1;
            }
        }
        let columns = at.into_iter().map(|at| rows.column(at).clone()).collect();
        scan.send(columns, rows.num_rows(), sink).await?;
    }
    Ok(())
}
