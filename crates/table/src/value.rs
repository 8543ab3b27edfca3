//! Conversion of Rust values to Arrow columns: one impl per type.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, MapBuilder, MapFieldNames,
    StringBuilder, StringViewBuilder, TimestampMicrosecondBuilder, UInt64Builder,
};

use crate::scan::Scalar;
use crate::spec::Kind;

/// A Rust type of a column.
pub trait Value {
    /// The column's type.
    const KIND: Kind;
    /// Whether the column can be NULL.
    const NULLABLE: bool = false;
    /// The type of keys on such a column.
    type Key;

    /// Appends the value to a builder made by [`builder`] for [`Self::KIND`](Value::KIND).
    fn append(&self, builder: &mut dyn ArrayBuilder);
    /// Appends NULL.
    fn append_null(builder: &mut dyn ArrayBuilder);
    /// The value as a key; `None` for NULL and for types that cannot be keys.
    fn scalar(&self) -> Option<Scalar> {
        None
    }
    /// Bytes that the value owns elsewhere.
    fn bytes(&self) -> usize {
        0
    }
}

/// A type of keys.
pub trait KeyValue: Sized {
    /// The key of a constraint; `None` if the constraint cannot match this type.
    fn from_scalar(scalar: &Scalar) -> Option<Self>;
}

/// A builder for a column of a kind.
///
/// # Panics
/// For [`Kind::Other`], which no row type has.
pub fn builder(kind: &Kind, capacity: usize) -> Box<dyn ArrayBuilder> {
    match kind {
        Kind::Boolean => Box::new(BooleanBuilder::with_capacity(capacity)),
        Kind::BigInt => Box::new(Int64Builder::with_capacity(capacity)),
        Kind::UnsignedBigInt => Box::new(UInt64Builder::with_capacity(capacity)),
        Kind::Double => Box::new(Float64Builder::with_capacity(capacity)),
        Kind::Text | Kind::Json => Box::new(StringViewBuilder::with_capacity(capacity)),
        Kind::Blob => Box::new(BinaryBuilder::with_capacity(capacity, 0)),
        Kind::Timestamp => Box::new(TimestampMicrosecondBuilder::with_capacity(capacity).with_timezone("UTC")),
        Kind::TextList => Box::new(ListBuilder::new(StringBuilder::new())),
        Kind::BigIntList => Box::new(ListBuilder::new(Int64Builder::new())),
        Kind::TextMap => Box::new(MapBuilder::new(
            Some(MapFieldNames { entry: "entries".into(), key: "keys".into(), value: "values".into() }),
            StringBuilder::new(),
            StringBuilder::new(),
        )),
        Kind::Other(data_type) => unreachable!("a row type has no column of type {data_type}"),
    }
}

fn cast<B: ArrayBuilder>(builder: &mut dyn ArrayBuilder) -> &mut B {
    builder.as_any_mut().downcast_mut().expect("the builder was made from the column's own kind")
}

macro_rules! primitive {
    ($rust:ty, $kind:ident, $builder:ty, $scalar:ident) => {
        impl Value for $rust {
            const KIND: Kind = Kind::$kind;
            type Key = $rust;
            fn append(&self, builder: &mut dyn ArrayBuilder) {
                cast::<$builder>(builder).append_value(*self);
            }
            fn append_null(builder: &mut dyn ArrayBuilder) {
                cast::<$builder>(builder).append_null();
            }
            fn scalar(&self) -> Option<Scalar> {
                Some(Scalar::$scalar((*self).into()))
            }
        }
    };
}

primitive!(bool, Boolean, BooleanBuilder, Boolean);
primitive!(i64, BigInt, Int64Builder, Integer);
primitive!(f64, Double, Float64Builder, Real);

impl Value for u64 {
    const KIND: Kind = Kind::UnsignedBigInt;
    type Key = u64;
    fn append(&self, builder: &mut dyn ArrayBuilder) {
        cast::<UInt64Builder>(builder).append_value(*self);
    }
    fn append_null(builder: &mut dyn ArrayBuilder) {
        cast::<UInt64Builder>(builder).append_null();
    }
    fn scalar(&self) -> Option<Scalar> {
        i64::try_from(*self).ok().map(Scalar::Integer)
    }
}

