//! A JSON text of which only some values are parsed; of all others, only the end is found, 64 bytes at a time.

use std::borrow::Cow;

use wide::u8x16;

use crate::error::{Error, Result};

/// A place in a JSON text.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Text { text, at: 0 }
    }

    /// The first byte of the next value, or the byte in its place.
    pub(super) fn next(&mut self) -> Option<u8> {
        let blanks = self.text[self.at..].iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        self.at += blanks.count();
        self.text.get(self.at).copied()
    }

    /// Moves past the next value and returns it. Does not check the contents of an object or array.
    pub(super) fn value(&mut self) -> Result<&'a [u8]> {
        let first = self.next();
        let start = self.at;
        let end = match first {
            Some(b'{' | b'[') => container_end(&self.text[start..]),
            Some(b'"') => string_end(&self.text[start..]),
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                let is_inside = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
                Some(self.text[start..].iter().take_while(is_inside).count())
            }
            _ => return Err(self.unexpected("a value")),
        };
        match end {
            Some(length) => {
                self.at += length;
                Ok(&self.text[start..self.at])
            }
            None => {
                self.at = self.text.len();
                Err(self.unexpected("the end of the value"))
            }
        }
    }

    /// Reads an object: calls `each` with each key; `each` moves past the value.
    pub(super) fn object(&mut self, mut each: impl FnMut(&mut Self, &[u8]) -> Result<()>) -> Result<()> {
        self.list(b'{', b'}', |text| {
            if text.next() != Some(b'"') {
                return Err(text.unexpected("a key"));
            }
            let quoted = text.value()?;
            let key = match &quoted[1..quoted.len() - 1] {
                plain if !plain.contains(&b'\\') => Cow::Borrowed(plain),
                _ => Cow::Owned(parse::<String>(quoted)?.into_bytes()),
            };
            if text.next() != Some(b':') {
                return Err(text.unexpected("`:`"));
            }
            text.at += 1;
            each(text, &key)
        })
    }

    /// Reads an array: calls `each` for each element; `each` moves past it.
    pub(super) fn array(&mut self, each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.list(b'[', b']', each)
    }

    fn list(&mut self, open: u8, close: u8, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if self.next() != Some(open) {
            return Err(self.unexpected(if open == b'{' { "an object" } else { "an array" }));
        }
        self.at += 1;
        if self.next() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            each(self)?;
            let separator = self.next();
            if separator != Some(b',') && separator != Some(close) {
                return Err(self.unexpected(if open == b'{' { "`,` or `}`" } else { "`,` or `]`" }));
            }
            self.at += 1;
            if separator == Some(close) {
                return Ok(());
            }
        }
    }

    /// Fails if something follows.
    pub(super) fn end(&mut self) -> Result<()> {
        if self.next().is_none() { Ok(()) } else { Err(self.unexpected("nothing more")) }
    }

    fn unexpected(&self, expected: &str) -> Error {
        match self.text.get(self.at) {
            Some(_) => malformed(format_args!("expected {expected} at byte {}", self.at + 1)),
            None => malformed(format_args!("EOF at byte {}, expected {expected}", self.at + 1)),
        }
    }
}

/// Parses a value's text.
pub(super) fn parse<T: serde::de::DeserializeOwned>(value: &[u8]) -> Result<T> {
    serde_json::from_slice(value).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> Error {
    Error::Malformed(format!("not the JSON that was expected: {error}"))
}

/// Length of the string at the start of a text.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

const BLOCK: usize = 64;

/// Bit masks of the bytes in a block; the lowest bit is the first byte.
#[derive(Default)]
struct Marks {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
}

impl Marks {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut marks = Marks::default();
        for (position, lane) in block.as_chunks::<16>().0.iter().enumerate() {
            let lane = u8x16::new(*lane);
            // Setting this bit turns brackets into braces.
            let braces = lane | u8x16::splat(b'{' ^ b'[');
            let mark = |equal: u8x16| u64::from(equal.to_bitmask()) << (16 * position);
            marks.quotes |= mark(lane.simd_eq(u8x16::splat(b'"')));
            marks.backslashes |= mark(lane.simd_eq(u8x16::splat(b'\\')));
            marks.opening |= mark(braces.simd_eq(u8x16::splat(b'{')));
            marks.closing |= mark(braces.simd_eq(u8x16::splat(b'}')));
        }
        marks
    }
}

