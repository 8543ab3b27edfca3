//! Shared scans: one scan for several places of a plan, which therefore see the same rows.

use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::exec::{Asked, ScanExec};
use crate::state::QueryState;

/// A scan whose rows stay in memory while the query runs, with all columns that any place in the plan wants.
#[derive(Debug)]
pub(crate) struct SharedReading {
    asked: Asked,
    buffer: Mutex<Option<Arc<Buffer>>>,
}

#[derive(Debug)]
struct Buffer {
    rows: Arc<BufferedRows>,
    _reader: SpawnedTask<()>,
}

#[derive(Debug)]
struct BufferedRows {
    batches: Mutex<Vec<RecordBatch>>,
    memory: MemoryReservation,
    progress: watch::Sender<Progress>,
}

#[derive(Debug, Clone, Default)]
struct Progress {
    batches: usize,
    done: bool,
    error: Option<Arc<DataFusionError>>,
}

impl SharedReading {
    /// A shared scan for a request that covers those of all places.
    pub(crate) fn new(asked: Asked) -> Self {
        SharedReading { asked, buffer: Mutex::default() }
    }

    /// Drops the rows, when the query is over.
    pub(crate) fn release(&self) {
        if let Some(buffer) = self.buffer.lock().take() {
            buffer.rows.batches.lock().clear();
            buffer.rows.memory.free();
        }
    }

    /// The request that covers those of all places.
    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The rows for one of the places. The first call starts the scan.
    pub(crate) fn stream(
        &self,
        scan: &ScanExec,
        state: &QueryState,
        context: &TaskContext,
    ) -> Result<SendableRecordBatchStream> {
        let buffer = {
            let mut slot = self.buffer.lock();
            slot.get_or_insert_with(|| Arc::new(self.start(scan, state, context))).clone()
        };
        let (asked, union) = (scan.asked.clone(), self.asked.clone());
        let mut progress = buffer.rows.progress.subscribe();
        let batches = async_stream::try_stream! {
            let mut next = 0;
            loop {
                let seen = progress.borrow_and_update().clone();
                while next < seen.batches {
                    let kept = buffer.rows.batches.lock().get(next).cloned();
                    // Missing batches were released because the query has ended. The plan stops here.
                    let batch = kept.ok_or_else(|| exec_datafusion_err!("the query was cancelled"))?;
                    next += 1;
                    yield asked.select(&union, &batch)?;
                }
                if let Some(error) = seen.error {
                    Err(DataFusionError::Shared(error))?;
                }
                if seen.done {
                    break;
                }
                // The sender lives in the buffer, so a change always comes.
                let _ = progress.changed().await;
            }
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(scan.schema(), batches)))
    }

    fn start(&self, scan: &ScanExec, state: &QueryState, context: &TaskContext) -> Buffer {
        let record = scan.record(state, &self.asked, "shared");
        let mut reading = scan.reading(state, record, &self.asked);
        let memory = MemoryConsumer::new(format!("rows of {}", scan.table.spec().name)).register(context.memory_pool());
        let rows = Arc::new(BufferedRows {
            batches: Mutex::default(),
            memory,
            progress: watch::channel(Progress::default()).0,
        });
        let filled = rows.clone();
        let reader = SpawnedTask::spawn(async move {
            let mut error = None;
            while let Some(batch) = reading.next().await {
                let kept = batch.and_then(|batch| {
                    filled.memory.try_grow(batch.get_array_memory_size())?;
                    Ok(batch)
                });
                match kept {
                    Ok(batch) => {
                        filled.batches.lock().push(batch);
                        filled.progress.send_modify(|progress| progress.batches += 1);
                    }
                    Err(failed) => {
                        error = Some(Arc::new(failed));
                        break;
                    }
                }
            }
            filled.progress.send_modify(|progress| {
                progress.done = true;
                progress.error = error;
            });
        });
        Buffer { rows, _reader: reader }
    }
}
