//! The memory of one query: a limit, and how much of it was in use.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use indago_table::{Budget, Error as TableError};

/// Consumers that an error about memory names.
const NAMED: NonZeroUsize = NonZeroUsize::new(3).expect("three is not zero");

/// A query's memory. Operators that can spill share it fairly.
#[derive(Debug)]
pub(crate) struct QueryMemory {
    pool: TrackConsumersPool<FairSpillPool>,
    peak: AtomicUsize,
}

impl QueryMemory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let pool = TrackConsumersPool::new(FairSpillPool::new(limit), NAMED);
        Arc::new(QueryMemory { pool, peak: AtomicUsize::default() })
    }

    /// The most that was in use at a time.
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
        self.peak.fetch_max(self.pool.reserved(), Ordering::Relaxed);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.pool.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.pool.try_grow(reservation, additional)?;
        self.peak.fetch_max(self.pool.reserved(), Ordering::Relaxed);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.pool.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
    }
}

/// What the scans of a query keep for each other, as a part of its memory.
pub(crate) struct Kept(pub(crate) MemoryReservation);

impl Budget for Kept {
    fn take(&mut self, bytes: usize) -> Result<(), TableError> {
        self.0.try_grow(bytes).map_err(|error| TableError::OutOfMemory(error.strip_backtrace()))
    }
}
