//! The commit graph that `git gc` writes: commits and their parents, without reading the commits.
//!
//! It is trusted as git trusts it. It is used if a query needs only the hashes of commits, and to skip history that is
//! older than the query needs.

use git2::Oid;

use crate::source::find::Place;
use crate::source::folder::{LARGE, SMALL};
use crate::source::text;

/// The graph of a repository: one file, or a chain of files that each add to the earlier ones.
#[derive(Debug)]
pub(crate) struct Graph {
    layers: Vec<Layer>,
    count: u32,
}

/// A commit's index in the graph.
pub(crate) type Position = u32;

#[derive(Debug)]
struct Layer {
    /// Number of commits in the earlier layers.
    before: u32,
    count: u32,
    bytes: Vec<u8>,
    fanout: usize,
    names: usize,
    commits: usize,
    edges: Option<(usize, usize)>,
    /// For each commit, how much later than its own time its ancestors can be, and the table of values that do not fit
    /// there.
    later: Option<usize>,
    much_later: Option<(usize, usize)>,
}

const NAME: usize = 20;
/// The tree's hash, two parents, and the commit's generation and time.
const COMMIT: usize = NAME + 16;
const NO_PARENT: u32 = 0x7000_0000;
const TOP: u32 = 0x8000_0000;
/// A merge of more commits is read from the commit itself.
const MOST_PARENTS: usize = 4096;

impl Graph {
    /// The repository's graph; `None` if there is none or it is malformed.
    pub(crate) fn read(place: &Place) -> Option<Self> {
        let common = place.common().ok()?;
        let mut files = vec!["objects/info/commit-graph".to_owned()];
        if !common.exists(&files[0]) {
            let chain = common.read("objects/info/commit-graphs/commit-graph-chain", SMALL).ok()??;
            let is_hash = |line: &&str| line.bytes().all(|byte| byte.is_ascii_hexdigit());
            let file = |hash| format!("objects/info/commit-graphs/graph-{hash}.graph");
            files = text(&chain).lines().take_while(is_hash).map(file).collect();
        }
        let mut graph = Graph { layers: Vec::new(), count: 0 };
        let mut left = LARGE;
        for file in files {
            let bytes = common.read(&file, left).ok()??;
            left -= bytes.len() as u64;
            let layer = Layer::parse(bytes, graph.count)?;
            graph.count = graph.count.checked_add(layer.count)?;
            graph.layers.push(layer);
        }
        (graph.count > 0 && graph.count < NO_PARENT).then_some(graph)
    }

    /// Number of commits.
    pub(crate) fn len(&self) -> usize {
        self.count as usize
    }

    pub(crate) fn position(&self, id: Oid) -> Option<Position> {
        self.layers.iter().find_map(|layer| layer.position(id))
    }

    /// The latest time of a commit and its ancestors, if the graph has it. Clocks can be wrong, so a commit's own time
    /// is not enough.
    pub(crate) fn newest(&self, position: Position) -> Option<i64> {
        let layer = self.layers.iter().rev().find(|layer| layer.before <= position)?;
        layer.newest(position - layer.before)
    }

    /// A commit's hash, its time in seconds since 1970, and the positions of its parents.
    pub(crate) fn commit(&self, position: Position) -> Option<(Oid, i64, Vec<Position>)> {
        let layer = self.layers.iter().rev().find(|layer| layer.before <= position)?;
        let (id, seconds, parents) = layer.commit(position - layer.before)?;
        parents.iter().all(|parent| *parent < self.count).then_some((id, seconds, parents))
    }
}

