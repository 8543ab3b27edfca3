//! The repository's own configuration, without that of the user and the machine.

use std::path::Path;

use indago_table::{Error, ErrorContext, Result};

use crate::source::folder::{Fence, Folder, SMALL};
use crate::source::{path, text};

/// Settings in the order of the file: `section.subsection.key`, section and key in lowercase.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    settings: Vec<(String, String)>,
    /// Errors about files that could not be read, or not to their end.
    pub(crate) problems: Vec<Error>,
}

/// Limit of nested includes.
const DEPTH: usize = 10;
/// Limit of included files in total, since ten files can each include ten others.
const FILES: usize = 64;

impl Config {
    /// The configuration of a repository, with included files. Conditional includes are skipped.
    pub(crate) fn read(fence: &Fence, own: &Folder, common: &Folder) -> Self {
        let mut config = Config::default();
        let mut left = FILES;
        config.add(fence, &common.path().join("config"), common.read("config", SMALL), DEPTH, &mut left);
        if config.is("extensions.worktreeconfig") {
            let name = "config.worktree";
            config.add(fence, &own.path().join(name), own.read(name, SMALL), DEPTH, &mut left);
        }
        config
    }

    fn add(&mut self, fence: &Fence, file: &Path, bytes: Result<Option<Vec<u8>>>, depth: usize, left: &mut usize) {
        *left = left.saturating_sub(1);
        let (settings, broken) = match bytes {
            Ok(bytes) => parse(&bytes.unwrap_or_default()),
            Err(error) => return self.problems.push(error),
        };
        for (name, value) in settings {
            let value = value.unwrap_or_else(|| b"true".to_vec());
            if name == b"include.path" {
                self.include(fence, file, &value, depth, left);
            }
            self.settings.push((fence.sys().text(&name), fence.sys().text(&value)));
        }
        if let Some(line) = broken {
            let (file, line) = (file.display().to_string(), line as u64);
            self.problems.push(Error::BadLine { file, line, what: "not a setting".to_owned() });
        }
    }

    fn include(&mut self, fence: &Fence, file: &Path, named: &[u8], depth: usize, left: &mut usize) {
        let home = fence.sys().home();
        let included = match (named.strip_prefix(b"~/"), home) {
            (Some(rest), Some(home)) => home.join(path(rest)),
            (Some(_), None) => {
                let named = text(named);
                let message = format!("{} includes {named}, but the home directory is unknown", file.display());
                return self.problems.push(Error::Unsupported(message));
            }
            (None, _) => file.parent().unwrap_or(file).join(path(named)),
        };
        if depth == 0 || *left == 0 {
            let message = format!("{}: too many included files", file.display());
            return self.problems.push(Error::Malformed(message));
        }
        if !fence.is_open() {
            let refusal = fence.refusal(&format!("{} includes {}", file.display(), included.display()));
            return self.problems.push(refusal);
        }
        let bytes = match fence.sys().read_at_most(&included, SMALL).if_present() {
            // Below a root, the file may exist on the original machine but not among these files.
            Ok(None) if !fence.sys().has_live_kernel() => {
                Err(Error::Malformed(format!("{} includes {}, which is missing", file.display(), included.display())))
            }
            other => other,
        };
        self.add(fence, &included, bytes, depth - 1, left);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    /// All values of a setting, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.settings.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Whether a setting is true.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.flag(name).unwrap_or(false)
    }

    /// The value of a boolean setting; `None` if it is not set or not a boolean.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        let value = self.get(name)?.to_ascii_lowercase();
        let is_number = value.parse::<i64>().is_ok_and(|number| number != 0);
        Some(is_number || matches!(value.as_str(), "true" | "yes" | "on"))
    }

    /// The subsections of a section, each once, in order: names of remotes or branches.
    pub(crate) fn subsections(&self, section: &str) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in &self.settings {
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

/// A name and a value; a setting without `=` has no value.
type Setting = (Vec<u8>, Option<Vec<u8>>);

/// Parses the settings up to the first malformed line, and returns the number of that line.
fn parse(bytes: &[u8]) -> (Vec<Setting>, Option<usize>) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut settings = Vec::new();
    let broken = Reader { bytes, at: 0, line: 1 }.settings(&mut settings).err();
    (settings, broken)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Reader<'_> {
    fn settings(&mut self, settings: &mut Vec<Setting>) -> Result<(), usize> {
        let mut section = Vec::new();
        loop {
            self.skip_space();
            match self.next() {
                None => return Ok(()),
                Some(b'#' | b';') => self.skip_line(),
                Some(b'[') => section = self.section().ok_or(self.line)?,
                Some(first) if first.is_ascii_alphabetic() => {
                    let mut key = String::from(char::from(first.to_ascii_lowercase()));
                    while let Some(byte) = self.peek().filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
                        key.push(char::from(byte.to_ascii_lowercase()));
                        self.next();
                    }
                    let line = self.line;
                    let value = self.value().ok_or(line)?;
                    settings.push(([section.as_slice(), b".", key.as_bytes()].concat(), value));
                }
                Some(_) => return Err(self.line),
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        // A line may end in CR LF.
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

    /// The name of a section, after its `[`.
    fn section(&mut self) -> Option<Vec<u8>> {
        let mut name = String::new();
        loop {
            match self.next()? {
                b']' => return Some(name.into_bytes()),
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
        (self.next()? == b']').then(|| [name.as_bytes(), b".", subsection.as_slice()].concat())
    }

    /// The value after a key, up to the end of its line.
    #[expect(clippy::option_option, reason = "outer: whether it can be parsed; inner: whether there is one")]
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
        // Trailing space belongs to the value only inside quotes.
        value.truncate(length);
        Some(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(file: &str) -> Result<Vec<(String, Option<String>)>, usize> {
        let (settings, broken) = parse(file.as_bytes());
        if let Some(line) = broken {
            return Err(line);
        }
        Ok(settings.into_iter().map(|(name, value)| (text(&name), value.map(|value| text(&value)))).collect())
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
    fn names_that_are_not_utf_8_stay_as_they_are() {
        let (settings, broken) = parse(b"[remote \"caf\xe9\"]\nurl = a\n");
        assert_eq!((settings, broken), (vec![(b"remote.caf\xe9.url".to_vec(), Some(b"a".to_vec()))], None));
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
        let names = ["remote.a.b.url", "remote.a.b.fetch", "remote.pushdefault"];
        let settings = names.map(|name| (name.to_owned(), String::new())).to_vec();
        let config = Config { settings, ..Config::default() };
        assert_eq!(config.subsections("remote"), ["a.b"]);
    }
}
