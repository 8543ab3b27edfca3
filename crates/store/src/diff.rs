//! The difference between two captures, or between a capture and now, table by table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::concat::{concat, concat_batches};
use arrow_select::take::take;
use indago_engine::{Coverage, Engine, TableRef, TableSpec, Warning};

use crate::capture::select_all;
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
    /// The added, removed and changed rows, if they were requested: the table's columns after `change` (`added`, `removed`,
    /// `before`, `after`) and `differs`, the columns whose values changed.
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

    /// Whether the two states are known to differ.
    pub fn differs(&self) -> bool {
        self.added + self.removed + self.changed > 0
    }

    /// Whether rows could not be compared.
    pub fn is_incomplete(&self) -> bool {
        self.unread > 0 || self.skipped.is_some() || !self.warnings.is_empty()
    }
}

/// Environments of tables about the program itself, which no capture compares.
const OF_THE_PROGRAM: [&str; 3] = ["daemon", "engine", "indago"];

/// The names of the tables that any of these captures has.
pub fn tables_of<'a>(captures: impl IntoIterator<Item = &'a Engine>) -> BTreeSet<String> {
    let tables = captures.into_iter().flat_map(Engine::tables);
    let tables = tables.filter(|table| !OF_THE_PROGRAM.contains(&&*table.spec().environment));
    tables.map(|table| table.spec().name.to_string()).collect()
}

/// Compares the states that two engines have of one table. Columns that change although nothing happened to the row
/// (`volatile`) are ignored, and so are hidden columns.
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
    let old = State::read(before, &old, keys_of_old.ok().flatten(), after).await?;
    let new = State::read(after, &new, keys_of_new.ok().flatten(), before).await?;
    compare(&mut difference, &old, &new, with_rows)
        .map_err(|error| Error::Compare { table: table.to_owned(), source: error })?;
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

/// The rows of a table in one state.
struct State {
    spec: TableSpec,
    rows: RecordBatch,
    coverage: Vec<Coverage>,
    warnings: Vec<Warning>,
}

impl State {
    async fn read(engine: &Engine, table: &TableRef, key: Option<String>, other: &Engine) -> Result<Self> {
        let spec = table.spec().clone();
        let failed = |source| Error::Query { table: spec.name.to_string(), source };
        let mut sql = select_all(&spec);
        if let Some(column) = key {
            let distinct = format!("SELECT DISTINCT \"{column}\" FROM \"{}\"", spec.name);
            let keys = crate::capture::keys_of(other, &spec.name, &distinct).await?;
            sql = crate::capture::with_keys(&sql, &column, &keys);
        }
        let query = engine.query(&sql).await.map_err(failed)?;
        let batches = query.collect().await.map_err(failed)?;
        let rows = concat_batches(&query.schema(), &batches)
            .map_err(|source| Error::Compare { table: spec.name.to_string(), source })?;
        Ok(State { rows, coverage: query.coverage(), warnings: query.warnings(), spec })
    }

    /// The values of the slices that could not be read; an empty map stands for any row.
    fn unread(&self) -> Vec<&BTreeMap<String, String>> {
        self.coverage.iter().filter(|slice| slice.may_change()).map(|slice| &slice.known).collect()
    }

