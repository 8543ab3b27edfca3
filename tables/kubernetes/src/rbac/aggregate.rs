//! Aggregated cluster roles. On a cluster, a controller writes the rules of the selected roles into the aggregating role;
//! the API server then sees only those. Manifests have only the selectors.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Document;

use super::policy::{Role, Rule};

/// A label selector of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

/// Labels of an object.
pub(crate) type Labels = HashMap<String, String>;

/// Labels in an object's metadata. Values that are not texts are skipped.
pub(crate) fn labels(object: &Document) -> Labels {
    let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

impl Selector {
    /// A selector in JSON. An empty one selects all objects.
    pub(crate) fn parse(document: &Document) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for (key, value) in document["matchLabels"].as_object().into_iter().flatten() {
            let value = value.as_str().ok_or_else(|| format!("the label `{key}` of a selector is not a text"))?;
            requirements.push(Requirement { key: key.clone(), test: Test::In(vec![value.to_owned()]) });
        }
        for expression in document["matchExpressions"].as_array().into_iter().flatten() {
            let Some(key) = expression["key"].as_str() else {
                return Err("an expression of a selector has no key".to_owned());
            };
            let values = expression["values"].as_array().into_iter().flatten();
            let values = values.filter_map(|value| value.as_str().map(str::to_owned)).collect();
            let test = match expression["operator"].as_str() {
                Some("In") => Test::In(values),
                Some("NotIn") => Test::NotIn(values),
                Some("Exists") => Test::Exists,
                Some("DoesNotExist") => Test::DoesNotExist,
                _ => return Err(format!("a selector has the operator {}", expression["operator"])),
            };
            requirements.push(Requirement { key: key.to_owned(), test });
        }
        Ok(Selector(requirements))
    }

    pub(crate) fn selects(&self, labels: &Labels) -> bool {
        self.0.iter().all(|Requirement { key, test }| {
            let value = labels.get(key);
            match test {
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Test::Exists => value.is_some(),
                Test::DoesNotExist => value.is_none(),
            }
        })
    }
}

/// An aggregating cluster role, by the position of its role.
#[derive(Debug, Clone)]
pub(crate) struct Aggregation {
    pub(crate) role: usize,
    pub(crate) selectors: Vec<Selector>,
}

/// Rounds after which roles that aggregate each other are complete: a chain of aggregations is not longer than their
/// number.
fn rounds(aggregations: &[Aggregation]) -> usize {
    aggregations.len() + 1
}

/// The rules of each aggregating role as its controller would write them: the distinct rules of all roles that it
/// selects, itself excepted. Roles can aggregate aggregating roles.
pub(crate) fn aggregated(roles: &[Role], labels: &[Labels], aggregations: &[Aggregation]) -> Vec<Vec<Rule>> {
    let mut rules: Vec<Vec<Rule>> = vec![Vec::new(); aggregations.len()];
    let aggregating: HashMap<usize, usize> =
        aggregations.iter().enumerate().map(|(position, aggregation)| (aggregation.role, position)).collect();
    let selected: Vec<Vec<usize>> = aggregations
        .iter()
        .map(|aggregation| {
            let is_selected = |role: &usize| {
                *role != aggregation.role
                    && roles[*role].namespace.is_none()
                    && aggregation.selectors.iter().any(|selector| selector.selects(&labels[*role]))
            };
            (0..roles.len()).filter(is_selected).collect()
        })
        .collect();
    for _ in 0..rounds(aggregations) {
        let mut has_changed = false;
        for (position, selected) in selected.iter().enumerate() {
            let of_role = |role: &usize| aggregating.get(role).map_or(&roles[*role].rules, |of| &rules[*of]);
            let mut seen = HashSet::new();
            let found: Vec<Rule> =
                selected.iter().flat_map(of_role).filter(|rule| seen.insert(*rule)).cloned().collect();
            has_changed |= found.len() != rules[position].len();
            rules[position] = found;
        }
        if !has_changed {
            break;
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_selects_by_labels() {
        let labels: Labels = [("tier".to_owned(), "web".to_owned()), ("edit".to_owned(), "true".to_owned())].into();
        for (selector, expected) in [
            (json!({}), true),
            (json!({"matchLabels": {"tier": "web"}}), true),
            (json!({"matchLabels": {"tier": "web", "edit": "false"}}), false),
            (json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "web"]}]}), true),
            (json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}), false),
            (json!({"matchExpressions": [{"key": "absent", "operator": "NotIn", "values": ["web"]}]}), true),
            (json!({"matchExpressions": [{"key": "edit", "operator": "Exists"}]}), true),
            (json!({"matchExpressions": [{"key": "edit", "operator": "DoesNotExist"}]}), false),
            (json!({"matchLabels": {"edit": "true"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}), false),
        ] {
            assert_eq!(Selector::parse(&selector).map(|it| it.selects(&labels)), Ok(expected), "{selector}");
        }
        for odd in [
            json!({"matchLabels": {"tier": 7}}),
            json!({"matchExpressions": [{"operator": "Exists"}]}),
            json!({"matchExpressions": [{"key": "x", "operator": "Like"}]}),
        ] {
            assert!(Selector::parse(&odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn roles_aggregate_aggregating_roles() {
        let rule = |verb: &str| Rule { verbs: vec![verb.into()], ..Rule::default() };
        let role = |name: &str, rules: &[&str]| Role {
            namespace: None,
            name: name.into(),
            rules: rules.iter().map(|verb| rule(verb)).collect(),
        };
        // `view` goes into `edit`, `edit` into `admin`; `admin` and `loop` into each other.
        let roles = [
            role("v", &["get", "list"]),
            role("view", &[]),
            role("edit", &["stale"]),
            role("admin", &[]),
            role("loop", &[]),
        ];
        let label = |key: &str| Labels::from([(key.to_owned(), "true".to_owned())]);
        let labels = [label("view"), label("edit"), label("admin"), label("loop"), label("admin")];
        let selector = |key: &str| Selector::parse(&json!({"matchLabels": {key: "true"}})).unwrap();
        let aggregation = |role: usize, key: &str| Aggregation { role, selectors: vec![selector(key)] };
        let aggregations =
            [aggregation(4, "loop"), aggregation(3, "admin"), aggregation(2, "edit"), aggregation(1, "view")];
        let rules = aggregated(&roles, &labels, &aggregations);
        for of in &rules {
            assert_eq!(*of, [rule("get"), rule("list")]);
        }
        let own = [Aggregation { role: 0, selectors: vec![Selector::default()] }];
        assert_eq!(aggregated(&roles[..1], &labels[..1], &own), [Vec::<Rule>::new()], "a role does not select itself");
    }
}
