//! `kubernetes_pods`: one row per pod.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::computed::Conditions;
use crate::metadata::ObjectMeta;
use crate::pod_spec::{KUBELET_UID, PodSpec, set_kubelet_uid};
use crate::resource::{Derived, Resource, listed};

/// Pods of Kubernetes clusters.
///
/// Constraints on `cluster`, `namespace`, `name`, `node_name`, `phase`, `service_account_name` and `pod_ip` are applied
/// by the API server. Containers are in `kubernetes_pod_containers`; if a query reads both, the pods are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_pods", env = Kubernetes, stream, rows = 500)]
#[resource("v1/pods", namespaced)]
#[example(
    "Pods that share a namespace of their node.",
    "SELECT namespace, name, node_name FROM kubernetes_pods WHERE host_network OR host_pid OR host_ipc"
)]
#[example(
    "Pods of one application, by its label.",
    "SELECT name, phase, pod_ip FROM kubernetes_pods WHERE label_selector = 'app=web'"
)]
#[example(
    "Controllers of the pods in each namespace.",
    "SELECT namespace, owner_kind, count(*) AS pods FROM kubernetes_pods GROUP BY namespace, owner_kind"
)]
pub struct Pod {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Service account; joins `kubernetes_service_accounts.name` in the same namespace.
    #[column(slice(field), path = "spec.serviceAccountName")]
    service_account_name: Option<String>,
    /// Node; NULL until the pod is scheduled.
    #[column(slice(field), path = "spec.nodeName")]
    node_name: Option<String>,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    #[column(slice(field), path = "status.phase")]
    phase: Option<String>,
    /// Conditions, such as `Ready` and `PodScheduled`.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Reason of its phase, as a sentence.
    #[column(path = "status.message")]
    message: Option<String>,
    /// Reason of its phase, in one word, such as `Evicted`.
    #[column(path = "status.reason")]
    reason: Option<String>,
    /// Node on which other pods are preempted for it.
    #[column(path = "status.nominatedNodeName")]
    nominated_node_name: Option<String>,
    /// Address of its node.
    #[column(path = "status.hostIP")]
    host_ip: Option<String>,
    /// IP address; that of the node with `host_network`.
    #[column(index(field), path = "status.podIP")]
    pod_ip: Option<String>,
    /// IP addresses, one per address family.
    #[column(path = "status.podIPs.*.ip")]
    pod_ips: Vec<String>,
    /// Time when the kubelet accepted the pod.
    #[column(path = "status.startTime")]
    start_time: Option<Timestamp>,
    /// State of each init container.
    #[column(path = "status.initContainerStatuses")]
    init_container_statuses: Option<Json>,
    /// State of each container.
    #[column(path = "status.containerStatuses")]
    container_statuses: Option<Json>,
    /// Quality of service: `Guaranteed`, `Burstable` or `BestEffort`.
    #[column(path = "status.qosClass")]
    qos_class: Option<String>,
    /// State of each ephemeral container.
    #[column(path = "status.ephemeralContainerStatuses")]
    ephemeral_container_statuses: Option<Json>,
    /// The status of each condition: `condition_status['Ready']` is `True`, `False` or `Unknown`.
    #[column(path = "status.conditions")]
    condition_status: Conditions,
    /// UID of the pod at its kubelet, which names the pod's cgroups, volumes and container labels. Joins `pod_uid` of
    /// `container_processes` and `containers`. The same as `uid`, except for static pods (kube-apiserver, etcd), whose
    /// mirror pod in the API has a different UID.
    #[column(path = "kubeletUid")]
    kubelet_uid: String,
    #[column(flatten, path = "spec")]
    pod_spec: PodSpec,
}

impl Resource for Pod {
    const DERIVED: Derived = &[KUBELET_UID];

    fn documents(mut object: Document) -> Vec<Result<Document>> {
        set_kubelet_uid(&mut object);
        vec![Ok(object)]
    }
}

listed!(Pod);
