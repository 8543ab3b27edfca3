//! Settings of SSH's client and server, with the files that they include.

use std::path::{Path, PathBuf};

use super::glob;
use super::texts::{Texts, settings};

/// Deepest include; OpenSSH's limit.
const DEEPEST: usize = 16;
/// Most files that are read for one file.
const MOST_FILES: usize = 1000;

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// In lowercase.
    pub(crate) keyword: String,
    /// As written, without a comment after it.
    pub(crate) value: String,
    /// The complete line.
    pub(crate) text: String,
    /// The `Host` or `Match` line that it depends on; `None` for a setting that always applies.
    pub(crate) block: Option<String>,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

/// Where included files are looked for, and what begins a block.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// Directory of relative paths.
    pub(crate) directory: PathBuf,
    /// Home directory of the user, for `~`.
    pub(crate) home: Option<PathBuf>,
    /// Keywords that begin a block.
    pub(crate) blocks: &'static [&'static str],
}

/// Reads a file and those that it includes, in their order. `Host` and `Match` lines are not settings.
pub(crate) fn read(texts: &Texts<'_>, file: &Path, kind: &Kind) -> Vec<Setting> {
    let mut reader = Reader { texts, kind, open: Vec::new(), files: 0, settings: Vec::new() };
    reader.read(file, None);
    reader.settings
}

struct Reader<'a> {
    texts: &'a Texts<'a>,
    kind: &'a Kind,
    /// Files that are being read, outermost first.
    open: Vec<PathBuf>,
    files: usize,
    settings: Vec<Setting>,
}

impl Reader<'_> {
    fn read(&mut self, file: &Path, outer: Option<&str>) {
        self.files += 1;
        let problem = if self.open.iter().any(|open| open == file) {
            Some("includes itself")
        } else if self.open.len() > DEEPEST {
            Some("is included too deeply")
        } else if self.files == MOST_FILES + 1 {
            Some("is one of more than 1000 included files; the others were skipped")
        } else {
            None
        };
        if let Some(problem) = problem {
            let what = format!("{} {problem}", file.display());
            return self.texts.report(&indago_table::Error::Malformed(what));
        }
        if self.files > MOST_FILES {
            return;
        }
        let Some(text) = self.texts.text(file) else { return };
        self.open.push(file.to_owned());
        let mut block = outer.map(str::to_owned);
        for (line, content) in settings(&text) {
            let (keyword, value) = split(content);
            if self.kind.blocks.contains(&keyword.as_str()) {
                let criteria = without_comment(content).trim_end();
                // A block inside an included file depends on the outer one too.
                block = Some(match outer {
                    Some(outer) => format!("{outer}, {criteria}"),
                    None => criteria.to_owned(),
                });
                // Since OpenSSH 6.6 this ends a block.
                if outer.is_none() && keyword == "match" && value.eq_ignore_ascii_case("all") {
                    block = None;
                }
                continue;
            }
            self.settings.push(Setting {
                value: value.clone(),
                text: content.to_owned(),
                block: block.clone(),
                file: file.to_owned(),
                line,
                keyword,
            });
            if self.settings.last().is_some_and(|setting| setting.keyword == "include") {
                for pattern in words(&value) {
                    for included in glob::expand(self.texts, &self.absolute(&pattern)) {
                        self.read(&included, block.as_deref());
                    }
                }
            }
        }
        self.open.pop();
    }

    fn absolute(&self, pattern: &str) -> String {
        match (pattern.strip_prefix("~/"), &self.kind.home) {
            (Some(below), Some(home)) => glob::absolute(below, home),
            _ => glob::absolute(pattern, &self.kind.directory),
        }
    }
}

/// The keyword of a line in lowercase, and its value. A `=` may stand between them.
fn split(line: &str) -> (String, String) {
    let end = line.find(|character: char| character == '=' || character.is_whitespace()).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let value = rest.strip_prefix('=').unwrap_or(rest).trim();
    (keyword.to_ascii_lowercase(), without_comment(value).trim_end().to_owned())
}

