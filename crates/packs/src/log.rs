//! Result lines in osquery's event format, and snapshot lines.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field};
use chrono::DateTime;
use indago_engine::{NAME_METADATA, NUMBER_METADATA, mixed_to_text, real_to_text};

use crate::differ::Difference;
use crate::error::{PackError, Result};
use crate::json::{Cells, quote};

/// Fields that all lines of one result share.
#[derive(Debug, Clone)]
pub struct Stamp<'a> {
    /// Name of the query, `pack_<pack>_<query>` for one of a pack.
    pub name: &'a str,
    /// The host that it ran on.
    pub host_identifier: &'a str,
    /// When it ran, in Unix seconds.
    pub unix_time: i64,
    /// The schedule's epoch.
    pub epoch: u64,
    /// 0 for a first result; increases by one with each result that differs from the previous one.
    pub counter: u64,
    /// Whether numbers are written as numbers.
    pub numerics: bool,
}

impl Stamp<'_> {
    fn fields(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"name\":");
        quote(self.name, out);
        out.extend_from_slice(b",\"hostIdentifier\":");
        quote(self.host_identifier, out);
        out.extend_from_slice(
            format!(
                ",\"calendarTime\":\"{}\",\"unixTime\":{},\"epoch\":{},\"counter\":{},\"numerics\":{}",
                calendar_time(self.unix_time),
                self.unix_time,
                self.epoch,
                self.counter,
                self.numerics
            )
            .as_bytes(),
        );
    }

    fn event(&self, action: &str, row: &str, out: &mut Vec<u8>) {
        out.push(b'{');
        self.fields(out);
        out.extend_from_slice(b",\"columns\":");
        out.extend_from_slice(row.as_bytes());
        out.extend_from_slice(format!(",\"action\":\"{action}\"}}\n").as_bytes());
    }

    /// One line per removed row, then one per added row.
    pub fn events(&self, difference: &Difference) -> Vec<u8> {
        let mut out = Vec::new();
        for row in &difference.removed {
            self.event("removed", row, &mut out);
        }
        for row in &difference.added {
            self.event("added", row, &mut out);
        }
        out
    }

    /// One line with all rows.
    pub fn snapshot(&self, rows: &[String]) -> Vec<u8> {
        let mut out = format!("{{\"snapshot\":[{}],\"action\":\"snapshot\",", rows.join(",")).into_bytes();
        self.fields(&mut out);
        out.extend_from_slice(b"}\n");
        out
    }
}

/// Time as osquery writes it: `Tue Sep 30 17:37:30 2014 UTC`.
pub fn calendar_time(unix_time: i64) -> String {
    let time = DateTime::from_timestamp(unix_time, 0).unwrap_or_default();
    time.format("%a %b %e %H:%M:%S %Y UTC").to_string()
}

/// Format of values in result lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values {
    /// Numbers as numbers, not as text.
    pub numerics: bool,
    /// Control characters in text as `\xHH`: osquery does this in differences, but not in snapshots.
    pub escaped: bool,
}

/// Rows of a batch as the `columns` of result lines: distinct keys in alphabetical order; values as text, NULL as empty
/// text; with `numerics`, numbers as numbers.
pub fn rows(batch: &RecordBatch, values: Values) -> Result<Vec<String>> {
    let mut cells = Cells::new(batch).map_err(|error| PackError::Rows(error.to_string()))?;
    let schema = batch.schema_ref();
    // If several columns have one name, the last one counts.
    let order: BTreeMap<&str, usize> =
        schema.fields().iter().enumerate().map(|(index, field)| (written_name(field), index)).collect();
    let mut rows = Vec::with_capacity(batch.num_rows());
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let mut out = vec![b'{'];
        for (name, column) in &order {
            if out.len() > 1 {
                out.push(b',');
            }
            quote(name, &mut out);
            out.push(b':');
            let (field, array) = (schema.field(*column), batch.column(*column).as_ref());
            text.clear();
            match real(array, row) {
                // SQLite has no NaN; it is NULL there.
                Some(number) if number.is_nan() => {}
                Some(number) if values.numerics && number.is_finite() => {
                    cells.json(*column, row, &mut out);
                    continue;
                }
                Some(number) => text = real_text(field, number),
                None if values.numerics && field.data_type().is_integer() && array.is_valid(row) => {
                    cells.json(*column, row, &mut out);
                    continue;
                }
                None => cells.text(*column, row, &mut text),
            }
            quote(&if values.escaped { escaped(&text) } else { Cow::Borrowed(text.as_str()) }, &mut out);
        }
        out.push(b'}');
        rows.push(String::from_utf8(out).map_err(|error| PackError::Rows(error.to_string()))?);
    }
    Ok(rows)
}

