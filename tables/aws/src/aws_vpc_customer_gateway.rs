//! `aws_vpc_customer_gateway`: one row per customer gateway, from `ec2:DescribeCustomerGateways`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::Next;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Customer gateways: the customer side of VPN connections.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_customer_gateway", env = Aws, stream, rows = 2, needs("ec2:DescribeCustomerGateways"),
    identity(account_id, region, customer_gateway_id)
)]
#[example("Addresses of customer gateways.", "SELECT customer_gateway_id, ip_address FROM aws_vpc_customer_gateway")]
pub struct CustomerGateway {
    /// ID of the gateway.
    #[column(index, path = "CustomerGatewayId")]
    customer_gateway_id: String,
    /// Type of VPN: `ipsec.1`.
    #[column(slice, path = "Type")]
    r#type: Option<String>,
    /// `pending`, `available`, `deleting` or `deleted`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// Its BGP autonomous system number.
    #[column(index, path = "BgpAsn")]
    bgp_asn: Option<String>,
    /// ARN of its certificate.
    #[column(path = "CertificateArn")]
    certificate_arn: Option<String>,
    /// Name of the device.
    #[column(path = "DeviceName")]
    device_name: Option<String>,
    /// Its public address.
    #[column(index, path = "IpAddress")]
    ip_address: Option<String>,
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

impl RowStream for CustomerGateway {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeCustomerGateways")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("customer-gateway-id", scan.keys(Self::CUSTOMER_GATEWAY_ID)),
                ("type", scan.keys(Self::TYPE)),
                ("state", scan.keys(Self::STATE)),
                ("bgp-asn", scan.keys(Self::BGP_ASN)),
                ("ip-address", scan.keys(Self::IP_ADDRESS)),
            ];
            let request = site.ec2().describe_customer_gateways();
            let fetch = move |filters, _| request.clone().set_filters(Some(filters)).send();
            ec2::rows(scan, site, "ec2:DescribeCustomerGateways", &keys, fetch, |page| {
                (page.customer_gateways.unwrap_or_default(), Next::Token(None))
            })
        })
    }
}

impl Resource for CustomerGateway {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{@account_id}:customer-gateway/{CustomerGatewayId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{CustomerGatewayId}";
}
