//! IAM of the entire account in a few pages: `GetAccountAuthorizationDetails`.
//!
//! Attached policies, inline policies, groups and boundaries cost one to three calls per user or role. If a query reads
//! all of them, this listing returns them together. It is read when the first row needs it, once per query. If a query
//! reads only some names, or the caller may not make this call, each row requests its own details. Any other failure is
//! final: a service that is slow or throttles must not get a thousand more calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_iam::types::{EntityType, GroupDetail, ManagedPolicyDetail, RoleDetail, UserDetail};
use futures::stream::TryStreamExt;
use indago_table::AnyScan;
use indago_table::prelude::*;

use crate::account::{Aws, Site};
use crate::call::{Listing, Next, page_size};

/// The contents of the listing, by name; policies also by ARN.
#[derive(Debug, Default)]
pub(crate) struct Authorization {
    pub(crate) users: HashMap<String, UserDetail>,
    pub(crate) groups: HashMap<String, GroupDetail>,
    pub(crate) roles: HashMap<String, RoleDetail>,
    pub(crate) policies: HashMap<String, ManagedPolicyDetail>,
}

/// The part of the account to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Users, and the groups that they are in.
    Users,
    /// Roles.
    Roles,
    /// All entities that policies can be attached to.
    Principals,
    /// The account's own policies with their documents.
    Policies,
    /// All of these, and AWS's managed policies.
    All,
}

impl Part {
    fn filter(self) -> Vec<EntityType> {
        match self {
            Part::Users => vec![EntityType::User, EntityType::Group],
            Part::Roles => vec![EntityType::Role],
            Part::Principals => vec![EntityType::User, EntityType::Group, EntityType::Role],
            Part::Policies => vec![EntityType::LocalManagedPolicy],
            Part::All => vec![
                EntityType::User,
                EntityType::Group,
                EntityType::Role,
                EntityType::LocalManagedPolicy,
                EntityType::AwsManagedPolicy,
            ],
        }
    }
}

/// The listing, if the caller may make it; `None` makes the row request its own details.
pub(crate) async fn of_account(scan: &AnyScan<Aws>, profile: &str, part: Part) -> Result<Option<Arc<Authorization>>> {
    let read = async {
        let site = scan.env().site(profile, crate::account::GLOBAL, scan.moment()).await?;
        read(scan, &site, part).await
    };
    match scan.cached(&format!("aws/{profile}/authorization/{part:?}"), Box::pin(read)).await {
        Err(error @ Error::Denied { needs: Some(_), .. }) => {
            tracing::debug!(profile, %error, "reading details one by one");
            Ok(None)
        }
        listing => listing.map(Some),
    }
}

/// The listing, and its size.
pub(crate) async fn read(scan: &AnyScan<Aws>, site: &Site, part: Part) -> Result<(Authorization, usize)> {
    let iam = site.iam();
    let size = page_size(scan, 1..=1000);
    let texts = Arc::<AtomicUsize>::default();
    let mut pages = site.pages(
        scan,
        "iam:GetAccountAuthorizationDetails",
        Listing { asked: format!("{part:?}"), read: texts.clone() },
        |marker| {
            let request = iam.get_account_authorization_details().set_filter(Some(part.filter()));
            request.max_items(size).set_marker(marker).send()
        },
        |mut page| {
            let next = Next::marker(page.is_truncated, page.marker.take());
            (vec![page], next)
        },
    );
    let mut account = Authorization::default();
    while let Some(page) = pages.try_next().await? {
        account.users.extend(by(page.user_detail_list, |user| user.user_name.clone()));
        account.groups.extend(by(page.group_detail_list, |group| group.group_name.clone()));
        account.roles.extend(by(page.role_detail_list, |role| role.role_name.clone()));
        account.policies.extend(by(page.policies, |policy| policy.arn.clone()));
    }
    drop(pages);
    let Authorization { users, groups, roles, policies } = &account;
    let size = users.len() * size_of::<UserDetail>()
        + groups.len() * size_of::<GroupDetail>()
        + roles.len() * size_of::<RoleDetail>()
        + policies.len() * size_of::<ManagedPolicyDetail>()
        + texts.load(Ordering::Relaxed);
    Ok((account, size))
}

fn by<D>(list: Option<Vec<D>>, name: impl Fn(&D) -> Option<String>) -> impl Iterator<Item = (String, D)> {
    list.into_iter().flatten().filter_map(move |detail| Some((name(&detail)?, detail)))
}
