//! `memory_error_info`: one row per memory error that the firmware recorded.

use indago_table::prelude::*;

use crate::source::smbios::{self, Structure};

/// Errors of memory that the firmware recorded in SMBIOS.
#[derive(Debug, Default, Table)]
#[table(name = "memory_error_info", platforms("linux"), rows = 1, needs("root"), whole_source, identity(handle))]
#[example(
    "Errors that were found.",
    "SELECT handle, error_type, error_operation FROM memory_error_info WHERE error_type <> 'OK'"
)]
pub struct MemoryErrorInfo {
    /// Handle of the SMBIOS structure, in hexadecimal with `0x`.
    handle: String,
    /// Kind of the error; `OK` if there was none.
    error_type: Option<String>,
    /// Which part of the memory the error can be attributed to.
    error_granularity: Option<String>,
    /// What the memory did when the error occurred.
    error_operation: Option<String>,
    /// Syndrome of the maker, in hexadecimal with `0x`.
    vendor_syndrome: Option<String>,
    /// Address of the error in the group of sockets, in hexadecimal with `0x`; `0x80000000` if it is not known.
    memory_array_error_address: Option<String>,
    /// Address of the error in the module, in hexadecimal with `0x`; `0x80000000` if it is not known.
    device_error_address: Option<String>,
    /// Number of bytes within which the error is, in hexadecimal with `0x`; `0x80000000` if it is not known.
    error_resolution: Option<String>,
}

/// Structures with addresses of 32 and of 64 bits.
const KINDS: [u8; 2] = [18, 33];

impl Rows for MemoryErrorInfo {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        smbios::rows(scan.sys(), &KINDS, |origin, error| scan.report(origin, error), row)
    }
}

const TYPES: [&str; 14] = [
    "Other",
    "Unknown",
    "OK",
    "Bad read",
    "Parity error",
    "Single-bit error",
    "Double-bit error",
    "Multi-bit error",
    "Nibble error",
    "Checksum error",
    "CRC error",
    "Corrected single-bit error",
    "Corrected error",
    "Uncorrectable error",
];

const GRANULARITIES: [&str; 4] = ["Other", "Unknown", "Device level", "Memory partition level"];

const OPERATIONS: [&str; 5] = ["Other", "Unknown", "Read", "Write", "Partial write"];

fn row(error: Structure<'_>) -> MemoryErrorInfo {
    let short = |offset| error.double_word(offset).map(|value| format!("{value:#010x}"));
    let long = |offset| error.quad_word(offset).map(|value| format!("{value:#018x}"));
    let (in_array, in_device, resolution) = match error.kind {
        18 => (short(0xb), short(0xf), short(0x13)),
        _ => (long(0xb), long(0x13), short(0x1b)),
    };
    MemoryErrorInfo {
        handle: error.handle(),
        error_type: error.name(4, &TYPES),
        error_granularity: error.name(5, &GRANULARITIES),
        error_operation: error.name(6, &OPERATIONS),
        vendor_syndrome: short(7),
        memory_array_error_address: in_array,
        device_error_address: in_device,
        error_resolution: resolution,
    }
}
