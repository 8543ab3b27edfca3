//! `aws_vpc`: one row per VPC, from `ec2:DescribeVpcs`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Virtual private clouds (VPCs): isolated networks of an account in a region.
#[derive(Debug, Default, Table)]
#[table(name = "aws_vpc", env = Aws, stream, rows = 5, needs("ec2:DescribeVpcs"), identity(arn))]
#[example("VPCs with their address ranges.", "SELECT vpc_id, title, cidr_block FROM aws_vpc")]
#[example("Default VPCs, which a new region has.", "SELECT account_id, region, vpc_id FROM aws_vpc WHERE is_default")]
pub struct Vpc {
    /// ID of the VPC.
    #[column(index, path = "VpcId")]
    vpc_id: String,
    /// ARN of the VPC.
    #[column(path = "@arn")]
    arn: String,
    /// Primary range of IPv4 addresses.
    #[column(index, path = "CidrBlock")]
    cidr_block: Option<String>,
    /// `pending` or `available`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// Whether it is the default VPC of the region.
    #[column(path = "IsDefault")]
    is_default: Option<bool>,
    /// ID of the DHCP options; `default` if it has none.
    #[column(slice, path = "DhcpOptionsId")]
    dhcp_options_id: Option<String>,
    /// Tenancy of instances that are started in it: `default` (shared hardware) or `dedicated`.
    #[column(path = "InstanceTenancy")]
    instance_tenancy: Option<String>,
    /// ID of the account that owns it; a different one for a shared VPC.
    #[column(slice, path = "OwnerId")]
    owner_id: Option<String>,
    /// IPv4 ranges and their states.
    #[column(path = "CidrBlockAssociationSet")]
    cidr_block_association_set: Option<Json>,
    /// IPv6 ranges and their states.
    #[column(path = "Ipv6CidrBlockAssociationSet")]
    ipv6_cidr_block_association_set: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The tag `Name`, or the ID if there is none.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Vpc {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeVpcs")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("vpc-id", scan.keys(Self::VPC_ID)),
                ("cidr", scan.keys(Self::CIDR_BLOCK)),
                ("state", scan.keys(Self::STATE)),
                ("dhcp-options-id", scan.keys(Self::DHCP_OPTIONS_ID)),
                ("owner-id", scan.keys(Self::OWNER_ID)),
            ];
            let request = site.ec2().describe_vpcs().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeVpcs", &keys, fetch, |page| {
                (page.vpcs.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for Vpc {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{OwnerId}:vpc/{VpcId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{VpcId}";
}
