//! Disks and images of disks, and their partitions.

use std::path::Path;

use indago_table::prelude::*;
use indago_table::sys::SysFile;

use super::superblock::{self, Superblock};

/// A disk: the file of a block device, or an image.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) sys: Sys,
    path: String,
    file: SysFile,
    pub(crate) size: u64,
}

impl Disk {
    /// Opens a disk. A name that does not exist, or is not a disk, is `None`.
    pub(crate) fn open(sys: &Sys, path: &str) -> Result<Option<Self>> {
        let Some(found) = sys.metadata(path).if_present()? else { return Ok(None) };
        let (file, size) = match found.is_file() {
            true => (sys.open(path)?, found.len()),
            false => {
                let name = super::devices::name_of_node(path).map(|name| super::devices::size(sys, &name));
                (sys.open_block_device(path).needs("root")?, name.transpose()?.flatten().unwrap_or(0))
            }
        };
        Ok(Some(Disk { sys: sys.clone(), path: path.to_owned(), file, size }))
    }

    /// Bytes at a position; fewer at the end of the disk.
    pub(crate) fn read(&self, position: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let read = self.file.read_at(&mut bytes, position);
        bytes.truncate(read.map_err(|error| self.sys.read_error(Path::new(&self.path), &error))?);
        Ok(bytes)
    }

    /// An error that names the disk.
    pub(crate) fn malformed(&self, what: impl std::fmt::Display) -> Error {
        Error::Malformed(format!("{}: {what}", self.path))
    }

    /// What is in a range of the disk.
    pub(crate) fn contents(&self, start: u64, size: u64) -> Result<Option<Superblock>> {
        superblock::read(size, |position, length| self.read(start.saturating_add(position), length))
    }

    /// The partitions; the entire disk as partition 0 if it has no table of them. If there are more than a limit, this
    /// is reported.
    pub(crate) fn partitions(&self, report: impl Fn(&Error)) -> Result<Vec<Partition>> {
        let first = self.read(0, SECTOR as usize)?;
        let found = match entries(&first) {
            Some(entries) if entries.iter().any(|entry| entry.kind == PROTECTIVE) => self.gpt(report)?,
            // The boot sector of a file system ends in the same way.
            Some(_) if self.contents(0, self.size)?.is_some() => None,
            Some(entries) => Some(self.mbr(&entries, report)?),
            None => None,
        };
        Ok(found.unwrap_or_else(|| vec![Partition { size: self.size, ..Partition::default() }]))
    }

    fn mbr(&self, entries: &[Entry], report: impl Fn(&Error)) -> Result<Vec<Partition>> {
        let row = |number, start: u64, entry: Entry| Partition {
            number,
            start: start.saturating_mul(SECTOR),
            size: u64::from(entry.sectors).saturating_mul(SECTOR),
            label: format!("{:#04x}", entry.kind),
            flags: i64::from(entry.flags),
        };
        let used = (1..).zip(entries).filter(|(_, entry)| entry.kind != 0);
        let mut partitions: Vec<_> =
            used.clone().map(|(number, entry)| row(number, entry.start.into(), *entry)).collect();
        // Logical partitions: a chain of sectors inside an extended one, each with a partition and the next link.
        let extended = used.map(|(_, entry)| entry).find(|entry| EXTENDED.contains(&entry.kind));
        let Some(base) = extended.map(|entry| u64::from(entry.start)) else { return Ok(partitions) };
        let mut at = base;
        for number in 5.. {
            if number == 5 + MOST_LOGICAL {
                report(&self.malformed("more than 128 logical partitions; the others were skipped"));
                break;
            }
            let sector = self.read(at.saturating_mul(SECTOR), SECTOR as usize)?;
            let Some(entries) = self::entries(&sector) else { break };
            if entries[0].kind != 0 {
                partitions.push(row(number, at + u64::from(entries[0].start), entries[0]));
            }
            match &entries[1] {
                next if EXTENDED.contains(&next.kind) && base + u64::from(next.start) > at => {
                    at = base + u64::from(next.start);
                }
                _ => break,
            }
        }
        Ok(partitions)
    }

