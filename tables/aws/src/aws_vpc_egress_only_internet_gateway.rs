//! `aws_vpc_egress_only_internet_gateway`: one row per gateway, from `ec2:DescribeEgressOnlyInternetGateways`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Egress-only internet gateways: IPv6 connections to the internet that only the VPC can open.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_egress_only_internet_gateway", env = Aws, stream, rows = 2,
    needs("ec2:DescribeEgressOnlyInternetGateways"), identity(account_id, region, id)
)]
#[example("Gateways and their VPCs.", "SELECT id, attachments FROM aws_vpc_egress_only_internet_gateway")]
pub struct EgressOnlyInternetGateway {
    /// ID of the gateway.
    #[column(path = "EgressOnlyInternetGatewayId")]
    id: String,
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

impl RowStream for EgressOnlyInternetGateway {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeEgressOnlyInternetGateways")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let request = site.ec2().describe_egress_only_internet_gateways().max_results(page_size(scan, 5..=255));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeEgressOnlyInternetGateways", &[], fetch, |page| {
                (page.egress_only_internet_gateways.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for EgressOnlyInternetGateway {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:\
        {@account_id}:egress-only-internet-gateway/{EgressOnlyInternetGatewayId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{EgressOnlyInternetGatewayId}";
}
