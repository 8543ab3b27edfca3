//! A complete cluster with one node that runs real pods.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::beds::containerd;
use crate::beds::kube_api::Access;
use crate::error::{Context, Error, Result};
use crate::install::{self, CLUSTER_PROGRAMS};
use crate::keeper::{Keeper, Plan};

/// Options of [`Cluster::with`].
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Workloads in YAML, applied in this order. Images: `localhost/bb:1` with `imagePullPolicy: Never`.
    pub workloads: Vec<String>,
    /// Also apply the default workloads: in namespace `shop` three pods of the Deployment `web`, and the privileged pod
    /// `priv` (host's processes, network and file system; service account `deployer`, which is cluster-admin).
    pub apps: bool,
}

impl Default for ClusterOptions {
    fn default() -> ClusterOptions {
        ClusterOptions { workloads: vec![], apps: true }
    }
}

/// etcd, API server, controller-manager, scheduler, containerd and kubelet in private network and mount namespaces.
///
/// - From inside ([`Cluster::command`]) it looks like a node: `/run/containerd/containerd.sock`, `/var/lib/kubelet`,
///   cgroups at `/kubepods/...`, the API server at `https://127.0.0.1:6443`.
/// - From outside, the API server is at [`Cluster::url`] and containerd at [`Cluster::containerd_socket`]. PIDs are the
///   same in both views; cgroups begin with `/indago-<bed>`.
#[derive(Debug)]
pub struct Cluster {
    access: Access,
    // Last, so that users of the namespaces are dropped before them.
    keeper: Keeper,
}

impl Cluster {
    /// Starts a cluster with the default workloads. Its node is ready; its pods may not run yet
    /// ([`Cluster::wait_ready`]).
    pub fn start() -> Result<Cluster> {
        Cluster::with(ClusterOptions::default())
    }

    /// Starts a cluster.
    pub fn with(options: ClusterOptions) -> Result<Cluster> {
        let programs = install::kubernetes_programs(CLUSTER_PROGRAMS)?;
        install::containerd()?;
        let pki = install::pki()?;
        let mut files: Vec<(String, String)> = [
            ("inside.sh", include_str!("../../beds/inside.sh")),
            ("kube-lib.sh", include_str!("../../beds/kube-lib.sh")),
            ("containerd-lib.sh", containerd::LIBRARY),
            ("cluster-inside.sh", include_str!("../../beds/cluster-inside.sh")),
            ("users.yaml", include_str!("../../beds/users.yaml")),
        ]
        .map(|(name, content)| (name.to_owned(), content.to_owned()))
        .into();
        let apps = options.apps.then(|| include_str!("../../beds/apps.yaml").to_owned());
        let workloads = apps.into_iter().chain(options.workloads).enumerate();
        files.extend(workloads.map(|(index, yaml)| (format!("workloads/{index:03}.yaml"), yaml)));
        let keeper = Keeper::start(Plan {
            bed: "cluster",
            script: include_str!("../../beds/cluster.sh"),
            files,
            env: vec![("K8S".into(), programs.folder.display().to_string()), ("PKI".into(), pki.display().to_string())],
        })?;
        let port = forward(keeper.namespace_pid(), 6443)?;
        let access = Access::write(keeper.folder(), &pki, port)?;
        Ok(Cluster { access, keeper })
    }

