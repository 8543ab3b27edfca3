//! Files in zip archives, such as jars, and in archives within archives: single members are read, within limits.

use std::cell::Cell;
use std::io::Read as _;
use std::path::Path;
use std::rc::Rc;

use indago_table::prelude::*;

use super::positioned::{MOST_OF_VALUE, Positioned, le};

/// Most bytes of a member after decompression.
const MOST_OF_MEMBER: u64 = 32 << 20;
/// Most bytes of all members that are read of a file, and of the archives within it.
const MOST_OF_FILE: u64 = 512 << 20;
/// The record at the end, and the longest comment after it.
const END: usize = 22;
const LONGEST_COMMENT: u64 = 0xffff;
const DIRECTORY_ENTRY: usize = 46;
const LOCAL_HEADER: u64 = 30;

/// An open archive: its directory of members.
#[derive(Debug)]
pub(crate) struct Archive {
    file: Source,
    members: Vec<Member>,
    /// What is wrong with the directory. Members may be missing.
    damage: Option<Error>,
    /// Bytes of members that may still be read.
    left: Rc<Cell<u64>>,
}

/// Where an archive is.
#[derive(Debug)]
enum Source {
    File(Positioned),
    /// A member of another archive, with its name for messages.
    Member(String, Vec<u8>),
}

impl Source {
    fn length(&self) -> u64 {
        match self {
            Source::File(file) => file.length,
            Source::Member(_, bytes) => bytes.len() as u64,
        }
    }

    fn path(&self) -> &str {
        match self {
            Source::File(file) => &file.path,
            Source::Member(name, _) => name,
        }
    }

    fn read(&self, at: u64, count: u64) -> Result<Vec<u8>> {
        match self {
            Source::File(file) => file.read(at, count),
            Source::Member(_, bytes) => {
                let end = at.checked_add(count).and_then(|end| usize::try_from(end).ok());
                let part = end.and_then(|end| bytes.get(at as usize..end));
                part.map(<[u8]>::to_vec)
                    .ok_or_else(|| self.malformed(format_args!("{count} bytes at {at} are missing")))
            }
        }
    }

    fn malformed(&self, what: impl std::fmt::Display) -> Error {
        Error::Malformed(format!("{}: {what}", self.path()))
    }
}

/// A member of an archive.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    method: u32,
    flags: u32,
    packed: u64,
    at: u64,
}

impl Archive {
    /// Reads the directory; `None` if the file is not an archive.
    pub(crate) fn open(sys: &Sys, path: &Path) -> Result<Option<Self>> {
        Archive::of(Source::File(Positioned::open(sys, path)?), Rc::new(Cell::new(MOST_OF_FILE)))
    }

    /// The archive that a member is; `None` if it is none.
    pub(crate) fn within(&self, member: &Member) -> Result<Option<Self>> {
        let name = format!("{}!/{}", self.file.path(), member.name);
        Archive::of(Source::Member(name, self.read(member)?), self.left.clone())
    }

