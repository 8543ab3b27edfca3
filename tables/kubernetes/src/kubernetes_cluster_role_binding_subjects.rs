//! `kubernetes_cluster_role_binding_subjects`: one row per subject of a cluster role binding.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::ClusterMeta;
use crate::resource::{Derived, Resource, each, listed};

/// Who is granted which cluster role in the whole cluster: subjects of cluster role bindings.
///
/// A binding without subjects has no row. `cluster` and `name` reach the API server, so that it lists no more than is
/// asked for.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_cluster_role_binding_subjects", env = Kubernetes, stream, rows = 200, identity(uid, subject_kind, subject_namespace, subject_name))]
#[resource("rbac.authorization.k8s.io/v1/clusterrolebindings")]
#[example(
    "Cluster administrators.",
    "SELECT subject_kind, subject_namespace, subject_name FROM kubernetes_cluster_role_binding_subjects WHERE role_name = 'cluster-admin'"
)]
pub struct ClusterRoleBindingSubject {
    #[column(flatten)]
    meta: ClusterMeta,
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
}

impl Resource for ClusterRoleBindingSubject {
    const ALWAYS: &'static [&'static str] = &["subjects.*.kind"];
    const DERIVED: Derived = &[("subject", &["subjects.*.{}"])];

    fn documents(object: Document) -> Vec<Result<Document>> {
        each(object, "subjects", "subject")
    }
}

listed!(ClusterRoleBindingSubject);
