//! `kubernetes_cron_jobs`: one row per cron job.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::pod_spec::{PodSpec, Template};
use crate::resource::{Resource, listed};

/// Cron jobs of Kubernetes clusters, with the specification of their pods.
///
/// They are read from `batch/v1`, or from `batch/v1beta1` of servers before 1.21. Constraints on `cluster`,
/// `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_cron_jobs", env = Kubernetes, stream, rows = 50)]
#[resource("batch/v1/cronjobs", namespaced, older("batch/v1beta1"))]
#[example(
    "Cron jobs and when they last ran.",
    "SELECT namespace, name, schedule, last_schedule_time FROM kubernetes_cron_jobs WHERE NOT suspend"
)]
pub struct CronJob {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Running jobs.
    #[column(path = "status.active")]
    active: Option<Json>,
    /// Time when a job was last started.
    #[column(path = "status.lastScheduleTime")]
    last_schedule_time: Option<Timestamp>,
    /// Time when a job last succeeded; NULL before Kubernetes 1.21.
    #[column(path = "status.lastSuccessfulTime")]
    last_successful_time: Option<Timestamp>,
    /// Schedule in the syntax of cron.
    #[column(path = "spec.schedule")]
    schedule: Option<String>,
    /// Most seconds by which a job may start late; NULL for no limit.
    #[column(path = "spec.startingDeadlineSeconds")]
    starting_deadline_seconds: Option<i64>,
    /// What happens if the previous job still runs: `Allow`, `Forbid` or `Replace`.
    #[column(path = "spec.concurrencyPolicy")]
    concurrency_policy: Option<String>,
    /// Whether it is suspended.
    #[column(path = "spec.suspend")]
    suspend: bool,
    /// Number of successful jobs to keep.
    #[column(path = "spec.successfulJobsHistoryLimit")]
    successful_jobs_history_limit: Option<i64>,
    /// Number of failed jobs to keep.
    #[column(path = "spec.failedJobsHistoryLimit")]
    failed_jobs_history_limit: Option<i64>,
    /// Most pods that run at the same time.
    #[column(path = "spec.jobTemplate.spec.parallelism")]
    parallelism: Option<i64>,
    /// Pods that must succeed; NULL if one success is enough.
    #[column(path = "spec.jobTemplate.spec.completions")]
    completions: Option<i64>,
    /// Most seconds that the job may be active; NULL for no limit.
    #[column(path = "spec.jobTemplate.spec.activeDeadlineSeconds")]
    job_active_deadline_seconds: Option<i64>,
    /// Number of retries until the job has failed.
    #[column(path = "spec.jobTemplate.spec.backoffLimit")]
    backoff_limit: Option<i64>,
    /// Selector of its pods.
    #[column(path = "spec.jobTemplate.spec.selector")]
    selector: Option<Json>,
    /// Whether the user chose the selector.
    #[column(path = "spec.jobTemplate.spec.manualSelector")]
    manual_selector: Option<bool>,
    /// Seconds after its end until the job is deleted; NULL for no limit.
    #[column(path = "spec.jobTemplate.spec.ttlSecondsAfterFinished")]
    ttl_seconds_after_finished: Option<i64>,
    /// Time zone of the schedule; NULL for that of the controller.
    #[column(path = "spec.timeZone")]
    time_zone: Option<String>,
    #[column(flatten, path = "spec.jobTemplate.spec.template")]
    template: Template,
    #[column(flatten, path = "spec.jobTemplate.spec.template.spec")]
    pods: PodSpec,
}

impl Resource for CronJob {}

listed!(CronJob);
