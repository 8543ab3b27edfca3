//! The difference between two captures, or between a capture and now, table by table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, UInt64Array, new_null_array};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::concat::{concat, concat_batches};
use arrow_select::take::{take, take_record_batch};
use futures::StreamExt;
use indago_engine::{Coverage, Engine, TableRef, TableSpec, Warning, distinct_names};

use crate::capture::{is_of_the_program, quoted, relation, select_rows};
use crate::table::CAPTURED_COLUMN;
use crate::{Error, Result};

/// The difference between two states of one table.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// Columns that identify a row. If there are none, a changed row is one that was removed and one that was added.
    pub key: Vec<String>,
    /// Rows before.
    pub before: u64,
    /// Rows after.
    pub after: u64,
    /// Number of rows with a key that only the state after has.
    pub added: u64,
    /// Number of rows with a key that only the state before has.
    pub removed: u64,
    /// Number of rows with a key that both states have, and other values.
    pub changed: u64,
    /// Number of rows of one state that belong to slices which the other state could not read: neither added nor removed.
    pub unread: u64,
    /// Why the table was not compared.
    pub skipped: Option<String>,
    /// Warnings of both states.
    pub warnings: Vec<Warning>,
    /// The added, removed and changed rows in the order of their keys, if they were requested: the table's columns
    /// after `change` (`added`, `removed`, `before`, `after`) and `differs`, the columns whose values changed. A column
    /// of the table with one of these names is `change:1` or `differs:1`.
    pub rows: Option<RecordBatch>,
}

impl Difference {
    fn new(table: &str) -> Self {
        Difference {
            table: table.to_owned(),
            key: Vec::new(),
            before: 0,
            after: 0,
            added: 0,
            removed: 0,
            changed: 0,
            unread: 0,
            skipped: None,
            warnings: Vec::new(),
            rows: None,
        }
    }

    /// A table that could not be compared because of an error.
    pub fn failed(table: &str, error: &Error) -> Self {
        Difference { skipped: Some(error.to_string()), ..Difference::new(table) }
    }

    /// Whether the two states are known to differ.
    pub fn differs(&self) -> bool {
        self.added + self.removed + self.changed > 0
    }

    /// Whether rows could not be compared.
    pub fn is_incomplete(&self) -> bool {
        self.unread > 0 || self.skipped.is_some() || Warning::any_missing(&self.warnings)
    }
}

/// The names of the tables that any of these captures has.
pub fn tables_of<'a>(captures: impl IntoIterator<Item = &'a Engine>) -> BTreeSet<String> {
    let tables = captures.into_iter().flat_map(Engine::tables);
    let tables = tables.filter(|table| !is_of_the_program(table));
    tables.map(|table| table.spec().name.to_string()).collect()
}

/// Compares the states that two engines have of one table. Columns that change although nothing happened to the row
/// (`volatile`) are ignored, and so are hidden columns. The rows of both states are held within the memory limit of the
/// engine of the state after.
///
/// A row is neither added nor removed if the other state could not read its slice. `with_rows` also returns the rows.
pub async fn diff(before: &Engine, after: &Engine, table: &str, with_rows: bool) -> Result<Difference> {
    let mut difference = Difference::new(table);
    let (old, new) = match (before.table(table), after.table(table)) {
        (Some(old), Some(new)) => (old, new),
        (None, None) => return Err(Error::UnknownTable(table.to_owned())),
        (old, _) => {
            let side = if old.is_some() { "after" } else { "before" };
            difference.skipped = Some(format!("not captured {side}"));
            return Ok(difference);
        }
    };
    // The keys of a keyed live table are those that the capture has.
    let (keys_of_old, keys_of_new) = (keyed(&old, &new), keyed(&new, &old));
    if let Some(Err(why)) = [&keys_of_old, &keys_of_new].into_iter().find(|keys| keys.is_err()) {
        difference.skipped = Some(why.clone());
        return Ok(difference);
    }
    let mut memory = Memory { limit: after.limits().memory, used: 0 };
    let compared = compared(old.spec(), new.spec());
    let old = State::read(before, &old, keys_of_old.ok().flatten(), after, &mut memory).await?;
    let new = State::read(after, &new, keys_of_new.ok().flatten(), before, &mut memory).await?;
    compare(&mut difference, &compared, &old, &new, &mut memory, with_rows).map_err(|error| match error {
        ArrowError::MemoryError(_) => Error::Memory { table: table.to_owned(), limit: memory.limit },
        source => Error::Compare { table: table.to_owned(), source },
    })?;
    Ok(difference)
}

