//! Policies: compiled for the evaluator, and their statements as data.

use std::sync::Arc;

use indago_iam::{Layer, Policy, PolicySet};
use indago_table::Error;
use serde_json::Value;

use crate::source::policy;

/// A statement as the policy states it. Elements are lists of distinct values, whatever form the policy has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statement {
    /// Its number in the policy, from 0.
    pub(crate) index: usize,
    pub(crate) sid: Option<String>,
    pub(crate) is_deny: bool,
    /// Kind (`AWS`, `Service`, `Federated`, `CanonicalUser`) and value.
    pub(crate) principals: Option<Vec<(String, String)>>,
    pub(crate) not_principals: Option<Vec<(String, String)>>,
    pub(crate) actions: Option<Vec<String>>,
    pub(crate) not_actions: Option<Vec<String>>,
    pub(crate) resources: Option<Vec<String>>,
    pub(crate) not_resources: Option<Vec<String>>,
    /// In canonical form.
    pub(crate) conditions: Option<Value>,
}

/// A policy, compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// Its name in decisions and in the column `policy`.
    pub(crate) name: String,
    pub(crate) statements: Vec<Statement>,
    pub(crate) set: Arc<PolicySet>,
    /// Whether it is malformed, so decisions that it concerns are unknown.
    pub(crate) is_malformed: bool,
    /// Whether decisions depend on it because its content is not known.
    pub(crate) is_unread: bool,
}

impl Compiled {
    /// Compiles a document. A malformed one is reported, and has the statements that can be read.
    pub(crate) fn new(name: String, text: &str, layer: Layer, reports: &mut Vec<(String, Error)>) -> Arc<Compiled> {
        let (set, is_malformed) = match Policy::parse(text, layer) {
            Ok(policy) => (PolicySet::new([(name.clone(), policy)]), false),
            Err(error) => {
                let why = format!("decisions that it concerns are unknown: {error}");
                reports.push((name.clone(), Error::Malformed(why)));
                (PolicySet::default(), true)
            }
        };
        let statements = statements(text);
        Arc::new(Compiled { name, statements, set: Arc::new(set), is_malformed, is_unread: false })
    }

    /// Compiles a policy that is not the identity's own. `text` is `None` if it could not be read. Decisions depend on it
    /// then, and on one that is malformed, which is reported.
    pub(crate) fn or_unread(
        name: &str,
        text: Option<&str>,
        layer: Layer,
        reports: &mut Vec<(String, Error)>,
    ) -> Arc<Compiled> {
        let compiled = text.map(|text| Compiled::new(name.to_owned(), text, layer, reports));
        match compiled {
            Some(compiled) if !compiled.is_malformed => compiled,
            other => Compiled::unread(name, other.map(|of| of.statements.clone()).unwrap_or_default()),
        }
    }

    /// A policy whose content is not known: decisions depend on it.
    pub(crate) fn unread(name: &str, statements: Vec<Statement>) -> Arc<Compiled> {
        let set = Arc::new(PolicySet::unread(name));
        Arc::new(Compiled { name: name.to_owned(), statements, set, is_malformed: false, is_unread: true })
    }

    /// A policy that no decision needs: only its statements.
    pub(crate) fn unused(name: String, text: &str) -> Arc<Compiled> {
        let statements = statements(text);
        Arc::new(Compiled { name, statements, set: Arc::default(), is_malformed: false, is_unread: false })
    }

    /// A policy that is named and whose document the account did not list.
    pub(crate) fn missing(name: String, reports: &mut Vec<(String, Error)>) -> Arc<Compiled> {
        let why = "the account's listing does not contain this policy, so decisions that it concerns are unknown";
        reports.push((name.clone(), Error::Malformed(why.to_owned())));
        Arc::new(Compiled { name, statements: Vec::new(), set: Arc::default(), is_malformed: true, is_unread: false })
    }

    /// About how much memory it takes.
    pub(crate) fn size(&self) -> usize {
        let texts = |list: &Option<Vec<String>>| list.iter().flatten().map(|text| text.len() + 24).sum::<usize>();
        let statement = |statement: &Statement| {
            let lists = [&statement.actions, &statement.not_actions, &statement.resources, &statement.not_resources];
            // Twice: as data, and as patterns.
            size_of::<Statement>() + 256 + 3 * lists.into_iter().map(texts).sum::<usize>()
        };
        size_of::<Compiled>() + self.name.len() + self.statements.iter().map(statement).sum::<usize>()
    }
}

/// The statements of a document that are objects.
fn statements(text: &str) -> Vec<Statement> {
    let Ok(document) = policy::parse(text) else { return Vec::new() };
    let Some(list) = document.get("Statement") else { return Vec::new() };
    let list = list.as_array().map_or(std::slice::from_ref(list), Vec::as_slice);
    list.iter().enumerate().filter(|(_, statement)| statement.is_object()).map(parse).collect()
}

fn parse((index, statement): (usize, &Value)) -> Statement {
    let texts = |name: &str| statement.get(name).map(texts);
    let principals = |name: &str| statement.get(name).map(principals);
    Statement {
        index,
        sid: statement.get("Sid").and_then(Value::as_str).filter(|sid| !sid.is_empty()).map(str::to_owned),
        is_deny: statement.get("Effect").and_then(Value::as_str) == Some("Deny"),
        principals: principals("Principal"),
        not_principals: principals("NotPrincipal"),
        actions: texts("Action"),
        not_actions: texts("NotAction"),
        resources: texts("Resource"),
        not_resources: texts("NotResource"),
        conditions: statement.get("Condition").filter(|conditions| conditions.is_object()).map(policy::condition),
    }
}

/// A text, or a list of texts, without repetitions.
fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let mut texts: Vec<String> = Vec::new();
    for text in list.iter().filter_map(Value::as_str) {
        if !texts.iter().any(|known| known == text) {
            texts.push(text.to_owned());
        }
    }
    texts
}

fn principals(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(kinds) => {
            kinds.iter().flat_map(|(kind, of)| texts(of).into_iter().map(|text| (kind.clone(), text))).collect()
        }
        other => texts(other).into_iter().map(|text| ("AWS".to_owned(), text)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_element_is_a_list() {
        let text = r#"{"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "NotPrincipal": "*", "Action": ["a:B", "a:B"], "NotResource": "x"},
            7,
            {"Sid": "S", "Effect": "Allow", "Principal": {"AWS": ["1", "2"], "Service": "s"}, "NotAction": "c:D",
             "Resource": [], "Condition": {"Bool": {"AWS:X": true}}}]}"#;
        let statements = statements(text);
        let [first, second] = &statements[..] else { panic!("{statements:?}") };
        assert_eq!((first.index, first.sid.as_deref(), first.is_deny), (0, None, true));
        assert_eq!(first.actions.as_deref(), Some(&["a:B".to_owned()][..]));
        assert_eq!(first.not_principals, Some(vec![("AWS".into(), "*".into())]));
        assert_eq!((second.index, second.sid.as_deref()), (2, Some("S")));
        assert_eq!(second.principals.as_ref().map(Vec::len), Some(3));
        assert_eq!(second.resources, Some(vec![]));
        assert_eq!(second.conditions.as_ref().map(Value::to_string).as_deref(), Some(r#"{"Bool":{"aws:x":["true"]}}"#));
        let mut reports = Vec::new();
        let compiled = Compiled::new("p".into(), text, Layer::Resource, &mut reports);
        assert!(compiled.is_malformed && reports.len() == 1, "{reports:?}");
    }
}
