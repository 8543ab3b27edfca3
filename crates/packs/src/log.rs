//! Result lines in osquery's event format, and snapshot lines.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use chrono::DateTime;

use crate::differ::Difference;
use crate::error::{PackError, Result};
use crate::json::{Cells, quote};

/// What the lines of one result have in common.
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
    /// 0 for a first result, one more for each difference that was logged.
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

    /// One line for each row that went, then one for each that came.
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

/// Rows of a batch as the `columns` of result lines: keys in alphabetical order, each once; values as text, NULL as
/// empty text; with `numerics`, numbers as numbers.
pub fn rows(batch: &RecordBatch, numerics: bool) -> Result<Vec<String>> {
    let mut cells = Cells::new(batch).map_err(|error| PackError::Rows(error.to_string()))?;
    let schema = batch.schema_ref();
    // The last of several columns of one name wins, as in a map that is filled from left to right.
    let order: BTreeMap<&str, usize> =
        schema.fields().iter().enumerate().map(|(index, field)| (field.name().as_str(), index)).collect();
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
            if numerics && is_number(schema.field(*column).data_type()) && !cells.is_null(*column, row) {
                cells.json(*column, row, &mut out);
            } else {
                text.clear();
                cells.text(*column, row, &mut text);
                quote(&text, &mut out);
            }
        }
        out.push(b'}');
        rows.push(String::from_utf8(out).map_err(|error| PackError::Rows(error.to_string()))?);
    }
    Ok(rows)
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_floating()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array, StringArray};
    use arrow_schema::{Field, Schema};

    use super::*;

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
            rows(&batch(), false).expect("rows"),
            [r#"{"load":"2.0","name":"a\"b\u001b","pid":"1"}"#, r#"{"load":"0.25","name":"","pid":""}"#]
        );
        assert_eq!(
            rows(&batch(), true).expect("rows"),
            [r#"{"load":2.0,"name":"a\"b\u001b","pid":1}"#, r#"{"load":0.25,"name":"","pid":""}"#]
        );
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
