//! JSON as policies need it: an object may not have a key twice, and numbers keep their text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::error::{Error, Result};

/// Largest text of a policy or of a document with policies.
pub(crate) const LONGEST: usize = 1 << 20;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    /// The number's text.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// The members in their order. No two have the same key.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Parses a text. Errors state `place`.
    pub(crate) fn parse(text: &str, place: &str) -> Result<Node> {
        if text.len() > LONGEST {
            return Err(Error::too_large(place, text.len(), LONGEST));
        }
        serde_json::from_str(text).map_err(|error| Error::syntax(place, &error))
    }

    /// Its type, for errors.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool(_) => "a boolean",
            Node::Number(_) => "a number",
            Node::Text(_) => "a string",
            Node::List(_) => "a list",
            Node::Object(_) => "an object",
        }
    }

    pub(crate) fn members(&self, place: &str) -> Result<&[(String, Node)]> {
        match self {
            Node::Object(members) => Ok(members),
            other => Err(Error::malformed(place, format!("expected an object, found {}", other.kind()))),
        }
    }

    pub(crate) fn text(&self, place: &str) -> Result<&str> {
        match self {
            Node::Text(text) => Ok(text),
            other => Err(Error::malformed(place, format!("expected a string, found {}", other.kind()))),
        }
    }

    /// The values of a list, or a value that stands for a list of one.
    pub(crate) fn items(&self) -> &[Node] {
        match self {
            Node::List(items) => items,
            single => std::slice::from_ref(single),
        }
    }

    /// A list of strings, or one string.
    pub(crate) fn texts<'a>(&'a self, place: &str) -> Result<Vec<&'a str>> {
        let text = |(position, item): (usize, &'a Node)| match item {
            Node::Text(text) => Ok(&**text),
            other => Err(Error::malformed(
                &format!("{place}[{position}]"),
                format!("expected a string, found {}", other.kind()),
            )),
        };
        self.items().iter().enumerate().map(text).collect()
    }

    /// The text of a string, number or boolean.
    pub(crate) fn scalar(&self) -> Option<String> {
        match self {
            Node::Text(text) | Node::Number(text) => Some(text.clone()),
            Node::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> std::result::Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> std::result::Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Node, A::Error> {
        let mut members: Vec<(String, Node)> = Vec::new();
        let mut keys = std::collections::HashSet::new();
        while let Some((key, value)) = map.next_entry::<String, Node>()? {
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(format!("duplicate key `{key}`")));
            }
            members.push((key, value));
        }
        Ok(Node::Object(members))
    }
}
