//! The columns of a recorded table: their names and types in Delta, and values in both directions.
//!
//! Delta has no unsigned integers, no nanoseconds and no dictionaries, and its names differ in more than case. A column
//! that Delta cannot have under its own name or type is stored under another, and its metadata has its own name.

use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, make_array, new_null_array};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow_select::zip::zip;
use indago_table::TableSpec;
use serde_json::{Map, Value, json};

use crate::table::as_stored;

pub(super) const VALID_FROM: &str = "valid_from";
pub(super) const VALID_TO: &str = "valid_to";
pub(super) const NOT_BEFORE: &str = "not_before";
pub(super) const ORIGIN: &str = "origin";
pub(super) const WRITER: &str = "writer";
pub(super) const ROW_ID: &str = "row_id";
pub(super) const IS_END: &str = "is_end";

/// Key of a field's metadata: the column's own name.
const OWN_NAME: &str = "indago.column";

/// The type of the version columns that are times.
pub(super) fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The columns of a version, before those of the table.
static VERSION: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new(VALID_FROM, time(), false),
        Field::new(VALID_TO, time(), true),
        Field::new(NOT_BEFORE, time(), true),
        Field::new(ORIGIN, DataType::Utf8View, true),
        Field::new(WRITER, DataType::Utf8View, false),
        Field::new(ROW_ID, DataType::Int64, false),
    ]))
});

pub(super) fn version_schema() -> SchemaRef {
    VERSION.clone()
}

/// The columns of a recorded table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// The table's own columns, in the order in which they were added.
    pub(super) list: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// The table's name of the column.
    pub(super) name: String,
    /// The name in files.
    pub(super) stored: String,
    /// The type in files.
    pub(super) data_type: DataType,
}

impl Columns {
    /// The columns of a table's specification.
    pub(super) fn of(spec: &TableSpec, names: &[String]) -> Self {
        let mut columns = Columns { list: Vec::new() };
        let schema = spec.schema();
        for field in schema.fields().iter().filter(|field| names.contains(field.name())) {
            columns.add(field.name(), stored_type(field.data_type()));
        }
        columns
    }

    /// Adds the columns of others that are missing here. A column with another type is added under another name; its
    /// older values stay where they are. Returns whether there were any.
    pub(super) fn extend(&mut self, others: &Columns) -> bool {
        let before = self.list.len();
        for other in &others.list {
            if self.find(&other.name, &other.data_type).is_none() {
                self.add(&other.name, other.data_type.clone());
            }
        }
        self.list.len() > before
    }

    fn add(&mut self, name: &str, data_type: DataType) {
        let allowed = |character: char| !" ,;{}()\n\t=".contains(character) && !character.is_control();
        let plain: String = name.chars().map(|character| if allowed(character) { character } else { '_' }).collect();
        let plain = if plain.is_empty() { "column".to_owned() } else { plain };
        let versions = VERSION.fields().iter().map(|field| field.name().as_str()).chain([IS_END]);
        let taken: Vec<String> =
            versions.chain(self.list.iter().map(|column| column.stored.as_str())).map(str::to_lowercase).collect();
        let names = std::iter::once(plain.clone()).chain((2..).map(|number| format!("{plain}_{number}")));
        let mut free = names.filter(|name| !taken.contains(&name.to_lowercase()));
        let stored = free.next().expect("there are more numbers than columns");
        self.list.push(Column { name: name.to_owned(), stored, data_type });
    }

    /// The column that values of a table's column are stored in, if they have this type in files.
    pub(super) fn find(&self, name: &str, stored: &DataType) -> Option<&Column> {
        self.list.iter().find(|column| column.name == name && column.data_type == *stored)
    }

    /// The column that the newest type of a table's column is stored in.
    pub(super) fn newest(&self, name: &str) -> Option<&Column> {
        self.list.iter().rfind(|column| column.name == name)
    }

