//! Local files as tables: `read_csv('f')`, `read_json('f')` and `read_parquet('f')`.
//!
//! A file is opened like every file that Indago reads: a regular file, within limits. Its columns are found in its first
//! megabytes. A value that does not fit its column is NULL, and reported with its line.

use std::borrow::Cow;
use std::cell::Cell as Counter;
use std::collections::{HashMap, HashSet};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringViewBuilder};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use csv::ByteRecord;
use indago_engine::{TableFunction, TableFunctions};
use indago_table::{
    ColumnSpec, Error, Kind, Lookup, Reading, Result, ScanContext, Sink, Slice, Sys, Table, TableRef, TableSpec,
};
use serde_json::{Map, Value};

use crate::input::Contents;
use crate::table::StoredTable;

/// Bytes of a file in which its columns and their types are found.
const SAMPLE: u64 = 16 << 20;
/// The largest record, and the largest JSON document that is not one object per line.
const LARGEST: u64 = 64 << 20;
/// The most files that one pattern may match.
const MOST_FILES: usize = 1000;
/// The most columns of a file.
const MOST_COLUMNS: usize = 4096;
/// Bytes of a file after which a batch is sent, however few its rows are.
const BATCH_BYTES: u64 = 4 << 20;

/// The functions that read local files in FROM.
///
/// They let a query read every file that its user may read, so an engine has them only if its builder adds them:
/// `Engine::builder().table_functions(Files)`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files;

impl TableFunctions for Files {
    fn functions(&self) -> Vec<TableFunction> {
        vec![
            TableFunction {
                name: "read_csv",
                signature: "read_csv(path [, delimiter])",
                description: "Rows of CSV files with a header line; `*` and `?` in the file name match several files.",
            },
            TableFunction {
                name: "read_json",
                signature: "read_json(path)",
                description: "Rows of JSON files: one object per line, or an array of objects.",
            },
            TableFunction {
                name: "read_parquet",
                signature: "read_parquet(path)",
                description: "Rows of Parquet files.",
            },
        ]
    }

    fn table(&self, function: &str, arguments: &[String]) -> Result<TableRef> {
        let sys = Sys::live();
        let (path, more) = arguments.split_first().ok_or_else(|| usage(function))?;
        let files = files(&sys, path)?;
        let format = match (function, more) {
            ("read_parquet", []) => return parquet(function, path, &files),
            ("read_json", []) => Format::Json,
            ("read_csv", []) if files.iter().all(|file| file.extension().is_some_and(|end| end == "tsv")) => {
                Format::Csv(b'\t')
            }
            ("read_csv", []) => Format::Csv(b','),
            ("read_csv", [delimiter]) => match delimiter.as_bytes() {
                [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Format::Csv(*byte),
                _ => return Err(Error::Unsupported(format!("`{delimiter}` is not one ASCII character to split at"))),
            },
            _ => return Err(usage(function)),
        };
        Ok(Arc::new(FileTable::open(&sys, function, path, files, format)?))
    }
}

fn usage(function: &str) -> Error {
    let more = if function == "read_csv" { " [, delimiter]" } else { "" };
    Error::Unsupported(format!("wrong number of arguments; it is {function}(path{more})"))
}

/// The files of a path, whose last part may be a pattern with `*` and `?`.
fn files(sys: &Sys, path: &str) -> Result<Vec<PathBuf>> {
    let whole = Path::new(path);
    let name = whole.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let folder = whole.parent().unwrap_or(Path::new(""));
    if folder.to_string_lossy().contains(['*', '?']) {
        return Err(Error::Unsupported(format!("{path}: `*` and `?` work only in the last part of a path")));
    }
    if !name.contains(['*', '?']) {
        return Ok(vec![whole.to_owned()]);
    }
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let names = sys.read_dir(listed)?.into_iter().filter(|file| matches(&name, &file.to_string_lossy()));
    let mut files: Vec<PathBuf> = names.map(|file| folder.join(file)).collect();
    files.sort();
    match files.len() {
        0 => Err(Error::Gone(format!("a file that matches {path}"))),
        many if many > MOST_FILES => {
            Err(Error::Unsupported(format!("{path} matches {many} files, more than {MOST_FILES}")))
        }
        _ => Ok(files),
    }
}

/// Whether a name matches a pattern. As in a shell, `*` does not match a leading dot.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Where the last `*` was, and how much of the name it matches.
    let (mut at, mut in_name, mut star) = (0, 0, None);
    while in_name < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(character) if *character == '?' || *character == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((before, matched)) = star else { return false };
                star = Some((before, matched + 1));
                (at, in_name) = (before + 1, matched + 1);
            }
        }
    }
    pattern[at..].iter().all(|character| *character == '*')
}

