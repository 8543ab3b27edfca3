//! `aws_eks_node_group`: one row per managed node group of an EKS cluster.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::api::List;
use crate::resource::{Origin, Reader, Resource};
use crate::source::eks;

/// Managed node groups of EKS clusters.
///
/// Lists have only names. All other columns cost one call per node group.
#[derive(Debug, Default, Table)]
#[table(name = "aws_eks_node_group", env = Aws, stream, rows = 20, needs("eks:ListNodegroups"), identity(account_id, region, cluster_name, nodegroup_name))]
#[example(
    "Node groups and the role of their nodes.",
    "SELECT cluster_name, nodegroup_name, node_role FROM aws_eks_node_group"
)]
pub struct NodeGroup {
    /// Name of the node group.
    #[column(path = "name")]
    nodegroup_name: String,
    /// ARN of the node group.
    #[column(path = "nodegroupArn", source = details, needs = "eks:DescribeNodegroup")]
    arn: Option<String>,
    /// Name of the cluster.
    #[column(index, path = "clusterName")]
    cluster_name: String,
    /// Creation time.
    #[column(path = "createdAt", source = details, needs = "eks:DescribeNodegroup")]
    created_at: Option<Timestamp>,
    /// Status: `ACTIVE`, `CREATING`, `UPDATING`, `DELETING`, `DEGRADED`, `CREATE_FAILED`, `DELETE_FAILED`.
    #[column(path = "status", source = details, needs = "eks:DescribeNodegroup")]
    status: Option<String>,
    /// Type of the image.
    #[column(path = "amiType", source = details, needs = "eks:DescribeNodegroup")]
    ami_type: Option<String>,
    /// `ON_DEMAND`, `SPOT` or `CAPACITY_BLOCK`.
    #[column(path = "capacityType", source = details, needs = "eks:DescribeNodegroup")]
    capacity_type: Option<String>,
    /// Size of the root volume in GiB; NULL with a launch template.
    #[column(path = "diskSize", source = details, needs = "eks:DescribeNodegroup")]
    disk_size: Option<i64>,
    /// Time of the last change.
    #[column(path = "modifiedAt", source = details, needs = "eks:DescribeNodegroup")]
    modified_at: Option<Timestamp>,
    /// ARN of the role of the nodes.
    #[column(path = "nodeRole", source = details, needs = "eks:DescribeNodegroup")]
    node_role: Option<String>,
    /// Version of the image.
    #[column(path = "releaseVersion", source = details, needs = "eks:DescribeNodegroup")]
    release_version: Option<String>,
    /// Version of Kubernetes.
    #[column(path = "version", source = details, needs = "eks:DescribeNodegroup")]
    version: Option<String>,
    /// Issues with the node group.
    #[column(path = "health", source = details, needs = "eks:DescribeNodegroup")]
    health: Option<Json>,
    /// Instance types.
    #[column(path = "instanceTypes", source = details, needs = "eks:DescribeNodegroup")]
    instance_types: Option<Vec<String>>,
    /// Labels of the nodes.
    #[column(path = "labels", source = details, needs = "eks:DescribeNodegroup")]
    labels: Option<Map>,
    /// Launch template: ID, name and version; NULL if there is none.
    #[column(path = "launchTemplate", source = details, needs = "eks:DescribeNodegroup")]
    launch_template: Option<Json>,
    /// SSH access to the nodes; NULL if there is none.
    #[column(path = "remoteAccess", source = details, needs = "eks:DescribeNodegroup")]
    remote_access: Option<Json>,
    /// Auto Scaling groups and the security group for SSH.
    #[column(path = "resources", source = details, needs = "eks:DescribeNodegroup")]
    resources: Option<Json>,
    /// Smallest, largest and desired number of nodes.
    #[column(path = "scalingConfig", source = details, needs = "eks:DescribeNodegroup")]
    scaling_config: Option<Json>,
    /// IDs of the subnets.
    #[column(path = "subnets", source = details, needs = "eks:DescribeNodegroup")]
    subnets: Option<Vec<String>>,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "eks:DescribeNodegroup")]
    tags: Option<Map>,
    /// Taints of the nodes.
    #[column(path = "taints", source = details, needs = "eks:DescribeNodegroup")]
    taints: Option<Json>,
    /// How many nodes may be unavailable during an update.
    #[column(path = "updateConfig", source = details, needs = "eks:DescribeNodegroup")]
    update_config: Option<Json>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas", source = details, needs = "eks:DescribeNodegroup")]
    akas: Option<Vec<String>>,
    #[column(flatten)]
    origin: Origin,
}

static LIST: List = eks::list("eks:ListNodegroups", "nodegroups");

impl RowStream for NodeGroup {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "eks:ListNodegroups")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| eks::of_clusters(scan, site, scan.keys(Self::CLUSTER_NAME), &LIST, "node-groups"))
    }
}

impl Resource for NodeGroup {
    const ARN_FORM: &'static str = "{nodegroupArn}";
    const TITLE_FORM: &'static str = "{name}";
    const TAGS: &'static str = "tags";
    const KEPT: &'static [usize] = &[Self::CLUSTER_NAME.position(), Self::NODEGROUP_NAME.position()];
}

impl NodeGroup {
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let path = ["clusters", &self.cluster_name, "node-groups", &self.nodegroup_name];
        let answer = eks::get(scan, &site, "eks:DescribeNodegroup", &path, "nodegroup").await?;
        Reader::of_sources(&site, &["details"]).fill(scan, self, &answer)
    }
}
