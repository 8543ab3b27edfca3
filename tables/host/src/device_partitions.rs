//! `device_partitions`: one row per partition of a disk.

use std::sync::Arc;

use indago_table::prelude::*;

use crate::source::disk::Disk;
use crate::source::ext::FileSystem;

/// Partitions of a disk or of an image of one, read from the disk itself.
#[derive(Debug, Default, Table)]
#[table(name = "device_partitions", platforms("linux"), rows = 5, needs("root"), identity(device, partition))]
#[example(
    "Partitions of a disk.",
    "SELECT partition, label, type, \"offset\" FROM device_partitions WHERE device = '/dev/sda'"
)]
pub struct DevicePartition {
    /// Path of the disk's file, or of an image.
    #[column(required)]
    device: String,
    /// Number of the partition, as in the name of its device; 0 for a disk without partitions.
    partition: i64,
    /// Name of the partition in a GPT; in an older table the number of its kind, in hexadecimal with `0x`.
    label: String,
    /// Kind of file system, as in `block_devices`; empty if it is not known.
    r#type: String,
    /// First byte on the disk.
    offset: i64,
    /// Size of a block of an ext file system, else of a sector, in bytes.
    blocks_size: i64,
    /// Number of blocks.
    blocks: i64,
    /// Number of inodes of an ext file system; NULL for others.
    inodes: Option<i64>,
    /// Attributes of the partition in a GPT; in an older table 128 for one to boot from.
    flags: i64,
}

impl Rows for DevicePartition {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let devices = scan.keys(Self::DEVICE).unwrap_or_default();
        Ok(devices.into_iter().flat_map(move |device| {
            partitions(scan, &device).unwrap_or_else(|error| {
                scan.report("device", &error);
                Vec::new()
            })
        }))
    }
}

fn partitions(scan: &Scan<DevicePartition>, device: &str) -> Result<Vec<DevicePartition>> {
    let Some(disk) = Disk::open(scan.sys(), device)?.map(Arc::new) else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for partition in disk.partitions(|error| scan.report("partitions", error))? {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let mut row = DevicePartition {
            device: device.to_owned(),
            partition: partition.number,
            label: partition.label,
            offset: signed(partition.start),
            blocks_size: 512,
            blocks: signed(partition.size / 512),
            flags: partition.flags,
            ..DevicePartition::default()
        };
        match disk.contents(partition.start, partition.size) {
            Ok(contents) => row.r#type = contents.map(|contents| contents.kind).unwrap_or_default(),
            Err(error) => scan.report("type", &error),
        }
        if row.r#type.starts_with("ext") {
            match FileSystem::open(&disk, partition.start) {
                Ok(Some(ext)) => {
                    row.blocks_size = ext.block_size();
                    row.blocks = signed(ext.blocks);
                    row.inodes = Some(ext.inodes.into());
                }
                Ok(None) => {}
                Err(error) => scan.report("blocks", &error),
            }
        }
        rows.push(row);
    }
    Ok(rows)
}
