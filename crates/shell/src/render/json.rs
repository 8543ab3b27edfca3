//! JSON: one array of objects, or one object per line.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use indago::packs::json::{Cells, names, object};

use super::{RowSink, to_io};

/// One array, with one object per line.
pub(super) struct JsonWriter<W> {
    out: W,
    names: Vec<Vec<u8>>,
    rows: u64,
}

impl<W: Write> JsonWriter<W> {
    pub(super) fn new(schema: &Schema, out: W) -> Self {
        Self { out, names: names(schema), rows: 0 }
    }
}

impl<W: Write> RowSink for JsonWriter<W> {
    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let mut cells = Cells::new(batch).map_err(to_io)?;
        let mut text = Vec::with_capacity(batch.num_rows() * 128);
        for row in 0..batch.num_rows() {
            text.extend_from_slice(if self.rows == 0 { b"[\n  " } else { b",\n  " });
            object(&self.names, &mut cells, row, &mut text);
            self.rows += 1;
        }
        self.out.write_all(&text)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.write_all(if self.rows == 0 { b"[]\n" } else { b"\n]\n" })?;
        self.out.flush()
    }
}

/// One object per line.
pub(super) struct NdjsonWriter<W> {
    out: W,
    names: Vec<Vec<u8>>,
}

impl<W: Write> NdjsonWriter<W> {
    pub(super) fn new(schema: &Schema, out: W) -> Self {
        Self { out, names: names(schema) }
    }
}

impl<W: Write> RowSink for NdjsonWriter<W> {
    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let mut cells = Cells::new(batch).map_err(to_io)?;
        let mut text = Vec::with_capacity(batch.num_rows() * 128);
        for row in 0..batch.num_rows() {
            object(&self.names, &mut cells, row, &mut text);
            text.push(b'\n');
        }
        self.out.write_all(&text)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
