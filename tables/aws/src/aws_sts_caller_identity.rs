//! `aws_sts_caller_identity`: one row per profile, from `sts:GetCallerIdentity`.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call;

/// Who the configured credentials are, one row a profile.
///
/// AWS answers this to anybody with valid credentials, so it shows which accounts can be reached and as whom.
#[derive(Debug, Default, Table)]
#[table(name = "aws_sts_caller_identity", env = Aws, stream, rows = 1)]
#[example("Who am I, and where?", "SELECT profile, account_id, arn FROM aws_sts_caller_identity")]
pub struct CallerIdentity {
    /// ARN of the user, or of the session of an assumed role.
    arn: String,
    /// Unique id of the caller: a user's id, or `role id:session name` for an assumed role.
    user_id: String,
    /// The same as the ARN.
    title: String,
    /// The ARN as a list.
    akas: Vec<String>,
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    partition: String,
    /// Id of the account, 12 digits.
    #[column(slice)]
    account_id: String,
    /// Profile that the credentials come from.
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
        let identity = call::identity(scan, &site).await?;
        Ok(CallerIdentity {
            arn: identity.arn.clone(),
            user_id: identity.user_id.clone(),
            title: identity.arn.clone(),
            akas: vec![identity.arn.clone()],
            partition: site.partition(),
            account_id: identity.account_id.clone(),
            profile: site.profile(),
        })
    }
}
