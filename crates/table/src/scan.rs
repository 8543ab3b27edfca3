//! One scan of one table: its constraints, and what the engine provides.

use std::any::Any;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringViewArray, UInt64Array};
use futures_core::Stream;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use parking_lot::Mutex;

use crate::coverage::{Completeness, Coverage, Covered};
use crate::diagnostic::{Diagnostics, Outcome, Warning};
use crate::error::{Error, Result};
use crate::events::{Events, Taking};
use crate::row::{Environment, Misfit, Row};
use crate::spec::{ColumnSpec, Kind, TableSpec};
use crate::sys::Sys;
use crate::table::Slice;
use crate::value::{KeyValue, Timestamp};

/// A boxed future, as traits with objects return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A value of a constraint.
#[derive(Debug, Clone)]
pub enum Scalar {
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Microseconds since 1970, UTC.
    Timestamp(i64),
}

/// Reals are equal if their bits are equal, so that values can be hash keys.
impl Eq for Scalar {}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Scalar::Boolean(left), Scalar::Boolean(right)) => left == right,
            (Scalar::Integer(left), Scalar::Integer(right)) => left == right,
            (Scalar::Real(left), Scalar::Real(right)) => left.to_bits() == right.to_bits(),
            (Scalar::Text(left), Scalar::Text(right)) => left == right,
            (Scalar::Timestamp(left), Scalar::Timestamp(right)) => left == right,
            _ => false,
        }
    }
}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Scalar::Boolean(value) => value.hash(state),
            Scalar::Integer(value) | Scalar::Timestamp(value) => value.hash(state),
            Scalar::Real(value) => value.to_bits().hash(state),
            Scalar::Text(text) => text.hash(state),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Boolean(value) => write!(f, "{value}"),
            Scalar::Integer(value) => write!(f, "{value}"),
            Scalar::Real(value) => write!(f, "{value}"),
            Scalar::Text(text) => write!(f, "'{text}'"),
            Scalar::Timestamp(micros) => write!(f, "timestamp {micros}us"),
        }
    }
}

/// A `LIKE` pattern: `%` is any text, `_` any character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The pattern as written.
    pub like: String,
    /// Whether ASCII case is ignored.
    pub ignore_case: bool,
}

impl Pattern {
    /// The text before the first wildcard.
    pub fn prefix(&self) -> &str {
        let end = self.like.find(['%', '_']).unwrap_or(self.like.len());
        &self.like[..end]
    }
}

/// Constraints on one column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnConstraint {
    /// `= x`, `IN (..)`, join keys: the row's value is one of these.
    pub keys: Option<Arc<Vec<Scalar>>>,
    /// `LIKE`: the row's value matches all of these.
    pub patterns: Vec<Pattern>,
    /// `>` and `>=`: the row's value is at least this.
    pub from: Option<Scalar>,
    /// `<` and `<=`: the row's value is at most this.
    pub to: Option<Scalar>,
}

/// Constraints on a table, by column position.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Constraints(pub BTreeMap<usize, ColumnConstraint>);

impl Constraints {
    /// The keys of a column.
    pub fn keys(&self, column: usize) -> Option<&Arc<Vec<Scalar>>> {
        self.0.get(&column).and_then(|constraint| constraint.keys.as_ref())
    }

    /// Whether there is no constraint.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a column is constrained by keys or patterns.
    pub fn asks(&self, column: usize) -> bool {
        self.0.get(&column).is_some_and(|constraint| constraint.keys.is_some() || !constraint.patterns.is_empty())
    }
}

/// A column of a row type. Its type tells which constraints it supports.
///
/// The derive macro generates one constant per column, so [`Scan::keys`] on a column without an index does not compile.
pub struct Column<T, V, const INDEX: bool, const PATTERN: bool, const RANGE: bool> {
    position: usize,
    row: PhantomData<fn() -> (T, V)>,
}

impl<T, V, const I: bool, const P: bool, const R: bool> fmt::Debug for Column<T, V, I, P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({})", self.position)
    }
}

impl<T, V, const I: bool, const P: bool, const R: bool> Clone for Column<T, V, I, P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V, const I: bool, const P: bool, const R: bool> Copy for Column<T, V, I, P, R> {}

impl<T, V, const I: bool, const P: bool, const R: bool> Column<T, V, I, P, R> {
    /// The column at a position; for the derive macro.
    #[doc(hidden)]
    pub const fn at(position: usize) -> Self {
        Column { position, row: PhantomData }
    }

    /// Its position in the table.
    pub const fn position(self) -> usize {
        self.position
    }
}

/// A group of columns in a row type: a field with `#[column(flatten)]`.
///
/// The derive macro generates one constant per group: `scan.keys(Row::META.at(Meta::NAME))`.
pub struct Group<T, G> {
    first: usize,
    row: PhantomData<fn() -> (T, G)>,
}

impl<T, G> fmt::Debug for Group<T, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({})", self.first)
    }
}

impl<T, G> Clone for Group<T, G> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, G> Copy for Group<T, G> {}

impl<T, G> Group<T, G> {
    /// The group whose first column is at a position; for the derive macro.
    #[doc(hidden)]
    pub const fn from(first: usize) -> Self {
        Group { first, row: PhantomData }
    }

    /// A column of the group, as a column of the row type.
    pub const fn at<V, const I: bool, const P: bool, const R: bool>(
        self,
        column: Column<G, V, I, P, R>,
    ) -> Column<T, V, I, P, R> {
        Column::at(self.first + column.position)
    }
}

/// A condition on rows that the caller provides: a part of the query's filter that the table does not apply.
///
/// A driver evaluates it as soon as a row has the columns that it needs, so the row's other sources run only if the row
/// is kept.
pub trait RowFilter: fmt::Debug + Send + Sync {
    /// Positions of its columns, ascending.
    fn columns(&self) -> &[usize];
    /// The rows to keep from a batch of those columns: those where the value is true, neither false nor NULL. An error
    /// ends the scan; the caller knows the cause.
    fn keep(&self, rows: &RecordBatch) -> Result<BooleanArray>;
    /// Which groups of rows may contain rows to keep, from statistics about them; one value per group. A table can skip
    /// the others without reading them. `None` if the statistics exclude nothing.
    fn may_keep(&self, _groups: &RowGroups) -> Option<Vec<bool>> {
        None
    }
}

/// Statistics about groups of rows, such as the row groups of a file.
#[derive(Debug, Clone)]
pub struct RowGroups {
    /// Number of rows of each group.
    pub rows: Vec<u64>,
    /// For each column of the filter, in its order; `None` if there are no statistics.
    pub columns: Vec<Option<ColumnStatistics>>,
}

