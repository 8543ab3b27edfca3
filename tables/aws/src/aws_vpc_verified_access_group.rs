//! `aws_vpc_verified_access_group`: one row per group, from `ec2:DescribeVerifiedAccessGroups`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Derived, Origin, Resource, in_utc};
use crate::source::ec2;

/// Groups of endpoints of Verified Access that share a policy.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_vpc_verified_access_group", env = Aws, stream, rows = 5, needs("ec2:DescribeVerifiedAccessGroups"),
    identity(arn)
)]
#[example(
    "Groups of each instance.",
    "SELECT verified_access_instance_id, verified_access_group_id FROM aws_vpc_verified_access_group"
)]
pub struct VerifiedAccessGroup {
    /// ID of the group.
    #[column(path = "VerifiedAccessGroupId")]
    verified_access_group_id: String,
    /// ARN of the group.
    #[column(path = "@arn")]
    arn: String,
    /// ID of its instance.
    #[column(path = "VerifiedAccessInstanceId")]
    verified_access_instance_id: Option<String>,
    /// Time of creation.
    #[column(path = "creationTime")]
    creation_time: Option<Timestamp>,
    /// Time of deletion; NULL if it still exists.
    #[column(path = "deletionTime")]
    deletion_time: Option<Timestamp>,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// Time of the last change.
    #[column(path = "lastUpdatedTime")]
    last_updated_time: Option<Timestamp>,
    /// ID of the account that owns it.
    #[column(path = "Owner")]
    owner: Option<String>,
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

impl RowStream for VerifiedAccessGroup {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeVerifiedAccessGroups")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let request = site.ec2().describe_verified_access_groups().max_results(page_size(scan, 5..=200));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeVerifiedAccessGroups", &[], fetch, |page| {
                (page.verified_access_groups.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for VerifiedAccessGroup {
    const ARN_FORM: &'static str = "{VerifiedAccessGroupArn}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{VerifiedAccessGroupId}";
    const DERIVED: &'static [Derived] = &[
        Derived::new("creationTime", "CreationTime", in_utc),
        Derived::new("deletionTime", "DeletionTime", in_utc),
        Derived::new("lastUpdatedTime", "LastUpdatedTime", in_utc),
    ];
}
