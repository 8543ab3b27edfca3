//! Statistics of scans.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indago_table::Meter;
use parking_lot::Mutex;

/// Statistics of one scan.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanStats {
    /// The table.
    pub table: String,
    /// Constraints that the table applied.
    pub constraints: String,
    /// Conditions that were checked on its rows.
    pub filter: String,
    /// `scan`, `lookup` (by keys of a join) or `shared` (read once for several places of the plan).
    pub how: &'static str,
    /// Slices read.
    pub slices: usize,
    /// Rows read.
    pub rows: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Files opened, directories listed and requests sent.
    pub calls: u64,
    /// Time during which the scan was reading.
    pub elapsed: Duration,
}

/// The statistics of a scan while it runs.
#[derive(Debug)]
pub(crate) struct ScanRecord {
    pub(crate) table: String,
    constraints: String,
    filter: String,
    how: &'static str,
    pub(crate) meter: Arc<Meter>,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    slices: usize,
    running: usize,
    since: Option<Instant>,
    elapsed: Duration,
}

impl ScanRecord {
    pub(crate) fn new(table: &str, constraints: String, filter: String, how: &'static str) -> Self {
        let (meter, progress) = (Arc::default(), Mutex::default());
        ScanRecord { table: table.to_owned(), constraints, filter, how, meter, progress }
    }

    pub(crate) fn start_slice(&self) {
        self.progress.lock().slices += 1;
        self.start_search();
    }

    /// Starts a search for slices. It is not a slice itself, but its time counts.
    pub(crate) fn start_search(&self) {
        let mut progress = self.progress.lock();
        progress.running += 1;
        progress.since.get_or_insert_with(Instant::now);
    }

    pub(crate) fn end_slice(&self) {
        let mut progress = self.progress.lock();
        progress.running = progress.running.saturating_sub(1);
        if progress.running == 0
            && let Some(since) = progress.since.take()
        {
            progress.elapsed += since.elapsed();
        }
    }

    /// The statistics so far.
    pub(crate) fn stats(&self) -> ScanStats {
        let progress = self.progress.lock();
        ScanStats {
            table: self.table.clone(),
            constraints: self.constraints.clone(),
            filter: self.filter.clone(),
            how: self.how,
            slices: progress.slices,
            rows: self.meter.rows(),
            bytes: self.meter.bytes(),
            calls: self.meter.calls(),
            elapsed: progress.elapsed + progress.since.map(|since| since.elapsed()).unwrap_or_default(),
        }
    }
}
