//! The paths that a query constrains: one by one, by directory, or by pattern.

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use indago_table::scan::Column;
use indago_table::sys::{Entry as Listed, Folder, Stat};
use indago_table::{Pattern, prelude::*};
use rustix::fs::FileType as Kind;

use super::pattern::{Folders, Level, Like, PathPattern};

/// An existing path.
#[derive(Debug)]
pub(crate) struct Found {
    /// As the query would write it.
    pub(crate) path: String,
    /// The directory and the name, in the same form.
    pub(crate) directory: Arc<str>,
    pub(crate) entry: Entry,
}

impl Found {
    /// Its name within its directory.
    pub(crate) fn filename(&self) -> String {
        self.entry.sys.path_text(self.entry.name())
    }
}

/// How to read a found path; its name may not be UTF-8.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) sys: Sys,
    place: Place,
    /// Facts of the path itself, if they have been read.
    stat: Option<Box<Stat>>,
    /// Kind of the path itself, if it is known.
    kind: Option<Kind>,
}

#[derive(Debug, Clone)]
enum Place {
    /// A path that the query names.
    Path(PathBuf),
    /// A name in a directory. If that is no longer open, it is looked up by its path.
    In { folder: Weak<Folder>, at: Arc<Path>, name: OsString },
}

impl Entry {
    /// Its path on the machine.
    pub(crate) fn at(&self) -> PathBuf {
        match &self.place {
            Place::Path(path) => path.clone(),
            Place::In { at, name, .. } => at.join(name),
        }
    }

    fn name(&self) -> &OsStr {
        match &self.place {
            Place::Path(path) => path.file_name().unwrap_or_default(),
            Place::In { name, .. } => name,
        }
    }

    /// Facts of the path itself: of a link, not of its target.
    pub(crate) fn stat(&self) -> Result<Stat> {
        if let Some(stat) = &self.stat {
            return Ok(**stat);
        }
        if let Place::In { folder, name, .. } = &self.place
            && let Some(folder) = folder.upgrade()
        {
            return folder.stat(name);
        }
        self.sys.stat(self.at())
    }

    /// Kind of the path itself.
    pub(crate) fn kind(&self) -> Result<Kind> {
        self.kind.map_or_else(|| self.stat().map(|stat| stat.kind()), Ok)
    }

    /// Facts of the target of a link; `None` if it is missing or circular.
    pub(crate) fn target(&self) -> Result<Option<Stat>> {
        let found = self.sys.metadata(self.at()).if_present()?;
        Ok(found.map(|metadata| Stat::from(&metadata)))
    }

    /// Whether its path with a slash at the end exists: whether it is a directory or a link to one. Such a path names
    /// the directory, not the link, so the facts are the directory's from then on.
    fn become_folder(&mut self) -> Result<bool> {
        let kind = match self.kind {
            Some(kind) => kind,
            None => self.know(self.stat()?),
        };
        if kind == Kind::Symlink
            && let Some(target) = self.target()?.filter(|target| target.kind() == Kind::Directory)
        {
            return Ok(self.know(target) == Kind::Directory);
        }
        Ok(kind == Kind::Directory)
    }

    /// Keeps facts.
    fn know(&mut self, stat: Stat) -> Kind {
        (self.kind, self.stat) = (Some(stat.kind()), Some(Box::new(stat)));
        stat.kind()
    }

