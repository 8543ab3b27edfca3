//! Differences between two trees.

use git2::{ObjectType, Oid};
use indago_table::{Error, Result};

use crate::source::store::Store;

/// A file on one side of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) mode: u32,
    pub(crate) id: Oid,
}

/// A file that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: Vec<u8>,
    pub(crate) old: Option<Side>,
    pub(crate) new: Option<Side>,
    /// Previous path of the file, and the similarity, out of [`MOST`](crate::source::rename::MOST).
    pub(crate) renamed: Option<(Vec<u8>, u64)>,
}

impl Change {
    /// git's term for the change.
    pub(crate) fn status(&self) -> &'static str {
        match (self.old, self.new) {
            _ if self.renamed.is_some() => "renamed",
            (None, _) => "added",
            (_, None) => "deleted",
            (Some(old), Some(new)) if old.mode & FORMAT != new.mode & FORMAT => "typechange",
            _ => "modified",
        }
    }
}

const FORMAT: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
/// A commit of another repository: a submodule.
pub(crate) const COMMIT: u32 = 0o160_000;

impl Side {
    pub(crate) fn is_regular(self) -> bool {
        self.mode & FORMAT == REGULAR
    }

    pub(crate) fn is_commit(self) -> bool {
        self.mode == COMMIT
    }
}

/// The paths that a query needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Complete paths; `None` for all.
    pub(crate) paths: Option<Vec<String>>,
    /// Required prefixes; a path must have all of them.
    pub(crate) starts: Vec<Start>,
}

/// A required prefix of a path.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) text: String,
    pub(crate) ignore_case: bool,
}

impl Start {
    /// Whether the shorter of the two is a prefix of the other.
    fn goes_with(&self, path: &str) -> bool {
        let length = self.text.len().min(path.len());
        let (start, path) = (&self.text.as_bytes()[..length], &path.as_bytes()[..length]);
        if self.ignore_case { start.eq_ignore_ascii_case(path) } else { start == path }
    }
}

impl Filter {
    /// Whether it matches every path.
    pub(crate) fn is_open(&self) -> bool {
        self.paths.is_none() && self.starts.is_empty()
    }

    /// Whether it matches a file.
    pub(crate) fn admits(&self, path: &[u8]) -> bool {
        let text = String::from_utf8_lossy(path);
        self.paths.as_ref().is_none_or(|paths| paths.iter().any(|asked| *asked == text))
            && self.starts.iter().all(|start| text.len() >= start.text.len() && start.goes_with(&text))
    }

    /// Whether it may match a file under a directory (given with its `/`).
    fn enters(&self, folder: &[u8]) -> bool {
        let Ok(folder) = std::str::from_utf8(folder) else { return true };
        self.paths.as_ref().is_none_or(|paths| paths.iter().any(|asked| asked.starts_with(folder)))
            && self.starts.iter().all(|start| start.goes_with(folder))
    }
}

/// The files that differ between two trees, ordered by path; `None` is a tree without files.
pub(crate) fn changes(store: &Store, old: Option<Oid>, new: Option<Oid>, filter: &Filter) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    if old != new {
        Walk { store, filter, changes: &mut changes, depth: 0, bytes: 0 }.compare(&mut Vec::new(), old, new)?;
    }
    Ok(changes)
}

struct Walk<'a> {
    store: &'a Store,
    filter: &'a Filter,
    changes: &'a mut Vec<Change>,
    depth: usize,
    /// Memory of the changes, in bytes.
    bytes: usize,
}

/// Limit in bytes of a commit's changes. A crafted tree can exceed it: a directory that contains itself ten times, ten
/// levels deep.
const MOST: usize = 256 << 20;
/// Limit of nested directories; only a crafted tree exceeds it.
const DEPTH: usize = 2048;

impl Walk<'_> {
    fn compare(&mut self, folder: &mut Vec<u8>, old: Option<Oid>, new: Option<Oid>) -> Result<()> {
        if self.depth > DEPTH {
            return Err(Error::Malformed(format!("directories are nested more than {DEPTH} levels deep")));
        }
        let read = |tree: Option<Oid>| tree.map(|id| self.store.read(id, ObjectType::Tree)).transpose();
        let (old, new) = (read(old)?.unwrap_or_default(), read(new)?.unwrap_or_default());
        let (mut old, mut new) = (Entries(&old).peekable(), Entries(&new).peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(Ok(old)), Some(Ok(new))) => old.order(new),
                (Some(Err(_)), _) => std::cmp::Ordering::Less,
                (_, Some(Err(_))) => std::cmp::Ordering::Greater,
            };
            let before = if order.is_le() { old.next().transpose()? } else { None };
            let after = if order.is_ge() { new.next().transpose()? } else { None };
            if let (Some(before), Some(after)) = (&before, &after)
                && before.side == after.side
            {
                continue;
            }
            let Some(entry) = before.as_ref().or(after.as_ref()) else { continue };
            let length = folder.len();
            folder.extend_from_slice(entry.name);
            if entry.is_folder() {
                folder.push(b'/');
                if self.filter.is_open() || self.filter.enters(folder) {
                    self.depth += 1;
                    let tree = |entry: Option<Entry<'_>>| entry.map(|entry| entry.side.id);
                    self.compare(folder, tree(before), tree(after))?;
                    self.depth -= 1;
                }
            } else if self.filter.is_open() || self.filter.admits(folder) {
                let side = |entry: Option<Entry<'_>>| entry.map(|entry| entry.side);
                let change = Change { path: folder.clone(), old: side(before), new: side(after), renamed: None };
                self.bytes += size_of::<Change>() + change.path.len();
                if self.bytes > MOST {
                    let count = self.changes.len();
                    return Err(Error::Unsupported(format!("more than {count} files changed, too many for memory")));
                }
                self.changes.push(change);
            }
            folder.truncate(length);
        }
    }
}

