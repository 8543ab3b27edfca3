//! CSV as in RFC 4180: a header, and quotes where needed. NULL is an empty field and empty text is `""`; in a single
//! column, NULL is `""` too. The format `list` is the same with `|` between the values.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use indago::packs::json::Cells;

use super::{RowSink, Separated, Style, to_io};
use crate::text::visible;

pub(super) struct CsvWriter<W> {
    out: W,
    schema: SchemaRef,
    terminal: bool,
    separator: char,
    /// Whether the header is written, or there is none.
    begun: bool,
}

impl<W: Write> CsvWriter<W> {
    pub(super) fn new(schema: SchemaRef, out: W, style: Style, separator: char) -> Self {
        let Separated { separator: chosen, header } = style.separated;
        let separator = chosen.map_or(separator, |chosen| chosen.0);
        Self { out, schema, terminal: style.terminal, separator, begun: !header }
    }

    fn header(&mut self, text: &mut String) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        for (column, field) in self.schema.fields().iter().enumerate() {
            if column > 0 {
                text.push(self.separator);
            }
            self.push(field.name(), text);
        }
        text.push('\n');
    }

    fn push(&self, value: &str, text: &mut String) {
        let value = if self.terminal { visible(value) } else { value.into() };
        let is_special = |c| c == self.separator || ['"', '\n', '\r'].contains(&c);
        if value.is_empty() || value.contains(is_special) || value.starts_with(' ') || value.ends_with(' ') {
            text.push('"');
            text.push_str(&value.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(&value);
        }
    }
}

impl<W: Write> RowSink for CsvWriter<W> {
    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let mut cells = Cells::new(batch).map_err(to_io)?;
        let mut text = String::new();
        self.header(&mut text);
        let mut cell = String::new();
        for row in 0..batch.num_rows() {
            // Readers skip a blank line, so a single NULL is quoted.
            if cells.columns() == 1 && cells.is_null(0, row) {
                text.push_str("\"\"");
            }
            for column in 0..cells.columns() {
                if column > 0 {
                    text.push(self.separator);
                }
                if !cells.is_null(column, row) {
                    cell.clear();
                    cells.text(column, row, &mut cell);
                    self.push(&cell, &mut text);
                }
            }
            text.push('\n');
        }
        self.out.write_all(text.as_bytes())
    }

    fn finish(&mut self) -> io::Result<()> {
        let mut text = String::new();
        self.header(&mut text);
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}
