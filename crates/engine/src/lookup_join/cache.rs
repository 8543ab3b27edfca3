//! Each distinct key is looked up once per query.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use arrow_select::interleave::interleave_record_batch;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::future::{BoxFuture, Shared, WeakShared};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use indago_table::{ColumnSpec, Constraints, Pattern, Scalar};
use parking_lot::Mutex;

use crate::condition;
use crate::constraints;
use crate::exec::{Asked, Binding, ScanExec};
use crate::lookup_join::exec::KeyValues;
use crate::state::{QueryState, ScanRecord};

/// Rows found for keys, by request: the table, the columns that have keys, the other constraints.
#[derive(Debug, Default)]
pub(crate) struct KeyCaches(Mutex<HashMap<String, Arc<KeyCache>>>);

/// Rows found for keys of the same columns.
#[derive(Debug)]
struct KeyCache {
    record: Arc<ScanRecord>,
    /// Charged with the cached rows.
    memory: MemoryReservation,
    slots: Slots,
}

impl KeyCaches {
    /// Drops all cached rows.
    pub(crate) fn release(&self) {
        self.0.lock().clear();
    }

    fn get(
        &self,
        scan: &ScanExec,
        together: &Asked,
        binding: &Binding,
        state: &QueryState,
        context: &TaskContext,
    ) -> Arc<KeyCache> {
        let spec = scan.table.spec();
        let (columns, conditions) = (&together.columns, condition::describe(&together.conditions));
        let keys = (&binding.columns, binding.pattern);
        let table = Arc::as_ptr(&scan.table).addr();
        let identity =
            format!("{table} {:?} {keys:?} {columns:?} {:?} {conditions}", scan.asked.as_of, scan.asked.constraints);
        let mut caches = self.0.lock();
        let cache = caches.entry(identity).or_insert_with(|| {
            let described = scan.asked.described(spec);
            let names: Vec<&str> = binding.columns.iter().map(|column| spec.columns[*column].name.as_ref()).collect();
            let keyed = match binding.pattern {
                None => format!("{} = keys of join", names.join(", ")),
                Some(_) => format!("{} LIKE patterns of join", names.join(", ")),
            };
            let shown = if described.is_empty() { keyed } else { format!("{described} AND {keyed}") };
            let record = state.record(&spec.name, shown, conditions, "lookup");
            let memory = MemoryConsumer::new(format!("keys of {}", spec.name)).register(context.memory_pool());
            Arc::new(KeyCache { record, memory, slots: Slots::default() })
        });
        cache.clone()
    }
}

