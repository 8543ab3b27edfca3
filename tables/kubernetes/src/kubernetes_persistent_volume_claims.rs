//! `kubernetes_persistent_volume_claims`: one row per persistent volume claim.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::computed::{Bytes, Conditions};
use crate::metadata::ObjectMeta;
use crate::resource::{Resource, listed};

/// Persistent volume claims of Kubernetes clusters.
///
/// Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_persistent_volume_claims", env = Kubernetes, stream, rows = 100)]
#[resource("v1/persistentvolumeclaims", namespaced)]
#[example(
    "Claims without a volume.",
    "SELECT namespace, name, storage_class_name FROM kubernetes_persistent_volume_claims WHERE phase <> 'Bound'"
)]
pub struct PersistentVolumeClaim {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Wanted access: `ReadWriteOnce`, `ReadOnlyMany`, `ReadWriteMany`, `ReadWriteOncePod`.
    #[column(path = "spec.accessModes")]
    access_modes: Vec<String>,
    /// Selector of the volume by its labels.
    #[column(path = "spec.selector")]
    selector: Option<Json>,
    /// Wanted size, as quantities.
    #[column(path = "spec.resources")]
    resources: Option<Json>,
    /// Name of its volume; joins `kubernetes_persistent_volumes.name`. NULL until it is bound.
    #[column(path = "spec.volumeName")]
    volume_name: Option<String>,
    /// Name of its storage class; joins `kubernetes_storage_classes.name`.
    #[column(path = "spec.storageClassName")]
    storage_class_name: Option<String>,
    /// `Filesystem` or `Block`.
    #[column(path = "spec.volumeMode")]
    volume_mode: Option<String>,
    /// Snapshot or claim with its first content.
    #[column(path = "spec.dataSource")]
    data_source: Option<Json>,
    /// `Pending`, `Bound` or `Lost`.
    #[column(path = "status.phase")]
    phase: Option<String>,
    /// Size of its volume, as quantities.
    #[column(path = "status.capacity")]
    capacity: Map,
    /// Conditions, such as `Resizing`.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Wanted size, in bytes.
    #[column(path = "spec.resources.requests.storage")]
    request_bytes: Option<Bytes>,
    /// The status of each condition by its type: `True`, `False` or `Unknown`.
    #[column(path = "status.conditions")]
    condition_status: Conditions,
}

impl Resource for PersistentVolumeClaim {}

listed!(PersistentVolumeClaim);
