//! A timeline as one web page that needs no other file.

use std::io::{self, Write};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::file::{Bytes, Draft};
use crate::format::Format;
use crate::render::{RowSink, Style, row_writer};

/// The page. Its script reads the rows from the element `data` and writes them as text only.
const PAGE: &str = include_str!("page.html");
/// Where the rows are put.
const DATA: &str = "{{data}}";

/// A web page with the rows of a timeline.
pub struct PageFile {
    out: Option<Bytes>,
    entity: String,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    draft: Draft,
}

impl std::fmt::Debug for PageFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageFile").field("entity", &self.entity).finish_non_exhaustive()
    }
}

impl PageFile {
    /// Creates the file.
    pub fn create(path: &Path, entity: &str, schema: &SchemaRef) -> io::Result<Self> {
        let (draft, out) = Draft::new(path)?;
        Ok(PageFile { out: Some(out), entity: entity.to_owned(), schema: schema.clone(), batches: Vec::new(), draft })
    }

    fn write(&self, out: &mut Bytes) -> io::Result<()> {
        let (before, after) = PAGE.split_once(DATA).unwrap_or((PAGE, ""));
        out.write_all(before.as_bytes())?;
        out.write_all(&inert(&serde_json::to_vec(&self.entity)?))?;
        out.write_all(b", \"rows\": ")?;
        let mut rows = Vec::new();
        let mut writer = row_writer(Format::Json, self.schema.clone(), &mut rows, Style::default());
        self.batches.iter().try_for_each(|batch| writer.batch(batch))?;
        writer.finish()?;
        drop(writer);
        out.write_all(&inert(&rows))?;
        out.write_all(after.as_bytes())?;
        out.flush()
    }
}

/// JSON in which no text can end the element around it.
fn inert(json: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(json.len());
    for byte in json {
        match byte {
            // These bytes are only in strings.
            b'<' | b'>' | b'&' => text.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            byte => text.push(*byte),
        }
    }
    text
}

impl RowSink for PageFile {
    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.batches.push(batch.clone());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(mut out) = self.out.take() else { return Ok(()) };
        let finished = self.write(&mut out).and_then(|()| self.draft.finish());
        self.draft.told(finished)
    }

    fn abandon(&mut self) -> io::Result<()> {
        self.out = None;
        Ok(())
    }
}
