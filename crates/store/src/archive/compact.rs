//! Compaction, retention, and clean-up.
//!
//! Readings are merged into a file of open versions and files of closed versions, which are sealed. Sealed files have
//! the versions that ended in one window of time. Windows grow with their age, so their files are merged again, few
//! times.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, TimestampMicrosecondArray, new_null_array};
use arrow_cast::cast;
use arrow_row::{OwnedRow, RowConverter, Rows};
use arrow_select::filter::filter_record_batch;
use arrow_select::interleave::interleave_record_batch;
use indago_table::{Meter, Timestamp};
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use tokio::runtime::Handle;

use super::columns::{ROW_ID, VALID_FROM, VALID_TO};
use super::file::{DataFile, Encoder, Layout, Role};
use super::log::{Action, Add, Log, Remove, State, milliseconds};
use super::read::{self, Ends, Wanted, rows_of};
use super::write::blocking;
use super::{End, Read, Span, Writer};
use crate::input::Input;
use crate::{Error, Result};

/// Readings that are merged.
const READINGS: usize = 8;
/// The most files that are merged at once.
const AT_ONCE: usize = 64;
/// The most files that are merged at once if their total size is at most [`SMALL`].
const SMALL_AT_ONCE: usize = 1024;
/// The largest total size of such files, in bytes.
const SMALL: u64 = 8 << 20;
/// Approximate bytes of a file.
const TARGET: usize = 32 << 20;
/// Files that are written at the same time.
const OUTPUTS: usize = 8;
/// A log entry is kept for at least this time, which is longer than a state is used without a check of the checkpoints.
const LOG_GRACE: Duration = Duration::from_secs(3600);
/// Rows of a batch.
const BATCH: usize = 1024;
const DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// The windows of sealed files: how long ago its versions ended at most, and its length.
const WINDOWS: [(i64, i64); 3] = [(2 * DAY, DAY), (28 * DAY, 7 * DAY), (i64::MAX, 28 * DAY)];

/// What compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were read and replaced.
    pub before: usize,
    /// Files that replaced them.
    pub after: usize,
    /// Ends that were folded into their versions.
    pub folded: u64,
    /// Whether files are left to merge because the time had passed.
    pub is_left: bool,
}

/// What to keep of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Versions that ended longer ago are removed, when all of the file that they are in ended longer ago.
    pub age: Option<Duration>,
    /// The oldest versions are removed if the writer's files of the table are larger, in bytes. Open versions stay.
    pub bytes: Option<u64>,
    /// How long a file that is no longer used stays for readers that have started.
    pub grace: Duration,
}

/// What retention removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retained {
    /// Files that new readers no longer see.
    pub removed: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Unused files and log entries that were deleted.
    pub deleted: usize,
}

impl Writer {
    /// Merges small files and folds ends into their versions. Writes a checkpoint of the log if one is due.
    ///
    /// A damaged file stays as it is.
    pub async fn compact(&mut self, now: Timestamp) -> Result<Compacted> {
        self.compact_within(now, Duration::MAX).await
    }

    /// The same, in steps of one merge until a time has passed. Each step is a commit of its own, so the next call
    /// continues.
    pub async fn compact_within(&mut self, now: Timestamp, most: Duration) -> Result<Compacted> {
        let began = Instant::now();
        let mut all = Compacted::default();
        let mut damaged = HashSet::new();
        while let Some(state) = self.log.state().await? {
            if began.elapsed() >= most {
                all.is_left = true;
                break;
            }
            let is_own = |file: &&Arc<DataFile>| file.writer == self.name && !damaged.contains(&file.add.path);
            let own = state.contents.files.values().filter(is_own).cloned();
            let Some(inputs) = inputs(own.collect(), now) else { break };
            match self.merge(state, &inputs, &damaged, now).await? {
                Merged::Damaged(path) => drop(damaged.insert(path)),
                Merged::Replaced(one) => {
                    all.before += one.before;
                    all.after += one.after;
                    all.folded += one.folded;
                }
                Merged::Nothing => break,
            }
        }
        self.log.write_checkpoint().await?;
        Ok(all)
    }

