//! Records one table: reads it, compares it with its last state, and writes the difference.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray, UInt64Array,
    new_null_array,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;
use futures::StreamExt;
use indago_engine::{Engine, Query, QueryOptions};
use indago_table::{Completeness, Coverage, Kind, Timestamp, Warning};
use regex::Regex;

use crate::archive::{Archive, Changes, Compacted, End, Piece, Retention, Writer};
use crate::capture::with_users;
use crate::recorder::clock::{Clock, Moment, Moments, Now, shown};
use crate::recorder::coverage::{How, Interval, Lack, Reading, Track};
use crate::recorder::hash::Columns;
use crate::recorder::live::{Absent, Found, Live};
use crate::recorder::plan::Plan;
use crate::recorder::redact::Redaction;
use crate::table::moment as captured_moment;
use crate::{Error, Result};

/// Size of new rows that are written before a reading ends.
const FLUSH: usize = 64 << 20;

/// The shortest and the longest time of compaction between two readings.
const SHORTEST_STEP: Duration = Duration::from_secs(1);
const LONGEST_STEP: Duration = Duration::from_secs(30);

/// How long files that are no longer used stay for readers.
pub(super) const GRACE: Duration = Duration::from_secs(3600);

/// Timeout of a reading, if the engine has none.
const LONGEST: Duration = Duration::from_secs(600);

/// Delay of a reading that is not a gap, in addition to twice its interval.
const SLACK: Duration = Duration::from_secs(5);

/// Columns with the time of an event.
const EVENT_TIMES: [&str; 2] = ["at", "time"];

/// Numbers of slices, by the values that their rows share.
type Numbers<'a> = HashMap<Vec<&'a str>, u32>;

/// Result of a reading of a table.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TableReading {
    /// The table.
    pub table: String,
    /// When it was read.
    pub at: Option<Timestamp>,
    /// Current rows; for events, those of the reading.
    pub rows: u64,
    /// New rows.
    pub added: u64,
    /// Rows with a new version.
    pub modified: u64,
    /// Rows that are gone.
    pub ended: u64,
    /// Time of reading and writing.
    pub elapsed: Duration,
    /// What was missing.
    pub warnings: Vec<Warning>,
    /// Why nothing, or only a part, was recorded.
    pub failure: Option<String>,
    /// Whether the reading before failed too.
    pub is_failing: bool,
}

/// What all tables of a recorder share.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) engine: Engine,
    pub(super) archive: Archive,
    pub(super) writer: String,
    pub(super) clock: Clock,
    pub(super) compact: Duration,
    /// What is kept of the coverage.
    pub(super) keep: Retention,
}

/// A recorded table.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) plan: Plan,
    columns: Columns,
    redaction: Redaction,
    schema: SchemaRef,
    pub(super) writer: Option<Writer>,
    /// Its rows; `None` until they are read from the store, and after an error of the store.
    pub(super) live: Option<Live>,
    tracks: Vec<Track>,
    by_origin: HashMap<String, u32>,
    moments: Moments,
    /// Number of the present reading. That of `live` starts again when it is read from the store.
    number: u32,
    /// Why the next reading is late, if it is: writing took long.
    slow: Option<String>,
    is_first: bool,
    is_failing: bool,
    maintained: Instant,
    /// The time of the next reading, if it is a capture of several tables.
    pub(super) capture: Option<Now>,
}

/// A row in the schema of readings: version columns before the recorded ones.
fn opened_schema(recorded: &Schema) -> SchemaRef {
    let time = Kind::Timestamp.data_type();
    let version = [
        Field::new("row_id", DataType::Int64, false),
        Field::new("valid_from", time.clone(), false),
        Field::new("not_before", time, true),
        Field::new("origin", DataType::Utf8View, true),
    ];
    let own = recorded.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(version.into_iter().chain(own).collect::<Vec<_>>()))
}

