//! The repository's own configuration, read without the user's and the machine's.

use std::path::Path;

use indago_table::{Error, ErrorContext, Result, Sys};

use crate::source::find::Place;
use crate::source::{path, read_file, text};

/// Settings in the order of the file: `section.subsection.key`, section and key in small letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config(Vec<(String, String)>);

/// Files that include one another are followed this deep.
const DEPTH: usize = 10;

impl Config {
    /// The configuration of a repository, with the files that it includes. Conditional includes are left out.
    pub(crate) fn of(sys: &Sys, place: &Place) -> Result<Self> {
        let mut config = Config::default();
        config.add_file(sys, &place.common_dir.join("config"), DEPTH)?;
        if config.is("extensions.worktreeconfig") {
            config.add_file(sys, &place.git_dir.join("config.worktree"), DEPTH)?;
        }
        Ok(config)
    }

    fn add_file(&mut self, sys: &Sys, file: &Path, depth: usize) -> Result<()> {
        let Some(bytes) = read_file(sys, file).if_present()? else { return Ok(()) };
        let settings = parse(&bytes);
        let settings =
            settings.map_err(|line| Error::Malformed(format!("{} line {line} is no setting", file.display())))?;
        for (name, value) in settings {
            let value = value.unwrap_or_else(|| b"true".to_vec());
            if name == "include.path" && depth > 0 {
                let included = match value.strip_prefix(b"~/") {
                    Some(rest) => sys.home().unwrap_or_default().join(path(rest)),
                    None => file.parent().unwrap_or(file).join(path(&value)),
                };
                self.add_file(sys, &included, depth - 1)?;
            }
            self.0.push((name, text(&value)));
        }
        Ok(())
    }

    /// The last value of a setting.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    /// All values of a setting.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Whether a setting is on.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            matches!(value.as_str(), "true" | "yes" | "on") || value.parse::<i64>().is_ok_and(|number| number != 0)
        })
    }

    /// The subsections of a section, each once, in order: names of remotes, of branches.
    pub(crate) fn subsections(&self, section: &str) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in &self.0 {
            let rest = name.strip_prefix(section).and_then(|rest| rest.strip_prefix('.'));
            if let Some((subsection, _)) = rest.and_then(|rest| rest.rsplit_once('.'))
                && !names.contains(&subsection)
            {
                names.push(subsection);
            }
        }
        names
    }
}

/// A setting without `=` has no value.
type Setting = (String, Option<Vec<u8>>);

