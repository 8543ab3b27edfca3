//! JSON documents as rows. Only the values that a query wants are parsed.

mod steps;
mod text;

use std::borrow::Cow;

use serde_json::Value as Document;

pub use self::steps::steps;
use self::text::{Text, parse};
use crate::error::{Error, Result};
use crate::row::{Columns, Misfit, Row};
use crate::spec::ColumnSpec;
use crate::value::{Json, Map, Timestamp};

/// The parts of a document that a scan wants, as a tree of keys.
///
/// Everything else is skipped: if a query wants the name from a pod of 7 KB, parsing costs little more than finding the
/// pod's end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    whole: bool,
    /// Ordered by name.
    children: Vec<(String, Shape)>,
}

/// Bytes of memory that a document takes.
pub fn size(document: &Document) -> usize {
    let own = match document {
        Document::String(text) => text.capacity(),
        Document::Array(elements) => elements.iter().map(size).sum(),
        Document::Object(members) => {
            members.iter().map(|(name, value)| size_of::<String>() + name.capacity() + size(value)).sum()
        }
        Document::Null | Document::Bool(_) | Document::Number(_) => 0,
    };
    size_of::<Document>() + own
}

/// A path step for all elements of a list.
pub const EACH: &str = "*";

impl Shape {
    /// The entire document.
    pub fn whole() -> Self {
        Shape { whole: true, children: Vec::new() }
    }

    /// The paths of the wanted columns of a row type.
    pub fn of<T: Row>(wanted: &[bool]) -> Self {
        Shape::of_columns(&T::SPEC.columns, wanted)
    }

    /// The paths of the wanted columns among some columns.
    pub fn of_columns(columns: &[ColumnSpec], wanted: &[bool]) -> Self {
        let mut shape = Shape::default();
        for (column, wanted) in columns.iter().zip(wanted) {
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
        self.child_mut(first.as_ref()).add(rest);
    }

    /// The shape with a path added; the path is in dotted form.
    #[must_use]
    pub fn with(mut self, path: &str) -> Self {
        self.add(&steps(path));
        self
    }

    /// The wanted part of a value by its key, or `*` for the elements of a list; `None` if nothing is wanted.
    pub fn part(&self, key: &str) -> Option<&Shape> {
        if self.whole { Some(self) } else { self.child(key) }
    }

    /// Whether nothing is wanted but parts of these keys.
    pub fn is_within(&self, keys: &[&str]) -> bool {
        !self.whole && self.children.iter().all(|(name, _)| keys.contains(&name.as_str()))
    }

    fn child(&self, key: &str) -> Option<&Shape> {
        self.find(key.as_bytes()).ok().map(|position| &self.children[position].1)
    }

    fn child_mut(&mut self, key: &str) -> &mut Shape {
        let position = self.find(key.as_bytes()).unwrap_or_else(|position| {
            self.children.insert(position, (key.to_owned(), Shape::default()));
            position
        });
        &mut self.children[position].1
    }

    /// Position of a child, or the position to insert it.
    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.children.binary_search_by(|(name, _)| name.as_bytes().cmp(key))
    }

    /// Parses a document and keeps only this shape. The rest is not checked, except for its end.
    pub fn parse(&self, text: &[u8]) -> Result<Document> {
        let mut text = Text::new(text);
        let document = self.take(&mut text)?;
        text.end()?;
        Ok(document)
    }

    /// Parses an object whose list `list` holds the documents: each of them goes, in this shape, to `each` as soon as
    /// it is read; of the rest of the object, `outer` is kept and given back. A malformed document whose end
    /// is found is passed to `each` as an error. The other documents are not affected.
    pub fn parse_list(
        &self,
        text: &[u8],
        list: &str,
        outer: &Shape,
        mut each: impl FnMut(Result<Document>),
    ) -> Result<Document> {
        let mut text = Text::new(text);
        let mut kept = serde_json::Map::new();
        text.object(|text, key| {
            if key == list.as_bytes() {
                if text.next() == Some(b'n') {
                    return parse::<()>(text.value()?);
                }
                return self.take_each(text, &mut each);
            }
            outer.take_child(text, key, &mut kept)
        })?;
        text.end()?;
        Ok(Document::Object(kept))
    }

    /// Parses a list of documents, like [`parse_list`](Shape::parse_list). `null` is an empty list.
    pub fn parse_array(&self, text: &[u8], mut each: impl FnMut(Result<Document>)) -> Result<()> {
        let mut text = Text::new(text);
        match text.next() {
            Some(b'n') => parse::<()>(text.value()?)?,
            _ => self.take_each(&mut text, &mut each)?,
        }
        text.end()
    }

