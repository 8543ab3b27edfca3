//! `file`: one row per file system entry that the query names.

use std::fs::{FileType, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use indago_table::prelude::*;

use crate::source::paths::{Asked, Entry, Report};

/// Metadata of files, directories and links.
///
/// A query needs a constraint on `path` or `directory`: `=`, `IN`, a join, or `LIKE`. In a pattern, `%` stays on one
/// level and skips names with a leading dot. `%%` descends through all levels (at most 64, and not through links).
/// `directory = ` finds all names. For a link, all columns except `symlink` and `symlink_target_path` describe its
/// target, or the link itself if the target is missing. A name that is not UTF-8 shows U+FFFD for each wrong byte, with
/// a warning, and is found by that text.
#[derive(Debug, Default, Table)]
#[table(
    name = "file",
    platforms("linux"),
    require_any(path, directory),
    identity(path),
    namespaces(mount_namespace_id)
)]
#[example("One file.", "SELECT path, size, mode, uid FROM file WHERE path = '/etc/passwd'")]
#[example(
    "Programs that run with the rights of their owner.",
    "SELECT path, mode, uid FROM file WHERE directory = '/usr/bin' AND mode LIKE '4%'"
)]
#[example(
    "Files of all users' home directories, at any depth.",
    "SELECT path, mtime FROM file WHERE path LIKE '/home/%/%%' LIMIT 20"
)]
pub struct File {
    /// Path, as written in the query.
    #[column(index, pattern)]
    path: String,
    /// Directory that contains it.
    #[column(index, pattern)]
    directory: String,
    /// Name within its directory.
    filename: String,
    /// Inode number.
    #[column(source = stat)]
    inode: Option<i64>,
    /// ID of the owning user.
    #[column(source = stat)]
    uid: Option<i64>,
    /// ID of the owning group.
    #[column(source = stat)]
    gid: Option<i64>,
    /// Permission bits as four octal digits: set-user-ID, set-group-ID and sticky bits, then owner, group, others.
    #[column(source = stat)]
    mode: Option<String>,
    /// ID of the device that a device file represents; 0 for other files.
    #[column(source = stat)]
    device: Option<i64>,
    /// Size in bytes.
    #[column(source = stat)]
    size: Option<i64>,
    /// Block size of the file system for input and output, in bytes.
    #[column(source = stat)]
    block_size: Option<i64>,
    /// Last access, in seconds since 1970.
    #[column(volatile, source = stat)]
    atime: Option<i64>,
    /// Last change of content, in seconds since 1970.
    #[column(source = stat)]
    mtime: Option<i64>,
    /// Last change of content, owner, mode or name, in seconds since 1970.
    #[column(source = stat)]
    ctime: Option<i64>,
    /// Creation, in seconds since 1970; NULL if the file system does not record it.
    #[column(source = stat)]
    btime: Option<i64>,
    /// Number of hard links.
    #[column(source = stat)]
    hard_links: Option<i64>,
    /// Whether the path is a symbolic link: 1 or 0.
    #[column(source = stat)]
    symlink: Option<i64>,
    /// Kind of file: `regular`, `directory`, `character`, `block`, `fifo`, `socket`, `symlink` (one whose target is
    /// missing), or `unknown`.
    #[column(source = stat)]
    r#type: Option<String>,
    /// Target of a symbolic link, as stored in the link; NULL for other files.
    #[column(source = target)]
    symlink_target_path: Option<String>,
    /// Allocated storage, in bytes: less than `size` for a sparse file.
    #[column(added, source = stat)]
    allocated_size: Option<i64>,
    /// How to open it.
    #[column(skip)]
    entry: Option<Entry>,
}

impl Rows for File {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report: Report<'_> = Rc::new(|origin, error| scan.report(origin, error));
        let asked = Asked::of(
            scan.keys(Self::PATH),
            scan.keys(Self::DIRECTORY),
            scan.patterns(Self::PATH),
            scan.patterns(Self::DIRECTORY),
            &report,
        );
        Ok(asked.find(scan.sys(), &report).map(|found| File {
            path: found.path,
            directory: found.directory,
            filename: found.filename,
            entry: Some(found.entry),
            ..File::default()
        }))
    }
}

impl File {
    fn stat(&mut self, _sys: &Sys) -> Result<()> {
        let Some(entry) = &mut self.entry else { return Ok(()) };
        let link = match entry.link.take() {
            Some(link) => link,
            None => entry.sys.symlink_metadata(&entry.at)?,
        };
        let is_link = link.is_symlink();
        self.symlink = Some(is_link.into());
        // A broken or circular link is described itself.
        let behind = if is_link { entry.sys.metadata(&entry.at).if_present()? } else { None };
        self.describe(&behind.unwrap_or(link));
        Ok(())
    }

    fn describe(&mut self, metadata: &Metadata) {
        // The kernel's counts are unsigned; real file systems do not exceed our range.
        let signed = |value: u64| Some(i64::try_from(value).unwrap_or(i64::MAX));
        self.inode = signed(metadata.ino());
        self.uid = Some(metadata.uid().into());
        self.gid = Some(metadata.gid().into());
        self.mode = Some(format!("{:04o}", metadata.mode() & 0o7777));
        self.device = signed(metadata.rdev());
        self.size = signed(metadata.size());
        self.block_size = signed(metadata.blksize());
        self.allocated_size = signed(metadata.blocks().saturating_mul(512));
        self.atime = Some(metadata.atime());
        self.mtime = Some(metadata.mtime());
        self.ctime = Some(metadata.ctime());
        // Inodes from before this field existed have a zero here.
        self.btime = metadata.created().ok().map(seconds).filter(|seconds| *seconds != 0);
        self.hard_links = signed(metadata.nlink());
        self.r#type = Some(type_name(metadata.file_type()).to_owned());
    }

    fn target(&mut self, _sys: &Sys) -> Result<()> {
        let Some(entry) = &self.entry else { return Ok(()) };
        if self.symlink == Some(0) || entry.link.as_ref().is_some_and(|link| !link.is_symlink()) {
            return Ok(());
        }
        match entry.sys.read_link(&entry.at) {
            Ok(target) => self.symlink_target_path = Some(entry.sys.path_text(target)),
            Err(error) => {
                // Reading the target of anything that is not a link is an error too.
                if entry.sys.symlink_metadata(&entry.at)?.is_symlink() {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

fn seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

fn type_name(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_file() => "regular",
        kind if kind.is_dir() => "directory",
        kind if kind.is_symlink() => "symlink",
        kind if kind.is_char_device() => "character",
        kind if kind.is_block_device() => "block",
        kind if kind.is_fifo() => "fifo",
        kind if kind.is_socket() => "socket",
        _ => "unknown",
    }
}
