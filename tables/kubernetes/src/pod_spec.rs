//! What a pod is asked to be: columns of pods, and of all that makes pods from a template.

use indago_table::prelude::*;
use serde_json::Value as Document;

/// Where [`set_kubelet_uid`] finds what it needs.
pub(crate) const KUBELET_UID: (&str, &[&str]) = (
    "kubeletUid",
    &[
        "metadata.uid",
        "metadata.annotations.kubernetes\\.io/config\\.hash",
        "metadata.annotations.kubernetes\\.io/config\\.mirror",
        "spec.serviceAccountName",
    ],
);

/// Adds to a pod the UID that its kubelet uses: of a static pod, the hash that the kubelet noted on the mirror pod.
///
/// Anybody may write annotations. A pod that says it is a mirror and is none never runs: its kubelet deletes it. Any other
/// pod that came through the API has a service account, which a static pod cannot have.
pub(crate) fn set_kubelet_uid(pod: &mut Document) {
    let annotations = &pod["metadata"]["annotations"];
    let is_static =
        annotations["kubernetes.io/config.mirror"].is_string() || pod["spec"]["serviceAccountName"].is_null();
    let hash = Some(&annotations["kubernetes.io/config.hash"]).filter(|hash| is_static && hash.is_string());
    let uid = hash.unwrap_or(&pod["metadata"]["uid"]).clone();
    pod["kubeletUid"] = uid;
}

