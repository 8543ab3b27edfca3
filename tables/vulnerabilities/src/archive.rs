//! Members of zip archives, also of those with more than 65,535 members.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use indago_table::prelude::*;
use indago_table::sys::SysFile;

/// Most bytes of the list of members.
const MOST_OF_DIRECTORY: u64 = 512 << 20;
/// The record at the end, and the longest comment after it.
const END: usize = 22;
const LONGEST_COMMENT: u64 = 0xffff;
const DIRECTORY_ENTRY: usize = 46;
const LOCAL_HEADER: u64 = 30;
/// The records of archives in the zip64 format.
const LOCATOR: u64 = 20;
const END_64: u64 = 56;

/// An open archive.
#[derive(Debug)]
pub(crate) struct Archive {
    sys: Sys,
    file: SysFile,
    path: PathBuf,
    length: u64,
}

/// Where a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    at: u64,
    packed: u64,
    is_packed: bool,
}

/// A little-endian number.
fn le(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

impl Archive {
    pub(crate) fn open(sys: &Sys, path: &Path) -> Result<Self> {
        let file = sys.open(path)?;
        let length = file.metadata().map_err(|error| sys.read_error(path, &error))?.len();
        Ok(Archive { sys: sys.clone(), file, path: path.to_owned(), length })
    }

    fn malformed(&self, what: impl std::fmt::Display) -> Error {
        Error::Malformed(format!("{}: {what}", self.path.display()))
    }

    fn bytes(&self, at: u64, count: u64) -> Result<Vec<u8>> {
        let missing = || self.malformed(format_args!("{count} bytes at {at} are not in the archive"));
        if at.checked_add(count).is_none_or(|end| end > self.length) {
            return Err(missing());
        }
        let mut bytes = vec![0; usize::try_from(count).map_err(|_| missing())?];
        let read = self.file.read_at(&mut bytes, at).map_err(|error| self.sys.read_error(&self.path, &error))?;
        if read == bytes.len() { Ok(bytes) } else { Err(missing()) }
    }

    /// Calls a function for each member, with its name. An error that the function returns ends the list.
    pub(crate) fn members(&self, mut each: impl FnMut(&str, Result<Member>) -> Result<()>) -> Result<()> {
        let tail_at = self.length.saturating_sub(END as u64 + LONGEST_COMMENT);
        let tail = self.bytes(tail_at, self.length - tail_at)?;
        let is_end = |at: &usize| {
            let length = le(&tail, at + 20, 2).map(|comment| at + END + comment as usize);
            tail[*at..].starts_with(b"PK\x05\x06") && length == Some(tail.len())
        };
        let Some(end) = (0..(tail.len() + 1).saturating_sub(END)).rev().find(is_end) else {
            return Err(self.malformed("not a zip archive"));
        };
        let number = |at, length| le(&tail, end + at, length).unwrap_or_default();
        let (mut count, mut size, mut at) = (number(10, 2), number(12, 4), number(16, 4));
        if count == 0xffff || size == 0xffff_ffff || at == 0xffff_ffff {
            let end = tail_at + end as u64;
            let locator = end.checked_sub(LOCATOR).map(|at| self.bytes(at, LOCATOR)).transpose()?;
            if let Some(locator) = locator.filter(|locator| locator.starts_with(b"PK\x06\x07")) {
                let record = self.bytes(le(&locator, 8, 8).unwrap_or(u64::MAX), END_64)?;
                if !record.starts_with(b"PK\x06\x06") {
                    return Err(self.malformed("a damaged list of members"));
                }
                let number = |at| le(&record, at, 8).unwrap_or_default();
                (count, size, at) = (number(32), number(40), number(48));
            }
        }
        if size > MOST_OF_DIRECTORY {
            return Err(self.malformed(format_args!("a list of members above {} MiB", MOST_OF_DIRECTORY >> 20)));
        }
        let _held = self.sys.meter().hold(usize::try_from(size).unwrap_or(usize::MAX))?;
        let directory = self.bytes(at, size)?;
        let (mut entry, mut found) = (directory.as_slice(), 0_u64);
        while entry.starts_with(b"PK\x01\x02") {
            let field = |at, length| le(entry, at, length).map(|number| number as usize);
            let (Some(name), Some(extra), Some(comment)) = (field(28, 2), field(30, 2), field(32, 2)) else { break };
            let Some(text) = entry.get(DIRECTORY_ENTRY..DIRECTORY_ENTRY + name) else { break };
            let Some(more) = entry.get(DIRECTORY_ENTRY + name..DIRECTORY_ENTRY + name + extra) else { break };
            let text = String::from_utf8_lossy(text);
            each(&text, self.member(&text, entry, more))?;
            found += 1;
            let Some(rest) = entry.get(DIRECTORY_ENTRY + name + extra + comment..) else { break };
            entry = rest;
        }
        if found != count {
            return Err(self.malformed(format_args!("a damaged list of members; {found} of {count} are readable")));
        }
        Ok(())
    }

    fn member(&self, name: &str, entry: &[u8], extra: &[u8]) -> Result<Member> {
        let number = |at, length| le(entry, at, length).unwrap_or_default();
        let (mut packed, unpacked, mut at) = (number(20, 4), number(24, 4), number(42, 4));
        // The values that did not fit are in a field of their own, in this order.
        let mut fields = extra;
        while let (Some(id), Some(length)) = (le(fields, 0, 2), le(fields, 2, 2)) {
            let value = fields.get(4..4 + length as usize).unwrap_or_default();
            if id == 1 {
                let mut wide = value.chunks_exact(8).map(|bytes| le(bytes, 0, 8).unwrap_or_default());
                if unpacked == 0xffff_ffff {
                    wide.next();
                }
                for value in [&mut packed, &mut at] {
                    if *value == 0xffff_ffff {
                        *value = wide.next().unwrap_or(*value);
                    }
                }
            }
            fields = fields.get(4 + length as usize..).unwrap_or_default();
        }
        let method = number(10, 2);
        let what = match (number(8, 2) & 1, method) {
            (0, 0 | 8) => return Ok(Member { at, packed, is_packed: method == 8 }),
            (0, method) => format!("is compressed by method {method}"),
            _ => "is encrypted".to_owned(),
        };
        Err(Error::Unsupported(format!("{}: the member {name:?} {what}", self.path.display())))
    }

    /// The contents of a member of at most `limit` bytes.
    pub(crate) fn read(&self, member: Member, limit: u64) -> Result<Vec<u8>> {
        let damaged = || self.malformed(format_args!("the member at {} is damaged", member.at));
        let long = || self.malformed(format_args!("the member at {} is larger than {} MiB", member.at, limit >> 20));
        let header = self.bytes(member.at, LOCAL_HEADER)?;
        let (Some(name), Some(extra)) = (le(&header, 26, 2), le(&header, 28, 2)) else { return Err(damaged()) };
        if !header.starts_with(b"PK\x03\x04") {
            return Err(damaged());
        }
        if member.packed > limit {
            return Err(long());
        }
        let packed = self.bytes(member.at + LOCAL_HEADER + name + extra, member.packed)?;
        if !member.is_packed {
            return Ok(packed);
        }
        let mut bytes = Vec::new();
        let inflate = flate2::read::DeflateDecoder::new(packed.as_slice());
        inflate.take(limit + 1).read_to_end(&mut bytes).map_err(|_| damaged())?;
        if bytes.len() as u64 > limit { Err(long()) } else { Ok(bytes) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    /// The members of an archive that the Python standard library wrote.
    fn read(folder: &Path, script: &str) -> Result<Vec<(String, Result<String>)>> {
        let file = folder.join("a.zip");
        let status = Command::new("python3").args(["-c", script]).arg(&file).status().expect("Python runs");
        assert!(status.success(), "{script}");
        members(folder)
    }

    fn members(folder: &Path) -> Result<Vec<(String, Result<String>)>> {
        let sys = Sys::at(folder);
        let archive = Archive::open(&sys, Path::new("/a.zip"))?;
        let mut found = Vec::new();
        archive.members(|name, member| {
            let text = member.and_then(|member| archive.read(member, 1 << 20));
            found.push((name.to_owned(), text.map(|text| String::from_utf8_lossy(&text).into_owned())));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn members_are_read_within_limits() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = "import sys, zipfile\n\
            with zipfile.ZipFile(sys.argv[1], 'w') as archive:\n    \
                archive.writestr('a.json', 'one')\n    \
                archive.writestr('b/c.json', 'two' * 1000, zipfile.ZIP_DEFLATED)\n    \
                archive.writestr('bomb', b'0' * (2 << 20), zipfile.ZIP_DEFLATED)\n    \
                archive.writestr('other', 'x', zipfile.ZIP_BZIP2)\n    \
                archive.comment = b'a comment'\n";
        let found = read(folder.path(), script).expect("an archive");
        assert_eq!(found[0], ("a.json".to_owned(), Ok("one".to_owned())));
        assert_eq!(found[1], ("b/c.json".to_owned(), Ok("two".repeat(1000))));
        assert!(matches!(&found[2].1, Err(Error::Malformed(what)) if what.ends_with("is larger than 1 MiB")));
        assert!(matches!(&found[3].1, Err(Error::Unsupported(what)) if what.ends_with("is compressed by method 12")));
        // Any damage is an error or other content, and never a panic.
        let sample = fs::read(folder.path().join("a.zip")).expect("a file");
        for position in (0..sample.len()).step_by(23) {
            for byte in [0, 0xff] {
                let mut changed = sample.clone();
                changed[position] = byte;
                fs::write(folder.path().join("a.zip"), &changed).expect("a file");
                let _ = members(folder.path());
            }
            fs::write(folder.path().join("a.zip"), &sample[..position]).expect("a file");
            assert!(members(folder.path()).is_err(), "{position}");
        }
    }

    #[test]
    fn archives_with_many_members_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = "import sys, zipfile\n\
            with zipfile.ZipFile(sys.argv[1], 'w') as archive:\n    \
                for number in range(66000):\n        \
                    archive.writestr(f'{number}.json', str(number))\n";
        let found = read(folder.path(), script).expect("an archive");
        assert_eq!(found.len(), 66_000);
        assert_eq!(found[65_999], ("65999.json".to_owned(), Ok("65999".to_owned())));
    }
}
