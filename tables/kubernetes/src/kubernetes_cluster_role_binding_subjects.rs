//! `kubernetes_cluster_role_binding_subjects`: one row per subject of a cluster role binding.

use std::sync::Arc;

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::resource::{Api, Key, Resource, each, listed};

/// Who is granted which cluster role in the whole cluster: subjects of cluster role bindings.
///
/// A binding without subjects has no row. `cluster` and `name` reach the API server, so that it lists no more than is
/// asked for.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_cluster_role_binding_subjects", env = Kubernetes, stream,
    reads = "clusterrolebindings", rows = 200, needs("list clusterrolebindings"),
    identity(uid, subject_kind, subject_namespace, subject_name)
)]
#[example(
    "Cluster administrators.",
    "SELECT subject_kind, subject_namespace, subject_name FROM kubernetes_cluster_role_binding_subjects WHERE role_name = 'cluster-admin'"
)]
pub struct ClusterRoleBindingSubject {
    /// Context in the kubeconfig through which the cluster is read.
    #[column(slice)]
    cluster: Arc<str>,
    /// Identity of the cluster role binding.
    #[column(path = "metadata.uid")]
    uid: String,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// Identity of the cluster: the uid of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
    /// Name of the cluster role binding.
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
    /// API group of the role: `rbac.authorization.k8s.io`.
    #[column(path = "roleRef.apiGroup")]
    role_api_group: Option<String>,
    /// Name of the role that is granted.
    #[column(path = "roleRef.name")]
    role_name: String,
    /// Kind of the role: `ClusterRole`.
    #[column(path = "roleRef.kind")]
    role_kind: String,
    /// Name of the user, group or service account that gets it.
    #[column(path = "subject.name")]
    subject_name: String,
    /// `User`, `Group` or `ServiceAccount`.
    #[column(path = "subject.kind")]
    subject_kind: String,
    /// Namespace of the service account; NULL for users and groups.
    #[column(path = "subject.namespace")]
    subject_namespace: Option<String>,
    /// Labels to ask the API server for, as `kubectl -l` takes them: `label_selector = 'app=web,tier!=cache'`.
    #[column(slice, hidden)]
    label_selector: Option<String>,
    /// Fields to ask the API server for, as `kubectl --field-selector` takes them.
    #[column(slice, hidden)]
    field_selector: Option<String>,
}

impl Resource for ClusterRoleBindingSubject {
    const API: Api = Api::cluster("rbac.authorization.k8s.io/v1", "clusterrolebindings");
    const KEYS: &'static [Key<Self>] = &[Key::field(Self::NAME, "metadata.name")];
    const ALWAYS: &'static [&'static str] = &["subjects.*.kind"];
    const DERIVED: &'static [(&'static str, &'static [&'static str])] = &[("subject", &["subjects.*.{}"])];

    fn documents(object: Document) -> Vec<Document> {
        each(object, "subjects", "subject")
    }
}

listed!(ClusterRoleBindingSubject);
