//! `sudoers`: one row per rule, setting and include of sudo.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::source::held::HeldList;
use crate::source::includes::Includes;
use crate::source::texts::{Texts, split_word};

/// Rules and settings in `/etc/sudoers` and the files that it includes, in the order in which sudo reads them.
#[derive(Debug, Default, PartialEq, Table)]
#[table(
    name = "sudoers",
    platforms("linux"),
    rows = 15,
    whole_source,
    identity(source, line, header),
    needs("CAP_DAC_READ_SEARCH"),
    namespaces
)]
#[example(
    "Rules that need no password.",
    "SELECT source, header, rule_details FROM sudoers WHERE rule_details LIKE '%NOPASSWD%'"
)]
pub struct Sudoer {
    /// File with the rule.
    source: String,
    /// First word: the user, group (`%wheel`) or user ID (`#1000`) of a rule, `Defaults`, the kind of an alias, or
    /// `include` and `includedir`.
    header: String,
    /// The rest of the rule, or the included file or directory.
    rule_details: String,
    /// Line in the file, from 1; the first one of a rule that continues.
    #[column(added)]
    line: i64,
}

const FILE: &str = "/etc/sudoers";

/// sudo's limit.
const DEEPEST: usize = 128;
/// Most files that are read.
const MOST_FILES: usize = 1000;

impl Rows for Sudoer {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |error: &Error| scan.report("rules", error);
        let texts = Texts::new(scan.sys(), &report);
        let rows = rows(&texts)?;
        scan.sys().check_cancelled()?;
        texts.require("sudo has no rules (/etc/sudoers does not exist)")?;
        Ok(rows.into_iter())
    }
}

fn rows(texts: &Texts<'_>) -> Result<HeldList<Sudoer>> {
    let includes = Includes::new(DEEPEST, MOST_FILES);
    let mut reader = Reader { texts, includes, rows: HeldList::new(texts.sys) };
    reader.read(Path::new(FILE))?;
    Ok(reader.rows)
}

struct Reader<'a> {
    texts: &'a Texts<'a>,
    includes: Includes,
    rows: HeldList<Sudoer>,
}

