//! `kubernetes_deployments_containers`: one row per container of a deployment.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::container_spec::{ContainerSpec, template_containers};
use crate::metadata::ContainerMeta;

/// Containers of deployments: init and regular containers, as their pods will have them.
///
/// `uid`, `creation_timestamp`, `labels` and `annotations` are those of the deployment. Settings of the security
/// context that a container lacks, such as `run_as_user`, come from the pod template, as for the kubelet.
///
/// Constraints on `cluster`, `namespace` and `deployment_name` are applied by the API server. If a query also reads
/// `kubernetes_deployments`, the deployments are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_deployments_containers", env = Kubernetes, stream, rows = 500, identity(uid, name))]
#[resource("apps/v1/deployments", namespaced)]
#[example(
    "Privileged containers.",
    "SELECT namespace, deployment_name, name, image FROM kubernetes_deployments_containers WHERE privileged"
)]
pub struct DeploymentContainer {
    #[column(flatten)]
    meta: ContainerMeta,
    /// Name of the deployment; joins `kubernetes_deployments.name` in the same namespace.
    #[column(index(field), path = "metadata.name")]
    deployment_name: String,
    #[column(flatten, path = "container")]
    container: ContainerSpec,
}

template_containers!(DeploymentContainer in "spec.template.spec", "spec.template.metadata.annotations");
