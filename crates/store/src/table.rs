//! A Parquet file as a table.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Int64Array, TimestampMicrosecondArray};
use arrow_cast::cast;
use arrow_cast::display::array_value_to_string;
use arrow_schema::{ArrowError, DataType, SchemaRef, TimeUnit};
use indago_table::{
    ColumnSpec, Error, KeyEffect, Kind, Lookup, Outcome, Result, ScanContext, Slice, Table, TableSpec, Warning,
};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use crate::input::{Contents, Input};
use crate::missing::{CAPTURED_KEYS, CapturedKeys, MISSING, Missing, Origin, QUERY, parse};
use crate::scan;

/// Metadata key of a file: when its rows were read, in RFC 3339.
pub const CAPTURED_AT: &str = "indago.captured_at";

/// The column of a stored table with the time of its capture.
pub(crate) const CAPTURED_COLUMN: &str = "captured_at";

/// A table whose rows were captured before.
#[derive(Debug)]
pub(crate) struct StoredTable {
    pub(crate) spec: TableSpec,
    pub(crate) contents: Contents,
    /// The label of its slice.
    pub(crate) label: String,
    /// Why its file cannot be read.
    damage: Option<String>,
    /// What was missing when its rows were captured.
    pub(crate) missing: Arc<[Missing]>,
    /// The keys that its rows were captured for; `None` if it has all rows.
    pub(crate) captured_keys: Option<Arc<CapturedKeys>>,
    /// Key columns that are parameters of the live table, such as `pid_with_namespace`: for other values than those of the
    /// capture it would return other rows.
    pub(crate) parameters: Vec<usize>,
}

impl StoredTable {
    pub(crate) fn new(name: &str, contents: Contents, known: Option<&TableSpec>) -> Self {
        let mut stored = StoredTable {
            spec: spec(name, None, None, true, 0, known),
            contents,
            label: String::new(),
            damage: None,
            missing: [].into(),
            captured_keys: None,
            parameters: Vec::new(),
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
                if let Some(text) = value(CAPTURED_KEYS) {
                    match CapturedKeys::parse(&text).filter(|keys| stored.spec.column(&keys.column).is_some()) {
                        Some(keys) => stored.captured_keys = Some(keys.into()),
                        None => missing.push(garbled(CAPTURED_KEYS)),
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
        let position = stored.captured_keys.as_ref().and_then(|captured| stored.spec.column(&captured.column));
        let is_capture = stored.spec.captured_at.is_some();
        let effect_of_parameter = |column: &ColumnSpec| {
            let live = known.and_then(|known| Some(&known.columns[known.column(&column.name)?]))?;
            let selects = live.key_effect == KeyEffect::Selects;
            (live.index && (column.hidden || is_capture && selects)).then_some(live.key_effect)
        };
        for (at, column) in stored.spec.columns.to_mut().iter_mut().enumerate() {
            if let Some(effect) = effect_of_parameter(column) {
                column.key_effect = effect;
                // The captured keys are known, even those without a row.
                if position != Some(at) {
                    stored.parameters.push(at);
                }
            }
        }
        for position in stored.parameters.iter().copied().chain(position) {
            stored.spec.columns.to_mut()[position].index = true;
            stored.spec.lookup = Lookup::PerKey;
        }
        if stored.captured_keys.as_ref().is_some_and(|keys| !keys.are_all) {
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

    /// Makes it one of several files with the same columns.
    pub(crate) fn become_part_of(&mut self, spec: TableSpec) {
        self.spec = spec;
        self.label = self.contents.to_string();
        // Positions in its own columns.
        self.captured_keys = None;
        self.parameters = Vec::new();
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
        Ok(vec![scan::slice(self, context)?])
    }

    fn checks_filters(&self) -> bool {
        true
    }
}

fn footer(contents: &Contents) -> Result<ArrowReaderMetadata, String> {
    // The Parquet reader may panic on damaged files.
    let metadata = catch_unwind(AssertUnwindSafe(|| {
        let input = Input::open(contents, &Arc::default()).map_err(|error| error.to_string())?;
        ArrowReaderMetadata::load(&input, ArrowReaderOptions::new()).map_err(|error| format!("{contents}: {error}"))
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
pub(crate) fn moment(text: &str) -> Option<i64> {
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
pub(crate) fn wide(data_type: &DataType) -> DataType {
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
pub(crate) fn as_stored(
    array: &ArrayRef,
    wanted: &DataType,
    report: impl FnOnce(String, u64),
) -> Result<ArrayRef, ArrowError> {
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
