//! `yara_process`: what YARA rules find in the memory of processes.

use std::os::unix::fs::FileExt;

use boreal::memory::{FragmentedMemory, MemoryParams, Region, RegionDescription};
use indago_table::prelude::*;
use indago_table::sys::SysFile;

use crate::source::procfs::{self, PTRACE};
use crate::source::yara::{self, Findings, Found, Rules, Target};

/// YARA rules on the memory of processes.
///
/// A query needs a constraint on `pid`, and rules: `sigfile` or `sigrule`. Readable memory is read piece by piece, for
/// at most a minute. Memory of devices is not read. The process is not stopped.
#[derive(Debug, Default, Table)]
#[table(
    name = "yara_process",
    platforms("linux"),
    needs("CAP_SYS_PTRACE"),
    identity(pid, sig_group, sigfile, sigrule),
    namespaces
)]
#[example(
    "Whether the first process has a text in its memory.",
    "SELECT matches, strings FROM yara_process WHERE pid = 1 \
     AND sigrule = 'rule path { strings: $a = \"PATH=/\" condition: $a }'"
)]
pub struct YaraProcess {
    /// Process ID.
    #[column(required)]
    pid: i64,
    #[column(flatten)]
    findings: Findings,
}

/// Most bytes that are read at once.
const PIECE: usize = 64 << 20;

impl Rows for YaraProcess {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        scan.sys().require_live("the memory of processes")?;
        let rules = yara::asked(scan, Self::FINDINGS);
        let pids = procfs::asked(scan.sys(), scan.keys(Self::PID), |origin, error| scan.report(origin, error))?;
        Ok(pids.into_iter().flat_map(move |pid| {
            let row = |rules: &Rules| YaraProcess { pid, findings: Findings::of(Target::Process(pid), rules) };
            rules.iter().map(row).collect::<Vec<_>>()
        }))
    }
}

/// What rules find in the memory of a process.
pub(crate) fn scan(sys: &Sys, pid: i64, rules: &Rules) -> Result<Found> {
    let folder = procfs::folder(sys, pid);
    let mut maps = Vec::new();
    folder.open("maps").needs(PTRACE)?.read_rest(&folder.path().join("maps"), &mut maps, MOST_MAPS)?;
    let regions = pieces(regions(&maps));
    let file = folder.open("mem").needs(PTRACE)?;
    let _held = sys.meter().hold(regions.iter().map(|region| region.length).max().unwrap_or_default())?;
    let memory = Memory { sys: sys.clone(), file, regions, next: 0, buffer: Vec::new() };
    let found = rules.scan_memory(&format!("the memory of process {pid}"), memory)?;
    sys.check_cancelled()?;
    Ok(found)
}

/// A process has no more addresses than this.
const MOST_ADDRESSES: usize = 1 << 47;

/// Limit in bytes of a list of mappings: 65,530 mappings by default.
const MOST_MAPS: u64 = 32 << 20;

/// The readable memory in a list of mappings, without that of devices and the kernel.
fn regions(maps: &[u8]) -> Vec<RegionDescription> {
    let region = |line: &[u8]| {
        let line = String::from_utf8_lossy(line);
        let mut fields = line.splitn(6, ' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let is_readable = fields.next()?.starts_with('r');
        let path = fields.nth(3).map(str::trim).unwrap_or_default();
        let is_device = path.starts_with("/dev/") && !path.starts_with("/dev/shm/") && !path.starts_with("/dev/zero");
        let start = usize::from_str_radix(start, 16).ok()?;
        // Hostile only under another root: the kernel's own lists have no such region.
        let length =
            usize::from_str_radix(end, 16).ok()?.checked_sub(start).filter(|length| *length < MOST_ADDRESSES)?;
        (is_readable && !is_device && !["[vvar]", "[vsyscall]", "[vvar_vclock]"].contains(&path) && length > 0)
            .then_some(RegionDescription { start, length })
    };
    maps.split(|byte| *byte == b'\n').filter_map(region).collect()
}

/// Regions in pieces that are read at once.
fn pieces(regions: Vec<RegionDescription>) -> Vec<RegionDescription> {
    let mut pieces = Vec::new();
    for RegionDescription { start, length } in regions {
        let piece = |from: usize| RegionDescription { start: start + from, length: PIECE.min(length - from) };
        pieces.extend((0..length).step_by(PIECE).map(piece));
    }
    pieces
}

/// The memory of a process.
#[derive(Debug)]
struct Memory {
    sys: Sys,
    file: SysFile,
    regions: Vec<RegionDescription>,
    next: usize,
    buffer: Vec<u8>,
}

impl FragmentedMemory for Memory {
    fn next(&mut self, _: &MemoryParams) -> Option<RegionDescription> {
        // The scan ends early; the caller checks why.
        self.sys.check_cancelled().ok()?;
        let region = self.regions.get(self.next).copied();
        self.next += 1;
        region
    }

    fn fetch(&mut self, _: &MemoryParams) -> Option<Region<'_>> {
        let region = *self.regions.get(self.next.checked_sub(1)?)?;
        self.buffer.resize(region.length, 0);
        let offset = u64::try_from(region.start).ok()?;
        let mut read = 0;
        while read < region.length {
            // The process may have released it since.
            match self.file.as_file().read_at(&mut self.buffer[read..], offset + read as u64) {
                Ok(0) | Err(_) => break,
                Ok(count) => read += count,
            }
        }
        self.sys.meter().add_bytes(read as u64);
        (read > 0).then(|| Region { start: region.start, mem: &self.buffer[..read] })
    }

    fn reset(&mut self) {
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &[u8] = b"00400000-00401000 r-xp 00000000 08:01 1 /bin/a b\n\
        00600000-00600000 r--p 00000000 08:01 1 /bin/empty\n\
        7f0000000000-7f0000003000 rw-p 00000000 00:00 0 \n\
        7f1000000000-7f1000001000 ---p 00000000 00:00 0 \n\
        7f2000000000-7f2000001000 rw-s 00000000 00:06 9 /dev/dri/card0\n\
        7f3000000000-7f3000001000 rw-s 00000000 00:06 9 /dev/shm/x\n\
        7fff00000000-7fff00001000 r--p 00000000 00:00 0 [vvar]\n";

    #[test]
    fn readable_memory_of_no_device_is_read() {
        let found: Vec<_> = regions(MAPS).iter().map(|region| (region.start, region.length)).collect();
        assert_eq!(found, [(0x40_0000, 0x1000), (0x7f00_0000_0000, 0x3000), (0x7f30_0000_0000, 0x1000)]);
        for length in 0..MAPS.len() {
            assert!(regions(&MAPS[..length]).len() <= 4, "a name that is cut off is no device's");
        }
        let large = vec![RegionDescription { start: 0, length: 2 * PIECE + 1 }];
        let found: Vec<_> = pieces(large).iter().map(|piece| (piece.start, piece.length)).collect();
        assert_eq!(found, [(0, PIECE), (PIECE, PIECE), (2 * PIECE, 1)]);
    }
}
