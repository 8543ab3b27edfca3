//! `aws_ec2_transit_gateway`: one row per transit gateway, from `ec2:DescribeTransitGateways`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Transit gateways, which connect VPCs and networks with each other.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_transit_gateway", env = Aws, stream, rows = 2, needs("ec2:DescribeTransitGateways"),
    identity(account_id, region, transit_gateway_id)
)]
#[example(
    "Gateways that accept attachments of other accounts automatically.",
    "SELECT transit_gateway_id FROM aws_ec2_transit_gateway WHERE auto_accept_shared_attachments = 'enable'"
)]
pub struct TransitGateway {
    /// ID of the gateway.
    #[column(index, path = "TransitGatewayId")]
    transit_gateway_id: String,
    /// ARN of the gateway.
    #[column(path = "TransitGatewayArn")]
    transit_gateway_arn: Option<String>,
    /// `pending`, `available`, `modifying`, `deleting` or `deleted`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// ID of the account that owns it.
    #[column(slice, path = "OwnerId")]
    owner_id: Option<String>,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// Time of creation.
    #[column(path = "CreationTime")]
    creation_time: Option<Timestamp>,
    /// BGP autonomous system number of the AWS end.
    #[column(path = "Options.AmazonSideAsn")]
    amazon_side_asn: Option<i64>,
    /// Route table that new attachments use.
    #[column(index, path = "Options.AssociationDefaultRouteTableId")]
    association_default_route_table_id: Option<String>,
    /// Whether attachments of other accounts are accepted automatically: `enable` or `disable`.
    #[column(slice, path = "Options.AutoAcceptSharedAttachments")]
    auto_accept_shared_attachments: Option<String>,
    /// Whether new attachments use the default route table: `enable` or `disable`.
    #[column(slice, path = "Options.DefaultRouteTableAssociation")]
    default_route_table_association: Option<String>,
    /// Whether new attachments add routes to the default route table: `enable` or `disable`.
    #[column(slice, path = "Options.DefaultRouteTablePropagation")]
    default_route_table_propagation: Option<String>,
    /// Whether host names resolve across VPCs: `enable` or `disable`.
    #[column(slice, path = "Options.DnsSupport")]
    dns_support: Option<String>,
    /// Whether it forwards multicast: `enable` or `disable`.
    #[column(path = "Options.MulticastSupport")]
    multicast_support: Option<String>,
    /// Route table that new attachments add routes to.
    #[column(index, path = "Options.PropagationDefaultRouteTableId")]
    propagation_default_route_table_id: Option<String>,
    /// Whether traffic is balanced over several VPN tunnels: `enable` or `disable`.
    #[column(slice, path = "Options.VpnEcmpSupport")]
    vpn_ecmp_support: Option<String>,
    /// Addresses of the gateway itself.
    #[column(path = "Options.TransitGatewayCidrBlocks")]
    cidr_blocks: Vec<String>,
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

impl RowStream for TransitGateway {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeTransitGateways")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("transit-gateway-id", scan.keys(Self::TRANSIT_GATEWAY_ID)),
                ("state", scan.keys(Self::STATE)),
                ("owner-id", scan.keys(Self::OWNER_ID)),
                ("options.association-default-route-table-id", scan.keys(Self::ASSOCIATION_DEFAULT_ROUTE_TABLE_ID)),
                ("options.auto-accept-shared-attachments", scan.keys(Self::AUTO_ACCEPT_SHARED_ATTACHMENTS)),
                ("options.default-route-table-association", scan.keys(Self::DEFAULT_ROUTE_TABLE_ASSOCIATION)),
                ("options.default-route-table-propagation", scan.keys(Self::DEFAULT_ROUTE_TABLE_PROPAGATION)),
                ("options.dns-support", scan.keys(Self::DNS_SUPPORT)),
                ("options.propagation-default-route-table-id", scan.keys(Self::PROPAGATION_DEFAULT_ROUTE_TABLE_ID)),
                ("options.vpn-ecmp-support", scan.keys(Self::VPN_ECMP_SUPPORT)),
            ];
            let request = site.ec2().describe_transit_gateways().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeTransitGateways", &keys, fetch, |page| {
                (page.transit_gateways.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for TransitGateway {
    const ARN_FORM: &'static str = "{TransitGatewayArn}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{TransitGatewayId}";
}
