//! Refs: names for objects, in files of their own and in `packed-refs`.

use std::collections::BTreeMap;
use std::path::Path;

use git2::Oid;
use indago_table::{Error, ErrorContext, Result, Sys};

use crate::source::config::Config;
use crate::source::find::Place;
use crate::source::store::known_names;
use crate::source::{commit, read_file};

/// What a ref says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Id(Oid),
    /// Another ref, by its full name.
    Name(Vec<u8>),
}

/// A ref and what is known of it without reading objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) target: Target,
    /// The object behind a tag, if `packed-refs` says it.
    pub(crate) peeled: Option<Oid>,
}

/// The refs of a repository, by full name.
#[derive(Debug, Default)]
pub(crate) struct Refs {
    pub(crate) all: BTreeMap<Vec<u8>, Entry>,
    pub(crate) head: Option<Target>,
    /// Refs that say nothing one could follow, and what they are called.
    pub(crate) problems: Vec<Error>,
}

/// Ref folders that each linked working tree has for itself.
const OWN: [&str; 3] = ["refs/bisect", "refs/worktree", "refs/rewritten"];

impl Refs {
    pub(crate) fn read(sys: &Sys, place: &Place) -> Result<Self> {
        let config = Config::of(sys, place).unwrap_or_default();
        known_names(&config)?;
        if let Some(format) = config.get("extensions.refstorage").filter(|format| *format != "files") {
            return Err(Error::Unsupported(format!("refs stored as {format} cannot be read yet")));
        }
        let mut refs = Refs::default();
        refs.add_packed(sys, &place.common_dir.join("packed-refs"))?;
        refs.add_folder(sys, &place.common_dir.join("refs"), b"refs/", place.is_worktree());
        if place.is_worktree() {
            for own in OWN {
                refs.add_folder(sys, &place.git_dir.join(own), format!("{own}/").as_bytes(), false);
            }
        }
        refs.head = match head(sys, &place.git_dir) {
            Ok(head) => head,
            Err(error) => {
                refs.problems.push(error);
                None
            }
        };
        Ok(refs)
    }

    fn add_packed(&mut self, sys: &Sys, file: &Path) -> Result<()> {
        let Some(bytes) = read_file(sys, file).if_present()? else { return Ok(()) };
        let mut last: Option<Vec<u8>> = None;
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            if let Some(peeled) = line.strip_prefix(b"^") {
                if let Some(entry) = last.as_ref().and_then(|name| self.all.get_mut(name)) {
                    entry.peeled = commit::id(peeled);
                }
                continue;
            }
            match (line.get(..40).and_then(commit::id), line.get(40..)) {
                (Some(id), Some([b' ', name @ ..])) if !name.is_empty() => {
                    self.all.insert(name.to_vec(), Entry { target: Target::Id(id), peeled: None });
                    last = Some(name.to_vec());
                }
                _ => {
                    let (file, line) = (file.display(), number + 1);
                    self.problems.push(Error::Malformed(format!("{file} line {line} is no ref")));
                    last = None;
                }
            }
        }
        Ok(())
    }

    fn add_folder(&mut self, sys: &Sys, folder: &Path, prefix: &[u8], skip_own: bool) {
        let entries = match sys.entries(folder) {
            Ok(entries) => entries,
            Err(Error::Gone(_)) => return,
            Err(error) => return self.problems.push(error),
        };
        for (name, kind) in entries {
            let full = [prefix, name.as_encoded_bytes()].concat();
            let inside = folder.join(&name);
            if kind.is_dir() {
                let is_own = skip_own && OWN.iter().any(|own| own.as_bytes() == full);
                if !is_own && full.len() < 4096 {
                    self.add_folder(sys, &inside, &[&full[..], b"/"].concat(), false);
                }
            } else if !full.ends_with(b".lock") {
                match target(sys, &inside) {
                    Ok(Some(target)) => drop(self.all.insert(full, Entry { target, peeled: None })),
                    Ok(None) => {}
                    Err(error) => {
                        self.all.remove(&full);
                        self.problems.push(error);
                    }
                }
            }
        }
    }

    /// The object that a ref leads to, through other refs.
    pub(crate) fn follow<'a>(&'a self, target: &'a Target) -> Option<(Oid, Option<Oid>)> {
        let (mut target, mut peeled) = (target, None);
        for _ in 0..8 {
            match target {
                Target::Id(id) => return Some((*id, peeled)),
                Target::Name(name) => {
                    let entry = self.all.get(name)?;
                    (target, peeled) = (&entry.target, entry.peeled);
                }
            }
        }
        None
    }

    /// The commit that is checked out.
    pub(crate) fn head_id(&self) -> Option<Oid> {
        Some(self.follow(self.head.as_ref()?)?.0)
    }

    /// The ref that a short name stands for, by git's order of guesses.
    pub(crate) fn named(&self, name: &str) -> Option<Oid> {
        let guesses = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
        let full = guesses.iter().map(|before| format!("{before}{name}"));
        let full = full.chain(std::iter::once(format!("refs/remotes/{name}/HEAD")));
        let mut found = full.filter_map(|full| self.all.get(full.as_bytes()));
        Some(self.follow(&found.next()?.target)?.0)
    }
}

