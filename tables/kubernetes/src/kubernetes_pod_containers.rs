//! `kubernetes_pod_containers`: one row per container of a pod.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::PodMeta;
use crate::pod_spec::{KUBELET_UID, set_kubelet_uid};
use crate::resource::{Derived, Resource, listed, misfits};

/// Containers of pods: init, regular and ephemeral containers, with their specification and status.
///
/// `uid`, `namespace`, `creation_timestamp`, `labels` and `annotations` are those of the pod.
///
/// `container_id` is the ID alone, as in `containers.container_id` and `container_processes.container_id`.
/// `container_uri` is the API's form, with the runtime (`containerd://..`). Settings of the security context that a
/// container lacks, such as `run_as_user`, come from its pod, as for the kubelet.
///
/// Constraints on `cluster`, `namespace`, `pod_name`, `node_name` and `service_account_name` are applied by the API
/// server. If a query also reads `kubernetes_pods`, the pods are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_pod_containers", env = Kubernetes, stream, rows = 1000, identity(pod_uid, container_type, name))]
#[resource("v1/pods", namespaced)]
#[example(
    "Privileged containers.",
    "SELECT namespace, pod_name, name, image, node_name FROM kubernetes_pod_containers WHERE privileged"
)]
#[example(
    "Number of running containers per image.",
    "SELECT image, count(*) AS containers FROM kubernetes_pod_containers WHERE status = 'running' GROUP BY image"
)]
pub struct PodContainer {
    #[column(flatten)]
    meta: PodMeta,
    /// SELinux user.
    #[column(path = "container.securityContext.seLinuxOptions.user")]
    se_linux_options_user: Option<String>,
    /// SELinux role.
    #[column(path = "container.securityContext.seLinuxOptions.role")]
    se_linux_options_role: Option<String>,
    /// SELinux type.
    #[column(path = "container.securityContext.seLinuxOptions.type")]
    se_linux_options_type: Option<String>,
    /// SELinux level.
    #[column(path = "container.securityContext.seLinuxOptions.level")]
    se_linux_options_level: Option<String>,
    /// Name of the Windows service account (GMSA) specification.
    #[column(path = "container.securityContext.windowsOptions.gmsaCredentialSpecName")]
    windows_options_gmsa_credential_spec_name: Option<String>,
    /// Content of the Windows service account (GMSA) specification.
    #[column(path = "container.securityContext.windowsOptions.gmsaCredentialSpec")]
    windows_options_gmsa_credential_spec: Option<String>,
    /// Windows user.
    #[column(path = "container.securityContext.windowsOptions.runAsUserName")]
    windows_options_run_as_user_name: Option<String>,
    /// Seccomp profile: `RuntimeDefault`, `Localhost` or `Unconfined`.
    #[column(path = "container.securityContext.seccompProfile.type")]
    seccomp_profile_type: Option<String>,
    /// Path of the `Localhost` seccomp profile on the node.
    #[column(path = "container.securityContext.seccompProfile.localhostProfile")]
    seccomp_profile_localhost_profile: Option<String>,
    /// User ID of the process; NULL for the image's default.
    #[column(path = "container.securityContext.runAsUser")]
    run_as_user: Option<i64>,
    /// Group ID of the process; NULL for the runtime's default.
    #[column(path = "container.securityContext.runAsGroup")]
    run_as_group: Option<i64>,
    /// Whether the kubelet refuses to start it as root.
    #[column(path = "container.securityContext.runAsNonRoot")]
    run_as_non_root: Option<bool>,
    /// Added capabilities without `CAP_`, such as `SYS_ADMIN`.
    #[column(path = "container.securityContext.capabilities.add")]
    capabilities_add: Vec<String>,
    /// Dropped capabilities; `ALL` means all of them.
    #[column(path = "container.securityContext.capabilities.drop")]
    capabilities_drop: Vec<String>,
    /// Whether it is privileged: root in it has the rights of root on the node.
    #[column(path = "container.securityContext.privileged")]
    privileged: bool,
    /// Whether its root file system is read-only.
    #[column(path = "container.securityContext.readOnlyRootFilesystem")]
    read_only_root_filesystem: bool,
    /// Whether a process may gain more privileges than its parent; NULL means yes.
    #[column(path = "container.securityContext.allowPrivilegeEscalation")]
    allow_privilege_escalation: Option<bool>,
    /// How `/proc` is mounted: `Default` or `Unmasked`.
    #[column(path = "container.securityContext.procMount")]
    proc_mount: Option<String>,
    /// Container whose processes an ephemeral container sees.
    #[column(path = "container.targetContainerName")]
    target_container_name: Option<String>,
    /// Image in the specification.
    #[column(path = "container.image")]
    image: Option<String>,
    /// Command, which replaces the image's entry point; empty for the image's.
    #[column(path = "container.command")]
    command: Vec<String>,
    /// Arguments; empty for the image's.
    #[column(path = "container.args")]
    args: Vec<String>,
    /// Working directory; NULL for the image's.
    #[column(path = "container.workingDir")]
    working_dir: Option<String>,
    /// Declared ports.
    #[column(path = "container.ports")]
    ports: Option<Json>,
    /// Config maps and secrets whose entries become environment variables.
    #[column(path = "container.envFrom")]
    env_from: Option<Json>,
    /// Environment variables, as a list of name and value, or of name and source of the value.
    #[column(path = "container.env")]
    env: Option<Json>,
    /// Resource limits, as quantities: `resource_limits['memory']`.
    #[column(path = "container.resources.limits")]
    resource_limits: Map,
    /// Resource requests, as quantities.
    #[column(path = "container.resources.requests")]
    resource_requests: Map,
    /// Mounted volumes, as a list of name, path and whether the mount is read-only.
    #[column(path = "container.volumeMounts")]
    volume_mounts: Option<Json>,
    /// Volumes used as block devices.
    #[column(path = "container.volumeDevices")]
    volume_devices: Option<Json>,
    /// Liveness probe: the container is restarted if it fails.
    #[column(path = "container.livenessProbe")]
    liveness_probe: Option<Json>,
    /// Readiness probe: whether the container can serve.
    #[column(path = "container.readinessProbe")]
    readiness_probe: Option<Json>,
    /// Startup probe: whether the container has started.
    #[column(path = "container.startupProbe")]
    startup_probe: Option<Json>,
    /// Hooks that run after its start and before its end.
    #[column(path = "container.lifecycle")]
    lifecycle: Option<Json>,
    /// Path in the container of the file with its termination message.
    #[column(path = "container.terminationMessagePath")]
    termination_message_path: Option<String>,
    /// Source of the termination message: `File` or `FallbackToLogsOnError`.
    #[column(path = "container.terminationMessagePolicy")]
    termination_message_policy: Option<String>,
    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[column(path = "container.imagePullPolicy")]
    image_pull_policy: Option<String>,
    /// Whether its standard input stays open.
    #[column(path = "container.stdin")]
    stdin: bool,
    /// Whether its standard input is closed after the first client disconnects.
    #[column(path = "container.stdinOnce")]
    stdin_once: bool,
    /// Whether it has a terminal.
    #[column(path = "container.tty")]
    tty: bool,
    /// Name of the pod.
    #[column(index(field), path = "metadata.name")]
    pod_name: String,
    /// `init`, `container` or `ephemeral`.
    #[column(path = "container.kind")]
    container_type: String,
    /// State with times and reasons; NULL until the kubelet reports one.
    #[column(path = "containerStatus.state")]
    state: Option<Json>,
    /// State in which its last run ended.
    #[column(path = "containerStatus.lastState")]
    last_termination_state: Option<Json>,
    /// Whether it is ready to serve.
    #[column(path = "containerStatus.ready")]
    ready: Option<bool>,
    /// Number of restarts.
    #[column(path = "containerStatus.restartCount")]
    restart_count: Option<i64>,
    /// Running image, as the runtime names it.
    #[column(path = "containerStatus.imageID")]
    image_id: Option<String>,
    /// ID of the container at its runtime, without the runtime's name; NULL until it is created.
    #[column(path = "containerStatus.id")]
    container_id: Option<String>,
    /// Whether it has passed its startup probe.
    #[column(path = "containerStatus.started")]
    started: Option<bool>,
    /// ID of the container with its runtime, as in the API: `containerd://<id>`.
    #[column(path = "containerStatus.containerID")]
    container_uri: Option<String>,
    /// Runtime of the container: `containerd`, `cri-o`, `docker`.
    #[column(path = "containerStatus.runtime")]
    container_runtime: Option<String>,
    /// Digest in `image_id`: `sha256:..`.
    #[column(path = "containerStatus.digest")]
    image_digest: Option<String>,
    /// `waiting`, `running` or `terminated`.
    #[column(path = "containerStatus.status")]
    status: Option<String>,
    /// Why it is waiting or terminated, such as `CrashLoopBackOff` or `OOMKilled`.
    #[column(path = "containerStatus.reason")]
    status_reason: Option<String>,
    /// Exit code, if it is terminated.
    #[column(path = "containerStatus.exitCode")]
    exit_code: Option<i64>,
    /// Start time of its current or last run.
    #[column(path = "containerStatus.startedAt")]
    started_at: Option<Timestamp>,
    /// UID of the pod; the same as `uid`.
    #[column(path = "metadata.uid")]
    pod_uid: String,
    /// UID of the pod at its kubelet, as in `kubernetes_pods.kubelet_uid`. Joins `pod_uid` of `container_processes` and
    /// `containers`, including those of static pods.
    #[column(path = "kubeletUid")]
    kubelet_uid: String,
    /// Phase of the pod: `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    #[column(slice(field), path = "status.phase")]
    phase: Option<String>,
    /// Node of the pod.
    #[column(slice(field), path = "spec.nodeName")]
    node_name: Option<String>,
    /// Service account of the pod.
    #[column(slice(field), path = "spec.serviceAccountName")]
    service_account_name: Option<String>,
    /// Whether the pod uses the node's network namespace.
    #[column(path = "spec.hostNetwork")]
    host_network: bool,
    /// Whether the pod uses the node's process namespace.
    #[column(path = "spec.hostPID")]
    host_pid: bool,
    /// Whether the pod uses the node's IPC namespace.
    #[column(path = "spec.hostIPC")]
    host_ipc: bool,
    /// AppArmor profile: `RuntimeDefault`, `Localhost` or `Unconfined`; NULL in clusters before 1.30.
    #[column(path = "container.securityContext.appArmorProfile.type")]
    app_armor_profile_type: Option<String>,
}