/// The new versions of a reading.
#[derive(Default)]
struct Opened {
    added: Vec<RecordBatch>,
    modified: Vec<RecordBatch>,
    bytes: usize,
}

impl Unit {
    pub(super) fn new(plan: Plan, well_known_secrets: bool, patterns: &Arc<[Regex]>, before: Vec<Track>) -> Self {
        let spec = plan.table.spec();
        let recorded = spec.schema().project(&plan.columns).expect("recorded columns are columns of the table");
        let mut moments = Moments::default();
        before.iter().for_each(|track| moments.continue_after(track.interval.to));
        let by_origin =
            before.iter().enumerate().map(|(number, track)| (track.interval.origin.clone(), number as u32)).collect();
        Unit {
            columns: Columns::new(spec, &plan.columns),
            redaction: Redaction::new(spec, &plan.columns, well_known_secrets, patterns),
            schema: Arc::new(recorded),
            writer: None,
            live: None,
            tracks: before,
            by_origin,
            moments,
            number: 0,
            slow: None,
            is_first: true,
            is_failing: false,
            maintained: Instant::now(),
            capture: None,
            plan,
        }
    }

    pub(super) fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Reads the table once and writes what is different. Returns the intervals that are over. An error means that
    /// another recorder has taken over.
    pub(super) async fn read(&mut self, common: &Common) -> Result<(TableReading, Vec<Interval>)> {
        let began = Instant::now();
        let loaded = if self.live.is_none() { self.load(common).await } else { Ok(()) };
        let moment = self.moments.next(self.now(common));
        let late = self.late(&moment);
        self.number += 1;
        let mut recorded =
            TableReading { table: self.plan.name().to_owned(), at: Some(moment.at), ..TableReading::default() };
        let outcome = match loaded {
            Ok(()) => self.write_difference(common, moment.at, &mut recorded).await,
            Err(error) => Err(error),
        };
        let lacks = match outcome {
            Ok(lacks) => lacks,
            Err(error @ Error::OtherWriter { .. }) => return Err(error),
            Err(error) => {
                // What the store has now is unknown.
                self.live = None;
                let reason = format!("it could not be stored: {error}");
                (recorded.added, recorded.modified, recorded.ended) = (0, 0, 0);
                recorded.failure = Some(reason.clone());
                self.same_lack(&Lack::Temporary { missing: "store".to_owned(), reason })
            }
        };
        let mut over = Vec::new();
        for (track, mut lack) in self.tracks.iter_mut().zip(lacks) {
            if let Some(reason) = moment.step.as_ref().filter(|_| moment.is_behind) {
                lack = lack.or_else(|| Some(Lack::Standing { missing: "clock".to_owned(), reason: reason.clone() }));
            }
            let reading = Reading {
                at: moment.at,
                number: self.number,
                lack: lack.as_ref(),
                late: late.as_deref(),
                how: self.plan.how,
                every: self.plan.interval(),
            };
            over.extend(track.add(&reading));
        }
        self.is_first = false;
        recorded.is_failing = std::mem::replace(&mut self.is_failing, recorded.failure.is_some());
        recorded.elapsed = began.elapsed();
        self.slow = (recorded.elapsed > self.plan.every)
            .then(|| format!("reading and writing it took {}", shown(recorded.elapsed)));
        Ok((recorded, over))
    }

    /// The time of a reading. Captured rows have theirs, and the tables of a capture have one.
    fn now(&self, common: &Common) -> Now {
        let captured_at = self.plan.table.spec().captured_at.as_deref().and_then(captured_moment);
        let captured_at = captured_at.map(|micros| Now { wall: Timestamp(micros), running: None });
        captured_at.or(self.capture).unwrap_or_else(|| common.clock.now())
    }

