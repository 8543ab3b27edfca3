//! Pod specification: columns of pods, and of objects that create pods from a template.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::computed::Joined;

/// The paths that [`set_kubelet_uid`] needs.
pub(crate) const KUBELET_UID: (&str, &[&str]) = (
    "kubeletUid",
    &[
        "metadata.uid",
        "metadata.annotations.kubernetes\\.io/config\\.hash",
        "metadata.annotations.kubernetes\\.io/config\\.mirror",
        "spec.serviceAccountName",
    ],
);

/// Adds to a pod the UID that its kubelet uses. For a static pod this is the hash in an annotation of the mirror pod.
///
/// Any user may write annotations. A pod that falsely claims to be a mirror never runs: its kubelet deletes it. Every
/// other pod created through the API has a service account, which a static pod cannot have.
pub(crate) fn set_kubelet_uid(pod: &mut Document) {
    let annotations = &pod["metadata"]["annotations"];
    let is_static =
        annotations["kubernetes.io/config.mirror"].is_string() || pod["spec"]["serviceAccountName"].is_null();
    let hash = Some(&annotations["kubernetes.io/config.hash"]).filter(|hash| is_static && hash.is_string());
    let uid = hash.unwrap_or(&pod["metadata"]["uid"]).clone();
    pod["kubeletUid"] = uid;
}