    fn take_each(&self, text: &mut Text<'_>, each: &mut impl FnMut(Result<Document>)) -> Result<()> {
        text.array(|text| {
            let start = text.clone();
            let document = self.take(text);
            if document.is_err() {
                *text = start;
                text.value()?;
            }
            each(document);
            Ok(())
        })
    }

    /// Goes behind the next value, and keeps this shape of it.
    fn take(&self, text: &mut Text<'_>) -> Result<Document> {
        match text.next() {
            _ if self.whole => parse(text.value()?),
            _ if self.children.is_empty() => text.value().map(|_| Document::Null),
            Some(b'{') => {
                let mut kept = serde_json::Map::new();
                text.object(|text, key| self.take_child(text, key, &mut kept))?;
                Ok(Document::Object(kept))
            }
            Some(b'[') => {
                let nothing = Shape::default();
                let mut kept = Vec::new();
                text.array(|text| {
                    let shape = self.child(EACH).or_else(|| self.child(&kept.len().to_string()));
                    kept.push(shape.unwrap_or(&nothing).take(text)?);
                    Ok(())
                })?;
                Ok(Document::Array(kept))
            }
            // A scalar where the path has more steps: the path leads nowhere.
            _ => parse(text.value()?),
        }
    }

    fn take_child(&self, text: &mut Text<'_>, key: &[u8], kept: &mut serde_json::Map<String, Document>) -> Result<()> {
        match self.find(key) {
            Ok(position) => {
                let (name, shape) = &self.children[position];
                let value = shape.take(text)?;
                kept.insert(name.clone(), value);
            }
            Err(_) => drop(text.value()?),
        }
        Ok(())
    }

    /// Adds all paths of another shape.
    pub fn extend(&mut self, other: &Shape) {
        self.whole |= other.whole;
        for (key, shape) in &other.children {
            self.child_mut(key).extend(shape);
        }
    }

    /// Whether this shape has all parts of another one.
    pub fn covers(&self, other: &Shape) -> bool {
        let has = |(key, part): &(String, Shape)| self.child(key).is_some_and(|own| own.covers(part));
        self.whole || !other.whole && other.children.iter().all(has)
    }

    /// This shape for the value under a key of an object.
    #[must_use]
    pub fn under(self, key: &str) -> Self {
        Shape { whole: false, children: vec![(key.to_owned(), self)] }
    }

    /// Such an object's text with nothing in it but `outer` and the documents in this shape: what to keep of it for
    /// several readers. A malformed document becomes `null`.
    pub fn trim_list(&self, text: &[u8], list: &str, outer: &Shape) -> Result<Vec<u8>> {
        let mut items = Vec::new();
        let around = self.parse_list(text, list, outer, |document| {
            items.push(if items.is_empty() { b'[' } else { b',' });
            write_document(&mut items, &document.unwrap_or_default());
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
    serde_json::to_writer(text, document).expect("writing to memory does not fail")
}

/// The value at a path; a step `*` collects from all elements of a list.
pub fn at<'a>(document: &'a Document, steps: &[&str]) -> Option<Cow<'a, Document>> {
    reach(document, steps, &mut None)
}

/// Like [`at`]; also returns the value that blocks the path, if it is not of the type that the next step needs.
fn reach<'a>(document: &'a Document, steps: &[&str], obstacle: &mut Option<&'static str>) -> Option<Cow<'a, Document>> {
    let Some((first, rest)) = steps.split_first() else { return Some(Cow::Borrowed(document)) };
    match (document, first.parse::<usize>()) {
        (Document::Null, _) => None,
        (Document::Array(list), _) if *first == EACH => {
            let found = list.iter().filter_map(|element| reach(element, rest, obstacle)).map(Cow::into_owned);
            Some(Cow::Owned(Document::Array(found.collect())))
        }
        (Document::Array(list), Ok(position)) => reach(list.get(position)?, rest, obstacle),
        (Document::Object(map), _) if *first != EACH => reach(map.get(*first)?, rest, obstacle),
        (other, _) => {
            *obstacle = Some(kind(other));
            None
        }
    }
}

/// The type of a value for messages: `a number`.
pub fn kind(value: &Document) -> &'static str {
    match value {
        Document::Null => "null",
        Document::Bool(_) => "a boolean",
        Document::Number(_) => "a number",
        Document::String(_) => "a text",
        Document::Array(_) => "a list",
        Document::Object(_) => "an object",
    }
}