    /// The columns that values of a table's column are stored in, the newest first.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Column> {
        self.list.iter().rev().filter(move |column| column.name == name)
    }

    /// The table's columns, as their newest values are stored.
    pub(super) fn schema(&self) -> SchemaRef {
        let mut fields: Vec<Field> = Vec::new();
        for column in &self.list {
            let data_type = match &column.data_type {
                DataType::Utf8 => DataType::Utf8View,
                other => other.clone(),
            };
            match fields.iter_mut().find(|field| *field.name() == column.name) {
                Some(field) => field.set_data_type(data_type),
                None => fields.push(Field::new(&column.name, data_type, true)),
            }
        }
        Arc::new(Schema::new(fields))
    }

    /// The columns of a data file. The writer is not among them: it is the partition.
    pub(super) fn file_schema(&self) -> SchemaRef {
        let version = VERSION.fields().iter().filter(|field| field.name() != WRITER);
        let version = version.map(|field| match field.name().as_str() {
            ORIGIN => Field::new(ORIGIN, DataType::Utf8, true),
            _ => field.as_ref().clone(),
        });
        let own = self.list.iter().map(|column| Field::new(&column.stored, column.data_type.clone(), true));
        Arc::new(Schema::new(
            version.chain([Field::new(IS_END, DataType::Boolean, false)]).chain(own).collect::<Vec<_>>(),
        ))
    }

    /// Delta's `schemaString`.
    pub(super) fn to_json(&self) -> String {
        let field = |name: &str, data_type: &DataType, metadata: Value| json!({ "name": name, "type": delta_type(data_type), "nullable": true, "metadata": metadata });
        let version = VERSION.fields().iter().map(|f| field(f.name(), f.data_type(), json!({})));
        let own = self.list.iter().map(|column| {
            let mut metadata = Map::new();
            if column.name != column.stored {
                metadata.insert(OWN_NAME.to_owned(), column.name.clone().into());
            }
            field(&column.stored, &column.data_type, metadata.into())
        });
        let fields: Vec<Value> = version.chain([field(IS_END, &DataType::Boolean, json!({}))]).chain(own).collect();
        json!({ "type": "struct", "fields": fields }).to_string()
    }

    /// The columns of Delta's `schemaString`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(text).map_err(|error| format!("its schema: {error}"))?;
        let fields = schema["fields"].as_array().ok_or("its schema has no fields")?;
        let mut list = Vec::new();
        for field in fields {
            let stored = field["name"].as_str().ok_or("its schema has a field without a name")?;
            if stored == IS_END || VERSION.field_with_name(stored).is_ok() {
                continue;
            }
            let data_type = arrow_type(&field["type"]).ok_or_else(|| format!("its schema: the type of `{stored}`"))?;
            let name = field["metadata"][OWN_NAME].as_str().unwrap_or(stored);
            list.push(Column { name: name.to_owned(), stored: stored.to_owned(), data_type });
        }
        Ok(Columns { list })
    }
}

/// The type in files for a table's type.
pub(super) fn stored_type(data_type: &DataType) -> DataType {
    use DataType::*;
    let element = |field: &Field| Arc::new(Field::new("element", stored_type(field.data_type()), true));
    match data_type {
        Boolean | Int64 | Float64 | Utf8 | Binary | Date32 => data_type.clone(),
        Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32 => Int64,
        UInt64 => Decimal128(20, 0),
        Float16 | Float32 => Float64,
        LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Decimal32(precision, scale @ 0..) | Decimal64(precision, scale @ 0..) | Decimal128(precision, scale @ 0..) => {
            Decimal128(*precision, *scale)
        }
        // Delta has microseconds only.
        Timestamp(TimeUnit::Nanosecond, _) => Int64,
        Timestamp(..) | Date64 => time(),
        Dictionary(_, value) => stored_type(value),
        RunEndEncoded(_, value) => stored_type(value.data_type()),
        List(field) | LargeList(field) | FixedSizeList(field, _) | ListView(field) | LargeListView(field) => {
            List(element(field))
        }
        Map(entries, _) => match entries.data_type() {
            Struct(pair) if pair.len() == 2 => {
                let key = Field::new("key", stored_type(pair[0].data_type()), false);
                let value = Field::new("value", stored_type(pair[1].data_type()), true);
                Map(Arc::new(Field::new("key_value", Struct(vec![key, value].into()), false)), false)
            }
            _ => Utf8,
        },
        Struct(fields) => {
            let stored = fields.iter().map(|field| Field::new(field.name(), stored_type(field.data_type()), true));
            Struct(stored.collect::<Fields>())
        }
        // As text: what `cast` prints.
        _ => Utf8,
    }
}

