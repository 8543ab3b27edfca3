//! Tables and functions that are computed from recorded tables.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::ArrayWriter;
use indago_table::scan::BoxFuture;
use indago_table::{
    Call, Error, Evaluate, Function, FunctionRef, FunctionSpec, PastRows, PastTableRows, Reading, Result, ScanContext,
    Sink, Table, TableRef,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::table::PastTable;
use super::{Recorded, coverage};

/// Batches that a scan is ahead of its reader.
const AHEAD: usize = 2;

/// The recorded tables, for a table or function that is computed from them.
#[derive(Debug)]
struct Past(Arc<Recorded>);

impl PastRows for Past {
    fn rows<'a>(
        &'a self,
        table: &'a str,
        columns: &'a [&'a str],
        context: &'a ScanContext,
    ) -> BoxFuture<'a, Result<PastTableRows>> {
        Box::pin(async move {
            let Some(spec) = self.0.spec(table).await? else {
                return Err(Error::Unsupported(format!("table `{table}` is not recorded in {}", self.0.location)));
            };
            let moment = context.as_of.unwrap_or(context.query.moment());
            let is_incomplete = !coverage::is_known(&self.0.intervals().await?, table, moment);
            let mut positions: Vec<usize> = columns.iter().filter_map(|name| spec.column(name)).collect();
            positions.sort_unstable();
            let context = ScanContext {
                meter: context.meter.clone(),
                gate: context.gate.clone(),
                query: context.query.clone(),
                batch_size: context.batch_size,
                as_of: Some(moment),
                ..ScanContext::new(positions)
            };
            let mut documents = Vec::new();
            let mut held = context.hold(0)?;
            for slice in PastTable::stored(self.0.clone(), &spec).slices(&context)? {
                let (mut batches, read) = start(slice.reading);
                while let Some(batch) = batches.recv().await {
                    held.add(batch.get_array_memory_size())?;
                    documents.extend(as_documents(&batch)?);
                }
                ended(read).await?;
            }
            Ok(PastTableRows { documents, is_incomplete })
        })
    }
}

fn as_documents(batch: &RecordBatch) -> Result<Vec<serde_json::Value>> {
    let failed = |error: &dyn std::fmt::Display| Error::Malformed(format!("recorded rows: {error}"));
    let mut writer = ArrayWriter::new(Vec::new());
    writer.write(batch).and_then(|()| writer.finish()).map_err(|error| failed(&error))?;
    let bytes = writer.into_inner();
    // Without rows, nothing is written.
    if bytes.is_empty() { Ok(Vec::new()) } else { serde_json::from_slice(&bytes).map_err(|error| failed(&error)) }
}

/// A sink for batches that are read in the same task.
struct Collect(mpsc::Sender<RecordBatch>);

impl Sink for Collect {
    fn blocking_send(&mut self, batch: RecordBatch) -> bool {
        self.0.blocking_send(batch).is_ok()
    }

    fn send(&mut self, batch: RecordBatch) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.0.send(batch).await.is_ok() })
    }
}

/// Reads a slice in a task of its own. The task stops when the receiver is dropped.
fn start(reading: Reading) -> (mpsc::Receiver<RecordBatch>, JoinHandle<Result<()>>) {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let read = tokio::spawn(async move {
        match reading {
            Reading::Async(read) => read(Box::new(Collect(sender))).await,
            // Tables that are computed do not read files.
            Reading::Blocking(_) | Reading::Finding(_) => {
                Err(Error::Unsupported("this table cannot be computed from recorded tables".to_owned()))
            }
        }
    });
    (receiver, read)
}

/// How the reading of a slice ended. A panic goes on.
async fn ended(read: JoinHandle<Result<()>>) -> Result<()> {
    match read.await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Error::Cancelled),
    }
}

/// Computes a table as of a past time, with the slices that it has now.
pub(super) async fn compute(
    recorded: &Arc<Recorded>,
    live: &TableRef,
    context: &ScanContext,
    sink: &mut dyn Sink,
) -> Result<()> {
    let context = ScanContext { past: Some(Arc::new(Past(recorded.clone()))), ..context.clone() };
    let (table, query) = (live.spec().name.to_string(), context.query.clone());
    let moment = context.as_of.unwrap_or(query.moment());
    for slice in live.slices(&context)? {
        query.begin_slice(&table, &slice, moment);
        let (mut receiver, read) = start(slice.reading);
        let (mut rows, mut is_wanted) = (0, true);
        while let Some(batch) = receiver.recv().await {
            rows += batch.num_rows() as u64;
            context.meter.add_rows(batch.num_rows() as u64);
            is_wanted = sink.send(batch).await;
            if !is_wanted {
                break;
            }
        }
        drop(receiver);
        let outcome = ended(read).await;
        query.end_slice(&table, &slice.label, rows, &outcome);
        match outcome {
            Err(error) if error.ends_query() => return Err(error),
            _ if !is_wanted => return Err(Error::Cancelled),
            _ => {}
        }
    }
    Ok(())
}

/// A function that also computes from what was recorded.
#[derive(Debug)]
pub(super) struct PastFunction {
    recorded: Arc<Recorded>,
    live: FunctionRef,
}

impl PastFunction {
    pub(super) fn new(recorded: Arc<Recorded>, live: FunctionRef) -> Self {
        PastFunction { recorded, live }
    }
}

impl Function for PastFunction {
    fn spec(&self) -> &FunctionSpec {
        self.live.spec()
    }

    fn has_past(&self) -> bool {
        true
    }

    fn read(&self, mut context: ScanContext, calls: Vec<Call>) -> BoxFuture<'static, Result<Arc<dyn Evaluate>>> {
        if context.as_of.is_some() {
            context.past = Some(Arc::new(Past(self.recorded.clone())));
        }
        self.live.read(context, calls)
    }
}