/// Statistics about the values of one column. Each array has one element per group, NULL if it is unknown.
#[derive(Debug, Clone)]
pub struct ColumnStatistics {
    /// Lower bounds: no value of the group is less.
    pub minima: ArrayRef,
    /// Upper bounds: no value of the group is greater.
    pub maxima: ArrayRef,
    /// Numbers of NULLs.
    pub nulls: UInt64Array,
}

/// Counts what a scan reads, and cancels it.
///
/// If a scan runs several times (once per batch of a join's keys), all runs share one meter. Each run has a
/// [`child`](Meter::child), so the end of one does not stop the others.
#[derive(Debug, Default)]
pub struct Meter {
    rows: AtomicU64,
    bytes: AtomicU64,
    calls: AtomicU64,
    cancelled: AtomicBool,
    lossy: AtomicBool,
    parent: Option<Arc<Meter>>,
    /// The query whose memory is charged.
    query: OnceLock<Weak<QueryScope>>,
}

impl Meter {
    /// A meter that adds to its parent's counters and stops with it, but can be cancelled alone.
    pub fn child(parent: &Arc<Meter>) -> Self {
        Meter { parent: Some(parent.clone()), ..Meter::default() }
    }

    fn add(&self, counter: impl Fn(&Meter) -> &AtomicU64, count: u64) {
        counter(self).fetch_add(count, Ordering::Relaxed);
        if let Some(parent) = &self.parent {
            parent.add(counter, count);
        }
    }

    /// Counts returned rows.
    pub fn add_rows(&self, rows: u64) {
        self.add(|meter| &meter.rows, rows);
    }

    /// Counts bytes read.
    pub fn add_bytes(&self, bytes: u64) {
        self.add(|meter| &meter.bytes, bytes);
    }

    /// Counts calls: opened files, listed directories, sent requests.
    pub fn add_calls(&self, calls: u64) {
        self.add(|meter| &meter.calls, calls);
    }

    /// Records that a text was converted from bytes that are not UTF-8. The driver then finds the columns that show it.
    pub fn note_lossy(&self) {
        self.lossy.store(true, Ordering::Relaxed);
    }

    /// Whether a text was converted from bytes that are not UTF-8.
    pub fn is_lossy(&self) -> bool {
        self.lossy.load(Ordering::Relaxed)
    }

    /// Rows returned so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Charges bytes to the query's memory until the returned value is dropped. Fails if the memory limit is reached. Outside a
    /// query it charges nothing.
    pub fn hold(&self, bytes: usize) -> Result<Held> {
        let mut held = Held { query: self.query(), bytes: 0 };
        held.cover(bytes)?;
        Ok(held)
    }

    fn query(&self) -> Weak<QueryScope> {
        match (self.query.get(), &self.parent) {
            (Some(query), _) => query.clone(),
            (None, Some(parent)) => parent.query(),
            (None, None) => Weak::new(),
        }
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Cancels the scan.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the scan is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.parent.as_ref().is_some_and(|parent| parent.is_cancelled())
    }
}

/// Bytes that are charged to a query's memory until this is dropped, for data that a table holds, such as a page of a response.
/// See [`Meter::hold`].
#[derive(Debug, Default)]
pub struct Held {
    query: Weak<QueryScope>,
    bytes: usize,
}

impl Held {
    /// Charges are rounded up to this many bytes.
    const STEP: usize = 64 << 10;

    /// Raises the charge to at least this many bytes.
    pub fn cover(&mut self, bytes: usize) -> Result<()> {
        let missing = bytes.saturating_sub(self.bytes);
        if missing > 0
            && let Some(query) = self.query.upgrade()
        {
            let missing = missing.next_multiple_of(Held::STEP);
            query.keep(missing)?;
            self.bytes += missing;
        }
        Ok(())
    }

    /// Charges this many bytes more.
    pub fn add(&mut self, bytes: usize) -> Result<()> {
        self.cover(self.bytes + bytes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(query) = self.query.upgrade()
            && let Some(budget) = query.budget.lock().as_mut()
        {
            budget.give_back(self.bytes);
        }
    }
}

/// What paces calls to endpoints: the engine's concurrency and rate limits, its clock and its time-outs.
///
/// A table never sleeps, retries or counts connections itself. It calls [`Scan::call`], which uses the gate.
pub trait Gate: fmt::Debug + Send + Sync {
    /// Waits for a permit of an endpoint. Dropping the permit returns it.
    fn enter<'a>(&'a self, endpoint: &'a str) -> BoxFuture<'a, Permit>;
    /// Waits.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
    /// Timeout of one call.
    fn call_timeout(&self) -> Duration;
    /// Delay before attempt number `attempt` (1 for the first retry); `None` if there are no more retries.
    fn backoff(&self, attempt: u32) -> Option<Duration>;
    /// Detail calls that one scan may make concurrently.
    fn concurrency(&self) -> usize;
}

/// A permit for one call to an endpoint.
pub type Permit = Box<dyn Any + Send>;

/// A gate without limits and retries, for tables that are used without an engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenGate;

impl Gate for OpenGate {
    fn enter<'a>(&'a self, _endpoint: &'a str) -> BoxFuture<'a, Permit> {
        Box::pin(async { Box::new(()) as Permit })
    }

    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn call_timeout(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn backoff(&self, _attempt: u32) -> Option<Duration> {
        None
    }

    fn concurrency(&self) -> usize {
        8
    }
}

/// Longest `Retry-After` that a call waits for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Attempts of a call that may time out, because each of them takes as long as the timeout.
const MOST_TIME_OUTS: u32 = 2;

/// State that all scans of one query share.
pub struct QueryScope {
    moment: Timestamp,
    diagnostics: Diagnostics,
    covered: Covered,
    /// By the point in time that is read, and name.
    cached: Mutex<CachedValues>,
    readers: Mutex<HashMap<String, Vec<Reader>>>,
    said: Mutex<HashSet<String>>,
    session: Option<Arc<dyn Any + Send + Sync>>,
    budget: Mutex<Option<Box<dyn Budget>>>,
    /// The consumer, for which the query reads each event once.
    consumer: Option<String>,
    events: Mutex<Vec<Arc<Taking>>>,
    calls: Arc<CallCount>,
}

/// Counts the API calls of a query, and of the queries that run for it.
#[derive(Debug, Default)]
pub struct CallCount {
    most: Option<u64>,
    begun: AtomicU64,
}

impl CallCount {
    /// For a query that may make this many calls, retries included.
    pub fn new(most: Option<u64>) -> Self {
        CallCount { most, begun: AtomicU64::default() }
    }