/// A path in the status of each container, whatever its kind.
macro_rules! in_statuses {
    ($path:literal) => {
        [
            concat!("status.initContainerStatuses.*.", $path),
            concat!("status.containerStatuses.*.", $path),
            concat!("status.ephemeralContainerStatuses.*.", $path),
        ]
    };
}
impl Resource for PodContainer {
    const ALWAYS: &'static [&'static str] =
        &["spec.initContainers.*.name", "spec.containers.*.name", "spec.ephemeralContainers.*.name"];
    const DERIVED: Derived = &[
        ("container", &["spec.initContainers.*.{}", "spec.containers.*.{}", "spec.ephemeralContainers.*.{}"]),
        ("container.securityContext", &["spec.securityContext.{}"]),
        ("containerStatus", &in_statuses!("name")),
        ("containerStatus", &in_statuses!("{}")),
        ("containerStatus.id", &in_statuses!("containerID")),
        ("containerStatus.runtime", &in_statuses!("containerID")),
        ("containerStatus.digest", &in_statuses!("imageID")),
        ("containerStatus.status", &in_statuses!("state")),
        ("containerStatus.reason", &in_statuses!("state")),
        ("containerStatus.exitCode", &in_statuses!("state")),
        ("containerStatus.startedAt", &in_statuses!("state")),
        KUBELET_UID,
    ];

    fn documents(mut pod: Document) -> Vec<Result<Document>> {
        set_kubelet_uid(&mut pod);
        let mut take = |path: &str| pod.pointer_mut(path).map(Document::take).unwrap_or_default();
        let inherited = take("/spec/securityContext");
        let (mut containers, mut errors) = (Vec::new(), Vec::new());
        for (place, statuses_place, kind) in LISTS {
            let (list, statuses) = (take(place), take(statuses_place));
            for (list, place) in [(&list, place), (&statuses, statuses_place)] {
                errors.extend(misfits(list, &place[1..].replace('/', ".")));
            }
            let Document::Array(list) = list else { continue };
            for mut container in list.into_iter().filter(Document::is_object) {
                inherit(&mut container["securityContext"], &inherited);
                container["kind"] = kind.into();
                let status =
                    statuses.as_array().and_then(|all| all.iter().find(|one| one["name"] == container["name"]));
                containers.push((container, status.map(status_of)));
            }
        }
        let document = |(container, status): (Document, Option<Document>)| {
            let mut document = pod.clone();
            document["container"] = container;
            document["containerStatus"] = status.unwrap_or_default();
            Ok(document)
        };
        containers.into_iter().map(document).chain(errors).collect()
    }
}

