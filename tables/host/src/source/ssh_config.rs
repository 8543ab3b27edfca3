//! Settings of SSH's client and server, with the files that they include.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_table::prelude::*;

use super::glob;
use super::held::{HeldList, owned, owned_bytes};
use super::texts::{Texts, settings};

/// Deepest include; OpenSSH's limit.
const DEEPEST: usize = 16;
/// Most files that are read for one file.
const MOST_FILES: usize = 1000;
/// Longest line in bytes.
const LONGEST_LINE: usize = 64 << 10;

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
    pub(crate) block: Option<Arc<Block>>,
    pub(crate) file: Arc<Path>,
    pub(crate) line: usize,
}

/// A `Host` or `Match` line. In an included file it depends on the block of the `Include` line too.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Block {
    pub(crate) outer: Option<Arc<Block>>,
    pub(crate) criteria: String,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = &self.outer {
            write!(f, "{outer}, ")?;
        }
        f.write_str(&self.criteria)
    }
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
pub(crate) fn read(texts: &Texts<'_>, file: &Path, kind: &Kind) -> Result<HeldList<Setting>> {
    let settings = HeldList::new(texts.sys);
    let mut reader = Reader { texts, kind, open: Vec::new(), files: 0, settings };
    reader.read(file, None)?;
    Ok(reader.settings)
}

struct Reader<'a> {
    texts: &'a Texts<'a>,
    kind: &'a Kind,
    /// Files that are being read, outermost first.
    open: Vec<PathBuf>,
    files: usize,
    settings: HeldList<Setting>,
}

impl Reader<'_> {
    fn read(&mut self, file: &Path, outer: Option<&Arc<Block>>) -> Result<()> {
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
            self.texts.report(&Error::Malformed(what));
            return Ok(());
        }
        if self.files > MOST_FILES {
            return Ok(());
        }
        let Some(text) = self.texts.text(file) else { return Ok(()) };
        // The texts of all open files are in memory.
        let _held = self.texts.sys.meter().hold(text.len())?;
        self.open.push(file.to_owned());
        let shared: Arc<Path> = file.into();
        let mut block = outer.cloned();
        // Bytes of a block that is not charged yet.
        let mut uncharged = 0;
        let mut is_skipped = false;
        for (line, content) in settings(&text) {
            let (keyword, value) = split(content);
            let is_block = self.kind.blocks.contains(&keyword.as_str());
            if content.len() > LONGEST_LINE {
                let what = "longer than 64 KiB; it was skipped, with the settings that depend on it";
                self.texts.bad_line(file, line, what);
                is_skipped |= is_block;
                continue;
            }
            is_skipped &= !is_block;
            if is_skipped {
                continue;
            }
            if is_block {
                let criteria = without_comment(content).trim_end();
                block = Some(Arc::new(Block { outer: outer.cloned(), criteria: criteria.to_owned() }));
                uncharged = owned_bytes(size_of::<Block>()) + owned([criteria]);
                // Since OpenSSH 6.6 this ends a block.
                if outer.is_none() && keyword == "match" && value.eq_ignore_ascii_case("all") {
                    block = None;
                }
                continue;
            }
            let is_include = keyword == "include";
            let owned = owned([&keyword, &value, content]) + std::mem::take(&mut uncharged);
            let setting = Setting {
                value: value.clone(),
                text: content.to_owned(),
                block: block.clone(),
                file: shared.clone(),
                line,
                keyword,
            };
            self.settings.push(setting, owned)?;
            if is_include {
                for pattern in words(&value) {
                    for included in glob::expand(self.texts, &self.absolute(&pattern)) {
                        self.read(&included, block.as_ref())?;
                    }
                }
            }
        }
        self.open.pop();
        Ok(())
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

    use super::*;
    use crate::source::damaged::damaged;
    use crate::source::held::limited;

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
        let settings = read(&Texts::new(&sys, &report), Path::new("/etc/ssh/main"), &kind);
        let found: Vec<_> = settings
            .expect("no limit of memory")
            .into_iter()
            .filter(|setting| setting.keyword != "include")
            .map(|setting| {
                let block = setting.block.map(|block| block.to_string()).unwrap_or_default();
                format!("{} {} {block:?}", setting.keyword, setting.value)
            })
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
        let settings = read(&Texts::new(&sys, &report), Path::new("/a"), &kind).expect("no limit of memory");
        assert!(settings.len() <= 2 * MOST_FILES);
        assert!(reported.take() > 0);
    }

    #[test]
    fn settings_share_their_block_and_long_lines_are_reported() {
        let root = tempfile::tempdir().expect("a directory");
        let name = "h".repeat(LONGEST_LINE - 10);
        let long = "x".repeat(LONGEST_LINE + 1);
        let text = format!("Host {name}\n{}{long}\nHost {long}\nPort 2\nHost b\nPort 3\n", "Port 1\n".repeat(1000));
        std::fs::write(root.path().join("main"), text).expect("a file");
        // The names of the blocks alone would be 64 MB.
        let (sys, limit) = limited(root.path(), 4 << 20);
        let reported = RefCell::new(Vec::new());
        let report = |error: &Error| reported.borrow_mut().push(error.to_string());
        let kind = Kind { directory: "/".into(), home: None, blocks: &["host"] };
        let texts = Texts::new(&sys, &report);
        let settings = read(&texts, Path::new("/main"), &kind).expect("memory is left");
        assert_eq!(settings.iter().map(|setting| setting.value.as_str()).collect::<String>(), "1".repeat(1000) + "3");
        let blocks: Vec<_> = settings.iter().map(|setting| setting.block.clone().expect("a block")).collect();
        assert!(blocks[..1000].iter().all(|block| Arc::ptr_eq(block, &blocks[0])));
        let what = "longer than 64 KiB; it was skipped, with the settings that depend on it";
        assert_eq!(reported.take(), [1002, 1003].map(|line| format!("/main, line {line}: {what}")));
        drop(settings);
        std::fs::write(root.path().join("main"), "Port 1\n".repeat(20_000)).expect("a file");
        assert!(matches!(read(&texts, Path::new("/main"), &kind).map(drop), Err(Error::OutOfMemory(_))));
        assert_eq!(limit.left(), 4 << 20);
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
