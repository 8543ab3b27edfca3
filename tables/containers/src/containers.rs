//! `containers`: one row per container, over all runtimes of the machine.

use std::collections::{HashMap, HashSet};
use std::fmt;

use futures::Stream;
use indago_table::cgroup;
use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::runtime::{Containers, Kind, Runtime, report_short_ids};
use crate::source::blocking;
use crate::source::containerd::{self, Client, Record, Task};
use crate::source::docker::{self, text, value};
use crate::source::oci::{self, CriNotes, Mount, Spec};

/// Containers of all runtimes on the machine: Docker, Podman and containerd with each of its namespaces.
///
/// `endpoint` and `namespace` identify the origin of a row. A container that Docker runs through containerd has one
/// row, from Docker; it has containerd's row only if Docker does not respond. A runtime that is down, or whose socket
/// the caller may not use, is reported as a warning; the others are still read. Sandboxes that hold a pod's namespaces
/// are containers too: see `is_sandbox`.
///
/// One call per runtime (or namespace) lists the containers. For engines with Docker's API, some columns, such as `pid`
/// and `environment`, cost one more call per row.
#[derive(Debug, Default, Table)]
#[table(name = "containers", env = Containers, stream, reads = "docker", rows = 50, identity(endpoint, id))]
#[example(
    "Running containers with their images.",
    "SELECT runtime, name, image FROM containers WHERE state = 'running'"
)]
#[example(
    "Containers that could take over the host.",
    "SELECT name, pod_namespace, pod_name, is_privileged, host_paths FROM containers WHERE is_privileged OR array_has(host_paths, '/')"
)]
#[example(
    "Images and the commits that they were built from.",
    "SELECT DISTINCT image, image_source, image_revision FROM containers WHERE image_revision IS NOT NULL"
)]
pub struct Container {
    /// Container ID, without the name of a runtime.
    #[column(index)]
    id: String,
    /// Name of the container, without a leading slash. containerd has no names: there it is the name within the
    /// Kubernetes pod, the pod's own name for a sandbox, or the ID.
    name: String,
    /// Runtime: `docker`, `podman` or `containerd`.
    #[column(slice)]
    runtime: &'static str,
    /// Address of the runtime.
    #[column(slice)]
    endpoint: String,
    /// Namespace of containerd, such as `k8s.io`; NULL for other runtimes.
    #[column(slice)]
    namespace: Option<String>,
    /// Name of the image when the container was created. If that name now refers to another image, reading it costs a
    /// call.
    image: Option<String>,
    /// ID of the image: the digest of its configuration, with the name of the hash (`sha256:`). NULL for containerd's
    /// containers outside Kubernetes.
    image_id: Option<String>,
    /// Digest of the image's manifest or index in registries (`sha256:`); NULL if the runtime no longer has the image,
    /// or if the image never came from a registry.
    image_digest: Option<String>,
    /// Location of the image's source code, from its label `org.opencontainers.image.source`; NULL if the label is
    /// missing.
    image_source: Option<String>,
    /// Commit that the image was built from, from its label `org.opencontainers.image.revision`; NULL if the label is
    /// missing.
    image_revision: Option<String>,
    /// State: `running`, `paused`, `created`, `exited`, and other states of the runtime. containerd's `stopped` is a
    /// container that has ended or was never started.
    state: Option<String>,
    /// Process ID of the first process on the runtime's host; NULL if the container is not running.
    #[column(source = details)]
    pid: Option<i64>,
    /// Exit code of the first process; NULL while it runs, or if it is unknown.
    #[column(source = details)]
    exit_code: Option<i64>,
    /// Command with its arguments, joined by blanks.
    command: Option<String>,
    /// User that the first process starts as: `name`, `uid` or `uid:gid`; NULL if none was configured in Docker, which
    /// then uses root.
    #[column(source = details)]
    user: Option<String>,
    /// Time at which the container was created; NULL if the runtime does not report it.
    created_at: Option<Timestamp>,
    /// Time at which the container was last started; NULL if it never was, and for containerd, which does not report
    /// it.
    #[column(source = details)]
    last_started: Option<Timestamp>,
    /// Labels of the container, including those of its image.
    labels: Map,
    /// Environment variables that its first process starts with. A name without a value, which images and requests may
    /// have, is NULL: the variable is removed.
    #[column(source = details)]
    environment: Option<Map>,
    /// Name of its Kubernetes pod; NULL outside Kubernetes.
    pod_name: Option<String>,
    /// Namespace of its Kubernetes pod; NULL outside Kubernetes.
    pod_namespace: Option<String>,
    /// UID of its Kubernetes pod, as its kubelet knows it (`kubelet_uid` of `kubernetes_pods`); NULL outside
    /// Kubernetes.
    #[column(index)]
    pod_uid: Option<String>,
    /// ID of the container that holds the pod's namespaces; NULL for that container itself, outside Kubernetes, and if
    /// the runtime does not report it.
    sandbox_id: Option<String>,
    /// Whether it only holds a pod's namespaces and runs no program of the pod.
    is_sandbox: bool,
    /// Whether it is privileged: it has all capabilities and devices, and no confinement.
    #[column(source = details)]
    is_privileged: Option<bool>,
    /// Whether it is in the host's network namespace.
    #[column(source = details)]
    uses_host_network: Option<bool>,
    /// Whether it is in the host's process ID namespace, and so sees all processes.
    #[column(source = details)]
    uses_host_pid: Option<bool>,
    /// Whether it is in the host's IPC namespace. NULL for a Podman container that does not run on this machine.
    #[column(source = details)]
    uses_host_ipc: Option<bool>,
    /// Capabilities beyond those that runtimes give to every container, such as `CAP_NET_ADMIN`; `ALL` means all.
    #[column(source = details)]
    added_capabilities: Option<Vec<String>>,
    /// Whether its root file system is read-only.
    #[column(source = details)]
    is_read_only: Option<bool>,
    /// Mounts: a list of objects with `type` (`bind`, `volume`, ..), `source`, `destination` and `writable`. Kernel
    /// file systems and the files that runtimes create for every container are not listed.
    mounts: Json,
    /// Directories and files of the host that are mounted into it. Volumes are not included, except those that Docker
    /// or Podman bind to a directory of the host (`--opt o=bind --opt device=/etc`): these are listed as that
    /// directory.
    #[column(source = host_paths)]
    host_paths: Option<Vec<String>>,
    /// File on the host with its output; NULL if the runtime does not report it.
    #[column(source = details)]
    log_path: Option<String>,
    /// Path of its cgroup below the mount point of the hierarchy; NULL if it does not run on this machine.
    #[column(source = details)]
    cgroup_path: Option<String>,
    /// Names of its volumes that the engine manages itself, for engines with Docker's API.
    #[column(skip)]
    volumes: Vec<String>,
}