/// The rows of a scan for the keys that a join passes. A lookup reads everything that any scan of the plan wants for
/// the key, so each key is looked up once.
pub(crate) fn read(
    scan: &ScanExec,
    binding: &Binding,
    wanted: &[KeyValues],
    state: Arc<QueryState>,
    context: &TaskContext,
) -> Result<SendableRecordBatchStream> {
    let together = match &scan.lookup {
        Some(together) => together.clone(),
        None => Asked::union([&scan.asked], &binding.columns).map(Arc::new).expect("one scan is a union"),
    };
    let columns: Arc<[usize]> = binding.columns.as_slice().into();
    let cache = state.lookups.get(scan, &together, binding, &state, context);
    let lookup = Lookup {
        cache: cache.clone(),
        scan: scan.clone(),
        together: together.clone(),
        state,
        columns: columns.clone(),
    };
    let (wanted_of, schema) = (scan.asked.clone(), scan.schema());
    let found = match binding.pattern {
        None => {
            let pieces = cache.slots.claim(wanted, |keys| lookup.clone().keys(keys).boxed());
            let pieces: FuturesUnordered<_> = pieces.into_iter().map(Piece::rows).collect();
            pieces.boxed()
        }
        Some(ignore_case) => {
            let at_once = scan.engine.limits.lookup_concurrency.max(1);
            let slots = cache.clone();
            let pieces = stream::iter(wanted.to_vec()).map(move |pattern| {
                let lookup = lookup.clone();
                let pieces = slots.slots.claim(&[pattern], |keys| lookup.clone().pattern(keys, ignore_case).boxed());
                async move {
                    let pieces = pieces.into_iter().map(Piece::rows).collect::<FuturesUnordered<_>>();
                    pieces.try_concat().await
                }
            });
            let positions = columns.iter().map(|column| position(&together, *column)).collect();
            once_each(pieces.buffered(at_once), positions, cache.memory.new_empty()).boxed()
        }
    };
    let rows = found
        .map_ok(|batches: Vec<RecordBatch>| stream::iter(batches.into_iter().map(Ok::<_, DataFusionError>)))
        .try_flatten();
    let rows = rows.map(move |batch| wanted_of.select(&together, &batch?));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

/// Drops rows that an earlier pattern also found: rows that are equal in the columns of the key.
fn once_each(
    found: impl Stream<Item = Result<Vec<RecordBatch>>> + Send,
    positions: Vec<usize>,
    memory: MemoryReservation,
) -> impl Stream<Item = Result<Vec<RecordBatch>>> + Send {
    let mut earlier: HashSet<Vec<ScalarValue>> = HashSet::new();
    found.map(move |batches| {
        let mut own = Vec::new();
        let mut new = Vec::new();
        for batch in batches? {
            let of_row = |row| positions.iter().map(move |at| (*at, row));
            let value = |(at, row): (usize, usize)| ScalarValue::try_from_array(batch.column(at), row);
            let values = (0..batch.num_rows()).map(|row| of_row(row).map(value).collect::<Result<Vec<_>>>());
            let values = values.collect::<Result<Vec<_>>>()?;
            let is_new: BooleanArray = values.iter().map(|value| Some(!earlier.contains(value))).collect();
            new.push(filter_record_batch(&batch, &is_new)?);
            own.extend(values.into_iter().filter(|value| !earlier.contains(value)));
        }
        memory.try_grow(own.iter().flatten().map(ScalarValue::size).sum())?;
        earlier.extend(own);
        Ok(new)
    })
}

fn position(together: &Asked, column: usize) -> usize {
    together.columns.binary_search(&column).expect("the key is one of the columns")
}

/// Reads rows by keys.
#[derive(Clone)]
struct Lookup {
    cache: Arc<KeyCache>,
    scan: ScanExec,
    together: Arc<Asked>,
    state: Arc<QueryState>,
    columns: Arc<[usize]>,
}

impl Lookup {
    /// Reads the rows of several keys at once. Keys that differ only in their first column need one read of the table.
    async fn keys(self, keys: Vec<KeyValues>) -> Result<Found> {
        let memory = self.cache.memory.new_empty();
        let first = position(&self.together, self.columns[0]);
        let spec = &self.scan.table.spec().columns[self.columns[0]];
        let (mut batches, mut rows) = (Vec::new(), HashMap::new());
        for (others, firsts) in by_others(&keys) {
            let mut constraints: Constraints = (*self.scan.asked.constraints).clone();
            self.constrain(&mut constraints, self.columns[0], firsts);
            self.constrain_others(&mut constraints, others);
            let from = batches.len();
            batches.extend(self.read(constraints, &memory).await?);
            for (position, batch) in batches.iter().enumerate().skip(from) {
                add_rows(&mut rows, (position, batch), (first, spec), others)?;
            }
        }
        let places: usize = rows.values().map(|places| places.capacity() * size_of::<(usize, usize)>()).sum();
        let key = KEPT_KEY + 2 * self.columns.len() * size_of::<Scalar>();
        memory.try_grow(keys.len() * key + places)?;
        Ok(Found { keys: keys.len(), batches, rows, _memory: memory })
    }

    /// Reads the rows that match patterns.
    async fn pattern(self, patterns: Vec<KeyValues>, ignore_case: bool) -> Result<Found> {
        let memory = self.cache.memory.new_empty();
        let mut batches = Vec::new();
        for pattern in &patterns {
            let mut constraints: Constraints = (*self.scan.asked.constraints).clone();
            if let Some((Scalar::Text(like), others)) = pattern.split_first() {
                let like = Pattern { like: like.clone(), ignore_case };
                constraints.0.entry(self.columns[0]).or_default().patterns.push(like);
                self.constrain_others(&mut constraints, others);
            }
            batches.extend(self.read(constraints, &memory).await?);
        }
        Ok(Found { keys: patterns.len(), batches, rows: HashMap::new(), _memory: memory })
    }

    async fn read(&self, constraints: Constraints, memory: &MemoryReservation) -> Result<Vec<RecordBatch>> {
        let asked = Asked { constraints: Arc::new(constraints), ..(*self.together).clone() };
        let mut reading = self.scan.reading(&self.state, self.cache.record.clone(), &asked);
        let mut batches = Vec::new();
        while let Some(batch) = reading.next().await {
            let batch = batch?;
            memory.try_grow(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        Ok(batches)
    }

    /// Adds keys of a column to constraints. If these have keys already, only common keys remain.
    fn constrain(&self, constraints: &mut Constraints, column: usize, keys: Vec<Scalar>) {
        let constraint = constraints.0.entry(column).or_default();
        constraint.keys = Some(Arc::new(match &constraint.keys {
            Some(known) => constraints::common(&keys, known),
            None => keys,
        }));
    }

    /// Adds one key for each column after the first.
    fn constrain_others(&self, constraints: &mut Constraints, others: &[Scalar]) {
        for (column, key) in self.columns[1..].iter().zip(others) {
            self.constrain(constraints, *column, vec![key.clone()]);
        }
    }
}

/// The first values of keys, grouped by the values after them, in the order of the keys.
fn by_others(keys: &[KeyValues]) -> Vec<(&[Scalar], Vec<Scalar>)> {
    let mut positions: HashMap<&[Scalar], usize> = HashMap::new();
    let mut groups: Vec<(&[Scalar], Vec<Scalar>)> = Vec::new();
    for (first, others) in keys.iter().filter_map(|key| key.split_first()) {
        let position = *positions.entry(others).or_insert_with(|| {
            groups.push((others, Vec::new()));
            groups.len() - 1
        });
        groups[position].1.push(first.clone());
    }
    groups
}

/// Bytes per cached key in addition to its rows and values: one entry in the map of its lookup and one in the map of
/// the cache, with the spare capacity of maps.
const KEPT_KEY: usize =
    (size_of::<(KeyValues, Vec<(usize, usize)>)>() + size_of::<(KeyValues, (usize, Slot))>()) * 3 / 2;

/// The result of one lookup.
#[derive(Debug)]
struct Found {
    /// The number of keys that were looked up.
    keys: usize,
    batches: Vec<RecordBatch>,
    /// Batch and row of the rows of each key. Empty for patterns, which are looked up one at a time.
    rows: HashMap<KeyValues, Vec<(usize, usize)>>,
    _memory: MemoryReservation,
}

impl Found {
    /// The rows of some of its keys.
    fn select(&self, keys: &[KeyValues]) -> Result<Vec<RecordBatch>> {
        if keys.len() == self.keys {
            return Ok(self.batches.clone());
        }
        let places: Vec<(usize, usize)> = keys.iter().filter_map(|key| self.rows.get(key)).flatten().copied().collect();
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        Ok(vec![interleave_record_batch(&batches, &places)?])
    }
}

/// Records where the rows of each key are, for a batch read for keys that have these values after their first.
fn add_rows(
    rows: &mut HashMap<KeyValues, Vec<(usize, usize)>>,
    (position, batch): (usize, &RecordBatch),
    (first, column): (usize, &ColumnSpec),
    others: &[Scalar],
) -> Result<()> {
    for row in 0..batch.num_rows() {
        let value = ScalarValue::try_from_array(batch.column(first), row)?;
        if let Some(key) = constraints::scalar(&value, &column.kind) {
            let key = [column.as_key(key)].into_iter().chain(others.iter().cloned()).collect();
            rows.entry(key).or_default().push((position, row));
        }
    }
    Ok(())
}

/// A running lookup. Every task that waits for it also drives it, so no task depends on another being polled. If all
/// waiting tasks are dropped, the lookup ends and its keys can be claimed again.
type Fetch = Shared<BoxFuture<'static, Result<Arc<Found>, Arc<DataFusionError>>>>;
type WeakFetch = WeakShared<BoxFuture<'static, Result<Arc<Found>, Arc<DataFusionError>>>>;

/// The state of each key.
#[derive(Debug, Default, Clone)]
struct Slots(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The number of the next lookup.
    next: usize,
    slots: HashMap<KeyValues, (usize, Slot)>,
}

enum Slot {
    Fetching(WeakFetch),
    Found(Arc<Found>),
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Slot::Fetching(_) => "Fetching",
            Slot::Found(_) => "Found",
        })
    }
}

