//! Values of a result by the name of their column.

use std::collections::BTreeMap;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, MapArray, RecordBatch, StringArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use indago_table::{Error, Result};
use serde_json::Value as Document;

fn column(batch: &RecordBatch, name: &str, kind: &DataType) -> Result<ArrayRef> {
    let failed = |message: String| Error::Malformed(format!("column {name}: {message}"));
    let array = batch.column_by_name(name).ok_or_else(|| failed("the result does not have it".to_owned()))?;
    cast(array, kind).map_err(|error| failed(error.to_string()))
}

/// A column of texts.
pub(super) struct Texts(StringArray);

impl Texts {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Result<Self> {
        Ok(Texts(column(batch, name, &DataType::Utf8)?.as_string::<i32>().clone()))
    }

    pub(super) fn get(&self, row: usize) -> Option<&str> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }

    /// The text; empty if there is none.
    pub(super) fn text(&self, row: usize) -> String {
        self.get(row).unwrap_or_default().to_owned()
    }

    /// The text as a JSON document; NULL if it is not one.
    pub(super) fn json(&self, row: usize) -> Document {
        self.get(row).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// A column of truth values.
pub(super) struct Flags(BooleanArray);

impl Flags {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Result<Self> {
        Ok(Flags(column(batch, name, &DataType::Boolean)?.as_boolean().clone()))
    }

    pub(super) fn get(&self, row: usize) -> Option<bool> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }
}

/// A column of whole numbers.
pub(super) struct Numbers(Int64Array);

impl Numbers {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Result<Self> {
        Ok(Numbers(column(batch, name, &DataType::Int64)?.as_primitive::<Int64Type>().clone()))
    }

    pub(super) fn get(&self, row: usize) -> Option<i64> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }
}

/// A column of lists of texts.
pub(super) struct TextLists(Option<ListArray>);

impl TextLists {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Result<Self> {
        let array = batch.column_by_name(name);
        let array = array.ok_or_else(|| Error::Malformed(format!("column {name}: the result does not have it")))?;
        // A column without values has no list.
        Ok(TextLists(array.as_list_opt::<i32>().cloned()))
    }

    pub(super) fn get(&self, row: usize) -> Vec<String> {
        let Some(list) = self.0.as_ref().filter(|lists| lists.is_valid(row)).map(|lists| lists.value(row)) else {
            return Vec::new();
        };
        let Ok(texts) = cast(&list, &DataType::Utf8) else { return Vec::new() };
        texts.as_string::<i32>().iter().flatten().map(str::to_owned).collect()
    }
}

/// A column of maps of texts. Without the column, each row has an empty map.
pub(super) struct TextMaps(Option<MapArray>);

impl TextMaps {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Self {
        TextMaps(batch.column_by_name(name).and_then(|array| array.as_map_opt()).cloned())
    }

    pub(super) fn get(&self, row: usize) -> BTreeMap<String, String> {
        let Some(map) = self.0.as_ref().filter(|maps| maps.is_valid(row)).map(|maps| maps.value(row)) else {
            return BTreeMap::new();
        };
        let texts = |column: usize| cast(map.column(column), &DataType::Utf8).ok();
        let Some((keys, values)) = texts(0).zip(texts(1)) else { return BTreeMap::new() };
        let pairs = keys.as_string::<i32>().iter().zip(values.as_string::<i32>().iter());
        pairs.filter_map(|(key, value)| Some((key?.to_owned(), value?.to_owned()))).collect()
    }
}
