//! Data files: Parquet with versions, and the ends of versions in other files.
//!
//! Versions are sorted by the table's identity and by time, in row groups and pages that are small enough for a query
//! of one row's history to read few of them. Ends follow in a row group of their own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
    new_null_array,
};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use indago_table::Timestamp;
use indago_table::scan::{ColumnStatistics, RowGroups};
use indago_table::{RowFilter, TableSpec};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value};

use super::End;
use super::columns::{Columns, IS_END, NOT_BEFORE, ORIGIN, ROW_ID, VALID_FROM, VALID_TO, WRITER, time};
use super::log::{Add, milliseconds, sha256};
use super::place::as_directory;

/// Rows of a row group, and of a page.
const GROUP: usize = 32 << 10;
const PAGE: usize = 1 << 10;
/// Bytes of a text in statistics.
const TEXT: usize = 64;

/// Tags of a file in the log.
const KIND: &str = "indago.kind";
const OPEN: &str = "indago.open";
const ENDS: &str = "indago.ends";

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// One reading's versions and ends.
    Reading,
    /// Versions that are still open, or were when it was written, and the ends that compaction could not fold.
    Open,
    /// Versions that are closed.
    Sealed,
}

const ROLES: [(Role, &str); 3] = [(Role::Reading, "reading"), (Role::Open, "open"), (Role::Sealed, "sealed")];

/// A data file, as the log has it.
#[derive(Debug)]
pub(super) struct DataFile {
    pub(super) add: Add,
    pub(super) writer: String,
    pub(super) role: Role,
    /// Versions without an end in this file.
    pub(super) open: u64,
    /// Ends of versions.
    pub(super) ends: u64,
    /// Rows, ends included.
    pub(super) rows: u64,
    /// Bounds of `valid_from` and `valid_to`, if they are known.
    pub(super) from: Option<(i64, i64)>,
    pub(super) to: Option<(i64, i64)>,
    /// The ends, once they are read.
    pub(super) read_ends: OnceLock<Arc<Vec<End>>>,
}

impl DataFile {
    pub(super) fn new(add: Add) -> Self {
        let tags = add.tags.as_ref();
        let tag = |key: &str| tags.and_then(|tags| tags.get(key)).map(String::as_str);
        let role = ROLES.iter().find(|(_, name)| tag(KIND) == Some(name)).map_or(Role::Reading, |(role, _)| *role);
        let number = |key: &str| tag(key).and_then(|text| text.parse::<u64>().ok());
        let stats = add.stats.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
        let bound = |of: &str, name: &str| {
            let text = stats[of][name].as_str()?;
            chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros())
        };
        let bounds = |name: &str| Some((bound("minValues", name)?, bound("maxValues", name)?));
        let rows = stats["numRecords"].as_u64().unwrap_or(0);
        DataFile {
            writer: add.partition_values.get(WRITER).cloned().flatten().unwrap_or_default(),
            role,
            open: number(OPEN).unwrap_or(rows),
            ends: number(ENDS).unwrap_or(rows),
            rows,
            from: bounds(VALID_FROM),
            to: bounds(VALID_TO),
            read_ends: OnceLock::new(),
            add,
        }
    }

    pub(super) fn versions(&self) -> u64 {
        self.rows.saturating_sub(self.ends)
    }

    /// The SHA-256 in its name.
    pub(super) fn sha256(&self) -> Option<&str> {
        let name = self.add.path.rsplit('/').next()?.strip_suffix(".parquet")?;
        name.rsplit('-').next().filter(|text| text.len() == 64)
    }

    /// Whether filters may keep rows of it, by the statistics in the log.
    pub(super) fn may_keep(&self, filters: &[Arc<dyn RowFilter>], table: &SchemaRef, columns: &Columns) -> bool {
        // The statistics are parsed only for filters.
        let stats = if filters.is_empty() { None } else { self.add.stats.as_deref() };
        let Some(stats) = stats.and_then(|text| serde_json::from_str::<Value>(text).ok()) else { return true };
        let of_column = |position: usize| -> Option<ColumnStatistics> {
            let wanted = table.fields().get(position)?;
            let mut all = columns.all(wanted.name());
            let column = all.next()?;
            // Values of an older type are in another column.
            if all.next().is_some() {
                return None;
            }
            let bound = |of: &str| bound_array(&stats[of][&column.stored], &column.data_type, wanted.data_type());
            let nulls = stats["nullCount"][&column.stored].as_u64();
            Some(ColumnStatistics {
                minima: bound("minValues")?,
                maxima: bound("maxValues")?,
                nulls: [nulls].into_iter().collect(),
            })
        };
        filters.iter().all(|filter| {
            let statistics = filter.columns().iter().map(|position| of_column(*position)).collect();
            let kept = filter.may_keep(&RowGroups { rows: vec![self.rows], columns: statistics });
            kept.is_none_or(|kept| kept.first().copied().unwrap_or(true))
        })
    }
}