/// Parquet files as one table with the columns of all of them.
fn parquet(function: &str, path: &str, files: &[PathBuf]) -> Result<TableRef> {
    let name = called(function, path);
    let tables = files.iter().map(|file| StoredTable::new(&name, Contents::File(file.clone()), None));
    let mut tables: Vec<StoredTable> = tables.collect();
    if let Some(damage) = tables.iter().find_map(StoredTable::damage) {
        return Err(Error::Malformed(damage.to_owned()));
    }
    let mut columns: Vec<ColumnSpec> = Vec::new();
    for column in tables.iter().flat_map(|table| table.spec().columns.iter()) {
        match columns.iter_mut().find(|known| known.name == column.name) {
            None => columns.push(column.clone()),
            // Texts hold every value.
            Some(known) if known.kind != column.kind => known.kind = Kind::Text,
            Some(_) => {}
        }
    }
    let mut spec = spec(function, path, columns);
    spec.typical_rows = tables.iter().map(|table| table.spec().typical_rows).sum();
    if let [table] = tables.as_slice() {
        spec.captured_at = table.spec().captured_at.clone();
    }
    tables.iter_mut().for_each(|table| table.become_part_of(spec.clone()));
    Ok(Arc::new(Parts(spec, tables)))
}

/// A table whose slices are those of several tables with its specification.
#[derive(Debug)]
struct Parts(TableSpec, Vec<StoredTable>);

impl Table for Parts {
    fn spec(&self) -> &TableSpec {
        &self.0
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let mut slices = Vec::new();
        for table in &self.1 {
            slices.extend(table.slices(context)?);
        }
        Ok(slices)
    }

    fn checks_filters(&self) -> bool {
        true
    }
}

fn called(function: &str, path: &str) -> String {
    format!("{function}('{path}')")
}

fn spec(function: &str, path: &str, columns: Vec<ColumnSpec>) -> TableSpec {
    let description = format!("Rows of {path}.");
    let mut spec = TableSpec::new(called(function, path), "files".to_owned(), description, columns);
    spec.lookup = Lookup::WholeSource;
    spec
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Csv(u8),
    Json,
}

/// Files with records: lines of CSV or JSON objects.
#[derive(Debug)]
struct FileTable {
    spec: TableSpec,
    files: Vec<PathBuf>,
    format: Format,
}

impl FileTable {
    fn open(sys: &Sys, function: &str, path: &str, files: Vec<PathBuf>, format: Format) -> Result<Self> {
        let mut found = Found::default();
        let mut bytes = 0;
        for file in &files {
            let outcome = records(sys, file, format, &mut |_, record| {
                let Ok(record) = record else { return Ok(true) };
                found.add(&record)?;
                Ok(record.is_within(SAMPLE))
            });
            outcome?;
            bytes += sys.metadata(file)?.len();
        }
        if found.columns.is_empty() {
            let what = if let Format::Csv(_) = format { "a header line" } else { "a JSON object with a key" };
            return Err(Error::Malformed(format!("{path} has no columns; it needs {what}")));
        }
        let columns = found.columns.into_iter().map(|column| {
            let kind = column.kind();
            ColumnSpec::new(column.name, kind, "")
        });
        let mut spec = spec(function, path, columns.collect());
        // For the planner. A row has about so many bytes.
        spec.typical_rows = bytes / 64;
        Ok(FileTable { spec, files, format })
    }
}

impl Table for FileTable {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let schema = self.spec.schema().project(&context.columns);
        let schema = Arc::new(schema.map_err(|error| Error::Malformed(error.to_string()))?);
        let names: HashSet<String> = self.spec.columns.iter().map(|column| column.name.to_string()).collect();
        let names = Arc::new(names);
        let slice = |file: &PathBuf| {
            let columns = context.columns.iter().map(|at| self.spec.columns[*at].clone()).collect();
            let label = file.display().to_string();
            let reader = Reader {
                table: self.spec.name.to_string(),
                file: file.clone(),
                format: self.format,
                columns,
                positions: context.columns.clone(),
                names: names.clone(),
                schema: schema.clone(),
                context: ScanContext { slice: Some(label.as_str().into()), ..context.clone() },
            };
            let read = move |sink: &mut dyn Sink| reader.read(sink);
            Slice::new(label, Reading::Blocking(Box::new(read)))
        };
        Ok(self.files.iter().map(slice).collect())
    }
}

