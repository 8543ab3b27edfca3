//! Rows in each format.

mod csv;
mod json;
mod line;
mod markdown;
mod plan;
mod table;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use indago::Query;

use crate::format::Format;

/// Receives the rows of a query, batch by batch.
pub trait RowSink {
    /// Takes a batch.
    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()>;
    /// Reports missing rows or values. Called once, after the last batch.
    fn note_missing(&mut self, _query: &Query) {}
    /// Ends the output. Called once, after the last batch, if there was no error.
    fn finish(&mut self) -> io::Result<()>;
    /// Ends the output after an error, so that the error message starts on its own line.
    fn abandon(&mut self) -> io::Result<()> {
        self.finish()
    }
}

/// Properties of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Width that tables must fit; `None` for no limit.
    pub width: Option<usize>,
    /// Whether colours may be used.
    pub color: bool,
    /// Whether it is a terminal, which interprets control characters.
    pub terminal: bool,
    /// Whether a table wraps long cells instead of cutting them.
    pub wraps: bool,
    /// How `csv` and `list` are written.
    pub separated: Separated,
}

/// How the formats `csv` and `list` are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Separated {
    /// What separates the values, instead of the format's own separator.
    pub separator: Option<Separator>,
    /// Whether the names of the columns come first.
    pub header: bool,
}

impl Default for Separated {
    fn default() -> Self {
        Self { separator: None, header: true }
    }
}

/// A character between values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Separator(char);

/// A text that cannot separate values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot separate values; use one character, such as `;`, or `\\t` for a tab")]
pub struct NotASeparator(String);

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            '\t' => f.write_str("\\t"),
            c => write!(f, "{c}"),
        }
    }
}

impl FromStr for Separator {
    type Err = NotASeparator;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = if text == "\\t" { "\t" } else { text };
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(c), None) if c != '"' && (c == '\t' || !c.is_control()) => Ok(Self(c)),
            _ => Err(NotASeparator(text.to_owned())),
        }
    }
}

impl Style {
    /// The style of standard output: a terminal's or a file's.
    pub fn of_stdout() -> Self {
        use std::io::IsTerminal;
        let terminal = io::stdout().is_terminal();
        let width = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
        Self {
            width: width.filter(|width| terminal && *width > 0),
            color: terminal && colors_wanted(),
            terminal,
            ..Self::default()
        }
    }

    /// The same for standard output as it is now.
    pub(crate) fn again(self) -> Self {
        Self { separated: self.separated, ..Self::of_stdout() }
    }
}

/// Whether the user wants colours.
pub(crate) fn colors_wanted() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A writer of rows in a format.
pub fn row_writer<'a, W: Write + 'a>(format: Format, schema: SchemaRef, out: W, style: Style) -> Box<dyn RowSink + 'a> {
    match format {
        Format::Table if plan::is_plan(&schema) => Box::new(plan::PlanWriter::new(out, style)),
        Format::Table => Box::new(table::TableWriter::new(schema, out, style)),
        Format::Json => Box::new(json::JsonWriter::new(&schema, out)),
        Format::Ndjson => Box::new(json::NdjsonWriter::new(&schema, out)),
        Format::Csv => Box::new(csv::CsvWriter::new(schema, out, style, ',')),
        Format::List => Box::new(csv::CsvWriter::new(schema, out, style, '|')),
        Format::Line => Box::new(line::LineWriter::new(&schema, out, style)),
        Format::Markdown => Box::new(markdown::MarkdownWriter::new(schema, out)),
    }
}

/// Writes a batch in a format.
pub fn write_batch(batch: &RecordBatch, format: Format, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = row_writer(format, batch.schema(), out, style);
    writer.batch(batch)?;
    writer.finish()
}

fn to_io(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        error => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
    }
}

/// A cell's text, safe to show. `None` for NULL; the text `NULL` is quoted to distinguish it.
fn shown(cells: &mut indago::packs::json::Cells<'_>, column: usize, row: usize) -> Option<String> {
    if cells.is_null(column, row) {
        return None;
    }
    let mut text = String::new();
    cells.text(column, row, &mut text);
    Some(match crate::text::visible(&text).as_ref() {
        "NULL" => "'NULL'".to_owned(),
        visible => visible.to_owned(),
    })
}

