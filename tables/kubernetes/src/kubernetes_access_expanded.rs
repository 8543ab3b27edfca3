//! `kubernetes_access_expanded`: one row per right of a subject, without wildcards.

use futures::{Stream, StreamExt};
use indago_table::prelude::*;

use crate::clusters::Kubernetes;
use crate::rbac::grant::{Grant, OfCluster, grants, origins};

/// Rights of users, groups and service accounts as in `kubernetes_access`, with the server's names in place of
/// wildcards.
///
/// `*` as an API group or resource stands for the resources that the server serves, with their subresources, and `*` as
/// a verb for the verbs that they have. Verbs that the server checks and that no resource has are included: `bind`,
/// `escalate`, `impersonate`, `use`, `approve`, `attest` and `sign`. A resource, group or verb that a rule names stays
/// as it is, whether the server serves it or not. URLs stay as given. Manifests have no server, so their wildcards stay
/// as given.
#[derive(Debug, Default, Table)]
#[table(
    name = "kubernetes_access_expanded", env = Kubernetes, stream, reads = "rbac", rows = 20000, identity(),
    needs("list clusterroles", "list clusterrolebindings", "list roles", "list rolebindings")
)]
#[example(
    "Who may read secrets, through which binding.",
    "SELECT subject, verb, namespace, resource_name, binding_name FROM kubernetes_access_expanded WHERE api_group = '' AND resource = 'secrets' AND verb IN ('get', 'list', 'watch')"
)]
pub struct AccessExpanded {
    #[column(flatten)]
    grant: Grant,
}

impl RowStream for AccessExpanded {
    type Part = OfCluster;

    fn parts(scan: &Scan<Self>) -> Result<Vec<OfCluster>> {
        Ok(origins(scan))
    }

    fn rows<'a>(scan: &'a Scan<Self>, part: &'a OfCluster) -> impl Stream<Item = Result<Self>> + Send + 'a {
        grants(scan, &part.0, true).map(|grant| grant.map(|grant| AccessExpanded { grant }))
    }
}
