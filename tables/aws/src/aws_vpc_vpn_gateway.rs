//! `aws_vpc_vpn_gateway`: one row per virtual private gateway, from `ec2:DescribeVpnGateways`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::Next;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Virtual private gateways: the AWS ends of VPN connections to a VPC.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_vpn_gateway", env = Aws, stream, rows = 2, needs("ec2:DescribeVpnGateways"),
    identity(account_id, region, vpn_gateway_id)
)]
#[example("Gateways and their VPCs.", "SELECT vpn_gateway_id, vpc_attachments FROM aws_vpc_vpn_gateway")]
pub struct VpnGateway {
    /// ID of the gateway.
    #[column(index, path = "VpnGatewayId")]
    vpn_gateway_id: String,
    /// `pending`, `available`, `deleting` or `deleted`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// Type of VPN: `ipsec.1`.
    #[column(slice, path = "Type")]
    r#type: Option<String>,
    /// BGP autonomous system number of the AWS end.
    #[column(path = "AmazonSideAsn")]
    amazon_side_asn: Option<i64>,
    /// Availability zone; NULL for most gateways.
    #[column(slice, path = "AvailabilityZone")]
    availability_zone: Option<String>,
    /// VPCs that it is attached to: `VpcId`, `State`.
    #[column(path = "VpcAttachments")]
    vpc_attachments: Option<Json>,
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

impl RowStream for VpnGateway {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeVpnGateways")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("vpn-gateway-id", scan.keys(Self::VPN_GATEWAY_ID)),
                ("state", scan.keys(Self::STATE)),
                ("type", scan.keys(Self::TYPE)),
                ("availability-zone", scan.keys(Self::AVAILABILITY_ZONE)),
            ];
            let request = site.ec2().describe_vpn_gateways();
            let fetch = move |filters, _| request.clone().set_filters(Some(filters)).send();
            ec2::rows(scan, site, "ec2:DescribeVpnGateways", &keys, fetch, |page| {
                (page.vpn_gateways.unwrap_or_default(), Next::Token(None))
            })
        })
    }
}

impl Resource for VpnGateway {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{@account_id}:vpn-gateway/{VpnGatewayId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{VpnGatewayId}";
}
