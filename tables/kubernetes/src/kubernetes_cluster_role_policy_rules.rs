//! `kubernetes_cluster_role_policy_rules`: one row per rule of a cluster role.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::ClusterMeta;
use crate::resource::{Derived, Resource, each, listed};

/// Rules of cluster roles: what their holders may do in the whole cluster, or in the namespace of the role binding.
///
/// A cluster role without rules has no row. `cluster` and `name` reach the API server, so that it lists no more than
/// is asked for.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_cluster_role_policy_rules", env = Kubernetes, stream, rows = 200, identity())]
#[resource("rbac.authorization.k8s.io/v1/clusterroles")]
#[example(
    "Cluster roles that may do everything.",
    "SELECT name FROM kubernetes_cluster_role_policy_rules WHERE array_has(verbs, '*') AND array_has(resources, '*')"
)]
pub struct ClusterRolePolicyRule {
    #[column(flatten)]
    meta: ClusterMeta,
    /// What may be done: `get`, `list`, `create`; `*` is everything.
    #[column(path = "rule.verbs")]
    verbs: Vec<String>,
    /// API groups of the resources; the empty text is the core group, `*` is all.
    #[column(path = "rule.apiGroups")]
    api_groups: Vec<String>,
    /// Resources, such as `pods` and `pods/exec`; `*` is all.
    #[column(path = "rule.resources")]
    resources: Vec<String>,
    /// Names of the objects that it is limited to; empty for all.
    #[column(path = "rule.resourceNames")]
    resource_names: Vec<String>,
    /// Paths outside the resources, such as `/healthz`; `*` at the end stands for the rest.
    #[column(path = "rule.nonResourceURLs")]
    non_resource_urls: Vec<String>,
    /// Which other cluster roles its rules are gathered from.
    #[column(path = "aggregationRule")]
    aggregation_rule: Option<Json>,
}

impl Resource for ClusterRolePolicyRule {
    const ALWAYS: &'static [&'static str] = &["rules.*.verbs"];
    const DERIVED: Derived = &[("rule", &["rules.*.{}"])];

    fn documents(object: Document) -> Vec<Result<Document>> {
        each(object, "rules", "rule")
    }
}

listed!(ClusterRolePolicyRule);
