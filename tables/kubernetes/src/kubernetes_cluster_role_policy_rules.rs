//! `kubernetes_cluster_role_policy_rules`: one row per rule of a cluster role.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::ClusterMeta;
use crate::resource::{Derived, Resource, each, listed};

/// Rules of cluster roles: what their holders may do in the entire cluster, or in the namespace of the role binding.
///
/// A cluster role without rules has no row. Constraints on `cluster` and `name` are applied by the API server.
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
    /// Allowed verbs: `get`, `list`, `create`; `*` means all.
    #[column(path = "rule.verbs")]
    verbs: Vec<String>,
    /// API groups of the resources. The empty text is the core group; `*` means all.
    #[column(path = "rule.apiGroups")]
    api_groups: Vec<String>,
    /// Resources, such as `pods` and `pods/exec`; `*` means all.
    #[column(path = "rule.resources")]
    resources: Vec<String>,
    /// Names of the objects that the rule is limited to; empty for all.
    #[column(path = "rule.resourceNames")]
    resource_names: Vec<String>,
    /// URL paths that are not resources, such as `/healthz`. `*` at the end matches any rest.
    #[column(path = "rule.nonResourceURLs")]
    non_resource_urls: Vec<String>,
    /// Selectors of the cluster roles that its rules are aggregated from.
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