/// Delta's name of a stored type.
fn delta_type(data_type: &DataType) -> Value {
    match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int64 => "long".into(),
        DataType::Float64 => "double".into(),
        DataType::Binary => "binary".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(..) => "timestamp".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})").into(),
        DataType::List(field) => {
            json!({ "type": "array", "elementType": delta_type(field.data_type()), "containsNull": true })
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(pair) = entries.data_type() else { return "string".into() };
            let (key, value) = (delta_type(pair[0].data_type()), delta_type(pair[1].data_type()));
            json!({ "type": "map", "keyType": key, "valueType": value, "valueContainsNull": true })
        }
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                json!({ "name": field.name(), "type": delta_type(field.data_type()), "nullable": true, "metadata": {} })
            });
            json!({ "type": "struct", "fields": fields.collect::<Vec<_>>() })
        }
        _ => "string".into(),
    }
}

/// The stored type for Delta's name.
fn arrow_type(value: &Value) -> Option<DataType> {
    if let Some(name) = value.as_str() {
        return Some(match name {
            "boolean" => DataType::Boolean,
            "long" => DataType::Int64,
            "double" => DataType::Float64,
            "binary" => DataType::Binary,
            "date" => DataType::Date32,
            "timestamp" => time(),
            "string" => DataType::Utf8,
            _ => {
                let (precision, scale) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
                DataType::Decimal128(precision.parse().ok()?, scale.parse().ok()?)
            }
        });
    }
    Some(match value["type"].as_str()? {
        "array" => DataType::List(Arc::new(Field::new("element", arrow_type(&value["elementType"])?, true))),
        "map" => {
            let key = Field::new("key", arrow_type(&value["keyType"])?, false);
            let pair = vec![key, Field::new("value", arrow_type(&value["valueType"])?, true)];
            DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(pair.into()), false)), false)
        }
        "struct" => {
            let fields = value["fields"].as_array()?.iter();
            let fields =
                fields.map(|field| Some(Field::new(field["name"].as_str()?, arrow_type(&field["type"])?, true)));
            DataType::Struct(fields.collect::<Option<Vec<_>>>()?.into())
        }
        _ => return None,
    })
}

/// A table's values as they are stored. NaN becomes NULL: readers that use statistics lose rows with it.
pub(super) fn to_stored(array: &ArrayRef, stored: &DataType) -> Result<ArrayRef, ArrowError> {
    let array = match array.data_type() {
        DataType::Dictionary(_, value) => &cast(array, value)?,
        _ => array,
    };
    let array = match array.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) if *stored == DataType::Int64 => cast(array, &DataType::Int64)?,
        data_type if data_type.is_nested() => to_stored_nested(array, stored)?,
        _ => cast(array, stored)?,
    };
    if *array.data_type() != DataType::Float64 {
        return Ok(array);
    }
    let reals = array.as_primitive::<Float64Type>().iter();
    Ok(Arc::new(reals.map(|real| real.filter(|real| !real.is_nan())).collect::<Float64Array>()))
}