/// Keys that share one lookup.
struct Piece {
    keys: Vec<KeyValues>,
    from: Source,
}

enum Source {
    Fetch(Fetch),
    Found(Arc<Found>),
}

impl Piece {
    /// Waits for the rows of the keys.
    async fn rows(self) -> Result<Vec<RecordBatch>> {
        let found = match self.from {
            Source::Found(found) => found,
            Source::Fetch(fetch) => fetch.await.map_err(DataFusionError::Shared)?,
        };
        found.select(&self.keys)
    }
}

impl Slots {
    /// The lookups for distinct keys. Keys that are neither cached nor being fetched are fetched for this caller.
    fn claim(
        &self,
        keys: &[KeyValues],
        fetch: impl FnOnce(Vec<KeyValues>) -> BoxFuture<'static, Result<Found>>,
    ) -> Vec<Piece> {
        let mut state = self.0.lock();
        let mut pieces: BTreeMap<usize, Piece> = BTreeMap::new();
        let mut ours = Vec::new();
        for key in keys {
            let known = state.slots.get(key).and_then(|(number, slot)| match slot {
                Slot::Found(found) => Some((*number, Source::Found(found.clone()))),
                Slot::Fetching(fetch) => fetch.upgrade().map(|fetch| (*number, Source::Fetch(fetch))),
            });
            match known {
                Some((number, from)) => {
                    let piece = pieces.entry(number).or_insert_with(|| Piece { keys: Vec::new(), from });
                    piece.keys.push(key.clone());
                }
                None => ours.push(key.clone()),
            }
        }
        let mut pieces: Vec<Piece> = pieces.into_values().collect();
        if !ours.is_empty() {
            let number = state.next;
            state.next += 1;
            let (slots, fetched, found) = (self.clone(), ours.clone(), fetch(ours.clone()));
            let fetch = async move {
                let found = Arc::new(found.await?);
                let mut state = slots.0.lock();
                for key in fetched {
                    state.slots.insert(key, (number, Slot::Found(found.clone())));
                }
                Ok(found)
            };
            let fetch = fetch.map(|found: Result<_>| found.map_err(Arc::new)).boxed().shared();
            if let Some(weak) = fetch.downgrade() {
                state.slots.extend(ours.iter().map(|key| (key.clone(), (number, Slot::Fetching(weak.clone())))));
            }
            pieces.push(Piece { keys: ours, from: Source::Fetch(fetch) });
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};

    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use datafusion::common::internal_err;
    use datafusion::execution::memory_pool::{MemoryPool, UnboundedMemoryPool};
    use rand::rngs::StdRng;
    use rand::seq::IteratorRandom;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const KEYS: i64 = 6;

    /// A table where key N has N rows. It counts how often each key is looked up.
    #[derive(Debug, Clone)]
    struct Table {
        pool: Arc<dyn MemoryPool>,
        asked: Arc<Mutex<HashMap<i64, usize>>>,
        fetches: Arc<AtomicUsize>,
    }

    impl Table {
        fn new() -> Self {
            Table { pool: Arc::new(UnboundedMemoryPool::default()), asked: Arc::default(), fetches: Arc::default() }
        }

        /// Waits a number of times, then reads the rows of some keys.
        async fn fetch(self, keys: Vec<KeyValues>, waits: usize) -> Result<Found> {
            self.fetches.fetch_add(1, Ordering::Relaxed);
            for _ in 0..waits {
                tokio::task::yield_now().await;
            }
            let numbers: Vec<i64> = keys.iter().map(number).collect();
            for number in &numbers {
                *self.asked.lock().entry(*number).or_default() += 1;
            }
            let memory = MemoryConsumer::new("test").register(&self.pool);
            let mut batches = Vec::new();
            let mut rows: HashMap<KeyValues, Vec<(usize, usize)>> = HashMap::new();
            for (position, number) in numbers.iter().enumerate() {
                let values: Vec<i64> = (0..*number).map(|_| *number).collect();
                let places = (0..values.len()).map(|row| (position, row)).collect();
                let column = Arc::new(Int64Array::from(values)) as arrow_array::ArrayRef;
                let batch = RecordBatch::try_from_iter([("key", column)])?;
                memory.try_grow(batch.get_array_memory_size())?;
                batches.push(batch);
                rows.insert(key(*number), places);
            }
            Ok(Found { keys: keys.len(), batches, rows, _memory: memory })
        }
    }

    fn key(number: i64) -> KeyValues {
        [Scalar::Integer(number)].into()
    }

    fn number(key: &KeyValues) -> i64 {
        match **key {
            [Scalar::Integer(number)] => number,
            ref other => panic!("{other:?} is not a number"),
        }
    }

    /// All values that a reader gets for its keys.
    async fn reader(slots: Slots, table: Table, keys: Vec<i64>, waits: usize) -> Vec<i64> {
        let keys: Vec<KeyValues> = keys.into_iter().map(key).collect();
        let pieces = slots.claim(&keys, |keys| table.fetch(keys, waits).boxed());
        let found: Vec<Vec<RecordBatch>> =
            pieces.into_iter().map(Piece::rows).collect::<FuturesUnordered<_>>().try_collect().await.expect("found");
        let mut values: Vec<i64> = found
            .iter()
            .flatten()
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec())
            .collect();
        values.sort_unstable();
        values
    }

