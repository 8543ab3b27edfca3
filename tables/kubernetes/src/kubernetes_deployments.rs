//! `kubernetes_deployments`: one row per deployment.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::pod_spec::PodSpec;
use crate::resource::{Resource, listed};

/// Deployments of Kubernetes clusters, with what they ask of their pods.
///
/// `cluster`, `namespace` and `name` reach the API server, so that it lists no more than is asked for.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_deployments", env = Kubernetes, stream, rows = 200)]
#[resource("apps/v1/deployments", namespaced)]
#[example(
    "Deployments that lack pods.",
    "SELECT namespace, name, deployment_replicas, available_replicas FROM kubernetes_deployments WHERE available_replicas < deployment_replicas"
)]
#[example("Images that are deployed.", "SELECT namespace, name, container_images FROM kubernetes_deployments")]
pub struct Deployment {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Service account that it runs as; joins `kubernetes_service_accounts.name` in the same namespace.
    #[column(path = "spec.template.spec.serviceAccountName")]
    service_account_name: Option<String>,
    /// Node that it is bound to; NULL leaves it to the scheduler.
    #[column(path = "spec.template.spec.nodeName")]
    node_name: Option<String>,
    /// Generation of its specification that the controller has seen.
    #[column(path = "status.observedGeneration")]
    observed_generation: Option<i64>,
    /// Pods that there are, ready or not.
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
    /// Pods that are still missing or not available.
    #[column(path = "status.unavailableReplicas")]
    unavailable_replicas: i64,
    /// Conditions, such as `Available` and `Progressing`.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Clashes of names of replica sets that were made for it.
    #[column(path = "status.collisionCount")]
    collision_count: Option<i64>,
    /// Pods that are asked for.
    #[column(path = "spec.replicas")]
    deployment_replicas: Option<i64>,
    /// Which pods are its own.
    #[column(path = "spec.selector")]
    selector: Option<Json>,
    /// How old pods are replaced by new ones.
    #[column(path = "spec.strategy")]
    strategy: Option<Json>,
    /// Seconds that a pod must be ready to count as available.
    #[column(path = "spec.minReadySeconds")]
    min_ready_seconds: i64,
    /// Old replica sets that are kept.
    #[column(path = "spec.revisionHistoryLimit")]
    revision_history_limit: Option<i64>,
    /// Whether changes of its template are held back.
    #[column(path = "spec.paused")]
    paused: bool,
    /// Seconds without progress after which it counts as failed.
    #[column(path = "spec.progressDeadlineSeconds")]
    progress_deadline_seconds: Option<i64>,
    /// Labels of its pods, as far as its selector is made of labels.
    #[column(path = "spec.selector.matchLabels")]
    match_labels: Map,
    /// Labels that its pods get.
    #[column(path = "spec.template.metadata.labels")]
    template_labels: Map,
    /// Images of its containers.
    #[column(path = "spec.template.spec.containers.*.image")]
    container_images: Vec<String>,
    #[column(flatten, path = "spec.template.spec")]
    pods: PodSpec,
}

impl Resource for Deployment {}

listed!(Deployment);
