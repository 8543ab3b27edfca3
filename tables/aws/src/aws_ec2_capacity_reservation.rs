//! `aws_ec2_capacity_reservation`: one row per capacity reservation, from `ec2:DescribeCapacityReservations`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Capacity reservations: capacity for instances, billed whether it is used or not.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_capacity_reservation", env = Aws, stream, rows = 2, needs("ec2:DescribeCapacityReservations"),
    identity(capacity_reservation_arn)
)]
#[example(
    "Unused reserved capacity.",
    "SELECT capacity_reservation_id, available_instance_count FROM aws_ec2_capacity_reservation WHERE state = \
     'active' AND available_instance_count > 0"
)]
pub struct CapacityReservation {
    /// ID of the reservation.
    #[column(path = "CapacityReservationId")]
    capacity_reservation_id: String,
    /// ARN of the reservation.
    #[column(path = "CapacityReservationArn")]
    capacity_reservation_arn: Option<String>,
    /// Instance type.
    #[column(slice, path = "InstanceType")]
    instance_type: Option<String>,
    /// ID of the fleet of reservations that it belongs to.
    #[column(path = "CapacityReservationFleetId")]
    capacity_reservation_fleet_id: Option<String>,
    /// ARN of the Outpost that it is on.
    #[column(index, path = "OutpostArn")]
    outpost_arn: Option<String>,
    /// ARN of its placement group.
    #[column(index, path = "PlacementGroupArn")]
    placement_group_arn: Option<String>,
    /// `default` or `capacity-block`.
    #[column(path = "ReservationType")]
    reservation_type: Option<String>,
    /// State, such as `active`, `expired`, `cancelled` or `scheduled`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// Availability zone.
    #[column(slice, path = "AvailabilityZone")]
    availability_zone: Option<String>,
    /// ID of the availability zone, which is the same in all accounts.
    #[column(path = "AvailabilityZoneId")]
    availability_zone_id: Option<String>,
    /// Number of instances that can still be started in it.
    #[column(path = "AvailableInstanceCount")]
    available_instance_count: Option<i64>,
    /// Time of creation.
    #[column(path = "CreateDate")]
    create_date: Option<Timestamp>,
    /// Whether instances have dedicated bandwidth to their volumes.
    #[column(path = "EbsOptimized")]
    ebs_optimized: Option<bool>,
    /// Time when it ends; NULL without an end.
    #[column(path = "EndDate")]
    end_date: Option<Timestamp>,
    /// `limited` or `unlimited`.
    #[column(slice, path = "EndDateType")]
    end_date_type: Option<String>,
    /// Whether instances have temporary block-level storage.
    #[column(path = "EphemeralStorage")]
    ephemeral_storage: Option<bool>,
    /// `open` if every matching instance uses it, `targeted` if instances must name it.
    #[column(slice, path = "InstanceMatchCriteria")]
    instance_match_criteria: Option<String>,
    /// Operating system.
    #[column(slice, path = "InstancePlatform")]
    instance_platform: Option<String>,
    /// ID of the account that owns it.
    #[column(slice, path = "OwnerId")]
    owner_id: Option<String>,
    /// Time when it started.
    #[column(path = "StartDate")]
    start_date: Option<Timestamp>,
    /// `default` or `dedicated`.
    #[column(slice, path = "Tenancy")]
    tenancy: Option<String>,
    /// Number of instances that it is for.
    #[column(path = "TotalInstanceCount")]
    total_instance_count: Option<i64>,
    /// How its capacity is used: `AllocationType`, `Count`.
    #[column(path = "CapacityAllocations")]
    capacity_allocations: Option<Json>,
    /// Tags as AWS lists them.
    #[column(path = "Tags")]
    tag_src: Option<Json>,
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

impl RowStream for CapacityReservation {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeCapacityReservations")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("instance-type", scan.keys(Self::INSTANCE_TYPE)),
                ("outpost-arn", scan.keys(Self::OUTPOST_ARN)),
                ("placement-group-arn", scan.keys(Self::PLACEMENT_GROUP_ARN)),
                ("state", scan.keys(Self::STATE)),
                ("availability-zone", scan.keys(Self::AVAILABILITY_ZONE)),
                ("end-date-type", scan.keys(Self::END_DATE_TYPE)),
                ("instance-match-criteria", scan.keys(Self::INSTANCE_MATCH_CRITERIA)),
                ("instance-platform", scan.keys(Self::INSTANCE_PLATFORM)),
                ("owner-id", scan.keys(Self::OWNER_ID)),
                ("tenancy", scan.keys(Self::TENANCY)),
            ];
            let request = site.ec2().describe_capacity_reservations().max_results(page_size(scan, 1..=1000));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeCapacityReservations", &keys, fetch, |page| {
                (page.capacity_reservations.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for CapacityReservation {
    const ARN_FORM: &'static str = "{CapacityReservationArn}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{CapacityReservationId}";
}
