//! Cancellable planning, on a separate thread with a large stack for deep statements.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result as PlanResult, exec_err};
use datafusion::config::ConfigOptions;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use futures::FutureExt as _;
use indago_dialect::Interrupt;
use indago_table::spawn_detached;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::diagnostic::{Code, Error, Result};

/// The stack size in bytes. Rules recurse into plans.
const STACK: usize = 64 << 20;
/// Statements that are planned concurrently, per processor.
const AT_ONCE: usize = 4;

/// The threads on which an engine plans.
#[derive(Debug)]
pub(crate) struct Planning(Arc<Semaphore>);

impl Default for Planning {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Planning(Arc::new(Semaphore::new(AT_ONCE * processors)))
    }
}

impl Planning {
    /// Plans on a thread. At the timeout, or if the caller drops this future, the interrupt tells the thread to stop.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        limit: Option<Duration>,
        interrupt: Interrupt,
        plan: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let mut abandoned = Abandoned(Some(interrupt));
        let planned = self.on_thread(plan);
        let planned = match limit {
            Some(limit) => tokio::time::timeout(limit, planned).await.map_err(|_| Error::timeout(limit))?,
            None => planned.await,
        }?;
        abandoned.0 = None;
        Ok(planned)
    }

    async fn on_thread<T: Send + 'static>(&self, plan: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let place = self.0.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (mut sender, planned) = oneshot::channel();
        let runtime = Handle::current();
        let work = move || {
            let plan = AssertUnwindSafe(plan).catch_unwind();
            runtime.block_on(async {
                let planned = tokio::select! {
                    biased;
                    // The caller has cancelled. The plan may be waiting for a catalog that never responds.
                    () = sender.closed() => return,
                    planned = plan => planned,
                };
                let planned = planned.unwrap_or_else(|panic| {
                    Err(Error::new(Code::Execution, format!("planning panicked: {}", text_of(&*panic))))
                });
                drop(sender.send(planned));
            });
            drop(place);
        };
        let thread = std::thread::Builder::new().name("planning".to_owned()).stack_size(STACK);
        spawn_detached(thread, work)
            .map_err(|error| Error::new(Code::Execution, format!("could not start a planning thread: {error}")))?;
        planned.await.unwrap_or_else(|_| Err(Error::new(Code::Plan, "planning ended without a result")))
    }
}

pub(crate) fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked")
}

/// Stops planning when its caller no longer waits for it.
struct Abandoned(Option<Interrupt>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(interrupt) = &self.0 {
            interrupt.stop();
        }
    }
}

/// Fails if the query is over.
pub(crate) fn check(options: &ConfigOptions) -> PlanResult<()> {
    match options.extensions.get::<Interrupt>() {
        Some(interrupt) if interrupt.is_over() => exec_err!("the query was cancelled while it was planned"),
        _ => Ok(()),
    }
}

/// Makes each optimizer rule stop soon after its query is over.
pub(crate) fn interruptible(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let rules = builder.optimizer().take().unwrap_or_default().rules;
    let watched = rules.into_iter().map(|rule| Arc::new(Watched(rule)) as Arc<dyn OptimizerRule + Send + Sync>);
    builder.with_optimizer_rules(watched.collect())
}

/// A rule that checks at each node whether the query is over.
#[derive(Debug)]
struct Watched(Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for Watched {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> PlanResult<Transformed<LogicalPlan>, DataFusionError> {
        check(&config.options())?;
        self.0.rewrite(plan, config)
    }
}
