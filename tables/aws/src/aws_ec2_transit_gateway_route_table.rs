//! `aws_ec2_transit_gateway_route_table`: one row per route table, from `ec2:DescribeTransitGatewayRouteTables`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Route tables of transit gateways. `aws_ec2_transit_gateway_route` has their routes.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_transit_gateway_route_table", env = Aws, stream, rows = 3,
    needs("ec2:DescribeTransitGatewayRouteTables"), identity(account_id, region, transit_gateway_route_table_id)
)]
#[example(
    "Tables of each gateway.",
    "SELECT transit_gateway_id, transit_gateway_route_table_id FROM aws_ec2_transit_gateway_route_table"
)]
pub struct TransitGatewayRouteTable {
    /// ID of the route table.
    #[column(index, path = "TransitGatewayRouteTableId")]
    transit_gateway_route_table_id: String,
    /// ID of the gateway.
    #[column(index, path = "TransitGatewayId")]
    transit_gateway_id: Option<String>,
    /// `pending`, `available`, `deleting` or `deleted`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// Time of creation.
    #[column(path = "CreationTime")]
    creation_time: Option<Timestamp>,
    /// Whether new attachments use it.
    #[column(path = "DefaultAssociationRouteTable")]
    default_association_route_table: Option<bool>,
    /// Whether new attachments add routes to it.
    #[column(path = "DefaultPropagationRouteTable")]
    default_propagation_route_table: Option<bool>,
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

impl RowStream for TransitGatewayRouteTable {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeTransitGatewayRouteTables")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("transit-gateway-route-table-id", scan.keys(Self::TRANSIT_GATEWAY_ROUTE_TABLE_ID)),
                ("transit-gateway-id", scan.keys(Self::TRANSIT_GATEWAY_ID)),
                ("state", scan.keys(Self::STATE)),
            ];
            let request = site.ec2().describe_transit_gateway_route_tables().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeTransitGatewayRouteTables", &keys, fetch, |page| {
                (page.transit_gateway_route_tables.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for TransitGatewayRouteTable {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:\
        {@account_id}:transit-gateway-route-table/{TransitGatewayRouteTableId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{TransitGatewayRouteTableId}";
}
