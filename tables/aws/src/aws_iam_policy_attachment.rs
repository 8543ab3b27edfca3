//! `aws_iam_policy_attachment`: one row per managed policy, with the entities that it is attached to.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_iam::types::{AttachedPolicy, PolicyGroup, PolicyRole, PolicyUsageType, PolicyUser};
use futures::stream::{BoxStream, Stream};
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::call::{Next, all, page_size};
use crate::document::json;
use crate::resource::{Derived, Origin, Reader, Resource};
use crate::source::authorization::{self, Authorization, Part};
use crate::source::iam;

/// Users, groups and roles that managed policies are attached to.
///
/// Only attachments that grant permissions are listed. Permissions boundaries are in the `permissions_boundary_arn`
/// columns of `aws_iam_user` and `aws_iam_role`. `is_attached = true` is applied by AWS and excludes most of AWS's own
/// policies.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_iam_policy_attachment", env = Aws, stream, rows = 1500, needs("iam:ListPolicies"),
    identity(account_id, policy_arn)
)]
#[example(
    "Administrators.",
    "SELECT policy_users, policy_groups, policy_roles FROM aws_iam_policy_attachment \
     WHERE policy_arn = 'arn:aws:iam::aws:policy/AdministratorAccess'"
)]
#[example("Attached policies.", "SELECT policy_arn, policy_roles FROM aws_iam_policy_attachment WHERE is_attached")]
pub struct PolicyAttachment {
    /// ARN of the policy.
    #[column(index, path = "Arn")]
    policy_arn: String,
    /// Whether it is attached to any user, group or role.
    #[column(slice, path = "isAttached")]
    is_attached: bool,
    /// Groups that it is attached to: `GroupId`, `GroupName`.
    #[column(source = entities, needs = "iam:ListEntitiesForPolicy")]
    policy_groups: Option<Json>,
    /// Roles that it is attached to: `RoleId`, `RoleName`.
    #[column(source = entities, needs = "iam:ListEntitiesForPolicy")]
    policy_roles: Option<Json>,
    /// Users that it is attached to: `UserId`, `UserName`.
    #[column(source = entities, needs = "iam:ListEntitiesForPolicy")]
    policy_users: Option<Json>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for PolicyAttachment {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        let is_named = scan.keys(Self::POLICY_ARN).is_some();
        Place::global(scan, if is_named { "iam:GetPolicy" } else { "iam:ListPolicies" })
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| match scan.keys(Self::POLICY_ARN) {
            Some(arns) => {
                let arns = iam::policy_arns(arns, &site.account_id());
                site.look_up(scan, arns, |site, arn| PolicyAttachment::get(scan, site, arn))
            }
            None => PolicyAttachment::list(scan, site),
        })
    }
}

/// The entities that one policy is attached to.
#[derive(Debug, Clone, Default)]
struct Entities {
    groups: Vec<PolicyGroup>,
    roles: Vec<PolicyRole>,
    users: Vec<PolicyUser>,
}

impl Resource for PolicyAttachment {
    const TITLE_FORM: &'static str = "{PolicyName}";
    const DERIVED: &'static [Derived] = &[iam::IS_ATTACHED];
    const KEPT: &'static [usize] = &[Self::POLICY_ARN.position(), Self::IS_ATTACHED.position()];
}

