//! A repository's folders, and how far the files in them may lead.
//!
//! A repository names other places: by links, in `.git` files, `commondir`, `info/alternates`, `core.worktree` and
//! `include.path`. Where these may lead:
//!
//! - Below a host root, everything resolves inside the root; [`Sys`] takes care of that.
//! - On the running machine, a repository of the user who asks leads anywhere, as it does for git.
//! - On the running machine, a repository of another user leads only to folders of its owner, and links inside its
//!   folders stay inside. Otherwise its owner could have root read files that he may not read himself.

use std::ffi::OsString;
use std::fs::FileType;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use indago_table::sys::SysFile;
use indago_table::{Error, ErrorContext, Result, Sys};

/// How far a repository may lead.
#[derive(Debug, Clone)]
pub(crate) struct Fence {
    sys: Sys,
    /// The owner of a repository on the running machine, if that is another user than the one who asks.
    owner: Option<u32>,
}

impl Fence {
    /// The fence of the repository that is found at a path: a `.git` folder, file or link, or a bare repository.
    pub(crate) fn around(sys: &Sys, found: &Path) -> Result<Self> {
        let owner = match sys.has_live_kernel() {
            true => Some(sys.symlink_metadata(found)?.uid()).filter(|owner| i64::from(*owner) != sys.uid()),
            false => None,
        };
        Ok(Fence { sys: sys.clone(), owner })
    }

    /// Whether the repository may lead to files outside its folders.
    pub(crate) fn is_open(&self) -> bool {
        self.owner.is_none()
    }

    pub(crate) fn sys(&self) -> &Sys {
        &self.sys
    }

    /// The real path of a folder that a file of the repository names; `None` if there is no such folder.
    pub(crate) fn lead(&self, from: &Path, to: &Path) -> Result<Option<PathBuf>> {
        let Some(real) = self.sys.canonicalize(to).if_present()? else { return Ok(None) };
        let found = self.sys.metadata(&real)?;
        if self.owner.is_some_and(|owner| owner != found.uid()) {
            return Err(self.refusal(&format!("{} leads to {}", from.display(), real.display())));
        }
        Ok(Some(real))
    }

    /// Why something outside the repository was not read.
    pub(crate) fn refusal(&self, what: &str) -> Error {
        Error::Unsupported(format!("{what}, outside a repository of another user: it is not followed"))
    }

    pub(crate) fn folder(&self, path: PathBuf) -> Result<Folder> {
        Ok(match self.owner {
            None => Folder { sys: self.sys.clone(), base: path.clone(), path, is_fenced: false },
            Some(_) => Folder { sys: self.sys.below(&path)?, base: PathBuf::from("/"), path, is_fenced: true },
        })
    }
}

/// A folder of a repository. Names are paths inside it.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    sys: Sys,
    /// The folder as `sys` sees it.
    base: PathBuf,
    /// The folder as the machine sees it.
    path: PathBuf,
    is_fenced: bool,
}

/// A `HEAD`, a ref, a list of paths is no larger.
pub(crate) const SMALL: u64 = 1 << 20;
/// `packed-refs`, a commit graph, a reftable, the list of shallow commits are no larger.
pub(crate) const LARGE: u64 = 256 << 20;

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder inside it.
    pub(crate) fn below(&self, name: PathBuf) -> Folder {
        Folder { base: self.base.join(&name), path: self.path.join(name), ..self.clone() }
    }

    /// A file, open; `None` if there is none.
    pub(crate) fn open(&self, name: impl AsRef<Path>) -> Result<Option<SysFile>> {
        let name = name.as_ref();
        self.named(name, self.sys.open(self.base.join(name))).if_present()
    }

    /// The content of a file of at most so many bytes; `None` if there is none.
    pub(crate) fn read(&self, name: impl AsRef<Path>, most: u64) -> Result<Option<Vec<u8>>> {
        let name = name.as_ref();
        let Some(mut file) = self.open(name)? else { return self.absent(name) };
        let mut bytes = Vec::new();
        file.read_rest(&self.path.join(name), &mut bytes, most)?;
        Ok(Some(bytes))
    }

    /// Names in a folder and what they are; `None` if there is no such folder.
    pub(crate) fn entries(&self, name: impl AsRef<Path>) -> Result<Option<Vec<(OsString, FileType)>>> {
        let name = name.as_ref();
        match self.named(name, self.sys.entries(self.base.join(name))).if_present()? {
            Some(entries) => Ok(Some(entries)),
            None => self.absent(name),
        }
    }

    /// Where a link points; an error if it is no link.
    pub(crate) fn read_link(&self, name: &str) -> Result<PathBuf> {
        self.sys.read_link(self.base.join(name))
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.sys.exists(self.base.join(name))
    }

    /// What a name that leads to nothing means: behind a fence it may be a link that leads out.
    fn absent<T>(&self, name: &Path) -> Result<Option<T>> {
        let is_link = |part: &Path| self.sys.read_link(self.base.join(part)).is_ok();
        // Behind a slash at the end there would be no link.
        if self.is_fenced && name.components().as_path().ancestors().any(is_link) {
            let path = self.path.join(name);
            let message = format!("{} leads outside a repository of another user: it is not followed", path.display());
            return Err(Error::Unsupported(message));
        }
        Ok(None)
    }

    /// An error with the path as the machine sees it.
    fn named<T>(&self, name: &Path, outcome: Result<T>) -> Result<T> {
        if !self.is_fenced {
            return outcome;
        }
        let what = || self.path.join(name).display().to_string();
        outcome.map_err(|error| match error {
            Error::Denied { needs, .. } => Error::Denied { what: what(), needs },
            Error::Io { message, .. } => Error::Io { what: what(), message },
            other => other,
        })
    }
}
