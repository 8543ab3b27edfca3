//! The objects of a repository: loose and in packs, in its own object directory and its alternates.
//!
//! This code does not use libgit2, because libgit2 opens files by path and so follows every link, and because a few
//! bytes of a repository can claim to inflate to any size. Whatever a file claims, memory holds at most three times
//! [`LARGEST`] per object (base, delta, result), and [`Recent::MOST`] of cached objects.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::ZlibDecoder;
use git2::{ObjectType, Oid};
use indago_table::{Error, Held, Result, Sys};
use sha1::{Digest, Sha1};

use crate::source::folder::{Fence, Folder, SMALL};
use crate::source::pack::{Base, Entry, Index, Inflate, Pack, apply, delta_sizes};
use crate::source::{commit, path};

/// Limit in bytes of files and trees.
pub(crate) const LARGEST: usize = 128 << 20;
/// Limit in bytes of commits and tags.
const LARGEST_COMMIT: usize = 16 << 20;
/// Limit of object directories, alternates included.
const MOST_FOLDERS: usize = 64;
/// Limit of nested alternates, the same as git's.
const DEPTH: usize = 5;
/// Limit of packs in all directories. git itself repacks above 50.
const MOST_PACKS: usize = 4096;
/// Limit of a delta chain. git creates none above 4095.
const LONGEST_CHAIN: usize = 4096;
/// The empty tree, which git knows without storing it.
const EMPTY_TREE: &[u8; 40] = b"4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// The objects of a repository.
#[derive(Debug)]
pub(crate) struct Objects {
    sys: Sys,
    folders: Vec<Folder>,
    packs: Vec<StoredPack>,
    /// Index of the pack with the last object; the next one is likely in it too.
    last: usize,
    recent: Recent,
    inflate: Inflate,
    /// Bytes of indexes in memory.
    indexed: u64,
}

/// A pack in one of the object directories.
#[derive(Debug)]
struct StoredPack {
    folder: usize,
    /// Name of its index in that directory.
    name: PathBuf,
    index: Option<Index>,
    file: Option<Pack>,
}

impl StoredPack {
    fn has_open_index(&self) -> bool {
        self.index.as_ref().is_some_and(Index::is_open)
    }
}

/// An object's type and content.
type Object = (ObjectType, Arc<Vec<u8>>);

impl Objects {
    /// Opens a repository's objects. Alternates that cannot be read are added to `problems`.
    pub(crate) fn open(fence: &Fence, common_dir: &Path, problems: &mut Vec<Error>) -> Result<Self> {
        let named = common_dir.join("objects");
        let gone = || Error::Malformed(format!("{} is missing", named.display()));
        let own = fence.folder(fence.lead(&named, &named)?.ok_or_else(gone)?)?;
        // Lists the directory, so that a caller without permission does not get `missing` for each object.
        own.entries("")?.ok_or_else(gone)?;
        let mut objects = Objects {
            sys: fence.sys().clone(),
            folders: Vec::new(),
            packs: Vec::new(),
            last: 0,
            recent: Recent::default(),
            inflate: Inflate::default(),
            indexed: 0,
        };
        objects.add_folder(fence, own, 0, problems)?;
        Ok(objects)
    }

    fn add_folder(&mut self, fence: &Fence, folder: Folder, depth: usize, problems: &mut Vec<Error>) -> Result<()> {
        self.folders.push(folder.clone());
        self.add_packs(self.folders.len() - 1)?;
        let lines = match folder.read("info/alternates", SMALL) {
            Ok(lines) => lines.unwrap_or_default(),
            Err(error) => {
                problems.push(error);
                return Ok(());
            }
        };
        let file = folder.path().join("info/alternates");
        for line in alternates(&lines) {
            let named = folder.path().join(path(&line));
            let outcome = match fence.lead(&file, &named) {
                Ok(Some(real)) if self.folders.iter().any(|known| known.path() == real) => Ok(()),
                Ok(Some(_)) if depth == DEPTH || self.folders.len() == MOST_FOLDERS => {
                    Err(Error::Unsupported(format!("{}: too many alternate object directories", file.display())))
                }
                Ok(Some(real)) => {
                    fence.folder(real).and_then(|folder| self.add_folder(fence, folder, depth + 1, problems))
                }
                Ok(None) => {
                    Err(Error::Malformed(format!("{} lists {}, which is missing", file.display(), named.display())))
                }
                Err(error) => Err(error),
            };
            problems.extend(outcome.err());
        }
        Ok(())
    }

