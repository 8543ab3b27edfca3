//! Packs: files of many objects, most of them deltas, each file with an index.

use std::cmp::Ordering;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use flate2::{Decompress, FlushDecompress, Status};
use git2::{ObjectType, Oid};
use indago_table::sys::SysFile;

use crate::source::commit;
use crate::source::objects::LARGEST;

const NAME: usize = 20;
/// Size of a table that counts, for each byte, the names that start with at most that byte.
const FANOUT: usize = 1024;

/// The index of a pack: object hashes in order, with their offsets.
#[derive(Debug, Default)]
pub(crate) struct Index {
    file: Option<SysFile>,
    /// The entire file, once reading it is worthwhile.
    bytes: Vec<u8>,
    size: u64,
    /// Whether it is version 1, which git replaced in 2007.
    is_old: bool,
    fanout: Vec<u32>,
    lookups: u32,
}

impl Index {
    /// Lookups after which an index is read into memory, unless all indexes together would exceed `LARGEST`.
    const LOOKUPS: u32 = 64;
    const LARGEST: u64 = 64 << 20;
    /// Smaller indexes are read into memory at once, so that their files need not stay open.
    const SMALL: u64 = 64 << 10;

    /// Opens an index; `None` if it is malformed. `in_memory` counts the bytes of indexes in memory.
    pub(crate) fn open(file: SysFile, in_memory: &mut u64) -> Option<Self> {
        let size = file.metadata().ok()?.len();
        let mut index = Index { file: Some(file), size, ..Index::default() };
        index.is_old = index.at(0) != Some(*b"\xfftOc\0\0\0\x02");
        let fanout = index.at::<FANOUT>(if index.is_old { 0 } else { 8 })?;
        index.fanout = fanout.chunks_exact(4).filter_map(|count| number(count, 0)).collect();
        let count = u64::from(*index.fanout.last()?);
        // Hashes, offsets, and the checksums of pack and index. Version 2 also has a checksum per object.
        let (before, each) = if index.is_old { (FANOUT, NAME + 4) } else { (FANOUT + 8, NAME + 8) };
        let least = before as u64 + count * each as u64 + 2 * NAME as u64;
        let is_sound = size >= least && index.fanout.is_sorted();
        if is_sound && size <= Index::SMALL {
            index.read_whole(in_memory);
        }
        is_sound.then_some(index)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Reads it into memory and closes its file, unless all indexes together grow too large.
    fn read_whole(&mut self, in_memory: &mut u64) {
        if let Some(file) = &self.file
            && *in_memory + self.size <= Index::LARGEST
            && let Ok(size) = usize::try_from(self.size)
        {
            let mut bytes = vec![0; size];
            if file.as_file().read_exact_at(&mut bytes, 0).is_ok() {
                self.bytes = bytes;
                self.file = None;
                *in_memory += self.size;
            }
        }
    }

    fn at<const N: usize>(&self, place: u64) -> Option<[u8; N]> {
        if !self.bytes.is_empty() {
            return self.bytes.get(usize::try_from(place).ok()?..)?.first_chunk().copied();
        }
        let mut bytes = [0; N];
        self.file.as_ref()?.as_file().read_exact_at(&mut bytes, place).ok()?;
        Some(bytes)
    }

    fn name(&self, position: u32) -> Option<[u8; NAME]> {
        let position = u64::from(position);
        self.at(if self.is_old { FANOUT as u64 + position * 24 + 4 } else { FANOUT as u64 + 8 + position * 20 })
    }

    /// The offset of an object in the pack, if it has it. `in_memory` counts the bytes of indexes in memory.
    pub(crate) fn offset(&mut self, id: Oid, in_memory: &mut u64) -> Option<u64> {
        self.lookups = self.lookups.saturating_add(1);
        if self.lookups == Index::LOOKUPS {
            self.read_whole(in_memory);
        }
        let name = id.as_bytes().first_chunk()?;
        let position = self.first_from(name)?;
        (self.name(position)? == *name).then(|| self.offset_at(position))?
    }

    /// The first object whose hash is not less than `name`.
    fn first_from(&self, name: &[u8; NAME]) -> Option<u32> {
        let first = usize::from(name[0]);
        let (mut low, mut high) = (if first == 0 { 0 } else { *self.fanout.get(first - 1)? }, *self.fanout.get(first)?);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle)?.cmp(name) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => high = middle,
            }
        }
        Some(low)
    }

    /// The first two objects whose hashes start with these digits.
    pub(crate) fn starting_with(&self, digits: &str) -> Vec<Oid> {
        let Some(first) = commit::id(format!("{digits:0<40}").as_bytes()) else { return Vec::new() };
        let position = first.as_bytes().first_chunk().and_then(|first| self.first_from(first));
        let Some(position) = position else { return Vec::new() };
        let names = (position..).take(2).map_while(|position| Oid::from_bytes(&self.name(position)?).ok());
        names.take_while(|name| commit::hex(*name).starts_with(digits)).collect()
    }

    fn offset_at(&self, position: u32) -> Option<u64> {
        let (position, count) = (u64::from(position), u64::from(*self.fanout.last()?));
        if self.is_old {
            return Some(u32::from_be_bytes(self.at(FANOUT as u64 + position * 24)?).into());
        }
        let offsets = FANOUT as u64 + 8 + count * (NAME as u64 + 4);
        let offset = u32::from_be_bytes(self.at(offsets + position * 4)?);
        if offset & 0x8000_0000 == 0 {
            return Some(offset.into());
        }
        // In packs beyond 2 GiB, this is an index into a table of 64-bit offsets.
        let wide = offsets + count * 4 + u64::from(offset & 0x7FFF_FFFF) * 8;
        Some(u64::from_be_bytes(self.at(wide)?))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A pack's file, with the part of it that was read last.
#[derive(Debug)]
pub(crate) struct Pack {
    file: SysFile,
    window: Vec<u8>,
    start: u64,
}

/// The entry at an offset of a pack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) base: Base,
    /// Size of the object, or of its delta, after decompression.
    pub(crate) size: usize,
    /// Offset of the compressed data.
    pub(crate) data: u64,
}

