//! `aws_vpc_security_group_vpc_association`: one row per association, from `ec2:DescribeSecurityGroupVpcAssociations`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Associations of security groups with VPCs other than their own.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_security_group_vpc_association", env = Aws, stream, rows = 2,
    needs("ec2:DescribeSecurityGroupVpcAssociations"), identity(account_id, region, group_id, vpc_id)
)]
#[example("Groups that are used in other VPCs.", "SELECT group_id, vpc_id FROM aws_vpc_security_group_vpc_association")]
pub struct SecurityGroupVpcAssociation {
    /// ID of the security group.
    #[column(index, path = "GroupId")]
    group_id: String,
    /// ID of the VPC.
    #[column(index, path = "VpcId")]
    vpc_id: Option<String>,
    /// ID of the account that owns the VPC.
    #[column(slice, path = "VpcOwnerId")]
    vpc_owner_id: Option<String>,
    /// State, such as `associating`, `associated` or `association-failed`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// The same as the id.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for SecurityGroupVpcAssociation {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeSecurityGroupVpcAssociations")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("group-id", scan.keys(Self::GROUP_ID)),
                ("vpc-id", scan.keys(Self::VPC_ID)),
                ("vpc-owner-id", scan.keys(Self::VPC_OWNER_ID)),
                ("state", scan.keys(Self::STATE)),
            ];
            let request = site.ec2().describe_security_group_vpc_associations().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeSecurityGroupVpcAssociations", &keys, fetch, |page| {
                (page.security_group_vpc_associations.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for SecurityGroupVpcAssociation {
    const TITLE_FORM: &'static str = "{GroupId}";
}
