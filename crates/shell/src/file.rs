//! Rows as Arrow and Parquet files.
//!
//! A file is written next to its final path and renamed when complete, so a failed query leaves no partial file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, Fields, Schema, SchemaRef};
use indago::Query;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use crate::render::RowSink;

/// The bytes of a file.
pub(crate) type Bytes = BufWriter<Box<dyn Write + Send>>;

/// A file with a temporary name until it is complete.
pub(crate) struct Draft {
    path: PathBuf,
    draft: PathBuf,
    done: bool,
}

impl Draft {
    pub(crate) fn new(path: &Path) -> io::Result<(Self, Bytes)> {
        Self::begin(path).map_err(|error| named(path, error))
    }

    fn begin(path: &Path) -> io::Result<(Self, Bytes)> {
        let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
        // Pipes and devices are written to directly; renaming a file over them would replace them.
        let done = path.metadata().is_ok_and(|found| !found.is_file());
        let draft = path.with_file_name(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id()));
        let file = if done { File::options().write(true).open(path)? } else { File::create(&draft)? };
        Ok((Self { path: path.to_owned(), draft, done }, BufWriter::new(Box::new(file))))
    }

    /// Output that is not a file: it is never renamed or removed.
    fn none() -> Self {
        Self { path: PathBuf::from("standard output"), draft: PathBuf::new(), done: true }
    }

    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if !self.done {
            std::fs::rename(&self.draft, &self.path)?;
        }
        self.done = true;
        Ok(())
    }

    /// The result of writing, with the file's name in the error.
    pub(crate) fn told<T>(&self, written: io::Result<T>) -> io::Result<T> {
        written.map_err(|error| named(&self.path, error))
    }
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_file(&self.draft);
        }
    }
}

/// Numbers repeated names, because these formats find columns by name.
fn with_unique_names(schema: &SchemaRef) -> SchemaRef {
    let mut seen: Vec<String> = Vec::new();
    let fields: Fields = schema
        .fields()
        .iter()
        .map(|field| {
            let mut name = field.name().clone();
            let mut number = 1;
            while seen.contains(&name) {
                number += 1;
                name = format!("{}_{number}", field.name());
            }
            seen.push(name.clone());
            field.as_ref().clone().with_name(name)
        })
        .collect();
    SchemaRef::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// An Arrow IPC file.
pub struct ArrowFile {
    writer: Option<FileWriter<Bytes>>,
    schema: SchemaRef,
    draft: Draft,
}

impl std::fmt::Debug for ArrowFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ArrowFile").field(&self.draft.path).finish()
    }
}

impl ArrowFile {
    /// Creates the file.
    pub fn create(path: &Path, schema: &SchemaRef) -> io::Result<Self> {
        let (draft, file) = Draft::new(path)?;
        Self::new(draft, file, schema)
    }

    /// Writes to an output that is not a file, such as standard output.
    pub fn to(out: impl Write + Send + 'static, schema: &SchemaRef) -> io::Result<Self> {
        Self::new(Draft::none(), BufWriter::new(Box::new(out)), schema)
    }

    fn new(draft: Draft, file: Bytes, schema: &SchemaRef) -> io::Result<Self> {
        let schema = with_unique_names(schema);
        let writer = draft.told(FileWriter::try_new(file, &schema).map_err(arrow))?;
        Ok(Self { writer: Some(writer), schema, draft })
    }
}

impl RowSink for ArrowFile {
    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        self.draft.told(writer.write(&renamed(batch, &self.schema)?).map_err(arrow))
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        let written = writer.finish().and_then(|()| writer.into_inner()).map_err(arrow);
        let finished = written.and_then(|mut file| file.flush()).and_then(|()| self.draft.finish());
        self.draft.told(finished)
    }

    fn abandon(&mut self) -> io::Result<()> {
        // Removes the file, because its rows would be incomplete.
        self.writer = None;
        Ok(())
    }
}

/// A Parquet file, with its start time and the query. A store uses it as a capture if the query reads all rows of the
/// table that the file is named after.
pub struct ParquetFile {
    writer: Option<ArrowWriter<Bytes>>,
    schema: SchemaRef,
    draft: Draft,
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ParquetFile").field(&self.draft.path).finish()
    }
}