/// The column whose values on the other side are the keys of a table; `None` for a table without required keys.
fn keyed(table: &TableRef, other: &TableRef) -> std::result::Result<Option<String>, String> {
    let spec = table.spec();
    if !spec.is_keyed() {
        return Ok(None);
    }
    let column = spec.require_any.iter().map(|column| spec.columns[*column].name.to_string());
    let mut column = column.filter(|name| other.spec().column(name).is_some() && !other.spec().is_keyed());
    match column.next() {
        Some(column) => Ok(Some(column)),
        None => Err("needs constraints on its key columns".to_owned()),
    }
}

/// The memory for the rows of one table.
struct Memory {
    limit: usize,
    used: usize,
}

impl Memory {
    fn take(&mut self, bytes: usize) -> std::result::Result<(), ArrowError> {
        self.used = self.used.saturating_add(bytes);
        match self.used > self.limit {
            true => Err(ArrowError::MemoryError("the memory limit is reached".to_owned())),
            false => Ok(()),
        }
    }
}

/// A column whose values are compared.
struct Compared {
    name: String,
    /// Values that start with this text are equal.
    volatile_prefix: Option<String>,
}

/// The rows of a table in one state.
struct State {
    spec: TableSpec,
    rows: RecordBatch,
    coverage: Vec<Coverage>,
    warnings: Vec<Warning>,
}

impl State {
    async fn read(
        engine: &Engine,
        table: &TableRef,
        key: Option<String>,
        other: &Engine,
        memory: &mut Memory,
    ) -> Result<Self> {
        let spec = table.spec().clone();
        let failed = |source| Error::Query { table: spec.name.to_string(), source };
        let too_large = |limit| Error::Memory { table: spec.name.to_string(), limit };
        let mut sql = select_rows(engine, &spec).await?;
        if let Some(column) = key {
            let distinct = format!("SELECT DISTINCT {} FROM {}", quoted(&column), relation(other, &spec.name));
            let keys = crate::capture::keys_of(other, &spec.name, &distinct).await?;
            sql = crate::capture::with_keys(&sql, &column, &keys);
        }
        let query = engine.query(&sql).await.map_err(failed)?;
        let (mut stream, mut batches, before) = (query.stream(), Vec::new(), memory.used);
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(failed)?;
            memory.take(batch.get_array_memory_size()).map_err(|_| too_large(memory.limit))?;
            batches.push(batch);
        }
        // While they are concatenated, they exist twice.
        let size = memory.used - before;
        memory.take(size).map_err(|_| too_large(memory.limit))?;
        let rows = concat_batches(&query.schema(), &batches)
            .map_err(|source| Error::Compare { table: spec.name.to_string(), source })?;
        memory.used -= size;
        Ok(State { rows, coverage: query.coverage(), warnings: query.warnings(), spec })
    }

    /// The values of the slices that could not be read; an empty map stands for any row.
    fn unread(&self) -> Vec<&BTreeMap<String, String>> {
        self.coverage.iter().filter(|slice| slice.may_change()).map(|slice| &slice.known).collect()
    }

    /// The text of each row in some columns.
    fn texts(&self, columns: &[Compared], memory: &mut Memory) -> std::result::Result<Vec<String>, ArrowError> {
        let options = FormatOptions::default();
        let arrays: Vec<ArrayRef> = columns.iter().map(|column| self.column(&column.name)).collect();
        let formatters = arrays.iter().map(|array| ArrayFormatter::try_new(array.as_ref(), &options));
        let formatters: Vec<ArrayFormatter<'_>> = formatters.collect::<std::result::Result<_, _>>()?;
        let row = |row: usize| {
            let mut text = String::new();
            for ((array, formatter), column) in arrays.iter().zip(&formatters).zip(columns) {
                match array.is_null(row) {
                    true => text.push('\u{0}'),
                    // The length keeps `a`, `bc` and `ab`, `c` apart.
                    false => {
                        let value = formatter.value(row).to_string();
                        let is_volatile = |prefix: &&String| value.starts_with(prefix.as_str());
                        let value = column.volatile_prefix.as_ref().filter(is_volatile).unwrap_or(&value);
                        let _ = write!(text, "{}:{value}", value.len());
                    }
                }
            }
            text.shrink_to_fit();
            // The text, and its place in a list and in a map.
            memory.take(text.len() + 2 * size_of::<String>() + 2 * size_of::<usize>())?;
            Ok::<_, ArrowError>(text)
        };
        (0..self.rows.num_rows()).map(row).collect()
    }

    fn column(&self, name: &str) -> ArrayRef {
        match self.rows.column_by_name(name) {
            Some(array) => array.clone(),
            None => new_null_array(&DataType::Utf8, self.rows.num_rows()),
        }
    }
}

