//! A Markdown table.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use indago::packs::json::Cells;

use super::{NULL, RowSink, shown, table, to_io};
use crate::text::visible;

pub(super) struct MarkdownWriter<W> {
    out: W,
    schema: SchemaRef,
    begun: bool,
}

impl<W: Write> MarkdownWriter<W> {
    pub(super) fn new(schema: SchemaRef, out: W) -> Self {
        Self { out, schema, begun: false }
    }

    fn header(&mut self, text: &mut String) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let (mut names, mut rule) = (String::from("|"), String::from("|"));
        for field in self.schema.fields() {
            names.push_str(&format!(" {} |", escaped(&visible(field.name()))));
            rule.push_str(if table::is_number(field.data_type()) { " ---: |" } else { " --- |" });
        }
        text.push_str(&format!("{names}\n{rule}\n"));
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}

impl<W: Write> RowSink for MarkdownWriter<W> {
    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let mut cells = Cells::new(batch).map_err(to_io)?;
        let mut text = String::new();
        self.header(&mut text);
        for row in 0..batch.num_rows() {
            text.push('|');
            for column in 0..cells.columns() {
                match shown(&mut cells, column, row) {
                    Some(value) => text.push_str(&format!(" {} |", escaped(&value))),
                    None => text.push_str(&format!(" {NULL} |")),
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
