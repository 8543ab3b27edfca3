//! `kubernetes_pod_security_policies`: one row per pod security policy.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ClusterMeta;
use crate::resource::{Resource, listed};

/// Pod security policies of Kubernetes clusters before 1.25, which removed them. A newer server has none, and a note
/// reports it.
///
/// Constraints on `cluster` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_pod_security_policies", env = Kubernetes, stream, rows = 5)]
#[resource("policy/v1beta1/podsecuritypolicies", optional)]
#[example(
    "Policies that allow privileged containers.",
    "SELECT cluster, name FROM kubernetes_pod_security_policies WHERE privileged"
)]
pub struct PodSecurityPolicy {
    #[column(flatten)]
    meta: ClusterMeta,
    /// Whether containers may be privileged.
    #[column(path = "spec.privileged")]
    privileged: bool,
    /// Capabilities that containers get if they do not drop them.
    #[column(path = "spec.defaultAddCapabilities")]
    default_add_capabilities: Vec<String>,
    /// Capabilities that containers must drop.
    #[column(path = "spec.requiredDropCapabilities")]
    required_drop_capabilities: Vec<String>,
    /// Capabilities that containers may add; `*` means all.
    #[column(path = "spec.allowedCapabilities")]
    allowed_capabilities: Vec<String>,
    /// Sources that volumes may have; `*` means all.
    #[column(path = "spec.volumes")]
    volumes: Option<Json>,
    /// Whether pods may use the node's network namespace.
    #[column(path = "spec.hostNetwork")]
    host_network: bool,
    /// Ranges of the ports of nodes that containers may use.
    #[column(path = "spec.hostPorts")]
    host_ports: Option<Json>,
    /// Whether pods may use the node's process namespace.
    #[column(path = "spec.hostPID")]
    host_pid: bool,
    /// Whether pods may use the node's IPC namespace.
    #[column(path = "spec.hostIPC")]
    host_ipc: bool,
    /// Rule for SELinux labels.
    #[column(path = "spec.seLinux")]
    se_linux: Option<Json>,
    /// Rule for user IDs.
    #[column(path = "spec.runAsUser")]
    run_as_user: Option<Json>,
    /// Rule for group IDs.
    #[column(path = "spec.runAsGroup")]
    run_as_group: Option<Json>,
    /// Rule for supplementary group IDs.
    #[column(path = "spec.supplementalGroups")]
    supplemental_groups: Option<Json>,
    /// Rule for group IDs of volumes.
    #[column(path = "spec.fsGroup")]
    fs_group: Option<Json>,
    /// Whether containers must have a read-only root file system.
    #[column(path = "spec.readOnlyRootFilesystem")]
    read_only_root_filesystem: bool,
    /// Default of `allow_privilege_escalation` of containers.
    #[column(path = "spec.defaultAllowPrivilegeEscalation")]
    default_allow_privilege_escalation: Option<bool>,
    /// Whether processes may gain more privileges than their parent; NULL means yes.
    #[column(path = "spec.allowPrivilegeEscalation")]
    allow_privilege_escalation: Option<bool>,
    /// Paths of nodes that volumes may give access to; NULL for all.
    #[column(path = "spec.allowedHostPaths")]
    allowed_host_paths: Option<Json>,
    /// FlexVolume drivers that volumes may use; NULL for all.
    #[column(path = "spec.allowedFlexVolumes")]
    allowed_flex_volumes: Option<Json>,
    /// CSI drivers that ephemeral volumes may use; NULL for all.
    #[column(path = "spec.allowedCSIDrivers")]
    allowed_csi_drivers: Option<Json>,
    /// Unsafe kernel parameters that pods may set.
    #[column(path = "spec.allowedUnsafeSysctls")]
    allowed_unsafe_sysctls: Vec<String>,
    /// Kernel parameters that pods may not set.
    #[column(path = "spec.forbiddenSysctls")]
    forbidden_sysctls: Vec<String>,
    /// How `/proc` may be mounted; empty for `Default` only.
    #[column(path = "spec.allowedProcMountTypes")]
    allowed_proc_mount_types: Vec<String>,
    /// Rule for runtime classes.
    #[column(path = "spec.runtimeClass")]
    runtime_class: Option<Json>,
}

impl Resource for PodSecurityPolicy {}

listed!(PodSecurityPolicy);
