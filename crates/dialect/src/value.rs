//! SQLite's values: storage classes, conversions, ordering, and the text form of numbers.

use std::{borrow::Cow, cmp::Ordering};

/// One value in SQLite.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// No value.
    Null,
    /// A 64-bit signed integer.
    Int(i64),
    /// A double.
    Real(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Blob(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    /// A text that this value owns.
    pub(crate) fn text(text: impl Into<String>) -> Value<'static> {
        Value::Text(Cow::Owned(text.into()))
    }

    /// Bytes that this value owns.
    pub(crate) fn blob(bytes: impl Into<Vec<u8>>) -> Value<'static> {
        Value::Blob(Cow::Owned(bytes.into()))
    }

    /// The length of a text or blob; 0 for all others.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            _ => 0,
        }
    }

    /// Whether it is NULL.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The value as text; `None` for NULL. Bytes that are not UTF-8 are replaced.
    pub(crate) fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Value::Null => None,
            Value::Int(number) => Some(Cow::Owned(number.to_string())),
            Value::Real(number) => Some(Cow::Owned(real_to_text(*number))),
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Blob(bytes) => Some(String::from_utf8_lossy(bytes)),
        }
    }

    /// The value as bytes: text and numbers become the bytes of their text.
    pub(crate) fn as_bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Value::Blob(bytes) => Some(Cow::Borrowed(bytes)),
            Value::Text(text) => Some(Cow::Borrowed(text.as_bytes())),
            _ => self.as_text().map(|text| Cow::Owned(text.into_owned().into_bytes())),
        }
    }

    /// The value as an integer, like `CAST(x AS INTEGER)`.
    pub(crate) fn as_int(&self) -> Option<i64> {
        match self {
            Value::Null => None,
            Value::Int(number) => Some(*number),
            Value::Real(number) => Some(real_to_int(*number)),
            Value::Text(text) => Some(text_to_int(text)),
            Value::Blob(bytes) => Some(text_to_int(&String::from_utf8_lossy(bytes))),
        }
    }

    /// The value as a double, like `CAST(x AS REAL)`.
    pub(crate) fn as_real(&self) -> Option<f64> {
        match self {
            Value::Null => None,
            Value::Int(number) => Some(*number as f64),
            Value::Real(number) => Some(*number),
            Value::Text(text) => Some(text_to_real(text)),
            Value::Blob(bytes) => Some(text_to_real(&String::from_utf8_lossy(bytes))),
        }
    }

    /// The value as a number, like `CAST(x AS NUMERIC)` and arithmetic.
    pub(crate) fn as_number(&self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Int(number) => Value::Int(*number),
            Value::Real(number) => Value::Real(*number),
            Value::Text(text) => text_to_number(text),
            Value::Blob(bytes) => text_to_number(&String::from_utf8_lossy(bytes)),
        }
    }

    /// The value after NUMERIC affinity: text that is entirely a number becomes one; all others stay.
    pub(crate) fn with_numeric_affinity(self) -> Value<'a> {
        match &self {
            Value::Text(text) => exact_number(text).unwrap_or(self),
            _ => self,
        }
    }

    /// Whether the value counts as true; `None` for NULL.
    pub(crate) fn truth(&self) -> Option<bool> {
        match self {
            Value::Null => None,
            Value::Int(number) => Some(*number != 0),
            other => other.as_real().map(|number| number != 0.0),
        }
    }

    /// The name of the storage class.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Int(_) => "integer",
            Value::Real(_) => "real",
            Value::Text(_) => "text",
            Value::Blob(_) => "blob",
        }
    }
}

/// SQLite's order over all values: NULL, numbers, text, bytes.
pub(crate) fn compare(left: &Value<'_>, right: &Value<'_>) -> Ordering {
    fn rank(value: &Value<'_>) -> u8 {
        match value {
            Value::Null => 0,
            Value::Int(_) | Value::Real(_) => 1,
            Value::Text(_) => 2,
            Value::Blob(_) => 3,
        }
    }
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Value::Int(a), Value::Real(b)) => compare_int_real(*a, *b),
        (Value::Real(a), Value::Int(b)) => compare_int_real(*b, *a).reverse(),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn compare_int_real(int: i64, real: f64) -> Ordering {
    if real < -9_223_372_036_854_775_808.0 {
        return Ordering::Greater;
    }
    if real >= 9_223_372_036_854_775_808.0 {
        return Ordering::Less;
    }
    let whole = real as i64;
    int.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&(real - whole as f64)).unwrap_or(Ordering::Equal))
}

/// A double truncated towards zero and limited to 64 bits.
pub(crate) fn real_to_int(number: f64) -> i64 {
    // `as` saturates and maps NaN to 0, as SQLite does.
    number as i64
}

