//! Each distinct key is looked up once per query.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use indago_table::{ColumnSpec, Constraints, Scalar};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::condition;
use crate::constraints;
use crate::exec::{Asked, Binding, ScanExec};
use crate::state::{QueryState, ScanRecord};

/// Rows found for keys, by what was asked: the table, the columns that have keys, the other constraints.
#[derive(Debug, Default)]
pub(crate) struct KeyCaches(Mutex<HashMap<String, Arc<KeyCache>>>);

/// Rows found for the keys of one column.
#[derive(Debug)]
struct KeyCache {
    record: Arc<ScanRecord>,
    slots: Mutex<HashMap<Scalar, Slot>>,
    memory: MemoryReservation,
    changed: Notify,
}

#[derive(Debug, Clone)]
enum Slot {
    /// Another lookup is fetching it.
    Pending,
    /// Its rows; none if the key is absent.
    Found(Arc<Vec<RecordBatch>>),
}

impl KeyCaches {
    fn get(
        &self,
        scan: &ScanExec,
        together: &Asked,
        binding: &Binding,
        state: &QueryState,
        context: &TaskContext,
    ) -> Arc<KeyCache> {
        let spec = scan.table.spec();
        let identity = format!("{} {:?} {:?}", spec.name, binding.columns, scan.asked.constraints);
        let mut caches = self.0.lock();
        let cache = caches.entry(identity).or_insert_with(|| {
            let described = constraints::describe(spec, &scan.asked.constraints);
            let names: Vec<&str> = binding.columns.iter().map(|column| spec.columns[*column].name.as_ref()).collect();
            let keyed = format!("{} = keys of join", names.join(", "));
            let shown = if described.is_empty() { keyed } else { format!("{described} AND {keyed}") };
            let record = state.record(&spec.name, shown, condition::describe(&together.conditions), "lookup");
            let memory = MemoryConsumer::new(format!("keys of {}", spec.name)).register(context.memory_pool());
            Arc::new(KeyCache { record, slots: Mutex::default(), memory, changed: Notify::new() })
        });
        cache.clone()
    }
}

/// The rows of a scan for the keys that a join brought. What is read of a key is what all scans of the plan together want
/// of it, so that each key is looked up once.
pub(crate) fn read(
    scan: &ScanExec,
    binding: &Binding,
    keys: &[(usize, Arc<Vec<Scalar>>)],
    state: Arc<QueryState>,
    context: &TaskContext,
) -> Result<SendableRecordBatchStream> {
    let together = match &scan.lookup {
        Some(together) => together.clone(),
        None => Asked::union([&scan.asked], &binding.columns).map(Arc::new).expect("one scan is a union"),
    };
    let cache = state.lookups.get(scan, &together, binding, &state, context);
    let [(column, wanted)] = keys else {
        // Keys of several columns at once: what belongs to one key can't be told apart.
        let asked = Asked { constraints: constrain(scan, keys), ..scan.asked.clone() };
        return Ok(scan.reading(&state, cache.record.clone(), &asked));
    };
    let (column, wanted, scan) = (*column, wanted.clone(), scan.clone());
    let schema = scan.schema();
    let rows = async_stream::try_stream! {
        let mut missing: Vec<Scalar> = wanted.to_vec();
        while !missing.is_empty() {
            let changed = cache.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let claim = cache.claim(&missing);
            for batch in claim.found {
                yield scan.asked.select(&together, &batch)?;
            }
            missing = claim.pending;
            if !claim.ours.is_empty() {
                let guard = Fetching { cache: cache.clone(), keys: claim.ours.clone() };
                let constraints = constrain(&scan, &[(column, Arc::new(claim.ours.clone()))]);
                let asked = Asked { constraints, ..(*together).clone() };
                let mut reading = scan.reading(&state, cache.record.clone(), &asked);
                let mut batches = Vec::new();
                while let Some(batch) = reading.next().await {
                    batches.push(batch?);
                }
                cache.memory.try_grow(batches.iter().map(RecordBatch::get_array_memory_size).sum())?;
                let key_at = together.columns.binary_search(&column).expect("the key is one of the columns");
                guard.finish(split(&batches, key_at, &scan.table.spec().columns[column])?);
                for batch in &batches {
                    yield scan.asked.select(&together, batch)?;
                }
            } else if !missing.is_empty() {
                changed.await;
            }
        }
    };
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

/// The scan's own constraints and the keys that a join brought.
fn constrain(scan: &ScanExec, keys: &[(usize, Arc<Vec<Scalar>>)]) -> Arc<Constraints> {
    let mut constraints: Constraints = (*scan.asked.constraints).clone();
    for (column, keys) in keys {
        let constraint = constraints.0.entry(*column).or_default();
        constraint.keys = Some(match &constraint.keys {
            Some(known) => Arc::new(constraints::common(keys, known)),
            None => keys.clone(),
        });
    }
    Arc::new(constraints)
}

struct Claim {
    found: Vec<RecordBatch>,
    ours: Vec<Scalar>,
    pending: Vec<Scalar>,
}

impl KeyCache {
    /// Takes what is there, and reserves for the caller what nobody fetches yet.
    fn claim(&self, keys: &[Scalar]) -> Claim {
        let mut slots = self.slots.lock();
        let mut claim = Claim { found: Vec::new(), ours: Vec::new(), pending: Vec::new() };
        for key in keys {
            match slots.get(key) {
                Some(Slot::Found(batches)) => claim.found.extend(batches.iter().cloned()),
                Some(Slot::Pending) => claim.pending.push(key.clone()),
                None => {
                    slots.insert(key.clone(), Slot::Pending);
                    claim.ours.push(key.clone());
                }
            }
        }
        claim
    }
}

/// A fetch under way; if it is dropped unfinished, others may try.
struct Fetching {
    cache: Arc<KeyCache>,
    keys: Vec<Scalar>,
}

impl Fetching {
    fn finish(self, mut by_key: HashMap<Scalar, Vec<RecordBatch>>) {
        let mut slots = self.cache.slots.lock();
        for key in &self.keys {
            let batches = by_key.remove(key).unwrap_or_default();
            slots.insert(key.clone(), Slot::Found(Arc::new(batches)));
        }
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        let mut slots = self.cache.slots.lock();
        for key in &self.keys {
            if let Some(Slot::Pending) = slots.get(key) {
                slots.remove(key);
            }
        }
        drop(slots);
        self.cache.changed.notify_waiters();
    }
}

/// Rows by key.
fn split(batches: &[RecordBatch], key_at: usize, column: &ColumnSpec) -> Result<HashMap<Scalar, Vec<RecordBatch>>> {
    let mut by_key: HashMap<Scalar, Vec<RecordBatch>> = HashMap::new();
    for batch in batches {
        let mut rows: HashMap<Scalar, Vec<u32>> = HashMap::new();
        for row in 0..batch.num_rows() {
            let value = ScalarValue::try_from_array(batch.column(key_at), row)?;
            if let Some(key) = constraints::scalar(&value, &column.kind) {
                let row = u32::try_from(row).map_err(|error| DataFusionError::External(Box::new(error)))?;
                rows.entry(column.as_key(key)).or_default().push(row);
            }
        }
        for (key, rows) in rows {
            let taken = arrow_select::take::take_record_batch(batch, &UInt32Array::from(rows))?;
            by_key.entry(key).or_default().push(taken);
        }
    }
    Ok(by_key)
}
