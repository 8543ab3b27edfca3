//! `kubernetes_storage_classes`: one row per storage class.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ClusterMeta;
use crate::resource::{Resource, listed};

/// Storage classes of Kubernetes clusters.
///
/// Constraints on `cluster` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_storage_classes", env = Kubernetes, stream, rows = 5)]
#[resource("storage.k8s.io/v1/storageclasses")]
#[example("Drivers of each storage class.", "SELECT cluster, name, provisioner FROM kubernetes_storage_classes")]
pub struct StorageClass {
    #[column(flatten)]
    meta: ClusterMeta,
    /// Driver that makes its volumes; joins `kubernetes_csi_drivers.name`.
    #[column(path = "provisioner")]
    provisioner: Option<String>,
    /// Parameters of the driver.
    #[column(path = "parameters")]
    parameters: Map,
    /// What happens to its volumes after their claims are deleted: `Delete` or `Retain`.
    #[column(path = "reclaimPolicy")]
    reclaim_policy: Option<String>,
    /// Options of the mounts of its volumes.
    #[column(path = "mountOptions")]
    mount_options: Vec<String>,
    /// Whether its volumes can grow.
    #[column(path = "allowVolumeExpansion")]
    allow_volume_expansion: Option<bool>,
    /// When a claim gets its volume: `Immediate` or `WaitForFirstConsumer`.
    #[column(path = "volumeBindingMode")]
    volume_binding_mode: Option<String>,
    /// Where its volumes can be made.
    #[column(path = "allowedTopologies")]
    allowed_topologies: Option<Json>,
}

impl Resource for StorageClass {}

listed!(StorageClass);