/// The value at a path of keys. Reads the text no further than that; `None` if the value is missing, or if the text
/// before it is not JSON.
pub fn find(text: &[u8], keys: &[&str]) -> Option<Document> {
    let mut found = None;
    // Stops at the value.
    let _ = seek(&mut Text::new(text), keys, &mut found);
    found
}

fn seek(text: &mut Text<'_>, keys: &[&str], found: &mut Option<Document>) -> Result<()> {
    let Some((first, rest)) = keys.split_first() else {
        *found = Some(parse(text.value()?)?);
        return Err(Error::Cancelled);
    };
    text.object(|text, key| if key == first.as_bytes() { seek(text, rest, found) } else { text.value().map(drop) })
}

/// Sets a field to the value at a path if it exists and fits; returns its type if it does not fit. For the derive
/// macro.
#[doc(hidden)]
pub fn assign<V: FromJson>(field: &mut V, document: &Document, steps: &[&str]) -> Option<&'static str> {
    let mut misfit = None;
    if let Some(found) = reach(document, steps, &mut misfit) {
        match V::from_json(&found) {
            Some(value) => {
                *field = value;
                misfit = misfit.or_else(|| V::misfit(&found));
            }
            None if found.is_null() => {}
            None => misfit = Some(kind(&found)),
        }
    }
    misfit
}

/// Fills a group from the value at its path; for the derive macro.
#[doc(hidden)]
pub fn fill_group<G: Columns>(
    group: &mut G,
    document: &Document,
    steps: &[&str],
    first: usize,
    wanted: &[bool],
    misfits: &mut Vec<Misfit>,
) {
    let mut obstacle = None;
    let part = if wanted.contains(&true) { reach(document, steps, &mut obstacle) } else { None };
    let of_group = match (part, obstacle) {
        (Some(part), _) => group.fill(&part, wanted),
        (None, Some(found)) => {
            let paths = G::COLUMNS.iter().map(|column| column.path.is_some());
            let wanted = wanted.iter().zip(paths).enumerate().filter(|(_, (wanted, is_path))| **wanted && *is_path);
            wanted.map(|(column, _)| Misfit { column, found }).collect()
        }
        (None, None) => Vec::new(),
    };
    misfits.extend(of_group.into_iter().map(|misfit| Misfit { column: first + misfit.column, ..misfit }));
}

/// A type that can be read from a JSON value.
pub trait FromJson: Sized {
    /// The value; `None` if it is null or does not fit.
    fn from_json(value: &Document) -> Option<Self>;

    /// The type of an element that does not fit and is skipped, although the value as a whole fits.
    fn misfit(_value: &Document) -> Option<&'static str> {
        None
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Document) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_json(value).map(Some) }
    }

    fn misfit(value: &Document) -> Option<&'static str> {
        T::misfit(value)
    }
}

impl FromJson for String {
    fn from_json(value: &Document) -> Option<Self> {
        match value {
            Document::String(text) => Some(text.clone()),
            // Servers differ in the types of versions, ports and flags.
            Document::Number(_) | Document::Bool(_) => Some(value.to_string()),
            Document::Null | Document::Array(_) | Document::Object(_) => None,
        }
    }
}

impl FromJson for i64 {
    fn from_json(value: &Document) -> Option<Self> {
        match value {
            // `5.0` is 5; a value that would lose precision does not fit.
            Document::Number(number) => number.as_i64().or_else(|| {
                let real = number.as_f64()?;
                (real.fract() == 0.0 && real.abs() <= LARGEST_EXACT).then_some(real as i64)
            }),
            Document::String(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// Up to this limit, all integers are exact floats.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

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
    /// A text as in RFC 3339, or a number of seconds since 1970.
    fn from_json(value: &Document) -> Option<Self> {
        if let Document::Number(number) = value {
            return match number.as_i64() {
                Some(seconds) => seconds.checked_mul(1_000_000).map(Timestamp),
                None => from_seconds(number.as_f64()?),
            };
        }
        let time = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
        Some(Timestamp(time.timestamp_micros()))
    }
}

/// A point in time to the microsecond, which is what a float of this size holds.
fn from_seconds(seconds: f64) -> Option<Timestamp> {
    let micros = (seconds * 1e6).round();
    (micros.abs() <= LARGEST_EXACT).then_some(Timestamp(micros as i64))
}

impl FromJson for Vec<String> {
    fn from_json(value: &Document) -> Option<Self> {
        Some(value.as_array()?.iter().filter_map(String::from_json).collect())
    }

    fn misfit(value: &Document) -> Option<&'static str> {
        misfit_in::<String>(value.as_array()?)
    }
}

impl FromJson for Vec<i64> {
    fn from_json(value: &Document) -> Option<Self> {
        Some(value.as_array()?.iter().filter_map(i64::from_json).collect())
    }

    fn misfit(value: &Document) -> Option<&'static str> {
        misfit_in::<i64>(value.as_array()?)
    }
}

impl FromJson for Map {
    fn from_json(value: &Document) -> Option<Self> {
        let pairs = value.as_object()?.iter().map(|(key, value)| (key.clone(), String::from_json(value)));
        Some(Map(pairs.collect()))
    }

