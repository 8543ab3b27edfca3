//! `aws_vpc_endpoint`: one row per VPC endpoint, from `ec2:DescribeVpcEndpoints`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Derived, Origin, Resource};
use crate::source::ec2;
use crate::source::policy;

/// VPC endpoints: private connections from a VPC to a service.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_endpoint", env = Aws, stream, rows = 5, needs("ec2:DescribeVpcEndpoints"),
    identity(account_id, region, vpc_endpoint_id)
)]
#[example("Endpoints with their policies.", "SELECT vpc_endpoint_id, service_name, policy FROM aws_vpc_endpoint")]
pub struct Endpoint {
    /// ID of the endpoint.
    #[column(index, path = "VpcEndpointId")]
    vpc_endpoint_id: String,
    /// Name of the service, such as `com.amazonaws.eu-west-1.s3`.
    #[column(slice, path = "ServiceName")]
    service_name: Option<String>,
    /// ID of the account that owns it.
    #[column(path = "OwnerId")]
    owner_id: Option<String>,
    /// ID of its VPC.
    #[column(slice, path = "VpcId")]
    vpc_id: Option<String>,
    /// `Interface`, `Gateway`, `GatewayLoadBalancer`, `Resource` or `ServiceNetwork`.
    #[column(slice, path = "VpcEndpointType")]
    vpc_endpoint_type: Option<String>,
    /// State, such as `available` or `pendingAcceptance`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// Whether the service's usual host names lead to the endpoint inside the VPC.
    #[column(path = "PrivateDnsEnabled")]
    private_dns_enabled: Option<bool>,
    /// Whether AWS manages it.
    #[column(path = "RequesterManaged")]
    requester_managed: Option<bool>,
    /// Policy: which requests may pass.
    #[column(path = "policy")]
    policy: Option<Json>,
    /// The same policy in a canonical form.
    #[column(path = "policy_std")]
    policy_std: Option<Json>,
    /// Subnets of an interface endpoint.
    #[column(path = "SubnetIds")]
    subnet_ids: Vec<String>,
    /// Route tables that a gateway endpoint adds routes to.
    #[column(path = "RouteTableIds")]
    route_table_ids: Vec<String>,
    /// Security groups of an interface endpoint: `GroupId`, `GroupName`.
    #[column(path = "Groups")]
    groups: Option<Json>,
    /// Network interfaces of an interface endpoint.
    #[column(path = "NetworkInterfaceIds")]
    network_interface_ids: Vec<String>,
    /// Host names: `DnsName`, `HostedZoneId`.
    #[column(path = "DnsEntries")]
    dns_entries: Option<Json>,
    /// Time of creation.
    #[column(path = "CreationTimestamp")]
    creation_timestamp: Option<Timestamp>,
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

impl RowStream for Endpoint {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeVpcEndpoints")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("vpc-endpoint-id", scan.keys(Self::VPC_ENDPOINT_ID)),
                ("service-name", scan.keys(Self::SERVICE_NAME)),
                ("vpc-id", scan.keys(Self::VPC_ID)),
                ("vpc-endpoint-type", scan.keys(Self::VPC_ENDPOINT_TYPE)),
                ("vpc-endpoint-state", scan.keys(Self::STATE)),
            ];
            let request = site.ec2().describe_vpc_endpoints().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeVpcEndpoints", &keys, fetch, |page| {
                (page.vpc_endpoints.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for Endpoint {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{OwnerId}:vpc-endpoint/{VpcEndpointId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{VpcEndpointId}";
    const DERIVED: &'static [Derived] = &[
        Derived::new("policy", "PolicyDocument", policy::document),
        Derived::new("policy_std", "PolicyDocument", |text| policy::canonical(&policy::document(text))),
    ];
}
