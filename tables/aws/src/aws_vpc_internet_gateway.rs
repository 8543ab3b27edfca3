//! `aws_vpc_internet_gateway`: one row per internet gateway, from `ec2:DescribeInternetGateways`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Internet gateways, which connect VPCs to the internet.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_internet_gateway", env = Aws, stream, rows = 5, needs("ec2:DescribeInternetGateways"),
    identity(account_id, region, internet_gateway_id)
)]
#[example(
    "VPCs that are connected to the internet.",
    "SELECT internet_gateway_id, attachments FROM aws_vpc_internet_gateway"
)]
pub struct InternetGateway {
    /// ID of the gateway.
    #[column(index, path = "InternetGatewayId")]
    internet_gateway_id: String,
    /// ID of the account that owns it.
    #[column(slice, path = "OwnerId")]
    owner_id: Option<String>,
    /// VPCs that it is attached to: `VpcId`, `State`.
    #[column(path = "Attachments")]
    attachments: Option<Json>,
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

impl RowStream for InternetGateway {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeInternetGateways")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("internet-gateway-id", scan.keys(Self::INTERNET_GATEWAY_ID)),
                ("owner-id", scan.keys(Self::OWNER_ID)),
            ];
            let request = site.ec2().describe_internet_gateways().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeInternetGateways", &keys, fetch, |page| {
                (page.internet_gateways.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for InternetGateway {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{OwnerId}:internet-gateway/{InternetGatewayId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{InternetGatewayId}";
}
