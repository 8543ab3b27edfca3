//! `kubernetes_csi_drivers`: one row per CSI driver.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ClusterMeta;
use crate::resource::{Resource, listed};

/// Storage drivers (CSI) that Kubernetes clusters know.
///
/// Constraints on `cluster` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_csi_drivers", env = Kubernetes, stream, rows = 5)]
#[resource("storage.k8s.io/v1/csidrivers")]
#[example(
    "Drivers that get tokens of service accounts.",
    "SELECT cluster, name, token_requests FROM kubernetes_csi_drivers WHERE token_requests IS NOT NULL"
)]
pub struct CsiDriver {
    #[column(flatten)]
    meta: ClusterMeta,
    /// Whether volumes are attached to a node before they are mounted.
    #[column(path = "spec.attachRequired")]
    attach_required: Option<bool>,
    /// Whether the driver gets the name, namespace and UID of the pod.
    #[column(path = "spec.podInfoOnMount")]
    pod_info_on_mount: Option<bool>,
    /// Kinds of volumes: `Persistent`, `Ephemeral`.
    #[column(path = "spec.volumeLifecycleModes")]
    volume_lifecycle_modes: Vec<String>,
    /// Whether pods wait until the driver has reported enough capacity.
    #[column(path = "spec.storageCapacity")]
    storage_capacity: Option<bool>,
    /// When a volume's group is changed: `ReadWriteOnceWithFSType`, `File` or `None`.
    #[column(path = "spec.fsGroupPolicy")]
    fs_group_policy: Option<String>,
    /// Service account tokens that the driver gets, as a list of audience and lifetime.
    #[column(path = "spec.tokenRequests")]
    token_requests: Option<Json>,
    /// Whether mounts are refreshed periodically.
    #[column(path = "spec.requiresRepublish")]
    requires_republish: Option<bool>,
}

impl Resource for CsiDriver {}

listed!(CsiDriver);
