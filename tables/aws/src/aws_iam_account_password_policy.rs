//! `aws_iam_account_password_policy`: one row per account with a password policy, from `iam:GetAccountPasswordPolicy`.

use futures::stream::{self, Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::resource::{Origin, Reader, Resource};

/// Password policies of accounts: what passwords of IAM users must be like.
///
/// An account without a policy has no row. AWS's default then applies: 8 characters of three kinds, without expiry.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_account_password_policy", env = Aws, stream, rows = 1, needs("iam:GetAccountPasswordPolicy"), identity(account_id))]
#[example(
    "Accounts that allow short passwords.",
    "SELECT account_id, minimum_password_length FROM aws_iam_account_password_policy WHERE minimum_password_length < 14"
)]
pub struct PasswordPolicy {
    /// Whether users may change their own password.
    #[column(path = "AllowUsersToChangePassword")]
    allow_users_to_change_password: bool,
    /// Whether passwords expire.
    #[column(path = "ExpirePasswords")]
    expire_passwords: bool,
    /// Whether users cannot set a new password after theirs has expired.
    #[column(path = "HardExpiry")]
    hard_expiry: Option<bool>,
    /// Days after which passwords expire; NULL if they do not.
    #[column(path = "MaxPasswordAge")]
    max_password_age: Option<i64>,
    /// Smallest number of characters.
    #[column(path = "MinimumPasswordLength")]
    minimum_password_length: Option<i64>,
    /// Number of earlier passwords that cannot be used again; NULL if there is none.
    #[column(path = "PasswordReusePrevention")]
    password_reuse_prevention: Option<i64>,
    /// Whether passwords need a lowercase letter.
    #[column(path = "RequireLowercaseCharacters")]
    require_lowercase_characters: bool,
    /// Whether passwords need a digit.
    #[column(path = "RequireNumbers")]
    require_numbers: bool,
    /// Whether passwords need a character that is neither letter nor digit.
    #[column(path = "RequireSymbols")]
    require_symbols: bool,
    /// Whether passwords need an uppercase letter.
    #[column(path = "RequireUppercaseCharacters")]
    require_uppercase_characters: bool,
    #[column(flatten)]
    origin: Origin,
}

const GET: &str = "iam:GetAccountPasswordPolicy";

impl RowStream for PasswordPolicy {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, GET)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| stream::once(PasswordPolicy::read(scan, site)).filter_map(present).boxed())
    }
}

/// An account without a policy has no row.
async fn present(row: Result<PasswordPolicy>) -> Option<Result<PasswordPolicy>> {
    row.if_present().transpose()
}

impl Resource for PasswordPolicy {
    const TITLE_FORM: &'static str = "{@account_id}";
}

impl PasswordPolicy {
    async fn read(scan: &Scan<Self>, site: Site) -> Result<Self> {
        let request = site.iam().get_account_password_policy();
        let answer = site.call(scan, GET, || request.clone().send()).await?;
        let policy = answer.password_policy.ok_or_else(|| site.nothing(GET))?;
        Reader::listed(scan, &site).row(scan, &policy)
    }
}
