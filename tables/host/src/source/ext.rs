//! File systems ext2, ext3 and ext4, read from their disk (the kernel's `Documentation/filesystems/ext4`).
//!
//! A mounted file system may change while it is read: what contradicts itself is an error of one file.

use std::collections::HashSet;
use std::sync::Arc;

use indago_table::prelude::*;

use super::disk::Disk;
use super::held::{HeldItems, HeldList, owned_bytes};
use super::superblock::Bytes;

/// A file system.
#[derive(Debug)]
pub(crate) struct FileSystem {
    disk: Arc<Disk>,
    /// First byte of the partition.
    start: u64,
    block_size: u64,
    pub(crate) blocks: u64,
    pub(crate) inodes: u32,
    first_data_block: u64,
    inodes_per_group: u32,
    inode_size: u64,
    descriptor_size: u64,
    has_64_bits: bool,
}

/// Incompatible features that change where things are and are not supported.
const META_GROUPS: u32 = 0x10;
const JOURNAL_DEVICE: u32 = 0x8;
const WIDE: u32 = 0x80;

/// A file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inode {
    pub(crate) number: u32,
    pub(crate) mode: u16,
    pub(crate) uid: i64,
    pub(crate) gid: i64,
    pub(crate) size: u64,
    pub(crate) atime: i64,
    pub(crate) mtime: i64,
    pub(crate) ctime: i64,
    pub(crate) links: i64,
    flags: u32,
    /// Where its blocks are; in an inode with inline data the first 60 bytes of the content.
    map: Vec<u8>,
    /// The rest of inline data: the value of the attribute `system.data`.
    rest: Vec<u8>,
}

impl Inode {
    pub(crate) fn is_directory(&self) -> bool {
        self.mode & 0xf000 == 0x4000
    }

    pub(crate) fn is_regular(&self) -> bool {
        self.mode & 0xf000 == 0x8000
    }
}

/// Inode of the root directory.
pub(crate) const ROOT: u32 = 2;

/// Blocks of a file that are next to each other on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    logical: u64,
    physical: u64,
    length: u64,
    /// Whether it was written; blocks that were only reserved read as zeros.
    is_written: bool,
}

/// Where a file is, and how many blocks were read to find it.
#[derive(Debug, Default)]
struct Map {
    runs: Vec<Run>,
    nodes: usize,
}

/// A name in a directory, with its inode.
type Name = (Vec<u8>, u32);

/// Most runs of a file, and levels of an index.
const MOST_RUNS: usize = 1 << 20;
const MOST_LEVELS: u16 = 5;
/// Most nodes of a tree of extents in addition to two per run. A node usually has at least one.
const MOST_EMPTY_NODES: usize = 1000;

/// Longest path of a directory that is read: the kernel's limit.
const LONGEST_PATH: usize = 4096;

/// Largest directory that is read.
const MOST_DIRECTORY: u64 = 64 << 20;

/// Flags of an inode.
const HAS_EXTENTS: u32 = 0x8_0000;
const IS_INLINE: u32 = 0x1000_0000;

impl FileSystem {
    /// The file system at a position; `None` if there is another one, or none.
    pub(crate) fn open(disk: &Arc<Disk>, start: u64) -> Result<Option<Self>> {
        let bytes = disk.read(start.saturating_add(1024), 1024)?;
        let bytes = Bytes(&bytes);
        if bytes.le16(0x38) != Some(0xef53) {
            return Ok(None);
        }
        let fields = (|| {
            let block_size = 1024_u64.checked_shl(bytes.le32(0x18).filter(|shift| *shift <= 6)?)?;
            let incompatible = bytes.le32(0x60)?;
            // The first revision has no fields after these.
            let is_old = bytes.le32(0x4c)? == 0;
            let inode_size = if is_old { 128 } else { bytes.le16(0x58)?.into() };
            let has_64_bits = incompatible & WIDE != 0;
            let high = if has_64_bits { u64::from(bytes.le32(0x150)?) << 32 } else { 0 };
            let file_system = FileSystem {
                disk: disk.clone(),
                start,
                block_size,
                blocks: high | u64::from(bytes.le32(4)?),
                inodes: bytes.le32(0)?,
                first_data_block: bytes.le32(0x14)?.into(),
                inodes_per_group: bytes.le32(0x28).filter(|count| *count > 0)?,
                inode_size,
                descriptor_size: if has_64_bits { u64::from(bytes.le16(0xfe)?).max(64) } else { 32 },
                has_64_bits,
            };
            let is_sound = (128..=block_size).contains(&inode_size) && file_system.descriptor_size <= block_size;
            is_sound.then_some((file_system, incompatible))
        })();
        let Some((file_system, incompatible)) = fields else {
            return Err(disk.malformed("the superblock of ext is malformed"));
        };
        if incompatible & (META_GROUPS | JOURNAL_DEVICE) != 0 {
            return Err(Error::Unsupported("this layout of ext (meta_bg, or a journal's own device)".to_owned()));
        }
        Ok(Some(file_system))
    }

