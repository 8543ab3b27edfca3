//! `kubernetes_endpoint_subsets`: one row per subset of endpoints.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::resource::{Derived, Resource, each, listed};

/// Endpoints of services of Kubernetes clusters: addresses that have the same ports.
///
/// Endpoints without addresses have no row. Constraints on `cluster`, `namespace` and `name` are applied by the API
/// server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_endpoint_subsets", env = Kubernetes, stream, rows = 200, identity())]
#[resource("v1/endpoints", namespaced)]
#[example(
    "Services without a ready pod.",
    "SELECT namespace, name FROM kubernetes_endpoint_subsets WHERE addresses IS NULL"
)]
pub struct EndpointSubset {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Ready addresses, with their nodes and pods.
    #[column(path = "subset.addresses")]
    addresses: Option<Json>,
    /// Addresses that are not ready.
    #[column(path = "subset.notReadyAddresses")]
    not_ready_addresses: Option<Json>,
    /// Ports of the addresses.
    #[column(path = "subset.ports")]
    ports: Option<Json>,
    /// Ready IP addresses; each joins `kubernetes_pods.pod_ip`.
    #[column(path = "subset.addresses.*.ip")]
    ips: Vec<String>,
    /// Names of the pods of the ready addresses.
    #[column(path = "subset.addresses.*.targetRef.name")]
    pod_names: Vec<String>,
}

impl Resource for EndpointSubset {
    const ALWAYS: &'static [&'static str] = &["subsets.*.ports"];
    const DERIVED: Derived = &[("subset", &["subsets.*.{}"])];

    fn documents(object: Document) -> Vec<Result<Document>> {
        each(object, "subsets", "subset")
    }
}

listed!(EndpointSubset);
