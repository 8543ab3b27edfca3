//! `aws_iam_role`: one row per IAM role, from `iam:ListRoles`.

use aws_sdk_iam::types::{Role as Answer, RoleDetail};
use futures::stream::{BoxStream, Stream};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site, is_whole};
use crate::call::{Next, all, page_size};
use crate::resource::{Derived, Origin, Reader, Resource};
use crate::source::authorization::{self, Part};
use crate::source::{iam, policy};

/// IAM roles of each account.
///
/// Policies, instance profiles, tags, boundaries and last use of all roles come from
/// `iam:GetAccountAuthorizationDetails` in a few calls if the caller has that permission. Otherwise, and for roles that
/// the query names by name or ARN, each role costs calls.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_role", env = Aws, stream, rows = 200, needs("iam:ListRoles"), identity(arn))]
#[example(
    "Roles that any AWS account can assume.",
    "SELECT name FROM aws_iam_role WHERE assume_role_policy_std LIKE '%{\"AWS\":[\"*\"]}%'"
)]
#[example(
    "The permissions of one role.",
    "SELECT attached_policy_arns, inline_policies FROM aws_iam_role WHERE name = 'web'"
)]
pub struct Role {
    /// Name of the role.
    #[column(index, path = "RoleName")]
    name: String,
    /// ARN of the role.
    #[column(index, path = "Arn")]
    arn: String,
    /// Unique ID of the role. Sessions contain it.
    #[column(path = "RoleId")]
    role_id: String,
    /// Trust policy: who may assume the role, as the text that AWS stores.
    #[column(path = "trust")]
    assume_role_policy_document: Option<String>,
    /// Creation time.
    #[column(path = "CreateDate")]
    create_date: Timestamp,
    /// Description; NULL if it has none.
    #[column(path = "Description")]
    description: Option<String>,
    /// ARNs of the instance profiles that contain the role.
    #[column(source = profiles, needs = "iam:ListInstanceProfilesForRole")]
    instance_profile_arns: Option<Vec<String>>,
    /// Maximum duration of a session, in seconds.
    #[column(path = "MaxSessionDuration")]
    max_session_duration: Option<i64>,
    /// Path of the role; `/` by default.
    #[column(path = "Path")]
    path: String,
    /// ARN of the permissions boundary; NULL if it has none.
    #[column(path = "PermissionsBoundary.PermissionsBoundaryArn", source = details, needs = "iam:GetRole")]
    permissions_boundary_arn: Option<String>,
    /// Type of the permissions boundary: `Policy`; NULL if it has none.
    #[column(path = "PermissionsBoundary.PermissionsBoundaryType", source = details, needs = "iam:GetRole")]
    permissions_boundary_type: Option<String>,
    /// Time of last use, within the last 400 days; NULL if it was not used.
    #[column(volatile, path = "RoleLastUsed.LastUsedDate", source = details, needs = "iam:GetRole")]
    role_last_used_date: Option<Timestamp>,
    /// The region of the last use.
    #[column(volatile, path = "RoleLastUsed.Region", source = details, needs = "iam:GetRole")]
    role_last_used_region: Option<String>,
    /// Tags as AWS lists them.
    #[column(path = "Tags", source = details, needs = "iam:GetRole")]
    tags_src: Option<Json>,
    /// Inline policies of the role, each with its name and document.
    #[column(source = inline, needs("iam:ListRolePolicies", "iam:GetRolePolicy"))]
    inline_policies: Option<Json>,
    /// Inline policies in canonical form: always lists, sorted, actions in lowercase.
    #[column(source = inline, needs("iam:ListRolePolicies", "iam:GetRolePolicy"))]
    inline_policies_std: Option<Json>,
    /// ARNs of the managed policies attached to the role.
    #[column(source = attached, needs = "iam:ListAttachedRolePolicies")]
    attached_policy_arns: Option<Vec<String>>,
    /// Trust policy: who may assume the role.
    #[column(source = trust)]
    assume_role_policy: Option<Json>,
    /// The trust policy in canonical form: always lists, sorted, actions in lowercase.
    #[column(source = trust)]
    assume_role_policy_std: Option<Json>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// Tags by key.
    #[column(path = "@tags", source = details, needs = "iam:GetRole")]
    tags: Option<Map>,
    /// ARN of the role, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Role {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        let is_named = scan.keys(Self::NAME).is_some() || scan.keys(Self::ARN).is_some();
        Place::global(scan, if is_named { "iam:GetRole" } else { "iam:ListRoles" })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            match iam::names(scan.keys(Self::NAME), scan.keys(Self::ARN), "role", &site.account_id()) {
                Some(names) => site.look_up(scan, names, |site, name| Role::get(scan, site, name)),
                None => Role::list(scan, site),
            }
        })
    }
}

