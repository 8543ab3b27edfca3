//! `aws_ec2_managed_prefix_list`: one row per prefix list, from `ec2:DescribeManagedPrefixLists`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::call::{Next, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Prefix lists: named sets of addresses, of AWS and of accounts. `aws_ec2_managed_prefix_list_entry` has the
/// addresses.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_managed_prefix_list", env = Aws, stream, rows = 10, needs("ec2:DescribeManagedPrefixLists"),
    identity(arn)
)]
#[example(
    "Lists of the account and of others that share theirs.",
    "SELECT name, owner_id, max_entries FROM aws_ec2_managed_prefix_list WHERE owner_id <> 'AWS'"
)]
pub struct ManagedPrefixList {
    /// Name of the list.
    #[column(index, path = "PrefixListName")]
    name: Option<String>,
    /// ID of the list.
    #[column(index, path = "PrefixListId")]
    id: String,
    /// ARN of the list.
    #[column(path = "@arn")]
    arn: String,
    /// State, such as `create-complete`; NULL for a list of AWS.
    #[column(path = "State")]
    state: Option<String>,
    /// `IPv4` or `IPv6`.
    #[column(path = "AddressFamily")]
    address_family: Option<String>,
    /// Largest number of entries; NULL for a list of AWS.
    #[column(path = "MaxEntries")]
    max_entries: Option<i64>,
    /// ID of the account that owns it; `AWS` for a list of AWS.
    #[column(slice, path = "OwnerId")]
    owner_id: Option<String>,
    /// Reason of a failure.
    #[column(path = "StateMessage")]
    state_message: Option<String>,
    /// Number of the version; NULL for a list of AWS.
    #[column(path = "Version")]
    version: Option<i64>,
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

impl RowStream for ManagedPrefixList {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:DescribeManagedPrefixLists")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let keys = [
                ("prefix-list-name", scan.keys(Self::NAME)),
                ("prefix-list-id", scan.keys(Self::ID)),
                ("owner-id", scan.keys(Self::OWNER_ID)),
            ];
            let request = site.ec2().describe_managed_prefix_lists().max_results(page_size(scan, 1..=100));
            let fetch = move |filters, token| request.clone().set_filters(Some(filters)).set_next_token(token).send();
            ec2::rows(scan, site, "ec2:DescribeManagedPrefixLists", &keys, fetch, |page| {
                (page.prefix_lists.unwrap_or_default(), Next::Token(page.next_token))
            })
        })
    }
}

impl Resource for ManagedPrefixList {
    const ARN_FORM: &'static str = "{PrefixListArn}";
    const TITLE_FORM: &'static str = "{Tags.Name}|{PrefixListName}";
}
