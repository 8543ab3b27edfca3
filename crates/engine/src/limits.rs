//! How much a query may take.

use std::time::Duration;

/// Limits of an engine; a query's own options may narrow the first two.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// How long a query may run; `None` for as long as it takes.
    pub timeout: Option<Duration>,
    /// Memory of one query's sorts, joins and aggregates, in bytes; beyond it they spill to disk or fail.
    pub memory: usize,
    /// Rows in a batch, at the most.
    pub batch_size: usize,
    /// Partitions of a plan. One is fastest for live tables; more pay for large stores.
    pub partitions: usize,
    /// Parts of a scan (clusters, accounts and regions, repositories) read at the same time.
    pub slices: usize,
    /// Calls to one endpoint at the same time.
    pub calls_per_endpoint: usize,
    /// Calls to one endpoint in a second.
    pub calls_per_second: f64,
    /// How long one call may take.
    pub call_timeout: Duration,
    /// Further attempts after a call was throttled or failed in passing.
    pub retries: u32,
    /// Pause before the first further attempt; it doubles each time, with jitter.
    pub retry_base: Duration,
    /// Keys that a lookup join hands to a table at once.
    pub lookup_batch: usize,
    /// Lookups of one join under way at the same time.
    pub lookup_concurrency: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            timeout: None,
            memory: 1 << 30,
            batch_size: 4096,
            partitions: 1,
            slices: 32,
            calls_per_endpoint: 8,
            calls_per_second: 50.0,
            call_timeout: Duration::from_secs(30),
            retries: 4,
            retry_base: Duration::from_millis(200),
            lookup_batch: 256,
            lookup_concurrency: 8,
        }
    }
}
