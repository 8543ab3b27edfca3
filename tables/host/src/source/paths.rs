//! The paths that a query constrains: one by one, by directory, or by pattern.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use indago_table::{Pattern, prelude::*};

use super::pattern::{Level, Like, PathPattern};

/// An existing path.
#[derive(Debug)]
pub(crate) struct Found {
    /// As the query would write it.
    pub(crate) path: String,
    pub(crate) directory: String,
    pub(crate) filename: String,
    pub(crate) entry: Entry,
}

/// How to open a found path; its name may not be UTF-8.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) sys: Sys,
    pub(crate) at: PathBuf,
    /// Result of `lstat`, if it has been called.
    pub(crate) link: Option<Metadata>,
}

/// The constraint of a query on the columns `path` and `directory`.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Paths(Vec<String>),
    Folders(Vec<String>),
    PathLike(PathPattern),
    FolderLike(PathPattern),
    Nothing,
}

impl Asked {
    /// Picks the narrowest constraint. The engine checks the others on the rows.
    pub(crate) fn of(
        paths: Option<Vec<String>>,
        folders: Option<Vec<String>>,
        path_patterns: &[Pattern],
        folder_patterns: &[Pattern],
        report: &Report<'_>,
    ) -> Self {
        let distinct = |mut keys: Vec<String>| {
            let mut seen = HashSet::new();
            keys.retain(|key| seen.insert(key.clone()));
            keys
        };
        if let Some(paths) = paths {
            return Asked::Paths(distinct(paths));
        }
        if let Some(folders) = folders {
            return Asked::Folders(distinct(folders));
        }
        let narrowest = |patterns: &[Pattern]| patterns.iter().max_by_key(|pattern| pattern.prefix().len()).cloned();
        let parse = |pattern: Pattern| {
            let parsed = PathPattern::parse(&pattern.like, pattern.ignore_case);
            if parsed.is_none() {
                let what = format!("the pattern '{}' does not begin with /; write an absolute path", pattern.like);
                report("pattern", &Error::Unsupported(what));
            }
            parsed
        };
        if let Some(pattern) = narrowest(path_patterns) {
            return parse(pattern).map_or(Asked::Nothing, Asked::PathLike);
        }
        if let Some(pattern) = narrowest(folder_patterns) {
            return parse(pattern).map_or(Asked::Nothing, Asked::FolderLike);
        }
        Asked::Nothing
    }

    /// Iterates over the matching paths on a machine, lazily.
    pub(crate) fn find<'a>(self, sys: &Sys, report: &Report<'a>) -> Box<dyn Iterator<Item = Found> + 'a> {
        let (sys, report) = (sys.clone(), report.clone());
        match self {
            Asked::Paths(paths) => {
                let find = move |path: String| match PathPattern::of_lossy(&path) {
                    Some(pattern) => Walk::new(sys.clone(), pattern, report.clone()).collect(),
                    None => look_up(&sys, path, &report).into_iter().collect::<Vec<_>>(),
                };
                Box::new(paths.into_iter().flat_map(find))
            }
            Asked::Folders(folders) => {
                let entries = move |folder: String| {
                    let at = PathBuf::from(&folder);
                    list(&sys, at, folder, &report)
                };
                Box::new(folders.into_iter().flat_map(entries))
            }
            Asked::PathLike(pattern) => Box::new(Walk::new(sys, pattern, report)),
            Asked::FolderLike(pattern) => {
                let walk = Walk::new(sys.clone(), pattern, report.clone());
                Box::new(walk.flat_map(move |folder| list(&sys, folder.entry.at, folder.path, &report)))
            }
            Asked::Nothing => Box::new(std::iter::empty()),
        }
    }
}

/// Reports a path that could not be read.
pub(crate) type Report<'a> = Rc<dyn Fn(&str, &Error) + 'a>;

/// Looks up one path, as written in the query.
fn look_up(sys: &Sys, path: String, report: &Report<'_>) -> Option<Found> {
    if path.is_empty() || path.contains('\0') {
        return None;
    }
    let at = PathBuf::from(&path);
    let link = match sys.symlink_metadata(&at) {
        Ok(link) => link,
        Err(error) => {
            report("path", &error);
            return None;
        }
    };
    let name = |name: Option<&std::ffi::OsStr>| name.map(|name| sys.path_text(name)).unwrap_or_default();
    Some(Found {
        directory: name(at.parent().map(Path::as_os_str)),
        filename: name(at.file_name()),
        path,
        entry: Entry { sys: sys.clone(), at, link: Some(link) },
    })
}

/// The entries of a directory; none if it is not a directory.
fn list(sys: &Sys, at: PathBuf, shown: String, report: &Report<'_>) -> impl Iterator<Item = Found> + use<> {
    let names = if shown.is_empty() || shown.contains('\0') { Vec::new() } else { names(sys, &at, report) };
    let sys = sys.clone();
    names.into_iter().map(move |name| found(&sys, at.join(&name), &shown, &name, None))
}