/// A double with at most 15 significant digits, always with a decimal point: `8.0`, `0.1`, `1.0e+20`.
pub fn real_to_text(number: f64) -> String {
    if number.is_nan() {
        return String::new();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Inf".to_owned() } else { "-Inf".to_owned() };
    }
    if number == 0.0 {
        return "0.0".to_owned();
    }
    let scientific = format!("{number:.14e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    if (-4..15).contains(&exponent) {
        if exponent < 0 {
            let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
            return format!("{sign}0.{zeros}{digits}");
        }
        let whole = exponent as usize + 1;
        return if digits.len() > whole {
            format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
        } else {
            format!("{sign}{digits}{}.0", "0".repeat(whole - digits.len()))
        };
    }
    let (first, rest) = digits.split_at(1);
    let rest = if rest.is_empty() { "0" } else { rest };
    let mark = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}.{rest}e{mark}{:02}", exponent.unsigned_abs())
}

/// The length of the longest prefix of `text` (after white space) that is a number, and whether it has a fraction or an
/// exponent.
fn number_prefix(text: &str) -> (&str, bool) {
    let text = text.trim_start_matches(is_space);
    let bytes = text.as_bytes();
    let mut at = 0;
    if matches!(bytes.first(), Some(b'+' | b'-')) {
        at = 1;
    }
    let digits_from = at;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    let mut digits = at - digits_from;
    let mut real = false;
    if bytes.get(at) == Some(&b'.') {
        let mut after = at + 1;
        while bytes.get(after).is_some_and(u8::is_ascii_digit) {
            after += 1;
        }
        let fraction = after - at - 1;
        if digits + fraction > 0 {
            digits += fraction;
            real = true;
            at = after;
        }
    }
    if digits == 0 {
        return ("", false);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let mut after = at + 1;
        if matches!(bytes.get(after), Some(b'+' | b'-')) {
            after += 1;
        }
        let from = after;
        while bytes.get(after).is_some_and(u8::is_ascii_digit) {
            after += 1;
        }
        if after > from {
            real = true;
            at = after;
        }
    }
    (&text[..at], real)
}

/// The characters that SQLite skips around numbers in text.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// The leading integer of a text, or 0; it saturates at the limits of 64 bits.
pub(crate) fn text_to_int(text: &str) -> i64 {
    let text = text.trim_start_matches(is_space);
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let mut number: i64 = 0;
    for digit in digits.bytes().take_while(u8::is_ascii_digit) {
        let digit = i64::from(digit - b'0');
        let next =
            number.checked_mul(10).and_then(|n| if negative { n.checked_sub(digit) } else { n.checked_add(digit) });
        match next {
            Some(next) => number = next,
            None => return if negative { i64::MIN } else { i64::MAX },
        }
    }
    number
}

/// The leading double of a text, or 0.
pub(crate) fn text_to_real(text: &str) -> f64 {
    let (prefix, _) = number_prefix(text);
    prefix.parse().unwrap_or(0.0)
}

/// The leading number of a text, or 0: an integer if it is written as one and fits, or if it is a whole real.
pub(crate) fn text_to_number(text: &str) -> Value<'static> {
    let (prefix, real) = number_prefix(text);
    if prefix.is_empty() {
        return Value::Int(0);
    }
    if !real && let Ok(int) = prefix.parse::<i64>() {
        return Value::Int(int);
    }
    Value::Real(prefix.parse().unwrap_or(0.0))
}

/// The number that the entire `text` stands for, ignoring white space around it.
pub(crate) fn exact_number(text: &str) -> Option<Value<'static>> {
    let trimmed = text.trim_matches(is_space);
    let (prefix, real) = number_prefix(trimmed);
    if prefix.is_empty() || prefix.len() != trimmed.len() {
        return None;
    }
    if !real && let Ok(int) = prefix.parse::<i64>() {
        return Some(Value::Int(int));
    }
    let number: f64 = prefix.parse().ok()?;
    // A whole real becomes an integer, as NUMERIC affinity stores it.
    if number.fract() == 0.0 && number.abs() < 9.0e15 {
        Some(Value::Int(number as i64))
    } else {
        Some(Value::Real(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reals_print_as_sqlite_prints_them() {
        for (number, text) in [
            (8.0, "8.0"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (1e20, "1.0e+20"),
            (1e15, "1.0e+15"),
            (123_456_789_012_345.0, "123456789012345.0"),
            (0.0001, "0.0001"),
            (0.00001, "1.0e-05"),
            (1.0 / 3.0, "0.333333333333333"),
            (100.0, "100.0"),
        ] {
            assert_eq!(real_to_text(number), text);
        }
    }

    #[test]
    fn text_becomes_a_number_by_its_prefix() {
        for (text, number) in [
            ("12abc", Value::Int(12)),
            ("abc", Value::Int(0)),
            ("", Value::Int(0)),
            (" 7 ", Value::Int(7)),
            ("1.5e1x", Value::Real(15.0)),
            (".5", Value::Real(0.5)),
            ("5.", Value::Real(5.0)),
            ("-", Value::Int(0)),
            ("1e", Value::Int(1)),
        ] {
            assert_eq!(text_to_number(text), number, "{text:?}");
        }
        assert_eq!(exact_number("12abc"), None);
        assert_eq!(exact_number(" 12 "), Some(Value::Int(12)));
        assert_eq!(exact_number(""), None);
    }
}
