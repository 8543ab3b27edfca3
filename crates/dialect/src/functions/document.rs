//! Reads JSON texts from start to end without building a tree of their values: a tree needs many times the memory of
//! its text.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::de::StrRead;

use serde_json::Value as Json;

use super::path::Step;
use crate::value::Value;

/// A value in a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    /// A text, a number, true, false or null.
    Scalar(Json),
    /// An array or an object.
    Nested {
        is_array: bool,
        /// Its elements or members.
        length: usize,
        /// Its text without white space, if it was requested.
        text: String,
    },
}

impl Found {
    /// As an SQL value: strings lose their quotes; objects and arrays stay JSON.
    pub(crate) fn into_value(self) -> Value<'static> {
        match self {
            Found::Scalar(scalar) => to_value(&scalar),
            Found::Nested { text, .. } => Value::text(text),
        }
    }

    /// As JSON.
    pub(crate) fn into_json(self) -> String {
        match self {
            Found::Scalar(scalar) => scalar.to_string(),
            Found::Nested { text, .. } => text,
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Found::Scalar(scalar) => type_name(scalar),
            Found::Nested { is_array: true, .. } => "array",
            Found::Nested { is_array: false, .. } => "object",
        }
    }
}

fn type_name(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(true) => "true",
        Json::Bool(false) => "false",
        Json::Number(number) if number.is_f64() => "real",
        Json::Number(_) => "integer",
        Json::String(_) => "text",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// A JSON value as an SQL value: strings lose their quotes; objects and arrays stay JSON.
pub(crate) fn to_value(json: &Json) -> Value<'static> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Int(i64::from(*truth)),
        Json::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Real(number.as_f64().unwrap_or(0.0)),
        },
        Json::String(text) => Value::text(text.clone()),
        nested => Value::text(nested.to_string()),
    }
}

/// Whether a text is JSON; the error gives the position of the first mistake.
pub(crate) fn check(text: &str) -> serde_json::Result<()> {
    serde_json::from_str::<IgnoredAny>(text).map(drop)
}

/// JSON without white space; the error is SQLite's.
pub(crate) fn minified(text: &str) -> Result<String, String> {
    read(text, Take { writes: true }).map(Found::into_json)
}

/// The value at a path, with its text.
pub(crate) fn find(text: &str, path: &[Step]) -> Result<Option<Found>, String> {
    at(text, path, Take { writes: true })
}

/// The value at a path, without its text.
pub(crate) fn look(text: &str, path: &[Step]) -> Result<Option<Found>, String> {
    at(text, path, Take { writes: false })
}

/// Calls `each` for each member of an array or object, in order; an element has no name.
pub(crate) fn members<E>(
    text: &str,
    mut each: impl FnMut(Option<&str>, Found) -> Result<(), E>,
) -> Result<Result<(), E>, String> {
    let mut outcome = Ok(());
    let read = read(
        text,
        Members(&mut |name, found| {
            outcome = each(name, found);
            outcome.is_ok()
        }),
    );
    match outcome {
        Ok(()) => read.map(Ok),
        failed => Ok(failed),
    }
}

fn read<'t, S: DeserializeSeed<'t>>(text: &'t str, seed: S) -> Result<S::Value, String> {
    let mut deserializer: Deserializer<StrRead<'t>> = Deserializer::from_str(text);
    let value = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|_| "malformed JSON".to_owned())
}

fn at(text: &str, path: &[Step], take: Take) -> Result<Option<Found>, String> {
    let mut known: Vec<Step> = Vec::with_capacity(path.len());
    for step in path {
        known.push(match step {
            // The length of an array is known only at its end.
            Step::FromEnd(back) => match read(text, At { path: &known, take: Take { writes: false } })? {
                Some(Found::Nested { is_array: true, length, .. }) if length >= *back => Step::Index(length - back),
                _ => return Ok(None),
            },
            other => other.clone(),
        });
    }
    read(text, At { path: &known, take })
}

/// Reads a value to its end.
#[derive(Clone, Copy)]
struct Take {
    writes: bool,
}

/// Reads the value at a path of a document.
struct At<'p> {
    path: &'p [Step],
    take: Take,
}

/// Reads the members of an array or object.
struct Members<'f>(&'f mut dyn FnMut(Option<&str>, Found) -> bool);

/// Writes a value as it is read.
struct Write<'o>(&'o mut Vec<u8>);

/// Reads a member's name.
struct Name;

