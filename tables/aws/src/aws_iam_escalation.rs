//! `aws_iam_escalation`: one row per privilege escalation of an identity.

use std::sync::Arc;

use async_stream::try_stream;
use futures::stream::{Stream, StreamExt};
use indago_table::AnyScan;
use indago_table::prelude::*;

use crate::account::{Aws, Place, Site};
use crate::aws_iam_assumable::graph;
use crate::call::Next;
use crate::permission::escalation::{Found, Need, search};
use crate::permission::{Source, admits, read};

/// Ways by which users and roles can get more permissions than they have.
///
/// Each method is a rule: its actions must be allowed to the identity, on the target or on some resource, and its other
/// conditions must hold. A role that is passed must trust the service, and the target must have permissions that the identity lacks.
/// Policies are evaluated with boundaries and control policies, not searched for names. An administrator has no rows. The
/// methods are those of pathfinding.cloud, by its identifiers, and `pmapper-*` are those that only PMapper has.
///
/// Policies do not show whether a resource such as a function with the role exists: `requires` states it. Access keys and console
/// passwords of target users are read for the methods that depend on them.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_iam_escalation", env = Aws, stream, rows = 100, needs("iam:GetAccountAuthorizationDetails"),
    identity(profile, principal_arn, method, target_arn)
)]
#[example(
    "Identities that can become administrators.",
    "SELECT principal_arn, method, target_arn, breaks FROM aws_iam_escalation WHERE to_administrator AND decision = 'allowed'"
)]
#[example(
    "The ways of one identity, with the statements that allow them.",
    "SELECT method, name, target_arn, steps FROM aws_iam_escalation WHERE principal_arn = 'arn:aws:iam::123456789012:role/app/web'"
)]
pub struct Escalation {
    /// ARN of the user or role.
    #[column(index)]
    principal_arn: String,
    /// `user` or `role`.
    #[column(slice)]
    principal_kind: String,
    /// Identifier of the method, such as `iam-001`.
    #[column(index)]
    method: String,
    /// What the method does.
    name: String,
    /// `self-escalation`, `principal-access`, `new-passrole` or `existing-passrole`.
    #[column(slice)]
    category: String,
    /// ARN of the target: the identity itself, another user or role, a group, or a policy of the identity. For a role that the identity
    /// creates, the pattern of its ARN.
    #[column(index)]
    target_arn: String,
    /// `user`, `role`, `group` or `policy`.
    target_kind: String,
    /// Whether the identity gets all permissions.
    to_administrator: bool,
    /// Actions of the method.
    actions: Vec<String>,
    /// Each action with its resource, its decision, and the policy and statement that allow it.
    steps: Json,
    /// `allowed`, or `depends` if a step depends on context keys.
    decision: String,
    /// The context keys that the decision depends on.
    keys: Vec<String>,
    /// What must exist besides, which policies do not show; NULL if nothing.
    requires: Option<String>,
    /// A change that stops it.
    breaks: String,
    #[column(flatten)]
    source: Source,
}

impl RowStream for Escalation {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, read::NEEDS)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let rows = try_stream! {
                let account = read::account(scan, &site).await?;
                let (model, graph) = (read::model(scan).await?, graph(scan).await?);
                let source = Source::new(&site, &account);
                let (arns, kinds) = (scan.keys(Self::PRINCIPAL_ARN), scan.keys(Self::PRINCIPAL_KIND));
                let (methods, categories) = (scan.keys(Self::METHOD), scan.keys(Self::CATEGORY));
                let targets = scan.keys(Self::TARGET_ARN);
                for identity in &account.identities {
                    if !admits(arns.as_ref(), &identity.arn) || !admits(kinds.as_ref(), identity.kind.name()) {
                        continue;
                    }
                    if scan.is_done() {
                        return;
                    }
                    for found in search(&model, &graph, identity) {
                        let is_admitted = admits(methods.as_ref(), &found.rule.id)
                            && admits(categories.as_ref(), &found.rule.category)
                            && admits(targets.as_ref(), &found.target_arn);
                        if !is_admitted {
                            continue;
                        }
                        let Some(open) = open(scan, &site, &found).await? else { continue };
                        yield Escalation::row(&found, &open, &source);
                    }
                }
            };
            rows.boxed()
        })
    }
}

