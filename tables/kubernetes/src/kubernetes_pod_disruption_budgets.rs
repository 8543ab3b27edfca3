//! `kubernetes_pod_disruption_budgets`: one row per pod disruption budget.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::computed::Conditions;
use crate::metadata::ObjectMeta;
use crate::resource::{Resource, listed};

/// Pod disruption budgets of Kubernetes clusters.
///
/// They are read from `policy/v1`, or from `policy/v1beta1` of servers before 1.21. Constraints on `cluster`,
/// `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_pod_disruption_budgets", env = Kubernetes, stream, rows = 50)]
#[resource("policy/v1/poddisruptionbudgets", namespaced, older("policy/v1beta1"))]
#[example(
    "Budgets that block each eviction.",
    "SELECT namespace, name FROM kubernetes_pod_disruption_budgets WHERE disruptions_allowed = 0"
)]
pub struct PodDisruptionBudget {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Least number of pods that must stay available, or a percentage.
    #[column(path = "spec.minAvailable")]
    min_available: Option<String>,
    /// Selector of its pods.
    #[column(path = "spec.selector")]
    selector: Option<Json>,
    /// Most pods that may be unavailable, or a percentage.
    #[column(path = "spec.maxUnavailable")]
    max_unavailable: Option<String>,
    /// Latest generation of its specification that the controller has processed.
    #[column(path = "status.observedGeneration")]
    observed_generation: Option<i64>,
    /// Pods that are being evicted, with the times of the evictions.
    #[column(path = "status.disruptedPods")]
    disrupted_pods: Map,
    /// Pods that may be evicted now.
    #[column(path = "status.disruptionsAllowed")]
    disruptions_allowed: i64,
    /// Healthy pods.
    #[column(path = "status.currentHealthy")]
    current_healthy: i64,
    /// Least number of healthy pods.
    #[column(path = "status.desiredHealthy")]
    desired_healthy: i64,
    /// Pods that it counts.
    #[column(path = "status.expectedPods")]
    expected_pods: i64,
    /// Conditions.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// The status of each condition by its type: `True`, `False` or `Unknown`.
    #[column(path = "status.conditions")]
    condition_status: Conditions,
}

impl Resource for PodDisruptionBudget {}

listed!(PodDisruptionBudget);
