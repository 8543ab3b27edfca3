//! Limits of queries.

use std::time::Duration;

/// Limits of an engine. A query's options may override the first three.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Timeout of a query; `None` for no timeout.
    pub timeout: Option<Duration>,
    /// Memory for the sorts, joins and aggregates of one query, in bytes. Beyond it they spill to disk or fail.
    pub memory: usize,
    /// The most API calls that one query may make, retries included; `None` for no limit.
    pub max_calls: Option<u64>,
    /// The most rows in a batch.
    pub batch_size: usize,
    /// Partitions of a plan. One is fastest for live tables; more help with large stores.
    pub partitions: usize,
    /// Slices of a scan (clusters, accounts and regions, repositories) that are read concurrently.
    pub slices: usize,
    /// Concurrent calls to one endpoint.
    pub calls_per_endpoint: usize,
    /// Calls per second to one endpoint.
    pub calls_per_second: f64,
    /// Timeout of one call.
    pub call_timeout: Duration,
    /// Retries of a call that was throttled or failed temporarily.
    pub retries: u32,
    /// Back-off before the first retry. It doubles each time, with jitter.
    pub retry_base: Duration,
    /// The most keys that a lookup join passes to a table at once.
    pub lookup_batch: usize,
    /// Concurrent lookups of one join.
    pub lookup_concurrency: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            timeout: None,
            memory: 1 << 30,
            max_calls: None,
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
