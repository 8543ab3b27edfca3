//! `kubernetes_deployments`: one row per deployment.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::computed::Conditions;
use crate::metadata::ObjectMeta;
use crate::pod_spec::{PodSpec, Template};
use crate::resource::{Resource, listed};

/// Deployments of Kubernetes clusters, with the specification of their pods.
///
/// Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_deployments", env = Kubernetes, stream, rows = 200)]
#[resource("apps/v1/deployments", namespaced)]
#[example(
    "Deployments that lack pods.",
    "SELECT namespace, name, deployment_replicas, available_replicas FROM kubernetes_deployments WHERE available_replicas < deployment_replicas"
)]
#[example("Images of each deployment.", "SELECT namespace, name, container_images FROM kubernetes_deployments")]
pub struct Deployment {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Latest generation of its specification that the controller has processed.
    #[column(path = "status.observedGeneration")]
    observed_generation: Option<i64>,
    /// Existing pods, ready or not.
    #[column(path = "status.replicas")]
    replicas: i64,
    /// Pods made from the current template.
    #[column(path = "status.updatedReplicas")]
    updated_replicas: i64,
    /// Pods that are ready.
    #[column(path = "status.readyReplicas")]
    ready_replicas: i64,
    /// Pods that have been ready for `min_ready_seconds`.
    #[column(path = "status.availableReplicas")]
    available_replicas: i64,
    /// Pods that are missing or not available.
    #[column(path = "status.unavailableReplicas")]
    unavailable_replicas: i64,
    /// Conditions, such as `Available` and `Progressing`.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Number of name collisions of its replica sets.
    #[column(path = "status.collisionCount")]
    collision_count: Option<i64>,
    /// Desired number of pods.
    #[column(path = "spec.replicas")]
    deployment_replicas: Option<i64>,
    /// Selector of its pods.
    #[column(path = "spec.selector")]
    selector: Option<Json>,
    /// How old pods are replaced.
    #[column(path = "spec.strategy")]
    strategy: Option<Json>,
    /// Seconds that a pod must be ready to count as available.
    #[column(path = "spec.minReadySeconds")]
    min_ready_seconds: i64,
    /// Number of old replica sets to keep.
    #[column(path = "spec.revisionHistoryLimit")]
    revision_history_limit: Option<i64>,
    /// Whether rollouts are paused.
    #[column(path = "spec.paused")]
    paused: bool,
    /// Seconds without progress until a rollout counts as failed.
    #[column(path = "spec.progressDeadlineSeconds")]
    progress_deadline_seconds: Option<i64>,
    /// Labels in the selector of its pods.
    #[column(path = "spec.selector.matchLabels")]
    match_labels: Map,
    /// The status of each condition: `condition_status['Available']` is `True`, `False` or `Unknown`.
    #[column(path = "status.conditions")]
    condition_status: Conditions,
    #[column(flatten, path = "spec.template")]
    template: Template,
    #[column(flatten, path = "spec.template.spec")]
    pods: PodSpec,
}

impl Resource for Deployment {}

listed!(Deployment);
