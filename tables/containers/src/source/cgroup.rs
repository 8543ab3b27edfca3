//! Which container a process belongs to, as its cgroups tell.
//!
//! Every runtime puts a container's processes into a cgroup with the container's ID in its name. This needs neither the
//! runtime nor its permission: it works when the runtime is down, and for containers that it has forgotten.

/// A process's place, from `/proc/<pid>/cgroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The innermost container.
    pub(crate) container_id: String,
    /// The container around it, where one runs inside another.
    pub(crate) outer_container_id: Option<String>,
    /// The Kubernetes pod around it.
    pub(crate) pod_uid: Option<String>,
    /// What manages the innermost container, where the path says so.
    pub(crate) runtime: Option<&'static str>,
    /// The cgroup, below the hierarchy's mount point.
    pub(crate) path: String,
}

/// Reads the text of `/proc/<pid>/cgroup`: a line `number:controllers:path` for each hierarchy. Those without the
/// container (a controller that the runtime does not use) are passed over.
pub(crate) fn place(text: &str) -> Option<Place> {
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find_map(place_of_path)
}

/// The cgroup of a process of a container that is known: the one that bears its ID. `None` if the process is not the
/// container's, as where the runtime that named it runs in a virtual machine.
pub(crate) fn path_of(text: &str, container_id: &str) -> Option<String> {
    let mut paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.find(|path| path.split('/').any(|part| part.contains(container_id))).map(str::to_owned)
}

fn place_of_path(path: &str) -> Option<Place> {
    // A container that was deleted while processes held on to its cgroup.
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let mut containers = Vec::new();
    let mut pod_uid = None;
    for (depth, part) in parts.iter().enumerate() {
        if let Some(uid) = pod_uid_of(part) {
            pod_uid = Some(uid);
        }
        let above = depth.checked_sub(1).map_or("", |above| parts[above]);
        match container(part, above, depth) {
            Part::Container(id, runtime) => containers.push((id, runtime)),
            // The process that watches a container is not in it, though its cgroup bears the ID.
            Part::Monitor => return None,
            Part::Other => {}
        }
    }
    let (container_id, runtime) = containers.pop()?;
    let outer_container_id = containers.pop().map(|(id, _)| id);
    Some(Place { container_id, outer_container_id, pod_uid, runtime, path: path.to_owned() })
}

enum Part {
    Container(String, Option<&'static str>),
    Monitor,
    Other,
}

fn container(part: &str, above: &str, depth: usize) -> Part {
    // runc with a systemd path and without systemd: `system.slice:docker:<id>`.
    if let [_, prefix, id] = part.split(':').collect::<Vec<_>>()[..]
        && is_id(id)
    {
        return Part::Container(id.to_owned(), runtime(prefix));
    }
    let name = part.strip_suffix(".scope").unwrap_or(part);
    if is_id(name) {
        return match above {
            // A pod of Podman's; its containers lie below.
            "libpod_parent" => Part::Other,
            "docker" => Part::Container(name.to_owned(), Some("docker")),
            "default" | "moby" | "k8s.io" => Part::Container(name.to_owned(), Some("containerd")),
            _ => Part::Container(name.to_owned(), None),
        };
    }
    if let Some((prefix, id)) = name.rsplit_once('-')
        && is_id(id)
    {
        let is_monitor = prefix.ends_with("conmon");
        return if is_monitor { Part::Monitor } else { Part::Container(id.to_owned(), runtime(prefix)) };
    }
    // containerd's own client puts a container of any name below its default namespace.
    if depth == 1 && above == "default" {
        return Part::Container(name.to_owned(), Some("containerd"));
    }
    Part::Other
}

fn runtime(prefix: &str) -> Option<&'static str> {
    match prefix {
        "docker" => Some("docker"),
        "libpod" => Some("podman"),
        "cri-containerd" | "containerd" | "nerdctl" => Some("containerd"),
        "crio" => Some("cri-o"),
        _ => None,
    }
}

