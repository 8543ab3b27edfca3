//! A table whose rows are also recorded, or only recorded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, TimestampMicrosecondArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use futures::StreamExt;
use indago_table::{
    ColumnSpec, Completeness, KeyEffect, Kind, Lookup, Outcome, Past, Period, Reading, Result, RowFilter, ScanContext,
    Sink, Slice, Table, TableRef, TableSpec, Timestamp,
};

use crate::archive::{Snapshot, Span};
use crate::recorder::{How, Interval};
use crate::scan::text;
use crate::table::CAPTURED_COLUMN;

use super::filter::InKeys;
use super::history::HistoryTable;
use super::scan::{Scan, malformed};
use super::{Recorded, computed, coverage, stored_name};

/// The version columns that identify a slice.
const SLICE: [&str; 2] = ["origin", "writer"];

/// A table with a past.
#[derive(Debug)]
pub(super) struct PastTable {
    recorded: Arc<Recorded>,
    spec: Arc<TableSpec>,
    /// The recorded table: without the column that is computed.
    own: Arc<TableSpec>,
    /// The live table; `None` if the present is the newest recorded state.
    live: Option<TableRef>,
    /// Columns of which only some values were recorded: those that the live table needs keys of.
    keyed: Arc<[usize]>,
    /// Whether the live table computes its rows from what was recorded of others.
    is_computed: bool,
}

impl PastTable {
    pub(super) fn of_computed(recorded: Arc<Recorded>, live: TableRef) -> Self {
        PastTable { is_computed: true, ..PastTable::of_live(recorded, live) }
    }

    pub(super) fn of_live(recorded: Arc<Recorded>, live: TableRef) -> Self {
        let spec = Arc::new(live.spec().clone().with_past(Past::Kept));
        let keyed = spec.require_any.to_vec().into();
        PastTable { recorded, own: spec.clone(), spec, live: Some(live), keyed, is_computed: false }
    }

    /// The recorded rows of a table, without the live table. A query of them needs no key.
    pub(super) fn stored(recorded: Arc<Recorded>, spec: &TableSpec) -> Self {
        let mut own = spec.clone().with_past(Past::Kept);
        own.needs = Vec::new().into();
        let keyed: Arc<[usize]> = std::mem::take(&mut own.require_any).to_vec().into();
        if !keyed.is_empty() {
            // So the planner passes the keys of a join, however few rows there are.
            (own.typical_rows, own.lookup) = (u64::from(u32::MAX), Lookup::PerKey);
        }
        let own = Arc::new(own);
        let mut spec = own.clone();
        if spec.column(CAPTURED_COLUMN).is_none() {
            let about = "Time of the last reading of the row's slice.";
            let mut column = ColumnSpec::new(CAPTURED_COLUMN, Kind::Timestamp, about);
            (column.hidden, column.nullable) = (true, true);
            Arc::make_mut(&mut spec).columns.to_mut().push(column);
        }
        PastTable { recorded, spec, own, live: None, keyed, is_computed: false }
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
        let reader = Reader { scan, own: self.own.clone(), keyed: self.keyed.clone() };
        let computed = self.live.clone().filter(|_| self.is_computed);
        let context = context.clone();
        let read = move |mut sink: Box<dyn Sink>| {
            Box::pin(async move {
                match computed {
                    Some(live) if !reader.is_recorded().await? => {
                        computed::compute(&reader.scan.recorded, &live, &context, &mut *sink).await
                    }
                    _ => reader.read(&mut *sink).await,
                }
            }) as _
        };
        Ok(vec![Slice::new(label, Reading::Async(Box::new(read)))])
    }

    fn checks_filters(&self) -> bool {
        self.live.as_ref().is_none_or(|live| live.checks_filters())
    }

    fn versions(&self, period: Period) -> Option<TableRef> {
        Some(Arc::new(HistoryTable::new(self.recorded.clone(), &self.own, period)))
    }
}