macro_rules! text {
    ($rust:ty) => {
        impl Value for $rust {
            const KIND: Kind = Kind::Text;
            type Key = String;
            fn append(&self, builder: &mut dyn ArrayBuilder) {
                let text: &str = self.as_ref();
                cast::<StringViewBuilder>(builder).append_value(text);
            }
            fn append_null(builder: &mut dyn ArrayBuilder) {
                cast::<StringViewBuilder>(builder).append_null();
            }
            fn scalar(&self) -> Option<Scalar> {
                let text: &str = self.as_ref();
                Some(Scalar::Text(text.to_owned()))
            }
            fn bytes(&self) -> usize {
                let text: &str = self.as_ref();
                text.len()
            }
        }
    };
}

text!(String);
text!(&'static str);
text!(Cow<'static, str>);
text!(std::sync::Arc<str>);

impl Value for Vec<u8> {
    const KIND: Kind = Kind::Blob;
    type Key = Vec<u8>;
    fn append(&self, builder: &mut dyn ArrayBuilder) {
        cast::<BinaryBuilder>(builder).append_value(self);
    }
    fn append_null(builder: &mut dyn ArrayBuilder) {
        cast::<BinaryBuilder>(builder).append_null();
    }
    fn bytes(&self) -> usize {
        self.len()
    }
}

/// A point in time: microseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds since 1970.
    pub fn from_seconds(seconds: i64) -> Self {
        Timestamp(seconds.saturating_mul(1_000_000))
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

/// A period: from its start to before its end. Without one of them, it is open on that side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Period {
    /// Its start, which belongs to it.
    pub from: Option<Timestamp>,
    /// Its end, which does not belong to it.
    pub to: Option<Timestamp>,
}

impl Period {
    /// Whether a time is in the period.
    pub fn contains(self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }

    /// Whether two periods have a time in common, or one ends where the other starts.
    pub fn touches(self, other: Period) -> bool {
        let starts_by = |from: Option<Timestamp>, to: Option<Timestamp>| match (from, to) {
            (Some(from), Some(to)) => from <= to,
            _ => true,
        };
        starts_by(self.from, other.to) && starts_by(other.from, self.to)
    }

    /// The smallest period with both.
    #[must_use]
    pub fn around(self, other: Period) -> Period {
        Period {
            from: self.from.zip(other.from).map(|(one, two)| one.min(two)),
            to: self.to.zip(other.to).map(|(one, two)| one.max(two)),
        }
    }
}

/// As in SQL: `from 2026-11-01T00:00Z to 2026-11-02T00:00Z`.
impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.from, self.to) {
            (Some(from), Some(to)) => write!(f, "from {from} to {to}"),
            (Some(from), None) => write!(f, "from {from}"),
            (None, Some(to)) => write!(f, "to {to}"),
            (None, None) => f.write_str("all times"),
        }
    }
}

/// In the format of RFC 3339, in UTC.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match chrono::DateTime::from_timestamp_micros(self.0) {
            Some(time) => f.write_str(&time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
            None => write!(f, "{} microseconds since 1970", self.0),
        }
    }
}

impl From<std::time::SystemTime> for Timestamp {
    fn from(time: std::time::SystemTime) -> Self {
        let micros = |duration: std::time::Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Timestamp(match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => -micros(before.duration()),
        })
    }
}

impl Value for Timestamp {
    const KIND: Kind = Kind::Timestamp;
    type Key = Timestamp;
    fn append(&self, builder: &mut dyn ArrayBuilder) {
        cast::<TimestampMicrosecondBuilder>(builder).append_value(self.0);
    }
    fn append_null(builder: &mut dyn ArrayBuilder) {
        cast::<TimestampMicrosecondBuilder>(builder).append_null();
    }
    fn scalar(&self) -> Option<Scalar> {
        Some(Scalar::Timestamp(self.0))
    }
}

/// A JSON document as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Json(pub String);

impl Json {
    /// The text of a document.
    pub fn new(value: &impl serde::Serialize) -> Self {
        Json(serde_json::to_string(value).unwrap_or_default())
    }
}

impl Value for Json {
    const KIND: Kind = Kind::Json;
    type Key = String;
    fn append(&self, builder: &mut dyn ArrayBuilder) {
        cast::<StringViewBuilder>(builder).append_value(&self.0);
    }
    fn append_null(builder: &mut dyn ArrayBuilder) {
        cast::<StringViewBuilder>(builder).append_null();
    }
    fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// Names and texts, ordered by name: labels, annotations, tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Map(pub BTreeMap<String, Option<String>>);

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Map(pairs.into_iter().map(|(key, value)| (key.into(), Some(value.into()))).collect())
    }
}

