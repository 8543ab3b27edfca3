//! `mounts`: one row per mount in the host's mount namespace.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use indago_table::prelude::*;

use crate::source::held::HeldList;
use crate::source::kernel;
use crate::source::procfs::{note_lossy, number, required, text};

/// Mounted file systems.
///
/// The columns about capacity call the file system only if the query needs them. If a file system behind a network or a
/// process does not respond within a second, these columns are NULL, and it is not called again until it responds. An
/// automounter is never called, because the call would mount.
#[derive(Debug, Default, Table)]
#[table(name = "mounts", platforms("linux"), rows = 30, identity(path, device, mount_id))]
#[example(
    "The five fullest file systems.",
    "SELECT path, blocks_available * 100 / blocks AS percent_left FROM mounts WHERE blocks > 0 ORDER BY percent_left LIMIT 5"
)]
#[example("Bind mounts and subvolumes.", "SELECT device, root, path FROM mounts WHERE root <> '/'")]
pub struct Mount {
    /// What is mounted: a device, a directory of a server, or the name of a kind of file system.
    device: String,
    /// The device with all links resolved; the same as `device` if it is not a file.
    #[column(source = alias)]
    device_alias: Option<String>,
    /// Mount point.
    path: String,
    /// Kind of file system.
    r#type: String,
    /// Size of a block, in bytes.
    #[column(source = room)]
    blocks_size: Option<i64>,
    /// Number of blocks.
    #[column(source = room)]
    blocks: Option<i64>,
    /// Number of free blocks.
    #[column(volatile, source = room)]
    blocks_free: Option<i64>,
    /// Number of free blocks that are not reserved for root.
    #[column(volatile, source = room)]
    blocks_available: Option<i64>,
    /// Number of inodes; 0 if the file system does not count them.
    #[column(source = room)]
    inodes: Option<i64>,
    /// Number of free inodes.
    #[column(volatile, source = room)]
    inodes_free: Option<i64>,
    /// Mount options, separated by commas.
    flags: String,
    /// Mounted directory of the file system: `/` for the entire file system, anything else for a bind mount or
    /// subvolume.
    #[column(added)]
    root: String,
    /// ID of the mount.
    #[column(added)]
    mount_id: i64,
    /// ID of the parent mount.
    #[column(added)]
    parent_id: i64,
    /// Device number, major and minor, as in `8:1`.
    #[column(added)]
    device_number: String,
    /// Mount point, which may not be UTF-8.
    #[column(skip)]
    at: PathBuf,
}

impl Rows for Mount {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let path = format!("{}/mountinfo", scan.sys().own_process());
        let bytes = required(scan.sys().read(&path))?;
        note_lossy(scan.sys(), &bytes);
        let mut rows = HeldList::new(scan.sys());
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match parse(line) {
                Some(mount) => rows.add(mount)?,
                None => {
                    let what = format!("{path} has a line that is not a mount");
                    scan.report("mountinfo", &Error::Malformed(what));
                }
            }
        }
        Ok(rows.into_iter())
    }
}

impl Mount {
    fn alias(&mut self, sys: &Sys) -> Result<()> {
        let alias = match self.device.starts_with('/') {
            true => sys.canonicalize(&self.device).if_present()?,
            false => None,
        };
        self.device_alias = Some(match alias {
            Some(path) => sys.path_text(path),
            None => self.device.clone(),
        });
        Ok(())
    }

