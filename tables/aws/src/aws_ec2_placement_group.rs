//! `aws_ec2_placement_group`: one row per placement group, from `ec2:DescribePlacementGroups`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::Next;
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Placement groups, which keep instances close together or apart.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_placement_group", env = Aws, stream, rows = 2, needs("ec2:DescribePlacementGroups"), identity(arn)
)]
#[example("Groups by strategy.", "SELECT strategy, count(*) AS groups FROM aws_ec2_placement_group GROUP BY strategy")]
pub struct PlacementGroup {
    /// ARN of the group.
    #[column(path = "@arn")]
    arn: String,
    /// ID of the group.
    #[column(path = "GroupId")]
    group_id: Option<String>,
    /// Name of the group.
    #[column(index, path = "GroupName")]
    group_name: Option<String>,
    /// Number of partitions; NULL for other strategies.
    #[column(path = "PartitionCount")]
    partition_count: Option<i64>,
    /// Hardware that instances do not share: `host` or `rack`; NULL for other strategies.
    #[column(slice, path = "SpreadLevel")]
    spread_level: Option<String>,
    /// `pending`, `available`, `deleting` or `deleted`.
    #[column(slice, path = "State")]
    state: Option<String>,
    /// `cluster`, `spread` or `partition`.
    #[column(slice, path = "Strategy")]
    strategy: Option<String>,
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

impl RowStream for PlacementGroup {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional_with_account(scan, "ec2:DescribePlacementGroups")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("group-name", scan.keys(Self::GROUP_NAME)),
                ("spread-level", scan.keys(Self::SPREAD_LEVEL)),
                ("state", scan.keys(Self::STATE)),
                ("strategy", scan.keys(Self::STRATEGY)),
            ];
            let request = site.ec2().describe_placement_groups();
            let fetch = move |filters, _| request.clone().set_filters(Some(filters)).send();
            ec2::rows(scan, site, "ec2:DescribePlacementGroups", &keys, fetch, |page| {
                (page.placement_groups.unwrap_or_default(), Next::Token(None))
            })
        })
    }
}

impl Resource for PlacementGroup {
    const ARN_FORM: &'static str = "{GroupArn}|\
         arn:{@partition}:ec2:{@region}:{@account_id}:placement-group/{GroupName}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{GroupName}";
}
