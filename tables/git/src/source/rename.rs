//! Finds renames: a deleted and an added file with similar content.
//!
//! The rules are git's, so a commit shows the same renames as `git log -M`: first equal content, then the same file
//! name with at least three quarters of the content, then the best pairs with at least half of it.

use std::collections::HashMap;

use indago_table::Result;

use crate::source::lines::{self, Content};
use crate::source::store::Store;
use crate::source::tree::{Change, Side};

/// The similarity of two equal files.
pub(crate) const MOST: u64 = 60_000;
const LEAST: u64 = MOST / 2;
const LEAST_FOR_SAME_NAME: u64 = LEAST + LEAST / 2;
/// If there are more pairs than the square of this, they are not compared.
const LIMIT: usize = 1000;
/// Number of best sources that are kept for each added file.
const CANDIDATES: usize = 4;

/// Joins a deletion and an addition that are a rename. A file that cannot be read is not a rename.
pub(crate) fn join(store: &Store, changes: Vec<Change>) -> Result<Vec<Change>> {
    let is = |side: fn(&Change) -> Option<Side>| move |change: &&Change| side(change).is_some();
    let has_deleted = changes.iter().filter(is(|c| c.old)).any(|change| change.new.is_none());
    let has_added = changes.iter().filter(is(|c| c.new)).any(|change| change.old.is_none());
    if !has_deleted || !has_added {
        return Ok(changes);
    }
    let mut search = Search::new(store, &changes);
    search.same_content();
    search.same_name()?;
    search.best_pairs()?;
    Ok(apply(changes, &search.added))
}

/// The changes with each pair merged into one, at the position of the added file.
fn apply(changes: Vec<Change>, added: &[File]) -> Vec<Change> {
    let moves: HashMap<usize, (usize, u64)> =
        added.iter().filter_map(|file| Some((file.change, file.partner?))).collect();
    let sources: HashMap<usize, (Vec<u8>, Option<Side>)> =
        moves.values().map(|(source, _)| (*source, (changes[*source].path.clone(), changes[*source].old))).collect();
    let mut joined = Vec::with_capacity(changes.len() - sources.len());
    for (position, mut change) in changes.into_iter().enumerate() {
        if sources.contains_key(&position) {
            continue;
        }
        if let Some((source, score)) = moves.get(&position)
            && let Some((path, old)) = sources.get(source)
        {
            (change.old, change.renamed) = (*old, Some((path.clone(), *score)));
        }
        joined.push(change);
    }
    joined
}

/// A deleted or an added file.
struct File {
    /// Index of its change.
    change: usize,
    path: Vec<u8>,
    side: Side,
    /// Its deleted file, and how similar they are. For a deleted file: that it was renamed.
    partner: Option<(usize, u64)>,
    content: Option<Option<Summary>>,
}

impl File {
    fn name(&self) -> &[u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }
}

struct Search<'a> {
    store: &'a Store,
    deleted: Vec<File>,
    added: Vec<File>,
}

impl<'a> Search<'a> {
    fn new(store: &'a Store, changes: &[Change]) -> Self {
        let (mut deleted, mut added) = (Vec::new(), Vec::new());
        for (position, change) in changes.iter().enumerate() {
            let (list, side) = match (change.old, change.new) {
                (Some(side), None) => (&mut deleted, side),
                (None, Some(side)) => (&mut added, side),
                _ => continue,
            };
            list.push(File { change: position, path: change.path.clone(), side, partner: None, content: None });
        }
        Search { store, deleted, added }
    }

    fn pair(&mut self, deleted: usize, added: usize, score: u64) {
        self.added[added].partner = Some((self.deleted[deleted].change, score));
        self.deleted[deleted].partner = Some((self.added[added].change, score));
    }

