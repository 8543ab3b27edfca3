//! `kubernetes_namespaces`: one row per namespace.

use std::sync::Arc;

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::resource::{Api, Key, Resource, listed};

/// Namespaces of Kubernetes clusters.
///
/// `cluster` and `name` reach the API server, so that it lists no more than is asked for.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_namespaces", env = Kubernetes, stream,
    reads = "namespaces", rows = 50, needs("list namespaces"),
    identity(uid)
)]
#[example(
    "Namespaces that are being deleted.",
    "SELECT cluster, name FROM kubernetes_namespaces WHERE phase = 'Terminating'"
)]
#[example(
    "Namespaces where pods may be privileged.",
    "SELECT name FROM kubernetes_namespaces WHERE labels['pod-security.kubernetes.io/enforce'] = 'privileged'"
)]
pub struct Namespace {
    /// Context in the kubeconfig through which the cluster is read.
    #[column(slice)]
    cluster: Arc<str>,
    /// Identity of the namespace.
    #[column(path = "metadata.uid")]
    uid: String,
    /// Name of the cluster in the kubeconfig.
    cluster_name: Arc<str>,
    /// Identity of the cluster: the uid of its namespace `kube-system`.
    #[column(source = cluster_uid, needs = "get namespaces")]
    cluster_uid: Option<String>,
    /// Name of the namespace.
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
    /// `Active`, or `Terminating` while it is being deleted.
    #[column(path = "status.phase")]
    phase: Option<String>,
    /// Conditions, which say why a deletion does not end.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// Labels to ask the API server for, as `kubectl -l` takes them: `label_selector = 'app=web,tier!=cache'`.
    #[column(slice, hidden)]
    label_selector: Option<String>,
    /// Fields to ask the API server for, as `kubectl --field-selector` takes them.
    #[column(slice, hidden)]
    field_selector: Option<String>,
}

impl Resource for Namespace {
    const API: Api = Api::cluster("v1", "namespaces");
    const KEYS: &'static [Key<Self>] = &[Key::field(Self::NAME, "metadata.name")];
}

listed!(Namespace);
