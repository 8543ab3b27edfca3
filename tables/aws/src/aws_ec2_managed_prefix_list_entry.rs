//! `aws_ec2_managed_prefix_list_entry`: one row per entry, from `ec2:GetManagedPrefixListEntries`.

use futures::stream::Stream;
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::{Next, all, of_parents, page_size};
use crate::resource::{Origin, Resource};
use crate::source::ec2;

/// Entries of prefix lists.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_ec2_managed_prefix_list_entry", env = Aws, stream, rows = 30, needs("ec2:GetManagedPrefixListEntries"),
    identity(account_id, region, prefix_list_id, cidr)
)]
#[example(
    "Addresses of one list.",
    "SELECT cidr, description FROM aws_ec2_managed_prefix_list_entry WHERE prefix_list_id = 'pl-0123456789abcdef0'"
)]
pub struct ManagedPrefixListEntry {
    /// ID of the prefix list.
    #[column(index, path = "PrefixListId")]
    prefix_list_id: String,
    /// Range of addresses.
    #[column(path = "Cidr")]
    cidr: Option<String>,
    /// Description.
    #[column(path = "Description")]
    description: Option<String>,
    /// ID of the list and the addresses.
    #[column(path = "@title")]
    title: String,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for ManagedPrefixListEntry {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::regional(scan, "ec2:GetManagedPrefixListEntries")
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let parents = ManagedPrefixListEntry::lists(scan, site.clone());
            let entries = of_parents(scan, &site, parents, move |site, list| async move {
                let request = site.ec2().get_managed_prefix_list_entries().prefix_list_id(&list);
                let request = request.max_results(page_size(scan, 1..=100));
                let fetch = move |token| request.clone().set_next_token(token).send();
                let pages = site.pages(scan, "ec2:GetManagedPrefixListEntries", &list, fetch, |page| {
                    let of_list = |entry| ec2::In::new("PrefixListId", &list, entry);
                    (page.entries.into_iter().flatten().map(of_list).collect(), Next::Token(page.next_token))
                });
                all(pages).await
            });
            site.rows(scan, entries)
        })
    }
}

impl Resource for ManagedPrefixListEntry {
    const TITLE_FORM: &'static str = "{PrefixListId}_{Cidr}";
}

impl ManagedPrefixListEntry {
    /// The lists to read.
    async fn lists(scan: &Scan<Self>, site: Site) -> Result<Vec<String>> {
        if let Some(ids) = scan.keys(Self::PREFIX_LIST_ID) {
            return Ok(ids);
        }
        let request = site.ec2().describe_managed_prefix_lists().max_results(100);
        let fetch = move |token| request.clone().set_next_token(token).send();
        let lists = site.pages(scan, "ec2:DescribeManagedPrefixLists", "", fetch, |page| {
            (page.prefix_lists.unwrap_or_default(), Next::Token(page.next_token))
        });
        Ok(all(lists).await?.into_iter().filter_map(|list| list.prefix_list_id).collect())
    }
}
