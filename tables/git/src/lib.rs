//! Tables about git repositories, their commits, the files that commits change, their refs and remotes.
//!
//! The tables only read the repository's own files. They run no hook, filter or other program, write nothing, fetch
//! nothing, and ignore the user's git configuration. They also read repositories of other users: git's `safe.directory`
//! protects against programs that a repository names, and none is run. So an investigator can read the repositories of
//! every user.
//!
//! Objects, refs and configuration are read by this crate, through [`Sys`](indago_table::Sys), within fixed size
//! limits; libgit2 only compares texts. Links, `.git` files, `commondir`, `info/alternates` and `include.path` may lead
//! to:
//!
//! - below a host root: files below that root;
//! - on the running machine, in a repository of the calling user: anywhere, as for git;
//! - on the running machine, in a repository of another user: only directories of that user.
//!
//! Anything that is not followed is reported. Variables such as `GIT_ALTERNATE_OBJECT_DIRECTORIES` are ignored.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests create the files that tables read"))]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use indago_table::scan::Column;
use indago_table::{Environment, Error, Meter, Result, Row, Scan, Sys, TableRef};

use crate::source::find::{self, Place};
use crate::source::store::Store;

pub mod git_commit_files;
pub mod git_commits;
pub mod git_refs;
pub mod git_remotes;
pub mod git_repositories;
mod source;

/// The tables about git repositories.
pub fn tables(git: &Git) -> Vec<TableRef> {
    indago_table::tables![git;
        git_commit_files::CommitFile,
        git_commits::Commit,
        git_refs::Ref,
        git_remotes::Remote,
        git_repositories::Repository,
    ]
}

/// A directory to search for repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The directory.
    pub path: PathBuf,
    /// Levels of subdirectories to search; 0 searches only the directory itself.
    pub depth: usize,
}

impl Root {
    /// Default depth.
    pub const DEPTH: usize = 4;

    /// A directory with the default [`DEPTH`](Root::DEPTH).
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Root { path: path.into(), depth: Root::DEPTH }
    }
}

/// The git repositories that tables read.
///
/// A query that names repositories by path (`repo = '/srv/app'`) reads those, wherever they are. Every other query
/// reads the repositories that are found here.
#[derive(Debug, Clone)]
pub struct Git {
    sys: Sys,
    roots: Option<Arc<[Root]>>,
    /// Repositories that the sources of one scan's rows opened last, the latest first. Each has open files and a cache.
    opened: Arc<Mutex<VecDeque<Arc<Store>>>>,
}

impl Environment for Git {
    const NAME: &'static str = "git";

    fn for_scan(&self, meter: &Arc<Meter>) -> Self {
        Git { sys: self.sys.for_scan(meter), roots: self.roots.clone(), opened: Arc::default() }
    }
}

impl Git {
    /// The repository that contains the current directory.
    pub fn discover(sys: &Sys) -> Self {
        Git { sys: sys.clone(), roots: None, opened: Arc::default() }
    }

    /// All repositories under some directories.
    pub fn with_roots(sys: &Sys, roots: impl IntoIterator<Item = Root>) -> Self {
        Git { sys: sys.clone(), roots: Some(roots.into_iter().collect()), opened: Arc::default() }
    }

    pub(crate) fn sys(&self) -> &Sys {
        &self.sys
    }

    /// The repository of a row, for its sources. A scan reads as many repositories concurrently as `Limits::slices` states.
    pub(crate) fn store(&self, place: &Option<Arc<Place>>) -> Result<Arc<Store>> {
        const MOST: usize = 32;
        let place = known(place)?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match opened.iter().position(|store| store.place.git_dir == place.git_dir) {
            Some(0) => return Ok(opened[0].clone()),
            Some(position) => opened.remove(position),
            None => None,
        };
        let store = match store {
            Some(store) => store,
            None => Arc::new(Store::open(&self.sys, place.clone())?),
        };
        opened.truncate(MOST - 1);
        opened.push_front(store.clone());
        Ok(store)
    }
}

/// The location of a row's repository. Every row of a scan has one.
pub(crate) fn known(place: &Option<Arc<Place>>) -> Result<&Arc<Place>> {
    place.as_ref().ok_or_else(|| Error::Gone("the repository".to_owned()))
}

/// A table's column `repo`.
pub(crate) type RepoColumn<T> = Column<T, String, true, true, false>;

/// The repositories that a scan reads, found one after another.
pub(crate) fn places<T: Row<Env = Git>>(scan: &Scan<T>, repo: RepoColumn<T>) -> impl Iterator<Item = Place> {
    let git = scan.env();
    let report = move |path: &str, error: &Error| scan.report(path, error);
    let is_named = scan.named_keys(repo).is_some();
    let found: Box<dyn Iterator<Item = Place>> = match (scan.keys(repo), &git.roots) {
        (Some(mut keys), _) => {
            keys.sort_unstable();
            keys.dedup();
            Box::new(keys.into_iter().filter_map(move |key| match find::at_key(&git.sys, &key) {
                Ok(None) if is_named => {
                    report(&key, &Error::Unsupported("no git repository at this path".to_owned()));
                    None
                }
                Ok(place) => place,
                Err(error) => {
                    report(&key, &error);
                    None
                }
            }))
        }
        (None, Some(roots)) => Box::new(find::Search::new(&git.sys, roots.to_vec(), report)),
        (None, None) => match find::around(&git.sys) {
            Ok(Some(place)) => Box::new(std::iter::once(place)),
            Ok(None) => {
                let hint = "name one (`WHERE repo = '/path'`) or set `git.roots` in the configuration";
                let message = format!("the current directory is not in a git repository; {hint}");
                report("", &Error::Unsupported(message));
                Box::new(std::iter::empty())
            }
            Err(error) => {
                report("", &error);
                Box::new(std::iter::empty())
            }
        },
    };
    let patterns = scan.patterns(repo);
    found.take_while(|_| !scan.is_done()).filter(move |place| {
        patterns.iter().all(|pattern| source::is_like(&place.repo, &pattern.like, pattern.ignore_case))
    })
}

/// Reports errors of a part of a repository (its refs, its commits), with a separate warning per part.
pub(crate) fn reporter<'a, T: Row<Env = Git>>(
    scan: &'a Scan<T>,
    repo: &Arc<str>,
) -> impl Fn(&str, &Error) + use<'a, T> {
    let repo = repo.clone();
    move |part, error| scan.report(format!("{repo}, {part}"), error)
}