/// A runtime, or one of containerd's namespaces if the keys exclude others.
#[derive(Debug)]
pub struct Part {
    runtime: Runtime,
    namespace: Option<String>,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.runtime.fmt(f)?;
        self.namespace.as_ref().map_or(Ok(()), |namespace| write!(f, " namespace {namespace}"))
    }
}

impl indago_table::Part for Part {
    fn known(&self, column: &str) -> Option<String> {
        self.runtime.known(column)
    }
}

impl RowStream for Container {
    type Part = Part;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Part>> {
        let runtimes = Containers::asked(scan, "container runtime", |_| true, Self::ENDPOINT);
        report_short_ids(scan, Self::ID.position());
        let (names, namespaces) = (scan.keys(Self::RUNTIME), scan.keys(Self::NAMESPACE));
        const RUNTIMES: [&str; 3] = ["containerd", "docker", "podman"];
        scan.context().report_absent(Self::SPEC, Self::RUNTIME.position(), |name| {
            let message = || format!("no runtime is called `{name}`; there are: {}", RUNTIMES.join(", "));
            (!RUNTIMES.contains(&name)).then(message)
        });
        // Only the response shows which engine listens on a socket with Docker's API.
        let may_be =
            |kind: &[&str]| names.as_ref().is_none_or(|names| names.iter().any(|name| kind.contains(&&**name)));
        let mut parts = Vec::new();
        for runtime in runtimes {
            match (runtime.kind, &namespaces) {
                (Kind::Docker, None) if may_be(&["docker", "podman"]) => parts.push(Part { runtime, namespace: None }),
                (Kind::Containerd, None) if may_be(&["containerd"]) => parts.push(Part { runtime, namespace: None }),
                (Kind::Containerd, Some(namespaces)) if may_be(&["containerd"]) => {
                    let possible = namespaces.iter().filter(|name| containerd::is_namespace(name));
                    parts.extend(possible.map(|name| Part { runtime: runtime.clone(), namespace: Some(name.clone()) }));
                }
                _ => {}
            }
        }
        Ok(parts)
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a Part) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            match part.runtime.kind {
                Kind::Docker => for row in of_docker(scan, &part.runtime).await? {
                    yield row;
                },
                Kind::Containerd => {
                    let client = Client::connect(scan, &part.runtime).await?;
                    let namespaces = match &part.namespace {
                        Some(namespace) => vec![namespace.clone()],
                        None => client.namespaces().await?,
                    };
                    for namespace in namespaces {
                        match of_containerd(scan, &client, &part.runtime, &namespace).await {
                            Ok(rows) => for row in rows {
                                yield row;
                            },
                            Err(error) => scan.report(format!("{} namespace {namespace}", part.runtime), &error),
                        }
                        if scan.is_done() {
                            break;
                        }
                    }
                }
            }
        }
    }
}