impl Value for Map {
    const KIND: Kind = Kind::TextMap;
    type Key = std::convert::Infallible;
    fn append(&self, builder: &mut dyn ArrayBuilder) {
        let builder = cast::<MapBuilder<StringBuilder, StringBuilder>>(builder);
        for (key, value) in &self.0 {
            builder.keys().append_value(key);
            builder.values().append_option(value.as_deref());
        }
        builder.append(true).expect("every key has its value");
    }
    fn append_null(builder: &mut dyn ArrayBuilder) {
        cast::<MapBuilder<StringBuilder, StringBuilder>>(builder)
            .append(false)
            .expect("a NULL map has no key without value");
    }
    fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| size_of::<(String, String)>() + key.len() + value.bytes()).sum()
    }
}

impl Value for Vec<String> {
    const KIND: Kind = Kind::TextList;
    type Key = std::convert::Infallible;
    fn append(&self, builder: &mut dyn ArrayBuilder) {
        let builder = cast::<ListBuilder<StringBuilder>>(builder);
        for text in self {
            builder.values().append_value(text);
        }
        builder.append(true);
    }
    fn append_null(builder: &mut dyn ArrayBuilder) {
        cast::<ListBuilder<StringBuilder>>(builder).append(false);
    }
    fn bytes(&self) -> usize {
        self.iter().map(|text| size_of::<String>() + text.len()).sum()
    }
}

impl Value for Vec<i64> {
    const KIND: Kind = Kind::BigIntList;
    type Key = std::convert::Infallible;
    fn append(&self, builder: &mut dyn ArrayBuilder) {
        let builder = cast::<ListBuilder<Int64Builder>>(builder);
        builder.values().append_slice(self);
        builder.append(true);
    }
    fn append_null(builder: &mut dyn ArrayBuilder) {
        cast::<ListBuilder<Int64Builder>>(builder).append(false);
    }
    fn bytes(&self) -> usize {
        size_of_val(self.as_slice())
    }
}

impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    type Key = T::Key;
    fn append(&self, builder: &mut dyn ArrayBuilder) {
        match self {
            Some(value) => value.append(builder),
            None => T::append_null(builder),
        }
    }
    fn append_null(builder: &mut dyn ArrayBuilder) {
        T::append_null(builder);
    }
    fn scalar(&self) -> Option<Scalar> {
        self.as_ref().and_then(T::scalar)
    }
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, T::bytes)
    }
}

impl KeyValue for i64 {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Integer(value) => Some(*value),
            Scalar::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl KeyValue for u64 {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Integer(value) => (*value).try_into().ok(),
            Scalar::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl KeyValue for bool {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Boolean(value) => Some(*value),
            _ => None,
        }
    }
}

impl KeyValue for String {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Text(text) => Some(text.clone()),
            Scalar::Integer(value) => Some(value.to_string()),
            _ => None,
        }
    }
}

/// A key of a column whose comparisons ignore ASCII case.
///
/// The key is in lowercase; the source may use any case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoCase(String);

impl NoCase {
    /// The key for a text.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.make_ascii_lowercase();
        NoCase(text)
    }

    /// Whether a text equals the key, ignoring case.
    pub fn matches(&self, text: &str) -> bool {
        self.0.eq_ignore_ascii_case(text)
    }
}

impl AsRef<str> for NoCase {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl KeyValue for NoCase {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        String::from_scalar(scalar).map(NoCase::new)
    }
}

impl KeyValue for Timestamp {
    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        match scalar {
            Scalar::Timestamp(micros) => Some(Timestamp(*micros)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_with_a_common_time_touch() {
        let period = |from: Option<i64>, to: Option<i64>| Period { from: from.map(Timestamp), to: to.map(Timestamp) };
        for (one, two, touch) in [
            (period(None, None), period(Some(1), Some(2)), true),
            (period(Some(1), Some(2)), period(Some(2), Some(3)), true),
            (period(Some(1), Some(2)), period(Some(3), None), false),
            (period(Some(3), None), period(None, Some(2)), false),
        ] {
            assert_eq!((one.touches(two), two.touches(one)), (touch, touch), "{one:?} {two:?}");
        }
        assert_eq!(period(Some(1), Some(2)).around(period(Some(0), None)), period(Some(0), None));
    }
}
