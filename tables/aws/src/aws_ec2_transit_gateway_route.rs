//! `aws_ec2_transit_gateway_route`: one row per route, from `ec2:SearchTransitGatewayRoutes`.

use aws_sdk_ec2::types::Filter;
use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::{Next, all, of_parents};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Routes of transit gateways, of each route table.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_transit_gateway_route", env = Aws, stream, rows = 20, needs("ec2:SearchTransitGatewayRoutes"),
    identity(account_id, region, transit_gateway_route_table_id, destination_cidr_block, prefix_list_id)
)]
#[example(
    "Routes whose attachment no longer exists.",
    "SELECT transit_gateway_route_table_id, destination_cidr_block FROM aws_ec2_transit_gateway_route WHERE state = \
     'blackhole'"
)]
pub struct TransitGatewayRoute {
    /// ID of the route table.
    #[column(index, path = "TransitGatewayRouteTableId")]
    transit_gateway_route_table_id: String,
    /// IPv4 or IPv6 addresses that it applies to.
    #[column(path = "DestinationCidrBlock")]
    destination_cidr_block: Option<String>,
    /// ID of the prefix list of addresses that it applies to.
    #[column(path = "PrefixListId")]
    prefix_list_id: Option<String>,
    /// `active`, or `blackhole` if its traffic is dropped.
    #[column(path = "State")]
    state: Option<String>,
    /// `static` or `propagated`.
    #[column(path = "Type")]
    r#type: Option<String>,
    /// Attachments that it leads to.
    #[column(path = "TransitGatewayAttachments")]
    transit_gateway_attachments: Option<Json>,
    /// Addresses that it applies to.
    #[column(path = "@title")]
    title: String,
    /// ARN of the route table and the addresses, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for TransitGatewayRoute {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:SearchTransitGatewayRoutes")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let parents = TransitGatewayRoute::tables(scan, site.clone());
            let routes = of_parents(scan, &site, parents, move |site, table| async move {
                let any = Filter::builder().name("state").values("active").values("blackhole").build();
                let request = site.ec2().search_transit_gateway_routes().filters(any);
                let request = request.transit_gateway_route_table_id(&table);
                let fetch = move |token| request.clone().set_next_token(token).send();
                let pages = site.pages(scan, "ec2:SearchTransitGatewayRoutes", &table, fetch, |page| {
                    let of_table = |route| ec2::In::new("TransitGatewayRouteTableId", &table, route);
                    (page.routes.into_iter().flatten().map(of_table).collect(), Next::Token(page.next_token))
                });
                all(pages).await
            });
            site.rows(scan, routes)
        })
    }
}

impl Resource for TransitGatewayRoute {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:\
        {@account_id}:transit-gateway-route-table/{TransitGatewayRouteTableId}:{DestinationCidrBlock}";
    const TITLE_FORM: &'static str = "{DestinationCidrBlock}";
    const KEPT: &'static [usize] = &[Self::TRANSIT_GATEWAY_ROUTE_TABLE_ID.position()];
}

impl TransitGatewayRoute {
    /// The route tables to read.
    async fn tables(scan: &Scan<Self>, site: Site) -> Result<Vec<String>> {
        if let Some(ids) = scan.keys(Self::TRANSIT_GATEWAY_ROUTE_TABLE_ID) {
            return Ok(ids);
        }
        let request = site.ec2().describe_transit_gateway_route_tables();
        let fetch = move |token| request.clone().set_next_token(token).send();
        let tables = site.pages(scan, "ec2:DescribeTransitGatewayRouteTables", "", fetch, |page| {
            (page.transit_gateway_route_tables.unwrap_or_default(), Next::Token(page.next_token))
        });
        Ok(all(tables).await?.into_iter().filter_map(|table| table.transit_gateway_route_table_id).collect())
    }
}
