//! The memory of one query: its limit and its peak use.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use arrow_array::{Array, ArrayRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use indago_dialect::Memory;
use indago_table::{Budget, Error as TableError};
use parking_lot::Mutex;

/// Consumers that an error about memory names.
const NAMED: NonZeroUsize = NonZeroUsize::new(3).expect("three is not zero");

/// A query's memory pool. Operators that can spill share it fairly.
#[derive(Debug)]
pub(crate) struct QueryMemory {
    pool: Arc<TrackConsumersPool<FairSpillPool>>,
    limit: usize,
    peak: AtomicUsize,
    made: Mutex<Made>,
}

/// Arrays that functions created, while they exist.
#[derive(Debug)]
struct Made {
    arrays: Vec<(Weak<dyn Array>, usize)>,
    reservation: MemoryReservation,
}

impl Made {
    fn take(&mut self, function: &str, bytes: usize) -> Result<()> {
        self.sweep();
        self.reservation.try_grow(bytes).map_err(|error| {
            let message = format!("{function} made {} MB: {}", bytes >> 20, error.strip_backtrace());
            DataFusionError::ResourcesExhausted(message)
        })
    }

    /// Releases the memory of arrays that no longer exist.
    fn sweep(&mut self) {
        let reservation = &mut self.reservation;
        self.arrays.retain(|(array, bytes)| {
            let is_there = array.strong_count() > 0;
            if !is_there {
                reservation.shrink(*bytes);
            }
            is_there
        });
    }
}

impl QueryMemory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let pool = Arc::new(TrackConsumersPool::new(FairSpillPool::new(limit), NAMED));
        let shared: Arc<dyn MemoryPool> = pool.clone();
        let reservation = MemoryConsumer::new("values that functions made").register(&shared);
        let made = Mutex::new(Made { arrays: Vec::new(), reservation });
        Arc::new(QueryMemory { pool, limit, peak: AtomicUsize::default(), made })
    }

    /// A reservation in this pool.
    pub(crate) fn share(self: &Arc<Self>, what: &str) -> MemoryReservation {
        let pool: Arc<dyn MemoryPool> = self.clone();
        MemoryConsumer::new(what).register(&pool)
    }

    /// Stops accounting for arrays that functions created. The query is over, and its caller owns them.
    pub(crate) fn release(&self) {
        let mut made = self.made.lock();
        made.arrays.clear();
        made.reservation.free();
    }

    fn note_peak(&self) {
        self.peak.fetch_max(self.pool.reserved(), Ordering::Relaxed);
    }

    /// The peak use, in bytes.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }
}

impl fmt::Display for QueryMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pool.fmt(f)
    }
}

impl MemoryPool for QueryMemory {
    fn name(&self) -> &str {
        self.pool.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.pool.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.pool.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.pool.grow(reservation, additional);
        self.note_peak();
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.pool.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if self.pool.try_grow(reservation, additional).is_err() {
            self.made.lock().sweep();
            self.pool.try_grow(reservation, additional)?;
        }
        self.note_peak();
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.pool.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
    }
}

impl Memory for QueryMemory {
    fn left(&self) -> usize {
        self.made.lock().sweep();
        self.limit.saturating_sub(self.pool.reserved())
    }

    fn keep(&self, function: &str, bytes: usize) -> Result<()> {
        self.made.lock().take(function, bytes)?;
        self.note_peak();
        Ok(())
    }

    fn charge(&self, function: &str, made: &ArrayRef) -> Result<()> {
        let bytes = made.get_array_memory_size();
        let mut all = self.made.lock();
        all.take(function, bytes)?;
        all.arrays.push((Arc::downgrade(made), bytes));
        drop(all);
        self.note_peak();
        Ok(())
    }
}

/// The memory that the scans of a query hold or cache for each other.
pub(crate) struct Kept(pub(crate) MemoryReservation);

impl Budget for Kept {
    fn take(&mut self, bytes: usize) -> Result<(), TableError> {
        self.0.try_grow(bytes).map_err(|error| TableError::OutOfMemory(error.strip_backtrace()))
    }

    fn give_back(&mut self, bytes: usize) {
        self.0.shrink(bytes);
    }
}
