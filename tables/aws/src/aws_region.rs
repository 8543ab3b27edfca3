//! `aws_region`: one row per region that an account knows, from `ec2:DescribeRegions`.

use aws_sdk_ec2::types::Region as Answer;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call;
use crate::source::ec2;

/// Regions of each account, those included that it has not enabled.
#[derive(Debug, Default, Table)]
#[table(name = "aws_region", env = Aws, stream, rows = 30, needs("ec2:DescribeRegions"), identity(account_id, name))]
#[example(
    "Which regions could somebody run something in?",
    "SELECT name FROM aws_region WHERE opt_in_status <> 'not-opted-in'"
)]
pub struct Region {
    /// Name of the region, such as `eu-west-1`.
    #[column(index)]
    name: String,
    /// Whether the account has it: `opt-in-not-required`, `opted-in` or `not-opted-in`.
    opt_in_status: Option<String>,
    /// The same as the name.
    title: String,
    /// ARN-like name of the region as a list.
    akas: Vec<String>,
    /// The same as the name.
    #[column(index)]
    region: String,
    /// Whether the account has it enabled and regional tables read it under the present configuration.
    steampipe_available: bool,
    /// Whether it is the region of the profile.
    steampipe_default: bool,
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    partition: String,
    /// Id of the account that was asked.
    #[column(slice)]
    account_id: String,
    /// Host name of EC2's endpoint there.
    endpoint: Option<String>,
    /// Profile that the credentials come from.
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
            let regions = stream::iter(ec2::requests(&keys)).flat_map(move |filters| {
                let ec2 = site.ec2();
                let asked = format!("{filters:?}");
                let request = ec2.describe_regions().all_regions(true).set_filters(Some(filters));
                let site = site.clone();
                let fetch = move |_| request.clone().send();
                let regions =
                    site.pages(scan, call::REGIONS, &asked, fetch, |answer| (answer.regions.unwrap_or_default(), None));
                regions.map_ok(move |region| Region::new(scan.env(), &site, region))
            });
            regions.boxed()
        })
    }
}

impl Region {
    fn new(aws: &Aws, site: &Site, region: Answer) -> Self {
        let is_enabled = !call::is_opted_out(&region);
        let name = region.region_name.unwrap_or_default();
        let home = site.home();
        Region {
            title: name.clone(),
            akas: vec![format!("arn:{}::{name}:{}", site.partition(), site.account_id())],
            region: name.clone(),
            opt_in_status: region.opt_in_status,
            steampipe_available: is_enabled && aws.reads_region(&name),
            steampipe_default: name == home,
            partition: site.partition(),
            account_id: site.account_id(),
            endpoint: region.endpoint,
            profile: site.profile(),
            name,
        }
    }
}
