//! The walk through history: every reachable commit, each once, newest first.

use std::collections::{BinaryHeap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use git2::{ObjectType, Oid};
use indago_table::{Error, Result};

use crate::source::commit::Commit;
use crate::source::graph::{Graph, Position};
use crate::source::refs::{self, Refs};
use crate::source::revision::Range;
use crate::source::store::Store;

/// The data that a walk must return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wants {
    /// The content of commits, not only their hashes.
    pub(crate) content: bool,
    /// Only commits made at this time or later, in seconds since 1970. The walk may return older ones: it skips only
    /// those that are certainly older.
    pub(crate) since: Option<i64>,
}

impl Wants {
    /// Only the hashes of commits.
    pub(crate) const NAMES: Wants = Wants { content: false, since: None };
    /// The content of all commits.
    pub(crate) const CONTENT: Wants = Wants { content: true, since: None };
}

/// A walk by committer date, as `git log` does. Memory grows with the width of the history, plus 20 bytes and a bit per
/// commit seen.
#[derive(Debug)]
pub(crate) struct Walk {
    store: Arc<Store>,
    seen: HashSet<Oid, BuildHasherDefault<IdHasher>>,
    ahead: BinaryHeap<Ahead>,
    /// Bytes of the commits in `ahead`.
    kept: usize,
    problems: Vec<Error>,
    wants: Wants,
    /// The commit graph, if it helps, and which of its commits were seen.
    graph: Option<(Graph, Vec<bool>)>,
}

/// Larger commits are not kept while they wait in `ahead`.
const LARGEST: usize = 1 << 16;
/// Limit in bytes of the commits in `ahead`.
const MOST_KEPT: usize = 64 << 20;

/// A commit that was seen and not yet returned.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ahead {
    seconds: i64,
    id: Oid,
    found: Found,
}

/// The known data of a commit.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Read(Vec<u8>),
    /// The commit, or all of them together, is too large; it is read again when its turn comes.
    Large,
    InGraph(Position),
}

impl Walk {
    /// A walk of every commit that a ref or the HEAD of a working tree leads to.
    pub(crate) fn everything(store: Arc<Store>, refs: &Refs, wants: Wants) -> Self {
        let mut walk = Walk::empty(store, wants);
        for (name, entry) in &refs.all {
            let Some((id, peeled)) = refs.follow(&entry.target) else { continue };
            walk.start(&String::from_utf8_lossy(name), entry.peeled.or(peeled).unwrap_or(id));
        }
        let detached = refs::detached_heads(&walk.store.place);
        for head in detached.into_iter().chain(refs.head_id()) {
            walk.start("HEAD", head);
        }
        walk
    }

    /// A walk of every commit of a range.
    pub(crate) fn range(store: Arc<Store>, range: &Range, wants: Wants) -> Self {
        let mut walk = Walk::empty(store, wants);
        // Excluded commits are excluded whatever their time.
        walk.wants.since = None;
        for id in &range.without {
            walk.start("", *id);
        }
        while walk.next().is_some() {}
        walk.wants = wants;
        walk.problems.clear();
        for id in &range.from {
            walk.start("", *id);
        }
        walk
    }

    fn empty(store: Arc<Store>, wants: Wants) -> Self {
        // In a shallow clone, the graph may have more commits than the clone.
        let helps = (!wants.content || wants.since.is_some()) && !store.is_shallow();
        let graph = if helps { Graph::read(&store.place) } else { None };
        let graph = graph.map(|graph| {
            let seen = vec![false; graph.len()];
            (graph, seen)
        });
        let (seen, ahead) = (HashSet::default(), BinaryHeap::new());
        Walk { store, seen, ahead, kept: 0, problems: Vec::new(), wants, graph }
    }

