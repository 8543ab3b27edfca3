//! Text files of settings, some of which may be absent.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use indago_table::prelude::*;

/// Reads the files of one table. A missing file is skipped, and one that cannot be read is reported.
pub(crate) struct Texts<'a> {
    pub(crate) sys: &'a Sys,
    report: &'a dyn Fn(&Error),
    found: Cell<bool>,
}

impl<'a> Texts<'a> {
    pub(crate) fn new(sys: &'a Sys, report: &'a dyn Fn(&Error)) -> Self {
        Texts { sys, report, found: Cell::new(false) }
    }

    /// The value of a read; `None` if its object is missing, or if the read failed, which is reported.
    pub(crate) fn got<T>(&self, outcome: Result<T>) -> Option<T> {
        let outcome = outcome.if_present();
        self.found.set(self.found.get() || !matches!(outcome, Ok(None)));
        outcome.unwrap_or_else(|error| {
            (self.report)(&error);
            None
        })
    }

    pub(crate) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        self.got(self.sys.read_text(path))
    }

    /// The files and links in a directory, sorted by name.
    pub(crate) fn files_in(&self, directory: impl AsRef<Path>) -> Vec<PathBuf> {
        let directory = directory.as_ref();
        let entries = self.got(self.sys.entries(directory)).unwrap_or_default();
        let mut names: Vec<_> =
            entries.into_iter().filter(|(_, kind)| kind.is_file() || kind.is_symlink()).map(|(name, _)| name).collect();
        names.sort_unstable();
        let is_file = |path: &PathBuf| match self.sys.metadata(path).if_present() {
            Ok(metadata) => metadata.is_some_and(|metadata| metadata.is_file()),
            // Reading the file reports this.
            Err(_) => true,
        };
        names.into_iter().map(|name| directory.join(name)).filter(is_file).collect()
    }

    pub(crate) fn report(&self, error: &Error) {
        (self.report)(error);
    }

    /// Reports a line, counted from 1.
    pub(crate) fn bad_line(&self, path: &Path, line: usize, what: &str) {
        let file = path.display().to_string();
        (self.report)(&Error::BadLine { file, line: line as u64, what: what.to_owned() });
    }

    /// Fails if no file or directory existed.
    pub(crate) fn require(&self, what: &str) -> Result<()> {
        if self.found.get() { Ok(()) } else { Err(Error::Absent(what.to_owned())) }
    }
}

/// The lines of a text with their numbers from 1, without blanks around them, blank lines, and lines that begin with
/// `#`.
pub(crate) fn settings(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(position, line)| (position + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The first word of a line and the rest.
pub(crate) fn split_word(line: &str) -> (&str, &str) {
    let line = line.trim_start();
    match line.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (line, ""),
    }
}

/// Parses every prefix of a sample, and the sample with each byte changed. A parser must not panic, and `size` is what
/// it returned, which must not exceed the input by far.
#[cfg(test)]
pub(crate) fn damaged(sample: &[u8], size: impl Fn(&[u8]) -> usize) {
    let check = |input: &[u8]| assert!(size(input) <= 64 + 64 * input.len(), "{}", input.escape_ascii());
    (0..=sample.len()).for_each(|end| check(&sample[..end]));
    let mut changed = sample.to_vec();
    for position in 0..sample.len() {
        for byte in [0, b'\n', b' ', b'"', b'#', b'\\', 0x7f, 0xff, sample[position].wrapping_add(1)] {
            changed[position] = byte;
            check(&changed);
        }
        changed[position] = sample[position];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_files_are_skipped_and_unreadable_ones_are_reported() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("d/sub")).expect("a directory");
        for name in ["d/b", "d/a", "d/.c"] {
            std::fs::write(at(name), name).expect("a file");
        }
        std::os::unix::fs::symlink("b", at("d/link")).expect("a link");
        std::os::unix::fs::symlink("none", at("d/broken")).expect("a link");
        std::os::unix::fs::symlink("sub", at("d/to-sub")).expect("a link");
        let sys = Sys::at(root.path());
        let reported = std::cell::RefCell::new(Vec::new());
        let report = |error: &Error| reported.borrow_mut().push(error.to_string());
        let texts = Texts::new(&sys, &report);
        assert_eq!(texts.text("/none"), None);
        assert_eq!(texts.files_in("/none"), [""; 0].map(PathBuf::from));
        assert_eq!(texts.require("nothing"), Err(Error::Unsupported("nothing".into())));
        assert_eq!(texts.files_in("/d"), ["/d/.c", "/d/a", "/d/b", "/d/link"].map(PathBuf::from));
        assert_eq!(texts.text("/d/link").as_deref(), Some("d/b"));
        assert_eq!(texts.require("nothing"), Ok(()));
        assert!(reported.take().is_empty());
        assert_eq!(texts.text("/d"), None);
        assert_eq!(reported.take(), ["/d is a directory, not a regular file"]);
    }

    #[test]
    fn comments_and_blank_lines_are_not_settings() {
        let found: Vec<_> = settings("# a\n\n  b c\r\n\t#d\ne # f").collect();
        assert_eq!(found, [(3, "b c"), (5, "e # f")]);
        assert_eq!(split_word(" a\tb  c"), ("a", "b  c"));
        assert_eq!(split_word("a"), ("a", ""));
    }
}
