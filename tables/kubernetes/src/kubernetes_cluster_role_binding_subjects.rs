//! `kubernetes_cluster_role_binding_subjects`: one row per subject of a cluster role binding.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::ClusterMeta;
use crate::resource::{Derived, Resource, each, listed};

/// Subjects of cluster role bindings: who has which cluster role in the entire cluster.
///
/// A binding without subjects has no row. Constraints on `cluster` and `name` are applied by the API server.
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
    /// Name of the granted role.
    #[column(path = "roleRef.name")]
    role_name: String,
    /// Kind of the role: `ClusterRole`.
    #[column(path = "roleRef.kind")]
    role_kind: String,
    /// Name of the user, group or service account that has the role.
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
