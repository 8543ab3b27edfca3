//! Text files of settings, some of which may be absent.

use std::cell::Cell;
use std::fs::Metadata;
use std::os::unix::fs::FileTypeExt;
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

    /// The text of a file that another one includes. A missing file is reported.
    pub(crate) fn included(&self, path: &Path) -> Option<String> {
        match self.sys.read_text(path) {
            Err(Error::Gone(_)) => {
                self.report(&Error::Malformed(format!("{} is included but does not exist", path.display())));
                None
            }
            outcome => self.got(outcome),
        }
    }

    /// The files and links to files in a directory, sorted by name. Others that cannot be read are reported.
    pub(crate) fn files_in(&self, directory: impl AsRef<Path>) -> Vec<PathBuf> {
        let directory = directory.as_ref();
        let entries = self.got(self.sys.entries(directory)).unwrap_or_default();
        let mut names: Vec<_> = entries.into_iter().filter(|(_, kind)| !kind.is_dir()).map(|(name, _)| name).collect();
        names.sort_unstable();
        let is_file = |path: &PathBuf| match self.sys.metadata(path).if_present() {
            Ok(metadata) => metadata.is_some_and(|metadata| self.is_file(path, &metadata)),
            // Reading the file reports this.
            Err(_) => true,
        };
        names.into_iter().map(|name| directory.join(name)).filter(is_file).collect()
    }

    /// Whether a path is a regular file. One that is neither a file nor a directory is reported.
    pub(crate) fn is_file(&self, path: &Path, metadata: &Metadata) -> bool {
        // Programs leave sockets in home directories, and a link to /dev/null hides a file of another directory.
        let is_hidden = || self.sys.canonicalize(path).is_ok_and(|path| path == Path::new("/dev/null"));
        let is_other = !metadata.is_file() && !metadata.is_dir() && !metadata.file_type().is_socket();
        if is_other && !is_hidden() {
            // The error names its kind.
            return self.got(self.sys.open(path)).is_some();
        }
        metadata.is_file()
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
        assert_eq!(texts.require("nothing"), Err(Error::Absent("nothing".into())));
        assert_eq!(texts.files_in("/d"), ["/d/.c", "/d/a", "/d/b", "/d/link"].map(PathBuf::from));
        assert_eq!(texts.text("/d/link").as_deref(), Some("d/b"));
        assert_eq!(texts.require("nothing"), Ok(()));
        assert!(reported.take().is_empty());
        crate::source::damaged::fifo(&at("d/fifo"));
        let _socket = std::os::unix::net::UnixListener::bind(at("d/socket")).expect("a socket");
        assert_eq!(texts.files_in("/d").len(), 4);
        assert_eq!(reported.take(), ["/d/fifo is a FIFO, not a regular file"]);
        std::os::unix::fs::symlink("/dev/null", at("d/hidden")).expect("a link");
        let live = Sys::live();
        assert_eq!(Texts::new(&live, &report).files_in(at("d")).len(), 4, "a link to /dev/null hides a file");
        assert_eq!(reported.take(), [format!("{} is a FIFO, not a regular file", at("d/fifo").display())]);
        assert_eq!(texts.included(Path::new("/none")), None);
        assert_eq!(reported.take(), ["/none is included but does not exist"]);
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
