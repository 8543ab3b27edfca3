//! `kubernetes_webhooks`: what admission webhooks intercept.

use futures::Stream;
use indago_table::prelude::*;
use serde_json::Value as Document;

use crate::clusters::Kubernetes;
use crate::derived::{self, Derived, Input, Lists, Origin};
use crate::resource::{elements, misfits};

/// Admission webhooks of Kubernetes clusters: one row per webhook and rule, with what it intercepts and where it calls.
///
/// A webhook sees the objects that it intercepts, secrets included, and a mutating one changes them. A webhook without
/// rules has one row.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_webhooks", env = Kubernetes, stream, rows = 50,
    reads = "mutatingwebhookconfigurations validatingwebhookconfigurations",
    needs(
        "list mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "list validatingwebhookconfigurations.admissionregistration.k8s.io"
    ),
    identity(configuration_uid, name, rule)
)]
#[example(
    "Webhooks that see secrets.",
    "SELECT type, configuration, name, operations, url, service_namespace, service_name FROM kubernetes_webhooks WHERE array_has_any(resources, ['secrets', '*', '*/*'])"
)]
#[example(
    "Webhooks whose failure is ignored, so that an outage switches them off.",
    "SELECT DISTINCT configuration, name FROM kubernetes_webhooks WHERE failure_policy = 'Ignore'"
)]
pub struct Webhook {
    #[column(flatten)]
    origin: Origin,
    /// `mutating` or `validating`.
    #[column(index)]
    r#type: String,
    /// Name of the configuration that contains it.
    #[column(path = "metadata.name")]
    configuration: String,
    /// UID of the configuration.
    #[column(path = "metadata.uid")]
    configuration_uid: String,
    /// Creation time of the configuration.
    #[column(path = "metadata.creationTimestamp")]
    creation_timestamp: Option<Timestamp>,
    /// Name of the webhook.
    #[column(path = "webhook.name")]
    name: String,
    /// Position of the rule in the webhook, from 0; NULL for a webhook without rules.
    #[column(path = "position")]
    rule: Option<i64>,
    /// Operations that it intercepts: `CREATE`, `UPDATE`, `DELETE`, `CONNECT`; `*` for all.
    #[column(path = "rule.operations")]
    operations: Vec<String>,
    /// API groups that it intercepts; the empty text is the core group, `*` means all.
    #[column(path = "rule.apiGroups")]
    api_groups: Vec<String>,
    /// Versions that it intercepts; `*` means all.
    #[column(path = "rule.apiVersions")]
    api_versions: Vec<String>,
    /// Resources that it intercepts: `pods`, `pods/exec`; `*` means all resources, `*/*` also all subresources.
    #[column(path = "rule.resources")]
    resources: Vec<String>,
    /// `Cluster` for objects outside of namespaces, `Namespaced` for those inside, or `*`.
    #[column(path = "rule.scope")]
    scope: Option<String>,
    /// What happens if it cannot be called: `Fail` refuses the request, `Ignore` lets it pass.
    #[column(path = "webhook.failurePolicy")]
    failure_policy: Option<String>,
    /// `Exact` for the versions of the rule only, `Equivalent` also for other versions of the same resource.
    #[column(path = "webhook.matchPolicy")]
    match_policy: Option<String>,
    /// Whether it has effects besides its answer: `None`, `NoneOnDryRun`; `Some` and `Unknown` in old clusters.
    #[column(path = "webhook.sideEffects")]
    side_effects: Option<String>,
    /// Whether a mutating webhook is called again after others: `Never` or `IfNeeded`.
    #[column(path = "webhook.reinvocationPolicy")]
    reinvocation_policy: Option<String>,
    /// Timeout of a call in seconds.
    #[column(path = "webhook.timeoutSeconds")]
    timeout_seconds: Option<i64>,
    /// URL that it calls; NULL if it calls a service of the cluster.
    #[column(path = "webhook.clientConfig.url")]
    url: Option<String>,
    /// Namespace of the service that it calls.
    #[column(path = "webhook.clientConfig.service.namespace")]
    service_namespace: Option<String>,
    /// Name of the service that it calls.
    #[column(path = "webhook.clientConfig.service.name")]
    service_name: Option<String>,
    /// Path of the call.
    #[column(path = "webhook.clientConfig.service.path")]
    service_path: Option<String>,
    /// Port of the service.
    #[column(path = "webhook.clientConfig.service.port")]
    service_port: Option<i64>,
    /// Whether the configuration has an authority for the server's certificate. Otherwise the authorities that the API
    /// server trusts count.
    #[column(path = "hasCa")]
    has_ca_bundle: bool,
    /// Selector of the namespaces whose objects it intercepts; empty for all.
    #[column(path = "webhook.namespaceSelector")]
    namespace_selector: Option<Json>,
    /// Selector of the objects that it intercepts; empty for all.
    #[column(path = "webhook.objectSelector")]
    object_selector: Option<Json>,
    /// CEL expressions that must all be true for a call, in clusters from 1.27 on.
    #[column(path = "webhook.matchConditions.*.expression")]
    match_conditions: Vec<String>,
    /// Versions of the review that it accepts.
    #[column(path = "webhook.admissionReviewVersions")]
    admission_review_versions: Vec<String>,
}

