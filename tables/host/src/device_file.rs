//! `device_file`: one row per file of a file system on a disk.

use std::sync::Arc;

use indago_table::prelude::*;

use crate::source::disk::Disk;
use crate::source::ext::{FileSystem, Inode};

/// Files of a file system, read from the disk or an image of one, without mounting it.
///
/// Supports ext2, ext3 and ext4. A file system that is mounted may change during the scan.
#[derive(Debug, Default, Table)]
#[table(
    name = "device_file",
    platforms("linux"),
    rows = 100_000,
    needs("root"),
    identity(device, partition, path),
    require_any(device, partition)
)]
#[example(
    "Files with the permission to run as root, on a partition that is not mounted.",
    "SELECT path, mode FROM device_file WHERE device = '/dev/sdb' AND partition = '1' AND uid = 0 AND mode LIKE '4%'"
)]
pub struct DeviceFile {
    /// Path of the disk's file, or of an image.
    #[column(index)]
    device: String,
    /// Number of the partition, as in `device_partitions`.
    #[column(index)]
    partition: String,
    /// Path in the file system.
    #[column(index)]
    path: String,
    /// Last name of the path.
    filename: String,
    /// Number of the inode.
    #[column(index)]
    inode: i64,
    /// User ID of the owner.
    uid: i64,
    /// Group ID.
    gid: i64,
    /// Permissions, as four octal digits.
    mode: String,
    /// Size in bytes.
    size: i64,
    /// Size of a block of the file system, in bytes.
    block_size: i64,
    /// Last access, in seconds since 1970.
    atime: i64,
    /// Last change of content, in seconds since 1970.
    mtime: i64,
    /// Last change of content, owner, mode or name, in seconds since 1970.
    ctime: i64,
    /// Number of names.
    hard_links: i64,
    /// `regular`, `directory`, `symlink`, `block`, `character`, `fifo`, `socket` or `unknown`.
    r#type: String,
}

impl Rows for DeviceFile {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let Some(devices) = scan.keys(Self::DEVICE) else {
            let what = "the disk must be given: add a constraint on `device`";
            return Err(Error::Unsupported(what.to_owned()));
        };
        let (partitions, paths, inodes) = (scan.keys(Self::PARTITION), scan.keys(Self::PATH), scan.keys(Self::INODE));
        let file_systems = devices.into_iter().flat_map(move |device| {
            let found = file_systems(scan.sys(), &device, partitions.as_deref(), |error| scan.report("device", error));
            let found = found.map_err(|error| scan.report("device", &error)).unwrap_or_default();
            found.into_iter().map(move |(partition, file_system)| (device.clone(), partition, file_system))
        });
        let rows = file_systems.flat_map(move |(device, partition, file_system)| {
            let block_size = file_system.block_size();
            let files = file_system.walk(|error| scan.report("file", error));
            files.map(move |(path, inode)| {
                let path = scan.sys().text(&path);
                row(
                    &inode,
                    DeviceFile {
                        device: device.clone(),
                        partition: partition.clone(),
                        path,
                        block_size,
                        ..DeviceFile::default()
                    },
                )
            })
        });
        let is_wanted = move |row: &DeviceFile| {
            paths.as_ref().is_none_or(|paths| paths.contains(&row.path))
                && inodes.as_ref().is_none_or(|inodes| inodes.contains(&row.inode))
        };
        Ok(rows.filter(is_wanted))
    }
}

/// The file systems of a disk, on some partitions or all. One that is not supported is reported.
pub(crate) fn file_systems(
    sys: &Sys,
    device: &str,
    wanted: Option<&[String]>,
    report: impl Fn(&Error),
) -> Result<Vec<(String, Arc<FileSystem>)>> {
    let Some(disk) = Disk::open(sys, device)?.map(Arc::new) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for partition in disk.partitions(&report)? {
        let number = partition.number.to_string();
        if wanted.is_some_and(|wanted| !wanted.contains(&number)) {
            continue;
        }
        match FileSystem::open(&disk, partition.start) {
            Ok(Some(file_system)) => found.push((number, Arc::new(file_system))),
            Ok(None) => {
                let kind = disk.contents(partition.start, partition.size)?.map(|contents| contents.kind);
                if let Some(kind) = kind {
                    let what = format!("{device}, partition {number}: files of {kind} are not supported");
                    report(&Error::Unsupported(what));
                }
            }
            Err(error) => report(&error),
        }
    }
    Ok(found)
}

fn row(inode: &Inode, row: DeviceFile) -> DeviceFile {
    let kind = match inode.mode >> 12 {
        0x8 => "regular",
        0x4 => "directory",
        0xa => "symlink",
        0x6 => "block",
        0x2 => "character",
        0x1 => "fifo",
        0xc => "socket",
        _ => "unknown",
    };
    DeviceFile {
        filename: row.path.rsplit('/').next().unwrap_or_default().to_owned(),
        inode: inode.number.into(),
        uid: inode.uid,
        gid: inode.gid,
        mode: format!("{:04o}", inode.mode & 0o7777),
        size: i64::try_from(inode.size).unwrap_or(i64::MAX),
        atime: inode.atime,
        mtime: inode.mtime,
        ctime: inode.ctime,
        hard_links: inode.links,
        r#type: kind.to_owned(),
        ..row
    }
}
