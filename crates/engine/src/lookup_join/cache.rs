//! Each distinct key is looked up once per query.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use indago_table::{Constraints, Scalar};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::constraints;
use crate::exec::{Binding, ScanExec};
use crate::state::{QueryState, ScanRecord};

/// Rows found for keys, by what was asked: table, columns, other constraints.
#[derive(Debug, Default)]
pub(crate) struct KeyCaches(Mutex<HashMap<String, Arc<KeyCache>>>);

/// Rows found for the keys of one column.
#[derive(Debug)]
struct KeyCache {
    record: Arc<ScanRecord>,
    slots: Mutex<HashMap<String, Slot>>,
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
    fn get(&self, scan: &ScanExec, binding: &Binding, state: &QueryState) -> Arc<KeyCache> {
        let spec = scan.table.spec();
        let described = constraints::describe(spec, &scan.constraints);
        let identity = format!("{} {:?} {:?} {described}", spec.name, binding.columns, scan.columns);
        let mut caches = self.0.lock();
        let cache = caches.entry(identity).or_insert_with(|| {
            let names: Vec<&str> = binding.columns.iter().map(|column| spec.columns[*column].name.as_ref()).collect();
            let keyed = format!("{} = keys of join", names.join(", "));
            let shown = if described.is_empty() { keyed } else { format!("{described} AND {keyed}") };
            let record = state.record(&spec.name, shown, "lookup");
            Arc::new(KeyCache { record, slots: Mutex::default(), changed: Notify::new() })
        });
        cache.clone()
    }
}

/// The rows of a scan for the keys that a join brought.
pub(crate) fn read(
    scan: &ScanExec,
    binding: &Binding,
    keys: &[(usize, Arc<Vec<Scalar>>)],
    state: Arc<QueryState>,
) -> Result<SendableRecordBatchStream> {
    let cache = state.lookups.get(scan, binding, &state);
    let [(column, wanted)] = keys else {
        // Keys of several columns at once: what belongs to one key can't be told apart.
        return Ok(scan.reading(&state, cache.record.clone(), &scan.columns, constrain(scan, keys)));
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
                yield batch;
            }
            missing = claim.pending;
            if !claim.ours.is_empty() {
                let mut columns = scan.columns.clone();
                if !columns.contains(&column) {
                    columns.push(column);
                }
                let guard = Fetching { cache: cache.clone(), keys: claim.ours.clone() };
                let asked = constrain(&scan, &[(column, Arc::new(claim.ours.clone()))]);
                let mut reading = scan.reading(&state, cache.record.clone(), &columns, asked);
                let mut batches = Vec::new();
                while let Some(batch) = reading.next().await {
                    batches.push(batch?);
                }
                let key_at = columns.iter().position(|c| *c == column).expect("added above");
                let output: Vec<usize> = (0..scan.columns.len()).collect();
                let by_key = split(&batches, key_at, &output, &scan, column)?;
                guard.finish(by_key);
                for batch in &batches {
                    yield batch.project(&output)?;
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
    let mut constraints: Constraints = (*scan.constraints).clone();
    for (column, keys) in keys {
        let constraint = constraints.0.entry(*column).or_default();
        let both = match &constraint.keys {
            Some(known) => Arc::new(keys.iter().filter(|key| known.contains(key)).cloned().collect()),
            None => keys.clone(),
        };
        constraint.keys = Some(both);
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
            match slots.get(&identity(key)) {
                Some(Slot::Found(batches)) => claim.found.extend(batches.iter().cloned()),
                Some(Slot::Pending) => claim.pending.push(key.clone()),
                None => {
                    slots.insert(identity(key), Slot::Pending);
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
    fn finish(self, mut by_key: HashMap<String, Vec<RecordBatch>>) {
        let mut slots = self.cache.slots.lock();
        for key in &self.keys {
            let batches = by_key.remove(&identity(key)).unwrap_or_default();
            slots.insert(identity(key), Slot::Found(Arc::new(batches)));
        }
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        let mut slots = self.cache.slots.lock();
        for key in &self.keys {
            if let Some(Slot::Pending) = slots.get(&identity(key)) {
                slots.remove(&identity(key));
            }
        }
        drop(slots);
        self.cache.changed.notify_waiters();
    }
}

fn identity(key: &Scalar) -> String {
    key.to_string()
}

/// Rows by key.
fn split(
    batches: &[RecordBatch],
    key_at: usize,
    output: &[usize],
    scan: &ScanExec,
    column: usize,
) -> Result<HashMap<String, Vec<RecordBatch>>> {
    let kind = &scan.table.spec().columns[column].kind;
    let mut by_key: HashMap<String, Vec<RecordBatch>> = HashMap::new();
    for batch in batches {
        let mut rows: HashMap<String, Vec<u32>> = HashMap::new();
        for row in 0..batch.num_rows() {
            let value = ScalarValue::try_from_array(batch.column(key_at), row)?;
            if let Some(key) = constraints::scalar(&value, kind) {
                let row = u32::try_from(row).map_err(|error| DataFusionError::External(Box::new(error)))?;
                rows.entry(identity(&key)).or_default().push(row);
            }
        }
        let projected = batch.project(output)?;
        for (key, rows) in rows {
            let taken = arrow_select::take::take_record_batch(&projected, &UInt32Array::from(rows))?;
            by_key.entry(key).or_default().push(taken);
        }
    }
    Ok(by_key)
}
