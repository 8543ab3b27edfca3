//! JSON as a tree: values and edits.

use super::{
    document::{self, Found},
    path::{self, Step},
    room::{Failure, Room},
};
use crate::value::Value;

pub(crate) use serde_json::{Map, Value as Json};

/// Parses JSON if the limit allows its tree; the error is SQLite's.
pub(crate) fn parse(text: &str, room: &Room) -> Result<Json, Failure> {
    room.check(bytes(text))?;
    serde_json::from_str(text).map_err(|_| "malformed JSON".into())
}

/// The largest size of a text's tree in bytes: for each value, name and object, including the spare capacity of lists.
fn bytes(text: &str) -> usize {
    let taken = |byte: u8| match byte {
        b',' | b'[' => 96,
        b':' => 120,
        b'{' => 400,
        _ => 0,
    };
    text.bytes().map(taken).fold(text.len(), usize::saturating_add)
}

/// The position (from 1) of the first error in JSON; 0 if there is none.
pub(crate) fn error_position(text: &str) -> i64 {
    match document::check(text) {
        Ok(_) => 0,
        Err(error) => {
            let before: usize =
                text.lines().take(error.line().saturating_sub(1)).map(|line| line.chars().count() + 1).sum();
            (before + error.column().max(1)) as i64
        }
    }
}

fn position(array: &[Json], step: &Step) -> Option<usize> {
    match step {
        Step::Index(index) => Some(*index),
        Step::FromEnd(back) => array.len().checked_sub(*back),
        Step::Key(_) => None,
    }
}

/// For `->` and `->>`: the right side is a path, a key or an index.
pub(crate) fn arrow(args: &[Value<'_>]) -> Result<Option<Found>, String> {
    let Some(text) = args[0].as_text() else { return Ok(None) };
    let steps = match &args[1] {
        Value::Null => return Ok(None),
        Value::Int(index) => match usize::try_from(*index) {
            Ok(index) => vec![Step::Index(index)],
            Err(_) => vec![Step::FromEnd(index.unsigned_abs() as usize)],
        },
        other => {
            let key = other.as_text().unwrap_or_default();
            if key.starts_with('$') { path::parse(&key)? } else { vec![Step::Key(key.into_owned())] }
        }
    };
    Ok(document::find(&text, &steps).unwrap_or_default())
}

/// An SQL value as JSON text; bytes are JSON from another function.
pub(crate) fn text_of(value: &Value<'_>) -> String {
    match value {
        Value::Blob(bytes)
            if let Ok(text) = std::str::from_utf8(bytes)
                && let Ok(json) = document::minified(text) =>
        {
            json
        }
        other => from_value(other).to_string(),
    }
}

/// An SQL value as JSON; bytes are JSON from another function.
fn from_value(value: &Value<'_>) -> Json {
    match value {
        Value::Blob(bytes) if let Ok(json) = serde_json::from_slice(bytes) => json,
        Value::Null => Json::Null,
        Value::Int(number) => Json::from(*number),
        Value::Real(number) => serde_json::Number::from_f64(*number).map_or(Json::Null, Json::Number),
        other => Json::String(other.as_text().unwrap_or_default().into_owned()),
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Edit {
    Set,
    Insert,
    Replace,
}

/// `json_set` and similar functions, over all of their arguments.
pub(crate) fn edited(args: &[Value<'_>], room: &Room, edit: Edit) -> Result<Value<'static>, Failure> {
    if args.len().is_multiple_of(2) {
        return Err("needs an odd number of arguments".into());
    }
    let in_tree = |value: &Value<'_>| match value {
        Value::Blob(json) => std::str::from_utf8(json).map_or(json.len(), bytes),
        other => other.bytes(),
    };
    room.check_sum(args.iter().map(in_tree))?;
    let Some(text) = args[0].as_text() else { return Ok(Value::Null) };
    let mut json = parse(&text, room)?;
    for pair in args[1..].chunks(2) {
        let Some(steps) = pair[0].as_text() else { return Ok(Value::Null) };
        put(&mut json, &path::parse(&steps)?, from_value(&pair[1]), edit);
    }
    Ok(Value::text(json.to_string()))
}

fn put(json: &mut Json, path: &[Step], value: Json, edit: Edit) {
    let Some((step, rest)) = path.split_first() else {
        if edit != Edit::Insert {
            *json = value;
        }
        return;
    };
    let empty = || match rest.first() {
        Some(Step::Key(_)) => Json::Object(Map::new()),
        Some(_) => Json::Array(Vec::new()),
        None => Json::Null,
    };
    match (json, step) {
        (Json::Object(object), Step::Key(key)) => {
            if let Some(inner) = object.get_mut(key) {
                put(inner, rest, value, edit);
            } else if edit != Edit::Replace {
                let mut inner = empty();
                put(&mut inner, rest, value, Edit::Set);
                object.insert(key.clone(), inner);
            }
        }
        (Json::Array(array), step) => {
            let Some(at) = position(array, step) else { return };
            if let Some(inner) = array.get_mut(at) {
                put(inner, rest, value, edit);
            } else if at == array.len() && edit != Edit::Replace {
                let mut inner = empty();
                put(&mut inner, rest, value, Edit::Set);
                array.push(inner);
            }
        }
        _ => {}
    }
}

/// Removes the value at a path.
pub(crate) fn remove(json: &mut Json, path: &[Step]) {
    let Some((step, rest)) = path.split_first() else { return };
    match (json, step) {
        (Json::Object(object), Step::Key(key)) => {
            if rest.is_empty() {
                object.shift_remove(key);
            } else if let Some(inner) = object.get_mut(key) {
                remove(inner, rest);
            }
        }
        (Json::Array(array), step) => {
            let Some(at) = position(array, step).filter(|&at| at < array.len()) else { return };
            if rest.is_empty() {
                array.remove(at);
            } else {
                remove(&mut array[at], rest);
            }
        }
        _ => {}
    }
}

/// RFC 7396.
pub(crate) fn merge(json: &mut Json, patch: &Json) {
    let Json::Object(patch) = patch else {
        *json = patch.clone();
        return;
    };
    if !json.is_object() {
        *json = Json::Object(Map::new());
    }
    if let Json::Object(object) = json {
        for (key, value) in patch {
            if value.is_null() {
                object.shift_remove(key);
            } else {
                merge(object.entry(key.clone()).or_insert(Json::Null), value);
            }
        }
    }
}