/// The filter for engines with Docker's API.
fn docker_filter(scan: &Scan<Container>) -> docker::Filter {
    match (scan.keys(Container::ID), scan.keys(Container::POD_UID)) {
        (Some(ids), _) => docker::Filter::ids(ids),
        (None, Some(uids)) => docker::Filter::label(POD_UID, &uids),
        (None, None) => docker::Filter::All,
    }
}

/// The filter for containerd.
fn containerd_filter(scan: &Scan<Container>) -> containerd::Filter {
    match (scan.keys(Container::ID), scan.keys(Container::POD_UID)) {
        (Some(ids), _) => containerd::Filter::field("id", &ids),
        (None, Some(uids)) => containerd::Filter::field(&format!("labels.\"{POD_UID}\""), &uids),
        (None, None) => containerd::Filter::all(),
    }
}

const POD_NAME: &str = "io.kubernetes.pod.name";
const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
const POD_UID: &str = "io.kubernetes.pod.uid";
const POD_CONTAINER: &str = "io.kubernetes.container.name";

async fn of_docker(scan: &Scan<Container>, runtime: &Runtime) -> Result<Vec<Container>> {
    let listing = docker::list(scan, runtime, &docker_filter(scan)).await?;
    let digests = if scan.wants(Container::IMAGE_DIGEST) && !listing.containers.is_empty() {
        docker_digests(scan, runtime).await
    } else {
        HashMap::new()
    };
    let row = |container: &Document| {
        let mounted = docker::elements(scan, runtime, container, "Mounts");
        let mounts: Vec<Mount> = mounted.iter().map(|mount| docker_mount(mount)).collect();
        let labels = docker::labels(scan, runtime, container);
        let image_id = text(container, &["ImageID"]);
        let mut row = Container {
            id: text(container, &["Id"]).unwrap_or_default(),
            name: docker::name(container).trim_start_matches('/').to_owned(),
            runtime: listing.engine.name(),
            endpoint: runtime.name(),
            image_digest: image_id.as_ref().and_then(|id| digests.get(id).cloned()),
            image_id,
            state: text(container, &["State"]),
            command: text(container, &["Command"]),
            created_at: docker::created(container).map(Timestamp::from_seconds),
            is_sandbox: label(&labels, "io.kubernetes.docker.type").as_deref() == Some("podsandbox"),
            sandbox_id: label(&labels, "io.kubernetes.sandbox.id"),
            volumes: local_volumes(mounted),
            ..Container::default()
        };
        row.set_mounts(&mounts);
        row.set_labels(labels);
        row
    };
    let mut rows: Vec<Container> = listing.containers.iter().map(row).collect();
    if scan.wants(Container::IMAGE) {
        for (row, container) in rows.iter_mut().zip(&listing.containers) {
            row.image = docker::image(scan, runtime, container).await;
        }
    }
    Ok(rows)
}