/// An entry of a tree.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    name: &'a [u8],
    side: Side,
}

impl Entry<'_> {
    fn is_folder(&self) -> bool {
        self.side.mode == FOLDER
    }

    /// The order of entries in a tree: directories sort as if their names ended in `/`.
    fn order(&self, other: &Entry<'_>) -> std::cmp::Ordering {
        fn key<'a>(entry: &'a Entry<'_>) -> impl Iterator<Item = u8> + 'a {
            entry.name.iter().copied().chain(entry.is_folder().then_some(b'/'))
        }
        let common = self.name.len().min(other.name.len());
        self.name[..common].cmp(&other.name[..common]).then_with(|| key(self).skip(common).cmp(key(other).skip(common)))
    }
}

/// The entries of a tree object.
struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>>;

    fn next(&mut self) -> Option<Result<Entry<'a>>> {
        if self.0.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_none() {
            self.0 = &[];
        }
        Some(entry.ok_or_else(|| Error::Malformed("a tree is truncated or malformed".to_owned())))
    }
}

impl<'a> Entries<'a> {
    fn entry(&mut self) -> Option<Entry<'a>> {
        let space = self.0.iter().take(12).position(|byte| *byte == b' ')?;
        let mode = u32::from_str_radix(std::str::from_utf8(&self.0[..space]).ok()?, 8).ok()?;
        let rest = &self.0[space + 1..];
        let end = rest.iter().position(|byte| *byte == 0)?;
        let id = Oid::from_bytes(rest.get(end + 1..end + 21)?).ok()?;
        self.0 = &rest[end + 21..];
        Some(Entry { name: &rest[..end], side: Side { mode: canonical(mode), id } })
    }
}

/// A mode as git interprets it: old repositories have more modes than git distinguishes.
fn canonical(mode: u32) -> u32 {
    match mode & FORMAT {
        REGULAR if mode & 0o100 != 0 => 0o100_755,
        REGULAR => 0o100_644,
        FOLDER => FOLDER,
        LINK => LINK,
        _ => COMMIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, &str)]) -> Vec<u8> {
        entries.iter().flat_map(|(mode, name)| [format!("{mode} {name}\0").as_bytes(), &[7; 20]].concat()).collect()
    }

    #[test]
    fn entries_of_a_tree() {
        let bytes = tree(&[("100664", "a"), ("40000", "b"), ("120000", "c"), ("160000", "d"), ("100755", "e")]);
        let entries: Vec<_> =
            Entries(&bytes).map(|entry| entry.map(|entry| (entry.name.to_vec(), entry.side.mode))).collect();
        let expected = [("a", 0o100_644), ("b", FOLDER), ("c", LINK), ("d", COMMIT), ("e", 0o100_755)];
        assert_eq!(entries, expected.map(|(name, mode)| Ok((name.as_bytes().to_vec(), mode))));
    }

    #[test]
    fn a_garbled_tree_is_an_error_and_an_end() {
        let whole = tree(&[("100644", "a"), ("40000", "b")]);
        let first = tree(&[("100644", "a")]).len();
        for end in 1..whole.len() {
            let entries: Vec<_> = Entries(&whole[..end]).take(10).collect();
            assert!(entries.len() <= 2, "{end}");
            assert_eq!(entries.iter().any(Result::is_err), end != first, "{end}");
        }
    }

    #[test]
    fn folders_sort_as_if_they_ended_in_a_slash() {
        let entry = |name: &'static str, mode| Entry { name: name.as_bytes(), side: Side { mode, id: Oid::ZERO_SHA1 } };
        assert!(entry("a", FOLDER).order(&entry("a.b", LINK)).is_gt());
        assert!(entry("a", LINK).order(&entry("a.b", LINK)).is_lt());
        assert!(entry("a", FOLDER).order(&entry("a0", LINK)).is_lt());
        assert!(entry("a", FOLDER).order(&entry("a", LINK)).is_gt());
        assert!(entry("a", FOLDER).order(&entry("a", FOLDER)).is_eq());
    }

    #[test]
    fn a_filter_enters_only_folders_on_the_way() {
        let paths = Filter { paths: Some(vec!["src/a/b.rs".to_owned()]), starts: Vec::new() };
        assert!(paths.enters(b"src/") && paths.enters(b"src/a/") && !paths.enters(b"src/b/") && !paths.enters(b"s/"));
        let starts = Filter { paths: None, starts: vec![Start { text: "src/a".to_owned(), ignore_case: false }] };
        assert!(starts.enters(b"src/") && starts.enters(b"src/ab/") && !starts.enters(b"docs/"));
        assert!(starts.admits(b"src/a.rs") && !starts.admits(b"src/b.rs") && !starts.admits(b"src"));
        assert!(!starts.admits(b"SRC/a.rs"));
        let starts = Filter { paths: None, starts: vec![Start { text: "SRC/a".to_owned(), ignore_case: true }] };
        assert!(starts.enters(b"src/") && starts.admits(b"src/A.rs") && !starts.admits(b"lib/a"));
    }
}
