//! The table `coverage`, and warnings about times that were not recorded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::builder::{
    Float64Builder, Int64Builder, MapBuilder, MapFieldNames, StringBuilder, StringViewBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow_schema::{DataType, Schema};
use indago_table::{
    Completeness, Kind, Outcome, Past, Period, Reading, Result, ScanContext, Sink, Slice, Table, TableSpec, Timestamp,
};

use crate::recorder::{COVERAGE, Interval};

use super::scan::{Scan, malformed};
use super::{Recorded, column};

/// What was recorded of one slice by one recorder, in the order of time.
struct Slot<'a> {
    intervals: Vec<&'a Interval>,
}

/// The slices of a table that a scan reads.
fn slots<'a>(intervals: &'a [Interval], table: &str, scan: &Scan) -> Vec<Slot<'a>> {
    let schema = scan.spec.schema();
    slots_of(intervals.iter().filter(|interval| interval.table == table && is_read(interval, scan, &schema)))
}

fn slots_of<'a>(intervals: impl Iterator<Item = &'a Interval>) -> Vec<Slot<'a>> {
    let mut slots: BTreeMap<(&str, &str), Vec<&Interval>> = BTreeMap::new();
    for interval in intervals {
        slots.entry((&interval.writer, &interval.origin)).or_default().push(interval);
    }
    let slot = |mut intervals: Vec<&'a Interval>| {
        intervals.sort_by_key(|interval| (interval.from, interval.to));
        Slot { intervals }
    };
    slots.into_values().map(slot).collect()
}

/// Whether a scan of a table with this schema may want rows of a slice, by the values that all of its rows share.
fn is_read(interval: &Interval, scan: &Scan, schema: &Schema) -> bool {
    scan.filters().all(|filter| {
        let value = |column: &usize| {
            let field = schema.field(*column);
            let known = interval.slice.iter().find(|(name, _)| name == field.name());
            known.filter(|_| *field.data_type() == DataType::Utf8View).map(|(_, value)| value.as_str())
        };
        let Some(values) = filter.columns().iter().map(value).collect::<Option<Vec<_>>>() else { return true };
        let arrays = values.into_iter().map(|value| Arc::new(StringViewArray::from(vec![value])) as ArrayRef).collect();
        let row = schema.project(filter.columns()).and_then(|schema| {
            let one = RecordBatchOptions::new().with_row_count(Some(1));
            RecordBatch::try_new_with_options(Arc::new(schema), arrays, &one)
        });
        let kept = row.ok().and_then(|row| filter.keep(&row).ok());
        kept.is_none_or(|kept| kept.is_valid(0) && kept.value(0))
    })
}

impl Slot<'_> {
    /// The intervals in which everything was read.
    fn complete(&self) -> impl DoubleEndedIterator<Item = &&Interval> {
        self.intervals.iter().filter(|interval| interval.gap.is_none())
    }

    fn gaps(&self) -> impl Iterator<Item = (&Interval, &str)> {
        self.intervals.iter().filter_map(|interval| Some((*interval, interval.gap.as_deref()?)))
    }

    /// The interval that states how the rows at a time were read.
    fn at(&self, time: Timestamp) -> Option<&Interval> {
        // A gap lasts from the last complete reading to the next one, which belong to other intervals.
        let within = self.complete().find(|interval| interval.from <= time && time <= interval.to).copied();
        let reach = || self.intervals.iter().filter(|interval| reaches(interval, time)).max_by_key(|i| i.from).copied();
        within.or_else(reach)
    }

    /// The last complete reading up to a time, and the first one after it.
    fn nearest(&self, time: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
        // A time within an interval is between two of its readings.
        let before =
            self.complete().filter(|interval| interval.from <= time).map(|interval| interval.to.min(time)).max();
        let after = self.complete().map(|interval| interval.from).filter(|from| *from > time).min();
        (before, after)
    }

    /// Why the rows at a time are not known; `None` if they are.
    fn missing(&self, time: Timestamp) -> Option<String> {
        let nearest = match self.nearest(time) {
            (Some(before), Some(after)) => format!("the nearest complete readings are at {before} and {after}"),
            (Some(before), None) => format!("the last complete reading is at {before}"),
            (None, Some(after)) => format!("the first complete reading is at {after}"),
            (None, None) => "no reading is complete".to_owned(),
        };
        match self.at(time) {
            Some(interval) => {
                let reason = interval.gap.as_deref()?;
                Some(format!("not recorded completely at {time}: {reason}; {nearest}"))
            }
            None => Some(format!("not recorded at {time}; {nearest}")),
        }
    }

    /// Whether nothing was read up to a time.
    fn is_before_all(&self, time: Timestamp) -> bool {
        !self.intervals.iter().any(|interval| interval.from <= time && interval.readings > 0)
    }

    fn origin(&self) -> String {
        let Some(first) = self.intervals.first() else { return String::new() };
        match first.origin.is_empty() {
            true => first.writer.clone(),
            false => first.origin.clone(),
        }
    }
}