    /// Counts a call. If the query may make no more, its scans end as if it were cancelled, and the engine fails it.
    fn begin(&self) -> Result<()> {
        let begun = self.begun.fetch_add(1, Ordering::Relaxed);
        match self.most {
            Some(most) if begun >= most => Err(Error::Cancelled),
            _ => Ok(()),
        }
    }

    /// The most calls that the query may make, if it needed more.
    pub fn exceeded(&self) -> Option<u64> {
        self.most.filter(|most| self.begun.load(Ordering::Relaxed) > *most)
    }
}

/// The part of a query's memory for data that its scans hold or cache for each other.
pub trait Budget: Send {
    /// Takes bytes until the query ends or [`give_back`](Budget::give_back) returns them. Fails if not enough are left.
    fn take(&mut self, bytes: usize) -> Result<()>;
    /// Returns bytes that were taken.
    fn give_back(&mut self, bytes: usize);
}

/// A scan of the query that will read a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The table that reads.
    pub table: String,
    /// The columns that it needs, wanted ones and those of conditions, ascending.
    pub columns: Vec<usize>,
    /// The point in time that is read, as in [`ScanContext::as_of`].
    pub as_of: Option<Timestamp>,
}

impl fmt::Debug for QueryScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryScope").field("moment", &self.moment).finish_non_exhaustive()
    }
}

/// Values that scans cache for each other, by point in time and name.
type CachedValues = HashMap<(Option<Timestamp>, String), Arc<CachedCell>>;

#[derive(Default)]
struct CachedCell(futures_util::lock::Mutex<Option<Result<Arc<dyn Any + Send + Sync>>>>);

impl QueryScope {
    /// A scope for one query, with its timestamp.
    pub fn new(moment: Timestamp) -> Self {
        QueryScope {
            moment,
            diagnostics: Diagnostics::default(),
            covered: Covered::default(),
            cached: Mutex::default(),
            readers: Mutex::default(),
            said: Mutex::default(),
            session: None,
            budget: Mutex::default(),
            consumer: None,
            events: Mutex::default(),
            calls: Arc::default(),
        }
    }

    /// The same scope with this count of API calls.
    #[must_use]
    pub fn with_calls(self, calls: Arc<CallCount>) -> Self {
        QueryScope { calls, ..self }
    }

    /// The count of its API calls. A query that runs for this one shares it.
    pub fn calls(&self) -> &Arc<CallCount> {
        &self.calls
    }

    /// The same scope for a query of a consumer of events.
    #[must_use]
    pub fn of_consumer(self, consumer: Option<String>) -> Self {
        QueryScope { consumer, ..self }
    }

    /// The events that the query reads from a table, fixed at the first use.
    pub(crate) fn taking(&self, events: &Arc<Events>) -> Arc<Taking> {
        let mut takings = self.events.lock();
        if let Some(taking) = takings.iter().find(|taking| taking.is_of(events)) {
            return taking.clone();
        }
        let taking = Arc::new(events.take(self.consumer.as_deref()));
        takings.push(taking.clone());
        taking
    }

    /// Advances the consumer's cursors after the events that the query read. Call it when the query has ended well and
    /// its result is stored.
    pub fn advance_events(&self) {
        self.events.lock().iter().for_each(|taking| taking.advance());
    }

    /// Advances the consumer's cursors after dropped events, which the query's warnings have reported.
    pub fn acknowledge_events(&self) {
        self.events.lock().iter().for_each(|taking| taking.acknowledge());
    }

    /// Warns that the query did not read all events for its consumer, so the next query reads them again.
    pub fn leave_events(&self) {
        self.events.lock().iter().filter_map(|taking| taking.left()).for_each(|warning| self.diagnostics.add(warning));
    }

    /// Sets the budget for data that scans hold or cache for each other.
    pub fn charge(&self, budget: impl Budget + 'static) {
        *self.budget.lock() = Some(Box::new(budget));
    }

    fn keep(&self, bytes: usize) -> Result<()> {
        match self.budget.lock().as_mut() {
            Some(budget) => budget.take(bytes),
            None => Ok(()),
        }
    }

    /// The same scope in a session: an engine value for the tables about the engine.
    #[must_use]
    pub fn in_session(self, session: Arc<dyn Any + Send + Sync>) -> Self {
        QueryScope { session: Some(session), ..self }
    }

    /// The session that the query belongs to.
    pub fn session<S: Any + Send + Sync>(&self) -> Option<Arc<S>> {
        self.session.clone()?.downcast().ok()
    }

    /// Drops cached responses at the end of the query.
    pub fn release(&self) {
        self.cached.lock().clear();
        self.budget.lock().take();
    }

    /// The timestamp of the query: the present, even if it reads the past.
    pub fn moment(&self) -> Timestamp {
        self.moment
    }

    /// The warnings about missing rows.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// The coverage of each slice so far.
    pub fn coverage(&self) -> Vec<Coverage> {
        self.covered.all()
    }

    /// Records that the scan of a slice starts.
    pub fn begin_slice(&self, table: &str, slice: &Slice, moment: Timestamp) {
        self.covered.begin(table, &slice.label, &slice.known, moment);
    }

    /// Records that the scan of a slice has ended, and reports its error. A missing source is reported too:
    /// [`Error::Gone`] is silent only for rows.
    pub fn end_slice(&self, table: &str, slice: &str, rows: u64, outcome: &Result<()>) {
        match outcome {
            // The query needed no more rows, or has failed: the slice counts as not read to its end.
            Err(Error::Cancelled) => self.covered.add_rows(table, slice, rows, self.moment),
            Err(error) => {
                let problem = match error {
                    Error::Gone(what) => Some(Warning {
                        table: table.to_owned(),
                        origin: slice.to_owned(),
                        outcome: Outcome::Missing,
                        message: format!("{what} does not exist"),
                        needs: None,
                        count: 1,
                        lines: None,
                    }),
                    error => Warning::of(table, slice, error),
                };
                self.covered.end(table, slice, rows, self.moment);
                if let Some(problem) = problem {
                    self.add(slice, Completeness::Failed, problem);
                }
            }
            Ok(()) => self.covered.end(table, slice, rows, self.moment),
        }
    }

    /// Reports an error about a part of a table; `slice` is its slice, if known. [`Error::Gone`] and
    /// [`Error::Cancelled`] report nothing.
    pub fn report(&self, table: &str, slice: Option<&str>, origin: &str, error: &Error) {
        let Some(problem) = Warning::of(table, origin, error) else { return };
        match slice {
            Some(slice) => self.add(slice, Completeness::Partial, problem),
            // A missing slice that the query named.
            None => self.add(origin, Completeness::Failed, problem),
        }
    }

