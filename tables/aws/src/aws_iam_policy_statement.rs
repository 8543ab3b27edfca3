//! `aws_iam_policy_statement`: one row per statement of a policy.

use async_stream::try_stream;
use futures::stream::{Stream, StreamExt};
use indago_table::prelude::*;

use crate::account::{Aws, Place};
use crate::permission::model::Placed;
use crate::permission::statement::Statement;
use crate::permission::{Source, admits, read, resource};
use crate::source::iam::is_aws_managed;

/// Statements of policies: what each allows or denies, to whom, and where it stands.
///
/// There are rows of managed policies (their default version, attached or not), inline policies, trust policies, boundaries, service
/// and resource control policies of the account's branch of the organisation, and policies of S3 buckets, SNS topics, SQS queues,
/// KMS keys, Secrets Manager secrets, Lambda functions and ECR repositories. AWS lists its own managed policies only if they are in
/// use. Policies of other resources (S3 access points, API Gateway, EventBridge, OpenSearch, ..) are not read.
///
/// All of IAM is one listing. The policies of resources cost calls per region and resource, unless `policy_type` excludes them.
#[derive(Debug, Default, Table)]
#[table(
    name = "aws_iam_policy_statement", env = Aws, stream, rows = 3000,
    needs("iam:GetAccountAuthorizationDetails"), identity(account_id, policy_label, owner_arn, policy_type, statement_index)
)]
#[example(
    "Statements of the account's own policies that allow everything.",
    "SELECT policy_label, statement_index FROM aws_iam_policy_statement WHERE policy_type IN ('managed', 'inline') \
     AND NOT is_aws_managed AND effect = 'Allow' AND array_has(actions, '*') AND array_has(resources, '*')"
)]
#[example(
    "Trust policies that name everybody.",
    "SELECT owner_arn, conditions FROM aws_iam_policy_statement WHERE policy_type = 'trust' AND array_has(principals, '*')"
)]
pub struct PolicyStatement {
    /// Kind of policy: `managed`, `inline`, `trust`, `boundary`, `scp`, `rcp` or `resource`.
    #[column(slice)]
    policy_type: String,
    /// Name of the policy; NULL for trust policies and policies of resources.
    policy_name: Option<String>,
    /// ARN of a managed or control policy.
    #[column(index)]
    policy_arn: Option<String>,
    /// The policy as decisions name it: its ARN, or the ARN of its owner with the name of the policy.
    policy_label: String,
    /// Whether it is a managed policy of AWS.
    is_aws_managed: bool,
    /// Kind of the owner: `user`, `group`, `role`, `bucket`, `topic`, `queue`, `key`, `secret`, `function` or `repository`; NULL
    /// for managed and control policies.
    owner_kind: Option<String>,
    /// ARN of the owner: the user, group or role of an inline policy, trust policy or boundary; the resource of a policy.
    #[column(index)]
    owner_arn: Option<String>,
    /// For a managed policy, the ARNs of users, groups and roles; for a control policy, the IDs of the root, units and account
    /// that it is attached to.
    attached_to: Vec<String>,
    /// Number of the statement in the policy, from 0.
    statement_index: i64,
    /// `Sid` of the statement; NULL if it has none.
    sid: Option<String>,
    /// `Allow` or `Deny`.
    #[column(slice)]
    effect: String,
    /// ARNs, accounts, services, identity providers or `*` in `Principal`; NULL without it.
    principals: Option<Vec<String>>,
    /// The same of `NotPrincipal`.
    not_principals: Option<Vec<String>>,
    /// `Action`; NULL without it.
    actions: Option<Vec<String>>,
    /// `NotAction`; NULL without it.
    not_actions: Option<Vec<String>>,
    /// `Resource`; NULL without it.
    resources: Option<Vec<String>>,
    /// `NotResource`; NULL without it.
    not_resources: Option<Vec<String>>,
    /// Conditions by operator and key, in canonical form: values are sorted lists, keys in lowercase. NULL if it has none.
    conditions: Option<Json>,
    #[column(flatten)]
    source: Source,
}

impl RowStream for PolicyStatement {
    type Part = Place;

    fn parts(scan: &Scan<Self>) -> Result<Vec<Place>> {
        Place::global(scan, read::NEEDS)
    }

    fn rows<'a>(scan: &'a Scan<Self>, place: &'a Place) -> impl Stream<Item = Result<Self>> + Send + 'a {
        place.rows(scan, |scan, site| {
            let rows = try_stream! {
                let account = read::account(scan, &site).await?;
                let source = Source::new(&site, &account);
                for placed in &account.placed {
                    for row in PolicyStatement::of(scan, placed, &source) {
                        yield row;
                    }
                }
                if admits(scan.keys(Self::POLICY_TYPE).as_ref(), "resource") && !scan.is_done() {
                    let inventory = resource::all(scan, &site.of_account(&account.id), &resource::READ).await?;
                    for resource::Owned { kind, arn, policy } in inventory.owned {
                        let placed = Placed {
                            kind: "resource",
                            policy_name: None,
                            policy_arn: None,
                            owner_kind: Some(kind),
                            owner_arn: Some(arn),
                            attached_to: Vec::new(),
                            policy,
                        };
                        for row in PolicyStatement::of(scan, &placed, &source) {
                            yield row;
                        }
                    }
                }
            };
            rows.boxed()
        })
    }
}

impl PolicyStatement {
    /// The rows of a policy that the scan's keys admit.
    fn of(scan: &Scan<Self>, placed: &Placed, source: &Source) -> Vec<Self> {
        let admits_text = |keys: Option<Vec<String>>, value: Option<&str>| match (keys, value) {
            (None, _) => true,
            (Some(keys), Some(value)) => keys.iter().any(|key| key == value),
            (Some(_), None) => false,
        };
        let is_admitted = admits_text(scan.keys(Self::POLICY_TYPE), Some(placed.kind))
            && admits_text(scan.keys(Self::POLICY_ARN), placed.policy_arn.as_deref())
            && admits_text(scan.keys(Self::OWNER_ARN), placed.owner_arn.as_deref());
        if !is_admitted {
            return Vec::new();
        }
        let effects = scan.keys(Self::EFFECT);
        let rows = placed.policy.statements.iter().map(|statement| PolicyStatement::row(placed, statement, source));
        rows.filter(|row| admits(effects.as_ref(), &row.effect)).collect()
    }

    fn row(placed: &Placed, statement: &Statement, source: &Source) -> Self {
        let names = |principals: &Option<Vec<(String, String)>>| {
            principals.as_ref().map(|all| all.iter().map(|(_, name)| name.clone()).collect())
        };
        PolicyStatement {
            policy_type: placed.kind.to_owned(),
            policy_name: placed.policy_name.clone(),
            policy_arn: placed.policy_arn.clone(),
            policy_label: placed.policy.name.clone(),
            is_aws_managed: placed.policy_arn.as_deref().is_some_and(is_aws_managed),
            owner_kind: placed.owner_kind.map(str::to_owned),
            owner_arn: placed.owner_arn.clone(),
            attached_to: placed.attached_to.clone(),
            statement_index: statement.index as i64,
            sid: statement.sid.clone(),
            effect: if statement.is_deny { "Deny" } else { "Allow" }.to_owned(),
            principals: names(&statement.principals),
            not_principals: names(&statement.not_principals),
            actions: statement.actions.clone(),
            not_actions: statement.not_actions.clone(),
            resources: statement.resources.clone(),
            not_resources: statement.not_resources.clone(),
            conditions: statement.conditions.as_ref().map(Json::new),
            source: source.clone(),
        }
    }
}