/// Maps and structs: `cast` matches the names of fields, which differ.
fn to_stored_nested(array: &ArrayRef, stored: &DataType) -> Result<ArrayRef, ArrowError> {
    let renamed = |stored: &DataType| make_renamed(array, stored);
    match (array.data_type(), stored) {
        (DataType::List(_), DataType::List(_))
        | (DataType::Map(..), DataType::Map(..))
        | (DataType::Struct(_), DataType::Struct(_)) => renamed(stored),
        (DataType::Map(..) | DataType::Struct(_), _) => cast(array, &DataType::Utf8),
        (_, DataType::List(_)) => {
            let DataType::List(element) = stored else { return cast(array, stored) };
            let plain = match array.data_type() {
                DataType::LargeList(field)
                | DataType::FixedSizeList(field, _)
                | DataType::ListView(field)
                | DataType::LargeListView(field) => DataType::List(field.clone()),
                _ => DataType::List(element.clone()),
            };
            make_renamed(&cast(array, &plain)?, stored)
        }
        _ => cast(array, stored),
    }
}

/// A list, map or struct with other names and types of its fields.
fn make_renamed(array: &ArrayRef, stored: &DataType) -> Result<ArrayRef, ArrowError> {
    let data = array.to_data();
    let children: Result<Vec<_>, ArrowError> = match (array.data_type(), stored) {
        (_, DataType::List(field)) | (_, DataType::Map(field, _)) => {
            let child = make_array(data.child_data()[0].clone());
            Ok(vec![to_stored(&child, field.data_type())?.to_data()])
        }
        (_, DataType::Struct(fields)) => {
            let children = array.as_struct().columns().iter().zip(fields);
            children.map(|(child, field)| Ok(to_stored(child, field.data_type())?.to_data())).collect()
        }
        _ => return cast(array, stored),
    };
    if let DataType::Struct(fields) = stored {
        let children = children?.into_iter().map(make_array).collect();
        let rebuilt = arrow_array::StructArray::try_new_with_length(
            fields.clone(),
            children,
            array.nulls().cloned(),
            array.len(),
        )?;
        return Ok(Arc::new(rebuilt));
    }
    let rebuilt = data.into_builder().data_type(stored.clone()).child_data(children?).build()?;
    Ok(make_array(rebuilt))
}

/// Stored values as the table has them. A value that does not fit is NULL, and reported.
fn from_stored(
    array: &ArrayRef,
    wanted: &DataType,
    report: &mut dyn FnMut(String, u64),
) -> Result<ArrayRef, ArrowError> {
    match (array.data_type(), wanted) {
        (have, _) if have == wanted => Ok(array.clone()),
        // Nanoseconds are stored as a number.
        (DataType::Int64, DataType::Timestamp(TimeUnit::Nanosecond, _)) => cast(array, wanted),
        (have, _) if have.is_nested() && wanted.is_nested() => to_stored_nested(array, wanted),
        _ => as_stored(array, wanted, report),
    }
}

/// The values of a table's column from those that a file has of it, the newest first.
pub(super) fn value(
    stored: &[ArrayRef],
    wanted: &DataType,
    rows: usize,
    report: &mut dyn FnMut(String, u64),
) -> Result<ArrayRef, ArrowError> {
    let mut values: Option<ArrayRef> = None;
    for array in stored {
        let array = match array.null_count() == array.len() {
            true => continue,
            false => match from_stored(array, wanted, report) {
                Ok(array) => array,
                // Lists and structs of another shape.
                Err(error) => {
                    report(format!("its values are NULL: {error}"), (rows - array.null_count()) as u64);
                    continue;
                }
            },
        };
        values = Some(match values {
            None => array,
            Some(newer) => {
                let is_newer = BooleanArray::from_iter((0..rows).map(|row| Some(newer.is_valid(row))));
                zip(&is_newer, &newer, &array)?
            }
        });
    }
    Ok(values.unwrap_or_else(|| new_null_array(wanted, rows)))
}
