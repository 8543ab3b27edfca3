//! `kubernetes_stateful_set_volumes`: one row per volume of a stateful set.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::VolumeMeta;
use crate::volume_spec::{PodVolumeSource, VolumeSource, volumes};

/// Volumes of stateful sets, with their sources.
///
/// `uid`, `creation_timestamp`, `labels` and `annotations` are those of the stateful set. Constraints on `cluster`,
/// `namespace` and `stateful_set_name` are applied by the API server. If a query also reads
/// `kubernetes_stateful_sets`, the stateful sets are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_stateful_set_volumes", env = Kubernetes, stream, rows = 500, identity(uid, name))]
#[resource("apps/v1/statefulsets", namespaced)]
#[example(
    "Directories of nodes in volumes.",
    "SELECT namespace, stateful_set_name, host_path_path FROM kubernetes_stateful_set_volumes WHERE volume_type = 'hostPath'"
)]
pub struct StatefulSetVolume {
    #[column(flatten)]
    meta: VolumeMeta,
    /// Name of the stateful set; joins `kubernetes_stateful_sets.name` in the same namespace.
    #[column(index(field), path = "metadata.name")]
    stateful_set_name: String,
    #[column(flatten, path = "volume")]
    source: VolumeSource,
    #[column(flatten, path = "volume")]
    pod_source: PodVolumeSource,
}

volumes!(StatefulSetVolume in "spec.template.spec");
