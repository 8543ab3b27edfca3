//! `kubernetes_persistent_volumes`: one row per persistent volume.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::computed::Bytes;
use crate::metadata::ClusterMeta;
use crate::resource::{Derived, Resource, listed};
use crate::volume_spec::{VolumeSource, source};

/// Persistent volumes of Kubernetes clusters, with their sources.
///
/// Constraints on `cluster` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_persistent_volumes", env = Kubernetes, stream, rows = 100)]
#[resource("v1/persistentvolumes")]
#[example(
    "Volumes that are directories of nodes.",
    "SELECT name, claim_namespace, claim_name, host_path_path FROM kubernetes_persistent_volumes WHERE volume_type = 'hostPath'"
)]
pub struct PersistentVolume {
    #[column(flatten)]
    meta: ClusterMeta,
    /// Its size, as quantities.
    #[column(path = "spec.capacity")]
    capacity: Map,
    /// Possible access: `ReadWriteOnce`, `ReadOnlyMany`, `ReadWriteMany`, `ReadWriteOncePod`.
    #[column(path = "spec.accessModes")]
    access_modes: Vec<String>,
    /// Claim that it is bound to.
    #[column(path = "spec.claimRef")]
    claim_ref: Option<Json>,
    /// What happens after its claim is deleted: `Retain`, `Delete` or `Recycle`.
    #[column(path = "spec.persistentVolumeReclaimPolicy")]
    persistent_volume_reclaim_policy: Option<String>,
    /// Name of its storage class; joins `kubernetes_storage_classes.name`.
    #[column(path = "spec.storageClassName")]
    storage_class_name: Option<String>,
    /// Options of its mounts.
    #[column(path = "spec.mountOptions")]
    mount_options: Vec<String>,
    /// `Filesystem` or `Block`.
    #[column(path = "spec.volumeMode")]
    volume_mode: Option<String>,
    /// Nodes that can mount it.
    #[column(path = "spec.nodeAffinity")]
    node_affinity: Option<Json>,
    /// `Pending`, `Available`, `Bound`, `Released` or `Failed`.
    #[column(path = "status.phase")]
    status_phase: Option<String>,
    /// Reason of its phase, as a sentence.
    #[column(path = "status.message")]
    status_message: Option<String>,
    /// Reason of its phase, in one word.
    #[column(path = "status.reason")]
    status_reason: Option<String>,
    /// Path of the directory or device on the node.
    #[column(path = "spec.local.path")]
    local_path: Option<String>,
    /// Its size, in bytes.
    #[column(path = "spec.capacity.storage")]
    capacity_bytes: Option<Bytes>,
    /// Namespace of its claim.
    #[column(path = "spec.claimRef.namespace")]
    claim_namespace: Option<String>,
    /// Name of its claim; joins `kubernetes_persistent_volume_claims.name` in `claim_namespace`.
    #[column(path = "spec.claimRef.name")]
    claim_name: Option<String>,
    #[column(flatten, path = "spec")]
    source: VolumeSource,
}

/// Members of the specification that are objects, but not the source.
const OTHERS: [&str; 3] = ["capacity", "claimRef", "nodeAffinity"];

impl Resource for PersistentVolume {
    const DERIVED: Derived = &[("spec.derived", &["spec"])];

    fn documents(mut object: Document) -> Vec<Result<Document>> {
        let source = source(&object["spec"], &OTHERS);
        if let Some(spec) = object["spec"].as_object_mut() {
            spec.insert("derived".to_owned(), source);
        }
        vec![Ok(object)]
    }
}

listed!(PersistentVolume);
