//! `memory_array_mapped_addresses`: one row per range of addresses of a group of memory sockets.

use indago_table::prelude::*;

use crate::source::smbios::{self, Structure};

/// Ranges of physical addresses of groups of memory sockets, as the firmware describes them in SMBIOS.
#[derive(Debug, Default, Table)]
#[table(
    name = "memory_array_mapped_addresses",
    platforms("linux"),
    rows = 1,
    needs("root"),
    whole_source,
    identity(handle)
)]
#[example(
    "Ranges of each group.",
    "SELECT memory_array_handle, starting_address, ending_address FROM memory_array_mapped_addresses"
)]
pub struct MemoryArrayMappedAddress {
    /// Handle of the SMBIOS structure, in hexadecimal with `0x`.
    handle: String,
    /// Handle of the group in `memory_arrays`.
    memory_array_handle: Option<String>,
    /// First address, in KiB, in hexadecimal with `0x`.
    starting_address: Option<String>,
    /// Last address, in KiB, in hexadecimal with `0x`.
    ending_address: Option<String>,
    /// Number of devices that form one row of memory.
    partition_width: Option<i64>,
}

impl Rows for MemoryArrayMappedAddress {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        smbios::rows(scan.sys(), &[19], |origin, error| scan.report(origin, error), row)
    }
}

fn row(range: Structure<'_>) -> MemoryArrayMappedAddress {
    let (starting_address, ending_address) = range.range(4, 0xf);
    MemoryArrayMappedAddress {
        handle: range.handle(),
        memory_array_handle: range.handle_at(0xc),
        starting_address,
        ending_address,
        partition_width: range.number(0xe),
    }
}