    fn same_content(&mut self) {
        let mut by_id: HashMap<git2::Oid, Vec<usize>> = HashMap::new();
        for (position, file) in self.deleted.iter().enumerate() {
            by_id.entry(file.side.id).or_default().push(position);
        }
        for added in 0..self.added.len() {
            let file = &self.added[added];
            let Some(alike) = by_id.get(&file.side.id) else { continue };
            let fits = |deleted: &&usize| {
                let other = &self.deleted[**deleted];
                let same_kind = other.side.is_regular() && file.side.is_regular() || other.side.mode == file.side.mode;
                same_kind && other.partner.is_none()
            };
            let named = |deleted: &&usize| self.deleted[**deleted].name() == file.name();
            let best = alike.iter().filter(fits).find(named).or_else(|| alike.iter().find(fits));
            if let Some(best) = best.copied() {
                self.pair(best, added, MOST);
            }
        }
    }

    /// Pairs files whose name is unique among the deleted and among the added files.
    fn same_name(&mut self) -> Result<()> {
        fn unique(files: &[File]) -> HashMap<Vec<u8>, Option<usize>> {
            let mut names = HashMap::new();
            for (position, file) in files.iter().enumerate().filter(|(_, file)| file.partner.is_none()) {
                let known = names.entry(file.name().to_vec());
                known.and_modify(|position| *position = None).or_insert(Some(position));
            }
            names
        }
        let added = unique(&self.added);
        let mut deleted: Vec<_> =
            unique(&self.deleted).into_iter().filter_map(|(name, one)| Some((one?, name))).collect();
        deleted.sort_unstable();
        for (deleted, name) in deleted {
            if let Some(Some(added)) = added.get(&name) {
                let score = self.similarity(deleted, *added)?;
                if score >= LEAST_FOR_SAME_NAME {
                    self.pair(deleted, *added, score);
                }
            }
        }
        Ok(())
    }

    fn best_pairs(&mut self) -> Result<()> {
        let open = |files: &[File]| -> Vec<usize> {
            (0..files.len()).filter(|position| files[*position].partner.is_none()).collect()
        };
        let (deleted, added) = (open(&self.deleted), open(&self.added));
        if deleted.is_empty() || added.is_empty() || deleted.len() * added.len() > LIMIT * LIMIT {
            return Ok(());
        }
        let mut pairs: Vec<Pair> = Vec::new();
        for added in added {
            let mut best: Vec<Pair> = Vec::with_capacity(CANDIDATES);
            for deleted in deleted.iter().copied() {
                let score = self.similarity(deleted, added)?;
                let is_named_alike = self.deleted[deleted].name() == self.added[added].name();
                let pair = Pair { score, is_named_alike, deleted, added };
                if best.len() < CANDIDATES {
                    best.push(pair);
                    continue;
                }
                // Replaces the first of the worst candidates by a better one.
                let worst =
                    (1..CANDIDATES).fold(0, |worst, at| if best[at].rank() < best[worst].rank() { at } else { worst });
                if best[worst].rank() < pair.rank() {
                    best[worst] = pair;
                }
            }
            pairs.append(&mut best);
            // A file's content is not needed after its comparisons.
            self.added[added].content = None;
        }
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.rank()));
        for pair in pairs.into_iter().take_while(|pair| pair.score >= LEAST) {
            if self.added[pair.added].partner.is_none() && self.deleted[pair.deleted].partner.is_none() {
                self.pair(pair.deleted, pair.added, pair.score);
            }
        }
        Ok(())
    }

    /// The similarity of two files, relative to the larger one.
    fn similarity(&mut self, deleted: usize, added: usize) -> Result<u64> {
        let (one, two) = (&mut self.deleted[deleted], &mut self.added[added]);
        if !one.side.is_regular() || !two.side.is_regular() {
            return Ok(0);
        }
        for file in [&mut *one, &mut *two] {
            if file.content.is_none() {
                file.content = Some(Summary::read(self.store, file.side)?);
            }
        }
        let (Some(Some(one)), Some(Some(two))) = (&mut one.content, &mut two.content) else { return Ok(0) };
        let (most, difference) = (one.size.max(two.size), one.size.abs_diff(two.size));
        if most * (MOST - LEAST) < difference * MOST || two.size == 0 {
            return Ok(0);
        }
        Ok(one.common(two, self.store)? * MOST / most)
    }
}

