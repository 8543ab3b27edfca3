//! Shared scans: one scan for several places of a plan, which therefore see the same rows.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, exec_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::request::Request;

/// A scan whose rows stay in memory while the query runs, with all columns that any place in the plan wants.
#[derive(Debug)]
pub(crate) struct SharedScan {
    request: Request,
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

impl SharedScan {
    /// A shared scan for a request that covers those of all places.
    pub(crate) fn new(request: Request) -> Self {
        SharedScan { request, buffer: Mutex::default() }
    }

    /// Drops the rows, when the query is over.
    pub(crate) fn release(&self) {
        if let Some(buffer) = self.buffer.lock().take() {
            buffer.rows.batches.lock().clear();
            buffer.rows.memory.free();
        }
    }

    /// The request that covers those of all places.
    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    /// The rows for the request of one place. The first call starts the scan, which charges its rows to the
    /// reservation.
    pub(crate) fn stream(
        &self,
        request: &Request,
        schema: SchemaRef,
        start: impl FnOnce(&Request) -> (SendableRecordBatchStream, MemoryReservation),
    ) -> SendableRecordBatchStream {
        let buffer = {
            let mut slot = self.buffer.lock();
            let start = || {
                let (rows, memory) = start(&self.request);
                Arc::new(Buffer::fill(rows, memory))
            };
            slot.get_or_insert_with(start).clone()
        };
        let (request, union) = (request.clone(), self.request.clone());
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
                    yield request.select(&union, &batch)?;
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
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }
}

impl Buffer {
    /// Starts a task that fills the buffer.
    fn fill(mut stream: SendableRecordBatchStream, memory: MemoryReservation) -> Self {
        let rows = Arc::new(BufferedRows {
            batches: Mutex::default(),
            memory,
            progress: watch::channel(Progress::default()).0,
        });
        let filled = rows.clone();
        let reader = SpawnedTask::spawn(async move {
            let mut error = None;
            while let Some(batch) = stream.next().await {
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
