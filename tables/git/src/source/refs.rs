//! Refs: names of objects, in separate files and in `packed-refs`.

use std::collections::BTreeMap;
use std::path::Path;

use git2::Oid;
use indago_table::{Error, Result};

use crate::source::commit;
use crate::source::find::Place;
use crate::source::folder::{Folder, LARGE, SMALL};
use crate::source::store::known_names;
use crate::source::{path, reftable};

/// The value of a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Id(Oid),
    /// Another ref, by its full name.
    Name(Vec<u8>),
}

/// A ref, with the data that needs no object to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) target: Target,
    /// The object that a tag points to, if `packed-refs` has it.
    pub(crate) peeled: Option<Oid>,
}

/// The refs of a repository, by full name.
#[derive(Debug, Default)]
pub(crate) struct Refs {
    pub(crate) all: BTreeMap<Vec<u8>, Entry>,
    pub(crate) head: Option<Target>,
    /// Entries of a reftable outside `refs/`: `HEAD`, `ORIG_HEAD`.
    others: BTreeMap<Vec<u8>, Entry>,
    /// Refs that cannot be resolved.
    pub(crate) problems: Vec<Error>,
}

/// Ref directories that each linked working tree has separately.
const OWN: [&str; 3] = ["refs/bisect", "refs/worktree", "refs/rewritten"];

impl Refs {
    pub(crate) fn read(place: &Place) -> Result<Self> {
        known_names(place)?;
        let mut refs = Refs::default();
        match storage(place)? {
            Storage::Files => refs.add_files(place)?,
            Storage::Reftable => refs.add_reftables(place)?,
        }
        refs.add_dangling();
        Ok(refs)
    }

    /// Reports refs that point to a missing ref. HEAD may: its branch need not have a commit yet.
    fn add_dangling(&mut self) {
        let dangling = self.all.iter().filter_map(|(name, entry)| match &entry.target {
            Target::Name(target) if self.follow(&entry.target).is_none() => {
                let [name, target] = [name, target].map(|name| String::from_utf8_lossy(name));
                Some(Error::Malformed(format!("{name} points to {target}, which does not resolve to an object")))
            }
            _ => None,
        });
        let dangling: Vec<Error> = dangling.collect();
        self.problems.extend(dangling);
    }

    fn add_files(&mut self, place: &Place) -> Result<()> {
        let (common, own) = (place.common()?, place.own()?);
        if let Err(error) = self.add_packed(&common) {
            self.problems.push(error);
        }
        self.add_folder(&common, b"refs/", place.is_worktree());
        if place.is_worktree() {
            for folder in OWN {
                self.add_folder(&own, format!("{folder}/").as_bytes(), false);
            }
        }
        match head(&own) {
            Ok(head) => self.head = head,
            Err(error) => self.problems.push(error),
        }
        Ok(())
    }

    fn add_reftables(&mut self, place: &Place) -> Result<()> {
        let mut all = reftable::read(&place.common()?)?;
        if place.is_worktree() {
            all.retain(|name, _| is_shared(name));
            all.extend(reftable::read(&place.own()?)?.into_iter().filter(|(name, _)| !is_shared(name)));
        }
        let others = all.split_off(&b"refs/"[..]);
        (self.all, self.others) = (others, all);
        self.head = self.others.get(&b"HEAD"[..]).map(|entry| entry.target.clone());
        Ok(())
    }

    fn add_packed(&mut self, common: &Folder) -> Result<()> {
        let Some(bytes) = common.read("packed-refs", LARGE)? else { return Ok(()) };
        let file = common.path().join("packed-refs");
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
                    let (file, line) = (file.display().to_string(), number as u64 + 1);
                    self.problems.push(Error::BadLine { file, line, what: "not a ref".to_owned() });
                    last = None;
                }
            }
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &Folder, prefix: &[u8], skip_own: bool) {
        let entries = match folder.entries(path(prefix)) {
            Ok(entries) => entries.unwrap_or_default(),
            Err(error) => return self.problems.push(error),
        };
        for (name, kind) in entries {
            let full = [prefix, name.as_encoded_bytes()].concat();
            if kind.is_dir() {
                let is_own = skip_own && OWN.iter().any(|own| own.as_bytes() == full);
                if !is_own && full.len() < 4096 {
                    self.add_folder(folder, &[&full[..], b"/"].concat(), false);
                }
            } else if !full.ends_with(b".lock") {
                match target(folder, path(&full)) {
                    Ok(Some(target)) => drop(self.all.insert(full, Entry { target, peeled: None })),
                    Ok(None) if kind.is_symlink() => {
                        let file = folder.path().join(path(&full));
                        self.problems.push(Error::Malformed(format!("{} is a broken link", file.display())));
                    }
                    // Deleted in the meantime.
                    Ok(None) => {}
                    Err(error) => {
                        self.all.remove(&full);
                        self.problems.push(error);
                    }
                }
            }
        }
    }

    /// The object that a ref points to, directly or through other refs.
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

    /// Whether a reftable has a ref like `MERGE_HEAD`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.others.contains_key(name.as_bytes())
    }

    pub(crate) fn head_id(&self) -> Option<Oid> {
        Some(self.follow(self.head.as_ref()?)?.0)
    }

    /// The ref that a short name refers to, in git's order of precedence.
    pub(crate) fn named(&self, name: &str) -> Option<Oid> {
        let guesses = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
        let full = guesses.iter().map(|before| format!("{before}{name}"));
        let full = full.chain(std::iter::once(format!("refs/remotes/{name}/HEAD")));
        let mut found = full.filter_map(|full| self.all.get(full.as_bytes()));
        Some(self.follow(&found.next()?.target)?.0)
    }
}

