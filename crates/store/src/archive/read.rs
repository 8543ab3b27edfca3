//! Reads versions from the files of a snapshot.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringViewArray, TimestampMicrosecondArray,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use arrow_select::filter::{filter, filter_record_batch};
use futures::stream::{self, BoxStream, StreamExt};
use indago_table::{Meter, RowFilter, Timestamp};
use object_store::ObjectStoreExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::file::metadata::ParquetMetaData;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::columns::{self, IS_END, NOT_BEFORE, ORIGIN, ROW_ID, VALID_FROM, VALID_TO, WRITER, version_schema};
use super::file::{DataFile, is_later, lived};
use super::log::{Log, State};
use super::{End, Piece, Read, Span};
use crate::input::Input;
use crate::prune::Pruning;
use crate::{Error, Result};

/// A table as it was recorded up to some version of its log. Later writes do not change it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) log: Arc<Log>,
    pub(super) state: Arc<State>,
}

/// What a read wants of a version's time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    Span(Span),
    Open,
}

/// Ends of versions by their row and start.
pub(super) type Ends = HashMap<(i64, i64), i64>;

/// Why a file was not read to its end.
enum Trouble {
    Damaged(String),
    Failed(Error),
    Stopped,
}

impl From<String> for Trouble {
    fn from(error: String) -> Self {
        Trouble::Damaged(error)
    }
}

impl From<ArrowError> for Trouble {
    fn from(error: ArrowError) -> Self {
        Trouble::Damaged(error.to_string())
    }
}

/// A read of a snapshot.
pub(super) struct Scan {
    log: Arc<Log>,
    state: Arc<State>,
    read: Read,
    wanted: Wanted,
    /// The table as the reader has it.
    table: SchemaRef,
    /// The schema of what is returned.
    output: SchemaRef,
    /// How many of its columns are those of a version.
    version_columns: usize,
    /// The table's columns to read: the wanted ones, then those of filters only.
    names: Vec<String>,
    filters: Vec<Arc<dyn RowFilter>>,
    /// The reader's table, with the names that columns have in files.
    stored_table: SchemaRef,
    meter: Arc<Meter>,
    runtime: Handle,
}

impl Snapshot {
    /// The table's own columns, as they were recorded.
    pub fn schema(&self) -> SchemaRef {
        self.state.columns.schema()
    }

    /// The columns of a version, which come before those of the table.
    pub fn version_schema() -> SchemaRef {
        version_schema()
    }

    /// The version of the table's log.
    pub fn version(&self) -> u64 {
        self.state.version
    }

    /// Number of files, and their bytes.
    pub fn size(&self) -> (usize, u64) {
        (self.state.contents.files.len(), self.state.contents.files.values().map(|file| file.add.size).sum())
    }

    /// Versions of rows: the version columns, then the wanted columns. Ends are applied. A file that cannot be read is
    /// a [`Piece::Damaged`], and the others are read.
    pub fn read(&self, read: Read) -> BoxStream<'static, Result<Piece>> {
        let wanted = Wanted::Span(read.span);
        self.read_wanted(read, wanted)
    }

    pub(super) fn read_wanted(&self, read: Read, wanted: Wanted) -> BoxStream<'static, Result<Piece>> {
        let (log, state) = (self.log.clone(), self.state.clone());
        let start = async move {
            let (sender, receiver) = mpsc::channel(2);
            tokio::spawn(async move {
                let scan = Arc::new(Scan::new(log, state, read, wanted));
                if let Err(error) = scan.run(&sender).await {
                    // If this fails, the reader has ended.
                    let _ = sender.send(Err(error)).await;
                }
            });
            stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (piece, receiver)) })
        };
        stream::once(start).flatten().boxed()
    }
}

