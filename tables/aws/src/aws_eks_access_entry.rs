//! `aws_eks_access_entry`: one row per access entry of an EKS cluster.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::api::List;
use crate::resource::{Origin, Reader, Resource};
use crate::source::eks;

/// Access entries of EKS clusters: the IAM principals that the cluster knows, with their user name and groups in
/// Kubernetes.
///
/// Lists have only ARNs. All other columns cost one call per entry. Permissions come from
/// `aws_eks_access_policy_association` and from Kubernetes's own roles.
#[derive(Debug, Default, Table)]
#[table(name = "aws_eks_access_entry", env = Aws, stream, rows = 20, needs("eks:ListAccessEntries"), identity(account_id, region, cluster_name, principal_arn))]
#[example(
    "Principals and their groups.",
    "SELECT cluster_name, principal_arn, username, kubernetes_groups FROM aws_eks_access_entry"
)]
pub struct AccessEntry {
    /// Name of the cluster.
    #[column(index, path = "clusterName")]
    cluster_name: String,
    /// ARN of the IAM user or role.
    #[column(path = "name")]
    principal_arn: String,
    /// ARN of the access entry.
    #[column(path = "accessEntryArn", source = details, needs = "eks:DescribeAccessEntry")]
    access_entry_arn: Option<String>,
    /// Creation time.
    #[column(path = "createdAt", source = details, needs = "eks:DescribeAccessEntry")]
    created_at: Option<Timestamp>,
    /// Time of the last change.
    #[column(path = "modifiedAt", source = details, needs = "eks:DescribeAccessEntry")]
    modified_at: Option<Timestamp>,
    /// Groups of the principal in Kubernetes.
    #[column(path = "kubernetesGroups", source = details, needs = "eks:DescribeAccessEntry")]
    kubernetes_groups: Option<Vec<String>>,
    /// Type: `STANDARD`, or one for nodes such as `EC2_LINUX`.
    #[column(path = "type", source = details, needs = "eks:DescribeAccessEntry")]
    r#type: Option<String>,
    /// User name of the principal in Kubernetes.
    #[column(path = "username", source = details, needs = "eks:DescribeAccessEntry")]
    username: Option<String>,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "eks:DescribeAccessEntry")]
    tags: Option<Map>,
    /// The same as the ARN of the principal.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas", source = details, needs = "eks:DescribeAccessEntry")]
    akas: Option<Vec<String>>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = eks::list("eks:ListAccessEntries", "accessEntries");

impl RowStream for AccessEntry {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "eks:ListAccessEntries")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            eks::of_clusters(scan, site, scan.keys(Self::CLUSTER_NAME), &LIST, "access-entries")
        })
    }
}

impl Resource for AccessEntry {
    const ARN_FORM: &'static str = "{accessEntryArn}";
    const TITLE_FORM: &'static str = "{name}";
    const TAGS: &'static str = "tags";
    const KEPT: &'static [usize] = &[Self::CLUSTER_NAME.position(), Self::PRINCIPAL_ARN.position()];
}

impl AccessEntry {
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let path = ["clusters", &self.cluster_name, "access-entries", &self.principal_arn];
        let answer = eks::get(scan, &site, "eks:DescribeAccessEntry", &path, "accessEntry").await?;
        Reader::of_sources(&site, &["details"]).fill(scan, self, &answer)
    }
}