const PATHS: &[&str] = &["metadata.name", "metadata.creationTimestamp", "webhooks"];
const VERSIONS: &[&str] = &["admissionregistration.k8s.io/v1", "admissionregistration.k8s.io/v1beta1"];

impl Derived for Webhook {
    const INPUTS: &'static [Input] = &[
        Input {
            resource: "mutatingwebhookconfigurations",
            versions: VERSIONS,
            is_namespaced: false,
            needs: "list mutatingwebhookconfigurations",
            paths: PATHS,
        },
        Input {
            resource: "validatingwebhookconfigurations",
            versions: VERSIONS,
            is_namespaced: false,
            needs: "list validatingwebhookconfigurations",
            paths: PATHS,
        },
    ];
}

impl RowStream for Webhook {
    type Part = Lists;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Lists>> {
        Ok(derived::parts(scan, None))
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a Lists) -> impl Stream<Item = Result<Self>> + Send + 'a {
        async_stream::try_stream! {
            for (kind, resource) in
                [("mutating", "mutatingwebhookconfigurations"), ("validating", "validatingwebhookconfigurations")]
            {
                if !scan.admits(Self::TYPE, &kind.to_owned()) {
                    continue;
                }
                for configuration in part.read(scan, resource, Some).await? {
                    for document in documents(configuration) {
                        match document {
                            Ok(document) => {
                                let origin = part.origin();
                                let mut row = Webhook { origin, r#type: kind.to_owned(), ..Webhook::default() };
                                scan.fill(&mut row, &document, scan.wanted(), &part.place());
                                yield row;
                            }
                            Err(error) => scan.report(part.place(), &error),
                        }
                    }
                }
            }
        }
    }
}

/// One document per webhook and rule of a configuration.
fn documents(mut configuration: Document) -> Vec<Result<Document>> {
    let webhooks = configuration.as_object_mut().and_then(|object| object.remove("webhooks")).unwrap_or_default();
    let mut documents = misfits(&webhooks, "webhooks");
    for mut webhook in elements(&webhooks).filter(|webhook| webhook.is_object()).cloned() {
        let rules = webhook.as_object_mut().and_then(|webhook| webhook.remove("rules")).unwrap_or_default();
        documents.extend(misfits(&rules, "webhooks.rules"));
        // The certificate itself is large.
        let bundle = webhook.pointer_mut("/clientConfig/caBundle").map(Document::take).unwrap_or_default();
        let mut document = configuration.clone();
        document["hasCa"] = bundle.as_str().is_some_and(|bundle| !bundle.is_empty()).into();
        document["webhook"] = webhook;
        let rules: Vec<_> = elements(&rules).enumerate().filter(|(_, rule)| rule.is_object()).collect();
        if rules.is_empty() {
            documents.push(Ok(document.clone()));
        }
        for (position, rule) in rules {
            let mut document = document.clone();
            document["rule"] = rule.clone();
            document["position"] = position.into();
            documents.push(Ok(document));
        }
    }
    documents
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_rule_has_a_row_and_a_malformed_one_costs_no_other() {
        let configuration = json!({"metadata": {"name": "c"}, "webhooks": [
            {
                "name": "a", "clientConfig": {"caBundle": "Zg=="},
                "rules": [{"resources": ["pods"]}, 7, {"resources": ["secrets"]}],
            },
            {"name": "b", "clientConfig": {"url": "https://x", "caBundle": ""}},
            "garbage",
        ]});
        let mut rows = Vec::new();
        let mut errors = 0;
        for document in documents(configuration) {
            match document {
                Ok(document) => rows.push((
                    document["webhook"]["name"].clone(),
                    document["position"].clone(),
                    document["rule"]["resources"][0].clone(),
                    document["hasCa"].clone(),
                )),
                Err(_) => errors += 1,
            }
        }
        assert_eq!(errors, 2);
        assert_eq!(
            rows,
            [
                (json!("a"), json!(0), json!("pods"), json!(true)),
                (json!("a"), json!(2), json!("secrets"), json!(true)),
                (json!("b"), json!(null), json!(null), json!(false)),
            ]
        );
    }
}
