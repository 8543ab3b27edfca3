//! Compiled regular expressions, cached for later rows.
//!
//! osquery's expressions are ECMAScript as `std::regex` reads it, on bytes. They are translated for the `regex` crate.
//! Expressions with lookahead or back-references, which that crate does not support, use a backtracking search.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use regex::Regex;

/// osquery's default limit on the length of a regular expression.
const LONGEST: usize = 256;
/// The number of cached expressions per thread.
const KEPT: usize = 64;

/// A compiled expression.
pub(crate) enum Expression {
    Plain(Regex),
    /// Has a limit on its steps.
    Backtracking(fancy_regex::Regex),
}

impl Expression {
    fn new(source: &str) -> Result<Self, String> {
        let spelled = respelled(source);
        Regex::new(&spelled).map(Expression::Plain).or_else(|error| {
            let fancy = if is_fancy(source) {
                fancy_regex::Regex::new(&spelled.replace(BOUNDARY, LOOKED_AT)).ok()
            } else {
                None
            };
            fancy.map(Expression::Backtracking).ok_or_else(|| format!("Invalid regex: {error}"))
        })
    }

    pub(crate) fn is_match(&self, text: &str) -> Result<bool, String> {
        match self {
            Expression::Plain(regex) => Ok(regex.is_match(text)),
            Expression::Backtracking(regex) => regex.is_match(text).map_err(given_up),
        }
    }

    /// The text of a group in the first match: empty if the group took no part, `None` without a match or without such
    /// a group.
    pub(crate) fn group<'t>(&self, text: &'t str, group: usize) -> Result<Option<&'t str>, String> {
        match self {
            Expression::Plain(regex) => Ok(regex
                .captures(text)
                .filter(|found| group < found.len())
                .map(|found| found.get(group).map_or("", |part| part.as_str()))),
            Expression::Backtracking(regex) => Ok(regex
                .captures(text)
                .map_err(given_up)?
                .filter(|found| group < found.len())
                .map(|found| found.get(group).map_or("", |part| part.as_str()))),
        }
    }

    /// A piece of a text that is split at the matches.
    pub(crate) fn piece<'t>(&self, text: &'t str, piece: usize) -> Result<Option<&'t str>, String> {
        match self {
            Expression::Plain(regex) => Ok(regex.split(text).nth(piece)),
            Expression::Backtracking(regex) => {
                let mut pieces = regex.split(text);
                for _ in 0..piece {
                    match pieces.next() {
                        Some(before) => before.map_err(given_up)?,
                        None => return Ok(None),
                    };
                }
                pieces.next().transpose().map_err(given_up)
            }
        }
    }
}

/// A boundary of ASCII words: in the syntax of the `regex` crate, and by the characters on both sides.
const BOUNDARY: &str = r"(?-u:\b)";
const LOOKED_AT: &str = "(?:(?<=[A-Za-z0-9_])(?![A-Za-z0-9_])|(?<![A-Za-z0-9_])(?=[A-Za-z0-9_]))";

/// Whether an expression may have a lookahead or a back-reference.
fn is_fancy(source: &str) -> bool {
    let refers = |(at, _)| source[at + 1..].starts_with(|digit: char| matches!(digit, '1'..='9'));
    source.contains("(?=") || source.contains("(?!") || source.match_indices('\\').any(refers)
}

fn given_up(error: fancy_regex::Error) -> String {
    format!("regular expression stopped: {error}")
}

/// The compiled expression; `Err` holds the reason if it is invalid.
pub(crate) fn compiled(source: &str) -> Result<Rc<Expression>, String> {
    thread_local!(static CACHE: RefCell<HashMap<String, Rc<Expression>>> = RefCell::default());
    if source.len() > LONGEST {
        return Err(format!("Invalid regex: longer than {LONGEST} bytes"));
    }
    CACHE.with_borrow_mut(|cache| {
        if let Some(expression) = cache.get(source) {
            return Ok(Rc::clone(expression));
        }
        let expression = Rc::new(Expression::new(source)?);
        if cache.len() >= KEPT {
            cache.clear();
        }
        cache.insert(source.to_owned(), Rc::clone(&expression));
        Ok(expression)
    })
}