    /// Adds a directory's packs that are not known yet; returns whether there are any.
    fn add_packs(&mut self, folder: usize) -> Result<bool> {
        let before = self.packs.len();
        for (name, _) in self.folders[folder].entries("pack")?.unwrap_or_default() {
            let name = Path::new("pack").join(name);
            if name.extension().is_some_and(|extension| extension == "idx")
                && !self.packs[..before].iter().any(|pack| pack.folder == folder && pack.name == name)
            {
                if self.packs.len() == MOST_PACKS {
                    let path = self.folders[folder].path().join("pack");
                    let message = format!("{}: more than {MOST_PACKS} packs", path.display());
                    return Err(Error::Unsupported(message));
                }
                self.packs.push(StoredPack { folder, name, index: None, file: None });
            }
        }
        Ok(self.packs.len() > before)
    }

    pub(crate) fn read(&mut self, id: Oid) -> Result<Option<(ObjectType, Vec<u8>)>> {
        if is_empty_tree(id) {
            return Ok(Some((ObjectType::Tree, Vec::new())));
        }
        let found = self.find(id, Objects::packed, Objects::loose)?;
        Ok(found.map(|(kind, content)| (kind, Arc::unwrap_or_clone(content))))
    }

    /// Type and size of an object, without its content.
    pub(crate) fn header(&mut self, id: Oid) -> Result<Option<(ObjectType, usize)>> {
        if is_empty_tree(id) {
            return Ok(Some((ObjectType::Tree, 0)));
        }
        self.find(id, Objects::packed_header, |objects, id| {
            Ok(objects.open_loose(id)?.map(|(kind, size, _)| (kind, size)))
        })
    }

    /// Looks for an object in packs, then among loose objects, then in packs added since. A damaged copy is an error
    /// only if there is no other copy.
    fn find<T>(
        &mut self,
        id: Oid,
        packed: impl Fn(&mut Self, usize, u64, Oid) -> Result<T>,
        loose: impl Fn(&mut Self, Oid) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let mut problem = None;
        let mut in_packs = |objects: &mut Self, from: usize| {
            let count = objects.packs.len() - from;
            for turn in 0..count {
                let position = from + (objects.last.saturating_sub(from) + turn) % count;
                let found = match objects.offset(position, id) {
                    Ok(Some(offset)) => packed(objects, position, offset, id),
                    Ok(None) => continue,
                    Err(error) => Err(error),
                };
                match found {
                    Ok(found) => {
                        objects.last = position;
                        return Ok(Some(found));
                    }
                    Err(Error::Cancelled) => return Err(Error::Cancelled),
                    Err(error) => problem = problem.take().or(Some(error)),
                }
            }
            Ok(None)
        };
        if let Some(found) = in_packs(self, 0)? {
            return Ok(Some(found));
        }
        let from_loose = loose(self, id);
        if let Ok(Some(_)) | Err(Error::Cancelled) = from_loose {
            return from_loose;
        }
        // git may pack objects during the read.
        let known = self.packs.len();
        let mut is_changed = false;
        for folder in 0..self.folders.len() {
            is_changed |= self.add_packs(folder)?;
        }
        if is_changed && let Some(found) = in_packs(self, known)? {
            return Ok(Some(found));
        }
        match problem.or(from_loose.err()) {
            Some(problem) => Err(problem),
            None => Ok(None),
        }
    }

    /// The only object whose hash starts with these hexadecimal digits, four or more.
    pub(crate) fn abbreviated(&mut self, digits: &str) -> Result<Option<Oid>> {
        let digits = digits.to_ascii_lowercase();
        let (start, rest) = digits.split_at(2);
        let mut found = BTreeSet::new();
        for folder in &self.folders {
            for (name, _) in folder.entries(start)?.unwrap_or_default() {
                let name = name.to_string_lossy();
                if name.starts_with(rest) {
                    found.extend(commit::id(format!("{start}{name}").as_bytes()));
                }
            }
        }
        for position in 0..self.packs.len() {
            found.extend(self.index(position)?.starting_with(&digits));
        }
        Ok(if found.len() == 1 { found.pop_first() } else { None })
    }

