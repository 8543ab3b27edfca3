//! `memory_arrays`: one row per group of memory sockets.

use indago_table::prelude::*;

use crate::source::smbios::{self, Structure};

/// Groups of sockets for memory, as the firmware describes them in SMBIOS.
#[derive(Debug, Default, Table)]
#[table(name = "memory_arrays", platforms("linux"), rows = 1, needs("root"), whole_source, identity(handle))]
#[example(
    "How much memory the machine can have, in GiB.",
    "SELECT sum(max_capacity) AS gibibytes FROM memory_arrays WHERE \"use\" = 'System memory'"
)]
pub struct MemoryArray {
    /// Handle of the SMBIOS structure, in hexadecimal with `0x`.
    handle: String,
    /// Where the sockets are.
    location: Option<String>,
    /// What the memory is for.
    r#use: Option<String>,
    /// How errors are corrected.
    memory_error_correction: Option<String>,
    /// Most memory that fits, in GiB, rounded down.
    max_capacity: Option<i64>,
    /// Handle of the structure about errors; `0xfffe` if there is none, `0xffff` if no error was found.
    memory_error_info_handle: Option<String>,
    /// Number of sockets.
    number_memory_devices: Option<i64>,
}

impl Rows for MemoryArray {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        smbios::rows(scan.sys(), &[16], |origin, error| scan.report(origin, error), row)
    }
}

const LOCATIONS: [&str; 10] = [
    "Other",
    "Unknown",
    "System board or motherboard",
    "ISA add-on card",
    "EISA add-on card",
    "PCI add-on card",
    "MCA add-on card",
    "PCMCIA add-on card",
    "Proprietary add-on card",
    "NuBus",
];

const USES: [&str; 7] =
    ["Other", "Unknown", "System memory", "Video memory", "Flash memory", "Non-volatile RAM", "Cache memory"];

const CORRECTIONS: [&str; 7] = ["Other", "Unknown", "None", "Parity", "Single-bit ECC", "Multi-bit ECC", "CRC"];

fn row(array: Structure<'_>) -> MemoryArray {
    let gibibytes = match array.double_word(7) {
        // Too large: in bytes, elsewhere.
        Some(0x8000_0000) => array.quad_word(0xf).map(|bytes| bytes >> 30),
        kibibytes => kibibytes.map(|kibibytes| u64::from(kibibytes) >> 20),
    };
    MemoryArray {
        handle: array.handle(),
        location: array.name(4, &LOCATIONS),
        r#use: array.name(5, &USES),
        memory_error_correction: array.name(6, &CORRECTIONS),
        max_capacity: gibibytes.and_then(|gibibytes| i64::try_from(gibibytes).ok()),
        memory_error_info_handle: array.handle_at(0xb),
        number_memory_devices: array.number_of_word(0xd),
    }
}
