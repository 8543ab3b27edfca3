//! Hashes of rows.

use std::hash::Hasher;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use indago_table::TableSpec;
use siphasher::sip::SipHasher24;

/// The columns of a recorded table that identify a row, and those that make it another version.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// Position of each identity column among the recorded columns.
    identity: Vec<usize>,
    /// Whether each recorded column is volatile.
    volatile: Vec<bool>,
    /// Start of the values of a column that change without meaning.
    prefixes: Vec<Option<String>>,
}

/// The hashes of one row.
#[derive(Debug, Clone)]
pub(super) struct Hashes {
    /// Hasher of the identity, which the origin and the occurrence of the row follow.
    identity: SipHasher24,
    /// Of the columns that are not volatile.
    pub(super) content: u64,
    /// Of the volatile columns.
    pub(super) volatile: u64,
}

impl Hashes {
    /// The row's id in an origin. `occurrence` counts equal rows of one reading.
    pub(super) fn row_id(&self, origin: &str, occurrence: u32) -> i64 {
        let mut hasher = self.identity;
        feed_bytes(&mut hasher, origin.as_bytes());
        hasher.write(&occurrence.to_le_bytes());
        hasher.finish().cast_signed()
    }
}

impl Columns {
    /// The recorded columns of a table, in order. All identity columns are recorded.
    pub(super) fn new(spec: &TableSpec, recorded: &[usize]) -> Self {
        let column = |recorded: &usize| &spec.columns[*recorded];
        let is_volatile = |recorded: &usize| column(recorded).volatile;
        let of_identity = |recorded: &usize| match spec.identity.is_empty() {
            true => !is_volatile(recorded),
            false => spec.identity.iter().any(|name| *name == column(recorded).name),
        };
        let prefix = |recorded: &usize| column(recorded).volatile_prefix.as_ref().map(ToString::to_string);
        Columns {
            identity: (0..recorded.len()).filter(|position| of_identity(&recorded[*position])).collect(),
            volatile: recorded.iter().map(is_volatile).collect(),
            prefixes: recorded.iter().map(prefix).collect(),
        }
    }

    /// The hashes of each row of a batch of the recorded columns.
    pub(super) fn hashes(&self, key: &[u8; 16], batch: &RecordBatch) -> Result<Vec<Hashes>, ArrowError> {
        let new = SipHasher24::new_with_key(key);
        let rows = batch.num_rows();
        let (mut identity, mut content, mut volatile) = (vec![new; rows], vec![new; rows], vec![new; rows]);
        for (position, column) in batch.columns().iter().enumerate() {
            let column = Canonical::new(column)?;
            if self.identity.contains(&position) {
                column.feed(&mut identity, None)?;
            }
            let prefix = self.prefixes[position].as_deref();
            if self.volatile[position] || prefix.is_some() {
                column.feed(&mut volatile, None)?;
            }
            if !self.volatile[position] {
                column.feed(&mut content, prefix)?;
            }
        }
        let hashes = identity.into_iter().zip(content).zip(volatile);
        Ok(hashes
            .map(|((identity, content), volatile)| Hashes {
                identity,
                content: content.finish(),
                volatile: volatile.finish(),
            })
            .collect())
    }
}

/// A column in one of few types, so that a value has the same hash when it is read back from a store.
struct Canonical(ArrayRef);