    async fn merge(
        &mut self,
        state: Arc<State>,
        inputs: &[Arc<DataFile>],
        damaged: &HashSet<String>,
        now: Timestamp,
    ) -> Result<Merged> {
        let has_ends =
            |file: &&Arc<DataFile>| file.writer == self.name && file.ends > 0 && !damaged.contains(&file.add.path);
        let own: Vec<Arc<DataFile>> = state.contents.files.values().filter(has_ends).cloned().collect();
        let read = Read::new(Span::Between { from: None, to: None }, Vec::new());
        let scan = Arc::new(read::Scan::new(self.log.clone(), state.clone(), read, Wanted::Open));
        if let Some(path) = scan.load_ends(&own).await? {
            return Ok(Merged::Damaged(path));
        }
        let ends = scan.ends(&own).remove(&self.name).unwrap_or_default();
        // Ends in the inputs of versions that are in other files.
        let of_inputs: HashSet<&str> = inputs.iter().map(|input| input.add.path.as_str()).collect();
        let is_input = |file: &DataFile| of_inputs.contains(file.add.path.as_str());
        let mut carried: HashMap<(i64, i64), End> = HashMap::new();
        for file in inputs.iter().filter(|file| file.ends > 0) {
            let ends = file.read_ends.get().into_iter().flat_map(|ends| ends.iter());
            carried.extend(ends.map(|end| ((end.row_id, end.valid_from.0), *end)));
        }
        let may_be_open = |file: &&Arc<DataFile>| file.writer == self.name && file.role != Role::Sealed;
        let is_complete = state.contents.files.values().filter(may_be_open).all(|file| is_input(file));
        // A state that is used elsewhere is copied when the log changes it.
        drop((own, scan, state));
        let merge = Merge {
            log: self.log.clone(),
            layout: self.layout.clone(),
            inputs: inputs.to_vec(),
            ends,
            carried,
            is_complete,
            now,
            runtime: Handle::current(),
            outputs: BTreeMap::new(),
            adds: Vec::new(),
            folded: 0,
        };
        let (adds, folded) = match blocking(move || merge.run()).await? {
            Ok(done) => done,
            Err(Failure::Damaged(path)) => return Ok(Merged::Damaged(path)),
            Err(Failure::Failed(error)) => return Err(error),
        };
        let at = milliseconds(SystemTime::now());
        let remove = |file: &Arc<DataFile>| {
            let remove = Remove { path: file.add.path.clone(), deletion_timestamp: Some(at), data_change: false };
            Action { remove: Some(remove), ..Action::default() }
        };
        let mut actions: Vec<Action> = inputs.iter().map(remove).collect();
        actions.extend(adds.iter().map(|add| Action { add: Some(add.clone()), ..Action::default() }));
        let mut is_current = false;
        let commit = self.commit("OPTIMIZE", None, |state| {
            // Another program may have removed an input.
            is_current = inputs.iter().all(|file| state.contents.files.contains_key(&file.add.path));
            Ok(if is_current { actions.clone() } else { Vec::new() })
        });
        commit.await?;
        Ok(match is_current {
            true => Merged::Replaced(Compacted { before: inputs.len(), after: adds.len(), folded, is_left: false }),
            false => Merged::Nothing,
        })
    }

