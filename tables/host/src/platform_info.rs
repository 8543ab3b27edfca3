//! `platform_info`: one row about the machine's firmware.

use indago_table::prelude::*;

use crate::source::smbios::{self, Structure};

/// The machine's firmware, as it describes itself in SMBIOS.
#[derive(Debug, Default, Table)]
#[table(name = "platform_info", platforms("linux"), rows = 1, needs("root"), whole_source, identity(vendor, version))]
#[example("Version and age of the firmware.", "SELECT vendor, version, date, firmware_type FROM platform_info")]
pub struct PlatformInfo {
    /// Maker of the firmware.
    vendor: Option<String>,
    /// Version of the firmware.
    #[column(collate = version)]
    version: Option<String>,
    /// Date of its release, usually as month, day and year.
    date: Option<String>,
    /// Release of the firmware, major and minor number; NULL if it has none.
    revision: Option<String>,
    /// Always empty on Linux.
    extra: String,
    /// `uefi` or `bios`.
    firmware_type: String,
    /// Segment of the firmware's start, in hexadecimal with `0x`.
    address: Option<String>,
    /// Size of the firmware's memory, in bytes.
    size: Option<String>,
    /// Always 0 on Linux.
    volume_size: i64,
}

impl Rows for PlatformInfo {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let kind = if scan.sys().exists("/sys/firmware/efi") { "uefi" } else { "bios" };
        let row = |structure: Structure<'_>| PlatformInfo { firmware_type: kind.to_owned(), ..row(structure) };
        smbios::rows(scan.sys(), &[0], |origin, error| scan.report(origin, error), row)
    }
}

fn row(bios: Structure<'_>) -> PlatformInfo {
    // 255 means that there is no number.
    let release = bios.byte(0x14).zip(bios.byte(0x15)).filter(|(major, _)| *major != u8::MAX);
    PlatformInfo {
        vendor: bios.text(4),
        version: bios.text(5),
        date: bios.text(8),
        revision: release.map(|(major, minor)| format!("{major}.{minor}")),
        address: bios.word(6).map(|address| format!("{address:#06x}")),
        size: size(bios).map(|bytes| bytes.to_string()),
        ..PlatformInfo::default()
    }
}

fn size(bios: Structure<'_>) -> Option<u64> {
    match (bios.byte(9)?, bios.word(0x18)) {
        // 16 MiB or more: a number of MiB, or with the highest bits 01 of GiB.
        (u8::MAX, Some(extended)) => {
            let shift = if extended >> 14 == 1 { 30 } else { 20 };
            Some(u64::from(extended & 0x3fff) << shift)
        }
        (units, _) => Some((u64::from(units) + 1) << 16),
    }
}
