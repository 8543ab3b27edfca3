//! `kubernetes_limit_ranges`: one row per limit of a limit range.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::resource::{Derived, Resource, each, listed};

/// Limits and defaults that namespaces of Kubernetes clusters set for the resources of pods, containers and claims.
///
/// A limit range has a row for each of its limits. Constraints on `cluster`, `namespace` and `name` are applied by
/// the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_limit_ranges", env = Kubernetes, stream, rows = 50, identity())]
#[resource("v1/limitranges", namespaced)]
#[example(
    "Default memory limits.",
    "SELECT namespace, \"default\"['memory'] FROM kubernetes_limit_ranges WHERE type = 'Container'"
)]
pub struct LimitRange {
    #[column(flatten)]
    meta: ObjectMeta,
    /// What it applies to: `Container`, `Pod` or `PersistentVolumeClaim`.
    #[column(path = "limit.type")]
    r#type: Option<String>,
    /// Most of each resource, as quantities.
    #[column(path = "limit.max")]
    max: Map,
    /// Least of each resource, as quantities.
    #[column(path = "limit.min")]
    min: Map,
    /// Default limit of each resource, as quantities.
    #[column(path = "limit.default")]
    default: Map,
    /// Default request of each resource, as quantities.
    #[column(path = "limit.defaultRequest")]
    default_request: Map,
    /// Largest ratio of limit and request of each resource.
    #[column(path = "limit.maxLimitRequestRatio")]
    max_limit_request_ratio: Map,
}

impl Resource for LimitRange {
    const ALWAYS: &'static [&'static str] = &["spec.limits.*.type"];
    const DERIVED: Derived = &[("limit", &["spec.limits.*.{}"])];

    fn documents(object: Document) -> Vec<Result<Document>> {
        each(object, "spec.limits", "limit")
    }
}

listed!(LimitRange);