/// A bound in the log as an array of a table's type.
fn bound_array(value: &Value, stored: &DataType, wanted: &DataType) -> Option<ArrayRef> {
    let array: ArrayRef = match stored {
        DataType::Int64 => Arc::new(Int64Array::from(vec![value.as_i64()?])),
        DataType::Utf8 => Arc::new(StringArray::from(vec![value.as_str()?])),
        DataType::Timestamp(..) => {
            let time = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
            Arc::new(TimestampMicrosecondArray::from(vec![time.timestamp_micros()]).with_timezone("UTC"))
        }
        _ => return None,
    };
    let is_same_order = *stored == *wanted || matches!((stored, wanted), (DataType::Utf8, DataType::Utf8View));
    if !is_same_order {
        return None;
    }
    arrow_cast::cast(&array, wanted).ok()
}

/// How the files of a table are written.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) writer: String,
    /// The writer's columns by their names in files.
    own: HashMap<String, String>,
    pub(super) schema: SchemaRef,
    /// Positions of the columns that files are sorted by.
    pub(super) order: Vec<usize>,
    /// Positions of the columns with statistics in the log.
    bounded: Vec<usize>,
}

impl Layout {
    pub(super) fn new(spec: &TableSpec, writer: &str, columns: &Columns) -> Self {
        let schema = columns.file_schema();
        let own =
            |(name, stored): (&str, DataType)| Some((columns.find(name, &stored)?.stored.clone(), name.to_owned()));
        let own: HashMap<String, String> = Columns::allowed(spec).filter_map(own).collect();
        let stored = |name: &str| {
            let (stored, _) = own.iter().find(|(_, own)| *own == name)?;
            schema.index_of(stored).ok()
        };
        let flat = |position: &usize| !schema.field(*position).data_type().is_nested();
        let position = |name: &str| schema.index_of(name).ok();
        let mut order: Vec<usize> = spec.identity.iter().filter_map(|name| stored(name)).filter(flat).collect();
        let mut bounded: Vec<usize> = [VALID_FROM, VALID_TO, ROW_ID].into_iter().filter_map(position).collect();
        bounded.extend(&order);
        let slices = spec.columns.iter().filter(|column| column.slice).filter_map(|column| stored(&column.name));
        bounded.extend(slices.filter(flat));
        bounded.sort_unstable();
        bounded.dedup();
        order.extend([ROW_ID, VALID_FROM].into_iter().filter_map(position));
        Layout { writer: writer.to_owned(), own, schema, order, bounded }
    }

    /// Encodes the order of rows.
    pub(super) fn sorter(&self) -> Result<RowConverter, ArrowError> {
        let field = |position: &usize| SortField::new(self.schema.field(*position).data_type().clone());
        RowConverter::new(self.order.iter().map(field).collect())
    }

    pub(super) fn order_of(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.order.iter().map(|position| batch.column(*position).clone()).collect()
    }

    fn properties(&self) -> WriterProperties {
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP))
            .set_data_page_row_count_limit(PAGE)
            .set_write_batch_size(PAGE)
            .set_statistics_enabled(EnabledStatistics::Chunk);
        for (position, field) in self.schema.fields().iter().enumerate() {
            let path = ColumnPath::from(field.name().as_str());
            if self.bounded.contains(&position) || field.name() == IS_END {
                properties = properties.set_column_statistics_enabled(path, EnabledStatistics::Page);
            } else if *field.data_type() == DataType::Float64 {
                properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
            }
        }
        properties.build()
    }

    /// Rows of a reading as they are stored, sorted.
    pub(super) fn sorted(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let rows = self.sorter()?.convert_columns(&self.order_of(batch))?;
        let mut positions: Vec<u32> = (0..u32::try_from(batch.num_rows()).unwrap_or(u32::MAX)).collect();
        positions.sort_unstable_by(|a, b| rows.row(*a as usize).cmp(&rows.row(*b as usize)));
        take_record_batch(batch, &UInt32Array::from(positions))
    }

    /// Ends as rows.
    fn ends(&self, ends: &[End]) -> Result<RecordBatch, ArrowError> {
        let times = |of: fn(&End) -> i64| -> ArrayRef {
            Arc::new(ends.iter().map(|end| Some(of(end))).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        };
        let arrays = self.schema.fields().iter().map(|field| match field.name().as_str() {
            VALID_FROM => times(|end| end.valid_from.0),
            VALID_TO => times(|end| end.valid_to.0),
            ROW_ID => Arc::new(ends.iter().map(|end| Some(end.row_id)).collect::<Int64Array>()) as ArrayRef,
            IS_END => Arc::new(BooleanArray::from(vec![true; ends.len()])) as ArrayRef,
            _ => new_null_array(field.data_type(), ends.len()),
        });
        RecordBatch::try_new(self.schema.clone(), arrays.collect())
    }
}

