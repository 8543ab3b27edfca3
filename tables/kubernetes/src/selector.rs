//! Label selectors of Kubernetes' API (`metav1.LabelSelector`).

use indago_table::json::kind;
use serde_json::{Map, Value as Document};

use crate::derived::elements;

/// Labels of an object.
pub(crate) type Labels = Map<String, Document>;

/// Conditions on labels, which must all hold. Without conditions, it selects everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Debug, Clone)]
struct Requirement {
    label: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// The labels of an object's metadata.
pub(crate) fn labels(object: &mut Document) -> Labels {
    match object.pointer_mut("/metadata/labels").map(Document::take) {
        Some(Document::Object(labels)) => labels,
        _ => Labels::default(),
    }
}

impl Selector {
    /// A selector, or what is malformed in it.
    pub(crate) fn parse(selector: &Document) -> Result<Self, String> {
        let mut requirements = Self::of_labels(&selector["matchLabels"])?.0;
        let expressions = &selector["matchExpressions"];
        if !expressions.is_null() && !expressions.is_array() {
            return Err(format!("`matchExpressions` holds {} instead of a list", kind(expressions)));
        }
        for expression in elements(expressions) {
            let operator = match expression["operator"].as_str().unwrap_or_default() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(format!("`{other}` is not an operator of a label selector")),
            };
            let label = expression["key"].as_str().ok_or("an expression of a label selector has no key")?.to_owned();
            let values = elements(&expression["values"]).filter_map(Document::as_str).map(str::to_owned).collect();
            requirements.push(Requirement { label, operator, values });
        }
        Ok(Selector(requirements))
    }

    /// The selector of objects with all of these labels, as services have it.
    pub(crate) fn of_labels(labels: &Document) -> Result<Self, String> {
        let labels = match labels {
            Document::Null => return Ok(Selector::default()),
            Document::Object(labels) => labels,
            other => return Err(format!("a selector's labels are {} instead of an object", kind(other))),
        };
        let requirement = |(label, value): (&String, &Document)| {
            let value =
                value.as_str().ok_or_else(|| format!("the label `{label}` of a selector is {}", kind(value)))?;
            Ok(Requirement { label: label.clone(), operator: Operator::In, values: vec![value.to_owned()] })
        };
        labels.iter().map(requirement).collect::<Result<_, String>>().map(Selector)
    }

    /// Whether it has no conditions.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A label and its value that every selected object has, if the selector demands one.
    pub(crate) fn label(&self) -> Option<(&str, &str)> {
        self.0.iter().find_map(|requirement| match (requirement.operator, requirement.values.as_slice()) {
            (Operator::In, [only]) => Some((requirement.label.as_str(), only.as_str())),
            _ => None,
        })
    }

    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|Requirement { label, operator, values }| {
            let value = labels.get(label).and_then(Document::as_str);
            let is_listed = || value.is_some_and(|value| values.iter().any(|listed| listed == value));
            match operator {
                Operator::In => is_listed(),
                // An object without the label is selected too.
                Operator::NotIn => !is_listed(),
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_operator_has_its_meaning() {
        let labels = json!({"app": "web", "tier": "front", "empty": ""});
        let labels = labels.as_object().unwrap();
        let expression = |operator: &str, key: &str, values: &[&str]| {
            let expression = json!({"operator": operator, "key": key, "values": values});
            json!({"matchExpressions": [expression]})
        };
        for (selector, expected) in [
            (json!({}), true),
            (json!(null), true),
            (json!({"matchLabels": {"app": "web"}}), true),
            (json!({"matchLabels": {"app": "web", "tier": "back"}}), false),
            (json!({"matchLabels": {"app": "Web"}}), false),
            (expression("In", "app", &["db", "web"]), true),
            (expression("In", "other", &["web"]), false),
            (expression("In", "empty", &[""]), true),
            (expression("NotIn", "app", &["db"]), true),
            (expression("NotIn", "app", &["web"]), false),
            // A missing label is not one of the values.
            (expression("NotIn", "other", &["web"]), true),
            (expression("Exists", "empty", &[]), true),
            (expression("Exists", "other", &[]), false),
            (expression("DoesNotExist", "other", &[]), true),
            (expression("DoesNotExist", "app", &[]), false),
        ] {
            assert_eq!(Selector::parse(&selector).unwrap().matches(labels), expected, "{selector}");
        }
    }

    #[test]
    fn a_malformed_selector_selects_nothing() {
        for selector in [
            json!({"matchLabels": []}),
            json!({"matchLabels": {"a": 1}}),
            json!({"matchExpressions": {}}),
            json!({"matchExpressions": [{"operator": "Gt", "key": "a"}]}),
            json!({"matchExpressions": [{"operator": "In", "values": ["a"]}]}),
        ] {
            assert!(Selector::parse(&selector).is_err(), "{selector}");
        }
    }
}
