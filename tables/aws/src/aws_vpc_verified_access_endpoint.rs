//! `aws_vpc_verified_access_endpoint`: one row per endpoint, from `ec2:DescribeVerifiedAccessEndpoints`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Derived, Origin, Resource, in_utc};
use crate::source::ec2;

/// Endpoints of Verified Access: applications that users reach without a VPN.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_verified_access_endpoint", env = Aws, stream, rows = 5,
    needs("ec2:DescribeVerifiedAccessEndpoints"), identity(account_id, region, verified_access_endpoint_id)
)]
#[example(
    "Applications and their endpoints.",
    "SELECT application_domain, endpoint_domain FROM aws_vpc_verified_access_endpoint"
)]
pub struct VerifiedAccessEndpoint {
    /// ID of the endpoint.
    #[column(path = "VerifiedAccessEndpointId")]
    verified_access_endpoint_id: String,
    /// ID of its group.
    #[column(path = "VerifiedAccessGroupId")]
    verified_access_group_id: Option<String>,
    /// ID of its instance.
    #[column(path = "VerifiedAccessInstanceId")]
    verified_access_instance_id: Option<String>,
    /// Time of creation.
    #[column(path = "creationTime")]
    creation_time: Option<Timestamp>,
    /// State, such as `active`.
    #[column(path = "Status.Code")]
    status_code: Option<String>,
    /// Host name of the application.
    #[column(path = "ApplicationDomain")]
    application_domain: Option<String>,
    /// `vpc`.
    #[column(path = "AttachmentType")]
    attachment_type: Option<String>,
    /// Time of deletion; NULL if it still exists.
    #[column(path = "deletionTime")]
    deletion_time: Option<Timestamp>,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// Host name that checks devices.
    #[column(path = "DeviceValidationDomain")]
    device_validation_domain: Option<String>,
    /// ARN of the certificate of the application's host name.
    #[column(path = "DomainCertificateArn")]
    domain_certificate_arn: Option<String>,
    /// Host name of the endpoint.
    #[column(path = "EndpointDomain")]
    endpoint_domain: Option<String>,
    /// `load-balancer`, `network-interface`, `rds` or `cidr`.
    #[column(path = "EndpointType")]
    endpoint_type: Option<String>,
    /// Time of the last change.
    #[column(path = "lastUpdatedTime")]
    last_updated_time: Option<Timestamp>,
    /// Load balancer that it leads to.
    #[column(path = "LoadBalancerOptions")]
    load_balancer_options: Option<Json>,
    /// Network interface that it leads to.
    #[column(path = "NetworkInterfaceOptions")]
    network_interface_options: Option<Json>,
    /// State: `Code`, `Message`.
    #[column(path = "Status")]
    status: Option<Json>,
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

impl RowStream for VerifiedAccessEndpoint {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeVerifiedAccessEndpoints")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let request = site.ec2().describe_verified_access_endpoints().max_results(page_size(scan, 5..=200));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeVerifiedAccessEndpoints", &[], fetch, |page| {
                (page.verified_access_endpoints.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for VerifiedAccessEndpoint {
    const TITLE_FORM: &'static str = "{Tags.Name}|{VerifiedAccessEndpointId}";
    const DERIVED: &'static [Derived] = &[
        Derived::new("creationTime", "CreationTime", in_utc),
        Derived::new("deletionTime", "DeletionTime", in_utc),
        Derived::new("lastUpdatedTime", "LastUpdatedTime", in_utc),
    ];
}