impl Canonical {
    fn new(column: &ArrayRef) -> Result<Self, ArrowError> {
        let target = match column.data_type() {
            DataType::Int8 | DataType::Int16 | DataType::Int32 => DataType::Int64,
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => DataType::Int64,
            DataType::Float16 | DataType::Float32 => DataType::Float64,
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::Binary,
            DataType::Timestamp(unit, zone) if *unit != TimeUnit::Nanosecond => {
                DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => DataType::Int64,
            DataType::Dictionary(_, values) => return Canonical::new(&cast(column, values)?),
            _ => return Ok(Canonical(column.clone())),
        };
        Ok(Canonical(cast(column, &target)?))
    }

    /// Adds each row's value to its hasher: only the prefix, if the value starts with it.
    fn feed(&self, hashers: &mut [SipHasher24], prefix: Option<&str>) -> Result<(), ArrowError> {
        let array = &self.0;
        let mut each = |value: &mut dyn FnMut(usize, &mut SipHasher24)| {
            for (row, hasher) in hashers.iter_mut().enumerate() {
                if array.is_null(row) {
                    hasher.write_u8(0);
                } else {
                    hasher.write_u8(1);
                    value(row, hasher);
                }
            }
        };
        match array.data_type() {
            DataType::Null => {}
            DataType::Boolean => {
                let values = array.as_boolean();
                each(&mut |row, hasher| hasher.write_u8(u8::from(values.value(row))));
            }
            DataType::Int64 => {
                let values = array.as_primitive::<Int64Type>();
                each(&mut |row, hasher| hasher.write(&values.value(row).to_le_bytes()));
            }
            DataType::UInt64 => {
                let values = array.as_primitive::<UInt64Type>();
                each(&mut |row, hasher| hasher.write(&values.value(row).to_le_bytes()));
            }
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>();
                for (row, hasher) in hashers.iter_mut().enumerate() {
                    // A store has NULL in place of NaN.
                    match (array.is_valid(row), values.value(row)) {
                        (true, value) if !value.is_nan() => {
                            hasher.write_u8(1);
                            hasher.write(&value.to_bits().to_le_bytes());
                        }
                        _ => hasher.write_u8(0),
                    }
                }
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let values = array.as_primitive::<TimestampMicrosecondType>();
                each(&mut |row, hasher| hasher.write(&values.value(row).to_le_bytes()));
            }
            DataType::Utf8View => {
                let values = array.as_string_view();
                each(&mut |row, hasher| {
                    let text = values.value(row);
                    feed_bytes(hasher, prefix.filter(|prefix| text.starts_with(prefix)).unwrap_or(text).as_bytes());
                });
            }
            DataType::Binary => {
                let values = array.as_binary::<i32>();
                each(&mut |row, hasher| feed_bytes(hasher, values.value(row)));
            }
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                let all = Inner::new(lists.values())?;
                each(&mut |row, hasher| all.feed(hasher, lists.value_offsets()[row], lists.value_offsets()[row + 1]));
            }
            DataType::Map(..) => {
                let maps = array.as_map();
                let (keys, values) = (Inner::new(maps.keys())?, Inner::new(maps.values())?);
                each(&mut |row, hasher| {
                    let (from, to) = (maps.value_offsets()[row], maps.value_offsets()[row + 1]);
                    keys.feed(hasher, from, to);
                    values.feed(hasher, from, to);
                });
            }
            _ => {
                let options = FormatOptions::default();
                let values = ArrayFormatter::try_new(array, &options)?;
                each(&mut |row, hasher| feed_bytes(hasher, values.value(row).to_string().as_bytes()));
            }
        }
        Ok(())
    }
}

/// Elements of lists and maps, which are short: their hashes are added to those of the row.
struct Inner(Vec<u64>);

impl Inner {
    fn new(elements: &ArrayRef) -> Result<Self, ArrowError> {
        let mut hashers = vec![SipHasher24::new(); elements.len()];
        Canonical::new(elements)?.feed(&mut hashers, None)?;
        Ok(Inner(hashers.iter().map(Hasher::finish).collect()))
    }

    fn feed(&self, hasher: &mut SipHasher24, from: i32, to: i32) {
        let (from, to) = (from.max(0) as usize, to.max(0) as usize);
        hasher.write(&(to - from).to_le_bytes());
        self.0[from..to].iter().for_each(|element| hasher.write(&element.to_le_bytes()));
    }
}

/// Adds bytes and their number, so that `a`, `bc` and `ab`, `c` differ.
fn feed_bytes(hasher: &mut SipHasher24, bytes: &[u8]) {
    hasher.write(&(bytes.len() as u64).to_le_bytes());
    hasher.write(bytes);
}
