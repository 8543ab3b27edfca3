//! A Parquet file as a table.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray,
    new_null_array,
};
use arrow_cast::cast;
use arrow_cast::display::array_value_to_string;
use arrow_schema::{ArrowError, DataType, SchemaRef, TimeUnit};
use arrow_select::filter::filter_record_batch;
use bytes::Bytes;
use indago_table::{
    ColumnSpec, Completeness, Error, KeyEffect, Kind, Lookup, Outcome, Reading, Result, Scalar, ScanContext, Sink,
    Slice, Sys, Table, TableSpec, Warning,
};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use crate::missing::{ASKED, Asked, MISSING, Missing, Origin, QUERY, parse};

/// Metadata key of a file: when its rows were read, in RFC 3339.
pub const CAPTURED_AT: &str = "indago.captured_at";

/// The column of a stored table with the time of its capture.
pub(crate) const CAPTURED_COLUMN: &str = "captured_at";

/// The bytes of a Parquet file.
#[derive(Clone)]
pub(crate) enum Contents {
    File(PathBuf),
    Memory(String, Bytes),
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contents::File(path) => write!(f, "{}", path.display()),
            Contents::Memory(name, _) => write!(f, "{name}.parquet (embedded)"),
        }
    }
}

impl Contents {
    /// The table that the file is named after.
    fn table(&self) -> Option<Cow<'_, str>> {
        match self {
            Contents::File(path) => path.file_stem().map(|name| name.to_string_lossy()),
            Contents::Memory(name, _) => Some(name.into()),
        }
    }
}

/// A table whose rows were captured before.
#[derive(Debug)]
pub(crate) struct StoredTable {
    spec: TableSpec,
    contents: Contents,
    /// Why its file cannot be read.
    damage: Option<String>,
    /// What was missing when its rows were captured.
    missing: Arc<[Missing]>,
    /// The keys that its rows were captured for; `None` if it has all rows.
    asked: Option<Arc<Asked>>,
    /// Key columns that select the rows of the live table, such as `pid_with_namespace`: for other keys than those of the
    /// capture it would return other rows.
    questions: Vec<usize>,
}

impl StoredTable {
    pub(crate) fn new(name: &str, contents: Contents, known: Option<&TableSpec>) -> Self {
        let mut stored = StoredTable {
            spec: spec(name, None, None, true, 0, known),
            contents,
            damage: None,
            missing: [].into(),
            asked: None,
            questions: Vec::new(),
        };
        match footer(&stored.contents) {
            Ok(metadata) => {
                let file = metadata.metadata().file_metadata();
                let pairs = || file.key_value_metadata().into_iter().flatten();
                // Metadata that is known only after the last row is written last.
                let value = |key: &str| pairs().rfind(|pair| pair.key == key).and_then(|pair| pair.value.clone());
                let captured_at = value(CAPTURED_AT);
                let origin = value(QUERY).map(|text| Origin::parse(&text));
                let own_name = stored.contents.table().unwrap_or(name.into()).into_owned();
                let lacks_columns = matches!(&origin, Some(Some(origin)) if !origin.has_columns_of(&own_name));
                let all_columns = captured_at.is_some() && !lacks_columns;
                stored.spec = spec(name, Some(metadata.schema()), captured_at, all_columns, file.num_rows(), known);
                let garbled = |key: &str| {
                    let message = format!("{}: its metadata `{key}` is malformed", stored.contents);
                    let warning = Warning {
                        table: name.to_owned(),
                        origin: String::new(),
                        outcome: Outcome::Malformed,
                        message,
                        needs: None,
                        count: 1,
                        lines: None,
                    };
                    Missing::of_table(warning)
                };
                let mut missing = match value(MISSING) {
                    Some(text) => parse(name, &text).unwrap_or_else(|| vec![garbled(MISSING)]),
                    None => Vec::new(),
                };
                if let Some(text) = value(ASKED) {
                    match Asked::parse(&text).filter(|asked| stored.spec.column(&asked.column).is_some()) {
                        Some(asked) => stored.asked = Some(asked.into()),
                        None => missing.push(garbled(ASKED)),
                    }
                }
                match origin {
                    // A file with any other name is not the capture of a table.
                    Some(Some(origin)) if known.is_some() => missing.extend(origin.lacks(&own_name)),
                    Some(Some(_)) | None => {}
                    Some(None) => missing.push(garbled(QUERY)),
                }
                stored.missing = missing.into();
            }
            Err(error) => stored.damage = Some(error),
        }
        // The table needs its keys to report which of them were not captured.
        let position = stored.asked.as_ref().and_then(|asked| stored.spec.column(&asked.column));
        let is_capture = stored.spec.captured_at.is_some();
        let selects = |column: &ColumnSpec| {
            let live = known.and_then(|known| Some(&known.columns[known.column(&column.name)?]))?;
            let selects = live.key_effect == KeyEffect::Selects;
            (live.index && (column.hidden || is_capture && selects)).then_some(live.key_effect)
        };
        for (at, column) in stored.spec.columns.to_mut().iter_mut().enumerate() {
            if let Some(effect) = selects(column) {
                column.key_effect = effect;
                stored.questions.push(at);
            }
        }
        for position in stored.questions.iter().copied().chain(position) {
            stored.spec.columns.to_mut()[position].index = true;
            stored.spec.lookup = Lookup::PerKey;
        }
        if position.is_some() {
            // So the planner uses a lookup join, which passes keys, however few rows there are.
            stored.spec.typical_rows = u64::from(u32::MAX);
        }
        stored
    }
}

