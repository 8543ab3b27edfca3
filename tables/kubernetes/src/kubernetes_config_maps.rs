//! `kubernetes_config_maps`: one row per config map.

use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::computed::{Keys, Lengths};
use crate::metadata::ObjectMeta;
use crate::resource::{Resource, listed};

/// Config maps of Kubernetes clusters: their keys and sizes, and their data for queries that name it.
///
/// Constraints on `cluster`, `namespace` and `name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_config_maps", env = Kubernetes, stream, rows = 200)]
#[resource("v1/configmaps", namespaced)]
#[example(
    "Largest config maps.",
    "SELECT namespace, name, sizes FROM kubernetes_config_maps ORDER BY cardinality(keys) DESC LIMIT 10"
)]
pub struct ConfigMap {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Whether its data cannot be changed.
    #[column(path = "immutable")]
    immutable: bool,
    /// Keys of its texts.
    #[column(path = "data")]
    keys: Keys,
    /// Keys of its binary data.
    #[column(path = "binaryData")]
    binary_keys: Keys,
    /// Size of each text, in bytes.
    #[column(path = "data")]
    sizes: Lengths,
    /// Its texts by key.
    #[column(hidden, path = "data")]
    data: Map,
}

impl Resource for ConfigMap {}

listed!(ConfigMap);
