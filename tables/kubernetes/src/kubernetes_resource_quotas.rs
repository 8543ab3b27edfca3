//! `kubernetes_resource_quotas`: one row per resource quota.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::resource::{Resource, listed};

/// Resource quotas of namespaces of Kubernetes clusters.
///
/// Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_resource_quotas", env = Kubernetes, stream, rows = 50)]
#[resource("v1/resourcequotas", namespaced)]
#[example(
    "Use and limit of memory in each namespace.",
    "SELECT namespace, name, status_used['limits.memory'], status_hard['limits.memory'] FROM kubernetes_resource_quotas"
)]
pub struct ResourceQuota {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Limits by resource, as quantities.
    #[column(path = "spec.hard")]
    hard: Map,
    /// Kinds of pods that it counts, such as `BestEffort`; empty for all.
    #[column(path = "spec.scopes")]
    scopes: Vec<String>,
    /// Further rules for the pods that it counts.
    #[column(path = "spec.scopeSelector")]
    scope_selector: Option<Json>,
    /// Limits that are in force.
    #[column(path = "status.hard")]
    status_hard: Map,
    /// Use by resource, as quantities.
    #[column(path = "status.used")]
    status_used: Map,
}

impl Resource for ResourceQuota {}

listed!(ResourceQuota);
