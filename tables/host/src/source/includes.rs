//! Files that include others, within limits.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use super::texts::Texts;

/// The files that a reader of includes has open. Their depth and their total number are limited, because files that include
/// others twice are read exponentially often.
#[derive(Debug)]
pub(crate) struct Includes {
    /// Outermost first.
    open: Vec<PathBuf>,
    /// Files so far.
    files: usize,
    deepest: usize,
    most: usize,
}

impl Includes {
    /// At most `deepest` files are open at once, and `most` are read in all.
    pub(crate) fn new(deepest: usize, most: usize) -> Self {
        Includes { open: Vec::new(), files: 0, deepest, most }
    }

    /// Opens a file; [`leave`](Includes::leave) closes it. `false` for a file that is skipped, which is reported: all files
    /// beyond the limit once.
    pub(crate) fn enter(&mut self, texts: &Texts<'_>, file: &Path) -> bool {
        self.files += 1;
        if self.files > self.most + 1 {
            return false;
        }
        let problem = if self.open.iter().any(|open| open == file) {
            "includes itself".to_owned()
        } else if self.open.len() == self.deepest {
            "is included too deeply".to_owned()
        } else if self.files > self.most {
            format!("is one of more than {} included files; the others were skipped", self.most)
        } else {
            self.open.push(file.to_owned());
            return true;
        };
        texts.report(&Error::Malformed(format!("{} {problem}", file.display())));
        false
    }

    /// The text of the file that was opened last. A missing one is reported, unless it is the first.
    pub(crate) fn text(&self, texts: &Texts<'_>) -> Option<String> {
        match self.open.as_slice() {
            [] => None,
            [file] => texts.text(file),
            [.., file] => texts.included(file),
        }
    }

    pub(crate) fn leave(&mut self) {
        self.open.pop();
    }
}
