//! The changes of a table's rows: `changes.TABLE`.
//!
//! A change is a version that starts, a version that ends, or both at one time: a row that was modified. The two halves of
//! a change may be in different files, so they are held until all files of a window of time are read. Windows are chosen
//! such that each has a bounded number of halves.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StringViewBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, StructArray, TimestampMicrosecondArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, Fields};
use arrow_select::filter::filter_record_batch;
use arrow_select::interleave::interleave;
use futures::StreamExt;
use indago_table::{Kind, Period, Reading, Result, ScanContext, Sink, Slice, Table, TableSpec, Timestamp};

use crate::archive::Snapshot;

use super::filter::Shifted;
use super::history::{after, bound, span, spec_around};
use super::scan::{Scan, malformed};
use super::{Recorded, column, coverage, stored_name};

/// The halves of changes that a window should have at most. More at one time are one window.
const WINDOW: u64 = 50_000;
/// The most distinct times that are counted. With more, neighbouring times are counted together.
const TIMES: usize = 1 << 16;

// Positions of the columns before those of the table.
const AT: usize = 0;
const OP: usize = 1;
const CHANGED: usize = 2;
const NOT_BEFORE: usize = 3;
const ORIGIN: usize = 4;
const WRITER: usize = 5;
const ROW_ID: usize = 6;
/// The number of these columns.
const OWN: usize = 7;

// Positions in the rows of an archive.
const VALID_FROM: usize = 0;
const VALID_TO: usize = 1;

/// The changes of a table's rows.
#[derive(Debug)]
pub(super) struct ChangesTable {
    recorded: Arc<Recorded>,
    own: Arc<TableSpec>,
    spec: Arc<TableSpec>,
    /// The columns of the table whose changes count.
    compared: Arc<[usize]>,
}

impl ChangesTable {
    pub(super) fn new(recorded: Arc<Recorded>, own: &Arc<TableSpec>) -> Self {
        let mut at = column("at", Kind::Timestamp, false, "When it was first seen: the time of a reading or event.");
        at.range = true;
        let mut writer = column("writer", Kind::Text, false, "The recorder that wrote it.");
        writer.hidden = true;
        let mut row_id = column("row_id", Kind::BigInt, false, "Number of the row: all its changes have the same.");
        row_id.hidden = true;
        let before = vec![
            at,
            column("op", Kind::Text, false, "`added`, `modified` or `removed`."),
            column(
                "changed",
                Kind::TextList,
                true,
                "Names of the columns that changed. NULL unless the row was modified.",
            ),
            column(
                "not_before",
                Kind::Timestamp,
                true,
                "The last reading before the change. NULL for the first reading of a slice, and for a removed row.",
            ),
            column("origin", Kind::Text, true, "The slice that the row was read from, as in `coverage`."),
            writer,
            row_id,
        ];
        let compared = own.columns.iter().enumerate().filter(|(_, column)| !column.volatile && !column.secret);
        let compared: Arc<[usize]> = compared.map(|(at, _)| at).collect();
        let fields = compared.iter().map(|at| {
            let column = &own.columns[*at];
            Field::new(column.name.as_ref(), column.kind.data_type(), true)
        });
        let old = column(
            "before",
            Kind::Other(DataType::Struct(fields.collect::<Fields>())),
            true,
            "The values of the changed columns before the change; the others are NULL. NULL unless the row was modified.",
        );
        let about = "The changes between recorded readings: the row after each change, or before it if it was removed, of the \
                     rows";
        let mut spec = spec_around("changes", own, before, vec![old], about);
        for (at, column) in spec.columns.to_mut()[OWN..].iter_mut().enumerate() {
            // A sample of such a column is not a change.
            column.hidden |= own.columns.get(at).is_some_and(|own| own.volatile);
        }
        ChangesTable { recorded, own: own.clone(), spec: Arc::new(spec), compared }
    }
}

impl Table for ChangesTable {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let scan = Scan::new(&self.recorded, &self.spec, context, Vec::new())?;
        let label = scan.label.clone();
        let period = Period { from: bound(context, AT, false), to: bound(context, AT, true).map(after) };
        let reader = Reader { own: self.own.clone(), compared: self.compared.clone(), scan, period };
        let read = move |mut sink: Box<dyn Sink>| Box::pin(async move { reader.read(&mut *sink).await }) as _;
        Ok(vec![Slice::new(label, Reading::Async(Box::new(read)))])
    }

    fn checks_filters(&self) -> bool {
        true
    }
}