    /// Reports something that is missing from a slice.
    pub fn add(&self, slice: &str, how: Completeness, problem: Warning) {
        let how = if problem.is_note() { Completeness::Complete } else { how };
        self.covered.suffer(&problem.table, slice, self.moment, how, problem.clone());
        self.diagnostics.add(problem);
    }

    /// Whether this is the first call with `what` in the query: for reports that should appear once, however often a
    /// table is scanned.
    pub fn is_first(&self, what: &str) -> bool {
        self.said.lock().insert(what.to_owned())
    }

    /// Records that the query will read `reading` once more.
    pub fn add_reader(&self, reading: &str, reader: Reader) {
        self.readers.lock().entry(reading.to_owned()).or_default().push(reader);
    }

    /// All reads of `reading` by this query at a point in time.
    fn readers(&self, reading: &str, as_of: Option<Timestamp>) -> Vec<Reader> {
        let readers = self.readers.lock();
        let readers = readers.get(reading).into_iter().flatten();
        readers.filter(|reader| reader.as_of == as_of).cloned().collect()
    }
}

/// What the engine passes to a table for one scan.
#[derive(Debug, Clone)]
pub struct ScanContext {
    /// Positions of the wanted columns, ascending.
    pub columns: Arc<[usize]>,
    /// Constraints on columns.
    pub constraints: Arc<Constraints>,
    /// Positions of the columns with keys from a join, not from the query's text.
    pub joined: Arc<[usize]>,
    /// Conditions that every row must also meet.
    pub filters: Arc<[Arc<dyn RowFilter>]>,
    /// Rows after which the scan may stop.
    pub limit: Option<usize>,
    /// Maximum rows of a batch.
    pub batch_size: usize,
    /// Counters and the cancel flag.
    pub meter: Arc<Meter>,
    /// Limits of API calls.
    pub gate: Arc<dyn Gate>,
    /// The query that the scan belongs to.
    pub query: Arc<QueryScope>,
    /// Rows that all slices of the scan have returned, for `limit`.
    pub given: Arc<AtomicUsize>,
    /// The host or other origin of all slices of this scan, if there are several.
    pub within: Option<Arc<str>>,
    /// The slice that is read, once known.
    pub slice: Option<Arc<str>>,
    /// The past point in time that is read; `None` for the present. Only a table with a [`Past`](crate::Past) gets one.
    /// Scans of different points in time share nothing.
    pub as_of: Option<Timestamp>,
    /// What was recorded of other tables at that time, for a table that is computed from them.
    pub past: Option<Arc<dyn PastRows>>,
}

/// Rows of tables as they were recorded.
pub trait PastRows: fmt::Debug + Send + Sync {
    /// The rows of a table at [`ScanContext::as_of`]: documents with the values of some columns, as far as they were
    /// recorded, and whether these are all rows. What is missing is reported to the query.
    fn rows<'a>(
        &'a self,
        table: &'a str,
        columns: &'a [&'a str],
        context: &'a ScanContext,
    ) -> BoxFuture<'a, Result<PastTableRows>>;
}

/// The rows of a table at a past time.
#[derive(Debug, Default)]
pub struct PastTableRows {
    /// One document per row, with its columns by name.
    pub documents: Vec<serde_json::Value>,
    /// Whether rows may be missing.
    pub is_incomplete: bool,
}

impl ScanContext {
    /// A scan of some columns without constraints, outside any engine.
    pub fn new(columns: impl IntoIterator<Item = usize>) -> Self {
        ScanContext {
            columns: columns.into_iter().collect(),
            constraints: Arc::default(),
            joined: Arc::new([]),
            filters: Arc::new([]),
            limit: None,
            batch_size: 1024,
            meter: Arc::default(),
            gate: Arc::new(OpenGate),
            query: Arc::new(QueryScope::new(Timestamp::from(crate::sys::wall_clock()))),
            given: Arc::default(),
            within: None,
            slice: None,
            as_of: None,
            past: None,
        }
    }

    /// Rows that the scan may still return; `None` without a limit.
    pub(crate) fn left(&self) -> Option<usize> {
        self.limit.map(|limit| limit.saturating_sub(self.given.load(Ordering::Relaxed)))
    }

    /// Reports missing data, as [`Scan::report`] does.
    pub fn report(&self, table: &str, origin: &str, error: &Error) {
        self.query.report(table, self.slice.as_deref(), origin, error);
    }

    /// Reports each key that the query itself names in an origin column and that does not exist: an unknown cluster, profile,
    /// region or host. `why` returns the message for such a key. Keys from a join are not reported.
    pub fn report_absent(&self, spec: &TableSpec, column: usize, why: impl Fn(&str) -> Option<String>) {
        let Some(keys) = self.constraints.keys(column).filter(|_| !self.joined.contains(&column)) else { return };
        let mut seen = HashSet::new();
        for key in keys.iter() {
            if let Scalar::Text(name) = key
                && seen.insert(name)
                && let Some(why) = why(name)
            {
                let origin = format!("{}={name}", spec.columns[column].name);
                self.query.report(&spec.name, None, &origin, &Error::Unsupported(why));
            }
        }
    }

    /// Records when the slice's rows were last known to be current, for a table that has them in memory. Without this, they
    /// are as current as the start of the scan.
    pub fn date(&self, table: &str, moment: Timestamp) {
        if let Some(slice) = &self.slice {
            self.query.covered.date(table, slice, moment);
        }
    }

    /// The full name of a slice that a table calls `label`.
    pub fn slice_name(&self, label: &str) -> String {
        match &self.within {
            Some(within) if label.is_empty() => within.to_string(),
            Some(within) => format!("{within} {label}"),
            None => label.to_owned(),
        }
    }

    /// Charges bytes to the query's memory, as [`Meter::hold`] does.
    pub fn hold(&self, bytes: usize) -> Result<Held> {
        self.meter.query.get_or_init(|| Arc::downgrade(&self.query));
        self.meter.hold(bytes)
    }

    /// Whether the scan has returned as many rows as its limit.
    pub fn is_satisfied(&self) -> bool {
        self.limit.is_some_and(|limit| self.given.load(Ordering::Relaxed) >= limit)
    }

    /// The same scan with `$column` as the key of each column that a join will pass keys for, to show the calls before
    /// the keys are known. `None` if the keys of a column are not text.
    pub fn with_open_keys(mut self, spec: &TableSpec) -> Option<Self> {
        let constraints = Arc::make_mut(&mut self.constraints);
        for position in self.joined.iter() {
            let column = &spec.columns[*position];
            let constraint = constraints.0.entry(*position).or_default();
            if constraint.keys.is_none() {
                let open = (column.kind == Kind::Text).then(|| Scalar::Text(open_key(column)))?;
                constraint.keys = Some(Arc::new(vec![open]));
            }
        }
        Some(self)
    }

