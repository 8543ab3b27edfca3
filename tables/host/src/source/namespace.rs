//! Which namespaces this process shares with its host.

use indago_table::prelude::*;

use super::procfs::{self, PTRACE};

/// Whether this process lives in the namespace of a kind that its host's first process lives in: only then does the
/// kernel speak of the host when this process asks.
pub(crate) fn is_shared(host: &Sys, kind: &str) -> Result<bool> {
    let of = |process: &str| host.read_link(format!("/proc/{process}/ns/{kind}")).needs(PTRACE);
    Ok(host.is_live() || procfs::required(of("self"))? == procfs::required(of("1"))?)
}