/// Whether all working trees of a repository share a ref.
fn is_shared(name: &[u8]) -> bool {
    let is_own = |own: &&str| name.strip_prefix(own.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"));
    name.starts_with(b"refs/") && !OWN.iter().any(is_own)
}

/// The storage format of a repository's refs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Storage {
    Files,
    Reftable,
}

fn storage(place: &Place) -> Result<Storage> {
    match place.config.get("extensions.refstorage") {
        None | Some("files") => Ok(Storage::Files),
        Some("reftable") => Ok(Storage::Reftable),
        Some(other) => {
            let git_dir = place.git_dir.display();
            Err(Error::Unsupported(format!("{git_dir}: ref format `{other}` is not supported")))
        }
    }
}

/// The value of a HEAD file; `None` if there is no such file.
fn head(own: &Folder) -> Result<Option<Target>> {
    Ok(match pointer(own, Path::new("HEAD"))? {
        Some(pointer) => Some(pointer.target(own, Path::new("HEAD"))?),
        None => None,
    })
}

/// The checked-out branch, if there is one. The outer `None` is for a repository without HEAD.
#[expect(clippy::option_option, reason = "outer: whether there is a HEAD; inner: whether it names a branch")]
pub(crate) fn head_name(place: &Place) -> Result<Option<Option<Vec<u8>>>> {
    let own = place.own()?;
    Ok(match storage(place)? {
        Storage::Files => match pointer(&own, Path::new("HEAD"))? {
            None => None,
            Some(Pointer::Name(name)) => Some(Some(name)),
            // The names of another hash function need not be parsed.
            Some(Pointer::Digits(digits)) if digits.len() == 64 => Some(None),
            Some(digits) => digits.target(&own, Path::new("HEAD")).map(|_| Some(None))?,
        },
        Storage::Reftable => reftable::read(&own)?.remove(&b"HEAD"[..]).map(|entry| match entry.target {
            Target::Name(name) => Some(name),
            Target::Id(_) => None,
        }),
    })
}

/// The value of a file like `ORIG_HEAD` or `MERGE_HEAD`.
pub(crate) fn pseudo(place: &Place, refs: &Refs, name: &str) -> Result<Option<Target>> {
    match refs.others.get(name.as_bytes()) {
        Some(entry) => Ok(Some(entry.target.clone())),
        None => target(&place.own()?, Path::new(name)),
    }
}

/// The content of a ref file.
enum Pointer {
    /// Another ref, by its full name.
    Name(Vec<u8>),
    /// Digits that should be the hash of an object.
    Digits(Vec<u8>),
}

fn pointer(folder: &Folder, name: &Path) -> Result<Option<Pointer>> {
    // In old repositories HEAD can be a link to its branch, which need not exist yet.
    if name == Path::new("HEAD")
        && let Ok(link) = folder.read_link("HEAD")
        && link.starts_with("refs")
    {
        return Ok(Some(Pointer::Name(link.as_os_str().as_encoded_bytes().to_vec())));
    }
    let Some(bytes) = folder.read(name, SMALL)? else { return Ok(None) };
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    Ok(Some(match line.strip_prefix(b"ref:") {
        Some(name) => Pointer::Name(name.trim_ascii_start().to_vec()),
        None => Pointer::Digits(line.split(u8::is_ascii_whitespace).next().unwrap_or_default().to_vec()),
    }))
}

impl Pointer {
    fn target(self, folder: &Folder, name: &Path) -> Result<Target> {
        match self {
            Pointer::Name(name) => Ok(Target::Name(name)),
            Pointer::Digits(digits) => match commit::id(&digits) {
                Some(id) if !id.is_zero() => Ok(Target::Id(id)),
                _ => Err(Error::Malformed(format!("{} does not name an object", folder.path().join(name).display()))),
            },
        }
    }
}

/// The value of a ref file; `None` if it no longer exists.
fn target(folder: &Folder, name: &Path) -> Result<Option<Target>> {
    pointer(folder, name)?.map(|pointer| pointer.target(folder, name)).transpose()
}

/// The HEADs of all working trees that are not on a branch; `git log --all` also starts there.
pub(crate) fn detached_heads(place: &Place) -> Vec<Oid> {
    let Ok(common) = place.common() else { return Vec::new() };
    let linked = common.entries("worktrees").ok().flatten().unwrap_or_default();
    let folders = linked.into_iter().map(|(name, _)| common.below(Path::new("worktrees").join(name)));
    let is_reftable = matches!(storage(place), Ok(Storage::Reftable));
    let heads = folders.chain([common.clone()]).map(|folder| match is_reftable {
        true => reftable::read(&folder).map(|mut refs| refs.remove(&b"HEAD"[..]).map(|entry| entry.target)),
        false => head(&folder),
    });
    heads.filter_map(|head| if let Ok(Some(Target::Id(id))) = head { Some(id) } else { None }).collect()
}

/// A full name without the prefix of its kind, and the kind.
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
