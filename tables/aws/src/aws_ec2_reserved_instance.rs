//! `aws_ec2_reserved_instance`: one row per reservation, from `ec2:DescribeReservedInstances`.

use aws_sdk_ec2::types::Filter;
use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, all};
use crate::document::json;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Reserved instances: discounts on instances for a period.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_reserved_instance", env = Aws, stream, rows = 2, needs("ec2:DescribeReservedInstances"),
    identity(arn)
)]
#[example(
    "Reservations that end within 30 days.",
    "SELECT reserved_instance_id, end_time FROM aws_ec2_reserved_instance WHERE instance_state = 'active' AND \
     end_time < now() + INTERVAL '30 days'"
)]
pub struct ReservedInstance {
    /// ID of the reservation.
    #[column(index, path = "ReservedInstancesId")]
    reserved_instance_id: String,
    /// ARN of the reservation.
    #[column(path = "@arn")]
    arn: String,
    /// Instance type.
    #[column(slice, path = "InstanceType")]
    instance_type: Option<String>,
    /// `payment-pending`, `active`, `payment-failed`, `retired`, `queued` or `queued-deleted`.
    #[column(slice, path = "State")]
    instance_state: Option<String>,
    /// Availability zone; NULL for a reservation of the region.
    #[column(slice, path = "AvailabilityZone")]
    availability_zone: Option<String>,
    /// Currency, such as `USD`.
    #[column(path = "CurrencyCode")]
    currency_code: Option<String>,
    /// Duration in seconds.
    #[column(path = "Duration")]
    duration: Option<i64>,
    /// Time when it ends.
    #[column(path = "End")]
    end_time: Option<Timestamp>,
    /// Price that is paid once.
    #[column(path = "FixedPrice")]
    fixed_price: Option<f64>,
    /// Number of instances.
    #[column(path = "InstanceCount")]
    instance_count: Option<i64>,
    /// `default` or `dedicated`.
    #[column(path = "InstanceTenancy")]
    instance_tenancy: Option<String>,
    /// `standard` or `convertible`.
    #[column(path = "OfferingClass")]
    offering_class: Option<String>,
    /// How it is paid, such as `No Upfront`.
    #[column(path = "OfferingType")]
    offering_type: Option<String>,
    /// Platform, such as `Linux/UNIX`.
    #[column(slice, path = "ProductDescription")]
    product_description: Option<String>,
    /// `Availability Zone` or `Region`.
    #[column(slice, path = "Scope")]
    scope: Option<String>,
    /// Time when it started.
    #[column(path = "Start")]
    start_time: Option<Timestamp>,
    /// Price per hour.
    #[column(path = "UsagePrice")]
    usage_price: Option<f64>,
    /// Modifications of the reservation.
    #[column(source = modifications, needs = "ec2:DescribeReservedInstancesModifications")]
    reserved_instances_modifications: Option<Json>,
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

impl RowStream for ReservedInstance {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeReservedInstances")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("reserved-instances-id", scan.keys(Self::RESERVED_INSTANCE_ID)),
                ("instance-type", scan.keys(Self::INSTANCE_TYPE)),
                ("state", scan.keys(Self::INSTANCE_STATE)),
                ("availability-zone", scan.keys(Self::AVAILABILITY_ZONE)),
                ("product-description", scan.keys(Self::PRODUCT_DESCRIPTION)),
                ("scope", scan.keys(Self::SCOPE)),
            ];
            let request = site.ec2().describe_reserved_instances();
            let fetch = move |filters, _| request.clone().set_filters(Some(filters)).send();
            ec2::rows(scan, site, "ec2:DescribeReservedInstances", &keys, fetch, |page| {
                (page.reserved_instances.unwrap_or_default(), Next::Token(None))
            })
        })
    }
}

impl Resource for ReservedInstance {
    const ARN_FORM: &'static str = "arn:{@partition}:ec2:{@region}:\
        {@account_id}:reserved-instances/{ReservedInstancesId}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{ReservedInstancesId}";
    const KEPT: &'static [usize] = &[Self::RESERVED_INSTANCE_ID.position()];
}

impl ReservedInstance {
    async fn modifications(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let id = &self.reserved_instance_id;
        let filter = Filter::builder().name("reserved-instances-id").values(id).build();
        let request = site.ec2().describe_reserved_instances_modifications().filters(filter);
        let fetch = move |token| request.clone().set_next_token(token).send();
        let modifications = site.pages(scan, "ec2:DescribeReservedInstancesModifications", id, fetch, |page| {
            (page.reserved_instances_modifications.unwrap_or_default(), Next::Token(page.next_token))
        });
        self.reserved_instances_modifications = json(&all(modifications).await?);
        Ok(())
    }
}
