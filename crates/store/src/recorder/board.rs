//! A recorder's heartbeat: who writes, and the intervals of all tables.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType};
use futures::StreamExt;
use indago_table::{ColumnSpec, Kind, TableSpec, Timestamp};
use parking_lot::Mutex;

use crate::archive::{Archive, Changes, End, Piece, Read, STATE, Span, Writer};
use crate::recorder::coverage::{Heartbeat, How, Interval, STATES, Track, VERSION, distinct};
use crate::recorder::hash::Columns;
use crate::recorder::live::Live;
use crate::recorder::unit::Common;
use crate::{Error, Result};

/// The table with the intervals that are over.
pub(crate) const COVERAGE: &str = "coverage";

/// Time between heartbeats.
pub(super) const BEAT: Duration = Duration::from_secs(10);

/// Time without a heartbeat after which another recorder takes over. Only for object stores; a directory has a lock.
const LEASE: Duration = Duration::from_secs(25);

/// Intervals that are over and still in the heartbeat.
const MOST_CLOSED: usize = 256;

/// Intervals that are over and cannot be written, because the store refuses them.
const MOST_WAITING: usize = 65_536;

/// The longest time of one compaction of the intervals: the heartbeat waits for it.
const LONGEST_COMPACTION: Duration = Duration::from_secs(5);

/// The intervals of all tables of a recorder.
#[derive(Debug, Default)]
pub(super) struct Board {
    state: Mutex<State>,
    /// Keeps the lock of a directory.
    _lock: Option<fs::File>,
}

#[derive(Debug, Default)]
struct State {
    instance: String,
    beat: u64,
    open: BTreeMap<String, Vec<Track>>,
    closed: Vec<Interval>,
    /// Intervals that were dropped because too many waited.
    dropped: u64,
    /// When their table was compacted.
    maintained: Option<Instant>,
}

impl Board {
    /// Takes over a writer's name, unless another recorder uses it.
    pub(super) async fn open(archive: &Archive, writer: &str) -> Result<Self> {
        let taken = || Error::Recording { location: archive.location().to_owned(), writer: writer.to_owned() };
        let lock = match archive.directory() {
            Some(path) => Some(lock(path, writer)?.ok_or_else(taken)?),
            None => None,
        };
        let mut before = heartbeat(archive, writer).await?;
        if let (None, Some(known)) = (&lock, &mut before)
            && !known.stopped
        {
            // It may have been killed. If it is running, its heartbeat changes.
            tokio::time::sleep(LEASE).await;
            let now = heartbeat(archive, writer).await?;
            if now.as_ref().is_some_and(|now| now.beat != known.beat || now.instance != known.instance) {
                return Err(taken());
            }
        }
        let before = before.unwrap_or_default();
        let mut state = State {
            instance: random(),
            beat: before.beat,
            closed: before.closed,
            maintained: Some(Instant::now()),
            ..State::default()
        };
        for track in before.open {
            state.open.entry(track.interval.table.clone()).or_default().push(track);
        }
        Ok(Board { state: Mutex::new(state), _lock: lock })
    }

    /// The last intervals of a table.
    pub(super) fn tracks(&self, table: &str) -> Vec<Track> {
        self.state.lock().open.get(table).cloned().unwrap_or_default()
    }

    /// Closes the intervals of tables that are no longer recorded.
    pub(super) fn keep_only(&self, tables: &[&str]) {
        let mut state = self.state.lock();
        let gone = state.open.keys().filter(|table| !tables.contains(&table.as_str())).cloned().collect::<Vec<_>>();
        for table in gone {
            let tracks = state.open.remove(&table).unwrap_or_default();
            state.closed.extend(tracks.into_iter().map(|track| track.interval));
        }
    }

    /// Sets the intervals of a table after a reading.
    pub(super) fn set(&self, table: &str, tracks: &[Track], over: Vec<Interval>) {
        let mut state = self.state.lock();
        state.open.insert(table.to_owned(), tracks.to_vec());
        state.closed.extend(over);
        let surplus = state.closed.len().saturating_sub(MOST_WAITING);
        state.closed.drain(..surplus);
        state.dropped += surplus as u64;
    }

    /// The number of intervals that are over and not in their table.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().closed.len()
    }

    /// Writes the heartbeat, and moves intervals that are over into their table if there are many. Now and then, compacts
    /// that table and removes what is old.
    pub(super) async fn beat(&self, common: &Common, table: &mut Option<Writer>, stopped: bool) -> Result<()> {
        let Common { archive, writer, .. } = common;
        let (heartbeat_now, over, is_due) = {
            let mut state = self.state.lock();
            if state.dropped > 0 {
                let dropped = std::mem::take(&mut state.dropped);
                tracing::warn!(
                    dropped,
                    "intervals of coverage were dropped, because the store refused them for too long"
                );
            }
            state.beat += 1;
            let over = if state.closed.len() > MOST_CLOSED { state.closed.clone() } else { Vec::new() };
            let is_due = state.maintained.is_some_and(|last| last.elapsed() >= common.compact);
            (state.heartbeat(writer, stopped), over, is_due)
        };
        if let Some(known) = heartbeat(archive, writer).await?
            && known.instance != heartbeat_now.instance
            && known.beat >= heartbeat_now.beat
        {
            return Err(Error::Recording { location: archive.location().to_owned(), writer: writer.to_owned() });
        }
        if !over.is_empty() {
            store(archive, writer, table, &over).await?;
            let mut state = self.state.lock();
            // More may have come since.
            let moved = over.len().min(state.closed.len());
            state.closed.drain(..moved);
        }
        let bytes =
            if over.is_empty() { heartbeat_now } else { self.state.lock().heartbeat(writer, stopped) }.to_bytes();
        archive.put_state(&Heartbeat::name(writer), bytes).await?;
        if !over.is_empty() || is_due {
            maintain(common, table).await?;
            self.state.lock().maintained = Some(Instant::now());
        }
        Ok(())
    }
}

