//! `kubernetes_network_policies`: one row per rule of a network policy.

use indago_table::prelude::*;
use serde_json::{Value as Document, json};

use crate::clusters::Kubernetes;
use crate::metadata::ObjectMeta;
use crate::resource::{Resource, listed, misfits};

/// Network policies of Kubernetes clusters: which traffic of pods is allowed.
///
/// A policy has a row for each of its rules. For a direction that it isolates without a rule, which denies all
/// traffic, it has a row without `rule`. Constraints on `cluster`, `namespace` and `name` are applied by the API
/// server.
#[derive(Debug, Default, Table)]
#[table(name = "kubernetes_network_policies", env = Kubernetes, stream, rows = 100, identity())]
#[resource("networking.k8s.io/v1/networkpolicies", namespaced)]
#[example(
    "Namespaces whose pods accept no traffic by default.",
    "SELECT namespace, name FROM kubernetes_network_policies WHERE type = 'Ingress' AND rule IS NULL"
)]
pub struct NetworkPolicy {
    #[column(flatten)]
    meta: ObjectMeta,
    /// Selector of the pods that it isolates; `{}` selects all of the namespace.
    #[column(path = "spec.podSelector")]
    pod_selector: Option<Json>,
    /// Directions in which it isolates its pods: `Ingress`, `Egress`.
    #[column(path = "spec.policyTypes")]
    policy_types: Vec<String>,
    /// Direction of the rule: `Ingress` or `Egress`.
    #[column(path = "rule.type")]
    r#type: String,
    /// Ports that the rule allows; NULL for all.
    #[column(path = "rule.ports")]
    ports: Option<Json>,
    /// Sources or destinations that the rule allows; NULL for all.
    #[column(path = "rule.peers")]
    from_to: Option<Json>,
    /// Number of the rule in its direction, from 1; NULL if the policy denies all traffic of the direction.
    #[column(path = "rule.number")]
    rule: Option<i64>,
}

impl Resource for NetworkPolicy {
    const ALWAYS: &'static [&'static str] =
        &["spec.policyTypes", "spec.ingress.*.ports", "spec.ingress.*.from", "spec.egress.*.ports", "spec.egress.*.to"];

    fn documents(mut object: Document) -> Vec<Result<Document>> {
        let (mut documents, mut errors) = (Vec::new(), Vec::new());
        for (direction, list, peers) in [("Ingress", "ingress", "from"), ("Egress", "egress", "to")] {
            let rules = object["spec"].get_mut(list).map(Document::take).unwrap_or_default();
            errors.extend(misfits(&rules, &format!("spec.{list}")));
            let rules: Vec<&Document> =
                rules.as_array().into_iter().flatten().filter(|rule| rule.is_object()).collect();
            for (position, rule) in rules.iter().enumerate() {
                let mut document = object.clone();
                document["rule"] =
                    json!({"type": direction, "ports": rule["ports"], "peers": rule[peers], "number": position + 1});
                documents.push(Ok(document));
            }
            let types = object["spec"]["policyTypes"].as_array();
            if rules.is_empty() && types.is_some_and(|types| types.iter().any(|found| found == direction)) {
                let mut document = object.clone();
                document["rule"] = json!({"type": direction});
                documents.push(Ok(document));
            }
        }
        documents.into_iter().chain(errors).collect()
    }
}

listed!(NetworkPolicy);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_without_rules_is_a_row() {
        let rules = |spec: Document| -> Vec<Document> {
            let documents = NetworkPolicy::documents(json!({"spec": spec}));
            documents.into_iter().flatten().map(|document| document["rule"].clone()).collect()
        };
        let denies = |direction: &str| json!({"type": direction});
        assert_eq!(rules(json!({"policyTypes": ["Ingress", "Egress"]})), [denies("Ingress"), denies("Egress")]);
        let allows_all = json!({"type": "Ingress", "ports": null, "peers": null, "number": 1});
        assert_eq!(rules(json!({"policyTypes": ["Ingress"], "ingress": [{}]})), [allows_all]);
        let peers = json!([{"podSelector": {}}]);
        let of = json!({"policyTypes": ["Ingress", "Egress"], "egress": [{"to": peers}]});
        let egress = json!({"type": "Egress", "ports": null, "peers": peers, "number": 1});
        assert_eq!(rules(of), [denies("Ingress"), egress]);
        for spec in [json!(null), json!({}), json!({"policyTypes": 7, "ingress": 7}), json!({"egress": [1]})] {
            assert!(rules(spec.clone()).is_empty(), "{spec}");
        }
    }
}
