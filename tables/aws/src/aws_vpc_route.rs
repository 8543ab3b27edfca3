//! `aws_vpc_route`: one row per route, from `ec2:DescribeRouteTables`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Routes: the target of each destination, from the route tables of VPCs.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_route", env = Aws, stream, rows = 30, needs("ec2:DescribeRouteTables"),
    identity(account_id, region, route_table_id, destination_cidr_block, destination_ipv6_cidr_block,
        destination_prefix_list_id)
)]
#[example(
    "Route tables with a route to the internet.",
    "SELECT route_table_id, gateway_id FROM aws_vpc_route WHERE destination_cidr_block = '0.0.0.0/0' AND gateway_id \
     LIKE 'igw-%'"
)]
#[example(
    "Routes whose target no longer exists.",
    "SELECT route_table_id, destination_cidr_block FROM aws_vpc_route WHERE state = 'blackhole'"
)]
pub struct Route {
    /// ID of the route table.
    #[column(index, path = "RouteTableId")]
    route_table_id: String,
    /// `active`, or `blackhole` if the target does not exist.
    #[column(path = "State")]
    state: Option<String>,
    /// IPv4 addresses that it applies to; NULL if the destination is something else.
    #[column(index, path = "DestinationCidrBlock")]
    destination_cidr_block: Option<String>,
    /// IPv6 addresses that it applies to; NULL if the destination is something else.
    #[column(index, path = "DestinationIpv6CidrBlock")]
    destination_ipv6_cidr_block: Option<String>,
    /// ID of the carrier gateway that it leads to; NULL for another kind of target.
    #[column(path = "CarrierGatewayId")]
    carrier_gateway_id: Option<String>,
    /// ID of the prefix list of addresses that it applies to.
    #[column(index, path = "DestinationPrefixListId")]
    destination_prefix_list_id: Option<String>,
    /// ID of the egress-only internet gateway that it leads to.
    #[column(path = "EgressOnlyInternetGatewayId")]
    egress_only_internet_gateway_id: Option<String>,
    /// ID of the internet gateway, virtual private gateway or gateway endpoint that it leads to; `local` for the VPC
    /// itself.
    #[column(index, path = "GatewayId")]
    gateway_id: Option<String>,
    /// ID of the instance that it leads to.
    #[column(index, path = "InstanceId")]
    instance_id: Option<String>,
    /// ID of the account that owns the instance.
    #[column(path = "InstanceOwnerId")]
    instance_owner_id: Option<String>,
    /// ID of the local gateway of an Outpost that it leads to.
    #[column(path = "LocalGatewayId")]
    local_gateway_id: Option<String>,
    /// ID of the NAT gateway that it leads to.
    #[column(index, path = "NatGatewayId")]
    nat_gateway_id: Option<String>,
    /// ID of the network interface that it leads to.
    #[column(path = "NetworkInterfaceId")]
    network_interface_id: Option<String>,
    /// ID of the transit gateway that it leads to.
    #[column(index, path = "TransitGatewayId")]
    transit_gateway_id: Option<String>,
    /// ID of the peering connection that it leads to.
    #[column(index, path = "VpcPeeringConnectionId")]
    vpc_peering_connection_id: Option<String>,
    /// Origin of the route: `CreateRouteTable`, `CreateRoute` or `EnableVgwRoutePropagation`.
    #[column(path = "Origin")]
    origin: Option<String>,
    /// ID of the VPC.
    #[column(slice, path = "VpcId")]
    vpc_id: Option<String>,
    /// ID of the route table and the destination.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    place: Origin,
}

impl RowStream for Route {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeRouteTables")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("route-table-id", scan.keys(Self::ROUTE_TABLE_ID)),
                ("route.destination-cidr-block", scan.keys(Self::DESTINATION_CIDR_BLOCK)),
                ("route.destination-ipv6-cidr-block", scan.keys(Self::DESTINATION_IPV6_CIDR_BLOCK)),
                ("route.destination-prefix-list-id", scan.keys(Self::DESTINATION_PREFIX_LIST_ID)),
                ("route.gateway-id", scan.keys(Self::GATEWAY_ID)),
                ("route.instance-id", scan.keys(Self::INSTANCE_ID)),
                ("route.nat-gateway-id", scan.keys(Self::NAT_GATEWAY_ID)),
                ("route.transit-gateway-id", scan.keys(Self::TRANSIT_GATEWAY_ID)),
                ("route.vpc-peering-connection-id", scan.keys(Self::VPC_PEERING_CONNECTION_ID)),
                ("vpc-id", scan.keys(Self::VPC_ID)),
            ];
            let request = site.ec2().describe_route_tables().max_results(page_size(scan, 5..=100));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows_of(scan, site, "ec2:DescribeRouteTables", "routes", &keys, fetch, |page| {
                (page.route_tables.into_iter().flatten().flat_map(ec2::routes).collect(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for Route {
    const ARN_FORM: &'static str = "\
         arn:{@partition}:ec2:{@region}:{OwnerId}:route-table/{RouteTableId}:{DestinationCidrBlock}|\
         arn:{@partition}:ec2:{@region}:{OwnerId}:route-table/{RouteTableId}:{DestinationIpv6CidrBlock}|\
         arn:{@partition}:ec2:{@region}:{OwnerId}:route-table/{RouteTableId}:{DestinationPrefixListId}";
    const TITLE_FORM: &'static str = "{RouteTableId}_{DestinationCidrBlock}|\
         {RouteTableId}_{DestinationIpv6CidrBlock}|\
         {RouteTableId}_{DestinationPrefixListId}";
}
