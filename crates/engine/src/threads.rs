//! Threads of an engine: one pool computes plans, the other runs blocking reads.
//!
//! Both are separate from the caller's runtime, so deadlines work while a plan computes. They are separate from each
//! other, so readers that wait for their plans cannot take the plans' threads.

use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};
use std::thread::Builder;

use indago_table::spawn_detached;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

/// The most threads that compute plans. A plan holds one only while it computes.
const PLANS: usize = 256;

/// The stack size of a thread that computes plans, in bytes. Nodes of a plan call each other recursively.
const DEEP: usize = 32 << 20;

/// The stack size of a thread that reads, in bytes.
const SHALLOW: usize = 2 << 20;

/// The most threads that read. A reader that is ahead of its plan holds one while it waits.
const READERS: usize = 4096;

/// The most readers that start before their plan polls for rows.
const EAGER: usize = 256;

#[derive(Debug)]
pub(crate) struct Threads {
    plans: Pool,
    readers: Pool,
    /// Permits for readers that start early.
    pub(crate) eager: Semaphore,
}

impl Default for Threads {
    fn default() -> Self {
        Threads { plans: Pool::new(PLANS, DEEP), readers: Pool::new(READERS, SHALLOW), eager: Semaphore::new(EAGER) }
    }
}

impl Threads {
    /// Runs blocking work.
    pub(crate) fn read<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        self.readers.run(work)
    }

    /// Drives a future to its end. It is polled on a thread for plans and holds no thread while it waits. Tasks that it
    /// spawns run on the caller's runtime. Dropping the handle does not cancel it: the work must end by itself, as a
    /// plan does when its receiver is dropped.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn drive(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let (threads, runtime) = (self.clone(), Handle::current());
        runtime.clone().spawn(async move {
            let woken = Arc::new(Woken(Notify::new()));
            let mut work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(work);
            loop {
                let (waker, runtime) = (Waker::from(woken.clone()), runtime.clone());
                let polled = threads.plans.run(move || {
                    let _runtime = runtime.enter();
                    let is_over = work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
                    (work, is_over)
                });
                match polled.await {
                    Ok((_, true)) => return,
                    Ok((rest, false)) => work = rest,
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_) => return,
                    },
                }
                woken.0.notified().await;
            }
        })
    }
}

/// Tells the driver of a future to poll it again. A wake-up during a poll is not lost.
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

/// Threads that start when there is work, and end when they are idle for a while.
#[derive(Debug)]
struct Pool {
    most: usize,
    /// The stack size of a thread, in bytes.
    stack: usize,
    runtime: OnceLock<Runtime>,
}

impl Pool {
    fn new(most: usize, stack: usize) -> Self {
        Pool { most, stack, runtime: OnceLock::new() }
    }

    fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let start = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.max_blocking_threads(self.most).thread_stack_size(self.stack).build();
            runtime.expect("a runtime without drivers needs nothing that could fail")
        };
        self.runtime.get_or_init(start).spawn_blocking(work)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // An engine may be dropped in a task, which must not wait for threads, so another thread joins them. If that
        // thread cannot be started, they stay until the process ends.
        if let Some(runtime) = self.runtime.take().map(ManuallyDrop::new) {
            let join = move || drop(ManuallyDrop::into_inner(runtime));
            let _ = spawn_detached(Builder::new().name("indago-join".to_owned()), join);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_future_that_waits_holds_no_thread() {
        let threads =
            Arc::new(Threads { plans: Pool::new(1, DEEP), readers: Pool::new(1, SHALLOW), eager: Semaphore::new(1) });
        let (first, waits) = tokio::sync::oneshot::channel::<()>();
        let waiting = threads.drive(async move {
            waits.await.expect("the other one sends");
        });
        let sending = threads.drive(async move {
            tokio::task::yield_now().await;
            first.send(()).expect("the other one waits");
        });
        sending.await.expect("it ends");
        waiting.await.expect("it ends");
    }

    #[tokio::test]
    async fn a_panic_reaches_whoever_waits() {
        let threads = Arc::new(Threads::default());
        let error = threads.drive(async { panic!("gone wrong") }).await.expect_err("it panics");
        assert!(error.is_panic());
    }
}