    fn of(file: Source, left: Rc<Cell<u64>>) -> Result<Option<Self>> {
        let tail_at = file.length().saturating_sub(END as u64 + LONGEST_COMMENT);
        let tail = file.read(tail_at, file.length() - tail_at)?;
        let is_end = |at: &usize| {
            let length = le(&tail, at + 20, 2).map(|comment| at + END + comment as usize);
            tail[*at..].starts_with(b"PK\x05\x06") && length == Some(tail.len())
        };
        let Some(end) = (0..tail.len().saturating_sub(END - 1)).rev().find(is_end) else { return Ok(None) };
        let number = |at, length| le(&tail, end + at, length).unwrap_or_default();
        let (size, at) = (u64::from(number(12, 4)), u64::from(number(16, 4)));
        if at == 0xffff_ffff || size == 0xffff_ffff {
            return Err(Error::Unsupported(format!("{}: an archive in the zip64 format", file.path())));
        }
        // Bytes may precede the archive, such as a shell script that starts it.
        let before = (tail_at + end as u64).checked_sub(size + at);
        let Some(before) = before else { return Err(file.malformed("a damaged directory of members")) };
        let directory = file.read(before + at, size)?;
        let mut members = Vec::new();
        let mut entry = directory.as_slice();
        while entry.starts_with(b"PK\x01\x02") {
            let field = |at, length| le(entry, at, length).map(|number| number as usize);
            let (Some(name), Some(extra), Some(comment)) = (field(28, 2), field(30, 2), field(32, 2)) else { break };
            let Some(text) = entry.get(DIRECTORY_ENTRY..DIRECTORY_ENTRY + name) else { break };
            let number = |at, length| le(entry, at, length).unwrap_or_default();
            members.push(Member {
                name: String::from_utf8_lossy(text).into_owned(),
                method: number(10, 2),
                flags: number(8, 2),
                packed: number(20, 4).into(),
                at: before + u64::from(number(42, 4)),
            });
            let Some(rest) = entry.get(DIRECTORY_ENTRY + name + extra + comment..) else { break };
            entry = rest;
        }
        // A signature may follow the entries.
        let is_complete = entry.is_empty() || entry.starts_with(b"PK\x05\x05");
        let is_counted = number(10, 2) == members.len() as u32 & 0xffff;
        let count = members.len();
        let damage = (!is_complete || !is_counted)
            .then(|| file.malformed(format_args!("a damaged directory; {count} members are readable")));
        Ok(Some(Archive { file, members, damage, left }))
    }

