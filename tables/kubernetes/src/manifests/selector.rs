//! Label and field selectors, applied as an API server does.

use indago_table::{Error, Result};
use serde_json::Value as Document;

/// A selector: all of its requirements must be met.
#[derive(Debug, PartialEq)]
pub(super) struct Selector(Vec<Requirement>);

#[derive(Debug, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, PartialEq)]
enum Test {
    In(Vec<String>),
    /// Also met without the label.
    NotIn(Vec<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl Selector {
    /// A label selector: `app=web,tier!=cache,env in (a, b),!old`.
    pub(super) fn of_labels(text: &str) -> Result<Self> {
        let mut requirements = Vec::new();
        for part in parts(text) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let requirement = label_requirement(part);
            let wrong = || Error::Malformed(format!("`{part}` is not a requirement of a label selector"));
            requirements.push(requirement.filter(|it| is_label(&it.key)).ok_or_else(wrong)?);
        }
        Ok(Selector(requirements))
    }

    /// A field selector: `metadata.name=a,status.phase!=Running`. A backslash escapes a character.
    pub(super) fn of_fields(text: &str) -> Result<Self> {
        let mut requirements = Vec::new();
        for part in unescaped_parts(text) {
            if part.is_empty() {
                continue;
            }
            let wrong = || Error::Malformed(format!("`{part}` is not a requirement of a field selector"));
            let at = part.find('=').ok_or_else(wrong)?;
            let (key, value) = (&part[..at], &part[at + 1..]);
            let (key, is_negated) = match key.strip_suffix('!') {
                Some(key) => (key, true),
                None => (key, false),
            };
            let value = if is_negated { value } else { value.strip_prefix('=').unwrap_or(value) };
            let values = vec![plain(value)];
            let test = if is_negated { Test::NotIn(values) } else { Test::In(values) };
            requirements.push(Requirement { key: key.trim().to_owned(), test });
        }
        Ok(Selector(requirements))
    }

    /// Whether the labels of an object meet it.
    pub(super) fn meets_labels(&self, object: &Document) -> bool {
        let labels = &object["metadata"]["labels"];
        self.0.iter().all(|requirement| requirement.test.admits(labels[&requirement.key].as_str()))
    }

    /// Whether the fields of an object meet it. A field that is absent is the empty text.
    pub(super) fn meets_fields(&self, object: &Document) -> bool {
        self.0.iter().all(|requirement| {
            let value = requirement.key.split('.').fold(object, |value, step| &value[step]);
            let value = match value {
                Document::String(text) => text.clone(),
                Document::Null => String::new(),
                other => other.to_string(),
            };
            requirement.test.admits(Some(&value))
        })
    }
}

impl Test {
    fn admits(&self, value: Option<&str>) -> bool {
        let is_in = |values: &[String]| value.is_some_and(|value| values.iter().any(|one| one == value));
        let number = || value?.parse::<i64>().ok();
        match self {
            Test::In(values) => is_in(values),
            Test::NotIn(values) => !is_in(values),
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Above(limit) => number().is_some_and(|number| number > *limit),
            Test::Below(limit) => number().is_some_and(|number| number < *limit),
        }
    }
}

fn label_requirement(part: &str) -> Option<Requirement> {
    let of = |key: &str, test| Some(Requirement { key: key.trim().to_owned(), test });
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some(key) = part.strip_prefix('!') {
        return of(key, Test::Absent);
    }
    if let Some(before) = part.strip_suffix(')') {
        let (head, values) = before.split_once('(')?;
        let (key, operator) = head.trim().rsplit_once(char::is_whitespace)?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        return match operator {
            "in" => of(key, Test::In(values)),
            "notin" => of(key, Test::NotIn(values)),
            _ => None,
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return of(key, Test::NotIn(one(value)));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return of(key, Test::In(one(value)));
    }
    if let Some((key, value)) = part.split_once('>') {
        return of(key, Test::Above(value.trim().parse().ok()?));
    }
    if let Some((key, value)) = part.split_once('<') {
        return of(key, Test::Below(value.trim().parse().ok()?));
    }
    of(part, Test::Exists)
}

fn is_label(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
}

/// The parts between commas that are not in brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut is_inside) = (Vec::new(), 0, false);
    for (at, character) in text.char_indices() {
        match character {
            '(' => is_inside = true,
            ')' => is_inside = false,
            ',' if !is_inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The parts between commas that no backslash escapes.
fn unescaped_parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut is_escaped) = (Vec::new(), 0, false);
    for (at, character) in text.char_indices() {
        match character {
            ',' if !is_escaped => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            '\\' if !is_escaped => {
                is_escaped = true;
                continue;
            }
            _ => {}
        }
        is_escaped = false;
    }
    parts.push(&text[start..]);
    parts
}

/// A value without the backslashes that escape its characters.
fn plain(value: &str) -> String {
    let mut characters = value.chars();
    let mut plain = String::new();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_are_selected_as_by_an_api_server() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "", "n": "5", "example.com/x": "y"}}});
        for (text, meets) in [
            ("", true),
            ("app=web", true),
            ("app == web , tier=", true),
            ("app!=web", false),
            ("absent!=x", true),
            ("app in (a, web)", true),
            ("app in (a,b),tier", false),
            ("app notin (a,b)", true),
            ("absent notin (a)", true),
            ("app", true),
            ("!app", false),
            ("!absent", true),
            ("n>4,n<6", true),
            ("n>5", false),
            ("app>1", false),
            ("example.com/x in (y)", true),
        ] {
            assert_eq!(Selector::of_labels(text).unwrap().meets_labels(&object), meets, "{text}");
        }
        for wrong in ["a b", "=x", "a in b)", "a near (b)", "n>x", "(a)", "a in (b", "!"] {
            let error = Selector::of_labels(wrong).unwrap_err().to_string();
            assert!(error.ends_with("is not a requirement of a label selector"), "{wrong}: {error}");
        }
        assert!(!Selector::of_labels("a").unwrap().meets_labels(&json!({"metadata": {"labels": 7}})));
    }

    #[test]
    fn fields_are_selected_as_by_an_api_server() {
        let object = json!({"metadata": {"name": "a,b=c"}, "spec": {"x": true}});
        for (text, meets) in [
            (r"metadata.name=a\,b\=c", true),
            ("spec.x==true", true),
            ("spec.x!=true", false),
            ("status.phase!=Running", true),
            ("status.phase=,spec.x=true", true),
            ("metadata.name=a", false),
        ] {
            assert_eq!(Selector::of_fields(text).unwrap().meets_fields(&object), meets, "{text}");
        }
        assert!(Selector::of_fields("metadata.name").is_err());
    }
}
