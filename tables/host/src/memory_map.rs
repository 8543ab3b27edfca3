//! `memory_map`: one row per range of physical addresses.

use indago_table::prelude::*;

use crate::source::sysfs::{Object, names};

/// Ranges of physical memory, as the firmware described them to the kernel.
#[derive(Debug, Default, Table)]
#[table(name = "memory_map", platforms("linux"), rows = 20, identity(start, end))]
#[example("Memory that programs can use.", "SELECT start, \"end\" FROM memory_map WHERE name = 'System RAM'")]
pub struct MemoryMap {
    /// Use of the range, such as `System RAM` or `Reserved`.
    name: String,
    /// First address, in hexadecimal with `0x`.
    start: Option<String>,
    /// Last address, in hexadecimal with `0x`.
    end: Option<String>,
}

const FOLDER: &str = "/sys/firmware/memmap";

impl Rows for MemoryMap {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let mut ranges: Vec<u64> = names(scan.sys(), FOLDER)?.iter().filter_map(|name| name.parse().ok()).collect();
        if ranges.is_empty() {
            let what = format!("no map of the firmware ({FOLDER} is missing)");
            return Err(scan.sys().absent(what));
        }
        ranges.sort_unstable();
        Ok(ranges.into_iter().filter_map(move |range| {
            let report = |origin: &str, error: &Error| scan.report(origin, error);
            let object = Object { sys: scan.sys(), path: format!("{FOLDER}/{range}"), report: &report };
            // A range that was removed since has no files.
            Some(MemoryMap { name: object.text("type")?, start: object.text("start"), end: object.text("end") })
        }))
    }
}
