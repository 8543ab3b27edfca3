//! `kubernetes_validating_webhooks`: one row per validating webhook.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::WebhookMeta;
use crate::resource::{Derived, Resource, each, listed};
use crate::webhook_spec::{self, WebhookSpec, WebhookTarget};

/// Webhooks that may refuse objects before the API server stores them.
///
/// A configuration without webhooks has no row. `uid`, `labels` and `annotations` are those of the configuration.
/// Constraints on `cluster` and `configuration_name` are applied by the API server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_validating_webhooks", env = Kubernetes, stream, rows = 20, identity(uid, name))]
#[resource("admissionregistration.k8s.io/v1/validatingwebhookconfigurations")]
#[example(
    "Webhooks outside of the cluster.",
    "SELECT cluster, configuration_name, name, url FROM kubernetes_validating_webhooks WHERE url IS NOT NULL"
)]
pub struct ValidatingWebhook {
    #[column(flatten)]
    meta: WebhookMeta,
    /// Name of the configuration.
    #[column(index(field), path = "metadata.name")]
    configuration_name: String,
    #[column(flatten, path = "webhook")]
    webhook: WebhookSpec,
    #[column(flatten, path = "webhook")]
    target: WebhookTarget,
}

impl Resource for ValidatingWebhook {
    const ALWAYS: &'static [&'static str] = webhook_spec::ALWAYS;
    const DERIVED: Derived = webhook_spec::DERIVED;

    fn documents(object: Document) -> Vec<Result<Document>> {
        each(object, "webhooks", "webhook")
    }
}

listed!(ValidatingWebhook);
