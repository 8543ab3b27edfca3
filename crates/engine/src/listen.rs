//! Listening to the sources of event tables.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures::FutureExt;
use indago_table::{Events, Gate};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::planning::text_of;

/// Back-off before the first restart of a source that failed. It doubles with each failure.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest back-off. A source that ran for longer than this starts with the shortest again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The event tables of an engine, and the tasks that listen to their sources. Dropping it stops the tasks.
#[derive(Debug)]
pub(crate) struct Listeners {
    runtime: Handle,
    gate: Arc<dyn Gate>,
    tables: Vec<(Arc<Events>, Listening)>,
}

/// The task that listens, if it is running.
type Listening = Mutex<Option<JoinHandle<()>>>;

impl Listeners {
    /// Starts listening to each table when it is first read.
    pub(crate) fn new(tables: Vec<Arc<Events>>, gate: Arc<dyn Gate>) -> Arc<Self> {
        let tables = tables.into_iter().map(|table| (table, Mutex::default())).collect();
        let listeners = Arc::new(Listeners { runtime: Handle::current(), gate, tables });
        for (position, (table, _)) in listeners.tables.iter().enumerate() {
            table.set_gate(listeners.gate.clone());
            let weak: Weak<Listeners> = Arc::downgrade(&listeners);
            table.on_first_reading(move || weak.upgrade().is_some_and(|listeners| listeners.start(position)));
        }
        listeners
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Arc<Events>> {
        self.tables.iter().map(|(table, _)| table)
    }

    /// The event tables, each with whether its task was started.
    pub(crate) fn states(&self) -> Vec<(Arc<Events>, bool)> {
        self.tables.iter().map(|(table, task)| (table.clone(), task.lock().is_some())).collect()
    }

    /// Starts the task unless it is running. Returns whether it was started.
    fn start(&self, position: usize) -> bool {
        let (table, task) = &self.tables[position];
        let mut task = task.lock();
        if task.is_some() {
            return false;
        }
        *task = Some(self.runtime.spawn(listen(table.clone(), self.gate.clone())));
        true
    }

    pub(crate) fn start_all(&self) {
        for position in 0..self.tables.len() {
            self.start(position);
        }
    }

    pub(crate) fn stop_all(&self) {
        for (table, task) in &self.tables {
            if let Some(task) = task.lock().take() {
                task.abort();
                table.gap("the event source was stopped; events until its restart are missing");
            }
        }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for task in self.tables.iter().filter_map(|(_, task)| task.lock().take()) {
            task.abort();
        }
    }
}

/// Listens until the source ends without an error.
async fn listen(events: Arc<Events>, gate: Arc<dyn Gate>) {
    let mut pause = PAUSE;
    loop {
        let began = Instant::now();
        let why = match AssertUnwindSafe(events.listen()).catch_unwind().await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => format!("it panicked: {}", text_of(&*panic)),
        };
        events.gap(format!("the event source failed; events until its restart are missing: {why}"));
        if began.elapsed() > LONGEST_PAUSE {
            pause = PAUSE;
        }
        gate.sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use indago_table::scan::BoxFuture;
    use indago_table::{Error, EventLimits, EventSource, Permit, Sys, TableSpec};

    use super::*;

    /// A source that fails a number of times, alternately with an error and a panic, and then ends.
    #[derive(Debug)]
    struct Faulty(usize, AtomicUsize);

    impl EventSource for Faulty {
        fn spec(&self) -> TableSpec {
            TableSpec::new("faults", "test", "Faults.", Vec::new())
        }

        fn listen<'a>(&'a self, _events: &'a Events) -> BoxFuture<'a, indago_table::Result<()>> {
            let attempt = self.1.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                assert!(attempt >= self.0 || attempt.is_multiple_of(2), "it is odd");
                if attempt < self.0 { Err(Error::Unavailable("no response".to_owned())) } else { Ok(()) }
            })
        }
    }

    /// A gate that does not wait.
    #[derive(Debug, Default)]
    struct Hurry(Mutex<Vec<u64>>);

    impl Gate for Hurry {
        fn enter<'a>(&'a self, _endpoint: &'a str) -> BoxFuture<'a, Permit> {
            Box::pin(async { Box::new(()) as Permit })
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            self.0.lock().push(duration.as_secs());
            Box::pin(std::future::ready(()))
        }

        fn call_timeout(&self) -> Duration {
            LONGEST_PAUSE
        }

        fn backoff(&self, _attempt: u32) -> Option<Duration> {
            None
        }

        fn concurrency(&self) -> usize {
            1
        }
    }

    #[tokio::test]
    async fn a_source_that_fails_is_listened_to_again_after_longer_and_longer_pauses() {
        let events = Events::new(Box::new(Faulty(8, AtomicUsize::new(0))), EventLimits::default(), &Sys::live());
        let gate = Arc::new(Hurry::default());
        listen(events, gate.clone()).await;
        assert_eq!(*gate.0.lock(), [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