/// Names of the volumes that the engine mounts itself, not through a plug-in.
fn local_volumes(mounts: Vec<&Document>) -> Vec<String> {
    let is_local = |mount: &&Document| {
        text(mount, &["Type"]).as_deref() == Some("volume")
            && text(mount, &["Driver"]).is_none_or(|name| name == "local")
    };
    mounts.into_iter().filter(is_local).filter_map(|mount| text(mount, &["Name"])).collect()
}

/// The host's directory that a volume is bound to.
fn bound_folder(volume: &Document) -> Option<String> {
    let options = text(volume, &["Options", "o"])?;
    let is_bound = options.split(',').any(|option| matches!(option.trim(), "bind" | "rbind"));
    text(volume, &["Options", "device"]).filter(|_| is_bound)
}

fn docker_mount(mount: &Document) -> Mount {
    Mount {
        kind: text(mount, &["Type"]).unwrap_or_default(),
        source: text(mount, &["Source"]).unwrap_or_default(),
        destination: text(mount, &["Destination"]).unwrap_or_default(),
        is_writable: value(mount, &["RW"]).unwrap_or(false),
    }
}

/// Digests of an engine's images, by image ID. On failure the column is NULL, with a warning.
async fn docker_digests(scan: &Scan<Container>, runtime: &Runtime) -> HashMap<String, String> {
    let images = match docker::images(scan, runtime).await {
        Ok(images) => images,
        Err(error) => {
            scan.report(format!("{runtime} images"), &error);
            return HashMap::new();
        }
    };
    let digest = |image: &Document| {
        // `repository@sha256:..`, or `<none>@<none>` for an image without a name.
        let names: Vec<String> = value(image, &["RepoDigests"])?;
        let digest = names.iter().find_map(|name| name.rsplit_once('@').filter(|(_, digest)| digest.contains(':')))?.1;
        Some((text(image, &["Id"])?, digest.to_owned()))
    };
    images.iter().filter_map(digest).collect()
}

async fn of_containerd(
    scan: &Scan<Container>,
    client: &Client<'_, Container>,
    runtime: &Runtime,
    namespace: &str,
) -> Result<Vec<Container>> {
    let of_docker = if namespace == "moby" { docker_ids(scan).await } else { HashSet::new() };
    let mut rows = client
        .containers(namespace, &containerd_filter(scan), |record| {
            Container::from_record(record, runtime, namespace, wants_spec(scan), |id, error| {
                scan.report(format!("{runtime} namespace {namespace} container {id}"), error);
            })
        })
        .await?;
    rows.retain(|row| !of_docker.contains(&row.id));
    if rows.is_empty() {
        return Ok(rows);
    }
    let missing = |what: &str, error: &Error| scan.report(format!("{runtime} namespace {namespace} {what}"), error);
    if scan.wants(Container::STATE)
        || scan.wants(Container::PID)
        || scan.wants(Container::EXIT_CODE)
        || scan.wants(Container::CGROUP_PATH)
    {
        match client.tasks(namespace).await {
            Ok(tasks) => rows.iter_mut().for_each(|row| row.set_task(tasks.get(&row.id))),
            Err(error) => missing("tasks", &error),
        }
    }
    if scan.wants(Container::IMAGE_DIGEST) {
        match client.image_digests(namespace).await {
            Ok(digests) => rows.iter_mut().for_each(|row| {
                row.image_digest = row.image.as_ref().and_then(|image| digests.get(image).cloned());
            }),
            Err(error) => missing("images", &error),
        }
    }
    Ok(rows)
}

