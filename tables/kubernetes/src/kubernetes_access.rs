//! `kubernetes_access`: one row per right of a subject.

use futures::{Stream, StreamExt};
use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::rbac::grant::{Grant, OfCluster, grants, origins};

/// Rights of users, groups and service accounts: what they may do, where, and through which binding and role.
///
/// Each rule of a role is one row per subject, verb, API group, resource and name. Wildcards are as given in the rule;
/// `kubernetes_access_expanded` has the server's names and verbs in their place. Rights of a group are rows of that
/// group; `applies_to = 'system:serviceaccount:shop:web'` selects all rows that apply to a subject, including those of
/// its groups. To ask whether a request is allowed, use the function `kubernetes_can_i` or the table
/// `kubernetes_who_can`.
///
/// The rules of an aggregating cluster role are those that the controller-manager has written into it, because the API
/// server knows no others. A binding whose role does not exist grants nothing and has no row.
///
/// Only RBAC is covered, and the group `system:masters`, which may do everything without a binding. A note reports that
/// rights from the Node authorizer, webhooks and other authorizers are not included.
///
/// The roles and bindings of manifests grant rights among themselves: `cluster` is the set, aggregated roles have the
/// rules of the roles of the set that they select, and a binding of a role that is not in the set is reported, not
/// guessed.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_access", env = Kubernetes, stream, reads = "rbac", rows = 2000, identity(),
    needs("list clusterroles", "list clusterrolebindings", "list roles", "list rolebindings")
)]
#[example(
    "Subjects that can get more rights, other than the system's own.",
    "SELECT subject, namespace, escalation, binding_name, role_name FROM kubernetes_access WHERE array_length(escalation) > 0 AND subject_name NOT LIKE 'system:%'"
)]
#[example(
    "Everything that applies to the requests of a service account.",
    "SELECT verb, api_group, resource, namespace, subject, binding_name FROM kubernetes_access WHERE applies_to = 'system:serviceaccount:shop:deployer'"
)]
pub struct Access {
    #[column(flatten)]
    grant: Grant,
}

impl RowStream for Access {
    type Part = OfCluster;

    fn parts(scan: &Scan<Self>) -> Result<Vec<OfCluster>> {
        Ok(origins(scan))
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a OfCluster) -> impl Stream<Item = Result<Self>> + Send + 'a {
        grants(scan, &part.0, false).map(|grant| grant.map(|grant| Access { grant }))
    }
}