/// One scan.
struct Reader {
    scan: Scan,
    own: Arc<TableSpec>,
    keyed: Arc<[usize]>,
}

impl Reader {
    /// Whether the table was ever recorded.
    async fn is_recorded(&self) -> Result<bool> {
        let stored = stored_name(&self.scan.spec);
        Ok(self.scan.recorded.intervals().await?.iter().any(|interval| interval.table == stored))
    }

    /// Reads the rows as they were.
    async fn read(&self, sink: &mut dyn Sink) -> Result<()> {
        let scan = &self.scan;
        let stored = stored_name(&scan.spec);
        let moment = scan.context.as_of.unwrap_or(scan.context.query.moment());
        let intervals = scan.recorded.intervals().await?;
        match scan.context.as_of {
            Some(moment) => coverage::tell_moment(scan, stored, &intervals, moment),
            None => coverage::tell_newest(scan, stored, &intervals),
        }
        let is_before =
            |interval: &&Interval| interval.table == stored && interval.gap.is_none() && interval.from <= moment;
        let before: Vec<&Interval> = intervals.iter().filter(is_before).collect();
        let read_at = before.iter().map(|interval| interval.to.min(moment)).max();
        scan.context.date(&scan.spec.name, read_at.unwrap_or(moment));
        let Some(snapshot) = scan.recorded.snapshot(stored).await? else { return Ok(()) };
        let mut unseen = self.named_keys(&snapshot, &intervals);
        let computed = self.own.columns.len();
        let needed = &scan.conditions.needed;
        let columns: Vec<usize> = needed.iter().copied().filter(|column| *column < computed).collect();
        let is_computed = columns.len() < needed.len();
        let mut read_times = HashMap::new();
        for interval in before.iter().filter(|_| is_computed) {
            let time = read_times.entry((interval.origin.as_str(), interval.writer.as_str())).or_insert(interval.to);
            *time = (*time).max(interval.to.min(moment));
        }
        let version = if is_computed { &SLICE[..] } else { &[] };
        let filters = scan.filters().filter(|filter| filter.columns().iter().all(|column| *column < computed));
        let filters = filters.cloned().collect();
        let span = self.span(&intervals, moment);
        let mut pieces = scan.read(&snapshot, &self.own, span, Some(version), &columns, filters);
        while let Some(piece) = pieces.next().await {
            let Some(rows) = scan.rows(piece?)? else { continue };
            let mut arrays = rows.columns()[version.len()..].to_vec();
            unseen.iter_mut().try_for_each(|keys| keys.note(&arrays))?;
            if is_computed {
                arrays.push(times_of(&rows, &read_times)?);
            }
            scan.send(arrays, rows.num_rows(), sink).await?;
        }
        for keys in &mut unseen {
            self.find(&snapshot, keys, span).await?;
            keys.tell(scan, moment);
        }
        if scan.context.as_of.is_none() && !self.keyed.iter().any(|column| self.has_keys(*column)) {
            self.tell_keyed();
        }
        Ok(())
    }

    fn span(&self, intervals: &[Interval], moment: Timestamp) -> Span {
        let stored = stored_name(&self.own);
        // A table that no live one describes is known by how it was recorded.
        let of_events = |interval: &Interval| interval.how == How::Event && interval.table == stored;
        match self.own.events || intervals.iter().any(of_events) {
            // An event is over at its time.
            true => Span::Between { from: None, to: Some(moment) },
            false => Span::AsOf(moment),
        }
    }

    fn has_keys(&self, column: usize) -> bool {
        let context = &self.scan.context;
        context.joined.contains(&column)
            || context.constraints.0.get(&column).is_some_and(|constraint| constraint.keys.is_some())
    }