    /// The text of each row in some columns.
    fn texts(&self, columns: &[String]) -> std::result::Result<Vec<String>, ArrowError> {
        let options = FormatOptions::default();
        let arrays: Vec<ArrayRef> = columns.iter().map(|name| self.column(name)).collect();
        let formatters = arrays.iter().map(|array| ArrayFormatter::try_new(array.as_ref(), &options));
        let formatters: Vec<ArrayFormatter<'_>> = formatters.collect::<std::result::Result<_, _>>()?;
        let row = |row: usize| {
            let mut text = String::new();
            for (array, formatter) in arrays.iter().zip(&formatters) {
                match array.is_null(row) {
                    true => text.push('\u{0}'),
                    // The length keeps `a`, `bc` and `ab`, `c` apart.
                    false => {
                        let value = formatter.value(row).to_string();
                        let _ = write!(text, "{}:{value}", value.len());
                    }
                }
            }
            text
        };
        Ok((0..self.rows.num_rows()).map(row).collect())
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
    old: &State,
    new: &State,
    with_rows: bool,
) -> std::result::Result<(), ArrowError> {
    let columns = compared(&old.spec, &new.spec);
    let is_key = |name: &String| old.spec.column(name).is_some() && new.spec.column(name).is_some();
    let key: Vec<String> = new.spec.identity.iter().map(ToString::to_string).collect();
    let key = if key.iter().all(is_key) { key } else { Vec::new() };
    let mut changed = Vec::new();
    let (old_values, new_values) = (old.texts(&columns)?, new.texts(&columns)?);
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
        let (old_keys, new_keys) = (old.texts(&key)?, new.texts(&key)?);
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
    difference.key = key.into_iter().filter(|name| columns.contains(name)).collect();
    (difference.before, difference.after) = (old.rows.num_rows() as u64, new.rows.num_rows() as u64);
    (difference.added, difference.removed) = (added.len() as u64, removed.len() as u64);
    difference.changed = changed.len() as u64;
    difference.warnings = old.warnings.clone();
    difference.warnings.extend(new.warnings.iter().filter(|warning| !old.warnings.contains(warning)).cloned());
    if with_rows {
        difference.rows = Some(rows(&columns, old, new, &added, &removed, &changed)?);
    }
    Ok(())
}

/// The columns that are compared: those of both states, without hidden and volatile ones.
fn compared(old: &TableSpec, new: &TableSpec) -> Vec<String> {
    let is_plain = |spec: &TableSpec, name: &str| {
        let column = spec.column(name).map(|at| &spec.columns[at]);
        column.is_some_and(|column| !column.hidden && !column.volatile && name != CAPTURED_COLUMN)
    };
    let names = new.columns.iter().map(|column| column.name.to_string());
    names.filter(|name| is_plain(old, name) && is_plain(new, name)).collect()
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

/// The rows that differ, in the order of the states.
fn rows(
    columns: &[String],
    old: &State,
    new: &State,
    added: &[usize],
    removed: &[usize],
    changed: &[(usize, usize)],
) -> std::result::Result<RecordBatch, ArrowError> {
    // The position of a row in the rows of both states, one after the other.
    let after = old.rows.num_rows();
    let mut picked: Vec<(&str, usize, Option<String>)> = Vec::new();
    picked.extend(removed.iter().map(|row| ("removed", *row, None)));
    picked.extend(added.iter().map(|row| ("added", after + row, None)));
    let single: Vec<(Vec<String>, Vec<String>)> = match changed {
        [] => Vec::new(),
        _ => {
            let texts = |name: &String| {
                let name = std::slice::from_ref(name);
                Ok((old.texts(name)?, new.texts(name)?))
            };
            columns.iter().map(texts).collect::<std::result::Result<_, ArrowError>>()?
        }
    };
    for (before, now) in changed {
        let differs = |at: &usize| single[*at].0[*before] != single[*at].1[*now];
        let names: Vec<&str> = (0..columns.len()).filter(differs).map(|at| columns[at].as_str()).collect();
        let names = names.join(",");
        picked.push(("before", *before, Some(names.clone())));
        picked.push(("after", after + now, Some(names)));
    }
    let positions: arrow_array::UInt64Array = picked.iter().map(|(_, at, _)| Some(*at as u64)).collect();
    let changes: StringArray = picked.iter().map(|(change, ..)| Some(*change)).collect();
    let differs: StringArray = picked.iter().map(|(.., names)| names.as_deref()).collect();
    let mut fields = vec![Field::new("change", DataType::Utf8, false), Field::new("differs", DataType::Utf8, true)];
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(changes), Arc::new(differs)];
    for name in columns {
        let (old, new) = (old.column(name), new.column(name));
        let old = if old.data_type() == new.data_type() { old } else { cast(&old, new.data_type())? };
        let both = concat(&[old.as_ref(), new.as_ref()])?;
        fields.push(Field::new(name, both.data_type().clone(), true));
        arrays.push(take(&both, &positions, None)?);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}
