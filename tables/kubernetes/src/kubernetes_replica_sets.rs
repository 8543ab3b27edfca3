//! `kubernetes_replica_sets`: one row per replica set.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::computed::Conditions;
use crate::metadata::ObjectMeta;
use crate::pod_spec::{PodSpec, Template};
use crate::resource::{Resource, listed};

/// Replica sets of Kubernetes clusters, with the specification of their pods.
///
/// A deployment has one for each of its latest revisions. Constraints on `cluster`, `namespace` and `name` are
/// applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_replica_sets", env = Kubernetes, stream, rows = 500)]
#[resource("apps/v1/replicasets", namespaced)]
#[example(
    "Replica sets without a deployment.",
    "SELECT namespace, name FROM kubernetes_replica_sets WHERE owner_kind IS NULL"
)]
pub struct ReplicaSet {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Existing pods, ready or not.
    #[column(path = "status.replicas")]
    replicas: i64,
    /// Pods with all labels of the template.
    #[column(path = "status.fullyLabeledReplicas")]
    fully_labeled_replicas: i64,
    /// Pods that are ready.
    #[column(path = "status.readyReplicas")]
    ready_replicas: i64,
    /// Pods that have been ready for `min_ready_seconds`.
    #[column(path = "status.availableReplicas")]
    available_replicas: i64,
    /// Latest generation of its specification that the controller has processed.
    #[column(path = "status.observedGeneration")]
    observed_generation: Option<i64>,
    /// Conditions.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Desired number of pods.
    #[column(path = "spec.replicas")]
    replica_set_replicas: Option<i64>,
    /// Seconds that a pod must be ready to count as available.
    #[column(path = "spec.minReadySeconds")]
    min_ready_seconds: i64,
    /// Selector of its pods.
    #[column(path = "spec.selector")]
    selector: Option<Json>,
    /// The status of each condition by its type: `True`, `False` or `Unknown`.
    #[column(path = "status.conditions")]
    condition_status: Conditions,
    /// Labels in the selector of its pods.
    #[column(path = "spec.selector.matchLabels")]
    match_labels: Map,
    #[column(flatten, path = "spec.template")]
    template: Template,
    #[column(flatten, path = "spec.template.spec")]
    pods: PodSpec,
}

impl Resource for ReplicaSet {}

listed!(ReplicaSet);
