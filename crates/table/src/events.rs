//! Tables of events that occur while a source is running.
//!
//! An [`EventSource`] receives events and puts them into the buffer of its table, [`Events`], which drops the oldest
//! when it is full. A query reads the buffer like any table. A *consumer* is a name for queries that read each event
//! once, in order. It has a cursor, which advances after a query that ended well. A query without a consumer reads the
//! entire buffer.
//!
//! The events of a query are fixed at its first scan of the table, so both sides of a self-join are the same.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow_array::builder::{ArrayBuilder, Int64Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use parking_lot::Mutex;

use crate::coverage::Completeness;
use crate::diagnostic::{Outcome, Warning};
use crate::driver::{self, BoxRow, CHUNK, Sources};
use crate::error::{Error, Result};
use crate::row::AnyRow;
use crate::scan::{BoxFuture, Gate, OpenGate, Scalar, ScanContext};
use crate::spec::{ColumnSpec, Kind, Lookup, TableSpec};
use crate::sys::Sys;
use crate::table::{Reading, Sink, Slice, Table};

/// A source of events: a kernel interface, a watch of an API.
pub trait EventSource: fmt::Debug + Send + Sync + 'static {
    /// The table's specification. Each event has all of its columns, so there are no sources. [`Events`] adds the
    /// column `eid`.
    fn spec(&self) -> TableSpec;

    /// Receives events and emits each one. The engine runs it as a task when the table is first read or the engine is
    /// told to listen. It stops the task by dropping it, and restarts it with a delay if it ends with an error. Such an
    /// end is a gap, which is reported to each consumer. `Ok` means that no more events will come, and is not a gap: if
    /// the server closes a watch, the source reopens it or returns an error. A source that blocks must do so on its own
    /// thread.
    fn listen<'a>(&'a self, events: &'a Events) -> BoxFuture<'a, Result<()>>;
}

/// Limits of a buffer of events. Above them, the oldest events are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventLimits {
    /// Number of events.
    pub rows: usize,
    /// Bytes, including the buffer's own overhead per event.
    pub bytes: usize,
    /// Time since an event was emitted.
    pub age: Duration,
}

/// 50,000 events of the last hour, as in osquery, and 64 MiB.
impl Default for EventLimits {
    fn default() -> Self {
        EventLimits { rows: 50_000, bytes: 64 << 20, age: Duration::from_secs(3600) }
    }
}

/// The number of an event in its table, from one; the last column of each event table.
const EID: &str = "eid";

/// Starts the source unless it is running; returns whether it was started now.
type Start = Box<dyn Fn() -> bool + Send + Sync>;

/// A table of events: a source, and the buffer of its events.
pub struct Events {
    spec: TableSpec,
    source: Box<dyn EventSource>,
    limits: EventLimits,
    clock: Sys,
    gate: OnceLock<Arc<dyn Gate>>,
    start: OnceLock<Start>,
    buffer: Mutex<Buffer>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.source).finish()
    }
}

/// Totals of an event table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTotals {
    /// Events that were emitted.
    pub events: u64,
    /// Consumers that see each event once.
    pub consumers: u64,
    /// How many times events were missed before the buffer.
    pub gaps: u64,
}

#[derive(Default)]
struct Buffer {
    events: VecDeque<Event>,
    /// The number of the next event.
    next: u64,
    bytes: usize,
    cursors: BTreeMap<String, Cursor>,
    /// How many times events were missed before the buffer, and the reason of the last time.
    gaps: u64,
    last_gap: String,
}

/// The position of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    event: u64,
    gap: u64,
}

struct Event {
    number: u64,
    at: i64,
    bytes: usize,
    row: Arc<dyn AnyRow>,
}

impl Buffer {
    /// The number of the oldest event in the buffer, or of the next one.
    fn first(&self) -> u64 {
        self.events.front().map_or(self.next, |event| event.number)
    }

    /// The position after all events.
    fn end(&self) -> Cursor {
        Cursor { event: self.next, gap: self.gaps }
    }

