//! One column per line, for wide rows.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use indago::packs::json::Cells;

use super::{BOLD, DIM, NULL, RESET, RowSink, Style, shown, to_io};
use crate::text::{visible, width};

pub(super) struct LineWriter<W> {
    out: W,
    /// Column names, padded to equal width.
    names: Vec<String>,
    color: bool,
    begun: bool,
}

impl<W: Write> LineWriter<W> {
    pub(super) fn new(schema: &Schema, out: W, style: Style) -> Self {
        let names: Vec<String> = schema.fields().iter().map(|field| visible(field.name()).into_owned()).collect();
        let widest = names.iter().map(|name| width(name)).max().unwrap_or(0);
        let names = names.into_iter().map(|name| format!("{}{name}", " ".repeat(widest - width(&name)))).collect();
        Self { out, names, color: style.color, begun: false }
    }

    pub(super) fn record(&mut self, values: &[Option<String>]) -> io::Result<()> {
        let mut text = String::new();
        if std::mem::replace(&mut self.begun, true) {
            text.push('\n');
        }
        for (name, value) in self.names.iter().zip(values) {
            let value = value.as_deref();
            match self.color {
                true if value.is_none() => text.push_str(&format!("{BOLD}{name}{RESET} = {DIM}{NULL}{RESET}\n")),
                true => text.push_str(&format!("{BOLD}{name}{RESET} = {}\n", value.unwrap_or_default())),
                false => text.push_str(format!("{name} = {}", value.unwrap_or(NULL)).trim_end()),
            }
            if !self.color {
                text.push('\n');
            }
        }
        self.out.write_all(text.as_bytes())
    }

    pub(super) fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> RowSink for LineWriter<W> {
    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let mut cells = Cells::new(batch).map_err(to_io)?;
        for row in 0..batch.num_rows() {
            let values: Vec<_> = (0..cells.columns()).map(|column| shown(&mut cells, column, row)).collect();
            self.record(&values)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.end()
    }
}
