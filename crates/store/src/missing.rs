//! Missing rows of a capture, in the metadata of its files.

use indago_engine::Query;
use indago_table::{Completeness, Outcome, Warning};
use parquet::file::metadata::KeyValue;
use serde_json::{Value, json};

/// The key of a file's metadata that lists what was missing when its rows were read.
pub(crate) const MISSING: &str = "indago.missing";
/// The key of a file's metadata that says which keys of which column the rows were asked for.
pub(crate) const ASKED: &str = "indago.asked";

/// Missing data of a slice.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    pub(crate) slice: String,
    pub(crate) completeness: Completeness,
    pub(crate) warning: Warning,
}

const OUTCOMES: [Outcome; 5] =
    [Outcome::Denied, Outcome::Unsupported, Outcome::Malformed, Outcome::Io, Outcome::Missing];

/// What is missing from a query's rows once they have come, for the metadata of a file that has them.
pub fn missing(query: &Query) -> KeyValue {
    let coverage = query.coverage();
    let entry = |warning: Warning| {
        let is_it = |problem: &Warning| problem.is_like(&warning);
        let slice = coverage.iter().find(|slice| slice.problem.as_ref().is_some_and(is_it));
        json!({
            "slice": slice.map_or("", |slice| slice.slice.as_str()),
            "failed": slice.is_some_and(|slice| slice.completeness == Completeness::Failed),
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

/// Parses what was missing from a table; `None` if the text is malformed.
pub(crate) fn parse(table: &str, text: &str) -> Option<Vec<Missing>> {
    let entry = |entry: &Value| {
        let text = |key: &str| Some(entry.get(key)?.as_str()?.to_owned());
        let outcome = text("outcome")?;
        Some(Missing {
            slice: text("slice")?,
            completeness: match entry.get("failed")?.as_bool()? {
                true => Completeness::Failed,
                false => Completeness::Partial,
            },
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
pub(crate) struct Asked {
    pub(crate) column: String,
    pub(crate) keys: Vec<String>,
}

impl Asked {
    pub(crate) fn to_text(&self) -> String {
        json!({"column": self.column, "keys": self.keys}).to_string()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let keys = value.get("keys")?.as_array()?.iter().map(|key| Some(key.as_str()?.to_owned()));
        let mut keys: Vec<String> = keys.collect::<Option<_>>()?;
        keys.sort_unstable();
        Some(Asked { column: value.get("column")?.as_str()?.to_owned(), keys })
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.binary_search_by(|known| known.as_str().cmp(key)).is_ok()
    }
}
