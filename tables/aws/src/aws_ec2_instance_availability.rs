//! `aws_ec2_instance_availability`: one row per instance type and location, from `ec2:DescribeInstanceTypeOfferings`.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, distinct, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Locations in which instance types are available: the region, or its zones if `location_type` is `availability-zone`.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_instance_availability", env = Aws, stream, rows = 800, needs("ec2:DescribeInstanceTypeOfferings"),
    identity(account_id, region, instance_type, location)
)]
#[example(
    "Zones that have a type.",
    "SELECT location FROM aws_ec2_instance_availability WHERE instance_type = 't3.micro' AND location_type = \
     'availability-zone' AND region = 'eu-west-1'"
)]
pub struct InstanceAvailability {
    /// Name of the type, such as `t3.micro`.
    #[column(index, path = "InstanceType")]
    instance_type: String,
    /// Name of the region or zone; the ARN of an Outpost.
    #[column(index, path = "Location")]
    location: Option<String>,
    /// Kind of location: `region` (without a condition), `availability-zone`, `availability-zone-id` or `outpost`.
    #[column(slice, selects, path = "LocationType")]
    location_type: Option<String>,
    /// The same as the type.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for InstanceAvailability {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeInstanceTypeOfferings")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let kinds = scan.keys(Self::LOCATION_TYPE).unwrap_or_else(|| vec!["region".to_owned()]);
            let listings = distinct(kinds).into_iter().filter(|kind| KINDS.contains(&kind.as_str())).map(|kind| {
                let filters =
                    [("instance-type", scan.keys(Self::INSTANCE_TYPE)), ("location", scan.keys(Self::LOCATION))];
                let request = site.ec2().describe_instance_type_offerings().max_results(page_size(scan, 5..=1000));
                let request = request.location_type(kind.as_str().into());
                let fetch =
                    move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
                ec2::rows_of(scan, site.clone(), "ec2:DescribeInstanceTypeOfferings", &kind, &filters, fetch, |page| {
                    (page.instance_type_offerings.unwrap_or_default(), Next::Token(page.next_token))
                })
            });
            stream::iter(listings.collect::<Vec<_>>()).flatten().boxed()
        })
    }
}

impl Resource for InstanceAvailability {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}::instance-type/{InstanceType}";
    const TITLE_FORM: &'static str = "{InstanceType}";
}

/// The kinds of locations that the call takes.
const KINDS: [&str; 4] = ["region", "availability-zone", "availability-zone-id", "outpost"];