/// The specification of pods. In its column texts, `it` is a pod.
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
    /// Path of the `Localhost` seccomp profile on the node.
    #[column(path = "securityContext.seccompProfile.localhostProfile")]
    seccomp_profile_localhost_profile: Option<String>,
    /// User ID of its containers; NULL if each container or image decides.
    #[column(path = "securityContext.runAsUser")]
    run_as_user: Option<i64>,
    /// Group ID of its containers; NULL if each container or the runtime decides.
    #[column(path = "securityContext.runAsGroup")]
    run_as_group: Option<i64>,
    /// Whether the kubelet refuses to start its containers as root.
    #[column(path = "securityContext.runAsNonRoot")]
    run_as_non_root: Option<bool>,
    /// Supplementary group IDs of its processes.
    #[column(path = "securityContext.supplementalGroups")]
    supplemental_groups: Vec<i64>,
    /// Group ID that owns its volumes.
    #[column(path = "securityContext.fsGroup")]
    fs_group: Option<i64>,
    /// Kernel parameters, as a list of name and value.
    #[column(path = "securityContext.sysctls")]
    sysctls: Option<Json>,
    /// When the owner of volumes is changed: `Always` or `OnRootMismatch`.
    #[column(path = "securityContext.fsGroupChangePolicy")]
    fs_group_change_policy: Option<String>,
    /// Rules for the nodes that it must or should run on.
    #[column(path = "affinity.nodeAffinity")]
    node_affinity: Option<Json>,
    /// Rules for the pods that it should run close to.
    #[column(path = "affinity.podAffinity")]
    pod_affinity: Option<Json>,
    /// Rules for the pods that it should not run close to.
    #[column(path = "affinity.podAntiAffinity")]
    pod_anti_affinity: Option<Json>,
    /// DNS servers added to those of its DNS policy.
    #[column(path = "dnsConfig.nameservers")]
    dns_config_nameservers: Vec<String>,
    /// DNS search domains added to those of its DNS policy.
    #[column(path = "dnsConfig.searches")]
    dns_config_searches: Vec<String>,
    /// DNS resolver options, as a list of name and value.
    #[column(path = "dnsConfig.options")]
    dns_config_options: Option<Json>,
    /// Labels that its node must have.
    #[column(path = "nodeSelector")]
    node_selector: Map,
    /// When its containers are restarted: `Always`, `OnFailure` or `Never`.
    #[column(path = "restartPolicy")]
    restart_policy: Option<String>,
    /// Seconds between the termination request and the kill.
    #[column(path = "terminationGracePeriodSeconds")]
    termination_grace_period_seconds: Option<i64>,
    /// Most seconds that it may be active; NULL for no limit.
    #[column(path = "activeDeadlineSeconds")]
    active_deadline_seconds: Option<i64>,
    /// DNS policy: `ClusterFirst`, `ClusterFirstWithHostNet`, `Default` or `None`.
    #[column(path = "dnsPolicy")]
    dns_policy: Option<String>,
    /// Whether the service account's token is mounted; NULL if the service account decides.
    #[column(path = "automountServiceAccountToken")]
    automount_service_account_token: Option<bool>,
    /// Whether it uses the node's network namespace.
    #[column(path = "hostNetwork")]
    host_network: bool,
    /// Whether it uses the node's process namespace.
    #[column(path = "hostPID")]
    host_pid: bool,
    /// Whether it uses the node's IPC namespace.
    #[column(path = "hostIPC")]
    host_ipc: bool,
    /// Whether its containers share a process namespace.
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
    /// Tolerated taints of nodes.
    #[column(path = "tolerations")]
    tolerations: Option<Json>,
    /// Lines added to `/etc/hosts` in its containers.
    #[column(path = "hostAliases")]
    host_aliases: Option<Json>,
    /// Name of its priority class.
    #[column(path = "priorityClassName")]
    priority_class_name: Option<String>,
    /// Priority. Pods of lower priority can be preempted for it.
    #[column(path = "priority")]
    priority: Option<i64>,
    /// Additional conditions of its readiness.
    #[column(path = "readinessGates")]
    readiness_gates: Option<Json>,
    /// Runtime class; NULL for the default one.
    #[column(path = "runtimeClassName")]
    runtime_class_name: Option<String>,
    /// Whether services of the namespace appear as environment variables.
    #[column(path = "enableServiceLinks")]
    enable_service_links: Option<bool>,
    /// Whether it may preempt pods of lower priority: `PreemptLowerPriority` or `Never`.
    #[column(path = "preemptionPolicy")]
    preemption_policy: Option<String>,
    /// Resources that its runtime class needs.
    #[column(path = "overhead")]
    overhead: Map,
    /// How its pods are spread over zones and nodes.
    #[column(path = "topologySpreadConstraints")]
    topology_spread_constraints: Option<Json>,
    /// Whether its host name is the fully qualified one.
    #[column(path = "setHostnameAsFQDN")]
    set_hostname_as_fqdn: bool,
    /// Volumes, each with its name and source.
    #[column(path = "volumes")]
    volumes: Option<Json>,
    /// Paths of the node that its volumes give access to.
    #[column(path = "volumes.*.hostPath.path")]
    host_paths: Vec<String>,
    /// Names of the secrets in its volumes, without those of projected volumes.
    #[column(path = "volumes.*.secret.secretName")]
    volume_secrets: Vec<String>,
    /// Names of the persistent volume claims in its volumes.
    #[column(path = "volumes.*.persistentVolumeClaim.claimName")]
    volume_claims: Vec<String>,
    /// Service account tokens in its projected volumes, as a list of audience, expiry and path.
    #[column(path = "volumes.*.projected.sources.*.serviceAccountToken")]
    projected_tokens: Option<Joined>,
    /// Images of its containers.
    #[column(path = "containers.*.image")]
    container_images: Vec<String>,
    /// Images of its init containers.
    #[column(path = "initContainers.*.image")]
    init_container_images: Vec<String>,
    /// AppArmor profile of its containers: `RuntimeDefault`, `Localhost` or `Unconfined`; NULL in clusters before 1.30.
    #[column(path = "securityContext.appArmorProfile.type")]
    app_armor_profile_type: Option<String>,
    /// Name of the `Localhost` AppArmor profile on the node.
    #[column(path = "securityContext.appArmorProfile.localhostProfile")]
    app_armor_profile_localhost_profile: Option<String>,
    /// Whether its containers are Windows host processes.
    #[column(path = "securityContext.windowsOptions.hostProcess")]
    windows_options_host_process: Option<bool>,
    /// Whether it uses the node's user namespace; NULL means yes.
    #[column(path = "hostUsers")]
    host_users: Option<bool>,
}

/// A pod template. In its column texts, `it` is an object with a template.
#[derive(Debug, Default, Columns)]
pub(crate) struct Template {
    /// Service account of its pods; joins `kubernetes_service_accounts.name` in the same namespace.
    #[column(path = "spec.serviceAccountName")]
    service_account_name: Option<String>,
    /// Node of its pods; NULL if the scheduler chooses.
    #[column(path = "spec.nodeName")]
    node_name: Option<String>,
    /// Labels of its pods.
    #[column(path = "metadata.labels")]
    template_labels: Map,
    /// Annotations of its pods.
    #[column(path = "metadata.annotations")]
    template_annotations: Map,
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
            // An annotation that any user may write hides no pod from a join.
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