    /// The members, in the order of the directory.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// What is wrong with the directory. Members may be missing.
    pub(crate) fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }

    /// Whether the limit on all members is reached.
    pub(crate) fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    fn spend(&self, count: usize) {
        self.left.set(self.left.get().saturating_sub(count as u64));
    }

    /// The contents of a member.
    pub(crate) fn read(&self, member: &Member) -> Result<Vec<u8>> {
        if self.is_spent() {
            let limit = MOST_OF_FILE >> 20;
            let what = format_args!("its members are larger than the limit of {limit} MiB; the others were skipped");
            return Err(self.file.malformed(what));
        }
        let damaged = || self.file.malformed(format_args!("the member {:?} is damaged", member.name));
        if member.flags & 1 != 0 {
            return Err(Error::Unsupported(format!("{}: the member {:?} is encrypted", self.file.path(), member.name)));
        }
        let header = self.file.read(member.at, LOCAL_HEADER)?;
        let (Some(name), Some(extra)) = (le(&header, 26, 2), le(&header, 28, 2)) else { return Err(damaged()) };
        if !header.starts_with(b"PK\x03\x04") || member.packed > MOST_OF_VALUE {
            return Err(damaged());
        }
        let packed = self.file.read(member.at + LOCAL_HEADER + u64::from(name) + u64::from(extra), member.packed)?;
        self.spend(packed.len());
        match member.method {
            0 => Ok(packed),
            8 => {
                let mut bytes = Vec::new();
                let inflate = flate2::read::DeflateDecoder::new(packed.as_slice());
                let outcome = inflate.take(MOST_OF_MEMBER + 1).read_to_end(&mut bytes);
                self.spend(bytes.len());
                outcome.map_err(|_| damaged())?;
                if bytes.len() as u64 > MOST_OF_MEMBER {
                    let limit = MOST_OF_MEMBER >> 20;
                    let what = format_args!("the member {:?} is larger than the limit of {limit} MiB", member.name);
                    return Err(self.file.malformed(what));
                }
                Ok(bytes)
            }
            method => {
                let what =
                    format!("{}: the member {:?} is compressed by method {method}", self.file.path(), member.name);
                Err(Error::Unsupported(what))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    /// An archive of members, each stored or compressed.
    pub(crate) fn archive(members: &[(&str, &[u8], bool)]) -> Vec<u8> {
        let (mut file, mut directory) = (b"#!/bin/sh\n".to_vec(), Vec::new());
        let before = file.len() as u32;
        for (name, content, is_packed) in members {
            let packed = if *is_packed {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(content).expect("memory is writable");
                encoder.finish().expect("memory is writable")
            } else {
                content.to_vec()
            };
            let at = file.len() as u32 - before;
            let method = if *is_packed { 8_u16 } else { 0 };
            let mut common = vec![20, 0, 0, 0];
            common.extend(method.to_le_bytes());
            common.extend([0; 8]);
            common.extend((packed.len() as u32).to_le_bytes());
            common.extend((content.len() as u32).to_le_bytes());
            common.extend((name.len() as u16).to_le_bytes());
            common.extend([0, 0]);
            file.extend(b"PK\x03\x04");
            file.extend(&common);
            file.extend(name.as_bytes());
            file.extend(&packed);
            directory.extend(b"PK\x01\x02\x14\x00");
            directory.extend(&common);
            directory.extend([0; 10]);
            directory.extend(at.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let (at, size, count) = (file.len() as u32 - before, directory.len() as u32, members.len() as u16);
        file.extend(directory);
        file.extend(b"PK\x05\x06\0\0\0\0");
        file.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
        file.extend([size.to_le_bytes(), at.to_le_bytes()].concat());
        file.extend([0, 0]);
        file
    }

    fn read(folder: &Path) -> Vec<(String, Result<Vec<u8>>)> {
        match Archive::open(&Sys::at(folder), Path::new("/a.jar")) {
            Ok(Some(archive)) => {
                archive.members().iter().map(|member| (member.name.clone(), archive.read(member))).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn members_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.jar");
        let long = b"x".repeat(5000);
        let bomb = vec![0; (MOST_OF_MEMBER + 1) as usize];
        let inner = archive(&[("deep", b"hello", true)]);
        let members = [
            ("a/stored", &b"hello"[..], false),
            ("packed", &long, true),
            ("bomb", &bomb, true),
            ("inner.jar", &inner, true),
        ];
        let sample = archive(&members);
        fs::write(&file, &sample).expect("a file");
        let outer = Archive::open(&Sys::at(folder.path()), Path::new("/a.jar")).expect("readable").expect("an archive");
        let found = outer.within(&outer.members()[3]).expect("readable").expect("an archive");
        assert_eq!(found.read(&found.members()[0]), Ok(b"hello".to_vec()));
        assert!(matches!(outer.within(&outer.members()[0]), Ok(None)), "not an archive");
        let members = read(folder.path());
        assert_eq!(members[0], ("a/stored".to_owned(), Ok(b"hello".to_vec())));
        assert_eq!(members[1], ("packed".to_owned(), Ok(long)));
        assert!(matches!(&members[2].1, Err(Error::Malformed(what)) if what.contains("32 MiB")), "{:?}", members[2].0);
        assert_eq!(outer.damage(), None);
        outer.left.set(1);
        assert_eq!(outer.read(&outer.members()[0]), Ok(b"hello".to_vec()));
        for archive in [&outer, &found] {
            assert!(archive.read(&archive.members()[0]).is_err_and(|error| error.to_string().contains("512 MiB")));
        }
        let sample = archive(&[("a", b"hello", false), ("b", b"hello hello", true)]);
        let second = sample.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").expect("a second entry");
        let damaged = [&sample[..second], b"XX", &sample[second + 2..]].concat();
        fs::write(&file, &damaged).expect("a file");
        let damaged =
            Archive::open(&Sys::at(folder.path()), Path::new("/a.jar")).expect("readable").expect("an archive");
        let shown = damaged.damage().map(ToString::to_string);
        assert_eq!(shown.as_deref(), Some("/a.jar: a damaged directory; 1 members are readable"));
        for end in 0..sample.len() {
            fs::write(&file, &sample[..end]).expect("a file");
            assert_eq!(read(folder.path()), []);
        }
        let mut changed = sample.clone();
        for position in 0..sample.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                changed[position] = byte;
                fs::write(&file, &changed).expect("a file");
                assert!(read(folder.path()).len() <= 2);
            }
            changed[position] = sample[position];
        }
    }
}