    pub(crate) fn block_size(&self) -> i64 {
        self.block_size as i64
    }

    fn read(&self, position: u64, length: usize) -> Result<Vec<u8>> {
        let bytes = self.disk.read(self.start.saturating_add(position), length)?;
        match bytes.len() == length {
            true => Ok(bytes),
            false => Err(self.disk.malformed("the file system is larger than its partition")),
        }
    }

    fn block(&self, number: u64) -> Result<Vec<u8>> {
        if number >= self.blocks {
            return Err(self.disk.malformed(format_args!("there is no block {number}")));
        }
        self.read(number.saturating_mul(self.block_size), self.block_size as usize)
    }

    /// A file by its number.
    pub(crate) fn inode(&self, number: u32) -> Result<Inode> {
        let malformed = || self.disk.malformed(format_args!("there is no inode {number}"));
        let index = number.checked_sub(1).filter(|_| number <= self.inodes).ok_or_else(malformed)?;
        let (group, index) = (u64::from(index / self.inodes_per_group), u64::from(index % self.inodes_per_group));
        let descriptors = (self.first_data_block + 1) * self.block_size;
        let descriptor = self.read(descriptors + group * self.descriptor_size, self.descriptor_size as usize)?;
        let descriptor = Bytes(&descriptor);
        let high = if self.has_64_bits { descriptor.le32(0x28).unwrap_or(0) } else { 0 };
        let table = u64::from(high) << 32 | u64::from(descriptor.le32(8).ok_or_else(malformed)?);
        let position = table.saturating_mul(self.block_size).saturating_add(index * self.inode_size);
        let bytes = self.read(position, self.inode_size as usize)?;
        parse(number, Bytes(&bytes)).ok_or_else(malformed)
    }

    /// Passes the content of a file to `take`, in pieces of a block or less.
    pub(crate) fn content(&self, inode: &Inode, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if inode.flags & IS_INLINE != 0 {
            let content = [&*inode.map, &*inode.rest].concat();
            let length = usize::try_from(inode.size).ok();
            let Some(content) = length.and_then(|length| content.get(..length)) else {
                let what = format_args!("the inline data of inode {} is shorter than its size", inode.number);
                return Err(self.disk.malformed(what));
            };
            return take(content);
        }
        let blocks = inode.size.div_ceil(self.block_size);
        // Numbers of a file's blocks have 32 bits.
        if blocks > 1 << 32 {
            return Err(self.disk.malformed(format_args!("inode {} is larger than files can be", inode.number)));
        }
        let runs = self.runs(inode)?;
        let mut run = 0;
        let zeros = vec![0; self.block_size as usize];
        for logical in 0..blocks {
            self.disk.sys.check_cancelled()?;
            while runs.get(run).is_some_and(|found: &Run| found.logical + found.length <= logical) {
                run += 1;
            }
            let length = (inode.size - logical * self.block_size).min(self.block_size) as usize;
            match runs.get(run).filter(|found| found.logical <= logical && found.is_written) {
                Some(found) => {
                    take(self.block(found.physical + (logical - found.logical))?.get(..length).unwrap_or(&[]))?
                }
                None => take(zeros.get(..length).unwrap_or(&[]))?,
            }
        }
        Ok(())
    }

