//! `kubernetes_role_policy_rules`: one row per rule of a role.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::resource::{Derived, Resource, each, listed};

/// Rules of roles: what their holders may do in the role's namespace.
///
/// A role without rules has no row. Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_role_policy_rules", env = Kubernetes, stream, rows = 200, identity())]
#[resource("rbac.authorization.k8s.io/v1/roles", namespaced)]
#[example(
    "Roles that may run commands in pods.",
    "SELECT namespace, name FROM kubernetes_role_policy_rules WHERE array_has(resources, 'pods/exec') OR array_has(resources, '*')"
)]
pub struct RolePolicyRule {
    #[column(flatten)]
    meta: ObjectMeta,
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
}

impl Resource for RolePolicyRule {
    const ALWAYS: &'static [&'static str] = &["rules.*.verbs"];
    const DERIVED: Derived = &[("rule", &["rules.*.{}"])];

    fn documents(object: Document) -> Vec<Result<Document>> {
        each(object, "rules", "rule")
    }
}

listed!(RolePolicyRule);
