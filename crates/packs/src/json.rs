//! Cells of a record batch as JSON and as plain text.
//!
//! Numbers are numbers, times are RFC 3339 in UTC, bytes are hexadecimal, and lists, maps and structs are JSON. A
//! column of JSON documents (`indago.type = json` in its field's metadata) is embedded. Control characters are escaped,
//! including the 8-bit ones that terminals interpret.

use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, Float64Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use arrow_schema::{ArrowError, DataType, FieldRef};
use indago_engine::{NUMBER_METADATA, mixed_to_text};

/// Metadata key of a field that gives the meaning of its text.
const TYPE_KEY: &str = "indago.type";

static OPTIONS: LazyLock<EncoderOptions> = LazyLock::new(|| {
    EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_timestamp_format("%Y-%m-%dT%H:%M:%S%.fZ".to_owned())
        .with_datetime_format("%Y-%m-%dT%H:%M:%S%.fZ".to_owned())
});

static DISPLAY: LazyLock<FormatOptions<'static>> = LazyLock::new(FormatOptions::default);

/// The cells of one batch.
pub struct Cells<'a> {
    columns: Vec<Column<'a>>,
    rows: usize,
}

impl std::fmt::Debug for Cells<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cells").field("columns", &self.columns.len()).field("rows", &self.rows).finish()
    }
}

struct Column<'a> {
    array: &'a Arc<dyn Array>,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// Plain text.
    Text,
    /// A JSON document as text.
    Document,
    /// Reals; whole values are written as integers.
    Mixed(&'a Float64Array),
    /// Types with a JSON form.
    Encoded(NullableEncoder<'a>),
    /// Types without one, shown as text.
    Shown(ArrayFormatter<'a>),
}

impl<'a> Cells<'a> {
    /// Prepares the cells of a batch for reading.
    pub fn new(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let columns =
            batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, array)| Column::new(field, array));
        Ok(Self { columns: columns.collect::<Result<_, _>>()?, rows: batch.num_rows() })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Whether a cell is NULL.
    pub fn is_null(&self, column: usize, row: usize) -> bool {
        let array = self.columns[column].array;
        array.is_null(row) || array.data_type() == &DataType::Null
    }

    /// Appends a cell as JSON; NULL as `null`.
    pub fn json(&mut self, column: usize, row: usize, out: &mut Vec<u8>) {
        if self.is_null(column, row) {
            return out.extend_from_slice(b"null");
        }
        let column = &mut self.columns[column];
        let start = out.len();
        match &mut column.kind {
            Kind::Text => quote(text_of(column.array, row), out),
            Kind::Document => {
                let text = text_of(column.array, row);
                match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                    // Line breaks can occur only between tokens, so a blank can replace them and the row stays on one
                    // line.
                    Ok(_) => out.extend(text.trim().bytes().map(|b| if b == b'\n' || b == b'\r' { b' ' } else { b })),
                    Err(_) => quote(text, out),
                }
            }
            Kind::Mixed(numbers) if numbers.value(row).is_finite() => {
                out.extend_from_slice(mixed_to_text(numbers.value(row)).as_bytes());
            }
            Kind::Mixed(_) => out.extend_from_slice(b"null"),
            Kind::Encoded(encoder) => encoder.encode(row, out),
            Kind::Shown(formatter) => quote(&formatter.value(row).to_string(), out),
        }
        escape_controls(out, start);
    }

    /// Appends a cell as plain text: text unchanged; numbers that JSON does not have as `NaN`, `Inf` and `-Inf`;
    /// anything else as in JSON, without quotes; NULL as nothing.
    pub fn text(&mut self, column: usize, row: usize, out: &mut String) {
        if self.is_null(column, row) {
            return;
        }
        let cell = &mut self.columns[column];
        match &mut cell.kind {
            Kind::Text | Kind::Document => out.push_str(text_of(cell.array, row)),
            Kind::Shown(formatter) => out.push_str(&formatter.value(row).to_string()),
            Kind::Mixed(_) | Kind::Encoded(_) => {
                if let Some(name) = not_in_json(cell.array, row) {
                    return out.push_str(name);
                }
                let mut json = Vec::new();
                self.json(column, row, &mut json);
                match serde_json::from_slice::<String>(&json) {
                    Ok(text) => out.push_str(&text),
                    Err(_) => out.push_str(&String::from_utf8_lossy(&json)),
                }
            }
        }
    }
}

