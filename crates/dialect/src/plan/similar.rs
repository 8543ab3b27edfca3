//! `SIMILAR TO` by the SQL standard: a pattern of `%`, `_` and the regular expression operators `|`, `*`, `+`, `?`,
//! `{m,n}`, `( )` and `[ ]` must match the entire text. DataFusion searches for a regular expression anywhere in the
//! text.

use std::{fmt::Write, iter::Peekable, str::Chars, sync::Arc};

use arrow_array::{ArrayRef, StringViewArray, cast::AsArray};
use arrow_schema::DataType;
use datafusion::{
    common::{Result, ScalarValue, exec_err},
    logical_expr::{
        BinaryExpr, ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        expr::{Like, ScalarFunction},
    },
};

/// The escape character, unless ESCAPE names another one.
const ESCAPE: char = '\\';

/// The comparison with a regular expression that replaces a `SIMILAR TO`.
pub(super) fn comparison(Like { negated, expr, pattern, escape_char, .. }: Like) -> Expr {
    let function = ScalarUDF::new_from_impl(Pattern {
        signature: Signature::any(1, Volatility::Immutable),
        escape: escape_char.unwrap_or(ESCAPE),
    });
    let regex = Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![*pattern]));
    let op = if negated { Operator::RegexNotMatch } else { Operator::RegexMatch };
    Expr::BinaryExpr(BinaryExpr { left: expr, op, right: Box::new(regex) })
}

/// Converts a pattern to a regular expression.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Pattern {
    signature: Signature,
    escape: char,
}

impl ScalarUDFImpl for Pattern {
    fn name(&self) -> &str {
        "similar_pattern"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = matches!(args.args[0], ColumnarValue::Scalar(_));
        let patterns = args.args[0].to_array(if is_scalar { 1 } else { args.number_rows })?;
        let patterns = arrow_cast::cast(&patterns, &DataType::Utf8View)?;
        let regex = |pattern: Option<&str>| -> Result<Option<String>> {
            let Some(pattern) = pattern else { return Ok(None) };
            match regex(pattern, self.escape) {
                Ok(regex) => Ok(Some(regex)),
                Err(why) => exec_err!("SIMILAR TO '{pattern}': {why}"),
            }
        };
        let regexes = patterns.as_string_view().iter().map(regex).collect::<Result<StringViewArray>>()?;
        let regexes: ArrayRef = Arc::new(regexes);
        Ok(if is_scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&regexes, 0)?)
        } else {
            ColumnarValue::Array(regexes)
        })
    }
}

/// The regular expression for a pattern.
fn regex(pattern: &str, escape: char) -> Result<String, &'static str> {
    let mut regex = String::with_capacity(pattern.len() + 8);
    regex.push_str("^(?s:");
    let mut open = 0;
    // Whether there is an operand to repeat.
    let mut is_operand = false;
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        let was_operand = is_operand;
        is_operand = !matches!(character, '|' | '(' | '*' | '+' | '?' | '{');
        match character {
            _ if character == escape => {
                is_operand = true;
                push_literal(&mut regex, rest.next().ok_or("it ends in an escape character")?);
            }
            '%' => regex.push_str("(?:.*)"),
            '_' => regex.push('.'),
            '|' => regex.push('|'),
            '(' => {
                open += 1;
                regex.push_str("(?:");
            }
            ')' if open == 0 => return Err("a `)` has no `(`"),
            ')' => {
                open -= 1;
                regex.push(')');
            }
            '*' | '+' | '?' | '{' if !was_operand => return Err("there is nothing to repeat"),
            '*' | '+' | '?' => regex.push(character),
            '{' => push_count(&mut regex, &mut rest)?,
            '[' => push_set(&mut regex, &mut rest, escape)?,
            other => push_literal(&mut regex, other),
        }
    }
    if open > 0 {
        return Err("a `(` has no `)`");
    }
    regex.push_str(")$");
    Ok(regex)
}

fn push_literal(regex: &mut String, character: char) {
    if character.is_ascii_punctuation() {
        regex.push('\\');
    }
    regex.push(character);
}

/// `{m}`, `{m,}` or `{m,n}`, after its `{`.
fn push_count(regex: &mut String, rest: &mut Peekable<Chars<'_>>) -> Result<(), &'static str> {
    let mut count = String::new();
    loop {
        match rest.next().ok_or("a `{` has no `}`")? {
            '}' => break,
            character => count.push(character),
        }
    }
    let (least, most) = count.split_once(',').unwrap_or((&count, &count));
    let number = |text: &str| text.parse::<u32>().map_err(|_| "a count must be {m}, {m,} or {m,n}");
    let least = number(least)?;
    let most = if most.is_empty() { None } else { Some(number(most)?) };
    if most.is_some_and(|most| most < least) {
        return Err("the second number of a count is less than the first");
    }
    let _ = match most {
        Some(most) => write!(regex, "{{{least},{most}}}"),
        None => write!(regex, "{{{least},}}"),
    };
    Ok(())
}

/// `[..]`, after its `[`.
fn push_set(regex: &mut String, rest: &mut Peekable<Chars<'_>>, escape: char) -> Result<(), &'static str> {
    const OPEN: &str = "a `[` has no `]`";
    regex.push('[');
    if rest.next_if_eq(&'^').is_some() {
        regex.push('^');
    }
    let mut is_first = true;
    loop {
        let character = rest.next().ok_or(OPEN)?;
        match character {
            _ if character == escape => push_literal(regex, rest.next().ok_or(OPEN)?),
            ']' if !is_first => break,
            // A class such as [:alpha:].
            '[' if rest.peek() == Some(&':') => {
                let class: String = rest.by_ref().take_while(|character| *character != ']').collect();
                let _ = write!(regex, "[{class}]");
            }
            '-' => regex.push('-'),
            other => push_literal(regex, other),
        }
        is_first = false;
    }
    regex.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The results of PostgreSQL 15.
    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, matches) in [
            ("b", false),
            ("%b%", true),
            ("a_c", true),
            ("(a|x)bc", true),
            ("a{1}bc", true),
            ("a{2,3}bc", false),
            ("a{1,}%", true),
            ("a.c", false),
            ("^abc$", false),
            ("abc?", true),
            ("ab[a-d]", true),
            ("ab[^c]", false),
            ("[]a]bc", true),
            ("[a.]bc", true),
            ("ab[[:alpha:]]", true),
            ("a\\%", false),
            ("abc|x", true),
            ("x|abc|b", true),
            ("ab(c|d)+", true),
            ("%*", true),
            ("", false),
        ] {
            let regex = regex(pattern, ESCAPE).expect(pattern);
            let compiled = regex::Regex::new(&regex).expect(&regex);
            assert_eq!(compiled.is_match("abc"), matches, "{pattern}: {regex}");
        }
        let line = regex::Regex::new(&regex("a%", ESCAPE).expect("a pattern")).expect("a regular expression");
        assert!(line.is_match("a\nb") && !line.is_match("b\na"));
        let escaped = regex::Regex::new(&regex("a#%#_", '#').expect("a pattern")).expect("a regular expression");
        assert!(escaped.is_match("a%_") && !escaped.is_match("abc"));
    }

    #[test]
    fn a_malformed_pattern_is_an_error() {
        for pattern in
            ["(?:abc)", "a**bc", "a*?", "*abc", "a|+", "ab{,2}c", "a{2,1}", "a{", "a{2", "[abc", "[", "a)", "(a", "a\\"]
        {
            assert!(regex(pattern, ESCAPE).is_err(), "{pattern}: {:?}", regex(pattern, ESCAPE));
        }
    }
}