fn compare(
    difference: &mut Difference,
    columns: &[Compared],
    old: &State,
    new: &State,
    memory: &mut Memory,
    with_rows: bool,
) -> std::result::Result<(), ArrowError> {
    let is_key = |name: &String| old.spec.column(name).is_some() && new.spec.column(name).is_some();
    let key: Vec<String> = new.spec.identity.iter().map(ToString::to_string).collect();
    let key = if key.iter().all(is_key) { key } else { Vec::new() };
    let mut changed = Vec::new();
    let (old_values, new_values) = (old.texts(columns, memory)?, new.texts(columns, memory)?);
    // Rows that are equal first, so that of several rows with one key only the others are changed.
    let mut by_value: HashMap<&str, Vec<usize>> = HashMap::new();
    for (row, value) in old_values.iter().enumerate().rev() {
        by_value.entry(value).or_default().push(row);
    }
    let mut added = Vec::new();
    for (row, value) in new_values.iter().enumerate() {
        if by_value.get_mut(value.as_str()).and_then(Vec::pop).is_none() {
            added.push(row);
        }
    }
    let mut removed: Vec<usize> = by_value.into_values().flatten().collect();
    removed.sort_unstable();
    if !key.is_empty() {
        let key: Vec<Compared> =
            key.iter().map(|name| Compared { name: name.clone(), volatile_prefix: None }).collect();
        let (old_keys, new_keys) = (old.texts(&key, memory)?, new.texts(&key, memory)?);
        let mut by_key: HashMap<&str, Vec<usize>> = HashMap::new();
        for row in removed.iter().rev() {
            by_key.entry(&old_keys[*row]).or_default().push(*row);
        }
        for row in std::mem::take(&mut added) {
            match by_key.get_mut(new_keys[row].as_str()).and_then(Vec::pop) {
                Some(before) => changed.push((before, row)),
                None => added.push(row),
            }
        }
        removed = by_key.into_values().flatten().collect();
        removed.sort_unstable();
    }
    let (all_added, all_removed) = (added.len(), removed.len());
    retain_read(&mut added, new, &old.unread())?;
    retain_read(&mut removed, old, &new.unread())?;
    difference.unread = (all_added - added.len() + all_removed - removed.len()) as u64;
    difference.key = key.into_iter().filter(|name| columns.iter().any(|column| column.name == *name)).collect();
    (difference.before, difference.after) = (old.rows.num_rows() as u64, new.rows.num_rows() as u64);
    (difference.added, difference.removed) = (added.len() as u64, removed.len() as u64);
    difference.changed = changed.len() as u64;
    difference.warnings = old.warnings.clone();
    difference.warnings.extend(new.warnings.iter().filter(|warning| !old.warnings.contains(warning)).cloned());
    if with_rows {
        let found = Found { added: &added, removed: &removed, changed: &changed };
        difference.rows = Some(rows(columns, &difference.key, old, new, &found, memory)?);
    }
    Ok(())
}

/// The columns that are compared: those of both states, without hidden and volatile ones.
fn compared(old: &TableSpec, new: &TableSpec) -> Vec<Compared> {
    let is_plain = |spec: &TableSpec, name: &str| {
        let column = spec.column(name).map(|at| &spec.columns[at]);
        column.is_some_and(|column| !column.hidden && !column.volatile && name != CAPTURED_COLUMN)
    };
    let prefix = |spec: &TableSpec, name: &str| spec.columns[spec.column(name)?].volatile_prefix.clone();
    let names = new.columns.iter().map(|column| column.name.to_string());
    let names = names.filter(|name| is_plain(old, name) && is_plain(new, name));
    let column = |name: String| {
        let volatile_prefix = prefix(new, &name).or_else(|| prefix(old, &name)).map(|prefix| prefix.into_owned());
        Compared { name, volatile_prefix }
    };
    names.map(column).collect()
}

