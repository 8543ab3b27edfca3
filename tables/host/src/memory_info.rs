//! `memory_info`: one row about the machine's memory.

use indago_table::prelude::*;

use crate::source::procfs::{number, required};

/// Memory of the machine and how it is used, in bytes.
#[derive(Debug, Default, Table)]
#[table(name = "memory_info", platforms("linux"), rows = 1)]
#[example(
    "Percent of the memory that programs can still get.",
    "SELECT memory_available * 100 / memory_total AS percent FROM memory_info"
)]
pub struct MemoryInfo {
    /// Memory that the kernel manages.
    memory_total: Option<i64>,
    /// Memory that is not used at all.
    #[column(volatile)]
    memory_free: Option<i64>,
    /// Memory that programs can get without swapping; NULL on kernels before 3.14.
    #[column(volatile)]
    memory_available: Option<i64>,
    /// Buffers of block devices.
    #[column(volatile)]
    buffers: Option<i64>,
    /// Cache of files.
    #[column(volatile)]
    cached: Option<i64>,
    /// Memory that is also in swap space.
    #[column(volatile)]
    swap_cached: Option<i64>,
    /// Memory that was used recently.
    #[column(volatile)]
    active: Option<i64>,
    /// Memory that is reclaimed first.
    #[column(volatile)]
    inactive: Option<i64>,
    /// Swap space.
    swap_total: Option<i64>,
    /// Swap space that is not used.
    #[column(volatile)]
    swap_free: Option<i64>,
}

const MEMINFO: &str = "/proc/meminfo";

impl Rows for MemoryInfo {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let row = parse(&required(scan.sys().read(MEMINFO))?);
        if row.memory_total.is_none() {
            return Err(Error::Malformed(format!("{MEMINFO} has no line MemTotal")));
        }
        Ok(std::iter::once(row))
    }
}

fn parse(bytes: &[u8]) -> MemoryInfo {
    let mut row = MemoryInfo::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = line.split_at(colon);
        let place = match name {
            b"MemTotal" => &mut row.memory_total,
            b"MemFree" => &mut row.memory_free,
            b"MemAvailable" => &mut row.memory_available,
            b"Buffers" => &mut row.buffers,
            b"Cached" => &mut row.cached,
            b"SwapCached" => &mut row.swap_cached,
            b"Active" => &mut row.active,
            b"Inactive" => &mut row.inactive,
            b"SwapTotal" => &mut row.swap_total,
            b"SwapFree" => &mut row.swap_free,
            _ => continue,
        };
        let kibibytes = value.get(1..).and_then(|value| value.trim_ascii().strip_suffix(b" kB"));
        *place = kibibytes.and_then(|digits| number(digits.trim_ascii())?.checked_mul(1024));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes() {
        let text = b"MemTotal:       24684092 kB\nMemFree: 1 kB\nActive(anon): 9 kB\nActive:  2 kB\nBuffers: x kB\n";
        let row = parse(text);
        assert_eq!(row.memory_total, Some(24_684_092 * 1024));
        assert_eq!((row.memory_free, row.active, row.buffers, row.swap_free), (Some(1024), Some(2048), None, None));
        crate::source::damaged::damaged(text, |bytes| {
            assert!(parse(bytes).memory_total.is_none_or(|total| total % 1024 == 0))
        });
    }
}
