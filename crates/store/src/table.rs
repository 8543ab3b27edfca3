//! A Parquet file as a table.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use bytes::Bytes;
use indago_table::{
    Collation, ColumnSpec, Error, Kind, Lookup, Reading, Result, ScanContext, Sink, Slice, Table, TableSpec,
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
        let (contents, context) = (self.contents.clone(), context.clone());
        let schema = Arc::new(self.spec.schema().project(&context.columns).map_err(|e| malformed(&contents, &e))?);
        let read = move |sink: &mut dyn Sink| match &contents {
            Contents::File(path) => {
                let file = open_file(path)
                    .map_err(|error| Error::Io { what: path.display().to_string(), message: error.to_string() })?;
                read(file, &contents, &schema, &context, sink)
            }
            Contents::Memory(_, bytes) => read(bytes.clone(), &contents, &schema, &context, sink),
        };
        Ok(vec![Slice { label: String::new(), reading: Reading::Blocking(Box::new(read)) }])
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
    let when = captured_at.map(|moment| format!("Captured at {moment}.")).unwrap_or_default();
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

/// A file's column as the table has it. Text that is no number is NULL, as in osquery; a number that does not fit is an
/// error.
fn as_stored(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    let safe = !array.data_type().is_integer();
    cast_with_options(array, wanted, &CastOptions { safe, ..CastOptions::default() })
}

fn read<R: ChunkReader + 'static>(
    input: R,
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
            Some(array) => as_stored(array, field.data_type())
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
