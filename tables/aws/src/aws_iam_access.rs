//! `aws_iam_access`: one row per permission of an identity.

use async_stream::try_stream;
use futures::stream::{Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::aws_iam_who_can::Questions;
use crate::permission::decision::Decided;
use crate::permission::grant::{self, Grant};
use crate::permission::model::{Account, Identity};
use crate::permission::{Source, admits, distinct, read};

/// Permissions of users and roles: what they may do, on which resources, and by which statement.
///
/// It needs a constraint on `principal_arn`, or on `action` and `resource_arn`:
///
/// - With `principal_arn` alone, each action and resource of a statement that allows is a row, with wildcards as in the policy, cut
///   to what the boundary and the service control policies allow. A permission that is denied as a whole, also by resource control
///   policies, has no row; a statement that denies a part of it does not change the row.
/// - With `action` and `principal_arn`, rows are the resources, as patterns, on which the action is allowed. With `resource_arn`
///   and `principal_arn`, they are the actions.
/// - With `action` and `resource_arn`, a row is a decision, as in `aws_iam_who_can`, and the policy of the resource counts.
///
/// Rows have the decision `allowed`, or `depends`: on `keys`, or on a policy that could not be read, which `reason` names. What
/// other accounts and policies of resources allow has no rows without `action` and `resource_arn`.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_iam_access", env = Aws, stream, rows = 100, needs("iam:GetAccountAuthorizationDetails"), identity(),
    require_any(principal_arn, action)
)]
#[example(
    "What a role may do.",
    "SELECT action, resource_arn, decision, policy_label FROM aws_iam_access WHERE principal_arn = 'arn:aws:iam::123456789012:role/app/web'"
)]
#[example(
    "The roles that an identity may pass.",
    "SELECT resource_arn, decision, keys FROM aws_iam_access WHERE principal_arn = 'arn:aws:iam::123456789012:role/app/web' \
     AND action = 'iam:PassRole'"
)]
pub struct Access {
    /// ARN of the user or role.
    #[column(index)]
    principal_arn: String,
    /// `user` or `role`.
    #[column(slice)]
    principal_kind: String,
    /// Action. Without a key, in lowercase and with the wildcards of the policy.
    #[column(index, selects)]
    action: String,
    /// For a statement with `NotAction`, the actions that it leaves out; else NULL.
    not_actions: Option<Vec<String>>,
    /// ARN of the resource, or `*`. Without a key, with the wildcards of the policy. Policy variables have their values, or
    /// `*`.
    #[column(index, selects)]
    resource_arn: String,
    /// For a statement with `NotResource`, the resources that it leaves out; else NULL.
    not_resources: Option<Vec<String>>,
    /// `allowed` or `depends`.
    decision: String,
    /// The reason as a sentence.
    reason: String,
    /// What decided: `identity` or `resource`; NULL if it depends.
    layer: Option<String>,
    /// The policy that allows it, as in `aws_iam_policy_statement`.
    policy_label: Option<String>,
    /// Its statement: the `Sid`, or `Statement[0]`.
    statement: Option<String>,
    /// The context keys that the decision depends on.
    keys: Vec<String>,
    #[column(flatten)]
    source: Source,
}

impl RowStream for Access {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, read::NEEDS)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let rows = try_stream! {
                let arns = distinct(scan.keys(Self::PRINCIPAL_ARN));
                let actions = distinct(scan.keys(Self::ACTION));
                let resources = distinct(scan.keys(Self::RESOURCE_ARN));
                if arns.is_none() && (actions.is_none() || resources.is_none()) {
                    let why = "the table needs a constraint on `principal_arn`, or on `action` and `resource_arn`, such as \
                               `action = 's3:GetObject' AND resource_arn = 'arn:aws:s3:::b/k'`";
                    Err(Error::Unsupported(why.to_owned()))?;
                }
                let account = read::account(scan, &site).await?;
                let source = Source::new(&site, &account);
                let questions = Questions::read(scan, &account, resources.as_deref().unwrap_or_default()).await?;
                let kinds = scan.keys(Self::PRINCIPAL_KIND);
                for identity in identities(&account, arns.as_deref()) {
                    if !admits(kinds.as_ref(), identity.kind.name()) {
                        continue;
                    }
                    if scan.is_done() {
                        return;
                    }
                    match (&actions, &resources) {
                        (Some(actions), Some(resources)) => {
                            for action in actions {
                                for resource in resources {
                                    let decided = questions.decide(scan, identity, action, resource)?;
                                    if let Some(decided) = decided.filter(Decided::is_possible) {
                                        let grant = Grant {
                                            action: action.clone(),
                                            not_actions: None,
                                            resource: resource.clone(),
                                            not_resources: None,
                                        };
                                        yield Access::row(identity, grant, decided, &source);
                                    }
                                }
                            }
                        }
                        (actions, resources) => {
                            for row in Access::of(identity, actions.as_deref(), resources.as_deref(), &source) {
                                yield row;
                            }
                        }
                    }
                }
            };
            rows.boxed()
        })
    }
}

/// The identities of some ARNs, or all.
fn identities<'a>(
    account: &'a Account,
    arns: Option<&'a [String]>,
) -> Box<dyn Iterator<Item = &'a Identity> + Send + 'a> {
    match arns {
        Some(arns) => Box::new(arns.iter().filter_map(|arn| account.identity(arn))),
        None => Box::new(account.identities.iter()),
    }
}

impl Access {
    /// The permissions of an identity, for some actions or some resources.
    fn of(identity: &Identity, actions: Option<&[String]>, resources: Option<&[String]>, source: &Source) -> Vec<Self> {
        let row = |effective: grant::Effective| Access::row(identity, effective.grant, effective.decided, source);
        if actions.is_none() && resources.is_none() {
            return identity.effective().iter().cloned().map(row).collect();
        }
        if !identity.is_known {
            return Vec::new();
        }
        let grants = grant::of_identity(identity);
        let mut rows = Vec::new();
        for action in actions.unwrap_or_default() {
            let of_action: Vec<Grant> = grants.iter().filter_map(|grant| grant.for_action(action)).collect();
            let lower = action.to_ascii_lowercase();
            let effective = grant::effective(identity, &identity.caller, &unique(of_action)).into_iter();
            let of_key = effective.filter(|effective| effective.grant.action == lower);
            rows.extend(of_key.map(|effective| Access { action: action.clone(), ..row(effective) }));
        }
        for resource in resources.unwrap_or_default() {
            let of_resource: Vec<Grant> = grants.iter().flat_map(|grant| grant.for_resource(resource)).collect();
            let effective = grant::effective(identity, &identity.caller, &unique(of_resource)).into_iter();
            rows.extend(effective.filter(|effective| effective.grant.resource == *resource).map(row));
        }
        rows
    }

    fn row(identity: &Identity, grant: Grant, decided: Decided, source: &Source) -> Self {
        Access {
            principal_arn: identity.arn.clone(),
            principal_kind: identity.kind.name().to_owned(),
            action: grant.action,
            not_actions: grant.not_actions,
            resource_arn: grant.resource,
            not_resources: grant.not_resources,
            decision: decided.decision.name().to_owned(),
            reason: decided.reason,
            layer: decided.layer.map(str::to_owned),
            policy_label: decided.policy,
            statement: decided.statement,
            keys: decided.keys,
            source: source.clone(),
        }
    }
}

/// The grants without repetitions.
fn unique(grants: Vec<Grant>) -> Vec<Grant> {
    let mut seen = std::collections::HashSet::new();
    grants.into_iter().filter(|grant| seen.insert(grant.clone())).collect()
}
