//! `kubernetes_pod_security`: the Pod Security Standard that each pod meets.

use indago_table::prelude::*;
use serde_json::{Value as Document, json};

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::pod_security::{self, Level, Running, controls, level, violations};
use crate::resource::{Derived, Resource, listed};

/// The Pod Security Standard that each pod of Kubernetes clusters meets.
///
/// The standards are those of the Kubernetes documentation in their newest version, 1.35, whatever the version of the
/// cluster. `kubernetes_pod_security_violations` has one row per violated control, `kubernetes_workload_pod_security`
/// also the templates of pods. Which standard a namespace enforces
/// is in its labels: `kubernetes_namespaces.labels['pod-security.kubernetes.io/enforce']`.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_pod_security", env = Kubernetes, stream, rows = 500)]
#[resource("v1/pods", namespaced)]
#[example(
    "Pods that not even the baseline allows.",
    "SELECT namespace, name, baseline_violations FROM kubernetes_pod_security WHERE level = 'privileged'"
)]
#[example(
    "Pods that would be refused if their namespace enforced the restricted standard.",
    "SELECT namespace, count(*) AS pods FROM kubernetes_pod_security WHERE level <> 'restricted' GROUP BY namespace"
)]
pub struct PodSecurity {
    #[column(flatten)]
    meta: ObjectMeta,
    /// The strictest standard that it meets: `privileged`, `baseline` or `restricted`.
    #[column(path = "security.level")]
    level: String,
    /// Controls of the baseline standard that it violates, such as `Host Namespaces`.
    #[column(path = "security.baseline")]
    baseline_violations: Vec<String>,
    /// Controls that the restricted standard adds and it violates.
    #[column(path = "security.restricted")]
    restricted_violations: Vec<String>,
    #[column(flatten)]
    running: Running,
}

impl Resource for PodSecurity {
    const DERIVED: Derived = &[("security", pod_security::PATHS)];

    fn documents(mut pod: Document) -> Vec<Result<Document>> {
        let violations = violations(&pod);
        pod["security"] = json!({
            "level": level(&violations).name(),
            "baseline": controls(&violations, Level::Baseline),
            "restricted": controls(&violations, Level::Restricted),
        });
        vec![Ok(pod)]
    }
}

listed!(PodSecurity);