impl StoredTable {
    /// Why its file cannot be read.
    pub(crate) fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Its file, as a name.
    pub(crate) fn file(&self) -> String {
        self.contents.to_string()
    }

    /// Makes it one of several files with the same columns.
    pub(crate) fn become_part_of(&mut self, spec: TableSpec) {
        self.spec = spec;
        // Positions in its own columns.
        self.asked = None;
        self.questions = Vec::new();
    }
}

impl Table for StoredTable {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        if let Some(damage) = &self.damage {
            return Err(Error::Malformed(damage.clone()));
        }
        let (table, contents, context) = (self.spec.name.clone(), self.contents.clone(), context.clone());
        let schema = Arc::new(self.spec.schema().project(&context.columns).map_err(|e| malformed(&contents, &e))?);
        let (missing, asked) = (self.missing.clone(), self.asked.clone());
        let captured_at = self.spec.captured_at.as_deref().and_then(moment);
        let key = asked.as_ref().and_then(|asked| Some((asked.clone(), self.spec.column(&asked.column)?)));
        let questions: Vec<_> =
            self.questions.iter().map(|at| (*at, self.spec.columns[*at].name.to_string())).collect();
        let read = move |sink: &mut dyn Sink| {
            // A join reads the table once per batch of keys; report the missing data once.
            if !missing.is_empty() && context.query.is_first(&format!("what {contents} lacks as {table}")) {
                for missing in missing.iter() {
                    missing.tell_slice(&table, &context.query);
                    context.query.add(&missing.slice, missing.completeness, missing.warning.clone());
                }
            }
            let scan = Stored { table: &table, contents: &contents, schema: &schema, captured_at, context: &context };
            let mut keys: Vec<Keys> = Vec::new();
            keys.extend(key.and_then(|(asked, position)| scan.captured_for(&asked, position)));
            keys.extend(questions.into_iter().filter_map(|(position, column)| {
                let wanted = scan.wanted(position)?;
                Some(Keys { column, unseen: wanted.clone(), wanted })
            }));
            // The Parquet reader may panic on damaged files.
            let outcome = catch_unwind(AssertUnwindSafe(|| match &contents {
                Contents::File(path) => scan.read(open(path)?, &mut keys, sink),
                Contents::Memory(_, bytes) => scan.read(bytes.clone(), &mut keys, sink),
            }));
            outcome.unwrap_or_else(|_| Err(malformed(&contents, &"the file is damaged")))
        };
        Ok(vec![Slice::new("", Reading::Blocking(Box::new(read)))])
    }
}

/// Opens a regular file.
fn open(path: &Path) -> Result<File> {
    let file = Sys::live().open(path)?;
    file.as_file().try_clone().map_err(|error| Error::io(path.display().to_string(), &error))
}

/// The keys of a column that a query names.
struct Keys {
    column: String,
    wanted: HashSet<String>,
    /// Keys without a row so far. Only a row proves that a key was captured.
    unseen: HashSet<String>,
}

