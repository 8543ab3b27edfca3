//! Files of sections: `[name]`, then `key=value`.

use indago_table::prelude::*;

use super::procfs::text;

/// A section.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) name: String,
    entries: Vec<(String, String)>,
}

impl Section {
    /// The value of a key; the last one counts. Keys ignore case.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let found = self.entries.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.map(|(_, value)| value.as_str())
    }
}

/// Parses as Python's `configparser` does, which yum and dnf use: `=` or `:` after a key, `#` and `;` before comments,
/// and indented lines continue a value. Other lines go to `reject`.
pub(crate) fn parse(file: &str, bytes: &[u8], mut reject: impl FnMut(&Error)) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for (position, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let is_indented = line.first().is_some_and(u8::is_ascii_whitespace);
        let line = line.trim_ascii();
        if line.is_empty() || matches!(line[0], b'#' | b';') {
            continue;
        }
        if let Some(name) = line.strip_prefix(b"[").and_then(|rest| rest.split(|byte| *byte == b']').next())
            && !is_indented
        {
            sections.push(Section { name: text(name), entries: Vec::new() });
            continue;
        }
        let entries = sections.last_mut().map(|section| &mut section.entries);
        let separator = line.iter().position(|byte| matches!(byte, b'=' | b':')).filter(|at| *at > 0);
        match (entries, separator) {
            (Some(entries), _) if is_indented && !entries.is_empty() => {
                if let Some((_, value)) = entries.last_mut() {
                    if !value.is_empty() {
                        value.push('\n');
                    }
                    value.push_str(&text(line));
                }
            }
            (Some(entries), Some(at)) => {
                entries.push((text(line[..at].trim_ascii()), text(line[at + 1..].trim_ascii())));
            }
            (entries, _) => {
                let what = if entries.is_some() { "not `key=value`" } else { "not in a section" };
                reject(&Error::BadLine { file: file.to_owned(), line: position as u64 + 1, what: what.to_owned() });
            }
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    #[test]
    fn sections_have_keys() {
        let mut errors = Vec::new();
        let text = b"x=1\n[main]\nGpgcheck = 1\nbaseurl=http://a\n  http://b\n# note\n; note\n\n\
                     [ two ]\r\nname: a = b\r\nbad\n";
        let sections = parse("f", text, |error| errors.push(error.to_string()));
        assert_eq!(sections.len(), 2);
        assert_eq!(sections[0].get("gpgcheck"), Some("1"));
        assert_eq!(sections[0].get("baseurl"), Some("http://a\nhttp://b"));
        assert_eq!((sections[1].name.as_str(), sections[1].get("name")), (" two ", Some("a = b")));
        assert_eq!(errors, ["f, line 1: not in a section", "f, line 11: not `key=value`"]);
        damaged(text, |bytes| {
            let mut count = 0;
            let sections = parse("f", bytes, |_| count += 1);
            assert!(sections.len() + count <= bytes.len());
        });
    }
}
