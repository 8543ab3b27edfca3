//! The hidden column `pid_with_namespace`: the same question, asked inside the mount namespace of a process.

use indago_table::prelude::*;

use super::procfs::{self, PTRACE};

/// Where a table looks: the host itself (`pid` 0), or the files as a process sees them.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) pid: i64,
    pub(crate) sys: Sys,
}

/// The places that a scan asks for: the host, unless processes are named.
pub(crate) fn places(sys: &Sys, pids: Option<Vec<i64>>, report: impl Fn(&str, &Error)) -> Vec<Place> {
    let host = || Place { pid: 0, sys: sys.clone() };
    let Some(mut pids) = pids else { return vec![host()] };
    pids.sort_unstable();
    pids.dedup();
    let place = |pid: i64| {
        if pid == 0 {
            return Some(host());
        }
        let root = format!("/proc/{pid}/root");
        // Only the kernel that runs the process can follow the link into its namespace.
        let inside = match sys.has_live_kernel() {
            true => sys.below(&root),
            false => sys.read_link(&root).and_then(|target| sys.below(target)),
        };
        match inside.needs(PTRACE) {
            Ok(sys) => Some(Place { pid, sys }),
            Err(error) => {
                report(&root, &error);
                None
            }
        }
    };
    pids.into_iter().filter_map(place).collect()
}

/// The mount namespace of a place, by its inode number.
pub(crate) fn mount_namespace(host: &Sys, pid: i64) -> Result<Option<String>> {
    if pid > 0 {
        return procfs::namespace(&procfs::folder(host, pid), "mnt");
    }
    match host.read_link(format!("{}/ns/mnt", host.own_process())).if_present()? {
        Some(target) => Ok(procfs::namespace_inode(&target)),
        None => Ok(None),
    }
}

/// Whether this process lives in the namespace of a kind that its host's first process lives in: only then does the
/// kernel speak of the host when this process asks.
pub(crate) fn is_shared(host: &Sys, kind: &str) -> Result<bool> {
    let of = |process: &str| host.read_link(format!("/proc/{process}/ns/{kind}")).needs(PTRACE);
    Ok(host.is_live() || procfs::required(of("self"))? == procfs::required(of("1"))?)
}
