//! `process_capabilities`: one row per capability of a process.

use indago_table::prelude::*;

use crate::source::capabilities;
use crate::source::maps::hexadecimal;
use crate::source::procfs;

/// Capabilities of processes, by name: the parts of root's privileges that a process has or can get.
///
/// A capability of which a process only has the bounding set's permission has no row.
#[derive(Debug, Default, Table)]
#[table(name = "process_capabilities", platforms("linux"), rows = 8000, identity(pid, capability))]
#[example(
    "Processes of ordinary users with a privilege.",
    "SELECT pid, name, capability FROM process_capabilities JOIN processes USING (pid) WHERE is_effective AND euid <> 0"
)]
#[example(
    "Processes that may load kernel modules.",
    "SELECT pid FROM process_capabilities WHERE capability = 'CAP_SYS_MODULE' AND is_effective"
)]
pub struct ProcessCapability {
    /// Process ID.
    #[column(index)]
    pid: i64,
    /// Name, such as `CAP_SYS_ADMIN`; `CAP_` and a number for one that is newer than this program.
    capability: String,
    /// Whether the process can use it now.
    is_effective: bool,
    /// Whether the process may make it effective.
    is_permitted: bool,
    /// Whether a program that the process starts gets it, if the program's file allows it.
    is_inheritable: bool,
    /// Whether any program that the process starts gets it.
    is_ambient: bool,
    /// Whether the process can get it by starting a program that has it.
    is_bounding: bool,
}

impl Rows for ProcessCapability {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |origin: &str, error: &Error| scan.report(origin, error);
        let pids = procfs::asked(scan.sys(), scan.keys(Self::PID), report)?;
        Ok(pids.into_iter().flat_map(move |pid| {
            let folder = procfs::folder(scan.sys(), pid).for_one_file();
            let sets = procfs::with_bytes(&folder, "status", |bytes| {
                sets(bytes).ok_or_else(|| Error::Malformed(format!("/proc/{pid}/status lacks sets of capabilities")))
            });
            let sets = sets.map_err(|error| scan.report("status", &error)).unwrap_or_default();
            rows(pid, sets)
        }))
    }
}

/// The sets, as masks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sets {
    effective: u64,
    permitted: u64,
    inheritable: u64,
    ambient: u64,
    bounding: u64,
}

fn sets(status: &[u8]) -> Option<Sets> {
    let mask = |name: &[u8]| {
        let mut lines = status.split(|byte| *byte == b'\n');
        lines.find_map(|line| hexadecimal(line.strip_prefix(name)?.trim_ascii()))
    };
    Some(Sets {
        effective: mask(b"CapEff:")?,
        permitted: mask(b"CapPrm:")?,
        inheritable: mask(b"CapInh:")?,
        bounding: mask(b"CapBnd:")?,
        // Kernels before 4.3 lack it.
        ambient: mask(b"CapAmb:").unwrap_or(0),
    })
}

fn rows(pid: i64, sets: Sets) -> impl Iterator<Item = ProcessCapability> {
    let any = sets.effective | sets.permitted | sets.inheritable | sets.ambient;
    capabilities::of_mask(any).map(move |(bit, capability)| {
        let is_in = |set: u64| set >> bit & 1 == 1;
        ProcessCapability {
            pid,
            capability,
            is_effective: is_in(sets.effective),
            is_permitted: is_in(sets.permitted),
            is_inheritable: is_in(sets.inheritable),
            is_ambient: is_in(sets.ambient),
            is_bounding: is_in(sets.bounding),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_has_a_line() {
        let status = b"Name:\tx\nCapInh:\t0000000000000004\nCapPrm:\t0000000000000003\nCapEff:\t0000000000000001\n\
            CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n";
        let sets = sets(status).expect("all sets");
        let rows: Vec<_> = rows(7, sets)
            .map(|row| (row.capability, row.is_effective, row.is_permitted, row.is_inheritable, row.is_bounding))
            .collect();
        let expected = [
            ("CAP_CHOWN".to_owned(), true, true, false, true),
            ("CAP_DAC_OVERRIDE".to_owned(), false, true, false, true),
            ("CAP_DAC_READ_SEARCH".to_owned(), false, false, true, true),
        ];
        assert_eq!(rows, expected);
        assert_eq!(super::sets(b"CapEff:\tzz\nCapPrm:\t1\n"), None);
        crate::source::damaged::damaged(status, |bytes| {
            assert!(super::sets(bytes).is_none_or(|sets| super::rows(7, sets).count() <= 64))
        });
    }
}
