//! `aws_vpc_nat_gateway`: one row per NAT gateway, from `ec2:DescribeNatGateways`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// NAT gateways, through which instances without a public address reach other networks.
#[derive(Debug, Default, Table)]
#[table(name = "aws_vpc_nat_gateway", env = Aws, stream, rows = 5, needs("ec2:DescribeNatGateways"), identity(arn))]
#[example(
    "Public addresses of NAT gateways.",
    "SELECT nat_gateway_id, nat_gateway_addresses FROM aws_vpc_nat_gateway WHERE state = 'available'"
)]
pub struct NatGateway {
    /// ID of the gateway.
    #[column(index, path = "NatGatewayId")]
    nat_gateway_id: String,
    /// ARN of the gateway.
    #[column(path = "@arn")]
    arn: String,
    /// Its addresses and network interfaces.
    #[column(path = "NatGatewayAddresses")]
    nat_gateway_addresses: Option<Json>,
    /// `pending`, `failed`, `available`, `deleting` or `deleted`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// Time of creation.
    #[column(path = "CreateTime")]
    create_time: Option<Timestamp>,
    /// ID of its VPC.
    #[column(slice, path = "VpcId")]
    vpc_id: Option<String>,
    /// ID of its subnet.
    #[column(slice, path = "SubnetId")]
    subnet_id: Option<String>,
    /// Time of deletion; NULL if it still exists.
    #[column(path = "DeleteTime")]
    delete_time: Option<Timestamp>,
    /// Error code of a failed creation.
    #[column(path = "FailureCode")]
    failure_code: Option<String>,
    /// Reason of a failed creation.
    #[column(path = "FailureMessage")]
    failure_message: Option<String>,
    /// Reserved; set only in agreement with AWS.
    #[column(path = "ProvisionedBandwidth")]
    provisioned_bandwidth: Option<Json>,
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

impl RowStream for NatGateway {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeNatGateways")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("nat-gateway-id", scan.keys(Self::NAT_GATEWAY_ID)),
                ("state", scan.keys(Self::STATE)),
                ("vpc-id", scan.keys(Self::VPC_ID)),
                ("subnet-id", scan.keys(Self::SUBNET_ID)),
            ];
            let request = site.ec2().describe_nat_gateways().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filter(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeNatGateways", &keys, fetch, |page| {
                (page.nat_gateways.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for NatGateway {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{@account_id}:natgateway/{NatGatewayId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{NatGatewayId}";
}