struct Reader {
    scan: Scan,
    own: Arc<TableSpec>,
    compared: Arc<[usize]>,
    period: Period,
}

impl Reader {
    async fn read(&self, sink: &mut dyn Sink) -> Result<()> {
        let stored = stored_name(&self.own);
        coverage::tell_period(&self.scan, stored, &self.scan.recorded.intervals().await?, self.period);
        let Some(snapshot) = self.scan.recorded.snapshot(stored).await? else { return Ok(()) };
        for window in self.windows(&snapshot).await? {
            self.read_window(&snapshot, window, sink).await?;
        }
        Ok(())
    }

    /// The conditions that select rows, not changes of rows: both halves of a change meet them, or none.
    fn filters(&self) -> Vec<Arc<dyn indago_table::RowFilter>> {
        let end = OWN + self.own.columns.len();
        let is_identity = |column: &usize| {
            let own = column.checked_sub(OWN).and_then(|own| self.own.columns.get(own));
            own.is_some_and(|own| self.own.identity.contains(&own.name))
        };
        let of_row = self.scan.filters().filter(|filter| filter.columns().iter().all(is_identity));
        of_row.filter_map(|filter| Shifted::by(filter, OWN, end)).collect()
    }

    /// The period in parts, in the order of time.
    async fn windows(&self, snapshot: &Snapshot) -> Result<Vec<Period>> {
        let (mut counts, mut shift, mut total) = (BTreeMap::<i64, u64>::new(), 0_u32, 0_u64);
        let mut pieces = self.scan.read(snapshot, &self.own, halves(self.period), None, &[], self.filters());
        while let Some(piece) = pieces.next().await {
            let Some(rows) = self.scan.rows(piece?)? else { continue };
            for column in [VALID_FROM, VALID_TO] {
                for time in times(&rows, column).iter().flatten().filter(|time| self.period.contains(Timestamp(*time)))
                {
                    *counts.entry(time >> shift).or_default() += 1;
                    total += 1;
                }
            }
            while counts.len() > TIMES {
                shift += 1;
                for (time, count) in std::mem::take(&mut counts) {
                    *counts.entry(time >> 1).or_default() += count;
                }
            }
        }
        let (mut windows, mut start, mut halves) = (Vec::new(), self.period.from, 0);
        for (time, count) in counts.into_iter().filter(|_| total > WINDOW) {
            if halves > 0 && halves + count > WINDOW {
                let end = Some(Timestamp(time << shift));
                windows.push(Period { from: start, to: end });
                (start, halves) = (end, 0);
            }
            halves += count;
        }
        windows.push(Period { from: start, to: self.period.to });
        Ok(windows)
    }

    async fn read_window(&self, snapshot: &Snapshot, window: Period, sink: &mut dyn Sink) -> Result<()> {
        let of_own = self.scan.conditions.needed.iter().filter_map(|column| column.checked_sub(OWN));
        let mut columns: Vec<usize> = of_own.filter(|own| *own < self.own.columns.len()).collect();
        columns.extend(self.compared.iter());
        columns.sort_unstable();
        columns.dedup();
        let mut held = self.scan.context.hold(0)?;
        let mut found = Halves::new(window, columns);
        let mut pieces = self.scan.read(snapshot, &self.own, halves(window), None, &found.columns, self.filters());
        while let Some(piece) = pieces.next().await {
            let Some(rows) = self.scan.rows(piece?)? else { continue };
            held.add(found.add(&rows).map_err(|error| malformed(&error))?)?;
        }
        for some in self.changes(&found).chunks(self.scan.context.batch_size.max(1)) {
            let columns = self.columns(&found, some).map_err(|error| malformed(&error))?;
            self.scan.send(columns, some.len(), sink).await?;
        }
        Ok(())
    }

    /// The changes of a window, in the order of time.
    fn changes(&self, found: &Halves) -> Vec<Change> {
        let mut changes = Vec::new();
        for (key, start) in &found.starts {
            match found.ends.get(key) {
                None => changes.push(Change { at: key.2, row: *start, before: None, op: Op::Added }),
                Some(end) => {
                    let changed = self.changed(found, *end, *start);
                    // A sample of volatile columns is not a change.
                    if !changed.is_empty() {
                        changes.push(Change { at: key.2, row: *start, before: Some(*end), op: Op::Modified(changed) });
                    }
                }
            }
        }
        let removed = found.ends.iter().filter(|(key, _)| !found.starts.contains_key(key));
        changes.extend(removed.map(|(key, end)| Change { at: key.2, row: *end, before: None, op: Op::Removed }));
        changes.sort_unstable_by_key(|change| (change.at, change.row));
        changes
    }

