//! The API server's label and field selectors, for objects in memory. A selector that is not understood here, or that
//! the server would refuse, is not parsed: the server then answers the query.

use indago_table::ResourceSpec;
use indago_table::json::{self, Shape};
use serde_json::Value as Document;

/// A label selector and a field selector.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<Field>,
}

/// One condition on labels.
#[derive(Debug, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, PartialEq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

/// One condition on a field.
#[derive(Debug, PartialEq)]
struct Field {
    path: Vec<String>,
    value: String,
    is_equal: bool,
}

/// Fields of pods that the API server's field selectors have in all versions, apart from name and namespace.
const POD_FIELDS: [&str; 6] = [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
    "status.nominatedNodeName",
];

impl Selector {
    pub(super) fn parse(labels: &str, fields: &str, resource: &ResourceSpec) -> Option<Self> {
        Some(Selector { labels: requirements(labels)?, fields: conditions(fields, resource)? })
    }

    /// Whether it selects every object.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The parts of an object that it looks at, apart from its name and namespace.
    pub(super) fn add_to(&self, shape: &mut Shape) {
        if !self.labels.is_empty() {
            shape.add(&["metadata", "labels"]);
        }
        self.fields.iter().for_each(|field| shape.add(&field.path));
    }

    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let is_met = |field: &Field| {
            let path: Vec<&str> = field.path.iter().map(String::as_str).collect();
            let found = json::find(text, &path);
            (found.as_ref().and_then(Document::as_str).unwrap_or_default() == field.value) == field.is_equal
        };
        if !self.fields.iter().all(is_met) {
            return false;
        }
        if self.labels.is_empty() {
            return true;
        }
        let labels = json::find(text, &["metadata", "labels"]).unwrap_or_default();
        self.labels
            .iter()
            .all(|requirement| requirement.is_met(labels.get(&requirement.key).and_then(Document::as_str)))
    }
}

impl Requirement {
    fn is_met(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::In(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
            Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|one| one != value)),
            Test::Above(than) => number().is_some_and(|number| number > *than),
            Test::Below(than) => number().is_some_and(|number| number < *than),
        }
    }
}

/// A part of a label selector.
#[derive(Debug, PartialEq, Clone)]
enum Token {
    Word(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    const SIGNS: [&str; 9] = ["!=", "==", "=", "!", "(", ")", ",", ">", "<"];
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return Some(tokens);
        }
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
            continue;
        }
        let is_end = |c: char| " \t\r\n!=(),><".contains(c);
        let word = &rest[..rest.find(is_end).unwrap_or(rest.len())];
        tokens.push(Token::Word(word.to_owned()));
        rest = &rest[word.len()..];
    }
}

fn requirements(text: &str) -> Option<Vec<Requirement>> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Some(Vec::new());
    }
    let mut requirements = Vec::new();
    // A comma within parentheses separates values.
    let mut depth = 0;
    for part in tokens.split(|token| {
        depth += i32::from(*token == Token::Sign("(")) - i32::from(*token == Token::Sign(")"));
        depth == 0 && *token == Token::Sign(",")
    }) {
        requirements.push(requirement(part)?);
    }
    Some(requirements)
}

fn requirement(tokens: &[Token]) -> Option<Requirement> {
    use Token::{Sign, Word};
    let (key, test) = match tokens {
        [Word(key)] => (key, Test::Exists),
        [Sign("!"), Word(key)] => (key, Test::Absent),
        [Word(key), Sign("=" | "==")] => (key, Test::In(vec![String::new()])),
        [Word(key), Sign("!=")] => (key, Test::NotIn(vec![String::new()])),
        [Word(key), Sign("=" | "=="), Word(value)] => (key, Test::In(vec![value.clone()])),
        [Word(key), Sign("!="), Word(value)] => (key, Test::NotIn(vec![value.clone()])),
        [Word(key), Sign(">"), Word(value)] => (key, Test::Above(value.parse().ok()?)),
        [Word(key), Sign("<"), Word(value)] => (key, Test::Below(value.parse().ok()?)),
        [Word(key), Word(operator), Sign("("), values @ .., Sign(")")] if !values.is_empty() => {
            let value = |part: &[Token]| match part {
                [] => Some(String::new()),
                [Word(value)] => Some(value.clone()),
                _ => None,
            };
            let values = values.split(|token| *token == Sign(",")).map(value).collect::<Option<Vec<_>>>()?;
            match operator.as_str() {
                "in" => (key, Test::In(values)),
                "notin" => (key, Test::NotIn(values)),
                _ => return None,
            }
        }
        _ => return None,
    };
    let values_fit = match &test {
        Test::In(values) | Test::NotIn(values) => values.iter().all(|value| value.is_empty() || is_name(value)),
        _ => true,
    };
    let (prefix, name) = key.rsplit_once('/').map_or((None, key.as_str()), |(prefix, name)| (Some(prefix), name));
    let is_key = is_name(name) && prefix.is_none_or(is_subdomain);
    (is_key && values_fit).then(|| Requirement { key: key.clone(), test })
}