    /// Whether the keys of a column are open: a join will pass them, but they are not known yet.
    pub fn is_open(&self, spec: &TableSpec, column: usize) -> bool {
        let is_open = |key: &Scalar| matches!(key, Scalar::Text(text) if *text == open_key(&spec.columns[column]));
        self.joined.contains(&column) && self.constraints.keys(column).is_some_and(|keys| keys.iter().all(is_open))
    }
}

fn open_key(column: &ColumnSpec) -> String {
    format!("${}", column.name)
}

/// A scan without its row type: for tables that are known only at run time, and for what all scans share.
pub struct AnyScan<E> {
    context: ScanContext,
    env: E,
    wanted: Arc<[bool]>,
    spec: SpecOf,
}

/// The specification of a scan's table: a row type's, or one created at run time.
#[derive(Debug, Clone)]
enum SpecOf {
    Row(&'static TableSpec),
    Other(Arc<TableSpec>),
}

impl Deref for SpecOf {
    type Target = TableSpec;

    fn deref(&self) -> &TableSpec {
        match self {
            SpecOf::Row(spec) => spec,
            SpecOf::Other(spec) => spec,
        }
    }
}

impl<E> fmt::Debug for AnyScan<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("table", &self.spec.name).field("context", &self.context).finish_non_exhaustive()
    }
}

impl<E: Clone> Clone for AnyScan<E> {
    fn clone(&self) -> Self {
        AnyScan {
            context: self.context.clone(),
            env: self.env.clone(),
            wanted: self.wanted.clone(),
            spec: self.spec.clone(),
        }
    }
}

impl<E: Environment> AnyScan<E> {
    /// A scan of a table over an environment.
    pub fn new(spec: &Arc<TableSpec>, context: ScanContext, env: &E) -> Self {
        AnyScan::over(SpecOf::Other(spec.clone()), context, env)
    }

    fn over(spec: SpecOf, context: ScanContext, env: &E) -> Self {
        let mut wanted = vec![false; spec.columns.len()];
        let looked_at = context.filters.iter().flat_map(|filter| filter.columns());
        for column in context.columns.iter().chain(looked_at) {
            wanted[*column] = true;
        }
        context.meter.query.get_or_init(|| Arc::downgrade(&context.query));
        let env = env.for_scan(&context.meter);
        AnyScan { context, env, wanted: wanted.into(), spec }
    }

    /// The same scan for one of its slices, named as [`Slice::label`]. Its reports belong to that slice.
    #[must_use]
    pub fn in_slice(&self, label: &str) -> Self {
        let mut scan = self.clone();
        scan.context.slice = Some(self.context.slice_name(label).into());
        scan
    }

    /// The specification of the table.
    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    /// Whether the query may want rows whose columns have the values of `known`. Only conditions whose columns are all
    /// known are evaluated.
    pub fn admits_part(&self, known: impl Fn(&str) -> Option<String>) -> Result<bool> {
        for filter in self.context.filters.iter() {
            let value = |column: &usize| known(&self.spec.columns[*column].name);
            let Some(values) = filter.columns().iter().map(value).collect::<Option<Vec<_>>>() else { continue };
            let schema = self.spec.schema().project(filter.columns()).expect("conditions look at columns of the table");
            let column = |value| Arc::new(StringViewArray::from(vec![value])) as ArrayRef;
            let columns = values.into_iter().map(column).collect();
            // A condition may need no column; it is then a constant.
            let one = RecordBatchOptions::new().with_row_count(Some(1));
            let row = RecordBatch::try_new_with_options(Arc::new(schema), columns, &one)
                .expect("the known values of a part are text");
            let kept = filter.keep(&row)?;
            if !(kept.is_valid(0) && kept.value(0)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the query needs a column from a source; the source has the name of `#[column(source = ..)]`.
    pub fn reads(&self, source: &str) -> bool {
        let comes_from = |position: usize| self.spec.sources[position].name == source;
        let columns = self.spec.columns.iter().zip(self.wanted());
        columns.filter(|(_, wanted)| **wanted).any(|(column, _)| column.source.is_some_and(comes_from))
    }

    /// How many sources the query needs.
    pub fn sources(&self) -> usize {
        let columns = self.spec.columns.iter().zip(self.wanted());
        let sources = columns.filter(|(_, wanted)| **wanted).filter_map(|(column, _)| column.source);
        sources.collect::<HashSet<usize>>().len()
    }

    /// The columns that the query needs, by position.
    pub fn wanted(&self) -> &[bool] {
        &self.wanted
    }

    /// Number of rows that the query needs, for a source that can return just so many. `None` if there are conditions:
    /// the scan cannot know how many rows they drop.
    pub fn limit(&self) -> Option<usize> {
        self.context.limit.filter(|_| self.context.filters.is_empty())
    }

    /// The environment that is read.
    pub fn env(&self) -> &E {
        &self.env
    }

    /// What the engine passed to the scan.
    pub fn context(&self) -> &ScanContext {
        &self.context
    }

    /// Whether to stop: the query was cancelled, or has enough rows.
    pub fn is_done(&self) -> bool {
        self.context.meter.is_cancelled() || self.context.is_satisfied()
    }

    /// The timestamp of the query.
    pub fn moment(&self) -> Timestamp {
        self.context.query.moment()
    }

    /// The past point in time that is read; `None` for the present.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.context.as_of
    }

    /// The scan's counters.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.context.meter
    }

    /// Reports missing data: `origin` is the place (a cluster, a region, a path), `error` the reason.
    ///
    /// [`Error::Gone`] reports nothing; equal warnings are counted, not repeated.
    pub fn report(&self, origin: impl AsRef<str>, error: &Error) {
        self.context.report(&self.spec.name, origin.as_ref(), error);
    }

    /// Makes one API call within the engine's limits: waits for a permit of the endpoint, applies the timeout, and
    /// retries transient errors. A `Retry-After` is honoured unless it is too long for a query.
    pub async fn call<R, F, Fut>(&self, endpoint: &str, what: &str, attempt: F) -> Result<R>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        let begin = || self.context.query.calls.begin();
        call(&*self.context.gate, &self.context.meter, begin, endpoint, what, attempt).await
    }

