//! `kubernetes_stateful_sets`: one row per stateful set.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::computed::Conditions;
use crate::metadata::ObjectMeta;
use crate::pod_spec::{PodSpec, Template};
use crate::resource::{Resource, listed};

/// Stateful sets of Kubernetes clusters, with the specification of their pods.
///
/// Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_stateful_sets", env = Kubernetes, stream, rows = 50)]
#[resource("apps/v1/statefulsets", namespaced)]
#[example(
    "Stateful sets that lack pods.",
    "SELECT namespace, name, stateful_set_replicas, ready_replicas FROM kubernetes_stateful_sets WHERE ready_replicas < stateful_set_replicas"
)]
pub struct StatefulSet {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Latest generation of its specification that the controller has processed.
    #[column(path = "status.observedGeneration")]
    observed_generation: Option<i64>,
    /// Existing pods, ready or not.
    #[column(path = "status.replicas")]
    replicas: i64,
    /// Pods that are ready.
    #[column(path = "status.readyReplicas")]
    ready_replicas: i64,
    /// Pods of the current revision.
    #[column(path = "status.currentReplicas")]
    current_replicas: i64,
    /// Pods of the update revision.
    #[column(path = "status.updatedReplicas")]
    updated_replicas: i64,
    /// Revision of its pods before the running update.
    #[column(path = "status.currentRevision")]
    current_revision: Option<String>,
    /// Revision of its pods after the running update.
    #[column(path = "status.updateRevision")]
    update_revision: Option<String>,
    /// Number of name collisions of its controller revisions.
    #[column(path = "status.collisionCount")]
    collision_count: Option<i64>,
    /// Conditions.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Desired number of pods.
    #[column(path = "spec.replicas")]
    stateful_set_replicas: Option<i64>,
    /// Selector of its pods.
    #[column(path = "spec.selector")]
    selector: Option<Json>,
    /// Templates of the claims that each pod gets.
    #[column(path = "spec.volumeClaimTemplates")]
    volume_claim_templates: Option<Json>,
    /// Service that gives its pods their host names.
    #[column(path = "spec.serviceName")]
    service_name: Option<String>,
    /// Whether pods start in order: `OrderedReady` or `Parallel`.
    #[column(path = "spec.podManagementPolicy")]
    pod_management_policy: Option<String>,
    /// How old pods are replaced.
    #[column(path = "spec.updateStrategy")]
    update_strategy: Option<Json>,
    /// Number of old revisions to keep.
    #[column(path = "spec.revisionHistoryLimit")]
    revision_history_limit: Option<i64>,
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

impl Resource for StatefulSet {}

listed!(StatefulSet);