/// A value up to a word that begins with `#`.
fn without_comment(value: &str) -> &str {
    let mut quoted = false;
    let mut previous = ' ';
    let comment = value.char_indices().find(|(_, character)| {
        let is_comment = *character == '#' && !quoted && previous.is_whitespace();
        quoted ^= *character == '"';
        previous = *character;
        is_comment
    });
    comment.map_or(value, |(at, _)| &value[..at])
}

/// Words of a value; quotes may enclose blanks.
pub(crate) fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut is_open) = (false, false);
    for character in value.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                is_open = true;
            }
            blank if blank.is_whitespace() && !quoted => {
                if is_open {
                    words.push(std::mem::take(&mut word));
                }
                is_open = false;
            }
            other => {
                word.push(other);
                is_open = true;
            }
        }
    }
    if is_open {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use indago_table::{Error, Sys};

    use super::*;
    use crate::source::texts::damaged;

    #[test]
    fn included_files_belong_to_their_block_and_loops_end() {
        let root = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        };
        write(
            "etc/ssh/main",
            "Port=22\nInclude d/*.conf \"/etc/ssh/with blank\"\nMatch user ada # note\n X11Forwarding \
                               no # x\n Include d/b.conf\nMatch all\nBanner \"a # b\"\nInclude main none\n",
        );
        write("etc/ssh/d/b.conf", "PermitRootLogin yes\nMatch host x\nPort 1\n");
        write("etc/ssh/d/a.conf", "UsePAM yes\n");
        write("etc/ssh/with blank", "Compression no\n");
        let sys = Sys::at(root.path());
        let reported = RefCell::new(Vec::new());
        let report = |error: &Error| reported.borrow_mut().push(error.to_string());
        let kind = Kind { directory: "/etc/ssh".into(), home: None, blocks: &["match"] };
        let found: Vec<_> = read(&Texts::new(&sys, &report), Path::new("/etc/ssh/main"), &kind)
            .into_iter()
            .filter(|setting| setting.keyword != "include")
            .map(|setting| format!("{} {} {:?}", setting.keyword, setting.value, setting.block.unwrap_or_default()))
            .collect();
        assert_eq!(
            found,
            [
                "port 22 \"\"",
                "usepam yes \"\"",
                "permitrootlogin yes \"\"",
                "port 1 \"Match host x\"",
                "compression no \"\"",
                "x11forwarding no \"Match user ada\"",
                "permitrootlogin yes \"Match user ada\"",
                "port 1 \"Match user ada, Match host x\"",
                "banner \"a # b\" \"\"",
            ]
        );
        assert_eq!(reported.take(), ["/etc/ssh/main includes itself"]);
    }

    #[test]
    fn a_file_that_includes_many_others_ends() {
        let root = tempfile::tempdir().expect("a directory");
        for name in 'a'..='z' {
            std::fs::write(root.path().join(name.to_string()), "Include /*\nPort 1\n").expect("a file");
        }
        let sys = Sys::at(root.path());
        let reported = RefCell::new(0);
        let report = |_: &Error| *reported.borrow_mut() += 1;
        let kind = Kind { directory: "/".into(), home: None, blocks: &[] };
        assert!(read(&Texts::new(&sys, &report), Path::new("/a"), &kind).len() <= 2 * MOST_FILES);
        assert!(reported.take() > 0);
    }

    #[test]
    fn lines_have_keywords_and_values() {
        for (line, keyword, value) in [
            ("Port 22", "port", "22"),
            ("PORT=22", "port", "22"),
            ("Port = 22 # x", "port", "22"),
            ("Banner a#b", "banner", "a#b"),
            ("alone", "alone", ""),
        ] {
            assert_eq!(split(line), (keyword.to_owned(), value.to_owned()), "{line}");
            damaged(line.as_bytes(), |bytes| split(&String::from_utf8_lossy(bytes)).1.len());
        }
        assert_eq!(words("a \"b c\"d  \"\" e"), ["a", "b cd", "", "e"]);
    }
}