/// A complete data file.
pub(super) struct Encoded {
    pub(super) add: Add,
    pub(super) bytes: bytes::Bytes,
}

/// A data file in memory, while it is written.
pub(super) struct Encoder {
    layout: Arc<Layout>,
    writer: ArrowWriter<Vec<u8>>,
    bounds: Vec<Bounds>,
    pub(super) rows: u64,
    open: u64,
}

impl Encoder {
    pub(super) fn new(layout: Arc<Layout>) -> Result<Self, ParquetError> {
        let options = parquet::arrow::arrow_writer::ArrowWriterOptions::new()
            .with_properties(layout.properties())
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), layout.schema.clone(), options)?;
        let bounds = layout.bounded.iter().map(|_| Bounds::default()).collect();
        Ok(Encoder { layout, writer, bounds, rows: 0, open: 0 })
    }

    /// Appends sorted versions.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let valid_to = batch.column_by_name(VALID_TO).map_or(0, |column| column.null_count());
        self.open += valid_to as u64;
        self.write_rows(batch)
    }

    fn write_rows(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        for (bounds, position) in self.bounds.iter_mut().zip(&self.layout.bounded) {
            bounds.add(batch.column(*position));
        }
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch)
    }

    /// Approximate bytes so far.
    pub(super) fn size(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// Appends the ends, and completes the file.
    pub(super) fn finish(mut self, ends: &[End], role: Role, is_change: bool) -> Result<Encoded, ParquetError> {
        if !ends.is_empty() {
            self.writer.flush()?;
            let mut ends: Vec<End> = ends.to_vec();
            ends.sort_unstable_by_key(|end| (end.row_id, end.valid_from));
            for ends in ends.chunks(GROUP) {
                let rows = self.layout.ends(ends)?;
                self.write_rows(&rows)?;
            }
        }
        let Encoder { layout, writer, bounds, rows, open } = self;
        let bytes = bytes::Bytes::from(writer.into_inner()?);
        let (mut minima, mut maxima, mut nulls) = (Map::new(), Map::new(), Map::new());
        for (bounds, position) in bounds.iter().zip(&layout.bounded) {
            let name = layout.schema.field(*position).name();
            nulls.insert(name.clone(), bounds.nulls.into());
            if let Some((least, greatest)) = bounds.as_json() {
                minima.insert(name.clone(), least);
                maxima.insert(name.clone(), greatest);
            }
        }
        let stats = serde_json::json!({
            "numRecords": rows, "minValues": minima, "maxValues": maxima, "nullCount": nulls,
        });
        let name = ROLES.iter().find(|(known, _)| *known == role).map_or("", |(_, name)| *name);
        let mut tags = BTreeMap::from([(KIND.to_owned(), name.to_owned())]);
        tags.extend([(OPEN.to_owned(), open.to_string()), (ENDS.to_owned(), ends.len().to_string())]);
        // The SHA-256 is the evidence. The random number gives files with equal rows different names.
        let path = format!(
            "{WRITER}={}/{name}-{:016x}-{}.parquet",
            as_directory(&layout.writer),
            rand::random::<u64>(),
            sha256(&bytes)
        );
        let add = Add {
            path,
            partition_values: BTreeMap::from([(WRITER.to_owned(), Some(layout.writer.clone()))]),
            size: bytes.len() as u64,
            modification_time: milliseconds(SystemTime::now()),
            data_change: is_change,
            stats: Some(stats.to_string()),
            tags: Some(tags),
        };
        Ok(Encoded { add, bytes })
    }
}

/// The least and the greatest value of a column, and the number of its NULLs.
#[derive(Debug, Default)]
struct Bounds {
    range: Option<(Bound, Bound)>,
    nulls: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    Number(i64),
    Time(i64),
    Text(String),
}