/// Whether the query needs a column that containerd stores only in the runtime specification, 10 KB of JSON per
/// container.
fn wants_spec(scan: &Scan<Container>) -> bool {
    scan.wants(Container::COMMAND)
        || scan.wants(Container::USER)
        || scan.wants(Container::ENVIRONMENT)
        || scan.wants(Container::IS_PRIVILEGED)
        || scan.wants(Container::USES_HOST_NETWORK)
        || scan.wants(Container::USES_HOST_PID)
        || scan.wants(Container::USES_HOST_IPC)
        || scan.wants(Container::ADDED_CAPABILITIES)
        || scan.wants(Container::IS_READ_ONLY)
        || scan.wants(Container::MOUNTS)
        || scan.wants(Container::HOST_PATHS)
}

/// IDs of the containers that engines with Docker's API list. Engines that fail are reported where they are read.
async fn docker_ids(scan: &Scan<Container>) -> HashSet<String> {
    let mut ids = HashSet::new();
    for runtime in scan.env().runtimes().iter().filter(|runtime| runtime.kind == Kind::Docker) {
        if let Ok(listing) = docker::list(scan, runtime, &docker_filter(scan)).await {
            ids.extend(listing.containers.iter().filter_map(|container| text(container, &["Id"])));
        }
    }
    ids
}

impl Container {
    fn from_record(
        record: Record,
        runtime: &Runtime,
        namespace: &str,
        wants_spec: bool,
        report: impl Fn(&str, &Error),
    ) -> Self {
        let is_sandbox = record.labels.get("io.cri-containerd.kind").is_some_and(|kind| kind == "sandbox");
        let kind = if is_sandbox { "sandbox" } else { "container" };
        let notes = record.extensions.get(&format!("io.cri-containerd.{kind}.metadata"));
        let reported = |error: Error| report(&record.id, &error);
        let cri = notes.and_then(|notes| CriNotes::parse(&notes.value).map_err(reported).ok());
        let spec = record.spec.as_ref().filter(|_| wants_spec);
        let spec = spec.and_then(|spec| Spec::parse(&spec.value).map_err(reported).ok());
        let labels: Map = record.labels.into_iter().collect();
        let name = label(&labels, POD_CONTAINER)
            .or_else(|| label(&labels, "nerdctl/name"))
            .or_else(|| label(&labels, POD_NAME).filter(|_| is_sandbox));
        let mut row = Container {
            name: name.unwrap_or_else(|| record.id.clone()),
            id: record.id,
            runtime: "containerd",
            endpoint: runtime.name(),
            namespace: Some(namespace.to_owned()),
            image: Some(record.image).filter(|image| !image.is_empty()),
            created_at: record.created_at.and_then(containerd::Time::moment),
            is_sandbox,
            ..Container::default()
        };
        let mut mounts = Vec::new();
        if let Some(spec) = spec {
            row.command = spec.command();
            row.user = spec.user();
            row.environment = spec.environment();
            row.is_privileged = Some(spec.is_privileged());
            row.uses_host_network = Some(spec.shares_with_host("network"));
            row.uses_host_pid = Some(spec.shares_with_host("pid"));
            row.uses_host_ipc = Some(spec.shares_with_host("ipc"));
            row.added_capabilities = Some(spec.added_capabilities());
            row.is_read_only = Some(spec.is_read_only());
            mounts = spec.mounts();
        }
        if let Some(cri) = cri {
            row.image_id = cri.image_id();
            row.sandbox_id = cri.sandbox_id();
            row.log_path = cri.log_path();
            // A pod's container always joins its sandbox's namespaces; only the pod's settings show whether these are
            // the host's. The sandbox of a privileged pod is marked privileged, but gets no more rights.
            row.is_privileged = cri.is_privileged().filter(|_| !is_sandbox).or(row.is_privileged);
            row.uses_host_network = cri.shares_with_node("network").or(row.uses_host_network);
            row.uses_host_pid = cri.shares_with_node("pid").or(row.uses_host_pid);
            row.uses_host_ipc = cri.shares_with_node("ipc").or(row.uses_host_ipc);
        }
        row.set_labels(labels);
        row.set_mounts(&row.without_plumbing(mounts));
        row
    }

