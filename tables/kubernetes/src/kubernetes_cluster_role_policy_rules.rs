//! `kubernetes_cluster_role_policy_rules`: one row per rule of a cluster role.

use std::sync::Arc;

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::resource::{Api, Key, Resource, each, listed};

/// Rules of cluster roles: what their holders may do in the whole cluster, or in the namespace of the role binding.
///
/// A cluster role without rules has no row. `cluster` and `name` reach the API server, so that it lists no more than
/// is asked for.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_cluster_role_policy_rules", env = Kubernetes, stream,
    reads = "clusterroles", rows = 200, needs("list clusterroles")
)]
#[example(
    "Cluster roles that may do everything.",
    "SELECT name FROM kubernetes_cluster_role_policy_rules WHERE array_has(verbs, '*') AND array_has(resources, '*')"
)]
pub struct ClusterRolePolicyRule {
    /// Context in the kubeconfig through which the cluster is read.
    #[column(slice)]
    cluster: Arc<str>,
    /// Identity of the cluster role.
    #[column(path = "metadata.uid")]
    uid: String,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// Identity of the cluster: the uid of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
    /// Name of the cluster role.
    #[column(index, path = "metadata.name")]
    name: String,
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
    /// Which other cluster roles its rules are gathered from.
    #[column(path = "aggregationRule")]
    aggregation_rule: Option<Json>,
    /// Labels to ask the API server for, as `kubectl -l` takes them: `label_selector = 'app=web,tier!=cache'`.
    #[column(slice, hidden)]
    label_selector: Option<String>,
    /// Fields to ask the API server for, as `kubectl --field-selector` takes them.
    #[column(slice, hidden)]
    field_selector: Option<String>,
}

impl Resource for ClusterRolePolicyRule {
    const API: Api = Api::cluster("rbac.authorization.k8s.io/v1", "clusterroles");
    const KEYS: &'static [Key<Self>] = &[Key::field(Self::NAME, "metadata.name")];
    const ALWAYS: &'static [&'static str] = &["rules.*.verbs"];
    const DERIVED: &'static [(&'static str, &'static [&'static str])] = &[("rule", &["rules.*.{}"])];

    fn documents(object: Document) -> Vec<Document> {
        each(object, "rules", "rule")
    }
}

listed!(ClusterRolePolicyRule);