    /// The compared columns whose values differ in two versions.
    fn changed(&self, found: &Halves, old: Place, new: Place) -> Vec<usize> {
        let differs = |own: &usize| {
            let (old_values, new_values) = (found.values(old, *own), found.values(new, *own));
            let prefix = self.own.columns[*own].volatile_prefix.as_deref();
            let is_volatile = |values: &ArrayRef| {
                let texts = values.as_string_view_opt().filter(|texts| texts.is_valid(0));
                texts.zip(prefix).is_some_and(|(texts, prefix)| texts.value(0).starts_with(prefix))
            };
            *old_values != *new_values && !(is_volatile(&old_values) && is_volatile(&new_values))
        };
        self.compared.iter().copied().filter(differs).collect()
    }

    /// The needed columns of some changes.
    fn columns(&self, found: &Halves, changes: &[Change]) -> Result<Vec<ArrayRef>, ArrowError> {
        let rows: Vec<Option<Place>> = changes.iter().map(|change| Some(change.row)).collect();
        let version = |at: usize| found.pick(|batch| batch.column(at).clone(), &rows);
        let columns = self.scan.conditions.needed.iter().map(|column| -> Result<ArrayRef, ArrowError> {
            Ok(match *column {
                AT => {
                    let times = changes.iter().map(|change| Some(change.at)).collect::<TimestampMicrosecondArray>();
                    Arc::new(times.with_timezone("UTC"))
                }
                OP => {
                    let mut ops = StringViewBuilder::with_capacity(changes.len()).with_deduplicate_strings();
                    changes.iter().for_each(|change| ops.append_value(change.op.name()));
                    Arc::new(ops.finish())
                }
                CHANGED => {
                    let mut lists = ListBuilder::new(StringBuilder::new());
                    for change in changes {
                        if let Op::Modified(changed) = &change.op {
                            changed.iter().for_each(|own| lists.values().append_value(&self.own.columns[*own].name));
                        }
                        lists.append(matches!(change.op, Op::Modified(_)));
                    }
                    Arc::new(lists.finish())
                }
                NOT_BEFORE => {
                    let started = |change: &Change| (!matches!(change.op, Op::Removed)).then_some(change.row);
                    let rows: Vec<Option<Place>> = changes.iter().map(started).collect();
                    found.pick(|batch| batch.column(2).clone(), &rows)?
                }
                ORIGIN => version(3)?,
                WRITER => version(4)?,
                ROW_ID => version(5)?,
                other if other < OWN + self.own.columns.len() => found.pick_own(other - OWN, &rows)?,
                _ => self.before(found, changes)?,
            })
        });
        columns.collect()
    }

    /// The values of the changed columns before each change.
    fn before(&self, found: &Halves, changes: &[Change]) -> Result<ArrayRef, ArrowError> {
        let mut fields = Vec::with_capacity(self.compared.len());
        let mut arrays = Vec::with_capacity(self.compared.len());
        for own in self.compared.iter() {
            let of_change = |change: &Change| match &change.op {
                Op::Modified(changed) if changed.contains(own) => change.before,
                _ => None,
            };
            let array = found.pick_own(*own, &changes.iter().map(of_change).collect::<Vec<_>>())?;
            fields.push(Field::new(self.own.columns[*own].name.as_ref(), array.data_type().clone(), true));
            arrays.push(array);
        }
        let nulls = changes.iter().map(|change| change.before.is_some()).collect::<Vec<bool>>();
        let structs = StructArray::try_new_with_length(fields.into(), arrays, Some(nulls.into()), changes.len())?;
        Ok(Arc::new(structs))
    }
}

/// The versions that start or end in a period, for the archive.
fn halves(period: Period) -> crate::archive::Span {
    // A version that ends at the start of the period no longer exists in it.
    span(Period { from: period.from.map(|from| Timestamp(from.0.saturating_sub(1))), to: period.to })
}

