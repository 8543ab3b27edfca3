//! `kubernetes_daemon_sets`: one row per daemon set.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::computed::Conditions;
use crate::metadata::ObjectMeta;
use crate::pod_spec::{PodSpec, Template};
use crate::resource::{Resource, listed};

/// Daemon sets of Kubernetes clusters, with the specification of their pods.
///
/// Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_daemon_sets", env = Kubernetes, stream, rows = 50)]
#[resource("apps/v1/daemonsets", namespaced)]
#[example(
    "Daemon sets that can read files of their nodes.",
    "SELECT namespace, name, host_paths FROM kubernetes_daemon_sets WHERE cardinality(host_paths) > 0"
)]
pub struct DaemonSet {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Nodes that run its pod and should.
    #[column(path = "status.currentNumberScheduled")]
    current_number_scheduled: i64,
    /// Nodes that run its pod and should not.
    #[column(path = "status.numberMisscheduled")]
    number_misscheduled: i64,
    /// Nodes that should run its pod.
    #[column(path = "status.desiredNumberScheduled")]
    desired_number_scheduled: i64,
    /// Nodes with a ready pod.
    #[column(path = "status.numberReady")]
    number_ready: i64,
    /// Latest generation of its specification that the controller has processed.
    #[column(path = "status.observedGeneration")]
    observed_generation: Option<i64>,
    /// Nodes that run a pod of the current template.
    #[column(path = "status.updatedNumberScheduled")]
    updated_number_scheduled: i64,
    /// Nodes with a pod that has been ready for `min_ready_seconds`.
    #[column(path = "status.numberAvailable")]
    number_available: i64,
    /// Nodes without such a pod.
    #[column(path = "status.numberUnavailable")]
    number_unavailable: i64,
    /// Number of name collisions of its controller revisions.
    #[column(path = "status.collisionCount")]
    collision_count: Option<i64>,
    /// Conditions.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Selector of its pods.
    #[column(path = "spec.selector")]
    selector: Option<Json>,
    /// How old pods are replaced.
    #[column(path = "spec.updateStrategy")]
    update_strategy: Option<Json>,
    /// Seconds that a pod must be ready to count as available.
    #[column(path = "spec.minReadySeconds")]
    min_ready_seconds: i64,
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

impl Resource for DaemonSet {}

listed!(DaemonSet);