impl ParquetFile {
    /// Creates the file.
    pub fn create(path: &Path, schema: &SchemaRef) -> io::Result<Self> {
        let (draft, file) = Draft::new(path)?;
        Self::new(draft, file, schema)
    }

    /// Writes to an output that is not a file, such as standard output.
    pub fn to(out: impl Write + Send + 'static, schema: &SchemaRef) -> io::Result<Self> {
        Self::new(Draft::none(), BufWriter::new(Box::new(out)), schema)
    }

    fn new(draft: Draft, file: Bytes, schema: &SchemaRef) -> io::Result<Self> {
        let schema = with_unique_names(schema);
        let properties = indago::store::file_properties();
        let writer = draft.told(ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(parquet))?;
        Ok(Self { writer: Some(writer), schema, draft })
    }
}

impl RowSink for ParquetFile {
    fn note_missing(&mut self, query: &Query) {
        if let Some(writer) = &mut self.writer {
            indago::store::of_query(query).into_iter().for_each(|pair| writer.append_key_value_metadata(pair));
        }
    }

    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        self.draft.told(writer.write(&renamed(batch, &self.schema)?).map_err(parquet))
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let written = writer.into_inner().map_err(parquet);
        let finished = written.and_then(|mut file| file.flush()).and_then(|()| self.draft.finish());
        self.draft.told(finished)
    }

    fn abandon(&mut self) -> io::Result<()> {
        // Removes the file, because its rows would be incomplete.
        self.writer = None;
        Ok(())
    }
}

fn renamed(batch: &RecordBatch, schema: &SchemaRef) -> io::Result<RecordBatch> {
    RecordBatch::try_new(schema.clone(), batch.columns().to_vec()).map_err(arrow)
}

fn arrow(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        error => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
    }
}

fn parquet(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error.to_string()),
        },
        error => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;
    use arrow_schema::{DataType, Field};
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;

    #[test]
    fn files_are_whole_or_absent() {
        let folder = tempfile::tempdir().expect("a folder");
        let field = Field::new("a", DataType::Int64, false);
        let schema: SchemaRef = Arc::new(Schema::new(vec![field.clone(), field]));
        let column = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_new(schema.clone(), vec![column.clone(), column]).expect("equal lengths");
        let path = folder.path().join("rows.parquet");
        drop(ParquetFile::create(&path, &schema).expect("created"));
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 0);

        let mut file = ParquetFile::create(&path, &schema).expect("created");
        file.batch(&batch).expect("written");
        file.finish().expect("finished");
        let file = File::open(&path).expect("there");
        let pairs = SerializedFileReader::new(file.try_clone().expect("open")).expect("Parquet");
        let pairs = pairs.metadata().file_metadata().key_value_metadata().expect("pairs").clone();
        assert!(pairs.iter().any(|pair| pair.key == indago::store::CAPTURED_AT && pair.value.is_some()));
        let mut read = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 1024).expect("Parquet");
        let back = read.next().expect("a batch").expect("valid");
        assert_eq!(back.num_rows(), 2);
        assert_eq!(back.schema().field(1).name(), "a_2");

        let path = folder.path().join("rows.arrow");
        let mut file = ArrowFile::create(&path, &schema).expect("created");
        file.batch(&batch).expect("written");
        file.finish().expect("finished");
        let file = File::open(&path).expect("there");
        let rows: usize = arrow_ipc::reader::FileReader::try_new(file, None)
            .expect("Arrow")
            .map(|batch| batch.expect("valid").num_rows())
            .sum();
        assert_eq!(rows, 2);
        let nowhere = folder.path().join("no/such/folder.arrow");
        let error = ArrowFile::create(&nowhere, &schema).expect_err("no such folder");
        assert!(error.to_string().starts_with(&nowhere.display().to_string()), "{error}");
        // The data fits in the buffer, so the error appears only at the end.
        let mut full = ParquetFile::create(Path::new("/dev/full"), &schema).expect("opened");
        let error = full.batch(&batch).and_then(|()| full.finish()).expect_err("the disk is full");
        assert!(error.to_string().starts_with("/dev/full: "), "{error}");
    }
}