fn text(key: &Scalar) -> Option<String> {
    match key {
        Scalar::Text(text) => Some(text.clone()),
        Scalar::Integer(number) => Some(number.to_string()),
        Scalar::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

fn malformed(contents: &Contents, error: &dyn fmt::Display) -> Error {
    Error::Malformed(format!("{contents}: {error}"))
}

fn footer(contents: &Contents) -> Result<ArrowReaderMetadata, String> {
    let options = ArrowReaderOptions::new();
    let damaged = |error| format!("{contents}: {error}");
    // The Parquet reader may panic on damaged files.
    let metadata = catch_unwind(AssertUnwindSafe(|| match contents {
        Contents::File(path) => {
            let file = open(path).map_err(|error| error.to_string())?;
            ArrowReaderMetadata::load(&file, options).map_err(damaged)
        }
        Contents::Memory(_, bytes) => ArrowReaderMetadata::load(bytes, options).map_err(damaged),
    }));
    metadata.unwrap_or_else(|_| Err(format!("{contents}: the file is damaged")))
}

/// The specification of the stored table: its file's columns, with the live table's documentation.
///
/// In a file that a capture wrote, or a query for all columns of the table, columns that only the live table has (since a
/// later version) are NULL, and hidden ones stay hidden, added ones added. A file from elsewhere has the columns that it has,
/// and `*` is all of them.
fn spec(
    name: &str,
    schema: Option<&SchemaRef>,
    captured_at: Option<String>,
    all_columns: bool,
    rows: i64,
    known: Option<&TableSpec>,
) -> TableSpec {
    let mut columns: Vec<ColumnSpec> = Vec::new();
    for field in schema.into_iter().flat_map(|schema| schema.fields()) {
        let live = known.and_then(|known| Some(&known.columns[known.column(field.name())?]));
        columns.push(match live {
            Some(live) => {
                let mut column = stored(live);
                (column.hidden, column.added) = (live.hidden && all_columns, live.added && all_columns);
                column
            }
            None => ColumnSpec::new(field.name().clone(), Kind::of(&wide(field.data_type())), ""),
        });
    }
    for live in known.filter(|_| all_columns).into_iter().flat_map(|known| known.columns.iter()) {
        if !columns.iter().any(|column| column.name == live.name) {
            columns.push(stored(live));
        }
    }
    if !columns.iter().any(|column| column.name == CAPTURED_COLUMN) {
        let about = "When the row was captured; NULL for a file that does not have the time of a capture.";
        let mut column = ColumnSpec::new(CAPTURED_COLUMN, Kind::Timestamp, about);
        (column.hidden, column.added) = (true, true);
        columns.push(column);
    }
    let what = known.map(|known| known.description.to_string()).unwrap_or_default();
    let when = captured_at.as_ref().map(|moment| format!("Captured at {moment}.")).unwrap_or_default();
    let environment = known.map_or(Cow::Borrowed("store"), |known| known.environment.clone());
    let description = [what, when].join("\n\n").trim().to_owned();
    let mut spec = TableSpec::new(name.to_owned(), environment, description, columns);
    if let Some(known) = known {
        spec.examples = known.examples.clone();
        if known.identity.iter().all(|column| spec.column(column).is_some()) {
            spec.identity = known.identity.clone();
        }
    }
    spec.typical_rows = u64::try_from(rows).unwrap_or(0);
    spec.lookup = Lookup::WholeSource;
    spec.captured_at = captured_at.filter(|text| moment(text).is_some()).map(Cow::Owned);
    spec
}

/// Microseconds since 1970 of a time in RFC 3339.
fn moment(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.timestamp_micros())
}

/// A live column as a stored one: without keys, and NULL where it is missing.
fn stored(live: &ColumnSpec) -> ColumnSpec {
    let mut column = live.clone();
    (column.nullable, column.source) = (true, None);
    (column.index, column.pattern, column.range) = (false, false, false);
    column.key_effect = KeyEffect::default();
    column
}

/// The engine's type for a type in a file.
fn wide(data_type: &DataType) -> DataType {
    use DataType::{
        Dictionary, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, Null, Timestamp, UInt8, UInt16,
        UInt32, UInt64, Utf8, Utf8View,
    };
    match data_type {
        Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32 | UInt64 => Int64,
        Float16 | Float32 => Float64,
        Utf8 | LargeUtf8 | Null => Utf8View,
        // A timestamp is one value in every time zone and unit.
        Timestamp(..) => Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Dictionary(_, value) => wide(value),
        other => other.clone(),
    }
}

/// A file's column as the table has it. A value that does not fit is NULL, and reported.
///
/// Numbers in a column of times are seconds, as in osquery and kubequery: the program that wrote the file had no type
/// for times.
fn as_stored(array: &ArrayRef, wanted: &DataType, report: impl FnOnce(String, u64)) -> Result<ArrayRef, ArrowError> {
    let array = match array.data_type() {
        DataType::Dictionary(_, value) => &cast(array, value)?,
        _ => array,
    };
    let has_fractions = array.data_type().is_floating() || matches!(array.data_type(), DataType::Decimal128(_, 1..));
    let stored = match wanted {
        DataType::Timestamp(..) if array.data_type().is_numeric() => {
            let seconds = cast(array, &DataType::Float64)?;
            let times = seconds.as_primitive::<Float64Type>().iter().map(|seconds| microseconds(seconds?));
            cast(&(Arc::new(times.collect::<TimestampMicrosecondArray>()) as ArrayRef), wanted)?
        }
        DataType::Int64 if has_fractions => {
            let reals = cast(array, &DataType::Float64)?;
            let integers = reals.as_primitive::<Float64Type>().iter().map(|real| integer(real?));
            Arc::new(integers.collect::<Int64Array>())
        }
        _ => cast(array, wanted)?,
    };
    // Other programs write NULL as empty text.
    let texts = array.data_type().is_string().then(|| cast(array, &DataType::Utf8View)).transpose()?;
    let is_empty = |row| texts.as_ref().is_some_and(|texts| texts.as_string_view().value(row).trim().is_empty());
    let nulls = array.logical_nulls();
    let is_given = |row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) && !is_empty(row);
    let is_lost = |row: &usize| stored.is_null(*row) && is_given(*row);
    if stored.null_count() > array.logical_null_count() {
        let mut lost = (0..array.len()).filter(is_lost);
        if let Some(first) = lost.next() {
            let value = array_value_to_string(array, first)?;
            let message = format!("`{value}` does not fit {} and is NULL", Kind::of(wanted).name());
            report(message, 1 + lost.count() as u64);
        }
    }
    Ok(stored)
}

