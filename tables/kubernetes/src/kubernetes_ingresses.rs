//! `kubernetes_ingresses`: one row per ingress.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::resource::{Resource, listed};

/// Ingresses of Kubernetes clusters: which services are reachable by HTTP from outside.
///
/// Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_ingresses", env = Kubernetes, stream, rows = 50)]
#[resource("networking.k8s.io/v1/ingresses", namespaced)]
#[example("Host names without TLS.", "SELECT namespace, name, hosts FROM kubernetes_ingresses WHERE tls IS NULL")]
pub struct Ingress {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Name of its class; joins `kubernetes_ingress_classes.name`.
    #[column(path = "spec.ingressClassName")]
    ingress_class_name: Option<String>,
    /// Backend of requests that match no rule.
    #[column(path = "spec.defaultBackend")]
    default_backend: Option<Json>,
    /// Hosts with TLS and the names of the secrets with their certificates.
    #[column(path = "spec.tls")]
    tls: Option<Json>,
    /// Hosts and paths with their backends.
    #[column(path = "spec.rules")]
    rules: Option<Json>,
    /// Addresses of its load balancer.
    #[column(path = "status.loadBalancer")]
    load_balancer: Option<Json>,
    /// Host names of its rules.
    #[column(path = "spec.rules.*.host")]
    hosts: Vec<String>,
    /// Names of the secrets with its certificates.
    #[column(path = "spec.tls.*.secretName")]
    tls_secrets: Vec<String>,
}

impl Resource for Ingress {}

listed!(Ingress);