    /// A pod's mounts as Docker would list them: the files that kubelet keeps for the pod are volumes, and the files
    /// that runtime and kubelet create for every container (hosts, resolv.conf, termination log) are removed.
    fn without_plumbing(&self, mut mounts: Vec<Mount>) -> Vec<Mount> {
        let Some(uid) = &self.pod_uid else { return mounts };
        let sandbox = format!("/sandboxes/{}/", self.sandbox_id.as_ref().unwrap_or(&self.id));
        let (pod, volumes) = (format!("/pods/{uid}/"), format!("/pods/{uid}/volume"));
        mounts.retain(|mount| {
            let source = &mount.source;
            !source.contains(&sandbox) && (!source.contains(&pod) || source.contains(&volumes))
        });
        for mount in &mut mounts {
            if mount.source.contains(&volumes) {
                mount.kind = "volume".to_owned();
            }
        }
        mounts
    }

    fn set_task(&mut self, task: Option<&Task>) {
        self.state = Some(task.map_or(containerd::STOPPED, Task::state).to_owned());
        if let Some(task) = task {
            let has_ended = task.state() == containerd::STOPPED;
            self.pid = (!has_ended && task.pid > 0).then_some(task.pid.into());
            self.exit_code = has_ended.then_some(task.exit_status.into());
        }
    }

    fn set_labels(&mut self, labels: Map) {
        self.pod_name = label(&labels, POD_NAME);
        self.pod_namespace = label(&labels, POD_NAMESPACE);
        self.pod_uid = label(&labels, POD_UID);
        self.image_source = label(&labels, "org.opencontainers.image.source");
        self.image_revision = label(&labels, "org.opencontainers.image.revision");
        self.labels = labels;
    }

    fn set_mounts(&mut self, mounts: &[Mount]) {
        self.mounts = Json(Document::Array(mounts.iter().map(Mount::document).collect()).to_string());
        self.host_paths =
            Some(mounts.iter().filter(|mount| mount.kind == "bind").map(|mount| mount.source.clone()).collect());
    }

    /// Adds the directories that volumes are bound to. Only a call per volume shows them.
    async fn host_paths(&mut self, scan: &Scan<Self>) -> Result<()> {
        for name in &self.volumes {
            let runtime = Runtime::docker(&self.endpoint);
            match docker::volume(scan, &runtime, name).await {
                Ok(volume) => self.host_paths.get_or_insert_default().extend(bound_folder(&volume)),
                Err(error) => scan.report(format!("{runtime} volume {name}"), &error),
            }
        }
        Ok(())
    }