    /// Why there was no reading for longer than planned.
    fn late(&mut self, moment: &Moment) -> Option<String> {
        let known = self.tracks.iter().filter(|track| track.interval.readings > 0);
        let last = known.map(|track| track.interval.to).max()?;
        let elapsed = Duration::from_micros(u64::try_from(moment.at.0.saturating_sub(last.0)).unwrap_or(0));
        let is_late = elapsed > 2 * self.plan.every + SLACK;
        if self.plan.how == How::Capture || !is_late {
            return None;
        }
        let slow = self.slow.take();
        Some(match (&moment.step, slow) {
            _ if self.is_first => "the recorder was not running".to_owned(),
            (Some(step), _) => step.clone(),
            (None, Some(slow)) => slow,
            (None, None) => format!("there was no reading for {}", shown(elapsed)),
        })
    }

    fn same_lack(&self, lack: &Lack) -> Vec<Option<Lack>> {
        vec![Some(lack.clone()); self.tracks.len()]
    }

    /// The number of a slice.
    fn slice(&mut self, common: &Common, origin: &str, known: &BTreeMap<String, String>, at: Timestamp) -> u32 {
        let shared = || known.iter().map(|(column, value)| (column.clone(), value.clone())).collect();
        if let Some(number) = self.by_origin.get(origin) {
            let slice = &mut self.tracks[*number as usize].interval.slice;
            // The store has the origin only.
            if slice.len() < known.len() {
                *slice = shared();
            }
            return *number;
        }
        let number = self.tracks.len() as u32;
        self.tracks.push(Track::new(Interval {
            table: self.plan.name().to_owned(),
            writer: common.writer.clone(),
            origin: origin.to_owned(),
            slice: shared(),
            from: at,
            to: at,
            how: self.plan.how,
            every: self.plan.interval(),
            readings: 0,
            gap: None,
        }));
        self.by_origin.insert(origin.to_owned(), number);
        number
    }

    /// Opens the table in the store, and reads this recorder's rows from it.
    async fn load(&mut self, common: &Common) -> Result<()> {
        let at = common.clock.now().wall;
        let spec = self.plan.table.spec();
        let name = spec.name.to_string();
        let failed = |source| Error::Compare { table: name.clone(), source };
        if self.writer.is_none() {
            let names: Vec<String> = self.schema.fields().iter().map(|field| field.name().clone()).collect();
            self.writer = Some(common.archive.writer(spec, &names, &common.writer).await?);
        }
        let Some(writer) = &self.writer else { return Ok(()) };
        let sample = i64::try_from(self.plan.sample.as_micros()).unwrap_or(i64::MAX);
        let mut live = Live::new(writer.row_key(), self.columns.clone(), sample);
        if spec.events {
            self.live = Some(live);
            return Ok(());
        }
        let mut pieces = writer.open_versions();
        let none = BTreeMap::new();
        while let Some(piece) = pieces.next().await {
            let batch = match piece? {
                Piece::Rows(batch) => batch,
                // The rows of a damaged file are read again, as new ones.
                Piece::Damaged { file, error, .. } => {
                    tracing::warn!(table = name, file, error, "a recorded file is damaged");
                    continue;
                }
                Piece::Misfit { .. } => continue,
            };
            let column = |name: &str| {
                let missing = || failed(ArrowError::SchemaError(format!("a version has no column `{name}`")));
                batch.column_by_name(name).ok_or_else(missing)
            };
            let ids = column("row_id")?.as_primitive::<Int64Type>();
            let times = column("valid_from")?.as_primitive::<TimestampMicrosecondType>();
            let origins = column("origin")?.as_string_view();
            // The table's own columns follow those of the version.
            let first = crate::archive::Snapshot::version_schema().fields().len();
            let mut own = Vec::with_capacity(self.schema.fields().len());
            for field in self.schema.fields() {
                let position =
                    (first..batch.num_columns()).find(|at| batch.schema_ref().field(*at).name() == field.name());
                own.push(match position {
                    Some(position) => batch.column(position).clone(),
                    None => new_null_array(field.data_type(), batch.num_rows()),
                });
            }
            let nullable: Vec<Field> =
                self.schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
            let own = RecordBatch::try_new(Arc::new(Schema::new(nullable)), own).map_err(failed)?;
            let mut slices = Vec::with_capacity(batch.num_rows());
            for row in 0..batch.num_rows() {
                let origin = if origins.is_null(row) { "" } else { origins.value(row) };
                slices.push(self.slice(common, origin, &none, at));
            }
            live.restore(&own, |row| (ids.value(row), times.value(row), slices[row])).map_err(failed)?;
            if let Some(newest) = times.iter().flatten().max() {
                self.moments.continue_after(Timestamp(newest));
            }
        }
        self.live = Some(live);
        Ok(())
    }

