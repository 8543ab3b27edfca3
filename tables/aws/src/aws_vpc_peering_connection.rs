//! `aws_vpc_peering_connection`: one row per peering connection, from `ec2:DescribeVpcPeeringConnections`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Peering connections: private connections between two VPCs, also of different accounts and regions.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_peering_connection", env = Aws, stream, rows = 5, needs("ec2:DescribeVpcPeeringConnections"),
    identity(account_id, region, id)
)]
#[example(
    "Connections to other accounts.",
    "SELECT id, accepter_owner_id, accepter_vpc_id FROM aws_vpc_peering_connection WHERE accepter_owner_id <> \
     requester_owner_id"
)]
pub struct PeeringConnection {
    /// ID of the connection.
    #[column(index, path = "VpcPeeringConnectionId")]
    id: String,
    /// State, such as `pending-acceptance`, `active` or `deleted`.
    #[column(slice, path = "Status.Code")]
    status_code: Option<String>,
    /// IPv4 addresses of the accepter's VPC.
    #[column(path = "AccepterVpcInfo.CidrBlock")]
    accepter_cidr_block: Option<String>,
    /// ID of the account that accepts the connection.
    #[column(slice, path = "AccepterVpcInfo.OwnerId")]
    accepter_owner_id: Option<String>,
    /// Region of the accepter's VPC.
    #[column(path = "AccepterVpcInfo.Region")]
    accepter_region: Option<String>,
    /// ID of the accepter's VPC.
    #[column(index, path = "AccepterVpcInfo.VpcId")]
    accepter_vpc_id: Option<String>,
    /// Time until which an unaccepted connection can be accepted.
    #[column(path = "ExpirationTime")]
    expiration_time: Option<Timestamp>,
    /// IPv4 addresses of the requester's VPC.
    #[column(path = "RequesterVpcInfo.CidrBlock")]
    requester_cidr_block: Option<String>,
    /// ID of the account that requested the connection.
    #[column(slice, path = "RequesterVpcInfo.OwnerId")]
    requester_owner_id: Option<String>,
    /// Region of the requester's VPC.
    #[column(path = "RequesterVpcInfo.Region")]
    requester_region: Option<String>,
    /// ID of the requester's VPC.
    #[column(index, path = "RequesterVpcInfo.VpcId")]
    requester_vpc_id: Option<String>,
    /// Details of the state.
    #[column(path = "Status.Message")]
    status_message: Option<String>,
    /// All IPv4 ranges of the accepter's VPC.
    #[column(path = "AccepterVpcInfo.CidrBlockSet")]
    accepter_cidr_block_set: Option<Json>,
    /// IPv6 ranges of the accepter's VPC.
    #[column(path = "AccepterVpcInfo.Ipv6CidrBlockSet")]
    accepter_ipv6_cidr_block_set: Option<Json>,
    /// Options of the accepter's side, such as DNS resolution.
    #[column(path = "AccepterVpcInfo.PeeringOptions")]
    accepter_peering_options: Option<Json>,
    /// All IPv4 ranges of the requester's VPC.
    #[column(path = "RequesterVpcInfo.CidrBlockSet")]
    requester_cidr_block_set: Option<Json>,
    /// IPv6 ranges of the requester's VPC.
    #[column(path = "RequesterVpcInfo.Ipv6CidrBlockSet")]
    requester_ipv6_cidr_block_set: Option<Json>,
    /// Options of the requester's side.
    #[column(path = "RequesterVpcInfo.PeeringOptions")]
    requester_peering_options: Option<Json>,
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

impl RowStream for PeeringConnection {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeVpcPeeringConnections")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("vpc-peering-connection-id", scan.keys(Self::ID)),
                ("status-code", scan.keys(Self::STATUS_CODE)),
                ("accepter-vpc-info.owner-id", scan.keys(Self::ACCEPTER_OWNER_ID)),
                ("accepter-vpc-info.vpc-id", scan.keys(Self::ACCEPTER_VPC_ID)),
                ("requester-vpc-info.owner-id", scan.keys(Self::REQUESTER_OWNER_ID)),
                ("requester-vpc-info.vpc-id", scan.keys(Self::REQUESTER_VPC_ID)),
            ];
            let request = site.ec2().describe_vpc_peering_connections().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeVpcPeeringConnections", &keys, fetch, |page| {
                (page.vpc_peering_connections.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for PeeringConnection {
    const TITLE_FORM: &'static str = "{Tags.Name}|{VpcPeeringConnectionId}";
}
