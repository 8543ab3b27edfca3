//! `kubernetes_pod_volumes`: one row per volume of a pod.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::VolumeMeta;
use crate::volume_spec::{PodVolumeSource, VolumeSource, volumes};

/// Volumes of pods, with their sources.
///
/// `uid`, `creation_timestamp`, `labels` and `annotations` are those of the pod. Constraints on `cluster`,
/// `namespace` and `pod_name` are applied by the API server. If a query also reads `kubernetes_pods`, the pods are
/// listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_pod_volumes", env = Kubernetes, stream, rows = 500, identity(uid, name))]
#[resource("v1/pods", namespaced)]
#[example(
    "Directories of nodes in volumes.",
    "SELECT namespace, pod_name, host_path_path FROM kubernetes_pod_volumes WHERE volume_type = 'hostPath'"
)]
pub struct PodVolume {
    #[column(flatten)]
    meta: VolumeMeta,
    /// Name of the pod; joins `kubernetes_pods.name` in the same namespace.
    #[column(index(field), path = "metadata.name")]
    pod_name: String,
    #[column(flatten, path = "volume")]
    source: VolumeSource,
    #[column(flatten, path = "volume")]
    pod_source: PodVolumeSource,
}

volumes!(PodVolume in "spec");
