//! Commits straight out of packs, for long walks.
//!
//! A walk through history reads one small object after the other, and most of them lie in packs, whole and side by side.
//! Those are unpacked here with as little ado as possible. Everything else (deltas, loose objects, alternates, anything
//! that looks odd) is left to libgit2, and so are errors.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use flate2::{Decompress, FlushDecompress, Status};
use git2::Oid;
use indago_table::{Result, Sys, sys::SysFile};
use sha1::{Digest, Sha1};

use crate::source::find::Place;
use crate::source::read_file;

/// The packs of a repository.
pub(crate) struct Packs {
    packs: Vec<Pack>,
    /// The pack that the last commit was in: the next one is likely there too.
    last: usize,
    inflate: Decompress,
}

struct Pack {
    index: Index,
    file: SysFile,
    /// A stretch of the file, and where it starts.
    window: Vec<u8>,
    start: u64,
}

/// Where objects are in a pack.
struct Index {
    bytes: Vec<u8>,
    count: usize,
}

/// Indexes larger than this together are not read into memory.
const LARGEST_INDEX: u64 = 64 << 20;
/// Larger commits are left to libgit2.
const LARGEST_COMMIT: usize = 1 << 20;
const WINDOW: usize = 128 << 10;
const COMMIT: u8 = 1;
const NAME: usize = 20;
/// Signature and version, and the table of how many names start with at most a byte.
const NAMES: usize = 8 + 1024;

impl std::fmt::Debug for Packs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packs").field("count", &self.packs.len()).finish_non_exhaustive()
    }
}

impl Packs {
    /// The packs that can be read this way.
    pub(crate) fn open(sys: &Sys, place: &Place) -> Result<Self> {
        let folder = place.common_dir.join("objects/pack");
        let (mut packs, mut size) = (Vec::new(), 0);
        for name in sys.read_dir(&folder)? {
            let index = folder.join(&name);
            if index.extension().is_none_or(|extension| extension != "idx") {
                continue;
            }
            size += sys.metadata(&index)?.len();
            if size > LARGEST_INDEX {
                packs.clear();
                break;
            }
            let pack = index.with_extension("pack");
            if !sys.metadata(&pack).is_ok_and(|pack| pack.is_file()) {
                continue;
            }
            if let Some(index) = Index::parse(read_file(sys, &index)?) {
                packs.push(Pack { index, file: sys.open(&pack)?, window: Vec::new(), start: 0 });
            }
        }
        Ok(Packs { packs, last: 0, inflate: Decompress::new(true) })
    }

    /// A commit's content; `None` if it is not to be had here.
    pub(crate) fn commit(&mut self, id: Oid) -> Option<Vec<u8>> {
        let count = self.packs.len();
        for turn in 0..count {
            let position = (self.last + turn) % count;
            let pack = &mut self.packs[position];
            if let Some(offset) = pack.index.offset(id) {
                self.last = position;
                let content = pack.commit(offset, &mut self.inflate)?;
                return is_named(&content, id).then_some(content);
            }
        }
        None
    }
}

/// Whether a content is what its name says.
fn is_named(content: &[u8], id: Oid) -> bool {
    let mut hash = Sha1::new();
    hash.update(format!("commit {}\0", content.len()));
    hash.update(content);
    hash.finalize().as_slice() == id.as_bytes()
}

impl Pack {
    fn commit(&mut self, offset: u64, inflate: &mut Decompress) -> Option<Vec<u8>> {
        let (mut size, mut length) = (0, 0);
        let head = self.bytes(offset, 16)?;
        loop {
            let byte = *head.get(length)?;
            match length {
                0 if byte >> 4 & 7 != COMMIT => return None,
                0 => size = usize::from(byte & 15),
                1..=3 => size |= usize::from(byte & 127) << (7 * length - 3),
                _ => return None,
            }
            length += 1;
            if byte & 128 == 0 {
                break;
            }
        }
        if size > LARGEST_COMMIT {
            return None;
        }
        // What does not shrink grows by a few bytes.
        let packed = self.bytes(offset + length as u64, size + size / 1000 + 64)?;
        let mut content = Vec::with_capacity(size + 1);
        inflate.reset(true);
        let status = inflate.decompress_vec(packed, &mut content, FlushDecompress::Finish).ok()?;
        (status == Status::StreamEnd && content.len() == size).then_some(content)
    }

    /// At most so many bytes of the file: less at its end.
    fn bytes(&mut self, offset: u64, count: usize) -> Option<&[u8]> {
        let is_inside = |start: u64, window: &[u8]| {
            let at = usize::try_from(offset.checked_sub(start)?).ok()?;
            (at + count <= window.len()).then_some(at)
        };
        if is_inside(self.start, &self.window).is_none() {
            // Older commits come later in a pack, but the walk goes to and fro.
            self.start = offset.saturating_sub(WINDOW as u64 / 8);
            self.window.resize(WINDOW + count, 0);
            let read = fill(self.file.as_file(), &mut self.window, self.start).ok()?;
            self.window.truncate(read);
        }
        let at = usize::try_from(offset - self.start).ok()?;
        let rest = self.window.get(at..)?;
        Some(&rest[..count.min(rest.len())])
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

impl Index {
    /// An index of the second version; the first one is from 2007.
    fn parse(bytes: Vec<u8>) -> Option<Self> {
        if !bytes.starts_with(b"\xfftOc\0\0\0\x02") {
            return None;
        }
        let count = number(&bytes, NAMES - 4)? as usize;
        // Names, checksums, offsets, and the checksums of pack and index.
        (bytes.len() >= NAMES + count.checked_mul(NAME + 8)? + 2 * NAME).then_some(Index { bytes, count })
    }

    /// Where an object is in the pack.
    fn offset(&self, id: Oid) -> Option<u64> {
        let id = id.as_bytes();
        let first = usize::from(*id.first()?);
        let bound = |slot: usize| Some((number(&self.bytes, 8 + slot * 4)? as usize).min(self.count));
        let (mut low, mut high) = (if first == 0 { 0 } else { bound(first - 1)? }, bound(first)?);
        while low < high {
            let middle = low + (high - low) / 2;
            let start = NAMES + middle * NAME;
            match self.bytes.get(start..start + NAME)?.cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.offset_at(middle),
            }
        }
        None
    }

    fn offset_at(&self, position: usize) -> Option<u64> {
        let offsets = NAMES + self.count * (NAME + 4);
        let offset = number(&self.bytes, offsets + position * 4)?;
        if offset & 0x8000_0000 == 0 {
            return Some(offset.into());
        }
        // In packs beyond 2 GiB: a place in a table of wider offsets.
        let wide = offsets + self.count * 4 + (offset & 0x7FFF_FFFF) as usize * 8;
        Some(u64::from(number(&self.bytes, wide)?) << 32 | u64::from(number(&self.bytes, wide + 4)?))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
