//! `container_processes`: one row per process in a container, read only from `/proc/<pid>/cgroup`.

use indago_table::prelude::*;

use crate::runtime::Containers;
use indago_table::cgroup;

/// Processes that run in containers, with the container and the Kubernetes pod of each.
///
/// Read from the processes' cgroups, so it needs neither a runtime nor permission to call one. It works when the
/// runtime is down, and finds containers that a runtime no longer lists. Processes outside containers have no row. If
/// Indago runs in a container with its own cgroup namespace, it sees only paths below its own cgroup.
#[derive(Debug, Default, Table)]
#[table(name = "container_processes", env = Containers, platforms("linux"), rows = 200, identity(pid, container_id))]
#[example(
    "Containers with the number of their processes.",
    "SELECT container_id, count(*) AS processes FROM container_processes GROUP BY container_id"
)]
#[example(
    "The container of one process, if it runs in one.",
    "SELECT container_id, pod_uid FROM container_processes WHERE pid = 1"
)]
pub struct ContainerProcess {
    /// Process ID on the host.
    #[column(index)]
    pid: i64,
    /// ID of the container that the process runs in; for nested containers, the inner one. For LXC and systemd-nspawn
    /// it is the container's name, on AWS Fargate the task's ID and a number.
    #[column(index)]
    container_id: String,
    /// ID of the container around it; NULL unless containers are nested.
    outer_container_id: Option<String>,
    /// UID of the Kubernetes pod that the container belongs to, as its kubelet knows it: join it to `kubelet_uid` of
    /// `kubernetes_pods`. For static pods it differs from the pod's UID in the API. NULL outside Kubernetes.
    pod_uid: Option<String>,
    /// Runtime, if the cgroup's name identifies it: `docker`, `podman`, `containerd`, `cri-o`, `buildkit`, `lxc` or
    /// `systemd-nspawn`; NULL otherwise.
    runtime: Option<&'static str>,
    /// Path of the process's cgroup below the mount point of its hierarchy.
    cgroup_path: String,
}

impl Rows for ContainerProcess {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.env().sys().clone();
        let pids = match scan.keys(Self::PID) {
            Some(pids) => pids,
            None => pids(&sys, |error| scan.report("processes", error))?,
        };
        let scan = scan.clone();
        Ok(pids.into_iter().filter_map(move |pid| match sys.read_text(format!("/proc/{pid}/cgroup")) {
            Ok(text) => ContainerProcess::from_place(pid, cgroup::place(&text)?),
            Err(error) => {
                scan.report("cgroup", &error);
                None
            }
        }))
    }
}

impl ContainerProcess {
    fn from_place(pid: i64, place: cgroup::Place) -> Option<Self> {
        Some(ContainerProcess {
            pid,
            container_id: place.container_id,
            outer_container_id: place.outer_container_id,
            pod_uid: place.pod_uid,
            runtime: place.runtime,
            cgroup_path: place.path,
        })
    }
}

/// IDs of all processes. A `/proc` without any is an error: it is not mounted. If the kernel hides processes, that is
/// reported.
fn pids(sys: &Sys, report: impl Fn(&Error)) -> Result<Vec<i64>> {
    let names = sys.read_dir("/proc")?;
    let mut pids: Vec<i64> = names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    let Some(first) = pids.first() else {
        return Err(Error::Unsupported("/proc has no processes; it is not mounted".to_owned()));
    };
    // Every PID namespace has a process 1.
    if *first > 1 && sys.has_live_kernel() {
        let what = "/proc, whose mount option hidepid hides other users' processes".to_owned();
        report(&Error::Denied { what, needs: Some("CAP_SYS_PTRACE".to_owned()) });
    }
    Ok(pids)
}
