//! `aws_eks_access_policy_association`: one row per access policy of an access entry of an EKS cluster.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request, with_member};
use crate::call::{all, distinct};
use crate::resource::{Origin, Reader, Resource};
use crate::source::eks;

/// Access policies of EKS clusters: which of EKS's own policies an IAM principal has in a cluster or in namespaces of
/// it.
///
/// There is one call per access entry. Keys on `cluster_name` and `principal_arn` save those of others.
#[derive(Debug, Default, Table)]
#[table(name = "aws_eks_access_policy_association", env = Aws, stream, rows = 20, needs("eks:ListAccessEntries", "eks:ListAssociatedAccessPolicies"), identity(account_id, region, cluster_name, principal_arn, policy_arn))]
#[example(
    "Administrators of clusters.",
    "SELECT cluster_name, principal_arn FROM aws_eks_access_policy_association WHERE policy_arn LIKE '%/AmazonEKSClusterAdminPolicy' AND access_scope_type = 'cluster'"
)]
pub struct AccessPolicyAssociation {
    /// Name of the cluster.
    #[column(index, path = "clusterName")]
    cluster_name: String,
    /// ARN of the IAM user or role.
    #[column(index, path = "principalArn")]
    principal_arn: String,
    /// ARN of the access policy.
    #[column(path = "policyArn")]
    policy_arn: String,
    /// Time of the association.
    #[column(path = "associatedAt")]
    associated_at: Option<Timestamp>,
    /// Time of the last change.
    #[column(path = "modifiedAt")]
    modified_at: Option<Timestamp>,
    /// Scope: its type and namespaces.
    #[column(path = "accessScope")]
    access_scope: Option<Json>,
    /// `cluster` or `namespace`.
    #[column(path = "accessScope.type")]
    access_scope_type: Option<String>,
    /// Namespaces of the scope `namespace`.
    #[column(path = "accessScope.namespaces")]
    access_scope_namespaces: Option<Vec<String>>,
    /// The same as the ARN of the policy.
    #[column(path = "@title")]
    title: String,
    /// ARN of the policy, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static ENTRIES: List = eks::list("eks:ListAccessEntries", "accessEntries");
static POLICIES: List = eks::list("eks:ListAssociatedAccessPolicies", "associatedAccessPolicies");

impl RowStream for AccessPolicyAssociation {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, POLICIES.action)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, AccessPolicyAssociation::list)
    }
}

impl Resource for AccessPolicyAssociation {
    const ARN_FORM: &'static str = "{policyArn}";
    const TITLE_FORM: &'static str = "{policyArn}";
}

impl AccessPolicyAssociation {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let clusters = eks::clusters(scan, &site, scan.keys(Self::CLUSTER_NAME)).await?;
            let mut rows = site.each(scan, clusters, move |site, cluster| Self::of_cluster(scan, site, cluster));
            while let Some(row) = rows.next().await {
                yield row?;
            }
        }
        .boxed()
    }

    async fn of_cluster(scan: &Scan<Self>, site: Site, cluster: String) -> Result<Vec<Self>> {
        let principals = match scan.keys(Self::PRINCIPAL_ARN) {
            Some(arns) => distinct(arns),
            None => {
                let entries = all(site.list(scan, &ENTRIES, Request::get(&["clusters", &cluster, "access-entries"])));
                entries.await?.iter().filter_map(|arn| arn.as_str().map(str::to_owned)).collect()
            }
        };
        let cluster = &cluster;
        let rows = site.each(scan, principals, |site, principal| async move {
            let path = ["clusters", cluster, "access-entries", &principal, "access-policies"];
            let reader = Reader::listed(scan, &site);
            let mut rows = Vec::new();
            for policy in all(site.list(scan, &POLICIES, Request::get(&path))).await? {
                let policy = with_member(policy, "clusterName", cluster.as_str());
                rows.extend(reader.item(scan, &with_member(policy, "principalArn", principal.as_str())));
            }
            Ok(rows)
        });
        all(rows).await
    }
}
