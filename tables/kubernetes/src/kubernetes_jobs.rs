//! `kubernetes_jobs`: one row per job.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::computed::Conditions;
use crate::metadata::ObjectMeta;
use crate::pod_spec::{PodSpec, Template};
use crate::resource::{Resource, listed};

/// Jobs of Kubernetes clusters, with the specification of their pods.
///
/// Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_jobs", env = Kubernetes, stream, rows = 200)]
#[resource("batch/v1/jobs", namespaced)]
#[example(
    "Failed jobs, with their cron jobs.",
    "SELECT namespace, name, owner_name, failed FROM kubernetes_jobs WHERE condition_status['Failed'] = 'True'"
)]
pub struct Job {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Conditions, such as `Complete` and `Failed`.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Time when its controller started it.
    #[column(path = "status.startTime")]
    start_time: Option<Timestamp>,
    /// Time when it completed.
    #[column(path = "status.completionTime")]
    completion_time: Option<Timestamp>,
    /// Running and pending pods.
    #[column(path = "status.active")]
    active: i64,
    /// Pods that succeeded.
    #[column(path = "status.succeeded")]
    succeeded: i64,
    /// Pods that failed.
    #[column(path = "status.failed")]
    failed: i64,
    /// Completed indexes of an indexed job, as ranges: `1,3-5`.
    #[column(path = "status.completedIndexes")]
    completed_indexes: Option<String>,
    /// Most pods that run at the same time.
    #[column(path = "spec.parallelism")]
    parallelism: Option<i64>,
    /// Pods that must succeed; NULL if one success is enough.
    #[column(path = "spec.completions")]
    completions: Option<i64>,
    /// Most seconds that the job may be active; NULL for no limit.
    #[column(path = "spec.activeDeadlineSeconds")]
    job_active_deadline_seconds: Option<i64>,
    /// Number of retries until the job has failed.
    #[column(path = "spec.backoffLimit")]
    backoff_limit: Option<i64>,
    /// Selector of its pods.
    #[column(path = "spec.selector")]
    selector: Option<Json>,
    /// Whether the user chose the selector.
    #[column(path = "spec.manualSelector")]
    manual_selector: Option<bool>,
    /// Seconds after its end until the job is deleted; NULL for no limit.
    #[column(path = "spec.ttlSecondsAfterFinished")]
    ttl_seconds_after_finished: Option<i64>,
    /// Whether it is suspended.
    #[column(path = "spec.suspend")]
    suspend: bool,
    /// Whether its pods have indexes: `NonIndexed` or `Indexed`.
    #[column(path = "spec.completionMode")]
    completion_mode: Option<String>,
    /// The status of each condition by its type: `True`, `False` or `Unknown`.
    #[column(path = "status.conditions")]
    condition_status: Conditions,
    #[column(flatten, path = "spec.template")]
    template: Template,
    #[column(flatten, path = "spec.template.spec")]
    pods: PodSpec,
}

impl Resource for Job {}

listed!(Job);
