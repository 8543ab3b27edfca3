//! Rights with which a subject can get more rights.

use super::policy::{ALL, covers};

/// A right with which a subject can get more rights, by its name in the column `escalation`.
pub(crate) struct Escalation {
    pub(crate) name: &'static str,
    verbs: &'static [&'static str],
    group: &'static str,
    /// With their subresources.
    resources: &'static [&'static str],
}

const WRITE: &[&str] = &["create", "update", "patch"];
const CHANGE: &[&str] = &["update", "patch"];
const READ: &[&str] = &["get", "list", "watch"];
const ANY: &[&str] = &["create", "get", "update", "patch", "delete"];
const RBAC: &str = "rbac.authorization.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";

const fn escalation(
    name: &'static str,
    verbs: &'static [&'static str],
    group: &'static str,
    resources: &'static [&'static str],
) -> Escalation {
    Escalation { name, verbs, group, resources }
}

/// All of them. The documentation of the column lists the names in this order.
const ESCALATIONS: [Escalation; 33] = [
    escalation("bind", &["bind"], RBAC, &["roles", "clusterroles"]),
    escalation("escalate", &["escalate"], RBAC, &["roles", "clusterroles"]),
    escalation("change bindings", WRITE, RBAC, &["rolebindings", "clusterrolebindings"]),
    escalation("impersonate", &["impersonate"], "", &["users", "groups", "serviceaccounts"]),
    escalation("impersonate", &["impersonate"], "authentication.k8s.io", &["userextras", "uids"]),
    escalation("create tokens", &["create"], "", &["serviceaccounts/token"]),
    escalation("read secrets", READ, "", &["secrets"]),
    // A new secret of the type of a token gets the token of the account that it names.
    escalation("create secrets", &["create"], "", &["secrets"]),
    escalation("create pods", &["create"], "", &["pods"]),
    escalation("change workloads", WRITE, "", &["replicationcontrollers"]),
    escalation("change workloads", WRITE, "apps", &["daemonsets", "deployments", "replicasets", "statefulsets"]),
    escalation("change workloads", WRITE, "batch", &["cronjobs", "jobs"]),
    escalation("change workloads", WRITE, "extensions", &["daemonsets", "deployments", "replicasets"]),
    escalation("change pods", CHANGE, "", &["pods"]),
    escalation("ephemeral containers", CHANGE, "", &["pods/ephemeralcontainers"]),
    escalation("pods/exec", &["create", "get"], "", &["pods/exec"]),
    escalation("pods/attach", &["create", "get"], "", &["pods/attach"]),
    escalation("pods/portforward", &["create", "get"], "", &["pods/portforward"]),
    escalation("pods/proxy", ANY, "", &["pods/proxy"]),
    escalation("services/proxy", ANY, "", &["services/proxy"]),
    escalation("nodes/proxy", ANY, "", &["nodes/proxy"]),
    escalation("change nodes", CHANGE, "", &["nodes", "nodes/status"]),
    escalation("create persistent volumes", &["create"], "", &["persistentvolumes"]),
    escalation("approve certificates", CHANGE, CERTIFICATES, &["certificatesigningrequests/approval"]),
    escalation("approve certificates", &["approve"], CERTIFICATES, &["signers"]),
    escalation("sign certificates", CHANGE, CERTIFICATES, &["certificatesigningrequests/status"]),
    escalation("sign certificates", &["sign"], CERTIFICATES, &["signers"]),
    escalation(
        "change webhooks",
        &["create", "update", "patch", "delete", "deletecollection"],
        "admissionregistration.k8s.io",
        &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
    ),
    escalation(
        "change admission policies",
        &["create", "update", "patch", "delete", "deletecollection"],
        "admissionregistration.k8s.io",
        &[
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
        ],
    ),
    escalation("change API services", WRITE, "apiregistration.k8s.io", &["apiservices"]),
    // The labels of a namespace choose the Pod Security Standard of its pods.
    escalation("change namespaces", CHANGE, "", &["namespaces"]),
    escalation("use pod security policies", &["use"], "policy", &["podsecuritypolicies"]),
    escalation("use pod security policies", &["use"], "extensions", &["podsecuritypolicies"]),
];

/// The names of the escalations that a rule with this verb, group and resource allows; each of them can be a wildcard.
pub(crate) fn names(verb: &str, group: &str, resource: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for escalation in &ESCALATIONS {
        let is_covered =
            |of: &&str| covers(resource, of, of.split_once('/').map_or("", |(_, subresource)| subresource));
        let is_allowed = (verb == ALL || escalation.verbs.contains(&verb))
            && (group == ALL || group == escalation.group)
            && escalation.resources.iter().any(is_covered);
        if is_allowed && names.last().is_none_or(|last| last != escalation.name) {
            names.push(escalation.name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escalations_have_their_names() {
        for (verb, group, resource, expected) in [
            ("bind", RBAC, "clusterroles", &["bind"][..]),
            ("get", RBAC, "clusterroles", &[]),
            ("*", RBAC, "roles", &["bind", "escalate"]),
            ("create", "", "serviceaccounts/token", &["create tokens"]),
            ("create", "", "*/token", &["create tokens"]),
            ("get", "", "nodes/proxy", &["nodes/proxy"]),
            ("get", "", "nodes/*", &[]),
            ("list", "", "secrets", &["read secrets"]),
            ("list", "apps", "secrets", &[]),
            ("patch", "apps", "deployments", &["change workloads"]),
            ("patch", "apps", "deployments/scale", &[]),
            (
                "get",
                "",
                "*",
                &[
                    "read secrets",
                    "pods/exec",
                    "pods/attach",
                    "pods/portforward",
                    "pods/proxy",
                    "services/proxy",
                    "nodes/proxy",
                ],
            ),
            (
                "delete",
                "*",
                "*",
                &["pods/proxy", "services/proxy", "nodes/proxy", "change webhooks", "change admission policies"],
            ),
        ] {
            assert_eq!(names(verb, group, resource), expected, "{verb} {group} {resource}");
        }
        let all = names("*", "*", "*");
        let mut distinct: Vec<&str> = ESCALATIONS.iter().map(|escalation| escalation.name).collect();
        distinct.dedup();
        assert_eq!(all, distinct);
    }
}