    /// Where the blocks of a file are, in order.
    fn runs(&self, inode: &Inode) -> Result<Vec<Run>> {
        let mut map = Map::default();
        match inode.flags & HAS_EXTENTS {
            0 => self.mapped(inode, &mut map)?,
            _ => self.extents(inode, &inode.map, None, &mut map)?,
        }
        let runs = map.runs;
        let is_ordered = runs.windows(2).all(|pair| pair[0].logical + pair[0].length <= pair[1].logical);
        match is_ordered {
            true => Ok(runs),
            false => Err(self.disk.malformed(format_args!("the blocks of inode {} overlap", inode.number))),
        }
    }

    /// A block that says where others are.
    fn node(&self, inode: &Inode, number: u64, most: usize, map: &mut Map) -> Result<Vec<u8>> {
        self.disk.sys.check_cancelled()?;
        map.nodes += 1;
        if map.nodes > most {
            let what = format_args!("the index of inode {} has too many blocks", inode.number);
            return Err(self.disk.malformed(what));
        }
        self.block(number)
    }

    /// A node of a tree of extents. `level` is that of the node above it.
    fn extents(&self, inode: &Inode, node: &[u8], level: Option<u16>, map: &mut Map) -> Result<()> {
        let malformed = || self.disk.malformed(format_args!("the extents of inode {} are malformed", inode.number));
        let bytes = Bytes(node);
        let depth = bytes.le16(6).filter(|_| bytes.le16(0) == Some(0xf30a)).ok_or_else(malformed)?;
        let is_below = level.map_or(depth <= MOST_LEVELS, |level| Some(depth) == level.checked_sub(1));
        if !is_below || map.runs.len() > MOST_RUNS {
            return Err(malformed());
        }
        for position in 1..=usize::from(bytes.le16(2).ok_or_else(malformed)?) {
            let at = position * 12;
            let logical = u64::from(bytes.le32(at).ok_or_else(malformed)?);
            if depth == 0 {
                let length = bytes.le16(at + 4).ok_or_else(malformed)?;
                let high = u64::from(bytes.le16(at + 6).ok_or_else(malformed)?);
                let physical = high << 32 | u64::from(bytes.le32(at + 8).ok_or_else(malformed)?);
                // A longer one was reserved but not written.
                let (is_written, length) = if length > 32768 { (false, length - 32768) } else { (true, length) };
                map.runs.push(Run { logical, physical, length: length.into(), is_written });
            } else {
                let high = u64::from(bytes.le16(at + 8).ok_or_else(malformed)?);
                let child = high << 32 | u64::from(bytes.le32(at + 4).ok_or_else(malformed)?);
                let most = MOST_EMPTY_NODES + 2 * map.runs.len();
                let node = self.node(inode, child, most, map)?;
                self.extents(inode, &node, Some(depth), map)?;
            }
        }
        Ok(())
    }

    /// Blocks of ext2 and ext3: twelve numbers, and then blocks of numbers in one to three levels.
    fn mapped(&self, inode: &Inode, map: &mut Map) -> Result<()> {
        let blocks = inode.size.div_ceil(self.block_size);
        let mut logical = 0;
        for position in 0..15 {
            let number = Bytes(&inode.map).le32(position * 4).unwrap_or(0);
            let level = position.saturating_sub(11) as u32;
            self.indirect(inode, number, level, &mut logical, blocks, map)?;
        }
        Ok(())
    }

    fn indirect(
        &self,
        inode: &Inode,
        number: u32,
        level: u32,
        logical: &mut u64,
        blocks: u64,
        map: &mut Map,
    ) -> Result<()> {
        let numbers = self.block_size / 4;
        if *logical >= blocks {
            return Ok(());
        }
        if number == 0 {
            // A hole.
            *logical += numbers.pow(level);
            return Ok(());
        }
        if level > 0 {
            let block = self.node(inode, number.into(), MOST_RUNS, map)?;
            for position in 0..numbers as usize {
                let number = Bytes(&block).le32(position * 4).unwrap_or(0);
                self.indirect(inode, number, level - 1, logical, blocks, map)?;
            }
            return Ok(());
        }
        if map.runs.len() > MOST_RUNS {
            return Err(self.disk.malformed(format_args!("inode {} has too many parts", inode.number)));
        }
        let physical = u64::from(number);
        match map.runs.last_mut() {
            Some(last) if last.logical + last.length == *logical && last.physical + last.length == physical => {
                last.length += 1;
            }
            _ => map.runs.push(Run { logical: *logical, physical, length: 1, is_written: true }),
        }
        *logical += 1;
        Ok(())
    }

