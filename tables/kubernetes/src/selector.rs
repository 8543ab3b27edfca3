//! Selectors of Kubernetes' API: label selectors as objects (`metav1.LabelSelector`) and as texts, and field selectors.

use indago_table::json::{self, kind};
use serde_json::{Map, Value as Document};

use crate::resource::elements;

/// Labels of an object.
pub(crate) type Labels = Map<String, Document>;

/// Conditions on labels, which must all hold. Without conditions, it selects everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq)]
struct Requirement {
    label: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    In(Vec<String>),
    /// An object without the label meets it, too.
    NotIn(Vec<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

/// A condition on a field of an object.
#[derive(Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) path: Vec<String>,
    value: String,
    is_equal: bool,
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
            let values = || elements(&expression["values"]).filter_map(Document::as_str).map(str::to_owned).collect();
            let test = match expression["operator"].as_str().unwrap_or_default() {
                "In" => Test::In(values()),
                "NotIn" => Test::NotIn(values()),
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::Absent,
                other => return Err(format!("`{other}` is not an operator of a label selector")),
            };
            let label = expression["key"].as_str().ok_or("an expression of a label selector has no key")?.to_owned();
            requirements.push(Requirement { label, test });
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
            Ok(Requirement { label: label.clone(), test: Test::In(vec![value.to_owned()]) })
        };
        labels.iter().map(requirement).collect::<Result<_, String>>().map(Selector)
    }

    /// A selector in the text form of `kubectl -l`: `app=web,tier!=cache,env in (a, b),!old`. A text that an API server
    /// refuses is an error.
    pub(crate) fn of_text(text: &str) -> Result<Self, String> {
        let tokens = tokens(text);
        if tokens.is_empty() {
            return Ok(Selector::default());
        }
        // A comma within parentheses separates values.
        let mut depth = 0;
        let parts = tokens.split(|(token, _)| {
            depth += i32::from(*token == Token::Sign("(")) - i32::from(*token == Token::Sign(")"));
            depth == 0 && *token == Token::Sign(",")
        });
        let parse = |part: &[(Token<'_>, usize)]| {
            let words: Vec<Token<'_>> = part.iter().map(|(token, _)| *token).collect();
            requirement(&words).ok_or_else(|| {
                let (start, end) = match part {
                    [(_, start), .., (last, end)] => (*start, end + last.len()),
                    [(only, start)] => (*start, start + only.len()),
                    [] => (0, 0),
                };
                format!("`{}` is not a requirement of a label selector", &text[start..end])
            })
        };
        parts.map(parse).collect::<Result<_, _>>().map(Selector)
    }

    /// Whether it has no conditions.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A label and its value that every selected object has, if the selector demands one.
    pub(crate) fn label(&self) -> Option<(&str, &str)> {
        self.0.iter().find_map(|Requirement { label, test }| {
            let Test::In(values) = test else { return None };
            let [only] = values.as_slice() else { return None };
            Some((label.as_str(), only.as_str()))
        })
    }

    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        self.is_met(|label| labels.get(label))
    }

    /// The same for labels in a document. A document that is not an object has no labels.
    pub(crate) fn matches_document(&self, labels: &Document) -> bool {
        self.is_met(|label| labels.get(label))
    }

    fn is_met<'a>(&self, value: impl Fn(&str) -> Option<&'a Document>) -> bool {
        self.0.iter().all(|Requirement { label, test }| test.admits(value(label).and_then(Document::as_str)))
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

impl Field {
    /// The conditions of a field selector: `metadata.name=a,status.phase!=Running`. A backslash escapes a character.
    pub(crate) fn of_text(text: &str) -> Result<Vec<Self>, String> {
        let terms = terms(text).into_iter().filter(|term| !term.is_empty());
        let wrong = |term: &str| format!("`{term}` is not a requirement of a field selector");
        let parse = |term: &str| Self::parse(term).ok_or_else(|| wrong(term));
        terms.map(parse).collect()
    }

    fn parse(term: &str) -> Option<Self> {
        let (name, value, is_equal) = operator(term)?;
        Some(Field { path: json::steps(name), value: unescaped(value)?, is_equal })
    }

    /// Whether an object meets it.
    pub(crate) fn matches_document(&self, object: &Document) -> bool {
        self.admits(self.path.iter().fold(object, |value, step| &value[step]))
    }

    /// Whether a value of the field meets it. A field that is absent is the empty text.
    pub(crate) fn admits(&self, value: &Document) -> bool {
        let text = match value {
            Document::String(text) => text.clone(),
            Document::Null => String::new(),
            other => other.to_string(),
        };
        (text == self.value) == self.is_equal
    }
}

/// A part of a label selector's text.
#[derive(Debug, PartialEq, Clone, Copy)]
enum Token<'a> {
    Word(&'a str),
    Sign(&'static str),
}

impl Token<'_> {
    fn len(&self) -> usize {
        let (Token::Word(text) | Token::Sign(text)) = self;
        text.len()
    }
}

/// The tokens of a text, each with its position.
fn tokens(text: &str) -> Vec<(Token<'_>, usize)> {
    const SIGNS: [&str; 9] = ["!=", "==", "=", "!", "(", ")", ",", ">", "<"];
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return tokens;
        }
        let is_end = |c: char| " \t\r\n!=(),><".contains(c);
        let token = match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            Some(sign) => Token::Sign(sign),
            None => Token::Word(&rest[..rest.find(is_end).unwrap_or(rest.len())]),
        };
        tokens.push((token, text.len() - rest.len()));
        rest = &rest[token.len()..];
    }
}

