//! IAM policy documents: as AWS returns them, and in a canonical form.
//!
//! A policy can express the same thing in many ways: a text or a list of one, actions in any case, keys in any order.
//! The canonical form has only one way, so SQL can compare, search and unnest policies.

use std::collections::BTreeSet;

use indago_table::prelude::*;
use percent_encoding::percent_decode_str;
use serde_json::{Map as Object, Value};

/// The text of a document. IAM returns it percent-encoded; plain JSON is unchanged.
pub(crate) fn decode(text: &str) -> String {
    if text.trim_start().starts_with(['{', '[', '"']) {
        return text.to_owned();
    }
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The same for a text in a document; anything else is unchanged.
pub(crate) fn decoded(text: &Value) -> Value {
    text.as_str().map_or_else(|| text.clone(), |text| decode(text).into())
}

/// The document in a text of another document. A text that is not JSON is unchanged.
pub(crate) fn document(text: &Value) -> Value {
    text.as_str().and_then(|text| parse(text).ok()).unwrap_or_else(|| text.clone())
}

/// The document in a text.
pub(crate) fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(&decode(text)).map_err(|error| Error::Malformed(format!("a policy is not JSON: {error}")))
}

/// A document as AWS stores it, and in canonical form: the two columns that each policy has.
pub(crate) fn columns(text: &str) -> Result<(Json, Json)> {
    let document = parse(text)?;
    Ok((Json::new(&document), Json::new(&canonical(&document))))
}

/// Named inline policies, sorted by name, as a document: as AWS stores them, and in canonical form.
pub(crate) fn inline(policies: impl IntoIterator<Item = (String, String)>) -> Result<(Json, Json)> {
    let mut policies: Vec<_> = policies.into_iter().collect();
    policies.sort();
    let named = |name: &str, document: Value| {
        let entries = [("PolicyName", Value::from(name)), ("PolicyDocument", document)];
        Value::Object(entries.map(|(key, value)| (key.to_owned(), value)).into_iter().collect())
    };
    let (mut plain, mut standard) = (Vec::new(), Vec::new());
    for (name, text) in &policies {
        let document = parse(text)?;
        standard.push(named(name, canonical(&document)));
        plain.push(named(name, document));
    }
    Ok((Json::new(&plain), Json::new(&standard)))
}

/// The canonical form: `Statement` is a list; actions, resources, principals and the values of conditions are sorted
/// lists of distinct texts; actions and condition keys are in lowercase; keys are in alphabetical order.
///
/// Anything that is not a policy is unchanged.
pub(crate) fn canonical(document: &Value) -> Value {
    let Value::Object(policy) = document else { return document.clone() };
    sorted(policy.iter().map(|(key, value)| {
        let value = match key.as_str() {
            "Statement" => Value::Array(list(value).into_iter().map(statement).collect()),
            _ => value.clone(),
        };
        (key.clone(), value)
    }))
}

fn statement(statement: &Value) -> Value {
    let Value::Object(parts) = statement else { return statement.clone() };
    sorted(parts.iter().map(|(key, value)| {
        let value = match key.as_str() {
            "Action" | "NotAction" => texts(value, str::to_ascii_lowercase),
            "Resource" | "NotResource" => texts(value, str::to_owned),
            "Principal" | "NotPrincipal" => principal(value),
            "Condition" => condition(value),
            _ => value.clone(),
        };
        (key.clone(), value)
    }))
}

/// `"*"` is everyone: the same as `{"AWS": "*"}`.
fn principal(value: &Value) -> Value {
    match value {
        Value::Object(kinds) => sorted(kinds.iter().map(|(kind, who)| (kind.clone(), texts(who, str::to_owned)))),
        other => sorted([("AWS".to_owned(), texts(other, str::to_owned))]),
    }
}

