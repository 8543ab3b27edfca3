//! A list that arrives in pieces.

use std::sync::Arc;

use indago_table::json::Shape;
use indago_table::{Error, Result};

use crate::pages::PAGE_SIZE;

use super::wire::{Fault, Head, Value, Wire, WireType};
use super::{ObjectKind, Writer, schema};

/// The start of each answer in protobuf. A message with the kind and the list follows.
pub(super) const MAGIC: [u8; 4] = *b"k8s\0";

/// Most objects that a list names as undecodable.
const MOST_SKIPPED: usize = 1000;

/// Turns a list into JSON text while it arrives. Only an object that has not arrived completely is held in protobuf.
#[derive(Debug)]
pub(crate) struct Decoder {
    object: ObjectKind,
    shape: Arc<Shape>,
    /// Bytes that are not decoded yet.
    pending: Vec<u8>,
    place: Place,
    /// The kind of the list.
    kind: String,
    text: Vec<u8>,
    /// Objects so far, and those that were decoded.
    count: usize,
    written: usize,
    decoded: Decoded,
}

/// What is known of a list that was decoded.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// An error for each object that could not be decoded.
    pub(crate) skipped: Vec<Error>,
    /// Where every 500th object begins in the JSON text, from the first on.
    pub(crate) parts: Vec<usize>,
}

/// The part of the answer that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Magic,
    /// The fields around the list.
    Around,
    /// The fields of the list, of which so many bytes are missing, and whether its items have begun.
    List(usize, bool),
    /// The list is complete.
    After,
}

impl Decoder {
    pub(crate) fn new(object: ObjectKind, shape: Arc<Shape>) -> Self {
        Decoder {
            object,
            shape,
            pending: Vec::new(),
            place: Place::Magic,
            kind: String::new(),
            text: Vec::new(),
            count: 0,
            written: 0,
            decoded: Decoded::default(),
        }
    }

    /// The JSON text so far.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Bytes of memory that it takes.
    pub(crate) fn size(&self) -> usize {
        self.text.capacity() + self.pending.capacity()
    }

    /// Decodes what has arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        let mut rest = &pending[..];
        let outcome = loop {
            match self.step(rest) {
                Ok(0) => break Ok(()),
                Ok(taken) => rest = &rest[taken..],
                Err(error) => break Err(error),
            }
        };
        let taken = pending.len() - rest.len();
        self.pending = pending;
        self.pending.drain(..taken);
        outcome
    }

    /// Decodes the next part, if it has arrived, and returns its length.
    fn step(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.place == Place::Magic {
            if bytes.len() < MAGIC.len() {
                return Ok(0);
            }
            if !bytes.starts_with(&MAGIC) {
                return Err(malformed("it does not start with `k8s`"));
            }
            self.place = Place::Around;
            return Ok(MAGIC.len());
        }
        if let Place::List(0, has_items) = self.place {
            self.text.extend_from_slice(if has_items { b"]}" } else { b"\"items\":[]}" });
            self.place = Place::After;
        }
        let Some(head) = Head::read(bytes).map_err(|Fault(why)| malformed(why))? else { return Ok(0) };
        if let (Place::Around, 2, WireType::Bytes) = (self.place, head.number, head.form) {
            self.begin()?;
            self.place = Place::List(head.length, false);
            return Ok(head.size);
        }
        let size = head.size.saturating_add(head.length);
        if let Place::List(left, _) = self.place
            && size > left
        {
            return Err(malformed("an object is longer than the list"));
        }
        let Some(value) = bytes.get(head.size..size) else { return Ok(0) };
        match self.place {
            Place::Around if (head.number, head.form) == (1, WireType::Bytes) => {
                let kind = Wire(value).bytes_of(2).map_err(|Fault(why)| malformed(why))?;
                self.kind = String::from_utf8_lossy(kind).into_owned();
            }
            Place::List(left, has_items) => {
                let has_items = match (head.number, head.form) {
                    (1, WireType::Bytes) if has_items => {
                        return Err(malformed("the list's metadata follows its items"));
                    }
                    (1, WireType::Bytes) => self.metadata(value)?,
                    (2, WireType::Bytes) => self.item(value, has_items),
                    _ => has_items,
                };
                self.place = Place::List(left - size, has_items);
            }
            _ => {}
        }
        Ok(size)
    }

    /// The list's own kind.
    fn begin(&mut self) -> Result<()> {
        let kind = &self.kind;
        match kind.strip_suffix("List") {
            Some(of) if of.eq_ignore_ascii_case(self.object.kind) => {}
            Some(of) => {
                return Err(Error::Malformed(format!(
                    "the response is a list of {of} objects, not of {:?}",
                    self.object
                )));
            }
            None => {
                let kind = if kind.is_empty() { "absent" } else { kind };
                return Err(Error::Malformed(format!("the response is not a list: its kind is {kind}")));
            }
        }
        let kind = serde_json::Value::from(kind.as_str());
        self.text.extend_from_slice(format!("{{\"kind\":{kind},").as_bytes());
        Ok(())
    }

    fn metadata(&mut self, bytes: &[u8]) -> Result<bool> {
        self.text.extend_from_slice(b"\"metadata\":");
        let written = Writer::new(&mut self.text).object(&schema::META_V1_LIST_META, bytes, &Shape::whole());
        written.map_err(|Fault(why)| malformed(why))?;
        self.text.push(b',');
        Ok(false)
    }

    fn item(&mut self, bytes: &[u8], has_items: bool) -> bool {
        let before = self.text.len();
        self.text.extend_from_slice(if has_items { b"," } else { b"\"items\":[" });
        self.count += 1;
        let Decoded { skipped, parts } = &mut self.decoded;
        let start = self.text.len();
        match Writer::new(&mut self.text).object(self.object.message, bytes, &self.shape) {
            Ok(()) => {
                if self.written.is_multiple_of(PAGE_SIZE) {
                    parts.push(start);
                }
                self.written += 1;
                true
            }
            Err(Fault(why)) => {
                self.text.truncate(before);
                if skipped.len() < MOST_SKIPPED {
                    let named = name(bytes).unwrap_or_else(|| format!("number {} of the list", self.count));
                    skipped.push(Error::Malformed(format!("skipped the object {named}: {why}")));
                }
                has_items
            }
        }
    }

    /// The JSON text.
    pub(crate) fn finish(mut self) -> Result<(Vec<u8>, Decoded)> {
        // The end of the list.
        self.step(&[])?;
        if self.place != Place::After || !self.pending.is_empty() {
            return Err(Error::Unavailable("the response is cut off: it is not a complete list".to_owned()));
        }
        Ok((self.text, self.decoded))
    }
}

fn malformed(why: &str) -> Error {
    Error::Malformed(format!("the response is not the protobuf that was expected: {why}"))
}

/// Namespace and name of an object that is partly malformed.
fn name(object: &[u8]) -> Option<String> {
    let first = |bytes, number| {
        let mut wire = Wire(bytes);
        while let Ok(Some((of, value))) = wire.next() {
            if of == number {
                return match value {
                    Value::Bytes(bytes) => Some(bytes),
                    Value::Number(_) => None,
                };
            }
        }
        None
    };
    let metadata = first(object, 1)?;
    let text = |bytes| String::from_utf8_lossy(bytes).chars().take(253).collect::<String>();
    let name = text(first(metadata, 1).filter(|name| !name.is_empty())?);
    match first(metadata, 3).filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => Some(format!("`{}/{name}`", text(namespace))),
        None => Some(format!("`{name}`")),
    }
}