impl Scan {
    pub(super) fn new(log: Arc<Log>, state: Arc<State>, read: Read, wanted: Wanted) -> Self {
        let recorded = state.columns.schema();
        let table = read.schema.clone().unwrap_or_else(|| recorded.clone());
        let in_reach = |filter: &&Arc<dyn RowFilter>| filter.columns().iter().all(|at| *at < table.fields().len());
        let filters: Vec<Arc<dyn RowFilter>> = read.filters.iter().filter(in_reach).cloned().collect();
        let mut names = read.columns.clone();
        for position in filters.iter().flat_map(|filter| filter.columns()) {
            let name = table.field(*position).name();
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let own = read.columns.iter().map(|name| {
            let field = table.field_with_name(name).or_else(|_| recorded.field_with_name(name));
            field.map_or_else(
                |_| Field::new(name, arrow_schema::DataType::Utf8View, true),
                |field| field.clone().with_nullable(true),
            )
        });
        let version = version_schema();
        let is_wanted =
            |name: &str| read.version_columns.as_ref().is_none_or(|names| names.iter().any(|own| own == name));
        let version = version.fields().iter().filter(|field| is_wanted(field.name()));
        let version: Vec<Field> = version.map(|field| field.as_ref().clone()).collect();
        let version_columns = version.len();
        let output = Arc::new(Schema::new(version.into_iter().chain(own).collect::<Vec<_>>()));
        let meter = read.meter.clone().unwrap_or_default();
        let stored = |field: &Arc<Field>| match state.columns.newest(field.name()) {
            Some(column) => field.as_ref().clone().with_name(&column.stored),
            None => field.as_ref().clone(),
        };
        let stored_table = Arc::new(Schema::new(table.fields().iter().map(stored).collect::<Vec<_>>()));
        Scan {
            log,
            state,
            wanted,
            table,
            output,
            version_columns,
            names,
            filters,
            stored_table,
            meter,
            runtime: Handle::current(),
            read,
        }
    }

    async fn run(self: &Arc<Self>, sender: &mpsc::Sender<Result<Piece>>) -> Result<()> {
        let files = self.state.contents.files.values().filter(|file| self.may_have(file));
        let files: Vec<Arc<DataFile>> = files.cloned().collect();
        let parallel = thread::available_parallelism().map_or(1, NonZero::get);
        let damaged = self.read_ends(&files, parallel, sender).await?;
        let ends = Arc::new(self.ends(&files));
        let is_read = |file: &Arc<DataFile>| {
            file.versions() > 0
                && !damaged.contains(&file.add.path)
                && file.may_keep(&self.filters, &self.table, &self.state.columns)
        };
        let reads = files.into_iter().filter(is_read).map(|file| {
            let (scan, ends, sender) = (self.clone(), ends.clone(), sender.clone());
            async move {
                let shown = file.clone();
                let own = scan.clone();
                let none = Ends::new();
                let to = sender.clone();
                let work = move || guarded(|| scan.read_file(&file, ends.get(&file.writer).unwrap_or(&none), &to));
                own.after(&shown, own.runtime.spawn_blocking(work).await.unwrap_or(Err(Trouble::Stopped)), &sender)
                    .await
            }
        });
        let mut reads = stream::iter(reads).buffer_unordered(parallel);
        while let Some(outcome) = reads.next().await {
            if !outcome? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reports a damaged file. Returns whether to continue.
    async fn after(
        &self,
        file: &DataFile,
        outcome: Result<(), Trouble>,
        sender: &mpsc::Sender<Result<Piece>>,
    ) -> Result<bool> {
        match outcome {
            Ok(()) => Ok(true),
            Err(Trouble::Stopped) => Ok(false),
            Err(Trouble::Failed(error)) => Err(error),
            Err(Trouble::Damaged(error)) => {
                let (from, to) = lived(file);
                let file = self.log.place.shown(&self.log.path(&file.add.path));
                Ok(sender.send(Ok(Piece::Damaged { file, error, from, to })).await.is_ok())
            }
        }
    }

    /// Whether a file may have versions, or ends of versions, that are wanted.
    fn may_have(&self, file: &DataFile) -> bool {
        if self.read.writer.as_ref().is_some_and(|writer| *writer != file.writer) {
            return false;
        }
        let starts_by = |time: Timestamp| file.from.is_none_or(|(least, _)| least <= time.0);
        let ends_after =
            |time: Timestamp| file.open > 0 || file.ends > 0 || file.to.is_none_or(|(_, greatest)| greatest >= time.0);
        match self.wanted {
            Wanted::Open => file.open > 0 || file.ends > 0,
            Wanted::Span(Span::AsOf(time)) => starts_by(time) && ends_after(time),
            Wanted::Span(Span::Between { from, to }) => to.is_none_or(starts_by) && from.is_none_or(ends_after),
        }
    }

    fn is_wanted(&self, from: i64, to: Option<i64>) -> bool {
        match self.wanted {
            Wanted::Open => to.is_none(),
            Wanted::Span(Span::AsOf(time)) => from <= time.0 && is_later(to, time.0),
            Wanted::Span(Span::Between { from: after, to: before }) => {
                // An event begins and ends at one time.
                let is_after = |after: i64| is_later(to, after) || to == Some(from) && from == after;
                before.is_none_or(|before| from <= before.0) && after.is_none_or(|after| is_after(after.0))
            }
        }
    }

    /// Reads the ends of the files that have some and were not read before. Returns the damaged files.
    async fn read_ends(
        self: &Arc<Self>,
        files: &[Arc<DataFile>],
        parallel: usize,
        sender: &mpsc::Sender<Result<Piece>>,
    ) -> Result<HashSet<String>> {
        let unread = files.iter().filter(|file| file.ends > 0 && file.read_ends.get().is_none()).cloned();
        let reads: Vec<_> = unread
            .map(|file| {
                let scan = self.clone();
                async move {
                    let own = file.clone();
                    let read = self.runtime.spawn_blocking(move || guarded(|| scan.ends_of(&own))).await;
                    (file, read.unwrap_or(Err(Trouble::Stopped)))
                }
            })
            .collect();
        let mut damaged = HashSet::new();
        let mut reads = stream::iter(reads).buffer_unordered(parallel);
        while let Some((file, read)) = reads.next().await {
            let outcome = read.map(|ends| drop(file.read_ends.set(Arc::new(ends))));
            if outcome.is_err() {
                damaged.insert(file.add.path.clone());
            }
            if !self.after(&file, outcome, sender).await? {
                break;
            }
        }
        Ok(damaged)
    }

    /// The ends of each writer's versions.
    pub(super) fn ends(&self, files: &[Arc<DataFile>]) -> HashMap<String, Ends> {
        let mut all: HashMap<String, Ends> = HashMap::new();
        for file in files {
            if let Some(ends) = file.read_ends.get().filter(|ends| !ends.is_empty()) {
                let own = all.entry(file.writer.clone()).or_default();
                own.extend(ends.iter().map(|end| ((end.row_id, end.valid_from.0), end.valid_to.0)));
            }
        }
        all
    }

    /// Reads the ends of files. Returns the path of the first file that is damaged.
    pub(super) async fn load_ends(self: &Arc<Self>, files: &[Arc<DataFile>]) -> Result<Option<String>> {
        let (sender, mut receiver) = mpsc::channel(1);
        let receive = async move { while receiver.recv().await.is_some() {} };
        let (damaged, ()) = futures::join!(async move { self.read_ends(files, 1, &sender).await }, receive);
        Ok(damaged?.into_iter().next())
    }

    fn open(&self, file: &DataFile) -> Result<Opened, Trouble> {
        let path = self.log.path(&file.add.path);
        let store = self.log.place.store.clone();
        let input = Input::of_object(store, path.clone(), self.runtime.clone(), file.add.size, &self.meter);
        input.read_end().map_err(|error| self.trouble(&input, file, &error))?;
        let metadata = ArrowReaderMetadata::load(&input, ArrowReaderOptions::new());
        let metadata = metadata.map_err(|error| self.trouble(&input, file, &error))?;
        Ok(Opened { input, metadata })
    }

    /// An object store that cannot be read is not damage; a missing file is.
    fn trouble(&self, input: &Input, file: &DataFile, error: &dyn std::fmt::Display) -> Trouble {
        if self.meter.is_cancelled() {
            return Trouble::Stopped;
        }
        match store_failure(&self.log, file, input, &self.runtime) {
            None => Trouble::Damaged(error.to_string()),
            Some(error) => Trouble::Failed(error),
        }
    }

    fn ends_of(&self, file: &DataFile) -> Result<Vec<End>, Trouble> {
        let opened = self.open(file)?;
        let groups = groups(opened.metadata.metadata(), file, true);
        let names = [VALID_FROM, VALID_TO, ROW_ID, IS_END];
        let mut ends = Vec::new();
        for group in groups {
            let read = |batch: RecordBatch| {
                let times =
                    |name| batch.column_by_name(name).map(|array| array.as_primitive::<TimestampMicrosecondType>());
                let ids = batch.column_by_name(ROW_ID).map(|array| array.as_primitive::<Int64Type>());
                let is_end = batch.column_by_name(IS_END).map(|array| array.as_boolean());
                let (Some(from), Some(to), Some(ids), Some(is_end)) = (times(VALID_FROM), times(VALID_TO), ids, is_end)
                else {
                    return Err(Trouble::Damaged("a column of versions is missing".to_owned()));
                };
                for row in (0..batch.num_rows()).filter(|row| is_end.value(*row)) {
                    let (valid_from, valid_to) = (Timestamp(from.value(row)), Timestamp(to.value(row)));
                    ends.push(End { row_id: ids.value(row), valid_from, valid_to });
                }
                Ok(())
            };
            self.read_group(&opened, file, group, &names, None, read)?;
        }
        Ok(ends)
    }

    fn read_file(&self, file: &DataFile, ends: &Ends, sender: &mpsc::Sender<Result<Piece>>) -> Result<(), Trouble> {
        let opened = self.open(file)?;
        let Opened { input, metadata } = &opened;
        // A column whose values have several types has no usable statistics.
        let filters: Vec<Arc<dyn RowFilter>> =
            self.filters.iter().filter(|filter| self.can_prune(&***filter)).cloned().collect();
        let pruning = Pruning { file: metadata, table: &self.stored_table, filters: &filters };
        let versions = groups(opened.metadata.metadata(), file, false);
        let mut groups = pruning.groups();
        groups.retain(|group| versions.contains(group));
        let indexed = if groups.is_empty() { None } else { pruning.with_page_index(input) };
        let mut stored: Vec<&str> = vec![VALID_FROM, VALID_TO];
        let version = self.output.fields().iter().take(self.version_columns);
        stored.extend(
            version.map(|field| field.name().as_str()).filter(|name| [NOT_BEFORE, ORIGIN, ROW_ID].contains(name)),
        );
        if !ends.is_empty() && !stored.contains(&ROW_ID) {
            stored.push(ROW_ID);
        }
        for name in &self.names {
            stored.extend(self.state.columns.all(name).map(|column| column.stored.as_str()));
        }
        let mut misfits: HashMap<String, (String, u64)> = HashMap::new();
        for group in groups {
            let selected = indexed.as_ref().and_then(|indexed| {
                let pruning = Pruning { file: indexed, table: &self.stored_table, filters: &filters };
                pruning.rows(&[group]).map(|rows| (indexed, rows))
            });
            let read = |batch: RecordBatch| {
                let batch = self.versions(&batch, file, ends, &mut misfits)?;
                if batch.num_rows() > 0 && sender.blocking_send(Ok(Piece::Rows(batch))).is_err() {
                    return Err(Trouble::Stopped);
                }
                Ok(())
            };
            self.read_group(&opened, file, group, &stored, selected, read)?;
        }
        for (column, (message, rows)) in misfits {
            let path = self.log.place.shown(&self.log.path(&file.add.path));
            if sender.blocking_send(Ok(Piece::Misfit { file: path, column, message, rows })).is_err() {
                return Err(Trouble::Stopped);
            }
        }
        Ok(())
    }

    /// Whether a filter's columns have their values in one column of a file.
    fn can_prune(&self, filter: &dyn RowFilter) -> bool {
        let is_plain = |position: &usize| self.state.columns.all(self.table.field(*position).name()).count() == 1;
        filter.columns().iter().all(is_plain)
    }

    /// Reads some columns of a row group.
    fn read_group(
        &self,
        opened: &Opened,
        file: &DataFile,
        group: usize,
        names: &[&str],
        selected: Option<(&ArrowReaderMetadata, RowSelection)>,
        mut read: impl FnMut(RecordBatch) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let Opened { input, metadata } = opened;
        let (metadata, rows) = match selected {
            Some((indexed, rows)) => (indexed, Some(rows)),
            None => (metadata, None),
        };
        let positions = names.iter().filter_map(|name| metadata.schema().index_of(name).ok());
        let mask = ProjectionMask::roots(metadata.parquet_schema(), positions);
        let ranges = ranges(metadata.metadata(), group, &mask, rows.as_ref());
        input.read_ahead(&ranges).map_err(|error| self.trouble(input, file, &error))?;
        // A reader allocates for a batch of this size, however small the file is.
        let batch = self.read.batch_size.min(rows_of(metadata.metadata(), group).max(1));
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(input.clone(), metadata.clone());
        let mut builder = builder.with_row_groups(vec![group]).with_projection(mask).with_batch_size(batch);
        if let Some(rows) = rows {
            builder = builder.with_row_selection(rows);
        }
        for batch in builder.build().map_err(|error| self.trouble(input, file, &error))? {
            if self.meter.is_cancelled() {
                return Err(Trouble::Stopped);
            }
            read(batch.map_err(|error| self.trouble(input, file, &error))?)?;
        }
        Ok(())
    }

    /// The wanted versions among the rows of a file.
    fn versions(
        &self,
        batch: &RecordBatch,
        file: &DataFile,
        ends: &Ends,
        misfits: &mut HashMap<String, (String, u64)>,
    ) -> Result<RecordBatch, Trouble> {
        let missing = || Trouble::Damaged("a column of versions is missing".to_owned());
        let column = |name| batch.column_by_name(name).ok_or_else(missing);
        let time = |name| {
            column(name).and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(missing))
        };
        let (from, to) = (time(VALID_FROM)?, time(VALID_TO)?);
        let ids = match ends.is_empty() {
            true => None,
            false => Some(column(ROW_ID)?.as_primitive_opt::<Int64Type>().ok_or_else(missing)?),
        };
        let ended = |row: usize| match (to.is_valid(row), ids) {
            (true, _) => Some(to.value(row)),
            (false, None) => None,
            (false, Some(ids)) => ends.get(&(ids.value(row), from.value(row))).copied(),
        };
        let valid_to: Vec<Option<i64>> = (0..batch.num_rows()).map(ended).collect();
        let lived = |row: usize| Some(self.is_wanted(from.value(row), valid_to[row]));
        let lived: BooleanArray = (0..batch.num_rows()).map(lived).collect();
        if lived.true_count() == 0 {
            return Ok(RecordBatch::new_empty(self.output.clone()));
        }
        let valid_to: ArrayRef = Arc::new(TimestampMicrosecondArray::from(valid_to).with_timezone("UTC"));
        let valid_to = filter(&valid_to, &lived)?;
        let batch = filter_record_batch(batch, &lived)?;
        let rows = batch.num_rows();
        let mut mask = BooleanArray::from(vec![true; rows]);
        let mut values: HashMap<&str, ArrayRef> = HashMap::new();
        for name in &self.names {
            let stored =
                self.state.columns.all(name).filter_map(|column| batch.column_by_name(&column.stored)).cloned();
            let field = self.output.fields().iter().skip(self.version_columns).find(|field| field.name() == name);
            let wanted = match (field, self.table.field_with_name(name)) {
                (Some(field), _) => field.data_type(),
                (None, Ok(field)) => field.data_type(),
                (None, Err(_)) => continue,
            };
            let mut report = |message: String, count: u64| {
                misfits.entry(name.clone()).and_modify(|(_, all)| *all += count).or_insert((message, count));
            };
            values.insert(name, columns::value(&stored.collect::<Vec<_>>(), wanted, rows, &mut report)?);
        }
        for condition in &self.filters {
            let names = condition.columns().iter().map(|at| self.table.field(*at));
            let fields = names.clone().map(|field| field.clone().with_nullable(true)).collect::<Vec<_>>();
            let arrays = names.filter_map(|field| values.get(field.name().as_str()).cloned()).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let own = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?;
            let kept = condition.keep(&own).map_err(|error| Trouble::Damaged(error.to_string()))?;
            mask = (0..rows).map(|row| Some(mask.value(row) && kept.is_valid(row) && kept.value(row))).collect();
        }
        let column = |name| batch.column_by_name(name).ok_or_else(missing);
        let version = self.output.fields().iter().take(self.version_columns).map(|field| match field.name().as_str() {
            VALID_TO => Ok(valid_to.clone()),
            WRITER => {
                let writers = std::iter::repeat_n(&file.writer, rows);
                Ok(Arc::new(StringViewArray::from_iter_values(writers)) as ArrayRef)
            }
            name => Ok(cast(column(name)?, field.data_type())?),
        });
        let mut arrays = version.collect::<Result<Vec<ArrayRef>, Trouble>>()?;
        arrays.extend(self.read.columns.iter().filter_map(|name| values.get(name.as_str()).cloned()));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.output.clone(), arrays, &options)?;
        let batch = filter_record_batch(&batch, &mask)?;
        self.meter.add_rows(batch.num_rows() as u64);
        Ok(batch)
    }
}

/// An open data file.
struct Opened {
    input: Input,
    metadata: ArrowReaderMetadata,
}

/// The Parquet reader may panic on damaged files.
pub(super) fn guarded<T, E: From<String>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(E::from("the file is damaged".to_owned())))
}