/// What a HEAD file says; `None` if there is no such file.
pub(crate) fn head(sys: &Sys, git_dir: &Path) -> Result<Option<Target>> {
    let file = git_dir.join("HEAD");
    // In old repositories HEAD can be a link to its branch, which need not exist yet.
    if let Ok(link) = sys.read_link(&file)
        && link.starts_with("refs")
    {
        return Ok(Some(Target::Name(link.as_os_str().as_encoded_bytes().to_vec())));
    }
    target(sys, &file)
}

/// What a file like `ORIG_HEAD` or `MERGE_HEAD` says.
pub(crate) fn pseudo(sys: &Sys, place: &Place, name: &str) -> Result<Option<Target>> {
    target(sys, &place.git_dir.join(name))
}

/// What a ref file says; `None` if it vanished.
fn target(sys: &Sys, file: &Path) -> Result<Option<Target>> {
    let Some(bytes) = read_file(sys, file).if_present()? else { return Ok(None) };
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    if let Some(name) = line.strip_prefix(b"ref:") {
        return Ok(Some(Target::Name(name.trim_ascii_start().to_vec())));
    }
    match line.get(..40).and_then(commit::id) {
        Some(id) if !id.is_zero() && line.get(40).is_none_or(u8::is_ascii_whitespace) => Ok(Some(Target::Id(id))),
        _ => Err(Error::Malformed(format!("{} names no object", file.display()))),
    }
}

/// Where each working tree of a repository stands, if on no branch: `git log --all` starts there too.
pub(crate) fn detached_heads(sys: &Sys, place: &Place) -> Vec<Oid> {
    let linked = place.common_dir.join("worktrees");
    let folders = sys.read_dir(&linked).unwrap_or_default().into_iter().map(|name| linked.join(name));
    let heads = folders.chain([place.common_dir.clone()]).map(|folder| head(sys, &folder));
    heads.filter_map(|head| if let Ok(Some(Target::Id(id))) = head { Some(id) } else { None }).collect()
}

/// A full name without what every ref of its kind has in front, and the kind.
pub(crate) fn kind(full: &str) -> (&str, &'static str) {
    let kinds = [
        ("refs/heads/", "branch"),
        ("refs/remotes/", "remote"),
        ("refs/tags/", "tag"),
        ("refs/notes/", "note"),
        ("refs/replace/", "replace"),
    ];
    for (prefix, kind) in kinds {
        if let Some(name) = full.strip_prefix(prefix) {
            return (name, kind);
        }
    }
    match full {
        "refs/stash" => ("stash", "stash"),
        other => (other.strip_prefix("refs/").unwrap_or(other), "other"),
    }
}