/// The columns that were found, in their order.
#[derive(Default)]
struct Found {
    columns: Vec<FoundColumn>,
    /// The position of each column.
    positions: HashMap<String, usize>,
}

#[derive(Default)]
struct FoundColumn {
    name: String,
    integers: bool,
    reals: bool,
    booleans: bool,
    texts: bool,
    documents: bool,
}

impl FoundColumn {
    fn add(&mut self, cell: &Cell<'_>) {
        match cell {
            Cell::Null => {}
            Cell::Field(text) if text.is_empty() => {}
            Cell::Field(text) if is_integer(text) => self.integers = true,
            Cell::Field(text) if is_real(text) => self.reals = true,
            Cell::Field(_) => self.texts = true,
            Cell::Json(Value::Null) => {}
            Cell::Json(Value::Bool(_)) => self.booleans = true,
            Cell::Json(Value::Number(number)) if number.is_i64() => self.integers = true,
            Cell::Json(Value::Number(number)) if number.is_f64() => self.reals = true,
            Cell::Json(Value::Array(_) | Value::Object(_)) => self.documents = true,
            Cell::Json(_) => self.texts = true,
        }
    }

    fn kind(&self) -> Kind {
        match (self.integers, self.reals, self.booleans, self.documents) {
            _ if self.texts => Kind::Text,
            (true, false, false, false) => Kind::BigInt,
            (_, true, false, false) => Kind::Double,
            (false, false, true, false) => Kind::Boolean,
            (false, false, false, true) => Kind::Json,
            _ => Kind::Text,
        }
    }
}

/// An integer as it would be printed, so that `007` and `+1` stay texts.
fn is_integer(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|number| number.to_string() == *text)
}

/// Digits with a point, and no more.
fn is_real(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.strip_prefix('-').unwrap_or(text).split_once('.') {
        Some((whole, fraction)) => is_number(whole) && is_number(fraction) && (whole == "0" || !whole.starts_with('0')),
        None => false,
    }
}

impl Found {
    fn add(&mut self, record: &Record<'_>) -> Result<()> {
        match &record.values {
            Values::Header(names) => {
                for name in names.iter() {
                    self.column(name)?;
                }
            }
            Values::Fields(fields, names) => {
                for (name, field) in names.iter().zip(fields.iter()) {
                    self.column(name)?.add(&Cell::Field(String::from_utf8_lossy(field)));
                }
            }
            Values::Object(object) => {
                for (name, value) in object.iter() {
                    self.column(name)?.add(&Cell::Json(value));
                }
            }
        }
        Ok(())
    }

    fn column(&mut self, name: &str) -> Result<&mut FoundColumn> {
        let position = match self.positions.get(name) {
            Some(position) => *position,
            None if self.columns.len() < MOST_COLUMNS => {
                self.positions.insert(name.to_owned(), self.columns.len());
                self.columns.push(FoundColumn { name: name.to_owned(), ..FoundColumn::default() });
                self.columns.len() - 1
            }
            None => return Err(too_wide()),
        };
        Ok(&mut self.columns[position])
    }
}

/// One record of a file.
struct Record<'a> {
    /// Bytes of the file up to its end.
    end: u64,
    values: Values<'a>,
}

impl Record<'_> {
    fn is_within(&self, bytes: u64) -> bool {
        self.end < bytes
    }
}

