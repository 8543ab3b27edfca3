//! `md_drives`: one row per drive of a RAID array.

use indago_table::prelude::*;

use crate::source::md::{self, Drive};

/// Drives of arrays of the kernel's RAID driver.
#[derive(Debug, Default, Table)]
#[table(name = "md_drives", platforms("linux"), rows = 4, identity(md_device_name, drive_name))]
#[example("Drives that failed.", "SELECT md_device_name, drive_name FROM md_drives WHERE state = 'faulty'")]
pub struct MdDrive {
    /// Name of the array, such as `md0`.
    md_device_name: String,
    /// Path of the drive's file.
    drive_name: String,
    /// Number of the drive in the array.
    slot: i64,
    /// `active`, `spare`, `faulty`, `journal` or `replacement`; with `write-mostly` if reads avoid it.
    state: String,
}

impl Rows for MdDrive {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let arrays = md::read(scan.sys())?.arrays;
        Ok(arrays.into_iter().flat_map(|array| {
            let row = move |drive: Drive| MdDrive {
                md_device_name: array.name.clone(),
                drive_name: format!("/dev/{}", drive.name.replace('!', "/")),
                slot: drive.slot,
                state: state(&drive),
            };
            array.drives.into_iter().map(row)
        }))
    }
}

fn state(drive: &Drive) -> String {
    let has = |flag: char| drive.flags.contains(flag);
    let state = match () {
        () if drive.is_faulty() => "faulty",
        () if drive.is_spare() => "spare",
        () if has('J') => "journal",
        () if has('R') => "replacement",
        () => "active",
    };
    if has('W') { format!("{state} write-mostly") } else { state.to_owned() }
}