    /// One reading. Returns what it lacks of each slice.
    async fn write_difference(
        &mut self,
        common: &Common,
        at: Timestamp,
        recorded: &mut TableReading,
    ) -> Result<Vec<Option<Lack>>> {
        // After an error or a cancellation, it is read from the store again.
        let Some(mut live) = self.live.take() else { return Ok(Vec::new()) };
        live.begin();
        let timeout = common.engine.limits().timeout.unwrap_or(LONGEST);
        let mut options = QueryOptions { timeout: Some(timeout), ..QueryOptions::default() };
        if self.plan.table.spec().events {
            options = options.consumer(format!("record {}", common.writer)).hold();
        }
        let engine = common.engine.fork();
        let sql = match self.plan.of_users {
            true => with_users(&engine, self.plan.name(), &self.plan.sql).await.map(|(sql, _)| sql),
            false => Ok(self.plan.sql.clone()),
        };
        let planned = match sql {
            Ok(sql) => Box::pin(engine.query_with(&sql, options)).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let (query, mut failure) = match planned {
            Ok(query) => (Some(query), None),
            Err(error) => (None, Some(error)),
        };
        let mut opened = Opened::default();
        let mut events = Vec::new();
        let name = self.plan.name().to_owned();
        let failed = |source| Error::Compare { table: name.clone(), source };
        if let Some(query) = &query {
            let mut batches = query.stream();
            while let Some(batch) = batches.next().await {
                match batch {
                    Ok(batch) => {
                        let batch = self.redaction.apply(batch).map_err(failed)?;
                        recorded.rows += batch.num_rows() as u64;
                        let slices = self.slices_of(common, &query.coverage(), &batch, at).map_err(failed)?;
                        self.compare(&mut live, &batch, &slices, at, &mut opened, &mut events)?;
                        if opened.bytes > FLUSH {
                            // Rows that are new are certain, whatever follows.
                            let rows = std::mem::take(&mut opened.added);
                            opened.bytes = 0;
                            recorded.added += rows_of(&rows);
                            let ended = std::mem::take(&mut events);
                            self.append(Changes { read_at: at, opened: rows, ended }).await?;
                        }
                    }
                    Err(error) => {
                        failure = Some(error.to_string());
                        break;
                    }
                }
            }
        }
        let coverage = query.as_ref().map(Query::coverage).unwrap_or_default();
        recorded.warnings = query.as_ref().map(Query::warnings).unwrap_or_default();
        let lacks = self.lacks(common, &coverage, failure.as_deref(), at);
        recorded.failure = failure;
        if self.plan.table.spec().events {
            recorded.added += rows_of(&opened.added);
            self.append(Changes { read_at: at, opened: opened.added, ended: events }).await?;
            if let Some(query) = &query {
                query.taken().advance();
            }
            live.clear();
        } else {
            let absent = |(track, lack): (&Track, &Option<Lack>)| match lack {
                None => Absent::Ended,
                Some(Lack::Standing { .. }) => {
                    let (since, time) = track.since(lack.as_ref(), self.number, at);
                    // Readings of the state are counted from the time when it was read from the store.
                    Absent::EndedSince(live.reading().saturating_sub(self.number - since).max(1), time)
                }
                Some(Lack::Temporary { .. }) => Absent::Unknown,
            };
            let absents: Vec<Absent> = self.tracks.iter().zip(&lacks).map(absent).collect();
            let absent = |slice: u32| absents.get(slice as usize).copied().unwrap_or(Absent::Unknown);
            let (ended, restored) = live.finish(absent);
            let modified = without_rows(opened.modified, &restored).map_err(failed)?;
            recorded.added += rows_of(&opened.added);
            recorded.modified = rows_of(&modified);
            recorded.ended = (ended.len() as u64).saturating_sub(recorded.modified);
            recorded.rows = live.len() as u64;
            let ended = ended.into_iter().map(|end| End {
                row_id: end.row_id,
                valid_from: Timestamp(end.valid_from),
                valid_to: at,
            });
            let opened = opened.added.into_iter().chain(modified).collect();
            self.append(Changes { read_at: at, opened, ended: ended.collect() }).await?;
        }
        self.live = Some(live);
        Ok(lacks)
    }

    async fn append(&mut self, changes: Changes) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer.append(changes).await,
            None => Ok(()),
        }
    }

    /// Compares a batch with the current rows, and collects the new versions.
    fn compare(
        &self,
        live: &mut Live,
        batch: &RecordBatch,
        slices: &[u32],
        at: Timestamp,
        opened: &mut Opened,
        events: &mut Vec<End>,
    ) -> Result<()> {
        let failed = |source| Error::Compare { table: self.plan.name().to_owned(), source };
        let origin = |row: usize| (slices[row], self.tracks[slices[row] as usize].interval.origin.as_str());
        let Found { added, modified } = live.compare(batch, at.0, origin).map_err(failed)?;
        let times = if self.plan.table.spec().events { event_times(batch) } else { None };
        let time = |row: usize| times.as_ref().and_then(|times| times.get(row).copied().flatten()).unwrap_or(at.0);
        for (rows, is_added) in [(added, true), (modified, false)] {
            if rows.is_empty() {
                continue;
            }
            let positions: UInt64Array = rows.iter().map(|(row, _)| Some(*row as u64)).collect();
            let own = take_record_batch(batch, &positions).map_err(failed)?;
            let not_before = rows
                .iter()
                .map(|(row, _)| self.tracks[slices[*row] as usize].last_read)
                .collect::<TimestampMicrosecondArray>();
            let valid_from: TimestampMicrosecondArray = rows.iter().map(|(row, _)| Some(time(*row))).collect();
            let origins: StringViewArray = rows.iter().map(|(row, _)| Some(origin(*row).1)).collect();
            let ids: Int64Array = rows.iter().map(|(_, id)| Some(*id)).collect();
            if self.plan.table.spec().events {
                let ends = rows.iter().map(|(row, id)| {
                    let time = Timestamp(time(*row));
                    End { row_id: *id, valid_from: time, valid_to: time }
                });
                events.extend(ends);
            }
            let version: [ArrayRef; 4] = [
                Arc::new(ids),
                Arc::new(valid_from.with_timezone("UTC")),
                Arc::new(not_before.with_timezone("UTC")),
                Arc::new(origins),
            ];
            // Views keep the texts of all rows of the batch.
            let own = own.columns().iter().map(|column| match column.as_string_view_opt() {
                Some(texts) => Arc::new(texts.gc()) as ArrayRef,
                None => column.clone(),
            });
            let columns = version.into_iter().chain(own).collect();
            let rows = RecordBatch::try_new(opened_schema(batch.schema_ref()), columns).map_err(failed)?;
            if is_added {
                opened.bytes += rows.get_array_memory_size();
                opened.added.push(rows);
            } else {
                opened.modified.push(rows);
            }
        }
        Ok(())
    }

    /// The number of each row's slice. The values that all rows of a slice share identify it.
    fn slices_of(
        &mut self,
        common: &Common,
        coverage: &[Coverage],
        batch: &RecordBatch,
        at: Timestamp,
    ) -> Result<Vec<u32>, ArrowError> {
        let own: Vec<&Coverage> = coverage.iter().filter(|slice| slice.table == self.plan.name()).collect();
        let rows = batch.num_rows();
        if let [slice] = own.as_slice() {
            return Ok(vec![self.slice(common, &origin(slice), &slice.known, at); rows]);
        }
        // By the columns that identify slices: their values, and the slice.
        let mut kinds: BTreeMap<Vec<usize>, Numbers> = BTreeMap::new();
        for slice in &own {
            let number = self.slice(common, &origin(slice), &slice.known, at);
            let known = slice
                .known
                .iter()
                .filter_map(|(column, value)| Some((batch.schema_ref().index_of(column).ok()?, value.as_str())));
            let (columns, values): (Vec<usize>, Vec<&str>) = known.unzip();
            if !columns.is_empty() {
                kinds.entry(columns).or_default().insert(values, number);
            }
        }
        let mut kinds: Vec<(Vec<ArrayRef>, Numbers)> = kinds
            .into_iter()
            .map(|(columns, slices)| {
                let texts = columns.iter().map(|column| cast(batch.column(*column), &DataType::Utf8View));
                Ok((texts.collect::<Result<_, ArrowError>>()?, slices))
            })
            .collect::<Result<_, ArrowError>>()?;
        kinds.sort_by_key(|(columns, _)| std::cmp::Reverse(columns.len()));
        let mut unknown = None;
        let mut numbers = Vec::with_capacity(rows);
        for row in 0..rows {
            let of_kind = |(columns, slices): &(Vec<ArrayRef>, Numbers)| {
                let values: Vec<&str> = columns.iter().map(|column| column.as_string_view().value(row)).collect();
                slices.get(&values).copied()
            };
            numbers.push(match kinds.iter().find_map(of_kind) {
                Some(number) => number,
                None => *unknown.get_or_insert_with(|| self.slice(common, "", &BTreeMap::new(), at)),
            });
        }
        Ok(numbers)
    }

    /// What a reading lacks of each slice.
    fn lacks(
        &mut self,
        common: &Common,
        coverage: &[Coverage],
        failure: Option<&str>,
        at: Timestamp,
    ) -> Vec<Option<Lack>> {
        if let Some(failure) = failure {
            if self.tracks.is_empty() {
                self.slice(common, "", &BTreeMap::new(), at);
            }
            return self.same_lack(&Lack::Temporary { missing: "query".to_owned(), reason: failure.to_owned() });
        }
        let (own, others): (Vec<&Coverage>, Vec<&Coverage>) =
            coverage.iter().partition(|slice| slice.table == self.plan.name());
        // Keys that other tables did not return may be missing.
        let of_keys = others.iter().filter_map(|slice| lack(slice)).max();
        let own: Vec<(u32, Option<Lack>)> = own
            .iter()
            .map(|slice| {
                let number = self.slice(common, &origin(slice), &slice.known, at);
                (number, lack(slice).max(of_keys.clone()))
            })
            .collect();
        let worst = own.iter().filter_map(|(_, lack)| lack.clone()).max();
        let gone = |track: &Track| match track.interval.origin.is_empty() && !own.is_empty() {
            // Rows that belong to no slice are as complete as all slices.
            true => worst.clone(),
            false => Some(Lack::Temporary {
                missing: "slice".to_owned(),
                reason: "the table no longer reads this slice".to_owned(),
            }),
        };
        let lacks = self.tracks.iter().enumerate().map(|(number, track)| {
            // A slice can be read in several parts.
            let own = own.iter().filter(|(known, _)| *known as usize == number).map(|(_, lack)| lack.clone());
            own.max().unwrap_or_else(|| gone(track))
        });
        lacks.collect()
    }

    /// Compacts the table and removes old versions, if it is time.
    pub(super) async fn maintain(&mut self, common: &Common) -> Result<()> {
        if self.maintained.elapsed() < common.compact {
            return Ok(());
        }
        let most = (self.plan.every / 2).clamp(SHORTEST_STEP, LONGEST_STEP);
        let Some(compacted) = self.compact_within(common, most).await? else { return Ok(()) };
        if compacted.is_left {
            // It continues after the next reading, which waits for it.
            return Ok(());
        }
        self.maintained = Instant::now();
        self.retain(common).await
    }

    /// Compacts the table if it has enough files for that. Then removes old versions.
    pub(super) async fn tidy(&mut self, common: &Common) -> Result<()> {
        match self.compact_within(common, Duration::MAX).await? {
            Some(compacted) if compacted.before > 0 => self.retain(common).await,
            _ => Ok(()),
        }
    }

    async fn compact_within(&mut self, common: &Common, most: Duration) -> Result<Option<Compacted>> {
        let Some(writer) = &mut self.writer else { return Ok(None) };
        writer.compact_within(common.clock.now().wall, most).await.map(Some)
    }

    async fn retain(&mut self, common: &Common) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let keep = Retention { age: self.plan.retain, bytes: self.plan.retain_size, grace: GRACE };
        writer.retain(&keep, common.clock.now().wall).await.map(drop)
    }
}