fn requirement(tokens: &[Token<'_>]) -> Option<Requirement> {
    use Token::{Sign, Word};
    let (key, test) = match tokens {
        [Word(key)] => (key, Test::Exists),
        [Sign("!"), Word(key)] => (key, Test::Absent),
        [Word(key), Sign("=" | "==")] => (key, Test::In(vec![String::new()])),
        [Word(key), Sign("!=")] => (key, Test::NotIn(vec![String::new()])),
        [Word(key), Sign("=" | "=="), Word(value)] => (key, Test::In(vec![(*value).to_owned()])),
        [Word(key), Sign("!="), Word(value)] => (key, Test::NotIn(vec![(*value).to_owned()])),
        [Word(key), Sign(">"), Word(value)] => (key, Test::Above(value.parse().ok()?)),
        [Word(key), Sign("<"), Word(value)] => (key, Test::Below(value.parse().ok()?)),
        [Word(key), Word(operator), Sign("("), values @ .., Sign(")")] if !values.is_empty() => {
            let value = |part: &[Token<'_>]| match part {
                [] => Some(String::new()),
                [Word(value)] => Some((*value).to_owned()),
                _ => None,
            };
            let values = values.split(|token| *token == Sign(",")).map(value).collect::<Option<Vec<_>>>()?;
            match *operator {
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
    let (prefix, name) = key.rsplit_once('/').map_or((None, *key), |(prefix, name)| (Some(prefix), name));
    let is_key = is_name(name) && prefix.is_none_or(is_subdomain);
    (is_key && values_fit).then(|| Requirement { label: (*key).to_owned(), test })
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
            assert_eq!(
                Selector::of_text(text).unwrap().matches_document(&object["metadata"]["labels"]),
                meets,
                "{text}"
            );
        }
        for wrong in ["a b", "=x", "a in b)", "a near (b)", "n>x", "(a)", "a in (b", "!"] {
            let error = Selector::of_text(wrong).unwrap_err();
            assert!(error.ends_with("is not a requirement of a label selector"), "{wrong}: {error}");
        }
        assert!(!Selector::of_text("a").unwrap().matches_document(&json!(7)));
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
            let fields = Field::of_text(text).expect(text);
            assert_eq!(fields.iter().all(|field| field.matches_document(&object)), meets, "{text}");
        }
        assert!(Field::of_text("metadata.name").is_err());
    }
}