/// A time in seconds as the engine's timestamp.
fn microseconds(seconds: f64) -> Option<i64> {
    let whole = integer(seconds.trunc())?.checked_mul(1_000_000)?;
    whole.checked_add((seconds.fract() * 1e6).round() as i64)
}

/// A real without a fraction, within the range of integers.
fn integer(real: f64) -> Option<i64> {
    // The upper end of the range is not an integer but the first real above.
    let end = -(i64::MIN as f64);
    (real.fract() == 0.0 && (-end..end).contains(&real)).then_some(real as i64)
}

/// A scan of a stored table.
struct Stored<'a> {
    table: &'a str,
    contents: &'a Contents,
    schema: &'a SchemaRef,
    /// The time of the capture, in microseconds since 1970.
    captured_at: Option<i64>,
    context: &'a ScanContext,
}

impl Stored<'_> {
    fn wanted(&self, position: usize) -> Option<HashSet<String>> {
        Some(self.context.constraints.keys(position)?.iter().filter_map(text).collect())
    }

    /// The keys that a query names, of a table that was captured for some keys; reports the others.
    fn captured_for(&self, asked: &Asked, position: usize) -> Option<Keys> {
        let column = asked.column.clone();
        let wanted = self.wanted(position);
        match &wanted {
            None => {
                let count = asked.keys.len();
                self.report(format!("only the {count} values of `{column}` that other tables mentioned were captured"));
            }
            Some(wanted) => self.report_uncaptured(&column, wanted.iter().filter(|key| !asked.has(key))),
        }
        Some(Keys { column, wanted: wanted?, unseen: HashSet::new() })
    }

    fn report_uncaptured<'a>(&self, column: &str, keys: impl Iterator<Item = &'a String>) {
        let mut keys: Vec<&String> = keys.collect();
        keys.sort_unstable();
        match (keys.first(), keys.len()) {
            (None, _) => {}
            (Some(key), 1) => self.report(format!("{column} = '{key}' was not captured")),
            (Some(key), count) => self.report(format!("{column} = '{key}' and {} more were not captured", count - 1)),
        }
    }

    fn report(&self, message: String) {
        let (table, outcome) = (self.table.to_owned(), Outcome::Unsupported);
        let warning = Warning { table, origin: String::new(), outcome, message, needs: None, count: 1, lines: None };
        self.context.query.add("", Completeness::Partial, warning);
    }

    fn read<R: ChunkReader + 'static>(&self, input: R, keys: &mut [Keys], sink: &mut dyn Sink) -> Result<()> {
        let Stored { contents, schema, context, .. } = *self;
        let builder = ParquetRecordBatchReaderBuilder::try_new(input).map_err(|error| malformed(contents, &error))?;
        let in_file = builder.schema().clone();
        let names = schema.fields().iter().map(|field| field.name()).chain(keys.iter().map(|keys| &keys.column));
        let mask =
            ProjectionMask::roots(builder.parquet_schema(), names.filter_map(|name| in_file.index_of(name).ok()));
        let mut builder = builder.with_projection(mask).with_batch_size(context.batch_size);
        if let Some(limit) = context.limit.filter(|_| keys.is_empty()) {
            builder = builder.with_limit(limit);
        }
        for batch in builder.build().map_err(|error| malformed(contents, &error))? {
            if context.meter.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let mut batch = batch.map_err(|error| malformed(contents, &error))?;
            let columns = keys.iter().map(|keys| column_of(&batch, &keys.column)).collect::<Result<Vec<_>, _>>();
            let columns = columns.map_err(|error| malformed(contents, &error))?;
            for (keys, column) in keys.iter_mut().zip(&columns).filter(|(keys, _)| !keys.unseen.is_empty()) {
                column.as_string_view().iter().flatten().for_each(|text| _ = keys.unseen.remove(text));
            }
            let is_wanted = |row: usize| {
                keys.iter().zip(&columns).all(|(keys, column)| {
                    let column = column.as_string_view();
                    column.is_valid(row) && keys.wanted.contains(column.value(row))
                })
            };
            if !keys.is_empty() {
                let wanted = BooleanArray::from_iter((0..batch.num_rows()).map(|row| Some(is_wanted(row))));
                batch = filter_record_batch(&batch, &wanted).map_err(|error| malformed(contents, &error))?;
            }
            let batch = self.batch(&batch)?;
            context.meter.add_rows(batch.num_rows() as u64);
            context.meter.add_bytes(batch.get_array_memory_size() as u64);
            if !sink.blocking_send(batch) {
                return Ok(());
            }
        }
        keys.iter().for_each(|keys| self.report_uncaptured(&keys.column, keys.unseen.iter()));
        Ok(())
    }

    /// Rows of the file as rows of the table.
    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let Stored { table, contents, schema, captured_at, context } = *self;
        let arrays = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            Some(array) => as_stored(array, field.data_type(), |message, count| {
                let warning = Warning {
                    table: table.to_owned(),
                    origin: format!("{contents}, {}", field.name()),
                    outcome: Outcome::Malformed,
                    message,
                    needs: None,
                    count,
                    lines: None,
                };
                context.query.add("", Completeness::Partial, warning);
            })
            .map_err(|error| malformed(contents, &format!("column `{}`: {error}", field.name()))),
            None if field.name() == CAPTURED_COLUMN && captured_at.is_some() => {
                let moments = std::iter::repeat_n(captured_at, batch.num_rows());
                let moments: ArrayRef = Arc::new(moments.collect::<TimestampMicrosecondArray>());
                cast(&moments, field.data_type()).map_err(|error| malformed(contents, &error))
            }
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        });
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(|error| malformed(contents, &error))
    }
}

/// A column as text; NULL if the file does not have it.
fn column_of(batch: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
    match batch.column_by_name(name) {
        Some(array) => cast(array, &DataType::Utf8View),
        None => Ok(new_null_array(&DataType::Utf8View, batch.num_rows())),
    }
}