/// Why an object store could not be read. A file that is missing, or has another size than the log states, is damaged
/// instead, whatever the store's error was.
pub(super) fn store_failure(log: &Log, file: &DataFile, input: &Input, runtime: &Handle) -> Option<Error> {
    let source = input.failure()?;
    let path = log.path(&file.add.path);
    match runtime.block_on(log.place.store.head(&path)) {
        Ok(object) if object.size != file.add.size => None,
        Err(object_store::Error::NotFound { .. }) => None,
        _ => Some(log.place.failed(&path, source)),
    }
}

/// The rows of a row group.
pub(super) fn rows_of(metadata: &ParquetMetaData, group: usize) -> usize {
    usize::try_from(metadata.row_group(group).num_rows()).unwrap_or(0)
}

/// The row groups of versions, or those of ends, which are last.
pub(super) fn groups(metadata: &ParquetMetaData, file: &DataFile, ends: bool) -> Vec<usize> {
    let groups = metadata.row_groups();
    let rows = |group: usize| u64::try_from(groups[group].num_rows()).unwrap_or(0);
    let all = (0..groups.len()).map(rows).fold(0, u64::saturating_add);
    let first_end = all.saturating_sub(file.ends);
    let mut before = 0_u64;
    let mut own = Vec::new();
    for group in 0..groups.len() {
        if (file.ends > 0 && before >= first_end) == ends {
            own.push(group);
        }
        before = before.saturating_add(rows(group));
    }
    own
}

/// The bytes of the columns of a row group, or of their selected pages.
pub(super) fn ranges(
    metadata: &ParquetMetaData,
    group: usize,
    mask: &ProjectionMask,
    rows: Option<&RowSelection>,
) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    for (position, column) in metadata.row_group(group).columns().iter().enumerate() {
        if !mask.leaf_included(position) {
            continue;
        }
        let (start, length) = column.byte_range();
        let pages = metadata.offset_index().and_then(|index| index.get(group)?.get(position));
        match (rows, pages) {
            (Some(rows), Some(pages)) => {
                // The dictionary comes before the first page.
                let first = pages.page_locations().first().and_then(|page| u64::try_from(page.offset).ok());
                ranges.extend(first.filter(|first| *first > start).map(|first| start..first));
                ranges.extend(rows.scan_ranges(pages.page_locations()));
            }
            _ => ranges.push(start..start.saturating_add(length)),
        }
    }
    ranges
}