    /// Drops the events above the limits.
    fn drop_old(&mut self, limits: &EventLimits, now: i64) {
        let oldest = now.saturating_sub(i64::try_from(limits.age.as_micros()).unwrap_or(i64::MAX));
        while let Some(event) = self.events.front()
            && (self.events.len() > limits.rows || self.bytes > limits.bytes || event.at < oldest)
        {
            self.bytes -= event.bytes;
            self.events.pop_front();
        }
    }
}

impl Events {
    /// The table of a source.
    pub fn new(source: Box<dyn EventSource>, limits: EventLimits, clock: &Sys) -> Arc<Self> {
        let mut spec = source.spec();
        let mut eid = ColumnSpec::new(EID, Kind::BigInt, "Number of the event in this table, in the order of events.");
        (eid.nullable, eid.hidden, eid.added) = (false, true, true);
        spec.columns.to_mut().push(eid);
        // A key saves nothing, and a lookup would skip the events without a matching key.
        spec.lookup = Lookup::WholeSource;
        spec.require_any = Cow::Borrowed(&[]);
        spec.events = true;
        Arc::new(Events {
            spec,
            source,
            limits,
            clock: clock.clone(),
            gate: OnceLock::new(),
            start: OnceLock::new(),
            buffer: Mutex::new(Buffer { next: 1, ..Buffer::default() }),
        })
    }

    /// Sets the function that starts the source. It is called before each scan and returns whether the source was not
    /// running before.
    pub fn on_first_reading(&self, start: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self.start.set(Box::new(start));
    }

    /// Sets the gate for the source's calls.
    pub fn set_gate(&self, gate: Arc<dyn Gate>) {
        let _ = self.gate.set(gate);
    }

    /// Limits of the source's API calls: the engine's.
    pub fn gate(&self) -> Arc<dyn Gate> {
        self.gate.get().cloned().unwrap_or_else(|| Arc::new(OpenGate))
    }