    /// The names in a directory, with their inodes, without `.` and `..`. Damage is reported.
    fn names(&self, inode: &Inode, report: impl Fn(&Error)) -> Result<HeldList<Name>> {
        if inode.size > MOST_DIRECTORY {
            return Err(self.disk.malformed(format_args!("the directory {} is too large", inode.number)));
        }
        let (mut names, mut is_damaged) = (HeldList::new(&self.disk.sys), false);
        let mut add = |block: &[u8]| {
            let mut found = Vec::new();
            is_damaged |= !entries(block, &mut found);
            found.into_iter().try_for_each(|(name, inode)| {
                let owned = owned_bytes(name.len());
                names.push((name, inode), owned)
            })
        };
        match inode.flags & IS_INLINE {
            0 => self.content(inode, add)?,
            // The number of the directory above, and the entries in two parts, none of which crosses their border.
            _ => [inode.map.get(4..).unwrap_or_default(), &*inode.rest].into_iter().try_for_each(&mut add)?,
        }
        if is_damaged {
            let what = format_args!("the directory {} is damaged; some of its entries were skipped", inode.number);
            report(&self.disk.malformed(what));
        }
        Ok(names)
    }

    /// All files, each directory before those inside it. An unreadable one is reported and skipped.
    pub(crate) fn walk<R: Fn(&Error)>(self: Arc<Self>, report: R) -> impl Iterator<Item = (Vec<u8>, Inode)> + use<R> {
        self.walk_to(LONGEST_PATH, report)
    }

    fn walk_to<R: Fn(&Error)>(
        self: Arc<Self>,
        longest: usize,
        report: R,
    ) -> impl Iterator<Item = (Vec<u8>, Inode)> + use<R> {
        let mut seen = HashSet::new();
        // Nothing is charged yet, so this cannot fail.
        let mut held = self.disk.sys.meter().hold(0).unwrap_or_default();
        let mut root = Some((b"/".to_vec(), ROOT));
        // The open directories, outermost first: their paths, and the names that are left in them.
        let mut open: Vec<(Vec<u8>, HeldItems<Name>)> = Vec::new();
        std::iter::from_fn(move || {
            loop {
                let (path, number) = match (root.take(), open.last_mut()) {
                    (Some(root), _) => root,
                    (None, Some((folder, names))) => match names.next() {
                        Some((name, number)) => ([folder, &b"/"[..], &name].concat(), number),
                        None => {
                            open.pop();
                            continue;
                        }
                    },
                    (None, None) => return None,
                };
                let found = self.inode(number).and_then(|inode| {
                    // A damaged directory may contain itself.
                    if inode.is_directory() && seen.insert(number) {
                        held.cover(seen.capacity() * 2 * size_of::<u32>())?;
                        if path.len() > longest {
                            let what = format_args!("directory {number} is deeper than {longest} bytes of path");
                            return Err(self.disk.malformed(what));
                        }
                        let folder = if path == b"/" { Vec::new() } else { path.clone() };
                        open.push((folder, self.names(&inode, &report)?.into_iter()));
                    }
                    Ok(inode)
                });
                match found {
                    Ok(inode) => return Some((path, inode)),
                    Err(error) if error.ends_query() => {
                        report(&error);
                        return None;
                    }
                    Err(error) => report(&error),
                }
            }
        })
    }
}

fn parse(number: u32, bytes: Bytes<'_>) -> Option<Inode> {
    let id = |low, high| Some(i64::from(u32::from(bytes.le16(high)?) << 16 | u32::from(bytes.le16(low)?)));
    let mode = bytes.le16(0)?;
    // A larger inode has two more bits of the seconds.
    let extra = bytes.le16(0x80).unwrap_or(0);
    let time = |low: usize, more: usize| {
        let seconds = i64::from(bytes.le32(low)? as i32);
        let has_more = more + 4 <= 0x80 + usize::from(extra);
        let epoch = bytes.le32(more).filter(|_| has_more).unwrap_or(0) & 3;
        Some(seconds + (i64::from(epoch) << 32))
    };
    let flags = bytes.le32(0x20)?;
    let rest =
        if flags & IS_INLINE == 0 { None } else { bytes.0.get(0x80 + usize::from(extra)..).and_then(inline_rest) };
    Some(Inode {
        number,
        mode,
        uid: id(2, 0x78)?,
        gid: id(0x18, 0x7a)?,
        size: u64::from(bytes.le32(0x6c)?) << 32 | u64::from(bytes.le32(4)?),
        atime: time(8, 0x8c)?,
        ctime: time(0xc, 0x84)?,
        mtime: time(0x10, 0x88)?,
        links: bytes.le16(0x1a)?.into(),
        flags,
        map: bytes.at(0x28, 60)?.to_vec(),
        rest: rest.unwrap_or_default().to_vec(),
    })
}

