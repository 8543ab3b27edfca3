//! `aws_region`: one row per region that is visible to an account, from `ec2:DescribeRegions`.

use aws_sdk_ec2::operation::describe_regions::DescribeRegionsOutput;
use futures::stream::{Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{self, Next};
use crate::resource::Resource;
use crate::source::ec2;

/// Regions of each account, including those that are not enabled.
#[derive(Debug, Default, Table)]
#[table(name = "aws_region", env = Aws, stream, rows = 30, needs("ec2:DescribeRegions"), identity(account_id, name))]
#[example("Regions in which resources can exist.", "SELECT name FROM aws_region WHERE opt_in_status <> 'not-opted-in'")]
pub struct Region {
    /// Name of the region, such as `eu-west-1`.
    #[column(index, path = "RegionName")]
    name: String,
    /// Opt-in status: `opt-in-not-required`, `opted-in` or `not-opted-in`.
    #[column(path = "OptInStatus")]
    opt_in_status: Option<String>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// ARN-like name of the region, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    /// The same as the name.
    #[column(index, path = "RegionName")]
    region: String,
    /// Whether the account has it enabled and regional tables read it under the current configuration.
    steampipe_available: bool,
    /// Whether it is the profile's region.
    steampipe_default: bool,
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    #[column(path = "@partition")]
    partition: String,
    /// ID of the account.
    #[column(slice, path = "@account_id")]
    account_id: String,
    /// Host name of EC2's endpoint in the region.
    #[column(path = "Endpoint")]
    endpoint: Option<String>,
    /// Profile of the credentials.
    #[column(slice, path = "@profile")]
    profile: String,
}

impl RowStream for Region {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::accounts(scan, call::REGIONS)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [("region-name", scan.keys(Self::NAME)), ("region-name", scan.keys(Self::REGION))];
            let (ec2, home) = (site.ec2(), site.home());
            let fetch = move |filters, _| ec2.describe_regions().all_regions(true).set_filters(Some(filters)).send();
            let split = |answer: DescribeRegionsOutput| (answer.regions.unwrap_or_default(), Next::Token(None));
            let rows = ec2::rows(scan, site, call::REGIONS, &keys, fetch, split);
            let in_use = move |row: Region| Region {
                steampipe_available: call::is_enabled(row.opt_in_status.as_deref())
                    && scan.env().reads_region(&row.name),
                steampipe_default: row.name == home,
                ..row
            };
            rows.map_ok(in_use).boxed()
        })
    }
}

impl Resource for Region {
    const ARN_FORM: &'static str = "arn:{@partition}::{RegionName}:{@account_id}";
    const TITLE_FORM: &'static str = "{RegionName}";
    const KEPT: &'static [usize] = &[Self::NAME.position(), Self::OPT_IN_STATUS.position()];
}
