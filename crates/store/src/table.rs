//! A Parquet file as a table.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{
    Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray, new_null_array,
};
use arrow_cast::cast;
use arrow_cast::display::array_value_to_string;
use arrow_schema::{ArrowError, DataType, SchemaRef};
use bytes::Bytes;
use indago_table::{
    Collation, ColumnSpec, Error, Kind, Lookup, Outcome, Reading, Result, ScanContext, Sink, Slice, Table, TableSpec,
    Warning,
};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use crate::open_file;

/// The key of a file's metadata that says when its rows were read, in RFC 3339.
pub const CAPTURED_AT: &str = "indago.captured_at";

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

/// A table whose rows were captured before.
#[derive(Debug)]
pub(crate) struct StoredTable {
    spec: TableSpec,
    contents: Contents,
    /// Why its file can't be read.
    damage: Option<String>,
}

impl StoredTable {
    pub(crate) fn new(name: &str, contents: Contents, known: Option<&TableSpec>) -> Self {
        let (schema, captured_at, rows, damage) = match footer(&contents) {
            Ok(metadata) => {
                let file = metadata.metadata().file_metadata();
                let pairs = file.key_value_metadata().into_iter().flatten();
                let captured_at = pairs.filter(|pair| pair.key == CAPTURED_AT).find_map(|pair| pair.value.clone());
                (Some(metadata.schema().clone()), captured_at, file.num_rows(), None)
            }
            Err(error) => (None, None, 0, Some(error)),
        };
        let spec = spec(name, schema.as_ref(), captured_at, rows, known);
        StoredTable { spec, contents, damage }
    }
}

impl Table for StoredTable {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        if let Some(damage) = &self.damage {
            return Err(Error::Malformed(format!("{}: {damage}", self.contents)));
        }
        let (table, contents, context) = (self.spec.name.clone(), self.contents.clone(), context.clone());
        let schema = Arc::new(self.spec.schema().project(&context.columns).map_err(|e| malformed(&contents, &e))?);
        let read = move |sink: &mut dyn Sink| match &contents {
            Contents::File(path) => {
                let file = open_file(path)
                    .map_err(|error| Error::Io { what: path.display().to_string(), message: error.to_string() })?;
                read(file, &table, &contents, &schema, &context, sink)
            }
            Contents::Memory(_, bytes) => read(bytes.clone(), &table, &contents, &schema, &context, sink),
        };
        Ok(vec![Slice::new("", Reading::Blocking(Box::new(read)))])
    }
}

fn malformed(contents: &Contents, error: &dyn fmt::Display) -> Error {
    Error::Malformed(format!("{contents}: {error}"))
}

fn footer(contents: &Contents) -> Result<ArrowReaderMetadata, String> {
    let options = ArrowReaderOptions::new();
    let metadata = match contents {
        Contents::File(path) => {
            let file = open_file(path).map_err(|error| error.to_string())?;
            ArrowReaderMetadata::load(&file, options)
        }
        Contents::Memory(_, bytes) => ArrowReaderMetadata::load(bytes, options),
    };
    metadata.map_err(|error| error.to_string())
}

/// What the stored table says of itself: its file's columns, with what the live table says of them.
///
/// In a file that a capture wrote, columns that only the live table has (since a later version) are NULL, and hidden ones
/// stay hidden, added ones added. A file from elsewhere has the columns that it has, and `*` is all of them.
fn spec(
    name: &str,
    schema: Option<&SchemaRef>,
    captured_at: Option<String>,
    rows: i64,
    known: Option<&TableSpec>,
) -> TableSpec {
    let ours = captured_at.is_some() || schema.is_none();
    let mut columns: Vec<ColumnSpec> = Vec::new();
    for field in schema.into_iter().flat_map(|schema| schema.fields()) {
        let live = known.and_then(|known| Some(&known.columns[known.column(field.name())?]));
        columns.push(match live {
            Some(live) => ColumnSpec { hidden: live.hidden && ours, added: live.added && ours, ..stored(live) },
            None => ColumnSpec {
                name: Cow::Owned(field.name().clone()),
                kind: Kind::of(&wide(field.data_type())),
                nullable: true,
                description: Cow::Borrowed(""),
                index: false,
                pattern: false,
                range: false,
                hidden: false,
                added: false,
                collation: Collation::Binary,
                source: None,
                slice: false,
                needs: Cow::Borrowed(&[]),
                path: None,
            },
        });
    }
    for live in known.filter(|_| ours).into_iter().flat_map(|known| known.columns.iter()) {
        if !columns.iter().any(|column| column.name == live.name) {
            columns.push(stored(live));
        }
    }
    let what = known.map(|known| known.description.to_string()).unwrap_or_default();
    let when = captured_at.map(|moment| format!("{CAPTURED}{moment}.")).unwrap_or_default();
    TableSpec {
        name: Cow::Owned(name.to_owned()),
        environment: known.map_or(Cow::Borrowed("store"), |known| known.environment.clone()),
        description: Cow::Owned([what, when].join("\n\n").trim().to_owned()),
        columns: Cow::Owned(columns),
        sources: Cow::Borrowed(&[]),
        require_any: Cow::Borrowed(&[]),
        examples: known.map_or(Cow::Borrowed(&[]), |known| known.examples.clone()),
        platforms: Cow::Borrowed(&[]),
        reads: Cow::Owned(name.to_owned()),
        typical_rows: u64::try_from(rows).unwrap_or(0),
        needs: Cow::Borrowed(&[]),
        lookup: Lookup::WholeSource,
    }
}