    fn open_loose(&self, id: Oid) -> Result<Option<(ObjectType, usize, impl Read + use<>)>> {
        let hex = commit::hex(id);
        let name = format!("{}/{}", &hex[..2], &hex[2..]);
        let mut problem = None;
        for folder in &self.folders {
            match folder.open(&name) {
                Ok(None) => {}
                Ok(Some(file)) => {
                    let mut content = BufReader::new(ZlibDecoder::new(BufReader::new(file)));
                    match loose_header(&mut content) {
                        Some((kind, size)) => return Ok(Some((kind, size, content))),
                        None => problem = problem.or(Some(garbled(id, "no type and size"))),
                    }
                }
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        problem.map_or(Ok(None), Err)
    }

    fn loose(&mut self, id: Oid) -> Result<Option<Object>> {
        if let Some((known, _)) = self.recent.get(&Key::Loose(id)) {
            return Ok(Some(known));
        }
        let Some((kind, size, content)) = self.open_loose(id)? else { return Ok(None) };
        check_size(id, kind, size)?;
        let mut bytes = Vec::new();
        let _held = self.hold(size)?;
        let outcome = content.take(size as u64 + 1).read_to_end(&mut bytes);
        self.sys.check_cancelled()?;
        if outcome.is_err() || bytes.len() != size {
            return Err(garbled(id, "it does not inflate to its stated size"));
        }
        check_name(id, kind, &bytes)?;
        let object = (kind, Arc::new(bytes));
        self.recent.put(Key::Loose(id), &object, true);
        Ok(Some(object))
    }

    fn index(&mut self, position: usize) -> Result<&mut Index> {
        /// Limit of indexes with open files.
        const OPEN: usize = 128;
        let index = match self.packs[position].index.take() {
            Some(index) => index,
            None => {
                // Closes only one, so that the others stay open until they are worth reading into memory.
                if self.packs.iter().filter(|pack| pack.has_open_index()).count() >= OPEN
                    && let Some(pack) = self.packs.iter_mut().rfind(|pack| pack.has_open_index())
                {
                    pack.index = None;
                }
                let pack = &self.packs[position];
                let folder = &self.folders[pack.folder];
                let garbled =
                    || Error::Malformed(format!("{} is not a pack index", folder.path().join(&pack.name).display()));
                match folder.open(&pack.name)? {
                    Some(file) => Index::open(file, &mut self.indexed).ok_or_else(garbled)?,
                    // The pack was replaced by another one.
                    None => Index::default(),
                }
            }
        };
        Ok(self.packs[position].index.insert(index))
    }

    /// The offset of an object in a pack, if it has it.
    fn offset(&mut self, position: usize, id: Oid) -> Result<Option<u64>> {
        self.index(position)?;
        let index = self.packs[position].index.as_mut();
        Ok(index.and_then(|index| index.offset(id, &mut self.indexed)))
    }

    /// A pack's open file, and its decompressor.
    fn pack(&mut self, position: usize, id: Oid) -> Result<(&mut Pack, &mut Inflate)> {
        /// Limit of open packs.
        const OPEN: usize = 64;
        if self.packs[position].file.is_none() {
            if self.packs.iter().filter(|pack| pack.file.is_some()).count() >= OPEN {
                self.packs.iter_mut().for_each(|pack| pack.file = None);
            }
            let pack = &self.packs[position];
            let file = self.folders[pack.folder].open(pack.name.with_extension("pack"))?;
            self.packs[position].file = Some(Pack::new(file.ok_or_else(|| garbled(id, "its pack is missing"))?));
        }
        match &mut self.packs[position].file {
            Some(file) => Ok((file, &mut self.inflate)),
            None => Err(garbled(id, "its pack is missing")),
        }
    }

    /// The entry at an offset of a pack.
    fn entry(&mut self, position: usize, offset: u64, id: Oid) -> Result<Entry> {
        let (pack, _) = self.pack(position, id)?;
        let entry = pack.entry(offset).ok_or_else(|| garbled(id, "its pack has no valid entry for it"))?;
        let Base::Name(base) = entry.base else { return Ok(entry) };
        let base = self.offset(position, base)?.ok_or_else(|| garbled(id, "its delta base is missing"))?;
        Ok(Entry { base: Base::At(base), ..entry })
    }

    fn unpack(&mut self, position: usize, entry: &Entry, id: Oid) -> Result<Vec<u8>> {
        if entry.size > LARGEST {
            return Err(too_large(id, entry.size, LARGEST));
        }
        let (pack, inflate) = self.pack(position, id)?;
        let content = inflate.whole(pack, entry.data, entry.size);
        content.ok_or_else(|| garbled(id, "it does not inflate to the size stated in its pack"))
    }

    /// Charges a large object to the query's memory while it is unpacked.
    fn hold(&self, size: usize) -> Result<Held> {
        self.sys.meter().hold(if size > Recent::LARGEST { size } else { 0 })
    }

    /// The object at an offset of a pack, with its deltas applied.
    fn packed(&mut self, position: usize, offset: u64, id: Oid) -> Result<Object> {
        let (mut chain, mut at) = (Vec::new(), offset);
        let mut held = Held::default();
        let (kind, mut content) = loop {
            if let Some((known, is_checked)) = self.recent.get(&Key::Packed(position, at)) {
                if chain.is_empty() && is_checked {
                    return Ok(known);
                }
                break known;
            }
            let entry = self.entry(position, at, id)?;
            if let Base::None(kind) = entry.base {
                check_size(id, kind, entry.size)?;
                held = self.hold(entry.size)?;
                let object = (kind, Arc::new(self.unpack(position, &entry, id)?));
                // A walk reads each commit once, so commits are not cached.
                if kind != ObjectType::Commit || !chain.is_empty() {
                    self.recent.put(Key::Packed(position, at), &object, false);
                }
                break object;
            }
            let Base::At(base) = entry.base else { return Err(garbled(id, "its delta base is missing")) };
            chain.push((at, entry));
            at = base;
            if chain.len() > LONGEST_CHAIN {
                return Err(garbled(id, "its delta chain is too long"));
            }
            self.sys.check_cancelled()?;
        };
        while let Some((place, entry)) = chain.pop() {
            let _held = self.hold(entry.size)?;
            let delta = self.unpack(position, &entry, id)?;
            let built = self.hold(delta_sizes(&delta).map_or(0, |(_, size, _)| size.min(LARGEST)))?;
            content = Arc::new(apply(&content, &delta).ok_or_else(|| garbled(id, "its delta is malformed"))?);
            check_size(id, kind, content.len())?;
            held = built;
            self.recent.put(Key::Packed(position, place), &(kind, content.clone()), false);
            self.sys.check_cancelled()?;
        }
        check_name(id, kind, &content)?;
        drop(held);
        self.recent.set_checked(&Key::Packed(position, offset));
        self.sys.meter().add_calls(1);
        self.sys.meter().add_bytes(content.len() as u64);
        Ok((kind, content))
    }

    fn packed_header(&mut self, position: usize, offset: u64, id: Oid) -> Result<(ObjectType, usize)> {
        let mut entry = self.entry(position, offset, id)?;
        let mut size = entry.size;
        if !matches!(entry.base, Base::None(_)) {
            let (pack, inflate) = self.pack(position, id)?;
            let built = inflate.start(pack, entry.data).and_then(|start| Some(delta_sizes(&start)?.1));
            size = built.ok_or_else(|| garbled(id, "its delta is malformed"))?;
        }
        for _ in 0..LONGEST_CHAIN {
            match entry.base {
                Base::None(kind) => return Ok((kind, size)),
                Base::At(base) => entry = self.entry(position, base, id)?,
                Base::Name(_) => break,
            }
            self.sys.check_cancelled()?;
        }
        Err(garbled(id, "its delta chain is too long"))
    }
}

/// The directories in a list of alternates.
pub(crate) fn alternates(lines: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    lines.map(|line| unquoted(line).unwrap_or_else(|| line.to_vec()))
}

/// A path that git quoted because of special characters.
fn unquoted(line: &[u8]) -> Option<Vec<u8>> {
    let mut rest = line.strip_prefix(b"\"")?.strip_suffix(b"\"")?.iter().copied();
    let mut path = Vec::new();
    while let Some(byte) = rest.next() {
        path.push(match byte {
            b'\\' => match rest.next()? {
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                high @ b'0'..=b'3' => {
                    let mut digit = || rest.next().filter(|digit| (b'0'..=b'7').contains(digit));
                    (high - b'0') << 6 | (digit()? - b'0') << 3 | (digit()? - b'0')
                }
                other => other,
            },
            other => other,
        });
    }
    Some(path)
}

/// The type and size at the start of a loose object.
fn loose_header(content: &mut impl BufRead) -> Option<(ObjectType, usize)> {
    let mut header = Vec::new();
    content.take(32).read_until(0, &mut header).ok()?;
    let (kind, size) = std::str::from_utf8(header.strip_suffix(b"\0")?).ok()?.split_once(' ')?;
    Some((ObjectType::from_str(kind)?, size.parse().ok()?))
}

fn is_empty_tree(id: Oid) -> bool {
    commit::id(EMPTY_TREE) == Some(id)
}

fn garbled(id: Oid, why: &str) -> Error {
    Error::Malformed(format!("object {id} is malformed: {why}"))
}

fn too_large(id: Oid, size: usize, most: usize) -> Error {
    Error::Unsupported(format!("object {id} has {size} bytes; the limit is {most}"))
}

fn check_size(id: Oid, kind: ObjectType, size: usize) -> Result<()> {
    let most = if matches!(kind, ObjectType::Commit | ObjectType::Tag) { LARGEST_COMMIT } else { LARGEST };
    if size > most { Err(too_large(id, size, most)) } else { Ok(()) }
}

/// Fails if a content does not have the given hash.
fn check_name(id: Oid, kind: ObjectType, content: &[u8]) -> Result<()> {
    let mut hash = Sha1::new();
    hash.update(format!("{} {}\0", kind.str(), content.len()));
    hash.update(content);
    let is_named = hash.finalize().as_slice() == id.as_bytes();
    if is_named { Ok(()) } else { Err(garbled(id, "its content does not match its hash")) }
}

/// The location of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Loose(Oid),
    Packed(usize, u64),
}

/// Cache of objects. Deltas are applied to them, and a tree is compared with the one before and the one after it.
#[derive(Debug, Default)]
struct Recent {
    objects: HashMap<Key, (Object, bool)>,
    order: VecDeque<Key>,
    bytes: usize,
}

impl Recent {
    /// Limit of cached bytes.
    const MOST: usize = 16 << 20;
    /// Larger objects are not cached.
    const LARGEST: usize = 1 << 20;
    /// Overhead of a cached object, in bytes.
    const EACH: usize = 128;