/// The settings of a file; an error is the number of the line that is none.
fn parse(bytes: &[u8]) -> Result<Vec<Setting>, usize> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = Reader { bytes, at: 0, line: 1 };
    let mut settings = Vec::new();
    let mut section = String::new();
    loop {
        lines.skip_space();
        match lines.next() {
            None => return Ok(settings),
            Some(b'#' | b';') => lines.skip_line(),
            Some(b'[') => section = lines.section().ok_or(lines.line)?,
            Some(first) if first.is_ascii_alphabetic() => {
                let mut key = String::from(char::from(first.to_ascii_lowercase()));
                while let Some(byte) = lines.peek().filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
                    key.push(char::from(byte.to_ascii_lowercase()));
                    lines.next();
                }
                let line = lines.line;
                let value = lines.value().ok_or(line)?;
                settings.push((format!("{section}.{key}"), value));
            }
            Some(_) => return Err(lines.line),
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        // A line may end as in Windows.
        let is_break = byte == b'\r' && self.bytes.get(self.at + 1) == Some(&b'\n');
        Some(if is_break { b'\n' } else { byte })
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += if self.bytes[self.at] == b'\r' && byte == b'\n' { 2 } else { 1 };
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.next();
        }
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|byte| byte != b'\n') {}
    }

    /// The name of a section, behind its `[`.
    fn section(&mut self) -> Option<String> {
        let mut name = String::new();
        loop {
            match self.next()? {
                b']' => return Some(name),
                b' ' | b'\t' => {}
                b'"' => break,
                byte if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') => {
                    name.push(char::from(byte.to_ascii_lowercase()));
                }
                _ => return None,
            }
        }
        let mut subsection = Vec::new();
        loop {
            match self.next()? {
                b'"' => break,
                b'\n' => return None,
                b'\\' => subsection.push(self.next().filter(|byte| *byte != b'\n')?),
                byte => subsection.push(byte),
            }
        }
        (self.next()? == b']').then(|| format!("{name}.{}", text(&subsection)))
    }

    /// The value behind a key, up to the end of its line.
    #[expect(clippy::option_option, reason = "outside: whether it can be read; inside: whether there is one")]
    fn value(&mut self) -> Option<Option<Vec<u8>>> {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.next();
        }
        match self.next() {
            None | Some(b'\n') => return Some(None),
            Some(b'#' | b';') => {
                self.skip_line();
                return Some(None);
            }
            Some(b'=') => {}
            Some(_) => return None,
        }
        let (mut value, mut length, mut quoted) = (Vec::new(), 0, false);
        loop {
            match self.next() {
                None | Some(b'\n') if quoted => return None,
                None | Some(b'\n') => break,
                Some(b' ' | b'\t') if !quoted && value.is_empty() => {}
                Some(byte @ (b' ' | b'\t')) if !quoted => value.push(byte),
                Some(b'#' | b';') if !quoted => {
                    self.skip_line();
                    break;
                }
                Some(b'"') => {
                    quoted = !quoted;
                    length = value.len();
                }
                Some(b'\\') => {
                    match self.next()? {
                        b'\n' => continue,
                        b'n' => value.push(b'\n'),
                        b't' => value.push(b'\t'),
                        b'b' => value.push(8),
                        byte @ (b'\\' | b'"') => value.push(byte),
                        _ => return None,
                    }
                    length = value.len();
                }
                Some(byte) => {
                    value.push(byte);
                    length = value.len();
                }
            }
        }
        // Space at the end belongs to the value only inside quotes.
        value.truncate(length);
        Some(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(file: &str) -> Result<Vec<(String, Option<String>)>, usize> {
        let settings = parse(file.as_bytes())?;
        Ok(settings.into_iter().map(|(name, value)| (name, value.map(|value| text(&value)))).collect())
    }

    #[test]
    fn settings_are_read_as_git_reads_them() {
        let cases = [
            ("[core]\n\tbare = true\n", "core.bare", Some("true")),
            ("[Core] Bare\n", "core.bare", None),
            ("[remote \"Up stream\"]\n  url = a # b\n", "remote.Up stream.url", Some("a")),
            ("[remote \"a\\\"b\"]\nURL=\"x # y\" ; z", "remote.a\"b.url", Some("x # y")),
            ("[a.B]\nc = one \\\n  two  \n", "a.b.c", Some("one   two")),
            ("[a]\nb = \"  x  \"  \n", "a.b", Some("  x  ")),
            ("[a]\r\nb = c:\\\\d\\te\r\n", "a.b", Some("c:\\d\te")),
            ("# note\n; note\n[a] b = \n", "a.b", Some("")),
        ];
        for (file, name, value) in cases {
            assert_eq!(settings(file), Ok(vec![(name.to_owned(), value.map(str::to_owned))]), "{file}");
        }
    }

    #[test]
    fn a_broken_line_is_named() {
        for (file, line) in
            [("[a]\nb = 1\n= 2\n", 3), ("[a\n", 2), ("[a]\nb = \"open\n", 2), ("\u{1}", 1), ("[a]\nb c\n", 2)]
        {
            assert_eq!(settings(file), Err(line), "{file}");
        }
    }

    #[test]
    fn subsections_may_hold_dots() {
        let config = Config(vec![
            ("remote.a.b.url".to_owned(), "1".to_owned()),
            ("remote.a.b.fetch".to_owned(), "2".to_owned()),
            ("remote.pushdefault".to_owned(), "3".to_owned()),
        ]);
        assert_eq!(config.subsections("remote"), ["a.b"]);
    }
}
