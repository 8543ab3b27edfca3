//! `aws_vpc_verified_access_instance`: one row per instance, from `ec2:DescribeVerifiedAccessInstances`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Derived, Origin, Resource, in_utc};
use crate::source::ec2;

/// Instances of Verified Access, which evaluate requests for applications.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_verified_access_instance", env = Aws, stream, rows = 2,
    needs("ec2:DescribeVerifiedAccessInstances"), identity(account_id, region, verified_access_instance_id)
)]
#[example(
    "Instances and their trust providers.",
    "SELECT verified_access_instance_id, verified_access_trust_providers FROM aws_vpc_verified_access_instance"
)]
pub struct VerifiedAccessInstance {
    /// ID of the instance.
    #[column(path = "VerifiedAccessInstanceId")]
    verified_access_instance_id: String,
    /// Time of creation.
    #[column(path = "creationTime")]
    creation_time: Option<Timestamp>,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// Time of the last change.
    #[column(path = "lastUpdatedTime")]
    last_updated_time: Option<Timestamp>,
    /// Trust providers that are attached.
    #[column(path = "VerifiedAccessTrustProviders")]
    verified_access_trust_providers: Option<Json>,
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

impl RowStream for VerifiedAccessInstance {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeVerifiedAccessInstances")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let request = site.ec2().describe_verified_access_instances().max_results(page_size(scan, 5..=200));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeVerifiedAccessInstances", &[], fetch, |page| {
                (page.verified_access_instances.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for VerifiedAccessInstance {
    const TITLE_FORM: &'static str = "{Tags.Name}|{VerifiedAccessInstanceId}";
    const DERIVED: &'static [Derived] = &[
        Derived::new("creationTime", "CreationTime", in_utc),
        Derived::new("lastUpdatedTime", "LastUpdatedTime", in_utc),
    ];
}