/// The specification of pods. Its columns say `it` of each pod.
#[derive(Debug, Default, Columns)]
pub(crate) struct PodSpec {
    /// SELinux user of its containers.
    #[column(path = "securityContext.seLinuxOptions.user")]
    se_linux_options_user: Option<String>,
    /// SELinux role of its containers.
    #[column(path = "securityContext.seLinuxOptions.role")]
    se_linux_options_role: Option<String>,
    /// SELinux type of its containers.
    #[column(path = "securityContext.seLinuxOptions.type")]
    se_linux_options_type: Option<String>,
    /// SELinux level of its containers.
    #[column(path = "securityContext.seLinuxOptions.level")]
    se_linux_options_level: Option<String>,
    /// Name of the Windows service account (GMSA) specification.
    #[column(path = "securityContext.windowsOptions.gmsaCredentialSpecName")]
    windows_options_gmsa_credential_spec_name: Option<String>,
    /// The Windows service account (GMSA) specification itself.
    #[column(path = "securityContext.windowsOptions.gmsaCredentialSpec")]
    windows_options_gmsa_credential_spec: Option<String>,
    /// Windows user of its containers.
    #[column(path = "securityContext.windowsOptions.runAsUserName")]
    windows_options_run_as_user_name: Option<String>,
    /// Seccomp profile of its containers: `RuntimeDefault`, `Localhost` or `Unconfined`.
    #[column(path = "securityContext.seccompProfile.type")]
    seccomp_profile_type: Option<String>,
    /// File of the `Localhost` seccomp profile, on the node.
    #[column(path = "securityContext.seccompProfile.localhostProfile")]
    seccomp_profile_localhost_profile: Option<String>,
    /// User id of its containers; NULL leaves it to each container or image.
    #[column(path = "securityContext.runAsUser")]
    run_as_user: Option<i64>,
    /// Group id of its containers; NULL leaves it to each container or the runtime.
    #[column(path = "securityContext.runAsGroup")]
    run_as_group: Option<i64>,
    /// Whether the kubelet refuses to start its containers as root.
    #[column(path = "securityContext.runAsNonRoot")]
    run_as_non_root: Option<bool>,
    /// Further group ids of its processes.
    #[column(path = "securityContext.supplementalGroups")]
    supplemental_groups: Vec<i64>,
    /// Group id that owns its volumes.
    #[column(path = "securityContext.fsGroup")]
    fs_group: Option<i64>,
    /// Kernel parameters that are set for it: a list of name and value.
    #[column(path = "securityContext.sysctls")]
    sysctls: Option<Json>,
    /// When the owner of volumes is changed: `Always` or `OnRootMismatch`.
    #[column(path = "securityContext.fsGroupChangePolicy")]
    fs_group_change_policy: Option<String>,
    /// Which nodes it may or should run on.
    #[column(path = "affinity.nodeAffinity")]
    node_affinity: Option<Json>,
    /// Which pods it should be near.
    #[column(path = "affinity.podAffinity")]
    pod_affinity: Option<Json>,
    /// Which pods it should keep away from.
    #[column(path = "affinity.podAntiAffinity")]
    pod_anti_affinity: Option<Json>,
    /// DNS servers added to those of its DNS policy.
    #[column(path = "dnsConfig.nameservers")]
    dns_config_nameservers: Vec<String>,
    /// DNS search domains added to those of its DNS policy.
    #[column(path = "dnsConfig.searches")]
    dns_config_searches: Vec<String>,
    /// DNS resolver options: a list of name and value.
    #[column(path = "dnsConfig.options")]
    dns_config_options: Option<Json>,
    /// Labels that a node must have.
    #[column(path = "nodeSelector")]
    node_selector: Map,
    /// When its containers are started again: `Always`, `OnFailure` or `Never`.
    #[column(path = "restartPolicy")]
    restart_policy: Option<String>,
    /// Seconds between the request to stop and the kill.
    #[column(path = "terminationGracePeriodSeconds")]
    termination_grace_period_seconds: Option<i64>,
    /// Seconds that it may be active before it is stopped; NULL for no limit.
    #[column(path = "activeDeadlineSeconds")]
    active_deadline_seconds: Option<i64>,
    /// How names are resolved: `ClusterFirst`, `ClusterFirstWithHostNet`, `Default` or `None`.
    #[column(path = "dnsPolicy")]
    dns_policy: Option<String>,
    /// Whether the service account's token is mounted; NULL leaves it to the service account.
    #[column(path = "automountServiceAccountToken")]
    automount_service_account_token: Option<bool>,
    /// Whether it uses the node's network.
    #[column(path = "hostNetwork")]
    host_network: bool,
    /// Whether it sees the node's processes.
    #[column(path = "hostPID")]
    host_pid: bool,
    /// Whether it shares the node's inter-process communication.
    #[column(path = "hostIPC")]
    host_ipc: bool,
    /// Whether its containers see each other's processes.
    #[column(path = "shareProcessNamespace")]
    share_process_namespace: bool,
    /// Names of the secrets with which images are pulled.
    #[column(path = "imagePullSecrets.*.name")]
    image_pull_secrets: Vec<String>,
    /// Host name; NULL for the name of the pod.
    #[column(path = "hostname")]
    hostname: Option<String>,
    /// Subdomain of its host name.
    #[column(path = "subdomain")]
    subdomain: Option<String>,
    /// Scheduler that chooses its node.
    #[column(path = "schedulerName")]
    scheduler_name: Option<String>,
    /// Taints of nodes that it tolerates.
    #[column(path = "tolerations")]
    tolerations: Option<Json>,
    /// Lines added to `/etc/hosts` in its containers.
    #[column(path = "hostAliases")]
    host_aliases: Option<Json>,
    /// Name of its priority class.
    #[column(path = "priorityClassName")]
    priority_class_name: Option<String>,
    /// Its priority; pods with a lower one make room for it.
    #[column(path = "priority")]
    priority: Option<i64>,
    /// Further conditions that it needs to be ready.
    #[column(path = "readinessGates")]
    readiness_gates: Option<Json>,
    /// Runtime class that runs it; NULL for the default one.
    #[column(path = "runtimeClassName")]
    runtime_class_name: Option<String>,
    /// Whether services of the namespace appear as environment variables.
    #[column(path = "enableServiceLinks")]
    enable_service_links: Option<bool>,
    /// Whether it may push out pods of lower priority: `PreemptLowerPriority` or `Never`.
    #[column(path = "preemptionPolicy")]
    preemption_policy: Option<String>,
    /// Resources that its runtime class takes for itself.
    #[column(path = "overhead")]
    overhead: Map,
    /// How its like are spread over zones and nodes.
    #[column(path = "topologySpreadConstraints")]
    topology_spread_constraints: Option<Json>,
    /// Whether the host name is the fully qualified one.
    #[column(path = "setHostnameAsFQDN")]
    set_hostname_as_fqdn: bool,
    /// Volumes: a list, each with its name and its source.
    #[column(path = "volumes")]
    volumes: Option<Json>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_kubelet_knows_a_static_pod_by_its_hash_and_others_by_their_uid() {
        let (hash, mirror) = ("kubernetes.io/config.hash", "kubernetes.io/config.mirror");
        for (annotations, account, uid) in [
            (json!({hash: "h", mirror: "h"}), json!(null), "h"),
            (json!({hash: "h", mirror: "h"}), json!("default"), "h"),
            (json!({hash: "h"}), json!(null), "h"),
            // What anybody may write hides no pod from a join.
            (json!({hash: "h"}), json!("default"), "u"),
            (json!({hash: 1}), json!(null), "u"),
            (json!({}), json!("default"), "u"),
            (json!(null), json!(null), "u"),
        ] {
            let mut pod =
                json!({"metadata": {"uid": "u", "annotations": annotations}, "spec": {"serviceAccountName": account}});
            set_kubelet_uid(&mut pod);
            assert_eq!(pod["kubeletUid"], uid, "{pod}");
        }
    }
}