/// Whether a text can be a label's value, or the name in its key.
fn is_name(text: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let ends = [text.bytes().next(), text.bytes().next_back()];
    text.len() <= 63
        && ends.iter().all(|end| end.is_some_and(|end| end.is_ascii_alphanumeric()))
        && text.as_bytes().iter().all(is_inner)
}

/// Whether a text can be the prefix of a label's key.
fn is_subdomain(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !part.is_empty() && !part.starts_with('-') && !part.ends_with('-') && part.bytes().all(is_inner)
    };
    text.len() <= 253 && text.split('.').all(is_part)
}

fn conditions(text: &str, resource: &ResourceSpec) -> Option<Vec<Field>> {
    let is_pod = resource.group_version == "v1" && resource.name == "pods";
    let mut fields = Vec::new();
    for term in terms(text) {
        if term.is_empty() {
            continue;
        }
        let (name, rest, is_equal) = operator(term)?;
        let is_known = name == "metadata.name"
            || name == "metadata.namespace" && resource.is_namespaced
            || is_pod && POD_FIELDS.contains(&name);
        if !is_known {
            return None;
        }
        fields.push(Field { path: json::steps(name), value: unescaped(rest)?, is_equal });
    }
    Some(fields)
}

/// The terms of a field selector: split at commas that a backslash does not escape.
fn terms(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut escaped) = (Vec::new(), 0, false);
    for (position, byte) in text.bytes().enumerate() {
        if byte == b',' && !escaped {
            terms.push(&text[start..position]);
            start = position + 1;
        }
        escaped = byte == b'\\' && !escaped;
    }
    terms.push(&text[start..]);
    terms
}

/// A term's field, its value, and whether they must be equal.
fn operator(term: &str) -> Option<(&str, &str, bool)> {
    let position = term.find(['=', '!'])?;
    let (name, rest) = term.split_at(position);
    if name.contains('\\') {
        return None;
    }
    [("!=", false), ("==", true), ("=", true)]
        .into_iter()
        .find_map(|(sign, is_equal)| Some((name, rest.strip_prefix(sign)?, is_equal)))
}

/// A value without its escapes; `None` if the server would refuse it.
fn unescaped(value: &str) -> Option<String> {
    let mut plain = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.push(characters.next().filter(|next| "\\,=".contains(*next))?),
            '=' | ',' => return None,
            other => plain.push(other),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods() -> ResourceSpec {
        ResourceSpec::new("v1", "pods", true)
    }

    /// The server's answers, from a 1.20 server's lists.
    #[test]
    fn labels_are_selected_as_by_the_server() {
        let text = br#"{"metadata":{"name":"p","labels":{"app":"web","tier":"","n":"7","a.io/b":"c"}}}"#;
        let cases = [
            ("", true),
            ("app", true),
            ("!app", false),
            ("!other", true),
            ("app=web", true),
            ("app==web", true),
            ("app = web , tier", true),
            ("app!=web", false),
            ("other!=web", true),
            ("tier=", true),
            ("tier==", true),
            ("app=", false),
            ("other=", false),
            ("app in (db,web)", true),
            ("app in(db)", false),
            ("app notin (db)", true),
            ("other notin (db)", true),
            ("tier in (,x)", true),
            ("a.io/b=c", true),
            ("n>6", true),
            ("n<7", false),
            ("app>1", false),
            ("app in (web),!other,n", true),
            ("in=x", false),
        ];
        for (labels, expected) in cases {
            let selector = Selector::parse(labels, "", &pods()).unwrap_or_else(|| panic!("{labels}"));
            assert_eq!(selector.matches(text), expected, "{labels}");
        }
        let refused = [
            ",",
            "app,",
            "=web",
            "app in ()",
            "app in web",
            "app=a b",
            "app=-x",
            "-x",
            "A.io/x",
            "a/b/c",
            "app=!x",
            "n>x",
            "app in (a",
            "!",
            "app!",
            "app === x",
            "é=1",
        ];
        for labels in refused {
            assert_eq!(Selector::parse(labels, "", &pods()), None, "{labels}");
        }
    }

    #[test]
    fn fields_are_selected_as_by_the_server() {
        let text = br#"{"metadata":{"name":"a,b","namespace":"web"},"spec":{"nodeName":"n"},"status":{}}"#;
        let cases = [
            ("metadata.name=a\\,b", true),
            ("metadata.name!=x,metadata.namespace==web", true),
            ("spec.nodeName=n,", true),
            ("status.phase=", true),
            ("status.phase!=", false),
            ("status.phase=Running", false),
        ];
        for (fields, expected) in cases {
            let selector = Selector::parse("", fields, &pods()).unwrap_or_else(|| panic!("{fields}"));
            assert_eq!(selector.matches(text), expected, "{fields}");
        }
        for fields in ["spec.x=1", "metadata.name", "metadata.name=a=b", "metadata.name=\\x", " metadata.name=a"] {
            assert_eq!(Selector::parse("", fields, &pods()), None, "{fields}");
        }
        let nodes = ResourceSpec::new("v1", "nodes", false);
        assert!(Selector::parse("", "metadata.name=a", &nodes).is_some());
        assert_eq!(Selector::parse("", "metadata.namespace=a", &nodes), None);
    }
}
