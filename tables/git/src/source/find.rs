//! Finds repositories: around the current directory, under directories, and at a path that a query names.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_table::{Error, ErrorContext, Part, Result, Sys};

use crate::Root;
use crate::source::config::Config;
use crate::source::folder::{Fence, Folder, SMALL};
use crate::source::path;

/// The location of a repository.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its name in rows: the key that the query used, or its path.
    pub(crate) repo: Arc<str>,
    /// The working tree; `git_dir` if there is none.
    pub(crate) path: PathBuf,
    /// The directory with HEAD and the index.
    pub(crate) git_dir: PathBuf,
    /// The directory with objects and refs: differs from `git_dir` for a linked working tree.
    pub(crate) common_dir: PathBuf,
    /// Whether it has no working tree, according to its configuration.
    pub(crate) is_bare: bool,
    pub(crate) config: Arc<Config>,
    pub(crate) fence: Fence,
}

/// Its name in rows and warnings.
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

    pub(crate) fn own(&self) -> Result<Folder> {
        self.fence.folder(self.git_dir.clone())
    }

    pub(crate) fn common(&self) -> Result<Folder> {
        self.fence.folder(self.common_dir.clone())
    }
}

/// The repository at a path that a query names: a working tree, a `.git` directory, or a bare repository.
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

/// The repository that contains the current directory.
pub(crate) fn around(sys: &Sys) -> Result<Option<Place>> {
    let current = sys.current_dir()?;
    for folder in current.ancestors() {
        if let Some(place) = at(sys, folder)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// The repository whose working tree or `git_dir` this is.
fn at(sys: &Sys, folder: &Path) -> Result<Option<Place>> {
    let inner = folder.join(".git");
    let found = sys.symlink_metadata(&inner).and_then(|found| match found.is_symlink() {
        false => Ok(found),
        true => sys.metadata(&inner).if_present()?.ok_or_else(|| leads_nowhere(&inner, &inner)),
    });
    match found {
        Ok(found) if found.is_dir() && holds_objects(sys, &inner) => {
            let fence = Fence::around(sys, &inner)?;
            return place(fence, &inner, &inner, Some(folder)).map(Some);
        }
        Ok(found) if found.is_dir() && sys.exists(inner.join("HEAD")) => return Err(lacks_objects(&inner)),
        Ok(found) if found.is_file() => {
            let fence = Fence::around(sys, &inner)?;
            let named = linked(&fence, folder, &inner)?;
            return place(fence, &inner, &named, Some(folder)).map(Some);
        }
        Ok(_) | Err(Error::Gone(_)) => {}
        Err(error) => return Err(error),
    }
    let exists = |name: &str| sys.exists(folder.join(name));
    if !exists("HEAD") || !(exists("commondir") || exists("refs")) {
        return Ok(None);
    }
    if !holds_objects(sys, folder) {
        return Err(lacks_objects(folder));
    }
    place(Fence::around(sys, folder)?, folder, folder, None).map(Some)
}

fn holds_objects(sys: &Sys, git_dir: &Path) -> bool {
    sys.exists(git_dir.join("objects")) || sys.exists(git_dir.join("commondir"))
}

/// The remains of a repository are not a repository.
fn lacks_objects(git_dir: &Path) -> Error {
    Error::Malformed(format!("{} has a HEAD but no `objects`; the repository is damaged", git_dir.display()))
}

/// The target of a `.git` file, which linked working trees and submodules have in place of a directory.
fn linked(fence: &Fence, folder: &Path, file: &Path) -> Result<PathBuf> {
    let bytes = fence.folder(folder.to_owned())?.read(".git", SMALL)?.unwrap_or_default();
    let Some(target) = bytes.strip_prefix(b"gitdir:") else {
        return Err(Error::Malformed(format!("{} has no `gitdir: <path>`", file.display())));
    };
    let named = folder.join(path(target.trim_ascii()));
    if !holds_objects(fence.sys(), &named) {
        return Err(leads_nowhere(file, &named));
    }
    Ok(named)
}

fn leads_nowhere(file: &Path, named: &Path) -> Error {
    Error::Malformed(format!("{} points to {}, which is not a repository", file.display(), named.display()))
}

/// The repository in a directory; `around` contains the `.git` that led there.
fn place(fence: Fence, found: &Path, named: &Path, around: Option<&Path>) -> Result<Place> {
    let git_dir = fence.lead(found, named)?.ok_or_else(|| leads_nowhere(found, named))?;
    let own = fence.folder(git_dir.clone())?;
    let common_dir = match own.read("commondir", SMALL)? {
        Some(bytes) => {
            let named = git_dir.join(path(bytes.trim_ascii()));
            let file = git_dir.join("commondir");
            fence.lead(&file, &named)?.ok_or_else(|| leads_nowhere(&file, &named))?
        }
        None => git_dir.clone(),
    };
    let config = Config::read(&fence, &own, &fence.folder(common_dir.clone())?);
    // For a linked working tree, `core.bare` and `core.worktree` count only in its own configuration, as for git.
    let is_main = git_dir == common_dir || config.is("extensions.worktreeconfig");
    let bare = config.flag("core.bare");
    let set = config.get("core.worktree").filter(|_| is_main).map(|set| git_dir.join(set));
    let set = set.map(|set| fence.sys().canonicalize(&set).unwrap_or(set));
    let (is_bare, work_tree) = match (around, set) {
        (_, Some(set)) => (false, Some(set)),
        (Some(_), None) if is_main && bare == Some(true) => (true, None),
        (Some(around), None) => (false, Some(around.to_owned())),
        (None, None) if bare == Some(false) && git_dir.ends_with(".git") => {
            (false, git_dir.parent().map(Path::to_owned))
        }
        (None, None) => (bare != Some(false), None),
    };
    let path = work_tree.unwrap_or_else(|| git_dir.clone());
    // The name must be a path at which the repository can be found again; a working tree elsewhere is not one.
    let named = around.filter(|_| !is_bare).unwrap_or(&git_dir);
    let named = if git_dir.parent() == Some(&path) { &path } else { named };
    let repo = fence.sys().path_text(named).into();
    Ok(Place { repo, path, git_dir, common_dir, is_bare, config: config.into(), fence })
}

/// The kernel's directories, which contain no repositories and in which a search would not end.
const NEVER: [&str; 3] = ["/proc", "/sys", "/dev"];

/// All repositories under some directories, each once. Links are not followed, so a search ends.
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

    /// Queues the subdirectories of a directory.
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
                        let message = "the configured root does not exist".to_owned();
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
