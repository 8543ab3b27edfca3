//! `kubernetes_pods`: one row per pod.

use std::sync::Arc;

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::resource::{Api, Key, Resource, listed};

/// Pods of Kubernetes clusters.
///
/// `cluster`, `namespace`, `name`, `node_name`, `phase`, `service_account_name` and `pod_ip` reach the API server.
/// Containers are in `kubernetes_pod_containers`; a query that reads both lists the pods once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_pods", env = Kubernetes, stream, reads = "pods", rows = 500, needs("list pods"))]
#[example(
    "Pods that share a namespace of their node.",
    "SELECT namespace, name, node_name FROM kubernetes_pods WHERE host_network OR host_pid OR host_ipc"
)]
#[example(
    "Pods of one application, by its label.",
    "SELECT name, phase, pod_ip FROM kubernetes_pods WHERE label_selector = 'app=web'"
)]
#[example(
    "What controls the pods of each namespace.",
    "SELECT namespace, owner_kind, count(*) AS pods FROM kubernetes_pods GROUP BY namespace, owner_kind"
)]
pub struct Pod {
    /// Context in the kubeconfig through which the cluster is read.
    #[column(index)]
    cluster: Arc<str>,
    /// Identity of the pod; the kubelet uses it in the names of cgroups and volumes.
    #[column(path = "metadata.uid")]
    uid: String,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// Identity of the cluster: the uid of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
    /// Name of the pod.
    #[column(index, path = "metadata.name")]
    name: String,
    /// Namespace that it is in.
    #[column(index, path = "metadata.namespace")]
    namespace: String,
    /// When it was created.
    #[column(path = "metadata.creationTimestamp")]
    creation_timestamp: Option<Timestamp>,
    /// Labels: `labels['app']` is one of them.
    #[column(path = "metadata.labels")]
    labels: Map,
    /// Annotations.
    #[column(path = "metadata.annotations")]
    annotations: Map,
    /// SELinux user of its containers.
    #[column(path = "spec.securityContext.seLinuxOptions.user")]
    se_linux_options_user: Option<String>,
    /// SELinux role of its containers.
    #[column(path = "spec.securityContext.seLinuxOptions.role")]
    se_linux_options_role: Option<String>,
    /// SELinux type of its containers.
    #[column(path = "spec.securityContext.seLinuxOptions.type")]
    se_linux_options_type: Option<String>,
    /// SELinux level of its containers.
    #[column(path = "spec.securityContext.seLinuxOptions.level")]
    se_linux_options_level: Option<String>,
    /// Name of the Windows service account (GMSA) specification.
    #[column(path = "spec.securityContext.windowsOptions.gmsaCredentialSpecName")]
    windows_options_gmsa_credential_spec_name: Option<String>,
    /// The Windows service account (GMSA) specification itself.
    #[column(path = "spec.securityContext.windowsOptions.gmsaCredentialSpec")]
    windows_options_gmsa_credential_spec: Option<String>,
    /// Windows user of its containers.
    #[column(path = "spec.securityContext.windowsOptions.runAsUserName")]
    windows_options_run_as_user_name: Option<String>,
    /// Seccomp profile of its containers: `RuntimeDefault`, `Localhost` or `Unconfined`.
    #[column(path = "spec.securityContext.seccompProfile.type")]
    seccomp_profile_type: Option<String>,
    /// File of the `Localhost` seccomp profile, on the node.
    #[column(path = "spec.securityContext.seccompProfile.localhostProfile")]
    seccomp_profile_localhost_profile: Option<String>,
    /// User id of its containers; NULL leaves it to each container or image.
    #[column(path = "spec.securityContext.runAsUser")]
    run_as_user: Option<i64>,
    /// Group id of its containers; NULL leaves it to each container or the runtime.
    #[column(path = "spec.securityContext.runAsGroup")]
    run_as_group: Option<i64>,
    /// Whether the kubelet refuses to start its containers as root.
    #[column(path = "spec.securityContext.runAsNonRoot")]
    run_as_non_root: Option<bool>,
    /// Further group ids of its processes.
    #[column(path = "spec.securityContext.supplementalGroups")]
    supplemental_groups: Vec<i64>,
    /// Group id that owns its volumes.
    #[column(path = "spec.securityContext.fsGroup")]
    fs_group: Option<i64>,
    /// Kernel parameters that are set for it: a list of name and value.
    #[column(path = "spec.securityContext.sysctls")]
    sysctls: Option<Json>,
    /// When the owner of volumes is changed: `Always` or `OnRootMismatch`.
    #[column(path = "spec.securityContext.fsGroupChangePolicy")]
    fs_group_change_policy: Option<String>,
    /// Which nodes it may or should run on.
    #[column(path = "spec.affinity.nodeAffinity")]
    node_affinity: Option<Json>,
    /// Which pods it should be near.
    #[column(path = "spec.affinity.podAffinity")]
    pod_affinity: Option<Json>,
    /// Which pods it should keep away from.
    #[column(path = "spec.affinity.podAntiAffinity")]
    pod_anti_affinity: Option<Json>,
    /// DNS servers added to those of its DNS policy.
    #[column(path = "spec.dnsConfig.nameservers")]
    dns_config_nameservers: Vec<String>,
    /// DNS search domains added to those of its DNS policy.
    #[column(path = "spec.dnsConfig.searches")]
    dns_config_searches: Vec<String>,
    /// DNS resolver options: a list of name and value.
    #[column(path = "spec.dnsConfig.options")]
    dns_config_options: Option<Json>,
    /// Labels that a node must have.
    #[column(path = "spec.nodeSelector")]
    node_selector: Map,
    /// When its containers are started again: `Always`, `OnFailure` or `Never`.
    #[column(path = "spec.restartPolicy")]
    restart_policy: Option<String>,
    /// Seconds between the request to stop and the kill.
    #[column(path = "spec.terminationGracePeriodSeconds")]
    termination_grace_period_seconds: Option<i64>,
    /// Seconds that it may be active before it is stopped; NULL for no limit.
    #[column(path = "spec.activeDeadlineSeconds")]
    active_deadline_seconds: Option<i64>,
    /// How names are resolved: `ClusterFirst`, `ClusterFirstWithHostNet`, `Default` or `None`.
    #[column(path = "spec.dnsPolicy")]
    dns_policy: Option<String>,
    /// Service account that it runs as; joins `kubernetes_service_accounts.name` in the same namespace.
    #[column(index, path = "spec.serviceAccountName")]
    service_account_name: Option<String>,
    /// Whether the service account's token is mounted; NULL leaves it to the service account.
    #[column(path = "spec.automountServiceAccountToken")]
    automount_service_account_token: Option<bool>,
    /// Node that it runs on; NULL until it is scheduled.
    #[column(index, path = "spec.nodeName")]
    node_name: Option<String>,
    /// Whether it uses the node's network.
    #[column(path = "spec.hostNetwork")]
    host_network: bool,
    /// Whether it sees the node's processes.
    #[column(path = "spec.hostPID")]
    host_pid: bool,
    /// Whether it shares the node's inter-process communication.
    #[column(path = "spec.hostIPC")]
    host_ipc: bool,
    /// Whether its containers see each other's processes.
    #[column(path = "spec.shareProcessNamespace")]
    share_process_namespace: bool,
    /// Names of the secrets with which images are pulled.
    #[column(path = "spec.imagePullSecrets.*.name")]
    image_pull_secrets: Vec<String>,
    /// Host name; NULL for the name of the pod.
    #[column(path = "spec.hostname")]
    hostname: Option<String>,
    /// Subdomain of its host name.
    #[column(path = "spec.subdomain")]
    subdomain: Option<String>,
    /// Scheduler that chooses its node.
    #[column(path = "spec.schedulerName")]
    scheduler_name: Option<String>,
    /// Taints of nodes that it tolerates.
    #[column(path = "spec.tolerations")]
    tolerations: Option<Json>,
    /// Lines added to `/etc/hosts` in its containers.
    #[column(path = "spec.hostAliases")]
    host_aliases: Option<Json>,
    /// Name of its priority class.
    #[column(path = "spec.priorityClassName")]
    priority_class_name: Option<String>,
    /// Its priority; pods with a lower one make room for it.
    #[column(path = "spec.priority")]
    priority: Option<i64>,
    /// Further conditions that it needs to be ready.
    #[column(path = "spec.readinessGates")]
    readiness_gates: Option<Json>,
    /// Runtime class that runs it; NULL for the default one.
    #[column(path = "spec.runtimeClassName")]
    runtime_class_name: Option<String>,
    /// Whether services of the namespace appear as environment variables.
    #[column(path = "spec.enableServiceLinks")]
    enable_service_links: Option<bool>,
    /// Whether it may push out pods of lower priority: `PreemptLowerPriority` or `Never`.
    #[column(path = "spec.preemptionPolicy")]
    preemption_policy: Option<String>,
    /// Resources that its runtime class takes for itself.
    #[column(path = "spec.overhead")]
    overhead: Map,
    /// How its like are spread over zones and nodes.
    #[column(path = "spec.topologySpreadConstraints")]
    topology_spread_constraints: Option<Json>,
    /// Whether the host name is the fully qualified one.
    #[column(path = "spec.setHostnameAsFQDN")]
    set_hostname_as_fqdn: bool,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    #[column(index, path = "status.phase")]
    phase: Option<String>,
    /// Conditions, such as `Ready` and `PodScheduled`.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Why it is in its phase, for people.
    #[column(path = "status.message")]
    message: Option<String>,
    /// Why it is in its phase, in a word, such as `Evicted`.
    #[column(path = "status.reason")]
    reason: Option<String>,
    /// Node on which room is being made for it.
    #[column(path = "status.nominatedNodeName")]
    nominated_node_name: Option<String>,
    /// Address of its node.
    #[column(path = "status.hostIP")]
    host_ip: Option<String>,
    /// Its address; that of the node with `host_network`.
    #[column(index, path = "status.podIP")]
    pod_ip: Option<String>,
    /// Its addresses, of each address family.
    #[column(path = "status.podIPs.*.ip")]
    pod_ips: Vec<String>,
    /// When the kubelet took it up.
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
    /// Volumes: a list, each with its name and its source.
    #[column(path = "spec.volumes")]
    volumes: Option<Json>,
    /// Kind of the object that controls it, such as `ReplicaSet`; NULL for a pod that stands alone.
    #[column(path = "controller.kind")]
    owner_kind: Option<String>,
    /// Name of the object that controls it.
    #[column(path = "controller.name")]
    owner_name: Option<String>,
    /// Identity of the object that controls it.
    #[column(path = "controller.uid")]
    owner_uid: Option<String>,
    /// All objects that own it.
    #[column(path = "metadata.ownerReferences")]
    owner_references: Option<Json>,
    /// When it is to be gone, if its deletion was asked for.
    #[column(path = "metadata.deletionTimestamp")]
    deletion_timestamp: Option<Timestamp>,
    /// Labels to ask the API server for, as `kubectl -l` takes them: `label_selector = 'app=web,tier!=cache'`.
    #[column(index, hidden)]
    label_selector: Option<String>,
    /// Fields to ask the API server for, as `kubectl --field-selector` takes them.
    #[column(index, hidden)]
    field_selector: Option<String>,
}

impl Resource for Pod {
    const API: Api = Api::namespaced("v1", "pods");
    const KEYS: &'static [Key<Self>] = &[
        Key::namespace(Self::NAMESPACE),
        Key::field(Self::NAME, "metadata.name"),
        Key::field(Self::NODE_NAME, "spec.nodeName"),
        Key::field(Self::PHASE, "status.phase"),
        Key::field(Self::SERVICE_ACCOUNT_NAME, "spec.serviceAccountName"),
        Key::field(Self::POD_IP, "status.podIP"),
    ];
    const DERIVED: &'static [(&'static str, &'static [&'static str])] =
        &[("controller", &["metadata.ownerReferences.*.{}", "metadata.ownerReferences.*.controller"])];

    fn documents(mut object: Document) -> Vec<Document> {
        let owners = object["metadata"]["ownerReferences"].as_array();
        let controller = owners.and_then(|owners| owners.iter().find(|owner| owner["controller"] == true));
        if let Some(controller) = controller.cloned() {
            object["controller"] = controller;
        }
        vec![object]
    }
}

listed!(Pod);
