//! `aws_vpc_route_table`: one row per route table, from `ec2:DescribeRouteTables`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Route tables of VPCs. `aws_vpc_route` has one row per route.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_route_table", env = Aws, stream, rows = 10, needs("ec2:DescribeRouteTables"),
    identity(account_id, region, route_table_id)
)]
#[example(
    "Subnets with a table of their own.",
    "SELECT route_table_id, associations FROM aws_vpc_route_table WHERE associations LIKE '%SubnetId%'"
)]
pub struct RouteTable {
    /// ID of the route table.
    #[column(index, path = "RouteTableId")]
    route_table_id: String,
    /// ID of its VPC.
    #[column(slice, path = "VpcId")]
    vpc_id: Option<String>,
    /// ID of the account that owns it.
    #[column(slice, path = "OwnerId")]
    owner_id: Option<String>,
    /// Subnets and gateways that use it. `Main` is true for the table of all subnets without one of their own.
    #[column(path = "Associations")]
    associations: Option<Json>,
    /// Routes.
    #[column(path = "Routes")]
    routes: Option<Json>,
    /// Virtual private gateways that add routes.
    #[column(path = "PropagatingVgws")]
    propagating_vgws: Option<Json>,
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

impl RowStream for RouteTable {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeRouteTables")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("route-table-id", scan.keys(Self::ROUTE_TABLE_ID)),
                ("vpc-id", scan.keys(Self::VPC_ID)),
                ("owner-id", scan.keys(Self::OWNER_ID)),
            ];
            let request = site.ec2().describe_route_tables().max_results(page_size(scan, 5..=100));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeRouteTables", &keys, fetch, |page| {
                (page.route_tables.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for RouteTable {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{OwnerId}:route-table/{RouteTableId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{RouteTableId}";
}
