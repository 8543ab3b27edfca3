//! `kubernetes_role_binding_subjects`: one row per subject of a role binding.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::resource::{Derived, Resource, each, listed};

/// Subjects of role bindings: who has which role in a namespace.
///
/// A binding without subjects has no row. `namespace` is that of the binding, in which the grant applies. Constraints
/// on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_role_binding_subjects", env = Kubernetes, stream, rows = 200, identity(uid, subject_kind, subject_namespace, subject_name))]
#[resource("rbac.authorization.k8s.io/v1/rolebindings", namespaced)]
#[example(
    "Roles of service accounts.",
    "SELECT namespace, role_kind, role_name, subject_namespace, subject_name FROM kubernetes_role_binding_subjects WHERE subject_kind = 'ServiceAccount'"
)]
pub struct RoleBindingSubject {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Name of the granted role.
    #[column(path = "roleRef.name")]
    role_name: String,
    /// `Role` (of the same namespace) or `ClusterRole`.
    #[column(path = "roleRef.kind")]
    role_kind: String,
    /// Name of the user, group or service account that has the role.
    #[column(path = "subject.name")]
    subject_name: String,
    /// `User`, `Group` or `ServiceAccount`.
    #[column(path = "subject.kind")]
    subject_kind: String,
    /// Namespace of the service account, by default that of the binding; NULL for users and groups.
    #[column(path = "subject.namespace")]
    subject_namespace: Option<String>,
    /// API group of the role: `rbac.authorization.k8s.io`.
    #[column(path = "roleRef.apiGroup")]
    role_api_group: Option<String>,
}

impl Resource for RoleBindingSubject {
    const ALWAYS: &'static [&'static str] = &["subjects.*.kind"];
    const DERIVED: Derived = &[("subject", &["subjects.*.{}"]), ("subject.namespace", &["metadata.namespace"])];

    fn documents(object: Document) -> Vec<Result<Document>> {
        let namespace = object["metadata"]["namespace"].clone();
        let mut documents = each(object, "subjects", "subject");
        for subject in documents.iter_mut().flatten().map(|document| &mut document["subject"]) {
            let is_account = subject["kind"] == "ServiceAccount";
            if is_account && subject["namespace"].as_str().unwrap_or_default().is_empty() {
                subject["namespace"] = namespace.clone();
            }
        }
        documents
    }
}

listed!(RoleBindingSubject);
