//! Tables about git repositories: what they are, their commits, the files that commits change, their refs and remotes.
//!
//! Everything is read from the repository's own files, and nothing else happens: no hook, filter or other program runs,
//! nothing is written or fetched, and the configuration of the user who asks plays no part. Who owns a repository does
//! not matter either (git's `safe.directory` protects from programs that a repository names, and none is run), so an
//! investigator reads the repositories of every user.
//!
//! Objects, refs and configuration are read here, through [`Sys`](indago_table::Sys), each up to a stated size; libgit2
//! only compares texts. Where links, `.git` files, `commondir`, `info/alternates` and `include.path` may lead:
//!
//! - below a host root, to files below that root;
//! - on the running machine, in a repository of the user who asks, anywhere, as for git;
//! - on the running machine, in a repository of another user, only to folders of that user.
//!
//! What is not followed is reported. Variables such as `GIT_ALTERNATE_OBJECT_DIRECTORIES` play no part.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests lay out the files that tables read"))]

use std::collections::HashMap;
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

/// A folder under which repositories are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The folder.
    pub path: PathBuf,
    /// How many folders deep to look: 0 is the folder itself only.
    pub depth: usize,
}

impl Root {
    /// How deep is looked where nothing else is said.
    pub const DEPTH: usize = 4;

    /// A folder, searched [`DEPTH`](Root::DEPTH) folders deep.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Root { path: path.into(), depth: Root::DEPTH }
    }
}

/// The git repositories that tables speak of.
///
/// A query that names repositories by their path (`repo = '/srv/app'`) reads those, wherever they are; every other query
/// reads the repositories found here.
#[derive(Debug, Clone)]
pub struct Git {
    sys: Sys,
    roots: Option<Arc<[Root]>>,
    /// Repositories that sources have opened for the rows of one scan.
    opened: Arc<Mutex<HashMap<PathBuf, Arc<Store>>>>,
}

impl Environment for Git {
    const NAME: &'static str = "git";

    fn for_scan(&self, meter: &Arc<Meter>) -> Self {
        Git { sys: self.sys.for_scan(meter), roots: self.roots.clone(), opened: Arc::default() }
    }
}

impl Git {
    /// The repository that the current folder belongs to.
    pub fn discover(sys: &Sys) -> Self {
        Git { sys: sys.clone(), roots: None, opened: Arc::default() }
    }

    /// All repositories under some folders.
    pub fn with_roots(sys: &Sys, roots: impl IntoIterator<Item = Root>) -> Self {
        Git { sys: sys.clone(), roots: Some(roots.into_iter().collect()), opened: Arc::default() }
    }

    pub(crate) fn sys(&self) -> &Sys {
        &self.sys
    }

    /// The repository of a row, for its sources; opened once a scan.
    pub(crate) fn store(&self, place: &Option<Arc<Place>>) -> Result<Arc<Store>> {
        let place = known(place)?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = opened.get(&place.git_dir) {
            return Ok(store.clone());
        }
        let store = Arc::new(Store::open(&self.sys, place.clone())?);
        opened.insert(place.git_dir.clone(), store.clone());
        Ok(store)
    }
}

/// Where the repository of a row is: every row that a scan makes says it.
pub(crate) fn known(place: &Option<Arc<Place>>) -> Result<&Arc<Place>> {
    place.as_ref().ok_or_else(|| Error::Gone("the repository".to_owned()))
}

/// A table's column `repo`.
pub(crate) type RepoColumn<T> = Column<T, String, true, true, false>;

/// The repositories that a scan asks for, found one after another.
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
                    report(&key, &Error::Unsupported("there is no git repository at this path".to_owned()));
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
                let hint = "name one (`WHERE repo = '/path'`), or set `git.roots` in the configuration";
                let message = format!("the current folder is in no git repository; {hint}");
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

/// Reports what a part of a repository (its refs, its commits) lacks: each part has a warning of its own.
pub(crate) fn reporter<'a, T: Row<Env = Git>>(
    scan: &'a Scan<T>,
    repo: &Arc<str>,
) -> impl Fn(&str, &Error) + use<'a, T> {
    let repo = repo.clone();
    move |part, error| scan.report(format!("{repo}, {part}"), error)
}