    /// Removes versions beyond the retention from the table, then deletes unused files and old log entries.
    pub async fn retain(&mut self, keep: &Retention, now: Timestamp) -> Result<Retained> {
        let at = milliseconds(SystemTime::now());
        let name = self.name.clone();
        let (mut removed, mut bytes) = (0, 0);
        let commit = self.commit("DELETE", None, |state| {
            let own = state.contents.files.values().filter(|file| file.writer == name);
            let mut left: u64 = own.clone().map(|file| file.add.size).sum();
            let mut sealed: Vec<&Arc<DataFile>> = own.filter(|file| file.role == Role::Sealed).collect();
            sealed.sort_by_key(|file| file.to.map(|(_, greatest)| greatest));
            let micros = |age: Duration| i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
            let oldest = keep.age.map(|age| now.0.saturating_sub(micros(age)));
            let mut actions = Vec::new();
            (removed, bytes) = (0, 0);
            for file in sealed {
                let is_old = oldest.is_some_and(|oldest| file.to.is_some_and(|(_, greatest)| greatest < oldest));
                if is_old || keep.bytes.is_some_and(|most| left > most) {
                    left -= file.add.size;
                    removed += 1;
                    bytes += file.add.size;
                    let remove =
                        Remove { path: file.add.path.clone(), deletion_timestamp: Some(at), data_change: true };
                    actions.push(Action { remove: Some(remove), ..Action::default() });
                }
            }
            Ok(actions)
        });
        commit.await?;
        self.log.write_checkpoint().await?;
        let older_than = SystemTime::now().checked_sub(keep.grace).unwrap_or(SystemTime::UNIX_EPOCH);
        let entries_before = SystemTime::now().checked_sub(keep.grace.max(LOG_GRACE)).unwrap_or(SystemTime::UNIX_EPOCH);
        let deleted = clean(&self.log, None, older_than).await? + self.log.clean(entries_before).await?;
        self.log.place.remove_staged();
        Ok(Retained { removed, bytes, deleted })
    }
}

