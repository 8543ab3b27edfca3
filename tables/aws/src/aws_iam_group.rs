//! `aws_iam_group`: one row per IAM group, from `iam:ListGroups`.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_iam::operation::get_group::GetGroupOutput;
use aws_sdk_iam::types::GroupDetail;
use futures::stream::{BoxStream, Stream};
use indago_table::json;
use indago_table::prelude::*;
use serde_json::Value;

use crate::account::{Aws, Place, Site, is_whole};
use crate::call::{Next, all, page_size};
use crate::document;
use crate::resource::{Origin, Reader, Resource};
use crate::source::authorization::{self, Part};
use crate::source::{iam, policy};

/// IAM groups of each account.
///
/// Members and policies of all groups come from `iam:GetAccountAuthorizationDetails` in a few calls if the caller has
/// that permission. Otherwise, and for groups that the query names, each group costs calls.
#[derive(Debug, Default, Table)]
#[table(name = "aws_iam_group", env = Aws, stream, rows = 20, needs("iam:ListGroups"), identity(arn))]
#[example(
    "Groups and the policies of their members.",
    "SELECT name, attached_policy_arns, inline_policies_std FROM aws_iam_group"
)]
#[example("Members of one group.", "SELECT users FROM aws_iam_group WHERE name = 'admins'")]
pub struct Group {
    /// Name of the group.
    #[column(index, path = "GroupName")]
    name: String,
    /// Unique ID of the group.
    #[column(path = "GroupId")]
    group_id: String,
    /// Path of the group; `/` by default.
    #[column(path = "Path")]
    path: String,
    /// ARN of the group.
    #[column(index, path = "Arn")]
    arn: String,
    /// Creation time.
    #[column(path = "CreateDate")]
    create_date: Timestamp,
    /// Inline policies of the group, each with its name and document.
    #[column(source = inline, needs("iam:ListGroupPolicies", "iam:GetGroupPolicy"))]
    inline_policies: Option<Json>,
    /// Inline policies in canonical form: always lists, sorted, actions in lowercase.
    #[column(source = inline, needs("iam:ListGroupPolicies", "iam:GetGroupPolicy"))]
    inline_policies_std: Option<Json>,
    /// ARNs of the managed policies attached to the group.
    #[column(source = attached, needs = "iam:ListAttachedGroupPolicies")]
    attached_policy_arns: Option<Vec<String>>,
    /// Users in the group.
    #[column(source = members, needs = "iam:GetGroup")]
    users: Option<Json>,
    /// The same as the name.
    #[column(path = "@title")]
    title: String,
    /// ARN of the group, as a list.
    #[column(path = "@akas")]
    akas: Vec<String>,
    #[column(flatten)]
    origin: Origin,
}

impl RowStream for Group {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(
            scan,
            if scan.keys(Self::NAME).is_some() || scan.keys(Self::ARN).is_some() {
                "iam:GetGroup"
            } else {
                "iam:ListGroups"
            },
        )
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            match iam::names(scan.keys(Self::NAME), scan.keys(Self::ARN), "group", &site.account_id()) {
                Some(names) => site.look_up(scan, names, |site, name| Group::get(scan, site, name)),
                None => Group::list(scan, site),
            }
        })
    }
}

impl Resource for Group {
    const TITLE_FORM: &'static str = "{GroupName}";
    const KEPT: &'static [usize] = &[Self::NAME.position()];
}