listed!(PodContainer);

/// Where a pod has its containers and their statuses, and the names of their kinds.
const LISTS: [(&str, &str, &str); 3] = [
    ("/spec/initContainers", "/status/initContainerStatuses", "init"),
    ("/spec/containers", "/status/containerStatuses", "container"),
    ("/spec/ephemeralContainers", "/status/ephemeralContainerStatuses", "ephemeral"),
];

/// Settings of a pod's security context that apply to containers without these settings.
const INHERITED: [&str; 7] = [
    "seLinuxOptions",
    "windowsOptions",
    "seccompProfile",
    "appArmorProfile",
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
];

fn inherit(context: &mut Document, pod: &Document) {
    for setting in INHERITED {
        if let Some(value) = pod.get(setting)
            && context.get(setting).is_none_or(Document::is_null)
            && (context.is_object() || context.is_null())
        {
            context[setting] = value.clone();
        }
    }
}

/// A container's status, with values that are easier to query than the texts and states that contain them.
fn status_of(status: &Document) -> Document {
    let mut status = status.clone();
    if let Some((runtime, id)) = status["containerID"].as_str().and_then(|uri| uri.split_once("://")) {
        let (runtime, id) = (runtime.to_owned(), id.to_owned());
        status["runtime"] = runtime.into();
        status["id"] = id.into();
    }
    if let Some(digest) =
        status["imageID"].as_str().and_then(|image| image.find("sha256:").map(|at| image[at..].to_owned()))
    {
        status["digest"] = digest.into();
    }
    let state = status["state"].as_object().and_then(|states| states.iter().next());
    if let Some((state, details)) = state.map(|(state, details)| (state.clone(), details.clone())) {
        status["status"] = state.into();
        for detail in ["reason", "exitCode", "startedAt"] {
            status[detail] = details[detail].clone();
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_container_has_its_own_status_and_what_its_pod_says() {
        let documents = PodContainer::documents(json!({
            "metadata": {"name": "p"},
            "spec": {
                "securityContext": {"runAsUser": 7, "runAsGroup": 8, "fsGroup": 9},
                "initContainers": [{"name": "i"}],
                "containers": [{"name": "b", "securityContext": {"runAsUser": 0}}, {"name": "a"}, "garbage"],
            },
            "status": {"containerStatuses": [
                {"name": "a", "containerID": "containerd://0a", "imageID": "docker-pullable://x@sha256:0b", "restartCount": 2,
                 "state": {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": "2026-01-01T00:00:00Z"}}},
            ]},
        }));
        let (documents, errors): (Vec<_>, Vec<_>) = documents.into_iter().partition(Result::is_ok);
        let documents: Vec<Document> = documents.into_iter().flatten().collect();
        let error = "`spec.containers` holds a text instead of an object".to_owned();
        assert_eq!(errors, [Err(Error::Malformed(error))]);
        let told: Vec<_> = documents
            .iter()
            .map(|document| {
                let (container, status) = (&document["container"], &document["containerStatus"]);
                json!([
                    container["name"],
                    container["kind"],
                    container["securityContext"],
                    status["id"],
                    status["runtime"],
                    status["digest"],
                    status["status"],
                    status["reason"],
                    status["exitCode"]
                ])
            })
            .collect();
        let inherited = json!({"runAsUser": 7, "runAsGroup": 8});
        assert_eq!(
            json!(told),
            json!([
                ["i", "init", inherited, null, null, null, null, null, null],
                ["b", "container", {"runAsUser": 0, "runAsGroup": 8}, null, null, null, null, null, null],
                ["a", "container", inherited, "0a", "containerd", "sha256:0b", "terminated", "Error", 1],
            ])
        );
    }

    #[test]
    fn a_pod_that_is_none_has_no_containers() {
        for pod in [
            "{}",
            r#"{"spec":null}"#,
            r#"{"spec":{"containers":{}}}"#,
            r#"{"spec":{"containers":[null,1]},"status":null}"#,
        ] {
            let documents = PodContainer::documents(serde_json::from_str(pod).expect("JSON"));
            assert!(documents.iter().all(Result::is_err), "{pod}");
        }
    }
}
