//! `aws_vpc_endpoint_service`: one row per endpoint service, from `ec2:DescribeVpcEndpointServices`.

use aws_sdk_ec2::types::Filter;
use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::{self, Next, all, page_size};
use crate::document::json;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Services that a VPC can reach through an endpoint: those of AWS, and those of other accounts that are open to this
/// one.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_endpoint_service", env = Aws, stream, rows = 250, needs("ec2:DescribeVpcEndpointServices"),
    identity(account_id, region, service_id, service_name)
)]
#[example(
    "Services of other providers.",
    "SELECT service_name, owner FROM aws_vpc_endpoint_service WHERE owner <> 'amazon'"
)]
pub struct EndpointService {
    /// Name of the service, such as `com.amazonaws.eu-west-1.s3`.
    #[column(index, path = "ServiceName")]
    service_name: String,
    /// ID of the service.
    #[column(path = "ServiceId")]
    service_id: Option<String>,
    /// Account that provides it; `amazon` for AWS.
    #[column(slice, path = "Owner")]
    owner: Option<String>,
    /// Whether the provider must accept each endpoint.
    #[column(path = "AcceptanceRequired")]
    acceptance_required: Option<bool>,
    /// Whether the service manages its endpoints.
    #[column(path = "ManagesVpcEndpoints")]
    manages_vpc_endpoints: Option<bool>,
    /// Private host name of the service.
    #[column(path = "PrivateDnsName")]
    private_dns_name: Option<String>,
    /// Whether the provider has proven to own the host name: `pendingVerification`, `verified` or `failed`.
    #[column(path = "PrivateDnsNameVerificationState")]
    private_dns_name_verification_state: Option<String>,
    /// Whether its endpoints can have policies.
    #[column(path = "VpcEndpointPolicySupported")]
    vpc_endpoint_policy_supported: Option<bool>,
    /// Availability zones in which it is available.
    #[column(path = "AvailabilityZones")]
    availability_zones: Vec<String>,
    /// Host names of its endpoints.
    #[column(path = "BaseEndpointDnsNames")]
    base_endpoint_dns_names: Vec<String>,
    /// Types of endpoints: `ServiceType`.
    #[column(path = "ServiceType")]
    service_type: Option<Json>,
    /// Endpoints that are connected to it; NULL for a service of another account.
    #[column(source = connections, needs = "ec2:DescribeVpcEndpointConnections")]
    vpc_endpoint_connections: Option<Json>,
    /// Principals that may create endpoints; NULL for a service of another account.
    #[column(source = permissions, needs = "ec2:DescribeVpcEndpointServicePermissions")]
    vpc_endpoint_service_permissions: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags")]
    tags: Map,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for EndpointService {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeVpcEndpointServices")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [("service-name", scan.keys(Self::SERVICE_NAME)), ("owner", scan.keys(Self::OWNER))];
            let request = site.ec2().describe_vpc_endpoint_services().max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeVpcEndpointServices", &keys, fetch, |page| {
                (page.service_details.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for EndpointService {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:{@account_id}:vpc-endpoint-service/{ServiceId}";
    const TITLE_FORM: &'static str = "{ServiceName}";
    const KEPT: &'static [usize] = &[Self::SERVICE_ID.position(), Self::OWNER.position()];
}

impl EndpointService {
    /// The site and the service's ID if the account provides the service. Only the provider may read its endpoints and
    /// permissions.
    async fn own(&self, scan: &Scan<Self>) -> Result<Option<(Site, String)>> {
        let site = self.origin.site(scan).await?;
        let (_, site) = call::identity(scan, &site).await?;
        let id = self.service_id.clone().filter(|_| self.owner.as_ref() == Some(&site.account_id()));
        Ok(id.map(|id| (site, id)))
    }

    async fn connections(&mut self, scan: &Scan<Self>) -> Result<()> {
        let Some((site, id)) = self.own(scan).await? else { return Ok(()) };
        let filter = Filter::builder().name("service-id").values(&id).build();
        let request = site.ec2().describe_vpc_endpoint_connections().filters(filter);
        let fetch = move |token| request.clone().set_next_token(token).send();
        let connections = site.pages(scan, "ec2:DescribeVpcEndpointConnections", &id, fetch, |page| {
            (page.vpc_endpoint_connections.unwrap_or_default(), Next::Token(page.next_token))
        });
        self.vpc_endpoint_connections = json(&all(connections).await?);
        Ok(())
    }

    async fn permissions(&mut self, scan: &Scan<Self>) -> Result<()> {
        let Some((site, id)) = self.own(scan).await? else { return Ok(()) };
        let request = site.ec2().describe_vpc_endpoint_service_permissions().service_id(&id);
        let fetch = move |token| request.clone().set_next_token(token).send();
        let permissions = site.pages(scan, "ec2:DescribeVpcEndpointServicePermissions", &id, fetch, |page| {
            (page.allowed_principals.unwrap_or_default(), Next::Token(page.next_token))
        });
        self.vpc_endpoint_service_permissions = json(&all(permissions).await?);
        Ok(())
    }
}
