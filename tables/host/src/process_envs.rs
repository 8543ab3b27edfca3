//! `process_envs`: one row per environment variable of each process.

use indago_table::prelude::*;

use crate::source::container::{self, InContainer};
use crate::source::procfs::{self, PTRACE};

/// Environment variables that processes were started with.
///
/// Later changes that a process makes to its environment are not visible here.
#[derive(Debug, Default, Table)]
#[table(name = "process_envs", platforms("linux"), rows = 5000, needs("CAP_SYS_PTRACE"), identity(pid, key))]
#[example("Processes with a preloaded library.", "SELECT pid, value FROM process_envs WHERE key = 'LD_PRELOAD'")]
pub struct ProcessEnv {
    /// Process ID.
    #[column(index)]
    pid: i64,
    /// Name of the variable.
    key: String,
    /// Its value.
    value: String,
    #[column(flatten)]
    place: InContainer,
}

impl Rows for ProcessEnv {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let pids = container::asked(
            scan.sys(),
            scan.keys(Self::PID),
            scan.keys(Self::PLACE.at(InContainer::CONTAINER_ID)),
            |origin, error| scan.report(origin, error),
        )?;
        let wants_place = scan.wants(Self::PLACE.at(InContainer::CONTAINER_ID));
        Ok(pids.into_iter().flat_map(move |pid| {
            let place = InContainer::of(scan.sys(), pid, wants_place, |origin, error| scan.report(origin, error));
            variables(scan.sys(), pid, &place).unwrap_or_else(|error| {
                scan.report("environ", &error);
                Vec::new()
            })
        }))
    }
}

fn variables(sys: &Sys, pid: i64, place: &InContainer) -> Result<Vec<ProcessEnv>> {
    let take = |bytes: &[u8]| {
        let variable = |entry: &[u8]| {
            let equals = memchr::memchr(b'=', entry).unwrap_or(entry.len());
            let value = entry.get(equals + 1..).unwrap_or_default();
            ProcessEnv { pid, key: procfs::text(&entry[..equals]), value: procfs::text(value), place: place.clone() }
        };
        Ok(procfs::texts(bytes).filter(|entry| !entry.is_empty()).map(variable).collect())
    };
    procfs::with_bytes(&procfs::folder(sys, pid).for_one_file(), "environ", take).needs(PTRACE)
}