impl<'a> Column<'a> {
    fn new(field: &'a FieldRef, array: &'a Arc<dyn Array>) -> Result<Self, ArrowError> {
        let kind = match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if is_document(field) => Kind::Document,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
            DataType::Float64 if field.metadata().contains_key(NUMBER_METADATA) => Kind::Mixed(array.as_primitive()),
            _ => match make_encoder(field, array.as_ref(), &OPTIONS) {
                Ok(encoder) => Kind::Encoded(encoder),
                Err(_) => Kind::Shown(ArrayFormatter::try_new(array.as_ref(), &DISPLAY)?),
            },
        };
        Ok(Self { array, kind })
    }
}

/// Whether a field's text holds JSON documents.
pub fn is_document(field: &FieldRef) -> bool {
    field.metadata().get(TYPE_KEY).is_some_and(|kind| kind == "json")
}

/// The text of a number that JSON does not have.
fn not_in_json(array: &Arc<dyn Array>, row: usize) -> Option<&'static str> {
    let number = match array.data_type() {
        DataType::Float16 => array.as_primitive::<Float16Type>().value(row).to_f64(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row),
        _ => return None,
    };
    match number {
        number if number.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

fn text_of(array: &Arc<dyn Array>, row: usize) -> &str {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row),
        _ => array.as_string_view().value(row),
    }
}

/// Appends text as a JSON string.
pub fn quote(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    serde_json::to_writer(&mut *out, text).expect("writing to memory does not fail");
    escape_controls(out, start);
}

/// Escapes DEL and the 8-bit control characters, which JSON allows in strings.
fn escape_controls(out: &mut Vec<u8>, start: usize) {
    let is_c1 = |pair: &[u8]| pair[0] == 0xc2 && (0x80..0xa0).contains(&pair[1]);
    if !out[start..].contains(&0x7f) && !out[start..].windows(2).any(is_c1) {
        return;
    }
    let tail = out.split_off(start);
    let mut at = 0;
    while at < tail.len() {
        if tail[at] == 0x7f {
            out.extend_from_slice(b"\\u007f");
        } else if at + 1 < tail.len() && is_c1(&tail[at..at + 2]) {
            at += 1;
            out.extend_from_slice(format!("\\u{:04x}", tail[at]).as_bytes());
        } else {
            out.push(tail[at]);
        }
        at += 1;
    }
}

/// Appends row `row` as a JSON object, with columns in order. A repeated name is written twice.
pub fn object(names: &[Vec<u8>], cells: &mut Cells<'_>, row: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    for (column, name) in names.iter().enumerate() {
        if column > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name);
        out.push(b':');
        cells.json(column, row, out);
    }
    out.push(b'}');
}

