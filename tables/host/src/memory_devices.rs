//! `memory_devices`: one row per memory socket.

use indago_table::prelude::*;

use crate::source::smbios::{self, Structure};

/// Memory modules and empty sockets, as the firmware describes them in SMBIOS.
#[derive(Debug, Default, Table)]
#[table(name = "memory_devices", platforms("linux"), rows = 4, needs("root"), whole_source, identity(handle))]
#[example(
    "Modules and their sizes in MiB.",
    "SELECT device_locator, size, memory_type, manufacturer, part_number FROM memory_devices WHERE size > 0"
)]
pub struct MemoryDevice {
    /// Handle of the SMBIOS structure, in hexadecimal with `0x`.
    handle: String,
    /// Handle of the group of sockets in `memory_arrays`.
    array_handle: Option<String>,
    /// Form of the module.
    form_factor: Option<String>,
    /// Width with bits for error correction; NULL if it is not known.
    total_width: Option<i64>,
    /// Width without bits for error correction; NULL if it is not known.
    data_width: Option<i64>,
    /// Size in MiB; 0 for an empty socket, NULL if it is not known.
    size: Option<i64>,
    /// Number of the set of modules that it must be replaced with; 0 if it is in none, 255 if it is not known.
    set: Option<i64>,
    /// Label of the socket.
    device_locator: Option<String>,
    /// Label of the bank.
    bank_locator: Option<String>,
    /// Kind of memory, such as `DDR4`.
    memory_type: Option<String>,
    /// More about the kind, separated by blanks: `Synchronous`, `Registered`, ...
    memory_type_details: Option<String>,
    /// Highest speed, in million transfers per second; 0 if it is not known.
    max_speed: Option<i64>,
    /// Present speed, in million transfers per second; 0 if it is not known.
    configured_clock_speed: Option<i64>,
    /// Maker.
    manufacturer: Option<String>,
    /// Serial number.
    serial_number: Option<String>,
    /// Number that the owner gave it.
    asset_tag: Option<String>,
    /// Maker's number of the model.
    part_number: Option<String>,
    /// Lowest voltage, in millivolts; 0 if it is not known.
    min_voltage: Option<i64>,
    /// Highest voltage, in millivolts; 0 if it is not known.
    max_voltage: Option<i64>,
    /// Present voltage, in millivolts; 0 if it is not known.
    configured_voltage: Option<i64>,
}

impl Rows for MemoryDevice {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        smbios::rows(scan.sys(), &[17], |origin, error| scan.report(origin, error), row)
    }
}

const FORMS: [&str; 17] = [
    "Other",
    "Unknown",
    "SIMM",
    "SIP",
    "Chip",
    "DIP",
    "ZIP",
    "Proprietary card",
    "DIMM",
    "TSOP",
    "Row of chips",
    "RIMM",
    "SODIMM",
    "SRIMM",
    "FB-DIMM",
    "Die",
    "CAMM",
];

const TYPES: [&str; 36] = [
    "Other",
    "Unknown",
    "DRAM",
    "EDRAM",
    "VRAM",
    "SRAM",
    "RAM",
    "ROM",
    "FLASH",
    "EEPROM",
    "FEPROM",
    "EPROM",
    "CDRAM",
    "3DRAM",
    "SDRAM",
    "SGRAM",
    "RDRAM",
    "DDR",
    "DDR2",
    "DDR2 FB-DIMM",
    "Reserved",
    "Reserved",
    "Reserved",
    "DDR3",
    "FBD2",
    "DDR4",
    "LPDDR",
    "LPDDR2",
    "LPDDR3",
    "LPDDR4",
    "Logical non-volatile device",
    "HBM",
    "HBM2",
    "DDR5",
    "LPDDR5",
    "HBM3",
];

/// Bits from 1 on.
const DETAILS: [&str; 15] = [
    "Other",
    "Unknown",
    "Fast-paged",
    "Static column",
    "Pseudo-static",
    "RAMBUS",
    "Synchronous",
    "CMOS",
    "EDO",
    "Window DRAM",
    "Cache DRAM",
    "Non-volatile",
    "Registered",
    "Unbuffered",
    "LRDIMM",
];

fn row(device: Structure<'_>) -> MemoryDevice {
    let details = device.word(0x13).map(|bits| {
        let set = DETAILS.iter().enumerate().filter(|(position, _)| bits >> (position + 1) & 1 == 1);
        set.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
    });
    // All bits are set if it is not known.
    let width = |offset| device.word(offset).filter(|width| *width != u16::MAX).map(i64::from);
    MemoryDevice {
        handle: device.handle(),
        array_handle: device.handle_at(4),
        form_factor: device.name(0xe, &FORMS),
        total_width: width(8),
        data_width: width(0xa),
        size: size(device),
        set: device.number(0xf),
        device_locator: device.text(0x10),
        bank_locator: device.text(0x11),
        memory_type: device.name(0x12, &TYPES),
        memory_type_details: details,
        max_speed: speed(device, 0x15, 0x54),
        configured_clock_speed: speed(device, 0x20, 0x58),
        manufacturer: device.text(0x17),
        serial_number: device.text(0x18),
        asset_tag: device.text(0x19),
        part_number: device.text(0x1a),
        min_voltage: device.number_of_word(0x22),
        max_voltage: device.number_of_word(0x24),
        configured_voltage: device.number_of_word(0x26),
    }
}

fn size(device: Structure<'_>) -> Option<i64> {
    match device.word(0xc)? {
        u16::MAX => None,
        // 32 GiB or more, in MiB.
        0x7fff => device.double_word(0x1c).map(|size| i64::from(size & 0x7fff_ffff)),
        // The highest bit means KiB.
        size if size & 0x8000 != 0 => Some(i64::from(size & 0x7fff) / 1024),
        size => Some(size.into()),
    }
}

/// A speed; one that does not fit into 16 bits is elsewhere.
fn speed(device: Structure<'_>, offset: usize, extended: usize) -> Option<i64> {
    match device.word(offset)? {
        u16::MAX => device.double_word(extended).map(|speed| i64::from(speed & 0x7fff_ffff)),
        speed => Some(speed.into()),
    }
}
