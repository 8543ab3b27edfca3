//! Webhooks of admission configurations: their columns.

use indago_table::prelude::*;

use crate::resource::Derived;

/// The paths of a configuration that the tables of webhooks always read.
pub(crate) const ALWAYS: &[&str] = &["webhooks.*.name"];
/// The webhook of a row.
pub(crate) const DERIVED: Derived = &[("webhook", &["webhooks.*.{}"])];

/// When a webhook is called, and what its failure means.
#[derive(Debug, Default, Columns)]
pub(crate) struct WebhookSpec {
    /// Where it is called: a service or a URL, and the authority of its certificate.
    #[column(path = "clientConfig")]
    client_config: Option<Json>,
    /// Operations and resources for which it is called.
    #[column(path = "rules")]
    rules: Option<Json>,
    /// What happens if the call fails: `Ignore` or `Fail`.
    #[column(path = "failurePolicy")]
    failure_policy: Option<String>,
    /// Whether other versions of the resources also match: `Exact` or `Equivalent`.
    #[column(path = "matchPolicy")]
    match_policy: Option<String>,
    /// Namespaces of the objects for which it is called.
    #[column(path = "namespaceSelector")]
    namespace_selector: Option<Json>,
    /// Labels of the objects for which it is called.
    #[column(path = "objectSelector")]
    object_selector: Option<Json>,
    /// Side effects of a call: `None`, `NoneOnDryRun`.
    #[column(path = "sideEffects")]
    side_effects: Option<String>,
    /// Seconds until a call fails.
    #[column(path = "timeoutSeconds")]
    timeout_seconds: Option<i64>,
    /// Versions of the review that it understands, the preferred one first.
    #[column(path = "admissionReviewVersions")]
    admission_review_versions: Vec<String>,
}

/// Further conditions of a call, and the called server.
#[derive(Debug, Default, Columns)]
pub(crate) struct WebhookTarget {
    /// Further conditions of a call, as CEL expressions.
    #[column(path = "matchConditions")]
    match_conditions: Option<Json>,
    /// Namespace of the called service.
    #[column(path = "clientConfig.service.namespace")]
    service_namespace: Option<String>,
    /// Name of the called service; joins `kubernetes_services.name` in `service_namespace`.
    #[column(path = "clientConfig.service.name")]
    service_name: Option<String>,
    /// Called URL, if it is not a service.
    #[column(path = "clientConfig.url")]
    url: Option<String>,
}