    fn expected(keys: &[i64]) -> Vec<i64> {
        let mut values: Vec<i64> = keys.iter().flat_map(|key| (0..*key).map(|_| *key)).collect();
        values.sort_unstable();
        values
    }

    fn some_keys(random: &mut StdRng) -> Vec<i64> {
        let many = random.random_range(1..=KEYS as usize);
        (0..KEYS).sample(random, many)
    }

    /// A reader that is polled ends, whatever the others do: some are polled rarely, some never again, and some are
    /// dropped between any two steps.
    #[test]
    fn no_reader_waits_for_one_that_is_not_polled() {
        for seed in 0..2000 {
            let mut random = StdRng::seed_from_u64(seed);
            let (slots, table) = (Slots::default(), Table::new());
            let mut context = Context::from_waker(Waker::noop());
            let mut readers: Vec<(Vec<i64>, BoxFuture<'static, Vec<i64>>)> = Vec::new();
            let mut dropped = 0;
            for _ in 0..random.random_range(5..60) {
                match random.random_range(0..10) {
                    0..4 => {
                        let keys = some_keys(&mut random);
                        let waits = random.random_range(0..4);
                        readers.push((keys.clone(), reader(slots.clone(), table.clone(), keys, waits).boxed()));
                    }
                    4 if !readers.is_empty() => {
                        dropped += 1;
                        drop(readers.swap_remove(random.random_range(0..readers.len())));
                    }
                    _ if !readers.is_empty() => {
                        let one = random.random_range(0..readers.len());
                        if let Poll::Ready(values) = readers[one].1.poll_unpin(&mut context) {
                            let (keys, _) = readers.swap_remove(one);
                            assert_eq!(values, expected(&keys), "seed {seed}");
                        }
                    }
                    _ => {}
                }
            }
            // Each reader alone, while the others are not polled.
            while !readers.is_empty() {
                let (keys, mut reader) = readers.swap_remove(random.random_range(0..readers.len()));
                let values = (0..100).find_map(|_| match reader.poll_unpin(&mut context) {
                    Poll::Ready(values) => Some(values),
                    Poll::Pending => None,
                });
                assert_eq!(values, Some(expected(&keys)), "seed {seed}: a reader waits for others");
            }
            // A key is looked up again only if the readers that waited for it were dropped.
            for (key, many) in table.asked.lock().iter() {
                assert!(*many <= 1 + dropped, "seed {seed}: key {key} was looked up {many} times");
            }
        }
    }

    /// The remaining readers are woken when those that waited first are gone.
    #[tokio::test]
    async fn every_reader_is_woken() {
        for seed in 0..500 {
            let mut random = StdRng::seed_from_u64(seed);
            let (slots, table) = (Slots::default(), Table::new());
            let mut tasks = Vec::new();
            for _ in 0..12 {
                let keys = some_keys(&mut random);
                let waits = random.random_range(0..6);
                tasks.push((keys.clone(), tokio::spawn(reader(slots.clone(), table.clone(), keys, waits))));
                if random.random_bool(0.5) {
                    tokio::task::yield_now().await;
                }
                if random.random_bool(0.3) {
                    let one = random.random_range(0..tasks.len());
                    tasks[one].1.abort();
                }
            }
            for (keys, task) in tasks {
                match task.await {
                    Ok(values) => assert_eq!(values, expected(&keys), "seed {seed}"),
                    Err(error) => assert!(error.is_cancelled(), "seed {seed}: {error}"),
                }
            }
        }
    }

    #[test]
    fn a_lookup_that_fails_frees_its_keys() {
        let slots = Slots::default();
        let mut context = Context::from_waker(Waker::noop());
        let keys = [key(3)];
        let failing = |_: Vec<KeyValues>| async { internal_err!("it fails") }.boxed();
        let first = slots.claim(&keys, failing);
        let second = slots.claim(&keys, |_| panic!("it is being fetched"));
        for piece in first.into_iter().chain(second) {
            let outcome = piece.rows().boxed().poll_unpin(&mut context);
            assert!(matches!(outcome, Poll::Ready(Err(_))), "both see the error");
        }
        let table = Table::new();
        let again = reader(slots, table.clone(), vec![3], 0).now_or_never();
        assert_eq!(again, Some(vec![3, 3, 3]));
    }

    #[test]
    fn memory_is_charged_while_rows_are_kept() {
        let (slots, table) = (Slots::default(), Table::new());
        let rows = reader(slots.clone(), table.clone(), vec![2, 4], 0).now_or_never();
        assert_eq!(rows, Some(vec![2, 2, 4, 4, 4, 4]));
        assert!(table.pool.reserved() > 0);
        drop(slots);
        assert_eq!(table.pool.reserved(), 0);
    }
}