/// Column names of a schema as JSON strings, for [`object`].
pub fn names(schema: &arrow_schema::Schema) -> Vec<Vec<u8>> {
    let quoted = |field: &FieldRef| {
        let mut name = Vec::new();
        quote(field.name(), &mut name);
        name
    };
    schema.fields().iter().map(quoted).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow_array::builder::{Int64Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int64Array, StringViewArray,
        TimestampMicrosecondArray, UInt64Array,
    };
    use arrow_schema::{Field, Schema};

    use super::*;

    fn batch() -> RecordBatch {
        let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        map.keys().append_value("app");
        map.values().append_value("web");
        map.keys().append_value("none");
        map.values().append_null();
        map.append(true).expect("keys and values");
        map.append(false).expect("nothing");
        let mut list = ListBuilder::new(Int64Builder::new());
        list.values().append_value(1);
        list.values().append_null();
        list.append(true);
        list.append(false);
        let time = TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_456), Some(0)]);
        let json = HashMap::from([(TYPE_KEY.to_owned(), "json".to_owned())]);
        let columns: Vec<(&str, ArrayRef, bool)> = vec![
            ("i", Arc::new(Int64Array::from(vec![Some(i64::MIN), None])), false),
            ("u", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])), false),
            ("f", Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN)])), false),
            ("b", Arc::new(BooleanArray::from(vec![Some(true), None])), false),
            ("t", Arc::new(StringViewArray::from(vec![Some("a\"\u{1b}[31m\u{9b}\u{7f}\n"), Some("")])), false),
            ("t", Arc::new(StringViewArray::from(vec![Some("twice"), None])), false),
            ("j", Arc::new(StringViewArray::from(vec![Some("{\"a\":\n 1}"), Some("{broken")])), true),
            ("z", Arc::new(time.clone().with_timezone("UTC")), false),
            ("n", Arc::new(time), false),
            ("x", Arc::new(BinaryArray::from(vec![Some(b"\x00\xff".as_slice()), None])), false),
            ("m", Arc::new(map.finish()), false),
            ("l", Arc::new(list.finish()), false),
        ];
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, array, document)| {
                let field = Field::new(*name, array.data_type().clone(), true);
                if *document { field.with_metadata(json.clone()) } else { field }
            })
            .collect();
        let arrays = columns.into_iter().map(|(_, array, _)| array).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("equal lengths")
    }

    #[test]
    fn cells_as_json() {
        let batch = batch();
        let mut cells = Cells::new(&batch).expect("cells");
        let names = names(batch.schema_ref());
        let mut rows = Vec::new();
        for row in 0..cells.rows() {
            object(&names, &mut cells, row, &mut rows);
            rows.push(b'\n');
        }
        assert_eq!(
            String::from_utf8(rows).expect("UTF-8"),
            concat!(
                r#"{"i":-9223372036854775808,"u":18446744073709551615,"f":1.5,"b":true,"#,
                r#""t":"a\"\u001b[31m\u009b\u007f\n","t":"twice","j":{"a":  1},"#,
                r#""z":"2023-11-14T22:13:20.123456Z","n":"2023-11-14T22:13:20.123456Z","x":"00ff","#,
                r#""m":{"app":"web","none":null},"l":[1,null]}"#,
                "\n",
                r#"{"i":null,"u":null,"f":null,"b":null,"t":"","t":null,"j":"{broken","#,
                r#""z":"1970-01-01T00:00:00Z","n":"1970-01-01T00:00:00Z","x":null,"m":null,"l":null}"#,
                "\n",
            )
        );
    }

    #[test]
    fn whole_values_of_mixed_numbers_are_integers() {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(6.0), Some(2.5), None, Some(f64::INFINITY)]));
        let metadata = [(NUMBER_METADATA.to_owned(), "mixed".to_owned())].into();
        let field = Field::new("n", DataType::Float64, true).with_metadata(metadata);
        let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![numbers]).expect("batch");
        let mut cells = Cells::new(&batch).expect("cells");
        let json: Vec<String> = (0..4)
            .map(|row| {
                let mut out = Vec::new();
                cells.json(0, row, &mut out);
                String::from_utf8(out).expect("UTF-8")
            })
            .collect();
        assert_eq!(json, ["6", "2.5", "null", "null"]);
        let mut text = String::new();
        (0..4).for_each(|row| cells.text(0, row, &mut text));
        assert_eq!(text, "62.5Inf");
    }

    #[test]
    fn numbers_that_json_lacks_have_a_text() {
        let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let single = numbers.map(|number| number as f32);
        let columns: [ArrayRef; 2] =
            [Arc::new(Float64Array::from(numbers.to_vec())), Arc::new(Float32Array::from(single.to_vec()))];
        for column in columns {
            let field = Field::new("n", column.data_type().clone(), true);
            let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).expect("batch");
            let mut cells = Cells::new(&batch).expect("cells");
            for (row, expected) in ["NaN", "Inf", "-Inf"].into_iter().enumerate() {
                let (mut text, mut json) = (String::new(), Vec::new());
                cells.text(0, row, &mut text);
                cells.json(0, row, &mut json);
                assert_eq!((text.as_str(), json.as_slice()), (expected, b"null".as_slice()));
            }
        }
    }

    #[test]
    fn cells_as_text() {
        let batch = batch();
        let mut cells = Cells::new(&batch).expect("cells");
        let mut text = |column: usize, row: usize| {
            let mut out = String::new();
            cells.text(column, row, &mut out);
            out
        };
        assert_eq!(text(0, 0), "-9223372036854775808");
        assert_eq!(text(0, 1), "");
        assert_eq!(text(4, 0), "a\"\u{1b}[31m\u{9b}\u{7f}\n");
        assert_eq!(text(7, 0), "2023-11-14T22:13:20.123456Z");
        assert_eq!(text(10, 0), r#"{"app":"web","none":null}"#);
    }
}
