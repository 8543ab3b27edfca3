//! `/proc/<pid>/maps`: the parts of a process's memory.

use indago_table::Error;

use super::procfs::number;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapping<'a> {
    /// First address, in hexadecimal.
    pub(crate) start: &'a [u8],
    /// Address after the last one, in hexadecimal.
    pub(crate) end: &'a [u8],
    pub(crate) permissions: &'a [u8],
    /// Position in the file, in hexadecimal.
    pub(crate) offset: &'a [u8],
    /// Major and minor number in hexadecimal, as in `08:01`.
    pub(crate) device: &'a [u8],
    pub(crate) inode: i64,
    /// Path or name; empty for anonymous memory.
    pub(crate) path: &'a [u8],
}

/// Suffix of the path of a deleted file.
pub(crate) const DELETED: &[u8] = b" (deleted)";

pub(crate) fn parse(line: &[u8]) -> Option<Mapping<'_>> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let mut next = || fields.next().filter(|field| !field.is_empty());
    let addresses = next()?;
    let (permissions, offset, device) = (next()?, next()?, next()?);
    let inode = number(next()?)?;
    let dash = memchr::memchr(b'-', addresses)?;
    let (start, end) = (addresses.get(..dash)?, addresses.get(dash + 1..)?);
    let is_hex = |field: &[u8]| !field.is_empty() && field.iter().all(u8::is_ascii_hexdigit);
    if ![start, end, offset].into_iter().all(is_hex) {
        return None;
    }
    // Blanks align the path.
    let path = fields.next().unwrap_or_default();
    let path = path.get(path.iter().take_while(|byte| **byte == b' ').count()..)?;
    Some(Mapping { start, end, permissions, offset, device, inode, path })
}

/// An error about a line that is not a mapping.
pub(crate) fn bad_line(pid: i64, line: &[u8]) -> Error {
    let shown = line.get(..line.len().min(100)).unwrap_or_default().escape_ascii();
    Error::Malformed(format!("/proc/{pid}/maps has a malformed line: {shown}"))
}

/// A hexadecimal number of at most 64 bits.
pub(crate) fn hexadecimal(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_an_address_range_and_perhaps_a_path() {
        let line = b"7f3a80021000-7f3a80043000 r-xp 00002000 fd:01 1310 /opt/a b/lib (x).so (deleted)";
        let mapping = parse(line).expect("a mapping");
        assert_eq!((mapping.start, mapping.end), (&b"7f3a80021000"[..], &b"7f3a80043000"[..]));
        assert_eq!((mapping.permissions, mapping.offset), (&b"r-xp"[..], &b"00002000"[..]));
        assert_eq!((mapping.device, mapping.inode), (&b"fd:01"[..], 1310));
        assert_eq!(mapping.path, b"/opt/a b/lib (x).so (deleted)");
        let anonymous = parse(b"7f00-7f01 rw-p 00000000 00:00 0 ").expect("a mapping");
        assert_eq!((anonymous.inode, anonymous.path), (0, &b""[..]));
        let stack = parse(b"7ffd-7ffe rw-p 00000000 00:00 0                          [stack]").expect("a mapping");
        assert_eq!(stack.path, b"[stack]");
        for line in [&b""[..], b"7f00 r-xp 0 0:0 0", b"7f00-7g01 r-xp 0 0:0 0", b"7f00-7f01 r-xp 0 0:0 x", b"- - - - -"]
        {
            assert_eq!(parse(line), None, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn damaged_lines_do_not_panic() {
        let line = b"7f3a80021000-7f3a80043000 r-xp 00002000 fd:01 1310   /opt/x";
        crate::source::damaged::damaged(line, |bytes| {
            assert!(parse(bytes).is_none_or(|mapping| mapping.path.len() < line.len()))
        });
    }
}