    /// An object, and whether its hash was checked.
    fn get(&self, key: &Key) -> Option<(Object, bool)> {
        self.objects.get(key).cloned()
    }

    fn put(&mut self, key: Key, object: &Object, is_checked: bool) {
        let size = object.1.len() + Recent::EACH;
        if size > Recent::LARGEST || self.objects.insert(key, (object.clone(), is_checked)).is_some() {
            return;
        }
        self.order.push_back(key);
        self.bytes += size;
        while self.bytes > Recent::MOST
            && let Some(oldest) = self.order.pop_front()
        {
            if let Some(((_, content), _)) = self.objects.remove(&oldest) {
                self.bytes -= content.len() + Recent::EACH;
            }
        }
    }

    fn set_checked(&mut self, key: &Key) {
        if let Some((_, is_checked)) = self.objects.get_mut(key) {
            *is_checked = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_paths_are_read_as_git_reads_them() {
        let lines = b"# note\n\n/plain path\n\"/a\\\"b\\303\\274\\n\"\n\"open\n";
        let found: Vec<_> = alternates(lines).map(|path| String::from_utf8_lossy(&path).into_owned()).collect();
        assert_eq!(found, ["/plain path", "/a\"bü\n", "\"open"]);
    }

    #[test]
    fn what_is_kept_of_objects_is_bounded() {
        let mut recent = Recent::default();
        for number in 0..100 {
            recent.put(Key::Packed(0, number), &(ObjectType::Blob, Arc::new(vec![0; 500_000])), false);
        }
        recent.put(Key::Packed(1, 0), &(ObjectType::Blob, Arc::new(vec![0; 2 << 20])), false);
        assert!(recent.bytes <= Recent::MOST && recent.objects.len() == recent.order.len());
        assert!(recent.get(&Key::Packed(0, 99)).is_some() && recent.get(&Key::Packed(0, 0)).is_none());
        assert!(recent.get(&Key::Packed(1, 0)).is_none());
    }
}
