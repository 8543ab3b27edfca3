//! `aws_vpc_security_group`: one row per security group, from `ec2:DescribeSecurityGroups`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Security groups: which traffic may reach and leave the network interfaces in them.
///
/// `aws_vpc_security_group_rule` has one row per rule.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_security_group", env = Aws, stream, rows = 100, needs("ec2:DescribeSecurityGroups"),
    identity(arn)
)]
#[example(
    "Groups of one VPC.",
    "SELECT group_id, group_name FROM aws_vpc_security_group WHERE vpc_id = 'vpc-1a2b3c4d'"
)]
#[example("Groups by region.", "SELECT region, count(*) AS groups FROM aws_vpc_security_group GROUP BY region")]
pub struct SecurityGroup {
    /// Name of the group, unique in its VPC.
    #[column(index, path = "GroupName")]
    group_name: String,
    /// ID of the group.
    #[column(index, path = "GroupId")]
    group_id: String,
    /// ARN of the group.
    #[column(path = "@arn")]
    arn: String,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// ID of its VPC.
    #[column(slice, path = "VpcId")]
    vpc_id: Option<String>,
    /// ID of the account that owns the group; a different one for a group of a shared VPC.
    #[column(path = "OwnerId")]
    owner_id: Option<String>,
    /// Allowed inbound traffic.
    #[column(path = "IpPermissions")]
    ip_permissions: Option<Json>,
    /// Allowed outbound traffic.
    #[column(path = "IpPermissionsEgress")]
    ip_permissions_egress: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The tag `Name`, or the ID if there is none.
    #[column(path = "@title")]
    title: String,
    /// ARN of the group, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for SecurityGroup {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeSecurityGroups")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("group-id", scan.keys(Self::GROUP_ID)),
                ("group-name", scan.keys(Self::GROUP_NAME)),
                ("vpc-id", scan.keys(Self::VPC_ID)),
            ];
            let request = site.ec2().describe_security_groups().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeSecurityGroups", &keys, fetch, |page| {
                (page.security_groups.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for SecurityGroup {
    const ARN_FORM: &'static str =
        "{SecurityGroupArn}|arn:{@partition}:ec2:{@region}:{OwnerId}:security-group/{GroupId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{GroupId}";
}
