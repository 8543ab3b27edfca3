//! `kubernetes_deployments`: one row per deployment.

use std::sync::Arc;

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::resource::{Api, Key, Resource, listed};

/// Deployments of Kubernetes clusters, with what they ask of their pods.
///
/// `cluster`, `namespace` and `name` reach the API server, so that it lists no more than is asked for.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_deployments", env = Kubernetes, stream,
    reads = "deployments", rows = 200, needs("list deployments")
)]
#[example(
    "Deployments that lack pods.",
    "SELECT namespace, name, deployment_replicas, available_replicas FROM kubernetes_deployments WHERE available_replicas < deployment_replicas"
)]
#[example("Images that are deployed.", "SELECT namespace, name, container_images FROM kubernetes_deployments")]
pub struct Deployment {
    /// Context in the kubeconfig through which the cluster is read.
    #[column(index)]
    cluster: Arc<str>,
    /// Identity of the deployment.
    #[column(path = "metadata.uid")]
    uid: String,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// Identity of the cluster: the uid of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
    /// Name of the deployment.
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
    #[column(path = "spec.template.spec.securityContext.seLinuxOptions.user")]
    se_linux_options_user: Option<String>,
    /// SELinux role of its containers.
    #[column(path = "spec.template.spec.securityContext.seLinuxOptions.role")]
    se_linux_options_role: Option<String>,
    /// SELinux type of its containers.
    #[column(path = "spec.template.spec.securityContext.seLinuxOptions.type")]
    se_linux_options_type: Option<String>,
    /// SELinux level of its containers.
    #[column(path = "spec.template.spec.securityContext.seLinuxOptions.level")]
    se_linux_options_level: Option<String>,
    /// Name of the Windows service account (GMSA) specification.
    #[column(path = "spec.template.spec.securityContext.windowsOptions.gmsaCredentialSpecName")]
    windows_options_gmsa_credential_spec_name: Option<String>,
    /// The Windows service account (GMSA) specification itself.
    #[column(path = "spec.template.spec.securityContext.windowsOptions.gmsaCredentialSpec")]
    windows_options_gmsa_credential_spec: Option<String>,
    /// Windows user of its containers.
    #[column(path = "spec.template.spec.securityContext.windowsOptions.runAsUserName")]
    windows_options_run_as_user_name: Option<String>,
    /// Seccomp profile of its containers: `RuntimeDefault`, `Localhost` or `Unconfined`.
    #[column(path = "spec.template.spec.securityContext.seccompProfile.type")]
    seccomp_profile_type: Option<String>,
    /// File of the `Localhost` seccomp profile, on the node.
    #[column(path = "spec.template.spec.securityContext.seccompProfile.localhostProfile")]
    seccomp_profile_localhost_profile: Option<String>,
    /// User id of its containers; NULL leaves it to each container or image.
    #[column(path = "spec.template.spec.securityContext.runAsUser")]
    run_as_user: Option<i64>,
    /// Group id of its containers; NULL leaves it to each container or the runtime.
    #[column(path = "spec.template.spec.securityContext.runAsGroup")]
    run_as_group: Option<i64>,
    /// Whether the kubelet refuses to start its containers as root.
    #[column(path = "spec.template.spec.securityContext.runAsNonRoot")]
    run_as_non_root: Option<bool>,
    /// Further group ids of its processes.
    #[column(path = "spec.template.spec.securityContext.supplementalGroups")]
    supplemental_groups: Vec<i64>,
    /// Group id that owns its volumes.
    #[column(path = "spec.template.spec.securityContext.fsGroup")]
    fs_group: Option<i64>,
    /// Kernel parameters that are set for it: a list of name and value.
    #[column(path = "spec.template.spec.securityContext.sysctls")]
    sysctls: Option<Json>,
    /// When the owner of volumes is changed: `Always` or `OnRootMismatch`.
    #[column(path = "spec.template.spec.securityContext.fsGroupChangePolicy")]
    fs_group_change_policy: Option<String>,
    /// Which nodes it may or should run on.
    #[column(path = "spec.template.spec.affinity.nodeAffinity")]
    node_affinity: Option<Json>,
    /// Which pods it should be near.
    #[column(path = "spec.template.spec.affinity.podAffinity")]
    pod_affinity: Option<Json>,
    /// Which pods it should keep away from.
    #[column(path = "spec.template.spec.affinity.podAntiAffinity")]
    pod_anti_affinity: Option<Json>,
    /// DNS servers added to those of its DNS policy.
    #[column(path = "spec.template.spec.dnsConfig.nameservers")]
    dns_config_nameservers: Vec<String>,
    /// DNS search domains added to those of its DNS policy.
    #[column(path = "spec.template.spec.dnsConfig.searches")]
    dns_config_searches: Vec<String>,
    /// DNS resolver options: a list of name and value.
    #[column(path = "spec.template.spec.dnsConfig.options")]
    dns_config_options: Option<Json>,
    /// Labels that a node must have.
    #[column(path = "spec.template.spec.nodeSelector")]
    node_selector: Map,
    /// When its containers are started again: `Always`, `OnFailure` or `Never`.
    #[column(path = "spec.template.spec.restartPolicy")]
    restart_policy: Option<String>,
    /// Seconds between the request to stop and the kill.
    #[column(path = "spec.template.spec.terminationGracePeriodSeconds")]
    termination_grace_period_seconds: Option<i64>,
    /// Seconds that it may be active before it is stopped; NULL for no limit.
    #[column(path = "spec.template.spec.activeDeadlineSeconds")]
    active_deadline_seconds: Option<i64>,
    /// How names are resolved: `ClusterFirst`, `ClusterFirstWithHostNet`, `Default` or `None`.
    #[column(path = "spec.template.spec.dnsPolicy")]
    dns_policy: Option<String>,
    /// Service account that it runs as; joins `kubernetes_service_accounts.name` in the same namespace.
    #[column(path = "spec.template.spec.serviceAccountName")]
    service_account_name: Option<String>,
    /// Whether the service account's token is mounted; NULL leaves it to the service account.
    #[column(path = "spec.template.spec.automountServiceAccountToken")]
    automount_service_account_token: Option<bool>,
    /// Node that it is bound to; NULL leaves it to the scheduler.
    #[column(path = "spec.template.spec.nodeName")]
    node_name: Option<String>,
    /// Whether it uses the node's network.
    #[column(path = "spec.template.spec.hostNetwork")]
    host_network: bool,
    /// Whether it sees the node's processes.
    #[column(path = "spec.template.spec.hostPID")]
    host_pid: bool,
    /// Whether it shares the node's inter-process communication.
    #[column(path = "spec.template.spec.hostIPC")]
    host_ipc: bool,
    /// Whether its containers see each other's processes.
    #[column(path = "spec.template.spec.shareProcessNamespace")]
    share_process_namespace: bool,
    /// Names of the secrets with which images are pulled.
    #[column(path = "spec.template.spec.imagePullSecrets.*.name")]
    image_pull_secrets: Vec<String>,
    /// Host name; NULL for the name of the pod.
    #[column(path = "spec.template.spec.hostname")]
    hostname: Option<String>,
    /// Subdomain of its host name.
    #[column(path = "spec.template.spec.subdomain")]
    subdomain: Option<String>,
    /// Scheduler that chooses its node.
    #[column(path = "spec.template.spec.schedulerName")]
    scheduler_name: Option<String>,
    /// Taints of nodes that it tolerates.
    #[column(path = "spec.template.spec.tolerations")]
    tolerations: Option<Json>,
    /// Lines added to `/etc/hosts` in its containers.
    #[column(path = "spec.template.spec.hostAliases")]
    host_aliases: Option<Json>,
    /// Name of its priority class.
    #[column(path = "spec.template.spec.priorityClassName")]
    priority_class_name: Option<String>,
    /// Its priority; pods with a lower one make room for it.
    #[column(path = "spec.template.spec.priority")]
    priority: Option<i64>,
    /// Further conditions that it needs to be ready.
    #[column(path = "spec.template.spec.readinessGates")]
    readiness_gates: Option<Json>,
    /// Runtime class that runs it; NULL for the default one.
    #[column(path = "spec.template.spec.runtimeClassName")]
    runtime_class_name: Option<String>,
    /// Whether services of the namespace appear as environment variables.
    #[column(path = "spec.template.spec.enableServiceLinks")]
    enable_service_links: Option<bool>,
    /// Whether it may push out pods of lower priority: `PreemptLowerPriority` or `Never`.
    #[column(path = "spec.template.spec.preemptionPolicy")]
    preemption_policy: Option<String>,
    /// Resources that its runtime class takes for itself.
    #[column(path = "spec.template.spec.overhead")]
    overhead: Map,
    /// How its like are spread over zones and nodes.
    #[column(path = "spec.template.spec.topologySpreadConstraints")]
    topology_spread_constraints: Option<Json>,
    /// Whether the host name is the fully qualified one.
    #[column(path = "spec.template.spec.setHostnameAsFQDN")]
    set_hostname_as_fqdn: bool,
    /// Generation of its specification that the controller has seen.
    #[column(path = "status.observedGeneration")]
    observed_generation: Option<i64>,
    /// Pods that there are, ready or not.
    #[column(path = "status.replicas")]
    replicas: i64,
    /// Pods made from the current template.
    #[column(path = "status.updatedReplicas")]
    updated_replicas: i64,
    /// Pods that are ready.
    #[column(path = "status.readyReplicas")]
    ready_replicas: i64,
    /// Pods that have been ready for `min_ready_seconds`.
    #[column(path = "status.availableReplicas")]
    available_replicas: i64,
    /// Pods that are still missing or not available.
    #[column(path = "status.unavailableReplicas")]
    unavailable_replicas: i64,
    /// Conditions, such as `Available` and `Progressing`.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Clashes of names of replica sets that were made for it.
    #[column(path = "status.collisionCount")]
    collision_count: Option<i64>,
    /// Pods that are asked for.
    #[column(path = "spec.replicas")]
    deployment_replicas: Option<i64>,
    /// Which pods are its own.
    #[column(path = "spec.selector")]
    selector: Option<Json>,
    /// How old pods are replaced by new ones.
    #[column(path = "spec.strategy")]
    strategy: Option<Json>,
    /// Seconds that a pod must be ready to count as available.
    #[column(path = "spec.minReadySeconds")]
    min_ready_seconds: i64,
    /// Old replica sets that are kept.
    #[column(path = "spec.revisionHistoryLimit")]
    revision_history_limit: Option<i64>,
    /// Whether changes of its template are held back.
    #[column(path = "spec.paused")]
    paused: bool,
    /// Seconds without progress after which it counts as failed.
    #[column(path = "spec.progressDeadlineSeconds")]
    progress_deadline_seconds: Option<i64>,
    /// Labels of its pods, as far as its selector is made of labels.
    #[column(path = "spec.selector.matchLabels")]
    match_labels: Map,
    /// Labels that its pods get.
    #[column(path = "spec.template.metadata.labels")]
    template_labels: Map,
    /// Images of its containers.
    #[column(path = "spec.template.spec.containers.*.image")]
    container_images: Vec<String>,
    /// Volumes of its pods.
    #[column(path = "spec.template.spec.volumes")]
    volumes: Option<Json>,
    /// Labels to ask the API server for, as `kubectl -l` takes them: `label_selector = 'app=web,tier!=cache'`.
    #[column(index, hidden)]
    label_selector: Option<String>,
    /// Fields to ask the API server for, as `kubectl --field-selector` takes them.
    #[column(index, hidden)]
    field_selector: Option<String>,
}

impl Resource for Deployment {
    const API: Api = Api::namespaced("apps/v1", "deployments");
    const KEYS: &'static [Key<Self>] = &[Key::namespace(Self::NAMESPACE), Key::field(Self::NAME, "metadata.name")];
}

listed!(Deployment);