enum Values<'a> {
    /// The names of the columns of a CSV file.
    Header(&'a [String]),
    /// The fields of a line, and the names of the columns.
    Fields(&'a ByteRecord, &'a [String]),
    Object(&'a Map<String, Value>),
}

/// One value of a record.
enum Cell<'a> {
    Null,
    Field(Cow<'a, str>),
    Json(&'a Value),
}

/// Receives the line of a record, and the record or what is wrong with the line. Returns whether it wants more.
type Each<'a> = &'a mut dyn FnMut(u64, Result<Record<'_>, String>) -> Result<bool>;

fn records(sys: &Sys, path: &Path, format: Format, each: Each<'_>) -> Result<()> {
    match format {
        Format::Csv(delimiter) => csv_records(sys, path, delimiter, each),
        Format::Json => json_records(sys, path, each),
    }
}

/// Fails if more than [`LARGEST`] bytes are read for one record.
struct Bounded<R> {
    inner: R,
    since: Rc<Counter<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.since.set(self.since.get() + read as u64);
        if self.since.get() > LARGEST {
            return Err(io::Error::other("a record is larger than the limit of 64 MiB; is a quote missing?"));
        }
        Ok(read)
    }
}

fn csv_records(sys: &Sys, path: &Path, delimiter: u8, each: Each<'_>) -> Result<()> {
    let since = Rc::new(Counter::new(0));
    let file = Bounded { inner: sys.open(path)?, since: since.clone() };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(file);
    let mut record = ByteRecord::new();
    let mut names: Option<Vec<String>> = None;
    loop {
        since.set(0);
        let more = reader.read_byte_record(&mut record).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => sys.read_error(path, &error),
            _ => Error::Malformed(format!("{}: not CSV", path.display())),
        })?;
        if !more {
            return Ok(());
        }
        let line = record.position().map_or(0, csv::Position::line);
        let end = reader.position().byte();
        if names.is_none() && record.len() > MOST_COLUMNS {
            return Err(too_wide());
        }
        let values = match &names {
            Some(names) => Values::Fields(&record, names),
            None => Values::Header(names.insert(header(&record))),
        };
        if !each(line, Ok(Record { end, values }))? {
            return Ok(());
        }
    }
}

fn too_wide() -> Error {
    Error::Malformed(format!("it has more than {MOST_COLUMNS} columns"))
}

/// The names of columns: distinct, also without regard to case, and never empty.
fn header(record: &ByteRecord) -> Vec<String> {
    let (mut taken, mut numbers) = (HashSet::new(), HashMap::<String, usize>::new());
    let name = |(position, field): (usize, &[u8])| {
        let text = String::from_utf8_lossy(field);
        let text = if position == 0 { text.trim_start_matches('\u{feff}') } else { &text }.trim();
        let base = if text.is_empty() { format!("column_{}", position + 1) } else { text.to_owned() };
        let mut name = base.clone();
        while !taken.insert(name.to_ascii_lowercase()) {
            let number = numbers.entry(base.to_ascii_lowercase()).or_default();
            *number += 1;
            name = format!("{base}_{number}");
        }
        name
    };
    record.iter().enumerate().map(name).collect()
}

fn json_records(sys: &Sys, path: &Path, each: Each<'_>) -> Result<()> {
    let (mut line, mut end, mut is_lines) = (0, 0, None);
    let lines = sys.lines(path, |bytes| {
        line += 1;
        end += bytes.len() as u64 + 1;
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes).trim_ascii();
        if text.is_empty() {
            return Ok(());
        }
        let parsed = serde_json::from_slice::<Value>(text);
        // The first value decides whether a line is a document.
        if is_lines.is_none() {
            is_lines = Some(matches!(&parsed, Ok(Value::Object(_))));
        }
        if is_lines == Some(false) {
            return Err(Error::Cancelled);
        }
        let record = match &parsed {
            Ok(Value::Object(object)) => Ok(Record { end, values: Values::Object(object) }),
            Ok(_) => Err("not a JSON object".to_owned()),
            Err(error) => Err(format!("not JSON: {}", reason(error))),
        };
        if each(line, record)? { Ok(()) } else { Err(Error::Cancelled) }
    });
    match (lines, is_lines) {
        (_, Some(false)) => json_document(sys, path, each),
        // The caller wants no more, or the query was cancelled.
        (Err(Error::Cancelled), _) => sys.check_cancelled(),
        // A first line that is too long for a line may be a document.
        (Err(_), None) => json_document(sys, path, each),
        (outcome, _) => outcome,
    }
}