/// The base of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Base {
    /// None: the object is stored in full.
    None(ObjectType),
    /// The object at another offset of the pack.
    At(u64),
    /// The object with this hash.
    Name(Oid),
}

impl Pack {
    /// Bytes per read if objects are close together, and otherwise.
    const NEAR: usize = 128 << 10;
    const FAR: usize = 16 << 10;

    pub(crate) fn new(file: SysFile) -> Self {
        Pack { file, window: Vec::new(), start: 0 }
    }

    /// Bytes of the file from an offset on: at least `least`, unless the file ends before.
    fn bytes(&mut self, at: u64, least: usize) -> Option<&[u8]> {
        let end = self.start + self.window.len() as u64;
        let is_inside = at >= self.start && at + least as u64 <= end;
        if !is_inside {
            // Older commits come later in a pack, but a walk goes back and forth.
            let is_near = at + Pack::NEAR as u64 >= self.start && at < end + Pack::NEAR as u64;
            let (before, count) = if is_near { (Pack::NEAR / 8, Pack::NEAR) } else { (0, Pack::FAR) };
            self.start = at.saturating_sub(before as u64);
            self.window.resize(count.max(least + before), 0);
            let read = fill(self.file.as_file(), &mut self.window, self.start).ok()?;
            self.window.truncate(read);
        }
        self.window.get(usize::try_from(at - self.start).ok()?..)
    }

    /// The entry at an offset.
    pub(crate) fn entry(&mut self, offset: u64) -> Option<Entry> {
        const LONGEST: usize = 32;
        let head = self.bytes(offset, LONGEST)?;
        let first = *head.first()?;
        let (mut size, mut length, mut more) = (u64::from(first & 15), 1, first & 128 != 0);
        while more {
            let byte = *head.get(length)?;
            let shift = 7 * length as u32 - 3;
            size |= u64::from(byte & 127).checked_shl(shift).filter(|part| part >> shift == u64::from(byte & 127))?;
            (length, more) = (length + 1, byte & 128 != 0);
        }
        let base = match first >> 4 & 7 {
            1 => Base::None(ObjectType::Commit),
            2 => Base::None(ObjectType::Tree),
            3 => Base::None(ObjectType::Blob),
            4 => Base::None(ObjectType::Tag),
            6 => {
                let (back, used) = varint(head.get(length..)?)?;
                length += used;
                Base::At(offset.checked_sub(back).filter(|_| back > 0)?)
            }
            7 => {
                let name = Oid::from_bytes(head.get(length..length + NAME)?).ok()?;
                length += NAME;
                Base::Name(name)
            }
            _ => return None,
        };
        Some(Entry { base, size: usize::try_from(size).ok()?, data: offset + length as u64 })
    }
}

/// A number as packs and reftables encode distances: most significant part first, each part plus one.
pub(crate) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (position, byte) in bytes.iter().enumerate() {
        value = value.checked_mul(128)?.checked_add(u64::from(byte & 127))?;
        if byte & 128 == 0 {
            return Some((value, position + 1));
        }
        value = value.checked_add(1)?;
    }
    None
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

/// Decompresses the data in packs, one object after the other.
pub(crate) struct Inflate(Decompress);

impl Default for Inflate {
    fn default() -> Self {
        Inflate(Decompress::new(true))
    }
}

impl std::fmt::Debug for Inflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inflate")
    }
}

impl Inflate {
    /// Memory grows with the data that was decompressed, not with the claimed size.
    const STEP: usize = 1 << 20;

