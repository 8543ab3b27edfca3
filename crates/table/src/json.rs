//! JSON documents as rows: only what a query wants is taken out of the text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Document;

use crate::error::{Error, Result};
use crate::row::{Columns, Row};
use crate::value::{Json, Map, Timestamp};

/// The parts of a document that a scan wants, as a tree of keys.
///
/// Parsing with it skips everything else: a pod of 7 KB of which a query wants the name costs little more than finding
/// its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    whole: bool,
    children: Vec<(String, Shape)>,
}

/// A step that stands for every element of a list.
pub const EACH: &str = "*";

impl Shape {
    /// The whole document.
    pub fn whole() -> Self {
        Shape { whole: true, children: Vec::new() }
    }

    /// What the wanted columns of a row type need.
    pub fn of<T: Row>(wanted: &[bool]) -> Self {
        let mut shape = Shape::default();
        for (column, wanted) in T::SPEC.columns.iter().zip(wanted) {
            if let (Some(path), true) = (&column.path, *wanted) {
                shape.add(&steps(path));
            }
        }
        shape
    }

    /// Adds one path.
    pub fn add(&mut self, steps: &[impl AsRef<str>]) {
        let Some((first, rest)) = steps.split_first() else {
            self.whole = true;
            return;
        };
        let first = first.as_ref();
        let position = match self.children.iter().position(|(key, _)| key == first) {
            Some(position) => position,
            None => {
                self.children.push((first.to_owned(), Shape::default()));
                self.children.len() - 1
            }
        };
        self.children[position].1.add(rest);
    }

    /// The shape with a path added, in dots.
    #[must_use]
    pub fn with(mut self, path: &str) -> Self {
        self.add(&steps(path));
        self
    }

    fn child(&self, key: &str) -> Option<&Shape> {
        self.children.iter().find(|(name, _)| name == key).map(|(_, shape)| shape)
    }

    /// Parses a document, keeping only this shape.
    pub fn parse(&self, text: &[u8]) -> Result<Document> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let document = Keep(self).deserialize(&mut deserializer).and_then(|document| {
            deserializer.end()?;
            Ok(document)
        });
        document.map_err(|error| Error::Malformed(format!("not the JSON that was expected: {error}")))
    }

    /// Parses an object whose list `list` holds the documents: each of them goes, in this shape, to `each` as soon as
    /// it is read; of the rest of the object, `outer` is kept and given back.
    pub fn parse_list(
        &self,
        text: &[u8],
        list: &str,
        outer: &Shape,
        mut each: impl FnMut(Document),
    ) -> Result<Document> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let seed = ListSeed { list, item: self, outer, each: &mut each };
        let document = seed.deserialize(&mut deserializer).and_then(|document| {
            deserializer.end()?;
            Ok(document)
        });
        document.map_err(|error| Error::Malformed(format!("not the JSON that was expected: {error}")))
    }

    /// All that another shape has, too.
    pub fn extend(&mut self, other: &Shape) {
        self.whole |= other.whole;
        for (key, shape) in &other.children {
            match self.children.iter_mut().find(|(known, _)| known == key) {
                Some((_, known)) => known.extend(shape),
                None => self.children.push((key.clone(), shape.clone())),
            }
        }
    }

    /// Such an object's text with nothing in it but `outer` and the documents in this shape: what to keep of it for
    /// several readers.
    pub fn trim_list(&self, text: &[u8], list: &str, outer: &Shape) -> Result<Vec<u8>> {
        let mut items = Vec::new();
        let around = self.parse_list(text, list, outer, |document| {
            items.push(if items.is_empty() { b'[' } else { b',' });
            write_document(&mut items, &document);
        })?;
        if items.is_empty() {
            items.push(b'[');
        }
        items.push(b']');
        let mut trimmed = Vec::with_capacity(items.len() + 64);
        trimmed.push(b'{');
        for (key, value) in around.as_object().into_iter().flatten() {
            write_document(&mut trimmed, &Document::from(key.as_str()));
            trimmed.push(b':');
            write_document(&mut trimmed, value);
            trimmed.push(b',');
        }
        write_document(&mut trimmed, &Document::from(list));
        trimmed.push(b':');
        trimmed.append(&mut items);
        trimmed.push(b'}');
        trimmed.shrink_to_fit();
        Ok(trimmed)
    }
}

