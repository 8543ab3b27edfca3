//! `kubernetes_pod_containers`: one row per container of a pod.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::PodMeta;
use crate::pod_spec::{KUBELET_UID, set_kubelet_uid};
use crate::resource::{Derived, Resource, listed, misfits};

/// Containers of pods: init containers, regular and ephemeral ones, with what they ask for and what became of them.
///
/// `uid`, `namespace`, `creation_timestamp`, `labels` and `annotations` are those of the pod.
///
/// `container_id` is the bare id, as `containers.container_id` and `container_processes.container_id` have it; the
/// API's own form, with the runtime in front (`containerd://..`), is `container_uri`. What a container does not say of
/// its security context, such as `run_as_user`, is taken from its pod, as the kubelet does.
///
/// `cluster`, `namespace`, `pod_name`, `node_name` and `service_account_name` reach the API server. A query that also
/// reads `kubernetes_pods` lists the pods once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_pod_containers", env = Kubernetes, stream, rows = 1000, identity(pod_uid, container_type, name))]
#[resource("v1/pods", namespaced)]
#[example(
    "Privileged containers.",
    "SELECT namespace, pod_name, name, image, node_name FROM kubernetes_pod_containers WHERE privileged"
)]
#[example(
    "Images that run, and how often.",
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
    /// The Windows service account (GMSA) specification itself.
    #[column(path = "container.securityContext.windowsOptions.gmsaCredentialSpec")]
    windows_options_gmsa_credential_spec: Option<String>,
    /// Windows user.
    #[column(path = "container.securityContext.windowsOptions.runAsUserName")]
    windows_options_run_as_user_name: Option<String>,
    /// Seccomp profile: `RuntimeDefault`, `Localhost` or `Unconfined`.
    #[column(path = "container.securityContext.seccompProfile.type")]
    seccomp_profile_type: Option<String>,
    /// File of the `Localhost` seccomp profile, on the node.
    #[column(path = "container.securityContext.seccompProfile.localhostProfile")]
    seccomp_profile_localhost_profile: Option<String>,
    /// User id that it runs as; NULL for the image's.
    #[column(path = "container.securityContext.runAsUser")]
    run_as_user: Option<i64>,
    /// Group id that it runs as; NULL for the runtime's default.
    #[column(path = "container.securityContext.runAsGroup")]
    run_as_group: Option<i64>,
    /// Whether the kubelet refuses to start it as root.
    #[column(path = "container.securityContext.runAsNonRoot")]
    run_as_non_root: Option<bool>,
    /// Capabilities added, without `CAP_`, such as `SYS_ADMIN`.
    #[column(path = "container.securityContext.capabilities.add")]
    capabilities_add: Vec<String>,
    /// Capabilities taken away; `ALL` is all of them.
    #[column(path = "container.securityContext.capabilities.drop")]
    capabilities_drop: Vec<String>,
    /// Whether it may do what root on the node may.
    #[column(path = "container.securityContext.privileged")]
    privileged: bool,
    /// Whether its root file system cannot be written.
    #[column(path = "container.securityContext.readOnlyRootFilesystem")]
    read_only_root_filesystem: bool,
    /// Whether a process may gain more rights than its parent; NULL for yes.
    #[column(path = "container.securityContext.allowPrivilegeEscalation")]
    allow_privilege_escalation: Option<bool>,
    /// How `/proc` is mounted: `Default` or `Unmasked`.
    #[column(path = "container.securityContext.procMount")]
    proc_mount: Option<String>,
    /// Container whose processes an ephemeral container sees.
    #[column(path = "container.targetContainerName")]
    target_container_name: Option<String>,
    /// Image that is asked for.
    #[column(path = "container.image")]
    image: Option<String>,
    /// Program and first arguments; empty for the image's entry point.
    #[column(path = "container.command")]
    command: Vec<String>,
    /// Arguments; empty for the image's.
    #[column(path = "container.args")]
    args: Vec<String>,
    /// Folder that it starts in; NULL for the image's.
    #[column(path = "container.workingDir")]
    working_dir: Option<String>,
    /// Ports that it says it listens on.
    #[column(path = "container.ports")]
    ports: Option<Json>,
    /// Config maps and secrets whose entries become environment variables.
    #[column(path = "container.envFrom")]
    env_from: Option<Json>,
    /// Environment variables: a list of name and value, or where the value comes from.
    #[column(path = "container.env")]
    env: Option<Json>,
    /// The most that it may use, as quantities: `resource_limits['memory']`.
    #[column(path = "container.resources.limits")]
    resource_limits: Map,
    /// What is set aside for it, as quantities.
    #[column(path = "container.resources.requests")]
    resource_requests: Map,
    /// Volumes that it mounts: a list of name, path and whether it is read-only.
    #[column(path = "container.volumeMounts")]
    volume_mounts: Option<Json>,
    /// Volumes that it uses as block devices.
    #[column(path = "container.volumeDevices")]
    volume_devices: Option<Json>,
    /// Check after whose failure it is started again.
    #[column(path = "container.livenessProbe")]
    liveness_probe: Option<Json>,
    /// Check of whether it can serve.
    #[column(path = "container.readinessProbe")]
    readiness_probe: Option<Json>,
    /// Check of whether it has started.
    #[column(path = "container.startupProbe")]
    startup_probe: Option<Json>,
    /// What is done after its start and before its end.
    #[column(path = "container.lifecycle")]
    lifecycle: Option<Json>,
    /// File in the container with its last words.
    #[column(path = "container.terminationMessagePath")]
    termination_message_path: Option<String>,
    /// Where its last words come from: `File` or `FallbackToLogsOnError`.
    #[column(path = "container.terminationMessagePolicy")]
    termination_message_policy: Option<String>,
    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[column(path = "container.imagePullPolicy")]
    image_pull_policy: Option<String>,
    /// Whether its standard input is kept open.
    #[column(path = "container.stdin")]
    stdin: bool,
    /// Whether its standard input is closed after the first client.
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
    /// Its state, with times and reasons; NULL until the kubelet reports one.
    #[column(path = "containerStatus.state")]
    state: Option<Json>,
    /// How its last run ended.
    #[column(path = "containerStatus.lastState")]
    last_termination_state: Option<Json>,
    /// Whether it can serve.
    #[column(path = "containerStatus.ready")]
    ready: Option<bool>,
    /// How often it was started again.
    #[column(path = "containerStatus.restartCount")]
    restart_count: Option<i64>,
    /// Image that runs, as the runtime names it.
    #[column(path = "containerStatus.imageID")]
    image_id: Option<String>,
    /// Id of the container at its runtime, without the runtime's name; NULL until it is made.
    #[column(path = "containerStatus.id")]
    container_id: Option<String>,
    /// Whether it has passed its startup probe.
    #[column(path = "containerStatus.started")]
    started: Option<bool>,
    /// Id of the container with its runtime in front, as the API has it: `containerd://<id>`.
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
    /// When its current or last run began.
    #[column(path = "containerStatus.startedAt")]
    started_at: Option<Timestamp>,
    /// Identity of the pod; the same as `uid`.
    #[column(path = "metadata.uid")]
    pod_uid: String,
    /// Identity of the pod at its kubelet, as in `kubernetes_pods.kubelet_uid`: joins `pod_uid` of `container_processes` and
    /// `containers`, those of static pods too.
    #[column(path = "kubeletUid")]
    kubelet_uid: String,
    /// Phase of the pod: `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    #[column(slice(field), path = "status.phase")]
    phase: Option<String>,
    /// Node that the pod runs on.
    #[column(slice(field), path = "spec.nodeName")]
    node_name: Option<String>,
    /// Service account that the pod runs as.
    #[column(slice(field), path = "spec.serviceAccountName")]
    service_account_name: Option<String>,
    /// Whether the pod uses the node's network.
    #[column(path = "spec.hostNetwork")]
    host_network: bool,
    /// Whether the pod sees the node's processes.
    #[column(path = "spec.hostPID")]
    host_pid: bool,
    /// Whether the pod shares the node's inter-process communication.
    #[column(path = "spec.hostIPC")]
    host_ipc: bool,
    /// AppArmor profile: `RuntimeDefault`, `Localhost` or `Unconfined`; NULL in clusters before 1.30.
    #[column(path = "container.securityContext.appArmorProfile.type")]
    app_armor_profile_type: Option<String>,
}

/// A path within the status of each container, whatever its kind.
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

/// Where a pod has its containers, where their statuses, and what their kind is called.
const LISTS: [(&str, &str, &str); 3] = [
    ("/spec/initContainers", "/status/initContainerStatuses", "init"),
    ("/spec/containers", "/status/containerStatuses", "container"),
    ("/spec/ephemeralContainers", "/status/ephemeralContainerStatuses", "ephemeral"),
];

/// Settings of a pod's security context that hold for containers which do not say otherwise.
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

/// A container's status, with what is easier to ask for than the texts and states that it stands in.
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