/// An array of objects, or objects over several lines.
fn json_document(sys: &Sys, path: &Path, each: Each<'_>) -> Result<()> {
    let mut file = BufReader::new(sys.open(path)?).take(LARGEST + 1);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| sys.read_error(path, &error))?;
    if bytes.len() as u64 > LARGEST {
        let what = "one JSON document of more than 64 MiB; write one object per line";
        return Err(Error::Malformed(format!("{}: {what}", path.display())));
    }
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let end = bytes.len() as u64;
    let documents = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    let mut number = 0;
    for document in documents {
        let document = document.map_err(|error| Error::BadLine {
            file: path.display().to_string(),
            line: error.line() as u64,
            what: format!("not JSON: {}", reason(&error)),
        })?;
        let values = match document {
            Value::Array(values) => values,
            value => vec![value],
        };
        for value in &values {
            number += 1;
            let record = match value {
                Value::Object(object) => Ok(Record { end, values: Values::Object(object) }),
                _ => Err(format!("value {number} is not a JSON object")),
            };
            // The whole file has been read, so all of it is the sample.
            each(1, record)?;
        }
        sys.check_cancelled()?;
    }
    Ok(())
}

/// The reason of an error, without the place in the line.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// A scan of one file.
struct Reader {
    table: String,
    file: PathBuf,
    format: Format,
    /// The wanted columns, and their positions in the table.
    columns: Vec<ColumnSpec>,
    positions: Arc<[usize]>,
    /// The names of all columns.
    names: Arc<HashSet<String>>,
    schema: SchemaRef,
    context: ScanContext,
}

impl Reader {
    fn read(&self, sink: &mut dyn Sink) -> Result<()> {
        let context = &self.context;
        let mut columns: Vec<Builder> = self.columns.iter().map(Builder::new).collect();
        // For a CSV file: where its own header has the wanted columns.
        let mut places: Vec<Option<usize>> = self.positions.iter().map(|at| Some(*at)).collect();
        let (mut rows, mut given, mut sent) = (0, 0, 0);
        let mut is_wanted = true;
        let sys = Sys::live();
        records(&sys, &self.file, self.format, &mut |line, record| {
            if context.meter.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let record = match record {
                Ok(record) => record,
                Err(what) => {
                    self.report("", line, what);
                    return Ok(true);
                }
            };
            let end = record.end;
            match record.values {
                Values::Header(own) => {
                    let place = |column: &ColumnSpec| own.iter().position(|name| *name == column.name);
                    places = self.columns.iter().map(place).collect();
                    return Ok(true);
                }
                Values::Fields(fields, own) => {
                    if fields.len() != own.len() {
                        let (has, of) = (fields.len(), own.len());
                        self.report("", line, format!("{has} values, and the header has {of}"));
                    }
                    for (builder, (place, column)) in columns.iter_mut().zip(places.iter().zip(&self.columns)) {
                        let field = place.and_then(|place| fields.get(place));
                        let cell = field.map_or(Cell::Null, |field| Cell::Field(self.text(column, line, field)));
                        self.push(builder, column, line, &cell);
                    }
                }
                Values::Object(object) => {
                    for (builder, column) in columns.iter_mut().zip(&self.columns) {
                        let value = object.get(column.name.as_ref());
                        self.push(builder, column, line, &value.map_or(Cell::Null, Cell::Json));
                    }
                    if let Some(other) = object.keys().find(|key| !self.names.contains(key.as_str())) {
                        let what = format!("key `{other}` is not in the first part of the file, and not a column");
                        self.report("", line, what);
                    }
                }
            }
            rows += 1;
            given += 1;
            let is_last = context.limit.is_some_and(|limit| given >= limit);
            if rows >= context.batch_size || end.saturating_sub(sent) >= BATCH_BYTES || is_last {
                sent = end;
                is_wanted = self.send(&mut columns, &mut rows, sink)?;
            }
            Ok(is_wanted && !is_last)
        })?;
        if rows > 0 && is_wanted {
            self.send(&mut columns, &mut rows, sink)?;
        }
        Ok(())
    }