impl Escalation {
    fn row(found: &Found<'_>, open: &[&str], source: &Source) -> Self {
        let is_certain = open.is_empty();
        let requires: Vec<&str> = found.rule.requires.as_deref().into_iter().chain(open.iter().copied()).collect();
        let depends = indago_iam::Decision::Depends;
        Escalation {
            principal_arn: found.principal.arn.clone(),
            principal_kind: found.principal.kind.name().to_owned(),
            method: found.rule.id.clone(),
            name: found.rule.name.clone(),
            category: found.rule.category.clone(),
            target_arn: found.target_arn.clone(),
            target_kind: found.target_kind.to_owned(),
            to_administrator: found.is_to_administrator,
            actions: found.steps.iter().map(|step| step.action.clone()).collect(),
            steps: Json::new(&found.steps()),
            decision: if is_certain { found.decision } else { depends }.name().to_owned(),
            keys: found.keys.clone(),
            requires: (!requires.is_empty()).then(|| requires.join(", ")),
            breaks: found.breaks(),
            source: source.clone(),
        }
    }
}

/// The access keys and the console password of a user. `None`: they could not be read.
#[derive(Debug, Clone, Copy)]
struct Credentials {
    keys: Option<usize>,
    has_login: Option<bool>,
}

/// What a method needs of its target user and could not be read; `None` if the user does not have it.
async fn open(scan: &AnyScan<Aws>, site: &Site, found: &Found<'_>) -> Result<Option<Vec<&'static str>>> {
    let mut open = Vec::new();
    for need in &found.pending {
        let user = found.target_arn.rsplit('/').next().unwrap_or_default();
        let needs_keys = matches!(need, Need::FewerThanTwoKeys | Need::TwoKeys);
        let Credentials { keys, has_login } = *credentials(scan, site, user, needs_keys).await?;
        let holds = match need {
            Need::FewerThanTwoKeys => keys.map(|keys| keys < 2),
            Need::TwoKeys => keys.map(|keys| keys >= 2),
            Need::LoginProfile => has_login,
            Need::NoLoginProfile => has_login.map(|has| !has),
            _ => Some(true),
        };
        match holds {
            Some(true) => {}
            Some(false) => return Ok(None),
            None => open.extend(need.of_user()),
        }
    }
    Ok(Some(open))
}

/// Reads the access keys or the console password of a user, once per query. A failure is reported.
async fn credentials(scan: &AnyScan<Aws>, site: &Site, user: &str, needs_keys: bool) -> Result<Arc<Credentials>> {
    let read = async {
        let mut found = Credentials { keys: None, has_login: None };
        let iam = site.iam();
        let outcome = match needs_keys {
            true => {
                let pages = site.pages(
                    scan,
                    "iam:ListAccessKeys",
                    user,
                    |marker| iam.list_access_keys().user_name(user).set_marker(marker).send(),
                    |page| (page.access_key_metadata, Next::marker(page.is_truncated, page.marker)),
                );
                crate::call::all(pages).await.map(|keys| found.keys = Some(keys.len()))
            }
            false => {
                let profile = site.call(scan, "iam:GetLoginProfile", || iam.get_login_profile().user_name(user).send());
                profile.await.map(drop).if_present().map(|profile| found.has_login = Some(profile.is_some()))
            }
        };
        match outcome {
            Err(error) if error.ends_query() => return Err(error),
            Err(error) => scan.report(site.to_string(), &error),
            Ok(()) => {}
        }
        Ok((found, size_of::<Credentials>()))
    };
    let key = format!("aws/{}/credentials/{needs_keys}/{user}", site.profile());
    scan.cached(&key, Box::pin(read)).await
}