    /// Runs the source until it ends.
    pub fn listen(&self) -> BoxFuture<'_, Result<()>> {
        self.source.listen(self)
    }

    /// Appends an event to the buffer. `heap` is the number of bytes that its row holds outside itself, in texts and
    /// lists.
    pub fn emit<R: AnyRow>(&self, row: R, heap: usize) {
        self.emit_at(row, heap, self.clock.now().0);
    }

    fn emit_at<R: AnyRow>(&self, row: R, heap: usize, now: i64) {
        let bytes = size_of::<R>() + heap + size_of::<Event>() + 2 * size_of::<usize>();
        let mut buffer = self.buffer.lock();
        let number = buffer.next;
        buffer.next += 1;
        buffer.bytes += bytes;
        buffer.events.push_back(Event { number, at: now, bytes, row: Arc::new(row) });
        buffer.drop_old(&self.limits, now);
    }

    /// Records that events were missed at this point of the stream: the source was not running, or the system dropped
    /// them. Each consumer that passes this point gets one warning.
    pub fn gap(&self, why: impl Into<String>) {
        let mut buffer = self.buffer.lock();
        buffer.gaps += 1;
        buffer.last_gap = why.into();
    }

    /// Removes a consumer that is no longer used.
    pub fn forget(&self, consumer: &str) {
        self.buffer.lock().cursors.remove(consumer);
    }

    /// Totals since the start.
    pub fn totals(&self) -> EventTotals {
        let buffer = self.buffer.lock();
        EventTotals { events: buffer.next, consumers: buffer.cursors.len() as u64, gaps: buffer.gaps }
    }

    /// Size of the buffer in bytes.
    pub fn bytes(&self) -> usize {
        self.buffer.lock().bytes
    }

    /// The events that a query reads: for a consumer, all from its cursor on; otherwise the entire buffer.
    pub(crate) fn take(self: &Arc<Self>, consumer: Option<&str>) -> Taking {
        let starts = self.start.get().is_some_and(|start| start());
        let mut buffer = self.buffer.lock();
        buffer.drop_old(&self.limits, self.clock.now().0);
        let (first, to) = (buffer.first(), buffer.end());
        let from = match consumer {
            // A new consumer starts with the buffered events. Earlier events are not reported as missed.
            Some(name) => *buffer.cursors.entry(name.to_owned()).or_insert(Cursor { event: first, gap: to.gap }),
            None => Cursor { event: first, gap: to.gap },
        };
        let gaps = match (to.gap - from.gap, consumer) {
            (0, None) if starts => {
                (1, "the event source was not running before this query, so earlier events are missing".to_owned())
            }
            (gaps, _) => (gaps, buffer.last_gap.clone()),
        };
        let consumer = consumer.map(str::to_owned);
        let state = Mutex::new(Taken { upto: to.event, counted: 0, lost: 0, gaps });
        Taking { events: self.clone(), consumer, from, first, to, state }
    }

    /// The first event from a number on.
    fn next_from(&self, number: u64) -> Option<(u64, Arc<dyn AnyRow>)> {
        let buffer = self.buffer.lock();
        let position = usize::try_from(number.saturating_sub(buffer.first())).ok()?;
        buffer.events.get(position).map(|event| (event.number, event.row.clone()))
    }

    fn read(self: &Arc<Self>, context: &ScanContext, sink: &mut dyn Sink) -> Result<()> {
        let taking = context.query.taking(self);
        let eid = self.spec.columns.len() - 1;
        let schema = self.spec.schema().project(&context.columns).expect("wanted columns are columns of the table");
        let mut columns = context.columns.to_vec();
        if columns.last() != Some(&eid) {
            columns.push(eid);
        }
        let inner = ScanContext { columns: columns.into(), ..context.clone() };
        let mut sink = Numbered { sink, schema: Arc::new(schema), last: None, taking: &taking, context: &inner };
        let outcome = driver::read_rows(&self.spec, &inner, &mut taking.rows(eid), &NoSources, CHUNK, &mut sink);
        let upto = match (&outcome, sink.last) {
            (Ok(()), _) => taking.to.event,
            // The limit was reached: events after the last returned row are for the next query.
            (Err(Error::Cancelled), Some(last)) if context.is_satisfied() => last + 1,
            _ => taking.from.event,
        };
        taking.end(upto, context);
        outcome
    }
}

impl Table for Arc<Events> {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let (events, context) = (self.clone(), context.clone());
        let label = context.slice_name("");
        let read = move |sink: &mut dyn Sink| events.read(&context, sink);
        Ok(vec![Slice::new(label, Reading::Blocking(Box::new(read)))])
    }

    fn checks_filters(&self) -> bool {
        true
    }
}

/// The events of one query in one table.
pub(crate) struct Taking {
    events: Arc<Events>,
    consumer: Option<String>,
    from: Cursor,
    /// The oldest event in the buffer at that time.
    first: u64,
    to: Cursor,
    state: Mutex<Taken>,
}

struct Taken {
    /// The first event that some scan of the query has not reached.
    upto: u64,
    /// Lost events before this one are already counted.
    counted: u64,
    /// Lost events, and gaps with the reason of the last one, that no warning has reported yet.
    lost: u64,
    gaps: (u64, String),
}

impl Taking {
    pub(crate) fn is_of(&self, events: &Arc<Events>) -> bool {
        Arc::ptr_eq(&self.events, events)
    }

    fn rows(&self, eid: usize) -> impl Iterator<Item = BoxRow> {
        let (mut at, to) = (self.from.event, self.to.event);
        std::iter::from_fn(move || {
            if at == to {
                return None;
            }
            let next = self.events.next_from(at).filter(|(number, _)| *number < to);
            let before = std::mem::replace(&mut at, next.as_ref().map_or(to, |(number, _)| number + 1));
            self.lose(before, next.as_ref().map_or(to, |(number, _)| *number));
            let (number, row) = next?;
            Some(Box::new(Held { number, row, eid }) as BoxRow)
        })
    }