    /// Looks for keys that no row of the result has: another condition may exclude their rows.
    async fn find(&self, snapshot: &Snapshot, keys: &mut Named, span: Span) -> Result<()> {
        if keys.unseen.is_empty() || self.scan.filters().count() < 2 {
            return Ok(());
        }
        let of_keys: Vec<Arc<dyn RowFilter>> =
            self.scan.filters().filter(|filter| filter.columns() == [keys.position]).cloned().collect();
        keys.at = 0;
        let columns = [keys.position];
        let mut pieces = self.scan.read(snapshot, &self.own, span, Some(&[]), &columns, of_keys);
        while let Some(piece) = pieces.next().await {
            let Some(rows) = self.scan.rows(piece?)? else { continue };
            keys.note(rows.columns())?;
            if keys.unseen.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Reports that a table has only the rows of some keys.
    fn tell_keyed(&self) {
        let names: Vec<&str> = self.keyed.iter().map(|column| &*self.own.columns[*column].name).collect();
        let Some((first, others)) = names.split_first() else { return };
        let names = others.iter().fold(format!("`{first}`"), |names, name| format!("{names} or `{name}`"));
        let message = format!("only rows of some values of {names} were recorded, and this query asks for all");
        self.scan.warn(Outcome::Unsupported, "", message, Completeness::Partial);
    }

    /// The keys that must have a row.
    fn named_keys(&self, snapshot: &Snapshot, intervals: &[Interval]) -> Vec<Named> {
        let scan = &self.scan;
        let schema = snapshot.schema();
        let is_stored = |column: usize| schema.field_with_name(&scan.spec.columns[column].name).is_ok();
        let constraints = scan.context.constraints.0.iter();
        let mut named = Vec::new();
        for (column, keys) in constraints.filter_map(|(column, constraint)| Some((*column, constraint.keys.as_ref()?)))
        {
            let name = scan.spec.columns[column].name.to_string();
            // A key of such a column has rows of its own, which the live table reads for it only.
            let has_own_rows = scan.spec.columns[column].key_effect != KeyEffect::Filters;
            if !is_stored(column) {
                let message = format!("`{name}` is not recorded, so no recorded row has one of its keys");
                scan.warn(Outcome::Unsupported, "", message, Completeness::Partial);
            } else if (self.keyed.contains(&column) || has_own_rows) && !scan.context.joined.contains(&column) {
                let at = scan.conditions.needed.binary_search(&column).expect("the keys are a condition of the scan");
                let mut unseen: HashSet<String> = keys.iter().filter_map(text).collect();
                // A slice may have no rows.
                let of_table = intervals.iter().filter(|interval| interval.table == stored_name(&scan.spec));
                for (known, value) in of_table.flat_map(|interval| &interval.slice) {
                    if *known == name {
                        unseen.remove(value);
                    }
                }
                named.push(Named { column: name, position: column, at, unseen });
            }
        }
        named
    }
}

/// The time of the last reading of each row's slice.
fn times_of(rows: &RecordBatch, read_times: &HashMap<(&str, &str), Timestamp>) -> Result<ArrayRef> {
    let texts = |at: usize| cast(rows.column(at), &DataType::Utf8View).map_err(|error| malformed(&error));
    let (origins, writers) = (texts(0)?, texts(1)?);
    let (origins, writers) = (origins.as_string_view(), writers.as_string_view());
    let time = |row: usize| {
        let origin = if origins.is_null(row) { "" } else { origins.value(row) };
        read_times.get(&(origin, writers.value(row))).map(|time| time.0)
    };
    let times: TimestampMicrosecondArray = (0..rows.num_rows()).map(time).collect();
    Ok(Arc::new(times.with_timezone("UTC")))
}

/// Keys that the query itself names, of a column of which only some values were recorded. Only a row proves that a key
/// was recorded.
struct Named {
    /// The column's name and position, and its position in the rows that are read.
    column: String,
    position: usize,
    at: usize,
    unseen: HashSet<String>,
}

impl Named {
    fn note(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if self.unseen.is_empty() {
            return Ok(());
        }
        let texts = cast(&columns[self.at], &DataType::Utf8View).map_err(|error| malformed(&error))?;
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
