//! `kubernetes_component_statuses`: one row per condition of a component.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::ClusterMeta;
use crate::resource::{Derived, Resource, each, listed};

/// State of the components of Kubernetes clusters, as their API servers see them. Deprecated in Kubernetes: a managed
/// control plane often reports wrong states.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_component_statuses", env = Kubernetes, stream, rows = 3, identity(cluster, name, type))]
#[resource("v1/componentstatuses")]
#[example(
    "Components that are not healthy.",
    "SELECT cluster, name, message FROM kubernetes_component_statuses WHERE status <> 'True'"
)]
pub struct ComponentStatus {
    #[column(flatten)]
    meta: ClusterMeta,
    /// Condition: `Healthy`.
    #[column(path = "condition.type")]
    r#type: Option<String>,
    /// `True`, `False` or `Unknown`.
    #[column(path = "condition.status")]
    status: Option<String>,
    /// What the component answered.
    #[column(path = "condition.message")]
    message: Option<String>,
    /// Why it could not be reached.
    #[column(path = "condition.error")]
    error: Option<String>,
}

impl Resource for ComponentStatus {
    const ALWAYS: &'static [&'static str] = &["conditions.*.type"];
    const DERIVED: Derived = &[("condition", &["conditions.*.{}"])];

    fn documents(object: Document) -> Vec<Result<Document>> {
        each(object, "conditions", "condition")
    }
}

listed!(ComponentStatus);