/// Visits of values that contain no others, for a visitor that handles all of them in the same way.
macro_rules! scalars {
    (|$own:ident, $scalar:ident| $made:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            let ($own, $scalar) = (self, Json::Null);
            $made
        }

        fn visit_bool<E: Error>(self, truth: bool) -> Result<Self::Value, E> {
            let ($own, $scalar) = (self, Json::Bool(truth));
            $made
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
            let ($own, $scalar) = (self, Json::from(number));
            $made
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
            let ($own, $scalar) = (self, Json::from(number));
            $made
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
            let ($own, $scalar) = (self, Json::from(number));
            $made
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let ($own, $scalar) = (self, Json::from(text));
            $made
        }
    };
}

/// A seed that is its own visitor.
macro_rules! seeds {
    ($($seed:ty => $value:ty),+ $(,)?) => {
        $(
            impl<'de> DeserializeSeed<'de> for $seed {
                type Value = $value;

                fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<$value, D::Error> {
                    deserializer.deserialize_any(self)
                }
            }
        )+
    };
}

seeds!(Take => Found, Members<'_> => (), Write<'_> => (), Name => String);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<Found>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Option<Found>, D::Error> {
        match self.path {
            [] => self.take.deserialize(deserializer).map(Some),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Take {
    type Value = Found;

    scalars!(|_take, scalar| Ok(Found::Scalar(scalar)));

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Found, A::Error> {
        let (mut out, mut length) = (vec![b'['], 0);
        if self.writes {
            while elements.next_element_seed(Element(&mut out, length > 0))?.is_some() {
                length += 1;
            }
            out.push(b']');
        } else {
            out.clear();
            while elements.next_element::<IgnoredAny>()?.is_some() {
                length += 1;
            }
        }
        Ok(Found::Nested { is_array: true, length, text: utf8(out)? })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Found, A::Error> {
        let (mut out, mut length) = (Vec::new(), 0);
        if self.writes {
            length = write_members(&mut out, members)?;
        } else {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                length += 1;
            }
        }
        Ok(Found::Nested { is_array: false, length, text: utf8(out)? })
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = Option<Found>;

    scalars!(|_at, _scalar| Ok(None));

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Option<Found>, A::Error> {
        let Some((Step::Index(index), rest)) = self.path.split_first() else {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(None);
        };
        for _ in 0..*index {
            if elements.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = elements.next_element_seed(At { path: rest, take: self.take })?;
        if found.is_some() {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(found.flatten())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<Found>, A::Error> {
        let wanted = match self.path.split_first() {
            Some((Step::Key(key), rest)) => Some((key, rest)),
            _ => None,
        };
        let mut found = None;
        while let Some(name) = members.next_key_seed(Name)? {
            match wanted {
                // The first of several members with one name.
                Some((key, rest)) if found.is_none() && name == *key => {
                    found = Some(members.next_value_seed(At { path: rest, take: self.take })?);
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found.flatten())
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    scalars!(|_members, _scalar| Ok(()));

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(found) = elements.next_element_seed(Take { writes: true })? {
            if !(self.0)(None, found) {
                return Err(A::Error::custom("enough"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key_seed(Name)? {
            let found = members.next_value_seed(Take { writes: true })?;
            if !(self.0)(Some(&name), found) {
                return Err(A::Error::custom("enough"));
            }
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Write<'_> {
    type Value = ();

    scalars!(|write, scalar| serde_json::to_writer(write.0, &scalar).map_err(E::custom));

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        let mut follows = false;
        while elements.next_element_seed(Element(self.0, follows))?.is_some() {
            follows = true;
        }
        self.0.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(), A::Error> {
        write_members(self.0, members).map(drop)
    }
}

impl Visitor<'_> for Name {
    type Value = String;

    scalars!(|_name, scalar| match scalar {
        Json::String(name) => Ok(name),
        _ => Err(E::custom("a name is text")),
    });
}

/// Writes an element, after a comma if there are elements before it.
struct Element<'o>(&'o mut Vec<u8>, bool);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.1 {
            self.0.push(b',');
        }
        Write(self.0).deserialize(deserializer)
    }
}

fn write_members<'de, A: MapAccess<'de>>(out: &mut Vec<u8>, mut members: A) -> Result<usize, A::Error> {
    out.push(b'{');
    let mut length = 0;
    while let Some(name) = members.next_key_seed(Name)? {
        if length > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, &name).map_err(A::Error::custom)?;
        out.push(b':');
        members.next_value_seed(Write(out))?;
        length += 1;
    }
    out.push(b'}');
    Ok(length)
}

fn utf8<E: Error>(out: Vec<u8>) -> Result<String, E> {
    String::from_utf8(out).map_err(E::custom)
}
