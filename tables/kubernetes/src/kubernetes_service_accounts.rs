//! `kubernetes_service_accounts`: one row per service account.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::resource::{Resource, listed};

/// Service accounts of Kubernetes clusters, which are the identities of pods.
///
/// `aws_role_arn` joins `aws_iam_role.arn`: pods of the account may assume that role (IAM roles for service accounts).
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_service_accounts", env = Kubernetes, stream, rows = 200)]
#[resource("v1/serviceaccounts", namespaced)]
#[example(
    "Service accounts that may assume an AWS role.",
    "SELECT cluster, namespace, name, aws_role_arn FROM kubernetes_service_accounts WHERE aws_role_arn IS NOT NULL"
)]
pub struct ServiceAccount {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Names of the secrets that its pods may use.
    #[column(path = "secrets.*.name")]
    secrets: Vec<String>,
    /// Names of the secrets with which images of its pods are pulled.
    #[column(path = "imagePullSecrets.*.name")]
    image_pull_secrets: Vec<String>,
    /// Whether its token is mounted into pods that do not specify it; NULL means yes.
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
}

impl Resource for ServiceAccount {}

listed!(ServiceAccount);
