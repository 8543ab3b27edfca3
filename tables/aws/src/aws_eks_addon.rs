//! `aws_eks_addon`: one row per add-on of an EKS cluster.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::api::List;
use crate::resource::{Origin, Reader, Resource};
use crate::source::eks;

/// Add-ons of EKS clusters.
///
/// Lists have only names. All other columns cost one call per add-on.
#[derive(Debug, Default, Table)]
#[table(name = "aws_eks_addon", env = Aws, stream, rows = 20, needs("eks:ListAddons"), identity(account_id, region, cluster_name, addon_name))]
#[example(
    "Versions and roles of add-ons.",
    "SELECT cluster_name, addon_name, addon_version, service_account_role_arn FROM aws_eks_addon"
)]
pub struct Addon {
    /// Name of the add-on.
    #[column(path = "name")]
    addon_name: String,
    /// ARN of the add-on.
    #[column(path = "addonArn", source = details, needs = "eks:DescribeAddon")]
    arn: Option<String>,
    /// Name of the cluster.
    #[column(index, path = "clusterName")]
    cluster_name: String,
    /// Version of the add-on.
    #[column(path = "addonVersion", source = details, needs = "eks:DescribeAddon")]
    addon_version: Option<String>,
    /// Configuration in JSON or YAML; NULL if there is none.
    #[column(path = "configurationValues", source = details, needs = "eks:DescribeAddon")]
    configuration_values: Option<String>,
    /// Owner of the add-on; NULL for AWS's own.
    #[column(path = "owner", source = details, needs = "eks:DescribeAddon")]
    owner: Option<String>,
    /// Publisher of the add-on.
    #[column(path = "publisher", source = details, needs = "eks:DescribeAddon")]
    publisher: Option<String>,
    /// Status: `ACTIVE`, `CREATING`, `UPDATING`, `DELETING`, `DEGRADED`, `CREATE_FAILED`, `UPDATE_FAILED`,
    /// `DELETE_FAILED`.
    #[column(path = "status", source = details, needs = "eks:DescribeAddon")]
    status: Option<String>,
    /// Creation time.
    #[column(path = "createdAt", source = details, needs = "eks:DescribeAddon")]
    created_at: Option<Timestamp>,
    /// Time of the last change.
    #[column(path = "modifiedAt", source = details, needs = "eks:DescribeAddon")]
    modified_at: Option<Timestamp>,
    /// ARN of the role of the add-on's service account; NULL if it has none.
    #[column(path = "serviceAccountRoleArn", source = details, needs = "eks:DescribeAddon")]
    service_account_role_arn: Option<String>,
    /// Product in AWS Marketplace; NULL for others.
    #[column(path = "marketplaceInformation", source = details, needs = "eks:DescribeAddon")]
    marketplace_information: Option<Json>,
    /// Issues with the add-on.
    #[column(path = "health.issues", source = details, needs = "eks:DescribeAddon")]
    health_issues: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "eks:DescribeAddon")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas", source = details, needs = "eks:DescribeAddon")]
    akas: Option<Vec<String>>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = eks::list("eks:ListAddons", "addons");

impl RowStream for Addon {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "eks:ListAddons")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| eks::of_clusters(scan, site, scan.keys(Self::CLUSTER_NAME), &LIST, "addons"))
    }
}

impl Resource for Addon {
    const ARN_FORM: &'static str = "{addonArn}";
    const TITLE_FORM: &'static str = "{name}";
    const TAGS: &'static str = "tags";
    const KEPT: &'static [usize] = &[Self::CLUSTER_NAME.position(), Self::ADDON_NAME.position()];
}

impl Addon {
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let path = ["clusters", &self.cluster_name, "addons", &self.addon_name];
        let answer = eks::get(scan, &site, "eks:DescribeAddon", &path, "addon").await?;
        Reader::of_sources(&site, &["details"]).fill(scan, self, &answer)
    }
}