    fn send(&self, columns: &mut [Builder], rows: &mut usize, sink: &mut dyn Sink) -> Result<bool> {
        let arrays: Vec<ArrayRef> = columns.iter_mut().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(rows)));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::Malformed(format!("{}: {error}", self.file.display())))?;
        self.context.meter.add_rows(batch.num_rows() as u64);
        self.context.meter.add_bytes(batch.get_array_memory_size() as u64);
        Ok(sink.blocking_send(batch))
    }

    fn report(&self, column: &str, line: u64, what: String) {
        let file = self.file.display().to_string();
        self.context.report(&self.table, column, &Error::BadLine { file, line, what });
    }

    fn text<'a>(&self, column: &ColumnSpec, line: u64, bytes: &'a [u8]) -> Cow<'a, str> {
        let text = String::from_utf8_lossy(bytes);
        if let Cow::Owned(_) = text {
            self.report(&column.name, line, "not UTF-8; each byte that is not is shown as U+FFFD".to_owned());
        }
        text
    }

    fn push(&self, builder: &mut Builder, column: &ColumnSpec, line: u64, cell: &Cell<'_>) {
        if !builder.push(cell) {
            let value = match cell {
                Cell::Null => String::new(),
                Cell::Field(text) => text.to_string(),
                Cell::Json(value) => value.to_string(),
            };
            let value: String = value.chars().take(60).collect();
            self.report(&column.name, line, format!("`{value}` does not fit {} and is NULL", column.kind.name()));
        }
    }
}

/// Collects the values of a column.
enum Builder {
    Integers(Int64Builder),
    Reals(Float64Builder),
    Booleans(BooleanBuilder),
    Texts(StringViewBuilder),
}

impl Builder {
    fn new(column: &ColumnSpec) -> Self {
        match column.kind {
            Kind::BigInt => Builder::Integers(Int64Builder::new()),
            Kind::Double => Builder::Reals(Float64Builder::new()),
            Kind::Boolean => Builder::Booleans(BooleanBuilder::new()),
            _ => Builder::Texts(StringViewBuilder::new()),
        }
    }

    /// Whether the value fits; if not, it is NULL.
    fn push(&mut self, cell: &Cell<'_>) -> bool {
        let is_empty = match cell {
            Cell::Null | Cell::Json(Value::Null) => true,
            // Empty text is a text, and no number.
            Cell::Field(text) => text.trim().is_empty() && !matches!(self, Builder::Texts(_)),
            Cell::Json(_) => false,
        };
        let cell = if is_empty { &Cell::Null } else { cell };
        match self {
            Builder::Integers(builder) => {
                let number = match cell {
                    Cell::Field(text) => text.trim().parse().ok(),
                    Cell::Json(value) => value.as_i64(),
                    Cell::Null => None,
                };
                builder.append_option(number);
                number.is_some() || is_empty
            }
            Builder::Reals(builder) => {
                let number = match cell {
                    Cell::Field(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
                    Cell::Json(value) => value.as_f64(),
                    Cell::Null => None,
                };
                builder.append_option(number);
                number.is_some() || is_empty
            }
            Builder::Booleans(builder) => {
                let truth = if let Cell::Json(value) = cell { value.as_bool() } else { None };
                builder.append_option(truth);
                truth.is_some() || is_empty
            }
            Builder::Texts(builder) => {
                match cell {
                    Cell::Null => builder.append_null(),
                    Cell::Field(text) => builder.append_value(text),
                    Cell::Json(Value::String(text)) => builder.append_value(text),
                    Cell::Json(value) => builder.append_value(value.to_string()),
                }
                true
            }
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Integers(builder) => Arc::new(builder.finish()),
            Builder::Reals(builder) => Arc::new(builder.finish()),
            Builder::Booleans(builder) => Arc::new(builder.finish()),
            Builder::Texts(builder) => Arc::new(builder.finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        for (pattern, name, expected) in [
            ("*.csv", "a.csv", true),
            ("*.csv", ".a.csv", false),
            ("*.csv", "a.csv.gz", false),
            ("a?c*", "abcd", true),
            ("a?c*", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn only_what_is_printed_the_same_is_a_number() {
        for (text, integer, real) in [
            ("12", true, false),
            ("-3", true, false),
            ("007", false, false),
            ("+1", false, false),
            ("1.50", false, true),
            ("-0.5", false, true),
            ("00.5", false, false),
            ("1e5", false, false),
            ("9223372036854775808", false, false),
            ("nan", false, false),
            (".5", false, false),
        ] {
            assert_eq!((is_integer(text), is_real(text)), (integer, real), "{text}");
        }
    }

    #[test]
    fn names_of_columns_are_distinct() {
        let record = ByteRecord::from(vec!["\u{feff}ip", "", "IP", " note "]);
        assert_eq!(header(&record), ["ip", "column_2", "IP_1", "note"]);
    }
}