/// Deletes files that are not part of the table, if they were removed from it, or written without ever being part of it,
/// before a time. With `only`, deletes in that writer's partition only; there, files that were never part of the table
/// are deleted whatever their age, because no other writer can add them.
pub(super) async fn clean(log: &Log, only: Option<&Path>, older_than: SystemTime) -> Result<usize> {
    let objects = log.place.list(only.unwrap_or(&log.root)).await?;
    // The state is newer than the list: a file of the list that is not in it is not about to be added.
    let Some(state) = log.state().await? else { return Ok(0) };
    let used: HashSet<Path> = state.contents.files.keys().map(|path| log.path(path)).collect();
    let removed: HashMap<Path, i64> = state.contents.removed.iter().map(|(path, at)| (log.path(path), *at)).collect();
    let mut deleted = 0;
    for object in objects {
        let is_data = object.location.filename().is_some_and(|name| name.ends_with(".parquet"))
            && !object.location.parts().any(|part| part.as_ref() == "_delta_log");
        if !is_data || used.contains(&object.location) {
            continue;
        }
        let is_over = match removed.get(&object.location) {
            Some(at) => *at < milliseconds(older_than),
            None => only.is_some() || SystemTime::from(object.last_modified) < older_than,
        };
        if is_over {
            log.place.delete(&object.location).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// The files of a writer to merge next.
fn inputs(own: Vec<Arc<DataFile>>, now: Timestamp) -> Option<Vec<Arc<DataFile>>> {
    let of = |role: Role| own.iter().filter(move |file| file.role == role);
    let mut readings: Vec<Arc<DataFile>> = of(Role::Reading).cloned().collect();
    if readings.len() >= READINGS {
        readings.sort_by_key(|file| file.from);
        readings.truncate(many(&readings));
        let mut open: Vec<&Arc<DataFile>> = of(Role::Open).collect();
        open.sort_by_key(|file| file.add.size);
        let ends: u64 = own.iter().map(|file| file.ends).sum();
        let versions: u64 = open.iter().map(|file| file.open).sum();
        // Each version is rewritten few times: a file waits until what it is merged with is not much smaller.
        let mut size: u64 = readings.iter().map(|file| file.add.size).sum();
        for file in open {
            if ends * 10 > versions || file.add.size <= size * 4 {
                size += file.add.size;
                readings.push(file.clone());
            }
        }
        return Some(readings);
    }
    let mut windows: BTreeMap<(i64, i64), Vec<Arc<DataFile>>> = BTreeMap::new();
    for file in of(Role::Sealed).filter(|file| file.add.size < TARGET as u64 / 2) {
        let Some((_, greatest)) = file.to else { continue };
        windows.entry(window(greatest, now)).or_default().push(file.clone());
    }
    windows.into_iter().find_map(|((length, number), mut files)| {
        let is_over = (number + 1).saturating_mul(length) <= now.0;
        files.truncate(AT_ONCE / 4);
        (files.len() >= if is_over { 2 } else { READINGS }).then_some(files)
    })
}

/// How many of these files are merged at once: each needs memory for a batch of its rows.
fn many(files: &[Arc<DataFile>]) -> usize {
    let mut bytes = 0_u64;
    let is_small = |file: &&Arc<DataFile>| {
        bytes = bytes.saturating_add(file.add.size);
        bytes <= SMALL
    };
    let small = files.iter().take(SMALL_AT_ONCE).take_while(is_small).count();
    small.max(AT_ONCE).min(files.len())
}

/// The window that the end of a version is in: its length and number.
fn window(valid_to: i64, now: Timestamp) -> (i64, i64) {
    let ago = now.0.saturating_sub(valid_to);
    let length = WINDOWS.iter().find(|(most, _)| ago < *most).map_or(DAY, |(_, length)| *length);
    (length, valid_to.div_euclid(length))
}

enum Merged {
    Replaced(Compacted),
    Damaged(String),
    Nothing,
}

enum Failure {
    /// The path of an input that cannot be read.
    Damaged(String),
    Failed(Error),
}

/// A merge of sorted files into sorted files.
struct Merge {
    log: Arc<Log>,
    layout: Arc<Layout>,
    inputs: Vec<Arc<DataFile>>,
    ends: Ends,
    carried: HashMap<(i64, i64), End>,
    /// Whether all of the versions that may be open are in the inputs.
    is_complete: bool,
    now: Timestamp,
    runtime: Handle,
    /// Files that are being written: that of open versions, and those of windows.
    outputs: BTreeMap<Option<(i64, i64)>, Encoder>,
    adds: Vec<Add>,
    folded: u64,
}

impl Merge {
    fn failed(&self, error: impl ToString) -> Failure {
        let path = self.log.place.shown(&self.log.root);
        Failure::Failed(Error::Archive { path, why: format!("cannot compact: {}", error.to_string()) })
    }

    /// Returns the files that were written, and the number of folded ends.
    fn run(mut self) -> Result<(Vec<Add>, u64), Failure> {
        let converter = self.layout.sorter().map_err(|error| self.failed(error))?;
        let mut sources = Vec::with_capacity(self.inputs.len());
        // The batches that the next rows are in, and the position of each source's own.
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut heap: BinaryHeap<Reverse<(OwnedRow, usize)>> = BinaryHeap::new();
        let (log, layout, inputs) = (self.log.clone(), self.layout.clone(), self.inputs.clone());
        let runtime = self.runtime.clone();
        for file in inputs.iter().filter(|file| file.versions() > 0) {
            let mut source = Source::open(&log, &layout, file, &runtime, &converter)?;
            if source.advance(&mut batches)? {
                heap.push(Reverse((source.row(), sources.len())));
                sources.push(source);
            }
        }
        let mut rows: Vec<(usize, usize)> = Vec::with_capacity(BATCH);
        while let Some(Reverse((_, number))) = heap.pop() {
            let source = &mut sources[number];
            rows.push((source.batch, source.position));
            source.position += 1;
            let is_left =
                source.position < source.rows.as_ref().map_or(0, Rows::num_rows) || source.advance(&mut batches)?;
            if is_left {
                heap.push(Reverse((source.row(), number)));
            }
            if rows.len() == BATCH {
                self.write(&batches, &rows)?;
                rows.clear();
                // Batches without further rows are dropped.
                let kept: Vec<usize> = heap.iter().map(|Reverse((_, number))| *number).collect();
                let mut left = Vec::with_capacity(kept.len());
                for number in kept {
                    left.push(batches[sources[number].batch].clone());
                    sources[number].batch = left.len() - 1;
                }
                batches = left;
            }
        }
        if !rows.is_empty() {
            self.write(&batches, &rows)?;
        }
        let mut carried: Vec<End> = self.carried.drain().map(|(_, end)| end).collect();
        if self.is_complete {
            // Ends of versions that do not exist.
            carried.clear();
        }
        if !carried.is_empty() && !self.outputs.contains_key(&None) {
            let encoder = Encoder::new(self.layout.clone()).map_err(|error| self.failed(error))?;
            self.outputs.insert(None, encoder);
        }
        while let Some((window, encoder)) = self.outputs.pop_first() {
            let ends: &[End] = if window.is_none() { &carried } else { &[] };
            self.finish(window, encoder, ends)?;
        }
        Ok((self.adds, self.folded))
    }

    /// Writes some rows to the files that they belong to.
    fn write(&mut self, batches: &[RecordBatch], rows: &[(usize, usize)]) -> Result<(), Failure> {
        let all: Vec<&RecordBatch> = batches.iter().collect();
        let batch = interleave_record_batch(&all, rows).map_err(|error| self.failed(error))?;
        let missing = || "a column of versions is missing";
        let column = |name| batch.column_by_name(name).ok_or_else(missing);
        let times = |name| column(name).map(|array| array.as_primitive::<TimestampMicrosecondType>());
        let (from, to) = (times(VALID_FROM), times(VALID_TO));
        let ids = column(ROW_ID).map(|array| array.as_primitive::<Int64Type>());
        let (from, to, ids) = match (from, to, ids) {
            (Ok(from), Ok(to), Ok(ids)) => (from, to, ids),
            _ => return Err(self.failed(missing())),
        };
        let mut valid_to: Vec<Option<i64>> = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let key = (ids.value(row), from.value(row));
            self.carried.remove(&key);
            valid_to.push(match to.is_valid(row) {
                true => Some(to.value(row)),
                false => self.ends.get(&key).copied().inspect(|_| self.folded += 1),
            });
        }
        let windows: Vec<Option<(i64, i64)>> =
            valid_to.iter().map(|valid_to| valid_to.map(|valid_to| window(valid_to, self.now))).collect();
        let position = batch.schema().index_of(VALID_TO).map_err(|error| self.failed(error))?;
        let mut arrays = batch.columns().to_vec();
        arrays[position] = Arc::new(TimestampMicrosecondArray::from(valid_to).with_timezone("UTC"));
        let batch = RecordBatch::try_new(batch.schema(), arrays).map_err(|error| self.failed(error))?;
        let mut distinct = windows.clone();
        distinct.sort_unstable();
        distinct.dedup();
        for window in distinct {
            let mask = BooleanArray::from_iter(windows.iter().map(|own| Some(*own == window)));
            let own = filter_record_batch(&batch, &mask).map_err(|error| self.failed(error))?;
            if !self.outputs.contains_key(&window) {
                if self.outputs.len() >= OUTPUTS
                    && let Some(largest) = self.outputs.iter().max_by_key(|(_, output)| output.rows).map(|(at, _)| *at)
                    && let Some(encoder) = self.outputs.remove(&largest)
                {
                    self.finish(largest, encoder, &[])?;
                }
                let encoder = Encoder::new(self.layout.clone()).map_err(|error| self.failed(error))?;
                self.outputs.insert(window, encoder);
            }
            let Some(encoder) = self.outputs.get_mut(&window) else { continue };
            let written = encoder.write(&own);
            let is_full = encoder.size() >= TARGET;
            written.map_err(|error| self.failed(error))?;
            if is_full && let Some(encoder) = self.outputs.remove(&window) {
                self.finish(window, encoder, &[])?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, window: Option<(i64, i64)>, encoder: Encoder, ends: &[End]) -> Result<(), Failure> {
        let role = if window.is_none() { Role::Open } else { Role::Sealed };
        let encoded = encoder.finish(ends, role, false).map_err(|error| self.failed(error))?;
        let path = self.log.path(&encoded.add.path);
        self.runtime.block_on(self.log.place.put(&path, encoded.bytes)).map_err(Failure::Failed)?;
        self.adds.push(encoded.add);
        Ok(())
    }
}

/// The versions of a file, in their order.
struct Source<'a> {
    log: &'a Log,
    layout: &'a Layout,
    file: &'a DataFile,
    converter: &'a RowConverter,
    runtime: &'a Handle,
    input: Input,
    metadata: ArrowReaderMetadata,
    groups: VecDeque<usize>,
    reader: Option<ParquetRecordBatchReader>,
    /// Rows of the row group that were not read.
    left: usize,
    /// The order of the rows of the batch, the batch's position among those that are held, and the next row.
    rows: Option<Rows>,
    batch: usize,
    position: usize,
}

impl<'a> Source<'a> {
    fn open(
        log: &'a Log,
        layout: &'a Layout,
        file: &'a DataFile,
        runtime: &'a Handle,
        converter: &'a RowConverter,
    ) -> Result<Self, Failure> {
        let (store, path) = (log.place.store.clone(), log.path(&file.add.path));
        let input = Input::of_object(store, path, runtime.clone(), file.add.size, &Arc::<Meter>::default());
        let load = || {
            input.read_end().map_err(|error| error.to_string())?;
            ArrowReaderMetadata::load(&input, ArrowReaderOptions::new()).map_err(|error| error.to_string())
        };
        let metadata = read::guarded(load).map_err(|_| failure(log, file, &input, runtime))?;
        let groups = read::groups(metadata.metadata(), file, false).into();
        let (reader, rows) = (None, None);
        Ok(Source {
            log,
            layout,
            file,
            converter,
            runtime,
            input,
            metadata,
            groups,
            reader,
            left: 0,
            rows,
            batch: 0,
            position: 0,
        })
    }

    fn row(&self) -> OwnedRow {
        let rows = self.rows.as_ref().expect("a source without rows is not in the heap");
        rows.row(self.position).owned()
    }

    /// Reads the next batch of versions, if there is one.
    fn advance(&mut self, batches: &mut Vec<RecordBatch>) -> Result<bool, Failure> {
        loop {
            let next =
                read::guarded(|| self.next()).map_err(|_| failure(self.log, self.file, &self.input, self.runtime))?;
            let Some((batch, rows)) = next else {
                self.rows = None;
                return Ok(false);
            };
            if batch.num_rows() > 0 {
                batches.push(batch);
                (self.rows, self.batch, self.position) = (Some(rows), batches.len() - 1, 0);
                return Ok(true);
            }
        }
    }

    fn next(&mut self) -> Result<Option<(RecordBatch, Rows)>, String> {
        loop {
            if let Some(batch) = self.reader.as_mut().and_then(Iterator::next) {
                let batch = batch.map_err(|error| error.to_string())?;
                self.left = self.left.saturating_sub(batch.num_rows());
                if self.left == 0 {
                    // Its buffers are larger than a small file.
                    self.reader = None;
                }
                let batch = self.aligned(&batch)?;
                let rows = self.converter.convert_columns(&self.layout.order_of(&batch));
                return Ok(Some((batch, rows.map_err(|error| error.to_string())?)));
            }
            let Some(group) = self.groups.pop_front() else { return Ok(None) };
            let ranges = read::ranges(self.metadata.metadata(), group, &ProjectionMask::all(), None);
            self.input.read_ahead(&ranges).map_err(|error| error.to_string())?;
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.input.clone(), self.metadata.clone());
            self.left = rows_of(self.metadata.metadata(), group);
            let batch = BATCH.min(self.left.max(1));
            let reader = builder.with_row_groups(vec![group]).with_batch_size(batch).build();
            self.reader = Some(reader.map_err(|error| error.to_string())?);
        }
    }

    /// The rows of an older file have NULL in columns that were added later.
    fn aligned(&self, batch: &RecordBatch) -> Result<RecordBatch, String> {
        let schema = &self.layout.schema;
        let column = |field: &Arc<arrow_schema::Field>| -> Result<ArrayRef, String> {
            match batch.column_by_name(field.name()) {
                Some(array) if array.data_type() == field.data_type() => Ok(array.clone()),
                Some(array) => super::columns::to_stored(array, field.data_type())
                    .or_else(|_| cast(array, field.data_type()))
                    .map_err(|error| error.to_string()),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            }
        };
        let arrays = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(schema.clone(), arrays).map_err(|error| error.to_string())
    }
}

fn failure(log: &Log, file: &DataFile, input: &Input, runtime: &Handle) -> Failure {
    match read::store_failure(log, file, input, runtime) {
        None => Failure::Damaged(file.add.path.clone()),
        Some(error) => Failure::Failed(error),
    }
}