struct Pair {
    score: u64,
    is_named_alike: bool,
    deleted: usize,
    added: usize,
}

impl Pair {
    fn rank(&self) -> (u64, bool) {
        (self.score, self.is_named_alike)
    }
}

/// A file's size and, once needed, its pieces.
struct Summary {
    id: git2::Oid,
    size: u64,
    pieces: Option<Vec<(u32, u64)>>,
}

impl Summary {
    fn read(store: &Store, side: Side) -> Result<Option<Self>> {
        match store.header(side.id) {
            Ok((git2::ObjectType::Blob, size)) => Ok(Some(Summary { id: side.id, size: size as u64, pieces: None })),
            Err(error @ indago_table::Error::Cancelled) => Err(error),
            _ => Ok(None),
        }
    }

    fn common(&mut self, other: &mut Summary, store: &Store) -> Result<u64> {
        for summary in [&mut *self, &mut *other] {
            if summary.pieces.is_none() {
                let content = lines::blob(store, summary.id);
                summary.pieces = Some(match content {
                    Ok(Content::Text(bytes)) => pieces(&bytes, true),
                    Ok(Content::Binary(bytes)) => pieces(&bytes, false),
                    Err(error @ indago_table::Error::Cancelled) => return Err(error),
                    Ok(Content::TooLarge) | Err(_) => Vec::new(),
                });
            }
        }
        let (Some(one), Some(two)) = (&self.pieces, &other.pieces) else { return Ok(0) };
        let (mut one, mut two, mut common) = (one.iter().peekable(), two.iter().peekable(), 0);
        while let (Some((left, bytes)), Some((right, others))) = (one.peek(), two.peek()) {
            match left.cmp(right) {
                std::cmp::Ordering::Less => drop(one.next()),
                std::cmp::Ordering::Greater => drop(two.next()),
                std::cmp::Ordering::Equal => {
                    common += bytes.min(others);
                    one.next();
                    two.next();
                }
            }
        }
        Ok(common)
    }
}

/// The pieces of a content: lines, with long ones cut every 64 bytes. Returns the fingerprint of each distinct piece,
/// ascending, with the total number of bytes in such pieces.
fn pieces(content: &[u8], is_text: bool) -> Vec<(u32, u64)> {
    let mut pieces: Vec<(u32, u64)> = Vec::new();
    let (mut low, mut high, mut length) = (0_u32, 0_u32, 0);
    for (position, byte) in content.iter().enumerate() {
        // Ignores the difference between CR LF and LF.
        if is_text && *byte == b'\r' && content.get(position + 1) == Some(&b'\n') {
            continue;
        }
        let before = low;
        low = (low << 7 ^ high >> 25).wrapping_add(u32::from(*byte));
        high = high << 7 ^ before >> 25;
        length += 1;
        if length == 64 || *byte == b'\n' {
            pieces.push((fingerprint(low, high), length));
            (low, high, length) = (0, 0, 0);
            // There are at most 107,927 fingerprints, so merging frees space.
            if pieces.len() == 1 << 20 {
                add_up(&mut pieces);
            }
        }
    }
    if length > 0 {
        pieces.push((fingerprint(low, high), length));
    }
    add_up(&mut pieces);
    pieces
}

/// Sorts pieces and merges equal ones.
fn add_up(pieces: &mut Vec<(u32, u64)>) {
    pieces.sort_unstable();
    pieces.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        if is_same {
            kept.1 += next.1;
        }
        is_same
    });
}

fn fingerprint(low: u32, high: u32) -> u32 {
    low.wrapping_add(high.wrapping_mul(0x61)) % 107_927
}