    /// Starts the walk at a commit, or at the commit of a tag.
    fn start(&mut self, name: &str, id: Oid) {
        if self.seen.contains(&id) || self.put_from_graph(id) {
            return;
        }
        match self.store.commit(id) {
            Ok(Some((id, raw))) => {
                if !self.put_from_graph(id) && self.seen.insert(id) {
                    self.put(id, raw);
                }
            }
            Ok(None) | Err(Error::Cancelled) => {}
            Err(error) if name.is_empty() => self.problems.push(error),
            Err(error) => self.problems.push(Error::Malformed(format!("{name}: {error}"))),
        }
    }

    fn put(&mut self, id: Oid, raw: Vec<u8>) {
        let seconds = Commit::seconds_of(&raw);
        let found = if raw.len() > LARGEST || self.kept + raw.len() > MOST_KEPT {
            Found::Large
        } else {
            self.kept += raw.len();
            Found::Read(raw)
        };
        self.ahead.push(Ahead { seconds, id, found });
    }

    /// Handles a commit with the graph's data; `false` if it must be read.
    fn put_from_graph(&mut self, id: Oid) -> bool {
        let Some((graph, _)) = &self.graph else { return false };
        let Some(position) = graph.position(id) else { return false };
        if let (Some(since), Some(newest)) = (self.wants.since, graph.newest(position))
            && newest < since
        {
            return true;
        }
        !self.wants.content && self.put_position(position)
    }

    fn put_position(&mut self, position: Position) -> bool {
        let Some((graph, seen)) = &mut self.graph else { return false };
        let Some(is_seen) = seen.get_mut(position as usize) else { return false };
        if !*is_seen {
            let Some((id, seconds, _)) = graph.commit(position) else { return false };
            *is_seen = true;
            self.ahead.push(Ahead { seconds, id, found: Found::InGraph(position) });
        }
        true
    }

    fn put_parent(&mut self, parent: Oid, child: Oid) -> Result<()> {
        if self.put_from_graph(parent) || !self.seen.insert(parent) {
            return Ok(());
        }
        let Some((kind, raw)) = self.store.find(parent)? else {
            let missing = self.store.missing(ObjectType::Commit, parent);
            return Err(Error::Malformed(format!("{missing}, a parent of {child}")));
        };
        if kind != ObjectType::Commit {
            return Err(Error::Malformed(format!("object {parent}, a parent of {child}, is a {kind}")));
        }
        self.put(parent, raw);
        Ok(())
    }
}

impl Iterator for Walk {
    /// A commit, with its content if `Wants` includes it.
    type Item = Result<(Oid, Vec<u8>)>;

    fn next(&mut self) -> Option<Result<(Oid, Vec<u8>)>> {
        if let Some(error) = self.problems.pop() {
            return Some(Err(error));
        }
        let Ahead { id, found, .. } = self.ahead.pop()?;
        let raw = match found {
            Found::InGraph(position) => {
                let commit = self.graph.as_ref().and_then(|(graph, _)| graph.commit(position));
                let parents = commit.map(|(_, _, parents)| parents).unwrap_or_default();
                for parent in parents {
                    let is_old = |since| {
                        self.graph
                            .as_ref()
                            .and_then(|(graph, _)| graph.newest(parent))
                            .is_some_and(|newest| newest < since)
                    };
                    if !self.wants.since.is_some_and(is_old) {
                        self.put_position(parent);
                    }
                }
                return Some(Ok((id, Vec::new())));
            }
            Found::Read(raw) => {
                self.kept -= raw.len();
                raw
            }
            Found::Large => match self.store.read(id, ObjectType::Commit) {
                Ok(raw) => raw,
                Err(Error::Cancelled) => return None,
                Err(error) => return Some(Err(error)),
            },
        };
        if !self.store.is_boundary(id) {
            for parent in Commit::parents_of(&raw) {
                match self.put_parent(parent, id) {
                    Ok(()) => {}
                    Err(Error::Cancelled) => return None,
                    Err(error) => self.problems.push(error),
                }
            }
        }
        Some(Ok((id, raw)))
    }
}

/// Uses the start of an ID as its hash: IDs are hashes already.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(start) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*start);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}