/// The value of `system.data` among the attributes inside of an inode: a magic number, and entries that end with zeros.
/// Positions of values count from the first entry.
fn inline_rest(attributes: &[u8]) -> Option<&[u8]> {
    /// The prefix `system.` of a name.
    const SYSTEM: u8 = 7;
    let entries = attributes.strip_prefix(&0xea02_0000_u32.to_le_bytes())?;
    let mut entry = entries;
    loop {
        let [length, prefix] = *entry.first_chunk()?;
        let name = entry.get(16..16 + usize::from(length))?;
        if (length, prefix) == (0, 0) {
            return None;
        }
        if prefix == SYSTEM && name == b"data" {
            let (offset, size) = (usize::from(Bytes(entry).le16(2)?), usize::try_from(Bytes(entry).le32(8)?).ok()?);
            return entries.get(offset..offset.checked_add(size)?);
        }
        entry = entry.get((16 + usize::from(length)).next_multiple_of(4)..)?;
    }
}

/// Adds the entries of a block of a directory. False if it is damaged: malformed names are skipped, and so is all that
/// follows a malformed length.
fn entries(block: &[u8], names: &mut Vec<(Vec<u8>, u32)>) -> bool {
    let mut is_sound = true;
    let mut rest = block;
    while let Some(inode) = Bytes(rest).le32(0) {
        // The lowest value that means an entire block of 64 KiB.
        let length = match Bytes(rest).le16(4).map(usize::from) {
            Some(0 | 65535) => rest.len(),
            Some(length) if length >= 8 && length % 4 == 0 => length,
            _ => return false,
        };
        let name = rest.get(6).and_then(|length| rest.get(8..8 + usize::from(*length)));
        match name {
            _ if inode == 0 => {}
            Some(b"." | b"..") => {}
            Some(name) if !name.is_empty() && !name.contains(&b'/') => names.push((name.to_vec(), inode)),
            _ => is_sound = false,
        }
        let Some(after) = rest.get(length..) else { return false };
        rest = after;
    }
    is_sound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_a_directory_have_names() {
        let mut block = Vec::new();
        for (inode, length, name) in
            [(2_u32, 12_u16, &b"."[..]), (2, 12, b".."), (11, 20, b"lost+found"), (0, 12, b"x"), (12, 16, b"a")]
        {
            let start = block.len();
            block.extend(inode.to_le_bytes());
            block.extend(length.to_le_bytes());
            block.extend([name.len() as u8, 1]);
            block.extend(name);
            block.resize(start + usize::from(length), 0);
        }
        let names = |block: &[u8]| {
            let mut names = Vec::new();
            let is_sound = entries(block, &mut names);
            (names, is_sound)
        };
        assert_eq!(names(&block), (vec![(b"lost+found".to_vec(), 11), (b"a".to_vec(), 12)], true));
        crate::source::damaged::damaged(&block, |bytes| assert!(names(bytes).0.len() <= bytes.len() / 8));
        let changed = |at: usize, byte: u8| {
            let mut changed = block.clone();
            changed[at] = byte;
            let (names, is_sound) = names(&changed);
            (names.len(), is_sound)
        };
        assert_eq!(changed(24 + 8, b'/'), (1, false), "a name with a slash");
        assert_eq!(changed(24 + 4, 2), (0, false), "a length of 2");
        assert_eq!(changed(24 + 5, 2), (1, false), "a length beyond the block");
    }

    #[test]
    fn inline_data_continues_among_the_attributes() {
        let entry = |inode: u32, length: u16, name: &[u8]| {
            let mut entry = [&inode.to_le_bytes()[..], &length.to_le_bytes(), &[name.len() as u8, 1], name].concat();
            entry.resize(length.into(), 0);
            entry
        };
        let attribute = |prefix: u8, name: &[u8], offset: u16, size: u32| {
            let head = [name.len() as u8, prefix];
            let mut attribute =
                [&head[..], &offset.to_le_bytes(), &[0; 4], &size.to_le_bytes(), &[0; 4], name].concat();
            attribute.resize(attribute.len().next_multiple_of(4), 0);
            attribute
        };
        let value = entry(14, 24, b"third");
        let mut attributes = 0xea02_0000_u32.to_le_bytes().to_vec();
        attributes.extend(attribute(6, b"selinux", 100, 3));
        attributes.extend(attribute(7, b"data", 48, value.len() as u32));
        attributes.resize(4 + 48, 0);
        attributes.extend(&value);
        assert_eq!(inline_rest(&attributes), Some(&*value));
        crate::source::damaged::damaged(&attributes, |bytes| _ = inline_rest(bytes));

        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("disk"), [0; 1024]).expect("an image");
        let disk = Arc::new(Disk::open(&Sys::at(root.path()), "/disk").expect("it opens").expect("it exists"));
        let file_system = FileSystem {
            disk,
            start: 0,
            block_size: 1024,
            blocks: 1,
            inodes: 16,
            first_data_block: 1,
            inodes_per_group: 16,
            inode_size: 256,
            descriptor_size: 32,
            has_64_bits: false,
        };
        let map = [2_u32.to_le_bytes().to_vec(), entry(12, 16, b"first"), entry(13, 40, b"second")].concat();
        let inode =
            Inode { number: 11, mode: 0x41ed, size: 84, flags: IS_INLINE, map, rest: value, ..Inode::default() };
        let names = file_system.names(&inode, |error| panic!("{error}")).expect("names");
        let names: Vec<_> = names.iter().map(|(name, inode)| (String::from_utf8_lossy(name), *inode)).collect();
        assert_eq!(names, [("first".into(), 12), ("second".into(), 13), ("third".into(), 14)]);
        let content = |size| {
            let mut content = Vec::new();
            let inode = Inode { mode: 0x81a4, size, ..inode.clone() };
            let outcome = file_system.content(&inode, |bytes| {
                content.extend_from_slice(bytes);
                Ok(())
            });
            outcome.map(|()| content.len()).map_err(|error| error.to_string())
        };
        assert_eq!((content(0), content(61), content(84)), (Ok(0), Ok(61), Ok(84)));
        assert_eq!(content(85), Err("/disk: the inline data of inode 11 is shorter than its size".to_owned()));
    }

    #[test]
    fn an_index_without_runs_ends() {
        let root = tempfile::tempdir().expect("a directory");
        // A node of each level, whose 20 entries are all the node below it.
        let node = |level: u16, count: u16| {
            let mut node = [0x0a_u8, 0xf3].to_vec();
            node.extend([count, count, level].map(u16::to_le_bytes).concat());
            node.extend([0; 4]);
            for _ in 0..count {
                node.extend([[0; 4], u32::from(level).saturating_sub(1).to_le_bytes(), [0; 4]].concat());
            }
            node
        };
        let mut image = Vec::new();
        for (level, count) in [(0, 0), (1, 20), (2, 20), (3, 20)] {
            image.extend(node(level, count));
            image.resize((usize::from(level) + 1) * 1024, 0);
        }
        std::fs::write(root.path().join("disk"), image).expect("an image");
        let disk = Disk::open(&Sys::at(root.path()), "/disk").expect("it opens").expect("it exists");
        let file_system = FileSystem {
            disk: Arc::new(disk),
            start: 0,
            block_size: 1024,
            blocks: 4,
            inodes: 16,
            first_data_block: 1,
            inodes_per_group: 16,
            inode_size: 128,
            descriptor_size: 32,
            has_64_bits: false,
        };
        let runs = |level: u16, count: u16| {
            let inode = Inode { number: 12, flags: HAS_EXTENTS, map: node(level, count), ..Inode::default() };
            file_system.runs(&inode).map_err(|error| error.to_string())
        };
        assert_eq!(runs(2, 4), Ok(Vec::new()));
        assert_eq!(runs(4, 4), Err("/disk: the index of inode 12 has too many blocks".to_owned()));
    }

    #[test]
    fn deep_directories_are_reported_and_names_are_charged() {
        let root = tempfile::tempdir().expect("a directory");
        let content = root.path().join("content");
        std::fs::create_dir_all(content.join("a/b/c/d")).expect("a directory");
        let image = root.path().join("image");
        std::fs::write(&image, vec![0; 256 << 10]).expect("an image");
        let made = std::process::Command::new("/sbin/mke2fs")
            .args(["-q", "-F", "-t", "ext4", "-N", "32", "-d"])
            .args([&content, &image])
            .status();
        assert!(made.expect("mke2fs runs").success());
        let walk = |memory, longest| {
            let (sys, limit) = crate::source::held::limited(root.path(), memory);
            let disk = Arc::new(Disk::open(&sys, "/image").expect("it opens").expect("it exists"));
            let file_system = Arc::new(FileSystem::open(&disk, 0).expect("it is read").expect("ext4"));
            let errors = std::cell::RefCell::new(Vec::new());
            let report = |error: &Error| errors.borrow_mut().push(error.to_string());
            let paths = file_system.walk_to(longest, report).map(|(path, _)| String::from_utf8(path).expect("text"));
            let paths: Vec<_> = paths.filter(|path| !path.contains("lost")).collect();
            assert_eq!(limit.left(), memory);
            errors.borrow_mut().retain(|error| !error.contains("directory 11 "));
            (paths, errors.take())
        };
        let all = ["/", "/a", "/a/b", "/a/b/c", "/a/b/c/d"];
        assert_eq!(walk(1 << 20, 8), (all.map(str::to_owned).to_vec(), Vec::new()));
        let (paths, errors) = walk(1 << 20, 4);
        assert_eq!(paths, all[..3]);
        assert!(matches!(errors.as_slice(), [only] if only.contains("deeper than 4 bytes")), "{errors:?}");
        // Each open directory is charged.
        let (paths, errors) = walk(256 << 10, 8);
        assert!(paths.len() < 5 && errors.len() == 1, "{paths:?} {errors:?}");
    }

    /// An image that the real tool made, damaged in many places. `tests/host_kernel.rs` compares an intact one.
    #[test]
    fn damaged_file_systems_do_not_panic() {
        let root = tempfile::tempdir().expect("a directory");
        let content = root.path().join("content");
        std::fs::create_dir_all(content.join("a/b")).expect("a directory");
        std::fs::write(content.join("a/b/file"), vec![b'x'; 5000]).expect("a file");
        for (kind, features) in [("ext2", "filetype"), ("ext4", "extent"), ("ext4", "inline_data")] {
            let image = root.path().join(kind);
            std::fs::write(&image, vec![0; 256 << 10]).expect("an image");
            let made = std::process::Command::new("/sbin/mke2fs")
                .args(["-q", "-F", "-t", kind, "-O", features, "-I", "256", "-N", "16", "-d"])
                .args([&content, &image])
                .status();
            assert!(made.expect("mke2fs runs").success());
            let original = std::fs::read(&image).expect("the image");
            let sys = Sys::at(root.path());
            let count = |bytes: &[u8]| {
                std::fs::write(&image, bytes).expect("an image");
                let disk = Arc::new(Disk::open(&sys, &format!("/{kind}")).expect("it opens").expect("it exists"));
                let Ok(Some(file_system)) = FileSystem::open(&disk, 0) else { return 0 };
                let file_system = Arc::new(file_system);
                let is_read = |inode: &Inode| {
                    let mut pieces = 0;
                    let outcome = file_system.content(inode, |_| {
                        pieces += 1;
                        if pieces < 1000 { Ok(()) } else { Err(Error::Cancelled) }
                    });
                    outcome.is_ok()
                };
                file_system.clone().walk(|_| {}).take(1000).filter(|(_, inode)| is_read(inode)).count()
            };
            assert_eq!(count(&original), 5, "/, /lost+found, /a, /a/b, /a/b/file");
            let used: Vec<usize> =
                (0..original.len()).filter(|at| original[*at] != 0 && original[*at] != b'x').collect();
            for at in used.iter().step_by(1 + used.len() / 300) {
                for value in [0, 0x0f, 0xff] {
                    let mut changed = original.clone();
                    changed[*at] = value;
                    assert!(count(&changed) <= 1000);
                }
            }
        }
    }
}
