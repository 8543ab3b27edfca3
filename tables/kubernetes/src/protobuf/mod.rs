//! Lists in protobuf, as API servers send them for their own resources. An answer becomes the JSON text that the server
//! would have sent, with nothing in it but what the query wants, item by item while it arrives.
//!
//! `schema.rs` states the facts of both forms. A field is written in JSON if it is on the wire, except where JSON omits
//! an empty value: Kubernetes' Go code writes each field that is no pointer, even if it is empty.

mod list;
#[rustfmt::skip]
mod schema;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indago_table::json::{EACH, Shape};
use k8s_openapi::jiff::{SignedDuration, Timestamp, tz::TimeZone};

pub(crate) use self::list::{Decoded, Decoder};
use self::wire::{Fault, Value, Wire};

/// A message: its fields in the order in which JSON has them.
struct Message(&'static [Field]);

/// A field: its number, its name in JSON, its type, and what JSON does with an empty value.
struct Field(u32, &'static str, Kind, Form);

/// The type of a value.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// Base64 in JSON.
    Bytes,
    Bool,
    Integer,
    /// Seconds, as RFC 3339 in JSON; `null` if it is empty.
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    /// JSON in a field of bytes.
    Raw,
    /// A message with a list of texts, which is a list in JSON.
    Texts,
    Of(&'static Message),
    /// An entire object, of which JSON also has version and kind.
    Object(&'static str, &'static str, &'static Message),
}

/// When and how JSON has a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// If it is on the wire.
    Given,
    /// If it is not empty.
    NonZero,
    /// Always; `null` if it is not on the wire.
    Nullable,
    List,
    /// A list that is `null` if it is empty.
    NullableList,
    /// A map with texts as keys.
    Map,
    /// The fields of the message are fields of this object.
    Inline,
}

/// A kind of object in protobuf.
#[derive(Clone, Copy)]
pub(crate) struct ObjectKind {
    /// In lowercase.
    kind: &'static str,
    message: &'static Message,
}

impl fmt::Debug for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}

impl ObjectKind {
    /// The kind of objects of which only the metadata is wanted.
    pub(crate) const METADATA: ObjectKind =
        ObjectKind { kind: "partialobjectmetadata", message: &schema::META_V1_PARTIAL_OBJECT_METADATA };

    /// The resources whose protobuf form is known: group and version, and kind in lowercase.
    pub(crate) fn resources() -> impl Iterator<Item = (&'static str, &'static str)> {
        schema::RESOURCES.iter().map(|(group_version, kind, _)| (*group_version, *kind))
    }

    /// The objects of a resource, if their protobuf form is known.
    pub(crate) fn of_resource(group_version: &str, resource: &str) -> Option<Self> {
        let found = |(of, kind, _): &&(&str, &str, _)| *of == group_version && crate::pages::plural(kind) == resource;
        schema::RESOURCES.iter().find(found).map(|(_, kind, message)| ObjectKind { kind, message })
    }
}

/// The JSON text of an error status in protobuf; `None` if it is none.
pub(crate) fn status(body: &[u8]) -> Option<Vec<u8>> {
    let body = body.strip_prefix(&list::MAGIC)?;
    let raw = Wire(body).bytes_of(2).ok()?;
    let mut text = Vec::new();
    Writer::new(&mut text).object(&schema::META_V1_STATUS, raw, &Shape::whole()).ok()?;
    Some(text)
}

/// Most wanted fields of one object. It limits the memory that a short message of many empty fields takes.
const MOST_FIELDS: usize = 1 << 19;

/// Writes JSON.
struct Writer<'o, 'a> {
    text: &'o mut Vec<u8>,
    /// The wanted fields of the messages that are being written: the position in the message, and the value.
    fields: Vec<(usize, Value<'a>)>,
}

impl<'o, 'a> Writer<'o, 'a> {
    fn new(text: &'o mut Vec<u8>) -> Self {
        Writer { text, fields: Vec::new() }
    }

    fn object(&mut self, message: &Message, bytes: &'a [u8], shape: &Shape) -> Result<(), Fault> {
        self.text.push(b'{');
        self.members(message, bytes, shape)?;
        self.text.push(b'}');
        Ok(())
    }

    /// The fields of a message, in the order of JSON.
    fn members(&mut self, message: &Message, bytes: &'a [u8], shape: &Shape) -> Result<(), Fault> {
        let start = self.fields.len();
        let mut wire = Wire(bytes);
        while let Some((number, value)) = wire.next()? {
            let found = message.0.iter().position(|field| field.0 == number);
            let Some((position, Field(_, name, _, form))) = found.map(|at| (at, &message.0[at])) else { continue };
            if *form == Form::Inline || shape.part(name).is_some() {
                if self.fields.len() == MOST_FIELDS {
                    return Err(Fault("it has too many fields"));
                }
                self.fields.push((position, value));
            }
        }
        self.fields[start..].sort_by_key(|(position, _)| *position);
        let mut from = start;
        for (position, field) in message.0.iter().enumerate() {
            let count = self.fields[from..].iter().take_while(|(of, _)| *of == position).count();
            self.field(field, from, from + count, shape)?;
            from += count;
        }
        self.fields.truncate(start);
        Ok(())
    }

    /// One field; its values are those from `from` to `to`. If it has one value, the last one counts.
    fn field(&mut self, field: &Field, from: usize, to: usize, shape: &Shape) -> Result<(), Fault> {
        let Field(_, name, kind, form) = *field;
        let last = self.fields[from..to].last().map(|(_, value)| *value);
        if form == Form::Inline {
            let Kind::Of(message) = kind else { return Ok(()) };
            return last.map_or(Ok(()), |value| self.members(message, value.bytes()?, shape));
        }
        let Some(part) = shape.part(name) else { return Ok(()) };
        match (form, last) {
            (Form::Given, Some(value)) | (Form::Nullable, Some(value)) => {
                self.name(name);
                self.value(kind, value, part)
            }
            (Form::NonZero, Some(value)) if !value.is_zero() => {
                self.name(name);
                self.value(kind, value, part)
            }
            (Form::List | Form::NullableList, Some(_)) => {
                self.name(name);
                self.list(kind, from, to, part)
            }
            (Form::Map, Some(_)) => {
                self.name(name);
                self.map(kind, from, to, part)
            }
            (Form::Nullable | Form::NullableList, None) => {
                self.name(name);
                self.add("null")
            }
            _ => Ok(()),
        }
    }

    fn list(&mut self, kind: Kind, from: usize, to: usize, shape: &Shape) -> Result<(), Fault> {
        let each = shape.part(EACH);
        self.text.push(b'[');
        for (count, position) in (from..to).enumerate() {
            match (kind, self.fields[position].1) {
                // Several numbers in one value.
                (Kind::Integer | Kind::Bool, Value::Bytes(mut packed)) => {
                    while let Some((number, length)) = wire::varint(packed)? {
                        self.separate();
                        self.value(kind, Value::Number(number.cast_signed()), shape)?;
                        packed = &packed[length..];
                    }
                }
                (_, value) => {
                    self.separate();
                    match each.or_else(|| shape.part(&count.to_string())) {
                        Some(part) => self.value(kind, value, part)?,
                        None => self.add("null")?,
                    }
                }
            }
        }
        self.text.push(b']');
        Ok(())
    }

    fn map(&mut self, kind: Kind, from: usize, to: usize, shape: &Shape) -> Result<(), Fault> {
        self.text.push(b'{');
        for position in from..to {
            let (mut key, mut found) = (&[][..], None);
            let mut wire = Wire(self.fields[position].1.bytes()?);
            while let Some((number, value)) = wire.next()? {
                match number {
                    1 => key = value.bytes()?,
                    2 => found = Some(value),
                    _ => {}
                }
            }
            let key = String::from_utf8_lossy(key);
            let Some(part) = shape.part(&key) else { continue };
            self.name(&key);
            self.value(kind, found.unwrap_or(Value::Bytes(&[])), part)?;
        }
        self.text.push(b'}');
        Ok(())
    }

    fn value(&mut self, kind: Kind, value: Value<'a>, shape: &Shape) -> Result<(), Fault> {
        match kind {
            Kind::Text => self.string(value.bytes()?),
            Kind::Bytes => {
                let encoded = STANDARD.encode(value.bytes()?);
                self.string(encoded.as_bytes());
            }
            Kind::Bool => return self.add(if value.number()? == 0 { "false" } else { "true" }),
            Kind::Integer => return self.add(value.number()?),
            Kind::Time => return self.time(value.bytes()?, "%Y-%m-%dT%H:%M:%SZ", false),
            Kind::MicroTime => return self.time(value.bytes()?, "%Y-%m-%dT%H:%M:%S.%6fZ", true),
            Kind::Quantity => match Wire(value.bytes()?).bytes_of(1)? {
                [] => self.string(b"0"),
                text => self.string(text),
            },
            Kind::IntOrString => {
                let (mut is_text, mut number, mut text) = (false, 0, &[][..]);
                let mut wire = Wire(value.bytes()?);
                while let Some((field, value)) = wire.next()? {
                    match field {
                        1 => is_text = value.number()? == 1,
                        2 => number = value.number()?,
                        3 => text = value.bytes()?,
                        _ => {}
                    }
                }
                if is_text { self.string(text) } else { self.add(number)? }
            }
            Kind::Raw => match Wire(value.bytes()?).bytes_of(1)? {
                [] => return self.add("null"),
                text if serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok() => {
                    self.text.extend_from_slice(text);
                }
                _ => return Err(Fault("a part of it that should be JSON is not")),
            },
            Kind::Texts => {
                let mut wire = Wire(value.bytes()?);
                self.text.push(b'[');
                while let Some((number, value)) = wire.next()? {
                    if number == 1 {
                        self.separate();
                        self.string(value.bytes()?);
                    }
                }
                self.text.push(b']');
            }
            Kind::Of(message) => return self.object(message, value.bytes()?, shape),
            Kind::Object(version, kind, message) => {
                self.text.push(b'{');
                for (name, text) in [("kind", kind), ("apiVersion", version)] {
                    if shape.part(name).is_some() {
                        self.name(name);
                        self.string(text.as_bytes());
                    }
                }
                self.members(message, value.bytes()?, shape)?;
                self.text.push(b'}');
            }
        }
        Ok(())
    }

    fn time(&mut self, bytes: &[u8], format: &str, has_fraction: bool) -> Result<(), Fault> {
        if bytes.is_empty() {
            return self.add("null");
        }
        let (mut seconds, mut nanoseconds) = (0, 0);
        let mut wire = Wire(bytes);
        while let Some((number, value)) = wire.next()? {
            match number {
                1 => seconds = value.number()?,
                2 if has_fraction => nanoseconds = value.number()?,
                _ => {}
            }
        }
        let outside = Fault("a time of it is outside the years 1 to 9999");
        let fraction = SignedDuration::from_nanos(nanoseconds);
        let time = Timestamp::from_second(seconds).and_then(|time| time.checked_add(fraction)).map_err(|_| outside)?;
        let time = time.to_zoned(TimeZone::UTC);
        if time.year() < 1 {
            return Err(Fault("a time of it is outside the years 1 to 9999"));
        }
        self.string(time.strftime(format).to_string().as_bytes());
        Ok(())
    }

    /// A comma, unless it is the first of its object or list.
    fn separate(&mut self) {
        if !matches!(self.text.last(), Some(b'{' | b'[') | None) {
            self.text.push(b',');
        }
    }

    fn name(&mut self, name: &str) {
        self.separate();
        self.string(name.as_bytes());
        self.text.push(b':');
    }

    /// A text; what is not UTF-8 in it is replaced, as the server does.
    fn string(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        serde_json::to_writer(&mut *self.text, &text).expect("writing to memory does not fail");
    }

    fn add(&mut self, value: impl fmt::Display) -> Result<(), Fault> {
        write!(self.text, "{value}").expect("writing to memory does not fail");
        Ok(())
    }
}
