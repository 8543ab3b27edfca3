//! `aws_vpc_block_public_access_options`: one row per region, from `ec2:DescribeVpcBlockPublicAccessOptions`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::Next;
use crate::resource::{Origin, Resource};

/// The setting of an account that blocks traffic between its VPCs and the internet.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_block_public_access_options", env = Aws, stream, rows = 1,
    needs("ec2:DescribeVpcBlockPublicAccessOptions"), identity(account_id, region)
)]
#[example(
    "Regions in which nothing is blocked.",
    "SELECT account_id, region FROM aws_vpc_block_public_access_options WHERE internet_gateway_block_mode = 'off'"
)]
pub struct BlockPublicAccessOptions {
    /// Whether VPCs and subnets can be excluded: `allowed` or `not-allowed`.
    #[column(path = "ExclusionsAllowed")]
    exclusions_allowed: Option<String>,
    /// `off`, `block-bidirectional`, or `block-ingress`, which blocks only connections from the internet.
    #[column(path = "InternetGatewayBlockMode")]
    internet_gateway_block_mode: Option<String>,
    /// Time of the last change.
    #[column(path = "LastUpdateTimestamp")]
    last_update_timestamp: Option<Timestamp>,
    /// `account`, or `declarative-policy` if a policy of the organization sets it.
    #[column(path = "ManagedBy")]
    managed_by: Option<String>,
    /// Reason of the state.
    #[column(path = "Reason")]
    reason: Option<String>,
    /// `default-state`, `update-in-progress` or `update-complete`.
    #[column(path = "State")]
    state: Option<String>,
    /// The same as the region.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for BlockPublicAccessOptions {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeVpcBlockPublicAccessOptions")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let request = site.ec2().describe_vpc_block_public_access_options();
            let fetch = move |_| request.clone().send();
            site.rows(
                scan,
                site.pages(scan, "ec2:DescribeVpcBlockPublicAccessOptions", "", fetch, |answer| {
                    (answer.vpc_block_public_access_options.into_iter().collect(), Next::Token(None))
                }),
            )
        })
    }
}

impl Resource for BlockPublicAccessOptions {
    const TITLE_FORM: &'static str = "{@region}";
}
