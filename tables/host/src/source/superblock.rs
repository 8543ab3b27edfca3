//! What is on a block device: the kind, UUID and label of a file system, a swap space, or a part of a volume.
//!
//! Each format has a magic text at a fixed place near the beginning, some near the end. Offsets are from the formats'
//! own documentation, and the names of kinds are those of `blkid`.

use indago_table::prelude::*;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub(crate) kind: String,
    pub(crate) uuid: Option<String>,
    pub(crate) label: Option<String>,
}

/// Bytes read from the beginning. The last format, btrfs, has its block at 64 KiB.
const HEAD: usize = 0x11000;

/// Bytes read from the end, for old formats of RAID.
const TAIL: u64 = 0x20000;

/// Reads a device of this size, with a function that reads bytes at a position.
pub(crate) fn read(size: u64, part: impl Fn(u64, usize) -> Result<Vec<u8>>) -> Result<Option<Superblock>> {
    let head = part(0, usize::try_from(size).map_or(HEAD, |size| size.min(HEAD)))?;
    let start = size.saturating_sub(TAIL);
    let tail = part(start, usize::try_from(size - start).unwrap_or(0))?;
    Ok(find(&head, &tail, size))
}

/// Finds a format in the first bytes and the last bytes of a device.
fn find(head: &[u8], tail: &[u8], size: u64) -> Option<Superblock> {
    let head = Bytes(head);
    let formats: [fn(Bytes<'_>) -> Option<Superblock>; 14] =
        [raid, lvm, luks, xfs, ext, btrfs, swap, squashfs, erofs, f2fs, iso, exfat, ntfs, fat];
    raid_at_end(Bytes(tail), size).or_else(|| formats.iter().find_map(|format| format(head)))
}

/// Bytes with checked access.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn at(self, position: usize, length: usize) -> Option<&'a [u8]> {
        self.0.get(position..position.checked_add(length)?)
    }

    pub(crate) fn has(self, position: usize, magic: &[u8]) -> bool {
        self.at(position, magic.len()) == Some(magic)
    }

    pub(crate) fn le16(self, position: usize) -> Option<u16> {
        self.at(position, 2)?.try_into().ok().map(u16::from_le_bytes)
    }

    pub(crate) fn be16(self, position: usize) -> Option<u16> {
        self.at(position, 2)?.try_into().ok().map(u16::from_be_bytes)
    }

    pub(crate) fn le32(self, position: usize) -> Option<u32> {
        self.at(position, 4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub(crate) fn le64(self, position: usize) -> Option<u64> {
        self.at(position, 8)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// 16 bytes as a UUID; `None` if all are zero.
    pub(crate) fn uuid(self, position: usize) -> Option<String> {
        let bytes = self.at(position, 16).filter(|bytes| bytes.iter().any(|byte| *byte != 0))?;
        let digits = hex::encode(bytes);
        let parts = [digits.get(..8)?, digits.get(8..12)?, digits.get(12..16)?, digits.get(16..20)?, digits.get(20..)?];
        Some(parts.join("-"))
    }

    /// A serial number of 32 bits, as file systems of DOS show it.
    pub(crate) fn serial(self, position: usize) -> Option<String> {
        let serial = self.le32(position).filter(|serial| *serial != 0)?;
        Some(format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff))
    }

    /// Text that ends at a NUL, without blanks at its end; `None` if it is empty.
    pub(crate) fn text(self, position: usize, length: usize) -> Option<String> {
        let bytes = self.at(position, length)?.split(|byte| *byte == 0).next()?.trim_ascii_end();
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned())
    }
}

fn found(kind: &str, uuid: Option<String>, label: Option<String>) -> Option<Superblock> {
    Some(Superblock { kind: kind.to_owned(), uuid, label })
}

fn ext(bytes: Bytes<'_>) -> Option<Superblock> {
    const START: usize = 1024;
    const HAS_JOURNAL: u32 = 0x4;
    const IS_JOURNAL: u32 = 0x8;
    // Features that ext2 and ext3 have; others make it ext4.
    const OLD_INCOMPATIBLE: u32 = 0x2 | 0x4 | 0x10;
    const OLD_READ_ONLY: u32 = 0x1 | 0x2 | 0x4;
    if bytes.le16(START + 0x38)? != 0xef53 {
        return None;
    }
    let (compatible, incompatible) = (bytes.le32(START + 0x5c)?, bytes.le32(START + 0x60)?);
    let read_only = bytes.le32(START + 0x64)?;
    let is_old = incompatible & !OLD_INCOMPATIBLE == 0 && read_only & !OLD_READ_ONLY == 0;
    let kind = match (is_old, compatible & HAS_JOURNAL != 0) {
        _ if incompatible & IS_JOURNAL != 0 => "jbd",
        (true, true) => "ext3",
        (true, false) => "ext2",
        (false, _) => "ext4",
    };
    found(kind, bytes.uuid(START + 0x68), bytes.text(START + 0x78, 16))
}

fn xfs(bytes: Bytes<'_>) -> Option<Superblock> {
    bytes.has(0, b"XFSB").then_some(())?;
    found("xfs", bytes.uuid(32), bytes.text(108, 12))
}

fn btrfs(bytes: Bytes<'_>) -> Option<Superblock> {
    bytes.has(0x10040, b"_BHRfS_M").then_some(())?;
    found("btrfs", bytes.uuid(0x10020), bytes.text(0x1012b, 256))
}

fn swap(bytes: Bytes<'_>) -> Option<Superblock> {
    // At the end of the first page, whose size depends on the architecture.
    const PAGES: [usize; 5] = [4096, 8192, 16384, 32768, 65536];
    PAGES.iter().any(|page| bytes.has(page - 10, b"SWAPSPACE2")).then_some(())?;
    found("swap", bytes.uuid(1036), bytes.text(1052, 16))
}

fn luks(bytes: Bytes<'_>) -> Option<Superblock> {
    bytes.has(0, b"LUKS\xba\xbe").then_some(())?;
    let label = match bytes.be16(6)? {
        2 => bytes.text(24, 48),
        _ => None,
    };
    found("crypto_LUKS", bytes.text(168, 40), label)
}

/// `LABELONE` in one of the first four sectors, then the place of a header that begins with the volume's ID.
fn lvm(bytes: Bytes<'_>) -> Option<Superblock> {
    let sector = (0..4).map(|sector| sector * 512);
    let label = sector.into_iter().find(|at| bytes.has(*at, b"LABELONE") && bytes.has(at + 24, b"LVM2 001"))?;
    let header = label.checked_add(usize::try_from(bytes.le32(label + 20)?).ok()?)?;
    let id = bytes.at(header, 32).filter(|id| id.iter().all(u8::is_ascii_alphanumeric));
    let id = id.map(|id| {
        let id = String::from_utf8_lossy(id);
        let ends = [0, 6, 10, 14, 18, 22, 26, 32];
        let parts = ends.windows(2).filter_map(|ends| id.get(ends[0]..ends[1]));
        parts.collect::<Vec<_>>().join("-")
    });
    found("LVM2_member", id, None)
}

const RAID_MAGIC: [u8; 4] = 0xa92b_4efc_u32.to_le_bytes();

/// Versions 1.1 and 1.2 of Linux's RAID.
fn raid(bytes: Bytes<'_>) -> Option<Superblock> {
    let start =
        [0, 4096].into_iter().find(|start| bytes.has(*start, &RAID_MAGIC) && bytes.le32(start + 4) == Some(1))?;
    raid_at(bytes, start)
}

fn raid_at(bytes: Bytes<'_>, start: usize) -> Option<Superblock> {
    found("linux_raid_member", bytes.uuid(start + 16), bytes.text(start + 32, 32))
}

/// Versions 1.0 and 0.90, whose place is counted from the end.
fn raid_at_end(tail: Bytes<'_>, size: u64) -> Option<Superblock> {
    let before = size.checked_sub(tail.0.len() as u64)?;
    let place = |position: u64| usize::try_from(position.checked_sub(before)?).ok();
    let at = |position: u64| place(position).filter(|at| tail.has(*at, &RAID_MAGIC));
    let version_1 = (size / 512).checked_sub(16).map(|sector| (sector & !7) * 512);
    if let Some(start) = version_1.and_then(at).filter(|start| tail.le32(start + 4) == Some(1)) {
        return raid_at(tail, start);
    }
    let start = (size & !0xffff).checked_sub(0x10000).and_then(at).filter(|start| tail.le32(start + 4) == Some(0))?;
    // The parts of the UUID are four numbers, not adjacent, in the machine's order.
    let parts: Option<Vec<u32>> = [0x14, 0x34, 0x38, 0x3c].iter().map(|offset| tail.le32(start + offset)).collect();
    let bytes: Vec<u8> = parts?.into_iter().flat_map(u32::to_be_bytes).collect();
    found("linux_raid_member", Bytes(&bytes).uuid(0), None)
}

fn squashfs(bytes: Bytes<'_>) -> Option<Superblock> {
    bytes.has(0, b"hsqs").then_some(())?;
    found("squashfs", None, None)
}

fn erofs(bytes: Bytes<'_>) -> Option<Superblock> {
    bytes.has(1024, &0xe0f5_e1e2_u32.to_le_bytes()).then_some(())?;
    found("erofs", bytes.uuid(1024 + 48), bytes.text(1024 + 64, 16))
}

fn f2fs(bytes: Bytes<'_>) -> Option<Superblock> {
    bytes.has(1024, &0xf2f5_2010_u32.to_le_bytes()).then_some(())?;
    let units = bytes.at(1024 + 124, 1024)?.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    let label = String::from_utf16_lossy(&units);
    found("f2fs", bytes.uuid(1024 + 108), Some(label).filter(|label| !label.is_empty()))
}

fn exfat(bytes: Bytes<'_>) -> Option<Superblock> {
    bytes.has(3, b"EXFAT   ").then_some(())?;
    found("exfat", bytes.serial(100), None)
}

fn ntfs(bytes: Bytes<'_>) -> Option<Superblock> {
    bytes.has(3, b"NTFS    ").then_some(())?;
    let serial: [u8; 8] = bytes.at(72, 8)?.try_into().ok()?;
    found("ntfs", Some(format!("{:016X}", u64::from_le_bytes(serial))), None)
}

fn fat(bytes: Bytes<'_>) -> Option<Superblock> {
    bytes.has(510, b"\x55\xaa").then_some(())?;
    let start = [82, 54].into_iter().find(|at| bytes.has(*at, b"FAT"))?;
    // The serial number and the label are before the name.
    let label = bytes.text(start - 11, 11).filter(|label| label != "NO NAME");
    found("vfat", bytes.serial(start - 15), label)
}

fn iso(bytes: Bytes<'_>) -> Option<Superblock> {
    const START: usize = 0x8000;
    bytes.has(START + 1, b"CD001").then_some(())?;
    // Time of the last change, or of the creation: digits of the year, month, .., hundredths of a second.
    let time = [830, 813].into_iter().find_map(|at| {
        let digits = bytes.at(START + at, 16)?;
        let is_time = digits.iter().all(u8::is_ascii_digit) && digits.iter().any(|digit| *digit != b'0');
        let digits = String::from_utf8_lossy(digits).into_owned();
        let ends = [0, 4, 6, 8, 10, 12, 14, 16];
        let parts = ends.windows(2).filter_map(|ends| digits.get(ends[0]..ends[1]));
        is_time.then(|| parts.collect::<Vec<_>>().join("-"))
    });
    found("iso9660", time, bytes.text(START + 40, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(image: &[u8]) -> Option<Superblock> {
        let tail = image.len().saturating_sub(TAIL as usize);
        find(&image[..image.len().min(HEAD)], &image[tail..], image.len() as u64)
    }

    fn image(parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut image = vec![0; 0x40000];
        for (position, bytes) in parts {
            image[*position..*position + bytes.len()].copy_from_slice(bytes);
        }
        image
    }

    /// A part of each format. `tests/host_kernel.rs` compares images of the real tools with `blkid`.
    fn samples() -> Vec<(&'static str, Vec<u8>)> {
        let id = [0x11; 16];
        let luks = b"LUKS\xba\xbe\x00\x02";
        vec![
            ("ext2", image(&[(1080, b"\x53\xef"), (1128, &id), (1144, b"root")])),
            ("ext3", image(&[(1080, b"\x53\xef"), (1116, b"\x04"), (1128, &id)])),
            ("ext4", image(&[(1080, b"\x53\xef"), (1116, b"\x04"), (1120, b"\x42"), (1128, &id)])),
            ("xfs", image(&[(0, b"XFSB"), (32, &id), (108, b"data")])),
            ("btrfs", image(&[(0x10040, b"_BHRfS_M"), (0x10020, &id)])),
            ("swap", image(&[(4086, b"SWAPSPACE2"), (1036, &id)])),
            ("crypto_LUKS", image(&[(0, luks), (24, b"secret"), (168, b"11111111-1111")])),
            ("LVM2_member", image(&[(512, b"LABELONE"), (532, b"\x20"), (536, b"LVM2 001"), (544, &[b'a'; 32])])),
            ("linux_raid_member", image(&[(4096, &RAID_MAGIC), (4100, b"\x01"), (4112, &id), (4128, b"host:0")])),
            ("squashfs", image(&[(0, b"hsqs")])),
            ("erofs", image(&[(1024, &0xe0f5_e1e2_u32.to_le_bytes()), (1072, &id)])),
            ("f2fs", image(&[(1024, &0xf2f5_2010_u32.to_le_bytes()), (1132, &id), (1148, b"x\0y\0")])),
            ("iso9660", image(&[(0x8001, b"CD001"), (0x8028, b"DISC   "), (0x8000 + 813, b"2024010203040500")])),
            ("exfat", image(&[(3, b"EXFAT   "), (100, b"\x78\x56\x34\x12")])),
            ("ntfs", image(&[(3, b"NTFS    "), (72, b"\x01")])),
            ("vfat", image(&[(510, b"\x55\xaa"), (82, b"FAT32   "), (67, b"\x78\x56\x34\x12"), (71, b"BOOT       ")])),
        ]
    }

    #[test]
    fn each_format_is_found_by_its_magic_text() {
        for (kind, image) in samples() {
            assert_eq!(probe(&image).map(|found| found.kind).as_deref(), Some(kind));
        }
        let label = |kind: &str| {
            let (_, image) = samples().into_iter().find(|(name, _)| *name == kind).expect("a sample");
            probe(&image).map(|found| (found.uuid.unwrap_or_default(), found.label.unwrap_or_default()))
        };
        let pair = |uuid: &str, label: &str| Some((uuid.to_owned(), label.to_owned()));
        assert_eq!(label("ext2"), pair("11111111-1111-1111-1111-111111111111", "root"));
        assert_eq!(label("crypto_LUKS"), pair("11111111-1111", "secret"));
        assert_eq!(label("LVM2_member"), pair("aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa", ""));
        assert_eq!(label("f2fs"), pair("11111111-1111-1111-1111-111111111111", "xy"));
        assert_eq!(label("iso9660"), pair("2024-01-02-03-04-05-00", "DISC"));
        assert_eq!(label("vfat"), pair("1234-5678", "BOOT"));
        assert_eq!(label("ntfs"), pair("0000000000000001", ""));
        assert_eq!(probe(&image(&[])), None);
        assert_eq!(probe(&[]), None);
    }

    #[test]
    fn damaged_blocks_do_not_panic() {
        for (_, image) in samples() {
            let used: Vec<usize> = (0..image.len()).filter(|at| image[*at] != 0).collect();
            for at in &used {
                find(&image[..*at.min(&HEAD)], &image[..*at], u64::MAX);
                let mut changed = image.clone();
                for value in [0, 0x7f, 0x80, 0xff] {
                    changed[*at] = value;
                    let found = probe(&changed);
                    let length = |text: Option<String>| text.map_or(0, |text| text.len());
                    assert!(found.is_none_or(|found| length(found.uuid) <= 40 && length(found.label) <= 2048));
                }
            }
        }
    }
}