fn times(rows: &RecordBatch, column: usize) -> &TimestampMicrosecondArray {
    rows.column(column).as_primitive::<TimestampMicrosecondType>()
}

/// Batch and row.
type Place = (usize, usize);

/// Writer, row and time.
type Key = (u32, i64, i64);

struct Change {
    at: i64,
    /// The row after the change; before it, for a removed row.
    row: Place,
    before: Option<Place>,
    op: Op,
}

enum Op {
    Added,
    /// With the columns that changed.
    Modified(Vec<usize>),
    Removed,
}

impl Op {
    fn name(&self) -> &'static str {
        match self {
            Op::Added => "added",
            Op::Modified(_) => "modified",
            Op::Removed => "removed",
        }
    }
}

/// The versions that start or end in a window.
struct Halves {
    window: Period,
    /// The columns of the table that the rows have after the version columns, ascending.
    columns: Vec<usize>,
    rows: Vec<RecordBatch>,
    writers: HashMap<String, u32>,
    starts: HashMap<Key, Place>,
    ends: HashMap<Key, Place>,
}

impl Halves {
    fn new(window: Period, columns: Vec<usize>) -> Self {
        let (writers, starts, ends) = (HashMap::new(), HashMap::new(), HashMap::new());
        Halves { window, columns, rows: Vec::new(), writers, starts, ends }
    }

    /// Adds rows. Returns the bytes that they need.
    fn add(&mut self, rows: &RecordBatch) -> Result<usize, ArrowError> {
        let window = self.window;
        let time = |rows: &RecordBatch, column: usize, row: usize| {
            let times = times(rows, column);
            times.is_valid(row).then(|| times.value(row)).filter(|time| window.contains(Timestamp(*time)))
        };
        let is_half = |row| time(rows, VALID_FROM, row).or_else(|| time(rows, VALID_TO, row)).is_some();
        let mask = BooleanArray::from((0..rows.num_rows()).map(is_half).collect::<Vec<bool>>());
        let rows = filter_record_batch(rows, &mask)?;
        if rows.num_rows() == 0 {
            return Ok(0);
        }
        let (writers, ids) = (rows.column(4).as_string_view(), rows.column(5).as_primitive::<Int64Type>());
        let batch = self.rows.len();
        for row in 0..rows.num_rows() {
            let name = writers.value(row);
            let writer = match self.writers.get(name) {
                Some(writer) => *writer,
                None => {
                    let writer = u32::try_from(self.writers.len()).unwrap_or(u32::MAX);
                    self.writers.insert(name.to_owned(), writer);
                    writer
                }
            };
            if let Some(time) = time(&rows, VALID_FROM, row) {
                self.starts.insert((writer, ids.value(row), time), (batch, row));
            }
            if let Some(time) = time(&rows, VALID_TO, row) {
                self.ends.insert((writer, ids.value(row), time), (batch, row));
            }
        }
        let bytes = rows.get_array_memory_size() + rows.num_rows() * 2 * size_of::<(Key, Place)>();
        self.rows.push(rows);
        Ok(bytes)
    }

    fn own(&self, own: usize) -> Option<usize> {
        self.columns.binary_search(&own).ok().map(|at| Snapshot::version_schema().fields().len() + at)
    }

    /// One value of a table's column.
    fn values(&self, (batch, row): Place, own: usize) -> ArrayRef {
        let at = self.own(own).expect("compared columns are read");
        self.rows[batch].column(at).slice(row, 1)
    }

    /// Values of a table's column; NULL without a place.
    fn pick_own(&self, own: usize, places: &[Option<Place>]) -> Result<ArrayRef, ArrowError> {
        let at = self.own(own).expect("the columns that are needed are read");
        self.pick(|batch| batch.column(at).clone(), places)
    }

    fn pick(
        &self,
        column: impl Fn(&RecordBatch) -> ArrayRef,
        places: &[Option<Place>],
    ) -> Result<ArrayRef, ArrowError> {
        let mut arrays: Vec<ArrayRef> = self.rows.iter().map(column).collect();
        let Some(first) = arrays.first() else { return Err(ArrowError::ComputeError("no rows".to_owned())) };
        arrays.push(new_null_array(first.data_type(), 1));
        let null = (arrays.len() - 1, 0);
        let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
        let places: Vec<Place> = places.iter().map(|place| place.unwrap_or(null)).collect();
        interleave(&arrays, &places)
    }
}
