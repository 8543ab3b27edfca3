//! `docker_containers`: one row per container of an engine with Docker's API.

use futures::Stream;
use indago_table::cgroup;
use indago_table::prelude::*;

use crate::runtime::{Containers, Runtime, report_short_ids};
use crate::source::blocking;
use crate::source::docker::{self, Filter, text, value};

/// Containers of engines with Docker's API, including those that are not running.
///
/// One call lists them all; the columns from `pid` on cost one more call per container. Table `containers` also has
/// containerd's.
#[derive(Debug, Default, Table)]
#[table(name = "docker_containers", env = Containers, stream, reads = "docker", rows = 50, identity(endpoint, id))]
#[example("Running containers.", "SELECT name, image, status FROM docker_containers WHERE state = 'running'")]
#[example(
    "Privileged containers and their processes on the host.",
    "SELECT name, pid FROM docker_containers WHERE privileged = 1"
)]
pub struct DockerContainer {
    /// Container ID: 64 hexadecimal digits.
    #[column(index, path = "Id", collate = nocase)]
    id: String,
    /// Name of the container, with Docker's leading slash.
    #[column(index)]
    name: String,
    /// Name of the image when the container was created. If that name now refers to another image, reading it costs a
    /// call.
    image: Option<String>,
    /// ID of the image, without the name of the hash.
    #[column(path = "ImageID", collate = nocase)]
    image_id: Option<String>,
    /// Command with its arguments.
    #[column(path = "Command")]
    command: Option<String>,
    /// Creation time, in seconds since 1970.
    created: Option<i64>,
    /// State: `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    #[column(path = "State")]
    state: Option<String>,
    /// Human-readable state with its duration: `Up 3 hours`.
    #[column(volatile, path = "Status")]
    status: Option<String>,
    /// Process ID of the first process on the engine's host; 0 if the container is not running.
    #[column(source = details)]
    pid: Option<i64>,
    /// Path of the program that was started.
    #[column(source = details)]
    path: Option<String>,
    /// Entry point of the container, its parts separated by commas; empty if it has none.
    #[column(source = details)]
    config_entrypoint: Option<String>,
    /// Time of the last start, in the engine's format (RFC 3339); year 1 if it was never started.
    #[column(source = details)]
    started_at: Option<String>,
    /// Time of the last end, in the engine's format (RFC 3339); year 1 if it never ended.
    #[column(source = details)]
    finished_at: Option<String>,
    /// 1 if the container is privileged, else 0.
    #[column(source = details)]
    privileged: Option<i64>,
    /// Security options (seccomp, AppArmor, SELinux), separated by commas; empty if it has none.
    #[column(source = details)]
    security_options: Option<String>,
    /// Environment variables as `NAME=value`, separated by commas.
    #[column(source = details)]
    env_variables: Option<String>,
    /// 1 if the container cannot write to its root file system, else 0.
    #[column(source = details)]
    readonly_rootfs: Option<i64>,
    /// Inode of the cgroup namespace; NULL if the container does not run on this machine.
    #[column(source = details, needs = "CAP_SYS_PTRACE")]
    cgroup_namespace: Option<String>,
    /// Inode of the IPC namespace; NULL if the container does not run on this machine.
    #[column(source = details, needs = "CAP_SYS_PTRACE")]
    ipc_namespace: Option<String>,
    /// Inode of the mount namespace; NULL if the container does not run on this machine.
    #[column(source = details, needs = "CAP_SYS_PTRACE")]
    mnt_namespace: Option<String>,
    /// Inode of the network namespace; NULL if the container does not run on this machine.
    #[column(source = details, needs = "CAP_SYS_PTRACE")]
    net_namespace: Option<String>,
    /// Inode of the process ID namespace; NULL if the container does not run on this machine.
    #[column(source = details, needs = "CAP_SYS_PTRACE")]
    pid_namespace: Option<String>,
    /// Inode of the user namespace; NULL if the container does not run on this machine.
    #[column(source = details, needs = "CAP_SYS_PTRACE")]
    user_namespace: Option<String>,
    /// Inode of the namespace of host and domain name; NULL if the container does not run on this machine.
    #[column(source = details, needs = "CAP_SYS_PTRACE")]
    uts_namespace: Option<String>,
    /// Address of the engine that the container belongs to.
    #[column(added, slice)]
    endpoint: String,
}

