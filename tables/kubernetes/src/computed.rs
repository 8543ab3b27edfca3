//! Types of columns whose values are easier to query than the part of the object that contains them.

use std::collections::BTreeMap;

use arrow_array::builder::ArrayBuilder;
use indago_table::json::FromJson;
use indago_table::prelude::*;
use indago_table::{Kind, Value};
use serde_json::Value as Document;

use crate::quantity;

/// A type of columns, the type of its values, and how a value is made from a part of the object. `None` means that the
/// part is malformed.
macro_rules! computed {
    ($($(#[doc = $doc:literal])* $name:ident($inner:ty) = $from:expr;)*) => {
        $(
            $(#[doc = $doc])*
            #[derive(Debug, Clone, Default, PartialEq, Eq)]
            pub(crate) struct $name(pub(crate) $inner);

            impl FromJson for $name {
                fn from_json(value: &Document) -> Option<Self> {
                    let from: fn(&Document) -> Option<$inner> = $from;
                    from(value).map($name)
                }
            }

            impl Value for $name {
                const KIND: Kind = <$inner as Value>::KIND;
                type Key = <$inner as Value>::Key;
                fn append(&self, builder: &mut dyn ArrayBuilder) {
                    self.0.append(builder);
                }
                fn append_null(builder: &mut dyn ArrayBuilder) {
                    <$inner as Value>::append_null(builder);
                }
            }
        )*
    };
}

computed! {
    /// The status of each condition by its type: `Ready` is `True`.
    Conditions(Map) = |list| pairs(list, "type", "status");
    /// Processor time in thousandths of a core.
    Millicores(i64) = |value| quantity::parse(&String::from_json(value)?, 1000);
    /// A size in bytes.
    Bytes(i64) = |value| quantity::parse(&String::from_json(value)?, 1);
    /// The secret and key, `secret/key`, of each environment variable that has its value from a secret.
    SecretVariables(Map) = |list| {
        let variables = list.as_array()?.iter().filter_map(|variable| {
            let secret = &variable["valueFrom"]["secretKeyRef"];
            let text = |value: &Document| value.as_str().map(str::to_owned);
            Some((text(&variable["name"])?, format!("{}/{}", text(&secret["name"])?, text(&secret["key"])?)))
        });
        Some(variables.collect())
    };
    /// The elements of lists of lists, as one list.
    Joined(Json) = |lists| {
        let all: Vec<&Document> = lists.as_array()?.iter().filter_map(Document::as_array).flatten().collect();
        Some(Json::new(&all))
    };
    /// The names of an object's members, in order.
    Keys(Vec<String>) = |object| {
        let mut keys: Vec<String> = object.as_object()?.keys().cloned().collect();
        keys.sort();
        Some(keys)
    };
    /// The length of each text of an object.
    Lengths(Map) = |object| {
        let of = |value: &Document| value.as_str().map(|text| text.len().to_string());
        Some(Map(object.as_object()?.iter().map(|(name, value)| (name.clone(), of(value))).collect()))
    };
    /// The number of bytes of each text of an object in base64.
    DecodedLengths(Map) = |object| {
        let of = |value: &Document| Some(decoded_length(value.as_str()?).to_string());
        Some(Map(object.as_object()?.iter().map(|(name, value)| (name.clone(), of(value))).collect()))
    };
}

/// A list of objects as a map from one of their texts to another.
fn pairs(list: &Document, name: &str, value: &str) -> Option<Map> {
    let pairs = list
        .as_array()?
        .iter()
        .filter_map(|element| Some((element[name].as_str()?.to_owned(), element[value].as_str().map(str::to_owned))));
    Some(Map(pairs.collect::<BTreeMap<_, _>>()))
}

/// Number of bytes of a text in base64.
fn decoded_length(text: &str) -> usize {
    text.trim_end_matches('=').len() * 3 / 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use serde_json::json;

    #[test]
    fn conditions_are_a_map() {
        let conditions = json!([{"type": "Ready", "status": "True"}, {"type": "Odd"}, {"status": "True"}, 7, null]);
        let expected = BTreeMap::from([("Odd".to_owned(), None), ("Ready".to_owned(), Some("True".to_owned()))]);
        assert_eq!(Conditions::from_json(&conditions), Some(Conditions(Map(expected))));
        assert_eq!(Conditions::from_json(&json!({"type": "Ready"})), None);
    }

    #[test]
    fn resources_are_numbers() {
        assert_eq!(Millicores::from_json(&json!("1500m")), Some(Millicores(1500)));
        assert_eq!(Millicores::from_json(&json!(2)), Some(Millicores(2000)));
        assert_eq!(Bytes::from_json(&json!("64Mi")), Some(Bytes(64 << 20)));
        assert_eq!((Bytes::from_json(&json!("lots")), Bytes::from_json(&json!({}))), (None, None));
    }

    #[test]
    fn variables_from_secrets_have_names_and_no_values() {
        let variables = json!([
            {"name": "A", "value": "plain"},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
            {"name": "D", "valueFrom": {"secretKeyRef": {"name": 7}}},
            "garbage",
        ]);
        let expected: Map = [("B", "db/password")].into_iter().collect();
        assert_eq!(SecretVariables::from_json(&variables), Some(SecretVariables(expected)));
    }

    #[test]
    fn lists_of_lists_are_joined() {
        assert_eq!(
            Joined::from_json(&json!([[{"a": 1}], [], null, [{"b": 2}]])),
            Some(Joined(Json(r#"[{"a":1},{"b":2}]"#.to_owned())))
        );
    }

    #[test]
    fn a_length_is_that_of_the_decoded_value() {
        for length in 0..10 {
            let text = base64::engine::general_purpose::STANDARD.encode(vec![7; length]);
            assert_eq!(decoded_length(&text), length, "{text}");
        }
        let sizes: Map = [("a", "3"), ("b", "0")].into_iter().collect();
        assert_eq!(DecodedLengths::from_json(&json!({"a": "YWJj", "b": ""})), Some(DecodedLengths(sizes)));
    }
}
