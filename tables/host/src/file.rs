//! `file`: one row per file system entry that the query names.

use std::rc::Rc;

use indago_table::prelude::*;
use indago_table::sys::Stat;
use rustix::fs::FileType as Kind;

use crate::source::paths::{Asked, Entry, Report};

/// Metadata of files, directories and links.
///
/// A query needs a constraint on `path` or `directory`: `=`, `IN`, a join, or `LIKE`. In a pattern, `%` stays on one
/// level and skips names with a leading dot. `%%` descends through all levels (at most 64, and not through links).
/// `directory = ` finds all names. If a pattern ends in `%`, the `path` of a directory that it finds ends in `/`, as in
/// osquery (`/tmp/x/`), and so does `directory` under `directory LIKE`. Such a path names the directory, even if it was
/// reached through a link. For a link, all columns except `symlink` and `symlink_target_path` describe its
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
    /// Path, as written in the query; with a `/` at the end for a directory that a pattern ending in `%` found.
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
        let asked = Asked::in_scan(scan, Self::PATH, Self::DIRECTORY, &report);
        // Many rows may be counted only, and each text costs.
        let wants_directory = scan.wants(Self::DIRECTORY) || scan.keys(Self::DIRECTORY).is_some();
        let wants_filename = scan.wants(Self::FILENAME);
        Ok(asked.find(scan.sys(), &report).map(move |found| File {
            directory: if wants_directory { found.directory.to_string() } else { String::new() },
            filename: if wants_filename { found.filename() } else { String::new() },
            path: found.path,
            entry: Some(found.entry),
            ..File::default()
        }))
    }
}

impl File {
    fn stat(&mut self, _sys: &Sys) -> Result<()> {
        let Some(entry) = &self.entry else { return Ok(()) };
        let link = entry.stat()?;
        let is_link = link.kind() == Kind::Symlink;
        // A broken or circular link is described itself.
        let behind = if is_link { entry.target()? } else { None };
        self.symlink = Some(is_link.into());
        self.describe(&behind.unwrap_or(link));
        Ok(())
    }

    fn describe(&mut self, stat: &Stat) {
        // The kernel's counts are unsigned; real file systems do not exceed our range.
        let signed = |value: u64| Some(i64::try_from(value).unwrap_or(i64::MAX));
        self.inode = signed(stat.inode);
        self.uid = Some(stat.uid.into());
        self.gid = Some(stat.gid.into());
        self.mode = Some(format!("{:04o}", stat.mode & 0o7777));
        self.device = signed(stat.device);
        self.size = signed(stat.size);
        self.block_size = signed(stat.block_size);
        self.allocated_size = signed(stat.blocks.saturating_mul(512));
        self.atime = Some(stat.accessed);
        self.mtime = Some(stat.modified);
        self.ctime = Some(stat.changed);
        // Inodes from before this field existed have a zero here.
        self.btime = stat.created.filter(|seconds| *seconds != 0);
        self.hard_links = signed(stat.links);
        self.r#type = Some(type_name(stat.kind()).to_owned());
    }

    fn target(&mut self, _sys: &Sys) -> Result<()> {
        let Some(entry) = &self.entry else { return Ok(()) };
        if entry.kind()? == Kind::Symlink {
            self.symlink_target_path = Some(entry.sys.path_text(entry.sys.read_link(entry.at())?));
        }
        Ok(())
    }
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::RegularFile => "regular",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
        Kind::CharacterDevice => "character",
        Kind::BlockDevice => "block",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::Unknown => "unknown",
    }
}
