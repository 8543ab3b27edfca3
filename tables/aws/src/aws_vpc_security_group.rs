//! `aws_vpc_security_group`: one row per security group, from `ec2:DescribeSecurityGroups`.

use aws_sdk_ec2::types::SecurityGroup as Answer;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::page_size;
use crate::document::{json, name_tag, tags};
use crate::source::ec2;

/// Security groups: what traffic may reach the network interfaces that are in them, and leave from there.
///
/// `aws_vpc_security_group_rule` has the same rules one by one.
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
    #[column(index)]
    group_name: String,
    /// Id of the group.
    #[column(index)]
    group_id: String,
    /// ARN of the group.
    arn: String,
    /// What it is for, in the words of whoever made it.
    description: Option<String>,
    /// The VPC that it belongs to.
    #[column(slice)]
    vpc_id: Option<String>,
    /// Id of the account that owns it, which is another one for a group of a shared VPC.
    owner_id: Option<String>,
    /// Traffic that may come in.
    ip_permissions: Option<Json>,
    /// Traffic that may go out.
    ip_permissions_egress: Option<Json>,
    /// Tags as AWS lists them.
    tags_src: Option<Json>,
    /// Tags by key.
    tags: Map,
    /// The tag `Name`, or the id without one.
    title: String,
    /// ARN of the group as a list.
    akas: Vec<String>,
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    partition: String,
    /// Region that it is in.
    #[column(slice)]
    region: String,
    /// Id of the account that was asked.
    #[column(slice)]
    account_id: String,
    /// Profile of the credentials that it was read with.
    profile: String,
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
            let groups = stream::iter(ec2::requests(&keys)).flat_map(move |filters| {
                let site = site.clone();
                let asked = format!("{filters:?}");
                let request = site.ec2().describe_security_groups().set_filters(Some(filters));
                let request = request.max_results(page_size(scan, 5..=1000));
                let fetch = move |token| request.clone().set_next_token(token).send();
                let groups = site.pages(scan, "ec2:DescribeSecurityGroups", &asked, fetch, |page| {
                    (page.security_groups.unwrap_or_default(), page.next_token)
                });
                groups.map_ok(move |group| SecurityGroup::new(&site, group))
            });
            groups.boxed()
        })
    }
}

impl SecurityGroup {
    fn new(site: &Site, group: Answer) -> Self {
        let group_id = group.group_id.unwrap_or_default();
        let arn = group.security_group_arn.unwrap_or_else(|| {
            let owner = group.owner_id.as_deref().unwrap_or_default();
            format!("arn:{}:ec2:{}:{owner}:security-group/{group_id}", site.partition(), site.region())
        });
        SecurityGroup {
            title: name_tag(group.tags.as_deref()).unwrap_or_else(|| group_id.clone()),
            group_name: group.group_name.unwrap_or_default(),
            group_id,
            akas: vec![arn.clone()],
            arn,
            description: group.description,
            vpc_id: group.vpc_id,
            owner_id: group.owner_id,
            ip_permissions: json(&group.ip_permissions),
            ip_permissions_egress: json(&group.ip_permissions_egress),
            tags: tags(group.tags.as_deref()),
            tags_src: json(&group.tags.unwrap_or_default()),
            partition: site.partition(),
            region: site.region(),
            account_id: site.account_id(),
            profile: site.profile(),
        }
    }
}
