//! `process_namespaces`: one row per process, with its namespaces.

use indago_table::prelude::*;
use indago_table::sys::ProcessFolder;

use crate::source::container::{self, InContainer};
use crate::source::procfs;

/// Kernel namespaces of each process. A namespace is its inode number; processes with the same number share it.
#[derive(Debug, Default, Table)]
#[table(name = "process_namespaces", platforms("linux"), rows = 300, identity(pid))]
#[example(
    "Processes per network namespace.",
    "SELECT net_namespace, count(*) AS processes FROM process_namespaces GROUP BY net_namespace ORDER BY processes DESC"
)]
pub struct ProcessNamespace {
    /// Process ID.
    #[column(index)]
    pid: i64,
    /// Control group namespace.
    #[column(source = link("cgroup"), needs = "CAP_SYS_PTRACE")]
    cgroup_namespace: Option<String>,
    /// Namespace of System V IPC and POSIX message queues.
    #[column(source = link("ipc"), needs = "CAP_SYS_PTRACE")]
    ipc_namespace: Option<String>,
    /// Mount namespace.
    #[column(source = link("mnt"), needs = "CAP_SYS_PTRACE")]
    mnt_namespace: Option<String>,
    /// Network namespace.
    #[column(source = link("net"), needs = "CAP_SYS_PTRACE")]
    net_namespace: Option<String>,
    /// Process ID namespace.
    #[column(source = link("pid"), needs = "CAP_SYS_PTRACE")]
    pid_namespace: Option<String>,
    /// User namespace.
    #[column(source = link("user"), needs = "CAP_SYS_PTRACE")]
    user_namespace: Option<String>,
    /// Namespace of the host name.
    #[column(source = link("uts"), needs = "CAP_SYS_PTRACE")]
    uts_namespace: Option<String>,
    /// Namespace of the clocks that count from boot; NULL on kernels before 5.6.
    #[column(added, source = link("time"), needs = "CAP_SYS_PTRACE")]
    time_namespace: Option<String>,
    #[column(flatten)]
    place: InContainer,
    /// The process's files.
    #[column(skip)]
    folder: Option<ProcessFolder>,
}

impl Rows for ProcessNamespace {
    /// Each row holds a descriptor.
    const TOGETHER: usize = procfs::TOGETHER;

    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let pids = container::asked(
            scan.sys(),
            scan.keys(Self::PID),
            scan.keys(Self::PLACE.at(InContainer::CONTAINER_ID)),
            |origin, error| scan.report(origin, error),
        )?;
        let reads_one = scan.sources() <= 1;
        let wants_place = scan.wants(Self::PLACE.at(InContainer::CONTAINER_ID));
        Ok(pids.into_iter().map(move |pid| {
            let folder = procfs::folder(scan.sys(), pid);
            let folder = Some(if reads_one { folder.for_one_file() } else { folder });
            ProcessNamespace {
                pid,
                folder,
                place: InContainer::of(scan.sys(), pid, wants_place, |origin, error| scan.report(origin, error)),
                ..ProcessNamespace::default()
            }
        }))
    }
}

impl ProcessNamespace {
    /// One source per link: a query for one namespace reads one link.
    fn link(&self, _sys: &Sys, kind: &str) -> Result<Option<String>> {
        procfs::namespace(self.folder.as_ref().expect("each row has its directory"), kind)
    }
}
