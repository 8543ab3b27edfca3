//! Where mounts make the same file appear.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use super::procfs::required;

/// A mount: what of a file system is at which path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Major and minor number of the file system.
    device: Vec<u8>,
    /// Path in the file system that is mounted.
    root: PathBuf,
    /// Where it is mounted.
    point: PathBuf,
}

/// A file, by its file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    device: Vec<u8>,
    path: PathBuf,
}

/// The mounts in a file `mountinfo`.
pub(crate) fn mounts(sys: &Sys, path: &str) -> Result<Vec<Mount>> {
    let bytes = required(sys.read(path))?;
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(parse).collect())
}

fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let device = fields.next()?.to_vec();
    Some(Mount { device, root: unescaped(fields.next()?), point: unescaped(fields.next()?) })
}

/// Undoes the kernel's octal escapes of blanks and backslashes.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let digits =
            after.get(..3).filter(|digits| *byte == b'\\' && digits.iter().all(|digit| (b'0'..=b'7').contains(digit)));
        match digits {
            Some(digits) => {
                plain.push(digits.iter().fold(0u8, |value, digit| value.wrapping_mul(8).wrapping_add(digit - b'0')));
                rest = &after[3..];
            }
            None => {
                plain.push(*byte);
                rest = after;
            }
        }
    }
    PathBuf::from(std::ffi::OsStr::from_bytes(&plain))
}

/// The file at a path, by the mount that has it: the last of those with the longest path.
pub(crate) fn place(mounts: &[Mount], path: &Path) -> Option<Place> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    let mount = above.max_by_key(|mount| mount.point.components().count())?;
    let below = path.strip_prefix(&mount.point).ok()?;
    Some(Place { device: mount.device.clone(), path: mount.root.join(below) })
}

impl Place {
    /// The paths at which the mounts show the file.
    pub(crate) fn paths(&self, mounts: &[Mount]) -> Vec<PathBuf> {
        let same = mounts.iter().filter(|mount| mount.device == self.device);
        let shown = same.filter_map(|mount| {
            let below = self.path.strip_prefix(&mount.root).ok()?;
            // Joining an empty path would add a slash.
            Some(if below.as_os_str().is_empty() { mount.point.clone() } else { mount.point.join(below) })
        });
        shown.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_where_its_file_system_is_mounted() {
        let parse_all = |text: &str| -> Vec<Mount> { text.lines().filter_map(|line| parse(line.as_bytes())).collect() };
        let host = parse_all("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / /run rw - tmpfs tmpfs rw\n");
        let place = place(&host, Path::new("/run/docker.sock")).expect("a mount");
        assert_eq!(place, Place { device: b"0:5".to_vec(), path: "/docker.sock".into() });
        let container = parse_all(
            "9 0 0:9 / / rw - overlay overlay rw\n10 9 0:5 /docker.sock /var/run/the\\040sock rw - tmpfs tmpfs rw\n\
             11 9 0:5 / /host/run rw - tmpfs tmpfs rw\n12 9 0:5 /other /other rw - tmpfs tmpfs rw\nbad\n",
        );
        let expected = ["/var/run/the sock", "/host/run/docker.sock"].map(PathBuf::from);
        assert_eq!(place.paths(&container), expected);
        assert_eq!(unescaped(b"a\\134b\\04\\999"), Path::new("a\\b\\04\\999"));
    }
}
