//! `aws_iam_role`: one row per IAM role, from `iam:ListRoles`.

use aws_sdk_iam::types::{Role as Answer, RoleDetail, RoleLastUsed};
use futures::stream::{BoxStream, Stream, StreamExt, TryStreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site, is_whole};
use crate::call::{all, page_size};
use crate::document::{json, tags, time};
use crate::source::authorization::{self, Part};
use crate::source::{iam, policy};

/// Roles of each account.
///
/// Policies, instance profiles, tags, boundaries and last use of all roles come from
/// `iam:GetAccountAuthorizationDetails` in a few calls where that is allowed; otherwise, and for roles asked for by
/// name or ARN, each has its own call.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_role", env = Aws, stream, rows = 200, needs("iam:ListRoles"), identity(arn))]
#[example(
    "Which roles can be assumed by anybody?",
    "SELECT name FROM aws_iam_role WHERE assume_role_policy_std LIKE '%{\"AWS\":[\"*\"]}%'"
)]
#[example("What may one role do?", "SELECT attached_policy_arns, inline_policies FROM aws_iam_role WHERE name = 'web'")]
pub struct Role {
    /// Name of the role.
    #[column(index)]
    name: String,
    /// ARN of the role.
    #[column(index)]
    arn: String,
    /// Unique id of the role; sessions carry it.
    role_id: String,
    /// Who may assume the role, as the text that AWS keeps.
    assume_role_policy_document: Option<String>,
    /// When it was made.
    create_date: Timestamp,
    /// What whoever made it wrote about it; NULL without.
    description: Option<String>,
    /// ARNs of the instance profiles that hand out the role.
    #[column(source = profiles, needs = "iam:ListInstanceProfilesForRole")]
    instance_profile_arns: Option<Vec<String>>,
    /// How long a session may last, in seconds.
    max_session_duration: Option<i64>,
    /// Path of its name; `/` where none was given.
    path: String,
    /// ARN of the policy that bounds its permissions; NULL without a boundary.
    #[column(source = details, needs = "iam:GetRole")]
    permissions_boundary_arn: Option<String>,
    /// Type of the boundary: `Policy`; NULL without one.
    #[column(source = details, needs = "iam:GetRole")]
    permissions_boundary_type: Option<String>,
    /// When it was last used, within the last 400 days; NULL where it was not.
    #[column(volatile, source = details, needs = "iam:GetRole")]
    role_last_used_date: Option<Timestamp>,
    /// The region in which it was last used.
    #[column(volatile, source = details, needs = "iam:GetRole")]
    role_last_used_region: Option<String>,
    /// Tags as AWS lists them.
    #[column(source = details, needs = "iam:GetRole")]
    tags_src: Option<Json>,
    /// The policies written into the role, each with its name and document.
    #[column(source = inline, needs("iam:ListRolePolicies", "iam:GetRolePolicy"))]
    inline_policies: Option<Json>,
    /// The same in canonical form: lists everywhere, sorted, actions in lower case.
    #[column(source = inline, needs("iam:ListRolePolicies", "iam:GetRolePolicy"))]
    inline_policies_std: Option<Json>,
    /// ARNs of the managed policies attached to the role.
    #[column(source = attached, needs = "iam:ListAttachedRolePolicies")]
    attached_policy_arns: Option<Vec<String>>,
    /// Who may assume the role.
    #[column(source = trust)]
    assume_role_policy: Option<Json>,
    /// The same in canonical form: lists everywhere, sorted, actions in lower case.
    #[column(source = trust)]
    assume_role_policy_std: Option<Json>,
    /// The same as the name.
    title: String,
    /// Tags by key.
    #[column(source = details, needs = "iam:GetRole")]
    tags: Option<Map>,
    /// ARN of the role as a list.
    akas: Vec<String>,
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    partition: String,
    /// Always `global`: IAM has no regions.
    #[column(slice)]
    region: String,
    /// Id of the account.
    #[column(slice)]
    account_id: String,
    /// Profile of the credentials that it was read with.
    profile: String,
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

impl Role {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let request = site.iam().list_roles().max_items(page_size(scan, 1..=1000));
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let roles = site.pages(scan, "iam:ListRoles", "", fetch, |page| (page.roles, page.marker));
        roles.map_ok(move |role| Role::new(&site, role)).boxed()
    }