    fn misfit(value: &Document) -> Option<&'static str> {
        misfit_in::<String>(value.as_object()?.values())
    }
}

/// The type of the first value that is not null and does not fit.
fn misfit_in<'a, T: FromJson>(values: impl IntoIterator<Item = &'a Document>) -> Option<&'static str> {
    values.into_iter().find(|value| !value.is_null() && T::from_json(value).is_none()).map(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_exact_or_do_not_fit() {
        for (text, number) in [
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1e300", None),
            ("5.0", Some(5)),
            ("-1.5e3", Some(-1500)),
            ("2.7", None),
            ("9007199254740994.0", None),
            ("\"9007199254740993\"", Some(9_007_199_254_740_993)),
        ] {
            let document: Document = serde_json::from_str(text).expect("JSON");
            assert_eq!(i64::from_json(&document), number, "{text}");
        }
    }

    #[test]
    fn times_are_texts_or_seconds() {
        for (text, micros) in [
            ("\"2026-11-30T22:23:34.5Z\"", Some(1_796_077_414_500_000)),
            ("\"2026-11-30T22:23:34+00:00\"", Some(1_796_077_414_000_000)),
            ("1796077414", Some(1_796_077_414_000_000)),
            ("1796077414.740551", Some(1_796_077_414_740_551)),
            ("1.79607741E9", Some(1_796_077_410_000_000)),
            ("0", Some(0)),
            ("9223372036854775807", None),
            ("1e300", None),
            ("\"\"", None),
            ("true", None),
        ] {
            let document: Document = serde_json::from_str(text).expect("JSON");
            assert_eq!(Timestamp::from_json(&document), micros.map(Timestamp), "{text}");
        }
    }

    #[test]
    fn an_element_that_does_not_fit_is_told_and_costs_no_other() {
        let document: Document = serde_json::from_str(
            r#"{"t": ["a", {"b": 1}, null, 2], "n": [1, "x", 3], "m": {"k": "v", "l": [1]}, "fits": ["a"]}"#,
        )
        .expect("JSON");
        let (mut texts, mut numbers, mut map) = (Vec::<String>::new(), None::<Vec<i64>>, Map::default());
        assert_eq!(assign(&mut texts, &document, &["t"]), Some("an object"));
        assert_eq!(assign(&mut numbers, &document, &["n"]), Some("a text"));
        assert_eq!(assign(&mut map, &document, &["m"]), Some("a list"));
        assert_eq!((texts, numbers), (vec!["a".to_owned(), "2".to_owned()], Some(vec![1, 3])));
        assert_eq!(map.0.len(), 2);
        assert_eq!(assign(&mut Vec::<String>::new(), &document, &["fits"]), None);
    }

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
                    shape.parse_list(text, "items", &outer, |document| documents.push(document)).expect("a list");
                (around, documents)
            };
            assert_eq!(read(text), read(&trimmed));
        }
        let broken = br#"{"items":[{"a":1},{"a":"\ud800"},{"b":["\ud800"]},{"a":1e999},{"a":2}]}"#;
        let read = |text: &[u8]| {
            let mut texts = Vec::new();
            let each =
                |document: Result<Document>| texts.push(document.map_or("error".to_owned(), |it| it.to_string()));
            Shape::default().with("a").parse_list(text, "items", &outer, each).expect("a list");
            texts
        };
        assert_eq!(read(broken), [r#"{"a":1}"#, "error", "{}", "error", r#"{"a":2}"#]);
        let trimmed = Shape::default().with("a").trim_list(broken, "items", &outer).expect("a list");
        assert_eq!(read(&trimmed), [r#"{"a":1}"#, "null", "{}", "null", r#"{"a":2}"#]);
        for (text, trimmed) in
            [("{}", r#"{"items":[]}"#), (r#"{"items":null,"kind":"x"}"#, r#"{"kind":"x","items":[]}"#)]
        {
            let got = Shape::whole().trim_list(text.as_bytes(), "items", &outer).expect("an object");
            assert_eq!(String::from_utf8_lossy(&got), trimmed);
        }
        assert!(Shape::whole().trim_list(b"[]", "items", &outer).is_err());
    }
}
