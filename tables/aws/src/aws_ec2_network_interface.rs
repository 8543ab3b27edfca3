//! `aws_ec2_network_interface`: one row per network interface, from `ec2:DescribeNetworkInterfaces`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Network interfaces: of instances, and of services inside a VPC.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_network_interface", env = Aws, stream, rows = 300, needs("ec2:DescribeNetworkInterfaces"),
    identity(account_id, region, network_interface_id)
)]
#[example(
    "Interfaces with a public address.",
    "SELECT network_interface_id, interface_type, association_public_ip FROM aws_ec2_network_interface WHERE \
     association_public_ip IS NOT NULL"
)]
pub struct NetworkInterface {
    /// ID of the interface.
    #[column(index, path = "NetworkInterfaceId")]
    network_interface_id: String,
    /// `available`, `associated`, `attaching`, `in-use` or `detaching`.
    #[column(slice, path = "Status")]
    status: Option<String>,
    /// Type, such as `interface`, `nat_gateway`, `vpc_endpoint` or `lambda`.
    #[column(slice, path = "InterfaceType")]
    interface_type: Option<String>,
    /// Description, which names the user of an interface of a service.
    #[column(path = "Description")]
    description: Option<String>,
    /// Availability zone.
    #[column(slice, path = "AvailabilityZone")]
    availability_zone: Option<String>,
    /// ID of the account that owns it.
    #[column(slice, path = "OwnerId")]
    owner_id: Option<String>,
    /// Whether traffic of internet gateways is blocked.
    #[column(path = "DenyAllIgwTraffic")]
    deny_all_igw_traffic: Option<bool>,
    /// Whether it has only IPv6 addresses.
    #[column(path = "Ipv6Native")]
    ipv6_native: Option<bool>,
    /// Primary IPv6 address.
    #[column(path = "Ipv6Address")]
    ipv6_address: Option<String>,
    /// ID of its Elastic IP address.
    #[column(index, path = "Association.AllocationId")]
    association_allocation_id: Option<String>,
    /// Address in the carrier's network.
    #[column(path = "Association.CarrierIp")]
    association_carrier_ip: Option<String>,
    /// Address of the customer's network.
    #[column(path = "Association.CustomerOwnedIp")]
    association_customer_owned_ip: Option<String>,
    /// ID of the association with its public address.
    #[column(index, path = "Association.AssociationId")]
    association_id: Option<String>,
    /// ID of the account that owns the public address; `amazon` for a temporary one.
    #[column(slice, path = "Association.IpOwnerId")]
    association_ip_owner_id: Option<String>,
    /// Public host name.
    #[column(path = "Association.PublicDnsName")]
    association_public_dns_name: Option<String>,
    /// Public IPv4 address.
    #[column(index, path = "Association.PublicIp")]
    association_public_ip: Option<String>,
    /// ID of the instance that it is attached to.
    #[column(index, path = "Attachment.InstanceId")]
    attached_instance_id: Option<String>,
    /// ID of the account that owns the instance; a name such as `amazon-elb` for a service.
    #[column(path = "Attachment.InstanceOwnerId")]
    attached_instance_owner_id: Option<String>,
    /// ID of the attachment.
    #[column(index, path = "Attachment.AttachmentId")]
    attachment_id: Option<String>,
    /// `attaching`, `attached`, `detaching` or `detached`.
    #[column(path = "Attachment.Status")]
    attachment_status: Option<String>,
    /// Time when it was attached.
    #[column(path = "Attachment.AttachTime")]
    attachment_time: Option<Timestamp>,
    /// Whether it is deleted with its instance.
    #[column(path = "Attachment.DeleteOnTermination")]
    delete_on_instance_termination: Option<bool>,
    /// Its number among those of the instance, from 0.
    #[column(path = "Attachment.DeviceIndex")]
    device_index: Option<i64>,
    /// MAC address.
    #[column(index, path = "MacAddress")]
    mac_address: Option<String>,
    /// ARN of the Outpost that it is on.
    #[column(path = "OutpostArn")]
    outpost_arn: Option<String>,
    /// Private host name.
    #[column(index, path = "PrivateDnsName")]
    private_dns_name: Option<String>,
    /// Primary private IPv4 address.
    #[column(index, path = "PrivateIpAddress")]
    private_ip_address: Option<String>,
    /// Account or service that created it for the owner.
    #[column(slice, path = "RequesterId")]
    requester_id: Option<String>,
    /// Whether AWS manages it.
    #[column(path = "RequesterManaged")]
    requester_managed: Option<bool>,
    /// Whether its traffic must have it as source or destination.
    #[column(path = "SourceDestCheck")]
    source_dest_check: Option<bool>,
    /// ID of its subnet.
    #[column(slice, path = "SubnetId")]
    subnet_id: Option<String>,
    /// ID of its VPC.
    #[column(slice, path = "VpcId")]
    vpc_id: Option<String>,
    /// Security groups: `GroupId`, `GroupName`.
    #[column(path = "Groups")]
    groups: Option<Json>,
    /// IPv6 addresses.
    #[column(path = "Ipv6Addresses")]
    ipv6_addresses: Option<Json>,
    /// Private IPv4 addresses, with their public ones.
    #[column(path = "PrivateIpAddresses")]
    private_ip_addresses: Option<Json>,
    /// Timeouts of tracked connections.
    #[column(path = "ConnectionTrackingConfiguration")]
    connection_tracking_configuration: Option<Json>,
    /// IPv6 prefixes that are assigned to it.
    #[column(path = "Ipv6Prefixes")]
    ipv6_prefixes: Option<Json>,
    /// IPv4 prefixes that are assigned to it.
    #[column(path = "Ipv4Prefixes")]
    ipv4_prefixes: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "TagSet")]
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

impl RowStream for NetworkInterface {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeNetworkInterfaces")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("network-interface-id", scan.keys(Self::NETWORK_INTERFACE_ID)),
                ("status", scan.keys(Self::STATUS)),
                ("interface-type", scan.keys(Self::INTERFACE_TYPE)),
                ("availability-zone", scan.keys(Self::AVAILABILITY_ZONE)),
                ("owner-id", scan.keys(Self::OWNER_ID)),
                ("association.allocation-id", scan.keys(Self::ASSOCIATION_ALLOCATION_ID)),
                ("association.association-id", scan.keys(Self::ASSOCIATION_ID)),
                ("association.ip-owner-id", scan.keys(Self::ASSOCIATION_IP_OWNER_ID)),
                ("association.public-ip", scan.keys(Self::ASSOCIATION_PUBLIC_IP)),
                ("attachment.instance-id", scan.keys(Self::ATTACHED_INSTANCE_ID)),
                ("attachment.attachment-id", scan.keys(Self::ATTACHMENT_ID)),
                ("mac-address", scan.keys(Self::MAC_ADDRESS)),
                ("private-dns-name", scan.keys(Self::PRIVATE_DNS_NAME)),
                ("private-ip-address", scan.keys(Self::PRIVATE_IP_ADDRESS)),
                ("requester-id", scan.keys(Self::REQUESTER_ID)),
                ("subnet-id", scan.keys(Self::SUBNET_ID)),
                ("vpc-id", scan.keys(Self::VPC_ID)),
            ];
            let request = site.ec2().describe_network_interfaces().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeNetworkInterfaces", &keys, fetch, |page| {
                (page.network_interfaces.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for NetworkInterface {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{OwnerId}:network-interface/{NetworkInterfaceId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{NetworkInterfaceId}";
    const TAGS: &'static str = "TagSet";
}