    /// A GPT; `None` if the disk has only the protective entry. Sectors can have 512 or 4096 bytes.
    fn gpt(&self, report: impl Fn(&Error)) -> Result<Option<Vec<Partition>>> {
        for sector in [SECTOR, 4096] {
            let header = self.read(sector, 92)?;
            if !header.starts_with(b"EFI PART") {
                continue;
            }
            let header = superblock::Bytes(&header);
            let fields = (|| Some((header.le64(72)?, header.le32(80)?, header.le32(84)?)))();
            let Some((table, count, length)) = fields.filter(|(_, _, length)| (128..=4096).contains(length)) else {
                return Err(self.malformed("the header of the GPT is malformed"));
            };
            if count > MOST_ENTRIES {
                report(&self.malformed(format_args!("a GPT of {count} entries; those after 1024 were skipped")));
            }
            let count = count.min(MOST_ENTRIES);
            let bytes = self.read(table.saturating_mul(sector), count as usize * length as usize)?;
            let entries = (1..).zip(bytes.chunks_exact(length as usize));
            return Ok(Some(entries.filter_map(|(number, entry)| gpt_entry(number, entry, sector)).collect()));
        }
        Ok(None)
    }
}

/// A partition of a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Partition {
    /// Number as in the name of its device; 0 is the entire disk.
    pub(crate) number: i64,
    /// First byte.
    pub(crate) start: u64,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Name in a GPT, or number of the kind in an old table, in hexadecimal.
    pub(crate) label: String,
    /// Attributes in a GPT, or 128 for one to boot from in an old table.
    pub(crate) flags: i64,
}

const SECTOR: u64 = 512;

/// Most logical partitions that are read.
const MOST_LOGICAL: i64 = 128;

/// Most entries of a GPT that are read. Tables usually have 128.
const MOST_ENTRIES: u32 = 1024;

/// Kinds of partitions that contain others.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];

/// Kind of the partition that stands for a GPT.
const PROTECTIVE: u8 = 0xee;

/// An entry of an old table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    flags: u8,
    kind: u8,
    start: u32,
    sectors: u32,
}

/// The four entries of a sector with partitions; `None` for another sector.
fn entries(sector: &[u8]) -> Option<[Entry; 4]> {
    let bytes = superblock::Bytes(sector);
    if !bytes.has(510, b"\x55\xaa") {
        return None;
    }
    let mut entries = [Entry { flags: 0, kind: 0, start: 0, sectors: 0 }; 4];
    for (position, entry) in entries.iter_mut().enumerate() {
        let at = 446 + position * 16;
        let (flags, kind) = (*sector.get(at)?, *sector.get(at + 4)?);
        // Anything else is not a table.
        if flags & 0x7f != 0 {
            return None;
        }
        *entry = Entry { flags, kind, start: bytes.le32(at + 8)?, sectors: bytes.le32(at + 12)? };
    }
    Some(entries)
}