impl Layer {
    fn newest(&self, at: u32) -> Option<i64> {
        let (_, seconds, _) = self.commit(at)?;
        let later = number(&self.bytes, self.later? + at as usize * 4)?;
        if later & TOP == 0 {
            return Some(seconds + i64::from(later));
        }
        let (start, end) = self.much_later?;
        let wide = start + (later & !TOP) as usize * 8;
        if wide + 8 > end {
            return None;
        }
        let later = u64::from(number(&self.bytes, wide)?) << 32 | u64::from(number(&self.bytes, wide + 4)?);
        seconds.checked_add(i64::try_from(later).ok()?)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

impl Layer {
    fn parse(bytes: Vec<u8>, before: u32) -> Option<Self> {
        // Signature, version 1, SHA-1 hashes.
        if !bytes.starts_with(b"CGPH\x01\x01") {
            return None;
        }
        let chunks = usize::from(*bytes.get(6)?);
        let start = |chunk: usize| -> Option<usize> {
            let at = 8 + chunk * 12 + 4;
            let offset = u64::from(number(&bytes, at)?) << 32 | u64::from(number(&bytes, at + 4)?);
            usize::try_from(offset).ok().filter(|offset| *offset <= bytes.len())
        };
        let find = |name: &[u8; 4]| {
            let chunk = (0..chunks).find(|chunk| bytes.get(8 + chunk * 12..12 + chunk * 12) == Some(name))?;
            let (start, end) = (start(chunk)?, start(chunk + 1)?);
            (start <= end).then_some((start, end))
        };
        let (fanout, names, commits) = (find(b"OIDF")?, find(b"OIDL")?, find(b"CDAT")?);
        let edges = find(b"EDGE");
        if fanout.1 - fanout.0 < 1024 {
            return None;
        }
        let count = number(&bytes, fanout.0 + 1020)?;
        let has = |(start, end): (usize, usize), each: usize| (end - start) / each >= count as usize;
        if !has(names, NAME) || !has(commits, COMMIT) {
            return None;
        }
        let later = find(b"GDA2").filter(|later| has(*later, 4)).map(|(start, _)| start);
        let much_later = find(b"GDO2");
        let (fanout, names, commits) = (fanout.0, names.0, commits.0);
        Some(Layer { before, count, fanout, names, commits, edges, later, much_later, bytes })
    }

    fn name(&self, at: u32) -> &[u8] {
        let start = self.names + at as usize * NAME;
        &self.bytes[start..start + NAME]
    }

    fn position(&self, id: Oid) -> Option<Position> {
        let id = id.as_bytes();
        let first = usize::from(*id.first()?);
        let bound = |slot: usize| Some(number(&self.bytes, self.fanout + slot * 4)?.min(self.count));
        let (mut low, mut high) = (if first == 0 { 0 } else { bound(first - 1)? }, bound(first)?);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle).cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(self.before + middle),
            }
        }
        None
    }

    fn commit(&self, at: u32) -> Option<(Oid, i64, Vec<Position>)> {
        if at >= self.count {
            return None;
        }
        let data = self.commits + at as usize * COMMIT + NAME;
        let (first, second) = (number(&self.bytes, data)?, number(&self.bytes, data + 4)?);
        let high = i64::from(number(&self.bytes, data + 8)? & 3);
        let seconds = high << 32 | i64::from(number(&self.bytes, data + 12)?);
        let mut parents = Vec::new();
        if first != NO_PARENT {
            parents.push(first);
        }
        if second & TOP != 0 {
            // More than two parents: the others are in a separate list.
            let (start, end) = self.edges?;
            let mut edge = start + (second & !TOP) as usize * 4;
            loop {
                if edge + 4 > end || parents.len() > MOST_PARENTS {
                    return None;
                }
                let parent = number(&self.bytes, edge)?;
                parents.push(parent & !TOP);
                if parent & TOP != 0 {
                    break;
                }
                edge += 4;
            }
        } else if second != NO_PARENT {
            parents.push(second);
        }
        Some((Oid::from_bytes(self.name(at)).ok()?, seconds, parents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two commits; the second is a child of the first.
    fn file() -> Vec<u8> {
        let mut fanout = [0_u8; 1024];
        for (slot, number) in fanout.chunks_exact_mut(4).enumerate() {
            number[3] = if slot < 5 {
                0
            } else if slot < 9 {
                1
            } else {
                2
            };
        }
        let names = [[5_u8; 20], [9; 20]].concat();
        let commit = |parent: u32, seconds: u32| {
            [
                &[0; 20][..],
                &parent.to_be_bytes(),
                &NO_PARENT.to_be_bytes(),
                &4_u32.to_be_bytes(),
                &seconds.to_be_bytes(),
            ]
            .concat()
        };
        let commits = [commit(NO_PARENT, 100), commit(0, 200)].concat();
        let mut file = b"CGPH\x01\x01\x03\x00".to_vec();
        let mut offset = 8 + 4 * 12;
        for (name, length) in [(b"OIDF", 1024), (b"OIDL", names.len()), (b"CDAT", commits.len()), (b"\0\0\0\0", 0)] {
            file.extend_from_slice(name);
            file.extend_from_slice(&(offset as u64).to_be_bytes());
            offset += length;
        }
        [file, fanout.to_vec(), names, commits].concat()
    }

    #[test]
    fn commits_and_parents_come_from_the_file() {
        let layer = Layer::parse(file(), 0).expect("a graph");
        let graph = Graph { count: layer.count, layers: vec![layer] };
        let id = Oid::from_bytes(&[9; 20]).expect("20 bytes");
        assert_eq!(graph.position(id), Some(1));
        assert_eq!(graph.commit(1), Some((id, 200, vec![0])));
        assert_eq!(graph.commit(0).map(|(_, seconds, parents)| (seconds, parents)), Some((100, vec![])));
        assert_eq!(graph.position(Oid::from_bytes(&[7; 20]).expect("20 bytes")), None);
        assert_eq!(graph.commit(2), None);
    }

    #[test]
    fn a_garbled_file_is_no_graph_or_a_smaller_one_and_no_panic() {
        let whole = file();
        for end in 0..whole.len() {
            assert!(Layer::parse(whole[..end].to_vec(), 0).is_none(), "{end}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xFF;
            if let Some(layer) = Layer::parse(bytes, 0) {
                let graph = Graph { count: layer.count, layers: vec![layer] };
                for position in 0..3 {
                    let _ = (
                        graph.commit(position),
                        graph.newest(position),
                        graph.position(Oid::from_bytes(&[9; 20]).expect("20 bytes")),
                    );
                }
            }
        }
    }
}