/// The name that a query gives a column. The engine's own result names are distinct.
pub(crate) fn written_name(field: &Field) -> &str {
    field.metadata().get(NAME_METADATA).unwrap_or_else(|| field.name())
}

/// A real number of a cell; `None` for NULL and for other types.
fn real(array: &dyn Array, row: usize) -> Option<f64> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Float64 => Some(array.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => Some(array.as_primitive::<Float32Type>().value(row).into()),
        _ => None,
    }
}

/// A real as osquery writes it: 15 digits, and `.0` at the end of everything without a point (`1e+20.0`).
fn real_text(field: &Field, number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "inf.0".to_owned() } else { "-inf.0".to_owned() };
    }
    // Integers in a column that mixes integers and reals.
    let mixed = field.metadata().contains_key(NUMBER_METADATA).then(|| mixed_to_text(number));
    if let Some(integer) = mixed.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')) {
        return integer;
    }
    let text = real_to_text(number);
    match text.split_once(".0e") {
        Some((mantissa, exponent)) => format!("{mantissa}e{exponent}.0"),
        None => text,
    }
}

/// Text with control characters as `\xHH`.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    let is_control = |c: char| c < ' ';
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_control(c) {
            let _ = write!(out, "\\x{:02X}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array, StringArray};
    use arrow_schema::{Field, Schema};

    use super::*;

    const SNAPSHOT: Values = Values { numerics: false, escaped: false };

    fn batch() -> RecordBatch {
        let fields = vec![
            Field::new("pid", DataType::Int64, true),
            Field::new("name", DataType::Utf8, true),
            Field::new("load", DataType::Float64, true),
            Field::new("name", DataType::Utf8, true),
        ];
        RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            vec![
                Arc::new(Int64Array::from(vec![Some(1), None])),
                Arc::new(StringArray::from(vec!["first", "first"])),
                Arc::new(Float64Array::from(vec![2.0, 0.25])),
                Arc::new(StringArray::from(vec![Some("a\"b\u{1b}"), None])),
            ],
        )
        .expect("equal lengths")
    }

    fn stamp(numerics: bool) -> Stamp<'static> {
        Stamp {
            name: "pack_ir_shells",
            host_identifier: "web-1",
            unix_time: 1_412_098_650,
            epoch: 7,
            counter: 3,
            numerics,
        }
    }

    #[test]
    fn rows_as_text_and_as_numbers() {
        assert_eq!(
            rows(&batch(), SNAPSHOT).expect("rows"),
            [r#"{"load":"2.0","name":"a\"b\u001b","pid":"1"}"#, r#"{"load":"0.25","name":"","pid":""}"#]
        );
        assert_eq!(
            rows(&batch(), Values { numerics: true, ..SNAPSHOT }).expect("rows"),
            [r#"{"load":2.0,"name":"a\"b\u001b","pid":1}"#, r#"{"load":0.25,"name":"","pid":""}"#]
        );
    }

    fn column(array: arrow_array::ArrayRef, mixed: bool, values: Values) -> Vec<String> {
        let mut field = Field::new("v", array.data_type().clone(), true);
        if mixed {
            field = field.with_metadata([(NUMBER_METADATA.to_owned(), "mixed".to_owned())].into());
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).expect("one column");
        let rows = rows(&batch, values).expect("rows");
        rows.iter().map(|row| row.trim_start_matches("{\"v\":").trim_end_matches('}').to_owned()).collect()
    }

    /// Expected: the text of `%.15g`, with `.0` added if it has no point.
    #[test]
    fn reals_have_15_digits_and_always_a_point() {
        let cases = [
            (2.0, "2.0"),
            (0.1 + 0.2, "0.3"),
            (-0.25, "-0.25"),
            (1.0 / 3.0, "0.333333333333333"),
            (1e14, "100000000000000.0"),
            (1e15, "1e+15.0"),
            (1e20, "1e+20.0"),
            (-1e20, "-1e+20.0"),
            (1.5e20, "1.5e+20"),
            (1.05e20, "1.05e+20"),
            (1e-5, "1e-05.0"),
            (2.5e-7, "2.5e-07"),
            (1e300, "1e+300.0"),
            (1_234_567_890_123_456.0, "1.23456789012346e+15"),
            (f64::INFINITY, "inf.0"),
            (f64::NEG_INFINITY, "-inf.0"),
            (f64::NAN, ""),
        ];
        let numbers: Float64Array = cases.iter().map(|(number, _)| *number).collect();
        let texts: Vec<String> = cases.iter().map(|(_, text)| format!("{text:?}")).collect();
        assert_eq!(column(Arc::new(numbers), false, SNAPSHOT), texts);
        // In a column that holds integers and reals, 2 is an integer.
        let mixed = Float64Array::from(vec![2.0, 2.5, 1e20, f64::NAN]);
        assert_eq!(column(Arc::new(mixed), true, SNAPSHOT), ["\"2\"", "\"2.5\"", "\"1e+20.0\"", "\"\""]);
        let singles = arrow_array::Float32Array::from(vec![0.5, 3.0]);
        assert_eq!(column(Arc::new(singles), false, SNAPSHOT), ["\"0.5\"", "\"3.0\""]);
    }

    /// Values without a JSON number are text, and NULL is empty text for every type.
    #[test]
    fn with_numerics_null_is_still_empty_text() {
        let numerics = Values { numerics: true, ..SNAPSHOT };
        let numbers = Float64Array::from(vec![Some(1.5), None, Some(f64::NAN), Some(f64::INFINITY), Some(3.0)]);
        assert_eq!(column(Arc::new(numbers), false, numerics), ["1.5", "\"\"", "\"\"", "\"inf.0\"", "3.0"]);
        assert_eq!(column(Arc::new(Int64Array::from(vec![Some(7), None])), false, numerics), ["7", "\"\""]);
        let nothing = arrow_array::NullArray::new(1);
        assert_eq!(column(Arc::new(nothing), false, numerics), ["\"\""]);
        let flags = arrow_array::BooleanArray::from(vec![Some(true), None]);
        assert_eq!(column(Arc::new(flags), false, numerics), ["\"true\"", "\"\""]);
    }

    #[test]
    fn keys_are_in_alphabetical_order_and_equal_ones_collapse_into_the_last() {
        let names = ["b", "a", "B", "a:1", "_", "Z"];
        let field = |name: &&str| Field::new(*name, DataType::Int64, true);
        let mut fields: Vec<Field> = names.iter().map(field).collect();
        fields[3].metadata_mut().insert(NAME_METADATA.to_owned(), "a".to_owned());
        let columns = (0..6).map(|value| Arc::new(Int64Array::from(vec![value])) as arrow_array::ArrayRef).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("equal lengths");
        let expected = r#"{"B":"2","Z":"5","_":"4","a":"3","b":"0"}"#;
        assert_eq!(rows(&batch, SNAPSHOT).expect("rows"), [expected]);
    }

    /// osquery escapes control characters in the text of differences. Text in other scripts is unchanged.
    #[test]
    fn text_is_escaped_in_differences_and_not_in_snapshots() {
        let text = || Arc::new(StringArray::from(vec!["a\n\t\u{0}\u{1b}z", "käse \u{1f6b2} \\ \u{7f}"]));
        let differential = Values { escaped: true, ..SNAPSHOT };
        assert_eq!(
            column(text(), false, differential),
            [r#""a\\x0A\\x09\\x00\\x1Bz""#, "\"käse \u{1f6b2} \\\\ \\u007f\""]
        );
        assert_eq!(column(text(), false, SNAPSHOT), [r#""a\n\t\u0000\u001bz""#, "\"käse \u{1f6b2} \\\\ \\u007f\""]);
    }

    #[test]
    fn an_empty_snapshot_is_one_line() {
        let line = String::from_utf8(stamp(false).snapshot(&[])).expect("UTF-8");
        assert!(line.starts_with("{\"snapshot\":[],\"action\":\"snapshot\",") && line.ends_with("}\n"), "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn event_lines_are_osquerys() {
        let difference = Difference { removed: vec!["{\"pid\":\"1\"}".into()], added: vec!["{\"pid\":\"2\"}".into()] };
        assert_eq!(
            String::from_utf8(stamp(false).events(&difference)).expect("UTF-8"),
            concat!(
                r#"{"name":"pack_ir_shells","hostIdentifier":"web-1","calendarTime":"Tue Sep 30 17:37:30 2014 UTC","#,
                r#""unixTime":1412098650,"epoch":7,"counter":3,"numerics":false,"columns":{"pid":"1"},"action":"removed"}"#,
                "\n",
                r#"{"name":"pack_ir_shells","hostIdentifier":"web-1","calendarTime":"Tue Sep 30 17:37:30 2014 UTC","#,
                r#""unixTime":1412098650,"epoch":7,"counter":3,"numerics":false,"columns":{"pid":"2"},"action":"added"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn snapshot_lines_are_osquerys() {
        assert_eq!(
            String::from_utf8(stamp(true).snapshot(&["{\"a\":1}".into(), "{\"a\":2}".into()])).expect("UTF-8"),
            concat!(
                r#"{"snapshot":[{"a":1},{"a":2}],"action":"snapshot","name":"pack_ir_shells","hostIdentifier":"web-1","#,
                r#""calendarTime":"Tue Sep 30 17:37:30 2014 UTC","unixTime":1412098650,"epoch":7,"counter":3,"numerics":true}"#,
                "\n"
            )
        );
    }

    #[test]
    fn days_are_padded_with_a_blank() {
        assert_eq!(calendar_time(0), "Thu Jan  1 00:00:00 1970 UTC");
    }
}
