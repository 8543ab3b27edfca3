//! `kubernetes_mutating_webhooks`: one row per mutating webhook.

use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::metadata::WebhookMeta;
use crate::resource::{Derived, Resource, each, listed};

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
    /// Where it is called: a service or a URL, and the authority of its certificate.
    #[column(path = "webhook.clientConfig")]
    client_config: Option<Json>,
    /// Operations and resources for which it is called.
    #[column(path = "webhook.rules")]
    rules: Option<Json>,
    /// What happens if the call fails: `Ignore` or `Fail`.
    #[column(path = "webhook.failurePolicy")]
    failure_policy: Option<String>,
    /// Whether other versions of the resources also match: `Exact` or `Equivalent`.
    #[column(path = "webhook.matchPolicy")]
    match_policy: Option<String>,
    /// Namespaces of the objects for which it is called.
    #[column(path = "webhook.namespaceSelector")]
    namespace_selector: Option<Json>,
    /// Labels of the objects for which it is called.
    #[column(path = "webhook.objectSelector")]
    object_selector: Option<Json>,
    /// Side effects of a call: `None`, `NoneOnDryRun`.
    #[column(path = "webhook.sideEffects")]
    side_effects: Option<String>,
    /// Seconds until a call fails.
    #[column(path = "webhook.timeoutSeconds")]
    timeout_seconds: Option<i64>,
    /// Versions of the review that it understands, the preferred one first.
    #[column(path = "webhook.admissionReviewVersions")]
    admission_review_versions: Vec<String>,
    /// Whether it is called again after later changes of the object: `Never` or `IfNeeded`.
    #[column(path = "webhook.reinvocationPolicy")]
    reinvocation_policy: Option<String>,
    /// Further conditions of a call, as CEL expressions.
    #[column(path = "webhook.matchConditions")]
    match_conditions: Option<Json>,
    /// Namespace of the called service.
    #[column(path = "webhook.clientConfig.service.namespace")]
    service_namespace: Option<String>,
    /// Name of the called service; joins `kubernetes_services.name` in `service_namespace`.
    #[column(path = "webhook.clientConfig.service.name")]
    service_name: Option<String>,
    /// Called URL, if it is not a service.
    #[column(path = "webhook.clientConfig.url")]
    url: Option<String>,
}

impl Resource for MutatingWebhook {
    const ALWAYS: &'static [&'static str] = &["webhooks.*.name"];
    const DERIVED: Derived = &[("webhook", &["webhooks.*.{}"])];

    fn documents(object: Document) -> Vec<Result<Document>> {
        each(object, "webhooks", "webhook")
    }
}

listed!(MutatingWebhook);
