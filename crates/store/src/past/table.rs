//! A table whose rows are also recorded, or only recorded.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_cast::cast;
use arrow_schema::DataType;
use futures::StreamExt;
use indago_table::{
    Completeness, Outcome, Past, Period, Reading, Result, RowFilter, ScanContext, Sink, Slice, Table, TableRef,
    TableSpec, Timestamp,
};

use crate::archive::{Snapshot, Span};
use crate::recorder::Interval;
use crate::scan::text;

use super::filter::InKeys;
use super::history::HistoryTable;
use super::scan::{Scan, malformed};
use super::{Recorded, coverage, stored_name};

/// A table with a past.
#[derive(Debug)]
pub(super) struct PastTable {
    recorded: Arc<Recorded>,
    spec: Arc<TableSpec>,
    /// The live table; `None` if the present is the newest recorded state.
    live: Option<TableRef>,
}

impl PastTable {
    pub(super) fn of_live(recorded: Arc<Recorded>, live: TableRef) -> Self {
        let spec = live.spec().clone().with_past(Past::Kept);
        PastTable { recorded, spec: Arc::new(spec), live: Some(live) }
    }

    /// The recorded rows of a table, without the live table.
    pub(super) fn stored(recorded: Arc<Recorded>, spec: &TableSpec) -> Self {
        let mut spec = spec.clone().with_past(Past::Kept);
        spec.needs = Vec::new().into();
        PastTable { recorded, spec: Arc::new(spec), live: None }
    }
}

impl Table for PastTable {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        if let (None, Some(live)) = (context.as_of, &self.live) {
            return live.slices(context);
        }
        let keys = context.constraints.0.iter().filter_map(|(position, constraint)| {
            let keys = constraint.keys.as_ref()?;
            Some(Arc::new(InKeys::new(*position, &self.spec.columns[*position], keys)) as Arc<dyn RowFilter>)
        });
        let scan = Scan::new(&self.recorded, &self.spec, context, keys.collect())?;
        let label = scan.label.clone();
        let read = move |mut sink: Box<dyn Sink>| Box::pin(async move { read(&scan, &mut *sink).await }) as _;
        Ok(vec![Slice::new(label, Reading::Async(Box::new(read)))])
    }

    fn checks_filters(&self) -> bool {
        self.live.as_ref().is_none_or(|live| live.checks_filters())
    }

    fn versions(&self, period: Period) -> Option<TableRef> {
        Some(Arc::new(HistoryTable::new(self.recorded.clone(), &self.spec, period)))
    }
}

/// Reads the rows as they were.
async fn read(scan: &Scan, sink: &mut dyn Sink) -> Result<()> {
    let stored = stored_name(&scan.spec);
    let moment = scan.context.as_of.unwrap_or(scan.context.query.moment());
    let intervals = scan.recorded.intervals().await?;
    match scan.context.as_of {
        Some(moment) => coverage::tell_moment(scan, stored, &intervals, moment),
        None => coverage::tell_newest(scan, stored, &intervals),
    }
    let is_before =
        |interval: &&Interval| interval.table == stored && interval.gap.is_none() && interval.from <= moment;
    let read_at = intervals.iter().filter(is_before).map(|interval| interval.to.min(moment)).max();
    scan.context.date(&scan.spec.name, read_at.unwrap_or(moment));
    let Some(snapshot) = scan.recorded.snapshot(stored).await? else { return Ok(()) };
    let mut unseen = named_keys(scan, &snapshot);
    let filters = scan.filters().cloned().collect();
    let mut pieces = scan.read(&snapshot, &scan.spec, Span::AsOf(moment), true, &scan.conditions.needed, filters);
    while let Some(piece) = pieces.next().await {
        let Some(rows) = scan.rows(piece?)? else { continue };
        unseen.iter_mut().try_for_each(|keys| keys.note(&rows))?;
        scan.send(rows.columns().to_vec(), rows.num_rows(), sink).await?;
    }
    unseen.iter().for_each(|keys| keys.tell(scan, moment));
    Ok(())
}

/// Keys that the query itself names, of a column on which the table needs them. Only a row proves that a key was recorded.
struct Named {
    /// The column's name, and its position in the rows that are read.
    column: String,
    position: usize,
    unseen: HashSet<String>,
}

impl Named {
    fn note(&mut self, rows: &RecordBatch) -> Result<()> {
        if self.unseen.is_empty() {
            return Ok(());
        }
        let texts = cast(rows.column(self.position), &DataType::Utf8View).map_err(|error| malformed(&error))?;
        texts.as_string_view().iter().flatten().for_each(|text| _ = self.unseen.remove(text));
        Ok(())
    }

    fn tell(&self, scan: &Scan, moment: Timestamp) {
        let mut keys: Vec<&String> = self.unseen.iter().collect();
        keys.sort_unstable();
        let Some(first) = keys.first() else { return };
        let more = if keys.len() > 1 { format!(" and {} more", keys.len() - 1) } else { String::new() };
        let column = &self.column;
        let message = format!(
            "no row with {column} = '{first}'{more} was recorded at {moment}: this table is recorded only for the values \
             that `[record]` names"
        );
        scan.warn(Outcome::Unsupported, "", message, Completeness::Partial);
    }
}

fn named_keys(scan: &Scan, snapshot: &Snapshot) -> Vec<Named> {
    let schema = snapshot.schema();
    let is_stored = |column: usize| schema.field_with_name(&scan.spec.columns[column].name).is_ok();
    let constraints = scan.context.constraints.0.iter();
    let mut named = Vec::new();
    for (column, keys) in constraints.filter_map(|(column, constraint)| Some((*column, constraint.keys.as_ref()?))) {
        let name = scan.spec.columns[column].name.to_string();
        if !is_stored(column) {
            let message = format!("`{name}` is not recorded, so no recorded row has one of its keys");
            scan.warn(Outcome::Unsupported, "", message, Completeness::Partial);
        } else if scan.spec.require_any.contains(&column) && !scan.context.joined.contains(&column) {
            let position = scan.conditions.needed.binary_search(&column).expect("the keys are a condition of the scan");
            named.push(Named { column: name, position, unseen: keys.iter().filter_map(text).collect() });
        }
    }
    named
}