impl RowStream for DockerContainer {
    type Part = Runtime;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Runtime>> {
        report_short_ids(scan, Self::ID.position());
        Ok(docker::runtimes(scan, Self::ENDPOINT))
    }

    fn rows<'a>(scan: &'a Scan<Self>, runtime: &'a Runtime) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            let filter = match (scan.keys(Self::ID), scan.keys(Self::NAME)) {
                (Some(ids), _) => Filter::ids(ids),
                (None, Some(names)) => Filter::names(&names),
                (None, None) => Filter::All,
            };
            for container in &docker::list(scan, runtime, &filter).await?.containers {
                let mut row = DockerContainer { endpoint: runtime.name(), ..DockerContainer::default() };
                // The details are requested by ID, whether or not the query needs it.
                row.id = text(container, &["Id"]).unwrap_or_default();
                row.name = docker::name(container);
                row.created = docker::created(container);
                if scan.wants(Self::IMAGE) {
                    row.image = docker::image(scan, runtime, container).await;
                }
                scan.fill(&mut row, container, scan.wanted(), runtime);
                row.image_id = row.image_id.map(|id| docker::bare_id(&id).to_owned());
                yield row;
            }
        }
    }
}

impl DockerContainer {
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let details = docker::inspect(scan, &Runtime::docker(&self.endpoint), &self.id).await?;
        let joined = |path: &[&str]| value::<Vec<String>>(&details, path).unwrap_or_default().join(", ");
        let flag = |path: &[&str]| value::<bool>(&details, path).map(i64::from);
        self.pid = value(&details, &["State", "Pid"]);
        self.path = value(&details, &["Path"]);
        self.config_entrypoint = Some(joined(&["Config", "Entrypoint"]));
        self.started_at = value(&details, &["State", "StartedAt"]);
        self.finished_at = value(&details, &["State", "FinishedAt"]);
        self.privileged = flag(&["HostConfig", "Privileged"]);
        self.security_options = Some(joined(&["HostConfig", "SecurityOpt"]));
        self.env_variables = Some(joined(&["Config", "Env"]));
        self.readonly_rootfs = flag(&["HostConfig", "ReadonlyRootfs"]);
        self.namespaces(scan).await
    }

    /// The namespaces of the first process. Each is a link that is read only if its column is needed.
    async fn namespaces(&mut self, scan: &Scan<Self>) -> Result<()> {
        let Some(pid) = self.pid.filter(|pid| *pid > 0) else { return Ok(()) };
        let mut wanted = [
            ("cgroup", scan.wants(Self::CGROUP_NAMESPACE), &mut self.cgroup_namespace),
            ("ipc", scan.wants(Self::IPC_NAMESPACE), &mut self.ipc_namespace),
            ("mnt", scan.wants(Self::MNT_NAMESPACE), &mut self.mnt_namespace),
            ("net", scan.wants(Self::NET_NAMESPACE), &mut self.net_namespace),
            ("pid", scan.wants(Self::PID_NAMESPACE), &mut self.pid_namespace),
            ("user", scan.wants(Self::USER_NAMESPACE), &mut self.user_namespace),
            ("uts", scan.wants(Self::UTS_NAMESPACE), &mut self.uts_namespace),
        ];
        let names: Vec<&str> = wanted.iter().filter(|(_, wanted, _)| *wanted).map(|(name, ..)| *name).collect();
        if names.is_empty() {
            return Ok(());
        }
        let sys = scan.env().sys().clone();
        let id = self.id.clone();
        let inodes = blocking(move || {
            // The engine reports the PID. It must also belong to this container here, which it does not if the engine
            // runs in a virtual machine or on another host.
            let text = sys.read_text(format!("/proc/{pid}/cgroup")).if_present()?;
            if text.and_then(|text| cgroup::path_of(&text, &id)).is_none() {
                return Ok(Vec::new());
            }
            let inode = |name: &str| sys.read_link(format!("/proc/{pid}/ns/{name}")).needs("CAP_SYS_PTRACE");
            names.into_iter().map(|name| Ok((name, inode(name)?))).collect::<Result<Vec<_>>>()
        })
        .await?;
        for (name, link) in inodes {
            // `net:[4026531840]`
            let link = link.to_string_lossy();
            let inode = link.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).map(str::to_owned);
            if let Some((_, _, column)) = wanted.iter_mut().find(|(known, ..)| *known == name) {
                **column = inode;
            }
        }
        Ok(())
    }
}
