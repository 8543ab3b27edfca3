//! `kubernetes_replica_set_containers`: one row per container of a replica set.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::container_spec::{ContainerSpec, template_containers};
use crate::metadata::ContainerMeta;

/// Containers of replica sets: init and regular containers, as their pods will have them.
///
/// `uid`, `creation_timestamp`, `labels` and `annotations` are those of the replica set. Settings of the security
/// context that a container lacks, such as `run_as_user`, come from the pod template, as for the kubelet.
///
/// Constraints on `cluster`, `namespace` and `replica_set_name` are applied by the API server. If a query also reads
/// `kubernetes_replica_sets`, the replica sets are listed once.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_replica_set_containers", env = Kubernetes, stream, rows = 500, identity(uid, name))]
#[resource("apps/v1/replicasets", namespaced)]
#[example(
    "Privileged containers.",
    "SELECT namespace, replica_set_name, name, image FROM kubernetes_replica_set_containers WHERE privileged"
)]
pub struct ReplicaSetContainer {
    #[column(flatten)]
    meta: ContainerMeta,
    /// Name of the replica set; joins `kubernetes_replica_sets.name` in the same namespace.
    #[column(index(field), path = "metadata.name")]
    replica_set_name: String,
    #[column(flatten, path = "container")]
    container: ContainerSpec,
}

template_containers!(ReplicaSetContainer in "spec.template.spec", "spec.template.metadata.annotations");
