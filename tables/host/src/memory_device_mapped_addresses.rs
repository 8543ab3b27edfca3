//! `memory_device_mapped_addresses`: one row per range of addresses of a memory module.

use indago_table::prelude::*;

use crate::source::smbios::{self, Structure};

/// Ranges of physical addresses of memory modules, as the firmware describes them in SMBIOS.
#[derive(Debug, Default, Table)]
#[table(
    name = "memory_device_mapped_addresses",
    platforms("linux"),
    rows = 4,
    needs("root"),
    whole_source,
    identity(handle)
)]
#[example(
    "Ranges of each module.",
    "SELECT memory_device_handle, starting_address, ending_address FROM memory_device_mapped_addresses"
)]
pub struct MemoryDeviceMappedAddress {
    /// Handle of the SMBIOS structure, in hexadecimal with `0x`.
    handle: String,
    /// Handle of the module in `memory_devices`.
    memory_device_handle: Option<String>,
    /// Handle of the range of the group, in `memory_array_mapped_addresses`.
    memory_array_mapped_address_handle: Option<String>,
    /// First address, in KiB, in hexadecimal with `0x`.
    starting_address: Option<String>,
    /// Last address, in KiB, in hexadecimal with `0x`.
    ending_address: Option<String>,
    /// Place of the module in its row of memory; 0 is reserved, 255 unknown.
    partition_row_position: Option<i64>,
    /// Place of the module among those that alternate; 0 if none do, 255 unknown.
    interleave_position: Option<i64>,
    /// Number of rows of the module that are read in turn; 0 if modules do not alternate, 255 unknown.
    interleave_data_depth: Option<i64>,
}

impl Rows for MemoryDeviceMappedAddress {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        smbios::rows(scan.sys(), &[20], |origin, error| scan.report(origin, error), row)
    }
}

fn row(range: Structure<'_>) -> MemoryDeviceMappedAddress {
    let (starting_address, ending_address) = range.range(4, 0x13);
    MemoryDeviceMappedAddress {
        handle: range.handle(),
        memory_device_handle: range.handle_at(0xc),
        memory_array_mapped_address_handle: range.handle_at(0xe),
        starting_address,
        ending_address,
        partition_row_position: range.number(0x10),
        interleave_position: range.number(0x11),
        interleave_data_depth: range.number(0x12),
    }
}