/// Whether a time is in an interval, or soon enough after it: one reading may be late.
fn reaches(interval: &Interval, time: Timestamp) -> bool {
    let reach = interval.every.map_or(0, |every| micros(every).saturating_mul(2));
    interval.from <= time && time.0 <= interval.to.0.saturating_add(reach)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Reports a table that was never recorded. Returns whether it was.
fn tell_unrecorded(scan: &Scan, table: &str, slots: &[Slot<'_>]) -> bool {
    if slots.is_empty() {
        let location = &scan.recorded.location;
        let message =
            format!("table `{table}` is not recorded in {location}; `[record]` in the configuration names tables");
        scan.warn(Outcome::Missing, "", message, Completeness::Failed);
    }
    !slots.is_empty()
}

/// Whether all recorded slices of a table are known at a time.
pub(super) fn is_known(intervals: &[Interval], table: &str, time: Timestamp) -> bool {
    let slots = slots_of(intervals.iter().filter(|interval| interval.table == table));
    !slots.is_empty() && slots.iter().all(|slot| slot.missing(time).is_none())
}

/// Reports the slices whose rows at a time are not known, with their nearest readings.
pub(super) fn tell_moment(scan: &Scan, table: &str, intervals: &[Interval], time: Timestamp) {
    let slots = slots(intervals, table, scan);
    if tell_unrecorded(scan, table, &slots) {
        for slot in &slots {
            if let Some(missing) = slot.missing(time) {
                let how = if slot.is_before_all(time) { Completeness::Failed } else { Completeness::Partial };
                scan.warn(Outcome::Missing, &slot.origin(), missing, how);
            }
        }
    }
}

/// Reports the slices whose newest reading is not complete.
pub(super) fn tell_newest(scan: &Scan, table: &str, intervals: &[Interval]) {
    let slots = slots(intervals, table, scan);
    if tell_unrecorded(scan, table, &slots) {
        for slot in &slots {
            if let Some(missing) =
                slot.intervals.iter().map(|interval| interval.to).max().and_then(|to| slot.missing(to))
            {
                scan.warn(Outcome::Missing, &slot.origin(), missing, Completeness::Partial);
            }
        }
    }
}

/// Reports the gaps in a period. A period that is open on both sides is all that was recorded.
pub(super) fn tell_period(scan: &Scan, table: &str, intervals: &[Interval], period: Period) {
    let slots = slots(intervals, table, scan);
    if !tell_unrecorded(scan, table, &slots) || period == Period::default() {
        return;
    }
    let is_in = |from: Timestamp, to: Timestamp| {
        period.to.is_none_or(|end| from < end) && period.from.is_none_or(|start| to > start)
    };
    for slot in &slots {
        for (gap, reason) in slot.gaps().filter(|(gap, _)| is_in(gap.from, gap.to)) {
            let message = format!("not recorded completely from {} to {}: {reason}", gap.from, gap.to);
            scan.warn(Outcome::Missing, &slot.origin(), message, Completeness::Partial);
        }
        let first = slot.complete().map(|interval| interval.from).min();
        if let (Some(start), Some(first)) = (period.from, first)
            && start < first
        {
            let message = format!("not recorded before the first complete reading at {first}");
            scan.warn(Outcome::Missing, &slot.origin(), message, Completeness::Partial);
        }
    }
}

/// The table `coverage`.
#[derive(Debug)]
pub(super) struct CoverageTable {
    recorded: Arc<Recorded>,
    spec: Arc<TableSpec>,
}

impl CoverageTable {
    pub(super) fn new(recorded: Arc<Recorded>) -> Self {
        let columns = vec![
            column("table_name", Kind::Text, false, "The table."),
            column("writer", Kind::Text, false, "The recorder that wrote it."),
            column(
                "origin",
                Kind::Text,
                false,
                "The slice: a cluster, an account and region, a repository, a host; empty for a table with one slice.",
            ),
            column("slice", Kind::TextMap, false, "Values that all rows of the slice have, by column."),
            column(
                "start_time",
                Kind::Timestamp,
                false,
                "First reading; for a gap, the last complete reading before it.",
            ),
            column(
                "end_time",
                Kind::Timestamp,
                false,
                "Last reading so far; for a gap, the next complete reading, or the last attempt so far.",
            ),
            column("how", Kind::Text, false, "How it was read: `poll`, `watch`, `event` or `capture`."),
            column(
                "every",
                Kind::Double,
                true,
                "Time between two readings, in seconds. NULL if it was read once or watched.",
            ),
            column("readings", Kind::BigInt, false, "Number of readings."),
            column("gap", Kind::Text, true, "Why rows are missing. NULL if the interval was recorded completely."),
        ];
        let about = "When each table was recorded, and when not: one row per slice and interval. A query as of a time that no \
                     interval has gives a warning.";
        let mut spec = TableSpec::new(COVERAGE, "indago", about, columns).with_past(Past::Timeless);
        spec.examples = vec![indago_table::Example::new(
            "Gaps of the last day, with their reasons.",
            "SELECT table_name, origin, start_time, end_time, gap FROM coverage \
             WHERE gap IS NOT NULL AND end_time > now() - INTERVAL '1 day'",
        )]
        .into();
        CoverageTable { recorded, spec: Arc::new(spec) }
    }
}

impl Table for CoverageTable {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let scan = Scan::new(&self.recorded, &self.spec, context, Vec::new())?;
        let label = scan.label.clone();
        let read = move |mut sink: Box<dyn Sink>| {
            Box::pin(async move {
                let intervals = scan.recorded.intervals().await?;
                for some in intervals.chunks(scan.context.batch_size.max(1)) {
                    let rows = batch(&scan.spec, some)?;
                    scan.context.meter.add_rows(rows.num_rows() as u64);
                    let columns = scan.conditions.needed.iter().map(|column| rows.column(*column).clone()).collect();
                    scan.send(columns, rows.num_rows(), &mut *sink).await?;
                }
                Ok(())
            }) as _
        };
        Ok(vec![Slice::new(label, Reading::Async(Box::new(read)))])
    }

    fn checks_filters(&self) -> bool {
        true
    }
}

fn batch(spec: &TableSpec, intervals: &[Interval]) -> Result<RecordBatch> {
    let texts = || StringViewBuilder::new();
    let (mut table, mut writer, mut origin, mut how, mut gap) = (texts(), texts(), texts(), texts(), texts());
    let times = || TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let (mut start, mut end, mut every, mut readings) = (times(), times(), Float64Builder::new(), Int64Builder::new());
    let names = MapFieldNames { entry: "entries".into(), key: "keys".into(), value: "values".into() };
    let mut slice = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for interval in intervals {
        table.append_value(&interval.table);
        writer.append_value(&interval.writer);
        origin.append_value(&interval.origin);
        for (column, value) in &interval.slice {
            slice.keys().append_value(column);
            slice.values().append_value(value);
        }
        slice.append(true).map_err(|error| malformed(&error))?;
        start.append_value(interval.from.0);
        end.append_value(interval.to.0);
        how.append_value(interval.how.name());
        every.append_option(interval.every.map(|every| every.as_secs_f64()));
        readings.append_value(i64::try_from(interval.readings).unwrap_or(i64::MAX));
        gap.append_option(interval.gap.as_deref());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(table.finish()),
        Arc::new(writer.finish()),
        Arc::new(origin.finish()),
        Arc::new(slice.finish()),
        Arc::new(start.finish()),
        Arc::new(end.finish()),
        Arc::new(how.finish()),
        Arc::new(every.finish()),
        Arc::new(readings.finish()),
        Arc::new(gap.finish()),
    ];
    RecordBatch::try_new(spec.schema(), columns).map_err(|error| malformed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::How;

    fn interval(from: i64, to: i64, every: Option<u64>, gap: Option<&str>) -> Interval {
        Interval {
            table: "t".to_owned(),
            writer: "w".to_owned(),
            origin: String::new(),
            slice: Vec::new(),
            from: Timestamp::from_seconds(from),
            to: Timestamp::from_seconds(to),
            how: How::Poll,
            every: every.map(Duration::from_secs),
            readings: u64::from(gap != Some("suspended")),
            gap: gap.map(str::to_owned),
        }
    }

    fn missing(intervals: &[Interval], time: i64) -> String {
        let slot = Slot { intervals: intervals.iter().collect() };
        slot.missing(Timestamp::from_seconds(time)).unwrap_or_default().replace("1970-01-01T00:", "")
    }

    #[test]
    fn gaps_and_what_is_before_and_after_readings_are_told() {
        let polled = [
            interval(600, 1200, Some(30), None),
            interval(1200, 1500, Some(30), Some("refused")),
            interval(1500, 1800, Some(30), None),
            interval(1800, 2400, Some(30), Some("suspended")),
            interval(2400, 2400, Some(30), None),
        ];
        for (time, expected) in [
            (599, "not recorded at 09:59Z; the first complete reading is at 10:00Z"),
            (600, ""),
            (1199, ""),
            (1200, ""),
            (
                1201,
                "not recorded completely at 20:01Z: refused; the nearest complete readings are at 20:00Z and 25:00Z",
            ),
            (1500, ""),
            (
                2000,
                "not recorded completely at 33:20Z: suspended; the nearest complete readings are at 30:00Z and 40:00Z",
            ),
            (2460, ""),
            (2461, "not recorded at 41:01Z; the last complete reading is at 40:00Z"),
        ] {
            assert_eq!(missing(&polled, time), expected, "{time}");
        }
        // The last attempt failed, so the source may still be away.
        let open = [interval(600, 1200, Some(30), None), interval(1200, 1230, Some(30), Some("refused"))];
        let refused = "not recorded completely at 20:35Z: refused; the last complete reading is at 20:00Z";
        assert_eq!(missing(&open, 1235), refused);
        // Always without a permission, once each.
        let partial = [interval(600, 600, None, Some("denied")), interval(660, 660, None, Some("denied"))];
        for (time, expected) in [
            (599, "not recorded at 09:59Z; no reading is complete"),
            (600, "not recorded completely at 10:00Z: denied; no reading is complete"),
            (630, "not recorded at 10:30Z; no reading is complete"),
        ] {
            assert_eq!(missing(&partial, time), expected, "{time}");
        }
    }
}
