//! Refs in reftables, which replace ref files if `extensions.refStorage = reftable`.
//!
//! `reftable/tables.list` lists files, the oldest first. A ref in a later file hides the ref of the same name in an
//! earlier one. Each file starts with blocks of refs in the order of their names. A name is stored without the prefix
//! that it shares with the one before.

use std::collections::BTreeMap;

use git2::Oid;
use indago_table::{Error, Result};

use crate::source::folder::{Folder, LARGE, SMALL};
use crate::source::pack::varint;
use crate::source::refs::{Entry, Target};
use crate::source::text;

/// Limit of a name; a path is not longer. Without a limit, a few bytes could encode many long names, because each name
/// can share any prefix of the one before.
const LONGEST_NAME: usize = 4096;
/// Limit in bytes of all names in a directory's reftables.
const MOST_NAMES: usize = 64 << 20;

/// The refs in a directory's reftables, by full name.
pub(crate) fn read(folder: &Folder) -> Result<BTreeMap<Vec<u8>, Entry>> {
    let mut refs = BTreeMap::new();
    let (mut left, mut names) = (LARGE, 0);
    let list = folder.read("reftable/tables.list", SMALL)?;
    let missing = || Error::Malformed(format!("{} is missing", folder.path().join("reftable/tables.list").display()));
    for name in text(&list.ok_or_else(missing)?).lines() {
        let file = folder.path().join("reftable").join(name);
        let garbled = |why| Error::Malformed(format!("{} {why}", file.display()));
        if name.contains('/') {
            return Err(garbled("is not the name of a reftable"));
        }
        let bytes = folder.read(format!("reftable/{name}"), left)?.ok_or_else(|| garbled("is missing"))?;
        left -= bytes.len() as u64;
        if add(&bytes, &mut refs, &mut names).is_none() {
            return Err(match names > MOST_NAMES {
                true => {
                    let folder = folder.path().join("reftable");
                    Error::Malformed(format!("{}: ref names exceed {MOST_NAMES} bytes", folder.display()))
                }
                false => garbled("is malformed"),
            });
        }
    }
    Ok(refs)
}

/// Length of a SHA-1 hash.
const NAME: usize = 20;

/// Size of the part after the header's copy at the end: the offsets of the file's sections, and a checksum.
const FOOTER: usize = 44;

/// Adds the refs of a file; `None` if it is malformed, or if `names`, which counts the bytes of names, exceeds
/// [`MOST_NAMES`].
fn add(bytes: &[u8], refs: &mut BTreeMap<Vec<u8>, Entry>, names: &mut usize) -> Option<()> {
    let version = bytes.strip_prefix(b"REFT")?.first()?;
    let header = match version {
        1 => 24,
        2 if bytes.get(24..28)? == b"sha1" => 28,
        _ => return None,
    };
    let block_size = number(bytes, 5)?;
    // A complete file repeats its header at the end.
    let (bytes, end) = bytes.split_at_checked(bytes.len().checked_sub(header + FOOTER)?)?;
    if end.get(..header) != bytes.get(..header) {
        return None;
    }
    // The first block includes the header.
    let (mut start, mut records) = (0, header);
    while bytes.get(records) == Some(&b'r') {
        let length = number(bytes, records + 1)?;
        let block = bytes.get(start..start + length)?;
        // The block ends with the offsets of names that are stored in full, and their number.
        let restarts = usize::from(u16::from_be_bytes(*block.last_chunk()?));
        let end = length.checked_sub(2 + 3 * restarts)?;
        add_block(block.get(records - start + 4..end)?, refs, names)?;
        start += match block_size > length && bytes.get(start + length).is_none_or(|next| *next == 0) {
            true => block_size,
            false => length,
        };
        records = start;
    }
    Some(())
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let [high, middle, low] = *bytes.get(at..)?.first_chunk()?;
    Some(usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low))
}

