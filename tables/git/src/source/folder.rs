//! A repository's directories, and limits on where the files in them may lead.
//!
//! A repository refers to other places by links, in `.git` files, `commondir`, `info/alternates`, `core.worktree` and
//! `include.path`. They may lead to:
//!
//! - Below a host root: paths inside the root; [`Sys`] ensures that.
//! - On the running machine, from a repository of the calling user: any path, as for git.
//! - On the running machine, from a repository of another user: only directories of its owner. Links inside its
//!   directories stay inside. Otherwise the owner could make root read files that the owner may not read.

use std::ffi::OsString;
use std::fs::FileType;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use indago_table::sys::SysFile;
use indago_table::{Error, ErrorContext, Result, Sys};

/// The limit on where a repository may lead.
#[derive(Debug, Clone)]
pub(crate) struct Fence {
    sys: Sys,
    /// The owner of a repository on the running machine, if not the calling user.
    owner: Option<u32>,
}

impl Fence {
    /// The fence of the repository at a path: a `.git` directory, file or link, or a bare repository.
    pub(crate) fn around(sys: &Sys, found: &Path) -> Result<Self> {
        let owner = match sys.has_live_kernel() {
            true => Some(sys.symlink_metadata(found)?.uid()).filter(|owner| i64::from(*owner) != sys.uid()),
            false => None,
        };
        Ok(Fence { sys: sys.clone(), owner })
    }

    /// Whether the repository may lead to files outside its directories.
    pub(crate) fn is_open(&self) -> bool {
        self.owner.is_none()
    }

    pub(crate) fn sys(&self) -> &Sys {
        &self.sys
    }

    /// The real path of a directory that a file of the repository names; `None` if it does not exist.
    pub(crate) fn lead(&self, from: &Path, to: &Path) -> Result<Option<PathBuf>> {
        let Some(real) = self.sys.canonicalize(to).if_present()? else { return Ok(None) };
        let found = self.sys.metadata(&real)?;
        if self.owner.is_some_and(|owner| owner != found.uid()) {
            return Err(self.refusal(&format!("{} leads to {}", from.display(), real.display())));
        }
        Ok(Some(real))
    }

    /// The error for something outside the repository.
    pub(crate) fn refusal(&self, what: &str) -> Error {
        Error::Unsupported(format!("{what}, outside another user's repository; it was not followed"))
    }

    pub(crate) fn folder(&self, path: PathBuf) -> Result<Folder> {
        Ok(match self.owner {
            None => Folder { sys: self.sys.clone(), base: path.clone(), path, is_fenced: false },
            Some(_) => Folder { sys: self.sys.below(&path)?, base: PathBuf::from("/"), path, is_fenced: true },
        })
    }
}

/// A directory of a repository. Names are paths inside it.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    sys: Sys,
    /// The directory as `sys` sees it.
    base: PathBuf,
    /// The directory as the machine sees it.
    path: PathBuf,
    is_fenced: bool,
}

/// Limit in bytes of a `HEAD`, a ref, or a list of paths.
pub(crate) const SMALL: u64 = 1 << 20;
/// Limit in bytes of `packed-refs`, a commit graph, a reftable, or the list of shallow commits.
pub(crate) const LARGE: u64 = 256 << 20;

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A directory inside it.
    pub(crate) fn below(&self, name: PathBuf) -> Folder {
        Folder { base: self.base.join(&name), path: self.path.join(name), ..self.clone() }
    }

    /// Opens a file; `None` if it does not exist.
    pub(crate) fn open(&self, name: impl AsRef<Path>) -> Result<Option<SysFile>> {
        let name = name.as_ref();
        self.named(name, self.sys.open(self.base.join(name))).if_present()
    }

    /// Reads a file of at most `most` bytes; `None` if it does not exist.
    pub(crate) fn read(&self, name: impl AsRef<Path>, most: u64) -> Result<Option<Vec<u8>>> {
        let name = name.as_ref();
        let Some(mut file) = self.open(name)? else { return self.absent(name) };
        let mut bytes = Vec::new();
        file.read_rest(&self.path.join(name), &mut bytes, most)?;
        Ok(Some(bytes))
    }

    /// Names and types of a directory's entries; `None` if it does not exist.
    pub(crate) fn entries(&self, name: impl AsRef<Path>) -> Result<Option<Vec<(OsString, FileType)>>> {
        let name = name.as_ref();
        match self.named(name, self.sys.entries(self.base.join(name))).if_present()? {
            Some(entries) => Ok(Some(entries)),
            None => self.absent(name),
        }
    }

    /// Target of a link; an error if it is not a link.
    pub(crate) fn read_link(&self, name: &str) -> Result<PathBuf> {
        self.sys.read_link(self.base.join(name))
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.sys.exists(self.base.join(name))
    }

    /// Handles a missing file: behind a fence it may be a link that leads outside.
    fn absent<T>(&self, name: &Path) -> Result<Option<T>> {
        let is_link = |part: &Path| self.sys.read_link(self.base.join(part)).is_ok();
        // A trailing slash would hide a link.
        if self.is_fenced && name.components().as_path().ancestors().any(is_link) {
            let path = self.path.join(name);
            let message = format!("{} leads outside another user's repository; it was not followed", path.display());
            return Err(Error::Unsupported(message));
        }
        Ok(None)
    }

    /// Replaces the path in an error with the one that the machine sees.
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