/// What a stored table's description says before the moment of its capture.
const CAPTURED: &str = "Captured at ";

/// When a table's rows were captured, as its description says; `None` for a live table's.
pub(crate) fn captured_at(spec: &TableSpec) -> Option<&str> {
    let moment = spec.description.lines().last()?.strip_prefix(CAPTURED)?.strip_suffix('.')?;
    chrono::DateTime::parse_from_rfc3339(moment).is_ok().then_some(moment)
}

/// A live column as a stored one: read whole, NULL where it is missing.
fn stored(live: &ColumnSpec) -> ColumnSpec {
    ColumnSpec { nullable: true, index: false, pattern: false, range: false, source: None, ..live.clone() }
}

/// The type that the engine works with, for a type as files have it.
fn wide(data_type: &DataType) -> DataType {
    use DataType::{
        Dictionary, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, Null, UInt8, UInt16, UInt32,
        UInt64, Utf8, Utf8View,
    };
    match data_type {
        Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32 | UInt64 => Int64,
        Float16 | Float32 => Float64,
        Utf8 | LargeUtf8 | Null => Utf8View,
        Dictionary(_, value) => wide(value),
        other => other.clone(),
    }
}

/// A file's column as the table has it. What does not fit is NULL, and reported.
///
/// Whoever wrote the file had no type for times: numbers are seconds there, as osquery and kubequery have them.
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
    // Text that is empty is how others write NULL.
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

/// A time in seconds as the engine has it.
fn microseconds(seconds: f64) -> Option<i64> {
    let whole = integer(seconds.trunc())?.checked_mul(1_000_000)?;
    whole.checked_add((seconds.fract() * 1e6).round() as i64)
}

/// A real without a fraction that is in reach of an integer.
fn integer(real: f64) -> Option<i64> {
    // The end of the reach is no integer itself, but the first real beyond.
    let end = -(i64::MIN as f64);
    (real.fract() == 0.0 && (-end..end).contains(&real)).then_some(real as i64)
}

fn read<R: ChunkReader + 'static>(
    input: R,
    table: &str,
    contents: &Contents,
    schema: &SchemaRef,
    context: &ScanContext,
    sink: &mut dyn Sink,
) -> Result<()> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(input).map_err(|error| malformed(contents, &error))?;
    let in_file = builder.schema().clone();
    let wanted = schema.fields().iter().filter_map(|field| in_file.index_of(field.name()).ok());
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let mut builder = builder.with_projection(mask).with_batch_size(context.batch_size);
    if let Some(limit) = context.limit {
        builder = builder.with_limit(limit);
    }
    for batch in builder.build().map_err(|error| malformed(contents, &error))? {
        if context.meter.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let batch = batch.map_err(|error| malformed(contents, &error))?;
        let arrays = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            Some(array) => as_stored(array, field.data_type(), |message, count| {
                context.query.diagnostics().add(Warning {
                    table: table.to_owned(),
                    origin: format!("{contents}, {}", field.name()),
                    outcome: Outcome::Malformed,
                    message,
                    needs: None,
                    count,
                });
            })
            .map_err(|error| malformed(contents, &format!("column `{}`: {error}", field.name()))),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        });
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)
            .map_err(|error| malformed(contents, &error))?;
        context.meter.add_rows(batch.num_rows() as u64);
        context.meter.add_bytes(batch.get_array_memory_size() as u64);
        if !sink.blocking_send(batch) {
            break;
        }
    }
    Ok(())
}
