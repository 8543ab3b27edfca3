//! `aws_iam_access_key`: one row per access key of an IAM user, from `iam:ListAccessKeys`.

use async_stream::try_stream;
use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Place, Site};
use crate::call::{Next, all, distinct};
use crate::resource::{Derived, Origin, Reader, Resource};
use crate::source::iam;

/// Access keys of IAM users. The secret is never read: AWS shows it once.
///
/// IAM lists the keys of one user at a time, so there is one call per user, and one per key for its last use. Keys on
/// `user_name` and `access_key_id` save those of other users. `aws_iam_credential_report` has the last use of all
/// users' keys in one call, without the keys' IDs.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_access_key", env = Aws, stream, rows = 100, needs("iam:ListUsers", "iam:ListAccessKeys"), identity(access_key_id))]
#[example(
    "Active keys that are older than 90 days.",
    "SELECT user_name, access_key_id, create_date FROM aws_iam_access_key WHERE status = 'Active' AND create_date < now() - INTERVAL '90 days'"
)]
#[example(
    "The owner and last use of one key.",
    "SELECT user_name, status, access_key_last_used_date, access_key_last_used_service FROM aws_iam_access_key WHERE access_key_id = 'AKIAIOSFODNN7EXAMPLE'"
)]
pub struct AccessKey {
    /// ID of the key.
    #[column(index, path = "AccessKeyId")]
    access_key_id: String,
    /// Name of the user.
    #[column(index, path = "UserName")]
    user_name: String,
    /// `Active` or `Inactive`.
    #[column(path = "Status")]
    status: String,
    /// Creation time.
    #[column(path = "CreateDate")]
    create_date: Option<Timestamp>,
    /// Time of the last use; NULL if it was not used since April 2015.
    #[column(volatile, path = "LastUsedDate", source = last_use, needs = "iam:GetAccessKeyLastUsed")]
    access_key_last_used_date: Option<Timestamp>,
    /// Service of the last use: `s3`; NULL if there is none.
    #[column(volatile, path = "service", source = last_use, needs = "iam:GetAccessKeyLastUsed")]
    access_key_last_used_service: Option<String>,
    /// Region of the last use; NULL if there is none.
    #[column(volatile, path = "region", source = last_use, needs = "iam:GetAccessKeyLastUsed")]
    access_key_last_used_region: Option<String>,
    /// The same as the ID.
    #[column(path = "@title")]
    title: String,
    /// ARN of the user with the key's ID, as a list: Steampipe's.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

const LIST: &str = "iam:ListAccessKeys";
const LAST_USE: &str = "iam:GetAccessKeyLastUsed";
/// How many users are read before the rows of their keys are returned.
const ROUND: usize = 100;

/// A text that is not `N/A`.
fn applicable(text: &Value) -> Value {
    if text == "N/A" { Value::Null } else { text.clone() }
}

impl RowStream for AccessKey {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, LIST)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, AccessKey::list)
    }
}

impl Resource for AccessKey {
    const ARN_FORM: &'static str = "arn:{@partition}:iam::{@account_id}:user/{UserName}/accesskey/{AccessKeyId}";
    const TITLE_FORM: &'static str = "{AccessKeyId}";
    const DERIVED: &'static [Derived] =
        &[Derived::new("service", "ServiceName", applicable), Derived::new("region", "Region", applicable)];
    const KEPT: &'static [usize] = &[Self::ACCESS_KEY_ID.position(), Self::USER_NAME.position()];
}

impl AccessKey {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        try_stream! {
            let mut users = AccessKey::users(scan, &site).await?.try_chunks(ROUND);
            while let Some(names) = users.next().await {
                let mut rows = site.each(scan, names.map_err(|error| error.1)?, |site, name| {
                    AccessKey::of_user(scan, site, name)
                });
                while let Some(row) = rows.next().await {
                    let row = row?;
                    if scan.admits(Self::ACCESS_KEY_ID, &row.access_key_id) {
                        yield row;
                    }
                }
            }
        }
        .boxed()
    }

    /// The names of the users whose keys are wanted.
    async fn users<'a>(scan: &'a Scan<Self>, site: &Site) -> Result<BoxStream<'a, Result<String>>> {
        if let Some(names) = iam::names(scan.keys(Self::USER_NAME), None, "user", "") {
            return Ok(futures::stream::iter(distinct(names).into_iter().map(Ok)).boxed());
        }
        if let Some(ids) = scan.keys(Self::ACCESS_KEY_ID) {
            let owners = scan.in_rounds(distinct(ids), |id| AccessKey::owner(scan, site, id));
            let owners: Vec<Option<String>> = owners.try_collect().await?;
            let names = distinct(owners.into_iter().flatten().collect());
            return Ok(futures::stream::iter(names.into_iter().map(Ok)).boxed());
        }
        let request = site.iam().list_users();
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let users = site
            .pages(scan, "iam:ListUsers", "", fetch, |page| (page.users, Next::marker(page.is_truncated, page.marker)));
        Ok(users.map_ok(|user| user.user_name).boxed())
    }

    /// The user to whom a key belongs. IAM refuses to look up IDs of other accounts.
    async fn owner(scan: &Scan<Self>, site: &Site, id: String) -> Result<Option<String>> {
        if id.len() < 16 || id.len() > 128 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        let request = site.iam().get_access_key_last_used().access_key_id(id);
        let answer = site.call(scan, LAST_USE, || request.clone().send()).await.if_present()?;
        Ok(answer.and_then(|answer| answer.user_name))
    }

    async fn of_user(scan: &Scan<Self>, site: Site, name: String) -> Result<Vec<Self>> {
        let request = site.iam().list_access_keys().user_name(&name);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let keys = site.pages(scan, LIST, &name, fetch, |page| {
            (page.access_key_metadata, Next::marker(page.is_truncated, page.marker))
        });
        let reader = Reader::listed(scan, &site);
        Ok(all(keys).await?.iter().filter_map(|key| reader.item(scan, key)).collect())
    }

    async fn last_use(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let request = site.iam().get_access_key_last_used().access_key_id(&self.access_key_id);
        let answer = site.call(scan, LAST_USE, || request.clone().send()).await?;
        match answer.access_key_last_used {
            Some(last_use) => Reader::of_sources(&site, &["last_use"]).fill(scan, self, &last_use),
            None => Ok(()),
        }
    }
}