impl Resource for Role {
    const TITLE_FORM: &'static str = "{RoleName}";
    const DERIVED: &'static [Derived] = &[Derived::new("trust", "AssumeRolePolicyDocument", policy::decoded)];
    const KEPT: &'static [usize] =
        &[Self::NAME.position(), Self::TAGS.position(), Self::ASSUME_ROLE_POLICY_DOCUMENT.position()];
}

impl Role {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let request = site.iam().list_roles().max_items(page_size(scan, 1..=1000));
        let fetch = move |marker| request.clone().set_marker(marker).send();
        site.rows(
            scan,
            site.pages(scan, "iam:ListRoles", "", fetch, |page| {
                (page.roles, Next::marker(page.is_truncated, page.marker))
            }),
        )
    }

    async fn get(scan: &Scan<Self>, site: Site, name: String) -> Result<Self> {
        let role = Role::answer(scan, &site, &name).await?;
        Reader::whole(scan, &site).row(scan, &role)
    }

    async fn answer(scan: &Scan<Self>, site: &Site, name: &str) -> Result<Answer> {
        let request = site.iam().get_role().role_name(name);
        let answer = site.call(scan, "iam:GetRole", || request.clone().send()).await?;
        answer.role.ok_or_else(|| site.nothing("iam:GetRole"))
    }

    /// The role from the listing of the entire account, if the scan reads all roles.
    async fn listed<V>(&self, scan: &Scan<Self>, pick: impl FnOnce(&RoleDetail) -> V) -> Result<Option<V>> {
        if !is_whole(scan) {
            return Ok(None);
        }
        let account = authorization::of_account(scan, &self.origin.profile, Part::Roles).await?;
        Ok(account.and_then(|account| account.roles.get(&self.name).map(pick)))
    }

    async fn trust(&mut self, _scan: &Scan<Self>) -> Result<()> {
        let Some(text) = &self.assume_role_policy_document else { return Ok(()) };
        let (plain, standard) = policy::columns(text)?;
        (self.assume_role_policy, self.assume_role_policy_std) = (Some(plain), Some(standard));
        Ok(())
    }

    /// Lists do not contain the boundary, tags and last use.
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.tags.is_some() {
            return Ok(());
        }
        let site = self.origin.site(scan).await?;
        let reader = Reader::of_sources(&site, &["details"]);
        match self.listed(scan, RoleDetail::clone).await? {
            Some(role) => reader.fill(scan, self, &role),
            None => reader.fill(scan, self, &Role::answer(scan, &site, &self.name).await?),
        }
    }

    async fn profiles(&mut self, scan: &Scan<Self>) -> Result<()> {
        let listed = self.listed(scan, |role| role.instance_profile_list.clone().unwrap_or_default()).await?;
        let profiles = match listed {
            Some(profiles) => profiles,
            None => {
                let site = self.origin.site(scan).await?;
                let request = site.iam().list_instance_profiles_for_role().role_name(&self.name);
                let fetch = move |marker| request.clone().set_marker(marker).send();
                let pages = site.pages(scan, "iam:ListInstanceProfilesForRole", &self.name, fetch, |page| {
                    (page.instance_profiles, Next::marker(page.is_truncated, page.marker))
                });
                all(pages).await?
            }
        };
        let mut arns: Vec<_> = profiles.into_iter().map(|profile| profile.arn).collect();
        arns.sort();
        self.instance_profile_arns = Some(arns);
        Ok(())
    }

    async fn inline(&mut self, scan: &Scan<Self>) -> Result<()> {
        let listed = self.listed(scan, |role| iam::documents(role.role_policy_list.as_deref())).await?;
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
        let request = iam.list_role_policies().role_name(&self.name);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let names = site.pages(scan, "iam:ListRolePolicies", &self.name, fetch, |page| {
            (page.policy_names, Next::marker(page.is_truncated, page.marker))
        });
        let mut policies = Vec::new();
        for name in all(names).await? {
            let request = iam.get_role_policy().role_name(&self.name).policy_name(&name);
            let answer = site.call(scan, "iam:GetRolePolicy", || request.clone().send()).await.if_present()?;
            policies.extend(answer.map(|policy| (policy.policy_name, policy.policy_document)));
        }
        Ok(policies)
    }

    async fn attached(&mut self, scan: &Scan<Self>) -> Result<()> {
        let listed = self.listed(scan, |role| role.attached_managed_policies.clone().unwrap_or_default()).await?;
        let policies = match listed {
            Some(policies) => policies,
            None => {
                let site = self.origin.site(scan).await?;
                let request = site.iam().list_attached_role_policies().role_name(&self.name);
                let fetch = move |marker| request.clone().set_marker(marker).send();
                let pages = site.pages(scan, "iam:ListAttachedRolePolicies", &self.name, fetch, |page| {
                    (page.attached_policies.unwrap_or_default(), Next::marker(page.is_truncated, page.marker))
                });
                all(pages).await?
            }
        };
        self.attached_policy_arns = Some(iam::attached(policies));
        Ok(())
    }
}
