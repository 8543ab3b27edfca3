//! `kubernetes_horizontal_pod_autoscalers`: one row per horizontal pod autoscaler.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::resource::{Resource, listed};

/// Horizontal pod autoscalers of Kubernetes clusters, as `autoscaling/v1` has them: metrics other than the processor
/// are in the annotation `autoscaling.alpha.kubernetes.io/metrics`.
///
/// Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_horizontal_pod_autoscalers", env = Kubernetes, stream, rows = 50)]
#[resource("autoscaling/v1/horizontalpodautoscalers", namespaced)]
#[example(
    "Autoscalers at their limit.",
    "SELECT namespace, name, max_replicas FROM kubernetes_horizontal_pod_autoscalers WHERE current_replicas >= max_replicas"
)]
pub struct HorizontalPodAutoscaler {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Kind and name of the scaled object.
    #[column(path = "spec.scaleTargetRef")]
    scale_target_ref: Option<Json>,
    /// Least number of pods.
    #[column(path = "spec.minReplicas")]
    min_replicas: Option<i64>,
    /// Most pods.
    #[column(path = "spec.maxReplicas")]
    max_replicas: Option<i64>,
    /// Wanted processor use of the pods, in percent of their requests.
    #[column(path = "spec.targetCPUUtilizationPercentage")]
    target_cpu_utilization_percentage: Option<i64>,
    /// Latest generation of its specification that the controller has processed.
    #[column(path = "status.observedGeneration")]
    observed_generation: Option<i64>,
    /// Time when the number of pods was last changed.
    #[column(path = "status.lastScaleTime")]
    last_scale_time: Option<Timestamp>,
    /// Number of pods.
    #[column(path = "status.currentReplicas")]
    current_replicas: i64,
    /// Number of pods that the controller wants.
    #[column(path = "status.desiredReplicas")]
    desired_replicas: i64,
    /// Processor use of the pods, in percent of their requests.
    #[column(path = "status.currentCPUUtilizationPercentage")]
    current_cpu_utilization_percentage: Option<i64>,
    /// Kind of the scaled object, such as `Deployment`.
    #[column(path = "spec.scaleTargetRef.kind")]
    scale_target_kind: Option<String>,
    /// Name of the scaled object.
    #[column(path = "spec.scaleTargetRef.name")]
    scale_target_name: Option<String>,
}

impl Resource for HorizontalPodAutoscaler {}

listed!(HorizontalPodAutoscaler);
