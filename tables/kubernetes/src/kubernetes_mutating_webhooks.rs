//! `kubernetes_mutating_webhooks`: one row per mutating webhook.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::WebhookMeta;
use crate::resource::{Derived, Resource, each, listed};
use crate::webhook_spec::{self, WebhookSpec, WebhookTarget};

/// Webhooks that may change objects before the API server stores them.
///
/// A configuration without webhooks has no row. `uid`, `labels` and `annotations` are those of the configuration.
/// Constraints on `cluster` and `configuration_name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_mutating_webhooks", env = Kubernetes, stream, rows = 20, identity(uid, name))]
#[resource("admissionregistration.k8s.io/v1/mutatingwebhookconfigurations")]
#[example(
    "Webhooks outside of the cluster.",
    "SELECT cluster, configuration_name, name, url FROM kubernetes_mutating_webhooks WHERE url IS NOT NULL"
)]
pub struct MutatingWebhook {
    #[column(flatten)]
    meta: WebhookMeta,
    /// Name of the configuration.
    #[column(index(field), path = "metadata.name")]
    configuration_name: String,
    #[column(flatten, path = "webhook")]
    webhook: WebhookSpec,
    /// Whether it is called again after later changes of the object: `Never` or `IfNeeded`.
    #[column(path = "webhook.reinvocationPolicy")]
    reinvocation_policy: Option<String>,
    #[column(flatten, path = "webhook")]
    target: WebhookTarget,
}

impl Resource for MutatingWebhook {
    const ALWAYS: &'static [&'static str] = webhook_spec::ALWAYS;
    const DERIVED: Derived = webhook_spec::DERIVED;

    fn documents(object: Document) -> Vec<Result<Document>> {
        each(object, "webhooks", "webhook")
    }
}

listed!(MutatingWebhook);
