//! JSON files of programs: only the wanted parts are parsed.

use std::path::Path;

use indago_table::json::Shape;
use indago_table::prelude::*;
use serde_json::Value;

/// Most bytes of a file.
const MOST_BYTES: u64 = 32 << 20;

/// The wanted part of a JSON file; `None` if the file does not exist.
pub(crate) fn read(sys: &Sys, path: &Path, shape: &Shape) -> Result<Option<Value>> {
    let Some(bytes) = sys.read_at_most(path, MOST_BYTES).if_present()? else { return Ok(None) };
    parse(&path.display().to_string(), &bytes, shape).map(Some)
}

/// The wanted part of a JSON document.
pub(crate) fn parse(file: &str, bytes: &[u8], shape: &Shape) -> Result<Value> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    shape.parse(bytes).map_err(|error| Error::Malformed(format!("{file}: {error}")))
}

/// The value at a path of keys; NULL if there is none.
pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, key| &value[*key])
}

/// A text, number or boolean as text; empty for anything else.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => String::new(),
    }
}

/// 1 or 0 for a boolean or number; `None` for anything else.
pub(crate) fn flag(value: &Value) -> Option<i64> {
    value.as_bool().map(i64::from).or(value.as_i64().map(|number| (number != 0).into()))
}

/// The texts of a list, joined by a comma and a blank. Items that are not texts are shown as JSON.
pub(crate) fn joined(value: &Value) -> String {
    let items = value.as_array().into_iter().flatten();
    let items: Vec<String> = items.map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
    items.join(", ")
}