    /// Counts events that were dropped before this query read them.
    fn lose(&self, from: u64, to: u64) {
        let mut state = self.state.lock();
        let from = from.max(state.counted);
        if to > from {
            state.lost += to - from;
            state.counted = to;
        }
    }

    /// Ends a scan that read up to an event, and reports what it missed.
    fn end(&self, upto: u64, context: &ScanContext) {
        let (lost, (gaps, gap)) = {
            let mut state = self.state.lock();
            state.upto = state.upto.min(upto);
            (std::mem::take(&mut state.lost), std::mem::take(&mut state.gaps))
        };
        let EventLimits { rows, bytes, age } = self.events.limits;
        let dropped = format!(
            "{lost} events were dropped before this query read them: the buffer is limited to {rows} events, {bytes} \
             bytes and an age of {age:?}"
        );
        for (origin, count, message) in [("buffer", lost.min(1), dropped), ("source", gaps, gap)] {
            if count > 0 {
                let (table, origin) = (self.events.spec.name.to_string(), origin.to_owned());
                let warning =
                    Warning { table, origin, outcome: Outcome::Missing, message, needs: None, count, lines: None };
                context.query.add(&context.slice_name(""), Completeness::Partial, warning);
            }
        }
    }

    /// The warning for a consumer whose query did not read all events.
    pub(crate) fn left(&self) -> Option<Warning> {
        self.consumer.as_ref()?;
        let message = "the query ended before it read all events, so the next one reads them again; put a LIMIT over a \
                       join into a subquery over the events";
        let (table, origin) = (self.events.spec.name.to_string(), "cursor".to_owned());
        Some(Warning {
            table,
            origin,
            outcome: Outcome::Unsupported,
            message: message.to_owned(),
            needs: None,
            count: 1,
            lines: None,
        })
    }

    /// Advances the consumer's cursor after the events that the query read.
    pub(crate) fn advance(&self) {
        self.move_to(self.state.lock().upto);
    }

    /// Advances the consumer's cursor after the events that were reported as missing, and before the buffered ones.
    pub(crate) fn acknowledge(&self) {
        self.move_to(self.first);
    }

    fn move_to(&self, event: u64) {
        if let Some(consumer) = &self.consumer
            && let Some(cursor) = self.events.buffer.lock().cursors.get_mut(consumer)
        {
            *cursor = Cursor { event: cursor.event.max(event), gap: cursor.gap.max(self.to.gap) };
        }
    }
}

/// An event of one query, with its number.
struct Held {
    number: u64,
    row: Arc<dyn AnyRow>,
    eid: usize,
}

impl AnyRow for Held {
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder) {
        if column == self.eid {
            let builder = builder.as_any_mut().downcast_mut::<Int64Builder>();
            builder.expect("a number's builder").append_value(self.number.cast_signed());
        } else {
            self.row.append(column, builder);
        }
    }

    fn key(&self, column: usize) -> Option<Scalar> {
        if column == self.eid { Some(Scalar::Integer(self.number.cast_signed())) } else { self.row.key(column) }
    }

    fn bytes(&self) -> usize {
        self.row.bytes()
    }
}

/// Events have all of their columns, so there are no sources.
struct NoSources;

impl Sources for NoSources {
    fn load(&self, _row: &mut dyn AnyRow, source: usize) -> Result<()> {
        Err(Error::Unsupported(format!("an event has no source {source}")))
    }
}

/// Tracks the number of the last returned event. It is the last column, and is removed unless it is wanted.
struct Numbered<'a> {
    sink: &'a mut dyn Sink,
    schema: SchemaRef,
    last: Option<u64>,
    taking: &'a Taking,
    context: &'a ScanContext,
}