    /// Whether it is a regular file or a link to one. Anything else could block forever.
    pub(crate) fn is_regular(&self) -> Result<bool> {
        match self.kind()? {
            Kind::Symlink => Ok(self.target()?.is_some_and(|target| target.kind() == Kind::RegularFile)),
            kind => Ok(kind == Kind::RegularFile),
        }
    }
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
    /// The constraint of a scan on its columns `path` and `directory`.
    pub(crate) fn in_scan<T: Row<Env = Sys>, const R: bool, const S: bool>(
        scan: &Scan<T>,
        path: Column<T, String, true, true, R>,
        directory: Column<T, String, true, true, S>,
        report: &Report<'_>,
    ) -> Self {
        Asked::of(scan.keys(path), scan.keys(directory), scan.patterns(path), scan.patterns(directory), report)
    }

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
                let entries = move |folder: String| list(&sys, PathBuf::from(&folder), folder, &report);
                Box::new(folders.into_iter().flat_map(entries))
            }
            Asked::PathLike(pattern) => Box::new(Walk::new(sys, pattern, report)),
            Asked::FolderLike(pattern) => {
                let walk = Walk::new(sys.clone(), pattern, report.clone());
                Box::new(walk.flat_map(move |folder| list(&sys, folder.entry.at(), folder.path, &report)))
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
    let stat = match sys.stat(&at) {
        Ok(stat) => stat,
        Err(error) => {
            report("path", &error);
            return None;
        }
    };
    let directory = at.parent().map(|parent| sys.path_text(parent)).unwrap_or_default().into();
    let entry = Entry { sys: sys.clone(), place: Place::Path(at), kind: Some(stat.kind()), stat: Some(Box::new(stat)) };
    Some(Found { directory, path, entry })
}

/// The entries of a directory; none if it is not a directory.
fn list(sys: &Sys, at: PathBuf, shown: String, report: &Report<'_>) -> impl Iterator<Item = Found> + use<> {
    let opened = match shown.is_empty() || shown.contains('\0') {
        true => None,
        false => Open::new(sys.folder(&at), shown.into(), 0, 0).map_err(|error| report("directory", &error)).ok(),
    };
    let (open, error) = opened.unzip();
    error.flatten().iter().for_each(|error| report("directory", error));
    let sys = sys.clone();
    open.into_iter().flat_map(move |mut open| {
        let entries = std::mem::take(&mut open.entries);
        let sys = sys.clone();
        entries.map(move |listed| open.found(&sys, listed))
    })
}

/// Most levels that `%%` descends.
const DEEPEST: usize = 64;

/// Directories that stay open after their last entry, so that the facts of their entries can still be read there.
const STILL_OPEN: usize = 32;

/// The paths that match a pattern.
///
/// Memory grows with the names in the directories that are open at a time. `%%` does not follow links to directories,
/// so loops of links end. Names and single `%` follow links as the system does.
struct Walk<'a> {
    sys: Sys,
    pattern: PathPattern,
    open: Vec<Open>,
    closing: VecDeque<Arc<Folder>>,
    ready: VecDeque<Found>,
    seen: Option<HashSet<PathBuf>>,
    report: Report<'a>,
}

/// A directory that is being read.
struct Open {
    folder: Arc<Folder>,
    at: Arc<Path>,
    shown: Arc<str>,
    level: usize,
    depth: usize,
    entries: std::vec::IntoIter<Listed>,
}

impl Open {
    /// Reads the entries of a directory, sorted, up to the first error.
    fn new(folder: Result<Folder>, shown: Arc<str>, level: usize, depth: usize) -> Result<(Self, Option<Error>)> {
        let folder = Arc::new(folder?);
        let (mut entries, error) = folder.entries()?;
        entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        let at = folder.path().into();
        Ok((Open { folder, at, shown, level, depth, entries: entries.into_iter() }, error))
    }

    fn found(&self, sys: &Sys, listed: Listed) -> Found {
        let path = joined(&self.shown, &sys.path_text(&listed.name));
        let place = Place::In { folder: Arc::downgrade(&self.folder), at: self.at.clone(), name: listed.name };
        let entry = Entry { sys: sys.clone(), place, stat: None, kind: listed.kind };
        Found { path, directory: self.shown.clone(), entry }
    }
}

fn joined(folder: &str, name: &str) -> String {
    let slash = if folder.ends_with('/') { "" } else { "/" };
    [folder, slash, name].concat()
}