    /// The columns that an engine with Docker's API returns only per container. containerd's list already has them.
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.namespace.is_none() {
            let details = docker::inspect(scan, &Runtime::docker(&self.endpoint), &self.id).await?;
            self.set_details(&details);
            if scan.wants(Self::USES_HOST_NETWORK) {
                self.uses_host_network = self.shares_with_host(scan, &details, "NetworkMode").await;
            }
            if scan.wants(Self::USES_HOST_PID) {
                self.uses_host_pid = self.shares_with_host(scan, &details, "PidMode").await;
            }
            if scan.wants(Self::USES_HOST_IPC) {
                let is_told = self.runtime != "podman"
                    || text(&details, &["HostConfig", "IpcMode"]).as_deref() != Some("shareable");
                self.uses_host_ipc = match is_told {
                    true => self.shares_with_host(scan, &details, "IpcMode").await,
                    false => self.has_ipc_of_host(scan).await,
                };
            }
        }
        if scan.wants(Self::CGROUP_PATH) {
            self.cgroup(scan).await?;
        }
        Ok(())
    }

    fn set_details(&mut self, details: &Document) {
        let names = |path: &[&str]| value::<Vec<String>>(details, path).unwrap_or_default();
        let has_ended = matches!(text(details, &["State", "Status"]).as_deref(), Some("exited" | "dead" | "stopped"));
        self.pid = value(details, &["State", "Pid"]).filter(|pid| *pid > 0);
        self.exit_code = value(details, &["State", "ExitCode"]).filter(|_| has_ended);
        self.user = text(details, &["Config", "User"]);
        // Go's zero time is in year 1.
        self.last_started = value(details, &["State", "StartedAt"]).filter(|time: &Timestamp| time.0 > 0);
        self.environment = Some(oci::environment(&names(&["Config", "Env"])));
        self.is_privileged = value(details, &["HostConfig", "Privileged"]);
        self.added_capabilities = Some(match self.is_privileged {
            Some(true) => vec!["ALL".to_owned()],
            _ => oci::added_capabilities(&names(&["HostConfig", "CapAdd"])),
        });
        self.is_read_only = value(details, &["HostConfig", "ReadonlyRootfs"]);
        self.log_path = text(details, &["LogPath"]);
    }

    /// Whether it has the host's namespace of a kind, possibly through another container whose namespace it shares: a
    /// pod's containers join their sandbox. NULL if that container is gone; its namespace then still exists.
    async fn shares_with_host(&self, scan: &Scan<Self>, details: &Document, mode: &str) -> Option<bool> {
        let said = |details: &Document| value::<String>(details, &["HostConfig", mode]);
        let own = said(details)?;
        let Some(other) = own.strip_prefix("container:") else { return Some(own == "host") };
        let runtime = Runtime::docker(&self.endpoint);
        match docker::inspect(scan, &runtime, other).await {
            Ok(other) => said(&other).map(|mode| mode == "host"),
            Err(error) => {
                scan.report(format!("{runtime} container {other}"), &error);
                None
            }
        }
    }

    /// The same for IPC namespaces of Podman. Podman reports both the host's and a container's own as `shareable`, so
    /// this compares them in the kernel. NULL if the container does not run on this machine.
    async fn has_ipc_of_host(&self, scan: &Scan<Self>) -> Option<bool> {
        let (pid, sys, id) = (self.pid?, scan.env().sys().clone(), self.id.clone());
        let read = blocking(move || {
            let text = sys.read_text(format!("/proc/{pid}/cgroup")).if_present()?;
            if text.and_then(|text| cgroup::path_of(&text, &id)).is_none() {
                return Ok(None);
            }
            let namespace =
                |process: &str| sys.read_link(format!("{process}/ns/ipc")).needs("CAP_SYS_PTRACE").if_present();
            let (own, host) = (namespace(&format!("/proc/{pid}"))?, namespace(sys.own_process())?);
            Ok(own.zip(host).map(|(own, host)| own == host))
        });
        read.await.unwrap_or_else(|error| {
            scan.report(format!("{} container {}", self.endpoint, self.id), &error);
            None
        })
    }

    async fn cgroup(&mut self, scan: &Scan<Self>) -> Result<()> {
        let Some(pid) = self.pid else { return Ok(()) };
        let sys = scan.env().sys().clone();
        let text = blocking(move || sys.read_text(format!("/proc/{pid}/cgroup")).if_present()).await?;
        self.cgroup_path = text.and_then(|text| cgroup::path_of(&text, &self.id));
        Ok(())
    }
}

fn label(labels: &Map, name: &str) -> Option<String> {
    labels.0.get(name).cloned().flatten().filter(|value| !value.is_empty())
}