    /// Makes calls for several keys, as many concurrently as the gate allows, and returns the results in order.
    ///
    /// No call is in progress while a result is yielded. A stream whose rows wait for a join is not polled, and must
    /// not hold permits that the rest of the query needs. A stream that prefetches does so in a task.
    pub fn in_rounds<'a, K, F, Fut>(
        &self,
        keys: Vec<K>,
        ask: F,
    ) -> impl Stream<Item = Fut::Output> + use<'a, E, K, F, Fut>
    where
        K: 'a,
        F: Fn(K) -> Fut + 'a,
        Fut: Future + 'a,
    {
        let places = self.context.gate.concurrency().max(1);
        let mut keys = keys.into_iter();
        let rounds = std::iter::from_fn(move || {
            let round: Vec<K> = keys.by_ref().take(places).collect();
            (!round.is_empty()).then_some(round)
        });
        let asked = move |round: Vec<K>| join_all(round.into_iter().map(&ask).collect::<Vec<Fut>>());
        stream::iter(rounds).then(asked).flat_map(stream::iter)
    }

    /// Charges bytes to the query's memory that are cached for other scans until the query ends.
    pub fn keep(&self, bytes: usize) -> Result<()> {
        self.context.query.keep(bytes)
    }

    /// All reads of this source by the query at the same point in time. A scan that caches a response must keep what
    /// these need.
    pub fn readers(&self) -> Vec<Reader> {
        self.context.query.readers(&self.spec.reads, self.context.as_of)
    }

    /// Whether the query reads the same source again, so that caching the response pays.
    pub fn is_shared(&self) -> bool {
        self.readers().len() > 1
    }

    /// A value that is read once for all scans of the query at the same point in time. The first caller runs `read`;
    /// the others get its result. `read` returns the value and its size in bytes, which is charged to the query's
    /// memory.
    pub async fn cached<V, F>(&self, key: &str, read: F) -> Result<Arc<V>>
    where
        V: Any + Send + Sync,
        F: Future<Output = Result<(V, usize)>>,
    {
        let key = (self.context.as_of, key.to_owned());
        let cell = self.context.query.cached.lock().entry(key).or_default().clone();
        let mut slot = cell.0.lock().await;
        let value = match &*slot {
            Some(value) => value.clone(),
            None => match read.await {
                // The scan that read it was cancelled. The next caller reads again.
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Ok((value, size)) => {
                    self.keep(size)?;
                    slot.insert(Ok(Arc::new(value) as _)).clone()
                }
                Err(error) => slot.insert(Err(error)).clone(),
            },
        };
        value.map(|value| value.downcast().expect("one key, one type"))
    }
}

impl AnyScan<Sys> {
    /// The machine that is read.
    pub fn sys(&self) -> &Sys {
        &self.env
    }
}

/// A scan with the row type of its table.
pub struct Scan<T: Row> {
    any: AnyScan<T::Env>,
    row: PhantomData<fn() -> T>,
}

impl<T: Row> fmt::Debug for Scan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.any.fmt(f)
    }
}

impl<T: Row> Clone for Scan<T> {
    fn clone(&self) -> Self {
        Scan { any: self.any.clone(), row: PhantomData }
    }
}

impl<T: Row> Deref for Scan<T> {
    type Target = AnyScan<T::Env>;

    fn deref(&self) -> &AnyScan<T::Env> {
        &self.any
    }
}

impl<T: Row> Scan<T> {
    /// A scan over an environment.
    pub fn new(context: ScanContext, env: &T::Env) -> Self {
        Scan { any: AnyScan::over(SpecOf::Row(T::SPEC), context, env), row: PhantomData }
    }

    /// The same scan for one of its slices, named as [`Slice::label`]. Its reports belong to that slice.
    #[must_use]
    pub fn in_slice(&self, label: &str) -> Self {
        Scan { any: self.any.in_slice(label), row: PhantomData }
    }

    /// The keys of an indexed column; `None` for all rows.
    ///
    /// The table must apply them exactly: return each row of a key once, and no row for an absent key.
    pub fn keys<V: KeyValue, const P: bool, const R: bool>(&self, column: Column<T, V, true, P, R>) -> Option<Vec<V>> {
        let keys = self.context.constraints.keys(column.position)?;
        Some(keys.iter().filter_map(V::from_scalar).collect())
    }

    /// The key of an indexed column, if there is exactly one.
    pub fn key<V: KeyValue, const P: bool, const R: bool>(&self, column: Column<T, V, true, P, R>) -> Option<V> {
        match self.context.constraints.keys(column.position)?.as_slice() {
            [only] => V::from_scalar(only),
            _ => None,
        }
    }

    /// The keys of an indexed column that the query's text names. If such an object does not exist, a warning helps.
    /// Most keys from a join may belong to other slices.
    pub fn named_keys<V: KeyValue, const P: bool, const R: bool>(
        &self,
        column: Column<T, V, true, P, R>,
    ) -> Option<Vec<V>> {
        self.keys(column).filter(|_| !self.context.joined.contains(&column.position))
    }

    /// Whether the keys of the column allow a row with that value.
    pub fn admits<V: KeyValue + PartialEq, const P: bool, const R: bool>(
        &self,
        column: Column<T, V, true, P, R>,
        value: &V,
    ) -> bool {
        match self.context.constraints.keys(column.position) {
            Some(keys) => keys.iter().any(|key| V::from_scalar(key).as_ref() == Some(value)),
            None => true,
        }
    }

    /// The `LIKE` patterns of a column; a row must match all of them. The engine checks them again.
    pub fn patterns<V, const I: bool, const R: bool>(&self, column: Column<T, V, I, true, R>) -> &[Pattern] {
        match self.context.constraints.0.get(&column.position) {
            Some(constraint) => &constraint.patterns,
            None => &[],
        }
    }

    /// The range of a column, with both ends inclusive. The engine checks it again.
    pub fn range<V: KeyValue, const I: bool, const P: bool>(
        &self,
        column: Column<T, V, I, P, true>,
    ) -> (Option<V>, Option<V>) {
        match self.context.constraints.0.get(&column.position) {
            Some(constraint) => {
                let value = |bound: &Option<Scalar>| bound.as_ref().and_then(V::from_scalar);
                (value(&constraint.from), value(&constraint.to))
            }
            None => (None, None),
        }
    }

    /// Whether the query needs a column, for its result or for a condition.
    pub fn wants<V, const I: bool, const P: bool, const R: bool>(&self, column: Column<T, V, I, P, R>) -> bool {
        self.wanted[column.position]
    }

    /// Fills the wanted columns of a row that are paths into a JSON document. A value that does not fit is reported
    /// once per column, with a count.
    pub fn fill(&self, row: &mut T, document: &serde_json::Value, wanted: &[bool], origin: &impl fmt::Display) {
        for Misfit { column, found } in row.fill(document, wanted) {
            let column = &T::SPEC.columns[column];
            let path = column.path.as_deref().unwrap_or_default();
            let message = format!("`{path}` holds {found}, which does not fit the column");
            self.report(format!("{origin}, {}", column.name), &Error::Malformed(message));
        }
    }
}