    async fn get(scan: &Scan<Self>, site: Site, name: String) -> Result<Self> {
        let request = site.iam().get_role().role_name(name);
        let answer = site.call(scan, "iam:GetRole", || request.clone().send()).await?;
        let Some(role) = answer.role else { return Err(site.nothing("iam:GetRole")) };
        let mut row = Role::new(&site, role.clone());
        (row.permissions_boundary_arn, row.permissions_boundary_type) =
            iam::boundary(role.permissions_boundary.as_ref());
        row.set_last_used(role.role_last_used.as_ref());
        row.tags = Some(tags(role.tags.as_deref()));
        row.tags_src = json(&role.tags.unwrap_or_default());
        Ok(row)
    }

    fn new(site: &Site, role: Answer) -> Self {
        Role {
            title: role.role_name.clone(),
            akas: vec![role.arn.clone()],
            name: role.role_name,
            arn: role.arn,
            role_id: role.role_id,
            assume_role_policy_document: role.assume_role_policy_document.as_deref().map(policy::decode),
            create_date: time(role.create_date),
            description: role.description,
            max_session_duration: role.max_session_duration.map(i64::from),
            path: role.path,
            partition: site.partition(),
            region: site.region(),
            account_id: site.account_id(),
            profile: site.profile(),
            ..Role::default()
        }
    }

    fn set_last_used(&mut self, used: Option<&RoleLastUsed>) {
        self.role_last_used_date = used.and_then(|used| used.last_used_date).map(time);
        self.role_last_used_region = used.and_then(|used| used.region.clone());
    }

    async fn site(&self, scan: &Scan<Self>) -> Result<Site> {
        scan.env().site(&self.profile, &self.region).await
    }

    /// What the listing of the whole account says of the role, where the scan is about all of them.
    async fn listed<V>(&self, scan: &Scan<Self>, pick: impl FnOnce(&RoleDetail) -> V) -> Result<Option<V>> {
        if !is_whole(scan) {
            return Ok(None);
        }
        let account = authorization::of_account(scan, &self.profile, Part::Roles).await?;
        Ok(account.and_then(|account| account.roles.get(&self.name).map(pick)))
    }

    async fn trust(&mut self, _scan: &Scan<Self>) -> Result<()> {
        let Some(text) = &self.assume_role_policy_document else { return Ok(()) };
        let (plain, standard) = policy::columns(text)?;
        (self.assume_role_policy, self.assume_role_policy_std) = (Some(plain), Some(standard));
        Ok(())
    }

    /// Lists leave boundary, tags and last use out.
    async fn details(&mut self, scan: &Scan<Self>) -> Result<()> {
        if self.tags.is_some() {
            return Ok(());
        }
        if let Some(role) = self.listed(scan, RoleDetail::clone).await? {
            let boundary = iam::boundary(role.permissions_boundary.as_ref());
            (self.permissions_boundary_arn, self.permissions_boundary_type) = boundary;
            self.set_last_used(role.role_last_used.as_ref());
            self.tags = Some(tags(role.tags.as_deref()));
            self.tags_src = json(&role.tags.unwrap_or_default());
            return Ok(());
        }
        let row = Role::get(scan, self.site(scan).await?, self.name.clone()).await?;
        self.permissions_boundary_arn = row.permissions_boundary_arn;
        self.permissions_boundary_type = row.permissions_boundary_type;
        self.role_last_used_date = row.role_last_used_date;
        self.role_last_used_region = row.role_last_used_region;
        (self.tags, self.tags_src) = (row.tags, row.tags_src);
        Ok(())
    }

    async fn profiles(&mut self, scan: &Scan<Self>) -> Result<()> {
        let listed = self.listed(scan, |role| role.instance_profile_list.clone().unwrap_or_default()).await?;
        let profiles = match listed {
            Some(profiles) => profiles,
            None => {
                let site = self.site(scan).await?;
                let request = site.iam().list_instance_profiles_for_role().role_name(&self.name);
                let fetch = move |marker| request.clone().set_marker(marker).send();
                let pages = site.pages(scan, "iam:ListInstanceProfilesForRole", &self.name, fetch, |page| {
                    (page.instance_profiles, page.marker)
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
        let site = self.site(scan).await?;
        let iam = site.iam();
        let request = iam.list_role_policies().role_name(&self.name);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let names =
            site.pages(scan, "iam:ListRolePolicies", &self.name, fetch, |page| (page.policy_names, page.marker));
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
                let site = self.site(scan).await?;
                let request = site.iam().list_attached_role_policies().role_name(&self.name);
                let fetch = move |marker| request.clone().set_marker(marker).send();
                let pages = site.pages(scan, "iam:ListAttachedRolePolicies", &self.name, fetch, |page| {
                    (page.attached_policies.unwrap_or_default(), page.marker)
                });
                all(pages).await?
            }
        };
        self.attached_policy_arns = Some(iam::attached(policies));
        Ok(())
    }
}
