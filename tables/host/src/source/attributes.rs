//! Extended attributes of files, and the capabilities in one of them.

use std::os::fd::AsRawFd;
use std::path::Path;

use indago_table::prelude::*;
use rustix::io::Errno;

use super::capabilities;

/// The kernel's limit for the names of a file's attributes and for a value.
const MOST_BYTES: usize = 64 << 10;

/// Capabilities that have a name.
const KNOWN: u32 = 41;

/// The attribute with the capabilities of a program.
pub(crate) const CAPABILITY: &str = "security.capability";

/// Names and values of the attributes of a file; follows links. An attribute that cannot be read is reported.
pub(crate) fn attributes(sys: &Sys, path: &Path, report: impl Fn(&Error)) -> Result<Vec<(String, Vec<u8>)>> {
    let file = sys.hold(path)?;
    let at = format!("/proc/self/fd/{}", file.as_raw_fd());
    let failed = |errno: Errno| Error::io(path.display().to_string(), &errno.into());
    let mut buffer = vec![0; MOST_BYTES];
    sys.meter().add_calls(1);
    let length = match rustix::fs::listxattr(&at, &mut buffer[..]) {
        // The file system has no attributes.
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        outcome => outcome.map_err(failed)?,
    };
    let names: Vec<Vec<u8>> =
        buffer[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect();
    let mut found = Vec::new();
    for name in names {
        sys.meter().add_calls(1);
        match rustix::fs::getxattr(&at, name.as_slice(), &mut buffer[..]) {
            Ok(length) => found.push((sys.text(&name), buffer[..length].to_vec())),
            // It was removed since.
            Err(Errno::NODATA) => {}
            Err(errno) => report(&failed(errno)),
        }
    }
    Ok(found)
}

/// The value of one attribute; `None` if the file does not have it.
pub(crate) fn attribute(sys: &Sys, path: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let file = sys.hold(path)?;
    let at = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut value = [0; 256];
    sys.meter().add_calls(1);
    match rustix::fs::getxattr(&at, name, &mut value[..]) {
        Ok(length) => Ok(Some(value[..length].to_vec())),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(errno) => Err(Error::io(path.display().to_string(), &errno.into())),
    }
}

/// The capabilities that a program gets when it starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FileCapabilities {
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
    /// Whether the program has them at once, without a call of its own.
    pub(crate) effective: bool,
    /// User namespace's root that the capabilities are for; `None` for those of the host.
    pub(crate) root: Option<u32>,
}

impl FileCapabilities {
    /// Reads the attribute's value, in the versions 1 to 3 of `linux/capability.h`.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let word = |position: usize| value.get(position * 4..position * 4 + 4)?.try_into().ok().map(u32::from_le_bytes);
        let magic = word(0)?;
        let (words, is_rooted) = match (magic >> 24, value.len()) {
            (1, 12) => (1, false),
            (2, 20) => (2, false),
            (3, 24) => (2, true),
            _ => return None,
        };
        let mask = |from: usize| -> Option<u64> {
            let high = if words == 2 { word(from + 2)? } else { 0 };
            Some(u64::from(high) << 32 | u64::from(word(from)?))
        };
        Some(FileCapabilities {
            permitted: mask(1)?,
            inheritable: mask(2)?,
            effective: magic & 1 == 1,
            root: if is_rooted { word(5) } else { None },
        })
    }

    /// The text that `getcap` prints. Capabilities of the same sets are one group: `cap_net_raw,cap_net_admin=ep`.
    pub(crate) fn text(&self) -> String {
        let effective = if self.effective { self.permitted | self.inheritable } else { 0 };
        let state = |bit: u32| {
            let has = |mask: u64| (mask >> bit & 1) as usize;
            has(effective) | has(self.permitted) << 1 | has(self.inheritable) << 2
        };
        let letters = |state: usize| -> String {
            [(1, 'e'), (4, 'i'), (2, 'p')]
                .iter()
                .filter(|(set, _)| state & set > 0)
                .map(|(_, letter)| *letter)
                .collect()
        };
        let mut counts = [0; 8];
        (0..KNOWN).for_each(|bit| counts[state(bit)] += 1);
        // The sets of most capabilities come first, and the others are relative to them.
        let usual = (0..8).rev().fold(7, |most, sets| if counts[sets] >= counts[most] { sets } else { most });
        let mut text = if usual == 0 { String::new() } else { format!("={}", letters(usual)) };
        for sets in (0..8).rev().filter(|sets| *sets != usual) {
            // A bit without a name counts only if it is set.
            let bits = (0..u64::BITS).filter(|bit| state(*bit) == sets && (*bit < KNOWN || sets > 0));
            let names = capabilities::of_mask(bits.fold(0, |mask, bit| mask | 1 << bit));
            let names: Vec<String> = names.map(|(_, name)| name.to_lowercase()).collect();
            if names.is_empty() {
                continue;
            }
            let is_first = text.is_empty();
            let separator = if is_first { "" } else { " " };
            text += &format!("{separator}{}", names.join(","));
            let (added, removed) = (letters(sets & !usual), letters(usual & !sets));
            if !added.is_empty() {
                text += &format!("{}{added}", if is_first { '=' } else { '+' });
            }
            if !removed.is_empty() {
                text += &format!("-{removed}");
            }
        }
        if text.is_empty() { "=".to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    fn value(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// As getcap of libcap 2.66 prints them.
    #[test]
    fn texts_are_those_of_getcap() {
        let all = (1 << KNOWN) - 1;
        for (permitted, inheritable, effective, text) in [
            (1 << 13, 0, true, "cap_net_raw=ep"),
            (1 << 12 | 1 << 13, 0, false, "cap_net_admin,cap_net_raw=p"),
            (1 | 1 << 13, 1, true, "cap_chown=eip cap_net_raw+ep"),
            (1, 1 << 13, false, "cap_net_raw=i cap_chown+p"),
            (all, 0, true, "=ep"),
            (all & !1, 0, true, "=ep cap_chown-ep"),
            (all, all & !1 & !(1 << 5), true, "=eip cap_chown,cap_kill-i"),
            (0, 1 << 21, false, "cap_sys_admin=i"),
            (0, 0, false, "="),
        ] {
            let capabilities = FileCapabilities { permitted, inheritable, effective, root: None };
            assert_eq!(capabilities.text(), text);
        }
    }

    #[test]
    fn capabilities_are_those_of_their_version() {
        let parse = |words: &[u32]| FileCapabilities::parse(&value(words));
        let capabilities = |permitted, inheritable, effective, root| {
            Some(FileCapabilities { permitted, inheritable, effective, root })
        };
        assert_eq!(parse(&[0x0100_0001, 0x2000, 0]), capabilities(0x2000, 0, true, None));
        assert_eq!(parse(&[0x0200_0000, 0x2000, 1, 2, 0]), capabilities(0x2_0000_2000, 1, false, None));
        assert_eq!(parse(&[0x0300_0001, 1, 0, 0, 0, 1000]), capabilities(1, 0, true, Some(1000)));
        assert_eq!(parse(&[0x0300_0001, 1, 0, 0, 0]), None);
        assert_eq!(parse(&[0x0400_0001, 1, 0, 0, 0, 0]), None);
        damaged(&value(&[0x0300_0001, 1, 0, 0, 0, 1000]), |bytes| {
            FileCapabilities::parse(bytes).map_or(0, |capabilities| capabilities.text().len() / 64)
        });
    }
}
