//! Namespaces that this process shares with its host.

use indago_table::prelude::*;

use super::procfs::{self, PTRACE};

/// Whether this process is in the same namespace of a kind as its host's first process. Only then do the kernel's
/// responses to this process describe the host.
pub(crate) fn is_shared(host: &Sys, kind: &str) -> Result<bool> {
    let of = |process: &str| host.read_link(format!("/proc/{process}/ns/{kind}")).needs(PTRACE);
    Ok(host.is_live() || procfs::required(of("self"))? == procfs::required(of("1"))?)
}
