//! Reads the rows of keys that a join passes, through the query's key cache.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use indago_table::{ColumnSpec, Constraints, Pattern, Scalar};

use crate::condition;
use crate::constraints;
use crate::key_cache::{BYTES_PER_KEY, Found, KeyCache, KeyValues, Piece, RowsByKey};
use crate::reader::TableReader;
use crate::request::{Binding, Request};
use crate::state::QueryState;

/// The rows of a scan for the keys that a join passes. A lookup reads everything that any scan of the plan wants for
/// the key, so each key is looked up once.
pub(crate) fn read(
    reader: &TableReader,
    request: &Request,
    shared: Option<&Arc<Request>>,
    binding: &Binding,
    wanted: &[KeyValues],
    state: Arc<QueryState>,
    context: &TaskContext,
) -> Result<SendableRecordBatchStream> {
    let union = match shared {
        Some(union) => union.clone(),
        None => Request::union([request], &binding.columns).map(Arc::new).expect("one scan is a union"),
    };
    let columns: Arc<[usize]> = binding.columns.as_slice().into();
    let cache = cache_of(reader, request, &union, binding, &state, context);
    let lookup = Lookup {
        cache: cache.clone(),
        reader: reader.clone(),
        constraints: request.constraints.clone(),
        union: union.clone(),
        state,
        columns: columns.clone(),
    };
    let schema = Arc::new(reader.table.spec().schema().project(&request.columns)?);
    let found = match binding.pattern {
        None => {
            let pieces = cache.claim(wanted, |keys| lookup.clone().keys(keys).boxed());
            let pieces: FuturesUnordered<_> = pieces.into_iter().map(Piece::rows).collect();
            pieces.boxed()
        }
        Some(ignore_case) => {
            let concurrency = reader.engine.limits.lookup_concurrency.max(1);
            let patterns = cache.clone();
            let pieces = stream::iter(wanted.to_vec()).map(move |pattern| {
                let lookup = lookup.clone();
                let pieces = patterns.claim(&[pattern], |keys| lookup.clone().pattern(keys, ignore_case).boxed());
                async move {
                    let pieces = pieces.into_iter().map(Piece::rows).collect::<FuturesUnordered<_>>();
                    pieces.try_concat().await
                }
            });
            let positions = columns.iter().map(|column| position(&union, *column)).collect();
            once_each(pieces.buffered(concurrency), positions, cache.memory.new_empty()).boxed()
        }
    };
    let rows = found
        .map_ok(|batches: Vec<RecordBatch>| stream::iter(batches.into_iter().map(Ok::<_, DataFusionError>)))
        .try_flatten();
    let request = request.clone();
    let rows = rows.map(move |batch| request.select(&union, &batch?));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

/// The cache that lookups with the same table, columns, constraints and conditions share.
fn cache_of(
    reader: &TableReader,
    request: &Request,
    union: &Request,
    binding: &Binding,
    state: &QueryState,
    context: &TaskContext,
) -> Arc<KeyCache> {
    let spec = reader.table.spec();
    let (columns, conditions) = (&union.columns, condition::describe(&union.conditions));
    let keys = (&binding.columns, binding.pattern);
    let table = Arc::as_ptr(&reader.table).addr();
    let identity = format!("{table} {:?} {keys:?} {columns:?} {:?} {conditions}", request.as_of, request.constraints);
    state.lookups.get(identity, || {
        let described = request.described(&reader.table);
        let names: Vec<&str> = binding.columns.iter().map(|column| spec.columns[*column].name.as_ref()).collect();
        let keyed = match binding.pattern {
            None => format!("{} = keys of join", names.join(", ")),
            Some(_) => format!("{} LIKE patterns of join", names.join(", ")),
        };
        let shown = if described.is_empty() { keyed } else { format!("{described} AND {keyed}") };
        let record = state.record(&spec.name, shown, conditions, "lookup");
        (record, MemoryConsumer::new(format!("keys of {}", spec.name)).register(context.memory_pool()))
    })
}

/// Drops rows that an earlier pattern also found: rows that are equal in the columns of the key.
fn once_each(
    found: impl Stream<Item = Result<Vec<RecordBatch>>> + Send,
    positions: Vec<usize>,
    memory: MemoryReservation,
) -> impl Stream<Item = Result<Vec<RecordBatch>>> + Send {
    let mut earlier: HashSet<Vec<ScalarValue>> = HashSet::new();
    found.map(move |batches| {
        let mut own = Vec::new();
        let mut new = Vec::new();
        for batch in batches? {
            let of_row = |row| positions.iter().map(move |at| (*at, row));
            let value = |(at, row): (usize, usize)| ScalarValue::try_from_array(batch.column(at), row);
            let values = (0..batch.num_rows()).map(|row| of_row(row).map(value).collect::<Result<Vec<_>>>());
            let values = values.collect::<Result<Vec<_>>>()?;
            let is_new: BooleanArray = values.iter().map(|value| Some(!earlier.contains(value))).collect();
            new.push(filter_record_batch(&batch, &is_new)?);
            own.extend(values.into_iter().filter(|value| !earlier.contains(value)));
        }
        memory.try_grow(own.iter().flatten().map(ScalarValue::size).sum())?;
        earlier.extend(own);
        Ok(new)
    })
}

fn position(union: &Request, column: usize) -> usize {
    union.columns.binary_search(&column).expect("the key is one of the columns")
}

/// Reads rows by keys.
#[derive(Clone)]
struct Lookup {
    cache: Arc<KeyCache>,
    reader: TableReader,
    constraints: Arc<Constraints>,
    union: Arc<Request>,
    state: Arc<QueryState>,
    columns: Arc<[usize]>,
}

impl Lookup {
    /// Reads the rows of several keys at once. Keys that differ only in their first column need one read of the table.
    async fn keys(self, keys: Vec<KeyValues>) -> Result<Found> {
        let memory = self.cache.memory.new_empty();
        let first = position(&self.union, self.columns[0]);
        let spec = &self.reader.table.spec().columns[self.columns[0]];
        let (mut batches, mut rows) = (Vec::new(), RowsByKey::new());
        for (others, firsts) in by_others(&keys) {
            let mut constraints: Constraints = (*self.constraints).clone();
            constraints::add_keys(&mut constraints, self.columns[0], firsts);
            self.constrain_others(&mut constraints, others);
            let from = batches.len();
            batches.extend(self.read(constraints, &memory).await?);
            for (position, batch) in batches.iter().enumerate().skip(from) {
                add_rows(&mut rows, (position, batch), (first, spec), others)?;
            }
        }
        let places: usize = rows.values().map(|places| places.capacity() * size_of::<(usize, usize)>()).sum();
        let key = BYTES_PER_KEY + 2 * self.columns.len() * size_of::<Scalar>();
        memory.try_grow(keys.len() * key + places)?;
        Ok(Found::new(keys.len(), batches, rows, memory))
    }

    /// Reads the rows that match patterns.
    async fn pattern(self, patterns: Vec<KeyValues>, ignore_case: bool) -> Result<Found> {
        let memory = self.cache.memory.new_empty();
        let mut batches = Vec::new();
        for pattern in &patterns {
            let mut constraints: Constraints = (*self.constraints).clone();
            if let Some((Scalar::Text(like), others)) = pattern.split_first() {
                let like = Pattern { like: like.clone(), ignore_case };
                constraints.0.entry(self.columns[0]).or_default().patterns.push(like);
                self.constrain_others(&mut constraints, others);
            }
            batches.extend(self.read(constraints, &memory).await?);
        }
        Ok(Found::new(patterns.len(), batches, RowsByKey::new(), memory))
    }

    async fn read(&self, constraints: Constraints, memory: &MemoryReservation) -> Result<Vec<RecordBatch>> {
        let request = Request { constraints: Arc::new(constraints), ..(*self.union).clone() };
        let mut rows = self.reader.read(&self.state, self.cache.record.clone(), &request);
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            memory.try_grow(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        Ok(batches)
    }

    /// Adds one key for each column after the first.
    fn constrain_others(&self, constraints: &mut Constraints, others: &[Scalar]) {
        for (column, key) in self.columns[1..].iter().zip(others) {
            constraints::add_keys(constraints, *column, [key.clone()]);
        }
    }
}

/// The first values of keys, grouped by the values after them, in the order of the keys.
fn by_others(keys: &[KeyValues]) -> Vec<(&[Scalar], Vec<Scalar>)> {
    let mut positions: HashMap<&[Scalar], usize> = HashMap::new();
    let mut groups: Vec<(&[Scalar], Vec<Scalar>)> = Vec::new();
    for (first, others) in keys.iter().filter_map(|key| key.split_first()) {
        let position = *positions.entry(others).or_insert_with(|| {
            groups.push((others, Vec::new()));
            groups.len() - 1
        });
        groups[position].1.push(first.clone());
    }
    groups
}

/// Records where the rows of each key are, for a batch read for keys that have these values after their first.
fn add_rows(
    rows: &mut RowsByKey,
    (position, batch): (usize, &RecordBatch),
    (first, column): (usize, &ColumnSpec),
    others: &[Scalar],
) -> Result<()> {
    for row in 0..batch.num_rows() {
        let value = ScalarValue::try_from_array(batch.column(first), row)?;
        if let Some(key) = constraints::scalar(&value, &column.kind) {
            let key = [column.as_key(key)].into_iter().chain(others.iter().cloned()).collect();
            rows.entry(key).or_default().push((position, row));
        }
    }
    Ok(())
}
