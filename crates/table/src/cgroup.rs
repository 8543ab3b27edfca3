//! Finds the container of a process from its cgroups.
//!
//! Every runtime puts a container's processes into a cgroup with the container's ID in its name. Reading it needs
//! neither the runtime nor its permission: it works when the runtime is down, and for containers that the runtime no
//! longer lists.

/// A process's container, from `/proc/<pid>/cgroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The innermost container.
    pub container_id: String,
    /// The container around it, if containers are nested.
    pub outer_container_id: Option<String>,
    /// The UID of its Kubernetes pod, as its kubelet knows it.
    pub pod_uid: Option<String>,
    /// The runtime of the innermost container, if the path identifies it.
    pub runtime: Option<&'static str>,
    /// The cgroup, below the hierarchy's mount point.
    pub path: String,
}

/// Parses `/proc/<pid>/cgroup`. Hierarchies may differ (a controller that the runtime does not use, or that only the
/// outer of two runtimes uses); the most specific one is used.
pub fn place(text: &str) -> Option<Place> {
    let says = |place: &Place| (place.outer_container_id.is_some(), place.pod_uid.is_some(), place.runtime.is_some());
    paths(text).filter_map(place_of_path).reduce(|best, other| if says(&other) > says(&best) { other } else { best })
}

/// The cgroup of a process in a known container: the one with the container's ID. `None` if the process is not in the
/// container, for example because the runtime runs in a virtual machine.
pub fn path_of(text: &str, container_id: &str) -> Option<String> {
    paths(text).find(|path| path.split('/').any(|segment| bears(segment, container_id))).map(str::to_owned)
}

/// The path of each line `number:controllers:path`.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    // The kernel's suffix if a container was deleted while processes still used its cgroup.
    paths.map(|path| path.strip_suffix(" (deleted)").unwrap_or(path))
}

/// Whether a cgroup's name contains the container's ID.
fn bears(segment: &str, container_id: &str) -> bool {
    if container_id.is_empty() {
        return false;
    }
    let name = segment.strip_suffix(".scope").unwrap_or(segment);
    if name == container_id || segment.strip_prefix(LXC_PAYLOAD) == Some(container_id) {
        return true;
    }
    let prefix = name.strip_suffix(container_id).and_then(|before| before.strip_suffix(['-', ':', '_']));
    // A short ID could be the end of any name.
    prefix.is_some_and(|prefix| !is_monitor(prefix) && (is_id(container_id) || runtime(prefix).is_some()))
}

fn place_of_path(path: &str) -> Option<Place> {
    // `..` leaves the reader's own cgroup namespace.
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty() && *segment != "..").collect();
    let mut containers: Vec<(String, Option<&'static str>)> = Vec::new();
    let (mut pod, mut pod_around) = (None, None);
    // Depth at which the paths begin that runtimes inside the innermost container created.
    let mut inside = 0;
    for (depth, segment) in segments.iter().enumerate() {
        let above = &segments[inside..depth];
        pod = pod_uid(segment, above).or(pod);
        if let Some((id, runtime)) = container(segment, above, segments.get(depth + 1).copied()) {
            if containers.last().is_none_or(|(last, _)| *last != id) {
                containers.push((id, runtime));
            }
            pod_around.clone_from(&pod);
            inside = depth + 1;
        }
    }
    let (container_id, runtime) = containers.pop()?;
    let outer_container_id = containers.pop().map(|(id, _)| id);
    Some(Place { container_id, outer_container_id, pod_uid: pod_around, runtime, path: path.to_owned() })
}

/// The container whose cgroup a segment is, with its runtime. `above` are the segments between it and the container
/// around it.
fn container(segment: &str, above: &[&str], next: Option<&str>) -> Option<(String, Option<&'static str>)> {
    let found = |id: &str, runtime| Some((id.to_owned(), runtime));
    let name = segment.strip_suffix(".scope").unwrap_or(segment);
    let folder = above.last().copied().unwrap_or_default();
    if is_id(name) {
        return match folder {
            // A pod of Podman; its containers are below.
            "libpod_parent" => None,
            "docker" => found(name, Some("docker")),
            "default" | "moby" | "k8s.io" => found(name, Some("containerd")),
            _ => found(name, None),
        };
    }
    // `docker-<id>.scope`, `kata_<id>`, and `system.slice:docker:<id>` of runc with a systemd path and without systemd.
    if let Some((prefix, id)) = name.rsplit_once(['-', ':', '_'])
        && is_id(id)
    {
        return if is_monitor(prefix) { None } else { found(id, runtime(prefix)) };
    }
    // Fargate: a task's ID and a number.
    if let Some((task, number)) = name.split_once('-')
        && is_hex(task, 32)
        && is_number(number)
    {
        return found(name, None);
    }
    // BuildKit runs the steps of a build in its own containers; dockerd's BuildKit runs them among Docker's.
    let step = name.strip_prefix("docker-").or((folder == "buildkit").then_some(name));
    if let Some(step) = step.filter(|step| is_build_step(step)) {
        return found(step, Some("buildkit"));
    }
    if let Some(name) = segment.strip_prefix(LXC_PAYLOAD).or(matches!(folder, "lxc" | "lxc.payload").then_some(segment))
    {
        return found(name, Some("lxc"));
    }
    let machine = segment.strip_prefix("systemd-nspawn@").and_then(|rest| rest.strip_suffix(".service"));
    let machine = machine.or(segment.strip_prefix("machine-").and_then(|rest| rest.strip_suffix(".scope")));
    if let Some(machine) = machine
        && next == Some("payload")
    {
        return found(&machine.replace("\\x2d", "-"), Some("systemd-nspawn"));
    }
    // containerd's own client puts a container of any name below its namespace.
    matches!(above, ["default" | "k8s.io"]).then(|| (name.to_owned(), Some("containerd")))
}

