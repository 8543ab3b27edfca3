//! `kubernetes_daemon_set_volumes`: one row per volume of a daemon set.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::VolumeMeta;
use crate::volume_spec::{PodVolumeSource, VolumeSource, volumes};

/// Volumes of daemon sets, with their sources.
///
/// `uid`, `creation_timestamp`, `labels` and `annotations` are those of the daemon set. Constraints on `cluster`,
/// `namespace` and `daemon_set_name` are applied by the API server. If a query also reads `kubernetes_daemon_sets`,
/// the daemon sets are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_daemon_set_volumes", env = Kubernetes, stream, rows = 500, identity(uid, name))]
#[resource("apps/v1/daemonsets", namespaced)]
#[example(
    "Directories of nodes in volumes.",
    "SELECT namespace, daemon_set_name, host_path_path FROM kubernetes_daemon_set_volumes WHERE volume_type = 'hostPath'"
)]
pub struct DaemonSetVolume {
    #[column(flatten)]
    meta: VolumeMeta,
    /// Name of the daemon set; joins `kubernetes_daemon_sets.name` in the same namespace.
    #[column(index(field), path = "metadata.name")]
    daemon_set_name: String,
    #[column(flatten, path = "volume")]
    source: VolumeSource,
    #[column(flatten, path = "volume")]
    pod_source: PodVolumeSource,
}

volumes!(DaemonSetVolume in "spec.template.spec");
