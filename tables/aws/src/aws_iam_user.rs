//! `aws_iam_user`: one row per IAM user, from `iam:ListUsers`.

use aws_sdk_iam::types::{User as Answer, UserDetail};
use futures::stream::{BoxStream, Stream};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site, is_whole};
use crate::call::{Next, all, page_size};
use crate::document::json;
use crate::resource::{Origin, Reader, Resource};
use crate::source::authorization::{self, Part};
use crate::source::{iam, policy};

/// IAM users of each account.
///
/// Groups, policies, tags and boundaries of all users come from `iam:GetAccountAuthorizationDetails` in a few calls if
/// the caller has that permission. Otherwise, and for users that the query names, each user costs calls.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_user", env = Aws, stream, rows = 100, needs("iam:ListUsers"), identity(arn))]
#[example(
    "Users who can sign in without a second factor.",
    "SELECT name FROM aws_iam_user WHERE login_profile IS NOT NULL AND NOT mfa_enabled"
)]
#[example(
    "One user's groups and policies.",
    "SELECT groups, attached_policy_arns, inline_policies FROM aws_iam_user WHERE name = 'admin'"
)]
pub struct User {
    /// Name of the user.
    #[column(index, path = "UserName")]
    name: String,
    /// Unique ID of the user.
    #[column(path = "UserId")]
    user_id: String,
    /// Path of the user; `/` by default.
    #[column(path = "Path")]
    path: String,
    /// ARN of the user.
    #[column(index, path = "Arn")]
    arn: String,
    /// Creation time.
    #[column(path = "CreateDate")]
    create_date: Timestamp,
    /// Time of the last sign-in with its password; NULL if it never signed in or has no password.
    #[column(volatile, path = "PasswordLastUsed")]
    password_last_used: Option<Timestamp>,
    /// ARN of the permissions boundary; NULL if it has none.
    #[column(path = "PermissionsBoundary.PermissionsBoundaryArn", source = details, needs = "iam:GetUser")]
    permissions_boundary_arn: Option<String>,
    /// Type of the permissions boundary: `Policy`; NULL if it has none.
    #[column(path = "PermissionsBoundary.PermissionsBoundaryType", source = details, needs = "iam:GetUser")]
    permissions_boundary_type: Option<String>,
    /// Whether the user has an MFA device.
    #[column(source = mfa, needs = "iam:ListMFADevices")]
    mfa_enabled: Option<bool>,
    /// Console password: when it was set, and whether the user must change it; NULL if there is none.
    #[column(source = login, needs = "iam:GetLoginProfile")]
    login_profile: Option<Json>,
    /// MFA devices.
    #[column(source = mfa, needs = "iam:ListMFADevices")]
    mfa_devices: Option<Json>,
    /// Groups that the user belongs to.
    #[column(source = memberships, needs = "iam:ListGroupsForUser")]
    groups: Option<Json>,
    /// Inline policies of the user, each with its name and document.
    #[column(source = inline, needs("iam:ListUserPolicies", "iam:GetUserPolicy"))]
    inline_policies: Option<Json>,
    /// Inline policies in canonical form: always lists, sorted, actions in lowercase.
    #[column(source = inline, needs("iam:ListUserPolicies", "iam:GetUserPolicy"))]
    inline_policies_std: Option<Json>,
    /// ARNs of the managed policies attached to the user itself, without those of its groups.
    #[column(source = attached, needs = "iam:ListAttachedUserPolicies")]
    attached_policy_arns: Option<Vec<String>>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = details, needs = "iam:GetUser")]
    tags_src: Option<Json>,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "iam:GetUser")]
    tags: Option<Map>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// ARN of the user, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for User {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        let is_named = scan.keys(Self::NAME).is_some() || scan.keys(Self::ARN).is_some();
        Place::global(scan, if is_named { "iam:GetUser" } else { "iam:ListUsers" })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            match iam::names(scan.keys(Self::NAME), scan.keys(Self::ARN), "user", &site.account_id()) {
                Some(names) => site.look_up(scan, names, |site, name| User::get(scan, site, name)),
                None => User::list(scan, site),
            }
        })
    }
}

impl Resource for User {
    const TITLE_FORM: &'static str = "{UserName}";
    const KEPT: &'static [usize] = &[Self::NAME.position(), Self::TAGS.position()];
}

