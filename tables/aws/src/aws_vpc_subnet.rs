//! `aws_vpc_subnet`: one row per subnet, from `ec2:DescribeSubnets`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Subnets: parts of a VPC's addresses, each in one availability zone.
#[derive(Debug, Default, Table)]
#[table(name = "aws_vpc_subnet", env = Aws, stream, rows = 20, needs("ec2:DescribeSubnets"), identity(subnet_arn))]
#[example(
    "Subnets whose instances get a public address.",
    "SELECT subnet_id, vpc_id FROM aws_vpc_subnet WHERE map_public_ip_on_launch"
)]
pub struct Subnet {
    /// ID of the subnet.
    #[column(index, path = "SubnetId")]
    subnet_id: String,
    /// ARN of the subnet.
    #[column(path = "@arn")]
    subnet_arn: String,
    /// ID of its VPC.
    #[column(slice, path = "VpcId")]
    vpc_id: Option<String>,
    /// Range of IPv4 addresses; NULL for a subnet with only IPv6.
    #[column(index, path = "CidrBlock")]
    cidr_block: Option<String>,
    /// `pending`, `available`, `unavailable` or `failed`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// ID of the account that owns it; a different one for a shared subnet.
    #[column(slice, path = "OwnerId")]
    owner_id: Option<String>,
    /// Whether new network interfaces get an IPv6 address.
    #[column(path = "AssignIpv6AddressOnCreation")]
    assign_ipv6_address_on_creation: Option<bool>,
    /// Number of unused IPv4 addresses.
    #[column(volatile, path = "AvailableIpAddressCount")]
    available_ip_address_count: Option<i64>,
    /// Availability zone.
    #[column(slice, path = "AvailabilityZone")]
    availability_zone: Option<String>,
    /// ID of the availability zone, which is the same in all accounts.
    #[column(slice, path = "AvailabilityZoneId")]
    availability_zone_id: Option<String>,
    /// Address pool of the customer's network, for a subnet on an Outpost.
    #[column(path = "CustomerOwnedIpv4Pool")]
    customer_owned_ipv4_pool: Option<String>,
    /// Whether it is the default subnet of its availability zone.
    #[column(path = "DefaultForAz")]
    default_for_az: Option<bool>,
    /// Whether new network interfaces get an address of the customer's network.
    #[column(path = "MapCustomerOwnedIpOnLaunch")]
    map_customer_owned_ip_on_launch: Option<bool>,
    /// Whether new instances get a public IPv4 address.
    #[column(path = "MapPublicIpOnLaunch")]
    map_public_ip_on_launch: Option<bool>,
    /// ARN of the Outpost that it is on.
    #[column(path = "OutpostArn")]
    outpost_arn: Option<String>,
    /// IPv6 ranges and their states.
    #[column(path = "Ipv6CidrBlockAssociationSet")]
    ipv6_cidr_block_association_set: Option<Json>,
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

impl RowStream for Subnet {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeSubnets")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("subnet-id", scan.keys(Self::SUBNET_ID)),
                ("vpc-id", scan.keys(Self::VPC_ID)),
                ("cidr-block", scan.keys(Self::CIDR_BLOCK)),
                ("state", scan.keys(Self::STATE)),
                ("owner-id", scan.keys(Self::OWNER_ID)),
                ("availability-zone", scan.keys(Self::AVAILABILITY_ZONE)),
                ("availability-zone-id", scan.keys(Self::AVAILABILITY_ZONE_ID)),
            ];
            let request = site.ec2().describe_subnets().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeSubnets", &keys, fetch, |page| {
                (page.subnets.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for Subnet {
    const ARN_FORM: &'static str = "{SubnetArn}|arn:{@partition}:ec2:{@region}:{OwnerId}:subnet/{SubnetId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{SubnetId}";
}
