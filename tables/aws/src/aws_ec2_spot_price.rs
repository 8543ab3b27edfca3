//! `aws_ec2_spot_price`: one row per price, from `ec2:DescribeSpotPriceHistory`.

use aws_smithy_types::DateTime;
use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Prices of spot instances: the current ones, and changes within the last 90 days with a condition on
/// `create_timestamp`.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_spot_price", env = Aws, stream, rows = 5000, needs("ec2:DescribeSpotPriceHistory"),
    identity(account_id, region, availability_zone, instance_type, product_description, create_timestamp)
)]
#[example(
    "Current prices of a type.",
    "SELECT availability_zone, spot_price FROM aws_ec2_spot_price WHERE instance_type = 'm5.large' AND region = \
     'eu-west-1'"
)]
pub struct SpotPrice {
    /// Availability zone.
    #[column(slice, path = "AvailabilityZone")]
    availability_zone: Option<String>,
    /// Instance type.
    #[column(slice, path = "InstanceType")]
    instance_type: Option<String>,
    /// Platform, such as `Linux/UNIX`.
    #[column(slice, path = "ProductDescription")]
    product_description: Option<String>,
    /// Price per hour in US dollars.
    #[column(path = "SpotPrice")]
    spot_price: Option<String>,
    /// Time from which the price applies.
    #[column(range, path = "Timestamp")]
    create_timestamp: Option<Timestamp>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for SpotPrice {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeSpotPriceHistory")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("availability-zone", scan.keys(Self::AVAILABILITY_ZONE)),
                ("instance-type", scan.keys(Self::INSTANCE_TYPE)),
                ("product-description", scan.keys(Self::PRODUCT_DESCRIPTION)),
            ];
            // Without a start, AWS returns the prices of 90 days. With the current time, it returns the current ones.
            let (from, to) = scan.range(Self::CREATE_TIMESTAMP);
            let from =
                from.or_else(|| to.is_none().then(|| scan.moment())).map(|from| DateTime::from_secs(from.seconds()));
            let to = to.map(|to| DateTime::from_secs(to.seconds().saturating_add(1)));
            let request = site.ec2().describe_spot_price_history().set_start_time(from).set_end_time(to);
            let request = request.max_results(page_size(scan, 5..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            let asked = format!("{from:?} {to:?}");
            ec2::rows_of(scan, site, "ec2:DescribeSpotPriceHistory", &asked, &keys, fetch, |page| {
                (page.spot_price_history.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for SpotPrice {
    const TITLE_FORM: &'static str = "{AvailabilityZone}";
}
