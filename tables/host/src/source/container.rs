//! The container of a process, for tables whose rows belong to processes.

use std::collections::HashSet;

use indago_table::cgroup::{Place, place};
use indago_table::prelude::*;
use indago_table::sys::ProcessFolder;

use super::procfs;

/// The column `container_id` of a table whose rows belong to processes.
#[derive(Debug, Clone, Default, Columns)]
pub struct InContainer {
    /// Container that the process runs in, by its full ID; NULL outside containers. It comes from the process's
    /// cgroups, so no runtime is called.
    #[column(index, hidden, added)]
    container_id: Option<String>,
}

impl InContainer {
    /// For the rows of a process. The cgroups are read if the query wants the column.
    pub(crate) fn of(sys: &Sys, pid: i64, is_wanted: bool, report: impl Fn(&str, &Error)) -> Self {
        let place = match is_wanted && pid > 0 {
            true => place_of(&procfs::folder(sys, pid).for_one_file()),
            false => Ok(None),
        };
        let place = place.unwrap_or_else(|error| {
            report("cgroup", &error);
            None
        });
        InContainer { container_id: place.map(|place| place.container_id) }
    }
}

/// Where a process runs; `None` outside containers.
pub(crate) fn place_of(folder: &ProcessFolder) -> Result<Option<Place>> {
    procfs::with_bytes(folder, "cgroup", |bytes| Ok(place(&String::from_utf8_lossy(bytes))))
}

/// The processes that a scan reads: those that its keys name by ID, by container, or both; else all.
pub(crate) fn asked(
    sys: &Sys,
    pids: Option<Vec<i64>>,
    containers: Option<Vec<String>>,
    report: impl Fn(&str, &Error),
) -> Result<Vec<i64>> {
    let mut pids = procfs::asked(sys, pids, &report)?;
    if let Some(containers) = containers {
        let containers: HashSet<String> = containers.into_iter().collect();
        pids.retain(|pid| match place_of(&procfs::folder(sys, *pid).for_one_file()) {
            Ok(place) => place.is_some_and(|place| containers.contains(&place.container_id)),
            Err(error) => {
                report("cgroup", &error);
                false
            }
        });
    }
    Ok(pids)
}
