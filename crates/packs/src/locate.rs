//! Finds the position of a key in valid JSON text.

use std::collections::HashSet;

/// Offset of the key at a path of object keys; of the document for an empty path.
pub(crate) fn offset(json: &str, path: &[&str]) -> Option<usize> {
    let mut reader = Reader { bytes: json.as_bytes(), at: 0 };
    reader.blanks();
    let Some((last, _)) = path.split_last() else { return Some(reader.at) };
    let mut found = None;
    for key in path {
        reader.blanks();
        found = Some(reader.enter(key)?);
        if std::ptr::eq(key, last) {
            break;
        }
    }
    found
}

/// The first repeated key of the object at a path, and the offset of its second occurrence.
pub(crate) fn repeated(json: &str, path: &[&str]) -> Option<(String, usize)> {
    let mut reader = Reader { bytes: json.as_bytes(), at: 0 };
    for key in path {
        reader.blanks();
        reader.enter(key)?;
    }
    reader.blanks();
    let mut seen = HashSet::new();
    let mut twice = None;
    reader.keys(|key, at| match seen.insert(key.to_owned()) {
        true => false,
        false => {
            twice = Some((key.to_owned(), at));
            true
        }
    });
    twice
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Moves to the value of a key of the object that starts here. Returns the key's offset.
    fn enter(&mut self, wanted: &str) -> Option<usize> {
        self.keys(|key, _| key == wanted)
    }

    /// Moves to the value of the first wanted key of the object that starts here. Returns the key's offset.
    fn keys(&mut self, mut is_wanted: impl FnMut(&str, usize) -> bool) -> Option<usize> {
        if self.peek()? != b'{' {
            return None;
        }
        self.at += 1;
        loop {
            self.blanks();
            if self.peek()? == b',' {
                self.at += 1;
                continue;
            }
            let start = self.at;
            let key = self.string()?;
            self.blanks();
            self.at += 1; // the colon
            self.blanks();
            if is_wanted(&key, start) {
                return Some(start);
            }
            self.skip()?;
        }
    }

    fn string(&mut self) -> Option<String> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at;
        self.at += 1;
        while self.peek()? != b'"' {
            self.at += if self.peek()? == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_slice(&self.bytes[start..self.at]).ok()
    }

    /// Skips a value.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => return Some(()),
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' if depth == 0 => return Some(()),
                _ => self.at += 1,
            }
            if depth == 0 && matches!(self.peek(), None | Some(b',' | b'}' | b']')) {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_repeated_keys() {
        let json = r#"{"q": {"a": 1, "b": {"a": 2}, "\u0061" : 3, "b": 4}, "q2": {"a": 1, "b": 1}}"#;
        assert_eq!(repeated(json, &["q"]), Some(("a".to_owned(), json.find("\"\\u0061").expect("there"))));
        assert_eq!(repeated(json, &["q2"]), None);
        assert_eq!(repeated(json, &[]), None);
        assert_eq!(repeated("[]", &[]), None);
    }

    #[test]
    fn finds_keys() {
        let json = r#" { "a": {"x": "}\"{"}, "q": [1, {"b": 2}], "b" : {"\u0071": 1, "deep": {"er": null}} }"#;
        let at = |path: &[&str]| offset(json, path).map(|at| &json[at..at + 3]);
        assert_eq!(offset(json, &[]), Some(1));
        assert_eq!(at(&["a"]), Some("\"a\""));
        assert_eq!(at(&["b"]), Some("\"b\""));
        assert_eq!(at(&["b", "q"]), Some("\"\\u"));
        assert_eq!(at(&["b", "deep", "er"]), Some("\"er"));
        assert_eq!(at(&["c"]), None);
        assert_eq!(at(&["a", "x", "y"]), None);
        assert_eq!(offset("[]", &["a"]), None);
    }
}