const NULL: &str = "NULL";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringViewArray, TimestampMicrosecondArray};
    use arrow_schema::{Field, Schema};

    use super::*;

    pub(crate) fn sample() -> RecordBatch {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("pid", Arc::new(Int64Array::from(vec![Some(1), Some(4096), None]))),
            (
                "name",
                Arc::new(StringViewArray::from(vec![
                    Some("init"),
                    Some("\u{1b}[31mred, \"quoted\"|\nnext"),
                    Some("NULL"),
                ])),
            ),
            ("load", Arc::new(Float64Array::from(vec![Some(0.5), None, Some(100.0)]))),
            ("ok", Arc::new(BooleanArray::from(vec![true, false, true]))),
            (
                "since",
                Arc::new(
                    TimestampMicrosecondArray::from(vec![Some(0), None, Some(1_700_000_000_000_000)])
                        .with_timezone("UTC"),
                ),
            ),
            ("name", Arc::new(StringViewArray::from(vec![Some(""), Some("日本"), None]))),
        ];
        let fields: Vec<Field> =
            columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("equal lengths")
    }

    fn render(format: Format, style: Style, batches: &[RecordBatch]) -> String {
        let mut out = Vec::new();
        {
            let mut writer = row_writer(format, sample().schema(), &mut out, style);
            for batch in batches {
                writer.batch(batch).expect("written");
            }
            writer.finish().expect("written");
        }
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn every_format() {
        for format in Format::ALL {
            insta::assert_snapshot!(format!("rows_{format}"), render(format, Style::default(), &[sample()]));
            insta::assert_snapshot!(format!("no_rows_{format}"), render(format, Style::default(), &[]));
        }
    }

    #[test]
    fn tables_fit_the_terminal() {
        for width in [100, 60, 20] {
            let style = Style { width: Some(width), terminal: true, ..Style::default() };
            let text = render(Format::Table, style, &[sample()]);
            insta::assert_snapshot!(format!("table_{width}"), text);
            if width > 50 {
                assert!(text.lines().all(|line| crate::text::width(line) <= width), "{text}");
            }
        }
    }

    #[test]
    fn json_is_json_and_nothing_active_reaches_a_terminal() {
        let batches = [sample(), sample()];
        let rows: Vec<serde_json::Value> =
            serde_json::from_str(&render(Format::Json, Style::default(), &batches)).expect("JSON");
        assert_eq!(rows.len(), 6);
        for line in render(Format::Ndjson, Style::default(), &batches).lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON");
        }
        let style = Style { width: Some(80), terminal: true, ..Style::default() };
        for format in Format::ALL {
            let text = render(format, style, &batches);
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{format}: {text:?}");
        }
    }

    #[test]
    fn separators_and_headers_are_chosen() {
        let column: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a;b"), Some("c,d|\te")]));
        let schema = Arc::new(Schema::new(vec![
            Field::new("x", column.data_type().clone(), true),
            Field::new("y", column.data_type().clone(), true),
        ]));
        let batch = RecordBatch::try_new(schema.clone(), vec![column.clone(), column]).expect("equal lengths");
        for (format, separator, header, expected) in [
            (Format::Csv, None, true, "x,y\na;b,a;b\n\"c,d|\te\",\"c,d|\te\"\n"),
            (Format::Csv, Some(";"), false, "\"a;b\";\"a;b\"\nc,d|\te;c,d|\te\n"),
            (Format::List, None, true, "x|y\na;b|a;b\n\"c,d|\te\"|\"c,d|\te\"\n"),
            (Format::List, Some("\\t"), true, "x\ty\na;b\ta;b\n\"c,d|\te\"\t\"c,d|\te\"\n"),
        ] {
            let separator = separator.map(|text| text.parse().expect("one character"));
            let style = Style { separated: Separated { separator, header }, ..Style::default() };
            let mut out = Vec::new();
            let mut writer = row_writer(format, schema.clone(), &mut out, style);
            writer.batch(&batch).expect("written");
            writer.finish().expect("written");
            drop(writer);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{style:?}");
        }
        for text in ["", "ab", "\"", "\n", "\u{1b}"] {
            assert!(text.parse::<Separator>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_null_alone_is_a_row_of_csv() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let schema = Arc::new(Schema::new(vec![Field::new("n", column.data_type().clone(), true)]));
        let batch = RecordBatch::try_new(schema.clone(), vec![column]).expect("equal lengths");
        let mut out = Vec::new();
        row_writer(Format::Csv, schema, &mut out, Style::default()).batch(&batch).expect("written");
        assert_eq!(String::from_utf8(out).expect("UTF-8"), "n\n1\n\"\"\n");
    }

    #[test]
    fn csv_is_raw_in_a_file() {
        assert!(render(Format::Csv, Style::default(), &[sample()]).contains("\u{1b}[31m"));
    }
}