/// Length of the object or array at the start of a text, up to the closing bracket. Brackets in strings do not count.
fn container_end(text: &[u8]) -> Option<usize> {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let mut last = [b' '; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    let mut depth = 0;
    // Carried between blocks: whether the first byte is escaped; all ones inside a string.
    let (mut is_escaped, mut in_string) = (0, 0);
    for (position, block) in blocks.iter().chain([&last]).enumerate() {
        let mut marks = Marks::of(block);
        if marks.backslashes | is_escaped != 0 {
            marks.quotes &= !escaped(marks.backslashes, &mut is_escaped);
        }
        let inside = up_to_each_pair(marks.quotes) ^ in_string;
        in_string = 0u64.wrapping_sub(inside >> (BLOCK - 1));
        let (opening, closing) = (marks.opening & !inside, marks.closing & !inside);
        if depth > closing.count_ones() {
            depth = depth + opening.count_ones() - closing.count_ones();
            continue;
        }
        let mut brackets = opening | closing;
        while brackets != 0 {
            let bracket = brackets.trailing_zeros();
            if opening >> bracket & 1 == 1 {
                depth += 1;
            } else {
                depth -= 1;
                if depth == 0 {
                    return Some(position * BLOCK + bracket as usize + 1);
                }
            }
            brackets &= brackets - 1;
        }
    }
    None
}

/// The bytes that a backslash escapes.
fn escaped(backslashes: u64, is_first: &mut u64) -> u64 {
    let mut escaped = *is_first;
    let mut left = backslashes & !*is_first;
    *is_first = 0;
    while left != 0 {
        let backslash = left.trailing_zeros();
        if backslash as usize == BLOCK - 1 {
            *is_first = 1;
            break;
        }
        escaped |= 1 << (backslash + 1);
        left &= !(0b11 << backslash);
    }
    escaped
}

/// Bits from each odd one up to the one before the next: a string without its closing quote.
fn up_to_each_pair(mut bits: u64) -> u64 {
    for distance in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << distance;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_ends_where_a_parser_ends_it() {
        let pieces =
            [r#""}""#, r#""{[\"""#, r#""\\""#, r#""\\\"]""#, "[[],{}]", "1", r#""\u007b""#, r#"{"a\\":"}"}"#, " null "];
        for (first, one) in pieces.iter().enumerate() {
            for other in &pieces[first..] {
                for padding in 0..150 {
                    let text = format!("[{}{one},{other},\"{}\\\\\"]}}tail", " ".repeat(padding), "x".repeat(70));
                    let mut parser = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
                    assert!(parser.next().is_some_and(|value| value.is_ok()), "{text}");
                    assert_eq!(container_end(text.as_bytes()), Some(parser.byte_offset()), "{text}");
                    let cut = parser.byte_offset() - 1;
                    assert_eq!(container_end(&text.as_bytes()[..cut]), None, "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        let told = |text: &str| {
            let mut reader = Text::new(text.as_bytes());
            let outcome = reader.object(|text, _| text.value().map(drop)).and_then(|()| reader.end());
            outcome.map_or_else(|error| error.to_string(), |()| "no error".to_owned())
        };
        let cases = [
            (r#"{"a":1, "b\n":[2]} "#, "no error"),
            ("{}", "no error"),
            ("", "EOF at byte 1, expected an object"),
            (r#"{"a":[1,2"#, "EOF at byte 10, expected the end of the value"),
            (r#"{"a"}"#, "expected `:` at byte 5"),
            (r#"{"a":}"#, "expected a value at byte 6"),
            (r#"{"a":1 2}"#, "expected `,` or `}` at byte 8"),
            (r#"{"a":1,}"#, "expected a key at byte 8"),
            (r#"{"a":1}]"#, "expected nothing more at byte 8"),
            (r#"{"a\x":1}"#, "invalid escape at line 1 column 4"),
            ("<html>", "expected an object at byte 1"),
        ];
        for (text, expected) in cases {
            let told = told(text);
            assert_eq!(told.strip_prefix("not the JSON that was expected: ").unwrap_or(&told), expected, "{text}");
        }
    }
}
