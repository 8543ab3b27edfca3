//! `kubernetes_role_binding_subjects`: one row per subject of a role binding.

use std::sync::Arc;

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::resource::{Api, Key, Resource, each, listed};

/// Who is granted which role in a namespace: subjects of role bindings.
///
/// A binding without subjects has no row. `cluster`, `namespace` and `name` reach the API server, so that it lists no
/// more than is asked for.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_role_binding_subjects", env = Kubernetes, stream,
    reads = "rolebindings", rows = 200, needs("list rolebindings"),
    identity(uid, subject_kind, subject_namespace, subject_name)
)]
#[example(
    "Roles of service accounts.",
    "SELECT namespace, role_kind, role_name, subject_namespace, subject_name FROM kubernetes_role_binding_subjects WHERE subject_kind = 'ServiceAccount'"
)]
pub struct RoleBindingSubject {
    /// Context in the kubeconfig through which the cluster is read.
    #[column(slice)]
    cluster: Arc<str>,
    /// Identity of the role binding.
    #[column(path = "metadata.uid")]
    uid: String,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// Identity of the cluster: the uid of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
    /// Name of the role binding.
    #[column(index, path = "metadata.name")]
    name: String,
    /// Namespace that it is in, and that the grant is for.
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
    /// Name of the role that is granted.
    #[column(path = "roleRef.name")]
    role_name: String,
    /// `Role`, of the same namespace, or `ClusterRole`.
    #[column(path = "roleRef.kind")]
    role_kind: String,
    /// Name of the user, group or service account that gets it.
    #[column(path = "subject.name")]
    subject_name: String,
    /// `User`, `Group` or `ServiceAccount`.
    #[column(path = "subject.kind")]
    subject_kind: String,
    /// Namespace of the service account, which is the binding's if none is given; NULL for users and groups.
    #[column(path = "subject.namespace")]
    subject_namespace: Option<String>,
    /// API group of the role: `rbac.authorization.k8s.io`.
    #[column(path = "roleRef.apiGroup")]
    role_api_group: Option<String>,
    /// Labels to ask the API server for, as `kubectl -l` takes them: `label_selector = 'app=web,tier!=cache'`.
    #[column(slice, hidden)]
    label_selector: Option<String>,
    /// Fields to ask the API server for, as `kubectl --field-selector` takes them.
    #[column(slice, hidden)]
    field_selector: Option<String>,
}

impl Resource for RoleBindingSubject {
    const API: Api = Api::namespaced("rbac.authorization.k8s.io/v1", "rolebindings");
    const KEYS: &'static [Key<Self>] = &[Key::namespace(Self::NAMESPACE), Key::field(Self::NAME, "metadata.name")];
    const ALWAYS: &'static [&'static str] = &["subjects.*.kind"];
    const DERIVED: &'static [(&'static str, &'static [&'static str])] =
        &[("subject", &["subjects.*.{}"]), ("subject.namespace", &["metadata.namespace"])];

    fn documents(object: Document) -> Vec<Document> {
        let namespace = object["metadata"]["namespace"].clone();
        let mut documents = each(object, "subjects", "subject");
        for subject in documents.iter_mut().map(|document| &mut document["subject"]) {
            let is_account = subject["kind"] == "ServiceAccount";
            if is_account && subject["namespace"].as_str().unwrap_or_default().is_empty() {
                subject["namespace"] = namespace.clone();
            }
        }
        documents
    }
}

listed!(RoleBindingSubject);
