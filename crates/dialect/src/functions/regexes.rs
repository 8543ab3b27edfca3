//! Compiled regular expressions, kept for the rows to come.
//!
//! osquery's are ECMAScript's as `std::regex` reads them, on bytes. They are spelled for the `regex` crate, which has neither
//! lookahead nor back-references: those are an error.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use regex::Regex;

/// osquery's default bound on the length of a regular expression.
const LONGEST: usize = 256;
/// How many are kept in one thread.
const KEPT: usize = 64;

/// The compiled expression; `Err` says what is wrong with it.
pub(crate) fn compiled(source: &str) -> Result<Rc<Regex>, String> {
    thread_local!(static CACHE: RefCell<HashMap<String, Rc<Regex>>> = RefCell::default());
    if source.len() > LONGEST {
        return Err(format!("Invalid regex: longer than {LONGEST} bytes"));
    }
    CACHE.with_borrow_mut(|cache| {
        if let Some(regex) = cache.get(source) {
            return Ok(Rc::clone(regex));
        }
        let regex = Regex::new(&respelled(source)).map_err(|error| format!("Invalid regex: {error}"))?;
        if cache.len() >= KEPT {
            cache.clear();
        }
        let regex = Rc::new(regex);
        cache.insert(source.to_owned(), Rc::clone(&regex));
        Ok(regex)
    })
}

/// An ECMAScript expression as the `regex` crate spells it: classes of ASCII alone, `.` without line ends, `[`, `&&` and
/// the like as plain characters inside brackets, and an escaped punctuation mark as itself.
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
                    // Nothing, and anything.
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

/// What follows a backslash.
fn escape(escaped: char, inside: bool, out: &mut String) {
    let class = match escaped {
        'd' => "0-9",
        'D' => "^0-9",
        'w' => "A-Za-z0-9_",
        'W' => "^A-Za-z0-9_",
        's' => r"\t\n\x0B\x0C\r ",
        'S' => r"^\t\n\x0B\x0C\r ",
        'b' if !inside => return out.push_str(r"(?-u:\b)"),
        'b' => return out.push_str(r"\x08"),
        '0' => return out.push_str(r"\x00"),
        other if other.is_ascii_alphanumeric() => {
            out.push('\\');
            return out.push(other);
        }
        other => {
            // `\<` is a word's start to the crate, and a letter beyond ASCII may not be escaped at all.
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
        compiled(source).expect("it compiles").find(text).map(|found| found.as_str().to_owned())
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
        ] {
            assert_eq!(first(source, text).as_deref(), expected, "{source} is {}", respelled(source));
        }
    }

    #[test]
    fn what_is_not_supported_is_an_error() {
        for source in ["a(?=b)", r"(a)\1", "[a", "(", "a{2,1}"] {
            let error = compiled(source).expect_err(source);
            assert!(error.starts_with("Invalid regex: "), "{error}");
        }
    }
}
