//! `aws_ec2_client_vpn_endpoint`: one row per endpoint, from `ec2:DescribeClientVpnEndpoints`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Derived, Origin, Resource, in_utc};
use crate::source::ec2;

/// Client VPN endpoints, through which users reach a VPC.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_client_vpn_endpoint", env = Aws, stream, rows = 2, needs("ec2:DescribeClientVpnEndpoints"),
    identity(account_id, region, client_vpn_endpoint_id)
)]
#[example(
    "Endpoints that do not log connections.",
    "SELECT client_vpn_endpoint_id FROM aws_ec2_client_vpn_endpoint WHERE json_extract(connection_log_options, \
     '$.Enabled') = false"
)]
pub struct ClientVpnEndpoint {
    /// ID of the endpoint.
    #[column(index, path = "ClientVpnEndpointId")]
    client_vpn_endpoint_id: String,
    /// `udp` or `tcp`.
    #[column(slice, path = "TransportProtocol")]
    transport_protocol: Option<String>,
    /// Addresses that clients get.
    #[column(path = "ClientCidrBlock")]
    client_cidr_block: Option<String>,
    /// Time of creation.
    #[column(path = "creationTime")]
    creation_time: Option<Timestamp>,
    /// Time of deletion; NULL if it still exists.
    #[column(path = "deletionTime")]
    deletion_time: Option<Timestamp>,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// Host name that clients connect to.
    #[column(path = "DnsName")]
    dns_name: Option<String>,
    /// Address of the portal for its users.
    #[column(path = "SelfServicePortalUrl")]
    self_service_portal_url: Option<String>,
    /// ARN of the server's certificate.
    #[column(path = "ServerCertificateArn")]
    server_certificate_arn: Option<String>,
    /// Longest session in hours.
    #[column(path = "SessionTimeoutHours")]
    session_timeout_hours: Option<i64>,
    /// Whether only traffic for its networks goes through the tunnel.
    #[column(path = "SplitTunnel")]
    split_tunnel: Option<bool>,
    /// ID of the VPC.
    #[column(path = "VpcId")]
    vpc_id: Option<String>,
    /// Port that clients connect to.
    #[column(path = "VpnPort")]
    vpn_port: Option<i64>,
    /// Ways to authenticate.
    #[column(path = "AuthenticationOptions")]
    authentication_options: Option<Json>,
    /// Function that decides on connections.
    #[column(path = "ClientConnectOptions")]
    client_connect_options: Option<Json>,
    /// Log of connections.
    #[column(path = "ConnectionLogOptions")]
    connection_log_options: Option<Json>,
    /// Text that clients show.
    #[column(path = "ClientLoginBannerOptions")]
    client_login_banner_options: Option<Json>,
    /// DNS servers of clients.
    #[column(path = "DnsServers")]
    dns_servers: Vec<String>,
    /// Security groups.
    #[column(path = "SecurityGroupIds")]
    security_group_ids: Vec<String>,
    /// State: `Code`, `Message`.
    #[column(path = "Status")]
    status: Option<Json>,
    /// Networks that it leads to.
    #[column(path = "AssociatedTargetNetworks")]
    associated_target_networks: Option<Json>,
    /// `openvpn`.
    #[column(path = "VpnProtocol")]
    vpn_protocol: Option<String>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The tag `Name`, or the ID if there is none.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for ClientVpnEndpoint {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeClientVpnEndpoints")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("endpoint-id", scan.keys(Self::CLIENT_VPN_ENDPOINT_ID)),
                ("transport-protocol", scan.keys(Self::TRANSPORT_PROTOCOL)),
            ];
            let request = site.ec2().describe_client_vpn_endpoints().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeClientVpnEndpoints", &keys, fetch, |page| {
                (page.client_vpn_endpoints.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for ClientVpnEndpoint {
    const TITLE_FORM: &'static str = "{Tags.Name}|{ClientVpnEndpointId}";
    const DERIVED: &'static [Derived] =
        &[Derived::new("creationTime", "CreationTime", in_utc), Derived::new("deletionTime", "DeletionTime", in_utc)];
}
