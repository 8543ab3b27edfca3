//! `kubernetes_service_accounts`: one row per service account.

use std::sync::Arc;

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::resource::{Api, Key, Resource, listed};

/// Service accounts of Kubernetes clusters: the identities that pods run as.
///
/// `aws_role_arn` joins `aws_iam_role.arn`: pods of the account may take on that role (IAM roles for service
/// accounts).
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_service_accounts", env = Kubernetes, stream,
    reads = "serviceaccounts", rows = 200, needs("list serviceaccounts"),
    identity(uid)
)]
#[example(
    "Service accounts that may take on an AWS role.",
    "SELECT cluster, namespace, name, aws_role_arn FROM kubernetes_service_accounts WHERE aws_role_arn IS NOT NULL"
)]
pub struct ServiceAccount {
    /// Context in the kubeconfig through which the cluster is read.
    #[column(slice)]
    cluster: Arc<str>,
    /// Identity of the service account.
    #[column(path = "metadata.uid")]
    uid: String,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// Identity of the cluster: the uid of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
    /// Name of the service account.
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
    /// Names of the secrets that its pods may use.
    #[column(path = "secrets.*.name")]
    secrets: Vec<String>,
    /// Names of the secrets with which images of its pods are pulled.
    #[column(path = "imagePullSecrets.*.name")]
    image_pull_secrets: Vec<String>,
    /// Whether its token is mounted into pods that do not say; NULL for yes.
    #[column(path = "automountServiceAccountToken")]
    automount_service_account_token: Option<bool>,
    /// AWS IAM role of its pods, from the annotation `eks.amazonaws.com/role-arn`.
    #[column(path = "metadata.annotations.eks\\.amazonaws\\.com/role-arn")]
    aws_role_arn: Option<String>,
    /// Google service account of its pods, from the annotation `iam.gke.io/gcp-service-account`.
    #[column(path = "metadata.annotations.iam\\.gke\\.io/gcp-service-account")]
    gcp_service_account: Option<String>,
    /// Azure application of its pods, from the annotation `azure.workload.identity/client-id`.
    #[column(path = "metadata.annotations.azure\\.workload\\.identity/client-id")]
    azure_client_id: Option<String>,
    /// Labels to ask the API server for, as `kubectl -l` takes them: `label_selector = 'app=web,tier!=cache'`.
    #[column(slice, hidden)]
    label_selector: Option<String>,
    /// Fields to ask the API server for, as `kubectl --field-selector` takes them.
    #[column(slice, hidden)]
    field_selector: Option<String>,
}

impl Resource for ServiceAccount {
    const API: Api = Api::namespaced("v1", "serviceaccounts");
    const KEYS: &'static [Key<Self>] = &[Key::namespace(Self::NAMESPACE), Key::field(Self::NAME, "metadata.name")];
}

listed!(ServiceAccount);