/// Makes one API call within an engine's limits. `begin` decides whether it may be made, before each attempt.
pub(crate) async fn call<R, F, Fut>(
    gate: &dyn Gate,
    meter: &Meter,
    begin: impl Fn() -> Result<()>,
    endpoint: &str,
    what: &str,
    mut attempt: F,
) -> Result<R>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<R>>,
{
    let (mut retries, mut time_outs) = (0, 0);
    loop {
        if meter.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let outcome = {
            let _permit = gate.enter(endpoint).await;
            begin()?;
            meter.add_calls(1);
            let limit = gate.call_timeout();
            let call = std::pin::pin!(attempt());
            match futures_util::future::select(call, gate.sleep(limit)).await {
                futures_util::future::Either::Left((outcome, _)) => outcome,
                futures_util::future::Either::Right(_) => Err(Error::TimedOut { what: what.to_owned(), limit }),
            }
        };
        let error = match outcome {
            Err(error) if error.is_transient() => error,
            other => return other,
        };
        retries += 1;
        time_outs += u32::from(matches!(error, Error::TimedOut { .. }));
        let Some(backoff) = gate.backoff(retries) else { return Err(error) };
        let pause = error.retry_after().map_or(backoff, |asked| asked.max(backoff));
        if pause > LONGEST_WAIT || time_outs == MOST_TIME_OUTS {
            return Err(error);
        }
        tracing::debug!(endpoint, what, retries, ?pause, %error, "trying again");
        gate.sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::FutureExt;

    use super::*;
    use crate::prelude::*;

    /// A thing.
    #[derive(Debug, Default, Table)]
    #[table(name = "things")]
    #[example("All.", "SELECT place FROM things")]
    struct Thing {
        /// Where it is.
        #[column(index)]
        place: String,
        /// How many there are.
        #[column(index)]
        count: i64,
    }

    impl Rows for Thing {
        fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
            Ok(std::iter::empty())
        }
    }

    /// A gate whose delays pass immediately.
    #[derive(Debug, Default)]
    struct Hurry(Mutex<Vec<Duration>>);

    const CALL_TIMEOUT: Duration = Duration::from_secs(30);

    impl Gate for Hurry {
        fn enter<'a>(&'a self, endpoint: &'a str) -> BoxFuture<'a, Permit> {
            OpenGate.enter(endpoint)
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            self.0.lock().push(duration);
            Box::pin(std::future::ready(()))
        }

        fn call_timeout(&self) -> Duration {
            CALL_TIMEOUT
        }

        fn backoff(&self, attempt: u32) -> Option<Duration> {
            (attempt <= 4).then_some(Duration::from_secs(1))
        }

        fn concurrency(&self) -> usize {
            1
        }
    }

    /// Attempts of a call that always has this outcome, the delays between them, and the final result; `None` never
    /// completes.
    fn called(outcome: Option<Error>) -> (usize, Vec<u64>, Error) {
        let gate = Arc::new(Hurry::default());
        let scan = Scan::<Thing>::new(ScanContext { gate: gate.clone(), ..ScanContext::new([]) }, &Sys::live());
        let attempts = AtomicUsize::new(0);
        let attempt = || {
            attempts.fetch_add(1, Ordering::Relaxed);
            let outcome = outcome.clone();
            async move {
                match outcome {
                    Some(error) => Err::<(), _>(error),
                    None => std::future::pending().await,
                }
            }
        };
        let error = scan.call("there", "GET /x", attempt).now_or_never().expect("time flies").expect_err("it fails");
        let pauses: Vec<u64> =
            gate.0.lock().iter().filter(|pause| **pause != CALL_TIMEOUT).map(Duration::as_secs).collect();
        (attempts.into_inner(), pauses, error)
    }

    #[test]
    fn what_may_pass_is_tried_again_as_long_as_it_is_worth_it() {
        let throttled =
            |seconds| Error::Throttled { what: "x".into(), retry_after: Some(Duration::from_secs(seconds)) };
        let told = |error: Error| {
            let (attempts, pauses, last) = called(Some(error.clone()));
            assert_eq!(last, error);
            (attempts, pauses)
        };
        assert_eq!(told(Error::Unavailable("x".into())), (5, vec![1; 4]));
        assert_eq!(told(throttled(0)), (5, vec![1; 4]));
        assert_eq!(told(throttled(60)), (5, vec![60; 4]));
        assert_eq!(told(throttled(61)), (1, vec![]));
        assert_eq!(told(throttled(u64::MAX)), (1, vec![]));
        assert_eq!(told(Error::denied("x")), (1, vec![]));
        let (attempts, pauses, error) = called(None);
        assert_eq!((attempts, pauses), (2, vec![1]));
        assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    }

    #[test]
    fn nothing_is_shared_between_moments() {
        let query = ScanContext::new([]).query;
        let scan = |as_of| {
            let context = ScanContext { query: query.clone(), as_of, ..ScanContext::new([]) };
            query.add_reader("things", Reader { table: "things".to_owned(), columns: vec![0], as_of });
            Scan::<Thing>::new(context, &Sys::live())
        };
        let (now, then, again) = (scan(None), scan(Some(Timestamp(1))), scan(Some(Timestamp(1))));
        assert!(!now.is_shared() && then.is_shared() && again.is_shared());
        let read = |scan: &Scan<Thing>, value: i64| {
            let cached = scan.cached("key", async { Ok((value, 0)) }).now_or_never();
            *cached.expect("nothing to wait for").expect("it is read")
        };
        assert_eq!((read(&now, 1), read(&then, 2), read(&again, 3), read(&now, 4)), (1, 2, 2, 1));
        assert_eq!((now.as_of(), then.as_of()), (None, Some(Timestamp(1))));
        assert_eq!(Timestamp(1_500_000).to_string(), "1970-01-01T00:00:01.500Z");
    }

    #[test]
    fn only_one_is_the_first() {
        let scope = QueryScope::new(Timestamp(0));
        assert_eq!(["a", "a", "b", "a"].map(|what| scope.is_first(what)), [true, false, true, false]);
    }

    /// A budget with a limit.
    struct Purse(Arc<AtomicUsize>, usize);

    impl Budget for Purse {
        fn take(&mut self, bytes: usize) -> Result<()> {
            let taken = self.0.load(Ordering::Relaxed) + bytes;
            if taken > self.1 {
                return Err(Error::OutOfMemory("it is empty".to_owned()));
            }
            self.0.store(taken, Ordering::Relaxed);
            Ok(())
        }

        fn give_back(&mut self, bytes: usize) {
            self.0.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_a_table_holds_is_charged_as_long_as_it_lives() {
        let taken = Arc::<AtomicUsize>::default();
        let query = Arc::new(QueryScope::new(Timestamp(0)));
        query.charge(Purse(taken.clone(), 4 * Held::STEP));
        let context = ScanContext { query: query.clone(), ..ScanContext::new([]) };
        let scan = Scan::<Thing>::new(context.clone(), &Sys::live());
        let steps = || taken.load(Ordering::Relaxed) / Held::STEP;
        let mut held = scan.meter().hold(1).expect("there is enough");
        held.cover(Held::STEP).expect("it is covered");
        assert_eq!(steps(), 1);
        held.cover(Held::STEP + 1).expect("there is enough");
        assert_eq!(steps(), 2);
        let child = Meter::child(scan.meter());
        assert_eq!(child.hold(3 * Held::STEP).map(drop), Err(Error::OutOfMemory("it is empty".to_owned())));
        assert_eq!(steps(), 2);
        held.add(1).expect("there is enough");
        assert_eq!(steps(), 3);
        drop(held);
        assert_eq!(steps(), 0);
        assert!(Meter::default().hold(usize::MAX).is_ok(), "outside a query nothing is charged");

        // A file that is read at once.
        let file = std::env::temp_dir().join(format!("indago-held-{}", std::process::id()));
        std::fs::write(&file, vec![b'x'; 3 << 20]).expect("a file");
        assert!(matches!(scan.sys().read(&file), Err(Error::OutOfMemory(_))));
        assert_eq!(steps(), 0);
        query.charge(Purse(taken.clone(), 16 << 20));
        assert_eq!(scan.sys().read(&file).map(|bytes| bytes.len()), Ok(3 << 20));
        assert_eq!(steps(), 0);
        std::fs::remove_file(&file).expect("removed");

        let held = scan.meter().hold(1).expect("there is enough");
        query.release();
        drop(held);
        assert_eq!(steps(), 1, "the query has ended, and all of its memory with it");
    }

    #[test]
    fn an_absent_name_is_reported_where_the_query_itself_says_it() {
        let keys = ["here", "there", "there"].map(|text| Scalar::Text(text.to_owned()));
        let asked = ColumnConstraint { keys: Some(Arc::new(keys.into())), ..ColumnConstraint::default() };
        let told = |joined: &[usize]| {
            let context = ScanContext {
                constraints: Arc::new(Constraints([(0, asked.clone())].into())),
                joined: joined.into(),
                ..ScanContext::new([0])
            };
            context.report_absent(Thing::SPEC, 0, |name| (name != "here").then(|| format!("no `{name}`")));
            context.query.diagnostics().warnings().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(told(&[]), ["things (place=there): no `there`"]);
        assert!(told(&[0]).is_empty());
    }

    #[test]
    fn keys_that_are_yet_to_come_stand_open() {
        let joined = |columns: &[usize]| ScanContext { joined: columns.into(), ..ScanContext::new([0]) };
        let open = joined(&[0]).with_open_keys(Thing::SPEC).expect("a text");
        assert!(open.is_open(Thing::SPEC, 0) && !joined(&[0]).is_open(Thing::SPEC, 0));
        let scan = Scan::<Thing>::new(open, &Sys::live());
        assert_eq!((scan.keys(Thing::PLACE), scan.named_keys(Thing::PLACE)), (Some(vec!["$place".to_owned()]), None));
        assert!(joined(&[1]).with_open_keys(Thing::SPEC).is_none(), "no integer is an open key");

        let keys = |text: &str| ColumnConstraint {
            keys: Some(Arc::new(vec![Scalar::Text(text.to_owned())])),
            ..ColumnConstraint::default()
        };
        let constraints = Arc::new(Constraints([(0, keys("here"))].into()));
        let named = Scan::<Thing>::new(ScanContext { constraints: constraints.clone(), ..joined(&[]) }, &Sys::live());
        assert_eq!(named.named_keys(Thing::PLACE), Some(vec!["here".to_owned()]));
        let brought = ScanContext { constraints, ..joined(&[0]) }.with_open_keys(Thing::SPEC).expect("a text");
        assert!(!brought.is_open(Thing::SPEC, 0));
        assert_eq!(Scan::<Thing>::new(brought, &Sys::live()).named_keys(Thing::PLACE), None);
    }

    #[test]
    fn a_cached_value_is_charged_once_by_its_size() {
        let taken = Arc::<AtomicUsize>::default();
        let query = Arc::new(QueryScope::new(Timestamp(0)));
        query.charge(Purse(taken.clone(), 150));
        let scan = Scan::<Thing>::new(ScanContext { query, ..ScanContext::new([]) }, &Sys::live());
        // Bytes that are read at the same time are another scan's.
        let read = |key: &str, size: usize| {
            let read = async {
                scan.meter().add_bytes(1000);
                Ok((key.to_owned(), size))
            };
            scan.cached(key, read).now_or_never().expect("nothing to wait for").map(|value| value.len())
        };
        assert_eq!((read("one", 100), taken.load(Ordering::Relaxed)), (Ok(3), 100));
        assert_eq!((read("one", 100), taken.load(Ordering::Relaxed)), (Ok(3), 100));
        assert!(matches!(read("other", 100), Err(Error::OutOfMemory(_))));
        assert_eq!((read("small", 50), taken.load(Ordering::Relaxed)), (Ok(5), 150));
    }

    /// Keeps rows whose first column starts with this text; none if there is no column.
    #[derive(Debug)]
    struct StartsWith(&'static str, Vec<usize>);

    impl RowFilter for StartsWith {
        fn columns(&self) -> &[usize] {
            &self.1
        }

        fn keep(&self, rows: &RecordBatch) -> Result<BooleanArray> {
            let Some(texts) = rows.columns().first() else { return Ok(vec![false; rows.num_rows()].into()) };
            let texts = arrow_array::cast::AsArray::as_string_view(texts);
            Ok(texts.iter().map(|text| text.map(|text| text.starts_with(self.0))).collect())
        }
    }

    #[test]
    fn a_part_is_left_out_by_what_is_known_of_it() {
        let admits = |start, columns: &[usize], place: Option<&str>| {
            let filter: Arc<dyn RowFilter> = Arc::new(StartsWith(start, columns.to_vec()));
            let scan =
                Scan::<Thing>::new(ScanContext { filters: [filter].into(), ..ScanContext::new([0]) }, &Sys::live());
            let known = |column: &str| place.filter(|_| column == "place").map(str::to_owned);
            scan.admits_part(known).expect("it can be evaluated")
        };
        assert!(admits("h", &[0], Some("here")));
        assert!(!admits("t", &[0], Some("here")));
        assert!(admits("t", &[0], None), "the place is unknown");
        assert!(admits("t", &[0, 1], Some("here")), "it depends on the other column");
        assert!(!admits("", &[], None), "it needs no value");
    }
}
