//! `aws_ec2_transit_gateway_vpc_attachment`: one row per attachment, from `ec2:DescribeTransitGatewayAttachments`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::document::json;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Attachments of transit gateways: VPCs, VPN connections and other gateways that they connect.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_transit_gateway_vpc_attachment", env = Aws, stream, rows = 10,
    needs("ec2:DescribeTransitGatewayAttachments"), identity(account_id, region, transit_gateway_attachment_id)
)]
#[example(
    "Attachments of other accounts.",
    "SELECT transit_gateway_attachment_id, resource_owner_id FROM aws_ec2_transit_gateway_vpc_attachment WHERE \
     resource_owner_id <> transit_gateway_owner_id"
)]
pub struct TransitGatewayVpcAttachment {
    /// ID of the attachment.
    #[column(index, path = "TransitGatewayAttachmentId")]
    transit_gateway_attachment_id: String,
    /// ID of the gateway.
    #[column(index, path = "TransitGatewayId")]
    transit_gateway_id: Option<String>,
    /// ID of the account that owns the gateway.
    #[column(slice, path = "TransitGatewayOwnerId")]
    transit_gateway_owner_id: Option<String>,
    /// State, such as `pendingAcceptance`, `available` or `deleted`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// Time of creation.
    #[column(path = "CreationTime")]
    creation_time: Option<Timestamp>,
    /// ID of the VPC, VPN connection or gateway.
    #[column(index, path = "ResourceId")]
    resource_id: Option<String>,
    /// `vpc`, `vpn`, `direct-connect-gateway`, `connect`, `peering` or `tgw-peering`.
    #[column(slice, path = "ResourceType")]
    resource_type: Option<String>,
    /// ID of the account that owns the VPC, VPN connection or gateway.
    #[column(slice, path = "ResourceOwnerId")]
    resource_owner_id: Option<String>,
    /// State of the association with the route table.
    #[column(slice, path = "Association.State")]
    association_state: Option<String>,
    /// Route table that its traffic uses.
    #[column(index, path = "Association.TransitGatewayRouteTableId")]
    association_transit_gateway_route_table_id: Option<String>,
    /// Options of the attachment of a VPC; NULL for others.
    #[column(source = vpc_options, needs = "ec2:DescribeTransitGatewayVpcAttachments")]
    options: Option<Json>,
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

impl RowStream for TransitGatewayVpcAttachment {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeTransitGatewayAttachments")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("transit-gateway-attachment-id", scan.keys(Self::TRANSIT_GATEWAY_ATTACHMENT_ID)),
                ("transit-gateway-id", scan.keys(Self::TRANSIT_GATEWAY_ID)),
                ("transit-gateway-owner-id", scan.keys(Self::TRANSIT_GATEWAY_OWNER_ID)),
                ("state", scan.keys(Self::STATE)),
                ("resource-id", scan.keys(Self::RESOURCE_ID)),
                ("resource-type", scan.keys(Self::RESOURCE_TYPE)),
                ("resource-owner-id", scan.keys(Self::RESOURCE_OWNER_ID)),
                ("association.state", scan.keys(Self::ASSOCIATION_STATE)),
                (
                    "association.transit-gateway-route-table-id",
                    scan.keys(Self::ASSOCIATION_TRANSIT_GATEWAY_ROUTE_TABLE_ID),
                ),
            ];
            let request = site.ec2().describe_transit_gateway_attachments().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeTransitGatewayAttachments", &keys, fetch, |page| {
                (page.transit_gateway_attachments.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for TransitGatewayVpcAttachment {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:\
        {@account_id}:transit-gateway-attachment/{TransitGatewayAttachmentId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{TransitGatewayAttachmentId}";
    const KEPT: &'static [usize] = &[Self::TRANSIT_GATEWAY_ATTACHMENT_ID.position(), Self::RESOURCE_TYPE.position()];
}

impl TransitGatewayVpcAttachment {
    async fn vpc_options(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.resource_type.as_deref() != Some("vpc") {
            return Ok(());
        }
        let site = self.origin.site(scan).await?;
        let id = &self.transit_gateway_attachment_id;
        let request = site.ec2().describe_transit_gateway_vpc_attachments().transit_gateway_attachment_ids(id);
        let answer = site.call(scan, "ec2:DescribeTransitGatewayVpcAttachments", || request.clone().send()).await?;
        let attachments = answer.transit_gateway_vpc_attachments.unwrap_or_default();
        self.options = attachments.first().and_then(|attachment| json(&attachment.options));
        Ok(())
    }
}