/// A `Condition` in canonical form.
pub(crate) fn condition(value: &Value) -> Value {
    let Value::Object(operators) = value else { return value.clone() };
    sorted(operators.iter().map(|(operator, keys)| {
        let Value::Object(keys) = keys else { return (operator.clone(), keys.clone()) };
        let mut merged: Object<String, Value> = Object::new();
        for (key, values) in keys {
            let slot = merged.entry(key.to_ascii_lowercase()).or_insert_with(|| Value::Array(Vec::new()));
            let both: Vec<Value> = list(slot).into_iter().chain(list(values)).cloned().collect();
            *slot = texts(&Value::Array(both), str::to_owned);
        }
        (operator.clone(), sorted(merged))
    }))
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        other => vec![other],
    }
}

fn texts(value: &Value, shape: impl Fn(&str) -> String) -> Value {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), &shape);
    let unique: BTreeSet<String> = list(value).into_iter().map(text).collect();
    unique.into_iter().collect()
}

fn sorted(entries: impl IntoIterator<Item = (String, Value)>) -> Value {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Value::Object(entries.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone_where_there_is_some() {
        for (text, expected) in [
            ("%7B%22a%22%3A%20%22%C3%A9%22%7D", "{\"a\": \"é\"}"),
            ("{\"a\": \"100%25\"}", "{\"a\": \"100%25\"}"),
            ("%7B%", "{%"),
            ("%zz%7b", "%zz{"),
            ("%+7%7b", "%+7{"),
            ("%FF", "\u{fffd}"),
            ("", ""),
        ] {
            assert_eq!(decode(text), expected, "{text}");
        }
    }

    #[test]
    fn one_thing_is_said_in_one_way() {
        let canonical = |text: &str| canonical(&parse(text).expect("JSON")).to_string();
        for (text, expected) in [
            (
                r#"{"Version":"2012-10-17","Statement":{"Resource":"*","Effect":"Allow","Action":["S3:Get*","iam:PassRole","s3:get*"]}}"#,
                r#"{"Statement":[{"Action":["iam:passrole","s3:get*"],"Effect":"Allow","Resource":["*"]}],"Version":"2012-10-17"}"#,
            ),
            (
                r#"{"Statement":[{"Principal":"*","Effect":"Deny","NotAction":"sts:AssumeRole"}]}"#,
                r#"{"Statement":[{"Effect":"Deny","NotAction":["sts:assumerole"],"Principal":{"AWS":["*"]}}]}"#,
            ),
            (
                r#"{"Statement":[{"Principal":{"Service":["b","a"],"AWS":"1"}}]}"#,
                r#"{"Statement":[{"Principal":{"AWS":["1"],"Service":["a","b"]}}]}"#,
            ),
            (
                r#"{"Statement":[{"Condition":{"Bool":{"AWS:SecureTransport":false},"StringLike":{"aws:x":["b","a"],"AWS:X":"c"}}}]}"#,
                r#"{"Statement":[{"Condition":{"Bool":{"aws:securetransport":["false"]},"StringLike":{"aws:x":["a","b","c"]}}}]}"#,
            ),
            (r#"{"Statement":[]}"#, r#"{"Statement":[]}"#),
            (r#"{"Statement":"odd","Id":7}"#, r#"{"Id":7,"Statement":["odd"]}"#),
            (r#"[1]"#, "[1]"),
        ] {
            assert_eq!(canonical(text), expected);
        }
    }

    #[test]
    fn garbage_is_an_error_and_no_panic() {
        assert!(matches!(parse("%7Bnope"), Err(Error::Malformed(_))));
        assert!(matches!(inline([("p".into(), String::new())]), Err(Error::Malformed(_))));
    }

    #[test]
    fn inline_policies_are_in_order_of_name() {
        let both = [("b", "{}"), ("a", "{\"Statement\":{}}")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        let (plain, standard) = inline(both).expect("two documents");
        let expected =
            r#"[{"PolicyName":"a","PolicyDocument":{"Statement":{}}},{"PolicyName":"b","PolicyDocument":{}}]"#;
        assert_eq!(plain.0, expected);
        assert!(standard.0.contains(r#"{"Statement":[{}]}"#));
    }
}
