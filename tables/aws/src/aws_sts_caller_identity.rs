//! `aws_sts_caller_identity`: one row per profile, from `sts:GetCallerIdentity`.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call;
use crate::resource::{Reader, Resource};

/// The identity of the configured credentials, one row per profile.
///
/// AWS allows this call with any valid credentials, so the table shows which accounts you can reach, and as whom.
#[derive(Debug, Default, Table)]
#[table(name = "aws_sts_caller_identity", env = Aws, stream, rows = 1)]
#[example("The identity of each profile.", "SELECT profile, account_id, arn FROM aws_sts_caller_identity")]
pub struct CallerIdentity {
    /// ARN of the user, or of the session of an assumed role.
    #[column(path = "Arn")]
    arn: String,
    /// Unique ID of the caller: a user's ID, or `role id:session name` for an assumed role.
    #[column(path = "UserId")]
    user_id: String,
    /// The same as the ARN.
    #[column(path = "@title")]
    title: String,
    /// The ARN, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    #[column(path = "@partition")]
    partition: String,
    /// Account ID, 12 digits.
    #[column(slice, path = "@account_id")]
    account_id: String,
    /// Profile of the credentials.
    #[column(slice, path = "@profile")]
    profile: String,
}

impl RowStream for CallerIdentity {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::accounts(scan, call::IDENTITY)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| stream::once(CallerIdentity::read(scan, site)).boxed())
    }
}

impl CallerIdentity {
    async fn read(scan: &Scan<Self>, site: Site) -> Result<Self> {
        let (identity, site) = call::identity(scan, &site).await?;
        Reader::listed(scan, &site).row(scan, &*identity)
    }
}

impl Resource for CallerIdentity {
    const TITLE_FORM: &'static str = "{Arn}";
}