/// Removes rows of slices that the other state could not read.
fn retain_read(
    rows: &mut Vec<usize>,
    state: &State,
    unread: &[&BTreeMap<String, String>],
) -> std::result::Result<(), ArrowError> {
    for slice in unread {
        let options = FormatOptions::default();
        // A column that the rows do not have cannot exclude them.
        let known: Vec<(ArrayRef, &String)> =
            slice.iter().filter_map(|(name, value)| Some((state.rows.column_by_name(name)?.clone(), value))).collect();
        let formatters = known.iter().map(|(array, _)| ArrayFormatter::try_new(array.as_ref(), &options));
        let formatters: Vec<ArrayFormatter<'_>> = formatters.collect::<std::result::Result<_, _>>()?;
        rows.retain(|row| {
            !known.iter().zip(&formatters).all(|((_, value), formatter)| formatter.value(*row).to_string() == **value)
        });
    }
    Ok(())
}

/// The rows that differ, by their numbers in the states.
struct Found<'a> {
    added: &'a [usize],
    removed: &'a [usize],
    changed: &'a [(usize, usize)],
}

/// The rows that differ, in the order of their keys; without a key, of all columns.
fn rows(
    columns: &[Compared],
    key: &[String],
    old: &State,
    new: &State,
    found: &Found<'_>,
    memory: &mut Memory,
) -> std::result::Result<RecordBatch, ArrowError> {
    // The position of a row in the rows of both states, one after the other.
    let after = old.rows.num_rows();
    let mut picked: Vec<(&str, usize, Option<String>)> = Vec::new();
    picked.extend(found.removed.iter().map(|row| ("removed", *row, None)));
    picked.extend(found.added.iter().map(|row| ("added", after + row, None)));
    let mut differs = vec![Vec::new(); found.changed.len()];
    for column in columns.iter().filter(|_| !found.changed.is_empty()) {
        let before = memory.used;
        let own = std::slice::from_ref(column);
        let (old, new) = (old.texts(own, memory)?, new.texts(own, memory)?);
        memory.used = before;
        for ((before, now), differs) in found.changed.iter().zip(&mut differs) {
            if old[*before] != new[*now] {
                differs.push(column.name.as_str());
            }
        }
    }
    for ((before, now), names) in found.changed.iter().zip(differs) {
        let names = names.join(",");
        picked.push(("before", *before, Some(names.clone())));
        picked.push(("after", after + now, Some(names)));
    }
    let positions: UInt64Array = picked.iter().map(|(_, at, _)| Some(*at as u64)).collect();
    let changes: StringArray = picked.iter().map(|(change, ..)| Some(*change)).collect();
    let differs: StringArray = picked.iter().map(|(.., names)| names.as_deref()).collect();
    let names = ["change", "differs"].into_iter().chain(columns.iter().map(|column| column.name.as_str()));
    let names = distinct_names(&names.collect::<Vec<_>>());
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(changes), Arc::new(differs)];
    for column in columns {
        let (old, new) = (old.column(&column.name), new.column(&column.name));
        let old = if old.data_type() == new.data_type() { old } else { cast(&old, new.data_type())? };
        let both = concat(&[old.as_ref(), new.as_ref()])?;
        arrays.push(take(&both, &positions, None)?);
    }
    let fields = names.iter().zip(&arrays).map(|(name, array)| Field::new(name, array.data_type().clone(), true));
    let fields: Vec<Field> = fields.collect();
    let position = |name: &String| columns.iter().position(|column| column.name == *name);
    let mut sorted_by: Vec<usize> = key.iter().filter_map(position).collect();
    if sorted_by.is_empty() {
        sorted_by.extend(0..columns.len());
    }
    let sorted_by: Vec<ArrayRef> = sorted_by.into_iter().map(|at| arrays[at + 2].clone()).collect();
    let order = order(&sorted_by, &picked)?;
    take_record_batch(&RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?, &order)
}

/// The order of rows by some columns. The row after a change stays behind the row before it.
fn order(columns: &[ArrayRef], rows: &[(&str, usize, Option<String>)]) -> std::result::Result<UInt64Array, ArrowError> {
    let is_sortable = |array: &&ArrayRef| RowConverter::supports_fields(&[SortField::new(array.data_type().clone())]);
    let columns: Vec<ArrayRef> = columns.iter().filter(is_sortable).cloned().collect();
    let fields = columns.iter().map(|array| SortField::new(array.data_type().clone())).collect();
    let keys = RowConverter::new(fields)?.convert_columns(&columns)?;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    if !columns.is_empty() {
        let first = |row: usize| if rows[row].0 == "after" { row - 1 } else { row };
        order.sort_by(|left, right| keys.row(first(*left)).cmp(&keys.row(first(*right))).then_with(|| left.cmp(right)));
    }
    Ok(order.into_iter().map(|row| Some(row as u64)).collect())
}
