//! XML of S3 as documents.

use serde_json::{Map, Value};
use xmlparser::{ElementEnd, Token, Tokenizer};

/// Deepest nesting that is read. S3's documents have five levels.
const DEEPEST: usize = 64;

/// The content of the outermost element; `None` if the text is not XML.
///
/// An element with elements is an object, any other one a text. Elements of one name are a list, one element alone is
/// not: see [`list`].
pub(crate) fn document(xml: &[u8]) -> Option<Value> {
    let xml = std::str::from_utf8(xml).ok()?;
    let mut open: Vec<(Map<String, Value>, String)> = vec![Default::default()];
    let mut names: Vec<&str> = Vec::new();
    for token in Tokenizer::from(xml) {
        match token.ok()? {
            Token::ElementStart { local, .. } => {
                if names.len() >= DEEPEST {
                    return None;
                }
                names.push(local.as_str());
                open.push(Default::default());
            }
            Token::ElementEnd { end: ElementEnd::Open, .. } => {}
            Token::ElementEnd { .. } => {
                let (members, text) = open.pop()?;
                let value = if members.is_empty() { Value::String(text) } else { Value::Object(members) };
                add(&mut open.last_mut()?.0, names.pop()?, value);
            }
            Token::Text { text } => open.last_mut()?.1.push_str(&unescaped(text.as_str())),
            Token::Cdata { text, .. } => open.last_mut()?.1.push_str(text.as_str()),
            _ => {}
        }
    }
    let (mut outermost, _) = open.pop().filter(|_| open.is_empty())?;
    let (_, content) = outermost.iter_mut().next()?;
    Some(content.take())
}

fn add(members: &mut Map<String, Value>, name: &str, value: Value) {
    match members.get_mut(name) {
        None => drop(members.insert(name.to_owned(), value)),
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

/// The elements of a name as a list, however many there are.
pub(crate) fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list.clone(),
        Value::Null => Vec::new(),
        other => vec![other.clone()],
    }
}

/// A text with its entities replaced. An unknown entity is unchanged.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        match after.split_once(';').and_then(|(name, after)| Some((entity(name)?, after))) {
            Some((letter, after)) => {
                plain.push(letter);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_become_members() {
        for (xml, expected) in [
            ("<?xml version=\"1.0\"?><a xmlns=\"urn:x\"/>", Some(json!(""))),
            ("<a>eu-west-1</a>", Some(json!("eu-west-1"))),
            ("<a><b>1</b><c/></a>", Some(json!({"b": "1", "c": ""}))),
            ("<a><b>1</b> <b>2</b><b><c>3</c></b></a>", Some(json!({"b": ["1", "2", {"c": "3"}]}))),
            ("<a>x &amp; y &#60;&#x3e; &odd; &</a>", Some(json!("x & y <> &odd; &"))),
            ("<a><![CDATA[<b>]]></a>", Some(json!("<b>"))),
            ("<a><b></a>", None),
            ("<a>", None),
            ("", None),
            ("text", None),
            ("<a></a></b>", None),
        ] {
            assert_eq!(document(xml.as_bytes()), expected, "{xml}");
        }
        assert_eq!(document(b"<a>\xff</a>"), None);
        let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
        assert_eq!(document(deep.as_bytes()), None);
        assert_eq!(list(&json!("x")), [json!("x")]);
        assert!(list(&Value::Null).is_empty());
    }
}