/// Compacts the table of intervals, and removes those that are old.
async fn maintain(common: &Common, table: &mut Option<Writer>) -> Result<()> {
    if table.is_none() && common.archive.snapshot(COVERAGE).await?.is_some() {
        *table = Some(open_table(&common.archive, &common.writer).await?);
    }
    let Some(table) = table else { return Ok(()) };
    let now = common.clock.now().wall;
    if !table.compact_within(now, LONGEST_COMPACTION).await?.is_left {
        table.retain(&common.keep, now).await?;
    }
    Ok(())
}

impl State {
    fn heartbeat(&self, writer: &str, stopped: bool) -> Heartbeat {
        Heartbeat {
            version: VERSION,
            writer: writer.to_owned(),
            instance: self.instance.clone(),
            beat: self.beat,
            stopped,
            open: self.open.values().flatten().cloned().collect(),
            closed: self.closed.clone(),
        }
    }
}

/// Whether a directory has recorded tables.
pub fn is_recorded(directory: &Path) -> bool {
    directory.join(STATE).is_dir()
}

/// Locks a writer's name in a directory; `None` if another process has it.
fn lock(directory: &Path, writer: &str) -> Result<Option<fs::File>> {
    let folder = directory.join(STATE);
    let name = Heartbeat::name(writer).replace(STATES, "lock-").replace(".json", "");
    let path = folder.join(name);
    let failed = |source| Error::Io { path: path.clone(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// A number that no other recorder has.
fn random() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

async fn heartbeat(archive: &Archive, writer: &str) -> Result<Option<Heartbeat>> {
    let name = Heartbeat::name(writer);
    let bytes = archive.state(&name).await?;
    bytes.map(|bytes| parse(archive, &name, &bytes)).transpose()
}

fn parse(archive: &Archive, name: &str, bytes: &[u8]) -> Result<Heartbeat> {
    Heartbeat::parse(bytes)
        .map_err(|why| Error::Archive { path: format!("{}/{STATE}/{name}", archive.location()), why })
}

/// The table of intervals. Its times and its origin are the version columns.
fn spec() -> TableSpec {
    let column = |name: &'static str, kind: Kind, about: &'static str| ColumnSpec::new(name, kind, about);
    TableSpec::new(
        COVERAGE,
        "indago",
        "Times in which tables were recorded, and gaps.",
        vec![
            column("table", Kind::Text, "The table."),
            column("slice", Kind::Json, "Values that all rows of the slice share, by column."),
            column("how", Kind::Text, "`poll`, `watch`, `event` or `capture`."),
            column("every_ms", Kind::BigInt, "Time between two readings, in milliseconds."),
            column("readings", Kind::BigInt, "Number of readings."),
            column("gap", Kind::Text, "Why rows are missing; NULL if none are."),
        ],
    )
}

async fn open_table(archive: &Archive, name: &str) -> Result<Writer> {
    let spec = spec();
    let columns: Vec<String> = spec.columns.iter().map(|column| column.name.to_string()).collect();
    archive.writer(&spec, &columns, name).await
}

/// Writes intervals into their table.
async fn store(archive: &Archive, name: &str, table: &mut Option<Writer>, intervals: &[Interval]) -> Result<()> {
    let spec = spec();
    let writer = match table {
        Some(writer) => writer,
        None => table.insert(open_table(archive, name).await?),
    };
    let failed = |source| Error::Compare { table: COVERAGE.to_owned(), source };
    let texts = |of: &dyn Fn(&Interval) -> Option<String>| -> ArrayRef {
        Arc::new(intervals.iter().map(of).collect::<StringViewArray>())
    };
    let numbers = |of: &dyn Fn(&Interval) -> Option<i64>| -> ArrayRef {
        Arc::new(intervals.iter().map(of).collect::<Int64Array>())
    };
    let millis = |every: Duration| i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
    let columns: Vec<ArrayRef> = vec![
        texts(&|interval| Some(interval.table.clone())),
        texts(&|interval| serde_json::to_string(&interval.slice).ok()),
        texts(&|interval| Some(interval.how.name().to_owned())),
        numbers(&|interval| interval.every.map(millis)),
        numbers(&|interval| i64::try_from(interval.readings).ok()),
        texts(&|interval| interval.gap.clone()),
    ];
    let own = RecordBatch::try_new(spec.schema(), columns).map_err(failed)?;
    let all: Vec<usize> = (0..spec.columns.len()).collect();
    let mut live = Live::new(writer.row_key(), Columns::new(&spec, &all), i64::MAX);
    live.begin();
    let found = live.compare(&own, 0, |row| (0, intervals[row].origin.as_str())).map_err(failed)?;
    let ids: Vec<i64> = found.added.iter().map(|(_, id)| *id).collect();
    let times = |of: &dyn Fn(&Interval) -> i64| -> ArrayRef {
        Arc::new(
            intervals
                .iter()
                .map(|interval| Some(of(interval)))
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        )
    };
    let version: [(&str, ArrayRef); 4] = [
        ("row_id", Arc::new(Int64Array::from(ids.clone()))),
        ("valid_from", times(&|interval| interval.from.0)),
        ("not_before", Arc::new(TimestampMicrosecondArray::from(vec![None; intervals.len()]).with_timezone("UTC"))),
        ("origin", texts(&|interval| Some(interval.origin.clone()))),
    ];
    let own =
        own.schema().fields().iter().map(|field| field.name().clone()).zip(own.columns().to_vec()).collect::<Vec<_>>();
    let columns = version.into_iter().map(|(name, array)| (name.to_owned(), array)).chain(own);
    let opened = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| {
        let is_nullable = !matches!(name.as_str(), "row_id" | "valid_from");
        (name, array, is_nullable)
    }));
    let ended = ids.iter().zip(intervals).map(|(id, interval)| End {
        row_id: *id,
        valid_from: interval.from,
        valid_to: interval.to,
    });
    let read_at = intervals.iter().map(|interval| interval.to).max().unwrap_or_default();
    writer.append(Changes { read_at, opened: vec![opened.map_err(failed)?], ended: ended.collect() }).await
}

/// What was recorded and what was not, by all recorders of a store: the stored intervals, and those of heartbeats.
pub async fn coverage(archive: &Archive) -> Result<Vec<Interval>> {
    let mut all = Vec::new();
    for (name, bytes) in archive.states(STATES).await? {
        let heartbeat = parse(archive, &name, &bytes)?;
        all.extend(heartbeat.open.into_iter().map(|track| track.interval));
        all.extend(heartbeat.closed);
    }
    if let Some(snapshot) = archive.snapshot(COVERAGE).await? {
        let names: Vec<String> = spec().columns.iter().map(|column| column.name.to_string()).collect();
        let mut pieces = snapshot.read(Read::new(Span::Between { from: None, to: None }, names));
        while let Some(piece) = pieces.next().await {
            let failed = |source| Error::Compare { table: COVERAGE.to_owned(), source };
            match piece? {
                Piece::Rows(batch) => all.extend(intervals(&batch).map_err(failed)?),
                Piece::Damaged { file, error, .. } => tracing::warn!(file, error, "a file of the coverage is damaged"),
                Piece::Misfit { .. } => {}
            }
        }
    }
    Ok(distinct(all))
}

fn intervals(batch: &RecordBatch) -> Result<Vec<Interval>, ArrowError> {
    let column = |name: &str, kind: &DataType| {
        let column =
            batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")))?;
        cast(column, kind)
    };
    let texts = |name: &str| column(name, &DataType::Utf8View);
    let numbers = |name: &str| column(name, &DataType::Int64);
    let times = |name: &str| column(name, &DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, None));
    let (tables, writers, origins) = (texts("table")?, texts("writer")?, texts("origin")?);
    let (slices, hows, gaps) = (texts("slice")?, texts("how")?, texts("gap")?);
    let (every, readings) = (numbers("every_ms")?, numbers("readings")?);
    let (from, to) = (times("valid_from")?, times("valid_to")?);
    let text = |column: &ArrayRef, row: usize| {
        let column = column.as_string_view();
        (!column.is_null(row)).then(|| column.value(row).to_owned())
    };
    let number = |column: &ArrayRef, row: usize| {
        let column = column.as_primitive::<Int64Type>();
        (!column.is_null(row)).then(|| column.value(row))
    };
    let time = |column: &ArrayRef, row: usize| Timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row));
    let how = |name: &str| {
        [How::Poll, How::Watch, How::Event, How::Capture]
            .into_iter()
            .find(|how| how.name() == name)
            .unwrap_or(How::Poll)
    };
    let interval = |row: usize| Interval {
        table: text(&tables, row).unwrap_or_default(),
        writer: text(&writers, row).unwrap_or_default(),
        origin: text(&origins, row).unwrap_or_default(),
        slice: text(&slices, row).and_then(|slice| serde_json::from_str(&slice).ok()).unwrap_or_default(),
        from: time(&from, row),
        to: time(&to, row),
        how: how(&text(&hows, row).unwrap_or_default()),
        every: number(&every, row).and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis),
        readings: number(&readings, row).and_then(|readings| u64::try_from(readings).ok()).unwrap_or(0),
        gap: text(&gaps, row),
    };
    Ok((0..batch.num_rows()).map(interval).collect())
}