/// Container IDs are 256-bit numbers.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The pod of `pod<uid>` or `kubepods-burstable-pod<uid with underscores>.slice`, also before a colon.
fn pod_uid_of(part: &str) -> Option<String> {
    let name = part.split(':').next().unwrap_or(part);
    let name = name.strip_suffix(".slice").unwrap_or(name);
    let uid = match name.strip_prefix("pod") {
        Some(uid) => uid,
        None => name.strip_prefix("kubepods")?.rsplit_once("-pod")?.1,
    };
    let uid = uid.replace('_', "-");
    let is_uuid = uid.len() == 36 && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    // A static pod's UID is the hash of its manifest.
    let is_hash = uid.len() == 32 && uid.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_uuid || is_hash).then_some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "acdb5d7cdf1c0690e5079cd9931a9aa07873ae3f49181ac2472fa0596289f3a3";
    const B: &str = "883865241cdbce0a9dd3e50ec313d7885447016b9353c85db9f7038f2cf16028";
    const UID: &str = "0f5b1a2c-1111-2222-3333-444455556666";

    fn found(path: &str) -> Option<(String, Option<&'static str>, Option<String>)> {
        place(&format!("0::{path}\n")).map(|place| (place.container_id, place.runtime, place.pod_uid))
    }

    #[test]
    fn every_runtime_and_driver_is_known_by_its_path() {
        let pod = UID.replace('-', "_");
        let static_pod = "0123456789abcdef0123456789abcdef";
        for (path, runtime, uid) in [
            (format!("/docker/{A}"), Some("docker"), None),
            (format!("/system.slice/docker-{A}.scope"), Some("docker"), None),
            (format!("/system.slice/docker-{A}.scope/init.scope"), Some("docker"), None),
            (format!("/../docker-{A}.scope"), Some("docker"), None),
            (
                format!("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope"),
                Some("docker"),
                None,
            ),
            (format!("/libpod_parent/libpod-{A}"), Some("podman"), None),
            (format!("/libpod_parent/{B}/libpod-{A}"), Some("podman"), None),
            (format!("/machine.slice/libpod-{A}.scope/container"), Some("podman"), None),
            (format!("/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope"), Some("podman"), None),
            (format!("/kubepods/besteffort/pod{UID}/{A}"), None, Some(UID)),
            (format!("/kubepods/pod{static_pod}/{A}"), None, Some(static_pod)),
            (
                format!(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{pod}.slice/cri-containerd-{A}.scope"
                ),
                Some("containerd"),
                Some(UID),
            ),
            (format!("/kubepods.slice/kubepods-pod{pod}.slice/crio-{A}.scope"), Some("cri-o"), Some(UID)),
            (format!("/kubepods.slice/kubepods-pod{pod}.slice/docker-{A}.scope"), Some("docker"), Some(UID)),
            (
                format!("/system.slice/containerd.service/kubepods-besteffort-pod{pod}.slice:cri-containerd:{A}"),
                Some("containerd"),
                Some(UID),
            ),
            (format!("/default/{A}"), Some("containerd"), None),
            (format!("/ecs/{static_pod}/{A}"), None, None),
            (format!("/somewhere/{A} (deleted)"), None, None),
        ] {
            let expected = (A.to_owned(), runtime, uid.map(str::to_owned));
            assert_eq!(found(&path), Some(expected), "{path}");
        }
        assert_eq!(found("/default/web").map(|found| found.0).as_deref(), Some("web"));
    }

    #[test]
    fn what_only_looks_like_a_container_is_none() {
        for path in [
            "/".to_owned(),
            "/init.scope".to_owned(),
            "/user.slice/user-1000.slice/session-1.scope".to_owned(),
            "/process_api/efcd89d32cf2495c8141dbf8e90195bb".to_owned(),
            format!("/machine.slice/libpod-conmon-{A}.scope"),
            format!("/kubepods.slice/crio-conmon-{A}.scope"),
            format!("/libpod_parent/{A}/conmon"),
            format!("/machine.slice/machine-libpod_pod_{A}.slice"),
            format!("/docker/{}", A.to_uppercase()),
            "/docker".to_owned(),
            "/default".to_owned(),
        ] {
            assert_eq!(found(&path), None, "{path}");
        }
    }

    #[test]
    fn a_container_in_a_container_is_the_inner_one() {
        let place = place(&format!("0::/docker/{A}/kubelet/kubepods/pod{UID}/{B}\n")).expect("a container");
        assert_eq!((place.container_id.as_str(), place.outer_container_id.as_deref()), (B, Some(A)));
    }

    #[test]
    fn any_hierarchy_may_tell_and_broken_lines_do_not_matter() {
        let text = format!("12:cpuset:/\n\n7:pids\nnonsense\n4:memory:/docker/{A}\n1:name=systemd:/\n0::/\n");
        let place = place(&text).expect("a container");
        assert_eq!(place.path, format!("/docker/{A}"));
        assert_eq!(super::place(""), None);
        assert_eq!(path_of(&text, A).as_deref(), Some(place.path.as_str()));
        assert_eq!(path_of(&text, B), None);
    }
}