impl<'a> Walk<'a> {
    fn new(sys: Sys, pattern: PathPattern, report: Report<'a>) -> Self {
        let seen = pattern.is_ambiguous().then(HashSet::new);
        let (open, closing) = (Vec::new(), VecDeque::new());
        let mut walk = Walk { sys, pattern, open, closing, ready: VecDeque::new(), seen, report };
        if walk.pattern.levels.is_empty() {
            walk.ready.extend(look_up(&walk.sys, "/".into(), &walk.report));
        } else {
            walk.enter(PathBuf::from("/"), "/".into(), 0);
        }
        walk
    }

    /// Looks in a directory for names that match one level of the pattern.
    fn enter(&mut self, at: PathBuf, shown: Arc<str>, level: usize) {
        let name = match &self.pattern.levels[level] {
            Level::Name(name) => name.clone(),
            Level::Like(like) => match Open::new(self.sys.folder(&at), shown.clone(), level, 0) {
                Ok(opened) => return self.open(opened),
                // A directory may deny listing and still allow access by name.
                Err(error) => match like.as_name() {
                    Some(name) => name.to_owned(),
                    None => return self.report_folder(&error),
                },
            },
            Level::Deep { .. } => return self.open_or_report(self.sys.folder(&at), shown, level, 0),
        };
        let path = joined(&shown, &name);
        let at = at.join(&name);
        if level + 1 < self.pattern.levels.len() {
            return self.enter(at, path.into(), level + 1);
        }
        match self.sys.stat(&at) {
            Ok(stat) => {
                let (kind, stat) = (Some(stat.kind()), Some(Box::new(stat)));
                let entry = Entry { sys: self.sys.clone(), place: Place::Path(at), kind, stat };
                self.give(Found { path, directory: shown, entry });
            }
            Err(error) => (self.report)("path", &error),
        }
    }

    fn open_or_report(&mut self, folder: Result<Folder>, shown: Arc<str>, level: usize, depth: usize) {
        match Open::new(folder, shown, level, depth) {
            Ok(opened) => self.open(opened),
            Err(error) => self.report_folder(&error),
        }
    }

    fn open(&mut self, (open, error): (Open, Option<Error>)) {
        error.iter().for_each(|error| self.report_folder(error));
        self.open.push(open);
    }

    fn report_folder(&mut self, error: &Error) {
        (self.report)("directory", error);
    }

    fn give(&mut self, mut found: Found) {
        if self.pattern.folders != Folders::Plain {
            match (found.entry.become_folder(), self.pattern.folders) {
                (Ok(true), _) => found.path.push('/'),
                (_, Folders::Marked) => {}
                (Ok(false), _) => return,
                (Err(error), _) => return (self.report)("path", &error),
            }
        }
        if let Some(seen) = &mut self.seen
            && !seen.insert(found.entry.at())
        {
            return;
        }
        self.ready.push_back(found);
    }

    /// Visits one entry of the innermost open directory.
    fn visit(&mut self, listed: Listed) {
        let Some(open) = self.open.last() else { return };
        let Open { level, depth, .. } = *open;
        let text = listed.name.to_string_lossy();
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
        let mut found = open.found(&self.sys, listed);
        if (descends || is_deep && !is_last) && found.entry.kind.is_none() {
            match found.entry.stat() {
                Ok(stat) => _ = found.entry.know(stat),
                Err(error) => return (self.report)("path", &error),
            }
        }
        let is_folder = found.entry.kind == Some(Kind::Directory);
        let folder = open.folder.clone();
        let inner = (is_folder && descends).then(|| (found.path.as_str().into(), found.entry.name().to_owned()));
        let below =
            (matches && !is_last && (is_folder || !is_deep)).then(|| (found.entry.at(), found.path.as_str().into()));
        if matches && is_last {
            self.give(found);
        }
        if let Some((shown, name)) = inner {
            self.open_or_report(folder.folder(&name), shown, level, depth + 1);
        }
        if let Some((at, shown)) = below {
            self.enter(at, shown, level + 1);
        }
    }

