//! `kubernetes_pod_template_containers`: one row per container of a pod template.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::container_spec::{ContainerSpec, template_containers};
use crate::metadata::ContainerMeta;

/// Containers of pod templates: init and regular containers, as their pods will have them.
///
/// `uid`, `creation_timestamp`, `labels` and `annotations` are those of the pod template. Settings of the security
/// context that a container lacks, such as `run_as_user`, come from the pod template, as for the kubelet.
///
/// Constraints on `cluster`, `namespace` and `pod_template_name` are applied by the API server. If a query also reads
/// `kubernetes_pod_templates`, the pod templates are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_pod_template_containers", env = Kubernetes, stream, rows = 500, identity(uid, name))]
#[resource("v1/podtemplates", namespaced)]
#[example(
    "Privileged containers.",
    "SELECT namespace, pod_template_name, name, image FROM kubernetes_pod_template_containers WHERE privileged"
)]
pub struct PodTemplateContainer {
    #[column(flatten)]
    meta: ContainerMeta,
    /// Name of the pod template; joins `kubernetes_pod_templates.name` in the same namespace.
    #[column(index(field), path = "metadata.name")]
    pod_template_name: String,
    #[column(flatten, path = "container")]
    container: ContainerSpec,
}

template_containers!(PodTemplateContainer in "template.spec", "template.metadata.annotations");