fn gpt_entry(number: i64, entry: &[u8], sector: u64) -> Option<Partition> {
    let bytes = superblock::Bytes(entry);
    bytes.uuid(0)?;
    let (first, last) = (bytes.le64(32)?, bytes.le64(40)?);
    let units = entry.get(56..128)?.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let name: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    Some(Partition {
        number,
        start: first.saturating_mul(sector),
        size: last.checked_sub(first)?.saturating_add(1).saturating_mul(sector),
        label: String::from_utf16_lossy(&name),
        flags: bytes.le64(48)? as i64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(image: &[u8]) -> Result<Vec<Partition>> {
        reported(image).map(|(partitions, _)| partitions)
    }

    fn reported(image: &[u8]) -> Result<(Vec<Partition>, Vec<String>)> {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("disk"), image).expect("a file");
        let sys = Sys::at(root.path());
        let disk = Disk::open(&sys, "/disk")?.expect("it exists");
        let errors = std::cell::RefCell::new(Vec::new());
        let partitions = disk.partitions(|error| errors.borrow_mut().push(error.to_string()))?;
        Ok((partitions, errors.take()))
    }

    fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
        image[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn entry(image: &mut [u8], at: usize, flags: u8, kind: u8, start: u32, sectors: u32) {
        put(image, at, &[flags, 0, 0, 0, kind]);
        put(image, at + 8, &start.to_le_bytes());
        put(image, at + 12, &sectors.to_le_bytes());
    }

    /// A boot partition, and an extended one with two logical ones.
    fn old() -> Vec<u8> {
        let mut image = vec![0; 200 * 512];
        for sector in [0, 64, 128] {
            put(&mut image, sector * 512 + 510, b"\x55\xaa");
        }
        entry(&mut image, 446, 0x80, 0x83, 2, 8);
        entry(&mut image, 462, 0, 0x0f, 64, 136);
        entry(&mut image, 64 * 512 + 446, 0, 0x82, 1, 10);
        entry(&mut image, 64 * 512 + 462, 0, 0x05, 64, 20);
        entry(&mut image, 128 * 512 + 446, 0, 0x83, 1, 5);
        // A link back to itself.
        entry(&mut image, 128 * 512 + 462, 0, 0x05, 64, 20);
        image
    }

    fn new() -> Vec<u8> {
        let mut image = vec![0; 64 * 512];
        put(&mut image, 510, b"\x55\xaa");
        entry(&mut image, 446, 0, PROTECTIVE, 1, 63);
        put(&mut image, 512, b"EFI PART");
        put(&mut image, 512 + 72, &2_u64.to_le_bytes());
        put(&mut image, 512 + 80, &4_u32.to_le_bytes());
        put(&mut image, 512 + 84, &128_u32.to_le_bytes());
        let second = 1024 + 128;
        put(&mut image, second, &[7; 16]);
        put(&mut image, second + 32, &34_u64.to_le_bytes());
        put(&mut image, second + 40, &40_u64.to_le_bytes());
        put(&mut image, second + 48, &4_u64.to_le_bytes());
        put(&mut image, second + 56, b"r\0o\0o\0t\0");
        image
    }

    #[test]
    fn partitions_have_numbers_and_places() {
        let row = |number, start: u64, sectors: u64, label: &str, flags| Partition {
            number,
            start: start * 512,
            size: sectors * 512,
            label: label.to_owned(),
            flags,
        };
        let expected = vec![
            row(1, 2, 8, "0x83", 0x80),
            row(2, 64, 136, "0x0f", 0),
            row(5, 65, 10, "0x82", 0),
            row(6, 129, 5, "0x83", 0),
        ];
        assert_eq!(partitions(&old()), Ok(expected));
        assert_eq!(partitions(&new()), Ok(vec![row(2, 34, 7, "root", 4)]));
        assert_eq!(partitions(&[1; 1024]), Ok(vec![row(0, 0, 2, "", 0)]));
        assert_eq!(partitions(&[]), Ok(vec![row(0, 0, 0, "", 0)]));
    }

    #[test]
    fn partitions_above_the_limits_are_reported() {
        let (found, errors) = reported(&old()).expect("readable");
        assert_eq!((found.len(), errors.len()), (4, 0));
        let mut image = new();
        put(&mut image, 512 + 80, &1025_u32.to_le_bytes());
        let (found, errors) = reported(&image).expect("readable");
        assert_eq!((found.len(), &*found[0].label), (1, "root"));
        assert_eq!(errors, ["/disk: a GPT of 1025 entries; those after 1024 were skipped"]);
        for (count, expected) in [(128, 0), (130, 1)] {
            let mut image = vec![0; 300 * 512];
            put(&mut image, 510, b"\x55\xaa");
            entry(&mut image, 446, 0, 0x0f, 64, 200);
            for number in 0..count {
                let sector = (64 + number as usize) * 512;
                put(&mut image, sector + 510, b"\x55\xaa");
                entry(&mut image, sector + 446, 0, 0x83, 1, 1);
                if number + 1 < count {
                    entry(&mut image, sector + 462, 0, 0x05, number + 1, 1);
                }
            }
            let (found, errors) = reported(&image).expect("readable");
            assert_eq!((found.len(), errors.len()), (129, expected), "{errors:?}");
        }
    }

    #[test]
    fn damaged_tables_do_not_panic() {
        for image in [old(), new()] {
            let used: Vec<usize> = (0..image.len()).filter(|at| image[*at] != 0).collect();
            for at in used {
                for value in [0, 0x7f, 0xff] {
                    let mut changed = image.clone();
                    changed[at] = value;
                    assert!(partitions(&changed).map_or(0, |found| found.len()) <= MOST_ENTRIES as usize);
                }
            }
        }
    }
}
