//! `kubernetes_nodes`: one row per node.

use indago_table::prelude::*;
use serde_json::{Value as Document, json};

use crate::clusters::Kubernetes;
use crate::computed::Conditions;
use crate::metadata::ClusterMeta;
use crate::resource::{Derived, Resource, elements, listed, misfits};

/// Nodes of Kubernetes clusters.
///
/// `name` joins `kubernetes_pods.node_name`.
/// `instance_id` is the cloud's ID of the machine, from `provider_id`. On AWS it joins `aws_ec2_instance.instance_id`.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_nodes", env = Kubernetes, stream, rows = 50)]
#[resource("v1/nodes")]
#[example(
    "Kubelet and kernel of every node.",
    "SELECT cluster, name, kubelet_version, kernel_version, os_image FROM kubernetes_nodes"
)]
#[example("Nodes that accept no new pods.", "SELECT name, taints FROM kubernetes_nodes WHERE unschedulable")]
pub struct Node {
    #[column(flatten)]
    meta: ClusterMeta,
    /// Address range for its pods.
    #[column(path = "spec.podCIDR")]
    pod_cidr: Option<String>,
    /// Address ranges for its pods, one per address family.
    #[column(path = "spec.podCIDRs")]
    pod_cidrs: Vec<String>,
    /// ID of the machine at its cloud, such as `aws:///eu-west-1a/i-0abc`.
    #[column(path = "spec.providerID")]
    provider_id: Option<String>,
    /// Whether no new pods are scheduled on it (`kubectl cordon`).
    #[column(path = "spec.unschedulable")]
    unschedulable: bool,
    /// Taints. They repel pods without a matching toleration.
    #[column(path = "spec.taints")]
    taints: Option<Json>,
    /// Source of the kubelet's configuration; absent in newer clusters.
    #[column(path = "spec.configSource")]
    config_source: Option<Json>,
    /// External ID that old kubelets set.
    #[column(path = "spec.externalID")]
    do_not_use_external_id: Option<String>,
    /// All its resources, as quantities: `capacity['memory']`.
    #[column(path = "status.capacity")]
    capacity: Map,
    /// Resources that are available to pods, as quantities.
    #[column(path = "status.allocatable")]
    allocatable: Map,
    /// Lifecycle phase; absent in newer clusters.
    #[column(path = "status.phase")]
    phase: Option<String>,
    /// Conditions, such as `Ready` and `MemoryPressure`.
    #[column(volatile, path = "status.conditions")]
    conditions: Option<Json>,
    /// The status of each condition: `condition_status['Ready']` is `True`, `False` or `Unknown`.
    #[column(path = "status.conditions")]
    condition_status: Conditions,
    /// Addresses, as a list of type and address.
    #[column(path = "status.addresses")]
    addresses: Option<Json>,
    /// Ports of its daemons.
    #[column(path = "status.daemonEndpoints")]
    daemon_endpoints: Option<Json>,
    /// Versions and IDs that the kubelet reports.
    #[column(path = "status.nodeInfo")]
    node_info: Option<Json>,
    /// Images on the node, as a list of names and size in bytes.
    #[column(path = "status.images")]
    images: Option<Json>,
    /// Volumes in use.
    #[column(path = "status.volumesInUse")]
    volumes_in_use: Vec<String>,
    /// Attached volumes, as a list of name and device.
    #[column(path = "status.volumesAttached")]
    volumes_attached: Option<Json>,
    /// Assigned and active configuration of the kubelet; absent in newer clusters.
    #[column(path = "status.config")]
    config: Option<Json>,
    /// Whether its condition `Ready` is true; NULL if it has none.
    #[column(path = "derived.ready")]
    ready: Option<bool>,
    /// Roles, from its labels `node-role.kubernetes.io/<role>`.
    #[column(path = "derived.roles")]
    node_roles: Vec<String>,
    /// Cloud of its machine, from `provider_id`: `aws`, `gce`, `azure`.
    #[column(path = "derived.cloud")]
    cloud: Option<String>,
    /// ID of the machine at its cloud, from `provider_id`: `i-0abc` on AWS.
    #[column(path = "derived.instanceId")]
    instance_id: Option<String>,
    /// Instance type, such as `m5.large`.
    #[column(path = "metadata.labels.node\\.kubernetes\\.io/instance-type")]
    instance_type: Option<String>,
    /// Region of the cloud.
    #[column(path = "metadata.labels.topology\\.kubernetes\\.io/region")]
    region: Option<String>,
    /// Zone of the region.
    #[column(path = "metadata.labels.topology\\.kubernetes\\.io/zone")]
    zone: Option<String>,
    /// First internal address.
    #[column(path = "derived.address.InternalIP")]
    internal_ip: Option<String>,
    /// First external address.
    #[column(path = "derived.address.ExternalIP")]
    external_ip: Option<String>,
    /// Host name that the kubelet reports.
    #[column(path = "derived.address.Hostname")]
    hostname: Option<String>,
    /// The machine's `/etc/machine-id`.
    #[column(path = "status.nodeInfo.machineID")]
    machine_id: Option<String>,
    /// Firmware UUID of the machine; joins `system_info.uuid`.
    #[column(path = "status.nodeInfo.systemUUID")]
    system_uuid: Option<String>,
    /// ID of the current boot.
    #[column(path = "status.nodeInfo.bootID")]
    boot_id: Option<String>,
    /// Kernel, as `uname -r` prints it.
    #[column(path = "status.nodeInfo.kernelVersion")]
    kernel_version: Option<String>,
    /// Operating system and its version.
    #[column(path = "status.nodeInfo.osImage")]
    os_image: Option<String>,
    /// `linux` or `windows`.
    #[column(path = "status.nodeInfo.operatingSystem")]
    operating_system: Option<String>,
    /// Processor architecture, such as `amd64`.
    #[column(path = "status.nodeInfo.architecture")]
    architecture: Option<String>,
    /// Container runtime and its version, such as `containerd://1.6.20`.
    #[column(path = "status.nodeInfo.containerRuntimeVersion")]
    container_runtime_version: Option<String>,
    /// Version of the kubelet.
    #[column(path = "status.nodeInfo.kubeletVersion")]
    kubelet_version: Option<String>,
}

