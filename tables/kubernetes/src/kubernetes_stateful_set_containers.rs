//! `kubernetes_stateful_set_containers`: one row per container of a stateful set.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::container_spec::{ContainerSpec, template_containers};
use crate::metadata::ContainerMeta;

/// Containers of stateful sets: init and regular containers, as their pods will have them.
///
/// `uid`, `creation_timestamp`, `labels` and `annotations` are those of the stateful set. Settings of the security
/// context that a container lacks, such as `run_as_user`, come from the pod template, as for the kubelet.
///
/// Constraints on `cluster`, `namespace` and `stateful_set_name` are applied by the API server. If a query also reads
/// `kubernetes_stateful_sets`, the stateful sets are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_stateful_set_containers", env = Kubernetes, stream, rows = 500, identity(uid, name))]
#[resource("apps/v1/statefulsets", namespaced)]
#[example(
    "Privileged containers.",
    "SELECT namespace, stateful_set_name, name, image FROM kubernetes_stateful_set_containers WHERE privileged"
)]
pub struct StatefulSetContainer {
    #[column(flatten)]
    meta: ContainerMeta,
    /// Name of the stateful set; joins `kubernetes_stateful_sets.name` in the same namespace.
    #[column(index(field), path = "metadata.name")]
    stateful_set_name: String,
    #[column(flatten, path = "container")]
    container: ContainerSpec,
}

template_containers!(StatefulSetContainer in "spec.template.spec", "spec.template.metadata.annotations");
