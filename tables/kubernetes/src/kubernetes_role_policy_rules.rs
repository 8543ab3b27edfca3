//! `kubernetes_role_policy_rules`: one row per rule of a role.

use std::sync::Arc;

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::resource::{Api, Key, Resource, each, listed};

/// Rules of roles: what their holders may do in the role's namespace.
///
/// A role without rules has no row. `cluster`, `namespace` and `name` reach the API server, so that it lists no more
/// than is asked for.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_role_policy_rules", env = Kubernetes, stream,
    reads = "roles", rows = 200, needs("list roles")
)]
#[example(
    "Roles that may run commands in pods.",
    "SELECT namespace, name FROM kubernetes_role_policy_rules WHERE array_has(resources, 'pods/exec') OR array_has(resources, '*')"
)]
pub struct RolePolicyRule {
    /// Context in the kubeconfig through which the cluster is read.
    #[column(slice)]
    cluster: Arc<str>,
    /// Identity of the role.
    #[column(path = "metadata.uid")]
    uid: String,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// Identity of the cluster: the uid of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
    /// Name of the role.
    #[column(index, path = "metadata.name")]
    name: String,
    /// Namespace that it is in.
    #[column(slice, path = "metadata.namespace")]
    namespace: String,
    /// When it was created.
    #[column(path = "metadata.creationTimestamp")]
    creation_timestamp: Option<Timestamp>,
    /// Labels: `labels['app']` is one of them.
    #[column(path = "metadata.labels")]
    labels: Map,
    /// Annotations.
    #[column(path = "metadata.annotations")]
    annotations: Map,
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
    /// Labels to ask the API server for, as `kubectl -l` takes them: `label_selector = 'app=web,tier!=cache'`.
    #[column(slice, hidden)]
    label_selector: Option<String>,
    /// Fields to ask the API server for, as `kubectl --field-selector` takes them.
    #[column(slice, hidden)]
    field_selector: Option<String>,
}

impl Resource for RolePolicyRule {
    const API: Api = Api::namespaced("rbac.authorization.k8s.io/v1", "roles");
    const KEYS: &'static [Key<Self>] = &[Key::namespace(Self::NAMESPACE), Key::field(Self::NAME, "metadata.name")];
    const ALWAYS: &'static [&'static str] = &["rules.*.verbs"];
    const DERIVED: &'static [(&'static str, &'static [&'static str])] = &[("rule", &["rules.*.{}"])];

    fn documents(object: Document) -> Vec<Document> {
        each(object, "rules", "rule")
    }
}

listed!(RolePolicyRule);
