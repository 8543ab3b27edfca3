//! Limits on API calls: concurrency, rate, retries.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use indago_table::scan::BoxFuture;
use indago_table::{Gate, Permit};
use parking_lot::Mutex;
use rand::RngExt;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::limits::Limits;

/// The longest back-off between two attempts.
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);

/// The calls of this much time may be made at once, so a list of a hundred pages is not delayed.
const BURST: Duration = Duration::from_secs(2);

/// The longest time between two calls, for very low rates.
const LONGEST_STEP: Duration = Duration::from_secs(1000);

fn step(calls_per_second: f64) -> Duration {
    Duration::try_from_secs_f64(1.0 / calls_per_second).map_or(LONGEST_STEP, |step| step.min(LONGEST_STEP))
}

fn a_burst_ago() -> Instant {
    let now = Instant::now();
    now.checked_sub(BURST).unwrap_or(now)
}

/// The engine's gate: a concurrency limit and a token bucket for each endpoint.
#[derive(Debug)]
pub(crate) struct EndpointGate {
    limits: Limits,
    endpoints: Mutex<HashMap<String, Arc<Endpoint>>>,
}

#[derive(Debug)]
struct Endpoint {
    places: Arc<Semaphore>,
    /// When the next call may start.
    next: Mutex<Instant>,
}

impl EndpointGate {
    pub(crate) fn new(limits: &Limits) -> Self {
        EndpointGate { limits: limits.clone(), endpoints: Mutex::default() }
    }

    fn endpoint(&self, name: &str) -> Arc<Endpoint> {
        let mut endpoints = self.endpoints.lock();
        if let Some(endpoint) = endpoints.get(name) {
            return endpoint.clone();
        }
        let endpoint = Arc::new(Endpoint {
            places: Arc::new(Semaphore::new(self.limits.calls_per_endpoint.max(1))),
            next: Mutex::new(a_burst_ago()),
        });
        endpoints.insert(name.to_owned(), endpoint.clone());
        endpoint
    }
}

impl Gate for EndpointGate {
    fn enter<'a>(&'a self, endpoint: &'a str) -> BoxFuture<'a, Permit> {
        Box::pin(async move {
            let endpoint = self.endpoint(endpoint);
            let place = endpoint.places.clone().acquire_owned().await.expect("the semaphore is never closed");
            if self.limits.calls_per_second > 0.0 {
                let step = step(self.limits.calls_per_second);
                let start = {
                    let mut next = endpoint.next.lock();
                    *next = (*next).max(a_burst_ago()) + step;
                    *next
                };
                tokio::time::sleep_until(start).await;
            }
            Box::new(place) as Permit
        })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn call_timeout(&self) -> Duration {
        self.limits.call_timeout
    }

    fn backoff(&self, attempt: u32) -> Option<Duration> {
        if attempt > self.limits.retries {
            return None;
        }
        let full = self.limits.retry_base.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_BACKOFF);
        Some(full.mul_f64(rand::rng().random_range(0.5..1.0)))
    }

    fn concurrency(&self) -> usize {
        self.limits.calls_per_endpoint.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rate_is_too_low_to_wait_for() {
        assert_eq!(step(50.0), Duration::from_millis(20));
        for calls_per_second in [1e-20, f64::MIN_POSITIVE, 5e-324] {
            assert_eq!(step(calls_per_second), LONGEST_STEP, "{calls_per_second}");
        }
    }
}