fn write_document(text: &mut Vec<u8>, document: &Document) {
    serde_json::to_writer(text, document).expect("memory takes what JSON has")
}

/// A path's steps: split at dots, where a backslash keeps the next dot.
pub fn steps(path: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => steps.last_mut().expect("never empty").extend(characters.next()),
            '.' => steps.push(String::new()),
            other => steps.last_mut().expect("never empty").push(other),
        }
    }
    steps
}

struct Keep<'a>(&'a Shape);

impl<'de> DeserializeSeed<'de> for Keep<'_> {
    type Value = Document;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        if self.0.whole {
            return serde::Deserialize::deserialize(deserializer);
        }
        if self.0.children.is_empty() {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| Document::Null);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keep<'_> {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut kept = serde_json::Map::new();
        while let Some(child) = map.next_key_seed(ChildSeed(self.0))? {
            match child {
                Some((key, shape)) => {
                    let value = map.next_value_seed(Keep(shape))?;
                    kept.insert(key.clone(), value);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Document::Object(kept))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Document, A::Error> {
        let mut kept = Vec::new();
        loop {
            let position = kept.len().to_string();
            let shape = self.0.child(EACH).or_else(|| self.0.child(&position));
            let nothing = Shape::default();
            match seq.next_element_seed(Keep(shape.unwrap_or(&nothing)))? {
                Some(value) => kept.push(value),
                None => return Ok(Document::Array(kept)),
            }
        }
    }

    // A scalar where a path goes deeper: the path leads nowhere.
    fn visit_bool<E>(self, value: bool) -> Result<Document, E> {
        Ok(Document::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Document, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Document, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Document, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Document, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Document, E> {
        Ok(Document::Null)
    }
}

/// Finds a key among the children of a shape, without keeping the key's text.
struct ChildSeed<'a>(&'a Shape);

impl<'de, 'a> DeserializeSeed<'de> for ChildSeed<'a> {
    type Value = Option<&'a (String, Shape)>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for ChildSeed<'a> {
    type Value = Option<&'a (String, Shape)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.children.iter().find(|(name, _)| name == key))
    }
}

struct ListSeed<'a, F> {
    list: &'a str,
    item: &'a Shape,
    outer: &'a Shape,
    each: &'a mut F,
}

impl<'de, F: FnMut(Document)> DeserializeSeed<'de> for ListSeed<'_, F> {
    type Value = Document;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(Document)> Visitor<'de> for ListSeed<'_, F> {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the list `{}`", self.list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut kept = serde_json::Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == self.list {
                map.next_value_seed(ItemsSeed { item: self.item, each: self.each })?;
            } else if let Some(shape) = self.outer.child(&key) {
                let value = map.next_value_seed(Keep(shape))?;
                kept.insert(key, value);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Document::Object(kept))
    }
}

struct ItemsSeed<'a, F> {
    item: &'a Shape,
    each: &'a mut F,
}

impl<'de, F: FnMut(Document)> DeserializeSeed<'de> for ItemsSeed<'_, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Document)> Visitor<'de> for ItemsSeed<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of documents")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(document) = seq.next_element_seed(Keep(self.item))? {
            (self.each)(document);
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// What stands at a path; a step `*` gathers over a list.
pub fn at<'a>(document: &'a Document, steps: &[&str]) -> Option<std::borrow::Cow<'a, Document>> {
    use std::borrow::Cow;
    let Some((first, rest)) = steps.split_first() else { return Some(Cow::Borrowed(document)) };
    match document {
        Document::Object(map) => at(map.get(*first)?, rest),
        Document::Array(list) if *first == EACH => {
            let found = list.iter().filter_map(|element| at(element, rest)).map(Cow::into_owned);
            Some(Cow::Owned(Document::Array(found.collect())))
        }
        Document::Array(list) => at(list.get(first.parse::<usize>().ok()?)?, rest),
        _ => None,
    }
}

