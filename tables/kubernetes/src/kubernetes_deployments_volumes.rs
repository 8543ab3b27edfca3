//! `kubernetes_deployments_volumes`: one row per volume of a deployment.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::VolumeMeta;
use crate::volume_spec::{PodVolumeSource, VolumeSource, volumes};

/// Volumes of deployments, with their sources.
///
/// `uid`, `creation_timestamp`, `labels` and `annotations` are those of the deployment. Constraints on `cluster`,
/// `namespace` and `deployment_name` are applied by the API server. If a query also reads `kubernetes_deployments`,
/// the deployments are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_deployments_volumes", env = Kubernetes, stream, rows = 500, identity(uid, name))]
#[resource("apps/v1/deployments", namespaced)]
#[example(
    "Directories of nodes in volumes.",
    "SELECT namespace, deployment_name, host_path_path FROM kubernetes_deployments_volumes WHERE volume_type = 'hostPath'"
)]
pub struct DeploymentVolume {
    #[column(flatten)]
    meta: VolumeMeta,
    /// Name of the deployment; joins `kubernetes_deployments.name` in the same namespace.
    #[column(index(field), path = "metadata.name")]
    deployment_name: String,
    #[column(flatten, path = "volume")]
    source: VolumeSource,
    #[column(flatten, path = "volume")]
    pod_source: PodVolumeSource,
}

volumes!(DeploymentVolume in "spec.template.spec");