impl Reader<'_> {
    fn read(&mut self, file: &Path) -> Result<()> {
        if self.includes.enter(self.texts, file) {
            self.read_open(file)?;
            self.includes.leave();
        }
        Ok(())
    }

    fn read_open(&mut self, file: &Path) -> Result<()> {
        let Some(text) = self.includes.text(self.texts) else { return Ok(()) };
        for (line, rule) in rules(&text) {
            let included = match parse(&rule) {
                Some(Rule::Rule(header, details)) => {
                    self.add(file, line, header, details)?;
                    continue;
                }
                Some(Rule::Include(header, path)) => (header, self.path(file, &path)),
                None => continue,
            };
            let (header, path) = included;
            self.add(file, line, header, self.texts.sys.path_text(&path))?;
            if header == INCLUDE {
                self.read(&path)?;
                continue;
            }
            for path in self.texts.files_in(&path) {
                let name = path.file_name().unwrap_or_default().as_encoded_bytes();
                if !name.contains(&b'.') && !name.ends_with(b"~") {
                    self.read(&path)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, file: &Path, line: usize, header: &str, rule_details: String) -> Result<()> {
        let source = self.texts.sys.path_text(file);
        self.rows.add(Sudoer { source, header: header.to_owned(), rule_details, line: line as i64 })
    }

    /// An included path: relative to its file, with the host's name for `%h`.
    fn path(&self, file: &Path, path: &str) -> PathBuf {
        let path = match path.contains("%h") {
            true => {
                let name = self.texts.sys.read_text("/proc/sys/kernel/hostname");
                let name = name.or_else(|_| self.texts.sys.read_text("/etc/hostname")).unwrap_or_default();
                path.replace("%h", name.trim().split('.').next().unwrap_or_default())
            }
            false => path.to_owned(),
        };
        file.parent().unwrap_or(Path::new("/")).join(path)
    }
}

const INCLUDE: &str = "include";
const INCLUDE_DIRECTORY: &str = "includedir";

#[derive(Debug, PartialEq)]
enum Rule<'a> {
    Rule(&'a str, String),
    Include(&'static str, String),
}

/// The lines of a file with the number of their first one. A backslash continues a line.
pub(crate) fn rules(text: &str) -> Vec<(usize, String)> {
    let mut rules: Vec<(usize, String)> = Vec::new();
    let (mut continues, mut is_blank, mut is_comment) = (false, true, false);
    for (position, line) in text.lines().enumerate() {
        let (content, has_backslash) = line.strip_suffix('\\').map_or((line, false), |content| (content, true));
        match rules.last_mut().filter(|_| continues) {
            Some((_, rule)) => rule.push_str(content),
            None => {
                rules.push((position + 1, content.to_owned()));
                is_blank = true;
            }
        }
        // A comment does not continue. A rule of a user ID begins with `#`, too. The first line with text decides.
        if is_blank {
            let start = content.trim_start();
            is_blank = start.is_empty();
            is_comment = start.starts_with('#') && without_comment(start).is_empty();
        }
        continues = has_backslash && !is_comment;
    }
    rules
}

/// A rule or include; `None` for a blank line or comment.
fn parse(line: &str) -> Option<Rule<'_>> {
    let line = without_comment(line.trim());
    let (header, details) = split_word(line);
    let include = header.strip_prefix(['#', '@']).and_then(|word| match word {
        INCLUDE => Some(INCLUDE),
        INCLUDE_DIRECTORY => Some(INCLUDE_DIRECTORY),
        _ => None,
    });
    match include {
        Some(_) if details.is_empty() => None,
        Some(include) => Some(Rule::Include(include, unquoted(details))),
        None if header.is_empty() => None,
        None => Some(Rule::Rule(header, details.split_whitespace().collect::<Vec<_>>().join(" "))),
    }
}

/// A line up to its comment. A `#` before a number is a user ID, and one that begins an include is not a comment.
pub(crate) fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let mut previous = ' ';
    for (at, character) in line.char_indices() {
        if character == '#' && !quoted && previous != '\\' {
            let after = &line[at + 1..];
            let starts = previous.is_whitespace() || previous == ',';
            let is_id = starts && after.starts_with(|next: char| next.is_ascii_digit() || next == '-');
            let is_include = at == 0 && [INCLUDE, INCLUDE_DIRECTORY].contains(&split_word(after).0);
            if !is_id && !is_include {
                return line[..at].trim_end();
            }
        }
        quoted ^= character == '"' && previous != '\\';
        previous = character;
    }
    line
}

/// A path without its quotes and backslashes.
fn unquoted(path: &str) -> String {
    let path = path.trim_matches('"');
    let mut text = String::new();
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        text.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    text
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::source::damaged::damaged;
    use crate::source::held::limited;

    #[test]
    fn rules_continue_and_have_comments() {
        let text = "# note \\\nroot ALL=(ALL:ALL)  ALL # all\n#1000 \\\nALL=ALL\n\
            ada, #1001 \\\n  ALL = NOPASSWD: /bin/a\\#b\n\
                    Defaults badpass_message=\"no # no\"\n#include\n#included x\n@include \"/etc/a b\"\n\
                    #includedir /etc/sudoers.d\n\t%wheel ALL=ALL\n";
        let found: Vec<String> = rules(text)
            .iter()
            .filter_map(|(line, rule)| match parse(rule)? {
                Rule::Rule(header, details) => Some(format!("{line} {header}|{details}")),
                Rule::Include(header, path) => Some(format!("{line} {header} -> {path}")),
            })
            .collect();
        assert_eq!(
            found,
            [
                "2 root|ALL=(ALL:ALL) ALL",
                "3 #1000|ALL=ALL",
                "5 ada,|#1001 ALL = NOPASSWD: /bin/a\\#b",
                "7 Defaults|badpass_message=\"no # no\"",
                "10 include -> /etc/a b",
                "11 includedir -> /etc/sudoers.d",
                "12 %wheel|ALL=ALL",
            ]
        );
        damaged(text.as_bytes(), |bytes| {
            let text = String::from_utf8_lossy(bytes);
            rules(&text).iter().filter(|(_, rule)| parse(rule).is_some()).count()
        });
    }

    #[test]
    fn included_files_are_read_once_per_chain() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(root.path().join("etc/sudoers.d")).expect("a directory");
        for (name, text) in [
            ("sudoers", "@include more\n@includedir /etc/sudoers.d\n"),
            ("more", "ada ALL=ALL\n@include sudoers\n"),
            ("sudoers.d/a", "bob ALL=ALL\n"),
            ("sudoers.d/b.conf", "eve ALL=ALL\n"),
            ("sudoers.d/c~", "eve ALL=ALL\n"),
        ] {
            std::fs::write(root.path().join("etc").join(name), text).expect("a file");
        }
        let sys = Sys::at(root.path());
        let reported = RefCell::new(Vec::new());
        let report = |error: &Error| reported.borrow_mut().push(error.to_string());
        let texts = Texts::new(&sys, &report);
        let rows = rows(&texts).expect("memory is left");
        let rows: Vec<_> = rows.iter().map(|row| format!("{} {}", row.header, row.rule_details)).collect();
        assert_eq!(
            rows,
            ["include /etc/more", "ada ALL=ALL", "include /etc/sudoers", "includedir /etc/sudoers.d", "bob ALL=ALL"]
        );
        assert_eq!(reported.take(), ["/etc/sudoers includes itself"]);
    }

    #[test]
    fn files_that_include_others_often_end_and_missing_ones_are_reported() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(root.path().join("etc")).expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(root.path().join("etc").join(name), text).expect("a file");
        write("sudoers", "@include 0\n");
        for number in 0..16 {
            write(&number.to_string(), &format!("@include {}\n", number + 1).repeat(2));
        }
        let sys = Sys::at(root.path());
        let read = || {
            let reported = RefCell::new(Vec::new());
            let report = |error: &Error| reported.borrow_mut().push(error.to_string());
            let texts = Texts::new(&sys, &report);
            let rows = rows(&texts).expect("memory is left").len();
            (rows, reported.take())
        };
        write("16", "ada ALL=ALL\n");
        let (rows, reported) = read();
        assert!(rows <= 2 * MOST_FILES, "{rows}");
        assert_eq!(reported.len(), 1);
        assert!(reported[0].ends_with("is one of more than 1000 included files; the others were skipped"));
        write("sudoers", "@include none\n@includedir none.d\nada ALL=ALL\n");
        assert_eq!(read(), (3, vec!["/etc/none is included but does not exist".to_owned()]));
    }

    #[test]
    fn rules_are_charged() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(root.path().join("etc")).expect("a directory");
        std::fs::write(root.path().join("etc/sudoers"), "ada ALL=ALL\n".repeat(10_000)).expect("a file");
        let read = |limit: usize| {
            let (sys, left) = limited(root.path(), limit);
            let report = |error: &Error| panic!("{error}");
            let read = rows(&Texts::new(&sys, &report));
            let charged = limit - left.left();
            (read.map(|rows| rows.len()), charged)
        };
        let (rows, charged) = read(1 << 30);
        assert_eq!(rows, Ok(10_000));
        assert!(charged > 10_000 * (size_of::<Sudoer>() + 25), "{charged}");
        assert!(matches!(read(1 << 20).0, Err(Error::OutOfMemory(_))));
    }

    #[test]
    fn the_first_line_with_text_decides_whether_a_rule_is_a_comment() {
        let shown =
            |text: &str| rules(text).into_iter().map(|(line, rule)| format!("{line}{rule}")).collect::<Vec<_>>();
        assert_eq!(shown(" \\\n#1000 \\\na # b \\\nc\n# d \\\ne\n"), ["1 #1000 a # b c", "5# d ", "6e"]);
        assert_eq!(shown("\\\n# a \\\nb\n"), ["1# a ", "3b"]);
    }
}
