//! What a path of a node gives to a container in which it is mounted.

/// Sockets of container runtimes. `/var/run` is a link to `/run`.
pub(crate) const SOCKETS: [&str; 7] = [
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/docker.sock",
    "/run/cri-dockerd.sock",
    "/run/dockershim.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/podman/podman.sock",
];

/// Directories and files with credentials of the node or of its users.
const CREDENTIALS: [&str; 9] = [
    "/etc/kubernetes",
    "/etc/shadow",
    "/etc/ssh",
    "/home",
    "/proc",
    "/root",
    "/var/lib/kubelet/kubeconfig",
    "/var/lib/kubelet/pki",
    "/var/lib/rancher",
];

/// Directories from which the node runs programs, or whose files control it.
const CONTROL: [&str; 24] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run/systemd",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/cloud",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/var/lib/etcd",
    "/var/lib/systemd",
    "/var/spool/at",
    "/var/spool/cron",
];

/// Files below the directories of [`CONTROL`] that control nothing: sockets and data that many agents write.
const HARMLESS: [&str; 6] =
    ["/dev/log", "/dev/null", "/dev/shm", "/etc/localtime", "/sys/kernel/debug", "/sys/kernel/tracing"];

/// Where the kernel reads what it runs for core dumps.
pub(crate) const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";
/// Directory with the tokens of all pods.
pub(crate) const KUBELET_PODS: &str = "/var/lib/kubelet/pods";
/// Directory whose links the kubelet follows when it serves logs.
pub(crate) const LOGS: &str = "/var/log";

/// A path without `.`, `..`, repeated slashes and the link `/var/run`.
pub(crate) fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    if parts.starts_with(&["var", "run"]) {
        parts.remove(0);
    }
    format!("/{}", parts.join("/"))
}

/// Whether a plain path is a directory, or something in it.
pub(crate) fn is_in(path: &str, directory: &str) -> bool {
    directory == "/" || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a mount of a path contains a file or directory, or a part of it.
fn touches(path: &str, target: &str) -> bool {
    is_in(target, path) || is_in(path, target)
}

/// Credentials of the node that a mounted path shows.
pub(crate) fn credentials(path: &str) -> Option<&'static str> {
    CREDENTIALS.into_iter().find(|target| touches(path, target))
}

/// The part of the node that whoever writes to a mounted path controls.
pub(crate) fn control(path: &str) -> Option<&'static str> {
    let is_harmless = HARMLESS.iter().any(|harmless| is_in(path, harmless));
    CONTROL.into_iter().find(|target| !is_harmless && touches(path, target))
}

/// The socket of a container runtime that is at a mounted path, or below it.
pub(crate) fn socket(path: &str) -> Option<&'static str> {
    SOCKETS.into_iter().find(|socket| is_in(socket, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_by_their_parts() {
        for (path, expected) in
            [("/", "/"), ("", "/"), ("//a/./b/", "/a/b"), ("/a/../b", "/b"), ("/../..", "/"), ("/var/run/x", "/run/x")]
        {
            assert_eq!(plain(path), expected, "{path}");
        }
        assert!(is_in("/etc/ssh", "/etc") && is_in("/etc", "/etc") && is_in("/x", "/"));
        assert!(!is_in("/etcd", "/etc") && !is_in("/", "/etc"));
    }

    #[test]
    fn what_a_path_gives() {
        for (path, reads, writes, is_socket) in [
            ("/", true, true, true),
            ("/etc", true, true, false),
            ("/etc/localtime", false, false, false),
            ("/home/ada/.ssh", true, true, false),
            ("/var", true, true, false),
            ("/var/log", false, false, false),
            ("/data/shared", false, false, false),
            ("/opt/cni/bin", false, true, false),
            ("/run", false, true, true),
            ("/run/docker.sock", false, false, true),
            ("/run/containerd", false, false, true),
            ("/run/udev", false, false, false),
            ("/sys/fs/cgroup", false, true, false),
            ("/sys/kernel/debug", false, false, false),
        ] {
            let found = (credentials(path).is_some(), control(path).is_some(), socket(path).is_some());
            assert_eq!(found, (reads, writes, is_socket), "{path}");
        }
    }
}