fn rows_of(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}

/// The name of a slice, which does not depend on how it was read: the values that its rows share.
fn origin(slice: &Coverage) -> String {
    if slice.known.is_empty() {
        return slice.slice.clone();
    }
    slice.known.iter().map(|(column, value)| format!("{column}={value}")).collect::<Vec<_>>().join(" ")
}

/// What was missing of a slice.
fn lack(slice: &Coverage) -> Option<Lack> {
    if slice.completeness == Completeness::Complete {
        return None;
    }
    let (missing, reason) = match &slice.problem {
        Some(problem) => {
            // The name of the slice depends on how it was read.
            let part = problem.origin.strip_prefix(&slice.slice).unwrap_or(&problem.origin);
            let missing = [problem.outcome.name(), part, problem.needs.as_deref().unwrap_or("")].join(" ");
            (missing, format!("{}: {}", slice.completeness.name(), problem.message))
        }
        None => (String::new(), "the query ended before it was read completely".to_owned()),
    };
    let is_temporary = slice.may_change() || slice.problem.is_none();
    Some(if is_temporary { Lack::Temporary { missing, reason } } else { Lack::Standing { missing, reason } })
}

/// Batches without the rows of some ids.
fn without_rows(batches: Vec<RecordBatch>, left_out: &[i64]) -> Result<Vec<RecordBatch>, ArrowError> {
    if left_out.is_empty() {
        return Ok(batches);
    }
    let left_out: std::collections::HashSet<i64> = left_out.iter().copied().collect();
    let kept = |batch: RecordBatch| {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let keep: BooleanArray = ids.iter().map(|id| Some(id.is_none_or(|id| !left_out.contains(&id)))).collect();
        filter_record_batch(&batch, &keep)
    };
    batches.into_iter().map(kept).collect()
}

/// The times of events, if they have times.
fn event_times(batch: &RecordBatch) -> Option<Vec<Option<i64>>> {
    let column = EVENT_TIMES.iter().find_map(|name| batch.column_by_name(name))?;
    match column.data_type() {
        DataType::Timestamp(..) => {
            let micros = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, None);
            let times = cast(column, &micros).ok()?;
            Some(times.as_primitive::<TimestampMicrosecondType>().iter().collect())
        }
        // osquery's times are seconds.
        DataType::Int64 => {
            let seconds = column.as_primitive::<Int64Type>().iter();
            Some(seconds.map(|seconds| seconds?.checked_mul(1_000_000)).collect())
        }
        _ => None,
    }
}