/// Names in a directory, sorted.
fn names(sys: &Sys, folder: &Path, report: &Report<'_>) -> Vec<OsString> {
    match sys.read_dir_partly(folder) {
        Ok((mut names, error)) => {
            error.iter().for_each(|error| report("directory", error));
            names.sort_unstable();
            names
        }
        Err(error) => {
            report("directory", &error);
            Vec::new()
        }
    }
}

fn found(sys: &Sys, at: PathBuf, folder: &str, name: &OsString, link: Option<Metadata>) -> Found {
    let filename = sys.path_text(name);
    let slash = if folder.ends_with('/') { "" } else { "/" };
    Found {
        path: format!("{folder}{slash}{filename}"),
        directory: folder.to_owned(),
        filename,
        entry: Entry { sys: sys.clone(), at, link },
    }
}

/// Most levels that `%%` descends.
const DEEPEST: usize = 64;

/// The paths that match a pattern.
///
/// Memory grows with the names in the directories that are open at a time. `%%` does not follow links to directories,
/// so loops of links end. Names and single `%` follow links as the system does.
struct Walk<'a> {
    sys: Sys,
    pattern: PathPattern,
    open: Vec<Folder>,
    ready: VecDeque<Found>,
    seen: Option<HashSet<PathBuf>>,
    report: Report<'a>,
}

/// A directory that is being read.
struct Folder {
    at: PathBuf,
    shown: String,
    level: usize,
    depth: usize,
    names: std::vec::IntoIter<OsString>,
}

impl<'a> Walk<'a> {
    fn new(sys: Sys, pattern: PathPattern, report: Report<'a>) -> Self {
        let seen = pattern.is_ambiguous().then(HashSet::new);
        let mut walk = Walk { sys, pattern, open: Vec::new(), ready: VecDeque::new(), seen, report };
        if walk.pattern.levels.is_empty() {
            walk.ready.extend(look_up(&walk.sys, "/".into(), &walk.report));
        } else {
            walk.enter(PathBuf::from("/"), "/".into(), 0, 0);
        }
        walk
    }

    /// Looks in a directory for names that match one level of the pattern.
    fn enter(&mut self, at: PathBuf, shown: String, level: usize, depth: usize) {
        let name = match &self.pattern.levels[level] {
            Level::Name(name) => name.clone(),
            Level::Like(like) => match self.sys.read_dir_partly(&at) {
                Ok(names) => return self.open(at, shown, level, depth, names),
                // A directory may deny listing and still allow access by name.
                Err(error) => match like.as_name() {
                    Some(name) => name.to_owned(),
                    None => return self.report_folder(&error),
                },
            },
            Level::Deep { .. } => match self.sys.read_dir_partly(&at) {
                Ok(names) => return self.open(at, shown, level, depth, names),
                Err(error) => return self.report_folder(&error),
            },
        };
        let name = OsString::from(name);
        let at = at.join(&name);
        if level + 1 < self.pattern.levels.len() {
            let shown = found(&self.sys, PathBuf::new(), &shown, &name, None).path;
            return self.enter(at, shown, level + 1, 0);
        }
        match self.sys.symlink_metadata(&at) {
            Ok(link) => self.give(found(&self.sys, at, &shown, &name, Some(link))),
            Err(error) => (self.report)("path", &error),
        }
    }

    fn open(&mut self, at: PathBuf, shown: String, level: usize, depth: usize, names: (Vec<OsString>, Option<Error>)) {
        let (mut names, error) = names;
        error.iter().for_each(|error| self.report_folder(error));
        names.sort_unstable();
        self.open.push(Folder { at, shown, level, depth, names: names.into_iter() });
    }

    fn report_folder(&mut self, error: &Error) {
        (self.report)("directory", error);
    }

    fn give(&mut self, mut found: Found) {
        if self.pattern.folders_only {
            match found.entry.sys.metadata(&found.entry.at) {
                Ok(metadata) if metadata.is_dir() => found.path.push('/'),
                Ok(_) => return,
                Err(error) => return (self.report)("path", &error),
            }
        }
        if let Some(seen) = &mut self.seen
            && !seen.insert(found.entry.at.clone())
        {
            return;
        }
        self.ready.push_back(found);
    }

