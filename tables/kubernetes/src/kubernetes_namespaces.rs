//! `kubernetes_namespaces`: one row per namespace.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::computed::Conditions;
use crate::metadata::ClusterMeta;
use crate::resource::{Resource, listed};

/// Namespaces of Kubernetes clusters.
///
/// Constraints on `cluster` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_namespaces", env = Kubernetes, stream, rows = 50)]
#[resource("v1/namespaces")]
#[example(
    "Namespaces that are being deleted.",
    "SELECT cluster, name FROM kubernetes_namespaces WHERE phase = 'Terminating'"
)]
#[example(
    "Namespaces in which pods may be privileged.",
    "SELECT name FROM kubernetes_namespaces WHERE labels['pod-security.kubernetes.io/enforce'] = 'privileged'"
)]
pub struct Namespace {
    #[column(flatten)]
    meta: ClusterMeta,
    /// `Active`, or `Terminating` while it is being deleted.
    #[column(path = "status.phase")]
    phase: Option<String>,
    /// Conditions, which state why a deletion does not complete.
    #[column(path = "status.conditions")]
    conditions: Option<Json>,
    /// The status of each condition: `condition_status['NamespaceContentRemaining']` is `True`, `False` or `Unknown`.
    #[column(path = "status.conditions")]
    condition_status: Conditions,
}

impl Resource for Namespace {}

listed!(Namespace);
