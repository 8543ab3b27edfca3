//! `aws_availability_zone`: one row per zone, from `ec2:DescribeAvailabilityZones`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::Next;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Availability zones, Local Zones and Wavelength Zones of each region, also those that the account has not opted in
/// to.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_availability_zone", env = Aws, stream, rows = 20, needs("ec2:DescribeAvailabilityZones"),
    identity(account_id, region, name)
)]
#[example(
    "Zones that are used without opting in.",
    "SELECT name, zone_id FROM aws_availability_zone WHERE opt_in_status = 'opt-in-not-required'"
)]
pub struct AvailabilityZone {
    /// Name of the zone, such as `eu-west-1a`. The same name can be another zone in another account.
    #[column(index, path = "ZoneName")]
    name: String,
    /// ID of the zone, which is the same in all accounts.
    #[column(index, path = "ZoneId")]
    zone_id: Option<String>,
    /// `availability-zone`, `local-zone` or `wavelength-zone`.
    #[column(slice, path = "ZoneType")]
    zone_type: Option<String>,
    /// `opt-in-not-required`, `opted-in` or `not-opted-in`.
    #[column(slice, path = "OptInStatus")]
    opt_in_status: Option<String>,
    /// Group of zones that are opted in to together.
    #[column(slice, path = "GroupName")]
    group_name: Option<String>,
    /// Name of the region.
    #[column(path = "RegionName")]
    region_name: Option<String>,
    /// Zone that handles control plane calls of a Local Zone; NULL for others.
    #[column(path = "ParentZoneName")]
    parent_zone_name: Option<String>,
    /// ID of that zone.
    #[column(path = "ParentZoneId")]
    parent_zone_id: Option<String>,
    /// Messages about the zone.
    #[column(path = "Messages")]
    messages: Option<Json>,
    /// State, such as `available` or `impaired`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for AvailabilityZone {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribeAvailabilityZones")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("zone-name", scan.keys(Self::NAME)),
                ("zone-id", scan.keys(Self::ZONE_ID)),
                ("zone-type", scan.keys(Self::ZONE_TYPE)),
                ("opt-in-status", scan.keys(Self::OPT_IN_STATUS)),
                ("group-name", scan.keys(Self::GROUP_NAME)),
                ("state", scan.keys(Self::STATE)),
            ];
            let request = site.ec2().describe_availability_zones().all_availability_zones(true);
            let fetch = move |filters, _| request.clone().set_filters(Some(filters)).send();
            ec2::rows(scan, site, "ec2:DescribeAvailabilityZones", &keys, fetch, |page| {
                (page.availability_zones.unwrap_or_default(), Next::Token(None))
            })
        })
    }
}

impl Resource for AvailabilityZone {
    const ARN_FORM: &'static str = "arn:{@partition}::{RegionName}:{@account_id}:availability-zone/{ZoneName}";
    const TITLE_FORM: &'static str = "{ZoneName}";
}
