//! `kubernetes_csi_node_drivers`: one row per CSI driver of a node.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::DriverMeta;
use crate::resource::{Derived, Resource, each, listed};

/// Storage drivers (CSI) of the nodes of Kubernetes clusters.
///
/// A node without drivers has no row. `uid`, `labels` and `annotations` are those of the `CSINode`. Constraints on
/// `cluster` and `node_name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_csi_node_drivers", env = Kubernetes, stream, rows = 50, identity(uid, name))]
#[resource("storage.k8s.io/v1/csinodes")]
#[example("Nodes of each driver.", "SELECT name, count(*) AS nodes FROM kubernetes_csi_node_drivers GROUP BY name")]
pub struct CsiNodeDriver {
    #[column(flatten)]
    meta: DriverMeta,
    /// Node; joins `kubernetes_nodes.name`.
    #[column(index(field), path = "metadata.name")]
    node_name: String,
    /// ID of the node at the driver, such as the ID of a cloud's machine.
    #[column(path = "driver.nodeID")]
    node_id: Option<String>,
    /// Labels of nodes that state where volumes can be used.
    #[column(path = "driver.topologyKeys")]
    topology_keys: Vec<String>,
    /// Most volumes of the driver on the node: `allocatable['count']`.
    #[column(path = "driver.allocatable")]
    allocatable: Map,
}

impl Resource for CsiNodeDriver {
    const ALWAYS: &'static [&'static str] = &["spec.drivers.*.name"];
    const DERIVED: Derived = &[("driver", &["spec.drivers.*.{}"])];

    fn documents(object: Document) -> Vec<Result<Document>> {
        each(object, "spec.drivers", "driver")
    }
}

listed!(CsiNodeDriver);
