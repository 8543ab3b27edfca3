//! The rows of keys that a query has looked up: each distinct key is looked up once per query.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_select::interleave::interleave_record_batch;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use indago_table::Scalar;
use parking_lot::Mutex;

use crate::record::ScanRecord;

/// Values for the columns of a key, in their order.
pub(crate) type KeyValues = Box<[Scalar]>;

/// Batch and row of the rows of each key.
pub(crate) type RowsByKey = HashMap<KeyValues, Vec<(usize, usize)>>;

/// Rows found for keys, by request: the table, the columns that have keys, the other constraints.
#[derive(Debug, Default)]
pub(crate) struct KeyCaches(Mutex<HashMap<String, Arc<KeyCache>>>);

/// Rows found for keys of the same columns.
#[derive(Debug)]
pub(crate) struct KeyCache {
    pub(crate) record: Arc<ScanRecord>,
    /// Charged with the cached rows.
    pub(crate) memory: MemoryReservation,
    slots: Slots,
}

impl KeyCaches {
    /// Drops all cached rows.
    pub(crate) fn release(&self) {
        self.0.lock().clear();
    }

    /// The cache for a request, by its identity.
    pub(crate) fn get(
        &self,
        identity: String,
        create: impl FnOnce() -> (Arc<ScanRecord>, MemoryReservation),
    ) -> Arc<KeyCache> {
        let create = || {
            let (record, memory) = create();
            Arc::new(KeyCache { record, memory, slots: Slots::default() })
        };
        self.0.lock().entry(identity).or_insert_with(create).clone()
    }
}

impl KeyCache {
    /// The lookups for distinct keys. Keys that are neither cached nor being fetched are fetched for this caller.
    pub(crate) fn claim(
        &self,
        keys: &[KeyValues],
        fetch: impl FnOnce(Vec<KeyValues>) -> BoxFuture<'static, Result<Found>>,
    ) -> Vec<Piece> {
        self.slots.claim(keys, fetch)
    }
}

/// Bytes per cached key in addition to its rows and values: one entry in the map of its lookup and one in the map of
/// the cache, with the spare capacity of maps.
pub(crate) const BYTES_PER_KEY: usize =
    (size_of::<(KeyValues, Vec<(usize, usize)>)>() + size_of::<(KeyValues, (usize, Slot))>()) * 3 / 2;

/// The result of one lookup.
#[derive(Debug)]
pub(crate) struct Found {
    /// The number of keys that were looked up.
    keys: usize,
    batches: Vec<RecordBatch>,
    /// Empty for patterns, which are looked up one at a time.
    rows: RowsByKey,
    _memory: MemoryReservation,
}

impl Found {
    /// The result of looking up a number of keys, and the memory that it is charged to.
    pub(crate) fn new(keys: usize, batches: Vec<RecordBatch>, rows: RowsByKey, memory: MemoryReservation) -> Self {
        Found { keys, batches, rows, _memory: memory }
    }

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
pub(crate) struct Piece {
    keys: Vec<KeyValues>,
    from: Source,
}

enum Source {
    Fetch(Fetch),
    Found(Arc<Found>),
}

impl Piece {
    /// Waits for the rows of the keys.
    pub(crate) async fn rows(self) -> Result<Vec<RecordBatch>> {
        let found = match self.from {
            Source::Found(found) => found,
            Source::Fetch(fetch) => fetch.await.map_err(DataFusionError::Shared)?,
        };
        found.select(&self.keys)
    }
}

impl Slots {
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
    use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};
    use futures::TryStreamExt as _;
    use futures::stream::FuturesUnordered;
    use rand::rngs::StdRng;
    use rand::seq::IteratorRandom;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const KEYS: i64 = 6;

    /// A table where key N has N rows. It counts how often each key is looked up.
    #[derive(Debug, Clone)]
    struct Table {
        pool: Arc<dyn MemoryPool>,
        looked_up: Arc<Mutex<HashMap<i64, usize>>>,
        fetches: Arc<AtomicUsize>,
    }

    impl Table {
        fn new() -> Self {
            Table { pool: Arc::new(UnboundedMemoryPool::default()), looked_up: Arc::default(), fetches: Arc::default() }
        }

        /// Waits a number of times, then reads the rows of some keys.
        async fn fetch(self, keys: Vec<KeyValues>, waits: usize) -> Result<Found> {
            self.fetches.fetch_add(1, Ordering::Relaxed);
            for _ in 0..waits {
                tokio::task::yield_now().await;
            }
            let numbers: Vec<i64> = keys.iter().map(number).collect();
            for number in &numbers {
                *self.looked_up.lock().entry(*number).or_default() += 1;
            }
            let memory = MemoryConsumer::new("test").register(&self.pool);
            let mut batches = Vec::new();
            let mut rows = RowsByKey::new();
            for (position, number) in numbers.iter().enumerate() {
                let values: Vec<i64> = (0..*number).map(|_| *number).collect();
                let places = (0..values.len()).map(|row| (position, row)).collect();
                let column = Arc::new(Int64Array::from(values)) as arrow_array::ArrayRef;
                let batch = RecordBatch::try_from_iter([("key", column)])?;
                memory.try_grow(batch.get_array_memory_size())?;
                batches.push(batch);
                rows.insert(key(*number), places);
            }
            Ok(Found::new(keys.len(), batches, rows, memory))
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
            for (key, many) in table.looked_up.lock().iter() {
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
