//! `kubernetes_pod_containers`: one row per container of a pod.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::container_spec::{ContainerSpec, container_names, container_places, take_containers};
use crate::metadata::ContainerMeta;
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
    meta: ContainerMeta,
    #[column(flatten, path = "container")]
    container: ContainerSpec,
    /// Name of the pod.
    #[column(index(field), path = "metadata.name")]
    pod_name: String,
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
    const ALWAYS: &'static [&'static str] = container_names!("spec");
    const DERIVED: Derived = container_places!(
        "spec",
        "metadata.annotations",
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
    );

    fn documents(mut pod: Document) -> Vec<Result<Document>> {
        set_kubelet_uid(&mut pod);
        let (containers, mut errors) = take_containers(&mut pod, "spec", "metadata.annotations");
        let mut statuses = Vec::new();
        for name in STATUSES {
            let list = pod["status"].get_mut(name).map(Document::take).unwrap_or_default();
            errors.extend(misfits::<()>(&list, &format!("status.{name}")).into_iter().filter_map(Result::err));
            statuses.extend(list.as_array().into_iter().flatten().cloned());
        }
        let document = |container: Document| {
            let mut document = pod.clone();
            // A pod's containers of all kinds have different names.
            let status = statuses.iter().find(|status| status["name"] == container["name"]);
            document["containerStatus"] = status.map(status_of).unwrap_or_default();
            document["container"] = container;
            Ok(document)
        };
        containers.into_iter().map(document).chain(errors.into_iter().map(Err)).collect()
    }
}

listed!(PodContainer);

/// Lists of statuses, of init, regular and ephemeral containers.
const STATUSES: [&str; 3] = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];

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