impl Group {
    fn list(scan: &Scan<Self>, site: Site) -> BoxStream<'_, Result<Self>> {
        let request = site.iam().list_groups().max_items(page_size(scan, 1..=1000));
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let groups = site.pages(scan, "iam:ListGroups", "", fetch, |page| {
            (page.groups, Next::marker(page.is_truncated, page.marker))
        });
        site.rows(scan, groups)
    }

    async fn get(scan: &Scan<Self>, site: Site, name: String) -> Result<Self> {
        let request = site.iam().get_group().group_name(name).max_items(1);
        let answer = site.call(scan, "iam:GetGroup", || request.clone().send()).await?;
        Reader::whole(scan, &site).row(scan, &answer.group.ok_or_else(|| site.nothing("iam:GetGroup"))?)
    }

    /// The group from the listing of the entire account, if the scan reads all groups.
    async fn listed<V>(&self, scan: &Scan<Self>, pick: impl FnOnce(&GroupDetail) -> V) -> Result<Option<V>> {
        if !is_whole(scan) {
            return Ok(None);
        }
        let account = authorization::of_account(scan, &self.origin.profile, Part::Users).await?;
        Ok(account.and_then(|account| account.groups.get(&self.name).map(pick)))
    }

    async fn members(&mut self, scan: &Scan<Self>) -> Result<()> {
        if let Some(by_group) = self.all_members(scan).await? {
            self.users = document::json(by_group.get(&self.name).unwrap_or(&Vec::new()));
            return Ok(());
        }
        let site = self.origin.site(scan).await?;
        let request = site.iam().get_group().group_name(&self.name);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let users = site.pages(scan, "iam:GetGroup", &self.name, fetch, |page: GetGroupOutput| {
            (page.users, Next::marker(page.is_truncated, page.marker))
        });
        self.users = document::json(&all(users).await?);
        Ok(())
    }

    /// The users of each group, from the listing of the entire account.
    async fn all_members(&self, scan: &Scan<Self>) -> Result<Option<Arc<HashMap<String, Vec<Value>>>>> {
        if !is_whole(scan) {
            return Ok(None);
        }
        let Some(account) = authorization::of_account(scan, &self.origin.profile, Part::Users).await? else {
            return Ok(None);
        };
        let read = async {
            let mut groups: HashMap<String, Vec<Value>> = HashMap::new();
            for user in account.users.values() {
                for group in user.group_list.iter().flatten() {
                    groups.entry(group.clone()).or_default().push(iam::user(user));
                }
            }
            groups.values_mut().for_each(|users| users.sort_by_key(|user| user["UserName"].to_string()));
            let size =
                |(group, users): (&String, &Vec<Value>)| group.len() + users.iter().map(json::size).sum::<usize>();
            let size = groups.iter().map(size).sum();
            Ok((groups, size))
        };
        scan.cached(&format!("aws/{}/members", self.origin.profile), read).await.map(Some)
    }

    async fn inline(&mut self, scan: &Scan<Self>) -> Result<()> {
        let listed = self.listed(scan, |group| iam::documents(group.group_policy_list.as_deref())).await?;
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
        let request = iam.list_group_policies().group_name(&self.name);
        let fetch = move |marker| request.clone().set_marker(marker).send();
        let names = site.pages(scan, "iam:ListGroupPolicies", &self.name, fetch, |page| {
            (page.policy_names, Next::marker(page.is_truncated, page.marker))
        });
        let mut policies = Vec::new();
        for name in all(names).await? {
            let request = iam.get_group_policy().group_name(&self.name).policy_name(&name);
            let answer = site.call(scan, "iam:GetGroupPolicy", || request.clone().send()).await.if_present()?;
            policies.extend(answer.map(|policy| (policy.policy_name, policy.policy_document)));
        }
        Ok(policies)
    }

    async fn attached(&mut self, scan: &Scan<Self>) -> Result<()> {
        let listed = self.listed(scan, |group| group.attached_managed_policies.clone().unwrap_or_default()).await?;
        let policies = match listed {
            Some(policies) => policies,
            None => {
                let site = self.origin.site(scan).await?;
                let request = site.iam().list_attached_group_policies().group_name(&self.name);
                let fetch = move |marker| request.clone().set_marker(marker).send();
                let pages = site.pages(scan, "iam:ListAttachedGroupPolicies", &self.name, fetch, |page| {
                    (page.attached_policies.unwrap_or_default(), Next::marker(page.is_truncated, page.marker))
                });
                all(pages).await?
            }
        };
        self.attached_policy_arns = Some(iam::attached(policies));
        Ok(())
    }
}