    fn room(&mut self, sys: &Sys) -> Result<()> {
        if self.r#type == "autofs" {
            return Ok(());
        }
        let room = kernel::room(sys, &self.at, is_remote(&self.r#type)).if_present()?;
        // A mount point that is gone, or hidden by another mount, keeps its row.
        let Some(room) = room else { return Ok(()) };
        self.blocks_size = Some(room.block_size);
        self.blocks = Some(room.blocks);
        self.blocks_free = Some(room.blocks_free);
        self.blocks_available = Some(room.blocks_available);
        self.inodes = Some(room.inodes);
        self.inodes_free = Some(room.inodes_free);
        Ok(())
    }
}

/// Whether calls depend on another machine or process, which may not respond.
fn is_remote(kind: &str) -> bool {
    const REMOTE: [&str; 17] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ncpfs",
        "ceph",
        "afs",
        "9p",
        "coda",
        "lustre",
        "beegfs",
        "gpfs",
        "ocfs2",
        "glusterfs",
        "davfs",
        "virtiofs",
    ];
    REMOTE.contains(&kind) || kind.starts_with("fuse")
}

/// `id parent major:minor root path options [fields] - type device options-of-the-file-system`
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let (mount_id, parent_id) = (number(fields.next()?)?, number(fields.next()?)?);
    let (device_number, root) = (fields.next()?, fields.next()?);
    let (path, options) = (unescaped(fields.next()?), fields.next()?);
    fields.find(|field| *field == b"-")?;
    let (kind, device) = (fields.next()?, fields.next()?);
    let of_file_system = fields.next().unwrap_or_default();
    Some(Mount {
        device: text(&unescaped(device)),
        path: text(&path),
        r#type: text(&unescaped(kind)),
        flags: flags(&text(&unescaped(options)), &text(&unescaped(of_file_system))),
        root: text(&unescaped(root)),
        mount_id,
        parent_id,
        device_number: text(device_number),
        at: PathBuf::from(OsStr::from_bytes(&path)),
        ..Mount::default()
    })
}

/// Merges both lists of options as `/proc/mounts` does: writable only if both are.
fn flags(mount: &str, file_system: &str) -> String {
    let is_read_only = [mount, file_system].iter().any(|options| options.split(',').any(|option| option == "ro"));
    let options = mount.split(',').chain(file_system.split(','));
    let others = options.filter(|option| !matches!(*option, "" | "ro" | "rw"));
    std::iter::once(if is_read_only { "ro" } else { "rw" }).chain(others).collect::<Vec<_>>().join(",")
}

/// Undoes the kernel's escapes: a backslash and three octal digits for blanks and similar bytes.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        if *first == b'\\'
            && let Some(digits) = after.get(..3)
            && digits.iter().all(|digit| (b'0'..=b'7').contains(digit))
        {
            let value = digits.iter().fold(0u16, |value, digit| value * 8 + u16::from(digit - b'0'));
            bytes.push(value as u8);
            rest = &after[3..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_mounts() {
        let line = b"36 35 98:0 /sub\\040dir /mnt/a\\040b ro,noatime master:1 - ext4 /dev/sd\\134x rw,errors=continue";
        let mount = parse(line).expect("a mount");
        assert_eq!((mount.mount_id, mount.parent_id, mount.device_number.as_str()), (36, 35, "98:0"));
        assert_eq!((mount.root.as_str(), mount.path.as_str()), ("/sub dir", "/mnt/a b"));
        assert_eq!((mount.r#type.as_str(), mount.device.as_str()), ("ext4", "/dev/sd\\x"));
        assert_eq!(mount.flags, "ro,noatime,errors=continue");
        let odd = parse(b"1 0 0:1 / /caf\xe9 rw - tmpfs none rw").expect("a mount");
        assert_eq!(odd.path, "/caf\u{fffd}");
        assert_eq!(odd.at.as_os_str().as_bytes(), b"/caf\xe9", "the path keeps its bytes");
        for noise in ["", "1 2 3", "1 2 0:1 / /x rw", "1 2 0:1 / /x rw -", "a b c d e f - g h i"] {
            assert!(parse(noise.as_bytes()).is_none(), "{noise}");
        }
    }

    #[test]
    fn escapes_are_octal() {
        for (field, bytes) in [(&b"a\\040b"[..], &b"a b"[..]), (b"\\", b"\\"), (b"\\04", b"\\04"), (b"\\999", b"\\999")]
        {
            assert_eq!(unescaped(field), bytes);
        }
    }
}