impl User {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let request = site.iam().list_users().max_items(page_size(scan, 1..=1000));
        let fetch = move |marker| request.clone().set_marker(marker).send();
        site.rows(
            scan,
            site.pages(scan, "iam:ListUsers", "", fetch, |page| {
                (page.users, Next::marker(page.is_truncated, page.marker))
            }),
        )
    }

    async fn get(scan: &Scan<Self>, site: Site, name: String) -> Result<Self> {
        let user = User::answer(scan, &site, &name).await?;
        Reader::whole(scan, &site).row(scan, &user)
    }

    async fn answer(scan: &Scan<Self>, site: &Site, name: &str) -> Result<Answer> {
        let request = site.iam().get_user().user_name(name);
        let answer = site.call(scan, "iam:GetUser", || request.clone().send()).await?;
        answer.user.ok_or_else(|| site.nothing("iam:GetUser"))
    }

    /// The user and its groups from the listing of the entire account, if the scan reads all users.
    async fn listed<V>(
        &self,
        scan: &Scan<Self>,
        pick: impl FnOnce(&UserDetail, &authorization::Authorization) -> V,
    ) -> Result<Option<V>> {
        if !is_whole(scan) {
            return Ok(None);
        }
        let account = authorization::of_account(scan, &self.origin.profile, Part::Users).await?;
        Ok(account.and_then(|account| account.users.get(&self.name).map(|user| pick(user, &account))))
    }

    /// Lists do not contain the boundary and tags.
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.tags.is_some() {
            return Ok(());
        }
        let site = self.origin.site(scan).await?;
        let reader = Reader::of_sources(&site, &["details"]);
        match self.listed(scan, |user, _| user.clone()).await? {
            Some(user) => reader.fill(scan, self, &user),
            None => reader.fill(scan, self, &User::answer(scan, &site, &self.name).await?),
        }
    }

    async fn mfa(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let request = site.iam().list_mfa_devices().user_name(&self.name);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let devices = site.pages(scan, "iam:ListMFADevices", &self.name, fetch, |page| {
            (page.mfa_devices, Next::marker(page.is_truncated, page.marker))
        });
        let devices = all(devices).await?;
        self.mfa_enabled = Some(!devices.is_empty());
        self.mfa_devices = json(&devices);
        Ok(())
    }

    async fn login(&mut self, scan: &Scan<Self>) -> Result<()> {
        let site = self.origin.site(scan).await?;
        let request = site.iam().get_login_profile().user_name(&self.name);
        let answer = site.call(scan, "iam:GetLoginProfile", || request.clone().send()).await.if_present()?;
        self.login_profile = answer.and_then(|answer| json(&answer.login_profile));
        Ok(())
    }

    async fn memberships(&mut self, scan: &Scan<Self>) -> Result<()> {
        let listed = self.listed(scan, |user, account| {
            let groups = user.group_list.iter().flatten();
            groups.map(|name| account.groups.get(name).map(iam::group)).collect::<Option<Vec<_>>>()
        });
        if let Some(Some(groups)) = listed.await? {
            self.groups = json(&groups);
            return Ok(());
        }
        let site = self.origin.site(scan).await?;
        let request = site.iam().list_groups_for_user().user_name(&self.name);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let groups = site.pages(scan, "iam:ListGroupsForUser", &self.name, fetch, |page| {
            (page.groups, Next::marker(page.is_truncated, page.marker))
        });
        self.groups = json(&all(groups).await?);
        Ok(())
    }

    async fn inline(&mut self, scan: &Scan<Self>) -> Result<()> {
        let listed = self.listed(scan, |user, _| iam::documents(user.user_policy_list.as_deref())).await?;
        let policies = match listed {
            Some(policies) => policies,
            None => self.inline_documents(scan).await?,
        };
        let (plain, standard) = policy::inline(policies)?;
        (self.inline_policies, self.inline_policies_std) = (Some(plain), Some(standard));
        Ok(())
    }

    async fn inline_documents(&self, scan: &Scan<Self>) -> Result<Vec<(String, String)>> {
        let site = self.origin.site(scan).await?;
        let iam = site.iam();
        let request = iam.list_user_policies().user_name(&self.name);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let names = site.pages(scan, "iam:ListUserPolicies", &self.name, fetch, |page| {
            (page.policy_names, Next::marker(page.is_truncated, page.marker))
        });
        let mut policies = Vec::new();
        for name in all(names).await? {
            let request = iam.get_user_policy().user_name(&self.name).policy_name(&name);
            let answer = site.call(scan, "iam:GetUserPolicy", || request.clone().send()).await.if_present()?;
            policies.extend(answer.map(|policy| (policy.policy_name, policy.policy_document)));
        }
        Ok(policies)
    }

    async fn attached(&mut self, scan: &Scan<Self>) -> Result<()> {
        let listed = self.listed(scan, |user, _| user.attached_managed_policies.clone().unwrap_or_default()).await?;
        let policies = match listed {
            Some(policies) => policies,
            None => {
                let site = self.origin.site(scan).await?;
                let request = site.iam().list_attached_user_policies().user_name(&self.name);
                let fetch = move |marker| request.clone().set_marker(marker).send();
                let pages = site.pages(scan, "iam:ListAttachedUserPolicies", &self.name, fetch, |page| {
                    (page.attached_policies.unwrap_or_default(), Next::marker(page.is_truncated, page.marker))
                });
                all(pages).await?
            }
        };
        self.attached_policy_arns = Some(iam::attached(policies));
        Ok(())
    }
}
