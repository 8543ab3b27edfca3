//! `aws_organizations_account`: one row per account of the organization.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;
use serde_json::json;

use crate::account::{Aws, Place, Site};
use crate::api::{List, Request};
use crate::aws_account::ORGANIZATIONS;
use crate::call::all;
use crate::resource::{Origin, Reader, Resource};
use crate::source::organization;

/// Accounts of organizations.
///
/// With `parent_id`, accounts are listed per unit, with one more call per unit. Tags cost one call per account.
/// `account_id` is the ID of the account that was asked, `id` that of the row's account.
///
/// Only the organization's management account and its delegated administrators may read it. The table has rows of the
/// profiles that belong to such an account.
#[derive(Debug, Default, Table)]
#[table(name = "aws_organizations_account", env = Aws, stream, rows = 20, needs("organizations:ListAccounts"), identity(arn))]
#[example(
    "Accounts that are not active.",
    "SELECT id, name, email, state FROM aws_organizations_account WHERE state <> 'ACTIVE'"
)]
#[example(
    "The unit of each account.",
    "SELECT a.name, u.path FROM aws_organizations_account a JOIN aws_organizations_organizational_unit u ON u.id = a.parent_id"
)]
pub struct Account {
    /// Name of the account.
    #[column(path = "Name")]
    name: String,
    /// ID of the account.
    #[column(index, path = "Id")]
    id: String,
    /// ID of the unit or root that the account belongs to.
    #[column(path = "ParentId", source = parent, needs = "organizations:ListParents")]
    parent_id: Option<String>,
    /// ARN of the account.
    #[column(path = "Arn")]
    arn: String,
    /// State: `PENDING_ACTIVATION`, `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE`, `CLOSED`.
    #[column(path = "State")]
    state: Option<String>,
    /// Older form of the state: `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE`.
    #[column(path = "Status")]
    status: Option<String>,
    /// Email address of the account.
    #[column(path = "Email")]
    email: Option<String>,
    /// How it joined: `INVITED` or `CREATED`.
    #[column(path = "JoinedMethod")]
    joined_method: Option<String>,
    /// When it joined.
    #[column(path = "JoinedTimestamp")]
    joined_timestamp: Option<Timestamp>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = tagging, needs = "organizations:ListTagsForResource")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = tagging, needs = "organizations:ListTagsForResource")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

static ACCOUNTS: List = organization::list("organizations:ListAccounts", "Accounts");
static BELOW: List = organization::list("organizations:ListAccountsForParent", "Accounts");
static PARENTS: List = organization::list("organizations:ListParents", "Parents");
static TAGS: List = organization::list("organizations:ListTagsForResource", "Tags");

/// The table's own call for each key.
const ONE: &str = "organizations:DescribeAccount";

impl RowStream for Account {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, if scan.keys(Self::ID).is_some() { ONE } else { ACCOUNTS.action })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match scan.keys(Self::ID) {
            Some(mut ids) => {
                ids.retain(|id| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()));
                site.look_up(scan, ids, |site, id| Account::get(scan, site, id))
            }
            None if scan.wants(Self::PARENT_ID) => Account::by_parent(scan, site),
            None => site.rows(scan, organization::items(scan, &site, &ACCOUNTS, json!({}))),
        })
    }
}

impl Resource for Account {
    const TITLE_FORM: &'static str = "{Name}";
    const KEPT: &'static [usize] = &[Self::ID.position()];
}

impl Account {
    async fn get(scan: &Scan<Self>, site: Site, id: String) -> Result<Self> {
        let answer = site.send(scan, &ORGANIZATIONS, ONE, Request::input(json!({"AccountId": id}))).await?;
        Reader::listed(scan, &site).row(scan, &answer["Account"])
    }

    /// All accounts with their parents: one listing per unit instead of one call per account.
    fn by_parent(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let tree = organization::tree(scan, &site).await?;
            let parents = tree.iter().filter_map(|unit| unit["Id"].as_str().map(str::to_owned)).collect();
            let mut rows = site.each(scan, parents, |site, parent: String| async move {
                let input = json!({"ParentId": parent});
                let accounts = all(organization::items(scan, &site, &BELOW, input)).await?;
                let reader = Reader::listed(scan, &site);
                let parent = |mut row: Account| {
                    row.parent_id = Some(parent.clone());
                    row
                };
                Ok(accounts.iter().filter_map(|account| reader.item(scan, account)).map(parent).collect())
            });
            while let Some(row) = rows.next().await {
                yield row?;
            }
        }
        .boxed()
    }

    async fn parent(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.parent_id.is_none() {
            let site = self.origin.site(scan).await?;
            let parents = all(site.list(scan, &PARENTS, Request::input(json!({"ChildId": self.id})))).await?;
            self.parent_id = parents.first().and_then(|parent| parent["Id"].as_str().map(str::to_owned));
        }
        Ok(())
    }

    async fn tagging(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let tags = all(site.list(scan, &TAGS, Request::input(json!({"ResourceId": self.id})))).await?;
        Reader::of_sources(&site, &["tagging"]).fill(scan, self, &json!({"Tags": tags}))
    }
}
