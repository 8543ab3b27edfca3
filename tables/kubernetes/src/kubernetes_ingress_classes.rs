//! `kubernetes_ingress_classes`: one row per ingress class.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ClusterMeta;
use crate::resource::{Resource, listed};

/// Ingress classes of Kubernetes clusters.
///
/// Constraints on `cluster` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_ingress_classes", env = Kubernetes, stream, rows = 5)]
#[resource("networking.k8s.io/v1/ingressclasses")]
#[example("Controllers of ingresses.", "SELECT cluster, name, controller FROM kubernetes_ingress_classes")]
pub struct IngressClass {
    #[column(flatten)]
    meta: ClusterMeta,
    /// Name of the controller.
    #[column(path = "spec.controller")]
    controller: Option<String>,
    /// Object with further settings of the controller: its API group, kind, name and scope.
    #[column(path = "spec.parameters")]
    parameters: Map,
}

impl Resource for IngressClass {}

listed!(IngressClass);
