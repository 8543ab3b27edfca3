//! Paragraphs of `Field: value` lines: dpkg's and apk's databases, apt's sources, metadata of Python packages.

use indago_table::prelude::*;

/// Most fields of a paragraph. Those of apk's database have three for each file of a package.
const MOST_FIELDS: usize = 100_000;

/// The paragraphs of a file, read one by one.
#[derive(Debug)]
pub(crate) struct Paragraphs {
    file: String,
    bytes: Vec<u8>,
    at: usize,
    line: u64,
}

/// One paragraph: fields in the order of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Paragraph<'a> {
    fields: Vec<(&'a [u8], &'a [u8])>,
}

impl Paragraphs {
    /// `file` is for messages.
    pub(crate) fn new(file: impl Into<String>, bytes: Vec<u8>) -> Self {
        Paragraphs { file: file.into(), bytes, at: 0, line: 0 }
    }

    /// Name of the file, for messages.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// The next paragraph that is not empty. Lines that belong to no field go to `reject`.
    pub(crate) fn next(&mut self, reject: impl Fn(&Error)) -> Option<Paragraph<'_>> {
        let mut spans: Vec<(usize, usize, usize)> = Vec::new();
        while self.at < self.bytes.len() {
            let start = self.at;
            let rest = &self.bytes[start..];
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.at = (start + length + 1).min(self.bytes.len());
            self.line += 1;
            match line.first() {
                None if spans.is_empty() => {}
                None => break,
                Some(b'#') => {}
                Some(b' ' | b'\t') if let Some((_, _, end)) = spans.last_mut() => *end = start + line.len(),
                Some(_) => match memchr::memchr(b':', line) {
                    Some(colon) if colon > 0 && spans.len() < MOST_FIELDS => {
                        spans.push((start, start + colon, start + line.len()));
                    }
                    _ if line.trim_ascii().is_empty() => {}
                    colon => {
                        let what = if colon.is_some_and(|colon| colon > 0) {
                            format!("more than {MOST_FIELDS} fields in a paragraph")
                        } else {
                            "not `Field: value`".to_owned()
                        };
                        reject(&Error::BadLine { file: self.file.clone(), line: self.line, what });
                    }
                },
            }
        }
        let field = |(start, colon, end): (usize, usize, usize)| {
            (self.bytes[start..colon].trim_ascii(), self.bytes[colon + 1..end].trim_ascii())
        };
        (!spans.is_empty()).then(|| Paragraph { fields: spans.into_iter().map(field).collect() })
    }
}

impl<'a> Paragraph<'a> {
    /// The value of a field, with its continuation lines as they are. Names ignore case, and the first one counts.
    pub(crate) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| *value)
    }

    /// The value of a field, by its name in this case.
    pub(crate) fn exactly(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.fields.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// The first line of a field as text; empty if the field is absent.
    pub(crate) fn text(&self, sys: &Sys, name: &str) -> String {
        let value = self.get(name).unwrap_or_default();
        let end = memchr::memchr(b'\n', value).unwrap_or(value.len());
        sys.text(value[..end].trim_ascii_end())
    }

    /// The words of a field on all its lines. Comment lines are skipped.
    pub(crate) fn words(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.get(name).unwrap_or_default().split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.starts_with(b"#"));
        lines.flat_map(|line| line.split(u8::is_ascii_whitespace)).filter(|word| !word.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    fn all(bytes: &[u8]) -> (Vec<Vec<(String, String)>>, Vec<String>) {
        let errors = std::cell::RefCell::new(Vec::new());
        let mut paragraphs = Paragraphs::new("f", bytes.to_vec());
        let mut found = Vec::new();
        while let Some(paragraph) = paragraphs.next(|error| errors.borrow_mut().push(error.to_string())) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            found.push(paragraph.fields.iter().map(|(key, value)| (text(key), text(value))).collect());
        }
        (found, errors.into_inner())
    }

    #[test]
    fn paragraphs_have_fields_and_continuation_lines() {
        let text = b"\n\nPackage: a\nDepends: b,\n c\n# note\nsource : d\r\n\n\nno field\n: x\nPackage:e\n  \nX:";
        let (found, errors) = all(text);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(found[0], [pair("Package", "a"), pair("Depends", "b,\n c"), pair("source", "d")]);
        assert_eq!(found[1], [pair("Package", "e"), pair("X", "")]);
        assert_eq!(errors, ["f, line 10: not `Field: value`", "f, line 11: not `Field: value`"]);
    }

    #[test]
    fn fields_are_found_by_name() {
        let mut paragraphs = Paragraphs::new("f", b"URIs: a  b\n c\n# d\n\te\nTypes: x\ntypes: y\n".to_vec());
        let paragraph = paragraphs.next(|error| panic!("{error}")).expect("one");
        let words: Vec<_> = paragraph.words("uris").collect();
        assert_eq!(words, [b"a", b"b", b"c", b"e"]);
        assert_eq!((paragraph.get("TYPES"), paragraph.exactly(b"types")), (Some(&b"x"[..]), Some(&b"y"[..])));
        assert_eq!(paragraph.text(&Sys::live(), "URIs"), "a  b");
        assert_eq!(paragraph.text(&Sys::live(), "none"), "");
    }

    #[test]
    fn any_bytes_are_read() {
        damaged(b"Package: a\nDepends: b,\n c\n\n# note\nVersion: 1\n", |bytes| {
            let (found, errors) = all(bytes);
            assert!(found.len() + errors.len() <= bytes.len());
        });
    }
}