/// Sets a field to what stands at a path, if it is there and fits; the derive macro's business.
#[doc(hidden)]
pub fn assign<V: FromJson>(field: &mut V, document: &Document, steps: &[&str]) {
    if let Some(value) = at(document, steps).and_then(|value| V::from_json(&value)) {
        *field = value;
    }
}

/// Fills a group from what stands at its path; the derive macro's business.
#[doc(hidden)]
pub fn fill_group(group: &mut impl Columns, document: &Document, steps: &[&str], wanted: &[bool]) {
    if wanted.contains(&true)
        && let Some(part) = at(document, steps)
    {
        group.fill(&part, wanted);
    }
}

/// A type that a JSON value can be read as.
pub trait FromJson: Sized {
    /// The value; `None` where it is null or does not fit.
    fn from_json(value: &Document) -> Option<Self>;
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Document) -> Option<Self> {
        Some(T::from_json(value))
    }
}

impl FromJson for String {
    fn from_json(value: &Document) -> Option<Self> {
        match value {
            Document::String(text) => Some(text.clone()),
            Document::Null => None,
            other => Some(other.to_string()),
        }
    }
}

impl FromJson for i64 {
    fn from_json(value: &Document) -> Option<Self> {
        match value {
            Document::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|real| real as i64)),
            Document::String(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl FromJson for f64 {
    fn from_json(value: &Document) -> Option<Self> {
        value.as_f64().or_else(|| value.as_str()?.parse().ok())
    }
}

impl FromJson for bool {
    fn from_json(value: &Document) -> Option<Self> {
        value.as_bool()
    }
}

impl FromJson for Json {
    fn from_json(value: &Document) -> Option<Self> {
        if value.is_null() { None } else { Some(Json(value.to_string())) }
    }
}

impl FromJson for Timestamp {
    fn from_json(value: &Document) -> Option<Self> {
        let time = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
        Some(Timestamp(time.timestamp_micros()))
    }
}

impl FromJson for Vec<String> {
    fn from_json(value: &Document) -> Option<Self> {
        Some(value.as_array()?.iter().filter_map(String::from_json).collect())
    }
}

impl FromJson for Vec<i64> {
    fn from_json(value: &Document) -> Option<Self> {
        Some(value.as_array()?.iter().filter_map(i64::from_json).collect())
    }
}

impl FromJson for Map {
    fn from_json(value: &Document) -> Option<Self> {
        let pairs = value.as_object()?.iter().map(|(key, value)| (key.clone(), String::from_json(value)));
        Some(Map(pairs.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trimmed_list_reads_as_the_whole_one() {
        let text = br#"{"kind":"L","skipped":[1],"items":[{"a":{"b":"x","c":[1,2]},"d":[{"e":1,"f":2},{"e":3}]},7,null,{}],"m":{"n":true,"o":0}}"#;
        let outer = Shape::default().with("kind").with("m.n");
        let (one, other) = (Shape::default().with("a.b"), Shape::default().with("d.*.e").with("a.c"));
        let mut both = one.clone();
        both.extend(&other);
        let trimmed = both.trim_list(text, "items", &outer).expect("a list");
        assert!(trimmed.len() < text.len());
        for shape in [one, other, both] {
            let read = |text: &[u8]| {
                let mut documents = Vec::new();
                let around =
                    shape.parse_list(text, "items", &outer, |document| documents.push(document)).expect("JSON");
                (around, documents)
            };
            assert_eq!(read(text), read(&trimmed));
        }
        for (text, trimmed) in
            [("{}", r#"{"items":[]}"#), (r#"{"items":null,"kind":"x"}"#, r#"{"kind":"x","items":[]}"#)]
        {
            let got = Shape::whole().trim_list(text.as_bytes(), "items", &outer).expect("an object");
            assert_eq!(String::from_utf8_lossy(&got), trimmed);
        }
        assert!(Shape::whole().trim_list(b"[]", "items", &outer).is_err());
    }
}
