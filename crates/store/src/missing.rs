//! Missing rows of a capture, in the metadata of its files.

use std::collections::BTreeMap;

use indago_engine::Query;
use indago_table::{Completeness, Outcome, QueryScope, Reading, Slice, TableSpec, Warning};
use parquet::file::metadata::KeyValue;
use serde_json::{Value, json};

use crate::table::CAPTURED_AT;

/// Characters of a query's text that are kept.
const MOST_TEXT: usize = 200;

/// The key of a file's metadata that lists what was missing when its rows were read.
pub(crate) const MISSING: &str = "indago.missing";
/// The key of a file's metadata that contains the query of its rows.
pub(crate) const QUERY: &str = "indago.query";
/// The key of a file's metadata that contains the key column and the keys that the rows were read for.
pub(crate) const CAPTURED_KEYS: &str = "indago.asked";

/// Missing data of a slice.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    pub(crate) slice: String,
    /// Values that all rows of the slice share, by column.
    pub(crate) known: BTreeMap<String, String>,
    pub(crate) completeness: Completeness,
    /// The columns that lack values; empty if rows are missing, or any column.
    pub(crate) columns: Vec<String>,
    pub(crate) warning: Warning,
}

impl Missing {
    /// Whether a query of some columns lacks it.
    pub(crate) fn is_of<'a>(&self, mut columns: impl Iterator<Item = &'a str>) -> bool {
        self.columns.is_empty() || columns.any(|column| self.columns.iter().any(|own| own == column))
    }

    /// Something that may be missing anywhere in the table.
    pub(crate) fn of_table(warning: Warning) -> Self {
        Missing {
            slice: String::new(),
            known: BTreeMap::new(),
            completeness: Completeness::Partial,
            columns: Vec::new(),
            warning,
        }
    }

    /// Tells a query which rows the slice would have had.
    pub(crate) fn tell_slice(&self, table: &str, query: &QueryScope) {
        if !self.known.is_empty() {
            let mut slice = Slice::new(self.slice.clone(), Reading::Blocking(Box::new(|_| Ok(()))));
            slice.known = self.known.clone();
            query.begin_slice(table, &slice, query.moment());
            query.end_slice(table, &self.slice, 0, &Ok(()));
        }
    }
}

const OUTCOMES: [Outcome; 6] =
    [Outcome::Denied, Outcome::Unsupported, Outcome::Absent, Outcome::Malformed, Outcome::Io, Outcome::Missing];

/// Metadata of a file with the rows of a query, when all rows have been read: the query, what is missing, and the age
/// of the rows if they come from a store.
pub fn of_query(query: &Query) -> Vec<KeyValue> {
    let captured_at = query.tables().iter().filter_map(|table| table.spec().captured_at.clone());
    // The rows of a store are as old as their capture.
    let captured_at = captured_at.min().map(|moment| KeyValue::new(CAPTURED_AT.to_owned(), moment.into_owned()));
    let text = Origin::of(query).to_text();
    captured_at.into_iter().chain([KeyValue::new(QUERY.to_owned(), text), missing(query)]).collect()
}

/// The query whose result a file contains.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// Its text, or the start of it.
    sql: String,
    /// The table whose rows it contains.
    rows_of: Option<String>,
    /// Whether they have all columns of the table.
    all_columns: bool,
}

impl Origin {
    fn of(query: &Query) -> Self {
        let whole = query.whole_table();
        Origin {
            sql: beginning(query.sql()),
            all_columns: whole.as_ref().is_some_and(|whole| whole.all_columns),
            rows_of: whole.map(|whole| whole.table),
        }
    }

    fn to_text(&self) -> String {
        json!({"sql": self.sql, "rows_of": self.rows_of, "all_columns": self.all_columns}).to_string()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        Some(Origin {
            sql: beginning(value.get("sql")?.as_str()?),
            rows_of: value.get("rows_of")?.as_str().map(str::to_owned),
            all_columns: value.get("all_columns")?.as_bool()?,
        })
    }

    /// Whether the file has all columns of a table.
    pub(crate) fn has_columns_of(&self, table: &str) -> bool {
        self.all_columns && self.rows_of.as_deref() == Some(table)
    }