impl Resource for Node {
    const DERIVED: Derived = &[
        ("derived.ready", &["status.conditions"]),
        ("derived.roles", &["metadata.labels"]),
        ("derived.cloud", &["spec.providerID"]),
        ("derived.instanceId", &["spec.providerID"]),
        ("derived.address", &["status.addresses"]),
    ];

    fn documents(mut object: Document) -> Vec<Result<Document>> {
        let derived = derived(&object);
        let mut documents = misfits(&object["status"]["conditions"], "status.conditions");
        documents.extend(misfits(&object["status"]["addresses"], "status.addresses"));
        object["derived"] = derived;
        documents.push(Ok(object));
        documents
    }
}

listed!(Node);

/// Values that are easier to query than the lists and names that contain them.
fn derived(node: &Document) -> Document {
    let provider = node["spec"]["providerID"].as_str().and_then(|id| id.split_once("://"));
    let machine = provider.and_then(|(_, path)| path.rsplit('/').next()).filter(|name| !name.is_empty());
    let ready = elements(&node["status"]["conditions"]).find(|condition| condition["type"] == "Ready");
    let roles = node["metadata"]["labels"].as_object().into_iter().flatten();
    let roles: Vec<_> = roles.filter_map(|(label, _)| label.strip_prefix("node-role.kubernetes.io/")).collect();
    let mut addresses = serde_json::Map::new();
    for address in elements(&node["status"]["addresses"]) {
        if let Some(kind) = address["type"].as_str() {
            addresses.entry(kind).or_insert_with(|| address["address"].clone());
        }
    }
    json!({
        "ready": ready.map(|condition| condition["status"] == "True"),
        "roles": roles,
        "cloud": provider.map(|(cloud, _)| cloud),
        "instanceId": machine,
        "address": addresses,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_found_in_the_provider_id() {
        let cases = [
            (json!("aws:///eu-west-1a/i-0abc"), json!("aws"), json!("i-0abc")),
            (json!("gce://project/europe-west1-b/node-1"), json!("gce"), json!("node-1")),
            (json!("kind://docker/kind/kind-control-plane"), json!("kind"), json!("kind-control-plane")),
            (json!("aws://"), json!("aws"), json!(null)),
            (json!("i-0abc"), json!(null), json!(null)),
            (json!(7), json!(null), json!(null)),
        ];
        for (id, cloud, instance) in cases {
            let derived = derived(&json!({"spec": {"providerID": id}}));
            assert_eq!((&derived["cloud"], &derived["instanceId"]), (&cloud, &instance), "{id}");
        }
    }

    #[test]
    fn the_first_address_of_a_kind_counts() {
        let node = json!({"status": {"addresses": [
            {"type": "InternalIP", "address": "10.0.0.1"}, {"type": "InternalIP", "address": "fd00::1"}, {"type": 1}, null,
        ]}});
        assert_eq!(derived(&node)["address"], json!({"InternalIP": "10.0.0.1"}));
    }
}