impl Numbered<'_> {
    fn noted(&mut self, batch: RecordBatch) -> RecordBatch {
        let numbers = batch.columns().last().map(|column| column.as_primitive::<Int64Type>());
        if let Some(last) = numbers.and_then(|numbers| numbers.values().last()) {
            let last = last.cast_unsigned();
            self.last = Some(last);
            // With a limit, the query may end before this scan does, so the cursor is set here.
            if self.context.is_satisfied() {
                let mut state = self.taking.state.lock();
                state.upto = state.upto.min(last + 1);
            }
        }
        if batch.num_columns() == self.schema.fields().len() {
            return batch;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let wanted = batch.columns()[..self.schema.fields().len()].to_vec();
        RecordBatch::try_new_with_options(self.schema.clone(), wanted, &options).expect("the columns are wanted ones")
    }
}

impl Sink for Numbered<'_> {
    fn blocking_send(&mut self, batch: RecordBatch) -> bool {
        let batch = self.noted(batch);
        self.sink.blocking_send(batch)
    }

    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
        let batch = self.noted(batch);
        self.sink.send(batch)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::scan::{ColumnConstraint, Constraints, QueryScope, RowFilter};

    #[derive(Debug)]
    struct Ticks;

    struct Tick(i64);

    impl AnyRow for Tick {
        fn append(&self, _column: usize, builder: &mut dyn ArrayBuilder) {
            builder.as_any_mut().downcast_mut::<Int64Builder>().expect("n").append_value(self.0);
        }

        fn key(&self, column: usize) -> Option<Scalar> {
            (column == 0).then_some(Scalar::Integer(self.0))
        }
    }

    impl EventSource for Ticks {
        fn spec(&self) -> TableSpec {
            let mut n = ColumnSpec::new("n", Kind::BigInt, "The tick.");
            n.index = true;
            TableSpec::new("ticks", "test", "Ticks.", vec![n])
        }

        fn listen<'a>(&'a self, _events: &'a Events) -> BoxFuture<'a, Result<()>> {
            Box::pin(std::future::pending())
        }
    }

    fn ticks(limits: EventLimits) -> Arc<Events> {
        Events::new(Box::new(Ticks), limits, &Sys::live())
    }

    fn rows(rows: usize) -> EventLimits {
        EventLimits { rows, ..EventLimits::default() }
    }

    /// Accepts a number of batches, then stops the scan.
    struct Batches(Vec<RecordBatch>, usize);

    impl Sink for Batches {
        fn blocking_send(&mut self, batch: RecordBatch) -> bool {
            self.0.push(batch);
            self.0.len() < self.1
        }

        fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
            let goes_on = self.blocking_send(batch);
            Box::pin(std::future::ready(goes_on))
        }
    }

    /// A query of a consumer.
    fn query(consumer: Option<&str>) -> ScanContext {
        let context = ScanContext::new([0]);
        let scope = QueryScope::new(context.query.moment()).of_consumer(consumer.map(str::to_owned));
        ScanContext { query: Arc::new(scope), ..context }
    }

    /// The ticks that a scan returns.
    fn read(events: &Arc<Events>, context: &ScanContext, batches: usize) -> Vec<i64> {
        let slice = events.slices(context).expect("a slice").remove(0);
        let Reading::Blocking(read) = slice.reading else { panic!("it blocks") };
        let mut sink = Batches(Vec::new(), batches);
        let outcome = read(&mut sink);
        let is_cut = context.limit.is_some() || batches < usize::MAX;
        assert!(outcome.is_ok() || is_cut && outcome == Err(Error::Cancelled), "{outcome:?}");
        let numbers = |batch: &RecordBatch| batch.column(0).as_primitive::<Int64Type>().values().to_vec();
        assert!(sink.0.iter().all(|batch| batch.num_columns() == context.columns.len()));
        sink.0.iter().flat_map(numbers).collect()
    }

    fn warnings(context: &ScanContext) -> Vec<String> {
        context.query.diagnostics().warnings().iter().map(|warning| warning.message.clone()).collect()
    }

    /// Number of dropped events in the query's warnings.
    fn dropped(context: &ScanContext) -> u64 {
        let many = |warning: &String| warning.split_once(" events were dropped")?.0.parse::<u64>().ok();
        warnings(context).iter().filter_map(many).sum()
    }

    /// What a consumer has read and was reported as missing.
    #[derive(Default)]
    struct Seen {
        ticks: Vec<i64>,
        missed: u64,
        /// The first tick after those that were dropped before its first query.
        since: Option<i64>,
    }

    #[test]
    fn each_consumer_sees_each_event_once_in_order_or_hears_of_it() {
        for seed in 0..500 {
            let mut random = StdRng::seed_from_u64(seed);
            let events = ticks(rows(random.random_range(1..20)));
            let mut consumers: [Seen; 3] = Default::default();
            let mut emitted = 0;
            for _ in 0..random.random_range(5..60) {
                if random.random_bool(0.5) {
                    for _ in 0..random.random_range(1..8) {
                        events.emit(Tick(emitted), 0);
                        emitted += 1;
                    }
                    continue;
                }
                let name = random.random_range(0..3);
                let seen = &mut consumers[name];
                let first = events.buffer.lock().first().cast_signed() - 1;
                seen.since.get_or_insert(first);
                let limit = random.random_bool(0.4).then(|| random.random_range(1..6));
                let context = ScanContext { limit, batch_size: 2, ..query(Some(&name.to_string())) };
                match random.random_range(0..4) {
                    // It ends early, or it ends well and then fails.
                    0 => drop(read(&events, &context, 1)),
                    1 => drop(read(&events, &context, usize::MAX)),
                    _ => {
                        let own = read(&events, &context, usize::MAX);
                        seen.missed += dropped(&context);
                        // The other side of a join reads the same events, even if new ones were emitted.
                        events.emit(Tick(emitted), 0);
                        emitted += 1;
                        if limit.is_none() {
                            let other =
                                read(&events, &ScanContext { given: Arc::default(), ..context.clone() }, usize::MAX);
                            assert!(own.ends_with(&other), "seed {seed}: {own:?} {other:?}");
                        }
                        seen.ticks.extend(own);
                        context.query.advance_events();
                    }
                }
            }
            for (name, seen) in consumers.iter_mut().enumerate() {
                let Some(since) = seen.since else { continue };
                let context = query(Some(&name.to_string()));
                seen.ticks.extend(read(&events, &context, usize::MAX));
                seen.missed += dropped(&context);
                assert!(seen.ticks.is_sorted_by(|one, next| one < next), "seed {seed}: {:?}", seen.ticks);
                assert!(seen.ticks.first().is_none_or(|first| *first >= since));
                let all = u64::try_from(emitted - since).expect("ticks count up");
                assert_eq!(seen.ticks.len() as u64 + seen.missed, all, "seed {seed}: consumer {name}");
            }
        }
    }

    #[test]
    fn keys_filters_and_limits_pass_over_what_they_leave_out_and_no_more() {
        #[derive(Debug)]
        struct Odd;
        impl RowFilter for Odd {
            fn columns(&self) -> &[usize] {
                &[0]
            }
            fn keep(&self, rows: &RecordBatch) -> Result<arrow_array::BooleanArray> {
                Ok(rows.column(0).as_primitive::<Int64Type>().values().iter().map(|n| Some(n % 2 == 1)).collect())
            }
        }
        let events = ticks(rows(100));
        (0..10).for_each(|n| events.emit(Tick(n), 0));
        let odd =
            |limit| ScanContext { limit, filters: [Arc::new(Odd) as Arc<dyn RowFilter>].into(), ..query(Some("odd")) };
        for expected in [vec![1, 3], vec![5, 7], vec![9], vec![]] {
            let context = odd(Some(2));
            assert_eq!(read(&events, &context, usize::MAX), expected);
            context.query.advance_events();
        }
        let keys = ColumnConstraint { keys: Some(Arc::new(vec![Scalar::Integer(4)])), ..ColumnConstraint::default() };
        let keyed = ScanContext { constraints: Arc::new(Constraints([(0, keys)].into())), ..query(Some("keyed")) };
        assert_eq!(read(&events, &keyed, usize::MAX), [4]);
        keyed.query.advance_events();
        assert_eq!(read(&events, &query(Some("keyed")), usize::MAX), Vec::<i64>::new());
        // A query without a consumer reads all events each time, with numbers.
        let all: Vec<i64> = (0..10).collect();
        assert_eq!(read(&events, &query(None), usize::MAX), all);
        let numbered = ScanContext { columns: [1].into(), ..query(None) };
        assert_eq!(read(&events, &numbered, usize::MAX), (1..=10).collect::<Vec<_>>());
        let none = ScanContext { columns: [].into(), ..query(None) };
        let slice = events.slices(&none).expect("a slice").remove(0);
        let Reading::Blocking(read) = slice.reading else { panic!("it blocks") };
        let mut sink = Batches(Vec::new(), usize::MAX);
        read(&mut sink).expect("it is read");
        assert_eq!(sink.0.iter().map(RecordBatch::num_rows).sum::<usize>(), 10);
    }

    #[test]
    fn a_buffer_is_bounded_by_events_bytes_and_age() {
        let held = |events: &Arc<Events>| read(events, &query(None), usize::MAX);
        let events = ticks(rows(3));
        (0..5).for_each(|n| events.emit(Tick(n), 0));
        assert_eq!(held(&events), [2, 3, 4]);

        let events = ticks(EventLimits { bytes: 10_000, ..EventLimits::default() });
        (0..50).for_each(|n| events.emit(Tick(n), 1000));
        assert!(events.bytes() <= 10_000 && held(&events).len() >= 8, "{}", events.bytes());
        // An event larger than the buffer is not stored, and counts as dropped.
        let context = query(Some("late"));
        read(&events, &context, usize::MAX);
        context.query.advance_events();
        events.emit(Tick(50), 20_000);
        assert_eq!((held(&events), events.bytes()), (vec![], 0));
        let context = query(Some("late"));
        assert_eq!((read(&events, &context, usize::MAX), dropped(&context)), (vec![], 1));

        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        let events = Events::new(Box::new(Ticks), EventLimits::default(), &Sys::live().with_clock(now));
        [(0, 6399), (1, 6400), (2, 9999)].into_iter().for_each(|(n, at)| events.emit_at(Tick(n), 0, at * 1_000_000));
        assert_eq!(held(&events), [1, 2]);
    }

    #[test]
    fn what_is_missing_is_told_until_a_query_ends_well() {
        let events = ticks(rows(2));
        let first = query(Some("a"));
        assert_eq!(read(&events, &first, usize::MAX), Vec::<i64>::new());
        first.query.advance_events();
        events.gap("the kernel dropped some");
        (0..5).for_each(|n| events.emit(Tick(n), 0));
        let told = || {
            let context = query(Some("a"));
            read(&events, &context, usize::MAX);
            (context.clone(), warnings(&context))
        };
        let (failed, missing) = told();
        let expected = "3 events were dropped before this query read them: the buffer is limited to 2 events, 67108864 \
                        bytes and an age of 3600s";
        assert_eq!(missing, [expected, "the kernel dropped some"]);
        drop(failed);
        let (strict, missing) = told();
        assert_eq!(missing.len(), 2, "the query failed, so the warnings are repeated");
        strict.query.acknowledge_events();
        let (well, missing) = told();
        assert_eq!(missing, Vec::<String>::new());
        well.query.advance_events();
        assert_eq!(warnings(&told().0), Vec::<String>::new());
        // A new consumer missed nothing. A query without a consumer gets no warning.
        for late in [Some("b"), None] {
            let context = query(late);
            assert_eq!(read(&events, &context, usize::MAX), [3, 4]);
            assert_eq!(warnings(&context), Vec::<String>::new());
        }
        (0..3).for_each(|n| events.gap(format!("gap {n}")));
        let (context, missing) = told();
        assert_eq!((missing, context.query.diagnostics().warnings()[0].count), (vec!["gap 2".to_owned()], 3));
        events.forget("a");
        assert_eq!(told().1, Vec::<String>::new());
    }
}