/// Translates an ECMAScript expression for the `regex` crate: classes are ASCII only, `.` does not match line ends,
/// `[`, `&&` and similar are plain characters inside brackets, and an escaped punctuation mark is itself.
fn respelled(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 16);
    let mut rest = source.chars().peekable();
    // Inside brackets.
    let mut inside = false;
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next() {
                Some(escaped) => escape(escaped, inside, &mut out),
                None => out.push('\\'),
            },
            '[' if !inside => {
                let negated = rest.next_if_eq(&'^').is_some();
                inside = rest.next_if_eq(&']').is_none();
                out.push_str(match (negated, inside) {
                    (false, true) => "[",
                    (true, true) => "[^",
                    // `[]` matches nothing, and `[^]` anything.
                    (false, false) => "[a&&b]",
                    (true, false) => "(?s:.)",
                });
            }
            '[' if rest.peek() == Some(&':') => {
                // `[:alpha:]`
                out.push('[');
                for character in rest.by_ref() {
                    out.push(character);
                    if character == ']' {
                        break;
                    }
                }
            }
            ']' if inside => {
                inside = false;
                out.push(']');
            }
            '[' | '&' | '~' if inside => {
                out.push('\\');
                out.push(character);
            }
            '.' if !inside => out.push_str(r"[^\n\r]"),
            other => out.push(other),
        }
    }
    out
}

/// Translates what follows a backslash.
fn escape(escaped: char, inside: bool, out: &mut String) {
    let class = match escaped {
        'd' => "0-9",
        'D' => "^0-9",
        'w' => "A-Za-z0-9_",
        'W' => "^A-Za-z0-9_",
        's' => r"\t\n\x0B\x0C\r ",
        'S' => r"^\t\n\x0B\x0C\r ",
        'b' if !inside => return out.push_str(BOUNDARY),
        'b' => return out.push_str(r"\x08"),
        '0' => return out.push_str(r"\x00"),
        other if other.is_ascii_alphanumeric() => {
            out.push('\\');
            return out.push(other);
        }
        other => {
            // For the crate, `\<` is the start of a word, and letters outside ASCII must not be escaped.
            if other.is_ascii_punctuation() && !matches!(other, '<' | '>') {
                out.push('\\');
            }
            return out.push(other);
        }
    };
    out.push('[');
    out.push_str(class);
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::{compiled, respelled};

    fn first(source: &str, text: &str) -> Option<String> {
        compiled(source).expect("it compiles").group(text, 0).expect("it ends").map(str::to_owned)
    }

    #[test]
    fn expressions_mean_what_ecmascript_means() {
        for (source, text, expected) in [
            (r"\d+", "٣4", Some("4")),
            (r"\w+", "é_a", Some("_a")),
            (r"[\w.-]+$", "x y.z-1", Some("y.z-1")),
            (r"[^\s]+", " a\u{a0}b ", Some("a\u{a0}b")),
            (r"[\D]", "12x", Some("x")),
            ("a.b", "a\rb", None),
            ("[[]x", "[x", Some("[x")),
            ("[a&&b]+", "&&", Some("&&")),
            ("[[:alpha:]_]+", "1ab_2", Some("ab_")),
            (r"\<a\>", "<a>", Some("<a>")),
            (r"\/tmp\/", "/tmp/", Some("/tmp/")),
            (r"\bcat\b", "concat cat", Some("cat")),
            ("(/home/.*?)/", "/home/ann/x/", Some("/home/ann/")),
            ("[]a]|b", "a]b", Some("b")),
            ("a[^]b", "a\nb", Some("a\nb")),
            (r"\w+(?=\.service)", "x.socket ssh.service", Some("ssh")),
            (r"^/(?!usr/|opt/).*", "/usr/bin/x", None),
            (r"^/(?!usr/|opt/).*", "/tmp/x", Some("/tmp/x")),
            (r"\bfoo(?!\d)[\w.]*", "foo1 foo.x", Some("foo.x")),
            (r"(\w)\1", "abccd", Some("cc")),
            (r"(?=[[&]x)[[a]x", "[x", Some("[x")),
        ] {
            assert_eq!(first(source, text).as_deref(), expected, "{source} is {}", respelled(source));
        }
    }

    #[test]
    fn what_is_not_supported_is_an_error() {
        for source in ["[a", "(", "a{2,1}", "a(?=b", r"(a)\2"] {
            let Err(error) = compiled(source) else { panic!("{source} compiles") };
            assert!(error.starts_with("Invalid regex: "), "{error}");
        }
    }

    #[test]
    fn backtracking_ends() {
        let endless = compiled(r"^(?:(\w)\1?)+x$").expect("it compiles");
        let error = endless.is_match(&"a".repeat(200)).expect_err("it has too many ways to fail");
        assert!(error.starts_with("regular expression stopped: "), "{error}");
        let comma = compiled(r",(?=\d)").expect("it compiles");
        assert_eq!(comma.piece("a,1,b,2", 1), Ok(Some("1,b")));
        assert_eq!(comma.piece("a,1,b,2", 3), Ok(None));
    }
}
