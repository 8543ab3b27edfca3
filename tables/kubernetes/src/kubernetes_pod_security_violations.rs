//! `kubernetes_pod_security_violations`: the controls of the Pod Security Standards that pods violate.

use indago_table::prelude::*;
use serde_json::{Value as Document, json};

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::pod_security::{self, Running, violations};
use crate::resource::{Derived, Resource, listed};

/// Controls of the Pod Security Standards that pods of Kubernetes clusters violate: one row per control and field.
///
/// A field that both standards restrict has a row for each. `name` is that of the pod. A pod that meets the restricted
/// standard has no row; `kubernetes_pod_security` has one row for each pod.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_pod_security_violations", env = Kubernetes, stream, rows = 2000,
    identity(uid, level, control, field)
)]
#[resource("v1/pods", namespaced)]
#[example(
    "Fields that violate the baseline standard.",
    "SELECT namespace, name, control, field, value FROM kubernetes_pod_security_violations WHERE level = 'baseline'"
)]
#[example(
    "Most violated controls.",
    "SELECT level, control, count(DISTINCT uid) AS pods FROM kubernetes_pod_security_violations GROUP BY level, control ORDER BY pods DESC"
)]
pub struct PodSecurityViolation {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Standard that has the control: `baseline` or `restricted`.
    #[column(path = "violation.level")]
    level: String,
    /// Name of the control in the standard: `Privileged Containers`, `Seccomp`.
    #[column(path = "violation.control")]
    control: String,
    /// Field of the pod that violates it: `spec.containers[0].securityContext.privileged`.
    #[column(path = "violation.field")]
    field: String,
    /// Name of the container that has the field; NULL for a field of the pod.
    #[column(path = "violation.container")]
    container_name: Option<String>,
    /// Value of the field; NULL if the field is missing and must be set.
    #[column(path = "violation.value")]
    value: Option<String>,
    #[column(flatten)]
    running: Running,
}

impl Resource for PodSecurityViolation {
    // Whether there is a row depends on them.
    const ALWAYS: &'static [&'static str] = pod_security::PATHS;
    const DERIVED: Derived = &[];

    fn documents(mut pod: Document) -> Vec<Result<Document>> {
        let violations = violations(&pod);
        // The rows need no more of the specification.
        let (node, account) = (pod["spec"]["nodeName"].clone(), pod["spec"]["serviceAccountName"].clone());
        pod["spec"] = json!({"nodeName": node, "serviceAccountName": account});
        let document = |violation: pod_security::Violation| {
            let pod_security::Violation { level, control, field, container, value } = violation;
            let mut document = pod.clone();
            document["violation"] = json!({
                "level": level.name(), "control": control, "field": field, "container": container, "value": value,
            });
            Ok(document)
        };
        violations.into_iter().map(document).collect()
    }
}

listed!(PodSecurityViolation);