    /// What a file that is read as a table lacks, if it does not have all of the table's rows.
    pub(crate) fn lacks(&self, table: &str) -> Option<Missing> {
        if self.rows_of.as_deref() == Some(table) {
            return None;
        }
        let message = format!("its file has the rows of `{}`, and perhaps not all rows of the table", self.sql);
        let table = table.to_owned();
        let outcome = Outcome::Unsupported;
        let warning = Warning { table, origin: String::new(), outcome, message, needs: None, count: 1, lines: None };
        Some(Missing::of_table(warning))
    }
}

/// A text on one line, shortened.
fn beginning(sql: &str) -> String {
    let mut words = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(MOST_TEXT) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// What is missing from a query's rows when all have been read, for the metadata of the file.
pub(crate) fn missing(query: &Query) -> KeyValue {
    let coverage = query.coverage();
    let tables = query.tables();
    let entry = |warning: Warning| {
        let spec = tables.iter().map(|table| table.spec()).find(|spec| *spec.name == *warning.table);
        let columns = spec.map(|spec| columns_of_source(spec, &warning.origin)).unwrap_or_default();
        let is_it = |problem: &Warning| problem.is_like(&warning);
        let slice = coverage.iter().find(|slice| slice.problem.as_ref().is_some_and(is_it));
        json!({
            "slice": slice.map_or("", |slice| slice.slice.as_str()),
            "known": slice.map(|slice| &slice.known),
            "failed": slice.is_some_and(|slice| slice.completeness == Completeness::Failed),
            "columns": columns,
            "origin": warning.origin,
            "outcome": warning.outcome.name(),
            "message": warning.message,
            "needs": warning.needs,
            "count": warning.count,
        })
    };
    let text = Value::from_iter(query.warnings().into_iter().map(entry)).to_string();
    KeyValue::new(MISSING.to_owned(), text)
}

/// The columns that a source fills.
fn columns_of_source(spec: &TableSpec, source: &str) -> Vec<String> {
    let Some(source) = spec.sources.iter().position(|own| own.name == source) else { return Vec::new() };
    let filled = spec.columns.iter().filter(|column| column.source == Some(source));
    filled.map(|column| column.name.to_string()).collect()
}

/// Parses what was missing from a table; `None` if the text is malformed.
pub(crate) fn parse(table: &str, text: &str) -> Option<Vec<Missing>> {
    let entry = |entry: &Value| {
        let text = |key: &str| Some(entry.get(key)?.as_str()?.to_owned());
        let outcome = text("outcome")?;
        Some(Missing {
            slice: text("slice")?,
            // Captures of earlier versions do not have it.
            known: serde_json::from_value(entry["known"].clone()).unwrap_or_default(),
            completeness: match entry.get("failed")?.as_bool()? {
                true => Completeness::Failed,
                false => Completeness::Partial,
            },
            // Captures of earlier versions do not have it.
            columns: serde_json::from_value(entry["columns"].clone()).unwrap_or_default(),
            warning: Warning {
                table: table.to_owned(),
                origin: text("origin")?,
                outcome: OUTCOMES.into_iter().find(|known| known.name() == outcome)?,
                message: text("message")?,
                needs: text("needs"),
                count: entry.get("count")?.as_u64()?,
                lines: None,
            },
        })
    };
    serde_json::from_str::<Value>(text).ok()?.as_array()?.iter().map(entry).collect()
}

/// The keys that a keyed table was captured for.
#[derive(Debug, Clone)]
pub(crate) struct CapturedKeys {
    pub(crate) column: String,
    pub(crate) keys: Vec<String>,
    /// Whether a scan without a key has all rows.
    pub(crate) are_all: bool,
}

impl CapturedKeys {
    pub(crate) fn to_text(&self) -> String {
        json!({"column": self.column, "keys": self.keys, "all": self.are_all}).to_string()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let keys = value.get("keys")?.as_array()?.iter().map(|key| Some(key.as_str()?.to_owned()));
        let mut keys: Vec<String> = keys.collect::<Option<_>>()?;
        keys.sort_unstable();
        // Captures of earlier versions do not have it.
        let are_all = value.get("all").and_then(Value::as_bool).unwrap_or(false);
        Some(CapturedKeys { column: value.get("column")?.as_str()?.to_owned(), keys, are_all })
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        // An empty text names nothing: kernel threads have no path.
        key.is_empty() || self.keys.binary_search_by(|known| known.as_str().cmp(key)).is_ok()
    }
}