const LXC_PAYLOAD: &str = "lxc.payload.";

/// The runtime of a prefix such as `docker`, `libpod-payload` or `system.slice:docker`.
fn runtime(prefix: &str) -> Option<&'static str> {
    match prefix.rsplit(':').next().unwrap_or(prefix) {
        "docker" => Some("docker"),
        "libpod" | "libpod-payload" => Some("podman"),
        "cri-containerd" | "containerd" | "nerdctl" => Some("containerd"),
        "crio" => Some("cri-o"),
        _ => None,
    }
}

/// The process that monitors a container is not in it, although its cgroup has the ID.
fn is_monitor(prefix: &str) -> bool {
    prefix.ends_with("conmon")
}

/// Container IDs are 256-bit numbers.
fn is_id(text: &str) -> bool {
    is_hex(text, 64)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// BuildKit's IDs are 25 digits of base 36.
fn is_build_step(text: &str) -> bool {
    text.len() == 25 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The UID of the pod whose cgroup a segment is.
///
/// A kubelet builds the name of a pod's cgroup from components: its own root if it has one, `kubepods`, the QoS class
/// unless it is Guaranteed, and `pod<uid>`. The cgroupfs driver makes a directory of each. The systemd driver writes
/// `-` in a component as `_`, and makes one slice whose name is all components joined by `-`.
fn pod_uid(segment: &str, above: &[&str]) -> Option<String> {
    // runc without systemd makes one name of a slice and a container: `<slice>:cri-containerd:<id>`.
    let name = segment.split(':').next().unwrap_or(segment);
    let is_class = |component: &&str| matches!(*component, "burstable" | "besteffort");
    let (parent, uid) = match name.strip_suffix(".slice") {
        Some(slice) => {
            let mut components = slice.rsplit('-');
            let uid = components.next()?.strip_prefix("pod")?.replace('_', "-");
            (components.find(|component| !is_class(component)), uid)
        }
        None => {
            (above.iter().rev().copied().find(|component| !is_class(component)), name.strip_prefix("pod")?.to_owned())
        }
    };
    // A manifest in the kubelet's directory may have any UID. If the path begins below the kubelet's root (in a cgroup
    // namespace), only the two usual forms can be distinguished from other names.
    let is_kubelets = parent == Some("kubepods") && !uid.is_empty();
    (is_kubelets || is_uuid(&uid) || is_hex(&uid, 32)).then_some(uid)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && is_hex(&text.replace('-', ""), 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "acdb5d7cdf1c0690e5079cd9931a9aa07873ae3f49181ac2472fa0596289f3a3";
    const B: &str = "883865241cdbce0a9dd3e50ec313d7885447016b9353c85db9f7038f2cf16028";
    const UID: &str = "0f5b1a2c-1111-2222-3333-444455556666";
    const ESCAPED: &str = "0f5b1a2c_1111_2222_3333_444455556666";
    const HASH: &str = "0123456789abcdef0123456789abcdef";
    const STEP: &str = "zq2h7v0b1k3m5n7p9r1t3w5x7";

    fn found(path: &str) -> Option<(String, Option<&'static str>, Option<String>)> {
        place(&format!("0::{path}\n")).map(|place| (place.container_id, place.runtime, place.pod_uid))
    }

    #[track_caller]
    fn check(path: &str, id: &str, runtime: Option<&'static str>, uid: Option<&str>) {
        assert_eq!(found(path), Some((id.to_owned(), runtime, uid.map(str::to_owned))), "{path}");
    }

    #[test]
    fn every_runtime_is_known_by_its_path() {
        for (path, runtime) in [
            (format!("/docker/{A}"), Some("docker")),
            (format!("/system.slice/docker-{A}.scope"), Some("docker")),
            (format!("/system.slice/docker-{A}.scope/init.scope"), Some("docker")),
            (format!("/../docker-{A}.scope"), Some("docker")),
            (format!("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope"), Some("docker")),
            (format!("/system.slice:docker:{A}"), Some("docker")),
            (format!("/ecstasks.slice/ecstasks-{HASH}.slice/docker-{A}.scope"), Some("docker")),
            (format!("/actions_job/{A}"), None),
            (format!("/system.slice/balena-{A}.scope"), None),
            (format!("/libpod_parent/libpod-{A}"), Some("podman")),
            (format!("/libpod_parent/{B}/libpod-{A}"), Some("podman")),
            (format!("/machine.slice/libpod-{A}.scope/container"), Some("podman")),
            (format!("/machine.slice/libpod-{A}.scope/container/init.scope"), Some("podman")),
            (format!("/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope"), Some("podman")),
            (
                format!(
                    "/user.slice/user-0.slice/user@0.service/user.slice/user-libpod_pod_{B}.slice/libpod-{A}.scope/container"
                ),
                Some("podman"),
            ),
            (format!("/system.slice/web.service/libpod-payload-{A}"), Some("podman")),
            (format!("/system.slice/nerdctl-{A}.scope"), Some("containerd")),
            (format!("/default/{A}"), Some("containerd")),
            (format!("/k8s.io/{A}"), Some("containerd")),
            (format!("/moby/{A}"), Some("containerd")),
            (format!("/kata_{A}"), None),
            (format!("/ecs/{HASH}/{A}"), None),
            (format!("/somewhere/{A} (deleted)"), None),
        ] {
            check(&path, A, runtime, None);
        }
        let task = format!("{HASH}-2531612879");
        for (path, id, runtime) in [
            (format!("/ecs/{HASH}/{task}"), task.as_str(), None),
            (format!("/../{task}"), task.as_str(), None),
            ("/default/web".to_owned(), "web", Some("containerd")),
            ("/k8s.io/web".to_owned(), "web", Some("containerd")),
            (format!("/docker/buildkit/{STEP}"), STEP, Some("buildkit")),
            (format!("/buildkit/{STEP}"), STEP, Some("buildkit")),
            (format!("/system.slice/docker-{STEP}.scope"), STEP, Some("buildkit")),
            ("/lxc.payload.web/system.slice/cron.service".to_owned(), "web", Some("lxc")),
            ("/lxc.payload/web".to_owned(), "web", Some("lxc")),
            ("/lxc/web/init.scope".to_owned(), "web", Some("lxc")),
            (
                "/machine.slice/systemd-nspawn@a\\x2db.service/payload/init.scope".to_owned(),
                "a-b",
                Some("systemd-nspawn"),
            ),
            ("/machine.slice/machine-web.scope/payload".to_owned(), "web", Some("systemd-nspawn")),
        ] {
            check(&path, id, runtime, None);
        }
    }

    #[test]
    fn a_kubelet_s_pods_are_known_below_any_root_with_either_driver() {
        for root in ["", "kubelet", "pods", "k8s/a_b"] {
            for class in ["", "burstable", "besteffort"] {
                for (uid, escaped) in [(UID, ESCAPED), (HASH, HASH), ("my-own.uid", "my_own.uid")] {
                    let components: Vec<&str> =
                        root.split('/').chain(["kubepods", class]).filter(|component| !component.is_empty()).collect();
                    let folders = format!("/{}/pod{uid}", components.join("/"));
                    check(&format!("{folders}/{A}"), A, None, Some(uid));
                    check(&format!("{folders}/crio-{A}"), A, Some("cri-o"), Some(uid));
                    check(&format!("/docker/{B}{folders}/{A}"), A, None, Some(uid));
                    let slices = (1..=components.len()).map(|end| format!("/{}.slice", components[..end].join("-")));
                    let pod = format!("{}-pod{escaped}.slice", components.join("-"));
                    let slices = format!("{}/{pod}", slices.collect::<String>());
                    for (scope, runtime) in [
                        (format!("cri-containerd-{A}.scope"), "containerd"),
                        (format!("crio-{A}.scope"), "cri-o"),
                        (format!("crio-{A}.scope/container"), "cri-o"),
                        (format!("docker-{A}.scope"), "docker"),
                    ] {
                        check(&format!("{slices}/{scope}"), A, Some(runtime), Some(uid));
                        check(&format!("/../../../{pod}/{scope}"), A, Some(runtime), Some(uid));
                        check(&format!("/system.slice/docker-{B}.scope{slices}/{scope}"), A, Some(runtime), Some(uid));
                    }
                    let path = format!("/system.slice/containerd.service/{pod}:cri-containerd:{A}");
                    check(&path, A, Some("containerd"), Some(uid));
                }
            }
        }
        check(&format!("/../../pod{UID}/{A}"), A, None, Some(UID));
        check(&format!("/../pod{HASH}/{A}"), A, None, Some(HASH));
        for path in [format!("/podcasts/{A}"), format!("/system-podcasts.slice/{A}"), format!("/kubepods/pod/{A}")] {
            check(&path, A, None, None);
        }
    }

    #[test]
    fn what_only_looks_like_a_container_is_none() {
        for path in [
            "/".to_owned(),
            "/init.scope".to_owned(),
            "/user.slice/user-1000.slice/session-1.scope".to_owned(),
            "/process_api/efcd89d32cf2495c8141dbf8e90195bb".to_owned(),
            format!("/machine.slice/libpod-conmon-{A}.scope"),
            format!("/kubepods.slice/kubepods-pod{ESCAPED}.slice/crio-conmon-{A}.scope"),
            format!("/libpod_parent/{A}/conmon"),
            format!("/machine.slice/machine-libpod_pod_{A}.slice"),
            format!("/system.slice/{A}.service"),
            format!("/kubepods.slice/kubepods-pod{ESCAPED}.slice"),
            format!("/docker/{}", A.to_uppercase()),
            "/docker".to_owned(),
            "/docker/buildkit".to_owned(),
            "/default".to_owned(),
            "/system.slice/docker-registry.service".to_owned(),
            "/lxc.monitor.web".to_owned(),
            "/machine.slice/systemd-nspawn@web.service/supervisor".to_owned(),
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator".to_owned(),
            format!("/system.slice/run-r{HASH}.scope"),
        ] {
            assert_eq!(found(&path), None, "{path}");
        }
    }

    #[test]
    fn a_container_in_a_container_is_the_inner_one() {
        for (path, pod) in [
            (format!("/docker/{A}/kubelet/kubepods/pod{UID}/{B}"), Some(UID)),
            (format!("/docker/{A}/docker/{B}"), None),
            (format!("/system.slice/docker-{A}.scope/docker/{B}/init"), None),
            (format!("/kubepods/burstable/pod{UID}/{A}/docker/{B}"), Some(UID)),
            // A process that may create cgroups below a container's can name them freely.
            (format!("/kubepods/burstable/pod{UID}/{A}/docker/{B}/kubepods/pod{HASH}"), Some(UID)),
            (format!("/docker/{A}/docker/{B}/libpod-conmon-{A}.scope"), None),
        ] {
            let place = place(&format!("0::{path}\n")).expect("a container");
            assert_eq!((place.container_id.as_str(), place.outer_container_id.as_deref()), (B, Some(A)), "{path}");
            assert_eq!(place.pod_uid.as_deref(), pod, "{path}");
        }
        let path = format!("/docker/{A}/default/web");
        let place = place(&format!("0::{path}\n")).expect("a container");
        assert_eq!((place.container_id.as_str(), place.outer_container_id.as_deref()), ("web", Some(A)));
    }

    #[test]
    fn the_hierarchy_that_says_most_is_taken_and_broken_lines_do_not_matter() {
        let text = format!("12:cpuset:/\n\n7:pids\nnonsense\n4:memory:/docker/{A}\n1:name=systemd:/\n0::/\n");
        let place = place(&text).expect("a container");
        assert_eq!(place.path, format!("/docker/{A}"));
        assert_eq!(super::place(""), None);
        let text = format!("9:rdma:/docker/{A}\n8:cpu:/docker/{A}/kubepods/pod{UID}/{B}\n0::/docker/{A}\n");
        let place = super::place(&text).expect("a container");
        assert_eq!((place.container_id.as_str(), place.pod_uid.as_deref()), (B, Some(UID)));
    }

    #[test]
    fn a_known_container_s_cgroup_is_told_from_others_that_have_its_id_in_their_names() {
        for (path, id) in [
            (format!("/docker/{A}"), A),
            (format!("/machine.slice/libpod-{A}.scope/container"), A),
            (format!("/system.slice:docker:{A}"), A),
            (format!("/docker/{A} (deleted)"), A),
            ("/own/web".to_owned(), "web"),
            ("/system.slice/nerdctl-web.scope".to_owned(), "web"),
            ("/lxc.payload.web".to_owned(), "web"),
        ] {
            assert!(path_of(&format!("4:memory:/\n0::{path}\n"), id).is_some(), "{path}");
        }
        for (path, id) in [
            (format!("/docker/{A}"), B),
            (format!("/machine.slice/libpod-conmon-{A}.scope"), A),
            ("/system.slice/web-server.service".to_owned(), "web"),
            ("/user.slice/user-0.slice/session-1.scope".to_owned(), "1"),
            ("/system.slice".to_owned(), "slice"),
            ("/".to_owned(), ""),
        ] {
            assert_eq!(path_of(&format!("0::{path}\n"), id), None, "{path} {id}");
        }
    }
}
