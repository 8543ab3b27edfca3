//! `block_devices`: one row per disk, partition and mapped device.

use indago_table::prelude::*;

use crate::source::devices;
use crate::source::sysfs::line;

/// Disks, partitions, and devices that the kernel makes from others.
///
/// `type`, `uuid` and `label` come from the database of udev. If udev does not run, the device itself is read, which
/// needs root.
#[derive(Debug, Default, Table)]
#[table(name = "block_devices", platforms("linux"), rows = 10, identity(name))]
#[example(
    "File systems on disks, with sizes in bytes.",
    "SELECT name, type, label, size * block_size AS bytes FROM block_devices WHERE type <> ''"
)]
pub struct BlockDevice {
    /// Path of the device's file.
    #[column(index)]
    name: String,
    /// Path of the disk that a partition is on, or of the first device that a mapped device is made from.
    #[column(source = parent)]
    parent: Option<String>,
    /// Maker of the disk.
    #[column(source = model)]
    vendor: Option<String>,
    /// Model of the disk.
    #[column(source = model)]
    model: Option<String>,
    /// Serial number of the disk.
    #[column(source = model)]
    serial: Option<String>,
    /// Size in blocks of `block_size`.
    #[column(source = size)]
    size: Option<i64>,
    /// Size of a logical block, in bytes.
    #[column(source = size)]
    block_size: Option<i64>,
    /// UUID of the file system, or of the volume that this device is a part of.
    #[column(source = contents, collate = nocase, needs = "root")]
    uuid: Option<String>,
    /// Kind of file system, as in `ext4`, or of a volume's part, as in `crypto_LUKS` and `LVM2_member`.
    #[column(source = contents, needs = "root")]
    r#type: Option<String>,
    /// Label of the file system.
    #[column(source = contents, needs = "root")]
    label: Option<String>,
    /// Name in the kernel.
    #[column(skip)]
    device: String,
}

impl Rows for BlockDevice {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let devices = devices::wanted(scan.sys(), scan.keys(Self::NAME))?;
        let row = |device: String| BlockDevice { name: devices::node(&device), device, ..BlockDevice::default() };
        Ok(devices.into_iter().map(row))
    }
}

impl BlockDevice {
    fn parent(&mut self, sys: &Sys) -> Result<()> {
        let parent = match devices::disk_of(sys, &self.device)? {
            Some(disk) => Some(disk),
            None => devices::parts_of(sys, &self.device)?.into_iter().next(),
        };
        self.parent = parent.map(|parent| devices::node(&parent));
        Ok(())
    }

    fn model(&mut self, sys: &Sys) -> Result<()> {
        let disk = devices::disk_of(sys, &self.device)?.unwrap_or_else(|| self.device.clone());
        let model = devices::model(sys, &disk)?;
        (self.vendor, self.model, self.serial) = (model.vendor, model.model, model.serial);
        Ok(())
    }

    fn size(&mut self, sys: &Sys) -> Result<()> {
        let disk = devices::disk_of(sys, &self.device)?.unwrap_or_else(|| self.device.clone());
        let block_size = line(sys, &format!("{}/{disk}/queue/logical_block_size", devices::FOLDER))?;
        let block_size = block_size.and_then(|size| size.parse::<u64>().ok()).filter(|size| *size > 0).unwrap_or(512);
        self.block_size = i64::try_from(block_size).ok();
        self.size = devices::size(sys, &self.device)?.and_then(|bytes| i64::try_from(bytes / block_size).ok());
        Ok(())
    }

    fn contents(&mut self, sys: &Sys) -> Result<()> {
        let contents = devices::contents(sys, &self.device)?;
        self.r#type = Some(contents.kind).filter(|kind| !kind.is_empty());
        (self.uuid, self.label) = (contents.uuid, contents.label);
        Ok(())
    }
}