fn add_block(mut rest: &[u8], refs: &mut BTreeMap<Vec<u8>, Entry>, names: &mut usize) -> Option<()> {
    fn size(rest: &mut &[u8]) -> Option<usize> {
        let (value, used) = varint(rest)?;
        *rest = &rest[used..];
        usize::try_from(value).ok()
    }
    fn id(rest: &mut &[u8]) -> Option<Oid> {
        Oid::from_bytes(rest.split_off(..NAME)?).ok()
    }
    let mut name: Vec<u8> = Vec::new();
    while !rest.is_empty() {
        let (kept, suffix) = (size(&mut rest)?, size(&mut rest)?);
        if kept > name.len() {
            return None;
        }
        name.truncate(kept);
        name.extend_from_slice(rest.split_off(..suffix >> 3)?);
        *names += name.len();
        if name.len() > LONGEST_NAME || *names > MOST_NAMES {
            return None;
        }
        size(&mut rest)?;
        let (target, peeled) = match suffix & 7 {
            0 => {
                refs.remove(&name);
                continue;
            }
            1 => (Target::Id(id(&mut rest)?), None),
            2 => (Target::Id(id(&mut rest)?), Some(id(&mut rest)?)),
            3 => {
                let length = size(&mut rest)?;
                (Target::Name(rest.split_off(..length)?.to_vec()), None)
            }
            _ => return None,
        };
        refs.insert(name.clone(), Entry { target, peeled });
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HEAD, a branch, a tag and a deleted branch in one block.
    fn file() -> Vec<u8> {
        let mut records = b"\x00\x23HEAD\x00\x0frefs/heads/main".to_vec();
        records.extend_from_slice(b"\x00\x79refs/heads/main\x00");
        records.extend_from_slice(&[1; 20]);
        records.extend_from_slice(b"\x0b\x18old\x01");
        records.extend_from_slice(b"\x05\x32tags/v\x01");
        records.extend_from_slice(&[[2; 20], [3; 20]].concat());
        records.extend_from_slice(&[0, 0, 28, 0, 1]);
        let length = (28 + records.len()) as u32;
        let mut file = b"REFT\x01\x00\x10\x00".to_vec();
        file.extend_from_slice(&[0; 16]);
        file.push(b'r');
        file.extend_from_slice(&length.to_be_bytes()[1..]);
        file.extend(records);
        file.extend_from_within(..24);
        file.extend_from_slice(&[0; 44]);
        file
    }

    #[test]
    fn refs_come_from_the_file_and_hide_older_ones() {
        let id = |byte| Oid::from_bytes(&[byte; 20]).expect("20 bytes");
        let mut refs = BTreeMap::new();
        refs.insert(b"refs/heads/old".to_vec(), Entry { target: Target::Id(id(9)), peeled: None });
        add(&file(), &mut refs, &mut 0).expect("a reftable");
        let expected = [
            ("HEAD", Target::Name(b"refs/heads/main".to_vec()), None),
            ("refs/heads/main", Target::Id(id(1)), None),
            ("refs/tags/v", Target::Id(id(2)), Some(id(3))),
        ];
        let expected = expected.map(|(name, target, peeled)| (name.as_bytes().to_vec(), Entry { target, peeled }));
        assert_eq!(refs, expected.into());
    }

    #[test]
    fn a_garbled_file_is_no_panic() {
        let whole = file();
        for end in 0..whole.len() {
            assert!(add(&whole[..end], &mut BTreeMap::new(), &mut 0).is_none(), "{end}");
        }
        for at in 0..whole.len() {
            for flip in [0xFF, 0x80, 1] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                let _ = add(&bytes, &mut BTreeMap::new(), &mut 0);
            }
        }
    }

    #[test]
    fn names_are_bounded() {
        for (length, suffix, is_read) in [(4096, [0x80, 0xFF, 0x01], true), (4097, [0x80, 0xFF, 0x09], false)] {
            let mut record = vec![0];
            record.extend_from_slice(&suffix);
            record.extend(std::iter::repeat_n(b'a', length));
            record.push(0);
            record.extend_from_slice(&[1; 20]);
            assert_eq!(add_block(&record, &mut BTreeMap::new(), &mut 0).is_some(), is_read, "{length}");
        }
        let mut names = MOST_NAMES;
        assert!(add(&file(), &mut BTreeMap::new(), &mut names).is_none() && names > MOST_NAMES);
    }
}