    /// Visits one name of the innermost open directory.
    fn visit(&mut self, name: &OsString) {
        let Some(Folder { at, shown, level, depth, .. }) = self.open.last() else { return };
        let (at, level, depth) = (at.join(name), *level, *depth);
        let text = name.to_string_lossy();
        let enters = |folders: &Like| depth < DEEPEST && (depth > 0 || folders.matches(&text));
        let (matches, descends) = match &self.pattern.levels[level] {
            Level::Name(only) => (only.as_str() == text || Like::new(only, false).matches(&text), false),
            Level::Like(like) => (like.matches(&text), false),
            Level::Deep { first, folders, deeper } => {
                let like = if depth == 0 { first } else { deeper };
                // Below the first level, hidden directories are not entered either.
                (like.matches(&text), enters(folders) && !(depth > 0 && text.starts_with('.')))
            }
        };
        if !matches && !descends {
            return;
        }
        let is_last = level + 1 == self.pattern.levels.len();
        let is_deep = matches!(self.pattern.levels[level], Level::Deep { .. });
        let mut link = None;
        if descends || is_deep && !is_last {
            match self.sys.symlink_metadata(&at) {
                Ok(metadata) => link = Some(metadata),
                Err(error) => return (self.report)("path", &error),
            }
        }
        let is_folder = link.as_ref().is_some_and(Metadata::is_dir);
        let found = found(&self.sys, at.clone(), shown, name, link);
        let child = found.path.clone();
        if matches && is_last {
            self.give(found);
        }
        if descends && is_folder {
            self.enter(at.clone(), child.clone(), level, depth + 1);
        }
        if matches && !is_last && (is_folder || !is_deep) {
            self.enter(at, child, level + 1, 0);
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Some(found);
            }
            self.sys.check_cancelled().ok()?;
            match self.open.last_mut()?.names.next() {
                Some(name) => self.visit(&name),
                None => {
                    self.open.pop();
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests create files")]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    /// A small tree, with links and names that walks commonly mishandle.
    fn tree() -> (tempfile::TempDir, Sys) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| folder.path().join(name);
        let script = [
            ("a/b/c", "one.log"),
            ("a/b", "two.log"),
            ("a/.hidden", "three.log"),
            ("a", ".four"),
            ("a_c", "five"),
            ("abc", "six"),
        ];
        for (name, file) in script {
            std::process::Command::new("mkdir").arg("-p").arg(at(name)).status().expect("mkdir runs");
            std::process::Command::new("touch").arg(at(name).join(file)).status().expect("touch runs");
        }
        std::os::unix::fs::symlink("..", at("a/b/loop")).expect("a link to the parent");
        std::os::unix::fs::symlink("self", at("a/self")).expect("a link to itself");
        std::os::unix::fs::symlink("b", at("a/link")).expect("a link to a directory");
        let odd = at("a").join(std::ffi::OsStr::from_bytes(b"odd\xff"));
        std::process::Command::new("touch").arg(odd).status().expect("touch runs");
        let sys = Sys::at(folder.path());
        (folder, sys)
    }

    fn paths(asked: Asked) -> Vec<String> {
        let (_folder, sys) = tree();
        let report: Report<'_> = Rc::new(|_, error| assert!(matches!(error, Error::Gone(_)), "{error}"));
        let mut paths: Vec<String> = asked.find(&sys, &report).map(|found| found.path).collect();
        paths.sort();
        paths
    }

    fn like(pattern: &str) -> Vec<String> {
        paths(Asked::PathLike(PathPattern::parse(pattern, true).expect("starts at the root")))
    }

    #[test]
    fn patterns_find_what_they_name() {
        for (pattern, found) in [
            ("/%", vec!["/a", "/a_c", "/abc"]),
            ("/a/%", vec!["/a/b", "/a/link", "/a/odd\u{fffd}", "/a/self"]),
            ("/a/.%", vec!["/a/.four", "/a/.hidden"]),
            ("/a/%/two.log", vec!["/a/b/two.log", "/a/link/two.log"]),
            ("/a/b/%%.log", vec!["/a/b/c/one.log", "/a/b/two.log"]),
            ("/%%/c/%", vec!["/a/b/c/one.log"]),
            ("/a%%/%%.log", vec!["/a/b/c/one.log", "/a/b/two.log"]),
            ("/a_c/%", vec!["/a_c/five", "/abc/six"]),
            ("/a/b", vec!["/a/b"]),
            ("/a/b/", vec!["/a/b/"]),
            ("/a/self", vec!["/a/self"]),
            ("/a/self/%", vec![]),
            ("/nothing/%%", vec![]),
            ("/", vec!["/"]),
        ] {
            assert_eq!(like(pattern), found, "{pattern}");
        }
        let below = like("/a/%%");
        assert!(below.contains(&"/a/b/loop".to_owned()), "a link is found");
        assert!(!below.iter().any(|path| path.starts_with("/a/b/loop/")), "but not followed: {below:?}");
        assert!(!below.iter().any(|path| path.contains("/.")), "hidden names do not match: {below:?}");
    }

    #[test]
    fn folders_list_everything() {
        let all = ["/a/.four", "/a/.hidden", "/a/b", "/a/link", "/a/odd\u{fffd}", "/a/self"];
        assert_eq!(paths(Asked::Folders(vec!["/a".into()])), all);
        assert_eq!(paths(Asked::Folders(vec!["/a/".into()])), all);
        assert_eq!(paths(Asked::Folders(vec!["/a/.four".into(), "/none".into(), String::new()])), [""; 0]);
        let pattern = PathPattern::parse("/a_c", false).expect("starts at the root");
        assert_eq!(paths(Asked::FolderLike(pattern)), ["/a_c/five", "/abc/six"]);
    }

    #[test]
    fn paths_are_looked_up_one_by_one() {
        let keys = ["/a/b", "/a/b/", "/none", "", "/a\0", "/a/.four/x", &format!("/{}", "n".repeat(5000))];
        let asked = Asked::Paths(keys.into_iter().map(String::from).collect());
        assert_eq!(paths(asked), ["/a/b", "/a/b/"]);
    }
}
