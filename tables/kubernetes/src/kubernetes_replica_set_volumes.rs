//! `kubernetes_replica_set_volumes`: one row per volume of a replica set.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::VolumeMeta;
use crate::volume_spec::{PodVolumeSource, VolumeSource, volumes};

/// Volumes of replica sets, with their sources.
///
/// `uid`, `creation_timestamp`, `labels` and `annotations` are those of the replica set. Constraints on `cluster`,
/// `namespace` and `replica_set_name` are applied by the API server. If a query also reads `kubernetes_replica_sets`,
/// the replica sets are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_replica_set_volumes", env = Kubernetes, stream, rows = 500, identity(uid, name))]
#[resource("apps/v1/replicasets", namespaced)]
#[example(
    "Directories of nodes in volumes.",
    "SELECT namespace, replica_set_name, host_path_path FROM kubernetes_replica_set_volumes WHERE volume_type = 'hostPath'"
)]
pub struct ReplicaSetVolume {
    #[column(flatten)]
    meta: VolumeMeta,
    /// Name of the replica set; joins `kubernetes_replica_sets.name` in the same namespace.
    #[column(index(field), path = "metadata.name")]
    replica_set_name: String,
    #[column(flatten, path = "volume")]
    source: VolumeSource,
    #[column(flatten, path = "volume")]
    pod_source: PodVolumeSource,
}

volumes!(ReplicaSetVolume in "spec.template.spec");