impl Bounds {
    fn add(&mut self, array: &ArrayRef) {
        self.nulls += array.null_count() as u64;
        let range = match array.data_type() {
            DataType::Int64 => range(array.as_primitive::<Int64Type>().iter().flatten(), Bound::Number),
            DataType::Timestamp(..) => {
                range(array.as_primitive::<TimestampMicrosecondType>().iter().flatten(), Bound::Time)
            }
            DataType::Utf8 => range(array.as_string::<i32>().iter().flatten(), |text| Bound::Text(text.to_owned())),
            _ => None,
        };
        let Some((least, greatest)) = range else { return };
        self.range = Some(match self.range.take() {
            None => (least, greatest),
            Some((own_least, own_greatest)) => (own_least.min(least), own_greatest.max(greatest)),
        });
    }

    fn as_json(&self) -> Option<(Value, Value)> {
        let (least, greatest) = self.range.as_ref()?;
        Some((least.as_json(false)?, greatest.as_json(true)?))
    }
}

fn range<T: Ord + Copy>(values: impl Iterator<Item = T>, bound: impl Fn(T) -> Bound) -> Option<(Bound, Bound)> {
    let range = values.fold(None, |range: Option<(T, T)>, value| match range {
        None => Some((value, value)),
        Some((least, greatest)) => Some((least.min(value), greatest.max(value))),
    });
    range.map(|(least, greatest)| (bound(least), bound(greatest)))
}

impl Bound {
    /// A bound in the log. A long text is cut: a lower bound may be less than every value, an upper bound may be
    /// greater.
    fn as_json(&self, is_upper: bool) -> Option<Value> {
        match self {
            Bound::Number(number) => Some((*number).into()),
            Bound::Time(micros) => {
                let time = chrono::DateTime::from_timestamp_micros(*micros)?;
                let year = chrono::Datelike::year(&time);
                // Readers parse four digits.
                (1..=9999).contains(&year).then(|| time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true).into())
            }
            Bound::Text(text) if text.len() <= TEXT => Some(text.as_str().into()),
            Bound::Text(text) => {
                let (start, rest) = text.split_at(text.floor_char_boundary(TEXT));
                match is_upper {
                    false => Some(start.into()),
                    true if rest.starts_with(char::MAX) => None,
                    true => Some(format!("{start}{}", char::MAX).into()),
                }
            }
        }
    }
}

/// Rows of a reading, as the recorder has them, in the columns of a file.
pub(super) fn as_rows(layout: &Layout, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let rows = batch.num_rows();
    let column = |name: &str| -> Result<ArrayRef, ArrowError> {
        let column = batch.column_by_name(name);
        column.cloned().ok_or_else(|| ArrowError::SchemaError(format!("the reading has no column `{name}`")))
    };
    // Version columns come first. A table's own column of such a name stands after them.
    let own = batch.schema();
    let own = |name: &str| {
        let position = own.fields().iter().enumerate().skip(4).find(|(_, field)| field.name() == name);
        position.map(|(position, _)| batch.column(position).clone())
    };
    let times = |name: &str| column(name).and_then(|array| arrow_cast::cast(&array, &time()));
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(layout.schema.fields().len());
    for field in layout.schema.fields() {
        arrays.push(match field.name().as_str() {
            VALID_FROM | NOT_BEFORE => times(field.name())?,
            VALID_TO => new_null_array(&time(), rows),
            ORIGIN => arrow_cast::cast(&column(ORIGIN)?, &DataType::Utf8)?,
            ROW_ID => column(ROW_ID)?,
            IS_END => Arc::new(BooleanArray::from(vec![false; rows])),
            stored => match layout.own.get(stored).and_then(|name| own(name)) {
                Some(array) => super::columns::to_stored(&array, field.data_type())?,
                None => new_null_array(field.data_type(), rows),
            },
        });
    }
    RecordBatch::try_new(layout.schema.clone(), arrays)
}

/// The rows of several batches, sorted.
pub(super) fn sorted(layout: &Layout, batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    layout.sorted(&concat_batches(&layout.schema, batches)?)
}

/// Compares times for a span: the time that an end states, or never.
pub(super) fn is_later(end: Option<i64>, than: i64) -> bool {
    end.is_none_or(|end| end > than)
}

/// The times that the rows of a file may have lived in.
pub(super) fn lived(file: &DataFile) -> (Option<Timestamp>, Option<Timestamp>) {
    let to = file.to.filter(|_| file.open == 0).map(|(_, greatest)| Timestamp(greatest));
    (file.from.map(|(least, _)| Timestamp(least)), to)
}