    /// Data that inflates to exactly `size` bytes.
    pub(crate) fn whole(&mut self, pack: &mut Pack, at: u64, size: usize) -> Option<Vec<u8>> {
        let (content, is_whole) = self.run(pack, at, size)?;
        (is_whole && content.len() == size).then_some(content)
    }

    /// The first bytes of inflated data.
    pub(crate) fn start(&mut self, pack: &mut Pack, at: u64) -> Option<Vec<u8>> {
        Some(self.run(pack, at, 32)?.0)
    }

    /// At most `most` + 1 bytes, and whether that is all.
    fn run(&mut self, pack: &mut Pack, at: u64, most: usize) -> Option<(Vec<u8>, bool)> {
        self.0.reset(true);
        let mut content = Vec::with_capacity((most + 1).min(Inflate::STEP));
        loop {
            let (before, length) = (self.0.total_in(), content.len());
            let input = pack.bytes(at + before, 1)?;
            let is_end = input.is_empty();
            // `Finish` saves the copy to zlib's window where the whole output fits. Elsewhere it works like `None`.
            let status = self.0.decompress_vec(input, &mut content, FlushDecompress::Finish).ok()?;
            if status == Status::StreamEnd || content.len() > most {
                return Some((content, status == Status::StreamEnd));
            }
            let is_stuck = self.0.total_in() == before && content.len() == length && content.len() < content.capacity();
            if is_end || is_stuck {
                return None;
            }
            if content.len() == content.capacity() {
                content.reserve((most + 1 - content.len()).min(content.len()));
            }
        }
    }
}

/// The sizes of a delta's base and result, and the number of bytes that encode them.
pub(crate) fn delta_sizes(delta: &[u8]) -> Option<(usize, usize, usize)> {
    let mut at = 0;
    let mut size = || {
        let (mut size, mut shift) = (0_u64, 0);
        loop {
            let byte = *delta.get(at)?;
            at += 1;
            size |= u64::from(byte & 127).checked_shl(shift)?;
            shift += 7;
            if byte & 128 == 0 {
                return usize::try_from(size).ok();
            }
        }
    };
    let (base, result) = (size()?, size()?);
    Some((base, result, at))
}

/// Applies a delta to its base.
pub(crate) fn apply(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let (from, size, mut at) = delta_sizes(delta)?;
    if from != base.len() || size > LARGEST {
        return None;
    }
    let mut result = Vec::with_capacity(size);
    while let Some(step) = delta.get(at).copied() {
        at += 1;
        let piece = if step & 128 == 0 {
            let count = usize::from(step);
            at += count;
            if count == 0 {
                return None;
            }
            delta.get(at - count..at)?
        } else {
            let mut part = |bits: std::ops::Range<u32>| {
                let mut value = 0;
                for bit in bits.clone() {
                    if step & 1 << bit != 0 {
                        value |= usize::from(*delta.get(at)?) << (8 * (bit - bits.start));
                        at += 1;
                    }
                }
                Some(value)
            };
            let (start, count) = (part(0..4)?, part(4..7)?);
            let count = if count == 0 { 0x1_0000 } else { count };
            base.get(start..start + count)?
        };
        if result.len() + piece.len() > size {
            return None;
        }
        result.extend_from_slice(piece);
    }
    (result.len() == size).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_copies_and_adds() {
        let base = b"0123456789";
        let delta = [10, 7, 0x91, 2, 3, 2, b'x', b'y', 0x90, 2];
        assert_eq!(apply(base, &delta).as_deref(), Some(&b"234xy01"[..]));
        assert_eq!(delta_sizes(&delta), Some((10, 7, 2)));
    }

    #[test]
    fn a_garbled_delta_makes_nothing() {
        let base = b"0123456789";
        let whole = [10, 7, 0x91, 2, 3, 2, b'x', b'y', 0x90, 2];
        for end in 0..whole.len() {
            assert_eq!(apply(base, &whole[..end]), None, "{end}");
        }
        for delta in [
            // Longer than stated, shorter than stated, past the end, a reserved instruction, a size out of range.
            &[10, 1, 2, b'x', b'y'][..],
            &[10, 9, 2, b'x', b'y'],
            &[10, 3, 0x91, 9, 3],
            &[10, 1, 0],
            &[10, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0x90, 1],
            &[11, 1, 0x90, 1],
            &[0xFF; 64],
        ] {
            assert_eq!(apply(base, delta), None, "{delta:?}");
        }
    }

    #[test]
    fn distances_have_no_second_way_to_be_written() {
        assert_eq!(varint(&[0]), Some((0, 1)));
        assert_eq!(varint(&[0x80, 0]), Some((128, 2)));
        assert_eq!(varint(&[0x81, 0x7F, 9]), Some((383, 2)));
        assert_eq!(varint(&[0x80]), None);
        assert_eq!(varint(&[0xFF; 32]), None);
    }
}