    /// Waits until every existing pod runs and is ready.
    pub fn wait_ready(&self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(120);
        let columns = r#"jsonpath={range .items[*]}{.metadata.name} {.status.phase} {.status.conditions[?(@.type=="Ready")].status} {.status.reason}{"\n"}{end}"#;
        loop {
            let pods = self.kubectl(&["get", "pods", "-A", "-o", columns])?;
            let deployments = self.kubectl(&[
                "get",
                "deployments",
                "-A",
                "-o",
                "jsonpath={range .items[*]}{.spec.replicas} {.status.readyReplicas}{\"\\n\"}{end}",
            ])?;
            let ready = |line: &str| line.contains(" Running True") || line.contains(" Succeeded ");
            let full =
                |line: &str| line.split_once(' ').is_some_and(|(wanted, ready)| wanted == ready || wanted == "0");
            if pods.lines().all(ready) && deployments.lines().all(full) {
                return Ok(());
            }
            if Instant::now() > end {
                let events = self.kubectl(&["get", "events", "-A"]).unwrap_or_default();
                return Err(Error::Other(format!("pods are not ready:\n{pods}\n{}", install::tail(&events, 30))));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// The API server's address from outside.
    pub fn url(&self) -> &str {
        &self.access.url
    }

    /// The authority's certificate.
    pub fn ca(&self) -> &Path {
        &self.access.ca
    }

    /// A kubeconfig file of one of the [`USERS`](crate::beds::USERS), for use from outside.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.access.kubeconfig(user)
    }

    /// containerd's socket from outside.
    pub fn containerd_socket(&self) -> PathBuf {
        self.keeper.path("containerd/run/containerd.sock")
    }

    /// `kubectl apply -f -` as admin.
    pub fn apply(&self, yaml: &str) -> Result<()> {
        self.access.apply(yaml)
    }

    /// Adds a static pod: writes the file `name` to the kubelet's manifest directory, and waits until the pod's mirror
    /// in the API runs: a pod `<name>-localhost` in the namespace of the manifest.
    pub fn static_pod(&self, namespace: &str, name: &str, yaml: &str) -> Result<()> {
        let file = self.keeper.path("manifests").join(name).with_extension("yaml");
        std::fs::write(&file, yaml).context(|| format!("cannot write {}", file.display()))?;
        let mirror = format!("{name}-localhost");
        let end = Instant::now() + Duration::from_secs(120);
        let phase = ["get", "pod", "-n", namespace, &mirror, "--ignore-not-found", "-o", "jsonpath={.status.phase}"];
        while self.kubectl(&phase)? != "Running" {
            if Instant::now() > end {
                return Err(Error::Other(format!("the static pod {mirror} is not running")));
            }
            thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Runs kubectl as admin and returns its standard output.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.access.kubectl(args)
    }

    /// A program inside the node's namespaces, with `KUBECONFIG` (admin, inside addresses) set.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.keeper.command(program);
        command.env("KUBECONFIG", self.keeper.path("admin.conf"));
        command
    }

    /// The process that holds the node's namespaces: `nsenter -t PID -n -m -C`.
    pub fn namespace_pid(&self) -> u32 {
        self.keeper.namespace_pid()
    }
}

/// Listens on a free loopback port and connects to `port` within the network namespace of `pid`.
///
/// A socket belongs to the namespace of the thread that creates it, so one thread moves there and creates them all. The
/// threads end with the process. Once the bed is gone, connections to the port fail.
fn forward(pid: u32, port: u16) -> Result<u16> {
    let what = || format!("cannot forward to port {port} of the bed");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(what)?;
    let outside = listener.local_addr().context(what)?.port();
    let namespace = std::fs::File::open(format!("/proc/{pid}/ns/net")).context(what)?;
    let (send, receive) = std::sync::mpsc::channel();
    thread::spawn(move || {
        use std::os::fd::AsFd as _;
        let kind = rustix::thread::LinkNameSpaceType::Network;
        let moved = rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(kind));
        drop(namespace);
        let failed = moved.is_err();
        send.send(moved).ok();
        if failed {
            return;
        }
        for client in listener.incoming().flatten() {
            // Connects on this thread: new threads inherit its namespace as well, but this does not depend on it.
            let server =
                TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_secs(5));
            let Ok(server) = server else { continue };
            if let Err(error) = pump(client, server) {
                tracing::debug!(%error, "connection to the bed failed");
            }
        }
    });
    receive.recv().map_err(io::Error::other).and_then(|moved| Ok(moved?)).context(what)?;
    Ok(outside)
}

/// Copies in both directions until both sides are done.
fn pump(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let pairs = [(client.try_clone()?, server.try_clone()?), (server, client)];
    for (mut from, mut to) in pairs {
        thread::spawn(move || {
            io::copy(&mut from, &mut to).ok();
            to.shutdown(std::net::Shutdown::Write).ok();
        });
    }
    Ok(())
}
