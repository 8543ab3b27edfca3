//! `md_devices`: one row per RAID array.

use indago_table::prelude::*;

use crate::source::md::{self, ArrayStatus};
use crate::source::sysfs::line;

/// Arrays of disks that the kernel's RAID driver makes.
#[derive(Debug, Default, Table)]
#[table(name = "md_devices", platforms("linux"), rows = 2, identity(device_name))]
#[example(
    "Arrays that lack a drive.",
    "SELECT device_name, raid_disks, active_disks FROM md_devices WHERE active_disks < raid_disks"
)]
pub struct MdDevice {
    /// Name of the array, such as `md0`.
    device_name: String,
    /// `active` or `inactive`, with more in parentheses, as in `active (auto-read-only)`.
    #[column(volatile)]
    status: String,
    /// RAID level: 0, 1, 4, 5, 6 or 10; -1 for a linear array, NULL if it has none.
    raid_level: Option<i64>,
    /// Size in KiB.
    size: Option<i64>,
    /// Size of a chunk, in bytes; 0 if the level has none.
    #[column(source = attributes)]
    chunk_size: Option<i64>,
    /// Number of drives that the array should have.
    #[column(source = attributes)]
    raid_disks: Option<i64>,
    /// Number of drives that it has, with spare and faulty ones.
    #[column(volatile)]
    nr_raid_disks: i64,
    /// Number of drives that are not faulty.
    #[column(volatile)]
    working_disks: i64,
    /// Number of drives that are in use.
    #[column(volatile)]
    active_disks: i64,
    /// Number of faulty drives.
    #[column(volatile)]
    failed_disks: i64,
    /// Number of spare drives.
    #[column(volatile)]
    spare_disks: i64,
    /// State of the array, as the kernel calls it: `clean`, `active`, `readonly`, ...
    #[column(volatile, source = attributes)]
    superblock_state: Option<String>,
    /// Version of the format on the drives, as in `1.2`.
    #[column(source = attributes)]
    superblock_version: Option<String>,
    /// Always NULL: the kernel shows the time of the last update only to programs that hold the array open.
    superblock_update_time: Option<i64>,
    /// How much of the bitmap is in memory.
    #[column(volatile)]
    bitmap_on_mem: Option<String>,
    /// Bytes that a bit of the bitmap stands for.
    bitmap_chunk_size: Option<String>,
    /// File with the bitmap; NULL if it is on the drives.
    bitmap_external_file: Option<String>,
    /// Progress of a rebuild.
    #[column(volatile)]
    recovery_progress: Option<String>,
    /// Estimated time to its end.
    #[column(volatile)]
    recovery_finish: Option<String>,
    /// Its speed.
    #[column(volatile)]
    recovery_speed: Option<String>,
    /// Progress of a resynchronization.
    #[column(volatile)]
    resync_progress: Option<String>,
    /// Estimated time to its end.
    #[column(volatile)]
    resync_finish: Option<String>,
    /// Its speed.
    #[column(volatile)]
    resync_speed: Option<String>,
    /// Progress of a change of the array's shape.
    #[column(volatile)]
    reshape_progress: Option<String>,
    /// Estimated time to its end.
    #[column(volatile)]
    reshape_finish: Option<String>,
    /// Its speed.
    #[column(volatile)]
    reshape_speed: Option<String>,
    /// Progress of a check.
    #[column(volatile)]
    check_array_progress: Option<String>,
    /// Estimated time to its end.
    #[column(volatile)]
    check_array_finish: Option<String>,
    /// Its speed.
    #[column(volatile)]
    check_array_speed: Option<String>,
    /// Devices that are in no array.
    unused_devices: Option<String>,
    /// What else the kernel writes about the array.
    other: String,
}

impl Rows for MdDevice {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let status = md::read(scan.sys())?;
        let unused = status.unused.filter(|devices| devices != "<none>");
        Ok(status.arrays.into_iter().map(move |array| MdDevice { unused_devices: unused.clone(), ..row(array) }))
    }
}

impl MdDevice {
    /// What the kernel shows more exactly in `/sys`, if it is there.
    fn attributes(&mut self, sys: &Sys) -> Result<()> {
        let attribute = |name: &str| line(sys, &format!("/sys/block/{}/md/{name}", self.device_name));
        let number = |text: Option<String>| text.and_then(|text| text.split(' ').next()?.parse().ok());
        self.chunk_size = number(attribute("chunk_size")?).or(self.chunk_size);
        self.raid_disks = number(attribute("raid_disks")?).or(self.raid_disks);
        self.superblock_state = attribute("array_state")?;
        self.superblock_version = attribute("metadata_version")?.or(self.superblock_version.take());
        Ok(())
    }
}

fn row(array: ArrayStatus) -> MdDevice {
    let count =
        |is_counted: fn(&md::Drive) -> bool| array.drives.iter().filter(|drive| is_counted(drive)).count() as i64;
    let level = array.level.as_deref().and_then(|level| match level {
        "linear" => Some(-1),
        level => level.strip_prefix("raid")?.parse().ok(),
    });
    let mut row = MdDevice {
        raid_level: level,
        size: array.blocks,
        chunk_size: array.chunk,
        raid_disks: array.expected.map(|(all, _)| all),
        nr_raid_disks: array.drives.len() as i64,
        working_disks: count(|drive| !drive.is_faulty()),
        active_disks: array
            .expected
            .map_or_else(|| count(|drive| !drive.is_faulty() && !drive.is_spare()), |(_, working)| working),
        failed_disks: count(md::Drive::is_faulty),
        spare_disks: count(md::Drive::is_spare),
        // The oldest format is not named.
        superblock_version: array.superblock.or_else(|| Some("0.90".to_owned())),
        other: array.other.join(" "),
        device_name: array.name,
        status: array.status,
        ..MdDevice::default()
    };
    [row.bitmap_on_mem, row.bitmap_chunk_size, row.bitmap_external_file] = array.bitmap;
    if let Some(work) = array.work {
        let (progress, finish, speed) = match &*work.kind {
            "recovery" => (&mut row.recovery_progress, &mut row.recovery_finish, &mut row.recovery_speed),
            "resync" => (&mut row.resync_progress, &mut row.resync_finish, &mut row.resync_speed),
            "reshape" => (&mut row.reshape_progress, &mut row.reshape_finish, &mut row.reshape_speed),
            _ => (&mut row.check_array_progress, &mut row.check_array_finish, &mut row.check_array_speed),
        };
        (*progress, *finish, *speed) = (Some(work.progress), work.finish, work.speed);
    }
    row
}