    /// Closes the innermost directory, but not yet its handle.
    fn close(&mut self) {
        self.closing.extend(self.open.pop().map(|open| open.folder));
        if self.closing.len() > STILL_OPEN {
            self.closing.pop_front();
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
            match self.open.last_mut()?.entries.next() {
                Some(listed) => self.visit(listed),
                None => self.close(),
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
            ("/%", vec!["/a/", "/a_c/", "/abc/"]),
            ("/a_%", vec!["/a_c/", "/abc/"]),
            ("/a_c", vec!["/a_c", "/abc"]),
            ("/%c", vec!["/a_c", "/abc"]),
            ("/a/%", vec!["/a/b/", "/a/link/", "/a/odd\u{fffd}", "/a/self"]),
            ("/a/%/", vec!["/a/b/", "/a/link/"]),
            ("/a/.%", vec!["/a/.four", "/a/.hidden/"]),
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
        assert!(below.contains(&"/a/b/loop/".to_owned()), "a link is found");
        assert!(
            !below.iter().any(|path| path.starts_with("/a/b/loop/") && path != "/a/b/loop/"),
            "but not followed: {below:?}"
        );
        assert!(!below.iter().any(|path| path.contains("/.")), "hidden names do not match: {below:?}");
    }

    #[test]
    fn folders_list_everything() {
        let all = ["/a/.four", "/a/.hidden", "/a/b", "/a/link", "/a/odd\u{fffd}", "/a/self"];
        assert_eq!(paths(Asked::Folders(vec!["/a".into()])), all);
        assert_eq!(paths(Asked::Folders(vec!["/a/".into()])), all);
        assert_eq!(paths(Asked::Folders(vec!["/a/.four".into(), "/none".into(), String::new()])), [""; 0]);
        for pattern in ["/a_c", "/a_%"] {
            let pattern = PathPattern::parse(pattern, false).expect("starts at the root");
            assert_eq!(paths(Asked::FolderLike(pattern)), ["/a_c/five", "/abc/six"]);
        }
    }

    #[test]
    fn a_path_with_a_slash_describes_the_directory() {
        let (_folder, sys) = tree();
        let report: Report<'_> = Rc::new(|_, error| panic!("{error}"));
        let find = |asked: Asked| {
            let found: Option<Found> = asked.find(&sys, &report).find(|found| found.path.contains("/link"));
            let found = found.expect("the link is found");
            let stat = found.entry.stat().expect("facts");
            (found.path.clone(), found.directory.to_string(), found.filename(), stat.kind())
        };
        let like = |text| Asked::PathLike(PathPattern::parse(text, true).expect("starts at the root"));
        let folder = ("/a/link/".to_owned(), "/a".to_owned(), "link".to_owned(), Kind::Directory);
        assert_eq!(find(like("/a/%")), folder);
        assert_eq!(find(like("/a/link/")), folder);
        assert_eq!(find(Asked::Paths(vec!["/a/link/".into()])), folder);
        assert_eq!(find(like("/a/%k")).3, Kind::Symlink);
        let named = Asked::FolderLike(PathPattern::parse("/a/l%", true).expect("starts at the root"));
        let found: Vec<_> = named.find(&sys, &report).map(|found| (found.path, found.directory.to_string())).collect();
        assert_eq!(found[0], ("/a/link/c".to_owned(), "/a/link/".to_owned()));
    }

    #[test]
    fn paths_are_looked_up_one_by_one() {
        let keys = ["/a/b", "/a/b/", "/none", "", "/a\0", "/a/.four/x", &format!("/{}", "n".repeat(5000))];
        let asked = Asked::Paths(keys.into_iter().map(String::from).collect());
        assert_eq!(paths(asked), ["/a/b", "/a/b/"]);
    }
}
