//! Finds repositories: around the current folder, under folders, and at a path that a query names.

use std::collections::HashSet;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use indago_table::{Error, ErrorContext, Part, Result, Sys};

use crate::Root;
use crate::source::{path, read_file};

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What rows call it: the key that named it, or its path.
    pub(crate) repo: Arc<str>,
    /// The working tree; the repository's own folder where there is none.
    pub(crate) path: PathBuf,
    /// The folder that holds HEAD and the index.
    pub(crate) git_dir: PathBuf,
    /// The folder that holds objects and refs: another one than `git_dir` for a linked working tree.
    pub(crate) common_dir: PathBuf,
    /// The working tree, unless the repository is bare.
    pub(crate) work_tree: Option<PathBuf>,
}

/// What rows and warnings call it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repo)
    }
}

impl Part for Place {
    fn known(&self, column: &str) -> Option<String> {
        (column == "repo").then(|| self.repo.to_string())
    }
}

impl Place {
    /// Whether this is a linked working tree of another repository.
    pub(crate) fn is_worktree(&self) -> bool {
        self.git_dir != self.common_dir
    }
}

/// The repository at a path that a query names: its working tree, its `.git` folder, or a bare one.
pub(crate) fn at_key(sys: &Sys, key: &str) -> Result<Option<Place>> {
    if key.is_empty() {
        return Ok(None);
    }
    let path = match sys.canonicalize(key).if_present()? {
        Some(path) => path,
        None => return Ok(None),
    };
    Ok(at(sys, &path)?.map(|place| Place { repo: key.into(), ..place }))
}

/// The repository that the current folder belongs to.
pub(crate) fn around(sys: &Sys) -> Result<Option<Place>> {
    let current = sys.current_dir()?;
    for folder in current.ancestors() {
        if let Some(place) = at(sys, folder)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// The repository whose working tree or own folder this is.
fn at(sys: &Sys, folder: &Path) -> Result<Option<Place>> {
    let inner = folder.join(".git");
    match sys.metadata(&inner) {
        Ok(found) if found.is_dir() && holds_objects(sys, &inner) => {
            return place(sys, inner, Some(folder.to_owned())).map(Some);
        }
        Ok(found) if found.is_file() => {
            let git_dir = linked(sys, folder, &inner)?;
            return place(sys, git_dir, Some(folder.to_owned())).map(Some);
        }
        Ok(_) | Err(Error::Gone(_)) => {}
        Err(error) => return Err(error),
    }
    if !(sys.exists(folder.join("HEAD")) && sys.exists(folder.join("refs")) && holds_objects(sys, folder)) {
        return Ok(None);
    }
    let outer = folder.parent().filter(|_| folder.ends_with(".git"));
    place(sys, folder.to_owned(), outer.map(Path::to_owned)).map(Some)
}

fn holds_objects(sys: &Sys, git_dir: &Path) -> bool {
    sys.exists(git_dir.join("objects")) || sys.exists(git_dir.join("commondir"))
}

/// Where a `.git` file points: what linked working trees and submodules have instead of a folder.
fn linked(sys: &Sys, folder: &Path, file: &Path) -> Result<PathBuf> {
    let bytes = read_file(sys, file)?;
    let Some(target) = bytes.strip_prefix(b"gitdir:") else {
        return Err(Error::Malformed(format!("{} does not say `gitdir: <path>`", file.display())));
    };
    let git_dir = tidy(&folder.join(path(target.trim_ascii())));
    if !holds_objects(sys, &git_dir) {
        let (file, git_dir) = (file.display(), git_dir.display());
        return Err(Error::Malformed(format!("{file} points to {git_dir}, where there is no repository")));
    }
    Ok(git_dir)
}

fn place(sys: &Sys, git_dir: PathBuf, work_tree: Option<PathBuf>) -> Result<Place> {
    let common_dir = match read_file(sys, &git_dir.join("commondir")).if_present()? {
        Some(bytes) => tidy(&git_dir.join(path(bytes.trim_ascii()))),
        None => git_dir.clone(),
    };
    let path = work_tree.clone().unwrap_or_else(|| git_dir.clone());
    Ok(Place { repo: path.to_string_lossy().into(), path, git_dir, common_dir, work_tree })
}

/// The path without `.` and `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(tidy.pop()),
            other => tidy.push(other),
        }
    }
    tidy
}

/// Folders of the kernel, in which nobody keeps repositories and a search would not end.
const NEVER: [&str; 3] = ["/proc", "/sys", "/dev"];

/// All repositories under some folders, each once. Links are not followed, so a search ends.
pub(crate) struct Search<'a, R> {
    sys: &'a Sys,
    roots: std::vec::IntoIter<Root>,
    folders: Vec<(PathBuf, usize)>,
    seen: HashSet<PathBuf>,
    report: R,
}

impl<'a, R: Fn(&str, &Error)> Search<'a, R> {
    pub(crate) fn new(sys: &'a Sys, roots: Vec<Root>, report: R) -> Self {
        Search { sys, roots: roots.into_iter(), folders: Vec::new(), seen: HashSet::new(), report }
    }

    fn report(&self, folder: &Path, error: &Error) {
        (self.report)(&folder.to_string_lossy(), error);
    }

    /// Puts the folders inside a folder on the list.
    fn enter(&mut self, folder: &Path, depth: usize) {
        let entries = match self.sys.entries(folder) {
            Ok(entries) => entries,
            Err(error) => return self.report(folder, &error),
        };
        let folders = entries.into_iter().filter(|(name, kind)| kind.is_dir() && name != ".git");
        let mut inside: Vec<PathBuf> = folders.map(|(name, _)| folder.join(name)).collect();
        inside.retain(|folder| !NEVER.iter().any(|never| folder == Path::new(never)));
        inside.sort_unstable_by(|a, b| b.cmp(a));
        self.folders.extend(inside.into_iter().map(|folder| (folder, depth)));
    }
}

impl<R: Fn(&str, &Error)> Iterator for Search<'_, R> {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        loop {
            if self.sys.check_cancelled().is_err() {
                return None;
            }
            let Some((folder, depth)) = self.folders.pop() else {
                let root = self.roots.next()?;
                match self.sys.canonicalize(&root.path) {
                    Ok(folder) => self.folders.push((folder, root.depth)),
                    Err(Error::Gone(_)) => {
                        let message = "no such folder, though it is a configured root".to_owned();
                        let what = root.path.display().to_string();
                        self.report(&root.path, &Error::Io { what, message });
                    }
                    Err(error) => self.report(&root.path, &error),
                }
                continue;
            };
            let place = match at(self.sys, &folder) {
                Ok(place) => place,
                Err(error) => {
                    self.report(&folder, &error);
                    None
                }
            };
            let is_inside = place.as_ref().is_some_and(|place| place.git_dir == folder);
            if depth > 0 && !is_inside {
                self.enter(&folder, depth - 1);
            }
            if let Some(place) = place
                && self.seen.insert(place.git_dir.clone())
            {
                return Some(place);
            }
        }
    }
}
