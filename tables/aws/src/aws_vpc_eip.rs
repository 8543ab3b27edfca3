//! `aws_vpc_eip`: one row per address, from `ec2:DescribeAddresses`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::Next;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Elastic IP addresses: public IPv4 addresses that belong to an account.
#[derive(Debug, Default, Table)]
#[table(name = "aws_vpc_eip", env = Aws, stream, rows = 10, needs("ec2:DescribeAddresses"), identity(arn))]
#[example("Unused addresses.", "SELECT public_ip, allocation_id FROM aws_vpc_eip WHERE association_id IS NULL")]
pub struct Eip {
    /// ID of the address.
    #[column(index, path = "AllocationId")]
    allocation_id: Option<String>,
    /// ARN of the address.
    #[column(path = "@arn")]
    arn: String,
    /// The address.
    #[column(index, path = "PublicIp")]
    public_ip: Option<String>,
    /// Pool of the address: `amazon`, or one of the customer's own pools.
    #[column(path = "PublicIpv4Pool")]
    public_ipv4_pool: Option<String>,
    /// `vpc`, or `standard` in EC2-Classic.
    #[column(path = "Domain")]
    domain: Option<String>,
    /// ID of its association with an instance or network interface; NULL if it is unused.
    #[column(index, path = "AssociationId")]
    association_id: Option<String>,
    /// Address in the carrier's network, in a Wavelength zone.
    #[column(path = "CarrierIp")]
    carrier_ip: Option<String>,
    /// Address of the customer's network.
    #[column(path = "CustomerOwnedIp")]
    customer_owned_ip: Option<String>,
    /// Pool of the customer's network.
    #[column(path = "CustomerOwnedIpv4Pool")]
    customer_owned_ipv4_pool: Option<String>,
    /// ID of the instance that has it.
    #[column(index, path = "InstanceId")]
    instance_id: Option<String>,
    /// Zones from which AWS announces the address.
    #[column(slice, path = "NetworkBorderGroup")]
    network_border_group: Option<String>,
    /// ID of the network interface that has it.
    #[column(index, path = "NetworkInterfaceId")]
    network_interface_id: Option<String>,
    /// ID of the account that owns the network interface.
    #[column(path = "NetworkInterfaceOwnerId")]
    network_interface_owner_id: Option<String>,
    /// Private address that it stands for.
    #[column(index, path = "PrivateIpAddress")]
    private_ip_address: Option<String>,
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

impl RowStream for Eip {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeAddresses")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("allocation-id", scan.keys(Self::ALLOCATION_ID)),
                ("public-ip", scan.keys(Self::PUBLIC_IP)),
                ("association-id", scan.keys(Self::ASSOCIATION_ID)),
                ("instance-id", scan.keys(Self::INSTANCE_ID)),
                ("network-border-group", scan.keys(Self::NETWORK_BORDER_GROUP)),
                ("network-interface-id", scan.keys(Self::NETWORK_INTERFACE_ID)),
                ("private-ip-address", scan.keys(Self::PRIVATE_IP_ADDRESS)),
            ];
            let request = site.ec2().describe_addresses();
            let fetch = move |filters, _| request.clone().set_filters(Some(filters)).send();
            ec2::rows(scan, site, "ec2:DescribeAddresses", &keys, fetch, |page| {
                (page.addresses.unwrap_or_default(), Next::Token(None))
            })
        })
    }
}

impl Resource for Eip {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{@account_id}:elastic-ip/{AllocationId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{PublicIp}";
}