impl PolicyAttachment {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let is_attached = scan.key(Self::IS_ATTACHED) == Some(true);
        let request = site.iam().list_policies().only_attached(is_attached).max_items(page_size(scan, 1..=1000));
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let asked = format!("attached: {is_attached}");
        site.rows(
            scan,
            site.pages(scan, "iam:ListPolicies", &asked, fetch, |page| {
                (page.policies.unwrap_or_default(), Next::marker(page.is_truncated, page.marker))
            }),
        )
    }

    async fn get(scan: &Scan<Self>, site: Site, arn: String) -> Result<Self> {
        let policy = iam::policy(scan, &site, &arn).await?;
        Reader::whole(scan, &site).row(scan, &policy)
    }

    async fn entities(&mut self, scan: &Scan<Self>) -> Result<()> {
        let entities = match self.listed(scan).await? {
            _ if !self.is_attached => Entities::default(),
            Some(entities) => entities,
            None => self.asked(scan).await?,
        };
        self.policy_groups = json(&entities.groups);
        self.policy_roles = json(&entities.roles);
        self.policy_users = json(&entities.users);
        Ok(())
    }

    /// The policy's attachments from the listing of the entire account, if the scan reads all policies.
    async fn listed(&self, scan: &Scan<Self>) -> Result<Option<Entities>> {
        if !self.is_attached || scan.keys(Self::POLICY_ARN).is_some() || scan.limit().is_some() {
            return Ok(None);
        }
        let Some(account) = authorization::of_account(scan, &self.origin.profile, Part::Principals).await? else {
            return Ok(None);
        };
        let read = async {
            let policies = by_policy(&account);
            let size = policies.iter().map(|(arn, entities)| arn.len() + entities.size()).sum();
            Ok((policies, size))
        };
        let key = format!("aws/{}/attachments", self.origin.profile);
        let by_policy: Arc<HashMap<String, Entities>> = scan.cached(&key, read).await?;
        Ok(by_policy.get(&self.policy_arn).cloned())
    }

    async fn asked(&self, scan: &Scan<Self>) -> Result<Entities> {
        let site = self.origin.site(scan).await?;
        let request = site.iam().list_entities_for_policy().policy_arn(&self.policy_arn);
        let request = request.policy_usage_filter(PolicyUsageType::PermissionsPolicy);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let pages = site.pages(scan, "iam:ListEntitiesForPolicy", &self.policy_arn, fetch, |page| {
            let entities = Entities {
                groups: page.policy_groups.unwrap_or_default(),
                roles: page.policy_roles.unwrap_or_default(),
                users: page.policy_users.unwrap_or_default(),
            };
            (vec![entities], Next::marker(page.is_truncated, page.marker))
        });
        let mut found = Entities::default();
        for page in all(pages).await? {
            found.groups.extend(page.groups);
            found.roles.extend(page.roles);
            found.users.extend(page.users);
        }
        found.sort();
        Ok(found)
    }
}

impl Entities {
    /// Bytes of memory that they take.
    fn size(&self) -> usize {
        fn size<E>(entities: &[E], name: impl Fn(&E) -> Option<&str>, id: impl Fn(&E) -> Option<&str>) -> usize {
            let texts = |entity: &E| name(entity).map_or(0, str::len) + id(entity).map_or(0, str::len);
            size_of_val(entities) + entities.iter().map(texts).sum::<usize>()
        }
        size_of::<Entities>()
            + size(&self.groups, PolicyGroup::group_name, PolicyGroup::group_id)
            + size(&self.roles, PolicyRole::role_name, PolicyRole::role_id)
            + size(&self.users, PolicyUser::user_name, PolicyUser::user_id)
    }

    fn sort(&mut self) {
        self.groups.sort_by(|one, other| one.group_name.cmp(&other.group_name));
        self.roles.sort_by(|one, other| one.role_name.cmp(&other.role_name));
        self.users.sort_by(|one, other| one.user_name.cmp(&other.user_name));
    }
}

/// The account's attachments by policy.
fn by_policy(account: &Authorization) -> HashMap<String, Entities> {
    let mut policies: HashMap<String, Entities> = HashMap::new();
    let arns = |attached: &Option<Vec<AttachedPolicy>>| iam::attached(attached.iter().flatten().cloned());
    for group in account.groups.values() {
        let entity =
            PolicyGroup::builder().set_group_id(group.group_id.clone()).set_group_name(group.group_name.clone());
        for arn in arns(&group.attached_managed_policies) {
            policies.entry(arn).or_default().groups.push(entity.clone().build());
        }
    }
    for role in account.roles.values() {
        let entity = PolicyRole::builder().set_role_id(role.role_id.clone()).set_role_name(role.role_name.clone());
        for arn in arns(&role.attached_managed_policies) {
            policies.entry(arn).or_default().roles.push(entity.clone().build());
        }
    }
    for user in account.users.values() {
        let entity = PolicyUser::builder().set_user_id(user.user_id.clone()).set_user_name(user.user_name.clone());
        for arn in arns(&user.attached_managed_policies) {
            policies.entry(arn).or_default().users.push(entity.clone().build());
        }
    }
    policies.values_mut().for_each(Entities::sort);
    policies
}
