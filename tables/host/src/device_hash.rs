//! `device_hash`: one row per file of a file system on a disk, by its inode.

use std::sync::Arc;

use indago_table::prelude::*;

use crate::device_file::file_systems;
use crate::source::digest::Hasher;
use crate::source::ext::FileSystem;

/// Checksums of files, read from the disk or an image of one, without mounting it.
///
/// Supports ext2, ext3 and ext4.
#[derive(Debug, Default, Table)]
#[table(
    name = "device_hash",
    platforms("linux"),
    needs("root"),
    identity(device, partition, inode),
    require_any(device, partition, inode)
)]
#[example(
    "Checksums of programs on a partition that is not mounted.",
    "SELECT f.path, h.sha256 FROM device_file AS f JOIN device_hash AS h ON h.device = f.device AND h.partition = f.partition AND h.inode = f.inode WHERE f.device = '/dev/sdb' AND f.path LIKE '/usr/bin/%'"
)]
pub struct DeviceHash {
    /// Path of the disk's file, or of an image.
    #[column(index)]
    device: String,
    /// Number of the partition, as in `device_partitions`.
    #[column(index, selects)]
    partition: String,
    /// Number of the inode.
    #[column(index, selects)]
    inode: i64,
    /// MD5 in hexadecimal.
    #[column(source = digests, collate = nocase)]
    md5: Option<String>,
    /// SHA-1 in hexadecimal.
    #[column(source = digests, collate = nocase)]
    sha1: Option<String>,
    /// SHA-256 in hexadecimal.
    #[column(source = digests, collate = nocase)]
    sha256: Option<String>,
    /// The file system that the file is in.
    #[column(skip)]
    file_system: Option<Arc<FileSystem>>,
}

impl Rows for DeviceHash {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let (Some(devices), Some(inodes)) = (scan.keys(Self::DEVICE), scan.keys(Self::INODE)) else {
            let what = "the disk and the file must be given: add constraints on `device` and `inode`";
            return Err(Error::Unsupported(what.to_owned()));
        };
        let partitions = scan.keys(Self::PARTITION);
        let file_systems = devices.into_iter().flat_map(move |device| {
            let found = file_systems(scan.sys(), &device, partitions.as_deref(), |error| scan.report("device", error));
            let found = found.map_err(|error| scan.report("device", &error)).unwrap_or_default();
            found.into_iter().map(move |(partition, file_system)| (device.clone(), partition, file_system))
        });
        Ok(file_systems.flat_map(move |(device, partition, file_system)| {
            inodes.clone().into_iter().filter_map(move |inode| {
                // A number without a regular file has no row.
                let number = u32::try_from(inode).ok().filter(|number| (1..=file_system.inodes).contains(number))?;
                let found = file_system.inode(number).map_err(|error| scan.report("inode", &error)).ok()?;
                let file_system = found.is_regular().then(|| file_system.clone())?;
                let (device, partition) = (device.clone(), partition.clone());
                Some(DeviceHash { device, partition, inode, file_system: Some(file_system), ..DeviceHash::default() })
            })
        }))
    }
}

impl DeviceHash {
    fn digests(&mut self, _sys: &Sys) -> Result<()> {
        let file_system = self.file_system.as_ref().expect("each row has its file system");
        let number = u32::try_from(self.inode).expect("its row was made from such a number");
        let mut hasher = Hasher::all();
        file_system.content(&file_system.inode(number)?, |bytes| {
            hasher.update(bytes);
            Ok(())
        })?;
        let digests = hasher.finish();
        (self.md5, self.sha1, self.sha256) = (digests.md5, digests.sha1, digests.sha256);
        Ok(())
    }
}
